// Package wire is what the lab and the first process of its guest say to one another over a virtio serial port: frames of
// a kind, a length and that many bytes.
//
// The guest says Ready and waits. The lab sends a Request and the files that go with it, an archive in tar's format; from
// then on Stdin goes to the guest, Stdout and Stderr come from it, and an Exit ends the run. Then the guest waits again.
package wire

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// PortName is the name of the serial port, under /sys/class/virtio-ports in the guest.
const PortName = "syscallstory.lab"

// Kind is what a frame holds.
type Kind byte

const (
	Ready   Kind = 'W' // to the lab: JSON of Hello
	Ask     Kind = 'R' // to the guest: JSON of Request
	Files   Kind = 'T' // to the guest: a part of the archive; an empty one ends it
	Stdin   Kind = 'I' // to the guest: a part of standard input; an empty one ends it
	Stdout  Kind = 'O' // to the lab
	Stderr  Kind = 'E' // to the lab
	Exited  Kind = 'X' // to the lab: JSON of Exit
	maxBody      = 1 << 20
	chunk        = 64 << 10
)

// Hello is said once the guest has everything mounted and loaded.
type Hello struct {
	Release string   `json:"release"`           // as uname -r
	Version string   `json:"version"`           // as uname -v
	Uptime  float64  `json:"uptime"`            // seconds since the kernel's start
	Absent  []string `json:"absent,omitempty"`  // what could not be loaded or mounted, each with its error
	Modules []string `json:"modules,omitempty"` // in the order in which they were loaded
}

// Request is a program to run.
type Request struct {
	Args    []string `json:"args"`            // a name without a slash is looked for in PATH
	Env     []string `json:"env"`             // added to the guest's own
	Label   string   `json:"label,omitempty"` // the security context for the program's exec, by /proc/thread-self/attr/exec
	Now     int64    `json:"now"`             // wall clock, nanoseconds since 1970: a resumed guest lives in the past
	Entropy []byte   `json:"entropy"`         // mixed into the kernel's random numbers: two guests resumed from one state would draw the same
}

// Exit is how the program ended.
type Exit struct {
	Code   int     `json:"code"`             // its exit code; 128 and the signal where one killed it
	Signal int     `json:"signal,omitempty"` // that killed it
	Error  string  `json:"error,omitempty"`  // it was not started, and why
	Taken  float64 `json:"taken"`            // seconds of the guest's clock
}

// Conn sends and receives frames. Any number of goroutines may send, one may receive.
type Conn struct {
	r  *bufio.Reader
	mu sync.Mutex
	w  io.Writer
}

// NewConn speaks over rw.
func NewConn(rw io.ReadWriter) *Conn { return &Conn{r: bufio.NewReaderSize(rw, chunk), w: rw} }

// Send sends one frame.
func (c *Conn) Send(k Kind, body []byte) error {
	if len(body) > maxBody {
		return fmt.Errorf("a frame of %d bytes is longer than %d", len(body), maxBody)
	}
	frame := make([]byte, 5, 5+len(body))
	frame[0] = byte(k)
	binary.LittleEndian.PutUint32(frame[1:], uint32(len(body)))
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.w.Write(append(frame, body...)) // at once: a write is an exit to the emulator
	return err
}

// SendJSON sends a value.
func (c *Conn) SendJSON(k Kind, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.Send(k, b)
}

// Receive returns the next frame.
func (c *Conn) Receive() (Kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.LittleEndian.Uint32(head[1:])
	if n > maxBody {
		return 0, nil, fmt.Errorf("a frame claims %d bytes: the two ends are out of step", n)
	}
	body := make([]byte, n)
	_, err := io.ReadFull(c.r, body)
	return Kind(head[0]), body, err
}

// Expect receives a frame of the kind, and its value where v is not nil.
func (c *Conn) Expect(k Kind, v any) ([]byte, error) {
	got, body, err := c.Receive()
	switch {
	case err != nil:
		return nil, err
	case got != k:
		return nil, fmt.Errorf("a frame %q came where %q was due", byte(got), byte(k))
	case v != nil:
		err = json.Unmarshal(body, v)
	}
	return body, err
}

// Writer sends what is written to it in frames of the kind; Close sends the empty one.
func (c *Conn) Writer(k Kind) io.WriteCloser { return &writer{c, k} }

type writer struct {
	c *Conn
	k Kind
}

func (w *writer) Write(p []byte) (int, error) {
	sent := 0
	for len(p) > sent {
		part := p[sent:min(len(p), sent+chunk)]
		if err := w.c.Send(w.k, part); err != nil {
			return sent, err
		}
		sent += len(part)
	}
	return sent, nil
}

func (w *writer) Close() error { return w.c.Send(w.k, nil) }

// Reader reads frames of the kind up to the empty one. Nobody else may receive until it has returned io.EOF.
func (c *Conn) Reader(k Kind) io.Reader { return &reader{c: c, k: k} }

type reader struct {
	c    *Conn
	k    Kind
	left []byte
	end  bool
}

func (r *reader) Read(p []byte) (int, error) {
	if r.end {
		return 0, io.EOF
	}
	if len(r.left) == 0 {
		body, err := r.c.Expect(r.k, nil)
		if err != nil {
			return 0, err
		}
		if len(body) == 0 {
			r.end = true
			return 0, io.EOF
		}
		r.left = body
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

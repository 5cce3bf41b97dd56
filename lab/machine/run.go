package machine

import (
	"archive/tar"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"syscallstory/lab/image"
	"syscallstory/lab/wire"
)

// Command is a program to run in a guest, as root, in /root.
type Command struct {
	Args           []string     // a name without a slash is looked for in the guest's PATH
	Env            []string     // beside the guest's own
	Files          []image.File // put into the guest's root before
	Label          string       // security context of its exec
	Stdin          io.Reader    // none where it is nil
	Stdout, Stderr io.Writer    // dropped where they are nil
}

// ErrTimeout says that a program has not ended in time.
var ErrTimeout = errors.New("time is up")

// Run runs a program to its end and says how it ended. When ctx is done, or the two ends have lost one another, the machine
// is closed; a deadline of ctx is the program's time, and the error then matches ErrTimeout and holds the end of the console.
func (m *Machine) Run(ctx context.Context, c Command) (wire.Exit, error) {
	stop := context.AfterFunc(ctx, func() { m.Close() })
	defer stop()
	exit, err := m.run(c)
	switch {
	case err == nil && exit.Error != "":
		return exit, fmt.Errorf("the guest with Linux %s cannot run it: %s", m.series, exit.Error)
	case err == nil:
		return exit, nil
	}
	defer m.Close()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return exit, m.failure(fmt.Sprintf("has not ended %q", c.Args[0]), ErrTimeout)
	case ctx.Err() != nil:
		return exit, ctx.Err()
	}
	return exit, m.failure(fmt.Sprintf("broke off %q", c.Args[0]), err)
}

func (m *Machine) run(c Command) (wire.Exit, error) {
	var exit wire.Exit
	if len(c.Args) == 0 {
		return exit, errors.New("no program was given")
	}
	entropy := make([]byte, 64)
	rand.Read(entropy)
	if err := m.conn.SendJSON(wire.Ask, wire.Request{Args: c.Args, Env: c.Env, Label: c.Label, Now: time.Now().UnixNano(), Entropy: entropy}); err != nil {
		return exit, err
	}
	if err := sendFiles(m.conn.Writer(wire.Files), c.Files); err != nil {
		return exit, err
	}
	in := &input{w: m.conn.Writer(wire.Stdin)}
	defer in.Close()
	if c.Stdin == nil {
		in.Close()
	} else {
		go func() {
			io.Copy(in, c.Stdin)
			in.Close()
		}()
	}
	err := m.receive(c, &exit)
	return exit, err
}

// receive passes output on until the program has ended.
func (m *Machine) receive(c Command, exit *wire.Exit) error {
	to := map[wire.Kind]io.Writer{wire.Stdout: c.Stdout, wire.Stderr: c.Stderr}
	for {
		kind, body, err := m.conn.Receive()
		if err != nil {
			return err
		}
		if kind == wire.Exited {
			return json.Unmarshal(body, exit)
		}
		w, ok := to[kind]
		if !ok {
			return fmt.Errorf("a frame %q came out of turn", byte(kind))
		}
		if w == nil {
			continue
		}
		if _, err := w.Write(body); err != nil {
			return fmt.Errorf("passing on its output: %w", err)
		}
	}
}

// input is standard input, ended once: by its end, or by the program's while a read of a terminal still waits.
type input struct {
	mu    sync.Mutex
	w     io.WriteCloser
	ended bool
}

func (i *input) Write(p []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended {
		return 0, io.ErrClosedPipe
	}
	return i.w.Write(p)
}

func (i *input) Close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended {
		return nil
	}
	i.ended = true
	return i.w.Close()
}

// sendFiles sends files as an archive, and its end in any case.
func sendFiles(w io.WriteCloser, files []image.File) error {
	defer w.Close()
	tw := tar.NewWriter(w)
	for _, f := range files {
		if err := sendFile(tw, f); err != nil {
			return fmt.Errorf("sending %s: %w", f.Name, err)
		}
	}
	return tw.Close()
}

func sendFile(tw *tar.Writer, f image.File) error {
	h := &tar.Header{Name: f.Name, Mode: int64(f.Mode.Perm()), Size: int64(len(f.Data)), ModTime: time.Now(), Typeflag: tar.TypeReg}
	switch {
	case f.Mode.IsDir():
		h.Typeflag = tar.TypeDir
	case f.Mode.Type() == fs.ModeSymlink:
		h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, string(f.Data), 0
	case f.Source != "":
		src, err := os.Open(f.Source)
		if err != nil {
			return err
		}
		defer src.Close()
		info, err := src.Stat()
		if err != nil {
			return err
		}
		h.Size, h.ModTime = info.Size(), info.ModTime()
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		_, err = io.CopyN(tw, src, h.Size)
		return err
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeReg {
		_, err := tw.Write(f.Data)
		return err
	}
	return nil
}

// Package selinux is the area selinux of verify: random files with random labels on a filesystem of their own, a task with a random
// context, and calls on them under enforcing. Compared are the errno of each call and the AVC records that it leaves: class,
// permissions and contexts, and that there is none where a dontaudit rule hides a denial. It changes whether the kernel enforces,
// and so runs on a machine that is there for it.
package selinux

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// content is what files hold.
const content = "text\n"

// File is an object of the scene.
type File struct {
	Path   string
	Type   string // dir file link fifo null
	Mode   uint16 `json:",omitempty"`
	UID    uint32 `json:",omitempty"`
	Label  string `json:",omitempty"` // its context; "": what the kernel gives it
	Target string `json:",omitempty"` // of a link
}

// Other is another process.
type Other struct {
	Context string
	UID     uint32 `json:",omitempty"` // as the task's
}

// Scene is files, a task and its calls.
type Scene struct {
	Task     string // its context
	UID      uint32 `json:",omitempty"` // 0 has all capabilities, others none
	FSCreate string `json:",omitempty"` // what it has written to /proc/self/attr/fscreate
	// SockCreate is what it has written to /proc/self/attr/sockcreate.
	SockCreate string  `json:",omitempty"`
	Overlay    bool    `json:",omitempty"` // the files are the lower layer of an overlay, mounted by who builds the scene
	Context    string  `json:",omitempty"` // the option context= of the filesystem
	Root       string  `json:",omitempty"` // label of its root
	Opened     string  `json:",omitempty"` // a file that is open for reading and writing since before the task had its context; "": the root, for reading
	Others     []Other `json:",omitempty"` // processes that the calls name by PID1, PID2 …
	Files      []File
	Calls      []string
}

// Text prints a scene for a person, behind it in a form that --case reads.
func (s *Scene) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  task %s, uid %d\n", s.Task, s.UID)
	for _, w := range []struct{ what, text string }{{"fscreate", s.FSCreate}, {"sockcreate", s.SockCreate}, {"mounted with context=", s.Context}, {"root", s.Root}, {"opened before", s.Opened}} {
		if w.text != "" {
			fmt.Fprintf(&b, "  %s %s\n", w.what, w.text)
		}
	}
	if s.Overlay {
		b.WriteString("  on an overlay\n")
	}
	for i, o := range s.Others {
		fmt.Fprintf(&b, "  PID%d %s, uid %d\n", i+1, o.Context, o.UID)
	}
	for _, f := range s.Files {
		fmt.Fprintf(&b, "    %s %s %o %d %s %s\n", f.Type, f.Path, f.Mode, f.UID, f.Label, f.Target)
	}
	for _, c := range s.Calls {
		fmt.Fprintf(&b, "  %s\n", c)
	}
	text, _ := json.Marshal(s)
	fmt.Fprintf(&b, "%s\n", text)
	return b.String()
}

// What the first of the other processes makes: a segment of so many bytes, a queue, a set of so many semaphores.
const (
	objectSize = 4096
	semaphores = 2
	objectMode = 0o666
)

// messages lie in the queue: type and size.
var messages = [...][2]uint64{{1, 1}, {2, 3}}

// Limits of a scene that is read.
const (
	maxFiles  = 64
	maxOthers = 2
	maxCalls  = 200
	maxText   = 4096
)

// ParseScene reads the last line of a scene's text.
func ParseScene(text []byte) (*Scene, error) {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	s := &Scene{}
	d := json.NewDecoder(strings.NewReader(lines[len(lines)-1]))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("the case's last line: %w", err)
	}
	switch {
	case s.Task == "":
		return nil, errors.New("the case has no task")
	case len(s.Others) > maxOthers:
		return nil, fmt.Errorf("a case has at most %d other processes", maxOthers)
	case len(s.Files) > maxFiles || len(s.Calls) > maxCalls:
		return nil, fmt.Errorf("a case has at most %d files and %d calls", maxFiles, maxCalls)
	}
	for _, f := range s.Files {
		if _, ok := types[f.Type]; !ok || f.Path == "" || len(f.Path)+len(f.Label)+len(f.Target) > maxText || strings.ContainsRune(f.Path+f.Label+f.Target, 0) {
			return nil, fmt.Errorf("file %q: bad type, path or label", f.Path)
		}
	}
	texts := []string{s.Task, s.FSCreate, s.SockCreate, s.Context, s.Root, s.Opened}
	for _, o := range s.Others {
		texts = append(texts, o.Context)
	}
	for _, t := range texts {
		if len(t) > maxText || strings.ContainsRune(t, 0) {
			return nil, errors.New("a context of the case is too long")
		}
	}
	return s, nil
}

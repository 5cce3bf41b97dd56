// Package gates is the area gates of verify: random worlds of files, mounts, user namespaces and tasks, built for real in
// private namespaces, and random calls over every route; what the kernel answers is compared with what is predicted.
//
// A Scene describes a world. From it come both sides, neither of which looks at the other: the model's world (model.go) and
// the real one (stage_linux.go).
package gates

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Scene is a world with its tasks. Paths are absolute; everything lies below /w, which is a tmpfs.
type Scene struct {
	Namespaces []Namespace `json:",omitempty"` // user namespaces; number 0 is the initial one, which is not listed
	Layers     []Layer     `json:",omitempty"` // directories that overlays are made of, which tasks do not see
	Items      []Item      // made in order
	Targets    []Task      `json:",omitempty"` // processes that calls can name, of which only the credentials count
	IPC        []IPC       `json:",omitempty"`
	Tasks      []Task
}

// Namespace is a user namespace.
type Namespace struct {
	Parent int
	Owner  uint32 // euid of its creator, as the initial namespace counts
	UIDs   []Extent
	GIDs   []Extent
}

// Extent is a line of an id map; Outside counts in the parent.
type Extent struct{ Inside, Outside, Count uint32 }

// Item is a file or a mount.
type Item struct {
	File  *File  `json:",omitempty"`
	Mount *Mount `json:",omitempty"`
}

// File is a file of any type. A hard link has a Target and the type of that.
type File struct {
	Path      string
	Mode      uint16    // with the type
	UID, GID  uint32    // as the initial namespace counts
	Target    string    `json:",omitempty"` // of a symbolic link
	Hard      string    `json:",omitempty"` // another path of the same file
	Dev       uint32    `json:",omitempty"`
	Size      int64     `json:",omitempty"`
	ACL       []ACL     `json:",omitempty"`
	Immutable bool      `json:",omitempty"`
	Append    bool      `json:",omitempty"`
	Opaque    bool      `json:",omitempty"` // it hides the directories below it, in a layer
	Program   string    `json:",omitempty"` // elf, dynamic, loader, script, text, short or foreign: what execve meets; else zeros
	Interp    string    `json:",omitempty"` // of a script or a dynamic program
	Caps      *FileCaps `json:",omitempty"`
}

// ACL is an entry of an access ACL.
type ACL struct {
	Tag  string // user_obj, user, group_obj, group, mask, other
	ID   uint32 `json:",omitempty"`
	Perm uint8
}

// Layer is a filesystem with files of its own, whose paths begin at its root.
type Layer struct {
	Files []File
}

// Mount is a mount. Of Flags, ro, nosuid, nodev, noexec and nosymfollow are known.
type Mount struct {
	Kind   string // tmpfs, bind, ext4, overlay
	Point  string
	Source string   `json:",omitempty"` // of a bind
	Flags  []string `json:",omitempty"`
	Super  bool     `json:",omitempty"` // the superblock is read-only
	Owner  int      `json:",omitempty"` // user namespace of a tmpfs's superblock
	IDMap  int      `json:",omitempty"` // user namespace whose map a bind is mounted with
	Lower  []int    `json:",omitempty"` // layers of an overlay, the top one first
	Upper  int      `json:",omitempty"` // layer, counted from 1; 0: none
	Mode   uint16   `json:",omitempty"` // of a tmpfs's root
	UID    uint32   `json:",omitempty"`
	GID    uint32   `json:",omitempty"`
}

// Task is who calls. Ids count as the initial namespace does.
type Task struct {
	NS          int  `json:",omitempty"` // user namespace
	OwnMounts   bool `json:",omitempty"` // in a mount namespace of its own, which its user namespace owns
	UID, GID    uint32
	Real, Saved *[2]uint32 `json:",omitempty"` // uid and gid, where they differ
	Groups      []uint32   `json:",omitempty"`
	Effective   uint64     `json:",omitempty"`
	Permitted   uint64     `json:",omitempty"` // beside Effective
	Inheritable uint64     `json:",omitempty"`
	Ambient     uint64     `json:",omitempty"`
	Bounding    uint64
	Securebits  uint32    `json:",omitempty"`
	NoNewPrivs  bool      `json:",omitempty"`
	Umask       uint16    `json:",omitempty"`
	Root        string    `json:",omitempty"` // empty: /
	Cwd         string    // full path
	FDs         []FD      `json:",omitempty"` // numbered from 0
	Dumpable    bool      `json:",omitempty"` // of a target
	Filter      []Refuse  `json:",omitempty"` // what its seccomp filter refuses
	Filters     []Profile `json:",omitempty"` // further filters, on top of that
	Landlock    []Ruleset `json:",omitempty"` // the oldest first
}

// FD is an open descriptor: a file at a path, or one of the others.
type FD struct {
	Path      string  `json:",omitempty"`
	Flags     uint64  `json:",omitempty"`
	Target    int     `json:",omitempty"` // a pidfd of a target, counted from 1
	NS        string  `json:",omitempty"` // a file of nsfs: its name in /proc/PID/ns
	Namespace int     `json:",omitempty"` // of NS: the user namespace with whose namespaces it was made; 0: the task's first
	Socket    *Socket `json:",omitempty"`
	Context   string  `json:",omitempty"` // fsopen's, of a filesystem's type
}

// Socket is one that nobody has bound.
type Socket struct{ Family, Type, Protocol int }

// Case is one call in a scene.
type Case struct {
	Scene Scene
	Task  int
	Call  string
}

// maxCase bounds a case that is read.
const maxCase = 1 << 20

// ParseCase reads a case that was printed.
func ParseCase(b []byte) (*Case, error) {
	if len(b) > maxCase {
		return nil, fmt.Errorf("a case has at most %d bytes", maxCase)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var c Case
	if err := d.Decode(&c); err != nil {
		return nil, err
	}
	if c.Task < 0 || c.Task >= len(c.Scene.Tasks) {
		return nil, fmt.Errorf("task %d: the scene has %d", c.Task, len(c.Scene.Tasks))
	}
	return &c, c.Scene.check()
}

// check finds numbers that lead nowhere.
func (s *Scene) check() error {
	ns := func(what string, n int) error {
		if n < 0 || n > len(s.Namespaces) {
			return fmt.Errorf("%s: user namespace %d: the scene has %d", what, n, len(s.Namespaces))
		}
		return nil
	}
	var errs []error
	for i, n := range s.Namespaces {
		if n.Parent < 0 || n.Parent > i || len(n.UIDs) == 0 || len(n.GIDs) == 0 {
			errs = append(errs, fmt.Errorf("user namespace %d: its parent stands before it, and it has maps", i+1))
		}
	}
	for _, t := range append(slices.Clone(s.Tasks), s.Targets...) {
		errs = append(errs, ns("task", t.NS))
	}
	layer := func(n int) error {
		if n < 0 || n >= len(s.Layers) {
			return fmt.Errorf("layer %d: the scene has %d", n, len(s.Layers))
		}
		return nil
	}
	for _, it := range s.Items {
		if m := it.Mount; m != nil {
			errs = append(errs, ns(m.Point, m.Owner), ns(m.Point, m.IDMap))
			for _, l := range m.Lower {
				errs = append(errs, layer(l))
			}
			if m.Upper != 0 {
				errs = append(errs, layer(m.Upper-1))
			}
		}
	}
	return errors.Join(errs...)
}

// String prints the case as JSON.
func (c *Case) String() string {
	one := *c
	one.Scene.Tasks, one.Task = []Task{c.Scene.Tasks[c.Task]}, 0
	b, err := json.Marshal(one)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// key tells scenes apart by what is built of them.
func (s *Scene) key() string {
	world := *s
	world.Tasks = nil
	return written(&world)
}

// people tells scenes apart by their processes and the user namespaces that these are in.
func (s *Scene) people() string { return written(&Scene{Namespaces: s.Namespaces, Targets: s.Targets}) }

func (t *Task) key() string { return written(t) }

func written(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// clone copies a scene, so that one of the two can be changed.
func (s *Scene) clone() *Scene {
	c := &Scene{}
	duplicate(reflect.ValueOf(c).Elem(), reflect.ValueOf(s).Elem())
	return c
}

// duplicate copies a value with all that it points to.
func duplicate(to, from reflect.Value) {
	switch from.Kind() {
	case reflect.Pointer:
		if !from.IsNil() {
			to.Set(reflect.New(from.Type().Elem()))
			duplicate(to.Elem(), from.Elem())
		}
	case reflect.Slice:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
		if plain(from.Type().Elem()) {
			reflect.Copy(to, from)
			return
		}
		for i := range from.Len() {
			duplicate(to.Index(i), from.Index(i))
		}
	case reflect.Struct:
		to.Set(from)
		for i := range from.NumField() {
			if !plain(from.Field(i).Type()) {
				duplicate(to.Field(i), from.Field(i))
			}
		}
	case reflect.Map, reflect.Interface:
		panic("a scene has no " + from.Kind().String())
	default:
		to.Set(from)
	}
}

// plain reports whether values of a type point to nothing that can be changed.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return false
	case reflect.Array:
		return plain(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !plain(t.Field(i).Type) {
				return false
			}
		}
	}
	return true
}

// owned reports whether the overlay that a layer belongs to is one that a user namespace's root has mounted.
func (s *Scene) owned(layer int) bool {
	for i := range s.Items {
		if m := s.Items[i].Mount; m != nil && m.Kind == "overlay" && m.Owner != 0 && (m.Upper == layer+1 || slices.Contains(m.Lower, layer)) {
			return true
		}
	}
	return false
}

// kinds says what a scene holds of what not every scene has.
func (s *Scene) kinds() []string {
	has := map[string]bool{}
	for i := range s.Items {
		m := s.Items[i].Mount
		if m == nil || m.Point == "/w" {
			continue
		}
		of := m.Kind
		switch {
		case m.Owner != 0:
			of += " of a user namespace"
		case m.IDMap != 0:
			of = "an idmapped mount"
		}
		has[of] = true
	}
	for _, t := range s.Tasks {
		has["Landlock"] = has["Landlock"] || len(t.Landlock) > 0
		has["filters"] = has["filters"] || len(t.profiles()) > 0
		has["Docker's profile"] = has["Docker's profile"] || slices.ContainsFunc(t.Filters, func(p Profile) bool { return p.Docker })
	}
	has["IPC"], has["user namespaces"] = len(s.IPC) > 0, len(s.Namespaces) > 0
	maps.DeleteFunc(has, func(_ string, yes bool) bool { return !yes })
	return slices.Sorted(maps.Keys(has))
}

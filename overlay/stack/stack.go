// Package stack reads the layers of an overlay where they lie, as directories or in an image, and says what serves a path, what
// is hidden below, and what the upper layer changes. Nothing is mounted; what lookup does is package overlay's.
package stack

import (
	"errors"
	"path"
	"slices"
	"strings"

	"syscallstory/overlay"
	"syscallstory/world"
)

// Object is a name of a layer.
type Object struct {
	Type      uint16 // as in st_mode
	Mode      uint16
	UID, GID  uint32
	Size      int64
	Allocated int64 // bytes that its filesystem has given it
	Links     uint64
	ID        [2]uint64 // device and inode, or zero and what stands for them; of an object with several names
	Target    string    // of a symbolic link
	Null      bool      // a character device 0:0
	Marks     world.Marks
}

// Layer is a directory, or a layer of an image. A path is relative to its root, which is empty.
type Layer interface {
	// Object returns nil where there is no such name. Links are not followed, nor is what is mounted there.
	Object(path string) (*Object, error)
	Names(dir string) ([]string, error)
	Close()
}

// Stack is layers above one another.
type Stack struct {
	Upper   Layer // nil: there is none
	Lower   []Layer
	Data    []Layer  // of metacopy files' data only
	Names   []string // of the layers: upper, lower, data
	Options overlay.Options
	err     error // the first that reading a layer has met
}

// Place is a path in a layer: 0 is the upper one, the lower ones follow from the top, those of data are negative.
type Place struct {
	Layer int
	Path  string
}

func (s *Stack) layer(n int) Layer {
	switch {
	case n == 0:
		return s.Upper
	case n > 0:
		return s.Lower[n-1]
	}
	return s.Data[-1-n]
}

// Name is what a layer is called.
func (s *Stack) Name(n int) string {
	i := n
	if s.Upper == nil {
		i--
	}
	if n < 0 {
		i = len(s.Names) - len(s.Data) - 1 - n
	}
	if i < 0 || i >= len(s.Names) {
		return ""
	}
	return s.Names[i]
}

// Close ends the reading.
func (s *Stack) Close() {
	for _, l := range append(append([]Layer{s.Upper}, s.Lower...), s.Data...) {
		if l != nil {
			l.Close()
		}
	}
}

// Look finds a name in a directory of a layer.
func (s *Stack) Look(dir Place, name string) (Place, overlay.Sight) {
	at := Place{dir.Layer, path.Join(dir.Path, name)}
	o, err := s.layer(dir.Layer).Object(at.Path)
	switch {
	case err != nil:
		if s.err == nil {
			s.err = err
		}
		return at, overlay.Sight{State: world.Unsure}
	case o == nil:
		return at, overlay.Sight{State: world.Absent}
	}
	return at, overlay.Sight{State: world.Present, Type: o.Type, Null: o.Null, Size: o.Size, Marks: o.Marks}
}

// roots are the lower layers' roots.
func (s *Stack) roots() (lower, data []Place) {
	for i := range s.Lower {
		lower = append(lower, Place{i + 1, ""})
	}
	for i := range s.Data {
		data = append(data, Place{-1 - i, ""})
	}
	return lower, data
}

// root is the merged root, with the upper layer or without.
func (s *Stack) root(upper bool) []overlay.Piece[Place] {
	var all []overlay.Piece[Place]
	if upper && s.Upper != nil {
		all = append(all, overlay.Piece[Place]{Layer: 0, At: Place{0, ""}})
	}
	for i := range s.Lower {
		all = append(all, overlay.Piece[Place]{Layer: i + 1, At: Place{i + 1, ""}})
	}
	return all
}

// lookup finds a name in a merged directory.
func (s *Stack) lookup(dir []overlay.Piece[Place], name string) (overlay.Found[Place], error) {
	lower, data := s.roots()
	f := overlay.Lookup(overlay.Layers[Place](s), s.Options, lower, data, dir, name)
	if f.Unsure {
		return f, s.err
	}
	return f, nil
}

// Where is an object of a layer.
type Where struct {
	Layer     int    `json:"layer"` // 0: upper; n: the n-th lower one from the top; below 0: data only
	Name      string `json:"name"`
	Path      string `json:"path"`
	Type      string `json:"type"`
	Size      int64  `json:"size"`
	Allocated int64  `json:"allocated"`
	Mode      string `json:"mode"`
	UID       uint32 `json:"uid"`
	GID       uint32 `json:"gid"`
	Target    string `json:"target,omitempty"`
	Why       string `json:"why,omitempty"` // why it is hidden, or what it adds
}

// Answer is what a path comes to.
type Answer struct {
	Path      string   `json:"path"`
	Errno     string   `json:"errno"` // empty: it is there
	Served    *Where   `json:"served"`
	Merged    []Where  `json:"merged"` // of a directory, the layers below that add names
	Data      *Where   `json:"data"`   // of a file whose attributes were copied alone
	Hidden    []Where  `json:"hidden"`
	Redirects []string `json:"redirects"`
	Notes     []string `json:"notes"`
}

var types = map[uint16]string{world.TypeReg: "file", world.TypeDir: "directory", world.TypeLink: "link", world.TypeFIFO: "fifo", world.TypeChar: "character device", world.TypeBlk: "block device", world.TypeSock: "socket"}

// where describes an object.
func (s *Stack) where(p Place, why string) (*Where, error) {
	o, err := s.layer(p.Layer).Object(p.Path)
	if err != nil || o == nil {
		return nil, err
	}
	w := &Where{Layer: p.Layer, Name: s.Name(p.Layer), Path: "/" + p.Path, Type: types[o.Type], Size: o.Size, Allocated: o.Allocated, Mode: octal(o.Mode), UID: o.UID, GID: o.GID, Target: o.Target, Why: why}
	switch {
	case o.Null:
		w.Type = "whiteout"
	case o.Marks.Whiteout && o.Size == 0 && o.Type == world.TypeReg:
		w.Type = "whiteout (an attribute)"
	}
	return w, nil
}

func octal(m uint16) string {
	b := []byte("0000")
	for i := range 4 {
		b[3-i] = '0' + byte(m>>(3*i)&7)
	}
	return string(b)
}

// Which says what serves a path. Symbolic links are not followed: what they lead to depends on the task's root.
func (s *Stack) Which(name string) (*Answer, error) {
	a := &Answer{Path: path.Clean("/" + name), Hidden: []Where{}, Merged: []Where{}, Redirects: []string{}, Notes: []string{}}
	if strings.Contains("/"+name+"/", "/../") {
		return nil, errors.New(".. is not followed here: write the path without it")
	}
	at := s.root(true)
	f := overlay.Found[Place]{Pieces: at, Dir: true}
	parts := strings.FieldsFunc(a.Path, func(r rune) bool { return r == '/' })
	for i, part := range parts {
		if !f.Dir {
			if s.isLink(f.Pieces[0].At) {
				a.Notes = append(a.Notes, "/"+path.Join(parts[:i]...)+" is a symbolic link, which is not followed: ask for what it leads to")
			}
			a.Errno = "ENOTDIR"
			return a, nil
		}
		var err error
		if f, err = s.lookup(f.Pieces, part); err != nil {
			return nil, err
		}
		a.Redirects = append(a.Redirects, f.Redirects...)
		if f.Errno != 0 {
			a.Errno = f.Errno.String()
			return a, nil
		}
		if len(f.Pieces) == 0 {
			a.Errno = "ENOENT"
			break
		}
	}
	return a, s.fill(a, &f)
}

func (s *Stack) isLink(p Place) bool {
	o, err := s.layer(p.Layer).Object(p.Path)
	return err == nil && o != nil && o.Type == world.TypeLink
}

// fill says where an object is, and what lies below it.
func (s *Stack) fill(a *Answer, f *overlay.Found[Place]) (err error) {
	stop, why := -1, ""
	switch {
	case f.Whiteout != nil:
		stop, why = f.Whiteout.Layer, "a whiteout in "+s.Name(f.Whiteout.Layer)+" hides it"
		w, err := s.where(f.Whiteout.At, "it hides the name in the layers below")
		if err != nil {
			return err
		}
		a.Hidden = append(a.Hidden, *w)
	case f.Opaque != nil:
		stop, why = f.Opaque.Layer, "the directory in "+s.Name(f.Opaque.Layer)+" is opaque"
	case len(f.Pieces) > 0 && !f.Dir:
		stop, why = f.Pieces[0].Layer, "a file of a layer above wins"
	case len(f.Pieces) == 0:
		why = "a directory above it is hidden"
	}
	used := map[int]bool{}
	for i, p := range f.Pieces {
		used[p.Layer] = true
		w, err := s.where(p.At, "")
		if err != nil {
			return err
		}
		if i == 0 {
			a.Served = w
		} else {
			a.Merged = append(a.Merged, *w)
		}
	}
	if f.Data != nil {
		used[f.Data.Layer] = true
		if a.Data, err = s.where(f.Data.At, "the data: the layer above has the attributes only"); err != nil {
			return err
		}
	}
	if f.NoData != 0 {
		a.Notes = append(a.Notes, "its data is looked for in the data-only layers and is not there: to open or change it ends in ENOENT")
	}
	for i := range s.Lower {
		n := i + 1
		if used[n] || n <= stop && f.Whiteout == nil || f.Whiteout != nil && n == f.Whiteout.Layer {
			continue
		}
		w, err := s.where(Place{n, strings.TrimPrefix(a.Path, "/")}, why)
		if err != nil {
			return err
		}
		if w != nil {
			if w.Why == "" {
				w.Why = "a directory is merged with directories only"
			}
			a.Hidden = append(a.Hidden, *w)
		}
	}
	return nil
}

// names lists a merged directory.
func (s *Stack) names(pieces []overlay.Piece[Place]) ([]string, error) {
	var all []string
	for _, p := range pieces {
		n, err := s.layer(p.Layer).Names(p.At.Path)
		if err != nil {
			return nil, err
		}
		all = append(all, n...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

package stack

import (
	"path"
	"slices"

	"syscallstory/overlay"
	"syscallstory/world"
)

// Change is what the upper layer makes of a path.
type Change struct {
	Kind      string `json:"kind"` // A: added, M: modified, D: removed
	Path      string `json:"path"`
	Type      string `json:"type"`
	Bytes     int64  `json:"bytes"`          // of data that the upper layer holds for it
	Link      string `json:"link,omitempty"` // the first name of a file that has several: its bytes are counted there
	From      string `json:"from,omitempty"` // of what was renamed: where the lower layers have it
	Note      string `json:"note,omitempty"` // what has changed
	Allocated int64  `json:"allocated"`
}

// Totals count the changes of a diff.
type Totals struct {
	Added     int   `json:"added"`
	Modified  int   `json:"modified"`
	Removed   int   `json:"removed"`
	Bytes     int64 `json:"bytes"`
	Allocated int64 `json:"allocated"`
}

// differ compares what the layers show with the upper one and without it.
type differ struct {
	s     *Stack
	emit  func(*Change) error
	names map[[2]uint64]string
	t     Totals
}

type pieces = []overlay.Piece[Place]

// Diff calls emit for every path that the upper layer changes. Where a directory is merged as it was, only names of the upper
// layer are looked at; one that is opaque, was renamed or is new is compared name by name.
func (s *Stack) Diff(emit func(*Change) error) (Totals, error) {
	d := &differ{s: s, emit: emit, names: map[[2]uint64]string{}}
	if s.Upper == nil {
		return d.t, nil
	}
	err := d.dir("", s.root(false), s.root(true))
	return d.t, err
}

// dir compares a directory: below is what it is made of without the upper layer, now what with it.
func (d *differ) dir(at string, below, now pieces) error {
	list, err := d.candidates(below, now)
	if err != nil {
		return err
	}
	type inner struct {
		at         string
		below, now pieces
	}
	var deeper []inner // afterwards, for a directory's names to be read together
	for _, name := range list {
		p := path.Join(at, name)
		was, err := d.look(below, name)
		if err != nil {
			return err
		}
		is, err := d.look(now, name)
		if err != nil {
			return err
		}
		if err := d.name(p, &was, &is); err != nil {
			return err
		}
		if is.Dir && len(is.Pieces) > 0 && changed(&was, &is) {
			in := inner{at: p, now: is.Pieces}
			if was.Dir {
				in.below = was.Pieces
			}
			deeper = append(deeper, in)
		}
	}
	for _, in := range deeper {
		if err := d.dir(in.at, in.below, in.now); err != nil {
			return err
		}
	}
	return nil
}

func (d *differ) look(dir pieces, name string) (overlay.Found[Place], error) {
	if len(dir) == 0 {
		return overlay.Found[Place]{}, nil
	}
	return d.s.lookup(dir, name)
}

// changed reports whether a directory may differ below: the upper layer has a part in it, or other lower directories make it.
func changed(was, is *overlay.Found[Place]) bool {
	return is.Pieces[0].Layer == 0 || !slices.Equal(was.Pieces, is.Pieces)
}

// candidates are the names that may differ.
func (d *differ) candidates(below, now pieces) ([]string, error) {
	if len(now) > 0 && now[0].Layer == 0 && slices.Equal(now[1:], below) {
		return d.s.names(now[:1])
	}
	all, err := d.s.names(now)
	if err != nil {
		return nil, err
	}
	more, err := d.s.names(below)
	if err != nil {
		return nil, err
	}
	all = append(all, more...)
	slices.Sort(all)
	return slices.Compact(all), nil
}

// name compares one name.
func (d *differ) name(p string, was, is *overlay.Found[Place]) error {
	there := len(was.Pieces) > 0 && was.Errno == 0
	switch {
	case is.Errno != 0:
		return d.say(&Change{Kind: "M", Path: "/" + p, Type: "broken", Note: "looking it up ends in " + is.Errno.String()})
	case len(is.Pieces) == 0 && !there:
		return nil // a whiteout of nothing
	case len(is.Pieces) == 0:
		o, err := d.s.layer(was.Pieces[0].Layer).Object(was.Pieces[0].At.Path)
		if err != nil || o == nil {
			return err
		}
		return d.say(&Change{Kind: "D", Path: "/" + p, Type: types[o.Type]})
	}
	first := is.Pieces[0]
	if first.Layer != 0 && there && slices.Equal(was.Pieces, is.Pieces) {
		return nil
	}
	o, err := d.s.layer(first.Layer).Object(first.At.Path)
	if err != nil || o == nil {
		return err
	}
	c := &Change{Kind: "A", Path: "/" + p, Type: types[o.Type]}
	if first.Layer == 0 && o.Type == world.TypeReg {
		d.bytes(c, o)
	}
	if len(is.Redirects) > 0 && len(is.Pieces) > 1 {
		c.From = "/" + is.Pieces[1].At.Path
	} else if is.Data != nil && is.Data.At.Path != p {
		c.From = "/" + is.Data.At.Path
	} else if first.Layer != 0 {
		c.From = "/" + first.At.Path
	}
	if there {
		c.Kind = "M"
		old, err := d.s.layer(was.Pieces[0].Layer).Object(was.Pieces[0].At.Path)
		if err != nil || old == nil {
			return err
		}
		if c.Note = note(old, o, is); c.Note == "" {
			return nil // a directory that was copied up as one above something else
		}
	}
	return d.say(c)
}

// bytes counts the data of a file once, whatever names it has.
func (d *differ) bytes(c *Change, o *Object) {
	if o.Links > 1 {
		if first, seen := d.names[o.ID]; seen {
			c.Link = first
			return
		}
		d.names[o.ID] = c.Path
	}
	if !o.Marks.Metacopy {
		c.Bytes, c.Allocated = o.Size, o.Allocated
	}
}

// note says what has changed of an object that was there before.
func note(old, o *Object, is *overlay.Found[Place]) string {
	same := old.Mode == o.Mode && old.UID == o.UID && old.GID == o.GID
	switch {
	case old.Type != o.Type:
		return "was a " + types[old.Type]
	case o.Type == world.TypeDir && is.Opaque != nil && is.Opaque.Layer == 0:
		return "replaced: what the layers below have in it is hidden"
	case o.Type == world.TypeDir && same:
		return ""
	case o.Type == world.TypeDir || o.Marks.Metacopy:
		return "attributes"
	case o.Type == world.TypeLink && old.Target != o.Target:
		return "leads elsewhere"
	case old.Size != o.Size:
		return "data"
	case same:
		return "copied up; data or times may differ"
	}
	return "copied up; attributes differ, data may"
}

func (d *differ) say(c *Change) error {
	switch c.Kind {
	case "A":
		d.t.Added++
	case "M":
		d.t.Modified++
	case "D":
		d.t.Removed++
	}
	d.t.Bytes += c.Bytes
	d.t.Allocated += c.Allocated
	return d.emit(c)
}

// Usage is what a layer holds.
type Usage struct {
	Files     int   `json:"files"`
	Dirs      int   `json:"directories"`
	Whiteouts int   `json:"whiteouts"`
	Opaque    int   `json:"opaque"`
	Bytes     int64 `json:"bytes"`
	Allocated int64 `json:"allocated"`
}

// Use adds up what a layer holds; a file with several names counts once.
func Use(l Layer) (u Usage, err error) {
	seen := map[[2]uint64]bool{}
	var walk func(dir string) error
	walk = func(dir string) error {
		names, err := l.Names(dir)
		if err != nil {
			return err
		}
		var deeper []string
		for _, n := range names {
			p := path.Join(dir, n)
			o, err := l.Object(p)
			if err != nil {
				return err
			}
			if o == nil { // it has gone meanwhile
				continue
			}
			switch {
			case o.Type == world.TypeDir:
				u.Dirs++
				if o.Marks.Opaque == 'y' {
					u.Opaque++
				}
				deeper = append(deeper, p)
			case o.Null || o.Marks.Whiteout && o.Size == 0:
				u.Whiteouts++
			default:
				u.Files++
				if o.Links > 1 && seen[o.ID] {
					continue
				}
				seen[o.ID] = true
				if o.Type == world.TypeReg && !o.Marks.Metacopy {
					u.Bytes += o.Size
				}
				u.Allocated += o.Allocated
			}
		}
		for _, p := range deeper {
			if err := walk(p); err != nil {
				return err
			}
		}
		return nil
	}
	return u, walk("")
}

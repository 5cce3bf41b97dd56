package overlay

import (
	"strings"

	"syscallstory/story"
	"syscallstory/world"
)

// Sight is what a layer shows at a name.
type Sight struct {
	State  world.State
	Type   uint16 // as in st_mode
	Null   bool   // a character device 0:0
	Size   int64
	Marks  world.Marks
	Loop   bool // the root of a layer: layers overlap
	NoType bool // that it is there is known, and no more
}

// whiteout is ovl_path_is_whiteout: the device 0:0, or an empty regular file with the mark.
func (s *Sight) whiteout() bool {
	return s.Null || s.Marks.Whiteout && s.Type == world.TypeReg && s.Size == 0
}

// Layers is how the layers of an overlay are read. D is a place in one of them.
type Layers[D any] interface {
	// Look finds a name in a directory of a layer.
	Look(dir D, name string) (D, Sight)
}

// Piece is an object of one layer: 0 is the upper one, the lower ones follow from the top.
type Piece[D any] struct {
	Layer int
	At    D
}

// Options are those of a mount that lookup depends on.
type Options struct {
	NoFollow bool // redirect_dir=nofollow
	Metacopy bool
	Late     bool // what must not be followed is refused where it leads to something, as before Linux 6.16
}

// Found is what a name in a merged directory comes to.
type Found[D any] struct {
	Pieces    []Piece[D] // the serving one first; none: there is no such name
	Dir       bool
	Lower     *Piece[D]   // the first lower one of a file that the upper layer has attributes of (ovl_dentry_lower)
	Data      *Piece[D]   // of a file whose first piece has attributes only: what holds the data
	NoData    story.Errno // data is looked for in the data-only layers, and is not there
	DataPath  string      // where they are asked
	Errno     story.Errno // the lookup fails
	Unsure    bool        // a layer does not tell what it has
	UnsureAt  D           // the directory of that layer
	Whiteout  *Piece[D]   // what has ended the search
	Opaque    *Piece[D]   // the directory that hides those below
	Redirects []string    // what has been followed
}

// search is struct ovl_lookup_data.
type search[D any] struct {
	layers Layers[D]
	enter  func(dir D) story.Errno // of a layer that holds data only
	name   string
	dir    bool // a directory was found
	stop   bool
	last   bool // nothing below is looked at
	// redirect is where the search goes on; absolute says that what was asked last for one has one from the root.
	redirect string
	absolute bool
	metacopy bool
	unsure   bool
	unsureAt D
	whiteout *Piece[D]
	opaque   *Piece[D]
}

// Lookup is ovl_lookup: it finds a name in the directory that pieces make, upper first. roots are those of the lower layers,
// data those of the layers that hold data only.
func Lookup[D any](l Layers[D], o Options, roots, data []D, pieces []Piece[D], name string) (f Found[D]) {
	s := search[D]{layers: l, name: name}
	rootStack := make([]Piece[D], len(roots))
	for i, r := range roots {
		rootStack[i] = Piece[D]{i + 1, r}
	}
	lower := pieces
	upper, upperMeta := false, false
	atRoot := false
	follow := !o.NoFollow || len(data) > 0 && !o.Late
	if len(pieces) > 0 && pieces[0].Layer == 0 {
		lower = pieces[1:]
		s.last = !follow && len(lower) == 0
		if e := s.layer(pieces[0], &f, &upper); e != 0 || s.unsure {
			return s.end(f, e)
		}
		upperMeta = upper && !s.dir && s.metacopy
		if strings.HasPrefix(s.redirect, "/") {
			lower, atRoot = rootStack, true
		}
	}
	lowers := 0
	for i := 0; !s.stop && i < len(lower); i++ {
		at := lower[i]
		if !o.Late && s.refused(o) {
			return s.end(f, story.EPERM)
		}
		if !follow {
			s.last = i == len(lower)-1
		} else if s.dir || len(data) == 0 {
			s.last = at.Layer == len(roots)
		}
		was := s.redirect
		found := false
		e := s.layer(at, &f, &found)
		if e != 0 || s.unsure {
			return s.end(f, e)
		}
		if !found {
			continue
		}
		if o.Late && (upperMeta || s.metacopy) && !o.Metacopy {
			return s.end(f, story.EPERM)
		}
		if lowers++; s.metacopy && lowers > 1 {
			f.Pieces = f.Pieces[:len(f.Pieces)-1] // of copies of attributes only the first counts
			lowers--
		}
		if o.Late && s.redirect != was && s.redirect != "" && o.NoFollow {
			return s.end(f, story.EPERM)
		}
		if s.stop {
			break
		}
		if strings.HasPrefix(s.redirect, "/") && !atRoot {
			lower, atRoot = rootStack, true
			i = at.Layer - 1
		}
	}
	f.Dir = s.dir
	return s.finish(f, o, data, upper, upperMeta, lowers)
}

// finish is the end of ovl_lookup: the data of a file whose attributes were copied alone must be somewhere.
func (s *search[D]) finish(f Found[D], o Options, data []D, upper, upperMeta bool, lowers int) Found[D] {
	if upper && !f.Dir && len(f.Pieces) > 1 {
		lower := f.Pieces[1]
		f.Lower = &lower
	}
	switch {
	case s.metacopy && lowers > 0 && len(data) > 0 && s.absolute: // ovl_lookup_data_layers, when the data is first asked for
		f.DataPath = s.redirect
		for i, root := range data {
			d, e := s.walk(root, s.redirect)
			if f.NoData = e; e == 0 {
				f.Data = &Piece[D]{-1 - i, d}
				break
			}
		}
		return s.end(f, 0)
	case !o.Late && s.refused(o):
		return s.end(f, story.EPERM)
	case s.metacopy || upperMeta && lowers == 0:
		return s.end(f, story.EIO)
	}
	if !f.Dir && len(f.Pieces) > 1 {
		last := f.Pieces[len(f.Pieces)-1]
		f.Data, f.Pieces = &last, f.Pieces[:1]
	}
	return s.end(f, 0)
}

func (s *search[D]) end(f Found[D], e story.Errno) Found[D] {
	f.Errno, f.Unsure, f.UnsureAt, f.Whiteout, f.Opaque = e, s.unsure, s.unsureAt, s.whiteout, s.opaque
	return f
}

// refused is ovl_check_follow_redirect.
func (s *search[D]) refused(o Options) bool {
	return s.metacopy && !o.Metacopy || s.redirect != "" && o.NoFollow
}

// walk finds a regular file below a root without following anything (ovl_lookup_data_layer).
func (s *search[D]) walk(at D, path string) (D, story.Errno) {
	seen := Sight{Type: world.TypeDir}
	if s.enter == nil {
		s.enter = func(D) story.Errno { return 0 }
	}
	for _, name := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		switch seen.Type {
		case world.TypeDir:
		case world.TypeLink:
			return at, story.ELOOP
		default:
			return at, story.ENOTDIR
		}
		if e := s.enter(at); e != 0 {
			return at, e
		}
		if at, seen = s.layers.Look(at, name); seen.State != world.Present {
			return at, story.ENOENT
		}
	}
	if seen.Type != world.TypeReg {
		return at, story.ENOENT
	}
	return at, 0
}

// layer is ovl_lookup_layer: the name, or the path that a redirect has made of it, in one layer.
func (s *search[D]) layer(base Piece[D], f *Found[D], found *bool) story.Errno {
	before := s.redirect
	if !strings.HasPrefix(s.name, "/") {
		d, ok, e := s.single(base, s.name, 0, "", true)
		if e == 0 && ok {
			f.Pieces, *found = append(f.Pieces, Piece[D]{base.Layer, d}), true
		}
		s.note(f, before)
		return e
	}
	// The prefix may change on the way, so that what is left is counted from the end.
	rem := len(s.name) - 1
	at := base
	for {
		part := s.name[len(s.name)-rem:]
		next := ""
		if i := strings.IndexByte(part, '/'); i >= 0 {
			part, next = part[:i], part[i:]
		}
		d, ok, e := s.single(at, part, len(s.name)-rem, next, next == "")
		if e != 0 || !ok {
			s.note(f, before)
			return e
		}
		at.At = d
		if next == "" {
			break
		}
		if rem -= len(part) + 1; rem >= len(s.name) || rem <= 0 {
			return story.EIO
		}
	}
	f.Pieces, *found = append(f.Pieces, at), true
	s.note(f, before)
	return 0
}

// note keeps the redirects that were followed.
func (s *search[D]) note(f *Found[D], before string) {
	if s.redirect != before {
		f.Redirects = append(f.Redirects, s.redirect)
	}
}

// single is ovl_lookup_single. post is what follows the name in the path, last that nothing does.
func (s *search[D]) single(base Piece[D], name string, prelen int, post string, last bool) (D, bool, story.Errno) {
	if name == "." || name == ".." { // lookup_noperm_common: of a redirect
		var none D
		return none, false, story.EACCES
	}
	d, seen := s.layers.Look(base.At, name)
	switch {
	case seen.State == world.Unsure:
		s.unsure, s.unsureAt = true, base.At
		return d, false, 0
	case seen.State == world.Absent:
		return d, false, 0
	case seen.whiteout():
		s.stop, s.whiteout = true, &Piece[D]{base.Layer, d}
		return d, false, 0
	case last && s.metacopy && seen.Type != world.TypeReg:
		s.stop = true
		return d, false, 0
	case seen.Type != world.TypeDir:
		if s.dir || !last {
			s.stop = true
			return d, false, 0
		}
		s.metacopy = seen.Type == world.TypeReg && seen.Marks.Metacopy
		s.stop = !s.metacopy
		if !s.metacopy || s.last {
			return d, true, 0
		}
	default:
		if seen.Loop {
			return d, false, story.ELOOP
		}
		if last {
			s.dir = true
		}
		if s.last {
			return d, true, 0
		}
		if seen.Marks.Opaque == 'y' {
			s.stop = true
			if last {
				s.opaque = &Piece[D]{base.Layer, d}
			}
			return d, true, 0
		}
	}
	return d, true, s.follow(seen.Marks.Redirect, prelen, post)
}

// follow is ovl_check_redirect: the search goes on under another name, or from the root of the layers.
func (s *search[D]) follow(to string, prelen int, post string) story.Errno {
	if s.absolute = false; to == "" {
		return 0
	}
	if to[0] == '/' {
		for _, part := range strings.Split(to[1:], "/") {
			if part == "" {
				return story.EINVAL
			}
		}
		// An ancestor on the way may have been opaque; the redirect goes around it.
		s.absolute, s.stop = true, false
	} else {
		if strings.Contains(to, "/") {
			return story.EINVAL
		}
		to = s.name[:prelen] + to
	}
	s.redirect = to + post
	s.name = s.redirect
	return 0
}

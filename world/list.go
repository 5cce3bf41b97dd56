package world

import (
	"slices"

	"syscallstory/kernel"
)

// Lister is a Source that can list a directory's names.
type Lister interface {
	List(fs *FS, dir DentryID) (names []string, ok bool)
}

// Directory is a Source that reads a directory of this machine; changed says that the world's files differ from those there.
type Directory interface {
	Base() (path string, changed bool)
}

// Children lists what is known to be in each directory, by name. A Source that can is asked for what was not looked up yet,
// up to a limit of entries, beyond which ok is false.
func (fs *FS) Children(root DentryID, limit int) (kids map[DentryID][]DentryID, ok bool) {
	kids = map[DentryID][]DentryID{}
	var all func(dir DentryID) bool
	known := fs.index()
	all = func(dir DentryID) bool {
		if src, can := fs.sbs[fs.I(dir).SB].Source.(Lister); can && fs.I(dir).Is(TypeDir) {
			names, listed := src.List(fs, dir)
			if !listed || len(names) > limit {
				return false
			}
			for _, n := range names {
				fs.Lookup(dir, n)
			}
			known = nil
		}
		if known == nil {
			known = fs.index()
		}
		for _, d := range known[dir] {
			if limit--; limit < 0 {
				return false
			}
			kids[dir] = append(kids[dir], d)
			if !all(d) {
				return false
			}
		}
		return true
	}
	return kids, all(root)
}

// index groups the names that are there by their directory.
func (fs *FS) index() map[DentryID][]DentryID {
	out := map[DentryID][]DentryID{}
	for k, d := range fs.children {
		if d != 0 && !fs.dentries[d].Phantom && fs.I(d).Known&KnownType != 0 {
			out[k.dir] = append(out[k.dir], d)
		}
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b DentryID) int { return int(a) - int(b) })
	}
	return out
}

// Each visits every inode.
func (fs *FS) Each(f func(*Inode) error) error {
	for i := 1; i < len(fs.inodes); i++ {
		if err := f(&fs.inodes[i]); err != nil {
			return err
		}
	}
	return nil
}

// Empty reports whether a directory holds no name.
func (fs *FS) Empty(dir DentryID) kernel.Answer {
	for k, d := range fs.children {
		if k.dir == dir && d != 0 && !fs.dentries[d].Phantom {
			return kernel.No
		}
	}
	if fs.I(dir).Whole {
		return kernel.Yes
	}
	names, ok := fs.Names(dir)
	switch {
	case !ok:
		return kernel.NotKnown
	case len(names) == 0:
		return kernel.Yes
	}
	for _, n := range names {
		if _, st := fs.Lookup(dir, n); st == Present {
			return kernel.No
		} else if st == Unsure {
			return kernel.NotKnown
		}
	}
	return kernel.Yes
}

// Names lists a directory; ok is false where not all of its names are known.
func (fs *FS) Names(dir DentryID) (names []string, ok bool) {
	seen := map[string]bool{}
	for k, d := range fs.children {
		if k.dir == dir && d != 0 && !fs.dentries[d].Phantom {
			seen[k.name] = true
		}
	}
	if src, can := fs.sbs[fs.I(dir).SB].Source.(Lister); can && !fs.I(dir).Whole {
		list, listed := src.List(fs, dir)
		if !listed {
			return nil, false
		}
		for _, n := range list {
			if d, known := fs.children[childKey{dir, n}]; !known || d != 0 {
				seen[n] = true
			}
		}
	} else if !fs.I(dir).Whole {
		return nil, false
	}
	for n := range seen {
		names = append(names, n)
	}
	slices.Sort(names)
	return names, true
}

// Remove takes a name out of a directory.
func (fs *FS) Remove(dir DentryID, name string) { fs.children[childKey{dir, name}] = 0 }

// Forget has a name that is not there looked up anew.
func (fs *FS) Forget(dir DentryID, name string) {
	if k := (childKey{dir, name}); fs.children[k] == 0 {
		delete(fs.children, k)
	}
}

// Move gives a dentry another place; the old name is still to be removed.
func (fs *FS) Move(d, dir DentryID, name string) {
	fs.dentries[d].Parent, fs.dentries[d].Name = dir, name
	fs.children[childKey{dir, name}] = d
}

package world

import "slices"

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

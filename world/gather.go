package world

import "fmt"

// Gather says how much of the filesystems is read ahead, for a snapshot.
type Gather struct {
	Depth   int      // directories below the root of each mount
	Entries int      // names, of all mounts together
	Paths   []string // directories that are read whole in any case
}

// changing are filesystems whose files are the kernel's own: what they list differs from one moment to the next.
var changing = map[string]bool{"proc": true, "sysfs": true, "cgroup": true, "cgroup2": true, "debugfs": true, "tracefs": true, "securityfs": true, "bpf": true, "autofs": true, "configfs": true, "pstore": true}

// Gather reads files ahead, directory by directory from the root of each mount. A directory all of whose names were read is whole: what it
// does not list is not there. It returns how many names it has read.
func (w *World) Gather(g Gather) (int, error) {
	left := g.Entries
	for _, p := range g.Paths {
		at, rest, st := w.Resolve(w.Task.Root, w.Task.Cwd, p)
		if st != Present {
			return 0, fmt.Errorf("--path %s: %s", p, lost(rest, st))
		}
		if w.FS.I(at.Dentry).Is(TypeDir) && !w.FS.readAll(at.Dentry, g.Entries) {
			return 0, fmt.Errorf("--path %s: it cannot be read whole, or has more than %d names", p, g.Entries)
		}
	}
	level := []DentryID{}
	seen := map[DentryID]bool{}
	for i := 1; i < len(w.Mounts); i++ {
		m := &w.Mounts[i]
		if m.NS == w.Task.MountNS && !seen[m.Root] && !changing[w.FS.SB(m.SB).Type] {
			seen[m.Root] = true
			level = append(level, m.Root)
		}
	}
	for range g.Depth {
		var next []DentryID
		for _, dir := range level {
			if !w.FS.I(dir).Is(TypeDir) || left <= 0 {
				continue
			}
			w.FS.readAll(dir, left)
			kids := w.FS.listed[dir]
			left -= len(kids)
			for _, d := range kids {
				if w.FS.I(d).Is(TypeDir) && !seen[d] && !w.FS.D(d).Mounted {
					seen[d] = true
					next = append(next, d)
				}
			}
		}
		level = next
	}
	w.FS.listed = nil
	return g.Entries - max(left, 0), nil
}

// readAll looks every name of a directory up, and marks it whole if it can tell that it has them all.
func (fs *FS) readAll(dir DentryID, limit int) bool {
	if fs.I(dir).Whole {
		return true
	}
	if _, ok := fs.listed[dir]; ok {
		return false
	}
	src, can := fs.sbs[fs.I(dir).SB].Source.(Lister)
	if !can {
		return false
	}
	if fs.listed == nil {
		fs.listed = map[DentryID][]DentryID{}
	}
	names, ok := src.List(fs, dir)
	if !ok || len(names) > limit {
		return false
	}
	kids := []DentryID{}
	for _, n := range names {
		if d, st := fs.Lookup(dir, n); st == Present {
			kids = append(kids, d)
		}
	}
	fs.listed[dir] = kids
	fs.I(dir).Whole = true
	return true
}

package world

import "syscallstory/story"

// Unreached is a mount of the host at a place that the task sees too, in a mount of its own that has got no copy of it: the task
// finds the directory below.
type Unreached struct {
	Mount  MountID // the place, in the task's mount namespace; 0: it does not see it
	Dentry DentryID
	Place  string // its path, as the task sees it
	Point  string // the host's path
	Type   string
	Source string
	Why    string // a sentence
	Fix    string // what would let it arrive; empty where that is not known
	At     story.Origin
}

// UnreachedAt returns the mount that is missing at a place or above it, in the same mount of the task's.
func (w *World) UnreachedAt(p Path) *Unreached {
	if len(w.Unreached) == 0 || p.Mount == 0 || int(p.Mount) >= len(w.Mounts) {
		return nil
	}
	for d := p.Dentry; ; {
		for i := range w.Unreached {
			if u := &w.Unreached[i]; u.Mount == p.Mount && u.Dentry == d {
				return u
			}
		}
		up := w.FS.D(d).Parent
		if d == w.Mounts[p.Mount].Root || up == d {
			return nil
		}
		d = up
	}
}

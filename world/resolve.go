package world

import "strings"

// Resolve finds the place of a path without asking for any permission, as an input needs it to say where a directory, a
// descriptor or a mount's source is. A path that begins with / starts at root, any other at from. It follows links, the last
// one too, and stops at what is not there: then it returns the last directory and the rest of the path.
func (w *World) Resolve(root, from Path, path string) (at Path, rest string, st State) {
	at = from
	links := 0
	for {
		if strings.HasPrefix(path, "/") {
			at = root
		}
		name, more, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
		if name == "" {
			return at, "", Present
		}
		path = more
		switch name {
		case ".":
			continue
		case "..":
			at = w.up(root, at)
			continue
		}
		d, st := w.FS.Lookup(at.Dentry, name)
		if st == Absent {
			return at, join(name, more), Absent
		}
		next := w.Top(Path{at.Mount, d})
		ino := w.FS.I(next.Dentry)
		switch {
		case next.Dentry == d && st == Unsure:
			return next, more, Unsure
		case !ino.Is(TypeLink):
			at = next
		case ino.Magic || ino.Link == "":
			return next, more, Unsure
		default:
			if links++; links > 40 {
				return at, join(name, more), Absent
			}
			path = join(ino.Link, more)
		}
	}
}

// up is "..": the root stays where it is, the root of a mount leads to its mount point's directory.
func (w *World) up(root, at Path) Path {
	for at != root && at.Mount != 0 && at.Dentry == w.Mounts[at.Mount].Root && w.Mounts[at.Mount].Parent != at.Mount {
		m := &w.Mounts[at.Mount]
		at = Path{m.Parent, m.At}
	}
	if at == root {
		return at
	}
	return w.Top(Path{at.Mount, w.FS.D(at.Dentry).Parent})
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + "/" + b
}

// Up is "..", from a place that the task is at.
func (w *World) Up(at Path) Path { return w.up(w.Task.Root, at) }

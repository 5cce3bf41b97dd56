package mounts

import (
	"fmt"
	"io"
	"strings"

	"syscallstory/story"
	"syscallstory/world"
)

// Hop is one name of a path with where it leads.
type Hop struct {
	Name      string    `json:"name"`
	Path      string    `json:"path"` // as the task sees it
	Link      string    `json:"link,omitempty"`
	State     string    `json:"state"` // present, absent, unknown
	Why       string    `json:"why,omitempty"`
	Crossed   []Crossed `json:"crossed"` // mounts that sit on the name, the topmost last
	Namespace string    `json:"namespace"`
}

// Crossed is a mount that a path goes into.
type Crossed struct {
	Point       string       `json:"point"`
	Type        string       `json:"type"`
	Source      string       `json:"source"`
	Root        string       `json:"root"` // what of the filesystem it shows
	Flags       string       `json:"flags"`
	Propagation string       `json:"propagation"`
	At          *story.Place `json:"at"`
}

// Resolved is where a path leads, name by name. No permission is asked for.
type Resolved struct {
	Path  string `json:"path"`
	Found bool   `json:"found"`
	Sure  bool   `json:"sure"`
	Hops  []Hop  `json:"hops"`
	Note  string `json:"note,omitempty"` // a mount of the host's that is missing there
}

// maxLinks is the kernel's MAXSYMLINKS.
const maxLinks = 40

// Resolve follows a path of a world's task, links and .. included.
func Resolve(w *world.World, p string) Resolved {
	r := Resolved{Path: p, Hops: []Hop{}}
	t := &w.Task
	root := Hop{Name: "/", Path: "/", State: "present", Crossed: []Crossed{crossed(w, t.Root.Mount)}, Namespace: namespace(w)}
	at := t.Cwd
	if strings.HasPrefix(p, "/") {
		at = t.Root
	} else {
		root.Name, root.Path = ".", w.PathText(at)
		root.Crossed = []Crossed{crossed(w, at.Mount)}
	}
	r.Hops = append(r.Hops, root)
	links, rest := 0, p
	for {
		if strings.HasPrefix(rest, "/") {
			at = t.Root
		}
		name, more, _ := strings.Cut(strings.TrimLeft(rest, "/"), "/")
		if name == "" {
			r.Found, r.Sure = true, true
			return r.noted(w, at)
		}
		rest = more
		if name == "." {
			continue
		}
		h := Hop{Name: name, State: "present", Crossed: []Crossed{}, Namespace: namespace(w)}
		if name == ".." {
			at = w.Up(at)
			h.Path = w.PathText(at)
			r.Hops = append(r.Hops, h)
			continue
		}
		d, st := w.FS.Lookup(at.Dentry, name)
		if st == world.Absent {
			h.State, h.Path = "absent", strings.TrimSuffix(w.PathText(at), "/")+"/"+name
			r.Hops, r.Sure = append(r.Hops, h), true
			return r.noted(w, at)
		}
		next := world.Path{Mount: at.Mount, Dentry: d}
		for m := w.MountedAt(next); m != 0; m = w.MountedAt(next) {
			h.Crossed = append(h.Crossed, crossed(w, m))
			next = world.Path{Mount: m, Dentry: w.Mounts[m].Root}
		}
		h.Path = w.PathText(next)
		ino := w.FS.I(next.Dentry)
		if next.Dentry == d && st == world.Unsure || ino.Known&world.KnownType == 0 && len(h.Crossed) == 0 {
			h.State = "unknown"
			if reason, ok := w.Reason(ino.At); ok {
				h.Why = reason.Text
			}
			r.Hops = append(r.Hops, h)
			return r.noted(w, at)
		}
		if !ino.Is(world.TypeLink) {
			at = next
			r.Hops = append(r.Hops, h)
			continue
		}
		h.Link = ino.Link
		switch links++; {
		case ino.Magic || ino.Link == "":
			h.State, h.Why = "unknown", "a link that the kernel follows by itself: where it leads is not known"
		case links > maxLinks:
			h.State, h.Why = "absent", "too many links"
			r.Sure = true
		}
		r.Hops = append(r.Hops, h)
		if h.State != "present" {
			return r
		}
		if rest = ino.Link; more != "" {
			rest += "/" + more
		}
	}
}

// noted adds what the host has mounted where the path ends, and the task does not see.
func (r Resolved) noted(w *world.World, at world.Path) Resolved {
	if u := w.UnreachedAt(at); u != nil {
		r.Note = fmt.Sprintf("the host has %s mounted at %s, and %s shows the directory below it: %s", strings.TrimSpace(u.Type+" "+u.Source), u.Point, u.Place, u.Why)
		if u.Fix != "" {
			r.Note += "; what lets it in: " + u.Fix
		}
	}
	return r
}

func namespace(w *world.World) string {
	if ns := int(w.Task.MountNS); ns < len(w.MountNS) && w.MountNS[ns].Name != "" {
		return w.MountNS[ns].Name
	}
	return "the task's"
}

func crossed(w *world.World, id world.MountID) Crossed {
	if id == 0 {
		return Crossed{}
	}
	m := &w.Mounts[id]
	c := Crossed{Point: m.Point, Type: w.FS.SB(m.SB).Type, Source: m.Source, Root: w.FS.Path(m.Root), Flags: m.Flags.String(), At: w.Place(m.Origin)}
	if m.Unsure != 0 {
		c.Flags = "flags not known"
	}
	c.Propagation = (&Mount{Group: m.Group, Master: m.Master, Unbindable: m.Unbindable}).propagation()
	return c
}

// WriteResolved prints the way, a line a name and one more for each mount.
func WriteResolved(w io.Writer, r Resolved) error {
	var b strings.Builder
	for i, h := range r.Hops {
		switch {
		case i == 0:
			fmt.Fprintf(&b, "%s in %s mount namespace\n", h.Path, possessive(h.Namespace))
		case h.Link != "":
			fmt.Fprintf(&b, "%s → %s\n", h.Name, h.Link)
		case h.State != "present":
			fmt.Fprintf(&b, "%s  %s\n", h.Name, strings.TrimSpace(h.State+"  "+h.Why))
		case h.Name == "..":
			fmt.Fprintf(&b, ".. → %s\n", h.Path)
		default:
			fmt.Fprintf(&b, "%s\n", h.Name)
		}
		for _, c := range h.Crossed {
			root := ""
			if c.Root != "/" {
				root = "[" + c.Root + "]"
			}
			place := ""
			if c.At != nil && c.At.File != "" {
				place = fmt.Sprintf("  (%s:%d)", c.At.File, c.At.Line)
			}
			fmt.Fprintf(&b, "    into the mount at %s: %s %s%s, %s, %s%s\n", c.Point, c.Type, c.Source, root, c.Flags, c.Propagation, place)
		}
	}
	if r.Note != "" {
		fmt.Fprintf(&b, "note: %s\n", r.Note)
	}
	_, err := io.WriteString(w, printableLines(b.String()))
	return err
}

func possessive(namespace string) string {
	if namespace == "its mount namespace" {
		return "the process's"
	}
	if strings.HasSuffix(namespace, "'s") {
		return namespace
	}
	return "the " + strings.TrimPrefix(namespace, "the ") + "'s"
}

package mounts

import (
	"fmt"
	"io"
	"strings"

	"syscallstory/mount"
	"syscallstory/world"
)

// Outcome is what an operation would do.
type Outcome struct {
	Op      string   `json:"op"`
	Errno   string   `json:"errno,omitempty"`
	Why     string   `json:"why,omitempty"`
	Changes []Change `json:"changes"`
	Not     []Change `json:"not"` // mounts that show the same place and get nothing, with the reason
}

// Change is what happens to one mount of one namespace.
type Change struct {
	NS    string `json:"ns"`
	Point string `json:"point"`
	What  string `json:"what"`
}

// WhatIf makes operations one after another, in one namespace, on a copy of the mounts: mount P, bind A B, rbind A B, move A B,
// umount [-l] P, make-shared P and its kin (make-rshared …).
func (m *Machine) WhatIf(ns int, ops []string) ([]Outcome, error) {
	t := m.tree.Clone()
	var out []Outcome
	for _, op := range ops {
		o, err := m.whatIf(t, ns, op)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

var kindWords = map[string]mount.Kind{"shared": mount.Shared, "slave": mount.Slave, "private": mount.Private, "unbindable": mount.Unbindable}

func (m *Machine) whatIf(t *mount.Tree, ns int, op string) (Outcome, error) {
	o := Outcome{Op: op, Changes: []Change{}, Not: []Change{}}
	f := strings.Fields(op)
	bad := func() (Outcome, error) {
		return o, fmt.Errorf("%q is no operation: mount P, bind A B, rbind A B, move A B, umount [-l] P, make-[r]shared, -slave, -private, -unbindable P", op)
	}
	if len(f) < 2 {
		return bad()
	}
	lazy := f[0] == "umount" && f[1] == "-l"
	if lazy {
		f = append(f[:1], f[2:]...)
	}
	want := 2
	if f[0] == "bind" || f[0] == "rbind" || f[0] == "move" {
		want = 3
	}
	if len(f) != want {
		return bad()
	}
	var at [2]world.Path
	for i, p := range f[1:] {
		var err error
		if at[i], err = m.place(t, ns, p); err != nil {
			return o, err
		}
	}
	before := t.Clone()
	c := m.caller(ns)
	var r mount.Refusal
	dest := at[len(f)-2]
	switch word, kind, _ := strings.Cut(f[0], "-"); {
	case f[0] == "mount":
		dev := fmt.Sprintf("new %d", t.Len())
		_, r = t.New(c, dest, mount.Node{Root: m.names.id(dev, "/"), SB: m.sb(dev)})
	case f[0] == "bind", f[0] == "rbind":
		_, r = t.Bind(c, at[0], dest, f[0] == "rbind")
	case f[0] == "move":
		r = t.Move(c, at[0], dest, false)
	case f[0] == "umount":
		r = t.Umount(c, dest, lazy)
	case word == "make":
		k, known := kindWords[strings.TrimPrefix(kind, "r")]
		if !known {
			return bad()
		}
		r = t.ChangeKind(c, dest, k, strings.HasPrefix(kind, "r"))
	default:
		return bad()
	}
	if r.Errno != 0 {
		o.Errno = r.Errno.String()
		if i := r.Code.Info(); i != nil {
			o.Why = strings.ReplaceAll(i.Denies, "{0}", m.sight(before).where(r.Mount))
			o.Why = strings.ReplaceAll(o.Why, "{obj}", f[1])
			o.Why = strings.ReplaceAll(o.Why, "{1}", "something is mounted on it, or a task uses it") + " (" + r.Code.String() + ")"
		}
		return o, nil
	}
	m.differences(before, t, &o)
	if f[0] == "mount" || f[0] == "bind" || f[0] == "rbind" {
		m.unreached(before, dest, &o)
	}
	return o, nil
}

// differences lists what has changed.
func (m *Machine) differences(a, b *mount.Tree, o *Outcome) {
	was, is := m.sight(a), m.sight(b)
	for id := mount.ID(1); int(id) < b.Len(); id++ {
		n := b.Node(id)
		var old *mount.Node
		if int(id) < a.Len() {
			old = a.Node(id)
		}
		switch {
		case (old == nil || old.NS == 0) && n.NS == 0:
		case old == nil || old.NS == 0:
			o.add(is, id, "mounted, "+kindText(n))
		case n.NS == 0:
			o.add(was, id, "unmounted")
		case n.Parent != old.Parent || n.At != old.At:
			o.add(is, id, "moved here from "+was.point(id))
		case kindText(n) != kindText(old):
			o.add(is, id, kindText(n)+", was "+kindText(old))
		}
	}
}

func (o *Outcome) add(s *sight, id mount.ID, what string) {
	ns := nsIndex(s.t.Node(id).NS)
	if ns < 0 || ns >= len(s.m.tables) {
		return
	}
	o.Changes = append(o.Changes, Change{NS: s.m.NSText(ns), Point: s.point(id), What: what})
}

func kindText(n *mount.Node) string {
	switch {
	case n.Group != 0 && n.Master != 0:
		return "shared and slave"
	case n.Group != 0:
		return "shared"
	case n.Master != 0:
		return "slave"
	case n.Unbindable:
		return "unbindable"
	}
	return "private"
}

// mostNot is how many mounts that get nothing are listed.
const mostNot = 50

// unreached tells of mounts in other namespaces that show the mount point and get no copy.
func (m *Machine) unreached(t *mount.Tree, at world.Path, o *Outcome) {
	gets := map[mount.ID]bool{at.Mount: true}
	for r := range t.Receivers(at.Mount, at.Dentry) {
		gets[r] = true
	}
	dest, see := t.Node(at.Mount), m.sight(t)
	for id := mount.ID(1); int(id) < t.Len() && len(o.Not) < mostNot; id++ {
		n := t.Node(id)
		if n.NS == 0 || gets[id] || n.SB != dest.SB || n.SB == 0 || !m.names.Below(at.Dentry, n.Root) {
			continue
		}
		why := "it is " + kindText(n) + ", and " + see.where(at.Mount) + " is " + kindText(dest)
		switch {
		case dest.Group == 0:
			why = see.where(at.Mount) + " is " + kindText(dest) + ": what is mounted on it goes nowhere"
		case n.Group == 0 && n.Master == 0:
			why = "it is " + kindText(n) + ": nothing comes to it"
		case dest.Master != 0 && n.Group != 0 && t.Node(dest.Master).Group == n.Group:
			why = "it is the master: events go from it, not to it"
		}
		ns := nsIndex(n.NS)
		if ns >= len(m.tables) {
			continue
		}
		o.Not = append(o.Not, Change{NS: m.NSText(ns), Point: see.point(id), What: why})
	}
}

// WriteText prints outcomes.
func WriteText(w io.Writer, all []Outcome) error {
	var b strings.Builder
	for _, o := range all {
		fmt.Fprintf(&b, "%s: ", o.Op)
		if o.Errno != "" {
			fmt.Fprintf(&b, "%s: %s\n", o.Errno, printable(o.Why))
			continue
		}
		if len(o.Changes) == 1 {
			b.WriteString("1 change\n")
		} else {
			fmt.Fprintf(&b, "%d changes\n", len(o.Changes))
		}
		for _, c := range o.Changes {
			fmt.Fprintf(&b, "  %s  %s  %s\n", printable(c.Point), printable(c.NS), printable(c.What))
		}
		for _, c := range o.Not {
			fmt.Fprintf(&b, "  not %s  %s  %s\n", printable(c.Point), printable(c.NS), printable(c.What))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

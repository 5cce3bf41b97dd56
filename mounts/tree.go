package mounts

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"

	"syscallstory/mount"
	"syscallstory/world"
)

// Mount is one mount of a namespace, as JSON and the text tree show it.
type Mount struct {
	Point      string   `json:"point"`
	Type       string   `json:"type"`
	Source     string   `json:"source"`
	Root       string   `json:"root"`
	Flags      string   `json:"flags"`
	Group      uint32   `json:"group,omitempty"`
	Master     uint32   `json:"master,omitempty"`
	Unbindable bool     `json:"unbindable,omitempty"`
	Receivers  []string `json:"receivers,omitempty"` // who gets what is mounted here
	Children   []*Mount `json:"children,omitempty"`
}

// Namespace is a mount namespace with its tree.
type Namespace struct {
	NS      uint64 `json:"ns,omitempty"`
	PID     int    `json:"pid,omitempty"`
	Command string `json:"command"` // of a process in it or, where it is planned, its name
	Tasks   int    `json:"tasks,omitempty"`
	Mounts  int    `json:"mounts"`
	Root    *Mount `json:"root"`
}

// mostReceivers are listed; the rest is counted.
const mostReceivers = 8

// Tree returns the namespaces with their mounts.
func (m *Machine) Tree() []Namespace {
	var out []Namespace
	g := groups{sight: m.sight(m.tree), all: map[reach][]mount.ID{}, hear: map[uint32]map[world.DentryID][]mount.ID{}, up: map[world.DentryID]world.DentryID{}}
	for i := range m.tables {
		t := &m.tables[i]
		n := Namespace{NS: t.NS, PID: t.PID, Command: t.Command, Tasks: t.Tasks, Mounts: len(t.Mounts)}
		if root := m.roots[i].Mount; root != 0 {
			n.Root = g.tree(root)
		}
		if t.PID == 0 {
			n.Mounts = count(n.Root)
		}
		out = append(out, n)
	}
	return out
}

func count(m *Mount) (n int) {
	for todo := []*Mount{m}; len(todo) > 0; n++ {
		last := todo[len(todo)-1]
		todo = append(todo[:len(todo)-1], last.Children...)
	}
	return n
}

// groups remembers who gets events: the same mounts for all of a peer group that have one root.
type groups struct {
	*sight
	all  map[reach][]mount.ID
	hear map[uint32]map[world.DentryID][]mount.ID // who hears of a group, by the root that it shows
	up   map[world.DentryID]world.DentryID        // the directory above
}

type reach struct {
	group uint32
	root  world.DentryID
}

// tree shows a mount with what is mounted on it.
func (g *groups) tree(root mount.ID) *Mount {
	t := g.m.tree
	top := g.mount(root, "/")
	type open struct {
		id mount.ID
		to *Mount
	}
	for todo := []open{{root, top}}; len(todo) > 0; {
		o := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for c := range t.Children(o.id) {
			child := g.mount(c, g.point(c))
			o.to.Children = append(o.to.Children, child)
			todo = append(todo, open{c, child})
		}
	}
	return top
}

func (g *groups) mount(id mount.ID, point string) *Mount {
	m, n := g.m, g.m.tree.Node(id)
	out := &Mount{Point: point, Root: m.names.paths[n.Root], Flags: n.Flags.String(), Group: n.Group, Unbindable: n.Unbindable, Type: "unknown", Source: "unknown"}
	if n.Master != 0 {
		out.Master = m.tree.Node(n.Master).Group
	}
	if d := m.detail(m.tree, id); d != nil {
		out.Type, out.Source = d.Type, d.Source
	}
	if d := m.mounts[id]; d != nil && d.ID != 0 { // a table's own words, masters that nobody has among them
		out.Point, out.Master = d.Point, d.Master
	}
	if n.Group == 0 {
		return out
	}
	key := reach{n.Group, n.Root}
	all, known := g.all[key]
	if !known {
		all = g.receivers(id)
		g.all[key] = all
	}
	for _, r := range all {
		if r == id {
			continue
		}
		if len(out.Receivers) == mostReceivers {
			out.Receivers = append(out.Receivers, fmt.Sprintf("and %d more", len(all)-1-mostReceivers))
			break
		}
		out.Receivers = append(out.Receivers, g.where(r))
	}
	return out
}

// receivers lists who gets what is mounted on a mount's root: those that hear of its group and show that root, itself among them. A
// group may have as many members as there are mounts, each with a root of its own, so that they are looked up by their roots.
func (g *groups) receivers(id mount.ID) (out []mount.ID) {
	n := g.t.Node(id)
	by := g.hear[n.Group]
	if by == nil {
		by = map[world.DentryID][]mount.ID{n.Root: {id}}
		for r := range g.t.Hears(id) {
			root := g.t.Node(r).Root
			by[root] = append(by[root], r)
		}
		g.hear[n.Group] = by
	}
	for d := n.Root; ; {
		out = append(out, by[d]...)
		up, ok := g.up[d]
		if !ok {
			up = g.m.names.parent(d)
			g.up[d] = up
		}
		if up == d {
			return out
		}
		d = up
	}
}

func (m *Mount) propagation() string {
	var parts []string
	if m.Group != 0 {
		parts = append(parts, fmt.Sprintf("shared %d", m.Group))
	}
	if m.Master != 0 {
		parts = append(parts, fmt.Sprintf("slave of %d", m.Master))
	}
	if m.Unbindable {
		parts = append(parts, "unbindable")
	}
	if len(parts) == 0 {
		return "private"
	}
	return strings.Join(parts, ", ")
}

// Text prints the trees.
func Text(w io.Writer, all []Namespace) error {
	b := bufio.NewWriterSize(w, 1<<16)
	for i, n := range all {
		if i > 0 {
			b.WriteByte('\n')
		}
		if n.PID != 0 {
			fmt.Fprintf(b, "mnt:[%d] of %s (pid %d), %d processes, %d mounts\n", n.NS, printable(n.Command), n.PID, n.Tasks, n.Mounts)
		} else {
			fmt.Fprintf(b, "%s, %d mounts\n", n.Command, n.Mounts)
		}
		if n.Root != nil {
			n.Root.text(b)
		}
	}
	return b.Flush()
}

// deepest is how far mounts are indented: they may be stacked without end.
const deepest = 40

func (m *Mount) text(b *bufio.Writer) {
	type open struct {
		m           *Mount
		first, rest string
		depth       int
	}
	for todo := []open{{m: m}}; len(todo) > 0; {
		o := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		source := o.m.Source
		if o.m.Root != "/" {
			source += "[" + o.m.Root + "]"
		}
		fmt.Fprintf(b, "%s%s  %s %s  %s  %s\n", o.first, printable(o.m.Point), o.m.Type, printable(source), o.m.Flags, o.m.propagation())
		below := o.rest
		if len(o.m.Children) > 0 {
			below += "│"
		}
		for _, r := range o.m.Receivers {
			fmt.Fprintf(b, "%s    → %s\n", below, printable(r))
		}
		for i := len(o.m.Children) - 1; i >= 0; i-- {
			c := open{o.m.Children[i], o.rest + "├─", o.rest + "│ ", o.depth + 1}
			if i == len(o.m.Children)-1 {
				c.first, c.rest = o.rest+"└─", o.rest+"  "
			}
			if c.depth > deepest {
				c.first, c.rest = o.first, o.rest
			}
			todo = append(todo, c)
		}
	}
}

// printable keeps control characters of names, and those that turn the direction of text round, out of a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, s)
}

package mounts

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
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
func (m *Machine) Tree() (out []Namespace) {
	m.Each(func(n *Namespace) error {
		out = append(out, *n)
		return nil
	})
	return out
}

// Each hands out one namespace after another, for who wants to forget each before the next.
func (m *Machine) Each(f func(*Namespace) error) error {
	g := groups{sight: m.sight(m.tree), all: map[reach][]mount.ID{}, list: map[reach][]string{}, hear: map[uint32]map[world.DentryID][]mount.ID{}, up: map[world.DentryID]world.DentryID{}}
	for i := range m.tables {
		t := &m.tables[i]
		n := Namespace{NS: t.NS, PID: t.PID, Command: t.Command, Tasks: t.Tasks, Mounts: len(t.Mounts)}
		if root := m.roots[i].Mount; root != 0 {
			n.Root = g.tree(root)
		}
		if t.PID == 0 {
			n.Mounts = count(n.Root)
		}
		if err := f(&n); err != nil {
			return err
		}
	}
	return nil
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
	list map[reach][]string
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
	top := g.mount(root)
	type open struct {
		id mount.ID
		to *Mount
	}
	for todo := []open{{root, top}}; len(todo) > 0; {
		o := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for c := range t.Children(o.id) {
			child := g.mount(c)
			o.to.Children = append(o.to.Children, child)
			todo = append(todo, open{c, child})
		}
	}
	return top
}

func (g *groups) mount(id mount.ID) *Mount {
	m, n := g.m, g.m.tree.Node(id)
	out := &Mount{Root: m.names.paths[n.Root], Flags: n.Flags.String(), Group: n.Group, Unbindable: n.Unbindable, Type: "unknown", Source: "unknown"}
	if n.Master != 0 {
		out.Master = m.tree.Node(n.Master).Group
	}
	if d := m.detail(m.tree, id); d != nil {
		out.Type, out.Source = d.Type, d.Source
	}
	if d := m.mounts.of(id); d != nil && d.ID != 0 { // a table's own words, masters that nobody has among them
		out.Point, out.Master = d.Point, d.Master
	} else {
		out.Point = g.point(id)
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
	if len(all) > mostReceivers+1 && !slices.Contains(all[:mostReceivers], id) { // it is one of the rest, which all have the same list
		if g.list[key] == nil {
			g.list[key] = g.receiversText(all, id)
		}
		out.Receivers = g.list[key]
		return out
	}
	out.Receivers = g.receiversText(all, id)
	return out
}

// receiversText names the first receivers, but for the mount itself.
func (g *groups) receiversText(all []mount.ID, id mount.ID) (out []string) {
	for _, r := range all {
		if r == id {
			continue
		}
		if len(out) == mostReceivers {
			return append(out, fmt.Sprintf("and %d more", len(all)-1-mostReceivers))
		}
		out = append(out, g.where(r))
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

// Text prints the trees, one namespace after another.
func (m *Machine) Text(w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<16)
	first := true
	err := m.Each(func(n *Namespace) error {
		if !first {
			b.WriteByte('\n')
		}
		first = false
		if n.PID != 0 {
			fmt.Fprintf(b, "mnt:[%d] of %s (pid %d), %d processes, %d mounts\n", n.NS, printable(n.Command), n.PID, n.Tasks, n.Mounts)
		} else {
			fmt.Fprintf(b, "%s, %d mounts\n", n.Command, n.Mounts)
		}
		if n.Root == nil {
			return nil
		}
		return n.Root.text(b)
	})
	return cmp.Or(err, b.Flush())
}

// deepest is how far mounts are indented: they may be stacked without end.
const deepest = 40

func (m *Mount) text(b *bufio.Writer) (err error) {
	type open struct {
		m           *Mount
		first, rest string
		depth       int
	}
	for todo := []open{{m: m}}; len(todo) > 0; {
		o := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, s := range [...]string{o.first, printable(o.m.Point), "  ", o.m.Type, " ", printable(o.m.source()), "  ", o.m.Flags, "  ", o.m.propagation(), "\n"} {
			_, err = b.WriteString(s) // the writer keeps its first error
		}
		below := o.rest
		if len(o.m.Children) > 0 {
			below += "│"
		}
		for _, r := range o.m.Receivers {
			b.WriteString(below)
			b.WriteString("    → ")
			b.WriteString(printable(r))
			b.WriteByte('\n')
		}
		if len(o.m.Children) == 0 {
			continue
		}
		c := open{nil, o.rest + "└─", o.rest + "  ", o.depth + 1}
		next := open{nil, o.rest + "├─", o.rest + "│ ", o.depth + 1}
		if o.depth+1 > deepest {
			c.first, c.rest, next.first, next.rest = o.first, o.rest, o.first, o.rest
		}
		for i := len(o.m.Children) - 1; i >= 0; i-- {
			c.m = o.m.Children[i]
			todo = append(todo, c)
			c = next
		}
	}
	return err
}

func (m *Mount) source() string {
	if m.Root == "/" {
		return m.Source
	}
	return m.Source + "[" + m.Root + "]"
}

// printable keeps control characters of names, and those that turn the direction of text round, out of a terminal.
func printable(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if plain {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, s)
}

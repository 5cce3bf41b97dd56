// Package mounts looks at the mount namespaces of a machine: what is mounted where, whose events go to whom, and what an operation
// would change in each of them.
package mounts

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"syscallstory/from/live"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// Machine is a set of mount namespaces with the mounts in them.
type Machine struct {
	Refused []Refused // containers of Plan that the engine does not start
	Notes   []string  // what Plan leaves out

	tables  []live.MountTable
	tree    *mount.Tree
	names   *names
	mounts  details
	roots   []world.Path // what a task of each namespace has as /
	sbs     map[string]world.SBID
	volumes []volume // of Plan's containers
}

// details are what the tables, or the plan, say of mounts, by their IDs.
type details []*live.TableMount

func (d details) of(id mount.ID) *live.TableMount {
	if int(id) < len(d) {
		return d[id]
	}
	return nil
}

func (d *details) put(id mount.ID, t *live.TableMount) {
	for len(*d) <= int(id) {
		*d = append(*d, nil)
	}
	(*d)[id] = t
}

// detail tells what is mounted: what was said of the mount, or of the one that it is a copy of; nil for what an operation would mount.
func (m *Machine) detail(t *mount.Tree, id mount.ID) *live.TableMount {
	if d := m.mounts.of(id); d != nil {
		return d
	}
	return m.mounts.of(t.Node(id).Origin)
}

// names are the places of filesystems that mount tables name.
type names struct {
	ids   map[string]world.DentryID
	dev   []string
	paths []string
}

func (n *names) id(dev, path string) world.DentryID {
	key := dev + " " + path
	if d, ok := n.ids[key]; ok {
		return d
	}
	d := world.DentryID(len(n.paths))
	n.ids[key] = d
	n.dev, n.paths = append(n.dev, dev), append(n.paths, path)
	return d
}

// parent returns the directory above a place, the place itself for the root of its filesystem.
func (n *names) parent(d world.DentryID) world.DentryID {
	p := n.paths[d]
	if p == "/" || !strings.HasPrefix(p, "/") {
		return d
	}
	return n.id(n.dev[d], path.Dir(p))
}

// Below is mount.Names.
func (n *names) Below(d, root world.DentryID) bool {
	return n.dev[d] == n.dev[root] && under(n.paths[d], n.paths[root])
}

// under reports whether a path is root or lies below it.
func under(path, root string) bool {
	return path == root || root == "/" || strings.HasPrefix(path, root) && path[len(root)] == '/'
}

// New builds the mounts of some namespaces. Groups are the same for all of them, so that they have to be of one machine.
func New(tables []live.MountTable, release kernel.Release) *Machine {
	m := &Machine{tables: tables, names: &names{ids: map[string]world.DentryID{}}, sbs: map[string]world.SBID{}}
	m.names.id("", "/") // 0
	m.tree = mount.NewTree(release, m.names)
	var groups, masters []uint32
	note := func(id mount.ID, t *live.TableMount) {
		for len(groups) <= int(id) {
			groups, masters = append(groups, 0), append(masters, 0)
		}
		if t != nil {
			groups[id], masters[id] = t.Group, t.Master
			m.mounts.put(id, t)
		}
	}
	for i := range tables {
		table := tables[i].Mounts
		ns := m.tree.NewNS(0)
		hidden := m.tree.Add(ns, world.Path{}, mount.Node{})
		note(hidden, nil)
		m.roots = append(m.roots, world.Path{})
		below := byParent(table)
		type open struct {
			k  int // in the table
			at mount.ID
			of *live.TableMount
		}
		var todo []open
		push := func(parent int, at mount.ID, of *live.TableMount) {
			for j := len(below[parent]) - 1; j >= 0; j-- {
				todo = append(todo, open{below[parent][j], at, of})
			}
		}
		for push(-1, hidden, nil); len(todo) > 0; {
			o := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			t := &table[o.k]
			place := world.Path{Mount: o.at}
			if o.of != nil {
				place.Dentry = m.names.id(o.of.Device, join(o.of.Root, strings.TrimPrefix(t.Point, strings.TrimSuffix(o.of.Point, "/"))))
			} else {
				place.Dentry = m.names.id("", t.Point)
			}
			id := m.tree.Add(ns, place, mount.Node{Root: m.names.id(t.Device, t.Root), SB: m.sb(t.Device), Flags: t.Flags, Unbindable: t.Unbindable})
			note(id, t)
			if o.of == nil && m.roots[i] == (world.Path{}) {
				m.roots[i] = world.Path{Mount: id, Dentry: m.tree.Node(id).Root}
			}
			push(t.ID, id, t)
		}
	}
	m.tree.Join(groups, masters)
	return m
}

// byParent lists the lines of a table under the number of their parent, those whose parent the table does not show under -1. Lines that
// are their own ancestors, which no kernel shows, are under nobody's that is reached, and left out.
func byParent(table []live.TableMount) map[int][]int {
	ids := make(map[int]bool, len(table))
	for k := range table {
		ids[table[k].ID] = true
	}
	below := map[int][]int{}
	for k := range table {
		parent := table[k].Parent
		if !ids[parent] || parent == table[k].ID {
			parent = -1
		}
		below[parent] = append(below[parent], k)
	}
	return below
}

func (m *Machine) sb(dev string) world.SBID {
	if m.sbs[dev] == 0 {
		m.sbs[dev] = world.SBID(len(m.sbs) + 1)
	}
	return m.sbs[dev]
}

func join(root, rel string) string {
	rel = strings.Trim(rel, "/")
	if rel == "" {
		return root
	}
	return strings.TrimSuffix(root, "/") + "/" + rel
}

// place finds a path in a namespace by its name alone: links are not followed, and what is not mounted is taken to be there.
func (m *Machine) place(t *mount.Tree, ns int, path string) (world.Path, error) {
	if !strings.HasPrefix(path, "/") {
		return world.Path{}, fmt.Errorf("%s: a path begins with /", path)
	}
	at := m.roots[ns]
	for name := range strings.SplitSeq(path, "/") {
		switch name {
		case "", ".":
			continue
		case "..":
			return world.Path{}, fmt.Errorf("%s: a path without .. is needed", path)
		}
		at.Dentry = m.names.id(m.names.dev[at.Dentry], join(m.names.paths[at.Dentry], name))
		at = t.Top(at)
	}
	return at, nil
}

// sight remembers where namespaces see the mounts of a tree: mounts may be stacked without end.
type sight struct {
	m     *Machine
	t     *mount.Tree
	seen  map[mount.ID]string
	named map[mount.ID]string // with their namespaces
}

func (m *Machine) sight(t *mount.Tree) *sight {
	return &sight{m, t, map[mount.ID]string{}, map[mount.ID]string{}}
}

// point is where a mount's namespace sees it.
func (s *sight) point(id mount.ID) string {
	var way []mount.ID
	text, known := "", false
	for {
		if text, known = s.seen[id]; known {
			break
		}
		n := s.t.Node(id)
		if ns := nsIndex(n.NS); ns >= 0 && ns < len(s.m.roots) && id == s.m.roots[ns].Mount {
			break
		}
		if n.Parent == id {
			text = "?"
			break
		}
		way = append(way, id)
		id = n.Parent
	}
	for i := len(way) - 1; i >= 0; i-- {
		text += s.m.step(s.t, way[i])
		s.seen[way[i]] = text
	}
	if text == "" {
		return "/"
	}
	return text
}

// where names a mount with its namespace.
func (s *sight) where(id mount.ID) string {
	ns := nsIndex(s.t.Node(id).NS)
	if ns < 0 || ns >= len(s.m.tables) {
		return "a detached mount"
	}
	text, known := s.named[id]
	if !known {
		text = s.point(id) + " in " + s.m.short(ns)
		s.named[id] = text
	}
	return text
}

// step is where a mount sits on its parent: /x, or nothing where it covers the parent's root.
func (m *Machine) step(t *mount.Tree, id mount.ID) string {
	n := t.Node(id)
	on := m.names.paths[t.Node(n.Parent).Root]
	return strings.TrimSuffix(strings.TrimPrefix(m.names.paths[n.At], strings.TrimSuffix(on, "/")), "/")
}

// NSText names a namespace.
func (m *Machine) NSText(ns int) string {
	t := &m.tables[ns]
	if t.PID == 0 {
		return t.Command
	}
	return fmt.Sprintf("mnt:[%d] of %s (pid %d)", t.NS, t.Command, t.PID)
}

// short names a namespace in fewer words.
func (m *Machine) short(ns int) string {
	if t := &m.tables[ns]; t.PID != 0 {
		return fmt.Sprintf("mnt:[%d]", t.NS)
	}
	return m.tables[ns].Command
}

// Named returns the namespace of Plan that has a name: the host, containerd.service, web/app.
func (m *Machine) Named(name string) (int, error) {
	var all []string
	for i := range m.tables {
		if m.tables[i].Command == name {
			return i, nil
		}
		all = append(all, m.tables[i].Command)
	}
	return 0, fmt.Errorf("there is no mount namespace %q; there are %s", name, strings.Join(all, ", "))
}

// the model answers for a task that may do everything: mount.Asker.
type anybody struct{}

func (anybody) Admin(world.UserNSID) story.Errno                        { return 0 }
func (anybody) SameKind(_, _ world.DentryID, _ story.Errno) story.Errno { return 0 }
func (anybody) MayIDMap(mount.ID) story.Errno                           { return story.EINVAL }
func (anybody) Users(mount.ID) int                                      { return 0 }
func (anybody) Writers(mount.ID) int                                    { return 0 }
func nsIndex(ns mount.NS) int                                           { return int(ns) - 1 }
func (m *Machine) caller(ns int) *mount.Caller {
	return &mount.Caller{NS: mount.NS(ns + 1), Root: m.roots[ns], Asker: anybody{}}
}

// Find returns the namespace that a process is in.
func (m *Machine) Find(ns uint64) (int, bool) {
	i := slices.IndexFunc(m.tables, func(t live.MountTable) bool { return t.NS == ns })
	return i, i >= 0
}

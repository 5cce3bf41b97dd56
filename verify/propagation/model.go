package propagation

import (
	"fmt"
	"sort"
	"strings"

	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// entry is a file that every filesystem of a sequence has.
type entry struct {
	name   string
	parent int
}

// template is those files. An entry's number is its dentry's number in each filesystem.
var template = []entry{{"", 0}, {"a", 0}, {"b", 0}, {"c", 0}, {"a/d", 1}, {"a/e", 1}, {"b/d", 2}, {"f", 0}}

const (
	fileEntry = 7
	perFS     = 8 // dentries of a filesystem
)

// model is the mount package's view of a sequence.
type model struct {
	t      *mount.Tree
	sbs    int
	users  []userNS
	agents []actor
	holds  []hold
	walker *actor              // who asks at the moment
	bare   map[world.SBID]bool // filesystems whose files could not be made, since their own copies hide them
}

type userNS struct{ parent world.UserNSID }

// actor is an agent of the model.
type actor struct {
	ns   mount.NS
	user world.UserNSID
	root world.Path
	cwd  world.Path
}

// hold is a descriptor of a place, or of a detached tree, whose namespace goes with it.
type hold struct {
	at   world.Path
	tree mount.NS
	open bool
}

// newModel is the model of a machine's base: hidden mounts, and a tmpfs above them.
func newModel(release kernel.Release, hidden int) *model {
	m := &model{users: []userNS{{}}, bare: map[world.SBID]bool{}}
	m.t = mount.NewTree(release, m)
	ns := m.t.NewNS(0)
	at := world.Path{}
	for range hidden {
		at = m.add(ns, at)
	}
	root := m.add(ns, at)
	m.agents = []actor{{ns: ns, root: root, cwd: root}}
	m.copyNS(0, false)
	m.agents = m.agents[1:]
	return m
}

func (m *model) add(ns mount.NS, at world.Path) world.Path {
	n := m.filesystem()
	return world.Path{Mount: m.t.Add(ns, at, n), Dentry: n.Root}
}

// filesystem is a new tmpfs.
func (m *model) filesystem() mount.Node {
	m.sbs++
	return mount.Node{SB: world.SBID(m.sbs), Root: world.DentryID(m.sbs * perFS), Atime: world.AtimeKnown | world.AtimeRelative}
}

// Below is mount.Names.
func (m *model) Below(d, root world.DentryID) bool {
	if d/perFS != root/perFS {
		return false
	}
	for {
		if d == root {
			return true
		}
		k := int(d % perFS)
		if k == 0 {
			return false
		}
		d = d/perFS*perFS + world.DentryID(template[k].parent)
	}
}

// The model answers for the kernel what the Tree does not know: mount.Asker.

// Admin is ns_capable: an agent has every capability in its user namespace and those below.
func (m *model) Admin(ns world.UserNSID) story.Errno {
	for u := ns; ; u = m.users[u].parent {
		if u == m.walker.user {
			return 0
		}
		if u == 0 {
			return story.EPERM
		}
	}
}

// SameKind compares directories and files.
func (m *model) SameKind(at, root world.DentryID, e story.Errno) story.Errno {
	if (at%perFS == fileEntry) != (root%perFS == fileEntry) {
		return e
	}
	return 0
}

// MayIDMap is not asked for.
func (m *model) MayIDMap(mount.ID) story.Errno { return story.EINVAL }

// Users counts roots, current directories and held descriptors.
func (m *model) Users(id mount.ID) int {
	n := 0
	for i := range m.agents {
		if a := &m.agents[i]; a.root.Mount == id || a.cwd.Mount == id {
			n++
		}
	}
	for _, h := range m.holds {
		if h.open && h.at.Mount == id {
			n++
		}
	}
	return n
}

// Writers is never asked for what is open: no agent writes.
func (m *model) Writers(mount.ID) int { return 0 }

func (m *model) caller(a *actor) *mount.Caller {
	m.walker = a
	return &mount.Caller{NS: a.ns, Root: a.root, Asker: m}
}

// walk looks a path up as an agent.
func (m *model) walk(a *actor, path string) (world.Path, story.Errno) {
	at := a.cwd
	if strings.HasPrefix(path, "/") {
		at = a.root
	}
	for _, name := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' }) {
		if at.Dentry%perFS == fileEntry {
			return at, story.ENOTDIR
		}
		found := false
		for k := 1; k < len(template) && !m.bare[m.t.Node(at.Mount).SB]; k++ {
			if e := template[k]; e.parent == int(at.Dentry%perFS) && e.name[strings.LastIndexByte(e.name, '/')+1:] == name {
				at = m.t.Top(world.Path{Mount: at.Mount, Dentry: at.Dentry/perFS*perFS + world.DentryID(k)})
				found = true
				break
			}
		}
		if !found {
			return at, story.ENOENT
		}
	}
	return at, 0
}

// copyNS adds an agent in a copy of another one's namespace.
func (m *model) copyNS(from int, user bool) story.Errno {
	a := m.agents[from]
	owner := a.user
	if user {
		if m.t.TopOf(a.ns) != a.root {
			return story.EPERM // create_user_ns: the task is chrooted
		}
		m.users = append(m.users, userNS{parent: a.user})
		owner = world.UserNSID(len(m.users) - 1)
	}
	ns := m.t.CopyNS(a.ns, owner)
	m.agents = append(m.agents, actor{ns: ns, user: owner, root: m.t.Copied(a.root, a.ns, ns), cwd: m.t.Copied(a.cwd, a.ns, ns)})
	return 0
}

// seen is one mount as mountinfo shows it, with the mount it sits on.
type seen struct {
	id, parent    uint32
	device        string
	root, point   string
	flags         string
	group, master uint32
	unbindable    bool
}

// view lists the mounts that an agent sees.
func (m *model) view(i int) []seen {
	a := &m.agents[i]
	var out []seen
	top := m.t.RootOf(a.ns)
	if top == 0 {
		return nil
	}
	for id := range m.mounts(top) {
		n := m.t.Node(id)
		if !m.t.Reachable(world.Path{Mount: id, Dentry: n.Root}, a.root) {
			continue
		}
		s := seen{id: uint32(id), parent: uint32(n.Parent), device: fmt.Sprint(n.SB), root: "/" + template[n.Root%perFS].name, flags: n.Flags.String(), group: n.Group, unbindable: n.Unbindable}
		if n.Master != 0 {
			s.master = m.t.Node(n.Master).Group
		}
		s.point = m.path(world.Path{Mount: id, Dentry: n.Root}, a.root)
		out = append(out, s)
	}
	return out
}

// mounts yields a tree, a parent before its children.
func (m *model) mounts(top mount.ID) func(func(mount.ID) bool) {
	var walk func(id mount.ID, yield func(mount.ID) bool) bool
	walk = func(id mount.ID, yield func(mount.ID) bool) bool {
		if !yield(id) {
			return false
		}
		for c := range m.t.Children(id) {
			if !walk(c, yield) {
				return false
			}
		}
		return true
	}
	return func(yield func(mount.ID) bool) { walk(top, yield) }
}

// path is the text of a place below a root.
func (m *model) path(p, root world.Path) string {
	text := ""
	for p != root {
		n := m.t.Node(p.Mount)
		if p.Dentry == n.Root {
			if n.Parent == p.Mount {
				break
			}
			p = world.Path{Mount: n.Parent, Dentry: n.At}
			continue
		}
		k := int(p.Dentry % perFS)
		text = "/" + template[k].name[strings.LastIndexByte(template[k].name, '/')+1:] + text
		p.Dentry = p.Dentry/perFS*perFS + world.DentryID(template[k].parent)
	}
	if text == "" {
		return "/"
	}
	return text
}

// pairing matches names of the model with names of the kernel, one to one.
type pairing struct {
	there map[string]string
	here  map[string]string
}

func newPairing() *pairing { return &pairing{map[string]string{}, map[string]string{}} }

func (p *pairing) match(a, b string) bool {
	x, ok := p.there[a]
	y, ok2 := p.here[b]
	if !ok && !ok2 {
		p.there[a], p.here[b] = b, a
		return true
	}
	return ok && ok2 && x == b && y == a
}

// compare holds the model's view against the kernel's; it returns what differs, "" for nothing.
func compare(agent int, ours, theirs []seen, devices, groups *pairing) string {
	kids := func(list []seen) map[string][]int {
		ids := map[uint32]bool{}
		for _, s := range list {
			ids[s.id] = true
		}
		out := map[string][]int{}
		for i, s := range list {
			key := "root"
			if ids[s.parent] && s.parent != s.id {
				key = fmt.Sprint(s.parent)
			}
			out[key] = append(out[key], i)
		}
		for _, v := range out {
			sort.Slice(v, func(a, b int) bool { return list[v[a]].point < list[v[b]].point })
		}
		return out
	}
	a, b := kids(ours), kids(theirs)
	var walk func(x, y string) string
	walk = func(x, y string) string {
		if len(a[x]) != len(b[y]) {
			return fmt.Sprintf("agent %d: %d mounts where the kernel has %d\n%s", agent, len(a[x]), len(b[y]), both(ours, theirs))
		}
		for i := range a[x] {
			o, t := &ours[a[x][i]], &theirs[b[y][i]]
			text := func(n uint32) string { return fmt.Sprint(n) }
			same := o.point == t.point && o.root == t.root && o.flags == t.flags && o.unbindable == t.unbindable && (o.group == 0) == (t.group == 0) && (o.master == 0) == (t.master == 0) &&
				devices.match(o.device, t.device) && (o.group == 0 || groups.match(text(o.group), text(t.group))) && (o.master == 0 || groups.match(text(o.master), text(t.master)))
			if !same {
				return fmt.Sprintf("agent %d: %s differs from %s\n%s", agent, o.line(), t.line(), both(ours, theirs))
			}
			if s := walk(text(o.id), text(t.id)); s != "" {
				return s
			}
		}
		return ""
	}
	return walk("root", "root")
}

func (s *seen) line() string {
	text := fmt.Sprintf("%d on %d: %s shows %s of %s %s", s.id, s.parent, s.point, s.root, s.device, s.flags)
	if s.group != 0 {
		text += fmt.Sprintf(" shared:%d", s.group)
	}
	if s.master != 0 {
		text += fmt.Sprintf(" master:%d", s.master)
	}
	if s.unbindable {
		text += " unbindable"
	}
	return text
}

func both(ours, theirs []seen) string {
	var b strings.Builder
	for _, l := range []struct {
		name string
		list []seen
	}{{"model", ours}, {"kernel", theirs}} {
		for i := range l.list {
			fmt.Fprintf(&b, "  %-6s %s\n", l.name, l.list[i].line())
		}
	}
	return b.String()
}

package propagation

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// kind is what an operation does.
type kind uint8

const (
	opMount kind = iota
	opBind
	opMove
	opUmount
	opChange
	opRemount
	opSpawn
	opPivot
	opHold
	opRelease
	opClone
	opAttach
	opBeneath
	opSetGroup
	opSetAttr
	numOps
)

var opNames = [numOps]string{"mount", "bind", "move", "umount", "make", "remount", "unshare", "pivot_root", "open", "close", "open_tree", "move_mount", "move_mount beneath", "move_mount set_group", "mount_setattr"}

// op is one operation of a sequence. Agents and descriptors are counted modulo those that there are.
type op struct {
	kind  kind
	agent int
	p, q  string
	hold  int
	held  bool // the source is a descriptor, not p
	rec   bool
	alt   bool // lazy, or with a new user namespace
	how   mount.Kind
	flags world.MountFlags
	clear world.MountFlags
}

// randomPath makes a path below a root that may exist.
func randomPath(rng *rand.Rand, dirs int, points []string) string {
	first := []string{"a", "b", "c", "a/d", "b/d", "a/e"}[:max(2, min(dirs, 6))]
	p := first[rng.IntN(len(first))]
	switch n := rng.IntN(24); {
	case n < 6 && len(points) > 0:
		p = points[rng.IntN(len(points))] + "/" + first[rng.IntN(min(3, len(first)))]
	case n < 10:
		p += "/" + first[rng.IntN(len(first))]
	case n == 10:
		return "f"
	case n == 11 && rng.IntN(3) == 0:
		return ""
	}
	return p
}

// generator makes the operations of a sequence, knowing what is mounted.
type generator struct {
	rng  *rand.Rand
	dirs int
	n    int
}

// next makes an operation. What shares and what copies comes often: the rest needs it.
func (g *generator) next(m *model) op {
	rng := g.rng
	weights := [numOps]int{opMount: 10, opBind: 16, opMove: 8, opUmount: 12, opChange: 14, opRemount: 3, opSpawn: 5, opPivot: 3, opHold: 4, opRelease: 2, opClone: 5, opAttach: 6, opBeneath: 4, opSetGroup: 4, opSetAttr: 5}
	if g.n < 4 {
		weights[opMount], weights[opChange], weights[opSpawn] = 30, 30, 12
	}
	g.n++
	sum := 0
	for _, w := range weights {
		sum += w
	}
	n := rng.IntN(sum)
	o := op{}
	for n >= weights[o.kind] {
		n -= weights[o.kind]
		o.kind++
	}
	o.agent = rng.IntN(len(m.agents))
	points := m.points(&m.agents[o.agent])
	place := func(mounted int) string { // out of ten are mount points
		if len(points) > 0 && rng.IntN(10) < mounted {
			return points[rng.IntN(len(points))]
		}
		p := randomPath(rng, g.dirs, points)
		for try := 0; try < 3; try++ { // rarely one that is not there
			if _, e := m.walk(&m.agents[o.agent], p); e == 0 {
				break
			}
			p = randomPath(rng, g.dirs, points)
		}
		return p
	}
	sources := [numOps]int{opMount: 2, opBind: 4, opMove: 9, opUmount: 9, opChange: 9, opRemount: 9, opPivot: 8, opHold: 6, opClone: 6, opBeneath: 9, opSetGroup: 9, opSetAttr: 9}
	targets := [numOps]int{opBind: 2, opMove: 2, opPivot: 3, opAttach: 2, opBeneath: 9, opSetGroup: 9}
	o.p, o.q = place(sources[o.kind]), place(targets[o.kind])
	o.hold, o.held = rng.IntN(4), rng.IntN(4) == 0
	o.rec, o.alt = rng.IntN(2) == 0, rng.IntN(3) == 0
	o.how = []mount.Kind{mount.Shared, mount.Shared, mount.Shared, mount.Slave, mount.Slave, mount.Private, mount.Unbindable}[rng.IntN(7)]
	o.flags, o.clear = world.MountFlags(rng.IntN(32)), world.MountFlags(rng.IntN(32))
	switch {
	case (o.kind == opUmount || o.kind == opMount) && o.p == "":
		o.p = "a"
	case o.kind == opSetGroup && rng.IntN(3) > 0:
		o.p, o.q, o.held = m.twins(&m.agents[o.agent], points, rng)
	case o.kind == opChange && rng.IntN(6) == 0:
		o.p = ""
	case o.kind == opSetAttr && o.flags == 0:
		o.flags = world.MountReadOnly
	case o.kind == opPivot && rng.IntN(2) == 0: // one that may succeed
		o.q = o.p + "/" + []string{"a", "b", "c"}[rng.IntN(3)]
	}
	return o
}

// twins are two mount points that show the same filesystem, the second of them private, if there are any.
func (m *model) twins(a *actor, points []string, rng *rand.Rand) (p, q string, held bool) {
	rng.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	for _, p := range points {
		for _, q := range points {
			x, _ := m.walk(a, p)
			y, _ := m.walk(a, q)
			if n := m.t.Node(y.Mount); x.Mount != y.Mount && n.SB == m.t.Node(x.Mount).SB && n.Group == 0 && n.Master == 0 {
				return p, q, false
			}
		}
	}
	return "a", "b", false
}

// points are the mount points that a path leads to, the agent's root left out.
func (m *model) points(a *actor) []string {
	var out []string
	top := m.t.RootOf(a.ns)
	if top == 0 {
		return nil
	}
	for id := range m.mounts(top) {
		at := world.Path{Mount: id, Dentry: m.t.Node(id).Root}
		if at == a.root || !m.t.Reachable(at, a.root) {
			continue
		}
		p := m.path(at, a.root)
		if got, e := m.walk(a, p); e == 0 && got == at {
			out = append(out, strings.TrimPrefix(p, "/"))
		}
	}
	return out
}

// text prints the operation as a person would type it.
func (o *op) text() string {
	source := "/" + o.p
	if o.held {
		source = fmt.Sprintf("fd%d", o.hold)
	}
	rec := ""
	if o.rec {
		rec = "r"
	}
	s := ""
	switch o.kind {
	case opMount:
		s = "mount -t tmpfs none /" + o.p
	case opBind:
		s = "mount --" + rec + "bind /" + o.p + " /" + o.q
	case opMove:
		s = "mount --move /" + o.p + " /" + o.q
	case opUmount:
		s = "umount /" + o.p
		if o.alt {
			s = "umount -l /" + o.p
		}
	case opChange:
		s = "mount --make-" + rec + o.how.String() + " /" + o.p
	case opRemount:
		s = "mount -o remount,bind," + o.flags.String() + " /" + o.p
	case opSpawn:
		s = "unshare -m"
		if o.alt {
			s = "unshare -m -U"
		}
	case opPivot:
		s = "pivot_root /" + o.p + " /" + o.q
	case opHold:
		s = "open /" + o.p
	case opRelease:
		s = fmt.Sprintf("close fd%d", o.hold)
	case opClone:
		s = "open_tree " + source + " CLONE " + rec
	case opAttach:
		s = fmt.Sprintf("move_mount fd%d /%s", o.hold, o.q)
	case opBeneath:
		s = "move_mount " + source + " beneath /" + o.q
	case opSetGroup:
		s = "move_mount " + source + " set_group /" + o.q
	case opSetAttr:
		s = "mount_setattr " + source + " set " + o.flags.String() + " clear " + o.clear.String() + " " + rec
		if o.alt {
			s += " " + o.how.String()
		}
	}
	return fmt.Sprintf("[%d] %s", o.agent, strings.TrimSpace(s))
}

// usesHold reports whether the operation names a descriptor.
func (o *op) usesHold() bool {
	switch o.kind {
	case opRelease, opAttach:
		return true
	case opClone, opBeneath, opSetGroup, opSetAttr:
		return o.held
	}
	return false
}

// maxSeen is how many namespaces a sequence has at most.
const maxSeen = 4

// skips reports whether the operation has nothing to work on.
func (m *model) skips(o *op) bool {
	return o.usesHold() && (len(m.holds) == 0 || !m.holds[o.hold%len(m.holds)].open) || o.kind == opSpawn && len(m.agents) >= maxSeen
}

// do makes an operation in the model.
func (m *model) do(o *op) story.Errno {
	i := o.agent % len(m.agents)
	a := &m.agents[i]
	c := m.caller(a)
	var h *hold
	if o.usesHold() {
		h = &m.holds[o.hold%len(m.holds)]
	}
	source := func() (world.Path, story.Errno) {
		if h != nil {
			return h.at, 0
		}
		return m.walk(a, o.p)
	}
	switch o.kind {
	case opMount:
		at, e := m.walk(a, o.p)
		if e != 0 {
			return e
		}
		fs := m.filesystem()
		_, r := m.t.New(c, at, fs)
		if p, e := m.walk(a, o.p); r.Errno == 0 && (e != 0 || p.Dentry != fs.Root) {
			m.bare[fs.SB] = true
		}
		return r.Errno
	case opBind, opMove:
		at, e := m.walk(a, o.q)
		if e != 0 {
			return e
		}
		from, e := m.walk(a, o.p)
		if e != 0 {
			return e
		}
		if o.kind == opMove {
			return m.t.Move(c, from, at, false).Errno
		}
		_, r := m.t.Bind(c, from, at, o.rec)
		return r.Errno
	case opUmount, opChange, opRemount, opHold:
		at, e := m.walk(a, o.p)
		if e != 0 {
			return e
		}
		switch o.kind {
		case opUmount:
			return m.t.Umount(c, at, o.alt).Errno
		case opChange:
			return m.t.ChangeKind(c, at, o.how, o.rec).Errno
		case opRemount:
			return m.t.SetFlags(c, at, o.flags, m.t.Node(at.Mount).Atime).Errno
		}
		m.holds = append(m.holds, hold{at: at, open: true})
		return 0
	case opSpawn:
		return m.copyNS(i, o.alt)
	case opPivot:
		return m.pivot(a, c, o)
	case opRelease:
		h.open = false
		if h.tree != 0 {
			m.t.DropNS(h.tree)
		}
		return 0
	case opClone:
		from, e := source()
		if e != 0 {
			return e
		}
		ns, id, r := m.t.OpenTree(c, from, o.rec)
		if r.Errno == 0 {
			m.holds = append(m.holds, hold{at: world.Path{Mount: id, Dentry: m.t.Node(id).Root}, tree: ns, open: true})
		}
		return r.Errno
	case opAttach, opBeneath, opSetGroup:
		if o.kind == opBeneath && m.t.K.Has(kernel.MountBeneath) != kernel.Yes {
			return story.EINVAL // sys_move_mount looks at the flags first
		}
		at, e := m.walk(a, o.q)
		if e != 0 {
			return e
		}
		from, e := source()
		switch {
		case e != 0:
			return e
		case o.kind == opSetGroup:
			return m.t.SetGroup(c, from, at).Errno
		}
		return m.t.Move(c, from, at, o.kind == opBeneath).Errno
	}
	at, e := source()
	if e != 0 {
		return e
	}
	attr := mount.Attr{Set: o.flags, Clear: o.clear, Kind: o.how, ChangeKind: o.alt}
	return m.t.SetAttr(c, at, &attr, o.rec).Errno
}

// pivot is pivot_root with chroot_fs_refs.
func (m *model) pivot(a *actor, c *mount.Caller, o *op) story.Errno {
	to, e := m.walk(a, o.p)
	if e == 0 && to.Dentry%perFS == fileEntry {
		e = story.ENOTDIR
	}
	if e != 0 {
		return e
	}
	old, e := m.walk(a, o.q)
	if e == 0 && old.Dentry%perFS == fileEntry {
		e = story.ENOTDIR
	}
	if e != 0 {
		return e
	}
	before := a.root
	if r := m.t.Pivot(c, to, old); r != (mount.Refusal{}) {
		return r.Errno
	}
	for i := range m.agents {
		for _, p := range []*world.Path{&m.agents[i].root, &m.agents[i].cwd} {
			if *p == before {
				*p = to
			}
		}
	}
	return 0
}

// expires is what umount2 with MNT_EXPIRE answers the first time, which changes nothing: it tells locked mounts and busy ones.
func (m *model) expires(a *actor, path string) story.Errno {
	at, e := m.walk(a, path)
	if e != 0 {
		return e
	}
	c := m.caller(a)
	if r := m.t.MayUmount(c, at); r != (mount.Refusal{}) {
		return r.Errno
	}
	n := 0
	for range m.t.Children(at.Mount) {
		n++
	}
	switch {
	case at.Mount == a.root.Mount:
		return story.EINVAL
	case n > 0 || m.Users(at.Mount) > 0:
		return story.EBUSY
	}
	return story.EAGAIN
}

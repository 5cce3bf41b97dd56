package gates

import (
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"

	"syscallstory/kernel"
	"syscallstory/world"
)

// gen makes a scene and calls in it.
type gen struct {
	*rand.Rand
	m     *machine
	s     *Scene
	dirs  []string // full paths of what there is
	files []string // that are no directories
	users int      // how many of the scene's namespaces hold tasks; the others only give mounts their maps
	taken map[string]bool

	programs []string // paths of what execve may begin
}

// pick returns one of several.
func pick[T any](g *gen, s ...T) T { return s[g.IntN(len(s))] }

// one in n times.
func (g *gen) one(n int) bool { return g.IntN(n) == 0 }

// The ids that meet: of files and tasks in the initial namespace, and in those whose maps begin elsewhere.
var ids = []uint32{0, 0, 1000, 1000, 1001, 1002, 5000, 100000, 100000, 101000, 101001, 200000}

// shapes are the user namespaces that scenes choose from.
var shapes = [][]Namespace{
	{{Owner: 0, UIDs: []Extent{{0, 100000, 65536}}, GIDs: []Extent{{0, 100000, 65536}}}},
	{{Owner: 1000, UIDs: []Extent{{0, 1000, 1}}, GIDs: []Extent{{0, 1000, 1}}}},
	{{Owner: 1000, UIDs: []Extent{{0, 1000, 1}, {1, 100000, 5000}}, GIDs: []Extent{{0, 1000, 1}, {1, 100000, 5000}}}},
	{{Owner: 0, UIDs: []Extent{{0, 0, 2000}}, GIDs: []Extent{{0, 0, 1001}}}},
	{{Owner: 0, UIDs: []Extent{{0, 0, 65536}}, GIDs: []Extent{{0, 100000, 65536}}}},
	{{Owner: 0, UIDs: []Extent{{0, 100000, 65536}}, GIDs: []Extent{{0, 100000, 65536}}}, {Parent: 1, Owner: 100000, UIDs: []Extent{{0, 0, 1}, {1, 1000, 500}}, GIDs: []Extent{{0, 0, 2000}}}},
	{{Owner: 1000, UIDs: []Extent{{0, 1000, 1}, {1, 100000, 5000}}, GIDs: []Extent{{0, 1000, 1}, {1, 100000, 5000}}}, {Parent: 1, Owner: 1000, UIDs: []Extent{{0, 1, 1002}}, GIDs: []Extent{{0, 1, 1002}}}},
}

// idmaps are namespaces whose maps mounts use.
var idmaps = []Namespace{
	{UIDs: []Extent{{0, 1000, 1}, {1000, 0, 1}}, GIDs: []Extent{{0, 1000, 1}, {1000, 0, 1}}},
	{UIDs: []Extent{{0, 100000, 65536}}, GIDs: []Extent{{0, 100000, 65536}}},
	{UIDs: []Extent{{1000, 1001, 1}, {0, 0, 1}}, GIDs: []Extent{{1000, 1001, 2}}},
}

// scene makes a world with its tasks.
func (m *machine) scene(r *rand.Rand) *gen {
	g := &gen{Rand: r, m: m, s: &Scene{}, taken: map[string]bool{}}
	if !g.one(3) {
		g.s.Namespaces = append(g.s.Namespaces, pick(g, shapes...)...)
		g.users = len(g.s.Namespaces)
	}
	g.item(Item{Mount: &Mount{Kind: "tmpfs", Point: "/w", Mode: pick[uint16](g, 0o755, 0o755, 0o777, 0o1777, 0o2775), UID: pick(g, ids...), GID: pick(g, ids...)}})
	g.grow("/w", 8+g.IntN(8))
	for range 1 + g.IntN(4) {
		g.mount()
	}
	if g.one(2) {
		for range 1 + g.IntN(2) {
			t := g.credentials()
			t.Dumpable = g.one(2)
			g.s.Targets = append(g.s.Targets, t)
		}
	}
	if g.one(2) {
		g.objects()
	}
	for range 2 + g.IntN(2) {
		g.s.Tasks = append(g.s.Tasks, g.task())
	}
	return g
}

func (g *gen) item(i Item) {
	g.s.Items = append(g.s.Items, i)
	switch {
	case i.File != nil:
		g.taken[i.File.Path] = true
		if i.File.Mode&world.TypeMask == world.TypeDir {
			g.dirs = append(g.dirs, i.File.Path)
		} else {
			g.files = append(g.files, i.File.Path)
		}
	case i.Mount.Point == "/w":
		g.dirs = append(g.dirs, "/w")
	}
}

var letters = []string{"a", "b", "c", "d", "e", "f"}

// grow makes files below a directory.
func (g *gen) grow(root string, n int) {
	for range n {
		var below []string
		for _, d := range g.dirs {
			if d == root || strings.HasPrefix(d, root+"/") {
				below = append(below, d)
			}
		}
		p := path.Join(pick(g, below...), pick(g, letters...))
		if g.taken[p] || strings.Count(p, "/") > 5 {
			continue
		}
		f := g.file(p)
		if f.Mode&world.TypeMask == world.TypeReg && len(g.files) > 0 && g.one(12) {
			if old := pick(g, g.files...); g.plain(old) && strings.HasPrefix(old, root+"/") {
				f = &File{Path: p, Hard: old, Mode: g.find(old).Mode}
			}
		}
		g.item(Item{File: f})
	}
}

// plain reports whether a path is a regular file that may get another name.
func (g *gen) plain(p string) bool {
	f := g.find(p)
	return f != nil && f.Mode&world.TypeMask == world.TypeReg && f.Hard == ""
}

func (g *gen) find(p string) *File { return g.findBefore(p, len(g.s.Items)) }

// findBefore looks among the first n items; a mount shows other files than those that were made below its point before.
func (g *gen) findBefore(p string, n int) *File {
	for i := n - 1; i >= 0; i-- { // the latest hides earlier ones
		it := &g.s.Items[i]
		if it.File != nil && it.File.Path == p {
			return it.File
		}
		if m := it.Mount; m != nil && strings.HasPrefix(p, m.Point+"/") {
			if m.Kind == "bind" {
				return g.findBefore(m.Source+strings.TrimPrefix(p, m.Point), i)
			}
			return nil
		}
	}
	return nil
}

// file makes the attributes of a file.
func (g *gen) file(p string) *File {
	f := &File{Path: p, UID: pick(g, ids...), GID: pick(g, ids...)}
	switch n := g.IntN(20); {
	case n < 8:
		f.Mode = world.TypeDir | pick[uint16](g, 0o755, 0o755, 0o755, 0o700, 0o711, 0o777, 0o1777, 0o1770, 0o2775, 0o750, 0o070, 0, 0o555, 0o705)
	case n < 15:
		f.Mode = world.TypeReg | pick[uint16](g, 0o644, 0o644, 0o600, 0o666, 0o444, 0o755, 0o4755, 0o2755, 0o6711, 0o640, 0o040, 0o004, 0, 0o2644, 0o111)
		if f.Size = pick[int64](g, 0, 5, 4096); g.one(3) {
			g.program(f)
		}
	case n < 18:
		return &File{Path: p, UID: f.UID, GID: f.GID, Mode: world.TypeLink | 0o777, Target: g.target(p)}
	case n == 18:
		f.Mode = pick[uint16](g, world.TypeFIFO, world.TypeSock) | pick[uint16](g, 0o644, 0o666, 0o600)
		return f
	default:
		f.Mode, f.Dev = world.TypeChar|pick[uint16](g, 0o644, 0o666, 0o600), 1<<8|3
		return f
	}
	if g.one(8) {
		g.acl(f)
	}
	if g.one(12) && g.attributes() {
		f.Immutable, f.Append = g.one(2), g.one(2)
	}
	return f
}

// attributes reports whether tmpfs has the attributes of chattr here.
func (g *gen) attributes() bool { return g.m.release.Has(kernel.TmpfsAttributes) == kernel.Yes }

// target is where a symbolic link leads.
func (g *gen) target(p string) string {
	all := append(slices.Clone(g.dirs), g.files...)
	switch g.IntN(8) {
	case 0:
		return pick(g, letters...)
	case 1:
		return "../" + pick(g, letters...)
	case 2:
		return "/w/" + pick(g, letters...)
	case 3:
		return path.Base(p) // itself
	case 4:
		return "."
	}
	t := pick(g, all...)
	if g.one(2) {
		return t
	}
	up := strings.Repeat("../", strings.Count(p, "/")-1)
	return up + strings.TrimPrefix(t, "/")
}

// acl gives a file an access ACL; the group bits of its mode become the mask.
func (g *gen) acl(f *File) {
	perm := func() uint8 { return uint8(g.IntN(8)) }
	mask := pick[uint8](g, 0, 7, 7, 4, 6, 5, 1)
	f.ACL = append(f.ACL, ACL{Tag: "user_obj", Perm: uint8(f.Mode >> 6 & 7)})
	users, groups := map[uint32]bool{}, map[uint32]bool{}
	for range 1 + g.IntN(2) {
		users[pick(g, ids...)] = true
	}
	for range g.IntN(2) {
		groups[pick(g, ids...)] = true
	}
	add := func(tag string, m map[uint32]bool) {
		var list []uint32
		for id := range m {
			list = append(list, id)
		}
		slices.Sort(list)
		for _, id := range list {
			f.ACL = append(f.ACL, ACL{Tag: tag, ID: id, Perm: perm()})
		}
	}
	add("user", users)
	f.ACL = append(f.ACL, ACL{Tag: "group_obj", Perm: perm()})
	add("group", groups)
	f.ACL = append(f.ACL, ACL{Tag: "mask", Perm: mask}, ACL{Tag: "other", Perm: uint8(f.Mode & 7)})
	f.Mode = f.Mode&^0o070 | uint16(mask)<<3
}

// mount puts a mount somewhere.
func (g *gen) mount() {
	flags := func() (out []string) {
		for _, f := range []string{"ro", "nosuid", "nodev", "noexec", "nosymfollow"} {
			if g.one(map[string]int{"ro": 3}[f] + 4) {
				out = append(out, f)
			}
		}
		return out
	}
	var free []string // a mount hides what lies below
	for _, d := range g.dirs {
		if d != "/w" && !g.veiled(d) {
			free = append(free, d)
		}
	}
	if len(free) == 0 {
		return
	}
	at := pick(g, free...)
	switch n := g.IntN(12); {
	case n < 3:
		m := &Mount{Kind: "tmpfs", Point: at, Flags: flags(), Super: g.one(4), Mode: pick[uint16](g, 0o755, 0o777, 0o1777, 0o700), UID: pick(g, ids...), GID: pick(g, ids...)}
		if disk := g.one(3); disk && g.m.ext4 && !slices.ContainsFunc(g.s.Items, func(i Item) bool { return i.Mount != nil && i.Mount.Kind == "ext4" }) {
			m.Kind = "ext4" // one of them: it takes time
		} else if g.users > 0 && g.one(2) {
			g.owned(m)
		}
		g.hide(at)
		g.item(Item{Mount: m})
		g.growWithin(at, 1+g.IntN(4), m.Owner)
	case n < 6:
		from := pick(g, g.dirs...)
		if from == at || strings.HasPrefix(at, from+"/") && g.one(2) || g.veiled(from) {
			return
		}
		g.bind(&Mount{Kind: "bind", Point: at, Source: from, Flags: flags()})
	case n < 7 && len(g.files) > 1:
		from, to := pick(g, g.files...), pick(g, g.files...)
		if f, t := g.find(from), g.find(to); from != to && !g.covered(from) && !g.covered(to) && !g.veiled(from) && !g.veiled(to) && f != nil && t != nil && f.Mode&world.TypeMask == world.TypeReg && t.Mode&world.TypeMask == world.TypeReg {
			g.item(Item{Mount: &Mount{Kind: "bind", Point: to, Source: from, Flags: flags()}})
		}
	case n < 8:
		from := pick(g, g.dirs...)
		if from == at || strings.HasPrefix(at, from+"/") || g.foreignAt(from) || g.m.release.Has(kernel.TmpfsIDMap) != kernel.Yes {
			return
		}
		ns := pick(g, idmaps...)
		g.s.Namespaces = append(g.s.Namespaces, ns)
		g.bind(&Mount{Kind: "bind", Point: at, Source: from, Flags: flags(), IDMap: len(g.s.Namespaces)})
	default:
		g.overlay(at, flags())
	}
}

// foreignAt reports whether a path lies on a filesystem of a user namespace, or behind a map already.
func (g *gen) foreignAt(p string) bool {
	return g.behind(p, func(m *Mount) bool { return m.Owner != 0 || m.IDMap != 0 || m.Kind == "overlay" || m.Kind == "bind" })
}

// veiled reports whether a path lies behind an idmapped mount or in an overlay of a user namespace: root may be kept out there.
func (g *gen) veiled(p string) bool {
	return g.behind(p, func(m *Mount) bool { return m.IDMap != 0 || m.Kind == "overlay" && m.Owner != 0 })
}

// behind reports whether a path lies on or below a mount of some sort.
func (g *gen) behind(p string, sort func(*Mount) bool) bool {
	for i := range g.s.Items {
		if m := g.s.Items[i].Mount; m != nil && sort(m) && (p == m.Point || strings.HasPrefix(p, m.Point+"/")) {
			return true
		}
	}
	return false
}

// owned makes a user namespace the owner of a tmpfs.
func (g *gen) owned(m *Mount) {
	m.Owner = 1
	ns := userNamespaces(g.s)[1]
	mapped := func(up func(uint32) (uint32, bool)) uint32 {
		for range 20 {
			if id := pick(g, ids...); true {
				if _, ok := up(id); ok {
					return id
				}
			}
		}
		return ns.UIDs[0].Outside
	}
	m.UID, m.GID = mapped(ns.UIDs.Up), mapped(ns.GIDs.Up)
	if _, ok := ns.GIDs.Up(m.GID); !ok {
		m.GID = ns.GIDs[0].Outside
	}
	m.Super = false
}

// growWithin makes files on a filesystem of a user namespace, whose ids must have a place there.
func (g *gen) growWithin(root string, n, owner int) {
	before := len(g.s.Items)
	g.dirs = append(g.dirs, root)
	g.grow(root, n)
	if owner == 0 {
		return
	}
	ns := userNamespaces(g.s)[owner]
	for i := before; i < len(g.s.Items); i++ {
		f := g.s.Items[i].File
		if f == nil {
			continue
		}
		if !ns.MapsUID(world.KUID(f.UID)) {
			f.UID = ns.UIDs[0].Outside
		}
		if !ns.MapsGID(world.KGID(f.GID)) {
			f.GID = ns.GIDs[0].Outside
		}
		if f.ACL, f.Caps = nil, nil; f.Mode&world.TypeMask == world.TypeChar {
			f.Mode = world.TypeReg | 0o644
			f.Dev = 0
		}
	}
}

// hide forgets what lies below a new mount.
func (g *gen) hide(p string) {
	below := func(q string) bool { return q == p || strings.HasPrefix(q, p+"/") }
	g.dirs = slices.DeleteFunc(g.dirs, below)
	g.files = slices.DeleteFunc(g.files, below)
	for q := range g.taken {
		if below(q) && q != p {
			delete(g.taken, q)
		}
	}
}

// bind shows a directory at another place.
func (g *gen) bind(m *Mount) {
	var dirs, files []string
	for _, list := range []struct {
		from []string
		to   *[]string
	}{{g.dirs, &dirs}, {g.files, &files}} {
		for _, d := range list.from {
			if rest, ok := strings.CutPrefix(d, m.Source); ok && (rest == "" || rest[0] == '/') && !g.crosses(m.Source, d) && !strings.HasPrefix(d, m.Point) {
				*list.to = append(*list.to, m.Point+rest)
			}
		}
	}
	g.hide(m.Point)
	g.item(Item{Mount: m})
	g.dirs, g.files = append(g.dirs, dirs...), append(g.files, files...)
}

// covered reports whether a mount hides the file that was made at a path: another one may be there now.
func (g *gen) covered(p string) bool {
	made := slices.IndexFunc(g.s.Items, func(i Item) bool { return i.File != nil && i.File.Path == p })
	return slices.ContainsFunc(g.s.Items[max(made, 0):], func(i Item) bool {
		return i.Mount != nil && (p == i.Mount.Point || strings.HasPrefix(p, i.Mount.Point+"/"))
	})
}

// crosses reports whether another mount lies between a directory and a path below it: a bind does not show it.
func (g *gen) crosses(from, to string) bool {
	for i := range g.s.Items {
		if m := g.s.Items[i].Mount; m != nil && m.Point != from && strings.HasPrefix(m.Point, from+"/") && (to == m.Point || strings.HasPrefix(to, m.Point+"/")) {
			return true
		}
	}
	return false
}

// overlay merges two or three layers.
func (g *gen) overlay(at string, flags []string) {
	m := &Mount{Kind: "overlay", Point: at, Flags: flags}
	root := File{Mode: world.TypeDir | 0o755}
	if g.users > 0 && g.one(10) && g.m.release.Has(kernel.OverlayParsesLayers) == kernel.Yes {
		m.Owner = 1
		ns := &userNamespaces(g.s)[1] // its root writes there when it mounts
		root.UID, root.GID = ns.UIDs[0].Outside, ns.GIDs[0].Outside
	}
	names := map[string]bool{}
	layer := func(prefix string) int {
		l := Layer{}
		if prefix != "" {
			root.Path = prefix
			l.Files = append(l.Files, root)
		}
		dirs := []string{prefix}
		for range 2 + g.IntN(5) {
			p := pick(g, dirs...) + "/" + pick(g, letters[:4]...)
			if slices.ContainsFunc(l.Files, func(f File) bool { return f.Path == p }) {
				continue
			}
			f := g.file(p)
			f.Hard = ""
			if t := f.Mode & world.TypeMask; t == world.TypeLink {
				f.Target = pick(g, "a", "../b", "/w/a", "c/a")
			} else if t == world.TypeChar && g.one(2) {
				f.Dev = 0 // a whiteout
			} else if t == world.TypeDir {
				dirs = append(dirs, p)
				f.Opaque = g.one(6)
			}
			f.Immutable, f.Append = false, false
			l.Files = append(l.Files, *f)
			names[strings.TrimPrefix(p, prefix)] = true
		}
		g.s.Layers = append(g.s.Layers, l)
		return len(g.s.Layers) - 1
	}
	if !g.one(5) {
		m.Upper = layer("/u") + 1
	}
	for range 1 + g.IntN(2) + map[bool]int{true: 1}[m.Upper == 0] {
		m.Lower = append(m.Lower, layer(""))
	}
	g.hide(at)
	g.item(Item{Mount: m})
	g.dirs = append(g.dirs, at)
	var sorted []string
	for n := range names {
		sorted = append(sorted, n)
	}
	slices.Sort(sorted)
	for _, n := range sorted {
		g.files = append(g.files, at+n)
	}
}

// capabilities that decide often.
var deciding = []kernel.Cap{kernel.CapChown, kernel.CapDacOverride, kernel.CapDacReadSearch, kernel.CapFowner, kernel.CapFsetid, kernel.CapMknod, kernel.CapSysChroot, kernel.CapSysAdmin,
	kernel.CapSetuid, kernel.CapSetgid, kernel.CapSetpcap, kernel.CapKill, kernel.CapSysPtrace, kernel.CapNetBindService, kernel.CapNetRaw, kernel.CapNetAdmin, kernel.CapSysNice,
	kernel.CapLinuxImmutable, kernel.CapSetfcap, kernel.CapIpcLock, kernel.CapSysResource, kernel.CapSyslog, kernel.CapSysTime, kernel.CapSysBoot}

// credentials are those of a task or a target.
func (g *gen) credentials() Task {
	t := Task{Cwd: "/w", Bounding: uint64(world.AllCaps), Umask: pick[uint16](g, 0, 0o022, 0o077)}
	all := userNamespaces(g.s)
	own := uint64(g.m.caps)
	if n := len(all); n > 1 && g.one(2) {
		t.NS = 1 + g.IntN(n-1)
		own = uint64(world.AllCaps)
		t.OwnMounts = g.one(2)
	}
	ns := &all[t.NS]
	uid := func() uint32 {
		for range 30 {
			if id := pick(g, ids...); ns.MapsUID(world.KUID(id)) {
				return id
			}
		}
		return ns.UIDs[0].Outside
	}
	gid := func() uint32 {
		for range 30 {
			if id := pick(g, ids...); ns.MapsGID(world.KGID(id)) {
				return id
			}
		}
		return ns.GIDs[0].Outside
	}
	t.UID, t.GID = uid(), gid()
	for range g.IntN(3) {
		if k := gid(); !slices.Contains(t.Groups, k) {
			t.Groups = append(t.Groups, k)
		}
	}
	if g.one(5) {
		t.Real, t.Saved = &[2]uint32{uid(), gid()}, &[2]uint32{uid(), gid()}
	}
	switch g.IntN(8) {
	case 0, 1:
		t.Effective = own
	case 2, 3:
		for _, c := range deciding {
			if g.one(4) {
				t.Effective |= 1 << c
			}
		}
		t.Effective &= own
	case 4:
		t.Permitted = own
	}
	return t
}

// task makes who calls.
func (g *gen) task() Task {
	t := g.credentials()
	t.NoNewPrivs = g.one(4)
	var reached []string // root may not enter what has no id there
	for _, d := range g.dirs {
		if !g.veiled(d) {
			reached = append(reached, d)
		}
	}
	if g.one(5) {
		t.Root = pick(g, reached...)
	}
	if g.one(2) {
		t.Cwd = pick(g, reached...)
	}
	for range g.IntN(4) {
		fd := FD{Path: pick(g, append(slices.Clone(g.dirs), g.files...)...)}
		f := g.find(fd.Path)
		if g.veiled(fd.Path) {
			continue // root may not open what has no id there
		}
		switch {
		case f == nil || f.Mode&world.TypeMask == world.TypeDir && g.under(fd.Path):
			fd.Flags = pick[uint64](g, 0o200000, 0o10000000)
			if !slices.Contains(g.dirs, fd.Path) {
				continue
			}
		case f.Mode&world.TypeMask == world.TypeReg && !f.Append && !f.Immutable && f.Hard == "" && g.under(fd.Path):
			fd.Flags = pick[uint64](g, 0, 1, 2, 0o10000000)
			if g.readOnly(fd.Path) {
				fd.Flags &^= 3
			}
		default:
			continue
		}
		t.FDs = append(t.FDs, fd)
	}
	g.descriptors(&t)
	g.confine(&t)
	return t
}

// sockets are those that tasks have.
var sockets = []Socket{{1, 1, 0}, {1, 2, 0}, {2, 1, 0}, {2, 2, 0}, {10, 1, 0}, {16, 3, 0}}

// descriptors opens what is no file for a task.
func (g *gen) descriptors(t *Task) {
	add := func(f FD) { t.FDs = append(t.FDs, f) }
	if g.one(3) {
		s := pick(g, sockets...)
		add(FD{Socket: &s})
	}
	if n := len(g.s.Targets); n > 0 && !g.one(3) {
		add(FD{Target: 1 + g.IntN(n)})
	}
	if g.one(3) {
		f := FD{NS: pick(g, "user", "user", "uts", "ipc", "net", "mnt")}
		if n := g.users; n > 0 && f.NS != "mnt" && !g.one(3) {
			f.Namespace = 1 + g.IntN(n)
		}
		add(f)
	}
	if g.one(8) {
		add(FD{Context: "tmpfs"})
	}
}

// under reports whether a path can be opened as it is: not hidden by a link that a random path may have.
func (g *gen) under(p string) bool { return !strings.Contains(p, "//") }

// readOnly reports whether some mount over a path may be read-only.
func (g *gen) readOnly(p string) bool {
	return g.behind(p, func(m *Mount) bool {
		return m.Super || slices.Contains(m.Flags, "ro") || m.Kind == "overlay" || m.Owner != 0
	})
}

// pathFor writes a path for a task: most lead to what there is, some are spoilt.
func (g *gen) pathFor(t *Task) string {
	all := append(slices.Clone(g.dirs), g.files...)
	p := pick(g, all...)
	if len(g.files) > 0 && g.one(2) {
		p = pick(g, g.files...)
	}
	if g.one(4) {
		p = path.Join(pick(g, all...), pick(g, "a", "b", "new", "zz"))
	}
	switch g.IntN(30) {
	case 0:
		p += "/"
	case 1:
		p += "/."
	case 2:
		p += "/.."
	case 3:
		p = path.Dir(p) + "/../" + pick(g, letters...)
	case 4:
		p = strings.Replace(p, "/", "//", 1)
	case 5:
		p += "/" + strings.Repeat("n", pick(g, 255, 256, 300))
	case 6:
		if g.one(4) {
			return pick(g, "", "/", ".", "..", "/"+strings.Repeat("x/", 2100))
		}
	}
	if t.Root != "" && !g.one(8) {
		if rest, ok := strings.CutPrefix(p, t.Root); ok {
			p = "/" + strings.TrimLeft(rest, "/")
		}
	}
	if rest, ok := strings.CutPrefix(p, t.Cwd+"/"); ok && g.one(2) {
		p = rest
	}
	return p
}

// quoted is pathFor as a call has it.
func (g *gen) path(t *Task) string {
	if g.one(400) {
		return "NULL"
	}
	return fmt.Sprintf("%q", g.pathFor(t))
}

// fd is a descriptor of a file, or one that is not open.
func (g *gen) fd(t *Task) string {
	if n := g.openAs(t, func(f *FD) bool { return f.Path != "" }); n >= 0 && !g.one(8) {
		return fmt.Sprint(n)
	}
	return pick(g, "7", "9", "-1")
}

// anyFD is a descriptor of any sort, or one that is not open.
func (g *gen) anyFD(t *Task) string {
	if n := len(t.FDs); n > 0 && !g.one(8) {
		return fmt.Sprint(g.IntN(n))
	}
	return pick(g, "7", "9", "-1")
}

// at is AT_FDCWD mostly.
func (g *gen) at(t *Task) string {
	if g.one(3) {
		return g.fd(t)
	}
	return "AT_FDCWD"
}

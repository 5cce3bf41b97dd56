//go:build linux

package live

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"syscallstory/from/files"
	"syscallstory/story"
	"syscallstory/world"
)

// superblock is a filesystem of the world with what it is read from.
type superblock struct {
	id    world.SBID
	src   *super
	eager bool // an overlay whose layers are known: its names are merged, not read
}

// inodeOf reads the inode of a descriptor as a source would.
func inodeOf(s *super, fd int, m *shown) (world.Inode, identity, error) {
	ino, st, err := files.Inode(s.r.w, fd, "")
	if err != nil {
		return ino, identity{}, err
	}
	s.translate(&ino, m)
	return ino, identity{st.Dev_major, st.Dev_minor, st.Ino}, nil
}

// userMountable are the filesystems that can be mounted in a user namespace (FS_USERNS_MOUNT).
var userMountable = []string{"tmpfs", "ramfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2", "overlay", "fuse", "fuseblk", "binfmt_misc", "bpf", "erofs"}

// remote are the filesystems that a server or a process answers for.
var remote = []string{"nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "fuse", "ceph", "afs"}

// mounts makes the mount namespace.
func (b *builder) mounts() error {
	own := &space{nsFact: b.p.mnt, pid: b.p.pid, dir: b.p.dir, view: b.p.view}
	b.r = &reader{w: b.World, users: b.p.users, st: &b.p.st, open: map[*shown]int{}, bared: map[*shown]int{}, cover: map[world.DentryID]world.DentryID{}, exes: b.p.exes, allExes: b.p.allExes}
	b.p.readers = append(b.p.readers, b.r)
	b.supers, b.byID, b.foreign = map[device]*superblock{}, make(map[int]*shown, len(own.view.table)), map[device]world.SBID{}
	owner := world.UserNSID(b.p.mnt.owner)
	b.MountNS = []world.MountNS{{Name: "its mount namespace", Owner: owner}, {Name: "no mount namespace of the process"}}
	if owner != 0 {
		b.MountNS[0].LocksAt = b.Miss("which mounts of the process's namespace are locked is shown nowhere", "")
	}
	b.spread(own)
	b.otherSpaces()
	return nil
}

// spread puts the mounts of a namespace into the world.
func (b *builder) spread(in *space) {
	v := in.view
	kids := make(map[int][]*shown, len(v.table))
	all := make([]shown, len(v.table))
	for i := range v.table {
		all[i] = shown{mountLine: &v.table[i], in: in}
		b.byID[v.table[i].id] = &all[i]
	}
	var roots []*shown
	for i := range all {
		m := &all[i]
		if up := b.byID[m.parent]; up == nil || up == m {
			roots = append(roots, m)
		} else {
			kids[m.parent] = append(kids[m.parent], m)
		}
	}
	if len(roots) == 0 || roots[0].point != "/" {
		roots = append([]*shown{b.rootless(in)}, roots...)
	}
	b.maps(in, all)
	for i := range all {
		b.show(&all[i])
	}
	b.MountNS[in.ns].Root = b.attach(world.Path{}, roots[0])
	todo := []*shown{roots[0]}
	for _, m := range roots[1:] { // a process in a chroot, seen without the right to enter its namespace
		m.parent = roots[0].id
		kids[roots[0].id] = append(kids[roots[0].id], m)
	}
	for len(todo) > 0 {
		up := todo[0]
		todo = todo[1:]
		for _, m := range kids[up.id] {
			rel := strings.TrimPrefix(m.point, strings.TrimSuffix(up.point, "/"))
			s := b.supers[up.dev]
			b.attach(world.Path{Mount: up.world, Dentry: b.skeleton(s, b.Mounts[up.world].Root, rel)}, m)
			todo = append(todo, m)
		}
	}
}

// rootless stands for the mount of a root that the table does not show: it is a directory inside of it.
func (b *builder) rootless(in *space) *shown {
	m := &shown{in: in, mountLine: &mountLine{id: -1, dev: device{^uint32(0), 0}, root: "/", point: "/", fstype: "unknown"}}
	if id, err := mountID(int(in.view.root.Fd())); err == nil {
		m.id = id
	}
	b.byID[m.id] = m
	return m
}

// show makes a mount one of those that its superblock is read through.
func (b *builder) show(m *shown) {
	s := b.superOf(m)
	list := s.src.shows[m.root]
	if m.idmapped || m.in.ns != 0 {
		list = append(list, m)
	} else {
		list = slices.Insert(list, 0, m)
	}
	s.src.shows[m.root] = list[:min(len(list), 64)]
}

func (b *builder) mountOrigin(m *shown) story.Origin {
	if m.line == 0 {
		return b.Miss("the mount that the process's root lies on is not known", "run as root")
	}
	return b.Add(story.Place{File: m.in.view.file, Line: m.line, Col: 1})
}

// superOf returns the superblock of a mount and makes it where it is new.
func (b *builder) superOf(m *shown) *superblock {
	if s := b.supers[m.dev]; s != nil {
		return s
	}
	at := b.mountOrigin(m)
	sb := world.SB{Type: m.fstype, Name: name(m.mountLine), At: at, FlagsAt: at}
	if m.readOnlySuper() {
		sb.Flags |= world.SBReadOnly
	}
	if labelled() {
		sb.Contexts = world.Given(contexts(m.super), at)
	}
	if m.fstype == "cgroup2" {
		_, set := m.superOption("nsdelegate")
		sb.NSDelegate = world.Given(set, at)
	}
	if v, set := m.superOption("hidepid"); set && m.fstype == "proc" {
		sb.HidePID = world.Given(map[string]int{"0": 0, "off": 0, "1": 1, "noaccess": 1, "2": 2, "invisible": 2, "4": 4, "ptraceable": 4}[v], at)
		if group, set := m.superOption("gid"); set {
			if id, err := strconv.ParseUint(group, 10, 32); err == nil { // as story's own user namespace counts
				sb.HideGID = world.KGID(id)
			}
		}
	}
	switch m.fstype {
	case "proc", "sysfs", "cgroup", "cgroup2", "mqueue": // SB_I_NOEXEC and SB_I_NODEV
		sb.Flags |= world.SBNoExec | world.SBNoDev
	}
	if owner := b.MountNS[m.in.ns].Owner; owner != 0 && slices.Contains(userMountable, m.fstype) && !b.p.host[m.dev] {
		sb.UserNS = owner
		sb.At = b.Suppose(fmt.Sprintf("%s was mounted in the user namespace that owns the mount namespace", sb.Name), "")
		if m.fstype != "devpts" {
			sb.Flags |= world.SBNoDev
		}
	}
	s := &superblock{src: &super{r: b.r, name: sb.Name, fstype: m.fstype, userNS: sb.UserNS, shows: map[string][]*shown{}, same: map[identity]world.InodeID{},
		slow: slices.Contains(remote, m.fstype) || strings.HasPrefix(m.fstype, "fuse.")}}
	sb.Source = s.src
	b.supers[m.dev] = s
	if m.fstype == "overlay" && b.overlay(m, &sb, s) {
		return s
	}
	s.id = b.FS.NewSB(sb, world.Inode{Pending: true})
	return s
}

func name(m *mountLine) string {
	if m.source == "" || m.source == m.fstype || m.source == "none" {
		return m.fstype
	}
	return m.fstype + " " + m.source
}

// skeleton returns a place of a filesystem that is known to be there without reading it.
func (b *builder) skeleton(s *superblock, from world.DentryID, rel string) world.DentryID {
	rel, removed := strings.CutSuffix(rel, deletedRoot)
	d := from
	for n := range strings.SplitSeq(rel, "/") {
		if n == "" {
			continue
		}
		next := b.FS.Known(d, n)
		if next == 0 && s.eager {
			next, _ = b.FS.Lookup(d, n)
		}
		if next == 0 {
			next = b.FS.Add(d, n, world.Inode{SB: s.id, Pending: true})
		}
		d = next
	}
	if removed {
		return b.FS.AddUnnamed(b.FS.D(d).Parent, b.FS.D(d).Name+deletedRoot, world.Inode{SB: s.id, Pending: true})
	}
	return d
}

// attach mounts one line of the table.
func (b *builder) attach(at world.Path, m *shown) world.MountID {
	s := b.superOf(m)
	origin := b.mountOrigin(m)
	wm := world.Mount{NS: m.in.ns, SB: s.id, Root: b.skeleton(s, b.FS.SB(s.id).Root, m.root), Flags: m.flags, Point: m.point, Source: m.source, Origin: origin, Why: origin, Group: m.group, Master: m.master, Unbindable: m.unbindable, Atime: m.atime}
	if m.line == 0 {
		wm.Unsure = 0xff
	}
	if m.in.ns != 0 {
		wm.Group, wm.Master = 0, 0
	}
	if m.root != "/" {
		wm.Source += "[" + m.root + "]"
	}
	if m.idmapped {
		wm.IDMap = b.idmap(m)
	}
	m.world = b.Attach(at, wm)
	b.r.cover[at.Dentry] = wm.Root
	return m.world
}

// idmap returns the user namespace that stands for an idmapped mount's map.
func (b *builder) idmap(m *shown) world.UserNSID {
	if m.shift[0] == nil {
		b.Findings = append(b.Findings, story.Finding{Severity: "note", Text: fmt.Sprintf("the id map of the mount at %s is not shown by this kernel (statmount, Linux 6.15): who owns its files is not known", m.point)})
		return 0
	}
	for i := range b.UserNS {
		if n := &b.UserNS[i]; i > 0 && slices.Equal(n.UIDs, m.shift[0]) && slices.Equal(n.GIDs, m.shift[1]) {
			return world.UserNSID(i)
		}
	}
	if len(b.UserNS) > 250 {
		return 0
	}
	b.UserNS = append(b.UserNS, world.UserNS{Level: 1, Owner: world.KUID(world.Invalid), UIDs: m.shift[0], GIDs: m.shift[1], Name: "the id map of " + m.point})
	return world.UserNSID(len(b.UserNS) - 1)
}

// maps asks for the maps of idmapped mounts.
func (b *builder) maps(in *space, all []shown) {
	var ns uint64
	fd, err := unix.Openat(int(in.dir.Fd()), "ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		ns, _ = mountNSID(fd)
		unix.Close(fd)
	}
	for i := range all {
		m := &all[i]
		if !m.idmapped {
			continue
		}
		if fd, err := b.r.mount(m); err == nil {
			for k, text := range statmountMaps(fd, ns) {
				if inner, err := parseIDMap([]byte(text)); err == nil && text != "" {
					m.shift[k] = compose(inner, b.p.users.outer[k])
				}
			}
		}
	}
}

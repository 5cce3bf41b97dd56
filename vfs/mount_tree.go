package vfs

import (
	"slices"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// mounts is the tree of the world's mounts, kept between calls, and the task that asks. It answers what the tree does not
// know: mount.Asker.
type mounts struct {
	c       *check.Check
	tree    *mount.Tree
	version uint64
	caller  mount.Caller
	idmap   world.UserNSID // that mount_setattr is asked for
}

// mountsOf returns the mounts as they are for the call under way.
func mountsOf(c *check.Check) *mounts {
	m, _ := c.Mounts.(*mounts)
	if m == nil || m.version != c.W.MountsVersion() || m.tree == nil {
		m = &mounts{tree: mount.FromWorld(c.W, c.K), version: c.W.MountsVersion()}
		c.Mounts = m
	}
	m.c = c
	m.tree.Max = c.W.Sysctl(kernel.FSMountMax).V
	m.caller = mount.Caller{NS: mount.NS(c.W.Task.MountNS) + 1, Root: c.W.Task.Root, Asker: m}
	return m
}

// Admin is ns_capable(ns, CAP_SYS_ADMIN).
func (m *mounts) Admin(ns world.UserNSID) story.Errno {
	return Capable(m.c, ns, check.RealmMountNS, kernel.CapSysAdmin, world.Path{}, story.OpMount)
}

// SameKind compares what is mounted, a new filesystem's root where that is 0, with its mount point.
func (m *mounts) SameKind(at, root world.DentryID, e story.Errno) story.Errno {
	c := m.c
	on := c.W.FS.I(at)
	s := story.Step{Code: story.MountKind, Errno: e, Op: story.OpMount, Obj: story.Ref{Dentry: uint32(at)}, Fact: [3]story.Origin{on.At}, Val: [3]uint64{uint64(on.Mode)}}
	dir, known := true, on.Known
	if root != 0 {
		i := c.W.FS.I(root)
		dir, known = i.Is(world.TypeDir), known&i.Known
	}
	switch {
	case known&world.KnownType == 0:
		c.Unknown(s)
	case on.Is(world.TypeDir) != dir:
		return c.Refuse(s)
	}
	return 0
}

// MayIDMap is can_idmap_mount.
func (m *mounts) MayIDMap(id mount.ID) story.Errno { return m.mayIDMap(id) }

// unsure reports whether how a file was opened, or whether it is mapped still, is not known.
func unsure(f world.FD) bool { return f.FlagsAt&story.Missing != 0 }

// Users counts the task's own uses of a mount; those of others are not known.
func (m *mounts) Users(id mount.ID) int {
	t := &m.c.W.Task
	n := 0
	for _, p := range [...]world.Path{t.Root, t.Cwd} {
		if p.Mount == id {
			n++
		}
	}
	for i := range t.FDs {
		if t.FDs[i].Path.Mount == id {
			n++
		}
	}
	for i := range t.Mapped {
		if t.Mapped[i].Path.Mount == id && !unsure(t.Mapped[i]) {
			n++
		}
	}
	return n
}

// Writers counts the task's descriptors that are open for writing on a mount.
func (m *mounts) Writers(id mount.ID) int {
	n := 0
	for _, open := range [...][]world.FD{m.c.W.Task.FDs, m.c.W.Task.Mapped} {
		for i := range open {
			if f := &open[i]; f.Kind == world.FDFile && f.Path.Mount == id && f.Flags&3 != 0 && f.Flags&OPath == 0 && !unsure(*f) {
				n++
			}
		}
	}
	return n
}

// others reports whether somebody of whom nothing is known may use mounts, and the fact that is missing.
func others(c *check.Check) (story.Origin, bool) {
	switch w := c.W; {
	case w.ProcessesAt&story.Missing != 0:
		return w.ProcessesAt, true
	case w.Task.FDsAt&story.Missing != 0:
		return w.Task.FDsAt, true
	case slices.ContainsFunc(w.Task.Mapped, unsure):
		return w.Task.Mapped[slices.IndexFunc(w.Task.Mapped, unsure)].FlagsAt, true
	}
	return 0, false
}

// name is how the story calls a mount.
func (m *mounts) name(id mount.ID) uint64 {
	c := m.c
	if !c.Recording() || id == 0 {
		return 0
	}
	if int(id) < len(c.W.Mounts) {
		if w := &c.W.Mounts[id]; w.Hidden {
			return c.Word("the root of the mount namespace")
		} else if w.Point != "" {
			return c.Word(w.Point)
		}
	}
	if int(id) >= len(c.W.Mounts) {
		return c.Word("the root of the mount namespace")
	}
	return c.Word(c.W.PathText(world.Path{Mount: id, Dentry: c.W.Mounts[id].Root}))
}

// refused tells why the tree refuses; 0 where it does not.
func (m *mounts) refused(r mount.Refusal, p world.Path) story.Errno {
	if r.Code == 0 {
		return r.Errno
	}
	c := m.c
	s := story.Step{Code: r.Code, Errno: r.Errno, Op: story.OpMount, Obj: p.Ref(), Val: [3]uint64{m.name(r.Mount)}}
	if int(r.Mount) < len(c.W.Mounts) {
		if id := world.MountID(r.Mount); id != 0 {
			s.Fact[0] = c.W.Mounts[id].Origin
			if s.Obj == (story.Ref{}) {
				s.Obj = world.Path{Mount: id, Dentry: c.W.Mounts[id].Root}.Ref()
			}
		}
	}
	if c.Recording() {
		switch r.Code {
		case story.MountBusy:
			s.Val[1] = c.Word(m.usedBy(r.Mount))
		case story.MountLockedFlag:
			s.Val[1] = c.Word(lockedText(m.tree.Node(r.Mount).Locks))
		}
	}
	return c.Refuse(s)
}

// usedBy says what keeps a mount busy.
func (m *mounts) usedBy(id mount.ID) string {
	for range m.tree.Children(id) {
		return "something is mounted on it"
	}
	t := &m.c.W.Task
	switch id {
	case t.Root.Mount:
		return "it holds the task's root directory"
	case t.Cwd.Mount:
		return "it holds the task's current directory"
	}
	return "a descriptor leads to it"
}

func lockedText(l world.MountLocks) string {
	text := ""
	if f := world.MountFlags(l) & (world.MountReadOnly | world.MountNoSuid | world.MountNoDev | world.MountNoExec); f != 0 {
		text = f.String()
	}
	if l&world.LockAtime != 0 {
		if text != "" {
			text += " and "
		}
		text += "its way of keeping times of access"
	}
	return text
}

// locksKnown asks whether it is known which mounts of the task's namespace are locked. In one that the initial user namespace
// owns none is.
func locksKnown(c *check.Check, p world.Path, errnos ...story.Errno) {
	if mountNS(c) == 0 {
		return
	}
	at := c.W.MountNS[c.W.Task.MountNS].LocksAt
	if at.Known() {
		return
	}
	if at == 0 {
		at = c.W.Miss("which mounts of the task's mount namespace are locked is not known", "")
	}
	s := story.Step{Code: story.MountLocksUnknown, Op: story.OpMount, Obj: p.Ref(), Fact: [3]story.Origin{at}}
	c.Unknown(s)
	for _, e := range errnos {
		c.MayEnd(e)
	}
}

// busyUnknown says that others may use a mount.
func (m *mounts) busyUnknown(id mount.ID, code story.Code) {
	c := m.c
	at, may := others(c)
	if may {
		c.Unknown(story.Step{Code: code, Errno: story.EBUSY, Op: story.OpMount, Fact: [3]story.Origin{at}, Val: [3]uint64{m.name(id)}})
	}
}

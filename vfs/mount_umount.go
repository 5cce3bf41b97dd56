package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/world"
)

// Flags of umount2.
const (
	mntForce  = 1
	mntDetach = 2
	mntExpire = 4
)

// Umount is ksys_umount: can_umount, then do_umount.
func Umount(c *check.Check, t Target, flags uint64) story.Errno {
	p, err := t.object(c)
	if err != 0 {
		return err
	}
	if err := mayMount(c, p); err != 0 {
		return err
	}
	m := mountsOf(c)
	if r := m.tree.MayUmount(&m.caller, p); r != (mount.Refusal{}) {
		return m.refused(r, p)
	}
	locksKnown(c, p, story.EINVAL)
	sb := c.W.FS.SB(m.tree.Node(p.Mount).SB)
	if flags&mntForce != 0 {
		if err := Capable(c, sb.UserNS, check.RealmSuperblock, kernel.CapSysAdmin, p, story.OpMount); err != 0 {
			return err
		}
	}
	if err := c.LSM.SbUmount(c, p); err != 0 {
		return err
	}
	own := p.Mount == c.W.Task.Root.Mount
	if flags&mntExpire != 0 {
		if own || flags&(mntForce|mntDetach) != 0 {
			return badMount(c, p, "MNT_EXPIRE goes with neither MNT_FORCE nor MNT_DETACH, nor with the task's own root")
		}
		return m.expire(p)
	}
	if own && flags&mntDetach == 0 {
		return m.umountRoot(p, sb)
	}
	return m.umount(p, flags&mntDetach != 0)
}

// umount is the last part of do_umount.
func (m *mounts) umount(p world.Path, lazy bool) story.Errno {
	c := m.c
	if r := m.tree.MayUmountNow(&m.caller, p.Mount, lazy); r != (mount.Refusal{}) {
		return m.refused(r, p)
	}
	if !lazy {
		m.busyUnknown(p.Mount, story.MountBusy)
	}
	c.Mounting = check.Mounting{Op: check.MountUmount, At: p, Recursive: lazy}
	return effect(c, "unmounted", p)
}

// umountRoot is do_umount_root: the task's own root is not unmounted, its filesystem becomes read-only.
func (m *mounts) umountRoot(p world.Path, sb *world.SB) story.Errno {
	c := m.c
	if err := Capable(c, sb.UserNS, check.RealmSuperblock, kernel.CapSysAdmin, p, story.OpMount); err != 0 {
		return err
	}
	if sb.Flags&world.SBReadOnly != 0 {
		return 0
	}
	if err := m.freeze(p); err != 0 {
		return err
	}
	if fs := filesystemOf(sb.Type); fs == nil || !fs.reconfigures {
		notModelled(c, p, "whether "+sb.Type+" becomes read-only", story.EBUSY)
	}
	n := m.tree.Node(p.Mount)
	c.Mounting = check.Mounting{Op: check.MountSuper, At: p, Flags: n.Flags, Atime: n.Atime, ReadOnly: true}
	return effect(c, "made read-only", p)
}

// expire is MNT_EXPIRE: the first call marks a mount that nobody uses, a second one unmounts it if nobody has used it since.
func (m *mounts) expire(p world.Path) story.Errno {
	c := m.c
	busy := m.Users(p.Mount) > 0
	for range m.tree.Children(p.Mount) {
		busy = true
	}
	if busy {
		return m.refused(mount.Refusal{Errno: story.EBUSY, Code: story.MountBusy, Mount: p.Mount}, p)
	}
	m.busyUnknown(p.Mount, story.MountBusy)
	s := story.Step{Code: story.MountExpiry, Errno: story.EAGAIN, Op: story.OpMount, Obj: p.Ref(), Val: [3]uint64{m.name(p.Mount)}}
	c.Mounting = check.Mounting{Op: check.MountExpire, At: p}
	if c.W.Mounts[p.Mount].Expiring {
		c.Unknown(s)
		return m.umount(p, false)
	}
	return c.Refuse(s)
}

// PivotRoot is pivot_root(2): the capability comes before both lookups.
func PivotRoot(c *check.Check, to, old Target) story.Errno {
	if err := mayMount(c, world.Path{}); err != 0 {
		return err
	}
	var at [2]world.Path
	for i, t := range [...]Target{to, old} {
		p, err := t.directory(c)
		if err != 0 {
			return err
		}
		at[i] = p
	}
	if err := c.LSM.SbPivotroot(c, at[0]); err != 0 {
		return err
	}
	m := mountsOf(c)
	if err := m.dead(at[1]); err != 0 {
		return err
	}
	if _, r := m.tree.MayPivot(&m.caller, at[0], at[1]); r != (mount.Refusal{}) {
		return m.refused(r, at[0])
	}
	locksKnown(c, at[0], story.EINVAL)
	c.Mounting = check.Mounting{Op: check.MountPivot, From: at[0], At: at[1]}
	return effect(c, "made the root", at[0])
}

// directory looks a path up that must lead to a directory.
func (t Target) directory(c *check.Check) (world.Path, story.Errno) {
	if err := namei.GetName(c, t.Path, t.Null, false); err != 0 {
		return world.Path{}, err
	}
	var n namei.Walk
	err := n.At(c, t.DFD, t.Path, namei.Follow|namei.Directory)
	return n.Path, err
}

package mount

import (
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// The mount API as operations on a Tree: each asks what the kernel's function asks, in its order, and changes the tree only
// where nothing refuses. Lookup, arguments and CAP_SYS_ADMIN over the mount namespace come before, in package vfs.

// Asker answers what a Tree does not know, on behalf of the task.
type Asker interface {
	// Admin is ns_capable(ns, CAP_SYS_ADMIN); it returns the errno of a refusal.
	Admin(ns world.UserNSID) story.Errno
	// SameKind compares what is mounted with what it is mounted on: both directories, or neither. e is the errno if not.
	SameKind(at, root world.DentryID, e story.Errno) story.Errno
	// MayIDMap is can_idmap_mount, for mount_setattr.
	MayIDMap(m ID) story.Errno
	// Users counts what holds a mount beside the tree: descriptors, current and root directories.
	Users(m ID) int
	// Writers counts what is open for writing on a mount.
	Writers(m ID) int
}

// Caller is the task that asks.
type Caller struct {
	NS   NS         // its mount namespace
	Root world.Path // its root directory
	Asker
}

// Refusal is why an operation is refused; the zero Refusal lets it pass. Without a Code the Asker has refused.
type Refusal struct {
	Errno story.Errno
	Code  story.Code
	Mount ID // the mount that decides
}

func refuse(e story.Errno, code story.Code, m ID) Refusal {
	return Refusal{Errno: e, Code: code, Mount: m}
}

// root reports whether a place is the root of its mount (path_mounted).
func (t *Tree) root(p world.Path) bool { return t.Node(p.Mount).Root == p.Dentry }

// place is lock_mount: the topmost mount on a place, which must still be mounted.
func (t *Tree) place(p world.Path) (world.Path, Refusal) {
	if !t.mounted(p.Mount) {
		if t.K.Has(kernel.UmountExact) == kernel.Yes {
			return p, refuse(story.ENOENT, story.MountGone, p.Mount)
		}
		return p, Refusal{} // check_mnt refuses it
	}
	return t.Top(p), Refusal{}
}

// usable is may_use_mount: the mount is in the task's namespace or, since 6.15, in a detached tree that the task's user
// namespace could have made.
func (t *Tree) usable(c *Caller, m ID) bool {
	ns := t.Node(m).NS
	if ns == c.NS {
		return true
	}
	return ns != 0 && t.spaces[ns].anonymous && t.spaces[ns].origin == c.NS && t.K.Has(kernel.DetachedTrees) == kernel.Yes
}

// MayAdd asks whether a new filesystem's root may be mounted (do_add_mount, graft_tree).
func (t *Tree) MayAdd(c *Caller, at world.Path, sb world.SBID, root world.DentryID) (world.Path, Refusal) {
	at, r := t.place(at)
	if r != (Refusal{}) {
		return at, r
	}
	n := t.Node(at.Mount)
	switch {
	case n.NS != c.NS:
		return at, refuse(story.EINVAL, story.MountForeign, at.Mount)
	case sb != 0 && n.SB == sb && n.Root == at.Dentry:
		return at, refuse(story.EBUSY, story.MountTwice, at.Mount)
	}
	if e := c.SameKind(at.Dentry, root, story.ENOTDIR); e != 0 {
		return at, Refusal{Errno: e}
	}
	return at, t.room(at, 1, false)
}

// New mounts a filesystem: mount(2) without one of its other meanings.
func (t *Tree) New(c *Caller, at world.Path, n Node) (ID, Refusal) {
	at, r := t.MayAdd(c, at, n.SB, n.Root)
	if r != (Refusal{}) {
		return 0, r
	}
	m := t.Add(0, world.Path{}, n)
	t.graft(m, at.Mount, at.Dentry, t.spaces[c.NS].owner)
	return m, Refusal{}
}

// room refuses what would give a namespace more mounts than fs.mount-max.
func (t *Tree) room(at world.Path, size int, moving bool) Refusal {
	if t.full(at.Mount, at.Dentry, size, moving) != 0 {
		return refuse(story.ENOSPC, story.MountMax, at.Mount)
	}
	return Refusal{}
}

// mayCopy is __do_loopback as far as it refuses: what a bind mount or a clone is made of.
func (t *Tree) mayCopy(c *Caller, from world.Path, recursive bool) Refusal {
	n := t.Node(from.Mount)
	switch {
	case n.Unbindable:
		return refuse(story.EINVAL, story.MountUnbindable, from.Mount)
	case !t.usable(c, from.Mount) && (n.SB == 0 || n.SB != t.NSFS):
		return refuse(story.EINVAL, story.MountForeign, from.Mount)
	}
	if !recursive {
		if m := t.lockedChild(from.Mount, from.Dentry); m != 0 {
			return refuse(story.EINVAL, story.MountLockedChild, m)
		}
	} else if m := t.lockedUnbindable(from.Mount, from.Dentry); m != 0 {
		return refuse(story.EPERM, story.MountUnbindable, m)
	}
	return Refusal{}
}

// MayCopy asks whether a mount may be copied without those below it (clone_private_mount).
func (t *Tree) MayCopy(c *Caller, from world.Path) Refusal { return t.mayCopy(c, from, false) }

// MayBind asks whether what is at from may be seen at another place too (do_loopback).
func (t *Tree) MayBind(c *Caller, from, at world.Path, recursive bool) (world.Path, Refusal) {
	at, r := t.place(at)
	if r != (Refusal{}) {
		return at, r
	}
	if t.Node(at.Mount).NS != c.NS {
		return at, refuse(story.EINVAL, story.MountForeign, at.Mount)
	}
	if r := t.mayCopy(c, from, recursive); r != (Refusal{}) {
		return at, r
	}
	if e := c.SameKind(at.Dentry, from.Dentry, story.ENOTDIR); e != 0 {
		return at, Refusal{Errno: e}
	}
	size := 1
	if recursive {
		size = t.copySize(from.Mount, from.Dentry)
	}
	return at, t.room(at, size, false)
}

// Bind is mount(2) with MS_BIND, and MS_REC where recursive.
func (t *Tree) Bind(c *Caller, from, at world.Path, recursive bool) (ID, Refusal) {
	at, r := t.MayBind(c, from, at, recursive)
	if r != (Refusal{}) {
		return 0, r
	}
	m := t.loopback(from, recursive)
	t.graft(m, at.Mount, at.Dentry, t.spaces[c.NS].owner)
	return m, Refusal{}
}

func (t *Tree) loopback(from world.Path, recursive bool) ID {
	var m ID
	if recursive {
		m, _ = t.copyTree(from.Mount, from.Dentry, cloneHow{})
	} else {
		m = t.clone(from.Mount, from.Dentry, cloneHow{})
	}
	t.edit(m).Locks &^= world.LockAttached
	return m
}

// MayMove asks whether a mount may go to another place (do_move_mount): beneath the mount that is there, where beneath.
func (t *Tree) MayMove(c *Caller, from, at world.Path, beneath bool) (world.Path, Refusal) {
	if !t.root(from) {
		return at, refuse(story.EINVAL, story.NotMountRoot, from.Mount)
	}
	if e := c.SameKind(at.Dentry, from.Dentry, story.EINVAL); e != 0 {
		return at, Refusal{Errno: e}
	}
	over := ID(0)
	at, r := t.place(at)
	if r != (Refusal{}) {
		return at, r
	}
	if beneath {
		over = at.Mount
		if !t.root(at) {
			return at, refuse(story.EINVAL, story.NotMountRoot, over)
		}
		n := t.Node(over)
		at = world.Path{Mount: n.Parent, Dentry: n.At}
		if n.Parent == over {
			return at, refuse(story.EINVAL, story.MountNoParent, over)
		}
	}
	n := t.Node(from.Mount)
	if n.NS == c.NS {
		switch {
		case n.Parent == from.Mount:
			return at, refuse(story.EINVAL, story.MountNoParent, from.Mount)
		case n.Locks&world.LockAttached != 0:
			return at, refuse(story.EINVAL, story.MountLocked, from.Mount)
		case t.Shared(n.Parent):
			return at, refuse(story.EINVAL, story.MountSharedParent, n.Parent)
		case t.Node(at.Mount).NS != c.NS:
			return at, refuse(story.EINVAL, story.MountForeign, at.Mount)
		}
	} else {
		switch {
		case n.NS == 0 || !t.spaces[n.NS].anonymous || n.Parent != from.Mount:
			return at, refuse(story.EINVAL, story.MountForeign, from.Mount)
		case n.NS == t.Node(at.Mount).NS || !t.usable(c, at.Mount):
			return at, refuse(story.EINVAL, story.MountForeign, at.Mount)
		}
	}
	if over != 0 {
		if r := t.mayTuck(c, from.Mount, over, at.Dentry); r != (Refusal{}) {
			return at, r
		}
	}
	if t.Shared(at.Mount) {
		for m := from.Mount; m != 0; m = t.next(m, from.Mount) {
			if t.Node(m).Unbindable {
				return at, refuse(story.EINVAL, story.MountUnbindable, m)
			}
		}
	}
	if t.isAncestor(from.Mount, at.Mount) {
		return at, refuse(story.ELOOP, story.MountLoop, from.Mount)
	}
	return at, t.room(at, t.size(from.Mount), t.hasParent(from.Mount))
}

// mayTuck is can_move_mount_beneath.
func (t *Tree) mayTuck(c *Caller, from, over ID, at world.DentryID) Refusal {
	n := t.Node(over)
	switch {
	case n.Locks&world.LockAttached != 0 && t.K.Has(kernel.LockedTuck) != kernel.Yes:
		return refuse(story.EINVAL, story.MountLocked, over)
	case t.over(from) != 0:
		return refuse(story.EINVAL, story.MountBeneath, from)
	case over == c.Root.Mount || n.Parent == t.spaces[c.NS].root:
		return refuse(story.EINVAL, story.MountBeneath, over)
	case t.isAncestor(over, from):
		return refuse(story.EINVAL, story.MountBeneath, over)
	case t.wouldCover(n.Parent, over, at), t.Node(from).NS == c.NS && t.wouldCover(n.Parent, from, at):
		return refuse(story.EINVAL, story.MountBeneath, over)
	}
	return Refusal{}
}

// Move is mount(2) with MS_MOVE, and move_mount(2).
func (t *Tree) Move(c *Caller, from, at world.Path, beneath bool) Refusal {
	at, r := t.MayMove(c, from, at, beneath)
	if r != (Refusal{}) {
		return r
	}
	t.graft(from.Mount, at.Mount, at.Dentry, t.spaces[c.NS].owner)
	return Refusal{}
}

// mayChangeKind is may_change_propagation, since 6.16.
func (t *Tree) mayChangeKind(c *Caller, m ID) Refusal {
	ns := t.Node(m).NS
	if ns == 0 {
		return refuse(story.EINVAL, story.MountGone, m)
	}
	return Refusal{Errno: c.Admin(t.spaces[ns].owner)}
}

// MayChangeKind asks whether a mount's propagation may be changed (do_change_type).
func (t *Tree) MayChangeKind(c *Caller, p world.Path) Refusal {
	if !t.root(p) {
		return refuse(story.EINVAL, story.NotMountRoot, p.Mount)
	}
	if t.K.Has(kernel.MakeChecksNamespace) != kernel.Yes {
		return Refusal{}
	}
	return t.mayChangeKind(c, p.Mount)
}

// ChangeKind is mount(2) with MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE.
func (t *Tree) ChangeKind(c *Caller, p world.Path, k Kind, recursive bool) Refusal {
	if r := t.MayChangeKind(c, p); r != (Refusal{}) {
		return r
	}
	t.changeKind(p.Mount, k, recursive)
	return Refusal{}
}

func (t *Tree) changeKind(top ID, k Kind, recursive bool) {
	for m := top; m != 0; m = t.next(m, top) {
		t.setKind(m, k)
		if !recursive {
			return
		}
	}
}

// MaySetFlags asks whether the flags of a mount may become what is asked (do_reconfigure_mnt).
func (t *Tree) MaySetFlags(c *Caller, p world.Path, f world.MountFlags, a world.Atime) Refusal {
	switch {
	case t.Node(p.Mount).NS != c.NS:
		return refuse(story.EINVAL, story.MountForeign, p.Mount)
	case !t.root(p):
		return refuse(story.EINVAL, story.NotMountRoot, p.Mount)
	}
	if r := t.mayLose(p.Mount, f, a); r != (Refusal{}) {
		return r
	}
	return t.mayFreeze(c, p.Mount, f)
}

// mayLose is can_change_locked_flags.
func (t *Tree) mayLose(m ID, f world.MountFlags, a world.Atime) Refusal {
	n := t.Node(m)
	if n.Locks&world.MountLocks(lockable)&^world.MountLocks(f) != 0 || n.Locks&world.LockAtime != 0 && (n.Atime^a)&world.AtimeMask != 0 {
		return refuse(story.EPERM, story.MountLockedFlag, m)
	}
	return Refusal{}
}

// mayFreeze is mnt_make_readonly: nobody may be writing.
func (t *Tree) mayFreeze(c *Caller, m ID, f world.MountFlags) Refusal {
	if f&world.MountReadOnly != 0 && t.Node(m).Flags&world.MountReadOnly == 0 && c.Writers(m) > 0 {
		return refuse(story.EBUSY, story.MountWriters, m)
	}
	return Refusal{}
}

// SetFlags is mount(2) with MS_REMOUNT and MS_BIND.
func (t *Tree) SetFlags(c *Caller, p world.Path, f world.MountFlags, a world.Atime) Refusal {
	r := t.MaySetFlags(c, p, f, a)
	if r == (Refusal{}) {
		t.PutFlags(p.Mount, f, a)
	}
	return r
}

// MayUmount asks whether a mount may be taken away: what can_umount asks of the tree, without MNT_FORCE's and MNT_EXPIRE's own
// questions.
func (t *Tree) MayUmount(c *Caller, p world.Path) Refusal {
	n := t.Node(p.Mount)
	switch {
	case !t.root(p):
		return refuse(story.EINVAL, story.NotMountRoot, p.Mount)
	case n.NS != c.NS:
		return refuse(story.EINVAL, story.MountForeign, p.Mount)
	case n.Locks&world.LockAttached != 0:
		return refuse(story.EINVAL, story.MountLocked, p.Mount)
	}
	return Refusal{}
}

// MayUmountNow asks the rest of do_umount: lazy is MNT_DETACH.
func (t *Tree) MayUmountNow(c *Caller, m ID, lazy bool) Refusal {
	if !t.hasParent(m) && t.K.Has(kernel.UmountNeedsParent) == kernel.Yes {
		return refuse(story.EINVAL, story.MountNoParent, m)
	}
	if !lazy {
		if b := t.Busy(m, c); b != 0 {
			return refuse(story.EBUSY, story.MountBusy, b)
		}
	}
	return Refusal{}
}

// Umount is umount2(2), of any mount but the task's own root.
func (t *Tree) Umount(c *Caller, p world.Path, lazy bool) Refusal {
	r := t.MayUmount(c, p)
	if r == (Refusal{}) {
		r = t.MayUmountNow(c, p.Mount, lazy)
	}
	if r == (Refusal{}) {
		t.unmount(p.Mount, unmountHow{propagate: true, sync: !lazy})
	}
	return r
}

// MayPivot asks whether a mount may become the root of the task's namespace (pivot_root).
func (t *Tree) MayPivot(c *Caller, to, old world.Path) (world.Path, Refusal) {
	old, r := t.place(old)
	if r != (Refusal{}) {
		return old, r
	}
	n, root := t.Node(to.Mount), t.Node(c.Root.Mount)
	switch {
	case t.Shared(old.Mount):
		r = refuse(story.EINVAL, story.MountSharedParent, old.Mount)
	case t.Shared(n.Parent):
		r = refuse(story.EINVAL, story.MountSharedParent, n.Parent)
	case t.Shared(root.Parent):
		r = refuse(story.EINVAL, story.MountSharedParent, root.Parent)
	case root.NS != c.NS:
		r = refuse(story.EINVAL, story.MountForeign, c.Root.Mount)
	case n.NS != c.NS:
		r = refuse(story.EINVAL, story.MountForeign, to.Mount)
	case n.Locks&world.LockAttached != 0:
		r = refuse(story.EINVAL, story.MountLocked, to.Mount)
	case to.Mount == c.Root.Mount || old.Mount == c.Root.Mount:
		r = refuse(story.EBUSY, story.PivotRootMount, c.Root.Mount)
	case !t.root(c.Root):
		r = refuse(story.EINVAL, story.NotMountRoot, c.Root.Mount)
	case !t.hasParent(c.Root.Mount):
		r = refuse(story.EINVAL, story.MountNoParent, c.Root.Mount)
	case !t.root(to):
		r = refuse(story.EINVAL, story.NotMountRoot, to.Mount)
	case !t.hasParent(to.Mount):
		r = refuse(story.EINVAL, story.MountNoParent, to.Mount)
	case !t.Reachable(old, to):
		r = refuse(story.EINVAL, story.PivotUnreachable, old.Mount)
	case !t.Reachable(to, c.Root):
		r = refuse(story.EINVAL, story.PivotUnreachable, to.Mount)
	}
	return old, r
}

// Pivot is pivot_root(2). Tasks whose root or current directory was the old root's go to the new one: chroot_fs_refs is the
// caller's.
func (t *Tree) Pivot(c *Caller, to, old world.Path) Refusal {
	old, r := t.MayPivot(c, to, old)
	if r != (Refusal{}) {
		return r
	}
	root := c.Root.Mount
	parent, at := t.Node(root).Parent, t.Node(root).At
	t.detach(to.Mount)
	if e := t.edit(root); e.Locks&world.LockAttached != 0 {
		e.Locks &^= world.LockAttached
		t.edit(to.Mount).Locks |= world.LockAttached
	}
	t.detach(root)
	t.attach(to.Mount, parent, at)
	t.attach(root, old.Mount, old.Dentry)
	return Refusal{}
}

// IsRoot reports whether a place is the root of its mount (path_mounted).
func (t *Tree) IsRoot(p world.Path) bool { return t.root(p) }

// MayReconfigure asks what do_remount asks of the mount before the filesystem is asked.
func (t *Tree) MayReconfigure(c *Caller, p world.Path, f world.MountFlags, a world.Atime) Refusal {
	switch {
	case t.Node(p.Mount).NS != c.NS:
		return refuse(story.EINVAL, story.MountForeign, p.Mount)
	case !t.root(p):
		return refuse(story.EINVAL, story.NotMountRoot, p.Mount)
	}
	return t.mayLose(p.Mount, f, a)
}

// PutFlags is set_mount_attributes.
func (t *Tree) PutFlags(m ID, f world.MountFlags, a world.Atime) {
	e := t.edit(m)
	e.Flags, e.Atime = f, a
}

package mount

import (
	"syscallstory/kernel"
	"syscallstory/world"
)

// Copies of mounts and of trees, and how a tree gets onto its place: fs/namespace.c.

// cloneHow is the CL_* flags of clone_mnt and copy_tree.
type cloneHow struct {
	slave      bool // CL_SLAVE: a slave of what is shared
	shared     bool // CL_MAKE_SHARED
	unbindable bool // CL_COPY_UNBINDABLE
}

// clone is clone_mnt: a mount of the same filesystem from root down, in no namespace.
func (t *Tree) clone(old ID, root world.DentryID, how cloneHow) ID {
	m := t.alloc()
	o, e := *t.Node(old), t.edit(m)
	e.Root, e.SB, e.Flags, e.Locks, e.Atime, e.IDMap, e.Origin, e.At = root, o.SB, o.Flags, o.Locks, o.Atime, o.IDMap, o.Origin, root
	if how.unbindable && t.K.Has(kernel.UmountExact) != kernel.Yes {
		e.Unbindable = o.Unbindable // since 6.17 the bit stands outside of mnt_flags and is not copied
	}
	if !how.slave {
		e.Group = o.Group
	}
	if how.shared && e.Group == 0 {
		t.share(m)
	}
	if e.Group != 0 {
		e.Unbindable = false
	}
	if e.Group != 0 && e.Group == o.Group {
		t.joinPeers(m, old)
	}
	switch {
	case how.slave && o.Group != 0:
		t.joinSlaves(m, old, 0)
	case o.Master != 0:
		t.joinSlaves(m, o.Master, old)
	}
	return m
}

// copyTree copies the tree of a mount as far as it is seen below root (copy_tree). Only a child that is both unbindable and
// locked is refused: lockedUnbindable finds it.
func (t *Tree) copyTree(source ID, root world.DentryID, how cloneHow) (ID, bool) {
	if !how.unbindable && t.Node(source).Unbindable {
		return 0, false
	}
	top := t.clone(source, root, how)
	for c := t.Node(source).firstChild; c != 0; c = t.Node(c).nextSibling {
		if !t.Names.Below(t.Node(c).At, root) {
			continue
		}
		from, to := source, top // the parents under way, here and there
		for m := c; m != 0; m = t.next(m, c) {
			if !how.unbindable && t.Node(m).Unbindable {
				m = t.last(m)
				continue
			}
			for from != t.Node(m).Parent {
				from, to = t.Node(from).Parent, t.Node(to).Parent
			}
			q := t.clone(m, t.Node(m).Root, how)
			t.attach(q, to, t.Node(m).At)
			from, to = m, q
		}
	}
	return top, true
}

// lockedUnbindable finds a child that copy_tree stumbles over: it can neither be copied nor left out.
func (t *Tree) lockedUnbindable(source ID, root world.DentryID) ID {
	for c := t.Node(source).firstChild; c != 0; c = t.Node(c).nextSibling {
		if !t.Names.Below(t.Node(c).At, root) {
			continue
		}
		for m := c; m != 0; m = t.next(m, c) {
			if n := t.Node(m); n.Unbindable {
				if n.Locks&world.LockAttached != 0 {
					return m
				}
				m = t.last(m)
			}
		}
	}
	return 0
}

// copySize is how many mounts copyTree makes.
func (t *Tree) copySize(source ID, root world.DentryID) int {
	size := 1
	for c := t.Node(source).firstChild; c != 0; c = t.Node(c).nextSibling {
		if !t.Names.Below(t.Node(c).At, root) {
			continue
		}
		for m := c; m != 0; m = t.next(m, c) {
			if t.Node(m).Unbindable {
				m = t.last(m)
				continue
			}
			size++
		}
	}
	return size
}

// lockedChild is has_locked_children: a child below root that may not be uncovered.
func (t *Tree) lockedChild(m ID, root world.DentryID) ID {
	for c := t.Node(m).firstChild; c != 0; c = t.Node(c).nextSibling {
		if n := t.Node(c); n.Locks&world.LockAttached != 0 && t.Names.Below(n.At, root) {
			return c
		}
	}
	return 0
}

// lockTree is lock_mnt_tree: whoever gets the tree may not change the flags of a more privileged mounter, nor uncover what
// its mounts hide.
func (t *Tree) lockTree(root ID) {
	for m := root; m != 0; m = t.next(m, root) {
		e := t.edit(m)
		e.Locks |= world.LockAtime | world.MountLocks(e.Flags&lockable)
		if m != root {
			e.Locks |= world.LockAttached
		}
	}
}

func (t *Tree) max() int {
	if t.Max == 0 {
		return 100000
	}
	return t.Max
}

// full is count_mounts, asked for every namespace before anything is made: the namespace in which size mounts on a name of
// dest, and their copies, are too many. moving says that dest's own namespace has them already.
func (t *Tree) full(dest ID, at world.DentryID, size int, moving bool) NS {
	ns := t.Node(dest).NS
	if !moving && t.spaces[ns].count+size > t.max() {
		return ns
	}
	if !t.Shared(dest) {
		return 0
	}
	all := size
	if moving {
		all = 0
	}
	most := 0
	for r := range t.Receivers(dest, at) {
		all += size
		most = max(most, t.spaces[t.Node(r).NS].count)
	}
	if most+all <= t.max() {
		return 0
	}
	sum := make([]int, len(t.spaces))
	for i := range t.spaces {
		sum[i] = t.spaces[i].count
	}
	if !moving {
		sum[ns] += size
	}
	for r := range t.Receivers(dest, at) {
		n := t.Node(r).NS
		if sum[n] += size; sum[n] > t.max() {
			return n
		}
	}
	return 0
}

// graft is attach_recursive_mnt: it puts a tree onto a name of dest, and copies of it wherever dest's events go. user is the
// user namespace of the task's mount namespace: what lands in a namespace of another one is locked.
func (t *Tree) graft(source, dest ID, at world.DentryID, user world.UserNSID) {
	t.fresh = t.fresh[:0]
	coverAt := t.Node(t.topmost(source)).Root
	shared := t.Shared(dest)
	if shared {
		for m := source; m != 0; m = t.next(m, source) {
			if t.Node(m).Group == 0 {
				// invent_group_ids: it is shared once the copies have been made.
				t.group++
				e := t.edit(m)
				e.Group, e.numbered = t.group, true
			}
		}
		t.propagate(dest, at, source)
		for m := source; m != 0; m = t.next(m, source) {
			t.share(m)
		}
	}
	if t.hasParent(source) {
		t.detach(source)
	} else if ns := t.Node(source).NS; ns != 0 { // a detached tree finds its place
		for m := source; m != 0; m = t.next(m, source) {
			t.leaveNS(m)
		}
	}
	e := t.edit(source)
	e.Parent, e.At = dest, at
	t.commit(source, coverAt, user)
	for i := len(t.fresh) - 1; i >= 0; i-- {
		t.commit(t.fresh[i], coverAt, user)
	}
}

// commit puts one of the copies where it belongs; what has been mounted there goes on top of it.
func (t *Tree) commit(m ID, coverAt world.DentryID, user world.UserNSID) {
	n := t.Node(m)
	parent, at, ns := n.Parent, n.At, t.Node(n.Parent).NS
	if t.spaces[ns].owner != user {
		t.lockTree(m)
	}
	q := t.Lookup(parent, at)
	for c := m; c != 0; c = t.next(c, m) {
		if t.Node(c).NS != ns {
			t.enterNS(c, ns)
		}
	}
	t.attach(m, parent, at)
	if q == 0 {
		return
	}
	r := t.topmost(m)
	if t.Node(q).Locks&world.LockAttached != 0 && t.K.Has(kernel.LockedTuck) == kernel.Yes {
		// It hid what was there. The new mount does that now.
		t.edit(m).Locks |= world.LockAttached
		t.edit(q).Locks &^= world.LockAttached
	}
	t.reattach(q, r, coverAt)
}

// CopyNS is copy_mnt_ns: the namespace of an unshare or a clone with CLONE_NEWNS, owned by a user namespace. Where that is not
// the owner of the old one, shared mounts become slaves, and everything is locked. The copies have the order of the
// originals: Copied finds the counterpart of one.
func (t *Tree) CopyNS(ns NS, owner world.UserNSID) NS {
	root := t.spaces[ns].root
	less := owner != t.spaces[ns].owner
	top, _ := t.copyTree(root, t.Node(root).Root, cloneHow{slave: less, unbindable: true})
	if less {
		t.lockTree(top)
	}
	made := t.NewNS(owner)
	for m := top; m != 0; m = t.next(m, top) {
		t.enterNS(m, made)
	}
	t.spaces[made].root = top
	return made
}

// Copied finds where a place of one namespace is in the copy that CopyNS has just made of it.
func (t *Tree) Copied(p world.Path, from, to NS) world.Path {
	a, b := t.spaces[from].root, t.spaces[to].root
	for x, y := a, b; x != 0 && y != 0; x, y = t.next(x, a), t.next(y, b) {
		if x == p.Mount {
			return world.Path{Mount: y, Dentry: p.Dentry}
		}
	}
	return p
}

// DropNS is put_mnt_ns: the last task of a namespace, or the last descriptor of a detached tree, is gone.
func (t *Tree) DropNS(ns NS) {
	if root := t.spaces[ns].root; root != 0 {
		t.unmount(root, unmountHow{connected: t.spaces[ns].anonymous})
	}
}

package mount

import (
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Detached trees and what came with the file-descriptor based mount API: open_tree, fsmount, move_mount, mount_setattr.

// NewDetached is fsmount(2): a new filesystem's root, in an anonymous namespace of its own.
func (t *Tree) NewDetached(c *Caller, n Node) (NS, ID) {
	ns := t.newAnonymous(c)
	m := t.Add(ns, world.Path{}, n)
	return ns, m
}

func (t *Tree) newAnonymous(c *Caller) NS {
	ns := t.NewNS(t.spaces[c.NS].owner)
	t.spaces[ns].anonymous, t.spaces[ns].origin = true, c.NS
	return ns
}

// MayOpenTree asks whether a copy of what is at a place may be made (open_tree with OPEN_TREE_CLONE).
func (t *Tree) MayOpenTree(c *Caller, from world.Path, recursive bool) Refusal {
	return t.mayCopy(c, from, recursive)
}

// OpenTree is open_tree(2) with OPEN_TREE_CLONE.
func (t *Tree) OpenTree(c *Caller, from world.Path, recursive bool) (NS, ID, Refusal) {
	if r := t.MayOpenTree(c, from, recursive); r != (Refusal{}) {
		return 0, 0, r
	}
	m := t.loopback(from, recursive)
	ns := t.newAnonymous(c)
	t.spaces[ns].root = m
	for k := m; k != 0; k = t.next(k, m) {
		t.enterNS(k, ns)
	}
	return ns, m, Refusal{}
}

// MaySetGroup asks whether a mount may join another one's peer group (do_set_group: move_mount with MOVE_MOUNT_SET_GROUP).
func (t *Tree) MaySetGroup(c *Caller, from, to world.Path) Refusal {
	for _, p := range [...]world.Path{from, to} {
		if r := t.mayChangeKind(c, p.Mount); r != (Refusal{}) {
			return r
		}
	}
	a, b := t.Node(from.Mount), t.Node(to.Mount)
	switch {
	case !t.root(from):
		return refuse(story.EINVAL, story.NotMountRoot, from.Mount)
	case !t.root(to):
		return refuse(story.EINVAL, story.NotMountRoot, to.Mount)
	case a.SB != b.SB || !t.Names.Below(b.Root, a.Root):
		return refuse(story.EINVAL, story.MountSetGroup, to.Mount)
	}
	if m := t.lockedChild(from.Mount, b.Root); m != 0 {
		return refuse(story.EINVAL, story.MountLockedChild, m)
	}
	if b.Group != 0 || b.Master != 0 || a.Group == 0 && a.Master == 0 {
		return refuse(story.EINVAL, story.MountSetGroup, to.Mount)
	}
	return Refusal{}
}

// SetGroup is move_mount(2) with MOVE_MOUNT_SET_GROUP.
func (t *Tree) SetGroup(c *Caller, from, to world.Path) Refusal {
	r := t.MaySetGroup(c, from, to)
	if r != (Refusal{}) {
		return r
	}
	a := *t.Node(from.Mount)
	if a.Master != 0 {
		t.joinSlaves(to.Mount, a.Master, from.Mount)
	}
	if a.Group != 0 {
		e := t.edit(to.Mount)
		e.Group, e.Unbindable = a.Group, false
		t.joinPeers(to.Mount, from.Mount)
	}
	return Refusal{}
}

// Attr is what mount_setattr(2) changes.
type Attr struct {
	Set, Clear           world.MountFlags
	AtimeSet, AtimeClear world.Atime
	Kind                 Kind
	ChangeKind           bool
	IDMap                world.UserNSID // 0: not asked for
}

func (a *Attr) flags(n *Node) (world.MountFlags, world.Atime) {
	return n.Flags&^a.Clear | a.Set, n.Atime&^a.AtimeClear | a.AtimeSet
}

// MaySetAttr asks whether a mount's attributes may be changed (do_mount_setattr): all of a tree's where recursive, or none.
func (t *Tree) MaySetAttr(c *Caller, p world.Path, a *Attr, recursive bool) Refusal {
	if !t.root(p) {
		return refuse(story.EINVAL, story.NotMountRoot, p.Mount)
	}
	n := t.Node(p.Mount)
	detached := n.NS != 0 && t.spaces[n.NS].anonymous && n.Parent == p.Mount
	if !detached && (n.NS != c.NS || n.Parent == p.Mount && t.K.Has(kernel.SetattrRootfs) != kernel.Yes) {
		return refuse(story.EINVAL, story.MountForeign, p.Mount)
	}
	for m := p.Mount; m != 0; m = t.next(m, p.Mount) {
		f, at := a.flags(t.Node(m))
		if r := t.mayLose(m, f, at); r != (Refusal{}) {
			return r
		}
		if a.IDMap != 0 {
			if e := c.MayIDMap(m); e != 0 {
				return Refusal{Errno: e}
			}
		}
		if r := t.mayFreeze(c, m, f); r != (Refusal{}) {
			return r
		}
		if !recursive {
			break
		}
	}
	return Refusal{}
}

// SetAttr is mount_setattr(2).
func (t *Tree) SetAttr(c *Caller, p world.Path, a *Attr, recursive bool) Refusal {
	r := t.MaySetAttr(c, p, a, recursive)
	if r != (Refusal{}) {
		return r
	}
	for m := p.Mount; m != 0; m = t.next(m, p.Mount) {
		e := t.edit(m)
		e.Flags, e.Atime = a.flags(e)
		if a.IDMap != 0 {
			e.IDMap = a.IDMap
		}
		if a.ChangeKind {
			t.setKind(m, a.Kind)
		}
		if !recursive {
			break
		}
	}
	return Refusal{}
}

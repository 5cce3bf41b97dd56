package mount

import (
	"syscallstory/kernel"
	"syscallstory/world"
)

// Unmounting with what it takes along elsewhere: umount_tree in fs/namespace.c, propagate_umount in fs/pnode.c, and
// Documentation/filesystems/propagate_umount.txt.

// unmountHow is the UMOUNT_* flags.
type unmountHow struct {
	propagate bool
	sync      bool // every mount goes alone: umount(2) without MNT_DETACH
	connected bool // what is taken away stays together
}

// unmount is umount_tree.
func (t *Tree) unmount(root ID, how unmountHow) {
	if how.propagate && t.hasParent(root) {
		t.unlockCopies(root)
	}
	var set []ID
	for m := root; m != 0; m = t.next(m, root) {
		set = append(set, m)
	}
	for _, m := range set {
		t.edit(m).going = true
		t.unlist(m)
	}
	if how.propagate {
		if t.K.Has(kernel.UmountExact) == kernel.Yes {
			set = t.spread(set)
		} else {
			set = t.spreadOrdered(set)
		}
	}
	for _, m := range set {
		t.setKind(m, Private)
	}
	for _, m := range set {
		t.leaveNS(m)
		t.edit(m).gone = true
		switch {
		case !t.hasParent(m):
		case t.separates(m, how):
			t.detach(m)
		default:
			t.list(m)
		}
	}
}

// separates is disconnect_mount.
func (t *Tree) separates(m ID, how unmountHow) bool {
	n := t.Node(m)
	return how.sync || !t.Node(n.Parent).going || !how.connected && n.Locks&world.LockAttached == 0
}

// take is umount_one.
func (t *Tree) take(m ID) {
	t.edit(m).going = true
	t.unlist(m)
}

// spread is propagate_umount since 6.17: the mounts of set, and the largest set of their counterparts elsewhere that leaves no
// mount behind without its parent and uncovers nothing that is locked.
func (t *Tree) spread(set []ID) []ID {
	open := t.candidates(set)
	var gone []ID
	open = t.trim(open, &gone)
	for len(open) > 0 {
		m := open[0]
		if !t.Node(m).candidate {
			t.edit(m).marked = false
			open = open[1:]
			continue
		}
		gone = t.withLocked(m, gone)
		left := open[:0]
		for _, c := range open {
			if t.Node(c).candidate {
				left = append(left, c)
			} else {
				t.edit(c).marked = false
			}
		}
		open = left
	}
	for _, m := range gone {
		if o := t.over(m); o != 0 && !t.Node(o).going {
			t.slide(o)
		}
	}
	return append(set, gone...)
}

// candidates is gather_candidates: what sits on the same name wherever the parents' events go.
func (t *Tree) candidates(set []ID) []ID {
	var open []ID
	for _, m := range set {
		n := t.Node(m)
		if n.candidate {
			continue
		}
		t.edit(m).candidate = true
		p, at := n.Parent, n.At
		if p == m {
			continue
		}
		for q := t.following(p, p); q != 0; {
			if c := t.Lookup(q, at); c != 0 {
				if t.Node(c).candidate { // met from another parent, as everything behind it
					q = t.skip(q, p)
					continue
				}
				t.edit(c).candidate = true
				if !t.Node(c).going {
					open = append(open, c)
				}
			}
			q = t.following(q, p)
		}
	}
	for _, m := range set {
		t.edit(m).candidate = false
	}
	// The kernel puts each at the head of its list.
	for i, j := 0, len(open)-1; i < j; i, j = i+1, j-1 {
		open[i], open[j] = open[j], open[i]
	}
	return open
}

// trim takes off what holds a mount that stays (trim_one), and lets go at once what is free (umount_one).
func (t *Tree) trim(open []ID, gone *[]ID) []ID {
	left := open[:0]
	for _, m := range open {
		if !t.Node(m).candidate {
			t.edit(m).marked = false
			continue
		}
		stays, holds := false, false
		for c := range t.Children(m) {
			if !t.Node(c).candidate {
				stays = true
				if c != t.over(m) {
					holds = true
					break
				}
			}
		}
		n := t.Node(m)
		switch {
		case stays:
			t.trimAbove(m)
			if !holds {
				left = append(left, m)
				continue
			}
			e := t.edit(m)
			e.marked, e.candidate = false, false
		case n.Locks&world.LockAttached == 0 && n.firstChild == 0:
			e := t.edit(m)
			e.marked, e.candidate = false, false
			t.take(m)
			*gone = append(*gone, m)
		default:
			left = append(left, m)
		}
	}
	return left
}

// trimAbove is trim_ancestors: a mount that stays keeps its parents, unless it only covers them.
func (t *Tree) trimAbove(m ID) {
	for p := t.Node(m).Parent; t.Node(p).candidate; m, p = p, t.Node(p).Parent {
		if t.Node(m).marked {
			return
		}
		t.edit(m).marked = true
		if m != t.over(p) {
			t.edit(p).candidate = false
		}
	}
}

// withLocked is handle_locked: a locked mount goes together with its parent or not at all.
func (t *Tree) withLocked(m ID, gone []ID) []ID {
	stop, p := m, m
	for ; t.Node(p).candidate; p = t.Node(p).Parent {
		e := t.edit(p)
		e.marked, e.candidate = false, false
		if e.Locks&world.LockAttached == 0 {
			stop = e.Parent
		}
	}
	if t.Node(p).going {
		stop = p
	}
	for m != stop {
		up := t.Node(m).Parent
		t.take(m)
		gone = append(gone, m)
		m = up
	}
	return gone
}

// slide is reparent: what covered mounts that go comes down to where the lowest of them was.
func (t *Tree) slide(m ID) {
	p, at := m, world.DentryID(0)
	for {
		at, p = t.Node(p).At, t.Node(p).Parent
		if !t.Node(p).going {
			break
		}
	}
	t.reattach(m, p, at)
}

// used asks who uses a mount beside the tree.
func (t *Tree) used(m ID, u Asker) bool { return u != nil && u.Users(m) > 0 }

// Busy is propagate_mount_busy: the mount that keeps m from being unmounted, m itself or one elsewhere that would go with it;
// 0 if there is none.
func (t *Tree) Busy(m ID, u Asker) ID {
	n := t.Node(m)
	if n.firstChild != 0 || t.used(m, u) {
		return m
	}
	if !t.hasParent(m) {
		return 0
	}
	for r := t.following(n.Parent, n.Parent); r != 0; r = t.following(r, n.Parent) {
		c := t.Lookup(r, n.At)
		if c == 0 {
			continue
		}
		if k := t.Node(c); k.firstChild != 0 && (k.firstChild != k.lastChild || t.over(c) == 0) {
			continue // it stays, whoever uses it
		}
		if t.used(c, u) {
			return c
		}
	}
	return 0
}

// DetachAt is __detach_mounts: a name on which something is mounted in other namespaces has been removed.
func (t *Tree) DetachAt(d world.DentryID) {
	for m := ID(1); uint32(m) < t.n; m++ {
		n := t.Node(m)
		if n.At != d || !n.hashed {
			continue
		}
		if n.going {
			t.detach(m)
		} else {
			t.unmount(m, unmountHow{connected: true})
		}
	}
}

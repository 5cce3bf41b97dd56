package mount

import (
	"syscallstory/kernel"
	"syscallstory/world"
)

// Peer groups, masters and slaves: fs/pnode.c.

// Kind is a kind of propagation, as mount(2)'s MS_SHARED and its kin ask for it.
type Kind uint8

const (
	Private Kind = iota
	Shared
	Slave
	Unbindable
)

var kindNames = [...]string{"private", "shared", "slave", "unbindable"}

// String returns the kind as mount(8) names it.
func (k Kind) String() string { return kindNames[k] }

// Shared reports whether a mount is in a peer group.
func (t *Tree) Shared(m ID) bool { return t.Node(m).Group != 0 && !t.Node(m).numbered }

// Peers reports whether two mounts are in one peer group.
func (t *Tree) Peers(a, b ID) bool {
	g := t.Node(a).Group
	return a == b && g != 0 || g != 0 && g == t.Node(b).Group
}

func (t *Tree) nextPeer(m ID) ID { return t.Node(m).nextPeer }

// joinPeers puts m into the ring behind p.
func (t *Tree) joinPeers(m, p ID) {
	n := t.Node(p).nextPeer
	e := t.edit(m)
	e.prevPeer, e.nextPeer = p, n
	t.edit(n).prevPeer = m
	t.edit(p).nextPeer = m
}

func (t *Tree) leavePeers(m ID) {
	n := *t.Node(m)
	t.edit(n.prevPeer).nextPeer = n.nextPeer
	t.edit(n.nextPeer).prevPeer = n.prevPeer
	e := t.edit(m)
	e.nextPeer, e.prevPeer, e.Group = m, m, 0
}

// joinSlaves puts m into the list of a master's slaves behind another one, at its head where that is 0.
func (t *Tree) joinSlaves(m, master, behind ID) {
	e, ma := t.edit(m), t.edit(master)
	e.Master, e.prevSlave = master, behind
	if behind != 0 {
		b := t.edit(behind)
		e.nextSlave, b.nextSlave = b.nextSlave, m
	} else {
		e.nextSlave, ma.firstSlave = ma.firstSlave, m
	}
	if e.nextSlave != 0 {
		t.edit(e.nextSlave).prevSlave = m
	} else {
		ma.lastSlave = m
	}
}

func (t *Tree) leaveSlaves(m ID) {
	e := t.edit(m)
	if e.Master == 0 {
		return
	}
	ma := t.edit(e.Master)
	if e.prevSlave != 0 {
		t.edit(e.prevSlave).nextSlave = e.nextSlave
	} else {
		ma.firstSlave = e.nextSlave
	}
	if e.nextSlave != 0 {
		t.edit(e.nextSlave).prevSlave = e.prevSlave
	} else {
		ma.lastSlave = e.prevSlave
	}
	e.Master, e.prevSlave, e.nextSlave = 0, 0, 0
}

// share is set_mnt_shared, with invent_group_ids for a mount that has no group yet.
func (t *Tree) share(m ID) {
	e := t.edit(m)
	e.Unbindable, e.numbered = false, false
	if e.Group == 0 {
		t.group++
		e.Group = t.group
	}
}

// transfer hands a mount's slaves to another one, or to nobody (transfer_propagation): in front of that one's own since
// 6.17, behind them before.
func (t *Tree) transfer(m, to ID) {
	behind := ID(0)
	if to != 0 && t.K.Has(kernel.UmountExact) != kernel.Yes {
		behind = t.Node(to).lastSlave
	}
	for s := t.Node(m).firstSlave; s != 0; {
		next := t.Node(s).nextSlave
		t.leaveSlaves(s)
		if to != 0 {
			t.joinSlaves(s, to, behind)
			behind = s
		}
		s = next
	}
}

// setKind is change_mnt_propagation.
func (t *Tree) setKind(m ID, k Kind) {
	if k == Shared {
		t.share(m)
		return
	}
	n := t.Node(m)
	master := n.Master
	if n.Group != 0 {
		if n.nextPeer != m {
			master = t.heir(m)
		}
		t.leavePeers(m)
		t.leaveSlaves(m)
		t.transfer(m, master)
	}
	t.leaveSlaves(m)
	switch {
	case k == Slave && master != 0:
		t.joinSlaves(m, master, 0)
	case k != Slave:
		t.edit(m).Unbindable = k == Unbindable
	}
}

// heir is the peer that a mount's slaves get when it leaves its group: the next one; up to 6.14 rather the next one with the
// same root (do_make_slave).
func (t *Tree) heir(m ID) ID {
	n := t.Node(m)
	if t.K.Has(kernel.UmountExact) == kernel.Yes {
		return n.nextPeer
	}
	for p := n.nextPeer; p != m; p = t.nextPeer(p) {
		if t.Node(p).Root == n.Root {
			return p
		}
	}
	return n.nextPeer
}

// newcomer is IS_MNT_NEW: a copy that is in no namespace yet receives nothing.
func (t *Tree) newcomer(m ID) bool { return t.Node(m).NS == 0 }

// after goes on from m without going down to its slaves (__propagation_next).
func (t *Tree) after(m, origin ID) ID {
	for {
		n := t.Node(m)
		if n.Master == t.Node(origin).Master {
			if n.nextPeer == origin {
				return 0
			}
			return n.nextPeer
		}
		if n.nextSlave != 0 {
			return n.nextSlave
		}
		m = n.Master
	}
}

// following is propagation_next: the mounts that get what happens on origin, one after another.
func (t *Tree) following(m, origin ID) ID {
	if n := t.Node(m); !t.newcomer(m) && n.firstSlave != 0 {
		return n.firstSlave
	}
	return t.after(m, origin)
}

// skip passes over everything that gets events from m (skip_propagation_subtree).
func (t *Tree) skip(m, origin ID) ID {
	p := t.after(m, origin)
	for p != 0 && t.Peers(m, p) {
		p = t.after(p, origin)
	}
	return p
}

// nextGroup goes to the next peer group that gets events from origin, depth first (next_group).
func (t *Tree) nextGroup(m, origin ID) ID {
	g := t.Node(origin).Group
	for {
		for {
			n := t.Node(m)
			if !t.newcomer(m) && n.firstSlave != 0 {
				return n.firstSlave
			}
			if n.Group == g {
				if n.nextPeer == origin {
					return 0
				}
			} else if n.nextSlave != n.nextPeer {
				break
			}
			m = n.nextPeer
		}
		for { // m is the last of its peers
			n := t.Node(m)
			if n.nextSlave != 0 {
				return n.nextSlave
			}
			master := n.Master
			m = t.nextPeer(master)
			if t.Node(master).Group == g {
				break
			}
			if t.Node(master).nextSlave == m {
				break
			}
			m = master
		}
		if m == origin {
			return 0
		}
	}
}

// receives reports whether a mount that events go to gets a copy of what is mounted on a name (need_secondary).
func (t *Tree) receives(m ID, at world.DentryID) bool {
	n := t.Node(m)
	return n.NS != 0 && !t.spaces[n.NS].anonymous && t.Names.Below(at, n.Root)
}

// Receivers yields the mounts that get a copy of what is mounted on a name of m, in the order of propagate_mnt.
func (t *Tree) Receivers(m ID, at world.DentryID) func(func(ID) bool) {
	return func(yield func(ID) bool) {
		if t.Node(m).Group == 0 {
			return
		}
		for r := t.following(m, m); r != 0; r = t.following(r, m) {
			if t.receives(r, at) && !yield(r) {
				return
			}
		}
	}
}

// Hears yields the mounts that get events from m, whatever name they are about: of those, Receivers are the ones that show it.
func (t *Tree) Hears(m ID) func(func(ID) bool) {
	return func(yield func(ID) bool) {
		if t.Node(m).Group == 0 {
			return
		}
		for r := t.following(m, m); r != 0; r = t.following(r, m) {
			if n := t.Node(r); n.NS != 0 && !t.spaces[n.NS].anonymous && !yield(r) {
				return
			}
		}
	}
}

// propagate is propagate_mnt: it makes a copy of the tree source for every mount that gets events from dest, and leaves their
// roots, with parent and mount point, in t.fresh.
func (t *Tree) propagate(dest ID, at world.DentryID, source ID) {
	mark := func(m ID) {
		if ma := t.Node(m).Master; ma != 0 && !t.Node(ma).propagationMark {
			t.edit(ma).propagationMark = true
			t.marks = append(t.marks, ma)
		}
	}
	mark(dest)
	copied := source
	for m := dest; m != 0; m = t.nextGroup(m, dest) {
		n, slave, shared := m, true, t.Shared(m)
		if m == dest { // it gets the source itself
			copied, slave, shared = source, false, true
			if n = t.nextPeer(m); n == m {
				continue
			}
		}
		for {
			if t.receives(n, at) {
				if slave {
					copied = t.copyFor(n, copied, source)
				}
				c, _ := t.copyTree(copied, t.Node(copied).Root, cloneHow{slave: slave, shared: shared})
				e := t.edit(c)
				e.Parent, e.At = n, at
				mark(n)
				copied = c
				t.fresh = append(t.fresh, c)
				slave, shared = false, true
			}
			if n = t.nextPeer(n); n == m {
				break
			}
		}
	}
	for _, m := range t.marks {
		t.edit(m).propagationMark = false
	}
	t.marks = t.marks[:0]
}

// copyFor is find_master: which of the copies made so far stands for what m's master has got.
func (t *Tree) copyFor(m, last, original ID) ID {
	var p ID
	for {
		p = t.Node(m).Master
		if p == 0 || t.Node(p).propagationMark {
			break
		}
		m = p
	}
	for !t.Peers(last, original) {
		parent := t.Node(last).Parent
		if t.Node(parent).Master == p {
			if !t.Peers(parent, m) {
				last = t.Node(last).Master
			}
			break
		}
		last = t.Node(last).Master
	}
	return last
}

// unlockCopies is propagate_mount_unlock.
func (t *Tree) unlockCopies(m ID) {
	n := t.Node(m)
	parent, at := n.Parent, n.At
	for p := t.following(parent, parent); p != 0; p = t.following(p, parent) {
		if c := t.Lookup(p, at); c != 0 {
			t.edit(c).Locks &^= world.LockAttached
		}
	}
}

// wouldCover is propagation_would_overmount: whether what is mounted on a name of from comes to lie on the root of to.
func (t *Tree) wouldCover(from, to ID, at world.DentryID) bool {
	if !t.Shared(from) || t.Node(to).Root != at {
		return false
	}
	for m := to; m != 0; m = t.Node(m).Master {
		if t.Peers(from, m) {
			return true
		}
	}
	return false
}

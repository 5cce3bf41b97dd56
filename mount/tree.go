package mount

import (
	"sync/atomic"

	"syscallstory/kernel"
	"syscallstory/world"
)

// ID names a mount of a Tree; 0 is none.
type ID = world.MountID

// NS names a mount namespace of a Tree; 0 is none: the mount is not, or no longer, mounted.
type NS uint16

// Names answers what a Tree has to know of names, users and writers. world.FS has the names.
type Names interface {
	// Below reports whether d is root or lies below it in their filesystem (is_subdir).
	Below(d, root world.DentryID) bool
}

// lockable are the flags that lock_mnt_tree locks where they are set.
const lockable = world.MountReadOnly | world.MountNoSuid | world.MountNoDev | world.MountNoExec

// Node is one mount: struct mount of fs/mount.h.
type Node struct {
	Parent     ID // itself for the root of a tree
	At         world.DentryID
	Root       world.DentryID
	SB         world.SBID
	NS         NS
	Group      uint32 // peer group; 0: not shared
	Master     ID     // a mount whose peer group sends events here; 0: no slave
	Flags      world.MountFlags
	Locks      world.MountLocks
	Atime      world.Atime
	Unbindable bool
	IDMap      world.UserNSID
	Origin     ID // the mount that it was cloned from; itself for a new one

	going, candidate, marked, gone bool // while something is unmounted, and afterwards
	numbered                       bool // Group is only the number that the mount gets when it has been attached

	nextPeer, prevPeer       ID // ring of the peer group, itself where it is alone
	firstSlave, lastSlave    ID
	nextSlave, prevSlave     ID // in the list of the master's slaves
	firstChild, lastChild    ID
	nextSibling, prevSibling ID
	hashNext                 ID
	hidden                   bool // nobody sees it: FromWorld
	hashed, listed           bool // found by Lookup; in its parent's list of children
	visited, restore         bool // propagate_umount before 6.17
	propagationMark          bool
}

// space is a mount namespace.
type space struct {
	owner     world.UserNSID
	root      ID
	count     int // mounts in it
	anonymous bool
	origin    NS // of an anonymous one: the namespace in which it was made
}

const (
	perPage = 32
	perHash = 256
)

type page struct {
	owner uint64
	nodes [perPage]Node
}

type hashPage struct {
	owner uint64
	heads [perHash]ID
}

// Tree is the mounts of one or more mount namespaces with their propagation. Clone makes a copy that shares what neither of
// the two has changed since. A Tree is for one goroutine at a time.
type Tree struct {
	K       kernel.Release
	Names   Names
	Max     int        // fs.mount-max; 0: 100000
	NSFS    world.SBID // whose files any namespace may show (may_copy_tree); 0: none
	pages   []*page
	hash    []*hashPage
	me      uint64
	n       uint32 // mounts, the unused first one included
	hashedN int
	spaces  []space
	group   uint32 // the last peer group that was made
	marks   []ID
	fresh   []ID // roots of copies on their way in
}

var trees atomic.Uint64

// NewTree returns an empty tree.
func NewTree(k kernel.Release, names Names) *Tree {
	t := &Tree{K: k, Names: names, me: trees.Add(1), spaces: make([]space, 1, 8)}
	t.rehash(1)
	t.alloc() // 0 is none
	return t
}

// Clone returns a copy of the tree. It costs a word for each 32 mounts.
func (t *Tree) Clone() *Tree {
	c := *t
	c.pages = append([]*page(nil), t.pages...)
	c.hash = append([]*hashPage(nil), t.hash...)
	c.spaces = append([]space(nil), t.spaces...)
	c.marks, c.fresh = nil, nil
	t.me, c.me = trees.Add(1), trees.Add(1)
	return &c
}

// Len returns a number greater than every ID.
func (t *Tree) Len() int { return int(t.n) }

// Node returns a mount, to be read.
func (t *Tree) Node(m ID) *Node { return &t.pages[m/perPage].nodes[m%perPage] }

// edit returns a mount, to be changed.
func (t *Tree) edit(m ID) *Node {
	p := t.pages[m/perPage]
	if p.owner != t.me {
		c := *p
		c.owner = t.me
		t.pages[m/perPage] = &c
		p = &c
	}
	return &p.nodes[m%perPage]
}

func (t *Tree) alloc() ID {
	m := ID(t.n)
	if m%perPage == 0 {
		t.pages = append(t.pages, &page{owner: t.me})
	}
	t.n++
	n := t.edit(m)
	n.Parent, n.nextPeer, n.prevPeer, n.Origin = m, m, m, m
	return m
}

// Add puts a mount into the tree without asking anything: below a place, or as the root of a namespace. Who reads a world
// from mountinfo uses it, then Join.
func (t *Tree) Add(ns NS, at world.Path, n Node) ID {
	m := t.alloc()
	e := t.edit(m)
	e.Root, e.SB, e.Flags, e.Locks, e.Atime, e.Unbindable, e.IDMap, e.NS = n.Root, n.SB, n.Flags, n.Locks, n.Atime, n.Unbindable, n.IDMap, ns
	if ns != 0 {
		t.spaces[ns].count++
	}
	if at != (world.Path{}) {
		t.attach(m, at.Mount, at.Dentry)
	} else if ns != 0 {
		t.spaces[ns].root = m
	}
	return m
}

// Join puts mounts into peer groups and under masters, as mountinfo names them: two numbers for each mount, in the order of
// their IDs. A master's group that no mount has belongs to a namespace that is not seen: then nothing comes from it.
func (t *Tree) Join(groups, masters []uint32) {
	first := map[uint32]ID{}
	for i, g := range groups {
		if m := ID(i); g != 0 && m != 0 {
			t.edit(m).Group = g
			t.group = max(t.group, g)
			if p := first[g]; p != 0 {
				t.joinPeers(m, t.Node(p).prevPeer)
			} else {
				first[g] = m
			}
		}
	}
	for i, g := range masters {
		if m, master := ID(i), first[g]; g != 0 && m != 0 && master != 0 && t.Node(m).Group != g {
			t.joinSlaves(m, master, t.Node(master).lastSlave)
		}
	}
}

// NewNS adds an empty mount namespace.
func (t *Tree) NewNS(owner world.UserNSID) NS {
	t.spaces = append(t.spaces, space{owner: owner})
	return NS(len(t.spaces) - 1)
}

// NumNS returns a number greater than every NS.
func (t *Tree) NumNS() int { return len(t.spaces) }

// RootOf returns the root of a namespace, 0 where it has none any more.
func (t *Tree) RootOf(ns NS) ID { return t.spaces[ns].root }

// Owner returns the user namespace that owns a mount namespace.
func (t *Tree) Owner(ns NS) world.UserNSID { return t.spaces[ns].owner }

// Anonymous reports whether a namespace holds a detached tree, as open_tree and fsmount make it.
func (t *Tree) Anonymous(ns NS) bool { return t.spaces[ns].anonymous }

// Count returns how many mounts a namespace has.
func (t *Tree) Count(ns NS) int { return t.spaces[ns].count }

// TopOf is where setns(2) puts a task: the root of the topmost mount on the namespace's root.
func (t *Tree) TopOf(ns NS) world.Path {
	m := t.topmost(t.spaces[ns].root)
	return world.Path{Mount: m, Dentry: t.Node(m).Root}
}

func (t *Tree) bucket(parent ID, at world.DentryID) uint32 {
	h := (uint32(parent)*0x9e3779b1 ^ uint32(at)*0x85ebca6b)
	h ^= h >> 15
	return h % uint32(len(t.hash)*perHash)
}

func (t *Tree) head(b uint32) *ID {
	p := t.hash[b/perHash]
	if p.owner != t.me {
		c := *p
		c.owner = t.me
		t.hash[b/perHash] = &c
		p = &c
	}
	return &p.heads[b%perHash]
}

// Lookup returns the mount that sits on a place (__lookup_mnt), 0 if there is none.
func (t *Tree) Lookup(parent ID, at world.DentryID) ID {
	b := t.bucket(parent, at)
	for m := t.hash[b/perHash].heads[b%perHash]; m != 0; m = t.Node(m).hashNext {
		if n := t.Node(m); n.Parent == parent && n.At == at {
			return m
		}
	}
	return 0
}

// Top crosses the mounts that are stacked on a place.
func (t *Tree) Top(p world.Path) world.Path {
	for {
		m := t.Lookup(p.Mount, p.Dentry)
		if m == 0 {
			return p
		}
		p = world.Path{Mount: m, Dentry: t.Node(m).Root}
	}
}

// over is the mount that covers another one's root, 0 if there is none.
func (t *Tree) over(m ID) ID { return t.Lookup(m, t.Node(m).Root) }

func (t *Tree) topmost(m ID) ID {
	for o := t.over(m); o != 0; o = t.over(m) {
		m = o
	}
	return m
}

func (t *Tree) rehash(pages int) {
	old := t.hash
	t.hash = make([]*hashPage, pages)
	for i := range t.hash {
		t.hash[i] = &hashPage{owner: t.me}
	}
	if old == nil {
		return
	}
	for m := ID(1); uint32(m) < t.n; m++ {
		if n := t.Node(m); n.hashed {
			h := t.head(t.bucket(n.Parent, n.At))
			t.edit(m).hashNext = *h
			*h = m
		}
	}
}

// hashIn makes a mount visible on its place (hlist_add_head_rcu in __attach_mnt).
func (t *Tree) hashIn(m ID) {
	if t.hashedN++; t.hashedN > 2*len(t.hash)*perHash {
		t.rehash(4 * len(t.hash))
	}
	n := t.edit(m)
	h := t.head(t.bucket(n.Parent, n.At))
	n.hashNext, n.hashed = *h, true
	*h = m
}

func (t *Tree) hashOut(m ID) {
	n := t.edit(m)
	if !n.hashed {
		return
	}
	n.hashed = false
	t.hashedN--
	h := t.head(t.bucket(n.Parent, n.At))
	if *h == m {
		*h = n.hashNext
		return
	}
	for p := *h; p != 0; p = t.Node(p).hashNext {
		if t.Node(p).hashNext == m {
			t.edit(p).hashNext = n.hashNext
			return
		}
	}
}

// list adds a mount to the end of its parent's children.
func (t *Tree) list(m ID) {
	n := t.edit(m)
	p := t.edit(n.Parent)
	n.prevSibling, n.nextSibling, n.listed = p.lastChild, 0, true
	if p.lastChild != 0 {
		t.edit(p.lastChild).nextSibling = m
	} else {
		p.firstChild = m
	}
	p.lastChild = m
}

func (t *Tree) unlist(m ID) {
	n := t.edit(m)
	if !n.listed {
		return
	}
	n.listed = false
	p := t.edit(n.Parent)
	if n.prevSibling != 0 {
		t.edit(n.prevSibling).nextSibling = n.nextSibling
	} else {
		p.firstChild = n.nextSibling
	}
	if n.nextSibling != 0 {
		t.edit(n.nextSibling).prevSibling = n.prevSibling
	} else {
		p.lastChild = n.prevSibling
	}
	n.nextSibling, n.prevSibling = 0, 0
}

// attach is attach_mnt.
func (t *Tree) attach(m, parent ID, at world.DentryID) {
	n := t.edit(m)
	n.Parent, n.At = parent, at
	t.hashIn(m)
	t.list(m)
}

// detach is umount_mnt: the mount becomes the root of a tree of its own.
func (t *Tree) detach(m ID) {
	t.hashOut(m)
	t.unlist(m)
	n := t.edit(m)
	n.Parent, n.At = m, n.Root
}

// reattach is mnt_change_mountpoint.
func (t *Tree) reattach(m, parent ID, at world.DentryID) {
	t.hashOut(m)
	t.unlist(m)
	t.attach(m, parent, at)
}

// hasParent is mnt_has_parent.
func (t *Tree) hasParent(m ID) bool { return t.Node(m).Parent != m }

// next walks a tree from its root, a parent before its children (next_mnt).
func (t *Tree) next(m, root ID) ID {
	if c := t.Node(m).firstChild; c != 0 {
		return c
	}
	for {
		if m == root {
			return 0
		}
		n := t.Node(m)
		if n.nextSibling != 0 {
			return n.nextSibling
		}
		m = n.Parent
	}
}

// last is skip_mnt_tree: the last mount of a tree in the order of next.
func (t *Tree) last(m ID) ID {
	for c := t.Node(m).lastChild; c != 0; c = t.Node(m).lastChild {
		m = c
	}
	return m
}

// size counts the mounts of a tree.
func (t *Tree) size(m ID) int {
	n := 0
	for c := m; c != 0; c = t.next(c, m) {
		n++
	}
	return n
}

// Children yields the mounts on a mount, the oldest first.
func (t *Tree) Children(m ID) func(func(ID) bool) {
	return func(yield func(ID) bool) {
		for c := t.Node(m).firstChild; c != 0; c = t.Node(c).nextSibling {
			if !yield(c) {
				return
			}
		}
	}
}

// isAncestor reports whether up is m or holds it (mount_is_ancestor).
func (t *Tree) isAncestor(up, m ID) bool {
	for {
		if up == m {
			return true
		}
		p := t.Node(m).Parent
		if p == m {
			return false
		}
		m = p
	}
}

// Reachable is is_path_reachable: whether a place is seen below root.
func (t *Tree) Reachable(p, root world.Path) bool {
	for p.Mount != root.Mount && t.hasParent(p.Mount) {
		n := t.Node(p.Mount)
		p = world.Path{Mount: n.Parent, Dentry: n.At}
	}
	return p.Mount == root.Mount && t.Names.Below(p.Dentry, root.Dentry)
}

// mounted is is_mounted: the mount is in a namespace, be it anonymous.
func (t *Tree) mounted(m ID) bool { return t.Node(m).NS != 0 }

// leaveNS is move_from_ns.
func (t *Tree) leaveNS(m ID) {
	n := t.edit(m)
	if n.NS == 0 {
		return
	}
	s := &t.spaces[n.NS]
	s.count--
	if s.root == m {
		s.root = 0
	}
	n.NS = 0
}

// enterNS is mnt_add_to_ns.
func (t *Tree) enterNS(m ID, ns NS) {
	t.leaveNS(m)
	t.edit(m).NS = ns
	t.spaces[ns].count++
}

package mount

import (
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// FromWorld makes the tree of a world's mounts. A mount keeps its number; mount namespace n of the world is NS n+1. Where a
// world shows a mount without its parent, a hidden one is put there: what tasks have as / is mounted on the machine's rootfs.
func FromWorld(w *world.World, k kernel.Release) *Tree {
	t := NewTree(k, w.FS)
	t.NSFS = w.Mounts[w.NSMount].SB
	for i := range max(1, len(w.MountNS)) {
		ns := t.NewNS(0)
		if i < len(w.MountNS) {
			n := &w.MountNS[i]
			t.spaces[ns] = space{owner: n.Owner, anonymous: n.Anonymous, origin: NS(n.From) + 1}
		}
	}
	groups, masters := make([]uint32, len(w.Mounts)), make([]uint32, len(w.Mounts))
	for i := 1; i < len(w.Mounts); i++ {
		m := &w.Mounts[i]
		id := t.alloc()
		e := t.edit(id)
		e.At, e.Root, e.SB, e.Flags, e.Locks, e.Atime, e.Unbindable, e.IDMap, e.hidden = m.At, m.Root, m.SB, m.Flags, m.Locks, m.Atime, m.Unbindable, m.IDMap, m.Hidden
		groups[i], masters[i] = m.Group, m.Master
		if e.gone, e.going = m.Gone, m.Gone; !m.Gone {
			e.NS = NS(m.NS) + 1
			t.spaces[e.NS].count++
		}
	}
	missing := map[uint32]bool{}
	for i := 1; i < len(w.Mounts); i++ {
		m := &w.Mounts[i]
		missing[m.Master] = true
		switch ns := NS(m.NS) + 1; {
		case m.Parent != ID(i):
			t.attach(ID(i), m.Parent, m.At)
		case m.Gone:
		case m.Hidden || t.spaces[ns].anonymous:
			t.spaces[ns].root = ID(i)
		case t.spaces[ns].root == 0:
			top := t.Add(ns, world.Path{}, Node{})
			t.edit(top).hidden = true
			t.attach(ID(i), top, 0)
		default: // another mount whose parent the world does not show
			t.attach(ID(i), t.spaces[ns].root, m.At)
		}
	}
	for _, g := range groups {
		delete(missing, g)
	}
	delete(missing, 0)
	for g := range missing { // masters in namespaces that the world does not have
		for t.Len() > len(groups) {
			groups, masters = append(groups, 0), append(masters, 0)
		}
		t.edit(t.alloc()).gone = true
		groups, masters = append(groups, g), append(masters, 0)
	}
	t.Join(groups, masters)
	return t
}

// Into writes the tree back to its world. A new mount has its words from the one that it was cloned from.
func (t *Tree) Into(w *world.World, at story.Origin) {
	mounts := make([]world.Mount, t.Len())
	for i := 1; i < t.Len(); i++ {
		n := t.Node(ID(i))
		m := &mounts[i]
		switch {
		case i < len(w.Mounts):
			*m = w.Mounts[i]
		case int(n.Origin) < i:
			*m = mounts[n.Origin]
			m.FlagsAt, m.Point, m.Expiring, m.Origin, m.Why = nil, "", false, at, at
		default:
			m.Origin, m.Why = at, at
		}
		if m.Flags != n.Flags {
			m.Unsure, m.FlagsAt = 0, nil
			m.Why = at
		}
		m.Parent, m.At, m.Root, m.SB, m.Flags, m.Locks, m.Atime, m.Unbindable, m.IDMap = n.Parent, n.At, n.Root, n.SB, n.Flags, n.Locks, n.Atime, n.Unbindable, n.IDMap
		m.Group, m.Master, m.Gone, m.Hidden = n.Group, 0, n.NS == 0, n.hidden
		if n.Master != 0 {
			m.Master = t.Node(n.Master).Group
		}
		if n.NS != 0 {
			m.NS = uint8(n.NS - 1)
		}
	}
	spaces := make([]world.MountNS, t.NumNS()-1)
	for i := range spaces {
		s := &t.spaces[i+1]
		if i < len(w.MountNS) {
			spaces[i] = w.MountNS[i]
		} else {
			spaces[i] = world.MountNS{Owner: s.owner, Anonymous: s.anonymous, LocksAt: at}
			if s.origin != 0 {
				spaces[i].From = uint8(s.origin - 1)
			}
		}
		spaces[i].Root = s.root
	}
	w.ReplaceMounts(mounts, spaces)
	for i := 1; i < len(mounts); i++ {
		if m := &mounts[i]; m.Point == "" && !m.Hidden && !m.Gone {
			m.Point = w.PathText(world.Path{Mount: ID(i), Dentry: m.Root})
		}
	}
}

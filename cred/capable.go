package cred

import (
	"syscallstory/kernel"
	"syscallstory/world"
)

// Capable walks from the namespace that is asked for up to the task's own (cap_capable in security/commoncap.c): a
// capability counts in the namespace that holds it and in all below, and the creator of a namespace has all of them in it.
func Capable(w *world.World, c *world.Cred, ns world.UserNSID, want kernel.Cap) kernel.Answer {
	return capable(w.UserNS, c, ns, want)
}

func capable(all []world.UserNS, c *world.Cred, ns world.UserNSID, want kernel.Cap) kernel.Answer {
	own := &all[c.UserNS]
	for {
		if ns == c.UserNS {
			return has(c, want)
		}
		n := &all[ns]
		if ns == 0 || n.Level <= own.Level {
			return kernel.No
		}
		if n.Parent == c.UserNS && n.Owner == c.EUID {
			return kernel.Yes
		}
		ns = n.Parent
	}
}

// has answers for the task's own namespace. An effective set that is not known is at least bounded.
func has(c *world.Cred, want kernel.Cap) kernel.Answer {
	switch {
	case c.EffectiveAt.Known() && c.Effective.Has(want):
		return kernel.Yes
	case c.EffectiveAt.Known():
		return kernel.No
	case c.BoundingAt.Known() && !c.Bounding.Has(want):
		return kernel.No
	}
	return kernel.NotKnown
}

// Holds reports whether the task has the capability in its own namespace, wherever it is asked for.
func Holds(c *world.Cred, want kernel.Cap) kernel.Answer { return has(c, want) }

// Privileged is privileged_wrt_inode_uidgid: both ids of the inode are mapped in the namespace.
func Privileged(ns *world.UserNS, uid world.KUID, gid world.KGID) bool {
	return ns.MapsUID(uid) && ns.MapsGID(gid)
}

// CapableWrtInode is capable_wrt_inode_uidgid: the capability in the task's own namespace, where both ids of the inode must
// be mapped.
func CapableWrtInode(w *world.World, c *world.Cred, uid world.KUID, gid world.KGID, want kernel.Cap) kernel.Answer {
	if !Privileged(&w.UserNS[c.UserNS], uid, gid) {
		return kernel.No
	}
	return has(c, want)
}

// OwnerOrCapable is inode_owner_or_capable: the owner, or CAP_FOWNER where the owner is mapped; the group does not count.
func OwnerOrCapable(w *world.World, c *world.Cred, uid world.KUID) kernel.Answer {
	if !c.UIDAt.Known() {
		return kernel.NotKnown
	}
	if c.FSUID == uid {
		return kernel.Yes
	}
	if !w.UserNS[c.UserNS].MapsUID(uid) {
		return kernel.No
	}
	return has(c, kernel.CapFowner)
}

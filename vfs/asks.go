package vfs

import (
	"syscallstory/check"
	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// capable is ns_capable without a step; in says why it is that user namespace.
func capable(c *check.Check, ns world.UserNSID, want kernel.Cap, in check.Realm) kernel.Answer {
	return asks(c, c.Cred, ns, want, in)
}

// silently is ns_capable_noaudit in the initial user namespace.
func silently(c *check.Check, want kernel.Cap) kernel.Answer {
	return c.Ask(check.Asked{Cap: want, Realm: check.RealmInitial, Task: true, Silent: true, Answer: cred.Capable(c.W, c.Cred, 0, want)})
}

// asks is capable of whichever credentials.
func asks(c *check.Check, cr *world.Cred, ns world.UserNSID, want kernel.Cap, in check.Realm) kernel.Answer {
	return c.Ask(check.Asked{Cap: want, NS: ns, Realm: in, Task: cr == c.Cred, Answer: cred.Capable(c.W, cr, ns, want)})
}

// asksOwner is capable in the user namespace that owns a namespace.
func asksOwner(c *check.Check, k world.NSKind, owner world.UserNSID, want kernel.Cap) kernel.Answer {
	return c.Ask(check.Asked{Cap: want, NS: owner, Realm: check.RealmNamespace, Kind: k, Task: true, Answer: cred.Capable(c.W, c.Cred, owner, want)})
}

// Holds is ns_capable in the task's own user namespace, without a step.
func Holds(c *check.Check, want kernel.Cap) kernel.Answer {
	return c.Ask(check.Asked{Cap: want, NS: c.Cred.UserNS, Realm: check.RealmOwn, Task: true, Answer: cred.Holds(c.Cred, want)})
}

// capableWrt is capable_wrt_inode_uidgid.
func capableWrt(c *check.Check, uid world.KUID, gid world.KGID, want kernel.Cap) kernel.Answer {
	return asksInode(c, c.Cred, want, cred.CapableWrtInode(c.W, c.Cred, uid, gid, want))
}

func asksInode(c *check.Check, cr *world.Cred, want kernel.Cap, a kernel.Answer) kernel.Answer {
	return c.Ask(check.Asked{Cap: want, NS: cr.UserNS, Realm: check.RealmInode, Task: cr == c.Cred, Answer: a})
}

// ownerOr is inode_owner_or_capable without a step: the owner is not asked for CAP_FOWNER.
func ownerOr(c *check.Check, uid world.KUID) kernel.Answer {
	a := cred.OwnerOrCapable(c.W, c.Cred, uid)
	if c.Cred.UIDAt.Known() && c.Cred.FSUID == uid {
		return a
	}
	return asksInode(c, c.Cred, kernel.CapFowner, a)
}

// asksNet is capable in the user namespace that owns a network namespace; where that is not known only a task that has the
// capability everywhere has it for sure.
func asksNet(c *check.Check, owner world.UserNSID, at story.Origin, want kernel.Cap) kernel.Answer {
	a := cred.Capable(c.W, c.Cred, owner, want)
	if !at.Known() && a != kernel.Yes {
		a = elsewhere(c, want)
	}
	return c.Ask(check.Asked{Cap: want, NS: owner, Lost: !at.Known(), Realm: check.RealmNamespace, Kind: world.NetNS, Task: true, Answer: a})
}

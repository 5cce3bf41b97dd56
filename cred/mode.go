package cred

import (
	"fmt"

	"syscallstory/kernel"
	"syscallstory/world"
)

// Bits are the permission bits of one class: r 4, w 2, x 1.
type Bits uint8

// String prints the bits as ls does.
func (b Bits) String() string {
	s := []byte("---")
	for i, ch := range []byte("rwx") {
		if b>>(2-i)&1 != 0 {
			s[i] = ch
		}
	}
	return string(s)
}

// Class is what decided in Granted.
type Class uint8

const (
	ClassOwner Class = iota
	ClassGroup
	ClassOther
	ClassACL
	ClassNotKnown
)

// Decision is what mode bits and ACL say to a task.
type Decision struct {
	Granted kernel.Answer
	Class   Class
	Entry   world.ACLEntry // the entry that decided, for ClassACL
	Mask    Bits           // the mask that limited it
	Missing string         // the fact that is not known
}

// Granted says what the mode bits and the ACL of an inode grant (acl_permission_check in fs/namei.c). uid and gid are the
// inode's ids after the mount's id map, which is nil where there is none.
func Granted(c *world.Cred, ino *world.Inode, idmap *world.UserNS, uid world.KUID, gid world.KGID, want Bits) Decision {
	if ino.Known&world.KnownPerm == 0 {
		return Decision{Class: ClassNotKnown, Missing: "mode and owner"}
	}
	mode := Bits(ino.Mode & 7)
	group, owner := Bits(ino.Mode>>3&7), Bits(ino.Mode>>6&7)
	noACL := ino.Known&world.KnownACL != 0 && len(ino.ACL) == 0
	if want&^(mode&group&owner) == 0 && noACL {
		return Decision{Granted: kernel.Yes, Class: ClassOther}
	}
	knowsOwner := ino.Known&world.KnownOwner != 0 && c.UIDAt.Known()
	switch {
	case !knowsOwner && noACL && want&^(mode|group|owner) != 0: // whichever class counts, it lacks a bit
		return Decision{Granted: kernel.No, Class: ClassOther}
	case ino.Known&world.KnownOwner == 0:
		return Decision{Class: ClassNotKnown, Missing: "the owner"}
	case !c.UIDAt.Known():
		return Decision{Class: ClassNotKnown, Missing: "the task's uid"}
	}
	if c.FSUID == uid {
		return Decision{Granted: answer(want&^owner == 0), Class: ClassOwner}
	}
	if ino.Known&world.KnownACL == 0 && group != 0 {
		return Decision{Class: ClassNotKnown, Missing: "the ACL"}
	}
	groups := c.GIDAt.Known() && c.GroupsAt.Known()
	if len(ino.ACL) > 0 && group != 0 {
		if !groups {
			return Decision{Class: ClassNotKnown, Missing: "the task's groups"}
		}
		return aclGranted(c, ino.ACL, idmap, gid, want)
	}
	// Only a difference between group and other bits makes the kernel look at the groups.
	if (mode^group)&want == 0 {
		return Decision{Granted: answer(want&^mode == 0), Class: ClassOther}
	}
	if !groups {
		return Decision{Class: ClassNotKnown, Missing: "the task's groups"}
	}
	if c.InGroup(gid) {
		return Decision{Granted: answer(want&^group == 0), Class: ClassGroup}
	}
	return Decision{Granted: answer(want&^mode == 0), Class: ClassOther}
}

// aclGranted is posix_acl_permission in fs/posix_acl.c, for a task that does not own the inode.
func aclGranted(c *world.Cred, acl []world.ACLEntry, idmap *world.UserNS, gid world.KGID, want Bits) Decision {
	mask, masked := Bits(7), false
	for _, e := range acl {
		if e.Tag == world.ACLMask {
			mask, masked = Bits(e.Perm), true
		}
	}
	decide := func(e world.ACLEntry, limit bool) Decision {
		perm := Bits(e.Perm)
		d := Decision{Class: ClassACL, Entry: e, Mask: 7}
		if limit && masked {
			perm &= mask
			d.Mask = mask
		}
		d.Granted = answer(want&^perm == 0)
		return d
	}
	found := false
	for _, e := range acl {
		switch e.Tag {
		case world.ACLUser:
			id := e.ID
			if idmap != nil {
				id, _ = idmap.UIDs.Down(id)
			}
			if uint32(c.FSUID) == id {
				return decide(e, true)
			}
		case world.ACLGroupObj, world.ACLGroup:
			k := gid
			if e.Tag == world.ACLGroup {
				k = world.KGID(e.ID)
				if idmap != nil {
					id, _ := idmap.GIDs.Down(e.ID)
					k = world.KGID(id)
				}
			}
			if c.InGroup(k) {
				found = true
				if want&^Bits(e.Perm) == 0 {
					return decide(e, true)
				}
			}
		case world.ACLOther:
			if found {
				return Decision{Granted: kernel.No, Class: ClassACL, Entry: world.ACLEntry{Tag: world.ACLGroupObj}, Mask: mask}
			}
			return decide(e, false)
		}
	}
	return Decision{Granted: kernel.No, Class: ClassACL}
}

// EntryText prints the deciding entry as getfacl does.
func (d Decision) EntryText() string {
	e := d.Entry
	s := ""
	switch e.Tag {
	case world.ACLUserObj:
		s = "user::"
	case world.ACLUser:
		s = fmt.Sprintf("user:%d:", e.ID)
	case world.ACLGroupObj:
		s = "group::"
	case world.ACLGroup:
		s = fmt.Sprintf("group:%d:", e.ID)
	case world.ACLOther:
		s = "other::"
	}
	s += Bits(e.Perm).String()
	if d.Mask != 7 && e.Tag != world.ACLOther {
		s += fmt.Sprintf(" (mask %v)", d.Mask)
	}
	return s
}

func answer(b bool) kernel.Answer {
	if b {
		return kernel.Yes
	}
	return kernel.No
}

package vfs

import (
	"strings"

	"syscallstory/check"
	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/world"
)

// What a task changes in an overlay the mounter changes in the upper layer, with the questions that notify_change and
// vfs_setxattr ask everybody (ovl_setattr, ovl_set_acl, ovl_xattr_set). They decide where the mounter is the root of a user
// namespace.

// restrained returns the overlay of an object and the inode that serves it, where its mounter may be refused something.
func restrained(c *check.Check, p world.Path) (*world.Overlay, *world.Inode) {
	fs := c.W.FS
	ino := fs.I(p.Dentry)
	ov := fs.SB(ino.SB).Overlay
	if ov == nil || len(ino.Layers) == 0 || ov.Mounter.UserNS == 0 && ov.Mounter.Effective == world.AllCaps {
		return nil, nil
	}
	return ov, fs.I(ino.Layers[0])
}

// mounter turns what the mounter may into a step.
func mounter(c *check.Check, p world.Path, op story.Op, may kernel.Answer, e story.Errno) story.Errno {
	ov, real := restrained(c, p)
	if ov == nil || may == kernel.Yes {
		return 0
	}
	s := story.Step{Code: story.OverlayMounter, Errno: e, Op: op, Cred: 1, Obj: p.Ref(), Fact: [3]story.Origin{real.At, real.At},
		Val: [3]uint64{uint64(real.Mode), pack(real.UID, real.GID), uint64(ov.Mounter.UserNS)}}
	if may == kernel.NotKnown {
		c.Unknown(s)
		return 0
	}
	return c.Deny(s)
}

// mounterSets is notify_change as the mounter.
func mounterSets(c *check.Check, p world.Path, kind string) story.Errno {
	ov, real := restrained(c, p)
	if ov == nil {
		return 0
	}
	cr, may := &ov.Mounter, kernel.Yes
	switch kind {
	case "mode", "acl", timesSet:
		may = cred.OwnerOrCapable(c.W, cr, real.UID)
	case "times": // ATTR_TOUCH
		if cred.OwnerOrCapable(c.W, cr, real.UID) != kernel.Yes {
			return mounterUses(c, p, check.MayWrite, story.OpSetattr)
		}
	case "owner":
		if may = cred.CapableWrtInode(c.W, cr, real.UID, real.GID, kernel.CapChown); may == kernel.No && cr.FSUID == real.UID {
			ch := &c.Changed
			if !(ch.SetUID && ch.UID != real.UID) && !(ch.SetGID && ch.GID != real.GID && !cr.InGroup(ch.GID)) {
				may = kernel.Yes
			}
		}
	}
	return mounter(c, p, story.OpSetattr, may, story.EPERM)
}

// mounterKeeps is vfs_setxattr as the mounter.
func mounterKeeps(c *check.Check, p world.Path, name string) story.Errno {
	ov, real := restrained(c, p)
	if ov == nil {
		return 0
	}
	cr, may := &ov.Mounter, kernel.Yes
	switch {
	case strings.HasPrefix(name, "trusted."):
		may = asks(c, cr, 0, kernel.CapSysAdmin, check.RealmInitial)
	case name == world.XattrCaps:
		may = cred.CapableWrtInode(c.W, cr, real.UID, real.GID, kernel.CapSetfcap)
	case strings.HasPrefix(name, "security."):
		may = asks(c, cr, c.W.FS.SB(real.SB).UserNS, kernel.CapSysAdmin, check.RealmSuperblock)
	case strings.HasPrefix(name, "system."):
	case strings.HasPrefix(name, "user.") && real.Is(world.TypeDir) && real.Mode&0o1000 != 0 && cred.OwnerOrCapable(c.W, cr, real.UID) != kernel.Yes:
		may = cred.OwnerOrCapable(c.W, cr, real.UID) // xattr_permission
	default:
		return mounterUses(c, p, check.MayWrite, story.OpSetattr)
	}
	return mounter(c, p, story.OpSetattr, may, story.EPERM)
}

// mounterUses is inode_permission of the serving inode as the mounter.
func mounterUses(c *check.Check, p world.Path, mask check.Mask, op story.Op) story.Errno {
	ov, _ := restrained(c, p)
	if ov == nil {
		return 0
	}
	c.Mute()
	e := c.Hooks.InodePermission(c, &ov.Mounter, world.Path{Dentry: c.W.FS.I(p.Dentry).Layers[0]}, mask)
	may := kernel.Yes
	switch missing := c.Unmute(); {
	case e != 0:
		may = kernel.No
	case missing:
		may, e = kernel.NotKnown, story.EACCES
	}
	return mounter(c, p, op, may, e)
}

// mounterRemoves is the beginning of ovl_xattr_set without a value: of a file of the upper layer the mounter must be able to
// change the attribute, in a lower one he must see it. up says that nothing is copied.
func mounterRemoves(c *check.Check, p world.Path, name string) (up bool, err story.Errno) {
	ov, _ := restrained(c, p)
	switch {
	case ov == nil:
	case c.W.FS.I(p.Dentry).Layer == overlay.Upper:
		return true, mounterKeeps(c, p, name)
	case strings.HasPrefix(name, "trusted."):
		return false, mounter(c, p, story.OpSetattr, asks(c, &ov.Mounter, 0, kernel.CapSysAdmin, check.RealmInitial), story.ENODATA)
	case strings.HasPrefix(name, "security."), strings.HasPrefix(name, "system."):
		return false, 0
	}
	return false, mounterUses(c, p, check.MayRead, story.OpSetattr)
}

// killCaps is cap_inode_killpriv in an overlay: who changes what a file holds, or whom it belongs to, takes its file capabilities
// away, and the mounter does it in the upper layer, if he sees any there. A lower file is copied up first, which refuses the same
// owners.
func killCaps(c *check.Check, p world.Path) story.Errno {
	ov, real := restrained(c, p)
	ino := c.W.FS.I(p.Dentry)
	if ov == nil || ino.Layer != overlay.Upper {
		return 0
	}
	may := cred.CapableWrtInode(c.W, &ov.Mounter, real.UID, real.GID, kernel.CapSetfcap)
	if may == kernel.Yes {
		return 0
	}
	switch x, state := ino.Xattr(world.XattrCaps); state {
	case world.Absent:
		return 0
	case world.Unsure:
		may = kernel.NotKnown
	default:
		if size, _ := capsSeen(c, &ov.Mounter, world.Path{Dentry: ino.Layers[0]}, x); size == 0 {
			return 0
		}
	}
	return mounter(c, p, story.OpSetattr, may, story.EPERM)
}

package check

import (
	"slices"

	"syscallstory/story"
	"syscallstory/world"
)

// What would refuse next is asked of a world in which the fact that decided is another one, and nothing else is: a check that
// looks at the same fact later in the call, or on behalf of an overlay's mounter, must see it changed as well.

// Inode returns the inode of a name as permission and attributes are to be read. Where refusals are forgiven it is a copy in which
// what they looked at is as they would have it.
func (c *Check) Inode(d world.DentryID) *world.Inode {
	if len(c.forgiven) == 0 {
		return c.W.FS.I(d)
	}
	return c.relaxed(d)
}

func (c *Check) relaxed(d world.DentryID) *world.Inode {
	ino := c.W.FS.I(d)
	changed := *ino
	changed.ACL = slices.Clone(ino.ACL)
	any := false
	for i := range c.forgiven {
		if f := &c.forgiven[i]; f.Cred == 0 && c.relax(f, d, &changed) {
			c.forgave, any = true, true
		}
	}
	if !any {
		return ino
	}
	return &changed
}

// relax changes what a refusal has looked at, in the inode of a name; false where that was another inode or another kind of fact.
func (c *Check) relax(f *story.Step, d world.DentryID, ino *world.Inode) bool {
	obj := world.DentryID(f.Obj.Dentry)
	switch f.Code {
	case story.ModeBits, story.ModeNoExec, story.ACLBits:
		if !c.sameInode(obj, d) {
			return false
		}
		c.grant(f, ino)
	case story.Immutable, story.AppendOnly, story.AppendDirectory, story.FixedAttributes:
		if !c.sameInode(obj, d) {
			return false
		}
		ino.Attr &^= forgivenAttr(f)
	case story.StickyDelete:
		if !c.sameInode(c.W.FS.D(obj).Parent, d) {
			return false
		}
		ino.Mode &^= 0o1000
	default:
		return false
	}
	return true
}

// grant adds the permission that was lacking: to the entries of the ACL, to whoever may execute, or to the class of the task.
func (c *Check) grant(f *story.Step, ino *world.Inode) {
	bits := story.AskedOfMode(f.Val[0])
	switch f.Code {
	case story.ModeNoExec:
		ino.Mode |= 0o100
		return
	case story.ACLBits:
		bits = story.AskedOfMode(f.Val[1])
		for i := range ino.ACL {
			ino.ACL[i].Perm |= uint8(bits)
		}
		ino.Mode |= bits<<6 | bits<<3 | bits
		return
	}
	uid, gid := uint32(f.Val[1]>>32), world.KGID(uint32(f.Val[1]))
	who := world.Cred{FSGID: world.KGID(uint32(f.Val[2])), Groups: c.W.Task.Cred.Groups}
	switch {
	case uint32(f.Val[2]>>32) == uid:
		ino.Mode |= bits << 6
	case who.InGroup(gid):
		ino.Mode |= bits << 3
		for i := range ino.ACL { // chmod changes the mask (__posix_acl_chmod_masq)
			if ino.ACL[i].Tag == world.ACLMask {
				ino.ACL[i].Perm |= uint8(bits)
			}
		}
	default:
		ino.Mode |= bits
	}
}

// forgivenAttr is what the check has looked at: whoever removes a name must find neither attribute on the file.
func forgivenAttr(f *story.Step) world.Attr {
	switch {
	case f.Code == story.FixedAttributes, f.Code == story.Immutable && f.Op == story.OpRemove:
		return world.AttrImmutable | world.AttrAppend
	case f.Code == story.Immutable:
		return world.AttrImmutable
	}
	return world.AttrAppend
}

// sameInode reports whether two names are of one inode, or are served by one in an overlay's layers.
func (c *Check) sameInode(a, b world.DentryID) bool { return c.real(a) == c.real(b) }

func (c *Check) real(d world.DentryID) world.InodeID {
	for len(c.W.FS.Peek(d).Layers) > 0 {
		d = c.W.FS.Peek(d).Layers[0]
	}
	return c.W.FS.D(d).Inode
}

// forgives reports whether a refusal is a forgiven one, or looks at the flag of a mount or filesystem that a forgiven one has looked at.
func (c *Check) forgives(s *story.Step) bool {
	for i := range c.forgiven {
		f := &c.forgiven[i]
		if f.Same(s) {
			return true
		}
		if f.Code != s.Code || f.Cred != s.Cred {
			continue
		}
		switch s.Code {
		case story.MountReadOnly, story.MountNoDev, story.MountNoExec, story.MountNoSymFollow:
			if f.Obj.Mount == s.Obj.Mount {
				return true
			}
		case story.SELinuxAccess: // its label is another one then
			if f.Obj == s.Obj && f.Obj.Dentry != 0 {
				return true
			}
		case story.SuperReadOnly:
			if fs := c.W.FS; fs.Peek(world.DentryID(f.Obj.Dentry)).SB == fs.Peek(world.DentryID(s.Obj.Dentry)).SB {
				return true
			}
		}
	}
	return false
}

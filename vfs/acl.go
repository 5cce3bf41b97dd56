package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// noACL refuses where the filesystem has no ACLs.
func noACL(c *check.Check, p world.Path, name string, op story.Op) story.Errno {
	sb := c.W.FS.SBOf(p.Dentry)
	s := story.Step{Code: story.XattrUnsupported, Errno: story.EOPNOTSUPP, Op: op, Obj: p.Ref(), Fact: [3]story.Origin{sb.At}}
	if c.Recording() {
		s.Val = [3]uint64{c.Word(name), c.Word(sb.Type)}
	}
	switch {
	case hasACL(c, p.Dentry) == kernel.No, c.W.FS.I(p.Dentry).Is(world.TypeLink):
		return c.Refuse(s)
	case hasACL(c, p.Dentry) == kernel.NotKnown:
		c.Unknown(s)
	}
	return 0
}

// getACL is vfs_get_acl: no permission is asked for.
func getACL(c *check.Check, p world.Path, x Xattr) story.Errno {
	if err := c.LSM.InodeGetACL(c, p); err != 0 {
		return err
	}
	if err := noACL(c, p, x.Name, story.OpRead); err != 0 {
		return err
	}
	ino := c.W.FS.I(p.Dentry)
	acl, known := ino.ACL, ino.Known&world.KnownACL != 0
	if x.Name == world.XattrDefault {
		acl, known = ino.DefaultACL, ino.Known&world.KnownDefault != 0
	}
	s := story.Step{Code: story.XattrMissing, Errno: story.ENODATA, Op: story.OpRead, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{c.Word(x.Name)}}
	switch {
	case !known:
		c.Unknown(s)
		c.MayEnd(story.ERANGE)
		return 0
	case len(acl) == 0:
		return c.Refuse(s)
	}
	return x.fits(c, p, 4+8*len(acl))
}

// setACL is do_set_acl and vfs_set_acl; with no value it is vfs_remove_acl.
func setACL(c *check.Check, p world.Path, x Xattr) story.Errno {
	removes := x.Size == 0
	acl := world.ACLXattr("")
	if !removes && !x.Lost {
		if uint64(len(x.Value)) < x.Size {
			x.Lost = true
		} else {
			acl = world.ACLXattr(x.Value[:x.Size])
		}
	}
	if x.Lost && !removes {
		c.Unknown(story.Step{Code: story.ArgInvalid, Errno: story.EINVAL, Op: story.OpSetattr, Val: [3]uint64{c.Word("what the ACL holds is not known")}})
		removes = true // the rest does not depend on it
	}
	if !removes {
		if err := aclForm(c, acl); err != 0 {
			return err
		}
		if n, _ := acl.Len(); n == 0 { // no entries: as if there were no value
			removes = true
		}
	}
	if err := mayWriteXattr(c, p); err != 0 {
		return err
	}
	var err story.Errno
	if removes {
		err = c.LSM.InodeRemoveACL(c, p)
	} else {
		err = c.LSM.InodeSetACL(c, p)
	}
	if err != 0 {
		return err
	}
	if err := noACL(c, p, x.Name, story.OpSetattr); err != 0 {
		return err
	}
	ino := c.W.FS.I(p.Dentry)
	if x.Name == world.XattrDefault && !ino.Is(world.TypeDir) && ino.Known&world.KnownType != 0 {
		if removes {
			return 0
		}
		return c.Refuse(story.Step{Code: story.ACLRefused, Errno: story.EACCES, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}})
	}
	if err := ownerOrCapable(c, p, story.OwnerOnly); err != 0 {
		return err
	}
	if !removes && !aclValid(c, acl, c.W.FS.SBOf(p.Dentry).UserNS) {
		return Invalid(c, story.EINVAL, "the entries of the ACL are not in order or not complete")
	}
	if err := changed(c, p, "acl"); err != 0 {
		return err
	}
	c.Changed = check.Changed{Path: p, Xattr: x.Name, XattrValue: x.Value, XattrSize: int(x.Size), XattrSet: !removes, Unsure: x.Lost}
	aclMode(c, p, x.Name, acl, removes)
	return 0
}

// aclForm is posix_acl_from_xattr: what breaks the form, and ids that the task's user namespace does not have.
func aclForm(c *check.Check, a world.ACLXattr) story.Errno {
	n, ok := a.Len()
	switch {
	case !ok && len(a) < 4:
		return Invalid(c, story.EINVAL, "an ACL begins with its version")
	case a.Version() != 2:
		return Invalid(c, story.EOPNOTSUPP, "version 2 is the only one of ACLs")
	case !ok:
		return Invalid(c, story.EINVAL, "an entry of an ACL has 8 bytes")
	}
	ns := &c.W.UserNS[c.Cred.UserNS]
	for i := range n {
		e, ok := a.Entry(i)
		if !ok {
			// posix_acl_from_xattr checks the tags only; bits beyond rwx are posix_acl_valid's.
			if e.Perm <= 7 {
				return Invalid(c, story.EINVAL, "an entry of the ACL is of no kind that there is")
			}
			continue
		}
		_, mapped := uint32(0), true
		switch e.Tag {
		case world.ACLUser:
			_, mapped = ns.UIDs.Down(e.ID)
		case world.ACLGroup:
			_, mapped = ns.GIDs.Down(e.ID)
		}
		if !mapped {
			return Invalid(c, story.EINVAL, "the ACL names an id that the task's user namespace does not have")
		}
	}
	return 0
}

// aclValid is posix_acl_valid: the order of the entries, each that must be there once, ids that the filesystem can keep.
func aclValid(c *check.Check, a world.ACLXattr, fsns world.UserNSID) bool {
	n, _ := a.Len()
	ns, fs := &c.W.UserNS[c.Cred.UserNS], &c.W.UserNS[fsns]
	state, mask := world.ACLUserObj, false
	for i := range n {
		e, ok := a.Entry(i)
		if !ok {
			return false
		}
		switch e.Tag {
		case world.ACLUserObj:
			if i != 0 {
				return false
			}
			state = world.ACLUser
		case world.ACLUser:
			k, _ := ns.UIDs.Down(e.ID)
			if state != world.ACLUser || i == 0 || !fs.MapsUID(world.KUID(k)) {
				return false
			}
			mask = true
		case world.ACLGroupObj:
			if state != world.ACLUser || i == 0 {
				return false
			}
			state = world.ACLGroup
		case world.ACLGroup:
			k, _ := ns.GIDs.Down(e.ID)
			if state != world.ACLGroup || !fs.MapsGID(world.KGID(k)) {
				return false
			}
			mask = true
		case world.ACLMask:
			if state != world.ACLGroup {
				return false
			}
			state = world.ACLOther
		case world.ACLOther:
			if state != world.ACLOther && (state != world.ACLGroup || mask) {
				return false
			}
			return i == n-1
		}
	}
	return false
}

// aclMode is posix_acl_update_mode: an access ACL sets the mode's bits, and the setgid bit goes as with chmod.
func aclMode(c *check.Check, p world.Path, name string, a world.ACLXattr, removes bool) {
	ino := c.W.FS.I(p.Dentry)
	if name != world.XattrAccess || removes {
		return
	}
	mode := ino.Mode & 0o7000
	n, _ := a.Len()
	group := uint16(0)
	masked := false
	for i := range n {
		e, _ := a.Entry(i)
		switch e.Tag {
		case world.ACLUserObj:
			mode |= uint16(e.Perm) << 6
		case world.ACLGroupObj:
			if !masked {
				group = uint16(e.Perm)
			}
		case world.ACLMask:
			group, masked = uint16(e.Perm), true
		case world.ACLOther:
			mode |= uint16(e.Perm)
		}
	}
	mode |= group << 3
	uid, gid := ids(c.W, p, ino)
	switch inGroupOrCapable(c, gid, uid, gid) {
	case kernel.No:
		mode &^= 0o2000
	case kernel.NotKnown:
		c.Changed.Unsure = true
	}
	c.Changed.Mode, c.Changed.SetMode = mode, true
	if c.Recording() && mode != ino.Mode&0o7777 {
		c.Effect(story.Effect{Kind: "mode", Path: c.W.PathText(p)})
	}
}

package vfs

import (
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// Xattr is what a call on an extended attribute is given.
type Xattr struct {
	Name      string
	NoName    bool // its address is not readable
	Value     string
	NoValue   bool // its address is not readable
	Lost      bool // the value is not known
	Size      uint64
	Flags     uint64
	KnownSize bool // Size was written
}

// setxattr's flags.
const (
	xattrCreate  = 1
	xattrReplace = 2
	xattrMax     = 64 << 10
)

// what a call on attributes looks at of its arguments.
const (
	noArguments = iota
	nameOnly
	allArguments
)

// wrong is import_xattr_name and setxattr_copy: the errno of arguments that a call does not take, and why.
func (x *Xattr) wrong(what int) (err story.Errno, why string) {
	switch {
	case what == allArguments && x.Flags&^uint64(xattrCreate|xattrReplace) != 0:
		return story.EINVAL, "setxattr knows XATTR_CREATE and XATTR_REPLACE"
	case what == noArguments:
		return 0, ""
	case x.NoName:
		return story.EFAULT, ""
	case x.Name == "" || len(x.Name) > 255:
		return story.ERANGE, "an attribute's name has 1 to 255 bytes"
	case what == nameOnly:
		return 0, ""
	case x.Size > xattrMax:
		return story.E2BIG, "a value has at most 65536 bytes"
	case x.Size > 0 && x.NoValue:
		return story.EFAULT, ""
	}
	return 0, ""
}

// look refuses arguments that the call does not take.
func (x *Xattr) look(c *check.Check, what int) story.Errno {
	err, why := x.wrong(what)
	switch err {
	case 0:
		return 0
	case story.EFAULT:
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: err, Op: story.OpSetattr})
	}
	return Invalid(c, err, why)
}

// early is look where the release does it at this place; all have done it later.
func (x *Xattr) early(c *check.Check, what int, here kernel.Answer) story.Errno {
	switch here {
	case kernel.Yes:
		return x.look(c, what)
	case kernel.NotKnown:
		if err, _ := x.wrong(what); err != 0 {
			c.MayEnd(err)
		}
	}
	return 0
}

// target refuses flags of the *at calls and looks the object up. first is whether the release looks at the arguments before
// it looks a path up; a descriptor it takes first until 6.13.
func (x *Xattr) target(c *check.Check, t Target, what int, first kernel.Answer) (world.Path, bool, story.Errno) {
	if t.Flags&^uint64(AtSymlinkNofollow|AtEmptyPath) != 0 {
		return world.Path{}, true, Invalid(c, story.EINVAL, "the call knows AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH")
	}
	if t.FD {
		first = c.K.Has(kernel.XattrDescriptorLast)
	}
	if err := x.early(c, what, first); err != 0 {
		return world.Path{}, true, err
	}
	t.emptyNull()
	if t.Flags&AtEmptyPath != 0 && t.Path == "" && !t.Null && t.DFD >= 0 { // getname_maybe_null
		t.FD = true
	}
	p, err := t.object(c)
	if err != 0 || lost(c, t, p, story.EROFS, story.EPERM, story.ENODATA, story.EOPNOTSUPP) {
		return p, true, err
	}
	return p, false, 0
}

// changing is target, asks for a mount that can be written, and has looked at the arguments when it is done.
func (x *Xattr) changing(c *check.Check, t Target, what int) (world.Path, bool, story.Errno) {
	copied := c.K.Has(kernel.XattrCopiedFirst)
	p, done, err := x.target(c, t, what, copied)
	if done {
		return p, true, err
	}
	if err := x.early(c, what, copied); err != 0 {
		return p, true, err
	}
	if err := mount.WantWrite(c, p, story.OpSetattr); err != 0 {
		return p, true, err
	}
	err = x.look(c, what)
	return p, err != 0, err
}

// SetXattr is path_setxattrat and do_setxattr.
func SetXattr(c *check.Check, t Target, x Xattr) story.Errno {
	p, done, err := x.changing(c, t, allArguments)
	if done {
		return err
	}
	if x.Name == world.XattrAccess || x.Name == world.XattrDefault {
		return setACL(c, p, x)
	}
	if x.Name == world.XattrCaps && x.Size > 0 {
		if err := fileCaps(c, p, x); err != 0 {
			return err
		}
	}
	if err := xattrPermission(c, p, x.Name, true); err != 0 {
		return err
	}
	if strings.HasPrefix(x.Name, "security.") && x.Name != world.XattrCaps { // cap_inode_setxattr
		if err := securityXattr(c, p, x.Name); err != 0 {
			return err
		}
	}
	if err := c.LSM.InodeSetxattr(c, p, x.Name, x.Value, x.Size); err != 0 {
		return err
	}
	if err := x.copied(c, p); err != 0 {
		return err
	}
	if err := keeps(c, p, x.Name, true); err != 0 {
		return err
	}
	if err := x.exists(c, p); err != 0 {
		return err
	}
	written(c, p)
	c.Changed = check.Changed{Path: p, Xattr: x.Name, XattrValue: x.Value, XattrSize: int(x.Size), XattrSet: true}
	return 0
}

// copied is what precedes a change in an overlay: the copy, and that the mounter may change it. Which names the layer has
// handlers for is asked there (ovl_other_xattr_set).
func (x *Xattr) copied(c *check.Check, p world.Path) story.Errno {
	if ops := c.Ops[c.W.FS.I(p.Dentry).SB]; ops != nil {
		if err := ops.CopyUp(c, p, check.CopyAttributes); err != 0 {
			return err
		}
	}
	return mounterKeeps(c, p, x.Name)
}

// written is what a change leaves.
func written(c *check.Check, p world.Path) {
	if c.Recording() {
		c.Effect(story.Effect{Kind: "xattr", Path: c.W.PathText(p)})
	}
}

// exists is what XATTR_CREATE and XATTR_REPLACE ask for.
func (x *Xattr) exists(c *check.Check, p world.Path) story.Errno {
	if x.Flags == 0 {
		return 0
	}
	st := findXattr(c, p, x.Name)
	s := story.Step{Code: story.XattrMissing, Errno: story.ENODATA, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{c.W.FS.I(p.Dentry).At}, Val: [3]uint64{c.Word(x.Name)}}
	if x.Flags&xattrCreate != 0 && st != world.Absent {
		s.Code, s.Errno = story.XattrExists, story.EEXIST
		if st == world.Unsure {
			c.Unknown(s)
			return 0
		}
		return c.Refuse(s)
	}
	if x.Flags&xattrReplace != 0 && st != world.Present {
		if st == world.Unsure {
			c.Unknown(s)
			return 0
		}
		return c.Refuse(s)
	}
	return 0
}

// xattrPermission is xattr_permission.
func xattrPermission(c *check.Check, p world.Path, name string, write bool) story.Errno {
	if write {
		if err := mayWriteXattr(c, p); err != 0 {
			return err
		}
	}
	ino := c.W.FS.I(p.Dentry)
	switch {
	case strings.HasPrefix(name, "security."), strings.HasPrefix(name, "system."):
		return 0
	case strings.HasPrefix(name, "trusted."):
		if write {
			return Capable(c, 0, check.RealmInitial, kernel.CapSysAdmin, p, story.OpSetattr)
		}
		s := story.Step{Code: story.XattrTrusted, Errno: story.ENODATA, Op: story.OpRead, Obj: p.Ref(), Fact: [3]story.Origin{c.Cred.EffectiveAt}, Val: [3]uint64{uint64(c.Cred.Effective)}}
		switch capable(c, 0, kernel.CapSysAdmin, check.RealmInitial) {
		case kernel.No:
			return c.Deny(s)
		case kernel.NotKnown:
			c.Unknown(s)
		}
		return 0
	case strings.HasPrefix(name, "user."):
		if err := userXattr(c, p, ino, write); err != 0 {
			return err
		}
	}
	mask := check.MayRead
	if write {
		mask = check.MayWrite
	}
	return c.Hooks.InodePermission(c, c.Cred, p, mask)
}

// mayWriteXattr is may_write_xattr.
func mayWriteXattr(c *check.Check, p world.Path) story.Errno {
	if err := fixed(c, p, world.AttrImmutable|world.AttrAppend); err != 0 {
		return err
	}
	ino := c.W.FS.I(p.Dentry)
	uid, gid := ids(c.W, p, ino)
	if ino.Known&world.KnownOwner != 0 && (uint32(uid) == world.Invalid || uint32(gid) == world.Invalid) {
		return c.Deny(story.Step{Code: story.XattrUnmapped, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{pack(ino.UID, ino.GID)}})
	}
	return 0
}

// userXattr is what user.* asks for beside the permission.
func userXattr(c *check.Check, p world.Path, ino *world.Inode, write bool) story.Errno {
	s := story.Step{Code: story.XattrUserType, Errno: story.ENODATA, Op: story.OpRead, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{uint64(ino.Mode)}}
	if write {
		s.Errno, s.Op = story.EPERM, story.OpSetattr
	}
	switch {
	case ino.Known&world.KnownType == 0:
		c.Unknown(s)
	case !ino.Is(world.TypeReg) && !ino.Is(world.TypeDir):
		return c.Refuse(s)
	}
	if write && (ino.Is(world.TypeDir) || ino.Known&world.KnownType == 0) && (ino.Known&world.KnownPerm == 0 || ino.Mode&0o1000 != 0) {
		if ino.Known&world.KnownPerm == 0 {
			s.Code, s.Val = story.ModeUnknown, [3]uint64{c.Word("the task"), c.Word("whether the directory is sticky")}
			c.Unknown(s)
			return 0
		}
		return ownerOrCapable(c, p, story.XattrSticky)
	}
	return 0
}

// fileCaps is cap_convert_nscap.
func fileCaps(c *check.Check, p world.Path, x Xattr) story.Errno {
	if x.Lost {
		c.Unknown(story.Step{Code: story.ArgInvalid, Errno: story.EINVAL, Op: story.OpSetattr, Val: [3]uint64{c.Word("the value of security.capability is not known")}})
		c.MayEnd(story.EPERM)
		return 0
	}
	version := capsVersion(x.Value, int(x.Size))
	if version == 0 {
		return Invalid(c, story.EINVAL, "the value of security.capability has no valid form")
	}
	w, fs := c.W, c.W.FS
	ino, sb := fs.I(p.Dentry), fs.SBOf(p.Dentry)
	uid, gid := ids(w, p, ino)
	a := kernel.NotKnown
	if ino.Known&world.KnownOwner != 0 {
		a = capableWrt(c, uid, gid, kernel.CapSetfcap)
	} else if Holds(c, kernel.CapSetfcap) == kernel.No {
		a = kernel.No
	}
	if err := capability(c, a, c.Cred.UserNS, kernel.CapSetfcap, p, story.OpSetattr); err != 0 {
		return err
	}
	idmap := w.Mounts[p.Mount].IDMap
	if version == 2 && idmap == 0 && capable(c, sb.UserNS, kernel.CapSetfcap, check.RealmSuperblock) == kernel.Yes {
		return 0
	}
	root := uint32(0)
	if version == 3 {
		root = uint32(x.Value[20]) | uint32(x.Value[21])<<8 | uint32(x.Value[22])<<16 | uint32(x.Value[23])<<24
	}
	k, ok := w.UserNS[c.Cred.UserNS].UIDs.Down(root)
	if ok {
		k, _ = onDisk(w, p, k, world.Invalid)
		ok = w.UserNS[sb.UserNS].MapsUID(world.KUID(k))
	}
	if !ok {
		return c.Deny(story.Step{Code: story.XattrRootID, Errno: story.EINVAL, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{uint64(root)}})
	}
	return 0
}

// capsVersion is validheader: 2 or 3, or 0 for what is none.
func capsVersion(v string, size int) int {
	if len(v) < size || size < 4 {
		return 0
	}
	switch magic := v[3]; {
	case size == 20 && magic == 2 && v[1] == 0 && v[2] == 0:
		return 2
	case size == 24 && magic == 3 && v[1] == 0 && v[2] == 0:
		return 3
	}
	return 0
}

// RemoveXattr is path_removexattrat.
func RemoveXattr(c *check.Check, t Target, x Xattr) story.Errno {
	if t.Flags&AtEmptyPath != 0 { // only the newer call has flags, and copies the name first
		if err := x.look(c, nameOnly); err != 0 {
			return err
		}
	}
	if err := t.descriptorOnly(c); err != 0 {
		return err
	}
	p, done, err := x.changing(c, t, nameOnly)
	if done {
		return err
	}
	if x.Name == world.XattrAccess || x.Name == world.XattrDefault {
		x.Size = 0
		return setACL(c, p, x)
	}
	if err := xattrPermission(c, p, x.Name, true); err != 0 {
		return err
	}
	if strings.HasPrefix(x.Name, "security.") { // cap_inode_removexattr
		if err := securityXattr(c, p, x.Name); err != 0 {
			return err
		}
	}
	if err := c.LSM.InodeRemovexattr(c, p, x.Name); err != 0 {
		return err
	}
	up, err := mounterRemoves(c, p, x.Name)
	if err != 0 {
		return err
	}
	if err := keeps(c, p, x.Name, true); err != 0 {
		return err
	}
	x.Flags = xattrReplace
	if err := x.exists(c, p); err != 0 {
		return err
	}
	if !up {
		if err := x.copied(c, p); err != 0 {
			return err
		}
	}
	written(c, p)
	c.Changed = check.Changed{Path: p, Xattr: x.Name}
	return 0
}

// GetXattr is path_getxattrat.
func GetXattr(c *check.Check, t Target, x Xattr) story.Errno {
	p, done, err := x.target(c, t, nameOnly, c.K.Has(kernel.XattrDescriptorLast))
	if done {
		return err
	}
	if err := x.look(c, nameOnly); err != 0 {
		return err
	}
	if x.Name == world.XattrAccess || x.Name == world.XattrDefault {
		return getACL(c, p, x)
	}
	if err := xattrPermission(c, p, x.Name, false); err != 0 {
		return err
	}
	if err := c.LSM.InodeGetxattr(c, p); err != 0 {
		return err
	}
	if err := keeps(c, p, x.Name, false); err != 0 {
		return err
	}
	ino := c.W.FS.I(p.Dentry)
	s := story.Step{Code: story.XattrMissing, Errno: story.ENODATA, Op: story.OpRead, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{c.Word(x.Name)}}
	switch findXattr(c, p, x.Name) {
	case world.Absent:
		return c.Refuse(s)
	case world.Unsure:
		c.Unknown(s)
		c.MayEnd(story.ERANGE)
		return 0
	}
	have, _ := ino.Xattr(x.Name)
	size := have.Size
	if x.Name == world.XattrCaps {
		var root world.KUID
		switch size, root = capsSeen(c, c.Cred, p, have); size {
		case -1:
			return Invalid(c, story.EINVAL, "the value of security.capability has no valid form")
		case 0:
			return c.Deny(story.Step{Code: story.UserNSIDs, Errno: story.EOVERFLOW, Op: story.OpRead, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{pack(root, 0)}})
		}
	}
	return x.fits(c, p, size)
}

// fits refuses a buffer that is too small.
func (x *Xattr) fits(c *check.Check, p world.Path, size int) story.Errno {
	if !x.KnownSize || x.Size == 0 || uint64(size) <= x.Size {
		return 0
	}
	return c.Refuse(story.Step{Code: story.XattrSize, Errno: story.ERANGE, Op: story.OpRead, Obj: p.Ref(), Fact: [3]story.Origin{c.W.FS.I(p.Dentry).At}, Val: [3]uint64{uint64(size), x.Size}})
}

// capsSeen is cap_inode_getsecurity's size: file capabilities whose root is the task's own or that of a namespace above look like
// version 2; those of any other cannot be told: 0, with the root. A value without a valid form has the size -1.
func capsSeen(c *check.Check, cr *world.Cred, p world.Path, x world.Xattr) (size int, owner world.KUID) {
	w := c.W
	root := uint32(0)
	switch capsVersion(x.Value, len(x.Value)) {
	case 0:
		return -1, 0
	case 3:
		root = uint32(x.Value[20]) | uint32(x.Value[21])<<8 | uint32(x.Value[22])<<16 | uint32(x.Value[23])<<24
	}
	k, _ := w.UserNS[w.FS.SBOf(p.Dentry).UserNS].UIDs.Down(root)
	if m := w.Mounts[p.Mount].IDMap; m != 0 {
		up, _ := w.UserNS[w.FS.SBOf(p.Dentry).UserNS].UIDs.Up(k)
		k, _ = w.UserNS[m].UIDs.Down(up)
	}
	if seen, ok := w.UserNS[cr.UserNS].UIDs.Up(k); ok && seen != 0 {
		return 24, world.KUID(k)
	}
	for ns := cr.UserNS; ; ns = w.UserNS[ns].Parent {
		if id, ok := w.UserNS[ns].UIDs.Up(k); ok && id == 0 && k != world.Invalid {
			return 20, world.KUID(k)
		}
		if ns == 0 {
			return 0, world.KUID(k)
		}
	}
}

// CapsTold implements check.Hooks.
func (Hooks) CapsTold(c *check.Check, cr *world.Cred, p world.Path, x world.Xattr) bool {
	size, _ := capsSeen(c, cr, p, x)
	return size != 0
}

// ListXattr is path_listxattrat: nobody is refused, but trusted.* is left out.
func ListXattr(c *check.Check, t Target, x Xattr) story.Errno {
	if err := t.descriptorOnly(c); err != 0 {
		return err
	}
	p, done, err := x.target(c, t, noArguments, kernel.No)
	if done {
		return err
	}
	if err := c.LSM.InodeListxattr(c, p); err != 0 {
		return err
	}
	if !x.KnownSize || x.Size == 0 {
		return 0
	}
	n, known := listed(c, p)
	if !known && uint64(n) <= x.Size {
		c.Unknown(story.Step{Code: story.XattrSize, Errno: story.ERANGE, Op: story.OpRead, Obj: p.Ref(), Fact: [3]story.Origin{c.W.FS.I(p.Dentry).At}, Val: [3]uint64{0, x.Size}})
		return 0
	}
	return x.fits(c, p, n)
}

// listed counts the bytes of the names that a task is told.
func listed(c *check.Check, p world.Path) (n int, known bool) {
	ino := c.W.FS.I(p.Dentry)
	known = ino.Known&(world.KnownXattr|world.KnownACL|world.KnownDefault) == world.KnownXattr|world.KnownACL|world.KnownDefault && !ino.NoTrusted
	trusted := silently(c, kernel.CapSysAdmin)
	merged := c.W.FS.SB(ino.SB).Overlay != nil
	for i := range ino.Xattrs {
		name := ino.Xattrs[i].Name
		switch {
		case merged: // ovl_listxattr has the layer's filesystem list all of them into the buffer, then leaves some out
			n += len(name) + 1
		case strings.HasPrefix(name, "trusted.") && trusted == kernel.No:
		case strings.HasPrefix(name, "trusted.") && trusted == kernel.NotKnown:
			known = false
		default:
			n += len(name) + 1
		}
	}
	if len(ino.ACL) > 0 {
		n += len(world.XattrAccess) + 1
	}
	if len(ino.DefaultACL) > 0 {
		n += len(world.XattrDefault) + 1
	}
	return n, known
}

// emptyNull makes an empty path of none where AT_EMPTY_PATH is given (getname_maybe_null).
func (t *Target) emptyNull() {
	if t.Flags&AtEmptyPath != 0 && t.Zero {
		t.Path, t.Null = "", false
	}
}

// descriptorOnly refuses AT_FDCWD for an empty path, for which path_removexattrat and path_listxattrat take a descriptor.
func (t *Target) descriptorOnly(c *check.Check) story.Errno {
	if t.Flags&AtEmptyPath == 0 || t.DFD >= 0 || !t.Zero && (t.Null || t.Path != "") || t.Flags&^uint64(AtSymlinkNofollow|AtEmptyPath) != 0 {
		return 0
	}
	return c.Refuse(story.Step{Code: story.DescriptorOpen, Errno: story.EBADF, Op: story.OpSetattr, Val: [3]uint64{uint64(uint32(t.DFD))}})
}

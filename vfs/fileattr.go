package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// FileAttr is what FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR and file_setattr(2) are given.
type FileAttr struct {
	Flags   uint64 // FS_*_FL, or FS_XFLAG_* with X
	X       bool   // struct fsxattr or struct file_attr
	Project uint64
	Call    bool // file_setattr: EOPNOTSUPP instead of ENOTTY
	Lost    bool // what the address leads to is not known
}

const (
	fsImmutable, fsAppend   = 16, 32
	fsExtent                = 0x80000
	fsxImmutable, fsxAppend = 8, 16
	fsxNoAtime, fsxNoDump   = 64, 128
	fsxProjInherit          = 512
)

// changes reports whether the flags differ from what the inode has in immutable and append-only.
func (a *FileAttr) changes(ino *world.Inode) (attr world.Attr, differs bool) {
	imm, app := uint64(fsImmutable), uint64(fsAppend)
	if a.X {
		imm, app = fsxImmutable, fsxAppend
	}
	if a.Flags&imm != 0 {
		attr |= world.AttrImmutable
	}
	if a.Flags&app != 0 {
		attr |= world.AttrAppend
	}
	return attr, (attr^ino.Attr)&(world.AttrImmutable|world.AttrAppend) != 0
}

// SetFileAttr is vfs_fileattr_set behind mnt_want_write.
func SetFileAttr(c *check.Check, p world.Path, a FileAttr) story.Errno {
	if err := mount.WantWrite(c, p, story.OpSetattr); err != 0 {
		return err
	}
	ino := c.W.FS.I(p.Dentry)
	errno := story.ENOTTY
	if a.Call {
		errno = story.EOPNOTSUPP
	}
	if err := fileAttrs(c, p, errno); err != 0 {
		return err
	}
	if err := ownerOrCapable(c, p, story.OwnerOnly); err != 0 {
		return err
	}
	attr, differs := a.changes(ino)
	switch {
	case a.Lost:
		c.Unknown(story.Step{Code: story.ArgInvalid, Errno: story.EFAULT, Op: story.OpSetattr, Val: [3]uint64{c.Word("the attributes that are to be set are not known")}})
		c.MayEnd(story.EPERM)
	case ino.Known&world.KnownAttr == 0 && capable(c, 0, kernel.CapLinuxImmutable, check.RealmInitial) != kernel.Yes:
		c.Unknown(story.Step{Code: story.CapNeeded, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{uint64(kernel.CapLinuxImmutable), 0, uint64(c.Cred.Effective)}})
	case ino.Known&world.KnownAttr != 0 && differs: // fileattr_set_prepare
		if err := Capable(c, 0, check.RealmInitial, kernel.CapLinuxImmutable, p, story.OpSetattr); err != 0 {
			return err
		}
	}
	if a.X && c.Cred.UserNS != 0 && (a.Project != 0 || a.Flags&fsxProjInherit != 0) {
		return Invalid(c, story.EINVAL, "project ids are changed in the initial user namespace only")
	}
	if c.K.Has(kernel.FileAttrHooks) != kernel.No {
		if err := c.LSM.InodeFileSetattr(c, p); err != 0 {
			return err
		}
	}
	if err := changed(c, p, "attributes"); err != 0 {
		return err
	}
	if ov, _ := restrained(c, p); ov != nil && attr != 0 { // ovl_set_protattr keeps immutable and append-only in a mark of its own
		mark := "trusted.overlay.protattr"
		if ov.UserXattr {
			mark = "user.overlay.protattr"
		}
		if err := mounterKeeps(c, p, mark); err != 0 {
			return err
		}
	}
	if err := mounterSets(c, p, "mode"); err != 0 { // ovl_real_fileattr_set asks again
		return err
	}
	if err := keepsFlags(c, p, a, errno); err != 0 {
		return err
	}
	if !a.Lost {
		c.Changed = check.Changed{Path: p, Attr: attr, SetAttr: true}
	}
	return 0
}

// fileAttrs refuses inodes without fileattr_get and fileattr_set.
func fileAttrs(c *check.Check, p world.Path, errno story.Errno) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	sb := c.W.FS.SB(ino.SB)
	typ := realType(c, p.Dentry)
	plain := ino.Is(world.TypeReg) || ino.Is(world.TypeDir)
	s := story.Step{Code: story.AttrUnsupported, Errno: errno, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{sb.At}}
	if c.Recording() {
		s.Val[0] = c.Word(typ)
	}
	switch typ {
	case "tmpfs", "ext4", "xfs", "btrfs":
		switch {
		case plain:
			return 0
		case ino.Known&world.KnownType != 0 && (typ == "tmpfs" || !ino.Is(world.TypeLink)):
			return c.Refuse(s)
		}
	case "proc", "sysfs", "cgroup", "cgroup2", "ramfs", "devpts", "mqueue":
		return c.Refuse(s)
	}
	c.Unknown(s)
	return 0
}

// keepsFlags is the filesystem's own look at the flags.
func keepsFlags(c *check.Check, p world.Path, a FileAttr, errno story.Errno) story.Errno {
	sb := c.W.FS.SBOf(p.Dentry)
	s := story.Step{Code: story.AttrUnsupported, Errno: story.EOPNOTSUPP, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{sb.At}}
	if c.Recording() {
		s.Val[0] = c.Word(sb.Type)
	}
	const user = fsImmutable | fsAppend | 64 | 128 // FS_NODUMP_FL, FS_NOATIME_FL
	switch typ := realType(c, p.Dentry); {
	case a.Lost:
		return 0
	case typ == "tmpfs" && a.X && (a.Flags&^uint64(fsxImmutable|fsxAppend|fsxNoAtime|fsxNoDump) != 0 || a.Project != 0): // fileattr_has_fsx
		return c.Refuse(s)
	case typ == "tmpfs" && a.X:
		return 0
	case typ == "tmpfs" && a.Flags&^user != 0 && a.Flags&^uint64(user|0x40000000) != 0:
		return c.Refuse(s)
	case (typ == "tmpfs" || typ == "xfs" || typ == "btrfs") && a.Flags&^user == 0 && !a.X:
		return 0
	case typ == "ext4" && !a.X && a.Flags&^uint64(user|fsExtent) == 0 && a.Flags&fsExtent != 0: // without it ext4 would rewrite the file
		return 0
	case typ == "ext4" && a.X && a.Flags&^uint64(fsxImmutable|fsxAppend|fsxNoAtime|fsxNoDump) == 0 && a.Project == 0:
		return 0
	}
	c.Unknown(s)
	return 0
}

// GetFileAttr is vfs_fileattr_get.
func GetFileAttr(c *check.Check, p world.Path, call bool) story.Errno {
	errno := story.ENOTTY
	if call {
		errno = story.EOPNOTSUPP
	}
	if c.K.Has(kernel.FileAttrHooks) != kernel.No {
		if err := c.LSM.InodeFileGetattr(c, p); err != 0 {
			return err
		}
	}
	return fileAttrs(c, p, errno)
}

// FileAttrAt is file_getattr(2) and, with attributes, file_setattr(2).
func FileAttrAt(c *check.Check, t Target, size uint64, null bool, set *FileAttr) story.Errno {
	switch {
	case t.Flags&^uint64(AtSymlinkNofollow|AtEmptyPath) != 0:
		return Invalid(c, story.EINVAL, "the call knows AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH")
	case size > 4096:
		return Invalid(c, story.E2BIG, "the structure has at most a page")
	case size < 24:
		return Invalid(c, story.EINVAL, "the structure has at least 24 bytes")
	}
	if set != nil {
		const known = 0x1ffff&^4 | 0x80000000
		switch {
		case null:
			return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpSetattr})
		case set.Flags&^uint64(known) != 0:
			return Invalid(c, story.EINVAL, "the attributes hold a flag that there is none of")
		}
	}
	t.emptyNull()
	if t.Flags&AtEmptyPath != 0 && t.Path == "" && !t.Null && t.DFD >= 0 {
		t.FD = true
	}
	p, err := t.object(c)
	if err != 0 || lost(c, t, p, story.EROFS, story.EPERM, story.EOPNOTSUPP) {
		return err
	}
	if set != nil {
		return SetFileAttr(c, p, *set)
	}
	if err := GetFileAttr(c, p, true); err != 0 {
		return err
	}
	if null {
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpRead})
	}
	return 0
}

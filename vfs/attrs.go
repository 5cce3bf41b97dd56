package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/world"
)

// Capable is ns_capable: the capability in a user namespace, the task's own or one above or below it; in says why in that one.
func Capable(c *check.Check, ns world.UserNSID, in check.Realm, want kernel.Cap, p world.Path, op story.Op) story.Errno {
	return capability(c, capable(c, ns, want, in), ns, want, p, op)
}

// capability turns the answer to a capability check into a step.
func capability(c *check.Check, a kernel.Answer, ns world.UserNSID, want kernel.Cap, p world.Path, op story.Op) story.Errno {
	cr := c.Cred
	s := story.Step{Code: story.CapNeeded, Errno: story.EPERM, Op: op, Obj: p.Ref(), Fact: [3]story.Origin{cr.EffectiveAt, 0, cr.EffectiveAt}, Val: [3]uint64{uint64(want), uint64(ns), uint64(cr.Effective)}}
	switch a {
	case kernel.Yes:
		c.Pass(s)
		return 0
	case kernel.NotKnown:
		c.Unknown(s)
		return 0
	}
	if cr.EffectiveAt.Known() && cr.Effective.Has(want) {
		s.Code, s.Val = story.UserNSCap, [3]uint64{uint64(want), uint64(ns), uint64(cr.UserNS)}
	}
	return c.Deny(s)
}

// mapped refuses a file whose ids cannot be expressed through its mount: EOVERFLOW.
func mapped(c *check.Check, p world.Path, op story.Op) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	uid, gid := ids(c.W, p, ino)
	if ino.Known&world.KnownOwner == 0 || uint32(uid) != world.Invalid && uint32(gid) != world.Invalid {
		return 0
	}
	return c.Deny(story.Step{Code: story.UserNSIDs, Errno: story.EOVERFLOW, Op: op, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{pack(ino.UID, ino.GID)}})
}

// fixed refuses to change the attributes of an immutable or append-only file (may_setattr).
func fixed(c *check.Check, p world.Path, which world.Attr) story.Errno {
	ino := c.Inode(p.Dentry)
	if ino.Attr&which == 0 {
		return 0
	}
	return c.Deny(story.Step{Code: story.FixedAttributes, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}})
}

// timesSet are times that are not the present.
const timesSet = "times set"

// changed is what follows where every check has passed: overlayfs copies the object up (ovl_setattr). Without a kind nothing
// but the time of the change is written.
func changed(c *check.Check, p world.Path, kind string) story.Errno {
	if ops := c.Ops[c.W.FS.I(p.Dentry).SB]; ops != nil {
		if err := ops.CopyUp(c, p, check.CopyAttributes); err != 0 {
			return err
		}
		if err := mounterSets(c, p, kind); err != 0 {
			return err
		}
	}
	if kind == timesSet {
		kind = "times"
	}
	if c.Recording() && kind != "" {
		c.Effect(story.Effect{Kind: kind, Path: c.W.PathText(p)})
	}
	return 0
}

// object is what a call on a path or a descriptor works on.
func (t Target) object(c *check.Check) (world.Path, story.Errno) {
	if !t.FD {
		var n namei.Walk
		err := t.at(c, &n)
		return n.Path, err
	}
	f, err := descriptor(c, t.DFD)
	if f == nil {
		return world.Path{}, err
	}
	// fdget: O_PATH descriptors count as closed.
	s := story.Step{Code: story.DescriptorFlags, Errno: story.EBADF, Op: story.OpSetattr, Obj: f.Path.Ref(), Fact: [3]story.Origin{f.At}, Val: [3]uint64{uint64(int64(t.DFD)), c.Word("O_PATH")}}
	switch {
	case f.FlagsAt&story.Missing != 0:
		s.Fact[0] = f.FlagsAt
		c.Unknown(s)
	case f.Flags&OPath != 0:
		return f.Path, c.Refuse(s)
	}
	return f.Path, 0
}

// descriptor is fdget_raw. A descriptor that may be open without being known is nil without an errno.
func descriptor(c *check.Check, fd int) (*world.FD, story.Errno) {
	if f := c.W.Task.FDByNumber(fd); f != nil {
		return f, 0
	}
	s := story.Step{Code: story.PathDirfd, Errno: story.EBADF, Op: story.OpSetattr, Fact: [3]story.Origin{c.W.Task.FDsAt}, Val: [3]uint64{uint64(int64(fd))}}
	if c.W.Task.FDsAt&story.Missing != 0 {
		c.Unknown(s)
		return nil, 0
	}
	return nil, c.Refuse(s)
}

// lost ends a call on a descriptor of which nothing is known.
func lost(c *check.Check, t Target, p world.Path, errnos ...story.Errno) bool {
	if !t.FD || p != (world.Path{}) {
		return false
	}
	for _, e := range errnos {
		c.MayEnd(e)
	}
	return true
}

// Chmod is chmod_common and notify_change.
func Chmod(c *check.Check, t Target, mode uint64) story.Errno {
	if t.Flags&^uint64(AtSymlinkNofollow|AtEmptyPath) != 0 {
		return Invalid(c, story.EINVAL, "fchmodat2 knows AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH")
	}
	p, err := t.object(c)
	if err != 0 || lost(c, t, p, story.EROFS, story.EPERM) {
		return err
	}
	if err := mount.WantWrite(c, p, story.OpSetattr); err != 0 {
		return err
	}
	if err := c.LSM.PathChmod(c, p); err != 0 {
		return err
	}
	if err := fixed(c, p, world.AttrImmutable|world.AttrAppend); err != 0 {
		return err
	}
	ino := c.W.FS.I(p.Dentry)
	s := story.Step{Code: story.SymlinkMode, Errno: story.EOPNOTSUPP, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}}
	switch {
	case ino.Is(world.TypeLink):
		return c.Refuse(s)
	case ino.Known&world.KnownType == 0 && t.Flags&AtSymlinkNofollow != 0:
		c.Unknown(s)
	}
	if err := mapped(c, p, story.OpSetattr); err != 0 {
		return err
	}
	if err := c.LSM.InodeSetattr(c, p, check.SetAttributes); err != 0 {
		return err
	}
	if err := setattr(c, p, true); err != 0 {
		return err
	}
	if err := ownerOrCapable(c, p, story.OwnerOnly); err != 0 {
		return err
	}
	uid, gid := ids(c.W, p, ino)
	c.Changed = check.Changed{Path: p, Mode: uint16(mode & 0o7777), SetMode: true}
	if mode&0o2000 != 0 { // setattr_prepare takes the setgid bit away without a word
		switch inGroupOrCapable(c, gid, uid, gid) {
		case kernel.No:
			c.Changed.Mode &^= 0o2000
		case kernel.NotKnown:
			c.Changed.Unsure = true
		}
	}
	return changed(c, p, "mode")
}

// Times are utimensat's two, as nanoseconds of the array; without Given the address is NULL.
type Times struct {
	Given bool
	Nsec  [2]uint64
	Lost  bool // what the address leads to is not known
}

// utimensat's special nanoseconds.
const (
	utimeNow  = 1<<30 - 1
	utimeOmit = 1<<30 - 2
)

// now reports whether both times are to be the present.
func (t Times) now() bool { return !t.Given || t.Nsec == [2]uint64{utimeNow, utimeNow} }

// valid is nsec_valid.
func (t Times) valid() bool {
	for _, n := range t.Nsec {
		if n > 999_999_999 && n != utimeNow && n != utimeOmit {
			return false
		}
	}
	return true
}

// Utimes is do_utimes and vfs_utimes: setting both times to now needs only write permission.
func Utimes(c *check.Check, t Target, times Times) story.Errno {
	if times.Lost {
		c.Unknown(story.Step{Code: story.TimesUnknown, Errno: story.EFAULT, Op: story.OpSetattr})
		for _, e := range [...]story.Errno{story.EINVAL, story.EPERM, story.EACCES} {
			c.MayEnd(e)
		}
	}
	if times.Given && times.Nsec == [2]uint64{utimeOmit, utimeOmit} {
		return 0 // nothing to do, whatever the path is
	}
	switch {
	case t.FD && t.Flags != 0: // do_utimes_fd
		return Invalid(c, story.EINVAL, "a descriptor without a path takes no flags")
	case t.Flags&^uint64(AtSymlinkNofollow|AtEmptyPath) != 0:
		return Invalid(c, story.EINVAL, "utimensat knows AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH")
	}
	p, err := t.object(c)
	if err != 0 || lost(c, t, p, story.EROFS, story.EPERM, story.EACCES) {
		return err
	}
	if times.Given && !times.valid() {
		return Invalid(c, story.EINVAL, "nanoseconds are less than 1000000000, UTIME_NOW or UTIME_OMIT")
	}
	if err := mount.WantWrite(c, p, story.OpSetattr); err != 0 {
		return err
	}
	switch {
	case times.Lost:
	case times.now():
		if err := touch(c, p); err != 0 {
			return err
		}
	default:
		if err := fixed(c, p, world.AttrImmutable|world.AttrAppend); err != 0 {
			return err
		}
	}
	if err := mapped(c, p, story.OpSetattr); err != 0 {
		return err
	}
	what := check.SetAttributes
	if times.now() {
		what = check.SetTouched
	}
	if err := c.LSM.InodeSetattr(c, p, what); err != 0 {
		return err
	}
	if err := setattr(c, p, false); err != 0 {
		return err
	}
	if !times.Lost && !times.now() {
		if err := ownerOrCapable(c, p, story.OwnerOnly); err != 0 {
			return err
		}
		return changed(c, p, timesSet)
	}
	return changed(c, p, "times")
}

// touch is may_setattr's ATTR_TOUCH: the owner, or whoever may write.
func touch(c *check.Check, p world.Path) story.Errno {
	if err := fixed(c, p, world.AttrImmutable); err != 0 {
		return err
	}
	ino := c.W.FS.I(p.Dentry)
	uid, _ := ids(c.W, p, ino)
	a := kernel.NotKnown
	if ino.Known&world.KnownOwner != 0 {
		a = ownerOr(c, uid)
	}
	switch a {
	case kernel.Yes:
		return 0
	case kernel.No:
		return c.Hooks.InodePermission(c, c.Cred, p, check.MayWrite)
	}
	c.Mute() // the owner may, so that what the permission says does not decide
	e := c.Hooks.InodePermission(c, c.Cred, p, check.MayWrite)
	if missing := c.Unmute(); e != 0 || missing {
		c.Unknown(story.Step{Code: story.ModeUnknown, Errno: story.EACCES, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At, c.Cred.UIDAt}, Val: [3]uint64{c.Word("the task"), c.Word("the owner, or the task's uid or capabilities")}})
	}
	return 0
}

// setattr is what inode_operations.setattr of filesystems that keep nothing says: proc_setattr leaves the modes of a process's files as
// they are, anon_inode_setattr everything.
func setattr(c *check.Check, p world.Path, mode bool) story.Errno {
	fs := c.W.FS
	sb := fs.SBOf(p.Dentry)
	s := story.Step{Code: story.NoOperation, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{sb.At}}
	if c.Recording() {
		s.Val[0] = c.Word(sb.Type)
	}
	switch sb.Type {
	case "proc":
		at := whereInProc(fs, p.Dentry)
		switch {
		case !mode || at.depth == 0 || procPID(fs.D(at.top).Name) == 0:
		case at.depth > 2 && fs.D(at.second).Name == "net": // entries of the network namespace, with attributes of their own
			c.Unknown(s)
		default:
			return c.Refuse(s)
		}
	case "anon_inode", "pidfd":
		s.Errno = story.EOPNOTSUPP
		switch c.K.Has(kernel.AnonymousSetattr) {
		case kernel.Yes:
			return c.Refuse(s)
		case kernel.NotKnown:
			s.Fact[0] = c.W.KernelAt
			c.Unknown(s)
		}
	}
	return 0
}

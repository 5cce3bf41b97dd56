package vfs

import (
	"syscallstory/check"
	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/world"
)

// Capable is ns_capable: the capability in a user namespace, the task's own or one above or below it.
func Capable(c *check.Check, ns world.UserNSID, want kernel.Cap, p world.Path, op story.Op) story.Errno {
	cr := c.Cred
	return capability(c, cred.Capable(c.W, cr, ns, want), ns, want, p, op)
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

// capableWrt is capable_wrt_inode_uidgid.
func capableWrt(c *check.Check, uid world.KUID, gid world.KGID, want kernel.Cap) kernel.Answer {
	return cred.CapableWrtInode(c.W, c.Cred, uid, gid, want)
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

// fixed refuses to change the attributes of an immutable or append-only file.
func fixed(c *check.Check, p world.Path, which world.Attr) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	if ino.Attr&which == 0 {
		return 0
	}
	return c.Deny(story.Step{Code: story.FixedAttributes, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}})
}

// changed is what follows where every check has passed: overlayfs copies the object up.
func changed(c *check.Check, p world.Path, kind string) story.Errno {
	if ops := c.Ops[c.W.FS.I(p.Dentry).SB]; ops != nil {
		if err := ops.CopyUp(c, p, false); err != 0 {
			return err
		}
	}
	if c.Recording() {
		c.Effect(story.Effect{Kind: kind, Path: c.W.PathText(p)})
	}
	return 0
}

// object is what a call on a path or a descriptor works on.
func (t Target) object(c *check.Check) (world.Path, story.Errno) {
	if t.FD {
		f := c.W.Task.FDByNumber(t.DFD)
		if f != nil {
			return f.Path, 0
		}
		s := story.Step{Code: story.PathDirfd, Errno: story.EBADF, Op: story.OpSetattr, Fact: [3]story.Origin{c.W.Task.FDsAt}, Val: [3]uint64{uint64(int64(t.DFD))}}
		if c.W.Task.FDsAt&story.Missing != 0 {
			c.Unknown(s)
			return world.Path{}, 0
		}
		return world.Path{}, c.Refuse(s)
	}
	var n namei.Walk
	err := t.at(c, &n)
	return n.Path, err
}

// Chmod is chmod_common and notify_change.
func Chmod(c *check.Check, t Target, mode uint64) story.Errno {
	if t.Flags&^uint64(AtSymlinkNofollow|AtEmptyPath) != 0 {
		return Invalid(c, story.EINVAL, "fchmodat2 knows AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH")
	}
	p, err := t.object(c)
	if err != 0 {
		return err
	}
	if err := mount.WantWrite(c, p, story.OpSetattr); err != 0 {
		return err
	}
	if err := c.LSM.Change(c, p, story.OpSetattr); err != 0 {
		return err
	}
	if err := fixed(c, p, world.AttrImmutable|world.AttrAppend); err != 0 {
		return err
	}
	ino := c.W.FS.I(p.Dentry)
	if ino.Is(world.TypeLink) {
		return c.Refuse(story.Step{Code: story.SymlinkMode, Errno: story.EOPNOTSUPP, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}})
	}
	if err := mapped(c, p, story.OpSetattr); err != 0 {
		return err
	}
	if err := ownerOrCapable(c, p, story.OwnerOnly); err != 0 {
		return err
	}
	c.Changed = check.Changed{Path: p, Mode: uint16(mode & 0o7777), SetMode: true}
	return changed(c, p, "mode")
}

// Chown is chown_common and notify_change. An id of -1 stays as it is.
func Chown(c *check.Check, t Target, uid, gid uint32) story.Errno {
	if t.Flags&^uint64(AtSymlinkNofollow|AtEmptyPath) != 0 {
		return Invalid(c, story.EINVAL, "fchownat knows AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH")
	}
	p, err := t.object(c)
	if err != 0 {
		return err
	}
	if err := mount.WantWrite(c, p, story.OpSetattr); err != 0 {
		return err
	}
	w := c.W
	ns := &w.UserNS[c.Cred.UserNS]
	setUID, setGID := uid != world.Invalid, gid != world.Invalid
	kuid, okU := ns.UIDs.Down(uid)
	kgid, okG := ns.GIDs.Down(gid)
	for _, id := range []struct {
		set, ok bool
		v       uint32
	}{{setUID, okU, uid}, {setGID, okG, gid}} {
		if id.set && !id.ok {
			return c.Deny(story.Step{Code: story.UserNSArgument, Errno: story.EINVAL, Op: story.OpSetattr, Obj: p.Ref(), Val: [3]uint64{uint64(id.v), uint64(c.Cred.UserNS)}})
		}
	}
	if err := c.LSM.Change(c, p, story.OpSetattr); err != 0 {
		return err
	}
	if setUID || setGID {
		if err := fixed(c, p, world.AttrImmutable|world.AttrAppend); err != 0 {
			return err
		}
	}
	ino := w.FS.I(p.Dentry)
	if err := chownMaps(c, p, setUID, setGID, kuid, kgid); err != 0 {
		return err
	}
	if ino.Known&world.KnownOwner == 0 || !c.Cred.UIDAt.Known() {
		if setUID || setGID {
			c.Unknown(story.Step{Code: story.ModeUnknown, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At, c.Cred.UIDAt}, Val: [3]uint64{c.Word("the task"), c.Word("the owner, or the task's uid")}})
		}
		return changed(c, p, "owner")
	}
	if err := chownPrepare(c, p, setUID, setGID, world.KUID(kuid), world.KGID(kgid)); err != 0 {
		return err
	}
	c.Changed = check.Changed{Path: p, UID: world.KUID(kuid), GID: world.KGID(kgid), SetUID: setUID, SetGID: setGID}
	if !setUID && !setGID {
		return 0
	}
	return changed(c, p, "owner")
}

// chownMaps refuses new ids that the filesystem cannot keep, and old ones that cannot be expressed and are not replaced.
func chownMaps(c *check.Check, p world.Path, setUID, setGID bool, uid, gid uint32) story.Errno {
	w := c.W
	ino := w.FS.I(p.Dentry)
	sb := w.FS.SBOf(p.Dentry)
	ns := &w.UserNS[sb.UserNS]
	if idmap := w.Mounts[p.Mount].IDMap; idmap != 0 { // from_vfsuid
		var ok bool
		if uid, ok = w.UserNS[idmap].UIDs.Up(uid); ok {
			uid, _ = ns.UIDs.Down(uid)
		} else {
			uid = world.Invalid
		}
		if gid, ok = w.UserNS[idmap].GIDs.Up(gid); ok {
			gid, _ = ns.GIDs.Down(gid)
		} else {
			gid = world.Invalid
		}
	}
	if setUID && !ns.MapsUID(world.KUID(uid)) || setGID && !ns.MapsGID(world.KGID(gid)) {
		id := uid
		if setUID && ns.MapsUID(world.KUID(uid)) || !setUID {
			id = gid
		}
		return c.Deny(story.Step{Code: story.UserNSArgument, Errno: story.EOVERFLOW, Op: story.OpSetattr, Obj: p.Ref(), Val: [3]uint64{uint64(id), uint64(sb.UserNS)}})
	}
	ouid, ogid := ids(w, p, ino)
	if ino.Known&world.KnownOwner != 0 && (!setUID && uint32(ouid) == world.Invalid || !setGID && uint32(ogid) == world.Invalid) {
		return c.Deny(story.Step{Code: story.UserNSIDs, Errno: story.EOVERFLOW, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{pack(ino.UID, ino.GID)}})
	}
	return 0
}

// chownPrepare is setattr_prepare for owner and group; clearing setuid and setgid is a change of the mode, which needs the
// owner or CAP_FOWNER.
func chownPrepare(c *check.Check, p world.Path, setUID, setGID bool, uid world.KUID, gid world.KGID) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	ouid, ogid := ids(c.W, p, ino)
	owner := c.Cred.FSUID == ouid
	may := func() kernel.Answer {
		a := capableWrt(c, ouid, ogid, kernel.CapChown)
		if a == kernel.No && (uint32(ouid) == world.Invalid || uint32(ogid) == world.Invalid) {
			a = cred.Capable(c.W, c.Cred, c.W.FS.SBOf(p.Dentry).UserNS, kernel.CapChown)
		}
		return a
	}
	if setUID && !(owner && uid == ouid) {
		if err := capability(c, may(), c.Cred.UserNS, kernel.CapChown, p, story.OpSetattr); err != 0 {
			return err
		}
	}
	if setGID && !(owner && (gid == ogid || c.Cred.InGroup(gid))) {
		switch may() {
		case kernel.Yes:
			c.Pass(story.Step{Code: story.CapNeeded, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{c.Cred.EffectiveAt, 0, c.Cred.EffectiveAt}, Val: [3]uint64{uint64(kernel.CapChown), uint64(c.Cred.UserNS), uint64(c.Cred.Effective)}})
		case kernel.NotKnown:
			c.Unknown(story.Step{Code: story.ModeUnknown, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{c.Cred.EffectiveAt}, Val: [3]uint64{c.Word("the task"), c.Word("the task's capabilities")}})
		default:
			if err := c.Deny(story.Step{Code: story.GroupOnly, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{pack(ouid, ogid), uint64(gid)}}); err != 0 {
				return err
			}
		}
	}
	if ino.Is(world.TypeDir) || ino.Known&world.KnownPerm == 0 {
		return 0
	}
	// setattr_should_drop_suidgid: setuid always; setgid with the group's x bit, or for whoever is not in the group.
	kill := ino.Mode&0o4000 != 0 || ino.Mode&0o2010 == 0o2010 || ino.Mode&0o2000 != 0 && !c.Cred.InGroup(ogid) && capableWrt(c, ouid, ogid, kernel.CapFsetid) != kernel.Yes
	if !kill {
		return 0
	}
	return ownerOrCapable(c, p, story.OwnerOnly)
}

// How utimensat's times are given.
const (
	TimesNow = iota // NULL, or both UTIME_NOW
	TimesSet
	TimesOmit
)

// Utimes is do_utimes: setting both times to now needs only write permission.
func Utimes(c *check.Check, t Target, times int) story.Errno {
	if times == TimesOmit {
		return 0
	}
	if t.Flags&^uint64(AtSymlinkNofollow|AtEmptyPath) != 0 {
		return Invalid(c, story.EINVAL, "utimensat knows AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH")
	}
	p, err := t.object(c)
	if err != 0 {
		return err
	}
	if err := mount.WantWrite(c, p, story.OpSetattr); err != 0 {
		return err
	}
	if times == TimesNow {
		if err := fixed(c, p, world.AttrImmutable); err != 0 {
			return err
		}
		ino := c.W.FS.I(p.Dentry)
		uid, _ := ids(c.W, p, ino)
		a := kernel.NotKnown
		if ino.Known&world.KnownOwner != 0 {
			a = cred.OwnerOrCapable(c.W, c.Cred, uid)
		}
		if a != kernel.Yes {
			if err := c.Hooks.InodePermission(c, c.Cred, p, check.MayWrite); err != 0 {
				return err
			}
		}
		if err := mapped(c, p, story.OpSetattr); err != 0 {
			return err
		}
		return changed(c, p, "times")
	}
	if err := fixed(c, p, world.AttrImmutable|world.AttrAppend); err != 0 {
		return err
	}
	if err := mapped(c, p, story.OpSetattr); err != 0 {
		return err
	}
	if err := ownerOrCapable(c, p, story.OwnerOnly); err != 0 {
		return err
	}
	return changed(c, p, "times")
}

// Truncate is vfs_truncate: the permission to write comes before a read-only mount.
func Truncate(c *check.Check, t Target, length int64) story.Errno {
	if length < 0 {
		return Invalid(c, story.EINVAL, "the length is negative")
	}
	p, err := t.object(c)
	if err != 0 {
		return err
	}
	ino := c.W.FS.I(p.Dentry)
	s := story.Step{Code: story.TruncateType, Errno: story.EINVAL, Op: story.OpWrite, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{uint64(ino.Mode)}}
	switch {
	case ino.Known&world.KnownType == 0:
		c.Unknown(s)
		c.MayEnd(story.EISDIR)
	case t.FD && !ino.Is(world.TypeReg):
		return c.Refuse(s)
	case ino.Is(world.TypeDir):
		s.Errno = story.EISDIR
		return c.Refuse(s)
	case !ino.Is(world.TypeReg):
		return c.Refuse(s)
	}
	if t.FD {
		return ftruncate(c, p, t.DFD)
	}
	if err := c.Hooks.InodePermission(c, c.Cred, p, check.MayWrite); err != 0 {
		return err
	}
	if err := mount.WantWrite(c, p, story.OpWrite); err != 0 {
		return err
	}
	if ino.Attr&world.AttrAppend != 0 {
		if err := c.Deny(story.Step{Code: story.AppendOnly, Errno: story.EPERM, Op: story.OpWrite, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}}); err != 0 {
			return err
		}
	}
	if ino.Attr&world.AttrExecuting != 0 {
		if err := c.Deny(story.Step{Code: story.TextBusy, Errno: story.ETXTBSY, Op: story.OpWrite, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}}); err != 0 {
			return err
		}
	}
	if err := c.LSM.FileTruncate(c, p); err != 0 {
		return err
	}
	return truncated(c, p)
}

// ftruncate is do_ftruncate: the descriptor must have been opened for writing.
func ftruncate(c *check.Check, p world.Path, fd int) story.Errno {
	f := c.W.Task.FDByNumber(fd)
	ino := c.W.FS.I(p.Dentry)
	if f.Flags&3 == 0 || f.Flags&OPath != 0 {
		return Invalid(c, story.EINVAL, "the descriptor was not opened for writing")
	}
	if ino.Attr&world.AttrAppend != 0 {
		if err := c.Deny(story.Step{Code: story.AppendOnly, Errno: story.EPERM, Op: story.OpWrite, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}}); err != 0 {
			return err
		}
	}
	if err := c.LSM.FileTruncate(c, p); err != 0 {
		return err
	}
	return truncated(c, p)
}

func truncated(c *check.Check, p world.Path) story.Errno {
	if ops := c.Ops[c.W.FS.I(p.Dentry).SB]; ops != nil {
		if err := ops.CopyUp(c, p, false); err != 0 {
			return err
		}
	}
	if c.Recording() {
		c.Effect(story.Effect{Kind: "truncated", Path: c.W.PathText(p)})
	}
	return 0
}

package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// Truncate is vfs_truncate and do_ftruncate.
func Truncate(c *check.Check, t Target, length int64) story.Errno {
	if length < 0 {
		return Invalid(c, story.EINVAL, "the length is negative")
	}
	p, err := t.object(c)
	if err != 0 || lost(c, t, p, story.EINVAL, story.EPERM) {
		return err
	}
	ino := c.Inode(p.Dentry)
	s := story.Step{Code: story.TruncateType, Errno: story.EINVAL, Op: story.OpWrite, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{uint64(ino.Mode)}}
	switch {
	case ino.Known&world.KnownType == 0:
		c.Unknown(s)
		if !t.FD {
			c.MayEnd(story.EISDIR)
		}
	case !t.FD && ino.Is(world.TypeDir):
		s.Errno = story.EISDIR
		return c.Refuse(s)
	case !ino.Is(world.TypeReg):
		return c.Refuse(s)
	}
	if t.FD {
		err = openForWriting(c, t.DFD)
	} else {
		err = mayTruncate(c, p)
	}
	if err != 0 {
		return err
	}
	if ino.Attr&world.AttrAppend != 0 {
		if err := c.Deny(story.Step{Code: story.AppendOnly, Errno: story.EPERM, Op: story.OpWrite, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}}); err != 0 {
			return err
		}
	}
	if !t.FD {
		if err := writeAccess(c, p); err != 0 {
			return err
		}
	}
	what := check.SetSize
	if t.FD {
		what = check.SetSizeOpen
		err = c.LSM.FileTruncate(c, p, c.W.Task.FDByNumber(t.DFD))
	} else {
		err = c.LSM.PathTruncate(c, p)
	}
	if err != 0 {
		return err
	}
	kill := needsRemovePrivs(c, p)
	if err := c.LSM.InodeSetattr(c, p, what); err != 0 {
		return err
	}
	if err := setattr(c, p, false); err != 0 {
		return err
	}
	if err := newSize(c, p, length); err != 0 {
		return err
	}
	if err := tooBig(c, p, length); err != 0 {
		return err
	}
	return truncated(c, p, length, kill)
}

// mayTruncate asks for the permission to write and then for a mount that can be written, or the other way round.
func mayTruncate(c *check.Check, p world.Path) story.Errno {
	switch c.K.Has(kernel.TruncateAsksFirst) {
	case kernel.No:
		if err := mount.WantWrite(c, p, story.OpWrite); err != 0 {
			return err
		}
		return c.Hooks.InodePermission(c, c.Cred, p, check.MayWrite)
	case kernel.NotKnown:
		c.Mute()
		err := mount.WantWrite(c, p, story.OpWrite)
		c.Unmute()
		if err != 0 {
			c.MayEnd(err)
		}
	}
	if err := c.Hooks.InodePermission(c, c.Cred, p, check.MayWrite); err != 0 {
		return err
	}
	return mount.WantWrite(c, p, story.OpWrite)
}

// openForWriting is do_ftruncate's look at FMODE_WRITE.
func openForWriting(c *check.Check, fd int) story.Errno {
	f := c.W.Task.FDByNumber(fd)
	s := story.Step{Code: story.DescriptorFlags, Errno: story.EINVAL, Op: story.OpWrite, Obj: f.Path.Ref(), Fact: [3]story.Origin{f.At}, Val: [3]uint64{uint64(int64(fd)), c.Word("O_RDONLY")}}
	switch {
	case f.FlagsAt&story.Missing != 0:
		s.Fact[0] = f.FlagsAt
		c.Unknown(s)
	case (f.Flags&OAccMode+1)&2 == 0:
		return c.Refuse(s)
	}
	return 0
}

// tooBig is inode_newsize_ok: filesystems have files of a terabyte and less; what is above depends on the filesystem.
func tooBig(c *check.Check, p world.Path, length int64) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	sb := c.W.FS.SB(ino.SB)
	if length <= 1<<40 || sb.Type == "tmpfs" || ino.Known&world.KnownSize != 0 && length <= ino.Size {
		return 0
	}
	c.Unknown(story.Step{Code: story.FileSize, Errno: story.EFBIG, Op: story.OpWrite, Obj: p.Ref(), Fact: [3]story.Origin{sb.At}, Val: [3]uint64{uint64(length), c.Word(sb.Type)}})
	return 0
}

// truncated is the end of do_truncate: overlayfs copies the file up with all that it holds, and setuid and setgid may go.
func truncated(c *check.Check, p world.Path, length int64, kill privs) story.Errno {
	if err := killCaps(c, p); err != 0 {
		return err
	}
	if ops := c.Ops[c.W.FS.I(p.Dentry).SB]; ops != nil {
		if err := ops.CopyUp(c, p, check.CopyData); err != 0 {
			return err
		}
	}
	c.Changed = check.Changed{Path: p, Size: length, SetSize: true}
	if c.Recording() {
		c.Effect(story.Effect{Kind: "truncated", Path: c.W.PathText(p)})
	}
	kill.remove(c, p)
	return 0
}

// privs are the setuid and setgid bits that a file loses to who changes what it holds.
type privs struct {
	bits   uint16
	unsure bool
}

// needsRemovePrivs is dentry_needs_remove_privs: setuid and setgid go, unless the task has CAP_FSETID in the initial user
// namespace. do_truncate asks before the hook of setattr.
func needsRemovePrivs(c *check.Check, p world.Path) privs {
	ino := c.W.FS.I(p.Dentry)
	if ino.Known&world.KnownPerm == 0 || !ino.Is(world.TypeReg) || ino.Mode&0o6000 == 0 {
		return privs{}
	}
	uid, gid := ids(c.W, p, ino)
	kill, sure := dropSetid(c, ino.Mode, uid, gid)
	if kill == 0 {
		return privs{}
	}
	switch capable(c, 0, kernel.CapFsetid, check.RealmInitial) {
	case kernel.Yes:
		return privs{}
	case kernel.NotKnown:
		sure = false
	}
	return privs{kill, !sure}
}

// remove takes the bits from the file that c.Changed is about.
func (k privs) remove(c *check.Check, p world.Path) {
	if k.bits == 0 {
		return
	}
	c.Changed.Mode, c.Changed.SetMode, c.Changed.Unsure = c.W.FS.I(p.Dentry).Mode&0o7777&^k.bits, true, k.unsure
	if c.Recording() && !k.unsure {
		c.Effect(story.Effect{Kind: "mode", Path: c.W.PathText(p)})
	}
}

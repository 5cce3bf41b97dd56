// Package mount holds what a mount decides: its flags beside those of its superblock and, later, the tree of a mount
// namespace with its propagation and the mount API.
package mount

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// flag answers whether a mount carries a flag.
func flag(m *world.Mount, f world.MountFlags) kernel.Answer {
	switch {
	case m.Unsure&f != 0:
		return kernel.NotKnown
	case m.Flags&f != 0:
		return kernel.Yes
	}
	return kernel.No
}

// step makes the step of a flag's check on a mount.
func step(c *check.Check, code story.Code, e story.Errno, op story.Op, p world.Path, f world.MountFlags) story.Step {
	m := &c.W.Mounts[p.Mount]
	sb := c.W.FS.SB(m.SB)
	at := m.FlagsAt[f]
	if at == 0 {
		at = m.Why
	}
	return story.Step{Code: code, Errno: e, Op: op, Obj: p.Ref(), Fact: [3]story.Origin{m.Origin, at, sb.FlagsAt}, Val: [3]uint64{c.Word(m.Point), uint64(m.Flags), uint64(sb.Flags)}}
}

// SuperWritable is sb_permission's and mnt_want_write's question to the superblock. pass records that it is writable.
func SuperWritable(c *check.Check, p world.Path, op story.Op) story.Errno {
	sb := c.W.FS.SBOf(p.Dentry)
	if sb.Flags&world.SBReadOnly == 0 && sb.FlagsAt&story.Missing == 0 {
		return 0
	}
	s := story.Step{Code: story.SuperReadOnly, Errno: story.EROFS, Op: op, Obj: p.Ref(), Fact: [3]story.Origin{sb.At, sb.FlagsAt}, Val: [3]uint64{c.Word(sb.Type), uint64(sb.Flags)}}
	if sb.FlagsAt&story.Missing != 0 {
		s.Code, s.Fact, s.Val[0] = story.MountUnknown, [3]story.Origin{sb.FlagsAt}, c.Word(c.W.Mounts[p.Mount].Point)
		c.Unknown(s)
		return 0
	}
	return c.Deny(s)
}

// WantWrite is mnt_want_write in fs/namespace.c: neither mount nor superblock may be read-only.
func WantWrite(c *check.Check, p world.Path, op story.Op) story.Errno {
	s := step(c, story.MountReadOnly, story.EROFS, op, p, world.MountReadOnly)
	switch flag(&c.W.Mounts[p.Mount], world.MountReadOnly) {
	case kernel.Yes:
		if e := c.Deny(s); e != 0 {
			return e
		}
	case kernel.NotKnown:
		s.Code = story.MountUnknown
		c.Unknown(s)
	default:
		c.Pass(s)
	}
	return SuperWritable(c, p, op)
}

// ReadOnly is access(2)'s __mnt_is_readonly: it asks mount and superblock, without taking write access.
func ReadOnly(c *check.Check, p world.Path) story.Errno { return WantWrite(c, p, story.OpAccess) }

// MayOpenDev is may_open_dev: device nodes open only where mount and superblock allow devices.
func MayOpenDev(c *check.Check, p world.Path) story.Errno {
	s := step(c, story.MountNoDev, story.EACCES, story.OpOpen, p, world.MountNoDev)
	m := &c.W.Mounts[p.Mount]
	f := flag(m, world.MountNoDev)
	if c.W.FS.SB(m.SB).Flags&world.SBNoDev != 0 {
		f = kernel.Yes
	}
	return answer(c, s, f)
}

// MayExec is path_noexec: files execute only where mount and superblock allow it.
func MayExec(c *check.Check, p world.Path, op story.Op) story.Errno {
	s := step(c, story.MountNoExec, story.EACCES, op, p, world.MountNoExec)
	m := &c.W.Mounts[p.Mount]
	f := flag(m, world.MountNoExec)
	if c.W.FS.SB(m.SB).Flags&world.SBNoExec != 0 {
		f = kernel.Yes
	}
	return answer(c, s, f)
}

// MayMapExec is do_mmap's question for PROT_EXEC.
func MayMapExec(c *check.Check, p world.Path) story.Errno {
	s := step(c, story.MapNoExec, story.EPERM, story.OpExec, p, world.MountNoExec)
	m := &c.W.Mounts[p.Mount]
	f := flag(m, world.MountNoExec)
	if c.W.FS.SB(m.SB).Flags&world.SBNoExec != 0 {
		f = kernel.Yes
	}
	return answer(c, s, f)
}

// MayFollow is pick_link's question to the mount that holds a symbolic link.
func MayFollow(c *check.Check, link world.Path) story.Errno {
	f := flag(&c.W.Mounts[link.Mount], world.MountNoSymFollow)
	if f == kernel.No {
		return 0
	}
	return answer(c, step(c, story.MountNoSymFollow, story.ELOOP, story.OpFollow, link, world.MountNoSymFollow), f)
}

// answer refuses where the flag is set.
func answer(c *check.Check, s story.Step, set kernel.Answer) story.Errno {
	switch set {
	case kernel.Yes:
		return c.Deny(s)
	case kernel.NotKnown:
		s.Code = story.MountUnknown
		c.Unknown(s)
	}
	return 0
}

// Nosuid answers whether programs gain nothing on a mount.
func Nosuid(m *world.Mount) kernel.Answer { return flag(m, world.MountNoSuid) }

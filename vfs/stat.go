package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/world"
)

// Flags of the *at calls.
const (
	AtSymlinkNofollow = 0x100
	AtEaccess         = 0x200
	AtNoAutomount     = 0x800
	AtEmptyPath       = 0x1000
	AtSyncType        = 0x6000
)

// Target is what a call that takes a path works on.
type Target struct {
	DFD   int
	Path  string
	Null  bool // the path's address is not readable
	Zero  bool // it is NULL
	Flags uint64
	FD    bool // the descriptor itself; there is no path
}

// at looks a target up; an empty path with AT_EMPTY_PATH is the descriptor itself.
func (t Target) at(c *check.Check, n *namei.Walk) story.Errno {
	empty := t.Flags&AtEmptyPath != 0
	if e := namei.GetName(c, t.Path, t.Null, empty); e != 0 {
		return e
	}
	flags := namei.Follow
	if t.Flags&AtSymlinkNofollow != 0 {
		flags = 0
	}
	return n.At(c, t.DFD, t.Path, flags)
}

// Stat is vfs_statx: a lookup, then the LSM's hook; the object itself is not asked for any permission. idle are the call's
// flags that make no difference to a descriptor.
func Stat(c *check.Check, t Target, idle uint64) story.Errno {
	empty := t.Flags&AtEmptyPath != 0 && (t.Zero || !t.Null && t.Path == "")
	if empty && t.DFD >= 0 && t.Flags&^idle == AtEmptyPath && c.K.Has(kernel.StatEmptyDescriptor) == kernel.Yes {
		return Fstat(c, t.DFD)
	}
	known := c.K.Has(kernel.StatEmptyPath)
	if empty && known == kernel.Yes {
		if t.DFD >= 0 { // vfs_fstatat, do_statx_fd: the other flags are not checked
			return Fstat(c, t.DFD)
		}
		t.Null = false
	}
	if empty && known == kernel.NotKnown && t.Null {
		c.Unknown(story.Step{Code: story.PathFault, Errno: story.EFAULT, Op: story.OpLook, Fact: [3]story.Origin{c.W.KernelAt}})
		t.Null = false
	}
	if bad := t.Flags &^ uint64(AtSymlinkNofollow|AtNoAutomount|AtEmptyPath|AtSyncType); bad != 0 && empty && t.DFD >= 0 && known == kernel.NotKnown {
		c.Unknown(story.Step{Code: story.StatFlags, Errno: story.EINVAL, Op: story.OpStat, Fact: [3]story.Origin{c.W.KernelAt}, Val: [3]uint64{c.Word(hex(bad))}})
	} else if bad != 0 {
		return c.Refuse(story.Step{Code: story.StatFlags, Errno: story.EINVAL, Op: story.OpStat, Val: [3]uint64{c.Word(hex(bad))}})
	}
	var n namei.Walk
	if e := t.at(c, &n); e != 0 {
		return e
	}
	return getattr(c, n.Path)
}

// Fstat is vfs_fstat.
func Fstat(c *check.Check, fd int) story.Errno {
	f := c.W.Task.FDByNumber(fd)
	if f == nil {
		s := story.Step{Code: story.PathDirfd, Errno: story.EBADF, Op: story.OpStat, Fact: [3]story.Origin{c.W.Task.FDsAt}, Val: [3]uint64{uint64(int64(fd))}}
		if c.W.Task.FDsAt&story.Missing != 0 {
			c.Unknown(s)
			return 0
		}
		return c.Refuse(s)
	}
	if f.Kind == world.FDSocket {
		return c.LSM.OnFile(c, story.HookInodeGetattr, f, story.OpStat)
	}
	return getattr(c, f.Path)
}

func getattr(c *check.Check, p world.Path) story.Errno {
	if ops := c.Ops[c.W.FS.I(p.Dentry).SB]; ops != nil {
		ops.Served(c, p)
	}
	if e := c.LSM.InodeGetattr(c, p); e != 0 {
		return e
	}
	return statHidden(c, p)
}

// Access is do_faccessat. The caller has put the real ids into c.Cred, unless AT_EACCESS was given.
func Access(c *check.Check, t Target, mode uint64) story.Errno {
	bad := func(v uint64) story.Errno {
		return c.Refuse(story.Step{Code: story.AccessMode, Errno: story.EINVAL, Op: story.OpAccess, Val: [3]uint64{c.Word(hex(v))}})
	}
	if mode&^7 != 0 {
		return bad(mode)
	}
	if t.Flags&^uint64(AtEaccess|AtSymlinkNofollow|AtEmptyPath) != 0 {
		return bad(t.Flags)
	}
	var n namei.Walk
	if e := t.at(c, &n); e != 0 {
		return e
	}
	p := n.Path
	ino := c.W.FS.I(p.Dentry)
	mask := check.Mask(mode)
	if ops := c.Ops[ino.SB]; ops != nil {
		ops.Served(c, p)
	}
	if ino.Known&world.KnownType == 0 && mask != 0 {
		c.Unknown(story.Step{Code: story.TypeUnknown, Errno: story.EACCES, Op: story.OpAccess, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}})
	}
	if mask&check.MayExec != 0 && ino.Is(world.TypeReg) {
		if e := mount.MayExec(c, p, story.OpAccess); e != 0 {
			return e
		}
	}
	if e := c.Hooks.InodePermission(c, c.Cred, p, mask|check.MayAccess); e != 0 {
		return e
	}
	if mask&check.MayWrite != 0 && (ino.Is(world.TypeReg) || ino.Is(world.TypeDir) || ino.Is(world.TypeLink) || ino.Known&world.KnownType == 0) {
		return mount.ReadOnly(c, p)
	}
	return 0
}

func hex(v uint64) string {
	const digits = "0123456789abcdef"
	b := []byte{}
	for ; v != 0 || len(b) == 0; v >>= 4 {
		b = append([]byte{digits[v&15]}, b...)
	}
	return "0x" + string(b)
}

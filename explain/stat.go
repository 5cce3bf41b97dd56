package explain

import (
	"syscallstory/check"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of calls that read attributes and links: fs/stat.c.

// statTo is a stat call with the address for its answer: it is written last.
func statTo(c *check.Check, t vfs.Target, idle uint64, out *syscalls.Arg) story.Errno {
	if e := vfs.Stat(c, t, idle); e != 0 {
		return e
	}
	return copyOut(c, out)
}

func copyOut(c *check.Check, out *syscalls.Arg) story.Errno {
	if !out.Absent && out.Fault && out.Val == 0 {
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpStat})
	}
	return 0
}

func stat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return statTo(c, vfs.Target{DFD: namei.AtFDCWD, Path: a[0].Str, Null: a[0].Fault}, 0, &a[1])
}

func lstat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return statTo(c, vfs.Target{DFD: namei.AtFDCWD, Path: a[0].Str, Null: a[0].Fault, Flags: vfs.AtSymlinkNofollow}, 0, &a[1])
}

func fstat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if e := vfs.Fstat(c, dfd(&a[0])); e != 0 {
		return e
	}
	return copyOut(c, &a[1])
}

func newfstatat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return statTo(c, vfs.Target{DFD: dfd(&a[0]), Path: a[1].Str, Null: a[1].Fault, Zero: isNull(&a[1]), Flags: a[3].Val}, 0, &a[2])
}

// statx refuses a reserved mask and two ways to synchronise at once before it looks at the path.
func statx(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	s := story.Step{Code: story.StatFlags, Errno: story.EINVAL, Op: story.OpStat}
	switch {
	case a[3].Val&0x80000000 != 0:
		s.Val[0] = c.Word("STATX__RESERVED")
		return c.Refuse(s)
	case a[2].Val&vfs.AtSyncType == vfs.AtSyncType:
		s.Val[0] = c.Word("AT_STATX_FORCE_SYNC|AT_STATX_DONT_SYNC")
		return c.Refuse(s)
	}
	return statTo(c, vfs.Target{DFD: dfd(&a[0]), Path: a[1].Str, Null: a[1].Fault, Zero: isNull(&a[1]), Flags: a[2].Val}, vfs.AtNoAutomount|vfs.AtSyncType, &a[4])
}

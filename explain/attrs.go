package explain

import (
	"syscallstory/check"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of calls that change attributes and sizes: fs/open.c, fs/utimes.c.

func chmod(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Chmod(c, cwd(&a[0]), a[1].Val)
}

func fchmod(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Chmod(c, fd(&a[0]), a[1].Val)
}

func fchmodat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Chmod(c, at(dfd(&a[0]), &a[1]), a[2].Val)
}

func fchmodat2(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	t := at(dfd(&a[0]), &a[1])
	t.Flags = a[3].Val
	return vfs.Chmod(c, t, a[2].Val)
}

func chown(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Chown(c, cwd(&a[0]), uint32(a[1].Val), uint32(a[2].Val))
}

func lchown(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	t := cwd(&a[0])
	t.Flags = vfs.AtSymlinkNofollow
	return vfs.Chown(c, t, uint32(a[1].Val), uint32(a[2].Val))
}

func fchown(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Chown(c, fd(&a[0]), uint32(a[1].Val), uint32(a[2].Val))
}

func fchownat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	t := at(dfd(&a[0]), &a[1])
	t.Flags = a[4].Val
	return vfs.Chown(c, t, uint32(a[2].Val), uint32(a[3].Val))
}

// utimensat takes NULL, or two times as strace writes them.
func utimensat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	t := at(dfd(&a[0]), &a[1])
	t.Flags = a[3].Val
	t.FD = isNull(&a[1]) && t.DFD != namei.AtFDCWD // futimens
	return vfs.Utimes(c, t, vfs.Times{Given: !isNull(&a[2]), Nsec: [2]uint64{a[2].How[0], a[2].How[1]}, Lost: a[2].Fault && !isNull(&a[2])})
}

func truncate(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Truncate(c, cwd(&a[0]), int64(a[1].Val))
}

func ftruncate(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Truncate(c, fd(&a[0]), int64(a[1].Val))
}

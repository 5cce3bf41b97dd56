package explain

import (
	"syscallstory/check"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of calls that change attributes, sizes and the task's directories: fs/open.c, fs/utimes.c, fs/stat.c.

func fd(a *syscalls.Arg) vfs.Target { return vfs.Target{DFD: dfd(a), FD: true} }

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

func chdir(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Chdir(c, cwd(&call.Args[0]), false)
}

func fchdir(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Chdir(c, fd(&call.Args[0]), false)
}

func chroot(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Chdir(c, cwd(&call.Args[0]), true)
}

// size is readlink's third argument; what is not written is big enough.
func size(a *syscalls.Arg) int64 {
	if a.Absent {
		return 4096
	}
	return int64(int32(a.Val))
}

func readlink(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Readlink(c, cwd(&a[0]), size(&a[2]))
}

func readlinkat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Readlink(c, at(dfd(&a[0]), &a[1]), size(&a[3]))
}

// mountCall is mount(2): source, target, type, flags, data.
func mountCall(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	m := vfs.MountArgs{Target: cwd(&a[1]), Source: cwd(&a[0]), Type: a[2].Str, NoType: a[2].Fault, Flags: a[3].Val, Data: !a[4].Absent && !(a[4].Fault && a[4].Val == 0)}
	return vfs.Mount(c, m)
}

// umount2 refuses flags that it does not know before it looks at the path.
func umount2(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if a[1].Val&^uint64(15) != 0 {
		return vfs.Invalid(c, story.EINVAL, "umount2 knows MNT_FORCE, MNT_DETACH, MNT_EXPIRE and UMOUNT_NOFOLLOW")
	}
	t := cwd(&a[0])
	if a[1].Val&8 != 0 {
		t.Flags = vfs.AtSymlinkNofollow
	}
	return vfs.Umount(c, t, a[1].Val)
}

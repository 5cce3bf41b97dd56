package explain

import (
	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of calls that change the task's directories, and that read links: fs/open.c, fs/stat.c.

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
	if e := vfs.Readlink(c, cwd(&a[0]), size(&a[2])); e != 0 {
		return e
	}
	return copyOut(c, &a[1])
}

func readlinkat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if e := vfs.Readlink(c, at(dfd(&a[0]), &a[1]), size(&a[3])); e != 0 {
		return e
	}
	return copyOut(c, &a[2])
}

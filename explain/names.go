package explain

import (
	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of calls that change names: fs/namei.c.

func mkdir(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Mkdir(c, cwd(&a[0]), a[1].Val)
}

func mkdirat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Mkdir(c, at(dfd(&a[0]), &a[1]), a[2].Val)
}

func mknod(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Mknod(c, cwd(&a[0]), a[1].Val, a[2].Val)
}

func mknodat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Mknod(c, at(dfd(&a[0]), &a[1]), a[2].Val, a[3].Val)
}

func symlink(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Symlink(c, a[0].Str, a[0].Fault, cwd(&a[1]))
}

func symlinkat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Symlink(c, a[0].Str, a[0].Fault, at(dfd(&a[1]), &a[2]))
}

func link(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Link(c, cwd(&a[0]), cwd(&a[1]))
}

func linkat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	old := at(dfd(&a[0]), &a[1])
	old.Flags = a[4].Val
	return vfs.Link(c, old, at(dfd(&a[2]), &a[3]))
}

func unlink(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Unlink(c, cwd(&call.Args[0]))
}

func rmdir(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Rmdir(c, cwd(&call.Args[0]))
}

// atRemoveDir is AT_REMOVEDIR.
const atRemoveDir = 0x200

func unlinkat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	t := at(dfd(&a[0]), &a[1])
	switch a[2].Val {
	case 0:
		return vfs.Unlink(c, t)
	case atRemoveDir:
		return vfs.Rmdir(c, t)
	}
	return vfs.Invalid(c, story.EINVAL, "unlinkat knows AT_REMOVEDIR")
}

func rename(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Rename(c, cwd(&a[0]), cwd(&a[1]), 0)
}

func renameat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Rename(c, at(dfd(&a[0]), &a[1]), at(dfd(&a[2]), &a[3]), 0)
}

func renameat2(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Rename(c, at(dfd(&a[0]), &a[1]), at(dfd(&a[2]), &a[3]), a[4].Val)
}

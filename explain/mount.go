package explain

import (
	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of the mount calls: fs/namespace.c.

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

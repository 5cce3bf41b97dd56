package explain

import (
	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of the mount calls: fs/namespace.c.

var _ = add(map[string]Route{"pivot_root": pivotRoot, "open_tree": openTree, "open_tree_attr": openTreeAttr, "move_mount": moveMount, "fsopen": fsopen, "fspick": fspick,
	"fsconfig": fsconfig, "fsmount": fsmount, "mount_setattr": mountSetattr, "statmount": mountRequest, "listmount": mountRequest})

// mountCall is mount(2): source, target, type, flags, data.
func mountCall(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	m := vfs.MountArgs{Target: cwd(&a[1]), Source: cwd(&a[0]), Type: a[2].Str, NoType: isNull(&a[2]), Flags: a[3].Val, Data: a[4].Str, NoData: a[4].Absent || isNull(&a[4])}
	for _, i := range [...]int{0, 2, 4} {
		m.Lost = m.Lost || a[i].Fault && a[i].Val != 0
	}
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

func pivotRoot(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.PivotRoot(c, cwd(&call.Args[0]), cwd(&call.Args[1]))
}

func openTree(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.OpenTree(c, mountAt(&a[0], &a[1]), a[2].Val)
}

// openTreeAttr is open_tree_attr(2): the attributes are changed on what has been opened.
func openTreeAttr(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.OpenTreeAttr(c, mountAt(&a[0], &a[1]), a[2].Val, mountAttr(&a[3], &a[4]), a[3].Absent || isNull(&a[3]))
}

// mountAt is a descriptor and a path of the mount API: NULL may stand for an empty path.
func mountAt(fd, path *syscalls.Arg) vfs.Target {
	t := at(dfd(fd), path)
	t.Zero = isNull(path)
	return t
}

func moveMount(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.MoveMount(c, mountAt(&a[0], &a[1]), mountAt(&a[2], &a[3]), a[4].Val)
}

func fsopen(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.FSOpen(c, a[0].Str, a[0].Fault, a[1].Val)
}

func fspick(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.FSPick(c, mountAt(&a[0], &a[1]), a[2].Val)
}

func fsconfig(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.FSConfig(c, dfd(&a[0]), vfs.FSConfigArgs{Cmd: a[1].Val, Key: a[2].Str, NoKey: a[2].Absent || isNull(&a[2]), LostKey: a[2].Fault && a[2].Val != 0,
		Value: a[3].Str, NoVal: a[3].Absent || isNull(&a[3]), Lost: a[3].Fault && a[3].Val != 0, Aux: int64(int32(a[4].Val))})
}

func fsmount(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.FSMount(c, dfd(&a[0]), a[1].Val, a[2].Val)
}

func mountSetattr(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.MountSetattr(c, mountAt(&a[0], &a[1]), a[2].Val, mountAttr(&a[3], &a[4]))
}

// mountAttr reads struct mount_attr and its size, which is that of its first version where it was not written.
func mountAttr(a, size *syscalls.Arg) vfs.MountAttr {
	m := vfs.MountAttr{Size: size.Val, Lost: a.Fault, Unknown: !a.Struct() && !a.Fault}
	if size.Absent {
		m.Size = 32
	}
	for _, f := range [...]struct {
		name string
		to   *uint64
	}{{"attr_set", &m.Set}, {"attr_clr", &m.Clear}, {"propagation", &m.Propagation}, {"userns_fd", &m.UserNS}} {
		v, _ := a.Field(f.name)
		*f.to = v.Val
	}
	return m
}

// mountRequest is statmount(2) and listmount(2).
func mountRequest(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	r := vfs.MountRequest{List: call.Name == "listmount", Lost: a[0].Fault, Unknown: !a[0].Struct() && !a[0].Fault, Flags: a[3].Val}
	for _, f := range [...]struct {
		name string
		to   *uint64
	}{{"size", &r.Size}, {"mnt_id", &r.ID}, {"mnt_ns_id", &r.NS}, {"mnt_ns_fd", &r.NSFD}, {"param", &r.Param}} {
		v, _ := a[0].Field(f.name)
		*f.to = v.Val
	}
	r.Count = a[2].Val
	return vfs.ListMount(c, r)
}

package explain

import (
	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of calls on extended attributes and on what chattr(1) sets: fs/xattr.c, fs/file_attr.c.

func init() {
	for name, r := range map[string]Route{
		"setxattr": setxattr, "lsetxattr": setxattr, "fsetxattr": setxattr, "setxattrat": setxattrat,
		"getxattr": getxattr, "lgetxattr": getxattr, "fgetxattr": getxattr, "getxattrat": getxattrat,
		"listxattr": listxattr, "llistxattr": listxattr, "flistxattr": listxattr, "listxattrat": listxattrat,
		"removexattr": removexattr, "lremovexattr": removexattr, "fremovexattr": removexattr, "removexattrat": removexattrat,
		"file_getattr": fileGetattr, "file_setattr": fileSetattr, "ioctl": ioctl,
	} {
		routes[name] = r
	}
}

// on is what a call of the families of three works on: a path, a path whose link is not followed, a descriptor.
func on(call *syscalls.Call) vfs.Target {
	a := &call.Args[0]
	switch call.Name[0] {
	case 'f':
		return fd(a)
	case 'l':
		if call.Name != "listxattr" {
			t := cwd(a)
			t.Flags = vfs.AtSymlinkNofollow
			return t
		}
	}
	return cwd(a)
}

// atFlags is the beginning of the calls that take a directory and flags.
func atFlags(a []syscalls.Arg) vfs.Target {
	t := at(dfd(&a[0]), &a[1])
	t.Zero, t.Flags = isNull(&a[1]), a[2].Val
	return t
}

func attribute(a *syscalls.Arg) vfs.Xattr { return vfs.Xattr{Name: a.Str, NoName: a.Fault} }

func setxattr(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	x := attribute(&a[1])
	x.Value, x.NoValue, x.Lost, x.Size, x.Flags = a[2].Str, a[2].Fault, a[2].Cut, a[3].Val, a[4].Val
	return vfs.SetXattr(c, on(call), x)
}

func getxattr(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	x := attribute(&a[1])
	x.Size, x.KnownSize = a[3].Val, !a[3].Absent
	if e := vfs.GetXattr(c, on(call), x); e != 0 || x.KnownSize && x.Size == 0 {
		return e
	}
	return copyOut(c, &a[2])
}

func listxattr(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.ListXattr(c, on(call), vfs.Xattr{Size: a[2].Val, KnownSize: !a[2].Absent})
}

func removexattr(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.RemoveXattr(c, on(call), attribute(&call.Args[1]))
}

// xattrArgs refuses a structure of a wrong size (path_setxattrat's caller), and reads it.
func xattrArgs(c *check.Check, a, size *syscalls.Arg, x *vfs.Xattr) story.Errno {
	switch {
	case !size.Absent && size.Val < 16:
		return vfs.Invalid(c, story.EINVAL, "the structure has at least 16 bytes")
	case !size.Absent && size.Val > 4096:
		return vfs.Invalid(c, story.E2BIG, "the structure has at most a page")
	case a.Fault:
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpSetattr})
	}
	value, ok := a.Field("value")
	n, _ := a.Field("size")
	flags, _ := a.Field("flags")
	x.Value, x.NoValue, x.Lost, x.Size, x.Flags, x.KnownSize = value.Str, !ok || !value.Text, a.Cut, n.Val, flags.Val, !a.Cut
	return 0
}

func setxattrat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	x := attribute(&a[3])
	if e := xattrArgs(c, &a[4], &a[5], &x); e != 0 {
		return e
	}
	return vfs.SetXattr(c, atFlags(a), x)
}

func getxattrat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	x := attribute(&a[3])
	if e := xattrArgs(c, &a[4], &a[5], &x); e != 0 {
		return e
	}
	if x.Flags != 0 {
		return vfs.Invalid(c, story.EINVAL, "getxattrat has no flags of its own")
	}
	return vfs.GetXattr(c, atFlags(a), x)
}

func listxattrat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.ListXattr(c, atFlags(a), vfs.Xattr{Size: a[4].Val, KnownSize: !a[4].Absent})
}

func removexattrat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.RemoveXattr(c, atFlags(a), attribute(&a[3]))
}

func fileGetattr(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	t := at(dfd(&a[0]), &a[1])
	t.Zero, t.Flags = isNull(&a[1]), a[4].Val
	return vfs.FileAttrAt(c, t, a[3].Val, a[2].Fault && a[2].Val == 0, nil)
}

func fileSetattr(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	t := at(dfd(&a[0]), &a[1])
	t.Zero, t.Flags = isNull(&a[1]), a[4].Val
	flags, _ := a[2].Field("fa_xflags")
	project, _ := a[2].Field("fa_projid")
	set := vfs.FileAttr{Flags: flags.Val, X: true, Project: project.Val, Call: true, Lost: !a[2].Struct() && !a[2].Fault}
	return vfs.FileAttrAt(c, t, a[3].Val, a[2].Fault, &set)
}

// ioctl reads the argument as the command has it.
func ioctl(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	arg := vfs.IoctlArg{Val: a[2].Val, Fault: a[2].Fault && a[2].Val < 4096, Text: ""}
	if c.Recording() {
		arg.Text = a[1].String()
	}
	if v, ok := a[2].Boxed(); ok {
		arg.Attr.Flags = v
	} else {
		flags, _ := a[2].Field("fsx_xflags")
		project, _ := a[2].Field("fsx_projid")
		arg.Attr.Flags, arg.Attr.Project = flags.Val, project.Val
		arg.Attr.Lost = a[2].Cut || len(a[2].Fields) == 0 && !a[2].Struct()
	}
	cmd := a[1].Val
	if a[1].Kind == syscalls.Pointer { // a name whose number is not known here
		cmd = ^uint64(0)
	}
	return vfs.Ioctl(c, dfd(&a[0]), cmd, arg)
}

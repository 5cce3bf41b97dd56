package explain

import (
	"syscallstory/check"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
	"syscallstory/world"
)

// Route decides a call behind seccomp, in the order of the kernel's function.
type Route func(c *check.Check, call *syscalls.Call) story.Errno

var routes = map[string]Route{
	"open": open, "openat": openat, "openat2": openat2, "creat": creat,
	"stat": stat, "lstat": lstat, "fstat": fstat, "newfstatat": newfstatat, "statx": statx,
	"access": access, "faccessat": faccessat, "faccessat2": faccessat2,
	"close": closeFD,
	"mkdir": mkdir, "mkdirat": mkdirat, "mknod": mknod, "mknodat": mknodat, "symlink": symlink, "symlinkat": symlinkat, "link": link, "linkat": linkat,
	"unlink": unlink, "unlinkat": unlinkat, "rmdir": rmdir, "rename": rename, "renameat": renameat, "renameat2": renameat2,
	"chmod": chmod, "fchmod": fchmod, "fchmodat": fchmodat, "fchmodat2": fchmodat2, "chown": chown, "lchown": lchown, "fchown": fchown, "fchownat": fchownat,
	"utimensat": utimensat, "truncate": truncate, "ftruncate": ftruncate, "chdir": chdir, "fchdir": fchdir, "chroot": chroot,
	"readlink": readlink, "readlinkat": readlinkat, "mount": mountCall, "umount2": umount2,
}

// Routed lists the calls that have a route.
func Routed(name string) bool { return routes[name] != nil }

func dfd(a *syscalls.Arg) int { return int(int32(a.Val)) }

func isNull(a *syscalls.Arg) bool { return a.Fault && a.Val == 0 }

// open.c

func open(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Open(c, vfs.How{DFD: namei.AtFDCWD, Path: a[0].Str, Null: a[0].Fault, Flags: a[1].Val, Mode: a[2].Val})
}

func openat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Open(c, vfs.How{DFD: dfd(&a[0]), Path: a[1].Str, Null: a[1].Fault, Flags: a[2].Val, Mode: a[3].Val})
}

func creat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Open(c, vfs.How{DFD: namei.AtFDCWD, Path: a[0].Str, Null: a[0].Fault, Flags: vfs.OCreat | vfs.OWronly | vfs.OTrunc, Mode: a[1].Val})
}

// closeFD is SYSCALL_DEFINE1(close): what the file's own flush answers is not a refusal of the call.
func closeFD(c *check.Check, call *syscalls.Call) story.Errno {
	t := &c.W.Task
	fd := dfd(&call.Args[0])
	s := story.Step{Code: story.DescriptorOpen, Errno: story.EBADF, Fact: [3]story.Origin{t.FDsAt}, Val: [3]uint64{uint64(int64(fd))}}
	switch {
	case t.FDByNumber(fd) != nil:
		c.Pass(s)
	case t.FDsAt&story.Missing != 0:
		c.Unknown(s)
	default:
		return c.Refuse(s)
	}
	return 0
}

// openat2 is SYSCALL_DEFINE4(openat2): the size of the structure comes first.
func openat2(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	size := a[3].Val
	s := story.Step{Code: story.OpenHow, Errno: story.EINVAL, Op: story.OpOpen}
	switch {
	case size < 24:
		s.Val[0] = c.Word("the structure has at least 24 bytes")
		return c.Refuse(s)
	case size > 4096:
		s.Errno, s.Val[0] = story.E2BIG, c.Word("the structure has at most a page")
		return c.Refuse(s)
	case a[2].Fault:
		return c.Refuse(story.Step{Code: story.PathFault, Errno: story.EFAULT, Op: story.OpOpen})
	}
	return vfs.Open(c, vfs.How{DFD: dfd(&a[0]), Path: a[1].Str, Null: a[1].Fault, Flags: a[2].How[0], Mode: a[2].How[1], Resolve: a[2].How[2], Strict: true})
}

// stat.c

// statTo is a stat call with the address for its answer: it is written last.
func statTo(c *check.Check, t vfs.Target, out *syscalls.Arg) story.Errno {
	if e := vfs.Stat(c, t); e != 0 {
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
	return statTo(c, vfs.Target{DFD: namei.AtFDCWD, Path: a[0].Str, Null: a[0].Fault}, &a[1])
}

func lstat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return statTo(c, vfs.Target{DFD: namei.AtFDCWD, Path: a[0].Str, Null: a[0].Fault, Flags: vfs.AtSymlinkNofollow}, &a[1])
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
	return statTo(c, vfs.Target{DFD: dfd(&a[0]), Path: a[1].Str, Null: a[1].Fault, Zero: isNull(&a[1]), Flags: a[3].Val}, &a[2])
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
	return statTo(c, vfs.Target{DFD: dfd(&a[0]), Path: a[1].Str, Null: a[1].Fault, Zero: isNull(&a[1]), Flags: a[2].Val}, &a[4])
}

// open.c: access

func access(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return doFaccessat(c, vfs.Target{DFD: namei.AtFDCWD, Path: a[0].Str, Null: a[0].Fault}, a[1].Val)
}

func faccessat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return doFaccessat(c, vfs.Target{DFD: dfd(&a[0]), Path: a[1].Str, Null: a[1].Fault}, a[2].Val)
}

func faccessat2(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return doFaccessat(c, vfs.Target{DFD: dfd(&a[0]), Path: a[1].Str, Null: a[1].Fault, Flags: a[3].Val}, a[2].Val)
}

// secureNoSetuidFixup is SECBIT_NO_SETUID_FIXUP.
const secureNoSetuidFixup = 1 << 2

// doFaccessat asks with the real ids (access_override_creds), unless AT_EACCESS is given.
func doFaccessat(c *check.Check, t vfs.Target, mode uint64) story.Errno {
	cr := *c.Cred
	if t.Flags&vfs.AtEaccess == 0 {
		cr.FSUID, cr.FSGID = cr.RUID, cr.RGID
		if cr.Securebits&secureNoSetuidFixup == 0 {
			root, mapped := c.W.UserNS[cr.UserNS].UIDs.Down(0)
			switch {
			case !cr.UIDAt.Known(): // whether it is root's is as unknown as the uid
			case mapped && world.KUID(root) == cr.RUID:
				cr.Effective = cr.Permitted
			default:
				cr.Effective = 0
			}
		}
	}
	c.Override(cr)
	return vfs.Access(c, t, mode)
}

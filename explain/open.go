package explain

import (
	"syscallstory/check"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
	"syscallstory/world"
)

// Routes of calls that open and close, and that ask whether one may: fs/open.c.

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
		before := cr.Effective
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
		if cr.SecurebitsAt&story.Missing != 0 && cr.Effective != before {
			cr.EffectiveAt, cr.BoundingAt = cr.SecurebitsAt, 0
		}
	}
	c.Override(cr)
	return vfs.Access(c, t, mode)
}

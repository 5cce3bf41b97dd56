package explain

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
	"syscallstory/world"
)

// Routes of the calls that make and enter namespaces: kernel/fork.c, kernel/nsproxy.c, kernel/user_namespace.c, kernel/sys.c.

func unshare(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Unshare(c, call.Args[0].Val)
}

func setns(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Setns(c, dfd(&a[0]), uint64(uint32(a[1].Val)))
}

// clone takes the signal at the child's end in the flags' lowest byte.
func clone(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	flags := a[0].Val & 0xffffffff &^ 0xff
	const pidfd, settid = 0x1000, 0x100000
	if flags&(pidfd|settid) == pidfd|settid {
		return vfs.Invalid(c, story.EINVAL, "CLONE_PIDFD and CLONE_PARENT_SETTID use the same address")
	}
	return vfs.Clone(c, vfs.CloneArgs{Flags: flags, NoPIDFD: isNull(&a[2])})
}

func fork(c *check.Check, _ *syscalls.Call) story.Errno { return vfs.Clone(c, vfs.CloneArgs{}) }

// clone3 copies and looks at its structure first (copy_clone_args_from_user, clone3_args_valid).
func clone3(c *check.Check, call *syscalls.Call) story.Errno {
	a := &call.Args[0]
	switch size := call.Args[1].Val; {
	case size > 4096:
		return vfs.Invalid(c, story.E2BIG, "the structure is bigger than a page")
	case size < 64:
		return vfs.Invalid(c, story.EINVAL, "the structure is too small")
	case a.Fault && a.Val == 0:
		return vfs.Invalid(c, story.EFAULT, "the structure's address is not readable")
	case !a.Struct():
		return notWritten(c, "clone3's structure", story.EINVAL, story.EPERM, story.ENOSPC, story.EAGAIN)
	case size > 88:
		return notWritten(c, "what follows clone3's structure", story.E2BIG)
	}
	field := func(name string) uint64 {
		f, _ := a.Field(name)
		return f.Val
	}
	flags, signal := field("flags"), field("exit_signal")
	stack, size, tids := field("stack"), field("stack_size"), field("set_tid_size")
	reason := ""
	switch {
	case tids > 32, (tids != 0) != (field("set_tid") != 0):
		reason = "set_tid and set_tid_size do not fit"
	case signal > 64:
		reason = "there is no such signal"
	case flags&(1<<33) != 0 && (field("cgroup") > 1<<31-1 || call.Args[1].Val < 88):
		reason = "cgroup is no descriptor"
	case flags&^uint64(0x3ffffffff) != 0, flags&0x400000 != 0, flags&0x7f != 0:
		reason = "clone3 does not know this flag"
	case flags&(0x800|1<<32) == 0x800|1<<32:
		reason = "shared signal handlers are not cleared: CLONE_SIGHAND with CLONE_CLEAR_SIGHAND"
	case flags&(0x10000|0x8000) != 0 && signal != 0:
		reason = "a thread or sibling ends without a signal"
	case (stack == 0) != (size == 0):
		reason = "stack and stack_size do not fit"
	}
	if reason != "" {
		return vfs.Invalid(c, story.EINVAL, reason)
	}
	return vfs.Clone(c, vfs.CloneArgs{Flags: flags, NoPIDFD: field("pidfd") == 0, SetTID: tids != 0})
}

// notWritten ends a call of whose arguments not all is known.
func notWritten(c *check.Check, what string, errnos ...story.Errno) story.Errno {
	c.Unknown(story.Step{Code: story.NotWritten, Errno: errnos[0], Op: story.OpEnter, Val: [3]uint64{c.Word(what)}})
	for _, e := range errnos[1:] {
		c.MayEnd(e)
	}
	return 0
}

// hostname is sethostname and setdomainname.
func hostname(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if err := vfs.CapableOf(c, world.UTSNS, kernel.CapSysAdmin, story.OpSetattr); err != 0 {
		return err
	}
	switch n := int32(a[1].Val); {
	case n < 0 || n > 64:
		return vfs.Invalid(c, story.EINVAL, "a name has at most 64 bytes")
	case a[0].Fault && n > 0:
		return vfs.Invalid(c, story.EFAULT, "the name's address is not readable")
	}
	c.Effect(story.Effect{Kind: "name", Path: call.Name[3:]})
	return 0
}

// write is write(2); to an id map it sets up a user namespace.
func write(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	f := c.W.Task.FDByNumber(dfd(&a[0]))
	if f == nil || f.Kind != world.FDIDMap {
		return readWrite(c, call)
	}
	return writeIDs(c, f, &a[1], &a[2])
}

// writeIDs is a write to uid_map and its relatives, of the size that the call has.
func writeIDs(c *check.Check, f *world.FD, data, size *syscalls.Arg) story.Errno {
	text := data.Str
	if data.Fault {
		return notWritten(c, "what is written", story.EFAULT, story.EINVAL, story.EPERM)
	}
	if !size.Absent && size.Val < uint64(len(text)) {
		text = text[:size.Val]
	}
	return vfs.WriteIDs(c, f.Map, text)
}

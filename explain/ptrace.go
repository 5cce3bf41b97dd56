package explain

import (
	"slices"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of calls that look into other processes: kernel/ptrace.c, mm/process_vm_access.c, kernel/kcmp.c.

var _ = add(map[string]Route{"ptrace": ptrace, "process_vm_readv": processVM, "process_vm_writev": processVM, "process_madvise": processMadvise, "kcmp": kcmp,
	"get_robust_list": getRobustList, "migrate_pages": migratePages, "move_pages": movePages})

const (
	ptraceTraceMe = 0
	ptraceAttach  = 16
	ptraceSeize   = 0x4206
	ptraceOptions = 0xff | 1<<20 | 1<<21
)

// ptrace finds the process first; then attaching asks who may, and every other request is for a tracee.
func ptrace(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	request := int64(a[0].Val)
	if request == ptraceTraceMe {
		return vfs.TraceMe(c)
	}
	p, e := vfs.FindProcess(c, pidOf(&a[1]), story.OpTrace)
	if e != 0 {
		return e
	}
	if request != ptraceAttach && request != ptraceSeize {
		return vfs.Request(c, p)
	}
	if request == ptraceSeize {
		if e := seizeOptions(c, a[2].Val, a[3].Val); e != 0 {
			return e
		}
	}
	return vfs.Attach(c, p)
}

// seizeOptions are the checks of the options that PTRACE_SEIZE sets at once.
func seizeOptions(c *check.Check, addr, options uint64) story.Errno {
	switch {
	case addr != 0:
		return vfs.Invalid(c, story.EIO, "PTRACE_SEIZE takes no address")
	case options&^uint64(ptraceOptions) != 0:
		return vfs.Invalid(c, story.EIO, "PTRACE_SEIZE does not know these options")
	case options&(1<<21) != 0: // PTRACE_O_SUSPEND_SECCOMP
		if e := vfs.Has(c, kernel.Checkpoint, story.EINVAL); e != 0 {
			return e
		}
		if e := vfs.CapableHost(c, kernel.CapSysAdmin, story.OpTrace); e != 0 {
			return e
		}
		return vfs.NotKnown(c, "whether the task has seccomp filters of its own", story.EPERM)
	}
	return 0
}

// vectors checks an array of buffers (import_iovec), and reports how many bytes it holds.
func vectors(c *check.Check, a *syscalls.Arg, n uint64) (total uint64, e story.Errno) {
	if n > 1024 {
		return 0, vfs.Invalid(c, story.EINVAL, "an array has at most 1024 buffers")
	}
	if n == 0 {
		return 0, 0
	}
	if a.Fault {
		return 0, vfs.Fault(c)
	}
	if uint64(len(a.Fields)/2) < n {
		return 1, vfs.NotKnown(c, "what the array of buffers holds", story.EFAULT, story.EINVAL)
	}
	for i := 0; i < int(n); i++ {
		length := a.Fields[2*i+1].Val
		if int64(length) < 0 {
			return 0, vfs.Invalid(c, story.EINVAL, "a buffer's length is negative")
		}
		total += length
	}
	return total, 0
}

// processVM is process_vm_rw: nothing is asked where there is nothing to copy.
func processVM(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.CrossMemory, story.ENOSYS); e != 0 {
		return e
	}
	a := call.Args
	if a[5].Val != 0 {
		return vfs.Invalid(c, story.EINVAL, "there are no flags")
	}
	local, e := vectors(c, &a[1], a[2].Val)
	if e != 0 || local == 0 {
		return e
	}
	remote, e := vectors(c, &a[3], a[4].Val)
	if e != 0 || remote == 0 {
		return e
	}
	p, e := vfs.FindProcess(c, pidOf(&a[0]), story.OpTrace)
	if e != 0 {
		return e
	}
	if e := vfs.MayAccess(c, p, vfs.AccessMode{Attach: true, Errno: story.EPERM}); e != 0 {
		return e
	}
	return vfs.NotKnown(c, "what lies at these addresses of the process", story.EFAULT)
}

// processMadvise asks who may read the process, then CAP_SYS_NICE, in the initial user namespace.
func processMadvise(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if a[4].Val != 0 {
		return vfs.Invalid(c, story.EINVAL, "there are no flags")
	}
	if _, e := vectors(c, &a[1], a[2].Val); e != 0 {
		return e
	}
	p, e := pidfd(c, &a[0], story.OpTrace)
	if e != 0 {
		return e
	}
	forOthers := slices.Contains([]uint64{3, 20, 21, 25}, a[3].Val) // MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT, MADV_COLLAPSE
	own := c.K.Has(kernel.MadviseOwn)
	switch {
	case forOthers || own == kernel.Yes:
	case own == kernel.No:
		return vfs.Invalid(c, story.EINVAL, "this advice is not for other processes")
	default:
		c.MayEnd(story.EINVAL)
	}
	if e := vfs.MayAccess(c, p, vfs.AccessMode{FSIDs: true, MM: true, Errno: story.EACCES}); e != 0 {
		return e
	}
	if !p.Self {
		if !forOthers {
			return vfs.Invalid(c, story.EINVAL, "this advice is not for other processes")
		}
		if e := vfs.CapableHost(c, kernel.CapSysNice, story.OpTrace); e != 0 {
			return e
		}
	}
	return vfs.NotKnown(c, "what lies at these addresses of the process", story.ENOMEM, story.EINVAL, story.EFAULT)
}

// read is PTRACE_MODE_READ_REALCREDS.
var read = vfs.AccessMode{Errno: story.EPERM}

func kcmp(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.KCmp, story.ENOSYS); e != 0 {
		return e
	}
	a := call.Args
	p, e := vfs.FindProcess(c, pidOf(&a[0]), story.OpTrace)
	if e != 0 {
		return e
	}
	q, e := vfs.FindProcess(c, pidOf(&a[1]), story.OpTrace)
	if e != 0 {
		return e
	}
	if e := vfs.MayAccess(c, p, read); e != 0 {
		return e
	}
	if e := vfs.MayAccess(c, q, read); e != 0 {
		return e
	}
	switch typ := a[2].Val; {
	case typ > 7:
		return vfs.Invalid(c, story.EINVAL, "kcmp does not know this type")
	case typ == 0 || typ == 7:
		return vfs.NotKnown(c, "which descriptors the processes have", story.EBADF)
	}
	return 0
}

func getRobustList(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	p, e := vfs.FindOwn(c, pidOf(&a[0]), story.OpTrace)
	if e != 0 {
		return e
	}
	if e := vfs.MayAccess(c, p, read); e != 0 {
		return e
	}
	if e := copyOut(c, &a[2]); e != 0 {
		return e
	}
	return copyOut(c, &a[1])
}

// migratePages is kernel_migrate_pages; what the masks hold is known where they are NULL.
func migratePages(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if e := numa(c); e != 0 {
		return e
	}
	masks := isNull(&a[2]) && isNull(&a[3])
	if !masks {
		vfs.NotKnown(c, "what the masks of nodes hold", story.EINVAL, story.EFAULT, story.EPERM)
	}
	p, e := vfs.FindOwn(c, pidOf(&a[0]), story.OpTrace)
	if e != 0 {
		return e
	}
	if e := vfs.MayAccess(c, p, read); e != 0 {
		return e
	}
	if masks {
		return vfs.Invalid(c, story.EINVAL, "there is no node to migrate to")
	}
	return 0
}

func numa(c *check.Check) story.Errno {
	if e := vfs.Has(c, kernel.NUMA, story.ENOSYS); e != 0 {
		return e
	}
	return vfs.Has(c, kernel.Migration, story.ENOSYS)
}

func movePages(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if e := numa(c); e != 0 {
		return e
	}
	flags := uint32(a[5].Val)
	switch {
	case flags&^6 != 0:
		return vfs.Invalid(c, story.EINVAL, "move_pages knows MPOL_MF_MOVE and MPOL_MF_MOVE_ALL")
	case flags&4 != 0:
		if e := vfs.CapableHost(c, kernel.CapSysNice, story.OpTrace); e != 0 {
			return e
		}
	}
	p, e := vfs.FindOwn(c, pidOf(&a[0]), story.OpTrace)
	if e != 0 {
		return e
	}
	if e := vfs.MayAccess(c, p, read); e != 0 {
		return e
	}
	if e := c.LSM.OnTask(c, story.HookTaskMovememory, p.Process, p.Self, story.OpTrace, 0); e != 0 {
		return e
	}
	if a[1].Val != 0 {
		return vfs.NotKnown(c, "what the arrays of pages and nodes hold", story.EFAULT, story.ENODEV, story.EACCES, story.ENOENT, story.E2BIG)
	}
	return 0
}

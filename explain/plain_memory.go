package explain

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of calls on the task's own memory: mm/. What lies at an address is not known; arguments and capabilities are asked before.

var _ = add(map[string]Route{"brk": free("brk", "brk"), "munmap": munmap, "mremap": mremap, "msync": msync, "madvise": madvise, "mincore": mincore, "mbind": mbind, "set_mempolicy": setMempolicy,
	"get_mempolicy": memoryPolicy, "set_mempolicy_home_node": memoryPolicy, "pkey_alloc": pkeyAlloc, "pkey_free": pkeyFree, "pkey_mprotect": pkeyMprotect, "mseal": mseal,
	"remap_file_pages": remapFilePages, "map_shadow_stack": shadowStack, "membarrier": membarrier, "arch_prctl": archPrctl, "modify_ldt": modifyLDT})

const (
	pageMask = 4095
	taskSize = 1<<47 - 4096
)

func unaligned(c *check.Check) story.Errno {
	return vfs.Invalid(c, story.EINVAL, "the address is no multiple of the page size")
}

// address is a number that is known where it was written as one.
func addressOf(a *syscalls.Arg) (uint64, bool) { return a.Val, a.Kind != syscalls.Pointer || a.Fault }

func pages(n uint64) uint64 { return (n + pageMask) &^ pageMask }

// munmap of what is not mapped does nothing.
func munmap(c *check.Check, call *syscalls.Call) story.Errno {
	at, n := call.Args[0].Val, call.Args[1].Val
	switch {
	case at&pageMask != 0:
		return unaligned(c)
	case at > taskSize || n > taskSize-at || pages(n) == 0:
		return vfs.Invalid(c, story.EINVAL, "the range is empty, or ends behind the address space")
	}
	return vfs.Unchecked(c, "munmap")
}

func mremap(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	flags, ok := number(&a[3])
	switch {
	case ok && flags&^7 != 0, ok && flags&6 != 0 && flags&1 == 0, ok && flags&4 != 0 && pages(a[1].Val) != pages(a[2].Val):
		return vfs.Invalid(c, story.EINVAL, "the flags do not go together")
	case a[0].Val&pageMask != 0:
		return unaligned(c)
	case pages(a[2].Val) == 0:
		return vfs.Invalid(c, story.EINVAL, "the new length is 0")
	}
	return vfs.NotKnown(c, "what lies at this address", story.EFAULT, story.EINVAL, story.ENOMEM, story.EAGAIN, story.EPERM)
}

func msync(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	at, n := a[0].Val, pages(a[1].Val)
	flags, _ := number(&a[2])
	switch {
	case flags&^7 != 0, flags&5 == 5:
		return vfs.Invalid(c, story.EINVAL, "MS_SYNC and MS_ASYNC exclude each other")
	case at&pageMask != 0:
		return unaligned(c)
	case at+n < at:
		return vfs.Invalid(c, story.ENOMEM, "the range ends behind the address space")
	case n == 0:
		return 0
	}
	return vfs.NotKnown(c, "what lies at this address", story.ENOMEM, story.EBUSY)
}

// madvise: broken memory is pretended by CAP_SYS_ADMIN in the initial user namespace.
func madvise(c *check.Check, call *syscalls.Call) story.Errno {
	const hwpoison, softOffline = 100, 101
	a := call.Args
	at, n := a[0].Val, pages(a[1].Val)
	advice, ok := number(&a[2])
	valid := ok && (int32(advice) >= 0 && advice <= 4 || advice >= 8 && advice <= 25 || advice >= hwpoison && advice <= 103)
	switch {
	case ok && !valid:
		return vfs.Invalid(c, story.EINVAL, "there is no such advice")
	case at&pageMask != 0:
		return unaligned(c)
	case a[1].Val != 0 && n == 0, at+n < at:
		return vfs.Invalid(c, story.EINVAL, "the range ends behind the address space")
	case advice == 12 || advice == 13 || advice == 14 || advice == 15 || advice >= 22:
		c.MayEnd(story.EINVAL) // of what the kernel is built with, or has learnt
	}
	if n == 0 {
		return 0
	}
	if advice == hwpoison || advice == softOffline {
		if e := vfs.CapableHost(c, kernel.CapSysAdmin, story.OpSystem); e != 0 {
			return e
		}
	}
	return vfs.NotKnown(c, "what lies at this address", story.ENOMEM, story.EINVAL, story.EAGAIN, story.EBADF, story.EPERM)
}

func mincore(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	switch at := a[0].Val; {
	case at&pageMask != 0:
		return unaligned(c)
	case at > taskSize || a[1].Val > taskSize-at:
		return vfs.Invalid(c, story.ENOMEM, "the range ends behind the address space")
	case a[1].Val == 0:
		return 0
	}
	if isNull(&a[2]) {
		return vfs.Fault(c)
	}
	return vfs.NotKnown(c, "what lies at this address", story.ENOMEM)
}

// mbind: pages that others use too are moved by CAP_SYS_NICE in the initial user namespace.
func mbind(c *check.Check, call *syscalls.Call) story.Errno {
	const moveAll = 4
	a := call.Args
	if e := vfs.Has(c, kernel.NUMA, story.ENOSYS); e != 0 {
		return e
	}
	mode, known := number(&a[2])
	flags, _ := number(&a[5])
	if !known || !isNull(&a[3]) || mode > 4 {
		return vfs.NotKnown(c, "which nodes the policy names", story.EINVAL, story.EFAULT, story.EPERM)
	}
	if uint32(flags)&^7 != 0 {
		return vfs.Invalid(c, story.EINVAL, "mbind does not know these flags")
	}
	if flags&moveAll != 0 {
		if e := vfs.CapableHost(c, kernel.CapSysNice, story.OpSystem); e != 0 {
			return e
		}
	}
	if a[0].Val&pageMask != 0 {
		return unaligned(c)
	}
	return vfs.NotKnown(c, "what lies at this address, and whether the policy goes without nodes", story.EINVAL, story.EFAULT, story.EIO)
}

func setMempolicy(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.NUMA, story.ENOSYS); e != 0 {
		return e
	}
	if mode, ok := number(&call.Args[0]); ok && mode == 0 && isNull(&call.Args[1]) {
		return vfs.Unchecked(c, "set_mempolicy") // MPOL_DEFAULT
	}
	return vfs.NotKnown(c, "which nodes the machine has and the cpuset allows", story.EINVAL, story.EFAULT)
}

func memoryPolicy(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.NUMA, story.ENOSYS); e != 0 {
		return e
	}
	a := call.Args
	switch home := call.Name == "set_mempolicy_home_node"; {
	case home && len(a) > 3 && a[0].Val&pageMask != 0 && a[0].Kind != syscalls.Pointer:
		return unaligned(c)
	case home && len(a) > 3 && a[3].Val != 0:
		return vfs.Invalid(c, story.EINVAL, "set_mempolicy_home_node has no flags")
	case !home && len(a) > 4 && isNull(&a[1]) && a[4].Val&^7 != 0:
		return vfs.Invalid(c, story.EINVAL, "get_mempolicy does not know these flags")
	}
	return vfs.NotKnown(c, "which nodes the machine has and what lies at the address", story.EINVAL, story.EFAULT, story.ENOENT)
}

func pkeyAlloc(c *check.Check, call *syscalls.Call) story.Errno {
	if rights, _ := number(&call.Args[1]); call.Args[0].Val != 0 || rights&^3 != 0 {
		return vfs.Invalid(c, story.EINVAL, "pkey_alloc has no flags, and two rights to take away")
	}
	return vfs.NotKnown(c, "whether the processor has keys for memory, and one that is free", story.ENOSPC, story.EINVAL)
}

func pkeyFree(c *check.Check, call *syscalls.Call) story.Errno {
	if len(call.Args) > 0 && int32(call.Args[0].Val) < 0 {
		return vfs.Invalid(c, story.EINVAL, "a key is not negative")
	}
	return vfs.NotKnown(c, "which keys the task has", story.EINVAL)
}

func pkeyMprotect(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if int32(a[3].Val) != -1 {
		c.MayEnd(story.EINVAL)
	}
	return vfs.Mprotect(c, a[0].Val, a[1].Val, a[2].Val)
}

func mseal(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	switch at, n := a[0].Val, pages(a[1].Val); {
	case a[2].Val != 0:
		return vfs.Invalid(c, story.EINVAL, "mseal has no flags")
	case at&pageMask != 0:
		return unaligned(c)
	case a[1].Val != 0 && n == 0, at+n < at:
		return vfs.Invalid(c, story.EINVAL, "the range ends behind the address space")
	case n == 0:
		return 0
	}
	return vfs.NotKnown(c, "what lies at this address", story.ENOMEM, story.EPERM)
}

func remapFilePages(c *check.Check, call *syscalls.Call) story.Errno {
	if len(call.Args) > 2 && call.Args[2].Val != 0 {
		return vfs.Invalid(c, story.EINVAL, "the protection is 0")
	}
	return vfs.NotKnown(c, "what lies at this address", story.EINVAL)
}

func shadowStack(c *check.Check, _ *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.ShadowStacks, story.ENOSYS); e != 0 {
		return e
	}
	return vfs.NotKnown(c, "whether the processor has shadow stacks", story.EOPNOTSUPP, story.EINVAL, story.ERANGE, story.ENOMEM)
}

func membarrier(c *check.Check, call *syscalls.Call) story.Errno {
	if cmd, ok := number(&call.Args[0]); ok && int32(cmd) == 0 && call.Args[1].Val == 0 {
		return vfs.Unchecked(c, "membarrier")
	}
	return vfs.NotKnown(c, "which barriers the kernel has and the process is registered for", story.EINVAL, story.EPERM, story.ENOSYS)
}

// archPrctl: a segment's base lies in the task's own half of the address space.
func archPrctl(c *check.Check, call *syscalls.Call) story.Errno {
	const setGS, setFS, getFS, getGS = 0x1001, 0x1002, 0x1003, 0x1004
	a := call.Args
	switch op, ok := number(&a[0]); {
	case ok && (op == setFS || op == setGS):
		if at, known := addressOf(&a[1]); known && at > taskSize {
			return vfs.Invalid(c, story.EPERM, "the address is the kernel's")
		}
		return vfs.Unchecked(c, "arch_prctl")
	case ok && (op == getFS || op == getGS):
		if isNull(&a[1]) || a[1].Val == 0 {
			return vfs.Fault(c)
		}
		return vfs.Unchecked(c, "arch_prctl")
	}
	return vfs.NotKnown(c, "what the processor has", story.EINVAL, story.ENODEV, story.EPERM, story.EBUSY, story.EOPNOTSUPP)
}

// modifyLDT never fails as other calls do: of what it returns the upper half is cut off, so that -EINVAL is a large number.
func modifyLDT(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.ModifyLDT, story.ENOSYS); e != 0 {
		return e
	}
	return vfs.Unchecked(c, "modify_ldt")
}

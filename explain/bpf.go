package explain

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of bpf and perf_event_open: kernel/bpf/syscall.c, kernel/events/core.c.

var _ = add(map[string]Route{"bpf": bpf, "perf_event_open": perfEventOpen})

// bpf is __sys_bpf. A token would move the questions to its user namespace; no attribute that is modelled has one.
func bpf(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.BPFSyscall, story.ENOSYS); e != 0 {
		return e
	}
	cmd, attr, size := uint32(call.Args[0].Val), &call.Args[1], uint32(call.Args[2].Val)
	if c.K.Has(kernel.BPFHookFirst) == kernel.No {
		if e := bpfUnprivileged(c, cmd); e != 0 {
			return e
		}
	}
	switch {
	case size > 4096:
		return vfs.Invalid(c, story.E2BIG, "the attributes are bigger than a page")
	case attr.Fault && size > 0:
		return vfs.Fault(c)
	case size > 144:
		vfs.NotKnown(c, "how many attributes the kernel knows", story.E2BIG)
	}
	if e := c.LSM.OnSystem(c, story.HookBpf, uint64(cmd)); e != 0 {
		return e
	}
	if attr.Cut {
		return vfs.NotKnown(c, "what the attributes hold", story.EINVAL, story.EPERM)
	}
	switch cmd {
	case 0:
		return bpfMap(c, attr)
	case 5:
		return bpfProgram(c, attr)
	case 11, 12, 23, 31: // the next id of programs, maps, types, links
		if uint32(part(attr, "start_id")) >= 1<<31-1 {
			return vfs.Invalid(c, story.EINVAL, "there is no higher id")
		}
		return bpfAdmin(c, story.ENOENT)
	case 13, 14, 19, 30, 20: // by id
		return bpfAdmin(c, story.ENOENT)
	case 32: // BPF_ENABLE_STATS
		return bpfAdmin(c, story.EINVAL)
	case 16: // BPF_PROG_QUERY
		if e := vfs.HoldsEither(c, kernel.CapNetAdmin, kernel.CapSysAdmin, story.EPERM); e != 0 {
			return e
		}
	case 18: // BPF_BTF_LOAD
		if e := vfs.HoldsEither(c, kernel.CapBpf, kernel.CapSysAdmin, story.EPERM); e != 0 {
			return e
		}
	}
	if cmd > 40 {
		return vfs.Invalid(c, story.EINVAL, "bpf does not know this command")
	}
	return vfs.NotKnown(c, "which programs, maps and links the attributes name", story.EINVAL, story.EBADF, story.EPERM, story.EFAULT, story.ENOENT, story.E2BIG, story.EEXIST, story.EACCES, story.EOPNOTSUPP)
}

// bpfUnprivileged is how __sys_bpf began: unprivileged_bpf_disabled refuses before anything is looked at.
func bpfUnprivileged(c *check.Check, cmd uint32) story.Errno {
	if c.K.Has(kernel.BPFRefusesCreation) == kernel.No {
		return vfs.SettingNeeds(c, kernel.UnprivilegedBPFDisabled, 0, kernel.CapBpf, kernel.CapSysAdmin, story.EPERM)
	}
	may := vfs.Either(c, kernel.CapBpf, kernel.CapSysAdmin)
	if cmd != 0 && cmd != 5 {
		return 0
	}
	return vfs.SettingHeld(c, kernel.UnprivilegedBPFDisabled, 0, kernel.CapBpf, may, story.EPERM)
}

func bpfAdmin(c *check.Check, more story.Errno) story.Errno {
	if e := vfs.CapableHost(c, kernel.CapSysAdmin, story.OpSystem); e != 0 {
		return e
	}
	return vfs.NotKnown(c, "which programs, maps and types are loaded", more, story.EINVAL, story.EFAULT)
}

// bpfMap is map_create: unprivileged_bpf_disabled closes every map, CAP_BPF is for most types, CAP_NET_ADMIN for those of
// the network. Before Linux 6.5 the type's own map_alloc_check asked for these, before it looked at sizes.
func bpfMap(c *check.Check, attr *syscalls.Arg) story.Errno {
	typ := uint32(part(attr, "map_type"))
	if typ == 0 || typ > 40 {
		return vfs.Invalid(c, story.EINVAL, "there is no such type of map")
	}
	if !plainMap(attr, typ) {
		vfs.NotKnown(c, "whether the kernel makes such a map of these sizes", story.EINVAL, story.E2BIG)
	}
	if c.K.Has(kernel.BPFHookFirst) != kernel.No {
		if e := vfs.SettingNeeds(c, kernel.UnprivilegedBPFDisabled, 0, kernel.CapBpf, kernel.CapSysAdmin, story.EPERM); e != 0 {
			return e
		}
	}
	switch typ {
	case 1, 2, 3, 4, 5, 6, 8, 12, 13, 19, 21, 27, 31:
	case 14, 15, 17, 18, 25:
		other := kernel.CapSysAdmin
		if c.K.Has(kernel.BPFTokens) == kernel.No {
			other = kernel.CapNetAdmin
		}
		if e := vfs.HoldsEither(c, kernel.CapNetAdmin, other, story.EPERM); e != 0 {
			return e
		}
	default:
		if e := vfs.HoldsEither(c, kernel.CapBpf, kernel.CapSysAdmin, story.EPERM); e != 0 {
			return e
		}
	}
	if typ == 2 { // array_map_alloc guards the values against speculation unless the task may leave that out (bpf_bypass_spec_v1)
		vfs.Either(c, kernel.CapPerfmon, kernel.CapSysAdmin)
	}
	if e := vfs.FreeDescriptor(c); e != 0 {
		return e
	}
	return c.LSM.OnSystem(c, story.HookBpfMap, uint64(part(attr, "map_flags")))
}

// plainMap reports whether the map is an array or a hash table of small sizes and nothing else, which every kernel makes.
func plainMap(attr *syscalls.Arg, typ uint32) bool {
	for i := range attr.Fields {
		switch attr.Fields[i].Name {
		case "map_type", "key_size", "value_size", "max_entries":
		default:
			return false
		}
	}
	value, most := part(attr, "value_size"), part(attr, "max_entries")
	return (typ == 1 || typ == 2 || typ == 9) && part(attr, "key_size") == 4 && value > 0 && value <= 4096 && most > 0 && most <= 65536
}

// Programs by type: those that need CAP_NET_ADMIN (is_net_admin_prog_type) and CAP_PERFMON (is_perfmon_prog_type).
var (
	netPrograms  = [...]uint32{3, 4, 6, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 22, 23, 25, 28, 32}
	perfPrograms = [...]uint32{2, 5, 7, 17, 24, 26, 27, 28, 29}
)

func among(list []uint32, v uint32) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// bpfProgram is bpf_prog_load up to the verifier.
func bpfProgram(c *check.Check, attr *syscalls.Arg) story.Errno {
	typ, count := uint32(part(attr, "prog_type")), uint32(part(attr, "insn_cnt"))
	if part(attr, "prog_flags") != 0 {
		vfs.NotKnown(c, "whether the kernel knows these flags of programs", story.EINVAL)
	}
	if license, _ := attr.Field("license"); license.Val == 0 && license.Str == "" && c.K.Has(kernel.BPFHookFirst) == kernel.No { // it was copied first
		return vfs.Fault(c)
	}
	once, may := c.K.Has(kernel.BPFHookFirst) != kernel.No, kernel.NotKnown // whether CAP_BPF is asked for once
	if once {
		may = vfs.Either(c, kernel.CapBpf, kernel.CapSysAdmin)
		if e := vfs.SettingHeld(c, kernel.UnprivilegedBPFDisabled, 0, kernel.CapBpf, may, story.EPERM); e != 0 {
			return e
		}
	} else if count != 0 {
		may = vfs.Either(c, kernel.CapBpf, kernel.CapSysAdmin)
	}
	switch {
	case count == 0, count > 1000000, count > 4096 && may == kernel.No:
		return vfs.Invalid(c, story.E2BIG, "a program has 1 to 1000000 instructions, without CAP_BPF 4096")
	case count > 4096 && may == kernel.NotKnown:
		c.MayEnd(story.E2BIG)
	}
	if typ != 1 && typ != 8 {
		if !once {
			may = vfs.Either(c, kernel.CapBpf, kernel.CapSysAdmin)
		}
		if e := vfs.Held(c, kernel.CapBpf, kernel.CapSysAdmin, may, story.EPERM); e != 0 {
			return e
		}
	}
	if among(netPrograms[:], typ) {
		if e := vfs.HoldsEither(c, kernel.CapNetAdmin, kernel.CapSysAdmin, story.EPERM); e != 0 {
			return e
		}
	}
	if among(perfPrograms[:], typ) {
		if e := vfs.HoldsEither(c, kernel.CapPerfmon, kernel.CapSysAdmin, story.EPERM); e != 0 {
			return e
		}
	}
	return vfs.NotKnown(c, "what the verifier says of the program", story.EINVAL, story.EACCES, story.EFAULT, story.E2BIG, story.EBADF, story.EPERM)
}

// perfEventOpen: kernel.perf_event_paranoid decides for the kernel's events and for whole CPUs, ptrace's rules for others' tasks.
func perfEventOpen(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.PerfEvents, story.ENOSYS); e != 0 {
		return e
	}
	a := call.Args
	attr, pid, cpu, group, flags := &a[0], pidOf(&a[1]), pidOf(&a[2]), pidOf(&a[3]), uint32(a[4].Val)
	size := part(attr, "size")
	switch {
	case flags&^15 != 0:
		return vfs.Invalid(c, story.EINVAL, "perf_event_open does not know these flags")
	case attr.Fault:
		return vfs.Fault(c)
	case size != 0 && size < 64 || size > 4096:
		return vfs.Invalid(c, story.E2BIG, "the structure has 64 bytes at least")
	case size > 120 || attr.Cut:
		vfs.NotKnown(c, "what the kernel knows of this structure", story.E2BIG, story.EINVAL)
	}
	if part(attr, "sample_type") != 0 || part(attr, "read_format") != 0 {
		vfs.NotKnown(c, "whether the kernel takes these samples", story.EINVAL, story.EACCES)
	}
	if e := vfs.PerfPatched(c); e != 0 {
		return e
	}
	if e := c.LSM.OnSystem(c, story.HookPerfEventOpen, check.PerfOpen); e != 0 {
		return e
	}
	if part(attr, "exclude_kernel") == 0 {
		if e := vfs.SettingNeeds(c, kernel.PerfEventParanoid, 1, kernel.CapPerfmon, kernel.CapSysAdmin, story.EACCES); e != 0 {
			return e
		}
		if e := c.LSM.OnSystem(c, story.HookPerfEventOpen, check.PerfKernel); e != 0 {
			return e
		}
	}
	if part(attr, "namespaces") != 0 {
		if e := vfs.HoldsEither(c, kernel.CapPerfmon, kernel.CapSysAdmin, story.EACCES); e != 0 {
			return e
		}
	}
	if part(attr, "freq") != 0 {
		vfs.NotKnown(c, "kernel.perf_event_max_sample_rate", story.EINVAL)
	} else if part(attr, "sample_period") < 0 {
		return vfs.Invalid(c, story.EINVAL, "the period's highest bit is set")
	}
	if e := vfs.FreeDescriptor(c); e != 0 {
		return e
	}
	if group != -1 || flags&4 != 0 {
		return vfs.NotKnown(c, "what the descriptor of the group leads to", story.EBADF, story.EINVAL, story.EACCES)
	}
	return perfTarget(c, attr, pid, cpu)
}

// perfTarget asks for the task or the CPU whose events are counted.
func perfTarget(c *check.Check, attr *syscalls.Arg, pid, cpu int) story.Errno {
	var p vfs.Process
	if pid != -1 {
		var e story.Errno
		if p, e = vfs.FindOwn(c, pid, story.OpTrace); e != 0 {
			return e
		}
	}
	if pid == -1 && cpu < 0 {
		return vfs.Invalid(c, story.EINVAL, "a task or a CPU is needed")
	}
	if typ, config := part(attr, "type"), part(attr, "config"); typ != 1 || config > 9 || cpu > 0 {
		c.Unknown(story.Step{Code: story.PerfTarget, Errno: story.ENOENT, Op: story.OpSystem})
		c.MayEnd(story.ENODEV)
		c.MayEnd(story.EOPNOTSUPP)
		c.MayEnd(story.EINVAL)
		c.MayEnd(story.EPERM)
	}
	if pid == -1 {
		if e := vfs.SettingNeeds(c, kernel.PerfEventParanoid, 0, kernel.CapPerfmon, kernel.CapSysAdmin, story.EACCES); e != 0 {
			return e
		}
		return c.LSM.OnSystem(c, story.HookPerfEventOpen, check.PerfCPU)
	}
	return vfs.PerfTask(c, p)
}

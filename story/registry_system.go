package story

// Codes of calls that change what the whole machine shares, and of calls in general.
var (
	KernelFeature = define(Info{
		ID: "OTH240", Gate: Other, Title: "the kernel is built with what the call needs", Denies: "the kernel is built without {0}", Unknowns: "whether the kernel is built with {0} is not known",
		Facts: []FactInfo{{"option", KindString}}, Function: "sys_ni_syscall", Errno: "ENOSYS", Releases: "all", Man: "syscalls(2)",
		Note:  "a call that is not built in is ENOSYS for everybody, before any capability is asked for",
		Long:  "Modules, kexec, swap, quotas, io_uring and others are chosen when a kernel is built. /proc/config.gz or /boot/config-RELEASE says how; a node file's features do too.",
		Repro: "zcat /proc/config.gz | grep CONFIG_MODULES",
	})
	SettingForbids = define(Info{
		ID: "OTH241", Gate: Other, Title: "a sysctl forbids the call to everybody", Denies: "{0} is {1}", Allows: "{0} is {1}", Unknowns: "{0} is not known",
		Facts: []FactInfo{{"sysctl", KindString}, {"value", KindInt}}, Function: "modules_disabled, kexec_load_permitted, io_uring_allowed", Errno: "EPERM", Releases: "all", Man: "proc_sys_kernel(5)",
		Long:  "kernel.modules_disabled, kernel.kexec_load_disabled and kernel.io_uring_disabled = 2 close a call for root too; the first two stay until the next boot. fs.nr_open bounds every RLIMIT_NOFILE.",
		Repro: "sysctl kernel.io_uring_disabled=2",
	})
	NothingChecked = define(Info{
		ID: "OTH242", Gate: Other, Title: "nothing is checked behind seccomp", Allows: "{0} asks for nothing",
		Facts: []FactInfo{{"function", KindString}}, Function: "the entry of the call", Releases: "all", Man: "syscalls(2)",
		Long: "Some calls are refused to nobody: they read the task's own ids, the time or a count. Only a seccomp filter or an address that cannot be written stands before them.",
	})
	StateUnknown = define(Info{
		ID: "OTH243", Gate: Other, Title: "what the call meets is known", Unknowns: "{0} is not known",
		Facts: []FactInfo{{"what", KindString}}, Function: "the body of the call", Errno: "several", Releases: "all", Man: "syscalls(2)",
		Long: "Behind the question who may, the call's result depends on state that the world does not hold: keyrings, programs, rings, maps of memory. The step names it and the story lists the errnos that it may lead to.",
	})
	ArgUnreadable = define(Info{
		ID: "OTH244", Gate: Other, Title: "the kernel reads its arguments from the task's memory", Denies: "an address of the arguments is not readable",
		Function: "copy_from_user", Errno: "EFAULT", Releases: "all", Man: "syscalls(2)",
		Long: "Structures and strings are copied in before they are looked at.", Repro: "python3 -c 'import ctypes; l=ctypes.CDLL(None,use_errno=True); l.settimeofday(1,0); print(ctypes.get_errno())'",
	})
	SettingNeedsCap = define(Info{
		ID: "CAP240", Gate: Capability, Title: "a sysctl asks for a capability", Denies: "{0} is {1}, and the task lacks {2} in the initial user namespace", Allows: "{0} is {1}", Unknowns: "{0}, or whether the task has {2}, is not known",
		Facts: []FactInfo{{"sysctl", KindString}, {"value", KindInt}, {"capability", KindCap}}, Function: "check_syslog_permissions, perf_allow_kernel, bpf_map_create, io_uring_allowed", Errno: "EPERM; EACCES of perf_event_open", Releases: "all", Man: "proc_sys_kernel(5)",
		Note:  "the capability counts in the initial user namespace only",
		Long:  "kernel.dmesg_restrict, kernel.perf_event_paranoid, kernel.unprivileged_bpf_disabled, kernel.io_uring_disabled and vm.unprivileged_userfaultfd say whether a task without privilege may make a call. The capabilities that help are CAP_SYSLOG, CAP_PERFMON, CAP_BPF, CAP_SYS_ADMIN and CAP_SYS_PTRACE.",
		Repro: "unshare -Ur dmesg",
	})
	PerfTarget = define(Info{
		ID: "OTH245", Gate: Other, Title: "whether an event exists is the machine's matter", Unknowns: "whether the machine has this event is not known",
		Function: "perf_init_event", Errno: "ENOENT, ENODEV, EOPNOTSUPP or EINVAL", Releases: "all", Man: "perf_event_open(2)",
		Long: "Hardware events need a PMU that the machine, or its hypervisor, shows; tracepoints must exist. Software events are always there.",
	})
	RingOpened = define(Info{
		ID: "OTH246", Gate: Other, Title: "a ring is made", Allows: "what is put into the ring later does not meet seccomp: its operations run as they are, with the ring's credentials",
		Function: "io_uring_setup", Releases: "since Linux 5.1", Man: "io_uring_setup(2)",
		Long: "A seccomp filter sees io_uring_setup, io_uring_enter and io_uring_register. The operations inside the ring (open, connect, unlink and sixty more) are no syscalls, so no filter sees them; permissions, capabilities and security modules are asked as usual. kernel.io_uring_disabled or a filter on the three calls closes it.",
	})
)

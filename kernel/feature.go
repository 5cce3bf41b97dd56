package kernel

// Feature is something that a kernel is built with or without: a CONFIG_ option. Without it the calls that belong to it are
// ENOSYS for everybody.
type Feature uint8

const (
	Modules Feature = iota
	ModuleUnload
	Kexec
	KexecFile
	IOPLPermission
	Swap
	Accounting
	Quota
	Keys
	IOUring
	BPFSyscall
	PerfEvents
	Userfaultfd
	SecretMemory
	MessageQueues
	SystemVIPC
	NUMA
	Migration
	KCmp
	CrossMemory
	Printk
	RTGroups
	Checkpoint
	AIO
	RestartableSequences
	ModifyLDT
	ShadowStacks
	NumFeatures
)

var featureNames = [NumFeatures]struct{ name, config string }{
	{"modules", "MODULES"}, {"module_unload", "MODULE_UNLOAD"}, {"kexec", "KEXEC"}, {"kexec_file", "KEXEC_FILE"}, {"iopl", "X86_IOPL_IOPERM"}, {"swap", "SWAP"},
	{"acct", "BSD_PROCESS_ACCT"}, {"quota", "QUOTACTL"}, {"keys", "KEYS"}, {"io_uring", "IO_URING"}, {"bpf", "BPF_SYSCALL"}, {"perf_events", "PERF_EVENTS"},
	{"userfaultfd", "USERFAULTFD"}, {"secretmem", "SECRETMEM"}, {"mqueue", "POSIX_MQUEUE"}, {"sysvipc", "SYSVIPC"}, {"numa", "NUMA"}, {"migration", "MIGRATION"},
	{"kcmp", "KCMP"}, {"process_vm", "CROSS_MEMORY_ATTACH"}, {"printk", "PRINTK"}, {"rt_groups", "RT_GROUP_SCHED"}, {"checkpoint_restore", "CHECKPOINT_RESTORE"},
	{"aio", "AIO"}, {"rseq", "RSEQ"}, {"modify_ldt", "MODIFY_LDT_SYSCALL"}, {"shadow_stack", "X86_USER_SHADOW_STACK"},
}

// String returns the name under which a node file has the feature.
func (f Feature) String() string { return featureNames[f].name }

// Config returns the option of the kernel's configuration.
func (f Feature) Config() string { return "CONFIG_" + featureNames[f].config }

// ParseFeature returns the feature of a name such as modules, or CONFIG_MODULES.
func ParseFeature(name string) (Feature, bool) {
	for i, n := range featureNames {
		if n.name == name || "CONFIG_"+n.config == name {
			return Feature(i), true
		}
	}
	return 0, false
}

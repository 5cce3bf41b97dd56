package syscalls

import "encoding/binary"

// Calls that change what the whole machine shares, and calls that nobody is refused.

var clocks = []flag{{"CLOCK_REALTIME", 0}, {"CLOCK_MONOTONIC", 1}, {"CLOCK_PROCESS_CPUTIME_ID", 2}, {"CLOCK_THREAD_CPUTIME_ID", 3}, {"CLOCK_MONOTONIC_RAW", 4}, {"CLOCK_REALTIME_COARSE", 5},
	{"CLOCK_MONOTONIC_COARSE", 6}, {"CLOCK_BOOTTIME", 7}, {"CLOCK_REALTIME_ALARM", 8}, {"CLOCK_BOOTTIME_ALARM", 9}, {"CLOCK_TAI", 11}}
var _ = defineEnum("clock", clocks...)
var _ = defineStruct("timeval", 16, member{"tv_sec", 0, 8, Int}, member{"tv_usec", 8, 8, Int})
var _ = defineStruct("timespec", 16, member{"tv_sec", 0, 8, Int}, member{"tv_nsec", 8, 8, Int})
var _ = defineStruct("timezone", 8, member{"tz_minuteswest", 0, 4, Int}, member{"tz_dsttime", 4, 4, Int})
var adjModes = defineFlags("adjmodes", flag{"ADJ_OFFSET_SINGLESHOT", 0x8001}, flag{"ADJ_OFFSET_SS_READ", 0xa001}, flag{"ADJ_OFFSET", 1}, flag{"ADJ_FREQUENCY", 2}, flag{"ADJ_MAXERROR", 4},
	flag{"ADJ_ESTERROR", 8}, flag{"ADJ_STATUS", 16}, flag{"ADJ_TIMECONST", 32}, flag{"ADJ_TAI", 128}, flag{"ADJ_SETOFFSET", 256}, flag{"ADJ_MICRO", 4096}, flag{"ADJ_NANO", 8192}, flag{"ADJ_TICK", 16384})
var _ = defineStruct("timex", 208, member{"modes", 0, 4, adjModes}, member{"offset", 8, 8, Int}, member{"freq", 16, 8, Int}, member{"maxerror", 24, 8, Int}, member{"esterror", 32, 8, Int},
	member{"status", 40, 4, Int}, member{"constant", 48, 8, Int}, member{"precision", 56, 8, Int}, member{"tolerance", 64, 8, Int}, member{"time", 72, 8, Int}, member{"tick", 88, 8, Int})

var _ = defineEnum("rebootmagic", flag{"LINUX_REBOOT_MAGIC1", 0xfee1dead})
var _ = defineEnum("rebootmagic2", flag{"LINUX_REBOOT_MAGIC2", 0x28121969}, flag{"LINUX_REBOOT_MAGIC2A", 0x05121996}, flag{"LINUX_REBOOT_MAGIC2B", 0x16041998}, flag{"LINUX_REBOOT_MAGIC2C", 0x20112000})
var _ = defineEnum("rebootcmd", flag{"LINUX_REBOOT_CMD_RESTART", 0x01234567}, flag{"LINUX_REBOOT_CMD_HALT", 0xcdef0123}, flag{"LINUX_REBOOT_CMD_CAD_ON", 0x89abcdef}, flag{"LINUX_REBOOT_CMD_CAD_OFF", 0},
	flag{"LINUX_REBOOT_CMD_POWER_OFF", 0x4321fedc}, flag{"LINUX_REBOOT_CMD_RESTART2", 0xa1b2c3d4}, flag{"LINUX_REBOOT_CMD_SW_SUSPEND", 0xd000fce2}, flag{"LINUX_REBOOT_CMD_KEXEC", 0x45584543})
var _ = defineFlags("finitflags", flag{"MODULE_INIT_IGNORE_MODVERSIONS", 1}, flag{"MODULE_INIT_IGNORE_VERMAGIC", 2}, flag{"MODULE_INIT_COMPRESSED_FILE", 4})
var _ = defineFlags("delmodflags", flag{"O_NONBLOCK", 0o4000}, flag{"O_TRUNC", 0o1000})
var _ = defineEnum("syslog", flag{"SYSLOG_ACTION_CLOSE", 0}, flag{"SYSLOG_ACTION_OPEN", 1}, flag{"SYSLOG_ACTION_READ", 2}, flag{"SYSLOG_ACTION_READ_ALL", 3}, flag{"SYSLOG_ACTION_READ_CLEAR", 4},
	flag{"SYSLOG_ACTION_CLEAR", 5}, flag{"SYSLOG_ACTION_CONSOLE_OFF", 6}, flag{"SYSLOG_ACTION_CONSOLE_ON", 7}, flag{"SYSLOG_ACTION_CONSOLE_LEVEL", 8}, flag{"SYSLOG_ACTION_SIZE_UNREAD", 9},
	flag{"SYSLOG_ACTION_SIZE_BUFFER", 10})
var _ = defineFlags("swapflags", flag{"SWAP_FLAG_PREFER", 0x8000}, flag{"SWAP_FLAG_DISCARD", 0x10000}, flag{"SWAP_FLAG_DISCARD_ONCE", 0x20000}, flag{"SWAP_FLAG_DISCARD_PAGES", 0x40000})

var _ = defineEnum("bpf", flag{"BPF_MAP_CREATE", 0}, flag{"BPF_MAP_LOOKUP_ELEM", 1}, flag{"BPF_MAP_UPDATE_ELEM", 2}, flag{"BPF_MAP_DELETE_ELEM", 3}, flag{"BPF_MAP_GET_NEXT_KEY", 4},
	flag{"BPF_PROG_LOAD", 5}, flag{"BPF_OBJ_PIN", 6}, flag{"BPF_OBJ_GET", 7}, flag{"BPF_PROG_ATTACH", 8}, flag{"BPF_PROG_DETACH", 9}, flag{"BPF_PROG_TEST_RUN", 10}, flag{"BPF_PROG_GET_NEXT_ID", 11},
	flag{"BPF_MAP_GET_NEXT_ID", 12}, flag{"BPF_PROG_GET_FD_BY_ID", 13}, flag{"BPF_MAP_GET_FD_BY_ID", 14}, flag{"BPF_OBJ_GET_INFO_BY_FD", 15}, flag{"BPF_PROG_QUERY", 16},
	flag{"BPF_RAW_TRACEPOINT_OPEN", 17}, flag{"BPF_BTF_LOAD", 18}, flag{"BPF_BTF_GET_FD_BY_ID", 19}, flag{"BPF_TASK_FD_QUERY", 20}, flag{"BPF_MAP_LOOKUP_AND_DELETE_ELEM", 21},
	flag{"BPF_MAP_FREEZE", 22}, flag{"BPF_BTF_GET_NEXT_ID", 23}, flag{"BPF_LINK_CREATE", 28}, flag{"BPF_LINK_UPDATE", 29}, flag{"BPF_LINK_GET_FD_BY_ID", 30}, flag{"BPF_LINK_GET_NEXT_ID", 31},
	flag{"BPF_ENABLE_STATS", 32}, flag{"BPF_ITER_CREATE", 33}, flag{"BPF_LINK_DETACH", 34}, flag{"BPF_PROG_BIND_MAP", 35}, flag{"BPF_TOKEN_CREATE", 36})
var mapTypes = defineEnum("bpfmap", flag{"BPF_MAP_TYPE_UNSPEC", 0}, flag{"BPF_MAP_TYPE_HASH", 1}, flag{"BPF_MAP_TYPE_ARRAY", 2}, flag{"BPF_MAP_TYPE_PROG_ARRAY", 3}, flag{"BPF_MAP_TYPE_PERF_EVENT_ARRAY", 4},
	flag{"BPF_MAP_TYPE_PERCPU_HASH", 5}, flag{"BPF_MAP_TYPE_PERCPU_ARRAY", 6}, flag{"BPF_MAP_TYPE_STACK_TRACE", 7}, flag{"BPF_MAP_TYPE_LRU_HASH", 9}, flag{"BPF_MAP_TYPE_LPM_TRIE", 11},
	flag{"BPF_MAP_TYPE_DEVMAP", 14}, flag{"BPF_MAP_TYPE_SOCKMAP", 15}, flag{"BPF_MAP_TYPE_XSKMAP", 17}, flag{"BPF_MAP_TYPE_SOCKHASH", 18}, flag{"BPF_MAP_TYPE_QUEUE", 22}, flag{"BPF_MAP_TYPE_STACK", 23},
	flag{"BPF_MAP_TYPE_DEVMAP_HASH", 25}, flag{"BPF_MAP_TYPE_RINGBUF", 27})
var progTypes = defineEnum("bpfprog", flag{"BPF_PROG_TYPE_UNSPEC", 0}, flag{"BPF_PROG_TYPE_SOCKET_FILTER", 1}, flag{"BPF_PROG_TYPE_KPROBE", 2}, flag{"BPF_PROG_TYPE_SCHED_CLS", 3}, flag{"BPF_PROG_TYPE_SCHED_ACT", 4},
	flag{"BPF_PROG_TYPE_TRACEPOINT", 5}, flag{"BPF_PROG_TYPE_XDP", 6}, flag{"BPF_PROG_TYPE_PERF_EVENT", 7}, flag{"BPF_PROG_TYPE_CGROUP_SKB", 8}, flag{"BPF_PROG_TYPE_CGROUP_SOCK", 9},
	flag{"BPF_PROG_TYPE_CGROUP_DEVICE", 15}, flag{"BPF_PROG_TYPE_RAW_TRACEPOINT", 17}, flag{"BPF_PROG_TYPE_TRACING", 26}, flag{"BPF_PROG_TYPE_LSM", 29}, flag{"BPF_PROG_TYPE_SYSCALL", 31})

// bpf's attribute is a union: what a field means depends on the command.
var _ = defineStruct("bpfattr", 160, member{"map_type", 0, 4, mapTypes}, member{"key_size", 4, 4, Int}, member{"value_size", 8, 4, Int}, member{"max_entries", 12, 4, Int}, member{"map_flags", 16, 4, Int},
	member{"prog_type", 0, 4, progTypes}, member{"insn_cnt", 4, 4, Int}, member{"insns", 8, 8, Int}, member{"license", 16, 0, Text}, member{"log_level", 24, 4, Int}, member{"log_size", 28, 4, Int},
	member{"log_buf", 32, 8, Int}, member{"kern_version", 40, 4, Int}, member{"prog_flags", 44, 4, Int}, member{"start_id", 0, 4, Int}, member{"prog_id", 0, 4, Int}, member{"map_id", 0, 4, Int},
	member{"btf_id", 0, 4, Int}, member{"link_id", 0, 4, Int}, member{"next_id", 4, 4, Int}, member{"map_fd", 0, 4, Int}, member{"prog_fd", 0, 4, Int}, member{"btf", 0, 8, Int},
	member{"btf_log_buf", 8, 8, Int}, member{"btf_size", 16, 4, Int})

var perfTypes = defineEnum("perftype", flag{"PERF_TYPE_HARDWARE", 0}, flag{"PERF_TYPE_SOFTWARE", 1}, flag{"PERF_TYPE_TRACEPOINT", 2}, flag{"PERF_TYPE_HW_CACHE", 3}, flag{"PERF_TYPE_RAW", 4}, flag{"PERF_TYPE_BREAKPOINT", 5})
var perfConfigs = defineEnum("perfconfig", flag{"PERF_COUNT_SW_CPU_CLOCK", 0}, flag{"PERF_COUNT_SW_TASK_CLOCK", 1}, flag{"PERF_COUNT_SW_PAGE_FAULTS", 2}, flag{"PERF_COUNT_SW_CONTEXT_SWITCHES", 3},
	flag{"PERF_COUNT_SW_DUMMY", 9}, flag{"PERF_COUNT_HW_CPU_CYCLES", 0}, flag{"PERF_COUNT_HW_INSTRUCTIONS", 1})
var _ = defineFlags("perfflags", flag{"PERF_FLAG_FD_NO_GROUP", 1}, flag{"PERF_FLAG_FD_OUTPUT", 2}, flag{"PERF_FLAG_PID_CGROUP", 4}, flag{"PERF_FLAG_FD_CLOEXEC", 8})

// perfBits are the bits of struct perf_event_attr behind read_format, in their order.
var perfBits = []string{"disabled", "inherit", "pinned", "exclusive", "exclude_user", "exclude_kernel", "exclude_hv", "exclude_idle", "mmap", "comm", "freq", "inherit_stat", "enable_on_exec", "task", "watermark"}

var _ = defineLayout("perfattr", &layout{size: 136, encode: perfAttr, members: append([]member{{"type", 0, 4, perfTypes}, {"size", 4, 4, Int}, {"config", 8, 8, perfConfigs}, {"sample_period", 16, 8, Int},
	{"sample_freq", 16, 8, Int}, {"sample_type", 24, 8, Int}, {"read_format", 32, 8, Int}, {"wakeup_events", 48, 4, Int}, {"namespaces", 40, 0, Int}}, perfBitMembers()...)})

func perfBitMembers() (all []member) {
	for _, name := range perfBits {
		all = append(all, member{name: name, off: 40, kind: Int})
	}
	return all
}

// perfAttr lays struct perf_event_attr out, with its bits.
func perfAttr(a *Arg) Memory {
	m := Memory{Bytes: make([]byte, 136)}
	put := func(name string, off, size int) {
		f, _ := a.Field(name)
		if size == 4 {
			binary.LittleEndian.PutUint32(m.Bytes[off:], uint32(f.Val))
		} else if f.Val != 0 {
			binary.LittleEndian.PutUint64(m.Bytes[off:], f.Val)
		}
	}
	put("type", 0, 4)
	put("size", 4, 4)
	put("config", 8, 8)
	put("sample_period", 16, 8)
	put("sample_freq", 16, 8)
	put("sample_type", 24, 8)
	put("read_format", 32, 8)
	put("wakeup_events", 48, 4)
	bits := uint64(0)
	for i, name := range perfBits {
		if f, _ := a.Field(name); f.Val != 0 {
			bits |= 1 << i
		}
	}
	if f, _ := a.Field("namespaces"); f.Val != 0 {
		bits |= 1 << 28
	}
	binary.LittleEndian.PutUint64(m.Bytes[40:], bits)
	return m
}

var ringFlags = defineFlags("ringflags", flag{"IORING_SETUP_IOPOLL", 1}, flag{"IORING_SETUP_SQPOLL", 2}, flag{"IORING_SETUP_SQ_AFF", 4}, flag{"IORING_SETUP_CQSIZE", 8}, flag{"IORING_SETUP_CLAMP", 16},
	flag{"IORING_SETUP_ATTACH_WQ", 32}, flag{"IORING_SETUP_R_DISABLED", 64}, flag{"IORING_SETUP_SUBMIT_ALL", 128}, flag{"IORING_SETUP_COOP_TASKRUN", 256}, flag{"IORING_SETUP_SINGLE_ISSUER", 4096})
var _ = defineStruct("ringparams", 120, member{"sq_entries", 0, 4, Int}, member{"cq_entries", 4, 4, Int}, member{"flags", 8, 4, ringFlags}, member{"sq_thread_cpu", 12, 4, Int},
	member{"sq_thread_idle", 16, 4, Int}, member{"features", 20, 4, Int}, member{"wq_fd", 24, 4, Int}, member{"resv", 28, 4, Int}, member{"sq_off", 40, 8, Int}, member{"cq_off", 80, 8, Int})
var _ = defineFlags("uffd", flag{"O_CLOEXEC", 0o2000000}, flag{"O_NONBLOCK", 0o4000}, flag{"UFFD_USER_MODE_ONLY", 1})

var _ = defineEnum("keyring", flag{"KEY_SPEC_THREAD_KEYRING", ^uint64(0)}, flag{"KEY_SPEC_PROCESS_KEYRING", ^uint64(1)}, flag{"KEY_SPEC_SESSION_KEYRING", ^uint64(2)}, flag{"KEY_SPEC_USER_KEYRING", ^uint64(3)},
	flag{"KEY_SPEC_USER_SESSION_KEYRING", ^uint64(4)}, flag{"KEY_SPEC_GROUP_KEYRING", ^uint64(5)}, flag{"KEY_SPEC_REQKEY_AUTH_KEY", ^uint64(6)})
var keyctls = []string{"GET_KEYRING_ID", "JOIN_SESSION_KEYRING", "UPDATE", "REVOKE", "CHOWN", "SETPERM", "DESCRIBE", "CLEAR", "LINK", "UNLINK", "SEARCH", "READ", "INSTANTIATE", "NEGATE",
	"SET_REQKEY_KEYRING", "SET_TIMEOUT", "ASSUME_AUTHORITY", "GET_SECURITY", "SESSION_TO_PARENT", "REJECT", "INSTANTIATE_IOV", "INVALIDATE", "GET_PERSISTENT", "DH_COMPUTE", "PKEY_QUERY",
	"PKEY_ENCRYPT", "PKEY_DECRYPT", "PKEY_SIGN", "PKEY_VERIFY", "RESTRICT_KEYRING", "MOVE", "CAPABILITIES", "WATCH_KEY"}
var _ = defineEnum("keyctl", keyctlNames()...)

func keyctlNames() (all []flag) {
	for i, n := range keyctls {
		all = append(all, flag{"KEYCTL_" + n, uint64(i)})
	}
	return all
}

var _ = defineFlags("getrandom", flag{"GRND_NONBLOCK", 1}, flag{"GRND_RANDOM", 2}, flag{"GRND_INSECURE", 4})
var _ = defineEnum("rusage", flag{"RUSAGE_SELF", 0}, flag{"RUSAGE_CHILDREN", ^uint64(0)}, flag{"RUSAGE_THREAD", 1})

var _ = defineCalls(map[string]string{
	"settimeofday": "timeval timezone?", "clock_settime": "clock timespec", "clock_adjtime": "clock timex", "adjtimex": "timex",
	"reboot": "rebootmagic rebootmagic2 rebootcmd ptr?", "init_module": "ptr int text", "finit_module": "fd text finitflags?", "delete_module": "text delmodflags?",
	"kexec_load": "int int ptr int", "kexec_file_load": "fd fd int ptr? int?", "syslog": "syslog out? int?", "swapon": "path swapflags?", "swapoff": "path", "acct": "path",
	"quotactl": "int path int ptr?", "quotactl_fd": "fd int int ptr?", "iopl": "int", "ioperm": "int int int", "vhangup": "",
	"bpf": "bpf bpfattr int", "perf_event_open": "perfattr int int int perfflags?", "io_uring_setup": "int ringparams", "io_uring_enter": "fd int int int ptr? int?",
	"io_uring_register": "fd int ptr? int?", "userfaultfd": "uffd", "memfd_secret": "int",
	"add_key": "text text text int keyring", "request_key": "text text text keyring?", "keyctl": "keyctl int? int? int? int?",
	"getpid": "", "gettid": "", "getppid": "", "getpgrp": "", "sched_yield": "", "munlockall": "",
	"alarm": "int", "uname": "out?", "sysinfo": "out?", "times": "out?", "time": "out?", "gettimeofday": "out? out?", "clock_gettime": "clock out?",
	"clock_getres": "clock out?", "getrandom": "out int getrandom?", "getcpu": "out? out?", "getrusage": "rusage out?", "set_tid_address": "ptr",
	"getresuid": "out? out? out?", "getresgid": "out? out? out?",
})

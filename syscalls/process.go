package syscalls

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// Calls that name other processes, and that change what a process may use.

var _ = defineEnum("signal", flag{"SIGHUP", 1}, flag{"SIGINT", 2}, flag{"SIGQUIT", 3}, flag{"SIGILL", 4}, flag{"SIGTRAP", 5}, flag{"SIGABRT", 6}, flag{"SIGBUS", 7}, flag{"SIGFPE", 8},
	flag{"SIGKILL", 9}, flag{"SIGUSR1", 10}, flag{"SIGSEGV", 11}, flag{"SIGUSR2", 12}, flag{"SIGPIPE", 13}, flag{"SIGALRM", 14}, flag{"SIGTERM", 15}, flag{"SIGSTKFLT", 16},
	flag{"SIGCHLD", 17}, flag{"SIGCONT", 18}, flag{"SIGSTOP", 19}, flag{"SIGTSTP", 20}, flag{"SIGTTIN", 21}, flag{"SIGTTOU", 22}, flag{"SIGURG", 23}, flag{"SIGXCPU", 24},
	flag{"SIGXFSZ", 25}, flag{"SIGVTALRM", 26}, flag{"SIGPROF", 27}, flag{"SIGWINCH", 28}, flag{"SIGIO", 29}, flag{"SIGPWR", 30}, flag{"SIGSYS", 31}, flag{"SIGRTMIN", 32})

var siginfoCodes = defineEnum("si_code", flag{"SI_USER", 0}, flag{"SI_KERNEL", 0x80}, flag{"SI_QUEUE", ^uint64(0)}, flag{"SI_TIMER", ^uint64(1)}, flag{"SI_MESGQ", ^uint64(2)},
	flag{"SI_ASYNCIO", ^uint64(3)}, flag{"SI_SIGIO", ^uint64(4)}, flag{"SI_TKILL", ^uint64(5)})

var _ = defineStruct("siginfo", 128, member{"si_signo", 0, 4, kinds["signal"]}, member{"si_errno", 4, 4, Int}, member{"si_code", 8, 4, siginfoCodes}, member{"si_pid", 16, 4, Int},
	member{"si_uid", 20, 4, Int}, member{"si_int", 24, 4, Int}, member{"si_ptr", 24, 8, Int})

var _ = defineFlags("pidfdflags", flag{"PIDFD_NONBLOCK", 0o4000}, flag{"PIDFD_THREAD", 0o200})
var _ = defineFlags("pidfdsignal", flag{"PIDFD_SIGNAL_THREAD", 1}, flag{"PIDFD_SIGNAL_THREAD_GROUP", 2}, flag{"PIDFD_SIGNAL_PROCESS_GROUP", 4})

var _ = defineEnum("ptrace", flag{"PTRACE_TRACEME", 0}, flag{"PTRACE_PEEKTEXT", 1}, flag{"PTRACE_PEEKDATA", 2}, flag{"PTRACE_PEEKUSER", 3}, flag{"PTRACE_POKETEXT", 4},
	flag{"PTRACE_POKEDATA", 5}, flag{"PTRACE_POKEUSER", 6}, flag{"PTRACE_CONT", 7}, flag{"PTRACE_KILL", 8}, flag{"PTRACE_SINGLESTEP", 9}, flag{"PTRACE_GETREGS", 12},
	flag{"PTRACE_SETREGS", 13}, flag{"PTRACE_ATTACH", 16}, flag{"PTRACE_DETACH", 17}, flag{"PTRACE_SYSCALL", 24}, flag{"PTRACE_SETOPTIONS", 0x4200},
	flag{"PTRACE_GETEVENTMSG", 0x4201}, flag{"PTRACE_GETSIGINFO", 0x4202}, flag{"PTRACE_GETREGSET", 0x4204}, flag{"PTRACE_SETREGSET", 0x4205}, flag{"PTRACE_SEIZE", 0x4206},
	flag{"PTRACE_INTERRUPT", 0x4207}, flag{"PTRACE_LISTEN", 0x4208}, flag{"PTRACE_SECCOMP_GET_FILTER", 0x420c}, flag{"PTRACE_GET_SYSCALL_INFO", 0x420e})

var _ = defineEnum("kcmp", flag{"KCMP_FILE", 0}, flag{"KCMP_VM", 1}, flag{"KCMP_FILES", 2}, flag{"KCMP_FS", 3}, flag{"KCMP_SIGHAND", 4}, flag{"KCMP_IO", 5}, flag{"KCMP_SYSVSEM", 6}, flag{"KCMP_EPOLL_TFD", 7})

var _ = defineEnum("prio", flag{"PRIO_PROCESS", 0}, flag{"PRIO_PGRP", 1}, flag{"PRIO_USER", 2})
var _ = defineEnum("ioprio", flag{"IOPRIO_WHO_PROCESS", 1}, flag{"IOPRIO_WHO_PGRP", 2}, flag{"IOPRIO_WHO_USER", 3})
var policies = []flag{{"SCHED_OTHER", 0}, {"SCHED_NORMAL", 0}, {"SCHED_FIFO", 1}, {"SCHED_RR", 2}, {"SCHED_BATCH", 3}, {"SCHED_IDLE", 5}, {"SCHED_DEADLINE", 6}, {"SCHED_EXT", 7}}
var schedPolicy = defineSet("sched", &flagSet{enum: policies, mask: 0x3fffffff, flags: []flag{{"SCHED_RESET_ON_FORK", 0x40000000}}})
var schedFlags = defineFlags("schedflags", flag{"SCHED_FLAG_RESET_ON_FORK", 1}, flag{"SCHED_FLAG_RECLAIM", 2}, flag{"SCHED_FLAG_DL_OVERRUN", 4}, flag{"SCHED_FLAG_KEEP_POLICY", 8},
	flag{"SCHED_FLAG_KEEP_PARAMS", 16}, flag{"SCHED_FLAG_UTIL_CLAMP_MIN", 32}, flag{"SCHED_FLAG_UTIL_CLAMP_MAX", 64})

var _ = defineLayout("schedparam", &layout{size: 4, members: []member{{"sched_priority", 0, 4, Int}}, list: (*parser).priority})

// priority reads struct sched_param as strace prints it: [5].
func (p *parser) priority(kind Kind) Arg {
	p.accept("[")
	f := Field{Name: "sched_priority", Val: p.scalar(p.pos)}
	if !p.accept("]") {
		p.fail(p.pos, nil, "a priority is written as [5]")
	}
	return Arg{Kind: kind, Val: 1, Fields: []Field{f}}
}

var _ = defineStruct("schedattr", 56, member{"size", 0, 4, Int}, member{"sched_policy", 4, 4, schedPolicy}, member{"sched_flags", 8, 8, schedFlags}, member{"sched_nice", 16, 4, Int},
	member{"sched_priority", 20, 4, Int}, member{"sched_runtime", 24, 8, Int}, member{"sched_deadline", 32, 8, Int}, member{"sched_period", 40, 8, Int},
	member{"sched_util_min", 48, 4, Int}, member{"sched_util_max", 52, 4, Int})

var _ = defineLayout("cpus", &layout{size: 128, list: (*parser).bitset, encode: bitset})

// bitset reads a set of CPUs as strace prints it: [0 1 5].
func (p *parser) bitset(kind Kind) Arg {
	start := p.pos
	a := Arg{Kind: kind, Val: 1}
	p.accept("[")
	for p.space(); !p.accept("]"); p.space() {
		n := p.number(p.pos)
		if n >= 1024 {
			p.fail(start, nil, "a CPU's number is below 1024")
		}
		a.Fields = append(a.Fields, Field{Name: strconv.FormatUint(n, 10), Val: n})
		p.accept(",")
	}
	return a
}

func bitset(a *Arg) Memory {
	m := Memory{Bytes: make([]byte, 128)}
	for _, f := range a.Fields {
		m.Bytes[f.Val/8] |= 1 << (f.Val % 8)
	}
	return m
}

var _ = defineEnum("rlimit", flag{"RLIMIT_CPU", 0}, flag{"RLIMIT_FSIZE", 1}, flag{"RLIMIT_DATA", 2}, flag{"RLIMIT_STACK", 3}, flag{"RLIMIT_CORE", 4}, flag{"RLIMIT_RSS", 5},
	flag{"RLIMIT_NPROC", 6}, flag{"RLIMIT_NOFILE", 7}, flag{"RLIMIT_MEMLOCK", 8}, flag{"RLIMIT_AS", 9}, flag{"RLIMIT_LOCKS", 10}, flag{"RLIMIT_SIGPENDING", 11},
	flag{"RLIMIT_MSGQUEUE", 12}, flag{"RLIMIT_NICE", 13}, flag{"RLIMIT_RTPRIO", 14}, flag{"RLIMIT_RTTIME", 15})
var _ = defineConstants(flag{"RLIM_INFINITY", ^uint64(0)}, flag{"RLIM64_INFINITY", ^uint64(0)})
var _ = defineStruct("rlimits", 16, member{"rlim_cur", 0, 8, Int}, member{"rlim_max", 8, 8, Int})

var _ = defineLayout("iovecs", &layout{list: (*parser).iovecs, encode: iovecs})

// iovecs reads [{iov_base=0x7f00, iov_len=8}, …]. The text is kept, with the sum of the lengths.
func (p *parser) iovecs(kind Kind) Arg {
	start := p.pos
	a := Arg{Kind: kind, Val: 1}
	p.accept("[")
	for i := 0; ; i++ {
		p.space()
		if p.accept("]") {
			break
		}
		if i > 0 && !p.accept(",") {
			p.fail(p.pos, nil, "expected , or ] in the array")
		}
		p.space()
		if !p.accept("{") {
			p.fail(p.pos, nil, "a structure of iov_base and iov_len is expected here")
		}
		base := Field{Name: "iov_base"}
		p.accept("iov_base=")
		p.value(&base, Int)
		p.space()
		p.accept(",")
		length := Field{Name: "iov_len", Val: p.field("iov_len")}
		if !p.accept("}") {
			p.fail(p.pos, nil, "the structure is not closed")
		}
		a.Fields = append(a.Fields, base, length)
	}
	a.Str = p.in[start:p.pos]
	return a
}

// iovecs lays the array out; a base that is a string leads to memory of its length.
func iovecs(a *Arg) Memory {
	m := Memory{Bytes: make([]byte, 8*len(a.Fields))}
	for i := 0; i+1 < len(a.Fields); i += 2 {
		base, length := a.Fields[i], min(a.Fields[i+1].Val, outSize)
		binary.LittleEndian.PutUint64(m.Bytes[8*i+8:], a.Fields[i+1].Val)
		if base.Text {
			m.Point(8*i, append([]byte(base.Str), make([]byte, length)...))
		} else {
			binary.LittleEndian.PutUint64(m.Bytes[8*i:], base.Val)
		}
	}
	return m
}

// text prints what list has read.
func (l *layout) listText(a *Arg) string {
	if a.Str != "" {
		return a.Str
	}
	var parts []string
	for _, f := range a.Fields {
		parts = append(parts, strconv.FormatInt(int64(f.Val), 10))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

var _ = defineFlags("mlock2", flag{"MLOCK_ONFAULT", 1})
var _ = defineFlags("mlockall", flag{"MCL_CURRENT", 1}, flag{"MCL_FUTURE", 2}, flag{"MCL_ONFAULT", 4})
var _ = defineFlags("movepages", flag{"MPOL_MF_MOVE", 2}, flag{"MPOL_MF_MOVE_ALL", 4})
var _ = defineEnum("madvise", flag{"MADV_NORMAL", 0}, flag{"MADV_RANDOM", 1}, flag{"MADV_SEQUENTIAL", 2}, flag{"MADV_WILLNEED", 3}, flag{"MADV_DONTNEED", 4},
	flag{"MADV_COLD", 20}, flag{"MADV_PAGEOUT", 21}, flag{"MADV_COLLAPSE", 25})

var _ = defineCalls(map[string]string{
	"kill": "int signal", "tkill": "int signal", "tgkill": "int int signal", "rt_sigqueueinfo": "int signal siginfo", "rt_tgsigqueueinfo": "int int signal siginfo",
	"pidfd_open": "int pidfdflags?", "pidfd_send_signal": "fd signal siginfo? pidfdsignal?", "pidfd_getfd": "fd int int?",
	"ptrace": "ptrace int ptr? ptr?", "process_vm_readv": "int iovecs int iovecs int int?", "process_vm_writev": "int iovecs int iovecs int int?",
	"process_madvise": "fd iovecs int madvise int?", "kcmp": "int int kcmp int? int?", "get_robust_list": "int out? out?",
	"getpgid": "int", "getsid": "int", "setpgid": "int int", "setsid": "", "setpriority": "prio int int", "getpriority": "prio int",
	"sched_setscheduler": "int sched schedparam", "sched_setparam": "int schedparam", "sched_getscheduler": "int", "sched_getparam": "int out?",
	"sched_setattr": "int schedattr int?", "sched_getattr": "int out int int?", "sched_setaffinity": "int int cpus", "sched_getaffinity": "int int out?",
	"sched_rr_get_interval": "int out?", "sched_get_priority_max": "sched", "sched_get_priority_min": "sched",
	"ioprio_set": "ioprio int int", "ioprio_get": "ioprio int", "prlimit64": "int rlimit rlimits out?", "setrlimit": "rlimit rlimits", "getrlimit": "rlimit out?",
	"migrate_pages": "int int ptr ptr", "move_pages": "int int ptr ptr out? movepages?", "mlock": "ptr int", "mlock2": "ptr int mlock2?", "munlock": "ptr int",
	"mlockall": "mlockall",
})

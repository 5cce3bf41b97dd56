package syscalls

// Calls that every program makes: waiting, timers, signals, memory, descriptors that are no files.

// What has no name here stands for a number that is not known: strace's own output is read, whatever a call is given.

var _ = defineLooseFlags("splice", flag{"SPLICE_F_MOVE", 1}, flag{"SPLICE_F_NONBLOCK", 2}, flag{"SPLICE_F_MORE", 4}, flag{"SPLICE_F_GIFT", 8})
var _ = defineLooseFlags("rwf", flag{"RWF_HIPRI", 1}, flag{"RWF_DSYNC", 2}, flag{"RWF_SYNC", 4}, flag{"RWF_NOWAIT", 8}, flag{"RWF_APPEND", 16}, flag{"RWF_NOAPPEND", 32}, flag{"RWF_ATOMIC", 64}, flag{"RWF_DONTCACHE", 128})
var _ = defineLoose("fadvice", flag{"POSIX_FADV_NORMAL", 0}, flag{"POSIX_FADV_RANDOM", 1}, flag{"POSIX_FADV_SEQUENTIAL", 2}, flag{"POSIX_FADV_WILLNEED", 3}, flag{"POSIX_FADV_DONTNEED", 4}, flag{"POSIX_FADV_NOREUSE", 5})
var _ = defineLooseFlags("syncrange", flag{"SYNC_FILE_RANGE_WAIT_BEFORE", 1}, flag{"SYNC_FILE_RANGE_WRITE", 2}, flag{"SYNC_FILE_RANGE_WAIT_AFTER", 4})
var _ = defineLooseFlags("closerange", flag{"CLOSE_RANGE_UNSHARE", 2}, flag{"CLOSE_RANGE_CLOEXEC", 4})
var _ = defineLooseFlags("epollcreate", flag{"EPOLL_CLOEXEC", 0o2000000})
var _ = defineLoose("epollop", flag{"EPOLL_CTL_ADD", 1}, flag{"EPOLL_CTL_DEL", 2}, flag{"EPOLL_CTL_MOD", 3})
var _ = defineLooseFlags("eventfd", flag{"EFD_SEMAPHORE", 1}, flag{"EFD_CLOEXEC", 0o2000000}, flag{"EFD_NONBLOCK", 0o4000})
var _ = defineLooseFlags("signalfd", flag{"SFD_CLOEXEC", 0o2000000}, flag{"SFD_NONBLOCK", 0o4000})
var _ = defineLooseFlags("timerfd", flag{"TFD_CLOEXEC", 0o2000000}, flag{"TFD_NONBLOCK", 0o4000})
var _ = defineLooseFlags("timerset", flag{"TFD_TIMER_ABSTIME", 1}, flag{"TFD_TIMER_CANCEL_ON_SET", 2})
var _ = defineLooseFlags("abstime", flag{"TIMER_ABSTIME", 1})
var _ = defineLoose("itimer", flag{"ITIMER_REAL", 0}, flag{"ITIMER_VIRTUAL", 1}, flag{"ITIMER_PROF", 2})
var _ = defineLoose("sighow", flag{"SIG_BLOCK", 0}, flag{"SIG_UNBLOCK", 1}, flag{"SIG_SETMASK", 2})
var _ = defineLooseFlags("wait", flag{"WNOHANG", 1}, flag{"WUNTRACED", 2}, flag{"WSTOPPED", 2}, flag{"WEXITED", 4}, flag{"WCONTINUED", 8}, flag{"WNOWAIT", 0x1000000}, flag{"__WNOTHREAD", 0x20000000}, flag{"__WALL", 0x40000000}, flag{"__WCLONE", 0x80000000})
var _ = defineLoose("waitid", flag{"P_ALL", 0}, flag{"P_PID", 1}, flag{"P_PGID", 2}, flag{"P_PIDFD", 3})
var _ = defineLooseFlags("mremap", flag{"MREMAP_MAYMOVE", 1}, flag{"MREMAP_FIXED", 2}, flag{"MREMAP_DONTUNMAP", 4})
var _ = defineLooseFlags("msync", flag{"MS_ASYNC", 1}, flag{"MS_INVALIDATE", 2}, flag{"MS_SYNC", 4})
var _ = defineLoose("advice", flag{"MADV_NORMAL", 0}, flag{"MADV_RANDOM", 1}, flag{"MADV_SEQUENTIAL", 2}, flag{"MADV_WILLNEED", 3}, flag{"MADV_DONTNEED", 4}, flag{"MADV_FREE", 8}, flag{"MADV_REMOVE", 9},
	flag{"MADV_DONTFORK", 10}, flag{"MADV_DOFORK", 11}, flag{"MADV_MERGEABLE", 12}, flag{"MADV_UNMERGEABLE", 13}, flag{"MADV_HUGEPAGE", 14}, flag{"MADV_NOHUGEPAGE", 15}, flag{"MADV_DONTDUMP", 16},
	flag{"MADV_DODUMP", 17}, flag{"MADV_WIPEONFORK", 18}, flag{"MADV_KEEPONFORK", 19}, flag{"MADV_COLD", 20}, flag{"MADV_PAGEOUT", 21}, flag{"MADV_POPULATE_READ", 22}, flag{"MADV_POPULATE_WRITE", 23},
	flag{"MADV_DONTNEED_LOCKED", 24}, flag{"MADV_COLLAPSE", 25}, flag{"MADV_HWPOISON", 100}, flag{"MADV_SOFT_OFFLINE", 101}, flag{"MADV_GUARD_INSTALL", 102}, flag{"MADV_GUARD_REMOVE", 103})
var _ = defineSet("mpol", &flagSet{loose: true, mask: 0xf, enum: []flag{{"MPOL_DEFAULT", 0}, {"MPOL_PREFERRED", 1}, {"MPOL_BIND", 2}, {"MPOL_INTERLEAVE", 3}, {"MPOL_LOCAL", 4}, {"MPOL_PREFERRED_MANY", 5}, {"MPOL_WEIGHTED_INTERLEAVE", 6}},
	flags: []flag{{"MPOL_F_STATIC_NODES", 0x8000}, {"MPOL_F_RELATIVE_NODES", 0x4000}, {"MPOL_F_NUMA_BALANCING", 0x2000}}})
var _ = defineLooseFlags("mpolmove", flag{"MPOL_MF_STRICT", 1}, flag{"MPOL_MF_MOVE", 2}, flag{"MPOL_MF_MOVE_ALL", 4})
var _ = defineLooseFlags("pkey", flag{"PKEY_DISABLE_ACCESS", 1}, flag{"PKEY_DISABLE_WRITE", 2})
var _ = defineLoose("membarrier", flag{"MEMBARRIER_CMD_QUERY", 0}, flag{"MEMBARRIER_CMD_GLOBAL", 1}, flag{"MEMBARRIER_CMD_GLOBAL_EXPEDITED", 2}, flag{"MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED", 4},
	flag{"MEMBARRIER_CMD_PRIVATE_EXPEDITED", 8}, flag{"MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED", 16})
var _ = defineLoose("archprctl", flag{"ARCH_SET_GS", 0x1001}, flag{"ARCH_SET_FS", 0x1002}, flag{"ARCH_GET_FS", 0x1003}, flag{"ARCH_GET_GS", 0x1004}, flag{"ARCH_GET_CPUID", 0x1011}, flag{"ARCH_SET_CPUID", 0x1012})
var _ = defineLoose("shut", flag{"SHUT_RD", 0}, flag{"SHUT_WR", 1}, flag{"SHUT_RDWR", 2})
var _ = defineLooseFlags("msg", flag{"MSG_OOB", 1}, flag{"MSG_PEEK", 2}, flag{"MSG_DONTROUTE", 4}, flag{"MSG_CTRUNC", 8}, flag{"MSG_TRUNC", 0x20}, flag{"MSG_DONTWAIT", 0x40}, flag{"MSG_EOR", 0x80}, flag{"MSG_WAITALL", 0x100},
	flag{"MSG_CONFIRM", 0x800}, flag{"MSG_ERRQUEUE", 0x2000}, flag{"MSG_NOSIGNAL", 0x4000}, flag{"MSG_MORE", 0x8000}, flag{"MSG_WAITFORONE", 0x10000}, flag{"MSG_ZEROCOPY", 0x4000000}, flag{"MSG_FASTOPEN", 0x20000000}, flag{"MSG_CMSG_CLOEXEC", 0x40000000})

// Signals as sigaction names them, those of real time too, of which the number is not known.
var _ = defineLoose("sigany", kindSets[kinds["signal"]].enum...)

var _ = defineEnum("sigevnotify", flag{"SIGEV_SIGNAL", 0}, flag{"SIGEV_NONE", 1}, flag{"SIGEV_THREAD", 2}, flag{"SIGEV_THREAD_ID", 4})
var _ = defineStruct("sigevent", 64, member{"sigev_value", 0, 8, opaque}, member{"sigev_signo", 8, 4, kinds["signal"]}, member{"sigev_notify", 12, 4, kinds["sigevnotify"]},
	member{"sigev_notify_function", 16, 8, opaque}, member{"sigev_notify_attributes", 24, 8, opaque}, member{"sigev_notify_thread_id", 16, 4, Int})

var _ = defineCalls(map[string]string{
	"splice": "fd ptr fd ptr int splice", "tee": "fd fd int splice", "vmsplice": "fd ptr int splice",
	"fadvise64": "fd int int fadvice", "readahead": "fd int int", "sync_file_range": "fd int int syncrange", "close_range": "int int closerange", "cachestat": "fd ptr ptr int",
	"getcwd": "out? int?", "epoll_create": "int", "epoll_create1": "epollcreate", "epoll_ctl": "fd epollop fd ptr?", "epoll_wait": "fd ptr int int", "epoll_pwait": "fd ptr int int ptr? int?",
	"epoll_pwait2": "fd ptr int timespec ptr? int?", "eventfd": "int", "eventfd2": "int eventfd", "signalfd": "fd ptr int", "signalfd4": "fd ptr int signalfd", "timerfd_create": "clock timerfd",
	"timerfd_settime": "fd timerset ptr ptr?", "timerfd_gettime": "fd out?", "timer_create": "clock ptr ptr", "clock_nanosleep": "clock abstime timespec ptr?", "nanosleep": "timespec ptr?",
	"getitimer": "itimer out?", "setitimer": "itimer ptr ptr?", "rt_sigaction": "sigany ptr ptr int?", "rt_sigprocmask": "sighow ptr ptr int?", "rt_sigpending": "ptr int?", "rt_sigsuspend": "ptr int?",
	"wait4": "int ptr? wait ptr?", "waitid": "waitid int ptr? wait ptr?", "mremap": "int int int mremap int?", "msync": "int int msync", "madvise": "int int advice", "mincore": "int int out?",
	"mbind": "int int mpol ptr int mpolmove", "set_mempolicy": "mpol ptr int", "pkey_alloc": "int pkey", "pkey_mprotect": "int int prot int", "mseal": "int int int", "membarrier": "membarrier int int?",
	"arch_prctl": "archprctl int", "shutdown": "fd shut", "getsockname": "fd ptr? ptr?", "getpeername": "fd ptr? ptr?", "getsockopt": "fd int int ptr? ptr?", "sendto": "fd data int msg sockaddr? int?",
	"recvfrom": "fd ptr? int msg ptr? ptr?", "sendmsg": "fd ptr msg", "recvmsg": "fd ptr msg", "sendmmsg": "fd ptr int msg", "recvmmsg": "fd ptr int msg timespec?", "process_mrelease": "fd int",
	"poll": "ptr int int", "ppoll": "ptr int timespec? ptr? int?",
})

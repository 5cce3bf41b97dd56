package explain_test

import (
	"testing"

	"syscallstory/kernel"
	"syscallstory/world"
)

// The order of the tasks is root, root without capabilities, uid 1000, uid 1000 with CAP_KILL, CAP_SYS_PTRACE and CAP_SYS_NICE,
// root of a user namespace that uid 0 has made, uid 1000 inside.
var signalCases = []row{
	{`kill($root, 0)`, "- - EPERM - EPERM EPERM"},
	{`kill($u1000, 0)`, "- EPERM - - EPERM EPERM"},
	{`kill($inside, 0)`, "- - EPERM - - EPERM"},
	{`kill($in1001, 0)`, "- - EPERM - - EPERM"}, // whose user namespace a uid has made, over that it has every capability
	{`kill($net, SIGURG)`, "- EPERM - - EPERM EPERM"},
	{`kill($undumpable, 0)`, "- EPERM - - EPERM EPERM"},
	{`kill($thread, 0)`, "- EPERM - - EPERM EPERM"},
	{`kill($missing, 0)`, "ESRCH"},
	{`kill($missing, 999)`, "ESRCH"}, // the process comes before the signal
	{`kill($u1000, 999)`, "EINVAL"},  // and the signal before who may
	{`kill($u1000, -1)`, "EINVAL"},
	{`kill($u1000, 64)`, "- EPERM - - EPERM EPERM"},
	{`kill(-2147483648, 0)`, "ESRCH"},
	{`kill(0, 0)`, "-"},
	{`kill(0, 999)`, "EINVAL"},
	{`kill(-4190000, 0)`, "ESRCH"},
	{`kill($u1000, SIGCONT)`, "-"}, // one session
	{`tkill(0, 0)`, "EINVAL"},
	{`tkill($u1000, 0)`, "- EPERM - - EPERM EPERM"},
	{`tkill($thread, 0)`, "- EPERM - - EPERM EPERM"},
	{`tkill($missing, 0)`, "ESRCH"},
	{`tgkill(-1, $u1000, 0)`, "EINVAL"},
	{`tgkill($u1000, $u1000, 0)`, "- EPERM - - EPERM EPERM"},
	{`tgkill($u1000, $thread, 0)`, "- EPERM - - EPERM EPERM"},
	{`tgkill($root, $u1000, 0)`, "ESRCH"},
	{`tgkill($u1000, $missing, 999)`, "ESRCH"},
	{`rt_sigqueueinfo($u1000, 0, {si_code=SI_QUEUE})`, "- EPERM - - EPERM EPERM"},
	{`rt_sigqueueinfo($u1000, SIGURG, {si_signo=SIGURG, si_code=SI_USER})`, "EPERM"},
	{`rt_sigqueueinfo($u1000, SIGURG, {si_signo=SIGURG, si_code=SI_TKILL})`, "EPERM"},
	{`rt_sigqueueinfo($missing, SIGURG, {si_signo=SIGURG, si_code=SI_USER})`, "EPERM"},
	{`rt_sigqueueinfo($missing, SIGURG, {si_signo=SIGURG, si_code=SI_QUEUE})`, "ESRCH"},
	{`rt_sigqueueinfo($u1000, 0, NULL)`, "EFAULT"},
	{`rt_tgsigqueueinfo($u1000, $u1000, 0, {si_code=SI_QUEUE})`, "- EPERM - - EPERM EPERM"},
	{`rt_tgsigqueueinfo(0, $u1000, 0, {si_code=SI_QUEUE})`, "EINVAL"},
	{`rt_tgsigqueueinfo(0, $u1000, 0, NULL)`, "EFAULT"},
	{`pidfd_open($u1000, 0)`, "-"},
	{`pidfd_open($thread, 0)`, "ENOENT"},
	{`pidfd_open($thread, PIDFD_THREAD)`, "-"},
	{`pidfd_open($missing, 0)`, "ESRCH"},
	{`pidfd_open($missing, 1)`, "EINVAL"},
	{`pidfd_open(0, 0)`, "EINVAL"},
	{`pidfd_open(-1, 0)`, "EINVAL"},
	{`pidfd_send_signal(50<pid:$u1000>, 0, NULL, 0)`, "- EPERM - - EPERM EPERM"},
	{`pidfd_send_signal(51<pid:$inside>, 0, NULL, 0)`, "- - EPERM - - EPERM"},
	{`pidfd_send_signal(50<pid:$u1000>, 999, NULL, 0)`, "EINVAL"},
	{`pidfd_send_signal(50<pid:$u1000>, 0, NULL, 64)`, "EINVAL"},
	{`pidfd_send_signal(50<pid:$u1000>, 0, NULL, 3)`, "EINVAL"},
	{`pidfd_send_signal(50<pid:$u1000>, SIGURG, {si_signo=SIGHUP, si_code=SI_QUEUE}, 0)`, "EINVAL"},
	{`pidfd_send_signal(50<pid:$u1000>, SIGURG, {si_signo=SIGURG, si_code=SI_USER}, 0)`, "EPERM"},
	{`pidfd_send_signal(50<pid:$u1000>, SIGURG, {si_signo=SIGURG, si_code=SI_QUEUE}, 0)`, "- EPERM - - EPERM EPERM"},
	{`pidfd_send_signal(99, 0, NULL, 0)`, "EBADF"},
	{`getpgid($root)`, "-"},
	{`getpgid(0)`, "-"},
	{`getpgid($missing)`, "ESRCH"},
	{`getsid($inside)`, "-"},
	{`getsid(-1)`, "ESRCH"},
	{`setpgid($root, 0)`, "ESRCH"},
	{`setpgid(0, 0)`, "-"},
	{`setpgid(0, -1)`, "EINVAL"},
	{`setpgid(-1, 0)`, "EINVAL"}, // the group would be -1
	{`setpgid(-1, 5)`, "ESRCH"},
	{`setpgid(0, 4190000)`, "EPERM"},
	{`setpgid($missing, 0)`, "ESRCH"},
	{`setsid()`, "-"},
}

var traceCases = []row{
	{`ptrace(PTRACE_SEIZE, $root, NULL, 0)`, "- EPERM EPERM - EPERM EPERM"},
	{`ptrace(PTRACE_SEIZE, $u1000, NULL, 0)`, "- EPERM - - EPERM EPERM"},
	{`ptrace(PTRACE_SEIZE, $net, NULL, 0)`, "- EPERM EPERM - EPERM EPERM"},
	{`ptrace(PTRACE_SEIZE, $undumpable, NULL, 0)`, "- EPERM EPERM - EPERM EPERM"},
	{`ptrace(PTRACE_SEIZE, $inside, NULL, 0)`, "- - EPERM - - EPERM"},
	{`ptrace(PTRACE_SEIZE, $in1001, NULL, 0)`, "- - EPERM - - EPERM"},
	{`ptrace(PTRACE_SEIZE, $traced, NULL, 0)`, "EPERM"},
	{`ptrace(PTRACE_SEIZE, $u1000, 0x10, 0)`, "EIO"}, // before who may
	{`ptrace(PTRACE_SEIZE, $u1000, NULL, 0x1000)`, "EIO"},
	{`ptrace(PTRACE_SEIZE, $missing, 0x10, 0)`, "ESRCH"}, // the process comes first
	{`ptrace(PTRACE_ATTACH, $missing, NULL, NULL)`, "ESRCH"},
	{`ptrace(PTRACE_ATTACH, $u1001, NULL, NULL)`, "- EPERM EPERM - EPERM EPERM"},
	{`ptrace(PTRACE_CONT, $u1000, NULL, 0)`, "ESRCH"},
	{`ptrace(PTRACE_GETREGS, $root, NULL, 0x1000)`, "ESRCH"},
	{`ptrace(PTRACE_TRACEME, 0, NULL, NULL)`, "-"},
	{`process_vm_readv($u1000, [{iov_base="", iov_len=8}], 1, [{iov_base=0x1000, iov_len=8}], 1, 0)`, "?EFAULT EPERM ?EFAULT ?EFAULT EPERM EPERM"},
	{`process_vm_writev($inside, [{iov_base="", iov_len=8}], 1, [{iov_base=0x1000, iov_len=8}], 1, 0)`, "?EFAULT ?EFAULT EPERM ?EFAULT ?EFAULT EPERM"},
	{`process_vm_readv($missing, [{iov_base="", iov_len=8}], 1, [{iov_base=0x1000, iov_len=8}], 1, 0)`, "ESRCH"},
	{`process_vm_readv($missing, NULL, 0, NULL, 0, 0)`, "-"}, // nothing to copy: nobody looks for the process
	{`process_vm_readv($missing, NULL, 0, NULL, 0, 1)`, "EINVAL"},
	{`process_vm_readv($u1000, NULL, 1025, NULL, 0, 0)`, "EINVAL"},
	{`process_vm_readv($u1000, NULL, 1, NULL, 0, 0)`, "EFAULT"},
	{`process_madvise(50<pid:$u1000>, [{iov_base=0x1000, iov_len=4096}], 1, MADV_COLD, 0)`, "?ENOMEM EACCES EPERM ?ENOMEM EACCES EACCES"},
	{`process_madvise(51<pid:$inside>, [{iov_base=0x1000, iov_len=4096}], 1, MADV_COLD, 0)`, "?ENOMEM EPERM EACCES ?ENOMEM EPERM EACCES"},
	{`process_madvise(50<pid:$u1000>, [{iov_base=0x1000, iov_len=4096}], 1, MADV_DONTNEED, 0)`, "EINVAL EACCES EINVAL EINVAL EACCES EACCES"},
	{`process_madvise(50<pid:$u1000>, [{iov_base=0x1000, iov_len=4096}], 1, MADV_COLD, 1)`, "EINVAL"},
	{`process_madvise(99, [{iov_base=0x1000, iov_len=4096}], 1, MADV_COLD, 0)`, "EBADF"},
	{`pidfd_getfd(50<pid:$u1000>, 0, 0)`, "?- EPERM ?- ?- EPERM EPERM"},
	{`pidfd_getfd(51<pid:$inside>, 999, 0)`, "?EBADF ?EBADF EPERM ?EBADF ?EBADF EPERM"},
	{`pidfd_getfd(50<pid:$u1000>, 0, 1)`, "EINVAL"},
	{`pidfd_getfd(99, 0, 0)`, "EBADF"},
	{`kcmp($u1000, $u1000, KCMP_VM, 0, 0)`, "- EPERM - - EPERM EPERM"},
	{`kcmp($u1000, $root, KCMP_VM, 0, 0)`, "- EPERM EPERM - EPERM EPERM"},
	{`kcmp($u1000, $u1000, 9, 0, 0)`, "EINVAL EPERM EINVAL EINVAL EPERM EPERM"},
	{`kcmp($u1000, $missing, KCMP_VM, 0, 0)`, "ESRCH"},
	{`get_robust_list($u1000)`, "- EPERM - - EPERM EPERM"},
	{`get_robust_list($undumpable)`, "- EPERM EPERM - EPERM EPERM"},
	{`get_robust_list($missing)`, "ESRCH"},
	{`get_robust_list(0)`, "-"},
	{`migrate_pages($u1000, 0, NULL, NULL)`, "EINVAL EPERM EINVAL EINVAL EPERM EPERM"},
	{`migrate_pages($missing, 0, NULL, NULL)`, "ESRCH"},
	{`move_pages($u1000, 0, NULL, NULL, NULL, 0)`, "- EPERM - - EPERM EPERM"},
	{`move_pages($inside, 0, NULL, NULL, NULL, MPOL_MF_MOVE_ALL)`, "- EPERM EPERM - EPERM EPERM"}, // the capability counts in the initial user namespace
	{`move_pages($missing, 0, NULL, NULL, NULL, MPOL_MF_MOVE_ALL)`, "ESRCH EPERM EPERM ESRCH EPERM EPERM"},
	{`move_pages($missing, 0, NULL, NULL, NULL, 1)`, "EINVAL"},
}

// TestKernelProcesses: signals, sessions, tracing.
func TestKernelProcesses(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	p := newProcesses(newLab(t, dir, ""))
	p.targets()
	tasks := p.everybody(kernel.CapKill, kernel.CapSysPtrace, kernel.CapSysNice)
	p.table(tasks, signalCases)
	p.table(tasks, traceCases)
	perfmon := []who{{name: "root with CAP_PERFMON", caps: world.Caps(kernel.CapPerfmon)}, {name: "uid 1000 with CAP_SYS_ADMIN", uid: 1000, gid: 1000, caps: world.Caps(kernel.CapSysAdmin)}}
	p.table(perfmon, p.here([]row{ // the memory's layout is open to them, though nothing else of the process
		{`process_madvise(50<pid:$u1000>, [{iov_base=0x1000, iov_len=4096}], 1, MADV_DONTNEED, 0)`, "EINVAL@LAYOUT/EACCES EINVAL"},
		{`process_madvise(50<pid:$u1000>, [{iov_base=0x1000, iov_len=4096}], 1, MADV_COLD, 0)`, "EPERM@LAYOUT/EACCES EPERM"},
		{`get_robust_list($root)`, "EPERM"},
		{`get_robust_list($u1000)`, "EPERM -"},
	}))
}

// scheduleCases: the order of the tasks is that of signalCases.
var scheduleCases = []row{
	{`setpriority(PRIO_PROCESS, $u1000, 5)`, "- EPERM - - EPERM EPERM"},
	{`setpriority(PRIO_PROCESS, $u1000, -5)`, "- EPERM ?EACCES - EPERM EPERM"}, // the other's RLIMIT_NICE is not known
	{`setpriority(PRIO_PROCESS, 0, -5)`, "- EACCES EACCES - EACCES EACCES"},
	{`setpriority(PRIO_PROCESS, 0, 5)`, "-"},
	{`setpriority(PRIO_PROCESS, 0, 99)`, "-"},
	{`setpriority(PRIO_PROCESS, $root, 5)`, "- EPERM EPERM - EPERM EPERM"}, // its capabilities are more than the second task's
	{`setpriority(PRIO_PROCESS, $net, 5)`, "- EPERM EPERM - EPERM EPERM"},
	{`setpriority(PRIO_PROCESS, $inside, 5)`, "- - EPERM - - EPERM"},
	{`setpriority(PRIO_PROCESS, $inside, -5)`, "- ?EACCES EPERM - ?EACCES EPERM"},
	{`setpriority(PRIO_PROCESS, $missing, 5)`, "ESRCH"},
	{`setpriority(7, $missing, 5)`, "EINVAL"},
	{`setpriority(-1, $missing, 5)`, "EINVAL"},
	{`getpriority(PRIO_PROCESS, $root)`, "-"},
	{`getpriority(PRIO_PROCESS, 0)`, "-"},
	{`sched_setscheduler(0, SCHED_FIFO, [1])`, "?- EPERM EPERM ?- EPERM EPERM"}, // the control group decides too
	{`sched_setscheduler(0, SCHED_RR, [99])`, "?- EPERM EPERM ?- EPERM EPERM"},
	{`sched_setscheduler(0, SCHED_BATCH, [0])`, "-"},
	{`sched_setscheduler(0, SCHED_IDLE, [0])`, "-"},
	{`sched_setscheduler(0, SCHED_OTHER|SCHED_RESET_ON_FORK, [0])`, "-"},
	{`sched_setscheduler(0, SCHED_FIFO, [0])`, "EINVAL"}, // before who may
	{`sched_setscheduler(0, SCHED_FIFO, [100])`, "EINVAL"},
	{`sched_setscheduler(0, SCHED_OTHER, [1])`, "EINVAL"},
	{`sched_setscheduler(0, 99, [0])`, "EINVAL"},
	{`sched_setscheduler(0, 0xffffffff, [0])`, "EINVAL"},
	{`sched_setscheduler(-1, SCHED_OTHER, [0])`, "EINVAL"},
	{`sched_setscheduler(0, SCHED_FIFO, NULL)`, "EINVAL"},
	{`sched_setscheduler(0, SCHED_FIFO, 0x10)`, "EFAULT"},
	{`sched_setscheduler($missing, 99, [0])`, "ESRCH"},
	{`sched_setscheduler($u1000, SCHED_BATCH, [0])`, "- EPERM - - EPERM EPERM"},
	{`sched_setscheduler($inside, SCHED_BATCH, [0])`, "- EPERM EPERM - - EPERM"},
	{`sched_setscheduler($in1001, SCHED_BATCH, [0])`, "- EPERM EPERM - EPERM EPERM"}, // CAP_SYS_NICE of the user namespace does not count
	{`sched_setscheduler($net, SCHED_BATCH, [0])`, "- EPERM EPERM - EPERM EPERM"},
	{`sched_setparam(0, [0])`, "-"},
	{`sched_setparam(0, [1])`, "EINVAL"},
	{`sched_setparam($missing, [0])`, "ESRCH"},
	{`sched_getscheduler($root)`, "-"},
	{`sched_getscheduler(-1)`, "EINVAL"},
	{`sched_getscheduler($missing)`, "ESRCH"},
	{`sched_getparam(0, NULL)`, "EINVAL"},
	{`sched_getparam(0)`, "-"},
	{`sched_getattr(0, 0x1000, 56, 0)`, "-"},
	{`sched_getattr(0, 0x10, 47, 0)`, "EINVAL"},
	{`sched_getattr($missing, 0x1000, 56, 0)`, "ESRCH"},
	{`sched_rr_get_interval(0)`, "-"},
	{`sched_rr_get_interval(-1)`, "EINVAL"},
	{`sched_setattr(0, {size=48, sched_policy=SCHED_OTHER, sched_nice=-5}, 0)`, "- EPERM EPERM - EPERM EPERM"},
	{`sched_setattr(0, {size=48, sched_policy=SCHED_OTHER, sched_nice=5}, 0)`, "-"},
	{`sched_setattr(0, {size=48, sched_policy=SCHED_DEADLINE, sched_runtime=1000, sched_deadline=2000, sched_period=2000}, 0)`, "EINVAL"},
	{`sched_setattr(0, {size=48, sched_policy=SCHED_DEADLINE, sched_runtime=1000000, sched_deadline=900000}, 0)`, "EINVAL"},
	{`sched_setattr(0, {size=40, sched_policy=SCHED_OTHER}, 0)`, "E2BIG"},
	{`sched_setattr(0, {size=48, sched_policy=0xffffffff}, 0)`, "EINVAL"},
	{`sched_setattr(0, {size=48, sched_policy=SCHED_OTHER, sched_flags=0x1000}, 0)`, "EINVAL"},
	{`sched_setattr(0, {size=48, sched_policy=SCHED_OTHER}, 1)`, "EINVAL"},
	{`sched_setattr($missing, {size=48, sched_policy=99}, 0)`, "ESRCH"},
	{`sched_setattr($u1000, {size=48, sched_policy=SCHED_BATCH}, 0)`, "- EPERM - - EPERM EPERM"},
	{`sched_setaffinity($u1000, 128, [0])`, "?- EPERM ?- ?- EPERM EPERM"},
	{`sched_setaffinity($in1001, 128, [0])`, "?- ?- EPERM ?- ?- EPERM"}, // here it does count
	{`sched_setaffinity($root, 128, [0])`, "?- EPERM EPERM ?- EPERM EPERM"},
	{`sched_setaffinity($u1000, 128, [])`, "EINVAL EPERM EINVAL EINVAL EPERM EPERM"},
	{`sched_setaffinity($missing, 128, [0])`, "ESRCH"},
	{`sched_setaffinity($missing, 128, NULL)`, "EFAULT"},
	{`sched_getaffinity($root, 1024)`, "-"},
	{`sched_getaffinity($root, 7)`, "EINVAL"},
	{`sched_getaffinity($missing, 1024)`, "ESRCH"},
	{`ioprio_set(IOPRIO_WHO_PROCESS, 0, 8192)`, "- EPERM EPERM - EPERM EPERM"}, // the real-time class
	{`ioprio_set(IOPRIO_WHO_PROCESS, 0, 16388)`, "-"},
	{`ioprio_set(IOPRIO_WHO_PROCESS, 0, 24576)`, "-"},
	{`ioprio_set(IOPRIO_WHO_PROCESS, 0, 32768)`, "EINVAL"},
	{`ioprio_set(IOPRIO_WHO_PROCESS, 0, 1)`, "EINVAL"},
	{`ioprio_set(IOPRIO_WHO_PROCESS, $u1000, 16388)`, "- EPERM - - EPERM EPERM"},
	{`ioprio_set(IOPRIO_WHO_PROCESS, $inside, 16388)`, "- EPERM EPERM - - EPERM"},
	{`ioprio_set(IOPRIO_WHO_PROCESS, $in1001, 16388)`, "- EPERM EPERM - EPERM EPERM"},
	{`ioprio_set(IOPRIO_WHO_PROCESS, $missing, 16388)`, "ESRCH"},
	{`ioprio_set(9, 0, 8192)`, "EINVAL EPERM EPERM EINVAL EPERM EPERM"},
	{`ioprio_get(IOPRIO_WHO_PROCESS, $root)`, "-"},
	{`ioprio_get(IOPRIO_WHO_PROCESS, $missing)`, "ESRCH"},
	{`ioprio_get(9, 0)`, "EINVAL"},
}

var limitCases = []row{
	{`prlimit64(0, RLIMIT_CORE, {rlim_cur=0, rlim_max=0}, NULL)`, "-"},
	{`prlimit64(0, RLIMIT_RTPRIO, {rlim_cur=0, rlim_max=1}, NULL)`, "EPERM"}, // nobody has CAP_SYS_RESOURCE where it counts
	{`prlimit64(0, RLIMIT_NOFILE, {rlim_cur=1, rlim_max=1073741825}, NULL)`, "EPERM"},
	{`prlimit64(0, RLIMIT_CORE, {rlim_cur=5, rlim_max=4}, NULL)`, "EINVAL"},
	{`prlimit64(0, 99, NULL, NULL)`, "EINVAL"},
	{`prlimit64($missing, 99, NULL, NULL)`, "ESRCH"},
	{`prlimit64($u1000, 99, NULL, NULL)`, "EPERM EPERM EINVAL EINVAL EPERM EPERM"},
	{`prlimit64($u1000, RLIMIT_CORE, NULL)`, "EPERM EPERM - - EPERM EPERM"},
	{`prlimit64($root, RLIMIT_CORE, NULL)`, "- - EPERM EPERM EPERM EPERM"},
	{`prlimit64($in1001, RLIMIT_CORE, NULL)`, "- - EPERM EPERM - EPERM"}, // the creator of the user namespace has it there
	{`prlimit64($undumpable, RLIMIT_CORE, NULL)`, "EPERM EPERM - - EPERM EPERM"},
	{`setrlimit(RLIMIT_RTPRIO, {rlim_cur=1, rlim_max=1})`, "EPERM"},
	{`setrlimit(RLIMIT_CPU, {rlim_cur=1000, rlim_max=2*1024})`, "-"},
	{`setrlimit(RLIMIT_CPU, NULL)`, "EFAULT"},
	{`setrlimit(99, NULL)`, "EFAULT"},
	{`getrlimit(RLIMIT_CPU)`, "-"},
	{`getrlimit(RLIMIT_CPU, NULL)`, "EFAULT"},
	{`getrlimit(99, NULL)`, "EINVAL"},
	{`mlock(0x1000, 0)`, "-"},
	{`mlock(0x1000, 4096)`, "?ENOMEM"},
	{`mlock2(0x1000, 0, 2)`, "EINVAL"},
	{`mlockall(0)`, "EINVAL"},
	{`mlockall(MCL_ONFAULT)`, "EINVAL"},
	{`mlockall(MCL_FUTURE)`, "-"},
	{`munlock(0x1000, 0)`, "-"},
}

// lockCases are for tasks that may lock nothing, and then a page: root, uid 1000, uid 1000 with CAP_IPC_LOCK, root inside.
var lockCases = []row{
	{`mlock(0x1000, 0)`, "- EPERM - EPERM"},
	{`mlock2(0x1000, 0, 2)`, "EINVAL"},
	{`mlockall(MCL_FUTURE)`, "- EPERM - EPERM"},
	{`mlockall(MCL_CURRENT)`, "- EPERM - EPERM"},
	{`io_uring_setup(1, {flags=0})`, "- ENOMEM@RING - ENOMEM@RING"},
}

// TestKernelProcessLimits: priorities, scheduling, limits, locked memory.
func TestKernelProcessLimits(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	p := newProcesses(newLab(t, dir, ""))
	p.targets()
	tasks := p.everybody(kernel.CapKill, kernel.CapSysPtrace, kernel.CapSysNice)
	p.table(tasks, scheduleCases)
	p.table(tasks, limitCases)
	lockers := []who{p.everybody()[0], tasks[2], p.everybody(kernel.CapIpcLock)[3], tasks[4]}
	none, page := uint64(0), uint64(4096)
	for i := range lockers {
		lockers[i].memlock = &none
	}
	p.table(lockers, p.here(lockCases))
	for i := range lockers {
		lockers[i].memlock = &page
	}
	p.table(lockers, p.here([]row{
		{`mlock(0x1000, 0)`, "-"},
		{`io_uring_setup(1, {flags=0})`, "- ENOMEM@RING - ENOMEM@RING"},
		{`mlock(0x1000, 8192)`, "?ENOMEM ENOMEM ?ENOMEM ENOMEM"},
		{`mlockall(MCL_FUTURE)`, "-"},
		{`mlockall(MCL_CURRENT)`, "- ?ENOMEM - ?ENOMEM"},
	}))
}

package story

// Codes of calls that name other processes, and of what a process may use.
var (
	ProcessMissing = define(Info{
		ID: "LKP230", Gate: Lookup, Title: "a call that names a process finds it", Denies: "the task's PID namespace has no process {0}", Allows: "process {0}", Unknowns: "whether there is a process {0} is not known",
		Facts: []FactInfo{{"pid", KindInt}}, Function: "find_task_by_vpid", Errno: "ESRCH", Releases: "all", Man: "kill(2)",
		Long:  "A process is named by its number in the caller's PID namespace; one of another namespace is not there. A container has its own namespace unless it shares its Pod's or the host's.",
		Repro: "kill -0 999999",
	})
	ProcessOwner = define(Info{
		ID: "DAC230", Gate: DAC, Title: "a process is for its owner", Denies: "the process belongs to {0}, the task is {1} and lacks {2}", Allows: "the process belongs to {0}, the task is {1}",
		Unknowns: "whether the process is the task's own, or {2} is held over it, is not known",
		Facts:    []FactInfo{{"process", KindIDs}, {"task", KindIDs}, {"capability", KindCap}}, Function: "kill_ok_by_cred, __ptrace_may_access, check_same_owner", Errno: "EPERM or EACCES", Releases: "all", Man: "kill(2)",
		Note:  "which ids are compared differs: kill takes the task's real or effective uid against the other's real or saved one, ptrace the real ids against all of the other's",
		Long:  "A task may signal, trace, renice or limit processes of its own user. For others it needs a capability in the user namespace of that process: CAP_KILL, CAP_SYS_PTRACE, CAP_SYS_NICE or CAP_SYS_RESOURCE. For some changes of scheduling CAP_SYS_NICE counts in the initial user namespace alone.",
		Repro: "setpriv --reuid 1000 --clear-groups kill -0 1",
	})
	ProcessCaps = define(Info{
		ID: "CAP230", Gate: Capability, Title: "a process may have no more capabilities than the task", Denies: "the process may use {0}, the task {1}, and it lacks {2}", Allows: "the process may use no more than the task",
		Unknowns: "whether the process may use more capabilities than the task is not known",
		Facts:    []FactInfo{{"process", KindCapSet}, {"task", KindCapSet}, {"capability", KindCap}}, Function: "cap_ptrace_access_check, cap_safe_nice", Errno: "EPERM", Releases: "all", Man: "ptrace(2)",
		Long:  "Whoever traces a process can make it do anything, so its permitted set must be a part of the task's, in the same user namespace, or the task needs CAP_SYS_PTRACE over it. The same holds for its scheduling, with CAP_SYS_NICE.",
		Repro: "setpriv --reuid 1000 --clear-groups --inh-caps +net_raw --ambient-caps +net_raw sleep 9 & setpriv --reuid 1000 --clear-groups gdb -p $!",
	})
	ProcessDumpable = define(Info{
		ID: "CAP231", Gate: Capability, Title: "memory that may not be dumped is for CAP_SYS_PTRACE", Denies: "process {0} is not dumpable, and the task lacks {1} in {2}, which its memory belongs to", Unknowns: "whether process {0} is dumpable is not known",
		Facts: []FactInfo{{"pid", KindInt}, {"capability", KindCap}, {"user namespace", KindNS}}, Function: "__ptrace_may_access", Errno: "EPERM", Releases: "all", Man: "prctl(2)",
		Note:  "a process that has changed its ids, or whose program its user cannot read, is not dumpable",
		Long:  "PR_SET_DUMPABLE, a change of ids and a program that its user cannot read make a process undumpable: its own user may not trace it then, nor read its memory or links below /proc.",
		Repro: "python3 -c 'import ctypes,time; ctypes.CDLL(None).prctl(4,0,0,0,0); time.sleep(9)' & gdb -p $!",
	})
	ProcessSelf = define(Info{
		ID: "OTH230", Gate: Other, Title: "a task traces neither its own process nor a kernel thread", Denies: "process {0} is the task's own, or a kernel thread", Allows: "another process",
		Facts: []FactInfo{{"pid", KindInt}}, Function: "ptrace_attach", Errno: "EPERM", Releases: "all", Man: "ptrace(2)",
		Long: "Threads of one process cannot trace one another, and kernel threads cannot be traced at all.", Repro: "gdb -p 2",
	})
	ProcessTraced = define(Info{
		ID: "OTH231", Gate: Other, Title: "a process has one tracer", Denies: "process {0} is traced already", Unknowns: "whether process {0} is traced already is not known",
		Facts: []FactInfo{{"pid", KindInt}}, Function: "ptrace_attach", Errno: "EPERM", Releases: "all", Man: "ptrace(2)",
		Long: "A second tracer is refused, whatever it may do. TracerPid in /proc/PID/status names the first.", Repro: "strace -p $$ & strace -p $$",
	})
	NotTracee = define(Info{
		ID: "OTH232", Gate: Other, Title: "requests go to a tracee that has stopped", Denies: "the task does not trace process {0}", Unknowns: "whether process {0} is a stopped tracee of the task is not known",
		Facts: []FactInfo{{"pid", KindInt}}, Function: "ptrace_check_attach", Errno: "ESRCH", Releases: "all", Man: "ptrace(2)",
		Long:  "Every request but PTRACE_TRACEME, PTRACE_ATTACH and PTRACE_SEIZE is for a process that the task has attached to, and all but PTRACE_KILL and PTRACE_INTERRUPT for one that has stopped.",
		Repro: "python3 -c 'import ctypes,os; l=ctypes.CDLL(None,use_errno=True); l.ptrace(7,os.getppid(),0,0); print(ctypes.get_errno())'",
	})
	YamaScope = define(Info{
		ID: "LSM230", Gate: LSM, Title: "Yama limits who may trace", Denies: "kernel.yama.ptrace_scope is {0}: {2}", Allows: "kernel.yama.ptrace_scope is {0}: {2}", Unknowns: "kernel.yama.ptrace_scope: {2}",
		Facts: []FactInfo{{"ptrace_scope", KindInt}, {"module", KindString}, {"rule", KindString}}, Function: "yama_ptrace_access_check", Hook: "ptrace_access_check", Errno: "EPERM", Releases: "since Linux 3.4", Man: "ptrace(2)",
		Long: "With ptrace_scope 1 a task attaches to its own descendants and to those that have named it with PR_SET_PTRACER, else it needs CAP_SYS_PTRACE in the user namespace of the process; with 2 it always needs it; with 3 nobody attaches.",
	})
	SessionRule = define(Info{
		ID: "OTH233", Gate: Other, Title: "sessions and process groups", Denies: "{0}", Unknowns: "{0} is not known",
		Facts: []FactInfo{{"rule", KindString}}, Function: "ksys_setsid, setpgid", Errno: "EPERM, ESRCH or EACCES", Releases: "all", Man: "setpgid(2)",
		Long:  "A process that leads a session or a group cannot make a session; a leader of a session changes its group no more; a process moves itself and its children that have not called execve, within its session.",
		Repro: "python3 -c 'import os; os.setsid(); os.setsid()'",
	})
	MemoryLock = define(Info{
		ID: "OTH234", Gate: Other, Title: "memory is locked up to RLIMIT_MEMLOCK", Denies: "RLIMIT_MEMLOCK is {0}, and the task lacks {1}", Allows: "RLIMIT_MEMLOCK {0}", Unknowns: "how much memory the task may lock, or has locked, is not known",
		Facts: []FactInfo{{"limit", KindBytes}, {"capability", KindCap}}, Function: "can_do_mlock, do_mlock", Errno: "EPERM where nothing may be locked, else ENOMEM", Releases: "all", Man: "mlock(2)",
		Long:  "Without CAP_IPC_LOCK in the initial user namespace a process locks at most RLIMIT_MEMLOCK bytes. A limit of 0 is EPERM at once.",
		Repro: "ulimit -l 0; python3 -c 'import ctypes; l=ctypes.CDLL(None,use_errno=True); l.mlockall(2); print(ctypes.get_errno())'",
	})
	PriorityLimit = define(Info{
		ID: "CAP232", Gate: Capability, Title: "a better priority needs CAP_SYS_NICE or a limit that allows it", Denies: "{0} does not allow it, and the task lacks CAP_SYS_NICE in the initial user namespace", Allows: "{0}", Unknowns: "whether {0} allows it is not known",
		Facts: []FactInfo{{"rule", KindString}, {"limit", KindInt}, {"effective", KindCapSet}}, Function: "can_nice, user_check_sched_setscheduler, ioprio_check_cap", Errno: "EPERM; EACCES of setpriority", Releases: "all", Man: "sched(7)",
		Note:  "CAP_SYS_NICE of root in a user namespace does not count here",
		Long:  "A smaller nice value needs RLIMIT_NICE, a real-time policy RLIMIT_RTPRIO, SCHED_DEADLINE and the real-time class of I/O have no limit: else CAP_SYS_NICE counts, in the initial user namespace.",
		Repro: "unshare -Ur nice -n -5 true",
	})
	WrongDescriptor = define(Info{
		ID: "OTH235", Gate: Other, Title: "the call takes a descriptor of one kind", Denies: "descriptor {0} is no {1}", Unknowns: "whether descriptor {0} is a {1} is not known",
		Facts: []FactInfo{{"fd", KindInt}, {"kind", KindString}}, Function: "fdget", Errno: "EBADF; EOPNOTSUPP of io_uring", Releases: "all", Man: "pidfd_open(2)",
		Long: "pidfd_send_signal, pidfd_getfd and process_madvise take a pidfd, io_uring_enter and io_uring_register a ring.", Repro: "python3 -c 'import signal; signal.pidfd_send_signal(0, 0)'",
	})
)

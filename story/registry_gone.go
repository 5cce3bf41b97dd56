package story

// SyscallGone is a call that has a number and nothing else.
var SyscallGone = define(Info{
	ID: "OTH340", Gate: Other, Title: "the call has a function", Denies: "{0} has a number on this architecture, but no function: it was removed, or never written",
	Facts: []FactInfo{{"call", KindString}}, Function: "sys_ni_syscall", Errno: "ENOSYS", Releases: "all that are used today", Man: "unimplemented(2)",
	Long:  "Numbers of calls are never used again. _sysctl went with Linux 5.5, nfsservctl with 3.1; tuxcall, security and vserver were reserved and never filled. A profile that allows them allows nothing.",
	Repro: "python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(156, 0))'",
})

// ManyMissing is a process group or a user without a process.
var ManyMissing = define(Info{
	ID: "LKP340", Gate: Lookup, Title: "a group or a user has a process", Denies: "no process that the task sees belongs to {0}", Allows: "processes of {0}", Unknowns: "whether a process belongs to {0} is not known",
	Facts: []FactInfo{{"group or user", KindInt}}, Function: "setpriority, ioprio_set", Errno: "ESRCH", Releases: "all", Man: "setpriority(2)",
	Note:  "of the processes of a group or user each is asked for: one that the task may not change is a refusal, though the others are changed",
	Long:  "PRIO_PGRP and PRIO_USER name all processes of a group, or of a real uid, that the PID namespace shows. setpriority goes on behind a refusal and returns the last one, ioprio_set ends at the first.",
	Repro: "renice 5 -u 4242",
})

package story

// Codes of the calls that change a task's credentials.
var (
	OwnIDs = define(Info{
		ID: "CAP103", Gate: Capability, Title: "ids of its own need no capability", Allows: "the ids are the task's own: {0} in {1} is asked for, and not needed",
		Facts: []FactInfo{{"capability", KindCap}, {"user namespace", KindNS}, {"effective", KindCapSet}}, Function: "__sys_setresuid and its relatives", Releases: "all", Man: "setresuid(2)",
		Long: "A task may always take on an id that it has already as its real, effective or saved one. Others need CAP_SETUID or CAP_SETGID in its own user namespace.",
	})
	IDRefused = define(Info{
		ID: "CAP104", Gate: Capability, Title: "setfsuid and setfsgid refuse without an error", Allows: "the id is not the task's and {0} in {1} is missing: nothing changes",
		Facts: []FactInfo{{"capability", KindCap}, {"user namespace", KindNS}, {"effective", KindCapSet}}, Function: "__sys_setfsuid", Releases: "all", Man: "setfsuid(2)",
		Long: "Both calls return the id that was there before, whether it has changed or not.",
	})
	CapsetBeyond = define(Info{
		ID: "CAP105", Gate: Capability, Title: "capset takes away, it never gives", Denies: "{0} would be {1}, at most {2} is possible", Unknowns: "which capabilities the task has is not known",
		Facts: []FactInfo{{"set", KindString}, {"asked for", KindCapSet}, {"at most", KindCapSet}}, Function: "cap_capset", Errno: "EPERM", Releases: "all; the bounding set counts since Linux 2.6.25", Man: "capset(2)",
		Long:  "permitted can only shrink, effective lies within the new permitted set, inheritable within the old one and the bounding set; beyond permitted it needs CAP_SETPCAP.",
		Repro: "capsh --drop=all --caps='cap_chown=p' -- -c true",
	})
	CapsetOther = define(Info{
		ID: "CAP106", Gate: Capability, Title: "capset is for the task itself", Denies: "process {0} is another one", Unknowns: "whether process {0} is the task itself is not known",
		Facts: []FactInfo{{"pid", KindInt}, {"own pid", KindInt}}, Function: "sys_capset", Errno: "EPERM", Releases: "since Linux 2.6.25", Man: "capset(2)",
		Long:  "The pid in the header is 0 or the task's own. No capability helps.",
		Repro: "a call of capset with pid=1 in the header",
	})
	IDUnmapped = define(Info{
		ID: "UNS101", Gate: UserNS, Title: "ids are those of the task's user namespace", Denies: "the id {0} has no mapping in {1}",
		Facts: []FactInfo{{"id", KindInt}, {"user namespace", KindNS}}, Function: "make_kuid", Errno: "EINVAL", Releases: "since Linux 3.5", Man: "user_namespaces(7)",
		Long:  "A task can only become who its user namespace has: an id outside its map is EINVAL, before any capability is asked for.",
		Repro: "unshare -r setpriv --reuid 1000 --clear-groups true",
	})
	IDIgnored = define(Info{
		ID: "UNS102", Gate: UserNS, Title: "setfsuid and setfsgid ignore ids that are not mapped", Allows: "the id {0} has no mapping in {1}: nothing changes",
		Facts: []FactInfo{{"id", KindInt}, {"user namespace", KindNS}}, Function: "__sys_setfsuid", Releases: "since Linux 3.5", Man: "setfsuid(2)",
		Long: "The call returns the id that was there before, whether it has changed or not.",
	})
	SetgroupsDenied = define(Info{
		ID: "UNS103", Gate: UserNS, Title: "a user namespace may forbid setgroups", Denies: "setgroups is not allowed in {0}: {1}",
		Facts: []FactInfo{{"user namespace", KindNS}, {"why", KindString}}, Function: "userns_may_setgroups", Errno: "EPERM", Releases: "since Linux 3.19", Man: "user_namespaces(7)",
		Long:  "Groups can also take rights away, so that an unprivileged user namespace must not drop them: its gid_map can be written only after deny was written to /proc/PID/setgroups. Before any map is written setgroups is refused as well.",
		Repro: "unshare -r setpriv --clear-groups true",
	})
	ArgNotRead = define(Info{
		ID: "OTH108", Gate: Other, Title: "the kernel reads a structure from the task's memory", Denies: "the address is not readable", Unknowns: "what the address leads to is not known",
		Function: "copy_from_user", Errno: "EFAULT", Releases: "all", Man: "syscalls(2)",
		Long:  "An argument is an address, and the task cannot read there. Where a story is told of a call that was recorded, what the address leads to may not be known.",
		Repro: "python3 -c 'import ctypes; l=ctypes.CDLL(None,use_errno=True); l.syscall(126,None,None); print(ctypes.get_errno())'",
	})
	NoSuchProcess = define(Info{
		ID: "OTH109", Gate: Other, Title: "the process must exist", Denies: "there is no process {0} in the task's pid namespace", Unknowns: "whether there is a process {0} is not known",
		Facts: []FactInfo{{"pid", KindInt}}, Function: "find_task_by_vpid", Errno: "ESRCH", Releases: "all", Man: "pid_namespaces(7)",
		Long:  "Pids are those of the task's own pid namespace.",
		Repro: "a call of capget with a pid that nobody has",
	})
	SecurebitsLocked = define(Info{
		ID: "CAP107", Gate: Capability, Title: "locked securebits do not change", Denies: "the securebits are {0}, {1} is asked for: {2}", Unknowns: "whether the securebits are locked is not known",
		Facts: []FactInfo{{"securebits", KindString}, {"asked for", KindHex}, {"why", KindString}}, Function: "cap_task_prctl", Errno: "EPERM", Releases: "since Linux 2.6.26", Man: "capabilities(7)",
		Long:  "Each of the securebits has a bit that locks it for good. A change of a locked bit, a lock that is taken away and a bit that the kernel does not know are refused with the same errno as a missing CAP_SETPCAP.",
		Repro: "capsh --secbits=0x2f -- -c 'capsh --secbits=0'",
	})
	AmbientRefused = define(Info{
		ID: "CAP108", Gate: Capability, Title: "what becomes ambient is permitted and inheritable", Denies: "{0} cannot be raised in the ambient set: {1}", Unknowns: "whether {0} is permitted and inheritable is not known",
		Facts: []FactInfo{{"capability", KindCap}, {"why", KindString}}, Function: "cap_task_prctl", Errno: "EPERM", Releases: "since Linux 4.3", Man: "PR_CAP_AMBIENT(2const)",
		Long:  "A capability can be raised in the ambient set only while it is both permitted and inheritable, and not at all with SECBIT_NO_CAP_AMBIENT_RAISE.",
		Repro: "capsh --addamb=cap_chown -- -c true",
	})
	SeccompInstall = define(Info{
		ID: "CAP109", Gate: Capability, Title: "a filter needs no_new_privs or CAP_SYS_ADMIN", Denies: "the task has neither no_new_privs nor CAP_SYS_ADMIN in {0}", Allows: "{1}", Unknowns: "whether the task has CAP_SYS_ADMIN is not known",
		Facts: []FactInfo{{"user namespace", KindNS}, {"by", KindString}}, Function: "seccomp_prepare_filter", Errno: "EACCES", Releases: "since Linux 3.5", Man: "seccomp(2)",
		Long:  "A filter could make a setuid program misbehave. So it is taken only from a task that can gain nothing at execve any more, or that has CAP_SYS_ADMIN in its own user namespace. The errno is EACCES, not EPERM.",
		Repro: "a call of seccomp(SECCOMP_SET_MODE_FILTER) as an ordinary user without no_new_privs",
	})
	SeccompProgram = define(Info{
		ID: "OTH110", Gate: Other, Title: "the filter's program must be valid", Denies: "the program is not valid: {0}", Unknowns: "whether the program is valid is not known: {0}",
		Facts: []FactInfo{{"reason", KindString}}, Function: "bpf_check_classic, seccomp_check_filter", Errno: "EINVAL, or EFAULT for its address", Releases: "since Linux 3.5", Man: "seccomp(2)",
		Long:  "A program has 1 to 4096 instructions, only those that seccomp allows, jumps forward only, and ends with a return. It is looked at after the capability.",
		Repro: "a call of seccomp(SECCOMP_SET_MODE_FILTER) with len=0",
	})
	SeccompMode = define(Info{
		ID: "OTH111", Gate: Other, Title: "seccomp's mode does not change", Denies: "the task is in {0} mode", Unknowns: "which seccomp mode the task is in is not known",
		Facts: []FactInfo{{"mode", KindString}}, Function: "seccomp_may_assign_mode", Errno: "EINVAL", Releases: "all", Man: "seccomp(2)",
		Long:  "A task under filters cannot enter strict mode.",
		Repro: "a call of seccomp(SECCOMP_SET_MODE_STRICT) in a container with a filter",
	})
	PrctlUnknown = define(Info{
		ID: "OTH112", Gate: Other, Title: "an option of prctl that is not modelled", Unknowns: "what prctl answers to {0} is not modelled",
		Facts: []FactInfo{{"option", KindString}}, Function: "sys_prctl", Errno: "EINVAL", Releases: "all", Man: "prctl(2)",
		Long: "The options that change credentials, no_new_privs, seccomp and a few others are modelled.",
	})
)

package story

// Checks of proc.
var (
	SysctlMode = define(Info{
		ID: "DAC145", Gate: DAC, Title: "settings below /proc/sys ask for the effective ids", Denies: "{obj} has mode {0} and the task's effective ids are {1}: no capability passes over the mode of a setting", Allows: "{obj} {0}", Unknowns: "whether the task may use {obj} is not known",
		Facts: []FactInfo{{"mode", KindMode}, {"effective ids", KindIDs}}, Function: "proc_sys_permission", Errno: "EACCES", Releases: "all", Man: "proc_sys(5)",
		Long:  "The owner's bits are for effective uid 0 of the initial user namespace, with or without capabilities; CAP_DAC_OVERRIDE does not help anybody else. Settings of net belong to root of the user namespace that owns the network namespace and to CAP_NET_ADMIN there, those of IPC to root of the owner of the IPC namespace, those below user to CAP_SYS_RESOURCE. What may be written besides is the setting's own check.",
		Repro: "setpriv --reuid 1000 --inh-caps +dac_override --ambient-caps +dac_override sh -c 'echo x > /proc/sys/kernel/hostname'",
	})
	ProcHidden = define(Info{
		ID: "DAC146", Gate: DAC, Title: "hidepid hides processes that the task may not trace", Denies: "proc is mounted with hidepid={0}, and the task may not trace process {1}", Allows: "the task may trace process {1}", Unknowns: "proc is mounted with hidepid={0}: whether the task may trace the process is not known",
		Facts: []FactInfo{{"hidepid", KindInt}, {"pid", KindInt}}, Function: "proc_pid_permission", Errno: "EPERM, or ENOENT with hidepid=2", Releases: "since Linux 3.3", Man: "proc(5)",
		Long:  "With hidepid=1 the directories of other users' processes are closed, with 2 they are not there. CAP_SYS_PTRACE over the process and the group of option gid, which is root's where it is not given, pass; with 4 no group does.",
		Note:  "with hidepid=4 a directory that somebody has looked up is refused with EPERM, else it is not there",
		Repro: "unshare -m sh -c 'mount -t proc -o hidepid=2 proc /proc; setpriv --reuid 1000 --clear-groups ls /proc/1'",
	})
	ProcOpen = define(Info{
		ID: "OTH160", Gate: Other, Title: "some files of proc have a check of their own when they are opened", Unknowns: "whether the task may open {0} is not known: it asks as ptrace does, or for a capability",
		Facts: []FactInfo{{"file", KindString}}, Function: "proc_mem_open, open_kcore", Errno: "EACCES or EPERM", Releases: "all", Man: "proc(5)",
		Long: "Memory, maps and environment of a process are for who may trace it; the kernel's memory and log are for capabilities, and lockdown may close them.",
	})
)

// SetgroupsOpen is the check of a process's setgroups file.
var SetgroupsOpen = define(Info{
	ID: "CAP316", Gate: Capability, Title: "/proc/PID/setgroups is opened for writing by who administers the user namespace", Denies: "{obj} is open for writing to {0} in {1}, and the task has {2}", Allows: "{0} in {1}", Unknowns: "whether the task has {0} in {1} is not known",
	Facts: []FactInfo{{"capability", KindCap}, {"user namespace", KindNS}, {"effective", KindCapSet}}, Function: "proc_setgroups_open", Errno: "EACCES", Releases: "since Linux 3.19", Man: "user_namespaces(7)",
	Long:  "Beside the permission bits the file asks for CAP_SYS_ADMIN in the process's user namespace when it is opened for writing; uid_map and gid_map ask when they are written. So in the user namespace of a container, where nobody has that capability, the opening is refused, with EACCES.",
	Repro: "echo deny > /proc/self/setgroups # as an ordinary user, in the initial user namespace",
})

// SysctlRefused is the kubelet's word on a Pod's settings.
var SysctlRefused = define(Info{
	ID: "OTH161", Gate: Other, Title: "the kubelet must allow the Pod's sysctls", Denies: "the container is not created: {0}", Unknowns: "whether the kubelet allows the Pod's sysctls is not known: {0}",
	Facts: []FactInfo{{"reason", KindString}}, Function: "kubelet: sysctl.NewAllowlist", Errno: "none: the container is not created", Releases: "see the reason", Man: "kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster",
	Long:  "A setting of a Pod must belong to a namespace that the Pod has for itself. A short list is safe and allowed everywhere; any other needs the kubelet's --allowed-unsafe-sysctls. A Pod with one that is not allowed ends with SysctlForbidden, and no syscall is ever made.",
	Repro: "a Pod with securityContext.sysctls kernel.msgmax on a node that does not allow it",
})

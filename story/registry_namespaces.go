package story

// Checks of calls that make and enter namespaces.
var (
	NamespaceMade = define(Info{
		ID: "OTH200", Gate: Other, Title: "a namespace is made", Allows: "a new {0} namespace, owned by {1}",
		Facts: []FactInfo{{"kind", KindString}, {"owner", KindString}}, Function: "create_new_namespaces", Releases: "mnt since Linux 2.4.19, uts and ipc 2.6.19, pid and net 2.6.24, user 3.8 for everybody, cgroup 4.6, time 5.6", Man: "namespaces(7)",
		Long: "A namespace belongs to the user namespace that was current when it was made; one made together with a user namespace belongs to that one. A capability for what the namespace governs is asked for in its owner.",
	})
	NamespaceLimit = define(Info{
		ID: "OTH201", Gate: Other, Title: "a user namespace limits how many namespaces there are", Denies: "{1} allows no more {0} namespaces: {2}", Allows: "room for another {0} namespace", Unknowns: "how many {0} namespaces {1} allows is not known",
		Facts: []FactInfo{{"kind", KindString}, {"user namespace", KindNS}, {"limit", KindString}}, Function: "inc_ucount", Errno: "ENOSPC", Releases: "since Linux 4.9", Man: "namespaces(7)",
		Long:  "user.max_user_namespaces and its relatives count, for each user, the namespaces that were made in a user namespace and in all below it. 0 forbids them. In a new user namespace the settings begin without a limit, but those of its ancestors go on to count.",
		Repro: "sysctl -w user.max_user_namespaces=0; unshare -U true",
	})
	NamespaceNesting = define(Info{
		ID: "OTH202", Gate: Other, Title: "namespaces are nested 33 deep at most", Denies: "the {0} namespace would be nested {1} deep",
		Facts: []FactInfo{{"kind", KindString}, {"level", KindInt}}, Function: "create_user_ns, create_pid_namespace", Errno: "ENOSPC", Releases: "since Linux 3.11; EUSERS before 4.9", Man: "user_namespaces(7)",
		Long:  "User and PID namespaces form trees of limited depth, so that walking up to the initial one has an end.",
		Repro: "run unshare -U in itself, 34 times",
	})
	ChrootedCaller = define(Info{
		ID: "OTH203", Gate: Other, Title: "a task in a chroot makes no user namespace", Denies: "the task's root {obj} is not the root of its mount namespace",
		Function: "create_user_ns", Errno: "EPERM", Releases: "since Linux 3.9", Man: "user_namespaces(7)",
		Long:  "In a new user namespace everybody has CAP_SYS_CHROOT, with which one leaves a chroot. So a task whose root directory is not the root of its mount namespace may not make one. Containers that pivot_root has set up are not concerned, those that chroot has are.",
		Note:  "no capability helps; pivot_root makes a root that does not count as a chroot",
		Repro: "chroot / unshare -U true # allowed: / is the namespace's root; chroot /srv/root unshare -U true # is not",
	})
	OtherThreads = define(Info{
		ID: "OTH204", Gate: Other, Title: "the process has one thread only", Denies: "the process has {0} threads", Unknowns: "how many threads the process has is not known",
		Facts: []FactInfo{{"threads", KindInt}}, Function: "check_unshare_flags, userns_install, timens_install", Errno: "EINVAL, EUSERS for time namespaces", Releases: "all", Man: "unshare(2)",
		Long:  "The threads of a process share their user namespace, so that one alone cannot leave it; nor can it leave address space or signal handlers. Programs in Go always have several threads: they call clone, or a first process in C calls unshare.",
		Repro: "python3 -c 'import threading,os,time; threading.Thread(target=time.sleep,args=(9,),daemon=True).start(); os.unshare(os.CLONE_NEWUSER)'",
	})
	SharedDirectory = define(Info{
		ID: "OTH205", Gate: Other, Title: "nobody shares the task's root and current directory", Denies: "{0} tasks share root and current directory", Unknowns: "whether another task shares root and current directory is not known",
		Facts: []FactInfo{{"tasks", KindInt}}, Function: "mntns_install, userns_install", Errno: "EINVAL", Releases: "since Linux 3.8", Man: "setns(2)",
		Long:  "Entering a mount namespace gives a task another root directory. Where others share it (CLONE_FS, as threads do) the kernel refuses; unshare(CLONE_FS) helps.",
		Repro: "setns of a mount namespace in a program with threads",
	})
	UserNSCreator = define(Info{
		ID: "UNS200", Gate: UserNS, Title: "whoever makes a user namespace is mapped in its parent", Denies: "the task's effective ids {0} are not mapped in {1}",
		Facts: []FactInfo{{"ids", KindIDs}, {"user namespace", KindNS}}, Function: "create_user_ns", Errno: "EPERM", Releases: "since Linux 3.9", Man: "user_namespaces(7)",
		Long:  "A user namespace has an owner, which must be an id that its parent can name. A task that has just entered a user namespace whose map is not written yet has none.",
		Repro: "unshare -U unshare -U true",
	})
	UserNSUnprivileged = define(Info{
		ID: "CAP200", Gate: Capability, Title: "kernel.unprivileged_userns_clone", Denies: "kernel.unprivileged_userns_clone is 0, and the task lacks CAP_SYS_ADMIN in the initial user namespace: {1}", Unknowns: "whether the kernel lets everybody make user namespaces is not known",
		Facts: []FactInfo{{"kernel.unprivileged_userns_clone", KindInt}, {"effective", KindCapSet}}, Function: "ksys_unshare, copy_process", Errno: "EPERM", Releases: "Debian's kernels; 1 since Debian 11", Man: "user_namespaces(7)",
		Long:  "Debian's kernels can ask for CAP_SYS_ADMIN before a user namespace is made. Kernels of kernel.org have no such setting: there user.max_user_namespaces=0 forbids them to everybody.",
		Repro: "sysctl -w kernel.unprivileged_userns_clone=0; setpriv --reuid 1000 --clear-groups unshare -U true",
	})
	PIDForChildren = define(Info{
		ID: "OTH206", Gate: Other, Title: "a second PID namespace needs a process in the first", Denies: "the task has made a PID namespace for its children already",
		Function: "copy_pid_ns", Errno: "EINVAL", Releases: "since Linux 3.8", Man: "pid_namespaces(7)",
		Long:  "unshare(CLONE_NEWPID) moves only the children that the task makes afterwards. Until it is one of them it makes no other PID namespace, and no thread.",
		Repro: "python3 -c 'import os; os.unshare(os.CLONE_NEWPID); os.unshare(os.CLONE_NEWPID)'",
	})
	PIDOwner = define(Info{
		ID: "UNS201", Gate: UserNS, Title: "a PID namespace belongs to a user namespace below its parent's", Denies: "the PID namespace belongs to {0}, which does not contain {1}", Unknowns: "whose the task's PID namespace is, is not known",
		Facts: []FactInfo{{"owner", KindNS}, {"user namespace", KindNS}}, Function: "create_pid_namespace", Errno: "EINVAL", Releases: "since Linux 4.13", Man: "pid_namespaces(7)",
		Long:  "A new PID namespace lies below the task's present one, and its user namespace must lie below that one's owner. A task that has left the user namespace of its PID namespace upwards makes none.",
		Repro: "enter only the PID namespace of a rootless container as root and call unshare -p",
	})
	ProcessLimit = define(Info{
		ID: "OTH207", Gate: Other, Title: "RLIMIT_NPROC limits the processes of a user", Denies: "the user has at least {0} processes, RLIMIT_NPROC is {1}", Allows: "room for another process", Unknowns: "how many processes the user may have is not known",
		Facts: []FactInfo{{"processes", KindInt}, {"limit", KindInt}}, Function: "copy_process", Errno: "EAGAIN", Releases: "all", Man: "getrlimit(2)",
		Long:  "The limit counts the tasks of the real user id. It does not hold for uid 0 of the initial user namespace, nor for a task with CAP_SYS_RESOURCE or CAP_SYS_ADMIN there.",
		Repro: "setpriv --reuid 1000 --clear-groups sh -c 'ulimit -u 1; true | true'",
	})
	NamespaceDescriptor = define(Info{
		ID: "OTH208", Gate: Other, Title: "the descriptor is a namespace, or a process", Denies: "descriptor {0} is {1}", Unknowns: "what descriptor {0} leads to is not known",
		Facts: []FactInfo{{"fd", KindInt}, {"file", KindString}}, Function: "setns", Errno: "EINVAL", Releases: "since Linux 3.0; pidfds since 5.8", Man: "setns(2)",
		Long:  "setns takes a file of /proc/PID/ns, whose kind the second argument must name or leave open with 0, or a pidfd with the kinds that are to be entered.",
		Repro: "python3 -c 'import os; os.setns(0, 0)'",
	})
	OwnUserNS = define(Info{
		ID: "OTH209", Gate: Other, Title: "nobody enters the user namespace that he is in", Denies: "the task is in {0} already",
		Facts: []FactInfo{{"user namespace", KindNS}}, Function: "userns_install", Errno: "EINVAL", Releases: "since Linux 3.8", Man: "setns(2)",
		Long:  "Entering a user namespace gives all capabilities in it. A task that has dropped some does not get them back by entering its own once more.",
		Repro: "python3 -c 'import os; os.setns(os.open(\"/proc/self/ns/user\", 0), 0)'",
	})
	NotBelow = define(Info{
		ID: "OTH210", Gate: Other, Title: "a PID namespace is entered from above", Denies: "the PID namespace does not lie below the task's own", Unknowns: "whether the PID namespace lies below the task's own is not known",
		Function: "pidns_install", Errno: "EINVAL", Releases: "since Linux 3.8", Man: "setns(2)",
		Long:  "A task's process ids are visible in its PID namespace and in all above it. So it enters only namespaces that lie below: those above would not see it as theirs.",
		Repro: "nsenter -p -t 1 from inside a container",
	})
	NamespaceOf = define(Info{
		ID: "OTH211", Gate: Other, Title: "whose a namespace is", Unknowns: "{0}",
		Facts: []FactInfo{{"namespace", KindString}}, Function: "ns_capable", Errno: "EPERM", Releases: "all", Man: "namespaces(7)",
		Long: "A capability for what a namespace governs is asked for in the user namespace that owns it. Who owns the task's namespaces was not given.",
	})
	ProcessGone = define(Info{
		ID: "OTH212", Gate: Other, Title: "the process exists", Denies: "there is no process {0}", Unknowns: "what process {0} is, is not known",
		Facts: []FactInfo{{"pid", KindInt}}, Function: "validate_nsset", Errno: "ESRCH", Releases: "since Linux 5.8", Man: "setns(2)",
		Long:  "A pidfd outlives its process; then there are no namespaces to enter.",
		Repro: "setns of a pidfd whose process was waited for",
	})
	CloneInto = define(Info{
		ID: "OTH213", Gate: Other, Title: "a task is made with a chosen pid or in a chosen cgroup", Unknowns: "{0} is not modelled",
		Facts: []FactInfo{{"field", KindString}}, Function: "copy_process", Errno: "EPERM, EEXIST, EBUSY, EACCES and others", Releases: "set_tid since Linux 5.5, CLONE_INTO_CGROUP since 5.7", Man: "clone3(2)",
		Long: "clone3 can choose the pid of the new task, for which it asks for CAP_CHECKPOINT_RESTORE in the PID namespace's owner, and its cgroup, which must be writable.",
	})
)

// Checks of writes to uid_map, gid_map, projid_map and setgroups.
var (
	SetgroupsFixed = define(Info{
		ID: "OTH214", Gate: Other, Title: "whether setgroups is allowed is settled once", Denies: "setgroups of {0} cannot be changed any more: {1}",
		Facts: []FactInfo{{"user namespace", KindNS}, {"reason", KindString}}, Function: "proc_setgroups_write", Errno: "EPERM", Releases: "since Linux 3.19", Man: "user_namespaces(7)",
		Long:  "/proc/PID/setgroups takes deny while the gid_map is not written, and never allow again. Namespaces below inherit it. With deny an unprivileged user may map his own group: leaving a group with setgroups could give access that it was meant to refuse.",
		Repro: "unshare -Ur sh -c 'echo deny > /proc/self/setgroups'",
	})
	IDMapText = define(Info{
		ID: "OTH215", Gate: Other, Title: "what is written to an id map", Denies: "{0} takes {1}",
		Facts: []FactInfo{{"file", KindString}, {"wants", KindString}}, Function: "map_write", Errno: "EINVAL", Releases: "since Linux 3.8; 340 lines since 4.15, 5 before", Man: "user_namespaces(7)",
		Long:  "A map is written at once, at the beginning of the file. Each line has the first id inside, the first id in the parent namespace, and how many; the ranges must not overlap, on either side, nor run past 4294967294.",
		Repro: "unshare -U sh -c 'echo 0 0 > /proc/self/uid_map'",
	})
	IDMapWritten = define(Info{
		ID: "OTH216", Gate: Other, Title: "an id map is written once", Denies: "{1} of {0} is written already", Unknowns: "whether {1} of {0} is written already is not known",
		Facts: []FactInfo{{"user namespace", KindNS}, {"file", KindString}}, Function: "map_write", Errno: "EPERM", Releases: "since Linux 3.8", Man: "user_namespaces(7)",
		Long:  "A second write would change what ids mean that are in use already. The initial user namespace has no map to write at all.",
		Repro: "unshare -Ur sh -c 'echo 0 0 1 > /proc/self/uid_map'",
	})
	IDMapOpener = define(Info{
		ID: "UNS202", Gate: UserNS, Title: "an id map is written from its user namespace or from the parent", Denies: "the file was opened in {0}, which is neither {1} nor its parent",
		Facts: []FactInfo{{"opened in", KindNS}, {"user namespace", KindNS}}, Function: "proc_uid_map_write", Errno: "EPERM", Releases: "since Linux 3.8", Man: "user_namespaces(7)",
		Long:  "The numbers of the second column are ids of the parent namespace. Whoever is further up, or beside it, does not write them; and the initial namespace has a map for good.",
		Repro: "echo 0 0 1 > /proc/self/uid_map",
	})
	IDMapCapability = define(Info{
		ID: "CAP201", Gate: Capability, Title: "whoever opened the id map has CAP_SYS_ADMIN in the namespace", Denies: "the file was opened without {0} in {1}", Allows: "{0} in {1}, of whoever opened the file", Unknowns: "whether the file was opened with {0} is not known",
		Facts: []FactInfo{{"capability", KindCap}, {"user namespace", KindNS}, {"effective", KindCapSet}}, Function: "file_ns_capable", Errno: "EPERM", Releases: "since Linux 3.8", Man: "user_namespaces(7)",
		Long:  "The capabilities count that the task had when it opened the file: nobody may hand a descriptor to a privileged program and have it write for him. The creator of a user namespace has all capabilities in it, from the parent.",
		Repro: "setpriv --reuid 1000 --clear-groups sh -c 'echo 0 1000 1 > /proc/PID/uid_map' # PID of somebody else's user namespace",
	})
	IDMapRoot = define(Info{
		ID: "CAP202", Gate: Capability, Title: "mapping uid 0 of the parent needs CAP_SETFCAP", Denies: "uid 0 of {0} is mapped, without CAP_SETFCAP: {1}", Allows: "CAP_SETFCAP in {0}", Unknowns: "whether CAP_SETFCAP was held is not known",
		Facts: []FactInfo{{"parent", KindNS}, {"effective", KindCapSet}}, Function: "verify_root_map", Errno: "EPERM", Releases: "since Linux 5.12, in stable updates of older ones too", Man: "user_namespaces(7)",
		Long:  "A task that is the parent's uid 0 inside its own user namespace could give programs file capabilities that count in the parent. So the namespace must have been made by a task with CAP_SETFCAP (where it writes its own map), or the map be opened by one.",
		Note:  "root in a container without CAP_SETFCAP cannot map itself: unshare -r fails although it is uid 0",
		Repro: "capsh --drop=cap_setfcap -- -c 'unshare -Ur true'",
	})
	IDMapOwn = define(Info{
		ID: "OTH217", Gate: Other, Title: "everybody maps his own id", Allows: "{0}: the one id {1}, the task's own",
		Facts: []FactInfo{{"file", KindString}, {"id", KindInt}}, Function: "new_idmap_permitted", Releases: "since Linux 3.8; gid_map only with setgroups denied since 3.19", Man: "user_namespaces(7)",
		Long: "A map of one line with one id, the effective id of whoever made the namespace and opened the file, needs no capability.",
	})
	IDMapPrivilege = define(Info{
		ID: "CAP203", Gate: Capability, Title: "mapping others' ids needs a capability in the parent", Denies: "a map of more than the task's own id needs {0} in {1}: {2}", Allows: "{0} in {1}, both of who opened the file and of who writes", Unknowns: "whether the task has {0} in {1} is not known",
		Facts: []FactInfo{{"capability", KindCap}, {"parent", KindNS}, {"effective", KindCapSet}}, Function: "new_idmap_permitted", Errno: "EPERM", Releases: "since Linux 3.8", Man: "user_namespaces(7)",
		Long:  "CAP_SETUID for uid_map and CAP_SETGID for gid_map, in the parent namespace, both of the task that writes and of the one that opened the file. newuidmap and newgidmap have them as setuid programs or by file capabilities, and map what /etc/subuid and /etc/subgid allow; no_new_privs and nosuid take them away.",
		Note:  "a gid_map of one's own group too needs setgroups to be denied first",
		Repro: "unshare -U sh -c 'echo 0 100000 65536 > /proc/self/uid_map'",
	})
	IDMapParent = define(Info{
		ID: "UNS203", Gate: UserNS, Title: "mapped ids exist in the parent namespace", Denies: "{2} does not map the {1} ids from {0} in one range",
		Facts: []FactInfo{{"id", KindInt}, {"count", KindInt}, {"parent", KindNS}}, Function: "map_write", Errno: "EPERM", Releases: "since Linux 3.8", Man: "user_namespaces(7)",
		Long:  "What a user namespace maps must be mapped in its parent, each line by one line of the parent's map.",
		Repro: "unshare -Ur unshare -U sh -c 'echo 0 1 1 > /proc/self/uid_map'",
	})
)

// NotWritten is an argument that decides and was not written.
var NotWritten = define(Info{
	ID: "OTH218", Gate: Other, Title: "an argument that decides was not written", Unknowns: "{0} is not known",
	Facts: []FactInfo{{"argument", KindString}}, Function: "copy_from_user", Errno: "what the call answers to it", Releases: "all", Man: "syscalls(2)",
	Long: "The call takes a structure by its address, and only the address, or a part of the structure, was given. Write it as strace does, in braces.",
})

package story

const landlockMan = "landlock(7)"

// Checks of security modules that are decided by rules of their own.
var (
	LSMProgram = define(Info{
		ID: "LSM140", Gate: LSM, Title: "a BPF program sits on the hook", Unknowns: "a BPF program sits on this hook and may refuse: {0}",
		Facts: []FactInfo{{"program", KindString}, {"module", KindString}}, Function: "bpf_lsm_*", Errno: "what the program returns, EPERM mostly", Releases: "since Linux 5.7", Man: "kernel.org/doc/html/latest/bpf/prog_lsm.html",
		Long: "A program of type BPF_PROG_TYPE_LSM is attached to one hook and returns 0 or an errno. What it decides depends on its code and its maps; hooks without a program let the call pass.",
	})
	LandlockRight = define(Info{
		ID: "LSM141", Gate: LSM, Title: "Landlock: the rulesets must grant the right", Denies: "the task's Landlock rulesets do not grant {0} here", Unknowns: "whether Landlock asks for {0} here depends on the release of the kernel", Refuses: "Landlock: {0} is not granted",
		Facts: []FactInfo{{"right", KindString}, {"module", KindString}}, Function: "is_access_to_paths_allowed", Errno: "EACCES", Releases: "since Linux 5.13", Man: landlockMan,
		Long:  "A ruleset names rights that it handles, and each right that it handles is refused wherever no rule grants it: a rule is of one directory or file and holds for everything below. Each ruleset of the task must grant it. The path_* hooks run before may_create and may_delete, so that this EACCES hides what the mode bits would say; EEXIST, ENOENT, EROFS and EXDEV come first. file_open comes after them.",
		Repro: "setpriv --landlock-access fs --landlock-rule path-beneath:read-file,read-dir,execute:/ touch /tmp/x",
	})
	LandlockRefer = define(Info{
		ID: "LSM142", Gate: LSM, Title: "Landlock: a file that changes its directory must not gain rights", Denies: "the task's Landlock rulesets do not let a file change its directory here", Refuses: "Landlock: refer is not granted",
		Facts: []FactInfo{{"right", KindString}, {"module", KindString}}, Function: "current_check_refer_path", Errno: "EXDEV", Releases: "since Linux 5.13; can be granted since 5.19 (LANDLOCK_ACCESS_FS_REFER)", Man: landlockMan,
		Long:  "Rights follow from the directories above a file, so that moving or linking it elsewhere may give it rights. Every ruleset refuses that unless it grants REFER on both sides and the new place allows nothing more than the old one. EXDEV makes mv(1) copy instead. Where another right is missing too, the answer is EACCES.",
		Repro: "setpriv --landlock-access fs:make-reg --landlock-rule path-beneath:make-reg:/ mv --no-copy /tmp/a/x /tmp/b/x",
	})
	LandlockMount = define(Info{
		ID: "LSM143", Gate: LSM, Title: "Landlock: a task whose files are restricted does not change mounts", Denies: "the task has a Landlock ruleset over files, and so it cannot change mounts",
		Facts: []FactInfo{{"right", KindString}, {"module", KindString}}, Function: "hook_sb_mount", Errno: "EPERM", Releases: "since Linux 5.13", Man: landlockMan,
		Long:  "Rules are tied to places in the tree of mounts, so that changing the tree would change what they mean. mount, umount, remount, move_mount and pivot_root are refused to every task with a ruleset that handles rights over files, whatever its capabilities.",
		Repro: "setpriv --landlock-access fs mount --bind /tmp /mnt",
	})
	LandlockPort = define(Info{
		ID: "LSM144", Gate: LSM, Title: "Landlock: the rulesets must grant the TCP port", Denies: "the task's Landlock rulesets do not grant port {0}", Unknowns: "which port the task asks Landlock for is not known",
		Facts: []FactInfo{{"port", KindInt}, {"module", KindString}}, Function: "current_check_access_socket", Errno: "EACCES", Releases: "since Linux 6.7", Man: landlockMan,
		Long: "A ruleset that handles bind or connect of TCP refuses every port without a rule. It comes before the check for CAP_NET_BIND_SERVICE.",
	})
	LandlockScope = define(Info{
		ID: "LSM145", Gate: LSM, Title: "Landlock: other processes may lie outside the task's domain", Denies: "the task is in a Landlock domain: {0}", Unknowns: "the task is in a Landlock domain: {0}",
		Facts: []FactInfo{{"reason", KindString}, {"module", KindString}}, Function: "hook_ptrace_access_check", Errno: "EPERM", Releases: "ptrace since Linux 5.13; signals and abstract UNIX addresses since 6.12", Man: landlockMan,
		Long: "A task in a domain traces only processes of the same domain or of one below it. With a scope, signals and abstract UNIX sockets are kept within the domain too.",
	})
	LockedDown = define(Info{
		ID: "LSM146", Gate: LSM, Title: "lockdown keeps root from changing the running kernel", Denies: "the kernel is locked down ({2}): {0}", Allows: "lockdown is {2}", Unknowns: "whether lockdown refuses {0} is not known",
		Facts: []FactInfo{{"what", KindString}, {"module", KindString}, {"mode", KindString}}, Function: "lockdown_is_locked_down", Errno: "EPERM", Releases: "since Linux 5.4", Man: "kernel_lockdown(7)",
		Long: "In mode integrity whatever would let user space change the running kernel is refused, in mode confidentiality also what would read its memory. No capability helps. The mode stands in /sys/kernel/security/lockdown and can only be raised until the next boot.",
	})
	SELinuxAccess = define(Info{
		ID: "LSM500", Gate: LSM, Title: "SELinux: the policy must allow it between the task's label and the object's", Denies: "SELinux: {0}", Allows: "SELinux: {0}", Unknowns: "SELinux may refuse: {0}",
		Facts: []FactInfo{{"reason", KindString}, {"module", KindString}}, Function: "avc_has_perm", Errno: "EACCES", Releases: "all", Man: "selinux(8)",
		Long:  "The policy must have an allow rule from the task's type to the object's for each permission, and no constraint may stand in the way: for containers, the task's categories must hold the object's. A denial is logged as an AVC record unless a dontaudit rule hides it.",
		Repro: "runcon -t container_t -l s0:c1,c2 cat /var/lib/other",
	})
	LandlockOff = define(Info{
		ID: "LSM147", Gate: LSM, Title: "Landlock must be built and active", Denies: "Landlock is not among the active security modules", Unknowns: "whether Landlock is active is not known",
		Function: "is_initialized", Errno: "EOPNOTSUPP, or ENOSYS where it is not built", Releases: "since Linux 5.13", Man: landlockMan,
		Long: "The calls of Landlock answer EOPNOTSUPP where lsm= leaves it out, and ENOSYS where the kernel was built without it.",
	})
	LandlockPrivilege = define(Info{
		ID: "CAP144", Gate: Capability, Title: "restricting oneself needs no_new_privs or CAP_SYS_ADMIN", Denies: "the task has neither no_new_privs nor CAP_SYS_ADMIN in its user namespace", Allows: "no_new_privs or CAP_SYS_ADMIN", Unknowns: "whether the task has no_new_privs or CAP_SYS_ADMIN is not known",
		Facts: []FactInfo{{"no_new_privs", KindInt}, {"effective", KindCapSet}}, Function: "landlock_restrict_self", Errno: "EPERM", Releases: "since Linux 5.13", Man: "landlock_restrict_self(2)",
		Long:  "A restricted task must not be able to restrict a set-user-ID program that it executes.",
		Repro: "a call of landlock_restrict_self without prctl(PR_SET_NO_NEW_PRIVS, 1)",
	})
	LandlockFD = define(Info{
		ID: "OTH159", Gate: Other, Title: "the descriptor must be a ruleset", Denies: "descriptor {0} is no ruleset of Landlock", Unknowns: "what the ruleset behind descriptor {0} holds is not known",
		Facts: []FactInfo{{"fd", KindInt}}, Function: "get_ruleset_from_fd", Errno: "EBADFD", Releases: "since Linux 5.13", Man: "landlock_add_rule(2)",
		Long:  "landlock_create_ruleset gives the descriptor. What is wrong with a rule depends on what the ruleset handles.",
		Repro: "a call of landlock_restrict_self with a descriptor of a file",
	})
)

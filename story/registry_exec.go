package story

// Codes of execve.
var (
	ExecScript = define(Info{
		ID: "LKP100", Gate: Lookup, Title: "a script names its interpreter", Allows: "#! {0}",
		Facts: []FactInfo{{"interpreter", KindString}, {"argument", KindString}}, Function: "load_script", Releases: "all; a line that is cut off is refused since Linux 5.0", Man: "execve(2)",
		Long: "A file that begins with #! is executed by the program whose path stands behind that. The path is looked up from the task's own root and current directory, and opened for execution like the script itself: with its own mount flags, modes and errnos. What stands behind it becomes one argument, blanks included. The setuid bit and the capabilities of the script do not count, those of the interpreter do.",
	})
	ExecLoader = define(Info{
		ID: "LKP101", Gate: Lookup, Title: "an ELF program names its loader", Allows: "{obj} is loaded by {0}",
		Facts: []FactInfo{{"loader", KindString}}, Function: "load_elf_binary", Releases: "all", Man: "elf(5)",
		Long: "A program that is linked with libraries names the dynamic loader (PT_INTERP), by an absolute path as a rule. It is looked up below the task's root and opened for execution: an image of another C library lacks it, and execve answers ENOENT although the program is there.",
	})
	ExecDepth = define(Info{
		ID: "LKP102", Gate: Lookup, Title: "interpreters that are scripts nest five times", Denies: "{obj} is the sixth interpreter that is a script itself",
		Function: "exec_binprm", Errno: "ELOOP", Releases: "all", Man: "execve(2)",
		Long:  "An interpreter may be a script with an interpreter of its own. Five rounds are allowed.",
		Repro: "cd /tmp; for i in 1 2 3 4 5 6 7; do printf '#!/tmp/s%d\\n' $((i+1)) > s$i; chmod 755 s$i; done; cp /bin/true s8; ./s1",
	})
	ExecInaccessible = define(Info{
		ID: "LKP103", Gate: Lookup, Title: "a script must be there for its interpreter", Denies: "descriptor {0} is closed at the execve, so that the interpreter could not open the script", Unknowns: "whether descriptor {0} is closed at the execve is not known",
		Facts: []FactInfo{{"fd", KindInt}}, Function: "load_script", Errno: "ENOENT", Releases: "since Linux 3.19", Man: "execveat(2)",
		Long:  "A script that execveat finds by a descriptor is handed to its interpreter as /dev/fd/N. With O_CLOEXEC the descriptor would be gone by then.",
		Repro: "python3 -c 'import os; os.execve(os.open(\"/usr/bin/ldd\", os.O_RDONLY), [\"x\"], {})'",
	})
	ExecFormat = define(Info{
		ID: "OTH100", Gate: Other, Title: "the kernel must know the program's format", Denies: "{obj} is no program: {0}", Allows: "{obj} is {0}", Unknowns: "what execve finds in {obj} is not known: {0}",
		Facts: []FactInfo{{"format", KindString}}, Function: "search_binary_handler", Errno: "ENOEXEC", Releases: "all", Man: "execve(2)",
		Long:  "The first 256 bytes of the file decide who loads it: the handler of ELF programs, that of scripts, or what is registered with binfmt_misc. A file that nobody takes is ENOEXEC. A shell that gets this answer runs the file as a shell script itself, so that a script without #! works there and not elsewhere.",
		Repro: "printf hello > /tmp/x; chmod 755 /tmp/x; python3 -c 'import os; os.execv(\"/tmp/x\", [\"x\"])'",
	})
	ExecBadLoader = define(Info{
		ID: "OTH101", Gate: Other, Title: "the loader of an ELF program is an ELF program itself", Denies: "{obj} cannot load it: {0}", Unknowns: "what {obj} holds is not known",
		Facts: []FactInfo{{"reason", KindString}}, Function: "load_elf_binary", Errno: "ELIBBAD, or EIO where it is shorter than a header", Releases: "all", Man: "elf(5)",
		Long:  "The loader that a program names must be an ELF program of the same machine.",
		Repro: "a program whose PT_INTERP is a text file that may be executed",
	})
	ExecArguments = define(Info{
		ID: "OTH102", Gate: Other, Title: "arguments and environment have limits", Denies: "the arguments are not taken: {0}", Unknowns: "what the addresses of arguments and environment lead to is not known",
		Facts: []FactInfo{{"reason", KindString}}, Function: "bprm_stack_limits, copy_strings", Errno: "E2BIG or EFAULT", Releases: "a quarter of the stack's limit since Linux 2.6.23, at most 6 MiB since 4.13; before the program is opened until Linux 6.8, after it from then on", Man: "execve(2)",
		Long:  "One string has at most 128 KiB, and all strings of arguments and environment together, with their pointers, a quarter of the limit of the stack (RLIMIT_STACK), at least 128 KiB and at most 6 MiB.",
		Repro: "/bin/true $(seq 1000000)",
	})
	ExecTooMany = define(Info{
		ID: "OTH103", Gate: Other, Title: "a user with too many processes cannot execute after a change of uid", Denies: "the user has more processes than RLIMIT_NPROC allows", Unknowns: "whether the user has more processes than RLIMIT_NPROC allows is not known",
		Function: "do_execveat_common", Errno: "EAGAIN", Releases: "since Linux 3.1", Man: "execve(2)",
		Long:  "setuid and its relatives do not fail where the new user has too many processes; they note it, and the next execve looks again. Everybody who shares the uid counts, other containers included.",
		Repro: "prlimit --nproc=1 setpriv --reuid 1000 --clear-groups true",
	})
	ExecWritten = define(Info{
		ID: "OTH104", Gate: Other, Title: "what is open for writing is not executed", Denies: "{obj} is open for writing", Unknowns: "whether {obj} is open for writing, or whether that matters in this release, is not known",
		Function: "deny_write_access", Errno: "ETXTBSY", Releases: "all but 6.11 and the first updates of 6.12", Man: "execve(2)",
		Long:  "A program that somebody has open for writing is not executed: it could change while it runs. A process that was forked in between keeps the descriptor open, which is a well-known race of programs that write a program and execute it.",
		Repro: "cp /bin/true /tmp/t; exec 3>>/tmp/t; /tmp/t",
	})
	ExecCheckOnly = define(Info{
		ID: "OTH105", Gate: Other, Title: "AT_EXECVE_CHECK asks and executes nothing", Allows: "AT_EXECVE_CHECK: the question ends here",
		Function: "bprm_execve", Releases: "since Linux 6.14", Man: "execveat(2)",
		Long: "With AT_EXECVE_CHECK execveat says whether the file may be executed: modes, mount flags and security modules are asked. What is in the file is not looked at.",
	})
	ExecFlags = define(Info{
		ID: "OTH106", Gate: Other, Title: "execveat knows three flags", Denies: "the flags {0} are not valid", Unknowns: "whether this release knows AT_EXECVE_CHECK is not known",
		Facts: []FactInfo{{"flags", KindHex}}, Function: "do_open_execat", Errno: "EINVAL", Releases: "AT_EXECVE_CHECK since Linux 6.14", Man: "execveat(2)",
		Long:  "AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW and AT_EXECVE_CHECK are known.",
		Repro: "python3 -c 'import ctypes; l=ctypes.CDLL(None,use_errno=True); l.syscall(322,-100,b\"/bin/true\",None,None,1); print(ctypes.get_errno())'",
	})
)

// Codes of what execve makes of credentials. None but the first two refuses: the others tell what has counted.
var (
	ExecIncapable = define(Info{
		ID: "CAP100", Gate: Capability, Title: "a program whose capabilities are effective gets all of them or does not start",
		Denies: "{obj} must have {0}, and the bounding set of the task lacks {1}", Allows: "the file gives {0}", Unknowns: "whether {obj} has capabilities, or whether all of them can be had, is not known",
		Facts: []FactInfo{{"file's permitted", KindCapSet}, {"not obtained", KindCapSet}}, Function: "bprm_caps_from_vfs_caps", Errno: "EPERM", Releases: "since Linux 2.6.24", Man: "capabilities(7)",
		Long:  "A file with the effective bit is a program that knows nothing of capabilities and needs all that its file says. Where the bounding set, which a container's runtime limits, lacks one of them, execve answers EPERM instead of starting it without. It is the only refusal of the whole change of credentials.",
		Note:  "a program with file capabilities (ping, some web servers) fails with EPERM in a container that drops one of them, even for root",
		Repro: "cp /bin/true /tmp/t; setcap cap_net_admin=ep /tmp/t; capsh --drop=cap_net_admin -- -c /tmp/t",
	})
	ExecBadCaps = define(Info{
		ID: "CAP101", Gate: Capability, Title: "the attribute with a file's capabilities must be valid", Denies: "the attribute security.capability of {obj} is not valid",
		Function: "get_vfs_caps_from_disk", Errno: "EINVAL", Releases: "since Linux 2.6.24", Man: "capabilities(7)",
		Long:  "The attribute has 12, 20 or 24 bytes for versions 1, 2 and 3. setxattr refuses anything else, so that a bad one comes from a filesystem that was made elsewhere.",
		Repro: "an image of ext4 in which debugfs has set the attribute",
	})
	ExecCapsRule = define(Info{
		ID: "CAP102", Gate: Capability, Title: "what execve makes of capabilities", Allows: "{0}", Unknowns: "what execve makes of the capabilities is not known",
		Facts: []FactInfo{{"rule", KindString}, {"permitted before", KindCapSet}, {"permitted after", KindCapSet}}, Function: "cap_bprm_creds_from_file", Releases: "ambient set since Linux 4.3, version 3 of file capabilities since 4.14; whether an id changes is asked in another way since 6.17", Man: "capabilities(7)",
		Long: "permitted' = (file's permitted and bounding) or (file's inheritable and inheritable) or ambient'; for root all of the bounding set stands in place of the file's. effective' is permitted' where the file's effective bit is set or the effective uid is root's, else ambient'. ambient' is empty where the file has capabilities or an id changes.",
	})
	ExecSetid = define(Info{
		ID: "DAC100", Gate: DAC, Title: "setuid and setgid bits of a program", Allows: "{0}",
		Facts: []FactInfo{{"rule", KindString}, {"mode", KindMode}, {"owner", KindIDs}}, Function: "bprm_fill_uid", Releases: "all", Man: "execve(2)",
		Long: "The owner of a setuid program becomes the effective uid, the group of a setgid program that the group may execute the effective gid. Saved ids and those for files follow.",
	})
	ExecNosuid = define(Info{
		ID: "MNT100", Gate: Mount, Title: "mounts from which no program gains anything", Allows: "{0}",
		Facts: []FactInfo{{"rule", KindString}, {"mount", KindString}, {"mount flags", KindMount}}, Function: "mnt_may_suid", Releases: "all; mounts of other namespaces since Linux 4.8", Man: "mount(8)",
		Long: "On a nosuid mount, and on one that is not in the task's mount namespace, setuid and setgid bits and capabilities of files count for nothing. The program runs all the same, without them.",
	})
	ExecUserNS = define(Info{
		ID: "UNS100", Gate: UserNS, Title: "programs that gain nothing in a user namespace", Allows: "{0}",
		Facts: []FactInfo{{"rule", KindString}, {"owner", KindIDs}, {"user namespace", KindNS}}, Function: "bprm_fill_uid, rootid_owns_currentns", Releases: "since Linux 3.8; file capabilities of a user namespace since 4.14", Man: "user_namespaces(7)",
		Long: "Set-id bits count only where owner and group are mapped in the task's user namespace, and capabilities of a file only for the user namespace whose root they name and for those below it. A filesystem that another user namespace has mounted gives nothing.",
	})
	ExecUnsafe = define(Info{
		ID: "OTH107", Gate: Other, Title: "tasks that must not gain anything", Allows: "{0}",
		Facts: []FactInfo{{"rule", KindString}, {"no_new_privs", KindInt}}, Function: "check_unsafe_exec, cap_bprm_creds_from_file", Releases: "no_new_privs since Linux 3.5", Man: "PR_SET_NO_NEW_PRIVS(2const)",
		Long: "With no_new_privs, under a tracer without CAP_SYS_PTRACE, and where another process shares root and current directory, what a program would gain is cut back: set-id bits are ignored or undone, and permitted holds no more than before. That is no error; the program starts without.",
	})
)

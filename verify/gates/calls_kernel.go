package gates

import "fmt"

// kernelCalls concern the kernel itself: clocks, modules, swap, quotas, and what sysctls open or close.
var kernelCalls = func() family {
	f := family{}
	add := func(weight int, name string, texts ...string) {
		f[name] = entry{weight, func(g *gen, _ *Task) string { return pick(g, texts...) }}
	}
	add(2, "settimeofday", "settimeofday({tv_sec=1000, tv_usec=0}, NULL)", "settimeofday({tv_sec=-1, tv_usec=0}, NULL)", "settimeofday({tv_sec=1000, tv_usec=2000000}, NULL)",
		"settimeofday(NULL, {tz_minuteswest=5000, tz_dsttime=0})", "settimeofday(0x1000, NULL)")
	add(1, "adjtimex", "adjtimex({modes=0})", "adjtimex({modes=ADJ_TICK, tick=1})", "adjtimex({modes=0x8000})", "adjtimex(NULL)")
	add(1, "clock_adjtime", "clock_adjtime(CLOCK_REALTIME, {modes=0})", "clock_adjtime(CLOCK_MONOTONIC, {modes=0})", "clock_adjtime(12, {modes=0})", "clock_adjtime(12, NULL)", "clock_adjtime(CLOCK_REALTIME, {modes=ADJ_TICK, tick=1})")
	add(1, "init_module", `init_module(0x1000, 0, "")`)
	add(1, "finit_module", `finit_module(0, "", 99)`, `finit_module(0, "", 0)`)
	add(1, "delete_module", `delete_module("", 0)`, `delete_module("story", 0)`)
	add(1, "kexec_load", "kexec_load(0, 0, NULL, 0)")
	add(1, "kexec_file_load", "kexec_file_load(-1, -1, 0, NULL, 0x100)", "kexec_file_load(-1, -1, 0, NULL, 0)")
	add(1, "swapoff", `swapoff("/none")`, "swapoff(NULL)", `swapoff("")`)
	add(1, "acct", `acct("/none")`, `acct("")`, "acct(NULL)")
	add(1, "quotactl", `quotactl(3, "/none", 0, NULL)`, "quotactl(0x80000200, NULL, 0, NULL)", `quotactl(0x80000700, "", 0, NULL)`)
	add(1, "quotactl_fd", "quotactl_fd(99, 3, 0, NULL)", "quotactl_fd(-1, 0, 0, NULL)")
	add(1, "iopl", "iopl(3)", "iopl(4)", "iopl(0)")
	add(1, "ioperm", "ioperm(0, 1, 1)", "ioperm(0, 65537, 1)")
	add(2, "io_uring_setup", "io_uring_setup(1, {flags=0})", "io_uring_setup(0, {flags=0})", "io_uring_setup(40000, {flags=0})", "io_uring_setup(1, {flags=IORING_SETUP_CLAMP})", "io_uring_setup(1, {flags=0, resv=1})", "io_uring_setup(1, NULL)")
	f["io_uring_enter"] = entry{1, func(g *gen, t *Task) string {
		return fmt.Sprintf("io_uring_enter(%s, 0, 0, %s, NULL, 0)", g.fd(t), pick(g, "0", "0", "0x10000"))
	}}
	f["io_uring_register"] = entry{1, func(g *gen, t *Task) string {
		return fmt.Sprintf("io_uring_register(%s, %s, NULL, 0)", g.notMinusOne(t), pick(g, "0", "9", "0x1000"))
	}}
	add(2, "userfaultfd", "userfaultfd(0)", "userfaultfd(UFFD_USER_MODE_ONLY)", "userfaultfd(O_CLOEXEC|0x100)", "userfaultfd(UFFD_USER_MODE_ONLY|0x100)")
	add(1, "memfd_secret", "memfd_secret(0)", "memfd_secret(8)")
	add(1, "add_key", `add_key("", "story", "x", 1, KEY_SPEC_THREAD_KEYRING)`, `add_key(".story", "story", "x", 1, KEY_SPEC_THREAD_KEYRING)`, `add_key("keyring", ".story", NULL, 0, KEY_SPEC_THREAD_KEYRING)`,
		`add_key(".story", "story", NULL, 2000000, KEY_SPEC_THREAD_KEYRING)`, `add_key(NULL, "story", NULL, 0, KEY_SPEC_THREAD_KEYRING)`, `add_key("user", "story", NULL, 5, KEY_SPEC_THREAD_KEYRING)`)
	add(1, "request_key", `request_key(".user", "story:none", NULL, 0)`, `request_key("", "story:none", NULL, 0)`, `request_key("user", NULL, NULL, 0)`)
	add(1, "keyctl", "keyctl(99)", "keyctl(KEYCTL_SETPERM, 1, 0xffffffff)", "keyctl(KEYCTL_CHOWN, 1, 0xffffffff, 0xffffffff)")
	add(1, "fanotify_init", "fanotify_init(FAN_CLASS_CONTENT, O_RDONLY)", "fanotify_init(FAN_CLASS_NOTIF, O_RDONLY)", "fanotify_init(FAN_REPORT_FID, O_RDONLY)", "fanotify_init(FAN_REPORT_NAME, O_RDONLY)", "fanotify_init(FAN_REPORT_FID|FAN_CLASS_CONTENT, O_RDONLY)")
	return f
}()

// landlockCalls make rulesets.
var landlockCalls = family{
	"landlock_create_ruleset": {1, func(g *gen, t *Task) string {
		return "landlock_create_ruleset(" + pick(g, "NULL, 0, LANDLOCK_CREATE_RULESET_VERSION", "NULL, 8, LANDLOCK_CREATE_RULESET_VERSION", "NULL, 0, 64", "NULL, 8, 0", "{handled_access_fs=LANDLOCK_ACCESS_FS_EXECUTE}, 7, 0",
			"{handled_access_fs=LANDLOCK_ACCESS_FS_EXECUTE}, 4097, 0", "{handled_access_fs=0}, 8, 0", "{handled_access_fs=0x10000}, 8, 0", "{handled_access_fs=LANDLOCK_ACCESS_FS_EXECUTE}, 8, 0") + ")"
	}},
	"landlock_add_rule": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("landlock_add_rule(%s, LANDLOCK_RULE_PATH_BENEATH, {allowed_access=LANDLOCK_ACCESS_FS_EXECUTE, parent_fd=0}, %s)", g.fd(t), pick(g, "0", "0", "1"))
	}},
	"landlock_restrict_self": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("landlock_restrict_self(%s, %s)", g.fd(t), pick(g, "0", "0", "8"))
	}},
}

// cloneCalls make processes; those that share memory are made only where they are refused.
var cloneCalls = family{
	"fork":  {1, func(g *gen, t *Task) string { return "fork()" }},
	"vfork": {1, func(g *gen, t *Task) string { return "vfork()" }},
	"clone": {3, func(g *gen, t *Task) string {
		if g.one(3) {
			return "clone(" + pick(g, "CLONE_NEWNS|CLONE_FS|SIGCHLD", "CLONE_NEWUSER|CLONE_FS|SIGCHLD", "CLONE_THREAD|SIGCHLD", "CLONE_THREAD|CLONE_VM", "CLONE_SIGHAND|SIGCHLD", "CLONE_THREAD|CLONE_SIGHAND|CLONE_VM|CLONE_NEWUSER",
				"CLONE_PIDFD|CLONE_PARENT_SETTID|SIGCHLD, NULL, NULL", "CLONE_PIDFD|CLONE_DETACHED|SIGCHLD, NULL, NULL", "CLONE_PIDFD|SIGCHLD, NULL, NULL") + ")"
		}
		return "clone(" + g.flags("SIGCHLD", namespaceFlags...) + ")"
	}},
	"clone3": {3, func(g *gen, t *Task) string {
		if g.one(3) {
			return "clone3(" + pick(g, "{flags=0, exit_signal=SIGCHLD}, 63", "{flags=0, exit_signal=SIGCHLD}, 4097", "NULL, 88", "{flags=0, exit_signal=65}, 88", "{flags=0x1, exit_signal=SIGCHLD}, 88", "{flags=CLONE_DETACHED, exit_signal=SIGCHLD}, 88",
				"{flags=CLONE_PARENT, exit_signal=SIGCHLD}, 88", "{flags=0, exit_signal=SIGCHLD, stack_size=4096}, 88", "{flags=0, exit_signal=SIGCHLD, set_tid_size=1}, 88", "{flags=CLONE_SIGHAND|CLONE_CLEAR_SIGHAND|CLONE_VM, exit_signal=SIGCHLD}, 88",
				"{flags=CLONE_PIDFD, exit_signal=SIGCHLD}, 88", "{flags=CLONE_NEWNS|CLONE_FS, exit_signal=SIGCHLD}, 88") + ")"
		}
		return "clone3({flags=" + g.flags("", namespaceFlags...) + ", exit_signal=SIGCHLD}, 88)"
	}},
	"setns": {4, func(g *gen, t *Task) string {
		if n := g.openAs(t, func(f *FD) bool { return f.NS != "" || f.Target > 0 }); n >= 0 && !g.one(6) {
			return fmt.Sprintf("setns(%d, %s)", n, g.flags("", "CLONE_NEWUSER", "CLONE_NEWNS", "CLONE_NEWUTS", "CLONE_NEWNET", "CLONE_NEWIPC", "CLONE_FS"))
		}
		return fmt.Sprintf("setns(%s, %s)", g.fd(t), pick(g, "0", "0", "CLONE_NEWUSER", "CLONE_FS"))
	}},
}

var namespaceFlags = []string{"CLONE_NEWNS", "CLONE_NEWUTS", "CLONE_NEWIPC", "CLONE_NEWPID", "CLONE_NEWCGROUP", "CLONE_NEWUSER", "CLONE_NEWUSER", "CLONE_FS"}

// notMinusOne is a descriptor other than -1, which some calls take for something else.
func (g *gen) notMinusOne(t *Task) string {
	if fd := g.fd(t); fd != "-1" {
		return fd
	}
	return "9"
}

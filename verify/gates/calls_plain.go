package gates

import (
	"fmt"
	"strings"
)

// plainCalls are refused to nobody, or for their arguments alone.
var plainCalls = func() family {
	f := family{}
	add := func(weight int, name string, texts ...string) {
		f[name] = entry{weight, func(g *gen, _ *Task) string { return pick(g, texts...) }}
	}
	for name := range strings.FieldsSeq("getuid geteuid getgid getegid gettid getppid getpgrp sched_yield munlockall sync") {
		add(1, name, name+"()")
	}
	add(1, "personality", "personality(0xffffffff)")
	add(1, "alarm", "alarm(0)")
	add(1, "set_tid_address", "set_tid_address(0x1000)")
	add(1, "sysinfo", "sysinfo()", "sysinfo(NULL)")
	add(1, "times", "times()", "times(NULL)")
	add(1, "time", "time(NULL)", "time()")
	add(1, "gettimeofday", "gettimeofday()", "gettimeofday(NULL, NULL)")
	add(1, "getcpu", "getcpu(NULL, NULL)", "getcpu()")
	add(1, "getresuid", "getresuid()", "getresuid(NULL, NULL, NULL)")
	add(1, "getresgid", "getresgid()", "getresgid(NULL, NULL, NULL)")
	add(1, "clock_gettime", "clock_gettime(CLOCK_MONOTONIC)", "clock_gettime(CLOCK_REALTIME, NULL)", "clock_gettime(12)", "clock_gettime(10)")
	add(1, "clock_getres", "clock_getres(CLOCK_REALTIME, NULL)", "clock_getres(15, NULL)", "clock_getres(CLOCK_MONOTONIC)")
	add(1, "getrandom", "getrandom(0x1000, 0, 0)", "getrandom(NULL, 8, 0)", "getrandom(0x1000, 8, 8)", "getrandom(0x1000, 8, GRND_RANDOM|GRND_INSECURE)")
	add(1, "getrusage", "getrusage(RUSAGE_SELF)", "getrusage(5)", "getrusage(RUSAGE_THREAD, NULL)")
	add(1, "sched_get_priority_max", "sched_get_priority_max(SCHED_FIFO)", "sched_get_priority_max(99)", "sched_get_priority_max(4)")
	add(1, "sched_get_priority_min", "sched_get_priority_min(SCHED_RR)", "sched_get_priority_min(0xffffffff)")
	add(1, "pipe", "pipe()", "pipe(NULL)")
	add(1, "pipe2", "pipe2(0x1000, 1)", "pipe2(NULL, 0)", "pipe2(NULL, O_CLOEXEC)")
	add(1, "inotify_init", "inotify_init()")
	add(2, "mprotect", "mprotect(0x1001, 4096, PROT_READ)", "mprotect(0x1000, 0, PROT_READ)", "mprotect(0x1000, 4096, 0x100)", "mprotect(0xfffffffffffff000, 8192, PROT_READ)")
	add(1, "munlock", "munlock(0x1000, 0)")
	add(1, "mlock2", "mlock2(0x1000, 0, 2)", "mlock2(0x1000, 0, 0)")
	add(1, "mlockall", "mlockall(0)", "mlockall(MCL_ONFAULT)", "mlockall(MCL_FUTURE)", "mlockall(99)")
	add(2, "getrlimit", "getrlimit(RLIMIT_CPU)", "getrlimit(RLIMIT_CPU, NULL)", "getrlimit(99, NULL)")
	add(2, "setrlimit", "setrlimit(RLIMIT_CORE, {rlim_cur=0, rlim_max=0})", "setrlimit(RLIMIT_CORE, {rlim_cur=1, rlim_max=0})", "setrlimit(99, NULL)", "setrlimit(99, {rlim_cur=0, rlim_max=0})", "setrlimit(RLIMIT_NOFILE, {rlim_cur=1, rlim_max=1073741825})")
	return f
}()

// schedulingCalls ask about, and change, how processes run.
var schedulingCalls = family{
	"sched_setparam": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("sched_setparam(%s, %s)", g.self(), pick(g, "[0]", "[0]", "[1]", "NULL", "0x10"))
	}},
	"sched_getscheduler": {1, func(g *gen, t *Task) string { return fmt.Sprintf("sched_getscheduler(%s)", g.self()) }},
	"sched_getparam": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("sched_getparam(%s%s)", g.self(), pick(g, "", ", NULL"))
	}},
	"sched_getattr": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("sched_getattr(%s, %s, %s, %s)", g.self(), pick(g, "0x1000", "NULL"), pick(g, "47", "5000"), pick(g, "0", "1"))
	}},
	"sched_rr_get_interval": {1, func(g *gen, t *Task) string { return fmt.Sprintf("sched_rr_get_interval(%s)", g.self()) }},
	"sched_setattr": {3, func(g *gen, t *Task) string {
		attr := pick(g, "size=48, sched_policy=SCHED_OTHER, sched_nice=-5", "size=48, sched_policy=SCHED_OTHER, sched_nice=5", "size=48, sched_policy=SCHED_BATCH", "size=40, sched_policy=SCHED_OTHER",
			"size=48, sched_policy=0xffffffff", "size=48, sched_policy=SCHED_OTHER, sched_flags=0x1000", "size=48, sched_policy=99", "size=48, sched_policy=SCHED_IDLE",
			"size=48, sched_policy=SCHED_DEADLINE, sched_runtime=1000, sched_deadline=2000, sched_period=2000", "size=48, sched_policy=SCHED_DEADLINE, sched_runtime=1000000, sched_deadline=900000")
		return fmt.Sprintf("sched_setattr(%s, {%s}, %s)", g.self(), attr, pick(g, "0", "0", "0", "1"))
	}},
	"sched_setaffinity": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("sched_setaffinity(%s, 128, %s)", g.self(), pick(g, "[]", "[]", "NULL"))
	}},
	"sched_getaffinity": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("sched_getaffinity(%s, %s)", g.self(), pick(g, "1024", "1024", "7", "0"))
	}},
	"ioprio_set": {3, func(g *gen, t *Task) string {
		return fmt.Sprintf("ioprio_set(%s, %s, %s)", pick(g, "IOPRIO_WHO_PROCESS", "IOPRIO_WHO_PROCESS", "IOPRIO_WHO_PROCESS", "9"), g.self(), pick(g, "8192", "16388", "24576", "32768", "1", "0"))
	}},
	"ioprio_get": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("ioprio_get(%s, %s)", pick(g, "IOPRIO_WHO_PROCESS", "IOPRIO_WHO_PROCESS", "9"), g.self())
	}},
}

// self is a process of the scene, none, or the task.
func (g *gen) self() string {
	if g.one(4) {
		return pick(g, "0", "0", "-1")
	}
	return g.pid()
}

// tracingCalls look into other processes, and signal them in other ways than kill.
var tracingCalls = family{
	"process_vm_readv": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("process_vm_readv(%s, %s, %s)", g.pid(), pick(g, `[{iov_base="", iov_len=8}], 1, [{iov_base=0x10, iov_len=8}], 1`, "NULL, 0, NULL, 0", "NULL, 1025, NULL, 0", "NULL, 1, NULL, 0"), pick(g, "0", "0", "0", "1"))
	}},
	"process_vm_writev": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("process_vm_writev(%s, %s, %s)", g.pid(), pick(g, `[{iov_base="", iov_len=8}], 1, [{iov_base=0x10, iov_len=8}], 1`, "NULL, 0, NULL, 0"), pick(g, "0", "0", "0", "1"))
	}},
	"process_madvise": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("process_madvise(%s, [{iov_base=0x1000, iov_len=4096}], 1, %s, %s)", g.pidfd(t), pick(g, "MADV_COLD", "MADV_DONTNEED", "MADV_DONTNEED"), pick(g, "0", "0", "0", "1"))
	}},
	"pidfd_getfd": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("pidfd_getfd(%s, 0, %s)", g.pidfd(t), pick(g, "0", "0", "0", "1"))
	}},
	"pidfd_send_signal": {3, func(g *gen, t *Task) string {
		return fmt.Sprintf("pidfd_send_signal(%s, %s)", g.pidfd(t), pick(g, "0, NULL, 0", "0, NULL, 0", "999, NULL, 0", "0, NULL, 64", "0, NULL, 3", "SIGURG, {si_signo=SIGHUP, si_code=SI_QUEUE}, 0",
			"SIGURG, {si_signo=SIGURG, si_code=SI_USER}, 0", "SIGURG, {si_signo=SIGURG, si_code=SI_QUEUE}, 0"))
	}},
	"rt_sigqueueinfo": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("rt_sigqueueinfo(%s, %s)", g.pid(), pick(g, "0, {si_code=SI_QUEUE}", "SIGURG, {si_signo=SIGURG, si_code=SI_USER}", "SIGURG, {si_signo=SIGURG, si_code=SI_QUEUE}", "0, NULL", "999, {si_code=SI_QUEUE}"))
	}},
	"rt_tgsigqueueinfo": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("rt_tgsigqueueinfo(%s, %s, %s)", g.pid(), g.pid(), pick(g, "0, {si_code=SI_QUEUE}", "SIGURG, {si_signo=SIGURG, si_code=SI_TKILL}", "0, NULL", "999, {si_code=SI_QUEUE}"))
	}},
	"get_robust_list": {1, func(g *gen, t *Task) string { return fmt.Sprintf("get_robust_list(%s)", g.self()) }},
	"migrate_pages":   {1, func(g *gen, t *Task) string { return fmt.Sprintf("migrate_pages(%s, 0, NULL, NULL)", g.pid()) }},
	"move_pages": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("move_pages(%s, 0, NULL, NULL, NULL, %s)", g.pid(), pick(g, "0", "MPOL_MF_MOVE_ALL", "1"))
	}},
	"getsid": {1, func(g *gen, t *Task) string { return fmt.Sprintf("getsid(%s)", g.self()) }},
	"setpgid": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("setpgid(%s, %s)", g.self(), pick(g, "0", "-1", "4190000"))
	}},
	"setsid": {1, func(g *gen, t *Task) string { return "setsid()" }},
	"perf_event_open": {2, func(g *gen, t *Task) string {
		attr := "type=PERF_TYPE_SOFTWARE, size=112, config=PERF_COUNT_SW_DUMMY"
		return pick(g, "perf_event_open({"+attr+", exclude_kernel=1}, "+g.pid()+", -1, -1, 0)", "perf_event_open({"+attr+", exclude_kernel=1}, -1, 0, -1, 0)", "perf_event_open({"+attr+"}, 0, -1, -1, 0)",
			"perf_event_open({"+attr+", exclude_kernel=1}, -1, -1, -1, 0)", "perf_event_open({"+attr+", namespaces=1, exclude_kernel=1}, 0, -1, -1, 0)", "perf_event_open({type=PERF_TYPE_SOFTWARE, size=8}, 0, -1, -1, 0)",
			"perf_event_open(NULL, 0, -1, -1, 0)", "perf_event_open({type=PERF_TYPE_SOFTWARE, size=112, exclude_kernel=1}, 0, -1, -1, 16)")
	}},
}

// pidfd is a descriptor of a process, or another one.
func (g *gen) pidfd(t *Task) string {
	if n := g.openAs(t, func(f *FD) bool { return f.Target > 0 }); n >= 0 && !g.one(6) {
		return fmt.Sprint(n)
	}
	return g.anyFD(t)
}

// openAs picks one of a task's descriptors of some sort; -1: it has none.
func (g *gen) openAs(t *Task, sort func(*FD) bool) int {
	var of []int
	for n := range t.FDs {
		if sort(&t.FDs[n]) {
			of = append(of, n)
		}
	}
	if len(of) == 0 {
		return -1
	}
	return pick(g, of...)
}

package explain_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// systemCaps are what the fourth task has.
var systemCaps = []kernel.Cap{kernel.CapSysTime, kernel.CapSysBoot, kernel.CapSysModule, kernel.CapSyslog, kernel.CapSysRawio, kernel.CapSysPacct, kernel.CapSysTtyConfig, kernel.CapBpf, kernel.CapPerfmon, kernel.CapSysPtrace}

// The order of the tasks is root, root without capabilities, uid 1000, uid 1000 with systemCaps, root of a user namespace, uid
// 1000 inside. Calls that would change the machine are made only by tasks for which they must fail.
var systemCases = []row{
	{`settimeofday({tv_sec=1000, tv_usec=0}, NULL)`, "!?- EPERM EPERM !?- EPERM EPERM"},
	{`settimeofday({tv_sec=-1, tv_usec=0}, NULL)`, "EINVAL"}, // the values come before who may
	{`settimeofday({tv_sec=1000, tv_usec=2000000}, NULL)`, "EINVAL"},
	{`settimeofday(NULL, {tz_minuteswest=5000, tz_dsttime=0})`, "EINVAL EPERM EPERM EINVAL EPERM EPERM"}, // but the time zone behind
	{`settimeofday(NULL, NULL)`, "- EPERM EPERM - EPERM EPERM"},
	{`settimeofday(0x1000, NULL)`, "EFAULT"},
	{`clock_settime(CLOCK_REALTIME, {tv_sec=1000, tv_nsec=0})`, "!?- EPERM EPERM !?- EPERM EPERM"},
	{`clock_settime(CLOCK_REALTIME, {tv_sec=1, tv_nsec=1000000000})`, "EINVAL"},
	{`clock_settime(CLOCK_MONOTONIC, {tv_sec=1000, tv_nsec=0})`, "EINVAL"},
	{`clock_settime(CLOCK_MONOTONIC, NULL)`, "EINVAL"},
	{`clock_settime(CLOCK_REALTIME, NULL)`, "EFAULT"},
	{`adjtimex({modes=0})`, "-"},
	{`adjtimex({modes=ADJ_OFFSET_SS_READ})`, "-"},
	{`adjtimex({modes=ADJ_TICK, tick=1})`, "?EINVAL EPERM EPERM ?EINVAL EPERM EPERM"},
	{`adjtimex({modes=0x8000})`, "EINVAL"},
	{`adjtimex(NULL)`, "EFAULT"},
	{`clock_adjtime(CLOCK_REALTIME, {modes=0})`, "-"},
	{`clock_adjtime(CLOCK_MONOTONIC, {modes=0})`, "EOPNOTSUPP"},
	{`clock_adjtime(12, {modes=0})`, "EINVAL"},
	{`clock_adjtime(12, NULL)`, "EFAULT"},
	{`reboot(0, 0, LINUX_REBOOT_CMD_CAD_OFF)`, "EINVAL EPERM EPERM EINVAL EPERM EPERM"},
	{`reboot(LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF)`, "!?- EPERM EPERM !?- EPERM EPERM"},
	{`init_module(0x1000, 0, "")`, "ENOSYS@MODULES"},
	{`finit_module(0, "", 0)`, "ENOSYS@MODULES"},
	{`delete_module("story", 0)`, "ENOSYS@MODULES"},
	{`kexec_load(0, 0, NULL, 0)`, "ENOSYS@KEXEC"},
	{`kexec_file_load(-1, -1, 0, NULL, 0)`, "ENOSYS@KEXEC_FILE"},
	{`iopl(3)`, "ENOSYS@IOPL"},
	{`ioperm(0, 1, 1)`, "ENOSYS@IOPL"},
	{`syslog(SYSLOG_ACTION_SIZE_BUFFER)`, "- EPERM@DMESG EPERM@DMESG - EPERM@DMESG EPERM@DMESG"},
	{`syslog(SYSLOG_ACTION_SIZE_UNREAD)`, "- EPERM EPERM - EPERM EPERM"},
	{`syslog(SYSLOG_ACTION_OPEN)`, "- EPERM EPERM - EPERM EPERM"},
	{`syslog(99)`, "EINVAL EPERM EPERM EINVAL EPERM EPERM"},
	{`syslog(SYSLOG_ACTION_CONSOLE_LEVEL, NULL, 99)`, "EINVAL EPERM EPERM EINVAL EPERM EPERM"},
	{`syslog(SYSLOG_ACTION_READ_ALL, NULL, 10)`, "EINVAL EPERM@DMESG/EINVAL EPERM@DMESG/EINVAL EINVAL EPERM@DMESG/EINVAL EPERM@DMESG/EINVAL"},
	{`swapon("/none", 0xf000000)`, "EINVAL"}, // the flags come before who may
	{`swapon("/none", 0)`, "?ENOENT EPERM EPERM EPERM EPERM EPERM"},
	{`swapon("", 0)`, "ENOENT EPERM EPERM EPERM EPERM EPERM"},
	{`swapoff("/none")`, "?ENOENT EPERM EPERM EPERM EPERM EPERM"},
	{`swapoff(NULL)`, "EFAULT EPERM EPERM EPERM EPERM EPERM"},
	{`acct("/none")`, "?ENOENT EPERM EPERM ?ENOENT EPERM EPERM"},
	{`acct(NULL)`, "!- EPERM EPERM !- EPERM EPERM"},
	{`quotactl(3, "/none", 0, NULL)`, "EINVAL"},
	{`quotactl(0x80000200, NULL, 0, NULL)`, "ENODEV"},
	{`quotactl(0x80000700, "/none", 0, NULL)`, "?ENOENT"},
	{`quotactl_fd(99, 3, 0, NULL)`, "EBADF"},
	{`vhangup()`, "!- EPERM EPERM !- EPERM EPERM"},
}

var restrictedCases = []row{
	{`bpf(BPF_MAP_CREATE, {map_type=BPF_MAP_TYPE_ARRAY, key_size=4, value_size=4, max_entries=1}, 48)`, "- EPERM@BPF EPERM@BPF - EPERM@BPF EPERM@BPF"},
	{`bpf(BPF_MAP_CREATE, {map_type=BPF_MAP_TYPE_LRU_HASH, key_size=4, value_size=4, max_entries=16}, 48)`, "- EPERM EPERM - EPERM EPERM"},
	{`bpf(BPF_MAP_CREATE, {map_type=99, key_size=4, value_size=4, max_entries=1}, 48)`, "EINVAL"},
	{`bpf(BPF_PROG_LOAD, {prog_type=BPF_PROG_TYPE_SOCKET_FILTER, insn_cnt=0}, 120)`, "E2BIG EPERM@BPF/E2BIG EPERM@BPF/E2BIG E2BIG EPERM@BPF/E2BIG EPERM@BPF/E2BIG"},
	{`bpf(BPF_PROG_LOAD, {prog_type=BPF_PROG_TYPE_XDP, insn_cnt=1}, 120)`, "?EFAULT EPERM EPERM EPERM EPERM EPERM"}, // CAP_NET_ADMIN too
	{`bpf(BPF_PROG_LOAD, {prog_type=BPF_PROG_TYPE_KPROBE, insn_cnt=1}, 120)`, "?EFAULT EPERM EPERM ?EFAULT EPERM EPERM"},
	{`bpf(BPF_PROG_GET_NEXT_ID, {start_id=0x7ffffffe}, 12)`, "?ENOENT EPERM EPERM EPERM EPERM EPERM"},
	{`bpf(BPF_PROG_GET_NEXT_ID, {start_id=0x7fffffff}, 12)`, "EINVAL"},
	{`bpf(BPF_MAP_GET_FD_BY_ID, {map_id=0x7ffffffe}, 12)`, "?ENOENT EPERM EPERM EPERM EPERM EPERM"},
	{`bpf(BPF_BTF_LOAD, {btf=0, btf_size=1}, 32)`, "?EFAULT EPERM EPERM ?EFAULT EPERM EPERM"},
	{`bpf(BPF_PROG_QUERY, {prog_fd=99}, 32)`, "?EBADF EPERM EPERM EPERM EPERM EPERM"},
	{`bpf(BPF_MAP_LOOKUP_ELEM, {map_fd=99}, 32)`, "?EBADF"},
	{`bpf(99, {map_fd=0}, 4)`, "EINVAL"},
	{`bpf(BPF_MAP_CREATE, {map_type=BPF_MAP_TYPE_ARRAY}, 5000)`, "E2BIG"},
	{`bpf(BPF_MAP_CREATE, NULL, 48)`, "EFAULT"},
	{`perf_event_open({type=PERF_TYPE_SOFTWARE, size=112, config=PERF_COUNT_SW_DUMMY, exclude_kernel=1}, 0, -1, -1, 0)`, "-"},
	{`perf_event_open({type=PERF_TYPE_SOFTWARE, size=112, config=PERF_COUNT_SW_DUMMY}, 0, -1, -1, 0)`, "- EACCES@PERF EACCES@PERF - EACCES@PERF EACCES@PERF"},
	{`perf_event_open({type=PERF_TYPE_SOFTWARE, size=112, config=PERF_COUNT_SW_DUMMY, exclude_kernel=1}, -1, 0, -1, 0)`, "- EACCES EACCES - EACCES EACCES"},
	{`perf_event_open({type=PERF_TYPE_SOFTWARE, size=112, config=PERF_COUNT_SW_DUMMY, exclude_kernel=1}, $u1000, -1, -1, 0)`, "- EACCES - - EACCES EACCES"},
	{`perf_event_open({type=PERF_TYPE_SOFTWARE, size=112, config=PERF_COUNT_SW_DUMMY, exclude_kernel=1}, $root, -1, -1, 0)`, "- EACCES EACCES - EACCES EACCES"},
	{`perf_event_open({type=PERF_TYPE_SOFTWARE, size=112, config=PERF_COUNT_SW_DUMMY, exclude_kernel=1}, $inside, -1, -1, 0)`, "- - EACCES - - EACCES"},
	{`perf_event_open({type=PERF_TYPE_SOFTWARE, size=112, config=PERF_COUNT_SW_DUMMY, exclude_kernel=1}, $missing, -1, -1, 0)`, "ESRCH"},
	{`perf_event_open({type=PERF_TYPE_SOFTWARE, size=112, config=PERF_COUNT_SW_DUMMY, exclude_kernel=1}, -1, -1, -1, 0)`, "EINVAL"},
	{`perf_event_open({type=PERF_TYPE_SOFTWARE, size=112, config=PERF_COUNT_SW_DUMMY, namespaces=1, exclude_kernel=1}, 0, -1, -1, 0)`, "- EACCES EACCES - EACCES EACCES"},
	{`perf_event_open({type=PERF_TYPE_SOFTWARE, size=112, exclude_kernel=1}, 0, -1, -1, 16)`, "EINVAL"},
	{`perf_event_open({type=PERF_TYPE_SOFTWARE, size=8}, 0, -1, -1, 0)`, "E2BIG"},
	{`perf_event_open(NULL, 0, -1, -1, 0)`, "EFAULT"},
	{`io_uring_setup(1, {flags=0})`, "-"},
	{`io_uring_setup(0, {flags=0})`, "EINVAL"},
	{`io_uring_setup(40000, {flags=0})`, "EINVAL"},
	{`io_uring_setup(1, {flags=IORING_SETUP_CLAMP})`, "-"},
	{`io_uring_setup(1, {flags=0, resv=1})`, "EINVAL"},
	{`io_uring_setup(1, NULL)`, "EFAULT"},
	{`io_uring_enter(99, 0, 0, 0, NULL, 0)`, "EBADF"},
	{`io_uring_enter(99, 0, 0, 0x10000, NULL, 0)`, "EINVAL"},
	{`io_uring_register(99, 0, NULL, 0)`, "EBADF"},
	{`io_uring_enter(52, 0, 0, 0, NULL, 0)`, "EOPNOTSUPP"},
	{`io_uring_register(52, 0, NULL, 0)`, "EOPNOTSUPP"},
	{`io_uring_enter(53, 0, 0, 0, NULL, 0)`, "EBADF"}, // O_PATH
	{`io_uring_register(53, 0, NULL, 0)`, "EBADF"},
	{`io_uring_register(99, 0x1000, NULL, 0)`, "EINVAL"},
	{`userfaultfd(0)`, "- EPERM@UFFD EPERM@UFFD - EPERM@UFFD EPERM@UFFD"},
	{`userfaultfd(UFFD_USER_MODE_ONLY)`, "-"},
	{`userfaultfd(O_CLOEXEC|0x100)`, "EINVAL EPERM@UFFD/EINVAL EPERM@UFFD/EINVAL EINVAL EPERM@UFFD/EINVAL EPERM@UFFD/EINVAL"},
	{`userfaultfd(UFFD_USER_MODE_ONLY|0x100)`, "EINVAL"},
	{`memfd_secret(0)`, "ENOSYS@SECRETMEM/-"},
	{`memfd_secret(8)`, "ENOSYS@SECRETMEM/EINVAL"},
	{`add_key("user", "story", "x", 1, KEY_SPEC_THREAD_KEYRING)`, "?-"},
	{`add_key("story", "story", "x", 1, KEY_SPEC_THREAD_KEYRING)`, "?ENODEV"},
	{`add_key("", "story", "x", 1, KEY_SPEC_THREAD_KEYRING)`, "EINVAL"},
	{`add_key(".story", "story", "x", 1, KEY_SPEC_THREAD_KEYRING)`, "EPERM"},
	{`add_key("keyring", ".story", NULL, 0, KEY_SPEC_THREAD_KEYRING)`, "EPERM"},
	{`add_key(".story", "story", NULL, 2000000, KEY_SPEC_THREAD_KEYRING)`, "EINVAL"},
	{`add_key(NULL, "story", NULL, 0, KEY_SPEC_THREAD_KEYRING)`, "EFAULT"},
	{`add_key("user", "story", NULL, 5, KEY_SPEC_THREAD_KEYRING)`, "EFAULT"},
	{`request_key("user", "story:none", NULL, 0)`, "?ENOKEY"},
	{`request_key(".user", "story:none", NULL, 0)`, "EPERM"},
	{`keyctl(99)`, "EOPNOTSUPP"},
	{`keyctl(KEYCTL_SETPERM, 1, 0xffffffff)`, "EINVAL"},
	{`keyctl(KEYCTL_CHOWN, 1, 0xffffffff, 0xffffffff)`, "-"},
	{`keyctl(KEYCTL_REVOKE, 0x7ffffff0)`, "?ENOKEY"},
}

// uncheckedCases are refused to nobody.
var uncheckedCases = []row{
	{`getpid()`, "-"}, {`gettid()`, "-"}, {`getppid()`, "-"}, {`getuid()`, "-"}, {`geteuid()`, "-"}, {`getgid()`, "-"}, {`getegid()`, "-"}, {`getpgrp()`, "-"},
	{`sched_yield()`, "-"}, {`munlockall()`, "-"}, {`personality(0xffffffff)`, "-"}, {`alarm(0)`, "-"}, {`set_tid_address(0x1000)`, "-"},
	{`uname()`, "-"}, {`uname(NULL)`, "EFAULT"}, {`sysinfo()`, "-"}, {`sysinfo(NULL)`, "EFAULT"}, {`times()`, "-"}, {`times(NULL)`, "-"}, {`time(NULL)`, "-"},
	{`gettimeofday()`, "-"}, {`gettimeofday(NULL, NULL)`, "-"}, {`getcpu(NULL, NULL)`, "-"}, {`getresuid()`, "-"}, {`getresuid(NULL, NULL, NULL)`, "EFAULT"}, {`getresgid()`, "-"},
	{`clock_gettime(CLOCK_MONOTONIC)`, "-"}, {`clock_gettime(CLOCK_MONOTONIC, NULL)`, "EFAULT"}, {`clock_gettime(12)`, "EINVAL"}, {`clock_getres(CLOCK_REALTIME, NULL)`, "-"},
	{`getrandom(0x1000, 8, 0)`, "-"}, {`getrandom(NULL, 8, 0)`, "EFAULT"}, {`getrandom(NULL, 0, 0)`, "-"}, {`getrandom(0x1000, 8, 8)`, "EINVAL"}, {`getrandom(0x1000, 8, 6)`, "EINVAL"},
	{`getrusage(RUSAGE_SELF)`, "-"}, {`getrusage(5)`, "EINVAL"}, {`getrusage(RUSAGE_SELF, NULL)`, "EFAULT"},
	{`sched_get_priority_max(SCHED_FIFO)`, "-"}, {`sched_get_priority_min(99)`, "EINVAL"},
}

// conditions are what the words behind @ in these tables stand for: whether the errno before it holds on this machine.
func (p *processes) conditions() map[string]bool {
	off := func(f kernel.Feature) bool { return !p.Features[f].V }
	return map[string]bool{"MODULES": off(kernel.Modules), "KEXEC": off(kernel.Kexec), "KEXEC_FILE": off(kernel.KexecFile), "IOPL": off(kernel.IOPLPermission),
		"DMESG": p.Sysctl(kernel.DmesgRestrict).V > 0, "BPF": p.Sysctl(kernel.UnprivilegedBPFDisabled).V > 0, "LAYOUT": p.Kernel.Has(kernel.MemoryReadPerfmon) == kernel.Yes, "PERF": p.Sysctl(kernel.PerfEventParanoid).V > 1,
		"UFFD": p.Sysctl(kernel.UnprivilegedUserfaultfd).V == 0, "SECRETMEM": off(kernel.SecretMemory), "RING": p.Kernel.Has(kernel.RingMemoryLocked) == kernel.Yes}
}

// TestKernelSystem: clocks, modules, swap and what else the whole machine shares; bpf, perf, io_uring, keys; calls that nobody
// is refused.
func TestKernelSystem(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	p := newProcesses(newLab(t, dir, "file f 644 0:0"))
	p.open(52, "f", unix.O_RDONLY)
	p.open(53, "f", unix.O_PATH)
	p.targets()
	tasks := p.everybody(systemCaps...)
	for _, table := range [][]row{systemCases, restrictedCases, uncheckedCases} {
		p.table(tasks, p.here(table))
	}
	admin := []who{{name: "root with CAP_SYS_ADMIN", caps: world.Caps(kernel.CapSysAdmin)}}
	p.table(admin, p.here([]row{ // CAP_SYS_ADMIN stands for CAP_PERFMON and CAP_BPF, not for CAP_SYSLOG and CAP_SYS_PTRACE
		{`syslog(SYSLOG_ACTION_SIZE_BUFFER)`, "EPERM@DMESG"},
		{`userfaultfd(0)`, "EPERM@UFFD"},
		{`bpf(BPF_MAP_CREATE, {map_type=BPF_MAP_TYPE_ARRAY, key_size=4, value_size=4, max_entries=1}, 48)`, "-"},
		{`perf_event_open({type=PERF_TYPE_SOFTWARE, size=112, config=PERF_COUNT_SW_DUMMY}, 0, -1, -1, 0)`, "-"},
		{`ioprio_set(IOPRIO_WHO_PROCESS, 0, 8192)`, "-"},
		{`sched_setscheduler(0, SCHED_FIFO, [1])`, "EPERM"},
	}))
	p.features(tasks)
}

// features foresees kernels that are built and set up in another way.
func (p *processes) features(tasks []who) {
	p.t.Helper()
	features, sysctls := p.Features, p.Sysctls
	defer func() { p.Features, p.Sysctls = features, sysctls }()
	for f := range p.Features {
		p.Features[f] = world.Given(true, p.at)
	}
	set := func(s kernel.Sysctl, v int) { p.Sysctls[s] = world.Given(v, p.at) }
	set(kernel.ModulesDisabled, 0)
	set(kernel.KexecLoadDisabled, 0)
	p.foresee(tasks, []row{
		{`init_module(0x1000, 0, "")`, "ENOEXEC EPERM EPERM ENOEXEC EPERM EPERM"},
		{`finit_module(0, "", 99)`, "EINVAL EPERM EPERM EINVAL EPERM EPERM"},
		{`delete_module("story", 0)`, "?ENOENT EPERM EPERM ?ENOENT EPERM EPERM"},
		{`kexec_load(0, 0, NULL, 0)`, "?EINVAL EPERM EPERM ?EINVAL EPERM EPERM"},
		{`iopl(3)`, "- EPERM EPERM - EPERM EPERM"},
		{`iopl(4)`, "EINVAL"},
		{`ioperm(0, 1, 1)`, "- EPERM EPERM - EPERM EPERM"},
		{`ioperm(0, 65537, 1)`, "EINVAL"},
	})
	p.LSMs = world.Given([]string{"lockdown", "capability"}, p.at)
	p.Lockdown = world.Given("integrity", p.at)
	set(kernel.ModulesDisabled, 1)
	set(kernel.IOUringDisabled, 1)
	set(kernel.IOUringGroup, 1000)
	p.foresee(tasks, []row{
		{`init_module(0x1000, 0, "")`, "EPERM"},
		{`kexec_load(0, 0, NULL, 0)`, "EPERM"},
		{`iopl(3)`, "EPERM"},
		{`io_uring_setup(1, {flags=0})`, "- EPERM - - EPERM EPERM"},
	})
	set(kernel.IOUringDisabled, 2)
	set(kernel.DmesgRestrict, 0)
	set(kernel.UnprivilegedBPFDisabled, 0)
	set(kernel.PerfEventParanoid, -1)
	set(kernel.UnprivilegedUserfaultfd, 1)
	p.foresee(tasks, []row{
		{`io_uring_setup(1, {flags=0})`, "EPERM"},
		{`syslog(SYSLOG_ACTION_SIZE_BUFFER)`, "-"},
		{`syslog(SYSLOG_ACTION_SIZE_UNREAD)`, "- EPERM EPERM - EPERM EPERM"},
		{`bpf(BPF_MAP_CREATE, {map_type=BPF_MAP_TYPE_ARRAY, key_size=4, value_size=4, max_entries=1}, 48)`, "-"},
		{`bpf(BPF_MAP_CREATE, {map_type=BPF_MAP_TYPE_LRU_HASH, key_size=4, value_size=4, max_entries=16}, 48)`, "- EPERM EPERM - EPERM EPERM"},
		{`bpf(BPF_PROG_LOAD, {prog_type=BPF_PROG_TYPE_SOCKET_FILTER, insn_cnt=1}, 120)`, "?EACCES"},
		{`perf_event_open({type=PERF_TYPE_SOFTWARE, size=112, config=PERF_COUNT_SW_DUMMY}, -1, 0, -1, 0)`, "-"},
		{`userfaultfd(0)`, "-"},
	})
	p.Features[kernel.ShadowStacks] = world.Given(false, p.at)
	p.foresee(tasks, []row{{`map_shadow_stack(0, 4096, 0)`, "ENOSYS"}})
	p.Features[kernel.Modules].At = p.Miss("whether the kernel has modules is not known", "")
	for _, task := range tasks[1:3] { // denied in either case, with one errno or the other
		if e := p.predict(task, `init_module(0x1000, 0, "")`); e.verdict != story.Denied || e.errno != 0 || !e.check.Has(story.ENOSYS) || !e.check.Has(story.EPERM) {
			p.t.Errorf("init_module on a kernel of which nothing is known: %v", e)
		}
	}
}

package explain_test

import (
	"testing"

	"syscallstory/explain"
	"syscallstory/kernel"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// sampleCalls are calls of many routes, with endings of all kinds.
var sampleCalls = []string{
	`open("/", O_RDONLY)`, `openat(AT_FDCWD, "/none", O_RDWR|O_CREAT, 0644)`, `stat("/none")`, `access("/", W_OK)`, `mkdir("/", 0755)`, `unlink("/none")`, `rename("/a", "/b")`, `chmod("/", 0700)`,
	`chown("/", 1, 1)`, `mount("tmpfs", "/", "tmpfs", 0)`, `chroot("/")`, `readlink("/")`, `truncate("/", 0)`,
	`kill(1, SIGTERM)`, `kill(7, SIGCONT)`, `kill(0, 0)`, `kill(-1, 0)`, `tgkill(7, 7, SIGTERM)`, `rt_sigqueueinfo(7, SIGURG, {si_code=SI_QUEUE})`, `pidfd_open(7, 0)`, `pidfd_send_signal(9, 0)`,
	`ptrace(PTRACE_ATTACH, 7, NULL, NULL)`, `ptrace(PTRACE_TRACEME, 0)`, `ptrace(PTRACE_CONT, 7, NULL, 0)`, `process_vm_readv(7, [{iov_base="", iov_len=8}], 1, [{iov_base=0x1000, iov_len=8}], 1, 0)`,
	`kcmp(7, 7, KCMP_VM, 0, 0)`, `get_robust_list(7)`, `getpgid(7)`, `setpgid(7, 0)`, `setsid()`, `setpriority(PRIO_PROCESS, 7, -5)`, `getpriority(PRIO_USER, 0)`,
	`sched_setscheduler(7, SCHED_FIFO, [1])`, `sched_setattr(0, {size=48, sched_policy=SCHED_OTHER, sched_nice=-5}, 0)`, `sched_setaffinity(7, 128, [0])`, `sched_getaffinity(7, 8)`,
	`ioprio_set(IOPRIO_WHO_PROCESS, 7, 8192)`, `prlimit64(7, RLIMIT_CORE, NULL)`, `setrlimit(RLIMIT_NOFILE, {rlim_cur=1, rlim_max=2000000})`, `mlock(0x1000, 8192)`, `mlockall(MCL_CURRENT)`,
	`migrate_pages(7, 0, NULL, NULL)`, `move_pages(7, 0, NULL, NULL, NULL, MPOL_MF_MOVE_ALL)`, `settimeofday({tv_sec=1, tv_usec=0}, NULL)`, `clock_settime(CLOCK_REALTIME, {tv_sec=1, tv_nsec=0})`,
	`adjtimex({modes=ADJ_TICK, tick=1})`, `reboot(0, 0, 0)`, `init_module(0x1000, 0, "")`, `delete_module("x", 0)`, `kexec_load(0, 0, NULL, 0)`, `syslog(SYSLOG_ACTION_READ_ALL, NULL, 0)`,
	`swapon("/x", 0)`, `acct(NULL)`, `quotactl(0x80000200, NULL, 0, NULL)`, `iopl(3)`, `vhangup()`, `bpf(BPF_MAP_CREATE, {map_type=BPF_MAP_TYPE_ARRAY, key_size=4, value_size=4, max_entries=1}, 48)`,
	`bpf(BPF_PROG_LOAD, {prog_type=BPF_PROG_TYPE_XDP, insn_cnt=1}, 120)`, `perf_event_open({type=PERF_TYPE_SOFTWARE, size=112}, 0, -1, -1, 0)`, `io_uring_setup(1, {flags=0})`, `userfaultfd(0)`,
	`shmget(0x10, 4096, IPC_CREAT|0600)`, `shmget(IPC_PRIVATE, 4096, 0)`, `shmat(0, NULL, 0)`, `shmctl(0, IPC_RMID, NULL)`, `msgget(7, 0600)`, `msgsnd(0, {1, "x"}, 1, IPC_NOWAIT)`, `msgrcv(0, 0x1000, 1, 0, 0)`,
	`msgctl(0, IPC_STAT, {})`, `semget(7, 1, 0)`, `semop(0, [{sem_num=0, sem_op=1}], 1)`, `semctl(0, 0, GETVAL)`, `mq_open("x", O_RDWR|O_CREAT, 0600)`, `mq_unlink("x")`, `mq_notify(0, NULL)`,
	`munmap(0x1000, 4096)`, `madvise(0x1000, 4096, MADV_DONTNEED)`, `futex(0x1000, 0, 0)`, `epoll_ctl(0, EPOLL_CTL_ADD, 1, {events=EPOLLIN})`, `splice(0, NULL, 1, NULL, 4, 0)`, `timerfd_create(CLOCK_BOOTTIME_ALARM, 0)`,
	`wait4(-1, NULL, 0, NULL)`, `poll(NULL, 0, -1)`, `getsockopt(0, SOL_SOCKET, SO_TYPE, NULL, NULL)`, `sendto(0, "x", 1, 0, NULL, 0)`, `rt_sigaction(SIGTERM, NULL, NULL, 8)`, `close_range(3, 9, 0)`,
	`memfd_secret(0)`, `add_key("user", "x", "y", 1, KEY_SPEC_THREAD_KEYRING)`, `keyctl(KEYCTL_REVOKE, 5)`, `getpid()`, `getrandom(NULL, 8, 0)`, `clock_gettime(CLOCK_MONOTONIC)`,
}

// TestVerdictAllocates: the quick verdict of every one of these does not allocate, for tasks that may and may not.
func TestVerdictAllocates(t *testing.T) {
	for name, caps := range map[string]world.CapSet{"without capabilities": 0, "with all": world.AllCaps} {
		w := systemWorld(caps)
		j, err := explain.Bind(w, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range sampleCalls {
			call, err := syscalls.Parse(syscalls.X8664, text)
			if err != nil {
				t.Fatal(err)
			}
			if !explain.Routed(call.Name) {
				t.Errorf("%s has no route", call.Name)
			}
			j.Verdict(call)
			if n := testing.AllocsPerRun(20, func() { j.Verdict(call) }); n != 0 {
				t.Errorf("%s %s allocates %v times", text, name, n)
			}
		}
	}
}

// systemWorld has a root directory, a process of another user, and every fact about the machine.
func systemWorld(caps world.CapSet) *world.World {
	w := world.New()
	at := w.Text("the test")
	sb := w.FS.NewSB(world.SB{Type: "tmpfs", At: at, FlagsAt: at}, world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, At: at, Whole: true})
	root := w.FS.SB(sb).Root
	id := w.Attach(world.Path{}, world.Mount{Root: root, SB: sb, Point: "/", Origin: at, Why: at})
	w.Task.Root = world.Path{Mount: id, Dentry: root}
	w.Task.Cwd = w.Task.Root
	w.Task.Cred = world.Cred{RUID: 1000, EUID: 1000, SUID: 1000, FSUID: 1000, RGID: 1000, EGID: 1000, SGID: 1000, FSGID: 1000, Permitted: caps, Effective: caps, Bounding: world.AllCaps,
		UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at}
	w.Kernel, w.KernelAt = kernel.Release{Major: 6, Minor: 18, Patch: 44}, at
	w.Arch = "x86_64"
	w.LSMs = world.Given([]string{"capability"}, at)
	w.Task.NoFile, w.Task.OpenFDs, w.Task.FDsAt = world.Given(1024, at), world.Given(3, at), at
	w.Task.NS = w.InitialNamespaces(at)
	w.Task.PID, w.ProcessesAt, w.Task.Fresh = 1, at, true
	w.Processes = []world.Process{{PID: 1, Cred: w.Task.Cred, Dumpable: true, Session: 1, Group: 1, At: at}, {PID: 7, Dumpable: true, Session: 7, Group: 7, At: at}}
	for i := range w.Task.Rlimits {
		w.Task.Rlimits[i] = world.Given(world.Rlimit{Cur: 4096, Max: 4096}, at)
	}
	for s := range w.Sysctls {
		w.Sysctls[s] = world.Given(1, at)
	}
	for f := range w.Features {
		w.Features[f] = world.Given(true, at)
	}
	return w
}

package fix_test

import (
	"testing"

	"syscallstory/from/edits"
	"syscallstory/kernel"
	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/world"
)

func added(caps string) string {
	return "    securityContext: {capabilities: {drop: [ALL], add: [" + caps + "]}}\n"
}

// podFamilies are refusals of the other families of calls.
var podFamilies = []podCase{
	// files and their attributes
	{story.AppendDirectory, "", "", `unlink("/data/appdir/f")`, "host"},
	{story.GroupOnly, uid("7"), "", `chown("/data/f7", -1, 4000)`, ""},
	{story.XattrSticky, uid("7"), "", `setxattr("/data/sticky", "user.a", "v", 1, 0)`, ""},
	{story.SysctlMode, uid("7"), "", `open("/proc/sys/fs/protected_hardlinks", O_RDONLY)`, "yaml"},
	{story.NameExists, "", "", `mkdir("/data/d700", 0700)`, "call"},
	{story.UserNSIDs, "", userns, `chmod("/data/far", 0600)`, "host"},
	{story.UserNSArgument, "", userns, `chown("/data/f666", 70000, -1)`, "yaml"},
	{story.XattrUnmapped, "", userns, `setxattr("/data/far", "user.a", "v", 1, 0)`, "host"},
	{story.HandleDecode, drop, "", `open_by_handle_at(AT_FDCWD, {handle_bytes=8, handle_type=1}, O_RDONLY)`, "yaml"},
	{story.FanotifyUnprivileged, "", "", `fanotify_init(FAN_CLASS_CONTENT, O_RDONLY)`, "yaml"},
	{story.MapMinAddr, "", "", `mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)`, ""},
	{story.MemfdNoExec, "", "", `memfd_create("x", MFD_EXEC)`, "node"},
	{story.HostPathType, "", "    # type\n", `open("/data", O_RDONLY)`, "yaml"},
	// mounts
	{story.CapNeeded, "", "", `mount("tmpfs", "/data", "tmpfs", 0, NULL)`, "yaml"},
	{story.CapNeeded, uid("7"), "", `mount("tmpfs", "/data", "tmpfs", 0, NULL)`, "yaml"}, // the capability, and to be root
	{story.CapNeeded, "", "", `pivot_root("/data", "/data")`, "yaml"},
	{story.CapNeeded, "", "", `fsopen("tmpfs", 0)`, "yaml"},
	// namespaces
	{story.CapNeeded, "", "", `unshare(CLONE_NEWNS)`, "yaml"},
	{story.CapNeeded, uid("7"), "", `sethostname("x", 1)`, "yaml"},
	{story.NamespaceLimit, added("SYS_ADMIN"), "", `unshare(CLONE_NEWTIME)`, "node"},
	{story.UserNSUnprivileged, uid("7"), "", `unshare(CLONE_NEWUSER)`, ""},
	{story.UserNSCap, added("SYS_TTY_CONFIG"), userns, `vhangup()`, "yaml"},
	{story.UserNSCap, "", userns, `mknod("/data/new", S_IFBLK|0600, makedev(7, 0))`, "yaml"},
	// credentials
	{story.CapNeeded, drop, "", `setuid(5)`, "yaml"},
	{story.CapNeeded, drop, "", `setgroups(1, [5])`, "yaml"},
	{story.CapsetBeyond, "", "", `capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=0, permitted=1<<CAP_NET_ADMIN, inheritable=0})`, "yaml"},
	{story.SetgroupsOpen, "", "", `open("/proc/self/setgroups", O_WRONLY)`, "yaml"},
	{story.IDUnmapped, "", userns, `setuid(100000)`, "yaml"},
	{story.SeccompInstall, "", "", `seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=1, filter=[BPF_STMT(BPF_RET|BPF_K, SECCOMP_RET_ALLOW)]})`, "yaml"},
	// sockets
	{story.NetCapability, drop, "", `socket(AF_PACKET, SOCK_RAW, 0)`, "yaml"},
	{story.NetCapability, drop, "", `socket(AF_INET, SOCK_RAW, 1)`, "yaml"},
	// the system
	{story.CapNeeded, "", "", `vhangup()`, "yaml"},
	{story.SettingNeedsCap, "", "", `syslog(SYSLOG_ACTION_SIZE_BUFFER)`, ""},
	{story.SettingForbids, "", "", `io_uring_setup(1, {flags=0})`, "node"},
	{story.SysctlRefused, "", "  securityContext: {sysctls: [{name: vm.swappiness, value: '1'}]}\n", `getpid()`, "yaml"},
}

// machineCase is a call of a task whose world is made by hand.
type machineCase struct {
	code   story.Code
	change func(w *world.World)
	call   string
	kind   string
}

var machineCases = []machineCase{
	{story.NoSyscall, func(w *world.World) { w.Kernel, _ = kernel.ParseRelease("5.5") }, `openat2(AT_FDCWD, "/d", {flags=O_RDONLY})`, "call"},
	{story.SuperReadOnly, func(w *world.World) { w.FS.SB(1).Flags |= world.SBReadOnly }, `mkdir("/d/x", 0700)`, "host"},
	{story.ModeBits, func(w *world.World) { become(w, 9); file(w, "prog").Mode = world.TypeReg | 0o700 }, `execve("/prog", ["x"], [])`, "host"},
	{story.ModeNoExec, func(w *world.World) { nested(w); w.Task.Cred.UserNS = 0; file(w, "prog").Mode = world.TypeReg | 0o644 }, `execve("/prog", ["x"], [])`, "host"},
	{story.MountNoExec, func(w *world.World) { w.Mounts[1].Flags |= world.MountNoExec }, `execve("/prog", ["x"], [])`, "host"},
	{story.MountNoDev, func(w *world.World) {
		w.Mounts[1].Flags |= world.MountNoDev
		w.FS.Add(w.Task.Root.Dentry, "null", world.Inode{Mode: world.TypeChar | 0o666, Major: 1, Minor: 3, Known: world.KnownAll, Nlink: 1, At: w.Text("the test")})
	}, `open("/null", O_RDWR)`, "host"},
	{story.MapNoExec, func(w *world.World) { w.Mounts[1].Flags |= world.MountNoExec; opened(w, "file") }, `mmap(NULL, 4096, PROT_READ|PROT_EXEC, MAP_PRIVATE, 3, 0)`, "host"},
	{story.MapAppend, func(w *world.World) { opened(w, "file").Attr |= world.AttrAppend }, `mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3, 0)`, "host"},
	{story.LeaseOwner, func(w *world.World) { opened(w, "file"); become(w, 9) }, `fcntl(3, F_SETLEASE, F_UNLCK)`, ""},
	{story.XattrTrusted, func(w *world.World) {
		opened(w, "file").Xattrs = []world.Xattr{{Name: "trusted.a", Size: 1}}
	}, `getxattr("/file", "trusted.a", 0x1, 100)`, "process"},
	{story.ExecIncapable, func(w *world.World) {
		file(w, "prog").Caps = &world.FileCaps{Permitted: world.Caps(kernel.CapSysTime), Effective: true, Version: 2}
	}, `execve("/prog", ["x"], [])`, "host"},
	{story.ExecBadCaps, func(w *world.World) { file(w, "prog").Caps = &world.FileCaps{} }, `execve("/prog", ["x"], [])`, "host"},
	{story.FileTable, func(w *world.World) {
		at := w.Text("the test")
		w.Task.NoFile, w.Task.OpenFDs, w.Task.Rlimits[7] = world.Given(3, at), world.Given(3, at), world.Given(world.Rlimit{Cur: 3, Max: 9}, at)
	}, `dup(0</file>)`, "host"},
	{story.FileSizeLimit, func(w *world.World) {
		w.Task.Rlimits[1] = world.Given(world.Rlimit{Cur: 3, Max: 3}, w.Text("the test"))
	}, `truncate("/file", 100)`, "host"},
	{story.ProcessLimit, func(w *world.World) {
		become(w, 9)
		w.Task.Rlimits[6] = world.Given(world.Rlimit{Cur: 1, Max: 1}, w.Text("the test"))
		processes(w)
	}, `fork()`, "host"},
	{story.MemoryLock, func(w *world.World) {
		become(w, 9)
		w.Task.Rlimits[8] = world.Given(world.Rlimit{}, w.Text("the test"))
	}, `mlock(0x1000, 4096)`, ""},
	{story.PriorityLimit, func(w *world.World) {
		become(w, 9)
		for _, l := range []int{13, 14} {
			w.Task.Rlimits[l] = world.Given(world.Rlimit{}, w.Text("the test"))
		}
		processes(w)
	}, `setpriority(PRIO_PROCESS, 0, -5)`, ""},
	{story.ProcessOwner, func(w *world.World) { become(w, 9); processes(w) }, `kill(8, SIGTERM)`, ""},
	{story.ProcessCaps, func(w *world.World) { processes(w); w.Processes[1].Cred.Permitted = world.AllCaps }, `ptrace(PTRACE_SEIZE, 8, NULL, NULL)`, "process"},
	{story.ProcessDumpable, func(w *world.World) { processes(w); w.Processes[1].Dumpable = false }, `ptrace(PTRACE_SEIZE, 8, NULL, NULL)`, "process"},
	{story.YamaScope, func(w *world.World) {
		processes(w)
		w.LSMs.V = append(w.LSMs.V, "yama")
		w.Sysctls[kernel.PtraceScope] = world.Given(2, w.Text("the test"))
	}, `ptrace(PTRACE_SEIZE, 8, NULL, NULL)`, ""},
	{story.PrivilegedPort, func(w *world.World) { become(w, 9); socket(w) }, `bind(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("0.0.0.0")}, 16)`, ""},
	{story.PingGroups, func(w *world.World) {
		become(w, 9)
		w.Sysctls[kernel.PingGroupRange] = world.Given(kernel.PackRange(1, 0), w.Text("the test"))
	}, `socket(AF_INET, SOCK_DGRAM, 1)`, "node"},
	{story.NetCapabilityNS, func(w *world.World) { nested(w) }, `socket(AF_PACKET, SOCK_RAW, 0)`, ""},
	{story.MountMax, func(w *world.World) {
		w.Task.Cred.Effective = world.AllCaps
		w.Sysctls[kernel.FSMountMax] = world.Given(1, w.Text("the test"))
	}, `mount("/d", "/d", NULL, MS_BIND, NULL)`, "node"},
	{story.OverlayMounter, func(w *world.World) { w.Task.Cred.Effective = world.AllCaps; layered(w) }, `open("/d/f", O_RDONLY)`, "host"},
	{story.IPCMode, func(w *world.World) { become(w, 9); segment(w) }, `shmat(0, NULL, 0)`, ""},
	{story.QueueMode, func(w *world.World) { become(w, 9); queue(w) }, `mq_open("q", O_RDWR)`, ""},
	{story.QueueSticky, func(w *world.World) { become(w, 9); queue(w) }, `mq_unlink("q")`, ""},
	{story.IPCRaise, func(w *world.World) {
		w.IPC = []world.IPCObject{{Kind: world.IPCMsg, Key: 1, ID: 0, Mode: 0o600, Size: 16384, At: w.Text("the test")}}
		msgmnb, _ := kernel.ParseSysctl("kernel.msgmnb")
		w.Sysctls[msgmnb] = world.Given(16384, w.Text("the test"))
	}, `msgctl(0, IPC_SET, {msg_perm={uid=0, gid=0, mode=0600}, msg_qbytes=20000})`, "process"},
	{story.IPCLimit, func(w *world.World) {
		for name, v := range map[string]int{"kernel.shmmax": 100, "kernel.shmall": 100, "kernel.shmmni": 100} {
			set, _ := kernel.ParseSysctl(name)
			w.Sysctls[set] = world.Given(v, w.Text("the test"))
		}
	}, `shmget(0x20, 4096, IPC_CREAT|0600)`, "node"},
	{story.UserNSCreate, func(w *world.World) {
		nested(w)
		w.FS.SB(1).UserNS = 1
		become(w, 5000)
		w.FS.I(w.Task.Root.Dentry).Mode |= 0o777
	}, `mkdir("/x", 0700)`, ""},
	{story.IPCOwner, func(w *world.World) { become(w, 9); segment(w) }, `shmctl(0, IPC_RMID, NULL)`, ""},
}

// TestEveryCodeHasAFix are the refusals that no Pod leads to, or that are easier to make by hand.
func TestEveryCodeHasAFix(t *testing.T) {
	for _, c := range machineCases {
		t.Run(c.code.String(), func(t *testing.T) {
			checkFix(t, machine(c.change), c.code, c.call, c.kind)
		})
	}
}

// machine is a root without capabilities on a tmpfs.
func machine(change func(w *world.World)) *edits.Machine {
	return &edits.Machine{PID: "7", Near: true, Read: func() (*world.World, error) {
		w := world.New()
		at := w.Text("the test")
		dir := world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, Nlink: 2, At: at}
		sb := w.FS.NewSB(world.SB{Type: "tmpfs", Name: "tmpfs", At: at, FlagsAt: at}, dir)
		root := world.Path{Dentry: w.FS.SB(sb).Root}
		root.Mount = w.Attach(world.Path{}, world.Mount{Root: root.Dentry, SB: sb, Point: "/", Origin: at, Why: at})
		w.MountNS = []world.MountNS{{Root: root.Mount}}
		w.FS.Add(root.Dentry, "d", dir)
		w.FS.Add(root.Dentry, "file", world.Inode{Mode: world.TypeReg | 0o644, Known: world.KnownAll, Nlink: 1, Program: &world.Program{Short: true}, At: at})
		w.FS.Add(root.Dentry, "prog", world.Inode{Mode: world.TypeReg | 0o755, Known: world.KnownAll, Nlink: 1, Program: &world.Program{Kind: world.ProgramELF, Machine: 62, Bits: 64}, At: at})
		w.Kernel, _ = kernel.ParseRelease("6.18")
		w.KernelAt, w.Arch, w.ProcessesAt, w.IPCAt = at, "x86_64", at, at
		w.LSMs, w.Binfmts = world.Given([]string{"capability"}, at), world.Given(false, at)
		for i := range w.Features {
			w.Features[i] = world.Given(true, at)
		}
		w.Sysctls[kernel.IPUnprivilegedPortStart] = world.Given(1024, at)
		w.Task = world.Task{Root: root, Cwd: root, CwdAt: at, Umask: world.Given(uint16(0o22), at), FDsAt: at, NoFile: world.Given(1024, at), OpenFDs: world.Given(3, at), PID: 7,
			Devices: world.Devices{All: true, At: at}, LandlockAt: at, Threads: world.Given(1, at), FSUsers: world.Given(1, at), NS: w.InitialNamespaces(at), Seccomp: world.Seccomp{At: at},
			Cred: world.Cred{UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at, NoNewAt: at, SecurebitsAt: at}}
		for i := range w.Task.Rlimits {
			w.Task.Rlimits[i] = world.Given(world.Rlimit{Cur: ^uint64(0), Max: ^uint64(0)}, at)
		}
		change(w)
		return w, nil
	}}
}

// become makes the task an ordinary user.
func become(w *world.World, id uint32) {
	cr := &w.Task.Cred
	k, g := world.KUID(id), world.KGID(id)
	cr.RUID, cr.EUID, cr.SUID, cr.FSUID = k, k, k, k
	cr.RGID, cr.EGID, cr.SGID, cr.FSGID = g, g, g, g
}

// nested puts the task into a user namespace, as its root with all capabilities.
func nested(w *world.World) {
	m := world.IDMap{{Inside: 0, Outside: 1000, Count: 100}}
	w.UserNS = append(w.UserNS, world.UserNS{Level: 1, UIDs: m, GIDs: m, Name: "child"})
	become(w, 1000)
	cr := &w.Task.Cred
	cr.UserNS, cr.Effective, cr.Permitted, cr.Bounding = 1, world.AllCaps, world.AllCaps, world.AllCaps
}

func file(w *world.World, name string) *world.Inode {
	at, _, _ := w.Resolve(w.Task.Root, w.Task.Root, "/"+name)
	return w.FS.I(at.Dentry)
}

// opened opens a file as descriptor 3.
func opened(w *world.World, name string) *world.Inode {
	at, _, _ := w.Resolve(w.Task.Root, w.Task.Root, "/"+name)
	w.Task.FDs = []world.FD{{N: 3, Path: at, Flags: 2, FlagsAt: w.Text("the test"), At: w.Text("the test")}}
	return w.FS.I(at.Dentry)
}

// processes adds another process, of uid 0.
func processes(w *world.World) {
	at := w.Text("the test")
	c := w.Task.Cred
	c.RUID, c.EUID, c.SUID, c.FSUID, c.RGID, c.EGID, c.SGID, c.FSGID = 0, 0, 0, 0, 0, 0, 0, 0
	w.Processes = []world.Process{{PID: 7, TGID: 7, Cred: w.Task.Cred, Dumpable: true, Session: 1, Group: 1, NS: w.Task.NS, At: at, Rlimits: &w.Task.Rlimits},
		{PID: 8, TGID: 8, Cred: c, Dumpable: true, Session: 1, Group: 1, NS: w.Task.NS, At: at, Rlimits: &w.Task.Rlimits}}
}

// socket opens one as descriptor 3.
func socket(w *world.World) {
	at := w.Text("the test")
	w.Task.FDs = []world.FD{{N: 3, Kind: world.FDSocket, Socket: &world.Socket{Family: 2, Type: 1, NS: w.Task.NS[world.NetNS]}, Flags: 2, FlagsAt: at, At: at}}
}

// layered mounts an overlay at /d, with a file that its mounter may not read.
func layered(w *world.World) {
	at := w.Text("the test")
	dir := world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, Nlink: 2, At: at}
	layer := w.FS.SB(w.FS.NewSB(world.SB{Type: "tmpfs", Name: "layer", At: at, FlagsAt: at}, dir)).Root
	upper := w.FS.SB(w.FS.NewSB(world.SB{Type: "tmpfs", Name: "upper", At: at, FlagsAt: at}, dir)).Root
	w.FS.Add(layer, "f", world.Inode{Mode: world.TypeReg | 0o600, UID: 5, GID: 5, Known: world.KnownAll, Nlink: 1, At: at})
	mounter := w.Task.Cred
	mounter.FSUID, mounter.EUID, mounter.FSGID, mounter.Effective, mounter.Permitted = 6, 6, 6, 0, 0
	sb := overlay.Merger{}.NewOverlay(w.FS, world.SB{Name: "overlay", At: at, FlagsAt: at, Overlay: &world.Overlay{Lower: []world.DentryID{layer}, Names: []string{"0"}, Upper: upper, Mounter: mounter, Redirect: world.Given(false, at), NFSExport: world.Given(false, at)}})
	d, _, _ := w.Resolve(w.Task.Root, w.Task.Root, "/d")
	w.Attach(d, world.Mount{SB: sb, Root: w.FS.SB(sb).Root, Point: "/d", Origin: at, Why: at})
}

// queue is a POSIX message queue of uid 0.
func queue(w *world.World) {
	w.IPC = []world.IPCObject{{Kind: world.IPCQueue, Name: "q", Mode: 0o600, At: w.Text("the test")}}
}

// segment is a shared memory segment of uid 0.
func segment(w *world.World) {
	w.IPC = []world.IPCObject{{Kind: world.IPCShm, Key: 1, ID: 0, Mode: 0o600, Size: 4096, At: w.Text("the test")}}
}

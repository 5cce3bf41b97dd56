package gates

import "fmt"

// xattrCalls get, set, list and remove extended attributes, and what chattr changes.
var xattrCalls = family{
	"getxattr":  {2, func(g *gen, t *Task) string { return fmt.Sprintf("getxattr(%s, %s, 0x1000, 0)", g.path(t), g.xattr()) }},
	"lgetxattr": {1, func(g *gen, t *Task) string { return fmt.Sprintf("lgetxattr(%s, %s, 0x1000, 0)", g.path(t), g.xattr()) }},
	"fgetxattr": {1, func(g *gen, t *Task) string { return fmt.Sprintf("fgetxattr(%s, %s, 0x1000, 0)", g.fd(t), g.xattr()) }},
	"setxattr": {4, func(g *gen, t *Task) string {
		return fmt.Sprintf("setxattr(%s, %s, \"v\", 1, %s)", g.path(t), g.xattr(), g.xattrFlags())
	}},
	"lsetxattr": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("lsetxattr(%s, %s, \"v\", 1, %s)", g.path(t), g.xattr(), g.xattrFlags())
	}},
	"fsetxattr": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("fsetxattr(%s, %s, \"v\", 1, %s)", g.fd(t), g.xattr(), g.xattrFlags())
	}},
	"removexattr":  {2, func(g *gen, t *Task) string { return fmt.Sprintf("removexattr(%s, %s)", g.path(t), g.xattr()) }},
	"lremovexattr": {1, func(g *gen, t *Task) string { return fmt.Sprintf("lremovexattr(%s, %s)", g.path(t), g.xattr()) }},
	"fremovexattr": {1, func(g *gen, t *Task) string { return fmt.Sprintf("fremovexattr(%s, %s)", g.fd(t), g.xattr()) }},
	"listxattr":    {1, func(g *gen, t *Task) string { return fmt.Sprintf("listxattr(%s, 0x1000, 0)", g.path(t)) }},
	"llistxattr":   {1, func(g *gen, t *Task) string { return fmt.Sprintf("llistxattr(%s, 0x1000, 0)", g.path(t)) }},
	"flistxattr":   {1, func(g *gen, t *Task) string { return fmt.Sprintf("flistxattr(%s, 0x1000, 0)", g.fd(t)) }},
	"ioctl": {3, func(g *gen, t *Task) string {
		if g.one(3) {
			return fmt.Sprintf("ioctl(%s, FS_IOC_GETFLAGS, [0])", g.fd(t))
		}
		return fmt.Sprintf("ioctl(%s, FS_IOC_SETFLAGS, %s)", g.fd(t), pick(g, "[FS_IMMUTABLE_FL]", "[FS_APPEND_FL]", "[0]", "[FS_NODUMP_FL]"))
	}},
}

func (g *gen) xattr() string {
	return pick(g, `"user.a"`, `"user.a"`, `"trusted.a"`, `"trusted.a"`, `"security.a"`, `"user."`, `"other.a"`, `""`, `"system.a"`)
}

func (g *gen) xattrFlags() string { return pick(g, "0", "0", "XATTR_CREATE", "XATTR_REPLACE", "4") }

// descriptorCalls work on what is open, and on filesystems.
var descriptorCalls = family{
	"read": {1, func(g *gen, t *Task) string { return fmt.Sprintf("read(%s, 0x1000, 4)", g.fd(t)) }},
	"pread64": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("pread64(%s, 0x1000, 4, %s)", g.fd(t), pick(g, "0", "-1"))
	}},
	"pwrite64": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("pwrite64(%s, \"abcd\", 4, %s)", g.fd(t), pick(g, "0", "-1"))
	}},
	"lseek": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("lseek(%s, %s, %s)", g.fd(t), pick(g, "0", "-1"), pick(g, "SEEK_SET", "9"))
	}},
	"fallocate": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("fallocate(%s, %s, 0, %s)", g.fd(t), pick(g, "0", "FALLOC_FL_KEEP_SIZE"), pick(g, "10", "0", "-1"))
	}},
	"fsync": {1, func(g *gen, t *Task) string { return fmt.Sprintf("fsync(%s)", g.fd(t)) }},
	"flock": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("flock(%s, %s)", g.fd(t), pick(g, "LOCK_SH|LOCK_NB", "LOCK_EX|LOCK_NB", "LOCK_UN", "0"))
	}},
	"dup": {1, func(g *gen, t *Task) string { return fmt.Sprintf("dup(%s)", g.anyFD(t)) }},
	"fcntl": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("fcntl(%s, %s)", g.fd(t), pick(g, "F_GETFD", "F_GETFL", "F_SETFL, O_NOATIME", "F_SETFL, O_APPEND", "F_DUPFD, 10", "F_SETLEASE, F_RDLCK", "F_SETLEASE, F_WRLCK"))
	}},
	"getdents64": {1, func(g *gen, t *Task) string { return fmt.Sprintf("getdents64(%s, 0x1000, 1024)", g.fd(t)) }},
	"statfs":     {1, func(g *gen, t *Task) string { return fmt.Sprintf("statfs(%s)", g.path(t)) }},
	"fstatfs":    {1, func(g *gen, t *Task) string { return fmt.Sprintf("fstatfs(%s)", g.fd(t)) }},
	"utimes":     {1, func(g *gen, t *Task) string { return fmt.Sprintf("utimes(%s, NULL)", g.path(t)) }},
	"mmap": {3, func(g *gen, t *Task) string {
		return fmt.Sprintf("mmap(0, 4096, %s, %s, %s, 0)", pick(g, "PROT_READ", "PROT_READ|PROT_WRITE", "PROT_READ|PROT_EXEC", "PROT_NONE"), pick(g, "MAP_SHARED", "MAP_PRIVATE"), g.fd(t))
	}},
	"inotify_init1": {1, func(g *gen, t *Task) string { return "inotify_init1(" + pick(g, "0", "IN_CLOEXEC", "1") + ")" }},
	"memfd_create": {1, func(g *gen, t *Task) string {
		return "memfd_create(\"m\", " + pick(g, "MFD_CLOEXEC", "0x100", "0") + ")"
	}},
	"name_to_handle_at": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("name_to_handle_at(%s, %s, {handle_bytes=%s}, 0x1000, %s)", g.at(t), g.path(t), pick(g, "0", "128", "200"), pick(g, "0", "AT_SYMLINK_FOLLOW", "AT_EMPTY_PATH"))
	}},
}

// namespaceCalls make namespaces.
var namespaceCalls = family{
	"unshare": {5, func(g *gen, t *Task) string {
		return fmt.Sprintf("unshare(%s)", g.flags("", "CLONE_NEWNS", "CLONE_NEWUTS", "CLONE_NEWIPC", "CLONE_NEWPID", "CLONE_NEWCGROUP", "CLONE_NEWUSER", "CLONE_NEWUSER", "CLONE_FS", "CLONE_FILES", "0x1", "CLONE_NEWTIME"))
	}},
	"sethostname":   {1, func(g *gen, t *Task) string { return fmt.Sprintf("sethostname(\"h\", %s)", pick(g, "1", "-1", "65")) }},
	"setdomainname": {1, func(g *gen, t *Task) string { return fmt.Sprintf("setdomainname(\"h\", %s)", pick(g, "1", "-1", "65")) }},
}

// processCalls name another process.
var processCalls = family{
	"kill":   {4, func(g *gen, t *Task) string { return fmt.Sprintf("kill(%s, %s)", g.pid(), g.signal()) }},
	"tkill":  {1, func(g *gen, t *Task) string { return fmt.Sprintf("tkill(%s, %s)", g.pid(), g.signal()) }},
	"tgkill": {1, func(g *gen, t *Task) string { return fmt.Sprintf("tgkill(%s, %s, %s)", g.pid(), g.pid(), g.signal()) }},
	"ptrace": {3, func(g *gen, t *Task) string {
		return fmt.Sprintf("ptrace(%s, %s, NULL, NULL)", pick(g, "PTRACE_ATTACH", "PTRACE_SEIZE", "PTRACE_CONT", "PTRACE_DETACH"), g.pid())
	}},
	"setpriority": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("setpriority(PRIO_PROCESS, %s, %s)", g.pid(), pick(g, "5", "-5", "0"))
	}},
	"getpriority": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("getpriority(%s, %s)", pick(g, "PRIO_PROCESS", "7"), g.pid())
	}},
	"sched_setscheduler": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("sched_setscheduler(%s, %s)", g.pid(), pick(g, "SCHED_OTHER, [0]", "SCHED_BATCH, [0]", "SCHED_FIFO, [1]", "SCHED_IDLE, [0]", "SCHED_OTHER, [3]"))
	}},
	"prlimit64": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("prlimit64(%s, %s, NULL)", g.pid(), pick(g, "RLIMIT_NOFILE, NULL", "RLIMIT_CORE, {rlim_cur=0, rlim_max=0}", "RLIMIT_CORE, {rlim_cur=1, rlim_max=0}"))
	}},
	"getpgid": {1, func(g *gen, t *Task) string { return fmt.Sprintf("getpgid(%s)", g.pid()) }},
	"pidfd_open": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("pidfd_open(%s, %s)", g.pid(), pick(g, "0", "1", "PIDFD_NONBLOCK"))
	}},
	"kcmp": {1, func(g *gen, t *Task) string { return fmt.Sprintf("kcmp(%s, %s, KCMP_VM, 0, 0)", g.pid(), g.pid()) }},
}

func (g *gen) signal() string { return pick(g, "0", "SIGTERM", "SIGKILL", "SIGCONT", "999", "65") }

// firstTarget is the pid of the first process that calls may name, in the text of a call; the kernel gives it another.
const firstTarget = 900001

// pid is that of a process of the scene, or of none.
func (g *gen) pid() string {
	if n := len(g.s.Targets); n > 0 && !g.one(6) {
		return fmt.Sprint(firstTarget + g.IntN(n))
	}
	return pick(g, "4194303", "4194302")
}

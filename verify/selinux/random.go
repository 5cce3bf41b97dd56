package selinux

import (
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"

	"syscallstory/selinux"
)

// labels are what a policy has to draw contexts from.
type labels struct {
	policy  *selinux.Policy
	domains []string
	files   []string
	classes map[string]selinux.Class
	useful  map[string]uint32 // permissions without which nothing else of a class is asked
}

// known are types that containers meet; those that the policy has are drawn as often as all others.
var known = struct{ domains, files []string }{
	[]string{"container_t", "container_t", "container_t", "spc_t", "container_engine_t", "dockerd_t", "kernel_t", "unconfined_t", "init_t", "user_t", "sshd_t"},
	[]string{"container_file_t", "container_file_t", "container_file_t", "container_ro_file_t", "shadow_t", "etc_t", "tmp_t", "user_home_t", "var_log_t", "tmpfs_t", "bin_t", "usr_t", "container_var_lib_t", "default_t"},
}

func newLabels(p *selinux.Policy) *labels {
	l := &labels{policy: p, domains: p.Types("domain"), files: p.Types("file_type"), classes: map[string]selinux.Class{}, useful: map[string]uint32{}}
	if len(l.domains) == 0 {
		l.domains = p.Types("")
	}
	if len(l.files) == 0 {
		l.files = p.Types("")
	}
	for _, t := range known.domains {
		if slices.Contains(l.domains, t) {
			for range len(l.domains) / 10 {
				l.domains = append(l.domains, t)
			}
		}
	}
	for _, t := range known.files {
		if slices.Contains(l.files, t) {
			for range len(l.files) / 20 {
				l.files = append(l.files, t)
			}
		}
	}
	for _, c := range []string{"file", "dir", "lnk_file", "fifo_file", "chr_file"} {
		l.classes[c], _ = p.Class(c)
	}
	l.useful["dir"], _ = p.Perms(l.classes["dir"], "search", "write", "add_name")
	l.useful["file"], _ = p.Perms(l.classes["file"], "read", "open")
	return l
}

type gen struct {
	*rand.Rand
	*labels
	task  selinux.Label
	ports []uint32 // that a socket is bound to
}

func (g *gen) one(in int) bool           { return g.IntN(in) == 0 }
func (g *gen) pick(s ...string) string   { return s[g.IntN(len(s))] }
func (g *gen) number(n ...uint32) uint32 { return n[g.IntN(len(n))] }
func (g *gen) name() string              { return g.pick("a", "b", "c", "d") }

// level draws a level, so that categories meet.
func (g *gen) level() string {
	return g.pick("s0", "s0", "s0:c1,c2", "s0:c1,c2", "s0:c1", "s0:c338,c794", "s0:c0.c1023", "s0-s0:c0.c1023", "s0-s0:c1,c2")
}

// context draws a context that the policy has; ok is false where it has none of that kind.
func (g *gen) context(types []string, roles ...string) (string, selinux.Label, bool) {
	for range 200 {
		text := g.pick("system_u", "system_u", "system_u", "user_u", "unconfined_u", "root") + ":" + g.pick(roles...) + ":" + types[g.IntN(len(types))]
		if g.policy.MLS() {
			text += ":" + g.level()
		}
		if l, err := g.policy.Label(text); err == nil {
			return g.policy.Text(l), l, true
		}
	}
	return "", selinux.Label{}, false
}

// file draws the label of a file of a class; most are of types about which there are rules for the task.
func (g *gen) file(class string) string {
	text := ""
	for range 30 {
		t, l, ok := g.context(g.files, "object_r")
		if !ok {
			return ""
		}
		text = t
		allowed := g.policy.Decide(g.task, l, g.classes[class]).Allowed
		if want := g.useful[class]; g.one(6) || allowed != 0 && (want == 0 || g.one(4) || allowed&want == want) {
			break
		}
	}
	return text
}

// other draws the context of another process: most are of domains about which there are rules for the task.
func (g *gen) other() (string, bool) {
	class, _ := g.policy.Class("process")
	text, found := "", false
	for range 30 {
		t, l, ok := g.context(g.domains, "system_r", "system_r", "user_r", "unconfined_r")
		if !ok {
			continue
		}
		if text, found = t, true; g.one(6) || g.policy.Decide(g.task, l, class).Allowed != 0 {
			break
		}
	}
	return text, found
}

// options writes those of a mount, most with contexts.
func (g *gen) options() string {
	var all []string
	for _, name := range []string{"context", "fscontext", "rootcontext", "defcontext", "context"} {
		if g.one(3) {
			label := g.file("dir")
			if g.one(12) {
				label = "system_u:object_r:no_such_type_t:s0"
			}
			all = append(all, name+"=\""+label+"\"")
		}
	}
	if g.one(3) {
		all = append(all, "mode=755")
	}
	return strings.Join(all, ",")
}

// object writes a call on what the first of the other processes has made.
func (g *gen) object() string {
	return g.pick("shmat(SHMID, NULL, 0)", "shmat(SHMID, NULL, SHM_RDONLY)", "shmat(SHMID, NULL, SHM_EXEC)", "shmctl(SHMID, IPC_STAT, 0xb0f0)", "shmctl(SHMID, SHM_UNLOCK, NULL)", "msgctl(MSGID, IPC_STAT, 0xb0f0)",
		"msgsnd(MSGID, {mtype=1, mtext=\"x\"}, 1, IPC_NOWAIT)", "semop(SEMID, [{sem_num=0, sem_op=1, sem_flg=IPC_NOWAIT}], 1)", "semctl(SEMID, 0, IPC_STAT, 0xb0f0)", "semctl(SEMID, 0, GETVAL)", "semctl(SEMID, 0, GETPID)", "semctl(SEMID, 1, SETVAL, 1)",
		fmt.Sprintf("msgrcv(MSGID, 0xb0f0, %d, %d, %s)", g.number(100, 100, 2), int32(g.number(0, 0, 1, 2, 3, 1<<32-1, 1<<32-2)), g.pick("IPC_NOWAIT", "IPC_NOWAIT", "IPC_NOWAIT|MSG_NOERROR", "IPC_NOWAIT|MSG_EXCEPT")))
}

// about writes a call on another process. No signal ends it.
func (g *gen) about(n int) string {
	pid := fmt.Sprintf("PID%d", n)
	return strings.ReplaceAll(g.pick("kill(PID, 0)", "kill(PID, SIGURG)", "kill(PID, SIGCHLD)", "kill(PID, SIGSTOP)", "getpgid(PID)", "getsid(PID)", "sched_getscheduler(PID)", "sched_setscheduler(PID, SCHED_OTHER, {sched_priority=0})",
		"setpriority(PRIO_PROCESS, PID, 5)", "ioprio_get(IOPRIO_WHO_PROCESS, PID)", "prlimit64(PID, RLIMIT_CORE, NULL, 0xb0f0)", "prlimit64(PID, RLIMIT_CORE, {rlim_cur=0, rlim_max=0}, 0xb0f0)", "prlimit64(PID, RLIMIT_RSS, {rlim_cur=0, rlim_max=RLIM64_INFINITY}, 0xb0f0)", "get_robust_list(PID, 0xb0f0, 0xb0f0)", "kcmp(PID, PID, KCMP_VM, 0, 0)",
		"capget({version=_LINUX_CAPABILITY_VERSION_3, pid=PID}, 0xb0f0)", "capget({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, 0xb0f0)"), "PID", pid)
}

// socket writes a call on a socket, or one that makes one.
func (g *gen) socket() string {
	fd := g.IntN(4)
	port := g.number(0, 22, 80, 443, 1023, 1024, 8080, 5432, 32767, 40000, 61000)
	if slices.Contains(g.ports, port) { // that nobody else has it is supposed
		port = 0
	}
	host := g.pick("0.0.0.0", "127.0.0.1")
	switch g.IntN(14) {
	case 8, 9:
		return fmt.Sprintf(g.pick("sendto(%d, \"x\", 1, MSG_DONTWAIT|MSG_NOSIGNAL, NULL, 0)", "recvfrom(%d, 0xb0f0, 10, MSG_DONTWAIT, NULL, NULL)", "read(%d, 0xb0f0, 10)", "read(%d, 0xb0f0, 0)", "write(%d, \"x\", 1)"), fd)
	case 10, 11:
		return fmt.Sprintf(g.pick("getsockname(%d, 0xb0f0, 0xb0f0)", "getpeername(%d, 0xb0f0, 0xb0f0)", "getsockopt(%d, SOL_SOCKET, SO_TYPE, 0xb0f0, 0xb0f0)", "accept4(%d, NULL, NULL, SOCK_NONBLOCK)"), fd)
	case 12:
		return fmt.Sprintf(g.pick("fstat(%d, 0xb0f0)", "flock(%d, LOCK_SH|LOCK_NB)", "fcntl(%d, F_GETFL)", "fcntl(%d, F_SETFL, 0)", "fcntl(%d, F_GETOWN)", "ioctl(%d, FIONBIO, 0xb0f0)", "mmap(NULL, 4096, PROT_READ, MAP_SHARED, %d, 0)"), fd)
	case 13:
		if g.one(4) {
			return fmt.Sprintf("shutdown(%d, SHUT_RD)", fd)
		}
		return fmt.Sprintf("read(%d, 0xb0f0, 10)", fd)
	case 0, 1, 2:
		return g.pick("socket(AF_UNIX, SOCK_STREAM, 0)", "socket(AF_INET, SOCK_STREAM, 0)", "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)", "socket(AF_INET, SOCK_DGRAM, 0)", "socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP)", "socket(AF_INET6, SOCK_STREAM, 0)")
	case 3, 4:
		g.ports = append(g.ports, port)
		return fmt.Sprintf("bind(%d, {sa_family=AF_INET, sin_port=htons(%d), sin_addr=inet_addr(%q)}, 16)", fd, port, host)
	case 5:
		return fmt.Sprintf("setsockopt(%d, SOL_SOCKET, %s, [1], 4)", fd, g.pick("SO_REUSEADDR", "SO_KEEPALIVE", "SO_MARK"))
	case 6:
		return fmt.Sprintf("listen(%d, 1)", fd)
	}
	if g.one(3) {
		g.ports = append(g.ports, port)
		return fmt.Sprintf("bind(%d, {sa_family=AF_INET6, sin6_port=htons(%d), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, \"::\", &sin6_addr), sin6_scope_id=0}, 28)", fd, port)
	}
	return g.pick(fmt.Sprintf("bind(%d, {sa_family=AF_UNSPEC}, %d)", fd, g.number(16, 16, 28)), fmt.Sprintf("connect(%d, {sa_family=AF_UNSPEC}, 16)", fd))
}

var classOf = map[string]string{"dir": "dir", "file": "file", "link": "lnk_file", "fifo": "fifo_file", "null": "chr_file"}

// scene makes files, a task and its calls.
func (g *gen) scene() *Scene {
	s := &Scene{}
	for ok := false; !ok; {
		s.Task, g.task, ok = g.context(g.domains, "system_r", "system_r", "system_r", "user_r", "unconfined_r", "object_r")
	}
	s.UID = g.number(0, 0, 1000)
	for range g.IntN(maxOthers + 1) {
		if text, ok := g.other(); ok {
			s.Others = append(s.Others, Other{text, g.number(s.UID, s.UID, 0, 1000)})
		}
	}
	s.Overlay = g.one(4)
	switch {
	case g.one(6):
		s.Context = g.file("file")
	case g.one(10):
		s.FSCreate = g.file("file")
	}
	if g.one(3) {
		s.SockCreate, _ = g.other()
	}
	if s.Root = g.file("dir"); s.Context != "" {
		s.Root = ""
	}
	g.tree(s)
	var plain []string
	for _, f := range s.Files {
		if f.Type == "file" {
			plain = append(plain, f.Path)
		}
	}
	if len(plain) > 0 && g.one(3) {
		s.Opened = plain[g.IntN(len(plain))]
	}
	if s.Opened != "" && g.one(6) { // what is open has no name any more
		s.Calls = append(s.Calls, g.pick(fmt.Sprintf("unlink(%q)", s.Opened), fmt.Sprintf("rename(%q, %q)", g.path(), s.Opened)))
	}
	for len(s.Calls) < 24 {
		if len(s.Others) > 0 && g.one(8) {
			s.Calls = append(s.Calls, g.object())
		} else if len(s.Others) > 0 && g.one(5) {
			s.Calls = append(s.Calls, g.about(1+g.IntN(len(s.Others))))
		} else if g.one(8) {
			s.Calls = append(s.Calls, g.socket())
		} else {
			s.Calls = append(s.Calls, g.call())
		}
	}
	s.Calls = append(s.Calls, g.last(len(s.Others) > 0))
	return s
}

func (g *gen) tree(s *Scene) {
	there := map[string]string{".": "dir"}
	var add func(p, typ string)
	add = func(p, typ string) {
		if there[p] != "" {
			return
		}
		dir := path.Dir(p)
		if there[dir] == "" {
			add(dir, "dir")
		}
		if there[dir] != "dir" {
			return
		}
		f := File{Path: p, Type: typ, UID: g.number(0, 0, 1000), Mode: uint16(g.number(0o777, 0o777, 0o777, 0o777, 0o777, 0o755, 0o666, 0o700, 0o4755, 0o6777, 0o2755, 0o2666, 0o1777, 0o444))}
		if typ == "link" {
			f.Mode, f.Target = 0o777, g.pick("a", "b", "c/a", "../a", "d/b")
		}
		if s.Context == "" && !g.one(8) {
			f.Label = g.file(classOf[typ])
		}
		there[p] = typ
		s.Files = append(s.Files, f)
	}
	for range 5 + g.IntN(9) {
		add(g.path(), g.pick("dir", "dir", "dir", "file", "file", "file", "file", "link", "fifo", "null"))
	}
}

func (g *gen) path() string {
	p := g.name()
	for g.IntN(5) < 2 && len(p) < 6 {
		p += "/" + g.name()
	}
	return p
}

// call writes a call.
func (g *gen) call() string {
	p := g.path()
	mode := func() string { return g.pick("0755", "0700", "0644", "0600", "02775", "04755", "06777", "02666") }
	fd := func() uint32 { return g.number(0, 0, 0, 1, 2) }
	switch g.IntN(36) {
	case 34, 35:
		return fmt.Sprintf("execve(%q, [\"x\"], [])", p)
	case 0, 1, 2:
		return fmt.Sprintf("open(%q, %s)", p, g.pick("O_RDONLY|O_NONBLOCK", "O_RDONLY|O_NONBLOCK|O_NOFOLLOW", "O_RDONLY|O_DIRECTORY", "O_PATH", "O_RDONLY|O_NONBLOCK"))
	case 3, 4, 5, 6:
		return fmt.Sprintf("open(%q, %s|O_NONBLOCK%s)", p, g.pick("O_WRONLY", "O_RDWR", "O_WRONLY|O_APPEND", "O_RDONLY", "O_RDWR|O_APPEND"), g.pick("", "", "|O_TRUNC"))
	case 7, 8:
		return fmt.Sprintf("open(%q, O_RDWR|O_NONBLOCK|O_CREAT%s, %s)", p, g.pick("", "|O_EXCL", "|O_TRUNC"), mode())
	case 9, 10, 11:
		return fmt.Sprintf("mkdir(%q, %s)", p, mode())
	case 12:
		return fmt.Sprintf("rmdir(%q)", p)
	case 13, 14:
		return fmt.Sprintf("unlink(%q)", p)
	case 15, 16:
		return fmt.Sprintf("rename(%q, %q)", p, g.path())
	case 17:
		return fmt.Sprintf("renameat2(AT_FDCWD, %q, AT_FDCWD, %q, %s)", p, g.path(), g.pick("RENAME_NOREPLACE", "RENAME_EXCHANGE", "RENAME_EXCHANGE"))
	case 18:
		return fmt.Sprintf("link(%q, %q)", p, g.path())
	case 19:
		return g.pick(fmt.Sprintf("symlink(%q, %q)", g.pick("a", "b/a", "c"), p), fmt.Sprintf("mknod(%q, S_IFIFO|0644, 0)", p), fmt.Sprintf("mknod(%q, S_IFSOCK|0644, 0)", p), fmt.Sprintf("mknod(%q, S_IFREG|0640, 0)", p))
	case 20:
		return fmt.Sprintf("chmod(%q, %s)", p, mode())
	case 21:
		return fmt.Sprintf("%s(%q, %d, %d)", g.pick("chown", "lchown"), p, g.number(0, 1000), g.number(0, 1000))
	case 22:
		return fmt.Sprintf("truncate(%q, %s)", p, g.pick("0", "3", "4096"))
	case 23:
		return g.pick(fmt.Sprintf("utimensat(AT_FDCWD, %q, NULL, %s)", p, g.pick("0", "AT_SYMLINK_NOFOLLOW")), fmt.Sprintf("utimensat(AT_FDCWD, %q, [{tv_sec=1, tv_nsec=0}, {tv_sec=1, tv_nsec=0}], 0)", p))
	case 24:
		return g.pick(fmt.Sprintf("lstat(%q, 0xb0f0)", p), fmt.Sprintf("stat(%q, 0xb0f0)", p), fmt.Sprintf("readlink(%q, 0xb0f0, 100)", p), fmt.Sprintf("statfs(%q, 0xb0f0)", p))
	case 25:
		return fmt.Sprintf("access(%q, %s)", p, g.pick("F_OK", "R_OK", "W_OK", "X_OK", "R_OK|W_OK"))
	case 26:
		return g.pick(fmt.Sprintf("getxattr(%q, %q, 0xb0f0, 100)", p, g.pick("security.selinux", "user.x")), fmt.Sprintf("listxattr(%q, 0xb0f0, 100)", p), fmt.Sprintf("lgetxattr(%q, \"security.selinux\", 0xb0f0, 100)", p))
	case 27:
		label := g.file(g.pick("file", "dir"))
		return fmt.Sprintf("%s(%q, \"security.selinux\", %q, %d, 0)", g.pick("setxattr", "lsetxattr"), p, label, len(label))
	case 28:
		return g.pick(fmt.Sprintf("removexattr(%q, \"security.selinux\")", p), fmt.Sprintf("chdir(%q)", g.pick(p, "..", ".")))
	case 29:
		return fmt.Sprintf(g.pick("read(%d, 0xb0f0, 0)", "write(%d, 0xb0f0, 0)", "write(%d, \"xy\", 2)", "fallocate(%d, 0, 0, 10)"), fd())
	case 30:
		return g.pick(fmt.Sprintf("ftruncate(%d, 5)", fd()), fmt.Sprintf("fchmod(%d, 0700)", fd()), fmt.Sprintf("fstat(%d, 0xb0f0)", fd()))
	case 31:
		return fmt.Sprintf("mmap(NULL, 4096, %s, %s, %d, 0)", g.pick("PROT_READ", "PROT_READ|PROT_WRITE", "PROT_READ|PROT_EXEC"), g.pick("MAP_PRIVATE", "MAP_SHARED"), fd())
	case 32:
		return g.pick("mmap(NULL, 4096, PROT_READ|PROT_WRITE|PROT_EXEC, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)", "getpgid(0)", "getsid(0)", "sched_getscheduler(0)", "setpriority(PRIO_PROCESS, 0, 5)", "ioprio_get(IOPRIO_WHO_PROCESS, 0)",
			"mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)", "prlimit64(0, RLIMIT_CORE, {rlim_cur=0, rlim_max=0}, NULL)")
	}
	return g.pick(fmt.Sprintf("fcntl(%d, %s)", fd(), g.pick("F_GETFD", "F_GETFL", "F_GETOWN", "F_GETSIG", "F_SETFL, O_APPEND", "F_SETFL, 0", "F_SETOWN, 0")), fmt.Sprintf("ioctl(%d, FS_IOC_GETFLAGS, 0xb0f0)", fd()), fmt.Sprintf("close(%d)", fd()), fmt.Sprintf("flock(%d, LOCK_SH|LOCK_NB)", fd()))
}

// last writes a call behind which not everything is known.
func (g *gen) last(others bool) string {
	if g.one(4) {
		return fmt.Sprintf("open(%q, O_RDWR|O_TMPFILE, %s)", g.pick(".", g.path()), g.pick("0600", "0644"))
	}
	if g.one(6) {
		return fmt.Sprintf("connect(%d, {sa_family=AF_INET, sin_port=htons(%d), sin_addr=inet_addr(\"127.0.0.1\")}, 16)", g.IntN(4), g.number(1, 22, 80, 443, 5432, 8080, 40000))
	}
	if g.one(6) {
		if g.one(4) {
			return fmt.Sprintf("mount(NULL, \"/\", NULL, MS_REMOUNT, %q)", g.options())
		}
		return fmt.Sprintf("mount(\"t\", %q, \"tmpfs\", 0, %q)", g.pick(".", ".", g.path()), g.options())
	}
	if g.one(6) {
		return g.bpf()
	}
	if g.one(8) {
		return g.perf(others)
	}
	if others && g.one(6) {
		return "ptrace(PTRACE_SEIZE, PID1, 0, 0)"
	}
	return g.pick("socket(AF_UNIX, SOCK_DGRAM, 0)", "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)", "socket(AF_PACKET, SOCK_RAW, 0)", "socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)", "unshare(CLONE_NEWUSER)", "unshare(CLONE_NEWNS)",
		"chroot(\"a\")", "sethostname(\"x\", 1)", "fork()", "shmget(IPC_PRIVATE, 100, 0600)", "msgget(IPC_PRIVATE, 0600)", "semget(IPC_PRIVATE, 1, 0600)", "memfd_secret(0)", "userfaultfd(1)", "io_uring_setup(1, {flags=0})",
		"syslog(SYSLOG_ACTION_READ_ALL, 0xb0f0, 100)", "syslog(SYSLOG_ACTION_SIZE_UNREAD, NULL, 0)",
		"ptrace(PTRACE_TRACEME, 0, 0, 0)", "shmctl(0, IPC_INFO, 0xb0f0)")
}

// bpf writes a call that makes a map, or one that is refused before it gives the verifier a program.
func (g *gen) bpf() string {
	if g.one(3) {
		return fmt.Sprintf("bpf(BPF_PROG_LOAD, {prog_type=%d, insn_cnt=%d, license=\"GPL\"}, 120)", g.number(1, 2, 6, 8), g.number(0, 0, 1, 2000000))
	}
	return fmt.Sprintf("bpf(BPF_MAP_CREATE, {map_type=%d, key_size=4, value_size=4, max_entries=%d}, 72)", g.number(1, 1, 2, 9, 99), g.number(1, 16))
}

// perf writes a call that counts events of the task, another one or a whole processor.
func (g *gen) perf(others bool) string {
	pid, cpu := "0", "-1"
	switch {
	case g.one(2):
		pid, cpu = "-1", "0"
	case others && g.one(2):
		pid = "PID1"
	}
	return fmt.Sprintf("perf_event_open({type=1, size=120, config=%d%s}, %s, %s, -1, 0)", g.number(0, 9), g.pick("", ", exclude_kernel=1"), pid, cpu)
}

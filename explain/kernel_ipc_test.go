package explain_test

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// ownIPC gives the test an IPC namespace of its own, which the initial user namespace owns, with objects in it.
func ownIPC(t *testing.T, dir string) *processes {
	t.Helper()
	runtime.LockOSThread() // the tasks are forked from this thread
	if err := unix.Unshare(unix.CLONE_NEWIPC); err != nil {
		t.Fatal(err)
	}
	p := newProcesses(newLab(t, dir, "file f 666 0:0"))
	p.open(50, "f", unix.O_RDWR)
	p.child(100000, 65536, false)
	p.Task.NS[world.IPCNS] = p.AddNamespace(world.Namespace{Kind: world.IPCNS, Name: "the test's", At: p.at})
	p.IPCAt = p.at
	for s := range kernel.NumSysctls {
		if v, ok := s.NewIPC(); ok {
			p.Sysctls[s] = world.Given(v, p.at)
		}
	}
	return p
}

// makeIPC makes an object as its description says, and describes it to the world.
func (p *processes) makeIPC(call string, o world.IPCObject) {
	p.t.Helper()
	c, err := syscalls.Parse(syscalls.X8664, call)
	p.must(err)
	r, e := rawCall(c)
	if e != 0 {
		p.t.Fatalf("%s: %v", call, e)
	}
	if o.Kind != world.IPCQueue && int(r) != o.ID {
		p.t.Fatalf("%s: number %d", call, r)
	}
	o.At, o.CUID, o.CGID = p.at, world.KUID(os.Getuid()), world.KGID(os.Getgid())
	p.IPC = append(p.IPC, o)
	perm := [30]uint32{1: uint32(o.UID), 2: uint32(o.GID), 5: uint32(o.Mode)}
	*(*uint64)(unsafe.Pointer(&perm[22])) = o.Size // msg_qbytes
	set := func(nr uintptr, a ...uintptr) {
		p.t.Helper()
		a = append(a, 0)
		if _, _, e := unix.Syscall6(nr, a[0], a[1], a[2], a[3], 0, 0); e != 0 {
			p.t.Fatal(e)
		}
	}
	at := uintptr(unsafe.Pointer(&perm[0]))
	switch o.Kind {
	case world.IPCShm:
		set(unix.SYS_SHMCTL, uintptr(o.ID), 1, at)
	case world.IPCMsg:
		set(unix.SYS_MSGCTL, uintptr(o.ID), 1, at)
	case world.IPCSem:
		set(unix.SYS_SEMCTL, uintptr(o.ID), 0, 1, at)
	case world.IPCQueue:
		unix.Close(int(r))
		name := append([]byte(o.Name), 0)
		fd, _, e := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(&name[0])), unix.O_RDWR, 0, 0, 0, 0)
		if e != 0 {
			p.t.Fatal(e)
		}
		p.must(unix.Fchown(int(fd), int(o.UID), int(o.GID)))
		p.must(unix.Fchmod(int(fd), uint32(o.Mode)))
		unix.Close(int(fd))
	}
}

// sysvCases: segment 0 is root's and private, 1 uid 1000's and readable, 2 of group 1000; 3 belongs to the user namespace's
// root; queues and sets likewise. Queue 1 is empty, queue 2 is full.
var sysvCases = []row{
	// a lookup by key asks for what its own mode says
	{"shmget(0x10, 0, 0)", "-"},
	{"shmget(0x10, 0, 0600)", "- EACCES EACCES - EACCES EACCES"},
	{"shmget(0x10, 4096, 0400)", "- EACCES EACCES - EACCES EACCES"},
	{"shmget(0x10, 4097, 0)", "EINVAL"},
	{"shmget(0x10, 4096, IPC_CREAT|IPC_EXCL|0600)", "EEXIST"},
	{"shmget(0x99, 4096, 0600)", "ENOENT"},
	{"shmget(0x99, 0, IPC_CREAT|0600)", "EINVAL"},
	{"shmget(IPC_PRIVATE, 4096, 0)", "-"},
	{"shmget(IPC_PRIVATE, 0, 0)", "EINVAL"},
	{"shmget(IPC_PRIVATE, -1, 0)", "EINVAL"},
	{"shmget(0x11, 0, 0444)", "- - - - - -"},
	{"shmget(0x11, 0, 0666)", "- EACCES - - EACCES EACCES"},
	{"shmget(0x12, 0, 0666)", "- EACCES - - EACCES EACCES"},
	{"shmat(0, NULL, 0)", "- EACCES EACCES - EACCES EACCES"},
	{"shmat(1, NULL, SHM_RDONLY)", "- - - - - -"},
	{"shmat(1, NULL, 0)", "- EACCES - - EACCES EACCES"},
	{"shmat(1, NULL, SHM_RDONLY|SHM_EXEC)", "- EACCES EACCES - EACCES EACCES"},
	{"shmat(1, 0x1001, 0)", "EINVAL"},
	{"shmat(1, NULL, SHM_REMAP)", "EINVAL"},
	{"shmat(99, NULL, 0)", "EINVAL"},
	{"shmat(-1, NULL, 0)", "EINVAL"},
	{"shmdt(0x1001)", "EINVAL"},
	{"shmdt(0x1000)", "?EINVAL"},
	{"shmctl(0, IPC_STAT, {})", "- EACCES EACCES - EACCES EACCES"},
	{"shmctl(1, IPC_STAT, {})", "-"},
	{"shmctl(1, IPC_STAT, NULL)", "EFAULT"},
	{"shmctl(0, IPC_STAT, NULL)", "EFAULT EACCES EACCES EFAULT EACCES EACCES"},
	{"shmctl(99, IPC_STAT, NULL)", "EINVAL"},
	{"shmctl(0, IPC_INFO, {})", "-"},
	{"shmctl(-1, IPC_INFO, {})", "EINVAL"},
	{"shmctl(0, SHM_INFO, NULL)", "EFAULT"},
	{"shmctl(0, 99, NULL)", "EINVAL"},
	{"shmctl(0, -1, NULL)", "EINVAL"},
	{"shmctl(0, IPC_SET, NULL)", "EFAULT"},
	{"shmctl(99, IPC_SET, {shm_perm={uid=0, gid=0, mode=0600}})", "EINVAL"},
	{"shmctl(3, IPC_RMID, NULL)", "!- EPERM EPERM EPERM !- EPERM"},
	{"shmctl(0, SHM_LOCK, NULL)", "- EPERM EPERM - EPERM EPERM"},
	{"shmctl(0, SHM_UNLOCK, NULL)", "- EPERM EPERM - EPERM EPERM"},
	{"shmctl(1, SHM_UNLOCK, NULL)", "- EPERM - - EPERM EPERM"},
	{"shmctl(99, SHM_LOCK, NULL)", "EINVAL"},

	{"msgget(0x20, 0600)", "- EACCES EACCES - EACCES EACCES"},
	{"msgget(0x20, IPC_CREAT|IPC_EXCL)", "EEXIST"},
	{"msgget(0x99, 0)", "ENOENT"},
	{"msgget(IPC_PRIVATE, 0)", "-"},
	{`msgsnd(0, {1, "x"}, 1, IPC_NOWAIT)`, "!- EACCES EACCES !- EACCES EACCES"},
	{`msgsnd(2, {1, "x"}, 1, IPC_NOWAIT)`, "EAGAIN EACCES EACCES EAGAIN EACCES EACCES"},
	{`msgsnd(2, {mtype=1, mtext="x"}, 1, 0)`, "!blocks[] EACCES EACCES !blocks[] EACCES EACCES"},
	{`msgsnd(2, {1, "x"}, 8193, IPC_NOWAIT)`, "EINVAL"},
	{`msgsnd(2, {0, "x"}, 1, IPC_NOWAIT)`, "EINVAL"},
	{`msgsnd(-1, {1, "x"}, 1, IPC_NOWAIT)`, "EINVAL"},
	{`msgsnd(99, {1, "x"}, 1, IPC_NOWAIT)`, "EINVAL"},
	{`msgsnd(99, NULL, 1, IPC_NOWAIT)`, "EFAULT"},
	{"msgrcv(1, 0x1000, 10, 0, IPC_NOWAIT)", "ENOMSG"},
	{"msgrcv(0, 0x1000, 10, 0, IPC_NOWAIT)", "ENOMSG EACCES EACCES ENOMSG EACCES EACCES"},
	{"msgrcv(1, 0x1000, 10, 0, 0)", "!blocks[]"},
	{"msgrcv(1, 0x1000, -1, 0, IPC_NOWAIT)", "EINVAL"},
	{"msgrcv(1, 0x1000, 10, 0, MSG_COPY)", "EINVAL"},
	{"msgrcv(99, 0x1000, 10, 0, IPC_NOWAIT)", "EINVAL"},
	{"msgctl(0, IPC_STAT, {})", "- EACCES EACCES - EACCES EACCES"},
	{"msgctl(0, MSG_INFO, {})", "-"},
	{"msgctl(0, IPC_RMID, NULL)", "!- EPERM EPERM EPERM EPERM EPERM"},
	{"msgctl(1, IPC_RMID, NULL)", "!- EPERM !- EPERM EPERM EPERM"},
	{"msgctl(1, IPC_SET, {msg_perm={uid=1000, gid=1000, mode=0644}, msg_qbytes=16384})", "- EPERM - EPERM EPERM EPERM"},
	{"msgctl(1, IPC_SET, {msg_perm={uid=1000, gid=1000, mode=0644}, msg_qbytes=16385})", "-@resource/EPERM EPERM EPERM EPERM EPERM EPERM"},
	{"msgctl(3, IPC_SET, {msg_perm={uid=70000, gid=0, mode=0600}, msg_qbytes=10})", "!- EPERM EPERM EPERM EINVAL EPERM"},
	{"msgctl(3, IPC_SET, {msg_perm={uid=0, gid=0, mode=0600}, msg_qbytes=20000})", "!-@resource/EPERM EPERM EPERM EPERM EPERM EPERM"}, // inside CAP_SYS_RESOURCE is of no use here
	{"msgctl(0, 99, NULL)", "EINVAL"},

	{"semget(0x30, 2, 0600)", "- EACCES EACCES - EACCES EACCES"},
	{"semget(0x30, 3, 0)", "EINVAL"},
	{"semget(0x99, 1, 0)", "ENOENT"},
	{"semget(IPC_PRIVATE, 1, 0)", "-"},
	{"semget(IPC_PRIVATE, 0, 0)", "EINVAL"},
	{"semget(IPC_PRIVATE, -1, 0)", "EINVAL"},
	{"semget(IPC_PRIVATE, 32001, 0)", "EINVAL"},
	{"semop(0, [{sem_num=0, sem_op=0, sem_flg=IPC_NOWAIT}], 1)", "- EACCES EACCES - EACCES EACCES"},
	{"semop(1, [{sem_num=0, sem_op=0, sem_flg=IPC_NOWAIT}], 1)", "-"},
	{"semop(1, [{sem_num=0, sem_op=-1, sem_flg=IPC_NOWAIT}], 1)", "EAGAIN EACCES EAGAIN EAGAIN EACCES EACCES"},
	{"semop(1, [{sem_num=0, sem_op=1}, {sem_num=0, sem_op=-1, sem_flg=IPC_NOWAIT}], 2)", "- EACCES - - EACCES EACCES"},
	{"semop(1, [{sem_num=0, sem_op=1}, {sem_num=0, sem_op=0, sem_flg=IPC_NOWAIT}], 2)", "EAGAIN EACCES EAGAIN EAGAIN EACCES EACCES"},
	{"semop(1, [{sem_num=0, sem_op=32767}, {sem_num=0, sem_op=1}], 2)", "ERANGE EACCES ERANGE ERANGE EACCES EACCES"},
	{"semop(1, [{sem_num=0, sem_op=-1, sem_flg=0}], 1)", "!blocks[] EACCES !blocks[] !blocks[] EACCES EACCES"},
	{"semop(1, [{sem_num=2, sem_op=1, sem_flg=0}], 1)", "EFBIG"},
	{"semop(1, [{sem_num=0, sem_op=1, sem_flg=0}], 0)", "EINVAL"},
	{"semop(1, NULL, 1)", "EFAULT"},
	{"semop(1, NULL, 501)", "E2BIG"},
	{"semop(-1, [{sem_num=0, sem_op=1, sem_flg=0}], 1)", "EINVAL"},
	{"semop(99, [{sem_num=0, sem_op=1, sem_flg=0}], 1)", "EINVAL"},
	{"semtimedop(1, [{sem_num=0, sem_op=0}], 1, {tv_sec=-1, tv_nsec=0})", "EINVAL"},
	{"semtimedop(1, [{sem_num=0, sem_op=0}], 1, NULL)", "-"},
	{"semctl(0, 0, GETVAL)", "- EACCES EACCES - EACCES EACCES"},
	{"semctl(0, 2, GETVAL)", "EINVAL EACCES EACCES EINVAL EACCES EACCES"},
	{"semctl(0, 2, SETVAL, 0)", "EINVAL"},
	{"semctl(0, 0, SETVAL, 0)", "- EACCES EACCES - EACCES EACCES"},
	{"semctl(0, 0, SETVAL, 32768)", "ERANGE"},
	{"semctl(99, 0, SETVAL, -1)", "ERANGE"},
	{"semctl(0, 0, SETALL, [0, 0])", "- EACCES EACCES - EACCES EACCES"},
	{"semctl(0, 0, SETALL, [0, 32768])", "ERANGE EACCES EACCES ERANGE EACCES EACCES"},
	{"semctl(0, 0, GETALL, NULL)", "EFAULT EACCES EACCES EFAULT EACCES EACCES"},
	{"semctl(1, 0, GETPID)", "-"},
	{"semctl(0, 0, IPC_STAT, {})", "- EACCES EACCES - EACCES EACCES"},
	{"semctl(1, 0, IPC_SET, {sem_perm={uid=1000, gid=1000, mode=0644}})", "- EPERM - EPERM EPERM EPERM"},
	{"semctl(0, 0, IPC_RMID)", "!- EPERM EPERM EPERM EPERM EPERM"},
	{"semctl(0, 0, 99)", "EINVAL"},
	{"semctl(-1, 0, IPC_INFO, {})", "EINVAL"},
	{"semctl(0, 0, SEM_INFO, {})", "-"},
}

// TestKernelSysVIPC: who uses which object, in an IPC namespace that the initial user namespace owns.
func TestKernelSysVIPC(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	p := ownIPC(t, dir)
	none := world.IPCObject{Kind: world.IPCShm, Size: 4096}
	shm := func(id int, uid, gid uint32, mode uint16) {
		o := none
		o.Key, o.ID, o.UID, o.GID, o.Mode = int32(0x10+id), id, world.KUID(uid), world.KGID(gid), mode
		p.makeIPC("shmget("+hexKey(o.Key)+", 4096, IPC_CREAT)", o)
	}
	shm(0, 0, 0, 0o600)
	shm(1, 1000, 1000, 0o644)
	shm(2, 7, 1000, 0o660)
	shm(3, 100000, 100000, 0o600)
	queue := func(id int, uid, gid uint32, mode uint16, size uint64) {
		p.makeIPC("msgget("+hexKey(int32(0x20+id))+", IPC_CREAT)", world.IPCObject{Kind: world.IPCMsg, Key: int32(0x20 + id), ID: id, UID: world.KUID(uid), GID: world.KGID(gid), Mode: mode, Size: size})
	}
	queue(0, 0, 0, 0o600, 16384)
	queue(1, 1000, 1000, 0o644, 16384)
	queue(2, 0, 0, 0o600, 0) // takes nothing
	queue(3, 100000, 100000, 0o600, 16384)
	set := func(id int, uid, gid uint32, mode uint16) {
		p.makeIPC("semget("+hexKey(int32(0x30+id))+", 2, IPC_CREAT)", world.IPCObject{Kind: world.IPCSem, Key: int32(0x30 + id), ID: id, UID: world.KUID(uid), GID: world.KGID(gid), Mode: mode, Size: 2, Values: []uint16{0, 0}})
	}
	set(0, 0, 0, 0o600)
	set(1, 1000, 1000, 0o644)
	tasks := p.everybody(kernel.CapIpcOwner, kernel.CapIpcLock)
	tasks[1].uid, tasks[1].gid = 1003, 1003 // root is the creator of all, with or without capabilities
	tasks[2].groups = nil
	tasks[3].uid, tasks[3].gid = 1002, 1002
	with := map[bool]string{true: "-", false: "EPERM"}[p.most().Has(kernel.CapSysResource)]
	rows := slices.Clone(sysvCases)
	for i := range rows {
		rows[i].want = strings.ReplaceAll(rows[i].want, "-@resource/EPERM", with)
	}
	p.table(tasks, rows)
}

func hexKey(n int32) string { return "0x" + strconv.FormatInt(int64(n), 16) }

// mqueueCases: queue a is root's and private, b uid 1000's and readable, c of group 1000, in of the root inside.
var mqueueCases = []row{
	{`mq_open("a", O_RDONLY)`, "- EACCES EACCES - EACCES EACCES"},
	{`mq_open("a", O_RDWR)`, "- EACCES EACCES EACCES EACCES EACCES"},
	{`mq_open("b", O_RDONLY)`, "-"},
	{`mq_open("b", O_WRONLY)`, "- EACCES - EACCES EACCES EACCES"},
	{`mq_open("c", O_RDWR)`, "- EACCES - EACCES EACCES EACCES"},
	{`mq_open("in", O_RDWR)`, "- EACCES EACCES EACCES - EACCES"},
	{`mq_open("in", O_RDONLY)`, "- EACCES EACCES - - EACCES"},
	{`mq_open("b", O_ACCMODE)`, "EINVAL"},
	{`mq_open("b", O_ACCMODE|O_CREAT, 0600)`, "EINVAL"},
	{`mq_open("a", O_RDWR|O_CREAT|O_EXCL, 0600)`, "EEXIST"},
	{`mq_open("a", O_RDWR|O_CREAT, 0600)`, "- EACCES EACCES EACCES EACCES EACCES"},
	{`mq_open("none", O_RDWR)`, "ENOENT"},
	{`mq_open("", O_RDWR)`, "ENOENT"},
	{`mq_open(NULL, O_RDWR)`, "EFAULT"},
	{`mq_open("/a", O_RDWR)`, "EACCES"},
	{`mq_open(".", O_RDWR)`, "EACCES"},
	{`mq_open("..", O_RDWR)`, "EACCES"},
	{`mq_open("` + name256 + `", O_RDWR)`, "ENAMETOOLONG"},
	{`mq_open("` + path4096 + `", O_RDWR)`, "ENAMETOOLONG"},
	{`mq_open("new", O_RDWR|O_CREAT, 0600)`, "-"},
	{`mq_open("new", O_ACCMODE|O_CREAT, 0600)`, "-"}, // how it is opened is looked at for a queue that is there
	{`mq_open("new", O_RDWR|O_CREAT|O_EXCL, 0)`, "-"},
	{`mq_open("new", O_RDWR|O_CREAT, 0600, {mq_maxmsg=10, mq_msgsize=8192})`, "-"},
	{`mq_open("new", O_RDWR|O_CREAT, 0600, {mq_maxmsg=0, mq_msgsize=8192})`, "EINVAL"},
	{`mq_open("new", O_RDWR|O_CREAT, 0600, {mq_maxmsg=10, mq_msgsize=-1})`, "EINVAL"},
	{`mq_open("new", O_RDWR|O_CREAT, 0600, {mq_maxmsg=11, mq_msgsize=10})`, "-@resource/EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`mq_open("new", O_RDWR|O_CREAT, 0600, {mq_maxmsg=1, mq_msgsize=8193})`, "-@resource/EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`mq_open("new", O_RDWR|O_CREAT, 0600, {mq_maxmsg=65537, mq_msgsize=10})`, "EINVAL"},
	{`mq_open("none", O_RDWR|O_CREAT, 0600, 0x1000)`, "EFAULT"},
	{`mq_unlink("a")`, "!- EPERM EPERM EPERM EPERM EPERM"},
	{`mq_unlink("b")`, "!- EPERM !- EPERM EPERM EPERM"},
	{`mq_unlink("in")`, "!- EPERM EPERM EPERM !- EPERM"},
	{`mq_unlink("none")`, "ENOENT"},
	{`mq_unlink("")`, "ENOENT"},
	{`mq_unlink("a/b")`, "EACCES"},
	{`mq_unlink("` + name256 + `")`, "ENAMETOOLONG"},
	{`mq_timedsend(99, "x", 1, 0, NULL)`, "EBADF"},
	{`mq_timedsend(50, "x", 1, 0, NULL)`, "EBADF"}, // a file
	{`mq_timedsend(50, "x", 1, 32768, NULL)`, "EINVAL"},
	{`mq_timedsend(50, "x", 1, 32768, {tv_sec=0, tv_nsec=-1})`, "EINVAL"},
	{`mq_timedreceive(50, 0x1000, 10, NULL, NULL)`, "EBADF"},
	{`mq_timedreceive(50, 0x1000, 10, NULL, {tv_sec=0, tv_nsec=1000000000})`, "EINVAL"},
	{`mq_notify(50, NULL)`, "EBADF"},
	{`mq_notify(50, {sigev_signo=65, sigev_notify=SIGEV_SIGNAL})`, "EINVAL"},
	{`mq_notify(50, {sigev_signo=0, sigev_notify=SIGEV_THREAD_ID})`, "EINVAL"},
	{`mq_getsetattr(50, NULL, NULL)`, "EBADF"},
	{`mq_getsetattr(50, {mq_flags=O_NONBLOCK}, NULL)`, "EBADF"},
	{`mq_getsetattr(50, {mq_flags=O_APPEND}, NULL)`, "EINVAL"},
}

// TestKernelMessageQueues: POSIX message queues of an IPC namespace that the initial user namespace owns.
func TestKernelMessageQueues(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	p := ownIPC(t, dir)
	queue := func(name string, uid, gid uint32, mode uint16) {
		p.makeIPC(`mq_open("`+name+`", O_RDWR|O_CREAT, 0600)`, world.IPCObject{Kind: world.IPCQueue, Name: name, UID: world.KUID(uid), GID: world.KGID(gid), Mode: mode})
	}
	queue("a", 0, 0, 0o600)
	queue("b", 1000, 1000, 0o644)
	queue("c", 7, 1000, 0o660)
	queue("in", 100000, 100000, 0o600)
	p.after = func(c row, _ who, _ prediction, got string) {
		if got == "-" && strings.Contains(c.call, `"new"`) {
			name := []byte("new\x00")
			if _, _, e := unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(&name[0])), 0, 0); e != 0 {
				t.Error(c.call, e)
			}
		}
	}
	tasks := p.everybody(kernel.CapDacReadSearch)
	tasks[1].uid, tasks[1].gid = 1003, 1003
	tasks[3].uid, tasks[3].gid = 1002, 1002
	with := p.most().Has(kernel.CapSysResource)
	rows := slices.Clone(mqueueCases)
	for i := range rows {
		from, to := "-@resource/EINVAL", "EINVAL"
		if with {
			to = "-"
		}
		rows[i].want = strings.ReplaceAll(rows[i].want, from, to)
	}
	p.table(tasks, rows)
}

// TestKernelIPCOfUserNamespace: in an IPC namespace that a user namespace owns, its root has the capabilities that count.
func TestKernelIPCOfUserNamespace(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	runtime.LockOSThread()
	l := newLab(t, dir, "")
	l.must(os.Chmod(dir, 0o755))
	p := newProcesses(l)
	l.also = unix.CLONE_NEWIPC
	c := p.child(100000, 65536, true)
	p.Task.NS[world.IPCNS] = p.AddNamespace(world.Namespace{Kind: world.IPCNS, Owner: 1, Name: "the child's", At: p.at})
	p.IPCAt = p.at
	for s := range kernel.NumSysctls {
		if v, ok := s.NewIPC(); ok {
			p.Sysctls[s] = world.Given(v, p.at)
		}
	}
	c.do(job{Dir: dir, Effective: uint64(everything), Permitted: uint64(everything), Call: "shmget(0x10, 4096, IPC_CREAT|0600)"})
	c.do(job{Dir: dir, Effective: uint64(everything), Permitted: uint64(everything), Call: "msgget(0x20, IPC_CREAT|0600)"})
	for k, size := range []uint64{4096, 16384} {
		p.IPC = append(p.IPC, world.IPCObject{Kind: world.IPCKind(k), Key: int32(0x10 * (k + 1)), UID: 100000, CUID: 100000, GID: 100000, CGID: 100000, Mode: 0o600, Size: size, At: p.at})
	}
	caps := func(set ...kernel.Cap) who {
		return who{name: "uid 1000 with " + world.Caps(set...).String(), uid: 101000, gid: 101000, caps: world.Caps(set...), ns: 1}
	}
	tasks := []who{{name: "root inside", uid: 100000, gid: 100000, caps: everything, ns: 1}, {name: "uid 1000 inside", uid: 101000, gid: 101000, ns: 1},
		caps(kernel.CapIpcOwner), caps(kernel.CapSysAdmin), caps(kernel.CapIpcLock), caps(kernel.CapSysAdmin, kernel.CapSysResource)}
	p.run(tasks, []row{
		{"shmget(0x10, 0, 0600)", "- EACCES - EACCES EACCES EACCES"},
		{"shmget(0x11, 0, 0600)", "ENOENT"},
		{"shmat(0, NULL, 0)", "- EACCES - EACCES EACCES EACCES"},
		{"shmctl(0, IPC_STAT, {})", "- EACCES - EACCES EACCES EACCES"},
		{"shmctl(0, IPC_SET, {shm_perm={uid=0, gid=0, mode=0600}})", "- EPERM EPERM - EPERM -"},
		{"shmctl(0, IPC_SET, {shm_perm={uid=65536, gid=0, mode=0600}})", "EINVAL EPERM EPERM EINVAL EPERM EINVAL"},
		{"shmctl(0, SHM_UNLOCK, NULL)", "- EPERM EPERM EPERM - EPERM"},
		{"shmctl(0, IPC_RMID, NULL)", "!- EPERM EPERM !- EPERM !-"},
		{"msgctl(0, IPC_SET, {msg_perm={uid=0, gid=0, mode=0600}, msg_qbytes=16384})", "- EPERM EPERM - EPERM -"},
		{"msgctl(0, IPC_SET, {msg_perm={uid=0, gid=0, mode=0600}, msg_qbytes=20000})", "EPERM"},
		{"msgget(0x20, 0600)", "- EACCES - EACCES EACCES EACCES"},
		{`mq_open("none", O_RDWR)`, "ENOENT"},
		{`mq_open("new", O_RDWR|O_CREAT, 0600, {mq_maxmsg=11, mq_msgsize=10})`, "EINVAL"},
	})
}

// TestIPCUnknown: of a namespace whose objects are not known, what may come of a call is listed.
func TestIPCUnknown(t *testing.T) {
	l := bareLab(t)
	for f := range kernel.NumFeatures {
		l.Features[f] = world.Given(true, l.at)
	}
	l.foresee([]who{{name: "root", caps: everything}, initPlain}, []row{
		{"shmget(0x10, 4096, 0600)", "?-/ENOENT/EINVAL ?-/ENOENT/EACCES/EINVAL"},
		{"shmget(0x10, 0, 0)", "?-/ENOENT"},
		{"msgget(0x10, IPC_CREAT|IPC_EXCL|0600)", "?-/EEXIST/ENOSPC"},
		{"shmat(0, NULL, 0)", "?-/EINVAL ?-/EINVAL/EACCES"},
		{"shmat(-1, NULL, 0)", "EINVAL"},
		{"msgctl(0, IPC_RMID, NULL)", "?-/EINVAL ?-/EINVAL/EPERM"},
		{`mq_open("x", O_RDWR)`, "?-/ENOENT/EACCES"},
		{`mq_unlink("x")`, "?-/ENOENT/EPERM"},
	})
}

// bareLab is a world with a root directory, for tables that are only foreseen.
func bareLab(t *testing.T) *lab {
	l := &lab{World: world.New(), t: t}
	l.at = l.Text("the test")
	sb := l.FS.NewSB(world.SB{Type: "tmpfs", At: l.at, FlagsAt: l.at}, world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownType | world.KnownPerm | world.KnownOwner, At: l.at})
	l.root.Dentry = l.FS.SB(sb).Root
	l.root.Mount = l.Attach(world.Path{}, world.Mount{Root: l.root.Dentry, SB: sb, Point: "/", Origin: l.at, Why: l.at})
	l.Task.Root, l.Task.Cwd = l.root, l.root
	l.Kernel, _ = kernel.ParseRelease("6.18")
	l.Arch = "amd64"
	l.LSMs = world.Given([]string{"capability"}, l.at)
	l.Task.OpenFDs, l.Task.FDsAt = world.Given(3, l.at), l.at
	return l
}

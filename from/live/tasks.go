//go:build linux

package live

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"syscallstory/world"
)

// maxTasks bounds the other processes and threads that are read.
const maxTasks = 4096

// taskFact is another task.
type taskFact struct {
	st       status
	user     int
	userErr  error
	ns       [world.NumNSKinds]nsFact
	mnt      nsFact
	dumpable bool
	mmUser   int
	session  int // as the first process's PID namespace counts
	group    int // the same of its process group
	pid      int
	tgid     int
	nice     int
	policy   int
	priority int
	context  string // SELinux's; "": none, or not known
}

// readTasks reads the tasks that a process can name by their ids: those of its PID namespace and of the ones below. The error says why
// there may be others.
func (p *Process) readTasks() (all []taskFact, more error) {
	level := len(p.st.nspid) - 1
	if level < 0 || p.ns[world.PIDNS].err != nil {
		return nil, errors.New("the PID namespace of the process cannot be read")
	}
	home := p.ns[world.PIDNS].ino
	seen := map[uint64]nsFact{} // by inode number, of every kind
	for _, pid := range pids() {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			continue // it has exited
		}
		for _, e := range entries {
			tid, err := strconv.Atoi(e.Name())
			if err != nil {
				continue
			}
			t, ok, err := p.readTask(pid, tid, level, home, seen)
			if err != nil {
				more = err
			}
			if !ok {
				continue
			}
			if len(all) == maxTasks {
				return all, fmt.Errorf("more than %d tasks are not read", maxTasks)
			}
			all = append(all, t)
		}
	}
	if os.Geteuid() != 0 {
		more = errors.New("/proc may hide processes of other users")
	}
	return all, more
}

// readTask reads a task if it is in the PID namespace home, whose ids stand at a level of NSpid.
func (p *Process) readTask(pid, tid, level int, home uint64, seen map[uint64]nsFact) (t taskFact, ok bool, err error) {
	base := fmt.Sprintf("/proc/%d/task/%d", pid, tid)
	if t.st, err = readStatus(base + "/status"); err != nil || len(t.st.nspid) <= level || len(t.st.nstgid) <= level {
		return t, false, nil
	}
	dir, err := os.Open(base)
	if err != nil {
		return t, false, nil
	}
	defer dir.Close()
	read := func(name string) nsFact {
		var st unix.Stat_t
		if err := unix.Fstatat(int(dir.Fd()), "ns/"+name, &st, 0); err != nil {
			return nsFact{err: err}
		}
		f, ok := seen[st.Ino]
		if !ok {
			f = p.users.namespace(dir, name)
			if f.err == nil {
				seen[st.Ino] = f
			}
		}
		return f
	}
	own := read("pid")
	if own.err != nil {
		if errors.Is(own.err, unix.ENOENT) || errors.Is(own.err, unix.ESRCH) {
			return t, false, nil
		}
		return t, false, fmt.Errorf("the namespaces of process %d cannot be read", pid)
	}
	at := &own
	for range len(t.st.nspid) - 1 - level {
		if at = at.up; at == nil {
			return t, false, nil
		}
	}
	if at.ino != home {
		return t, false, nil
	}
	t.pid, t.tgid = t.st.nspid[level], t.st.nstgid[level]
	if len(t.st.nspgid) > level {
		t.group = seenOrOutside(t.st.nspgid[level])
	}
	if len(t.st.nssid) > level {
		t.session = seenOrOutside(t.st.nssid[level])
	}
	for k, name := range nsNames {
		t.ns[k] = own
		if world.NSKind(k) != world.PIDNS {
			t.ns[k] = read(name)
		}
	}
	t.mnt = read("mnt")
	fd, err := unix.Openat(int(dir.Fd()), "ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if t.userErr = err; err == nil {
		t.user, t.userErr = p.users.add(fd)
		unix.Close(fd)
	}
	t.readStat(base)
	if labelled() {
		if text, err := readAt(dir, "attr/current", 4096); err == nil {
			t.context = strings.TrimRight(string(text), "\x00\n")
		}
	}
	t.readDumpable(base, p.users)
	return t, true, nil
}

// readStat reads what proc_pid_stat(5) says of scheduling.
func (t *taskFact) readStat(base string) {
	text, err := os.ReadFile(base + "/stat")
	if err != nil {
		return
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	number := func(field int) int {
		if field-3 >= len(f) {
			return 0
		}
		n, _ := strconv.Atoi(f[field-3])
		return n
	}
	flags := number(9)
	t.st.kthread = t.st.kthread || flags&0x00200000 != 0 // PF_KTHREAD
	t.nice, t.priority, t.policy = number(19), number(40), number(41)
}

// readDumpable tells from the owner of a file of /proc whether the memory of a task is dumpable (task_dump_owner): if not, it is the root of
// the user namespace that the memory belongs to.
func (t *taskFact) readDumpable(base string, users *userTree) {
	t.dumpable, t.mmUser = true, t.user
	var st unix.Stat_t
	if unix.Stat(base+"/status", &st) != nil || st.Uid == t.st.uid[1] && st.Gid == t.st.gid[1] {
		return
	}
	t.dumpable = false
	for i := range users.list {
		if root, ok := users.list[i].ids[0].Down(0); ok && root == st.Uid {
			t.mmUser = i
			return
		}
	}
}

// processes puts the tasks that were read into the world.
func (b *builder) processes() {
	b.ProcessesAt = b.Text("/proc")
	if b.p.more != nil {
		b.ProcessesAt = b.Miss("which other processes the process can see is not known: "+b.p.more.Error(), "run as root")
	}
	parents := map[int]int{} // ids as the process counts them, by those of the reader
	for i := range b.p.tasks {
		parents[b.p.tasks[i].st.pid] = b.p.tasks[i].pid
	}
	for i := range b.p.tasks {
		t := &b.p.tasks[i]
		at := b.Text(fmt.Sprintf("/proc/%d/status", t.st.pid))
		q := world.Process{PID: t.pid, TGID: t.tgid, Cred: b.cred(&t.st, t.user, at), Dumpable: t.dumpable, MMUserNS: world.UserNSID(t.mmUser), Kernel: t.st.kthread, Traced: t.st.tracer != 0,
			Session: t.session, Group: t.group, Parent: parents[t.st.ppid], Nice: t.nice, Policy: t.policy, RTPriority: t.priority, At: at}
		if t.pid == t.tgid {
			q.TGID = 0
		}
		if t.context != "" {
			q.Context = world.Given(t.context, b.Text(fmt.Sprintf("/proc/%d/attr/current", t.st.pid)))
		}
		if t.userErr != nil {
			q.At = b.Miss(fmt.Sprintf("the user namespace of process %d cannot be read", t.st.pid), "run as root")
		}
		for k := range q.NS {
			q.NS[k] = b.namespace(world.NSKind(k), t.ns[k])
		}
		q.MountNS, _ = b.mountNamespace(t.mnt)
		b.Processes = append(b.Processes, q)
		if b.p.st.tracer == t.st.pid {
			cr := q.Cred
			b.Task.Tracer = &cr
		}
	}
	if b.p.st.tracer != 0 && b.Task.Tracer == nil { // it is outside of the PID namespace
		if st, err := readStatus(fmt.Sprintf("/proc/%d/status", b.p.st.tracer)); err == nil {
			cr := b.cred(&st, 0, b.Text(fmt.Sprintf("/proc/%d/status", b.p.st.tracer)))
			b.Task.Tracer = &cr
		}
	}
}

// mountNamespace adds another mount namespace, of which only the owner is known. Where there are too many, and where it cannot be
// read, the answer is the task's own.
func (b *builder) mountNamespace(f nsFact) (id uint8, ok bool) {
	if f.err != nil || f.ino == b.p.mnt.ino {
		return 0, f.err == nil
	}
	if id, ok = b.mountNS[f.ino]; ok {
		return id, true
	}
	if len(b.MountNS) >= 250 {
		return 0, false
	}
	if b.mountNS == nil {
		b.mountNS = map[uint64]uint8{}
	}
	b.MountNS = append(b.MountNS, world.MountNS{Owner: world.UserNSID(f.owner), Name: fmt.Sprintf("mnt:[%d]", f.ino)})
	id = uint8(len(b.MountNS) - 1)
	b.mountNS[f.ino] = id
	return id, true
}

func last(list []int) int {
	if len(list) == 0 {
		return 0
	}
	return list[len(list)-1]
}

// seenOrOutside: the kernel shows 0 where a session's or a group's leader is outside of the reader's PID namespace.
func seenOrOutside(id int) int {
	if id == 0 {
		return world.Outside
	}
	return id
}

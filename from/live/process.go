//go:build linux

package live

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"syscallstory/from/edits"
	"syscallstory/from/node"
	"syscallstory/story"
	"syscallstory/world"
)

// Options are what reading a process needs beside it.
type Options struct {
	Merger world.Merger
	Policy func() (*world.Policy, error) // reads the policy of SELinux, where that is active; nil: it is left unknown
	Node   *node.Node                    // the machine's facts; nil: they are read from here
	Alone  bool                          // other processes are not read: what calls to them answer is then not known
}

// Process is a process or thread that was read, as an input of stories. Its facts are those of the moment of Open; files are read when
// a call needs them.
type Process struct {
	o       Options
	pid     int
	dir     *os.File // /proc/PID
	st      status
	sec     *Seccomp
	secErr  error
	users   *userTree
	user    int
	ns      [world.NumNSKinds]nsFact
	kids    [world.NumNSKinds]nsFact // of its children
	mnt     nsFact
	view    *view
	fds     []fdFact
	fdErr   error
	limits  [16]*world.Rlimit
	labels  []world.Label
	dev     *deviceFact
	others  []int // threads with other credentials or filters
	exes    map[identity]bool
	allExes bool       // those of every process
	tasks   []taskFact // the other tasks that it can name by id
	more    error      // why there may be others
	within  within     // what its network and IPC namespaces hold
	spaces  []*space   // the mount namespaces in which they are
	readers []*reader
	layers  []int           // descriptors of overlays' layers
	host    map[device]bool // filesystems that are mounted in the reader's own mount namespace, which the initial user namespace owns
	hosts   []mountLine     // mounts of the host, where the task is in another mount namespace
}

// nsFact is a namespace: who owns it and, of one of processes, what lies above.
type nsFact struct {
	ino   uint64
	owner int
	up    *nsFact
	err   error
}

// Open reads a process, or a thread by its id.
func Open(pid int, o Options) (*Process, error) {
	if err := exists(pid); err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		p, err := open(pid, o)
		if err != nil {
			return nil, err
		}
		// What was read in between belongs together only if the process is as it was.
		now, err := readStatus(fmt.Sprintf("/proc/%d/status", pid))
		switch {
		case err == nil && now.same(&p.st) && now.state != 'Z' && now.state != 'X':
			return p, nil
		case err != nil || now.state == 'Z' || now.state == 'X':
			p.Close()
			return nil, &ReadError{pid, "read it", errors.New("it has exited meanwhile"), ""}
		case try == 3:
			p.Close()
			return nil, &ReadError{pid, "read it", errors.New("its credentials change all the time"), ""}
		}
		p.Close()
	}
}

// exists says why a process that /proc does not show cannot be read.
func exists(pid int) error {
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		return nil
	}
	if err := unix.Kill(pid, 0); err == nil || err == unix.EPERM {
		return &ReadError{pid, "read it", errors.New("/proc does not show it (hidepid)"), "run as root"}
	}
	return &ReadError{pid, "read it", errors.New("there is no such process"), ""}
}

func open(pid int, o Options) (p *Process, err error) {
	p = &Process{o: o, pid: pid}
	defer func() {
		if err != nil {
			p.Close()
			p = nil
		}
	}()
	base := fmt.Sprintf("/proc/%d", pid)
	if p.dir, err = os.Open(base); err != nil {
		return p, p.fail("read it", err)
	}
	if p.st, err = readStatus(base + "/status"); err != nil {
		return p, p.fail("read its status", err)
	}
	switch {
	case p.st.state == 'Z' || p.st.state == 'X':
		return p, &ReadError{pid, "read it", errors.New("it has exited and waits for its parent: it makes no more calls"), ""}
	case p.st.kthread || kernelThread(base):
		return p, &ReadError{pid, "read it", errors.New("it is a kernel thread: it makes no system calls"), ""}
	}
	if p.users, err = newUserTree(); err != nil {
		return p, err
	}
	if err := p.namespaces(); err != nil {
		return p, err
	}
	p.fds, p.fdErr = p.descriptors()
	links := []string{"root", "cwd", "exe"}
	for _, f := range p.fds {
		links = append(links, fmt.Sprintf("fd/%d", f.n))
	}
	if p.view, err = look(p.dir, pid, links); err != nil {
		return p, p.fail("read its mounts and its root", err)
	}
	if p.view.links["root"] == "" {
		return p, p.fail("read its root", unix.EACCES)
	}
	p.sec, p.secErr = ReadSeccomp(pid)
	p.threads()
	p.readLimits()
	p.readLabels()
	p.dev = readDevices(base)
	p.readWithin()
	p.exes, p.allExes = executed()
	if p.more = errors.New("they were not read"); !o.Alone {
		p.tasks, p.more = p.readTasks()
		p.readSpaces()
	}
	p.host = p.users.hostMounts()
	p.hosts = p.hostTable()
	p.users.findMaps()
	if p.o.Node == nil {
		if p.o.Node, err = node.Local(); err != nil {
			return p, err
		}
	}
	return p, nil
}

// fail makes the error of a file of /proc that cannot be read.
func (p *Process) fail(op string, err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ESRCH):
		return &ReadError{p.pid, op, errors.New("it has exited meanwhile"), ""}
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		// What belongs to a process's memory is closed as soon as that is gone, a little before the process says that it has exited.
		for range 10 {
			if now, e := readStatus(fmt.Sprintf("/proc/%d/status", p.pid)); e != nil || now.state == 'Z' || now.state == 'X' {
				return &ReadError{p.pid, op, errors.New("it has exited meanwhile"), ""}
			}
			time.Sleep(time.Millisecond)
		}
		return &ReadError{p.pid, op, err, power()}
	}
	return &ReadError{p.pid, op, err, ""}
}

// power is what somebody who may not read a process needs.
func power() string {
	if os.Geteuid() == 0 {
		return "root needs CAP_SYS_PTRACE in the user namespace of the process, and a security module that lets it"
	}
	return "run as root"
}

// kernelThread reads PF_KTHREAD from /proc/PID/stat, whose second field may hold anything in brackets.
func kernelThread(base string) bool {
	text, err := os.ReadFile(base + "/stat")
	if err != nil {
		return false
	}
	i := strings.LastIndexByte(string(text), ')')
	f := strings.Fields(string(text[i+1:]))
	if i < 0 || len(f) < 7 {
		return false
	}
	flags, _ := strconv.ParseUint(f[6], 10, 64)
	return flags&0x00200000 != 0
}

// Close lets go of the descriptors.
func (p *Process) Close() {
	if p == nil {
		return
	}
	for _, fd := range p.layers {
		unix.Close(fd)
	}
	for _, r := range p.readers {
		r.close()
	}
	for _, s := range p.spaces {
		s.close()
	}
	if p.dir != nil {
		p.dir.Close()
	}
	if p.view != nil {
		p.view.root.Close()
	}
}

// nsNames are the files of /proc/PID/ns by kind.
var nsNames = [world.NumNSKinds]string{"net", "uts", "ipc", "pid", "cgroup", "time"}

// namespaces finds the process's namespaces and who owns them.
func (p *Process) namespaces() error {
	fd, err := unix.Openat(int(p.dir.Fd()), "ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return p.fail("read its namespaces", err)
	}
	defer unix.Close(fd)
	if p.user, err = p.users.add(fd); err != nil {
		return &ReadError{p.pid, "read its user namespace", err, "run outside of user namespaces"}
	}
	if err := p.users.mapsOf(p.user, fmt.Sprintf("/proc/%d", p.pid)); err != nil {
		return p.fail("read its id maps", err)
	}
	for k, name := range nsNames {
		p.ns[k] = p.users.namespace(p.dir, name)
	}
	p.kids[world.PIDNS] = p.users.namespace(p.dir, "pid_for_children")
	p.kids[world.TimeNS] = p.users.namespace(p.dir, "time_for_children")
	p.mnt = p.users.namespace(p.dir, "mnt")
	return nil
}

// namespace reads one of a process's namespaces.
func (t *userTree) namespace(proc *os.File, name string) nsFact {
	fd, err := unix.Openat(int(proc.Fd()), "ns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nsFact{err: err}
	}
	defer unix.Close(fd)
	return t.chain(fd, strings.HasPrefix(name, "pid"))
}

func (t *userTree) chain(fd int, nested bool) nsFact {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nsFact{err: err}
	}
	f := nsFact{ino: st.Ino}
	if f.owner, f.err = t.ownerOf(fd); f.err != nil || !nested {
		return f
	}
	if up, err := unix.IoctlRetInt(fd, nsGetParent); err == nil {
		above := t.chain(up, true)
		unix.Close(up)
		f.up = &above
	}
	return f
}

// threads compares the threads of a process.
func (p *Process) threads() {
	if p.st.tgid != p.pid {
		return
	}
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.pid))
	if err != nil {
		return
	}
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil || tid == p.pid {
			continue
		}
		if t, err := readStatus(fmt.Sprintf("/proc/%d/task/%d/status", p.pid, tid)); err == nil && !t.same(&p.st) {
			p.others = append(p.others, tid)
		}
	}
}

// readLimits reads /proc/PID/limits, whose lines stand in the order of the RLIMIT_* numbers.
func (p *Process) readLimits() {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.pid))
	if err != nil {
		return
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i := range p.limits {
		if i+1 >= len(lines) || len(lines[i+1]) < 26 {
			return
		}
		f := strings.Fields(lines[i+1][26:])
		if len(f) < 2 {
			return
		}
		var l world.Rlimit
		for k, into := range []*uint64{&l.Cur, &l.Max} {
			if *into = ^uint64(0); f[k] != "unlimited" {
				if *into, err = strconv.ParseUint(f[k], 10, 64); err != nil {
					return
				}
			}
		}
		p.limits[i] = &l
	}
}

// readLabels reads what security modules call the process.
func (p *Process) readLabels() {
	for _, m := range []struct{ name, file string }{{"apparmor", "attr/apparmor/current"}, {"smack", "attr/smack/current"}, {"selinux", "attr/current"}} {
		if m.name == "selinux" && !exists1("/sys/fs/selinux/enforce") {
			continue
		}
		text, err := readAt(p.dir, m.file, 4096)
		if v := strings.TrimRight(string(text), "\x00\n"); err == nil && v != "" {
			p.labels = append(p.labels, world.Label{Module: m.name, Value: strings.TrimSuffix(v, " (enforce)")})
		}
	}
}

func exists1(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func readAt(dir *os.File, name string, limit int64) ([]byte, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// executed finds the files that processes execute; all is false where there may be processes that cannot be seen.
func executed() (found map[identity]bool, all bool) {
	var st unix.Stat_t
	all = os.Geteuid() == 0 && unix.Stat("/proc/self/ns/pid", &st) == nil && st.Ino == 0xeffffffc // PROC_PID_INIT_INO
	found = map[identity]bool{}
	for _, pid := range pids() {
		var st unix.Statx_t
		if unix.Statx(unix.AT_FDCWD, fmt.Sprintf("/proc/%d/exe", pid), unix.AT_STATX_DONT_SYNC, unix.STATX_INO, &st) == nil {
			found[identity{st.Dev_major, st.Dev_minor, st.Ino}] = true
		}
	}
	return found, all
}

// machine is the process as something that can be changed.
func (p *Process) machine() *edits.Machine {
	return &edits.Machine{Read: p.World, PID: strconv.Itoa(p.pid), Near: p.near()}
}

// near reports whether the process has story's own mount namespace and root.
func (p *Process) near() bool {
	var theirs, ours unix.Stat_t
	if unix.Fstatat(int(p.dir.Fd()), "ns/mnt", &theirs, 0) != nil || unix.Stat("/proc/self/ns/mnt", &ours) != nil || theirs.Ino != ours.Ino {
		return false
	}
	return unix.Fstatat(int(p.dir.Fd()), "root", &theirs, 0) == nil && unix.Stat("/", &ours) == nil && theirs.Ino == ours.Ino && theirs.Dev == ours.Dev
}

// Edits offers changes of the machine, and of what the process is started with.
func (p *Process) Edits(w *world.World, r world.Refused) []story.Edit { return p.machine().Edits(w, r) }

// With makes one of them.
func (p *Process) With(e story.Edit) (world.Input, error) { return p.machine().With(e) }

// Others lists the threads whose credentials or filters are not those of the process's first one.
func (p *Process) Others() []int {
	all := slices.Clone(p.others)
	if p.sec != nil {
		all = append(all, p.sec.Others...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

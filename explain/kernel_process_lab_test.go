package explain_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"syscallstory/from/node"
	"syscallstory/kernel"
	"syscallstory/probe"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// inProcess makes the call in a process that is forked for it and has one thread.
func (j job) inProcess() string {
	call, err := syscalls.Parse(syscalls.X8664, j.Call)
	if err != nil {
		return err.Error()
	}
	regs, err := call.Encode()
	if err != nil {
		return err.Error()
	}
	c := probe.Call{NR: uint64(call.Nr)}
	for i, r := range regs {
		c.Args[i] = probe.Arg{Val: r.Val, Data: r.Bytes, Pointers: r.Pointers}
	}
	task := probe.Task{Timeout: time.Second, Keep: []int{50, 51, 52, 53}, Cred: probe.Cred{UID: j.UID[1], GID: j.GID[1], Groups: j.Groups, Bounding: ^uint64(0), Permitted: j.Permitted, Effective: j.Effective,
		Others: &probe.Others{RealUID: j.UID[0], SavedUID: j.UID[1], RealGID: j.GID[0], SavedGID: j.GID[1]}}}
	if j.Memlock != nil {
		limit := make([]byte, 16)
		copy(limit, bytesOf(*j.Memlock))
		copy(limit[8:], bytesOf(*j.Memlock))
		task.Before = append(task.Before, probe.Call{NR: unix.SYS_PRLIMIT64, Args: [6]probe.Arg{{}, {Val: unix.RLIMIT_MEMLOCK}, {Data: limit}}})
	}
	res, err := probe.Run(&task, []probe.Call{c})
	switch {
	case err != nil:
		return err.Error()
	case res[0].Signal != 0:
		return unix.SignalName(syscall.Signal(res[0].Signal))
	case res[0].Blocked:
		return "blocks"
	case res[0].Ret < 0 && res[0].Ret > -4096:
		return story.Errno(-res[0].Ret).String()
	}
	return "-"
}

func bytesOf(v uint64) []byte {
	var b []byte
	for i := range 8 {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}

// waiting starts this program as a process that waits until its standard input ends.
func waiting(mode string, attr *syscall.SysProcAttr) (*exec.Cmd, error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "STORY_KERNEL_CHILD="+mode)
	cmd.SysProcAttr = attr
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := out.Read(make([]byte, 16)); err != nil {
		return nil, err
	}
	return cmd, nil
}

// spawned keeps what a child has started, with its pipes.
var spawned []*exec.Cmd

// spawn is waiting in a child; the process ends with it.
func spawn(uid uint32) (string, error) {
	cmd, err := waiting("wait", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}})
	if err != nil {
		return "", err
	}
	spawned = append(spawned, cmd)
	return strconv.Itoa(cmd.Process.Pid), nil
}

func openPidfd(p [2]int) error {
	fd, err := unix.PidfdOpen(p[1], 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Dup3(fd, p[0], unix.O_CLOEXEC)
}

// processes is a lab whose calls name processes by $name.
type processes struct {
	*lab
	pids map[string]int
}

// ownPID stands for the process that is forked for a call: its number is not known before.
const (
	ownPID     = 4189999
	missingPID = "4190000" // above pid_max
)

// newProcesses makes the lab: targets of several credentials, and the facts of this machine.
func newProcesses(l *lab) *processes {
	l.t.Helper()
	p := &processes{lab: l, pids: map[string]int{}}
	l.forked = true
	n, err := node.Local()
	l.must(err)
	n.Apply(l.World)
	l.LSMs = world.Given([]string{"capability"}, l.at)
	l.Task.NS = l.InitialNamespaces(l.at)
	for i := range l.Task.Rlimits {
		var r unix.Rlimit
		l.must(unix.Getrlimit(i, &r))
		l.Task.Rlimits[i] = world.Given(world.Rlimit{Cur: r.Cur, Max: r.Max}, l.at)
	}
	l.Task.PID, l.ProcessesAt, l.Task.Fresh = ownPID, l.at, true
	memlock := l.Task.Rlimits[8]
	session, _ := unix.Getsid(0)
	l.Processes = []world.Process{{PID: ownPID, Dumpable: true, Session: session, Group: unix.Getpgrp(), At: l.at}}
	p.add("test", os.Getpid(), 0)
	l.before = func(task who) {
		me := &l.Processes[0]
		me.Cred, me.Parent = l.Task.Cred, os.Getpid()
		if task.ns != 0 {
			me.Parent = l.children[task.ns-1].cmd.Process.Pid
		}
		l.Task.Rlimits[8] = memlock
		if task.memlock != nil {
			l.Task.Rlimits[8] = world.Given(world.Rlimit{Cur: *task.memlock, Max: *task.memlock}, l.at)
		}
	}
	return p
}

// add describes a process, as /proc shows it.
func (p *processes) add(name string, pid, ns int) {
	p.t.Helper()
	p.pids[name] = pid
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	p.must(err)
	q := world.Process{PID: pid, MMUserNS: world.UserNSID(ns), Session: p.Processes[0].Session, Group: p.Processes[0].Group, At: p.at}
	q.Cred.UserNS = world.UserNSID(ns)
	for _, l := range strings.Split(string(text), "\n") {
		f := strings.Fields(l)
		num := func(i, base int) uint64 { v, err := strconv.ParseUint(f[i], base, 64); p.must(err); return v }
		switch {
		case strings.HasPrefix(l, "Tgid:"):
			q.TGID = int(num(1, 10))
		case strings.HasPrefix(l, "PPid:"):
			q.Parent = int(num(1, 10))
		case strings.HasPrefix(l, "Uid:"):
			q.Cred.RUID, q.Cred.EUID, q.Cred.SUID, q.Cred.FSUID = world.KUID(num(1, 10)), world.KUID(num(2, 10)), world.KUID(num(3, 10)), world.KUID(num(4, 10))
		case strings.HasPrefix(l, "Gid:"):
			q.Cred.RGID, q.Cred.EGID, q.Cred.SGID, q.Cred.FSGID = world.KGID(num(1, 10)), world.KGID(num(2, 10)), world.KGID(num(3, 10)), world.KGID(num(4, 10))
		case strings.HasPrefix(l, "CapPrm:"):
			q.Cred.Permitted = world.CapSet(num(1, 16))
		case strings.HasPrefix(l, "CapEff:"):
			q.Cred.Effective = world.CapSet(num(1, 16))
		case strings.HasPrefix(l, "TracerPid:"):
			q.Traced = num(1, 10) != 0
		}
	}
	// The owner of /proc/PID/ is the process's own where it may be dumped, else root.
	var st unix.Stat_t
	p.must(unix.Stat(fmt.Sprintf("/proc/%d/stat", pid), &st))
	q.Dumpable = name != "undumpable" && st.Uid == uint32(q.Cred.EUID)
	p.Processes = append(p.Processes, q)
}

// start starts a target.
func (p *processes) start(name, mode string, attr *syscall.SysProcAttr) {
	p.t.Helper()
	cmd, err := waiting(mode, attr)
	p.must(err)
	p.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	p.add(name, cmd.Process.Pid, 0)
}

// targets starts the processes that the tables name.
func (p *processes) targets() {
	p.t.Helper()
	as := func(uid uint32) *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	p.start("root", "wait", nil)
	p.start("u1000", "wait", as(1000))
	p.start("u1001", "wait", as(1001))
	p.start("undumpable", "undumpable", as(1000))
	net := as(1000)
	net.AmbientCaps = []uintptr{unix.CAP_NET_RAW}
	p.start("net", "wait", net)
	c := p.child(100000, 65536, false)
	p.add("inside", c.cmd.Process.Pid, 1)
	uid := uint32(1001)
	pid, err := strconv.Atoi(c.ask(job{Spawn: &uid}))
	p.must(err)
	p.add("in1001", pid, 1)
	p.start("traced", "wait", as(1000))
	seized := make(chan error)
	go func() { // the tracer is a thread of this process
		runtime.LockOSThread()
		seized <- unix.PtraceSeize(p.pids["traced"])
		select {}
	}()
	p.must(<-seized)
	p.Processes[len(p.Processes)-1].Traced = true
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.pids["u1000"]))
	p.must(err)
	tid, err := strconv.Atoi(tasks[len(tasks)-1].Name())
	p.must(err)
	p.add("thread", tid, 0)
	for n, name := range []string{"u1000", "inside"} {
		p.must(openPidfd([2]int{50 + n, p.pids[name]}))
		c.do(job{PidFD: [2]int{50 + n, p.pids[name]}})
	}
	p.after = func(c row, _ who, _ prediction, _ string) {
		if strings.HasPrefix(c.call, "s") || strings.HasPrefix(c.call, "io") { // what was rescheduled is set back
			for name, pid := range p.pids {
				if name != "test" {
					unix.Setpriority(unix.PRIO_PROCESS, pid, 0)
					unix.SchedSetAttr(pid, &unix.SchedAttr{Size: unix.SizeofSchedAttr}, 0)
				}
			}
		}
	}
}

// table compares with the names of processes in place.
func (p *processes) table(tasks []who, rows []row) {
	p.t.Helper()
	var names []string
	for name, pid := range p.pids {
		names = append(names, "$"+name, strconv.Itoa(pid))
	}
	r := strings.NewReplacer(append(names, "$missing", missingPID)...)
	rows = append([]row{}, rows...)
	for i := range rows {
		rows[i].call = r.Replace(rows[i].call)
	}
	p.run(tasks, rows)
}

// most is every capability that root of the initial user namespace has here.
func (p *processes) most() world.CapSet {
	for i := range p.Processes {
		if p.Processes[i].PID == os.Getpid() {
			return p.Processes[i].Cred.Permitted
		}
	}
	return 0
}

// everybody are the tasks of these tables; some is what the fourth has.
func (p *processes) everybody(some ...kernel.Cap) []who {
	return []who{
		{name: "root", caps: p.most()},
		{name: "root without capabilities"},
		{name: "uid 1000", uid: 1000, gid: 1000},
		{name: "uid 1000 with capabilities", uid: 1000, gid: 1000, caps: world.Caps(some...)},
		{name: "root inside", uid: 100000, gid: 100000, caps: world.AllCaps, ns: 1},
		{name: "uid 1000 inside", uid: 101000, gid: 101000, ns: 1},
	}
}

// here settles what the tables say of one machine or another: ENAME@CONDITION or ENAME@CONDITION/EOTHER.
func (p *processes) here(rows []row) []row {
	p.t.Helper()
	conditions := p.conditions()
	out := make([]row, len(rows))
	for i, r := range rows {
		words := strings.Fields(r.want)
		for k, w := range words {
			name, rest, ok := strings.Cut(w, "@")
			if !ok {
				continue
			}
			condition, otherwise, other := strings.Cut(rest, "/")
			holds, known := conditions[condition]
			switch {
			case !known:
				p.t.Fatalf("%s: no such condition", w)
			case holds:
				words[k] = name
			case other:
				words[k] = otherwise
			default:
				words[k] = "-"
			}
			if !holds && !other && name == "ENOSYS" { // then the features decide, which the other tables foresee
				words[k] = "skip"
			}
		}
		out[i] = row{r.call, strings.Join(words, " ")}
	}
	return slices.DeleteFunc(out, func(r row) bool { return strings.Contains(r.want, "skip") })
}

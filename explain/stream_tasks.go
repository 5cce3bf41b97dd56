package explain

import (
	"slices"
	"strconv"
	"strings"

	"syscallstory/syscalls"
	"syscallstory/world"
)

// Stream judges the calls of several tasks in order, on one world that changes with them. A task has the number that the stream
// calls it by; the first one is the world's own.
type Stream struct {
	*Judge
	tasks  []*streamTask
	now    *streamTask
	others []world.Process // those of the world itself
	child  *streamTask     // that task
	begin  world.Task      // the first task as it was
}

// streamTask is a task of a stream.
type streamTask struct {
	world.Task
	pid               int  // 0: not known yet
	early             bool // it has called before the call that has made it has returned
	files, fs, thread int  // tasks with the same number share descriptors; root, directory and umask; a process
}

// Flags of clone that say what a new task shares.
const (
	shareFS     = 0x200
	shareFiles  = 0x400
	shareThread = 0x10000
)

// Stream begins a stream of calls.
func (j *Judge) Stream() *Stream {
	first := &streamTask{Task: j.w.Task}
	return &Stream{Judge: j, tasks: []*streamTask{first}, now: first, others: j.w.Processes, begin: j.w.Task}
}

// Turn makes a task the one that calls; 0 is the first one. A number that no call has returned is the task that was made last
// without a number, else a child of the one that has called before: strace tells of a child's calls before clone has returned.
func (s *Stream) Turn(pid int) {
	first := s.tasks[0]
	if first.pid == 0 && pid != 0 {
		first.pid = pid
	}
	t := s.find(pid)
	switch {
	case pid == 0:
		t = first
	case t == nil && s.child != nil:
		t = s.child
		t.pid, s.child = pid, nil
	case t == nil:
		s.now.Task = s.w.Task
		t = s.copy(&s.now.Task)
		t.pid, t.PID, t.early = pid, pid, true
		s.tasks = append(s.tasks, t)
	}
	if t != s.now {
		s.now.Task = s.w.Task
		s.now, s.w.Task = t, t.Task
		s.see()
	}
}

func (s *Stream) find(pid int) *streamTask {
	for _, t := range s.tasks {
		if t.pid == pid && pid != 0 {
			return t
		}
	}
	return nil
}

// copy is a task that shares nothing.
func (s *Stream) copy(of *world.Task) *streamTask {
	n := len(s.tasks)
	t := &streamTask{Task: *of, files: n, fs: n, thread: n}
	t.FDs = slices.Clone(of.FDs)
	t.Threads.V, t.FSUsers.V = 1, 1
	return t
}

// number is what a task is called in its PID namespace.
func (t *streamTask) number() int {
	if t.PID != 0 {
		return t.PID
	}
	return t.pid
}

// see shows the task that calls the others, and /proc/self as its own.
func (s *Stream) see() {
	w := s.w
	w.Processes = slices.Clone(s.others)
	for _, t := range s.tasks {
		if t == s.now || t.thread == s.now.thread {
			continue
		}
		pid := t.number()
		if ns, below := t.NS[world.PIDNS], s.now.NS[world.PIDNS]; ns != below {
			if pid = t.pid; w.Namespaces[ns].Parent != below {
				continue // it lies outside
			}
		}
		w.Processes = append(w.Processes, world.Process{PID: pid, Cred: t.Cred, Dumpable: true, MMUserNS: t.Cred.UserNS, Parent: 0, MountNS: t.MountNS, NS: t.NS, At: w.Text("the stream")})
	}
	self := strconv.Itoa(s.now.number())
	for i := 1; i < w.FS.NumSB(); i++ {
		sb := w.FS.SB(world.SBID(i))
		if sb.Type != "proc" || sb.Source == nil {
			continue
		}
		if d := w.FS.Known(sb.Root, "self"); d != 0 {
			w.FS.I(d).Link = self
		}
		if d := w.FS.Known(sb.Root, "thread-self"); d != 0 {
			w.FS.I(d).Link = self + "/task/" + self
		}
	}
}

// Apply changes the world as the call that was judged last has.
func (s *Stream) Apply(call *syscalls.Call, ret int64) {
	flags, forks := cloneFlags(call)
	if forks && s.c.Moved.Child {
		s.fork(flags, int(ret))
		return
	}
	s.Judge.Apply(call, ret)
	if call.Name == "exit" {
		s.now.leave(s)
		return
	}
	for _, t := range s.tasks {
		if t == s.now {
			continue
		}
		if t.files == s.now.files {
			t.FDs, t.FDsAt, t.OpenFDs = s.w.Task.FDs, s.w.Task.FDsAt, s.w.Task.OpenFDs
		}
		if t.fs == s.now.fs {
			t.Root, t.Cwd, t.CwdAt, t.Umask = s.w.Task.Root, s.w.Task.Cwd, s.w.Task.CwdAt, s.w.Task.Umask
		}
	}
	if call.Name == "unshare" && len(call.Args) > 0 {
		s.unshareTables(call.Args[0].Val)
	}
	if len(s.tasks) > 1 {
		s.see()
	}
}

// ApplyUnsure is Apply for a call that may have failed: what follows supposes that it has not.
func (s *Stream) ApplyUnsure(call *syscalls.Call) {
	s.w.Assume(call.Name+" has succeeded, which its story leaves open", "the call's result, as strace prints it")
	s.Apply(call, -1)
}

// unshareTables ends what a task shares with others (unshare_fs, unshare_fd).
func (s *Stream) unshareTables(flags uint64) {
	own := len(s.tasks) + 1
	for _, t := range s.tasks {
		own = max(own, t.files+1, t.fs+1)
	}
	if flags&(shareFS|world.NewUser|world.NewMount) != 0 {
		s.now.fs = own
		s.count()
	}
	if flags&shareFiles != 0 {
		s.now.files = own
	}
}

// cloneFlags are the flags of a call that makes a task.
func cloneFlags(call *syscalls.Call) (flags uint64, forks bool) {
	switch call.Name {
	case "fork", "vfork":
		return 0, true
	case "clone":
		if len(call.Args) > 0 {
			flags = call.Args[0].Val & 0xffffffff &^ 0xff
		}
		return flags, true
	case "clone3":
		if len(call.Args) > 0 {
			f, _ := call.Args[0].Field("flags")
			flags = f.Val
		}
		return flags, true
	}
	return 0, false
}

// fork makes a task as copy_process does.
func (s *Stream) fork(flags uint64, ret int) {
	parent := s.now
	parent.Task = s.w.Task
	if s.born(parent, flags, ret) {
		return
	}
	t := s.copy(&parent.Task)
	if flags&shareFiles != 0 {
		t.files, t.FDs = parent.files, parent.FDs
	}
	if flags&shareFS != 0 {
		t.fs = parent.fs
	}
	if flags&shareThread != 0 {
		t.thread = parent.thread
	}
	s.tasks = append(s.tasks, t)
	s.now, s.w.Task = t, t.Task
	if kinds := s.c.Moved.New; kinds != 0 {
		s.unshare(kinds)
	}
	n := &s.w.Task
	newPID := false
	for k := range world.NumNSKinds {
		if c := n.Children[k]; c != 0 && (k == world.PIDNS || k == world.TimeNS) {
			newPID = newPID || k == world.PIDNS && c != n.NS[k]
			n.NS[k] = c
		}
	}
	if t.pid = 0; ret > 0 {
		t.pid = ret
	} else {
		s.child = t
	}
	switch {
	case newPID && s.first(t):
		n.PID = 1
	case flags&shareThread == 0:
		n.PID = t.pid
	}
	t.Task = s.w.Task
	s.now, s.w.Task = parent, parent.Task
	s.count()
	s.see()
}

// born is fork of a task that has called already: a child of vfork has executed another program by the time that its parent goes on.
func (s *Stream) born(parent *streamTask, flags uint64, ret int) bool {
	i := slices.IndexFunc(s.tasks, func(t *streamTask) bool { return t.pid == ret && ret > 0 && t.early && t != parent })
	if i < 0 {
		return false
	}
	t := s.tasks[i]
	if t.early = false; s.c.Moved.New != 0 || parent.Children != [world.NumNSKinds]world.NamespaceID{} { // it is in namespaces that it was not seen in
		s.tasks = slices.Delete(s.tasks, i, i+1)
		return false
	}
	if flags&shareFiles != 0 {
		t.files, t.FDs = parent.files, parent.FDs
	}
	if flags&shareFS != 0 {
		t.fs = parent.fs
	}
	if flags&shareThread != 0 {
		t.thread, t.PID = parent.thread, parent.PID
	}
	s.count()
	s.see()
	return true
}

// first reports that a task is the first one of its PID namespace.
func (s *Stream) first(t *streamTask) bool {
	for _, o := range s.tasks {
		if o != t && o.NS[world.PIDNS] == s.w.Task.NS[world.PIDNS] {
			return false
		}
	}
	return true
}

// leave is the end of a thread.
func (t *streamTask) leave(s *Stream) {
	t.thread, t.fs, t.files = -1-t.pid, -1-t.pid, -1-t.pid
	s.count()
}

// count tells each task how many threads its process has, and with how many it shares root and directory.
func (s *Stream) count() {
	for _, t := range s.tasks {
		threads, users := 0, 0
		for _, o := range s.tasks {
			if o.thread == t.thread {
				threads++
			}
			if o.fs == t.fs {
				users++
			}
		}
		task := &t.Task
		if t == s.now {
			task = &s.w.Task
		}
		if t.thread == 0 { // there may have been others from the beginning
			threads += max(s.begin.Threads.V, 1) - 1
			users += max(s.begin.FSUsers.V, 1) - 1
		}
		task.Threads.V, task.FSUsers.V = threads, users
	}
}

// idFile is the file that an opening has come to, if it is one that sets up a user namespace.
func (j *Judge) idFile(p world.Path) *world.IDFile {
	fs := j.w.FS
	if fs.SBOf(p.Dentry).Type != "proc" {
		return nil
	}
	dir, name, _ := strings.Cut(strings.TrimPrefix(fs.Path(p.Dentry), "/"), "/")
	kind, ok := world.ParseIDFile(name)
	pid, err := strconv.Atoi(dir)
	if !ok || err != nil {
		return nil
	}
	t := &j.w.Task
	ns := t.Cred.UserNS
	if pid != t.PID {
		p := j.w.ProcessByPID(pid)
		if p == nil {
			return nil
		}
		ns = p.Cred.UserNS
	}
	return &world.IDFile{Kind: kind, NS: ns, Opener: t.Cred}
}

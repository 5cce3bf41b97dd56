package vfs

import (
	"strconv"
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// What /proc asks where another process's directory is entered, its memory opened, or one of its links followed: fs/proc/base.c.

// memoryFiles are the files of a process whose open function is proc_mem_open, with the mode in which ptrace is asked.
var memoryFiles = map[string]bool{"mem": true, "maps": true, "smaps": true, "smaps_rollup": true, "numa_maps": true, "environ": true, "auxv": true, "pagemap": true}

// procProcess is the process of a directory below /proc. One of which nothing is known has no Process.
func procProcess(c *check.Check, pid int) Process {
	p := Process{PID: pid, Self: taskPID(c, pid) == kernel.Yes}
	if t := c.W.ProcessByPID(pid); t != nil && t.At.Known() {
		p.Process = t
		p.Self = p.Self || c.W.Task.PID != 0 && t.ThreadGroup() == c.W.Task.PID
	}
	return p
}

// hidden is proc_pid_permission with has_pid_permissions: with hidepid only who may trace a process enters its directory, or the
// group of the option gid.
func hidden(c *check.Check, p world.Path, pid int) story.Errno {
	const invisible, ptraceable = 2, 4
	sb := c.W.FS.SBOf(p.Dentry)
	if sb.HidePID.V == 0 && sb.HidePID.At&story.Missing == 0 {
		return 0
	}
	s := story.Step{Code: story.ProcHidden, Errno: story.EPERM, Op: story.OpSearch, Obj: p.Ref(), Fact: [3]story.Origin{sb.HidePID.At}, Val: [3]uint64{uint64(sb.HidePID.V), uint64(pid)}}
	who := procProcess(c, pid)
	group := sb.HidePID.V != ptraceable && c.Cred.GIDAt.Known() && c.Cred.InGroup(sb.HideGID)
	if who.Self || group && sb.HidePID.Known() {
		c.Pass(s)
		return 0
	}
	if sb.HidePID.V == invisible || sb.HidePID.V == ptraceable {
		s.Errno = story.ENOENT
	}
	switch may := mayTrace(c, who); {
	case may == kernel.Yes:
		c.Pass(s)
	case may == kernel.NotKnown || !sb.HidePID.Known() || sb.HidePID.V != ptraceable && !c.Cred.GroupsAt.Known():
		c.Unknown(s)
		if !sb.HidePID.Known() {
			c.MayEnd(story.ENOENT)
		}
	default:
		if sb.HidePID.V == ptraceable { // a name that somebody has looked up is there, but closed
			c.MayEnd(story.EPERM)
		}
		return c.Deny(s)
	}
	return 0
}

// mayTrace is ptrace_may_access with PTRACE_MODE_READ_FSCREDS, without steps of its own.
func mayTrace(c *check.Check, p Process) kernel.Answer {
	if c.Muted() {
		return kernel.NotKnown
	}
	c.Mute()
	e := MayAccess(c, p, AccessMode{FSIDs: true, Errno: story.EACCES})
	switch missing := c.Unmute(); {
	case missing:
		return kernel.NotKnown
	case e != 0:
		return kernel.No
	}
	return kernel.Yes
}

// openMemory is proc_mem_open: the file's own permissions have been asked, now those of ptrace are. Only mem is opened with
// PTRACE_MODE_ATTACH.
func openMemory(c *check.Check, p world.Path, pid int, name string) story.Errno {
	who := procProcess(c, pid)
	if who.Process == nil || who.Process.Kernel {
		s := story.Step{Code: story.ProcOpen, Errno: story.EACCES, Op: story.OpOpen, Obj: p.Ref(), Fact: [3]story.Origin{c.W.FS.I(p.Dentry).At}}
		if c.Recording() {
			s.Val[0] = c.Word(name)
		}
		c.Unknown(s)
		return 0
	}
	return MayAccess(c, who, AccessMode{Attach: name == "mem", FSIDs: true, MM: true, Errno: story.EACCES})
}

// MagicLink is proc_pid_get_link and proc_ns_get_link: the task's own links are followed, those of another process where ptrace
// would read it. Where the task's own cwd, root and descriptors lead the world knows.
func (Hooks) MagicLink(c *check.Check, link world.Path) (to world.Path, ok, certain bool, e story.Errno) {
	fs, t := c.W.FS, &c.W.Task
	pid := procPID(fs.D(whereInProc(fs, link.Dentry).top).Name)
	if fs.SBOf(link.Dentry).Type != "proc" || pid == 0 {
		return to, false, false, 0
	}
	who := procProcess(c, pid)
	name, dir := fs.D(link.Dentry).Name, fs.D(fs.D(link.Dentry).Parent).Name
	if who.Self {
		switch n, err := strconv.Atoi(name); {
		case name == "cwd":
			return t.Cwd, t.Cwd != world.Path{}, true, 0
		case name == "root":
			return t.Root, t.Root != world.Path{}, true, 0
		case name == "exe":
			return t.Exe, t.Exe != world.Path{}, true, 0
		case dir == "ns":
			to, ok = namespaceFile(c, who, name)
			return to, ok, true, 0
		case err == nil && dir == "fd":
			if f := t.FDByNumber(n); f != nil && f.At.Known() && f.Kind == world.FDFile && f.Path != (world.Path{}) {
				return f.Path, true, true, 0
			}
		}
		return to, false, true, 0
	}
	if e := MayAccess(c, who, AccessMode{FSIDs: true, Errno: story.EACCES}); e != 0 || who.Process == nil {
		return to, false, true, e
	}
	if e := noProgram(c, who, link, name); e != 0 {
		return to, false, true, e
	}
	switch dir {
	case "ns":
		to, ok = namespaceFile(c, who, name)
	case "fd":
		to, ok = leads(c, who.Process, link, "fd/"+name)
	default:
		to, ok = leads(c, who.Process, link, name)
	}
	return to, ok, true, 0
}

// leads is where a link of another process jumps, what it is not known of too.
func leads(c *check.Check, p *world.Process, link world.Path, name string) (to world.Path, ok bool) {
	at, ok := p.Place(name)
	if ok && !at.At.Known() {
		s := story.Step{Code: story.SymlinkMagic, Errno: story.ENOENT, Op: story.OpFollow, Obj: link.Ref(), Fact: [3]story.Origin{at.At}}
		c.Unknown(s)
		const target = "(target)"
		d := c.W.FS.Known(link.Dentry, target)
		if d == 0 {
			d = c.W.FS.AddPhantom(link.Dentry, target, at.At)
		}
		return world.Path{Mount: link.Mount, Dentry: d}, true
	}
	return at.Path, ok
}

// namespaceFile is ns_get_path: the file of nsfs that stands for a namespace of a process.
func namespaceFile(c *check.Check, p Process, name string) (to world.Path, ok bool) {
	w, t := c.W, &c.W.Task
	if w.NSMount == 0 {
		return to, false
	}
	kinds, children, user, mount := &t.NS, &t.Children, t.Cred.UserNS, t.MountNS
	if !p.Self {
		kinds, children, user, mount = &p.Process.NS, nil, p.Process.Cred.UserNS, p.Process.MountNS
	}
	f, label := world.NSFile{}, ""
	switch name {
	case "user":
		f, label = world.NSFile{Type: world.NewUser, ID: int(user)}, w.UserNS[user].Name
	case "mnt":
		f, label = world.NSFile{Type: world.NewMount, ID: int(mount)}, w.MountNS[mount].Name
	default:
		kind, forChildren := strings.CutSuffix(name, "_for_children")
		for k := range world.NumNSKinds {
			if k.String() != kind {
				continue
			}
			id := kinds[k]
			switch {
			case forChildren && children == nil:
				return to, false
			case forChildren && children[k] != 0:
				id = children[k]
			}
			if n := &w.Namespaces[id]; n.At.Known() {
				f, label = world.NSFile{Type: k.Bit(), ID: int(id)}, n.Name
			}
		}
	}
	if f.Type == 0 {
		return to, false
	}
	return w.NSPath(f, label), true
}

// readMagic is proc_pid_readlink and proc_ns_readlink, which ask the same.
func readMagic(c *check.Check, p world.Path) story.Errno {
	fs := c.W.FS
	if !fs.I(p.Dentry).Magic {
		return 0
	}
	pid := procPID(fs.D(whereInProc(fs, p.Dentry).top).Name)
	s := story.Step{Code: story.SymlinkMagic, Errno: story.ENOENT, Op: story.OpRead, Obj: p.Ref()}
	if fs.SBOf(p.Dentry).Type != "proc" || pid == 0 {
		c.Unknown(s)
		c.MayEnd(story.EACCES)
		return 0
	}
	who := procProcess(c, pid)
	if who.Self {
		if fs.D(p.Dentry).Name == "exe" && c.W.Task.Exe == (world.Path{}) { // a program may be gone
			c.Unknown(s)
		}
		return 0
	}
	if e := MayAccess(c, who, AccessMode{FSIDs: true, Errno: story.EACCES}); e != 0 || who.Process == nil {
		return e
	}
	return noProgram(c, who, p, fs.D(p.Dentry).Name)
}

// noProgram is proc_exe_link of a kernel thread.
func noProgram(c *check.Check, p Process, link world.Path, name string) story.Errno {
	if !p.Process.Kernel || name != "exe" {
		return 0
	}
	return c.Refuse(story.Step{Code: story.SymlinkMagic, Errno: story.ENOENT, Op: story.OpFollow, Obj: link.Ref()})
}

// statHidden is pid_getattr: with hidepid=2 a directory that is not shown is not told of either.
func statHidden(c *check.Check, p world.Path) story.Errno {
	const invisible = 2
	fs := c.W.FS
	sb := fs.SBOf(p.Dentry)
	if sb.Type != "proc" || sb.HidePID.V < invisible && sb.HidePID.At&story.Missing == 0 {
		return 0
	}
	at := whereInProc(fs, p.Dentry)
	if pid := procPID(fs.D(at.top).Name); pid != 0 && at.depth == 1 {
		return hidden(c, p, pid)
	}
	return 0
}

package vfs

import (
	"slices"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// AccessMode is how a process is looked into (PTRACE_MODE_*).
type AccessMode struct {
	Attach bool        // not only to read
	FSIDs  bool        // with the ids for files and the effective capabilities, else with the real ids and the permitted ones
	MM     bool        // mm_access asks, on the way to the memory's layout
	Errno  story.Errno // EPERM, or EACCES where mm_access answers
	Passed bool        // the call answers what a security module answers (__ptrace_may_access)
}

// readsLayout is the second half of may_access_mm, since 6.15: whoever may watch the machine's performance reads the layout of
// any process's memory, whatever the ids and security modules say.
func readsLayout(c *check.Check, m AccessMode) bool {
	cr := c.Cred
	has := c.K.Has(kernel.MemoryReadPerfmon)
	if !m.MM || m.Attach || has == kernel.No {
		return false
	}
	s := story.Step{Code: story.CapNeeded, Errno: m.Errno, Op: story.OpTrace, Fact: [3]story.Origin{cr.EffectiveAt, 0, cr.EffectiveAt}, Val: [3]uint64{uint64(kernel.CapPerfmon), 0, uint64(cr.Effective)}}
	switch may := either(c, kernel.CapPerfmon, kernel.CapSysAdmin); {
	case may == kernel.Yes && has == kernel.Yes:
		c.Pass(s)
	case may == kernel.No, everywhere(c, kernel.CapSysPtrace):
		return false
	default:
		c.Unknown(s)
	}
	return true
}

// MayAccess is __ptrace_may_access: ids, then the memory's owner, then security modules.
func MayAccess(c *check.Check, p Process, m AccessMode) story.Errno {
	if p.Self || readsLayout(c, m) {
		return 0
	}
	cr := c.Cred
	uid, gid, caps := cr.RUID, cr.RGID, cr.Permitted
	if m.FSIDs {
		uid, gid, caps = cr.FSUID, cr.FSGID, cr.Effective
	}
	same := kernel.No
	switch {
	case !cr.UIDAt.Known() || !cr.GIDAt.Known():
		same = kernel.NotKnown
	case p.Process != nil && allIDs(&p.Cred, uid, gid):
		same = kernel.Yes
	}
	if e := over(c, p, same, kernel.CapSysPtrace, m.Errno, story.OpTrace); e != 0 {
		return e
	}
	if e := dumpable(c, p, m.Errno); e != 0 {
		return e
	}
	if p.Process == nil {
		if e := noMoreCaps(c, p, caps, kernel.CapSysPtrace, false, story.OpTrace); e != 0 {
			return e
		}
	} else if e := accessCaps(c, p, caps, m); e != 0 {
		return e
	}
	if m.Attach {
		if e := yama(c, p, m.Errno); e != 0 {
			return e
		}
	}
	if e := c.LSM.PtraceAccessCheck(c, p.Process, m.Attach); e != 0 {
		if m.Passed {
			return e
		}
		return m.Errno
	}
	return 0
}

// accessCaps is cap_ptrace_access_check, with the errno that the caller makes of it.
func accessCaps(c *check.Check, p Process, caps world.CapSet, m AccessMode) story.Errno {
	if e := noMoreCaps(c, p, caps, kernel.CapSysPtrace, false, story.OpTrace); e != 0 {
		return m.Errno
	}
	return 0
}

func allIDs(t *world.Cred, uid world.KUID, gid world.KGID) bool {
	return uid == t.RUID && uid == t.EUID && uid == t.SUID && gid == t.RGID && gid == t.EGID && gid == t.SGID
}

// dumpable asks for CAP_SYS_PTRACE where the memory may not be dumped. Kernel threads have none.
func dumpable(c *check.Check, p Process, errno story.Errno) story.Errno {
	s := story.Step{Code: story.ProcessDumpable, Errno: errno, Op: story.OpTrace, Fact: [3]story.Origin{c.W.ProcessesAt, c.Cred.EffectiveAt}, Val: [3]uint64{uint64(int64(p.PID)), uint64(kernel.CapSysPtrace)}}
	if p.Process == nil {
		if !ofStranger(c, kernel.CapSysPtrace) {
			c.Unknown(s)
		}
		return 0
	}
	if p.Dumpable || p.Kernel {
		return 0
	}
	s.Fact[0], s.Val[2] = p.At, uint64(p.MMUserNS)
	switch capable(c, p.MMUserNS, kernel.CapSysPtrace, check.RealmTarget) {
	case kernel.Yes:
		return 0
	case kernel.NotKnown:
		c.Unknown(s)
		return 0
	}
	return c.Deny(s)
}

// yama is yama_ptrace_access_check, where Yama is active.
func yama(c *check.Check, p Process, errno story.Errno) story.Errno {
	w := c.W
	if !w.LSMs.Known() || !slices.Contains(w.LSMs.V, "yama") {
		return 0 // an unknown stack of modules is told by the stack itself
	}
	scope := w.Sysctl(kernel.PtraceScope)
	s := story.Step{Code: story.YamaScope, Errno: errno, Op: story.OpTrace, Fact: [3]story.Origin{scope.At, w.LSMs.At}, Val: [3]uint64{uint64(int64(scope.V)), c.Word("yama"), c.Word("everybody may trace as the other rules say")}}
	may := kernel.NotKnown
	if p.Process != nil {
		may = capable(c, p.Cred.UserNS, kernel.CapSysPtrace, check.RealmTarget)
	} else if ofStranger(c, kernel.CapSysPtrace) {
		may = kernel.Yes
	}
	switch {
	case !scope.Known():
		s.Val[2] = c.Word("it is not known")
		c.Unknown(s)
		return 0
	case scope.V <= 0:
		c.Pass(s)
		return 0
	case scope.V >= 3:
		s.Val[2] = c.Word("nobody attaches")
		return c.Deny(s)
	case may == kernel.Yes:
		s.Val[2] = c.Word("the task has CAP_SYS_PTRACE over the process")
		c.Pass(s)
		return 0
	case scope.V == 2 && may == kernel.No:
		s.Val[2] = c.Word("attaching needs CAP_SYS_PTRACE over the process")
		return c.Deny(s)
	case scope.V == 1 && may == kernel.No && p.Process != nil && descendant(c, p.Process) == kernel.Yes:
		s.Val[2] = c.Word("the process descends from the task")
		c.Pass(s)
		return 0
	}
	// Whether the process has named the task with PR_SET_PTRACER is not to be seen from outside.
	s.Val[2] = c.Word("attaching needs CAP_SYS_PTRACE over the process, a descendant, or one that has named the task with PR_SET_PTRACER")
	c.Unknown(s)
	return 0
}

// descendant is task_is_descendant, over what is known of parents.
func descendant(c *check.Check, p *world.Process) kernel.Answer {
	for range 64 {
		switch {
		case p == nil || c.W.Task.PID == 0 || p.Parent == 0:
			return kernel.NotKnown
		case p.Parent == c.W.Task.PID:
			return kernel.Yes
		}
		p = c.W.ProcessByPID(p.Parent)
	}
	return kernel.NotKnown
}

// Attach is ptrace_attach.
func Attach(c *check.Check, p Process) story.Errno {
	s := story.Step{Code: story.ProcessSelf, Errno: story.EPERM, Op: story.OpTrace, Fact: [3]story.Origin{c.W.ProcessesAt}, Val: [3]uint64{uint64(int64(p.PID))}}
	if p.Self || p.Process != nil && p.Kernel {
		return c.Refuse(s)
	}
	if p.Process == nil {
		c.Unknown(s)
	}
	if e := MayAccess(c, p, AccessMode{Attach: true, Errno: story.EPERM, Passed: true}); e != 0 {
		return e
	}
	s.Code = story.ProcessTraced
	switch {
	case p.Process == nil:
		c.Unknown(s)
	case p.Traced:
		return c.Refuse(s)
	}
	return 0
}

// Request is ptrace_check_attach, for the requests to a tracee.
func Request(c *check.Check, p Process) story.Errno {
	s := story.Step{Code: story.NotTracee, Errno: story.ESRCH, Op: story.OpTrace, Fact: [3]story.Origin{c.W.ProcessesAt}, Val: [3]uint64{uint64(int64(p.PID))}}
	switch {
	case p.Self || p.Process != nil && !p.Traced:
		return c.Refuse(s)
	}
	c.Unknown(s)
	return 0
}

// TraceMe is ptrace_traceme: the parent becomes the tracer, so it is the parent whose capabilities are asked for.
func TraceMe(c *check.Check) story.Errno {
	me := own(c)
	s := story.Step{Code: story.ProcessCaps, Errno: story.EPERM, Op: story.OpTrace, Fact: [3]story.Origin{c.W.ProcessesAt, c.Cred.EffectiveAt}, Val: [3]uint64{uint64(c.Cred.Permitted), 0, uint64(kernel.CapSysPtrace)}}
	if me.Process == nil || me.Parent == 0 || c.W.ProcessByPID(me.Parent) == nil || !c.Cred.EffectiveAt.Known() {
		c.Unknown(s)
		return c.LSM.OnTask(c, story.HookPtraceTraceme, nil, false, story.OpTrace, 0)
	}
	if me.Traced {
		return c.Refuse(story.Step{Code: story.ProcessTraced, Errno: story.EPERM, Op: story.OpTrace, Fact: [3]story.Origin{me.At}, Val: [3]uint64{uint64(me.PID)}})
	}
	parent := c.W.ProcessByPID(me.Parent)
	s.Val[1] = uint64(parent.Cred.Permitted)
	same := parent.Cred.UserNS == c.Cred.UserNS && c.Cred.Permitted&^parent.Cred.Permitted == 0
	if !same && asks(c, &parent.Cred, c.Cred.UserNS, kernel.CapSysPtrace, check.RealmOwn) != kernel.Yes {
		return c.Deny(s)
	}
	c.Pass(s)
	return c.LSM.OnTask(c, story.HookPtraceTraceme, parent, false, story.OpTrace, 0)
}

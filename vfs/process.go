package vfs

import (
	"syscallstory/check"
	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Process is what a call that names a process has found.
type Process struct {
	*world.Process      // nil where nothing is known of it
	Self           bool // the task's own process
	PID            int
}

// FindProcess is find_task_by_vpid; 0 is the task itself where the call says so. A process of which nothing is known counts
// as found: what follows asks for what it needs.
func FindProcess(c *check.Check, pid int, op story.Op) (Process, story.Errno) {
	t := &c.W.Task
	if t.PID != 0 && pid == t.PID {
		return own(c), 0
	}
	s := story.Step{Code: story.ProcessMissing, Errno: story.ESRCH, Op: op, Fact: [3]story.Origin{c.W.ProcessesAt}, Val: [3]uint64{uint64(int64(pid))}}
	if p := c.W.ProcessByPID(pid); p != nil && p.At.Known() {
		s.Fact[0] = p.At
		c.Pass(s)
		return Process{Process: p, PID: pid, Self: t.PID != 0 && p.ThreadGroup() == t.PID}, 0
	}
	if pid <= 0 || c.W.ProcessesAt.Known() {
		return Process{}, c.Refuse(s)
	}
	c.Unknown(s)
	return Process{PID: pid}, 0
}

// FindOwn is FindProcess for calls where 0 is the task itself.
func FindOwn(c *check.Check, pid int, op story.Op) (Process, story.Errno) {
	if pid == 0 {
		return own(c), 0
	}
	return FindProcess(c, pid, op)
}

func own(c *check.Check) Process {
	return Process{Process: c.W.ProcessByPID(c.W.Task.PID), Self: true, PID: c.W.Task.PID}
}

// everywhere reports whether the task holds a capability over every process, whosever it is.
func everywhere(c *check.Check, want kernel.Cap) bool {
	return cred.Capable(c.W, c.Cred, 0, want) == kernel.Yes
}

// over asks for a capability in the user namespace of a process, which may not be known. same says whether the ids alone
// allow it.
func over(c *check.Check, p Process, same kernel.Answer, want kernel.Cap, errno story.Errno, op story.Op) story.Errno {
	if p.Process == nil {
		return strange(c, want, errno, op)
	}
	return overNS(c, p, same, p.Cred.UserNS, want, errno, op)
}

// ofStranger asks for a capability over a process of which nothing is known: it counts for sure where it counts everywhere.
func ofStranger(c *check.Check, want kernel.Cap) bool {
	a := cred.Capable(c.W, c.Cred, 0, want)
	if a == kernel.No {
		a = kernel.NotKnown
	}
	return c.Ask(check.Asked{Cap: want, Lost: true, Realm: check.RealmTarget, Task: true, Answer: a}) == kernel.Yes
}

// strange is over for a process of which nothing is known.
func strange(c *check.Check, want kernel.Cap, errno story.Errno, op story.Op) story.Errno {
	cr := c.Cred
	if ofStranger(c, want) {
		c.Pass(story.Step{Code: story.CapNeeded, Op: op, Fact: [3]story.Origin{cr.EffectiveAt}, Val: [3]uint64{uint64(want), 0, uint64(cr.Effective)}})
		return 0
	}
	c.Unknown(story.Step{Code: story.ProcessOwner, Errno: errno, Op: op, Fact: [3]story.Origin{c.W.ProcessesAt, cr.UIDAt, cr.EffectiveAt},
		Val: [3]uint64{pack(world.KUID(world.Invalid), world.KGID(world.Invalid)), pack(cr.EUID, cr.EGID), uint64(want)}})
	return 0
}

// overNS is over with the user namespace in which the capability counts.
func overNS(c *check.Check, p Process, same kernel.Answer, ns world.UserNSID, want kernel.Cap, errno story.Errno, op story.Op) story.Errno {
	cr := c.Cred
	s := story.Step{Code: story.ProcessOwner, Errno: errno, Op: op, Fact: [3]story.Origin{p.At, cr.UIDAt, cr.EffectiveAt},
		Val: [3]uint64{pack(p.Cred.RUID, p.Cred.RGID), pack(cr.EUID, cr.EGID), uint64(want)}}
	if same == kernel.Yes {
		c.Pass(s)
		return 0
	}
	switch asks(c, cr, ns, want, check.RealmTarget) {
	case kernel.Yes:
		s.Code, s.Fact, s.Val = story.CapNeeded, [3]story.Origin{cr.EffectiveAt, 0, cr.EffectiveAt}, [3]uint64{uint64(want), uint64(ns), uint64(cr.Effective)}
		c.Pass(s)
		return 0
	case kernel.NotKnown:
		c.Unknown(s)
		return 0
	}
	if same == kernel.NotKnown {
		c.Unknown(s)
		return 0
	}
	if cr.EffectiveAt.Known() && cr.Effective.Has(want) {
		s.Code, s.Val = story.UserNSCap, [3]uint64{uint64(want), uint64(ns), uint64(cr.UserNS)}
	}
	return c.Deny(s)
}

// sameOwner is check_same_owner and set_one_prio_perm: the effective uid is the other's effective or real one.
func sameOwner(c *check.Check, p Process) kernel.Answer {
	if !c.Cred.UIDAt.Known() {
		return kernel.NotKnown
	}
	if p.Process != nil && (c.Cred.EUID == p.Cred.EUID || c.Cred.EUID == p.Cred.RUID) {
		return kernel.Yes
	}
	return kernel.No
}

// mayKill is kill_ok_by_cred.
func mayKill(c *check.Check, p Process) kernel.Answer {
	if !c.Cred.UIDAt.Known() {
		return kernel.NotKnown
	}
	cr := c.Cred
	if p.Process != nil && (cr.EUID == p.Cred.SUID || cr.EUID == p.Cred.RUID || cr.RUID == p.Cred.SUID || cr.RUID == p.Cred.RUID) {
		return kernel.Yes
	}
	return kernel.No
}

// maxSignal is _NSIG; sigCont passes within a session.
const (
	maxSignal = 64
	sigCont   = 18
)

// Signal is check_kill_permission. Signals that come from the kernel are not asked for more than their number.
func Signal(c *check.Check, p Process, sig int, fromUser bool) story.Errno {
	if sig < 0 || sig > maxSignal {
		return Invalid(c, story.EINVAL, "signals have the numbers 0 to 64")
	}
	if !fromUser {
		return 0
	}
	if p.Self {
		return c.LSM.OnTask(c, story.HookTaskKill, p.Process, true, story.OpSignal, uint64(sig))
	}
	if sig == sigCont && p.Process != nil && !everywhere(c, kernel.CapKill) && mayKill(c, p) != kernel.Yes {
		if in, known := sameSession(c, p); !known {
			c.Unknown(story.Step{Code: story.SessionRule, Errno: story.EPERM, Op: story.OpSignal, Fact: [3]story.Origin{c.W.ProcessesAt}, Val: [3]uint64{c.Word("whether the process is in the task's session")}})
			return c.LSM.TaskKill(c, p.Process, sig)
		} else if in {
			return c.LSM.TaskKill(c, p.Process, sig)
		}
	}
	if e := over(c, p, mayKill(c, p), kernel.CapKill, story.EPERM, story.OpSignal); e != 0 {
		return e
	}
	return c.LSM.TaskKill(c, p.Process, sig)
}

func sameSession(c *check.Check, p Process) (in, known bool) {
	me := c.W.ProcessByPID(c.W.Task.PID)
	if me == nil || me.Session == 0 || p.Session == 0 || me.Session == world.Outside && p.Session == world.Outside {
		return false, false
	}
	return me.Session == p.Session, true
}

// SafeNice is cap_safe_nice, which commoncap asks where scheduling changes: the other's permitted capabilities are a part of
// the task's, or CAP_SYS_NICE counts over it.
func SafeNice(c *check.Check, p Process, hook story.Hook) story.Errno {
	if p.Self {
		return c.LSM.OnTask(c, hook, p.Process, true, story.OpSchedule, 0)
	}
	if e := noMoreCaps(c, p, c.Cred.Permitted, kernel.CapSysNice, true, story.OpSchedule); e != 0 {
		return e
	}
	return c.LSM.OnTask(c, hook, p.Process, false, story.OpSchedule, 0)
}

// noMoreCaps compares the permitted set of a process with one of the task's.
func noMoreCaps(c *check.Check, p Process, mine world.CapSet, want kernel.Cap, anyNS bool, op story.Op) story.Errno {
	cr := c.Cred
	s := story.Step{Code: story.ProcessCaps, Errno: story.EPERM, Op: op, Fact: [3]story.Origin{c.W.ProcessesAt, cr.EffectiveAt, cr.EffectiveAt}, Val: [3]uint64{0, uint64(mine), uint64(want)}}
	if p.Process == nil {
		if !ofStranger(c, want) {
			c.Unknown(s)
		}
		return 0
	}
	s.Fact[0], s.Val[0] = p.At, uint64(p.Cred.Permitted)
	if cr.EffectiveAt.Known() && p.Cred.Permitted&^mine == 0 && (anyNS || cr.UserNS == p.Cred.UserNS) {
		c.Pass(s)
		return 0
	}
	switch asks(c, cr, p.Cred.UserNS, want, check.RealmTarget) {
	case kernel.Yes:
		c.Pass(s)
		return 0
	case kernel.NotKnown:
		c.Unknown(s)
		return 0
	}
	if cr.EffectiveAt.Known() && cr.Effective.Has(want) {
		s.Code, s.Val = story.UserNSCap, [3]uint64{uint64(want), uint64(p.Cred.UserNS), uint64(cr.UserNS)}
	}
	return c.Deny(s)
}

// FindThread finds a thread; tgid, where it is not 0, is the process that it must belong to.
func FindThread(c *check.Check, tgid, pid int, op story.Op) (Process, story.Errno) {
	p, e := FindProcess(c, pid, op)
	if e != 0 || tgid == 0 {
		return p, e
	}
	s := story.Step{Code: story.ProcessMissing, Errno: story.ESRCH, Op: op, Fact: [3]story.Origin{c.W.ProcessesAt}, Val: [3]uint64{uint64(int64(tgid))}}
	switch {
	case p.Process != nil && tgid != p.Process.ThreadGroup():
		return p, c.Refuse(s)
	case p.Process == nil && p.Self && tgid != p.PID:
		return p, c.Refuse(s)
	case p.Process == nil && !p.Self:
		c.Unknown(s)
	}
	return p, 0
}

// Leader refuses a thread that does not lead its process (pidfd_prepare).
func Leader(c *check.Check, p Process) story.Errno {
	s := story.Step{Code: story.ArgInvalid, Errno: story.ENOENT, Op: story.OpOpen, Val: [3]uint64{c.Word("this is a thread: PIDFD_THREAD names it")}}
	switch {
	case p.Self && p.Process == nil:
		return 0
	case p.Process == nil:
		return NotKnown(c, "whether this is a process or a thread", story.ENOENT, story.EINVAL)
	case p.Process.ThreadGroup() == p.PID:
		return 0
	}
	switch c.K.Has(kernel.PidfdThreadMissing) {
	case kernel.No:
		s.Errno = story.EINVAL
	case kernel.NotKnown:
		c.MayEnd(story.EINVAL)
	}
	return c.Refuse(s)
}

// SignalMany is kill of a process group, of the task's own for 0, and of all processes for -1: one that takes the signal is
// enough for a group; of all, a refusal does not count.
func SignalMany(c *check.Check, pid, sig int) story.Errno {
	me := c.W.ProcessByPID(c.W.Task.PID)
	valid := sig >= 0 && sig <= maxSignal
	group := -pid
	if pid == 0 || pid != -1 && me != nil && me.Group == group { // the task itself is one of them
		if !valid {
			return Invalid(c, story.EINVAL, "signals have the numbers 0 to 64")
		}
		return c.LSM.OnTask(c, story.HookTaskKill, nil, false, story.OpSignal, uint64(sig))
	}
	found, takes := 0, kernel.No
	for i := range c.W.Processes {
		p := &c.W.Processes[i]
		if p.ThreadGroup() != p.PID || pid == -1 && (p.PID <= 1 || p.PID == c.W.Task.PID) || pid != -1 && p.Group != group {
			continue
		}
		found++
		takes = or(takes, killable(c, p, sig))
	}
	s := story.Step{Code: story.ProcessMissing, Errno: story.ESRCH, Op: story.OpSignal, Fact: [3]story.Origin{c.W.ProcessesAt}, Val: [3]uint64{uint64(int64(pid))}}
	switch {
	case found == 0 && c.W.ProcessesAt.Known():
		return c.Refuse(s)
	case found == 0:
		c.Unknown(s)
	}
	switch {
	case !valid:
		return Invalid(c, story.EINVAL, "signals have the numbers 0 to 64")
	case pid == -1 || takes == kernel.Yes:
		return c.LSM.TaskKill(c, nil, sig)
	}
	s = story.Step{Code: story.ProcessOwner, Errno: story.EPERM, Op: story.OpSignal, Fact: [3]story.Origin{c.W.ProcessesAt, c.Cred.UIDAt, c.Cred.EffectiveAt},
		Val: [3]uint64{pack(world.KUID(world.Invalid), world.KGID(world.Invalid)), pack(c.Cred.EUID, c.Cred.EGID), uint64(kernel.CapKill)}}
	if found == 0 || takes == kernel.NotKnown || !c.W.ProcessesAt.Known() {
		c.Unknown(s)
		return 0
	}
	return c.Deny(s)
}

// killable answers for one process of many.
func killable(c *check.Check, p *world.Process, sig int) kernel.Answer {
	t := Process{Process: p, PID: p.PID}
	a := mayKill(c, t)
	if a != kernel.Yes {
		a = or(a, capable(c, p.Cred.UserNS, kernel.CapKill, check.RealmTarget))
	}
	if sig == sigCont && a != kernel.Yes {
		if in, known := sameSession(c, t); in {
			return kernel.Yes
		} else if !known {
			return kernel.NotKnown
		}
	}
	return a
}

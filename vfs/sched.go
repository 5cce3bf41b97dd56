package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Numbers of limits.
const (
	rlimitNoFile  = 7
	rlimitMemlock = 8
	rlimitNice    = 13
	rlimitRTPrio  = 14
	rlimits       = 16
	infinity      = ^uint64(0)
)

// taskLimit is task_rlimit.
func taskLimit(c *check.Check, p Process, n int) world.Fact[world.Rlimit] {
	if p.Self {
		return c.W.Task.Rlimits[n]
	}
	if p.Process != nil && p.Rlimits != nil {
		return p.Rlimits[n]
	}
	return world.Fact[world.Rlimit]{At: c.W.Miss("the limits of other processes are not known", "--pid of a live process")}
}

// privileged is the last way where a limit does not allow a change of scheduling: CAP_SYS_NICE in the initial user
// namespace. allowed says what the limit says.
func privileged(c *check.Check, allowed kernel.Answer, rule string, limit world.Fact[world.Rlimit], errno story.Errno) story.Errno {
	cr := c.Cred
	s := story.Step{Code: story.PriorityLimit, Errno: errno, Op: story.OpSchedule, Fact: [3]story.Origin{limit.At, limit.At, cr.EffectiveAt}, Val: [3]uint64{c.Word(rule), limit.V.Cur, uint64(cr.Effective)}}
	if allowed == kernel.Yes {
		return 0
	}
	may := asks(c, cr, 0, kernel.CapSysNice, check.RealmInitial)
	switch {
	case may == kernel.Yes:
		c.Pass(s)
		return 0
	case may == kernel.NotKnown || allowed == kernel.NotKnown:
		c.Unknown(s)
		return 0
	}
	return c.Deny(s)
}

func nice(p Process) (int, bool) {
	if p.Process != nil {
		return p.Nice, p.Process.At.Known()
	}
	return 0, false
}

// niceAllowed is is_nice_reduction: RLIMIT_NICE holds 20 minus the smallest nice value.
func niceAllowed(limit world.Fact[world.Rlimit], value int) kernel.Answer {
	switch {
	case !limit.Known():
		return kernel.NotKnown
	case uint64(20-value) <= limit.V.Cur:
		return kernel.Yes
	}
	return kernel.No
}

// SetPriority is set_one_prio.
func SetPriority(c *check.Check, p Process, value int) story.Errno {
	if !p.Self || !c.Cred.UIDAt.Known() {
		if e := over(c, p, sameOwner(c, p), kernel.CapSysNice, story.EPERM, story.OpSchedule); e != 0 {
			return e
		}
	}
	limit := taskLimit(c, p, rlimitNice)
	allowed := niceAllowed(limit, value)
	if now, known := nice(p); known && value >= now || value >= 19 {
		allowed = kernel.Yes
	} else if !known && allowed == kernel.No {
		allowed = kernel.NotKnown
	}
	if e := privileged(c, allowed, "RLIMIT_NICE", limit, story.EACCES); e != 0 {
		return e
	}
	return SafeNice(c, p, story.HookTaskSetnice)
}

// Policies of scheduling.
const (
	schedFIFO     = 1
	schedRR       = 2
	schedBatch    = 3
	schedIdle     = 5
	schedDeadline = 6
	schedExt      = 7
)

// Scheduling is what sched_setscheduler, sched_setparam and sched_setattr ask for.
type Scheduling struct {
	Policy   int // -1: as it is
	Priority int
	Nice     int
	NewNice  bool // Nice counts
	Reset    bool // SCHED_FLAG_RESET_ON_FORK
	Runtime  [3]uint64
	Flags    uint64
}

// SetScheduling is __sched_setscheduler.
func SetScheduling(c *check.Check, p Process, s Scheduling) story.Errno {
	policy := s.Policy
	if policy < 0 {
		if p.Process == nil || !p.Process.At.Known() {
			return NotKnown(c, "how the process is scheduled now", story.EINVAL, story.EPERM)
		}
		policy = p.Policy
	}
	rt := policy == schedFIFO || policy == schedRR
	switch {
	case policy > schedExt || policy == 4:
		return Invalid(c, story.EINVAL, "there is no such policy")
	case policy == schedExt && c.K.AtLeast(6, 12) != kernel.Yes:
		return NotKnown(c, "whether the kernel has SCHED_EXT", story.EINVAL)
	case s.Flags&^0x7f != 0:
		return Invalid(c, story.EINVAL, "the kernel does not know these flags")
	case s.Priority < 0 || s.Priority > 99:
		return Invalid(c, story.EINVAL, "a priority is at most 99")
	case policy == schedDeadline:
		if e := deadline(c, s); e != 0 {
			return e
		}
	case rt != (s.Priority != 0):
		return Invalid(c, story.EINVAL, "SCHED_FIFO and SCHED_RR have priorities from 1 to 99, other policies 0")
	}
	if e := mayReschedule(c, p, s, policy, rt); e != 0 {
		return e
	}
	if e := SafeNice(c, p, story.HookTaskSetscheduler); e != 0 {
		return e
	}
	switch {
	case rt:
		return rtGroup(c)
	case policy == schedDeadline || policy == schedExt:
		return NotKnown(c, "what the scheduler has room for", story.EBUSY, story.EPERM, story.EACCES)
	case s.Flags&0x60 != 0:
		return NotKnown(c, "whether the kernel clamps utilisation", story.EOPNOTSUPP, story.EINVAL)
	}
	return 0
}

// deadline is __checkparam_dl, without the bounds of the period, which sysctls set.
func deadline(c *check.Check, s Scheduling) story.Errno {
	runtime, until, period := s.Runtime[0], s.Runtime[1], s.Runtime[2]
	if period == 0 {
		period = until
	}
	if until == 0 || runtime < 1024 || until>>63 != 0 || period>>63 != 0 || period < until || until < runtime {
		return Invalid(c, story.EINVAL, "SCHED_DEADLINE wants 1024 ns <= runtime <= deadline <= period")
	}
	return 0
}

// mayReschedule is user_check_sched_setscheduler: what no limit allows needs CAP_SYS_NICE in the initial user namespace.
func mayReschedule(c *check.Check, p Process, s Scheduling, policy int, rt bool) story.Errno {
	now, known := 0, p.Process != nil && p.Process.At.Known()
	old := 0
	if known {
		now, old = p.Nice, p.Policy
	}
	rule, allowed, limit := "", kernel.Yes, world.Fact[world.Rlimit]{}
	need := func(a kernel.Answer, text string, l world.Fact[world.Rlimit]) {
		if allowed == kernel.Yes && a != kernel.Yes || allowed == kernel.NotKnown && a == kernel.No {
			rule, allowed, limit = text, a, l
		}
	}
	switch {
	case policy == schedDeadline:
		need(kernel.No, "SCHED_DEADLINE", limit)
	case rt:
		l := taskLimit(c, p, rlimitRTPrio)
		switch {
		case known && old == policy && s.Priority <= p.RTPriority:
		case !l.Known():
			need(kernel.NotKnown, "RLIMIT_RTPRIO", l)
		case (!known || old != policy) && l.V.Cur == 0 || uint64(s.Priority) > l.V.Cur:
			need(map[bool]kernel.Answer{true: kernel.No, false: kernel.NotKnown}[known], "RLIMIT_RTPRIO", l)
		}
	case s.NewNice && policy != schedIdle:
		if l := taskLimit(c, p, rlimitNice); !known && s.Nice < 19 {
			if niceAllowed(l, s.Nice) != kernel.Yes {
				need(kernel.NotKnown, "RLIMIT_NICE", l)
			}
		} else if s.Nice < now {
			need(niceAllowed(l, s.Nice), "RLIMIT_NICE", l)
		}
	}
	if policy != schedIdle && policy >= 0 {
		if l := taskLimit(c, p, rlimitNice); !known {
			need(kernel.NotKnown, "leaving SCHED_IDLE", l)
		} else if old == schedIdle {
			need(niceAllowed(l, now), "leaving SCHED_IDLE", l)
		}
	}
	if !p.Self {
		switch a := sameOwner(c, p); {
		case p.Process == nil:
			need(kernel.NotKnown, "whether the process is the task's own", limit)
		case a != kernel.Yes:
			need(a, "a process of another user", world.Fact[world.Rlimit]{At: p.At})
		}
	}
	if !known && !s.Reset {
		need(kernel.NotKnown, "SCHED_FLAG_RESET_ON_FORK", limit)
	}
	return privileged(c, allowed, rule, limit, story.EPERM)
}

// rtGroup: with CONFIG_RT_GROUP_SCHED a control group may have no time for real-time tasks.
func rtGroup(c *check.Check) story.Errno {
	if f := c.W.Features[kernel.RTGroups]; !f.Known() || f.V {
		return NotKnown(c, "whether the control group has time for real-time tasks", story.EPERM)
	}
	return 0
}

// SetAffinity is sched_setaffinity: unlike the policy, CAP_SYS_NICE counts in the user namespace of the process here.
func SetAffinity(c *check.Check, p Process, empty bool) story.Errno {
	if !p.Self || !c.Cred.UIDAt.Known() {
		if e := over(c, p, sameOwner(c, p), kernel.CapSysNice, story.EPERM, story.OpSchedule); e != 0 {
			return e
		}
	}
	if e := SafeNice(c, p, story.HookTaskSetscheduler); e != 0 {
		return e
	}
	if empty {
		return Invalid(c, story.EINVAL, "no CPU is left")
	}
	return NotKnown(c, "which CPUs the process may use", story.EINVAL)
}

// SetIOPriority is set_task_ioprio.
func SetIOPriority(c *check.Check, p Process) story.Errno {
	cr := c.Cred
	same := kernel.No
	switch {
	case !cr.UIDAt.Known():
		same = kernel.NotKnown
	case p.Self || p.Process != nil && (p.Cred.RUID == cr.EUID || p.Cred.RUID == cr.RUID):
		same = kernel.Yes
	}
	switch {
	case p.Process == nil && !p.Self:
		if e := strange(c, kernel.CapSysNice, story.EPERM, story.OpSchedule); e != 0 {
			return e
		}
	case !p.Self:
		if e := overNS(c, p, same, 0, kernel.CapSysNice, story.EPERM, story.OpSchedule); e != 0 {
			return e
		}
	}
	return SafeNice(c, p, story.HookTaskSetioprio)
}

// IOPriorityClass is ioprio_check_cap.
func IOPriorityClass(c *check.Check, value uint32) story.Errno {
	class, data := value>>13&7, value&0x1fff
	switch {
	case class == 1: // IOPRIO_CLASS_RT
		if capable(c, 0, kernel.CapSysAdmin, check.RealmInitial) != kernel.Yes {
			if e := privileged(c, kernel.No, "the real-time class of I/O", world.Fact[world.Rlimit]{}, story.EPERM); e != 0 {
				return e
			}
		}
	case class == 0 && data != 0, class > 3 || value>>16 != 0:
		return Invalid(c, story.EINVAL, "there is no such class of I/O")
	}
	if class != 0 && class != 3 && data > 7 {
		return NotKnown(c, "whether the kernel takes hints in a priority of I/O", story.EINVAL)
	}
	return 0
}

package explain

import (
	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
	"syscallstory/world"
)

// Routes of scheduling, priorities and limits: kernel/sys.c, kernel/sched/syscalls.c, block/ioprio.c, mm/mlock.c.

var _ = add(map[string]Route{"setpriority": setpriority, "getpriority": getpriority, "sched_setscheduler": schedSetscheduler, "sched_setparam": schedSetparam,
	"sched_setattr": schedSetattr, "sched_getscheduler": schedGet, "sched_getparam": schedGetTo, "sched_rr_get_interval": schedGetTo, "sched_getattr": schedGetattr,
	"sched_setaffinity": schedSetaffinity, "sched_getaffinity": schedGetaffinity, "ioprio_set": ioprioSet, "ioprio_get": ioprioGet,
	"prlimit64": prlimit, "setrlimit": setrlimit, "getrlimit": getrlimit, "mlock": mlock, "mlock2": mlock, "mlockall": mlockall, "munlock": munlock})

// whom finds whom PRIO_* and IOPRIO_WHO_* name; base is the number of a process. many is for groups and users.
func whom(c *check.Check, which, base, who uint64) (p vfs.Process, many bool, e story.Errno) {
	switch which - base {
	case 0:
		p, e = vfs.FindOwn(c, int(int32(who)), story.OpSchedule)
		return p, false, e
	case 1, 2:
		return p, true, 0
	}
	return p, false, vfs.Invalid(c, story.EINVAL, "a process, a group or a user is named")
}

func setpriority(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	p, many, e := whom(c, a[0].Val, 0, a[1].Val)
	value := max(-20, min(19, pidOf(&a[2])))
	switch {
	case e != 0:
		return e
	case many:
		return vfs.ManyOf(c, a[0].Val == 2, int32(a[1].Val), true).Priority(c, value)
	}
	return vfs.SetPriority(c, p, value)
}

func getpriority(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	_, many, e := whom(c, a[0].Val, 0, a[1].Val)
	if many {
		return vfs.ManyOf(c, a[0].Val == 2, int32(a[1].Val), true).Any(c)
	}
	return e
}

func schedSetscheduler(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if int32(a[1].Val) < 0 {
		return vfs.Invalid(c, story.EINVAL, "a policy is not negative")
	}
	return setScheduler(c, &a[0], &a[2], int(uint32(a[1].Val)))
}

func schedSetparam(c *check.Check, call *syscalls.Call) story.Errno {
	return setScheduler(c, &call.Args[0], &call.Args[1], -1)
}

// setScheduler is do_sched_setscheduler.
func setScheduler(c *check.Check, who, param *syscalls.Arg, policy int) story.Errno {
	pid := pidOf(who)
	switch {
	case isNull(param) || pid < 0:
		return vfs.Invalid(c, story.EINVAL, "a pid and a structure are needed")
	case param.Fault:
		return vfs.Fault(c)
	}
	p, e := vfs.FindOwn(c, pid, story.OpSchedule)
	if e != 0 {
		return e
	}
	prio, _ := param.Field("sched_priority")
	s := vfs.Scheduling{Policy: policy, Priority: int(int32(prio.Val))}
	if policy >= 0 {
		s.Policy, s.Reset = policy&^0x40000000, policy&0x40000000 != 0
	}
	return vfs.SetScheduling(c, p, s)
}

// schedSetattr is sched_setattr with sched_copy_attr.
func schedSetattr(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	pid, attr := pidOf(&a[0]), &a[1]
	switch {
	case isNull(attr) || pid < 0 || a[2].Val != 0:
		return vfs.Invalid(c, story.EINVAL, "a pid and a structure are needed, and no flags")
	case attr.Fault:
		return vfs.Fault(c)
	case attr.Cut:
		return vfs.NotKnown(c, "what the structure holds", story.EINVAL, story.E2BIG, story.EPERM, story.ESRCH)
	}
	field := func(name string) uint64 { f, _ := attr.Field(name); return f.Val }
	size, policy, flags := field("size"), int32(field("sched_policy")), field("sched_flags")
	switch {
	case size != 0 && size < 48 || size > 4096:
		return vfs.Invalid(c, story.E2BIG, "the structure has at least 48 bytes")
	case flags&0x60 != 0 && size < 56:
		return vfs.Invalid(c, story.EINVAL, "clamps of utilisation need 56 bytes")
	case policy < 0:
		return vfs.Invalid(c, story.EINVAL, "a policy is not negative")
	}
	p, e := vfs.FindOwn(c, pid, story.OpSchedule)
	if e != 0 {
		return e
	}
	if flags&24 != 0 {
		return vfs.NotKnown(c, "how the process is scheduled now", story.EINVAL, story.EPERM)
	}
	nice := max(-20, min(19, int(int32(field("sched_nice")))))
	return vfs.SetScheduling(c, p, vfs.Scheduling{Policy: int(policy), Priority: int(int32(field("sched_priority"))), Nice: nice, NewNice: true, Reset: flags&1 != 0,
		Flags: flags, Runtime: [3]uint64{field("sched_runtime"), field("sched_deadline"), field("sched_period")}})
}

// schedGet asks for nothing but a process.
func schedGet(c *check.Check, call *syscalls.Call) story.Errno {
	if pidOf(&call.Args[0]) < 0 {
		return vfs.Invalid(c, story.EINVAL, "a pid is not negative")
	}
	return readScheduling(c, pidOf(&call.Args[0]))
}

func readScheduling(c *check.Check, pid int) story.Errno {
	p, e := vfs.FindOwn(c, pid, story.OpSchedule)
	if e != 0 {
		return e
	}
	return c.LSM.OnTask(c, story.HookTaskGetscheduler, p.Process, p.Self, story.OpSchedule, 0)
}

func schedGetTo(c *check.Check, call *syscalls.Call) story.Errno {
	out := &call.Args[1]
	if !out.Absent && isNull(out) && call.Name == "sched_getparam" {
		return vfs.Invalid(c, story.EINVAL, "a structure is needed")
	}
	if e := schedGet(c, call); e != 0 {
		return e
	}
	return copyOut(c, out)
}

func schedGetattr(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	size := uint32(a[2].Val)
	if isNull(&a[1]) || pidOf(&a[0]) < 0 || size > 4096 || size < 48 || a[3].Val != 0 {
		return vfs.Invalid(c, story.EINVAL, "a pid and a structure of 48 to 4096 bytes are needed, and no flags")
	}
	return readScheduling(c, pidOf(&a[0]))
}

func schedSetaffinity(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	mask := &a[2]
	if mask.Fault && a[1].Val > 0 {
		return vfs.Fault(c)
	}
	p, e := vfs.FindOwn(c, pidOf(&a[0]), story.OpSchedule)
	if e != 0 {
		return e
	}
	return vfs.SetAffinity(c, p, len(mask.Fields) == 0 || a[1].Val == 0)
}

func schedGetaffinity(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	size := uint32(a[1].Val)
	if size&7 != 0 || size == 0 {
		return vfs.Invalid(c, story.EINVAL, "the size is a multiple of eight that holds every CPU")
	}
	if size < 1024 { // CONFIG_NR_CPUS is at most 8192
		vfs.NotKnown(c, "how many CPUs the machine may have", story.EINVAL)
	}
	if e := readScheduling(c, pidOf(&a[0])); e != 0 {
		return e
	}
	return copyOut(c, &a[2])
}

func ioprioSet(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if e := vfs.IOPriorityClass(c, uint32(a[2].Val)); e != 0 {
		return e
	}
	p, many, e := whom(c, a[0].Val, 1, a[1].Val)
	switch {
	case e != 0:
		return e
	case many:
		return vfs.ManyOf(c, a[0].Val == 3, int32(a[1].Val), false).IOPriority(c)
	}
	return vfs.SetIOPriority(c, p)
}

func ioprioGet(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	p, many, e := whom(c, a[0].Val, 1, a[1].Val)
	if many {
		e = vfs.ManyOf(c, a[0].Val == 3, int32(a[1].Val), false).Any(c)
	}
	if e != 0 {
		return e
	}
	return c.LSM.OnTask(c, story.HookTaskGetioprio, p.Process, !many && p.Self, story.OpSchedule, 0)
}

// prlimit reads the new limit before it looks for the process, and the resource's number last.
func prlimit(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	set := !isNull(&a[2])
	if set && a[2].Fault {
		return vfs.Fault(c)
	}
	p, e := vfs.FindOwn(c, pidOf(&a[0]), story.OpLimit)
	if e != 0 {
		return e
	}
	how := uint64(0)
	if set {
		how |= vfs.LimitWrite
	}
	if !isNull(&a[3]) {
		how |= vfs.LimitRead
	}
	if e := vfs.MayLimit(c, p, how); e != 0 {
		return e
	}
	return limit(c, p, &a[1], &a[2], set)
}

func limit(c *check.Check, p vfs.Process, resource, value *syscalls.Arg, set bool) story.Errno {
	if uint32(resource.Val) >= 16 {
		return vfs.Invalid(c, story.EINVAL, "there is no such resource")
	}
	if !set {
		return 0
	}
	cur, _ := value.Field("rlim_cur")
	most, _ := value.Field("rlim_max")
	return vfs.SetLimit(c, p, int(resource.Val), world.Rlimit{Cur: cur.Val, Max: most.Val})
}

func setrlimit(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if a[1].Fault {
		return vfs.Fault(c)
	}
	p, e := vfs.FindOwn(c, 0, story.OpLimit)
	if e != 0 {
		return e
	}
	return limit(c, p, &a[0], &a[1], true)
}

func getrlimit(c *check.Check, call *syscalls.Call) story.Errno {
	if uint32(call.Args[0].Val) >= 16 {
		return vfs.Invalid(c, story.EINVAL, "there is no such resource")
	}
	return copyOut(c, &call.Args[1])
}

func mlock(c *check.Check, call *syscalls.Call) story.Errno {
	if call.Name == "mlock2" && call.Args[2].Val&^1 != 0 {
		return vfs.Invalid(c, story.EINVAL, "mlock2 knows MLOCK_ONFAULT")
	}
	return vfs.Mlock(c, call.Args[1].Val)
}

func mlockall(c *check.Check, call *syscalls.Call) story.Errno {
	flags := call.Args[0].Val
	if flags == 0 || flags&^7 != 0 || flags == 4 {
		return vfs.Invalid(c, story.EINVAL, "MCL_CURRENT or MCL_FUTURE is needed")
	}
	return vfs.MlockAll(c, flags)
}

func munlock(c *check.Check, call *syscalls.Call) story.Errno {
	if call.Args[1].Val == 0 {
		return vfs.Unchecked(c, "munlock of nothing")
	}
	return vfs.NotKnown(c, "what lies at this address", story.ENOMEM, story.EINVAL)
}

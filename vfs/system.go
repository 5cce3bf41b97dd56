package vfs

import (
	"syscallstory/check"
	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// CapableHost is capable(): the capability in the initial user namespace.
func CapableHost(c *check.Check, want kernel.Cap, op story.Op) story.Errno {
	return Capable(c, 0, check.RealmInitial, want, world.Path{}, op)
}

// Fault refuses an address that the kernel cannot read.
func Fault(c *check.Check) story.Errno {
	return c.Refuse(story.Step{Code: story.ArgUnreadable, Errno: story.EFAULT, Op: story.OpRead})
}

// NotKnown says what of a call is not modelled or not known, and how it may end.
func NotKnown(c *check.Check, what string, errnos ...story.Errno) story.Errno {
	s := story.Step{Code: story.StateUnknown, Op: story.OpSystem, Val: [3]uint64{c.Word(what)}}
	if len(errnos) > 0 {
		s.Errno = errnos[0]
	}
	c.Unknown(s)
	for _, e := range errnos {
		c.MayEnd(e)
	}
	return 0
}

// Has asks whether the kernel is built with a feature; without it the call ends with errno.
func Has(c *check.Check, f kernel.Feature, errno story.Errno) story.Errno {
	have := c.W.Features[f]
	if have.Known() && have.V {
		return 0
	}
	s := story.Step{Code: story.KernelFeature, Errno: errno, Op: story.OpEnter, Fact: [3]story.Origin{have.At}, Val: [3]uint64{c.Word(f.Config())}}
	if !have.Known() {
		c.Unknown(s)
		return 0
	}
	return c.Refuse(s)
}

// Unchecked is a call that the kernel does not refuse to anybody.
func Unchecked(c *check.Check, function string) story.Errno {
	c.Pass(story.Step{Code: story.NothingChecked, Op: story.OpEnter, Val: [3]uint64{c.Word(function)}})
	return 0
}

// OtherDescriptor refuses a descriptor that is not of the kind that the call takes.
func OtherDescriptor(c *check.Check, fd int, kind string, errno story.Errno) story.Errno {
	t := &c.W.Task
	s := story.Step{Code: story.WrongDescriptor, Errno: errno, Op: story.OpOpen, Fact: [3]story.Origin{t.FDsAt}, Val: [3]uint64{uint64(int64(fd)), c.Word(kind)}}
	f := t.FDByNumber(fd)
	switch {
	case f == nil && (fd < 0 || t.FDsAt.Known()):
		s.Errno = story.EBADF
		return c.Refuse(s)
	case f != nil && f.At.Known():
		s.Fact[0] = f.At
		if f.Flags&OPath != 0 && !unsureFlags(f) { // fdget does not find it
			s.Errno = story.EBADF
		}
		return c.Refuse(s)
	}
	c.Unknown(s)
	c.MayEnd(story.EBADF)
	return 0
}

// FreeDescriptor is get_unused_fd_flags.
func FreeDescriptor(c *check.Check) story.Errno { return freeDescriptor(c) }

// HeldInHost reports whether the task has a capability for sure in the initial user namespace.
func HeldInHost(c *check.Check, want kernel.Cap) bool { return everywhere(c, want) }

// either is the answer of two capabilities of which one is enough, in the initial user namespace.
func either(c *check.Check, a, b kernel.Cap) kernel.Answer {
	one := capable(c, 0, a, check.RealmInitial)
	if one == kernel.Yes || a == b {
		return one
	}
	return or(one, capable(c, 0, b, check.RealmInitial))
}

// or is yes where one of two answers is.
func or(a, b kernel.Answer) kernel.Answer {
	switch {
	case a == kernel.Yes || b == kernel.Yes:
		return kernel.Yes
	case a == kernel.NotKnown || b == kernel.NotKnown:
		return kernel.NotKnown
	}
	return kernel.No
}

// and is yes where both answers are.
func and(a, b kernel.Answer) kernel.Answer {
	switch {
	case a == kernel.No || b == kernel.No:
		return kernel.No
	case a == kernel.NotKnown || b == kernel.NotKnown:
		return kernel.NotKnown
	}
	return kernel.Yes
}

// HoldsEither asks for one of two capabilities in the initial user namespace, as perfmon_capable and bpf_capable do.
func HoldsEither(c *check.Check, a, b kernel.Cap, errno story.Errno) story.Errno {
	return Held(c, a, b, either(c, a, b), errno)
}

// Either asks for one of two capabilities; what comes of the answer is the caller's.
func Either(c *check.Check, a, b kernel.Cap) kernel.Answer { return either(c, a, b) }

// Held is what comes of asking for one of two capabilities.
func Held(c *check.Check, a, b kernel.Cap, may kernel.Answer, errno story.Errno) story.Errno {
	cr := c.Cred
	s := story.Step{Code: story.CapNeeded, Errno: errno, Op: story.OpSystem, Fact: [3]story.Origin{cr.EffectiveAt, 0, cr.EffectiveAt}, Val: [3]uint64{uint64(a), 0, uint64(cr.Effective)}}
	switch may {
	case kernel.Yes:
		c.Pass(s)
		return 0
	case kernel.NotKnown:
		c.Unknown(s)
		return 0
	}
	if cr.EffectiveAt.Known() && (cr.Effective.Has(a) || cr.Effective.Has(b)) {
		s.Code, s.Val = story.UserNSCap, [3]uint64{uint64(a), 0, uint64(cr.UserNS)}
	}
	return c.Deny(s)
}

// SettingNeeds asks for one of two capabilities where a setting is above a bound.
func SettingNeeds(c *check.Check, s kernel.Sysctl, above int, a, b kernel.Cap, errno story.Errno) story.Errno {
	may := kernel.Yes
	if v := c.W.Sysctl(s); !v.Known() || v.V > above {
		may = either(c, a, b)
	}
	return SettingHeld(c, s, above, a, may, errno)
}

// SettingHeld is what comes of it where the capability was asked for whatever the setting is.
func SettingHeld(c *check.Check, s kernel.Sysctl, above int, a kernel.Cap, may kernel.Answer, errno story.Errno) story.Errno {
	v := c.W.Sysctl(s)
	step := story.Step{Code: story.SettingNeedsCap, Errno: errno, Op: story.OpSystem, Fact: [3]story.Origin{v.At, v.At, c.Cred.EffectiveAt}, Val: [3]uint64{c.Word(s.String()), uint64(int64(v.V)), uint64(a)}}
	if v.Known() && v.V <= above {
		c.Pass(step)
		return 0
	}
	switch {
	case may == kernel.Yes:
		c.Pass(step)
		return 0
	case !v.Known() || may == kernel.NotKnown:
		c.Unknown(step)
		return 0
	}
	return c.Deny(step)
}

// SettingForbids refuses a call to everybody while a setting is not 0.
func SettingForbids(c *check.Check, s kernel.Sysctl) story.Errno {
	v := c.W.Sysctl(s)
	step := story.Step{Code: story.SettingForbids, Errno: story.EPERM, Op: story.OpSystem, Fact: [3]story.Origin{v.At, v.At}, Val: [3]uint64{c.Word(s.String()), uint64(int64(v.V))}}
	switch {
	case !v.Known():
		c.Unknown(step)
	case v.V != 0 && v.V != kernel.NotThere:
		return c.Deny(step)
	}
	return 0
}

// LockedDown is security_locked_down.
func LockedDown(c *check.Check, what check.Lockdown) story.Errno {
	return c.LSM.LockedDown(c, what, world.Path{})
}

// RingAllowed is io_uring_allowed: kernel.io_uring_disabled, since Linux 6.6, and its group.
func RingAllowed(c *check.Check) story.Errno {
	switch c.K.AtLeast(6, 6) {
	case kernel.No:
		return 0
	case kernel.NotKnown:
		return NotKnown(c, "whether the kernel has io_uring_disabled", story.EPERM)
	}
	v := c.W.Sysctl(kernel.IOUringDisabled)
	if v.Known() && v.V >= 2 {
		return SettingForbids(c, kernel.IOUringDisabled)
	}
	group := c.W.Sysctl(kernel.IOUringGroup)
	if v.Known() && v.V == 1 && group.Known() && group.V >= 0 && c.Cred.GIDAt.Known() && c.Cred.InGroup(world.KGID(group.V)) {
		c.Pass(story.Step{Code: story.SettingNeedsCap, Op: story.OpSystem, Fact: [3]story.Origin{group.At, group.At}, Val: [3]uint64{c.Word(kernel.IOUringGroup.String()), uint64(int64(group.V)), uint64(kernel.CapSysAdmin)}})
		return 0
	}
	if v.Known() && v.V == 1 && (!group.Known() || !c.Cred.GroupsAt.Known()) && either(c, kernel.CapSysAdmin, kernel.CapSysAdmin) != kernel.Yes {
		return NotKnown(c, "whether the task is in io_uring_group", story.EPERM)
	}
	return SettingNeeds(c, kernel.IOUringDisabled, 0, kernel.CapSysAdmin, kernel.CapSysAdmin, story.EPERM)
}

// CapableIn asks for a capability in the user namespace that owns the task's namespace of a kind.
func CapableIn(c *check.Check, k world.NSKind, want kernel.Cap) story.Errno {
	n := c.W.Namespace(k)
	if !n.At.Known() {
		// A task that holds it in the initial user namespace holds it everywhere; one that does not hold it at all may still
		// have made the namespace's owner.
		if cred.Capable(c.W, c.Cred, 0, want) == kernel.Yes {
			return CapableHost(c, want, story.OpSystem)
		}
		c.Ask(check.Asked{Cap: want, Lost: true, Realm: check.RealmNamespace, Kind: k, Task: true, Answer: kernel.NotKnown})
		c.Unknown(story.Step{Code: story.CapNeeded, Errno: story.EPERM, Op: story.OpSystem, Fact: [3]story.Origin{n.At, 0, c.Cred.EffectiveAt}, Val: [3]uint64{uint64(want), uint64(c.Cred.UserNS), uint64(c.Cred.Effective)}})
		return 0
	}
	return capability(c, asksOwner(c, k, n.Owner, want), n.Owner, want, world.Path{}, story.OpSystem)
}

// SettingOpens asks for a capability unless a setting opens the call to everybody.
func SettingOpens(c *check.Check, s kernel.Sysctl, want kernel.Cap) story.Errno {
	v := c.W.Sysctl(s)
	step := story.Step{Code: story.SettingNeedsCap, Errno: story.EPERM, Op: story.OpSystem, Fact: [3]story.Origin{v.At, v.At, c.Cred.EffectiveAt}, Val: [3]uint64{c.Word(s.String()), uint64(int64(v.V)), uint64(want)}}
	if v.Known() && v.V > 0 {
		c.Pass(step)
		return 0
	}
	may := capable(c, 0, want, check.RealmInitial)
	switch {
	case may == kernel.Yes:
		c.Pass(step)
		return 0
	case !v.Known() || may == kernel.NotKnown:
		c.Unknown(step)
		return 0
	}
	return c.Deny(step)
}

// PerfPatched: distributions give perf_event_paranoid values above 2, with which nothing is opened without CAP_SYS_ADMIN; a
// kernel without their patch takes them as 2.
func PerfPatched(c *check.Check) story.Errno {
	v := c.W.Sysctl(kernel.PerfEventParanoid)
	switch {
	case !v.Known() || v.V <= 2:
		return 0
	case c.K.Debian:
		return SettingNeeds(c, kernel.PerfEventParanoid, 2, kernel.CapSysAdmin, kernel.CapSysAdmin, story.EACCES)
	case either(c, kernel.CapSysAdmin, kernel.CapSysAdmin) == kernel.Yes:
		return 0
	}
	return NotKnown(c, "what kernel.perf_event_paranoid above 2 means to this kernel", story.EACCES, story.EPERM)
}

// PerfTask is perf_check_permission: CAP_PERFMON, or what ptrace asks for.
func PerfTask(c *check.Check, p Process) story.Errno {
	if !p.Self && either(c, kernel.CapPerfmon, kernel.CapSysAdmin) == kernel.Yes {
		return HoldsEither(c, kernel.CapPerfmon, kernel.CapSysAdmin, story.EACCES)
	}
	return MayAccess(c, p, AccessMode{Errno: story.EACCES})
}

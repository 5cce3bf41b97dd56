package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// MayLimit is check_prlimit_permission: all ids of the other process are the task's real ones, or CAP_SYS_RESOURCE.
// how is what prlimit is to do.
func MayLimit(c *check.Check, p Process, how uint64) story.Errno {
	if p.Self {
		return 0
	}
	cr := c.Cred
	same := kernel.No
	switch {
	case !cr.UIDAt.Known() || !cr.GIDAt.Known():
		same = kernel.NotKnown
	case p.Process != nil && allIDs(&p.Cred, cr.RUID, cr.RGID):
		same = kernel.Yes
	}
	if e := over(c, p, same, kernel.CapSysResource, story.EPERM, story.OpLimit); e != 0 {
		return e
	}
	return c.LSM.OnTask(c, story.HookTaskPrlimit, p.Process, false, story.OpLimit, how)
}

// What prlimit does (LSM_PRLIMIT_READ, LSM_PRLIMIT_WRITE).
const (
	LimitRead  = 1
	LimitWrite = 2
)

// What happens to a hard limit.
const (
	LimitStays = iota
	LimitChanges
	LimitMayChange
)

// SetLimit is do_prlimit with a new limit.
func SetLimit(c *check.Check, p Process, n int, set world.Rlimit) story.Errno {
	if set.Cur > set.Max {
		return Invalid(c, story.EINVAL, "the soft limit is above the hard one")
	}
	if n == rlimitNoFile {
		most := c.W.Sysctl(kernel.NrOpen)
		s := story.Step{Code: story.SettingForbids, Errno: story.EPERM, Op: story.OpLimit, Fact: [3]story.Origin{most.At, most.At}, Val: [3]uint64{c.Word(kernel.NrOpen.String()), uint64(most.V)}}
		switch {
		case !most.Known() && set.Max > 1024: // nr_open is never less than BITS_PER_LONG
			c.Unknown(s)
		case most.Known() && set.Max > uint64(most.V):
			return c.Deny(s)
		}
	}
	now := taskLimit(c, p, n)
	if err := raise(c, now, set); err != 0 {
		return err
	}
	change := uint64(LimitChanges) // SELinux asks for a hard limit that changes
	switch {
	case !now.Known():
		change = LimitMayChange
	case set.Max == now.V.Max:
		change = LimitStays
	}
	return c.LSM.OnTask(c, story.HookTaskSetrlimit, p.Process, p.Self, story.OpLimit, change)
}

// raise asks for what lifts a hard limit.
func raise(c *check.Check, now world.Fact[world.Rlimit], set world.Rlimit) story.Errno {
	if now.Known() && set.Max <= now.V.Max || set.Max == 0 { // nothing is less
		return 0
	}
	a := capable(c, 0, kernel.CapSysResource, check.RealmInitial)
	if !now.Known() && a == kernel.No {
		c.Unknown(story.Step{Code: story.CapNeeded, Errno: story.EPERM, Op: story.OpLimit, Fact: [3]story.Origin{now.At, 0, c.Cred.EffectiveAt}, Val: [3]uint64{uint64(kernel.CapSysResource), 0, uint64(c.Cred.Effective)}})
		return 0
	}
	return capability(c, a, 0, kernel.CapSysResource, world.Path{}, story.OpLimit)
}

// lockable asks for the limit of locked memory, or CAP_IPC_LOCK in the initial user namespace. It reports the limit, which is
// infinity where the capability counts.
func lockable(c *check.Check) (limit uint64, known bool, e story.Errno) {
	l := c.W.Task.Rlimits[rlimitMemlock]
	s := story.Step{Code: story.MemoryLock, Errno: story.EPERM, Op: story.OpLimit, Fact: [3]story.Origin{l.At, c.Cred.EffectiveAt}, Val: [3]uint64{l.V.Cur, uint64(kernel.CapIpcLock)}}
	switch a := capable(c, 0, kernel.CapIpcLock, check.RealmInitial); {
	case a == kernel.Yes:
		c.Pass(s)
		return infinity, true, 0
	case a == kernel.NotKnown || !l.Known():
		c.Unknown(s)
		return 0, false, 0
	case l.V.Cur == 0:
		return 0, true, c.Deny(s)
	}
	return l.V.Cur, true, 0
}

// Mlock is do_mlock. What lies at the address is not known; a task that execve has just left has locked nothing.
func Mlock(c *check.Check, length uint64) story.Errno {
	limit, known, e := lockable(c)
	if e != 0 {
		return e
	}
	if length == 0 {
		return 0
	}
	pages := (length + 4095) &^ 4095
	if known && limit != infinity && pages > limit {
		s := story.Step{Code: story.MemoryLock, Errno: story.ENOMEM, Op: story.OpLimit, Fact: [3]story.Origin{c.W.Task.Rlimits[rlimitMemlock].At, c.Cred.EffectiveAt}, Val: [3]uint64{limit, uint64(kernel.CapIpcLock)}}
		if c.W.Task.Fresh {
			return c.Deny(s)
		}
		c.Unknown(s)
	}
	return NotKnown(c, "what lies at this address, and how much is locked already", story.ENOMEM, story.EINVAL, story.EAGAIN)
}

// RingMemory is io_create_region: since Linux 6.14 the memory of a ring counts against RLIMIT_MEMLOCK, together with what else the
// user has locked; the kernel frees rings some time after their end. What is small beside the limit, or beside the 64 KiB of old
// where the limit is not known, is taken to fit.
func RingMemory(c *check.Check, bytes uint64) story.Errno {
	l, old := c.W.Task.Rlimits[rlimitMemlock], c.K.Has(kernel.RingMemoryLocked)
	room := uint64(64 << 10)
	if l.Known() {
		room = l.V.Cur / 8
	}
	a := silently(c, kernel.CapIpcLock)
	if old == kernel.No || a == kernel.Yes || bytes <= room {
		return 0
	}
	s := story.Step{Code: story.MemoryLock, Errno: story.ENOMEM, Op: story.OpLimit, Fact: [3]story.Origin{l.At, c.Cred.EffectiveAt}, Val: [3]uint64{l.V.Cur, uint64(kernel.CapIpcLock)}}
	if old == kernel.Yes && a == kernel.No && l.Known() && bytes > l.V.Cur {
		return c.Deny(s)
	}
	c.Unknown(s)
	return 0
}

// MlockAll is mlockall: what is mapped already must fit, what comes later is asked for then.
func MlockAll(c *check.Check, flags uint64) story.Errno {
	limit, _, e := lockable(c)
	if e != 0 || flags&1 == 0 || limit == infinity {
		return e
	}
	return NotKnown(c, "how much memory the process has mapped", story.ENOMEM)
}

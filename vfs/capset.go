package vfs

import (
	"syscallstory/check"
	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Versions of capset's header (linux/capability.h).
const (
	capVersion1 = 0x19980330
	capVersion2 = 0x20071026
	capVersion3 = 0x20080522
)

// CapHeader is struct __user_cap_header_struct; of one that is not known nothing counts.
type CapHeader struct {
	Version    uint64
	PID        int32
	Fault, Cut bool
}

// capHeader is cap_validate_magic and the reading of the pid behind it.
func capHeader(c *check.Check, h CapHeader) (stop bool, e story.Errno) {
	switch {
	case h.Fault:
		return true, c.Refuse(story.Step{Code: story.ArgNotRead, Errno: story.EFAULT, Op: story.OpBecome})
	case h.Cut:
		c.Unknown(story.Step{Code: story.ArgNotRead, Errno: story.EINVAL, Op: story.OpBecome})
		return true, 0
	case h.Version != capVersion1 && h.Version != capVersion2 && h.Version != capVersion3:
		return true, Invalid(c, story.EINVAL, "the header's version is none of the three")
	}
	return false, 0
}

// CapData is what capset is given.
type CapData struct {
	Effective, Permitted, Inheritable world.CapSet
	Fault, Cut                        bool
}

// Capset is capset: the header, the pid, the data, then cap_capset.
func Capset(c *check.Check, h CapHeader, d CapData) story.Errno {
	if stop, e := capHeader(c, h); stop {
		c.Became.Unsure = e == 0
		return e
	}
	if e := ownPID(c, h.PID); e != 0 {
		return e
	}
	switch {
	case d.Fault:
		return c.Refuse(story.Step{Code: story.ArgNotRead, Errno: story.EFAULT, Op: story.OpBecome})
	case d.Cut:
		c.Unknown(story.Step{Code: story.ArgNotRead, Errno: story.EPERM, Op: story.OpBecome})
		c.Became.Unsure = true
		return 0
	}
	if h.Version == capVersion1 {
		const low = 1<<32 - 1
		d.Effective, d.Permitted, d.Inheritable = d.Effective&low, d.Permitted&low, d.Inheritable&low
	}
	cr := c.Cred
	if !cr.EffectiveAt.Known() || !cr.BoundingAt.Known() {
		return capsetUnknown(c, d)
	}
	setpcap := Holds(c, kernel.CapSetpcap) == kernel.Yes
	n, why := cred.Capset(cr, d.Effective, d.Permitted, d.Inheritable, setpcap)
	at := [3]story.Origin{cr.EffectiveAt, cr.EffectiveAt, cr.BoundingAt}
	s := story.Step{Code: story.CapsetBeyond, Errno: story.EPERM, Op: story.OpBecome, Fact: at}
	if beyond := d.Inheritable & world.AllCaps &^ (cr.Inheritable | cr.Permitted); setpcap && beyond != 0 {
		c.Pass(story.Step{Code: story.CapNeeded, Op: story.OpBecome, Fact: [3]story.Origin{cr.EffectiveAt, 0, cr.EffectiveAt}, Val: [3]uint64{uint64(kernel.CapSetpcap), uint64(cr.UserNS), uint64(cr.Effective)}})
	}
	switch why {
	case cred.InheritableCapability:
		return c.Deny(story.Step{Code: story.CapNeeded, Errno: story.EPERM, Op: story.OpBecome, Fact: [3]story.Origin{cr.EffectiveAt, 0, cr.EffectiveAt}, Val: [3]uint64{uint64(kernel.CapSetpcap), uint64(cr.UserNS), uint64(cr.Effective)}})
	case cred.InheritableBound:
		s.Val = [3]uint64{c.Word("inheritable"), uint64(d.Inheritable), uint64(cr.Inheritable | cr.Bounding)}
	case cred.PermittedBeyond:
		s.Val = [3]uint64{c.Word("permitted"), uint64(d.Permitted), uint64(cr.Permitted)}
	case cred.EffectiveBeyond:
		s.Val = [3]uint64{c.Word("effective"), uint64(d.Effective), uint64(d.Permitted)}
	}
	if why != cred.Allowed {
		return c.Deny(s)
	}
	if e := c.LSM.Hook(c, story.HookCapset, world.Path{}, story.OpBecome); e != 0 {
		return e
	}
	become(c, &n)
	return 0
}

// capsetUnknown goes on where the task's sets are not known: what asks for nothing is allowed all the same.
func capsetUnknown(c *check.Check, d CapData) story.Errno {
	c.Became.Unsure = true
	s := story.Step{Code: story.CapsetBeyond, Errno: story.EPERM, Op: story.OpBecome, Fact: [3]story.Origin{c.Cred.EffectiveAt, c.Cred.BoundingAt}, Val: [3]uint64{c.Word("permitted"), uint64(d.Permitted)}}
	switch {
	case d.Effective&world.AllCaps&^d.Permitted != 0:
		s.Val = [3]uint64{c.Word("effective"), uint64(d.Effective), uint64(d.Permitted)}
		return c.Deny(s)
	case (d.Permitted|d.Inheritable)&world.AllCaps != 0:
		c.Unknown(s)
	}
	return 0
}

// ownPID refuses a pid that is not the task's own: since Linux 2.6.25 no task sets the capabilities of another.
func ownPID(c *check.Check, pid int32) story.Errno {
	own := c.W.Task.PID
	s := story.Step{Code: story.CapsetOther, Errno: story.EPERM, Op: story.OpBecome, Val: [3]uint64{uint64(int64(pid)), uint64(own)}}
	switch {
	case pid == 0 || own != 0 && int(pid) == own:
		return 0
	case own == 0 && pid > 0:
		c.Unknown(s)
		return 0
	}
	return c.Deny(s)
}

// Capget is capget: without an address for the data a bad version is no error, as that is how the version is asked for.
func Capget(c *check.Check, h CapHeader, null bool) story.Errno {
	if null && !h.Fault {
		return 0
	}
	if stop, e := capHeader(c, h); stop || null {
		return e
	}
	own, other := c.W.Task.PID, c.W.ProcessByPID(int(h.PID))
	switch itself := h.PID == 0 || own != 0 && int(h.PID) == own; {
	case h.PID < 0:
		return Invalid(c, story.EINVAL, "a pid is not negative")
	case itself || other != nil:
		return c.LSM.OnTask(c, story.HookCapget, other, itself, story.OpAccess, 0)
	}
	s := story.Step{Code: story.NoSuchProcess, Errno: story.ESRCH, Op: story.OpBecome, Fact: [3]story.Origin{c.W.ProcessesAt}, Val: [3]uint64{uint64(int64(h.PID))}}
	if !c.W.ProcessesAt.Known() {
		c.Unknown(s)
		return 0
	}
	return c.Refuse(s)
}

package vfs

import (
	"syscallstory/check"
	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Options of prctl that are modelled (linux/prctl.h).
const (
	prSetPdeathsig  = 1
	prGetDumpable   = 3
	prSetDumpable   = 4
	prGetKeepcaps   = 7
	prSetKeepcaps   = 8
	prSetName       = 15
	prGetSeccomp    = 21
	PrSetSeccomp    = 22
	prCapbsetRead   = 23
	prCapbsetDrop   = 24
	prGetSecurebits = 27
	prSetSecurebits = 28
	prSetNoNewPrivs = 38
	prGetNoNewPrivs = 39
	prCapAmbient    = 47
)

// Prctl is sys_prctl less PR_SET_SECCOMP: the security modules are asked first, and cap_task_prctl answers for all that changes
// credentials. fault says of each argument that it is an address which leads nowhere.
func Prctl(c *check.Check, option uint64, a [4]uint64, fault bool, name string) story.Errno {
	if e := c.LSM.Hook(c, story.HookTaskPrctl, world.Path{}, story.OpBecome); e != 0 {
		return e
	}
	cr := c.Cred
	n := *cr
	switch option {
	case prCapbsetRead:
		return validCap(c, a[0])
	case prCapbsetDrop:
		return dropBound(c, a[0])
	case prSetSecurebits:
		return setSecurebits(c, a[0])
	case prSetKeepcaps:
		if a[0] > 1 {
			return Invalid(c, story.EINVAL, "PR_SET_KEEPCAPS takes 0 or 1")
		}
		if cr.Securebits&(cred.KeepCaps<<1) != 0 {
			return locked(c, cred.KeepCaps*uint64(a[0]), "SECBIT_KEEP_CAPS is locked")
		}
		if n.Securebits &^= cred.KeepCaps; a[0] == 1 {
			n.Securebits |= cred.KeepCaps
		}
		become(c, &n)
	case prCapAmbient:
		return ambient(c, a)
	case prSetNoNewPrivs:
		if a[0] != 1 || a[1]|a[2]|a[3] != 0 {
			return Invalid(c, story.EINVAL, "PR_SET_NO_NEW_PRIVS takes 1 and three zeros")
		}
		n.NoNewPrivs = true
		become(c, &n)
	case prGetNoNewPrivs:
		if a[0]|a[1]|a[2]|a[3] != 0 {
			return Invalid(c, story.EINVAL, "PR_GET_NO_NEW_PRIVS takes four zeros")
		}
	case prSetDumpable:
		if a[0] > 1 {
			return Invalid(c, story.EINVAL, "PR_SET_DUMPABLE takes 0 or 1")
		}
	case prSetPdeathsig:
		if a[0] > 64 {
			return Invalid(c, story.EINVAL, "there is no such signal")
		}
	case prSetName:
		if fault {
			return c.Refuse(story.Step{Code: story.ArgNotRead, Errno: story.EFAULT, Op: story.OpBecome})
		}
	case prGetDumpable, prGetKeepcaps, prGetSeccomp, prGetSecurebits:
	default:
		c.Unknown(story.Step{Code: story.PrctlUnknown, Errno: story.EINVAL, Op: story.OpBecome, Val: [3]uint64{c.Word(name)}})
		c.MayEnd(story.EPERM)
	}
	return 0
}

func validCap(c *check.Check, want uint64) story.Errno {
	if want >= uint64(kernel.NumCaps) {
		return Invalid(c, story.EINVAL, "there is no such capability")
	}
	return 0
}

// dropBound is cap_prctl_drop.
func dropBound(c *check.Check, want uint64) story.Errno {
	if e := Capable(c, c.Cred.UserNS, check.RealmOwn, kernel.CapSetpcap, world.Path{}, story.OpBecome); e != 0 {
		return e
	}
	if e := validCap(c, want); e != 0 {
		return e
	}
	n := *c.Cred
	n.Bounding = n.Bounding.Without(kernel.Cap(want))
	become(c, &n)
	return 0
}

// locked refuses a change of the securebits.
func locked(c *check.Check, to uint64, why string) story.Errno {
	now := ""
	if c.Recording() {
		now = cred.Securebits(c.Cred.Securebits).String()
	}
	return c.Deny(story.Step{Code: story.SecurebitsLocked, Errno: story.EPERM, Op: story.OpBecome, Fact: [3]story.Origin{c.Cred.EffectiveAt}, Val: [3]uint64{c.Word(now), to, c.Word(why)}})
}

// setSecurebits is PR_SET_SECUREBITS; until 6.14 every change needs CAP_SETPCAP.
func setSecurebits(c *check.Check, to uint64) story.Errno {
	cr := c.Cred
	now := cred.Securebits(cr.Securebits)
	if cr.SecurebitsAt&story.Missing != 0 {
		c.Unknown(story.Step{Code: story.SecurebitsLocked, Errno: story.EPERM, Op: story.OpBecome, Fact: [3]story.Origin{cr.SecurebitsAt}, Val: [3]uint64{c.Word("not known"), to, c.Word("")}})
	}
	free := c.K.Has(kernel.SecurebitsExec)
	with := now.Change(to, true, free != kernel.No)
	if free == kernel.NotKnown && with != now.Change(to, true, false) {
		c.Unknown(story.Step{Code: story.SecurebitsLocked, Errno: story.EPERM, Op: story.OpBecome, Fact: [3]story.Origin{c.W.KernelAt}})
		with = cred.Allowed
	}
	switch with {
	case cred.BitLocked:
		return locked(c, to, "a locked bit or a lock would change")
	case cred.BitUnknown:
		return locked(c, to, "there is no such bit")
	}
	if now.Change(to, false, free != kernel.No) == cred.BitCapability {
		if e := Capable(c, cr.UserNS, check.RealmOwn, kernel.CapSetpcap, world.Path{}, story.OpBecome); e != 0 {
			return e
		}
	}
	n := *cr
	n.Securebits = uint32(to)
	become(c, &n)
	return 0
}

// Operations of PR_CAP_AMBIENT.
const (
	ambientIsSet    = 1
	ambientRaise    = 2
	ambientLower    = 3
	ambientClearAll = 4
)

// ambient is PR_CAP_AMBIENT.
func ambient(c *check.Check, a [4]uint64) story.Errno {
	n := *c.Cred
	if a[0] == ambientClearAll {
		if a[1]|a[2]|a[3] != 0 {
			return Invalid(c, story.EINVAL, "PR_CAP_AMBIENT_CLEAR_ALL takes three zeros")
		}
		n.Ambient = 0
		become(c, &n)
		return 0
	}
	if a[1] >= uint64(kernel.NumCaps) || a[2]|a[3] != 0 {
		return Invalid(c, story.EINVAL, "PR_CAP_AMBIENT takes a capability and two zeros")
	}
	want := kernel.Cap(a[1])
	switch a[0] {
	case ambientIsSet:
		return 0
	case ambientLower:
		n.Ambient = n.Ambient.Without(want)
		become(c, &n)
		return 0
	case ambientRaise:
	default:
		return Invalid(c, story.EINVAL, "PR_CAP_AMBIENT has four operations")
	}
	s := story.Step{Code: story.AmbientRefused, Errno: story.EPERM, Op: story.OpBecome, Fact: [3]story.Origin{c.Cred.EffectiveAt}, Val: [3]uint64{uint64(want)}}
	if !c.Cred.EffectiveAt.Known() {
		if c.Cred.BoundingAt.Known() && !c.Cred.Bounding.Has(want) && c.Cred.Securebits&cred.NoCapAmbientRaise != 0 {
			return c.Deny(s)
		}
		c.Unknown(s)
		c.Became.Unsure = true
		return 0
	}
	switch cred.RaiseAmbient(c.Cred, want) {
	case cred.AmbientNotHeld:
		s.Val[1] = c.Word("it is not both permitted and inheritable")
		return c.Deny(s)
	case cred.AmbientForbidden:
		s.Val[1] = c.Word("SECBIT_NO_CAP_AMBIENT_RAISE is set")
		return c.Deny(s)
	}
	n.Ambient = n.Ambient.With(want)
	become(c, &n)
	return 0
}

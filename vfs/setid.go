package vfs

import (
	"syscallstory/check"
	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// IDCall is one of the calls that set ids.
type IDCall uint8

const (
	SetUID IDCall = iota
	SetREUID
	SetRESUID
	SetFSUID
	SetGID
	SetREGID
	SetRESGID
	SetFSGID
)

// askedIDs are those that a call asks for, as the task sees them; Invalid is an argument that is left out or -1.
type askedIDs [3]uint32

// SetIDs is the set*id family of kernel/sys.c: ids that the task's user namespace has, then CAP_SETUID or CAP_SETGID there, or
// ids that the task has already. What follows for the capability sets is cap_task_fix_setuid's.
func SetIDs(c *check.Check, call IDCall, ids [3]uint32) story.Errno {
	want, files := kernel.CapSetuid, call == SetFSUID || call == SetFSGID
	if call >= SetGID {
		want = kernel.CapSetgid
	}
	k, ok, e := mapIDs(c, call, ids)
	if e != 0 || !ok {
		return e
	}
	early := c.K.Has(kernel.SetresNothing)
	with, _ := setIDs(c, call, k, true, early != kernel.No)
	without, own := setIDs(c, call, k, false, early != kernel.No)
	if e := idCapability(c, want, own, files); e != 0 {
		return e
	}
	hook := story.HookTaskFixSetuid
	if call >= SetGID {
		hook = story.HookTaskFixSetgid
	}
	if e := c.LSM.Hook(c, hook, world.Path{}, story.OpBecome); e != 0 {
		return e
	}
	n := &without
	held := cred.Holds(c.Cred, want)
	if held == kernel.Yes {
		n = &with
	}
	late, _ := setIDs(c, call, k, held == kernel.Yes, false)
	switch {
	case !knowsIDs(c.Cred, want), held == kernel.NotKnown && !same(&with, &without), early == kernel.NotKnown && !same(n, &late):
		c.Became.Unsure = true
	default:
		if c.Cred.SecurebitsAt&story.Missing != 0 && (n.Effective != c.Cred.Effective || n.Permitted != c.Cred.Permitted || n.Ambient != c.Cred.Ambient) {
			n.EffectiveAt = c.Cred.SecurebitsAt // SECBIT_NO_SETUID_FIXUP and SECBIT_KEEP_CAPS would keep them
		}
		become(c, n)
	}
	return 0
}

// mapIDs turns the ids into those of the initial user namespace (make_kuid); ok is false where there is nothing to do.
func mapIDs(c *check.Check, call IDCall, ids askedIDs) (k askedIDs, ok bool, e story.Errno) {
	ns := &c.W.UserNS[c.Cred.UserNS]
	m := ns.UIDs
	if call >= SetGID {
		m = ns.GIDs
	}
	for i, id := range ids {
		k[i] = world.Invalid
		single := call == SetUID || call == SetGID || call == SetFSUID || call == SetFSGID
		if id == world.Invalid && (!single || i > 0) {
			continue
		}
		mapped, known := m.Down(id)
		switch {
		case known:
			k[i] = mapped
		case call == SetFSUID || call == SetFSGID:
			c.Pass(story.Step{Code: story.IDIgnored, Op: story.OpBecome, Val: [3]uint64{uint64(id), uint64(c.Cred.UserNS)}})
			return k, false, 0
		case id == world.Invalid:
			return k, false, Invalid(c, story.EINVAL, "-1 is no id")
		default:
			return k, false, c.Deny(story.Step{Code: story.IDUnmapped, Errno: story.EINVAL, Op: story.OpBecome, Fact: [3]story.Origin{c.Cred.UIDAt}, Val: [3]uint64{uint64(id), uint64(c.Cred.UserNS)}})
		}
	}
	return k, true, 0
}

// setIDs is the call with or without the capability.
func setIDs(c *check.Check, call IDCall, k askedIDs, capable, early bool) (n world.Cred, ok bool) {
	all, old := c.W.UserNS, c.Cred
	u, g := [3]world.KUID{world.KUID(k[0]), world.KUID(k[1]), world.KUID(k[2])}, [3]world.KGID{world.KGID(k[0]), world.KGID(k[1]), world.KGID(k[2])}
	switch call {
	case SetUID:
		n, _, ok = cred.SetUID(all, old, u[0], capable)
	case SetREUID:
		n, _, ok = cred.SetREUID(all, old, u[0], u[1], capable)
	case SetRESUID:
		n, _, ok = cred.SetRESUID(all, old, u[0], u[1], u[2], capable, early)
	case SetFSUID:
		n, _, ok = cred.SetFSUID(all, old, u[0], capable)
	case SetGID:
		n, ok = cred.SetGID(old, g[0], capable)
	case SetREGID:
		n, ok = cred.SetREGID(old, g[0], g[1], capable)
	case SetRESGID:
		n, ok = cred.SetRESGID(old, g[0], g[1], g[2], capable, early)
	default:
		n, ok = cred.SetFSGID(old, g[0], capable)
	}
	return n, ok
}

// knowsIDs reports whether the ids that a capability lets change are known.
func knowsIDs(cr *world.Cred, want kernel.Cap) bool {
	if want == kernel.CapSetgid {
		return cr.GIDAt.Known()
	}
	return cr.UIDAt.Known()
}

// idCapability records what the capability decides: it is asked for even where the ids are the task's own.
func idCapability(c *check.Check, want kernel.Cap, own, silent bool) story.Errno {
	cr := c.Cred
	s := story.Step{Code: story.CapNeeded, Errno: story.EPERM, Op: story.OpBecome, Fact: [3]story.Origin{cr.EffectiveAt, 0, cr.EffectiveAt}, Val: [3]uint64{uint64(want), uint64(cr.UserNS), uint64(cr.Effective)}}
	held := Holds(c, want)
	switch {
	case held == kernel.Yes:
		c.Pass(s)
	case own && knowsIDs(cr, want):
		s.Code, s.Fact[2] = story.OwnIDs, cr.UIDAt
		c.Pass(s)
	case silent:
		s.Code = story.IDRefused
		c.Pass(s)
	case held == kernel.NotKnown || !knowsIDs(cr, want):
		if held == kernel.No {
			if s.Fact[0] = cr.UIDAt; want == kernel.CapSetgid {
				s.Fact[0] = cr.GIDAt
			}
		}
		c.Unknown(s)
	default:
		return c.Deny(s)
	}
	return 0
}

// maxGroups is NGROUPS_MAX.
const maxGroups = 65536

// SetGroups is setgroups: may_setgroups comes before the size.
func SetGroups(c *check.Check, size uint32, list []syscalls.Field, fault, listed bool) story.Errno {
	ns := &c.W.UserNS[c.Cred.UserNS]
	if e := Capable(c, c.Cred.UserNS, check.RealmOwn, kernel.CapSetgid, world.Path{}, story.OpBecome); e != 0 {
		return e
	}
	if len(ns.GIDs) == 0 || ns.NoSetgroups {
		why := "/proc/PID/setgroups says deny"
		if len(ns.GIDs) == 0 {
			why = "its map of groups is not written yet"
		}
		if e := c.Deny(story.Step{Code: story.SetgroupsDenied, Errno: story.EPERM, Op: story.OpBecome, Val: [3]uint64{uint64(c.Cred.UserNS), c.Word(why)}}); e != 0 {
			return e
		}
	}
	switch {
	case size > maxGroups:
		return Invalid(c, story.EINVAL, "a task has at most 65536 groups")
	case size > 0 && fault:
		return c.Refuse(story.Step{Code: story.ArgNotRead, Errno: story.EFAULT, Op: story.OpBecome})
	case size > 0 && (!listed || int(size) > len(list)):
		c.Unknown(story.Step{Code: story.ArgNotRead, Errno: story.EFAULT, Op: story.OpBecome})
		c.MayEnd(story.EINVAL)
		c.Became.Unsure = true
		return 0
	}
	for i := range list[:size] {
		id := uint32(list[i].Val)
		if _, ok := ns.GIDs.Down(id); ok {
			continue
		}
		if id == world.Invalid {
			return Invalid(c, story.EINVAL, "-1 is no id")
		}
		return c.Deny(story.Step{Code: story.IDUnmapped, Errno: story.EINVAL, Op: story.OpBecome, Fact: [3]story.Origin{c.Cred.GIDAt}, Val: [3]uint64{uint64(id), uint64(c.Cred.UserNS)}})
	}
	return c.LSM.Hook(c, story.HookTaskFixSetgroups, world.Path{}, story.OpBecome)
}

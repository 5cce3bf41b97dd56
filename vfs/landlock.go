package vfs

import (
	"slices"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
)

// The calls with which a task puts itself under Landlock: security/landlock/syscalls.c.

// landlockOn refuses where the module is not active.
func landlockOn(c *check.Check) story.Errno {
	w := c.W
	s := story.Step{Code: story.LandlockOff, Errno: story.EOPNOTSUPP, Op: story.OpEnter, Fact: [3]story.Origin{w.LSMs.At}}
	switch {
	case !w.LSMs.Known():
		c.Unknown(s)
		c.MayEnd(story.ENOSYS)
	case !slices.Contains(w.LSMs.V, "landlock"):
		c.Unknown(story.Step{Code: story.LandlockOff, Errno: story.ENOSYS, Op: story.OpEnter, Fact: [3]story.Origin{w.LSMs.At}}) // where it is not built
		return c.Refuse(s)
	}
	return 0
}

// rights are the bits that this release knows; sure is false where that is not known.
func landlockRights(c *check.Check) (fs, net, scoped uint64, sure bool) {
	fs, sure = 1<<13-1, true
	for _, r := range [...]struct {
		change kernel.Change
		set    *uint64
		bits   uint64
	}{{kernel.LandlockRefer, &fs, 1 << 13}, {kernel.LandlockTruncate, &fs, 1 << 14}, {kernel.LandlockIoctl, &fs, 1 << 15}, {kernel.LandlockNet, &net, 3}, {kernel.LandlockScope, &scoped, 3}} {
		switch c.K.Has(r.change) {
		case kernel.Yes:
			*r.set |= r.bits
		case kernel.NotKnown:
			sure = false
		}
	}
	return fs, net, scoped, sure
}

// LandlockAttr is struct landlock_ruleset_attr.
type LandlockAttr struct {
	FS, Net, Scoped uint64
	Size, Flags     uint64
	Null, Lost      bool
}

// LandlockCreate is landlock_create_ruleset.
func LandlockCreate(c *check.Check, a LandlockAttr) story.Errno {
	if err := landlockOn(c); err != 0 {
		return err
	}
	if a.Flags != 0 {
		known := a.Flags == 1 || a.Flags == 2 && c.K.Has(kernel.LandlockLogs) != kernel.No
		if !a.Null || a.Size != 0 || !known {
			return Invalid(c, story.EINVAL, "LANDLOCK_CREATE_RULESET_VERSION goes with NULL and 0")
		}
		return 0
	}
	switch {
	case a.Null:
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpEnter})
	case a.Size < 8:
		return Invalid(c, story.EINVAL, "the structure has at least 8 bytes")
	case a.Size > 4096:
		return Invalid(c, story.E2BIG, "the structure has at most a page")
	}
	if a.Size < 16 {
		a.Net = 0
	}
	if a.Size < 24 {
		a.Scoped = 0
	}
	fs, net, scoped, sure := landlockRights(c)
	wrong := a.FS&^fs != 0 || a.Net&^net != 0 || a.Scoped&^scoped != 0
	switch {
	case a.Lost, wrong && !sure && a.FS>>16 == 0 && a.Net>>2 == 0 && a.Scoped>>2 == 0:
		c.Unknown(story.Step{Code: story.ArgInvalid, Errno: story.EINVAL, Op: story.OpEnter, Fact: [3]story.Origin{c.W.KernelAt}, Val: [3]uint64{c.Word("which rights this release has")}})
		c.MayEnd(story.E2BIG)
	case a.Net != 0 && net == 0 || a.Scoped != 0 && scoped == 0: // behind the end of the structure as this release has it
		return Invalid(c, story.E2BIG, "the structure holds what this release does not know")
	case wrong:
		return Invalid(c, story.EINVAL, "the structure holds rights that this release does not know")
	case a.FS|a.Net|a.Scoped == 0:
		return Invalid(c, story.ENOMSG, "the ruleset handles nothing")
	}
	return freeDescriptor(c)
}

// ruleset is get_ruleset_from_fd.
func ruleset(c *check.Check, fd int, errnos ...story.Errno) story.Errno {
	f, err := file(c, fd, story.OpEnter)
	if err != 0 {
		return err
	}
	s := story.Step{Code: story.LandlockFD, Errno: story.EBADFD, Op: story.OpEnter, Val: [3]uint64{uint64(int64(fd))}}
	if f != nil && f.Path.Dentry != 0 {
		s.Fact[0] = f.At
		return c.Refuse(s)
	}
	c.Unknown(s)
	for _, e := range errnos {
		c.MayEnd(e)
	}
	return 0
}

// LandlockAddRule is landlock_add_rule; what the ruleset handles is not known.
func LandlockAddRule(c *check.Check, fd int, kind, flags uint64, null bool) story.Errno {
	if err := landlockOn(c); err != 0 {
		return err
	}
	if flags != 0 {
		return Invalid(c, story.EINVAL, "landlock_add_rule has no flags")
	}
	if err := ruleset(c, fd, story.EINVAL, story.ENOMSG, story.EBADF, story.EPERM); err != 0 {
		return err
	}
	switch {
	case kind != 1 && kind != 2, kind == 2 && c.K.Has(kernel.LandlockNet) == kernel.No:
		return Invalid(c, story.EINVAL, "a rule is of files or of a port")
	case null:
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpEnter})
	}
	return 0
}

// LandlockRestrict is landlock_restrict_self.
func LandlockRestrict(c *check.Check, fd int, flags uint64) story.Errno {
	if err := landlockOn(c); err != 0 {
		return err
	}
	cr := c.Cred
	s := story.Step{Code: story.LandlockPrivilege, Errno: story.EPERM, Op: story.OpEnter, Fact: [3]story.Origin{cr.NoNewAt, cr.EffectiveAt}, Val: [3]uint64{0, uint64(cr.Effective)}}
	if cr.NoNewPrivs {
		s.Val[0] = 1
	}
	switch a := asks(c, cr, cr.UserNS, kernel.CapSysAdmin, check.RealmOwn); {
	case cr.NoNewPrivs, a == kernel.Yes:
		c.Pass(s)
	case cr.NoNewAt&story.Missing != 0, a == kernel.NotKnown:
		c.Unknown(s)
	default:
		if err := c.Deny(s); err != 0 {
			return err
		}
	}
	logs := c.K.Has(kernel.LandlockLogs)
	if flags&^uint64(7) != 0 || flags != 0 && logs == kernel.No {
		return Invalid(c, story.EINVAL, "landlock_restrict_self does not know these flags")
	}
	if fd == -1 && flags == 4 && logs != kernel.No { // LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF alone needs no ruleset
		return 0
	}
	return ruleset(c, fd, story.E2BIG)
}

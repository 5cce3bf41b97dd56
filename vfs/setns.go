package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Setns is setns(2): a file of nsfs names one namespace, a pidfd those of a process.
func Setns(c *check.Check, fd int, flags uint64) story.Errno {
	f, err := opened(c, fd, story.OpJoin)
	if err != 0 {
		return err
	}
	s := story.Step{Code: story.NamespaceDescriptor, Errno: story.EINVAL, Op: story.OpJoin, Val: [3]uint64{uint64(int64(fd))}}
	switch {
	case f == nil: // what is open there is not known
		for _, e := range [...]story.Errno{story.EINVAL, story.EPERM, story.ESRCH} {
			c.MayEnd(e)
		}
		return 0
	case f.Kind == world.FDNamespace:
		if flags != 0 && flags != f.NS.Type {
			s.Val[1] = c.Word("a " + kindName(f.NS.Type) + " namespace, not what the call asks for")
			return c.Refuse(s)
		}
		c.Moved = check.Moved{Join: f.NS.Type, Into: f.NS}
		return install(c, f.NS, c.Cred.UserNS)
	case f.Kind == world.FDPid:
		if flags == 0 || flags&^uint64(world.NewAny) != 0 {
			return Invalid(c, story.EINVAL, "a pidfd needs the kinds of namespaces that are to be entered")
		}
		return joinProcess(c, f.PID, flags)
	case f.Kind != world.FDFile || f.At.Known():
		s.Val[1] = c.Word("no namespace and no process")
		return c.Refuse(s)
	}
	s.Fact[0] = f.At
	c.Unknown(s)
	c.MayEnd(story.EPERM)
	return 0
}

// opened is fdget: a descriptor that is open and not only names a file (O_PATH). One of which nothing is known is nil.
func opened(c *check.Check, fd int, op story.Op) (*world.FD, story.Errno) {
	const oPath = 0o10000000
	f, err := descriptor(c, fd)
	if f == nil || err != 0 {
		return nil, err
	}
	if f.FlagsAt.Known() || f.FlagsAt == 0 {
		if f.Flags&oPath != 0 {
			return nil, c.Refuse(story.Step{Code: story.DescriptorFlags, Errno: story.EBADF, Op: op, Obj: f.Path.Ref(), Val: [3]uint64{uint64(int64(fd)), c.Word("O_PATH")}})
		}
	}
	return f, 0
}

// install is the install operation of a namespace; own is the user namespace that the task will be in.
func install(c *check.Check, ns world.NSFile, own world.UserNSID) story.Errno {
	switch ns.Type {
	case world.NewUser:
		return enterUser(c, world.UserNSID(ns.ID))
	case world.NewMount:
		return enterMount(c, ns.ID, own)
	case world.NewTime: // timens_install looks at the threads first
		if err := threads(c, story.EUSERS, story.OpJoin); err != 0 {
			return err
		}
	}
	if err := ownerOf(c, &c.W.Namespaces[ns.ID], kernel.CapSysAdmin, story.OpJoin); err != 0 {
		return err
	}
	if err := Capable(c, own, check.RealmEntered, kernel.CapSysAdmin, world.Path{}, story.OpEnter); err != 0 {
		return err
	}
	if ns.Type == world.NewPID {
		return below(c, world.NamespaceID(ns.ID))
	}
	return 0
}

// ownerOf asks for a capability in the user namespace that owns a namespace.
func ownerOf(c *check.Check, ns *world.Namespace, want kernel.Cap, op story.Op) story.Errno {
	if ns.At.Known() {
		return capability(c, asksOwner(c, ns.Kind, ns.Owner, want), ns.Owner, want, world.Path{}, op)
	}
	s := story.Step{Code: story.NamespaceOf, Errno: story.EPERM, Op: op, Fact: [3]story.Origin{ns.At}}
	if c.Recording() {
		if why, ok := c.W.Reason(ns.At); ok {
			s.Val[0] = c.Word(why.Text)
		}
	}
	// Whoever has it in the initial user namespace has it everywhere; whoever holds it nowhere, and owns none, never.
	if capable(c, 0, want, check.RealmInitial) != kernel.Yes {
		c.Unknown(s)
	}
	return 0
}

// enterUser is userns_install.
func enterUser(c *check.Check, ns world.UserNSID) story.Errno {
	if ns == c.Cred.UserNS {
		return c.Refuse(story.Step{Code: story.OwnUserNS, Errno: story.EINVAL, Op: story.OpJoin, Val: [3]uint64{uint64(ns)}})
	}
	if err := threads(c, story.EINVAL, story.OpJoin); err != 0 {
		return err
	}
	if err := alone(c); err != 0 {
		return err
	}
	return Capable(c, ns, check.RealmEntered, kernel.CapSysAdmin, world.Path{}, story.OpJoin)
}

// enterMount is mntns_install.
func enterMount(c *check.Check, id int, own world.UserNSID) story.Errno {
	if err := Capable(c, c.W.MountNS[id].Owner, check.RealmMountNS, kernel.CapSysAdmin, world.Path{}, story.OpJoin); err != 0 {
		return err
	}
	if err := Capable(c, own, check.RealmEntered, kernel.CapSysChroot, world.Path{}, story.OpSearch); err != 0 {
		return err
	}
	if err := Capable(c, own, check.RealmEntered, kernel.CapSysAdmin, world.Path{}, story.OpEnter); err != 0 {
		return err
	}
	return alone(c)
}

// alone refuses a task whose root and current directory others share (fs_struct.users).
func alone(c *check.Check) story.Errno {
	t := &c.W.Task
	users := t.FSUsers
	if !users.Known() && t.Threads.Known() {
		users = t.Threads // as threads are made, they share them
	}
	s := story.Step{Code: story.SharedDirectory, Errno: story.EINVAL, Op: story.OpJoin, Fact: [3]story.Origin{users.At}, Val: [3]uint64{uint64(users.V)}}
	switch {
	case !users.Known():
		c.Unknown(s)
	case users.V > 1:
		return c.Deny(s)
	}
	return 0
}

// below is pidns_install: the task's own PID namespace, or one below it.
func below(c *check.Check, ns world.NamespaceID) story.Errno {
	w := c.W
	own := w.Namespace(world.PIDNS)
	s := story.Step{Code: story.NotBelow, Errno: story.EINVAL, Op: story.OpJoin, Fact: [3]story.Origin{own.At}}
	if !own.At.Known() {
		c.Unknown(s)
		return 0
	}
	for at := ns; ; at = w.Namespaces[at].Parent {
		switch {
		case at == w.Task.NS[world.PIDNS]:
			return 0
		case at == 0:
			return c.Deny(s)
		}
	}
}

// joinProcess is validate_nsset: the process must be there and may be looked at, then each kind in turn.
func joinProcess(c *check.Check, pid int, flags uint64) story.Errno {
	w := c.W
	p := w.ProcessByPID(pid)
	s := story.Step{Code: story.ProcessGone, Errno: story.ESRCH, Op: story.OpJoin, Val: [3]uint64{uint64(int64(pid))}}
	switch {
	case p == nil && w.ProcessesAt.Known():
		return c.Refuse(s)
	case p == nil || !p.At.Known():
		s.Fact[0] = w.ProcessesAt
		if p != nil {
			s.Fact[0] = p.At
		}
		c.Unknown(s)
		c.MayEnd(story.EPERM)
		c.MayEnd(story.EINVAL)
		return 0
	}
	target := Process{Process: p, PID: pid, Self: w.Task.PID != 0 && p.ThreadGroup() == w.Task.PID}
	if err := MayAccess(c, target, AccessMode{Errno: story.EPERM}); err != 0 { // PTRACE_MODE_READ_REALCREDS
		return err
	}
	own := c.Cred.UserNS
	if flags&world.NewUser != 0 {
		own = p.Cred.UserNS
		if err := enterUser(c, own); err != 0 {
			return err
		}
	}
	for _, bit := range [...]uint64{world.NewMount, world.NewUTS, world.NewIPC, world.NewPID, world.NewCgroup, world.NewNet, world.NewTime} {
		if flags&bit == 0 {
			continue
		}
		ns := world.NSFile{Type: bit, ID: int(p.MountNS)}
		if bit != world.NewMount {
			ns.ID = int(p.NS[kindBehind(bit)])
		}
		if err := install(c, ns, own); err != 0 {
			return err
		}
	}
	c.Moved = check.Moved{Join: flags, Process: p}
	return 0
}

// CapableOf asks for a capability in the user namespace that owns the task's namespace of a kind.
func CapableOf(c *check.Check, k world.NSKind, want kernel.Cap, op story.Op) story.Errno {
	ns := c.W.Namespace(k)
	return ownerOf(c, &ns, want, op)
}

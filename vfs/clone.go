package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// CloneArgs are the arguments of clone, clone3, fork and vfork.
type CloneArgs struct {
	Flags     uint64
	Signal    uint64
	PIDFD     uint64 // addresses
	ParentTID uint64
	NoPIDFD   bool // the address is known to be NULL
	SetTID    bool // pids are chosen
}

// Clone is kernel_clone and copy_process.
func Clone(c *check.Check, a CloneArgs) story.Errno {
	flags := a.Flags
	if reason := impossible(flags); reason != "" {
		return Invalid(c, story.EINVAL, reason)
	}
	if err := unprivileged(c, flags); err != 0 {
		return err
	}
	if err := together(c, flags); err != 0 {
		return err
	}
	c.Moved.Child = true
	if flags&world.NewUser != 0 {
		if err := createUserNS(c); err != 0 {
			return err
		}
	}
	if err := processLimit(c); err != 0 {
		return err
	}
	if err := c.LSM.OnTask(c, story.HookTaskAlloc, nil, true, story.OpClone, 0); err != 0 {
		return err
	}
	if err := newNamespaces(c, flags); err != 0 {
		return err
	}
	if a.SetTID {
		c.Unknown(story.Step{Code: story.CloneInto, Errno: story.EPERM, Op: story.OpClone, Val: [3]uint64{c.Word("a chosen pid")}})
		c.MayEnd(story.EEXIST)
		c.MayEnd(story.EINVAL)
	}
	if flags&clonePidfd != 0 {
		if err := freeDescriptor(c); err != 0 {
			return err
		}
		if a.NoPIDFD {
			return Invalid(c, story.EFAULT, "CLONE_PIDFD needs a place for the descriptor")
		}
	}
	if flags&cloneInto != 0 {
		c.Unknown(story.Step{Code: story.CloneInto, Errno: story.EACCES, Op: story.OpClone, Val: [3]uint64{c.Word("the cgroup of the new task")}})
		c.MayEnd(story.EBADF)
		c.MayEnd(story.EBUSY)
	}
	c.Moved.New = flags & world.NewAny
	made(c, flags)
	return 0
}

// impossible names combinations of flags that copy_process refuses.
func impossible(flags uint64) string {
	switch {
	case flags&(world.NewMount|cloneFS) == world.NewMount|cloneFS:
		return "tasks in different mount namespaces do not share their root: CLONE_NEWNS with CLONE_FS"
	case flags&(world.NewUser|cloneFS) == world.NewUser|cloneFS:
		return "tasks in different user namespaces do not share their root: CLONE_NEWUSER with CLONE_FS"
	}
	return ""
}

// together are the conditions on flags and the caller that come next.
func together(c *check.Check, flags uint64) story.Errno {
	t := &c.W.Task
	switch {
	case flags&cloneThread != 0 && flags&cloneSighand == 0:
		return Invalid(c, story.EINVAL, "threads share their signal handlers: CLONE_THREAD needs CLONE_SIGHAND")
	case flags&cloneSighand != 0 && flags&cloneVM == 0:
		return Invalid(c, story.EINVAL, "shared signal handlers need shared memory: CLONE_SIGHAND needs CLONE_VM")
	case flags&cloneParent != 0 && t.PID == 1:
		return Invalid(c, story.EINVAL, "the first process of a PID namespace has no siblings: CLONE_PARENT")
	case flags&cloneParent != 0 && t.PID == 0:
		c.Unknown(story.Step{Code: story.ArgInvalid, Errno: story.EINVAL, Val: [3]uint64{c.Word("whether the task is the first of its PID namespace is not known")}})
	}
	switch {
	case flags&cloneThread != 0 && flags&(world.NewUser|world.NewPID) != 0:
		return Invalid(c, story.EINVAL, "threads share user and PID namespace")
	case flags&cloneThread != 0 && t.Children[world.PIDNS] != 0 && t.Children[world.PIDNS] != t.NS[world.PIDNS]:
		return c.Refuse(story.Step{Code: story.PIDForChildren, Errno: story.EINVAL, Op: story.OpUnshare})
	case flags&(clonePidfd|cloneDetached) == clonePidfd|cloneDetached:
		return Invalid(c, story.EINVAL, "CLONE_DETACHED and CLONE_PIDFD")
	case flags&(clonePidfd|cloneThread) == clonePidfd|cloneThread && c.K.Has(kernel.ThreadPidfd) == kernel.No:
		return Invalid(c, story.EINVAL, "a pidfd of a thread")
	case flags&(clonePidfd|cloneThread) == clonePidfd|cloneThread && c.K.Has(kernel.ThreadPidfd) == kernel.NotKnown:
		c.Unknown(story.Step{Code: story.ArgInvalid, Errno: story.EINVAL, Fact: [3]story.Origin{c.W.KernelAt}, Val: [3]uint64{c.Word("a pidfd of a thread")}})
	}
	return 0
}

// rlimitNPROC is RLIMIT_NPROC.
const rlimitNPROC = 6

// processLimit is copy_process's look at RLIMIT_NPROC: there is the caller, and now one more.
func processLimit(c *check.Check) story.Errno {
	cr, limit := c.Cred, c.W.Task.Rlimits[rlimitNPROC]
	s := story.Step{Code: story.ProcessLimit, Errno: story.EAGAIN, Op: story.OpClone, Fact: [3]story.Origin{0, limit.At}, Val: [3]uint64{2, limit.V.Cur}}
	switch {
	case cr.UIDAt.Known() && cr.RUID == 0, capable(c, 0, kernel.CapSysResource, check.RealmInitial) == kernel.Yes, capable(c, 0, kernel.CapSysAdmin, check.RealmInitial) == kernel.Yes:
	case limit.Known() && limit.V.Cur < 2:
		if !cr.UIDAt.Known() || !cr.EffectiveAt.Known() {
			c.Unknown(s)
			return 0
		}
		return c.Deny(s)
	case c.Recording():
		s.Fact[0] = c.W.Suppose("the user has fewer processes than RLIMIT_NPROC, pids cgroups and the kernel allow", "")
		c.Pass(s)
	}
	return 0
}

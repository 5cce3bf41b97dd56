package vfs

import (
	"fmt"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Bits of clone(2) beside those of namespaces.
const (
	cloneVM       = 0x100
	cloneFS       = 0x200
	cloneFiles    = 0x400
	cloneSighand  = 0x800
	clonePidfd    = 0x1000
	cloneParent   = 0x8000
	cloneThread   = 0x10000
	cloneSysvsem  = 0x40000
	cloneSettid   = 0x100000
	cloneDetached = 0x400000
	cloneClear    = 1 << 32
	cloneInto     = 2 << 32
)

// kindOrder is the order in which create_new_namespaces makes them.
var kindOrder = [...]uint64{world.NewMount, world.NewUTS, world.NewIPC, world.NewPID, world.NewCgroup, world.NewNet, world.NewTime}

// kindName names a kind as /proc/PID/ns does.
func kindName(bit uint64) string {
	switch bit {
	case world.NewUser:
		return "user"
	case world.NewMount:
		return "mnt"
	}
	return kindBehind(bit).String()
}

// kindBehind returns the kind of a bit that is neither user nor mount.
func kindBehind(bit uint64) world.NSKind {
	for k := range world.NumNSKinds {
		if k.Bit() == bit {
			return k
		}
	}
	return world.NumNSKinds
}

// limitOf is the setting that limits a kind.
func limitOf(bit uint64) kernel.Sysctl {
	if bit == world.NewUser {
		return kernel.MaxUserNamespaces
	}
	for i, b := range kindOrder {
		if b == bit {
			return kernel.MaxMntNamespaces + kernel.Sysctl(i)
		}
	}
	return kernel.NumSysctls
}

// room is inc_ucount: a user namespace and all above it limit how many namespaces are made. That the initial one has room where its
// setting is not 0 is supposed.
func room(c *check.Check, ns world.UserNSID, bit uint64) story.Errno {
	w := c.W
	for at := ns; ; at = w.UserNS[at].Parent {
		full := w.UserNS[at].Full&bit != 0
		limit := w.Sysctl(limitOf(bit))
		s := story.Step{Code: story.NamespaceLimit, Errno: story.ENOSPC, Op: story.OpUnshare, Val: [3]uint64{c.Word(kindName(bit)), uint64(at)}}
		if at == 0 {
			s.Fact[2] = limit.At
			full = full || limit.Known() && limit.V == 0
		}
		switch {
		case full:
			if c.Recording() {
				s.Val[2] = c.Word("as many are there as user.max_" + kindName(bit) + "_namespaces of it says")
				if at == 0 && limit.Known() {
					s.Val[2] = c.Word(fmt.Sprintf("%v is %d", limitOf(bit), limit.V))
				}
			}
			return c.Deny(s)
		case at != 0:
			continue
		case !limit.Known() && bit == world.NewUser:
			c.Unknown(s)
		case c.Recording():
			s.Fact[2] = w.Suppose("no limit of user.max_*_namespaces that is not 0 is reached", "")
			c.Pass(s)
		}
		return 0
	}
}

// createUserNS is create_user_ns: what is asked before a user namespace is made.
func createUserNS(c *check.Check) story.Errno {
	w, cr := c.W, c.Cred
	parent := &w.UserNS[cr.UserNS]
	if parent.Level > 32 {
		return c.Refuse(story.Step{Code: story.NamespaceNesting, Errno: story.ENOSPC, Op: story.OpUnshare, Val: [3]uint64{c.Word("user"), uint64(parent.Level) + 1}})
	}
	if err := room(c, cr.UserNS, world.NewUser); err != 0 {
		return err
	}
	if top, ok := w.NamespaceRoot(w.Task.MountNS); ok && top != w.Task.Root {
		if err := c.Deny(story.Step{Code: story.ChrootedCaller, Errno: story.EPERM, Op: story.OpUnshare, Obj: w.Task.Root.Ref()}); err != 0 {
			return err
		}
	}
	s := story.Step{Code: story.UserNSCreator, Errno: story.EPERM, Op: story.OpUnshare, Fact: [3]story.Origin{cr.UIDAt}, Val: [3]uint64{pack(cr.EUID, cr.EGID), uint64(cr.UserNS)}}
	switch {
	case parent.Identity:
	case cr.UIDAt.Known() && !parent.MapsUID(cr.EUID), cr.GIDAt.Known() && !parent.MapsGID(cr.EGID):
		if err := c.Deny(s); err != 0 {
			return err
		}
	}
	return c.LSM.Hook(c, story.HookUsernsCreate, world.Path{}, story.OpUnshare)
}

// unprivileged is the setting of Debian's kernels that keeps user namespaces to those with CAP_SYS_ADMIN.
func unprivileged(c *check.Check, flags uint64) story.Errno {
	if flags&world.NewUser == 0 {
		return 0
	}
	set := c.W.Sysctl(kernel.UnprivilegedUsernsClone)
	if set.Known() && set.V != 0 {
		return 0
	}
	s := story.Step{Code: story.UserNSUnprivileged, Errno: story.EPERM, Op: story.OpUnshare, Fact: [3]story.Origin{set.At, c.Cred.EffectiveAt}, Val: [3]uint64{uint64(set.V), uint64(c.Cred.Effective)}}
	switch a := capable(c, 0, kernel.CapSysAdmin, check.RealmInitial); {
	case a == kernel.Yes:
	case a == kernel.NotKnown || !set.Known():
		c.Unknown(s)
	default:
		return c.Deny(s)
	}
	return 0
}

// threads refuses a process with several threads.
func threads(c *check.Check, e story.Errno, op story.Op) story.Errno {
	n := c.W.Task.Threads
	s := story.Step{Code: story.OtherThreads, Errno: e, Op: op, Fact: [3]story.Origin{n.At}, Val: [3]uint64{uint64(n.V)}}
	switch {
	case !n.Known():
		if n.At == 0 {
			s.Fact[0] = c.W.Miss("how many threads the process has is not known", "--pid of a live process")
		}
		c.Unknown(s)
	case n.V > 1:
		return c.Deny(s)
	}
	return 0
}

// Unshare is ksys_unshare.
func Unshare(c *check.Check, flags uint64) story.Errno {
	if flags&world.NewUser != 0 {
		flags |= cloneThread | cloneFS
	}
	if flags&cloneVM != 0 {
		flags |= cloneSighand
	}
	if flags&cloneSighand != 0 {
		flags |= cloneThread
	}
	if flags&world.NewMount != 0 {
		flags |= cloneFS
	}
	if err := unprivileged(c, flags); err != 0 {
		return err
	}
	if flags&^uint64(cloneThread|cloneFS|cloneSighand|cloneVM|cloneFiles|cloneSysvsem|world.NewAny) != 0 {
		return Invalid(c, story.EINVAL, "unshare does not know this flag")
	}
	if flags&(cloneThread|cloneSighand|cloneVM) != 0 {
		if err := threads(c, story.EINVAL, story.OpUnshare); err != 0 {
			return err
		}
	}
	if flags&world.NewUser != 0 {
		if err := createUserNS(c); err != 0 {
			return err
		}
	}
	if err := newNamespaces(c, flags); err != 0 {
		return err
	}
	c.Moved = check.Moved{New: flags & world.NewAny}
	made(c, flags)
	return 0
}

// newNamespaces asks for the capability and makes them in the kernel's order. What a new user namespace owns, its maker has
// every capability for.
func newNamespaces(c *check.Check, flags uint64) story.Errno {
	if flags&(world.NewAny&^world.NewUser) == 0 {
		return 0
	}
	owner, mine := c.Cred.UserNS, flags&world.NewUser != 0
	if !mine {
		if err := Capable(c, owner, check.RealmOwn, kernel.CapSysAdmin, world.Path{}, story.OpUnshare); err != 0 {
			return err
		}
	}
	if flags&(world.NewIPC|cloneSysvsem) == world.NewIPC|cloneSysvsem && c.Moved.Child {
		return Invalid(c, story.EINVAL, "a new IPC namespace does not share the semaphores of the old one: CLONE_SYSVSEM")
	}
	for _, bit := range kindOrder {
		if flags&bit == 0 {
			continue
		}
		if bit == world.NewPID {
			if err := newPID(c, mine); err != 0 {
				return err
			}
		}
		if err := room(c, owner, bit); err != 0 {
			return err
		}
	}
	return 0
}

// newPID is copy_pid_ns and create_pid_namespace.
func newPID(c *check.Check, mine bool) story.Errno {
	w := c.W
	if n := w.Task.Children[world.PIDNS]; n != 0 && n != w.Task.NS[world.PIDNS] {
		return c.Refuse(story.Step{Code: story.PIDForChildren, Errno: story.EINVAL, Op: story.OpUnshare})
	}
	ns := w.Namespace(world.PIDNS)
	s := story.Step{Code: story.PIDOwner, Errno: story.EINVAL, Op: story.OpUnshare, Fact: [3]story.Origin{ns.At}, Val: [3]uint64{uint64(ns.Owner), uint64(c.Cred.UserNS)}}
	if !ns.At.Known() {
		c.Unknown(s)
		return 0
	}
	if !w.Below(c.Cred.UserNS, ns.Owner) {
		return c.Deny(s)
	}
	level := 0
	for p := w.Task.NS[world.PIDNS]; w.Namespaces[p].Parent != 0; p = w.Namespaces[p].Parent {
		level++
	}
	if level >= 32 {
		return c.Refuse(story.Step{Code: story.NamespaceNesting, Errno: story.ENOSPC, Op: story.OpUnshare, Val: [3]uint64{c.Word("pid"), uint64(level) + 1}})
	}
	return 0
}

// made tells of the namespaces that are made.
func made(c *check.Check, flags uint64) {
	if !c.Recording() {
		return
	}
	owner := c.W.UserNS[c.Cred.UserNS].Name
	if flags&world.NewUser != 0 {
		tell(c, world.NewUser, owner)
		owner = "the new user namespace"
	}
	for _, bit := range kindOrder {
		if flags&bit != 0 {
			tell(c, bit, owner)
		}
	}
}

func tell(c *check.Check, bit uint64, owner string) {
	c.Pass(story.Step{Code: story.NamespaceMade, Op: story.OpUnshare, Val: [3]uint64{c.Word(kindName(bit)), c.Word(owner)}})
	c.Effect(story.Effect{Kind: "namespace", Path: kindName(bit)})
}

package vfs

import (
	"strconv"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// System V IPC: ipc/util.c, ipc/shm.c, ipc/msg.c, ipc/sem.c. Capabilities count in the user namespace that owns the IPC
// namespace.

const (
	ipcCreat  = 0o1000
	ipcExcl   = 0o2000
	ipcNowait = 0o4000

	shmHugeTLB = 0o4000
	semUndo    = 0o10000
)

// ipcCapable is ns_capable in the owner of the task's IPC namespace; where that is not known, only a task that has the
// capability everywhere has it for sure.
func ipcCapable(c *check.Check, want kernel.Cap) (world.UserNSID, kernel.Answer) {
	ns := c.W.Namespace(world.IPCNS)
	if ns.At.Known() {
		return ns.Owner, asksOwner(c, world.IPCNS, ns.Owner, want)
	}
	a := kernel.Yes
	if !everywhere(c, want) {
		a = elsewhere(c, want)
	}
	return 0, c.Ask(check.Asked{Cap: want, Lost: true, Realm: check.RealmNamespace, Kind: world.IPCNS, Task: true, Answer: a})
}

// ipcName is a step's words for an object.
func ipcName(c *check.Check, code story.Code, k world.IPCKind, name string, n int, errno story.Errno) story.Step {
	s := story.Step{Code: code, Errno: errno, Op: story.OpLook}
	if c.Recording() {
		if name == "" {
			name = strconv.Itoa(n)
		}
		s.Val = [3]uint64{c.Word(k.String()), c.Word(name)}
	}
	return s
}

// IPCGet is ipcget with the get call of a kind: shmget, msgget, semget.
func IPCGet(c *check.Check, k world.IPCKind, key int32, size, flags uint64) story.Errno {
	if e := Has(c, kernel.SystemVIPC, story.ENOSYS); e != 0 {
		return e
	}
	if k == world.IPCSem {
		if int32(size) < 0 {
			return Invalid(c, story.EINVAL, "a set has no negative number of semaphores")
		}
		if e := ipcLimit(c, kernel.SemLimits, size, story.EINVAL); e != 0 {
			return e
		}
	}
	if key == 0 { // IPC_PRIVATE
		return newIPC(c, k, size, flags)
	}
	o := c.W.IPCByKey(k, key)
	listed := c.W.IPCListed()
	if o != nil && !o.At.Known() {
		o, listed = nil, o.At
	}
	if o == nil {
		s := ipcName(c, story.IPCMissing, k, "", int(key), story.ENOENT)
		s.Fact[0] = listed
		switch {
		case listed.Known() && flags&ipcCreat == 0:
			return c.Refuse(s)
		case !listed.Known():
			return someIPC(c, k, size, flags, s)
		}
		return newIPC(c, k, size, flags)
	}
	if flags&(ipcCreat|ipcExcl) == ipcCreat|ipcExcl {
		s := ipcName(c, story.IPCExists, k, "", int(key), story.EEXIST)
		s.Fact[0] = o.At
		return c.Refuse(s)
	}
	if k != world.IPCMsg && size > o.Size { // shm_more_checks, sem_more_checks
		return Invalid(c, story.EINVAL, "the object is smaller")
	}
	if e := ipcPerms(c, o, flags); e != 0 {
		return e
	}
	return c.LSM.OnIPC(c, ipcHooks[k].associate, o, story.OpAccess, 0)
}

// someIPC is a get call of a key of which nothing is known: it may be made, be there, or be somebody's.
func someIPC(c *check.Check, k world.IPCKind, size, flags uint64, s story.Step) story.Errno {
	if flags&ipcCreat != 0 {
		s.Code, s.Errno = story.IPCExists, story.EEXIST
	}
	if flags&(ipcCreat|ipcExcl) == ipcCreat {
		s.Errno = 0
	}
	c.Unknown(s)
	if flags&ipcExcl == 0 || flags&ipcCreat == 0 {
		if k != world.IPCMsg {
			c.MayEnd(story.EINVAL)
		}
		if !everywhere(c, kernel.CapIpcOwner) && (flags>>6|flags>>3|flags)&7 != 0 {
			c.MayEnd(story.EACCES)
		}
	}
	if flags&ipcCreat == 0 {
		return 0
	}
	return newIPC(c, k, size, flags)
}

// ipcLimit compares with a setting of the IPC namespace.
func ipcLimit(c *check.Check, set kernel.Sysctl, asked uint64, errno story.Errno) story.Errno {
	v := c.W.Sysctl(set)
	limit := uint64(v.V)
	if set == kernel.SemLimits {
		semmsl, _ := kernel.Range(v.V)
		limit = uint64(semmsl)
	}
	return ipcWithin(c, set.String(), v.At, v.V != kernel.NotThere, limit, asked, errno)
}

func ipcWithin(c *check.Check, name string, at story.Origin, there bool, limit, asked uint64, errno story.Errno) story.Errno {
	s := story.Step{Code: story.IPCLimit, Errno: errno, Op: story.OpLimit, Fact: [3]story.Origin{at, at}, Val: [3]uint64{c.Word(name), limit, asked}}
	switch {
	case !at.Known() || !there:
		if asked == 0 {
			return 0
		}
		c.Unknown(s)
	case asked > limit:
		return c.Deny(s)
	}
	return 0
}

// newIPC is newseg, newque and newary, with ipc_addid.
func newIPC(c *check.Check, k world.IPCKind, size, flags uint64) story.Errno {
	most := kernel.MsgMNI
	switch k {
	case world.IPCShm:
		most = kernel.ShmMNI
		if size == 0 {
			return Invalid(c, story.EINVAL, "a segment has a byte at least")
		}
		if e := ipcLimit(c, kernel.ShmMax, size, story.EINVAL); e != 0 {
			return e
		}
		if e := sharedPages(c, size); e != 0 {
			return e
		}
		if e := newLabeled(c, k); e != 0 {
			return e
		}
		if flags&shmHugeTLB != 0 {
			return hugeSegment(c)
		}
	case world.IPCSem:
		if size == 0 {
			return Invalid(c, story.EINVAL, "a set has a semaphore at least")
		}
		if e := newLabeled(c, k); e != 0 {
			return e
		}
		c.Effect(story.Effect{Kind: "ipc"})
		return 0
	default:
		if e := newLabeled(c, k); e != 0 {
			return e
		}
	}
	if e := ipcCount(c, k, most); e != 0 {
		return e
	}
	c.Effect(story.Effect{Kind: "ipc"})
	return 0
}

// ipcHooks are the hooks of each kind.
var ipcHooks = [...]struct{ alloc, associate, control story.Hook }{
	world.IPCShm: {story.HookShmAlloc, story.HookShmAssociate, story.HookShmShmctl},
	world.IPCMsg: {story.HookMsgQueueAlloc, story.HookMsgQueueAssociate, story.HookMsgQueueMsgctl},
	world.IPCSem: {story.HookSemAlloc, story.HookSemAssociate, story.HookSemSemctl},
}

// newLabeled asks the modules for a new object.
func newLabeled(c *check.Check, k world.IPCKind) story.Errno {
	return c.LSM.OnIPC(c, ipcHooks[k].alloc, nil, story.OpCreate, 0)
}

// sharedPages is shm_tot against kernel.shmall.
func sharedPages(c *check.Check, size uint64) story.Errno {
	pages := (size + pageMask) / (pageMask + 1)
	for i := range c.W.IPC {
		if o := &c.W.IPC[i]; o.Kind == world.IPCShm {
			pages += (o.Size + pageMask) / (pageMask + 1)
		}
	}
	return ipcLimit(c, kernel.ShmAll, pages, story.ENOSPC)
}

// ipcCount asks for room for one more. Where the namespace's objects are not known, they are supposed not to fill it.
func ipcCount(c *check.Check, k world.IPCKind, most kernel.Sysctl) story.Errno {
	n := uint64(1)
	for i := range c.W.IPC {
		if c.W.IPC[i].Kind == k {
			n++
		}
	}
	return ipcLimit(c, most, n, story.ENOSPC)
}

// hugeSegment is hugetlb_file_setup: can_do_hugetlb_shm asks for CAP_IPC_LOCK in the initial user namespace, a group, or
// RLIMIT_MEMLOCK; then there must be pages.
func hugeSegment(c *check.Check) story.Errno {
	NotKnown(c, "whether the machine has huge pages left, and which group may use them", story.ENOMEM, story.EINVAL)
	if !everywhere(c, kernel.CapIpcLock) {
		c.MayEnd(story.EPERM)
	}
	return 0
}

// ipcPerms is ipcperms: the bits of flags are what is asked for, once for each of the three.
func ipcPerms(c *check.Check, o *world.IPCObject, flags uint64) story.Errno {
	cr := c.Cred
	s := story.Step{Code: story.IPCMode, Errno: story.EACCES, Op: story.OpAccess, Fact: [3]story.Origin{0, o.At, cr.UIDAt}, Val: [3]uint64{0, uint64(o.Mode&0o777 | world.TypeReg), pack(o.UID, o.GID)}}
	if c.Recording() {
		s.Val[0] = c.Word(o.Kind.String())
	}
	want := (flags>>6 | flags>>3 | flags) & 7
	granted, sure := uint64(o.Mode), cr.UIDAt.Known()
	switch {
	case !sure:
	case cr.EUID == o.CUID || cr.EUID == o.UID:
		granted >>= 6
	case cr.GIDAt.Known() && (cr.InGroup(o.CGID) || cr.InGroup(o.GID)):
		granted >>= 3
	case !cr.GIDAt.Known() || !cr.GroupsAt.Known():
		sure = false
	}
	if sure && want&^granted&7 == 0 {
		c.Pass(s)
		return c.LSM.OnIPC(c, story.HookIPCPermission, o, story.OpAccess, flags)
	}
	owner, a := ipcCapable(c, kernel.CapIpcOwner)
	switch {
	case a == kernel.Yes:
		c.Pass(s)
	case a == kernel.NotKnown || !sure:
		c.Unknown(s)
	default:
		if e := ipcDeny(c, s, owner, kernel.CapIpcOwner); e != 0 {
			return e
		}
	}
	return c.LSM.OnIPC(c, story.HookIPCPermission, o, story.OpAccess, flags)
}

// ipcDeny refuses; a task that has the capability, but in another user namespace, is told so.
func ipcDeny(c *check.Check, s story.Step, owner world.UserNSID, want kernel.Cap) story.Errno {
	if cr := c.Cred; cr.EffectiveAt.Known() && cr.Effective.Has(want) {
		s.Code, s.Val, s.Fact = story.UserNSCap, [3]uint64{uint64(want), uint64(owner), uint64(cr.UserNS)}, [3]story.Origin{cr.EffectiveAt, 0, cr.EffectiveAt}
	}
	return c.Deny(s)
}

// ipcOwned is the question of ipcctl_obtain_check and shmctl_do_lock.
func ipcOwned(c *check.Check, o *world.IPCObject, want kernel.Cap) (owns kernel.Answer, e story.Errno) {
	cr := c.Cred
	s := story.Step{Code: story.IPCOwner, Errno: story.EPERM, Op: story.OpSetattr, Fact: [3]story.Origin{0, o.At, cr.EffectiveAt}, Val: [3]uint64{0, pack(o.UID, o.GID), uint64(want)}}
	if c.Recording() {
		s.Val[0] = c.Word(o.Kind.String())
	}
	if cr.UIDAt.Known() && (cr.EUID == o.UID || cr.EUID == o.CUID) {
		c.Pass(s)
		return kernel.Yes, 0
	}
	owner, a := ipcCapable(c, want)
	switch {
	case a == kernel.Yes:
		c.Pass(s)
	case a == kernel.NotKnown || !cr.UIDAt.Known():
		c.Unknown(s)
	default:
		return kernel.No, ipcDeny(c, s, owner, want)
	}
	return kernel.No, 0
}

// ipcFind is ipc_obtain_object_check; nil without an errno for an object of which nothing is known.
func ipcFind(c *check.Check, k world.IPCKind, id int) (*world.IPCObject, story.Errno) {
	s := ipcName(c, story.IPCMissing, k, "", id, story.EINVAL)
	o := c.W.IPCByID(k, id)
	if o != nil && o.At.Known() && id >= 0 {
		s.Fact[0] = o.At
		c.Pass(s)
		return o, 0
	}
	if s.Fact[0] = c.W.IPCListed(); o != nil {
		s.Fact[0] = o.At
	}
	if id < 0 || s.Fact[0].Known() {
		return nil, c.Refuse(s)
	}
	c.Unknown(s)
	c.MayEnd(story.EIDRM)
	return nil, 0
}

// ipcLost says what else may come of an object of which nothing is known.
func ipcLost(c *check.Check, want kernel.Cap, errno story.Errno) story.Errno {
	if !everywhere(c, want) {
		c.MayEnd(errno)
	}
	return 0
}

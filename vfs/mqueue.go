package vfs

import (
	"strings"

	"syscallstory/check"
	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// POSIX message queues: ipc/mqueue.c. The queues of an IPC namespace are files of a filesystem of its own, whether it is
// mounted somewhere or not; its root has mode 1777.

// queueName is getname and lookup_noperm.
func queueName(c *check.Check, name string, fault bool) story.Errno {
	switch {
	case fault:
		return Fault(c)
	case name == "":
		return c.Refuse(story.Step{Code: story.PathEmpty, Errno: story.ENOENT, Op: story.OpLook})
	case len(name) >= 4096:
		return c.Refuse(story.Step{Code: story.PathTooLong, Errno: story.ENAMETOOLONG, Op: story.OpLook, Val: [3]uint64{uint64(len(name))}})
	}
	return 0
}

func queueComponent(c *check.Check, name string) story.Errno {
	switch {
	case name == "." || name == ".." || strings.Contains(name, "/"):
		return c.Refuse(story.Step{Code: story.QueueName, Errno: story.EACCES, Op: story.OpLook})
	case len(name) > 255:
		return c.Refuse(story.Step{Code: story.NameTooLong, Errno: story.ENAMETOOLONG, Op: story.OpLook, Val: [3]uint64{c.Word(name)}})
	}
	return 0
}

// QueueOpen is what mq_open is given.
type QueueOpen struct {
	Name      string
	NameFault bool
	Flags     uint64
	Given     bool // attributes
	Fault     bool
	Lost      bool
	MaxMsg    int64
	MsgSize   int64
}

// Open is do_mq_open. What it has found or made is opened at last (dentry_open), and no place of the task's mounts leads to it.
func (q QueueOpen) Open(c *check.Check) story.Errno {
	if e := q.find(c); e != 0 {
		return e
	}
	return c.LSM.FileOpen(c, world.Path{}, q.mask())
}

func (q *QueueOpen) mask() check.Mask {
	return [4]check.Mask{check.MayRead, check.MayWrite, check.MayRead | check.MayWrite, 0}[q.Flags&OAccMode]
}

// find is the part of do_mq_open that finds a queue or makes it.
func (q QueueOpen) find(c *check.Check) story.Errno {
	if e := Has(c, kernel.MessageQueues, story.ENOSYS); e != 0 {
		return e
	}
	if q.Fault {
		return Fault(c)
	}
	if e := queueName(c, q.Name, q.NameFault); e != 0 {
		return e
	}
	if e := freeDescriptor(c); e != 0 {
		return e
	}
	if e := queueComponent(c, q.Name); e != 0 {
		return e
	}
	o := c.W.IPCByName(q.Name)
	listed := c.W.QueuesListed()
	missing := ipcName(c, story.IPCMissing, world.IPCQueue, q.Name, 0, story.ENOENT)
	missing.Fact[0] = listed
	if o != nil {
		return q.existing(c, o)
	}
	if listed.Known() {
		if q.Flags&OCreat == 0 {
			return c.Refuse(missing)
		}
		return q.create(c)
	}
	switch {
	case q.Flags&OCreat == 0:
		c.Unknown(missing)
	case q.Flags&OExcl != 0:
		missing.Code, missing.Errno = story.IPCExists, story.EEXIST
		c.Unknown(missing)
		return q.create(c)
	default:
		missing.Errno = 0
		c.Unknown(missing)
	}
	c.MayEnd(story.EACCES)
	if q.Flags&OAccMode == OAccMode {
		c.MayEnd(story.EINVAL)
	}
	if q.Flags&OCreat != 0 {
		return q.create(c)
	}
	return 0
}

// existing is prepare_open of a queue that is there.
func (q *QueueOpen) existing(c *check.Check, o *world.IPCObject) story.Errno {
	if q.Flags&(OCreat|OExcl) == OCreat|OExcl {
		s := ipcName(c, story.IPCExists, world.IPCQueue, q.Name, 0, story.EEXIST)
		s.Fact[0] = o.At
		return c.Refuse(s)
	}
	mask := q.mask()
	if mask == 0 {
		return Invalid(c, story.EINVAL, "a queue is opened for reading, for writing or for both")
	}
	return queuePermission(c, o, mask)
}

// queuePermission is generic_permission of a queue, which has no ACL.
func queuePermission(c *check.Check, o *world.IPCObject, mask check.Mask) story.Errno {
	cr := c.Cred
	s := story.Step{Code: story.QueueMode, Errno: story.EACCES, Op: mask.Op(false), Fact: [3]story.Origin{o.At, o.At, cr.UIDAt}, Val: [3]uint64{uint64(o.Mode&0o777 | world.TypeReg), pack(o.UID, o.GID), uint64(mask)}}
	bits, sure := o.Mode, cr.UIDAt.Known()
	switch {
	case sure && cr.FSUID == o.UID:
		bits >>= 6
	case cr.GIDAt.Known() && cr.InGroup(o.GID):
		bits >>= 3
	case !cr.GIDAt.Known() || !cr.GroupsAt.Known():
		sure = false
	}
	if sure && uint16(mask)&^bits == 0 {
		c.Pass(s)
		return c.LSM.Hook(c, story.HookInodePermission, world.Path{}, mask.Op(false))
	}
	a := kernel.No
	if mask == check.MayRead {
		a = capableWrt(c, o.UID, o.GID, kernel.CapDacReadSearch)
	}
	if a != kernel.Yes {
		a = or(a, capableWrt(c, o.UID, o.GID, kernel.CapDacOverride))
	}
	switch {
	case a == kernel.Yes:
		c.Pass(s)
	case a == kernel.NotKnown || !sure:
		c.Unknown(s)
	default:
		if e := c.Deny(s); e != 0 {
			return e
		}
	}
	return c.LSM.Hook(c, story.HookInodePermission, world.Path{}, mask.Op(false))
}

// create is vfs_mkobj with mqueue_create_attr and mqueue_get_inode. The root of the filesystem lets everybody make a name.
func (q *QueueOpen) create(c *check.Check) story.Errno {
	ns := c.W.Namespace(world.IPCNS)
	if ns.At.Known() { // may_create: the task's ids have a place in the filesystem, which belongs to the namespace's owner
		sb := &c.W.UserNS[ns.Owner]
		_, user := sb.UIDs.Up(uint32(c.Cred.FSUID))
		_, group := sb.GIDs.Up(uint32(c.Cred.FSGID))
		if c.Cred.UIDAt.Known() && c.Cred.GIDAt.Known() && (!user || !group) {
			if e := c.Deny(story.Step{Code: story.QueueIDs, Errno: story.EOVERFLOW, Op: story.OpCreate, Fact: [3]story.Origin{c.Cred.UIDAt}, Val: [3]uint64{pack(c.Cred.FSUID, c.Cred.FSGID)}}); e != 0 {
				return e
			}
		}
	}
	if e := c.LSM.Hook(c, story.HookInodeCreate, world.Path{}, story.OpCreate); e != 0 {
		return e
	}
	if e := q.count(c); e != 0 {
		return e
	}
	if e := q.attributes(c); e != 0 {
		return e
	}
	c.Effect(story.Effect{Kind: "ipc"})
	return 0
}

// queueResource asks for CAP_SYS_RESOURCE, in the initial user namespace.
func queueResource(c *check.Check) kernel.Answer {
	return capable(c, 0, kernel.CapSysResource, check.RealmInitial)
}

// count is mq_queues_count against fs.mqueue.queues_max.
func (q *QueueOpen) count(c *check.Check) story.Errno {
	n := uint64(1)
	for i := range c.W.IPC {
		if c.W.IPC[i].Kind == world.IPCQueue {
			n++
		}
	}
	most := c.W.Sysctl(kernel.QueuesMax)
	if most.Known() && most.V != kernel.NotThere && n <= uint64(most.V) {
		return 0
	}
	return queueLimit(c, kernel.QueuesMax, n, story.ENOSPC)
}

// queueLimit is a limit that CAP_SYS_RESOURCE passes over.
func queueLimit(c *check.Check, set kernel.Sysctl, asked uint64, errno story.Errno) story.Errno {
	v := c.W.Sysctl(set)
	s := story.Step{Code: story.IPCLimit, Errno: errno, Op: story.OpLimit, Fact: [3]story.Origin{v.At, v.At, c.Cred.EffectiveAt}, Val: [3]uint64{c.Word(set.String()), uint64(int64(v.V)), asked}}
	there := v.Known() && v.V != kernel.NotThere
	if there && asked <= uint64(v.V) {
		return 0
	}
	switch a := queueResource(c); {
	case a == kernel.Yes:
		c.Pass(s)
	case a == kernel.NotKnown || !there:
		c.Unknown(s)
	default:
		return c.Deny(s)
	}
	return 0
}

// attributes are the sizes that are asked for: the hard limits, else those of the namespace; then the user's bytes.
func (q *QueueOpen) attributes(c *check.Check) story.Errno {
	const hardMessages, hardSize = 65536, 16 << 20
	messages, size := q.MaxMsg, q.MsgSize
	switch {
	case q.Lost:
		NotKnown(c, "which sizes the queue gets", story.EINVAL)
		c.MayEnd(story.EMFILE)
		return 0
	case !q.Given: // mq_msg_default and mq_msgsize_default, at most the maximum
		messages, size = 10, 8192
	case messages <= 0 || size <= 0 || messages > hardMessages || size > hardSize:
		return Invalid(c, story.EINVAL, "a queue has 1 to 65536 messages of at most 16 MiB")
	default:
		if e := queueLimit(c, kernel.QueueMsgMax, uint64(messages), story.EINVAL); e != 0 {
			return e
		}
		if e := queueLimit(c, kernel.QueueMsgsizeMax, uint64(size), story.EINVAL); e != 0 {
			return e
		}
	}
	// A tree node and a pointer a message, beside what they hold.
	const node, header = 56, 48
	bytes := uint64(messages)*header + uint64(min(messages, 32768))*node + uint64(messages)*uint64(size)
	l := c.W.Task.Rlimits[rlimitMsgQueue]
	s := story.Step{Code: story.IPCLimit, Errno: story.EMFILE, Op: story.OpLimit, Fact: [3]story.Origin{l.At, l.At}, Val: [3]uint64{c.Word("RLIMIT_MSGQUEUE"), l.V.Cur, bytes}}
	switch {
	case l.At == 0 || l.Known() && l.V.Cur == infinity:
	case l.Known() && uint64(messages)*uint64(size) > l.V.Cur:
		return c.Deny(s)
	case !l.Known() || bytes > l.V.Cur:
		c.Unknown(s)
	}
	return 0
}

const rlimitMsgQueue = 12

// QueueUnlink is mq_unlink: vfs_unlink in a sticky directory that the namespace's maker owns.
func QueueUnlink(c *check.Check, name string, fault bool) story.Errno {
	if e := Has(c, kernel.MessageQueues, story.ENOSYS); e != 0 {
		return e
	}
	if e := queueName(c, name, fault); e != 0 {
		return e
	}
	if e := queueComponent(c, name); e != 0 {
		return e
	}
	o := c.W.IPCByName(name)
	s := ipcName(c, story.IPCMissing, world.IPCQueue, name, 0, story.ENOENT)
	if s.Fact[0] = c.W.QueuesListed(); o == nil {
		if s.Fact[0].Known() {
			return c.Refuse(s)
		}
		c.Unknown(s)
		c.MayEnd(story.EPERM)
		return 0
	}
	if e := queueSticky(c, o); e != 0 {
		return e
	}
	c.Effect(story.Effect{Kind: "ipc"})
	return 0
}

// queueSticky is check_sticky: the queue's owner, the directory's, or CAP_FOWNER.
func queueSticky(c *check.Check, o *world.IPCObject) story.Errno {
	cr := c.Cred
	ns := c.W.Namespace(world.IPCNS)
	root, _ := c.W.UserNS[ns.Owner].UIDs.Down(0) // whoever made the namespace: its root, as a rule
	s := story.Step{Code: story.QueueSticky, Errno: story.EPERM, Op: story.OpRemove, Fact: [3]story.Origin{o.At, cr.UIDAt, cr.EffectiveAt}, Val: [3]uint64{pack(o.UID, o.GID), pack(cr.FSUID, cr.FSGID)}}
	if cr.UIDAt.Known() && (cr.FSUID == o.UID || ns.At.Known() && ns.Initial && cr.FSUID == 0) {
		c.Pass(s)
		return 0
	}
	a := asksInode(c, cr, kernel.CapFowner, cred.CapableWrtInode(c.W, cr, o.UID, o.GID, kernel.CapFowner))
	switch {
	case a == kernel.Yes:
		c.Pass(s)
	case a == kernel.NotKnown || !cr.UIDAt.Known() || !ns.At.Known() || uint32(cr.FSUID) == root:
		c.Unknown(s)
	default:
		return c.Deny(s)
	}
	return 0
}

// QueueDescriptor is a call on an open queue: what is no queue counts as closed.
func QueueDescriptor(c *check.Check, fd int, errnos ...story.Errno) story.Errno {
	if e := Has(c, kernel.MessageQueues, story.ENOSYS); e != 0 {
		return e
	}
	if e := OtherDescriptor(c, fd, "a message queue", story.EBADF); e != 0 {
		return e
	}
	for _, e := range errnos {
		c.MayEnd(e)
		if e == story.EAGAIN {
			c.MayBlock()
		}
	}
	return 0
}

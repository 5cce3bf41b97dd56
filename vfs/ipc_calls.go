package vfs

import (
	"math"
	"slices"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// ShmAttach is do_shmat.
func ShmAttach(c *check.Check, id int, addr, flags uint64) story.Errno {
	const rdonly, rnd, remap, exec = 0o10000, 0o20000, 0o40000, 0o100000
	if e := Has(c, kernel.SystemVIPC, story.ENOSYS); e != 0 {
		return e
	}
	switch {
	case id < 0:
		return Invalid(c, story.EINVAL, "a segment's number is not negative")
	case addr&pageMask != 0 && flags&rnd == 0:
		return Invalid(c, story.EINVAL, "the address is no multiple of the page size")
	case addr&^uint64(pageMask) == 0 && flags&remap != 0:
		return Invalid(c, story.EINVAL, "SHM_REMAP needs an address")
	}
	mode := uint64(0o666)
	if flags&rdonly != 0 {
		mode = 0o444
	}
	if flags&exec != 0 {
		mode |= 0o111
	}
	o, e := ipcFind(c, world.IPCShm, id)
	if e != 0 {
		return e
	}
	if o == nil {
		return ipcLost(c, kernel.CapIpcOwner, story.EACCES)
	}
	if e := ipcPerms(c, o, mode); e != 0 {
		return e
	}
	if e := c.LSM.OnIPC(c, story.HookShmShmat, o, story.OpAccess, flags&rdonly); e != 0 {
		return e
	}
	prot := uint64(0)
	if flags&exec != 0 {
		prot = 4
	}
	if e := c.LSM.MmapFile(c, nil, prot, true); e != 0 {
		return e
	}
	if addr != 0 {
		return NotKnown(c, "what lies at this address", story.EINVAL, story.ENOMEM, story.EPERM)
	}
	return 0
}

// IPCControl is shmctl, msgctl or semctl.
type IPCControl struct {
	Kind   world.IPCKind
	ID     int
	Cmd    int
	Fault  bool // the buffer cannot be read or written
	UID    uint32
	GID    uint32
	Given  bool   // UID and GID are known
	QBytes uint64 // of a message queue
	Num    int32  // semctl's semnum
	Val    int32  // of SETVAL
	High   bool   // of SETALL: a value is above 32767
	Lost   bool   // the array is not known
}

// Commands that all three have.
const (
	ipcRmid, ipcSet, ipcStat, ipcInfo = 0, 1, 2, 3
)

// ipcCommands are the commands of each kind: those that tell of the whole namespace, of an object by its place in the table,
// and of one by its place for everybody.
var ipcCommands = [...]struct{ info, stat, any int }{world.IPCShm: {14, 13, 15}, world.IPCMsg: {12, 11, 13}, world.IPCSem: {19, 18, 20}}

// Control is ksys_shmctl, ksys_msgctl and ksys_semctl.
func (x IPCControl) Control(c *check.Check) story.Errno {
	if e := Has(c, kernel.SystemVIPC, story.ENOSYS); e != 0 {
		return e
	}
	if x.ID < 0 || x.Cmd < 0 && x.Kind != world.IPCSem {
		return Invalid(c, story.EINVAL, "numbers and commands are not negative")
	}
	cmds := ipcCommands[x.Kind]
	switch x.Cmd {
	case ipcInfo, cmds.info:
		if e := x.asks(c, nil); e != 0 {
			return e
		}
		return x.answer(c)
	case ipcStat, cmds.stat, cmds.any:
		return x.status(c, cmds.stat, cmds.any)
	case ipcSet:
		if x.Fault {
			return Fault(c)
		}
		return x.down(c)
	case ipcRmid:
		return x.down(c)
	}
	switch {
	case x.Kind == world.IPCShm && (x.Cmd == 11 || x.Cmd == 12):
		return x.lock(c)
	case x.Kind == world.IPCSem && x.Cmd >= 11 && x.Cmd <= 17:
		return x.semaphores(c)
	}
	return Invalid(c, story.EINVAL, "there is no such command")
}

// asks is the hook of the command.
func (x *IPCControl) asks(c *check.Check, o *world.IPCObject) story.Errno {
	return c.LSM.OnIPC(c, ipcHooks[x.Kind].control, o, story.OpAccess, uint64(x.Cmd))
}

// answer copies what was asked for to the task.
func (x *IPCControl) answer(c *check.Check) story.Errno {
	if x.Fault {
		return Fault(c)
	}
	return 0
}

// status is shmctl_stat and its relatives. SHM_STAT names an object by its place in the namespace's table, which is not known.
func (x *IPCControl) status(c *check.Check, stat, any int) story.Errno {
	if x.Cmd == stat || x.Cmd == any {
		if len(c.W.IPC) == 0 && c.W.IPCListed().Known() {
			return c.Refuse(ipcName(c, story.IPCMissing, x.Kind, "", x.ID, story.EINVAL))
		}
		NotKnown(c, "which object has this place in the namespace's table", story.EINVAL)
		if x.Cmd == stat {
			ipcLost(c, kernel.CapIpcOwner, story.EACCES)
		}
		return x.answer(c)
	}
	o, e := ipcFind(c, x.Kind, x.ID)
	if e != 0 {
		return e
	}
	if o == nil {
		ipcLost(c, kernel.CapIpcOwner, story.EACCES)
		return x.answer(c)
	}
	if e := ipcPerms(c, o, 0o444); e != 0 {
		return e
	}
	if e := x.asks(c, o); e != 0 {
		return e
	}
	return x.answer(c)
}

// down is shmctl_down and its relatives: IPC_SET and IPC_RMID.
func (x *IPCControl) down(c *check.Check) story.Errno {
	o, e := ipcFind(c, x.Kind, x.ID)
	if e != 0 {
		return e
	}
	if o == nil {
		ipcLost(c, kernel.CapSysAdmin, story.EPERM)
	} else if _, e := ipcOwned(c, o, kernel.CapSysAdmin); e != 0 {
		return e
	} else if e := x.asks(c, o); e != 0 {
		return e
	}
	if x.Cmd == ipcSet {
		if e := x.set(c); e != 0 {
			return e
		}
	}
	c.Effect(story.Effect{Kind: "ipc"})
	return 0
}

// set is the rest of IPC_SET: a queue's bytes, then ids that the task's user namespace has (ipc_update_perm).
func (x *IPCControl) set(c *check.Check) story.Errno {
	if x.Kind == world.IPCMsg {
		if e := x.raise(c); e != 0 {
			return e
		}
	}
	if !x.Given {
		return NotKnown(c, "which owner the object gets", story.EINVAL)
	}
	ns := &c.W.UserNS[c.Cred.UserNS]
	_, user := ns.UIDs.Down(x.UID)
	_, group := ns.GIDs.Down(x.GID)
	if !user || !group {
		return Invalid(c, story.EINVAL, "the owner's ids are not mapped in the task's user namespace")
	}
	return 0
}

// raise asks for CAP_SYS_RESOURCE where a queue is to take more than kernel.msgmnb.
func (x *IPCControl) raise(c *check.Check) story.Errno {
	most := c.W.Sysctl(kernel.MsgMNB)
	s := story.Step{Code: story.IPCRaise, Errno: story.EPERM, Op: story.OpLimit, Fact: [3]story.Origin{0, most.At, c.Cred.EffectiveAt}, Val: [3]uint64{x.QBytes, uint64(most.V)}}
	there := most.Known() && most.V != kernel.NotThere
	if x.QBytes == 0 || there && x.QBytes <= uint64(most.V) {
		return 0
	}
	switch a := capable(c, 0, kernel.CapSysResource, check.RealmInitial); {
	case a == kernel.Yes:
		c.Pass(s)
	case a == kernel.NotKnown || !there:
		c.Unknown(s)
	default:
		return ipcDeny(c, s, 0, kernel.CapSysResource)
	}
	return 0
}

// lock is shmctl_do_lock.
func (x *IPCControl) lock(c *check.Check) story.Errno {
	o, e := ipcFind(c, x.Kind, x.ID)
	if e != 0 {
		return e
	}
	if o == nil {
		return ipcLost(c, kernel.CapIpcLock, story.EPERM)
	}
	if e := x.asks(c, o); e != 0 {
		return e
	}
	owns, e := ipcOwned(c, o, kernel.CapIpcLock)
	if e != 0 {
		return e
	}
	a := kernel.Yes
	if owns == kernel.Yes { // who owns it is asked all the same, and first
		_, a = ipcCapable(c, kernel.CapIpcLock)
	}
	if x.Cmd == 12 { // SHM_UNLOCK
		return 0
	}
	l := c.W.Task.Rlimits[rlimitMemlock]
	s := story.Step{Code: story.MemoryLock, Errno: story.EPERM, Op: story.OpLimit, Fact: [3]story.Origin{l.At, c.Cred.EffectiveAt}, Val: [3]uint64{l.V.Cur, uint64(kernel.CapIpcLock)}}
	switch {
	case a == kernel.Yes:
	case a == kernel.NotKnown || !l.Known():
		c.Unknown(s)
	case l.V.Cur == 0:
		return c.Deny(s)
	}
	// user_shm_lock asks for the capability in the initial user namespace.
	if s.Errno = story.ENOMEM; capable(c, 0, kernel.CapIpcLock, check.RealmInitial) == kernel.Yes || l.Known() && l.V.Cur == infinity {
		return 0
	}
	if pages := (o.Size + pageMask) &^ pageMask; l.Known() && pages > l.V.Cur && c.Cred.EffectiveAt.Known() {
		return c.Deny(s)
	}
	c.Unknown(s)
	return 0
}

// semaphores is semctl_main and semctl_setval.
func (x *IPCControl) semaphores(c *check.Check) story.Errno {
	const getAll, setVal, setAll, most = 13, 16, 17, 32767
	if x.Cmd == setVal && (x.Val < 0 || x.Val > most) {
		return Invalid(c, story.ERANGE, "a semaphore's value is at most 32767")
	}
	o, e := ipcFind(c, x.Kind, x.ID)
	if e != 0 {
		return e
	}
	outside := o != nil && (x.Num < 0 || uint64(x.Num) >= o.Size)
	if x.Cmd == setVal && outside {
		return Invalid(c, story.EINVAL, "the set has no such semaphore")
	}
	mode := uint64(0o444)
	if x.Cmd == setVal || x.Cmd == setAll {
		mode = 0o222
	}
	if o == nil {
		ipcLost(c, kernel.CapIpcOwner, story.EACCES)
		c.MayEnd(story.EINVAL)
		if x.Cmd == setAll {
			c.MayEnd(story.ERANGE)
		}
		return 0
	}
	if e := ipcPerms(c, o, mode); e != 0 {
		return e
	}
	if e := x.asks(c, o); e != 0 {
		return e
	}
	switch {
	case x.Cmd == getAll, x.Cmd == setAll:
		if x.Fault {
			return Fault(c)
		}
		if x.Cmd == setAll && x.Lost {
			return NotKnown(c, "which values the semaphores get", story.ERANGE)
		}
		if x.Cmd == setAll && x.High {
			return Invalid(c, story.ERANGE, "a semaphore's value is at most 32767")
		}
	case x.Cmd != setVal && outside:
		return Invalid(c, story.EINVAL, "the set has no such semaphore")
	}
	return 0
}

// Message is what msgsnd and msgrcv are given.
type Message struct {
	ID         int
	Type, Size int64
	Flags      uint64
	Fault      bool // the buffer cannot be read or written
	Lost       bool // the type is not known
}

// Send is ksys_msgsnd and do_msgsnd.
func (m Message) Send(c *check.Check) story.Errno {
	if e := Has(c, kernel.SystemVIPC, story.ENOSYS); e != 0 {
		return e
	}
	if m.Fault {
		return Fault(c)
	}
	if m.Size >= 0 {
		if e := ipcLimit(c, kernel.MsgMax, uint64(m.Size), story.EINVAL); e != 0 {
			return e
		}
	}
	switch {
	case m.Size < 0 || m.ID < 0:
		return Invalid(c, story.EINVAL, "numbers and lengths are not negative")
	case m.Lost:
		NotKnown(c, "which type the message has", story.EINVAL)
	case m.Type < 1:
		return Invalid(c, story.EINVAL, "a message's type is positive")
	}
	o, e := ipcFind(c, world.IPCMsg, m.ID)
	if e != 0 {
		return e
	}
	if o == nil {
		ipcLost(c, kernel.CapIpcOwner, story.EACCES)
		return m.wait(c, kernel.NotKnown, story.EAGAIN, "how full the queue is")
	}
	if e := ipcPerms(c, o, 0o222); e != 0 {
		return e
	}
	if e := c.LSM.OnIPC(c, story.HookMsgQueueMsgsnd, o, story.OpWrite, 0); e != 0 {
		return e
	}
	if o.Unsized {
		return m.wait(c, kernel.NotKnown, story.EAGAIN, "how full the queue is")
	}
	if o.Used+uint64(m.Size) > o.Size || o.Messages+1 > o.Size {
		return m.wait(c, kernel.Yes, story.EAGAIN, "the queue is full")
	}
	c.Messages = check.Messages{Queue: o, Sent: world.Message{Type: m.Type, Size: uint64(m.Size), Context: newContext(c)}, Took: -1}
	return 0
}

// Queued puts a message into its queue, or takes it out.
func Queued(m check.Messages) {
	q := m.Queue
	if m.Took < 0 {
		if uint64(len(q.Queue)) == q.Messages {
			q.Queue = append(q.Queue, m.Sent)
		}
		q.Messages, q.Used = q.Messages+1, q.Used+m.Sent.Size
		return
	}
	q.Messages, q.Used = q.Messages-1, q.Used-q.Queue[m.Took].Size
	q.Queue = slices.Delete(slices.Clone(q.Queue), m.Took, m.Took+1)
}

// wait ends a call that finds nothing to do.
func (m *Message) wait(c *check.Check, waits kernel.Answer, errno story.Errno, state string) story.Errno {
	s := story.Step{Code: story.IPCWait, Errno: errno, Op: story.OpRead, Val: [3]uint64{c.Word(state)}}
	nowait := m.Flags&ipcNowait != 0
	switch {
	case waits == kernel.Yes && nowait:
		return c.Refuse(s)
	case waits == kernel.Yes:
		c.Blocks()
	case waits == kernel.NotKnown && nowait:
		c.Unknown(s)
	case waits == kernel.NotKnown:
		s.Errno = 0
		c.Unknown(s)
		c.MayBlock()
	}
	return 0
}

// Receive is do_msgrcv.
func (m Message) Receive(c *check.Check) story.Errno {
	const except, copied, noerror = 0o20000, 0o40000, 0o10000
	if e := Has(c, kernel.SystemVIPC, story.ENOSYS); e != 0 {
		return e
	}
	if m.ID < 0 || m.Size < 0 {
		return Invalid(c, story.EINVAL, "numbers and lengths are not negative")
	}
	if m.Flags&copied != 0 {
		if m.Flags&except != 0 || m.Flags&ipcNowait == 0 {
			return Invalid(c, story.EINVAL, "MSG_COPY goes with IPC_NOWAIT and without MSG_EXCEPT")
		}
		if e := Has(c, kernel.Checkpoint, story.ENOSYS); e != 0 {
			return e
		}
	}
	o, e := ipcFind(c, world.IPCMsg, m.ID)
	if e != 0 {
		return e
	}
	if o == nil {
		ipcLost(c, kernel.CapIpcOwner, story.EACCES)
	} else if e := ipcPerms(c, o, 0o444); e != 0 {
		return e
	}
	if o != nil && o.Messages == 0 {
		return m.wait(c, kernel.Yes, story.ENOMSG, "the queue is empty")
	}
	if o != nil && uint64(len(o.Queue)) == o.Messages && m.Flags&copied == 0 {
		return m.take(c, o)
	}
	if o != nil && m.Type == 0 && !o.Unsized && m.Flags&copied == 0 && !m.Fault {
		if m.Flags&noerror == 0 {
			return NotKnown(c, "how long the message is", story.E2BIG)
		}
		return 0
	}
	if m.Flags&noerror == 0 {
		c.MayEnd(story.E2BIG)
	}
	if m.Fault {
		c.MayEnd(story.EFAULT)
	}
	return m.wait(c, kernel.NotKnown, story.ENOMSG, "which messages the queue holds")
}

// take is find_msg and what do_msgrcv does with its answer: a message that a module keeps from the task is passed over.
func (m *Message) take(c *check.Check, o *world.IPCObject) story.Errno {
	const noerror = 0o10000
	last := -1
	for i := range o.Queue {
		if m.wants(m.Type, o.Queue[i].Type) {
			last = i
		}
	}
	found, want := -1, m.Type
	for i := range o.Queue {
		if !m.wants(want, o.Queue[i].Type) {
			continue
		}
		only := i == last && found < 0 && m.Flags&ipcNowait != 0 // without it there is no message
		if !only {
			c.Mute()
		}
		e := c.LSM.OnIPC(c, story.HookMsgQueueMsgrcv, o, story.OpRead, uint64(i))
		if !only && c.Unmute() {
			return NotKnown(c, "which of the messages the modules show to the task", story.ENOMSG, story.E2BIG)
		}
		switch {
		case e != 0 && only:
			return e
		case e != 0:
			continue
		}
		if found = i; want >= 0 || o.Queue[i].Type == 1 {
			break
		}
		want = 1 - o.Queue[i].Type // another one must have a lower type
	}
	switch {
	case found < 0:
		return m.wait(c, kernel.Yes, story.ENOMSG, "the queue holds no such message that the task may see")
	case uint64(m.Size) < o.Queue[found].Size && m.Flags&noerror == 0:
		return Invalid(c, story.E2BIG, "the message is longer than the buffer")
	}
	c.Messages = check.Messages{Queue: o, Took: found}
	if m.Fault {
		return Fault(c)
	}
	return 0
}

// wants is testmsg.
func (m *Message) wants(want, typ int64) bool {
	const except = 0o20000
	switch {
	case want == 0:
		return true
	case want < 0:
		return want == math.MinInt64 || typ <= -want
	case m.Flags&except != 0:
		return typ != want
	}
	return typ == want
}

// SemOps is what semop and semtimedop are given.
type SemOps struct {
	ID        int
	N         uint64       // how many operations
	Ops       [32][3]int16 // number, operation, flags of the first ones
	Given     int          // how many of Ops there are
	Fault     bool
	Lost      bool // not all are known
	TimeFault bool
	BadTime   bool // the time is none
}

// Operate is ksys_semtimedop, do_semtimedop and __do_semtimedop.
func (x *SemOps) Operate(c *check.Check) story.Errno {
	if e := Has(c, kernel.SystemVIPC, story.ENOSYS); e != 0 {
		return e
	}
	if x.TimeFault {
		return Fault(c)
	}
	limits := c.W.Sysctl(kernel.SemLimits)
	_, most := kernel.Range(limits.V)
	if e := ipcWithin(c, "kernel.sem (semopm)", limits.At, limits.V != kernel.NotThere, uint64(most), x.N, story.E2BIG); e != 0 {
		return e
	}
	switch {
	case x.N < 1:
		return Invalid(c, story.EINVAL, "there is an operation at least")
	case x.Fault:
		return Fault(c)
	case x.ID < 0 || x.BadTime:
		return Invalid(c, story.EINVAL, "the number is not negative, and the time is one")
	}
	o, e := ipcFind(c, world.IPCSem, x.ID)
	if e != 0 {
		return e
	}
	ops := x.Ops[:min(uint64(x.Given), x.N)]
	lost := x.Lost || uint64(len(ops)) < x.N
	if o == nil {
		c.MayEnd(story.EFBIG)
		ipcLost(c, kernel.CapIpcOwner, story.EACCES)
		return x.outcome(c, kernel.NotKnown, true, "which values the semaphores have")
	}
	mode := uint64(0o444)
	for _, op := range ops {
		if uint64(uint16(op[0])) >= o.Size {
			return Invalid(c, story.EFBIG, "the set has no such semaphore")
		}
		if op[1] != 0 {
			mode = 0o222
		}
	}
	if lost {
		c.MayEnd(story.EFBIG)
		c.MayEnd(story.EACCES)
		return x.outcome(c, kernel.NotKnown, true, "what the operations are")
	}
	if e := ipcPerms(c, o, mode); e != 0 {
		return e
	}
	if e := c.LSM.OnIPC(c, story.HookSemSemop, o, story.OpWrite, mode&0o222); e != 0 {
		return e
	}
	return x.perform(c, o, ops)
}

// perform is perform_atomic_semop: all operations, or none of them.
func (x *SemOps) perform(c *check.Check, o *world.IPCObject, ops [][3]int16) story.Errno {
	for i, op := range ops {
		if o.Values == nil {
			if op[1] <= 0 {
				return x.outcome(c, kernel.NotKnown, op[2]&ipcNowait != 0, "which values the semaphores have")
			}
			continue
		}
		now := int(o.Values[uint16(op[0])])
		for _, before := range ops[:i] {
			if before[0] == op[0] {
				now += int(before[1])
			}
		}
		switch {
		case op[1] == 0 && now != 0, now+int(op[1]) < 0:
			return x.outcome(c, kernel.Yes, op[2]&ipcNowait != 0, "the semaphore's value does not allow it yet")
		case now+int(op[1]) > 32767:
			return Invalid(c, story.ERANGE, "a semaphore's value is at most 32767")
		}
	}
	return 0
}

func (x *SemOps) outcome(c *check.Check, waits kernel.Answer, nowait bool, state string) story.Errno {
	m := Message{}
	if nowait {
		m.Flags = ipcNowait
	}
	if waits == kernel.NotKnown {
		c.MayEnd(story.ERANGE)
		if nowait {
			c.MayBlock()
		}
	}
	return m.wait(c, waits, story.EAGAIN, state)
}

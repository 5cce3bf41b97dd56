package vfs

import (
	"syscallstory/selinux"
	"syscallstory/story"
	"syscallstory/world"
)

// What SELinux asks at the hooks of System V IPC.

// ipcClasses are the classes of the kinds of System V IPC.
var ipcClasses = [...]string{world.IPCShm: "shm", world.IPCMsg: "msgq", world.IPCSem: "sem"}

// ipc is the hooks on objects of System V IPC; false: the hook is none of them.
func (a *asking) ipc() bool {
	q := a.q
	switch q.Hook {
	case story.HookShmAlloc, story.HookMsgQueueAlloc, story.HookSemAlloc:
		class := map[story.Hook]string{story.HookShmAlloc: "shm", story.HookMsgQueueAlloc: "msgq", story.HookSemAlloc: "sem"}[q.Hook]
		a.ask(a.source, class, "create")
		a.c.NewLabel = a.text(a.source)
		return true
	case story.HookShmShmctl, story.HookMsgQueueMsgctl, story.HookSemSemctl:
		if cmd := int(q.Args[0]); q.IPC == nil || cmd == ipcInfo {
			a.toKernel("system", "ipc_info")
		} else {
			a.object(controlPerms(q.IPC.Kind, cmd)...)
		}
		return true
	case story.HookIPCPermission:
		var perms []string
		if q.Args[0]&0o444 != 0 {
			perms = append(perms, "unix_read")
		}
		if q.Args[0]&0o222 != 0 {
			perms = append(perms, "unix_write")
		}
		a.object(perms...)
	case story.HookShmAssociate, story.HookMsgQueueAssociate, story.HookSemAssociate:
		a.object("associate")
	case story.HookShmShmat:
		if q.Args[0] != 0 {
			a.object("read")
		} else {
			a.object("read", "write")
		}
	case story.HookSemSemop:
		if q.Args[0] == 0 {
			a.object("read")
		} else {
			a.object("read", "write")
		}
	case story.HookMsgQueueMsgsnd:
		a.message()
	case story.HookMsgQueueMsgrcv:
		a.receive()
	default:
		return false
	}
	return true
}

// controlPerms are the permissions that a command of shmctl, msgctl or semctl asks for.
func controlPerms(k world.IPCKind, cmd int) []string {
	switch {
	case cmd == ipcStat || cmd == ipcCommands[k].stat || cmd == ipcCommands[k].any:
		return []string{"getattr", "associate"}
	case cmd == ipcSet:
		return []string{"setattr"}
	case cmd == ipcRmid:
		return []string{"destroy"}
	case k == world.IPCShm: // SHM_LOCK, SHM_UNLOCK
		return []string{"lock"}
	}
	const getPID, getVal, getAll, getNCnt, getZCnt = 11, 12, 13, 14, 15
	switch cmd {
	case getPID, getNCnt, getZCnt:
		return []string{"getattr"}
	case getVal, getAll:
		return []string{"read"}
	}
	return []string{"write"}
}

// object asks for permissions to the object of System V IPC (ipc_has_perm).
func (a *asking) object(perms ...string) (l selinux.Label, ok bool) {
	o := a.q.IPC
	if len(perms) == 0 {
		return l, false
	}
	if o == nil || !o.Context.Known() {
		a.lost("the context of the object is not known")
		return l, false
	}
	l, err := a.parse(o.Context.V)
	if err != nil {
		a.lost("the context of the object is not one of the policy's: " + err.Error())
		return l, false
	}
	a.ask(l, ipcClasses[o.Kind], perms...)
	return l, true
}

// message is selinux_msg_queue_msgsnd: the message has a label of its own, which the policy draws from the task's and the queue's.
func (a *asking) message() {
	queue, ok := a.object("write")
	if !ok {
		return
	}
	cl, _ := a.policy.Class("msg")
	made, err := a.policy.Create(a.source, queue, cl, "")
	if err != nil {
		a.lost(err.Error())
		return
	}
	a.c.NewLabel = a.text(made.Label)
	a.ask(made.Label, "msg", "send")
	a.list = append(a.list, access{source: made.Label, target: queue, class: "msgq", perms: []string{"enqueue"}})
}

// receive is selinux_msg_queue_msgrcv: to the task a message that it may not receive is none.
func (a *asking) receive() {
	if _, ok := a.object("read"); !ok {
		return
	}
	m := &a.q.IPC.Queue[a.q.Args[0]]
	l, err := a.parse(m.Context.V)
	if !m.Context.Known() || err != nil {
		a.lost("the context of the message is not known")
		return
	}
	a.ask(l, "msg", "receive")
	for i := range a.list {
		a.list[i].errno = story.ENOMSG
	}
}

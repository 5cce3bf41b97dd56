package explain

import (
	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
	"syscallstory/world"
)

// Routes of System V IPC and POSIX message queues: ipc/.

var _ = add(map[string]Route{"shmget": shmget, "shmat": shmat, "shmdt": shmdt, "shmctl": shmctl, "msgget": msgget, "msgsnd": msgsnd, "msgrcv": msgrcv, "msgctl": msgctl,
	"semget": semget, "semop": semop, "semtimedop": semop, "semctl": semctl, "mq_open": mqOpen, "mq_unlink": mqUnlink, "mq_timedsend": mqSend, "mq_timedreceive": mqReceive,
	"mq_notify": mqNotify, "mq_getsetattr": mqGetsetattr})

func shmget(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.IPCGet(c, world.IPCShm, int32(a[0].Val), a[1].Val, a[2].Val)
}

func msgget(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.IPCGet(c, world.IPCMsg, int32(call.Args[0].Val), 0, call.Args[1].Val)
}

func semget(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.IPCGet(c, world.IPCSem, int32(a[0].Val), uint64(uint32(a[1].Val)), a[2].Val)
}

func shmat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.ShmAttach(c, int(int32(a[0].Val)), a[1].Val, a[2].Val)
}

// shmdt finds the segment by its address.
func shmdt(c *check.Check, call *syscalls.Call) story.Errno {
	if call.Args[0].Val&4095 != 0 && call.Args[0].Fault {
		return vfs.Invalid(c, story.EINVAL, "the address is no multiple of the page size")
	}
	return vfs.NotKnown(c, "which segment is attached at this address", story.EINVAL)
}

func ipcControl(k world.IPCKind, id, cmd, arg *syscalls.Arg) vfs.IPCControl {
	x := vfs.IPCControl{Kind: k, ID: int(int32(id.Val)), Cmd: int(int32(cmd.Val)), Fault: arg.Fault && !arg.Absent && arg.Val < 4096}
	uid, user := arg.IPCPerm("uid")
	gid, group := arg.IPCPerm("gid")
	qbytes, _ := arg.Field("msg_qbytes")
	x.UID, x.GID, x.Given, x.QBytes = uint32(uid), uint32(gid), user && group || arg.Struct(), qbytes.Val
	return x
}

func shmctl(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return ipcControl(world.IPCShm, &a[0], &a[1], &a[2]).Control(c)
}

func msgctl(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return ipcControl(world.IPCMsg, &a[0], &a[1], &a[2]).Control(c)
}

func semctl(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	x := ipcControl(world.IPCSem, &a[0], &a[2], &a[3])
	x.Num, x.Val, x.Lost = int32(a[1].Val), int32(a[3].Val), a[3].Str != "["
	for i := range a[3].Fields {
		x.High = x.High || uint16(a[3].Fields[i].Val) > 32767
	}
	return x.Control(c)
}

func msgsnd(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	typ, known := a[1].Field("mtype")
	return vfs.Message{ID: int(int32(a[0].Val)), Type: int64(typ.Val), Size: int64(a[2].Val), Flags: a[3].Val, Fault: a[1].Fault, Lost: !known}.Send(c)
}

func msgrcv(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Message{ID: int(int32(a[0].Val)), Type: int64(a[3].Val), Size: int64(a[2].Val), Flags: a[4].Val, Fault: isNull(&a[1])}.Receive(c)
}

func semop(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	x := vfs.SemOps{ID: int(int32(a[0].Val)), N: uint64(uint32(a[2].Val)), Fault: a[1].Fault, Lost: a[1].Cut || len(a[1].Fields) == 0}
	f := a[1].Fields
	for i := 0; i+2 < len(f) && x.Given < len(x.Ops); i += 3 {
		x.Ops[x.Given] = [3]int16{int16(f[i].Val), int16(f[i+1].Val), int16(f[i+2].Val)}
		x.Given++
	}
	if len(a) > 3 && !isNull(&a[3]) {
		nsec := part(&a[3], "tv_nsec")
		x.TimeFault, x.BadTime = a[3].Fault, part(&a[3], "tv_sec") < 0 || nsec < 0 || nsec >= 1e9
	}
	return x.Operate(c)
}

func mqOpen(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	maxmsg, msgsize := part(&a[3], "mq_maxmsg"), part(&a[3], "mq_msgsize")
	given := !a[3].Absent && !isNull(&a[3])
	return vfs.QueueOpen{Name: a[0].Str, NameFault: a[0].Fault, Flags: a[1].Val, Given: given, Fault: given && a[3].Fault, Lost: given && a[3].Cut, MaxMsg: maxmsg, MsgSize: msgsize}.Open(c)
}

func mqUnlink(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.QueueUnlink(c, call.Args[0].Str, call.Args[0].Fault)
}

// mqTime is prepare_timeout.
func mqTime(c *check.Check, a *syscalls.Arg) story.Errno {
	switch nsec := part(a, "tv_nsec"); {
	case a.Absent || isNull(a):
	case a.Fault:
		return vfs.Fault(c)
	case part(a, "tv_sec") < 0 || nsec < 0 || nsec >= 1e9:
		return vfs.Invalid(c, story.EINVAL, "a time has less than 1000000000 nanoseconds")
	}
	return 0
}

func mqSend(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if e := mqTime(c, &a[4]); e != 0 {
		return e
	}
	if uint32(a[3].Val) >= 32768 {
		return vfs.Invalid(c, story.EINVAL, "a priority is less than 32768")
	}
	return vfs.QueueDescriptor(c, dfd(&a[0]), story.EMSGSIZE, story.EAGAIN)
}

func mqReceive(c *check.Check, call *syscalls.Call) story.Errno {
	if e := mqTime(c, &call.Args[4]); e != 0 {
		return e
	}
	return vfs.QueueDescriptor(c, dfd(&call.Args[0]), story.EMSGSIZE, story.EAGAIN)
}

func mqNotify(c *check.Check, call *syscalls.Call) story.Errno {
	a := &call.Args[1]
	if !a.Absent && !isNull(a) {
		if a.Fault {
			return vfs.Fault(c)
		}
		how, signo := part(a, "sigev_notify"), int32(part(a, "sigev_signo"))
		if a.Struct() && (how < 0 || how > 2 || how == 0 && (signo < 0 || signo > 64)) {
			return vfs.Invalid(c, story.EINVAL, "a notification is a signal, a thread or nothing")
		}
	}
	return vfs.QueueDescriptor(c, dfd(&call.Args[0]), story.EBUSY)
}

func mqGetsetattr(c *check.Check, call *syscalls.Call) story.Errno {
	a := &call.Args[1]
	if !a.Absent && !isNull(a) {
		if a.Fault {
			return vfs.Fault(c)
		}
		if part(a, "mq_flags")&^0o4000 != 0 {
			return vfs.Invalid(c, story.EINVAL, "of a queue's flags only O_NONBLOCK is set")
		}
	}
	return vfs.QueueDescriptor(c, dfd(&call.Args[0]))
}

package explain

import (
	"slices"

	"syscallstory/kernel"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// ipcCalls are the calls that change objects of System V IPC.
var ipcCalls = map[string]world.IPCKind{"shmget": world.IPCShm, "shmctl": world.IPCShm, "msgget": world.IPCMsg, "msgctl": world.IPCMsg, "msgsnd": world.IPCMsg, "msgrcv": world.IPCMsg,
	"semget": world.IPCSem, "semctl": world.IPCSem, "semop": world.IPCSem, "semtimedop": world.IPCSem}

// ipc changes the objects of the IPC namespace as a call has, where the world knows them.
func (j *Judge) ipc(call *syscalls.Call, ret int64) {
	k, ok := ipcCalls[call.Name]
	if !ok || !j.w.IPCListed().Known() || len(call.Args) == 0 {
		return
	}
	a := call.Args
	id := int(int32(a[0].Val))
	switch name := call.Name[3:]; {
	case name == "get":
		j.madeIPC(k, call, ret)
	case name == "ctl":
		cmd := int(int32(a[1].Val))
		if k == world.IPCSem {
			cmd = int(int32(a[2].Val))
		}
		j.controlIPC(k, id, cmd)
	case k == world.IPCSem:
		if o := j.w.IPCByID(k, id); o != nil {
			o.Values = nil
		}
	case call.Name == "msgsnd" || call.Name == "msgrcv":
		if o := j.w.IPCByID(k, id); o != nil && j.c.Messages.Queue == nil { // which message has come or gone is not known
			o.Unsized, o.Messages, o.Queue = true, max(o.Messages, 1), nil
		}
	}
}

// madeIPC adds what a get call has made. One whose number is not known is somewhere in the namespace.
func (j *Judge) madeIPC(k world.IPCKind, call *syscalls.Call, ret int64) {
	w, a := j.w, call.Args
	key, flags, size := int32(a[0].Val), a[len(a)-1].Val, a[1].Val
	if key != 0 && w.IPCByKey(k, key) != nil || ret >= 0 && w.IPCByID(k, int(ret)) != nil {
		return
	}
	cr := &w.Task.Cred
	if ret < 0 || !cr.UIDAt.Known() || !cr.GIDAt.Known() {
		w.IPCAt, w.IPC = w.Miss("which number the object of the stream's "+call.Name+" has is not known", "strace's result of it"), nil
		return
	}
	o := world.IPCObject{Kind: k, Key: key, ID: int(ret), UID: cr.EUID, CUID: cr.EUID, GID: cr.EGID, CGID: cr.EGID, Mode: uint16(flags & 0o777), Size: size, At: w.Text("the stream's " + call.Name)}
	switch k {
	case world.IPCMsg:
		most := w.Sysctl(kernel.MsgMNB)
		o.Size, o.Unsized = uint64(most.V), !most.Known()
	case world.IPCSem:
		o.Size = uint64(uint32(size))
		o.Values = make([]uint16, min(o.Size, 1<<16))
	}
	w.IPC = append(w.IPC, o)
}

// controlIPC removes an object, or forgets what has changed. A segment that somebody has attached outlives its removal.
func (j *Judge) controlIPC(k world.IPCKind, id, cmd int) {
	const rmid, set, setVal, setAll = 0, 1, 16, 17
	w := j.w
	i := slices.IndexFunc(w.IPC, func(o world.IPCObject) bool { return o.Kind == k && o.ID == id })
	switch {
	case i < 0:
	case cmd == set:
		w.IPC[i].At = w.Miss("whose the object is since the stream has changed it is not known", "")
	case cmd == rmid && k == world.IPCShm:
		w.IPC[i].At = w.Miss("whether the segment that the stream has removed is attached somewhere is not known", "")
		w.IPC[i].Key = 0
	case cmd == rmid:
		w.IPC = slices.Delete(w.IPC, i, i+1)
	case k == world.IPCSem && (cmd == setVal || cmd == setAll):
		w.IPC[i].Values = nil
	}
}

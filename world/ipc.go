package world

import (
	"syscallstory/kernel"
	"syscallstory/story"
)

// IPCKind is a kind of System V IPC, or a POSIX message queue.
type IPCKind uint8

const (
	IPCShm IPCKind = iota
	IPCMsg
	IPCSem
	IPCQueue
)

var ipcNames = [...]string{"shared memory segment", "message queue", "semaphore set", "POSIX message queue"}

// String returns the kind's name.
func (k IPCKind) String() string { return ipcNames[k] }

// IPCObject is an object of an IPC namespace.
type IPCObject struct {
	Kind      IPCKind
	Key       int32
	ID        int
	Name      string // of a POSIX message queue
	UID, CUID KUID   // owner and creator
	GID, CGID KGID
	Mode      uint16
	Size      uint64       // bytes of a segment, of a queue how many it takes (msg_qbytes), semaphores of a set
	Used      uint64       // bytes in a message queue
	Messages  uint64       // in it
	Queue     []Message    // those, the oldest first; fewer: not known
	Unsized   bool         // how many bytes a queue takes and holds is not known
	Values    []uint16     // of the semaphores; nil: not known
	Context   Fact[string] // of SELinux
	At        story.Origin
}

// Message is one in a queue of System V.
type Message struct {
	Type    int64
	Size    uint64
	Context Fact[string] // of SELinux
}

// IPCByID finds an object by the number that a get call returned.
func (w *World) IPCByID(k IPCKind, id int) *IPCObject {
	for i := range w.IPC {
		if w.IPC[i].Kind == k && w.IPC[i].ID == id {
			return &w.IPC[i]
		}
	}
	return nil
}

// IPCByKey finds an object by its key.
func (w *World) IPCByKey(k IPCKind, key int32) *IPCObject {
	for i := range w.IPC {
		if w.IPC[i].Kind == k && w.IPC[i].Key == key {
			return &w.IPC[i]
		}
	}
	return nil
}

// IPCByName finds a POSIX message queue.
func (w *World) IPCByName(name string) *IPCObject {
	for i := range w.IPC {
		if w.IPC[i].Kind == IPCQueue && w.IPC[i].Name == name {
			return &w.IPC[i]
		}
	}
	return nil
}

// IPCListed returns where the list of objects is known from; unknown: there may be others.
func (w *World) IPCListed() story.Origin {
	if w.IPCAt == 0 {
		w.IPCAt = w.Miss("which objects the task's IPC namespace holds is not known", "--pid of a process in the namespace")
	}
	return w.IPCAt
}

// QueuesListed is IPCListed for POSIX message queues.
func (w *World) QueuesListed() story.Origin {
	if w.QueuesAt != 0 {
		return w.QueuesAt
	}
	return w.IPCListed()
}

// NewIPCSettings gives the settings of the task's IPC namespace the values of a new one.
func (w *World) NewIPCSettings(at story.Origin) {
	for s := range kernel.NumSysctls {
		if v, ok := s.NewIPC(); ok {
			w.Sysctls[s] = Given(v, at)
		}
	}
}

// NewNetSettings gives the network namespace's settings the values that a new one has.
func (w *World) NewNetSettings(at story.Origin) {
	for s := range kernel.NumSysctls {
		if v, ok := s.NewNet(); ok {
			w.Sysctls[s] = Given(v, at)
		}
	}
}

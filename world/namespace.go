package world

import "syscallstory/story"

// NSKind is a kind of namespace. User and mount namespaces have types of their own (UserNS, MountNS).
type NSKind uint8

const (
	NetNS NSKind = iota
	UTSNS
	IPCNS
	PIDNS
	CgroupNS
	TimeNS
	NumNSKinds
)

var nsKindNames = [NumNSKinds]string{"net", "uts", "ipc", "pid", "cgroup", "time"}

// String returns the name of the kind as /proc/PID/ns has it.
func (k NSKind) String() string { return nsKindNames[k] }

// NamespaceID is an index into World.Namespaces; 0 is a namespace of which nothing is known.
type NamespaceID uint16

// Namespace is a network, UTS, IPC, PID, cgroup or time namespace. A capability for what it governs is asked for in the user
// namespace that owns it.
type Namespace struct {
	Kind    NSKind
	Owner   UserNSID     // whose user namespace was current when it was made
	Parent  NamespaceID  // of a PID namespace; 0 for the initial one
	Initial bool         // the namespace that the machine booted with
	Fresh   bool         // of a network namespace: nobody has set up its interfaces yet
	Name    string       // how the story calls it
	At      story.Origin // unknown: nothing here means anything
}

// InitialNamespaces adds the six namespaces of the host, owned by the initial user namespace, and returns their ids by kind.
func (w *World) InitialNamespaces(at story.Origin) (ids [NumNSKinds]NamespaceID) {
	for k := range NumNSKinds {
		ids[k] = w.AddNamespace(Namespace{Kind: k, Initial: true, Name: "host", At: at})
	}
	return ids
}

// AddNamespace adds a namespace and returns its id.
func (w *World) AddNamespace(n Namespace) NamespaceID {
	if len(w.Namespaces) == 0 {
		w.Namespaces = append(w.Namespaces, Namespace{At: w.Miss("the task's namespaces are not known", "a Pod, or --pid of a live process")})
	}
	w.Namespaces = append(w.Namespaces, n)
	return NamespaceID(len(w.Namespaces) - 1)
}

// Namespace returns the task's namespace of a kind; its At is unknown where the input does not say which it is.
func (w *World) Namespace(k NSKind) Namespace {
	id := w.Task.NS[k]
	if len(w.Namespaces) == 0 || id == 0 {
		return Namespace{Kind: k, At: w.Miss("the task's "+k.String()+" namespace is not known", "a Pod, or --pid of a live process")}
	}
	return w.Namespaces[id]
}

// Below reports whether a user namespace is another one or lies below it (in_userns).
func (w *World) Below(ns, ancestor UserNSID) bool {
	for w.UserNS[ns].Level > w.UserNS[ancestor].Level {
		ns = w.UserNS[ns].Parent
	}
	return ns == ancestor
}

// NamespaceRoot is the place that a mount namespace calls /, with what is mounted over it; false where it is not known.
func (w *World) NamespaceRoot(ns uint8) (Path, bool) {
	if int(ns) < len(w.MountNS) && w.MountNS[ns].Root != 0 {
		m := w.MountNS[ns].Root
		return w.Top(Path{m, w.Mounts[m].Root}), true
	}
	for i := 1; i < len(w.Mounts); i++ {
		if m := MountID(i); w.Mounts[m].Parent == m && w.Mounts[m].NS == ns {
			return w.Top(Path{m, w.Mounts[m].Root}), true
		}
	}
	return Path{}, false
}

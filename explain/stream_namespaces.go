package explain

import (
	"fmt"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/vfs"
	"syscallstory/world"
)

// move puts the task into the namespaces that a call has made or entered, or opens its sockets; true if that is all.
func (j *Judge) move(m check.Moved, ret int64) bool {
	switch {
	case m.Map != nil:
		j.mapIDs(m.Map, m.Text)
	case m.Change != nil:
		m.Change.Bound = m.Change.Bound || m.Bound || m.Listens
		m.Change.Listens = m.Change.Listens || m.Listens
		if m.Tried {
			m.Change.Tried = true
		} else if !m.Bound && !m.Listens {
			m.Change.Device = m.Device
		}
	case m.Sockets > 0:
		for range m.Sockets {
			s := m.Socket
			f := world.FD{N: int(ret), Kind: world.FDSocket, Socket: &s, Flags: 2, At: j.w.Text("the stream has made it")}
			if label, at := j.w.Task.LabelOf("selinux"); at.Known() {
				f.Opener = world.Given(label, at)
			}
			j.openLowest(f)
		}
		return true
	case m.Child:
	case m.New != 0:
		j.unshare(m.New)
	case m.Process != nil:
		j.joinProcess(m.Process, m.Join)
	case m.Join != 0:
		j.join(m.Into)
	}
	return false
}

// unshare makes namespaces of which the task is the first.
func (j *Judge) unshare(kinds uint64) {
	w, t := j.w, &j.w.Task
	at := w.Text("the stream has made it")
	if kinds&world.NewUser != 0 {
		parent := t.Cred.UserNS
		up := &w.UserNS[parent]
		w.UserNS = append(w.UserNS, world.UserNS{Parent: parent, Level: up.Level + 1, Owner: t.Cred.EUID, Name: newName(len(w.UserNS)), NoSetgroups: up.NoSetgroups,
			ParentSetfcap: t.Cred.EffectiveAt.Known() && t.Cred.Effective.Has(kernel.CapSetfcap)})
		j.enterUser(world.UserNSID(len(w.UserNS) - 1))
	}
	if kinds&world.NewMount != 0 {
		to, moved := vfs.CopyMounts(w, w.Kernel, t.MountNS, t.Cred.UserNS, "the new mount namespace", at)
		t.MountNS = to
		for _, p := range []*world.Path{&t.Root, &t.Cwd} {
			*p = moved(*p)
		}
	}
	for k := range world.NumNSKinds {
		if kinds&k.Bit() == 0 {
			continue
		}
		id := w.AddNamespace(world.Namespace{Kind: k, Owner: t.Cred.UserNS, Parent: t.NS[k], Name: "new", At: at})
		if k == world.PIDNS || k == world.TimeNS {
			t.Children[k] = id
		} else {
			t.NS[k] = id
		}
		if k == world.IPCNS { // it is empty
			w.IPC, w.IPCAt, w.QueuesAt = nil, at, 0
			w.NewIPCSettings(at)
		}
		if k == world.NetNS { // what a new network namespace begins with
			w.Namespaces[id].Fresh = true
			w.NewNetSettings(at)
		}
	}
}

// newName names the n-th user namespace of the world.
func newName(n int) string { return fmt.Sprintf("the new user namespace (%d)", n) }

// enterUser is set_cred_user_ns: all capabilities in the namespace, and nothing of what was before.
func (j *Judge) enterUser(ns world.UserNSID) {
	cr := &j.w.Task.Cred
	at := j.w.Text("the stream has entered a user namespace")
	cr.UserNS = ns
	cr.Permitted, cr.Effective, cr.Bounding, cr.Inheritable, cr.Ambient, cr.Securebits = world.AllCaps, world.AllCaps, world.AllCaps, 0, 0, 0
	cr.EffectiveAt, cr.BoundingAt = at, at
}

// join enters one namespace.
func (j *Judge) join(ns world.NSFile) {
	w, t := j.w, &j.w.Task
	switch ns.Type {
	case world.NewUser:
		j.enterUser(world.UserNSID(ns.ID))
		return
	case world.NewMount:
		t.MountNS = uint8(ns.ID)
		t.Root, _ = w.NamespaceRoot(t.MountNS)
		t.Cwd = t.Root
		return
	}
	for k := range world.NumNSKinds {
		if ns.Type != k.Bit() {
			continue
		}
		id := world.NamespaceID(ns.ID)
		if k == world.IPCNS && t.NS[k] != id { // what it holds and allows is not known
			w.IPC, w.IPCAt, w.QueuesAt = nil, 0, 0
			for s := range kernel.NumSysctls {
				if _, ok := s.NewIPC(); ok {
					w.Sysctls[s].At = w.Miss("the settings of the IPC namespace that the stream has entered are not known", "")
				}
			}
		}
		if k == world.NetNS && t.NS[k] != id {
			for s := range kernel.NumSysctls {
				if _, ok := s.NewNet(); ok {
					w.Sysctls[s].At = w.Miss("the settings of the network namespace that the stream has entered are not known", "")
				}
			}
		}
		if k != world.PIDNS {
			t.NS[k] = id
		}
		if k == world.PIDNS || k == world.TimeNS {
			t.Children[k] = id
		}
	}
}

// joinProcess enters namespaces of a process.
func (j *Judge) joinProcess(p *world.Process, kinds uint64) {
	if kinds&world.NewUser != 0 {
		j.enterUser(p.Cred.UserNS)
	}
	if kinds&world.NewMount != 0 {
		j.join(world.NSFile{Type: world.NewMount, ID: int(p.MountNS)})
	}
	for k := range world.NumNSKinds {
		if kinds&k.Bit() != 0 {
			j.join(world.NSFile{Type: k.Bit(), ID: int(p.NS[k])})
		}
	}
}

// mapIDs writes an id map, or the permission to call setgroups.
func (j *Judge) mapIDs(f *world.IDFile, text string) {
	ns := &j.w.UserNS[f.NS]
	f.Offset += int64(len(text))
	if f.Kind == world.SetgroupsFile {
		ns.NoSetgroups = text[0] == 'd'
		return
	}
	up := &j.w.UserNS[ns.Parent]
	switch f.Kind {
	case world.UIDMapFile:
		ns.UIDs = vfs.IDMap(text, up.UIDs)
	case world.GIDMapFile:
		ns.GIDs = vfs.IDMap(text, up.GIDs)
	}
}

// openLowest opens a descriptor: with the number that the call is known to have returned, else the lowest one that is free behind
// standard input, output and error.
func (j *Judge) openLowest(f world.FD) {
	t := &j.w.Task
	if f.N < 0 || t.FDByNumber(f.N) != nil {
		for f.N = 3; t.FDByNumber(f.N) != nil; f.N++ {
		}
	}
	t.FDs = append(t.FDs, f)
	t.OpenFDs.V++
}

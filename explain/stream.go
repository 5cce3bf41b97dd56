package explain

import (
	"slices"

	"syscallstory/syscalls"
	"syscallstory/world"
)

// Apply changes the world as the call that was judged last has: a descriptor is opened, a file made, a descriptor closed.
// ret is what the call is known to have returned; -1 where that is not known, then a new descriptor is the lowest free one.
// What a call does that has no route is not known: the descriptors that it may have opened are not either.
func (j *Judge) Apply(call *syscalls.Call, ret int64) {
	t := &j.w.Task
	switch o := j.c.Opened; {
	case call.Name == "close" && len(call.Args) > 0:
		j.close(int(int32(call.Args[0].Val)))
	case o.Path != (world.Path{}):
		if o.Name != "" {
			o.Path.Dentry = j.create(o.Path, o.Name, o.Mode)
		}
		n := int(ret)
		if ret < 0 {
			for n = 0; t.FDByNumber(n) != nil; n++ {
			}
		}
		j.close(n)
		t.FDs = append(t.FDs, world.FD{N: n, Path: o.Path, At: j.w.Text("the stream's " + call.Name)})
		t.OpenFDs.V++
	case opens(call.Name):
		t.FDsAt = j.w.Miss("which descriptors "+call.Name+" has opened is not known", "strace -y, which prints the paths of descriptors")
	}
}

func (j *Judge) close(n int) {
	t := &j.w.Task
	before := len(t.FDs)
	t.FDs = slices.DeleteFunc(slices.Clone(t.FDs), func(f world.FD) bool { return f.N == n })
	t.OpenFDs.V -= before - len(t.FDs)
}

// create adds a new file as open makes it, with the mode less the umask.
func (j *Judge) create(dir world.Path, name string, mode uint16) world.DentryID {
	t := &j.w.Task
	d := j.w.FS.I(dir.Dentry)
	ino := world.Inode{Mode: world.TypeReg | mode&^t.Umask.V, UID: t.Cred.FSUID, GID: t.Cred.FSGID, Known: world.KnownAll, Nlink: 1, At: j.w.Text("the stream has made it")}
	if !t.Umask.Known() {
		ino.Known &^= world.KnownPerm
	}
	if !t.Cred.UIDAt.Known() || !t.Cred.GIDAt.Known() || d.Known&world.KnownPerm == 0 {
		ino.Known &^= world.KnownOwner
	}
	if d.Mode&0o2000 != 0 {
		ino.GID = d.GID
	}
	if d.Layer != 0 {
		ino.Layer = 1
	}
	return j.w.FS.Add(dir.Dentry, name, ino)
}

// opens reports whether a call may open descriptors.
func opens(name string) bool {
	return slices.Contains([]string{"socket", "socketpair", "accept", "accept4", "pipe", "pipe2", "dup", "dup2", "dup3", "fcntl", "eventfd", "eventfd2", "epoll_create", "epoll_create1", "memfd_create",
		"signalfd", "signalfd4", "timerfd_create", "inotify_init", "inotify_init1", "fanotify_init", "perf_event_open", "bpf", "userfaultfd", "pidfd_open", "pidfd_getfd", "open_tree", "fsopen", "fsmount", "fspick", "open_by_handle_at", "io_uring_setup", "recvmsg"}, name)
}

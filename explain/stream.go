package explain

import (
	"slices"
	"strings"

	"syscallstory/check"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// Apply changes the world as the call that was judged last has: a descriptor is opened, a file made, a descriptor closed.
// ret is what the call is known to have returned; -1 where that is not known, then a new descriptor is the lowest free one.
// What a call does that has no route is not known: the descriptors that it may have opened are not either.
func (j *Judge) Apply(call *syscalls.Call, ret int64) {
	t := &j.w.Task
	fs := j.w.FS
	if d := j.c.Removed; d != (world.Path{}) {
		dir, name := fs.D(d.Dentry).Parent, fs.D(d.Dentry).Name
		if o := j.c.Opened; o.Name != "" { // renamed
			fs.Remove(o.Path.Dentry, o.Name)
			fs.Move(d.Dentry, o.Path.Dentry, o.Name)
		}
		fs.Remove(dir, name)
		return
	}
	switch ch := j.c.Changed; {
	case ch.Cwd:
		t.Cwd = ch.Path
		return
	case ch.Root:
		t.Root = ch.Path
		return
	case ch.Path != (world.Path{}):
		j.attributes(ch)
		return
	}
	switch o := j.c.Opened; {
	case call.Name == "close" && len(call.Args) > 0:
		j.close(int(int32(call.Args[0].Val)))
	case o.Name != "" && !makesDescriptor(call.Name):
		j.create(o.Path, o.Name, o.Mode, call)
	case o.Path != (world.Path{}):
		if o.Name != "" {
			o.Path.Dentry = j.create(o.Path, o.Name, o.Mode, call)
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

// makesDescriptor reports whether a call that makes a name opens it too.
func makesDescriptor(name string) bool { return strings.HasPrefix(name, "open") || name == "creat" }

// attributes changes mode and owner, in the overlay's layer too.
func (j *Judge) attributes(ch check.Changed) {
	ino := j.w.FS.I(ch.Path.Dentry)
	at := j.w.Text("the stream has changed it")
	set := func(i *world.Inode) {
		if ch.SetMode {
			i.Mode = i.Mode&world.TypeMask | ch.Mode
			i.Known |= world.KnownPerm
		}
		if ch.SetUID {
			i.UID = ch.UID
		}
		if ch.SetGID {
			i.GID = ch.GID
		}
		if (ch.SetUID || ch.SetGID) && !i.Is(world.TypeDir) {
			i.Mode &^= 0o4000
			if i.Mode&0o2010 == 0o2010 {
				i.Mode &^= 0o2000
			}
		}
		i.At = at
	}
	set(ino)
	if ino.Layer != 0 { // it was copied up
		ino.Layer, ino.Layers = 1, nil
	}
}

// create adds a new file as the call makes it, with the mode less the umask; a link is the same file once more.
func (j *Judge) create(dir world.Path, name string, mode uint16, call *syscalls.Call) world.DentryID {
	t := &j.w.Task
	d := j.w.FS.I(dir.Dentry)
	if mode&world.TypeMask == 0 {
		mode |= world.TypeReg
	}
	if strings.HasPrefix(call.Name, "link") {
		old := 0
		if call.Name == "linkat" {
			old = 1
		}
		if at, _, st := j.w.Resolve(t.Root, t.Cwd, call.Args[old].Str); st == world.Present {
			return j.w.FS.Link(dir.Dentry, name, j.w.FS.D(at.Dentry).Inode)
		}
	}
	ino := world.Inode{Mode: mode &^ t.Umask.V, UID: t.Cred.FSUID, GID: t.Cred.FSGID, Known: world.KnownAll, Nlink: 1, At: j.w.Text("the stream has made it")}
	if !t.Umask.Known() {
		ino.Known &^= world.KnownPerm
	}
	if !t.Cred.UIDAt.Known() || !t.Cred.GIDAt.Known() || d.Known&world.KnownPerm == 0 {
		ino.Known &^= world.KnownOwner
	}
	if d.Mode&0o2000 != 0 {
		ino.GID = d.GID
		if ino.Is(world.TypeDir) {
			ino.Mode |= 0o2000
		}
	}
	switch {
	case ino.Is(world.TypeDir):
		ino.Whole, ino.Nlink = true, 2
	case ino.Is(world.TypeLink):
		ino.Link, ino.Mode = call.Args[0].Str, world.TypeLink|0o777
	case ino.Is(world.TypeChar) || ino.Is(world.TypeBlk):
		dev := call.Args[len(call.Args)-1].Val
		ino.Major, ino.Minor = uint32(dev>>8&0xfff), uint32(dev&0xff|dev>>12&^0xff)
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

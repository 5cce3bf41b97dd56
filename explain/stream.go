package explain

import (
	"slices"
	"strings"

	"syscallstory/check"
	"syscallstory/overlay"
	"syscallstory/syscalls"
	"syscallstory/vfs"
	"syscallstory/world"
)

// Apply changes the world as the call that was judged last has: a descriptor is opened, a file made, a descriptor closed.
// ret is what the call is known to have returned; -1 where that is not known, then a new descriptor is the lowest free one.
// What a call does that has no route is not known: the descriptors that it may have opened are not either.
func (j *Judge) Apply(call *syscalls.Call, ret int64) {
	t := &j.w.Task
	for _, p := range j.c.Copied {
		j.copyUp(p.Dentry)
	}
	if d := j.c.Removed; d.Path != (world.Path{}) {
		j.remove(d)
		return
	}
	switch ch := j.c.Changed; {
	case ch.Cwd:
		t.Cwd = ch.Path
	case ch.Root:
		t.Root = ch.Path
	case ch.Path != (world.Path{}):
		j.attributes(ch)
	}
	switch o := j.c.Opened; {
	case call.Name == "close" && len(call.Args) > 0:
		j.close(int(int32(call.Args[0].Val)))
	case o.Name != "" && !makesDescriptor(call.Name):
		j.create(o, call)
	case o.Path != (world.Path{}):
		if o.Name != "" {
			o.Path.Dentry = j.create(o, call)
		}
		n := int(ret)
		if ret < 0 {
			for n = 0; t.FDByNumber(n) != nil; n++ {
			}
		}
		j.close(n)
		t.FDs = append(t.FDs, world.FD{N: n, Path: o.Path, Flags: o.Flags, At: j.w.Text("the stream's " + call.Name)})
		t.OpenFDs.V++
	case opens(call.Name):
		t.FDsAt = j.w.Miss("which descriptors "+call.Name+" has opened is not known", "strace -y, which prints the paths of descriptors")
	}
}

// remove takes a name away, or moves it to where Opened stands.
func (j *Judge) remove(r check.Removed) {
	fs := j.w.FS
	d := r.Path.Dentry
	dir, name := fs.D(d).Parent, fs.D(d).Name
	o := j.c.Opened
	if o.Name == "" {
		if ino := fs.I(d); ino.Is(world.TypeDir) {
			ino.Attr |= world.AttrRemoved
		}
		fs.Remove(dir, name)
		return
	}
	fs.Remove(dir, name)
	fs.Move(d, o.Path.Dentry, o.Name)
	if r.Exchange != 0 {
		fs.Move(r.Exchange, dir, name)
	}
	if r.Whiteout {
		uid, gid, mode, sure := vfs.NewOwner(&j.c, world.Path{Mount: r.Path.Mount, Dentry: dir}, world.TypeChar)
		fs.Add(dir, name, j.inode(uid, gid, mode, sure))
	}
}

// inode is a new file.
func (j *Judge) inode(uid world.KUID, gid world.KGID, mode uint16, sure bool) world.Inode {
	ino := world.Inode{Mode: mode, UID: uid, GID: gid, Known: world.KnownAll, Nlink: 1, At: j.w.Text("the stream has made it")}
	if !sure {
		ino.Known &^= world.KnownOwner | world.KnownPerm
	}
	return ino
}

// copyUp puts a copy into the overlay's upper layer (ovl_copy_up_one).
func (j *Judge) copyUp(d world.DentryID) {
	fs := j.w.FS
	dentry, now := *fs.D(d), *fs.I(d)
	if now.Layer == overlay.Upper {
		return
	}
	up := fs.SB(now.SB).Overlay.Upper
	if dentry.Parent != d {
		up = 0
		if l := fs.I(dentry.Parent).Layers; len(l) > 0 {
			up = l[0]
		}
	}
	real := now
	real.Layer, real.Layers, real.Redirected, real.Whole = 0, nil, 0, now.Is(world.TypeDir)
	if now.Layer = overlay.Upper; up != 0 {
		real.SB = fs.I(up).SB
		copied := fs.Add(up, dentry.Name, real)
		if now.Is(world.TypeDir) {
			now.Layers = append([]world.DentryID{copied}, now.Layers...)
		} else {
			now.Layers = []world.DentryID{copied}
		}
	}
	*fs.I(d) = now
}

func (j *Judge) close(n int) {
	t := &j.w.Task
	before := len(t.FDs)
	t.FDs = slices.DeleteFunc(slices.Clone(t.FDs), func(f world.FD) bool { return f.N == n })
	t.OpenFDs.V -= before - len(t.FDs)
}

// makesDescriptor reports whether a call that makes a name opens it too.
func makesDescriptor(name string) bool { return strings.HasPrefix(name, "open") || name == "creat" }

// attributes changes mode, owner and size, in the overlay's layer too.
func (j *Judge) attributes(ch check.Changed) {
	fs := j.w.FS
	at := j.w.Text("the stream has changed it")
	set := func(d world.DentryID) {
		i := fs.I(d)
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
		if ch.SetSize {
			i.Size, i.Known = ch.Size, i.Known|world.KnownSize
		}
		if ch.Unsure && (ch.SetUID || ch.SetGID) {
			i.Known &^= world.KnownOwner | world.KnownPerm
		} else if ch.SetUID && ch.SetGID {
			i.Known |= world.KnownOwner
		}
		if ch.Unsure {
			i.Known &^= world.KnownPerm
		}
		i.At = at
	}
	set(ch.Path.Dentry)
	if ino := fs.I(ch.Path.Dentry); ino.Layer == overlay.Upper && len(ino.Layers) > 0 {
		set(ino.Layers[0])
	}
}

// create adds a new file as the call makes it, with the mode less the umask; a link is the same file once more.
func (j *Judge) create(o check.Opened, call *syscalls.Call) world.DentryID {
	fs, t := j.w.FS, &j.w.Task
	if o.Link != 0 {
		return fs.Link(o.Path.Dentry, o.Name, fs.D(o.Link).Inode)
	}
	if o.Mode&world.TypeMask == 0 {
		o.Mode |= world.TypeReg
	}
	if o.Mode&world.TypeMask != world.TypeLink {
		o.Mode &^= t.Umask.V
	}
	uid, gid, mode, sure := vfs.NewOwner(&j.c, o.Path, o.Mode)
	ino := j.inode(uid, gid, mode, sure)
	if !t.Umask.Known() {
		ino.Known &^= world.KnownPerm
	}
	switch {
	case ino.Is(world.TypeDir):
		ino.Whole, ino.Nlink = true, 2
	case ino.Is(world.TypeLink):
		ino.Link = call.Args[0].Str
	case ino.Is(world.TypeChar) || ino.Is(world.TypeBlk):
		dev := call.Args[len(call.Args)-1].Val
		ino.Major, ino.Minor = uint32(dev>>8&0xfff), uint32(dev&0xff|dev>>12&^0xff)
	}
	if dir := fs.I(o.Path.Dentry); dir.Layer == overlay.Upper {
		ino.Layer = overlay.Upper
		if len(dir.Layers) > 0 {
			up := dir.Layers[0]
			real := ino
			real.Layer, real.SB = 0, fs.I(up).SB
			ino.Layers = []world.DentryID{fs.Add(up, o.Name, real)}
		}
	}
	return fs.Add(o.Path.Dentry, o.Name, ino)
}

// opens reports whether a call may open descriptors.
func opens(name string) bool {
	return slices.Contains([]string{"socket", "socketpair", "accept", "accept4", "pipe", "pipe2", "dup", "dup2", "dup3", "fcntl", "eventfd", "eventfd2", "epoll_create", "epoll_create1", "memfd_create",
		"signalfd", "signalfd4", "timerfd_create", "inotify_init", "inotify_init1", "fanotify_init", "perf_event_open", "bpf", "userfaultfd", "pidfd_open", "pidfd_getfd", "open_tree", "fsopen", "fsmount", "fspick", "open_by_handle_at", "io_uring_setup", "recvmsg"}, name)
}

package explain

import (
	"slices"
	"strings"

	"syscallstory/check"
	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
	"syscallstory/world"
)

// Apply changes the world as the call that was judged last has: a descriptor is opened, a file made, a descriptor closed.
// ret is what the call is known to have returned; -1 where that is not known, then a new descriptor is the lowest free one.
// What a call does that has no route is not known: the descriptors that it may have opened are not either.
func (j *Judge) Apply(call *syscalls.Call, ret int64) {
	const setFD, setFL = 2, 4 // F_SETFD, F_SETFL
	t := &j.w.Task
	if j.move(j.c.Moved, ret) || j.mounts(call, ret) {
		return
	}
	j.become(call)
	j.unroom()
	j.ipc(call, ret)
	for _, cp := range j.c.Copied {
		overlay.Copied(j.w.FS, cp)
	}
	if m := j.c.Messages; m.Queue != nil {
		vfs.Queued(m)
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
	case call.Name == "mmap" && call.Args[3].Val&vfs.MapAnonymous == 0:
		if f := t.FDByNumber(int(int32(call.Args[4].Val))); f != nil {
			f.Mapped = world.Given(true, j.w.Text("the stream's mmap"))
		}
	case call.Name == "munmap" || call.Name == "mremap":
		j.unmap()
	case call.Name == "close_range" && call.Args[2].Val&4 == 0: // CLOSE_RANGE_CLOEXEC closes them later
		j.closeRange(uint32(call.Args[0].Val), uint32(call.Args[1].Val))
	case call.Name == "fcntl" && call.Args[1].Val == setFL:
		if f := t.FDByNumber(int(int32(call.Args[0].Val))); f != nil {
			const settable = vfs.OAppend | 0o4000 | 0o40000 | 0o1000000 // SETFL_MASK: O_NONBLOCK, O_DIRECT, O_NOATIME
			f.Flags = f.Flags&^settable | call.Args[2].Val&settable
		}
	case call.Name == "fcntl" && call.Args[1].Val == setFD:
		if f := t.FDByNumber(int(int32(call.Args[0].Val))); f != nil {
			f.Flags &^= vfs.OCloexec
			if call.Args[2].Val&1 != 0 {
				f.Flags |= vfs.OCloexec
			}
		}
	case o.Name != "" && !makesDescriptor(call.Name):
		j.create(o, call)
	case o.Path != (world.Path{}):
		if o.Name != "" {
			o.Path.Dentry = j.create(o, call)
		}
		n := int(ret)
		if strings.HasPrefix(call.Name, "dup") && len(call.Args) > 1 {
			n = int(int32(call.Args[1].Val))
		} else if ret < 0 {
			for n = 0; t.FDByNumber(n) != nil; n++ {
			}
		}
		j.close(n)
		fd := world.FD{N: n, Path: o.Path, Flags: o.Flags, At: j.w.Text("the stream's " + call.Name)}
		if label, at := t.LabelOf("selinux"); at.Known() {
			fd.Opener, fd.Labeled = world.Given(label, at), j.w.FS.I(o.Path.Dentry).Context
		}
		if fd.Map = j.idFile(o.Path); fd.Map != nil {
			fd.Kind = world.FDIDMap
		} else if ns, ok := j.w.NSFileAt(o.Path.Dentry); ok {
			fd.Kind, fd.NS = world.FDNamespace, ns
		}
		t.FDs = append(t.FDs, fd)
		t.OpenFDs.V++
	case opens(call):
		if j.descriptors(call, ret) {
			return
		}
		t.FDsAt = j.w.Miss("which descriptors "+call.Name+" has opened is not known", "strace -y, which prints the paths of descriptors")
	}
}

// Copied lists what overlays have copied up in the call that was judged last, a directory before what it holds.
func (j *Judge) Copied() []check.Copied { return j.c.Copied }

// ApplyRefused changes the world as the call that was refused last has: overlayfs may have copied files up before it came to
// what refuses, a file was made that could not be opened then, and MNT_EXPIRE has marked the mount.
func (j *Judge) ApplyRefused() {
	if s, refused := j.c.Decided(); refused && s.Code == story.MountExpiry && j.c.Mounting.Op == check.MountExpire {
		vfs.ApplyMounts(&j.c, "", j.w.Text("the stream's umount2"))
	} else if refused && s.Code == story.OverlayRoom {
		overlay.Spilt(j.w.FS, world.PathOf(s.Obj))
	}
	if m := j.c.Moved; m.Change != nil && m.Tried {
		m.Change.Tried = true
	}
	j.unroom()
	for _, cp := range j.c.Copied {
		overlay.Copied(j.w.FS, cp)
	}
	if o := j.c.Opened; o.Stays {
		j.create(o, nil)
	}
	if c := j.c.Carried; c.Path != (world.Path{}) {
		overlay.Carry(j.w.FS, c.Path.Dentry, c.To.Dentry)
	}
}

// unroom forgets what statfs has said: calls may have written and removed files.
func (j *Judge) unroom() {
	for i := range j.w.FS.NumSB() {
		j.w.FS.SB(world.SBID(i)).Room = nil
	}
}

// mounts changes the mounts, and reports whether that is all that the call has done.
func (j *Judge) mounts(call *syscalls.Call, ret int64) bool {
	if j.c.Mounting.Op == check.MountNothing {
		return false
	}
	data := ""
	if call.Name == "mount" && len(call.Args) > 4 {
		data = call.Args[4].Str
	}
	fd := vfs.ApplyMounts(&j.c, data, j.w.Text("the stream's "+call.Name))
	for i := len(j.c.Ops); i < j.w.FS.NumSB(); i++ {
		j.c.Ops = append(j.c.Ops, vfs.OpsFor(j.w.FS.SB(world.SBID(i))))
	}
	if fd != nil {
		t := &j.w.Task
		if fd.N = int(ret); ret < 0 {
			for fd.N = 0; t.FDByNumber(fd.N) != nil; fd.N++ {
			}
		}
		j.close(fd.N)
		t.FDs = append(t.FDs, *fd)
		t.OpenFDs.V++
	}
	return true
}

// remove takes a name away, or moves it to where Opened stands.
func (j *Judge) remove(r check.Removed) {
	fs := j.w.FS
	d := r.Path.Dentry
	dir, name := fs.D(d).Parent, fs.D(d).Name
	o := j.c.Opened
	if o.Name == "" {
		if merges(fs, dir) {
			overlay.Removed(fs, d, r.Unseen)
		}
		if ino := fs.I(d); ino.Is(world.TypeDir) {
			ino.Attr |= world.AttrRemoved
		}
		fs.Remove(dir, name)
		vfs.RemovedMountPoint(&j.c, d, j.w.Text("the stream has removed its mount point"))
		return
	}
	if merges(fs, dir) {
		overlay.Moved(fs, r, o.Path.Dentry, o.Name)
	}
	fs.Remove(dir, name)
	if over := fs.Known(o.Path.Dentry, o.Name); over != 0 && over != r.Exchange && fs.I(over).Is(world.TypeDir) {
		fs.I(over).Attr |= world.AttrRemoved
	}
	fs.Move(d, o.Path.Dentry, o.Name)
	if r.Exchange != 0 {
		fs.Move(r.Exchange, dir, name)
	}
	if r.Whiteout {
		uid, gid, mode, sure := vfs.NewOwner(&j.c, world.Path{Mount: r.Path.Mount, Dentry: dir}, world.TypeChar)
		fs.Add(dir, name, j.inode(uid, gid, mode, sure))
	}
}

// merges reports whether a directory is an overlay's.
func merges(fs *world.FS, dir world.DentryID) bool { return fs.SBOf(dir).Overlay != nil }

// inode is a new file.
func (j *Judge) inode(uid world.KUID, gid world.KGID, mode uint16, sure bool) world.Inode {
	ino := world.Inode{Mode: mode, UID: uid, GID: gid, Known: world.KnownAll, Nlink: 1, At: j.w.Text("the stream has made it")}
	if !sure {
		ino.Known &^= world.KnownOwner | world.KnownPerm
	}
	return ino
}

func (j *Judge) close(n int) {
	t := &j.w.Task
	if f := t.FDByNumber(n); f != nil && f.Tree != 0 {
		vfs.CloseTree(&j.c, f, j.w.Text("the stream's close"))
	}
	if f := t.FDByNumber(n); f != nil && f.Mapped.At != 0 {
		kept := *f
		if kept.Mapped.At&story.Missing != 0 {
			kept.FlagsAt = kept.Mapped.At
		}
		t.Mapped = append(slices.Clone(t.Mapped), kept)
	}
	before := len(t.FDs)
	t.FDs = slices.DeleteFunc(slices.Clone(t.FDs), func(f world.FD) bool { return f.N == n })
	t.OpenFDs.V -= before - len(t.FDs)
}

// unmap takes a mapping away. Of which file is not followed: any of them may be mapped still.
func (j *Judge) unmap() {
	t, miss := &j.w.Task, story.Origin(0)
	t.FDs, t.Mapped = slices.Clone(t.FDs), slices.Clone(t.Mapped)
	for _, open := range [...][]world.FD{t.FDs, t.Mapped} {
		for i := range open {
			f := &open[i]
			if f.Mapped.At == 0 || f.Mapped.At&story.Missing != 0 {
				continue
			}
			if miss == 0 {
				miss = j.w.Miss("whether the file is mapped into memory still is not known", "")
			}
			f.Mapped.At = miss
		}
	}
	for i := range t.Mapped {
		t.Mapped[i].FlagsAt = t.Mapped[i].Mapped.At
	}
}

// closeRange closes the descriptors that are known; what others there were is not open any more either.
func (j *Judge) closeRange(first, last uint32) {
	for _, f := range slices.Clone(j.w.Task.FDs) {
		if n := uint32(f.N); n >= first && n <= last {
			j.close(f.N)
		}
	}
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
		if ch.Grows {
			i.Known &^= world.KnownSize
		}
		if ch.SetAttr {
			i.Attr = i.Attr&^(world.AttrImmutable|world.AttrAppend) | ch.Attr
		}
		if j.c.NewLabel != "" && ch.XattrSet && ch.Xattr == world.XattrSELinux {
			i.Context, i.Known = j.c.NewLabel, i.Known|world.KnownContext
		}
		if ch.Xattr != "" {
			xattr(i, &ch)
		}
		if ch.SetSize {
			i.Size, i.Known = ch.Size, i.Known|world.KnownSize
			i.Program = nil
		}
		if ch.SetUID || ch.SetGID || ch.SetSize { // ATTR_KILL_PRIV, for everybody
			i.Caps, i.Known = nil, i.Known|world.KnownCaps
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

// xattr sets or removes an attribute. What an ACL holds is read from its value.
func xattr(i *world.Inode, ch *check.Changed) {
	switch ch.Xattr {
	case world.XattrAccess, world.XattrDefault:
		known := world.KnownACL
		list := &i.ACL
		if ch.Xattr == world.XattrDefault {
			known, list = world.KnownDefault, &i.DefaultACL
		}
		*list = nil
		if ch.Unsure {
			i.Known &^= known
			return
		}
		a := world.ACLXattr(ch.XattrValue)
		n, _ := a.Len()
		for k := 0; ch.XattrSet && k < n; k++ {
			e, _ := a.Entry(k)
			*list = append(*list, e)
		}
		if ch.Xattr == world.XattrAccess && len(*list) == 3 {
			*list = nil // nothing beyond the mode bits
		}
		return
	}
	i.Xattrs = slices.DeleteFunc(slices.Clone(i.Xattrs), func(x world.Xattr) bool { return x.Name == ch.Xattr })
	if ch.XattrSet {
		x := world.Xattr{Name: ch.Xattr, Size: ch.XattrSize}
		if ch.Xattr == world.XattrCaps {
			x.Value = ch.XattrValue
		}
		i.Xattrs = append(i.Xattrs, x)
	}
}

// create adds a new file as the call makes it, with the mode less the umask; a link is the same file once more.
func (j *Judge) create(o check.Opened, call *syscalls.Call) world.DentryID {
	fs, t := j.w.FS, &j.w.Task
	if o.Link != 0 {
		if merges(fs, o.Path.Dentry) {
			return overlay.Linked(fs, o.Link, o.Path.Dentry, o.Name)
		}
		return fs.Link(o.Path.Dentry, o.Name, fs.D(o.Link).Inode)
	}
	if o.Mode&world.TypeMask == 0 {
		o.Mode |= world.TypeReg
	}
	dir, link := fs.I(o.Path.Dentry), o.Mode&world.TypeMask == world.TypeLink
	byACL := len(dir.DefaultACL) > 0 && !link
	if !link && !byACL {
		o.Mode &^= t.Umask.V
	}
	uid, gid, mode, sure := vfs.NewOwner(&j.c, o.Path, o.Mode)
	ino := j.inode(uid, gid, mode, sure && !o.Vague)
	if j.c.NewLabel != "" {
		ino.Context, ino.Known = j.c.NewLabel, ino.Known|world.KnownContext
	}
	switch {
	case byACL:
		inherit(fs.I(o.Path.Dentry), &ino)
	case !link && dir.Known&world.KnownDefault == 0:
		ino.Known &^= world.KnownPerm | world.KnownACL | world.KnownDefault
	case !t.Umask.Known():
		ino.Known &^= world.KnownPerm
	}
	switch {
	case ino.Is(world.TypeDir):
		ino.Whole, ino.Nlink = true, 2
	case ino.Is(world.TypeLink):
		ino.Link = call.Args[0].Str
		ino.Size = int64(len(ino.Link))
	case ino.Is(world.TypeChar) || ino.Is(world.TypeBlk):
		dev := call.Args[len(call.Args)-1].Val
		ino.Major, ino.Minor = uint32(dev>>8&0xfff), uint32(dev&0xff|dev>>12&^0xff)
	}
	if merges(fs, o.Path.Dentry) {
		ino = overlay.Created(fs, o.Path.Dentry, o.Name, ino)
	}
	return fs.Add(o.Path.Dentry, o.Name, ino)
}

// opens reports whether a call may open descriptors.
func opens(call *syscalls.Call) bool {
	const dupFD, dupFDCloexec = 0, 1030
	if call.Name == "fcntl" && len(call.Args) > 1 {
		return call.Args[1].Val == dupFD || call.Args[1].Val == dupFDCloexec
	}
	return slices.Contains([]string{"socket", "socketpair", "accept", "accept4", "pipe", "pipe2", "dup", "dup2", "dup3", "eventfd", "eventfd2", "epoll_create", "epoll_create1", "memfd_create",
		"signalfd", "signalfd4", "timerfd_create", "inotify_init", "inotify_init1", "fanotify_init", "perf_event_open", "bpf", "userfaultfd", "pidfd_open", "pidfd_getfd", "open_tree", "fsopen", "fsmount", "fspick", "open_by_handle_at", "io_uring_setup", "recvmsg", "recvmmsg", "mq_open"}, call.Name)
}

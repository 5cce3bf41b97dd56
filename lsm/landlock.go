package lsm

import (
	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/world"
)

// Rights of Landlock over files (include/uapi/linux/landlock.h).
const (
	FSExecute uint64 = 1 << iota
	FSWriteFile
	FSReadFile
	FSReadDir
	FSRemoveDir
	FSRemoveFile
	FSMakeChar
	FSMakeDir
	FSMakeReg
	FSMakeSock
	FSMakeFIFO
	FSMakeBlock
	FSMakeSym
	FSRefer    // since ABI 2, Linux 5.19
	FSTruncate // since ABI 3, Linux 6.2
	FSIoctlDev // since ABI 5, Linux 6.10

	fsFile = FSExecute | FSWriteFile | FSReadFile | FSTruncate | FSIoctlDev
)

var fsRights = [...]string{"execute", "write_file", "read_file", "read_dir", "remove_dir", "remove_file", "make_char", "make_dir", "make_reg", "make_sock", "make_fifo", "make_block",
	"make_sym", "refer", "truncate", "ioctl_dev"}

// Rights over TCP ports, since ABI 4, Linux 6.7.
const (
	NetBindTCP uint64 = 1 << iota
	NetConnectTCP
)

// Scopes, since ABI 6, Linux 6.12.
const (
	ScopeAbstract uint64 = 1 << iota
	ScopeSignal
)

// rightNames lists rights as landlock(7) writes them, without their prefix.
func rightNames(v uint64) string {
	s := ""
	for i, n := range fsRights {
		if v>>i&1 != 0 {
			if s != "" {
				s += ", "
			}
			s += n
		}
	}
	return s
}

// makeRight is get_mode_access: what it takes to make a file of a type. Some releases take whiteouts for regular files.
func makeRight(typ uint16, whiteout, regular bool) uint64 {
	if whiteout && regular {
		return FSMakeReg
	}
	switch typ {
	case world.TypeLink:
		return FSMakeSym
	case world.TypeDir:
		return FSMakeDir
	case world.TypeChar:
		return FSMakeChar
	case world.TypeBlk:
		return FSMakeBlock
	case world.TypeFIFO:
		return FSMakeFIFO
	case world.TypeSock:
		return FSMakeSock
	}
	return FSMakeReg
}

// denied is what each layer still refuses.
type denied [world.MaxLandlockLayers]uint64

// any joins what the layers refuse.
func (d *denied) any() (all uint64) {
	for _, v := range d {
		all |= v
	}
	return all
}

// handled is what a layer refuses by itself. Reparenting is refused by each, whether the ruleset names it or not
// (_LANDLOCK_ACCESS_FS_INITIALLY_DENIED).
func handled(l *world.LandlockLayer) uint64 { return l.FS | FSRefer }

// restrictsFiles reports whether one of the layers handles files (landlock_get_applicable_subject).
func restrictsFiles(w *world.World) bool {
	for i := range w.Task.Landlock {
		if w.Task.Landlock[i].FS != 0 {
			return true
		}
	}
	return false
}

// ask begins with what the layers handle of the rights that are asked for (landlock_init_layer_masks).
func (d *denied) ask(w *world.World, want uint64) {
	for i := range w.Task.Landlock {
		d[i] = want & handled(&w.Task.Landlock[i])
	}
}

// grant takes away what the rules of one place grant (landlock_unmask_layers).
func (d *denied) grant(w *world.World, n world.InodeID) {
	for i := range w.Task.Landlock {
		if d[i] == 0 {
			continue
		}
		for _, r := range w.Task.Landlock[i].Rules {
			if r.Inode == n && n != 0 {
				d[i] &^= r.Access
			}
		}
	}
}

// climb is the walk of is_access_to_paths_allowed, from a place to the root of the mount namespace. Places that a mount hides are
// passed over.
func (d *denied) climb(w *world.World, p world.Path) {
	fs := w.FS
	for {
		d.grant(w, fs.D(p.Dentry).Inode)
		for p.Dentry == w.Mounts[p.Mount].Root {
			m := &w.Mounts[p.Mount]
			if m.Parent == p.Mount || p.Mount == 0 {
				return
			}
			p = world.Path{Mount: m.Parent, Dentry: m.At}
		}
		up := fs.D(p.Dentry).Parent
		if up == p.Dentry {
			return
		}
		p.Dentry = up
	}
}

// refer is current_check_refer_path: EACCES where a right to make or remove is missing, EXDEV where only reparenting is
// refused or would give more rights than before.
func refer(w *world.World, r check.Renaming, removable, regular bool) (errno story.Errno, missing uint64) {
	from := w.FS.I(r.From.Dentry)
	make := func(i *world.Inode) uint64 {
		return makeRight(i.Type(), i.Is(world.TypeChar) && i.Major|i.Minor == 0, regular)
	}
	want1, want2 := uint64(0), make(from)
	there := r.To.Dentry != 0
	if r.Exchange && there {
		want1 = make(w.FS.I(r.To.Dentry))
	}
	if removable {
		want1 |= removeRight(from)
		if there {
			want2 |= removeRight(w.FS.I(r.To.Dentry))
		}
	}
	if r.FromDir.Dentry == r.ToDir.Dentry {
		var d denied
		d.ask(w, want1|want2)
		d.climb(w, r.ToDir)
		if m := d.any(); m != 0 {
			return story.EACCES, m
		}
		return 0, 0
	}
	var src, dst, child, childTo denied
	src.ask(w, ^uint64(0))
	dst.ask(w, ^uint64(0))
	src.climb(w, r.FromDir)
	dst.climb(w, r.ToDir)
	child = src
	child.grant(w, w.FS.D(r.From.Dentry).Inode)
	childTo = dst
	if r.Exchange && there {
		childTo.grant(w, w.FS.D(r.To.Dentry).Inode)
	}
	missing = src.any()&want1 | dst.any()&want2
	if missing &^= FSRefer; missing != 0 {
		return story.EACCES, missing
	}
	more := gains(w, &child, &dst, from) || r.Exchange && there && gains(w, &childTo, &src, w.FS.I(r.To.Dentry))
	if (src.any()|dst.any())&FSRefer != 0 || more {
		return story.EXDEV, FSRefer
	}
	return 0, 0
}

// removeRight is maybe_remove.
func removeRight(ino *world.Inode) uint64 {
	if ino.Is(world.TypeDir) {
		return FSRemoveDir
	}
	return FSRemoveFile
}

// gains is the opposite of no_more_access: whether something that is refused where the file is would be allowed where it goes.
func gains(w *world.World, from, to *denied, ino *world.Inode) bool {
	mask := ^uint64(0)
	if !ino.Is(world.TypeDir) {
		mask = fsFile
	}
	for i := range w.Task.Landlock {
		if from[i]&^to[i]&mask&w.Task.Landlock[i].FS != 0 {
			return true
		}
	}
	return false
}

// port is check_access_path's counterpart for ports: each layer that handles the right needs a rule for the port.
func portAllowed(w *world.World, port uint16, right uint64) bool {
	for i := range w.Task.Landlock {
		l := &w.Task.Landlock[i]
		if l.Net&right == 0 {
			continue
		}
		ok := false
		for _, r := range l.Rules {
			ok = ok || r.Inode == 0 && r.Port == port && r.Access&right != 0
		}
		if !ok {
			return false
		}
	}
	return true
}

// scoped reports whether one of the layers closes a scope.
func scoped(w *world.World, scope uint64) bool {
	for i := range w.Task.Landlock {
		if w.Task.Landlock[i].Scoped&scope != 0 {
			return true
		}
	}
	return false
}

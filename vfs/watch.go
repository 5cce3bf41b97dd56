package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Watching files and opening them by handle: fs/notify, fs/fhandle.c.

// inotify's flags.
const (
	inAll        = 0xfff
	inOnlyDir    = 1 << 24
	inDontFollow = 1 << 25
	inMaskCreate = 1 << 28
	inMaskAdd    = 1 << 29
	inKnown      = inAll | 0x2000 | 0x4000 | 0x8000 | inOnlyDir | inDontFollow | 1<<26 | inMaskCreate | inMaskAdd | 1<<30 | 1<<31
)

// InotifyInit is do_inotify_init.
func InotifyInit(c *check.Check, flags uint64) story.Errno {
	if flags&^uint64(OCloexec|ONonblock) != 0 {
		return Invalid(c, story.EINVAL, "inotify_init1 knows IN_CLOEXEC and IN_NONBLOCK")
	}
	return freeDescriptor(c)
}

// InotifyAddWatch is SYSCALL_DEFINE3(inotify_add_watch): a watch needs read permission on the object.
func InotifyAddWatch(c *check.Check, fd int, t Target, mask uint64) story.Errno {
	if mask&^uint64(inKnown) != 0 || mask&inKnown == 0 {
		return Invalid(c, story.EINVAL, "inotify has no such events")
	}
	f, err := file(c, fd, story.OpRead)
	if err != 0 {
		return err
	}
	if mask&inMaskAdd != 0 && mask&inMaskCreate != 0 {
		return Invalid(c, story.EINVAL, "IN_MASK_ADD and IN_MASK_CREATE exclude each other")
	}
	if f != nil {
		a := kernel.Yes
		if f.Path == (world.Path{}) { // no file has this descriptor
			a = kernel.NotKnown
		}
		if err := lacks(c, f, "inotify", story.EINVAL, a); err != 0 {
			return err
		}
	}
	return watched(c, t, mask&inOnlyDir != 0, mask&inDontFollow != 0, watching(mask))
}

// watching sorts events as security modules do: those of reading, and those that wait for an answer.
func watching(events uint64) (w check.Watching) {
	const access, closeNoWrite, openPerm, accessPerm, openExecPerm = 1, 0x10, 0x10000, 0x20000, 0x40000
	if events&(access|closeNoWrite|accessPerm) != 0 {
		w |= check.WatchReads
	}
	if events&(openPerm|accessPerm|openExecPerm) != 0 {
		w |= check.WatchPermission
	}
	return w
}

// watched is inotify_find_inode and fanotify_find_path.
func watched(c *check.Check, t Target, dir, nofollow bool, what check.Watching) story.Errno {
	if nofollow {
		t.Flags |= AtSymlinkNofollow
	}
	p, err := t.object(c)
	if err != 0 || lost(c, t, p, story.EACCES) {
		return err
	}
	if dir {
		if err := mustBeDir(c, p); err != 0 {
			return err
		}
	}
	if err := c.Hooks.InodePermission(c, c.Cred, p, check.MayRead); err != 0 {
		return err
	}
	return c.LSM.PathNotify(c, p, what)
}

func mustBeDir(c *check.Check, p world.Path) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	s := story.Step{Code: story.WantDirectory, Errno: story.ENOTDIR, Op: story.OpLook, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{uint64(ino.Mode)}}
	switch {
	case ino.Known&world.KnownType == 0:
		c.Unknown(s)
	case !ino.Is(world.TypeDir):
		return c.Refuse(s)
	}
	return 0
}

// fanotify's flags.
const (
	fanClassContent, fanPreContent = 4, 8
	fanFID, fanDirFID, fanName     = 0x200, 0x400, 0x800
	fanTargetFID                   = 0x1000
	fanIDs                         = fanFID | fanDirFID | fanName | fanTargetFID
	fanAdmin                       = fanClassContent | fanPreContent | 16 | 32 | 0x80 | 0x100 | 0x2000 // FANOTIFY_ADMIN_INIT_FLAGS
	fanKnown                       = 0x3fff

	fanMarkAdd, fanMarkRemove, fanMarkFlush = 1, 2, 128
	fanMarkMount, fanMarkFS                 = 16, 256
	fanMarkDontFollow, fanMarkOnlyDir       = 4, 8
	fanPermissions                          = 0x70000
)

// fanotifyCapable asks for CAP_SYS_ADMIN with fanotify's own code.
func fanotifyCapable(c *check.Check, ns world.UserNSID, what string) story.Errno {
	s := story.Step{Code: story.FanotifyUnprivileged, Errno: story.EPERM, Op: story.OpRead, Fact: [3]story.Origin{0, c.Cred.EffectiveAt}, Val: [3]uint64{0, uint64(c.Cred.Effective)}}
	if c.Recording() {
		s.Val[0] = c.Word(what)
	}
	switch capable(c, ns, kernel.CapSysAdmin, check.RealmInitial) {
	case kernel.Yes:
		c.Pass(s)
	case kernel.NotKnown:
		c.Unknown(s)
	default:
		return c.Deny(s)
	}
	return 0
}

// FanotifyInit is SYSCALL_DEFINE2(fanotify_init).
func FanotifyInit(c *check.Check, flags uint64) story.Errno {
	if flags&fanAdmin != 0 || flags&fanIDs == 0 {
		if err := fanotifyCapable(c, 0, "fanotify gives file handles only, without FAN_CLASS_CONTENT and the like"); err != 0 {
			return err
		}
	}
	if flags&0x4000 != 0 {
		c.Unknown(story.Step{Code: story.ArgInvalid, Errno: story.EINVAL, Op: story.OpRead, Val: [3]uint64{c.Word("FAN_REPORT_MNT is not modelled")}})
		c.MayEnd(story.EPERM)
		return 0
	}
	switch {
	case flags&^uint64(fanKnown) != 0, flags&(fanClassContent|fanPreContent) == fanClassContent|fanPreContent:
		return Invalid(c, story.EINVAL, "fanotify_init does not know these flags together")
	case flags&fanName != 0 && flags&fanDirFID == 0, flags&0x180 == 0x180:
		return Invalid(c, story.EINVAL, "fanotify_init does not know these flags together")
	case flags&(fanFID|fanDirFID|fanTargetFID) != 0 && flags&(fanClassContent|fanPreContent) != 0:
		return Invalid(c, story.EINVAL, "file handles go with FAN_CLASS_NOTIF")
	}
	return freeDescriptor(c)
}

// FanotifyMark is do_fanotify_mark as far as it asks for permission; what the descriptor is, is not known.
func FanotifyMark(c *check.Check, fd int, flags, events uint64, t Target) story.Errno {
	if flags&^uint64(0x7ff) != 0 {
		return Invalid(c, story.EINVAL, "fanotify_mark has no such flags")
	}
	f, err := file(c, fd, story.OpRead)
	if err != 0 {
		return err
	}
	if f != nil {
		a := kernel.Yes
		if f.Path == (world.Path{}) {
			a = kernel.NotKnown
		}
		if err := lacks(c, f, "fanotify", story.EINVAL, a); err != 0 {
			return err
		}
	}
	if flags&(fanMarkMount|fanMarkFS) != 0 {
		if err := fanotifyCapable(c, 0, "marks are for inodes only"); err != 0 {
			return err
		}
	}
	if flags&fanMarkFlush != 0 {
		return 0
	}
	what := watching(events)
	if flags&fanMarkMount != 0 {
		what |= check.WatchMount
	} else if flags&fanMarkFS != 0 {
		what |= check.WatchFilesystem
	}
	return watched(c, t, flags&fanMarkOnlyDir != 0, flags&fanMarkDontFollow != 0, what)
}

// NameToHandle is SYSCALL_DEFINE5(name_to_handle_at).
func NameToHandle(c *check.Check, t Target, bytes uint64, known, fault bool) story.Errno {
	const fid, follow, unique, connectable = 0x200, 0x400, 1, 2
	ok := uint64(follow | AtEmptyPath)
	if c.K.Has(kernel.HandleFID) != kernel.No {
		ok |= fid
	}
	if c.K.Has(kernel.HandleMountID) != kernel.No {
		ok |= unique
	}
	if c.K.Has(kernel.HandleConnectable) != kernel.No {
		ok |= connectable
	}
	if t.Flags&^ok != 0 {
		return Invalid(c, story.EINVAL, "name_to_handle_at does not know these flags")
	}
	asFID := t.Flags&fid != 0
	look := t
	look.Flags = t.Flags & AtEmptyPath
	if t.Flags&follow == 0 {
		look.Flags |= AtSymlinkNofollow
	}
	p, err := look.object(c)
	if err != 0 {
		return err
	}
	sb := c.W.FS.SBOf(p.Dentry)
	s := story.Step{Code: story.HandleUnsupported, Errno: story.EOPNOTSUPP, Op: story.OpLook, Obj: p.Ref(), Fact: [3]story.Origin{sb.At}}
	if c.Recording() {
		s.Val[0] = c.Word(sb.Type)
	}
	switch sb.Type {
	case "tmpfs", "ext2", "ext3", "ext4", "xfs", "btrfs":
	case "proc", "sysfs", "devpts", "mqueue", "ramfs":
		if !asFID {
			return c.Refuse(s)
		}
	case "overlay":
		ov := sb.Overlay
		switch {
		case ov == nil || !ov.NFSExport.Known() || ov.NFSExport.V || asFID:
			c.Unknown(s)
		default:
			return c.Refuse(s)
		}
	default:
		c.Unknown(s)
	}
	if fault {
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpLook})
	}
	if bytes > 128 {
		return Invalid(c, story.EINVAL, "a handle has at most 128 bytes")
	}
	size := story.Step{Code: story.HandleSize, Errno: story.EOVERFLOW, Op: story.OpLook, Obj: p.Ref(), Val: [3]uint64{bytes}}
	switch {
	case !known:
		c.Unknown(size)
	case bytes < 8: // a generation and an inode number
		return c.Refuse(size)
	case bytes < 64:
		c.Unknown(size)
	}
	return 0
}

// Handle is what open_by_handle_at is given.
type Handle struct {
	Bytes, Type  uint64
	Known, Fault bool
}

// read copies the handle from the task's memory.
func (h *Handle) read(c *check.Check) story.Errno {
	switch {
	case h.Fault:
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpOpen})
	case h.Known && (h.Bytes == 0 || h.Bytes > 128):
		return Invalid(c, story.EINVAL, "a handle has 1 to 128 bytes")
	}
	return 0
}

// OpenByHandle is do_handle_open as far as the handle.
func OpenByHandle(c *check.Check, fd int, h Handle, flags uint64) story.Errno {
	var root world.Path
	first, order := c.K.Has(kernel.HandleReadFirst), c.K.Has(kernel.HandleRelaxed)
	read := false
	if first != kernel.No {
		if err := h.read(c); err != 0 {
			return err
		}
		read = true
	}
	if order == kernel.No {
		if err := Capable(c, 0, check.RealmInitial, kernel.CapDacReadSearch, world.Path{}, story.OpOpen); err != 0 {
			return err
		}
		if !read { // handle_to_path asked, and copied the handle, before it looked at the descriptor
			if err := h.read(c); err != 0 {
				return err
			}
			read = true
		}
	}
	own := false // pidfs and nsfs have a rule of their own (export_operations.permission)
	switch fd {
	case -100:
		root = c.W.Task.Cwd
	case fdPidfsRoot, fdNsfsRoot:
		own = true
	default:
		f, err := file(c, fd, story.OpOpen)
		if f == nil {
			return err
		}
		root, own = f.Path, f.Kind == world.FDPid || f.Kind == world.FDNamespace
	}
	if order != kernel.No {
		if err := mayDecode(c, root, flags, own); err != 0 {
			return err
		}
	}
	if !read {
		if err := h.read(c); err != 0 {
			return err
		}
	}
	s := story.Step{Code: story.HandleStale, Errno: story.ESTALE, Op: story.OpOpen, Obj: root.Ref()}
	sb := c.W.FS.SBOf(root.Dentry)
	switch sb.Type {
	case "tmpfs":
		if h.Known && h.Bytes < 12 { // shmem_fh_to_dentry: a generation and an inode number of 64 bits
			return c.Refuse(s)
		}
	case "overlay":
		if sb.Overlay != nil && sb.Overlay.NFSExport.Known() && !sb.Overlay.NFSExport.V { // it has no fh_to_dentry
			return c.Refuse(s)
		}
	}
	c.Unknown(s)
	for _, e := range [...]story.Errno{story.EINVAL, story.EACCES, story.EROFS, story.ELOOP} {
		c.MayEnd(e)
	}
	return 0
}

// Descriptors that stand for the roots of pidfs and nsfs.
const (
	fdPidfsRoot = -10002
	fdNsfsRoot  = -10003
)

// mayDecode is may_decode_fh.
func mayDecode(c *check.Check, root world.Path, flags uint64, own bool) story.Errno {
	cr := c.Cred
	s := story.Step{Code: story.HandleDecode, Errno: story.EPERM, Op: story.OpOpen, Obj: root.Ref(), Fact: [3]story.Origin{cr.EffectiveAt, cr.EffectiveAt}, Val: [3]uint64{uint64(cr.Effective), uint64(cr.UserNS)}}
	may := asks(c, cr, 0, kernel.CapDacReadSearch, check.RealmInitial)
	relaxed := c.K.Has(kernel.HandleRelaxed)
	switch {
	case may == kernel.Yes:
	case own, relaxed == kernel.NotKnown:
		may = kernel.NotKnown
	case flags&ODirectory != 0:
		may = or(may, reaches(c, root))
	}
	switch may {
	case kernel.No:
		return c.Deny(s)
	case kernel.Yes:
		c.Pass(s)
	default:
		c.Unknown(s)
	}
	return 0
}

// reaches reports whether the task has power over the filesystem or over a mount of it that shows all of a directory, and over
// directories' permissions.
func reaches(c *check.Check, root world.Path) kernel.Answer {
	by := asks(c, c.Cred, c.W.FS.SBOf(root.Dentry).UserNS, kernel.CapSysAdmin, check.RealmSuperblock)
	if by != kernel.Yes && root.Mount != 0 {
		mount := unlocked(c, root)
		if mount != kernel.No {
			mount = and(mount, asks(c, c.Cred, namespace(c, c.W.Mounts[root.Mount].NS).Owner, kernel.CapSysAdmin, check.RealmMountNS))
		}
		by = or(by, mount)
	}
	if by == kernel.No {
		return by
	}
	return and(by, asks(c, c.Cred, c.Cred.UserNS, kernel.CapDacReadSearch, check.RealmOwn))
}

// unlocked reports whether a directory is in a mount namespace, and no locked mount covers something below it (has_locked_children).
func unlocked(c *check.Check, root world.Path) kernel.Answer {
	n := &c.W.Mounts[root.Mount]
	if n.Gone {
		return kernel.No
	}
	if ns := namespace(c, n.NS); n.Parent == root.Mount && ns.Root != root.Mount && len(c.W.MountNS) > 0 { // what is mounted in another namespace, or in none
		return kernel.NotKnown
	}
	for id := range c.W.Mounts {
		k := &c.W.Mounts[id]
		if k.Parent == root.Mount && world.MountID(id) != root.Mount && !k.Gone && k.Locks&world.LockAttached != 0 && c.W.FS.Below(k.At, root.Dentry) {
			return kernel.No
		}
	}
	if !namespace(c, n.NS).LocksAt.Known() {
		return kernel.NotKnown
	}
	return kernel.Yes
}

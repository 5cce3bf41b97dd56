package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// fcntl's commands.
const (
	fDupFD, fGetFD, fSetFD, fGetFL, fSetFL          = 0, 1, 2, 3, 4
	fGetLK, fSetLK, fSetLKW                         = 5, 6, 7
	fSetOwn, fGetOwn, fSetSig, fGetSig              = 8, 9, 10, 11
	fOFDGetLK, fOFDSetLK, fOFDSetLKW                = 36, 37, 38
	fSetLease, fGetLease, fNotify, fDupQuery        = 1024, 1025, 1026, 1027
	fCreatedQuery, fDupCloexec                      = 1028, 1030
	fSetPipeSize, fGetPipeSize, fAddSeals, fGetSeal = 1031, 1032, 1033, 1034
)

// Fcntl is SYSCALL_DEFINE3(fcntl) and do_fcntl.
func Fcntl(c *check.Check, fd int, cmd, arg uint64) story.Errno {
	f, err := descriptor(c, fd)
	if f == nil {
		if err == 0 {
			c.MayEnd(story.EINVAL)
			c.MayEnd(story.EPERM)
		}
		return err
	}
	if !unsureFlags(f) && f.Flags&OPath != 0 { // check_fcntl_cmd
		switch cmd {
		case fDupFD, fDupCloexec, fGetFD, fSetFD, fGetFL, fDupQuery, fCreatedQuery:
		default:
			return c.Refuse(story.Step{Code: story.DescriptorFlags, Errno: story.EBADF, Op: story.OpLook, Obj: f.Path.Ref(), Fact: [3]story.Origin{f.At}, Val: [3]uint64{uint64(int64(fd)), c.Word("O_PATH")}})
		}
	}
	if err := c.LSM.FileFcntl(c, f, cmd, arg); err != 0 {
		return err
	}
	switch cmd {
	case fDupFD, fDupCloexec:
		limit := c.W.Task.NoFile
		if limit.Known() && uint64(uint32(arg)) >= uint64(limit.V) {
			return Invalid(c, story.EINVAL, "the number is not below RLIMIT_NOFILE")
		}
		if err := freeDescriptor(c); err != 0 {
			return err
		}
		c.Opened = check.Opened{Path: f.Path, Flags: f.Flags &^ OCloexec}
		if cmd == fDupCloexec {
			c.Opened.Flags |= OCloexec
		}
		return 0
	case fGetFD, fSetFD, fGetFL, fGetOwn, fGetSig, fGetLease:
		return 0
	case fSetFL:
		return setFlags(c, f, arg)
	case fSetLease:
		return setLease(c, f, arg)
	case fAddSeals, fGetSeal:
		return seals(c, f, cmd == fAddSeals, arg)
	case fSetSig:
		if arg > 64 {
			return Invalid(c, story.EINVAL, "there is no such signal")
		}
		return 0
	case fSetPipeSize, fGetPipeSize:
		if k := kind(c, f, world.TypeFIFO); k == kernel.No {
			return lacks(c, f, "a pipe's size", story.EBADF, kernel.Yes)
		}
	}
	c.Unknown(story.Step{Code: story.DescriptorData, Errno: story.EINVAL, Op: story.OpLook, Obj: f.Path.Ref(), Fact: [3]story.Origin{f.At}, Val: [3]uint64{c.Word("this command of fcntl")}})
	for _, e := range [...]story.Errno{story.EBADF, story.EAGAIN, story.EPERM, story.ESRCH, story.EFAULT} {
		c.MayEnd(e)
	}
	return 0
}

// setFlags is setfl: the append-only attribute keeps O_APPEND, O_NOATIME is for the owner.
func setFlags(c *check.Check, f *world.FD, arg uint64) story.Errno {
	ino := c.Inode(f.Path.Dentry)
	unsure := unsureFlags(f)
	if ino.Attr&world.AttrAppend != 0 && (arg^f.Flags)&OAppend != 0 {
		s := story.Step{Code: story.AppendOnly, Errno: story.EPERM, Op: story.OpWrite, Obj: f.Path.Ref(), Fact: [3]story.Origin{ino.At}}
		if unsure {
			s.Fact[0] = f.FlagsAt
			c.Unknown(s)
		} else if err := c.Deny(s); err != 0 {
			return err
		}
	}
	if arg&ONoatime != 0 && (f.Flags&ONoatime == 0 || unsure) {
		if err := ownerOrCapable(c, f.Path, story.OpenNoAtime); err != 0 {
			return err
		}
	}
	if arg&ODirect != 0 {
		return directIO(c, f.Path)
	}
	return 0
}

// setLease is generic_setlease.
func setLease(c *check.Check, f *world.FD, arg uint64) story.Errno {
	ino := c.W.FS.I(f.Path.Dentry)
	const readLease, writeLease, noLease = 0, 1, 2
	if arg > noLease {
		return Invalid(c, story.EINVAL, "a lease is F_RDLCK, F_WRLCK or F_UNLCK")
	}
	uid, gid := ids(c.W, f.Path, ino)
	s := story.Step{Code: story.LeaseOwner, Errno: story.EACCES, Op: story.OpLook, Obj: f.Path.Ref(), Fact: [3]story.Origin{ino.At, c.Cred.EffectiveAt}, Val: [3]uint64{pack(uid, gid), uint64(c.Cred.Effective)}}
	switch a := capable(c, 0, kernel.CapLease, check.RealmInitial); {
	case ino.Known&world.KnownOwner != 0 && c.Cred.UIDAt.Known() && c.Cred.FSUID == uid, a == kernel.Yes:
		c.Pass(s)
	case a == kernel.NotKnown || ino.Known&world.KnownOwner == 0 || !c.Cred.UIDAt.Known():
		c.Unknown(s)
	default:
		return c.Deny(s)
	}
	if k := kind(c, f, world.TypeReg); k == kernel.No {
		return lacks(c, f, "a lease", story.EINVAL, kernel.Yes)
	}
	if err := c.LSM.FileLock(c, f); err != 0 {
		return err
	}
	busy := story.Step{Code: story.LeaseConflict, Errno: story.EAGAIN, Op: story.OpLook, Obj: f.Path.Ref(), Fact: [3]story.Origin{f.At}}
	write := f.Flags&OAccMode == OWronly || f.Flags&OAccMode == ORdwr
	if arg == readLease && write && !unsureFlags(f) {
		busy.Val[0] = c.Word("the descriptor itself is open for writing")
		return c.Refuse(busy)
	}
	c.Unknown(busy) // by others, or no lease to give back
	c.MayEnd(story.EINVAL)
	return 0
}

// seals is memfd_add_seals and memfd_get_seals. A tmpfs's own files have F_SEAL_SEAL from the beginning.
func seals(c *check.Check, f *world.FD, add bool, arg uint64) story.Errno {
	typ := c.W.FS.SBOf(f.Path.Dentry).Type
	ino := c.W.FS.I(f.Path.Dentry)
	s := story.Step{Code: story.SealRefused, Errno: story.EINVAL, Op: story.OpLook, Obj: f.Path.Ref(), Fact: [3]story.Origin{f.At}}
	shmem := f.Path != (world.Path{}) && ino.Is(world.TypeReg) && typ == "tmpfs"
	if !add {
		switch {
		case shmem:
			return 0
		case f.Path == (world.Path{}) || ino.Known&world.KnownType == 0:
			c.Unknown(s)
			return 0
		}
		s.Val[0] = c.Word("it is no file of memfd_create")
		return c.Refuse(s)
	}
	if f.Path == (world.Path{}) || ino.Known&world.KnownType == 0 {
		s.Val[0] = c.Word("it may be a file of memfd_create")
		c.Unknown(s)
		c.MayEnd(story.EPERM)
		c.MayEnd(story.EBUSY)
		return 0
	}
	write := f.Flags&OAccMode == OWronly || f.Flags&OAccMode == ORdwr
	switch {
	case unsureFlags(f):
		c.Unknown(s)
		c.MayEnd(story.EPERM)
		return 0
	case !write:
		s.Errno, s.Val[0] = story.EPERM, c.Word("the descriptor is not open for writing")
	case arg&^uint64(63) != 0:
		return Invalid(c, story.EINVAL, "there is no such seal")
	case shmem:
		s.Errno, s.Val[0] = story.EPERM, c.Word("a file of a tmpfs is sealed against seals")
	default:
		s.Val[0] = c.Word("it is no file of memfd_create")
	}
	return c.Refuse(s)
}

// Flock is SYSCALL_DEFINE2(flock).
func Flock(c *check.Check, fd int, cmd uint64) story.Errno {
	if cmd&32 != 0 && c.K.Has(kernel.NoMandatoryLocks) != kernel.No { // LOCK_MAND is taken and does nothing
		return 0
	}
	typ := cmd &^ 4
	if typ != 1 && typ != 2 && typ != 8 {
		return Invalid(c, story.EINVAL, "flock takes LOCK_SH, LOCK_EX or LOCK_UN")
	}
	f, err := file(c, fd, story.OpLook)
	if f == nil {
		return err
	}
	if typ != 8 && f.Flags&OAccMode == OAccMode && !unsureFlags(f) {
		return mayUse(c, f, check.MayRead, story.EBADF, story.DescriptorMode)
	}
	return c.LSM.FileLock(c, f)
}

// Fsync is do_fsync.
func Fsync(c *check.Check, fd int) story.Errno {
	f, err := file(c, fd, story.OpLook)
	if f == nil {
		return err
	}
	ino := c.W.FS.I(f.Path.Dentry)
	a := kernel.NotKnown
	switch {
	case ino.Is(world.TypeFIFO), ino.Is(world.TypeSock), ino.Is(world.TypeChar) && ino.Major == 1 && ino.Minor == 3, f.Kind == world.FDNamespace:
		a = kernel.Yes
	case ino.Is(world.TypeReg) || ino.Is(world.TypeDir):
		switch c.W.FS.SB(ino.SB).Type {
		case "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "ramfs", "overlay", "devtmpfs", "rootfs":
			a = kernel.No
		case "proc", "sysfs", "cgroup", "cgroup2":
			if ino.Is(world.TypeReg) {
				a = kernel.Yes
			}
		}
	}
	unsynced(c, f)
	return lacks(c, f, "synchronising", story.EINVAL, a)
}

// unsynced tells of an overlay that synchronises nothing (ovl_sync_status).
func unsynced(c *check.Check, f *world.FD) {
	if ov := c.W.FS.SBOf(f.Path.Dentry).Overlay; ov != nil && ov.Volatile {
		c.Pass(story.Step{Code: story.OverlayVolatile, Op: story.OpLook, Obj: f.Path.Ref()})
	}
}

// Syncfs takes any descriptor but O_PATH.
func Syncfs(c *check.Check, fd int) story.Errno {
	f, err := file(c, fd, story.OpLook)
	if f != nil && f.Path != (world.Path{}) {
		unsynced(c, f)
	}
	return err
}

// Dup is dup(2).
func Dup(c *check.Check, fd int) story.Errno {
	f, err := descriptor(c, fd)
	if err != 0 {
		return err
	}
	if err := freeDescriptor(c); err != 0 || f == nil {
		return err
	}
	c.Opened = check.Opened{Path: f.Path, Flags: f.Flags &^ OCloexec}
	return 0
}

// Dup3 is ksys_dup3, and dup2, which has no flags and takes the same number twice.
func Dup3(c *check.Check, from, to int, flags uint64, two bool) story.Errno {
	switch {
	case flags&^uint64(OCloexec) != 0:
		return Invalid(c, story.EINVAL, "dup3 knows O_CLOEXEC")
	case from == to && !two:
		return Invalid(c, story.EINVAL, "dup3 takes two different numbers")
	}
	if from == to {
		_, err := descriptor(c, from)
		return err
	}
	limit := c.W.Task.NoFile
	s := story.Step{Code: story.FileTable, Errno: story.EBADF, Op: story.OpOpen, Fact: [3]story.Origin{0, limit.At}, Val: [3]uint64{uint64(int64(to)), uint64(limit.V)}}
	switch {
	case to < 0, limit.Known() && to >= limit.V:
		return c.Refuse(s)
	case !limit.Known() && to >= 1024:
		c.Unknown(s)
	}
	f, err := descriptor(c, from)
	if f == nil {
		return err
	}
	c.Opened = check.Opened{Path: f.Path, Flags: f.Flags&^OCloexec | flags}
	return 0
}

// Pipe is do_pipe2: two descriptors must be free.
func Pipe(c *check.Check, flags uint64, null bool) story.Errno {
	if flags&^uint64(OCloexec|ONonblock|ODirect|0o200) != 0 || flags&0o200 != 0 {
		return Invalid(c, story.EINVAL, "pipe2 knows O_CLOEXEC, O_NONBLOCK and O_DIRECT")
	}
	t := &c.W.Task
	s := story.Step{Code: story.FileTable, Errno: story.EMFILE, Op: story.OpOpen, Fact: [3]story.Origin{t.OpenFDs.At, t.NoFile.At}, Val: [3]uint64{uint64(t.OpenFDs.V), uint64(t.NoFile.V)}}
	switch {
	case !t.OpenFDs.Known() || !t.NoFile.Known():
		c.Unknown(s)
	case t.OpenFDs.V+1 >= t.NoFile.V:
		return c.Deny(s)
	}
	if null {
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpOpen})
	}
	return 0
}

// Getdents is iterate_dir.
func Getdents(c *check.Check, fd int, size uint64, known, fault bool) story.Errno {
	f, err := file(c, fd, story.OpRead)
	if f == nil {
		return err
	}
	if k := kind(c, f, world.TypeDir); k != kernel.Yes {
		a := kernel.Yes
		if k == kernel.NotKnown {
			a = kernel.NotKnown
		}
		if err := lacks(c, f, "listing", story.ENOTDIR, a); err != 0 {
			return err
		}
	}
	if err := c.LSM.FilePermission(c, f, check.MayRead); err != 0 {
		return err
	}
	ino := c.W.FS.I(f.Path.Dentry)
	switch {
	case ino.Attr&world.AttrRemoved != 0:
		return c.Refuse(story.Step{Code: story.DirectoryRemoved, Errno: story.ENOENT, Op: story.OpRead, Obj: f.Path.Ref()})
	case fault:
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpRead})
	case known && size < 24:
		return Invalid(c, story.EINVAL, "the buffer does not hold one entry")
	}
	return 0
}

// Statfs is user_statfs, and fd_statfs, which takes O_PATH descriptors.
func Statfs(c *check.Check, t Target) story.Errno {
	if t.FD {
		f, err := descriptor(c, t.DFD)
		if f == nil {
			return err
		}
		return statfs(c, f.Path)
	}
	p, err := t.object(c)
	if err != 0 {
		return err
	}
	return statfs(c, p)
}

// statfs is vfs_statfs; an overlay asks the layer that its root shows, as the task (ovl_statfs).
func statfs(c *check.Check, p world.Path) story.Errno {
	for {
		if e := c.LSM.SbStatfs(c, p); e != 0 || p.Dentry == 0 {
			return e
		}
		ov := c.W.FS.SBOf(p.Dentry).Overlay
		switch {
		case ov == nil:
			return 0
		case ov.Upper != 0:
			p = world.Path{Dentry: ov.Upper}
		case len(ov.Lower) > 0:
			p = world.Path{Dentry: ov.Lower[0]}
		default:
			return 0
		}
	}
}

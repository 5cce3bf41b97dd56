package vfs

import (
	"slices"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Calls on open files: fs/read_write.c. The file's own permissions were asked when it was opened; here the descriptor's mode
// counts.

// file is fdget: O_PATH descriptors count as closed. A descriptor of which nothing is known is nil without an errno.
func file(c *check.Check, fd int, op story.Op) (*world.FD, story.Errno) {
	f, err := descriptor(c, fd)
	if f == nil {
		return nil, err
	}
	if !unsureFlags(f) && f.Flags&OPath != 0 {
		return nil, c.Refuse(story.Step{Code: story.DescriptorFlags, Errno: story.EBADF, Op: op, Obj: f.Path.Ref(), Fact: [3]story.Origin{f.At}, Val: [3]uint64{uint64(int64(fd)), c.Word("O_PATH")}})
	}
	return f, 0
}

// unsureFlags reports whether it is not known how a descriptor was opened.
func unsureFlags(f *world.FD) bool { return (f.FlagsAt|f.At)&story.Missing != 0 }

var modeWords = [4]string{"O_RDONLY", "O_WRONLY", "O_RDWR", "with access mode 3"}

// mayUse asks for FMODE_READ and FMODE_WRITE.
func mayUse(c *check.Check, f *world.FD, mask check.Mask, errno story.Errno, code story.Code) story.Errno {
	s := story.Step{Code: code, Errno: errno, Op: mask.Op(false), Obj: f.Path.Ref(), Fact: [3]story.Origin{f.At, f.At}, Val: [3]uint64{uint64(int64(f.N))}}
	have := [4]check.Mask{check.MayRead, check.MayWrite, check.MayRead | check.MayWrite, 0}[f.Flags&OAccMode]
	if c.Recording() {
		need := "O_RDONLY or O_RDWR"
		if mask&check.MayWrite != 0 {
			need = "O_WRONLY or O_RDWR"
		}
		s.Val[1], s.Val[2] = c.Word(modeWords[f.Flags&OAccMode]), c.Word(need)
	}
	switch {
	case unsureFlags(f):
		if s.Fact[0] = f.FlagsAt; f.FlagsAt == 0 {
			s.Fact[0] = f.At
		}
		c.Unknown(s)
	case mask&^have != 0:
		return c.Refuse(s)
	default:
		c.Pass(s)
	}
	return 0
}

// lacks refuses what the kind of file has no operation for; where the kind is not known, that is one of the endings.
func lacks(c *check.Check, f *world.FD, what string, errno story.Errno, a kernel.Answer) story.Errno {
	ino := c.W.FS.I(f.Path.Dentry)
	s := story.Step{Code: story.DescriptorKind, Errno: errno, Op: story.OpLook, Obj: f.Path.Ref(), Fact: [3]story.Origin{f.At, ino.At}, Val: [3]uint64{0, uint64(ino.Mode)}}
	if c.Recording() {
		s.Val[0] = c.Word(what)
	}
	switch a {
	case kernel.Yes:
		return c.Refuse(s)
	case kernel.NotKnown:
		c.Unknown(s)
	}
	return 0
}

// kind answers whether an open file is of a type.
func kind(c *check.Check, f *world.FD, typ uint16) kernel.Answer {
	ino := c.W.FS.I(f.Path.Dentry)
	switch {
	case f.Kind == world.FDSocket && typ != world.TypeSock:
		return kernel.No
	case f.Kind == world.FDSocket:
		return kernel.Yes
	case ino.Known&world.KnownType == 0:
		return kernel.NotKnown
	case ino.Is(typ):
		return kernel.Yes
	}
	return kernel.No
}

// driven makes what a device, pipe or socket answers one of the endings.
func driven(c *check.Check, f *world.FD, what string) bool {
	ino := c.W.FS.I(f.Path.Dentry)
	if ino.Is(world.TypeReg) || ino.Is(world.TypeDir) || ino.Is(world.TypeChar) && ino.Major == 1 && (ino.Minor == 3 || ino.Minor == 5) {
		return false
	}
	s := story.Step{Code: story.DescriptorData, Errno: story.EAGAIN, Op: story.OpLook, Obj: f.Path.Ref(), Fact: [3]story.Origin{f.At}}
	if c.Recording() {
		s.Val[0] = c.Word(what)
	}
	c.Unknown(s)
	for _, e := range [...]story.Errno{story.EIO, story.EINVAL, story.EPIPE, story.ENXIO} {
		c.MayEnd(e)
	}
	c.MayBlock()
	return true
}

// IO is a call that reads or writes an open file.
type IO struct {
	FD      int
	Write   bool
	Count   uint64
	Known   bool // Count is known
	At      bool // at Pos, of pread and pwrite
	Pos     int64
	Fault   bool // the buffer's address is not readable
	Vector  bool
	Content string
}

// ReadWrite is ksys_read, ksys_write and those with a position or several buffers.
func ReadWrite(c *check.Check, io IO) story.Errno {
	mask, what := check.MayRead, "reading"
	if io.Write {
		mask, what = check.MayWrite, "writing"
	}
	if io.At && io.Pos < 0 {
		return Invalid(c, story.EINVAL, "the position is negative")
	}
	f, err := file(c, io.FD, mask.Op(false))
	if f == nil {
		return err
	}
	if io.At {
		if err := seeks(c, f); err != 0 {
			return err
		}
	}
	if err := mayUse(c, f, mask, story.EBADF, story.DescriptorMode); err != 0 {
		return err
	}
	ino := c.W.FS.I(f.Path.Dentry)
	switch {
	case io.Vector && io.Known && io.Count == 0:
		return 0
	case f.Kind == world.FDSocket && !(io.Vector && io.Fault):
		return io.socket(c, f, mask)
	case io.Fault && (!io.Known || io.Count > 0) && !ino.Is(world.TypeDir):
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: mask.Op(false)})
	}
	if io.Known && int64(io.Count) < 0 {
		return Invalid(c, story.EINVAL, "the length is negative")
	}
	if err := c.LSM.FilePermission(c, f, mask); err != 0 {
		return err
	}
	if !io.Write {
		if err := lacks(c, f, "read", story.EISDIR, kind(c, f, world.TypeDir)); err != 0 {
			return err
		}
		if f.Kind == world.FDNamespace {
			return lacks(c, f, "reading", story.EINVAL, kernel.Yes)
		}
	}
	if f.Path == (world.Path{}) || driven(c, f, what) || !io.Write || !ino.Is(world.TypeReg) {
		return 0
	}
	return writes(c, f, io)
}

// socket is sock_read_iter and sock_write_iter. The buffer is looked at once there is something to copy.
func (io *IO) socket(c *check.Check, f *world.FD, mask check.Mask) story.Errno {
	if io.Known && int64(io.Count) < 0 {
		return Invalid(c, story.EINVAL, "the length is negative")
	}
	if err := c.LSM.FilePermission(c, f, mask); err != 0 {
		return err
	}
	if !io.Write && io.Known && io.Count == 0 {
		return 0
	}
	return SocketIO{Op: mask.Op(false), Known: true}.on(c, f.Socket)
}

// seeks refuses a position where the file has none (FMODE_PREAD, FMODE_LSEEK).
func seeks(c *check.Check, f *world.FD) story.Errno {
	ino := c.W.FS.I(f.Path.Dentry)
	a := kernel.No
	switch {
	case ino.Is(world.TypeFIFO) || ino.Is(world.TypeSock), f.Kind == world.FDNamespace, f.Kind == world.FDSocket:
		a = kernel.Yes
	case ino.Is(world.TypeChar) && !(ino.Major == 1 && (ino.Minor == 3 || ino.Minor == 5)), ino.Known&world.KnownType == 0, ino.Type() == 0:
		a = kernel.NotKnown
	}
	return lacks(c, f, "a position", story.ESPIPE, a)
}

// writes is a regular file's write_iter.
func writes(c *check.Check, f *world.FD, io IO) story.Errno {
	ino := c.Inode(f.Path.Dentry)
	sb := c.W.FS.SB(ino.SB)
	if sb.Type == "ext4" && ino.Attr&world.AttrImmutable != 0 { // ext4_generic_write_checks
		if err := c.Deny(story.Step{Code: story.Immutable, Errno: story.EPERM, Op: story.OpWrite, Obj: f.Path.Ref(), Fact: [3]story.Origin{ino.At}}); err != 0 {
			return err
		}
	}
	if io.Known && io.Count == 0 {
		return 0
	}
	if err := sizeLimit(c, f, io); err != 0 {
		return err
	}
	switch sb.Type {
	case "", "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "ramfs", "overlay", "devtmpfs":
	case "cgroup2":
		if err := delegated(c, f, sb); err != 0 {
			return err
		}
		fallthrough
	default:
		c.Unknown(story.Step{Code: story.DescriptorData, Errno: story.EINVAL, Op: story.OpWrite, Obj: f.Path.Ref(), Fact: [3]story.Origin{sb.At}, Val: [3]uint64{c.Word("writing to this file of " + sb.Type)}})
		c.MayEnd(story.EPERM)
	}
	if err := killCaps(c, f.Path); err != 0 {
		return err
	}
	c.Changed = check.Changed{Path: f.Path, Grows: true}
	if c.Recording() {
		c.Effect(story.Effect{Kind: "written", Path: c.W.PathText(f.Path)})
	}
	needsRemovePrivs(c, f.Path).remove(c, f.Path)
	return 0
}

// delegated is the first question of cgroup_file_write: what a cgroup namespace may not write at its own root. What the file answers
// is not known.
func delegated(c *check.Check, f *world.FD, sb *world.SB) story.Errno {
	fs, root := c.W.FS, c.W.Task.CgroupRoot
	name := fs.D(f.Path.Dentry).Name
	if !sb.NSDelegate.Known() || !sb.NSDelegate.V || !root.Known() || root.V == "" || !c.W.Delegatable.Known() || slices.Contains(c.W.Delegatable.V, name) {
		return 0
	}
	if fs.Path(fs.D(f.Path.Dentry).Parent) != root.V {
		return 0
	}
	return c.Deny(story.Step{Code: story.CgroupDelegated, Errno: story.EPERM, Op: story.OpWrite, Obj: f.Path.Ref(), Fact: [3]story.Origin{sb.NSDelegate.At, root.At}, Val: [3]uint64{c.Word(name)}})
}

const rlimitFSize = 1

// sizeLimit is generic_write_check_limits: a write that begins at the limit is refused, one that reaches over it is cut.
func sizeLimit(c *check.Check, f *world.FD, io IO) story.Errno {
	ino := c.W.FS.I(f.Path.Dentry)
	pos, known := io.Pos, io.At
	if f.Flags&OAppend != 0 && !unsureFlags(f) {
		pos, known = ino.Size, ino.Known&world.KnownSize != 0
	}
	limit := c.W.Task.Rlimits[rlimitFSize]
	s := story.Step{Code: story.FileSizeLimit, Errno: story.EFBIG, Op: story.OpWrite, Obj: f.Path.Ref(), Fact: [3]story.Origin{f.At, limit.At}, Val: [3]uint64{uint64(pos), limit.V.Cur}}
	switch {
	case limit.At == 0, limit.Known() && limit.V.Cur == ^uint64(0):
	case !limit.Known():
		c.Unknown(s)
	case known && uint64(pos) >= limit.V.Cur:
		return c.Deny(s)
	case !known:
		c.Unknown(s)
	}
	return 0
}

// newSize is inode_newsize_ok's look at RLIMIT_FSIZE.
func newSize(c *check.Check, p world.Path, length int64) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	limit := c.W.Task.Rlimits[rlimitFSize]
	s := story.Step{Code: story.FileSizeLimit, Errno: story.EFBIG, Op: story.OpWrite, Obj: p.Ref(), Fact: [3]story.Origin{ino.At, limit.At}, Val: [3]uint64{uint64(length), limit.V.Cur}}
	switch {
	case limit.At == 0, limit.Known() && (limit.V.Cur == ^uint64(0) || uint64(length) <= limit.V.Cur), ino.Known&world.KnownSize != 0 && length <= ino.Size:
	case !limit.Known() || ino.Known&world.KnownSize == 0:
		c.Unknown(s)
	default:
		return c.Deny(s)
	}
	return 0
}

// Lseek is ksys_lseek. Where a file stands is not known, but for SEEK_SET.
func Lseek(c *check.Check, fd int, off int64, whence uint64) story.Errno {
	f, err := file(c, fd, story.OpLook)
	if f == nil {
		return err
	}
	if whence > 4 {
		return Invalid(c, story.EINVAL, "whence is one of SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA and SEEK_HOLE")
	}
	if err := seeks(c, f); err != 0 {
		return err
	}
	ino := c.W.FS.I(f.Path.Dentry)
	size := ino.Known&world.KnownSize != 0 && ino.Is(world.TypeReg)
	switch {
	case ino.Is(world.TypeChar):
	case whence == 0 && off < 0, whence == 2 && size && off+ino.Size < 0:
		return Invalid(c, story.EINVAL, "the position is negative")
	case whence >= 3 && size && (off < 0 || off >= ino.Size):
		return Invalid(c, story.ENXIO, "there is nothing behind the end of the file")
	case whence == 1 && off < 0, whence == 2 && off < 0 && !size, whence >= 3 && !size:
		s := story.Step{Code: story.DescriptorData, Errno: story.EINVAL, Op: story.OpLook, Obj: f.Path.Ref(), Fact: [3]story.Origin{f.At}, Val: [3]uint64{c.Word("where the descriptor stands")}}
		c.Unknown(s)
		c.MayEnd(story.ENXIO)
	}
	return 0
}

// Fallocate is vfs_fallocate.
func Fallocate(c *check.Check, fd int, mode uint64, off, length int64) story.Errno {
	f, err := file(c, fd, story.OpWrite)
	if f == nil {
		return err
	}
	const keep, punch, collapse, zero, insert, unshare = 1, 2, 8, 16, 32, 64
	bare := mode &^ keep
	switch {
	case off < 0 || length <= 0:
		return Invalid(c, story.EINVAL, "the offset is not negative and the length positive")
	case bare != 0 && bare != punch && bare != collapse && bare != zero && bare != insert && bare != unshare,
		bare == punch && mode&keep == 0, (bare == collapse || bare == insert) && mode&keep != 0:
		return Invalid(c, story.EOPNOTSUPP, "the flags do not go together")
	}
	if err := mayUse(c, f, check.MayWrite, story.EBADF, story.DescriptorMode); err != 0 {
		return err
	}
	ino := c.Inode(f.Path.Dentry)
	at := [3]story.Origin{ino.At}
	if bare != 0 && ino.Attr&world.AttrAppend != 0 {
		if err := c.Deny(story.Step{Code: story.AppendOnly, Errno: story.EPERM, Op: story.OpWrite, Obj: f.Path.Ref(), Fact: at}); err != 0 {
			return err
		}
	}
	if ino.Attr&world.AttrImmutable != 0 {
		if err := c.Deny(story.Step{Code: story.Immutable, Errno: story.EPERM, Op: story.OpWrite, Obj: f.Path.Ref(), Fact: at}); err != 0 {
			return err
		}
	}
	if err := c.LSM.FilePermission(c, f, check.MayWrite); err != 0 {
		return err
	}
	if err := lacks(c, f, "allocation", story.ESPIPE, kind(c, f, world.TypeFIFO)); err != 0 {
		return err
	}
	if k := kind(c, f, world.TypeReg); k == kernel.No && kind(c, f, world.TypeBlk) != kernel.Yes {
		return lacks(c, f, "allocation", story.ENODEV, kernel.Yes)
	}
	if off+length < 0 {
		return Invalid(c, story.EFBIG, "the range ends behind the largest offset")
	}
	return allocates(c, f, mode, off+length)
}

// allocates is file_operations.fallocate.
func allocates(c *check.Check, f *world.FD, mode uint64, end int64) story.Errno {
	ino := c.W.FS.I(f.Path.Dentry)
	a := kernel.NotKnown
	bare := mode &^ uint64(1)
	switch typ := realType(c, f.Path.Dentry); {
	case typ == "tmpfs" && bare != 0 && bare != 2, typ == "ramfs", typ == "proc":
		a = kernel.Yes
	case typ == "tmpfs", (typ == "ext4" || typ == "xfs" || typ == "btrfs") && bare&^3 == 0:
		a = kernel.No
	}
	if err := lacks(c, f, "this allocation", story.EOPNOTSUPP, a); err != 0 {
		return err
	}
	if mode&1 == 0 || mode&2 == 0 && realType(c, f.Path.Dentry) == "tmpfs" { // shmem_fallocate asks with FALLOC_FL_KEEP_SIZE too
		if err := newSize(c, f.Path, end); err != 0 {
			return err
		}
	}
	if end > 1<<30 && mode&2 == 0 {
		c.Unknown(story.Step{Code: story.DescriptorData, Errno: story.ENOSPC, Op: story.OpWrite, Obj: f.Path.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{c.Word("how much room the filesystem has")}})
		c.MayEnd(story.EFBIG)
	}
	if err := killCaps(c, f.Path); err != 0 {
		return err
	}
	c.Changed = check.Changed{Path: f.Path, Grows: mode&1 == 0}
	if c.Recording() {
		c.Effect(story.Effect{Kind: "written", Path: c.W.PathText(f.Path)})
	}
	needsRemovePrivs(c, f.Path).remove(c, f.Path)
	return 0
}

// realType is the type of the filesystem that holds a file's data: of an overlay, that of the layer.
func realType(c *check.Check, d world.DentryID) string {
	fs := c.W.FS
	sb := fs.SBOf(d)
	if ino := fs.I(d); sb.Type == "overlay" && len(ino.Layers) > 0 {
		return fs.SBOf(ino.Layers[0]).Type
	}
	return sb.Type
}

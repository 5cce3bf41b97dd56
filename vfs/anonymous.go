package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Calls on descriptors that are no files, such as epoll's and timers, on pipes, and on ranges of open files.

// NotFile refuses an open file where the call takes a descriptor of another kind; what counts as closed is EBADF first.
func NotFile(c *check.Check, fd int, what string, errno story.Errno) story.Errno {
	f, err := file(c, fd, story.OpOpen)
	if f == nil {
		if err == 0 {
			c.MayEnd(errno)
		}
		return err
	}
	s := story.Step{Code: story.WrongDescriptor, Errno: errno, Op: story.OpOpen, Fact: [3]story.Origin{f.At}, Val: [3]uint64{uint64(int64(fd)), c.Word(what)}}
	if !f.At.Known() || f.Kind == world.FDFile && f.Path == (world.Path{}) {
		c.Unknown(s)
		return 0
	}
	return c.Refuse(s)
}

// EpollControl is do_epoll_ctl: what is watched must have a poll operation, which regular files and directories lack.
func EpollControl(c *check.Check, epfd int, op uint64, fd int, fault bool) story.Errno {
	const add, del, mod = 1, 2, 3
	if op != del && fault {
		return Fault(c)
	}
	ep, err := file(c, epfd, story.OpOpen)
	if err != 0 {
		return err
	}
	f, err := file(c, fd, story.OpRead)
	if err != 0 {
		return err
	}
	if f != nil {
		if err := lacks(c, f, "polling", story.EPERM, pollable(c, f)); err != 0 {
			return err
		}
	}
	if ep == nil || !ep.At.Known() || ep.Kind == world.FDFile && ep.Path == (world.Path{}) {
		for _, e := range [...]story.Errno{story.EINVAL, story.EEXIST, story.ENOENT} {
			c.MayEnd(e)
		}
		return NotKnown(c, "what the epoll descriptor watches", story.EINVAL)
	}
	return NotFile(c, epfd, "an epoll descriptor", story.EINVAL)
}

// pollable answers whether a file lacks a poll operation (file_can_poll).
func pollable(c *check.Check, f *world.FD) (lacking kernel.Answer) {
	ino := c.W.FS.I(f.Path.Dentry)
	switch {
	case f.Kind == world.FDSocket || f.Kind == world.FDPid:
		return kernel.No
	case f.Kind == world.FDNamespace:
		return kernel.Yes
	case f.Path == (world.Path{}) || ino.Known&world.KnownType == 0:
		return kernel.NotKnown
	case ino.Is(world.TypeFIFO):
		return kernel.No
	case ino.Is(world.TypeChar) && ino.Major == 1 && (ino.Minor == 3 || ino.Minor == 5): // null, zero
		return kernel.Yes
	case ino.Is(world.TypeDir), ino.Is(world.TypeReg):
		switch realType(c, f.Path.Dentry) {
		case "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "ramfs", "devtmpfs":
			return kernel.Yes
		}
	}
	return kernel.NotKnown
}

// Splice is __do_splice and do_splice: one end is a pipe.
func Splice(c *check.Check, in, out int, offIn, offOut bool, length, flags uint64) story.Errno {
	switch {
	case length == 0:
		return 0
	case flags&^15 != 0:
		return Invalid(c, story.EINVAL, "splice does not know these flags")
	}
	from, err := file(c, in, story.OpRead)
	if err != 0 {
		return err
	}
	to, err := file(c, out, story.OpWrite)
	if err != 0 {
		return err
	}
	if from == nil || to == nil {
		return pipesLost(c)
	}
	for _, end := range [...]struct {
		f   *world.FD
		off bool
	}{{from, offIn}, {to, offOut}} {
		if end.off {
			if err := lacks(c, end.f, "a position", story.ESPIPE, isPipe(c, end.f)); err != 0 {
				return err
			}
		}
	}
	if err := mayUse(c, from, check.MayRead, story.EBADF, story.DescriptorMode); err != 0 {
		return err
	}
	if err := mayUse(c, to, check.MayWrite, story.EBADF, story.DescriptorMode); err != 0 {
		return err
	}
	if a, b := isPipe(c, from), isPipe(c, to); a == kernel.No && b == kernel.No {
		return Invalid(c, story.EINVAL, "neither end is a pipe")
	}
	return pipesLost(c)
}

// pipesLost is what data and the other ends of pipes decide.
func pipesLost(c *check.Check) story.Errno {
	for _, e := range [...]story.Errno{story.EAGAIN, story.EPIPE, story.EBADF, story.ESPIPE} {
		c.MayEnd(e)
	}
	c.MayBlock()
	return NotKnown(c, "what the pipes hold and who has their other ends", story.EINVAL)
}

// isPipe is get_pipe_info.
func isPipe(c *check.Check, f *world.FD) kernel.Answer {
	switch {
	case f.Kind != world.FDFile:
		return kernel.No
	case f.Path == (world.Path{}):
		return kernel.NotKnown
	}
	return kind(c, f, world.TypeFIFO)
}

// Tee is do_tee: both ends are pipes.
func Tee(c *check.Check, in, out int, length, flags uint64) story.Errno {
	switch {
	case flags&^15 != 0:
		return Invalid(c, story.EINVAL, "tee does not know these flags")
	case length == 0:
		return 0
	}
	from, err := file(c, in, story.OpRead)
	if err != 0 {
		return err
	}
	to, err := file(c, out, story.OpWrite)
	if err != 0 {
		return err
	}
	if from == nil || to == nil {
		return pipesLost(c)
	}
	if err := mayUse(c, from, check.MayRead, story.EBADF, story.DescriptorMode); err != 0 {
		return err
	}
	if err := mayUse(c, to, check.MayWrite, story.EBADF, story.DescriptorMode); err != 0 {
		return err
	}
	if isPipe(c, from) == kernel.No || isPipe(c, to) == kernel.No {
		return Invalid(c, story.EINVAL, "both ends are pipes")
	}
	return pipesLost(c)
}

// Vmsplice is SYSCALL_DEFINE4(vmsplice).
func Vmsplice(c *check.Check, fd int, fault bool, n, flags uint64) story.Errno {
	if flags&^15 != 0 {
		return Invalid(c, story.EINVAL, "vmsplice does not know these flags")
	}
	f, err := file(c, fd, story.OpWrite)
	if f == nil {
		return err
	}
	if f.Flags&OAccMode == OAccMode && !unsureFlags(f) {
		return c.Refuse(story.Step{Code: story.DescriptorMode, Errno: story.EBADF, Op: story.OpWrite, Fact: [3]story.Origin{f.At}, Val: [3]uint64{uint64(int64(fd)), c.Word(modeWords[3]), c.Word("O_RDONLY, O_WRONLY or O_RDWR")}})
	}
	switch {
	case n == 0:
		return 0
	case n > 1024:
		return Invalid(c, story.EINVAL, "there are at most 1024 buffers")
	case fault:
		return Fault(c)
	}
	if isPipe(c, f) == kernel.No {
		c.MayEnd(0)
		return NotKnown(c, "how much the buffers hold: where it is nothing the descriptor need not be a pipe", story.EBADF, story.EFAULT)
	}
	return pipesLost(c)
}

// Fadvise is generic_fadvise.
func Fadvise(c *check.Check, fd int, length int64, advice uint64) story.Errno {
	f, err := file(c, fd, story.OpRead)
	if f == nil {
		return err
	}
	if err := lacks(c, f, "a position", story.ESPIPE, isPipe(c, f)); err != 0 {
		return err
	}
	if length < 0 || advice > 5 {
		return Invalid(c, story.EINVAL, "the length is not negative, and the advice one of six")
	}
	return 0
}

// Readahead is ksys_readahead.
func Readahead(c *check.Check, fd int) story.Errno {
	f, err := file(c, fd, story.OpRead)
	if f == nil {
		return err
	}
	if err := mayUse(c, f, check.MayRead, story.EBADF, story.DescriptorMode); err != 0 {
		return err
	}
	switch a, b := kind(c, f, world.TypeReg), kind(c, f, world.TypeBlk); {
	case f.Kind != world.FDFile || a == kernel.No && b == kernel.No:
		return lacks(c, f, "reading ahead", story.EINVAL, kernel.Yes)
	case a == kernel.NotKnown:
		return lacks(c, f, "reading ahead", story.EINVAL, kernel.NotKnown)
	}
	return 0
}

// SyncRange is sync_file_range.
func SyncRange(c *check.Check, fd int, off, n int64, flags uint64) story.Errno {
	f, err := file(c, fd, story.OpWrite)
	if f == nil {
		return err
	}
	if flags&^7 != 0 || off < 0 || off+n < 0 || n < 0 {
		return Invalid(c, story.EINVAL, "the range or the flags are none")
	}
	ino := c.W.FS.I(f.Path.Dentry)
	switch {
	case f.Kind == world.FDFile && f.Path == (world.Path{}) || f.Kind == world.FDFile && ino.Known&world.KnownType == 0:
		return lacks(c, f, "ranges", story.ESPIPE, kernel.NotKnown)
	case f.Kind != world.FDFile, !ino.Is(world.TypeReg) && !ino.Is(world.TypeBlk) && !ino.Is(world.TypeDir) && !ino.Is(world.TypeLink):
		return lacks(c, f, "ranges", story.ESPIPE, kernel.Yes)
	}
	return 0
}

// CacheStat is cachestat: since Linux 6.12 it is for whoever may write to the file (can_do_cachestat).
func CacheStat(c *check.Check, fd int, fault bool, flags uint64) story.Errno {
	f, err := file(c, fd, story.OpRead)
	if f == nil {
		return err
	}
	switch {
	case fault:
		return Fault(c)
	case flags != 0:
		return Invalid(c, story.EINVAL, "cachestat has no flags")
	case !unsureFlags(f) && f.Flags&OAccMode&3 != 0:
		return 0
	}
	ino := c.W.FS.I(f.Path.Dentry)
	if ownerOr(c, ino.UID) == kernel.Yes && ino.Known&world.KnownOwner != 0 {
		return 0
	}
	return NotKnown(c, "whether the kernel asks for the right to write, and the task has it", story.EPERM)
}

// NotPidfd refuses what is no pidfd (pidfd_get_pid): it counts as closed.
func NotPidfd(c *check.Check, fd int) story.Errno {
	if f := c.W.Task.FDByNumber(fd); f != nil && f.Kind == world.FDPid {
		return 0
	}
	return NotFile(c, fd, "a process's descriptor", story.EBADF)
}

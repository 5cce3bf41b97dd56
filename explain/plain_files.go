package explain

import (
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of calls on pipes, ranges of files, epoll, timers and the like: fs/splice.c, mm/fadvise.c, fs/eventpoll.c, fs/timerfd.c.

var _ = add(map[string]Route{"preadv2": readWritev2, "pwritev2": readWritev2, "splice": splice, "tee": tee, "vmsplice": vmsplice, "fadvise64": fadvise, "readahead": readahead,
	"sync_file_range": syncRange, "close_range": closeRange, "cachestat": cachestat, "getcwd": getcwd, "inotify_rm_watch": inotifyRmWatch,
	"epoll_create": epollCreate, "epoll_create1": epollCreate1, "epoll_ctl": epollCtl, "epoll_wait": epollWait, "epoll_pwait": epollWait, "epoll_pwait2": epollWait,
	"eventfd": eventfd, "eventfd2": eventfd, "signalfd": signalfd, "signalfd4": signalfd, "timerfd_create": timerfdCreate, "timerfd_settime": timerfdSettime, "timerfd_gettime": timerfdGettime,
	"io_setup": ioSetup, "io_destroy": aio, "io_submit": aio, "io_cancel": aio, "io_getevents": aio, "io_pgetevents": aio})

// number is an argument whose value is known: a name that is not known stands for any.
func number(a *syscalls.Arg) (v uint64, ok bool) {
	return a.Val, a.Kind != syscalls.Pointer || a.Str == ""
}

// readWritev2 is do_preadv and do_pwritev with flags, which are looked at once there is something to read or write; the
// position -1 is where the descriptor stands.
func readWritev2(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	io := vfs.IO{FD: dfd(&a[0]), Write: call.Name[1] == 'w', Vector: true, Known: a[2].Val == 0, Fault: isNull(&a[1])}
	io.At, io.Pos = int64(a[3].Val) != -1, int64(a[3].Val)
	if e := vfs.ReadWrite(c, io); e != 0 || io.Known || a[5].Absent {
		return e
	}
	const known = 0x3f
	if v, ok := number(&a[5]); !ok || v&^known != 0 {
		return vfs.NotKnown(c, "whether kernel and filesystem know the flags of this call", story.EOPNOTSUPP, story.EINVAL)
	} else if v&48 == 48 {
		return vfs.NotKnown(c, "whether the buffers hold anything: RWF_APPEND and RWF_NOAPPEND exclude each other", story.EINVAL, story.EOPNOTSUPP)
	} else if v&8 != 0 {
		return vfs.NotKnown(c, "whether the filesystem can do without waiting", story.EOPNOTSUPP, story.EAGAIN)
	}
	return 0
}

func splice(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Splice(c, dfd(&a[0]), dfd(&a[2]), !isNull(&a[1]), !isNull(&a[3]), a[4].Val, a[5].Val)
}

func tee(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Tee(c, dfd(&a[0]), dfd(&a[1]), a[2].Val, a[3].Val)
}

func vmsplice(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Vmsplice(c, dfd(&a[0]), isNull(&a[1]), a[2].Val, a[3].Val)
}

func fadvise(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Fadvise(c, dfd(&a[0]), int64(a[2].Val), uint64(uint32(a[3].Val)))
}

func readahead(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Readahead(c, dfd(&call.Args[0]))
}

func syncRange(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.SyncRange(c, dfd(&a[0]), int64(a[1].Val), int64(a[2].Val), a[3].Val)
}

func closeRange(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if flags, ok := number(&a[2]); ok && uint32(flags)&^6 != 0 || uint32(a[0].Val) > uint32(a[1].Val) {
		return vfs.Invalid(c, story.EINVAL, "the range ends before it begins, or the flags are none")
	}
	return 0
}

func cachestat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.CacheStat(c, dfd(&a[0]), isNull(&a[1]), a[3].Val)
}

// getcwd has no check: the path of a directory that was removed is ENOENT, one that the root does not reach begins with
// (unreachable).
func getcwd(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if len(a) > 1 && !a[1].Absent && a[1].Val < 2 {
		return vfs.Invalid(c, story.ERANGE, "there is no room for a path")
	}
	if e := copyOut(c, &a[0]); e != 0 {
		return e
	}
	return vfs.Unchecked(c, "getcwd")
}

func inotifyRmWatch(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.NotFile(c, dfd(&call.Args[0]), "an inotify descriptor", story.EINVAL)
}

func epollCreate(c *check.Check, call *syscalls.Call) story.Errno {
	if int32(call.Args[0].Val) <= 0 {
		return vfs.Invalid(c, story.EINVAL, "the size is positive, though it means nothing")
	}
	return vfs.FreeDescriptor(c)
}

func epollCreate1(c *check.Check, call *syscalls.Call) story.Errno {
	if call.Args[0].Val&^0o2000000 != 0 {
		return vfs.Invalid(c, story.EINVAL, "epoll_create1 knows EPOLL_CLOEXEC")
	}
	return vfs.FreeDescriptor(c)
}

func epollCtl(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	op, _ := number(&a[1])
	return vfs.EpollControl(c, dfd(&a[0]), op, dfd(&a[2]), isNull(&a[3]))
}

// epollWait: which of descriptor and number is looked at first has changed, so that of two errors either may be told.
func epollWait(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if most := int32(a[2].Val); most <= 0 || most > 1<<31/12 {
		if c.W.Task.FDByNumber(dfd(&a[0])) == nil {
			c.MayEnd(story.EBADF)
		}
		return vfs.Invalid(c, story.EINVAL, "room for an event is needed")
	}
	if e := vfs.NotFile(c, dfd(&a[0]), "an epoll descriptor", story.EINVAL); e != 0 {
		return e
	}
	c.MayBlock()
	return 0
}

func eventfd(c *check.Check, call *syscalls.Call) story.Errno {
	if a := call.Args; len(a) > 1 && a[1].Val&^0o2004001 != 0 {
		return vfs.Invalid(c, story.EINVAL, "eventfd2 knows EFD_SEMAPHORE, EFD_CLOEXEC and EFD_NONBLOCK")
	}
	return vfs.FreeDescriptor(c)
}

// signalfd makes a descriptor for -1, and else changes one.
func signalfd(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	switch {
	case uint64(a[2].Val) != 8:
		return vfs.Invalid(c, story.EINVAL, "a set of signals has eight bytes")
	case isNull(&a[1]):
		return vfs.Fault(c)
	case len(a) > 3 && a[3].Val&^0o2004000 != 0:
		return vfs.Invalid(c, story.EINVAL, "signalfd4 knows SFD_CLOEXEC and SFD_NONBLOCK")
	case dfd(&a[0]) == -1:
		return vfs.FreeDescriptor(c)
	}
	return vfs.NotFile(c, dfd(&a[0]), "a descriptor of signals", story.EINVAL)
}

func timerfdCreate(c *check.Check, call *syscalls.Call) story.Errno {
	clock, known := number(&call.Args[0])
	if flags := call.Args[1].Val; flags&^0o2004000 != 0 {
		return vfs.Invalid(c, story.EINVAL, "timerfd_create knows TFD_CLOEXEC and TFD_NONBLOCK")
	}
	switch int32(clock) {
	case 0, 1, 7:
	case 8, 9:
		if e := wakeAlarm(c); e != 0 {
			return e
		}
	default:
		if known {
			return vfs.Invalid(c, story.EINVAL, "no timer runs by this clock")
		}
	}
	return vfs.FreeDescriptor(c)
}

// timerfdSettime: who may not wake the machine may not set a timer that would either.
func timerfdSettime(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	switch {
	case isNull(&a[2]):
		return vfs.Fault(c)
	case a[1].Val&^3 != 0:
		return vfs.Invalid(c, story.EINVAL, "timerfd_settime does not know these flags")
	}
	if e := vfs.NotFile(c, dfd(&a[0]), "a timer", story.EINVAL); e != 0 {
		return e
	}
	c.MayEnd(story.EPERM)
	return 0
}

func timerfdGettime(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.NotFile(c, dfd(&call.Args[0]), "a timer", story.EINVAL)
}

func ioSetup(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.AIO, story.ENOSYS); e != 0 {
		return e
	}
	if isNull(&call.Args[1]) {
		return vfs.Fault(c)
	}
	return vfs.NotKnown(c, "what lies at the context's address", story.EINVAL, story.EAGAIN)
}

// aio are calls on a context that io_setup made, whose number is an address.
func aio(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.AIO, story.ENOSYS); e != 0 {
		return e
	}
	a := call.Args
	switch {
	case call.Name == "io_cancel" && len(a) > 1 && isNull(&a[1]):
		return vfs.Fault(c)
	case len(a) > 0 && a[0].Val == 0 && (call.Name == "io_destroy" || call.Name == "io_submit" && int64(a[1].Val) >= 0 || strings.HasSuffix(call.Name, "getevents") && len(a) > 4 && isNull(&a[4])):
		return vfs.Invalid(c, story.EINVAL, "there is no such context")
	case call.Name == "io_submit" && int64(a[1].Val) < 0:
		return vfs.Invalid(c, story.EINVAL, "a number of requests is not negative")
	}
	return vfs.NotKnown(c, "which contexts of asynchronous I/O the task has", story.EINVAL, story.EAGAIN, story.EFAULT, story.EBADF)
}

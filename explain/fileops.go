package explain

import (
	"syscallstory/check"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of calls on open files, mappings and watches: fs/read_write.c, fs/fcntl.c, mm/mmap.c, fs/notify, fs/fhandle.c.

func init() {
	for name, r := range map[string]Route{
		"read": readWrite, "pread64": readWrite, "pwrite64": readWrite, "readv": readWritev, "writev": readWritev, "preadv": readWritev, "pwritev": readWritev,
		"lseek": lseek, "fallocate": fallocate, "copy_file_range": copyFileRange, "sendfile": sendfile, "fsync": fsync, "fdatasync": fsync, "syncfs": syncfs, "sync": nothing,
		"flock": flock, "fcntl": fcntl, "dup": dup, "dup2": dup2, "dup3": dup3, "pipe": pipe, "pipe2": pipe, "getdents": getdents, "getdents64": getdents,
		"statfs": statfs, "fstatfs": statfs, "utime": utime, "utimes": utimes, "futimesat": futimesat, "mmap": mmap, "mprotect": mprotect, "memfd_create": memfdCreate,
		"name_to_handle_at": nameToHandle, "open_by_handle_at": openByHandle, "inotify_init": inotifyInit, "inotify_init1": inotifyInit, "inotify_add_watch": inotifyAddWatch,
		"fanotify_init": fanotifyInit, "fanotify_mark": fanotifyMark,
	} {
		routes[name] = r
	}
}

// nothing is a call that nobody is refused.
func nothing(*check.Check, *syscalls.Call) story.Errno { return 0 }

func readWrite(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	io := vfs.IO{FD: dfd(&a[0]), Write: call.Name[0] == 'w' || call.Name[1] == 'w', Count: a[2].Val, Known: !a[2].Absent, Fault: a[1].Fault && a[1].Val < 4096 && !a[1].Absent}
	if len(a) > 3 {
		io.At, io.Pos = !a[3].Absent, int64(a[3].Val)
	}
	return vfs.ReadWrite(c, io)
}

// readWritev is readv and its relatives: what the buffers hold together is known only where there are none.
func readWritev(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	io := vfs.IO{FD: dfd(&a[0]), Write: call.Name[0] == 'w' || call.Name[1] == 'w', Vector: true, Known: a[2].Val == 0, Fault: isNull(&a[1])}
	if len(a) > 3 {
		io.At, io.Pos = true, int64(a[3].Val)
	}
	return vfs.ReadWrite(c, io)
}

func lseek(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Lseek(c, dfd(&a[0]), int64(a[1].Val), uint64(uint32(a[2].Val)))
}

func fallocate(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Fallocate(c, dfd(&a[0]), a[1].Val, int64(a[2].Val), int64(a[3].Val))
}

func copyFileRange(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.CopyFileRange(c, dfd(&a[0]), dfd(&a[2]), a[4].Val, a[5].Val)
}

func sendfile(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Sendfile(c, dfd(&a[0]), dfd(&a[1]), !isNull(&a[2]), a[3].Val)
}

func fsync(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Fsync(c, dfd(&call.Args[0]))
}
func syncfs(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Syncfs(c, dfd(&call.Args[0]))
}

func flock(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Flock(c, dfd(&call.Args[0]), call.Args[1].Val)
}

func fcntl(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	cmd := a[1].Val
	if a[1].Kind == syscalls.Pointer || a[2].Kind == syscalls.Pointer && !a[2].Absent && a[2].Str != "" { // not all is known by number
		cmd = ^uint64(0)
	}
	return vfs.Fcntl(c, dfd(&a[0]), cmd, a[2].Val)
}

func dup(c *check.Check, call *syscalls.Call) story.Errno { return vfs.Dup(c, dfd(&call.Args[0])) }

func dup2(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Dup3(c, dfd(&call.Args[0]), dfd(&call.Args[1]), 0, true)
}

func dup3(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Dup3(c, dfd(&call.Args[0]), dfd(&call.Args[1]), call.Args[2].Val, false)
}

func pipe(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	flags := uint64(0)
	if len(a) > 1 {
		flags = a[1].Val
	}
	return vfs.Pipe(c, flags, !a[0].Absent && isNull(&a[0]))
}

func getdents(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Getdents(c, dfd(&a[0]), a[2].Val, !a[2].Absent, !a[1].Absent && isNull(&a[1]))
}

func statfs(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	t := cwd(&a[0])
	if call.Name == "fstatfs" {
		t = fd(&a[0])
	}
	if e := vfs.Statfs(c, t); e != 0 {
		return e
	}
	return copyOut(c, &a[1])
}

// utime takes NULL or two seconds; its times are never the present.
func utime(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	null := a[1].Absent || isNull(&a[1])
	return vfs.Utimes(c, cwd(&a[0]), vfs.Times{Given: !null, Lost: !null && !a[1].Struct()})
}

func utimes(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return microTimes(c, cwd(&a[0]), &a[1])
}

func futimesat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	t := at(dfd(&a[0]), &a[1])
	t.FD = isNull(&a[1]) && t.DFD != namei.AtFDCWD
	return microTimes(c, t, &a[2])
}

// microTimes is do_futimesat: microseconds are looked at before the path.
func microTimes(c *check.Check, t vfs.Target, times *syscalls.Arg) story.Errno {
	null := times.Absent || isNull(times)
	if !null && (times.How[0] >= 1_000_000 || times.How[1] >= 1_000_000) {
		return vfs.Invalid(c, story.EINVAL, "microseconds are less than 1000000")
	}
	return vfs.Utimes(c, t, vfs.Times{Given: !null, Nsec: [2]uint64{times.How[0] * 1000, times.How[1] * 1000}, Lost: !null && times.Fault})
}

func mmap(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Mmap(c, vfs.MapArgs{Addr: a[0].Val, Len: a[1].Val, Prot: a[2].Val, Flags: a[3].Val, FD: dfd(&a[4]), Off: a[5].Val})
}

func mprotect(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Mprotect(c, a[0].Val, a[1].Val, a[2].Val)
}

func memfdCreate(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.MemfdCreate(c, a[0].Str, a[0].Fault, a[1].Val)
}

func nameToHandle(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	t := at(dfd(&a[0]), &a[1])
	t.Flags = a[4].Val
	n, ok := a[2].Field("handle_bytes")
	if e := vfs.NameToHandle(c, t, n.Val, ok || a[2].Struct(), a[2].Fault); e != 0 {
		return e
	}
	return copyOut(c, &a[3])
}

func openByHandle(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	n, ok := a[1].Field("handle_bytes")
	return vfs.OpenByHandle(c, dfd(&a[0]), vfs.Handle{Bytes: n.Val, Known: ok, Fault: a[1].Fault}, a[2].Val)
}

func inotifyInit(c *check.Check, call *syscalls.Call) story.Errno {
	flags := uint64(0)
	if len(call.Args) > 0 {
		flags = call.Args[0].Val
	}
	return vfs.InotifyInit(c, flags)
}

func inotifyAddWatch(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.InotifyAddWatch(c, dfd(&a[0]), cwd(&a[1]), a[2].Val)
}

func fanotifyInit(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.FanotifyInit(c, call.Args[0].Val)
}

// fanotifyMark takes NULL for the directory itself.
func fanotifyMark(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	t := at(dfd(&a[3]), &a[4])
	t.FD = isNull(&a[4])
	return vfs.FanotifyMark(c, dfd(&a[0]), a[1].Val, a[2].Val, t)
}

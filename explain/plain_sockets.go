package explain

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of calls that use sockets, and of those that no kernel has any more.

var _ = add(map[string]Route{"getsockname": getsockname, "getpeername": getsockname, "getsockopt": getsockopt, "shutdown": shutdown, "sendto": sends, "sendmsg": sends, "sendmmsg": sends,
	"recvfrom": receives, "recvmsg": receives, "recvmmsg": receives})

var _ = add(gone("_sysctl", "afs_syscall", "create_module", "epoll_ctl_old", "epoll_wait_old", "get_kernel_syms", "getpmsg", "nfsservctl", "putpmsg", "query_module", "security", "tuxcall", "vserver",
	"set_thread_area", "get_thread_area"))

func getsockname(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.SocketName(c, dfd(&a[0]), call.Name == "getpeername", isNull(&a[2]))
}

func getsockopt(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Getsockopt(c, dfd(&a[0]), int(int32(a[1].Val)), int(int32(a[2].Val)), isNull(&a[4]), isNull(&a[3]))
}

func shutdown(c *check.Check, call *syscalls.Call) story.Errno {
	how, known := number(&call.Args[1])
	return vfs.Shutdown(c, dfd(&call.Args[0]), int32(how), known)
}

func sends(c *check.Check, call *syscalls.Call) story.Errno {
	return socketIO(c, call, story.OpWrite)
}

func receives(c *check.Check, call *syscalls.Call) story.Errno {
	return socketIO(c, call, story.OpRead)
}

func socketIO(c *check.Check, call *syscalls.Call, op story.Op) story.Errno {
	a := call.Args
	io := vfs.SocketIO{FD: dfd(&a[0]), Op: op, Message: call.Name != "sendto" && call.Name != "recvfrom"}
	if !io.Message {
		io.Flags, io.Known = number(&a[3])
		io.To = op == story.OpWrite && !a[4].Absent && !isNull(&a[4])
	}
	return io.Do(c)
}

// gone are calls that have a number and no function: old kernels had one, or none ever did.
func gone(names ...string) map[string]Route {
	all := map[string]Route{}
	for _, name := range names {
		all[name] = func(c *check.Check, call *syscalls.Call) story.Errno {
			if name == "_sysctl" && c.K.Has(kernel.SysctlCallGone) != kernel.Yes {
				return vfs.NotKnown(c, "which setting is asked for", story.ENOSYS, story.EPERM, story.ENOTDIR)
			}
			return c.Refuse(story.Step{Code: story.SyscallGone, Errno: story.ENOSYS, Op: story.OpEnter, Val: [3]uint64{c.Word(call.Name)}})
		}
	}
	return all
}

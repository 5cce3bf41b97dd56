package explain

import (
	"strconv"
	"strings"

	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
	"syscallstory/world"
)

// Routes of signals and descriptors of processes: kernel/signal.c, kernel/pid.c.

var _ = add(map[string]Route{"kill": kill, "tkill": tkill, "tgkill": tgkill, "rt_sigqueueinfo": sigqueue, "rt_tgsigqueueinfo": tgsigqueue,
	"pidfd_open": pidfdOpen, "pidfd_send_signal": pidfdSendSignal, "pidfd_getfd": pidfdGetfd})

// pidOf is an argument of the type pid_t.
func pidOf(a *syscalls.Arg) int { return int(int32(a.Val)) }

// kill is kill_something_info: a process that does not exist comes before a signal that does not.
func kill(c *check.Check, call *syscalls.Call) story.Errno {
	pid, sig := pidOf(&call.Args[0]), pidOf(&call.Args[1])
	switch {
	case pid > 0:
		p, e := vfs.FindProcess(c, pid, story.OpSignal)
		if e != 0 {
			return e
		}
		return vfs.Signal(c, p, sig, true)
	case pid == -1<<31:
		return vfs.Invalid(c, story.ESRCH, "this process group cannot be written")
	}
	return vfs.SignalMany(c, pid, sig)
}

func tkill(c *check.Check, call *syscalls.Call) story.Errno {
	pid := pidOf(&call.Args[0])
	if pid <= 0 {
		return vfs.Invalid(c, story.EINVAL, "a thread's id is positive")
	}
	return sendSpecific(c, 0, pid, pidOf(&call.Args[1]), true)
}

func tgkill(c *check.Check, call *syscalls.Call) story.Errno {
	tgid, pid := pidOf(&call.Args[0]), pidOf(&call.Args[1])
	if tgid <= 0 || pid <= 0 {
		return vfs.Invalid(c, story.EINVAL, "the ids of processes and threads are positive")
	}
	return sendSpecific(c, tgid, pid, pidOf(&call.Args[2]), true)
}

// sendSpecific is do_send_specific: a thread of one process.
func sendSpecific(c *check.Check, tgid, pid, sig int, fromUser bool) story.Errno {
	p, e := vfs.FindThread(c, tgid, pid, story.OpSignal)
	if e != 0 {
		return e
	}
	return vfs.Signal(c, p, sig, fromUser)
}

// siTkill is SI_TKILL, which only the kernel says.
const siTkill = -6

// code is si_code of what is queued with a signal.
func code(a *syscalls.Arg) (v int, known bool) {
	f, _ := a.Field("si_code")
	return int(int32(f.Val)), !a.Cut || f.Val != 0
}

// queued refuses information that a signal has from the kernel, unless the task sends it to itself.
func queued(c *check.Check, a *syscalls.Arg, pid int) (fromUser bool, e story.Errno) {
	if a.Fault {
		return false, vfs.Fault(c)
	}
	v, known := code(a)
	if !known {
		return true, vfs.NotKnown(c, "si_code of the signal", story.EPERM)
	}
	if v >= 0 || v == siTkill {
		switch t := c.W.Task.PID; {
		case t == 0 && pid > 0 && c.W.ProcessByPID(pid) == nil:
			return v <= 0, vfs.NotKnown(c, "whether the signal is for the task itself", story.EPERM)
		case t != pid:
			return false, vfs.Invalid(c, story.EPERM, "only the kernel says that a signal comes from kill or from itself (si_code)")
		}
	}
	return v <= 0, 0
}

func sigqueue(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	pid := pidOf(&a[0])
	user, e := queued(c, &a[2], pid)
	if e != 0 {
		return e
	}
	p, e := vfs.FindProcess(c, pid, story.OpSignal)
	if e != 0 {
		return e
	}
	return vfs.Signal(c, p, pidOf(&a[1]), user)
}

func tgsigqueue(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	tgid, pid := pidOf(&a[0]), pidOf(&a[1])
	if a[3].Fault {
		return vfs.Fault(c)
	}
	if tgid <= 0 || pid <= 0 {
		return vfs.Invalid(c, story.EINVAL, "the ids of processes and threads are positive")
	}
	user, e := queued(c, &a[3], pid)
	if e != 0 {
		return e
	}
	return sendSpecific(c, tgid, pid, pidOf(&a[2]), user)
}

// pidfdOpen names a process without asking for anything but that it is visible.
func pidfdOpen(c *check.Check, call *syscalls.Call) story.Errno {
	pid, flags := pidOf(&call.Args[0]), uint32(call.Args[1].Val)
	switch {
	case flags&^0o4200 != 0:
		return vfs.Invalid(c, story.EINVAL, "pidfd_open knows PIDFD_NONBLOCK and PIDFD_THREAD")
	case pid <= 0:
		return vfs.Invalid(c, story.EINVAL, "a pid is positive")
	}
	p, e := vfs.FindProcess(c, pid, story.OpOpen)
	if e != 0 {
		return e
	}
	if flags&0o200 == 0 {
		if e := vfs.Leader(c, p); e != 0 {
			return e
		}
	}
	return vfs.FreeDescriptor(c)
}

// pidfd returns the process that a descriptor stands for; it is written 3<pid:17>, as strace -y does.
func pidfd(c *check.Check, a *syscalls.Arg, op story.Op) (vfs.Process, story.Errno) {
	if text, ok := strings.CutPrefix(a.FDPath, "pid:"); ok {
		if n, err := strconv.Atoi(text); err == nil {
			return vfs.FindProcess(c, n, op)
		}
	}
	if f := c.W.Task.FDByNumber(dfd(a)); f != nil && f.At.Known() && f.Kind == world.FDPid {
		return vfs.FindProcess(c, f.PID, op)
	}
	return vfs.Process{}, vfs.OtherDescriptor(c, dfd(a), "pidfd", story.EBADF)
}

func pidfdSendSignal(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	flags := uint32(a[3].Val)
	if flags&^7 != 0 || flags&(flags-1) != 0 {
		return vfs.Invalid(c, story.EINVAL, "pidfd_send_signal takes one of PIDFD_SIGNAL_THREAD, PIDFD_SIGNAL_THREAD_GROUP, PIDFD_SIGNAL_PROCESS_GROUP")
	}
	if flags != 0 {
		return vfs.NotKnown(c, "to whom a pidfd's signal goes with these flags", story.EINVAL, story.EBADF, story.EPERM, story.ESRCH)
	}
	p, e := pidfd(c, &a[0], story.OpSignal)
	if e != 0 {
		return e
	}
	sig, user := pidOf(&a[1]), true
	if info := &a[2]; !info.Absent && !isNull(info) {
		if info.Fault {
			return vfs.Fault(c)
		}
		if f, ok := info.Field("si_signo"); !info.Cut && int(f.Val) != sig || ok && int(f.Val) != sig {
			return vfs.Invalid(c, story.EINVAL, "si_signo is another signal")
		}
		if user, e = queued(c, info, p.PID); e != 0 {
			return e
		}
	}
	return vfs.Signal(c, p, sig, user)
}

func pidfdGetfd(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if a[2].Val != 0 {
		return vfs.Invalid(c, story.EINVAL, "pidfd_getfd takes no flags")
	}
	p, e := pidfd(c, &a[0], story.OpTrace)
	if e != 0 {
		return e
	}
	if e := vfs.MayAccess(c, p, vfs.AccessMode{Attach: true, Errno: story.EPERM}); e != 0 {
		return e
	}
	return vfs.NotKnown(c, "which descriptors the process has", story.EBADF)
}

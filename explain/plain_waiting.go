package explain

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of signals, timers, waiting and what a process says of itself: kernel/signal.c, kernel/time, kernel/exit.c, kernel/futex.

var _ = add(map[string]Route{"exit": free("exit", "do_exit"), "exit_group": free("exit_group", "do_group_exit"), "rt_sigreturn": free("rt_sigreturn", "rt_sigreturn"),
	"restart_syscall": restartSyscall, "pause": pause, "getgroups": getgroups, "set_robust_list": setRobustList, "rseq": rseq, "sigaltstack": sigaltstack,
	"rt_sigaction": rtSigaction, "rt_sigprocmask": rtSigprocmask, "rt_sigpending": rtSigpending, "rt_sigsuspend": rtSigsuspend, "rt_sigtimedwait": rtSigtimedwait,
	"nanosleep": nanosleep, "clock_nanosleep": clockNanosleep, "getitimer": getitimer, "setitimer": setitimer, "timer_create": timerCreate, "timer_settime": timerByID, "timer_gettime": timerByID,
	"timer_delete": timerByID, "timer_getoverrun": timerByID, "futex": futex, "futex_wait": futexWait, "futex_waitv": futexWait, "futex_requeue": futexWait, "futex_wake": futexWait,
	"wait4": wait4, "waitid": waitid, "process_mrelease": processMrelease, "poll": poll, "ppoll": poll, "select": selectCall, "pselect6": selectCall,
	"lsm_list_modules": lsmCall, "lsm_get_self_attr": lsmCall, "lsm_set_self_attr": lsmCall})

// wakeAlarm asks for CAP_WAKE_ALARM in the initial user namespace, which clocks that wake the machine need.
func wakeAlarm(c *check.Check) story.Errno {
	return vfs.CapableHost(c, kernel.CapWakeAlarm, story.OpSystem)
}

func restartSyscall(c *check.Check, _ *syscalls.Call) story.Errno {
	return vfs.Invalid(c, story.EINTR, "only the kernel makes this call, behind a signal")
}

func pause(c *check.Check, _ *syscalls.Call) story.Errno {
	c.Blocks()
	return 0
}

func getgroups(c *check.Check, call *syscalls.Call) story.Errno {
	n := int32(call.Args[0].Val)
	if n < 0 {
		return vfs.Invalid(c, story.EINVAL, "a size is not negative")
	}
	if n > 0 {
		switch {
		case !c.Cred.GroupsAt.Known():
			return vfs.NotKnown(c, "how many groups the task has", story.EINVAL)
		case len(c.Cred.Groups) > int(n):
			return vfs.Invalid(c, story.EINVAL, "the task has more groups")
		case len(c.Cred.Groups) > 0 && isNull(&call.Args[1]):
			return vfs.Fault(c)
		}
	}
	return vfs.Unchecked(c, "getgroups")
}

func setRobustList(c *check.Check, call *syscalls.Call) story.Errno {
	if call.Args[1].Val != 24 {
		return vfs.Invalid(c, story.EINVAL, "the list's head has 24 bytes")
	}
	return vfs.Unchecked(c, "set_robust_list")
}

func rseq(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.RestartableSequences, story.ENOSYS); e != 0 {
		return e
	}
	if a := call.Args; len(a) > 2 && int32(a[2].Val) > 1 && a[2].Val&1 == 0 && a[2].Val > 0xff {
		return vfs.Invalid(c, story.EINVAL, "rseq does not know these flags")
	}
	return vfs.NotKnown(c, "whether the thread has registered restartable sequences", story.EINVAL, story.EBUSY, story.EPERM, story.EFAULT)
}

func sigaltstack(c *check.Check, call *syscalls.Call) story.Errno {
	if isNull(&call.Args[0]) {
		return vfs.Unchecked(c, "sigaltstack")
	}
	return vfs.NotKnown(c, "which stack signals get", story.EINVAL, story.ENOMEM, story.EPERM, story.EFAULT)
}

// sigset asks for the size of a set of signals.
func sigset(c *check.Check, size *syscalls.Arg) story.Errno {
	if !size.Absent && size.Val != 8 {
		return vfs.Invalid(c, story.EINVAL, "a set of signals has eight bytes")
	}
	return 0
}

func rtSigaction(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if e := sigset(c, &a[3]); e != 0 {
		return e
	}
	sig, ok := number(&a[0])
	set := !isNull(&a[1])
	if n := int32(sig); ok && (n < 1 || n > 64 || set && (n == 9 || n == 19)) {
		return vfs.Invalid(c, story.EINVAL, "signals have the numbers 1 to 64, and SIGKILL and SIGSTOP are not handled")
	}
	return vfs.Unchecked(c, "do_sigaction")
}

func rtSigprocmask(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if e := sigset(c, &a[3]); e != 0 {
		return e
	}
	if how, ok := number(&a[0]); ok && uint32(how) > 2 && !isNull(&a[1]) {
		return vfs.Invalid(c, story.EINVAL, "signals are blocked, let through or both")
	}
	return vfs.Unchecked(c, "sigprocmask")
}

func rtSigpending(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	switch {
	case !a[1].Absent && a[1].Val > 8:
		return vfs.Invalid(c, story.EINVAL, "a set of signals has eight bytes")
	case isNull(&a[0]) && a[1].Val != 0:
		return vfs.Fault(c)
	}
	return vfs.Unchecked(c, "rt_sigpending")
}

func rtSigsuspend(c *check.Check, call *syscalls.Call) story.Errno {
	if e := sigset(c, &call.Args[1]); e != 0 {
		return e
	}
	if isNull(&call.Args[0]) {
		return vfs.Fault(c)
	}
	c.Blocks()
	return 0
}

func rtSigtimedwait(c *check.Check, call *syscalls.Call) story.Errno {
	if len(call.Args) > 3 && call.Args[3].Val != 8 {
		return vfs.Invalid(c, story.EINVAL, "a set of signals has eight bytes")
	}
	if isNull(&call.Args[0]) {
		return vfs.Fault(c)
	}
	c.MayBlock()
	return vfs.NotKnown(c, "which signals wait", story.EAGAIN, story.EINTR, story.EINVAL)
}

// span is timespec64_valid.
func span(c *check.Check, a *syscalls.Arg) story.Errno {
	switch nsec := part(a, "tv_nsec"); {
	case a.Fault:
		return vfs.Fault(c)
	case part(a, "tv_sec") < 0 || nsec < 0 || nsec >= 1e9:
		return vfs.Invalid(c, story.EINVAL, "a time has less than 1000000000 nanoseconds")
	}
	return 0
}

func nanosleep(c *check.Check, call *syscalls.Call) story.Errno {
	if e := span(c, &call.Args[0]); e != 0 {
		return e
	}
	return vfs.Unchecked(c, "nanosleep")
}

func clockNanosleep(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	clock, ok := number(&a[0])
	switch id := int32(clock); {
	case !ok || id < 0 || id >= 16:
		return vfs.NotKnown(c, "the clock of a process or a device", story.EINVAL, story.EOPNOTSUPP)
	case id == 10 || id > 11:
		return vfs.Invalid(c, story.EINVAL, "there is no such clock")
	case id >= 3 && id <= 6:
		return vfs.Invalid(c, story.EOPNOTSUPP, "nobody waits by this clock")
	}
	if e := span(c, &a[2]); e != 0 {
		return e
	}
	if clock == 8 || clock == 9 {
		vfs.NotKnown(c, "whether the machine has a clock that can wake it", story.EOPNOTSUPP)
		return wakeAlarm(c)
	}
	return vfs.Unchecked(c, "clock_nanosleep")
}

func getitimer(c *check.Check, call *syscalls.Call) story.Errno {
	if which, ok := number(&call.Args[0]); ok && uint32(which) > 2 {
		return vfs.Invalid(c, story.EINVAL, "there are three timers")
	}
	return copyOut(c, &call.Args[1])
}

func setitimer(c *check.Check, call *syscalls.Call) story.Errno {
	if which, ok := number(&call.Args[0]); ok && uint32(which) > 2 {
		return vfs.Invalid(c, story.EINVAL, "there are three timers")
	}
	return vfs.Unchecked(c, "setitimer")
}

// timerCreate: which clocks have timers.
func timerCreate(c *check.Check, call *syscalls.Call) story.Errno {
	clock, ok := number(&call.Args[0])
	switch id := int32(clock); {
	case !ok || id < 0 || id >= 16:
		return vfs.NotKnown(c, "the clock of a process or a device", story.EINVAL, story.EOPNOTSUPP)
	case id == 10 || id > 11:
		return vfs.Invalid(c, story.EINVAL, "there is no such clock")
	case id == 4 || id == 5 || id == 6:
		return vfs.Invalid(c, story.EOPNOTSUPP, "this clock has no timers")
	}
	if clock == 8 || clock == 9 {
		vfs.NotKnown(c, "whether the machine has a clock that can wake it", story.EOPNOTSUPP)
		if e := wakeAlarm(c); e != 0 {
			return e
		}
	}
	if !isNull(&call.Args[1]) {
		return vfs.NotKnown(c, "how the timer tells that its time is up", story.EINVAL, story.EFAULT, story.EAGAIN)
	}
	if isNull(&call.Args[2]) {
		return vfs.Fault(c)
	}
	return 0
}

func timerByID(c *check.Check, call *syscalls.Call) story.Errno {
	if call.Name == "timer_settime" && len(call.Args) > 2 && isNull(&call.Args[2]) { // before the timer is looked for
		return vfs.Invalid(c, story.EINVAL, "there is no new time")
	}
	if len(call.Args) > 0 && int32(call.Args[0].Val) < 0 && call.Name != "timer_settime" {
		return vfs.Invalid(c, story.EINVAL, "a timer's number is not negative")
	}
	return vfs.NotKnown(c, "which timers the process has", story.EINVAL, story.EFAULT)
}

// futex works on a word of memory, whose value decides.
func futex(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	at, known := addressOf(&a[0])
	if known && at&3 != 0 {
		return vfs.Invalid(c, story.EINVAL, "the address is a multiple of four")
	}
	return futexWait(c, call)
}

// futexFlags are the newer calls' arguments of flags.
var futexFlags = map[string]int{"futex_wait": 3, "futex_wake": 3, "futex_requeue": 1, "futex_waitv": 2}

func futexWait(c *check.Check, call *syscalls.Call) story.Errno {
	if i, newer := futexFlags[call.Name]; newer && i < len(call.Args) {
		if flags, ok := number(&call.Args[i]); ok && uint32(flags)&^0xff != 0 {
			return vfs.Invalid(c, story.EINVAL, "futexes do not know these flags")
		}
	}
	c.MayBlock()
	return vfs.NotKnown(c, "which value lies at the address, and who waits there", story.EAGAIN, story.ETIMEDOUT, story.EFAULT, story.EINVAL, story.EINTR)
}

// wait4 is kernel_wait4.
func wait4(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	flags, ok := number(&a[2])
	switch {
	case ok && uint32(flags)&^0xe000000b != 0:
		return vfs.Invalid(c, story.EINVAL, "wait4 does not know these options")
	case int32(a[0].Val) == -1<<31:
		return vfs.Invalid(c, story.ESRCH, "there is no such process group")
	}
	return children(c, flags)
}

// waitid is kernel_waitid_prepare.
func waitid(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	which, known := number(&a[0])
	flags, ok := number(&a[3])
	id := int32(a[1].Val)
	switch {
	case ok && (uint32(flags)&^0xe100000f != 0 || flags&14 == 0):
		return vfs.Invalid(c, story.EINVAL, "WEXITED, WSTOPPED or WCONTINUED is needed")
	case known && (uint32(which) > 3 || which == 1 && id <= 0 || which == 2 && id < 0 || which == 3 && id < 0):
		return vfs.Invalid(c, story.EINVAL, "what is waited for is a process, a group or a descriptor")
	case known && which == 3:
		if e := vfs.NotPidfd(c, int(id)); e != 0 {
			return e
		}
	}
	return children(c, flags)
}

func children(c *check.Check, flags uint64) story.Errno {
	if flags&1 == 0 {
		c.MayBlock()
	}
	return vfs.NotKnown(c, "which children the process has", story.ECHILD, story.EINTR)
}

func processMrelease(c *check.Check, call *syscalls.Call) story.Errno {
	if call.Args[1].Val != 0 {
		return vfs.Invalid(c, story.EINVAL, "process_mrelease has no flags")
	}
	if e := vfs.NotPidfd(c, dfd(&call.Args[0])); e != 0 {
		return e
	}
	return vfs.NotKnown(c, "whether the process is about to end", story.EINVAL, story.ESRCH, story.EAGAIN)
}

// poll looks at each descriptor and refuses none of them: what is wrong is told in revents.
func poll(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	n := uint64(uint32(a[1].Val))
	if call.Name == "ppoll" {
		if len(a) > 4 && !isNull(&a[3]) && !a[3].Absent && !a[4].Absent && a[4].Val != 8 {
			return vfs.Invalid(c, story.EINVAL, "a set of signals has eight bytes")
		}
		if !a[2].Absent && !isNull(&a[2]) {
			if e := span(c, &a[2]); e != 0 {
				return e
			}
		}
	}
	most := c.W.Task.NoFile
	switch {
	case most.Known() && n > uint64(most.V):
		return vfs.Invalid(c, story.EINVAL, "there are more descriptors than RLIMIT_NOFILE allows")
	case isNull(&a[0]) && n > 0:
		return vfs.Fault(c)
	}
	if call.Name == "poll" && int32(a[2].Val) == 0 {
		return vfs.Unchecked(c, "do_sys_poll")
	}
	c.MayBlock()
	return vfs.NotKnown(c, "what the descriptors are ready for", story.EINTR)
}

func selectCall(c *check.Check, call *syscalls.Call) story.Errno {
	if len(call.Args) > 0 && int32(call.Args[0].Val) < 0 {
		return vfs.Invalid(c, story.EINVAL, "a number of descriptors is not negative")
	}
	c.MayBlock()
	return vfs.NotKnown(c, "which descriptors are asked for, and what they are ready for", story.EBADF, story.EINTR, story.EINVAL, story.EFAULT)
}

func lsmCall(c *check.Check, call *syscalls.Call) story.Errno {
	if call.Name == "lsm_list_modules" && len(call.Args) > 2 && call.Args[2].Val != 0 {
		return vfs.Invalid(c, story.EINVAL, "lsm_list_modules has no flags")
	}
	a := call.Args
	switch {
	case call.Name == "lsm_get_self_attr" && len(a) > 2 && (uint32(a[0].Val) == 0 && a[0].Kind != syscalls.Pointer || isNull(&a[2])):
		return vfs.Invalid(c, story.EINVAL, "an attribute and room for its size are needed")
	case call.Name == "lsm_set_self_attr" && len(a) > 3 && (a[3].Val != 0 || uint32(a[2].Val) < 32):
		return vfs.Invalid(c, story.EINVAL, "there are no flags, and a context has 32 bytes at least")
	}
	return vfs.NotKnown(c, "how many modules have attributes, and how long they are", story.E2BIG, story.EINVAL, story.EFAULT, story.EOPNOTSUPP, story.EPERM)
}

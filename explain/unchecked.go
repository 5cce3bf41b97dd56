package explain

import (
	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Calls that nobody is refused behind seccomp, with the kernel's function.
var unchecked = map[string]string{
	"getpid": "getpid", "gettid": "gettid", "getppid": "getppid", "getuid": "getuid", "geteuid": "geteuid", "getgid": "getgid", "getegid": "getegid", "getpgrp": "getpgrp",
	"sched_yield": "do_sched_yield", "munlockall": "munlockall", "personality": "personality", "alarm": "alarm_setitimer", "set_tid_address": "set_tid_address",
	"uname": "newuname", "sysinfo": "do_sysinfo", "times": "do_sys_times", "time": "time", "gettimeofday": "gettimeofday", "getcpu": "getcpu", "getresuid": "getresuid", "getresgid": "getresgid",
}

var _ = add(uncheckedRoutes())

func uncheckedRoutes() map[string]Route {
	all := map[string]Route{"clock_gettime": clockGet, "clock_getres": clockGet, "getrandom": getrandom, "getrusage": getrusage, "sched_get_priority_max": priorityRange, "sched_get_priority_min": priorityRange}
	for name, function := range unchecked {
		all[name] = free(name, function)
	}
	return all
}

// free is the route of a call that is refused to nobody. Addresses that it writes to must be the task's.
func free(name, function string) Route {
	nullable := name != "uname" && name != "sysinfo" && name != "getresuid" && name != "getresgid"
	return func(c *check.Check, call *syscalls.Call) story.Errno {
		if e := vfs.Unchecked(c, function); e != 0 {
			return e
		}
		for i := range call.Args {
			if a := &call.Args[i]; a.Kind == syscalls.Out && !nullable {
				if e := copyOut(c, a); e != 0 {
					return e
				}
			}
		}
		return 0
	}
}

// clockGet asks for a clock that exists.
func clockGet(c *check.Check, call *syscalls.Call) story.Errno {
	switch id := int32(call.Args[0].Val); {
	case id < 0 || id >= 16:
		return vfs.NotKnown(c, "the clock of a process or a device", story.EINVAL, story.ENODEV, story.EOPNOTSUPP)
	case id == 10 || id > 11:
		return vfs.Invalid(c, story.EINVAL, "there is no such clock")
	case id == 8 || id == 9:
		return vfs.NotKnown(c, "whether the machine has a clock that can wake it", story.EINVAL)
	}
	if call.Name == "clock_getres" && isNull(&call.Args[1]) {
		return vfs.Unchecked(c, "clock_getres")
	}
	if e := copyOut(c, &call.Args[1]); e != 0 {
		return e
	}
	return vfs.Unchecked(c, call.Name)
}

func getrandom(c *check.Check, call *syscalls.Call) story.Errno {
	switch flags := uint32(call.Args[2].Val); {
	case flags&^7 != 0:
		return vfs.Invalid(c, story.EINVAL, "getrandom does not know these flags")
	case flags&6 == 6:
		return vfs.Invalid(c, story.EINVAL, "GRND_RANDOM and GRND_INSECURE exclude each other")
	}
	if call.Args[1].Val > 0 && isNull(&call.Args[0]) {
		return copyOut(c, &call.Args[0])
	}
	return vfs.Unchecked(c, "getrandom")
}

func getrusage(c *check.Check, call *syscalls.Call) story.Errno {
	if who := int32(call.Args[0].Val); who < -1 || who > 1 {
		return vfs.Invalid(c, story.EINVAL, "usage is that of the process, of its children or of the thread")
	}
	if e := copyOut(c, &call.Args[1]); e != 0 {
		return e
	}
	return vfs.Unchecked(c, "getrusage")
}

func priorityRange(c *check.Check, call *syscalls.Call) story.Errno {
	switch p := int32(call.Args[0].Val); {
	case p == 7:
		return vfs.NotKnown(c, "whether the kernel has SCHED_EXT", story.EINVAL)
	case p < 0 || p > 7 || p == 4:
		return vfs.Invalid(c, story.EINVAL, "there is no such policy")
	}
	return vfs.Unchecked(c, call.Name)
}

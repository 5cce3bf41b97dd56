package explain

import (
	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of sessions and process groups: kernel/sys.c.

var _ = add(map[string]Route{"getpgid": getpgid, "getsid": getpgid, "setpgid": setpgid, "setsid": setsid})

func getpgid(c *check.Check, call *syscalls.Call) story.Errno {
	p, e := vfs.FindOwn(c, pidOf(&call.Args[0]), story.OpAccess)
	if e != 0 {
		return e
	}
	if pidOf(&call.Args[0]) == 0 { // do_getpgid asks nobody for the task's own
		return 0
	}
	hook := story.HookTaskGetpgid
	if call.Name == "getsid" {
		hook = story.HookTaskGetsid
	}
	return c.LSM.OnTask(c, hook, p.Process, p.Self, story.OpAccess, 0)
}

func setpgid(c *check.Check, call *syscalls.Call) story.Errno {
	pid, group := pidOf(&call.Args[0]), pidOf(&call.Args[1])
	if group == 0 && pid < 0 { // without a group of its own to join, the process's number is the group's, and that is looked at first
		group = pid
	}
	if group < 0 {
		return vfs.Invalid(c, story.EINVAL, "a group's number is not negative")
	}
	p, e := vfs.FindOwn(c, pid, story.OpSchedule)
	if e != 0 {
		return e
	}
	return vfs.SetGroup(c, p, group)
}

func setsid(c *check.Check, _ *syscalls.Call) story.Errno { return vfs.NewSession(c) }

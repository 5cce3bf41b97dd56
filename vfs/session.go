package vfs

import (
	"syscallstory/check"
	"syscallstory/story"
)

func sessionRule(c *check.Check, rule string, e story.Errno) story.Errno {
	return c.Refuse(story.Step{Code: story.SessionRule, Errno: e, Op: story.OpSchedule, Fact: [3]story.Origin{c.W.ProcessesAt}, Val: [3]uint64{c.Word(rule)}})
}

func sessionUnknown(c *check.Check, what string, errnos ...story.Errno) story.Errno {
	c.Unknown(story.Step{Code: story.SessionRule, Errno: errnos[0], Op: story.OpSchedule, Fact: [3]story.Origin{c.W.ProcessesAt}, Val: [3]uint64{c.Word(what)}})
	for _, e := range errnos {
		c.MayEnd(e)
	}
	return 0
}

// NewSession is ksys_setsid: who leads a session or a process group already cannot.
func NewSession(c *check.Check) story.Errno {
	me := c.W.ProcessByPID(c.W.Task.PID)
	switch {
	case me == nil || me.Group == 0 || me.Session == 0:
		return sessionUnknown(c, "whether the process leads a session or a process group", story.EPERM)
	case me.Session == me.PID:
		return sessionRule(c, "the process leads a session already", story.EPERM)
	case me.Group == me.PID:
		return sessionRule(c, "the process leads a process group", story.EPERM)
	}
	for i := range c.W.Processes {
		if c.W.Processes[i].Group == me.PID {
			return sessionRule(c, "a process group has the process's number", story.EPERM)
		}
	}
	if !c.W.ProcessesAt.Known() {
		return sessionUnknown(c, "whether a process group has the process's number", story.EPERM)
	}
	return 0
}

// SetGroup is setpgid for the task itself or one of its children.
func SetGroup(c *check.Check, p Process, group int) story.Errno {
	if p.Self && p.Process == nil || !p.Self && (p.Process == nil || p.Process.Parent == 0 || c.W.Task.PID == 0) {
		return sessionUnknown(c, "which sessions and groups there are", story.EPERM, story.ESRCH, story.EACCES, story.EINVAL)
	}
	if p.Process.ThreadGroup() != p.Process.PID {
		return Invalid(c, story.EINVAL, "a thread does not lead its process")
	}
	switch {
	case p.Self:
	case p.Process.Parent != c.W.Task.PID:
		return sessionRule(c, "the process is neither the task's own nor its child", story.ESRCH)
	default:
		switch in, known := sameSession(c, p); {
		case !known:
			return sessionUnknown(c, "whether the child is in the same session and has called execve", story.EPERM, story.EACCES)
		case !in:
			return sessionRule(c, "the child is in another session", story.EPERM)
		}
		return sessionUnknown(c, "whether the child has called execve", story.EACCES, story.EPERM)
	}
	switch {
	case p.Session == 0:
		return sessionUnknown(c, "whether the process leads a session", story.EPERM)
	case p.Session == p.Process.PID:
		return sessionRule(c, "the process leads a session", story.EPERM)
	case group == 0 || group == p.Process.PID:
		return c.LSM.OnTask(c, story.HookTaskSetpgid, p.Process, p.Self, story.OpSchedule, 0)
	}
	for i := range c.W.Processes {
		if q := &c.W.Processes[i]; q.Group == group && q.Session == p.Session {
			return c.LSM.OnTask(c, story.HookTaskSetpgid, p.Process, p.Self, story.OpSchedule, 0)
		}
	}
	if c.W.ProcessesAt.Known() {
		return sessionRule(c, "there is no such process group in the session", story.EPERM)
	}
	return sessionUnknown(c, "whether the session has this process group", story.EPERM)
}

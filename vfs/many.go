package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Many is whom setpriority and ioprio_set name by a process group or a user.
type Many struct {
	User bool
	UID  uint32 // of a user, as the initial user namespace counts
	Lost bool   // the user is not known in the task's user namespace
	PGID int    // of a group; 0 is the task's own
}

// ManyOf reads the arguments. What 0 means for a user differs: setpriority takes the task's own uid, ioprio_set that of root.
func ManyOf(c *check.Check, user bool, who int32, own bool) Many {
	m := Many{User: user, PGID: int(who)}
	if !user {
		return m
	}
	if who == 0 && own {
		m.UID = uint32(c.Cred.RUID)
		return m
	}
	k, ok := c.W.UserNS[c.Cred.UserNS].UIDs.Down(uint32(who))
	m.UID, m.Lost = k, !ok
	return m
}

// has answers whether a process is one of them.
func (m *Many) has(c *check.Check, p *world.Process) kernel.Answer {
	if m.User {
		switch {
		case m.Lost:
			return kernel.No
		case uint32(p.Cred.RUID) == m.UID:
			return kernel.Yes
		}
		return kernel.No
	}
	group := m.PGID
	if group == 0 {
		me := c.W.ProcessByPID(c.W.Task.PID)
		if p == me {
			return kernel.Yes
		}
		if me == nil || me.Group <= 0 {
			return kernel.NotKnown
		}
		group = me.Group
	}
	switch {
	case p.Group == group:
		return kernel.Yes
	case p.Group == 0:
		return kernel.NotKnown
	}
	return kernel.No
}

// self answers for the task's own process where the world does not list it.
func (m *Many) self(c *check.Check) kernel.Answer {
	switch {
	case c.W.ProcessByPID(c.W.Task.PID) != nil:
		return kernel.No
	case !m.User && m.PGID == 0:
		return kernel.Yes
	case m.User && !m.Lost && c.Cred.UIDAt.Known():
		if uint32(c.Cred.RUID) == m.UID {
			return kernel.Yes
		}
		return kernel.No
	case m.Lost:
		return kernel.No
	}
	return kernel.NotKnown
}

// Any is a call that only reads: one process is enough.
func (m Many) Any(c *check.Check) story.Errno {
	found := m.self(c)
	for i := range c.W.Processes {
		found = or(found, m.has(c, &c.W.Processes[i]))
	}
	return m.found(c, found)
}

func (m *Many) found(c *check.Check, found kernel.Answer) story.Errno {
	who := uint64(int64(m.PGID))
	if m.User {
		who = uint64(m.UID)
	}
	s := story.Step{Code: story.ManyMissing, Errno: story.ESRCH, Op: story.OpSchedule, Fact: [3]story.Origin{c.W.ProcessesAt}, Val: [3]uint64{who}}
	switch {
	case found == kernel.Yes:
		c.Pass(s)
	case found == kernel.No && (c.W.ProcessesAt.Known() || m.Lost):
		return c.Refuse(s)
	default:
		c.Unknown(s)
	}
	return 0
}

// Priority is setpriority of many: of several refusals the last counts, and one that takes the priority is enough where nobody
// refuses.
func (m Many) Priority(c *check.Check, value int) story.Errno { return m.each(c, value, 0) }

// IOPriority is ioprio_set of many: the first refusal ends the call.
func (m Many) IOPriority(c *check.Check) story.Errno { return m.each(c, 0, 1) }

func (m *Many) one(c *check.Check, p Process, value, io int) story.Errno {
	if io == 1 {
		return SetIOPriority(c, p)
	}
	return SetPriority(c, p, value)
}

// each asks for every process, and tells of one that refuses.
func (m *Many) each(c *check.Check, value, io int) story.Errno {
	var refused check.ErrnoSet
	var worst Process
	found, unsure := kernel.No, !c.W.ProcessesAt.Known()
	ask := func(p Process, in kernel.Answer) {
		if in == kernel.No {
			return
		}
		found = or(found, in)
		c.Mute()
		e := m.one(c, p, value, io)
		if missing := c.Unmute(); missing || in == kernel.NotKnown {
			unsure = unsure || e != 0 || missing
			return
		}
		if e != 0 {
			refused.Add(e)
			worst = p
		}
	}
	ask(own(c), m.self(c))
	for i := range c.W.Processes {
		p := &c.W.Processes[i]
		ask(Process{Process: p, PID: p.PID, Self: p.PID == c.W.Task.PID && p.PID != 0}, m.has(c, p))
	}
	if e := m.found(c, found); e != 0 {
		return e
	}
	if unsure && !everywhere(c, kernel.CapSysNice) || refused.Len() > 1 {
		NotKnown(c, "which processes are meant, and what each of them needs", story.EPERM)
		if io == 0 {
			c.MayEnd(story.EACCES)
		}
	}
	if refused.Len() > 0 {
		return m.one(c, worst, value, io)
	}
	return 0
}

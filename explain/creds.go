package explain

import (
	"strings"

	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
	"syscallstory/world"
)

// Routes of calls that change a task's credentials: kernel/sys.c, kernel/groups.c, kernel/capability.c.

func setids(c *check.Check, which vfs.IDCall, call *syscalls.Call) story.Errno {
	ids := [3]uint32{world.Invalid, world.Invalid, world.Invalid}
	for i := range call.Args {
		ids[i] = uint32(call.Args[i].Val)
	}
	return vfs.SetIDs(c, which, ids)
}

func setuid(c *check.Check, call *syscalls.Call) story.Errno   { return setids(c, vfs.SetUID, call) }
func setreuid(c *check.Check, call *syscalls.Call) story.Errno { return setids(c, vfs.SetREUID, call) }
func setresuid(c *check.Check, call *syscalls.Call) story.Errno {
	return setids(c, vfs.SetRESUID, call)
}
func setfsuid(c *check.Check, call *syscalls.Call) story.Errno { return setids(c, vfs.SetFSUID, call) }
func setgid(c *check.Check, call *syscalls.Call) story.Errno   { return setids(c, vfs.SetGID, call) }
func setregid(c *check.Check, call *syscalls.Call) story.Errno { return setids(c, vfs.SetREGID, call) }
func setresgid(c *check.Check, call *syscalls.Call) story.Errno {
	return setids(c, vfs.SetRESGID, call)
}
func setfsgid(c *check.Check, call *syscalls.Call) story.Errno { return setids(c, vfs.SetFSGID, call) }

func setgroups(c *check.Check, call *syscalls.Call) story.Errno {
	a := &call.Args[1]
	return vfs.SetGroups(c, uint32(call.Args[0].Val), a.Fields, a.Fault, !a.Cut)
}

func capHeader(a *syscalls.Arg) vfs.CapHeader {
	version, _ := a.Field("version")
	pid, _ := a.Field("pid")
	return vfs.CapHeader{Version: version.Val, PID: int32(pid.Val), Fault: a.Fault, Cut: a.Cut}
}

func capset(c *check.Check, call *syscalls.Call) story.Errno {
	a := &call.Args[1]
	d := vfs.CapData{Fault: a.Fault, Cut: a.Cut}
	e, _ := a.Field("effective")
	p, _ := a.Field("permitted")
	i, _ := a.Field("inheritable")
	d.Effective, d.Permitted, d.Inheritable = world.CapSet(e.Val), world.CapSet(p.Val), world.CapSet(i.Val)
	return vfs.Capset(c, capHeader(&call.Args[0]), d)
}

func capget(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Capget(c, capHeader(&call.Args[0]), isNull(&call.Args[1]))
}

// prctl takes five arguments of any kind; those that are not written are zero.
func prctl(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	var v [4]uint64
	for i := range v {
		if i+1 < len(a) && !a[i+1].Absent {
			v[i] = a[i+1].Val
		}
	}
	if a[0].Val == vfs.PrSetSeccomp {
		return prctlSeccomp(c, v[0], &a[2])
	}
	name := ""
	if c.Recording() {
		name = a[0].String()
	}
	return vfs.Prctl(c, a[0].Val, v, a[1].Fault, name)
}

// umask never fails.
func umask(c *check.Check, call *syscalls.Call) story.Errno {
	t := &c.W.Task
	if c.Recording() {
		before := "not known"
		if t.Umask.Known() {
			before = octal(uint64(t.Umask.V))
		}
		if now := octal(call.Args[0].Val & 0o777); now != before {
			c.Effect(story.Effect{Kind: "task", Name: "Umask", Before: before, After: now})
		}
	}
	return 0
}

func octal(v uint64) string {
	return "0" + strings.TrimLeft(string([]byte{'0' + byte(v>>6&7), '0' + byte(v>>3&7), '0' + byte(v&7)}), "0")
}

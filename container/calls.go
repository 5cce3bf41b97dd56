package container

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"syscallstory/container/inside"
	"syscallstory/probe"
	"syscallstory/syscalls"
)

// calls turns calls into what the probing tasks make. Tasks are called by the numbers that they have in the stream; which ids the
// kernel will give them is not known before.
func (p *Plan) calls(calls []syscalls.Made) ([]probe.Call, []inside.FD, error) {
	out := make([]probe.Call, 0, len(calls))
	var fds []inside.FD
	tasks := map[int]int{} // number in the stream → the probe's
	maker := map[int]int{} // number in the stream → the call, from 1, that has made it
	unnamed := -1          // a call that has made a task whose number comes later
	for i, m := range calls {
		by, known := tasks[m.PID]
		switch {
		case known, m.PID == 0:
		case len(tasks) == 0: // the first one, which nobody has made
			tasks[m.PID] = 0
		case unnamed >= 0:
			by = len(maker) + 1
			tasks[m.PID], maker[m.PID] = by, unnamed+1
			out[unnamed].Makes, unnamed = by, -1
		default:
			return nil, nil, fmt.Errorf("%s: no call before has made task %d", m.Call, m.PID)
		}
		raw, more, err := p.call(m.Call)
		if err != nil {
			return nil, nil, err
		}
		raw.By = by
		if makesTask(m.Name) {
			if unnamed = i; m.Known && m.Ret > 0 {
				n := len(maker) + 1
				tasks[int(m.Ret)], maker[int(m.Ret)] = n, i+1
				raw.Makes, unnamed = n, -1
			}
			if raw.Makes != 0 || unnamed >= 0 {
				if err := ownMemory(m.Call); err != nil && follows(calls[i+1:], m.PID) {
					return nil, nil, err
				}
			}
		}
		for k := range raw.Args {
			named(&raw.Args[k], maker)
		}
		out, fds = append(out, raw), append(fds, more...)
	}
	return out, fds, nil
}

// follows reports that another task than one calls later.
func follows(calls []syscalls.Made, pid int) bool {
	for i := range calls {
		if calls[i].PID != pid {
			return true
		}
	}
	return false
}

func makesTask(name string) bool { return name == "fork" || name == "clone" || name == "clone3" }

// ownMemory refuses a task that goes on with its parent's memory: they would write over each other's stack.
func ownMemory(c *syscalls.Call) error {
	const vm = 0x100
	flags := uint64(0)
	switch {
	case c.Name == "clone" && len(c.Args) > 0:
		flags = c.Args[0].Val
	case c.Name == "clone3" && len(c.Args) > 0:
		f, _ := c.Args[0].Field("flags")
		flags = f.Val
	}
	if flags&vm != 0 {
		return errors.New(c.String() + ": a task that shares memory with its parent is not performed; fork makes one that does not")
	}
	return nil
}

// named leaves room for the id of a task in a path below /proc that names it by its number in the stream.
func named(a *probe.Arg, maker map[int]int) {
	rest, ok := strings.CutPrefix(string(a.Data), "/proc/")
	if !ok {
		return
	}
	number, rest, ok := strings.Cut(rest, "/")
	pid, err := strconv.Atoi(number)
	if !ok || err != nil || maker[pid] == 0 {
		return
	}
	a.PIDOf, a.PIDAt = maker[pid], len("/proc/")
	a.Data = []byte("/proc/" + strings.Repeat("/", probe.PIDWidth) + "/" + rest)
}

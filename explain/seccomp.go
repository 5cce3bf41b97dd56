package explain

import (
	"fmt"
	"path/filepath"

	"syscallstory/kernel"
	"syscallstory/seccomp"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// seccomp is __seccomp_filter. ran says whether the call's own code runs behind it.
func (j *Judge) seccomp(call *syscalls.Call) (e story.Errno, killed, ran bool) {
	c := &j.c
	sec := &j.w.Task.Seccomp
	switch sec.Mode {
	case world.SeccompOff:
		if c.Recording() {
			c.Skip(story.Step{Code: story.SeccompNone, Op: story.OpEnter, Fact: [3]story.Origin{sec.At}, Val: [3]uint64{c.Word("Unconfined")}})
		}
		return 0, false, true
	case world.SeccompNotKnown:
		why, _ := j.w.Reason(sec.At)
		c.Unknown(story.Step{Code: story.SeccompUnknown, Errno: story.EPERM, Op: story.OpEnter, Fact: [3]story.Origin{sec.At}, Val: [3]uint64{c.Word(why.Text)}})
		return 0, false, true
	}
	if j.unfiltered(call) {
		return 0, false, true
	}
	if sec.Mode == world.SeccompStrict {
		s := story.Step{Code: story.SeccompStrict, Op: story.OpEnter, Fact: [3]story.Origin{sec.At}}
		if seccomp.Strict(call.Name) {
			c.Pass(s)
			return 0, false, true
		}
		c.Kill(s)
		return 0, true, false
	}
	for _, f := range j.filters {
		if f.profile == nil {
			continue
		}
		if why := f.profile.Unsure()[call.Name]; why != "" {
			c.Unknown(story.Step{Code: story.SeccompUnknown, Errno: story.EPERM, Op: story.OpEnter, Fact: [3]story.Origin{sec.At}, Val: [3]uint64{c.Word(why)}})
			return 0, false, true
		}
	}
	regs, unknown := call.Registers()
	d := seccomp.Data{NR: call.Nr, Arch: call.ABI.Audit(), Args: regs}
	if unknown != 0 || j.open() {
		if settled, ok := j.everyAnswer(call, &d, unknown); !ok {
			return j.unsettled(call, settled)
		}
	}
	a, at, insn := j.decisions.Run(&d)
	return j.answer(call, &regs, a, at, insn)
}

func (j *Judge) open() bool {
	for _, f := range j.filters {
		if f.open {
			return true
		}
	}
	return false
}

// everyAnswer returns the answers that are possible where registers are not known; ok if there is only one.
func (j *Judge) everyAnswer(call *syscalls.Call, d *seccomp.Data, unknown uint8) (all []seccomp.Action, ok bool) {
	for i, f := range j.filters {
		own := []seccomp.Action{0}
		switch {
		case f.profile == nil:
			var err error
			if own, err = (seccomp.Stack{f.program}).Possible(d, unknown); err != nil {
				return []seccomp.Action{seccomp.Allow, seccomp.KillProcess}, false
			}
		case f.profile.Depends(call.Name, unknown):
			own = f.profile.Every(call.Name, &d.Args, unknown)
		default:
			own[0], _ = f.program.Run(d)
		}
		if i == 0 {
			all = own
		} else {
			all = seccomp.Together(all, own)
		}
	}
	return all, len(all) < 2
}

// unfiltered is seccomp_uprobe_exception: the call passes by all filters.
func (j *Judge) unfiltered(call *syscalls.Call) bool {
	change, ok := seccomp.Unfiltered(call.ABI, call.Name)
	if !ok {
		return false
	}
	s := story.Step{Code: story.SeccompUnfiltered, Op: story.OpEnter}
	if j.c.Recording() {
		s.Val[0] = j.c.Word(call.Name)
	}
	switch j.c.K.Has(change) {
	case kernel.Yes:
		j.c.Pass(s)
		return true
	case kernel.NotKnown:
		s.Errno = story.EPERM
		j.c.Unknown(s)
		return true
	}
	return false
}

// unsettled goes on where the filters' answer depends on a register that is not known.
func (j *Judge) unsettled(call *syscalls.Call, all []seccomp.Action) (e story.Errno, killed, ran bool) {
	c := &j.c
	s := story.Step{Code: story.SeccompPointer, Op: story.OpEnter, Fact: [3]story.Origin{j.w.Task.Seccomp.At}}
	if c.Recording() {
		s.Val = [3]uint64{c.Word(call.Name), c.Word(fmt.Sprint(all))}
	}
	passes := false
	for _, a := range all {
		switch a.Kind() {
		case seccomp.Allow, seccomp.Log:
			passes = true
		case seccomp.Errno:
			s.Errno = story.Errno(a.Data())
			c.MayEnd(s.Errno)
		default:
			c.MayBlock()
		}
	}
	c.Unknown(s)
	return s.Errno, false, passes
}

// answer tells what the deciding filter does to the call.
func (j *Judge) answer(call *syscalls.Call, regs *[6]uint64, a seccomp.Action, at, insn int) (e story.Errno, killed, ran bool) {
	c := &j.c
	s := story.Step{Code: story.SeccompFilter, Op: story.OpEnter, Fact: [3]story.Origin{j.w.Task.Seccomp.At}}
	if c.Recording() {
		f := j.filters[at]
		if f.profile == nil {
			s.Fact[2] = f.At
			s.Val = [3]uint64{c.Word(fmt.Sprintf("%s, instruction %d → %v", f.Name, insn, a)), c.Word(call.Name), c.Word("as the program that the task has loaded says")}
			return j.act(s, a)
		}
		file := f.profile.Profile.File
		rule, why := f.profile.Reason(call, regs)
		s.Fact[2] = j.w.Add(story.Place{File: file, Line: rule.Line, Col: rule.Col})
		s.Val = [3]uint64{c.Word(fmt.Sprintf("%s, filter %d, instruction %d → %v (%s:%d)", f.Name, at, insn, a, filepath.Base(file), rule.Line)), c.Word(call.Name), c.Word(why)}
	}
	return j.act(s, a)
}

// act does what an action asks for.
func (j *Judge) act(s story.Step, a seccomp.Action) (e story.Errno, killed, ran bool) {
	c := &j.c
	switch a.Kind() {
	case seccomp.Allow, seccomp.Log:
		c.Pass(s)
		return 0, false, true
	case seccomp.Errno:
		s.Errno = story.Errno(a.Data())
		if s.Errno == 0 {
			c.Pass(s)
			return 0, false, false
		}
		if e := c.Deny(s); e != 0 {
			return e, false, false
		}
		return 0, false, true
	case seccomp.Trace:
		s.Errno = story.ENOSYS
		return c.Refuse(s), false, false
	case seccomp.UserNotif:
		c.Unknown(s)
		c.MayBlock()
		return 0, false, true
	}
	if c.Kill(s) {
		return 0, true, false
	}
	return 0, false, true
}

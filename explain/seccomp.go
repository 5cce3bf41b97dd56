package explain

import (
	"fmt"
	"path/filepath"

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
	case world.SeccompStrict:
		s := story.Step{Code: story.SeccompStrict, Op: story.OpEnter, Fact: [3]story.Origin{sec.At}}
		if seccomp.Strict(call.Name) {
			c.Pass(s)
			return 0, false, true
		}
		c.Kill(s)
		return 0, true, false
	}
	for _, f := range j.filters {
		if why := f.profile.Unsure()[call.Name]; why != "" {
			c.Unknown(story.Step{Code: story.SeccompUnknown, Errno: story.EPERM, Op: story.OpEnter, Fact: [3]story.Origin{sec.At}, Val: [3]uint64{c.Word(why)}})
			return 0, false, true
		}
	}
	regs, unknown := call.Registers()
	d := seccomp.Data{NR: call.Nr, Arch: call.ABI.Audit(), Args: regs}
	if unknown != 0 || j.open() {
		if settled, ok := j.everyAnswer(call, &regs, unknown); !ok {
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
func (j *Judge) everyAnswer(call *syscalls.Call, regs *[6]uint64, unknown uint8) (all []seccomp.Action, ok bool) {
	for _, f := range j.filters {
		if !f.profile.Depends(call.Name, unknown) {
			continue
		}
		for _, d := range f.profile.Every(call.Name, regs, unknown) {
			all = append(all, d.Action)
		}
	}
	return all, len(all) < 2
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
		s.Fact[2] = j.ruleAt(f, call, regs)
		rule := j.w.Place(s.Fact[2])
		s.Val = [3]uint64{c.Word(fmt.Sprintf("%s, filter %d, instruction %d → %v (%s:%d)", f.Name, at, insn, a, filepath.Base(rule.File), rule.Line)), c.Word(call.Name), c.Word(j.ruleText(f, call, regs))}
	}
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

// ruleAt returns the place of the rule that decides.
func (j *Judge) ruleAt(f *filter, call *syscalls.Call, regs *[6]uint64) story.Origin {
	p := f.profile.Profile
	d := f.profile.Eval(call.Name, regs)
	at := p.At
	if d.Rule >= 0 {
		rule := &p.Rules[d.Rule]
		at = rule.At
		for i, n := range rule.Names {
			if n == call.Name {
				at = rule.NamesAt[i]
			}
		}
	}
	return j.w.Add(story.Place{File: p.File, Line: at.Line, Col: at.Col})
}

// ruleText says in words why the filter answers so.
func (j *Judge) ruleText(f *filter, call *syscalls.Call, regs *[6]uint64) string {
	r := f.profile
	if why, ok := r.Stub(call.ABI, call.Nr); ok {
		return why
	}
	if why, ok := r.Unknown(call.ABI, call.Name); ok {
		return "no rule matches, the default action counts: " + why
	}
	d := r.Eval(call.Name, regs)
	if d.Rule >= 0 {
		text := fmt.Sprintf("a rule names %s", call.Name)
		if why := r.Why(d.Rule); why != "" {
			text += " (" + why + ")"
		}
		return text
	}
	text := "no rule matches, the default action counts"
	if drop, ok := r.Missing(call.Name); ok {
		text += fmt.Sprintf("; the rule of line %d is not in force: %s", r.Profile.Rules[drop.Rule].At.Line, drop.Why)
	}
	if f.Loader == "" {
		if why, ok := r.LoadedBy(seccomp.Runtime{Name: "runc"}).Stub(call.ABI, call.Nr); ok {
			text += "; loaded by runc it would be " + why
		}
	}
	return text
}

package lsm

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
)

// Policy answers for SELinux where its policy is known. Package vfs has it: mechanisms do not import one another.
type Policy interface {
	// Ask decides at a hook. The words are for a story only, and so is what was supposed, 0 for nothing.
	Ask(c *check.Check, q check.Question) (a kernel.Answer, e story.Errno, words string, supposed story.Origin)
	// Capable says whether the task may use a capability that it has, in the initial user namespace or in another one.
	Capable(c *check.Check, want kernel.Cap, initial bool) (a kernel.Answer, words string)
}

// Capable asks SELinux, where its policy is known, for a capability that the task has.
func (s *Stack) Capable(c *check.Check, want kernel.Cap, initial bool) kernel.Answer {
	if s.policy == nil {
		return kernel.Yes
	}
	a, words := s.policy.Capable(c, want, initial)
	if a == kernel.No {
		st := story.Step{Code: story.SELinuxAccess, Fact: [3]story.Origin{s.module(policied).at}, Hook: story.HookCapable}
		if c.Recording() {
			st.Val = [3]uint64{c.Word(words), c.Word("selinux")}
		}
		c.Withhold(st)
	}
	return a
}

// SELinux has the policy decide where SELinux is active.
func (s *Stack) SELinux(p Policy) {
	for i := range s.modules {
		if m := &s.modules[i]; m.name == "selinux" && m.kind == silent {
			m.kind, s.policy = policied, p
		}
	}
}

// selinux asks the policy.
func (s *Stack) selinux(c *check.Check, m *module, q question) story.Errno {
	a, e, words, supposed := s.policy.Ask(c, q.Question)
	st := story.Step{Code: story.SELinuxAccess, Errno: e, Op: q.Op, Obj: q.Path.Ref(), Fact: [3]story.Origin{m.at, supposed}, Hook: q.Hook}
	if c.Recording() {
		st.Val = [3]uint64{c.Word(words), c.Word(m.name)}
	}
	switch a {
	case kernel.Yes:
		c.Pass(st)
		return 0
	case kernel.No:
		return c.Deny(st)
	}
	c.Unknown(st)
	if q.Hook == story.HookInodeSetxattr || q.Hook == story.HookBprmCredsForExec { // all others answer EACCES
		c.MayEnd(story.EPERM)
	}
	return 0
}

package lsm

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Policy answers for SELinux where its policy is known. Package vfs has it: mechanisms do not import one another.
type Policy interface {
	// Ask decides at a hook. The words are for a story only.
	Ask(c *check.Check, h story.Hook, p world.Path, mask check.Mask) (a kernel.Answer, e story.Errno, words string)
	// Capable says whether the task may use a capability that it has, in the initial user namespace or in another one.
	Capable(c *check.Check, want kernel.Cap, initial bool) bool
}

// Capable asks SELinux, where its policy is known, for a capability that the task has; false: it may refuse.
func (s *Stack) Capable(c *check.Check, want kernel.Cap, initial bool) bool {
	return s.policy == nil || s.policy.Capable(c, want, initial)
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
	a, e, words := s.policy.Ask(c, q.hook, q.path, q.mask)
	st := story.Step{Code: story.SELinuxAccess, Errno: e, Op: q.op, Obj: q.path.Ref(), Fact: [3]story.Origin{m.at}, Hook: q.hook}
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
	c.MayEnd(story.EPERM)
	return 0
}

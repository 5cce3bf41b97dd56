// Package lsm is the stack of security modules in the kernel's order. A module that is active without a policy that is
// known makes its hooks unknown; nothing is guessed of a policy.
package lsm

import (
	"slices"

	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/world"
)

// Stack answers the hooks for one world.
type Stack struct {
	modules []module
	missing story.Origin // set where the list of modules is not known
}

type module struct {
	name   string
	reason string
	code   story.Code
	deaf   bool // it cannot refuse at any hook that is modelled
	at     story.Origin
}

// New reads the world's modules and what the input asks of them.
func New(w *world.World) *Stack {
	s := &Stack{}
	if !w.LSMs.Known() {
		s.missing = w.LSMs.At
	}
	label := func(name string) *world.Label {
		for i := range w.Task.Labels {
			if w.Task.Labels[i].Module == name {
				return &w.Task.Labels[i]
			}
		}
		return nil
	}
	for _, name := range w.LSMs.V {
		m := module{name: name, code: story.LSMPolicy, at: w.LSMs.At}
		switch name {
		case "capability":
			continue
		case "lockdown", "yama", "loadpin", "safesetid", "ipe", "integrity":
			m.deaf, m.reason = true, "has no hook on this call"
		case "landlock":
			m.deaf, m.reason = true, "the container starts without a ruleset"
		case "bpf":
			switch {
			case w.BPFHooks.Known() && len(w.BPFHooks.V) == 0:
				m.deaf, m.reason, m.at = true, "no BPF program is attached", w.BPFHooks.At
			case w.BPFHooks.Known():
				m.reason, m.at = "BPF programs are attached", w.BPFHooks.At
			default:
				m.reason = "whether BPF programs are attached to its hooks is not known"
			}
		default:
			m.reason = "what its policy allows is not known"
			if l := label(name); l != nil {
				if name == "apparmor" && l.Value == "unconfined" {
					m.deaf, m.reason = true, "the container is unconfined"
				} else {
					m.reason = "the container's label is " + l.Value
				}
				m.at = l.At
			}
		}
		s.modules = append(s.modules, m)
	}
	for i := range w.Task.Labels {
		if l := &w.Task.Labels[i]; !w.LSMs.Known() && l.Value != "unconfined" {
			s.modules = append(s.modules, module{name: l.Module, code: story.LSMFileLabel, reason: l.Value, at: l.At})
		}
	}
	return s
}

// Names lists the active modules that are not the kernel's own capability checks.
func (s *Stack) Names() []string {
	var names []string
	for _, m := range s.modules {
		names = append(names, m.name)
	}
	return names
}

// Enabled reports whether a module that labels files is active.
func Enabled(w *world.World, name string) bool { return slices.Contains(w.LSMs.V, name) }

// ask goes through the modules for one hook. One step tells of a module for the whole call: it is the last hook that is
// met which counts for the reader.
func (s *Stack) ask(c *check.Check, p world.Path, op story.Op, final bool) story.Errno {
	if s.missing != 0 {
		s.unsure(c, story.Step{Code: story.LSMStack, Errno: story.EACCES, Op: op, Obj: p.Ref(), Fact: [3]story.Origin{s.missing}, Val: [3]uint64{c.Word("")}})
	}
	for i := range s.modules {
		m := &s.modules[i]
		switch {
		case !m.deaf:
			s.unsure(c, story.Step{Code: m.code, Errno: story.EACCES, Op: op, Obj: p.Ref(), Fact: [3]story.Origin{m.at}, Val: [3]uint64{c.Word(m.reason), c.Word(m.name)}})
		case final && c.Recording():
			c.Skip(story.Step{Code: story.LSMHook, Op: op, Obj: p.Ref(), Fact: [3]story.Origin{m.at}, Val: [3]uint64{c.Word(m.reason), c.Word(m.name)}})
		}
	}
	if final && c.Recording() && s.missing == 0 && len(s.modules) == 0 {
		c.Skip(story.Step{Code: story.LSMStack, Op: op, Obj: p.Ref(), Val: [3]uint64{c.Word("")}})
	}
	return 0
}

// unsure records a module's silence once a call.
func (s *Stack) unsure(c *check.Check, st story.Step) {
	if c.Muted() {
		return // an overlay's mounter: what the modules say to the task is as unknown
	}
	if c.Recording() {
		for _, r := range c.Steps() {
			if r.Code == st.Code && r.Val == st.Val {
				return
			}
		}
	}
	c.Unknown(st)
	c.MayEnd(story.EPERM)
}

// The hooks of the modelled calls.

func (s *Stack) InodePermission(c *check.Check, p world.Path, mask check.Mask) story.Errno {
	return s.ask(c, p, mask.Op(false), false)
}
func (s *Stack) InodeFollowLink(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, p, story.OpFollow, false)
}
func (s *Stack) PathMknod(c *check.Check, dir world.Path) story.Errno {
	return s.ask(c, dir, story.OpCreate, false)
}
func (s *Stack) InodeCreate(c *check.Check, dir world.Path) story.Errno {
	return s.ask(c, dir, story.OpCreate, false)
}
func (s *Stack) InodeGetattr(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, p, story.OpStat, true)
}
func (s *Stack) FileOpen(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, p, story.OpOpen, true)
}
func (s *Stack) FileTruncate(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, p, story.OpWrite, false)
}
func (s *Stack) Change(c *check.Check, p world.Path, op story.Op) story.Errno {
	return s.ask(c, p, op, true)
}

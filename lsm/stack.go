// Package lsm is the stack of security modules in the kernel's order. Landlock and lockdown are decided here. A module that is
// active without a policy that is known makes the hooks that it has unknown; nothing is guessed of a policy.
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
	policy  Policy       // of SELinux; nil: not known
	missing story.Origin // set where the list of modules is not known
}

// kind says how a module answers.
type kind uint8

const (
	deaf kind = iota // it refuses nothing at any hook that is modelled
	silent
	bpf
	landlock
	lockdown
	policied // SELinux, whose policy is known
)

type module struct {
	name     string
	kind     kind
	reason   string                 // why it says nothing
	policy   string                 // what of it is not known, where it is silent
	programs [story.NumHooks]string // of bpf
	on       hookSet
	code     story.Code
	at       story.Origin
}

// New reads the world's modules and what the input asks of them.
func New(w *world.World) *Stack {
	s := &Stack{}
	if !w.LSMs.Known() {
		s.missing = w.LSMs.At
	}
	for _, name := range w.LSMs.V {
		if name == "capability" { // its checks are those of gate capability
			continue
		}
		m := module{name: name, code: story.LSMPolicy, at: w.LSMs.At, on: hooks(name)}
		m.read(w)
		s.modules = append(s.modules, m)
	}
	if !w.LSMs.Known() {
		for i := range w.Task.Labels {
			if l := &w.Task.Labels[i]; l.Value != "unconfined" {
				s.modules = append(s.modules, module{name: l.Module, kind: silent, code: story.LSMFileLabel, reason: "has no hook on this call", policy: l.Value, at: l.At, on: hooks(l.Module)})
			}
		}
		if len(w.Task.Landlock) > 0 { // it is active, else there were no ruleset
			m := module{name: "landlock", kind: landlock, at: w.Task.LandlockAt, on: hooks("landlock"), code: story.LSMPolicy}
			s.modules = append(s.modules, m)
		}
	}
	return s
}

// read finds out how the module answers.
func (m *module) read(w *world.World) {
	switch m.name {
	case "yama": // vfs decides what it says of tracing
		m.reason = "kernel.yama.ptrace_scope is told where it counts"
	case "loadpin", "safesetid", "ipe", "integrity", "ima":
		m.kind, m.reason, m.policy = silent, "has no hook on this call", "what it allows is not known"
	case "evm":
		m.reason, m.kind, m.policy = "has no hook on this call", silent, "what it allows is not known"
		if w.EVM.Known() && !w.EVM.V { // evm_verify_current_integrity
			m.kind, m.reason, m.at = deaf, "it has no key", w.EVM.At
		}
	case "lockdown":
		m.reason, m.kind = "has no hook on this call", lockdown
	case "landlock":
		switch {
		case w.Task.LandlockAt&story.Missing != 0:
			m.kind, m.reason, m.policy, m.at = silent, "has no hook on this call", "the task's rulesets are not known", w.Task.LandlockAt
		case len(w.Task.Landlock) > 0:
			m.kind, m.reason, m.at = landlock, "the rulesets handle nothing that this call needs", w.Task.LandlockAt
		default:
			m.reason = "the container starts without a ruleset"
			if w.Task.LandlockAt.Known() {
				m.reason, m.at = "the task has no ruleset", w.Task.LandlockAt
			}
		}
	case "bpf":
		m.kind, m.at = bpf, w.BPFHooks.At
		switch {
		case w.BPFHooks.Known() && len(w.BPFHooks.V) == 0:
			m.kind, m.reason = deaf, "no BPF program is attached"
		case w.BPFHooks.Known():
			m.on, m.programs = attached(w.BPFHooks.V)
			m.reason = "no BPF program is attached here"
		default:
			m.kind, m.policy, m.at = silent, "whether BPF programs are attached to its hooks is not known", w.LSMs.At
		}
	default:
		m.kind, m.reason, m.policy = silent, "has no hook on this call", "what its policy allows is not known"
		for i := range w.Task.Labels {
			l := &w.Task.Labels[i]
			if l.Module != m.name {
				continue
			}
			m.at, m.policy = l.At, "the container's label is "+l.Value
			if m.name == "apparmor" && l.Value == "unconfined" {
				m.kind, m.reason = deaf, "the container is unconfined"
			}
		}
	}
}

// Names lists the active modules that are not the kernel's own capability checks.
func (s *Stack) Names() []string {
	var names []string
	for i := range s.modules {
		names = append(names, s.modules[i].name)
	}
	return names
}

// Enabled reports whether a module that labels files is active.
func Enabled(w *world.World, name string) bool { return slices.Contains(w.LSMs.V, name) }

// question is one hook with what Landlock needs to answer there.
type question struct {
	check.Question
	rights uint64 // over the hierarchy that path is in
	where  rule
	// perhaps: whether Landlock asks for the rights depends on the kernel's release, which is not known well enough.
	perhaps bool
}

// rule says how Landlock decides at a hook.
type rule uint8

const (
	byRights rule = iota // by the rights that are asked for; none: it passes
	never                // it is refused to a task whose files are restricted
	open                 // as byRights, for a descriptor's file
)

// inner are hooks behind which another one follows in the same call: that one tells that a module refuses nothing.
var inner = hookSet{story.HookInodePermission: true, story.HookInodeFollowLink: true, story.HookPathMknod: true, story.HookInodeCreate: true, story.HookFileTruncate: true}

// ask goes through the modules for one hook.
func (s *Stack) ask(c *check.Check, q question) story.Errno {
	c.Meet(q.Hook, q.Path, q.Op)
	if s.missing != 0 {
		s.unsure(c, story.Step{Code: story.LSMStack, Errno: story.EACCES, Op: q.Op, Obj: q.Path.Ref(), Fact: [3]story.Origin{s.missing}, Val: [3]uint64{c.Word("")}})
	}
	for i := range s.modules {
		m := &s.modules[i]
		if m.on[q.Hook] {
			switch m.kind {
			case silent:
				s.unsure(c, story.Step{Code: m.code, Errno: story.EACCES, Op: q.Op, Obj: q.Path.Ref(), Fact: [3]story.Origin{m.at}, Val: [3]uint64{c.Word(m.policy), c.Word(m.name)}, Hook: q.Hook})
				continue
			case bpf:
				s.program(c, m, q)
				continue
			case policied:
				if e := s.selinux(c, m, q); e != 0 {
					return e
				}
				continue
			case landlock:
				if e := s.landlock(c, m, q); e != 0 {
					return e
				}
			}
		}
		if c.Recording() && !inner[q.Hook] && !told(c, m.name) {
			c.Skip(story.Step{Code: story.LSMHook, Op: q.Op, Obj: q.Path.Ref(), Fact: [3]story.Origin{m.at}, Val: [3]uint64{c.Word(m.reason), c.Word(m.name)}, Hook: q.Hook})
		}
	}
	if c.Recording() && !inner[q.Hook] && s.missing == 0 && len(s.modules) == 0 && !told(c, "") {
		c.Skip(story.Step{Code: story.LSMStack, Op: q.Op, Obj: q.Path.Ref(), Val: [3]uint64{c.Word("")}, Hook: q.Hook})
	}
	return 0
}

// told reports whether a step tells of a module already.
func told(c *check.Check, name string) bool {
	word := c.Word(name)
	for _, r := range c.Steps() {
		if r.Code == story.LSMStack && name == "" || r.Code.Gate() == story.LSM && r.Code != story.LSMStack && r.Val[1] == word {
			return true
		}
	}
	return false
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

// program makes the hook unknown that a BPF program sits on.
func (s *Stack) program(c *check.Check, m *module, q question) {
	if c.Muted() {
		return
	}
	st := story.Step{Code: story.LSMProgram, Errno: story.EPERM, Op: q.Op, Obj: q.Path.Ref(), Fact: [3]story.Origin{m.at}, Hook: q.Hook}
	if c.Recording() {
		st.Val = [3]uint64{c.Word(m.programs[q.Hook]), c.Word(m.name)}
	}
	c.Unknown(st)
	c.MayEnd(story.EACCES)
}

// landlock decides by the task's rulesets.
func (s *Stack) landlock(c *check.Check, m *module, q question) story.Errno {
	w := c.W
	if c.Muted() || !restrictsFiles(w) || q.rights == 0 && q.where != never {
		return 0
	}
	if q.where == never {
		return s.restricted(c, m, q, story.EPERM, 0)
	}
	var d denied
	d.ask(w, q.rights)
	if q.Path != (world.Path{}) { // a message queue: no place that a rule could name leads to it
		d.climb(w, q.Path)
	}
	if missing := d.any(); missing != 0 {
		return s.restricted(c, m, q, story.EACCES, missing)
	}
	s.granted(c, m, q)
	return 0
}

// granted records that the rulesets let the call pass.
func (s *Stack) granted(c *check.Check, m *module, q question) {
	if !c.Recording() {
		return
	}
	c.Pass(story.Step{Code: story.LSMHook, Op: q.Op, Obj: q.Path.Ref(), Fact: [3]story.Origin{m.at}, Val: [3]uint64{c.Word("its rulesets allow " + rightNames(q.rights)), c.Word(m.name)}, Hook: q.Hook})
}

// restricted refuses by a ruleset.
func (s *Stack) restricted(c *check.Check, m *module, q question, errno story.Errno, missing uint64) story.Errno {
	st := story.Step{Code: story.LandlockRight, Errno: errno, Op: q.Op, Obj: q.Path.Ref(), Fact: [3]story.Origin{m.at}, Hook: q.Hook}
	switch {
	case q.where == never:
		st.Code = story.LandlockMount
	case errno == story.EXDEV:
		st.Code = story.LandlockRefer
	}
	if c.Recording() {
		st.Val = [3]uint64{c.Word(rightNames(missing)), c.Word(m.name)}
	}
	if q.perhaps {
		c.Unknown(st)
		return 0
	}
	return c.Deny(st)
}

// module returns an active module, nil where it is none.
func (s *Stack) module(k kind) *module {
	for i := range s.modules {
		if s.modules[i].kind == k {
			return &s.modules[i]
		}
	}
	return nil
}

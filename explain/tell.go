package explain

import (
	"fmt"
	"slices"
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/lsm"
	"syscallstory/seccomp"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// Story judges a call and tells how it was decided, with what would refuse next.
func (j *Judge) Story(call *syscalls.Call) *story.Story {
	end := j.judge(call, true, nil)
	w := j.w
	s := j.empty(call)
	s.Verdict = end.Verdict.String()
	s.Findings = append(s.Findings, w.Findings...)
	s.Findings = append(s.Findings, j.unreached(j.c.Steps())...)
	if (end.Verdict == story.Denied) && end.Sure && end.Errno != 0 {
		s.Errno = name(end.Errno)
	}
	for _, e := range end.Possible.All() {
		s.Possible = append(s.Possible, e.String())
	}
	step, denied := j.c.Decided()
	refused := end.Verdict == story.Denied || end.Verdict == story.Killed
	if denied && refused && end.Sure {
		g := step.Code.Gate().String()
		s.DecidedBy = &g
	}
	s.Steps = j.entries(j.c.Steps(), denied && refused)
	if end.Verdict == story.Allowed || end.Verdict == story.Undetermined {
		s.Effects = append(s.Effects, j.c.Effects()...)
	}
	s.Assumptions = append(s.Assumptions, w.Assumptions(j.uses(call))...)
	if len(end.Possible.All()) > 0 || end.Verdict == story.Undetermined {
		s.Missing = j.missing(j.c.Steps())
	}
	s.Sources = j.excerpts(s)
	if denied && refused {
		s.Next = j.next(call, step)
	}
	return s
}

// uses reports which facts the recorded steps have compared. A relative path uses the working directory.
func (j *Judge) uses(call *syscalls.Call) func(story.Origin) bool {
	used := map[story.Origin]bool{}
	for _, s := range j.c.Steps() {
		for _, at := range s.Fact {
			used[at] = true
		}
	}
	for i := range call.Args {
		if a := &call.Args[i]; a.Kind == syscalls.Path && a.Str != "" && a.Str[0] != '/' {
			used[j.w.Task.CwdAt] = true
		}
	}
	return func(at story.Origin) bool { return used[at] }
}

// excerpts returns the lines of the input that the deciding step and the findings point to, each with the one before it.
func (j *Judge) excerpts(s *story.Story) []story.Source {
	out := []story.Source{}
	quote := func(at *story.Place) {
		if at == nil || at.Line == 0 {
			return
		}
		for _, src := range j.w.Sources {
			if src.File != at.File || at.Line > len(src.Lines) {
				continue
			}
			first := max(1, at.Line-1)
			for _, have := range out {
				if have.File == src.File && have.First == first {
					return
				}
			}
			out = append(out, story.Source{File: src.File, First: first, Lines: src.Lines[first-1 : at.Line]})
			return
		}
	}
	for i := range s.Steps {
		if e := &s.Steps[i]; e.Decides {
			for k := range e.Facts {
				quote(e.Facts[k].At)
			}
		}
	}
	for i := range s.Findings {
		quote(s.Findings[i].At)
	}
	return out
}

// Performed makes the story of a call that the kernel has decided, for the caller to fill in how: it has no steps.
func (j *Judge) Performed(call *syscalls.Call) *story.Story {
	s := j.empty(call)
	s.Source = "performed"
	return s
}

// empty is a story of which nothing is known but the call and the subject.
func (j *Judge) empty(call *syscalls.Call) *story.Story {
	w := j.w
	nr := call.Nr
	return &story.Story{SchemaVersion: story.SchemaVersion, Subject: w.Subject, Kernel: story.Kernel{Release: w.Kernel.Text, Arch: j.abi.String()}, Source: "predicted",
		Call: story.Call{Text: call.String(), Name: call.Name, ABI: call.ABI.String(), Nr: &nr, Args: call.ArgTexts()}, Possible: []string{}, Assumptions: []story.Assumption{},
		Steps: []story.Entry{}, Effects: []story.Effect{}, Fixes: []story.Fix{}, Next: []story.Entry{}, Missing: []story.Assumption{}, Findings: []story.Finding{}, Sources: []story.Source{}}
}

func name(e story.Errno) *string {
	n := e.String()
	return &n
}

// missing lists the facts that the unknown steps lacked, each once.
func (j *Judge) missing(steps []story.Step) []story.Assumption {
	out := []story.Assumption{}
	seen := map[story.Assumption]bool{}
	for i := range steps {
		if steps[i].Outcome != story.Unknown {
			continue
		}
		for _, at := range steps[i].Fact {
			if a, ok := j.w.Reason(at); ok && !seen[a] {
				seen[a] = true
				out = append(out, a)
			}
		}
	}
	return out
}

// entries puts steps into words.
func (j *Judge) entries(steps []story.Step, denied bool) []story.Entry {
	out := make([]story.Entry, 0, len(steps))
	for i := range steps {
		e := j.entry(&steps[i])
		e.Seq = i + 1
		e.Decides = denied && i == len(steps)-1
		out = append(out, e)
	}
	return out
}

func (j *Judge) entry(s *story.Step) story.Entry {
	info := s.Code.Info()
	e := story.Entry{Gate: info.Gate.String(), Hook: info.Hook, Outcome: s.Outcome.String(), Code: info.ID, Op: s.Op.String(), Function: info.Function, Cred: j.credName(s), Facts: []story.NamedFact{}}
	if s.Outcome == story.Deny && s.Errno != 0 || s.Outcome == story.Unknown && s.Errno != 0 {
		e.Errno = name(s.Errno)
	}
	if s.Hook != story.NoHook {
		e.Hook = s.Hook.String()
	}
	e.Object = j.object(s)
	vals := [3]string{}
	for k, f := range info.Facts {
		vals[k] = j.value(f.Kind, s.Val[k])
		nf := story.NamedFact{Name: f.Name, Value: vals[k]}
		nf.At = j.w.Place(s.Fact[k])
		e.Facts = append(e.Facts, nf)
	}
	for _, at := range s.Fact {
		if m, ok := j.w.Reason(at); ok && s.Outcome == story.Unknown && m.Settles != "" && !slices.Contains(e.Settles, m.Settles) {
			e.Settles = append(e.Settles, m.Settles)
		}
	}
	if info.Gate == story.LSM {
		for k, f := range info.Facts {
			if f.Name == "module" {
				e.LSM = vals[k]
			}
		}
	}
	long, short := info.Allows, info.Allows
	switch s.Outcome {
	case story.Deny, story.Kill:
		long, short, e.Note = info.Denies, info.Refuses, info.Note
	case story.Unknown:
		long, short = info.Unknowns, info.Title
	}
	if long == "" {
		long = info.Title
	}
	if short == "" {
		short = info.Title
	}
	e.Text, e.Short = j.fill(long, e, vals), j.fill(short, e, vals)
	return e
}

func (j *Judge) fill(t string, e story.Entry, vals [3]string) string {
	if !strings.Contains(t, "{") {
		return t
	}
	return strings.NewReplacer("{obj}", e.Object, "{op}", e.Op, "{cred}", e.Cred, "{0}", vals[0], "{1}", vals[1], "{2}", vals[2]).Replace(t)
}

// credName names the credential that a step used.
func (j *Judge) credName(s *story.Step) string {
	if s.Cred != 0 {
		return "overlay's mounter"
	}
	return "task"
}

// object names what a step is about, as the task sees it.
func (j *Judge) object(s *story.Step) string {
	if s.Obj.Dentry == 0 {
		return ""
	}
	return j.w.PathText(world.PathOf(s.Obj))
}

// value prints a fact.
func (j *Judge) value(k story.FactKind, v uint64) string {
	switch k {
	case story.KindMode:
		return story.FormatMode(v)
	case story.KindID:
		return id(uint32(v))
	case story.KindDisk:
		return id(uint32(v>>32)) + ":" + id(uint32(v))
	case story.KindIDs:
		return j.ids(uint32(v>>32), uint32(v))
	case story.KindCap:
		return kernel.Cap(v).String()
	case story.KindCapSet:
		return world.CapSet(v).String()
	case story.KindBytes:
		return fmt.Sprintf("%d bytes", int64(v))
	case story.KindString:
		if words := j.c.Words(); int(v) < len(words) {
			return words[v]
		}
		return ""
	case story.KindMount:
		return world.MountFlags(v).String()
	case story.KindSB:
		return sbFlags(world.SBFlags(v))
	case story.KindNS:
		if int(v) < len(j.w.UserNS) {
			return j.w.UserNS[v].Name
		}
	case story.KindAction:
		return seccomp.Action(v).String()
	case story.KindHex:
		return fmt.Sprintf("%#x", v)
	}
	return fmt.Sprintf("%d", int64(v))
}

// ids prints an owner; in a user namespace as the task sees it, with what it is on the host.
func (j *Judge) ids(uid, gid uint32) string {
	host := id(uid) + ":" + id(gid)
	ns := &j.w.UserNS[j.w.Task.Cred.UserNS]
	if ns.Identity {
		return host
	}
	in := func(m world.IDMap, v uint32) string {
		if k, ok := m.Up(v); ok {
			return fmt.Sprint(k)
		}
		return "unmapped"
	}
	return in(ns.UIDs, uid) + ":" + in(ns.GIDs, gid) + " (host " + host + ")"
}

func sbFlags(f world.SBFlags) string {
	s := "rw"
	if f&world.SBReadOnly != 0 {
		s = "ro"
	}
	if f&world.SBNoDev != 0 {
		s += ",nodev"
	}
	if f&world.SBNoExec != 0 {
		s += ",noexec"
	}
	return s
}

func id(v uint32) string {
	if v == world.Invalid {
		return "unmapped"
	}
	return fmt.Sprint(v)
}

// LSMNames lists the security modules that the judge asks.
func (j *Judge) LSMNames() []string { return j.c.LSM.(*lsm.Stack).Names() }

var _ check.LSM = (*lsm.Stack)(nil)

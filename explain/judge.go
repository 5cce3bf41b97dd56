// Package explain judges calls: it binds the mechanisms to a world and holds the routes, one plain function a syscall, each
// in the order of the kernel's own.
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
	"syscallstory/vfs"
	"syscallstory/world"
)

// Judge judges calls of one task. It is for one goroutine; each needs its own.
type Judge struct {
	w         *world.World
	c         check.Check
	abi       syscalls.ABI
	filters   []*filter
	stack     seccomp.Stack
	decisions *seccomp.Decisions
}

// filter is one of the task's seccomp filters, compiled.
type filter struct {
	world.Filter
	profile *seccomp.Resolved // nil for one that is known as a program only
	program seccomp.Program
	open    bool // it has rules that the kernel's release, which is not known, would decide
}

// DefaultProfile returns the text and the file name of an engine's default seccomp profile, and what had to be assumed.
type DefaultProfile func(engine, version string) (file string, text []byte, note string, err error)

// Bind prepares a judge: it compiles the task's filters and attaches the rules of filesystems and security modules.
func Bind(w *world.World, defaults DefaultProfile) (*Judge, error) {
	j := &Judge{w: w}
	if w.Arch != "" {
		abi, ok := syscalls.ParseABI(w.Arch)
		if !ok {
			return nil, fmt.Errorf("architecture %s is not modelled: x86_64 and arm64 are", w.Arch)
		}
		j.abi = abi
	}
	for _, f := range w.Task.Seccomp.Filters {
		if f.Program != nil {
			p, err := seccomp.ParseRaw(f.Program)
			if err == nil {
				err = p.Check()
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name, err)
			}
			j.filters = append(j.filters, &filter{Filter: f, program: p})
			j.stack = append(j.stack, p)
			continue
		}
		file, text := f.File, f.JSON
		if f.Engine != "" {
			var err error
			var note string
			if file, text, note, err = defaults(f.Engine, f.Version); err != nil {
				return nil, err
			}
			if note != "" {
				w.Assume(note, "--node FILE with the engine's version")
			}
		}
		if len(f.Allow) > 0 {
			var err error
			if text, err = seccomp.Allowing(text, f.Allow); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		p, err := seccomp.Parse(file, text)
		if err != nil {
			return nil, err
		}
		w.Sources = append(w.Sources, story.Source{File: file, First: 1, Lines: strings.Split(string(text), "\n")})
		fl := &filter{Filter: f, profile: p.Resolve(seccomp.Target{ABI: j.abi, Caps: f.Caps, Kernel: w.Kernel})}
		fl.open = len(fl.profile.Maybe) > 0
		if f.Loader != "" {
			rt, err := seccomp.ParseRuntime(f.Loader)
			if err != nil {
				return nil, err
			}
			fl.profile = fl.profile.LoadedBy(rt)
		}
		if fl.program, err = fl.profile.Compile(); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, warn := range p.Warnings {
			if f.Engine == "" {
				w.Findings = append(w.Findings, story.Finding{Severity: "warning", Text: warn.Msg, At: &story.Place{File: file, Line: warn.At.Line, Col: warn.At.Col}})
			}
		}
		j.filters = append(j.filters, fl)
		j.stack = append(j.stack, fl.program)
	}
	j.decisions = seccomp.NewDecisions(j.stack)
	for _, l := range w.Task.Labels {
		if w.LSMs.Known() && !slices.Contains(w.LSMs.V, l.Module) {
			w.Findings = append(w.Findings, story.Finding{Severity: "note", Text: "the label " + l.Value + " has no effect: " + l.Module + " is not among the node's security modules", At: w.Place(l.At)})
		}
	}
	j.c = check.Check{W: w, K: w.Kernel, Hooks: vfs.Hooks{}, LSM: lsm.New(w), Ops: make([]check.Ops, w.FS.NumSB())}
	if s := vfs.NewSELinux(w); s != nil {
		j.c.LSM.(*lsm.Stack).SELinux(s)
	}
	for i := 1; i < w.FS.NumSB(); i++ {
		j.c.Ops[i] = vfs.OpsFor(w.FS.SB(world.SBID(i)))
	}
	return j, nil
}

// Filter is one of the task's seccomp filters.
type Filter struct {
	Name    string
	Profile *seccomp.Resolved
	Program seccomp.Program
	Log     bool // installed with SECCOMP_FILTER_FLAG_LOG
}

// Filters returns the task's seccomp filters, oldest first.
func (j *Judge) Filters() []Filter {
	var out []Filter
	for _, f := range j.filters {
		out = append(out, Filter{f.Name, f.profile, f.program, f.profile != nil && f.profile.Profile.Log})
	}
	return out
}

// Remarks notes, for profiles that are not an engine's own, how much seccomp.Resolved.Check has to say of them.
func (j *Judge) Remarks() {
	for _, f := range j.filters {
		if f.profile == nil {
			continue
		}
		if n := len(f.profile.Check()) - len(f.profile.Profile.Warnings); f.Engine == "" && n > 0 {
			text := fmt.Sprintf("`story seccomp check %s` has %d remarks on the profile", f.File, n)
			if n == 1 {
				text = strings.Replace(text, "1 remarks", "1 remark", 1)
			}
			j.w.Findings = append(j.w.Findings, story.Finding{Severity: "note", Text: text})
		}
	}
}

// ABI returns the calling convention of the task.
func (j *Judge) ABI() syscalls.ABI { return j.abi }

// Verdict judges a call without telling its story. It does not allocate once the world is warm.
func (j *Judge) Verdict(call *syscalls.Call) check.End { return j.judge(call, false, nil) }

// declare opens the descriptors that a call was written with, 3</path>, until the function that it returns is called.
func (j *Judge) declare(call *syscalls.Call) func() {
	t := &j.w.Task
	fds, at := t.FDs, t.FDsAt
	for i := range call.Args {
		a := &call.Args[i]
		if a.FDPath == "" || int32(a.Val) < 0 {
			continue
		}
		p, _, st := j.w.Resolve(t.Root, t.Cwd, a.FDPath)
		there := st == world.Present && strings.HasPrefix(a.FDPath, "/")
		if f := t.FDByNumber(int(a.Val)); f != nil && there && f.Path == p {
			continue
		}
		t.FDs = slices.DeleteFunc(slices.Clone(t.FDs), func(f world.FD) bool { return f.N == int(a.Val) })
		if there {
			how := j.w.Miss(fmt.Sprintf("how descriptor %d was opened is not known", a.Val), "--fd with the flags of its open")
			t.FDs = append(t.FDs, world.FD{N: int(a.Val), Path: p, FlagsAt: how, At: j.w.Text("the call's own text")})
			continue
		}
		t.FDs = append(t.FDs, world.FD{N: int(a.Val), At: j.w.Miss("what descriptor "+a.String()+" leads to is not known", "--rootfs and --host-root with that file")})
	}
	return func() { t.FDs, t.FDsAt = fds, at }
}

func declares(call *syscalls.Call) bool {
	for i := range call.Args {
		if call.Args[i].FDPath != "" {
			return true
		}
	}
	return false
}

// Decided returns the check that refused the call that was judged last.
func (j *Judge) Decided() (story.Step, bool) { return j.c.Decided() }

// Refused judges a call and returns the check that refused it; false where none did for sure.
func (j *Judge) Refused(call *syscalls.Call) (world.Refused, bool) {
	end := j.judge(call, true, nil)
	step, denied := j.c.Decided()
	if !denied || !end.Sure || end.Verdict != story.Denied && end.Verdict != story.Killed {
		return world.Refused{}, false
	}
	return world.Refused{Call: call, Step: step, Entry: j.entry(&step)}, true
}

// SeccompAllows reports whether the task's filters may let a call pass with some arguments.
func (j *Judge) SeccompAllows(name string) bool {
	nr, ok := syscalls.Lookup(j.abi, name)
	if !ok {
		return false
	}
	j.c.Reset(false, nil)
	_, _, ran := j.seccomp(&syscalls.Call{ABI: j.abi, Name: name, Nr: nr})
	return ran
}

// SeccompPasses reports whether the task's filters let a call pass, as it is.
func (j *Judge) SeccompPasses(call *syscalls.Call) bool {
	j.c.Reset(false, nil)
	errno, killed, ran := j.seccomp(call)
	return ran && !killed && errno == 0
}

// NoNewPrivs reports whether the task has no_new_privs.
func (j *Judge) NoNewPrivs() bool { return j.w.Task.Cred.NoNewPrivs }

// Programs are the task's compiled filters, oldest first.
func (j *Judge) Programs() []seccomp.Program { return j.stack }

// Capabilities lists what the task's effective set holds.
func (j *Judge) Capabilities() []kernel.Cap {
	var all []kernel.Cap
	for c := kernel.Cap(0); c < kernel.NumCaps; c++ {
		if cr := &j.w.Task.Cred; cr.EffectiveAt.Known() && cr.Effective.Has(c) {
			all = append(all, c)
		}
	}
	return all
}

// judge runs the gates: refusals before the container exists, seccomp, the call's existence, its route.
func (j *Judge) judge(call *syscalls.Call, record bool, forgiven []story.Step) check.End {
	c := &j.c
	c.Reset(record, forgiven)
	if declares(call) {
		defer j.declare(call)()
	}
	if len(j.w.Refusals) > 0 && j.refused() {
		return check.End{Verdict: story.Denied, Sure: true}
	}
	errno, killed, ran := j.seccomp(call)
	if killed {
		return check.End{Verdict: story.Killed, Sure: true}
	}
	if !ran {
		return c.End(errno)
	}
	if e := j.exists(call); e != 0 {
		return c.End(e)
	}
	r := routes[call.Name]
	if r == nil {
		c.Unknown(story.Step{Code: story.NoRoute, Op: story.OpEnter, Val: [3]uint64{c.Word(call.Name)}})
		return check.End{Verdict: story.Undetermined}
	}
	return c.End(r(c, call))
}

// refused tells what kubelet and runtime check before the container exists; true if one of them would not start it.
func (j *Judge) refused() bool {
	c := &j.c
	for i := range j.w.Refusals {
		r := &j.w.Refusals[i]
		s := story.Step{Code: r.Code, Op: story.OpStart, Fact: [3]story.Origin{r.At, r.At, r.At}}
		for k, f := range r.Facts {
			s.Val[k] = c.Word(f)
		}
		if r.Code == story.RunAsNonRoot {
			s.Val[0] = r.Number
		}
		switch r.Outcome {
		case story.Allow:
			c.Pass(s)
		case story.Unknown:
			c.Unknown(s)
			c.MayNotStart()
		case story.Deny:
			if c.DenyStart(s) {
				return true
			}
		}
	}
	return false
}

// exists refuses a call that the kernel's release does not have yet.
func (j *Judge) exists(call *syscalls.Call) story.Errno {
	major, minor := syscalls.Since(call.ABI, call.Name)
	if major == 0 {
		return 0
	}
	c := &j.c
	answer := j.w.Kernel.AtLeast(major, minor)
	if answer == kernel.Yes {
		return 0
	}
	s := story.Step{Code: story.NoSyscall, Errno: story.ENOSYS, Op: story.OpEnter, Fact: [3]story.Origin{0, j.w.KernelAt}}
	if c.Recording() {
		s.Val = [3]uint64{c.Word(call.Name), c.Word(fmt.Sprintf("%d.%d", major, minor))}
	}
	if answer == kernel.No {
		return c.Refuse(s)
	}
	if major > 4 { // releases before 5.0 run nowhere any more that this tool is used
		c.Unknown(s)
	}
	return 0
}

// Records judges a call and lists the records that SELinux writes for it, which are good until the next call.
func (j *Judge) Records(call *syscalls.Call) (check.End, []check.AVC) {
	return j.judge(call, true, nil), j.c.AVCs()
}

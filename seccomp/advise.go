package seccomp

import (
	"fmt"
	"slices"

	"syscallstory/syscalls"
)

// Advice is the least profile for some calls, below a base profile.
type Advice struct {
	Profile  *Profile
	Program  Program
	Calls    int      // distinct calls of the recording that it was made for
	Names    []string // what it allows because the recording has it
	Always   []string // what it allows although the recording cannot show it
	Refused  []*syscalls.Call
	Fallback []string         // names of refused ones that fail with ENOSYS: programs then make an older call, which is not recorded
	Unproved []*syscalls.Call // whether the base allows them depends on an argument that the recording does not hold
}

// unseen are calls that no recording shows, or that come before it begins.
var unseen = []string{"execve", "exit", "exit_group", "restart_syscall", "rt_sigreturn"}

// selectors are the arguments that say which of its functions a call is to do.
var selectors = map[string][]int{"socket": {0}, "socketpair": {0}, "prctl": {0}, "arch_prctl": {0}, "ioctl": {1}, "fcntl": {1}, "personality": {0}, "clone": {0}, "unshare": {0}, "keyctl": {0}, "ptrace": {0},
	"bpf": {0}, "setsockopt": {1, 2}, "getsockopt": {1, 2}, "madvise": {2}, "mprotect": {2}, "mmap": {2, 3}, "seccomp": {0}, "quotactl": {0}, "sysfs": {0}}

// Advise makes the least profile that allows the recorded calls as far as the base does, and nothing that the base refuses. With args, a call
// that does many things is allowed only with the selecting arguments that were recorded.
func Advise(base *Resolved, recorded []*syscalls.Call, args bool) (*Advice, error) {
	if len(base.Maybe) > 0 {
		return nil, fmt.Errorf("%s: rules depend on the kernel's release, which is not known", base.Profile.File)
	}
	a := &Advice{}
	seen := map[string]map[[6]uint64]bool{}
	var kept []*syscalls.Call
	for _, call := range recorded {
		if !slices.Contains(base.ABIs, call.ABI) {
			a.Refused = append(a.Refused, call)
			continue
		}
		regs, unknown := call.Registers()
		may, mayNot := false, false
		answers := base.Every(call.Name, &regs, unknown)
		for _, a := range answers {
			may, mayNot = may || passes(a), mayNot || !passes(a)
		}
		switch {
		case !may:
			a.Refused = append(a.Refused, call)
			if answers[0] == Errno|38 && !slices.Contains(a.Fallback, call.Name) {
				a.Fallback = append(a.Fallback, call.Name)
			}
			continue
		case mayNot:
			a.Unproved = append(a.Unproved, call)
		}
		if seen[call.Name] == nil {
			seen[call.Name] = map[[6]uint64]bool{}
			a.Names = append(a.Names, call.Name)
		}
		if !seen[call.Name][regs] {
			seen[call.Name][regs] = true
			kept = append(kept, call)
			a.Calls++
		}
	}
	slices.Sort(a.Names)
	c := &composition{d: newDiagram(false), sources: []*Resolved{base}, action: base.Profile.Default, abis: base.ABIs}
	if passes(c.action) {
		c.action = Errno | 1
	}
	for _, name := range unseen {
		if seen[name] == nil && c.d.meaning(base, base.Target.ABI, name) < 0 && passes(c.d.action(c.d.meaning(base, base.Target.ABI, name))) {
			a.Always = append(a.Always, name)
		}
	}
	refuse := c.d.end(c.action)
	c.answer = func(name string) ref {
		f := c.d.meaning(base, base.Target.ABI, name)
		switch {
		case f < 0 && !passes(c.d.action(f)):
			return f // refused in the base's own way, so that programs fall back as they do there
		case slices.Contains(a.Always, name):
			return f
		case seen[name] == nil:
			return refuse
		case args && selectors[name] != nil:
			return c.d.ite(c.d.recorded(name, kept), f, refuse)
		}
		return f
	}
	var err error
	_, bound := c.d.bounded(func() ref { a.Profile, err = c.profile("advice"); return no })
	if bound != nil {
		return nil, bound
	}
	if err != nil {
		return nil, err
	}
	return a, a.prove(base, kept)
}

// recorded is the predicate that a call's selecting arguments were seen together.
func (d *diagram) recorded(name string, calls []*syscalls.Call) ref {
	p := no
	for _, call := range calls {
		if call.Name != name {
			continue
		}
		regs, unknown := call.Registers()
		q := yes
		for _, i := range selectors[name] {
			if unknown>>i&1 == 0 {
				q = d.and(q, d.condition(Arg{Index: uint8(i), Op: EQ, Value: regs[i]}))
			}
		}
		p = d.or(p, q)
	}
	return p
}

// prove compiles the profile and checks that it allows every recorded call, and no call that the base refuses.
func (a *Advice) prove(base *Resolved, calls []*syscalls.Call) error {
	var err error
	r := a.Profile.Resolve(base.Target)
	if a.Program, err = r.Compile(); err != nil {
		return err
	}
	for _, call := range calls {
		regs, unknown := call.Registers()
		if slices.Contains(a.Unproved, call) {
			continue
		}
		for _, a := range r.Every(call.Name, &regs, unknown) {
			if !passes(a) {
				return fmt.Errorf("the profile does not allow %v", call)
			}
		}
	}
	whole, err := base.Compile()
	if err != nil {
		return err
	}
	diff, err := Diff(Stack{a.Program}, Stack{whole})
	if err != nil {
		return err
	}
	for _, c := range diff.Changes {
		if c.Relation == Superset || c.Relation == Incomparable {
			return fmt.Errorf("the profile allows %s where the base does not", c.Name)
		}
	}
	return nil
}

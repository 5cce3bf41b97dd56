package seccomp

import (
	"fmt"
	"slices"
	"strings"

	"syscallstory/kernel"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// Target is what a profile is resolved against.
type Target struct {
	ABI    syscalls.ABI // of the machine: X8664 or ARM64
	Caps   world.CapSet // the container's bounding set
	Kernel kernel.Release
}

// Resolved is a profile for one target.
type Resolved struct {
	Profile *Profile
	Target  Target
	Rules   []int  // indexes of the rules that are kept
	Maybe   []int  // of those that the kernel's release, which is not known, would decide
	Dropped []Drop // of the others
	ABIs    []syscalls.ABI
	Listed  bool // the profile itself names the ABIs
	byName  map[string][]int
	lower   map[*Rule]*Rule // rules as they hold for i386 and arm, which have registers of 32 bits; nil where neither is listed
	loader  *loader         // nil: the profile is loaded as it is written
}

// Drop says why a rule is not in force.
type Drop struct {
	Rule int
	Why  string
}

// Resolve keeps the rules that are in force for a target: the includes must hold and the excludes must not.
func (p *Profile) Resolve(t Target) *Resolved {
	r := &Resolved{Profile: p, Target: t, byName: map[string][]int{}, ABIs: p.abis(t.ABI), Listed: len(p.Arches) > 0}
	if slices.ContainsFunc(r.ABIs, syscalls.ABI.Half) {
		r.lower = map[*Rule]*Rule{}
	}
	for i := range p.Rules {
		rule := &p.Rules[i]
		if r.lower != nil && len(rule.Args) > 0 {
			r.lower[rule] = rule.lowered()
		}
		why, answer := rule.inForce(t)
		switch answer {
		case kernel.No:
			r.Dropped = append(r.Dropped, Drop{i, why})
			continue
		case kernel.NotKnown:
			r.Maybe = append(r.Maybe, i)
		default:
			r.Rules = append(r.Rules, i)
		}
		for _, n := range rule.Names {
			if list := r.byName[n]; len(list) == 0 || list[len(list)-1] != i {
				r.byName[n] = append(list, i)
			}
		}
	}
	return r
}

// abis lists the ABIs that the filter judges on a machine.
func (p *Profile) abis(native syscalls.ABI) []syscalls.ABI {
	names := map[string]syscalls.ABI{"SCMP_ARCH_X86_64": syscalls.X8664, "SCMP_ARCH_X86": syscalls.I386, "SCMP_ARCH_X32": syscalls.X32, "SCMP_ARCH_AARCH64": syscalls.ARM64, "SCMP_ARCH_ARM": syscalls.ARM}
	out := []syscalls.ABI{native}
	for _, m := range p.Arches {
		if a, ok := names[m.Arch]; !ok || a != native {
			continue
		}
		for _, s := range m.Sub {
			if a, ok := names[s]; ok && a != native {
				out = append(out, a)
			}
		}
	}
	return out
}

// inForce is what moby's and containerd's loaders do with includes and excludes.
func (rule *Rule) inForce(t Target) (string, kernel.Answer) {
	goarch := map[syscalls.ABI]string{syscalls.X8664: "amd64", syscalls.ARM64: "arm64"}[t.ABI]
	has := func(list []string) bool {
		for _, a := range list {
			if a == goarch {
				return true
			}
		}
		return false
	}
	ex, in := &rule.Excludes, &rule.Includes
	if has(ex.Arches) {
		return "excluded on " + goarch, kernel.No
	}
	for _, c := range ex.Caps {
		if t.Caps.Has(c) {
			return fmt.Sprintf("excluded because %v is in the bounding set", c), kernel.No
		}
	}
	answer := kernel.Yes
	if ex.MinKernel != [2]int{} {
		switch t.Kernel.AtLeast(ex.MinKernel[0], ex.MinKernel[1]) {
		case kernel.Yes:
			return fmt.Sprintf("excluded from Linux %d.%d on", ex.MinKernel[0], ex.MinKernel[1]), kernel.No
		case kernel.NotKnown:
			answer = kernel.NotKnown
		}
	}
	if len(in.Arches) > 0 && !has(in.Arches) {
		return "included on " + strings.Join(in.Arches, ", ") + " only", kernel.No
	}
	for _, c := range in.Caps {
		if !t.Caps.Has(c) {
			return fmt.Sprintf("included only with %v, which is not in the bounding set", c), kernel.No
		}
	}
	if in.MinKernel != [2]int{} {
		switch t.Kernel.AtLeast(in.MinKernel[0], in.MinKernel[1]) {
		case kernel.No:
			return fmt.Sprintf("included from Linux %d.%d on", in.MinKernel[0], in.MinKernel[1]), kernel.No
		case kernel.NotKnown:
			answer = kernel.NotKnown
		}
	}
	return "", answer
}

// Missing returns a dropped rule that names the call and would have allowed it.
func (r *Resolved) Missing(name string) (Drop, bool) {
	for _, d := range r.Dropped {
		rule := &r.Profile.Rules[d.Rule]
		if rule.Action.Kind() != Allow {
			continue
		}
		for _, n := range rule.Names {
			if n == name {
				return d, true
			}
		}
	}
	return Drop{}, false
}

// Decision is what the rules say to a call.
type Decision struct {
	Action Action
	Rule   int // -1: the default action
}

// Eval applies the rules' meaning to a call of a listed ABI. Of i386 and arm the arguments have 32 bits: see decides.
func (r *Resolved) Eval(name string, args *[6]uint64) Decision {
	best := Decision{r.Profile.Default, -1}
	for _, i := range r.byName[name] {
		rule := &r.Profile.Rules[i]
		if rule.matches(args) && (best.Rule < 0 || rule.Action.Stricter(best.Action)) {
			best = Decision{rule.Action, i}
		}
	}
	return best
}

// Every returns the answers that are possible where the registers of unknown may hold anything and rules of Maybe may be
// in force or not; one where it does not matter.
func (r *Resolved) Every(name string, args *[6]uint64, unknown uint8) []Action {
	const unmatched = -1
	type answer struct {
		action Action
		rule   int // unmatched: the default action, over which every rule wins
	}
	all := []answer{{r.Profile.Default, unmatched}}
	for _, i := range r.byName[name] {
		rule := &r.Profile.Rules[i]
		yes, no := rule.may(args, unknown)
		no = no || slices.Contains(r.Maybe, i)
		if !yes {
			continue
		}
		var next []answer
		for _, a := range all {
			if no && !slices.Contains(next, a) {
				next = append(next, a)
			}
			if a.rule == unmatched || rule.Action.Stricter(a.action) {
				a = answer{rule.Action, 0}
			}
			if !slices.Contains(next, a) {
				next = append(next, a)
			}
		}
		all = next
	}
	var out []Action
	for _, a := range all {
		if !slices.Contains(out, a.action) {
			out = append(out, a.action)
		}
	}
	return out
}

// separate reports whether two conditions stand on one argument: then each is a rule of its own.
func (rule *Rule) separate() bool {
	seen := uint8(0)
	for _, a := range rule.Args {
		if seen>>a.Index&1 != 0 {
			return true
		}
		seen |= 1 << a.Index
	}
	return false
}

func (rule *Rule) matches(args *[6]uint64) bool {
	if len(rule.Args) == 0 {
		return true
	}
	any := rule.separate()
	for _, a := range rule.Args {
		if a.Holds(args[a.Index]) == any {
			return any
		}
	}
	return !any
}

// may says whether a rule may match and whether it may not, where some registers are not known.
func (rule *Rule) may(args *[6]uint64, unknown uint8) (yes, no bool) {
	if len(rule.Args) == 0 {
		return true, false
	}
	any := rule.separate()
	open := false
	for _, a := range rule.Args {
		switch {
		case unknown>>a.Index&1 != 0:
			open = true
		case a.Holds(args[a.Index]) == any:
			return any, !any
		}
	}
	if open {
		return true, true
	}
	return !any, any
}

// Depends reports whether the answer to a call may depend on one of the unknown registers or on a rule of Maybe.
func (r *Resolved) Depends(name string, unknown uint8) bool {
	for _, i := range r.byName[name] {
		for _, m := range r.Maybe {
			if m == i {
				return true
			}
		}
		for _, a := range r.Profile.Rules[i].Args {
			if unknown>>a.Index&1 != 0 {
				return true
			}
		}
	}
	return false
}

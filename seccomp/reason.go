package seccomp

import (
	"fmt"
	"slices"
	"strings"

	"syscallstory/syscalls"
)

// Reason names the place in the profile that decides a call, and says why: the rule with what keeps it in force, the default action with the
// rule that would have allowed the call, or what the runtime that loads the profile makes of it.
func (r *Resolved) Reason(call *syscalls.Call, args *[6]uint64) (Pos, string) {
	p := r.Profile
	if !slices.Contains(r.ABIs, call.ABI) {
		return p.At, fmt.Sprintf("%v is not among the profile's architectures: its calls end the thread", call.ABI)
	}
	if why, ok := r.Stub(call.ABI, call.Nr); ok {
		return p.At, why
	}
	const without = "no rule matches, the default action counts"
	if why, ok := r.Unknown(call.ABI, call.Name); ok {
		return p.At, without + ": " + why
	}
	if rule := r.decides(call.ABI, call.Name, args); rule != nil {
		name := call.Name
		if rule.inner != "" {
			name = rule.inner + ", which " + call.Name + " can make,"
		}
		text := "a rule names " + name
		if why := r.Target.keeps(rule); why != "" {
			text += ", in force because " + why
		}
		return rule.place(call.Name), text
	}
	text := without
	if drop, ok := r.Missing(call.Name); ok {
		text += fmt.Sprintf("; the rule of line %d is not in force: %s", p.Rules[drop.Rule].place(call.Name).Line, drop.Why)
	}
	if r.loader == nil {
		if why, ok := r.LoadedBy(Runtime{Name: "runc"}).Stub(call.ABI, call.Nr); ok {
			text += "; loaded by runc it would be " + why
		}
	}
	return p.At, text
}

// decides returns the rule that decides a call, nil for the default action.
func (r *Resolved) decides(abi syscalls.ABI, name string, args *[6]uint64) *Rule {
	var best *Rule
	for _, rule := range r.rulesFor(abi, name) {
		if rule.matches(args) && (best == nil || rule.Action.Stricter(best.Action)) {
			best = rule
		}
	}
	return best
}

// keeps says what of a rule's includes and excludes holds for the target, empty where the rule has none.
func (t Target) keeps(rule *Rule) string {
	in, ex := &rule.Includes, &rule.Excludes
	var words []string
	for _, c := range in.Caps {
		words = append(words, fmt.Sprintf("%v is in the bounding set", c))
	}
	for _, c := range ex.Caps {
		words = append(words, fmt.Sprintf("%v is not in the bounding set", c))
	}
	if len(in.Arches) > 0 {
		words = append(words, "the machine is one of "+strings.Join(in.Arches, ", "))
	}
	if len(ex.Arches) > 0 {
		words = append(words, "the machine is none of "+strings.Join(ex.Arches, ", "))
	}
	if in.MinKernel != [2]int{} {
		words = append(words, fmt.Sprintf("the kernel is Linux %d.%d or newer", in.MinKernel[0], in.MinKernel[1]))
	}
	if ex.MinKernel != [2]int{} {
		words = append(words, fmt.Sprintf("the kernel is older than Linux %d.%d", ex.MinKernel[0], ex.MinKernel[1]))
	}
	return strings.Join(words, " and ")
}

package seccomp

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"syscallstory/syscalls"
)

// Runtime is who loads a profile. A low-level runtime hands it to libseccomp, which compiles it in its own way.
type Runtime struct {
	Name    string // runc, crun
	Version [2]int // major and minor; zero: not known
	Table   [2]int // the kernel release up to which its libseccomp knows calls; zero: not known
}

// libseccomp's releases, and the kernel releases of their tables of syscalls (its changelog).
var tables = []struct{ lib, kernel [2]int }{{[2]int{2, 0}, [2]int{5, 8}}, {[2]int{2, 2}, [2]int{5, 14}}, {[2]int{2, 3}, [2]int{5, 15}}, {[2]int{2, 4}, [2]int{5, 17}}, {[2]int{2, 5}, [2]int{6, 7}}}

// ParseRuntime reads runc@1.1.5 or crun@1.8.1, with the libseccomp that it is linked with behind a plus sign: runc@1.3.0+2.6.0.
func ParseRuntime(s string) (Runtime, error) {
	bad := func() (Runtime, error) {
		return Runtime{}, fmt.Errorf("runtime %q: NAME[@VERSION][+LIBSECCOMP] is expected, as in runc@1.1.5+2.5.5; runc and crun are modelled", s)
	}
	head, lib, _ := strings.Cut(s, "+")
	name, version, _ := strings.Cut(head, "@")
	r := Runtime{Name: name}
	if name != "runc" && name != "crun" {
		return bad()
	}
	var ok bool
	if version != "" {
		if r.Version, _, ok = dotted(version); !ok {
			return bad()
		}
	}
	if lib != "" {
		minor, patch, ok := dotted(lib)
		switch {
		case !ok || minor[0] != 2 || minor[1] < 5:
			return Runtime{}, fmt.Errorf("runtime %q: libseccomp 2.5.0 and newer are modelled", s)
		case minor[1] >= 6:
			r.Table = [2]int{6, 13}
		default:
			for _, t := range tables {
				if patch >= t.lib[1] {
					r.Table = t.kernel
				}
			}
		}
	}
	return r, nil
}

// dotted reads 1.2 and 1.2.3, whatever follows the digits.
func dotted(s string) (major [2]int, patch int, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(s, "v"), ".", 3)
	if len(parts) < 2 {
		return major, 0, false
	}
	for i, p := range parts {
		digits := p[:len(p)-len(strings.TrimLeft(p, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if err != nil {
			return major, 0, false
		}
		if i < 2 {
			major[i] = n
		} else {
			patch = n
		}
	}
	return major, patch, true
}

// LoadedBy is the profile as a runtime loads it. What is different from the profile itself:
//
//   - Rules that answer what the default action answers are left out.
//   - Names that libseccomp's table does not have are left out, silently.
//   - A rule without conditions makes all others for the same call void, stricter ones too.
//   - Calls of x32, i386 and arm are judged by the lower halves of the arguments: libseccomp takes those ABIs to have 32-bit arguments.
//   - runc puts a stub in front, unless the default action lets calls pass or the default errno is ENOSYS already: numbers above the highest that
//     the rules name in their ABI fail with ENOSYS.
//   - On i386, a rule for a call that socketcall or ipc can make holds there too.
//
// Since 1.2 runc has libseccomp build a binary tree; it means the same.
func (r *Resolved) LoadedBy(rt Runtime) *Resolved {
	out := *r
	out.loader = &loader{runtime: rt, last: map[syscalls.ABI]uint32{}, low: map[*Rule]*Rule{}, inner: map[inner]*Rule{}, unsure: map[string]string{}}
	out.byName = map[string][]int{}
	for name, rules := range r.byName {
		for _, i := range rules {
			if r.Profile.Rules[i].Action != r.Profile.Default {
				out.byName[name] = append(out.byName[name], i)
			}
		}
	}
	for name, rules := range out.byName {
		out.byName[name] = slices.Clone(r.decisive(rules))
		if why := r.overlap(out.byName[name]); why != "" {
			out.loader.unsure[name] = why
		}
	}
	stub := rt.Name == "runc" && !passes(r.Profile.Default) && r.Profile.Default.Kind() != Trace && r.Profile.Default != Errno|38
	for _, abi := range r.ABIs {
		if !stub || !r.Listed && !(rt.Version[0] > 1 || rt.Version[0] == 1 && rt.Version[1] >= 3) {
			continue
		}
		for nr, name := range syscalls.All(abi) {
			if out.loader.knows(abi, name) && len(r.byName[name]) > 0 {
				out.loader.last[abi] = nr
			}
		}
	}
	return &out
}

// loader is what a runtime does to a profile.
type loader struct {
	runtime Runtime
	last    map[syscalls.ABI]uint32 // numbers above fail with ENOSYS; none: no stub
	low     map[*Rule]*Rule         // rules whose arguments are compared by their lower halves
	inner   map[inner]*Rule
	unsure  map[string]string // calls whose answer is not modelled, and why
}

// decisive returns the rule without conditions if there is one, else all.
func (r *Resolved) decisive(rules []int) []int {
	if i := slices.IndexFunc(rules, func(i int) bool { return len(r.Profile.Rules[i].Args) == 0 }); i >= 0 {
		return rules[i : i+1]
	}
	return rules
}

// overlap says which rules match the same call with different actions.
func (r *Resolved) overlap(rules []int) string {
	if !slices.ContainsFunc(rules, func(i int) bool { return r.Profile.Rules[i].Action != r.Profile.Rules[rules[0]].Action }) {
		return ""
	}
	d := pool.Get().(*diagram)
	defer func() { d.clear(); pool.Put(d) }()
	for k, i := range rules {
		for _, j := range rules[:k] {
			a, b := &r.Profile.Rules[j], &r.Profile.Rules[i]
			if a.Action != b.Action && d.and(d.matches(a), d.matches(b)) != no {
				return fmt.Sprintf("the rules of lines %d and %d match the same calls with different actions: which of them libseccomp lets decide is not modelled", a.At.Line, b.At.Line)
			}
		}
	}
	return ""
}

// Unsure lists the calls whose answer is not modelled for the runtime, with the reason.
func (r *Resolved) Unsure() map[string]string {
	if r.loader == nil {
		return nil
	}
	return r.loader.unsure
}

// absent are calls that libseccomp's table does not have for an ABI although the kernel's has them.
var absent = map[syscalls.ABI][]string{syscalls.X32: {"map_shadow_stack"}}

// knows reports whether libseccomp's table has a call.
func (l *loader) knows(abi syscalls.ABI, name string) bool {
	if l == nil {
		return true
	}
	if slices.Contains(absent[abi], name) {
		return false
	}
	if l.runtime.Table == [2]int{} {
		return true
	}
	major, minor := syscalls.Since(abi, name)
	return major < l.runtime.Table[0] || major == l.runtime.Table[0] && minor <= l.runtime.Table[1]
}

// beyond reports whether runc's stub answers a number.
func (l *loader) beyond(abi syscalls.ABI, nr uint32) bool {
	if l == nil {
		return false
	}
	last, ok := l.last[abi]
	return ok && nr > last
}

// lastOf returns the highest number that runc's stub lets through to the filter.
func (l *loader) lastOf(abi syscalls.ABI) (uint32, bool) {
	if l == nil {
		return 0, false
	}
	last, ok := l.last[abi]
	return last, ok
}

// form returns a rule as it holds for an ABI.
func (r *Resolved) form(abi syscalls.ABI, rule *Rule) *Rule {
	if len(rule.Args) == 0 {
		return rule
	}
	if r.loader == nil && abi.Half() {
		return r.lower[rule]
	}
	return r.loader.form(abi, rule)
}

// form returns a rule as a runtime loads it for an ABI.
func (l *loader) form(abi syscalls.ABI, rule *Rule) *Rule {
	if l == nil || abi != syscalls.X32 && !abi.Half() || len(rule.Args) == 0 {
		return rule
	}
	if l.low[rule] == nil {
		low := *rule
		low.Args = slices.Clone(rule.Args)
		for i := range low.Args {
			low.Args[i].Low = true
		}
		l.low[rule] = &low
	}
	return l.low[rule]
}

// skipped is the number of a call that a tracer has cancelled, -1: libseccomp gives it the default action where x32 is not listed.
const skipped = 1<<32 - 1

// From noX32 to noX32End numbers lack the bit of x32 although they are larger than it: runc's stub, which tests the bit, answers them.
const noX32, noX32End = 2 * syscalls.X32Bit, 3 * syscalls.X32Bit

// unlisted returns where, of the numbers of an x32 that is not listed, others than those from nr on begin.
func (l *loader) unlisted(nr uint64) uint64 {
	for _, end := range []uint64{noX32, noX32End, skipped} {
		if l != nil && nr < end {
			return end
		}
	}
	return 1 << 32
}

// rulesFor are the rules that a call of an ABI meets, in the profile's order. The list is the caller's.
func (r *Resolved) rulesFor(abi syscalls.ABI, name string) []*Rule {
	if !r.loader.knows(abi, name) {
		return nil
	}
	own := r.byName[name]
	through := map[string]uint64(nil)
	if r.loader != nil && abi == syscalls.I386 {
		through = multiplexed[name]
	}
	if len(own) == 0 && through == nil {
		return nil
	}
	out := make([]*Rule, 0, len(own))
	for _, i := range own {
		if !slices.Contains(r.Maybe, i) {
			out = append(out, r.form(abi, &r.Profile.Rules[i]))
		}
	}
	if through == nil {
		return out
	}
	for _, inner := range slices.Sorted(maps.Keys(through)) {
		for _, i := range r.byName[inner] {
			if !slices.Contains(r.Maybe, i) {
				out = append(out, r.loader.through(&r.Profile.Rules[i], inner, through[inner]))
			}
		}
	}
	return out
}

// through is a rule for a call as it holds for socketcall or ipc: their first argument says which call it is, and conditions on the
// call's own arguments, which lie in memory, are dropped.
func (l *loader) through(rule *Rule, name string, number uint64) *Rule {
	k := inner{rule, number}
	if l.inner[k] == nil {
		l.inner[k] = &Rule{Action: rule.Action, Args: []Arg{{Index: 0, Op: EQ, Value: number, Low: true}}, Includes: rule.Includes, Excludes: rule.Excludes, At: rule.place(name), inner: name}
	}
	return l.inner[k]
}

type inner struct {
	rule   *Rule
	number uint64
}

// multiplexed are the calls of i386 that stand for several others, whose arguments lie in memory (sys_socketcall, ksys_ipc).
var multiplexed = map[string]map[string]uint64{
	"socketcall": {"socket": 1, "bind": 2, "connect": 3, "listen": 4, "accept": 5, "getsockname": 6, "getpeername": 7, "socketpair": 8, "send": 9, "recv": 10, "sendto": 11, "recvfrom": 12, "shutdown": 13,
		"setsockopt": 14, "getsockopt": 15, "sendmsg": 16, "recvmsg": 17, "accept4": 18, "recvmmsg": 19, "sendmmsg": 20},
	"ipc": {"semop": 1, "semget": 2, "semctl": 3, "semtimedop": 4, "msgsnd": 11, "msgrcv": 12, "msgget": 13, "msgctl": 14, "shmat": 21, "shmdt": 22, "shmget": 23, "shmctl": 24},
}

// Stub says whether a runtime's own stub, not the profile, answers a call, and which.
func (r *Resolved) Stub(abi syscalls.ABI, nr uint32) (string, bool) {
	if !r.loader.beyond(abi, nr) {
		return "", false
	}
	return fmt.Sprintf("ENOSYS from %s's stub, not from your profile: no rule names a number above %d", r.loader.runtime.Name, r.loader.last[abi]), true
}

// Unknown says whether the runtime's libseccomp does not know a call that the profile names.
func (r *Resolved) Unknown(abi syscalls.ABI, name string) (string, bool) {
	if r.loader.knows(abi, name) || len(r.byName[name]) == 0 {
		return "", false
	}
	t := r.loader.runtime.Table
	return fmt.Sprintf("%s's libseccomp does not know %s (its table ends with Linux %d.%d), so that the rule is left out", r.loader.runtime.Name, name, t[0], t[1]), true
}

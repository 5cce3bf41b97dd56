package seccomp

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"syscallstory/syscalls"
)

// Finding is something in a profile that does not do what it seems to.
type Finding struct {
	Kind string // one word a kind: see docs/seccomp.md
	At   Pos
	Msg  string
}

//go:embed doors.txt
var doorText string

// doors lists the groups of calls that do what another one does.
func doors() map[string][]string {
	out := map[string][]string{}
	for line := range strings.Lines(doorText) {
		if what, names, ok := strings.Cut(line, ": "); ok && line[0] != '#' {
			out[what] = strings.Fields(names)
		}
	}
	return out
}

// Check lists what is wrong, useless or weaker than it looks in the rules that are in force for a target, by place.
func (r *Resolved) Check() []Finding {
	c := &checker{Resolved: r, d: newDiagram(false)}
	for _, w := range r.Profile.Warnings {
		c.add("unknown-name", w.At, "%s", w.Msg)
	}
	c.actions()
	c.arguments()
	c.useless()
	c.several()
	c.siblings()
	c.otherABIs()
	c.ring()
	c.newCalls()
	c.startup()
	slices.SortStableFunc(c.found, func(a, b Finding) int {
		if a.At.Line != b.At.Line {
			return a.At.Line - b.At.Line
		}
		return a.At.Col - b.At.Col
	})
	return slices.Compact(c.found)
}

type checker struct {
	*Resolved
	d     *diagram
	found []Finding
}

func (c *checker) add(kind string, at Pos, format string, args ...any) {
	c.found = append(c.found, Finding{kind, at, fmt.Sprintf(format, args...)})
}

// place is where a rule names a call.
func (rule *Rule) place(name string) Pos {
	if i := slices.Index(rule.Names, name); i >= 0 {
		return rule.NamesAt[i]
	}
	return rule.At
}

// kind sorts a call's function: refused always, allowed always, or by its arguments.
func (c *checker) fate(name string) fate {
	f := c.d.meaning(c.Resolved, c.Target.ABI, name)
	if f >= 0 {
		_, _, _, ok := c.d.difference(f, f, func(a, _ Action) bool { return passes(a) })
		if ok {
			return sometimes
		}
		return never
	}
	if passes(c.d.action(f)) {
		return always
	}
	return never
}

type fate uint8

const (
	never fate = iota
	sometimes
	always
)

// actions looks at what rules answer.
func (c *checker) actions() {
	look := func(a Action, at Pos) {
		switch k := a.Kind(); {
		case k == Errno && uint16(a) > MaxErrno:
			c.add("errno", at, "the kernel caps the errno %d at %d", uint16(a), MaxErrno)
		case k == Errno && a.Data() == 0:
			c.add("errno", at, "errno 0 makes the call return 0 without being made")
		case k == Trace:
			c.add("trace", at, "without a tracer that asks for PTRACE_O_TRACESECCOMP the call fails with ENOSYS")
		case k == UserNotif && !c.Profile.Listener:
			c.add("notify", at, "SCMP_ACT_NOTIFY needs a listenerPath: without one a runtime refuses to start the container")
		}
	}
	look(c.Profile.Default, c.Profile.At)
	for _, i := range c.Rules {
		look(c.Profile.Rules[i].Action, c.Profile.Rules[i].At)
	}
}

// arguments looks at conditions: those on addresses, on registers of which the kernel takes half, and those that always or never hold.
func (c *checker) arguments() {
	for _, i := range c.Rules {
		rule := &c.Profile.Rules[i]
		if rule.separate() {
			c.add("or", rule.At, "several conditions stand on one argument: runtimes load a rule for each of them, so one that holds is enough")
		}
		for _, a := range rule.Args {
			switch p := c.d.condition(a); {
			case p == yes:
				c.add("always-holds", rule.At, "the condition on args[%d] holds for every value", a.Index)
			case p == no:
				c.add("never-holds", rule.At, "no value of args[%d] meets the condition", a.Index)
			}
			if a.Op != MaskedEQ && a.ValueTwo != 0 {
				c.add("value-two", rule.At, "valueTwo counts for SCMP_CMP_MASKED_EQ only")
			}
			for _, name := range rule.Names {
				params, ok := syscalls.Params(name)
				switch {
				case !ok:
				case int(a.Index) >= len(params):
					c.add("no-argument", rule.place(name), "%s has %s: args[%d] is whatever the register holds", name, count(len(params), "argument"), a.Index)
				case params[a.Index].Pointer():
					c.add("pointer", rule.place(name), "args[%d] of %s is an address (%s): the filter compares the address, not what lies there, which another thread could change between this check and its use",
						a.Index, name, params[a.Index])
				case params[a.Index].Narrow() && c.evadable(rule, a):
					c.add("half", rule.place(name), "args[%d] of %s is %s: the kernel takes the lower 32 bits and the filter compares all 64, so that with an upper bit set the rule does not match; mask it with 0xffffffff",
						a.Index, name, params[a.Index])
				}
			}
		}
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// evadable reports whether a rule is stricter than what a call gets that it does not match, and does not match more when upper bits are set.
func (c *checker) evadable(rule *Rule, a Arg) bool {
	if passes(rule.Action) || !passes(c.Profile.Default) && !slices.ContainsFunc(rule.Names, func(n string) bool { return c.fate(n) != never }) {
		return false
	}
	for _, low := range []uint64{a.Value & (1<<32 - 1), a.ValueTwo & (1<<32 - 1), 0, 1<<32 - 1} {
		if a.Holds(low) && !a.Holds(low|1<<32) {
			return true
		}
	}
	return false
}

// useless looks for rules without which every call would be answered alike.
func (c *checker) useless() {
	for _, i := range c.Rules {
		rule := &c.Profile.Rules[i]
		decides, known := false, false
		for _, name := range rule.Names {
			if !syscalls.Exists(name) {
				continue
			}
			known = true
			without := *c.Resolved
			without.byName = map[string][]int{name: slices.DeleteFunc(slices.Clone(c.byName[name]), func(j int) bool { return j == i })}
			if c.d.meaning(c.Resolved, c.Target.ABI, name) != c.d.meaning(&without, c.Target.ABI, name) {
				decides = true
				break
			}
		}
		switch {
		case decides || !known:
		case c.d.end(rule.Action) == c.d.end(c.Profile.Default):
			c.add("default", rule.At, "the rule answers what the default action answers anyway; runtimes leave it out")
		default:
			c.add("dead", rule.At, "the rule never decides: stricter or earlier rules answer every call that it matches")
		}
	}
}

// several looks for calls that have several rules, of which runtimes that use libseccomp make something else than the strictest.
func (c *checker) several() {
	for _, name := range slices.Sorted(maps.Keys(c.byName)) {
		rules := c.byName[name]
		if first := c.decisive(rules); len(first) == 1 && len(rules) > 1 {
			for _, i := range rules {
				if rule := &c.Profile.Rules[i]; i != first[0] && rule.Action != c.Profile.Rules[first[0]].Action {
					c.add("void", rule.place(name), "runtimes that use libseccomp (runc, crun) leave this rule for %s out, because line %d names it without conditions", name, c.Profile.Rules[first[0]].At.Line)
				}
			}
		} else if why := c.overlap(rules); why != "" {
			c.add("overlap", c.Profile.Rules[rules[0]].place(name), "%s: %s", name, why)
		}
	}
}

// meant reports where the profile shows that it means to refuse a call, wholly or in part. That a rule is not in force without a capability
// does not: the kernel asks for the capability at every door.
func (c *checker) meant(name string) (Pos, bool) {
	for _, i := range c.byName[name] {
		rule := &c.Profile.Rules[i]
		if !passes(rule.Action) || len(rule.Args) > 0 {
			return rule.place(name), true
		}
	}
	return Pos{}, false
}

// siblings looks for calls that are refused while others that do the same are allowed.
func (c *checker) siblings() {
	for what, names := range doors() {
		for _, shut := range names {
			at, ok := c.meant(shut)
			if !ok || c.fate(shut) != never || c.fallsBack(shut) {
				continue
			}
			var open []string
			for _, other := range names {
				if _, has := syscalls.Lookup(c.Target.ABI, other); has && other != shut && c.fate(other) == always {
					open = append(open, other)
				}
			}
			if len(open) > 0 {
				c.add("door", at, "%s is refused, but %s can %s too", shut, strings.Join(open, ", "), what)
			}
		}
	}
	for _, pair := range [][3]string{{"clone", "clone3", "takes its flags from memory, where a filter cannot look"}, {"openat", "openat2", "takes its flags from memory, where a filter cannot look"},
		{"open", "openat2", "takes its flags from memory, where a filter cannot look"}, {"clone", "unshare", "makes the same namespaces"}} {
		if at, ok := c.meant(pair[0]); ok && c.fate(pair[0]) == sometimes && c.fate(pair[1]) == always {
			c.add("door", at, "%s is limited by its arguments, but %s is allowed and %s", pair[0], pair[1], pair[2])
		}
	}
}

// fallsBack reports whether a call answers as one that the kernel does not have: the profile wants programs to use others.
func (c *checker) fallsBack(name string) bool {
	f := c.d.meaning(c.Resolved, c.Target.ABI, name)
	return f < 0 && c.d.action(f) == Errno|38
}

// otherABIs looks for refusals that a call of another ABI goes around.
func (c *checker) otherABIs() {
	for _, abi := range c.ABIs {
		if abi != syscalls.I386 {
			continue
		}
		for _, through := range []string{"socketcall", "ipc"} {
			if c.fate(through) != always {
				continue
			}
			var shut []string
			at := Pos{}
			for _, name := range slices.Sorted(maps.Keys(multiplexed[through])) {
				if p, ok := c.meant(name); ok && c.fate(name) != always {
					shut, at = append(shut, name), p
				}
			}
			if len(shut) > 0 {
				c.add("door", at, "%s: refused or limited by arguments, but i386's %s is allowed and does the same with arguments in memory, where a filter cannot look", strings.Join(shut, ", "), through)
			}
		}
	}
	if c.Target.ABI == syscalls.X8664 && passes(c.Profile.Default) {
		for _, abi := range []syscalls.ABI{syscalls.I386, syscalls.X32} {
			if !slices.Contains(c.ABIs, abi) {
				c.add("abi", c.Profile.At, "calls of %v are not in the profile's architectures: they end the thread although the default action allows", abi)
			}
		}
	}
	for _, m := range c.Profile.Arches {
		for _, name := range append([]string{m.Arch}, m.Sub...) {
			if !modelled[name] && m.Arch == "SCMP_ARCH_X86_64" {
				c.add("architecture", c.Profile.At, "%s is not modelled: its calls are judged as those of no listed architecture", name)
			}
		}
	}
}

var modelled = map[string]bool{"SCMP_ARCH_X86_64": true, "SCMP_ARCH_X86": true, "SCMP_ARCH_X32": true, "SCMP_ARCH_AARCH64": true, "SCMP_ARCH_ARM": true}

// uring are the calls that io_uring makes without a syscall.
var uring = []string{"open", "openat", "openat2", "statx", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "symlink", "symlinkat", "link", "linkat", "setxattr", "getxattr", "socket", "connect", "bind", "listen",
	"accept", "accept4", "sendto", "sendmsg", "recvfrom", "recvmsg", "splice", "tee", "fallocate", "ftruncate", "fadvise64", "madvise", "epoll_ctl", "waitid"}

// ring looks for refusals that io_uring goes around.
func (c *checker) ring() {
	if c.fate("io_uring_setup") != always || c.fate("io_uring_enter") == never {
		return
	}
	var shut []string
	at := Pos{}
	for _, name := range uring {
		if p, ok := c.meant(name); ok && c.fate(name) != always {
			shut, at = append(shut, name), p
		}
	}
	if len(shut) > 0 {
		c.add("door", at, "%s: refused or limited by arguments, but io_uring is allowed, whose operations meet no filter", strings.Join(shut, ", "))
	}
}

// newCalls looks for errnos that make programs give up where another call would do.
func (c *checker) newCalls() {
	for _, name := range []string{"clone3", "openat2", "faccessat2", "statx", "close_range", "fchmodat2", "rseq"} {
		f := c.d.meaning(c.Resolved, c.Target.ABI, name)
		if f < 0 {
			if a := c.d.action(f); a.Kind() == Errno && a.Data() != 38 && a.Data() != 0 {
				at, ok := c.meant(name)
				if !ok {
					at = c.Profile.At
				}
				c.add("enosys", at, "%s is refused with errno %d: C libraries fall back to an older call only where they get ENOSYS (38)", name, a.Data())
			}
		}
	}
}

// startup looks for calls without which no container starts or ends.
func (c *checker) startup() {
	for _, name := range []string{"execve", "exit_group", "rt_sigreturn"} {
		if c.fate(name) == never {
			c.add("start", c.Profile.At, "%s is refused: %s", name, map[string]string{"execve": "the runtime itself needs it to start the container's command", "exit_group": "no process can end by itself",
				"rt_sigreturn": "no signal handler can return"}[name])
		}
	}
}

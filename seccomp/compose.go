package seccomp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"

	"syscallstory/syscalls"
)

// composition is a profile in the making: what each call is to be answered, as functions.
type composition struct {
	d       *diagram
	sources []*Resolved // whose rules are taken over where they say the same
	action  Action      // the default
	abis    []syscalls.ABI
	answer  func(name string) ref
}

// maxRules bounds how many rules one call may need.
const maxRules = 1024

// profile writes the rules of all calls, in the order of their names, and proves that they mean what was wanted.
func (c *composition) profile(file string) (*Profile, error) {
	p := &Profile{File: file, Default: c.action, Arches: []ArchMap{{Arch: archNames[c.abis[0]]}}}
	p.Log = slices.ContainsFunc(c.sources, func(r *Resolved) bool { return r.Profile.Log })
	for _, abi := range c.abis[1:] {
		p.Arches[0].Sub = append(p.Arches[0].Sub, archNames[abi])
	}
	var own []Rule
	for _, name := range c.names() {
		rules, err := c.rules(name)
		if err != nil {
			return nil, err
		}
		if ordered(rules) {
			for _, r := range rules {
				r.Names, r.NamesAt = []string{name}, make([]Pos, 1)
				own = append(own, r)
			}
			continue
		}
		for _, r := range rules {
			at := slices.IndexFunc(p.Rules, func(x Rule) bool { return x.Action == r.Action && slices.Equal(x.Args, r.Args) })
			if at < 0 {
				at = len(p.Rules)
				p.Rules = append(p.Rules, r)
			}
			p.Rules[at].Names = append(p.Rules[at].Names, name)
			p.Rules[at].NamesAt = append(p.Rules[at].NamesAt, Pos{})
		}
	}
	slices.SortStableFunc(p.Rules, func(a, b Rule) int { return len(a.Args) - len(b.Args) })
	p.Rules = append(p.Rules, own...)
	r := p.Resolve(Target{ABI: c.abis[0]})
	for _, name := range c.names() {
		if c.d.meaning(r, r.Target.ABI, name) != c.answer(name) {
			return nil, fmt.Errorf("the rules for %s do not come out as they should", name)
		}
	}
	return p, nil
}

// ordered reports whether the order of rules counts: equal actions with different data.
func ordered(rules []Rule) bool {
	for i, r := range rules {
		if slices.ContainsFunc(rules[:i], func(x Rule) bool { return x.Action != r.Action && x.Action.Kind() == r.Action.Kind() }) {
			return true
		}
	}
	return false
}

// names are the calls of the ABIs, sorted.
func (c *composition) names() []string {
	var out []string
	for _, abi := range c.abis {
		for _, name := range syscalls.All(abi) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// rules are those that give a call its answer: a source's own where they do, else new ones.
func (c *composition) rules(name string) ([]Rule, error) {
	f := c.answer(name)
	if f == c.d.end(c.action) {
		return nil, nil
	}
	for _, s := range c.sources {
		if s.Profile.Default != c.action || c.d.meaning(s, s.Target.ABI, name) != f {
			continue
		}
		var out []Rule
		for _, i := range s.byName[name] {
			r := Rule{Action: s.Profile.Rules[i].Action, Args: s.Profile.Rules[i].Args}
			if !slices.ContainsFunc(out, func(x Rule) bool { return x.Action == r.Action && slices.Equal(x.Args, r.Args) }) {
				out = append(out, r)
			}
		}
		return out, nil
	}
	var out []Rule
	var walk func(f ref, args []Arg) error
	walk = func(f ref, args []Arg) error {
		if f < 0 {
			if a := c.d.action(f); a != c.action {
				out = append(out, Rule{Action: a, Args: slices.Clone(args)})
			}
			if len(out) > maxRules {
				return fmt.Errorf("%s: the conditions are too many to be written as rules: more than %d", name, maxRules)
			}
			return nil
		}
		w := c.d.operand(f)
		word, _ := c.d.bit(c.d.nodes[f].level)
		if word < 4 {
			return fmt.Errorf("%s: a profile cannot hold a condition on %s", name, w.name)
		}
		ranges, cubes := map[ref][]span64{}, map[ref][]cube{}
		inRanges, inCubes := c.d.ranges(f, w, w.bits-1, 0, ranges), c.d.cubes(f, w, cube{}, cubes)
		if !inRanges && !inCubes {
			return fmt.Errorf("%s: the conditions on %s are too many to be written as rules", name, w.name)
		}
		next := keys(ranges)
		if !inRanges {
			next = keys(cubes)
		}
		order := make([]ref, 0, len(next))
		for r := range next {
			order = append(order, r)
		}
		slices.SortFunc(order, func(a, b ref) int { return int(b - a) })
		for _, then := range order {
			var conds []Arg
			if inRanges {
				conds = comparisons((word-4)/2, ranges[then])
			}
			if inCubes && (conds == nil || len(cubes[then]) < len(conds)) {
				conds = nil
				for _, x := range cubes[then] {
					conds = append(conds, Arg{Index: (word - 4) / 2, Op: MaskedEQ, Value: x.mask, ValueTwo: x.value})
				}
			}
			for _, a := range conds {
				if err := walk(then, append(slices.Clone(args), a)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return out, walk(f, nil)
}

// comparisons are conditions of which exactly one holds for each value of some ranges, and none for others. Two conditions on one argument of
// a rule would be two rules, so what lies between two bounds is put together from masks.
func comparisons(index uint8, list []span64) []Arg {
	if len(list) == 2 && list[0].lo == 0 && list[1].hi == 1<<64-1 && list[0].hi+2 == list[1].lo {
		return []Arg{{Index: index, Op: NE, Value: list[0].hi + 1}}
	}
	var out []Arg
	for _, s := range list {
		switch {
		case s.lo == s.hi:
			out = append(out, Arg{Index: index, Op: EQ, Value: s.lo})
		case s.lo == 0:
			out = append(out, Arg{Index: index, Op: LE, Value: s.hi})
		case s.hi == 1<<64-1:
			out = append(out, Arg{Index: index, Op: GE, Value: s.lo})
		default:
			for lo := s.lo; ; {
				free := bits.TrailingZeros64(lo)
				for free > 0 && (free > 63 || lo+(1<<free-1) > s.hi || lo+(1<<free-1) < lo) {
					free--
				}
				out = append(out, Arg{Index: index, Op: MaskedEQ, Value: ^uint64(0) << free, ValueTwo: lo})
				last := lo + (1<<free - 1)
				if last >= s.hi {
					break
				}
				lo = last + 1
			}
		}
	}
	return out
}

var archNames = map[syscalls.ABI]string{syscalls.X8664: "SCMP_ARCH_X86_64", syscalls.I386: "SCMP_ARCH_X86", syscalls.X32: "SCMP_ARCH_X32", syscalls.ARM64: "SCMP_ARCH_AARCH64", syscalls.ARM: "SCMP_ARCH_ARM"}

// JSON writes the profile as the OCI runtime specification has it; Docker and Kubernetes read it too. Includes and excludes are not written:
// it is for profiles without any.
func (p *Profile) JSON() []byte {
	type arg struct {
		Index    uint8  `json:"index"`
		Value    uint64 `json:"value"`
		ValueTwo uint64 `json:"valueTwo,omitempty"`
		Op       string `json:"op"`
	}
	type rule struct {
		Names    []string `json:"names"`
		Action   string   `json:"action"`
		ErrnoRet *uint16  `json:"errnoRet,omitempty"`
		Args     []arg    `json:"args,omitempty"`
	}
	out := struct {
		DefaultAction   string   `json:"defaultAction"`
		DefaultErrnoRet *uint16  `json:"defaultErrnoRet,omitempty"`
		Architectures   []string `json:"architectures,omitempty"`
		Flags           []string `json:"flags,omitempty"`
		Syscalls        []rule   `json:"syscalls"`
	}{DefaultAction: actionName(p.Default), DefaultErrnoRet: errnoOf(p.Default), Syscalls: []rule{}}
	for _, m := range p.Arches {
		out.Architectures = append(append(out.Architectures, m.Arch), m.Sub...)
	}
	if p.Log {
		out.Flags = []string{"SECCOMP_FILTER_FLAG_LOG"}
	}
	for _, r := range p.Rules {
		x := rule{Names: r.Names, Action: actionName(r.Action), ErrnoRet: errnoOf(r.Action)}
		for _, a := range r.Args {
			x.Args = append(x.Args, arg{a.Index, a.Value, a.ValueTwo, opName(a.Op)})
		}
		out.Syscalls = append(out.Syscalls, x)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "\t")
	if err := enc.Encode(out); err != nil {
		panic(err) // strings and numbers only
	}
	return b.Bytes()
}

func actionName(a Action) string {
	switch a.Kind() {
	case KillThread:
		return "SCMP_ACT_KILL_THREAD"
	default:
		for name, x := range profileActions {
			if x == a.Kind() && name != "SCMP_ACT_KILL" {
				return name
			}
		}
	}
	return ""
}

func errnoOf(a Action) *uint16 {
	if k := a.Kind(); k != Errno && k != Trace {
		return nil
	}
	e := a.Data()
	return &e
}

func opName(o Op) string {
	for name, x := range ops {
		if x == o {
			return name
		}
	}
	return ""
}

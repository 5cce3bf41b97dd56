package seccomp

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"syscallstory/syscalls"
)

// ProofError is a program that does not mean what its profile says.
type ProofError struct {
	Call      Data // one call for which they differ
	Want, Got Action
}

func (e *ProofError) Error() string {
	return fmt.Sprintf("the program answers %v where the profile means %v: call %d of ABI %#x with arguments %#x", e.Got, e.Want, e.Call.NR, e.Call.Arch, e.Call.Args)
}

// meaning is the function of its arguments that the rules give a call, built from the rules as docs/seccomp.md reads them and from
// nothing that the compiler does.
func (d *diagram) meaning(r *Resolved, abi syscalls.ABI, name string) ref {
	f := d.end(r.Profile.Default)
	if a, ok := r.constant(name); ok {
		return d.end(a)
	}
	rules := r.rulesFor(abi, name)
	// From the one that counts least to the one that counts most: a stricter action before a laxer one, an earlier rule before a later.
	if len(rules) > 1 {
		slices.Reverse(rules)
		slices.SortStableFunc(rules, func(a, b *Rule) int {
			switch {
			case a.Action.Stricter(b.Action):
				return 1
			case b.Action.Stricter(a.Action):
				return -1
			}
			return 0
		})
	}
	for len(rules) > 0 {
		n := 1 // rules with the same action: one of them must match
		for n < len(rules) && rules[n].Action == rules[0].Action {
			n++
		}
		f = d.ite(d.matchesOne(rules[:n]), d.end(rules[0].Action), f)
		rules = rules[n:]
	}
	return f
}

// matchesOne is the predicate that one rule at least matches. Those that each want one value of the same argument are a set of values.
func (d *diagram) matchesOne(rules []*Rule) ref {
	p := no
	var sets [6][2][]uint64 // of each argument: of all its bits, and of the lower 32
	for _, rule := range rules {
		if a, ok := rule.single(); !ok {
			p = d.or(d.matches(rule), p)
		} else {
			set, v := &sets[a.Index][0], a.Value
			if a.Low {
				set, v = &sets[a.Index][1], uint64(uint32(v))
			}
			if *set == nil {
				*set = make([]uint64, 0, len(rules))
			}
			*set = append(*set, v)
		}
	}
	for arg := range sets {
		for i, last := range [2]int{63, 31} {
			if values := sets[arg][i]; len(values) > 0 {
				slices.Sort(values)
				p = d.or(d.among(uint8(arg), last, values), p)
			}
		}
	}
	return p
}

// single returns a rule's condition if it is the only one and wants one value.
func (rule *Rule) single() (a Arg, ok bool) {
	if len(rule.Args) == 1 {
		a = rule.Args[0]
	}
	return a, len(rule.Args) == 1 && a.Op == EQ
}

// matches is the predicate that a rule's conditions hold: all of them, or one where several stand on the same argument.
func (d *diagram) matches(rule *Rule) ref {
	if rule.separate() {
		p := no
		for _, a := range rule.Args {
			p = d.or(d.condition(a), p)
		}
		return p
	}
	p := yes
	for _, a := range rule.Args {
		p = d.and(d.condition(a), p)
	}
	return p
}

// condition is one comparison of a 64-bit argument.
func (d *diagram) condition(a Arg) ref {
	const all = 1<<32 - 1
	lo, hi := 4+2*a.Index, 5+2*a.Index
	vlo, vhi := uint32(a.Value), uint32(a.Value>>32)
	equal := func(mlo, klo, mhi, khi uint32) ref {
		if low := d.masked(lo, mlo, klo, yes); a.Low {
			return low
		} else {
			return d.masked(hi, mhi, khi, low) // the upper half is tested first
		}
	}
	above := func(same ref) ref {
		if low := d.above(lo, all, vlo, same); a.Low {
			return low
		} else {
			return d.above(hi, all, vhi, low)
		}
	}
	switch a.Op {
	case EQ:
		return equal(all, vlo, all, vhi)
	case NE:
		return d.not(equal(all, vlo, all, vhi))
	case GT:
		return above(no)
	case GE:
		return above(yes)
	case LT:
		return d.not(above(yes))
	case LE:
		return d.not(above(no))
	}
	return equal(vlo, uint32(a.ValueTwo), vhi, uint32(a.ValueTwo>>32))
}

// Prove checks that a program means what the profile says for every call: each ABI, each number, each value of each argument.
// All paths of the program are enumerated; what they come to is compared with the rules' own meaning.
func (r *Resolved) Prove(p Program) error {
	d := pool.Get().(*diagram)
	defer func() { d.clear(); pool.Put(d) }()
	listed := map[uint32][]numbered{}
	for _, abi := range r.ABIs {
		l := numbersOf(abi)
		if before := listed[abi.Audit()]; before != nil {
			l = slices.Concat(before, l)
			slices.SortFunc(l, byNumber)
		}
		listed[abi.Audit()] = l
	}
	other, none, enosys := d.end(r.Profile.Default), d.end(KillThread), d.end(Errno|38)
	x32 := slices.Contains(r.ABIs, syscalls.X32)
	differ := func(b box, nr uint32, want, got ref) error {
		x, w, g, _ := d.difference(want, got, func(a, b Action) bool { return a != b })
		x.NR, x.Arch = nr, b.arch0
		return &ProofError{x, w, g}
	}
	return divided(apart(slices.Sorted(maps.Keys(listed))), []stack{d.stack(Stack{p})}, func(b box, fs []ref) error {
		names, ok := listed[b.arch0]
		if !ok {
			if fs[0] != none {
				return differ(b, b.nr0, none, fs[0])
			}
			return nil
		}
		next := uint64(b.nr0) // the first number of the box that is still to be looked at
		gap := func(end uint64) error {
			for next < end {
				want, to, abi := other, end, r.abiOf(b.arch0, uint32(next))
				if abi == syscalls.X8664 {
					to = min(end, syscalls.X32Bit)
				}
				last, stub := r.loader.lastOf(abi)
				switch {
				case abi == syscalls.X32 && !x32:
					want, to = none, min(to, r.loader.unlisted(next))
					if r.loader != nil && next == skipped {
						want = other
					} else if _, stub := r.loader.lastOf(syscalls.X8664); stub && next&syscalls.X32Bit == 0 {
						want = enosys
					}
				case stub && next > uint64(last):
					want = enosys
				case stub:
					to = min(to, uint64(last)+1)
				}
				if fs[0] != want {
					return differ(b, uint32(next), want, fs[0])
				}
				next = to
			}
			return nil
		}
		at, _ := slices.BinarySearchFunc(names, b.nr0, func(n numbered, nr uint32) int { return int(int64(n.nr) - int64(nr)) })
		for ; at < len(names) && names[at].nr <= b.nr1; at++ {
			n := names[at]
			if err := gap(uint64(n.nr)); err != nil {
				return err
			}
			want := enosys
			if !r.loader.beyond(n.abi, n.nr) {
				want = d.meaning(r, n.abi, n.name)
			}
			if fs[0] != want {
				return differ(b, n.nr, want, fs[0])
			}
			next = uint64(n.nr) + 1
		}
		return gap(uint64(b.nr1) + 1)
	})
}

// abiOf returns the ABI of a number.
func (r *Resolved) abiOf(audit, nr uint32) syscalls.ABI {
	if audit == syscalls.X8664.Audit() && nr >= syscalls.X32Bit {
		return syscalls.X32
	}
	for _, abi := range r.ABIs {
		if abi.Audit() == audit && abi != syscalls.X32 {
			return abi
		}
	}
	return r.Target.ABI
}

// apart divides all calls into those of each of some ABIs, ascending, and those of the ABIs between them.
func apart(audits []uint32) []box {
	var out []box
	next := uint32(0)
	for _, a := range audits {
		if a > next {
			out = append(out, box{next, a - 1, 0, 1<<32 - 1})
		}
		out, next = append(out, abiBox(a)), a+1
	}
	return append(out, box{next, 1<<32 - 1, 0, 1<<32 - 1})
}

// numbered is a call of one ABI.
type numbered struct {
	nr   uint32
	abi  syscalls.ABI
	name string
}

func byNumber(a, b numbered) int { return int(int64(a.nr) - int64(b.nr)) }

// tabled holds what numbersOf has returned.
var tabled sync.Map

// numbersOf lists the calls of an ABI by number.
func numbersOf(abi syscalls.ABI) []numbered {
	if l, ok := tabled.Load(abi); ok {
		return l.([]numbered)
	}
	var l []numbered
	for nr, name := range syscalls.All(abi) {
		l = append(l, numbered{nr, abi, name})
	}
	slices.SortFunc(l, byNumber)
	tabled.Store(abi, l)
	return l
}

// difference finds a call for which two functions come to actions that differ in the given way: the words that they depend on.
func (d *diagram) difference(f, g ref, bad func(a, b Action) bool) (x Data, a, b Action, found bool) {
	seen := map[[2]ref]bool{}
	var walk func(f, g ref) bool
	walk = func(f, g ref) bool {
		if f < 0 && g < 0 {
			a, b = d.action(f), d.action(g)
			return bad(a, b)
		}
		key := [2]ref{f, g}
		if seen[key] {
			return false
		}
		seen[key] = true
		level := min(d.top(f), d.top(g))
		flo, fhi := d.at(f, level)
		glo, ghi := d.at(g, level)
		if walk(flo, glo) {
			return true
		}
		if walk(fhi, ghi) {
			word, bit := d.bit(level)
			x.setBit(word, bit)
			return true
		}
		return false
	}
	found = walk(f, g)
	return x, a, b, found
}

// setBit sets a bit of one of the words.
func (x *Data) setBit(word uint8, bit int) {
	switch {
	case word == 0:
		x.NR |= 1 << bit
	case word == 1:
		x.Arch |= 1 << bit
	case word < 4:
		x.IP |= 1 << (32*int(word-2) + bit)
	default:
		x.Args[(word-4)/2] |= 1 << (32*int(word&1) + bit)
	}
}

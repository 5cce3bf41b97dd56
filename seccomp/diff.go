package seccomp

import (
	"slices"

	"syscallstory/syscalls"
)

// Relation says how what one filter stack allows stands to what another allows.
type Relation string

const (
	Equal        Relation = "equal"        // both answer every call alike
	Answers      Relation = "answers"      // both allow the same calls, but refuse some in different ways
	Subset       Relation = "subset"       // the first allows less
	Superset     Relation = "superset"     // the first allows more
	Incomparable Relation = "incomparable" // each allows calls that the other refuses
)

// Change is a difference between two stacks at one call, or at a range of numbers that no call has.
type Change struct {
	ABI      syscalls.ABI // ABIs that are not known stand as x86_64, with Foreign set
	Foreign  bool
	NR, Last uint32
	Name     string
	A, B     []Case // empty where there are too many to list
	Relation Relation
	Example  Data // a call that they answer differently, of those the one with the most zeros
	AtA, AtB Action
}

// Difference compares two stacks call by call.
type Difference struct {
	Relation Relation
	Changes  []Change
}

// passes reports whether a call's own code runs behind an answer without anybody's doing.
func passes(a Action) bool { return a.Kind() == Allow || a.Kind() == Log }

// Diff compares what two stacks of filters answer to every call: every ABI, number and argument.
func Diff(a, b Stack) (*Difference, error) {
	d := newDiagram(a.compares() || b.compares())
	stacks := []stack{d.stack(a), d.stack(b)}
	abis := []syscalls.ABI{syscalls.I386, syscalls.ARM, syscalls.ARM64, syscalls.X8664, syscalls.X32}
	var audits []uint32
	for _, abi := range abis[:4] {
		audits = append(audits, abi.Audit())
	}
	slices.Sort(audits)
	boxes := apart(audits)
	slices.SortStableFunc(boxes, func(a, b box) int { return order(a) - order(b) })
	out := &Difference{Relation: Equal}
	for _, known := range boxes {
		parts := []box{known}
		foreign := known.arch0 != known.arch1
		if known.arch0 == syscalls.X8664.Audit() {
			parts = []box{abiRange(syscalls.X8664), abiRange(syscalls.X32)}
		}
		for _, from := range parts {
			abi := syscalls.X8664
			for _, x := range abis {
				if !foreign && x.Audit() == from.arch0 && (x == syscalls.X32) == (from.nr0 == syscalls.X32Bit) {
					abi = x
				}
			}
			visit := func(b box, fs []ref, name string) {
				if fs[0] != fs[1] {
					c := d.change(b, fs[0], fs[1])
					c.ABI, c.Foreign, c.Name = abi, foreign, name
					out.add(c)
				}
			}
			err := divided([]box{from}, stacks, func(b box, fs []ref) error {
				if fs[0] == fs[1] {
					return nil
				}
				spelt := slices.ContainsFunc(stacks, stack.spelt)
				for _, p := range pieces(b, abi, foreign) {
					fs := fs
					if spelt { // the functions say which numbers of the piece differ
						if err := divided([]box{p.box}, stacks, func(b box, fs []ref) error { visit(b, fs, p.name); return nil }); err != nil {
							return err
						}
						continue
					}
					visit(p.box, fs, p.name)
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// order puts x86_64 first and ABIs that are not known last.
func order(b box) int {
	switch {
	case b.arch0 != b.arch1:
		return 3
	case b.arch0 == syscalls.X8664.Audit():
		return 0
	case b.arch0 == syscalls.ARM64.Audit():
		return 1
	}
	return 2
}

// change describes how two functions differ within a box.
func (d *diagram) change(b box, f, g ref) Change {
	c := Change{NR: b.nr0, Last: b.nr1, Relation: Answers}
	c.A, _ = d.cases(b, f)
	c.B, _ = d.cases(b, g)
	_, _, _, less := d.difference(f, g, func(a, b Action) bool { return !passes(a) && passes(b) })
	_, _, _, more := d.difference(f, g, func(a, b Action) bool { return passes(a) && !passes(b) })
	bad := func(a, b Action) bool { return a != b }
	switch {
	case less && more:
		c.Relation = Incomparable
	case less:
		c.Relation = Subset
	case more:
		c.Relation = Superset
	}
	if less || more {
		bad = func(a, b Action) bool { return passes(a) != passes(b) }
	}
	c.Example, c.AtA, c.AtB, _ = d.difference(f, g, bad)
	// A function that does not look at the number or the ABI leaves it 0; one that does names one of the box.
	if c.Example.NR < b.nr0 || c.Example.NR > b.nr1 {
		c.Example.NR = b.nr0
	}
	if c.Example.Arch < b.arch0 || c.Example.Arch > b.arch1 {
		c.Example.Arch = b.arch0
	}
	return c
}

// add appends a change; numbers without a name make ranges.
func (x *Difference) add(c Change) {
	x.Relation = x.Relation.with(c.Relation)
	if n := len(x.Changes); n > 0 && x.Changes[n-1].follows(c) {
		x.Changes[n-1].Last = c.Last
		return
	}
	x.Changes = append(x.Changes, c)
}

// piece is a call by its name, or numbers that have none.
type piece struct {
	box
	name string
}

// pieces divides a box of one ABI into calls and the numbers between them.
func pieces(b box, abi syscalls.ABI, foreign bool) []piece {
	var out []piece
	next := uint64(b.nr0)
	put := func(to uint64, name string) {
		if next < to {
			out = append(out, piece{box{b.arch0, b.arch1, uint32(next), uint32(to - 1)}, name})
			next = to
		}
	}
	if !foreign {
		for nr, name := range syscalls.All(abi) {
			if nr >= b.nr0 && nr <= b.nr1 {
				put(uint64(nr), "")
				put(uint64(nr)+1, name)
			}
		}
	}
	put(uint64(b.nr1)+1, "")
	return out
}

// follows reports whether e goes on where c ends, with the same answers.
func (c Change) follows(e Change) bool {
	return c.Name == "" && e.Name == "" && c.ABI == e.ABI && c.Foreign == e.Foreign && c.Last+1 == e.NR && sameCases(c.A, e.A) && sameCases(c.B, e.B)
}

func sameCases(a, b []Case) bool {
	return slices.EqualFunc(a, b, func(a, b Case) bool { return a.Action == b.Action && slices.Equal(a.When, b.When) })
}

// with joins the relations of two parts.
func (r Relation) with(s Relation) Relation {
	switch {
	case r == s || s == Equal:
		return r
	case r == Equal || r == Answers:
		return s
	case s == Answers:
		return r
	}
	return Incomparable
}

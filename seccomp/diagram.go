package seccomp

import (
	"math/bits"
	"slices"
	"sync"
)

// ref is a function of the words that a filter can load: a node of a decision diagram, or, negative, what it comes to. Two functions
// are equal if and only if their refs are: the diagram is ordered, reduced and shared (a multi-terminal BDD).
type ref int32

// The first two ends are those of predicates; actions follow.
const (
	yes ref = -1 - iota
	no
)

// node tests one bit: of the words in their order, the highest bit first.
type node struct {
	level  uint16
	lo, hi ref // where the bit is clear, and set
}

// diagram holds the nodes of all functions that are compared with one another.
type diagram struct {
	nodes   []node
	unique  []int32 // open addressing: index of a node + 1
	actions []Action
	chosen  []choice         // ite's recent results, by hash
	weave   bool             // the words' bits are interleaved: for programs that compare words with one another
	strange bool             // there are actions that the kernel does not know: among filters they keep their rank
	half    bool             // what is put into words looks at 32 bits of each argument only
	budget  int              // nodes
	work    int              // calls of ite
	memos   []map[memory]ref // of evaluations, kept for the next proof's
	lent    int              // how many of them are in use
}

type choice struct{ p, f, g, r ref }

// tooLarge ends an analysis: the diagram has used up its budget.
type tooLarge struct{}

func newDiagram(weave bool) *diagram {
	return &diagram{unique: make([]int32, 1<<12), chosen: make([]choice, 1<<11), weave: weave, budget: 1 << 20}
}

// pool keeps small diagrams for the next proof.
var pool = sync.Pool{New: func() any { return newDiagram(false) }}

func (d *diagram) clear() {
	clear(d.unique)
	clear(d.chosen)
	for _, m := range d.memos[:d.lent] {
		clear(m)
	}
	d.nodes, d.actions, d.work, d.strange, d.lent = d.nodes[:0], d.actions[:0], 0, false, 0
}

// words of seccomp_data in the order in which their bits are tested: a register's upper word comes before its lower one.
var wordOrder = [16]uint8{0, 1, 15, 14, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12}

// level is where bit b of the word at an offset of seccomp_data is tested.
func (d *diagram) level(word uint8, b int) uint16 {
	if d.weave {
		return uint16((31-b)*16) + uint16(wordOrder[word])
	}
	return uint16(wordOrder[word])*32 + uint16(31-b)
}

// bit is the inverse of level.
func (d *diagram) bit(level uint16) (word uint8, b int) {
	order, b := uint8(level/32), 31-int(level%32)
	if d.weave {
		order, b = uint8(level%16), 31-int(level/16)
	}
	for w, o := range wordOrder {
		if o == order {
			return uint8(w), b
		}
	}
	return 0, 0
}

// end is the function that is always this action. Data that the kernel does not look at makes no difference.
func (d *diagram) end(a Action) ref {
	switch k := a & 0xffff0000; k {
	case Errno, Trap, Trace:
		a = k | Action(a.Data())
	default:
		if a = k; k.Kind() != k {
			d.strange = true
		}
	}
	for i, x := range d.actions {
		if x == a {
			return ref(-3 - i)
		}
	}
	d.actions = append(d.actions, a)
	return ref(-2 - len(d.actions))
}

// settled is a function whose actions that the kernel does not know have become what they act as.
func (d *diagram) settled(f ref) ref {
	if !d.strange {
		return f
	}
	memo := map[ref]ref{}
	var walk func(f ref) ref
	walk = func(f ref) ref {
		if f < 0 {
			return d.end(d.action(f).Kind() | Action(d.action(f).Data()))
		}
		if r, ok := memo[f]; ok {
			return r
		}
		n := d.nodes[f]
		r := d.node(n.level, walk(n.lo), walk(n.hi))
		memo[f] = r
		return r
	}
	return walk(f)
}

// action is the inverse of end.
func (d *diagram) action(r ref) Action { return d.actions[-3-r] }

func hash(a, b, c uint32) uint32 {
	h := uint64(a)*0x9e3779b97f4a7c15 ^ uint64(b)*0xc2b2ae3d27d4eb4f ^ uint64(c)*0x165667b19e3779f9
	return uint32(h >> 32)
}

// node returns the function that tests a bit and goes on.
func (d *diagram) node(level uint16, lo, hi ref) ref {
	if lo == hi {
		return lo
	}
	mask := uint32(len(d.unique) - 1)
	at := hash(uint32(level), uint32(lo), uint32(hi)) & mask
	for ; d.unique[at] != 0; at = (at + 1) & mask {
		if d.nodes[d.unique[at]-1] == (node{level, lo, hi}) {
			return ref(d.unique[at] - 1)
		}
	}
	if len(d.nodes) >= d.budget {
		panic(tooLarge{})
	}
	d.nodes = append(d.nodes, node{level, lo, hi})
	d.unique[at] = int32(len(d.nodes))
	if 2*len(d.nodes) > len(d.unique) {
		d.grow()
	}
	return ref(len(d.nodes) - 1)
}

func (d *diagram) grow() {
	d.unique = make([]int32, 4*len(d.unique))
	mask := uint32(len(d.unique) - 1)
	for i, n := range d.nodes {
		at := hash(uint32(n.level), uint32(n.lo), uint32(n.hi)) & mask
		for d.unique[at] != 0 {
			at = (at + 1) & mask
		}
		d.unique[at] = int32(i + 1)
	}
	if len(d.chosen) < 1<<18 {
		d.chosen = make([]choice, 4*len(d.chosen))
	}
}

// top is the level of a function's first test.
func (d *diagram) top(r ref) uint16 {
	if r < 0 {
		return 1<<16 - 1
	}
	return d.nodes[r].level
}

// at returns the two sides of a function at a level.
func (d *diagram) at(r ref, level uint16) (lo, hi ref) {
	if r >= 0 && d.nodes[r].level == level {
		return d.nodes[r].lo, d.nodes[r].hi
	}
	return r, r
}

// ite is f where the predicate p holds, else g.
func (d *diagram) ite(p, f, g ref) ref {
	switch {
	case p == yes || f == g:
		return f
	case p == no:
		return g
	case f == yes && g == no:
		return p
	}
	if d.work++; d.work > 1<<26 {
		panic(tooLarge{})
	}
	h := hash(uint32(p), uint32(f), uint32(g))
	if c := d.chosen[h&uint32(len(d.chosen)-1)]; c.p == p && c.f == f && c.g == g && c.f != c.g { // an empty entry has f and g equal
		return c.r
	}
	level := min(d.top(p), d.top(f), d.top(g))
	plo, phi := d.at(p, level)
	flo, fhi := d.at(f, level)
	glo, ghi := d.at(g, level)
	r := d.node(level, d.ite(plo, flo, glo), d.ite(phi, fhi, ghi))
	d.chosen[h&uint32(len(d.chosen)-1)] = choice{p, f, g, r}
	return r
}

func (d *diagram) not(p ref) ref    { return d.ite(p, no, yes) }
func (d *diagram) and(p, q ref) ref { return d.ite(p, q, no) }
func (d *diagram) or(p, q ref) ref  { return d.ite(p, yes, q) }
func (d *diagram) xor(p, q ref) ref { return d.ite(p, d.not(q), q) }

// masked is the predicate that a word, and'ed with a mask, equals k, and that then holds, which looks at later words only.
func (d *diagram) masked(word uint8, mask, k uint32, then ref) ref {
	if k&^mask != 0 {
		return no
	}
	r := then
	for m := mask; m != 0; m &= m - 1 {
		b := bits.TrailingZeros32(m)
		if k>>b&1 != 0 {
			r = d.node(d.level(word, b), no, r)
		} else {
			r = d.node(d.level(word, b), r, no)
		}
	}
	return r
}

// above is the predicate that a word, and'ed with a mask, is greater than k, or equal to it where same holds, which looks at later words only.
func (d *diagram) above(word uint8, mask, k uint32, same ref) ref {
	r := same
	for b := range 32 { // from the lowest bit up: r decides where the bits above are equal
		kb, set := k>>b&1 != 0, mask>>b&1 != 0
		switch {
		case set && kb:
			r = d.node(d.level(word, b), no, r)
		case set:
			r = d.node(d.level(word, b), r, yes)
		case kb: // the word's bit counts as clear
			r = no
		}
	}
	return r
}

// among is the predicate that an argument, of which the lowest b+1 bits are looked at, is one of some values: they are in ascending order.
func (d *diagram) among(arg uint8, b int, values []uint64) ref {
	switch {
	case len(values) == 0:
		return no
	case b < 0:
		return yes
	}
	from, _ := slices.BinarySearch(values, values[0]>>b<<b|1<<b) // the bits above b are the same in all values
	word := 4 + 2*arg + uint8(b/32)
	return d.node(d.level(word, b%32), d.among(arg, b-1, values[:from]), d.among(arg, b-1, values[from:]))
}

// compared is f where a word equals k (or is greater, or either), else g: what ite makes of the comparison's predicate, without building
// that. Neither function may look at earlier words, nor may the words' bits be interleaved.
func (d *diagram) compared(word uint8, op uint16, k uint32, f, g ref) ref {
	var walk func(b int, f, g ref) ref
	walk = func(b int, f, g ref) ref {
		switch {
		case f == g:
			return f
		case b < 0 && op == jgtK:
			return g
		case b < 0:
			return f
		}
		level := d.level(word, b)
		flo, fhi := d.at(f, level)
		glo, ghi := d.at(g, level)
		switch {
		case k>>b&1 != 0:
			return d.node(level, glo, walk(b-1, fhi, ghi))
		case op == jeqK:
			return d.node(level, walk(b-1, flo, glo), ghi)
		}
		return d.node(level, walk(b-1, flo, glo), fhi)
	}
	return walk(31, f, g)
}

// any is the predicate that a word has one of the mask's bits.
func (d *diagram) any(word uint8, mask uint32) ref {
	r := no
	for m := mask; m != 0; m &= m - 1 {
		r = d.node(d.level(word, bits.TrailingZeros32(m)), r, yes)
	}
	return r
}

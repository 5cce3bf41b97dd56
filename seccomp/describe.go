package seccomp

import (
	"fmt"
	"slices"
	"strings"

	"syscallstory/syscalls"
)

// Case is one line of what a filter does with a call: the first case whose conditions all hold counts.
type Case struct {
	When   []string // such as "args[0] == 8"; none: always
	Action Action
}

// maxCases bounds the cases that are listed of one call.
const maxCases = 32

// cases puts a function into words, argument by argument. Without ok it has too many.
func (d *diagram) cases(b box, f ref) (out []Case, ok bool) {
	d.half = b.half() || b.arch0 == b.arch1 && b.arch0 == syscalls.I386.Audit() && !d.upper(f, map[ref]bool{})
	var walk func(f ref, when []string) bool
	walk = func(f ref, when []string) bool {
		if f < 0 {
			out = append(out, Case{slices.Clone(when), d.action(f)})
			return len(out) <= maxCases
		}
		parts := d.parts(f)
		if parts == nil {
			return false
		}
		for i, p := range parts {
			w := when
			if i < len(parts)-1 {
				w = append(slices.Clone(when), p.text)
			}
			if !walk(p.then, w) {
				return false
			}
		}
		return true
	}
	return out, !d.weave && walk(f, nil)
}

// upper reports whether a function looks at the upper half of an argument.
func (d *diagram) upper(f ref, seen map[ref]bool) bool {
	if f < 0 || seen[f] {
		return false
	}
	seen[f] = true
	n := d.nodes[f]
	if word, _ := d.bit(n.level); word > 4 && word&1 != 0 {
		return true
	}
	return d.upper(n.lo, seen) || d.upper(n.hi, seen)
}

// part is the values of one argument behind which a function goes on alike.
type part struct {
	then ref
	text string
	cost int // how hard it is to say
}

// parts divides the values of the first argument that a function depends on; the part that is hardest to say comes last. Nil: it
// cannot be said.
func (d *diagram) parts(f ref) []part {
	w := d.operand(f)
	ranges, cubes := map[ref][]span64{}, map[ref][]cube{}
	if !d.ranges(f, w, w.bits-1, 0, ranges) {
		ranges = nil
	}
	if !d.cubes(f, w, cube{}, cubes) {
		cubes = nil
	}
	var order []ref
	for _, m := range []map[ref]bool{keys(ranges), keys(cubes)} {
		for r := range m {
			if !slices.Contains(order, r) {
				order = append(order, r)
			}
		}
	}
	slices.SortFunc(order, func(a, b ref) int { return int(b - a) })
	var out []part
	for _, r := range order {
		p := part{then: r, cost: 1 << 20}
		if s, ok := ranges[r]; ok {
			p.text, p.cost = inWords(w, s), len(s)
		}
		if c, ok := cubes[r]; ok && 2*len(c) <= p.cost {
			p.text, p.cost = maskedWords(w.name, c), 2*len(c)
		}
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b part) int { return a.cost - b.cost })
	if len(out) > 1 && out[len(out)-2].cost == 1<<20 {
		return nil // two parts that cannot be said
	}
	return out
}

func keys[V any](m map[ref]V) map[ref]bool {
	out := map[ref]bool{}
	for k := range m {
		out[k] = true
	}
	return out
}

// operand is a number that consecutive levels of a diagram test: an argument, the instruction pointer, the number or the ABI.
type operand struct {
	name  string
	first uint16 // level of its highest bit
	bits  int
}

func (d *diagram) operand(f ref) operand {
	word, _ := d.bit(d.nodes[f].level)
	switch {
	case word == 0:
		return operand{"nr", d.level(0, 31), 32}
	case word == 1:
		return operand{"arch", d.level(1, 31), 32}
	case word < 4:
		return operand{"ip", d.level(3, 31), 64}
	}
	name := fmt.Sprintf("args[%d]", (word-4)/2)
	if d.half {
		return operand{name, d.level(word, 31), 32}
	}
	return operand{name, d.level(word|1, 31), 64}
}

// in returns the bit of the operand that a function tests first, or -1.
func (d *diagram) in(f ref, w operand) int {
	if f >= 0 && d.nodes[f].level < w.first+uint16(w.bits) {
		return w.bits - 1 - int(d.nodes[f].level-w.first)
	}
	return -1
}

// span64 is values from lo to hi.
type span64 struct{ lo, hi uint64 }

// maxRanges bounds the ranges and masks in which an argument's values are listed.
const maxRanges = 64

// ranges lists, for each way in which a function goes on, the values of an operand that lead there, ascending.
func (d *diagram) ranges(f ref, w operand, bit int, prefix uint64, out map[ref][]span64) bool {
	at := d.in(f, w)
	if at < 0 {
		list := out[f]
		last := prefix | (uint64(1)<<(bit+1) - 1)
		if n := len(list); n > 0 && list[n-1].hi+1 == prefix {
			list[n-1].hi = last
		} else {
			list = append(list, span64{prefix, last})
		}
		out[f] = list
		return len(list) <= maxRanges && len(out) <= maxCases
	}
	lo, hi := f, f
	if at == bit {
		lo, hi = d.nodes[f].lo, d.nodes[f].hi
	}
	return d.ranges(lo, w, bit-1, prefix, out) && d.ranges(hi, w, bit-1, prefix|1<<bit, out)
}

// cube is the values that have some bits.
type cube struct{ mask, value uint64 }

// cubes lists, for each way in which a function goes on, the masks under which an operand leads there.
func (d *diagram) cubes(f ref, w operand, c cube, out map[ref][]cube) bool {
	at := d.in(f, w)
	if at < 0 {
		out[f] = append(out[f], c)
		return len(out[f]) <= maxRanges && len(out) <= maxCases
	}
	c.mask |= 1 << at
	if !d.cubes(d.nodes[f].lo, w, c, out) {
		return false
	}
	c.value |= 1 << at
	return d.cubes(d.nodes[f].hi, w, c, out)
}

func number(v uint64) string {
	switch {
	case v < 1024:
		return fmt.Sprint(v)
	case int64(v) < 0 && int64(v) >= -4096:
		return fmt.Sprint(int64(v))
	}
	return fmt.Sprintf("%#x", v)
}

func inWords(w operand, list []span64) string {
	name, highest := w.name, uint64(1)<<(w.bits-1)<<1-1
	if len(list) == 1 {
		switch s := list[0]; {
		case s.lo == s.hi:
			return name + " == " + number(s.lo)
		case s.lo == 0:
			return name + " <= " + number(s.hi)
		case s.hi == highest:
			return name + " >= " + number(s.lo)
		}
	}
	if len(list) == 2 && list[0].lo == 0 && list[1].hi == highest && list[0].hi+2 == list[1].lo {
		return name + " != " + number(list[0].hi+1)
	}
	var words []string
	for _, s := range list {
		t := number(s.lo)
		switch {
		case s.lo == s.hi:
		case s.lo+1 == s.hi:
			t += ", " + number(s.hi)
		default:
			t += ".." + number(s.hi)
		}
		words = append(words, t)
	}
	return name + " in {" + strings.Join(words, ", ") + "}"
}

func maskedWords(name string, list []cube) string {
	var words []string
	for _, c := range list {
		words = append(words, fmt.Sprintf("%s & %s == %s", name, number(c.mask), number(c.value)))
	}
	return strings.Join(words, " or ")
}

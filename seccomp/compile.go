package seccomp

import (
	"fmt"
	"slices"

	"syscallstory/syscalls"
)

// Compile turns a resolved profile into a program: a branch on the ABI, then a search over ranges of numbers that get the same
// answer but for a few single numbers, then the argument conditions of the few calls that have some. The program is proved to
// mean what the profile says before it is returned. Rules that the kernel's release would decide are left out where the release
// is not known.
func (r *Resolved) Compile() (Program, error) {
	b := &builder{code: make([]Insn, 0, 256)}
	top := b.ret(KillThread) // an ABI that the profile does not list
	for _, arch := range []struct {
		audit uint32
		abis  []syscalls.ABI
	}{{syscalls.I386.Audit(), r.only(syscalls.I386)}, {syscalls.ARM.Audit(), r.only(syscalls.ARM)}, {syscalls.ARM64.Audit(), r.only(syscalls.ARM64)}, {syscalls.X8664.Audit(), r.only(syscalls.X8664, syscalls.X32)}} {
		if len(arch.abis) == 0 {
			continue
		}
		b.rets, b.leaves = b.rets[:0], b.leaves[:0]
		tree := b.search(blocks(r.ranges(arch.abis)))
		tree = b.emit(Insn{Code: ldAbs, K: 0}, tree)
		top = b.branch(Insn{Code: jeqK, K: arch.audit}, tree, top)
	}
	b.emit(Insn{Code: ldAbs, K: 4}, top)
	slices.Reverse(b.code)
	if err := Program(b.code).Check(); err != nil {
		return nil, fmt.Errorf("the profile does not compile: %w", err)
	}
	if err := r.Prove(b.code); err != nil {
		return nil, fmt.Errorf("the profile does not compile to a program that means the same: %w", err)
	}
	return b.code, nil
}

func (r *Resolved) only(want ...syscalls.ABI) []syscalls.ABI {
	var out []syscalls.ABI
	for _, a := range r.ABIs {
		if slices.Contains(want, a) {
			out = append(out, a)
		}
	}
	return out
}

// span is consecutive numbers, from first to the next span's first, with one answer.
type span struct {
	first  uint32
	action Action
	rules  []*Rule // strictest first; nil: the answer is constant
	label  int     // instead of both, where to go on
}

// ranges lists the spans of an architecture's numbers in ascending order.
func (r *Resolved) ranges(abis []syscalls.ABI) []span {
	def := r.Profile.Default
	spans := make([]span, 0, 96)
	add := func(s span) {
		if n := len(spans); n > 0 && s.first == spans[n-1].first {
			spans[n-1] = s
		} else if n == 0 || !spans[n-1].same(s) {
			spans = append(spans, s)
		}
	}
	for _, abi := range abis {
		next := uint32(0) // of the ABI's numbers
		if abi == syscalls.X32 {
			next = syscalls.X32Bit
		}
		add(span{first: next, action: def})
		for nr, name := range syscalls.All(abi) {
			if r.loader.beyond(abi, nr) {
				break
			}
			if nr != next {
				add(span{first: next, action: def})
			}
			action, rules := r.answer(abi, name)
			add(span{first: nr, action: action, rules: rules})
			next = nr + 1
		}
		add(span{first: next, action: def})
		if last, ok := r.loader.lastOf(abi); ok {
			add(span{first: last + 1, action: Errno | 38})
		}
	}
	if !slices.Contains(abis, syscalls.X32) && slices.Contains(abis, syscalls.X8664) {
		add(span{first: syscalls.X32Bit, action: KillThread})
		if _, stub := r.loader.lastOf(syscalls.X8664); stub {
			add(span{first: noX32, action: Errno | 38})
			add(span{first: noX32End, action: KillThread})
		}
		if r.loader != nil {
			add(span{first: skipped, action: def})
		}
	}
	return spans
}

// constant is the answer to most calls: of one rule without conditions, or of none.
func (r *Resolved) constant(name string) (Action, bool) {
	own := r.byName[name]
	switch {
	case r.loader != nil || len(r.Maybe) > 0 || len(own) > 1:
		return 0, false
	case len(own) == 0:
		return r.Profile.Default, true
	}
	rule := &r.Profile.Rules[own[0]]
	return rule.Action, len(rule.Args) == 0
}

// answer returns what a call gets: a constant, or the conditional rules in order of precedence with the constant behind them.
func (r *Resolved) answer(abi syscalls.ABI, name string) (Action, []*Rule) {
	if a, ok := r.constant(name); ok {
		return a, nil
	}
	rules := r.rulesFor(abi, name)
	conds := rules[:0]
	action, fixed := r.Profile.Default, false
	for _, rule := range rules {
		switch {
		case len(rule.Args) > 0:
			// Behind a constant that is as strict, a condition never decides.
			if !fixed || rule.Action.Stricter(action) {
				conds = append(conds, rule)
			}
		case !fixed || rule.Action.Stricter(action):
			action, fixed = rule.Action, true
		}
	}
	if fixed {
		conds = slices.DeleteFunc(conds, func(c *Rule) bool { return action.Stricter(c.Action) })
	}
	if len(conds) == 0 {
		return action, nil
	}
	slices.SortStableFunc(conds, func(a, c *Rule) int {
		switch {
		case a.Action.Stricter(c.Action):
			return -1
		case c.Action.Stricter(a.Action):
			return 1
		}
		return 0
	})
	return action, conds
}

// builder emits a program from its end: an instruction can jump only to what is already there.
type builder struct {
	code   []Insn // reversed
	rets   []retAt
	leaves []leafAt
}

// retAt is where the latest instruction stands that answers with an action.
type retAt struct {
	action Action
	label  int
}

// A label is the number of instructions from the end of the program up to and including its target.

// ret returns a label of an instruction that answers with an action, near enough to jump to.
func (b *builder) ret(a Action) int {
	i := slices.IndexFunc(b.rets, func(r retAt) bool { return r.action == a })
	if i < 0 {
		i = len(b.rets)
		b.rets = append(b.rets, retAt{action: a})
	} else if l := b.rets[i].label; len(b.code)-l < 200 {
		return l
	}
	b.code = append(b.code, Insn{Code: retK, K: uint32(a)})
	b.rets[i].label = len(b.code)
	return len(b.code)
}

// emit puts an instruction in front of the one at next, which must come right behind it.
func (b *builder) emit(in Insn, next int) int {
	if next != len(b.code) {
		b.code = append(b.code, Insn{Code: ja, K: uint32(len(b.code) - next)})
	}
	b.code = append(b.code, in)
	return len(b.code)
}

// branch emits a conditional jump. A target that is too far away gets a jump of its own.
func (b *builder) branch(in Insn, yes, no int) int {
	if len(b.code)-yes > 254 {
		b.code = append(b.code, Insn{Code: ja, K: uint32(len(b.code) - yes)})
		yes = len(b.code)
	}
	if len(b.code)-no > 255 {
		b.code = append(b.code, Insn{Code: ja, K: uint32(len(b.code) - no)})
		no = len(b.code)
	}
	in.JT, in.JF = uint8(len(b.code)-yes), uint8(len(b.code)-no)
	b.code = append(b.code, in)
	return len(b.code)
}

// block is consecutive spans that one answer serves but for single numbers, each of which is compared by itself.
type block struct {
	first  uint32
	answer span
	single []span
	weight int // how many numbers of calls lie in it
}

// maxSingles bounds the comparisons that stand in a row in one block: they are made one after another.
const maxSingles = 3

// same reports whether two spans get the same answer.
func (s span) same(t span) bool {
	return s.action == t.action && s.label == t.label && slices.Equal(s.rules, t.rules)
}

// blocks divides the spans so that the fewest comparisons are needed: one between two blocks, and one for each single number.
func blocks(spans []span) []block {
	n := len(spans)
	width := func(k int) uint32 {
		if k+1 < n {
			return spans[k+1].first - spans[k].first
		}
		return 1 << 31
	}
	const never = 1 << 30
	best := make([]struct{ cost, end, base, blocks int }, n+1) // of the spans from k on
	for k := n - 1; k >= 0; k-- {
		b := &best[k]
		b.cost = never
		for base := k; base < n && base <= k+1; base++ { // the answer is the first span's or, behind a single number, the second's
			if base > k && width(k) != 1 {
				break
			}
			singles := 0
			for end := k; end < n; end++ {
				if !spans[end].same(spans[base]) {
					if width(end) != 1 {
						break
					}
					if singles++; singles > maxSingles {
						break
					}
				}
				if end < base {
					continue
				}
				c := singles + best[end+1].cost
				if end+1 < n {
					c++
				}
				if c < b.cost {
					b.cost, b.end, b.base, b.blocks = c, end+1, base, 1+best[end+1].blocks
				}
			}
		}
	}
	out, single := make([]block, 0, best[0].blocks), make([]span, 0, n)
	for k := 0; k < n; k = best[k].end {
		b := block{first: spans[k].first, answer: spans[best[k].base]}
		from := len(single)
		for i := k; i < best[k].end; i++ {
			if !spans[i].same(b.answer) {
				single = append(single, spans[i])
			}
			b.weight += int(min(width(i), 64))
		}
		b.single = single[from:]
		out = append(out, b)
	}
	return out
}

// search emits a search for A among blocks, split where about as many calls lie on either side.
func (b *builder) search(list []block) int {
	if len(list) == 1 {
		next := b.leaf(list[0].answer)
		for i := len(list[0].single) - 1; i >= 0; i-- {
			s := list[0].single[i]
			next = b.branch(Insn{Code: jeqK, K: s.first}, b.leaf(s), next)
		}
		return next
	}
	total, half, mid := 0, 0, 1
	for _, x := range list {
		total += x.weight + len(x.single)
	}
	for i, x := range list[:len(list)-1] {
		half += x.weight + len(x.single)
		if mid = i + 1; 2*half >= total {
			break
		}
	}
	if least := len(list) / 4; mid < least {
		mid = least
	} else if most := len(list) - least; mid > most {
		mid = most
	}
	mid = max(1, min(mid, len(list)-1))
	low := b.search(list[:mid])
	high := b.search(list[mid:])
	return b.branch(Insn{Code: jgeK, K: list[mid].first}, high, low)
}

// leaf emits the argument conditions of one span. Calls with the same conditions share them.
func (b *builder) leaf(s span) int {
	switch {
	case s.label != 0:
		return s.label
	case s.rules == nil:
		return b.ret(s.action)
	}
	for _, l := range b.leaves {
		if l.span.same(s) && len(b.code)-l.label < 200 {
			return l.label
		}
	}
	next := b.ret(s.action)
	for i := len(s.rules) - 1; i >= 0; i-- {
		rule := s.rules[i]
		if k := b.values(s.rules, i); k < i {
			next = b.oneOf(s.rules[k:i+1], next)
			i = k
			continue
		}
		if rule.separate() {
			for j := len(rule.Args) - 1; j >= 0; j-- {
				next = b.cond(rule.Args[j], b.ret(rule.Action), next)
			}
			continue
		}
		yes := b.ret(rule.Action)
		for j := len(rule.Args) - 1; j >= 0; j-- {
			yes = b.cond(rule.Args[j], yes, next)
		}
		next = yes
	}
	b.leaves = append(b.leaves, leafAt{s, next})
	return next
}

// leafAt is where the conditions of a span were emitted.
type leafAt struct {
	span  span
	label int
}

// values returns the first of the rules up to last that each ask whether the same argument is a small value or below one, and
// have the same action: together they are a set of numbers.
func (b *builder) values(rules []*Rule, last int) int {
	alike := func(r *Rule) bool {
		a, z := r.Args, rules[last].Args
		small := len(a) == 1 && (a[0].Op == EQ || a[0].Op == LT || a[0].Op == LE) && a[0].Value < 1<<32-1
		return small && a[0].Index == z[0].Index && r.Action == rules[last].Action
	}
	k := last
	for len(rules[last].Args) == 1 && k > 0 && alike(rules[k]) && alike(rules[k-1]) {
		k--
	}
	return k
}

// oneOf emits the search for an argument in the set of numbers that rules ask for. Each of its words is loaded once.
func (b *builder) oneOf(rules []*Rule, no int) int {
	a := rules[0].Args[0]
	yes := b.ret(rules[0].Action)
	below := uint32(0) // numbers below it are in the set
	single := make([]uint32, 0, len(rules))
	for _, r := range rules {
		switch v := uint32(r.Args[0].Value); r.Args[0].Op {
		case EQ:
			single = append(single, v)
		case LT:
			below = max(below, v)
		case LE:
			below = max(below, v+1)
		}
	}
	slices.Sort(single)
	spans := make([]span, 0, 2+2*len(single))
	if below > 0 {
		spans = append(spans, span{first: 0, label: yes})
	}
	spans = append(spans, span{first: below, label: no})
	for _, v := range single {
		last := &spans[len(spans)-1]
		switch {
		case v < below || last.label == no && last.first > v:
			continue // it is there already
		case last.first == v: // right behind the number before
			*last = span{first: v, label: yes}
		default:
			spans = append(spans, span{first: v, label: yes})
		}
		spans = append(spans, span{first: v + 1, label: no})
	}
	merged := spans[:1]
	for _, s := range spans[1:] {
		if !merged[len(merged)-1].same(s) {
			merged = append(merged, s)
		}
	}
	low := b.emit(Insn{Code: ldAbs, K: 16 + 8*uint32(a.Index)}, b.search(blocks(merged)))
	if a.Low {
		return low
	}
	high := b.branch(Insn{Code: jeqK, K: 0}, low, no)
	return b.emit(Insn{Code: ldAbs, K: 20 + 8*uint32(a.Index)}, high)
}

// cond emits one condition on a 64-bit argument, which is loaded as two words.
func (b *builder) cond(a Arg, yes, no int) int {
	lo, hi := uint32(16+8*uint32(a.Index)), uint32(20+8*uint32(a.Index))
	vlo, vhi := uint32(a.Value), uint32(a.Value>>32)
	load := func(off uint32, then int) int { return b.emit(Insn{Code: ldAbs, K: off}, then) }
	switch a.Op {
	case NE:
		a.Op = EQ
		return b.cond(a, no, yes)
	case LT:
		a.Op = GE
		return b.cond(a, no, yes)
	case LE:
		a.Op = GT
		return b.cond(a, no, yes)
	case EQ:
		low := load(lo, b.branch(Insn{Code: jeqK, K: vlo}, yes, no))
		if a.Low {
			return low
		}
		return load(hi, b.branch(Insn{Code: jeqK, K: vhi}, low, no))
	case GT, GE:
		code := uint16(jgtK)
		if a.Op == GE {
			code = jgeK
		}
		low := load(lo, b.branch(Insn{Code: code, K: vlo}, yes, no))
		if a.Low {
			return low
		}
		equal := b.branch(Insn{Code: jeqK, K: vhi}, low, no)
		return load(hi, b.branch(Insn{Code: jgtK, K: vhi}, yes, equal))
	}
	wlo, whi := uint32(a.ValueTwo), uint32(a.ValueTwo>>32)
	low := b.branch(Insn{Code: jeqK, K: wlo}, yes, no)
	low = load(lo, b.emit(Insn{Code: andK, K: vlo}, low))
	if a.Low {
		return low
	}
	high := b.branch(Insn{Code: jeqK, K: whi}, low, no)
	return load(hi, b.emit(Insn{Code: andK, K: vhi}, high))
}

package seccomp

import (
	"fmt"
	"math/bits"
	"slices"

	"syscallstory/syscalls"
)

// UndeterminedError is a program that the analysis gives up: not wrong, but more than its budget can enumerate.
type UndeterminedError struct {
	At  int // instruction; -1 for the whole
	Why string
}

func (e *UndeterminedError) Error() string {
	if e.At < 0 {
		return "undetermined: " + e.Why
	}
	return fmt.Sprintf("undetermined: instruction %d: %s", e.At, e.Why)
}

// box is a range of ABIs and of numbers, both ends included.
type box struct{ arch0, arch1, nr0, nr1 uint32 }

// abiBox is the calls of one ABI's audit value.
func abiBox(audit uint32) box { return box{audit, audit, 0, 1<<32 - 1} }

// split ends the evaluation of a box: the program treats its numbers (or ABIs) below at otherwise than the others.
type split struct {
	arch bool
	at   uint32
}

// half reports whether the box is of arm, whose registers have 32 bits: the upper halves of the arguments are always 0. Those of i386
// are not: int $0x80 shows a 64-bit program's whole registers (do_int80_emulation, populate_seccomp_data).
func (b box) half() bool { return b.arch0 == b.arch1 && b.arch0 == syscalls.ARM.Audit() }

// divide returns the box's two parts.
func (b box) divide(s split) (box, box) {
	lo, hi := b, b
	if s.arch {
		lo.arch1, hi.arch0 = s.at-1, s.at
	} else {
		lo.nr1, hi.nr0 = s.at-1, s.at
	}
	return lo, hi
}

// value is what A, X or a word of scratch memory holds: a constant, a masked word of seccomp_data, or 32 functions.
type value struct {
	kind valueKind
	word uint8 // offset / 4
	//lint:ignore U1000 It is always 0: without a gap, states are hashed in one piece.
	tidy uint16
	mask uint32 // of a word
	k    uint32 // a constant; or the index of the functions
}

type valueKind uint8

const (
	dead valueKind = iota // nothing reads it before it is written
	constant
	masked
	functions
)

// state is where an evaluation stands.
type state struct {
	pc   int32
	a, x value
	mem  int32 // index of the scratch memory's values
}

// evaluation is the symbolic execution of one program: for a box of calls, it builds the function of the other words that the
// program computes. Paths that meet in the same state are followed once.
type evaluation struct {
	p     Program
	d     *diagram
	live  []uint32 // before each instruction: bit 0 A, bit 1 X, bits 2 to 17 the scratch memory
	reads []bool   // from each instruction on, number or ABI may be loaded
	box   box
	spelt bool // the box's number or ABI stands in the function bit by bit
	boxes int  // how many were evaluated: part of what is remembered
	memo  map[memory]ref
	mems  [][16]value
	sets  [][32]ref
	pc    int
	steps int
	halt  split // where the box is to be divided, once halted has been returned
}

type memory struct {
	state
	box  int32
	half int32 // 1 for a box of half registers
}

// memo returns an empty memory, if possible one that an earlier proof has left.
func (d *diagram) memo() map[memory]ref {
	if d.lent == len(d.memos) {
		d.memos = append(d.memos, map[memory]ref{})
	}
	d.lent++
	return d.memos[d.lent-1]
}

// maxSteps bounds the instructions that are executed symbolically.
const maxSteps = 1 << 26

func (d *diagram) evaluation(p Program) *evaluation {
	e := &evaluation{p: p, d: d, live: make([]uint32, len(p)+1), reads: make([]bool, len(p)+1), memo: d.memo(), mems: [][16]value{{}}}
	for i := len(p) - 1; i >= 0; i-- {
		in := p[i]
		join := func(off ...uint32) (m uint32) {
			for _, o := range off {
				if to := i + 1 + int(o); to <= len(p) {
					m |= e.live[to]
					e.reads[i] = e.reads[i] || e.reads[to]
				}
			}
			return m
		}
		const a, x = 1, 2
		word := uint32(4) << (in.K & 15)
		m := uint32(0)
		switch c := in.Code; {
		case c == retK:
		case c == retA:
			m = a
		case c == ja:
			m = join(in.K)
		case c&7 == 5:
			m = join(uint32(in.JT), uint32(in.JF)) | a
			if c&srcX != 0 {
				m |= x
			}
		case c == ldAbs:
			m = join(0) &^ a
			e.reads[i] = e.reads[i] || in.K < 8
		case c == ldImm || c == ldLen:
			m = join(0) &^ a
		case c == ldxImm || c == ldxLen:
			m = join(0) &^ x
		case c == ldMem:
			m = join(0)&^a | word
		case c == ldxMem:
			m = join(0)&^x | word
		case c == st:
			m = join(0)&^word | a
		case c == stx:
			m = join(0)&^word | x
		case c == tax:
			m = join(0)&^x | a
		case c == txa:
			m = join(0)&^a | x
		case c != neg && c&srcX != 0:
			m = join(0) | a | x
		default:
			m = join(0) | a
		}
		e.live[i] = m
	}
	return e
}

// function evaluates the program for a box. If its calls must be told apart, it says where: this holds until the next box.
func (e *evaluation) function(b box) (r ref, s *split, err error) {
	e.box = b
	e.boxes++
	e.spelt = false
	defer func() {
		switch x := recover().(type) {
		case nil:
		case split:
			s = &x
		case tooLarge:
			err = &UndeterminedError{e.pc, "the conditions on the way to it are too many to enumerate"}
		case *UndeterminedError:
			err = x
		default:
			panic(x)
		}
	}()
	if r = e.run(state{}); r == halted {
		return 0, &e.halt, nil
	}
	return r, nil, nil
}

// within is the predicate that a call lies in a box.
func (d *diagram) within(b box) ref {
	between := func(word uint8, lo, hi uint32) ref {
		return d.and(d.above(word, 1<<32-1, lo, yes), d.not(d.above(word, 1<<32-1, hi, no)))
	}
	return d.and(between(0, b.nr0, b.nr1), between(1, b.arch0, b.arch1))
}

// stack is the symbolic execution of a task's filters.
type stack []*evaluation

func (d *diagram) stack(s Stack) stack {
	if len(s) == 0 {
		s = Stack{{{Code: retK, K: uint32(Allow)}}} // no filter
	}
	out := make(stack, len(s))
	for i, p := range s {
		out[i] = d.evaluation(p)
	}
	return out
}

// function is what the filters answer together: the strictest answer, the newest filter's among equal ones.
func (s stack) function(b box) (ref, *split, error) {
	r := ref(0)
	for i := len(s) - 1; i >= 0; i-- {
		f, at, err := s[i].function(b)
		if at != nil || err != nil {
			return 0, at, err
		}
		if i == len(s)-1 {
			r = f
			continue
		}
		if r, err = s[i].d.bounded(func() ref { return s[i].d.combine(r, f, Action.Stricter) }); err != nil {
			return 0, nil, err
		}
	}
	r, err := s[0].d.bounded(func() ref { return s[0].d.settled(r) })
	return r, nil, err
}

// spelt reports whether a filter's function holds the number or the ABI bit by bit: outside the box it says nothing.
func (s stack) spelt() bool {
	return slices.ContainsFunc(s, func(e *evaluation) bool { return e.spelt })
}

// bounded builds a function within the diagram's budget.
func (d *diagram) bounded(build func() ref) (r ref, err error) {
	defer func() {
		if x := recover(); x != nil {
			if _, ok := x.(tooLarge); !ok {
				panic(x)
			}
			err = &UndeterminedError{-1, "the filters together have too many conditions to enumerate"}
		}
	}()
	return build(), nil
}

// combine is the function that answers with f, or with g where it wins over f.
func (d *diagram) combine(f, g ref, wins func(g, f Action) bool) ref {
	memo := map[[2]ref]ref{}
	var walk func(f, g ref) ref
	walk = func(f, g ref) ref {
		if f == g {
			return f
		}
		if f < 0 && g < 0 {
			if wins(d.action(g), d.action(f)) {
				return g
			}
			return f
		}
		key := [2]ref{f, g}
		if r, ok := memo[key]; ok {
			return r
		}
		level := min(d.top(f), d.top(g))
		flo, fhi := d.at(f, level)
		glo, ghi := d.at(g, level)
		r := d.node(level, walk(flo, glo), walk(fhi, ghi))
		memo[key] = r
		return r
	}
	return walk(f, g)
}

// divided evaluates several stacks box by box, dividing the boxes until none of the filters tells the calls of one apart.
func divided(boxes []box, stacks []stack, visit func(b box, fs []ref) error) error {
	fs := make([]ref, len(stacks))
	for todo := append([]box{}, boxes...); len(todo) > 0; {
		b := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		var at *split
		for i, s := range stacks {
			var err error
			if fs[i], at, err = s.function(b); err != nil {
				return err
			} else if at != nil {
				break
			}
		}
		if at != nil {
			lo, hi := b.divide(*at)
			todo = append(todo, hi, lo)
			continue
		}
		if slices.ContainsFunc(stacks, stack.spelt) {
			d := stacks[0][0].d
			for i, f := range fs {
				var err error
				if fs[i], err = d.bounded(func() ref { return d.ite(d.within(b), f, d.end(KillThread)) }); err != nil {
					return err
				}
			}
		}
		if err := visit(b, fs); err != nil {
			return err
		}
	}
	return nil
}

// known is the value of the number or the ABI where the box holds only one.
func (e *evaluation) load(off uint32) value {
	b := &e.box
	switch {
	case off == 0 && b.nr0 == b.nr1:
		return value{kind: constant, k: b.nr0}
	case off == 4 && b.arch0 == b.arch1:
		return value{kind: constant, k: b.arch0}
	case b.half() && off > 8 && off%8 == 4:
		return value{kind: constant}
	}
	return value{kind: masked, word: uint8(off / 4), mask: 1<<32 - 1}
}

// run executes from a state on.
func (e *evaluation) run(s state) ref {
	for {
		pc := int(s.pc)
		in := e.p[pc]
		e.pc = pc
		if e.steps++; e.steps > maxSteps {
			panic(tooLarge{})
		}
		s.pc++
		switch in.Code {
		case retK:
			return e.d.end(Action(in.K))
		case retA:
			return e.answer(s.a)
		case ldAbs:
			s.a = e.load(in.K)
		case ldImm:
			s.a = value{kind: constant, k: in.K}
		case ldxImm:
			s.x = value{kind: constant, k: in.K}
		case ldLen:
			s.a = value{kind: constant, k: dataSize}
		case ldxLen:
			s.x = value{kind: constant, k: dataSize}
		case ldMem:
			s.a = e.mems[s.mem][in.K]
		case ldxMem:
			s.x = e.mems[s.mem][in.K]
		case st:
			s.mem = e.store(s.mem, in.K, s.a)
		case stx:
			s.mem = e.store(s.mem, in.K, s.x)
		case tax:
			s.x = s.a
		case txa:
			s.a = s.x
		case ja:
			s.pc += int32(in.K)
		default:
			if in.Code&7 != 5 {
				if in.Code&^srcX == divK && in.Code&srcX != 0 && s.x.kind == constant && s.x.k == 0 {
					return e.d.end(KillThread)
				}
				s.a = e.compute(in, s.a, s.x)
				continue
			}
			if in.JT == in.JF {
				s.pc += int32(in.JT)
				continue
			}
			if e.open(in, s.a) {
				then, other := e.both(in, s)
				switch {
				case other == halted:
					return halted
				case min(e.d.top(then), e.d.top(other)) < e.d.level(s.a.word, 31):
					return e.d.ite(e.test(in, s.a, s.x), then, other)
				}
				return e.d.compared(s.a.word, in.Code, in.K, then, other)
			}
			switch p := e.test(in, s.a, s.x); p {
			case yes:
				s.pc += int32(in.JT)
			case no:
				s.pc += int32(in.JF)
			case halted:
				return halted
			default:
				then, other := e.both(in, s)
				if other == halted {
					return halted
				}
				return e.d.ite(p, then, other)
			}
		}
	}
}

// both is what the two outcomes of a jump come to; the second is halted if either is.
func (e *evaluation) both(in Insn, s state) (then, other ref) {
	t, f := s, s
	t.pc += int32(in.JT)
	f.pc += int32(in.JF)
	if then = e.remembered(t); then == halted {
		return halted, halted
	}
	return then, e.remembered(f)
}

// open reports whether a jump compares a whole word of the IP or the arguments with a constant so that both outcomes are possible. That
// is known without the comparison's predicate, which takes longer to build than diagram.compared takes.
func (e *evaluation) open(in Insn, a value) bool {
	if e.d.weave || a.kind != masked || a.word < 2 || a.mask != 1<<32-1 {
		return false
	}
	switch in.Code {
	case jeqK:
		return true
	case jgtK:
		return in.K != 1<<32-1
	case jgeK:
		return in.K != 0
	}
	return false
}

// remembered is run, once for each state.
func (e *evaluation) remembered(s state) ref {
	live := e.live[s.pc]
	if live&1 == 0 {
		s.a = value{}
	}
	if live&2 == 0 {
		s.x = value{}
	}
	if live>>2 == 0 {
		s.mem = 0
	} else if s.mem != 0 {
		m := e.mems[s.mem]
		for i := range m {
			if live>>(2+i)&1 == 0 {
				m[i] = value{}
			}
		}
		s.mem = e.intern(m)
	}
	key := memory{state: s}
	if e.box.half() {
		key.half = 1
	}
	if live>>2 != 0 || e.reads[s.pc] || s.a.kind == masked && s.a.word < 2 || s.x.kind == masked && s.x.word < 2 {
		key.box = int32(e.boxes)
	}
	if r, ok := e.memo[key]; ok {
		return r
	}
	r := e.run(s)
	if r == halted {
		return halted
	}
	if len(e.memo) >= e.d.budget {
		panic(tooLarge{})
	}
	e.memo[key] = r
	return r
}

func (e *evaluation) store(mem int32, k uint32, v value) int32 {
	m := e.mems[mem]
	m[k] = v
	return e.intern(m)
}

func (e *evaluation) intern(m [16]value) int32 {
	for i := len(e.mems) - 1; i >= max(0, len(e.mems)-64); i-- {
		if e.mems[i] == m {
			return int32(i)
		}
	}
	if len(e.mems) >= 1<<16 {
		panic(tooLarge{})
	}
	e.mems = append(e.mems, m)
	return int32(len(e.mems) - 1)
}

// test is the predicate of a conditional jump.
func (e *evaluation) test(in Insn, a, x value) ref {
	b := value{kind: constant, k: in.K}
	if in.Code&srcX != 0 {
		b = x
	}
	op := in.Code &^ srcX
	if a.kind == constant && b.kind == constant {
		return truth(holds(op, a.k, b.k))
	}
	if a.kind == masked && b.kind == constant {
		if a.word < 2 {
			return e.decide(op, a, b.k)
		}
		switch op {
		case jeqK:
			return e.d.masked(a.word, a.mask, b.k, yes)
		case jgtK:
			return e.d.above(a.word, a.mask, b.k, no)
		case jgeK:
			return e.d.above(a.word, a.mask, b.k, yes)
		}
		return e.d.any(a.word, a.mask&b.k)
	}
	return e.compare(op, e.functions(a), e.functions(b))
}

func truth(b bool) ref {
	if b {
		return yes
	}
	return no
}

func holds(op uint16, a, k uint32) bool {
	switch op {
	case jeqK:
		return a == k
	case jgtK:
		return a > k
	case jgeK:
		return a >= k
	}
	return a&k != 0
}

// halted is no function: the evaluation of the box has ended, because it must be divided.
const halted ref = -1 << 31

func (e *evaluation) halted(word uint8, at uint32) ref {
	e.halt = split{word == 1, at}
	return halted
}

// maxPieces bounds into how many parts a masked comparison may split a box.
const maxPieces = 1 << 12

// decide settles a comparison of the number or the ABI for the whole box, or splits it.
func (e *evaluation) decide(op uint16, a value, k uint32) ref {
	lo, hi := e.box.nr0, e.box.nr1
	if a.word == 1 {
		lo, hi = e.box.arch0, e.box.arch1
	}
	mask := a.mask
	if op == jsetK {
		mask &= k
	}
	if mask == 0 {
		return truth(holds(op, 0, k))
	}
	if mask == 1<<32-1 && op != jsetK {
		at := k // from here on the answer is another one
		if op == jgtK {
			at++
			if at == 0 {
				return no
			}
		}
		switch {
		case lo < at && at <= hi:
			return e.halted(a.word, at)
		case op == jeqK && lo == k && hi > k:
			return e.halted(a.word, k+1)
		}
		return truth(holds(op, lo, k))
	}
	differ := lo ^ hi // the highest bit in which the box's ends differ, and all below it, may be anything
	if differ != 0 {
		free := uint32(1)<<bits.Len32(differ) - 1
		if uint64(1)<<bits.Len32(differ) == 1<<32 {
			free = 1<<32 - 1
		}
		if mask&free != 0 {
			if differ>>bits.TrailingZeros32(mask) > maxPieces {
				e.spelt = true
				switch op {
				case jsetK:
					return e.d.any(a.word, mask)
				case jeqK:
					return e.d.masked(a.word, mask, k, yes)
				}
				return e.d.above(a.word, mask, k, truth(op == jgeK))
			}
			return e.halted(a.word, hi&^(free>>1))
		}
	}
	return truth(holds(op, lo&a.mask, k))
}

// functions makes a value's bits explicit.
func (e *evaluation) functions(v value) [32]ref {
	var out [32]ref
	switch v.kind {
	case functions:
		return e.sets[v.k]
	case constant, dead:
		for b := range out {
			out[b] = truth(v.k>>b&1 != 0)
		}
	case masked:
		e.spelt = e.spelt || v.word < 2
		for b := range out {
			out[b] = no
			if v.mask>>b&1 != 0 {
				out[b] = e.d.node(e.d.level(v.word, b), no, yes)
			}
		}
	}
	return out
}

// compare is the predicate of a comparison of two words, bit by bit.
func (e *evaluation) compare(op uint16, a, b [32]ref) ref {
	d := e.d
	switch op {
	case jeqK:
		r := yes
		for i := range a {
			r = d.and(d.not(d.xor(a[i], b[i])), r)
		}
		return r
	case jsetK:
		r := no
		for i := range a {
			r = d.or(d.and(a[i], b[i]), r)
		}
		return r
	}
	r := truth(op == jgeK)
	for i := range a {
		r = d.ite(d.xor(a[i], b[i]), a[i], r)
	}
	return r
}

// answer is ret a: every value that A can have ends in an action of its own.
func (e *evaluation) answer(a value) ref {
	if a.kind == constant {
		return e.d.end(Action(a.k))
	}
	f := e.functions(a)
	open := 0
	for _, r := range f {
		if r != yes && r != no {
			open++
		}
	}
	if open > 12 {
		panic(&UndeterminedError{e.pc, "it returns a computed value of more than 12 unknown bits"})
	}
	var build func(b int, acc uint32) ref
	build = func(b int, acc uint32) ref {
		if b == 32 {
			return e.d.end(Action(acc))
		}
		switch f[b] {
		case yes:
			return build(b+1, acc|1<<b)
		case no:
			return build(b+1, acc)
		}
		return e.d.ite(f[b], build(b+1, acc|1<<b), build(b+1, acc))
	}
	return build(0, 0)
}

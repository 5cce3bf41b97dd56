package seccomp

import "slices"

// compute is an arithmetic instruction on symbolic values. What constants and masks cannot hold is worked out bit by bit.
func (e *evaluation) compute(in Insn, a, x value) value {
	b := value{kind: constant, k: in.K}
	if in.Code&srcX != 0 && in.Code != neg {
		b = x
	}
	op := in.Code &^ srcX
	if in.Code == neg {
		op = neg
	}
	if a.kind == constant && b.kind == constant {
		return value{kind: constant, k: arithmetic(op, a.k, b.k)}
	}
	if op == andK {
		if b.kind == masked && a.kind == constant {
			a, b = b, a
		}
		if a.kind == masked && b.kind == constant {
			if a.mask &= b.k; a.mask == 0 {
				return value{kind: constant}
			}
			return a
		}
	}
	e.single(a, b)
	f, g := e.functions(a), e.functions(b)
	d := e.d
	var out [32]ref
	switch op {
	case andK:
		for i := range out {
			out[i] = d.and(f[i], g[i])
		}
	case orK:
		for i := range out {
			out[i] = d.or(f[i], g[i])
		}
	case xorK:
		for i := range out {
			out[i] = d.xor(f[i], g[i])
		}
	case addK:
		out = e.add(f, g, no)
	case subK:
		out = e.add(f, e.invert(g), yes)
	case neg:
		out = e.add(e.functions(value{kind: constant}), e.invert(f), yes)
	case lshK, rshK:
		out = f
		for s := range 5 { // the kernel looks at the lowest five bits of the amount
			moved := shifted(out, 1<<s, op == lshK)
			for i := range out {
				out[i] = d.ite(g[s], moved[i], out[i])
			}
		}
	case mulK:
		out = e.functions(value{kind: constant})
		for s := range 32 {
			if g[s] == no {
				continue
			}
			part := shifted(f, s, true)
			for i := range part {
				part[i] = d.and(g[s], part[i])
			}
			out = e.add(out, part, no)
		}
	default:
		if b.kind != constant {
			panic(&UndeterminedError{e.pc, "it divides by a value that is not constant"})
		}
		out = e.divide(f, g)
	}
	return e.keep(out)
}

// arithmetic is an instruction on constants; a division by zero has been dealt with.
func arithmetic(op uint16, a, k uint32) uint32 {
	switch op {
	case addK:
		return a + k
	case subK:
		return a - k
	case mulK:
		return a * k
	case divK:
		return a / k
	case andK:
		return a & k
	case orK:
		return a | k
	case xorK:
		return a ^ k
	case lshK:
		return a << (k & 31)
	case rshK:
		return a >> (k & 31)
	}
	return -a
}

// single has the box split until the number (or the ABI) that is computed with is one; where that is too many, its bits become variables.
func (e *evaluation) single(vs ...value) {
	for _, v := range vs {
		lo, hi := e.box.nr0, e.box.nr1
		if v.word == 1 {
			lo, hi = e.box.arch0, e.box.arch1
		}
		if v.kind == masked && v.word < 2 && hi-lo < maxPieces && hi > lo {
			panic(split{v.word == 1, lo + (hi-lo)/2 + 1})
		}
	}
}

func (e *evaluation) add(f, g [32]ref, carry ref) [32]ref {
	d := e.d
	var out [32]ref
	for i := range out {
		half := d.xor(f[i], g[i])
		out[i] = d.xor(half, carry)
		carry = d.ite(half, carry, f[i])
	}
	return out
}

func (e *evaluation) invert(f [32]ref) [32]ref {
	for i := range f {
		f[i] = e.d.not(f[i])
	}
	return f
}

func shifted(f [32]ref, by int, left bool) [32]ref {
	var out [32]ref
	for i := range out {
		from := i + by
		if left {
			from = i - by
		}
		out[i] = no
		if from >= 0 && from < 32 {
			out[i] = f[from]
		}
	}
	return out
}

// divide is long division by a constant.
func (e *evaluation) divide(f, g [32]ref) [32]ref {
	d := e.d
	zero := e.functions(value{kind: constant})
	var out [32]ref
	rest := zero
	for i := 31; i >= 0; i-- {
		over := rest[31] // shifted out: the rest is certainly large enough
		rest = shifted(rest, 1, true)
		rest[0] = f[i]
		fits := d.or(over, e.compare(jgeK, rest, g))
		less := e.add(rest, e.invert(g), yes)
		for b := range rest {
			rest[b] = d.ite(fits, less[b], rest[b])
		}
		out[i] = fits
	}
	return out
}

// keep turns 32 functions into a value, a constant where they are.
func (e *evaluation) keep(f [32]ref) value {
	k, all := uint32(0), true
	for b, r := range f {
		switch r {
		case yes:
			k |= 1 << b
		case no:
		default:
			all = false
		}
	}
	if all {
		return value{kind: constant, k: k}
	}
	if i := slices.Index(e.sets, f); i >= 0 {
		return value{kind: functions, k: uint32(i)}
	}
	if len(e.sets) >= 1<<12 {
		panic(tooLarge{})
	}
	e.sets = append(e.sets, f)
	return value{kind: functions, k: uint32(len(e.sets) - 1)}
}

package filters

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

// Codes of classic BPF (linux/filter.h), written down a second time.
const (
	ldAbs, ldImm, ldMem, ldLen = 0x20, 0x00, 0x60, 0x80
	ldxImm, ldxMem, ldxLen     = 0x01, 0x61, 0x81
	st, stx, tax, txa          = 0x02, 0x03, 0x07, 0x87
	ja, jeq, jgt, jge, jset    = 0x05, 0x15, 0x25, 0x35, 0x45
	add, sub, mul, div         = 0x04, 0x14, 0x24, 0x34
	or, and, lsh, rsh          = 0x44, 0x54, 0x64, 0x74
	neg, xor, retK, retA       = 0x84, 0xa4, 0x06, 0x16
	srcX                       = 0x08
)

var alu = []uint16{add, sub, mul, div, or, and, lsh, rsh, xor, and, or, add}

// answers are what random programs return: each action with and without data, values between the actions, and any.
func answer(rng *rand.Rand) uint32 {
	kinds := []uint32{0x7fff0000, 0x7fff0000, 0x7fff0000, 0x50000, 0x50000, 0x50000, 0x30000, 0x30000, 0x7ffc0000, 0x7ff00000, 0x7fc00000, 0, 0x80000000}
	data := []uint32{0, 0, 1, 2, 38, 4095, 4096, 0x7fff, 0x8000, 0xffff}
	switch rng.IntN(24) {
	case 0:
		return one(rng, []uint32{0x10000, 0x20000, 0x40000, 0x60000, 0x12340000, 0x7fc10000, 0x7ffb0000, 0x7ffd0000, 0x80010000, 0xffff0000, 0xc0000000}) | one(rng, data)
	case 1:
		return rng.Uint32()
	}
	return one(rng, kinds) | one(rng, data)
}

func small(rng *rand.Rand) uint32 {
	switch rng.IntN(5) {
	case 0:
		return rng.Uint32N(8)
	case 1:
		return uint32(one(rng, edges) >> 32)
	case 2:
		return rng.Uint32()
	}
	return uint32(one(rng, edges))
}

// randomProgram makes a program that the kernel should accept. plain leaves out what only the kernel judges: a shift by X,
// whose amount the kernel cuts to five bits.
func randomProgram(rng *rand.Rand, plain bool) seccomp.Program {
	n := 1 + rng.IntN(24)
	switch rng.IntN(40) {
	case 0:
		n = 200 + rng.IntN(400)
	case 1:
		n = 1
	}
	p := make(seccomp.Program, n)
	for i := range p {
		p[i] = randomInsn(rng, n-i-1, plain)
	}
	p[n-1] = last(rng)
	for { // what is loaded from scratch memory must have been stored
		err, ok := p.Check().(*seccomp.CheckError)
		if !ok || err.At < 0 {
			return p
		}
		if p[err.At] = randomInsn(rng, n-err.At-1, plain); err.At == n-1 {
			p[err.At] = last(rng)
		}
	}
}

func last(rng *rand.Rand) seccomp.Insn {
	if rng.IntN(8) == 0 {
		return seccomp.Insn{Code: retA}
	}
	return seccomp.Insn{Code: retK, K: answer(rng)}
}

// randomInsn makes an instruction with a number of instructions behind it.
func randomInsn(rng *rand.Rand, left int, plain bool) seccomp.Insn {
	switch rng.IntN(20) {
	case 0, 1, 2, 3:
		return seccomp.Insn{Code: ldAbs, K: 4 * rng.Uint32N(16)}
	case 4:
		return seccomp.Insn{Code: one(rng, []uint16{ldImm, ldxImm}), K: small(rng)}
	case 5:
		return seccomp.Insn{Code: one(rng, []uint16{ldLen, ldxLen, tax, txa, tax, txa, neg})}
	case 6, 7:
		return seccomp.Insn{Code: one(rng, []uint16{st, stx}), K: rng.Uint32N(4) * rng.Uint32N(6)}
	case 8, 9:
		return seccomp.Insn{Code: one(rng, []uint16{ldMem, ldxMem}), K: rng.Uint32N(4) * rng.Uint32N(6)}
	case 10, 11, 12:
		in := seccomp.Insn{Code: one(rng, alu), K: small(rng)}
		if in.Code == lsh || in.Code == rsh {
			in.K &= 31
		}
		if in.Code == div && in.K == 0 {
			in.K = 7
		}
		if rng.IntN(3) == 0 && !(plain && (in.Code == lsh || in.Code == rsh)) {
			in.Code |= srcX
		}
		return in
	case 13, 14, 15, 16, 17:
		if left < 2 {
			break
		}
		near := func() uint8 { return uint8(rng.IntN(min(left, 1+rng.IntN(12), 255))) }
		in := seccomp.Insn{Code: one(rng, []uint16{jeq, jgt, jge, jset}), JT: near(), JF: near(), K: small(rng)}
		if rng.IntN(4) == 0 {
			in.Code |= srcX
		}
		return in
	case 18:
		if left > 1 {
			return seccomp.Insn{Code: ja, K: rng.Uint32N(uint32(min(left, 6)))}
		}
	case 19:
		return seccomp.Insn{Code: retK, K: answer(rng)}
	}
	return seccomp.Insn{Code: ldAbs, K: 16}
}

// mutated changes a program so that the kernel may refuse it.
func mutated(rng *rand.Rand, p seccomp.Program) seccomp.Program {
	p = append(seccomp.Program{}, p...)
	for range 1 + rng.IntN(2) {
		in := &p[rng.IntN(len(p))]
		switch rng.IntN(9) {
		case 0:
			in.Code = uint16(rng.IntN(256))
		case 1:
			in.Code = uint16(rng.Uint32())
		case 2:
			in.JT = uint8(rng.Uint32())
		case 3:
			in.JF = uint8(rng.Uint32())
		case 4:
			in.K = small(rng)
		case 5:
			in.K = uint32(len(p)) - rng.Uint32N(4)
		case 6:
			*in = seccomp.Insn{Code: one(rng, []uint16{0x28, 0x30, 0x40, 0x48, 0x50, 0xb1, 0x94, 0x9c, 0x8c, 0x0d, 0x0e, 0x1e, 0x26, 0x22, 0x62, 0x0a}), K: rng.Uint32N(80)}
		case 7:
			*in = seccomp.Insn{Code: one(rng, []uint16{ldMem, ldxMem, st, stx, lsh, rsh, div, ldAbs}), K: one(rng, []uint32{0, 1, 2, 15, 16, 31, 32, 60, 61, 62, 63, 64, 68, 0xfffff000, 0xfffff004, 0xffffffff})}
		case 8:
			if len(p) > 1 {
				p = p[:len(p)-1]
			}
		}
	}
	return p
}

// randomData makes a call for a program that may look at anything: its number is one that does no harm.
func randomData(rng *rand.Rand) call {
	c := call{abi: one(rng, []syscalls.ABI{syscalls.X8664, syscalls.X8664, syscalls.I386}), nr: unused(rng)}
	if rng.IntN(3) > 0 {
		c.name = one(rng, harmless)
		c.nr, _ = syscalls.Lookup(c.abi, c.name)
	} else if c.abi == syscalls.X8664 && c.nr >= syscalls.X32Bit {
		c.abi = syscalls.X32
	}
	for i := range c.args {
		c.args[i] = value(rng, nil)
	}
	return c
}

// source writes programs as Go source.
func source(s seccomp.Stack) string {
	var b strings.Builder
	b.WriteString("seccomp.Stack{")
	for _, p := range s {
		b.WriteString("{")
		for i, in := range p {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "{Code: %#02x", in.Code)
			if in.JT != 0 {
				fmt.Fprintf(&b, ", JT: %d", in.JT)
			}
			if in.JF != 0 {
				fmt.Fprintf(&b, ", JF: %d", in.JF)
			}
			if in.K != 0 {
				fmt.Fprintf(&b, ", K: %#x", in.K)
			}
			b.WriteString("}")
		}
		b.WriteString("}, ")
	}
	return strings.TrimSuffix(b.String(), ", ") + "}"
}

func dataSource(d *seccomp.Data) string {
	return fmt.Sprintf("seccomp.Data{NR: %#x, Arch: %#x, IP: %#x, Args: [6]uint64{%#x, %#x, %#x, %#x, %#x, %#x}}", d.NR, d.Arch, d.IP, d.Args[0], d.Args[1], d.Args[2], d.Args[3], d.Args[4], d.Args[5])
}

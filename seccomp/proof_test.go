package seccomp_test

import (
	"testing"

	"syscallstory/seccomp"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// TestProofFindsEveryMutant changes each instruction of a compiled program; the proof must notice unless no call can.
func TestProofFindsEveryMutant(t *testing.T) {
	r := dockerDefault(t).Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: world.Caps(), Kernel: linux("6.18")})
	p, err := r.Compile()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Prove(p); err != nil {
		t.Fatal(err)
	}
	mutants, found := 0, 0
	for i := range p {
		for _, change := range []func(in *seccomp.Insn){
			func(in *seccomp.Insn) { in.K++ }, func(in *seccomp.Insn) { in.K-- }, func(in *seccomp.Insn) { in.K ^= 1 << 30 },
			func(in *seccomp.Insn) { in.JT, in.JF = in.JF, in.JT }, func(in *seccomp.Insn) { in.JT++ }, func(in *seccomp.Insn) { in.JF++ },
			func(in *seccomp.Insn) { in.Code ^= 0x30 },
		} {
			q := append(seccomp.Program{}, p...)
			change(&q[i])
			if q[i] == p[i] || q.Check() != nil {
				continue
			}
			mutants++
			if err := r.Prove(q); err != nil {
				found++
				if e, ok := err.(*seccomp.ProofError); !ok {
					t.Errorf("instruction %d: %v", i, err)
				} else if got, _ := q.Run(&e.Call); got.String() != e.Got.String() || e.Got == e.Want {
					t.Errorf("instruction %d: %v, but the program answers %v", i, e, got)
				} else if got, _ := p.Run(&e.Call); got != e.Want {
					t.Errorf("instruction %d: %v, but the right program answers %v", i, e, got)
				}
			}
		}
	}
	t.Logf("%d of %d mutants mean something else", found, mutants)
	if mutants < 500 || found < mutants*8/10 {
		t.Error("too few")
	}
}

func BenchmarkProve(b *testing.B) {
	r := dockerDefault(b).Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: world.Caps(), Kernel: linux("6.18")})
	r.ABIs = r.ABIs[:1]
	p, err := r.Compile()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := r.Prove(p); err != nil {
			b.Fatal(err)
		}
	}
}

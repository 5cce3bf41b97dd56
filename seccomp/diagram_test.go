package seccomp

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestShortcuts compares what builds a function directly with the operations that it stands for: equal functions are the same node.
func TestShortcuts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	few := func() uint32 { // values that share many bits, and the ends
		return []uint32{0, 1<<32 - 1, 1 << 31, rng.Uint32(), rng.Uint32N(64), 1 << rng.UintN(32)}[rng.IntN(6)]
	}
	for range 300 {
		d := newDiagram(false)
		arg := uint8(rng.UintN(6))
		low, p := rng.IntN(2) == 0, no
		var values []uint64
		for range 1 + rng.IntN(20) {
			a := Arg{Index: arg, Op: EQ, Value: uint64(few()), Low: low}
			if !low {
				a.Value |= uint64(few()) << 32
			}
			values = append(values, a.Value)
			p = d.or(d.condition(a), p)
		}
		slices.Sort(values)
		last := 63
		if low {
			last = 31
		}
		if got := d.among(arg, last, values); got != p {
			t.Fatalf("among %#x: another function than that of the conditions", values)
		}

		word := 4 + 2*arg
		outcome := func() ref { // depends on the word and on later ones, in many ways
			f := d.end(Errno | Action(rng.UintN(3)))
			for range rng.IntN(4) {
				f = d.ite(d.above(word+uint8(rng.UintN(uint(16-word))/2*2), 1<<32-1, few(), yes), d.end(Errno|Action(rng.UintN(3))), f)
			}
			return f
		}
		f, g, k := outcome(), outcome(), few()
		for op, predicate := range map[uint16]ref{
			jeqK: d.masked(word, 1<<32-1, k, yes), jgtK: d.above(word, 1<<32-1, k, no), jgeK: d.above(word, 1<<32-1, k, yes),
		} {
			if got, want := d.compared(word, op, k, f, g), d.ite(predicate, f, g); got != want {
				t.Fatalf("operation %#x with %#x: another function than that of the predicate", op, k)
			}
		}
	}
}

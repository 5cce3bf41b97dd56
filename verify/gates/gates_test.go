package gates

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"

	"syscallstory/verify"
)

// TestKernelVerifyGates is a short run with a fresh seed.
func TestKernelVerifyGates(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it makes mounts and changes ids: run it as root")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r, err := verify.Run(context.Background(), Area, verify.Options{Seed: seed, Count: 6000, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Found {
		t.Errorf("round %d: the model says %s, the kernel answers %s\n%s", d.Round, d.Model, d.Answer, d.Repeat)
	}
	// A long run has at most one in 1000; so few rounds may have three times as many by chance. What is not an exception disagrees.
	if r.Undetermined > r.Count/300 {
		t.Errorf("%d of %d calls are undetermined: %v", r.Undetermined, r.Count, r.ByOracle)
	}
	// A long run checks nearly a quarter; of some twenty scenes it may be far less by chance.
	if r.GateChecked < r.Denials/8 || r.Fixes == 0 {
		t.Errorf("of %d denials the gate of %d was checked, and %d fixes were performed", r.Denials, r.GateChecked, r.Fixes)
	}
	if r.Denials < r.Count/2 {
		t.Errorf("only %d of %d calls are refused", r.Denials, r.Count)
	}
}

// TestKernelMutants: routes that are wrong on purpose are noticed.
func TestKernelMutants(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it makes mounts and changes ids: run it as root")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r, err := verify.Run(context.Background(), Area, verify.Options{Seed: seed, Count: 2000, Workers: 2, Mutate: true})
	if err != nil {
		t.Fatal(err)
	}
	var missed []string
	for m, found := range r.Mutants {
		if !found {
			missed = append(missed, m)
		}
	}
	if len(r.Mutants) < 500 || len(missed) > len(r.Mutants)/20 {
		t.Errorf("%d of %d mutants are not found: %q", len(missed), len(r.Mutants), missed)
	}
}

func FuzzParseCase(f *testing.F) {
	f.Add([]byte(`{"Scene":{"Items":[{"Mount":{"Kind":"tmpfs","Point":"/w","Mode":511}},{"File":{"Path":"/w/a","Mode":33188}}],"Tasks":[{"Cwd":"/w"}]},"Call":"stat(\"/w/a\")"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCase(b)
		if err != nil {
			return
		}
		if again, err := ParseCase([]byte(c.String())); err != nil || again.Call != c.Call {
			t.Errorf("%s is not read back: %v", c, err)
		}
	})
}

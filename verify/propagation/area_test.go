package propagation

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"syscallstory/verify"
)

// TestKernelPropagation holds some hundred random sequences against this machine's kernel.
func TestKernelPropagation(t *testing.T) {
	if err := able(); err != nil {
		t.Skip(err)
	}
	seed := rand.Uint64()
	if s := os.Getenv("STORY_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("seed %d", seed)
	r, err := verify.Run(context.Background(), Area, verify.Options{Seed: seed, Count: 1000, Workers: 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Found {
		t.Errorf("round %d: the model says %s, the kernel %s\n%s", d.Round, d.Model, d.Answer, d.Repeat)
	}
	if r.Count < 1000 || r.Denials == 0 {
		t.Errorf("%d sequences with %d refusals", r.Count, r.Denials)
	}
}

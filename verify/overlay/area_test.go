package overlay

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"syscallstory/verify"
)

// TestKernelVerifyOverlay is a short run of the area with a fresh seed.
func TestKernelVerifyOverlay(t *testing.T) {
	if err := Area.Able(); err != nil {
		t.Skip(err)
	}
	seed := rand.Uint64()
	if s := os.Getenv("STORY_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("seed %d", seed)
	r, err := verify.Run(context.Background(), Area, verify.Options{Seed: seed, Count: 10000, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Found {
		t.Errorf("round %d: the model says %s, the kernel %s\n%s", d.Round, d.Model, d.Answer, d.Repeat)
	}
	if r.Count < 10000 || r.Denials == 0 || r.Undetermined > r.Count/100 {
		t.Errorf("%d calls, %d refused, %d undetermined", r.Count, r.Denials, r.Undetermined)
	}
}

// TestSceneText reads back what is printed for --case.
func TestSceneText(t *testing.T) {
	s := (&gen{Rand: rand.New(rand.NewPCG(1, 1))}).scene()
	back, err := ParseScene([]byte(s.Text()))
	if err != nil || back.Text() != s.Text() {
		t.Errorf("%v\n%s\n%s", err, s.Text(), back.Text())
	}
	for _, bad := range []string{"", "{}", `{"Layers":[[],[]],"Set":"none"}`, `{"Layers":[[],[]],"Set":"default","Steps":[{"Remount":"up"}]}`} {
		if _, err := ParseScene([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func FuzzScene(f *testing.F) {
	f.Add([]byte((&gen{Rand: rand.New(rand.NewPCG(1, 1))}).scene().Text()))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := ParseScene(text); err == nil {
			s.Text()
		}
	})
}

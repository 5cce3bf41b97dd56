package filters

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"syscallstory/seccomp"
	"syscallstory/verify"
)

// TestKernelVerifySeccomp is a short run with a fresh seed.
func TestKernelVerifySeccomp(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r, err := verify.Run(context.Background(), Area, verify.Options{Seed: seed, Count: 60000})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Found {
		t.Errorf("round %d, %s: the model says %s, it answers %s\n%s", d.Round, d.Oracle, d.Model, d.Answer, d.Repeat)
	}
	for _, oracle := range []string{byMeaning, byEval, byInterpreter, byCompiler, byKernel, byChecker} {
		if (oracle == byKernel || oracle == byChecker) && len(r.Skipped) > 0 {
			t.Logf("%s: %v", oracle, r.Skipped)
			continue
		}
		if n := r.ByOracle[oracle].Total; n < r.Count/100 {
			t.Errorf("%s was asked %d times of %d", oracle, n, r.Count)
		}
	}
	for _, a := range []seccomp.Action{seccomp.KillProcess, seccomp.KillThread, seccomp.Trap, seccomp.Errno, seccomp.UserNotif, seccomp.Trace, seccomp.Log, seccomp.Allow} {
		if r.ByAction[strings.TrimSuffix(a.String(), "(0)")].Total == 0 {
			t.Errorf("%v was never the answer", a)
		}
	}
}

// TestOraclesNotice: a wrong model is found out by each judge, and what is printed still shows it.
func TestOraclesNotice(t *testing.T) {
	w := newWorker()
	defer w.Close()
	if w.kernel == nil {
		t.Skip("filters cannot be performed here")
	}
	c := call{abi: 0, nr: 1000}
	wrong := seccomp.Stack{{{Code: retK, K: uint32(seccomp.Errno | 5)}}}
	res, err := w.kernel.run(wrong, []call{c}, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []seccomp.Action{seccomp.Errno | 6, seccomp.Allow, seccomp.KillProcess, seccomp.KillThread, seccomp.Trap | 5, seccomp.Log} {
		if w.kernel.differs(res, 0, &c, a) == "" {
			t.Errorf("ERRNO(5) passes for %v", a)
		}
	}
	if d := w.kernel.differs(res, 0, &c, seccomp.Errno|5); d != "" {
		t.Error(d)
	}
}

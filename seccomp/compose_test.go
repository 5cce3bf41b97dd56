package seccomp_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"syscallstory/seccomp"
	"syscallstory/syscalls"
	"syscallstory/world"
)

var here = seccomp.Target{ABI: syscalls.X8664, Kernel: linux("6.18")}

func resolved(t testing.TB, text string) *seccomp.Resolved {
	t.Helper()
	p, err := seccomp.Parse("p.json", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p.Resolve(here)
}

// randomProfile writes up to six rules on three calls.
func randomProfile(r *rand.Rand) string {
	action := func() string {
		return [...]string{"ALLOW", "ALLOW", "ALLOW", "ERRNO", "LOG", "KILL_PROCESS", "TRAP"}[r.IntN(7)]
	}
	var rules []string
	for range r.IntN(7) {
		var args []string
		for _, i := range r.Perm(4)[:r.IntN(3)] {
			args = append(args, fmt.Sprintf(`{"index":%d,"op":"SCMP_CMP_%s","value":%d,"valueTwo":%d}`, i, [...]string{"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"}[r.IntN(7)],
				[...]uint64{0, 1, 2, 7, 1 << 32, 1<<64 - 1, 1<<33 + 5, 0xff}[r.IntN(8)], r.IntN(3)))
		}
		rules = append(rules, fmt.Sprintf(`{"names":[%q],"action":"SCMP_ACT_%s","errnoRet":%d,"args":[%s]}`, [...]string{"read", "write", "close"}[r.IntN(3)], action(), 1+r.IntN(2), strings.Join(args, ",")))
	}
	return fmt.Sprintf(`{"defaultAction":"SCMP_ACT_%s","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86"],"syscalls":[%s]}`, action(), strings.Join(rules, ","))
}

// TestMerge: each mode, on random profiles, answers random calls as the mode says of the parts' answers.
func TestMerge(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	values := []uint64{0, 1, 2, 3, 7, 8, 0xff, 0x100, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1<<33 + 5, 1<<64 - 1, 1<<64 - 2}
	merged, large := 0, 0
	for range 150 {
		parts := []*seccomp.Resolved{resolved(t, randomProfile(r)), resolved(t, randomProfile(r)), resolved(t, randomProfile(r))}[:2+r.IntN(2)]
		for _, mode := range []seccomp.Mode{seccomp.Intersect, seccomp.Union, seccomp.Override} {
			p, err := seccomp.Merge(mode, "merged", parts...)
			if err != nil && strings.Contains(err.Error(), "too many to be written as rules") {
				large++
				continue
			} else if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, mode, err)
			}
			merged++
			m := resolved(t, string(p.JSON())) // what is written is what is read
			for range 200 {
				name := [...]string{"read", "write", "close", "open"}[r.IntN(4)]
				var args [6]uint64
				for i := range args {
					args[i] = values[r.IntN(len(values))]
				}
				want := parts[0].Eval(name, &args).Action
				for _, q := range parts[1:] {
					a := q.Eval(name, &args).Action
					switch {
					case mode == seccomp.Intersect && !want.Stricter(a), mode == seccomp.Union && !a.Stricter(want):
						want = a
					case mode == seccomp.Override && slices.ContainsFunc(q.Profile.Rules, func(x seccomp.Rule) bool { return slices.Contains(x.Names, name) }):
						want = a
					}
				}
				if got := m.Eval(name, &args).Action; got != want {
					t.Fatalf("seed %d: %s of %s%x: %v, want %v\n%s", seed, mode, name, args, got, want, p.JSON())
				}
			}
		}
	}
	t.Logf("%d merged, %d are too large to be written as rules", merged, large)
	if large > merged/4 {
		t.Error("too many")
	}
}

// TestMergeRefuses: what has no meaning as one profile is an error.
func TestMergeRefuses(t *testing.T) {
	a := resolved(t, `{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86"],"syscalls":[]}`)
	b := resolved(t, `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[]}`)
	if _, err := seccomp.Merge(seccomp.Union, "m", a, b); err == nil || !strings.Contains(err.Error(), "different architectures") {
		t.Errorf("union of different architectures: %v", err)
	}
	if p, err := seccomp.Merge(seccomp.Intersect, "m", a, b); err != nil || len(p.Arches[0].Sub) != 0 {
		t.Errorf("intersection of different architectures: %v, %v", p, err)
	}
}

func calls(t *testing.T, list ...string) []*syscalls.Call {
	var out []*syscalls.Call
	for _, s := range list {
		c, err := syscalls.Parse(syscalls.X8664, s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// TestAdvise: the advice allows what was recorded and no more, but for what no recording shows.
func TestAdvise(t *testing.T) {
	base := dockerDefault(t).Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: world.Caps(), Kernel: linux("6.18")})
	rec := calls(t, `openat(AT_FDCWD, "/etc/passwd", O_RDONLY)`, `read(3, NULL, 4096)`, `socket(1, 1, 0)`, `socket(2, 2, 0)`, `add_key(0, 0, 0, 0, 0)`, `read(3, NULL, 10)`)
	for _, c := range []struct {
		args           bool
		allow, refuse  []string
		names, refused string
	}{
		{false, []string{"read(9, NULL, 1)", "socket(9, 1, 0)", "exit_group(0)"}, []string{"socket(40, 1, 0)", "write(1, NULL, 0)", "add_key(0, 0, 0, 0, 0)"}, "openat read socket", "add_key"},
		{true, []string{"read(9, NULL, 1)", "socket(1, 5, 9)", "socket(2, 1, 0)"}, []string{"socket(9, 1, 0)", "socket(40, 1, 0)", "write(1, NULL, 0)"}, "openat read socket", "add_key"},
	} {
		a, err := seccomp.Advise(base, rec, c.args)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(a.Names, " "); got != c.names || len(a.Refused) != 1 || a.Refused[0].Name != c.refused {
			t.Errorf("%v: names %s, refused %v", c.args, got, a.Refused)
		}
		m := resolved(t, string(a.Profile.JSON()))
		answer := func(call *syscalls.Call) seccomp.Action {
			regs, _ := call.Registers()
			return m.Eval(call.Name, &regs).Action
		}
		for _, call := range calls(t, c.allow...) {
			if got := answer(call); got != seccomp.Allow {
				t.Errorf("%v: %v gets %v", c.args, call, got)
			}
		}
		for _, call := range calls(t, c.refuse...) {
			if got := answer(call); got == seccomp.Allow {
				t.Errorf("%v: %v gets %v", c.args, call, got)
			}
		}
		if got := answer(calls(t, "clone3(0, 0)")[0]); got != seccomp.Errno|38 {
			t.Errorf("clone3 gets %v: the base's way to refuse it is lost", got)
		}
	}
}

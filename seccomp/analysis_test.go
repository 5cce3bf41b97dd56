package seccomp_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"syscallstory/seccomp"
	"syscallstory/syscalls"
	"syscallstory/world"
)

const x86 = 0xc000003e

// machineCode turns a terse listing into a program: code jt jf k.
func machineCode(in ...[4]uint32) seccomp.Program {
	var p seccomp.Program
	for _, i := range in {
		p = append(p, seccomp.Insn{Code: uint16(i[0]), JT: uint8(i[1]), JF: uint8(i[2]), K: i[3]})
	}
	return p
}

func words(cases []seccomp.Case) string {
	var out []string
	for _, c := range cases {
		w := strings.Join(c.When, " and ")
		if w != "" {
			w += " → "
		}
		out = append(out, w+c.Action.String())
	}
	return strings.Join(out, "; ")
}

// TestTableInWords: what a program answers is said in conditions on whole arguments.
func TestTableInWords(t *testing.T) {
	r := dockerDefault(t).Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: world.Caps(), Kernel: linux("6.18")})
	p, err := r.Compile()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := seccomp.Stack{p}.Table([]syscalls.ABI{syscalls.X8664, syscalls.I386, syscalls.X32})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"read":        "ALLOW",
		"add_key":     "ERRNO(1)",
		"clone3":      "ERRNO(38)",
		"personality": "args[0] in {0, 8, 0x20000, 0x20008, 0xffffffff} → ALLOW; ERRNO(1)",
		"clone":       "args[0] & 0x7e020000 == 0 → ALLOW; ERRNO(1)",
		"socket":      "args[0] in {0..2, 7..10, 13..18, 21, 22, 24, 26..33, 35, 36, 39, 41..45} → ALLOW; ERRNO(1)",
	}
	cacheable := 0
	for _, row := range rows {
		if w, ok := want[row.Name]; ok && row.ABI == syscalls.X8664 {
			if got := words(row.Cases); got != w {
				t.Errorf("%s: %s, want %s", row.Name, got, w)
			}
			delete(want, row.Name)
		}
		if row.Cacheable && row.ABI == syscalls.X8664 {
			cacheable++
		}
		if always := len(row.Cases) == 1 && row.Cases[0].Action == seccomp.Allow; row.Name != "" && row.ABI != syscalls.X32 && always != row.Cacheable {
			t.Errorf("%s: %s, cacheable %v", row.Name, words(row.Cases), row.Cacheable)
		}
		if row.Opaque != "" {
			t.Errorf("%s: %s", row.Name, row.Opaque)
		}
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
	t.Logf("%d rows, %d calls of x86_64 answered from the bitmap", len(rows), cacheable)
}

// TestDiff: the relation, the calls and an example of each kind of difference.
func TestDiff(t *testing.T) {
	profile := func(rules string) seccomp.Stack {
		t.Helper()
		p, err := seccomp.Parse("p.json", []byte(`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[`+rules+`]}`))
		if err != nil {
			t.Fatal(err)
		}
		prog, err := p.Resolve(seccomp.Target{ABI: syscalls.X8664, Kernel: linux("6.18")}).Compile()
		if err != nil {
			t.Fatal(err)
		}
		return seccomp.Stack{prog}
	}
	allow := func(names, more string) string {
		return `{"names":[` + names + `],"action":"SCMP_ACT_ALLOW"` + more + `}`
	}
	read := profile(allow(`"read"`, ""))
	both := profile(allow(`"read","write"`, ""))
	some := profile(allow(`"read"`, "") + "," + allow(`"write"`, `,"args":[{"index":2,"value":4294967296,"op":"SCMP_CMP_LT"}]`))
	other := profile(allow(`"write"`, ""))
	enosys := profile(allow(`"read"`, "") + `,{"names":["write"],"action":"SCMP_ACT_ERRNO","errnoRet":38}`)
	for _, c := range []struct {
		name string
		a, b seccomp.Stack
		want seccomp.Relation
		text string
	}{
		{"itself", both, both, seccomp.Equal, ""},
		{"less", read, both, seccomp.Subset, "write: ERRNO(1) | ALLOW"},
		{"more", both, some, seccomp.Superset, "write: ALLOW | args[2] <= 0xffffffff → ALLOW; ERRNO(1)"},
		{"each", read, other, seccomp.Incomparable, "read: ALLOW | ERRNO(1), write: ERRNO(1) | ALLOW"},
		{"errno", read, enosys, seccomp.Answers, "write: ERRNO(1) | ERRNO(38)"},
		{"no filter", nil, read, seccomp.Superset, ""},
		{"a stack is as strict as its strictest", append(append(seccomp.Stack{}, both...), other...), other, seccomp.Equal, ""},
	} {
		d, err := seccomp.Diff(c.a, c.b)
		if err != nil {
			t.Fatal(err)
		}
		var text []string
		for _, x := range d.Changes {
			text = append(text, x.Name+": "+words(x.A)+" | "+words(x.B))
			a, _, _ := c.a.Run(&x.Example)
			b, _, _ := c.b.Run(&x.Example)
			if a != x.AtA || b != x.AtB || a == b {
				t.Errorf("%s: the example %+v gets %v and %v, not %v and %v", c.name, x.Example, a, b, x.AtA, x.AtB)
			}
		}
		if got := strings.Join(text, ", "); d.Relation != c.want || got != c.text && c.a != nil {
			t.Errorf("%s: %s %q, want %s %q", c.name, d.Relation, got, c.want, c.text)
		}
	}
}

// TestAnalysisAgainstTheMachine: on random programs of every instruction, a difference found is one, and equality holds on random calls.
func TestAnalysisAgainstTheMachine(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	determined, gaveUp, equal := 0, 0, 0
	for range 500 {
		p := randomProgram(r)
		q := append(seccomp.Program{}, p...)
		for range r.IntN(8) {
			i := r.IntN(len(q))
			switch r.IntN(3) {
			case 0:
				q[i].K ^= 1 << r.IntN(32)
			case 1:
				q[i].JT, q[i].JF = q[i].JF, q[i].JT
			case 2:
				q[i] = seccomp.Insn{Code: 0x54, K: 1<<32 - 1} // and: no effect
			}
		}
		if p.Check() != nil || q.Check() != nil {
			continue
		}
		d, err := seccomp.Diff(seccomp.Stack{p}, seccomp.Stack{q})
		if err != nil {
			var u *seccomp.UndeterminedError
			if !errors.As(err, &u) {
				t.Fatal(err)
			}
			gaveUp++
			continue
		}
		determined++
		if d.Relation == seccomp.Equal {
			equal++
		}
		for _, c := range d.Changes {
			a, _ := p.Run(&c.Example)
			b, _ := q.Run(&c.Example)
			if a.String() != c.AtA.String() || b.String() != c.AtB.String() || a.String() == b.String() {
				t.Fatalf("seed %d: the example %+v gets %v and %v, not %v and %v\n%v\n%v", seed, c.Example, a, b, c.AtA, c.AtB, p, q)
			}
		}
		for range 50 {
			x := randomData(r)
			a, _ := p.Run(&x)
			b, _ := q.Run(&x)
			if a.String() != b.String() && d.Relation == seccomp.Equal {
				t.Fatalf("seed %d: called equal, but %+v gets %v and %v\n%v\n%v", seed, x, a, b, p, q)
			}
		}
	}
	t.Logf("%d pairs compared, %d of them equal, %d undetermined", determined, equal, gaveUp)
	if determined < 200 || gaveUp > determined/5 {
		t.Error("too few")
	}
}

func randomData(r *rand.Rand) seccomp.Data {
	word := func() uint64 {
		return [...]uint64{0, 1, 2, 3, 5, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 32, 1<<64 - 1, r.Uint64()}[r.IntN(11)]
	}
	d := seccomp.Data{NR: uint32(r.IntN(8)), Arch: x86, IP: word()}
	if r.IntN(8) == 0 {
		d.NR = uint32(word())
	}
	for i := range d.Args {
		d.Args[i] = word()
	}
	return d
}

// randomProgram makes a valid program of up to 30 instructions.
func randomProgram(r *rand.Rand) seccomp.Program {
	n := 3 + r.IntN(28)
	k := func() uint32 {
		return [...]uint32{0, 1, 2, 3, 5, 8, 0xff, 0x7fffffff, 0x80000000, 0xffffffff, 0x40000000, r.Uint32()}[r.IntN(12)]
	}
	p := make(seccomp.Program, 0, n+3)
	for _, w := range []uint32{0, 3, 9} { // scratch memory is written first
		p = append(p, seccomp.Insn{Code: 0x02, K: w})
	}
	for len(p) < n+3 {
		left := uint32(n + 3 - len(p) - 1)
		in := seccomp.Insn{Code: 0x06, K: [...]uint32{0x7fff0000, 0x50001, 0x50026, 0, 0x80000000, 0x7ff00005, 0x12340000}[r.IntN(7)]}
		if left > 4 { // the last ones return
			switch r.IntN(12) {
			case 0, 1, 2, 3:
				in = seccomp.Insn{Code: 0x20, K: [...]uint32{0, 0, 4, 8, 16, 16, 20, 24, 28, 36}[r.IntN(10)]}
			case 4, 5, 6, 7:
				in = seccomp.Insn{Code: [...]uint16{0x15, 0x25, 0x35, 0x45}[r.IntN(4)], JT: uint8(r.IntN(int(left))), JF: uint8(r.IntN(int(left))), K: k()}
				if r.IntN(12) == 0 {
					in.Code |= 8
				}
			case 8:
				in = seccomp.Insn{Code: [...]uint16{0x04, 0x14, 0x44, 0x54, 0x54, 0xa4, 0x64, 0x74, 0x84}[r.IntN(9)], K: k() & 31}
			case 9:
				in = seccomp.Insn{Code: [...]uint16{0x02, 0x03, 0x60, 0x61}[r.IntN(4)], K: [...]uint32{0, 3, 9}[r.IntN(3)]}
			case 10:
				in = seccomp.Insn{Code: [...]uint16{0x07, 0x87, 0x80, 0x81, 0x00, 0x01}[r.IntN(6)], K: k()}
			case 11:
				in = seccomp.Insn{Code: 0x05, K: r.Uint32N(left)}
			}
		}
		p = append(p, in)
	}
	return p
}

// TestDiamonds: the longest program, made of branches that meet again, is decided or given up in bounded time.
func TestDiamonds(t *testing.T) {
	build := func(step func(i int) [][4]uint32) seccomp.Program {
		var in [][4]uint32
		for i := 0; ; i++ {
			s := step(i)
			if len(in)+len(s) > seccomp.MaxInsns-3 {
				break
			}
			in = append(in, s...)
		}
		in = append(in, [4]uint32{0x20, 0, 0, 16}, [4]uint32{0x06, 0, 0, 0x7fff0000})
		return machineCode(in...)
	}
	arg := func(i int) uint32 { return uint32(16 + 4*(i%12)) }
	for name, p := range map[string]seccomp.Program{
		"the branches leave nothing behind": build(func(i int) [][4]uint32 {
			return [][4]uint32{{0x20, 0, 0, arg(i)}, {0x45, 0, 1, 1 << (i % 32)}, {0x00, 0, 0, 5}, {0x00, 0, 0, 6}}
		}),
		"one of the branches ends": build(func(i int) [][4]uint32 {
			return [][4]uint32{{0x20, 0, 0, arg(i)}, {0x15, 0, 1, uint32(i * 7)}, {0x06, 0, 0, 0x50000 + uint32(i%40)}}
		}),
		"the scratch memory counts the branches": build(func(i int) [][4]uint32 {
			if i == 0 {
				return [][4]uint32{{0x00, 0, 0, 0}, {0x02, 0, 0, 0}}
			}
			return [][4]uint32{{0x20, 0, 0, arg(i)}, {0x45, 0, 3, 1 << (i % 32)}, {0x60, 0, 0, 0}, {0x04, 0, 0, uint32(i)}, {0x02, 0, 0, 0}, {0x60, 0, 0, 0}, {0x15, 0, 1, 12345}, {0x06, 0, 0, 0}}
		}),
	} {
		if err := p.Check(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		start := time.Now()
		_, err := seccomp.Stack{p}.Table([]syscalls.ABI{syscalls.X8664})
		t.Logf("%s: %d instructions, %v, %v", name, len(p), time.Since(start), err)
		var u *seccomp.UndeterminedError
		if err != nil && !errors.As(err, &u) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package seccomp_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"syscallstory/kernel"
	"syscallstory/seccomp"
	"syscallstory/seccomp/docker"
	"syscallstory/syscalls"
	"syscallstory/world"
)

const dockerCaps = world.CapSet(0xa80425fb)

func dockerDefault(t testing.TB) *seccomp.Profile {
	t.Helper()
	text, err := docker.Default()
	if err != nil {
		t.Fatal(err)
	}
	p, err := seccomp.Parse(docker.File, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func linux(s string) kernel.Release { r, _ := kernel.ParseRelease(s); return r }

// TestDockerText holds the text that lines are counted in to the file that the module ships.
func TestDockerText(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/moby/profiles/seccomp").Output()
	if err != nil {
		t.Skipf("the go command is needed to find the module: %v", err)
	}
	want, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "default.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := docker.Default()
	if err != nil || strings.TrimSpace(string(got)) != strings.TrimSpace(string(want)) {
		t.Errorf("the text differs from the module's default.json (%d bytes against %d, %v)", len(got), len(want), err)
	}
}

func TestDockerDefault(t *testing.T) {
	p := dockerDefault(t)
	if len(p.Warnings) > 0 {
		t.Errorf("warnings on Docker's own profile: %v", p.Warnings)
	}
	r := p.Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: dockerCaps, Kernel: linux("6.18")})
	admin := p.Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: dockerCaps.With(kernel.CapSysAdmin), Kernel: linux("6.18")})
	for _, c := range []struct {
		in    *seccomp.Resolved
		name  string
		args  [6]uint64
		want  seccomp.Action
		plain string
	}{
		{r, "openat", [6]uint64{}, seccomp.Allow, "allowed by name"},
		{r, "add_key", [6]uint64{}, seccomp.Errno | 1, "not in the list: the default EPERM"},
		{r, "mount", [6]uint64{}, seccomp.Errno | 1, "needs CAP_SYS_ADMIN"},
		{admin, "mount", [6]uint64{}, seccomp.Allow, "with CAP_SYS_ADMIN"},
		{r, "clone3", [6]uint64{}, seccomp.Errno | 38, "ENOSYS so that the C library falls back to clone"},
		{r, "clone", [6]uint64{0x10000000}, seccomp.Errno | 1, "CLONE_NEWUSER without CAP_SYS_ADMIN"},
		{r, "clone", [6]uint64{0x11}, seccomp.Allow, "plain fork"},
		{admin, "clone", [6]uint64{0x10000000}, seccomp.Allow, "CLONE_NEWUSER with CAP_SYS_ADMIN"},
		{r, "personality", [6]uint64{0xffffffff}, seccomp.Allow, "query"},
		{r, "personality", [6]uint64{1}, seccomp.Errno | 1, "other personalities"},
		{r, "socket", [6]uint64{40}, seccomp.Errno | 1, "AF_VSOCK"},
	} {
		if d := c.in.Eval(c.name, &c.args); d.Action != c.want {
			t.Errorf("%s(%x): %v, want %v (%s)", c.name, c.args, d.Action, c.want, c.plain)
		}
	}
	if d, ok := r.Missing("mount"); !ok || !strings.Contains(d.Why, "CAP_SYS_ADMIN") {
		t.Errorf("mount is missing because of CAP_SYS_ADMIN, got %+v", d)
	}
}

// TestProgramMeansRules compares the compiled program with the rules' meaning on every number and on boundary values.
func TestProgramMeansRules(t *testing.T) {
	p := dockerDefault(t)
	values := []uint64{0, 1, 8, 40, 0x20000, 0x20008, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7e020000, 0x10000000, 1 << 63, ^uint64(0)}
	n := 0
	for _, caps := range []world.CapSet{0, dockerCaps, world.AllCaps} {
		for _, abi := range []syscalls.ABI{syscalls.X8664, syscalls.ARM64} {
			n += compare(t, p.Resolve(seccomp.Target{ABI: abi, Caps: caps, Kernel: linux("6.18")}), values)
		}
	}
	t.Logf("%d evaluations", n)
}

// compare runs program and rules on every number of every ABI.
func compare(t *testing.T, r *seccomp.Resolved, values []uint64) int {
	t.Helper()
	prog, err := r.Compile()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, abi := range r.ABIs {
		for nr := uint32(0); nr < 600; nr++ {
			num := nr
			if abi == syscalls.X32 {
				num |= syscalls.X32Bit
			}
			name, _ := syscalls.Name(abi, num)
			for arg := range 6 {
				for _, v := range values {
					d := seccomp.Data{NR: num, Arch: abi.Audit()}
					d.Args[arg] = v
					got, _ := prog.Run(&d)
					taken := d.Args // by the call itself, where its ABI has registers of 32 bits
					if abi.Half() {
						taken[arg] &= 1<<32 - 1
					}
					want := r.Eval(name, &taken).Action
					if n++; got != want {
						t.Fatalf("%v %s(%d) args %x: program %v, rules %v", abi, name, num, d.Args, got, want)
					}
				}
			}
		}
	}
	if a, _ := prog.Run(&seccomp.Data{NR: 0, Arch: 0x12345}); a != seccomp.KillThread {
		t.Errorf("an ABI that is not listed: %v", a)
	}
	return n
}

// TestRandomRules compares random rule sets, with several rules and conditions on one call.
func TestRandomRules(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	words := []uint64{0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x1ffffffff, 1 << 63, ^uint64(0)}
	opNames := []string{"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"}
	actions := []string{"ALLOW", "ERRNO", "LOG", "KILL_PROCESS", "TRAP"}
	for range 300 {
		var b strings.Builder
		fmt.Fprintf(&b, `{"defaultAction":"SCMP_ACT_%s","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}],"syscalls":[`, actions[rng.IntN(5)])
		for i := range 1 + rng.IntN(6) {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"names":["openat"],"action":"SCMP_ACT_%s","errnoRet":%d,"args":[`, actions[rng.IntN(5)], rng.IntN(200))
			for j := range rng.IntN(4) {
				if j > 0 {
					b.WriteByte(',')
				}
				fmt.Fprintf(&b, `{"index":%d,"value":%d,"valueTwo":%d,"op":"SCMP_CMP_%s"}`, rng.IntN(3), words[rng.IntN(len(words))], words[rng.IntN(len(words))], opNames[rng.IntN(7)])
			}
			b.WriteString("]}")
		}
		b.WriteString("]}")
		p, err := seccomp.Parse("random.json", []byte(b.String()))
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		r := p.Resolve(seccomp.Target{ABI: syscalls.X8664, Kernel: linux("6.18")})
		prog, err := r.Compile()
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			d := seccomp.Data{NR: 257, Arch: syscalls.X8664.Audit()}
			for i := range 3 {
				d.Args[i] = words[rng.IntN(len(words))] + uint64(rng.IntN(3)) - 1
			}
			got, _ := prog.Run(&d)
			if want := r.Eval("openat", &d.Args).Action; got != want {
				t.Fatalf("args %x: program %v, rules %v\n%s\n%v", d.Args, got, want, b.String(), prog)
			}
			found := false
			for _, a := range r.Every("openat", &d.Args, uint8(rng.IntN(8))) {
				found = found || a == got
			}
			if !found {
				t.Fatalf("Every does not hold what the rules say for %x\n%s", d.Args, b.String())
			}
		}
	}
}

func TestStack(t *testing.T) {
	ret := func(a seccomp.Action) seccomp.Program { return seccomp.Program{{Code: 6, K: uint32(a)}} }
	for name, c := range map[string]struct {
		stack seccomp.Stack
		want  seccomp.Action
		at    int
	}{
		"the strictest wins":                    {seccomp.Stack{ret(seccomp.Errno | 5), ret(seccomp.Allow)}, seccomp.Errno | 5, 0},
		"among equals the newest one's data":    {seccomp.Stack{ret(seccomp.Errno | 5), ret(seccomp.Errno | 6)}, seccomp.Errno | 6, 1},
		"kill process beats kill thread":        {seccomp.Stack{ret(seccomp.KillProcess), ret(seccomp.KillThread)}, seccomp.KillProcess, 0},
		"a second filter cannot loosen a first": {seccomp.Stack{ret(seccomp.Trap), ret(seccomp.Allow)}, seccomp.Trap, 0},
		"an unknown action kills":               {seccomp.Stack{ret(0x12340000), ret(seccomp.Log)}, 0x12340000, 0},
		"but it ranks by its value":             {seccomp.Stack{ret(0x12340000), ret(seccomp.Errno)}, seccomp.Errno, 1},
	} {
		if a, at, _ := c.stack.Run(&seccomp.Data{}); a != c.want || at != c.at {
			t.Errorf("%s: %v of filter %d, want %v of %d", name, a, at, c.want, c.at)
		}
	}
	if seccomp.Action(0x12340000).Kind() != seccomp.KillProcess || (seccomp.Errno|5000).Data() != 4095 {
		t.Error("unknown actions kill the process, errnos are capped at 4095")
	}
}

func TestCheck(t *testing.T) {
	ret := seccomp.Insn{Code: 6, K: uint32(seccomp.Allow)}
	for name, c := range map[string]struct {
		p  seccomp.Program
		ok bool
	}{
		"one return":             {seccomp.Program{ret}, true},
		"empty":                  {nil, false},
		"4096":                   {append(make(seccomp.Program, 4095), ret), true},
		"4097":                   {append(make(seccomp.Program, 4096), ret), false},
		"no return at the end":   {seccomp.Program{{Code: 0x20}}, false},
		"jump beyond the end":    {seccomp.Program{{Code: 5, K: 1}, ret}, false},
		"backward jump":          {seccomp.Program{{Code: 5, K: 0xffffffff}, ret}, false},
		"unaligned load":         {seccomp.Program{{Code: 0x20, K: 2}, ret}, false},
		"load out of range":      {seccomp.Program{{Code: 0x20, K: 64}, ret}, false},
		"scratch before a store": {seccomp.Program{{Code: 0x60, K: 3}, ret}, false},
		"scratch on one path":    {seccomp.Program{{Code: 0x15, JT: 1}, {Code: 2, K: 3}, {Code: 0x60, K: 3}, ret}, false},
		"scratch after a store":  {seccomp.Program{{Code: 2, K: 3}, {Code: 0x60, K: 3}, ret}, true},
		"division by zero":       {seccomp.Program{{Code: 0x34}, ret}, false},
		"unknown code":           {seccomp.Program{{Code: 0x28}, ret}, false},
	} {
		if err := c.p.Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		`{`:  "p.json:1:2: the profile ends too early",
		`{}`: "no defaultAction",
		`[]`: "p.json:1:1: profile: an object is expected",
		"{\n \"defaultAction\": \"SCMP_ACT_ALOW\"}":                                                                                `p.json:2:19: unknown action "SCMP_ACT_ALOW"; did you mean SCMP_ACT_ALLOW?`,
		`{"defaultAction":"SCMP_ACT_ALLOW","syscals":[]}`:                                                                          `p.json:1:35: unknown field "syscals" in profile; did you mean syscalls?`,
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"]}]}`:                                                          "a rule has no action",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_LOG"}]}`:                                                "a rule names no syscall",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_LOG","args":[{"index":6}]}]}`:          "arguments 0 to 5",
		`{"defaultAction":"SCMP_ACT_ALLOW"} x`:                                                                                     "something follows the profile",
		`{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":70000}`:                                                               "is not a number of 0 to 65535",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_LOG","includes":{"caps":["CAP_X"]}}]}`: `unknown capability "CAP_X"`,
	} {
		if _, err := seccomp.Parse("p.json", []byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
	p, err := seccomp.Parse("p.json", []byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["opne"],"action":"SCMP_ACT_ERRNO"}]}`))
	if err != nil || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0].Msg, "did you mean open") {
		t.Errorf("an unknown name is a warning: %v %v", p, err)
	}
}

func FuzzProfile(f *testing.F) {
	f.Add([]byte(`{"defaultAction":"SCMP_ACT_ERRNO","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}],"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}],"includes":{"caps":["CAP_SYS_ADMIN"],"minKernel":"4.8"}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := seccomp.Parse("f", b)
		if err != nil {
			return
		}
		if prog, err := p.Resolve(seccomp.Target{ABI: syscalls.X8664}).Compile(); err == nil {
			prog.Run(&seccomp.Data{NR: 1, Arch: syscalls.X8664.Audit()})
		}
	})
}

func FuzzProgram(f *testing.F) {
	f.Add(seccomp.Program{{Code: 0x20}, {Code: 0x15, JT: 1}, {Code: 6}, {Code: 6}}.Raw())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := seccomp.ParseRaw(b)
		if err != nil || p.Check() != nil {
			return
		}
		p.Run(&seccomp.Data{NR: 1})
		_ = p.String()
	})
}

func BenchmarkCompile(b *testing.B) {
	r := dockerDefault(b).Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: dockerCaps, Kernel: linux("6.18")})
	one := *r
	one.ABIs = r.ABIs[:1]
	for name, r := range map[string]*seccomp.Resolved{"x86_64": &one, "three ABIs": r} {
		b.Run(name, func(b *testing.B) { // the proof is part of it
			for b.Loop() {
				p, err := r.Compile()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(p)), "insns")
			}
		})
	}
}

func BenchmarkRun(b *testing.B) {
	p, err := dockerDefault(b).Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: dockerCaps, Kernel: linux("6.18")}).Compile()
	if err != nil {
		b.Fatal(err)
	}
	d := seccomp.Data{NR: 257, Arch: syscalls.X8664.Audit()}
	for b.Loop() {
		p.Run(&d)
	}
}

func BenchmarkCold(b *testing.B) {
	for b.Loop() {
		if _, err := dockerDefault(b).Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: dockerCaps, Kernel: linux("6.18")}).Compile(); err != nil {
			b.Fatal(err)
		}
	}
}

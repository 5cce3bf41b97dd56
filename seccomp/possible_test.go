package seccomp_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"syscallstory/kernel"
	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

func parsed(t *testing.T, text string) *seccomp.Profile {
	t.Helper()
	p, err := seccomp.Parse("p.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestEveryOfManyRules: each of thirty rules can decide a call whose argument is not known, the last one too.
func TestEveryOfManyRules(t *testing.T) {
	var rules []string
	for i := range 30 {
		rules = append(rules, fmt.Sprintf(`{"names":["ioctl"],"action":"SCMP_ACT_ERRNO","errnoRet":%d,"args":[{"index":1,"value":%d,"op":"SCMP_CMP_EQ"}]}`, 100+i, i))
	}
	r := parsed(t, `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[`+strings.Join(rules, ",")+`]}`).Resolve(seccomp.Target{ABI: syscalls.X8664})
	if all := r.Every("ioctl", &[6]uint64{}, 2); len(all) != 31 || !slices.Contains(all, seccomp.Errno|129) || !slices.Contains(all, seccomp.Allow) {
		t.Errorf("%d answers are possible, 31 are wanted: %v", len(all), all)
	}
	if all := r.Every("ioctl", &[6]uint64{0, 7}, 1); len(all) != 1 || all[0] != seccomp.Errno|107 {
		t.Errorf("args[1] == 7: %v", all)
	}
	prog, err := r.Compile()
	if err != nil {
		t.Fatal(err)
	}
	d := &seccomp.Data{NR: 16, Arch: syscalls.X8664.Audit(), Args: [6]uint64{0, 7}}
	if all, err := (seccomp.Stack{prog}).Possible(d, 2); err != nil || len(all) != 31 {
		t.Errorf("the program: %v %v", all, err)
	}
	if all, err := (seccomp.Stack{prog}).Possible(d, 1); err != nil || len(all) != 1 || all[0] != seccomp.Errno|107 {
		t.Errorf("the program with args[1] == 7: %v %v", all, err)
	}
}

// TestPossible holds what a stack can answer against what it does answer for random values of the register that is not known.
func TestPossible(t *testing.T) {
	rng := rand.New(rand.NewPCG(rand.Uint64(), 1))
	words := []uint64{0, 1, 2, 1 << 31, 1<<32 - 1, 1 << 32, 1<<63 - 1, 1<<64 - 1}
	ops := []string{"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"}
	actions := []string{"ALLOW", "ERRNO", "KILL", "LOG", "TRAP"}
	profile := func() seccomp.Program {
		var rules []string
		for range 1 + rng.IntN(4) {
			rules = append(rules, fmt.Sprintf(`{"names":["openat"],"action":"SCMP_ACT_%s","args":[{"index":%d,"value":%d,"valueTwo":%d,"op":"SCMP_CMP_%s"}]}`,
				actions[rng.IntN(5)], rng.IntN(2), words[rng.IntN(8)], words[rng.IntN(8)], ops[rng.IntN(7)]))
		}
		p := parsed(t, `{"defaultAction":"SCMP_ACT_`+actions[rng.IntN(5)]+`","syscalls":[`+strings.Join(rules, ",")+`]}`)
		prog, err := p.Resolve(seccomp.Target{ABI: syscalls.X8664}).Compile()
		if err != nil {
			t.Fatal(err)
		}
		return prog
	}
	for range 200 {
		s := seccomp.Stack{profile(), profile()}
		d := seccomp.Data{NR: 257, Arch: syscalls.X8664.Audit(), Args: [6]uint64{words[rng.IntN(8)], words[rng.IntN(8)]}}
		all, err := s.Possible(&d, 2)
		if err != nil {
			t.Fatal(err)
		}
		met := map[seccomp.Action]bool{}
		for _, w := range words {
			for _, v := range []uint64{w - 1, w, w + 1} {
				d.Args[1] = v
				a, _, _ := s.Run(&d)
				met[a.Kind()|seccomp.Action(a.Data())] = true
			}
		}
		for a := range met {
			if !slices.Contains(all, a) {
				t.Fatalf("%v is answered, and is not among %v\n%v\n%v", a, all, s[0], s[1])
			}
		}
		// Most answers are met by the values at the conditions' edges; masks may need others.
		if len(all) > 4*len(met) {
			t.Fatalf("%d answers are said to be possible, %d are met", len(all), len(met))
		}
	}
}

// TestReason: what keeps a rule in force is said with all of its conditions, and places are those of names.
func TestReason(t *testing.T) {
	p := parsed(t, `{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86"],"syscalls":[
	{"names":["read"],"action":"SCMP_ACT_ALLOW"},
	{"names":["clone",
		"bpf"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_BPF"],"arches":["amd64"],"minKernel":"4.8"},"excludes":{"caps":["CAP_SYS_ADMIN"],"arches":["s390x"]}},
	{"names":["mount"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}},
	{"names":["connect"],"action":"SCMP_ACT_ALLOW"}
]}`)
	target := seccomp.Target{ABI: syscalls.X8664, Kernel: linux("6.18")}
	c, _ := kernel.ParseCap("CAP_BPF")
	target.Caps |= 1 << c
	r := p.Resolve(target)
	for _, x := range []struct {
		abi  syscalls.ABI
		call string
		r    *seccomp.Resolved
		line int
		why  string
	}{
		{syscalls.X8664, "read(0, NULL, 0)", r, 2, "a rule names read"},
		{syscalls.X8664, "bpf(0, NULL, 0)", r, 4, "a rule names bpf, in force because CAP_BPF is in the bounding set and CAP_SYS_ADMIN is not in the bounding set and the machine is one of amd64 and the machine is none of s390x and the kernel is Linux 4.8 or newer"},
		{syscalls.X8664, `mount("", "/", "", 0, NULL)`, r, 1, "no rule matches, the default action counts; the rule of line 5 is not in force: included only with CAP_SYS_ADMIN, which is not in the bounding set"},
		{syscalls.X32, "read(0, NULL, 0)", r, 1, "x32 is not among the profile's architectures: its calls end the thread"},
		{syscalls.X8664, "listns(NULL, NULL, 0, 0)", r, 1, "no rule matches, the default action counts; loaded by runc it would be ENOSYS from runc's stub, not from your profile: no rule names a number above 321"},
		{syscalls.X8664, "listns(NULL, NULL, 0, 0)", r.LoadedBy(seccomp.Runtime{Name: "runc"}), 1, "ENOSYS from runc's stub, not from your profile: no rule names a number above 321"},
		{syscalls.I386, "socketcall(3, NULL)", r.LoadedBy(seccomp.Runtime{Name: "crun"}), 6, "a rule names connect, which socketcall can make,"},
		{syscalls.I386, "socketcall(4, NULL)", r.LoadedBy(seccomp.Runtime{Name: "crun"}), 1, "no rule matches, the default action counts"},
	} {
		call, err := syscalls.Parse(x.abi, x.call)
		if err != nil {
			t.Fatal(err)
		}
		regs, _ := call.Registers()
		if at, why := x.r.Reason(call, &regs); at.Line != x.line || why != x.why {
			t.Errorf("%v %s: line %d: %s", x.abi, x.call, at.Line, why)
		}
	}
}

// TestManyNames: a profile's size bounds what is done with it, also where it repeats or invents names.
func TestManyNames(t *testing.T) {
	name := `"read",`
	same := parsed(t, `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":[`+strings.Repeat(name, 60000)+`"write"],"action":"SCMP_ACT_ALLOW"},{"names":[`+strings.Repeat(name, 60000)+`"write"],"action":"SCMP_ACT_ALLOW"}]}`)
	r := same.Resolve(seccomp.Target{ABI: syscalls.X8664})
	r.Check()
	if _, err := r.Compile(); err != nil {
		t.Error(err)
	}
	var b strings.Builder
	for i := range 60000 {
		fmt.Fprintf(&b, `"x%d",`, i)
	}
	if p := parsed(t, `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":[`+b.String()+`"write"],"action":"SCMP_ACT_ALLOW"}]}`); len(p.Warnings) != 60000 {
		t.Errorf("%d remarks", len(p.Warnings))
	}
}

func TestFlags(t *testing.T) {
	if !parsed(t, `{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_TSYNC","SECCOMP_FILTER_FLAG_LOG"]}`).Log {
		t.Error("SECCOMP_FILTER_FLAG_LOG is not noticed")
	}
	if parsed(t, `{"defaultAction":"SCMP_ACT_ALLOW","flags":[]}`).Log || parsed(t, `{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]}`).Log {
		t.Error("SECCOMP_FILTER_FLAG_LOG is seen where it is not")
	}
}

// TestUpperHalves: a 64-bit program that makes a call of i386 cannot get around a rule by bits that the call does not take.
func TestUpperHalves(t *testing.T) {
	p := parsed(t, `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86"],"syscalls":[
	{"names":["ioctl"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":21522,"op":"SCMP_CMP_EQ"}]},
	{"names":["kill"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":4294967297,"op":"SCMP_CMP_GE"}]},
	{"names":["alarm"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":4294967297,"op":"SCMP_CMP_NE"}]},
	{"names":["nice"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":3,"valueTwo":4294967297,"op":"SCMP_CMP_MASKED_EQ"}]}]}`)
	prog, err := p.Resolve(seccomp.Target{ABI: syscalls.X8664}).Compile()
	if err != nil {
		t.Fatal(err)
	}
	const upper = 1 << 32
	for _, c := range []struct {
		name string
		args [6]uint64
		want seccomp.Action
	}{
		{"ioctl", [6]uint64{0, 21522}, seccomp.Errno | 1},
		{"ioctl", [6]uint64{0, 21522 | upper}, seccomp.Errno | 1},
		{"ioctl", [6]uint64{0, 21523 | upper}, seccomp.Allow},
		{"kill", [6]uint64{1}, seccomp.Allow}, // no register of i386 is that large
		{"kill", [6]uint64{1 | upper}, seccomp.Allow},
		{"alarm", [6]uint64{1}, seccomp.Errno | 1},
		{"alarm", [6]uint64{1 | upper}, seccomp.Errno | 1},
		{"nice", [6]uint64{1}, seccomp.Allow},
		{"nice", [6]uint64{1 | upper}, seccomp.Allow},
	} {
		nr, _ := syscalls.Lookup(syscalls.I386, c.name)
		if a, _ := prog.Run(&seccomp.Data{NR: nr, Arch: syscalls.I386.Audit(), Args: c.args}); a != c.want {
			t.Errorf("%s%x: %v, not %v", c.name, c.args[:2], a, c.want)
		}
	}
	// A program that looks at the upper half is told apart from it.
	whole := seccomp.Program{{Code: 0x20, K: 4}, {Code: 0x15, JF: 5, K: syscalls.I386.Audit()}, {Code: 0x20}, {Code: 0x15, JF: 3, K: 54}, {Code: 0x20, K: 28}, {Code: 0x15, JF: 1}, {Code: 6, K: uint32(seccomp.Errno | 1)}, {Code: 6, K: uint32(seccomp.Allow)}}
	half := slices.Clone(whole)
	half[4] = seccomp.Insn{Code: 0x20, K: 24}
	diff, err := seccomp.Diff(seccomp.Stack{whole}, seccomp.Stack{half})
	if err != nil || len(diff.Changes) != 1 || diff.Changes[0].ABI != syscalls.I386 {
		t.Errorf("%v %+v", err, diff)
	}
}

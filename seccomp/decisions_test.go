package seccomp_test

import (
	"math/rand/v2"
	"testing"

	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

// TestDecisions compares the decisions with the filters themselves: every number of every ABI, beyond the tables and of none, with
// random arguments, for stacks that look at arguments, compute with the number and look at the instruction pointer.
func TestDecisions(t *testing.T) {
	docker, err := dockerDefault(t).Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: dockerCaps, Kernel: linux("6.18")}).Compile()
	if err != nil {
		t.Fatal(err)
	}
	insns := func(in ...seccomp.Insn) seccomp.Program {
		if err := seccomp.Program(in).Check(); err != nil {
			t.Fatal(err)
		}
		return in
	}
	const ld, and, jeq, jset, ret = 0x20, 0x54, 0x15, 0x45, 0x06
	odd := insns(seccomp.Insn{Code: ld}, seccomp.Insn{Code: and, K: 7}, seccomp.Insn{Code: jeq, K: 5, JF: 1}, seccomp.Insn{Code: ret, K: uint32(seccomp.Errno | 7)}, seccomp.Insn{Code: ret, K: uint32(seccomp.Allow)})
	pointer := insns(seccomp.Insn{Code: ld}, seccomp.Insn{Code: jeq, K: 1, JF: 3}, seccomp.Insn{Code: ld, K: 8}, seccomp.Insn{Code: jset, K: 1, JF: 1}, seccomp.Insn{Code: ret, K: uint32(seccomp.Trap)}, seccomp.Insn{Code: ret, K: uint32(seccomp.Allow)})
	second := insns(seccomp.Insn{Code: ld, K: 24}, seccomp.Insn{Code: jset, K: 1 << 4, JF: 1}, seccomp.Insn{Code: ret, K: uint32(seccomp.Log)}, seccomp.Insn{Code: ret, K: uint32(seccomp.Allow)})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	values := []uint64{0, 1, 2, 8, 16, 40, 0x20008, 0xffffffff, 1 << 32, 0x10000000, ^uint64(0)}
	n := 0
	for i, s := range []seccomp.Stack{nil, {docker}, {odd}, {docker, odd}, {odd, docker, pointer}, {second}, {docker, second}} {
		dec := seccomp.NewDecisions(s)
		for _, arch := range []uint32{syscalls.X8664.Audit(), syscalls.I386.Audit(), syscalls.ARM64.Audit(), 0x1234} {
			for _, base := range []uint32{0, syscalls.X32Bit, 1 << 31} {
				for nr := range uint32(700) {
					for range 6 {
						d := seccomp.Data{NR: base | nr, Arch: arch, IP: rng.Uint64()}
						for k := range d.Args {
							if d.Args[k] = values[rng.IntN(len(values))]; rng.IntN(4) == 0 {
								d.Args[k] = rng.Uint64()
							}
						}
						a, f, pc := dec.Run(&d)
						wa, wf, wpc := s.Run(&d)
						if n++; a != wa || f != wf || pc != wpc {
							t.Fatalf("stack %d, %+v: %v by filter %d, instruction %d; the filters answer %v, %d, %d", i, d, a, f, pc, wa, wf, wpc)
						}
					}
				}
			}
		}
	}
	t.Logf("%d evaluations", n)
}

// TestRunFollowsPath compares the quick way through a program with the whole machine's.
func TestRunFollowsPath(t *testing.T) {
	rng := rand.New(rand.NewPCG(rand.Uint64(), 1))
	codes := []uint16{0x20, 0x15, 0x25, 0x35, 0x45, 0x54, 0x05, 0x04, 0x07, 0x1d}
	for range 20000 {
		p := make(seccomp.Program, 3+rng.IntN(20))
		for i := range p {
			p[i] = seccomp.Insn{Code: codes[rng.IntN(len(codes))], K: uint32(rng.IntN(16)) * 4, JT: uint8(rng.IntN(3)), JF: uint8(rng.IntN(3))}
			if p[i].Code == 0x05 {
				p[i].K &= 3
			}
			if rng.IntN(6) == 0 || i >= len(p)-3 {
				p[i] = seccomp.Insn{Code: 0x06, K: uint32(rng.IntN(8)) << 16}
			}
		}
		if p.Check() != nil {
			continue
		}
		d := seccomp.Data{NR: uint32(rng.IntN(64)), Arch: uint32(rng.IntN(64)), IP: rng.Uint64(), Args: [6]uint64{rng.Uint64N(64), rng.Uint64()}}
		path := p.Path(&d)
		last := path[len(path)-1]
		if a, pc := p.Run(&d); pc != last || a != seccomp.Action(p[last].K) {
			t.Fatalf("%v: %v by instruction %d, the path ends at %d\n%v", d, a, pc, last, p)
		}
	}
}

// callMix is what a server in a container calls, roughly by its frequency, with the argument that a filter may look at.
func callMix() []seccomp.Data {
	var mix []seccomp.Data
	for _, c := range []struct {
		name  string
		times int
		arg   uint64
	}{{"read", 40, 3}, {"write", 24, 3}, {"futex", 30, 0}, {"epoll_wait", 16, 4}, {"openat", 10, 0xffffff9c}, {"close", 14, 5}, {"newfstatat", 8, 0}, {"mmap", 8, 0}, {"munmap", 5, 0},
		{"recvfrom", 10, 5}, {"sendto", 10, 5}, {"accept4", 4, 3}, {"epoll_ctl", 6, 4}, {"rt_sigprocmask", 6, 0}, {"clone", 2, 0x3d0f00}, {"clone3", 1, 0}, {"socket", 2, 2}, {"socket", 2, 10},
		{"socket", 1, 40}, {"personality", 1, 0xffffffff}, {"mount", 1, 0}, {"getpid", 4, 0}, {"prctl", 2, 15}, {"execve", 1, 0}, {"wait4", 2, 0}, {"landlock_restrict_self", 1, 0}} {
		nr, _ := syscalls.Lookup(syscalls.X8664, c.name)
		for range c.times {
			mix = append(mix, seccomp.Data{NR: nr, Arch: syscalls.X8664.Audit(), Args: [6]uint64{c.arg}})
		}
	}
	for range 4 { // long enough that the processor does not learn it by heart
		mix = append(mix, mix...)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(mix), func(i, j int) { mix[i], mix[j] = mix[j], mix[i] })
	return mix
}

func BenchmarkMix(b *testing.B) {
	p, err := dockerDefault(b).Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: dockerCaps, Kernel: linux("6.18")}).Compile()
	if err != nil {
		b.Fatal(err)
	}
	mix := callMix()
	run := func(b *testing.B, f func(*seccomp.Data)) {
		b.ReportAllocs()
		for i := range b.N {
			f(&mix[i%len(mix)])
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "M/s")
	}
	b.Run("program", func(b *testing.B) { run(b, func(d *seccomp.Data) { p.Run(d) }) })
	dec := seccomp.NewDecisions(seccomp.Stack{p})
	b.Run("decisions", func(b *testing.B) { run(b, func(d *seccomp.Data) { dec.Run(d) }) })
}

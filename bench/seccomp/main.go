// Command seccomp compares compilers of seccomp profiles, the cost of their programs in the kernel, and interpreters, in one run:
// make bench-seccomp. All get the same rules: Docker's default profile for x86_64 with its 14 capabilities, resolved by story. It
// is a module of its own so that story's does not inherit the peers.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) == 4 && os.Args[1] == "subject" {
		if err := beSubject(os.Args[2:]); err != nil {
			log.Fatal(err)
		}
		return
	}
	rounds := flag.Int("rounds", 60, "interleaved rounds in the kernel; a fifth of them for compilers and interpreters")
	flag.Parse()
	if err := compare(*rounds); err != nil {
		log.Fatal(err)
	}
}

func compare(rounds int) error {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return err
	}
	release := unix.ByteSliceToString(uts.Release[:])
	rel, err := kernel.ParseRelease(release)
	if err != nil {
		return err
	}
	p, err := dockerDefault(rel)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "story-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	compilers, err := all(p, dir)
	if err != nil {
		return err
	}
	jit, err := os.ReadFile("/proc/sys/net/core/bpf_jit_enable")
	if err != nil {
		jit = []byte("?")
	}
	few := max(5, rounds/5)
	fmt.Printf("Linux %s, bpf_jit_enable %s, %d interleaved rounds in the kernel, %d elsewhere; %d calls have rules\n\n", release, strings.TrimSpace(string(jit)), rounds, few, len(p.calls))
	programs, err := compileTable(p, compilers, few)
	if err != nil {
		return err
	}
	if err := kernelTable(p, compilers, programs, rounds); err != nil {
		return err
	}
	return interpreterTable(programs[0], few)
}

func all(p *policy, dir string) ([]compiler, error) {
	version := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			version[m.Path], _, _ = strings.Cut(strings.TrimPrefix(m.Version, "v0.0.0-"), "-")
		}
	}
	out := []compiler{storyCompiler(p), gvisorCompiler(p, version["gvisor.dev/gvisor"])}
	e, err := elasticCompiler(p, version["github.com/elastic/go-seccomp-bpf"])
	if err != nil {
		return nil, err
	}
	lib, err := libseccompCompilers(p, dir)
	return append(append(out, e), lib...), err
}

// spread is the median of some figures, the least and the greatest.
func spread(format string, v []float64) string {
	v = slices.Sorted(slices.Values(v))
	return fmt.Sprintf(format+" ("+format+" to "+format+")", v[len(v)/2], v[0], v[len(v)-1])
}

// compileTable prints what each compiler makes and what that takes.
func compileTable(p *policy, compilers []compiler, rounds int) ([]seccomp.Program, error) {
	programs := make([]seccomp.Program, len(compilers))
	times := make([][]float64, len(compilers))
	count := make([]int, len(compilers))
	var proof []float64
	for round := range rounds + 1 {
		for i, c := range compilers {
			prog, d, err := c.compile(max(1, count[i]))
			if err != nil {
				return nil, err
			}
			if round == 0 { // it warms up, and says how many make 30 ms
				programs[i] = prog
				_, d, err = c.compile(5)
				count[i] = min(max(5, int(5*30*time.Millisecond/max(d, 10*time.Microsecond))), 2000)
				if err != nil {
					return nil, err
				}
				continue
			}
			times[i] = append(times[i], d.Seconds()*1000/float64(count[i]))
		}
		start := cpuTime()
		for range 200 {
			if err := p.resolved.Prove(programs[0]); err != nil {
				return nil, err
			}
		}
		proof = append(proof, (cpuTime()-start).Seconds()*1000/200)
	}
	fmt.Println("| compiler | instructions | compile, CPU ms: median (min to max) | executed, zero arguments: median / mean / worst | worst, any | constant allows in the kernel's cache | answers that differ from the rules |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for i, c := range compilers {
		prog := programs[i]
		if err := prog.Check(); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		var zero []int
		sum, cached, worst, differ, total := 0, 0, 0, 0, 0
		for nr := range syscalls.All(syscalls.X8664) {
			n := len(prog.Path(&seccomp.Data{NR: nr, Arch: syscalls.X8664.Audit()}))
			zero = append(zero, n)
			sum += n
			if prog.Constant(nr, syscalls.X8664.Audit()) {
				cached++
			}
		}
		p.each(func(d *seccomp.Data) {
			name, _ := syscalls.Name(syscalls.X8664, d.NR)
			a, _ := prog.Run(d)
			if total++; a != p.resolved.Eval(name, &d.Args).Action {
				differ++
			}
			worst = max(worst, len(prog.Path(d)))
		})
		slices.Sort(zero)
		fmt.Printf("| %s | %d | %s | %d / %.1f / %d | %d | %d of %d | %d of %d |\n", c.name, len(prog), spread("%.3f", times[i]), zero[len(zero)/2], float64(sum)/float64(len(zero)), zero[len(zero)-1], worst, cached, len(zero), differ, total)
	}
	fmt.Printf("\nOf story's time the proof takes %s ms.\n\n", spread("%.3f", proof[1:]))
	return programs, nil
}

// kernelTable prints what the programs cost in the kernel, beside the same calls without a filter.
func kernelTable(p *policy, compilers []compiler, programs []seccomp.Program, rounds int) error {
	for _, probe := range probes {
		if a := p.resolved.Eval(probe.name, &[6]uint64{probe.arg}).Action; a != probe.want {
			return fmt.Errorf("the profile answers %v to %s, not %v: nothing to compare", a, probe.name, probe.want)
		}
	}
	cpu, err := lastCPU()
	if err != nil {
		return err
	}
	none, err := newSubject("no filter", nil, cpu)
	if err != nil {
		return err
	}
	defer none.end()
	list := []*subject{none}
	for i, c := range compilers {
		s, err := newSubject(c.name, programs[i], cpu)
		if err != nil {
			return err
		}
		defer s.end()
		list = append(list, s)
	}
	for i := range rounds + 3 {
		for k := range list {
			s := list[(i+k)%len(list)] // nobody is always first
			if err := s.round(); err != nil {
				return err
			}
			if i < 3 {
				s.ns = make([][]float64, len(probes))
			}
		}
	}
	fmt.Print("| filter, time over that without: median of the rounds (min to max) |")
	for _, probe := range probes {
		fmt.Printf(" %s |", probe.what)
	}
	fmt.Printf("\n|---|%s\n", strings.Repeat("---|", len(probes)))
	for _, s := range list {
		fmt.Printf("| %s |", strings.TrimSuffix(s.name, ", with the proof"))
		for i := range probes {
			if s == none {
				fmt.Printf(" %s ns |", spread("%.0f", s.ns[i]))
				continue
			}
			ratio := make([]float64, len(s.ns[i]))
			for k := range ratio {
				ratio[k] = s.ns[i][k] / none.ns[i][k]
			}
			ns := slices.Sorted(slices.Values(s.ns[i]))
			fmt.Printf(" %s, %.0f ns |", spread("%.2f", ratio), ns[len(ns)/2])
		}
		fmt.Println()
	}
	fmt.Println()
	return nil
}

// interpreterTable prints how many calls a second story's program answers outside the kernel.
func interpreterTable(prog seccomp.Program, rounds int) error {
	calls := mix()
	list, err := interpreters(prog, calls)
	if err != nil {
		return err
	}
	for range rounds {
		for _, in := range list {
			in.round(len(calls))
		}
	}
	fmt.Println("| interpreter, a server's mix of calls | million answers a second and core: median (min to max) |\n|---|---|")
	for _, in := range list {
		fmt.Printf("| %s | %s |\n", in.name, spread("%.1f", in.rate))
	}
	return nil
}

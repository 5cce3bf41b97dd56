package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/bpf"
	gvisor "gvisor.dev/gvisor/pkg/seccomp"

	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

// interpreter answers all calls of the mix once.
type interpreter struct {
	name string
	run  func()
	rate []float64 // million calls a second
}

// mix is what a server in a container calls, roughly by its frequency, with the argument that a filter may look at.
func mix() []seccomp.Data {
	var out []seccomp.Data
	for _, c := range []struct {
		name  string
		times int
		arg   uint64
	}{{"read", 40, 3}, {"write", 24, 3}, {"futex", 30, 0}, {"epoll_wait", 16, 4}, {"openat", 10, 0xffffff9c}, {"close", 14, 5}, {"newfstatat", 8, 0}, {"mmap", 8, 0}, {"munmap", 5, 0},
		{"recvfrom", 10, 5}, {"sendto", 10, 5}, {"accept4", 4, 3}, {"epoll_ctl", 6, 4}, {"rt_sigprocmask", 6, 0}, {"clone", 2, 0x3d0f00}, {"clone3", 1, 0}, {"socket", 2, 2}, {"socket", 2, 10},
		{"socket", 1, 40}, {"personality", 1, 0xffffffff}, {"mount", 1, 0}, {"getpid", 4, 0}, {"prctl", 2, 15}, {"execve", 1, 0}, {"wait4", 2, 0}, {"landlock_restrict_self", 1, 0}} {
		nr, _ := syscalls.Lookup(syscalls.X8664, c.name)
		for range c.times {
			out = append(out, seccomp.Data{NR: nr, Arch: syscalls.X8664.Audit(), Args: [6]uint64{c.arg}})
		}
	}
	for range 4 { // long enough that the processor does not learn it by heart
		out = append(out, out...)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// interpreters run one program, story's, after they were found to answer alike.
func interpreters(p seccomp.Program, calls []seccomp.Data) ([]*interpreter, error) {
	insns := make([]bpf.Instruction, len(p))
	for i, in := range p {
		insns[i] = bpf.Instruction{OpCode: in.Code, JumpIfTrue: in.JT, JumpIfFalse: in.JF, K: in.K}
	}
	peer, err := bpf.Compile(insns, true)
	if err != nil {
		return nil, err
	}
	inputs := make([]bpf.Input, len(calls))
	dec := seccomp.NewDecisions(seccomp.Stack{p})
	for i, c := range calls {
		d := linux.SeccompData{Nr: int32(c.NR), Arch: c.Arch, Args: c.Args}
		inputs[i] = gvisor.DataAsBPFInput(&d, make([]byte, d.SizeBytes()))
		want, _ := p.Run(&c)
		got, _, _ := dec.Run(&c)
		theirs, err := bpf.Exec[bpf.NativeEndian](peer, inputs[i])
		if err != nil || got != want || seccomp.Action(theirs) != want {
			return nil, fmt.Errorf("call %d: the program answers %v, the decisions %v, gVisor's interpreter %v (%v)", c.NR, want, got, seccomp.Action(theirs), err)
		}
	}
	return []*interpreter{
		{name: "story, decisions", run: func() {
			for i := range calls {
				dec.Run(&calls[i])
			}
		}},
		{name: "story, every instruction", run: func() {
			for i := range calls {
				p.Run(&calls[i])
			}
		}},
		{name: "gVisor pkg/bpf Exec, inputs encoded before", run: func() {
			for i := range inputs {
				bpf.Exec[bpf.NativeEndian](peer, inputs[i])
			}
		}},
	}, nil
}

// round runs the mix for a while.
func (in *interpreter) round(calls int) {
	const long = 40 * time.Millisecond
	start, n := cpuTime(), 0
	for cpuTime()-start < long {
		for range 8 {
			in.run()
		}
		n += 8 * calls
	}
	in.rate = append(in.rate, float64(n)/1e6/(cpuTime()-start).Seconds())
}

package main

import (
	"fmt"
	"time"

	elastic "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/abi/linux"
	gvisor "gvisor.dev/gvisor/pkg/seccomp"

	"syscallstory/seccomp"
)

// compiler makes a program of the policy n times and says what CPU time all of them took.
type compiler struct {
	name    string
	compile func(n int) (seccomp.Program, time.Duration, error)
}

// cpuTime is what all threads of this process have used: the garbage collector's work counts.
func cpuTime() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// inProcess is a compiler that is a Go function.
func inProcess(name string, f func() (seccomp.Program, error)) compiler {
	return compiler{name, func(n int) (p seccomp.Program, d time.Duration, err error) {
		start := cpuTime()
		for range n {
			if p, err = f(); err != nil {
				return nil, 0, fmt.Errorf("%s: %w", name, err)
			}
		}
		return p, cpuTime() - start, nil
	}}
}

func storyCompiler(p *policy) compiler {
	return inProcess("story, with the proof", p.resolved.Compile)
}

// gvisorCompiler gives gVisor's the same rules, with all its optimisations and no hot calls.
func gvisorCompiler(p *policy, version string) compiler {
	match := func(a seccomp.Arg) gvisor.ValueMatcher {
		switch a.Op {
		case seccomp.NE:
			return gvisor.NotEqual(a.Value)
		case seccomp.LT:
			return gvisor.LessThan(a.Value)
		case seccomp.LE:
			return gvisor.LessThanOrEqual(a.Value)
		case seccomp.EQ:
			return gvisor.EqualTo(a.Value)
		case seccomp.GE:
			return gvisor.GreaterThanOrEqual(a.Value)
		case seccomp.GT:
			return gvisor.GreaterThan(a.Value)
		}
		return gvisor.MaskedEqual(uintptr(a.Value), uintptr(a.ValueTwo))
	}
	return inProcess("gVisor pkg/seccomp "+version, func() (seccomp.Program, error) {
		sets := map[seccomp.Action]gvisor.SyscallRules{}
		var order []seccomp.Action
		for _, c := range p.calls {
			if _, ok := sets[c.action]; !ok {
				sets[c.action] = gvisor.NewSyscallRules()
				order = append(order, c.action)
			}
			if c.when == nil {
				sets[c.action].Set(uintptr(c.nr), gvisor.MatchAll{})
				continue
			}
			var or gvisor.Or
			for _, alt := range c.when {
				rule := gvisor.PerArg{}
				for i := range rule {
					rule[i] = gvisor.AnyValue{}
				}
				for _, a := range alt {
					rule[a.Index] = match(a)
				}
				or = append(or, rule)
			}
			sets[c.action].Set(uintptr(c.nr), or)
		}
		var rules []gvisor.RuleSet
		for _, a := range order {
			rules = append(rules, gvisor.RuleSet{Rules: sets[a], Action: linux.BPFAction(a)})
		}
		prog, _, err := gvisor.BuildProgram(rules, gvisor.ProgramOptions{DefaultAction: linux.BPFAction(p.fallback), BadArchAction: linux.SECCOMP_RET_KILL_THREAD, Optimize: true})
		if err != nil {
			return nil, err
		}
		out := make(seccomp.Program, len(prog))
		for i, in := range prog {
			out[i] = seccomp.Insn{Code: in.OpCode, JT: in.JumpIfTrue, JF: in.JumpIfFalse, K: in.K}
		}
		return out, nil
	})
}

// elasticCompiler teaches elastic's table the names that it does not know, so that it gets the same rules.
func elasticCompiler(p *policy, version string) (compiler, error) {
	table, err := arch.GetInfo("x86_64")
	if err != nil {
		return compiler{}, err
	}
	for _, c := range p.calls {
		if _, ok := table.SyscallNames[c.name]; !ok {
			table.SyscallNames[c.name] = int(c.nr)
		}
	}
	ops := map[seccomp.Op]elastic.Operation{seccomp.NE: elastic.NotEqual, seccomp.LT: elastic.LessThan, seccomp.LE: elastic.LessOrEqual, seccomp.EQ: elastic.Equal, seccomp.GE: elastic.GreaterOrEqual, seccomp.GT: elastic.GreaterThan}
	condition := func(a seccomp.Arg) (elastic.Condition, error) {
		op, ok := ops[a.Op]
		switch {
		case ok:
		case a.ValueTwo == 0:
			op = elastic.BitsNotSet
		case a.ValueTwo == a.Value:
			op = elastic.BitsSet
		default:
			return elastic.Condition{}, fmt.Errorf("it has no comparison of masked bits")
		}
		return elastic.Condition{Argument: uint32(a.Index), Operation: op, Value: a.Value}, nil
	}
	return inProcess("elastic/go-seccomp-bpf "+version, func() (seccomp.Program, error) {
		pol := elastic.Policy{DefaultAction: elastic.Action(p.fallback.Kind())} // it adds EPERM
		group := map[seccomp.Action]int{}
		for _, c := range p.calls {
			i, ok := group[c.action]
			if !ok {
				i = len(pol.Syscalls)
				group[c.action] = i
				pol.Syscalls = append(pol.Syscalls, elastic.SyscallGroup{Action: elastic.Action(c.action)})
			}
			g := &pol.Syscalls[i]
			if c.when == nil {
				g.Names = append(g.Names, c.name)
			}
			for _, alt := range c.when {
				n := elastic.NameWithConditions{Name: c.name}
				for _, a := range alt {
					cond, err := condition(a)
					if err != nil {
						return nil, err
					}
					n.Conditions = append(n.Conditions, cond)
				}
				g.NamesWithCondtions = append(g.NamesWithCondtions, n)
			}
		}
		insns, err := pol.Assemble()
		if err != nil {
			return nil, err
		}
		raw, err := bpf.Assemble(insns)
		if err != nil {
			return nil, err
		}
		out := make(seccomp.Program, len(raw))
		for i, in := range raw {
			out[i] = seccomp.Insn{Code: in.Op, JT: in.Jt, JF: in.Jf, K: in.K}
		}
		return out, nil
	}), nil
}

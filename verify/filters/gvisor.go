package filters

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/bpf"
	gseccomp "gvisor.dev/gvisor/pkg/seccomp"

	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

// gVisor's compiler and interpreter are the second opinion. Where its interpreter is known to differ from the kernel, programs
// are translated or not given to it: it has TAX and TXA the wrong way round, does not cut a shift by X to five bits, answers a
// division by zero with an error, and does not ask whether scratch memory was stored.

// instructions translates a program.
func instructions(p seccomp.Program) []bpf.Instruction {
	out := make([]bpf.Instruction, len(p))
	for i, in := range p {
		switch in.Code {
		case tax:
			in.Code = txa
		case txa:
			in.Code = tax
		}
		out[i] = bpf.Instruction{OpCode: in.Code, JumpIfTrue: in.JT, JumpIfFalse: in.JF, K: in.K}
	}
	return out
}

// interpreted is a program in gVisor's interpreter.
type interpreted struct{ p bpf.Program }

func interpret(p seccomp.Program) (*interpreted, error) {
	c, err := bpf.Compile(instructions(p), false)
	if err != nil {
		return nil, err
	}
	return &interpreted{c}, nil
}

func (g *interpreted) run(d *seccomp.Data) (uint32, error) {
	in := make([]byte, 0, 64)
	in = binary.LittleEndian.AppendUint32(in, d.NR)
	in = binary.LittleEndian.AppendUint32(in, d.Arch)
	in = binary.LittleEndian.AppendUint64(in, d.IP)
	for _, a := range d.Args {
		in = binary.LittleEndian.AppendUint64(in, a)
	}
	a, err := bpf.Exec[bpf.LittleEndian](g.p, in)
	if e, ok := err.(bpf.Error); ok && e.Code == bpf.DivisionByZero {
		return 0, nil // the kernel ends the filter with 0 then
	}
	return a, err
}

// compiled has gVisor's compiler make a program of the rules of x86_64, if it knows all that they say. Its first rule that
// matches counts, so the rules are given in order of precedence.
func (p *profile) compiled(t target) (prog seccomp.Program, err error) {
	if t.abi != syscalls.X8664 {
		return nil, nil
	}
	defer func() {
		if r := recover(); r != nil {
			prog, err = nil, fmt.Errorf("gVisor's compiler: %v", r)
		}
	}()
	var sets []gseccomp.RuleSet
	order := make([]int, len(p.Syscalls))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(rank(p.Syscalls[i].Action), rank(p.Syscalls[j].Action)) })
	for _, i := range order {
		r := &p.Syscalls[i]
		if !r.inForce(t) {
			continue
		}
		rules := map[uintptr]gseccomp.SyscallRule{}
		for _, name := range r.Names {
			if nr, ok := syscalls.Lookup(syscalls.X8664, name); ok {
				rules[uintptr(nr)] = r.gvisor()
			}
		}
		sets = append(sets, gseccomp.RuleSet{Action: linux.BPFAction(word(r.Action, r.ErrnoRet)), Rules: gseccomp.MakeSyscallRules(rules)})
	}
	insns, _, err := gseccomp.BuildProgram(sets, gseccomp.ProgramOptions{DefaultAction: linux.BPFAction(word(p.Default, p.ErrnoRet)), BadArchAction: linux.SECCOMP_RET_KILL_THREAD, Optimize: true})
	if err != nil {
		return nil, err
	}
	for _, in := range insns {
		prog = append(prog, seccomp.Insn{Code: in.OpCode, JT: in.JumpIfTrue, JF: in.JumpIfFalse, K: in.K})
	}
	return prog, nil
}

// gvisor writes the conditions of a rule in gVisor's terms.
func (r *rule) gvisor() gseccomp.SyscallRule {
	if len(r.Args) == 0 {
		return gseccomp.MatchAll{}
	}
	var each gseccomp.Or
	any := gseccomp.PerArg{}
	for i := range any {
		any[i] = gseccomp.AnyValue{}
	}
	all, seen, twice := any, [8]bool{}, false
	for _, a := range r.Args {
		var m gseccomp.ValueMatcher
		switch v := uintptr(a.Value); a.Op[len("SCMP_CMP_"):] {
		case "NE":
			m = gseccomp.NotEqual(v)
		case "LT":
			m = gseccomp.LessThan(v)
		case "LE":
			m = gseccomp.LessThanOrEqual(v)
		case "EQ":
			m = gseccomp.EqualTo(v)
		case "GE":
			m = gseccomp.GreaterThanOrEqual(v)
		case "GT":
			m = gseccomp.GreaterThan(v)
		case "MASKED_EQ":
			m = gseccomp.MaskedEqual(v, uintptr(a.ValueTwo))
		}
		twice = twice || seen[a.Index]
		seen[a.Index] = true
		all[a.Index] = m
		only := any
		only[a.Index] = m
		each = append(each, only)
	}
	if twice {
		return each
	}
	return all
}

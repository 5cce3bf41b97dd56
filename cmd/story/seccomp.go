package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"syscallstory/from/node"
	"syscallstory/kernel"
	"syscallstory/seccomp"
	"syscallstory/seccomp/docker"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// target is what a profile is resolved against.
type target struct {
	arch, kernel    string
	capAdd, capDrop []string
}

func (t *target) flags(f *pflag.FlagSet) {
	f.StringVar(&t.arch, "arch", "x86_64", "x86_64 or arm64")
	f.StringVar(&t.kernel, "kernel", "", "kernel release, as 6.18; this machine's where it is not given")
	f.StringSliceVar(&t.capAdd, "cap-add", nil, "capabilities beside the 14 that a container gets by default, or ALL")
	f.StringSliceVar(&t.capDrop, "cap-drop", nil, "capabilities that it does not get, or ALL")
}

// dockerCaps are the capabilities that a container gets by default.
var dockerCaps = world.Caps(kernel.CapChown, kernel.CapDacOverride, kernel.CapFsetid, kernel.CapFowner, kernel.CapMknod, kernel.CapNetRaw, kernel.CapSetgid,
	kernel.CapSetuid, kernel.CapSetfcap, kernel.CapSetpcap, kernel.CapNetBindService, kernel.CapSysChroot, kernel.CapKill, kernel.CapAuditWrite)

// resolve reads a profile, a file or docker for Docker's default, and resolves it.
func (t *target) resolve(name string) (*seccomp.Resolved, seccomp.Program, error) {
	file, text, err := docker.File, []byte(nil), error(nil)
	if name == "docker" {
		text, err = docker.Default()
	} else {
		file = name
		text, err = readFile(name, seccomp.MaxProfile)
	}
	if err != nil {
		return nil, nil, err
	}
	p, err := seccomp.Parse(file, text)
	if err != nil {
		return nil, nil, err
	}
	abi, ok := syscalls.ParseABI(t.arch)
	if !ok || abi != syscalls.X8664 && abi != syscalls.ARM64 {
		return nil, nil, fmt.Errorf("--arch %s: x86_64 and arm64 exist", t.arch)
	}
	add, err := caps("--cap-add", t.capAdd)
	if err != nil {
		return nil, nil, err
	}
	drop, err := caps("--cap-drop", t.capDrop)
	if err != nil {
		return nil, nil, err
	}
	release := t.kernel
	if release == "" {
		if release, err = localRelease(); err != nil {
			return nil, nil, err
		}
	}
	rel, err := kernel.ParseRelease(release)
	if err != nil {
		return nil, nil, fmt.Errorf("--kernel: %w", err)
	}
	r := p.Resolve(seccomp.Target{ABI: abi, Caps: (dockerCaps | add) &^ drop, Kernel: rel})
	prog, err := r.Compile()
	return r, prog, err
}

func (p *program) seccompCommand() *cobra.Command {
	c := &cobra.Command{Use: "seccomp", Short: "compile a profile, or say what it answers to a call"}
	var ct, et target
	var output string
	compile := &cobra.Command{Use: "compile PROFILE", Short: "compile a profile to the program that the kernel runs", Args: cobra.ExactArgs(1),
		Long: "Compile a profile (a file in Docker's or OCI's form, or docker for Docker's default) and print the program.",
		RunE: func(_ *cobra.Command, args []string) error {
			_, prog, err := ct.resolve(args[0])
			if err != nil {
				return err
			}
			return p.printProgram(prog, output)
		}}
	ct.flags(compile.Flags())
	compile.Flags().StringVarP(&output, "output", "o", "text", "text, c for a C array, raw for the kernel's bytes, or json")
	eval := &cobra.Command{Use: "eval PROFILE CALL...", Short: "what a profile answers to calls, with the rule and the instruction that decide", Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			r, prog, err := et.resolve(args[0])
			if err != nil {
				return err
			}
			var calls []*syscalls.Call
			for _, a := range args[1:] {
				c, err := syscalls.Parse(r.Target.ABI, a)
				if err != nil {
					return err
				}
				calls = append(calls, c)
			}
			for _, c := range calls {
				p.printEval(r, prog, c)
			}
			return nil
		}}
	et.flags(eval.Flags())
	c.AddCommand(compile, eval)
	return c
}

// printProgram prints a program in one of its forms.
func (p *program) printProgram(prog seccomp.Program, output string) error {
	var err error
	switch output {
	case "text":
		_, err = fmt.Fprint(p.out, prog)
	case "raw":
		_, err = p.out.Write(prog.Raw())
	case "c":
		fmt.Fprintf(p.out, "struct sock_filter filter[%d] = {\n", len(prog))
		for _, in := range prog {
			fmt.Fprintf(p.out, "\t{ 0x%02x, %d, %d, 0x%08x },\n", in.Code, in.JT, in.JF, in.K)
		}
		_, err = fmt.Fprintln(p.out, "};")
	case "json":
		type insn struct {
			Code uint16 `json:"code"`
			JT   uint8  `json:"jt"`
			JF   uint8  `json:"jf"`
			K    uint32 `json:"k"`
		}
		list := make([]insn, len(prog))
		for i, in := range prog {
			list[i] = insn{in.Code, in.JT, in.JF, in.K}
		}
		err = json.NewEncoder(p.out).Encode(list)
	default:
		err = fmt.Errorf("-o %s: text, c, raw and json exist", output)
	}
	return err
}

// printEval prints the answer to one call. Where it depends on a register that is not known, every answer is listed.
func (p *program) printEval(r *seccomp.Resolved, prog seccomp.Program, c *syscalls.Call) {
	regs, unknown := c.Registers()
	if r.Depends(c.Name, unknown) {
		fmt.Fprintf(p.out, "%s: it depends on an argument that is not known:", c)
		for _, d := range r.Every(c.Name, &regs, unknown) {
			fmt.Fprintf(p.out, " %v", d.Action)
		}
		fmt.Fprintln(p.out)
		return
	}
	action, insn := prog.Run(&seccomp.Data{NR: c.Nr, Arch: c.ABI.Audit(), Args: regs})
	d := r.Eval(c.Name, &regs)
	at, why := r.Profile.At, "no rule matches: the default action"
	if d.Rule >= 0 {
		rule := &r.Profile.Rules[d.Rule]
		at, why = rule.At, "a rule names "+c.Name
		if w := r.Why(d.Rule); w != "" {
			why += ", in force " + w
		}
	} else if drop, ok := r.Missing(c.Name); ok {
		why += fmt.Sprintf("; the rule of line %d is not in force: %s", r.Profile.Rules[drop.Rule].At.Line, drop.Why)
	}
	fmt.Fprintf(p.out, "%s: %v   instruction %d, %s:%d:%d: %s\n", c, action, insn, r.Profile.File, at.Line, at.Col, why)
}

// localRelease is this machine's kernel.
func localRelease() (string, error) {
	here, err := node.Local()
	if err != nil {
		return "", err
	}
	return here.Kernel.Release, nil
}

package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"syscallstory/explain"
	"syscallstory/seccomp"
)

func (p *program) seccompCommand() *cobra.Command {
	c := &cobra.Command{Use: "seccomp", Short: "compile, ask, compare, check and compose seccomp profiles and filters", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(p.compileCommand(), p.evalCommand(), p.tableCommand(), p.diffCommand(), p.checkCommand(), p.adviseCommand(), p.mergeCommand(), p.dumpCommand(), p.disasmCommand())
	return c
}

func (p *program) compileCommand() *cobra.Command {
	var t target
	var output string
	c := &cobra.Command{Use: "compile SOURCE", Short: "compile a profile to the program that the kernel runs", Args: cobra.ExactArgs(1),
		Long: "Compile a profile, prove that the program means what the profile says, and print it.\n\n" + sourceHelp,
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := t.read(p, args[0])
			if err != nil {
				return err
			}
			f, err := s.single()
			if err != nil {
				return err
			}
			return p.printProgram(f.Program, output)
		}}
	t.flags(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "text", "text, c for a C array, raw for the kernel's bytes, or json")
	return c
}

// single returns the only filter.
func (s *source) single() (explain.Filter, error) {
	switch len(s.filters) {
	case 0:
		return explain.Filter{}, fmt.Errorf("%s: it has no seccomp filter (Unconfined)", s.name)
	case 1:
		return s.filters[0], nil
	}
	if pid, ok := strings.CutPrefix(s.name, "pid:"); ok {
		return explain.Filter{}, fmt.Errorf("%s: it has %d filters, one is needed here: story seccomp dump --pid %s prints them", s.name, len(s.filters), pid)
	}
	return explain.Filter{}, fmt.Errorf("%s: it has %d filters, one is needed here", s.name, len(s.filters))
}

// wrongForm is the error of a form of a program that does not exist.
func wrongForm(output string) error { return fmt.Errorf("-o %s: text, c, raw and json exist", output) }

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
		err = json.NewEncoder(p.out).Encode(inJSON(prog))
	default:
		err = wrongForm(output)
	}
	return err
}

// insn is an instruction as -o json prints it.
type insn struct {
	Code uint16 `json:"code"`
	JT   uint8  `json:"jt"`
	JF   uint8  `json:"jf"`
	K    uint32 `json:"k"`
}

func inJSON(p seccomp.Program) []insn {
	list := make([]insn, len(p))
	for i, in := range p {
		list[i] = insn{in.Code, in.JT, in.JF, in.K}
	}
	return list
}

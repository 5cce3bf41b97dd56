package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"syscallstory/explain"
	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

// evaluation is what filters answer to one call, as -o json prints it.
type evaluation struct {
	Call     string   `json:"call"`
	ABI      string   `json:"abi"`
	NR       uint32   `json:"nr"`
	Verdict  string   `json:"verdict,omitempty"`  // the action; absent where it depends on something that is not known
	Possible []string `json:"possible,omitempty"` // then, all answers that are possible
	Filter   int      `json:"filter"`             // index of the filter that decides, 0 the oldest; -1 where none does
	Filters  int      `json:"filters"`            // how many there are
	Name     string   `json:"name,omitempty"`
	Insn     int      `json:"instruction"`
	Path     []int    `json:"path"`             // instructions that the deciding filter executes
	Effect   string   `json:"effect,omitempty"` // what the action does to the call
	Logged   *bool    `json:"logged"`           // the kernel records it; null where that depends on how a bare program is installed
	At       string   `json:"at,omitempty"`
	Why      string   `json:"why,omitempty"`
	Note     string   `json:"note,omitempty"`
}

func (p *program) evalCommand() *cobra.Command {
	var t target
	var output, of string
	c := &cobra.Command{Use: "eval SOURCE CALL...", Short: "what filters answer to calls, with the rule and the instruction that decide", Args: cobra.MinimumNArgs(2),
		Long: "Say what filters answer to calls, which of them decides, at which instruction and because of which rule, and what becomes of the\n" +
			"call. Exit 3 if the answer to one depends on something that is not known: a pointer, or an argument that was not given.\n\n" + sourceHelp,
		RunE: func(_ *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("-o %s: text and json exist", output)
			}
			s, err := t.read(p, args[0])
			if err != nil {
				return err
			}
			abi, err := s.abiNamed(of)
			if err != nil {
				return err
			}
			all := make([]evaluation, len(args)-1)
			for i, a := range args[1:] {
				c, err := syscalls.Parse(abi, a)
				if err != nil {
					return err
				}
				if all[i], err = s.eval(c); err != nil {
					return err
				}
				if all[i].Possible != nil {
					p.code = exitUndetermined
				}
			}
			return p.printEvaluations(all, output)
		}}
	t.flags(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	c.Flags().StringVar(&of, "abi", "", "the ABI of the calls: x86_64, i386 or x32, arm64 or arm; --arch where it is not given")
	return c
}

// abiNamed returns one of the machine's ABIs, its own where none is named.
func (s *source) abiNamed(name string) (syscalls.ABI, error) {
	if name == "" {
		return s.abi, nil
	}
	of := []syscalls.ABI{syscalls.X8664, syscalls.I386, syscalls.X32}
	if s.abi == syscalls.ARM64 {
		of = []syscalls.ABI{syscalls.ARM64, syscalls.ARM}
	}
	for _, a := range of {
		if a.String() == name {
			return a, nil
		}
	}
	return 0, fmt.Errorf("--abi %s: on %v %s exist", name, s.abi, strings.Trim(fmt.Sprint(of), "[]"))
}

// eval asks the filters.
func (s *source) eval(call *syscalls.Call) (evaluation, error) {
	out := evaluation{Call: call.String(), ABI: call.ABI.String(), NR: call.Nr, Filter: -1, Filters: len(s.filters), Path: []int{}}
	regs, unknown := call.Registers()
	d := seccomp.Data{NR: call.Nr, Arch: call.ABI.Audit(), Args: regs}
	possible, err := s.possible(call, &d, unknown)
	if err != nil {
		return out, err
	}
	if len(possible) > 1 {
		for _, a := range possible {
			out.Possible = append(out.Possible, a.String())
		}
		out.Why = "it depends on something that is not known: a pointer, an argument that was not given, or the kernel's release"
		return out, nil
	}
	action, filter, insn := s.stack().Run(&d)
	out.Verdict, out.Effect = action.String(), action.Effect()
	never := false
	if filter < 0 {
		out.Why, out.Logged = "there is no filter", &never
		return out, nil
	}
	f := s.filters[filter]
	out.Filter, out.Name, out.Insn, out.Path = filter, f.Name, insn, f.Program.Path(&d)
	// How a bare program is installed is not known; a live one's flags are.
	if logged := action.Logged(f.Log); f.Profile != nil || s.running || logged == action.Logged(!f.Log) {
		out.Logged = &logged
	}
	if _, ok := seccomp.Unfiltered(call.ABI, call.Name); ok {
		out.Note = "newer kernels make this call without asking filters: story explain SEC006"
	}
	if f.Profile != nil {
		at, why := f.Profile.Reason(call, &regs)
		out.At, out.Why = fmt.Sprintf("%s:%d:%d", f.Profile.Profile.File, at.Line, at.Col), why
	}
	return out, nil
}

// possible lists the answers that the filters can give; one, or none, where the call says all that they look at.
func (s *source) possible(call *syscalls.Call, d *seccomp.Data, unknown uint8) ([]seccomp.Action, error) {
	maybe := slices.ContainsFunc(s.filters, func(f explain.Filter) bool { return f.Profile != nil && f.Profile.Depends(call.Name, 0) })
	switch {
	case !maybe && !s.stack().Open(call.ABI, unknown):
		return nil, nil
	case !maybe:
		return s.stack().Possible(d, unknown)
	}
	var all []seccomp.Action
	for i, f := range s.filters {
		own, err := seccomp.Stack{f.Program}.Possible(d, unknown)
		if err != nil {
			return nil, err
		}
		if f.Profile != nil && f.Profile.Depends(call.Name, 0) {
			own = f.Profile.Every(call.Name, &d.Args, unknown)
		}
		if i > 0 {
			own = seccomp.Together(all, own)
		}
		all = own
	}
	return all, nil
}

func (p *program) printEvaluations(all []evaluation, output string) error {
	if output == "json" {
		enc := json.NewEncoder(p.out)
		enc.SetIndent("", "  ")
		if len(all) == 1 {
			return enc.Encode(all[0])
		}
		return enc.Encode(all)
	}
	for _, e := range all {
		if _, err := fmt.Fprintln(p.out, e); err != nil {
			return err
		}
	}
	return nil
}

// String is the evaluation as text: the answer and where it comes from, and for all but ALLOW what becomes of the call.
func (e evaluation) String() string {
	switch {
	case e.Possible != nil:
		return fmt.Sprintf("%s: %s   %s", e.Call, strings.Join(e.Possible, " or "), e.Why)
	case e.Filter < 0:
		return fmt.Sprintf("%s: %s   %s", e.Call, e.Verdict, e.Why)
	}
	s := fmt.Sprintf("%s: %s   filter %d, instruction %d", e.Call, e.Verdict, e.Filter, e.Insn)
	if e.At != "" {
		s += fmt.Sprintf(", %s: %s", e.At, e.Why)
	}
	if e.Verdict != seccomp.Allow.String() {
		recorded := "recorded only if the filter is installed with SECCOMP_FILTER_FLAG_LOG"
		if e.Logged != nil {
			recorded = map[bool]string{true: "the kernel records it", false: "the kernel does not record it"}[*e.Logged]
		}
		s += fmt.Sprintf("\n    %s; %s", e.Effect, recorded)
	}
	if e.Note != "" {
		s += "\n    " + e.Note
	}
	return s
}

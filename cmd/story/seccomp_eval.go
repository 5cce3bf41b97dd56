package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"syscallstory/explain"
	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

// evaluation is what filters answer to one call, as -o json prints it.
type evaluation struct {
	Call     string   `json:"call"`
	Verdict  string   `json:"verdict,omitempty"`  // the action; absent where it depends on an argument that is not known
	Possible []string `json:"possible,omitempty"` // then, all answers that are possible
	Filter   int      `json:"filter"`             // index of the filter that decides, 0 the oldest; -1 without a filter
	Name     string   `json:"name,omitempty"`
	Insn     int      `json:"instruction"`
	Path     []int    `json:"path"`             // instructions that the deciding filter executes
	Effect   string   `json:"effect,omitempty"` // what the action does to the call
	Logged   bool     `json:"logged"`           // the kernel records it, even of a filter without SECCOMP_FILTER_FLAG_LOG
	At       string   `json:"at,omitempty"`
	Why      string   `json:"why,omitempty"`
}

func (p *program) evalCommand() *cobra.Command {
	var t target
	var output string
	c := &cobra.Command{Use: "eval SOURCE CALL...", Short: "what filters answer to calls, with the rule and the instruction that decide", Args: cobra.MinimumNArgs(2),
		Long: "Say what filters answer to calls, which of them decides, at which instruction and because of which rule.\n\n" + sourceHelp,
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := t.read(p, args[0])
			if err != nil {
				return err
			}
			var calls []*syscalls.Call
			for _, a := range args[1:] {
				c, err := syscalls.Parse(s.abi, a)
				if err != nil {
					return err
				}
				calls = append(calls, c)
			}
			all := make([]evaluation, len(calls))
			for i, c := range calls {
				all[i] = s.eval(c)
			}
			return p.printEvaluations(all, output)
		}}
	t.flags(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

// eval asks the filters.
func (s *source) eval(call *syscalls.Call) evaluation {
	out := evaluation{Call: call.String(), Filter: -1, Path: []int{}}
	regs, unknown := call.Registers()
	d := seccomp.Data{NR: call.Nr, Arch: call.ABI.Audit(), Args: regs}
	for _, f := range s.filters {
		if f.Profile != nil && f.Profile.Depends(call.Name, unknown) {
			for _, x := range f.Profile.Every(call.Name, &regs, unknown) {
				out.Possible = append(out.Possible, x.Action.String())
			}
		}
	}
	if len(out.Possible) == 1 {
		out.Possible = nil
	}
	action, filter, insn := s.stack().Run(&d)
	if filter < 0 {
		out.Verdict, out.Why = action.String(), "there is no filter"
		return out
	}
	f := s.filters[filter]
	out.Filter, out.Name, out.Insn, out.Path = filter, f.Name, insn, f.Program.Path(&d)
	if len(out.Possible) == 0 {
		out.Verdict, out.Effect, out.Logged = action.String(), action.Effect(), action.Logged(false)
	}
	if f.Profile != nil {
		out.At, out.Why = reason(f, call, &regs)
	}
	return out
}

// reason names the place in the profile that decides, and why it is in force.
func reason(f explain.Filter, call *syscalls.Call, regs *[6]uint64) (at, why string) {
	r := f.Profile
	if why, ok := r.Stub(call.ABI, call.Nr); ok {
		return fmt.Sprintf("%s:%d:%d", r.Profile.File, r.Profile.At.Line, r.Profile.At.Col), why
	}
	if why, ok := r.Unknown(call.ABI, call.Name); ok {
		return fmt.Sprintf("%s:%d:%d", r.Profile.File, r.Profile.At.Line, r.Profile.At.Col), "the default action: " + why
	}
	d := r.Eval(call.Name, regs)
	pos, why := r.Profile.At, "no rule matches: the default action"
	if d.Rule >= 0 {
		pos, why = r.Profile.Rules[d.Rule].At, "a rule names "+call.Name
		if w := r.Why(d.Rule); w != "" {
			why += ", in force " + w
		}
	} else if drop, ok := r.Missing(call.Name); ok {
		why += fmt.Sprintf("; the rule of line %d is not in force: %s", r.Profile.Rules[drop.Rule].At.Line, drop.Why)
	}
	return fmt.Sprintf("%s:%d:%d", r.Profile.File, pos.Line, pos.Col), why
}

func (p *program) printEvaluations(all []evaluation, output string) error {
	switch output {
	case "json":
		enc := json.NewEncoder(p.out)
		enc.SetIndent("", "  ")
		if len(all) == 1 {
			return enc.Encode(all[0])
		}
		return enc.Encode(all)
	case "text":
	default:
		return fmt.Errorf("-o %s: text and json exist", output)
	}
	for _, e := range all {
		switch {
		case e.Possible != nil:
			fmt.Fprintf(p.out, "%s: it depends on an argument that is not known: %s\n", e.Call, join(e.Possible))
		case e.Filter < 0:
			fmt.Fprintf(p.out, "%s: %s   %s\n", e.Call, e.Verdict, e.Why)
		default:
			fmt.Fprintf(p.out, "%s: %s   filter %d, instruction %d", e.Call, e.Verdict, e.Filter, e.Insn)
			if e.At != "" {
				fmt.Fprintf(p.out, ", %s: %s", e.At, e.Why)
			}
			fmt.Fprintln(p.out)
		}
	}
	return nil
}

func join(words []string) string {
	out := ""
	for i, w := range words {
		if i > 0 {
			out += " "
		}
		out += w
	}
	return out
}

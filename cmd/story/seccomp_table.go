package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

// conditions is one of a call's cases, as -o json prints it.
type conditions struct {
	When   []string `json:"when"` // all of them hold; none: in every other case
	Action string   `json:"action"`
}

func inCases(list []seccomp.Case) []conditions {
	out := make([]conditions, len(list))
	for i, c := range list {
		out[i] = conditions{append([]string{}, c.When...), c.Action.String()}
	}
	return out
}

// row is a line of a table, as -o json prints it.
type row struct {
	ABI       string       `json:"abi"`
	NR        uint32       `json:"nr"`
	Last      uint32       `json:"last"` // above nr for numbers that no call has
	Name      string       `json:"name,omitempty"`
	Cases     []conditions `json:"cases"` // the first whose conditions hold counts
	Opaque    string       `json:"opaque,omitempty"`
	Cacheable bool         `json:"cacheable"`
	Executed  int          `json:"executed"` // instructions, with zero arguments
}

func (p *program) tableCommand() *cobra.Command {
	var t target
	var output, only string
	c := &cobra.Command{Use: "table SOURCE", Short: "what filters answer to every call of every ABI", Args: cobra.ExactArgs(1),
		Long: "List for each call of each ABI what the filters answer and under which conditions, whether the kernel answers it from its\n" +
			"bitmap of constant answers without running a filter, and how many instructions a call with zero arguments costs otherwise.\n\n" + sourceHelp,
		RunE: func(_ *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("-o %s: text and json exist", output)
			}
			if only != "" && !syscalls.Exists(only) {
				return fmt.Errorf("--call: unknown syscall %s%s", only, meant(syscalls.Nearest(only)))
			}
			s, err := t.read(p, args[0])
			if err != nil {
				return err
			}
			rows, err := s.stack().Table(s.abis())
			if err != nil {
				return err
			}
			return p.printTable(rows, output, only)
		}}
	t.flags(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	c.Flags().StringVar(&only, "call", "", "only the calls of this name")
	return c
}

// meant asks whether a known name was meant.
func meant(near []string) string {
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + near[0] + "?"
}

func (p *program) printTable(rows []seccomp.Row, output, only string) error {
	list := []row{}
	for _, r := range rows {
		if only == "" || r.Name == only {
			list = append(list, row{r.ABI.String(), r.NR, r.Last, r.Name, inCases(r.Cases), r.Opaque, r.Cacheable, r.Executed})
		}
	}
	if output == "json" {
		enc := json.NewEncoder(p.out)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	fmt.Fprintf(p.out, "%-7s %-21s %-24s %-6s %4s  %s\n", "ABI", "NUMBER", "CALL", "BITMAP", "COST", "ANSWER")
	for _, r := range list {
		nr, name, cached := number(r.NR), r.Name, "-"
		if r.Last != r.NR {
			nr += "-" + number(r.Last)
		}
		if name == "" {
			name = "(no call)"
		}
		if r.Cacheable {
			cached = "yes"
		}
		if _, err := fmt.Fprintf(p.out, "%-7s %-21s %-24s %-6s %4d  %s\n", r.ABI, nr, name, cached, r.Executed, answer(r.Cases, r.Opaque)); err != nil {
			return err
		}
	}
	return nil
}

// number writes a call's number: those of x32, and what is far beyond, in hexadecimal.
func number(nr uint32) string {
	if nr >= 1<<16 {
		return fmt.Sprintf("%#x", nr)
	}
	return fmt.Sprint(nr)
}

// answer writes cases on one line.
func answer(list []conditions, opaque string) string {
	if opaque != "" {
		return opaque
	}
	var out []string
	for i, c := range list {
		switch when := strings.Join(c.When, " and "); {
		case when != "":
			out = append(out, c.Action+" if "+when)
		case i > 0:
			out = append(out, "else "+c.Action)
		default:
			out = append(out, c.Action)
		}
	}
	return strings.Join(out, ", ")
}

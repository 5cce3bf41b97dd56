package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

// finding is what `seccomp check -o json` prints of each.
type finding struct {
	Kind string `json:"kind"`
	File string `json:"file"`
	Line int    `json:"line"`
	Col  int    `json:"col"`
	Text string `json:"text"`
}

func (p *program) checkCommand() *cobra.Command {
	var t target
	var output string
	c := &cobra.Command{Use: "check SOURCE", Short: "what in a profile does not do what it seems to", Args: cobra.ExactArgs(1),
		Long: "Report unknown names, rules that never decide, conditions on addresses and on half registers, and doors that are left open\n" +
			"through another ABI or an equivalent call. Exit 1 if there is something.\n\n" + sourceHelp,
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := t.read(p, args[0])
			if err != nil {
				return err
			}
			r, err := s.profile()
			if err != nil {
				return err
			}
			list := []finding{}
			for _, f := range r.Check() {
				list = append(list, finding{f.Kind, r.Profile.File, f.At.Line, f.At.Col, f.Msg})
				p.code = exitDenied
			}
			switch output {
			case "json":
				enc := json.NewEncoder(p.out)
				enc.SetIndent("", "  ")
				return enc.Encode(list)
			case "text":
			default:
				return fmt.Errorf("-o %s: text and json exist", output)
			}
			for _, f := range list {
				if _, err := fmt.Fprintf(p.out, "%s:%d:%d: %s: %s\n", f.File, f.Line, f.Col, f.Kind, f.Text); err != nil {
					return err
				}
			}
			return nil
		}}
	t.flags(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"syscallstory/explain"
	"syscallstory/syscalls"
)

func (p *program) lsmCommand() *cobra.Command {
	c := &cobra.Command{Use: "lsm", Short: "what security modules are asked about a call"}
	c.AddCommand(p.lsmHooksCommand())
	return c
}

// hooksFlags are the flags of lsm hooks.
type hooksFlags struct {
	subject
	whatIf
	output string
}

func (p *program) lsmHooksCommand() *cobra.Command {
	var f hooksFlags
	c := &cobra.Command{Use: "hooks -f FILE | --pid PID [flags] CALL...", Short: "the hooks that a call comes to, in their order, with the active modules on each",
		Long: `List the hooks of the kernel's security framework that a call of the subject comes to, in the order in which it does, and on each
the active security modules that have a function there: whether they decide by rules that are known, may refuse by a policy
that is not, or cannot refuse. Hooks behind a check that refuses the call are marked.

Exit status: 0, also where there are none; 2 usage or bad input.`,
		Example: `  story lsm hooks -f pod.yaml --node node.yaml 'open("/data/x", O_WRONLY|O_CREAT, 0600)'
  story lsm hooks --pid 4711 -o json 'rename("/a", "/b")'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New(`name a call such as 'open("/data/x", O_WRONLY)'`)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return p.lsmHooks(&f, args) }}
	s := c.Flags()
	f.subject.flags(s)
	f.whatIf.flags(s)
	s.StringVarP(&f.output, "output", "o", "text", "text or json")
	return c
}

// callHooks is what lsm hooks prints of a call.
type callHooks struct {
	SchemaVersion string             `json:"schemaVersion"`
	Call          string             `json:"call"`
	ModulesKnown  bool               `json:"modulesKnown"` // false: the node's active modules are not known
	Hooks         []explain.HookCall `json:"hooks"`
}

func (p *program) lsmHooks(f *hooksFlags, args []string) error {
	if f.output != "text" && f.output != "json" {
		return fmt.Errorf("-o %s: text and json exist", f.output)
	}
	in, err := f.input(p.in)
	if err != nil {
		return err
	}
	facts, err := f.facts()
	if err != nil {
		return err
	}
	w, err := facts.Over(in).World()
	if err != nil {
		return err
	}
	j, err := bind(w)
	if err != nil {
		return err
	}
	all := []callHooks{}
	for _, a := range args {
		call, err := syscalls.Parse(j.ABI(), a)
		if err != nil {
			return err
		}
		all = append(all, callHooks{"1", call.String(), j.LSMsKnown(), j.Hooks(call)})
	}
	if f.output == "json" {
		enc := json.NewEncoder(p.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if len(all) == 1 {
			return enc.Encode(all[0])
		}
		return enc.Encode(all)
	}
	for i := range all {
		if i > 0 {
			fmt.Fprintln(p.out)
		}
		if err := p.writeHooks(&all[i]); err != nil {
			return err
		}
	}
	return nil
}

// writeHooks prints a row a hook.
func (p *program) writeHooks(c *callHooks) error {
	fmt.Fprintln(p.out, c.Call)
	if !c.ModulesKnown {
		fmt.Fprintln(p.out, "which security modules the node runs is not known: --node FILE with lsm.active")
	}
	if len(c.Hooks) == 0 {
		fmt.Fprintln(p.out, "no hook is reached")
	}
	tw := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for i, h := range c.Hooks {
		var says []string
		for _, m := range h.Modules {
			says = append(says, fmt.Sprintf("%s %s (%s)", m.Name, m.May, m.Reason))
		}
		if len(says) == 0 {
			says = []string{"no active module"}
		}
		mark := ""
		if !h.Reached {
			mark = "  behind the check that refuses"
		}
		fmt.Fprintf(tw, "%2d\t%s\t%s\t%s%s\n", i+1, h.Hook, h.Object, strings.Join(says, "; "), mark)
	}
	return tw.Flush()
}

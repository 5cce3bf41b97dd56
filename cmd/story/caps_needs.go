package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"syscallstory/explain"
	"syscallstory/syscalls"
)

// capsFlags are the flags of caps needs and caps ns.
type capsFlags struct {
	subject
	whatIf
	output string
}

func (f *capsFlags) add(c *cobra.Command) {
	s := c.Flags()
	f.subject.flags(s)
	f.whatIf.flags(s)
	s.StringVarP(&f.output, "output", "o", "text", "text or json")
}

// judge binds a judge to the subject.
func (f *capsFlags) judge(p *program) (*explain.Judge, error) {
	if err := textOrJSON(f.output); err != nil {
		return nil, err
	}
	in, err := f.input(p.in)
	if err != nil {
		return nil, err
	}
	facts, err := f.facts()
	if err != nil {
		return nil, err
	}
	w, err := facts.Over(in).World()
	if err != nil {
		return nil, err
	}
	return bind(w)
}

func (p *program) capsNeedsCommand() *cobra.Command {
	var f capsFlags
	c := &cobra.Command{Use: "needs -f FILE | --pid PID | --world FILE [flags] CALL...", Short: "which capabilities a call asks for, in which user namespace, and whether it is refused without",
		Long: `List the questions for a capability that a call of the subject comes to, in their order: the capability, whose user namespace is
asked, whether the subject has it there, and whether the call is refused without it or another way leads on. Questions behind a
check that refuses the call are marked. What a call does not ask, because mode bits or ids allow it already, is not listed.

Exit status: 0, also where nothing is asked; 2 usage or bad input.`,
		Example: `  story caps needs -f pod.yaml --node node.yaml 'mount("none", "/mnt", "tmpfs", 0, NULL)'
  story caps needs --pid 4711 -o json 'chown("/data/x", 1000, 1000)'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New(`name a call such as 'chown("/data/x", 1000, 1000)'`)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return p.capsNeeds(&f, args) }}
	f.add(c)
	return c
}

func (p *program) capsNeeds(f *capsFlags, args []string) error {
	j, err := f.judge(p)
	if err != nil {
		return err
	}
	var calls []*syscalls.Call
	for _, a := range args {
		call, err := syscalls.Parse(j.ABI(), a)
		if err != nil {
			return err
		}
		calls = append(calls, call)
	}
	var all []*explain.Needs
	for _, c := range calls {
		all = append(all, j.Needs(c))
	}
	if f.output == "json" {
		return encodeAll(p.out, all)
	}
	for i, n := range all {
		if i > 0 {
			fmt.Fprintln(p.out)
		}
		if err := writeNeeds(p.out, n); err != nil {
			return err
		}
	}
	return nil
}

// writeNeeds prints a row a question.
func writeNeeds(out io.Writer, n *explain.Needs) error {
	fmt.Fprintf(out, "%s   %s%s\n", n.Call, n.Verdict, colon(n.Errno))
	if len(n.Needs) == 0 {
		fmt.Fprintln(out, "no capability is asked for")
	}
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i := range n.Needs {
		q := &n.Needs[i]
		fmt.Fprintf(tw, "%2d\t%s\tin %s\t%s\t%s%s\n", i+1, q.Capability, whose(q), has(q), what(q), where(q))
	}
	return tw.Flush()
}

func colon(errno *string) string {
	if errno == nil {
		return ""
	}
	return ": " + *errno
}

// whose names the user namespace that is asked, and why that one.
func whose(q *explain.Need) string {
	words := map[string]string{"initial": "the initial user namespace", "own": "the task's own user namespace", "inode-mapped": "the task's own user namespace, where the file's owner and group are mapped",
		"superblock": "the user namespace of the filesystem", "mount namespace's owner": "the user namespace that owns the mount namespace", "target": "the user namespace of the target",
		"entered": "the user namespace that is entered or set up", "parent": "the parent user namespace", "namespace's owner": "the user namespace that owns the " + q.Namespace + " namespace"}[q.AskedIn]
	switch q.UserNamespace {
	case "":
		return words + " (not known)"
	case "initial":
		if q.AskedIn == "initial" {
			return words
		}
	}
	return words + " (" + q.UserNamespace + ")"
}

func has(q *explain.Need) string {
	who := "the task"
	if q.Of == "opener" {
		who = "who opened the file"
	}
	switch q.Has {
	case "yes":
		return who + " has it there"
	case "no":
		return who + " does not have it there"
	}
	return "whether " + who + " has it there is not known"
}

func what(q *explain.Need) string {
	switch q.Required {
	case "yes":
		return "refused without" + colon(q.Without.Errno)
	case "no":
		return "not refused for lack of it"
	}
	return "what follows without it is not known"
}

// where names the object and what stands before it.
func where(q *explain.Need) string {
	var rest []string
	if q.Object != "" {
		rest = append(rest, q.Op+" "+q.Object)
	}
	if q.Code != "" {
		rest = append(rest, q.Code)
	}
	if !q.Reached {
		rest = append(rest, "behind the check that refuses")
	}
	if len(rest) == 0 {
		return ""
	}
	return " (" + strings.Join(rest, ", ") + ")"
}

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"syscallstory/probe"
	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

// difference is what `seccomp diff -o json` prints.
type difference struct {
	A        string   `json:"a"`
	B        string   `json:"b"`
	Relation string   `json:"relation"` // equal, answers, subset, superset or incomparable: a to b
	Changes  []change `json:"changes"`
}

type change struct {
	ABI      string       `json:"abi"`
	NR       uint32       `json:"nr"`
	Last     uint32       `json:"last"`
	Name     string       `json:"name,omitempty"`
	Relation string       `json:"relation"`
	A        []conditions `json:"a"`
	B        []conditions `json:"b"`
	Example  example      `json:"example"`
	is       seccomp.Change
}

// example is a call that two filters answer differently.
type example struct {
	Call      string `json:"call"`
	A         string `json:"a"`
	B         string `json:"b"`
	Performed *bool  `json:"performed,omitempty"` // whether the kernel has answered so, where it was asked
	Why       string `json:"why,omitempty"`       // why it was not, or what it did instead
}

var relationWords = map[seccomp.Relation]string{
	seccomp.Equal:        "A and B answer every call alike",
	seccomp.Answers:      "A and B allow the same calls, but refuse some in different ways",
	seccomp.Subset:       "A allows less than B (a subset)",
	seccomp.Superset:     "A allows more than B (a superset)",
	seccomp.Incomparable: "A and B each allow calls that the other refuses (incomparable)",
}

func (p *program) diffCommand() *cobra.Command {
	var t target
	var output string
	var offline bool
	c := &cobra.Command{Use: "diff A B", Short: "what two profiles or filters answer differently, with an example of each difference", Args: cobra.ExactArgs(2),
		Long: "Compare two sources call by call: every ABI, number and argument. Each difference comes with a call that shows it. The first\n" +
			"examples are performed, of x86_64 and i386: a child loads each side's filters below a guard that keeps the call itself from running.\n\n" + sourceHelp,
		RunE: func(_ *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("-o %s: text and json exist", output)
			}
			a, err := t.read(p, args[0])
			if err != nil {
				return err
			}
			b, err := t.read(p, args[1])
			if err != nil {
				return err
			}
			d, err := seccomp.Diff(a.stack(), b.stack())
			if err != nil {
				return err
			}
			out := difference{A: args[0], B: args[1], Relation: string(d.Relation), Changes: []change{}}
			for _, c := range d.Changes {
				x := change{c.ABI.String(), c.NR, c.Last, c.Name, string(c.Relation), inCases(c.A), inCases(c.B), example{inCall(c), c.AtA.String(), c.AtB.String(), nil, ""}, c}
				if c.Foreign {
					x.ABI = "other"
				}
				out.Changes = append(out.Changes, x)
			}
			if !offline && !out.perform(a.stack(), b.stack()) {
				p.code = exitDisagree
			}
			if d.Relation != seccomp.Equal {
				p.code = max(p.code, exitDenied)
			}
			return p.printDifference(out, output)
		}}
	t.flags(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	c.Flags().BoolVar(&offline, "offline", false, "do not perform the examples")
	return c
}

// maxPerformed bounds how many examples are performed beside the first of each kind of change.
const maxPerformed = 64

// perform asks the kernel for the examples, and reports whether it answers as predicted.
func (d *difference) perform(a, b seccomp.Stack) bool {
	ok, n := true, 0
	first := map[string]bool{}
	for i := range d.Changes {
		c := &d.Changes[i]
		if first[c.kind()] && n >= maxPerformed {
			continue
		}
		first[c.kind()] = true
		n++
		c.Example.perform(c.is, a, b)
		ok = ok && (c.Example.Performed == nil || *c.Example.Performed)
	}
	return ok
}

// inCall writes the example as a call.
func inCall(c seccomp.Change) string {
	x := c.Example
	name := c.Name
	if name == "" {
		name = fmt.Sprintf("syscall_%#x", x.NR)
	}
	n := 0
	for i, a := range x.Args {
		if a != 0 {
			n = i + 1
		}
	}
	params, _ := syscalls.Params(c.Name)
	n = max(n, len(params))
	args := make([]string, n)
	for i := range args {
		a := x.Args[i]
		args[i] = fmt.Sprintf("%#x", a)
		switch pointer := i < len(params) && params[i].Pointer(); {
		case pointer && a == 0:
			args[i] = "NULL"
		case !pointer && a < 10:
			args[i] = fmt.Sprint(a)
		}
	}
	return name + "(" + strings.Join(args, ", ") + ")"
}

// perform asks the kernel for both answers.
func (e *example) perform(c seccomp.Change, a, b seccomp.Stack) {
	_, unfiltered := seccomp.Unfiltered(c.ABI, c.Name)
	switch {
	case unfiltered:
		e.Why = "newer kernels ask no filter about this call"
		return
	case c.Foreign || c.ABI.Audit() != syscalls.X8664.Audit() && c.ABI != syscalls.I386:
		e.Why = "only calls of x86_64 and i386 are performed"
		return
	case c.ABI == syscalls.I386 && !hasI386():
		e.Why = "this kernel takes no calls of i386"
		return
	}
	for _, side := range []struct {
		s    seccomp.Stack
		want seccomp.Action
	}{{a, c.AtA}, {b, c.AtB}} {
		got, err := answered(side.s, &c.Example)
		if err != nil {
			e.Why = err.Error()
			return
		}
		if same := got == guarded(side.want); !same || e.Performed == nil {
			e.Performed = &same
			if !same {
				e.Why = fmt.Sprintf("the kernel answers %s where %v was predicted", got, side.want)
				return
			}
		}
	}
}

// guardErrno is what the guard answers: no filter of use has it.
const guardErrno = 4001

// guarded says what is seen of an action below the guard.
func guarded(a seccomp.Action) string {
	switch a.Kind() {
	case seccomp.Errno:
		return fmt.Sprintf("ERRNO(%d)", a.Data())
	case seccomp.KillProcess, seccomp.KillThread, seccomp.Trap:
		return "SIGSYS"
	}
	return "passes"
}

// child is the task that performs, without filters.
func child() *probe.Task {
	t := &probe.Task{Timeout: 2 * time.Second}
	t.Cred = probe.Cred{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Bounding: ^uint64(0), NoNewPrivs: true}
	return t
}

// hasI386 asks the kernel for the process's id as i386 does.
var hasI386 = sync.OnceValue(func() bool {
	nr, _ := syscalls.Lookup(syscalls.I386, "getpid")
	r, err := probe.Run(child(), []probe.Call{{NR: uint64(nr), I386: true}})
	return err == nil && len(r) == 1 && r[0].Signal == 0 && r[0].Ret > 0
})

// answered has a child load filters and make the call. Below them lies a guard, a filter that refuses this one call with an errno of
// its own: what is stricter shows, what is laxer shows as the guard's errno, and the call is never made.
func answered(s seccomp.Stack, x *seccomp.Data) (string, error) {
	i386 := x.Arch == syscalls.I386.Audit()
	for _, name := range []string{"seccomp", "prctl", "exit", "exit_group"} {
		if nr, _ := syscalls.Lookup(syscalls.X8664, name); nr == x.NR && !i386 {
			return "", fmt.Errorf("the child that performs needs this call itself")
		}
	}
	guard := probe.Filter{}.Append(0x20, 0, 0, 4).Append(0x15, 0, 3, x.Arch).Append(0x20, 0, 0, 0).Append(0x15, 0, 1, x.NR).Append(0x06, 0, 0, uint32(seccomp.Errno)|guardErrno).Append(0x06, 0, 0, uint32(seccomp.Allow))
	task := child()
	task.Filters = []probe.Filter{guard}
	for _, f := range s {
		task.Filters = append(task.Filters, probe.Filter(f.Raw()))
	}
	call := probe.Call{NR: uint64(x.NR), I386: i386}
	for i, a := range x.Args {
		call.Args[i].Val = a
	}
	r, err := probe.Run(task, []probe.Call{call})
	switch {
	case err != nil:
		return "", err
	case len(r) != 1 || r[0].Skipped || r[0].Blocked:
		return "", fmt.Errorf("the child did not make the call")
	case r[0].Signal != 0:
		return map[bool]string{true: "SIGSYS", false: fmt.Sprintf("signal %d", r[0].Signal)}[r[0].Signal == 31], nil
	case r[0].Ret == -guardErrno:
		return "passes", nil
	case r[0].Ret <= 0 && r[0].Ret > -4096:
		return fmt.Sprintf("ERRNO(%d)", -r[0].Ret), nil
	}
	return fmt.Sprintf("result %d", r[0].Ret), nil
}

func (p *program) printDifference(d difference, output string) error {
	if output == "json" {
		enc := json.NewEncoder(p.out)
		enc.SetIndent("", "  ")
		return enc.Encode(d)
	}
	fmt.Fprintf(p.out, "A: %s\nB: %s\n%s\n", d.A, d.B, relationWords[seccomp.Relation(d.Relation)])
	sign := map[string]string{"subset": "-", "superset": "+", "incomparable": "±", "answers": "~"}
	for _, g := range alike(d.Changes) {
		c := g[0]
		var names []string
		for _, x := range g {
			names = append(names, x.label())
		}
		fmt.Fprintf(p.out, "\n%s %s:%s\n    A: %s\n    B: %s\n", sign[c.Relation], c.ABI, wrapped(names), answer(c.A, many(c.A)), answer(c.B, many(c.B)))
		fmt.Fprintf(p.out, "    %s: A %s, B %s", c.Example.Call, c.Example.A, c.Example.B)
		performed, wrong := 0, ""
		for _, x := range g {
			if x.Example.Performed != nil {
				performed++
				if !*x.Example.Performed {
					wrong = x.Example.Call + ": " + x.Example.Why
				}
			}
		}
		switch {
		case wrong != "":
			fmt.Fprintf(p.out, "   (DISAGREES: %s)", wrong)
		case performed == 0 && c.Example.Why != "":
			fmt.Fprintf(p.out, "   (not performed: %s)", c.Example.Why)
		case performed > 0 && len(g) > 1:
			fmt.Fprintf(p.out, "   (%d of %d performed: the kernel answers so)", performed, len(g))
		case performed > 0:
			fmt.Fprint(p.out, "   (performed: the kernel answers so)")
		}
		if _, err := fmt.Fprintln(p.out); err != nil {
			return err
		}
	}
	return nil
}

// label is a change's call, or its numbers where no call has them.
func (c *change) label() string {
	switch {
	case c.Name != "":
		return c.Name
	case c.Last != c.NR:
		return number(c.NR) + "-" + number(c.Last)
	}
	return number(c.NR)
}

// kind is the same for changes that only the call distinguishes.
func (c *change) kind() string { return fmt.Sprint(c.ABI, c.Relation, c.A, c.B) }

// alike groups the changes of an ABI that are the same, in the order of the first ones.
func alike(list []change) [][]change {
	var out [][]change
	at := map[string]int{}
	for _, c := range list {
		i, ok := at[c.kind()]
		if !ok {
			i = len(out)
			at[c.kind()], out = i, append(out, nil)
		}
		out[i] = append(out[i], c)
	}
	return out
}

// wrapped writes words on lines that a terminal holds.
func wrapped(words []string) string {
	var b strings.Builder
	at := 10
	for _, w := range words {
		if at+1+len(w) > 100 {
			b.WriteString("\n   ")
			at = 3
		}
		b.WriteString(" " + w)
		at += 1 + len(w)
	}
	return b.String()
}

func many(list []conditions) string {
	if len(list) == 0 {
		return "more conditions than can be listed"
	}
	return ""
}

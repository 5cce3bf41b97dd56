package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

// maxRecording is the largest recording that is read, in bytes.
const maxRecording = 256 << 20

func (p *program) adviseCommand() *cobra.Command {
	var t target
	var base, output string
	var args bool
	c := &cobra.Command{Use: "advise RECORDING", Short: "the least profile that allows a recording's calls", Args: cobra.ExactArgs(1),
		Long: "Print the least profile that allows the calls of a recording (strace's text or one call a line; - for standard input). It is\n" +
			"proved to allow each of them, and to allow nothing that the base profile refuses; calls that the base refuses stay refused,\n" +
			"are listed, and make the exit code 1. -o json prints the profile together with what is told about it.",
		RunE: func(_ *cobra.Command, names []string) error {
			if output != "profile" && output != "json" {
				return fmt.Errorf("-o %s: profile and json exist", output)
			}
			s, err := t.read(p, base)
			if err != nil {
				return err
			}
			r, err := s.profile()
			if err != nil {
				return err
			}
			calls, err := p.recording(names[0], s.abi)
			if err != nil {
				return err
			}
			a, err := seccomp.Advise(r, calls, args)
			if err != nil {
				return err
			}
			if err := p.printAdvice(a, base, output); err != nil {
				return err
			}
			if len(a.Refused) > 0 {
				p.code = exitDenied
			} else if len(a.Unproved) > 0 {
				p.code = exitUndetermined
			}
			return nil
		}}
	t.flags(c.Flags())
	c.Flags().StringVar(&base, "base", "docker", "the profile that must not be exceeded: a SOURCE")
	c.Flags().StringVarP(&output, "output", "o", "profile", "profile, or json for the profile with what it was made of")
	c.Flags().BoolVar(&args, "args", false, "allow calls that do many things, such as socket or prctl, only with the arguments that were recorded")
	return c
}

// advice is what `seccomp advise -o json` prints.
type advice struct {
	Profile      json.RawMessage `json:"profile"`
	Base         string          `json:"base"`
	Calls        int             `json:"calls"`    // different ones of the recording that the profile was made for
	Names        []string        `json:"names"`    // allowed because the recording has them
	Always       []string        `json:"always"`   // allowed although a recording cannot show them
	Refused      []string        `json:"refused"`  // recorded, and refused by the base
	Unproved     []string        `json:"unproved"` // recorded, and allowed or refused by the base depending on an argument that is not known
	Fallback     []string        `json:"fallback"` // of the refused, names that fail with ENOSYS, on which programs make an older call
	Instructions int             `json:"instructions"`
}

func (p *program) printAdvice(a *seccomp.Advice, base, output string) error {
	if output == "json" {
		enc := json.NewEncoder(p.out)
		enc.SetIndent("", "  ")
		return enc.Encode(advice{a.Profile.JSON(), base, a.Calls, append([]string{}, a.Names...), append([]string{}, a.Always...), texts(a.Refused), texts(a.Unproved), append([]string{}, a.Fallback...), len(a.Program)})
	}
	if _, err := p.out.Write(a.Profile.JSON()); err != nil {
		return err
	}
	fmt.Fprintf(p.errs, "%d different calls of %d names, and %s, which a recording cannot show: %d instructions, proved to allow them and nothing that %s refuses\n",
		a.Calls, len(a.Names), strings.Join(a.Always, " "), len(a.Program), base)
	p.tell(a.Refused, "refused by the base profile")
	for _, name := range a.Fallback {
		fmt.Fprintf(p.errs, "%s: refused with ENOSYS, on which programs make an older call: record them under %s to see which\n", name, base)
	}
	p.tell(a.Unproved, "allowed or refused by the base profile, depending on an argument that the recording does not hold")
	return nil
}

// texts writes calls, each once.
func texts(calls []*syscalls.Call) []string {
	out := []string{}
	seen := map[string]bool{}
	for _, c := range calls {
		if s := c.String(); !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// tell lists calls on standard error, each name's first ones.
func (p *program) tell(calls []*syscalls.Call, what string) {
	seen := map[string]int{}
	for _, c := range calls {
		if seen[c.Name]++; seen[c.Name] <= 3 {
			fmt.Fprintf(p.errs, "%s: %v\n", what, c)
		}
	}
}

// recording reads calls, one a line; what strace prints beside them is passed over.
func (p *program) recording(name string, abi syscalls.ABI) ([]*syscalls.Call, error) {
	in, where := p.in, "<stdin>"
	if name != "-" {
		text, err := readFile(name, maxRecording)
		if err != nil {
			return nil, err
		}
		in, where = bytes.NewReader(text), name
	}
	var out []*syscalls.Call
	err := eachCall(in, where, abi, func(c *syscalls.Call, r syscalls.Result) error {
		out = append(out, c)
		return nil
	})
	return out, err
}

// noCall is an empty line, a comment, or one of strace's that tells of a signal, an exit or strace itself.
var noCall = regexp.MustCompile(`^$|^#|^(\[pid +\d+\] |\d+ +)?(\d[\d:.]* +)?(\+\+\+|---) |^strace: `)

// eachCall reads a stream of calls. Lines of strace that are no calls are passed over.
func eachCall(in io.Reader, where string, abi syscalls.ABI, visit func(*syscalls.Call, syscalls.Result) error) error {
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 0, 64<<10), syscalls.MaxLen+1)
	n, told := 0, 0
	var halves syscalls.Halves
	read := func(line string) error {
		if noCall.MatchString(line) {
			return nil
		}
		c, r, err := syscalls.ParseLine(abi, line)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", where, n, err)
		}
		told++
		return visit(c, r)
	}
	for sc.Scan() {
		n++
		if err := read(strings.TrimSpace(halves.Join(strings.TrimSpace(sc.Text())))); err != nil {
			return err
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", where, n+1, err)
	}
	for _, line := range halves.Rest() {
		if err := read(line); err != nil {
			return fmt.Errorf("a call that never came to its end: %w", err)
		}
	}
	if told == 0 {
		return errors.New(where + ": there is no call in it")
	}
	return nil
}

func (p *program) mergeCommand() *cobra.Command {
	var t target
	var mode string
	c := &cobra.Command{Use: "merge PROFILE PROFILE...", Short: "compose profiles to one", Args: cobra.MinimumNArgs(2),
		Long: "Compose profiles to one, and prove that it means what the mode says:\n" +
			"  intersect  the strictest of the answers, as the kernel gives with all filters loaded, the last one as the newest\n" +
			"  union      the laxest of the answers; among equal actions the last profile's errno\n" +
			"  override   a call that a later profile names is answered as there; the first profile's default action stays\n\n" + sourceHelp,
		RunE: func(_ *cobra.Command, args []string) error {
			m := seccomp.Mode(mode)
			if m != seccomp.Intersect && m != seccomp.Union && m != seccomp.Override {
				return fmt.Errorf("--mode %s: intersect, union and override exist", mode)
			}
			var list []*seccomp.Resolved
			for _, a := range args {
				s, err := t.read(p, a)
				if err != nil {
					return err
				}
				r, err := s.profile()
				if err != nil {
					return err
				}
				list = append(list, r)
			}
			merged, err := seccomp.Merge(m, "merged", list...)
			if err != nil {
				return err
			}
			_, err = p.out.Write(merged.JSON())
			return err
		}}
	t.flags(c.Flags())
	c.Flags().StringVar(&mode, "mode", "intersect", "intersect, union or override")
	return c
}

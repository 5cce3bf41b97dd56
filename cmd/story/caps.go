package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"syscallstory/story"
	"syscallstory/syscalls"
)

func (p *program) capsCommand() *cobra.Command {
	c := &cobra.Command{Use: "caps", Short: "what capabilities mean, which a call asks for and where, what an execve leaves of them"}
	c.AddCommand(p.capsDecodeCommand(), p.capsNeedsCommand(), p.capsExecCommand(), p.capsNSCommand())
	return c
}

func (p *program) capsExecCommand() *cobra.Command {
	var f explainFlags
	c := &cobra.Command{Use: "exec -f FILE [flags] PROGRAM", Short: "what an execve of a program would leave: ids, the five capability sets, and each rule that counts", Args: cobra.ExactArgs(1),
		Long: "Judge an execve of PROGRAM by a container's first process, and print what changes in its credentials, with every rule that has counted.\n\n" +
			"Exit status: 0 it is executed, 1 it is not, 2 usage or bad input, 3 undetermined. -o json prints the story of the execve.",
		RunE: func(_ *cobra.Command, args []string) error { return p.capsExec(&f, args[0]) }}
	s := c.Flags()
	f.subject.flags(s)
	f.whatIf.flags(s)
	f.view.flags(s)
	return c
}

func (p *program) capsExec(f *explainFlags, path string) error {
	if err := f.view.check(); err != nil {
		return err
	}
	in, err := f.input(p.in)
	if err != nil {
		return err
	}
	facts, err := f.facts()
	if err != nil {
		return err
	}
	t := &teller{in: facts.Over(in), f: f, w: newWriter(p.out, f.view)}
	if err := t.bind(); err != nil {
		return err
	}
	quoted := strconv.Quote(path)
	call, err := syscalls.Parse(t.j.ABI(), "execve("+quoted+", ["+quoted+"], [])")
	if err != nil {
		return err
	}
	if f.output != "text" {
		f.quiet = true // no search for fixes
		err := t.write(t.judged(t.j, t.j.Story(call), syscalls.Made{Call: call}, nil, nil))
		if p.code = t.code; err != nil {
			return err
		}
		return t.w.close()
	}
	s := t.j.Story(call)
	p.code = map[string]int{"allowed": exitAllowed, "undetermined": exitUndetermined}[s.Verdict]
	if s.Verdict != "allowed" && s.Verdict != "undetermined" {
		p.code = exitDenied
	}
	p.leaves(s)
	return nil
}

// leaves prints the verdict, the rules and what changes.
func (p *program) leaves(s *story.Story) {
	errno := ""
	if s.Errno != nil {
		errno = ": " + *s.Errno
	}
	fmt.Fprintf(p.out, "%s   %s%s\n", s.Call.Text, s.Verdict, errno)
	changes := 0
	for _, e := range s.Effects {
		if e.Kind == "credentials" {
			fmt.Fprintf(p.out, "  %-11s%s → %s\n", e.Name, e.Before, e.After)
			changes++
		}
	}
	if changes == 0 && s.Verdict == story.Allowed.String() {
		fmt.Fprintln(p.out, "  ids and capability sets stay as they are")
	}
	for i := range s.Steps {
		if e := &s.Steps[i]; e.Op == story.OpBecome.String() || e.Code == story.ExecScript.String() || e.Code == story.ExecLoader.String() || e.Decides || e.Outcome == story.Unknown.String() {
			fmt.Fprintf(p.out, "  %s  %s\n", e.Code, e.Text)
		}
	}
}

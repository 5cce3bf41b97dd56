// Command story tells what the kernel does with a syscall in a container, and why.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"syscallstory/container"
	"syscallstory/seccomp"
)

// Exit codes, as docs/architecture.md gives them.
const (
	exitAllowed      = 0
	exitDenied       = 1
	exitUsage        = 2
	exitUndetermined = 3
	exitDisagree     = 4
	exitIncapable    = 5
	// With a command behind --, story's own failures.
	exitFailed        = 125
	exitNotExecutable = 126
	exitNotFound      = 127
)

// exitOrder is the order in which several calls' codes count: the first that applies.
var exitOrder = []int{exitUsage, exitIncapable, exitDisagree, exitUndetermined, exitDenied, exitAllowed}

// worse returns the one of two exit codes that counts.
func worse(a, b int) int {
	for _, c := range exitOrder {
		if a == c || b == c {
			return c
		}
	}
	return a
}

// version is set by the linker.
var version = "development"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// program is what a command needs beside its flags.
type program struct {
	in        io.Reader
	out, errs io.Writer
	code      int // what it ends with
}

// run is the program without the process around it.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	p := &program{in: in, out: out, errs: errs}
	root := &cobra.Command{Use: "story", Short: "what the kernel does with a syscall in a container, and why", SilenceErrors: true, SilenceUsage: true}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(p.explainCommand(), p.runCommand(), p.doctorCommand(), p.seccompCommand(), p.capsCommand(), p.lsmCommand(), p.selinuxCommand(), p.verifyCommand(), p.mountsCommand(), p.overlayCommand(), p.snapshotCommand(), &cobra.Command{Use: "version", Short: "print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { _, err := fmt.Fprintln(out, "story", version); return err }})
	for _, c := range root.Commands() { // a word that is none of its commands is an error, not a wish for help
		if c.HasSubCommands() && !c.Runnable() {
			c.Args, c.RunE = oneOfIts, func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { // without the words of the package that has read a number
		text, _, parsed := strings.Cut(err.Error(), ": strconv.")
		if parsed {
			return errors.New(text)
		}
		return err
	})
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	if err := root.Execute(); err != nil {
		fmt.Fprintln(errs, "story:", err)
		var incapable *container.Incapable
		var open undetermined
		var many *seccomp.UndeterminedError
		switch {
		case p.code >= exitFailed:
			return p.code
		case errors.As(err, &incapable):
			return exitIncapable
		case errors.As(err, &open), errors.As(err, &many):
			return exitUndetermined
		}
		return exitUsage
	}
	return p.code
}

// oneOfIts refuses words behind a command that only has commands of its own.
func oneOfIts(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		text += ": is it " + strings.Join(near, " or ") + "?"
	}
	return errors.New(text)
}

// some asks for an argument in words that say what.
func some(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return errors.New("name " + what)
		}
		return nil
	}
}

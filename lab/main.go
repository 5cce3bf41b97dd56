// Command lab runs programs on other kernels than this machine's own: Debian's 6.1 and 6.12, in virtual machines under
// qemu's software emulation. Nothing is installed, and no root is needed.
//
//	go run ./lab run --kernel 6.12 -- story verify seccomp --count 2000
//	go run ./lab run --kernel 6.1 -- uname -a
//	go run ./lab run -- ./a-static-program with arguments
//	go run ./lab verify
//
// docs/lab.md tells more.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"syscallstory/lab/machine"
)

// Exit codes of the lab's own; else a run's is that of its program.
const (
	exitUsage       = 2
	exitDisagree    = 4   // an area of verify
	exitUnavailable = 5   // this computer lacks something
	exitTimeout     = 124 // as timeout(1)
	exitFailed      = 125 // the machine did not do what it should
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// program is what a command needs beside its flags.
type program struct {
	in        io.Reader
	out, errs io.Writer
	cache     string
	code      int
}

// usage is an error of the command line.
type usage struct{ error }

// run is the program without the process around it.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	p := &program{in: in, out: out, errs: errs}
	root := &cobra.Command{Use: "lab", Short: "run programs on Debian's kernels 6.1 and 6.12 in virtual machines", SilenceErrors: true, SilenceUsage: true}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVar(&p.cache, "cache", "", "directory for packages and saved machines (default: syscallstory/lab in the user's cache)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage{err} })
	root.AddCommand(p.runCommand(), p.verifyCommand(), p.fetchCommand(), p.cleanCommand())
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return p.code
	}
	fmt.Fprintln(errs, "lab:", err)
	var bad usage
	switch {
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, machine.ErrTimeout):
		return exitTimeout
	case machine.Unavailable(err):
		return exitUnavailable
	case errors.As(err, &bad):
		return exitUsage
	}
	return exitFailed
}

// lab opens the cache.
func (p *program) lab() (*machine.Lab, error) {
	dir := p.cache
	if dir == "" {
		var err error
		if dir, err = machine.DefaultDir(); err != nil {
			return nil, err
		}
	}
	return machine.Open(dir, p.errs)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"syscallstory/lab/image"
	"syscallstory/lab/machine"
)

// runFlags are the flags of lab run.
type runFlags struct {
	spec    machine.Spec
	timeout time.Duration
	env     []string
	copies  []string
	files   []string
	label   string
	selinux bool
	console bool
	verbose bool
}

func (p *program) runCommand() *cobra.Command {
	var o runFlags
	c := &cobra.Command{Use: "run [flags] -- PROGRAM [ARG]...", Short: "run a program in a machine, with its output and exit code", Args: atLeastOne,
		Long: "Run a program as root in a fresh machine. PROGRAM is story, which is built from this module's source; test:DIR, the test binary of\n" +
			"the package there; a static program of this computer, if the name has a slash; or a program of the guest (busybox's, mke2fs …).\n" +
			"Standard input, output and error are passed on, and the exit code is the program's: 128 and the signal where one killed it.",
		RunE: func(c *cobra.Command, args []string) error {
			lab, err := p.lab()
			if err != nil {
				return err
			}
			return p.runOne(c.Context(), lab, &o, args)
		}}
	f := c.Flags()
	f.StringVar(&o.spec.Series, "kernel", "6.12", "series of the kernel: "+strings.Join(machine.Series, ", "))
	f.StringVar(&o.spec.Append, "append", "", "more of the kernel's command line, as \"lsm=landlock,selinux,bpf selinux=1\"")
	f.IntVar(&o.spec.CPUs, "cpus", 0, "processors of the guest (default 1)")
	f.IntVar(&o.spec.MemoryMB, "memory", 0, "its memory in MiB (default 2048)")
	f.BoolVar(&o.spec.Cold, "cold", false, "boot, and neither use nor leave a saved machine")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "end the machine if the program takes longer")
	f.StringArrayVar(&o.env, "env", nil, "NAME=VALUE for the program")
	f.StringArrayVar(&o.copies, "copy", nil, "FILE[:PATH], a file or directory put into the guest before the run; PATH begins at /root")
	f.StringArrayVar(&o.files, "image-file", nil, "FILE:PATH, put into the guest's root before it boots, as a policy")
	f.BoolVar(&o.selinux, "selinux", false, "start SELinux with Debian's policy and its modules for containers; it is permissive until the program says otherwise")
	f.StringVar(&o.label, "label", "", "security context of the program's exec")
	f.BoolVar(&o.console, "console", false, "show the guest's console on standard error")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "say how long things took")
	return c
}

func atLeastOne(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage{errors.New("no program was given behind --")}
	}
	return nil
}

// runOne starts a machine, runs the program and takes over its exit code.
func (p *program) runOne(ctx context.Context, lab *machine.Lab, o *runFlags, args []string) error {
	if o.console {
		o.spec.Console = p.errs
	}
	for _, f := range o.files {
		from, to, ok := strings.Cut(f, ":")
		if !ok {
			return usage{fmt.Errorf("--image-file %s: FILE:PATH is needed", f)}
		}
		o.spec.Files = append(o.spec.Files, image.File{Name: strings.TrimPrefix(path.Clean(to), "/"), Mode: 0o644, Source: from})
	}
	if o.selinux {
		policy, err := lab.Policy(ctx)
		if err != nil {
			return err
		}
		o.spec.SELinux(policy)
	}
	cmd, err := command(ctx, lab, args)
	if err != nil {
		return err
	}
	for _, f := range o.copies {
		files, err := copied(f)
		if err != nil {
			return usage{err}
		}
		cmd.Files = append(cmd.Files, files...)
	}
	cmd.Env, cmd.Label = o.env, o.label
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.in, p.out, p.errs
	m, err := lab.Start(ctx, o.spec)
	if err != nil {
		return err
	}
	defer m.Close()
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	exit, err := m.Run(ctx, cmd)
	if o.verbose && err == nil {
		how := map[bool]string{true: "resumed", false: "booted"}[m.Resumed]
		fmt.Fprintf(p.errs, "lab: Linux %s %s in %.2f s; the program took %.2f s\n", m.Hello.Release, how, m.Taken.Seconds(), exit.Taken)
	}
	p.code = exit.Code
	return err
}

// command says how a program gets into the guest.
func command(ctx context.Context, lab *machine.Lab, args []string) (machine.Command, error) {
	cmd := machine.Command{Args: append([]string{}, args...)}
	name := args[0]
	dir, isTest := strings.CutPrefix(name, "test:")
	var err error
	switch {
	case name == "story":
		name, err = lab.Build(ctx, "syscallstory/cmd/story", false)
	case isTest:
		name, err = lab.Build(ctx, dir, true)
	case !strings.Contains(name, "/"):
		return cmd, nil
	}
	if err != nil {
		return cmd, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return cmd, usage{err}
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return cmd, usage{fmt.Errorf("%s is not a program", name)}
	}
	at := "usr/bin/" + filepath.Base(name)
	cmd.Args[0] = "/" + at
	cmd.Files = []image.File{{Name: at, Mode: 0o755, Source: name}}
	return cmd, nil
}

// copied reads FILE[:PATH].
func copied(arg string) ([]image.File, error) {
	from, to, ok := strings.Cut(arg, ":")
	if !ok {
		to = filepath.Base(from)
	}
	to = strings.TrimPrefix(path.Join("/root", to), "/")
	if strings.HasPrefix(arg[len(from):], ":/") {
		to = strings.TrimPrefix(path.Clean(arg[len(from)+1:]), "/")
	}
	files, err := image.Tree(from, to)
	for _, f := range files {
		if t := f.Mode.Type(); t != 0 && t != fs.ModeDir && t != fs.ModeSymlink {
			return nil, fmt.Errorf("--copy %s: %s is neither a file, a directory nor a link", arg, f.Source)
		}
	}
	return files, err
}

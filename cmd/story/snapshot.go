package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"syscallstory/from/node"
	"syscallstory/syscalls"
	"syscallstory/world"
)

func (p *program) snapshotCommand() *cobra.Command {
	var s subject
	var g world.Gather
	var policy string
	c := &cobra.Command{Use: "snapshot -f FILE | --pid PID [flags] [CALL...] | node", Short: "write a task's world, or this machine's facts, to a file from which the same story is told elsewhere",
		Long: `Write all that is known of a task to standard output: explain --world FILE tells from it what it would have told here.

Of the files, names, owners, modes and links go in, never what they contain: of programs the interpreter and the ELF headers. Each mount is
read down to --depth directories, up to --entries names in all, and what the given calls and --path ask for. What was not read is unknown
later, and the story says so. Where SELinux is active, its policy goes in too (Debian's takes 0.9 MB), and story selinux takes the snapshot as --policy.

snapshot node writes the facts of this machine in the form that --node reads.`,
		Example: `  story snapshot --pid 4711 'open("/data/x", O_WRONLY)' > world.json
  story explain --world world.json 'open("/data/x", O_WRONLY)'
  story snapshot node > node.yaml`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "node" {
				n, err := node.Local()
				if err != nil {
					return err
				}
				return n.Write(p.out)
			}
			return p.snapshot(&s, g, policy, args)
		}}
	f := c.Flags()
	s.flags(f)
	f.StringVar(&policy, "policy", "", "SELinux's binary policy, where it is not the running kernel's or that cannot be read")
	f.IntVar(&g.Depth, "depth", 5, "directories below the root of each mount that are read")
	f.IntVar(&g.Entries, "entries", 20000, "names that are read in all")
	f.StringArrayVar(&g.Paths, "path", nil, "a directory that is read whole; may be given several times")
	return c
}

func (p *program) snapshot(s *subject, g world.Gather, policy string, calls []string) error {
	if g.Depth < 0 || g.Entries < 0 || g.Entries > 500000 {
		return errors.New("--depth and --entries: they are not negative, and at most 500000 names are read")
	}
	in, err := s.input(p.in)
	if err != nil {
		return err
	}
	w, err := in.World()
	if err != nil {
		return err
	}
	if policy != "" {
		var o world.WhatIf
		if o.Policy, err = worldPolicy(policy); err != nil {
			return err
		}
		if err := o.Apply(w); err != nil {
			return err
		}
	}
	j, err := bind(w)
	if err != nil {
		return err
	}
	for _, text := range calls {
		c, _, err := syscalls.ParseLine(j.ABI(), text)
		if err != nil {
			return err
		}
		j.Story(c)
	}
	n, err := w.Gather(g)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.errs, "%d names were read ahead\n", n)
	if err := packPolicy(&w.SELinux); err != nil {
		fmt.Fprintf(p.errs, "the snapshot does not hold the SELinux policy, which explain then needs with --policy: %v\n", err)
	}
	return w.WriteSnapshot(p.out)
}

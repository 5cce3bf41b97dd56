package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"syscallstory/lab/machine"
)

func (p *program) fetchCommand() *cobra.Command {
	var kernels []string
	var update bool
	c := &cobra.Command{Use: "fetch", Short: "download packages, save a machine for each kernel and build an SELinux policy, where that is not done", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		lab, err := p.lab()
		if err != nil {
			return err
		}
		for _, k := range kernels {
			release, err := lab.Fetch(c.Context(), k, update)
			if err != nil {
				return err
			}
			fmt.Fprintln(p.out, "Linux", release, "is there")
		}
		switch _, err := lab.Policy(c.Context()); {
		case machine.Unavailable(err):
			fmt.Fprintln(p.out, "there is no SELinux policy:", err)
		case err != nil:
			return err
		}
		return nil
	}}
	c.Flags().StringSliceVar(&kernels, "kernel", machine.Series, "series of the kernels")
	c.Flags().BoolVar(&update, "update", false, "ask apt for newer packages")
	return c
}

func (p *program) cleanCommand() *cobra.Command {
	return &cobra.Command{Use: "clean", Short: "remove packages and saved machines", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		lab, err := p.lab()
		if err != nil {
			return err
		}
		return lab.Clean(c.Context())
	}}
}

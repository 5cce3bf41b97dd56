package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"syscallstory/lab/machine"
)

// area is a part of the model that is verified on every kernel, with arguments that keep it under a minute of an emulated
// processor.
type area struct {
	name    string
	args    []string
	selinux bool // on a machine with SELinux and a policy
}

// areas is the one list of them: lab verify, make lab and make test go through it.
var areas = []area{
	{name: "seccomp", args: []string{"--count", "10000"}},
	{name: "propagation", args: []string{"--count", "150"}},
	{name: "overlay", args: []string{"--count", "2000"}},
	{name: "gates", args: []string{"--count", "400"}},
	{name: "selinux", args: []string{"--count", "1000"}, selinux: true},
}

// areaPatience is how long an area may take on a busy computer.
const areaPatience = 5 * time.Minute

func (p *program) verifyCommand() *cobra.Command {
	var kernels []string
	c := &cobra.Command{Use: "verify [AREA]...", Short: "hold the model against every kernel, short", RunE: func(c *cobra.Command, args []string) error {
		list, err := pick(args)
		if err != nil {
			return usage{err}
		}
		lab, err := p.lab()
		if err != nil {
			return err
		}
		for _, k := range kernels {
			for _, a := range list {
				r, err := verify(c.Context(), lab, k, a)
				if err != nil {
					return err
				}
				fmt.Fprintf(p.out, "%s on Linux %s (resumed in %.2f s, %.1f s):\n%s\n", a.name, r.release, r.resumed, r.taken, r.output)
				if r.code != 0 {
					p.code = exitDisagree
				}
			}
		}
		return nil
	}}
	c.Flags().StringSliceVar(&kernels, "kernel", machine.Series, "series of the kernels")
	return c
}

// pick returns the areas of these names, all where there are none.
func pick(names []string) ([]area, error) {
	if len(names) == 0 {
		return areas, nil
	}
	var list []area
	for _, n := range names {
		at := -1
		var known []string
		for i, a := range areas {
			known = append(known, a.name)
			if a.name == n {
				at = i
			}
		}
		if at < 0 {
			return nil, fmt.Errorf("unknown area %q: %s exist", n, strings.Join(known, ", "))
		}
		list = append(list, areas[at])
	}
	return list, nil
}

// verified is what story verify has said of an area on a kernel.
type verified struct {
	release        string
	code           int
	output         string
	resumed, taken float64
}

// verify runs one area on one kernel.
func verify(ctx context.Context, lab *machine.Lab, series string, a area) (*verified, error) {
	cmd, err := command(ctx, lab, append([]string{"story", "verify", a.name}, a.args...))
	if err != nil {
		return nil, err
	}
	spec := machine.Spec{Series: series}
	if a.selinux {
		policy, err := lab.Policy(ctx)
		if err != nil {
			return nil, err
		}
		spec.SELinux(policy)
	}
	m, err := lab.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	ctx, cancel := context.WithTimeout(ctx, areaPatience)
	defer cancel()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	exit, err := m.Run(ctx, cmd)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out.String())
	}
	return &verified{m.Hello.Release, exit.Code, out.String(), m.Taken.Seconds(), exit.Taken}, nil
}

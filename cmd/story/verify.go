package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"syscallstory/verify"
	"syscallstory/verify/filters"
)

// areas are the parts of the model that can be verified.
var areas = []verify.Area{filters.Area}

func (p *program) verifyCommand() *cobra.Command {
	var o verify.Options
	var round uint64
	var output string
	c := &cobra.Command{Use: "verify [AREA]", Short: "hold the model against the kernel and other judges, on random cases", Args: cobra.MaximumNArgs(1),
		Long: "Make random cases, ask the model and judges that know nothing of it, and compare. A disagreement is a defect: it is made small and\n" +
			"printed so that it can be repeated, and the exit code is 4. Areas: seccomp (profiles, compiler and machine against the meaning of\n" +
			"rules, gVisor's compiler and interpreter, and the kernel). Without AREA all of them. The same seed makes the same cases.",
		RunE: func(c *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("-o %s: text and json exist", output)
			}
			list := areas
			if len(args) == 1 {
				i := slices.IndexFunc(areas, func(a verify.Area) bool { return a.Name == args[0] })
				if i < 0 {
					var names []string
					for _, a := range areas {
						names = append(names, a.Name)
					}
					return fmt.Errorf("unknown area %q: %s exist", args[0], strings.Join(names, ", "))
				}
				list = areas[i : i+1]
			}
			if !c.Flags().Changed("seed") {
				o.Seed = rand.Uint64()
			}
			if c.Flags().Changed("round") {
				o.Round = &round
			}
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			for _, a := range list {
				r, err := verify.Run(ctx, a, o)
				if err != nil {
					return err
				}
				if r.Disagreements > 0 {
					p.code = exitDisagree
				}
				if output == "json" {
					enc := json.NewEncoder(p.out)
					enc.SetIndent("", "  ")
					err = enc.Encode(r)
				} else {
					err = r.Text(p.out)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}}
	f := c.Flags()
	f.Uint64Var(&o.Count, "count", 20000, "evaluations")
	f.Uint64Var(&o.Seed, "seed", 0, "seed; a fresh one is taken and printed where it is not given")
	f.Uint64Var(&round, "round", 0, "only this round of the seed")
	f.IntVar(&o.Workers, "workers", 0, "how many run at once; as many as there are processors where it is not given")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

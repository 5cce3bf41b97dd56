package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"syscallstory/container"
	"syscallstory/verify"
	"syscallstory/verify/filters"
	"syscallstory/verify/gates"
	"syscallstory/verify/overlay"
	"syscallstory/verify/propagation"
	"syscallstory/verify/selinux"
)

// areas are the parts of the model that can be verified.
var areas = []verify.Area{filters.Area, gates.Area, propagation.Area, overlay.Area, selinux.Area}

func (p *program) verifyCommand() *cobra.Command {
	var o verify.Options
	var round uint64
	var output, again string
	c := &cobra.Command{Use: "verify [AREA]", Short: "hold the model against the kernel and other judges, on random cases", Args: cobra.MaximumNArgs(1),
		Long: "Make random cases, ask the model and judges that know nothing of it, and compare. A disagreement is a defect: it is made small and\n" +
			"printed so that it can be repeated, and the exit code is 4. Areas: seccomp (profiles, compiler and machine against the meaning of\n" +
			"rules, gVisor's compiler and interpreter, and the kernel), gates (random files, mounts, user namespaces and tasks, built for\n" +
			"real, and calls over every route; why a call is refused and what would let it pass are performed too), overlay (random layers, what\n" +
			"calls on them end in, and what is in the upper layer afterwards), propagation (sequences of mount operations in up to four mount\n" +
			"namespaces; --count counts sequences), selinux (random labels and contexts, and calls under enforcing, with the AVC records that\n" +
			"they leave; on a machine that is there for it, as the lab's). Without AREA all that this machine can do. The same seed makes the same cases.",
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
			if again != "" {
				return p.repeat(list, again)
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
				if a.Able != nil {
					if err := a.Able(); err != nil && len(args) == 1 {
						return &container.Incapable{Err: fmt.Errorf("verify %s: %w", a.Name, err)}
					} else if err != nil {
						fmt.Fprintf(p.errs, "skipped %s: %v\n", a.Name, err)
						continue
					}
				}
				if a.Count > 0 && !c.Flags().Changed("count") {
					o.Count = a.Count
				}
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
	f.Uint64Var(&o.First, "first", 0, "round to begin with: what a run that was interrupted has named goes on there")
	f.BoolVar(&o.Mutate, "mutate", false, "delete checks of the model or change neighbours' places, and say which of these mutants the cases find (gates)")
	f.StringVar(&again, "case", "", "repeat a case of gates or overlay that was printed; a file, or - for standard input")
	f.IntVar(&o.Workers, "workers", 0, "how many run at once; as many as there are processors where it is not given")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

// repeat performs a case that an earlier run has printed.
func (p *program) repeat(list []verify.Area, file string) error {
	i := slices.IndexFunc(list, func(a verify.Area) bool { return a.Replay != nil })
	if i < 0 {
		return fmt.Errorf("--case: cases of gates and overlay can be repeated")
	}
	a := list[i]
	if a.Able != nil {
		if err := a.Able(); err != nil {
			return &container.Incapable{Err: fmt.Errorf("verify %s: %w", a.Name, err)}
		}
	}
	in := io.Reader(os.Stdin)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, 2<<20))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	model, answer, err := a.Replay(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if model != answer {
		p.code = exitDisagree
	}
	_, err = fmt.Fprintf(p.out, "the model says %s, the kernel answers %s\n", model, answer)
	return err
}

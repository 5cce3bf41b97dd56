// Package verify holds the model against what it models: random cases, each judged by the model and by oracles that know
// nothing of it, until they disagree. A disagreement is a defect; it is made as small as it can be and printed so that it can be
// repeated.
//
// An area (seccomp …) makes rounds. A round is a function of the seed and of its own number alone, so that a run repeats
// whatever the number of workers.
package verify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// Area is a part of the model with its oracles.
type Area struct {
	Name  string
	Skips func() []string // which oracles cannot be asked here, each with the reason
	Able  func() error    // why nothing can be asked here; nil: something can
	Start func() (Worker, error)
	Count uint64 // evaluations where nobody says how many; 0: 20000
	// Routes are the calls that random cases ought to reach, with the reason for each that is made only where it is refused; nil:
	// the area has no calls of its own.
	Routes func() map[string]string
	// Replay repeats a case that was printed and returns what the model says and what the oracle answers; nil: the area has none.
	Replay func(text []byte) (model, answer string, err error)
}

// Worker makes rounds, one after another.
type Worker interface {
	Round(rng *rand.Rand, r *Report) error
	Close()
}

// Mutator is a worker whose area can judge its cases.
type Mutator interface{ Mutate() }

// OnThread runs f on a thread of its own, which ends with it.
func OnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// Options of a run.
type Options struct {
	Seed    uint64
	Count   uint64 // evaluations that are asked for; the last rounds are finished
	Workers int    // 0: as many as there are processors
	Round   *uint64
	First   uint64 // the round to begin with, as an earlier run's report names it
	Mutate  bool   // the cases are judged too: would they notice that a check of the model is missing or stands elsewhere?
}

// MaxFound is how many disagreements end a run.
const MaxFound = 8

// Run makes rounds until enough has been compared, too much disagrees or the context ends. What was counted is returned then, too.
func Run(ctx context.Context, a Area, o Options) (*Report, error) {
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if o.Round != nil {
		workers = 1
	}
	total := NewReport(a.Name, o.Seed)
	if a.Skips != nil {
		total.Skipped = append(total.Skipped, a.Skips()...)
	}
	var next, counted, found atomic.Uint64
	next.Store(o.First)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var errs []error
	done := func() bool {
		return ctx.Err() != nil || counted.Load() >= o.Count || found.Load() >= MaxFound
	}
	work := func() error {
		w, err := a.Start()
		if err != nil {
			return err
		}
		defer w.Close()
		if m, ok := w.(Mutator); ok && o.Mutate {
			m.Mutate()
		} else if o.Mutate {
			return fmt.Errorf("the area %s has no mutants", a.Name)
		}
		r := NewReport(a.Name, o.Seed)
		defer func() { mu.Lock(); total.add(r); mu.Unlock() }()
		for !done() {
			n := next.Add(1) - 1
			if o.Round != nil {
				n = *o.Round
			}
			before := *r
			if err := w.Round(rand.New(rand.NewPCG(o.Seed, n)), r); err != nil {
				found.Add(MaxFound) // ends the others
				return fmt.Errorf("round %d of seed %d: %w", n, o.Seed, err)
			}
			for i := len(before.Found); i < len(r.Found); i++ {
				r.Found[i].Round = n
			}
			counted.Add(r.Count - before.Count)
			found.Add(r.Disagreements - before.Disagreements)
			if o.Round != nil {
				return nil
			}
		}
		return nil
	}
	for range workers {
		wg.Go(func() {
			if err := work(); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	total.Interrupted = ctx.Err() != nil
	total.NextRound = next.Load()
	if a.Routes != nil {
		total.reach(a.Routes())
	}
	return total, errors.Join(errs...)
}

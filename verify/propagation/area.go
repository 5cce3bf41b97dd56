// Package propagation is the area propagation of verify: random sequences of operations on the mounts of up to four mount
// namespaces, made by package mount and by the kernel, with the errno and the whole topology compared after each.
package propagation

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"

	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/verify"
)

// Area is the area propagation.
var Area = verify.Area{Name: "propagation", Able: able, Start: start, Count: 2000}

// length is how many operations a sequence has.
const length = 12

// worker makes sequences. Its thread lives as long as its agents.
type worker struct {
	k       *oracle
	release kernel.Release
}

func start() (verify.Worker, error) {
	runtime.LockOSThread()
	k, release, err := newOracle()
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return &worker{k, release}, nil
}

func (w *worker) Close() {
	w.k.Close()
	runtime.UnlockOSThread()
}

// Round makes one sequence.
func (w *worker) Round(rng *rand.Rand, r *verify.Report) error {
	g := &generator{rng: rng, dirs: 3 + rng.IntN(4)}
	d, ops, err := w.play(length, func(_ int, m *model) op { return g.next(m) }, r)
	if err != nil {
		return err
	}
	r.Count++
	if d == nil {
		return nil
	}
	small, d, err := w.shrink(ops, d)
	if err != nil {
		return err
	}
	r.Disagree(verify.Disagreement{Oracle: "kernel", Model: d.model, Answer: d.kernel, Repeat: repeat(small, d)})
	return nil
}

// difference is where model and kernel part.
type difference struct {
	model, kernel string
	detail        string
}

// play makes a sequence of n operations until model and kernel differ, and returns those that were made.
func (w *worker) play(n int, next func(int, *model) op, r *verify.Report) (d *difference, made []op, err error) {
	m := newModel(w.release, w.k.hidden())
	t, err := w.k.begin()
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if e := t.end(); err == nil {
			err = e
		}
	}()
	for i := range n {
		made = append(made, next(i, m))
		o := &made[i]
		if m.skips(o) {
			continue
		}
		ours := m.do(o)
		theirs, err := t.do(o)
		if err != nil {
			return nil, made, fmt.Errorf("%s: %w", o.text(), err)
		}
		if r != nil {
			denied := ours != 0
			verify.Tick(r.ByCall, opNames[o.kind], denied)
			if denied {
				r.Denials++
				verify.Tick(r.ByErrno, ours.String(), true)
				verify.Tick(r.ByGate, "mount", true)
			}
		}
		if ours != theirs {
			return &difference{ours.String(), theirs.String(), ""}, made, nil
		}
		if d, err := t.differs(m); d != nil || err != nil {
			return d, made, err
		}
	}
	d, err = t.probe(m)
	return d, made, err
}

// shrink leaves out what is not needed for model and kernel to differ.
func (w *worker) shrink(ops []op, d *difference) ([]op, *difference, error) {
	for again := true; again; {
		again = false
		for i := len(ops) - 1; i >= 0; i-- {
			less := append(append([]op(nil), ops[:i]...), ops[i+1:]...)
			got, made, err := w.play(len(less), func(i int, _ *model) op { return less[i] }, nil)
			if err != nil {
				return nil, nil, err
			}
			if got != nil {
				ops, d, again = made, got, true
				i = min(i, len(ops))
			}
		}
	}
	return ops, d, nil
}

// repeat prints a sequence; the number in brackets is the namespace that an operation is made in.
func repeat(ops []op, d *difference) string {
	var b strings.Builder
	for i := range ops {
		fmt.Fprintf(&b, "  %s\n", ops[i].text())
	}
	b.WriteString(d.detail)
	return b.String()
}

// errnoText names success, too.
func errnoText(e story.Errno) string {
	if e == 0 {
		return "success"
	}
	return e.String()
}

package overlay

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"

	"syscallstory/kernel"
	"syscallstory/verify"
)

// Area is the area overlay.
var Area = verify.Area{Name: "overlay", Able: able, Start: start, Replay: replay}

type worker struct{ *stage }

func start() (verify.Worker, error) {
	if err := able(); err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	s, err := newStage()
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return &worker{s}, nil
}

func (w *worker) Close() {
	w.close()
	runtime.UnlockOSThread()
}

// Round makes one scene and performs it.
func (w *worker) Round(rng *rand.Rand, r *verify.Report) error {
	g := &gen{Rand: rng, plain: w.release.Has(kernel.TmpfsUserXattr) != kernel.Yes}
	for _, change := range []kernel.Change{kernel.OverlayDataOnly, kernel.OverlayDataPlain} {
		if w.release.Has(change) == kernel.Yes {
			g.data++
		}
	}
	sc := g.scene()
	d, err := w.ask(sc, r)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, sc.Text())
	}
	if d == nil {
		return nil
	}
	sc, d = w.shrink(sc, d)
	r.Disagree(verify.Disagreement{Oracle: "kernel", Model: d.model, Answer: d.kernel, Repeat: d.detail + "\n" + sc.Text()})
	return nil
}

// ask predicts and performs a scene.
func (w *worker) ask(sc *Scene, r *verify.Report) (*difference, error) {
	all, err := w.predict(sc)
	if err != nil {
		return nil, err
	}
	if last := all[len(all)-1]; last.unsure != "" && r != nil {
		r.Undetermined++
		name, _, _ := strings.Cut(last.unsure, "(")
		verify.Tick(r.ByAction, "undetermined: "+name, false)
	}
	if r != nil {
		name := sets[sc.Set].text
		if name == "" {
			name = "no options"
		}
		for _, c := range []struct {
			on   bool
			text string
		}{{sc.Separate, ", separate filesystems"}, {sc.Nested, ", stacked"}, {sc.ReadOnly, ", no upper layer"}, {sc.User, ", user namespace"}, {sc.Volatile, ", volatile"}, {sc.Data > 0, ", data-only layers"},
			{sc.Room > 0, ", little room"}} {
			if c.on {
				name += c.text
			}
		}
		before, denied := r.Count, r.Denials
		defer func() {
			t := r.ByOracle[name]
			t.Total, t.Denied = t.Total+r.Count-before, t.Denied+r.Denials-denied
			r.ByOracle[name] = t
		}()
	}
	return w.play(sc, all, r)
}

// maxTries bounds how many scenes are built to make one small.
const maxTries = 600

// shrink leaves out what is not needed for model and kernel to differ.
func (w *worker) shrink(sc *Scene, d *difference) (*Scene, *difference) {
	tries := 0
	try := func(change func(*Scene)) bool {
		if tries++; tries > maxTries {
			return false
		}
		next := sc.clone()
		change(next)
		got, err := w.ask(next, nil)
		if err != nil || got == nil || got.model != d.model {
			return false
		}
		sc, d = next, got
		return true
	}
	for again := true; again && tries < maxTries; {
		again = false
		for n := len(sc.Steps); n > 0; n /= 2 {
			for i := len(sc.Steps) - n; i >= 0; i -= n {
				if i+n <= len(sc.Steps) {
					again = try(func(s *Scene) { s.Steps = slices.Delete(s.Steps, i, i+n) }) || again
				}
			}
		}
		for l := range sc.Layers {
			for i := len(sc.Layers[l]) - 1; i >= 0; i-- {
				if i < len(sc.Layers[l]) {
					again = try(func(s *Scene) { s.Layers[l] = slices.Delete(s.Layers[l], i, i+1) }) || again
				}
			}
		}
		for l := len(sc.Layers) - 1 - sc.Data; l > 0 && len(sc.Layers)-sc.Data > 2; l-- {
			again = try(func(s *Scene) { s.Layers = slices.Delete(s.Layers, l, l+1) }) || again
		}
		for _, change := range []func(*Scene){func(s *Scene) { s.Separate, s.Room = false, 0 }, func(s *Scene) { s.Nested = false }, func(s *Scene) {
			if !s.User {
				s.Set = "default"
			}
		}} {
			before := *sc
			c := *sc
			if change(&c); c.Set != before.Set || c.Nested != before.Nested || c.Separate != before.Separate {
				again = try(change) || again
			}
		}
	}
	return sc, d
}

// replay repeats a scene that was printed.
func replay(text []byte) (model, answer string, err error) {
	sc, err := ParseScene(text)
	if err != nil {
		return "", "", err
	}
	err = verify.OnThread(func() error {
		w, err := start()
		if err != nil {
			return err
		}
		defer w.Close()
		d, err := w.(*worker).ask(sc, nil)
		if err != nil {
			return err
		}
		if model, answer = "what the kernel does", "what the kernel does"; d != nil {
			model, answer = d.model, d.kernel+" ("+d.detail+")"
		}
		return nil
	})
	return model, answer, err
}

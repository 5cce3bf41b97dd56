package selinux

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"

	"syscallstory/verify"
)

// Area is the area selinux.
var Area = verify.Area{Name: "selinux", Able: able, Start: start, Replay: replay}

type worker struct {
	*stage
	labels *labels
}

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
	return &worker{s, newLabels(s.policy)}, nil
}

func (w *worker) Close() {
	w.close()
	runtime.UnlockOSThread()
}

// Round makes one scene and performs it.
func (w *worker) Round(rng *rand.Rand, r *verify.Report) error {
	sc := (&gen{Rand: rng, labels: w.labels}).scene()
	d, err := w.play(sc, r)
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

// maxTries bounds how many scenes are built to make one small.
const maxTries = 200

// shrink leaves out what is not needed for model and kernel to differ.
func (w *worker) shrink(sc *Scene, d *difference) (*Scene, *difference) {
	tries := 0
	try := func(change func(*Scene)) bool {
		if tries++; tries > maxTries {
			return false
		}
		next := *sc
		next.Files, next.Calls = slices.Clone(sc.Files), slices.Clone(sc.Calls)
		change(&next)
		got, err := w.play(&next, nil)
		if err != nil || got == nil || got.model != d.model || got.kernel != d.kernel {
			return false
		}
		sc, d = &next, got
		return true
	}
	try(func(s *Scene) { s.Calls = s.Calls[:d.call+1] })
	for again := true; again && tries < maxTries; {
		again = false
		for i := len(sc.Calls) - 1; i >= 0; i-- {
			again = try(func(s *Scene) { s.Calls = slices.Delete(s.Calls, i, i+1) }) || again
		}
		for i := len(sc.Files) - 1; i >= 0; i-- {
			again = try(func(s *Scene) { s.Files = slices.Delete(s.Files, i, i+1) }) || again
		}
		for _, change := range []func(*Scene){func(s *Scene) { s.Opened = "" }, func(s *Scene) { s.FSCreate = "" }, func(s *Scene) { s.SockCreate = "" }, func(s *Scene) { s.Root = "" }} {
			before := *sc
			c := *sc
			if change(&c); c.Opened != before.Opened || c.FSCreate != before.FSCreate || c.SockCreate != before.SockCreate || c.Root != before.Root {
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
		d, err := w.(*worker).play(sc, nil)
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

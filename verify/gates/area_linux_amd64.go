package gates

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"syscallstory/explain"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/verify"
)

// Area is the area gates.
var Area = verify.Area{Name: "gates", Able: able, Start: start, Replay: replay, Routes: reachable}

// able says why worlds cannot be built here.
func able() error {
	if os.Getuid() != 0 {
		return errors.New("worlds with mounts, user namespaces and other ids are built as root")
	}
	return nil
}

func start() (verify.Worker, error) {
	s, err := newStage()
	if err != nil {
		return nil, err
	}
	return &worker{stage: s}, nil
}

// replay repeats a case that was printed.
func replay(text []byte) (model, answer string, err error) {
	c, err := ParseCase(text)
	if err != nil {
		return "", "", err
	}
	err = verify.OnThread(func() error {
		s, err := newStage()
		if err != nil {
			return err
		}
		defer s.close()
		m, k, err := (&worker{stage: s}).ask(c)
		if err != nil {
			return err
		}
		model, answer = m.String(), k.String()
		return nil
	})
	return model, answer, err
}

type worker struct {
	stage  *stage
	mutate bool
}

func (w *worker) Close() { w.stage.close() }

// Per round: calls for each task that change nothing when they are refused, and those that are expected to change something,
// for each of which the scene is built anew.
const (
	callsPerTask = 120
	changing     = 8
)

// judged is a call with what the model says of it.
type judged struct {
	call *syscalls.Call
	end  ending
	step story.Step // that decided
	by   bool       // one did
}

// Round makes one scene and performs calls in it.
func (w *worker) Round(rng *rand.Rand, r *verify.Report) error {
	g := w.stage.machine.scene(rng)
	if err := w.stage.build(g.s); err != nil {
		return fmt.Errorf("the scene cannot be built: %w\n%s", err, (&Case{Scene: *g.s}).String())
	}
	for _, kind := range g.s.kinds() {
		verify.Tick(r.ByOracle, "scenes: with "+kind, false)
	}
	for i := range g.s.Tasks {
		if err := w.task(g, i, r); err != nil {
			return err
		}
	}
	return nil
}

// judge predicts calls.
func (w *worker) judge(sc *Scene, task int, calls []*syscalls.Call) ([]judged, *bound, error) {
	m, err := w.stage.machine.build(sc)
	if err != nil {
		return nil, nil, err
	}
	j, err := m.judge(&sc.Tasks[task])
	if err != nil {
		return nil, nil, err
	}
	out := make([]judged, len(calls))
	for i, c := range calls {
		out[i].call = c
		out[i].end = predicted(j.Verdict(c))
		out[i].step, out[i].by = j.Decided()
	}
	return out, &bound{m, j}, nil
}

// bound is a model's world with a judge of one of its tasks.
type bound struct {
	*model
	*explain.Judge
}

func (w *worker) task(g *gen, n int, r *verify.Report) error {
	t := &g.s.Tasks[n]
	if w.stage.can(t) != nil { // a path of its descriptors is hidden, or leads through a link that loops
		verify.Tick(r.ByOracle, "scenes: tasks that could not be made", false)
		return nil
	}
	var calls []*syscalls.Call
	for range callsPerTask {
		text := g.call(t)
		c, err := syscalls.Parse(syscalls.X8664, text)
		if err != nil {
			return err
		}
		calls = append(calls, c)
	}
	all, m, err := w.judge(g.s, n, calls)
	if err != nil {
		return err
	}
	if w.mutate {
		more, err := w.telling(g, n, m, r)
		if err != nil {
			return err
		}
		all = append(all, more...)
	}
	var still, moving []*judged
	for i := range all {
		switch c := &all[i]; {
		case hurts(c.call) && (c.end.errno == 0 || c.end.unsure) && !c.end.killed:
		case !c.stays():
			if len(moving) < changing {
				moving = append(moving, c)
			}
		default:
			still = append(still, c)
		}
	}
	err = w.each(g.s, n, still, moving, func(c *judged, e ending) error {
		if w.mutate && e == c.end {
			w.mutants(m, c, true, r)
		}
		return w.compare(g.s, n, m, c, e, r)
	})
	if err == nil {
		err = w.gates(g.s, n, all, m, r)
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, (&Case{Scene: *g.s, Task: n}).String())
	}
	for i := range all {
		if c := &all[i]; c.by && c.end.errno != 0 && g.one(fixEvery) {
			if err := w.fixes(g.s, n, c, r); err != nil {
				return fmt.Errorf("%w\n%s", err, (&Case{Scene: *g.s, Task: n, Call: c.call.String()}).String())
			}
		}
	}
	if err := w.stage.build(g.s); err != nil {
		return fmt.Errorf("the scene cannot be built again: %w\n%s", err, (&Case{Scene: *g.s, Task: n}).String())
	}
	return nil
}

// stays reports whether a call is expected to leave the scene and the task as they were.
func (c *judged) stays() bool {
	return !c.end.killed && !((c.end == ending{} || c.end.unsure || c.end.blocks) && changes(c.call))
}

// each performs calls of a task: those that change nothing one after another by one process, the others each in the scene
// built anew.
func (w *worker) each(sc *Scene, task int, still, moving []*judged, done func(*judged, ending) error) error {
	t := &sc.Tasks[task]
	if len(still) > 0 {
		calls := make([]*syscalls.Call, len(still))
		for i, c := range still {
			calls[i] = c.call
		}
		if err := w.stage.build(sc); err != nil {
			return err
		}
		got, err := w.stage.play(t, calls)
		if err != nil {
			return err
		}
		for i, c := range still {
			if err := done(c, got[i]); err != nil {
				return err
			}
		}
	}
	for _, c := range moving {
		e, err := w.stage.alone(sc, t, c.call)
		if err == nil {
			err = done(c, e)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.call, err)
		}
	}
	return nil
}

// compare enters a call into the report. What differs is performed again alone before it counts.
func (w *worker) compare(sc *Scene, task int, m *bound, c *judged, got ending, r *verify.Report) error {
	denied := c.end.errno != 0 || c.end.killed
	r.Count++
	verify.Tick(r.ByCall, c.call.Name, denied)
	verify.Tick(r.ByErrno, got.String(), denied)
	switch {
	case c.end.unsure:
		r.Undetermined++
	case denied:
		r.Denials++
	}
	if denied && c.by {
		verify.Tick(r.ByGate, c.step.Code.Gate().String(), true)
	}
	one := Case{Scene: *sc, Task: task, Call: c.call.String()}
	if c.end.unsure {
		why := unsure(m.Story(c.call))
		verify.Tick(r.ByOracle, "undetermined: "+c.call.Name+": "+why, false)
		if !mayBeUnsure(c.call.Name, why) {
			r.Disagree(verify.Disagreement{Oracle: "exceptions", Model: "undetermined: " + why, Answer: got.String(), Repeat: one.String()})
		}
		return nil
	}
	if got == c.end {
		return nil
	}
	again, err := w.stage.alone(sc, &sc.Tasks[task], c.call)
	if err != nil {
		return err
	}
	if again == c.end {
		return nil
	}
	small, model, kernel := w.shrink(one, c.end, again)
	r.Disagree(verify.Disagreement{Oracle: "kernel", Model: model.String(), Answer: kernel.String(), Repeat: small.String()})
	return nil
}

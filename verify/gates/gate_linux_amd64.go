package gates

import (
	"errors"
	"fmt"

	"syscallstory/fix"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/verify"
)

// relaxation is a scene in which one fact is relaxed, with the calls that it had refused.
type relaxation struct {
	scene *Scene
	calls []*judged
}

// gates checks why calls are refused: with the deciding fact relaxed, and nothing else, the kernel must answer what is
// predicted to refuse next, or let the call pass. Calls that one fact refuses are performed in one scene.
func (w *worker) gates(sc *Scene, task int, all []judged, m *bound, r *verify.Report) error {
	var list []*relaxation
	found := map[string]*relaxation{}
	for i := range all {
		c := &all[i]
		if !c.by || c.end.errno == 0 && !c.end.killed {
			continue
		}
		relaxed, ok := w.relax(sc, task, c, m)
		if !ok {
			notChecked(c, r)
			continue
		}
		key := relaxed.key() + relaxed.Tasks[task].key()
		if found[key] == nil {
			found[key] = &relaxation{scene: relaxed}
			list = append(list, found[key])
		}
		found[key].calls = append(found[key].calls, c)
	}
	for _, x := range list {
		if err := w.gate(x, task, m, r); err != nil {
			return err
		}
	}
	return nil
}

func notChecked(c *judged, r *verify.Report) {
	verify.Tick(r.ByOracle, "gate not checked: "+c.step.Code.String(), true)
}

// relax returns the scene with the fact relaxed that refuses a call.
func (w *worker) relax(sc *Scene, task int, c *judged, m *bound) (*Scene, bool) {
	missing := ""
	if c.step.Code == story.NameMissing {
		if ref, denied := m.Refused(c.call); denied && len(ref.Entry.Facts) > 0 {
			missing = fmt.Sprint(ref.Entry.Facts[0].Value)
		}
	}
	return relax(sc, task, m.model, c.step, c.call, missing)
}

// gate performs the calls of a relaxation.
func (w *worker) gate(x *relaxation, task int, m *bound, r *verify.Report) error {
	calls := make([]*syscalls.Call, len(x.calls))
	for i, c := range x.calls {
		calls[i] = c.call
	}
	after, _, err := w.judge(x.scene, task, calls)
	if err != nil {
		return nil // the change is not possible in this scene
	}
	var still, moving []*judged
	before := map[*judged]*judged{}
	for i, c := range x.calls {
		a := &after[i]
		before[a] = c
		switch {
		case a.by && a.step.Same(&c.step): // another fact of the same object refuses as well
			notChecked(c, r)
		case a.end.unsure, hurts(a.call) && a.end.errno == 0 && !a.end.killed:
		case a.stays():
			still = append(still, a)
		default:
			moving = append(moving, a)
		}
	}
	err = w.each(x.scene, task, still, moving, func(a *judged, got ending) error {
		return w.relaxed(x.scene, task, before[a], a.end, got, m, r)
	})
	if errors.Is(err, errNotMade) { // in the kernel the change is not possible
		verify.Tick(r.ByOracle, "gate not checked, the scene cannot be made: "+x.calls[0].step.Code.String(), true)
		return nil
	}
	return err
}

// relaxed compares how a call ends whose deciding fact is relaxed.
func (w *worker) relaxed(sc *Scene, task int, c *judged, want, got ending, m *bound, r *verify.Report) error {
	r.GateChecked++
	verify.Tick(r.ByOracle, "gate checked: "+c.step.Code.Gate().String(), true)
	if next, ok := w.next(c, m); ok && !again[c.step.Code] && next != want {
		r.GateWrong++
		one := Case{Scene: *sc, Task: task, Call: c.call.String()}
		r.Disagree(verify.Disagreement{Oracle: fmt.Sprintf("what refuses behind %s (%s): a new judgement with its fact relaxed", c.step.Code, c.end), Model: next.String(), Answer: want.String(), Repeat: one.String()})
	}
	if got == want {
		return nil
	}
	got, err := w.stage.alone(sc, &sc.Tasks[task], c.call)
	if err != nil || got == want {
		return err
	}
	r.GateWrong++
	small, _, _ := w.shrink(Case{Scene: *sc, Task: task, Call: c.call.String()}, want, got)
	r.Disagree(verify.Disagreement{Oracle: fmt.Sprintf("the gate of %s (%s): with its fact relaxed", c.step.Code, c.end), Model: want.String(), Answer: got.String(), Repeat: small.String()})
	return nil
}

// next is what the model says would come next, in the call's own world with the fact that decided changed: what the story tells. Of
// a mount that the scene has twice, in the task's mount namespace and in the one that its descriptors are from, both change.
func (w *worker) next(c *judged, m *bound) (ending, bool) {
	passed := []story.Step{c.step}
	for range 8 {
		end, ok := m.Without(c.call, passed)
		if !ok {
			return ending{}, false
		}
		step, by := m.Decided()
		if !by || !sameMount(m.model, c.step, step) {
			return predicted(end), true
		}
		passed = append(passed, step)
	}
	return ending{}, false
}

// fixEvery is how many refusals come to one of which fixes are searched for: a search builds some dozens of worlds.
const fixEvery = 24

// fixes searches for what lets a refused call pass, and performs the call with each fix made: it must pass.
func (w *worker) fixes(sc *Scene, task int, c *judged, r *verify.Report) error {
	in := &scenario{machine: &w.stage.machine, scene: sc, task: task}
	found, err := fix.Find(in, bind, c.call)
	if err != nil {
		return err
	}
	for _, f := range found {
		fixed, ok := in.fixed(f.Edits, c.call)
		if !ok || !f.Verified || hurts(c.call) {
			continue
		}
		got, err := w.stage.alone(fixed, &fixed.Tasks[task], c.call)
		if err != nil {
			continue // the kernel does not let such a scene be made
		}
		if r.Fixes++; got.errno == 0 && !got.killed {
			continue
		}
		r.FixesFailed++
		one := Case{Scene: *fixed, Task: task, Call: c.call.String()}
		r.Disagree(verify.Disagreement{Oracle: "a fix, performed: " + f.Text, Model: "allowed", Answer: got.String(), Repeat: one.String()})
	}
	return nil
}

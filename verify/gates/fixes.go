package gates

import (
	"errors"
	"fmt"

	"syscallstory/explain"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// scenario is a scene as an input whose edits are searched for: each changes one fact of the scene.
type scenario struct {
	machine *machine
	scene   *Scene
	task    int
	built   map[*world.World]*model
}

// World builds the scene's world for the task.
func (s *scenario) World() (*world.World, error) {
	m, err := s.machine.build(s.scene)
	if err != nil {
		return nil, err
	}
	if err := m.become(&s.scene.Tasks[s.task]); err != nil {
		return nil, err
	}
	if s.built == nil {
		s.built = map[*world.World]*model{}
	}
	s.built[m.World] = m
	return m.World, nil
}

// bind is the search's.
func bind(w *world.World) (*explain.Judge, error) { return explain.Bind(w, nil) }

// Edits offers to relax the fact that decided and, where a capability goes past it, to give that.
func (s *scenario) Edits(w *world.World, r world.Refused) []story.Edit {
	m := s.built[w]
	if m == nil || r.Step.Code == story.NameMissing { // what would be made there, nobody knows
		return nil
	}
	var out []story.Edit
	offer := func(id string, do func(r *relaxer) bool) {
		change := func(sc *Scene) bool {
			return do(&relaxer{model: m, s: sc, task: s.task, step: r.Step, call: r.Call})
		}
		if change(s.scene.clone()) {
			out = append(out, story.Edit{ID: id, Kind: "scene", Text: id, Do: change})
		}
	}
	if do := relaxations[r.Step.Code]; do != nil {
		offer(fmt.Sprintf("%s of %v", r.Step.Code, r.Step.Obj), do)
	}
	for _, c := range pastBy[r.Step.Code] {
		offer(c.String(), func(r *relaxer) bool { return r.capability(c) })
	}
	return out
}

// pastBy are the capabilities that go past a check whose gate is another one.
var pastBy = map[story.Code][]kernel.Cap{
	story.ModeBits:     {kernel.CapDacOverride},
	story.ACLBits:      {kernel.CapDacOverride},
	story.StickyDelete: {kernel.CapFowner},
	story.OwnerOnly:    {kernel.CapFowner},
	story.GroupOnly:    {kernel.CapChown},
}

// With makes an edit.
func (s *scenario) With(e story.Edit) (world.Input, error) {
	change, ok := e.Do.(func(*Scene) bool)
	next := &scenario{machine: s.machine, scene: s.scene.clone(), task: s.task}
	if !ok || !change(next.scene) {
		return nil, errors.New("the edit is not one of this scene")
	}
	return next, nil
}

// fixed returns the scene with the edits of a fix made; ok is false where one of them changes the call instead.
func (s *scenario) fixed(edits []story.Edit, call *syscalls.Call) (*Scene, bool) {
	var in world.Input = s
	for _, e := range edits {
		if _, other := e.Do.(*syscalls.Call); other {
			return nil, false
		}
		var err error
		if in, err = in.With(e); err != nil {
			return nil, false
		}
	}
	return in.(*scenario).scene, true
}

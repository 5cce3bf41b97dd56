// Package fix searches for the smallest changes of an input that let a refused call pass. An input offers edits; each is
// made, the world is built anew and the call is judged again, so that no fix is told that was not seen to work.
package fix

import (
	"slices"
	"sort"
	"strings"

	"syscallstory/explain"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// Limits of a search.
const (
	maxEdits  = 3   // that only work together
	maxTries  = 150 // worlds that are built
	maxFixes  = 6   // that are returned
	maxMinors = 12  // single edits after which others are still searched for
)

// Bind makes a judge of a world.
type Bind func(*world.World) (*explain.Judge, error)

// state is the input and the call with some edits made.
type state struct {
	in    world.Input
	call  *syscalls.Call
	edits []story.Edit
}

type search struct {
	bind   Bind
	start  state
	tries  int
	last   bool // the edits of last resort count
	calls  bool // the call may change
	base   map[string]bool
	corpus []*syscalls.Call
	found  []found
	made   []syscalls.Made // calls that follow each other, all of which are to pass
}

type found struct {
	edits    []story.Edit
	verified bool
	allows   map[string]bool
}

// Found is a fix with the edits that make it, in their order.
type Found struct {
	story.Fix
	Edits []story.Edit
}

// Search returns the fixes of a call that the input's world refuses, best first. A call that is not refused has none.
func Search(in world.Input, bind Bind, call *syscalls.Call) ([]story.Fix, error) {
	all, err := Find(in, bind, call)
	if all == nil {
		return nil, err
	}
	out := []story.Fix{}
	for _, f := range all {
		out = append(out, f.Fix)
	}
	return out, err
}

// Find is Search for those who make the edits themselves.
func Find(in world.Input, bind Bind, call *syscalls.Call) ([]Found, error) {
	s := &search{bind: bind}
	w, err := in.World()
	if err != nil {
		return nil, err
	}
	j, err := bind(w)
	if err != nil {
		return nil, err
	}
	r, refused := j.Refused(call)
	if !refused {
		return nil, nil
	}
	s.corpus = Corpus(w, call)
	s.base = allowed(j, s.corpus)
	s.start = state{in: in, call: call}
	s.search(w, r)
	return s.ranked(), nil
}

// search tries the edits that are left for the end only where no others help.
func (s *search) search(w *world.World, r world.Refused) {
	s.run(w, r)
	if len(s.found) == 0 {
		s.last = true
		s.run(w, r)
	}
	if len(s.found) == 0 && len(s.made) == 0 { // nothing in the input helps: the call itself is what can change
		s.calls = true
		s.run(w, r)
	}
}

func (s *search) verified() int {
	n := 0
	for _, f := range s.found {
		if f.verified {
			n++
		}
	}
	return n
}

// run tries the edits of each refusal, breadth first: those that let the call get to another refusal are gone on with.
func (s *search) run(w *world.World, r world.Refused) {
	type open struct {
		state
		w *world.World
		r world.Refused
	}
	queue := []open{{s.start, w, r}}
	for n := 0; len(queue) > 0 && s.tries < maxTries; n++ {
		q := queue[0]
		queue = queue[1:]
		if len(q.edits) >= s.depth() || n > maxMinors {
			continue
		}
		edits := q.in.Edits(q.w, q.r)
		if s.calls {
			edits = append(edits, callEdits(q.call, q.r)...)
		}
		for _, e := range edits {
			if e.LastOut && !s.last || has(q.edits, e.ID) || s.tries >= maxTries {
				continue
			}
			next, nw, nr, moved := s.try(q.state, e)
			if moved && (e.Half || !nr.Step.Same(&q.r.Step) || len(s.made) > 0 && nr.Call != q.r.Call) {
				queue = append(queue, open{next, nw, nr})
			}
		}
	}
}

// depth is how many edits a fix may have: no more than the shortest that was found.
func (s *search) depth() int {
	n := maxEdits
	for _, f := range s.found {
		if f.verified {
			n = min(n, len(f.edits))
		}
	}
	return n
}

func has(edits []story.Edit, id string) bool {
	for _, e := range edits {
		if e.ID == id {
			return true
		}
	}
	return false
}

// with makes an edit.
func (q state) with(e story.Edit) (state, error) {
	next := state{in: q.in, call: q.call, edits: append(append([]story.Edit{}, q.edits...), e)}
	if change, ok := e.Do.(*syscalls.Call); ok {
		next.call = change
		return next, nil
	}
	in, err := q.in.With(e)
	next.in = in
	return next, err
}

// judge builds the state's world and judges the call in it.
func (s *search) judge(q state) (*world.World, *explain.Judge, error) {
	s.tries++
	w, err := q.in.World()
	if err != nil {
		return nil, nil, err
	}
	j, err := s.bind(w)
	return w, j, err
}

// try makes one more edit and judges again. moved says that the call is refused still, by the step that is returned.
func (s *search) try(q state, e story.Edit) (next state, w *world.World, r world.Refused, moved bool) {
	next, err := q.with(e)
	if err != nil {
		return next, nil, r, false
	}
	w, j, err := s.judge(next)
	if err != nil { // an edit that the input itself refuses is none
		return next, nil, r, false
	}
	var v story.Verdict
	v, r, moved = s.ends(j, next)
	switch v {
	case story.Allowed, story.Blocks:
		s.keep(next, true)
	case story.Undetermined:
		s.keep(next, false)
	}
	return next, w, r, moved
}

// ends is how the state's call ends; where that is a refusal for sure, by which check.
func (s *search) ends(j *explain.Judge, q state) (v story.Verdict, r world.Refused, sure bool) {
	if len(s.made) > 0 {
		return s.play(j)
	}
	v = j.Verdict(q.call).Verdict
	if v == story.Denied || v == story.Killed {
		r, sure = j.Refused(q.call)
	}
	return v, r, sure
}

// keep notes a set of edits; if one of them can be left out, the others.
func (s *search) keep(q state, verified bool) {
	for _, f := range s.found {
		if slices.EqualFunc(f.edits, q.edits, func(a, b story.Edit) bool { return a.ID == b.ID }) {
			return
		}
	}
	for i := range q.edits {
		if len(q.edits) == 1 {
			break
		}
		less := s.start
		ok := true
		for k, e := range q.edits {
			if k != i && ok {
				var err error
				less, err = less.with(e)
				ok = err == nil
			}
		}
		if !ok {
			continue
		}
		if _, lj, err := s.judge(less); err == nil {
			if v, _, _ := s.ends(lj, less); v != story.Denied && v != story.Killed {
				s.keep(less, v != story.Undetermined)
				return
			}
		}
	}
	f := found{edits: q.edits, verified: verified, allows: map[string]bool{}}
	_, j, err := s.judge(q) // anew: a stream has changed its world
	if err != nil {
		return
	}
	for k := range allowed(j, s.corpus) {
		if !s.base[k] {
			f.allows[k] = true
		}
	}
	s.found = append(s.found, f)
}

// ranked orders the fixes: what newly allows a proper subset of another one's calls comes first, else what allows fewer;
// what takes a protection away comes behind what does not.
func (s *search) ranked() []Found {
	list := s.found
	if s.verified() > 0 {
		list = nil
		for _, f := range s.found {
			if f.verified {
				list = append(list, f)
			}
		}
	}
	sort.SliceStable(list, func(a, b int) bool {
		x, y := list[a], list[b]
		if sx, sy := subset(x.allows, y.allows), subset(y.allows, x.allows); sx != sy {
			return sx
		}
		if rx, ry := risk(x.edits), risk(y.edits); rx != ry {
			return rx < ry
		}
		return len(x.allows) < len(y.allows)
	})
	if len(list) > maxFixes {
		list = list[:maxFixes]
	}
	out := []Found{}
	for _, f := range list {
		out = append(out, Found{f.fix(), f.edits})
	}
	return out
}

func subset(a, b map[string]bool) bool {
	if len(a) >= len(b) {
		return false
	}
	for k := range a {
		if !b[k] {
			return false
		}
	}
	return true
}

var risks = map[story.Risk]int{story.Safe: 0, story.Widens: 1, story.Dangerous: 2}

func risk(edits []story.Edit) int {
	worst := 0
	for _, e := range edits {
		worst = max(worst, risks[e.Risk])
	}
	return worst
}

// by says who makes an edit where it is not the input's author.
func by(kind string) string {
	switch kind {
	case "node", "host", "profile":
		return "node"
	case "image":
		return "image"
	case "call":
		return "program"
	}
	return ""
}

func (f found) fix() story.Fix {
	e := f.edits[0]
	out := story.Fix{Kind: e.Kind, At: story.FixPlace{File: e.File, Line: e.Line, Path: e.Path}, Patch: e.Patch, Text: e.Text, Exposes: e.Exposes, By: by(e.Kind), Risk: e.Risk, Verified: f.verified, Allows: len(f.allows)}
	for _, p := range f.edits[1:] {
		out.With = append(out.With, story.Part{Kind: p.Kind, At: story.FixPlace{File: p.File, Line: p.Line, Path: p.Path}, Patch: p.Patch, Text: p.Text, By: by(p.Kind)})
		out.Exposes = strings.TrimPrefix(out.Exposes+"; "+p.Exposes, "; ")
		if risks[p.Risk] > risks[out.Risk] {
			out.Risk = p.Risk
		}
	}
	return out
}

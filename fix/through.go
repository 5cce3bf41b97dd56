package fix

import (
	"slices"

	"syscallstory/explain"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// MaxThrough is how many calls a stream may have for which fixes are searched.
const MaxThrough = 256

// Through searches for what lets all calls of a stream pass, one after another. It returns which call is refused first, -1 where
// none is; what a program looks for in vain counts as refused only where the stream does not say that it was refused there too.
func Through(in world.Input, bind Bind, made []syscalls.Made) (first int, fixes []story.Fix, err error) {
	s := &search{bind: bind, made: made, start: state{in: in}}
	w, j, err := s.judge(s.start)
	if err != nil {
		return -1, nil, err
	}
	v, r, sure := s.play(j)
	if v != story.Denied && v != story.Killed {
		return -1, nil, nil
	}
	first = slices.IndexFunc(made, func(m syscalls.Made) bool { return m.Call == r.Call })
	if !sure {
		return first, nil, nil
	}
	fresh, j, err := s.judge(s.start)
	if err != nil {
		return first, nil, err
	}
	s.start.call = r.Call
	s.corpus = Corpus(fresh, r.Call)
	s.base = allowed(j, s.corpus)
	s.search(w, r)
	for _, f := range s.ranked() {
		f.Fix.Through = len(made)
		fixes = append(fixes, f.Fix)
	}
	return first, fixes, nil
}

// play judges the stream up to the first call that is refused and should not be.
func (s *search) play(j *explain.Judge) (v story.Verdict, r world.Refused, sure bool) {
	t := j.Stream()
	v = story.Allowed
	for i := range s.made {
		m := &s.made[i]
		t.Turn(m.PID)
		end := t.Verdict(m.Call)
		switch end.Verdict {
		case story.Denied, story.Killed:
			r, sure = t.Refused(m.Call)
			if sure && inVain(m, &r) {
				continue
			}
			r.Call, r.Filtered = m.Call, s.filtered(t)
			return end.Verdict, r, sure
		case story.Undetermined:
			v = story.Undetermined
			t.ApplyUnsure(m.Call)
			continue
		}
		t.Apply(m.Call, m.Returned())
	}
	return v, r, false
}

// inVain reports whether a call has looked for what was not there, or asked what the kernel does not know, when it was recorded
// as well: programs do that.
func inVain(m *syscalls.Made, r *world.Refused) bool {
	g := r.Step.Code.Gate()
	return m.Known && m.Errno != 0 && m.Errno == r.Step.Errno && (g == story.Lookup || g == story.Other)
}

// filtered lists what of the stream the task's filters refuse.
func (s *search) filtered(t *explain.Stream) []string {
	var out []string
	for i := range s.made {
		if m := &s.made[i]; !slices.Contains(out, m.Name) && !t.SeccompPasses(m.Call) {
			out = append(out, m.Name)
		}
	}
	slices.Sort(out)
	return out
}

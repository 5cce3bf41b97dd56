package explain

import (
	"slices"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// maxNext is how many refusals behind the first one a story lists.
const maxNext = 8

// next lists what would refuse if the facts that decided were others: that of the first refusal, then that of each which follows.
func (j *Judge) next(call *syscalls.Call, first story.Step) []story.Entry {
	out := []story.Entry{}
	passed := []story.Step{first}
	for range maxNext {
		if _, ok := j.without(call, passed, true); !ok {
			break
		}
		step, denied := j.c.Decided()
		if !denied {
			break
		}
		out = append(out, j.entries([]story.Step{step}, false)...)
		passed = append(passed, step)
	}
	for i := range out {
		out[i].Seq = i + 1
	}
	return out
}

// Without judges a call as if the facts that decided refusals were others: a permission granted, an attribute or a flag taken
// off, a capability held, else the one check passed over. Whatever looks at the same fact later in the call sees it changed too. ok
// is false where that is not possible, as where an object is missing.
func (j *Judge) Without(call *syscalls.Call, passed []story.Step) (end check.End, ok bool) {
	return j.without(call, passed, false)
}

func (j *Judge) without(call *syscalls.Call, passed []story.Step, record bool) (end check.End, ok bool) {
	var p past
	for _, s := range passed {
		want, ns := kernel.Cap(s.Val[0]), world.UserNSID(s.Val[1])
		switch {
		case s.Code != story.CapNeeded:
			p.forgiven = append(p.forgiven, s)
		case ns == j.w.Task.Cred.UserNS:
			j.c.Lent |= world.Caps(want)
		default:
			p.supposed = append(p.supposed, check.Suppose{Cap: want, NS: ns, Answer: kernel.Yes})
		}
	}
	j.c.Supposed = p.supposed
	end = j.judge(call, record, p.forgiven)
	j.c.Supposed, j.c.Lent = nil, 0
	step, denied := j.c.Decided()
	return end, j.c.Forgave() && !(denied && slices.ContainsFunc(passed, func(f story.Step) bool { return f.Same(&step) }))
}

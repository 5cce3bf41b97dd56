package explain

import (
	"fmt"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
)

// Mutant is a route that is wrong on purpose: the check that refuses a call is deleted, or changes places with the one that
// would refuse after it.
type Mutant struct {
	Name string
	End  check.End // how the call ends then
}

// maxDeleted bounds how often a deleted check is met in one call: behind the one that ends a loop, a route may have no end.
const maxDeleted = 1000

// Mutants lists the mutants of a call's route that end the call in a way of their own. A check without which the route has
// nothing to go on with, as that of a name that must exist, has none.
func (j *Judge) Mutants(call *syscalls.Call) []Mutant {
	j.judge(call, true, nil)
	step, denied := j.c.Decided()
	if !denied {
		return nil
	}
	first := j.checkName(&step)
	end, second, ok := j.deleted(call, first)
	if !ok {
		return nil
	}
	list := []Mutant{{fmt.Sprintf("%s without %s", call.Name, first), end}}
	if second != "" {
		list = append(list, Mutant{fmt.Sprintf("%s with %s before %s", call.Name, second, first), end})
	}
	return list
}

// deleted judges a call with a check left out; next is the one that refuses then.
func (j *Judge) deleted(call *syscalls.Call, name string) (end check.End, next string, ok bool) {
	defer func() {
		if recover() != nil { // there was nothing to go on with
			ok = false
		}
	}()
	defer func() { j.c.Deleted = nil }()
	met := 0
	j.c.Deleted = func(s story.Step) bool {
		if j.checkName(&s) != name {
			return false
		}
		if met++; met > maxDeleted {
			panic("the route has no end without " + name)
		}
		return true
	}
	end = j.judge(call, true, nil)
	if step, denied := j.c.Decided(); denied {
		next = j.checkName(&step)
	}
	return end, next, true
}

// checkName tells the checks of a route apart: by their code, by the errno and, where one code serves several rules, by the rule.
func (j *Judge) checkName(s *story.Step) string {
	name := s.Code.String()
	if s.Errno != 0 {
		name += " " + s.Errno.String()
	}
	if s.Code == story.CapNeeded {
		return name + " " + kernel.Cap(s.Val[0]).String()
	}
	if facts := s.Code.Info().Facts; len(facts) > 0 && ruleFacts[facts[0].Name] {
		if words := j.c.Words(); s.Val[0] < uint64(len(words)) {
			name += " (" + words[s.Val[0]] + ")"
		}
	}
	return name
}

// ruleFacts are the facts that say which rule of its code a step is.
var ruleFacts = map[string]bool{"reason": true, "rule": true, "what": true, "right": true}

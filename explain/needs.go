package explain

import (
	"slices"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
)

// Needs is what a call asks for of capabilities.
type Needs struct {
	SchemaVersion string  `json:"schemaVersion"`
	Call          string  `json:"call"`
	Verdict       string  `json:"verdict"`
	Errno         *string `json:"errno"`
	Needs         []Need  `json:"needs"`
}

// Need is a question for a capability that a call comes to.
type Need struct {
	Capability    string `json:"capability"`
	AskedIn       string `json:"askedIn"`       // initial, own, inode-mapped, superblock, …
	Namespace     string `json:"namespace"`     // for the owner of a namespace: its kind
	UserNamespace string `json:"userNamespace"` // the one that this comes to here; empty where it is not known
	Of            string `json:"of"`            // task, or opener: who opened the file that is written
	Has           string `json:"has"`           // yes, no or unknown
	Required      string `json:"required"`      // yes: refused without it; no: another way leads on; unknown
	Without       Ending `json:"without"`       // what the call comes to without the capability
	Reached       bool   `json:"reached"`       // false: an earlier check refuses the call
	Op            string `json:"op"`
	Object        string `json:"object"`
	Code          string `json:"code"` // the check that the answer counts in; empty where the question leaves no step
	Text          string `json:"text"` // that check's title
}

// Ending is a verdict and its errno.
type Ending struct {
	Verdict string  `json:"verdict"`
	Errno   *string `json:"errno"`
}

func ending(end check.End) Ending {
	e := Ending{Verdict: end.Verdict.String()}
	if end.Verdict == story.Denied && end.Sure && end.Errno != 0 {
		e.Errno = name(end.Errno)
	}
	return e
}

// question is what makes two questions one.
type question struct {
	check.Asked
	obj story.Ref
}

// past is the refusals that are passed over where a question is met: those for lack of a capability by supposing that it is
// there, others by forgiving them.
type past struct {
	supposed []check.Suppose
	forgiven []story.Step
}

// Needs lists the capabilities that a call asks for, in the order of the call. Where a check refuses it, those behind are
// listed as if it had not.
func (j *Judge) Needs(call *syscalls.Call) *Needs {
	defer func() { j.c.Supposed = nil }()
	end := ending(j.judge(call, true, nil))
	out := &Needs{SchemaVersion: story.SchemaVersion, Call: call.String(), Verdict: end.Verdict, Errno: end.Errno, Needs: []Need{}}
	var p past
	var asked []check.Asked // beside out.Needs, as is met
	var met []past
	seen := map[question]bool{}
	for round := range 12 {
		steps := j.c.Steps()
		for _, q := range j.c.Questions() {
			n, obj := j.need(q, steps)
			key := question{q, obj}
			key.Step, key.Answer = 0, 0
			if seen[key] {
				continue
			}
			seen[key] = true
			n.Reached = round == 0
			out.Needs, asked, met = append(out.Needs, n), append(asked, q), append(met, p)
		}
		if !p.pass(&j.c) {
			break
		}
		j.c.Supposed = p.supposed
		j.judge(call, true, p.forgiven)
	}
	for i := range out.Needs {
		n := &out.Needs[i]
		n.Without, n.Required = j.required(call, asked[i], met[i])
	}
	return out
}

// pass adds the refusal that the Check has come to; false where there is none, or none that could be passed over.
func (p *past) pass(c *check.Check) bool {
	step, denied := c.Decided()
	if !denied || slices.ContainsFunc(p.forgiven, func(f story.Step) bool { return f.Same(&step) }) {
		return false
	}
	last := len(c.Steps()) - 1
	for _, q := range slices.Backward(c.Questions()) {
		s := check.Suppose{Cap: q.Cap, NS: q.NS, Lost: q.Lost, Answer: kernel.Yes}
		if q.Step == last && q.Task && q.Answer == kernel.No && !slices.Contains(p.supposed, s) {
			p.supposed = append(slices.Clip(p.supposed), s)
			return true
		}
	}
	p.forgiven = append(slices.Clip(p.forgiven), step)
	return true
}

// need puts a question into words, with the step that came of it.
func (j *Judge) need(q check.Asked, steps []story.Step) (Need, story.Ref) {
	n := Need{Capability: q.Cap.String(), AskedIn: q.Realm.String(), Of: "task", Has: answer(q.World)}
	if q.Realm == check.RealmNamespace {
		n.Namespace = q.Kind.String()
	}
	if !q.Lost && int(q.NS) < len(j.w.UserNS) {
		n.UserNamespace = j.w.UserNS[q.NS].Name
	}
	if !q.Task {
		n.Of = "opener"
	}
	var obj story.Ref
	if q.Step < len(steps) {
		e := j.entry(&steps[q.Step])
		n.Op, n.Object, n.Code, n.Text, obj = e.Op, e.Object, e.Code, steps[q.Step].Code.Info().Title, steps[q.Step].Obj
	}
	return n, obj
}

// required judges the call with and without a capability, from where the question is met.
func (j *Judge) required(call *syscalls.Call, q check.Asked, p past) (Ending, string) {
	if !q.Task { // the opener's capabilities are those of another moment
		return Ending{Verdict: story.Undetermined.String()}, "unknown"
	}
	var unknown [2][]story.Step
	judge := func(i int, a kernel.Answer) (check.End, story.Step) {
		j.c.Supposed = append(slices.Clip(p.supposed), check.Suppose{Cap: q.Cap, NS: q.NS, Lost: q.Lost, Answer: a})
		end := j.judge(call, true, p.forgiven)
		for _, s := range j.c.Steps() {
			if s.Outcome == story.Unknown {
				unknown[i] = append(unknown[i], s)
			}
		}
		step, _ := j.c.Decided()
		return end, step
	}
	with, passed := judge(0, kernel.Yes)
	without, stopped := judge(1, kernel.No)
	refused := func(end check.End) bool { return end.Verdict == story.Denied || end.Verdict == story.Killed }
	// What is not known on both ways is not for this capability to decide.
	unsure := slices.ContainsFunc(unknown[1], func(s story.Step) bool {
		return !slices.ContainsFunc(unknown[0], func(o story.Step) bool { return o.Same(&s) })
	})
	switch {
	case refused(without) && !(refused(with) && passed.Same(&stopped)):
		return ending(without), "yes"
	case unsure:
		return ending(without), "unknown"
	}
	return ending(without), "no"
}

func answer(a kernel.Answer) string {
	switch a {
	case kernel.Yes:
		return "yes"
	case kernel.No:
		return "no"
	}
	return "unknown"
}

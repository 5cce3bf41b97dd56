package world

import "syscallstory/story"

// Fact is a value with the Origin that it comes from; with an unknown Origin the value means nothing.
type Fact[T any] struct {
	V  T
	At story.Origin
}

// Known reports whether the value is known.
func (f Fact[T]) Known() bool { return f.At.Known() }

// Given makes a known fact.
func Given[T any](v T, at story.Origin) Fact[T] { return Fact[T]{V: v, At: at} }

// Origins is the world's table of where facts come from and of what is not known. Index 0 of each table is unused, so that
// the zero Origin is no origin.
type Origins struct {
	known   []story.Place
	missing []story.Assumption
	assumed []story.Origin // known facts that nobody gave: listed in the story
	why     map[story.Origin]string
	quiet   map[story.Origin]bool // assumed facts that count only where a step has used them
}

// Add records a place and returns its Origin.
func (o *Origins) Add(p story.Place) story.Origin {
	if len(o.known) == 0 {
		o.known = append(o.known, story.Place{})
	}
	o.known = append(o.known, p)
	return story.Origin(len(o.known) - 1)
}

// Text records an Origin that has no file: who or what says so.
func (o *Origins) Text(text string) story.Origin { return o.Add(story.Place{Text: text}) }

// Assume records a fact that nobody gave and that is taken as text says, with what would settle it.
func (o *Origins) Assume(text, settles string) story.Origin {
	at := o.Add(story.Place{Text: "assumed"})
	if o.why == nil {
		o.why = map[story.Origin]string{}
	}
	o.assumed = append(o.assumed, at)
	o.why[at] = settles
	o.known[at].Text = text
	return at
}

// Suppose is Assume for a fact that few calls meet: it is listed only in a story that uses it.
func (o *Origins) Suppose(text, settles string) story.Origin {
	for at := range o.quiet {
		if o.known[at].Text == text {
			return at
		}
	}
	at := o.Assume(text, settles)
	if o.quiet == nil {
		o.quiet = map[story.Origin]bool{}
	}
	o.quiet[at] = true
	return at
}

// Miss records a fact that is not known, with what would settle it.
func (o *Origins) Miss(text, settles string) story.Origin {
	for i, m := range o.missing {
		if m.Text == text && m.Settles == settles {
			return story.Origin(i) | story.Missing
		}
	}
	if len(o.missing) == 0 {
		o.missing = append(o.missing, story.Assumption{})
	}
	o.missing = append(o.missing, story.Assumption{Text: text, Settles: settles})
	return story.Origin(len(o.missing)-1) | story.Missing
}

// Place returns the place of a known Origin, nil for any other.
func (o *Origins) Place(at story.Origin) *story.Place {
	if !at.Known() || int(at) >= len(o.known) {
		return nil
	}
	p := o.known[at]
	return &p
}

// Reason returns what an unknown Origin says.
func (o *Origins) Reason(at story.Origin) (story.Assumption, bool) {
	i := int(at &^ story.Missing)
	if at&story.Missing == 0 || i == 0 || i >= len(o.missing) {
		return story.Assumption{}, false
	}
	return o.missing[i], true
}

// Assumptions lists what was assumed, in the order in which it was; used says which facts the story's steps have compared.
func (o *Origins) Assumptions(used func(story.Origin) bool) []story.Assumption {
	var all []story.Assumption
	for _, at := range o.assumed {
		if !o.quiet[at] || used(at) {
			all = append(all, story.Assumption{Text: o.known[at].Text, Settles: o.why[at]})
		}
	}
	return all
}

package explain

import (
	"slices"
	"strings"

	"syscallstory/story"
)

// Explains compares a story with what a call is known to have answered, and lists what could produce that answer: the facts
// that are missing, then what would refuse next, then the checks that passed by a fact that may be wrong.
func (j *Judge) Explains(s *story.Story, got story.Errno) *story.Got {
	g := &story.Got{Errno: got.String(), Candidates: []story.Candidate{}}
	switch {
	case got == 0:
		g.Explained = s.Verdict == story.Allowed.String()
	case s.Errno != nil:
		g.Explained = *s.Errno == g.Errno
	}
	g.Possible = g.Explained || slices.Contains(s.Possible, g.Errno)
	if g.Explained {
		return g
	}
	add := func(e *story.Entry, why string) {
		c := story.Candidate{Gate: e.Gate, LSM: e.LSM, Code: e.Code, Text: e.Text, Why: why, Settles: append([]string{}, e.Settles...)}
		for _, f := range e.Facts {
			if f.At != nil && why == "fact" {
				c.At = f.At
			}
		}
		for _, have := range g.Candidates {
			if have.Code == c.Code && have.Text == c.Text {
				return
			}
		}
		g.Candidates = append(g.Candidates, c)
	}
	for i := range s.Steps {
		if e := &s.Steps[i]; e.Outcome == "unknown" && (e.Errno != nil && *e.Errno == g.Errno || mayAnswer(e.Code, g.Errno)) {
			add(e, "missing")
		}
	}
	for i := range s.Next {
		if e := &s.Next[i]; e.Errno != nil && *e.Errno == g.Errno {
			add(e, "next")
		}
	}
	for i := range s.Steps {
		if e := &s.Steps[i]; e.Outcome == "allow" && mayAnswer(e.Code, g.Errno) {
			add(e, "fact")
		}
	}
	return g
}

// mayAnswer reports whether the check of a code can answer with an errno.
func mayAnswer(code, errno string) bool {
	c, ok := story.ParseCode(code)
	if !ok {
		return false
	}
	return slices.Contains(strings.FieldsFunc(c.Info().Errno, func(r rune) bool { return r < '0' || r > '9' && r < 'A' || r > 'Z' }), errno)
}

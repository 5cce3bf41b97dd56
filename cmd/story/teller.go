package main

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"

	"syscallstory/explain"
	"syscallstory/fix"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// teller judges calls and prints their stories.
type teller struct {
	in     world.Input
	f      *explainFlags
	j      *explain.Judge
	s      *explain.Stream // where the world changes with the calls
	w      *writer
	errs   io.Writer
	evolve bool
	code   int
}

func (t *teller) bind() error {
	w, err := t.in.World()
	if err != nil {
		return err
	}
	if t.j, err = bind(w); err == nil {
		t.j.Remarks()
		t.s = t.j.Stream()
	}
	return err
}

// calls judges calls that were given as arguments; all of them are read before the first is told.
func (t *teller) calls(args []string, got *story.Errno) error {
	var all []syscalls.Made
	for _, a := range args {
		c, r, err := syscalls.ParseLine(t.j.ABI(), a)
		if err != nil {
			return err
		}
		if got != nil {
			r.Known = false // --got says it
		}
		all = append(all, syscalls.Made{Call: c, Result: r})
	}
	if t.evolve {
		return t.sequence(all, got)
	}
	return t.independently(slices.Values(all), got)
}

// stream judges the calls of standard input, a line each. Of a short one all is read first: then what lets all of it pass can
// be searched for.
func (t *teller) stream(in io.Reader, want *story.Errno) error {
	if !t.evolve {
		var bad error
		err := t.independently(func(yield func(syscalls.Made) bool) {
			bad = eachCall(in, "<stdin>", t.j.ABI(), func(c *syscalls.Call, r syscalls.Result) error {
				if !yield(syscalls.Made{Call: c, Result: r}) {
					return errStopped
				}
				return nil
			})
		}, want)
		if errors.Is(bad, errStopped) {
			bad = nil
		}
		return errors.Join(err, bad)
	}
	var first []syscalls.Made
	over := false
	err := eachCall(in, "<stdin>", t.j.ABI(), func(c *syscalls.Call, r syscalls.Result) error {
		m := syscalls.Made{Call: c, Result: r}
		if over {
			return t.tell(m, want, nil)
		}
		first = append(first, m)
		if over = len(first) > fix.MaxThrough; over {
			return t.all(first, want, -1, nil)
		}
		return nil
	})
	switch {
	case over:
		fmt.Fprintf(t.errs, "story: of more than %d calls it is not searched what lets all of them pass\n", fix.MaxThrough)
		return err
	case err != nil: // what came before a line that cannot be read is told
		return errors.Join(t.all(first, want, -1, nil), err)
	}
	return t.sequence(first, want)
}

// errStopped ends the reading of calls.
var errStopped = errors.New("stopped")

// alone is how many calls one judge takes before it is worth while to make others.
const alone = 16

// independently judges each call against the first world, many of them on all processors. What is told comes in the order of the
// calls.
func (t *teller) independently(calls iter.Seq[syscalls.Made], got *story.Errno) error {
	next, stop := iter.Pull(calls)
	defer stop()
	var head []syscalls.Made
	for len(head) < alone {
		m, more := next()
		if !more {
			break
		}
		head = append(head, m)
	}
	judges, n := []*explain.Judge{t.j}, 1
	if len(head) == alone && t.f.pid == 0 { // of a live process one world is read
		n = runtime.GOMAXPROCS(0)
	}
	b, err := explain.NewBatch(n, func() (*explain.Judge, error) {
		if len(judges) > 0 {
			j := judges[0]
			judges = nil
			return j, nil
		}
		w, err := t.in.World()
		if err != nil {
			return nil, err
		}
		j, err := bind(w)
		if err == nil {
			j.Remarks()
		}
		return j, err
	})
	if err != nil {
		return err
	}
	explain.Each(b, func(yield func(syscalls.Made) bool) {
		for _, m := range head {
			if !yield(m) {
				return
			}
		}
		for m, more := next(); more && yield(m); m, more = next() {
		}
	}, 1, func(j *explain.Judge, m syscalls.Made) told {
		g := got
		if m.Known {
			g = &m.Errno
		}
		return t.judged(j, j.Story(m.Call), m, g, nil)
	}, func(_ syscalls.Made, x told) bool {
		err = t.write(x)
		return err == nil
	})
	return err
}

// sequence tells of calls that follow each other; with the first one that is refused stands what lets all of them pass.
func (t *teller) sequence(made []syscalls.Made, got *story.Errno) error {
	first, fixes := -1, []story.Fix(nil)
	if !t.f.quiet && len(made) <= fix.MaxThrough {
		var err error
		if first, fixes, err = fix.Through(t.in, bind, made); err != nil {
			return err
		}
	}
	return t.all(made, got, first, fixes)
}

func (t *teller) all(made []syscalls.Made, got *story.Errno, first int, fixes []story.Fix) error {
	for i, m := range made {
		var f []story.Fix
		if i == first {
			f = fixes
		}
		if err := t.tell(m, got, f); err != nil {
			return err
		}
	}
	return nil
}

// told is the story of a call with its exit code.
type told struct {
	s    *story.Story
	code int
	err  error
}

// tell judges one call of a stream and prints its story.
func (t *teller) tell(m syscalls.Made, got *story.Errno, fixes []story.Fix) error {
	if m.Known {
		got = &m.Errno
	}
	t.s.Turn(m.PID)
	s := t.j.Story(m.Call)
	switch {
	case got != nil && *got == 0, got == nil && s.Verdict == story.Allowed.String():
		t.s.Apply(m.Call, m.Returned())
	case got == nil && s.Verdict == story.Undetermined.String():
		t.s.ApplyUnsure(m.Call)
	case s.Verdict == story.Denied.String() && (got == nil || s.Errno != nil && *s.Errno == got.String()):
		t.s.ApplyRefused()
	}
	return t.write(t.judged(t.j, s, m, got, fixes))
}

// judged compares a story with what is known of the call's end and, where it stands alone and is refused, searches fixes.
func (t *teller) judged(j *explain.Judge, s *story.Story, m syscalls.Made, got *story.Errno, fixes []story.Fix) told {
	code := map[string]int{"allowed": exitAllowed, "denied": exitDenied, "killed": exitDenied, "blocks": exitDenied, "undetermined": exitUndetermined}[s.Verdict]
	if got != nil {
		s.Got = j.Explains(s, *got)
		if !s.Got.Explained && !s.Got.Possible {
			code = exitDisagree
		} else if !s.Got.Explained {
			code = exitUndetermined
		}
	}
	if code == exitDenied && !t.f.quiet && !t.evolve {
		var err error
		fixes, err = fix.Search(t.in, bind, m.Call)
		switch {
		case err != nil && t.f.pid != 0: // it has exited meanwhile: its story is told all the same
			s.Findings = append(s.Findings, story.Finding{Severity: "note", Text: "what would let the call pass was not searched for: " + err.Error()})
		case err != nil:
			return told{err: err}
		}
	}
	s.Fixes = append(s.Fixes, fixes...)
	return told{s: s, code: code}
}

func (t *teller) write(x told) error {
	if x.err != nil {
		return x.err
	}
	t.code = worse(t.code, x.code)
	return t.w.write(x.s)
}

package explain

import (
	"errors"
	"iter"

	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/syscalls"
)

// Batch judges calls on several judges at once, each on a world of its own and independently of the others. What comes out comes in
// the order of what went in; no more than a few thousand calls a judge are under way, however many there are.
type Batch struct {
	judges []*Judge
}

// perTurn is how many calls a judge takes at a time: enough that handing them over does not count beside a verdict.
const perTurn = 512

// NewBatch makes n judges, one after another, each of a world that was built for it.
func NewBatch(n int, judge func() (*Judge, error)) (*Batch, error) {
	if n < 1 {
		return nil, errors.New("a batch has at least one judge")
	}
	b := &Batch{}
	for range n {
		j, err := judge()
		if err != nil {
			return nil, err
		}
		b.judges = append(b.judges, j)
	}
	return b, nil
}

// Verdicts judges calls; yield gets them in their order, and ends all by returning false.
func (b *Batch) Verdicts(calls iter.Seq[*syscalls.Call], yield func(*syscalls.Call, check.End) bool) {
	Each(b, calls, perTurn, func(j *Judge, c *syscalls.Call) check.End { return j.Verdict(c) }, yield)
}

// Stories is Verdicts with the whole stories.
func (b *Batch) Stories(calls iter.Seq[*syscalls.Call], yield func(*syscalls.Call, *story.Story) bool) {
	Each(b, calls, 1, func(j *Judge, c *syscalls.Call) *story.Story { return j.Story(c) }, yield)
}

// turn is some calls that one judge takes, and what comes of them.
type turn[C, R any] struct {
	calls   []C
	results []R
	done    chan struct{}
}

// Each does something with each call on one of the batch's judges, size calls at a time, and yields what comes of it in the order of
// the calls, on the caller's goroutine; the calls are read on another one. A yield that returns false ends it, when what is under
// way has come to its end.
func Each[C, R any](b *Batch, calls iter.Seq[C], size int, do func(*Judge, C) R, yield func(C, R) bool) {
	under := 2 * len(b.judges) // turns under way
	work, order, free, stop := make(chan *turn[C, R], under), make(chan *turn[C, R], under), make(chan *turn[C, R], under), make(chan struct{})
	for range under {
		free <- &turn[C, R]{done: make(chan struct{}, 1), calls: make([]C, 0, size), results: make([]R, 0, size)}
	}
	for _, j := range b.judges {
		go func() {
			for t := range work {
				for _, c := range t.calls {
					t.results = append(t.results, do(j, c))
				}
				t.done <- struct{}{}
			}
		}()
	}
	go func() {
		defer close(order)
		defer close(work)
		var t *turn[C, R]
		for c := range calls {
			if t == nil {
				select {
				case t = <-free: // waits while as many are under way as may be
				case <-stop:
					return
				}
			}
			if t.calls = append(t.calls, c); len(t.calls) == size {
				order <- t
				work <- t
				t = nil
			}
		}
		if t != nil {
			order <- t
			work <- t
		}
	}()
	ended := false
	for t := range order {
		<-t.done
		for i, c := range t.calls {
			if !ended && !yield(c, t.results[i]) {
				ended = true
				close(stop)
			}
		}
		t.calls, t.results = t.calls[:0], t.results[:0]
		free <- t
	}
}

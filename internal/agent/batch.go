package agent

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Batch is a list of calls with what is to be done with their results.
type Batch struct {
	*Agent
	after []func() error
	err   error
}

// NewBatch begins a list.
func NewBatch(a *Agent) *Batch {
	a.Reset()
	return &Batch{Agent: a}
}

// Then adds a call, and what is done with its result.
func (b *Batch) Then(f func(ret int64) error, nr uintptr, args ...uintptr) int {
	i := b.Add(nr, args...)
	o := &b.B.Orders[i]
	b.after = append(b.after, func() error { return f(o.Ret) })
	return i
}

// Must adds a call that has to succeed.
func (b *Batch) Must(what string, nr uintptr, args ...uintptr) int {
	return b.Then(func(ret int64) error {
		if ret < 0 {
			return fmt.Errorf("%s: %w", what, unix.Errno(-ret))
		}
		return nil
	}, nr, args...)
}

// Bind makes an argument of a call the result of another one, without which it is not made.
func (b *Batch) Bind(call, arg, from int) {
	b.B.Orders[call].Bound[arg] = uint16(from + 1)
	b.B.Orders[call].Need = uint16(from + 1)
}

// Flush has the calls made.
func (b *Batch) Flush() error {
	if b.err == nil {
		b.err = b.Run()
	}
	for _, f := range b.after {
		if b.err == nil {
			b.err = f()
		}
	}
	b.after = nil
	b.Reset()
	return b.err
}

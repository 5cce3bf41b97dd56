package agent

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"syscallstory/syscalls"
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

// Args gives the arguments of a call, and puts what they point to into the list's memory.
func (b *Batch) Args(call *syscalls.Call) ([]uintptr, error) {
	regs, err := call.Encode()
	if err != nil {
		return nil, err
	}
	args := make([]uintptr, 6)
	for k, reg := range regs {
		if args[k] = uintptr(reg.Val); len(reg.Bytes) == 0 {
			continue
		}
		mem, at := b.Room(len(reg.Bytes))
		copy(mem, reg.Bytes)
		for _, off := range reg.Pointers {
			binary.LittleEndian.PutUint64(mem[off:], uint64(at)+binary.LittleEndian.Uint64(mem[off:]))
		}
		args[k] = at
	}
	return args, nil
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

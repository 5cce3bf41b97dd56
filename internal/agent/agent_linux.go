// Package agent makes syscalls in processes without a runtime, one for each set of namespaces. They make the calls that they
// find in memory that they share with their parent, so that a list of calls costs two wake-ups and no fork.
package agent

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// MaxCalls is how many calls a list may hold.
	MaxCalls = 1024
	// TextSize is how many bytes their arguments and results may have.
	TextSize = 256 << 10

	// Spawn is clone: arguments are flags and the block of the new agent.
	Spawn = 1 << 20
	// Exit ends the agent.
	Exit = Spawn + 1
	// NotMade is the result of an order that was left out.
	NotMade = -1 << 20
)

// Order is one syscall. An argument that is bound takes the result of an earlier order; one with a need is left out where that
// order has failed.
type Order struct {
	NR    uintptr
	Args  [6]uintptr
	Bound [6]uint16 // n+1: the result of order n
	Need  uint16    // n+1: only if order n has not failed
	Ret   int64
}

// Block is the memory of one agent. It must be shared with it.
type Block struct {
	asked, done uint32
	N           uintptr
	Orders      [MaxCalls]Order
	Text        [TextSize]byte
}

// Clear makes a block ready for a new agent.
func (b *Block) Clear() { b.asked, b.done, b.N = 0, 0, 0 }

// Fork starts an agent. The calling thread has its signals blocked and lives as long as the agent, which is killed with it.
//
//go:norace
//go:nosplit
//go:noinline
func Fork(flags uintptr, b *Block) (uintptr, syscall.Errno) {
	pid, _, e := syscall.RawSyscall6(unix.SYS_CLONE, flags, 0, 0, 0, 0, 0)
	if e == 0 && pid == 0 {
		serve(b)
	}
	return pid, e
}

// serve is an agent's life. It must not grow its stack nor allocate.
//
//go:norace
//go:nosplit
//go:noinline
func serve(b *Block) {
	const futexWait, futexWake = 0, 1
begin:
	syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0, 0)
	last := uint32(0)
	for {
		now := atomic.LoadUint32(&b.asked)
		if now == last {
			syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&b.asked)), futexWait, uintptr(last), 0, 0, 0)
			continue
		}
		last = now
		for i := uintptr(0); i < b.N; i++ {
			o := (*Order)(unsafe.Add(unsafe.Pointer(&b.Orders), i*unsafe.Sizeof(Order{})))
			if o.Need != 0 {
				need := (*Order)(unsafe.Add(unsafe.Pointer(&b.Orders), uintptr(o.Need-1)*unsafe.Sizeof(Order{})))
				if need.Ret < 0 {
					o.Ret = NotMade
					continue
				}
			}
			for k := uintptr(0); k < 6; k++ {
				if from := *(*uint16)(unsafe.Add(unsafe.Pointer(&o.Bound), 2*k)); from != 0 {
					f := (*Order)(unsafe.Add(unsafe.Pointer(&b.Orders), uintptr(from-1)*unsafe.Sizeof(Order{})))
					*(*uintptr)(unsafe.Add(unsafe.Pointer(&o.Args), k*unsafe.Sizeof(uintptr(0)))) = uintptr(f.Ret)
				}
			}
			switch o.NR {
			case Exit:
				for {
					syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
				}
			case Spawn:
				next := *(**Block)(unsafe.Pointer(&o.Args[1])) // afterwards the order may be another one
				pid, _, e := syscall.RawSyscall6(unix.SYS_CLONE, o.Args[0], 0, 0, 0, 0, 0)
				if e == 0 && pid == 0 {
					b = next
					goto begin
				}
				if o.Ret = int64(pid); e != 0 {
					o.Ret = -int64(e)
				}
			default:
				r, _, e := syscall.RawSyscall6(o.NR, o.Args[0], o.Args[1], o.Args[2], o.Args[3], o.Args[4], o.Args[5])
				if o.Ret = int64(r); e != 0 {
					o.Ret = -int64(e)
				}
			}
		}
		atomic.StoreUint32(&b.done, last)
		syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&b.done)), futexWake, 1, 0, 0, 0)
	}
}

// Agent is a process that makes calls.
type Agent struct {
	B    *Block
	PID  int
	text int // used bytes of the block's text
}

// Room keeps n bytes for the results of the next orders, and returns them with their address.
func (a *Agent) Room(n int) ([]byte, uintptr) {
	a.text = (a.text + 7) &^ 7
	if a.text+n > len(a.B.Text) {
		panic("the strings of a list of calls are too long")
	}
	b := a.B.Text[a.text : a.text+n : a.text+n]
	a.text += n
	return b, uintptr(unsafe.Pointer(unsafe.SliceData(b)))
}

// Put keeps a string for the next orders and returns its address.
func (a *Agent) Put(s string) uintptr {
	if a.text+len(s)+1 > len(a.B.Text) {
		panic("the strings of a list of calls are too long")
	}
	p := unsafe.Pointer(&a.B.Text[a.text])
	copy(a.B.Text[a.text:], s)
	a.B.Text[a.text+len(s)] = 0
	a.text += len(s) + 1
	return uintptr(p)
}

// Align makes the next string begin at a multiple of eight bytes.
func (a *Agent) Align() { a.text = (a.text + 7) &^ 7 }

// Reset begins a new list of orders.
func (a *Agent) Reset() { a.B.N, a.text = 0, 0 }

// Add appends an order and returns its number.
func (a *Agent) Add(nr uintptr, args ...uintptr) int {
	i := int(a.B.N)
	o := &a.B.Orders[i]
	*o = Order{NR: nr, Ret: NotMade}
	copy(o.Args[:], args)
	a.B.N++
	return i
}

// ErrLost says that an agent has ended.
var ErrLost = errors.New("an agent has ended")

// Run has the orders made.
func (a *Agent) Run() error {
	want := a.B.asked + 1
	atomic.StoreUint32(&a.B.asked, want)
	syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&a.B.asked)), 1, 1, 0, 0, 0)
	timeout := unix.Timespec{Nsec: 2e8}
	start := time.Now()
	for {
		got := atomic.LoadUint32(&a.B.done)
		if got == want {
			return nil
		}
		syscall.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&a.B.done)), 0, uintptr(got), uintptr(unsafe.Pointer(&timeout)), 0, 0)
		var status unix.WaitStatus
		if pid, _ := unix.Wait4(a.PID, &status, unix.WNOHANG, nil); pid == a.PID {
			return fmt.Errorf("%w: status %#x", ErrLost, uint32(status))
		}
		if time.Since(start) > 30*time.Second {
			return ErrLost
		}
	}
}

// Start forks an agent from this thread, which has to be locked and to live on.
func Start(flags uintptr, b *Block) (*Agent, error) {
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return nil, fmt.Errorf("block signals: %w", err)
	}
	pid, e := Fork(uintptr(unix.SIGCHLD)|flags, b)
	unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	if e != 0 {
		return nil, e
	}
	return &Agent{B: b, PID: int(pid)}, nil
}

// End kills the agent and waits for it.
func (a *Agent) End() error {
	unix.Kill(a.PID, unix.SIGKILL)
	for {
		if _, e := unix.Wait4(a.PID, nil, 0, nil); e != unix.EINTR {
			return e
		}
	}
}

// Left returns how many bytes of strings and results still fit into the list.
func (a *Agent) Left() int { return len(a.B.Text) - a.text }

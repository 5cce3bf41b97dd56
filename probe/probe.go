// Package probe makes a raw syscall as a task of a container would: with its final credentials and under its seccomp filters,
// strict mode included, and with no Go runtime in the way that a tight filter would kill.
//
// The caller is forked without execve. The child has all signals blocked and one thread, which takes on the final
// credentials. A filter cannot be installed after that without no_new_privs, and one that was installed before would have to
// allow setresuid and capset; so a second thread, which keeps the capabilities, installs it for both (SECCOMP_FILTER_FLAG_TSYNC)
// and never makes another syscall. The first thread makes the calls, and their results come back by plain stores to memory
// that is shared with the caller.
package probe

import (
	"encoding/binary"
	"time"
)

// Cred is what the probing thread becomes. Ids are those of the user namespace in which the caller lives.
type Cred struct {
	UID, GID                                             uint32 // real, effective, saved and for files
	Groups                                               []uint32
	Bounding, Inheritable, Permitted, Effective, Ambient uint64
	Securebits                                           uint32
	NoNewPrivs                                           bool
}

// Filter is a classic BPF program in the kernel's form: eight bytes an instruction, struct sock_filter.
type Filter []byte

// Append adds an instruction.
func (f Filter) Append(code uint16, jt, jf uint8, k uint32) Filter {
	f = binary.LittleEndian.AppendUint16(f, code)
	return binary.LittleEndian.AppendUint32(append(f, jt, jf), k)
}

// Task is the task that calls.
type Task struct {
	Cred    Cred
	Strict  bool     // strict mode
	Filters []Filter // oldest first
	Umask   uint32
	Keep    []int         // descriptors that stay open beside 0, 1 and 2
	Timeout time.Duration // for each call
}

// Arg is one register: a number, or the address of memory that is passed.
type Arg struct {
	Val  uint64
	Data []byte // not empty: the address of a copy is passed
}

// Call is a raw syscall.
type Call struct {
	NR   uint64
	Args [6]Arg
}

// Result is how a call has ended.
type Result struct {
	Ret     int64 // what the kernel has returned; -errno for an error
	Signal  int   // the signal that ended the task instead
	Blocked bool  // it had not returned when its time was over
	Skipped bool  // a call before it had not returned
}

// MaxCalls is how many calls one task can make.
const MaxCalls = 256

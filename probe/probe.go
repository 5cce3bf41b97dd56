// Package probe makes a raw syscall as a task of a container would: with its final credentials and under its seccomp filters,
// strict mode included, and with no Go runtime in the way that a tight filter would kill.
//
// The caller is forked without execve. The child has all signals blocked and one thread, which takes on the final
// credentials and installs the filters. Without no_new_privs and CAP_SYS_ADMIN it cannot any more, and a filter that was
// installed before would have to allow setresuid and capset; so then a second thread, which keeps the capabilities, installs it
// for both (SECCOMP_FILTER_FLAG_TSYNC). It ends where the filters let exit(2) pass (Task.Leaves), so that the calls come from a
// process of one thread, as unshare(CLONE_NEWUSER) wants it; else it never makes another syscall. The first thread makes the
// calls, and their results come back by plain stores to memory that is shared with the caller.
package probe

import (
	"encoding/binary"
	"time"
)

// Cred is what the probing thread becomes. Ids are those of the user namespace in which the caller lives.
type Cred struct {
	UID, GID                                             uint32 // effective and for files; the others too, where Others is nil
	Others                                               *Others
	Groups                                               []uint32
	Bounding, Inheritable, Permitted, Effective, Ambient uint64
	Securebits                                           uint32
	NoNewPrivs                                           bool
}

// Others are the real and the saved ids, where they differ from the effective ones.
type Others struct{ RealUID, SavedUID, RealGID, SavedGID uint32 }

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
	Leaves  bool     // the filters let exit(2) pass, or kill the thread only that makes it
	Umask   uint32
	// Dumpable: the task owns its files in /proc, as after an execve, though its credentials have changed.
	Dumpable bool
	Keep     []int         // descriptors that stay open beside 0, 1 and 2
	Before   []Call        // made before the task takes on its credentials, as to enter namespaces or a root; each must succeed
	Timeout  time.Duration // for each call
}

// Arg is one register: a number, or the address of memory that is passed.
type Arg struct {
	Val  uint64
	Data []byte // not empty: its address is passed
	// Pointers are offsets of words in Data that are addresses themselves: each holds the offset in Data that it leads to.
	Pointers []int
	// PIDOf is the number, from 1, of an earlier call that has made a task: PIDWidth bytes of Data from PIDAt become its id, with
	// slashes before it.
	PIDOf, PIDAt int
}

// PIDWidth is how many bytes an id takes in Data.
const PIDWidth = 10

// Call is a raw syscall.
type Call struct {
	NR   uint64
	Args [6]Arg
	I386 bool // made as i386 does, with its numbers; a kernel without IA32_EMULATION sends SIGSEGV
	By   int  // the task that makes it: 0 for the first one
	// Makes is the number by which calls name the task that this one makes, as fork does; without one, that task ends at once. It has
	// memory of its own: clone without CLONE_VM.
	Makes int
}

// Result is how a call has ended.
type Result struct {
	Ret     int64 // what the kernel has returned; -errno for an error
	Signal  int   // the signal that ended the task instead
	Blocked bool  // it had not returned when its time was over
	Skipped bool  // a call before it had not returned
	// Status is with what the program has ended that an execve has begun: one that ended by itself within the call's time. 0 stands
	// for none, so that a program must end with another one to be told.
	Status int
}

// MaxCalls is how many calls one task can make.
const MaxCalls = 256

//go:build linux

// Package live reads facts from processes that run.
package live

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Seccomp is the seccomp state of one task.
type Seccomp struct {
	Mode       int // 0 none, 1 strict, 2 filters, as /proc/PID/status has it
	NoNewPrivs bool
	Filters    []Filter // oldest first
	Others     []int    // threads of the process whose mode or number of filters is another
}

// Filter is a program that a task has loaded.
type Filter struct {
	Program []byte // struct sock_filter in a row
	Log     bool   // it was installed with SECCOMP_FILTER_FLAG_LOG
}

// ReadError is a process that cannot be read.
type ReadError struct {
	PID  int
	Op   string
	Err  error
	Need string // what would help; may be empty
}

func (e *ReadError) Error() string {
	s := fmt.Sprintf("process %d: %s: %v", e.PID, e.Op, e.Err)
	if e.Need != "" {
		s += ": " + e.Need
	}
	return s
}

func (e *ReadError) Unwrap() error { return e.Err }

// stopTimeout bounds how long a task may take to stop for its filters to be read.
const stopTimeout = 3 * time.Second

// ReadSeccomp reads the seccomp state of a process, or of one thread by its id. Filters are read through ptrace: the task stops for less than a
// millisecond. Requires CAP_SYS_ADMIN in the initial user namespace and a kernel with CONFIG_CHECKPOINT_RESTORE; the caller must have no
// filter itself (seccomp_get_filter).
func ReadSeccomp(pid int) (*Seccomp, error) {
	st, err := readStatus(fmt.Sprintf("/proc/%d/status", pid))
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, unix.ESRCH):
		return nil, &ReadError{pid, "read its status", unix.ESRCH, ""}
	case err != nil:
		return nil, &ReadError{pid, "read its status", err, ""}
	}
	s := &Seccomp{Mode: st.mode, NoNewPrivs: st.noNewPrivs}
	if st.tgid == pid {
		s.Others = differing(pid, st)
	}
	if st.state == 'Z' || st.state == 'X' {
		return nil, &ReadError{pid, "read its filters", errors.New("it has exited and waits for its parent"), ""}
	}
	if s.Mode != 2 {
		return s, nil
	}
	if st.tracer != 0 {
		return nil, &ReadError{pid, "read its filters", fmt.Errorf("process %d traces it already", st.tracer), "a task has one tracer at a time"}
	}
	type answer struct {
		filters []Filter
		err     error
	}
	ch := make(chan answer, 1)
	go func() {
		// All requests to a tracee come from one thread. It is not handed back: with its end the kernel lets go of the tracee in every case.
		runtime.LockOSThread()
		f, err := filters(pid)
		ch <- answer{f, err}
	}()
	a := <-ch
	if a.err != nil {
		return nil, a.err
	}
	if st.count >= 0 && st.count != len(a.filters) {
		return nil, &ReadError{pid, "read its filters", fmt.Errorf("it has %d and %d could be read", st.count, len(a.filters)), ""}
	}
	s.Filters = a.filters
	return s, nil
}

// differing lists the threads whose seccomp state is not the first one's.
func differing(pid int, st status) []int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if t, err := readStatus(fmt.Sprintf("/proc/%d/task/%d/status", pid, tid)); err == nil && (t.mode != st.mode || t.count != st.count) {
			out = append(out, tid)
		}
	}
	return out
}

const (
	ptraceSeccompGetFilter   = 0x420c
	ptraceSeccompGetMetadata = 0x420d
	filterFlagLog            = 2 // SECCOMP_FILTER_FLAG_LOG
	eventStop                = 128
)

func ptrace(req, pid, addr, data uintptr) (int, error) {
	r, _, e := unix.Syscall6(unix.SYS_PTRACE, req, pid, addr, data, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(r), nil
}

// filters stops a task, reads its filters and lets it go on.
func filters(pid int) (list []Filter, err error) {
	if _, err := ptrace(unix.PTRACE_SEIZE, uintptr(pid), 0, 0); err != nil {
		need := ""
		if err == unix.EPERM {
			need = "run as root: CAP_SYS_PTRACE over the process is needed, and no other tracer"
		}
		return nil, &ReadError{pid, "trace it", err, need}
	}
	signal := 0 // a signal on its way, which must not get lost
	defer func() {
		if _, e := ptrace(unix.PTRACE_DETACH, uintptr(pid), 0, uintptr(signal)); e != nil && err == nil && e != unix.ESRCH {
			err = &ReadError{pid, "let it go on", e, ""}
		}
	}()
	if _, err := ptrace(unix.PTRACE_INTERRUPT, uintptr(pid), 0, 0); err != nil {
		return nil, &ReadError{pid, "stop it", err, ""}
	}
	for deadline := time.Now().Add(stopTimeout); ; {
		var ws unix.WaitStatus
		got, err := unix.Wait4(pid, &ws, unix.WALL|unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, &ReadError{pid, "wait for it to stop", err, ""}
		case got == 0 && time.Now().After(deadline):
			return nil, &ReadError{pid, "wait for it to stop", unix.ETIMEDOUT, "it sleeps in the kernel and cannot be interrupted"}
		case got == 0:
			time.Sleep(100 * time.Microsecond)
			continue
		case ws.Exited() || ws.Signaled():
			return nil, &ReadError{pid, "read its filters", unix.ESRCH, ""}
		}
		if int(ws)>>16 != eventStop {
			signal = int(ws.StopSignal())
		}
		break
	}
	for i := uintptr(0); ; i++ {
		n, err := ptrace(ptraceSeccompGetFilter, uintptr(pid), i, 0)
		if err == unix.ENOENT {
			break
		}
		if err != nil {
			return nil, &ReadError{pid, "read its filters", err, map[error]string{
				unix.EACCES: "run as root outside of any filter: CAP_SYS_ADMIN in the initial user namespace is needed",
				unix.EIO:    "the kernel is built without CONFIG_CHECKPOINT_RESTORE",
				unix.EINVAL: "the kernel is built without CONFIG_CHECKPOINT_RESTORE, or its filter was made by an old kernel",
			}[err]}
		}
		if n == 0 || n > 4096 {
			return nil, &ReadError{pid, "read its filters", fmt.Errorf("filter %d has %d instructions", i, n), ""}
		}
		f := Filter{Program: make([]byte, 8*n)}
		if _, err = ptrace(ptraceSeccompGetFilter, uintptr(pid), i, uintptr(unsafe.Pointer(&f.Program[0]))); err != nil {
			return nil, &ReadError{pid, "read its filters", err, ""}
		}
		meta := struct{ off, flags uint64 }{off: uint64(i)} // struct seccomp_metadata; Linux 4.16
		if _, err := ptrace(ptraceSeccompGetMetadata, uintptr(pid), unsafe.Sizeof(meta), uintptr(unsafe.Pointer(&meta))); err == nil {
			f.Log = meta.flags&filterFlagLog != 0
		}
		list = append(list, f)
	}
	return list, nil
}

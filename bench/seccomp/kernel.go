package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

// probes are the calls that are timed. None changes anything: without a filter the refused one is a number that the kernel has not
// implemented since 3.1.
var probes = []struct {
	what string
	name string
	arg  uint64
	want seccomp.Action
}{
	{"cached: getppid()", "getppid", 0, seccomp.Allow},
	{"arguments checked: personality(0xffffffff)", "personality", 0xffffffff, seccomp.Allow},
	{"refused: nfsservctl()", "nfsservctl", 0, seccomp.Errno | 1},
}

// batch is the number of calls that are timed together.
const batch = 20000

// subject is a process under one filter, or none, that times the probes when it is told to.
type subject struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  io.Reader
	ns   [][]float64 // of each probe, each round
}

// newSubject starts one. The program goes to it first, in a pipe.
func newSubject(name string, p seccomp.Program, cpu int) (*subject, error) {
	s := &subject{name: name, cmd: exec.Command("/proc/self/exe", "subject", strconv.Itoa(cpu), strconv.Itoa(len(p))), ns: make([][]float64, len(probes))}
	s.cmd.Stderr = os.Stderr
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if s.out, err = s.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	_, err = s.in.Write(p.Raw())
	return s, err
}

// round lets it time every probe once.
func (s *subject) round() error {
	if _, err := s.in.Write([]byte{1}); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	got := make([]uint64, len(probes))
	if err := binary.Read(s.out, binary.LittleEndian, got); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	for i, ns := range got {
		s.ns[i] = append(s.ns[i], float64(ns)/batch)
	}
	return nil
}

func (s *subject) end() { s.in.Close(); s.cmd.Wait() }

// beSubject is the other side: this process, one thread of it pinned and under the filter.
func beSubject(args []string) error {
	cpu, err1 := strconv.Atoi(args[0])
	n, err2 := strconv.Atoi(args[1])
	if err1 != nil || err2 != nil {
		return fmt.Errorf("subject CPU LENGTH are its arguments, not %q", args)
	}
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return err
	}
	if n > 0 {
		raw := make([]byte, 8*n)
		if _, err := io.ReadFull(os.Stdin, raw); err != nil {
			return err
		}
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		prog := unix.SockFprog{Len: uint16(n), Filter: (*unix.SockFilter)(unsafe.Pointer(&raw[0]))}
		if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); e != 0 {
			return fmt.Errorf("the filter is not taken: %w", e)
		}
		runtime.KeepAlive(raw)
	}
	nrs := make([]uintptr, len(probes))
	for i, p := range probes {
		nr, _ := syscalls.Lookup(syscalls.X8664, p.name)
		nrs[i] = uintptr(nr)
		_, _, e := unix.RawSyscall(nrs[i], uintptr(p.arg), 0, 0)
		if refused := p.want != seccomp.Allow; n > 0 && refused != (e == unix.EPERM) {
			return fmt.Errorf("%s under the filter: %v", p.name, e)
		}
	}
	got := make([]uint64, len(probes))
	for {
		if _, err := io.ReadFull(os.Stdin, make([]byte, 1)); err != nil {
			return nil
		}
		for i, p := range probes {
			start := threadTime()
			for range batch {
				unix.RawSyscall(nrs[i], uintptr(p.arg), 0, 0)
			}
			got[i] = uint64(threadTime() - start)
		}
		if err := binary.Write(os.Stdout, binary.LittleEndian, got); err != nil {
			return err
		}
	}
}

// threadTime is the CPU time of this thread, ns: what others do meanwhile does not count.
func threadTime() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return ts.Nano()
}

// lastCPU is the highest CPU that this process may run on.
func lastCPU() (int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, err
	}
	last := 0
	for i := range 1024 {
		if set.IsSet(i) {
			last = i
		}
	}
	return last, nil
}

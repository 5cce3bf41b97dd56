//go:build linux

package live

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refusing is a filter that answers one unused number with an errno.
func refusing(nr, errno uint32) []byte {
	var b []byte
	for _, in := range []struct {
		code   uint16
		jt, jf uint8
		k      uint32
	}{{0x20, 0, 0, 0}, {0x15, 0, 1, nr}, {0x06, 0, 0, 0x50000 | errno}, {0x06, 0, 0, 0x7fff0000}} {
		b = binary.LittleEndian.AppendUint32(append(binary.LittleEndian.AppendUint16(b, in.code), in.jt, in.jf), in.k)
	}
	return b
}

func install(prog []byte, flags uintptr) error {
	fprog := struct {
		n uint16
		p unsafe.Pointer
	}{uint16(len(prog) / 8), unsafe.Pointer(&prog[0])}
	if _, _, e := unix.RawSyscall(unix.SYS_SECCOMP, 1, flags, uintptr(unsafe.Pointer(&fprog))); e != 0 {
		return e
	}
	return nil
}

// TestMain is also the child whose filters are read: it does what its argument says, prints a line and waits for its input's end.
func TestMain(m *testing.M) {
	what := os.Getenv("LIVE_TEST_CHILD")
	if what == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	fail := func(err error) {
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
	}
	switch what {
	case "serve":
		serve()
		return
	case "filters":
		fail(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fail(install(refusing(5001, 1), unix.SECCOMP_FILTER_FLAG_TSYNC))
		fail(install(refusing(5002, 2), unix.SECCOMP_FILTER_FLAG_TSYNC|unix.SECCOMP_FILTER_FLAG_LOG))
		fail(install(refusing(5003, 3), unix.SECCOMP_FILTER_FLAG_TSYNC))
	case "thread":
		ch := make(chan int)
		go func() {
			runtime.LockOSThread()
			fail(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
			fail(install(refusing(5001, 1), 0))
			ch <- unix.Gettid()
			select {}
		}()
		fmt.Println("thread", <-ch)
	case "stopped":
		fail(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fail(install(refusing(5001, 1), unix.SECCOMP_FILTER_FLAG_TSYNC))
		fmt.Println("ready")
		unix.Kill(os.Getpid(), unix.SIGSTOP)
	case "none":
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

type child struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (c *child) line(t *testing.T) string {
	t.Helper()
	s, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(s)
}

func start(t *testing.T, what string, cred *syscall.Credential) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{Cmd: exec.Command(exe)}
	c.Env = append(os.Environ(), "LIVE_TEST_CHILD="+what)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	c.in, _ = c.StdinPipe()
	out, _ := c.StdoutPipe()
	c.out = bufio.NewReader(out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.in.Close(); c.Process.Signal(unix.SIGCONT); c.Wait() })
	return c
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("reading a process's filters needs root")
	}
}

func TestKernelReadsAStack(t *testing.T) {
	needRoot(t)
	c := start(t, "filters", nil)
	if got := c.line(t); got != "ready" {
		t.Fatal(got)
	}
	for range 3 { // the process goes on in between
		s, err := ReadSeccomp(c.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if s.Mode != 2 || !s.NoNewPrivs || len(s.Filters) != 3 || len(s.Others) != 0 {
			t.Fatalf("%+v", s)
		}
		for i, f := range s.Filters {
			if n := uint32(i + 1); !bytes.Equal(f.Program, refusing(5000+n, n)) || f.Log != (n == 2) {
				t.Errorf("filter %d is %x, log %v", i, f.Program, f.Log)
			}
		}
	}
	st, err := readStatus(fmt.Sprintf("/proc/%d/status", c.Process.Pid))
	if err != nil || st.tracer != 0 || st.state == 't' || st.state == 'T' {
		t.Errorf("it does not run freely afterwards: %+v, %v", st, err)
	}
}

func TestKernelThreadsThatDiffer(t *testing.T) {
	needRoot(t)
	c := start(t, "thread", nil)
	var tid int
	if _, err := fmt.Sscanf(c.line(t), "thread %d", &tid); err != nil {
		t.Fatal(err)
	}
	c.line(t)
	s, err := ReadSeccomp(c.Process.Pid)
	if err != nil || s.Mode != 0 || len(s.Others) != 1 || s.Others[0] != tid {
		t.Errorf("process: %+v, %v", s, err)
	}
	s, err = ReadSeccomp(tid)
	if err != nil || s.Mode != 2 || len(s.Filters) != 1 || !bytes.Equal(s.Filters[0].Program, refusing(5001, 1)) {
		t.Errorf("thread: %+v, %v", s, err)
	}
}

// TestKernelStoppedStaysStopped: a task that was stopped is read and stays so.
func TestKernelStoppedStaysStopped(t *testing.T) {
	needRoot(t)
	c := start(t, "stopped", nil)
	c.line(t)
	path := fmt.Sprintf("/proc/%d/status", c.Process.Pid)
	for range 1000 {
		if st, _ := readStatus(path); st.state == 'T' {
			break
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	s, err := ReadSeccomp(c.Process.Pid)
	if err != nil || len(s.Filters) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	var st status
	for range 1000 { // the kernel wakes it for a moment, so that it stops again without a tracer
		if st, err = readStatus(path); err != nil || st.state == 'T' {
			break
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	if err != nil || st.state != 'T' || st.tracer != 0 {
		t.Errorf("afterwards: %+v, %v", st, err)
	}
}

func TestKernelRefusals(t *testing.T) {
	if _, err := ReadSeccomp(1 << 30); err == nil || err.Error() != "process 1073741824: read its status: no such process" {
		t.Errorf("a process that is not there: %v", err)
	}
	needRoot(t)
	c := start(t, "filters", nil)
	c.line(t)
	strace := exec.Command("strace", "-o", "/dev/null", "-p", fmt.Sprint(c.Process.Pid))
	if err := strace.Start(); err != nil {
		t.Skip("strace is not installed: ", err)
	}
	path := fmt.Sprintf("/proc/%d/status", c.Process.Pid)
	for range 2000 {
		if st, _ := readStatus(path); st.tracer != 0 {
			break
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	_, err := ReadSeccomp(c.Process.Pid)
	if want := fmt.Sprintf("process %d: read its filters: process %d traces it already: a task has one tracer at a time", c.Process.Pid, strace.Process.Pid); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	strace.Process.Signal(unix.SIGINT)
	strace.Wait()
	c.Process.Kill()
	for range 1000 { // not waited for: it stays as a zombie
		if st, _ := readStatus(path); st.state == 'Z' {
			break
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	var e *ReadError
	if _, err := ReadSeccomp(c.Process.Pid); !errors.As(err, &e) || !strings.Contains(err.Error(), "it has exited") {
		t.Errorf("a zombie: %v", err)
	}
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte("State:\tS (sleeping)\nTgid:\t1\nTracerPid:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		st := status{count: -1}
		st.parse(text)
	})
}

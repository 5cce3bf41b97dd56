//go:build linux

package live

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/explain"
	"syscallstory/from/node"
	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// The first thread is the one that /proc/PID shows: the calls are made on it.
func init() {
	if os.Getenv("LIVE_TEST_CHILD") != "" {
		runtime.LockOSThread()
	}
}

// serve makes the calls that come in as lines and answers each with its errno.
func serve() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	out.Encode("ready")
	for in.Scan() {
		var line string
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			out.Encode(err.Error())
			continue
		}
		out.Encode(do(line))
	}
	os.Exit(0)
}

// do makes one call, or one of a few things that are more than a call.
func do(line string) string {
	verb, rest, _ := strings.Cut(line, " ")
	errno := func(err error) string {
		var e syscall.Errno
		switch {
		case err == nil:
			return "-"
		case errors.As(err, &e):
			return story.Errno(e).String()
		}
		return err.Error()
	}
	switch verb {
	case "caps": // effective and permitted set, in hexadecimal
		set, _ := strconv.ParseUint(rest, 16, 64)
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		data := [2]unix.CapUserData{{Effective: uint32(set), Permitted: uint32(set)}, {Effective: uint32(set >> 32), Permitted: uint32(set >> 32)}}
		return errno(unix.Capset(&hdr, &data[0]))
	case "nest": // a child in a user namespace below takes over; its id is the answer
		id, _ := strconv.Atoi(rest)
		cmd := exec.Command("/proc/self/exe")
		m := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 500, Size: 1000}}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, UidMappings: m, GidMappings: m, GidMappingsEnableSetgroups: true,
			Credential: &syscall.Credential{Uid: uint32(id), Gid: uint32(id)}, Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return err.Error()
		}
		json.NewEncoder(os.Stdout).Encode(strconv.Itoa(cmd.Process.Pid))
		cmd.Wait()
		os.Exit(0)
	case "all": // every thread becomes an ordinary user
		id, _ := strconv.Atoi(rest)
		if err := syscall.Setgroups(nil); err != nil {
			return errno(err)
		}
		if err := syscall.Setresgid(id, id, id); err != nil {
			return errno(err)
		}
		return errno(syscall.Setresuid(id, id, id))
	case "read":
		pid, err := strconv.Atoi(rest)
		if err != nil {
			pid = os.Getpid()
		}
		p, err := Open(pid, Options{Alone: true})
		if err != nil {
			return err.Error()
		}
		defer p.Close()
		if _, err := p.World(); err != nil {
			return err.Error()
		}
		return "-"
	case "mounts": // so many in the current directory
		n, _ := strconv.Atoi(rest)
		for i := range n {
			d := strconv.Itoa(i)
			if err := os.Mkdir(d, 0o755); err != nil {
				return err.Error()
			}
			if err := unix.Mount("tmpfs", d, "tmpfs", 0, "size=4k"); err != nil {
				return err.Error()
			}
		}
		return "-"
	case "limit": // a number of RLIMIT_* and its soft limit
		var n int
		var v uint64
		if _, err := fmt.Sscan(rest, &n, &v); err != nil {
			return err.Error()
		}
		signal.Ignore(syscall.SIGXFSZ)
		var now unix.Rlimit
		if err := unix.Getrlimit(n, &now); err != nil {
			return errno(err)
		}
		return errno(unix.Setrlimit(n, &unix.Rlimit{Cur: v, Max: now.Max}))
	case "keep": // opens a file for reading and keeps it
		_, err := unix.Open(rest, unix.O_RDONLY, 0)
		return errno(err)
	case "hold": // opens a file and keeps it
		_, err := unix.Open(rest, unix.O_RDWR, 0)
		return errno(err)
	case "keepcaps":
		return errno(unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0))
	case "groups":
		g := []uint32{0}
		n := 0
		for _, f := range strings.Fields(rest) {
			v, _ := strconv.ParseUint(f, 10, 32)
			g = append(g[:n], uint32(v))
			n++
		}
		_, _, e := syscall.RawSyscall(unix.SYS_SETGROUPS, uintptr(n), uintptr(unsafe.Pointer(&g[0])), 0)
		if e != 0 {
			return errno(e)
		}
		return "-"
	case "refuse": // a number, answered with EXDEV by a filter
		nr, _ := strconv.Atoi(rest)
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return errno(err)
		}
		return errno(install(refusing(uint32(nr), 18), 0))
	}
	call, err := syscalls.Parse(syscalls.X8664, line)
	if err != nil {
		return err.Error()
	}
	r, e := rawCall(call)
	if e != 0 {
		return errno(e)
	}
	if strings.HasPrefix(call.Name, "open") || call.Name == "creat" {
		unix.Close(int(r))
	}
	return "-"
}

// rawCall makes a parsed call, with memory for what its addresses lead to.
func rawCall(call *syscalls.Call) (uintptr, syscall.Errno) {
	var regs [6]uintptr
	var keep []any
	encoded, err := call.Encode()
	if err != nil {
		return 0, syscall.EINVAL
	}
	for i := range call.Args {
		a := &call.Args[i]
		switch {
		case slices.Contains([]string{"bind", "connect", "setsockopt", "msgsnd", "semop", "semctl"}, call.Name):
			if regs[i] = uintptr(encoded[i].Val); len(encoded[i].Bytes) > 0 {
				regs[i] = uintptr(unsafe.Pointer(&encoded[i].Bytes[0]))
			}
		case a.Kind == syscalls.Out && (a.Absent || !a.Fault || a.Val != 0):
			buf := new([512]byte)
			keep, regs[i] = append(keep, buf), uintptr(unsafe.Pointer(buf))
		case a.Kind == syscalls.How && !a.Fault:
			how := &unix.OpenHow{Flags: a.How[0], Mode: a.How[1], Resolve: a.How[2]}
			keep, regs[i] = append(keep, how), uintptr(unsafe.Pointer(how))
		case strings.HasPrefix(call.Name, "readlink") && a.Kind == syscalls.Int && a.Absent:
			regs[i] = 512
		case (a.Kind == syscalls.Path || a.Kind == syscalls.Text || a.Str != "") && !a.Fault:
			b := append([]byte(strings.Trim(a.Str, `"`)), 0)
			keep, regs[i] = append(keep, b), uintptr(unsafe.Pointer(&b[0]))
		default:
			regs[i] = uintptr(a.Val)
		}
	}
	r, _, e := syscall.RawSyscall6(uintptr(call.Nr), regs[0], regs[1], regs[2], regs[3], regs[4], regs[5])
	runtime.KeepAlive(keep)
	runtime.KeepAlive(encoded)
	return r, e
}

// server is a child that makes calls.
type server struct {
	t      *testing.T
	pid    int // as the test sees it
	judge  *explain.Judge
	read   *world.World // that it judges by
	policy func() (*world.Policy, error)
	whole  bool     // other processes are read too
	open   []string // reasons for which a prediction may be undetermined
	in     *json.Encoder
	out    *json.Decoder
}

// newServer starts a child in namespaces of its own.
func newServer(t *testing.T, attr *syscall.SysProcAttr) *server {
	t.Helper()
	cmd := exec.Command("/proc/self/exe") // not by its path, which an id of a user namespace may not walk
	cmd.Env = append(os.Environ(), "LIVE_TEST_CHILD=serve")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = attr
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	return (&server{t: t, pid: cmd.Process.Pid}).connect(in, out)
}

func (s *server) connect(in io.Writer, out io.Reader) *server {
	s.t.Helper()
	s.in, s.out = json.NewEncoder(in), json.NewDecoder(out)
	s.in.SetEscapeHTML(false)
	if a := s.answer(); a != "ready" {
		s.t.Fatal(a)
	}
	return s
}

func (s *server) answer() (a string) {
	s.t.Helper()
	if err := s.out.Decode(&a); err != nil {
		s.t.Fatalf("the child has ended: %v", err)
	}
	return a
}

// do has the child make a call.
func (s *server) do(line string) string {
	s.t.Helper()
	if err := s.in.Encode(line); err != nil {
		s.t.Fatal(err)
	}
	return s.answer()
}

// set makes calls that have to succeed.
func (s *server) set(lines ...string) *server {
	s.t.Helper()
	for _, l := range lines {
		if a := s.do(l); a != "-" {
			s.t.Fatalf("%s: %s", l, a)
		}
	}
	return s
}

// here are the facts of this machine, which no test changes.
var here = sync.OnceValues(node.Local)

// predict judges a call of the child, read as it is now unless nothing has changed since the last call.
func (s *server) predict(call string) string {
	s.t.Helper()
	if s.judge == nil {
		n, err := here()
		if err != nil {
			s.t.Fatal(err)
		}
		p, err := Open(s.pid, Options{Merger: overlay.Merger{}, Node: n, Alone: !s.whole, Policy: s.policy})
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(p.Close)
		w, err := p.World()
		if err != nil {
			s.t.Fatal(err)
		}
		s.read = w
		if s.judge, err = explain.Bind(w, nil); err != nil {
			s.t.Fatal(err)
		}
	}
	c, err := syscalls.Parse(syscalls.X8664, call)
	if err != nil {
		s.t.Fatalf("%s: %v", call, err)
	}
	st := s.judge.Story(c)
	switch {
	case st.Verdict == "allowed":
		return "-"
	case st.Verdict == "denied" && st.Errno != nil:
		return *st.Errno
	}
	return fmt.Sprintf("%s %v %v", st.Verdict, st.Possible, st.Missing)
}

// looks are calls that change nothing.
var looks = regexp.MustCompile(`^(open\([^|]*O_(RDONLY|WRONLY|RDWR)[|A-Z_]*\)|l?stat|access|readlink)`)

// compare predicts each call from outside, has it made inside and holds the two against one another.
func (s *server) compare(calls []string) {
	s.t.Helper()
	denied := 0
	for _, c := range calls {
		want := s.predict(c)
		got := s.do(c)
		// When somebody mounts meanwhile, the kernel walks again and counts the links of the first walk too.
		for try := 0; got == "ELOOP" && want != got && try < 50; try++ {
			got = s.do(c)
		}
		if got == "-" && (!looks.MatchString(c) || strings.Contains(c, "O_TRUNC")) {
			s.judge = nil
		}
		if got != "-" {
			denied++
		}
		end := got
		if got == "-" {
			end = "0"
		}
		possible := regexp.MustCompile(`^(undetermined|denied) \[.*\b` + end + `\b[^]]*\]`).MatchString(want)
		if want != got && !(possible && slices.ContainsFunc(s.open, func(why string) bool { return strings.Contains(want, why) })) {
			s.t.Errorf("%s: predicted %s, kernel %s", c, want, got)
		}
	}
	s.t.Logf("%d calls, %d refused", len(calls), denied)
}

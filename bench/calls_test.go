package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/explain"
	"syscallstory/from/files"
	"syscallstory/kernel"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// directory describes a directory of this machine to the model as its root, on a tmpfs, with other mounts beside it.
func directory(b *testing.B, dir string, mounts int) (*world.World, *explain.Judge) {
	b.Helper()
	w := world.New()
	at := w.Text("the benchmark")
	sb, err := files.Dir(w, world.SB{Type: "tmpfs", Name: "root", At: at, FlagsAt: at}, dir, "", nil)
	if err != nil {
		b.Fatal(err)
	}
	root := w.FS.SB(sb).Root
	id := w.Attach(world.Path{}, world.Mount{Root: root, SB: sb, Point: "/", Origin: at, Why: at})
	for i := range mounts {
		name := fmt.Sprintf("m%d", i)
		d := w.FS.Add(root, name, world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, At: at, Whole: true, SB: sb})
		w.Attach(world.Path{Mount: id, Dentry: d}, world.Mount{Root: root, SB: sb, Point: "/" + name, Origin: at, Why: at})
	}
	w.Task.Root = world.Path{Mount: id, Dentry: root}
	w.Task.Cwd = w.Task.Root
	w.Task.Cred = world.Cred{RUID: 1000, EUID: 1000, SUID: 1000, FSUID: 1000, RGID: 1000, EGID: 1000, SGID: 1000, FSGID: 1000, Bounding: world.AllCaps, UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at}
	w.Kernel, w.KernelAt, w.Arch = kernel.Release{Major: 6, Minor: 18, Patch: 44}, at, "x86_64"
	w.LSMs = world.Given([]string{"capability"}, at)
	w.Task.NoFile, w.Task.OpenFDs, w.Task.FDsAt = world.Given(1024, at), world.Given(3, at), at
	w.Task.NS, w.Task.PID, w.ProcessesAt = w.InitialNamespaces(at), 1, at
	j, err := explain.Bind(w, nil)
	if err != nil {
		b.Fatal(err)
	}
	return w, j
}

// timed is a call whose verdict is timed against the same call in the kernel, made by uid 1000 without capabilities, or by root with
// all that this process has. What it changes is undone in the same stretch of time, as a descriptor is closed.
type timed struct {
	name, call string
	raw        [6]uintptr // the number and five registers
	undo       [6]uintptr
	fd         bool // it returns a descriptor
	root       bool
}

// grow makes the files of the calls: c is uid 1000's, as f is, r and what it holds are root's.
func grow(b *testing.B, dir string) {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, d := range []string{"a/b/c/d", "a/b/r", "a/b/closed"} {
		must(os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	for _, f := range []string{"a/b/c/f", "a/b/c/old", "a/b/r/f", "a/b/r/d"} {
		must(os.WriteFile(filepath.Join(dir, f), []byte("hello"), 0o644))
	}
	must(os.WriteFile(filepath.Join(dir, "a/b/closed/f"), nil, 0o644))
	if os.Getuid() == 0 {
		for _, f := range []string{"a/b/c", "a/b/c/d", "a/b/c/f", "a/b/c/old"} {
			must(os.Chown(filepath.Join(dir, f), 1000, 1000))
		}
	}
	must(os.Chmod(filepath.Join(dir, "a/b/closed"), 0o700))
}

// stage gives the thread a tmpfs of its own with the files, as its working directory, and returns the model's judge of it, after
// which the thread becomes uid 1000 unless it is to be root. It ends with its goroutine.
func stage(b *testing.B, dir string, root bool) *explain.Judge {
	b.Helper()
	runtime.LockOSThread()
	unix.Umask(0o022)
	steps := []func() error{
		func() error { return unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS) },
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount("bench", dir, "tmpfs", 0, "mode=755") },
		func() error { return unix.Chdir(dir) },
	}
	for i, f := range steps {
		if err := f(); err != nil {
			b.Skipf("it needs root: step %d: %v", i+1, err)
		}
	}
	grow(b, dir)
	w, _ := directory(b, dir, 0)
	w.Processes = []world.Process{{PID: 1, At: w.Text("the benchmark")}, {PID: os.Getpid(), Cred: w.Task.Cred, At: w.Text("the benchmark")}}
	w.Task.PID, w.Task.Devices = os.Getpid(), world.Devices{All: true, At: w.Text("the benchmark")}
	if root {
		c := &w.Task.Cred
		c.RUID, c.EUID, c.SUID, c.FSUID, c.RGID, c.EGID, c.SGID, c.FSGID = 0, 0, 0, 0, 0, 0, 0, 0
		c.Permitted, c.Effective = world.AllCaps, world.AllCaps
	} else {
		for _, nr := range []uintptr{unix.SYS_SETGROUPS, unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
			args := [3]uintptr{1000, 1000, 1000}
			if nr == unix.SYS_SETGROUPS {
				args = [3]uintptr{}
			}
			if _, _, e := unix.RawSyscall(nr, args[0], args[1], args[2]); e != 0 {
				b.Fatal(e)
			}
		}
	}
	j, err := explain.Bind(w, nil)
	if err != nil {
		b.Fatal(err)
	}
	return j
}

// BenchmarkCalls times verdicts against the same calls in the kernel, both in turn, and prints how many times longer the
// kernel takes. Model and kernel must agree on how a call ends.
func BenchmarkCalls(b *testing.B) {
	dir := b.TempDir()
	text := func(s string) uintptr {
		p, _ := unix.BytePtrFromString(s)
		kept = append(kept, p)
		return uintptr(unsafe.Pointer(p))
	}
	var buf [256]byte
	at := uintptr(unsafe.Pointer(&buf[0]))
	f, d, foreign := text("a/b/c/f"), text("a/b/c/d"), text("a/b/r/f")
	none, made := uintptr(0), text("a/b/c/new")
	self := uintptr(os.Getpid())
	for _, c := range []timed{
		{name: "open", call: `open("/a/b/c/f", O_RDONLY)`, raw: [6]uintptr{unix.SYS_OPEN, f}, fd: true},
		{name: "open-denied", call: `open("/a/b/r/f", O_WRONLY)`, raw: [6]uintptr{unix.SYS_OPEN, foreign, unix.O_WRONLY}},
		{name: "stat", call: `stat("/a/b/c/f")`, raw: [6]uintptr{unix.SYS_STAT, f, at}},
		{name: "stat-denied", call: `stat("/a/b/closed/f")`, raw: [6]uintptr{unix.SYS_STAT, text("a/b/closed/f"), at}},
		{name: "access", call: `access("/a/b/c/f", W_OK)`, raw: [6]uintptr{unix.SYS_ACCESS, f, 2}},
		{name: "access-denied", call: `access("/a/b/r/f", W_OK)`, raw: [6]uintptr{unix.SYS_ACCESS, foreign, 2}},
		{name: "mkdir", call: `mkdir("/a/b/c/new", 0755)`, raw: [6]uintptr{unix.SYS_MKDIR, made, 0o755}, undo: [6]uintptr{unix.SYS_RMDIR, made}},
		{name: "mkdir-denied", call: `mkdir("/a/b/r/new", 0755)`, raw: [6]uintptr{unix.SYS_MKDIR, text("a/b/r/new"), 0o755}},
		{name: "unlink", call: `unlink("/a/b/c/old")`, raw: [6]uintptr{unix.SYS_UNLINK, text("a/b/c/old")}, undo: [6]uintptr{unix.SYS_LINK, f, text("a/b/c/old")}},
		{name: "unlink-denied", call: `unlink("/a/b/r/f")`, raw: [6]uintptr{unix.SYS_UNLINK, foreign}},
		{name: "rename", call: `rename("/a/b/c/f", "/a/b/c/new")`, raw: [6]uintptr{unix.SYS_RENAME, f, made}, undo: [6]uintptr{unix.SYS_RENAME, made, f}},
		{name: "rename-denied", call: `rename("/a/b/r/f", "/a/b/c/new")`, raw: [6]uintptr{unix.SYS_RENAME, foreign, made}},
		{name: "chmod", call: `chmod("/a/b/c/f", 0644)`, raw: [6]uintptr{unix.SYS_CHMOD, f, 0o644}},
		{name: "chmod-denied", call: `chmod("/a/b/r/f", 0600)`, raw: [6]uintptr{unix.SYS_CHMOD, foreign, 0o600}},
		{name: "chown", call: `chown("/a/b/c/f", 1000, 1000)`, raw: [6]uintptr{unix.SYS_CHOWN, f, 1000, 1000}},
		{name: "chown-denied", call: `chown("/a/b/c/f", 1, 1)`, raw: [6]uintptr{unix.SYS_CHOWN, f, 1, 1}},
		{name: "mount", call: `mount("t", "/a/b/c/d", "tmpfs", 0, NULL)`, raw: [6]uintptr{unix.SYS_MOUNT, text("t"), d, text("tmpfs"), 0, none}, undo: [6]uintptr{unix.SYS_UMOUNT2, d}, root: true},
		{name: "mount-denied", call: `mount("t", "/a/b/c/d", "tmpfs", 0, NULL)`, raw: [6]uintptr{unix.SYS_MOUNT, text("t"), d, text("tmpfs"), 0, none}},
		{name: "kill", call: fmt.Sprintf("kill(%d, 0)", self), raw: [6]uintptr{unix.SYS_KILL, self}},
		{name: "kill-denied", call: "kill(1, 0)", raw: [6]uintptr{unix.SYS_KILL, 1}},
		{name: "setxattr", call: `setxattr("/a/b/c/f", "trusted.x", "1", 1, 0)`, raw: [6]uintptr{unix.SYS_SETXATTR, f, text("trusted.x"), text("1"), 1}, root: true},
		{name: "setxattr-denied", call: `setxattr("/a/b/r/f", "trusted.x", "1", 1, 0)`, raw: [6]uintptr{unix.SYS_SETXATTR, foreign, text("trusted.x"), text("1"), 1}},
		{name: "execve-denied", call: `execve("/a/b/c/f", ["f"], [])`, raw: [6]uintptr{unix.SYS_EXECVE, f}},
		{name: "socket", call: `socket(AF_UNIX, SOCK_STREAM, 0)`, raw: [6]uintptr{unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM}, fd: true},
		{name: "socket-denied", call: `socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)`, raw: [6]uintptr{unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_RAW, 1}},
	} {
		b.Run(c.name, func(b *testing.B) {
			call, err := syscalls.Parse(syscalls.X8664, c.call)
			if err != nil {
				b.Fatal(err)
			}
			j := stage(b, dir, c.root)
			end := j.Verdict(call)
			if e := c.make(); !end.Sure || e != unix.Errno(end.Errno) {
				b.Fatalf("%s: predicted %v, the kernel says %v", c.call, end, e)
			}
			predicted, performed := time.Hour, time.Hour // the quickest hundred of each: others compute too
			for b.Loop() {
				start := time.Now()
				for range 100 {
					j.Verdict(call)
				}
				middle := time.Now()
				for range 100 {
					c.make()
				}
				predicted, performed = min(predicted, middle.Sub(start)), min(performed, time.Since(middle))
			}
			report(b, predicted, performed, 100)
		})
	}
}

// kept are strings that the kernel is given.
var kept []*byte

// make makes the call and undoes it.
func (c *timed) make() unix.Errno {
	r, _, e := unix.RawSyscall6(c.raw[0], c.raw[1], c.raw[2], c.raw[3], c.raw[4], c.raw[5], 0)
	switch {
	case e != 0:
	case c.fd:
		unix.RawSyscall(unix.SYS_CLOSE, r, 0, 0)
	case c.undo[0] != 0:
		unix.RawSyscall6(c.undo[0], c.undo[1], c.undo[2], c.undo[3], c.undo[4], c.undo[5], 0)
	}
	return e
}

func report(b *testing.B, predicted, performed time.Duration, n int) {
	b.ReportMetric(float64(predicted.Nanoseconds())/float64(n), "ns/verdict")
	b.ReportMetric(float64(performed.Nanoseconds())/float64(n), "ns/call")
	b.ReportMetric(float64(performed)/float64(predicted), "kernel/verdict")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkSize times a verdict in worlds with many mounts, and of a path of forty directories.
func BenchmarkSize(b *testing.B) {
	dir := b.TempDir()
	deep := strings.Repeat("/d", 40)
	if err := os.MkdirAll(dir+deep, 0o755); err != nil {
		b.Fatal(err)
	}
	for _, mounts := range []int{10, 1000, 100000} {
		_, j := directory(b, dir, mounts)
		for name, path := range map[string]string{"flat": "/d", "deep": deep} {
			b.Run(fmt.Sprintf("%d-mounts-%s", mounts, name), func(b *testing.B) {
				call, err := syscalls.Parse(syscalls.X8664, `open("`+path+`", O_RDONLY)`)
				if err != nil {
					b.Fatal(err)
				}
				j.Verdict(call)
				quickest := time.Hour
				for b.Loop() {
					start := time.Now()
					for range 100 {
						j.Verdict(call)
					}
					quickest = min(quickest, time.Since(start))
				}
				b.ReportMetric(float64(quickest.Nanoseconds())/100, "ns/verdict")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

package explain_test

import (
	"strings"
	"testing"

	"syscallstory/explain"
	"syscallstory/kernel"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// TestStreamDescriptors: what descriptors a stream's tasks have behind pipe2, dup2, fcntl, accept4, execve and fork, whose child strace
// shows before the parent's call has returned.
func TestStreamDescriptors(t *testing.T) {
	j := streamed(t, nil)
	s := j.Stream()
	for i, line := range strings.Split(strings.TrimSpace(`
10 socket(AF_INET, SOCK_STREAM, 0) = 5
10 pipe2([3, 4], O_CLOEXEC) = 0
10 dup2(4, 1) = 1
10 close(9) = -1 EBADF
11 dup2(3, 0) = 0
11 close(3) = 0
11 close(4) = 0
11 close(4) = -1 EBADF
10 vfork() = 11
11 close(4) = -1 EBADF
11 close(1) = 0
10 close(4) = 0
10 close(4) = -1 EBADF
10 fcntl(3, F_SETFD, 0) = 0
10 accept4(5, NULL, NULL, 0) = 6
10 setsockopt(6, SOL_TCP, TCP_NODELAY, [1], 4) = 0
10 setsockopt(6, SOL_TCP, TCP_KEEPCNT, [0], 4) = -1 EINVAL`), "\n") {
		c, r, err := syscalls.ParseLine(syscalls.X8664, line)
		if err != nil {
			t.Fatal(err)
		}
		s.Turn(r.PID)
		st := j.Story(c)
		if st.Errno != nil && *st.Errno != r.Errno.String() || r.Errno != 0 && st.Errno == nil {
			t.Errorf("line %d, %s: %s %v", i, line, st.Verdict, st.Possible)
		}
		if r.Errno == 0 {
			s.Apply(c, r.Ret)
		}
	}
}

// streamed is a judge of root's calls in a world of a tmpfs with these files.
func streamed(t *testing.T, files map[string]uint16) *explain.Judge {
	t.Helper()
	w := world.New()
	at := w.Text("the test")
	w.Kernel, _ = kernel.ParseRelease("6.18.0")
	sb := w.FS.NewSB(world.SB{Type: "tmpfs", Name: "tmpfs", At: at, FlagsAt: at}, world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Nlink: 2, Whole: true, At: at})
	w.Task.Root = world.Path{Mount: w.Attach(world.Path{}, world.Mount{SB: sb, Root: w.FS.SB(sb).Root, Origin: at, Why: at}), Dentry: w.FS.SB(sb).Root}
	w.Task.Cwd, w.MountNS, w.Task.FDsAt, w.Task.NoFile = w.Task.Root, []world.MountNS{{Root: w.Task.Root.Mount}}, at, world.Given(1024, at)
	cr := &w.Task.Cred
	cr.UIDAt, cr.GIDAt, cr.GroupsAt, cr.EffectiveAt, cr.BoundingAt = at, at, at, at, at
	w.LSMs = world.Given([]string{"capability"}, at)
	w.Task.Seccomp.At = at
	for name, mode := range files {
		w.FS.Add(w.Task.Root.Dentry, name, world.Inode{Mode: world.TypeReg | mode, Known: world.KnownAll, Nlink: 1, Program: &world.Program{}, At: at})
	}
	j, err := explain.Bind(w, nil)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// TestStreamMappings: a file that is mapped stays open without its descriptor, until a munmap that may have been the last.
func TestStreamMappings(t *testing.T) {
	j := streamed(t, map[string]uint16{"p": 0o755})
	for _, c := range []struct {
		call string
		want string // verdict, and errno
	}{
		{`open("/p", O_RDWR)`, "allowed"},
		{`execve("/p", ["p"], [])`, "denied ETXTBSY"},
		{`mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 0, 0)`, "allowed"},
		{`close(0)`, "allowed"},
		{`execve("/p", ["p"], [])`, "denied ETXTBSY"},
		{`munmap(0x7f0000000000, 4096)`, "allowed"},
		{`execve("/p", ["p"], [])`, "undetermined"},
	} {
		call, err := syscalls.Parse(syscalls.X8664, c.call)
		if err != nil {
			t.Fatal(err)
		}
		st := j.Story(call)
		got := st.Verdict
		if st.Errno != nil {
			got += " " + *st.Errno
		}
		if got != c.want && !(c.want == "allowed" && st.Verdict == "undetermined") {
			t.Errorf("%s: %s, want %s", c.call, got, c.want)
		}
		if st.Verdict != "denied" {
			j.Apply(call, -1)
		}
	}
}

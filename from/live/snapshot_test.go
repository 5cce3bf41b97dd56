//go:build linux

package live

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"syscallstory/explain"
	"syscallstory/overlay"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// TestKernelLiveSnapshot: from a snapshot the same stories are told as from the process.
func TestKernelLiveSnapshot(t *testing.T) {
	dir := tree(t)
	if err := os.WriteFile(filepath.Join(dir, "d/secret"), []byte("correct horse"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		attr *syscall.SysProcAttr
		set  []string
		dir  string
	}{"user": {nil, []string{"setresgid(1000, 1000, 1000)", "setresuid(1000, 1000, 1000)"}, dir}, "user namespace": {maps(t), nil, dir}, "chroot": {nil, []string{fmt.Sprintf("chroot(%q)", dir), `chdir("/")`, "refuse 83"}, ""},
		"overlay": {&syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}, []string{`mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)`, fmt.Sprintf(`mount("overlay", "%s/m", "overlay", 0, "lowerdir=%s/d:%s/open")`, dir, dir, dir)}, dir}} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, c.attr).set(c.set...)
			p, err := Open(s.pid, Options{Merger: overlay.Merger{}})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			w, err := p.World()
			if err != nil {
				t.Fatal(err)
			}
			root := c.dir
			if root == "" {
				root = "/"
			}
			var paths []string
			for _, d := range []string{"", "d", "closed", "open", "sticky", "mine", "theirs", "m", "m2"} {
				paths = append(paths, filepath.Join(root, d))
			}
			for _, call := range calls(c.dir) { // what a call meets is in the snapshot
				judge(t, w, call)
			}
			if _, err := w.Gather(world.Gather{Depth: 1, Entries: 3000, Paths: paths}); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := w.WriteSnapshot(&b); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.String(), "correct horse") || strings.Contains(b.String(), "LIVE_TEST_CHILD") {
				t.Error("the snapshot holds the contents of a file or the environment")
			}
			held, err := world.ReadSnapshot(bytes.NewReader(b.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range append(calls(c.dir), `open("`+root+`/nothing", O_RDONLY)`, `mkdir("`+root+`/m/new", 0700)`) {
				if got, want := judge(t, held, call), judge(t, w, call); got != want {
					t.Errorf("%s: %s from the snapshot, %s from the process", call, got, want)
				}
			}
		})
	}
}

// judge tells a story in short.
func judge(t *testing.T, w *world.World, call string) string {
	t.Helper()
	j, err := explain.Bind(w, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := syscalls.Parse(syscalls.X8664, call)
	if err != nil {
		t.Fatal(err)
	}
	s := j.Story(c)
	steps := ""
	for _, e := range s.Steps {
		steps += e.Code + " " + e.Outcome + " " + e.Object + "\n"
	}
	return fmt.Sprint(s.Verdict, s.Possible, s.Missing, "\n", steps)
}

// TestKernelLiveErrors: what cannot be read answers with one error.
func TestKernelLiveErrors(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	zombie := exec.Command("true")
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	defer zombie.Wait()
	for readStatusState(zombie.Process.Pid) != 'Z' {
		time.Sleep(time.Millisecond)
	}
	for _, c := range []struct {
		pid  int
		want string
	}{{gone.Process.Pid, "there is no such process"}, {zombie.Process.Pid, "waits for its parent"}, {2, "kernel thread"}, {1 << 22, "no such process"}} {
		if c.pid == 2 {
			if comm, _ := os.ReadFile("/proc/2/comm"); os.Getuid() != 0 || string(comm) != "kthreadd\n" { // of the initial PID namespace
				continue
			}
		}
		_, err := Open(c.pid, Options{})
		var e *ReadError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d: %v, want %s", c.pid, err, c.want)
		}
	}
}

func readStatusState(pid int) byte {
	st, _ := readStatus(fmt.Sprintf("/proc/%d/status", pid))
	return st.state
}

// TestKernelLiveExits: a process that exits at any moment is told from one that is there.
func TestKernelLiveExits(t *testing.T) {
	n, err := here()
	if err != nil {
		t.Fatal(err)
	}
	ended := 0
	for i := range 60 {
		cmd := exec.Command("sleep", fmt.Sprintf("0.%03d", i))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for {
			p, err := Open(cmd.Process.Pid, Options{Node: n, Alone: true, Merger: overlay.Merger{}})
			if err != nil {
				var e *ReadError
				if !errors.As(err, &e) {
					t.Fatalf("%v is no ReadError", err)
				}
				ended++
				break
			}
			if w, err := p.World(); err == nil {
				judge(t, w, `open("/etc/passwd", O_WRONLY)`)
			} else if e := new(ReadError); !errors.As(err, &e) {
				t.Fatalf("%v is no ReadError", err)
			}
			p.Close()
		}
		cmd.Wait()
	}
	if ended != 60 {
		t.Errorf("%d of 60 ends were seen", ended)
	}
}

// TestKernelLiveHidepid: a /proc that hides other users' processes.
func TestKernelLiveHidepid(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it mounts /proc: run it as root")
	}
	// The child hides what is not its own, and asks as an ordinary user for this process.
	s := newServer(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS})
	s.set(`mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)`, `mount("proc", "/proc", "proc", 0, "hidepid=2")`, "all 1000")
	if got := s.do(fmt.Sprintf("read %d", os.Getpid())); !strings.Contains(got, "/proc does not show it (hidepid): run as root") {
		t.Error(got)
	}
	if got := s.do(fmt.Sprintf("read %d", 1<<22)); !strings.Contains(got, "no such process") {
		t.Error(got)
	}
	if got := s.do("read self"); got != "-" {
		t.Error(got)
	}
	s = newServer(t, nil).set("all 1000")
	if got := s.do("read 1"); !strings.Contains(got, "permission denied: run as root") {
		t.Error(got)
	}
}

// TestKernelLiveManyMounts: the facts of a namespace with many mounts, of which a call meets few.
func TestKernelLiveManyMounts(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it makes mounts: run it as root")
	}
	n := 5000
	if os.Getenv("STORY_STRESS") != "" {
		n = 99000 // fs.mount-max is 100,000
	}
	s := newServer(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS})
	dir := t.TempDir()
	s.set(`mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)`, fmt.Sprintf("chdir(%q)", dir), `mount("tmpfs", ".", "tmpfs", 0, NULL)`, fmt.Sprintf("chdir(%q)", dir), fmt.Sprintf("mounts %d", n))
	begin := time.Now()
	s.compare([]string{`open("4711/a", O_RDONLY|O_CREAT, 0600)`, `open("4711/../17", O_RDONLY)`, `rmdir("99")`, `open("5/a", O_RDONLY)`, `rename("1", "one")`})
	t.Logf("%d mounts: %v", n, time.Since(begin).Round(time.Millisecond))
}

// TestKernelLiveOddNames: names, links and mounts that hold anything but words.
func TestKernelLiveOddNames(t *testing.T) {
	dir := tree(t)
	bomb(t, dir)
	s := newServer(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS})
	const odd = `a b\n\\\377 (deleted)`
	s.set(`mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)`, fmt.Sprintf("chdir(%q)", dir), `mkdir("`+odd+`", 0755)`, `mount("tmpfs", "`+odd+`", "tmpfs", 0, "mode=700")`, `mkdir("`+odd+`/sub", 0711)`,
		`mkdir("gone", 0755)`, `mount("d", "gone", NULL, MS_BIND, NULL)`)
	all := []string{`open("` + odd + `", O_RDONLY)`, `open("` + odd + `/new", O_RDONLY|O_CREAT, 0600)`, `rmdir("` + odd + `/sub")`, `rmdir("` + odd + `")`, `open("bomb0", O_RDONLY)`, `open("chain0/root", O_RDONLY)`, `stat("chain0/own", 0x1)`}
	s.compare(all)
	s.set(`mkdir("`+odd+`/sub", 0755)`, `chdir("`+odd+`/sub")`, "setresuid(1000, 1000, 1000)")
	s.judge = nil
	s.compare([]string{`open("../new", O_RDONLY)`, `open(".", O_RDONLY)`, `mkdir("x", 0700)`})
	// A working directory that was removed, and the root of a mount that was.
	s = newServer(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS})
	s.set(`mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)`, fmt.Sprintf("chdir(%q)", dir+"/open"), `mkdir("in", 0755)`, `mkdir("at", 0755)`, `mkdir("cwd", 0755)`, `mount("in", "at", NULL, MS_BIND, NULL)`, `rmdir("in")`, `mkdir("in", 0700)`, `chdir("cwd")`, `rmdir("../cwd")`)
	s.compare([]string{`open("x", O_RDONLY|O_CREAT, 0600)`, `open("..", O_RDONLY)`, `open(".", O_RDONLY)`, `mkdir("../at/x", 0700)`, fmt.Sprintf(`mkdir("%s/open/at/x", 0700)`, dir), fmt.Sprintf(`stat("%s/open/at", 0x1)`, dir), fmt.Sprintf(`rmdir("%s/open/in")`, dir)})
}

// bomb makes symbolic links that lead to one another.
func bomb(t *testing.T, dir string) {
	for i := range 45 {
		if err := os.Symlink(fmt.Sprintf("bomb%d/bomb%d", i+1, i+1), filepath.Join(dir, fmt.Sprintf("bomb%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 38 {
		if err := os.Symlink(fmt.Sprintf("chain%d", i+1), filepath.Join(dir, fmt.Sprintf("chain%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("d", filepath.Join(dir, "chain38")); err != nil {
		t.Fatal(err)
	}
}

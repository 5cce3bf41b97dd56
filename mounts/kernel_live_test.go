//go:build linux

package mounts

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/explain"
	"syscallstory/from/live"
	"syscallstory/overlay"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// process starts one in a mount namespace of its own, after a shell command there; it ends with the test, or before.
func process(t *testing.T, command string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", command+" && echo ready && read end")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q %v", line, err)
	}
	return cmd
}

func worldOf(t *testing.T, pid int) *world.World {
	t.Helper()
	p, err := live.Open(pid, live.Options{Merger: overlay.Merger{}, Alone: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	w, err := p.World()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestKernelUnreached: processes whose mounts are private, slaves, of a subdirectory; a mount that the host makes afterwards; what their
// stories, and the way of the path, say of it. The processes look themselves.
func TestKernelUnreached(t *testing.T) {
	dir, inside := fakeHost(t)
	if !inside {
		return
	}
	shared := dir + "/shared"
	for _, p := range []string{shared, dir + "/private"} {
		if err := os.Mkdir(p, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("tmpfs", p, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(p+"/a/b", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("", dir+"/private", "", unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, command, path, want string }{
		{"private", "mount --make-rprivate /", shared + "/a/b/file", "is private: what the host mounts does not come to it"},
		{"slave", "mount --make-rslave /", shared + "/a/b/file", ""},
		{"peer", "true", shared + "/a/b/file", ""},
		{"a private bind of a directory", "mkdir /dev/shm/story && mount --bind " + shared + "/a /dev/shm/story && mount --make-private /dev/shm/story", "/dev/shm/story/b/file", "is private"},
		{"the host's mount is private", "mount --make-rslave /", dir + "/private/a/b/file", dir + "/private of the host is not shared: what is mounted on it goes nowhere"},
	}
	var pids []int
	for _, c := range cases {
		command := c.command
		if strings.Contains(command, "/dev/shm") { // in a tmpfs that nobody else sees
			command = "mount --make-rslave / && mount -t tmpfs none /dev/shm && " + strings.Replace(command, "mkdir ", "mkdir -p ", 1)
		}
		pids = append(pids, process(t, command).Process.Pid)
	}
	for _, p := range []string{shared, dir + "/private"} {
		if err := unix.Mount("disk", p+"/a/b", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p+"/a/b/file", nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := os.Stat(fmt.Sprintf("/proc/%d/root%s", pids[i], c.path)) // what the process sees
			w := worldOf(t, pids[i])
			j, bindErr := explain.Bind(w, nil)
			if bindErr != nil {
				t.Fatal(bindErr)
			}
			call, parseErr := syscalls.Parse(syscalls.X8664, fmt.Sprintf("open(%q, O_RDONLY)", c.path))
			if parseErr != nil {
				t.Fatal(parseErr)
			}
			s, r := j.Story(call), Resolve(w, c.path)
			missing := c.want != ""
			if missing != os.IsNotExist(err) || missing != (s.Errno != nil && *s.Errno == "ENOENT") || missing == r.Found {
				t.Fatalf("the process: %v; the story: %s; found: %v", err, s.Verdict, r.Found)
			}
			text := ""
			for _, f := range s.Findings {
				text += f.Text
			}
			if missing != strings.Contains(text, "the host has tmpfs disk mounted at") || !strings.Contains(text, c.want) {
				t.Errorf("the story says %q", text)
			}
			if missing && !strings.Contains(r.Note, c.want) || !missing && r.Note != "" {
				t.Errorf("the way: %q", r.Note)
			}
		})
	}
}

// TestKernelVanish: processes, and mount namespaces with them, that end while all namespaces are read.
func TestKernelVanish(t *testing.T) {
	_, inside := fakeHost(t)
	if !inside {
		return
	}
	stay := process(t, "mount --make-rslave /")
	stop := make(chan bool)
	done := make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				done <- n
				return
			default:
			}
			cmd := exec.Command("/bin/true")
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
			if cmd.Run() == nil {
				n++
			}
		}
	}()
	for range 30 {
		tables, skipped, err := live.MountTables(nil)
		if err != nil {
			t.Errorf("%v", err)
			break
		}
		found := 0
		for i := range tables {
			if tables[i].PID == stay.Process.Pid || tables[i].PID == os.Getpid() {
				found++
			}
		}
		if found != 2 {
			t.Errorf("%d of two namespaces that stay were read", found)
		}
		for _, s := range skipped {
			if !strings.Contains(s, "ended, or left it, while it was read") && !strings.Contains(s, "may not look at ") { // some belong to others
				t.Errorf("%q", s)
			}
		}
		m := New(tables, linux618)
		m.Tree()
	}
	close(stop)
	if n := <-done; n == 0 {
		t.Error("no process came and went")
	}
	if _, _, err := live.MountTables([]int{1 << 22}); err == nil || !strings.Contains(err.Error(), "the mount namespace of process 4194304") {
		t.Errorf("%v", err)
	}
}

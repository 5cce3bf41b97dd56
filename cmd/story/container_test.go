package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestKernelOverlayContainer: a container is found by the beginning of its id. It is a process in a cgroup that is named as docker names
// one, with an overlay as its root; another process joined later, as docker exec does.
func TestKernelOverlayContainer(t *testing.T) {
	if _, err := exec.LookPath("unshare"); err != nil || os.Getuid() != 0 {
		t.Skip("it mounts an overlay: run it as root, with util-linux")
	}
	id := fmt.Sprintf("%016x%016x%016x%016x", rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64())
	var group string
	for _, h := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids", "/sys/fs/cgroup"} {
		dir := filepath.Join(h, "docker-"+id+".scope")
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		if _, err := os.Stat(dir + "/cgroup.procs"); err == nil {
			group = dir
			break
		}
		os.Remove(dir)
	}
	if group == "" {
		t.Skip("no cgroup can be made here")
	}
	t.Cleanup(func() { os.Remove(group) })
	dir := t.TempDir()
	start := func(tool string, args ...string) (pid int, ready bool) {
		cmd := exec.Command(tool, args...)
		cmd.Dir = dir
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.Close(); io.Copy(io.Discard, out); cmd.Wait() })
		line, _ := bufio.NewReader(out).ReadString('\n')
		if err := os.WriteFile(group+"/cgroup.procs", []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
			t.Skip(err)
		}
		return cmd.Process.Pid, line == "ready\n"
	}
	// The layers are seen from here, too; the overlay is the root of that shell alone, which has its program from the host.
	first, ready := start("unshare", "-m", "--propagation", "private", "sh", "-c", `mkdir -p low/etc up work m && echo one > low/etc/a && echo two > low/etc/b
		for d in bin lib lib64 usr; do if [ -h /$d ]; then cp -P /$d low; elif [ -d /$d ]; then mkdir low/$d; fi; done
		mount -t overlay o -o lowerdir=$PWD/low,upperdir=$PWD/up,workdir=$PWD/work m && echo more >> m/etc/a || exit
		for d in bin lib lib64 usr; do [ ! -d low/$d ] || [ -h low/$d ] || mount --rbind /$d m/$d; done
		exec chroot m sh -c 'echo ready; read x'`)
	if !ready {
		t.Skip("no overlay can be the root here")
	}
	start("sh", "-c", "echo ready; read x") // as docker exec, but its root is another one
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"which", "-c", id[:12], "/etc/a"}, exitAllowed, "served   " + dir + "/up: /etc/a  file 0644 0:0, 9 bytes\n"},
		{[]string{"which", "--container", id, "/etc/none"}, exitDenied, "/etc/none: ENOENT\n"},
		{[]string{"layers", "-c", id[:12]}, exitAllowed, "lower 1  " + dir + "/low\n"},
		{[]string{"diff", "-c", id[:12]}, exitDenied, "M          9  /etc/a  (data)\n0 added, 1 modified, 0 removed; 9 bytes in the upper layer\n"},
		{[]string{"cost", "-c", id[:12], `open("/etc/b", O_RDWR)`}, exitAllowed, `open("/etc/b", O_RDWR): allowed, 4 bytes copied up` + "\n"},
		{[]string{"explain", "-c", id[:12], `open("/etc/a", O_RDONLY)`}, exitAllowed, "/etc/a is served by the upper layer\n"},
		{[]string{"diff", "-c", "none"}, exitUsage, "story: container none: no process that is seen here has a cgroup of that name; there are "},
		{[]string{"diff", "-p", "none"}, exitUsage, "story: Pod none: no process"},
		{[]string{"diff", "-n", "none"}, exitUsage, "story: --namespace goes with --pod\n"},
		{[]string{"diff", "-c", id[:12], "--pid", strconv.Itoa(first)}, exitUsage, "exclude each other"},
		{[]string{"diff", "-c", id[:12], "--at", "/nowhere"}, exitUsage, "story: no overlay is mounted at /nowhere; there are overlays at /"},
		{[]string{"cost", "-c", id[:12], "--at", "/", `open("/etc/b", O_RDWR)`}, exitUsage, "story: --at: a call names its own path"},
	} {
		code, out, errs := storyOf(t, append([]string{"overlay"}, c.args...)...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%v: exit %d: %s%s", c.args, code, out, errs)
		}
	}
}

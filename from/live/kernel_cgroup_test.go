//go:build linux

package live

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestDelegatedCgroup: with nsdelegate a process in a cgroup namespace cannot write the limits of the namespace's root, but those
// below, and what is delegatable.
func TestDelegatedCgroup(t *testing.T) {
	const base = "/sys/fs/cgroup"
	table, _ := os.ReadFile("/proc/self/mountinfo")
	mounts, err := parseMountinfo(table)
	ok := false
	for i := range mounts {
		if m := &mounts[i]; m.point == base && m.fstype == "cgroup2" {
			_, ok = m.superOption("nsdelegate")
		}
	}
	if err != nil || !ok || os.Getuid() != 0 {
		t.Skip("it needs root, and cgroup2 with nsdelegate at /sys/fs/cgroup, as in the lab, where TestKernelLabTables runs it")
	}
	dir := filepath.Join(base, "story-test")
	for _, d := range []string{dir, dir + "/below"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())})
	f.Close()
	t.Cleanup(func() {
		os.WriteFile(base+"/cgroup.procs", []byte(strconv.Itoa(s.pid)), 0) // the child ends behind this
		os.Remove(dir + "/below")
		os.Remove(dir)
	})
	s.set("unshare(CLONE_NEWCGROUP)")
	for _, c := range []struct{ file, want, predicted string }{
		{"cgroup.max.depth", "EPERM", "EPERM"}, {"cgroup.max.descendants", "EPERM", "EPERM"}, {"cgroup.freeze", "EPERM", "EPERM"},
		{"below/cgroup.max.depth", "-", "undetermined"}, {"cgroup.subtree_control", "-", "undetermined"},
	} {
		if a := s.do("hold " + dir + "/" + c.file); a != "-" {
			t.Fatalf("%s: %s", c.file, a)
		}
		s.judge = nil
		fd := s.held(c.file)
		text := "5"
		if strings.HasSuffix(c.file, "subtree_control") {
			text = " "
		}
		if c.file == "cgroup.freeze" {
			text = "0"
		}
		call := "write(" + fd + `, "` + text + `", 1)`
		want, got := s.predict(call), s.do(call)
		if !strings.HasPrefix(want, c.predicted) || got != c.want {
			t.Errorf("%s: predicted %s, kernel %s, want %s and %s", c.file, want, got, c.predicted, c.want)
		}
	}
}

// held finds the descriptor of a file that the child holds.
func (s *server) held(name string) string {
	s.t.Helper()
	links, _ := filepath.Glob("/proc/" + strconv.Itoa(s.pid) + "/fd/*")
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && strings.HasSuffix(to, "/"+name) {
			return filepath.Base(l)
		}
	}
	s.t.Fatalf("the child does not hold %s", name)
	return ""
}

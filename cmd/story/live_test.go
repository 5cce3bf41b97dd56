package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"syscallstory/from/node"
)

// storyOf runs the program and returns its exit code and what it has printed.
func storyOf(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

// TestKernelPid: stories of a process that runs, from it and from its snapshot.
func TestKernelPid(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	for { // until it is no longer this program
		if exe, err := os.Readlink("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/exe"); err == nil && !strings.HasSuffix(exe, ".test") {
			break
		}
		time.Sleep(time.Millisecond)
	}
	pid := strconv.Itoa(cmd.Process.Pid)
	calls := []string{`open("/etc/passwd", O_RDONLY)`, `open("/nowhere/x", O_RDONLY)`, `rmdir("/etc")`}
	code, out, errs := storyOf(t, append([]string{"explain", "-q", "--pid", pid}, calls...)...)
	if code != exitDenied || strings.Count(out, "\n") != 3 || !strings.Contains(out, "ALLOWED   open") || !strings.Contains(out, "ENOENT") || !strings.Contains(out, "ENOTEMPTY") && !strings.Contains(out, "EACCES") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	code, snap, errs := storyOf(t, append([]string{"snapshot", "--depth", "0", "--path", "/etc", "--pid", pid}, calls...)...)
	file := filepath.Join(t.TempDir(), "world.json")
	if err := os.WriteFile(file, []byte(snap), 0o600); err != nil || code != 0 {
		t.Fatalf("%v, exit %d: %s", err, code, errs)
	}
	code, again, errs := storyOf(t, append([]string{"explain", "-q", "--world", file}, calls...)...)
	if code != exitDenied || again != out {
		t.Errorf("exit %d: from the snapshot\n%s%sfrom the process\n%s", code, again, errs, out)
	}
	var subject struct{ Subject struct{ Kind, Name string } }
	if code, out, _ = storyOf(t, "explain", "-o", "json", "--pid", pid, calls[0]); code != 0 || json.Unmarshal([]byte(out), &subject) != nil || subject.Subject.Kind != "process" || subject.Subject.Name != pid+" (sleep)" {
		t.Errorf("exit %d: %+v", code, subject)
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"explain --pid 4194304 close(3)", exitUsage, "there is no such process"},
		{"explain --pid -3 close(3)", exitUsage, "not the id of a process"},
		{"explain --pid " + pid + " -f x close(3)", exitUsage, "go with manifests"},
		{"explain --pid " + pid + " --world x close(3)", exitUsage, "exclude each other"},
		{"explain --world /nowhere close(3)", exitUsage, "no such file"},
		{"explain --world /etc/passwd close(3)", exitUsage, "/etc/passwd: snapshot: "},
		{"run --pid " + pid + " --perform close(3)", exitUsage, "is not launched"},
		{"run --world " + file + " --perform close(3)", exitUsage, "holds no contents"},
		{"snapshot --pid " + pid + " --path /nowhere", exitUsage, "--path /nowhere"},
	} {
		if code, _, errs := storyOf(t, strings.Fields(c.args)...); code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit %d, %s; want %d, %s", c.args, code, errs, c.code, c.want)
		}
	}
}

// TestSnapshotNode: what is written is what --node reads.
func TestSnapshotNode(t *testing.T) {
	code, out, errs := storyOf(t, "snapshot", "node")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	n, err := node.Parse("node", []byte(out))
	if err != nil {
		t.Fatal(err)
	}
	here, err := node.Local()
	if err != nil {
		t.Fatal(err)
	}
	if n.Kernel != here.Kernel || len(n.Mounts) == 0 || len(n.Sysctls) != len(here.Sysctls) {
		t.Errorf("%+v is not %+v", n, here)
	}
}

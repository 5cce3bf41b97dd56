package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/sys/unix"

	"syscallstory/story"
)

const nobody = 65534

// TestKernelRootless performs the call of every golden as an ordinary user, who has a range of ids in /etc/subuid: prediction
// and kernel agree as they do for root. Only containers with a user namespace of their own need root.
func TestKernelRootless(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it becomes another user, with ranges of ids: run it as root")
	}
	if _, err := exec.LookPath("newuidmap"); err != nil {
		t.Skip("newuidmap is not installed (package uidmap)")
	}
	if os.Getenv("STORY_ROOTLESS") == "" { // once more, in a mount namespace where /etc can be changed
		cmd := exec.Command(os.Args[0], "-test.run=^TestKernelRootless$", "-test.v")
		cmd.Env = append(os.Environ(), "STORY_ROOTLESS="+t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	dir := os.Getenv("STORY_ROOTLESS")
	giveRanges(t, dir)
	program := filepath.Join(dir, "story")
	copyFile(t, "/proc/self/exe", program, 0o755)
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no goldens", err)
	}
	n := 0
	for _, file := range scripts {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`(?m)exec story run (.*) -o json --perform ('.*')$`).FindStringSubmatch(string(a.Comment))
		if m == nil || strings.Contains(file, "userns") {
			continue
		}
		n++
		work := filepath.Join(dir, strings.TrimSuffix(filepath.Base(file), ".txtar"))
		unpack(t, a, work)
		// As nobody, and without what root's own HOME and runtime directory would tell.
		cmd := exec.Command("sh", "-c", program+" run "+m[1]+" -o json --perform "+m[2])
		cmd.Dir = work
		cmd.Env = []string{"STORY_MAIN=1", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		var run story.Run
		if err := json.Unmarshal(out, &run); err != nil {
			t.Errorf("%s: %v %s", file, err, exit.Stderr)
			continue
		}
		if run.Agree == nil || !*run.Agree {
			t.Errorf("%s: prediction and kernel do not agree without root: %s\n%s", file, run.Reason, out)
		}
	}
	t.Logf("%d goldens performed without root", n)
	if n < 8 {
		t.Errorf("only %d goldens were performed", n)
	}
}

// giveRanges lets nobody map ids, in this mount namespace alone.
func giveRanges(t *testing.T, dir string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(os.Chmod(dir, 0o777))
	must(os.Chmod(filepath.Dir(dir), 0o755))
	for _, d := range []string{"up", "work"} {
		must(os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	must(unix.Mount("overlay", "/etc", "overlay", 0, "lowerdir=/etc,upperdir="+filepath.Join(dir, "up")+",workdir="+filepath.Join(dir, "work")))
	for _, f := range []string{"/etc/subuid", "/etc/subgid"} {
		must(os.WriteFile(f, []byte("65534:200000:65536\nnobody:200000:65536\nnogroup:200000:65536\n"), 0o644))
	}
}

// unpack writes a script's files, and a link to the examples' node.
func unpack(t *testing.T, a *txtar.Archive, dir string) {
	t.Helper()
	node, err := filepath.Abs("../../examples/node")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		p := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// A copy: the checkout may lie where nobody gets to.
	err = filepath.Walk(node, func(p string, st os.FileInfo, err error) error {
		if err != nil || st.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(node, p)
		to := filepath.Join(dir, "node", rel)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		copyFile(t, p, to, 0o644)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, mode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

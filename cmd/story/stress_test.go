package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"syscallstory/container"
)

// TestKernelStress performs calls one after another and many at once, and kills story at random moments: afterwards no mount,
// no process and no directory is left. STORY_STRESS=1 makes it long; STORY_SEED repeats the moments.
func TestKernelStress(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it looks at every process: run it as root")
	}
	runs, atOnce := 60, 10
	if os.Getenv("STORY_STRESS") != "" {
		runs, atOnce = 500, 20
	}
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("STORY_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("%d runs and %d at once, STORY_SEED=%d", runs, atOnce, seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	manifest := filepath.Join(t.TempDir(), "pod.yaml")
	if err := os.WriteFile(manifest, []byte("kind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i}]}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	mounts := mountinfo(t)
	begun := firstProcesses()
	// one runs story; after is the moment of a signal, 0 for none.
	one := func(after time.Duration, sig syscall.Signal) {
		cmd := exec.Command("/proc/self/exe", "run", "-q", "-f", manifest, "--rootfs", "embedded", "--uid", "0", "--gid", "0", "--seccomp", "docker", "--perform", `open("/etc/passwd", O_WRONLY)`)
		cmd.Env = append(os.Environ(), "STORY_MAIN=1")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		if after > 0 {
			time.Sleep(after)
			cmd.Process.Signal(sig)
		}
		err := cmd.Wait()
		if after == 0 && (err != nil || !strings.HasPrefix(out.String(), "agree   ALLOWED")) {
			t.Errorf("%v: %s", err, out.String())
		}
	}
	moment := func() (time.Duration, syscall.Signal) {
		switch rng.IntN(3) {
		case 0:
			return time.Duration(1 + rng.IntN(40_000_000)), syscall.SIGKILL
		case 1:
			return time.Duration(1 + rng.IntN(40_000_000)), syscall.SIGINT
		}
		return 0, 0
	}
	for range runs {
		one(moment())
	}
	var wg sync.WaitGroup
	for range atOnce {
		after, sig := moment()
		wg.Add(1)
		go func() {
			defer wg.Done()
			one(after, sig)
		}()
	}
	wg.Wait()
	// What was killed takes a moment to go; its directories go with the next command.
	deadline := time.Now().Add(15 * time.Second)
	for time.Now().Before(deadline) && len(newOnes(begun, firstProcesses())) > 0 {
		time.Sleep(50 * time.Millisecond)
	}
	if left := newOnes(begun, firstProcesses()); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	time.Sleep(1100 * time.Millisecond)
	one(0, 0)
	if entries, err := os.ReadDir(container.StateRoot); err == nil {
		for _, e := range entries {
			if st, err := e.Info(); err == nil && time.Since(st.ModTime()) > time.Second && !locked(filepath.Join(container.StateRoot, e.Name())) {
				t.Errorf("%s is left in %s", e.Name(), container.StateRoot)
			}
		}
	}
	if after := mountinfo(t); after != mounts {
		t.Errorf("the mounts are not what they were:\n%s\nnow:\n%s", mounts, after)
	}
}

// locked reports whether somebody holds a directory.
func locked(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return true
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}

func mountinfo(t *testing.T) string {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// firstProcesses lists the containers' first processes that live, by pid.
func firstProcesses() map[string]bool {
	out := map[string]bool{}
	dirs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, d := range dirs {
		if text, err := os.ReadFile(d); err == nil && bytes.HasPrefix(text, []byte("story-init\x00")) {
			out[d] = true
		}
	}
	return out
}

func newOnes(before, after map[string]bool) (left []string) {
	for p := range after {
		if !before[p] {
			left = append(left, p)
		}
	}
	return left
}

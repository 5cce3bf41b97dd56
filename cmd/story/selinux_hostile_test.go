package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syscallstory/internal/hostile"
	"syscallstory/selinux"
)

// TestHostileSELinux asks policies that are made to take memory, each by its own process: no command may take more than
// 256 MB. What it prints may be long, and is cut off. All commands with all policies take minutes: STORY_STRESS=1.
func TestHostileSELinux(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	record := "avc: denied { p0 } for scontext=u:object_r:t0:s0 tcontext=u:object_r:t0:s0 tclass=c permissive=0\n"
	if err := os.WriteFile(log, []byte(strings.Repeat(record, 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	policies := hostile.Policies(selinux.MaxPolicySize)
	for n, name := range slices.Sorted(maps.Keys(policies)) {
		data := policies[name]
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		other := file + ".other" // some byte of its names differs
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(data), "p0", "q0", 1)
		if err := os.WriteFile(other, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		for k, args := range []string{
			"booleans --policy FILE", "query --policy FILE", "query --policy FILE -o json", "diff FILE OTHER", "diff FILE FILE -o json",
			"why --policy FILE u:object_r:t0:s0 u:object_r:t0:s0 c p0 -o json", "avc --policy FILE LOG -o json",
		} {
			if k != n%7 && os.Getenv("STORY_STRESS") == "" {
				continue
			}
			t.Run(name+" "+args, func(t *testing.T) {
				args := strings.Fields(strings.NewReplacer("FILE", file, "OTHER", other, "LOG", log).Replace("selinux " + args))
				rss, out := peak(t, args)
				t.Logf("%d MB; %.100s", rss>>20, out)
				if rss > 256<<20 {
					t.Errorf("%d MB", rss>>20)
				}
			})
		}
	}
}

// peak runs story, lets it print some megabytes, and returns how many bytes of memory it has had at most. (What wait4 tells is
// at least what the test itself has.)
func peak(t *testing.T, args []string) (int64, string) {
	t.Helper()
	report := filepath.Join(t.TempDir(), "peak")
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "STORY_PEAK="+report)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 2<<20)
	n, err := io.ReadFull(out, text)
	status := fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)
	if err == nil { // it has more to say, and waits
		most := highWater(t, status)
		cmd.Process.Kill()
		cmd.Wait()
		return most, string(text[:n])
	}
	cmd.Wait()
	return highWater(t, report), fmt.Sprintf("%s%s", text[:n], errs.String())
}

// measured runs story, and leaves what /proc says of the process.
func measured(report string) {
	code := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		err = os.WriteFile(report, status, 0o600)
	}
	if err != nil {
		panic(err)
	}
	os.Exit(code)
}

func highWater(t *testing.T, status string) int64 {
	t.Helper()
	text, err := os.ReadFile(status)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		var kb int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return kb << 10
		}
	}
	t.Fatalf("%s has no VmHWM", status)
	return 0
}

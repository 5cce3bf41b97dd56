package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"syscallstory/lab/image"
	"syscallstory/lab/machine"
)

// openLab opens the lab of the user's cache, or skips the test where this computer has no emulator or no packages.
func openLab(t *testing.T, series string) *machine.Lab {
	t.Helper()
	dir, err := machine.DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	lab, err := machine.Open(dir, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	_, err = lab.Fetch(t.Context(), series, false)
	if machine.Unavailable(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

// result is what a program has left.
type result struct {
	out, errs string
	code      int
	signal    int
}

// do runs a program in the machine.
func do(t *testing.T, lab *machine.Lab, m *machine.Machine, stdin string, args ...string) result {
	t.Helper()
	cmd, err := command(t.Context(), lab, args)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	ctx, cancel := context.WithTimeout(t.Context(), areaPatience)
	defer cancel()
	exit, err := m.Run(ctx, cmd)
	if err != nil {
		t.Fatal(err)
	}
	return result{out.String(), errs.String(), exit.Code, exit.Signal}
}

func TestKernelLab(t *testing.T) {
	for _, series := range machine.Series {
		t.Run(series, func(t *testing.T) {
			lab := openLab(t, series)
			m, err := lab.Start(t.Context(), machine.Spec{Series: series})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if len(m.Hello.Absent) > 0 {
				t.Errorf("the guest lacks %q", m.Hello.Absent)
			}
			if r := do(t, lab, m, "", "uname", "-r"); strings.TrimSpace(r.out) != m.Hello.Release || !strings.HasPrefix(r.out, series+".") {
				t.Errorf("uname -r: %+v, want %s", r, m.Hello.Release)
			}
			if r := do(t, lab, m, "", "story", "version"); r.code != 0 || !strings.HasPrefix(r.out, "story ") || r.errs != "" {
				t.Errorf("story version: %+v", r)
			}
			var report struct {
				Kernel struct{ Release string }
				Can    map[string]bool
			}
			r := do(t, lab, m, "", "story", "doctor", "-o", "json")
			if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != 0 || report.Kernel.Release != m.Hello.Release || !report.Can["run"] {
				t.Errorf("story doctor: %v, exit %d, %+v, %s", err, r.code, report, r.errs)
			}
			testStreams(t, lab, m)
			testFilesystems(t, lab, m)
		})
	}
}

// testStreams: input, both outputs and every way to end arrive as they are.
func testStreams(t *testing.T, lab *machine.Lab, m *machine.Machine) {
	for _, c := range []struct {
		script, stdin string
		want          result
	}{
		{"echo out; echo err >&2; exit 37", "", result{"out\n", "err\n", 37, 0}},
		{"tr a-z A-Z", "quiet\n", result{"QUIET\n", "", 0, 0}},
		{"kill -9 $$", "", result{"", "", 137, 9}},
		{"sleep 1000 & echo left behind", "", result{"left behind\n", "", 0, 0}},
		{"true", strings.Repeat("nobody reads this\n", 50000), result{"", "", 0, 0}},
		{"head -c 3000000 /dev/zero | wc -c", "", result{"3000000\n", "", 0, 0}},
	} {
		if got := do(t, lab, m, c.stdin, "sh", "-c", c.script); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.script, got, c.want)
		}
	}
}

// testFilesystems: what worlds are made of can be mounted.
func testFilesystems(t *testing.T, lab *machine.Lab, m *machine.Machine) {
	const script = `set -e
truncate -s 400M /tmp/xfs; truncate -s 128M /tmp/btrfs; truncate -s 16M /tmp/ext4
mkfs.ext4 -q /tmp/ext4; mkfs.xfs -q /tmp/xfs; mkfs.btrfs -q /tmp/btrfs >/dev/null
for fs in ext4 xfs btrfs; do mkdir /mnt/$fs; mount -t $fs -o loop /tmp/$fs /mnt/$fs; touch /mnt/$fs/file; done
mkdir /tmp/l /tmp/u /tmp/w /mnt/overlay
mount -t overlay -o lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w none /mnt/overlay; touch /mnt/overlay/file
test -c /dev/net/tun && test -c /dev/fuse && echo all`
	if r := do(t, lab, m, "", "sh", "-c", script); r.out != "all\n" || r.code != 0 {
		t.Errorf("filesystems: %+v", r)
	}
}

// Machines resumed from one state must not draw the same random numbers, or a fresh seed would never be one, and live in the
// present.
func TestKernelLabTwins(t *testing.T) {
	lab := openLab(t, "6.12")
	drawn := map[string]bool{}
	for range 2 {
		m, err := lab.Start(t.Context(), machine.Spec{Series: "6.12"})
		if err != nil {
			t.Fatal(err)
		}
		r := do(t, lab, m, "", "sh", "-c", "cat /proc/sys/kernel/random/uuid; date -u +%Y-%m-%dT%H")
		m.Close()
		uuid, hour, _ := strings.Cut(strings.TrimSpace(r.out), "\n")
		if at, err := time.Parse("2006-01-02T15", hour); err != nil || time.Since(at) > 2*time.Hour {
			t.Errorf("the guest's clock shows %s", hour)
		}
		if !m.Resumed || len(uuid) != 36 || drawn[uuid] {
			t.Errorf("resumed %v, %q after %v", m.Resumed, uuid, drawn)
		}
		drawn[uuid] = true
	}
}

func TestKernelLabHang(t *testing.T) {
	lab := openLab(t, "6.12")
	m, err := lab.Start(t.Context(), machine.Spec{Series: "6.12"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	_, err = m.Run(ctx, machine.Command{Args: []string{"sh", "-c", "echo I hang > /dev/console; sleep 1000"}})
	if !errors.Is(err, machine.ErrTimeout) || !strings.Contains(err.Error(), "I hang") {
		t.Errorf("a program that hangs: %v", err)
	}
}

func TestKernelLabCannotBoot(t *testing.T) {
	lab := openLab(t, "6.12")
	_, err := lab.Start(t.Context(), machine.Spec{Series: "6.12", Append: "rdinit=/bin/nothing root=/dev/nowhere", Cold: true})
	var failure *machine.Failure
	if !errors.As(err, &failure) || !strings.Contains(failure.Console, "Kernel panic") {
		t.Errorf("a kernel that finds no first process: %v", err)
	}
}

// TestKernelLabInterrupt: behind SIGINT and behind SIGKILL no emulator stays, and nothing half made but what the next one removes.
func TestKernelLabInterrupt(t *testing.T) {
	lab := openLab(t, "6.12")
	program, err := lab.Build(t.Context(), "syscallstory/lab", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		cmd := exec.Command(program, "run", "--kernel", "6.12", "--", "sh", "-c", "echo here; sleep 1000")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 5)
		if _, err := out.Read(line); err != nil || string(line) != "here\n" {
			t.Fatalf("%q, %v", line, err)
		}
		children := childrenOf(t, cmd.Process.Pid)
		if len(children) != 1 {
			t.Errorf("children of the lab: %v, want the emulator alone", children)
		}
		cmd.Process.Signal(sig)
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); sig == syscall.SIGINT && code != exitInterrupted {
			t.Errorf("exit %d after %v", code, sig)
		}
		for _, c := range children {
			waitGone(t, c, sig)
		}
	}
	dir, _ := machine.DefaultDir()
	if left, _ := filepath.Glob(filepath.Join(dir, "cold.partial")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// childrenOf lists the processes whose parent is pid.
func childrenOf(t *testing.T, pid int) []string {
	t.Helper()
	lists, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task/*/children"))
	var all []string
	for _, l := range lists {
		b, err := os.ReadFile(l)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.Fields(string(b))...)
	}
	return all
}

// waitGone waits a moment for a process to vanish.
func waitGone(t *testing.T, pid string, sig syscall.Signal) {
	t.Helper()
	for range 500 {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %s is still there after %v", pid, sig)
}

// TestKernelLabVerify runs each area on each kernel.
func TestKernelLabVerify(t *testing.T) {
	for _, series := range machine.Series {
		for _, a := range areas {
			t.Run(series+"/"+a.name, func(t *testing.T) {
				r, err := verify(t.Context(), openLab(t, series), series, a)
				if machine.Unavailable(err) {
					t.Skip(err)
				} else if err != nil {
					t.Fatal(err)
				}
				if r.code != 0 {
					t.Errorf("exit %d:\n%s", r.code, r.output)
				}
				t.Log(strings.SplitN(r.output, "\n", 2)[0])
			})
		}
	}
}

// TestKernelLabTables runs those of the tables against the kernel that name differences between releases.
func TestKernelLabTables(t *testing.T) {
	for _, series := range machine.Series {
		t.Run(series, func(t *testing.T) {
			lab := openLab(t, series)
			m, err := lab.Start(t.Context(), machine.Spec{Series: series})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			r := do(t, lab, m, "", "test:syscallstory/explain", "-test.v", "-test.run", "TestKernel(Limits|RealIDs|OverlayRemoved)$")
			if r.code != 0 || strings.Contains(r.out, "--- SKIP") {
				t.Errorf("exit %d:\n%s\n%s", r.code, r.out, r.errs)
			}
			r = do(t, lab, m, "", "test:syscallstory/from/live", "-test.v", "-test.run", "^TestDelegatedCgroup$")
			if r.code != 0 || strings.Contains(r.out, "--- SKIP") {
				t.Errorf("exit %d:\n%s\n%s", r.code, r.out, r.errs)
			}
		})
	}
}

// TestKernelLabSELinux loads a small policy that uses every section, in two versions, and Debian's into a kernel, and compares
// what package selinux says of them with what the kernel does.
func TestKernelLabSELinux(t *testing.T) {
	const series = "6.12"
	lab := openLab(t, series)
	files := []string{smallPolicy(t, "25"), smallPolicy(t, "33")}
	if debian := "/etc/selinux/default/policy/policy.33"; readable(debian) {
		files = append(files, debian)
	}
	m, err := lab.Start(t.Context(), machine.Spec{Series: series, Append: "lsm=landlock,selinux,bpf selinux=1", Cold: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	cmd, err := command(t.Context(), lab, []string{"test:syscallstory/selinux", "-test.run", "^TestLoadedPolicy$", "-test.v"})
	if err != nil {
		t.Fatal(err)
	}
	var at []string
	for i, f := range files {
		to := fmt.Sprintf("/root/%d-%s", i, filepath.Base(f))
		more, err := copied(f + ":" + to)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Files, at = append(cmd.Files, more...), append(at, to)
	}
	var out bytes.Buffer
	cmd.Env = []string{"STORY_SELINUX_LOAD=" + strings.Join(at, ",")}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(""), &out, &out
	ctx, cancel := context.WithTimeout(t.Context(), areaPatience)
	defer cancel()
	exit, err := m.Run(ctx, cmd)
	if err != nil || exit.Code != 0 || strings.Count(out.String(), "questions about permissions") != len(files) {
		t.Errorf("%v, %+v\n%s", err, exit, out.String())
	}
}

// TestKernelLabLiveSELinux judges containers under labels from outside, on an enforcing machine.
func TestKernelLabLiveSELinux(t *testing.T) {
	underSELinux(t, "from/live", "TestUnderLabels", []string{"STORY_SELINUX_LIVE=1"}, "")
}

// TestKernelLabSELinuxScene makes the calls of docs/selinux.md by the Pod of examples/selinux, on an enforcing machine.
func TestKernelLabSELinuxScene(t *testing.T) {
	underSELinux(t, "cmd/story", "TestSceneUnderLabels", []string{"STORY_SELINUX_SCENE=/root/scene"}, "../examples/selinux:/root/scene")
}

// underSELinux runs a test of a package in a machine that has started SELinux.
func underSELinux(t *testing.T, pkg, test string, env []string, copies string) {
	const series = "6.12"
	lab := openLab(t, series)
	spec := machine.Spec{Series: series}
	policy, err := lab.Policy(t.Context())
	if machine.Unavailable(err) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	spec.SELinux(policy)
	m, err := lab.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	cmd, err := command(t.Context(), lab, []string{"test:syscallstory/" + pkg, "-test.run", "^" + test + "$", "-test.v"})
	if err != nil {
		t.Fatal(err)
	}
	if copies != "" {
		if cmd.Files, err = appendCopied(cmd.Files, copies); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(""), &out, &out
	ctx, cancel := context.WithTimeout(t.Context(), areaPatience)
	defer cancel()
	if exit, err := m.Run(ctx, cmd); err != nil || exit.Code != 0 || !strings.Contains(out.String(), "--- PASS: "+test) {
		t.Errorf("%v, %+v\n%s", err, exit, out.String())
	}
}

func appendCopied(all []image.File, arg string) ([]image.File, error) {
	more, err := copied(arg)
	return append(all, more...), err
}

// TestKernelLabBPF attaches BPF programs to hooks of the security framework, and from/node finds them.
func TestKernelLabBPF(t *testing.T) {
	for _, series := range machine.Series {
		lab := openLab(t, series)
		m, err := lab.Start(t.Context(), machine.Spec{Series: series, Append: "lsm=landlock,bpf", Cold: true})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		cmd, err := command(t.Context(), lab, []string{"test:syscallstory/from/node", "-test.run", "^TestAttachedPrograms$", "-test.v"})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		cmd.Env = []string{"STORY_BPF_LOAD=1"}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(""), &out, &out
		ctx, cancel := context.WithTimeout(t.Context(), areaPatience)
		defer cancel()
		if exit, err := m.Run(ctx, cmd); err != nil || exit.Code != 0 || !strings.Contains(out.String(), "--- PASS: TestAttachedPrograms") {
			t.Errorf("%s: %v, %+v\n%s", series, err, exit, out.String())
		}
	}
}

// smallPolicy compiles selinux's own policy.
func smallPolicy(t *testing.T, version string) string {
	t.Helper()
	secilc, err := exec.LookPath("secilc")
	if err != nil {
		t.Skip("Debian's secilc is not installed")
	}
	to := filepath.Join(t.TempDir(), "small."+version)
	args := []string{"-N", "-c", version, "-o", to, "-f", os.DevNull, "../selinux/testdata/every.cil"}
	if version >= "30" {
		args = append(args, "../selinux/testdata/extended.cil")
	}
	if text, err := exec.Command(secilc, args...).CombinedOutput(); err != nil {
		t.Fatalf("secilc: %v\n%s", err, text)
	}
	return to
}

func readable(name string) bool {
	f, err := os.Open(name)
	if err == nil {
		f.Close()
	}
	return err == nil
}

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestKernelPidExits: of a process that exits at any moment a story is told in full, or one error, with the exit code of bad input.
func TestKernelPidExits(t *testing.T) {
	ended := 0
	for i := range 12 {
		cmd := exec.Command("sleep", fmt.Sprintf("0.%03d", 7*i))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for tries := 0; ended <= i && tries < 5000; tries++ {
			code, out, errs := storyOf(t, "explain", "-q", "--pid", strconv.Itoa(cmd.Process.Pid), `open("/etc/passwd", O_WRONLY)`)
			switch {
			case code == exitUsage && out == "" && strings.Count(errs, "\n") == 1:
				ended++
			case errs != "" || strings.Count(out, "\n") != 1:
				t.Fatalf("exit %d: %q, %q", code, out, errs)
			}
		}
		cmd.Wait()
	}
	if ended != 12 {
		t.Errorf("%d of 12 ends were seen", ended)
	}
}

// TestKernelPidHidden: a process that /proc hides is told from one that is not there, by its exit code too.
func TestKernelPidHidden(t *testing.T) {
	for _, tool := range []string{"unshare", "setpriv"} {
		if _, err := exec.LookPath(tool); err != nil || os.Getuid() != 0 {
			t.Skip("it mounts a /proc that hides processes: run it as root, with util-linux")
		}
	}
	for pid, want := range map[int]int{os.Getpid(): exitIncapable, 1 << 22: exitUsage} {
		hidden(t, want, fmt.Sprintf(`explain -q --pid %d 'open("/", O_RDONLY)'`, pid))
		hidden(t, want, fmt.Sprintf("mounts tree --pid %d", pid))
		hidden(t, want, fmt.Sprintf("mounts resolve --pid %d /", pid))
	}
}

// hidden runs story as an ordinary user whose /proc shows no processes of others.
func hidden(t *testing.T, want int, command string) {
	t.Helper()
	cmd := exec.Command("unshare", "-m", "--propagation", "private", "sh", "-c",
		`mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid 1000 --regid 1000 --clear-groups "$0" `+command, "/proc/self/exe")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	open, err := copyOf(self, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cmd.Args[len(cmd.Args)-1] = open
	cmd.Env = append(os.Environ(), "STORY_MAIN=1")
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != want || strings.Count(string(out), "\n") != 1 {
		t.Errorf("%s: exit %d, want %d: %s %v", command, code, want, out, err)
	}
}

// copyOf makes a program that everybody may execute, in a directory that everybody may enter.
func copyOf(program, dir string) (string, error) {
	for d := dir; d != filepath.Dir(d) && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			return "", err
		}
	}
	text, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, "story")
	return to, os.WriteFile(to, text, 0o755)
}

// TestOddNames: names with newlines and bytes that are no UTF-8 neither break a line of the text nor the JSON, and links that lead to
// one another without end are ELOOP at once, in an image as in a live process.
func TestOddNames(t *testing.T) {
	dir := t.TempDir()
	const odd, written = "a\nDENIED \x1b[31m\xff\t\"", `a\nDENIED \33[31m\377\t\"`
	if err := os.Mkdir(filepath.Join(dir, odd), 0o700); err != nil {
		t.Skipf("this filesystem has no such names: %v", err)
	}
	for i := range 45 {
		if err := os.Symlink(fmt.Sprintf("bomb%d/bomb%d", i+1, i+1), filepath.Join(dir, fmt.Sprintf("bomb%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	pod := filepath.Join(t.TempDir(), "pod.yaml")
	if err := os.WriteFile(pod, []byte("kind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i, securityContext: {runAsUser: 0, runAsGroup: 0, seccompProfile: {type: Unconfined}}}]}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	in := func(path string) []string {
		return []string{`mkdir("` + path + written + `", 0755)`, `open("` + path + written + `/none", O_RDONLY)`, `open("` + path + `bomb0", O_RDONLY)`}
	}
	for name, c := range map[string]struct{ args, calls []string }{
		"image": {[]string{"-f", pod, "--rootfs", dir}, in("/")},
		"live":  {[]string{"--pid", strconv.Itoa(os.Getpid())}, in(dir + "/")},
	} {
		_, out, errs := storyOf(t, append(append([]string{"explain", "-q"}, c.args...), c.calls...)...)
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if len(lines) != 3 || errs != "" || !strings.Contains(lines[0], "EEXIST") || !strings.Contains(lines[1], "ENOENT") || !strings.Contains(lines[2], "ELOOP") {
			t.Errorf("%s: %q %s", name, lines, errs)
		}
		_, out, _ = storyOf(t, append(append([]string{"explain", "-v"}, c.args...), c.calls...)...)
		for l := range strings.SplitSeq(out, "\n") {
			if strings.Contains(l, "\x1b") || strings.Contains(l, "\xff") {
				t.Errorf("%s: %q", name, l)
			}
		}
		_, out, _ = storyOf(t, append(append([]string{"explain", "-o", "json"}, c.args...), c.calls...)...)
		var all []any
		if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 3 || !utf8.ValidString(out) {
			t.Errorf("%s: %v, %d stories", name, err, len(all))
		}
		if err := validate([]byte(out)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBadMountinfo: tables of other kernels, cut off, escaped, odd and long ones; what story says, and how it ends.
func TestBadMountinfo(t *testing.T) {
	const root = "20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
	long := strings.Builder{}
	long.WriteString(root)
	for i := range 99_990 { // with one more fs.mount-max is near
		fmt.Fprintf(&long, "%d 20 0:%d / /m%d rw shared:%d - tmpfs none rw\n", i+21, i+2, i, i+2)
	}
	for name, c := range map[string]struct {
		text      string
		code      int
		out, errs string
	}{
		"of a kernel to come":     {"20 1 8:1 / / rw,relatime,newflag shared:1 new:7 newer - newfs none rw,a=b\n", exitAllowed, "/  newfs none  rw  shared 1\n", ""},
		"without optional fields": {"20 1 8:1 / / rw - ext4 /dev/sda1 rw\n", exitAllowed, "/  ext4 /dev/sda1  rw  private\n", ""},
		"cut in a line":           {root + "21 20 0:5 / /proc rw", exitUsage, "", "t: it is cut off: the last line has no end"},
		"cut in a field":          {root + "21 20 0:5 / /pr\n", exitUsage, "", "t: mountinfo, line 2: \"21 20 0:5 / /pr\" has too few fields"},
		"without a separator":     {root + "21 20 0:5 / /a rw shared:2\n", exitUsage, "", "has no separator"},
		"no separator":            {root + "21 20 0:5 / /a rw shared:2 ext4 none rw\n", exitUsage, "", "has no separator"},
		"escapes":                 {root + "21 20 0:5 /\\134\\011 /a\\040b\\043 rw - tmpfs x\\012y rw\n", exitAllowed, "/a b#  tmpfs x?y[/\\?]  rw  private", ""},
		"broken escapes":          {root + "21 20 0:5 / /a\\9\\04 rw - tmpfs x\\ rw\n", exitAllowed, "/a\\9\\04  tmpfs x\\  rw", ""},
		"numbers":                 {root + "99999999999999999999 20 0:5 / /a rw - tmpfs x rw\n", exitUsage, "", "value out of range"},
		"a group of 0":            {root + "21 20 0:5 / /a rw shared:0 - tmpfs x rw\n", exitUsage, "", "is no peer group"},
		"a line twice":            {root + root, exitAllowed, "t, 1 mounts", ""},
		"no root":                 {"21 20 0:5 / /a rw - tmpfs x rw\n", exitAllowed, "/a  tmpfs x  rw  private", ""},
		"its own ancestor":        {"21 22 0:5 / /a rw - tmpfs x rw\n22 21 0:5 / /b rw - tmpfs x rw\n", exitUsage, "", "is its own ancestor"},
		"no mount":                {"", exitUsage, "", "t: there is no mount in it"},
		"binary":                  {"\x00\xff\x7fELF\n", exitUsage, "", "has too few fields"},
		"100,000 mounts":          {long.String(), exitAllowed, "t, 99991 mounts", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.WriteFile("t", []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			code, out, errs := storyOf(t, "mounts", "tree", "--mountinfo", "t")
			if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) || c.errs == "" && errs != "" {
				t.Errorf("%d\n%.300s\n%.300s", code, out, errs)
			}
			if code != exitAllowed {
				return
			}
			if code, out, errs := storyOf(t, "mounts", "what-if", "--mountinfo", "t", "mount /m1/x"); code != exitAllowed || !strings.Contains(out, "/m1/x  t  mounted") {
				t.Errorf("what-if: %d\n%.300s\n%.300s", code, out, errs)
			}
		})
	}
}

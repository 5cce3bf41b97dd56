package syscalls

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestKernelStrace reads what strace prints of real programs: every line that shows a whole call is understood.
func TestKernelStrace(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	out := filepath.Join(t.TempDir(), "trace")
	for _, flags := range [][]string{{}, {"-y"}, {"-yy", "-f", "-tt", "-T"}, {"-f", "-s", "256", "-v"}} {
		args := append(append([]string{}, flags...), "-o", out, "sh", "-c", "cat /etc/hostname; ls -l /proc/self/fd /dev; mkdir -p /tmp; test -w /etc/passwd; true")
		if text, err := exec.Command("strace", args...).CombinedOutput(); err != nil {
			t.Skipf("strace cannot trace here: %v %s", err, text)
		}
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			if strings.Contains(line, "<unfinished") || strings.Contains(line, "resumed>") || strings.Contains(line, "+++ ") || strings.Contains(line, "--- ") {
				continue
			}
			n++
			if _, _, err := ParseLine(X8664, line); err != nil && !strings.Contains(err.Error(), "cut off") {
				t.Errorf("strace %v: %v\n%s", flags, err, line)
			}
		}
		if n < 20 {
			t.Errorf("strace %v printed only %d calls", flags, n)
		}
	}
}

//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSceneUnderLabels: the Pod of examples/selinux, at level s0:c338,c794, opens its own file, another Pod's and one of the host:
// predicted, performed in a container under enforcing, and equal.
func TestSceneUnderLabels(t *testing.T) {
	example := os.Getenv("STORY_SELINUX_SCENE")
	if example == "" {
		t.Skip("it switches enforcing, and so runs in the lab only, by TestKernelLabSELinuxScene there")
	}
	if err := os.MkdirAll("/data", 0o755); err != nil {
		t.Fatal(err)
	}
	set := func(path, context string) {
		t.Helper()
		if err := unix.Setxattr(path, "security.selinux", []byte(context), 0); err != nil {
			t.Fatal(path, err)
		}
	}
	set("/data", "system_u:object_r:container_file_t:s0")
	for name, context := range map[string]string{"own": "system_u:object_r:container_file_t:s0:c338,c794", "other": "system_u:object_r:container_file_t:s0:c1,c2", "key": "system_u:object_r:shadow_t:s0"} {
		p := filepath.Join("/data", name)
		if err := os.WriteFile(p, []byte("file\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		os.Chmod(p, 0o666)
		set(p, context)
	}
	enforce := func(v string) {
		t.Helper()
		if err := os.WriteFile("/sys/fs/selinux/enforce", []byte(v), 0); err != nil {
			t.Fatal(err)
		}
	}
	enforce("1")
	defer enforce("0")
	os.WriteFile("/proc/sys/kernel/printk_ratelimit", []byte("0"), 0)
	defer func() {
		if b := make([]byte, 1<<18); t.Failed() {
			n, _ := unix.Klogctl(3, b)
			for line := range strings.SplitSeq(string(b[:n]), "\n") {
				if strings.Contains(line, "avc:") && strings.Contains(line, "container_t") {
					t.Log(line)
				}
			}
		}
	}()
	for _, c := range []struct{ call, errno, why string }{
		{`open("/data/own", O_RDONLY)`, "", "a rule, and the same categories"},
		{`open("/data/other", O_RDONLY)`, "EACCES", "MCS: the type may be read, the categories differ"},
		{`open("/data/key", O_RDONLY)`, "EACCES", "TE: no rule"},
		{`stat("/data/other", 0x1)`, "", "the constraint is not about getattr"},
		{`stat("/data/key", 0x1)`, "EACCES", "TE, and no record"},
	} {
		cmd := exec.Command(os.Args[0], "run", "-f", filepath.Join(example, "pod.yaml"), "--rootfs", "embedded", "--host-root", "/", "--node", filepath.Join(example, "node.yaml"), "--policy", "/sys/fs/selinux/policy", "-o", "json", "--perform", c.call)
		cmd.Env = append(os.Environ(), "STORY_MAIN=1")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		cmd.Run()
		var got struct {
			Agree                *bool
			Predicted, Performed struct {
				Verdict, Errno string
				DecidedBy      string
			}
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Errorf("%s: %v\n%s%s", c.call, err, out.String(), errs.String())
			continue
		}
		if got.Agree == nil || !*got.Agree || got.Predicted.Errno != c.errno || got.Performed.Errno != c.errno {
			t.Errorf("%s (%s): %+v, want %q\n%s", c.call, c.why, got, c.errno, errs.String())
		}
	}
}

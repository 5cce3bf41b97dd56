package oci

import (
	"os/exec"
	"strings"
	"testing"

	"syscallstory/kernel"
	"syscallstory/world"
)

const config = `{
	"ociVersion": "1.2.0", "hooks": {"x": [1, {"y": null}]},
	"process": {"noNewPrivileges": true, "capabilities": {"bounding": ["CAP_CHOWN",
		"CAP_KILL"], "effective": []}},
	"linux": {"namespaces": [],
		"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}, "x": 1}
}`

func TestParse(t *testing.T) {
	b, err := Parse("config.json", []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	if b.Version != "1.2.0" || !b.NoNewPrivs || b.Bounding != world.Caps(kernel.CapChown, kernel.CapKill) {
		t.Errorf("%+v", b)
	}
	if want := `{"defaultAction": "SCMP_ACT_ALLOW"}`; strings.TrimSpace(string(b.Seccomp)) != want || strings.Count(string(b.Seccomp), "\n") != 5 || strings.Index(string(b.Seccomp[strings.LastIndex(string(b.Seccomp), "\n"):]), "{") != 14 {
		t.Errorf("%q", b.Seccomp)
	}
}

func TestParseBad(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{``, "c:1:1: the file ends too early"},
		{`[]`, "c:1:1: config.json: an object is expected"},
		{"{\n\"ociVersion\": \"1.0.2\",", "c:2:23: the file ends too early"},
		{`{"process": 1}`, "c:1:11: process: an object is expected"},
		{`{}`, "c:1:1: it has no ociVersion: an OCI bundle's config.json is expected"},
		{"{\"ociVersion\": \"1.0.2\",\n\"process\": {\"capabilities\": {\"bounding\": [\"CAP_X\"]}}}", "c:2:44: unknown capability \"CAP_X\""},
		{`{"ociVersion": 1}`, "c:1:16: a number is not expected here"},
		{`{"ociVersion": "1.0.2"} x`, "c:1:25: something follows the configuration"},
	} {
		if _, err := Parse("c", []byte(c.text)); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
	}
	if _, err := Parse("c", make([]byte, MaxConfig+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a large file: %v", err)
	}
}

// TestRuntimesOwn: what runc and crun write for a new bundle is read.
func TestRuntimesOwn(t *testing.T) {
	for _, runtime := range []string{"runc", "crun"} {
		if _, err := exec.LookPath(runtime); err != nil {
			t.Skip(err)
		}
		dir := t.TempDir()
		cmd := exec.Command(runtime, "spec")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		text, err := exec.Command("cat", dir+"/config.json").Output()
		if err != nil {
			t.Fatal(err)
		}
		if b, err := Parse("config.json", text); err != nil || b.Version == "" || b.Bounding == 0 {
			t.Errorf("%s: %+v, %v", runtime, b, err)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(config))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := Parse("c", text)
		if err == nil && b.Seccomp != nil && len(b.Seccomp) > len(text) {
			t.Errorf("%d bytes of %d", len(b.Seccomp), len(text))
		}
	})
}

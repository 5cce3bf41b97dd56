package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"syscallstory/story"
)

const header = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: c\n    image: i\n"

// tell runs story on a manifest and returns its exit code and what it printed.
func tell(t *testing.T, manifest string, args ...string) (int, string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(append([]string{"explain", "-f", "-", "--rootfs", "embedded", "--host-root", "../../examples/node/root", "--node", "../../examples/node/node.yaml"}, args...), strings.NewReader(manifest), &out, &errs)
	return code, out.String(), errs.String()
}

// TestGates has calls of one Pod decided by one gate after another.
func TestGates(t *testing.T) {
	volume := "    volumeMounts:\n    - {name: v, mountPath: /test-pd%RO%}\n  volumes:\n  - name: v\n    hostPath: {path: /data, type: %TYPE%}\n"
	pod := func(security, ro, typ string) string {
		return header + security + strings.NewReplacer("%RO%", ro, "%TYPE%", typ).Replace(volume)
	}
	drop := "    securityContext: {capabilities: {drop: [ALL]}}\n"
	for name, c := range map[string]struct {
		manifest, call       string
		verdict, gate, errno string
		exit                 int
	}{
		"seccomp":                        {pod("    securityContext: {seccompProfile: {type: Localhost, localhostProfile: example-explorer-profile.json}}\n", "", "Directory"), `mkdir("/x", 0700)`, "denied", "seccomp", "EPERM", 1},
		"missing in the mount namespace": {pod("", "", "Directory"), `open("/data/file.log", O_RDONLY)`, "denied", "lookup", "ENOENT", 1},
		"read-only mount":                {pod("", ", readOnly: true", "Directory"), `open("/test-pd/file.log", O_WRONLY)`, "denied", "mount", "EROFS", 1},
		"mode bits":                      {pod(drop, "", "Directory"), `open("/test-pd/file.log", O_WRONLY)`, "denied", "dac", "EACCES", 1},
		"mode bits before a plain EROFS": {pod(drop, ", readOnly: true", "Directory"), `open("/test-pd/file.log", O_WRONLY)`, "denied", "dac", "EACCES", 1},
		"with O_TRUNC EROFS comes first": {pod(drop, ", readOnly: true", "Directory"), `open("/test-pd/file.log", O_WRONLY|O_TRUNC)`, "denied", "mount", "EROFS", 1},
		"CAP_DAC_OVERRIDE":               {pod("", "", "Directory"), `open("/test-pd/file.log", O_WRONLY)`, "allowed", "", "", 0},
		"copy-up":                        {pod("", "", "Directory"), `open("/etc/passwd", O_WRONLY)`, "allowed", "", "", 0},
		"kubelet's type check":           {pod("", "", "File"), `open("/test-pd/file.log", O_RDONLY)`, "denied", "mount", "", 1},
		"no route":                       {pod("", "", "Directory"), `ustat(0x801, 0x1000)`, "undetermined", "", "", 3},
	} {
		code, out, errs := tell(t, c.manifest, "-o", "json", c.call)
		var s story.Story
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Errorf("%s: %v %s", name, err, errs)
			continue
		}
		str := func(p *string) string {
			if p == nil {
				return ""
			}
			return *p
		}
		if s.Verdict != c.verdict || str(s.DecidedBy) != c.gate || str(s.Errno) != c.errno || code != c.exit {
			t.Errorf("%s: %s by %q %q, exit %d; want %s by %q %q, exit %d", name, s.Verdict, str(s.DecidedBy), str(s.Errno), code, c.verdict, c.gate, c.errno, c.exit)
		}
		if name == "copy-up" && (len(s.Effects) != 1 || s.Effects[0].Kind != "copied-up" || *s.Effects[0].Bytes != 30) {
			t.Errorf("copy-up: effects %+v", s.Effects)
		}
	}
}

// TestBadInput expects one clear error and exit code 2.
func TestBadInput(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i < 'k'; i++ {
		bomb += string(i) + ": &" + string(i) + " [" + strings.Repeat("*"+string(i-1)+",", 8) + "*" + string(i-1) + "]\n"
	}
	for name, c := range map[string]struct{ manifest, want string }{
		"malformed":              {"kind: [", "malformed YAML"},
		"empty":                  {"", "there is no document"},
		"unknown field":          {header + "    volumeMount: []\n", `<stdin>:8:5: unknown field "volumeMount" in spec.containers[0]; did you mean "volumeMounts"?`},
		"wrong kind":             {"kind: Service\n", "kind Service has no pod template"},
		"two containers":         {header + "  - name: d\n", "there are 2 containers, name one with -c: c, d"},
		"mount without volume":   {header + "    volumeMounts: [{name: v, mountPath: /x}]\n", `there is no volume "v"`},
		"relative mountPath":     {header + "    volumeMounts: [{name: v, mountPath: x}]\n  volumes: [{name: v, emptyDir: {medium: Memory}}]\n", `mountPath "x" is not absolute`},
		"missing profile":        {header + "    securityContext: {seccompProfile: {type: Localhost, localhostProfile: none.json}}\n", "the profile none.json cannot be read"},
		"alias bomb":             {bomb + "kind: Pod\nmetadata: {annotations: *j}\n", "unknown field"},
		"alias bomb in a value":  {"kind: Pod\nmetadata:\n  annotations:\n" + indent(bomb), "string is expected, not a list"},
		"too large":              {strings.Repeat("x", 10<<20), "at most 4194304 are read"},
		"unknown capability":     {header + "    securityContext: {capabilities: {add: [SYS_ADMN]}}\n", "unknown capability SYS_ADMN"},
		"a string for a boolean": {header + "    securityContext: {privileged: \"yes\"}\n", "true or false is expected"},
	} {
		code, out, errs := tell(t, c.manifest, `open("/x", O_RDONLY)`)
		if code != 2 || out != "" || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit %d, %q, want %q", name, code, errs, c.want)
		}
	}
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ") + "\n"
}

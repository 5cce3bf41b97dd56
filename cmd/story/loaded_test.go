package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"syscallstory/syscalls"
)

// bundleWith writes an OCI bundle whose container has a seccomp profile, from what the runtime's own `spec` prints.
func bundleWith(t *testing.T, runtime, profile string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rootfs", "true"), nil, 0o755); err != nil { // it is never started
		t.Fatal(err)
	}
	cmd := exec.Command(runtime, "spec")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s spec: %v: %s", runtime, err, out)
	}
	path := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	process, linux := c["process"].(map[string]any), c["linux"].(map[string]any)
	process["terminal"], process["noNewPrivileges"], process["args"] = false, false, []string{"/true"}
	linux["seccomp"] = json.RawMessage(profile)
	linux["namespaces"] = []map[string]string{{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}}
	delete(linux, "resources")
	c["mounts"] = []map[string]string{{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}}
	c["ociVersion"] = "1.0.2"
	text, _ = json.Marshal(c)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// created makes a container without starting it and returns its process: its filter is loaded by then.
func created(t *testing.T, runtime, bundle string) string {
	t.Helper()
	root := t.TempDir()
	// crun 1.8 refuses a hybrid cgroup hierarchy: where there is one it sees the older half only.
	shell := func(cmd string) ([]byte, error) {
		return exec.Command("unshare", "-m", "sh", "-c", "umount /sys/fs/cgroup/unified 2>/dev/null; cd "+bundle+" && exec "+runtime+" --root "+root+" "+cmd+" </dev/null >err 2>&1").CombinedOutput()
	}
	name := fmt.Sprintf("story-test-%d", os.Getpid())
	t.Cleanup(func() { shell("delete -f " + name) })
	if _, err := shell("create --bundle . --pid-file pid " + name); err != nil {
		text, _ := os.ReadFile(filepath.Join(bundle, "err"))
		t.Fatalf("%s create: %v: %s", runtime, err, text)
	}
	pid, err := os.ReadFile(filepath.Join(bundle, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(pid))
}

var versionLine = regexp.MustCompile(`version (\d+\.\d+[.\d]*)`)

// TestKernelLoaded: what is said of a runtime is what it has loaded into a container, for every number and argument.
func TestKernelLoaded(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("starting containers with runc and crun needs root")
	}
	allow := func(names, more string) string {
		return `{"names": [` + names + `], "action": "SCMP_ACT_ALLOW"` + more + `}`
	}
	profile := func(def, arches, rules string) string {
		return `{"defaultAction": "SCMP_ACT_` + def + `", "architectures": [` + arches + `], "syscalls": [` + rules + `]}`
	}
	// What a runtime's own process may need between the filter and the command: all but the calls that the profiles speak of.
	var list []string
	for nr, name := range syscalls.All(syscalls.X8664) {
		if special := []string{"socket", "connect", "bind", "semget", "shmat", "mount", "acct", "bpf", "setxattrat", "statmount", "lseek", "ftruncate", "fchown", "unshare"}; nr < 440 && !slices.Contains(special, name) {
			list = append(list, strconv.Quote(name))
		}
	}
	needs := strings.Join(list, ", ")
	const all = `"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"`
	masked := `, "args": [{"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 2080505856, "valueTwo": 0}]`
	profiles := map[string]string{
		"x86_64 alone":           profile("ERRNO", `"SCMP_ARCH_X86_64"`, allow(needs, "")),
		"three ABIs":             profile("ERRNO", all, allow(needs, "")+","+allow(`"unshare"`, masked)),
		"x32 alone beside":       profile("ERRNO", `"SCMP_ARCH_X86_64", "SCMP_ARCH_X32"`, allow(needs, "")),
		"no architecture":        profile("ERRNO", "", allow(needs, "")),
		"ENOSYS by default":      strings.Replace(profile("ERRNO", all, allow(needs, "")+`,{"names": ["mount", "acct"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}`), "{", `{"defaultErrnoRet": 38, `, 1),
		"allowed by default":     profile("ALLOW", all, `{"names": ["mount", "bpf", "setxattrat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}`),
		"logged by default":      profile("LOG", all, `{"names": ["mount", "statmount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}`),
		"rules like the default": profile("ERRNO", all, allow(needs, "")+`,{"names": ["statmount", "bpf"], "action": "SCMP_ACT_ERRNO"}`),
		"sockets":                profile("ERRNO", all, allow(needs, "")+","+allow(`"socket", "connect", "semget"`, `, "args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": 2}]`)+","+allow(`"bind", "shmat"`, "")),
		"every operator": profile("ERRNO", all, allow(needs, "")+","+allow(`"lseek"`, `, "args": [{"index": 1, "op": "SCMP_CMP_GT", "value": 4294967295}, {"index": 2, "op": "SCMP_CMP_LE", "value": 2}]`)+
			","+allow(`"ftruncate"`, `, "args": [{"index": 1, "op": "SCMP_CMP_LT", "value": 8589934593}]`)+","+allow(`"fchown"`, `, "args": [{"index": 1, "op": "SCMP_CMP_NE", "value": 0}, {"index": 2, "op": "SCMP_CMP_GE", "value": 7}]`)),
		"a limit on what is allowed":     profile("ERRNO", all, allow(needs, "")+","+allow(`"lseek"`, "")+`,{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5, "args": [{"index": 2, "op": "SCMP_CMP_EQ", "value": 4}]}`),
		"a limit before what is allowed": profile("ERRNO", all, allow(needs, "")+`,{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5, "args": [{"index": 2, "op": "SCMP_CMP_EQ", "value": 4}]},`+allow(`"lseek"`, "")),
		"allowed and refused":            profile("ERRNO", all, allow(needs+`, "lseek"`, "")+`,{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}`),
		"refused and allowed":            profile("ERRNO", all, `{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5},`+allow(needs+`, "lseek"`, "")),
		"two conditions on one argument": profile("ERRNO", all, allow(needs, "")+","+allow(`"lseek"`, `, "args": [{"index": 1, "op": "SCMP_CMP_LT", "value": 5}, {"index": 1, "op": "SCMP_CMP_GT", "value": 9}]`)),
	}
	overlap := filepath.Join(t.TempDir(), "overlap.json")
	text := profile("ALLOW", all, `
		{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5, "args": [{"index": 2, "op": "SCMP_CMP_LE", "value": 4}]},
		{"names": ["lseek"], "action": "SCMP_ACT_KILL", "args": [{"index": 1, "op": "SCMP_CMP_EQ", "value": 3}]}`)
	if err := os.WriteFile(overlap, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	if code := run([]string{"seccomp", "compile", overlap, "--runtime", "runc"}, nil, &errs, &errs); code != exitUndetermined || !strings.Contains(errs.String(), "lseek: the rules of lines 2 and 3 match the same calls") {
		t.Errorf("rules that overlap: exit %d, %s", code, errs.String())
	}
	for _, runtime := range []string{"runc", "crun"} {
		out, err := exec.Command(runtime, "--version").Output()
		if err != nil {
			t.Skipf("%s is not installed: %v", runtime, err)
		}
		v := versionLine.FindStringSubmatch(string(out))
		if v == nil {
			t.Fatalf("%s", out)
		}
		// Debian's libseccomp 2.5.4 has the table of 2.5.5.
		as := runtime + "@" + v[1] + "+2.5.5"
		for name, text := range profiles {
			t.Run(runtime+"/"+name, func(t *testing.T) {
				bundle := bundleWith(t, runtime, text)
				pid := created(t, runtime, bundle)
				file := filepath.Join(bundle, "profile.json")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				var got, errs bytes.Buffer
				if code := run([]string{"seccomp", "diff", file, "pid:" + pid, "--runtime", as, "--offline"}, strings.NewReader(""), &got, &errs); code != 0 {
					t.Errorf("%s: exit %d: %s\n%s", as, code, errs.String(), got.String())
				}
			})
		}
	}
}

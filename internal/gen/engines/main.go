// Command engines writes the default seccomp profiles of container engines, by engine and version, from the engines' own Go
// modules:
//
//	cd internal/gen/engines && go run . -o ../../../seccomp/engines/data
//
// It is a module of its own, because story needs none of what it downloads. Docker's and containers/common's profiles are taken as they lie in
// the modules. containerd's is a Go function of the spec, the architecture and the kernel: it is run for many of them, and the profile with
// includes and excludes that gives the same rules is written, checked against it for random sets of capabilities.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// versions of each engine that the module proxy holds, ascending.
var versions = []struct {
	engine, module string
	list           []string
}{
	{"docker", "github.com/docker/docker", []string{"20.10.5", "20.10.14", "20.10.24", "20.10.27", "23.0.3", "24.0.4", "24.0.9", "25.0.0", "25.0.6", "26.1.3", "27.0.3", "27.3.1", "27.5.0", "28.0.1", "28.2.2", "28.3.3", "28.5.2"}},
	{"containerd", "github.com/containerd/containerd", []string{"1.5.1", "1.5.8", "1.6.1", "1.6.8", "1.6.19", "1.6.36", "1.7.2", "1.7.6", "1.7.11", "1.7.18", "1.7.24", "1.7.29", "1.7.35"}},
	{"containerd", "github.com/containerd/containerd/v2", []string{"2.0.13", "2.1.3", "2.1.9", "2.2.1", "2.2.9", "2.3.4", "2.3.7", "2.4.2"}},
	{"podman", "github.com/containers/podman/v4", []string{"4.3.1", "4.4.4", "4.5.1", "4.6.2", "4.7.2", "4.8.3", "4.9.5"}},
	{"podman", "github.com/containers/podman/v5", []string{"5.0.3", "5.1.2", "5.2.5", "5.3.2", "5.4.2", "5.5.2", "5.6.2", "5.7.0"}},
	{"cri-o", "github.com/cri-o/cri-o", []string{"1.34.0"}},
}

// entry is a line of the index.
type entry struct {
	Engine string `json:"engine"`
	From   string `json:"from"` // the first version for which the file was seen
	To     string `json:"to"`   // the last
	File   string `json:"file"`
	Source string `json:"source"` // module@version and path
}

func main() {
	out := flag.String("o", "", "directory to write")
	flag.Parse()
	if err := os.MkdirAll(*out, 0o755); err != nil {
		log.Fatal(err)
	}
	written := map[string]string{} // text to file
	var index []entry
	for _, v := range versions {
		for _, version := range v.list {
			text, source, err := profile(v.engine, v.module, version)
			if err != nil {
				log.Printf("%s %s: left out: %v", v.engine, version, err)
				continue
			}
			file, known := written[string(text)]
			if !known {
				file = v.engine + "-" + version + ".json"
				written[string(text)] = file
				if err := os.WriteFile(filepath.Join(*out, file), text, 0o644); err != nil {
					log.Fatal(err)
				}
			}
			if n := len(index); n > 0 && index[n-1].Engine == v.engine && index[n-1].File == file {
				index[n-1].To = version
				continue
			}
			index = append(index, entry{v.engine, version, version, file, source})
			log.Printf("%s %s: %s", v.engine, version, file)
		}
	}
	text, _ := json.MarshalIndent(index, "", "\t")
	if err := os.WriteFile(filepath.Join(*out, "index.json"), append(text, '\n'), 0o644); err != nil {
		log.Fatal(err)
	}
}

// module downloads a module and returns its directory.
func module(path, version string) (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", path+"@"+version)
	cmd.Dir = os.TempDir()
	text, err := cmd.Output()
	var m struct{ Dir, Error string }
	if e := json.Unmarshal(text, &m); e != nil {
		return "", fmt.Errorf("%v: %v", err, e)
	}
	if m.Error != "" {
		return "", fmt.Errorf("%s", m.Error)
	}
	return m.Dir, nil
}

// profile returns the default profile of an engine's version.
func profile(engine, path, version string) (text []byte, source string, err error) {
	full := "v" + version
	if engine == "docker" {
		full += "+incompatible"
	}
	if engine == "podman" || engine == "cri-o" {
		return common(path, full)
	}
	dir, err := module(path, full)
	if err != nil {
		return nil, "", err
	}
	file := "profiles/seccomp/default.json"
	if engine == "containerd" {
		file = "contrib/seccomp/seccomp_default.go"
		text, err = containerd(filepath.Join(dir, file))
	} else if text, err = os.ReadFile(filepath.Join(dir, file)); os.IsNotExist(err) {
		return vendored(dir)
	}
	return text, path + "@" + full + "/" + file, err
}

var profilesLine = regexp.MustCompile(`(?m)^\s*(github\.com/moby/profiles/seccomp) (v\S+)`)

// vendored returns the profile of the module that newer releases of Docker take it from.
func vendored(dir string) ([]byte, string, error) {
	mod, err := os.ReadFile(filepath.Join(dir, "vendor.mod"))
	if err != nil {
		return nil, "", err
	}
	m := profilesLine.FindStringSubmatch(string(mod))
	if m == nil {
		return nil, "", fmt.Errorf("it has no profile and requires no module with one")
	}
	if dir, err = module(m[1], m[2]); err != nil {
		return nil, "", err
	}
	text, err := os.ReadFile(filepath.Join(dir, "default.json"))
	return text, m[1] + "@" + m[2] + "/default.json", err
}

var commonLine = regexp.MustCompile(`(?m)^\s*(?:require )?((?:github\.com/containers|go\.podman\.io)/common) (v\S+)`)

// common returns the profile of the containers/common that an engine requires.
func common(path, version string) ([]byte, string, error) {
	dir, err := module(path, version)
	if err != nil {
		return nil, "", err
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil, "", err
	}
	m := commonLine.FindStringSubmatch(string(mod))
	if m == nil {
		return nil, "", fmt.Errorf("it requires no containers/common")
	}
	if dir, err = module(m[1], m[2]); err != nil {
		return nil, "", err
	}
	const file = "pkg/seccomp/seccomp.json"
	text, err := os.ReadFile(filepath.Join(dir, file))
	return text, m[1] + "@" + m[2] + "/" + file, err
}

// config is what containerd's function was run with, and the rules that it gave.
type config struct {
	Arch   string
	Recent bool // the kernel is 4.8 or newer
	Caps   []string
	Result struct {
		DefaultAction string            `json:"defaultAction"`
		DefaultErrno  *uint             `json:"defaultErrnoRet"`
		Architectures []string          `json:"architectures"`
		Syscalls      []json.RawMessage `json:"syscalls"`
	}
}

// containerd runs the function of a source file, and writes it as a profile.
func containerd(file string) ([]byte, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "engines")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	src = regexp.MustCompile(`"github\.com/containerd/containerd(/v2)?/\S*kernelversion"`).ReplaceAll(src, []byte(`"run/kernelversion"`))
	src = bytes.Replace(src, []byte("\t\"runtime\"\n"), []byte("\t\"run/runtime\"\n"), 1)
	src = regexp.MustCompile(`(?m)^//( \+build|go:build).*$`).ReplaceAll(src, nil)
	src = bytes.Replace(src, []byte("\npackage seccomp\n"), []byte("\npackage main\n"), 1)
	for name, text := range map[string]string{"profile.go": string(src), "go.mod": "module run\n\ngo 1.24\n\nrequire (\n\tgithub.com/opencontainers/runtime-spec v1.2.1\n\tgolang.org/x/sys v0.30.0\n)\n",
		"runtime/runtime.go": "package runtime\n\nvar GOARCH string\n", "kernelversion/version.go": kernelversion, "main.go": runner} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command("go", "run", "-mod=mod", ".")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var all []config
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	return conditional(all)
}

const kernelversion = `package kernelversion

type KernelVersion struct{ Kernel, Major uint64 }

var Recent bool

func GreaterEqualThan(v KernelVersion) (bool, error) {
	if v.Kernel != 4 || v.Major != 8 {
		panic("another kernel than 4.8 counts")
	}
	return Recent, nil
}
`

// runner is the program that runs the function: without capabilities, with each, and with random sets.
const runner = `package main

import (
	"encoding/json"
	"math/rand"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"

	"run/kernelversion"
	"run/runtime"
)

var caps = []string{"CAP_AUDIT_CONTROL", "CAP_AUDIT_READ", "CAP_AUDIT_WRITE", "CAP_BLOCK_SUSPEND", "CAP_BPF", "CAP_CHECKPOINT_RESTORE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_IPC_LOCK",
	"CAP_IPC_OWNER", "CAP_KILL", "CAP_LEASE", "CAP_LINUX_IMMUTABLE", "CAP_MAC_ADMIN", "CAP_MAC_OVERRIDE", "CAP_MKNOD", "CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_RAW", "CAP_PERFMON", "CAP_SETFCAP", "CAP_SETGID",
	"CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_CHROOT", "CAP_SYS_MODULE", "CAP_SYS_NICE", "CAP_SYS_PACCT", "CAP_SYS_PTRACE", "CAP_SYS_RAWIO", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_SYSLOG", "CAP_WAKE_ALARM"}

func main() {
	type config struct {
		Arch   string
		Recent bool
		Caps   []string
		Result *specs.LinuxSeccomp
	}
	var all []config
	sets := [][]string{{}}
	for _, c := range caps {
		sets = append(sets, []string{c})
	}
	for range 40 {
		var s []string
		for _, c := range caps {
			if rand.Intn(2) == 0 {
				s = append(s, c)
			}
		}
		sets = append(sets, s)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		for _, recent := range []bool{true, false} {
			for _, s := range sets {
				runtime.GOARCH, kernelversion.Recent = arch, recent
				sp := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: s}}}
				all = append(all, config{arch, recent, s, DefaultProfile(sp)})
			}
		}
	}
	json.NewEncoder(os.Stdout).Encode(all)
}
`

// condition is a rule's includes or excludes.
type condition struct {
	Caps      []string `json:"caps,omitempty"`
	Arches    []string `json:"arches,omitempty"`
	MinKernel string   `json:"minKernel,omitempty"`
}

func (c condition) empty() bool { return len(c.Caps) == 0 && len(c.Arches) == 0 && c.MinKernel == "" }

type rule struct {
	text               string
	includes, excludes condition
}

func (r rule) holds(c config) bool {
	return (r.includes.MinKernel == "" || c.Recent) && (len(r.includes.Arches) == 0 || slices.Contains(r.includes.Arches, c.Arch)) &&
		!slices.ContainsFunc(r.includes.Caps, func(x string) bool { return !slices.Contains(c.Caps, x) }) &&
		!slices.ContainsFunc(r.excludes.Caps, func(x string) bool { return slices.Contains(c.Caps, x) })
}

// conditional finds the conditions under which each rule is there.
func conditional(all []config) ([]byte, error) {
	has := func(c config, text string) bool {
		return slices.ContainsFunc(c.Result.Syscalls, func(x json.RawMessage) bool { return string(x) == text })
	}
	var order []string
	for _, c := range all {
		for _, x := range c.Result.Syscalls {
			if !slices.Contains(order, string(x)) {
				order = append(order, string(x))
			}
		}
	}
	var rules []rule
	for _, text := range order {
		where := func(match func(config) bool) bool {
			return slices.ContainsFunc(all, func(c config) bool { return match(c) && has(c, text) })
		}
		base := rule{text: text}
		for _, arch := range []string{"amd64", "arm64"} {
			if where(func(c config) bool { return c.Arch == arch }) {
				base.includes.Arches = append(base.includes.Arches, arch)
			}
		}
		if len(base.includes.Arches) == 2 {
			base.includes.Arches = nil
		}
		if !where(func(c config) bool { return !c.Recent }) {
			base.includes.MinKernel = "4.8"
		}
		if where(func(c config) bool { return len(c.Caps) == 0 }) {
			for _, c := range all {
				if len(c.Caps) == 1 && base.holds(c) && !has(c, text) {
					base.excludes.Caps = append(base.excludes.Caps, c.Caps[0])
				}
			}
			rules = append(rules, base)
			continue
		}
		var seen []string
		for _, c := range all {
			if len(c.Caps) == 1 && has(c, text) && !slices.Contains(seen, c.Caps[0]) {
				seen = append(seen, c.Caps[0])
				r := base
				r.includes.Caps = []string{c.Caps[0]}
				rules = append(rules, r)
			}
		}
	}
	for _, c := range all {
		want := map[string]bool{}
		for _, x := range c.Result.Syscalls {
			want[string(x)] = true
		}
		got := map[string]bool{}
		for _, r := range rules {
			if r.holds(c) {
				got[r.text] = true
			}
		}
		for text := range want {
			if !got[text] {
				return nil, fmt.Errorf("%s, recent %v, %v: the rule %s is missing", c.Arch, c.Recent, c.Caps, text)
			}
		}
		for text := range got {
			if !want[text] {
				return nil, fmt.Errorf("%s, recent %v, %v: the rule %s is too much", c.Arch, c.Recent, c.Caps, text)
			}
		}
	}
	return write(all[0], rules)
}

// write gives the profile Docker's form.
func write(c config, rules []rule) ([]byte, error) {
	type sub struct {
		Architecture     string   `json:"architecture"`
		SubArchitectures []string `json:"subArchitectures"`
	}
	out := map[string]any{"defaultAction": c.Result.DefaultAction,
		"archMap": []sub{{"SCMP_ARCH_X86_64", []string{"SCMP_ARCH_X86", "SCMP_ARCH_X32"}}, {"SCMP_ARCH_AARCH64", []string{"SCMP_ARCH_ARM"}}}}
	if c.Result.DefaultErrno != nil {
		out["defaultErrnoRet"] = *c.Result.DefaultErrno
	}
	var list []map[string]any
	for _, r := range rules {
		var m map[string]any
		dec := json.NewDecoder(strings.NewReader(r.text))
		dec.UseNumber()
		if err := dec.Decode(&m); err != nil {
			return nil, err
		}
		if !r.includes.empty() {
			m["includes"] = r.includes
		}
		if !r.excludes.empty() {
			m["excludes"] = r.excludes
		}
		list = append(list, m)
	}
	out["syscalls"] = list
	text, err := json.MarshalIndent(out, "", "\t")
	return append(text, '\n'), err
}

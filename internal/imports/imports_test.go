// Package imports holds the repository's import rules, as a test.
package imports

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "syscallstory/"

var mechanisms = []string{"seccomp", "namei", "mount", "cred", "lsm", "selinux", "overlay"}

// base is what every mechanism may import beside the standard library.
var base = []string{"story", "syscalls", "kernel", "world", "check"}

// rules say which of the module's packages a package may import, and why.
var rules = map[string]struct {
	allowed []string
	why     string
}{
	"story":       {nil, "a view or a program that only reads stories must not inherit anything"},
	"syscalls":    {base[:1], "the tables stand alone"},
	"kernel":      {base[:1], "releases stand alone"},
	"world":       {base[:3], "facts know no mechanism"},
	"check":       {base[:4], "the spine knows no mechanism"},
	"seccomp":     {base, "mechanisms are joined in vfs only"},
	"namei":       {base, "mechanisms are joined in vfs only"},
	"mount":       {base, "mechanisms are joined in vfs only"},
	"cred":        {base, "mechanisms are joined in vfs only"},
	"lsm":         {base, "mechanisms are joined in vfs only"},
	"overlay":     {base, "mechanisms are joined in vfs only"},
	"selinux":     {nil, "a policy is read and asked without a world"},
	"render/text": {base[:1], "a view sees the story alone"},
}

type pkg struct {
	ImportPath    string
	Imports, Deps []string
}

func list(t *testing.T) []pkg {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// violations applies the rules to one package.
func violations(p pkg) []string {
	var out []string
	name := strings.TrimPrefix(p.ImportPath, module)
	rule, ruled := rules[name]
	for _, imp := range p.Imports {
		own, isOwn := strings.CutPrefix(imp, module)
		switch {
		case ruled && isOwn && !slices.Contains(rule.allowed, own):
			out = append(out, name+" imports "+own+": "+rule.why)
		case ruled && !isOwn && strings.Contains(strings.Split(imp, "/")[0], "."):
			out = append(out, name+" imports "+imp+": it has no dependencies outside the standard library")
		case strings.HasPrefix(name, "from/") && isOwn && slices.Contains(mechanisms, own):
			out = append(out, name+" imports "+own+": an input builds facts and sees no mechanism")
		case strings.HasPrefix(imp, "k8s.io/") && name != "from/pod":
			out = append(out, name+" imports "+imp+": Kubernetes' types stay in from/pod")
		}
	}
	for _, dep := range p.Deps {
		if slices.Contains(mechanisms, name) && (dep == "net/http" || strings.HasPrefix(dep, "k8s.io/")) {
			out = append(out, name+" inherits "+dep+": a library user of a mechanism must not")
		}
	}
	return out
}

func TestImports(t *testing.T) {
	met := 0
	for _, p := range list(t) {
		if _, ok := rules[strings.TrimPrefix(p.ImportPath, module)]; ok {
			met++
		}
		for _, v := range violations(p) {
			t.Error(v)
		}
	}
	if met != len(rules) {
		t.Errorf("%d of %d ruled packages were found", met, len(rules))
	}
}

func TestViolations(t *testing.T) {
	for _, p := range []pkg{
		{ImportPath: module + "cred", Imports: []string{module + "namei"}},
		{ImportPath: module + "story", Imports: []string{module + "kernel"}},
		{ImportPath: module + "from/pod", Imports: []string{module + "overlay"}},
		{ImportPath: module + "explain", Imports: []string{"k8s.io/api/core/v1"}},
		{ImportPath: module + "seccomp", Deps: []string{"net/http"}},
		{ImportPath: module + "kernel", Imports: []string{"golang.org/x/sys/unix"}},
	} {
		if v := violations(p); len(v) != 1 || !strings.Contains(v[0], ": ") {
			t.Errorf("%+v: %v, want one violation with its reason", p, v)
		}
	}
}

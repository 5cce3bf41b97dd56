package machine

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"syscallstory/lab/debian"
	"syscallstory/lab/image"
)

// policyPackages hold the policy: its modules, the sources of those that Debian does not ship built, and what builds them.
var policyPackages = []string{"selinux-policy-default", "selinux-policy-src", "selinux-policy-dev"}

// containerModules are built from Debian's sources.
var containerModules = []string{"container", "docker", "podman"}

//go:embed policy.cil
var ownRules string

// policyRecord lies beside the policy as policy.json: what it was made from.
type policyRecord struct {
	Packages []debian.Package `json:"packages"`
	Own      string           `json:"own"`
}

// Policy returns the path of Debian's policy with its modules for containers, and rules of the lab's own that let a first process
// without a label of its own start programs (policy.cil). It is built where it is not there.
func (l *Lab) Policy(ctx context.Context) (string, error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	file := filepath.Join(l.path("policy"), "policy.33")
	old := policyRecord{}
	if readJSON(filepath.Join(l.path("policy"), "policy.json"), &old) == nil && old.Own == ownRules {
		return file, nil
	}
	for _, program := range []string{"secilc", "make", "m4", "checkmodule", "semodule_package", "zstd", "bunzip2"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("building an SELinux policy: %w", err)
		}
	}
	r := policyRecord{Own: ownRules}
	if r.Packages, err = debian.Newest(ctx, policyPackages...); err != nil {
		return "", err
	}
	l.say("building Debian's SELinux policy with its modules for containers")
	return file, l.replace("policy", func(dir string) error { return l.buildPolicy(ctx, &r, dir) })
}

// buildPolicy builds the policy in a directory, of which only the policy stays.
func (l *Lab) buildPolicy(ctx context.Context, r *policyRecord, dir string) error {
	work := filepath.Join(dir, "work")
	defer os.RemoveAll(work)
	for _, sub := range []string{"src", "cil"} {
		if err := os.MkdirAll(filepath.Join(work, sub), 0o755); err != nil {
			return err
		}
	}
	debs, err := debian.Download(ctx, l.path("debs"), r.Packages...)
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if err := debian.Unpack(ctx, deb, work); err != nil {
			return err
		}
	}
	run := func(program string, args ...string) error {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Dir = work
		out, err := cmd.CombinedOutput()
		if err != nil {
			text := strings.TrimSpace(string(out))
			err = fmt.Errorf("building the SELinux policy: %s: %w: %s", program, err, text[max(0, len(text)-1000):])
		}
		return err
	}
	if err := run("tar", "--zstd", "-xf", "usr/src/selinux-policy-src.tar.zst", "--strip-components=1", "-C", "src"); err != nil {
		return err
	}
	share := filepath.Join(work, "usr/share/selinux")
	build := []string{"-s", "-f", filepath.Join(share, "devel/Makefile"), "SHAREDIR=" + share, "NAME=default"}
	for _, m := range containerModules {
		for _, ext := range []string{".te", ".fc"} {
			if err := os.Rename(filepath.Join(work, "src/policy/modules/services", m+ext), filepath.Join(work, m+ext)); err != nil {
				return err
			}
		}
		build = append(build, m+".pp")
	}
	if err := run("make", build...); err != nil {
		return err
	}
	shipped, err := filepath.Glob(filepath.Join(share, "default", "*.pp.bz2"))
	if err != nil || len(shipped) == 0 {
		return errors.Join(errors.New("the package selinux-policy-default has no modules"), err)
	}
	if err := run("bunzip2", shipped...); err != nil {
		return err
	}
	files := []string{filepath.Join(work, "cil", "own.cil")}
	if err := os.WriteFile(files[0], []byte(ownRules), 0o644); err != nil {
		return err
	}
	modules := make([]string, 0, len(shipped)+len(containerModules))
	for _, m := range shipped {
		modules = append(modules, strings.TrimSuffix(m, ".bz2"))
	}
	for _, m := range containerModules {
		modules = append(modules, filepath.Join(work, m+".pp"))
	}
	for _, m := range modules {
		to := filepath.Join(work, "cil", strings.TrimSuffix(filepath.Base(m), ".pp")+".cil")
		if err := run("/usr/libexec/selinux/hll/pp", m, to); err != nil {
			return err
		}
		files = append(files, to)
	}
	if err := run("secilc", append([]string{"-M", "true", "-c", "33", "-o", filepath.Join(dir, "policy.33"), "-f", os.DevNull}, files...)...); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "policy.json"), r)
}

// SELinux makes the spec that of a machine with SELinux and a policy, permissive when it starts.
func (s *Spec) SELinux(policy string) {
	s.Append = strings.TrimSpace(s.Append + " lsm=landlock,selinux,bpf selinux=1")
	s.Files = append(s.Files, image.File{Name: "etc/selinux/policy", Mode: 0o644, Source: policy})
}

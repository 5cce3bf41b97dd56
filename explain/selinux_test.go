package explain_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"syscallstory/explain"
	"syscallstory/kernel"
	"syscallstory/selinux"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// smallPolicy compiles the small policy of package selinux.
func smallPolicy(t *testing.T) *selinux.Policy {
	t.Helper()
	secilc, err := exec.LookPath("secilc")
	if err != nil {
		t.Skip("Debian's secilc is not installed")
	}
	out := filepath.Join(t.TempDir(), "policy.33")
	if text, err := exec.Command(secilc, "-N", "-c", "33", "-o", out, "-f", os.DevNull, "../selinux/testdata/every.cil").CombinedOutput(); err != nil {
		t.Fatalf("secilc: %v\n%s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	p, err := selinux.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSELinux: a container opens its own file, another container's, and one of the host, by the policy; what is not known stays
// unknown.
func TestSELinux(t *testing.T) {
	policy := smallPolicy(t)
	const task = "system_u:system_r:container_t:s0:c1,c2"
	type facts struct {
		task, own string // contexts; "-": not known
		enforcing int    // 0, 1, 2: not known
		engine    bool
		mount     string // context=, "-": not known
	}
	plain := facts{task, "system_u:object_r:container_file_t:s0:c1,c2", 1, true, ""}
	with := func(change func(*facts)) facts { f := plain; change(&f); return f }
	for name, tt := range map[string]struct {
		facts
		call, verdict, errno, words string
	}{
		"own":        {plain, `openat(AT_FDCWD, "/f", O_RDONLY)`, "allowed", "", "read, open: allowed"},
		"append":     {plain, `openat(AT_FDCWD, "/f", O_WRONLY|O_APPEND)`, "allowed", "", "append, open: allowed"},
		"stat":       {plain, `newfstatat(AT_FDCWD, "/f", {}, 0)`, "allowed", "", "getattr: allowed"},
		"categories": {with(func(f *facts) { f.own = "system_u:object_r:container_file_t:s0:c3" }), `openat(AT_FDCWD, "/f", O_RDONLY)`, "denied", "EACCES", "read is denied"},
		"stat of another level": {with(func(f *facts) { f.own = "system_u:object_r:container_file_t:s0:c3" }), `newfstatat(AT_FDCWD, "/f", {}, 0)`,
			"allowed", "", "getattr: allowed"},
		"type":          {with(func(f *facts) { f.own = "system_u:object_r:shadow_t:s0:c1" }), `openat(AT_FDCWD, "/f", O_RDONLY)`, "denied", "EACCES", "no AVC record tells of it"},
		"permissive":    {with(func(f *facts) { f.own = "system_u:object_r:shadow_t:s0"; f.enforcing = 0 }), `openat(AT_FDCWD, "/f", O_RDONLY)`, "allowed", "", "SELinux is permissive"},
		"enforcing?":    {with(func(f *facts) { f.own = "system_u:object_r:shadow_t:s0"; f.enforcing = 2 }), `openat(AT_FDCWD, "/f", O_RDONLY)`, "undetermined", "", "whether SELinux is enforcing is not known"},
		"task?":         {with(func(f *facts) { f.task = "level=s0:c1" }), `openat(AT_FDCWD, "/f", O_RDONLY)`, "undetermined", "", "the task's context is not one of the policy's"},
		"file?":         {with(func(f *facts) { f.own = "-" }), `openat(AT_FDCWD, "/f", O_RDONLY)`, "undetermined", "", "the file's context is not known"},
		"mount?":        {with(func(f *facts) { f.mount = "-" }), `openat(AT_FDCWD, "/f", O_RDONLY)`, "undetermined", "", "whether the filesystem was mounted with context= is not known"},
		"policy?":       {with(func(f *facts) { f.engine = false }), `openat(AT_FDCWD, "/f", O_RDONLY)`, "undetermined", "", ""},
		"context=":      {with(func(f *facts) { f.own = "-"; f.mount = "system_u:object_r:container_file_t:s0:c1" }), `openat(AT_FDCWD, "/f", O_RDONLY)`, "allowed", "", "read, open: allowed"},
		"chmod":         {plain, `chmod("/f", 0600)`, "denied", "EACCES", "setattr is denied"},
		"other calls":   {plain, `syslog(SYSLOG_ACTION_READ_ALL, 0x1000, 10)`, "undetermined", "", "syslog_read: allowed"},
		"new file":      {plain, `openat(AT_FDCWD, "/new", O_WRONLY|O_CREAT, 0644)`, "undetermined", "", "whether the task has asked for a context of new files is not known"},
		"mode is first": {with(func(f *facts) { f.own = "system_u:object_r:shadow_t:s0" }), `openat(AT_FDCWD, "/secret", O_RDONLY)`, "denied", "EACCES", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := world.New()
			at := w.Text("the test")
			sb := world.SB{Type: "ext4", Name: "host", At: at, FlagsAt: at}
			root := world.Inode{Mode: world.TypeDir | 0o777, Known: world.KnownAll | world.KnownContext, Context: "system_u:object_r:container_file_t:s0", Whole: true, At: at}
			f := world.Inode{Mode: world.TypeReg | 0o666, Known: world.KnownAll, At: at}
			if tt.own != "-" {
				f.Context, f.Known = tt.own, f.Known|world.KnownContext
			}
			if tt.mount != "-" {
				sb.Contexts = world.Given(world.MountContexts{Context: tt.mount}, at)
			}
			id := w.FS.NewSB(sb, root)
			w.FS.Add(w.FS.SB(id).Root, "f", f)
			f.Mode = world.TypeReg
			w.FS.Add(w.FS.SB(id).Root, "secret", f)
			m := w.Attach(world.Path{}, world.Mount{Root: w.FS.SB(id).Root, SB: id, Point: "/", Origin: at, Why: at})
			w.Task.Root = world.Path{Mount: m, Dentry: w.FS.SB(id).Root}
			w.Task.Cwd = w.Task.Root
			w.Task.Cred = world.Cred{UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at}
			w.Kernel, w.KernelAt = kernel.Release{Major: 6, Minor: 12}, at
			w.LSMs = world.Given([]string{"capability", "selinux"}, at)
			w.Task.NoFile, w.Task.OpenFDs, w.Task.FDsAt = world.Given(1024, at), world.Given(3, at), at
			w.Task.Labels = []world.Label{{Module: "selinux", Value: tt.task, At: at}}
			if tt.engine {
				w.SELinux = world.SELinux{Policy: world.Given(world.PolicyFile{Name: "every.cil"}, at), Engine: policy}
			}
			if tt.enforcing < 2 {
				w.SELinux.Enforcing = world.Given(tt.enforcing == 1, at)
			}
			j, err := explain.Bind(w, nil)
			if err != nil {
				t.Fatal(err)
			}
			call, err := syscalls.Parse(syscalls.X8664, tt.call)
			if err != nil {
				t.Fatal(err)
			}
			if end := j.Verdict(call); end.Verdict.String() != tt.verdict {
				t.Errorf("verdict %v, want %s", end.Verdict, tt.verdict)
			}
			s := j.Story(call)
			words := ""
			for _, e := range s.Steps {
				if e.LSM == "selinux" {
					words += e.Text + "\n"
				}
			}
			errno := ""
			if s.Errno != nil {
				errno = *s.Errno
			}
			if s.Verdict != tt.verdict || errno != tt.errno || !strings.Contains(words, tt.words) {
				t.Errorf("%s %s, want %s %s and %q in\n%s", s.Verdict, errno, tt.verdict, tt.errno, tt.words, words)
			}
			if name == "mode is first" && (s.DecidedBy == nil || *s.DecidedBy != story.DAC.String()) {
				t.Errorf("decided by %v, want dac", s.DecidedBy)
			}
		})
	}
}

package explain_test

import (
	"testing"

	"syscallstory/explain"
	"syscallstory/from/files"
	"syscallstory/kernel"
	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// warm returns a judge over a four-component path through an overlay, and a call of it.
func warm(t testing.TB) (*explain.Judge, *syscalls.Call) {
	w := world.New()
	at := w.Text("the test")
	spec := "/set uid=0 gid=0 mode=0755\n. type=dir\n./a type=dir\n./a/b type=dir\n./a/b/c type=dir\n./a/b/c/f type=file mode=0644 size=5\n"
	low, err := files.Tree(w, world.SB{Type: "ext4", Name: "image", At: at, FlagsAt: at}, "t.mtree", []byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	root := world.Cred{Effective: world.AllCaps, Permitted: world.AllCaps, Bounding: world.AllCaps, UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at}
	up := w.FS.NewSB(world.SB{Type: "ext4", Name: "upper", At: at, FlagsAt: at}, world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, At: at})
	sb := overlay.Merger{}.NewOverlay(w.FS, world.SB{At: at, FlagsAt: at, Overlay: &world.Overlay{Upper: w.FS.SB(up).Root, Lower: []world.DentryID{w.FS.SB(low).Root}, Names: []string{"image"}, Mounter: root}})
	id := w.Attach(world.Path{}, world.Mount{Root: w.FS.SB(sb).Root, SB: sb, Point: "/", Origin: at, Why: at})
	w.Task.Root = world.Path{Mount: id, Dentry: w.FS.SB(sb).Root}
	w.Task.Cwd, w.Task.Cred = w.Task.Root, root
	w.Kernel, w.KernelAt = kernel.Release{Major: 6, Minor: 18}, at
	w.LSMs = world.Given([]string{"capability"}, at)
	w.Task.NoFile, w.Task.OpenFDs, w.Task.FDsAt = world.Given(1024, at), world.Given(3, at), at
	j, err := explain.Bind(w, nil)
	if err != nil {
		t.Fatal(err)
	}
	call, err := syscalls.Parse(syscalls.X8664, `openat(AT_FDCWD, "/a/b/c/f", O_RDWR)`)
	if err != nil {
		t.Fatal(err)
	}
	if end := j.Verdict(call); end.Verdict != story.Allowed {
		t.Fatalf("%v %v", end.Verdict, end.Errno)
	}
	return j, call
}

func TestVerdictDoesNotAllocate(t *testing.T) {
	j, call := warm(t)
	if n := testing.AllocsPerRun(100, func() { j.Verdict(call) }); n != 0 {
		t.Errorf("a verdict on a warm world makes %v allocations", n)
	}
	j, _ = warm(t)
	for _, text := range []string{`mount("/a/b", "/a/b/c", NULL, MS_BIND|MS_REC, NULL)`, `mount("none", "/a/b", "tmpfs", 0, "mode=755")`, `mount(NULL, "/", NULL, MS_SHARED|MS_REC, NULL)`, `umount2("/", MNT_DETACH)`,
		`open_tree(AT_FDCWD, "/a", OPEN_TREE_CLONE)`, `mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, {attr_set=MOUNT_ATTR_RDONLY}, 32)`} {
		call, err := syscalls.Parse(syscalls.X8664, text)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { j.Verdict(call) }); n != 0 {
			t.Errorf("%s: a verdict on a warm world makes %v allocations", text, n)
		}
	}
}

func BenchmarkVerdict(b *testing.B) {
	j, call := warm(b)
	b.ReportAllocs()
	for b.Loop() {
		j.Verdict(call)
	}
}

func BenchmarkStory(b *testing.B) {
	j, call := warm(b)
	for b.Loop() {
		j.Story(call)
	}
}

// TestKilledIsNotDenied: a filter that may kill for an address, which nobody knows, leaves a call undetermined that would be
// refused behind it.
func TestKilledIsNotDenied(t *testing.T) {
	w := world.New()
	at := w.Text("the test")
	sb := w.FS.NewSB(world.SB{Type: "tmpfs", Name: "root", At: at, FlagsAt: at}, world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, At: at})
	id := w.Attach(world.Path{}, world.Mount{Root: w.FS.SB(sb).Root, SB: sb, Point: "/", Origin: at, Why: at})
	w.Task.Root = world.Path{Mount: id, Dentry: w.FS.SB(sb).Root}
	w.Task.Cwd = w.Task.Root
	w.Task.Cred = world.Cred{UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at}
	w.Kernel, w.KernelAt = kernel.Release{Major: 6, Minor: 18}, at
	w.LSMs = world.Given([]string{"capability"}, at)
	filter := func(action string) world.Seccomp {
		return world.Seccomp{Mode: world.SeccompFilters, At: at, Filters: []world.Filter{{Name: "f", File: "f.json", At: at, JSON: []byte(`{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
			"syscalls": [{"names": ["mount_setattr"], "action": "` + action + `", "args": [{"index": 3, "value": 64, "op": "SCMP_CMP_NE"}]}]}`)}}}
	}
	call, err := syscalls.Parse(syscalls.X8664, `mount_setattr(AT_FDCWD, "/", 0, {propagation=MS_SLAVE}, 16)`)
	if err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]story.Verdict{"SCMP_ACT_KILL_PROCESS": story.Undetermined, "SCMP_ACT_NOTIFY": story.Undetermined, "SCMP_ACT_ERRNO": story.Denied} {
		w.Task.Seccomp = filter(action)
		j, err := explain.Bind(w, nil)
		if err != nil {
			t.Fatal(err)
		}
		if end := j.Verdict(call); end.Verdict != want || end.Sure {
			t.Errorf("%s: %v, %v, sure: %v", action, end.Verdict, end.Errno, end.Sure)
		}
	}
}

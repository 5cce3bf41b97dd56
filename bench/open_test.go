// Package bench holds the benchmarks that compare story with the kernel and with peers, in the same run.
package bench

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"syscallstory/explain"
	"syscallstory/from/files"
	"syscallstory/kernel"
	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// layers makes the directories of an overlay with a file four components deep.
func layers(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	for _, d := range []string{"lower/a/b/c", "upper", "work", "merged"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "lower/a/b/c/f"), []byte("hello"), 0o644); err != nil {
		b.Fatal(err)
	}
	return dir
}

// judge describes the same overlay to the model.
func judge(b *testing.B, dir string) *explain.Judge {
	b.Helper()
	w := world.New()
	at := w.Text("the benchmark")
	layer := func(name string) world.DentryID {
		sb, err := files.Dir(w, world.SB{Type: "ext4", Name: name, At: at, FlagsAt: at}, filepath.Join(dir, name), "", nil)
		if err != nil {
			b.Fatal(err)
		}
		return w.FS.SB(sb).Root
	}
	root := world.Cred{Effective: world.AllCaps, Permitted: world.AllCaps, Bounding: world.AllCaps, UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at}
	sb := overlay.Merger{}.NewOverlay(w.FS, world.SB{At: at, FlagsAt: at, Overlay: &world.Overlay{Upper: layer("upper"), Lower: []world.DentryID{layer("lower")}, Names: []string{"lower"}, Mounter: root}})
	id := w.Attach(world.Path{}, world.Mount{Root: w.FS.SB(sb).Root, SB: sb, Point: "/", Origin: at, Why: at})
	w.Task.Root = world.Path{Mount: id, Dentry: w.FS.SB(sb).Root}
	w.Task.Cwd, w.Task.Cred = w.Task.Root, root
	w.Kernel, w.KernelAt = kernel.Release{Major: 6, Minor: 18}, at
	w.LSMs = world.Given([]string{"capability"}, at)
	w.Task.NoFile, w.Task.OpenFDs, w.Task.FDsAt = world.Given(1024, at), world.Given(3, at), at
	j, err := explain.Bind(w, nil)
	if err != nil {
		b.Fatal(err)
	}
	return j
}

// BenchmarkOpen times a verdict on a warm world against the kernel's openat and close of the same file through a real
// overlay, and prints the ratio. Without root the kernel opens the file of the lower directory.
func BenchmarkOpen(b *testing.B) {
	dir := layers(b)
	j := judge(b, dir)
	call, err := syscalls.Parse(syscalls.X8664, `openat(AT_FDCWD, "/a/b/c/f", O_RDONLY)`)
	if err != nil {
		b.Fatal(err)
	}
	if end := j.Verdict(call); end.Verdict != story.Allowed {
		b.Fatal(end)
	}
	base := filepath.Join(dir, "lower")
	runtime.LockOSThread() // never unlocked: the thread ends with its mount namespace
	if unix.Unshare(unix.CLONE_FS|unix.CLONE_NEWNS) == nil && unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") == nil {
		opts := "lowerdir=" + base + ",upperdir=" + filepath.Join(dir, "upper") + ",workdir=" + filepath.Join(dir, "work")
		if err := unix.Mount("overlay", filepath.Join(dir, "merged"), "overlay", 0, opts); err == nil {
			base = filepath.Join(dir, "merged")
			defer unix.Unmount(base, unix.MNT_DETACH)
		}
	}
	at, err := unix.Open(base, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(at)
	var predicted, performed time.Duration
	n := 0
	for b.Loop() {
		start := time.Now()
		for range 100 {
			j.Verdict(call)
		}
		middle := time.Now()
		for range 100 {
			fd, err := unix.Openat(at, "a/b/c/f", unix.O_RDONLY, 0)
			if err != nil {
				b.Fatal(err)
			}
			unix.Close(fd)
		}
		predicted += middle.Sub(start)
		performed += time.Since(middle)
		n += 100
	}
	b.ReportMetric(float64(predicted.Nanoseconds())/float64(n), "ns/verdict")
	b.ReportMetric(float64(performed.Nanoseconds())/float64(n), "ns/open+close")
	b.ReportMetric(float64(performed)/float64(predicted), "kernel/verdict")
	b.ReportMetric(0, "ns/op")
}

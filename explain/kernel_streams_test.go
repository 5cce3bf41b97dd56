package explain_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/story"
)

// streamFiles are what a random stream begins with, below a directory.
const streamFiles = `
	dir . 777 0:0
	dir a 755 1000:1000
	dir a/b 777 0:0
	dir a/b/c 755 1000:1000
	file a/c 644 1000:1000
	file a/b/d 6777 1000:1000
	dir b 1777 0:0
	file b/a 666 1000:1000
	file b/c 666 0:0
	dir c 2775 0:1000
	dir c/a 700 1000:1000
	file d 664 1000:1000
	link e 777 1000:1000 to=a/b
	link b/e 777 1001:1001 to=../d
`

// randomCall writes a call on a few names, so that they meet.
func randomCall(r *rand.Rand) string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	name := func() string {
		p := ""
		for range 1 + r.IntN(3) {
			p += pick("a", "b", "c", "d", "e", "f") + "/"
		}
		if r.IntN(12) == 0 {
			return p
		}
		return p[:len(p)-1]
	}
	mode := func() string { return pick("0755", "0700", "0644", "0777", "01777", "02775", "0600", "06755", "02745") }
	id := func() string { return pick("-1", "0", "1000", "1001", "1002", "3000") }
	switch r.IntN(20) {
	case 0, 1, 2:
		return fmt.Sprintf("mkdir(%q, %s)", name(), mode())
	case 3:
		return fmt.Sprintf("rmdir(%q)", name())
	case 4:
		return fmt.Sprintf("unlink(%q)", name())
	case 5, 6, 7:
		return fmt.Sprintf("rename(%q, %q)", name(), name())
	case 8, 9:
		return fmt.Sprintf("renameat2(AT_FDCWD, %q, AT_FDCWD, %q, %s)", name(), name(), pick("RENAME_NOREPLACE", "RENAME_EXCHANGE", "RENAME_EXCHANGE", "RENAME_WHITEOUT"))
	case 10:
		return fmt.Sprintf("link(%q, %q)", name(), name())
	case 11:
		return fmt.Sprintf("symlink(%q, %q)", pick("a", "../b", "a/b", "f", "/c"), name())
	case 12, 13:
		return fmt.Sprintf("chmod(%q, %s)", name(), mode())
	case 14:
		return fmt.Sprintf("%s(%q, %s, %s)", pick("chown", "lchown"), name(), id(), id())
	case 15:
		return fmt.Sprintf("truncate(%q, %s)", name(), pick("0", "3", "100"))
	case 16:
		return fmt.Sprintf("utimensat(AT_FDCWD, %q, %s, %s)", name(), pick("NULL", "[UTIME_NOW, UTIME_OMIT]"), pick("0", "AT_SYMLINK_NOFOLLOW"))
	case 17, 18:
		return fmt.Sprintf("open(%q, O_RDWR|O_NONBLOCK|%s, %s)", name(), pick("O_CREAT", "O_CREAT|O_EXCL", "O_CREAT|O_TRUNC"), mode())
	}
	return fmt.Sprintf("mknod(%q, %s|%s, 0)", name(), pick("S_IFREG", "S_IFIFO", "S_IFSOCK"), mode())
}

// stream makes random calls one after another, each predicted on the world that the earlier ones have left.
func (l *lab) stream(tasks []who, seed uint64, count int) (determined int) {
	l.t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	l.freeze(l.look())
	fds := l.Task.FDs
	l.Task.Umask.At = l.Text("the lab's umask is 0")
	for n := range count {
		task := tasks[r.IntN(len(tasks))]
		if r.IntN(3) == 0 {
			task = tasks[0]
		}
		c := randomCall(r)
		p := l.predict(task, c)
		got := l.perform(task, c)
		want := p.String()
		if want == "+" {
			want = "-"
		}
		e, _ := story.ParseErrno(got)
		switch {
		case p.errno == 0 && p.verdict != story.Allowed && p.check.Has(e):
		case want == got:
			determined++
		default:
			l.t.Errorf("seed %d, call %d: %s as %s: predicted %v, kernel %s", seed, n, c, task.name, p, got)
			return determined
		}
		if got == "-" {
			l.apply(c)
			l.Task.FDs = fds
		}
	}
	l.same(fmt.Sprintf("seed %d", seed), tasks[0], l.look())
	return determined
}

// streams runs many of them, each in a tree of its own.
func streams(t *testing.T, dir, files string, tasks []who, build func(*lab)) {
	t.Helper()
	const seeds, calls = 60, 40
	n := 0
	for seed := range uint64(seeds) {
		l := newLab(t, dir, files)
		build(l)
		n += l.stream(tasks, seed, calls)
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d cases, of which %d are determined", seeds*calls, n)
	if n < seeds*calls/2 {
		t.Errorf("only %d of %d calls are determined", n, seeds*calls)
	}
}

// TestKernelStreams: what Apply makes of the world is what later calls meet.
func TestKernelStreams(t *testing.T) {
	if dir, in := isolated(t); in {
		streams(t, dir, streamFiles, edgeTasks, func(*lab) {})
	}
}

// TestKernelStreamsOverlay: the same on an overlay, all of whose files begin in the lower layer.
func TestKernelStreamsOverlay(t *testing.T) {
	dir, in := isolated(t)
	if !in {
		return
	}
	tasks := append([]who{}, edgeTasks...)
	for i := range tasks {
		tasks[i].root = "ovl"
	}
	streams(t, dir, "dir . 755 0:0\ndir low 777 0:0\ndir up 777 0:0\ndir upwork 755 0:0\ndir ovl 755 0:0\n", tasks, func(l *lab) {
		l.must(makeFiles(l.path("low"), streamFiles))
		l.overlay(&union{point: "/ovl", upper: "/up", lower: []string{"/low"}})
		t.Cleanup(func() { unix.Unmount(l.path("ovl"), unix.MNT_DETACH) })
	})
}

package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/overlay"
)

// private runs a test in a mount namespace of its own, on a thread that ends with it.
func private(t *testing.T, f func(dir string)) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("layers are mounted as root")
	}
	dir := t.TempDir()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = unix.Mount("t", dir, "tmpfs", 0, "")
		}
		if err == nil {
			f(dir)
			unix.Unmount(dir, unix.MNT_DETACH)
		}
		done <- err
	}()
	if err := <-done; errors.Is(err, unix.EPERM) {
		t.Skip("mount namespaces are not allowed here")
	} else if err != nil {
		t.Fatal(err)
	}
}

// seen is what is at a path.
type seen struct {
	mode fs.FileMode
	uid  uint32
	data string
}

// tree reads all below a directory.
func tree(t *testing.T, root string) map[string]seen {
	t.Helper()
	all := map[string]seen{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return nil // a whiteout that readdir shows
		}
		s := seen{fs.FileMode(st.Mode), st.Uid, ""}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			s.data = string(b)
		case unix.S_IFLNK:
			s.data, _ = os.Readlink(p)
		}
		all[strings.TrimPrefix(p, root)] = s
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return all
}

// fill makes random files in a layer.
func fill(r *rand.Rand, dir string, n int) {
	for i := range n {
		p := filepath.Join(dir, randomPath(r))
		os.MkdirAll(filepath.Dir(p), 0o755)
		switch r.IntN(6) {
		case 0:
			os.Symlink("a", p)
		case 1:
			os.MkdirAll(p, 0o700)
		default:
			os.WriteFile(p, []byte(fmt.Sprintf("%s %d %d", dir, i, r.IntN(100))), 0o644)
		}
	}
}

func randomPath(r *rand.Rand) string {
	p := string(rune('a' + r.IntN(4)))
	for r.IntN(2) == 0 && len(p) < 6 {
		p += "/" + string(rune('a'+r.IntN(4)))
	}
	return p
}

// change makes random changes in a mount.
func change(r *rand.Rand, m string, n int) {
	for i := range n {
		p := filepath.Join(m, randomPath(r))
		switch r.IntN(9) {
		case 0, 1:
			os.WriteFile(p, []byte(fmt.Sprint("written ", i)), 0o644)
		case 2:
			os.Mkdir(p, 0o755)
		case 3:
			os.RemoveAll(p)
		case 4, 5:
			os.Rename(p, filepath.Join(m, randomPath(r)))
		case 6:
			os.Chmod(p, fs.FileMode(0o600+r.IntN(64)))
		case 7:
			os.Link(p, filepath.Join(m, randomPath(r)))
		case 8:
			os.Lchown(p, r.IntN(3), 0)
		}
	}
}

// TestKernelDiff holds Diff against what the mount shows with the upper layer and without it, and Which against what it serves.
func TestKernelDiff(t *testing.T) {
	private(t, func(dir string) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		paths := 0
		for round := range 150 {
			r := rand.New(rand.NewPCG(seed, uint64(round)))
			base := filepath.Join(dir, fmt.Sprint(round))
			at := func(n string) string { return filepath.Join(base, n) }
			for _, n := range []string{"u", "w", "l1", "l2", "l3", "m", "v"} {
				os.MkdirAll(at(n), 0o755)
			}
			for _, l := range []string{"l1", "l2", "l3"} {
				fill(r, at(l), 8)
			}
			options := []string{"", ",redirect_dir=on", ",redirect_dir=on,metacopy=on"}[round%3]
			lower := at("l1") + ":" + at("l2") + ":" + at("l3")
			if err := unix.Mount("o", at("v"), "overlay", 0, "lowerdir="+lower); err != nil {
				t.Error(err)
				return
			}
			before := tree(t, at("v"))
			unix.Unmount(at("v"), 0)
			if err := unix.Mount("o", at("m"), "overlay", 0, "lowerdir="+lower+",upperdir="+at("u")+",workdir="+at("w")+options); err != nil {
				t.Error(err)
				return
			}
			change(r, at("m"), 25)
			after := tree(t, at("m"))
			s := &Stack{Options: overlay.Options{Metacopy: true}, Names: []string{"u", "l1", "l2", "l3"}}
			for i, n := range s.Names {
				l, err := Dir(at(n), false)
				if err != nil {
					t.Error(err)
					return
				}
				if i == 0 {
					s.Upper = l
				} else {
					s.Lower = append(s.Lower, l)
				}
			}
			holds(t, s, base, before, after)
			paths += len(before) + len(after)
			s.Close()
			unix.Unmount(at("m"), 0)
			os.RemoveAll(base)
			if t.Failed() {
				t.Logf("round %d, options %q", round, options)
				return
			}
		}
		t.Logf("%d paths", paths)
	})
}

func holds(t *testing.T, s *Stack, base string, before, after map[string]seen) {
	t.Helper()
	got := map[string]Change{}
	if _, err := s.Diff(func(c *Change) error {
		if old, twice := got[c.Path]; twice {
			t.Errorf("%s is told twice: %+v and %+v", c.Path, old, *c)
		}
		got[c.Path] = *c
		return nil
	}); err != nil {
		t.Error(err)
	}
	isDir := func(m map[string]seen, p string) bool {
		return p == "/" || m[p].mode&unix.S_IFMT == unix.S_IFDIR
	}
	want := map[string]string{}
	for p := range after {
		if _, was := before[p]; !was {
			want[p] = "A"
		} else if before[p] != after[p] {
			want[p] = "M"
		}
	}
	for p := range before {
		if _, is := after[p]; !is && isDir(before, filepath.Dir(p)) && isDir(after, filepath.Dir(p)) {
			want[p] = "D"
		}
	}
	for p, kind := range want {
		if got[p].Kind != kind {
			t.Errorf("%s: %s is wanted, got %+v", p, kind, got[p])
		}
	}
	for p, c := range got {
		if _, ok := want[p]; !ok && !(c.Kind == "M" && (strings.Contains(c.Note, "copied up") || strings.Contains(c.Note, "replaced") || c.Note == "attributes" || c.Note == "data")) {
			t.Errorf("%s is told as %+v, and is as it was", p, c)
		}
	}
	for p, is := range after {
		a, err := s.Which(p)
		if err != nil || a.Errno != "" || a.Served == nil {
			t.Errorf("%s: %+v, %v", p, a, err)
			continue
		}
		real := a.Served
		if a.Data != nil {
			real = a.Data
		}
		if is.mode&unix.S_IFMT == unix.S_IFREG {
			if b, err := os.ReadFile(filepath.Join(base, real.Name, real.Path)); err != nil || string(b) != is.data {
				t.Errorf("%s is served by %s%s, which holds %q; the mount shows %q", p, real.Name, real.Path, b, is.data)
			}
		}
	}
	for p := range before {
		if _, is := after[p]; is {
			continue
		}
		if a, err := s.Which(p); err != nil || a.Errno == "" {
			t.Errorf("%s is not there: %+v, %v", p, a, err)
		}
	}
}

// TestKernelVanished: a layer that is removed meanwhile, marks of a redirect that leads to itself, and whiteouts at odd places end
// in an answer or a clear error.
func TestKernelVanished(t *testing.T) {
	private(t, func(dir string) {
		for _, n := range []string{"u/d", "l/d", "l/e"} {
			os.MkdirAll(filepath.Join(dir, n), 0o755)
		}
		unix.Setxattr(filepath.Join(dir, "u/d"), "trusted.overlay.redirect", []byte("/d/d/d"), 0)
		unix.Mknod(filepath.Join(dir, "l/wh"), unix.S_IFCHR, 0)
		unix.Mknod(filepath.Join(dir, "u/e"), unix.S_IFCHR, 0)
		up, err := Dir(filepath.Join(dir, "u"), false)
		if err != nil {
			t.Error(err)
			return
		}
		low, err := Dir(filepath.Join(dir, "l"), false)
		if err != nil {
			t.Error(err)
			return
		}
		s := &Stack{Upper: up, Lower: []Layer{low}, Names: []string{"u", "l"}}
		defer s.Close()
		for p, errno := range map[string]string{"/d": "", "/d/x": "ENOENT", "/wh": "ENOENT", "/e": "ENOENT", "/e/x": "ENOENT"} {
			if a, err := s.Which(p); err != nil || a.Errno != errno {
				t.Errorf("%s: %+v, %v", p, a, err)
			}
		}
		if _, err := s.Diff(func(*Change) error { return nil }); err != nil {
			t.Error(err)
		}
		if _, err := s.Which("/a/../b"); err == nil {
			t.Error(".. is followed")
		}
		os.RemoveAll(filepath.Join(dir, "l"))
		if a, err := s.Which("/e"); err != nil || a.Errno != "ENOENT" {
			t.Errorf("%+v, %v", a, err)
		}
		if _, err := Dir(filepath.Join(dir, "l"), false); err == nil || !strings.Contains(err.Error(), "no such file") {
			t.Error(err)
		}
	})
}

// TestKernelRedirectLoops: directories that are redirected to one another, to themselves, to nothing and out of the layer end where the
// kernel ends: each layer is asked once. What two directories of the upper layer share below is not asked for by its own name: the kernel takes
// it for stale then.
func TestKernelRedirectLoops(t *testing.T) {
	private(t, func(dir string) {
		at := func(n string) string { return filepath.Join(dir, n) }
		for _, n := range []string{"w", "m", "u/a", "u/b", "u/self", "u/name", "u/gone", "u/up", "u/relative", "u/long", "u/empty", "l1/a/x", "l1/b/y", "l1/self/z", "l1/other", "l2/a/p", "l2/b/q", "l2/self", "l2/other/o", "l2/name"} {
			if err := os.MkdirAll(at(n), 0o755); err != nil {
				t.Error(err)
				return
			}
			os.WriteFile(at(n)+"/file-"+strings.ReplaceAll(n, "/", "-"), nil, 0o644)
		}
		for n, to := range map[string]string{"u/a": "/b", "u/b": "/a", "l1/a": "/b", "l1/b": "/a", "u/self": "/self", "l1/self": "/self", "u/name": "other", "u/gone": "/nothing/here", "u/up": "/../a", "u/relative": "a/b", "u/empty": "/a//b",
			"u/long": "/" + strings.Repeat("a/../", 20) + "a"} {
			if err := unix.Setxattr(at(n), "trusted.overlay.redirect", []byte(to), 0); err != nil {
				t.Error(err)
				return
			}
		}
		if err := unix.Mount("o", at("m"), "overlay", 0, "redirect_dir=on,lowerdir="+at("l1")+":"+at("l2")+",upperdir="+at("u")+",workdir="+at("w")); err != nil {
			t.Error(err)
			return
		}
		s := &Stack{Options: overlay.Options{Metacopy: true}, Names: []string{"u", "l1", "l2"}}
		defer s.Close()
		for i, n := range s.Names {
			l, err := Dir(at(n), false)
			if err != nil {
				t.Error(err)
				return
			}
			if i == 0 {
				s.Upper = l
			} else {
				s.Lower = append(s.Lower, l)
			}
		}
		asked := 0
		for _, top := range []string{"a", "b", "self", "name", "gone", "up", "relative", "long", "empty"} {
			for _, name := range []string{"", "x", "y", "z", "p", "q", "o", "file-u-a", "file-l1-a", "file-l1-b", "file-l2-a", "file-l2-b", "file-l1-self", "file-l2-self", "file-l1-other", "file-l2-other", "file-l2-name", "file-u-gone"} {
				p := top + "/" + name
				var st unix.Stat_t
				want := ""
				if err := unix.Lstat(filepath.Join(at("m"), p), &st); err != nil {
					want = unix.ErrnoName(err.(unix.Errno))
				}
				got := ""
				a, err := s.Which(p)
				if err != nil {
					got = err.Error()
				} else {
					got = a.Errno
				}
				if asked++; got != want {
					t.Errorf("%s: %q, the kernel %q", p, got, want)
				}
			}
		}
		unix.Unmount(at("m"), 0)
		t.Logf("%d names", asked)
	})
}

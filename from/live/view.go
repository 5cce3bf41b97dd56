//go:build linux

package live

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// view is a mount namespace as it was seen: its table, its root, and where the links of /proc/PID lead in it.
type view struct {
	root  *os.File // O_PATH: what paths of the table begin at
	table []mountLine
	file  string            // the table's file, for the story
	links map[string]string // root, cwd and fd/N
	whole bool              // the table lists every mount of the namespace that can be reached from its root
}

// look reads the mount namespace of a process. With the right to enter it, a thread does so and sees all of it, beyond a chroot too;
// else what the process itself can reach is read through /proc/PID.
func look(proc *os.File, pid int, links []string) (*view, error) {
	var own, its unix.Stat_t
	if err := unix.Stat("/proc/self/ns/mnt", &own); err != nil {
		return nil, err
	}
	if err := unix.Fstatat(int(proc.Fd()), "ns/mnt", &its, 0); err != nil {
		return nil, err
	}
	type answer struct {
		v   *view
		err error
	}
	ch := make(chan answer, 1)
	apart(func() {
		v, err := lookInside(proc, links)
		ch <- answer{v, err}
	})
	if a := <-ch; a.err == nil {
		a.v.file = fmt.Sprintf("/proc/%d/mountinfo", pid)
		return a.v, nil
	}
	v := &view{file: fmt.Sprintf("/proc/%d/mountinfo", pid)}
	src, rootLink := proc, "root"
	if root, err := os.Readlink("/proc/self/root"); err == nil && root == "/" && own.Ino == its.Ino && own.Dev == its.Dev {
		self, err := os.Open("/proc/self")
		if err != nil {
			return nil, err
		}
		defer self.Close()
		src, v.whole = self, true
	}
	fd, err := unix.Openat(int(src.Fd()), rootLink, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	v.root = os.NewFile(uintptr(fd), rootLink)
	if err := v.read(src, "mountinfo"); err != nil {
		v.root.Close()
		return nil, err
	}
	v.links = readLinks(proc, links)
	if !v.whole { // the table's paths begin at the process's root, those of the links at the namespace's
		base := v.links["root"]
		for k, l := range v.links {
			if rest, ok := strings.CutPrefix(l, strings.TrimSuffix(base, "/")); ok && strings.HasPrefix(l, "/") {
				v.links[k] = "/" + strings.TrimPrefix(rest, "/")
			}
		}
	}
	return v, nil
}

// lookInside enters the mount namespace with the current thread. Requires CAP_SYS_ADMIN in the user namespace that owns it, and
// CAP_SYS_CHROOT and CAP_SYS_ADMIN in the reader's own (mntns_install).
func lookInside(proc *os.File, links []string) (*view, error) {
	self, err := os.Open("/proc/thread-self")
	if err != nil {
		return nil, err
	}
	defer self.Close()
	ns, err := unix.Openat(int(proc.Fd()), "ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(ns)
	if err := enter(ns); err != nil {
		return nil, err
	}
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	v := &view{root: os.NewFile(uintptr(fd), "/"), whole: true}
	if err := v.read(self, "mountinfo"); err != nil {
		v.root.Close()
		return nil, err
	}
	v.links = readLinks(proc, links)
	return v, nil
}

// apart runs a function that leaves its thread in another mount namespace for good. The thread is not handed back: it ends with the
// function. It is never the process's first one, which does not end and which /proc/self shows.
func apart(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		done := make(chan bool)
		go func() { // while the first thread waits, this one is another
			runtime.LockOSThread()
			close(done)
			f()
		}()
		<-done
		runtime.UnlockOSThread()
	}()
}

// enter puts the current thread into a mount namespace, for good.
func enter(ns int) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	return unix.Setns(ns, unix.CLONE_NEWNS)
}

// alone returns a copy of a mount without those that are mounted on it, so that what they cover can be seen. Requires the right to
// enter the namespace, and that the mounts on it are not locked to it (has_locked_children).
func alone(proc *os.File, mount int) (int, error) {
	ns, err := unix.Openat(int(proc.Fd()), "ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(ns)
	type answer struct {
		fd  int
		err error
	}
	ch := make(chan answer, 1)
	apart(func() {
		if err := enter(ns); err != nil {
			ch <- answer{-1, err}
			return
		}
		fd, err := unix.OpenTree(mount, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
		ch <- answer{fd, err}
	})
	a := <-ch
	return a.fd, a.err
}

// read reads a mount table.
func (v *view) read(dir *os.File, name string) error {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMountinfo+1))
	if err == nil && len(text) > maxMountinfo {
		err = fmt.Errorf("the mount table has more than %d bytes", maxMountinfo)
	}
	if err != nil {
		return err
	}
	v.table, err = parseMountinfo(text)
	return err
}

func readLinks(proc *os.File, names []string) map[string]string {
	out := map[string]string{}
	for _, n := range names {
		if text, err := readLinkAt(int(proc.Fd()), n); err == nil {
			out[n] = text
		}
	}
	return out
}

func readLinkAt(dir int, name string) (string, error) {
	buf := make([]byte, 4096)
	n, err := unix.Readlinkat(dir, name, buf)
	return string(buf[:max(n, 0)]), err
}

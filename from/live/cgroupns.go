package live

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"syscallstory/world"
)

// cgroups reads where the process's cgroup namespace begins in the hierarchy of cgroup2, and which files the kernel lets a namespace write
// there.
func (b *builder) cgroups() {
	const file = "/sys/kernel/cgroup/delegate"
	if text, err := os.ReadFile(file); err == nil {
		b.Delegatable = world.Given(strings.Fields(string(text)), b.Text(file))
	}
	root, err := b.p.cgroupRoot()
	if b.Task.CgroupRoot = world.Given(root, b.file("ns/cgroup")); err != nil {
		b.Task.CgroupRoot.At = b.Miss(fmt.Sprintf("the root of the process's cgroup namespace is not known: %v", err), "run as root")
	}
}

// cgroupRoot compares what the process's cgroup is called here and in its own namespace.
func (p *Process) cgroupRoot() (string, error) {
	var mine, own unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/cgroup", &mine); err != nil {
		return "", err
	}
	fd, err := unix.Openat(int(p.dir.Fd()), "ns/cgroup", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &own); err != nil || own.Ino == mine.Ino {
		return "", err
	}
	here, err := readAt(p.dir, "cgroup", 1<<16)
	if err != nil {
		return "", err
	}
	type answer struct {
		text []byte
		err  error
	}
	ch := make(chan answer)
	go func() { // on a thread that ends with it
		runtime.LockOSThread()
		if err := unix.Setns(fd, unix.CLONE_NEWCGROUP); err != nil {
			ch <- answer{err: err}
			return
		}
		text, err := readAt(p.dir, "cgroup", 1<<16)
		ch <- answer{text, err}
	}()
	a := <-ch
	if a.err != nil {
		return "", a.err
	}
	full, inside := unified(here), unified(a.text)
	if inside == "/" {
		return full, nil
	}
	root, below := strings.CutSuffix(full, inside)
	if !below { // it is in a cgroup outside of its namespace
		return "", fmt.Errorf("the process is in %s, which its namespace calls %s", full, inside)
	}
	if root == "" {
		root = "/"
	}
	return root, nil
}

// unified is the name of a process's cgroup in cgroup2.
func unified(text []byte) string {
	for line := range bytes.Lines(text) {
		if name, ok := bytes.CutPrefix(bytes.TrimRight(line, "\n"), []byte("0::")); ok {
			return string(name)
		}
	}
	return ""
}

//go:build linux

package live

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"syscallstory/world"
)

// space is a mount namespace that is read through a process in it.
type space struct {
	nsFact
	pid  int
	dir  *os.File // /proc/PID
	view *view
	ns   uint8 // index into World.MountNS
}

// maxSpaces and maxSpaceMounts bound the mount namespaces of other processes that are read, and the mounts in one.
const (
	maxSpaces      = 32
	maxSpaceMounts = 2000
)

// readSpaces reads the mount namespaces in which the other tasks are, so that links of /proc can be followed there. One that cannot be
// entered is left out.
func (p *Process) readSpaces() {
	seen := map[uint64]bool{p.mnt.ino: true}
	for i := range p.tasks {
		t := &p.tasks[i]
		if t.mnt.err != nil || t.st.kthread || seen[t.mnt.ino] || len(p.spaces) >= maxSpaces {
			continue
		}
		dir, err := os.Open(fmt.Sprintf("/proc/%d", t.st.pid))
		if err != nil {
			continue
		}
		v, err := look(dir, t.st.pid, nil)
		if err != nil {
			dir.Close()
			continue
		}
		if !v.whole || len(v.table) > maxSpaceMounts {
			v.root.Close()
			dir.Close()
			continue
		}
		seen[t.mnt.ino] = true
		p.spaces = append(p.spaces, &space{nsFact: t.mnt, pid: t.st.pid, dir: dir, view: v})
	}
}

// close lets go of the descriptors.
func (s *space) close() {
	s.view.root.Close()
	s.dir.Close()
}

// otherSpaces puts the mount namespaces of other tasks into the world. Which of their mounts propagate to which is left out: no call of the
// task waits for it.
func (b *builder) otherSpaces() {
	for _, s := range b.p.spaces {
		id, ok := b.mountNamespace(s.nsFact)
		if !ok || id == 0 {
			continue
		}
		s.ns = id
		b.MountNS[id].Alone = true
		if b.MountNS[id].Owner != 0 {
			b.MountNS[id].LocksAt = b.Miss("which mounts of another process's namespace are locked is shown nowhere", "")
		}
		b.spread(s)
	}
}

// jump finds where a link of /proc/PID of another process leads, the first time that somebody looks at it: root, cwd, exe or fd/N.
func (b *builder) jump(s *super, p string) {
	parts := strings.Split(strings.TrimPrefix(p, "/"), "/")
	if len(parts) > 3 && parts[1] == "task" {
		parts = parts[2:]
	}
	pid, err := strconv.Atoi(parts[0])
	if err != nil || parts[1] == "ns" || parts[1] == "map_files" || pid == b.Task.PID {
		return
	}
	q := b.ProcessByPID(pid)
	if q == nil || !q.At.Known() {
		return
	}
	link := strings.Join(parts[1:], "/")
	if _, known := q.Place(link); known {
		return
	}
	to, err := b.behind(s, p)
	at := b.Text(p)
	if err != nil {
		at = b.Miss(fmt.Sprintf("where %s%s leads is not known: %v", strings.TrimSuffix(s.name, "/"), p, err), settledByRoot(err))
	}
	q.Places = append(q.Places, world.Place{Link: link, Path: to, At: at})
}

func settledByRoot(err error) string {
	if err == unix.EACCES || err == unix.EPERM {
		return "run as root"
	}
	return ""
}

// behind follows a link of /proc.
func (b *builder) behind(s *super, p string) (world.Path, error) {
	dir, _, err := s.find(parent(p))
	if err != nil {
		return world.Path{}, err
	}
	defer unix.Close(dir)
	text, err := readLinkAt(dir, base(p))
	if err != nil {
		return world.Path{}, err
	}
	fd, err := unix.Openat(dir, base(p), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return world.Path{}, err
	}
	defer unix.Close(fd)
	return b.leads(fd, text, p, false)
}

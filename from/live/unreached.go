//go:build linux

package live

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"syscallstory/world"
)

// maxUnreached bounds how many missing mounts a world remembers.
const maxUnreached = 1000

// hostTable reads the mounts of the host: of the reader's mount namespace or, where the process is in that, of the first process's.
// It is empty where the process is in both, or where they may not be read.
func (p *Process) hostTable() []mountLine {
	var its unix.Stat_t
	if unix.Fstatat(int(p.dir.Fd()), "ns/mnt", &its, 0) != nil {
		return nil
	}
	for _, proc := range []string{"/proc/self/", "/proc/1/"} {
		var ns unix.Stat_t
		if unix.Stat(proc+"ns/mnt", &ns) != nil || ns.Ino == its.Ino && ns.Dev == its.Dev {
			continue
		}
		f, err := os.Open(proc + "mountinfo")
		if err != nil {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(f, maxMountinfo+1))
		f.Close()
		if err != nil || len(text) > maxMountinfo {
			continue
		}
		if table, err := parseMountinfo(text); err == nil {
			return table
		}
	}
	return nil
}

// spot is a name of a filesystem.
type spot struct {
	dev  device
	path string
}

// on is where a mount sits in its parent's filesystem.
func on(m, parent *mountLine) spot {
	rel := strings.Trim(strings.TrimPrefix(m.point, strings.TrimSuffix(parent.point, "/")), "/")
	if rel == "" {
		return spot{parent.dev, parent.root}
	}
	return spot{parent.dev, strings.TrimSuffix(parent.root, "/") + "/" + rel}
}

// unreached notes the mounts of the host at places that the process sees in mounts of its own, and on which it has none.
func (b *builder) unreached() {
	host := b.p.hosts
	if len(host) == 0 {
		return
	}
	shows := map[device][]*shown{}
	taken := map[int]map[spot]bool{} // by mount: the names on which something is mounted
	for i := range b.p.view.table {
		m := b.byID[b.p.view.table[i].id]
		shows[m.dev] = append(shows[m.dev], m)
		if up := b.byID[m.parent]; up != nil && up != m {
			if taken[up.id] == nil {
				taken[up.id] = map[spot]bool{}
			}
			taken[up.id][on(m.mountLine, up.mountLine)] = true
		}
	}
	byID := make(map[int]*mountLine, len(host))
	for i := range host {
		byID[host[i].id] = &host[i]
	}
	for i := range host {
		h := &host[i]
		up := byID[h.parent]
		if up == nil || up == h || len(b.Unreached) >= maxUnreached {
			continue
		}
		at := on(h, up)
		for _, m := range shows[at.dev] {
			rel, below := strings.CutPrefix(at.path+"/", strings.TrimSuffix(m.root, "/")+"/")
			if !below || taken[m.id][at] || m.world == 0 {
				continue
			}
			rel = strings.TrimSuffix(rel, "/")
			u := world.Unreached{Mount: m.world, Place: strings.TrimSuffix(m.point, "/") + "/" + rel, Point: h.point, Type: h.fstype, Source: h.source, At: b.mountOrigin(m)}
			u.Place = "/" + strings.Trim(u.Place, "/")
			u.Dentry = b.skeleton(b.supers[m.dev], b.Mounts[m.world].Root, rel)
			u.Why, u.Fix = whyNot(m.mountLine, up)
			b.Unreached = append(b.Unreached, u)
		}
	}
}

// whyNot says why what is mounted on a mount of the host does not come to one of the process's.
func whyNot(m, host *mountLine) (why, fix string) {
	switch {
	case host.group == 0:
		return host.point + " of the host is not shared: what is mounted on it goes nowhere", "mount --make-shared " + host.point + " on the host, before the container starts"
	case m.group == 0 && m.master == 0:
		return fmt.Sprintf("the process's mount at %s is private: what the host mounts does not come to it", m.point),
			"a container whose mount at " + m.point + " is a slave (mountPropagation: HostToContainer in Kubernetes, rslave in Docker), or a new start"
	case m.group != host.group && m.master != host.group:
		return fmt.Sprintf("the process's mount at %s gets events of another peer group than the host's mount at %s", m.point, host.point), ""
	}
	return "it was unmounted there, or was there before the process's mount was made", ""
}

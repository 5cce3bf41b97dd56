//go:build linux

package live

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"syscallstory/world"
)

// MountTable is a mount namespace as a process in it sees it.
type MountTable struct {
	NS      uint64 // inode of its file in /proc/PID/ns
	PID     int
	Command string
	Tasks   int // processes that are in it
	Mounts  []TableMount
}

// TableMount is one line of /proc/PID/mountinfo.
type TableMount struct {
	ID, Parent   int
	Device       string
	Root, Point  string
	Flags        world.MountFlags
	Group        uint32
	Master       uint32
	Unbindable   bool
	Type, Source string
}

// MountTables reads the mount namespaces of processes, of all of them where there are none. One that is seen by a process
// with another root directory is read from a process that has none, if there is one. Namespaces that could not be read, their last
// process having ended meanwhile among them, are told in skipped.
func MountTables(pids []int) (tables []MountTable, skipped []string, err error) {
	r := tableReader{words: words{}, every: len(pids) == 0, index: map[uint64]int{}, whole: map[uint64]bool{}, failed: map[uint64]error{}, kernel: map[uint64]bool{}}
	if r.every {
		names, err := filepath.Glob("/proc/[0-9]*")
		if err != nil {
			return nil, nil, err
		}
		for _, n := range names {
			if pid, err := strconv.Atoi(filepath.Base(n)); err == nil {
				pids = append(pids, pid)
			}
		}
		slices.Sort(pids) // the first names its namespace: the host's is process 1's
	}
	for _, pid := range pids {
		if err := r.read(pid); err != nil {
			return nil, nil, err
		}
	}
	for ns, err := range r.failed {
		skipped = append(skipped, fmt.Sprintf("mnt:[%d]: %v", ns, err))
	}
	slices.Sort(skipped)
	switch r.hidden {
	case 0:
	case 1:
		skipped = append(skipped, "the mount namespace of one process: this user may not look at it (ptrace)")
	default:
		skipped = append(skipped, fmt.Sprintf("the mount namespaces of %d processes: this user may not look at them (ptrace)", r.hidden))
	}
	return r.tables, skipped, nil
}

// tableReader collects the tables of namespaces, each from one of its processes.
type tableReader struct {
	words  words
	every  bool // all processes, of which some end meanwhile
	tables []MountTable
	index  map[uint64]int
	whole  map[uint64]bool // read by a process whose root is the namespace's
	failed map[uint64]error
	kernel map[uint64]bool // read from a thread of the kernel, which names nothing
	hidden int
}

func (r *tableReader) read(pid int) error {
	proc := fmt.Sprintf("/proc/%d/", pid)
	link, err := os.Readlink(proc + "ns/mnt")
	if err != nil {
		switch {
		case r.every:
		case pid > 0 && errors.Is(err, syscall.ENOENT) && syscall.Kill(pid, 0) == syscall.EPERM: // hidepid
			return fmt.Errorf("the mount namespace of process %d: /proc hides it: %w", pid, syscall.EACCES)
		case errors.Is(err, syscall.ENOENT):
			return fmt.Errorf("the mount namespace of process %d: there is no such process", pid)
		default:
			return fmt.Errorf("the mount namespace of process %d: %w", pid, err)
		}
		if os.IsPermission(err) {
			r.hidden++
		}
		return nil // it has ended
	}
	var ns uint64
	if _, err := fmt.Sscanf(link, "mnt:[%d]", &ns); err != nil {
		return fmt.Errorf("%sns/mnt leads to %q", proc, link)
	}
	i, known := r.index[ns]
	root, _ := os.Readlink(proc + "root")
	if known {
		r.tables[i].Tasks++
		if r.kernel[ns] && !kernelThread(proc) {
			r.tables[i].PID, r.tables[i].Command = pid, command(proc)
			delete(r.kernel, ns)
		}
		if r.whole[ns] || root != "/" {
			return nil
		}
	}
	mounts, err := readTable(proc, r.words)
	if again, e := os.Readlink(proc + "ns/mnt"); err == nil && (e != nil || again != link) {
		err = syscall.ESRCH // what was read may be another process's, or namespace's
	}
	if err != nil {
		if gone(err) {
			err = fmt.Errorf("process %d ended, or left it, while it was read", pid)
		}
		if !r.every {
			return err
		}
		if !known {
			r.failed[ns] = err
		}
		return nil
	}
	delete(r.failed, ns)
	t := MountTable{NS: ns, PID: pid, Command: command(proc), Tasks: 1, Mounts: mounts}
	r.kernel[ns] = r.every && kernelThread(proc)
	r.whole[ns] = root == "/"
	if known {
		t.Tasks = r.tables[i].Tasks
		r.tables[i] = t
		return nil
	}
	r.index[ns] = len(r.tables)
	r.tables = append(r.tables, t)
	return nil
}

func command(proc string) string {
	comm, _ := os.ReadFile(proc + "comm")
	return strings.TrimSpace(string(comm))
}

// gone reports whether a file of /proc could not be read since its process has ended: opening is ENOENT then, reading ESRCH, and
// EINVAL where the process has no namespace any more (mounts_open_common).
func gone(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EINVAL)
}

func readTable(proc string, w words) ([]TableMount, error) {
	f, err := os.Open(proc + "mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMountinfo+1))
	if err != nil {
		return nil, err
	}
	return parseMountTable(proc+"mountinfo", text, w)
}

// ParseMountTable reads the text of a mountinfo file, of whatever kernel: fields that it does not know are passed over. A line that
// stands twice, as where the table has changed while it was read, counts once.
func ParseMountTable(file string, text []byte) ([]TableMount, error) {
	return parseMountTable(file, text, words{})
}

// words keep each string of the tables once: namespaces are copies of one another, and a string that was cut out of a line keeps the
// whole line in memory.
type words map[string]string

func (w words) keep(s string) string {
	if known, ok := w[s]; ok {
		return known
	}
	s = strings.Clone(s)
	w[s] = s
	return s
}

func parseMountTable(file string, text []byte, w words) ([]TableMount, error) {
	if len(text) > maxMountinfo {
		return nil, fmt.Errorf("%s: it has more than %d bytes", file, maxMountinfo)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return nil, fmt.Errorf("%s: it is cut off: the last line has no end", file)
	}
	lines, err := parseMountinfo(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	out := make([]TableMount, 0, len(lines))
	up := make(map[int]int, len(lines))
	dev, devText := device{}, ""
	for i := range lines {
		l := &lines[i]
		if _, twice := up[l.id]; twice {
			continue
		}
		up[l.id] = l.parent
		if l.dev != dev || devText == "" {
			dev, devText = l.dev, w.keep(fmt.Sprintf("%d:%d", l.dev.major, l.dev.minor))
		}
		out = append(out, TableMount{l.id, l.parent, devText, w.keep(l.root), w.keep(l.point), l.flags, l.group, l.master, l.unbindable, w.keep(l.fstype), w.keep(l.source)})
	}
	if id, ok := ownAncestor(up); !ok {
		return nil, fmt.Errorf("%s: mount %d is its own ancestor", file, id)
	}
	return out, nil
}

// ownAncestor finds a chain of parents that has no end; a mount that is its own parent is the root.
func ownAncestor(up map[int]int) (id int, ok bool) {
	ends := make(map[int]int, len(up)) // by the walk in which it was met
	walk := 0
	for start := range up {
		walk++
		for at := start; ends[at] == 0; {
			ends[at] = walk
			next, there := up[at]
			if !there || next == at {
				break
			}
			if at = next; ends[at] == walk {
				return at, false
			}
		}
	}
	return 0, true
}

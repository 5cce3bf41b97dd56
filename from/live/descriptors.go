//go:build linux

package live

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/world"
)

// fdFact is an open descriptor.
type fdFact struct {
	n      int
	flags  uint64
	known  bool // flags is
	kind   world.FDKind
	ns     nsFact // of a namespace
	nsType uint64
	user   int // of a user namespace: its index
	pid    int // of a pidfd: the process as the reader counts; -1: it has ended
	socket world.Socket
	label  string // of a socket, for SELinux; "": none, or not known
	sockNS nsFact
	err    error // why what it leads to is not known
}

// maxFDs bounds the descriptors that are read.
const maxFDs = 8192

// descriptors reads /proc/PID/fd and fdinfo.
func (p *Process) descriptors() ([]fdFact, error) {
	dir := fmt.Sprintf("/proc/%d/fd", p.pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []fdFact
	getter := -1
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if len(all) == maxFDs {
			return all, fmt.Errorf("it has more than %d descriptors", maxFDs)
		}
		f := fdFact{n: n}
		f.info(fmt.Sprintf("/proc/%d/fdinfo/%d", p.pid, n))
		text, _ := os.Readlink(dir + "/" + e.Name())
		switch kind, _, _ := strings.Cut(text, ":"); {
		case text == "anon_inode:[pidfd]" || kind == "pidfd":
			f.kind = world.FDPid
		case kind == "socket":
			if f.kind = world.FDSocket; getter < 0 {
				if getter, f.err = p.pidfd(); f.err == nil {
					defer unix.Close(getter)
				}
			}
			if f.err == nil {
				f.readSocket(getter, p.users)
			}
		case nsTypes[kind] != 0 && strings.HasSuffix(text, "]"):
			f.kind, f.nsType = world.FDNamespace, nsTypes[kind]
			f.readNamespace(p)
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b fdFact) int { return a.n - b.n })
	return all, nil
}

// nsTypes are the kinds of namespaces as links of nsfs call them.
var nsTypes = map[string]uint64{"net": world.NewNet, "uts": world.NewUTS, "ipc": world.NewIPC, "pid": world.NewPID, "cgroup": world.NewCgroup, "time": world.NewTime, "user": world.NewUser, "mnt": world.NewMount}

// info reads a file of fdinfo.
func (f *fdFact) info(file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		switch key, val, _ := strings.Cut(strings.TrimSpace(line), ":"); key {
		case "flags":
			f.flags, err = strconv.ParseUint(strings.TrimSpace(val), 8, 64)
			f.known = err == nil
		case "Pid":
			f.pid, _ = strconv.Atoi(strings.TrimSpace(val))
		}
	}
}

// pidfd opens the process, or the thread, to get its descriptors from.
func (p *Process) pidfd() (int, error) {
	flags := 0
	if p.st.tgid != p.pid {
		flags = unix.O_EXCL // PIDFD_THREAD, since Linux 6.9
	}
	return unix.PidfdOpen(p.pid, flags)
}

// readSocket asks a copy of the descriptor what it is. The socket itself stays as it is.
func (f *fdFact) readSocket(pidfd int, users *userTree) {
	fd, err := unix.PidfdGetfd(pidfd, f.n, 0)
	if err != nil {
		f.err = err
		return
	}
	defer unix.Close(fd)
	s := &f.socket
	number := func(name int) int {
		v, e := unix.GetsockoptInt(fd, unix.SOL_SOCKET, name)
		if e != nil && f.err == nil {
			f.err = e
		}
		return v
	}
	s.Family, s.Type, s.Protocol = number(unix.SO_DOMAIN), number(unix.SO_TYPE), number(unix.SO_PROTOCOL)
	if f.err != nil {
		return
	}
	if v, e := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); e == nil {
		s.Listens = v != 0
	}
	if v, e := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX); e == nil {
		s.Device = v != 0
	}
	_, e := sockaddr(unix.SYS_GETPEERNAME, fd)
	s.Connected = e == nil
	if at, e := sockaddr(unix.SYS_GETSOCKNAME, fd); e == nil {
		switch s.Family {
		case unix.AF_INET, unix.AF_INET6: // the port
			s.Bound = len(at) >= 4 && at[2]|at[3] != 0
		case unix.AF_NETLINK:
			s.Bound = len(at) >= 8 && !bytes.Equal(at[4:8], make([]byte, 4))
		default:
			s.Bound = len(at) > 2
		}
	}
	s.Bound = s.Bound || s.Listens
	if labelled() {
		var text [4096]byte
		if n, e := unix.Fgetxattr(fd, world.XattrSELinux, text[:]); e == nil {
			f.label = strings.TrimRight(string(text[:n]), "\x00")
		}
	}
	ns, e := unix.IoctlRetInt(fd, unix.SIOCGSKNS)
	if e != nil {
		f.sockNS = nsFact{err: e}
		return
	}
	f.sockNS = users.chain(ns, false)
	unix.Close(ns)
}

// sockaddr is getsockname(2) or getpeername(2) with the address as the kernel writes it: an address without a name has two bytes.
func sockaddr(nr uintptr, fd int) ([]byte, error) {
	var buf [128]byte
	n := uint32(len(buf))
	if _, _, e := unix.Syscall(nr, uintptr(fd), uintptr(unsafe.Pointer(&buf)), uintptr(unsafe.Pointer(&n))); e != 0 {
		return nil, e
	}
	return buf[:min(int(n), len(buf))], nil
}

// readNamespace finds the namespace of a file of nsfs.
func (f *fdFact) readNamespace(p *Process) {
	fd, err := unix.Openat(int(p.dir.Fd()), fmt.Sprintf("fd/%d", f.n), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		f.err = err
		return
	}
	defer unix.Close(fd)
	if f.nsType == world.NewUser {
		f.user, f.err = p.users.add(fd)
		return
	}
	f.ns = p.users.chain(fd, f.nsType == world.NewPID)
	f.err = f.ns.err
}

// descriptors puts the open files into the world.
func (b *builder) descriptors() {
	t := &b.Task
	t.FDsAt = b.file("fd")
	if b.p.fdErr != nil {
		t.FDsAt = b.Miss(fmt.Sprintf("which descriptors the process has is not known: %v", b.p.fdErr), "run as root")
	}
	t.NoFile.At = b.Miss("RLIMIT_NOFILE of the process is not known", "")
	limits := b.file("limits")
	for i, l := range b.p.limits {
		t.Rlimits[i].At = b.Miss("the limits of the process cannot be read", "")
		if l != nil {
			t.Rlimits[i] = world.Given(*l, limits)
		}
	}
	if l := b.p.limits[unix.RLIMIT_NOFILE]; l != nil {
		t.NoFile = world.Given(int(min(l.Cur, 1<<30)), limits)
	}
	open := 0
	for i := range b.p.fds {
		f := &b.p.fds[i]
		d := world.FD{N: f.n, Flags: openFlags(f.flags), At: b.file(fmt.Sprintf("fd/%d", f.n))}
		d.FlagsAt = b.file(fmt.Sprintf("fdinfo/%d", f.n))
		if !f.known {
			d.FlagsAt = b.Miss(fmt.Sprintf("how descriptor %d was opened is not known", f.n), "run as root")
		}
		at, err := b.place(fmt.Sprintf("fd/%d", f.n))
		if err == nil {
			err = b.kind(&d, f)
		}
		if err != nil {
			d.At = b.Miss(fmt.Sprintf("what descriptor %d leads to is not known: %v", f.n, err), "")
		}
		if d.Path = at; d.Kind == world.FDNamespace {
			d.Path = b.NSPath(d.NS, b.p.view.links[fmt.Sprintf("fd/%d", f.n)])
		}
		t.FDs = append(t.FDs, d)
		if f.n < t.NoFile.V {
			open++
		}
	}
	t.OpenFDs = world.Fact[int]{V: open, At: t.FDsAt}
}

// kind says what a descriptor is that leads to no file of a path. A socket of which nothing is known stays one.
func (b *builder) kind(d *world.FD, f *fdFact) error {
	switch f.kind {
	case world.FDSocket:
		d.Kind = f.kind
		if f.err != nil {
			d.At = b.Miss(fmt.Sprintf("what kind of socket descriptor %d is: %v", f.n, f.err), "run as root")
			return nil
		}
		s := f.socket
		s.NS = b.namespace(world.NetNS, f.sockNS)
		if f.label != "" {
			s.Context = world.Given(f.label, d.At)
		}
		d.Socket = &s
	case world.FDNamespace:
		if f.err != nil {
			return f.err
		}
		d.Kind, d.NS.Type = f.kind, f.nsType
		switch f.nsType {
		case world.NewUser:
			d.NS.ID = f.user
		case world.NewMount:
			id, ok := b.mountNamespace(f.ns)
			if !ok {
				return errors.New("there are more mount namespaces than can be held")
			}
			d.NS.ID = int(id)
		default:
			for k := range world.NumNSKinds {
				if k.Bit() == f.nsType {
					d.NS.ID = int(b.namespace(k, f.ns))
				}
			}
		}
	case world.FDPid:
		for i := range b.p.tasks {
			if t := &b.p.tasks[i]; t.st.pid == f.pid && f.pid > 0 {
				d.Kind, d.PID = f.kind, t.pid
				return nil
			}
		}
		return errors.New("its process has ended, or cannot be seen from the PID namespace")
	}
	return nil
}

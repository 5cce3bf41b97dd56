//go:build linux

package live

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"syscallstory/from/files"
	"syscallstory/story"
	"syscallstory/world"
)

// shown is a mount through which files of a superblock can be read.
type shown struct {
	*mountLine
	in     *space // of a layer: none
	world  world.MountID
	fd     int            // of a layer; else 0, and the root is opened when it is needed
	shift  [2]world.IDMap // of an idmapped mount: from the filesystem's ids to those that it shows
	locked bool           // it could not be opened: another mount covers it
	whole  bool           // it cannot be had without the mounts on it
}

// super is the Source of one superblock: it reads a name through whichever of its mounts shows the place, without crossing into another
// mount and without following links.
type super struct {
	r       *reader
	name    string // what paths of the story begin with
	fstype  string
	userNS  world.UserNSID
	shows   map[string][]*shown // by the root of the mount in the superblock
	same    map[identity]world.InodeID
	self    string // of a proc filesystem: the task's own process and thread in it, 12/14; empty where it has none
	asked   bool   // self was looked for
	slow    bool   // a server or a process answers, perhaps never
	silent  bool   // it did not
	private bool   // a layer of an overlay, which a story names by its own path
}

type identity struct {
	major, minor uint32
	ino          uint64
}

// reader is what the sources of one world share.
type reader struct {
	w     *world.World
	users *userTree
	st    *status
	jump  func(s *super, p string) // asked for links of /proc that jump
	open  map[*shown]int
	bared map[*shown]int                    // copies without the mounts on them
	cover map[world.DentryID]world.DentryID // what is mounted on a name
	exes  map[identity]bool                 // files that some process executes

	allExes bool // every process was seen
}

// maxOpen bounds the mounts that are held open.
const maxOpen = 256

const resolve = unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_BENEATH

var (
	errCovered = errors.New("another mount covers it")
	errSilent  = errors.New("its filesystem does not answer")
)

// openBelow opens a place below a directory, in pieces where the path is longer than the kernel takes.
func openBelow(dir int, rel string, how uint64) (int, error) {
	rel = strings.TrimPrefix(rel, "/")
	at := dir
	defer func() {
		if at != dir {
			unix.Close(at)
		}
	}()
	for {
		piece, rest := rel, ""
		if len(rel) > 4000 {
			i := strings.LastIndexByte(rel[:4000], '/')
			if i < 0 {
				return -1, unix.ENAMETOOLONG
			}
			piece, rest = rel[:i], strings.TrimLeft(rel[i:], "/")
		}
		fd, err := -1, error(nil)
		if piece == "" {
			fd, err = unix.FcntlInt(uintptr(at), unix.F_DUPFD_CLOEXEC, 0)
		} else {
			for try := 0; ; try++ {
				fd, err = unix.Openat2(at, piece, &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: how})
				if err != unix.EAGAIN && err != unix.EINTR || try > 20 { // EAGAIN: something was renamed meanwhile
					break
				}
			}
		}
		if err != nil || rest == "" {
			return fd, err
		}
		if at != dir {
			unix.Close(at)
		}
		at, rel = fd, rest
	}
}

// mount opens the root of a mount.
func (r *reader) mount(m *shown) (int, error) {
	if m.fd != 0 {
		return m.fd, nil
	}
	if fd, ok := r.open[m]; ok {
		return fd, nil
	}
	if m.locked {
		return -1, errCovered
	}
	fd, err := openBelow(int(m.in.view.root.Fd()), m.point, resolve&^unix.RESOLVE_NO_XDEV)
	if err != nil {
		return -1, err
	}
	if id, err := mountID(fd); err != nil || id != m.id {
		unix.Close(fd)
		m.locked = true
		return -1, errCovered
	}
	if len(r.open) >= maxOpen {
		r.close()
	}
	r.open[m] = fd
	return fd, nil
}

// bare opens the root of a mount as it is without others on it.
func (r *reader) bare(m *shown) (int, error) {
	if m.fd != 0 || m.whole {
		return -1, errCovered
	}
	if fd, ok := r.bared[m]; ok {
		return fd, nil
	}
	fd, err := r.mount(m)
	if err == nil {
		fd, err = alone(m.in.dir, fd)
	}
	if err != nil {
		m.whole = true
		return -1, errCovered
	}
	r.bared[m] = fd
	return fd, nil
}

// close closes the mounts that are held open.
func (r *reader) close() {
	for m, fd := range r.bared {
		unix.Close(fd)
		delete(r.bared, m)
	}
	for m, fd := range r.open {
		unix.Close(fd)
		delete(r.open, m)
	}
}

// mountID returns the id that mountinfo shows for the mount of a descriptor.
func mountID(fd int) (int, error) {
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_MNT_ID, &st); err != nil {
		return 0, err
	}
	if st.Mask&unix.STATX_MNT_ID == 0 {
		return 0, unix.ENOSYS
	}
	return int(st.Mnt_id), nil
}

// find opens a path of the superblock. The mounts that show the least of it come first: the fewest others lie on their way. What a mount
// covers is looked for in a copy of the one below it.
func (s *super) find(p string) (fd int, m *shown, err error) {
	if fd, m, err = s.through(p, s.r.mount); err == errCovered {
		fd, m, err = s.through(p, s.r.bare)
	}
	return fd, m, err
}

func (s *super) through(p string, root func(*shown) (int, error)) (fd int, found *shown, err error) {
	err = errCovered
	s.each(p, func(m *shown, rel string) bool {
		dir, e := root(m)
		if e == nil {
			fd, e = openBelow(dir, rel, resolve)
		}
		switch e {
		case nil, unix.ENOENT, unix.ENAMETOOLONG:
			found, err = m, e
			return false
		case unix.EXDEV, errCovered:
		default:
			err = e
		}
		return true
	})
	return fd, found, err
}

// each visits mounts that show a path, with the way from their roots, until one will do. Idmapped mounts come last: not every id shows in them.
func (s *super) each(p string, visit func(m *shown, rel string) bool) {
	for _, idmapped := range [2]bool{false, true} {
		for i := len(p); i >= 0; i-- {
			if i < len(p) && p[i] != '/' {
				continue
			}
			root := p[:i]
			if i == 0 || p == "/" {
				root = "/"
			}
			tries := 0
			for _, m := range s.shows[root] {
				if m.idmapped != idmapped {
					continue
				}
				if tries++; tries > 4 || !visit(m, strings.TrimPrefix(p[min(i, len(p)):], "/")) {
					if tries > 4 {
						break
					}
					return
				}
			}
			if root == "/" {
				break
			}
		}
	}
}

// Lookup reads one name.
func (s *super) Lookup(fs *world.FS, dir world.DentryID, name string) (world.DentryID, world.State) {
	p := fs.Path(dir)
	if p != "/" {
		p += "/"
	}
	p += name
	if !fs.I(dir).Is(world.TypeDir) {
		return 0, world.Absent
	}
	ino, id, err := s.read(p)
	switch {
	case err == unix.ENOENT, err == unix.ENAMETOOLONG:
		return 0, world.Absent
	case err != nil:
		return fs.Add(dir, name, world.Inode{At: s.miss(p, err)}), world.Unsure
	}
	if ino.Nlink < 2 || ino.Is(world.TypeDir) || s.fstype == "proc" {
		return fs.Add(dir, name, ino), world.Present
	}
	if known, ok := s.same[id]; ok {
		return fs.Link(dir, name, known), world.Present
	}
	d := fs.Add(dir, name, ino)
	s.same[id] = fs.D(d).Inode
	return d, world.Present
}

// Read fills in the inode of a mount point or of a mount's root.
func (s *super) Read(fs *world.FS, d world.DentryID) {
	p := fs.Path(d)
	sb := fs.Peek(d).SB
	ino, _, err := s.read(p)
	if err != nil {
		ino = world.Inode{At: s.miss(p, err)}
		if top := s.r.cover[d]; err == errCovered && top != 0 && fs.I(top).Is(world.TypeDir) { // a directory is mounted on a directory only
			ino.Mode, ino.Known = world.TypeDir, world.KnownType
		}
	}
	ino.SB = sb
	*fs.Peek(d) = ino
}

// List lists a directory's names.
func (s *super) List(fs *world.FS, dir world.DentryID) ([]string, bool) {
	if s.slow {
		return nil, false
	}
	fd, _, err := s.find(fs.Path(dir))
	if err != nil {
		return nil, false
	}
	defer unix.Close(fd)
	rd, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false
	}
	f := os.NewFile(uintptr(rd), s.name)
	defer f.Close()
	names, err := f.Readdirnames(maxNames + 1)
	if err != nil && len(names) > 0 || len(names) > maxNames {
		return nil, false
	}
	return names, true
}

// maxNames bounds the names of one directory that are listed.
const maxNames = 1 << 16

// read reads the attributes of a path of the superblock. A filesystem whose answer others give gets two seconds.
func (s *super) read(p string) (world.Inode, identity, error) {
	if s.fstype == "autofs" {
		return world.Inode{}, identity{}, errors.New("looking there would mount something")
	}
	if !s.slow {
		return s.readNow(p)
	}
	if s.silent {
		return world.Inode{}, identity{}, errSilent
	}
	type answer struct {
		ino world.Inode
		id  identity
		err error
	}
	ch := make(chan answer, 1)
	dir, m, rel, err := s.first(p)
	if err != nil {
		return world.Inode{}, identity{}, err
	}
	go func() { // it touches nothing of the world: it may come back much later
		defer unix.Close(dir)
		fd, err := openBelow(dir, rel, resolve)
		if err != nil {
			ch <- answer{err: err}
			return
		}
		defer unix.Close(fd)
		ino, st, err := files.Inode(world.New(), fd, p)
		if err != nil {
			ch <- answer{err: err}
			return
		}
		ch <- answer{ino, identity{st.Dev_major, st.Dev_minor, st.Ino}, nil}
	}()
	select {
	case a := <-ch:
		if a.err == nil {
			s.complete(p, m, a.id, &a.ino)
		}
		return a.ino, a.id, a.err
	case <-time.After(2 * time.Second):
		s.silent = true
		return world.Inode{}, identity{}, errSilent
	}
}

func (s *super) readNow(p string) (world.Inode, identity, error) {
	fd, m, err := s.find(p)
	if err != nil {
		return world.Inode{}, identity{}, err
	}
	defer unix.Close(fd)
	ino, st, err := files.Inode(s.r.w, fd, p)
	if err != nil {
		return world.Inode{}, identity{}, err
	}
	id := identity{st.Dev_major, st.Dev_minor, st.Ino}
	s.complete(p, m, id, &ino)
	return ino, id, nil
}

// complete makes an inode of the world from what was read through a mount.
func (s *super) complete(p string, m *shown, id identity, ino *world.Inode) {
	s.translate(ino, m)
	if s.fstype == "proc" {
		s.procInode(p, ino)
	}
	if ino.Is(world.TypeDir) && strings.HasSuffix(p, deletedRoot) {
		ino.Attr |= world.AttrRemoved
		ino.Whole = true
	}
	if x, state := ino.Xattr(world.XattrSELinux); labelled() && state != world.Unsure {
		ino.Context, ino.Known = strings.TrimRight(x.Value, "\x00"), ino.Known|world.KnownContext
	}
	switch {
	case s.r.exes[id]:
		ino.Attr |= world.AttrExecuting
	case !s.r.allExes && ino.Is(world.TypeReg) && ino.Mode&0o111 != 0:
		ino.Attr |= world.AttrMayRun
	}
	ino.At = s.r.w.Add(story.Place{Text: "statx " + s.place(p, m)})
}

// first returns a descriptor of the first mount that shows a path, for the caller to close, and the way from there.
func (s *super) first(p string) (fd int, found *shown, rel string, err error) {
	err = errCovered
	s.each(p, func(m *shown, way string) bool {
		dir, e := s.r.mount(m)
		if e == nil {
			fd, e = unix.FcntlInt(uintptr(dir), unix.F_DUPFD_CLOEXEC, 0)
		}
		found, rel, err = m, way, e
		return e != nil
	})
	return fd, found, rel, err
}

// place is the path of a file for the story.
func (s *super) place(p string, m *shown) string {
	if s.private {
		return strings.TrimSuffix(s.name, "/") + p
	}
	return fmt.Sprintf("/proc/%d/root%s%s", m.in.pid, strings.TrimSuffix(m.point, "/"), strings.TrimPrefix(p, strings.TrimSuffix(m.root, "/")))
}

// miss says why a file is not known.
func (s *super) miss(p string, err error) story.Origin {
	settles := ""
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		settles = "run as root to read it"
	}
	at := s.name + p
	for _, list := range s.shows {
		if len(list) > 0 && !s.private && strings.HasPrefix(p, strings.TrimSuffix(list[0].root, "/")) {
			at = s.place(p, list[0])
			break
		}
	}
	return s.r.w.Miss(fmt.Sprintf("%q cannot be read: %v", at, err), settles)
}

// translate turns ids as the kernel has shown them through a mount into the filesystem's own, as the initial user namespace counts.
func (s *super) translate(ino *world.Inode, m *shown) {
	back := func(which int, id uint32) (uint32, bool) {
		k, ok := s.r.users.kid(which, id)
		if !ok || m.shift[which] == nil {
			return k, ok
		}
		in, ok := m.shift[which].Up(k)
		if !ok { // an id that the map does not have is shown as the overflow id, and stays without a place
			return world.Invalid, k == world.Overflow
		}
		ns := &s.r.w.UserNS[s.userNS]
		if which == 0 {
			return ns.UIDs.Down(in)
		}
		return ns.GIDs.Down(in)
	}
	uid, ok := back(0, uint32(ino.UID))
	gid, also := back(1, uint32(ino.GID))
	ino.UID, ino.GID = world.KUID(uid), world.KGID(gid)
	if !ok || !also || m.idmapped && m.shift[0] == nil {
		ino.Known &^= world.KnownOwner
	}
	if c := ino.Caps; c != nil && c.Version == 3 {
		caps := *c
		root, ok := back(0, uint32(c.Root))
		if caps.Root = world.KUID(root); !ok || m.idmapped && m.shift[0] == nil {
			ino.Known &^= world.KnownCaps
		}
		ino.Caps = &caps
	}
	ino.ACL = slices.Clone(ino.ACL)
	for i := range ino.ACL {
		e := &ino.ACL[i]
		if e.Tag != world.ACLUser && e.Tag != world.ACLGroup {
			continue
		}
		which := 0
		if e.Tag == world.ACLGroup {
			which = 1
		}
		if e.ID, ok = back(which, e.ID); !ok || m.idmapped && m.shift[0] == nil {
			ino.Known &^= world.KnownACL
		}
	}
}

// findSelf finds the task's own ids in a proc filesystem, which counts as the PID namespace that it was mounted in.
func (s *super) findSelf() {
	if s.asked {
		return
	}
	s.asked = true
	for i, pid := range s.r.st.nspid {
		fd, _, err := s.find(fmt.Sprintf("/%d", pid))
		if err != nil {
			continue
		}
		dir := os.NewFile(uintptr(fd), "proc")
		text, err := readAt(dir, "status", 1<<16)
		dir.Close()
		st := status{}
		if err == nil && st.parse(text) == nil && slices.Equal(st.nspid, s.r.st.nspid[i:]) && i < len(s.r.st.nstgid) {
			s.self = fmt.Sprintf("%d/%d", s.r.st.nstgid[i], pid)
			return
		}
	}
}

// procInode marks the links of /proc that jump, and the directories of tasks, which are immutable (proc_pid_instantiate). Links that name the
// reader get the task's own id.
func (s *super) procInode(p string, ino *world.Inode) {
	parts := strings.Split(strings.TrimPrefix(p, "/"), "/")
	if ino.Is(world.TypeDir) {
		_, err := strconv.Atoi(parts[len(parts)-1])
		if err == nil && (len(parts) == 1 || len(parts) == 3 && parts[1] == "task") {
			ino.Attr |= world.AttrImmutable
		}
	}
	if !ino.Is(world.TypeLink) {
		return
	}
	if len(parts) == 1 {
		if parts[0] != "self" && parts[0] != "thread-self" {
			return
		}
		switch s.findSelf(); {
		case s.self == "":
			ino.Link = ""
			ino.Magic = true // it answers ENOENT to a task that has no id there: left unknown
		case parts[0] == "self":
			ino.Link, _, _ = strings.Cut(s.self, "/")
		default:
			ino.Link = strings.Replace(s.self, "/", "/task/", 1)
		}
		return
	}
	if _, err := strconv.Atoi(parts[0]); err != nil {
		return
	}
	if len(parts) > 3 && parts[1] == "task" {
		parts = parts[2:]
	}
	switch {
	case len(parts) == 2 && (parts[1] == "exe" || parts[1] == "cwd" || parts[1] == "root"),
		len(parts) == 3 && (parts[1] == "fd" || parts[1] == "ns" || parts[1] == "map_files"):
		ino.Magic, ino.Link = true, ""
		if s.r.jump != nil {
			s.r.jump(s, p)
		}
	}
}

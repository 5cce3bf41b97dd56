package files

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"syscallstory/story"
	"syscallstory/world"
)

// dir is a Source that reads a directory of this machine, name by name, without following any link.
type dir struct {
	w    *world.World
	base string
	fd   int
	file *os.File // holds fd open as long as the source lives
	spec string
	over map[string]entry
	same map[identity]world.InodeID // of files that have several names
}

// identity is what two names of one file have in common.
type identity struct {
	major, minor uint32
	ino          uint64
}

// Dir makes a filesystem from a directory of this machine. What a name's attributes are is read when it is looked up. spec,
// if there is one, gives owners and modes for what lost them in a copy.
func Dir(w *world.World, sb world.SB, base, specFile string, spec []byte) (world.SBID, error) {
	st, err := os.Stat(base)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", base, errors.Unwrap(err))
	}
	if !st.IsDir() {
		return 0, fmt.Errorf("%s: it is not a directory", base)
	}
	fd, err := unix.Open(base, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", base, err)
	}
	s := &dir{w: w, base: filepath.Clean(base), fd: fd, file: os.NewFile(uintptr(fd), base), spec: specFile, over: map[string]entry{}, same: map[identity]world.InodeID{}}
	if spec != nil {
		entries, err := parseSpec(specFile, spec)
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			s.over[e.name] = e
		}
		w.Sources = append(w.Sources, story.Source{File: specFile, First: 1, Lines: strings.Split(string(spec), "\n")})
	}
	sb.Source = s
	root, _, ok := s.read("/")
	if !ok {
		return 0, fmt.Errorf("%s: it cannot be read", base)
	}
	return w.FS.NewSB(sb, root), nil
}

// Lookup reads one name.
func (s *dir) Lookup(fs *world.FS, d world.DentryID, name string) (world.DentryID, world.State) {
	p := fs.Path(d)
	if p != "/" {
		p += "/"
	}
	p += name
	if !fs.I(d).Is(world.TypeDir) {
		return 0, world.Absent
	}
	ino, id, ok := s.read(p)
	if !ok {
		if s.missing(p) {
			return 0, world.Absent
		}
		return 0, world.Unsure
	}
	if _, own := s.over[p]; own || ino.Nlink < 2 || ino.Is(world.TypeDir) {
		return fs.Add(d, name, ino), world.Present
	}
	if known, ok := s.same[id]; ok {
		return fs.Link(d, name, known), world.Present
	}
	added := fs.Add(d, name, ino)
	s.same[id] = fs.D(added).Inode
	return added, world.Present
}

// missing reports whether the name is known not to be there.
func (s *dir) missing(p string) bool {
	var st unix.Stat_t
	err := unix.Fstatat(s.fd, "."+p, &st, unix.AT_SYMLINK_NOFOLLOW)
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENAMETOOLONG)
}

// read reads the attributes of a path whose parents are no links.
func (s *dir) read(p string) (world.Inode, identity, bool) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(s.fd, "."+p, &how)
	if err != nil {
		return world.Inode{}, identity{}, false
	}
	defer unix.Close(fd)
	ino, st, err := Inode(s.w, fd, p)
	if err != nil {
		return world.Inode{}, identity{}, false
	}
	full := filepath.Join(s.base, p)
	place := story.Place{Text: "lstat " + full}
	if e, ok := s.over[p]; ok {
		place = story.Place{File: s.spec, Line: e.line, Col: 1, Text: "the node file's list of owners"}
		if e.have&world.KnownPerm != 0 {
			ino.Mode = ino.Mode&world.TypeMask | e.ino.Mode&0o7777
		}
		if e.uid {
			ino.UID = e.ino.UID
		}
		if e.gid {
			ino.GID = e.ino.GID
		}
		if e.have&world.KnownAttr != 0 {
			ino.Attr, ino.Known = e.ino.Attr, ino.Known|world.KnownAttr
		}
		if e.have&world.KnownACL != 0 {
			ino.ACL, ino.Known = e.ino.ACL, ino.Known|world.KnownACL
		}
		if e.have&world.KnownContext != 0 {
			ino.Context, ino.Known = e.ino.Context, ino.Known|world.KnownContext
		}
		if e.have&world.KnownCaps != 0 {
			ino.Caps, ino.Known = e.ino.Caps, ino.Known|world.KnownCaps
		}
	}
	if ino.Is(world.TypeReg) && ino.Mode&0o111 != 0 && ino.Program == nil { // the specification has made it executable
		ino.Program = readProgram(fmt.Sprintf("/proc/self/fd/%d", fd))
	}
	ino.At = s.w.Add(place)
	return ino, identity{st.Dev_major, st.Dev_minor, st.Ino}, true
}

// Inode reads what an O_PATH descriptor leads to; name is how a story calls it. The caller says where the attributes come from.
func Inode(w *world.World, fd int, name string) (world.Inode, *unix.Statx_t, error) {
	st := new(unix.Statx_t)
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_NO_AUTOMOUNT, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, st); err != nil {
		return world.Inode{}, nil, err
	}
	ino := world.Inode{Mode: st.Mode, UID: world.KUID(st.Uid), GID: world.KGID(st.Gid), Nlink: st.Nlink, Size: int64(st.Size), Major: st.Rdev_major, Minor: st.Rdev_minor,
		Known: world.KnownType | world.KnownPerm | world.KnownOwner | world.KnownSize}
	ino.Dense, ino.Blank = ino.Is(world.TypeReg) && st.Blocks*512 >= st.Size, ino.Is(world.TypeReg) && st.Blocks == 0
	if st.Attributes_mask&unix.STATX_ATTR_IMMUTABLE != 0 {
		ino.Known |= world.KnownAttr
		if st.Attributes&unix.STATX_ATTR_IMMUTABLE != 0 {
			ino.Attr |= world.AttrImmutable
		}
		if st.Attributes&unix.STATX_ATTR_APPEND != 0 {
			ino.Attr |= world.AttrAppend
		}
	}
	proc := fmt.Sprintf("/proc/self/fd/%d", fd)
	readXattrs(proc, &ino)
	readMarks(proc, &ino)
	switch ino.Type() {
	case world.TypeLink:
		buf := make([]byte, 4096)
		n, err := unix.Readlinkat(fd, "", buf)
		if err != nil && err != unix.ENOENT { // proc_exe_link: a thread of the kernel has the link all the same
			return world.Inode{}, nil, err
		}
		ino.Link = string(buf[:max(n, 0)])
		ino.Known |= world.KnownACL
	case world.TypeChar:
		ino.Whited = st.Rdev_major == 0 && st.Rdev_minor == 0
		ino.Known |= world.KnownACL
	default:
		if acl, ok := readACL(proc); ok {
			ino.ACL = acl
			ino.Known |= world.KnownACL
		}
	}
	if ino.Is(world.TypeReg) {
		if caps, ok := readCaps(proc); ok {
			ino.Caps = caps
			ino.Known |= world.KnownCaps
		}
		if ino.Mode&0o111 != 0 {
			ino.Program = readProgram(proc)
		}
	} else {
		ino.Known |= world.KnownCaps
	}
	return ino, st, nil
}

// readACL reads an access ACL. No ACL is an answer, no support for them too.
func readACL(p string) ([]world.ACLEntry, bool) {
	buf := make([]byte, 4096)
	n, err := unix.Getxattr(p, "system.posix_acl_access", buf)
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.EOPNOTSUPP):
		return nil, true
	case err != nil:
		return nil, false
	}
	return decodeACL(buf[:n])
}

// decodeACL reads the kernel's form of an access ACL.
func decodeACL(b []byte) ([]world.ACLEntry, bool) {
	acl, ok := entries(b)
	if len(acl) == 3 {
		return nil, ok // nothing beyond the mode bits
	}
	return acl, ok
}

// ReadFile reads a file below the base of a directory, confined to it.
func ReadFile(base, p string, limit int64) ([]byte, error) {
	root, err := os.OpenRoot(base)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(strings.TrimPrefix(p, "/"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: it is not a regular file", p)
	}
	if st.Size() > limit {
		return nil, fmt.Errorf("%s: it has %d bytes, at most %d are read", p, st.Size(), limit)
	}
	b := make([]byte, st.Size())
	n, err := f.ReadAt(b, 0)
	if int64(n) != st.Size() && err != nil {
		return nil, err
	}
	return b[:n], nil
}

// List lists a directory's names.
func (s *dir) List(fs *world.FS, d world.DentryID) ([]string, bool) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(s.fd, "."+fs.Path(d), &how)
	if err != nil {
		return nil, false
	}
	f := os.NewFile(uintptr(fd), s.base)
	defer f.Close()
	names, err := f.Readdirnames(-1)
	return names, err == nil
}

// Base returns the directory.
func (s *dir) Base() (string, bool) { return s.base, len(s.over) > 0 }

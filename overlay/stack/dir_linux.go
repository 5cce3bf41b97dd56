package stack

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"syscallstory/world"
)

// directory is a layer that is a directory of this machine. Of the directories above the names that are asked for one is kept
// open, as they are asked for together.
type directory struct {
	name string
	root int
	dir  string // whose descriptor is open
	fd   int
	user bool // the marks are user.overlay.*
	last string
	seen *Object // what was asked for last: lookup and those who use what it finds ask for the same
}

// Dir opens a directory as a layer. Without what is mounted in it if that is allowed, as overlayfs sees it.
func Dir(name string, userxattr bool) (Layer, error) {
	root, err := unix.OpenTree(unix.AT_FDCWD, name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		root, err = unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("layer %s: %w", name, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(root, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		unix.Close(root)
		return nil, fmt.Errorf("layer %s: it is not a directory", name)
	}
	return &directory{name: name, root: root, fd: -1, user: userxattr}, nil
}

func (l *directory) Close() {
	if l.fd >= 0 {
		unix.Close(l.fd)
	}
	unix.Close(l.root)
}

// open opens a directory of the layer; no link is followed.
func (l *directory) open(dir string, flags uint64) (int, error) {
	if dir == "" {
		dir = "."
	}
	how := unix.OpenHow{Flags: flags | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV}
	return unix.Openat2(l.root, dir, &how)
}

// above returns a descriptor of the directory that holds a path; -1 where there is none.
func (l *directory) above(dir string) (int, error) {
	if l.fd >= 0 && l.dir == dir {
		return l.fd, nil
	}
	fd, err := l.open(dir, unix.O_PATH)
	switch {
	case gone(err):
		return -1, nil
	case err != nil:
		return -1, fmt.Errorf("layer %s: /%s: %w", l.name, dir, err)
	}
	if l.fd >= 0 {
		unix.Close(l.fd)
	}
	l.fd, l.dir = fd, dir
	return fd, nil
}

// gone reports whether there is no such name.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENAMETOOLONG) || errors.Is(err, unix.ELOOP)
}

func (l *directory) Object(p string) (*Object, error) {
	if l.seen != nil && l.last == p {
		return l.seen, nil
	}
	o, err := l.read(p)
	l.last, l.seen = p, o
	return o, err
}

// read asks the filesystem.
func (l *directory) read(p string) (*Object, error) {
	dir, base := path.Split(p)
	fd, err := l.root, error(nil)
	if base != "" {
		if fd, err = l.above(strings.TrimSuffix(dir, "/")); err != nil || fd < 0 {
			return nil, err
		}
	}
	var st unix.Stat_t
	flags := unix.AT_SYMLINK_NOFOLLOW
	if base == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	switch err := unix.Fstatat(fd, base, &st, flags); {
	case gone(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("layer %s: /%s: %w", l.name, p, err)
	}
	o := &Object{Type: uint16(st.Mode & unix.S_IFMT), Mode: uint16(st.Mode & 0o7777), UID: st.Uid, GID: st.Gid, Size: st.Size, Allocated: st.Blocks * 512, Links: uint64(st.Nlink), ID: [2]uint64{st.Dev, st.Ino}}
	switch o.Type {
	case world.TypeChar:
		o.Null = st.Rdev == 0
	case world.TypeLink:
		buf := make([]byte, 4096)
		if n, err := unix.Readlinkat(fd, base, buf); err == nil {
			o.Target = string(buf[:n])
		}
	case world.TypeDir:
		o.Size = 0
		l.marks(fd, base, o)
	case world.TypeReg: // a copy of attributes has holes only, a whiteout nothing
		if o.Size == 0 || o.Allocated < o.Size {
			l.marks(fd, base, o)
		}
	}
	return o, nil
}

// marks reads overlayfs's attributes.
func (l *directory) marks(fd int, base string, o *Object) {
	p := fmt.Sprintf("/proc/self/fd/%d/%s", fd, base)
	var list [2048]byte
	n, err := unix.Llistxattr(p, list[:])
	if err != nil || n == 0 {
		return
	}
	prefix := "trusted.overlay."
	if l.user {
		prefix = "user.overlay."
	}
	for attr := range strings.SplitSeq(string(list[:n]), "\x00") {
		name, ok := strings.CutPrefix(attr, prefix)
		if !ok {
			continue
		}
		val := make([]byte, 4096)
		n, err := unix.Lgetxattr(p, attr, val)
		if err != nil {
			continue
		}
		switch {
		case name == "opaque" && n == 1:
			o.Marks.Opaque = val[0]
		case name == "redirect":
			if o.Marks.Redirect = string(val[:n]); n == 0 {
				o.Marks.Redirect = "//" // there, and no path
			}
		case name == "metacopy":
			o.Marks.Metacopy = true
		case name == "whiteout":
			o.Marks.Whiteout = true
		}
	}
}

func (l *directory) Names(dir string) ([]string, error) {
	fd, err := l.open(dir, unix.O_RDONLY)
	switch {
	case gone(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("layer %s: /%s: %w", l.name, dir, err)
	}
	f := os.NewFile(uintptr(fd), l.name)
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("layer %s: /%s: %w", l.name, dir, err)
	}
	return names, nil
}

package files

import (
	"golang.org/x/sys/unix"

	"syscallstory/world"
)

// readMarks reads what overlayfs has written into a layer's object. Marks of the trusted kind show to CAP_SYS_ADMIN only.
func readMarks(p string, ino *world.Inode) {
	if !ino.Is(world.TypeDir) && !ino.Is(world.TypeReg) {
		return
	}
	for _, x := range ino.Xattrs {
		const trusted, user = "trusted.overlay.", "user.overlay."
		switch {
		case len(x.Name) > len(trusted) && x.Name[:len(trusted)] == trusted:
			ino.Marks = mark(ino.Marks, p, x.Name, x.Name[len(trusted):])
		case len(x.Name) > len(user) && x.Name[:len(user)] == user:
			ino.UserMarks = mark(ino.UserMarks, p, x.Name, x.Name[len(user):])
		}
	}
}

// mark adds one attribute to the marks.
func mark(m *world.Marks, p, attr, name string) *world.Marks {
	if m == nil {
		m = &world.Marks{}
	}
	switch name {
	case "opaque": // ovl_get_dir_xattr_val: one byte, or it does not count
		var b [2]byte
		if n, err := unix.Getxattr(p, attr, b[:]); err == nil && n == 1 {
			m.Opaque = b[0]
		}
	case "redirect":
		b := make([]byte, 4096)
		if n, err := unix.Getxattr(p, attr, b); err == nil {
			m.Redirect = string(b[:n])
			if n == 0 {
				m.Redirect = "//" // there, and no path: EINVAL
			}
		}
	case "metacopy":
		m.Metacopy = true
	case "origin":
		m.Traced = true
	case "impure":
		m.Impure = true
	case "whiteout":
		m.Whiteout = true
	}
	return m
}

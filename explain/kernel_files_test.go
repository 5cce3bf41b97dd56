package explain_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"syscallstory/from/files"
	"syscallstory/world"
)

// makeFiles makes the files of a list, one a line: type, name, mode, owner, then what else there is: to=TARGET of a link,
// dev=MAJOR:MINOR, size=BYTES, flags=i or a (chattr), acl=ACL, and overlayfs's marks by their names.
func makeFiles(dir, list string) error {
	for _, line := range strings.Split(list, "\n") {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if err := makeFile(dir, f); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	return nil
}

func makeFile(dir string, f []string) error {
	p := filepath.Join(dir, f[1])
	mode, err := strconv.ParseUint(f[2], 8, 32)
	if err != nil {
		return err
	}
	var uid, gid int
	if _, err := fmt.Sscanf(f[3], "%d:%d", &uid, &gid); err != nil {
		return err
	}
	more := map[string]string{}
	for _, kv := range f[4:] {
		k, v, _ := strings.Cut(kv, "=")
		more[k] = v
	}
	switch f[0] {
	case "dir":
		if f[1] != "." {
			err = unix.Mkdir(p, uint32(mode))
		}
	case "file":
		size := 1
		if s := more["size"]; s != "" {
			if size, err = strconv.Atoi(s); err != nil {
				return err
			}
		}
		err = os.WriteFile(p, make([]byte, size), os.FileMode(mode))
	case "hard":
		return os.Link(filepath.Join(dir, more["to"]), p)
	case "link":
		err = os.Symlink(more["to"], p)
	case "char":
		var major, minor uint32
		if _, err := fmt.Sscanf(more["dev"], "%d:%d", &major, &minor); err != nil {
			return err
		}
		err = unix.Mknod(p, unix.S_IFCHR|uint32(mode), int(unix.Mkdev(major, minor)))
	case "fifo":
		err = unix.Mknod(p, unix.S_IFIFO|uint32(mode), 0)
	case "sock":
		err = unix.Mknod(p, unix.S_IFSOCK|uint32(mode), 0)
	default:
		err = fmt.Errorf("unknown type %s", f[0])
	}
	if err != nil {
		return err
	}
	if err := os.Lchown(p, uid, gid); err != nil {
		return err
	}
	if f[0] == "link" {
		return nil
	}
	if err := unix.Chmod(p, uint32(mode)); err != nil { // chown has cleared what it had to
		return err
	}
	if acl := more["acl"]; acl != "" {
		if err := setACL(p, acl); err != nil {
			return err
		}
	}
	for _, name := range []string{"trusted.overlay.opaque", "user.overlay.opaque", "trusted.overlay.redirect"} {
		if v, ok := more[name]; ok {
			if err := unix.Setxattr(p, name, []byte(v), 0); err != nil {
				return err
			}
		}
	}
	switch more["flags"] {
	case "i":
		return setFlags(p, 0x10) // FS_IMMUTABLE_FL
	case "a":
		return setFlags(p, 0x20) // FS_APPEND_FL
	}
	return nil
}

// setACL sets the access ACL of a file, as files.ParseACL reads it.
func setACL(p, text string) error {
	acl, err := files.ParseACL(text)
	if err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range acl {
		id := e.ID
		if e.Tag != world.ACLUser && e.Tag != world.ACLGroup {
			id = ^uint32(0)
		}
		b = binary.LittleEndian.AppendUint16(b, [...]uint16{1, 2, 4, 8, 16, 32}[e.Tag])
		b = binary.LittleEndian.AppendUint16(b, uint16(e.Perm))
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	return unix.Setxattr(p, "system.posix_acl_access", b, 0)
}

// setFlags is chattr(1).
func setFlags(p string, flags uint32) error {
	fd, err := unix.Open(p, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(flags))
}

package explain_test

import (
	"encoding/binary"
	"encoding/hex"
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
// dev=MAJOR:MINOR, size=BYTES, flags=i or a (chattr), acl=ACL, caps=HEX (security.capability), and overlayfs's marks by their
// names. A prog is a program, as program makes it.
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
	case "char", "block":
		var major, minor uint32
		if _, err := fmt.Sscanf(more["dev"], "%d:%d", &major, &minor); err != nil {
			return err
		}
		kind := map[string]uint32{"char": unix.S_IFCHR, "block": unix.S_IFBLK}[f[0]]
		err = unix.Mknod(p, kind|uint32(mode), int(unix.Mkdev(major, minor)))
	case "prog":
		err = os.WriteFile(p, program(more), os.FileMode(mode))
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
	if caps := more["caps"]; caps != "" {
		b, err := hex.DecodeString(caps)
		if err != nil {
			return err
		}
		if err := unix.Setxattr(p, "security.capability", b, 0); err != nil {
			return err
		}
	}
	if acl := more["default"]; acl != "" {
		if err := setACLAs(p, "system.posix_acl_default", acl); err != nil {
			return err
		}
	}
	for name, v := range more {
		switch ns, _, _ := strings.Cut(name, "."); {
		case name == world.XattrCaps:
			v = fileCaps(v)
		case ns != "user" && ns != "trusted" && ns != "security":
			continue
		}
		if err := unix.Lsetxattr(p, name, []byte(v), 0); err != nil {
			return fmt.Errorf("%s: %w", name, err)
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

// fileCaps is the value of security.capability with CAP_NET_RAW: of version 2, or of version 3 with the uid of a root.
func fileCaps(root string) string {
	b := []byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if root != "" {
		uid, _ := strconv.Atoi(root)
		b[3] = 3
		b = binary.LittleEndian.AppendUint32(b, uint32(uid))
	}
	return string(b)
}

// setACL sets the access ACL of a file, as files.ParseACL reads it.
func setACL(p, text string) error { return setACLAs(p, "system.posix_acl_access", text) }

func setACLAs(p, name, text string) error {
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
	return unix.Setxattr(p, name, b, 0)
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

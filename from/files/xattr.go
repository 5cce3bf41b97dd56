package files

import (
	"errors"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"syscallstory/world"
)

// maxContext is the most that is read of a file's SELinux context.
const maxContext = 4096

// readXattrs reads the names and sizes of a file's attributes and a directory's default ACL, through a path that leads to the
// file itself. Values stay where they are, but for file capabilities, which decide what execve does, and SELinux contexts.
func readXattrs(p string, ino *world.Inode) {
	buf := make([]byte, 64<<10)
	n, err := unix.Listxattr(p, buf)
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		n = 0
	case err != nil:
		return
	}
	ino.Known |= world.KnownXattr
	ino.NoTrusted = !seesTrusted()
	for _, name := range strings.Split(string(buf[:n]), "\x00") {
		if name == "" || name == world.XattrAccess || name == world.XattrDefault {
			continue
		}
		value := make([]byte, 64)
		size, err := unix.Getxattr(p, name, nil)
		if err != nil {
			continue
		}
		x := world.Xattr{Name: name, Size: size}
		if name == world.XattrSELinux && size <= maxContext {
			value = make([]byte, size)
		}
		if name == world.XattrCaps || name == world.XattrSELinux {
			if got, err := unix.Getxattr(p, name, value); err == nil {
				x.Value = string(value[:got])
			}
		}
		ino.Xattrs = append(ino.Xattrs, x)
	}
	if !ino.Is(world.TypeDir) {
		ino.Known |= world.KnownDefault
		return
	}
	n, err = unix.Getxattr(p, world.XattrDefault, buf)
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.EOPNOTSUPP):
		ino.Known |= world.KnownDefault
	case err == nil:
		if acl, ok := entries(buf[:n]); ok {
			ino.DefaultACL, ino.Known = acl, ino.Known|world.KnownDefault
		}
	}
}

// seesTrusted reports whether the kernel shows trusted.* attributes to this process: CAP_SYS_ADMIN of the initial user
// namespace.
var seesTrusted = sync.OnceValue(func() bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) != nil || data[0].Effective>>unix.CAP_SYS_ADMIN&1 == 0 {
		return false
	}
	own, err := unix.Open("/proc/self/ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(own)
	var st unix.Stat_t
	return unix.Fstat(own, &st) == nil && st.Ino == initialUserNS
})

// initialUserNS is PROC_USER_INIT_INO.
const initialUserNS = 0xEFFFFFFD

// entries reads every entry of an ACL.
func entries(b []byte) ([]world.ACLEntry, bool) {
	a := world.ACLXattr(b)
	n, ok := a.Len()
	if !ok || a.Version() != 2 {
		return nil, false
	}
	acl := []world.ACLEntry{}
	for i := range n {
		e, ok := a.Entry(i)
		if !ok {
			return nil, false
		}
		acl = append(acl, e)
	}
	return acl, true
}

//go:build linux

package live

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// RealPath follows the links of a path as a process would whose root is that of its mount namespace. Of what is not there, or may not be
// looked at, the rest is left as it is written; there says whether all of it is there, as far as this user can tell.
func RealPath(pid int, name string) (real string, there bool) {
	proc := fmt.Sprintf("/proc/%d/root", pid)
	if root, err := os.Readlink(proc); err != nil || root != "/" || !strings.HasPrefix(name, "/") || strings.Contains(name+"/", "/../") {
		return name, true
	}
	root, err := unix.Open(proc, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return name, true
	}
	defer unix.Close(root)
	rest := ""
	for at := path.Clean(name); ; at = path.Dir(at) {
		fd, err := unix.Openat2(root, at, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
		if err == nil {
			real, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
			unix.Close(fd)
			if err != nil || !strings.HasPrefix(real, "/") {
				return name, true
			}
			return path.Join(real, rest), rest == ""
		}
		if !errors.Is(err, unix.ENOENT) || at == "/" {
			return name, true
		}
		rest = path.Join(path.Base(at), rest)
	}
}

package files

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"syscallstory/world"
)

// readCaps reads a file's capabilities. No attribute is an answer, no support for them too; one that is not valid makes
// execve fail, so that it is kept.
func readCaps(p string) (*world.FileCaps, bool) {
	buf := make([]byte, 64)
	n, err := unix.Getxattr(p, "security.capability", buf)
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.EOPNOTSUPP):
		return nil, true
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ERANGE):
		return &world.FileCaps{}, true
	case err != nil: // EOVERFLOW: for the root of a user namespace that this process cannot express
		return nil, false
	}
	caps, err := world.ParseFileCaps(buf[:n])
	if err != nil {
		caps = world.FileCaps{}
	}
	return &caps, true
}

// readProgram reads what execve sees of a file; nil where it cannot be read.
func readProgram(p string) *world.Program {
	f, err := os.OpenFile(p, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil
	}
	program, err := world.ReadProgram(f)
	if err != nil {
		return nil
	}
	return program
}

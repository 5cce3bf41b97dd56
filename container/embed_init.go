//go:build storyinit

package container

import (
	_ "embed"
	"fmt"

	"golang.org/x/sys/unix"
)

//go:embed embed/story-init
var firstBinary []byte

// firstProgram puts the tiny program that was built for this into a sealed file in memory.
func firstProgram() (path string, closer func(), err error) {
	low, err := unix.MemfdCreate(firstName, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return "", nil, fmt.Errorf("memfd_create: %w", err)
	}
	// The first process finds descriptors of its own at low numbers: this one must not be in their way.
	fd, err := unix.FcntlInt(uintptr(low), unix.F_DUPFD_CLOEXEC, 10)
	unix.Close(low)
	if err != nil {
		return "", nil, err
	}
	closer = func() { unix.Close(fd) }
	for b := firstBinary; len(b) > 0; {
		n, err := unix.Write(fd, b)
		if err != nil {
			closer()
			return "", nil, err
		}
		b = b[n:]
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE); err != nil {
		closer()
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), closer, nil
}

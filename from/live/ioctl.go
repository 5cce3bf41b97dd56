//go:build linux

package live

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioctlPtr makes an ioctl that writes a number.
func ioctlPtr(fd int, req uintptr, into *uint32) error {
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), req, uintptr(unsafe.Pointer(into))); e != 0 {
		return e
	}
	return nil
}

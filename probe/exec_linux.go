package probe

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fprog is struct sock_fprog.
type fprog struct {
	n      uint16
	_      [6]byte
	filter *byte
}

// Exec becomes the task and executes a program. The filters are loaded last, right before execve where no_new_privs is set,
// else before the capabilities are given up, as runc does: a filter that refuses what is called after that (setresuid, capset,
// execve) ends the start with its errno.
func Exec(t *Task, path string, argv, env []string) error {
	runtime.LockOSThread()
	c := &t.Cred
	unix.Umask(int(t.Umask))
	raw := func(nr uintptr, a ...uintptr) error {
		a = append(a, 0, 0, 0, 0, 0)
		if _, _, e := syscall.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], 0); e != 0 {
			return e
		}
		return nil
	}
	for i := uintptr(0); i < 64; i++ {
		if c.Bounding>>i&1 == 0 {
			if err := raw(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, i); err == unix.EINVAL {
				break
			} else if err != nil {
				return fmt.Errorf("PR_CAPBSET_DROP: %w", err)
			}
		}
	}
	install := func() error {
		for _, f := range t.Filters {
			p := fprog{n: uint16(len(f) / 8), filter: &f[0]}
			if err := raw(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&p))); err != nil {
				return fmt.Errorf("seccomp: %w", err)
			}
			runtime.KeepAlive(f)
		}
		return nil
	}
	if !c.NoNewPrivs {
		if err := install(); err != nil {
			return err
		}
	}
	var groups uintptr
	if len(c.Groups) > 0 {
		groups = uintptr(unsafe.Pointer(&c.Groups[0]))
	}
	if err := raw(unix.SYS_SETGROUPS, uintptr(len(c.Groups)), groups); err != nil && len(c.Groups) > 0 {
		return fmt.Errorf("setgroups: %w", err)
	}
	if err := raw(unix.SYS_SETRESGID, uintptr(c.GID), uintptr(c.GID), uintptr(c.GID)); err != nil {
		return fmt.Errorf("setresgid: %w", err)
	}
	if err := raw(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1); err != nil {
		return fmt.Errorf("PR_SET_KEEPCAPS: %w", err)
	}
	if err := raw(unix.SYS_SETRESUID, uintptr(c.UID), uintptr(c.UID), uintptr(c.UID)); err != nil {
		return fmt.Errorf("setresuid: %w", err)
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	permitted := c.Permitted | c.Bounding&c.Ambient
	for i := range data {
		data[i] = unix.CapUserData{Effective: uint32(permitted >> (32 * i)), Permitted: uint32(permitted >> (32 * i)), Inheritable: uint32(c.Inheritable >> (32 * i))}
	}
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	for i := uintptr(0); i < 64; i++ {
		if c.Ambient>>i&1 != 0 {
			if err := raw(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, i); err != nil {
				return fmt.Errorf("PR_CAP_AMBIENT: %w", err)
			}
		}
	}
	if c.NoNewPrivs {
		if err := raw(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
			return fmt.Errorf("PR_SET_NO_NEW_PRIVS: %w", err)
		}
		if err := install(); err != nil {
			return err
		}
	}
	return fmt.Errorf("execve %s: %w", path, unix.Exec(path, argv, env))
}

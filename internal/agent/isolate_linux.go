package agent

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Isolate makes an empty tmpfs the root of an agent that was started in a new mount namespace, and detaches what it saw before.
func (a *Agent) Isolate(options string) error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", a.PID))
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	do := func(what string, nr uintptr, args ...uintptr) error {
		i := a.Add(nr, args...)
		err := a.Run()
		if r := a.B.Orders[i].Ret; err == nil && r < 0 {
			err = fmt.Errorf("%s: %w", what, syscall.Errno(-r))
		}
		a.Reset()
		return err
	}
	if err := do("make / private", unix.SYS_MOUNT, 0, a.Put("/"), 0, unix.MS_REC|unix.MS_PRIVATE, 0); err != nil {
		return err
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if f := strings.Fields(lines[i]); len(f) > 4 && f[4] != "/" && len(f[4]) < 4000 {
			do("", unix.SYS_UMOUNT2, a.Put(f[4]), unix.MNT_DETACH)
		}
	}
	if err := do("mount a tmpfs over /", unix.SYS_MOUNT, a.Put("root"), a.Put("/"), a.Put("tmpfs"), 0, a.Put(options)); err != nil {
		return err
	}
	at := unix.AT_FDCWD
	fd := a.Add(unix.SYS_OPENAT, uintptr(at), a.Put("/.."), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	a.B.Orders[a.Add(unix.SYS_FCHDIR)].Bound[0] = uint16(fd + 1)
	a.Add(unix.SYS_CHROOT, a.Put("."))
	a.B.Orders[a.Add(unix.SYS_CLOSE)].Bound[0] = uint16(fd + 1)
	last := a.Add(unix.SYS_CHDIR, a.Put("/"))
	if err := a.Run(); err != nil {
		return err
	}
	for i := 0; i <= last; i++ {
		if r := a.B.Orders[i].Ret; r < 0 {
			return fmt.Errorf("enter the tmpfs: %w", syscall.Errno(-r))
		}
	}
	a.Reset()
	return nil
}

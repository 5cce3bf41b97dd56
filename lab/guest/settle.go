//go:build linux

package main

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// settle does what remains of a machine's start: names, links of /dev, the loopback interface, limits, the small programs.
func (g *guest) settle() {
	g.miss("host name", unix.Sethostname([]byte("lab")))
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		if err := os.Symlink(target, "/dev/"+name); !errors.Is(err, os.ErrExist) {
			g.miss("/dev/"+name, err)
		}
	}
	g.miss("loopback", loopbackUp())
	// Denials must not be dropped from the log, nor the log flood the console.
	g.miss("log", os.WriteFile("/proc/sys/kernel/printk_ratelimit", []byte("0"), 0))
	// As systemd sets it; the kernel's own hard limit is 4096. The call also tells Go not to restore the old one in children.
	g.miss("limit of descriptors", syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 1024, Max: 524288}))
	g.miss("busybox", installBusybox())
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr)
}

// installBusybox makes a link for each of its programs that is not there as a program of its own.
func installBusybox() error {
	pid, err := syscall.ForkExec("/bin/busybox", []string{"busybox", "--install", "-s"}, &syscall.ProcAttr{Env: guestEnv, Files: []uintptr{0, 1, 2}})
	if err != nil {
		return err
	}
	_, err = waitFor(pid)
	return err
}

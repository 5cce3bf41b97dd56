//go:build linux

package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// mountAt makes the mount point and mounts.
func mountAt(source, at, fstype string, flags uintptr, data string) error {
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(source, at, fstype, flags, data); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", fstype, at, err)
	}
	return nil
}

// mountEarly mounts what the guest itself needs to come up.
func (g *guest) mountEarly() error {
	for _, m := range []struct {
		at, fstype string
		flags      uintptr
	}{{"/proc", "proc", quiet}, {"/sys", "sysfs", quiet}, {"/dev", "devtmpfs", unix.MS_NOSUID}} {
		err := mountAt(m.fstype, m.at, m.fstype, m.flags, "")
		if err != nil && !(m.fstype == "devtmpfs" && os.IsExist(err)) {
			return err
		}
	}
	return nil
}

// mountRest mounts what is mounted on a machine that systemd has started. A kernel without one of these filesystems is
// still good for much.
func (g *guest) mountRest() {
	for _, m := range []struct {
		at, fstype string
		flags      uintptr
		data       string
	}{
		{"/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "gid=5,mode=620,ptmxmode=000"},
		{"/dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{"/dev/mqueue", "mqueue", quiet, ""},
		{"/tmp", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{"/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=755"},
		{"/sys/fs/cgroup", "cgroup2", quiet, "nsdelegate"},
		{"/sys/fs/bpf", "bpf", quiet, "mode=700"},
		{"/sys/kernel/security", "securityfs", quiet, ""},
		{"/sys/kernel/tracing", "tracefs", quiet, ""},
	} {
		g.miss(m.at, mountAt(m.fstype, m.at, m.fstype, m.flags, m.data))
	}
	g.miss("shared mounts", unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, ""))
}

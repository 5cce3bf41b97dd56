//go:build linux

package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// moveRoot leaves the initial ramfs for a tmpfs, as the initramfs of a distribution leaves it for the disk: pivot_root, which
// containers need, refuses on the ramfs, since nothing lies under it (path_pivot_root).
func moveRoot() error {
	const at = "/newroot"
	if err := mountAt("root", at, "tmpfs", 0, "mode=0755"); err != nil {
		return err
	}
	if err := moveTree("/lab/root", at); err != nil {
		return fmt.Errorf("filling the root: %w", err)
	}
	if err := os.RemoveAll("/lab"); err != nil {
		return err
	}
	for _, dir := range []string{"/proc", "/sys", "/dev"} {
		if err := os.MkdirAll(at+dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(dir, at+dir, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("moving %s: %w", dir, err)
		}
	}
	if err := os.Chdir(at); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("moving the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return os.Chdir("/")
}

// moveTree copies directories, files and links, and removes each file once it is copied: both lie in memory.
func moveTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		dest := filepath.Join(to, rel)
		info, err := d.Info()
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(dest, info.Mode().Perm())
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, dest)
		}
		if err := copyFile(path, dest, info.Mode().Perm()); err != nil {
			return err
		}
		return os.Remove(path)
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

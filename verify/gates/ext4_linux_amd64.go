package gates

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"golang.org/x/sys/unix"
)

// imageSize is that of the files that ext4 lies in.
const imageSize = 2 << 20

// blankExt4 is an image of an empty ext4, made once by mke2fs of e2fsprogs.
var blankExt4 = sync.OnceValues(func() ([]byte, error) {
	fd, err := unix.MemfdCreate("ext4", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "ext4")
	defer f.Close()
	if err := f.Truncate(imageSize); err != nil {
		return nil, err
	}
	cmd := exec.Command("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-O", "^has_journal", "-m", "0", "/proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{f}
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mke2fs of e2fsprogs: %w %s", err, out)
	}
	image := make([]byte, imageSize)
	_, err = f.ReadAt(image, 0)
	return image, err
})

// openLoops opens what makes loop devices, while /dev can be seen; without it scenes have no ext4.
func (s *stage) openLoops() {
	s.loops = -1
	image, err := blankExt4()
	if err != nil {
		return
	}
	if fd, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
		s.loops, s.image = fd, image
		s.machine.ext4 = true
	}
}

// disk mounts an ext4 of its own.
func (s *stage) disk(m *Mount) error {
	if s.loops < 0 {
		return errors.New("no loop devices, or no mke2fs")
	}
	back, err := s.copyImage()
	if err != nil {
		return err
	}
	defer unix.Close(back)
	dev, name, err := s.loop(back)
	if err != nil {
		return err
	}
	defer unix.Close(dev)
	if err := unix.Mount(name, m.Point, "ext4", 0, ""); err != nil {
		return err
	}
	if err := unix.Rmdir(m.Point + "/lost+found"); err != nil {
		return err
	}
	if err := unix.Chown(m.Point, int(m.UID), int(m.GID)); err != nil {
		return err
	}
	return unix.Chmod(m.Point, uint32(m.Mode))
}

// copyImage makes a file that holds the image.
func (s *stage) copyImage() (int, error) {
	fd, err := unix.Open("/l", unix.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return 0, err
	}
	if err = unix.Ftruncate(fd, imageSize); err == nil {
		const block = 4096
		var zero [block]byte
		for at := 0; at < len(s.image) && err == nil; at += block {
			if b := s.image[at:min(at+block, len(s.image))]; string(b) != string(zero[:len(b)]) {
				_, err = unix.Pwrite(fd, b, int64(at))
			}
		}
	}
	if err != nil {
		unix.Close(fd)
	}
	return fd, err
}

// loop makes a loop device of a file, which ends with its mount.
func (s *stage) loop(back int) (fd int, name string, err error) {
	for range 50 {
		n, err := unix.IoctlRetInt(s.loops, unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return 0, "", err
		}
		name = fmt.Sprintf("/l/loop%d", n)
		if err := unix.Mknod(name, unix.S_IFBLK|0o600, int(unix.Mkdev(7, uint32(n)))); err != nil && !errors.Is(err, unix.EEXIST) {
			return 0, "", err
		}
		if fd, err = unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			return 0, "", err
		}
		err = unix.IoctlLoopConfigure(fd, &unix.LoopConfig{Fd: uint32(back), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}})
		if err == nil {
			return fd, name, nil
		}
		unix.Close(fd)
		if !errors.Is(err, unix.EBUSY) { // else somebody was quicker
			return 0, "", err
		}
	}
	return 0, "", unix.EBUSY
}

//go:build linux

package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/lab/wire"
)

// serve says what this guest is and runs what it is asked to, one program after another.
func (g *guest) serve(c *wire.Conn) error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	hello := wire.Hello{Release: unix.ByteSliceToString(u.Release[:]), Version: unix.ByteSliceToString(u.Version[:]), Uptime: uptime(), Absent: g.absent, Modules: g.modules}
	if err := c.SendJSON(wire.Ready, hello); err != nil {
		return err
	}
	for {
		var req wire.Request
		if _, err := c.Expect(wire.Ask, &req); err != nil {
			return err
		}
		wake(&req)
		if err := g.answer(c, &req); err != nil {
			return err
		}
	}
}

// answer runs one program. It returns once the lab has ended the program's standard input, which it does in any case.
func (g *guest) answer(c *wire.Conn, req *wire.Request) error {
	exit := wire.Exit{Code: 125}
	if err := receiveFiles(c.Reader(wire.Files)); err != nil {
		exit.Error = err.Error()
	}
	stdin, toProgram, err := os.Pipe()
	if err != nil {
		return err
	}
	var fed sync.WaitGroup
	fed.Go(func() { feed(c, toProgram) })
	if exit.Error == "" {
		exit = run(c, req, stdin)
	}
	stdin.Close()
	if err := c.SendJSON(wire.Exited, exit); err != nil {
		return err
	}
	fed.Wait()
	return nil
}

// feed passes standard input on; what the program does not take is dropped.
func feed(c *wire.Conn, to *os.File) {
	defer to.Close()
	from := c.Reader(wire.Stdin)
	io.Copy(to, from)
	to.Close()
	io.Copy(io.Discard, from)
}

func uptime() float64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return float64(ts.Nano()) / 1e9
}

// wake brings a guest that slept in a file up to date: the clock, and random numbers that no other one draws.
func wake(req *wire.Request) {
	ts := unix.NsecToTimespec(req.Now)
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		fmt.Println("lab: the clock is not set:", err)
	}
	if err := reseed(req.Entropy); err != nil {
		fmt.Println("lab: random numbers repeat:", err)
	}
}

// reseed mixes in entropy and lets the generator take it up at once (random_ioctl).
func reseed(entropy []byte) error {
	f, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var pool struct {
		bits, size int32
		buf        [64]byte
	}
	pool.size = int32(copy(pool.buf[:], entropy))
	pool.bits = 8 * pool.size
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&pool))); errno != 0 {
		return errno
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.RNDRESEEDCRNG, 0); errno != 0 {
		return errno
	}
	return nil
}

// receiveFiles unpacks the files that come with a request, and reads the archive to its end also where that fails, so that
// both sides stay in step.
func receiveFiles(r io.Reader) error {
	err := unpack(tar.NewReader(r))
	if _, drained := io.Copy(io.Discard, r); err == nil {
		err = drained
	}
	return err
}

func unpack(tr *tar.Reader) error {
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		path, mode := filepath.Join("/", h.Name), fs.FileMode(h.Mode).Perm()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(path, mode)
		case tar.TypeSymlink:
			os.Remove(path)
			err = os.Symlink(h.Linkname, path)
		case tar.TypeReg:
			err = receiveFile(path, mode, tr)
		default:
			err = fmt.Errorf("%s is neither a file, a directory nor a link", h.Name)
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeSymlink {
			if err := os.Chtimes(path, time.Time{}, h.ModTime); err != nil {
				return err
			}
		}
	}
}

// receiveFile replaces what is at path: it may be a link to busybox.
func receiveFile(path string, mode fs.FileMode, r io.Reader) error {
	os.Remove(path)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

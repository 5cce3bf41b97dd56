//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// port is the virtio serial port. It is read and written with plain blocking calls: the runtime's poller would take the
// moments in which nobody is at the other end for the end of the stream.
type port int

// openPort finds the port of that name; its device appears a little after its driver was loaded.
func openPort(name string) (port, error) {
	const patience, step = 10 * time.Second, 5 * time.Millisecond
	for waited := time.Duration(0); waited < patience; waited += step {
		files, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil || strings.TrimSpace(string(b)) != name {
				continue
			}
			dev := "/dev/" + filepath.Base(filepath.Dir(f))
			fd, err := unix.Open(dev, unix.O_RDWR|unix.O_CLOEXEC, 0)
			if err != nil {
				return -1, fmt.Errorf("opening %s: %w", dev, err)
			}
			return port(fd), nil
		}
		time.Sleep(step)
	}
	return -1, fmt.Errorf("no virtio serial port is called %s", name)
}

// Read waits while nobody is connected: the lab that saved this guest's state has gone, and the one that resumes it comes.
func (p port) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(int(p), b)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, fmt.Errorf("reading from the lab: %w", err)
		case n > 0:
			return n, nil
		default:
			time.Sleep(time.Millisecond)
		}
	}
}

func (p port) Write(b []byte) (int, error) {
	sent := 0
	for sent < len(b) {
		n, err := unix.Write(int(p), b[sent:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return sent, fmt.Errorf("writing to the lab: %w", err)
		}
		sent += n
	}
	return sent, nil
}

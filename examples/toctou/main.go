// Command toctou shows why a path that a seccomp supervisor has read is no path that the kernel will open.
//
// A process makes openat over and over; a filter hands each call to a supervisor (SECCOMP_RET_USER_NOTIF), which reads the path from the process's
// memory, lets calls for one file pass and refuses those for another. Meanwhile a second thread of the process switches the last letter of the path. First
// the supervisor answers "continue": the kernel then reads the path again, and what it finds may be the other file. Then the
// supervisor opens the file itself and puts the descriptor into the process (SECCOMP_IOCTL_NOTIF_ADDFD): the path is read once,
// and the wrong file is never opened. See seccomp_unotify(2), "Caution".
//
//	go run ./examples/toctou
//
// It needs Linux 5.14 on x86_64 and no privileges.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Numbers of linux/seccomp.h.
const (
	notifRecv   = 0xc0502100 // SECCOMP_IOCTL_NOTIF_RECV
	notifSend   = 0xc0182101
	notifAddFD  = 0x40182103
	answerGoOn  = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE
	addFDAndEnd = 2 // SECCOMP_ADDFD_FLAG_SEND: the call returns the new descriptor
	newListener = 8 // SECCOMP_FILTER_FLAG_NEW_LISTENER
)

// notification is struct seccomp_notif.
type notification struct {
	id         uint64
	pid, flags uint32
	nr, arch   uint32
	ip         uint64
	args       [6]uint64
}

// answer is struct seccomp_notif_resp.
type answer struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

// addFD is struct seccomp_notif_addfd.
type addFD struct {
	id               uint64
	flags, from      uint32
	number, newFlags uint32
}

// counts is what the process has seen.
type counts struct {
	Opened, Refused, Wrong int
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "toctou:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) == 3 && os.Args[1] == "target" {
		return target(os.Args[2])
	}
	for _, mode := range []struct {
		name string
		safe bool
	}{{"the supervisor reads the path and answers \"continue\"", false}, {"the supervisor opens the file and adds the descriptor", true}} {
		c, err := race(mode.safe)
		if err != nil {
			return err
		}
		fmt.Printf("%-55s %6d opened, %6d refused, wrong file opened: %d\n", mode.name, c.Opened, c.Refused, c.Wrong)
	}
	return nil
}

// race starts the process and supervises it.
func race(safe bool) (c counts, err error) {
	dir, err := os.MkdirTemp("", "toctou")
	if err != nil {
		return c, err
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"a", "b"} { // a may be opened, b may not
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			return c, err
		}
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return c, err
	}
	defer unix.Close(pair[0])
	theirs := os.NewFile(uintptr(pair[1]), "socket")
	exe, err := os.Executable()
	if err != nil {
		return c, err
	}
	cmd := exec.Command(exe, "target", dir)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return c, err
	}
	if err := cmd.Start(); err != nil {
		return c, err
	}
	theirs.Close()
	listener, err := receive(pair[0])
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return c, fmt.Errorf("no listener from the process: %w", err)
	}
	go supervise(listener, filepath.Join(dir, "a"), safe)
	err = json.NewDecoder(out).Decode(&c)
	if e := cmd.Wait(); err == nil {
		err = e
	}
	return c, err
}

// supervise answers notifications until the process has ended.
func supervise(listener int, allowed string, safe bool) {
	defer unix.Close(listener)
	ioctl := func(req uintptr, p unsafe.Pointer) unix.Errno {
		_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), req, uintptr(p))
		return e
	}
	for {
		fds := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err == unix.EINTR {
			continue
		} else if err != nil || fds[0].Revents&unix.POLLIN == 0 {
			return // nobody is left who has the filter
		}
		var n notification
		if e := ioctl(notifRecv, unsafe.Pointer(&n)); e == unix.ENOENT || e == unix.EINTR {
			continue // a signal has called it back
		} else if e != 0 {
			return
		}
		path := readString(int(n.pid), n.args[1])
		a := answer{id: n.id, errno: -int32(unix.EACCES)}
		switch {
		case path != allowed:
		case !safe:
			a.errno, a.flags = 0, answerGoOn
		default:
			fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err == nil {
				e := ioctl(notifAddFD, unsafe.Pointer(&addFD{id: n.id, flags: addFDAndEnd, from: uint32(fd)}))
				unix.Close(fd)
				if e == 0 {
					continue
				}
			}
		}
		ioctl(notifSend, unsafe.Pointer(&a))
	}
}

// readString reads a string from another process's memory.
func readString(pid int, at uint64) string {
	buf := make([]byte, 128)
	n, err := unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &buf[0], Len: uint64(len(buf))}}, []unix.RemoteIovec{{Base: uintptr(at), Len: len(buf)}}, 0)
	if err != nil {
		return ""
	}
	for i, b := range buf[:n] {
		if b == 0 {
			return string(buf[:i])
		}
	}
	return ""
}

// path is the memory that one thread writes and the kernel reads, and the supervisor before it.
var path [256]byte

// target opens files under a filter that only its own thread has, while another thread switches the path's last letter.
func target(dir string) error {
	runtime.LockOSThread()
	last := copy(path[:], dir+"/a") - 1
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	// ld nr; if it is openat, notify; else allow
	prog := []unix.SockFilter{{Code: 0x20}, {Code: 0x15, Jf: 1, K: unix.SYS_OPENAT}, {Code: 6, K: 0x7fc00000}, {Code: 6, K: 0x7fff0000}}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	fd, _, e := unix.Syscall(unix.SYS_SECCOMP, 1, newListener, uintptr(unsafe.Pointer(&fprog)))
	if e != 0 {
		return fmt.Errorf("seccomp: %w", e)
	}
	if err := unix.Sendmsg(3, []byte{0}, unix.UnixRights(int(fd)), nil, 0); err != nil {
		return err
	}
	unix.Close(int(fd))
	unix.Close(3)
	var stop atomic.Bool
	go func() {
		runtime.LockOSThread()
		letter := (*byte)(unsafe.Pointer(&path[last]))
		for i := 0; !stop.Load(); i++ {
			*letter = "ab"[i&1]
			for range i * 7 % 31 { // no fixed rhythm
				runtime.KeepAlive(letter)
			}
		}
	}()
	var c counts
	for end := time.Now().Add(3 * time.Second); c.Opened+c.Refused < 20000 && time.Now().Before(end); {
		at := unix.AT_FDCWD
		fd, _, e := unix.Syscall6(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(&path[0])), unix.O_RDONLY, 0, 0, 0)
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			c.Refused++
			continue
		}
		var b [1]byte
		unix.Read(int(fd), b[:])
		unix.Close(int(fd))
		if c.Opened++; b[0] == 'b' {
			c.Wrong++
		}
	}
	stop.Store(true)
	return json.NewEncoder(os.Stdout).Encode(c)
}

// receive takes a descriptor from a socket.
func receive(socket int) (int, error) {
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return 0, err
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(msgs) == 0 {
		return 0, fmt.Errorf("it ended early: %v", err)
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil {
		return 0, err
	}
	return fds[0], nil
}

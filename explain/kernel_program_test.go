package explain_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/story"
	"syscallstory/syscalls"
)

// code is the whole of a program: it writes one byte to descriptor 1, and waits until descriptor 0 ends.
var code = []byte{
	0x6a, 0x78, // push 'x'
	0xb8, 1, 0, 0, 0, // mov eax, write
	0xbf, 1, 0, 0, 0, // mov edi, 1
	0x48, 0x89, 0xe6, // mov rsi, rsp
	0xba, 1, 0, 0, 0, // mov edx, 1
	0x0f, 0x05, // syscall
	0x31, 0xc0, // xor eax, eax: read
	0x31, 0xff, // xor edi, edi
	0x0f, 0x05, // syscall
	0xb8, 60, 0, 0, 0, // mov eax, exit
	0x31, 0xff, // xor edi, edi
	0x0f, 0x05, // syscall
}

// program is an ELF program of a few bytes, or what a line of a list asks for instead: interp=PATH names a loader, is=loader
// makes one, script=LINE is a script, text=TEXT is anything, machine=N and short=N break it.
func program(more map[string]string) []byte {
	if s, ok := more["script"]; ok {
		return []byte("#!" + strings.ReplaceAll(s, "_", " ") + "\n")
	}
	if s, ok := more["text"]; ok {
		return []byte(s)
	}
	base := uint64(0x400000)
	if more["is"] == "loader" {
		base = 0x10000000
	}
	interp := more["interp"]
	heads := uint64(1)
	if interp != "" {
		heads = 2
		interp += "\x00"
	}
	b := make([]byte, 64+56*heads)
	le := binary.LittleEndian
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], 2)
	le.PutUint16(b[18:], 62)
	if m := more["machine"]; m != "" {
		var n uint16
		fmt.Sscan(m, &n)
		le.PutUint16(b[18:], n)
	}
	le.PutUint32(b[20:], 1)
	size := uint64(len(b) + len(interp) + len(code))
	le.PutUint64(b[24:], base+size-uint64(len(code)))
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], uint16(heads))
	head := func(i uint64, typ, flags uint32, off, addr, length uint64) {
		h := b[64+56*i:]
		le.PutUint32(h, typ)
		le.PutUint32(h[4:], flags)
		for k, v := range []uint64{off, addr, addr, length, length, 4096} {
			le.PutUint64(h[8+8*k:], v)
		}
	}
	if interp != "" {
		head(0, 3, 4, uint64(len(b)), base+uint64(len(b)), uint64(len(interp)))
	}
	head(heads-1, 1, 5, 0, base, size)
	b = append(append(b, interp...), code...)
	if s := more["short"]; s != "" {
		var n int
		fmt.Sscan(s, &n)
		b = b[:n]
	}
	return b
}

// forkPlan is what the forked child needs, in memory that it finds without a runtime.
type forkPlan struct {
	nr, out, in uintptr
	args        [6]uintptr
	errno       uint32
}

// forkExec forks; the child takes the ends of two pipes as its descriptors 0 and 1 and makes the call, which is an execve. If
// that fails it writes the errno.
//
//go:norace
//go:nosplit
//go:noinline
func forkExec(p *forkPlan) (uintptr, syscall.Errno) {
	pid, _, e := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if e != 0 || pid != 0 {
		return pid, e
	}
	syscall.RawSyscall(unix.SYS_DUP3, p.in, 0, 0)
	syscall.RawSyscall(unix.SYS_DUP3, p.out, 1, 0)
	_, _, e = syscall.RawSyscall6(p.nr, p.args[0], p.args[1], p.args[2], p.args[3], p.args[4], p.args[5])
	p.errno = uint32(e)
	syscall.RawSyscall(unix.SYS_WRITE, 1, uintptr(unsafe.Pointer(&p.errno)), 4)
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

// executed makes an execve in a forked child of this thread, with its credentials. It returns the errno, or - and the
// credentials of the program that was executed.
func executed(call *syscalls.Call) string {
	regs, err := call.Encode()
	if err != nil {
		return err.Error()
	}
	p := &forkPlan{nr: uintptr(call.Nr)}
	for i := range regs {
		p.args[i] = registerOf(&regs[i])
	}
	var out, in [2]int
	if err := unix.Pipe2(out[:], unix.O_CLOEXEC); err != nil {
		return err.Error()
	}
	defer unix.Close(out[0])
	if err := unix.Pipe2(in[:], unix.O_CLOEXEC); err != nil {
		unix.Close(out[1])
		return err.Error()
	}
	p.out, p.in = uintptr(out[1]), uintptr(in[0])
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old)
	pid, e := forkExec(p)
	unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	runtime.KeepAlive(regs)
	unix.Close(out[1])
	unix.Close(in[0])
	defer unix.Close(in[1])
	if e != 0 {
		return "fork: " + e.Error()
	}
	var answer [4]byte
	n, err := unix.Read(out[0], answer[:])
	for err == unix.EINTR {
		n, err = unix.Read(out[0], answer[:])
	}
	status := ""
	if n == 1 {
		status = statusOf(int(pid))
	}
	unix.Close(in[1])
	in[1] = -1
	unix.Kill(int(pid), unix.SIGKILL)
	unix.Wait4(int(pid), nil, 0, nil)
	switch {
	case n == 4:
		return story.Errno(binary.NativeEndian.Uint32(answer[:])).String()
	case n == 1:
		return "- " + status
	}
	return fmt.Sprintf("the program ended without a word (%d, %v)", n, err)
}

// proc is a descriptor of /proc that a task with another root can use.
var proc = func() int {
	fd, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return fd
}()

// statusOf is what /proc/PID/status says of credentials.
func statusOf(pid int) string { return readStatus(fmt.Sprintf("%d/status", pid)) }

// threadStatus is the same of this thread.
func threadStatus() string { return readStatus("thread-self/status") }

func readStatus(name string) string {
	fd, err := unix.Openat(proc, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err.Error()
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	buf := make([]byte, 8192)
	n, err := f.Read(buf)
	if err != nil {
		return err.Error()
	}
	return credentialLines(string(buf[:n]))
}

// credentialLines are the lines of status that a prediction says too.
func credentialLines(text string) string {
	var out []string
	for _, line := range strings.Split(text, "\n") {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs":
			out = append(out, name+":"+strings.Join(strings.Fields(value), ","))
		}
	}
	return strings.Join(out, " ")
}

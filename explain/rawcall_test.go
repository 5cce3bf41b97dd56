package explain_test

import (
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/syscalls"
)

func addressOf(p *uint32) uintptr { return uintptr(unsafe.Pointer(p)) }

// rawCall makes a parsed call, with memory for what its addresses lead to.
func rawCall(call *syscalls.Call) (uintptr, syscall.Errno) {
	var regs [6]uintptr
	var keep []any
	for i := range call.Args {
		a := &call.Args[i]
		switch {
		case a.Kind == syscalls.Out && (a.Absent || !a.Fault || a.Val != 0):
			buf := new([512]byte)
			keep, regs[i] = append(keep, buf), uintptr(unsafe.Pointer(buf))
		case a.Kind == syscalls.How && !a.Fault:
			how := &unix.OpenHow{Flags: a.How[0], Mode: a.How[1], Resolve: a.How[2]}
			keep, regs[i] = append(keep, how), uintptr(unsafe.Pointer(how))
		case call.Name == "utimensat" && i == 2 && !a.Fault:
			t := &[2]unix.Timespec{{Nsec: int64(a.How[0])}, {Nsec: int64(a.How[1])}}
			keep, regs[i] = append(keep, t), uintptr(unsafe.Pointer(t))
		case strings.HasPrefix(call.Name, "readlink") && a.Kind == syscalls.Int && a.Absent:
			regs[i] = 512
		case (a.Kind == syscalls.Path || a.Kind == syscalls.Text) && !a.Fault:
			b := append([]byte(a.Str), 0)
			keep, regs[i] = append(keep, b), uintptr(unsafe.Pointer(&b[0]))
		default:
			regs[i] = uintptr(a.Val)
		}
	}
	r, _, e := syscall.RawSyscall6(uintptr(call.Nr), regs[0], regs[1], regs[2], regs[3], regs[4], regs[5])
	runtime.KeepAlive(keep)
	return r, e
}

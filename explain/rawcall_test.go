package explain_test

import (
	"encoding/binary"
	"runtime"
	"syscall"
	"unsafe"

	"syscallstory/syscalls"
)

func addressOf(p *uint32) uintptr { return uintptr(unsafe.Pointer(p)) }

// registerOf is a register's number, or the address of its memory.
func registerOf(r *syscalls.Register) uintptr {
	b := r.Bytes
	if len(b) == 0 {
		return uintptr(r.Val)
	}
	at := uintptr(unsafe.Pointer(&b[0]))
	for _, off := range r.Pointers {
		binary.NativeEndian.PutUint64(b[off:], binary.NativeEndian.Uint64(b[off:])+uint64(at))
	}
	return at
}

// rawCall makes a parsed call, with memory for what its addresses lead to.
func rawCall(call *syscalls.Call) (uintptr, syscall.Errno) {
	regs, err := call.Encode()
	if err != nil {
		panic(err)
	}
	var raw [6]uintptr
	for i := range regs {
		raw[i] = registerOf(&regs[i])
	}
	r, _, e := syscall.RawSyscall6(uintptr(call.Nr), raw[0], raw[1], raw[2], raw[3], raw[4], raw[5])
	runtime.KeepAlive(regs)
	return r, e
}

package probe

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestKernelScenes: a filter is there for good. A second one cannot loosen it, none can be removed or replaced by strict mode; a
// jump backwards is EINVAL; strict mode kills exit_group.
func TestKernelScenes(t *testing.T) {
	needRoot(t)
	program := func(f Filter) []byte { // struct sock_fprog: the child is a fork and finds the filter at the same address
		b := make([]byte, 16)
		binary.LittleEndian.PutUint16(b, uint16(len(f)/8))
		binary.LittleEndian.PutUint64(b[8:], uint64(uintptr(unsafe.Pointer(&f[0]))))
		return b
	}
	lax := Filter{}.Append(0x06, 0, 0, unix.SECCOMP_RET_ALLOW)
	backward := Filter{}.Append(0x05, 0, 0, 0xffffffff).Append(0x06, 0, 0, unix.SECCOMP_RET_ALLOW) // ja -1: an offset is not signed
	seccomp := func(op uint64, prog []byte) Call {
		return Call{NR: unix.SYS_SECCOMP, Args: [6]Arg{{Val: op}, {}, {Data: prog}}}
	}
	getuid := Call{NR: unix.SYS_GETUID}
	calls := []Call{getuid, seccomp(1, program(lax)), getuid, seccomp(1, program(backward)), seccomp(0, nil),
		{NR: unix.SYS_PRCTL, Args: [6]Arg{{Val: unix.PR_SET_SECCOMP}, {Val: 0}}}, {NR: unix.SYS_PRCTL, Args: [6]Arg{{Val: unix.PR_SET_SECCOMP}, {Val: 1}}}, getuid}
	want := []int64{-7, 0, -7, -int64(unix.EINVAL), -int64(unix.EINVAL), -int64(unix.EINVAL), -int64(unix.EINVAL), -7}
	got, err := Run(&Task{Timeout: time.Second, Cred: Cred{NoNewPrivs: true}, Filters: []Filter{answering(unix.SYS_GETUID, unix.SECCOMP_RET_ERRNO|7, false)}}, calls)
	runtime.KeepAlive(lax)
	runtime.KeepAlive(backward)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != (Result{Ret: want[i]}) {
			t.Errorf("call %d: %+v, want %d", i, got[i], want[i])
		}
	}
	got, err = Run(&Task{Timeout: time.Second, Strict: true}, []Call{{NR: unix.SYS_EXIT_GROUP}})
	if err != nil || got[0].Signal != int(unix.SIGKILL) {
		t.Errorf("exit_group in strict mode: %+v, %v", got, err)
	}
}

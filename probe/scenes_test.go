package probe

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/from/node"
	"syscallstory/kernel"
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

// TestI386 makes calls as i386 does: the filter sees its numbers under its ABI, and registers as wide as the program has them.
// Kernels may be built or started without that ABI (IA32_EMULATION, ia32_emulation=0), and some hypervisors do not pass its
// interrupt on, so it is not among the tests that must run.
func TestI386(t *testing.T) {
	needRoot(t)
	const getpid32, getpid64 = 20, 39
	run := func(task *Task, c Call) Result {
		t.Helper()
		task.Cred = Cred{Bounding: ^uint64(0), NoNewPrivs: true}
		r, err := Run(task, []Call{c})
		if err != nil {
			t.Fatal(err)
		}
		return r[0]
	}
	if r := run(&Task{}, Call{NR: getpid32, I386: true}); r.Signal != 0 {
		t.Skip("this kernel takes no calls of i386")
	} else if r.Ret <= 0 {
		t.Fatalf("getpid: %+v", r)
	}
	const audit = 0x40000003
	// ld arch; jne audit, allow; ld nr; jne getpid, allow; ld upper half of args[1]; ret ERRNO(A), A being or-ed with its action
	f := Filter{}.Append(0x20, 0, 0, 4).Append(0x15, 0, 5, audit).Append(0x20, 0, 0, 0).Append(0x15, 0, 3, getpid32).Append(0x20, 0, 0, 28).Append(0x44, 0, 0, 0x50000).Append(0x16, 0, 0, 0).Append(0x06, 0, 0, 0x7fff0000)
	if r := run(&Task{Filters: []Filter{f}}, Call{NR: getpid32, I386: true, Args: [6]Arg{{}, {Val: 77<<32 | 5}}}); r.Ret != -77 {
		t.Errorf("getpid of i386: %+v: the filter sees the whole register of a 64-bit program", r)
	}
	if r := run(&Task{Filters: []Filter{f}}, Call{NR: getpid64}); r.Ret <= 0 {
		t.Errorf("getpid of x86_64: %+v", r)
	}
}

// TestKernelUnfiltered: the calls that the kernel puts into a traced process's code meet no filter and no strict mode, since Linux 6.14 and 6.18.
func TestKernelUnfiltered(t *testing.T) {
	needRoot(t)
	here, err := kernelRelease()
	if err != nil {
		t.Fatal(err)
	}
	refuse := Filter{}.Append(0x06, 0, 0, 0x80000000)
	for nr, change := range map[uint64]kernel.Change{335: kernel.UretprobeUnfiltered, 336: kernel.UprobeUnfiltered} {
		if here.Has(change) == kernel.NotKnown {
			continue
		}
		for name, task := range map[string]*Task{"filter": {Filters: []Filter{refuse}}, "strict": {Strict: true}} {
			task.Cred = Cred{Bounding: ^uint64(0), NoNewPrivs: true}
			r, err := Run(task, []Call{{NR: nr}})
			if err != nil {
				t.Fatal(err)
			}
			refused := r[0].Signal == 31 || r[0].Signal == 9
			if refused == (here.Has(change) == kernel.Yes) {
				t.Errorf("call %d, %s: %+v", nr, name, r[0])
			}
		}
	}
}

func kernelRelease() (kernel.Release, error) {
	return node.Running()
}

package filters

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

// The oracle above all others: children install filters and make raw calls, and what the kernel did is read from memory that
// they share with their parent. A filter may refuse everything, so a child needs no call once its filters are installed.

const (
	maxCalls  = 96
	maxChecks = 256
	magic     = 0x5743a11 // the fourth argument of a child's own seccomp calls, which stacks let pass
)

// record is one call and how it ended; the assembly knows its fields.
type record struct {
	nr      uint64
	args    [6]uint64
	int80   uint64
	ret     int64
	trapped uint32 // si_code
	errno   uint32
	sysno   uint32
	arch    uint32
	addr    uint64
}

// shared is the memory that a child writes; the assembly knows its first three fields.
type shared struct {
	pos, end, stack uintptr
	tid             uint32
	step            uint32 // what could not be prepared
	errno           uint32
	tried           uint32            // filters whose installation was tried
	installs        [maxChecks]uint32 // errno of each
	calls           [maxCalls]record
	area            [64 << 10]byte // a stack for the calls and for the signal's frame
	second          [16 << 10]byte
}

type fprog struct {
	n      uint16
	_      [6]byte
	filter *byte
}

// order is what a child is to do.
type order struct {
	sh       *shared
	progs    *fprog
	n        uintptr
	checking bool // programs are only checked: the installation fails for want of a descriptor
	watch    bool // a second thread tells a thread's end from the process's
	bare     bool // without no_new_privs and capabilities
	hdr      unix.CapUserHeader
	data     [2]unix.CapUserData
	action   [4]uint64
	sigs     uint64
	limit    unix.Rlimit
}

var current uintptr //lint:ignore U1000 the assembly finds the shared memory of this process here

func perform(sh *shared)
func addresses() (enter64, enter32, onTrap uintptr)
func cloneWatcher(stack uintptr, tid *uint32) int64

var steps = [...]string{"", "PR_SET_NO_NEW_PRIVS", "rt_sigaction", "capset", "clone", "setrlimit"}

//go:norace
//go:nosplit
//go:noinline
func child(o *order) {
	sh := o.sh
	step, e := uint32(1), syscall.Errno(0)
	syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0, 0, 0, 0)
	if !o.bare {
		_, _, e = syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	} else {
		step = 3
		_, _, e = syscall.RawSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&o.hdr)), uintptr(unsafe.Pointer(&o.data[0])), 0)
	}
	if e == 0 {
		step = 2
		_, _, e = syscall.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGSYS), uintptr(unsafe.Pointer(&o.action[0])), 0, 8, 0, 0)
	}
	if e == 0 {
		_, _, e = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, 1, uintptr(unsafe.Pointer(&o.sigs)), 0, 8, 0, 0)
	}
	if e == 0 && o.watch {
		step = 4
		sh.tid = 1
		syscall.RawSyscall(unix.SYS_SET_TID_ADDRESS, uintptr(unsafe.Pointer(&sh.tid)), 0, 0)
		if r := cloneWatcher(uintptr(unsafe.Pointer(&sh.second))+uintptr(len(sh.second))-64, &sh.tid); r < 0 {
			e = syscall.Errno(-r)
		}
	}
	flags := uintptr(0)
	if e == 0 && o.checking {
		step, flags = 5, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
		_, _, e = syscall.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&o.limit)), 0, 0, 0)
	}
	if e != 0 {
		sh.step, sh.errno = step, uint32(e)
		for {
			syscall.RawSyscall(unix.SYS_EXIT_GROUP, 1, 0, 0)
		}
	}
	for i := uintptr(0); i < o.n; i++ {
		p := unsafe.Add(unsafe.Pointer(o.progs), i*unsafe.Sizeof(fprog{}))
		_, _, e := syscall.RawSyscall6(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(p), magic, 0, 0)
		sh.installs[i] = uint32(e)
		sh.tried = uint32(i) + 1
	}
	perform(sh)
}

//go:norace
//go:nosplit
//go:noinline
func fork(o *order) (uintptr, syscall.Errno) {
	pid, _, e := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if e == 0 && pid == 0 {
		child(o)
	}
	return pid, e
}

// kernelOracle asks the kernel.
type kernelOracle struct {
	mem     []byte
	sh      *shared
	ip      [2]uint64 // that filters see, of syscall and of int 0x80
	handler uintptr
	old     bool // int 0x80 works
	x32     bool
	ppid    int
	pgrp    int
}

// newKernel maps the memory and looks at what the kernel offers.
func newKernel() (*kernelOracle, error) {
	mem, err := unix.Mmap(-1, 0, int(unsafe.Sizeof(shared{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	k := &kernelOracle{mem: mem, sh: (*shared)(unsafe.Pointer(&mem[0])), ppid: os.Getpid(), pgrp: unix.Getpgrp()}
	e64, e32, h := addresses()
	k.ip, k.handler = [2]uint64{uint64(e64) + 2, uint64(e32) + 2}, h
	x := call{abi: syscalls.X32, nr: syscalls.X32Bit | 39, name: "getpid"}
	if r, err := k.run(nil, []call{x}, false); err == nil {
		k.x32 = r.out[0].ret != -int64(unix.ENOSYS)
	} else {
		k.Close()
		return nil, err
	}
	x = call{abi: syscalls.I386, nr: 20, name: "getpid"}
	r, err := k.run(nil, []call{x}, false)
	k.old = err == nil && r.done == 1 && r.out[0].ret == int64(r.pid)
	return k, nil
}

func (k *kernelOracle) Close() { unix.Munmap(k.mem) }

// result is what a child did.
type result struct {
	pid      int
	status   unix.WaitStatus
	tried    int
	installs []uint32
	done     int // calls that returned
	out      []record
}

func (k *kernelOracle) run(progs []seccomp.Program, calls []call, watch bool) (*result, error) {
	o := &order{watch: watch}
	return k.launch(o, progs, calls)
}

// launch forks a child, has it install the programs and make the calls, and waits for its end.
func (k *kernelOracle) launch(o *order, progs []seccomp.Program, calls []call) (*result, error) {
	sh := k.sh
	if len(calls) > maxCalls || len(progs) > maxChecks {
		return nil, errors.New("too much for one child")
	}
	raws := make([][]byte, len(progs))
	list := make([]fprog, len(progs)+1)
	for i, p := range progs {
		raws[i] = append(p.Raw(), 0)
		list[i] = fprog{n: uint16(len(p)), filter: &raws[i][0]}
	}
	for i, c := range calls {
		sh.calls[i] = record{nr: uint64(c.nr), args: c.args}
		if c.abi == syscalls.I386 {
			sh.calls[i].int80 = 1
		}
	}
	base := uintptr(unsafe.Pointer(&sh.calls[0]))
	sh.pos, sh.end = base, base+uintptr(len(calls))*unsafe.Sizeof(record{})
	sh.stack = uintptr(unsafe.Pointer(&sh.area)) + uintptr(len(sh.area)) - 256
	sh.stack &^= 15
	sh.step, sh.tried, sh.tid = 0, 0, 0
	o.sh, o.progs, o.n = sh, &list[0], uintptr(len(progs))
	o.hdr.Version = unix.LINUX_CAPABILITY_VERSION_3
	o.action = [4]uint64{uint64(k.handler), 0x44000004, uint64(k.handler), 0} // SA_SIGINFO|SA_NODEFER|SA_RESTORER; the restorer is never reached
	o.sigs = 1 << (uint(unix.SIGSYS) - 1)
	pid, err := start(o)
	runtime.KeepAlive(raws)
	runtime.KeepAlive(list)
	runtime.KeepAlive(o)
	if err != nil {
		return nil, err
	}
	r := &result{pid: pid}
	for {
		if _, err := unix.Wait4(pid, &r.status, 0, nil); err == nil {
			break
		} else if err != unix.EINTR {
			return nil, fmt.Errorf("wait for a child: %w", err)
		}
	}
	if sh.step != 0 {
		return nil, fmt.Errorf("a child could not be prepared: %s: %w", steps[sh.step], unix.Errno(sh.errno))
	}
	r.tried = int(sh.tried)
	r.installs = append(r.installs, sh.installs[:r.tried]...)
	r.done = int((sh.pos - base) / unsafe.Sizeof(record{}))
	r.out = append(r.out, sh.calls[:len(calls)]...)
	for i := range r.out {
		if r.out[i].int80 != 0 {
			r.out[i].ret = int64(int32(r.out[i].ret))
		}
	}
	return r, nil
}

// start forks with all signals blocked: the invalid instruction at a child's end then kills it although the runtime has a handler.
func start(o *order) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return 0, fmt.Errorf("block signals: %w", err)
	}
	pid, e := fork(o)
	unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	if e != 0 {
		return 0, fmt.Errorf("fork: %w", e)
	}
	return int(pid), nil
}

// Accepts asks the kernel which programs it would install.
func (k *kernelOracle) accepts(progs []seccomp.Program) ([]bool, error) {
	r, err := k.launch(&order{checking: true}, progs, nil)
	if err != nil {
		return nil, err
	}
	out := make([]bool, len(progs))
	for i := range progs {
		if i >= r.tried {
			return nil, fmt.Errorf("a child that checks programs ended early: %v", r.status)
		}
		switch e := unix.Errno(r.installs[i]); e {
		case unix.EMFILE:
			out[i] = true
		case unix.EINVAL:
		default:
			return nil, fmt.Errorf("the check of a program ended with %v: %w", e, e)
		}
	}
	return out, nil
}

// wanted says what a call does when no filter refuses it.
func (k *kernelOracle) allowed(c *call, pid int) int64 {
	if c.name == "" || c.abi == syscalls.X32 && !k.x32 {
		return -int64(unix.ENOSYS)
	}
	switch c.name {
	case "getpid", "gettid":
		return int64(pid)
	case "getppid":
		return int64(k.ppid)
	case "getpgrp":
		return int64(k.pgrp)
	}
	panic("a call that may do harm: " + c.name)
}

// entry is the instruction pointer that filters see.
func (k *kernelOracle) entry(c *call) uint64 {
	if c.abi == syscalls.I386 {
		return k.ip[1]
	}
	return k.ip[0]
}

// ends says whether an action ends the thread that calls.
func ends(a seccomp.Action) bool {
	return a.Kind() == seccomp.KillThread || a.Kind() == seccomp.KillProcess
}

// differs compares what the i-th call did with what an action should do; empty where they agree.
func (k *kernelOracle) differs(r *result, i int, c *call, a seccomp.Action) string {
	if i > r.done {
		return "the call was not made"
	}
	if i == r.done {
		got := fmt.Sprintf("status %#x", uint32(r.status))
		switch {
		case r.status.Signaled() && r.status.Signal() == unix.SIGSYS:
			got = "KILL_PROCESS"
		case r.status.Exited() && r.status.ExitStatus() == 7:
			got = "KILL_THREAD"
		}
		if ends(a) && (seccomp.Action(a.Kind()).String() == got) {
			return ""
		}
		return got
	}
	o := &r.out[i]
	if o.trapped != 0 {
		if a.Kind() == seccomp.Trap && o.trapped == 1 && o.errno == uint32(a.Data()) && o.sysno == c.nr && o.arch == c.abi.Audit() && o.addr == k.entry(c) {
			return ""
		}
		return fmt.Sprintf("TRAP(%d) of call %#x of ABI %#x at %#x, si_code %d", o.errno, o.sysno, o.arch, o.addr, o.trapped)
	}
	want, ok := int64(0), true
	switch a.Kind() {
	case seccomp.Errno:
		want = -int64(a.Data())
	case seccomp.UserNotif, seccomp.Trace: // nobody listens, nobody traces
		want = -int64(unix.ENOSYS)
	case seccomp.Log, seccomp.Allow:
		want = k.allowed(c, r.pid)
	default:
		ok = false
	}
	if ok && want == o.ret {
		return ""
	}
	return fmt.Sprintf("a return of %d", o.ret)
}

// stacked puts in front of every filter but the newest what lets the child install the next one.
func stacked(s seccomp.Stack) seccomp.Stack {
	out := make(seccomp.Stack, len(s))
	for i, p := range s {
		if i == len(s)-1 {
			out[i] = p
			break
		}
		out[i] = append(seccomp.Program{{Code: ldAbs}, {Code: jeq, JF: 3, K: unix.SYS_SECCOMP}, {Code: ldAbs, K: 40}, {Code: jeq, JF: 1, K: magic}, {Code: retK, K: 0x7fff0000}}, p...)
	}
	return out
}

package probe

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// shared is the memory through which the child reports. Its first three fields are known to the assembly.
type shared struct {
	creds  uint32 // the first thread has its final credentials
	armed  uint32 // the filters are installed
	broken int32  // -errno of a filter that could not be installed
	step   uint32 // what the first thread was doing when it failed
	errno  uint32
	tid    uint32 // the kernel clears it when the first thread ends
	begun  uint32 // calls that were begun
	done   uint32 // calls that have returned
	never  uint32 // nobody sets it
	ret    [MaxCalls]int64
}

// armer is what the second thread needs; the assembly knows its fields.
type armer struct {
	sh    *shared
	progs *fprog
	n     uint64
}

type rawCall struct{ nr, a0, a1, a2, a3, a4, a5 uintptr }

// plan is all that the child needs, in memory that it finds without a runtime.
type plan struct {
	sh          *shared
	arm         armer
	stack       uintptr
	uid, gid    uintptr
	groups      *uint32
	ngroups     uintptr
	bounding    uint64
	hdr         unix.CapUserHeader
	caps        [2]unix.CapUserData
	ambient     uint64
	securebits  uintptr
	nnp, strict bool
	umask       uintptr
	gaps        *gap // ranges of descriptors that are closed
	ngaps       uintptr
	calls       *rawCall
	ncalls      uintptr
}

// gap is a range of descriptors.
type gap struct{ first, last uintptr }

// gaps are the ranges between the descriptors that are kept.
func gaps(keep []int) []gap {
	keep = append([]int{}, keep...)
	slices.Sort(keep)
	var out []gap
	next := 3
	for _, n := range keep {
		if n > next {
			out = append(out, gap{uintptr(next), uintptr(n - 1)})
		}
		next = max(next, n+1)
	}
	return append(out, gap{uintptr(next), math.MaxUint32})
}

func cloneArmer(stack uintptr, a *armer) (tid int64)

// await spins until the word is not zero.
//
//go:noescape
func await(p *uint32)

// steps name what the child does before it calls, for errors.
var steps = [...]string{"", "set_tid_address", "clone", "PR_CAPBSET_DROP", "PR_SET_SECUREBITS", "setgroups", "setresgid", "PR_SET_KEEPCAPS", "setresuid", "capset", "PR_CAP_AMBIENT", "PR_SET_NO_NEW_PRIVS", "seccomp", "PR_SET_SECCOMP"}

// Run makes calls as a task, one after another, and returns their results. It must be called in the container: with its
// root and namespaces, and with the capabilities that are needed to become the task.
func Run(t *Task, calls []Call) ([]Result, error) {
	if len(calls) > MaxCalls {
		return nil, fmt.Errorf("a task makes at most %d calls", MaxCalls)
	}
	mem, err := unix.Mmap(-1, 0, int(unsafe.Sizeof(shared{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	defer unix.Munmap(mem)
	const stackSize = 64 << 10
	stack, err := unix.Mmap(-1, 0, stackSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("memory for a stack: %w", err)
	}
	defer unix.Munmap(stack)
	c := &t.Cred
	p := &plan{sh: (*shared)(unsafe.Pointer(&mem[0])), stack: uintptr(unsafe.Pointer(&stack[0])) + stackSize - 64, uid: uintptr(c.UID), gid: uintptr(c.GID), ngroups: uintptr(len(c.Groups)),
		bounding: c.Bounding, ambient: c.Ambient, securebits: uintptr(c.Securebits), nnp: c.NoNewPrivs, strict: t.Strict, umask: uintptr(t.Umask), ncalls: uintptr(len(calls))}
	p.hdr.Version = unix.LINUX_CAPABILITY_VERSION_3
	for i := range p.caps {
		shift := 32 * i
		p.caps[i] = unix.CapUserData{Effective: uint32(c.Effective >> shift), Permitted: uint32(c.Permitted >> shift), Inheritable: uint32(c.Inheritable >> shift)}
	}
	if len(c.Groups) > 0 {
		p.groups = &c.Groups[0]
	}
	progs := make([]fprog, len(t.Filters))
	for i, f := range t.Filters {
		if len(f) == 0 || len(f)%8 != 0 || len(f)/8 > 4096 {
			return nil, fmt.Errorf("filter %d has %d bytes, the kernel takes 1 to 4096 instructions of 8", i, len(f))
		}
		progs[i] = fprog{n: uint16(len(f) / 8), filter: &f[0]}
	}
	p.arm = armer{sh: p.sh, n: uint64(len(progs))}
	if len(progs) > 0 {
		p.arm.progs = &progs[0]
	}
	raw := make([]rawCall, len(calls)+1)
	for i := range calls {
		reg := func(k int) uintptr {
			if a := &calls[i].Args[k]; len(a.Data) > 0 {
				return uintptr(unsafe.Pointer(&a.Data[0]))
			}
			return uintptr(calls[i].Args[k].Val)
		}
		raw[i] = rawCall{uintptr(calls[i].NR), reg(0), reg(1), reg(2), reg(3), reg(4), reg(5)}
	}
	p.calls = &raw[0]
	closed := gaps(t.Keep)
	p.gaps, p.ngaps = &closed[0], uintptr(len(closed))
	pid, err := start(p)
	runtime.KeepAlive(calls)
	runtime.KeepAlive(progs)
	runtime.KeepAlive(t)
	if err != nil {
		return nil, err
	}
	return watch(p.sh, pid, t.Timeout, len(calls))
}

// start forks the child on a thread whose signals are blocked.
func start(p *plan) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return 0, fmt.Errorf("block signals: %w", err)
	}
	pid, e := fork(p)
	unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	if e != 0 {
		return 0, fmt.Errorf("fork: %w", e)
	}
	return int(pid), nil
}

// fork is fork(2); the child never returns from it.
//
//go:norace
//go:nosplit
//go:noinline
func fork(p *plan) (uintptr, syscall.Errno) {
	pid, _, e := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if e == 0 && pid == 0 {
		child(p)
	}
	return pid, e
}

// child becomes the task and calls. It must not grow its stack nor allocate: there is no runtime behind it.
//
//go:norace
//go:nosplit
//go:noinline
func child(p *plan) {
	sh := p.sh
	fail := func(step uint32, e syscall.Errno) {
		sh.errno = uint32(e)
		atomic.StoreUint32(&sh.step, step)
		for {
			syscall.RawSyscall(unix.SYS_EXIT_GROUP, 1, 0, 0)
		}
	}
	for i := uintptr(0); i < p.ngaps; i++ {
		g := (*gap)(unsafe.Add(unsafe.Pointer(p.gaps), i*unsafe.Sizeof(gap{})))
		syscall.RawSyscall(unix.SYS_CLOSE_RANGE, g.first, g.last, 0)
	}
	sh.tid = 1
	syscall.RawSyscall(unix.SYS_SET_TID_ADDRESS, uintptr(unsafe.Pointer(&sh.tid)), 0, 0)
	if p.nnp { // the thread that installs filters has it too: it may have no capability
		if _, _, e := syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); e != 0 {
			fail(11, e)
		}
	}
	if p.arm.n > 0 {
		if tid := cloneArmer(p.stack, &p.arm); tid < 0 {
			fail(2, syscall.Errno(-tid))
		}
	}
	for i := uintptr(0); i < 64; i++ {
		if p.bounding>>i&1 == 0 {
			if _, _, e := syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, i, 0, 0, 0, 0); e == syscall.EINVAL {
				break // the kernel knows no more
			} else if e != 0 {
				fail(3, e)
			}
		}
	}
	if p.ngroups > 0 || p.groups == nil {
		if _, _, e := syscall.RawSyscall(unix.SYS_SETGROUPS, p.ngroups, uintptr(unsafe.Pointer(p.groups)), 0); e != 0 && p.ngroups > 0 {
			fail(5, e)
		}
	}
	if _, _, e := syscall.RawSyscall(unix.SYS_SETRESGID, p.gid, p.gid, p.gid); e != 0 {
		fail(6, e)
	}
	if _, _, e := syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0, 0, 0, 0); e != 0 {
		fail(7, e)
	}
	if _, _, e := syscall.RawSyscall(unix.SYS_SETRESUID, p.uid, p.uid, p.uid); e != 0 {
		fail(8, e)
	}
	if p.securebits != 0 {
		if _, _, e := syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, p.securebits, 0, 0, 0, 0); e != 0 {
			fail(4, e)
		}
	}
	if _, _, e := syscall.RawSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&p.hdr)), uintptr(unsafe.Pointer(&p.caps[0])), 0); e != 0 {
		fail(9, e)
	}
	for i := uintptr(0); i < 64; i++ {
		if p.ambient>>i&1 != 0 {
			if _, _, e := syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, i, 0, 0, 0); e != 0 {
				fail(10, e)
			}
		}
	}
	syscall.RawSyscall(unix.SYS_UMASK, p.umask, 0, 0)
	if p.arm.n > 0 {
		atomic.StoreUint32(&sh.creds, 1)
		await(&sh.armed)
		if sh.broken != 0 {
			await(&sh.never) // a filter may be in force already: make no call
		}
	}
	if p.strict {
		if _, _, e := syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_STRICT, 0, 0, 0, 0); e != 0 {
			fail(13, e)
		}
	}
	for i := uintptr(0); i < p.ncalls; i++ {
		c := (*rawCall)(unsafe.Add(unsafe.Pointer(p.calls), i*unsafe.Sizeof(rawCall{})))
		atomic.StoreUint32(&sh.begun, uint32(i)+1)
		r, _, e := syscall.RawSyscall6(c.nr, c.a0, c.a1, c.a2, c.a3, c.a4, c.a5)
		ret := int64(r)
		if e != 0 {
			ret = -int64(e)
		}
		sh.ret[i] = ret
		atomic.StoreUint32(&sh.done, uint32(i)+1)
	}
	await(&sh.never)
}

// watch waits for the calls to return, ends the child and tells how each has ended.
func watch(sh *shared, pid int, timeout time.Duration, n int) ([]Result, error) {
	if timeout <= 0 {
		timeout = time.Second
	}
	var status unix.WaitStatus
	ended := false
	deadline := time.Now().Add(timeout + 20*time.Second) // a loaded machine may take long to begin
	var last uint32
	pause := 5 * time.Microsecond
	blocked := false
	for int(atomic.LoadUint32(&sh.done)) < n && !blocked {
		if got, err := unix.Wait4(pid, &status, unix.WNOHANG, nil); err == nil && got == pid {
			ended = true
			break
		}
		// Without the second thread the whole process ends; with it the first may end alone (SECCOMP_RET_KILL_THREAD).
		if atomic.LoadUint32(&sh.begun) > atomic.LoadUint32(&sh.done) && atomic.LoadUint32(&sh.tid) == 0 || atomic.LoadInt32(&sh.broken) != 0 {
			break
		}
		if begun := atomic.LoadUint32(&sh.begun); begun != last { // each call has its own time
			last, deadline = begun, time.Now().Add(timeout)
		}
		blocked = time.Now().After(deadline)
		time.Sleep(pause)
		if pause < time.Millisecond {
			pause += pause / 4
		}
	}
	first := atomic.LoadUint32(&sh.tid) == 0
	if !ended {
		unix.Kill(pid, unix.SIGKILL)
		for {
			if _, err := unix.Wait4(pid, &status, 0, nil); !errors.Is(err, unix.EINTR) {
				break
			}
		}
	}
	if step := atomic.LoadUint32(&sh.step); step != 0 {
		return nil, fmt.Errorf("the probing task could not be made: %s: %w", steps[step], unix.Errno(sh.errno))
	}
	if e := atomic.LoadInt32(&sh.broken); e != 0 {
		return nil, fmt.Errorf("the seccomp filter could not be installed: %w", unix.Errno(-e))
	}
	begun, done := int(atomic.LoadUint32(&sh.begun)), int(atomic.LoadUint32(&sh.done))
	if begun == 0 && n > 0 {
		return nil, errors.New("the probing task did not begin in time")
	}
	out := make([]Result, n)
	for i := range out {
		r := &out[i]
		switch {
		case i < done:
			r.Ret = sh.ret[i]
		case i == done && ended && status.Signaled():
			r.Signal = int(status.Signal())
		case i == done && ended && status.Exited(), i == done && first && !blocked:
			r.Signal = int(unix.SIGSYS)
		case i == done:
			r.Blocked = true
		default:
			r.Skipped = true
		}
	}
	return out, nil
}

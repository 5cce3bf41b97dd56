package probe

import (
	"cmp"
	"encoding/binary"
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
	second uint32 // the second thread's id
	alone  uint32 // the caller has seen the second thread gone
	over   uint32 // no more calls are made
	ret    [MaxCalls]int64
}

// armer is what the second thread needs; the assembly knows its fields.
type armer struct {
	sh     *shared
	progs  *fprog
	n      uint64
	leaves uint64 // it ends when the filters are installed
}

type rawCall struct {
	nr, a0, a1, a2, a3, a4, a5, i386 uintptr
	by, makes                        uintptr
	pidOf                            uintptr // number, from 1, of the call whose returned id goes to pidAt
	pidAt                            *[PIDWidth]byte
}

// plan is all that the child needs, in memory that it finds without a runtime.
type plan struct {
	sh          *shared
	arm         armer
	stack       uintptr
	uids, gids  [3]uintptr // real, effective, saved
	before      *rawCall
	nbefore     uintptr
	groups      *uint32
	ngroups     uintptr
	bounding    uint64
	hdr         unix.CapUserHeader
	caps        [2]unix.CapUserData
	ambient     uint64
	securebits  uintptr
	nnp, strict bool
	dumpable    bool
	arms        bool // the first thread installs the filters itself
	exits       bool // when all is done, which a filter might refuse
	umask       uintptr
	gaps        *gap // ranges of descriptors that are closed
	ngaps       uintptr
	calls       *rawCall
	ncalls      uintptr
	others      tasks
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

// call32 makes a call of i386.
func call32(nr, a0, a1, a2, a3, a4, a5 uintptr) (ret uintptr)

// await spins until the word is not zero.
//
//go:noescape
func await(p *uint32)

// awaitTurn spins until more than n calls are done, or all is over.
//
//go:noescape
func awaitTurn(done *uint32, n uint32, over *uint32)

// crash ends a process that may make no call.
func crash()

// steps name what the child does before it calls, for errors.
var steps = [...]string{"", "set_tid_address", "clone", "PR_CAPBSET_DROP", "PR_SET_SECUREBITS", "setgroups", "setresgid", "PR_SET_KEEPCAPS", "setresuid", "capset", "PR_CAP_AMBIENT", "PR_SET_NO_NEW_PRIVS", "seccomp", "PR_SET_SECCOMP", "a call before that"}

// Run makes calls as a task, one after another, and returns their results. It must be called in the container: with its
// root and namespaces, and with the capabilities that are needed to become the task.
func Run(t *Task, calls []Call) ([]Result, error) {
	p, free, err := prepare(t, calls)
	if err != nil {
		return nil, err
	}
	defer free()
	pid, err := start(p)
	runtime.KeepAlive(calls)
	runtime.KeepAlive(t)
	if err != nil {
		return nil, err
	}
	if p.exits {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			defer unix.Close(fd)
			return p.watch(pid, t, calls, func(d time.Duration) {
				unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(d.Milliseconds())+1)
			})
		}
	}
	pause := 5 * time.Microsecond
	return p.watch(pid, t, calls, func(time.Duration) {
		time.Sleep(pause)
		if pause < time.Millisecond {
			pause += pause / 4
		}
	})
}

// Hold makes calls as a task, each of which must succeed, and keeps the process, which sleeps then, until it is killed and
// waited for: something that others can be done to, or that keeps namespaces.
func Hold(t *Task, calls []Call) (pid int, err error) {
	p, free, err := prepare(t, append(slices.Clone(calls), Call{NR: unix.SYS_PAUSE}))
	if err != nil {
		return 0, err
	}
	defer free()
	pid, err = start(p)
	runtime.KeepAlive(t)
	if err != nil {
		return 0, err
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Microsecond) {
		done := int(atomic.LoadUint32(&p.sh.done))
		for i := range min(done, len(calls)) {
			if r := p.sh.ret[i]; r < 0 {
				err = fmt.Errorf("call %d of a process that is held: %w", i+1, unix.Errno(-r))
			}
		}
		var status unix.WaitStatus
		gone, _ := unix.Wait4(pid, &status, unix.WNOHANG, nil)
		switch {
		case gone == pid:
			if err == nil {
				err = broken(p.sh)
			}
			return 0, cmp.Or(err, errors.New("a process that was to be held has ended"))
		case err != nil || time.Now().After(deadline):
			unix.Kill(pid, unix.SIGKILL)
			unix.Wait4(pid, &status, 0, nil)
			return 0, cmp.Or(err, errors.New("a process that was to be held did not begin in time"))
		case done == len(calls) && atomic.LoadUint32(&p.sh.begun) > uint32(done):
			return pid, nil
		}
		p.letGoOn(pid)
	}
}

// letGoOn tells the first thread to make its calls once the second one is gone. Only from outside that can be seen: the filters
// may refuse any call that would ask. Its id is free when the kernel has begun to release it, and a wait sees the end of that
// (release_task holds tasklist_lock).
func (p *plan) letGoOn(pid int) {
	sh := p.sh
	if p.arm.leaves == 0 || atomic.LoadUint32(&sh.armed) == 0 || atomic.LoadUint32(&sh.alone) != 0 {
		return
	}
	if _, _, e := syscall.RawSyscall(unix.SYS_TGKILL, uintptr(pid), uintptr(atomic.LoadUint32(&sh.second)), 0); e != unix.ESRCH {
		return
	}
	var si unix.Siginfo
	unix.Waitid(unix.P_PID, pid, &si, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	atomic.StoreUint32(&sh.alone, 1)
}

// prepare puts all that the child needs into memory, which free gives back.
func prepare(t *Task, calls []Call) (p *plan, free func(), err error) {
	if len(calls) > MaxCalls {
		return nil, nil, fmt.Errorf("a task makes at most %d calls", MaxCalls)
	}
	mem, err := unix.Mmap(-1, 0, int(unsafe.Sizeof(shared{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, nil, fmt.Errorf("shared memory: %w", err)
	}
	const stackSize = 64 << 10
	stack, err := unix.Mmap(-1, 0, stackSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		unix.Munmap(mem)
		return nil, nil, fmt.Errorf("memory for a stack: %w", err)
	}
	free = func() { unix.Munmap(mem); unix.Munmap(stack) }
	c := &t.Cred
	p = &plan{sh: (*shared)(unsafe.Pointer(&mem[0])), stack: uintptr(unsafe.Pointer(&stack[0])) + stackSize - 64, ngroups: uintptr(len(c.Groups)),
		bounding: c.Bounding, ambient: c.Ambient, securebits: uintptr(c.Securebits), nnp: c.NoNewPrivs, dumpable: t.Dumpable, strict: t.Strict, umask: uintptr(t.Umask), ncalls: uintptr(len(calls))}
	p.uids, p.gids = [3]uintptr{uintptr(c.UID), uintptr(c.UID), uintptr(c.UID)}, [3]uintptr{uintptr(c.GID), uintptr(c.GID), uintptr(c.GID)}
	if o := c.Others; o != nil {
		p.uids[0], p.uids[2], p.gids[0], p.gids[2] = uintptr(o.RealUID), uintptr(o.SavedUID), uintptr(o.RealGID), uintptr(o.SavedGID)
	}
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
			free()
			return nil, nil, fmt.Errorf("filter %d has %d bytes, the kernel takes 1 to 4096 instructions of 8", i, len(f))
		}
		progs[i] = fprog{n: uint16(len(f) / 8), filter: &f[0]}
	}
	const sysAdmin = 21
	p.arms = c.NoNewPrivs || c.Effective>>sysAdmin&1 != 0
	p.arm = armer{sh: p.sh, n: uint64(len(progs))}
	p.exits = len(progs) == 0 && !t.Strict
	if t.Leaves && !p.arms && len(progs) > 0 {
		p.arm.leaves = 1
	}
	if len(progs) > 0 {
		p.arm.progs = &progs[0]
	}
	raw, before := rawCalls(calls), rawCalls(t.Before)
	p.calls, p.before, p.nbefore = &raw[0], &before[0], uintptr(len(t.Before))
	p.others.calls = calls
	closed := gaps(t.Keep)
	p.gaps, p.ngaps = &closed[0], uintptr(len(closed))
	return p, free, nil
}

// rawCalls puts calls into the form in which the child makes them.
func rawCalls(calls []Call) []rawCall {
	raw := make([]rawCall, len(calls)+1)
	for i := range calls {
		reg := func(k int) uintptr {
			if a := &calls[i].Args[k]; len(a.Data) > 0 {
				return a.place()
			}
			return uintptr(calls[i].Args[k].Val)
		}
		raw[i] = rawCall{nr: uintptr(calls[i].NR), a0: reg(0), a1: reg(1), a2: reg(2), a3: reg(3), a4: reg(4), a5: reg(5), by: uintptr(calls[i].By), makes: uintptr(calls[i].Makes)}
		if calls[i].I386 {
			raw[i].i386 = 1
		}
		for k := range calls[i].Args {
			if a := &calls[i].Args[k]; a.PIDOf > 0 && a.PIDOf <= i && a.PIDAt+PIDWidth <= len(a.Data) {
				raw[i].pidOf, raw[i].pidAt = uintptr(a.PIDOf), (*[PIDWidth]byte)(a.Data[a.PIDAt:])
			}
		}
	}
	return raw
}

// place makes the words in the memory that are addresses lead there, and returns its own.
func (a *Arg) place() uintptr {
	base := uintptr(unsafe.Pointer(&a.Data[0]))
	for _, off := range a.Pointers {
		word := a.Data[off : off+8]
		binary.NativeEndian.PutUint64(word, binary.NativeEndian.Uint64(word)+uint64(base))
	}
	a.Pointers = nil
	return base
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
	for i := uintptr(0); i < p.nbefore; i++ {
		c := (*rawCall)(unsafe.Add(unsafe.Pointer(p.before), i*unsafe.Sizeof(rawCall{})))
		if _, _, e := syscall.RawSyscall6(c.nr, c.a0, c.a1, c.a2, c.a3, c.a4, c.a5); e != 0 {
			sh.begun = uint32(i) + 1
			fail(14, e)
		}
	}
	sh.tid = 1
	syscall.RawSyscall(unix.SYS_SET_TID_ADDRESS, uintptr(unsafe.Pointer(&sh.tid)), 0, 0)
	if p.nnp { // the thread that installs filters has it too: it may have no capability
		if _, _, e := syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); e != 0 {
			fail(11, e)
		}
	}
	if p.arm.n > 0 && !p.arms {
		tid := cloneArmer(p.stack, &p.arm)
		if tid < 0 {
			fail(2, syscall.Errno(-tid))
		}
		atomic.StoreUint32(&sh.second, uint32(tid))
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
	if _, _, e := syscall.RawSyscall(unix.SYS_SETRESGID, p.gids[0], p.gids[1], p.gids[2]); e != 0 {
		fail(6, e)
	}
	if _, _, e := syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0, 0, 0, 0); e != 0 {
		fail(7, e)
	}
	if _, _, e := syscall.RawSyscall(unix.SYS_SETRESUID, p.uids[0], p.uids[1], p.uids[2]); e != 0 {
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
	// Whoever started it may be killed: the task is not left behind. A change of credentials would have undone this.
	syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0, 0)
	if p.dumpable {
		syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1, 0, 0, 0, 0)
	}
	switch {
	case p.arms:
		for i := uintptr(0); i < uintptr(p.arm.n); i++ {
			prog := unsafe.Add(unsafe.Pointer(p.arm.progs), i*unsafe.Sizeof(fprog{}))
			if _, _, e := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(prog)); e != 0 {
				atomic.StoreInt32(&sh.broken, -int32(e))
				await(&sh.never) // a filter may be in force already: make no call
			}
		}
	case p.arm.n > 0:
		atomic.StoreUint32(&sh.creds, 1)
		await(&sh.armed)
		if sh.broken != 0 {
			await(&sh.never)
		}
		if p.arm.leaves != 0 {
			await(&sh.alone)
		}
	}
	if p.strict {
		if _, _, e := syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_STRICT, 0, 0, 0, 0); e != 0 {
			fail(13, e)
		}
	}
	me := uintptr(0)
	for i := uintptr(0); i < p.ncalls; i++ {
		c := (*rawCall)(unsafe.Add(unsafe.Pointer(p.calls), i*unsafe.Sizeof(rawCall{})))
		if c.by != me {
			awaitTurn(&sh.done, uint32(i), &sh.over)
			continue
		}
		if atomic.LoadUint32(&sh.over) != 0 {
			break
		}
		if c.pidOf != 0 {
			writePID(c.pidAt, sh.ret[c.pidOf-1])
		}
		atomic.StoreUint32(&sh.begun, uint32(i)+1)
		if c.i386 != 0 {
			sh.ret[i] = int64(call32(c.nr, c.a0, c.a1, c.a2, c.a3, c.a4, c.a5))
		} else {
			r, _, e := syscall.RawSyscall6(c.nr, c.a0, c.a1, c.a2, c.a3, c.a4, c.a5)
			if e == 0 && r == 0 && (c.nr == unix.SYS_CLONE || c.nr == unix.SYS_FORK || c.nr == unix.SYS_CLONE3) {
				if c.makes == 0 {
					syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0) // the new task; its parent goes on
					crash()                                          // where a filter refuses that
				}
				me = c.makes
				awaitTurn(&sh.done, uint32(i), &sh.over) // its parent says how the call has ended
				continue
			}
			sh.ret[i] = int64(r)
			if e != 0 {
				sh.ret[i] = -int64(e)
			}
		}
		atomic.StoreUint32(&sh.done, uint32(i)+1)
	}
	if me != 0 {
		await(&sh.over)
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		crash() // a filter refuses even that
	}
	for p.exits {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	await(&sh.never)
}

// writePID writes an id with slashes before it.
//
//go:norace
//go:nosplit
func writePID(at *[PIDWidth]byte, pid int64) {
	for k := PIDWidth - 1; k >= 0; k-- {
		if at[k] = '/'; pid > 0 {
			at[k] = '0' + byte(pid%10)
			pid /= 10
		}
	}
}

// broken tells why a task could not be made.
func broken(sh *shared) error {
	if step := atomic.LoadUint32(&sh.step); step == 14 {
		return fmt.Errorf("the probing task could not be made: call %d before it took on its credentials: %w", atomic.LoadUint32(&sh.begun), unix.Errno(sh.errno))
	} else if step != 0 {
		return fmt.Errorf("the probing task could not be made: %s: %w", steps[step], unix.Errno(sh.errno))
	}
	if e := atomic.LoadInt32(&sh.broken); e != 0 {
		return fmt.Errorf("the seccomp filter could not be installed: %w", unix.Errno(-e))
	}
	return nil
}

// executes reports whether a call is an execve.
func executes(c *Call) bool {
	return !c.I386 && (c.NR == unix.SYS_EXECVE || c.NR == unix.SYS_EXECVEAT) || c.I386 && (c.NR == 11 || c.NR == 358)
}

// watch waits for the calls to return, ends the child and tells how each has ended. Pause returns when there may be news, at
// the latest after the time it is given.
func (p *plan) watch(pid int, t *Task, calls []Call, pause func(time.Duration)) ([]Result, error) {
	sh, n := p.sh, len(calls)
	timeout := t.Timeout
	if timeout <= 0 {
		timeout = time.Second
	}
	var status unix.WaitStatus
	ended := false
	deadline := time.Now().Add(timeout + 20*time.Second) // a loaded machine may take long to begin
	var last uint32
	blocked := false
	for int(atomic.LoadUint32(&sh.done)) < n && !blocked {
		if got, err := unix.Wait4(pid, &status, unix.WNOHANG, nil); err == nil && got == pid {
			ended = true
			break
		}
		// Without the second thread the whole process ends; with it the first may end alone (SECCOMP_RET_KILL_THREAD).
		// An execve lets go of the thread's number too; then the program ends by itself.
		if done := atomic.LoadUint32(&sh.done); atomic.LoadUint32(&sh.begun) > done && atomic.LoadUint32(&sh.tid) == 0 && !(executes(&calls[done]) && time.Now().Before(deadline)) || atomic.LoadInt32(&sh.broken) != 0 {
			break
		}
		if begun := atomic.LoadUint32(&sh.begun); begun != last { // each call has its own time
			last, deadline = begun, time.Now().Add(timeout)
		}
		left := time.Until(deadline)
		p.letGoOn(pid)
		if p.others.died(sh) {
			break
		}
		if blocked = left <= 0; !blocked {
			pause(min(left, timeout/2)) // the next call may have begun by then
		}
	}
	first := atomic.LoadUint32(&sh.tid) == 0
	p.others.end(sh)
	atomic.StoreUint32(&sh.over, 1)
	if !ended {
		unix.Kill(pid, unix.SIGKILL)
		for {
			if _, err := unix.Wait4(pid, &status, 0, nil); !errors.Is(err, unix.EINTR) {
				break
			}
		}
	}
	if err := broken(sh); err != nil {
		return nil, err
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
		case i == done && p.others.gone:
			r.Signal = int(unix.SIGSYS)
		case i == done && ended && status.Signaled():
			r.Signal = int(status.Signal())
		case i == done && first && !blocked && status.Signaled() && (status.Signal() != unix.SIGKILL || t.Strict):
			r.Signal = int(status.Signal()) // the process was ending already
		case i == done && ended && status.Exited() && status.ExitStatus() != 0 && executes(&calls[i]):
			r.Status = status.ExitStatus()
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

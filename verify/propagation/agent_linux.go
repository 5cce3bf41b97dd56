package propagation

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/internal/agent"
)

// maxAgents is how many mount namespaces a sequence may have, the base's included.
const maxAgents = 6

type shared struct{ blocks [maxAgents]agent.Block }

// caller makes the calls of one mount namespace.
type caller struct {
	agent.Agent
	info string // its mountinfo
	own  bool   // its user namespace is its own
}

// machine is a base agent, from whose namespace every sequence begins.
type machine struct {
	mem    []byte
	sh     *shared
	base   *caller
	agents []*caller
	hidden int // mounts below the base's root, that of its namespace first
	buf    []byte
	proc   int // /proc, for agents that do not see it
}

// newMachine starts the base agent on this thread, which has to be locked and to live on, and prepares its namespace: one tmpfs
// above the machine's root, which nobody sees.
func newMachine() (*machine, error) {
	mem, err := unix.Mmap(-1, 0, int(unsafe.Sizeof(shared{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	k := &machine{mem: mem, sh: (*shared)(unsafe.Pointer(&mem[0])), buf: make([]byte, 1<<20)}
	if k.proc, err = unix.Open("/proc", unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("/proc: %w", err)
	}
	first, err := agent.Start(unix.CLONE_NEWNS, &k.sh.blocks[0])
	if err != nil {
		unix.Munmap(mem)
		return nil, fmt.Errorf("a process with a mount namespace of its own: %w", err)
	}
	k.base = &caller{Agent: *first, info: fmt.Sprintf("/proc/%d/mountinfo", first.PID)}
	if err := k.prepare(); err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

func (k *machine) prepare() error {
	text, err := os.ReadFile(k.base.info)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	k.hidden = 1
	for _, l := range lines {
		if f := strings.Fields(l); len(f) > 4 && f[4] == "/" && f[0] != f[1] {
			k.hidden = 2
		}
	}
	a := k.base
	if err := a.Isolate("mode=777"); err != nil {
		return err
	}
	a.Reset()
	a.Add(unix.SYS_UMASK, 0)
	fill(a, "", 0)
	if err := a.Run(); err != nil {
		return err
	}
	a.Reset()
	return nil
}

// fill orders the files of every filesystem to be made below a path; need is as an order's.
func fill(a *caller, below string, need uint16) {
	at := unix.AT_FDCWD
	for i, d := range template[1:] {
		var n int
		if i+1 == fileEntry {
			n = a.Add(unix.SYS_MKNODAT, uintptr(at), a.Put(below+"/"+d.name), unix.S_IFREG|0o666, 0)
		} else {
			n = a.Add(unix.SYS_MKDIRAT, uintptr(at), a.Put(below+"/"+d.name), 0o777)
		}
		a.B.Orders[n].Need = need
	}
}

// spawn has an agent make another one in a new mount namespace, and in a new user namespace where user. It returns the errno
// of a refusal.
func (k *machine) spawn(from *caller, user bool) (*caller, syscall.Errno, error) {
	slot := len(k.agents) + 1
	b := &k.sh.blocks[slot]
	b.Clear()
	flags := uintptr(unix.SIGCHLD) | unix.CLONE_NEWNS | unix.CLONE_PARENT
	if from != k.base {
		flags |= unix.CLONE_FILES
	}
	if user {
		flags |= unix.CLONE_NEWUSER
	}
	from.Reset()
	i := from.Add(agent.Spawn, flags, uintptr(unsafe.Pointer(b)))
	err := from.Run()
	r := from.B.Orders[i].Ret
	from.Reset()
	if err != nil {
		return nil, 0, err
	}
	if r < 0 {
		return nil, syscall.Errno(-r), nil
	}
	a := &caller{Agent: agent.Agent{B: b, PID: int(r)}, info: fmt.Sprintf("/proc/%d/mountinfo", r), own: user}
	k.agents = append(k.agents, a)
	if user {
		// Only who is in the new namespace or in its parent may write its maps.
		for _, name := range []string{"uid_map", "gid_map"} {
			fd := from.Add(unix.SYS_OPENAT, uintptr(k.proc), from.Put(fmt.Sprintf("%d/%s", a.PID, name)), unix.O_WRONLY, 0)
			n := from.Add(unix.SYS_WRITE, 0, from.Put("0 0 1"), 5)
			from.B.Orders[n].Bound[0] = uint16(fd + 1)
			from.B.Orders[from.Add(unix.SYS_CLOSE)].Bound[0] = uint16(fd + 1)
		}
		if err := from.Run(); err != nil {
			return nil, 0, err
		}
		for i := range from.B.N {
			if r := from.B.Orders[i].Ret; r < 0 {
				return nil, 0, fmt.Errorf("map the ids of a user namespace: %w", syscall.Errno(-r))
			}
		}
		from.Reset()
	}
	return a, 0, nil
}

// begin starts a sequence: one agent in a copy of the base's namespace.
func (k *machine) begin() (*caller, error) {
	a, e, err := k.spawn(k.base, false)
	if e != 0 {
		err = e
	}
	return a, err
}

// end ends the agents of a sequence.
func (k *machine) end() error {
	var err error
	for _, a := range k.agents {
		unix.Kill(a.PID, unix.SIGKILL)
	}
	for _, a := range k.agents {
		for {
			if _, e := unix.Wait4(a.PID, nil, 0, nil); e != unix.EINTR {
				if e != nil {
					err = e
				}
				break
			}
		}
	}
	k.agents = k.agents[:0]
	return err
}

// mountinfo reads what an agent sees.
func (k *machine) mountinfo(a *caller) ([]byte, error) {
	fd, err := unix.Open(a.info, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n := 0
	for {
		got, err := unix.Read(fd, k.buf[n:])
		if err != nil {
			return nil, err
		}
		if got == 0 {
			return k.buf[:n], nil
		}
		n += got
	}
}

func (k *machine) Close() {
	k.end()
	unix.Kill(k.base.PID, unix.SIGKILL)
	for {
		if _, e := unix.Wait4(k.base.PID, nil, 0, nil); e != unix.EINTR {
			break
		}
	}
	unix.Close(k.proc)
	unix.Munmap(k.mem)
	runtime.KeepAlive(k)
}

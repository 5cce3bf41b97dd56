//go:build linux

package live

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/world"
)

// within is what the kernel shows of a process's network and IPC namespaces to whoever is in them.
type within struct {
	settings map[kernel.Sysctl]int
	err      [world.NumNSKinds]error // why nothing is known of a namespace
	objects  []ipcFact
	ipcErr   error // why the objects are not
}

// ipcFact is a line of /proc/sysvipc, with ids as the reader's user namespace has them.
type ipcFact struct {
	o         world.IPCObject
	uid, cuid uint32
	gid, cgid uint32
}

// settingsOf are the settings that a namespace of a kind has of its own.
func settingsOf(k world.NSKind) (all []kernel.Sysctl) {
	for s := range kernel.NumSysctls {
		_, ipc := s.NewIPC()
		_, network := s.NewNet()
		if ipc && k == world.IPCNS || network && k == world.NetNS {
			all = append(all, s)
		}
	}
	return all
}

// readWithin reads the namespaces with a thread that enters those which story itself is not in.
func (p *Process) readWithin() {
	p.within.settings = map[kernel.Sysctl]int{}
	done := make(chan bool)
	apart(func() {
		defer close(done)
		p.within.read(p)
	})
	<-done
}

func (in *within) read(p *Process) {
	for _, k := range []world.NSKind{world.NetNS, world.IPCNS} {
		var own unix.Stat_t
		if err := unix.Stat("/proc/thread-self/ns/"+nsNames[k], &own); err != nil {
			in.err[k] = err
			continue
		}
		if p.ns[k].err != nil {
			in.err[k] = p.ns[k].err
			continue
		}
		if p.ns[k].ino == own.Ino {
			continue // story's own: the machine's facts hold them
		}
		fd, err := unix.Openat(int(p.dir.Fd()), "ns/"+nsNames[k], unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, int(k.Bit()))
			unix.Close(fd)
		}
		if in.err[k] = err; err != nil {
			continue
		}
		for _, s := range settingsOf(k) {
			text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(s.String(), ".", "/"))
			if err == nil {
				in.settings[s], err = s.ParseValue(string(text))
			}
			if err != nil {
				in.err[k] = err
			}
		}
	}
	if in.ipcErr = in.err[world.IPCNS]; in.ipcErr == nil {
		in.objects, in.ipcErr = systemV()
	}
}

// systemV reads the objects of the thread's IPC namespace.
func systemV() (all []ipcFact, err error) {
	for k, name := range map[world.IPCKind]string{world.IPCShm: "shm", world.IPCMsg: "msg", world.IPCSem: "sem"} {
		f, err := os.Open("/proc/sysvipc/" + name)
		if errors.Is(err, os.ErrNotExist) {
			continue // a kernel without them
		}
		if err != nil {
			return nil, err
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			o, ok, err := ipcLine(k, strings.Fields(lines.Text()))
			if err != nil {
				f.Close()
				return nil, fmt.Errorf("/proc/sysvipc/%s: %w", name, err)
			}
			if ok {
				o.more()
				all = append(all, o)
			}
		}
		f.Close()
	}
	return all, nil
}

// ipcLine reads a line of sysvipc_shm_proc_show, sysvipc_msg_proc_show or sysvipc_sem_proc_show; the first line has names.
func ipcLine(k world.IPCKind, f []string) (o ipcFact, ok bool, err error) {
	ids := map[world.IPCKind]int{world.IPCShm: 7, world.IPCMsg: 7, world.IPCSem: 4}[k]
	if len(f) == 0 || f[0] == "key" {
		return o, false, nil
	}
	if len(f) < ids+4 {
		return o, false, fmt.Errorf("a line has %d fields", len(f))
	}
	number := func(i, base, bits int) uint64 {
		v, e := strconv.ParseUint(f[i], base, bits)
		if e != nil && err == nil {
			err = e
		}
		return v
	}
	key, e := strconv.ParseInt(f[0], 10, 64)
	o.o = world.IPCObject{Kind: k, Key: int32(key), ID: int(number(1, 10, 31)), Mode: uint16(number(2, 8, 32)) & 0o777, Size: number(3, 10, 64)}
	if k == world.IPCMsg {
		o.o.Used, o.o.Messages, o.o.Size = o.o.Size, number(4, 10, 64), 0
	}
	o.uid, o.gid, o.cuid, o.cgid = uint32(number(ids, 10, 32)), uint32(number(ids+1, 10, 32)), uint32(number(ids+2, 10, 32)), uint32(number(ids+3, 10, 32))
	if err == nil {
		err = e
	}
	return o, true, err
}

// more asks the object itself for what /proc does not show: how much a queue takes, and the values of semaphores.
func (f *ipcFact) more() {
	const ipcStat, getAll = 2, 13
	switch o := &f.o; o.Kind {
	case world.IPCMsg:
		var ds [15]uint64 // struct msqid64_ds: msg_qbytes is behind the permissions, three times, and two counts
		_, _, e := unix.Syscall(unix.SYS_MSGCTL, uintptr(o.ID), ipcStat, uintptr(unsafe.Pointer(&ds)))
		if o.Unsized = e != 0; e == 0 {
			o.Used, o.Messages, o.Size = ds[9], ds[10], ds[11]
		}
	case world.IPCSem:
		if o.Size == 0 || o.Size > 1<<16 {
			return
		}
		values := make([]uint16, o.Size)
		if _, _, e := unix.Syscall6(unix.SYS_SEMCTL, uintptr(o.ID), 0, getAll, uintptr(unsafe.Pointer(&values[0])), 0, 0); e == 0 {
			o.Values = values
		}
	}
}

// namespaced puts settings and objects of the namespaces into the world.
func (b *builder) namespaced() {
	in := &b.p.within
	for _, k := range []world.NSKind{world.NetNS, world.IPCNS} {
		at := b.Text(fmt.Sprintf("/proc/sys in the %s namespace of process %d", k, b.p.pid))
		for _, s := range settingsOf(k) {
			v, read := in.settings[s]
			switch {
			case in.err[k] != nil:
				b.Sysctls[s].At = b.Miss(fmt.Sprintf("%s in the %s namespace of the process cannot be read: %v", s, k, in.err[k]), "run as root")
			case read:
				b.Sysctls[s] = world.Given(v, at)
			}
		}
	}
	if b.IPCAt = b.Text(fmt.Sprintf("/proc/sysvipc in the IPC namespace of process %d", b.p.pid)); in.ipcErr != nil {
		b.IPCAt = b.Miss(fmt.Sprintf("which objects the process's IPC namespace holds is not known: %v", in.ipcErr), "run as root")
	}
	b.QueuesAt = b.Miss("which POSIX message queues the process's IPC namespace holds is not known", "")
	for _, f := range in.objects {
		o, mapped := f.o, true
		ids := func(which int, id uint32) uint32 {
			k, ok := b.p.users.kid(which, id)
			mapped = mapped && ok
			return k
		}
		o.UID, o.CUID, o.GID, o.CGID = world.KUID(ids(0, f.uid)), world.KUID(ids(0, f.cuid)), world.KGID(ids(1, f.gid)), world.KGID(ids(1, f.cgid))
		if o.At = b.IPCAt; !mapped {
			b.IPCAt = b.Miss("the owner of an object of IPC has no mapping in the user namespace that story runs in", "run outside of user namespaces")
			b.IPC = nil
			return
		}
		b.IPC = append(b.IPC, o)
	}
}

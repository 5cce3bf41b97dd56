package gates

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ipc makes the scene's objects in a new IPC namespace: in it the numbers count from 0.
func (s *stage) ipc(sc *Scene) error {
	if err := unix.Unshare(unix.CLONE_NEWIPC); err != nil {
		return fmt.Errorf("an IPC namespace: %w", err)
	}
	for i := range sc.IPC {
		if err := sc.IPC[i].make(sc.number(i)); err != nil {
			return fmt.Errorf("%s %d: %w", sc.IPC[i].Kind, i, err)
		}
	}
	return nil
}

func (o *IPC) make(n int) error {
	const create = 0o1000 // IPC_CREAT
	raw := func(nr uintptr, a ...uintptr) (int, error) {
		a = append(a, 0, 0, 0, 0)
		r, _, e := unix.Syscall6(nr, a[0], a[1], a[2], a[3], 0, 0)
		if e != 0 {
			return 0, e
		}
		return int(r), nil
	}
	key, size := uintptr(ipcKeys[o.Kind])+uintptr(n), ipcSizes[o.Kind]
	var id int
	var err error
	switch o.Kind {
	case "shm":
		id, err = raw(unix.SYS_SHMGET, key, uintptr(size), create)
	case "msg":
		id, err = raw(unix.SYS_MSGGET, key, create)
	case "sem":
		id, err = raw(unix.SYS_SEMGET, key, uintptr(size), create)
	case "mq":
		return o.makeQueue(n)
	default:
		return fmt.Errorf("kind %q", o.Kind)
	}
	if err == nil && id != n {
		err = fmt.Errorf("it has number %d", id)
	}
	if err != nil {
		return err
	}
	perm := [30]uint32{1: o.UID, 2: o.GID, 5: uint32(o.Mode)} // struct ipc64_perm comes first
	*(*uint64)(unsafe.Pointer(&perm[22])) = size              // msg_qbytes
	at := uintptr(unsafe.Pointer(&perm[0]))
	const set = 1 // IPC_SET
	switch o.Kind {
	case "shm":
		_, err = raw(unix.SYS_SHMCTL, uintptr(id), set, at)
	case "msg":
		_, err = raw(unix.SYS_MSGCTL, uintptr(id), set, at)
	default:
		_, err = raw(unix.SYS_SEMCTL, uintptr(id), 0, set, at)
	}
	return err
}

func (o *IPC) makeQueue(n int) error {
	name, err := unix.BytePtrFromString(queueName(n))
	if err != nil {
		return err
	}
	attr := [8]int64{1: 1, 2: 16} // small, since RLIMIT_MSGQUEUE counts those of earlier scenes until their namespace is gone
	fd, _, e := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)), unix.O_RDWR|unix.O_CREAT, 0o600, uintptr(unsafe.Pointer(&attr[0])), 0, 0)
	if e != 0 {
		return e
	}
	defer unix.Close(int(fd))
	if err := unix.Fchown(int(fd), int(o.UID), int(o.GID)); err != nil {
		return err
	}
	return unix.Fchmod(int(fd), uint32(o.Mode))
}

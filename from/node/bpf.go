package node

import (
	"bytes"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lsmPrograms lists the BPF programs that are loaded for LSM hooks, by id and name; ok is false where they cannot be listed.
func lsmPrograms() (names []string, ok bool) {
	names = []string{}
	for id := uint32(0); ; {
		next := struct{ id, next, flags uint32 }{id: id}
		switch e := bpf(unix.BPF_PROG_GET_NEXT_ID, unsafe.Pointer(&next), unsafe.Sizeof(next)); e {
		case 0:
		case unix.ENOENT:
			return names, true
		default:
			return nil, false
		}
		id = next.next
		get := struct{ id, next, flags uint32 }{id: id}
		fd, _, e := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_GET_FD_BY_ID, uintptr(unsafe.Pointer(&get)), unsafe.Sizeof(get))
		if e == unix.ENOENT {
			continue // it was unloaded meanwhile
		} else if e != 0 {
			return nil, false
		}
		// The first fields of struct bpf_prog_info.
		var info struct {
			kind, id     uint32
			tag          [8]byte
			jited, xlate uint32
			insns        [2]uint64
			loaded       uint64
			uid, maps    uint32
			mapIDs       uint64
			name         [16]byte
		}
		ask := struct {
			fd, size uint32
			info     uint64
		}{uint32(fd), uint32(unsafe.Sizeof(info)), uint64(uintptr(unsafe.Pointer(&info)))}
		e = bpf(unix.BPF_OBJ_GET_INFO_BY_FD, unsafe.Pointer(&ask), unsafe.Sizeof(ask))
		unix.Close(int(fd))
		if e != 0 {
			return nil, false
		}
		if info.kind == unix.BPF_PROG_TYPE_LSM {
			names = append(names, fmt.Sprintf("program %d %s", id, bytes.TrimRight(info.name[:], "\x00")))
		}
	}
}

func bpf(cmd uintptr, attr unsafe.Pointer, size uintptr) unix.Errno {
	_, _, e := unix.Syscall(unix.SYS_BPF, cmd, uintptr(attr), size)
	return e
}

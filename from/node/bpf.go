package node

import (
	"bytes"
	"fmt"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// lsmPrograms lists the BPF programs that are loaded for LSM hooks, by hook, id and name as world.BPFHooks has them; ok is false
// where they cannot be listed.
func lsmPrograms() (names []string, ok bool) {
	names = []string{}
	var types *btf.Spec
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
		var info programInfo
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
			name := fmt.Sprintf("program %d %s", id, bytes.TrimRight(info.name[:], "\x00"))
			if types == nil {
				types, _ = btf.LoadKernelSpec()
			}
			if hook := attachedTo(types, info.function); hook != "" {
				name = hook + ": " + name
			}
			names = append(names, name)
		}
	}
}

// programInfo is struct bpf_prog_info as of Linux 6.0; an older kernel leaves what it does not know at 0.
type programInfo struct {
	kind, id     uint32
	tag          [8]byte
	jited, xlate uint32
	insns        [2]uint64
	loaded       uint64
	uid, maps    uint32
	mapIDs       uint64
	name         [16]byte
	_            [136]byte
	verified     uint32
	_            uint32 // the BTF object: that of the kernel, as every hook is in it
	function     uint32 // by its BTF id, what the program is attached to
	_            uint32
}

// attachedTo names the hook whose function, bpf_lsm_HOOK, has this id; "" where that is not known.
func attachedTo(types *btf.Spec, id uint32) string {
	if types == nil || id == 0 {
		return ""
	}
	f, err := types.TypeByID(btf.TypeID(id))
	if err != nil {
		return ""
	}
	hook, _ := strings.CutPrefix(f.TypeName(), "bpf_lsm_")
	return hook
}

func bpf(cmd uintptr, attr unsafe.Pointer, size uintptr) unix.Errno {
	_, _, e := unix.Syscall(unix.SYS_BPF, cmd, uintptr(attr), size)
	return e
}

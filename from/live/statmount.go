//go:build linux

package live

import (
	"encoding/binary"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	nsGetMountNSID   = 0x8008b705 // NS_GET_MNTNS_ID; since Linux 6.11
	statxMountUnique = 0x4000     // STATX_MNT_ID_UNIQUE; since Linux 6.8
	statmountUIDMap  = 0x2000     // since Linux 6.15
	statmountGIDMap  = 0x4000
)

// mountNSID returns the number by which statmount names a mount namespace.
func mountNSID(fd int) (id uint64, err error) {
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), nsGetMountNSID, uintptr(unsafe.Pointer(&id))); e != 0 {
		return 0, e
	}
	return id, nil
}

// statmountMaps returns the id maps of the mount that a descriptor lies on, in the form of uid_map: the filesystem's id, what the mount
// shows for it as the reader counts, how many. They are empty where the kernel does not tell.
func statmountMaps(fd int, ns uint64) (maps [2]string) {
	var st unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, statxMountUnique, &st) != nil || st.Mask&statxMountUnique == 0 {
		return maps
	}
	req := struct {
		size, spare     uint32
		mount, mask, ns uint64
	}{32, 0, st.Mnt_id, statmountUIDMap | statmountGIDMap, ns}
	buf := make([]byte, 64<<10)
	if _, _, e := unix.Syscall6(unix.SYS_STATMOUNT, uintptr(unsafe.Pointer(&req)), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0, 0); e != 0 {
		return maps
	}
	const fields = 512 // of struct statmount before its strings
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(buf[at:]) }
	mask := binary.LittleEndian.Uint64(buf[8:])
	for i, bit := range []uint64{statmountUIDMap, statmountGIDMap} {
		num, off := word(152+8*i), word(156+8*i)
		if mask&bit == 0 || int(off) > len(buf)-fields {
			continue
		}
		parts := strings.SplitN(string(buf[fields+off:]), "\x00", int(num)+1)
		if len(parts) > int(num) {
			maps[i] = strings.Join(parts[:num], "\n")
		}
	}
	return maps
}

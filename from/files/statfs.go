package files

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"syscallstory/story"
	"syscallstory/world"
)

// Type names the filesystem of a path of this machine, where its rules are modelled.
func Type(path string) string {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return "unknown"
	}
	return TypeOf(&st)
}

// TypeOf names the filesystem by statfs's number.
func TypeOf(st *unix.Statfs_t) string {
	switch int64(st.Type) {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.TMPFS_MAGIC:
		return "tmpfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlay"
	}
	return "unknown"
}

// RoomAt is what the filesystem of a directory says it has left, and whether it is mounted with quotas.
func RoomAt(fd int, at story.Origin) *world.Room {
	var st unix.Statfs_t
	var stx unix.Statx_t
	if unix.Fstatfs(fd, &st) != nil || unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_TYPE, &stx) != nil {
		return nil
	}
	r := RoomOf(&st, at)
	if r != nil {
		r.Quota = quota(fmt.Sprintf("%d:%d", stx.Dev_major, stx.Dev_minor))
	}
	return r
}

// quota finds the option of a filesystem by which quotas count, among the mounts that story sees.
func quota(dev string) string {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(text)) {
		head, super, _ := strings.Cut(line, " - ")
		if f := strings.Fields(head); len(f) < 3 || f[2] != dev {
			continue
		}
		for opt := range strings.SplitSeq(strings.TrimSpace(super[strings.LastIndexByte(super, ' ')+1:]), ",") {
			name, _, _ := strings.Cut(opt, "=")
			if name != "noquota" && (strings.HasSuffix(name, "quota") || strings.HasSuffix(name, "qnoenforce") || name == "usrjquota" || name == "grpjquota") {
				return opt
			}
		}
		return ""
	}
	return ""
}

// RoomOf is what a filesystem says it has left; nil where it has no limit (tmpfs with size=0).
func RoomOf(st *unix.Statfs_t, at story.Origin) *world.Room {
	if st.Blocks == 0 {
		return nil
	}
	unit := max(st.Frsize, 1)
	r := &world.Room{Bytes: int64(st.Bavail) * unit, Reserved: (int64(st.Bfree) - int64(st.Bavail)) * unit, Inodes: -1, At: at}
	if st.Files > 0 {
		r.Inodes = int64(st.Ffree)
	}
	return r
}

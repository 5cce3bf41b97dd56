package files

import (
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

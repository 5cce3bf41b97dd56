package vfs

import (
	"fmt"

	"syscallstory/check"
	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/world"
)

// OpsFor returns the rules of a filesystem, nil where the generic ones hold alone.
func OpsFor(sb *world.SB) check.Ops {
	switch sb.Type {
	case "overlay":
		if sb.Overlay != nil {
			return overlay.Ops{}
		}
		return ownRules{}
	case "proc":
		return procRules{}
	case "sysfs", "cgroup", "cgroup2": // kernfs_iop_permission is generic_permission
		return nil
	case "", "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "ramfs", "devtmpfs", "devpts", "mqueue", "rootfs", "bpf", "debugfs", "securityfs", "binfmt_misc", "hugetlbfs", "configfs", "nsfs":
		return nil
	}
	return ownRules{}
}

// ownRules is a filesystem whose permission function is not modelled: what the mode bits refuse is refused, the rest is not
// known.
type ownRules struct{}

func (ownRules) Permission(c *check.Check, cr *world.Cred, p world.Path, mask check.Mask) story.Errno {
	if e := c.Hooks.GenericPermission(c, cr, p, mask); e != 0 {
		return e
	}
	ino := c.W.FS.I(p.Dentry)
	sb := c.W.FS.SB(ino.SB)
	name := sb.Type
	if name == "unknown" {
		name = "the filesystem, whose type is not known,"
	}
	c.Unknown(story.Step{Code: story.FSRules, Errno: story.EACCES, Op: mask.Op(ino.Is(world.TypeDir)), Obj: p.Ref(), Fact: [3]story.Origin{sb.At}, Val: [3]uint64{c.Word(name)}})
	return 0
}
func (ownRules) Lookup(*check.Check, world.Path, string) story.Errno { return 0 }
func (ownRules) Served(*check.Check, world.Path)                     {}
func (ownRules) Remove(*check.Check, world.Path) story.Errno         { return 0 }
func (ownRules) CopyUp(*check.Check, world.Path, check.Copying) story.Errno {
	return 0
}
func (ownRules) Create(*check.Check, world.Path, string) story.Errno { return 0 }

// deviceName prints a device as the cgroup's rules do.
func deviceName(ino *world.Inode) string {
	t := "c"
	if ino.Is(world.TypeBlk) {
		t = "b"
	}
	return fmt.Sprintf("%s %d:%d", t, ino.Major, ino.Minor)
}

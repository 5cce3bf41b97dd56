package vfs

import (
	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/world"
)

// operations are what the directories of a filesystem can do (struct inode_operations).
type operations uint16

const (
	opCreate operations = 1 << iota
	opMknod
	opMkdir
	opSymlink
	opLink
	opUnlink
	opRmdir
	opRename
	allOperations operations = 1<<iota - 1
)

// directories are the operations of a filesystem's directories: those that it has, and those of which the filesystem or what it
// holds decides (kernfs_syscall_ops, trace_instances).
var directories = map[string]struct{ has, perhaps operations }{
	"": {has: allOperations}, "ext2": {has: allOperations}, "ext3": {has: allOperations}, "ext4": {has: allOperations}, "xfs": {has: allOperations}, "btrfs": {has: allOperations},
	"tmpfs": {has: allOperations}, "ramfs": {has: allOperations}, "rootfs": {has: allOperations}, "devtmpfs": {has: allOperations}, "hugetlbfs": {has: allOperations}, "overlay": {has: allOperations},
	"proc": {}, "sysfs": {}, "devpts": {}, "debugfs": {}, "securityfs": {}, "binfmt_misc": {}, // no more than lookup
	"cgroup":  {perhaps: opMkdir | opRmdir | opRename},
	"cgroup2": {perhaps: opMkdir | opRmdir}, // limits of the hierarchy, and whether a cgroup is populated
	"tracefs": {perhaps: opMkdir | opRmdir},
	"mqueue":  {has: opUnlink, perhaps: opCreate}, // queues_max
	"bpf":     {has: opMkdir | opSymlink | opLink | opUnlink | opRmdir | opRename},
}

// operation refuses what the directory has no operation for, with errno: vfs_create's is EACCES, all others' EPERM.
func operation(c *check.Check, dir world.Path, op operations, errno story.Errno) story.Errno {
	sb := c.W.FS.SBOf(dir.Dentry)
	d, known := directories[sb.Type]
	if d.has&op != 0 {
		return 0
	}
	s := story.Step{Code: story.NoOperation, Errno: errno, Op: story.OpCreate, Obj: dir.Ref(), Fact: [3]story.Origin{sb.At}}
	if c.Recording() {
		s.Val[0] = c.Word(sb.Type)
	}
	if known && d.perhaps&op == 0 {
		return c.Deny(s)
	}
	switch {
	case !known:
	case op == opMkdir:
		s.Errno = story.EAGAIN // cgroup_check_hierarchy_limits
	case op == opRmdir:
		s.Errno = story.EBUSY // cgroup_destroy_locked
	case op == opCreate:
		s.Errno = story.ENOSPC // mqueue_create_attr
	}
	c.Unknown(s)
	return 0
}

// mustExist reports whether looking a missing name up in a directory is an error already, whatever is to be done with it: the lookups
// of proc end with ENOENT instead of a name without a file.
func mustExist(c *check.Check, dir world.Path) bool { return c.W.FS.SBOf(dir.Dentry).Type == "proc" }

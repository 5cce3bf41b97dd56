package explain_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/explain"
	"syscallstory/kernel"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// mountsFiles is the tree of the tables of the mount API; mountsLab mounts in it.
const mountsFiles = `
	dir . 755 0:0
	dir d 755 0:0
	dir d/e 755 0:0
	dir other 755 0:0
	file f 644 0:0
	file g 644 0:0
	link l 777 0:0 to=point
	link dangling 777 0:0 to=gone
	dir point 755 0:0
	dir shared 755 0:0
	dir peer 755 0:0
	dir slave 755 0:0
	dir unbindable 755 0:0
	dir busy 755 0:0
	dir cover 755 0:0
	dir twin 755 0:0
	dir strict 755 0:0
	dir private 700 0:0
`

// mountedFiles is what each tmpfs holds. It is declared to the world instead of being read, since who reads a directory keeps
// its mount busy.
const mountedFiles = `
	dir . 755 0:0
	dir sub 755 0:0
	dir sub2 755 0:0
	file file 644 0:0
`

func (l *lab) declared(point string) {
	l.t.Helper()
	l.must(unix.Mount("tmpfs", l.path(point), "tmpfs", 0, "mode=755"))
	l.must(makeFiles(l.path(point), mountedFiles))
	ino := func(mode uint16) world.Inode {
		return world.Inode{Mode: mode, Known: world.KnownAll, Nlink: 1, At: l.at, Whole: mode&world.TypeMask == world.TypeDir}
	}
	sb := l.FS.NewSB(world.SB{Type: "tmpfs", Name: point, At: l.at, FlagsAt: l.at}, ino(world.TypeDir|0o755))
	for _, name := range []string{"sub", "sub2"} {
		l.FS.Add(l.FS.SB(sb).Root, name, ino(world.TypeDir|0o755))
	}
	l.FS.Add(l.FS.SB(sb).Root, "file", ino(world.TypeReg|0o644))
	l.attach(point, world.Mount{SB: sb})
}

// mountsLab: point is a tmpfs, shared another one with a peer and a slave, cover has one mounted on cover/sub, busy is written
// to, twin shows point/sub.
func mountsLab(l *lab) {
	for _, p := range []string{"point", "shared", "unbindable", "busy", "cover", "cover/sub"} {
		l.declared(p)
	}
	set := func(p string, kind uintptr, f func(*world.Mount)) {
		l.must(unix.Mount("", l.path(p), "", kind, ""))
		f(&l.Mounts[l.place(l.root, p).Mount])
	}
	set("shared", unix.MS_SHARED, func(m *world.Mount) { m.Group = 1 })
	set("unbindable", unix.MS_UNBINDABLE, func(m *world.Mount) { m.Unbindable = true })
	copied := func(from, to string, group uint32) {
		l.must(unix.Mount(l.path(from), l.path(to), "", unix.MS_BIND, ""))
		p := l.place(l.root, from)
		l.attach(to, world.Mount{Root: p.Dentry, SB: l.Mounts[p.Mount].SB, Group: group})
	}
	copied("shared", "peer", 1)
	copied("shared", "slave", 1)
	set("slave", unix.MS_SLAVE, func(m *world.Mount) { m.Group, m.Master = 0, 1 })
	copied("point/sub", "twin", 0)
	l.open(901, "f", unix.O_RDWR)
	l.open(907, "f", unix.O_PATH)
	l.open(903, "busy/file", unix.O_WRONLY)
	l.ProcessesAt = l.at
	l.Filesystems = world.Given(machineFilesystems(l.t), l.at)
	_, err := os.Stat("/proc/modules")
	l.Features[kernel.Modules] = world.Given(err == nil, l.at)
	ids := l.InitialNamespaces(l.at)
	l.Task.NS = ids
	for i := range l.Mounts {
		l.Mounts[i].Atime = world.AtimeKnown | world.AtimeRelative
	}
}

func machineFilesystems(t *testing.T) []string {
	text, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for l := range strings.SplitSeq(string(text), "\n") {
		if f := strings.Fields(l); len(f) > 0 {
			out = append(out, f[len(f)-1])
		}
	}
	return out
}

// nosuch is ENODEV for sure only where no module could bring a filesystem.
var nosuch = func() string {
	if _, err := os.Stat("/proc/modules"); err == nil {
		return "?ENODEV"
	}
	return "ENODEV"
}()

// mountAPICases: root, and a stranger without capabilities.
var mountAPICases = []row{
	// mount: arguments before the capability, the path before both.
	{`mount("none", "other", "tmpfs", 0, NULL)`, "- EPERM"},
	{`mount("none", "l", "tmpfs", 0, NULL)`, "- EPERM"},
	{`mount("none", "dangling", "tmpfs", 0, NULL)`, "ENOENT"},
	{`mount("none", "private/x", "tmpfs", 0, NULL)`, "ENOENT EACCES"},
	{`mount("none", "other", "tmpfs", MS_REMOUNT|MS_BIND|MS_RDONLY, NULL)`, "EINVAL EPERM"},
	{`mount(0x1000, "other", "tmpfs", 0, NULL)`, "EFAULT"},
	{`mount("none", "gone", 0x1000, 0, NULL)`, "EFAULT"},
	{`mount("none", "other", "tmpfs", 0x80000000, NULL)`, "EINVAL"},
	{`mount("none", "gone", "tmpfs", 0x80000000, NULL)`, "ENOENT"},
	{`mount("none", "other", "tmpfs", 0xc0ed0000, NULL)`, "- EPERM"},
	{`mount("none", "other", NULL, 0, NULL)`, "EINVAL EPERM"},
	{`mount("none", "other", "nosuchfs", 0, NULL)`, nosuch + " EPERM"},
	{`mount("none", "f", "tmpfs", 0, NULL)`, "ENOTDIR EPERM"},
	// options
	{`mount("none", "other", "tmpfs", 0, "mode=700,size=1m")`, "- EPERM"},
	{`mount("none", "other", "tmpfs", 0, "")`, "- EPERM"},
	{`mount("none", "other", "tmpfs", 0, "nosuch=1")`, "EINVAL EPERM"},
	{`mount("none", "other", "tmpfs", 0, "mode=9")`, "EINVAL EPERM"},
	{`mount("none", "other", "tmpfs", 0, "ro")`, "- EPERM"},
	{`mount("none", "other", "ramfs", 0, "nosuch=1")`, "- EPERM"},
	{`mount("none", "other", "proc", 0, NULL)`, "- EPERM"},
	{`mount("none", "other", "proc", 0, "hidepid=2")`, "- EPERM"},
	{`mount("none", "other", "proc", 0, "nosuch")`, "EINVAL EPERM"},
	{`mount("none", "other", "sysfs", 0, NULL)`, "- EPERM"},
	{`mount("none", "other", "mqueue", 0, NULL)`, "- EPERM"},
	{`mount("none", "other", "devpts", 0, "newinstance,mode=620")`, "- EPERM"},
	{`mount("none", "other", "cgroup2", 0, NULL)`, "- EPERM"},
	{`mount("none", "other", "bpf", 0, NULL)`, "- EPERM"},
	{`mount("none", "other", "ext4", 0, NULL)`, "ENOENT EPERM"},
	{`mount("", "other", "ext4", 0, NULL)`, "EINVAL EPERM"},
	{`mount(NULL, "other", "ext4", 0, NULL)`, "EINVAL EPERM"},
	{`mount("f", "other", "ext4", 0, NULL)`, "ENOTBLK EPERM"},
	{`mount("none", "other", "overlay", 0, "lowerdir=/gone:/d")`, "ENOENT EPERM"},
	{`mount("none", "other", "overlay", 0, "lowerdir=/f:/d")`, "EINVAL EPERM"},
	{`mount("none", "other", "overlay", 0, "upperdir=/gone,lowerdir=/d")`, "ENOENT EPERM"},
	// binds
	{`mount("point", "other", NULL, MS_BIND, NULL)`, "- EPERM"},
	{`mount("f", "g", NULL, MS_BIND, NULL)`, "- EPERM"},
	{`mount("f", "other", NULL, MS_BIND, NULL)`, "ENOTDIR EPERM"},
	{`mount("gone", "f", NULL, MS_BIND, NULL)`, "ENOENT EPERM"},
	{`mount("", "f", NULL, MS_BIND, NULL)`, "EINVAL EPERM"},
	{`mount("unbindable", "f", NULL, MS_BIND, NULL)`, "EINVAL EPERM"},
	{`mount("unbindable/sub", "other", NULL, MS_BIND|MS_REC, NULL)`, "EINVAL EPERM"},
	{`mount("/", "other", NULL, MS_BIND|MS_REC, NULL)`, "- EPERM"},
	{`mount("shared", "peer/sub", NULL, MS_BIND, NULL)`, "- EPERM"},
	// moves
	{`mount("point", "other", NULL, MS_MOVE, NULL)`, "- EPERM"},
	{`mount("d", "other", NULL, MS_MOVE, NULL)`, "EINVAL EPERM"},
	{`mount("point", "f", NULL, MS_MOVE, NULL)`, "EINVAL EPERM"},
	{`mount("gone", "other", NULL, MS_MOVE, NULL)`, "ENOENT EPERM"},
	{`mount(NULL, "other", NULL, MS_MOVE, NULL)`, "EINVAL EPERM"},
	{`mount("cover", "cover/sub2", NULL, MS_MOVE, NULL)`, "ELOOP EPERM"},
	{`mount("unbindable", "shared/sub", NULL, MS_MOVE, NULL)`, "EINVAL EPERM"},
	{`mount("unbindable", "other", NULL, MS_MOVE, NULL)`, "- EPERM"},
	{`mount("/", "other", NULL, MS_MOVE, NULL)`, "ELOOP EPERM"},
	// propagation
	{`mount(NULL, "point", NULL, MS_SHARED, NULL)`, "- EPERM"},
	{`mount(NULL, "point", NULL, MS_SHARED|MS_SLAVE, NULL)`, "EINVAL EPERM"},
	{`mount(NULL, "point", NULL, MS_SLAVE|MS_NOSUID, NULL)`, "EINVAL EPERM"},
	{`mount(NULL, "other", NULL, MS_UNBINDABLE, NULL)`, "EINVAL EPERM"},
	{`mount(NULL, "/", NULL, MS_PRIVATE|MS_REC|MS_SILENT, NULL)`, "- EPERM"},
	// remounts
	{`mount(NULL, "point", NULL, MS_REMOUNT|MS_BIND|MS_RDONLY|MS_NOEXEC, NULL)`, "- EPERM"},
	{`mount(NULL, "busy", NULL, MS_REMOUNT|MS_BIND|MS_RDONLY, NULL)`, "EBUSY EPERM"},
	{`mount(NULL, "busy", NULL, MS_REMOUNT|MS_BIND|MS_NODEV, NULL)`, "- EPERM"},
	{`mount(NULL, "point", NULL, MS_REMOUNT|MS_RDONLY, NULL)`, "- EPERM"},
	{`mount(NULL, "busy", NULL, MS_REMOUNT|MS_RDONLY, NULL)`, "EBUSY EPERM"},
	{`mount(NULL, "point", NULL, MS_REMOUNT, "nosuch")`, "EINVAL EPERM"},
	{`mount(NULL, "other", NULL, MS_REMOUNT, NULL)`, "EINVAL EPERM"},
	// umount2
	{`umount2("point", 0)`, "- EPERM"},
	{`umount2("l", 0)`, "- EPERM"},
	{`umount2("l", UMOUNT_NOFOLLOW)`, "EINVAL EPERM"},
	{`umount2("point", MNT_FORCE)`, "- EPERM"},
	{`umount2("point", 16)`, "EINVAL"},
	{`umount2("gone", 16)`, "EINVAL"},
	{`umount2("gone", 0)`, "ENOENT"},
	{`umount2("d", MNT_DETACH)`, "EINVAL EPERM"},
	{`umount2("busy", 0)`, "EBUSY EPERM"},
	{`umount2("busy", MNT_DETACH)`, "- EPERM"},
	{`umount2("cover", 0)`, "EBUSY EPERM"},
	{`umount2("cover", MNT_DETACH)`, "- EPERM"},
	{`umount2("cover/sub", 0)`, "- EPERM"},
	{`umount2("point", MNT_EXPIRE)`, "EAGAIN EPERM"},
	{`umount2("cover", MNT_EXPIRE)`, "EBUSY EPERM"},
	{`umount2("busy", MNT_EXPIRE)`, "EBUSY EPERM"},
	{`umount2("point", MNT_EXPIRE|MNT_DETACH)`, "EINVAL EPERM"},
	{`umount2("/", MNT_EXPIRE)`, "EINVAL EPERM"},
	{`umount2("/", 0)`, "EBUSY EPERM"}, // a remount: f is open for writing
	// pivot_root asks for the capability before it looks
	{`pivot_root("point", "point")`, "- EPERM"},
	{`pivot_root("point", "point/sub")`, "- EPERM"},
	{`pivot_root("gone", "point")`, "ENOENT EPERM"},
	{`pivot_root("point", "gone")`, "ENOENT EPERM"},
	{`pivot_root("f", "point")`, "ENOTDIR EPERM"},
	{`pivot_root("point", "other")`, "EBUSY EPERM"},
	{`pivot_root("d", "point")`, "EBUSY EPERM"},
	{`pivot_root("point/sub", "point/sub")`, "EINVAL EPERM"},
	{`pivot_root("shared", "shared")`, "EINVAL EPERM"},
	{`pivot_root("point", "cover")`, "EINVAL EPERM"},
	// open_tree
	{`open_tree(AT_FDCWD, "point", 0)`, "-"},
	{`open_tree(AT_FDCWD, "private/x", 0)`, "ENOENT EACCES"},
	{`open_tree(AT_FDCWD, "point", OPEN_TREE_CLONE)`, "- EPERM"},
	{`open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE|AT_RECURSIVE)`, "- EPERM"},
	{`open_tree(AT_FDCWD, "unbindable", OPEN_TREE_CLONE)`, "EINVAL EPERM"},
	{`open_tree(AT_FDCWD, "gone", OPEN_TREE_CLONE)`, "ENOENT EPERM"},
	{`open_tree(AT_FDCWD, "point", 4)`, "EINVAL"},
	{`open_tree(AT_FDCWD, "point", AT_RECURSIVE)`, "EINVAL"},
	{`open_tree(99, "point", OPEN_TREE_CLONE)`, "EBADF EPERM"},
	{`open_tree(901, "", OPEN_TREE_CLONE|AT_EMPTY_PATH)`, "- EPERM"},
	{`open_tree(99, "", OPEN_TREE_CLONE|AT_EMPTY_PATH)`, "EBADF EPERM"},
	// move_mount
	{`move_mount(AT_FDCWD, "point", AT_FDCWD, "other", 0)`, "- EPERM"},
	{`move_mount(AT_FDCWD, "point", AT_FDCWD, "other", 0x1000)`, "EINVAL EPERM"},
	{`move_mount(AT_FDCWD, "point", AT_FDCWD, "cover", MOVE_MOUNT_BENEATH|MOVE_MOUNT_SET_GROUP)`, "EINVAL EPERM"},
	{`move_mount(AT_FDCWD, "gone", AT_FDCWD, "other", 0)`, "ENOENT EPERM"},
	{`move_mount(AT_FDCWD, "point", AT_FDCWD, "gone", 0)`, "ENOENT EPERM"},
	{`move_mount(AT_FDCWD, "d", AT_FDCWD, "other", 0)`, "EINVAL EPERM"},
	{`move_mount(AT_FDCWD, "l", AT_FDCWD, "other", 0)`, "EINVAL EPERM"},
	{`move_mount(AT_FDCWD, "l", AT_FDCWD, "other", MOVE_MOUNT_F_SYMLINKS)`, "- EPERM"},
	{`move_mount(AT_FDCWD, "point", AT_FDCWD, "l", MOVE_MOUNT_T_SYMLINKS)`, "ELOOP EPERM"},
	{`move_mount(AT_FDCWD, "point", AT_FDCWD, "cover", MOVE_MOUNT_BENEATH)`, "- EPERM"},
	{`move_mount(AT_FDCWD, "point", AT_FDCWD, "other", MOVE_MOUNT_BENEATH)`, "EINVAL EPERM"},
	{`move_mount(AT_FDCWD, "point", AT_FDCWD, "/", MOVE_MOUNT_BENEATH)`, "EINVAL EPERM"},
	{`move_mount(AT_FDCWD, "point", AT_FDCWD, "twin", MOVE_MOUNT_SET_GROUP)`, "EINVAL EPERM"},
	{`move_mount(AT_FDCWD, "shared", AT_FDCWD, "twin", MOVE_MOUNT_SET_GROUP)`, "EINVAL EPERM"},
	{`move_mount(99, "", AT_FDCWD, "other", MOVE_MOUNT_F_EMPTY_PATH)`, "EBADF EPERM"},
	{`move_mount(901, "", AT_FDCWD, "g", MOVE_MOUNT_F_EMPTY_PATH)`, "EINVAL EPERM"},
	// mount_setattr: size, capability, then the rest
	{`mount_setattr(AT_FDCWD, "point", 0, {attr_set=MOUNT_ATTR_RDONLY}, 32)`, "- EPERM"},
	{`mount_setattr(AT_FDCWD, "gone", 0, {attr_set=MOUNT_ATTR_RDONLY}, 32)`, "ENOENT EPERM"},
	{`mount_setattr(AT_FDCWD, "gone", 0, {}, 32)`, "- EPERM"},
	{`mount_setattr(AT_FDCWD, "gone", 0, {}, 16)`, "EINVAL"},
	{`mount_setattr(AT_FDCWD, "gone", 0, {}, 5000)`, "E2BIG"},
	{`mount_setattr(AT_FDCWD, "gone", 1, {}, 32)`, "EINVAL"},
	{`mount_setattr(AT_FDCWD, "d", 0, {attr_set=MOUNT_ATTR_RDONLY}, 32)`, "EINVAL EPERM"},
	{`mount_setattr(AT_FDCWD, "busy", 0, {attr_set=MOUNT_ATTR_RDONLY}, 32)`, "EBUSY EPERM"},
	{`mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, {attr_set=MOUNT_ATTR_RDONLY}, 32)`, "EBUSY EPERM"},
	{`mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, {attr_set=MOUNT_ATTR_NOSUID, propagation=MS_SLAVE}, 32)`, "- EPERM"},
	{`mount_setattr(AT_FDCWD, "point", 0, {propagation=MS_SLAVE|MS_SHARED}, 32)`, "EINVAL EPERM"},
	{`mount_setattr(AT_FDCWD, "point", 0, {propagation=MS_RDONLY}, 32)`, "EINVAL EPERM"},
	{`mount_setattr(AT_FDCWD, "point", 0, {attr_set=0x1000000}, 32)`, "EINVAL EPERM"},
	{`mount_setattr(AT_FDCWD, "point", 0, {attr_set=MOUNT_ATTR_NOATIME}, 32)`, "EINVAL EPERM"},
	{`mount_setattr(AT_FDCWD, "point", 0, {attr_set=MOUNT_ATTR_NOATIME, attr_clr=MOUNT_ATTR__ATIME}, 32)`, "- EPERM"},
	{`mount_setattr(AT_FDCWD, "point", 0, {attr_set=MOUNT_ATTR__ATIME, attr_clr=MOUNT_ATTR__ATIME}, 32)`, "EINVAL EPERM"},
	{`mount_setattr(AT_FDCWD, "point", 0, {attr_set=MOUNT_ATTR_IDMAP, userns_fd=99}, 32)`, "EBADF EPERM"},
	{`mount_setattr(AT_FDCWD, "point", 0, {attr_set=MOUNT_ATTR_IDMAP, userns_fd=901}, 32)`, "EINVAL EPERM"},
	{`mount_setattr(AT_FDCWD, "point", 0, {attr_set=MOUNT_ATTR_IDMAP, userns_fd=907}, 32)`, "EBADF EPERM"}, // O_PATH
	{`mount_setattr(AT_FDCWD, "point", 0, {attr_clr=MOUNT_ATTR_IDMAP}, 32)`, "EINVAL EPERM"},
	// open_tree_attr: a size without attributes, the tree, the attributes, and only then a copy is made
	{`open_tree_attr(AT_FDCWD, "point", 0, NULL, 0)`, "-"},
	{`open_tree_attr(AT_FDCWD, "point", 0, NULL, 16)`, "EINVAL"},
	{`open_tree_attr(AT_FDCWD, "gone", 0, NULL, 16)`, "EINVAL"},
	{`open_tree_attr(AT_FDCWD, "gone", 0, {attr_set=MOUNT_ATTR_RDONLY}, 32)`, "ENOENT"},
	{`open_tree_attr(AT_FDCWD, "point", 4, {attr_set=MOUNT_ATTR_RDONLY}, 32)`, "EINVAL"},
	{`open_tree_attr(AT_FDCWD, "point", 0, {}, 16)`, "EINVAL"},
	{`open_tree_attr(AT_FDCWD, "point", 0, {}, 5000)`, "E2BIG"},
	{`open_tree_attr(AT_FDCWD, "point", 0, {}, 32)`, "- EPERM"},
	{`open_tree_attr(AT_FDCWD, "point", 0, {attr_set=MOUNT_ATTR_RDONLY}, 32)`, "- EPERM"},
	{`open_tree_attr(AT_FDCWD, "d", 0, {attr_set=MOUNT_ATTR_RDONLY}, 32)`, "EINVAL EPERM"},
	{`open_tree_attr(AT_FDCWD, "busy", 0, {attr_set=MOUNT_ATTR_RDONLY}, 32)`, "EBUSY EPERM"},
	{`open_tree_attr(AT_FDCWD, "point", 0, {attr_set=0x1000000}, 32)`, "EINVAL EPERM"},
	{`open_tree_attr(AT_FDCWD, "point", OPEN_TREE_CLONE, NULL, 0)`, "- EPERM"},
	{`open_tree_attr(AT_FDCWD, "unbindable", OPEN_TREE_CLONE, {attr_set=MOUNT_ATTR_RDONLY}, 32)`, "EINVAL EPERM"},
	{`open_tree_attr(AT_FDCWD, "point", OPEN_TREE_CLONE, {propagation=MS_RDONLY}, 32)`, "EINVAL EPERM"},
	// statmount and listmount: flags, the request's size, then what it asks for
	{`statmount({size=24, mnt_id=1}, 0x1000, 512, 1)`, "EINVAL"},
	{`statmount(NULL, 0x1000, 512, 1)`, "EINVAL"},
	{`statmount(NULL, 0x1000, 512, 0)`, "EFAULT"},
	{`statmount({size=16}, 0x1000, 512, 0)`, "EINVAL"},
	{`statmount({size=5000}, 0x1000, 512, 0)`, "E2BIG"},
	{`statmount({size=24, mnt_id=1}, 0x1000, 512, 0)`, "EINVAL"},
	{`statmount({size=32, mnt_id=0x80000000}, 0x1000, 512, 0)`, "EINVAL"},
	{`statmount({size=24, mnt_ns_fd=7, mnt_id=0x80000001}, 0x1000, 512, 0)`, "EINVAL"},
	{`statmount({size=32, mnt_id=0xffffffffffff}, 0x1000, 512, 0)`, "?ENOENT"},
	{`listmount({size=24, mnt_id=0xffffffffffffffff}, 0x1000, 2, 4)`, "EINVAL"},
	{`listmount(NULL, 0x1000, 2, 0)`, "EFAULT"},
	{`listmount({size=16}, 0x1000, 2, 0)`, "EINVAL"},
	{`listmount({size=5000}, 0x1000, 2, 0)`, "E2BIG"},
	{`listmount({size=24, mnt_id=1}, 0x1000, 2, 0)`, "EINVAL"},
	{`listmount({size=24, mnt_id=0xffffffffffffffff}, 0x1000, 1000001, 0)`, "EOVERFLOW"},
	{`listmount({size=24, mnt_id=0xffffffffffffffff, param=5}, 0x1000, 2, 0)`, "EINVAL"},
	{`listmount({size=32, mnt_id=0xffffffffffffffff}, NULL, 0, 0)`, "-"},
	{`listmount({size=32, mnt_id=0xffffffffffffffff}, NULL, 0, 1)`, "-"},
	{`listmount({size=24, mnt_id=0xffffffffffff}, 0x1000, 2, 0)`, "?ENOENT"},
	// contexts
	{`fsopen("tmpfs", FSOPEN_CLOEXEC)`, "- EPERM"},
	{`fsopen("nosuchfs", 0)`, nosuch + " EPERM"},
	{`fsopen("tmpfs", 4)`, "EINVAL EPERM"},
	{`fsopen(NULL, 0)`, "EFAULT EPERM"},
	{`fspick(AT_FDCWD, "point", 0)`, "- EPERM"},
	{`fspick(AT_FDCWD, "d", 0)`, "EINVAL EPERM"},
	{`fspick(AT_FDCWD, "gone", 16)`, "EINVAL EPERM"},
	{`fspick(AT_FDCWD, "gone", 0)`, "ENOENT EPERM"},
	{`fsconfig(901, FSCONFIG_CMD_CREATE, NULL, NULL, 0)`, "EINVAL"},
	{`fsconfig(99, FSCONFIG_CMD_CREATE, NULL, NULL, 0)`, "EBADF"},
	{`fsconfig(-1, FSCONFIG_CMD_CREATE, NULL, NULL, 0)`, "EINVAL"},
	{`fsconfig(99, FSCONFIG_CMD_CREATE, "x", NULL, 0)`, "EINVAL"},
	{`fsconfig(99, FSCONFIG_SET_FLAG, NULL, NULL, 0)`, "EINVAL"},
	{`fsconfig(99, 77, NULL, NULL, 0)`, "EOPNOTSUPP"},
	{`fsmount(901, 0, 0)`, "EINVAL EPERM"},
	{`fsmount(99, 0, 0)`, "EBADF EPERM"},
	{`fsmount(99, 2, 0)`, "EINVAL EPERM"},
	{`fsmount(99, 0, MOUNT_ATTR_IDMAP)`, "EINVAL EPERM"},
}

// TestKernelMountAPI: every call of the mount API, each in a tree of its own.
func TestKernelMountAPI(t *testing.T) {
	dir, in := isolated(t)
	if !in {
		return
	}
	n := 0
	for _, c := range mountAPICases {
		runtime.GC()
		want := strings.Fields(c.want)
		for k, task := range mountTasks {
			l := newLab(t, dir, mountsFiles)
			mountsLab(l)
			w := want[min(k, len(want)-1)]
			l.step(task, c.call, w, "")
			n++
			l.leave()
		}
	}
	t.Logf("%d cases", n)
}

// leave takes the lab away.
func (l *lab) leave() {
	for _, f := range l.Task.FDs {
		unix.Close(f.N)
	}
	for range 3 {
		unix.Unmount(l.dir, unix.MNT_DETACH)
	}
}

// step predicts a call, makes it, has the world follow, and compares the mounts.
func (l *lab) step(task who, call, want, scene string) {
	l.t.Helper()
	p := l.predict(task, call)
	j, err := explain.Bind(l.World, nil)
	l.must(err)
	parsed, err := syscalls.Parse(syscalls.X8664, call)
	l.must(err)
	told := j.Story(parsed)
	got, fd := l.keep(task, call)
	if got != strings.Replace(strings.TrimPrefix(want, "?"), "+", "-", 1) || !p.is(want) {
		l.t.Errorf("%s%s as %s: written down %s, predicted %s, kernel %s", scene, call, task.name, want, p, got)
	}
	if told.Verdict != "allowed" || got != "-" {
		if fd >= 0 {
			unix.Close(fd)
		}
		if told.Verdict == "denied" && got == p.String() {
			j.Verdict(parsed)
			j.ApplyRefused()
		}
		return
	}
	ret := int64(-1)
	if fd >= 0 {
		for ret = 702; l.Task.FDByNumber(int(ret)) != nil; ret++ {
		}
		l.must(unix.Dup3(fd, int(ret), unix.O_CLOEXEC))
		unix.Close(fd)
	}
	j.Verdict(parsed)
	j.Apply(parsed, ret)
	l.root = l.Task.Root // pivot_root moves it
	if parsed.Name == "close" {
		l.must(unix.Close(int(parsed.Args[0].Val)))
	}
	if ours, theirs := l.mounted(), l.seen(); !slices.Equal(ours, theirs) {
		l.t.Errorf("%s%s as %s: the world has the mounts\n  %s\nthe kernel\n  %s", scene, call, task.name, strings.Join(ours, "\n  "), strings.Join(theirs, "\n  "))
	}
}

// keep makes a call as a task and keeps the descriptor that it returns.
func (l *lab) keep(task who, call string) (string, int) {
	if strings.HasPrefix(call, "close") {
		return "-", -1
	}
	type result struct {
		text string
		fd   int
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked
		text, fd := l.job(task, call).onThread()
		done <- result{text, fd}
	}()
	r := <-done
	return r.text, r.fd
}

// mounted lists the mounts that the world has below the lab.
func (l *lab) mounted() []string {
	var out []string
	for i := 1; i < len(l.Mounts); i++ {
		m := &l.Mounts[i]
		if m.Gone || m.Hidden || l.MountNS != nil && l.MountNS[m.NS].Anonymous || m.NS != l.Task.MountNS {
			continue
		}
		out = append(out, mountLine(l.PathText(world.Path{Mount: world.MountID(i), Dentry: m.Root}), m.Flags, m.Group != 0, m.Master != 0, m.Unbindable))
	}
	slices.Sort(out)
	return out
}

func mountLine(point string, f world.MountFlags, shared, slave, unbindable bool) string {
	return fmt.Sprintf("%s %v shared=%v slave=%v unbindable=%v", point, f, shared, slave, unbindable)
}

// seen lists those that the kernel has there.
func (l *lab) seen() []string {
	text, err := os.ReadFile("/proc/thread-self/mountinfo")
	l.must(err)
	var out []string
	for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
		f := strings.Fields(line)
		point, in := strings.CutPrefix(f[4], l.dir)
		if !in {
			continue
		}
		if point == "" {
			point = "/"
		}
		var flags world.MountFlags
		for opt := range strings.SplitSeq(f[5], ",") {
			flags |= world.ParseMountFlag(opt)
		}
		optional := strings.Join(f[6:slices.Index(f, "-")], " ")
		out = append(out, mountLine(point, flags, strings.Contains(optional, "shared:"), strings.Contains(optional, "master:"), strings.Contains(optional, "unbindable")))
	}
	slices.Sort(out)
	return out
}

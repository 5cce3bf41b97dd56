package explain_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/world"
)

var xattrCaps = dacCaps | world.Caps(kernel.CapSysAdmin, kernel.CapSetfcap, kernel.CapFsetid, kernel.CapLinuxImmutable)

// xattrTasks: root of the initial user namespace, without capabilities, the owner, a stranger, and root of a user namespace.
var xattrTasks = []who{
	{name: "root", caps: xattrCaps},
	{name: "root without capabilities"},
	{name: "owner", uid: 1000, gid: 1000},
	{name: "stranger", uid: 1002, gid: 1002},
}

const xattrFiles = `
	dir . 755 0:0
	file f 644 1000:1000 user.a=1 trusted.a=12 security.a=123
	file g 640 1000:1000 user.a=1
	file w 666 0:0
	file caps 755 0:0 security.capability=
	file caps3 755 0:0 security.capability=100000
	file acl 640 1000:1000 acl=user::rw-,user:1001:r--,group::r--,mask::r--,other::---
	file setgid 2755 1000:2000
	file imm 666 1000:1000 user.a=1 flags=i
	file app 666 1000:1000 user.a=1 flags=a
	link l 777 1000:1000 to=f
	fifo fifo 666 1000:1000
	char null 666 1000:1000 dev=1:3
	dir sticky 1777 0:0 user.a=1
	dir mine 1777 1000:1000
	dir d 755 1000:1000 default=user::rwx,user:1001:rwx,group::r-x,mask::rwx,other::---
	dir d700 700 1000:1000
	file d700/f 666 1000:1000
	dir ro 777 0:0
	dir proc 755 0:0
	dir sys 755 0:0
`

// ACLs in the form of the kernel's attribute.
const (
	aclNamed = `\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0\xe9\x03\0\0\x04\0\x04\0\xff\xff\xff\xff\x10\0\x04\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff`
	aclBare  = `\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x04\0\x04\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff`
	aclOrder = `\x02\0\0\0\x04\0\x06\0\xff\xff\xff\xff\x01\0\x04\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff`
	aclOne   = `\x01\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x04\0\x04\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff`
	capsV2   = `\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0`
	capsV3   = `\x01\0\0\x03\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xa0\x86\x01\0`
)

// xattrReads: root, root without capabilities, owner, stranger.
var xattrReads = []row{
	{`getxattr("f", "user.a", 0x1000, 0)`, "-"},
	{`getxattr("g", "user.a", 0x1000, 0)`, "- EACCES - EACCES"},
	{`getxattr("f", "user.none", 0x1000, 0)`, "ENODATA"},
	{`getxattr("g", "user.none", 0x1000, 0)`, "ENODATA EACCES ENODATA EACCES"},
	{`getxattr("f", "trusted.a", 0x1000, 0)`, "- ENODATA ENODATA ENODATA"},
	{`getxattr("f", "trusted.none", 0x1000, 0)`, "ENODATA"},
	{`getxattr("f", "security.a", 0x1000, 0)`, "-"},
	{`getxattr("g", "security.a", 0x1000, 0)`, "ENODATA"},
	{`getxattr("f", "system.a", 0x1000, 0)`, "EOPNOTSUPP"},
	{`getxattr("f", "other.a", 0x1000, 0)`, "EOPNOTSUPP"},
	{`getxattr("g", "other.a", 0x1000, 0)`, "EOPNOTSUPP EACCES EOPNOTSUPP EACCES"},
	{`getxattr("f", "user.", 0x1000, 0)`, "EINVAL"},
	{`getxattr("f", "user", 0x1000, 0)`, "EOPNOTSUPP"},
	{`getxattr("f", "", 0x1000, 0)`, "ERANGE"},
	{`getxattr("f", NULL, 0x1000, 0)`, "EFAULT"},
	{`getxattr("none", "", 0x1000, 0)`, "ERANGE"},
	{`getxattr("none", "user.a", 0x1000, 0)`, "ENOENT"},
	{`getxattr("d700/f", "user.a", 0x1000, 0)`, "ENODATA EACCES ENODATA EACCES"},
	{`getxattr("f", "security.a", 0x1000, 1)`, "ERANGE"},
	{`lgetxattr("l", "user.a", 0x1000, 0)`, "ENODATA"},
	{`getxattr("l", "user.a", 0x1000, 0)`, "-"},
	{`lgetxattr("l", "trusted.a", 0x1000, 0)`, "ENODATA"},
	{`getxattr("fifo", "user.a", 0x1000, 0)`, "ENODATA"},
	{`getxattr("caps", "security.capability", 0x1000, 0)`, "-"},
	{`getxattr("caps3", "security.capability", 0x1000, 0)`, "-"},
	{`getxattr("f", "security.capability", 0x1000, 0)`, "ENODATA"},
	{`getxattr("acl", "system.posix_acl_access", 0x1000, 0)`, "-"},
	{`getxattr("acl", "system.posix_acl_access", 0x1000, 43)`, "ERANGE"},
	{`getxattr("f", "system.posix_acl_access", 0x1000, 0)`, "ENODATA"},
	{`getxattr("f", "system.posix_acl_default", 0x1000, 0)`, "ENODATA"},
	{`getxattr("d", "system.posix_acl_default", 0x1000, 0)`, "-"},
	{`lgetxattr("l", "system.posix_acl_access", 0x1000, 0)`, "EOPNOTSUPP"},
	{`fgetxattr(901, "user.a", 0x1000, 0)`, "-"},
	{`fgetxattr(903, "user.a", 0x1000, 0)`, "EBADF"},
	{`fgetxattr(99, "user.a", 0x1000, 0)`, "EBADF"},
	{`fgetxattr(99, "", 0x1000, 0)`, "ERANGE"},
	{`listxattr("f", 0x1000, 0)`, "-"},
	{`listxattr("g", 0x1000, 0)`, "-"},
	{`listxattr("f", 0x1000, 6)`, "ERANGE"},
	{`listxattr("f", NULL, 0)`, "-"},
	{`listxattr("d700/f", 0x1000, 0)`, "- EACCES - EACCES"},
	{`listxattr("none", 0x1000, 0)`, "ENOENT"},
	{`flistxattr(903, 0x1000, 0)`, "EBADF"},
	{`llistxattr("l", 0x1000, 0)`, "-"},
	{`getxattr("sys/kernel", "user.a", 0x1000, 0)`, "ENODATA"},
	{`setxattr("sys/kernel", "user.a", "1", 1, 0)`, "EOPNOTSUPP EOPNOTSUPP EACCES EACCES"},
	{`setxattr("sys/kernel", "system.a", "1", 1, 0)`, "EOPNOTSUPP"},
	{`setxattr("proc/version", "system.a", "1", 1, 0)`, "EOPNOTSUPP"},
	{`getxattrat(AT_FDCWD, "f", 0, "user.a", {value="", size=0, flags=0}, 16)`, "-"},
	{`getxattrat(AT_FDCWD, "f", 0, "user.a", {value="", size=0, flags=XATTR_CREATE}, 16)`, "EINVAL"},
	{`getxattrat(AT_FDCWD, "f", AT_REMOVEDIR, "user.a", {value="", size=0, flags=0}, 16)`, "EINVAL"},
	{`getxattrat(AT_FDCWD, "f", 0, "user.a", {value="", size=0, flags=0}, 8)`, "EINVAL"},
	{`getxattrat(901, "", AT_EMPTY_PATH, "user.a", {value="", size=0, flags=0}, 16)`, "-"},
	{`listxattrat(901, "", AT_EMPTY_PATH, 0x1000, 0)`, "-"},
	{`listxattrat(901, "", 0, 0x1000, 0)`, "ENOENT"},
}

// xattrWrites: the same tasks.
var xattrWrites = []row{
	{`setxattr("f", "user.b", "1", 1, 0)`, "- EACCES - EACCES"},
	{`setxattr("w", "user.b", "1", 1, 0)`, "-"},
	{`setxattr("f", "user.a", "1", 1, XATTR_CREATE)`, "EEXIST EACCES EEXIST EACCES"},
	{`setxattr("f", "user.b", "1", 1, XATTR_REPLACE)`, "ENODATA EACCES ENODATA EACCES"},
	{`setxattr("f", "user.a", "1", 1, 4)`, "EINVAL"},
	{`setxattr("f", "", "1", 1, 0)`, "ERANGE"},
	{`setxattr("f", "user.b", NULL, 0, 0)`, "- EACCES - EACCES"},
	{`setxattr("f", "user.b", NULL, 1, 0)`, "EFAULT"},
	{`setxattr("f", "user.b", "1", 65537, 0)`, "E2BIG"},
	{`setxattr("none", "user.b", "1", 1, 0)`, "ENOENT"},
	{`setxattr("ro/f", "user.b", "1", 1, 0)`, "EROFS"},
	{`setxattr("ro/f", "trusted.b", "1", 1, 0)`, "EROFS"},
	{`setxattr("f", "trusted.b", "1", 1, 0)`, "- EPERM EPERM EPERM"},
	{`setxattr("f", "security.b", "1", 1, 0)`, "- EPERM EPERM EPERM"},
	{`setxattr("f", "system.b", "1", 1, 0)`, "EOPNOTSUPP"},
	{`setxattr("f", "other.b", "1", 1, 0)`, "EOPNOTSUPP EACCES EOPNOTSUPP EACCES"},
	{`setxattr("f", "user.", "1", 1, 0)`, "EINVAL EACCES EINVAL EACCES"},
	{`setxattr("imm", "user.b", "1", 1, 0)`, "EPERM"},
	{`setxattr("imm", "trusted.b", "1", 1, 0)`, "EPERM"},
	{`setxattr("app", "user.b", "1", 1, 0)`, "EPERM"},
	{`setxattr("fifo", "user.b", "1", 1, 0)`, "EPERM"},
	{`setxattr("null", "user.b", "1", 1, 0)`, "EPERM"},
	{`setxattr("null", "trusted.b", "1", 1, 0)`, "- EPERM EPERM EPERM"},
	{`lsetxattr("l", "user.b", "1", 1, 0)`, "EPERM"},
	{`lsetxattr("l", "trusted.b", "1", 1, 0)`, "- EPERM EPERM EPERM"},
	{`setxattr("sticky", "user.b", "1", 1, 0)`, "- - EPERM EPERM"},
	{`setxattr("mine", "user.b", "1", 1, 0)`, "- EPERM - EPERM"},
	{`setxattr("sticky", "trusted.b", "1", 1, 0)`, "- EPERM EPERM EPERM"},
	{`setxattr("f", "security.capability", "` + capsV2 + `", 20, 0)`, "- EPERM EPERM EPERM"},
	{`setxattr("f", "security.capability", "` + capsV3 + `", 24, 0)`, "- EPERM EPERM EPERM"},
	{`setxattr("f", "security.capability", "` + capsV2 + `", 19, 0)`, "EINVAL"},
	{`setxattr("f", "security.capability", "` + capsV3 + `", 20, 0)`, "EINVAL"},
	{`setxattr("ro/f", "security.capability", "x", 1, 0)`, "EROFS"},
	{`setxattr("imm", "security.capability", "` + capsV2 + `", 20, 0)`, "EPERM"},
	{`setxattr("imm", "security.capability", "x", 1, 0)`, "EINVAL"},
	{`setxattr("f", "system.posix_acl_access", "` + aclNamed + `", 44, 0)`, "- EPERM - EPERM"},
	{`setxattr("setgid", "system.posix_acl_access", "` + aclNamed + `", 44, 0)`, "- EPERM - EPERM"},
	{`setxattr("acl", "system.posix_acl_access", "` + aclBare + `", 28, 0)`, "- EPERM - EPERM"},
	{`setxattr("f", "system.posix_acl_access", "` + aclOrder + `", 28, 0)`, "EINVAL EPERM EINVAL EPERM"},
	{`setxattr("f", "system.posix_acl_access", "` + aclOne + `", 28, 0)`, "EOPNOTSUPP"},
	{`setxattr("f", "system.posix_acl_access", "x", 1, 0)`, "EINVAL"},
	{`setxattr("imm", "system.posix_acl_access", "` + aclBare + `", 28, 0)`, "EPERM"},
	{`setxattr("f", "system.posix_acl_access", "` + aclBare + `", 28, 8)`, "EINVAL"},
	{`setxattr("ro/f", "system.posix_acl_access", "` + aclBare + `", 28, 0)`, "EROFS"},
	{`setxattr("f", "system.posix_acl_default", "` + aclBare + `", 28, 0)`, "EACCES"},
	{`setxattr("d", "system.posix_acl_default", "` + aclBare + `", 28, 0)`, "- EPERM - EPERM"},
	{`lsetxattr("l", "system.posix_acl_access", "` + aclBare + `", 28, 0)`, "EOPNOTSUPP"},
	{`removexattr("acl", "system.posix_acl_access")`, "- EPERM - EPERM"},
	{`removexattr("f", "system.posix_acl_access")`, "- EPERM - EPERM"},
	{`removexattr("f", "system.posix_acl_default")`, "-"},
	{`removexattr("d", "system.posix_acl_default")`, "- EPERM - EPERM"},
	{`removexattr("f", "user.a")`, "- EACCES - EACCES"},
	{`removexattr("f", "user.b")`, "ENODATA EACCES ENODATA EACCES"},
	{`removexattr("f", "trusted.a")`, "- EPERM EPERM EPERM"},
	{`removexattr("f", "security.a")`, "- EPERM EPERM EPERM"},
	{`removexattr("caps", "security.capability")`, "- EPERM EPERM EPERM"},
	{`removexattr("f", "other.a")`, "EOPNOTSUPP EACCES EOPNOTSUPP EACCES"},
	{`removexattr("imm", "user.a")`, "EPERM"},
	{`removexattr("ro/f", "user.none")`, "EROFS"},
	{`removexattr("fifo", "user.a")`, "EPERM"},
	{`fsetxattr(901, "user.b", "1", 1, 0)`, "- EACCES - EACCES"}, // of the file, not the descriptor
	{`fsetxattr(903, "user.b", "1", 1, 0)`, "EBADF"},
	{`fremovexattr(901, "user.a")`, "- EACCES - EACCES"},
	{`setxattrat(AT_FDCWD, "f", 0, "user.b", {value="1", size=1, flags=0}, 16)`, "- EACCES - EACCES"},
	{`setxattrat(AT_FDCWD, "f", 0, "user.a", {value="1", size=1, flags=XATTR_CREATE}, 16)`, "EEXIST EACCES EEXIST EACCES"},
	{`removexattrat(AT_FDCWD, "l", AT_SYMLINK_NOFOLLOW, "user.a")`, "EPERM"},
	{`ioctl(901, FS_IOC_GETFLAGS, [0])`, "-"},
	{`ioctl(902, FS_IOC_SETFLAGS, [FS_NODUMP_FL])`, "- EPERM - EPERM"},
	{`ioctl(901, FS_IOC_SETFLAGS, [FS_IMMUTABLE_FL])`, "- EPERM EPERM EPERM"},
	{`ioctl(901, FS_IOC_SETFLAGS, [FS_COMPR_FL])`, "EOPNOTSUPP EPERM EOPNOTSUPP EPERM"},
	{`ioctl(904, FS_IOC_SETFLAGS, [FS_NODUMP_FL])`, "EROFS"},
	{`ioctl(903, FS_IOC_GETFLAGS, [0])`, "EBADF"},
	{`ioctl(905, FS_IOC_GETFLAGS, [0])`, "ENOTTY"},
	{`ioctl(901, FS_IOC_SETFLAGS, NULL)`, "EFAULT"},
	{`ioctl(901, FS_IOC_FSGETXATTR, {fsx_xflags=0})`, "-"},
	{`ioctl(901, FS_IOC_FSSETXATTR, {fsx_xflags=0})`, "- EPERM - EPERM"},
	{`ioctl(901, FS_IOC_FSSETXATTR, {fsx_xflags=FS_XFLAG_NODUMP})`, "- EPERM - EPERM"},
	{`ioctl(901, FS_IOC_FSSETXATTR, {fsx_xflags=FS_XFLAG_IMMUTABLE})`, "- EPERM EPERM EPERM"},
	{`ioctl(901, FS_IOC_FSSETXATTR, {fsx_xflags=FS_XFLAG_REALTIME})`, "EOPNOTSUPP EPERM EOPNOTSUPP EPERM"},
	{`ioctl(901, FS_IOC_FSSETXATTR, {fsx_xflags=0, fsx_projid=5})`, "EOPNOTSUPP EPERM EOPNOTSUPP EPERM"},
	{`file_setattr(AT_FDCWD, "f", {fa_xflags=FS_XFLAG_REALTIME}, 24, 0)`, "EOPNOTSUPP EPERM EOPNOTSUPP EPERM"},
	{`file_setattr(AT_FDCWD, "fifo", {fa_xflags=0}, 24, 0)`, "EOPNOTSUPP"},
	{`file_getattr(AT_FDCWD, "f", {fa_xflags=0}, 24, 0)`, "-"},
	{`file_getattr(AT_FDCWD, "fifo", {fa_xflags=0}, 24, 0)`, "EOPNOTSUPP"},
	{`file_getattr(AT_FDCWD, "f", {fa_xflags=0}, 8, 0)`, "EINVAL"},
	{`file_getattr(AT_FDCWD, "none", {fa_xflags=0}, 24, 0)`, "ENOENT"},
	{`file_setattr(AT_FDCWD, "f", {fa_xflags=0}, 24, 0)`, "- EPERM - EPERM"},
	{`file_setattr(AT_FDCWD, "ro/f", {fa_xflags=0}, 24, 0)`, "EROFS"},
	{`file_setattr(AT_FDCWD, "f", {fa_xflags=4}, 24, 0)`, "EINVAL"},
}

func xattrLab(l *lab) {
	l.bind("", "ro", world.MountReadOnly)
	l.twins = [][2]string{{"/ro", ""}}
	l.open(901, "f", unix.O_RDWR)
	l.open(902, "f", unix.O_RDONLY)
	l.open(903, "f", unix.O_PATH)
	l.open(904, "ro/f", unix.O_RDONLY)
	l.open(905, "null", unix.O_RDONLY)
}

// pseudo mounts a filesystem that needs no device.
func (l *lab) pseudo(fstype, point string) {
	l.t.Helper()
	l.must(unix.Mount(fstype, l.path(point), fstype, 0, ""))
	l.attach(point, world.Mount{SB: l.filesystem(world.SB{Type: fstype, Name: fstype}, l.path(point))})
}

// ext4 mounts a new filesystem in a file, with files of its own.
func (l *lab) ext4(point, list string) {
	l.t.Helper()
	img := l.path(point + ".img")
	dev, loop := loopDevice(l.t, img)
	l.must(unix.Mount(dev, l.path(point), "ext4", 0, ""))
	unix.Close(loop)
	l.must(makeFiles(l.path(point), list))
	l.attach(point, world.Mount{SB: l.filesystem(world.SB{Type: "ext4", Name: "ext4"}, l.path(point))})
	l.t.Cleanup(func() { unix.Unmount(l.path(point), unix.MNT_DETACH) })
}

// loopDevice makes a file an ext4 and a block device, which is one until nobody uses it any more.
func loopDevice(t *testing.T, img string) (dev string, fd int) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(img, nil, 0o600))
	must(os.Truncate(img, 4<<20))
	if out, err := exec.Command("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", img).CombinedOutput(); err != nil {
		t.Skipf("mke2fs of e2fsprogs: %v %s", err, out)
	}
	ctl, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no loop devices: %v", err)
	}
	defer unix.Close(ctl)
	back, err := unix.Open(img, unix.O_RDWR|unix.O_CLOEXEC, 0)
	must(err)
	defer unix.Close(back)
	for try := 0; ; try++ {
		n, err := unix.IoctlRetInt(ctl, unix.LOOP_CTL_GET_FREE)
		must(err)
		dev = fmt.Sprintf("/dev/loop%d", n)
		fd, err = unix.Open(dev, unix.O_RDWR|unix.O_CLOEXEC, 0)
		must(err)
		err = unix.IoctlLoopConfigure(fd, &unix.LoopConfig{Fd: uint32(back), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}})
		if err == unix.EBUSY && try < 20 { // somebody else was quicker
			unix.Close(fd)
			continue
		}
		must(err)
		return dev, fd
	}
}

func TestKernelXattrReads(t *testing.T) {
	if dir, in := isolated(t); in {
		l := newLab(t, dir, xattrFiles)
		xattrLab(l)
		l.pseudo("proc", "proc")
		l.pseudo("sysfs", "sys")
		l.run(xattrTasks, xattrReads)
	}
}

func TestKernelXattrWrites(t *testing.T) {
	if dir, in := isolated(t); in {
		eachFreshOf(t, dir, xattrFiles, xattrTasks, xattrWrites, xattrLab)
	}
}

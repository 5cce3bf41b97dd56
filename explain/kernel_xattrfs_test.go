package explain_test

import (
	"reflect"
	"testing"

	"syscallstory/world"
)

// xattrUserTasks: root outside, a stranger outside, root of a user namespace whose 0 is 100000, the same without capabilities,
// uid 1000 inside.
var xattrUserTasks = []who{
	{name: "root", caps: xattrCaps},
	{name: "stranger", uid: 1002, gid: 1002},
	{name: "root inside", uid: 100000, gid: 100000, caps: world.AllCaps, ns: 1},
	{name: "root inside without capabilities", uid: 100000, gid: 100000, ns: 1},
	{name: "uid 1000 inside", uid: 101000, gid: 101000, ns: 1},
}

const xattrUserFiles = `
	dir . 755 0:0
	file mapped 640 101000:101000 user.a=1 trusted.a=1 security.a=1
	file unmapped 644 0:0 user.a=1 security.a=1
	file half 644 101000:0 user.a=1
	file caps2 755 101000:101000 security.capability=
	file caps3 755 101000:101000 security.capability=100000
	file caps3other 755 101000:101000 security.capability=200000
	file caps3mapped 755 101000:101000 security.capability=101000
	file bare 644 101000:0
	file acl 640 101000:101000
	dir sticky 1777 101000:101000
	file imm 666 101000:101000 flags=i
	dir id 755 0:0
`

var xattrUserCases = []row{
	{`getxattr("mapped", "user.a", 0x1000, 0)`, "- EACCES - EACCES -"},
	{`getxattr("unmapped", "user.a", 0x1000, 0)`, "-"},
	{`getxattr("mapped", "trusted.a", 0x1000, 0)`, "- ENODATA ENODATA ENODATA ENODATA"},
	{`getxattr("mapped", "security.a", 0x1000, 0)`, "-"},
	{`getxattr("caps2", "security.capability", 0x1000, 0)`, "-"},
	{`getxattr("caps3", "security.capability", 0x1000, 0)`, "-"},
	{`getxattr("caps3other", "security.capability", 0x1000, 0)`, "- - EOVERFLOW EOVERFLOW EOVERFLOW"},
	{`getxattr("caps3mapped", "security.capability", 0x1000, 0)`, "-"},
	{`getxattr("caps3", "security.capability", 0x1000, 20)`, "ERANGE ERANGE - - -"},
	{`setxattr("mapped", "user.b", "1", 1, 0)`, "- EACCES - EACCES -"},
	{`setxattr("unmapped", "user.b", "1", 1, 0)`, "- EACCES EACCES EACCES EACCES"},
	{`setxattr("half", "user.b", "1", 1, 0)`, "- EACCES EACCES EACCES -"},
	{`setxattr("mapped", "trusted.b", "1", 1, 0)`, "- EPERM EPERM EPERM EPERM"},
	{`setxattr("mapped", "security.b", "1", 1, 0)`, "- EPERM EPERM EPERM EPERM"},
	{`setxattr("mapped", "security.capability", "` + capsV2 + `", 20, 0)`, "- EPERM - EPERM EPERM"},
	{`setxattr("unmapped", "security.capability", "` + capsV2 + `", 20, 0)`, "- EPERM EPERM EPERM EPERM"},
	{`setxattr("half", "security.capability", "` + capsV2 + `", 20, 0)`, "- EPERM EPERM EPERM EPERM"},
	{`setxattr("mapped", "security.capability", "` + capsV3 + `", 24, 0)`, "- EPERM EINVAL EPERM EPERM"}, // uid 100000 is not inside
	{`removexattr("bare", "security.capability")`, "ENODATA EPERM EPERM EPERM EPERM"},
	{`setxattr("sticky", "user.b", "1", 1, 0)`, "- EPERM - EPERM -"},
	{`setxattr("imm", "user.b", "1", 1, 0)`, "EPERM"},
	{`setxattr("acl", "system.posix_acl_access", "` + aclBare + `", 28, 0)`, "- EPERM - EPERM -"},
	{`setxattr("unmapped", "system.posix_acl_access", "` + aclBare + `", 28, 0)`, "- EPERM EPERM EPERM EPERM"},
	{`setxattr("acl", "system.posix_acl_access", "\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0\0\0\x02\0\x04\0\x04\0\xff\xff\xff\xff\x10\0\x04\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff", 44, 0)`, "- EPERM EINVAL EINVAL EINVAL"},
	{`setxattr("acl", "system.posix_acl_access", "` + aclBare + `", 28, 0)`, "- EPERM - EPERM -"},
	{`setxattr("id/mapped", "user.b", "1", 1, 0)`, "EPERM"}, // through the map nobody owns it
	{`setxattr("id/unmapped", "user.b", "1", 1, 0)`, "- EACCES - - EACCES"},
	{`setxattr("id/unmapped", "security.capability", "` + capsV2 + `", 20, 0)`, "EINVAL EPERM - EPERM EPERM"},
	{`getxattr("id/mapped", "user.a", 0x1000, 0)`, "EACCES"},
	{`getxattr("id/unmapped", "user.a", 0x1000, 0)`, "-"},
	{`removexattr("id/half", "user.none")`, "EPERM"},
}

// TestKernelXattrUserNS compares attributes where ids and capabilities are those of a user namespace, and through an idmapped
// mount.
func TestKernelXattrUserNS(t *testing.T) {
	if dir, in := isolated(t); in {
		l := newLab(t, dir, xattrUserFiles)
		l.child(100000, 65536, false)
		l.idmap("", "id", 1, 0)
		l.run(xattrUserTasks, xattrUserCases)
	}
}

var xattrExt4Cases = []row{
	{`getxattr("e/f", "user.a", 0x1000, 0)`, "-"},
	{`getxattr("e/f", "trusted.a", 0x1000, 0)`, "- ENODATA ENODATA ENODATA"},
	{`setxattr("e/f", "user.b", "1", 1, 0)`, "- EACCES - EACCES"},
	{`setxattr("e/f", "trusted.b", "1", 1, 0)`, "- EPERM EPERM EPERM"},
	{`setxattr("e/f", "system.b", "1", 1, 0)`, "EOPNOTSUPP"},
	{`setxattr("e/f", "user.a", "1", 1, XATTR_CREATE)`, "EEXIST EACCES EEXIST EACCES"},
	{`removexattr("e/f", "user.none")`, "ENODATA EACCES ENODATA EACCES"},
	{`setxattr("e/f", "system.posix_acl_access", "` + aclBare + `", 28, 0)`, "- EPERM - EPERM"},
	{`setxattr("e/d", "system.posix_acl_default", "` + aclBare + `", 28, 0)`, "- EPERM - EPERM"},
	{`getxattr("e/acl", "system.posix_acl_access", 0x1000, 0)`, "-"},
	{`removexattr("e/f", "system.posix_acl_access")`, "- EPERM - EPERM"},
	{`setxattr("e/imm", "user.b", "1", 1, 0)`, "EPERM"},
	{`setxattr("e/f", "security.capability", "` + capsV2 + `", 20, 0)`, "- EPERM EPERM EPERM"},
	{`ioctl(901, FS_IOC_GETFLAGS, [0])`, "-"},
	{`ioctl(901, FS_IOC_SETFLAGS, [FS_NODUMP_FL|FS_EXTENT_FL])`, "- EPERM - EPERM"},
	{`ioctl(901, FS_IOC_SETFLAGS, [FS_NODUMP_FL])`, "?-/EOPNOTSUPP EPERM ?-/EOPNOTSUPP EPERM"},
	{`getxattr("r/f", "user.a", 0x1000, 0)`, "EOPNOTSUPP"},
	{`setxattr("r/f", "trusted.a", "1", 1, 0)`, "EOPNOTSUPP EPERM EPERM EPERM"},
	{`setxattr("r/f", "system.posix_acl_access", "` + aclBare + `", 28, 0)`, "EOPNOTSUPP"},
	{`getxattr("r/f", "system.posix_acl_access", 0x1000, 0)`, "EOPNOTSUPP"},
	{`listxattr("r/f", 0x1000, 0)`, "-"},
}

// TestKernelXattrExt4: ext4 keeps them all, ramfs none.
func TestKernelXattrExt4(t *testing.T) {
	if dir, in := isolated(t); in {
		l := newLab(t, dir, "dir . 755 0:0\ndir e 755 0:0\ndir r 755 0:0")
		l.ext4("e", `
			file f 644 1000:1000 user.a=1 trusted.a=1
			file acl 640 1000:1000 acl=user::rw-,user:1001:r--,group::r--,mask::r--,other::---
			dir d 755 1000:1000
			file imm 666 1000:1000 flags=i
			file flags 644 1000:1000
		`)
		l.pseudo("ramfs", "r")
		l.must(makeFiles(l.path("r"), "file f 644 1000:1000"))
		l.open(901, "e/flags", 0)
		l.run(xattrTasks, xattrExt4Cases)
		l.run(xattrTasks[1:], []row{{`ioctl(901, FS_IOC_SETFLAGS, [FS_IMMUTABLE_FL|FS_EXTENT_FL])`, "EPERM"}})
	}
}

var xattrOverlayCases = []row{
	{`getxattr("f", "user.a", 0x1000, 0)`, "-"},
	{`getxattr("f", "trusted.a", 0x1000, 0)`, "- ENODATA ENODATA ENODATA"},
	{`getxattr("d", "trusted.overlay.opaque", 0x1000, 0)`, "ENODATA"},
	{`getxattr("f", "trusted.overlay.none", 0x1000, 0)`, "ENODATA"},
	{`getxattr("f", "system.posix_acl_access", 0x1000, 0)`, "ENODATA"},
	{`getxattr("acl", "system.posix_acl_access", 0x1000, 0)`, "-"},
	{`listxattr("f", 0x1000, 0)`, "-"},
	{`listxattr("f", 0x1000, 6)`, "ERANGE"},
	{`listxattr("d", 0x1000, 1)`, "ERANGE"}, // the mark is not listed, but counts
	{`removexattr("g", "user.none")`, "ENODATA EACCES ENODATA EACCES"},
	{`setxattr("g", "user.a", "1", 1, XATTR_REPLACE)`, "ENODATA EACCES ENODATA EACCES"},
	{`setxattr("g", "system.b", "1", 1, 0)`, "EOPNOTSUPP"},
	{`setxattr("g", "trusted.b", "1", 1, 0)`, "- EPERM EPERM EPERM"},
	{`setxattr("f", "user.b", "1", 1, 0)`, "- EACCES - EACCES"},
	{`setxattr("f", "trusted.overlay.x", "1", 1, 0)`, "- EPERM EPERM EPERM"},
	{`setxattr("u", "user.overlay.x", "1", 1, 0)`, "- EACCES - EACCES"},
	{`setxattr("acl", "system.posix_acl_access", "` + aclBare + `", 28, 0)`, "- EPERM - EPERM"},
	{`setxattr("f", "system.posix_acl_default", "` + aclBare + `", 28, 0)`, "EACCES"},
	{`setxattr("f", "security.capability", "` + capsV2 + `", 20, 0)`, "- EPERM EPERM EPERM"},
	{`setxattr("imm", "user.b", "1", 1, 0)`, "EPERM"},
	{`ioctl(901, FS_IOC_GETFLAGS, [0])`, "-"},
	{`ioctl(901, FS_IOC_SETFLAGS, [FS_NODUMP_FL])`, "- EPERM - EPERM"},
}

// TestKernelXattrOverlay: what the task asks an overlay for is asked of the layer too, and the marks of the overlay are hidden.
func TestKernelXattrOverlay(t *testing.T) {
	if dir, in := isolated(t); in {
		l := newLab(t, dir, `
			dir . 755 0:0
			dir low 755 0:0
			dir up 755 0:0
			dir upwork 755 0:0
			dir ovl 755 0:0
			file low/f 644 1000:1000 user.a=1 trusted.a=1
			file low/g 644 1000:1000
			file low/acl 640 1000:1000 acl=user::rw-,user:1001:r--,group::r--,mask::r--,other::---
			file low/imm 666 1000:1000 flags=i
			file low/flags 644 1000:1000
		`)
		l.overlay(&union{point: "/ovl", upper: "/up", files: "dir d 755 1000:1000 trusted.overlay.opaque=y\nfile u 644 1000:1000", lower: []string{"/low"}})
		l.open(901, "ovl/flags", 0)
		tasks := append([]who{}, xattrTasks...)
		for i := range tasks {
			tasks[i].root = "ovl"
		}
		l.run(tasks, xattrOverlayCases)
	}
}

// TestKernelDefaultACL compares modes and ACLs of files that are made in a directory with a default ACL.
func TestKernelDefaultACL(t *testing.T) {
	dir, in := isolated(t)
	if !in {
		return
	}
	eachFreshOf(t, dir, `
		dir . 755 0:0
		dir d 777 1000:1000 default=user::rwx,user:1001:rwx,group::r-x,mask::rwx,other::---
		dir bare 777 1000:1000 default=user::rwx,group::r-x,other::r--
	`, xattrTasks[:3:3], []row{
		{`mkdir("d/new", 0777)`, "-"},
		{`mkdir("d/new", 0700)`, "-"},
		{`mknod("d/new", S_IFREG|0666, 0)`, "-"},
		{`mknod("d/new", S_IFIFO|0640, 0)`, "-"},
		{`symlink("x", "d/new")`, "-"},
		{`open("d/new", O_WRONLY|O_CREAT, 0604)`, "+"},
		{`mkdir("bare/new", 0777)`, "-"},
		{`mknod("bare/new", S_IFREG|0666, 0)`, "-"},
	}, func(*lab) {})
	l := newLab(t, dir, "dir . 755 0:0\ndir d 777 1000:1000 default=user::rwx,user:1001:rwx,group::r-x,mask::rwx,other::---\nfile f 666 0:0")
	l.predict(xattrTasks[0], `stat("f")`)
	l.apply(`mkdir("d/new", 0750)`)
	l.perform(xattrTasks[0], `mkdir("d/new", 0750)`)
	told := *l.FS.I(l.place(l.root, "d/new").Dentry)
	l.filesystem(world.SB{Type: "tmpfs", Name: "again"}, l.dir)
	again := l.FS.SB(world.SBID(l.FS.NumSB() - 1)).Root
	d, _ := l.FS.Lookup(again, "d")
	n, _ := l.FS.Lookup(d, "new")
	if real := l.FS.I(n); !reflect.DeepEqual(real.ACL, told.ACL) || !reflect.DeepEqual(real.DefaultACL, told.DefaultACL) || real.Mode != told.Mode {
		t.Errorf("the world has mode %o, ACL %v, default %v; the kernel %o, %v, %v", told.Mode, told.ACL, told.DefaultACL, real.Mode, real.ACL, real.DefaultACL)
	}
}

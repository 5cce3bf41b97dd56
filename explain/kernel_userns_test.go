package explain_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/world"
)

// The child maps 0 to 65535 to 100000 to 165535. Ids are written as the initial user namespace counts.
var usernsTasks = []who{
	{name: "root", caps: dacCaps},
	{name: "uid 100000 outside", uid: 100000, gid: 100000},
	{name: "root inside", uid: 100000, gid: 100000, caps: world.AllCaps, ns: 1},
	{name: "root inside without capabilities", uid: 100000, gid: 100000, idle: dacCaps, ns: 1},
	{name: "uid 1000 inside with capabilities", uid: 101000, gid: 101000, caps: dacCaps, ns: 1},
	{name: "uid 1000 inside", uid: 101000, gid: 101000, ns: 1},
}

const usernsFiles = `
	file mapped 600 101000:101000
	file unmapped 600 0:0
	file uidonly 600 101001:0
	file gidonly 600 0:101001
	file open666 666 0:0
	file x700 700 0:0
	file x755 744 101001:101001
	dir dmapped 700 101001:101001
	file dmapped/f 644 0:0
	dir dunmapped 700 0:0
	file dunmapped/f 666 0:0
	dir dgroup 700 101001:0
	dir dopen 777 0:0
	dir inside 755 0:0
	dir jail 755 0:0
	file jail/mapped 600 101001:101001
	char null 600 101001:101001 dev=1:3
	char null0 600 0:0 dev=1:3
	file imm 666 101000:101000 flags=i
	file aclmapped 640 0:0 acl=user::rw-,user:101000:rw-,group::---,mask::rw-,other::---
`

// usernsCases: the order of the tasks is root, uid 100000 outside, root inside, root inside with idle capabilities, uid 1000
// inside with capabilities, uid 1000 inside.
var usernsCases = []row{
	{`open("mapped", O_RDONLY)`, "- EACCES - EACCES - -"},
	{`open("mapped", O_WRONLY)`, "- EACCES - EACCES - -"},
	{`open("unmapped", O_RDONLY)`, "- EACCES EACCES EACCES EACCES EACCES"},
	{`open("unmapped", O_WRONLY)`, "- EACCES EACCES EACCES EACCES EACCES"},
	{`open("uidonly", O_RDONLY)`, "- EACCES EACCES EACCES EACCES EACCES"}, // both ids have to be mapped
	{`open("uidonly", O_WRONLY)`, "- EACCES EACCES EACCES EACCES EACCES"},
	{`open("gidonly", O_RDONLY)`, "- EACCES EACCES EACCES EACCES EACCES"},
	{`open("open666", O_RDWR)`, "-"}, // unmapped, but the filesystem can express it
	{`open("open666", O_WRONLY|O_TRUNC)`, "-"},
	{`open("imm", O_WRONLY)`, "EPERM"},
	{`open("aclmapped", O_RDWR)`, "- EACCES EACCES EACCES - -"},
	{`access("x700", X_OK)`, "- EACCES EACCES EACCES EACCES EACCES"},
	{`access("x755", X_OK)`, "- EACCES - - EACCES EACCES"}, // idle capabilities of root count for access
	{`access("mapped", R_OK)`, "- EACCES - - - -"},
	{`access("unmapped", R_OK)`, "- EACCES EACCES EACCES EACCES EACCES"},
	{`faccessat2(AT_FDCWD, "mapped", R_OK, AT_EACCESS)`, "- EACCES - EACCES - -"},
	{`faccessat2(AT_FDCWD, "x755", X_OK, AT_EACCESS)`, "- EACCES - EACCES - EACCES"},
	{`open("open666", O_RDONLY|O_NOATIME)`, "- EPERM EPERM EPERM EPERM EPERM"},
	{`open("mapped", O_RDONLY|O_NOATIME)`, "- EACCES - EACCES - -"},
	{`open("uidgid", O_RDONLY|O_NOATIME)`, "- EPERM - EPERM - EPERM"}, // only the owner has to be mapped here
	{`open("dmapped/f", O_RDONLY)`, "- EACCES - EACCES - EACCES"},
	{`open("dmapped/f", O_WRONLY)`, "- EACCES EACCES EACCES EACCES EACCES"},
	{`open("dmapped/new", O_WRONLY|O_CREAT, 0600)`, "+ EACCES + EACCES + EACCES"},
	{`open("dmapped", O_RDONLY)`, "- EACCES - EACCES - EACCES"},
	{`open("dunmapped/f", O_RDONLY)`, "- EACCES EACCES EACCES EACCES EACCES"},
	{`stat("dunmapped/none")`, "ENOENT EACCES EACCES EACCES EACCES EACCES"},
	{`stat("unmapped")`, "-"},
	{`open("dunmapped/new", O_WRONLY|O_CREAT, 0600)`, "+ EACCES EACCES EACCES EACCES EACCES"},
	{`open("dgroup/new", O_WRONLY|O_CREAT, 0600)`, "+ EACCES EACCES EACCES EACCES EACCES"},
	{`open("dopen/new", O_WRONLY|O_CREAT, 0600)`, "+"},
	{`open("dopen", O_WRONLY|O_TMPFILE, 0600)`, "-"},
	{`open("null", O_RDWR)`, "- EACCES - EACCES - EACCES"}, // the filesystem is the initial namespace's
	{`open("null0", O_RDWR)`, "- EACCES EACCES EACCES EACCES EACCES"},
	{`openat(100, "f", O_RDONLY)`, "- EACCES - EACCES - EACCES"},
	{`fstat(100, 0x1000)`, "-"},
}

// TestKernelUserNS compares a task in a user namespace on a filesystem of the initial one, also below another root.
func TestKernelUserNS(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	l := newLab(t, dir, usernsFiles+"file uidgid 644 101001:0\n")
	l.open(100, "/dmapped", unix.O_PATH|unix.O_DIRECTORY)
	l.child(100000, 65536, false)
	l.run(usernsTasks, usernsCases)
	jailed := append([]who{}, usernsTasks...)
	for i := range jailed {
		jailed[i].root = "/jail"
	}
	l.run(jailed, []row{
		{`open("/mapped", O_RDWR)`, "- EACCES - EACCES - EACCES"},
		{`open("/../mapped", O_RDWR)`, "- EACCES - EACCES - EACCES"},
		{`open("/unmapped", O_RDONLY)`, "ENOENT"},
		{`openat(100, "../open666", O_RDWR)`, "- EACCES - EACCES - EACCES"},
		{`open("/new", O_WRONLY|O_CREAT, 0600)`, "+ EACCES EACCES EACCES EACCES EACCES"},
	})
}

// ownCases are on a tmpfs that the child mounted, for the tasks of usernsCases.
var ownCases = []row{
	{`open("f600", O_RDONLY)`, "- - - - - EACCES"},
	{`open("f600", O_RDWR)`, "- - - - - EACCES"},
	{`open("g600", O_RDWR)`, "- EACCES - EACCES - -"},
	{`open("f666", O_RDWR|O_TRUNC)`, "-"},
	{`open("zero", O_RDONLY)`, "EACCES"}, // a device on a filesystem of a user namespace
	{`open("zero", O_PATH)`, "-"},
	{`open("d777/new", O_WRONLY|O_CREAT, 0600)`, "EOVERFLOW + + + + +"},
	{`open("d777/f", O_WRONLY|O_CREAT, 0600)`, "- EACCES - EACCES - EACCES"},
	{`open("d777/none/new", O_WRONLY|O_CREAT, 0600)`, "ENOENT"},
	{`open("d700/new", O_WRONLY|O_CREAT, 0600)`, "EOVERFLOW + + + + EACCES"},
	{`open("d777", O_WRONLY|O_TMPFILE, 0600)`, "EOVERFLOW#TmpfileMapsIDs/- - - - - -"},
	{`open("d700", O_WRONLY|O_TMPFILE, 0600)`, "EOVERFLOW#TmpfileMapsIDs/- - - - - EACCES"},
	{`access("d700", W_OK)`, "- - - - EACCES EACCES"}, // who is not root loses the capabilities for access
	{`access("zero", W_OK)`, "-"},
	{`stat("f600")`, "-"},
	{`open("fifo", O_RDWR)`, "- - - - - EACCES"},
	{`open("f600", O_RDONLY|O_NOATIME)`, "- - - - - EACCES"},
	{`open("d777/f", O_RDONLY|O_NOATIME)`, "- EPERM - EPERM - EPERM"},
}

// TestKernelUserNSMount compares a tmpfs that was mounted in a user namespace (s_user_ns).
func TestKernelUserNSMount(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	l := newLab(t, dir, "dir own 755 0:0\n")
	c := l.child(100000, 65536, true)
	l.mountNS = c.mountNS
	own := l.path("own")
	c.do(job{Mount: &mountArgs{Source: "tmpfs", Target: own, Type: "tmpfs", Data: "mode=755"}})
	c.do(job{Dir: own, Files: `
		file f600 600 0:0
		file g600 600 1000:1000
		file f666 666 0:0
		file d 644 0:0
		dir d777 777 0:0
		dir d700 700 0:0
		file d777/f 644 1001:1001
		fifo fifo 600 0:0
		char zero 666 0:0 dev=0:0
	`})
	l.attach("/own", world.Mount{SB: l.filesystem(world.SB{Type: "tmpfs", Name: "own", UserNS: 1, Flags: world.SBNoDev}, c.root(own))})
	tasks := append([]who{}, usernsTasks...)
	for i := range tasks {
		tasks[i].root = "/own"
	}
	l.run(tasks, ownCases)
}

// idmappedTasks work on a mount with the map 0 100000 65536: what the filesystem says is uid 0 is uid 100000 there.
var idmappedTasks = []who{
	{name: "root", caps: dacCaps},
	{name: "uid 100000 outside", uid: 100000, gid: 100000},
	{name: "uid 101000 outside", uid: 101000, gid: 101000},
	{name: "uid 101000 outside with capabilities", uid: 101000, gid: 101000, caps: dacCaps},
	{name: "root inside", uid: 100000, gid: 100000, caps: world.AllCaps, ns: 1},
	{name: "uid 1000 inside", uid: 101000, gid: 101000, groups: []uint32{102000}, ns: 1},
	{name: "uid 1000 outside", uid: 1000, gid: 1000},
}

var idmappedCases = []row{
	{`open("id/f0", O_RDONLY)`, "- - EACCES - - EACCES EACCES"},
	{`open("id/f0", O_RDWR)`, "- - EACCES - - EACCES EACCES"},
	{`open("id/f1000", O_RDWR)`, "- EACCES - - - - EACCES"},
	{`open("f1000", O_RDWR)`, "- EACCES EACCES - EACCES EACCES -"}, // through the plain mount
	{`open("id/g2000", O_RDONLY)`, "- - EACCES - - - EACCES"},
	{`open("id/foreign", O_RDONLY)`, "-"}, // 70000 has no place in the map: reading by the mode
	{`open("id/foreign", O_WRONLY)`, "EACCES"},
	{`open("id/foreign", O_RDONLY|O_TRUNC)`, "EACCES"},
	{`open("id/foreign600", O_RDONLY)`, "EACCES"},
	{`open("id/foreigngid", O_RDONLY)`, "EACCES EACCES - - EACCES - EACCES"},
	{`open("id/foreigngid", O_WRONLY)`, "EACCES"},
	{`open("foreign600", O_RDWR)`, "- EACCES EACCES - EACCES EACCES EACCES"},
	{`open("id/foreign", O_RDONLY|O_NOATIME)`, "EPERM"},
	{`open("id/foreigngid", O_RDONLY|O_NOATIME)`, "EACCES EACCES - - EACCES - EACCES"},
	{`access("id/foreign", W_OK)`, "EACCES"},
	{`access("id/foreign", R_OK)`, "-"},
	{`stat("id/foreign600")`, "-"},
	{`open("id/dforeign/f", O_RDONLY)`, "-"},
	{`open("id/dforeign/new", O_WRONLY|O_CREAT, 0600)`, "EOVERFLOW EACCES EACCES EACCES EACCES EACCES EOVERFLOW"},
	{`open("id/d777/new", O_WRONLY|O_CREAT, 0600)`, "EOVERFLOW + + + + + EOVERFLOW"},
	{`open("id/d755/new", O_WRONLY|O_CREAT, 0600)`, "EOVERFLOW EACCES + + + + EOVERFLOW"},
	{`open("d777/new", O_WRONLY|O_CREAT, 0600)`, "+"},
	{`open("id/d777", O_WRONLY|O_TMPFILE, 0600)`, "EOVERFLOW#TmpfileMapsIDs/- - - - - - EOVERFLOW#TmpfileMapsIDs/-"},
	{`open("id/d755", O_WRONLY|O_TMPFILE, 0600)`, "EOVERFLOW#TmpfileMapsIDs/- EACCES - - - - EOVERFLOW#TmpfileMapsIDs/EACCES"},
	{`open("id/dforeign", O_WRONLY|O_TMPFILE, 0600)`, "EOVERFLOW#TmpfileMapsIDs/EACCES EACCES EACCES EACCES EACCES EACCES EOVERFLOW#TmpfileMapsIDs/EACCES"},
	{`open("id/acl", O_RDONLY)`, "- - - - - - EACCES"}, // the ACL's 1000 is 101000 there
	{`open("acl", O_RDONLY)`, "- EACCES EACCES - EACCES EACCES -"},
	{`open("id/aclgroup", O_RDONLY)`, "- - EACCES - - - EACCES"},
	{`open("id/sticky/f", O_WRONLY|O_CREAT, 0600)`, "EACCES@regular EACCES@regular - - EACCES@regular - EACCES@regular"},
	{`open("id/sticky/null", O_RDWR|O_CREAT, 0600)`, "EACCES EACCES - - EACCES - EACCES"},
	{`open("id/sticky/link", O_RDONLY)`, "EACCES@symlinks EACCES@symlinks - - EACCES@symlinks - EACCES@symlinks"},
	{`open("id/sticky/linkf", O_RDONLY)`, "EACCES@symlinks"},
	{`open("id/stickyforeign/f", O_RDONLY|O_CREAT, 0600)`, "EACCES@regular"}, // two owners without a place are not the same
	{`open("id/stickyforeign/null", O_RDONLY|O_CREAT, 0600)`, "EACCES"},
	{`open("id/stickyforeign/null", O_RDONLY)`, "-"},
	{`open("id/stickyforeign/link", O_RDONLY)`, "EACCES@symlinks"},
	{`open("idro/d777", O_WRONLY|O_TMPFILE, 0600)`, "EROFS"},
	{`open("idro/d777/new", O_WRONLY|O_CREAT, 0600)`, "EROFS"},
	{`open("idro/foreign", O_WRONLY)`, "EACCES"},
	{`open("idro/foreign", O_WRONLY|O_TRUNC)`, "EROFS"},
	{`open("id/null", O_RDWR)`, "- EACCES - - - - EACCES"},
}

// TestKernelIDMapped compares an idmapped mount.
func TestKernelIDMapped(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	l := newLab(t, dir, `
		file f0 600 0:0
		file f1000 600 1000:1000
		file g2000 640 0:2000
		file foreign 666 70000:70000
		file foreign600 600 70000:70000
		file foreigngid 600 1000:70000
		dir d777 777 0:0
		dir d755 755 1000:1000
		dir dforeign 777 70000:70000
		file dforeign/f 644 0:0
		file acl 640 0:0 acl=user::rw-,user:1000:r--,group::---,mask::r--,other::---
		file aclgroup 640 0:0 acl=user::rw-,group::---,group:2000:r--,mask::r--,other::---
		dir sticky 1777 0:0
		file sticky/f 666 1000:1000
		char sticky/null 666 1000:1000 dev=1:3
		link sticky/link 777 1000:1000 to=../foreign
		link sticky/linkf 777 70000:70000 to=../foreign
		dir stickyforeign 1777 70000:70000
		file stickyforeign/f 644 70000:70000
		char stickyforeign/null 666 70000:70000 dev=1:3
		link stickyforeign/link 777 70000:70000 to=../foreign
		char null 600 1000:1000 dev=1:3
		dir id 755 0:0
		dir idro 755 0:0
	`)
	l.child(100000, 65536, false)
	l.idmap("/", "/id", 1, 0)
	l.idmap("/", "/idro", 1, world.MountReadOnly)
	l.run(idmappedTasks, idmappedCases)
	l.run([]who{{name: "root with CAP_CHOWN", caps: world.Caps(kernel.CapChown)}}, []row{
		{`chown("id/foreigngid", 101000, 101000)`, "EPERM"}, // the group has no place there, so the capability does not count; the owner has one
		{`chown("id/foreigngid", -1, 101000)`, "-"},         // for what has no place the capability over the superblock counts
		{`chown("id/foreign", 101000, -1)`, "EOVERFLOW"},
		{`chown("id/foreign", 101000, 101000)`, "-"},
	})
	here := l.Sysctls
	for v := range 3 {
		for s := range l.Sysctls {
			l.Sysctls[s] = world.Given(v, l.at)
		}
		l.foresee(idmappedTasks, idmappedCases)
	}
	l.Sysctls = here
	release := l.Kernel
	l.Kernel.Patch = 0 // of which nothing is known about O_TMPFILE
	l.foresee(idmappedTasks, idmappedCases)
	l.Kernel = release
}

// idmap binds a path to another one with the map of a child's user namespace; flag is 0 or MountReadOnly.
func (l *lab) idmap(source, point string, ns int, flag world.MountFlags) {
	l.t.Helper()
	from := l.place(l.root, source)
	tree, err := unix.OpenTree(unix.AT_FDCWD, l.path(source), unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	l.must(err)
	defer unix.Close(tree)
	fd, err := unix.Open(l.children[ns-1].userNS, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	l.must(err)
	defer unix.Close(fd)
	l.must(unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP | uint64(mountFlags[flag]), Userns_fd: uint64(fd)}))
	l.must(unix.MoveMount(tree, "", unix.AT_FDCWD, l.path(point), unix.MOVE_MOUNT_F_EMPTY_PATH))
	l.attach(point, world.Mount{Root: from.Dentry, SB: l.Mounts[from.Mount].SB, Flags: flag, IDMap: world.UserNSID(ns)})
}

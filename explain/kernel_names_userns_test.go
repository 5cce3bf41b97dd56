package explain_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/world"
)

// The child maps 0 to 65535 to 100000 to 165535.
var changeNSTasks = []who{
	{name: "root", caps: world.AllCaps &^ world.Caps(24)}, // CAP_SYS_RESOURCE may be missing
	{name: "root inside", uid: 100000, gid: 100000, caps: world.AllCaps, ns: 1},
	{name: "uid 1000 inside", uid: 101000, gid: 101000, ns: 1},
	{name: "uid 101000 outside", uid: 101000, gid: 101000},
}

const changeNSFiles = `
	dir . 755 0:0
	dir inside 755 100000:100000
	file inside/f 644 101000:101000
	file inside/foreign 666 0:0
	file inside/gid 666 101000:0
	dir inside/mine 755 101000:101000
	file inside/mine/f 644 101000:101000
	dir inside/empty 755 101000:101000
	dir open 777 0:0
	file open/f 666 0:0
	file open/mine 644 101000:101000
	dir sticky 1777 0:0
	file sticky/f 666 0:0
	file sticky/mine 666 101000:101000
	dir nssticky 1777 100000:100000
	file nssticky/f 666 0:0
	file nssticky/mine 666 101000:101000
	file suid 4755 101000:101000
`

// changeNSCases: root, root inside, uid 1000 inside, uid 101000 outside.
var changeNSCases = []row{
	{`mkdir("inside/new", 0755)`, "- - EACCES EACCES"},
	{`mkdir("inside/mine/new", 0755)`, "-"},
	{`mkdir("open/new", 0755)`, "-"},
	{`mknod("open/new", S_IFCHR|0600, makedev(1, 3))`, "- EPERM EPERM EPERM"},
	{`mknod("open/new", S_IFIFO|0600, 0)`, "-"},
	{`unlink("inside/f")`, "- - EACCES EACCES"},
	{`unlink("inside/foreign")`, "- - EACCES EACCES"},
	{`unlink("open/f")`, "-"},
	{`unlink("sticky/f")`, "- EPERM EPERM EPERM"},
	{`unlink("sticky/mine")`, "-"},
	{`unlink("nssticky/f")`, "- - EPERM EPERM"}, // root inside owns the directory
	{`rmdir("inside/empty")`, "- - EACCES EACCES"},
	{`rename("inside/f", "inside/new")`, "- - EACCES EACCES"},
	{`rename("sticky/f", "sticky/new")`, "- EPERM EPERM EPERM"},
	{`rename("inside/mine", "open/new")`, "- - EACCES EACCES"},
	{`chmod("inside/f", 0600)`, "-"},
	{`chmod("inside/foreign", 0600)`, "- EPERM EPERM EPERM"},
	{`chmod("inside/gid", 0600)`, "-"},
	{`chown("inside/f", 0, 0)`, "- - EPERM EPERM"},
	{`chown("inside/f", 1000, 1000)`, "- - - EPERM"},
	{`chown("inside/f", 70000, -1)`, "- EINVAL EINVAL EPERM"},
	{`chown("inside/f", -1, 70000)`, "- EINVAL EINVAL EPERM"},
	{`chown("inside/foreign", 0, 0)`, "- EPERM EPERM EPERM"},
	{`chown("inside/gid", 0, -1)`, "- EPERM EPERM EPERM"}, // both ids have to be mapped
	{`chown("suid", 1000, 1000)`, "- - - EPERM"},
	{`utimensat(AT_FDCWD, "inside/foreign", NULL, 0)`, "-"},
	{`utimensat(AT_FDCWD, "inside/foreign", [{tv_sec=0, tv_nsec=0}, {tv_sec=0, tv_nsec=0}], 0)`, "- EPERM EPERM EPERM"},
	{`truncate("inside/foreign", 0)`, "-"},
	{`truncate("inside/f", 0)`, "-"},
	{`link("inside/f", "open/new")`, "-"},
	{`link("inside/foreign", "open/new")`, "-"}, // readable and writable for all
	{`chroot("inside")`, "- - EPERM EPERM"},
	{`chdir("inside/mine")`, "-"},
	{`mount("none", "open", "tmpfs", 0, NULL)`, "- EPERM EPERM EPERM"}, // the namespace does not own the mount namespace
	{`umount2("open", 0)`, "EINVAL EPERM EPERM EPERM"},
}

// TestKernelNamesUserNS: the same calls by tasks of a user namespace, on files that it maps and that it does not.
func TestKernelNamesUserNS(t *testing.T) {
	dir, in := isolated(t)
	if !in {
		return
	}
	base := newLab(t, dir, changeNSFiles)
	base.child(100000, 65536, false)
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	build := func(l *lab) { l.children, l.UserNS = base.children, base.UserNS }
	eachFreshOf(t, dir, changeNSFiles, changeNSTasks, changeNSCases, build)
}

const changeIDFiles = `
	dir . 755 0:0
	dir id 777 0:0
	dir src 777 0:0
	file src/mapped 666 1000:1000
	file src/foreign 666 70000:70000
	dir src/d 777 1000:1000
	dir src/dforeign 777 70000:70000
`

// changeIDCases: on a mount that maps 0 to 65535 to 100000 to 165535. Tasks: root, uid 101000 outside.
var changeIDCases = []row{
	{`mkdir("id/new", 0755)`, "EOVERFLOW -"},
	{`mkdir("id/d/new", 0755)`, "EOVERFLOW -"},
	{`symlink("x", "id/new")`, "EOVERFLOW -"},
	{`mknod("id/new", S_IFREG|0600, 0)`, "EOVERFLOW -"},
	{`unlink("id/mapped")`, "-"},
	{`link("id/mapped", "id/new")`, "EOVERFLOW -"},
	{`rename("id/mapped", "id/new")`, "EOVERFLOW -"},
	{`unlink("id/foreign")`, "EOVERFLOW"},
	{`rmdir("id/dforeign")`, "EOVERFLOW"},
	{`chmod("id/mapped", 0600)`, "-"}, // CAP_FOWNER of the initial namespace
	{`chmod("id/foreign", 0600)`, "EOVERFLOW"},
	{`chown("id/mapped", 0, 0)`, "EOVERFLOW"},
	{`chown("id/mapped", 101000, 101000)`, "-"},
	{`chown("id/foreign", 101000, 101000)`, "- EPERM"},
	{`chown("id/foreign", 101000, -1)`, "EOVERFLOW"},
	{`utimensat(AT_FDCWD, "id/foreign", NULL, 0)`, "EACCES"},
	{`utimensat(AT_FDCWD, "id/mapped", NULL, 0)`, "-"},
	{`truncate("id/foreign", 0)`, "EACCES"},
	{`truncate("id/mapped", 0)`, "-"},
	{`link("id/foreign", "id/new")`, "EOVERFLOW"},
	{`rename("id/foreign", "id/new")`, "EOVERFLOW"},
}

// TestKernelNamesIDMapped: the same calls through an idmapped mount.
func TestKernelNamesIDMapped(t *testing.T) {
	dir, in := isolated(t)
	if !in {
		return
	}
	base := newLab(t, dir, changeIDFiles)
	base.child(100000, 65536, false)
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	tasks := []who{changeNSTasks[0], changeNSTasks[3]}
	eachFreshOf(t, dir, changeIDFiles, tasks, changeIDCases, func(l *lab) {
		l.children, l.UserNS = base.children, base.UserNS
		l.idmap("src", "id", 1, 0)
		l.twins = [][2]string{{"/src", "/id"}}
	})
}

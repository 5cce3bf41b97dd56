package explain_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/world"
)

// edgeTasks each have one way past a check that the others lack.
var edgeTasks = []who{
	{name: "root", caps: dacCaps | world.Caps(kernel.CapChown, kernel.CapMknod, kernel.CapSysChroot, kernel.CapFsetid)},
	{name: "owner", uid: 1000, gid: 1000},
	{name: "member of the group", uid: 1001, gid: 1000},
	{name: "stranger with CAP_FOWNER", uid: 1002, gid: 1002, caps: world.Caps(kernel.CapFowner)},
	{name: "owner with CAP_FSETID", uid: 1000, gid: 1000, caps: world.Caps(kernel.CapFsetid)},
	{name: "stranger with CAP_DAC_OVERRIDE", uid: 1002, gid: 1002, caps: world.Caps(kernel.CapDacOverride)},
	{name: "stranger", uid: 1002, gid: 1002},
}

const edgeFiles = `
	dir . 777 0:0
	file f644 644 1000:1000
	file w666 666 1000:1000
	hard w666hard 0 0:0 to=w666
	file g3000 644 1000:3000
	file w6777 6777 1000:1000
	file w2766 2766 1000:3000
	file suid 4755 1000:1000
	file sg2745 2745 1000:1000
	dir d755 755 1000:1000
	file d755/f 644 1000:1000
	dir d755/empty 755 1000:1000
	dir sgid 2777 0:3000
	dir sub 777 0:0
	dir sub/d 755 1000:1000
	file sub/d/x 644 1000:1000
	dir sticky 1777 0:0
	file sticky/f 666 1000:1000
	file sticky/root 666 0:0
	hard sticky/hard 0 0:0 to=sticky/root
	dir mysticky 1777 1000:1000
	file mysticky/root 600 0:0
	dir doomed 777 0:0
	dir ro 777 0:0
	link l 777 1000:1000 to=f644
	link ldir 777 1000:1000 to=sub
	link dangling 777 1000:1000 to=gone
	sock sock 666 1000:1000
	char null 666 1000:1000 dev=1:3
`

func edgeLab(l *lab) {
	l.bind("", "ro", world.MountReadOnly)
	l.twins = [][2]string{{"/ro", ""}, {"/w666hard", "/w666"}, {"/sticky/hard", "/sticky/root"}}
	l.open(901, "f644", unix.O_RDWR)
	l.open(902, "d755", unix.O_RDONLY)
	l.open(903, "f644", unix.O_PATH)
	l.open(904, "f644", unix.O_RDONLY)
	l.open(905, "w6777", unix.O_WRONLY)
	l.open(906, "sub", unix.O_PATH)
	l.open(907, "/l", unix.O_PATH|unix.O_NOFOLLOW)
	l.open(908, "doomed", unix.O_RDONLY)
	l.must(os.Remove(l.path("doomed")))
	p := l.place(l.root, "doomed")
	l.FS.I(p.Dentry).Attr |= world.AttrRemoved
	l.FS.Remove(l.root.Dentry, "doomed")
}

// setidCases look at setuid and setgid, which most calls take away rather than refuse: what is left is compared with the
// kernel's. The tasks: root, owner, member, CAP_FOWNER, owner with CAP_FSETID, CAP_DAC_OVERRIDE, stranger.
var setidCases = []row{
	{`truncate("w6777", 0)`, "-"},
	{`truncate("w2766", 0)`, "-"},
	{`truncate("w6777", 9)`, "-"},
	{`open("w6777", O_WRONLY|O_TRUNC)`, "-"},
	{`open("w6777", O_RDONLY|O_TRUNC)`, "-"},
	{`open("w2766", O_RDWR|O_TRUNC|O_CREAT, 0600)`, "-"},
	{`ftruncate(905, 0)`, "-"},
	{`chmod("f644", 06755)`, "- - EPERM - - EPERM EPERM"},
	{`chmod("g3000", 02755)`, "- - EPERM - - EPERM EPERM"},
	{`chmod("sgid", 0700)`, "- EPERM EPERM - EPERM EPERM EPERM"},
	{`chmod("sgid", 02700)`, "- EPERM EPERM - EPERM EPERM EPERM"},
	{`chmod("f644", 0107777)`, "- - EPERM - - EPERM EPERM"},
	{`chown("w6777", -1, -1)`, "- - EPERM - - EPERM EPERM"},
	{`chown("sg2745", -1, -1)`, "- - - - - EPERM EPERM"}, // the setgid bit without x is taken from whoever is not in the group
	{`chown("w2766", -1, -1)`, "- - EPERM - - EPERM EPERM"},
	{`chown("suid", 1000, -1)`, "- - EPERM EPERM - EPERM EPERM"},
	{`chown("suid", -1, 1000)`, "- - EPERM EPERM - EPERM EPERM"},
	{`chown("sg2745", -1, 1000)`, "- - EPERM EPERM - EPERM EPERM"},
	{`chown("sg2745", 5, 6)`, "- EPERM EPERM EPERM EPERM EPERM EPERM"},
	{`chown("suid", 0, 0)`, "- EPERM EPERM EPERM EPERM EPERM EPERM"},
	{`chown("sgid", -1, 3000)`, "- EPERM EPERM EPERM EPERM EPERM EPERM"},
	{`chown("sgid", 1000, 1000)`, "- EPERM EPERM EPERM EPERM EPERM EPERM"},
	{`chown("w2766", -1, 4294967295)`, "- - EPERM - - EPERM EPERM"}, // -1 as strace may print it
	{`lchown("l", -1, -1)`, "-"},
	{`mkdir("sgid/new", 02755)`, "-"},
	{`mkdir("sub/new", 01777)`, "-"},
	{`mkdir("new", 07777)`, "-"},
	{`mknod("sgid/new", S_IFREG|02775, 0)`, "-"},
	{`mknod("sgid/new", S_IFREG|02745, 0)`, "-"},
	{`mknod("sgid/new", S_IFIFO|02775, 0)`, "-"},
	{`mknod("new", S_IFSOCK|06777, 0)`, "-"},
	{`symlink("x", "sgid/new")`, "-"},
	{`open("sgid/made", O_WRONLY|O_CREAT, 02775)`, "-"},
	{`open("sgid/made", O_WRONLY|O_CREAT, 02745)`, "-"},
	{`open("made", O_WRONLY|O_CREAT|O_EXCL, 06755)`, "-"},
	{`creat("sgid/made", 0644)`, "-"},
	{`link("w666", "sgid/new")`, "-"},
}

// descriptorCases: the same tasks.
var descriptorCases = []row{
	{`fchmodat2(AT_FDCWD, "", 0777, AT_EMPTY_PATH)`, "- EPERM EPERM - EPERM EPERM EPERM"},
	{`fchmodat2(901, "", 0600, AT_EMPTY_PATH)`, "- - EPERM - - EPERM EPERM"},
	{`fchmodat2(903, "", 0600, AT_EMPTY_PATH)`, "- - EPERM - - EPERM EPERM"},
	{`fchmodat2(99, "", 0600, AT_EMPTY_PATH)`, "EBADF"},
	{`fchmodat2(AT_FDCWD, "", 0600, 0)`, "ENOENT"},
	{`fchmodat(903, "x", 0600)`, "ENOTDIR"},
	{`fchmod(903, 0600)`, "EBADF"}, // O_PATH
	{`fchmod(904, 0600)`, "- - EPERM - - EPERM EPERM"},
	{`fchown(903, -1, -1)`, "EBADF"},
	{`fchown(904, -1, -1)`, "-"},
	{`fchown(99, -1, -1)`, "EBADF"},
	{`fchownat(903, "", -1, -1, AT_EMPTY_PATH)`, "-"},
	{`fchownat(907, "", 1000, 1000, AT_EMPTY_PATH)`, "- - EPERM EPERM - EPERM EPERM"}, // the link itself
	{`fchownat(AT_FDCWD, "l", -1, -1, AT_SYMLINK_NOFOLLOW)`, "-"},
	{`fchownat(902, "f", 1000, -1, 0)`, "- - EPERM EPERM - EPERM EPERM"},
	{`ftruncate(903, 0)`, "EBADF"},
	{`ftruncate(904, 0)`, "EINVAL"},
	{`ftruncate(902, 0)`, "EINVAL"},
	{`ftruncate(905, -1)`, "EINVAL"},
	{`ftruncate(99, -1)`, "EINVAL"},
	{`utimensat(901, NULL, NULL, 0)`, "- - EACCES - - - EACCES"},
	{`utimensat(903, NULL, NULL, 0)`, "EBADF"},
	{`utimensat(903, "", NULL, AT_EMPTY_PATH)`, "- - EACCES - - - EACCES"},
	{`utimensat(99, NULL, NULL, 0)`, "EBADF"},
	{`utimensat(99, NULL, NULL, AT_SYMLINK_NOFOLLOW)`, "EINVAL"},
	{`utimensat(901, NULL, NULL, AT_SYMLINK_NOFOLLOW)`, "EINVAL"},
	{`utimensat(99, NULL, [UTIME_OMIT, UTIME_OMIT], 0)`, "-"},
	{`utimensat(AT_FDCWD, NULL, NULL, 0)`, "EFAULT"},
	{`utimensat(AT_FDCWD, "f644", NULL, 0)`, "- - EACCES - - - EACCES"},
	{`utimensat(AT_FDCWD, "f644", [UTIME_NOW, UTIME_OMIT], 0)`, "- - EPERM - - EPERM EPERM"}, // one of them is a choice
	{`utimensat(AT_FDCWD, "w666", [UTIME_OMIT, UTIME_NOW], 0)`, "- - EPERM - - EPERM EPERM"},
	{`utimensat(AT_FDCWD, "w666", [{tv_sec=0, tv_nsec=1000000000}, UTIME_NOW], 0)`, "EINVAL"},
	{`utimensat(AT_FDCWD, "none", [{tv_sec=0, tv_nsec=1000000000}, UTIME_NOW], 0)`, "ENOENT"},
	{`utimensat(AT_FDCWD, "ro/w666", [{tv_sec=0, tv_nsec=1000000000}, UTIME_NOW], 0)`, "EINVAL"},
	{`utimensat(AT_FDCWD, "none", [UTIME_OMIT, UTIME_OMIT], 0x8000)`, "-"},
	{`utimensat(AT_FDCWD, "none", [UTIME_NOW, UTIME_NOW], 0x8000)`, "EINVAL"},
	{`utimensat(AT_FDCWD, "l", [{tv_sec=0, tv_nsec=0}, {tv_sec=0, tv_nsec=0}], AT_SYMLINK_NOFOLLOW)`, "- - EPERM - - EPERM EPERM"},
	{`utimensat(AT_FDCWD, "dangling", NULL, AT_SYMLINK_NOFOLLOW)`, "-"},
	{`utimensat(AT_FDCWD, "dangling", NULL, 0)`, "ENOENT"},
	{`utimensat(AT_FDCWD, "", NULL, AT_EMPTY_PATH)`, "-"},
	{`utimensat(AT_FDCWD, "", NULL, 0)`, "ENOENT"},
	{`utimensat(AT_FDCWD, "null", NULL, 0)`, "-"},
	{`fchdir(902)`, "-"},
	{`fchdir(903)`, "ENOTDIR"},
	{`fchdir(906)`, "-"},
	{`fchdir(908)`, "-"},
	{`mkdirat(906, "new", 0755)`, "-"},
	{`mkdirat(908, "new", 0755)`, "ENOENT"}, // a directory that was removed
	{`mknodat(908, "new", S_IFREG|0600, 0)`, "ENOENT"},
	{`symlinkat("x", 908, "new")`, "ENOENT"},
	{`linkat(AT_FDCWD, "w666", 908, "new", 0)`, "ENOENT"},
	{`unlinkat(908, "new", 0)`, "ENOENT"},
	{`renameat(AT_FDCWD, "w666", 908, "new")`, "ENOENT"},
	{`renameat(908, "new", AT_FDCWD, "new")`, "ENOENT"},
	{`symlinkat("x", 906, "new")`, "-"},
	{`symlinkat("x", 903, "new")`, "ENOTDIR"},
	{`unlinkat(902, "empty", AT_REMOVEDIR)`, "- - EACCES EACCES - - EACCES"},
	{`renameat(902, "f", AT_FDCWD, "new")`, "- - EACCES EACCES - - EACCES"},
	{`linkat(AT_FDCWD, "", AT_FDCWD, "new", AT_EMPTY_PATH)`, "EPERM"}, // the current directory
	{`linkat(901, "", AT_FDCWD, "new", AT_EMPTY_PATH)`, "- ?ENOENT ?ENOENT ?ENOENT ?ENOENT ?ENOENT ?ENOENT"},
	{`linkat(99, "", AT_FDCWD, "new", AT_EMPTY_PATH)`, "EBADF"},
	{`linkat(901, "", AT_FDCWD, "new", 0)`, "ENOENT"},
	{`readlinkat(907, "")`, "-"},
	{`readlinkat(907, "", NULL, 10)`, "EFAULT"},
	{`readlinkat(901, "", NULL, 10)`, "ENOENT"},
	{`readlinkat(99, "")`, "EBADF"},
	{`readlink("l", NULL, 10)`, "EFAULT"},
	{`readlink("l", NULL, 0)`, "EINVAL"},
	{`readlink("l", 0x1000, -1)`, "EINVAL"},
}

// nameEdgeCases: the same tasks.
var nameEdgeCases = []row{
	{`unlink("mysticky/root")`, "- - EPERM - - EPERM EPERM"},
	{`unlink("sticky/f")`, "- - EPERM - - EPERM EPERM"},
	{`rename("sticky/f", "sticky/root")`, "- EPERM EPERM - EPERM EPERM EPERM"},
	{`rename("w666", "sticky/f")`, "- - EPERM - - EPERM EPERM"},
	{`rename("w666", "w666hard")`, "-"}, // the same file: nothing happens
	{`rename("sticky/root", "sticky/hard")`, "-"},
	{`renameat2(AT_FDCWD, "w666", AT_FDCWD, "w666hard", RENAME_NOREPLACE)`, "EEXIST"},
	{`rename("w666", "new")`, "-"},
	{`unlink("w666hard")`, "-"},
	{`chmod("w666hard", 0600)`, "- - EPERM - - EPERM EPERM"}, // shows under both names
	{`link("w666hard", "new")`, "-"},
	{`renameat2(AT_FDCWD, "w666", AT_FDCWD, "new", RENAME_WHITEOUT)`, "-"},
	{`renameat2(AT_FDCWD, "w666", AT_FDCWD, "f644", RENAME_WHITEOUT)`, "-"},
	{`renameat2(AT_FDCWD, "w666", AT_FDCWD, "new", RENAME_WHITEOUT|RENAME_NOREPLACE)`, "-"},
	{`renameat2(AT_FDCWD, "w666", AT_FDCWD, "f644", RENAME_WHITEOUT|RENAME_NOREPLACE)`, "EEXIST"},
	{`renameat2(AT_FDCWD, "w666", AT_FDCWD, "f644", RENAME_WHITEOUT|RENAME_EXCHANGE)`, "EINVAL"},
	{`renameat2(AT_FDCWD, "ro/w666", AT_FDCWD, "ro/new", RENAME_WHITEOUT)`, "EROFS"},
	{`renameat2(AT_FDCWD, "sub", AT_FDCWD, "new", RENAME_WHITEOUT)`, "-"},
	{`renameat2(AT_FDCWD, "sgid", AT_FDCWD, "mysticky", RENAME_EXCHANGE)`, "-"},
	{`renameat2(AT_FDCWD, "sub/d", AT_FDCWD, "f644", RENAME_EXCHANGE)`, "- - EACCES EACCES - - EACCES"}, // .. is written
	{`renameat2(AT_FDCWD, "f644", AT_FDCWD, "sub/d", RENAME_EXCHANGE)`, "- - EACCES EACCES - - EACCES"},
	{`renameat2(AT_FDCWD, "sub", AT_FDCWD, "sub/d", RENAME_EXCHANGE)`, "EINVAL"},
	{`renameat2(AT_FDCWD, "sub/d", AT_FDCWD, "sub", RENAME_EXCHANGE)`, "EINVAL"},
	{`renameat2(AT_FDCWD, "sticky/f", AT_FDCWD, "f644", RENAME_EXCHANGE)`, "- - EPERM - - EPERM EPERM"},
	{`renameat2(AT_FDCWD, "f644", AT_FDCWD, "sticky/root", RENAME_EXCHANGE)`, "- EPERM EPERM - EPERM EPERM EPERM"},
	{`renameat2(AT_FDCWD, "f644", AT_FDCWD, "f644", RENAME_EXCHANGE)`, "-"},
	{`renameat2(AT_FDCWD, "f644", AT_FDCWD, "w666/", RENAME_EXCHANGE)`, "ENOTDIR"},
	{`renameat2(AT_FDCWD, "f644", AT_FDCWD, "sub/", RENAME_EXCHANGE)`, "-"},
	{`renameat2(AT_FDCWD, "f644/", AT_FDCWD, "sub", RENAME_EXCHANGE)`, "ENOTDIR"},
	{`rename("sub/d", "new")`, "- - EACCES EACCES - - EACCES"},
	{`rename("sub/d", "sub/new")`, "-"},
	{`rename("sub/d", "sub")`, "ENOTEMPTY"},
	{`rename("sub/d", "d755/empty")`, "- - EACCES EACCES - - EACCES"},
	{`rename("sub/d", "d755")`, "ENOTEMPTY ENOTEMPTY EACCES EACCES ENOTEMPTY ENOTEMPTY EACCES"},
	{`rename("d755/empty", "sub/d")`, "ENOTEMPTY ENOTEMPTY EACCES EACCES ENOTEMPTY ENOTEMPTY EACCES"},
	{`rename("sub/", "new")`, "-"},
	{`rename("l/", "new")`, "ENOTDIR"},
	{`rename("ldir/", "new")`, "ENOTDIR"}, // the link is not followed
	{`rename("ldir", "new")`, "-"},
	{`rename("f644", "ldir")`, "-"},
	{`rename("f644", "dangling")`, "-"},
	{`rename("f644", "ldir/new")`, "-"},
	{`rename("f644", "..")`, "EBUSY"},
	{`rename("sub/..", "new")`, "EBUSY"},
	{`rename("", "new")`, "ENOENT"},
	{`rename("f644", "")`, "ENOENT"},
	{`rename(NULL, "new")`, "EFAULT"},
	{`rename("f644", NULL)`, "EFAULT"},
	{`rename("none/x", "d755/new")`, "ENOENT"},
	{`rename("f644/x", "new")`, "ENOTDIR"},
	{`rename("f644", "none/x")`, "ENOENT"},
	{`rename("f644", "` + name256 + `")`, "ENAMETOOLONG"},
	{`rename("` + name256 + `", "new")`, "ENAMETOOLONG"},
	{`renameat2(AT_FDCWD, "none", AT_FDCWD, "f644", RENAME_NOREPLACE)`, "ENOENT"},
	{`renameat2(99, "x", AT_FDCWD, "new", 0)`, "EBADF"},
	{`renameat2(AT_FDCWD, "f644", 99, "new", 0)`, "EBADF"},
	{`unlink("ldir/")`, "ENOTDIR"},
	{`unlink("ldir")`, "-"},
	{`unlink("sock")`, "-"},
	{`unlink("null")`, "-"},
	{`unlink("f644/x")`, "ENOTDIR"},
	{`unlink("ldir/d/x")`, "- - EACCES EACCES - - EACCES"},
	{`unlink("")`, "ENOENT"},
	{`unlink("` + name256 + `")`, "ENAMETOOLONG"},
	{`rmdir("ldir")`, "ENOTDIR"},
	{`rmdir("ldir/")`, "ENOTDIR"},
	{`rmdir("ldir/d")`, "ENOTEMPTY"},
	{`rmdir("sub/d/x")`, "ENOTDIR ENOTDIR EACCES EACCES ENOTDIR ENOTDIR EACCES"},
	{`rmdir("sticky")`, "ENOTEMPTY"},
	{`rmdir("sgid/")`, "-"},
	{`mkdir("dangling/", 0755)`, "EEXIST"},
	{`mkdir("ldir/new", 0755)`, "-"},
	{`mkdir("ldir/", 0755)`, "EEXIST"},
	{`mkdir("gone/../new", 0755)`, "ENOENT"},
	{`mkdir("sub/../new", 0755)`, "-"},
	{`mkdir("f644/", 0755)`, "EEXIST"},
	{`mkdir("l/new", 0755)`, "ENOTDIR"},
	{`symlink("x", "dangling")`, "EEXIST"},
	{`symlink(NULL, "new")`, "EFAULT"},
	{`symlink("x", "")`, "ENOENT"},
	{`symlink("x", ".")`, "EEXIST"},
	{`link("f644", "dangling")`, "EEXIST"},
	{`link("dangling", "new")`, "- - EPERM@hardlinks - - EPERM@hardlinks EPERM@hardlinks"},
	{`linkat(AT_FDCWD, "dangling", AT_FDCWD, "new", AT_SYMLINK_FOLLOW)`, "ENOENT"},
	{`linkat(AT_FDCWD, "ldir", AT_FDCWD, "new", AT_SYMLINK_FOLLOW)`, "EPERM"},
	{`link("sock", "new")`, "- - EPERM@hardlinks - - EPERM@hardlinks EPERM@hardlinks"},
	{`link("w6777", "new")`, "- - EPERM@hardlinks - - EPERM@hardlinks EPERM@hardlinks"},
	{`link("w2766", "new")`, "-"}, // setgid without x is safe to link
	{`link("f644", "new")`, "- - EPERM@hardlinks - - - EPERM@hardlinks"},
	{`link("f644", ".")`, "EEXIST"},
	{`link("", "new")`, "ENOENT"},
	{`link("f644", "ro/f644")`, "EEXIST"},
	{`link("ro/f644", "new")`, "EXDEV"},
	{`link("ro/f644", "ro/new")`, "EROFS"},
	{`link("f644/", "new")`, "ENOTDIR"},
	{`link("ldir/", "new")`, "EPERM"},
	{`mknod("dangling", S_IFREG|0600, 0)`, "EEXIST"},
	{`mknod("new", 0170000, 0)`, "EINVAL"},
	{`mknod("ro/none", S_IFDIR|0600, 0)`, "EPERM"},
	{`mknod("none/new", S_IFBLK|0600, makedev(1, 1))`, "ENOENT"},
	{`mknod("new", S_IFBLK|0600, 0)`, "- EPERM EPERM EPERM EPERM EPERM EPERM"}, // only the character device 0:0 is free
	{`mknod("new", S_IFCHR|0600, makedev(300, 70000))`, "- EPERM EPERM EPERM EPERM EPERM EPERM"},
	{`mknod("sub/d/new", S_IFCHR|0600, 0)`, "- - EACCES EACCES - - EACCES"},
	{`truncate("l", 0)`, "- - EACCES EACCES - - EACCES"},
	{`truncate("dangling", 0)`, "ENOENT"},
	{`truncate("w666", 9223372036854775807)`, "-"},
	{`truncate("w666", 100)`, "-"},
	{`truncate("sock", 0)`, "EINVAL"},
	{`truncate("null", 0)`, "EINVAL"},
	{`truncate("f644/", 0)`, "ENOTDIR"},
	{`truncate("none", -1)`, "EINVAL"},
	{`truncate(NULL, 0)`, "EFAULT"},
	{`chdir("l")`, "ENOTDIR"},
	{`chdir("ldir")`, "-"},
	{`chdir("ldir/..")`, "-"},
	{`chdir("dangling")`, "ENOENT"},
	{`chdir("")`, "ENOENT"},
	{`chdir(NULL)`, "EFAULT"},
	{`chdir("..")`, "-"},
	{`chroot("ldir")`, "- EPERM EPERM EPERM EPERM EPERM EPERM"},
	{`chroot("..")`, "- EPERM EPERM EPERM EPERM EPERM EPERM"},
	{`chroot("null")`, "ENOTDIR"},
	{`readlink("l/")`, "ENOTDIR"},
	{`readlink("ldir/")`, "EINVAL"},
	{`readlink(".")`, "EINVAL"},
	{`chmod("sock", 0600)`, "- - EPERM - - EPERM EPERM"},
	{`chmod("l/", 0600)`, "ENOTDIR"},
	{`chmod("dangling", 0600)`, "ENOENT"},
	{`chmod("", 0600)`, "ENOENT"},
	{`chmod(NULL, 0600)`, "EFAULT"},
	{`chmod("ro/none", 0600)`, "ENOENT"},
}

func TestKernelSetid(t *testing.T) {
	if dir, in := isolated(t); in {
		eachFreshOf(t, dir, edgeFiles, edgeTasks, setidCases, edgeLab)
	}
}

func TestKernelDescriptors(t *testing.T) {
	if dir, in := isolated(t); in {
		eachFreshOf(t, dir, edgeFiles, edgeTasks, descriptorCases, edgeLab)
	}
}

func TestKernelNameEdges(t *testing.T) {
	if dir, in := isolated(t); in {
		eachFreshOf(t, dir, edgeFiles, edgeTasks, nameEdgeCases, edgeLab)
	}
}

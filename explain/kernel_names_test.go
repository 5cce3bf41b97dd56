package explain_test

import (
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/world"
)

// changeTasks are the tasks of the tables of calls that change names and attributes.
var changeTasks = []who{
	{name: "root", caps: dacCaps | world.Caps(kernel.CapChown, kernel.CapMknod, kernel.CapSysChroot, kernel.CapFsetid)},
	{name: "root without capabilities"},
	{name: "owner", uid: 1000, gid: 1000},
	{name: "stranger with CAP_CHOWN", uid: 1002, gid: 1002, caps: world.Caps(kernel.CapChown)},
	{name: "stranger", uid: 1002, gid: 1002, groups: []uint32{3000}},
}

const changeFiles = `
	dir . 777 0:0
	dir d755 755 1000:1000
	file d755/f 644 1000:1000
	dir d755/empty 755 1000:1000
	dir d755/full 755 1000:1000
	file d755/full/x 644 1000:1000
	dir d700 700 1000:1000
	file d700/f 644 1000:1000
	dir open 777 0:0
	file open/f 666 1000:1000
	file open/root 600 0:0
	dir sticky 1777 0:0
	file sticky/mine 666 1000:1000
	file sticky/root 666 0:0
	dir sticky/dir 755 1000:1000
	file suid 4755 1000:1000
	file sgid 2755 1000:1000
	file f644 644 1000:1000
	file f666 666 1000:1000
	file f600 600 1000:1000
	link l 777 1000:1000 to=f644
	link dangling 777 1000:1000 to=gone
	fifo fifo 666 1000:1000
	dir ro 777 0:0
	dir point 777 0:0
	dir other 777 0:0
	file imm 666 1000:1000 flags=i
	file app 666 1000:1000 flags=a
	dir dapp 777 0:0 flags=a
	dir dimm 777 0:0 flags=i
`

// nameCases: root, root without capabilities, owner, stranger with CAP_CHOWN, stranger.
var nameCases = []row{
	{`mkdir("new", 0755)`, "-"},
	{`mkdir("new/", 0755)`, "-"},
	{`mkdir("d755/new", 0755)`, "- EACCES - EACCES EACCES"},
	{`mkdir("d755", 0755)`, "EEXIST"},
	{`mkdir("f644", 0755)`, "EEXIST"},
	{`mkdir("dangling", 0755)`, "EEXIST"},
	{`mkdir("ro/new", 0755)`, "EROFS"},
	{`mkdir("ro/d755", 0755)`, "EEXIST"},
	{`mkdir("d700/f", 0755)`, "EEXIST EACCES EEXIST EACCES EACCES"},
	{`mkdir("none/new", 0755)`, "ENOENT"},
	{`mkdir("f644/new", 0755)`, "ENOTDIR"},
	{`mkdir("/", 0755)`, "EEXIST"},
	{`mkdir(".", 0755)`, "EEXIST"},
	{`mkdir("d755/..", 0755)`, "EEXIST"},
	{`mkdir("", 0755)`, "ENOENT"},
	{`mkdir(NULL, 0755)`, "EFAULT"},
	{`mkdir("dimm/new", 0755)`, "EPERM"},
	{`mkdir("dapp/new", 0755)`, "-"},
	{`mkdirat(99, "new", 0755)`, "EBADF"},
	{`mkdirat(AT_FDCWD, "` + name256 + `", 0755)`, "ENAMETOOLONG"},
	{`mknod("new", S_IFREG|0644, 0)`, "-"},
	{`mknod("new", 0644, 0)`, "-"},
	{`mknod("new", S_IFIFO|0644, 0)`, "-"},
	{`mknod("new", S_IFSOCK|0644, 0)`, "-"},
	{`mknod("new", S_IFCHR|0644, makedev(1, 3))`, "- EPERM EPERM EPERM EPERM"},
	{`mknod("new", S_IFBLK|0644, makedev(7, 0))`, "- EPERM EPERM EPERM EPERM"},
	{`mknod("new", S_IFCHR|0644, 0)`, "-"},
	{`mknod("new", S_IFDIR|0644, 0)`, "EPERM"},
	{`mknod("new", S_IFLNK|0644, 0)`, "EINVAL"},
	{`mknod("f644", S_IFCHR|0644, makedev(1, 3))`, "EEXIST"},
	{`mknod("ro/new", S_IFCHR|0644, makedev(1, 3))`, "EROFS"},
	{`mknod("d755/new", S_IFCHR|0644, makedev(1, 3))`, "- EACCES EPERM EACCES EACCES"},
	{`mknod("new/", S_IFREG|0644, 0)`, "ENOENT"},
	{`symlink("anything", "new")`, "-"},
	{`symlink("", "new")`, "ENOENT"},
	{`symlink("x", "f644")`, "EEXIST"},
	{`symlink("x", "ro/new")`, "EROFS"},
	{`symlink("x", "d755/new")`, "- EACCES - EACCES EACCES"},
	{`symlink("x", "new/")`, "ENOENT"},
	{`unlink("open/f")`, "-"},
	{`unlink("d755/f")`, "- EACCES - EACCES EACCES"},
	{`unlink("d755")`, "EISDIR"},
	{`unlink("d755/empty")`, "EISDIR EACCES EISDIR EACCES EACCES"},
	{`unlink("none")`, "ENOENT"},
	{`unlink("ro/none")`, "EROFS"},
	{`unlink("ro/f644")`, "EROFS"},
	{`unlink("f644/")`, "ENOTDIR"},
	{`unlink("d755/")`, "EISDIR"},
	{`unlink("none/")`, "ENOENT"},
	{`unlink("/")`, "EISDIR"},
	{`unlink(".")`, "EISDIR"},
	{`unlink("d755/..")`, "EISDIR"},
	{`unlink("l")`, "-"},
	{`unlink("imm")`, "EPERM"},
	{`unlink("app")`, "EPERM"},
	{`unlink("dapp/f")`, "ENOENT"},
	{`unlink("sticky/mine")`, "- - - EPERM EPERM"},
	{`unlink("sticky/root")`, "- - EPERM EPERM EPERM"},
	{`unlink("sticky/dir")`, "EISDIR EISDIR EISDIR EPERM EPERM"},
	{`unlinkat(AT_FDCWD, "open/f", 0)`, "-"},
	{`unlinkat(AT_FDCWD, "d755/empty", AT_REMOVEDIR)`, "- EACCES - EACCES EACCES"},
	{`unlinkat(AT_FDCWD, "open/f", 1)`, "EINVAL"},
	{`rmdir("d755/empty")`, "- EACCES - EACCES EACCES"},
	{`rmdir("d755/full")`, "ENOTEMPTY EACCES ENOTEMPTY EACCES EACCES"},
	{`rmdir("f644")`, "ENOTDIR"},
	{`rmdir("none")`, "ENOENT"},
	{`rmdir("ro/none")`, "EROFS"},
	{`rmdir(".")`, "EINVAL"},
	{`rmdir("..")`, "ENOTEMPTY"},
	{`rmdir("/")`, "EBUSY"},
	{`rmdir("d755/empty/.")`, "EINVAL"},
	{`rmdir("d755/empty/..")`, "ENOTEMPTY"},
	{`rmdir("point")`, "EBUSY"},
	{`rmdir("sticky/dir")`, "- - - EPERM EPERM"},
	{`rmdir("other/")`, "-"},
	{`rename("open/f", "open/new")`, "-"},
	{`rename("open/f", "new")`, "-"},
	{`rename("f644", "f666")`, "-"},
	{`rename("none", "new")`, "ENOENT"},
	{`rename("ro/none", "new")`, "EXDEV"},
	{`rename("none", "ro/new")`, "EXDEV"},
	{`rename("ro/f644", "ro/new")`, "EROFS"},
	{`rename("ro/none", "ro/new")`, "EROFS"},
	{`rename("f644", ".")`, "EBUSY"},
	{`rename(".", "new")`, "EBUSY"},
	{`rename("/", "new")`, "EBUSY"},
	{`rename("d755/f", "new")`, "- EACCES - EACCES EACCES"},
	{`rename("f644", "d755/new")`, "- EACCES - EACCES EACCES"},
	{`rename("f644", "d755")`, "EISDIR"},
	{`rename("d755", "f644")`, "ENOTDIR"},
	{`rename("d755", "d755/new")`, "EINVAL"},
	{`rename("d755/full", "d755")`, "ENOTEMPTY"},
	{`rename("d755/empty", "d755/full")`, "ENOTEMPTY EACCES ENOTEMPTY EACCES EACCES"},
	{`rename("d755/full", "d755/empty")`, "- EACCES - EACCES EACCES"},
	{`rename("other", "d755/empty")`, "- EACCES - EACCES EACCES"},
	{`rename("d755", "open/new")`, "- EACCES - EACCES EACCES"},
	{`rename("d755", "new")`, "-"},
	{`rename("f644/", "new")`, "ENOTDIR"},
	{`rename("f644", "new/")`, "ENOTDIR"},
	{`rename("other/", "new/")`, "-"},
	{`rename("point", "new")`, "EBUSY"},
	{`rename("f644", "imm")`, "EPERM"},
	{`rename("imm", "new")`, "EPERM"},
	{`rename("sticky/root", "new")`, "- - EPERM EPERM EPERM"},
	{`rename("open/f", "sticky/root")`, "- - EPERM EPERM EPERM"},
	{`rename("f644", "f644")`, "-"},
	{`renameat2(AT_FDCWD, "f644", AT_FDCWD, "f666", RENAME_NOREPLACE)`, "EEXIST"},
	{`renameat2(AT_FDCWD, "f644", AT_FDCWD, "new", RENAME_NOREPLACE)`, "-"},
	{`renameat2(AT_FDCWD, "f644", AT_FDCWD, ".", RENAME_NOREPLACE)`, "EEXIST"},
	{`renameat2(AT_FDCWD, "f644", AT_FDCWD, "d755", RENAME_EXCHANGE)`, "-"},
	{`renameat2(AT_FDCWD, "f644", AT_FDCWD, "none", RENAME_EXCHANGE)`, "ENOENT"},
	{`renameat2(AT_FDCWD, "f644", AT_FDCWD, "f666", RENAME_EXCHANGE|RENAME_NOREPLACE)`, "EINVAL"},
	{`renameat2(AT_FDCWD, "f644", AT_FDCWD, "f666", 8)`, "EINVAL"},
	{`link("f644", "new")`, "- EPERM@hardlinks - EPERM@hardlinks EPERM@hardlinks"},
	{`link("f666", "new")`, "-"},
	{`link("suid", "new")`, "- EPERM@hardlinks - EPERM@hardlinks EPERM@hardlinks"},
	{`link("l", "new")`, "- EPERM@hardlinks - EPERM@hardlinks EPERM@hardlinks"},
	{`link("f666", "f644")`, "EEXIST"},
	{`link("none", "new")`, "ENOENT"},
	{`link("f666", "ro/new")`, "EROFS"},
	{`link("f666", "point/new")`, "EXDEV"},
	{`link("other", "new")`, "EPERM"},
	{`link("imm", "new")`, "EPERM"},
	{`link("f666", "d755/new")`, "- EACCES - EACCES EACCES"},
	{`linkat(AT_FDCWD, "l", AT_FDCWD, "new", AT_SYMLINK_FOLLOW)`, "- EPERM@hardlinks - EPERM@hardlinks EPERM@hardlinks"},
	{`linkat(AT_FDCWD, "f666", AT_FDCWD, "new", 1)`, "EINVAL"},
	{`linkat(AT_FDCWD, "f666", AT_FDCWD, "new/", 0)`, "ENOENT"},
}

// attrCases: the same tasks.
var attrCases = []row{
	{`chmod("f644", 0600)`, "- EPERM - EPERM EPERM"},
	{`chmod("none", 0600)`, "ENOENT"},
	{`chmod("l", 0600)`, "- EPERM - EPERM EPERM"},
	{`chmod("ro/f644", 0600)`, "EROFS"},
	{`chmod("imm", 0600)`, "EPERM"},
	{`chmod("app", 0600)`, "EPERM"},
	{`chmod("d700/f", 0600)`, "- EACCES - EACCES EACCES"},
	{`fchmodat2(AT_FDCWD, "l", 0600, AT_SYMLINK_NOFOLLOW)`, "EOPNOTSUPP"},
	{`fchmodat2(AT_FDCWD, "f644", 0600, 1)`, "EINVAL"},
	{`fchmod(99, 0600)`, "EBADF"},
	{`fchmod(901, 0600)`, "- EPERM - EPERM EPERM"},
	{`chown("f644", 1000, 1000)`, "- EPERM - - EPERM"},
	{`chown("f644", 0, 0)`, "- EPERM EPERM - EPERM"},
	{`chown("f644", 1002, -1)`, "- EPERM EPERM - EPERM"},
	{`chown("f644", -1, 1000)`, "- EPERM - - EPERM"},
	{`chown("f644", -1, 3000)`, "- EPERM EPERM - EPERM"},
	{`chown("f644", -1, -1)`, "-"},
	{`chown("suid", -1, -1)`, "- EPERM - EPERM EPERM"},
	{`chown("suid", 0, 0)`, "- EPERM EPERM EPERM EPERM"},
	{`chown("sgid", 1000, 1000)`, "- EPERM - EPERM EPERM"},
	{`chown("imm", 0, 0)`, "EPERM"},
	{`chown("imm", -1, -1)`, "-"},
	{`chown("ro/f644", 0, 0)`, "EROFS"},
	{`chown("ro/f644", -1, -1)`, "EROFS"},
	{`chown("none", 0, 0)`, "ENOENT"},
	{`lchown("l", 1000, 1000)`, "- EPERM - - EPERM"},
	{`lchown("dangling", 1000, 1000)`, "- EPERM - - EPERM"},
	{`chown("dangling", 1000, 1000)`, "ENOENT"},
	{`fchownat(AT_FDCWD, "f644", 0, 0, 1)`, "EINVAL"},
	{`fchown(901, 0, 0)`, "- EPERM EPERM - EPERM"},
	{`utimensat(AT_FDCWD, "f644", NULL, 0)`, "- EACCES - EACCES EACCES"},
	{`utimensat(AT_FDCWD, "f666", NULL, 0)`, "-"},
	{`utimensat(AT_FDCWD, "f666", [UTIME_NOW, UTIME_NOW], 0)`, "-"},
	{`utimensat(AT_FDCWD, "none", [UTIME_OMIT, UTIME_OMIT], 0)`, "-"},
	{`utimensat(AT_FDCWD, "f666", [{tv_sec=0, tv_nsec=0}, {tv_sec=0, tv_nsec=0}], 0)`, "- EPERM - EPERM EPERM"},
	{`utimensat(AT_FDCWD, "imm", NULL, 0)`, "EPERM"},
	{`utimensat(AT_FDCWD, "app", NULL, 0)`, "-"},
	{`utimensat(AT_FDCWD, "app", [{tv_sec=0, tv_nsec=0}, {tv_sec=0, tv_nsec=0}], 0)`, "EPERM"},
	{`utimensat(AT_FDCWD, "ro/f666", NULL, 0)`, "EROFS"},
	{`utimensat(AT_FDCWD, "ro/f644", NULL, 0)`, "EROFS"},
	{`utimensat(AT_FDCWD, "none", NULL, 0)`, "ENOENT"},
	{`utimensat(AT_FDCWD, "f666", NULL, 1)`, "EINVAL"},
	{`truncate("f666", 0)`, "-"},
	{`truncate("f644", 0)`, "- EACCES - EACCES EACCES"},
	{`truncate("f644", -1)`, "EINVAL"},
	{`truncate("d755", 0)`, "EISDIR"},
	{`truncate("fifo", 0)`, "EINVAL"},
	{`truncate("ro/f666", 0)`, "EROFS"},
	{`truncate("ro/f644", 0)`, "EROFS EACCES EROFS EACCES EACCES"},
	{`truncate("imm", 0)`, "EPERM"},
	{`truncate("app", 0)`, "EPERM"},
	{`truncate("none", 0)`, "ENOENT"},
	{`ftruncate(901, 0)`, "-"},
	{`ftruncate(902, 0)`, "EINVAL"},
	{`ftruncate(99, 0)`, "EBADF"},
	{`ftruncate(901, -1)`, "EINVAL"},
	{`chdir("d755")`, "-"},
	{`chdir("d700")`, "- EACCES - EACCES EACCES"},
	{`chdir("f644")`, "ENOTDIR"},
	{`chdir("none")`, "ENOENT"},
	{`fchdir(902)`, "-"},
	{`fchdir(901)`, "ENOTDIR"},
	{`fchdir(99)`, "EBADF"},
	{`chroot("d755")`, "- EPERM EPERM EPERM EPERM"},
	{`chroot("d700")`, "- EACCES EPERM EACCES EACCES"},
	{`chroot("none")`, "ENOENT"},
	{`chroot("f644")`, "ENOTDIR"},
	{`readlink("l")`, "-"},
	{`readlink("dangling")`, "-"},
	{`readlink("f644")`, "EINVAL"},
	{`readlink("none")`, "ENOENT"},
	{`readlink("l", 0x1000, 0)`, "EINVAL"},
	{`readlinkat(901, "")`, "ENOENT"},
	{`readlink("")`, "ENOENT"},
	{`mount("none", "point", "tmpfs", 0, NULL)`, "EPERM"},
	{`mount("none", "none", "tmpfs", 0, NULL)`, "ENOENT"},
	{`mount("f644", "point", NULL, MS_BIND, NULL)`, "EPERM"},
	{`umount2("point", 0)`, "EPERM"},
	{`umount2("none", 0)`, "ENOENT"},
	{`umount2("point", 64)`, "EINVAL"},
}

// eachFresh runs every case in a tree of its own, which build makes, and compares what the call changes.
func eachFresh(t *testing.T, dir string, tasks []who, table []row, build func(*lab)) {
	t.Helper()
	eachFreshOf(t, dir, changeFiles, tasks, table, build)
}

func eachFreshOf(t *testing.T, dir, files string, tasks []who, table []row, build func(*lab)) {
	t.Helper()
	n := 0
	for _, c := range table {
		runtime.GC() // lets go of the directories of earlier labs
		want := strings.Fields(c.want)
		for k, task := range tasks {
			l := newLab(t, dir, files)
			build(l)
			w := l.settle(want[min(k, len(want)-1)])
			p := l.predict(task, c.call)
			got := l.performed(t, c, task, p)
			created := strings.Replace(p.String(), "+", "-", 1) == w
			if n++; got != strings.TrimPrefix(w, "?") || !created && !p.is(w) {
				t.Errorf("%.200s as %s: written down %s, predicted %s, kernel %s", c.call, task.name, w, p, got)
			}
			for _, fd := range l.fds {
				unix.Close(fd.N)
			}
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d cases", n)
}

func changeLab(l *lab) {
	l.bind("", "ro", world.MountReadOnly)
	l.twins = [][2]string{{"/ro", ""}}
	l.tmpfs("point", "", false)
	l.open(901, "f644", unix.O_RDWR)
	l.open(902, "d755", unix.O_RDONLY)
}

func TestKernelNames(t *testing.T) {
	if dir, in := isolated(t); in {
		eachFresh(t, dir, changeTasks, nameCases, changeLab)
	}
}

func TestKernelAttributes(t *testing.T) {
	if dir, in := isolated(t); in {
		eachFresh(t, dir, changeTasks, attrCases, changeLab)
	}
}

// mountTasks: who may mount, and who may not.
var mountTasks = []who{{name: "root", caps: world.AllCaps &^ world.Caps(24)}, {name: "stranger", uid: 1002, gid: 1002}}

var mountCases = []row{
	{`mount("none", "other", "tmpfs", 0, NULL)`, "- EPERM"},
	{`mount("none", "other", "ramfs", MS_NOSUID, NULL)`, "- EPERM"},
	{`mount("none", "f644", "tmpfs", 0, NULL)`, "ENOTDIR EPERM"},
	{`mount("none", "none", "tmpfs", 0, NULL)`, "ENOENT"},
	{`mount("none", "d700/none", "tmpfs", 0, NULL)`, "ENOENT EACCES"},
	{`mount("none", "other", NULL, 0, NULL)`, "EINVAL EPERM"},
	{`mount("d755", "other", NULL, MS_BIND, NULL)`, "- EPERM"},
	{`mount("f644", "f666", NULL, MS_BIND, NULL)`, "- EPERM"},
	{`mount("f644", "other", NULL, MS_BIND, NULL)`, "ENOTDIR EPERM"},
	{`mount("d755", "f644", NULL, MS_BIND, NULL)`, "ENOTDIR EPERM"},
	{`mount("gone", "other", NULL, MS_BIND, NULL)`, "ENOENT EPERM"},
	{`mount("", "other", NULL, MS_BIND, NULL)`, "EINVAL EPERM"},
	{`mount(NULL, "other", NULL, MS_BIND, NULL)`, "EINVAL EPERM"},
	{`mount("d755", "other", NULL, MS_BIND|MS_REC, NULL)`, "- EPERM"},
	{`mount("none", "point", NULL, MS_PRIVATE, NULL)`, "- EPERM"},
	{`mount("none", "point", NULL, MS_SHARED|MS_REC, NULL)`, "- EPERM"},
	{`mount("none", "point", NULL, MS_SHARED|MS_PRIVATE, NULL)`, "EINVAL EPERM"},
	{`mount("none", "point", NULL, MS_SHARED|MS_RDONLY, NULL)`, "EINVAL EPERM"},
	{`mount("none", "other", NULL, MS_SLAVE, NULL)`, "EINVAL EPERM"},
	{`mount("none", "other", NULL, MS_REMOUNT|MS_BIND|MS_RDONLY, NULL)`, "EINVAL EPERM"},
	{`mount("none", "point", NULL, MS_REMOUNT|MS_BIND|MS_NOSUID, NULL)`, "- EPERM"},
	{`mount("none", "other", NULL, MS_REMOUNT, NULL)`, "EINVAL EPERM"},
	{`umount2("other", 0)`, "EINVAL EPERM"},
	{`umount2("f644", 0)`, "EINVAL EPERM"},
	{`umount2("other", 64)`, "EINVAL"},
}

func TestKernelMountCalls(t *testing.T) {
	if dir, in := isolated(t); in {
		eachFresh(t, dir, mountTasks, mountCases, changeLab)
	}
}

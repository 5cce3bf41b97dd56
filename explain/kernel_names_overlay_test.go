package explain_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

const changeOverlayFiles = `
	dir . 755 0:0
	dir low 777 0:0
	dir up 777 0:0
	dir upwork 755 0:0
	dir ovl 755 0:0
	file low/f 644 1000:1000
	file low/root 600 0:0
	dir low/d 755 1000:1000
	file low/d/x 644 1000:1000
	dir low/empty 755 1000:1000
	dir low/sticky 1777 0:0
	file low/sticky/mine 644 1000:1000
	file low/sticky/root 644 0:0
	link low/l 777 1000:1000 to=f
	file low/imm 666 1000:1000 flags=i
`

const changeUpperFiles = `
	file u 644 1000:1000
	dir du 755 1000:1000
	dir d 755 1000:1000
	file d/y 644 1000:1000
	char gone 0 0:0 dev=0:0
`

// changeOverlayCases: root, root without capabilities, owner, stranger with CAP_CHOWN, stranger.
var changeOverlayCases = []row{
	{`mkdir("new", 0755)`, "-"},
	{`mkdir("f", 0755)`, "EEXIST"},
	{`mkdir("gone", 0755)`, "-"}, // over a whiteout
	{`mkdir("d/new", 0755)`, "- EACCES - EACCES EACCES"},
	{`mknod("new", S_IFIFO|0600, 0)`, "-"},
	{`mknod("new", S_IFCHR|0600, 0)`, "EPERM"}, // overlayfs keeps it for whiteouts
	{`mknod("new", S_IFCHR|0600, makedev(1, 3))`, "- EPERM EPERM EPERM EPERM"},
	{`symlink("x", "new")`, "-"},
	{`unlink("f")`, "-"},
	{`unlink("u")`, "-"},
	{`unlink("gone")`, "ENOENT"},
	{`unlink("d/x")`, "- EACCES - EACCES EACCES"},
	{`unlink("sticky/mine")`, "- - - EPERM EPERM"},
	{`unlink("sticky/root")`, "- - EPERM EPERM EPERM"},
	{`unlink("imm")`, "EPERM"},
	{`rmdir("empty")`, "-"},
	{`rmdir("d")`, "ENOTEMPTY"},
	{`rmdir("du")`, "-"},
	{`rmdir("f")`, "ENOTDIR"},
	{`rename("f", "new")`, "-"},
	{`rename("f", "u")`, "-"},
	{`rename("u", "gone")`, "-"},
	{`rename("d", "new")`, "EXDEV"}, // merged
	{`rename("empty", "new")`, "EXDEV"},
	{`rename("du", "new")`, "-"},
	{`rename("du", "empty")`, "-"},
	{`rename("sticky/root", "new")`, "- - EPERM EPERM EPERM"},
	{`renameat2(AT_FDCWD, "u", AT_FDCWD, "new", RENAME_WHITEOUT)`, "EINVAL"},
	{`renameat2(AT_FDCWD, "f", AT_FDCWD, "u", RENAME_EXCHANGE)`, "-"},
	{`link("f", "new")`, "- EPERM@hardlinks - EPERM@hardlinks EPERM@hardlinks"},
	{`link("u", "gone")`, "- EPERM@hardlinks - EPERM@hardlinks EPERM@hardlinks"},
	{`link("d", "new")`, "EPERM"},
	{`chmod("f", 0600)`, "- EPERM - EPERM EPERM"},
	{`chmod("d", 0700)`, "- EPERM - EPERM EPERM"},
	{`chmod("imm", 0600)`, "EPERM"},
	{`chown("f", 0, 0)`, "- EPERM EPERM - EPERM"},
	{`lchown("l", 1000, 1000)`, "- EPERM - - EPERM"},
	{`utimensat(AT_FDCWD, "f", NULL, 0)`, "- EACCES - EACCES EACCES"},
	{`truncate("f", 0)`, "- EACCES - EACCES EACCES"},
	{`truncate("root", 0)`, "- - EACCES EACCES EACCES"},
	{`truncate("d", 0)`, "EISDIR"},
	{`readlink("l")`, "-"},
	{`chdir("d")`, "-"},
}

// TestKernelNamesOverlay: the same calls on an overlay.
func TestKernelNamesOverlay(t *testing.T) {
	dir, in := isolated(t)
	if !in {
		return
	}
	tasks := make([]who, len(changeTasks))
	for i, task := range changeTasks {
		task.root = "ovl"
		tasks[i] = task
	}
	eachFreshOf(t, dir, changeOverlayFiles, tasks, changeOverlayCases, func(l *lab) {
		l.overlay(&union{point: "/ovl", upper: "/up", files: changeUpperFiles, lower: []string{"/low"}})
		t.Cleanup(func() { unix.Unmount(l.path("ovl"), unix.MNT_DETACH) })
	})
}

package explain_test

import (
	"testing"

	"syscallstory/kernel"
	"syscallstory/world"
)

// dacCaps are the capabilities that pass over permissions.
var dacCaps = world.Caps(kernel.CapDacOverride, kernel.CapDacReadSearch, kernel.CapFowner)

var tasks = []who{
	{name: "root", caps: dacCaps},
	{name: "root without capabilities"},
	{name: "root with DAC_READ_SEARCH", caps: world.Caps(kernel.CapDacReadSearch)},
	{name: "owner", uid: 1000, gid: 1000},
	{name: "group", uid: 1001, gid: 1000},
	{name: "stranger", uid: 1002, gid: 1002},
}

// kernelCases are calls with the errnos that reference/kernel-order.md's order gives for the tasks above, written down
// before they were run; - is success.
var kernelCases = []row{
	{`open("/f600", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("/f600", O_WRONLY)`, "- EACCES EACCES - EACCES EACCES"},
	{`open("/f640", O_RDONLY)`, "- EACCES - - - EACCES"},
	{`open("/f007", O_RDWR)`, "- - - EACCES EACCES -"},
	{`open("/f444", O_WRONLY)`, "- EACCES EACCES EACCES EACCES EACCES"},
	{`open("/none", O_RDONLY)`, "ENOENT ENOENT ENOENT ENOENT ENOENT ENOENT"},
	{`open("/f600/x", O_RDONLY)`, "ENOTDIR ENOTDIR ENOTDIR ENOTDIR ENOTDIR ENOTDIR"},
	{`open("/f600/", O_RDONLY)`, "ENOTDIR ENOTDIR ENOTDIR ENOTDIR ENOTDIR ENOTDIR"},
	{`open("/d700/in", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("/d700/none", O_RDONLY)`, "ENOENT EACCES ENOENT ENOENT EACCES EACCES"},
	{`open("/d700", O_RDONLY|O_DIRECTORY)`, "- EACCES - - EACCES EACCES"},
	{`open("/d755", O_WRONLY)`, "EISDIR EISDIR EISDIR EISDIR EISDIR EISDIR"},
	{`open("/d755/", O_WRONLY|O_CREAT, 0644)`, "EISDIR EISDIR EISDIR EISDIR EISDIR EISDIR"},
	{`open("/f600", O_WRONLY|O_CREAT|O_EXCL, 0644)`, "EEXIST EEXIST EEXIST EEXIST EEXIST EEXIST"},
	{`open("/l600", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("/l600", O_RDONLY|O_NOFOLLOW)`, "ELOOP ELOOP ELOOP ELOOP ELOOP ELOOP"},
	{`open("/l600", O_RDONLY|O_NOFOLLOW|O_DIRECTORY)`, "ENOTDIR ENOTDIR ENOTDIR ENOTDIR ENOTDIR ENOTDIR"},
	{`open("/loop", O_RDONLY)`, "ELOOP ELOOP ELOOP ELOOP ELOOP ELOOP"},
	{`open("/dangling", O_WRONLY|O_CREAT|O_EXCL, 0644)`, "EEXIST EEXIST EEXIST EEXIST EEXIST EEXIST"},
	{`open("/ldir/in", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("/ro/f600", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("/ro/f600", O_WRONLY)`, "EROFS EACCES EACCES EROFS EACCES EACCES"},
	{`open("/ro/f600", O_WRONLY|O_TRUNC)`, "EROFS EROFS EROFS EROFS EROFS EROFS"},
	{`open("/ro/new", O_WRONLY|O_CREAT, 0644)`, "EROFS EROFS EROFS EROFS EROFS EROFS"},
	{`open("/ro/../f600", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("/../../f600", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("/nodev/null", O_RDONLY)`, "EACCES EACCES EACCES EACCES EACCES EACCES"},
	{`open("/null", O_RDWR)`, "- - - - - -"},
	{`open("/sock", O_RDONLY)`, "ENXIO EACCES ENXIO ENXIO EACCES EACCES"},
	{`open("/nosym/l", O_RDONLY)`, "ELOOP ELOOP ELOOP ELOOP ELOOP ELOOP"},
	{`open("/f600", O_RDONLY|O_NOATIME)`, "- EACCES EPERM - EACCES EACCES"},
	{`open("", O_RDONLY)`, "ENOENT ENOENT ENOENT ENOENT ENOENT ENOENT"},
	{`open(NULL, O_RDONLY)`, "EFAULT EFAULT EFAULT EFAULT EFAULT EFAULT"},
	{`open("/f600", O_RDONLY|O_TMPFILE, 0600)`, "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`open("/d755", O_RDWR|O_TMPFILE, 0600)`, "- EACCES EACCES - EACCES EACCES"},
	{`open("/ro", O_RDWR|O_TMPFILE, 0600)`, "EROFS EROFS EROFS EROFS EROFS EROFS"},
	{`open("/f600", O_PATH)`, "- - - - - -"},
	{`open("/d700/in", O_PATH)`, "- EACCES - - EACCES EACCES"},
	{`open("/d755", O_WRONLY|O_CREAT|O_DIRECTORY, 0644)`, "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`openat(99, "f600", O_RDONLY)`, "EBADF EBADF EBADF EBADF EBADF EBADF"},
	{`openat(99, "/null", O_RDONLY)`, "- - - - - -"},
	{`openat2(AT_FDCWD, "/f600", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "EXDEV EXDEV EXDEV EXDEV EXDEV EXDEV"},
	{`openat2(AT_FDCWD, "..", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "EXDEV EXDEV EXDEV EXDEV EXDEV EXDEV"},
	{`openat2(AT_FDCWD, "l600", {flags=O_RDONLY, resolve=RESOLVE_NO_SYMLINKS})`, "ELOOP ELOOP ELOOP ELOOP ELOOP ELOOP"},
	{`openat2(AT_FDCWD, "ro/f600", {flags=O_RDONLY, resolve=RESOLVE_NO_XDEV})`, "EXDEV EXDEV EXDEV EXDEV EXDEV EXDEV"},
	{`openat2(AT_FDCWD, "null", {flags=O_RDONLY, resolve=RESOLVE_BENEATH|RESOLVE_IN_ROOT})`, "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`openat2(AT_FDCWD, "null", {flags=O_RDONLY, mode=0600, resolve=0})`, "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`openat2(AT_FDCWD, "null", {flags=O_RDONLY, resolve=0}, 8)`, "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`stat("/f600")`, "- - - - - -"},
	{`stat("/d700/in")`, "- EACCES - - EACCES EACCES"},
	{`stat("/loop")`, "ELOOP ELOOP ELOOP ELOOP ELOOP ELOOP"},
	{`lstat("/loop")`, "- - - - - -"},
	{`newfstatat(AT_FDCWD, "f600", 0x1000, 0x8000)`, "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`access("/f600", R_OK)`, "- EACCES - - EACCES EACCES"},
	{`access("/f600", W_OK)`, "- EACCES EACCES - EACCES EACCES"},
	{`access("/f600", X_OK)`, "EACCES EACCES EACCES EACCES EACCES EACCES"},
	{`access("/ro/f600", W_OK)`, "EROFS EACCES EACCES EROFS EACCES EACCES"},
	{`access("/f600", 8)`, "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`faccessat2(AT_FDCWD, "f600", R_OK, AT_EACCESS)`, "- EACCES - - EACCES EACCES"},
}

// TestKernelFileCalls compares the table, the model and the kernel, in a private mount namespace.
func TestKernelFileCalls(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	l := newLab(t, dir, `
		dir d700 700 1000:1000
		dir d755 755 1000:1000
		dir ro 755 1000:1000
		dir nodev 755 1000:1000
		dir nosym 755 1000:1000
		file f600 600 1000:1000
		file f640 640 1000:1000
		file f007 007 1000:1000
		file f444 444 1000:1000
		file d700/in 644 1000:1000
		link l600 777 0:0 to=f600
		link loop 777 0:0 to=loop
		link dangling 777 0:0 to=gone
		link ldir 777 0:0 to=/d700
		link nosym/l 777 0:0 to=/f600
		char null 666 0:0 dev=1:3
		char nodev/null 666 0:0 dev=1:3
		sock sock 700 1000:1000
	`)
	l.bind("/", "/ro", world.MountReadOnly)
	l.bind("/nodev", "/nodev", world.MountNoDev)
	l.bind("/nosym", "/nosym", world.MountNoSymFollow)
	l.run(tasks, kernelCases)
}

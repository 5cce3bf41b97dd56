package explain_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/world"
)

// three are the tasks of most tables: who passes over permissions, who owns the files, who does neither.
var three = []who{
	{name: "root", caps: dacCaps},
	{name: "owner", uid: 1000, gid: 1000},
	{name: "stranger", uid: 1002, gid: 1002},
}

var (
	name255  = strings.Repeat("n", 255)
	name256  = strings.Repeat("n", 256)
	path4095 = "/" + strings.Repeat("./", 2045) + "f644"
	path4096 = "/" + strings.Repeat("./", 2045) + "/f644"
)

// lookupCases: last components, links, limits, descriptors, for root, owner and stranger.
var lookupCases = []row{
	{`open(".", O_RDONLY)`, "-"},
	{`open("..", O_RDONLY)`, "-"},
	{`open("d755/.", O_RDONLY)`, "-"},
	{`open("d700/.", O_RDONLY)`, "- - EACCES"},
	{`open("d755/..", O_RDONLY)`, "-"},
	{`open("d700/..", O_RDONLY)`, "- - EACCES"},
	{`open("f644/.", O_RDONLY)`, "ENOTDIR"},
	{`open("f644/..", O_RDONLY)`, "ENOTDIR"},
	{`open("d755/.", O_WRONLY|O_CREAT, 0600)`, "EISDIR"},
	{`open("d755/.", O_RDONLY|O_CREAT, 0600)`, "EISDIR"},
	{`open("d755/.", O_RDONLY|O_CREAT|O_EXCL, 0600)`, "EEXIST"},
	{`open("/", O_RDONLY|O_CREAT|O_EXCL, 0600)`, "EEXIST"},
	{`open("/", O_RDWR)`, "EISDIR"},
	{`open("d755/new/", O_RDONLY|O_CREAT, 0600)`, "EISDIR"},
	{`open("none/", O_RDONLY)`, "ENOENT"},
	{`open("d755///", O_RDONLY)`, "-"},
	{`open("ldir/", O_RDONLY|O_NOFOLLOW)`, "-"},
	{`open("ldir", O_RDONLY|O_NOFOLLOW)`, "ELOOP"},
	{`open("ldir", O_PATH|O_NOFOLLOW)`, "-"},
	{`open("ldir", O_PATH|O_NOFOLLOW|O_DIRECTORY)`, "ENOTDIR"},
	{`open("lf/", O_RDONLY)`, "ENOTDIR"},
	{`open("lslash", O_RDONLY)`, "-"},
	{`open("lfslash", O_RDONLY)`, "ENOTDIR"},
	{`open("lnewslash", O_RDONLY|O_CREAT, 0600)`, "EISDIR"},
	{`open("lnew", O_WRONLY|O_CREAT, 0644)`, "+ EACCES EACCES"},
	{`open("lnew", O_RDONLY)`, "ENOENT"},
	{`open("lnew", O_WRONLY|O_CREAT|O_NOFOLLOW, 0644)`, "ELOOP"},
	{`open("lnew/", O_WRONLY|O_CREAT, 0644)`, "EISDIR"},
	{`open("lroot", O_RDONLY)`, "-"},
	{`open("lroot", O_RDONLY|O_CREAT, 0600)`, "EISDIR"},
	{`open("lroot/f644", O_RDONLY)`, "-"},
	{`open("ldot/f644", O_RDONLY)`, "-"},
	{`lstat("lnew")`, "-"},
	{`lstat("lnew/")`, "ENOENT"},
	{`lstat("lf/")`, "ENOTDIR"},
	{`lstat("ldir/")`, "-"},
	{`stat("lslash")`, "-"},
	{`stat("f644", NULL)`, "EFAULT"},
	{`stat("none", NULL)`, "ENOENT"},

	{`open("s39", O_RDONLY)`, "-"}, // 40 links
	{`open("s40", O_RDONLY)`, "ELOOP"},
	{`stat("s40")`, "ELOOP"},
	{`lstat("s40")`, "-"},
	{`open("s40", O_PATH|O_NOFOLLOW)`, "-"},
	{`open("s39", O_WRONLY|O_CREAT, 0600)`, "- - EACCES"},
	{`open("t39/sub/f", O_RDONLY)`, "-"},
	{`open("t39/../lf", O_RDONLY)`, "ELOOP"},
	{`open("t40/sub", O_RDONLY)`, "ELOOP"},
	{`stat("` + name255 + `")`, "-"},
	{`open("` + name255 + `/x", O_RDONLY)`, "ENOTDIR"},
	{`open("` + name256 + `", O_RDONLY)`, "ENAMETOOLONG"},
	{`open("` + name256 + `/x", O_RDONLY)`, "ENAMETOOLONG"},
	{`open("d700/` + name256 + `", O_RDONLY)`, "ENAMETOOLONG ENAMETOOLONG EACCES"},
	{`open("` + name256 + `", O_WRONLY|O_CREAT, 0600)`, "ENAMETOOLONG"},
	{`open("ro/` + name256 + `", O_WRONLY|O_CREAT, 0600)`, "ENAMETOOLONG"},
	{`open("` + path4095 + `", O_RDONLY)`, "-"},
	{`open("` + path4096 + `", O_RDONLY)`, "ENAMETOOLONG"},
	{`openat(99, "` + path4096 + `", O_RDONLY)`, "ENAMETOOLONG"},
	{`newfstatat(AT_FDCWD, "` + path4096 + `", 0x1000, 0x8000)`, "EINVAL"},
	{`access("` + path4096 + `", 8)`, "EINVAL"},

	{`openat(100, "sub/f", O_RDONLY)`, "-"},
	{`openat(100, "../f644", O_RDONLY)`, "-"},
	{`openat(100, "", O_RDONLY)`, "ENOENT"},
	{`openat(100, "/f644", O_RDONLY)`, "-"},
	{`openat(101, "x", O_RDONLY)`, "ENOTDIR"},
	{`openat(101, ".", O_RDONLY)`, "ENOTDIR"},
	{`openat(101, "", O_RDONLY)`, "ENOENT"},
	{`openat(101, "/f644", O_RDONLY)`, "-"},
	{`openat(102, "x", O_RDONLY)`, "ENOTDIR"},
	{`openat(103, "x", O_RDONLY)`, "ENOTDIR"}, // the link itself
	{`openat(104, "in", O_RDONLY)`, "- - EACCES"},
	{`openat(104, ".", O_RDONLY)`, "- - EACCES"},
	{`openat(104, "..", O_RDONLY)`, "- - EACCES"},
	{`openat(-1, "f644", O_RDONLY)`, "EBADF"},
	{`newfstatat(104, "", 0x1000, AT_EMPTY_PATH)`, "-"},
	{`newfstatat(103, "", 0x1000, AT_EMPTY_PATH)`, "-"},
	{`newfstatat(101, "", 0x1000, AT_EMPTY_PATH)`, "-"},
	{`newfstatat(101, "", 0x1000, 0)`, "ENOENT"},
	{`newfstatat(101, "x", 0x1000, AT_EMPTY_PATH)`, "ENOTDIR"},
	{`newfstatat(99, "", 0x1000, AT_EMPTY_PATH)`, "EBADF"},
	{`newfstatat(AT_FDCWD, "", 0x1000, AT_EMPTY_PATH)`, "-"},
	{`newfstatat(101, NULL, 0x1000, AT_EMPTY_PATH)`, "-#StatEmptyDescriptor/EFAULT"},
	{`newfstatat(101, NULL, 0x1000, AT_EMPTY_PATH|AT_NO_AUTOMOUNT)`, "-#StatEmptyPath/EFAULT"},
	{`newfstatat(AT_FDCWD, NULL, 0x1000, AT_EMPTY_PATH)`, "-#StatEmptyPath/EFAULT"},
	{`newfstatat(101, NULL, 0x1000, 0)`, "EFAULT"},
	{`newfstatat(101, "", 0x1000, AT_EMPTY_PATH|0x8000)`, "-#StatEmptyPath/EINVAL"}, // vfs_fstat does not see the flags
	{`newfstatat(AT_FDCWD, "", 0x1000, AT_EMPTY_PATH|0x8000)`, "EINVAL"},
	{`newfstatat(101, "", NULL, AT_EMPTY_PATH)`, "EFAULT"},
	{`newfstatat(AT_FDCWD, NULL, 0x1000, 0x8000)`, "EINVAL"},
	{`statx(101, "", AT_EMPTY_PATH, STATX_BASIC_STATS, 0x1000)`, "-"},
	{`statx(101, NULL, AT_EMPTY_PATH, STATX_BASIC_STATS, 0x1000)`, "-#StatEmptyDescriptor/EFAULT"},
	{`statx(101, NULL, AT_EMPTY_PATH|AT_NO_AUTOMOUNT|AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, 0x1000)`, "-#StatEmptyDescriptor/EFAULT"},
	{`statx(101, NULL, AT_EMPTY_PATH|AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, 0x1000)`, "-#StatEmptyPath/EFAULT"},
	{`statx(AT_FDCWD, NULL, AT_EMPTY_PATH, STATX_BASIC_STATS, 0x1000)`, "-#StatEmptyPath/EFAULT"},
	{`statx(101, "", AT_EMPTY_PATH|0x8000, STATX_BASIC_STATS, 0x1000)`, "-#StatEmptyPath/EINVAL"}, // nor does do_statx_fd
	{`statx(AT_FDCWD, "", AT_EMPTY_PATH|0x8000, STATX_BASIC_STATS, 0x1000)`, "EINVAL"},
	{`newfstatat(101, 0x10, 0x1000, AT_EMPTY_PATH)`, "EFAULT"},
	{`statx(101, "", AT_EMPTY_PATH, 0x80000000, 0x1000)`, "EINVAL"},
	{`statx(101, "", AT_EMPTY_PATH|AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, 0x1000)`, "-"},
	{`statx(AT_FDCWD, "f644", AT_STATX_FORCE_SYNC|AT_STATX_DONT_SYNC, STATX_BASIC_STATS, 0x1000)`, "EINVAL"},
	{`statx(AT_FDCWD, "none", 0, 0x80000000, 0x1000)`, "EINVAL"},
	{`statx(AT_FDCWD, NULL, 0, STATX_BASIC_STATS, 0x1000)`, "EFAULT"},
	{`statx(99, "", AT_EMPTY_PATH, STATX_BASIC_STATS, 0x1000)`, "EBADF"},
	{`statx(AT_FDCWD, "d700/in", 0, STATX_BASIC_STATS, 0x1000)`, "- - EACCES"},
	{`fstat(101, 0x1000)`, "-"},
	{`fstat(102, 0x1000)`, "-"},
	{`fstat(103, 0x1000)`, "-"},
	{`fstat(99, 0x1000)`, "EBADF"},
	{`fstat(-1, 0x1000)`, "EBADF"},
	{`fstat(101, NULL)`, "EFAULT"},
	{`faccessat2(101, "", R_OK, AT_EMPTY_PATH)`, "-"},
	{`faccessat2(102, "", W_OK, AT_EMPTY_PATH)`, "- - EACCES"},
	{`faccessat2(AT_FDCWD, "", W_OK, AT_EMPTY_PATH)`, "- EACCES EACCES"},
	{`faccessat2(101, NULL, R_OK, AT_EMPTY_PATH)`, "EFAULT"},
	{`faccessat2(99, "", R_OK, AT_EMPTY_PATH)`, "EBADF"},
	{`faccessat2(AT_FDCWD, "lf", W_OK, AT_SYMLINK_NOFOLLOW)`, "-"}, // a link's own mode is 0777
	{`faccessat2(AT_FDCWD, "lf", W_OK, 0x400)`, "EINVAL"},
	{`faccessat(AT_FDCWD, "lf", W_OK)`, "- - EACCES"},
	{`faccessat(101, "x", F_OK)`, "ENOTDIR"},
	{`faccessat(100, "sub/f", F_OK)`, "-"},
	{`access("none", F_OK)`, "ENOENT"},
	{`access("d700/in", F_OK)`, "- - EACCES"},
	{`access("d700", X_OK)`, "- - EACCES"},
	{`access("x711", X_OK)`, "-"},
	{`access("x100", X_OK)`, "- - EACCES"},
	{`access("noexec/x711", X_OK)`, "EACCES"},
	{`access("noexec/d755", X_OK)`, "-"},

	{`open("f644", O_PATH|O_WRONLY|O_CREAT|O_TRUNC, 0600)`, "-"},
	{`open("f600", O_PATH|O_DIRECTORY)`, "ENOTDIR"},
	{`open("f600", O_RDONLY|O_DIRECTORY)`, "ENOTDIR"},
	{`open("f600", 3)`, "- - EACCES"},
	{`open("ro/f600", 3)`, "- - EACCES"}, // access mode 3 opens for neither
	{`open("ro/f600", 3|O_TRUNC)`, "EROFS"},
	{`open("ro/f644", O_RDONLY|O_CREAT, 0600)`, "-"},
	{`open("ro/f644", O_RDWR|O_CREAT|O_EXCL, 0600)`, "EEXIST"},
	{`open("ro/null", O_RDWR)`, "-"},
	{`access("ro/null", W_OK)`, "-"},
	{`access("ro/d777", W_OK)`, "EROFS"},
	{`faccessat2(AT_FDCWD, "ro/lf", W_OK, AT_SYMLINK_NOFOLLOW)`, "EROFS"},
	{`creat("d755/new", 0644)`, "+ + EACCES"},
	{`creat("f644", 0600)`, "- - EACCES"},
	{`creat("d755", 0600)`, "EISDIR"},
	{`creat("ro/new", 0600)`, "EROFS"},
	{`creat(NULL, 0600)`, "EFAULT"},
	{`open("d755", O_RDONLY|O_TRUNC)`, "EISDIR"},
	{`open("d755/new", O_RDONLY|O_CREAT, 0)`, "+ + EACCES"},
	{`open("d755/new", O_RDWR|O_CREAT|O_EXCL|O_TRUNC|O_NOFOLLOW|O_DIRECT, 0)`, "+#TmpfsDirectIO/EINVAL +#TmpfsDirectIO/EINVAL EACCES"},
	{`open("d777/new", O_RDWR|O_CREAT|O_NOATIME, 0)`, "+"},
	{`open("d777", O_WRONLY|O_TMPFILE|O_NOATIME, 0)`, "-"},
	{`open("none", O_WRONLY|O_TMPFILE, 0)`, "ENOENT"},
	{`open("f644", O_WRONLY|O_TMPFILE, 0)`, "ENOTDIR"},
	{`open("ldir", O_WRONLY|O_TMPFILE, 0)`, "- - EACCES"},
	{`open("ldir", O_WRONLY|O_TMPFILE|O_NOFOLLOW, 0)`, "ENOTDIR"},
	{`open("f644", O_RDONLY|O_DIRECT)`, "-#TmpfsDirectIO/EINVAL"},
	{`open("d755", O_RDONLY|O_DIRECT)`, "EINVAL"},
	{`open("null", O_RDWR|O_DIRECT)`, "?EINVAL"},
	{`open("f644", O_RDONLY|O_NOATIME)`, "- - EPERM"},
	{`open("none", O_RDONLY|O_NOATIME)`, "ENOENT"},

	{`openat2(100, "sub/f", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "-"},
	{`openat2(100, "../f644", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "EXDEV"},
	{`openat2(100, "../f644", {flags=O_RDONLY, resolve=RESOLVE_IN_ROOT})`, "ENOENT"},
	{`openat2(100, "../sub/f", {flags=O_RDONLY, resolve=RESOLVE_IN_ROOT})`, "-"},
	{`openat2(100, "/sub/f", {flags=O_RDONLY, resolve=RESOLVE_IN_ROOT})`, "-"},
	{`openat2(100, "/sub/f", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "EXDEV"},
	{`openat2(100, "labs", {flags=O_RDONLY, resolve=RESOLVE_IN_ROOT})`, "-"},
	{`openat2(100, "labs", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "EXDEV"},
	{`openat2(100, "labs", {flags=O_RDONLY, resolve=0})`, "ENOENT"},
	{`openat2(100, "lup", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "EXDEV"},
	{`openat2(100, "lup", {flags=O_RDONLY, resolve=RESOLVE_IN_ROOT})`, "ENOENT"},
	{`openat2(100, "lin", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "-"},
	{`openat2(100, "lin", {flags=O_RDONLY, resolve=RESOLVE_NO_MAGICLINKS})`, "-"},
	{`openat2(99, "/sub/f", {flags=O_RDONLY, resolve=RESOLVE_IN_ROOT})`, "EBADF"},
	{`openat2(101, "x", {flags=O_RDONLY, resolve=RESOLVE_IN_ROOT})`, "ENOTDIR"},
	{`openat2(100, "new", {flags=O_WRONLY|O_CREAT, mode=0600, resolve=RESOLVE_BENEATH})`, "+ + EACCES"},
	{`openat2(AT_FDCWD, "lf", {flags=O_PATH|O_NOFOLLOW, resolve=RESOLVE_NO_SYMLINKS})`, "-"},
	{`openat2(AT_FDCWD, "ldir/sub/f", {flags=O_RDONLY, resolve=RESOLVE_NO_SYMLINKS})`, "ELOOP"},
	{`openat2(105, "in", {flags=O_RDONLY, resolve=RESOLVE_NO_XDEV})`, "-"},
	{`openat2(105, "/f644", {flags=O_RDONLY, resolve=RESOLVE_NO_XDEV})`, "-"},
	{`openat2(105, "..", {flags=O_RDONLY, resolve=RESOLVE_NO_XDEV})`, "EXDEV"},
	{`openat2(105, "labs", {flags=O_RDONLY, resolve=RESOLVE_NO_XDEV})`, "EXDEV"},
	{`openat2(100, "labs", {flags=O_RDONLY, resolve=RESOLVE_NO_XDEV})`, "EXDEV"},
	{`openat2(100, "../d755/labs", {flags=O_RDONLY, resolve=RESOLVE_NO_XDEV})`, "ENOENT"},
	{`openat2(100, "/d755/labs", {flags=O_RDONLY, resolve=RESOLVE_NO_XDEV})`, "ENOENT"},
	{`openat2(AT_FDCWD, "rosb/labs", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "EXDEV"},
	{`openat2(AT_FDCWD, "rosb/in", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "-"},
	{`openat2(AT_FDCWD, "rosb/../f644", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "-"},
	{`openat2(AT_FDCWD, "f644", {flags=O_RDONLY, resolve=RESOLVE_CACHED})`, "?-"},
	{`openat2(AT_FDCWD, "d777/new", {flags=O_RDONLY|O_CREAT, mode=0600, resolve=RESOLVE_CACHED})`, "EAGAIN"},
	{`openat2(AT_FDCWD, "f644", {flags=O_PATH|O_WRONLY, resolve=0})`, "EINVAL"},
	{`openat2(AT_FDCWD, "f644", {flags=0x800000000, resolve=0})`, "EINVAL"},
	{`openat2(AT_FDCWD, "f644", {flags=O_RDONLY, resolve=0x40})`, "EINVAL"},
	{`openat2(AT_FDCWD, "d777/new", {flags=O_WRONLY|O_CREAT, mode=010000, resolve=0})`, "EINVAL"},
	{`openat2(AT_FDCWD, NULL, {flags=O_RDONLY, resolve=0x40})`, "EINVAL"},
	{`openat2(AT_FDCWD, NULL, {flags=O_RDONLY, resolve=0})`, "EFAULT"},
	{`openat2(AT_FDCWD, "f644", NULL)`, "EFAULT"},
	{`openat2(AT_FDCWD, "f644", NULL, 4097)`, "E2BIG"},
	{`openat2(AT_FDCWD, "f644", NULL, 23)`, "EINVAL"},

	{`open("fifo", O_WRONLY|O_NONBLOCK)`, "?ENXIO"},
	{`open("fifo", O_RDONLY|O_NONBLOCK)`, "-"},
	{`open("fifo", O_RDWR)`, "-"},
	{`open("fifo", O_RDWR|O_TRUNC|O_CREAT, 0600)`, "-"},
	{`open("fifo", 3)`, "EINVAL"},
	{`open("fifor", O_WRONLY)`, "-"},
	{`open("fifor", O_RDONLY)`, "-"},
	{`open("fifor", O_WRONLY|O_NONBLOCK)`, "-"},
	{`open("ro/fifo", O_RDWR)`, "-"},
	{`open("ro/fifo", O_RDWR|O_TRUNC)`, "-"},
	{`stat("fifo")`, "-"},

	{`open("prog", O_RDONLY)`, "-"},
	{`open("prog", O_WRONLY)`, "ETXTBSY ETXTBSY EACCES"},
	{`open("prog", O_RDWR|O_CREAT, 0600)`, "ETXTBSY ETXTBSY EACCES"},
	{`open("prog", O_RDONLY|O_TRUNC)`, "ETXTBSY ETXTBSY EACCES"},
	{`open("prog", 3)`, "- - EACCES"},
	{`open("prog", 3|O_TRUNC)`, "ETXTBSY ETXTBSY EACCES"},
	{`open("ro/prog", O_WRONLY)`, "ETXTBSY ETXTBSY EACCES"},
	{`open("ro/prog", O_WRONLY|O_TRUNC)`, "EROFS"},
	{`access("prog", W_OK)`, "- - EACCES"},

	{`open("rosb/f600", O_RDONLY)`, "- - EACCES"},
	{`open("rosb/f600", O_WRONLY)`, "EROFS"},
	{`open("rosb/f600", O_WRONLY|O_TRUNC)`, "EROFS"},
	{`open("rosb/f600", O_RDONLY|O_TRUNC)`, "EROFS"},
	{`open("rosb/f600", 3)`, "EROFS"},
	{`open("rosb/in", O_RDONLY|O_CREAT, 0600)`, "-"},
	{`open("rosb/in", O_RDWR|O_CREAT|O_EXCL, 0600)`, "EEXIST"},
	{`open("rosb/d777/new", O_RDWR|O_CREAT, 0600)`, "EROFS"},
	{`open("rosb/d777", O_RDWR|O_TMPFILE, 0600)`, "EROFS"},
	{`open("rosb/imm", O_WRONLY)`, "EROFS"},
	{`open("rosb/null", O_RDWR)`, "-"},
	{`open("rosb/fifo", O_RDWR)`, "-"},
	{`access("rosb/f600", W_OK)`, "EROFS"},
	{`access("rosb/f600", R_OK)`, "- - EACCES"},
	{`access("rosb/d777", W_OK)`, "EROFS"},
	{`access("rosb/null", W_OK)`, "-"},
	{`faccessat2(AT_FDCWD, "rosb/labs", W_OK, AT_SYMLINK_NOFOLLOW)`, "EROFS"},

	{`open("imm", O_RDONLY)`, "-"},
	{`open("imm", O_WRONLY)`, "EPERM"},
	{`open("imm", O_WRONLY|O_APPEND)`, "EPERM"},
	{`open("imm", O_RDONLY|O_TRUNC)`, "EPERM"},
	{`open("imm", O_RDONLY|O_CREAT, 0600)`, "-"},
	{`open("imm", O_WRONLY|O_CREAT|O_EXCL, 0600)`, "EEXIST"},
	{`open("imm", O_RDONLY|O_NOATIME)`, "- - EPERM"},
	{`open("imm600", O_WRONLY)`, "EPERM"}, // before the mode
	{`open("imm600", O_RDONLY)`, "- - EACCES"},
	{`open("ro/imm", O_WRONLY)`, "EPERM"},
	{`open("ro/imm", O_WRONLY|O_TRUNC)`, "EROFS"},
	{`access("imm", W_OK)`, "EPERM"},
	{`access("imm", R_OK)`, "-"},
	{`access("ro/imm", W_OK)`, "EPERM"},
	{`open("app", O_RDONLY)`, "-"},
	{`open("app", O_WRONLY)`, "EPERM EPERM EACCES"},
	{`open("app", O_WRONLY|O_APPEND)`, "- - EACCES"},
	{`open("app", O_RDONLY|O_APPEND)`, "-"},
	{`open("app", O_WRONLY|O_APPEND|O_TRUNC)`, "EPERM EPERM EACCES"},
	{`open("app", O_RDONLY|O_TRUNC)`, "EPERM EPERM EACCES"},
	{`open("app", 3)`, "EPERM EPERM EACCES"},
	{`open("app", O_WRONLY|O_NOATIME)`, "EPERM EPERM EACCES"},
	{`open("ro/app", O_WRONLY)`, "EPERM EPERM EACCES"},
	{`open("ro/app", O_WRONLY|O_APPEND)`, "EROFS EROFS EACCES"},
	{`open("ro/app", O_RDONLY|O_TRUNC)`, "EROFS"},
	{`access("app", W_OK)`, "- - EACCES"},
	{`open("dimm/new", O_WRONLY|O_CREAT, 0600)`, "EPERM"},
	{`open("dimm", O_WRONLY|O_TMPFILE, 0600)`, "EPERM"},
	{`open("dimm", O_RDONLY)`, "-"},
	{`open("dimm/f", O_WRONLY)`, "- - EACCES"},
	{`open("ro/dimm/new", O_WRONLY|O_CREAT, 0600)`, "EROFS"},
	{`access("dimm", W_OK)`, "EPERM"},
	{`open("dapp", O_WRONLY|O_TMPFILE, 0600)`, "-"},
	{`access("dapp", W_OK)`, "-"},
	{`open("dapp", O_RDONLY|O_NOATIME)`, "- - EPERM"},
}

// jailCases are for root and a stranger whose root is /jail.
var jailCases = []row{
	{`open("/in", O_RDONLY)`, "-"},
	{`open("/f644", O_RDONLY)`, "ENOENT"},
	{`open("/..", O_RDONLY)`, "-"},
	{`open("/../../in", O_RDONLY)`, "-"},
	{`open("../in", O_RDONLY)`, "-"},
	{`open("../../../in", O_RDONLY)`, "-"},
	{`open("/../f644", O_RDONLY)`, "ENOENT"},
	{`open("/labs", O_RDONLY)`, "-"},
	{`open("/lup", O_RDONLY)`, "-"},
	{`openat(100, "sub/f", O_RDONLY)`, "-"},
	{`openat(100, "../f644", O_RDONLY)`, "-"}, // outside of the root nothing stops ..
	{`openat(100, "../jail/../f644", O_RDONLY)`, "ENOENT"},
	{`openat(100, "/f644", O_RDONLY)`, "ENOENT"},
	{`openat(100, "lin2", O_RDONLY)`, "-"}, // an absolute link starts at the task's root
	{`openat2(100, "/sub/f", {flags=O_RDONLY, resolve=RESOLVE_IN_ROOT})`, "-"},
	{`openat2(100, "lin2", {flags=O_RDONLY, resolve=RESOLVE_IN_ROOT})`, "ENOENT"},
	{`openat2(100, "..", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "EXDEV"},
	{`newfstatat(101, "", 0x1000, AT_EMPTY_PATH)`, "-"},
	{`stat("/f644")`, "ENOENT"},
	{`creat("/new", 0600)`, "+ EACCES"},
	{`access("/..", W_OK)`, "- EACCES"},
}

// removedCases are for root and an owner whose current directory was removed.
var removedCases = []row{
	{`open("x", O_RDONLY)`, "ENOENT"},
	{`open(".", O_RDONLY)`, "-"},
	{`open("./x", O_RDONLY)`, "ENOENT"},
	{`open("..", O_RDONLY)`, "-"},
	{`open("../sub/f", O_RDONLY)`, "-"},
	{`open("new", O_WRONLY|O_CREAT, 0600)`, "ENOENT"},
	{`open("` + name256 + `", O_RDONLY)`, "ENOENT"},
	{`open(".", O_RDWR|O_TMPFILE, 0600)`, "-"},
	{`openat(106, "x", O_RDONLY)`, "ENOENT"},
	{`newfstatat(106, "", 0x1000, AT_EMPTY_PATH)`, "-"},
	{`stat("x")`, "ENOENT"},
	{`stat(".")`, "-"},
	{`access(".", W_OK)`, "-"},
	{`access("x", F_OK)`, "ENOENT"},
}

// fullCases are for a task without a free descriptor.
var fullCases = []row{
	{`open("f644", O_RDONLY)`, "EMFILE"},
	{`open("f644", O_PATH)`, "EMFILE"},
	{`open("none", O_RDONLY)`, "EMFILE"},
	{`openat(99, "x", O_RDONLY)`, "EMFILE"},
	{`open("d777/new", O_RDONLY|O_CREAT, 0600)`, "EMFILE"},
	{`open("", O_RDONLY)`, "ENOENT"},
	{`open(NULL, O_RDONLY)`, "EFAULT"},
	{`open("` + path4096 + `", O_RDONLY)`, "ENAMETOOLONG"},
	{`openat2(AT_FDCWD, "f644", {flags=O_RDONLY, resolve=0x40})`, "EINVAL"},
	{`open("d777", O_RDONLY|O_TMPFILE, 0600)`, "EINVAL"},
	{`stat("f644")`, "-"},
	{`access("f644", R_OK)`, "-"},
}

// TestKernelLimits compares lookups at their limits, attributes, descriptors, roots and read-only filesystems.
func TestKernelLimits(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	var list strings.Builder
	list.WriteString(`
		dir d700 700 1000:1000
		dir d755 755 1000:1000
		dir d777 777 1000:1000
		dir d755/sub 755 1000:1000
		dir d755/gone 755 1000:1000
		dir ro 755 1000:1000
		dir rosb 755 1000:1000
		dir noexec 755 1000:1000
		dir jail 755 0:0
		file jail/in 644 0:0
		link jail/labs 777 0:0 to=/in
		link jail/lup 777 0:0 to=../../../in
		file f600 600 1000:1000
		file f644 644 1000:1000
		file x711 711 1000:1000
		file x100 100 1000:1000
		file d700/in 644 1000:1000
		file d755/sub/f 644 1000:1000
		link d755/labs 777 0:0 to=/sub/f
		link d755/lup 777 0:0 to=../f644
		link d755/lin 777 0:0 to=sub/../sub/f
		link d755/lin2 777 0:0 to=/in
		link lf 777 0:0 to=f644
		link ldir 777 0:0 to=d755
		link lslash 777 0:0 to=d755/
		link lfslash 777 0:0 to=f644/
		link lnew 777 0:0 to=newtarget
		link lnewslash 777 0:0 to=d777/new/
		link lroot 777 0:0 to=/
		link ldot 777 0:0 to=d755/..
		link s0 777 0:0 to=f644
		link t0 777 0:0 to=d755
		char null 666 0:0 dev=1:3
		fifo fifo 666 0:0
		fifo fifor 666 0:0
		file imm 644 1000:1000 flags=i
		file imm600 600 1000:1000 flags=i
		file app 644 1000:1000 flags=a
		dir dimm 777 1000:1000
		file dimm/f 644 1000:1000
		dir dapp 777 1000:1000
	`)
	fmt.Fprintf(&list, "file %s 644 1000:1000\n", name255)
	for i := 1; i <= 40; i++ {
		fmt.Fprintf(&list, "link s%d 777 0:0 to=s%d\nlink t%d 777 0:0 to=t%d\n", i, i-1, i, i-1)
	}
	l := newLab(t, dir, list.String())
	l.must(setFlags(l.path("dimm"), 0x10))
	l.must(setFlags(l.path("dapp"), 0x20))
	running(l, "/prog")
	l.bind("/", "/ro", world.MountReadOnly)
	l.bind("/", "/noexec", world.MountNoExec)
	l.tmpfs("/rosb", `
		file f600 600 1000:1000
		file in 644 1000:1000
		file imm 644 1000:1000 flags=i
		dir d777 777 1000:1000
		char null 666 0:0 dev=1:3
		fifo fifo 666 0:0
		link labs 777 0:0 to=/f644
	`, true)
	l.open(100, "/d755", unix.O_RDONLY|unix.O_DIRECTORY)
	l.open(101, "/f644", unix.O_RDONLY)
	l.open(102, "/f644", unix.O_PATH)
	l.open(103, "/lf", unix.O_PATH|unix.O_NOFOLLOW)
	l.open(104, "/d700", unix.O_PATH|unix.O_DIRECTORY)
	l.open(105, "/rosb", unix.O_PATH|unix.O_DIRECTORY)
	l.open(106, "/d755/gone", unix.O_RDONLY|unix.O_DIRECTORY)
	l.open(107, "/fifor", unix.O_RDWR)
	l.must(unix.Rmdir(l.path("d755/gone")))
	l.FS.I(l.Task.FDByNumber(106).Path.Dentry).Attr |= world.AttrRemoved

	l.after = func(row, who, prediction, string) { os.Remove(l.path("d755/new")) } // with O_DIRECT refused, it stays
	l.run(three, lookupCases)
	l.after = nil
	l.run([]who{{name: "jailed root", caps: dacCaps, root: "/jail"}, {name: "jailed stranger", uid: 1002, gid: 1002, root: "/jail"}}, jailCases)
	l.run([]who{{name: "root in a removed directory", caps: dacCaps, cwdFD: 106}, {name: "owner in a removed directory", uid: 1000, gid: 1000, cwdFD: 106}}, removedCases)
	l.run([]who{{name: "stranger without descriptors", uid: 1002, gid: 1002, noFile: 1}}, fullCases)
}

// running copies this program into the lab and starts the copy, which waits until the test ends.
func running(l *lab, path string) {
	l.t.Helper()
	b, err := os.ReadFile("/proc/self/exe")
	l.must(err)
	l.must(os.WriteFile(l.path(path), b, 0o755))
	l.must(os.Chown(l.path(path), 1000, 1000))
	cmd := exec.Command(l.path(path))
	cmd.Env = append(os.Environ(), "STORY_KERNEL_CHILD=wait")
	in, err := cmd.StdinPipe()
	l.must(err)
	out, err := cmd.StdoutPipe()
	l.must(err)
	l.must(cmd.Start())
	l.t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		l.t.Fatal(line, err)
	}
	l.FS.I(l.place(l.root, path).Dentry).Attr |= world.AttrExecuting
}

// realIDs are tasks whose real ids or effective capabilities differ from what access(2) and open use.
var realIDs = []who{
	{name: "a set-user-ID program", caps: dacCaps, real: &[2]uint32{1000, 1000}},
	{name: "root with idle capabilities", idle: dacCaps},
	{name: "a user with capabilities", uid: 1002, gid: 1002, caps: dacCaps},
	{name: "a member of a group", uid: 1002, gid: 1002, groups: []uint32{999, 1000, 1001}},
}

var realIDCases = []row{
	{`open("f600", O_RDONLY)`, "- EACCES - EACCES"},
	{`access("f600", R_OK)`, "EACCES - EACCES EACCES"},
	{`faccessat2(AT_FDCWD, "f600", R_OK, AT_EACCESS)`, "- EACCES - EACCES"},
	{`open("f640", O_RDONLY)`, "- EACCES - -"},
	{`access("f640", R_OK)`, "- - EACCES -"},
	{`faccessat2(AT_FDCWD, "f640", R_OK, AT_EACCESS)`, "- EACCES - -"},
	{`open("f606", O_RDONLY)`, "- - - EACCES"}, // the group's triplet counts, even when it grants less
	{`access("f606", R_OK)`, "EACCES - - EACCES"},
	{`access("d700/in", F_OK)`, "EACCES - EACCES EACCES"},
	{`stat("d700/in")`, "- EACCES - EACCES"},
	{`faccessat2(AT_FDCWD, "d700/in", F_OK, AT_EACCESS)`, "- EACCES - EACCES"},
	{`access("d750", X_OK)`, "- - EACCES -"},
	{`access("d750", W_OK)`, "EACCES - EACCES EACCES"},
	{`open("d770/new", O_WRONLY|O_CREAT, 0600)`, "+ EACCES + +"},
	{`open("f640", O_RDONLY|O_NOATIME)`, "- EACCES - EPERM"},
}

// TestKernelRealIDs compares what the real ids, the effective ones and supplementary groups decide.
func TestKernelRealIDs(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	l := newLab(t, dir, `
		file f600 600 1005:1000
		file f640 640 1005:1000
		file f606 606 1005:1000
		dir d700 700 1005:1000
		file d700/in 644 1005:1000
		dir d750 750 1005:1000
		dir d770 770 1005:1000
	`)
	l.run(realIDs, realIDCases)
}

package explain_test

import (
	"encoding/binary"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/lsm"
	"syscallstory/world"
)

// ruleset is a Landlock ruleset with rights over files below places of the task's root.
type ruleset struct {
	FS, Net uint64
	Below   []hierarchy
}

// hierarchy grants rights below a path.
type hierarchy struct {
	Path   string
	Access uint64
}

// restrict puts the calling thread under the ruleset.
func (r ruleset) restrict() error {
	attr := binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, r.FS), r.Net)
	size := uintptr(16)
	if r.Net == 0 {
		size = 8
	}
	fd, _, e := syscall.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr[0])), size, 0)
	if e != 0 {
		return e
	}
	defer unix.Close(int(fd))
	for _, h := range r.Below {
		at, err := unix.Open(h.Path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		rule := binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint64(nil, h.Access), uint32(at))
		_, _, e = syscall.RawSyscall6(unix.SYS_LANDLOCK_ADD_RULE, fd, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule[0])), 0, 0, 0)
		unix.Close(at)
		if e != 0 {
			return e
		}
	}
	if _, _, e = syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); e != 0 {
		return e
	}
	if _, _, e = syscall.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); e != 0 {
		return e
	}
	return nil
}

// restrict puts the world's task under its rulesets.
func (l *lab) restrict(task who) {
	t := &l.Task
	t.Landlock, t.LandlockAt = nil, l.at
	for _, r := range task.landlock {
		layer := world.LandlockLayer{FS: r.FS, Net: r.Net, At: l.at}
		for _, h := range r.Below {
			root := t.Root
			if !strings.HasPrefix(h.Path, "/") {
				root = t.Cwd
			}
			layer.Rules = append(layer.Rules, world.LandlockRule{Inode: l.FS.D(l.place(root, h.Path).Dentry).Inode, Access: h.Access})
		}
		t.Landlock = append(t.Landlock, layer)
	}
}

const (
	llAll  = 1<<16 - 1
	llRead = lsm.FSReadFile | lsm.FSReadDir | lsm.FSExecute
)

var landlockRoot = dacCaps | world.AllCaps&^world.Caps(24)

// landlockTasks: root and an ordinary user who may read everywhere and all below rw; the same user with a second layer that
// takes writing below rw/sub away; root whose ruleset handles only the making of regular files; root with a ruleset over ports
// alone.
var landlockTasks = []who{
	{name: "root", caps: landlockRoot, landlock: []ruleset{{FS: llAll, Below: []hierarchy{{"/", llRead}, {"/rw", llAll}}}}},
	{name: "user", uid: 1000, gid: 1000, landlock: []ruleset{{FS: llAll, Below: []hierarchy{{"/", llRead}, {"/rw", llAll}}}}},
	{name: "two layers", uid: 1000, gid: 1000, landlock: []ruleset{{FS: llAll, Below: []hierarchy{{"/", llRead}, {"/rw", llAll}}},
		{FS: lsm.FSWriteFile | lsm.FSMakeReg, Below: []hierarchy{{"/rw/other", lsm.FSWriteFile | lsm.FSMakeReg}}}}},
	{name: "only make_reg", caps: landlockRoot, landlock: []ruleset{{FS: lsm.FSMakeReg, Below: []hierarchy{{"/rw", lsm.FSMakeReg}}}}},
	{name: "only ports", caps: landlockRoot, landlock: []ruleset{{Net: lsm.NetBindTCP}}},
}

const landlockFiles = `
	dir . 777 0:0
	file f 666 1000:1000
	file r 600 0:0
	dir d 777 1000:1000
	file d/f 666 1000:1000
	dir d/empty 777 1000:1000
	dir rw 777 1000:1000
	file rw/f 666 1000:1000
	file rw/r 600 0:0
	dir rw/sub 777 1000:1000
	file rw/sub/f 666 1000:1000
	dir rw/other 777 1000:1000
	file rw/other/f 666 1000:1000
	dir point 777 0:0
	file imm 666 1000:1000 flags=i
	char null 666 0:0 dev=1:3
`

// landlockCases: root, user, two layers, only make_reg, only ports.
var landlockCases = []row{
	{`open("f", O_RDONLY)`, "-"},
	{`open("f", O_WRONLY)`, "EACCES EACCES EACCES - -"},
	{`open("f", O_PATH)`, "-"},
	{`open("r", O_WRONLY)`, "EACCES EACCES EACCES - -"},
	{`open("none", O_WRONLY)`, "ENOENT"},
	{`open("rw/f", O_RDWR)`, "- - EACCES - -"},
	{`open("rw/other/f", O_RDWR)`, "-"},
	{`open("rw/f", O_RDONLY|O_TRUNC)`, "-"},
	{`open("f", O_RDONLY|O_TRUNC)`, "EACCES EACCES EACCES - -"},
	{`open("d", O_RDONLY)`, "-"},
	{`open("new", O_WRONLY|O_CREAT, 0600)`, "EACCES EACCES EACCES EACCES +"},
	{`open("rw/new", O_WRONLY|O_CREAT, 0600)`, "+ + EACCES + +"},
	{`open("rw/other/new", O_WRONLY|O_CREAT, 0600)`, "+"},
	{`open("rw", O_RDWR|O_TMPFILE, 0600)`, "- - EACCES - -"},
	{`mkdir("new", 0755)`, "EACCES EACCES EACCES - -"},
	{`mkdir("f", 0755)`, "EEXIST"},
	{`mkdir("rw/new", 0755)`, "-"},
	{`mknod("new", S_IFIFO|0600, 0)`, "EACCES EACCES EACCES - -"},
	{`mknod("new", S_IFREG|0600, 0)`, "EACCES EACCES EACCES EACCES -"},
	{`mknod("rw/new", S_IFCHR|0600, makedev(1, 3))`, "- EPERM EPERM - -"},
	{`symlink("x", "new")`, "EACCES EACCES EACCES - -"},
	{`unlink("f")`, "EACCES EACCES EACCES - -"},
	{`unlink("d")`, "EACCES EACCES EACCES EISDIR EISDIR"},
	{`unlink("none")`, "ENOENT"},
	{`unlink("imm")`, "EACCES EACCES EACCES EPERM EPERM"},
	{`unlink("rw/f")`, "-"},
	{`rmdir("d/empty")`, "EACCES EACCES EACCES - -"},
	{`rmdir("rw/sub")`, "ENOTEMPTY"},
	{`truncate("f", 0)`, "EACCES EACCES EACCES - -"},
	{`truncate("rw/f", 0)`, "-"},
	{`link("rw/f", "rw/new")`, "- - EACCES - -"},
	{`link("rw/f", "rw/sub/new")`, "- - EACCES EXDEV -"},
	{`link("f", "rw/new")`, "EXDEV EXDEV EACCES EXDEV -"},
	{`link("rw/f", "new")`, "EACCES EACCES EACCES EACCES -"},
	{`rename("rw/f", "rw/new")`, "- - EACCES - -"},
	{`rename("rw/f", "rw/sub/new")`, "- - EACCES EXDEV -"},
	{`rename("rw/f", "rw/other/new")`, "- - EXDEV EXDEV -"},
	{`rename("rw/other/f", "rw/new")`, "- - EACCES EXDEV -"},
	{`rename("rw/other/f", "rw/f")`, "- - EACCES EXDEV -"},
	{`rename("f", "rw/new")`, "EACCES EACCES EACCES EXDEV -"},
	{`rename("rw/f", "new")`, "EACCES EACCES EACCES EACCES -"},
	{`rename("rw/none", "new")`, "ENOENT"},
	{`rename("d/f", "new")`, "EACCES EACCES EACCES EACCES -"},
	{`rename("rw/sub", "rw/other/new")`, "- - EXDEV EXDEV -"},
	{`renameat2(AT_FDCWD, "rw/f", AT_FDCWD, "rw/other/f", RENAME_EXCHANGE)`, "- - EACCES EXDEV -"},
	{`chmod("f", 0600)`, "-"},
	{`setxattr("f", "user.x", "1", 1, 0)`, "-"},
	{`stat("f")`, "-"},
	{`access("f", W_OK)`, "-"},
	{`chdir("d")`, "-"},
	{`mount("none", "point", "tmpfs", 0, NULL)`, "EPERM EPERM EPERM EPERM -"},
	{`ftruncate(901, 0)`, "-"}, // it was opened before
	{`write(901, "x", 1)`, "-"},
}

func landlockABI() int {
	v, _, e := syscall.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1)
	if e != 0 {
		return 0
	}
	return int(v)
}

// TestKernelLandlock compares tasks with rulesets.
func TestKernelLandlock(t *testing.T) {
	dir, in := isolated(t)
	if !in {
		return
	}
	if abi := landlockABI(); abi < 5 {
		t.Skipf("this kernel's Landlock has ABI %d, the tables need 5", abi)
	}
	opened := func(l *lab) {
		l.LSMs = world.Given([]string{"capability", "landlock"}, l.at)
		l.open(901, "f", unix.O_RDWR)
	}
	eachFreshOf(t, dir, landlockFiles, landlockTasks, landlockCases, opened)
	eachFreshOf(t, dir, landlockFiles, []who{{name: "reads no file", caps: landlockRoot, landlock: []ruleset{{FS: lsm.FSReadFile}}}, {name: "reads no directory", caps: landlockRoot, landlock: []ruleset{{FS: lsm.FSReadDir}}}}, []row{
		{`open("d", O_RDWR|O_TMPFILE, 0600)`, "EACCES -"},
		{`open("d", O_RDONLY)`, "- EACCES"},
		{`open("f", O_RDONLY)`, "EACCES -"},
	}, opened)
}

var landlockCalls = []row{
	{`landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)`, "-"},
	{`landlock_create_ruleset(NULL, 8, LANDLOCK_CREATE_RULESET_VERSION)`, "EINVAL"},
	{`landlock_create_ruleset(NULL, 0, 64)`, "EINVAL"},
	{`landlock_create_ruleset(NULL, 8, 0)`, "EFAULT"},
	{`landlock_create_ruleset({handled_access_fs=LANDLOCK_ACCESS_FS_EXECUTE}, 7, 0)`, "EINVAL"},
	{`landlock_create_ruleset({handled_access_fs=LANDLOCK_ACCESS_FS_EXECUTE}, 4097, 0)`, "E2BIG"},
	{`landlock_create_ruleset({handled_access_fs=0}, 8, 0)`, "ENOMSG"},
	{`landlock_create_ruleset({handled_access_fs=0x10000}, 8, 0)`, "EINVAL"},
	{`landlock_create_ruleset({handled_access_fs=LANDLOCK_ACCESS_FS_EXECUTE}, 8, 0)`, "-"},
	{`landlock_create_ruleset({handled_access_fs=0, handled_access_net=LANDLOCK_ACCESS_NET_BIND_TCP}, 16, 0)`, "-"},
	{`landlock_create_ruleset({handled_access_fs=0, handled_access_net=4}, 16, 0)`, "EINVAL"},
	{`landlock_create_ruleset({handled_access_fs=0, handled_access_net=0, scoped=LANDLOCK_SCOPE_SIGNAL}, 24, 0)`, "-"},
	{`landlock_add_rule(99, LANDLOCK_RULE_PATH_BENEATH, {allowed_access=LANDLOCK_ACCESS_FS_EXECUTE, parent_fd=901}, 0)`, "EBADF"},
	{`landlock_add_rule(901, LANDLOCK_RULE_PATH_BENEATH, {allowed_access=LANDLOCK_ACCESS_FS_EXECUTE, parent_fd=901}, 0)`, "EBADFD"},
	{`landlock_add_rule(901, LANDLOCK_RULE_PATH_BENEATH, {allowed_access=LANDLOCK_ACCESS_FS_EXECUTE, parent_fd=901}, 1)`, "EINVAL"},
	{`landlock_restrict_self(99, 0)`, "EBADF EPERM EPERM"},
	{`landlock_restrict_self(901, 0)`, "EBADFD EPERM EPERM"},
	{`landlock_restrict_self(901, 8)`, "EINVAL EPERM EPERM"},
}

// TestKernelLandlockCalls compares the calls that make rulesets.
func TestKernelLandlockCalls(t *testing.T) {
	dir, in := isolated(t)
	if !in {
		return
	}
	if abi := landlockABI(); abi < 6 {
		t.Skipf("this kernel's Landlock has ABI %d, the table needs 6", abi)
	}
	l := newLab(t, dir, landlockFiles)
	l.LSMs = world.Given([]string{"capability", "landlock"}, l.at)
	l.open(901, "f", unix.O_RDWR)
	l.run([]who{{name: "root", caps: landlockRoot}, {name: "root without capabilities"}, {name: "user", uid: 1000, gid: 1000}}, landlockCalls)
}

package explain_test

import (
	"os"
	"strconv"
	"testing"

	"syscallstory/world"
)

var procTasks = []who{
	{name: "root", caps: dacCaps},
	{name: "root without capabilities"},
	{name: "user", uid: 1000, gid: 1000},
	{name: "user with all capabilities", uid: 1000, gid: 1000, caps: world.AllCaps &^ world.Caps(24)},
	{name: "user in group 0", uid: 1000, gid: 1000, groups: []uint32{0}},
	{name: "root inside", uid: 100000, gid: 100000, caps: world.AllCaps, ns: 1},
}

// procCases: root, root without capabilities, user, the same with all capabilities, in group 0, root of a user namespace that
// owns neither network nor IPC.
var procCases = []row{
	{`open("proc", O_RDONLY)`, "-"},
	{`open("proc/version", O_RDONLY)`, "-"},
	{`open("proc/version", O_WRONLY)`, "- EACCES EACCES - EACCES EACCES"},
	{`open("proc/none", O_RDONLY)`, "ENOENT"},
	{`open("proc/new", O_WRONLY|O_CREAT, 0600)`, "ENOENT"}, // the lookup itself says so,
	{`mkdir("proc/new", 0700)`, "ENOENT"},
	{`open("proc/sys", O_RDONLY)`, "-"},
	{`open("proc/sys/kernel/hostname", O_RDONLY)`, "-"},
	{`open("proc/sys/kernel/hostname", O_WRONLY)`, "- - EACCES EACCES EACCES EACCES"}, // the uid counts, not capabilities
	{`open("proc/sys/kernel/ostype", O_WRONLY)`, "EACCES"},
	{`open("proc/sys/kernel/pid_max", O_WRONLY)`, "- - EACCES - EACCES EACCES"},
	{`open("proc/sys/vm/swappiness", O_RDWR)`, "- - EACCES EACCES EACCES EACCES"},
	{`access("proc/sys/kernel/hostname", W_OK)`, "- - EACCES EACCES EACCES EACCES"},
	{`access("proc/sys/kernel/hostname", X_OK)`, "EACCES"},
	{`open("proc/sys/net/core/somaxconn", O_WRONLY)`, "- - EACCES - EACCES EACCES"}, // CAP_NET_ADMIN
	{`open("proc/sys/net/ipv4/ip_forward", O_WRONLY)`, "- - EACCES - EACCES EACCES"},
	{`open("proc/sys/kernel/shmmax", O_WRONLY)`, "- - EACCES EACCES EACCES EACCES"},
	{`open("proc/sys/user/max_user_namespaces", O_RDONLY)`, "-"},
	{`open("proc/sys/user/max_user_namespaces", O_WRONLY)`, "EACCES EACCES EACCES EACCES EACCES -"}, // CAP_SYS_RESOURCE
	{`open("proc/sys/kernel/none", O_RDONLY)`, "ENOENT"},
	{`open("proc/sys/kernel/new", O_WRONLY|O_CREAT, 0600)`, "ENOENT"},
	{`open("proc/self/status", O_RDONLY)`, "-"},
	{`open("proc/self/fd", O_RDONLY)`, "-"}, // their own, whatever its mode
	{`open("proc/1/status", O_RDONLY)`, "-"},
	{`getxattr("proc/version", "user.a", 0x1000, 0)`, "EOPNOTSUPP"},
	{`name_to_handle_at(AT_FDCWD, "proc/version", {handle_bytes=0}, 0x1000, 0)`, "EOPNOTSUPP"},
	{`ioctl(901, FS_IOC_GETFLAGS, [0])`, "ENOTTY"},
	{`write(902, "x", 1)`, "EBADF"},
}

// TestKernelProc compares the permissions of proc's parts.
func TestKernelProc(t *testing.T) {
	dir, in := isolated(t)
	if !in {
		return
	}
	l := newLab(t, dir, "dir . 755 0:0\ndir proc 755 0:0")
	l.pseudo("proc", "proc")
	pid, err := os.Readlink("/proc/self")
	l.must(err)
	l.Task.PID, err = strconv.Atoi(pid)
	l.must(err)
	l.Task.NS = l.InitialNamespaces(l.at)
	l.open(901, "proc/version", 0)
	l.open(902, "proc/sys/kernel/hostname", 0)
	l.child(100000, 65536, false)
	l.run(procTasks, procCases)
}

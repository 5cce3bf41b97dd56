package explain_test

import (
	"testing"

	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/world"
)

var idTasks = []who{
	{name: "root", caps: dacCaps | setters | netRaw},
	{name: "root without capabilities"},
	{name: "uid 1000", uid: 1000, gid: 1000},
	{name: "uid 1000 with capabilities, ambient", uid: 1000, gid: 1000, caps: setters | netRaw, more: &credentials{Inheritable: netRaw, Ambient: netRaw}},
	{name: "effective 1000, real 1001, saved 1002", uid: 1000, gid: 1000, real: &[2]uint32{1001, 1001}, more: &credentials{Saved: &[2]uint32{1002, 1002}}},
	{name: "effective 1000, real root, saved root", uid: 1000, gid: 1000, real: &[2]uint32{0, 0}, caps: netRaw, more: &credentials{Saved: &[2]uint32{0, 0}}},
	{name: "root with KEEP_CAPS", caps: setters | netRaw, more: &credentials{Securebits: cred.KeepCaps}},
	{name: "root with NO_SETUID_FIXUP", caps: setters | netRaw, more: &credentials{Securebits: cred.NoSetuidFixup}},
	{name: "root with other ids for files", caps: setters | netRaw | dacCaps, more: &credentials{Files: &[2]uint32{1000, 1000}}},
}

// idCases: the order of the tasks is root, root without capabilities, uid 1000, with capabilities, three ids, saved root,
// KEEP_CAPS, NO_SETUID_FIXUP, other ids for files.
var idCases = []row{
	{`setuid(0)`, "- - EPERM - EPERM - - - -"},
	{`setuid(1000)`, "- EPERM - - EPERM EPERM - - -"},
	{`setuid(1001)`, "- EPERM EPERM - - EPERM - - -"},
	{`setuid(1002)`, "- EPERM EPERM - - EPERM - - -"},
	{`setuid(-1)`, "EINVAL"},
	{`setreuid(-1, -1)`, "-"},
	{`setreuid(1000, -1)`, "- EPERM - - - - - - -"},
	{`setreuid(-1, 1000)`, "- EPERM - - - - - - -"},
	{`setreuid(1000, 1001)`, "- EPERM EPERM - - EPERM - - -"},
	{`setreuid(1001, 1002)`, "- EPERM EPERM - - EPERM - - -"},
	{`setreuid(0, 1000)`, "- EPERM EPERM - EPERM - - - -"},
	{`setresuid(-1, -1, -1)`, "-"},
	{`setresuid(-1, 1000, -1)`, "- EPERM - - - - - - -"},
	{`setresuid(1001, 1002, 1000)`, "- EPERM EPERM - - EPERM - - -"},
	{`setresuid(1002, 1002, 1002)`, "- EPERM EPERM - - EPERM - - -"},
	{`setresuid(0, 0, 0)`, "- - EPERM - EPERM - - - -"},
	{`setresuid(-1, 1001, 0)`, "- EPERM EPERM - EPERM EPERM - - -"},
	{`setfsuid(0)`, "-"},
	{`setfsuid(1000)`, "-"},
	{`setfsuid(1001)`, "-"},
	{`setfsuid(5000)`, "-"},
	{`setfsuid(-1)`, "-"},
	{`setgid(0)`, "- - EPERM - EPERM - - - -"},
	{`setgid(1000)`, "- EPERM - - EPERM EPERM - - -"},
	{`setgid(1002)`, "- EPERM EPERM - - EPERM - - -"},
	{`setregid(1001, 1002)`, "- EPERM EPERM - - EPERM - - -"},   // the saved one may become the effective one
	{`setregid(1002, -1)`, "- EPERM EPERM - EPERM EPERM - - -"}, // but not the real one
	{`setregid(-1, 1001)`, "- EPERM EPERM - - EPERM - - -"},
	{`setresgid(1002, 1001, 1000)`, "- EPERM EPERM - - EPERM - - -"},
	{`setresgid(-1, -1, -1)`, "-"},
	{`setfsgid(0)`, "-"},
	{`setfsgid(1001)`, "-"},
	{`setgroups(2, [10, 3])`, "- EPERM EPERM - EPERM EPERM - - -"},
	{`setgroups(0, [])`, "- EPERM EPERM - EPERM EPERM - - -"},
	{`setgroups(0, NULL)`, "- EPERM EPERM - EPERM EPERM - - -"},
	{`setgroups(65537, [])`, "EINVAL EPERM EPERM EINVAL EPERM EPERM EINVAL EINVAL EINVAL"}, // EPERM before EINVAL
	{`setgroups(-1, [])`, "EINVAL EPERM EPERM EINVAL EPERM EPERM EINVAL EINVAL EINVAL"},
	{`setgroups(1, NULL)`, "EFAULT EPERM EPERM EFAULT EPERM EPERM EFAULT EFAULT EFAULT"},
	{`setgroups(1, [-1])`, "EINVAL EPERM EPERM EINVAL EPERM EPERM EINVAL EINVAL EINVAL"},
}

// TestKernelIDs compares table, model and kernel: the errno, and what ids and capability sets are afterwards.
func TestKernelIDs(t *testing.T) {
	if dir, ok := isolated(t); ok {
		newLab(t, dir, "").runCreds(idTasks, idCases)
	}
}

// TestKernelIDsUserNS: ids of a user namespace that maps 0 to 1999.
func TestKernelIDsUserNS(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	l := newLab(t, dir, "")
	l.child(100000, 2000, false)
	l.runCreds([]who{
		{name: "root inside", uid: 100000, gid: 100000, caps: world.AllCaps, ns: 1},
		{name: "uid 1000 inside", uid: 101000, gid: 101000, ns: 1},
		{name: "uid 1000 inside with CAP_SETUID", uid: 101000, gid: 101000, caps: setters, ns: 1},
	}, []row{
		{`setuid(0)`, "- EPERM -"},
		{`setuid(1000)`, "-"},
		{`setuid(1999)`, "- EPERM -"},
		{`setuid(2000)`, "EINVAL"}, // it has no mapping
		{`setresuid(1000, 2000, -1)`, "EINVAL"},
		{`setgid(2000)`, "EINVAL"},
		{`setfsuid(2000)`, "-"},
		{`setgroups(1, [1999])`, "- EPERM -"},
		{`setgroups(1, [2000])`, "EINVAL EPERM EINVAL"},
	})
}

var capsetTasks = []who{
	{name: "root", caps: dacCaps | setters},
	{name: "idle root", idle: dacCaps | setters},
	{name: "uid 1000", uid: 1000, gid: 1000},
	{name: "uid 1000 with two", uid: 1000, gid: 1000, caps: netRaw, idle: netAdmin, more: &credentials{Inheritable: netRaw, Ambient: netRaw}},
	{name: "CAP_SETPCAP and a small bounding set", uid: 1000, gid: 1000, caps: world.Caps(kernel.CapSetpcap), more: &credentials{Dropped: world.AllCaps &^ setters}},
	{name: "locked", caps: setters, more: &credentials{Securebits: cred.KeepCaps<<1 | cred.NoRoot | cred.NoRoot<<1 | cred.NoCapAmbientRaise, Inheritable: netRaw | setters}},
}

// capsetCases: the order of the tasks is root, idle root, uid 1000, with two, CAP_SETPCAP, locked.
var capsetCases = []row{
	{`capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=0, permitted=0, inheritable=0})`, "-"},
	{`capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=0, permitted=1<<CAP_NET_RAW, inheritable=0})`, "EPERM EPERM EPERM - EPERM EPERM"},
	{`capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_NET_ADMIN, permitted=1<<CAP_NET_ADMIN, inheritable=1<<CAP_NET_ADMIN})`, "EPERM EPERM EPERM - EPERM EPERM"},
	{`capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_NET_ADMIN, permitted=1<<CAP_NET_RAW, inheritable=0})`, "EPERM"},
	{`capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=0, permitted=0, inheritable=1<<CAP_SETUID})`, "- - EPERM EPERM - -"},
	{`capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=0, permitted=0, inheritable=1<<CAP_SYS_BOOT})`, "- EPERM EPERM EPERM EPERM -"},
	{`capset({version=_LINUX_CAPABILITY_VERSION_2, pid=0}, {effective=0, permitted=0, inheritable=0})`, "-"},
	{`capset({version=_LINUX_CAPABILITY_VERSION_1, pid=0}, {effective=1<<CAP_BPF, permitted=1<<CAP_BPF, inheritable=0})`, "-"}, // the high half does not count
	{`capset({version=7, pid=0}, {effective=0, permitted=0, inheritable=0})`, "EINVAL"},
	{`capset({version=_LINUX_CAPABILITY_VERSION_3, pid=1}, {effective=0, permitted=0, inheritable=0})`, "EPERM"},
	{`capset({version=_LINUX_CAPABILITY_VERSION_3, pid=-1}, {effective=0, permitted=0, inheritable=0})`, "EPERM"},
	{`capset(NULL, {effective=0, permitted=0, inheritable=0})`, "EFAULT"},
	{`capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, NULL)`, "EFAULT"},
	{`capset({version=_LINUX_CAPABILITY_VERSION_3, pid=1}, NULL)`, "EPERM"}, // the pid comes first
	{`capset({version=7, pid=0}, NULL)`, "EINVAL"},
	{`prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT)`, "- EPERM EPERM EPERM - -"},
	{`prctl(PR_CAPBSET_DROP, 64)`, "EINVAL EPERM EPERM EPERM EINVAL EINVAL"}, // EPERM before EINVAL
	{`prctl(PR_SET_KEEPCAPS, 1)`, "- - - - - EPERM"},
	{`prctl(PR_SET_KEEPCAPS, 2)`, "EINVAL"},
	{`prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS)`, "- EPERM EPERM EPERM - EPERM"},
	{`prctl(PR_SET_SECUREBITS, 0)`, "- EPERM EPERM EPERM - EPERM"},
	{`prctl(PR_SET_SECUREBITS, 0x1000)`, "EPERM"},
	{`prctl(PR_SET_SECUREBITS, SECBIT_NOROOT|SECBIT_NOROOT_LOCKED|SECBIT_KEEP_CAPS_LOCKED)`, "- EPERM EPERM EPERM - -"},
	{`prctl(PR_SET_SECUREBITS, SECBIT_EXEC_RESTRICT_FILE)`, "- - - - - EPERM"}, // since 6.14 these are free
	{`prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0)`, "EPERM EPERM EPERM - EPERM EPERM"},
	{`prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SETUID, 0, 0)`, "EPERM"},
	{`prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 99, 0, 0)`, "EINVAL"},
	{`prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 1, 0)`, "EINVAL"},
	{`prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_NET_RAW, 0, 0)`, "-"},
	{`prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_RAW, 0, 0)`, "-"},
	{`prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)`, "-"},
	{`prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0)`, "EINVAL"},
	{`prctl(PR_CAP_AMBIENT, 9, 1, 0, 0)`, "EINVAL"},
	{`prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)`, "-"},
	{`prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)`, "EINVAL"},
	{`prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0)`, "EINVAL"},
	{`prctl(PR_SET_PDEATHSIG, 65)`, "EINVAL"},
	{`prctl(PR_SET_NAME, "worker")`, "-"},
}

// TestKernelCapset compares capset and the options of prctl that change credentials.
func TestKernelCapset(t *testing.T) {
	if dir, ok := isolated(t); ok {
		newLab(t, dir, "").runCreds(capsetTasks, capsetCases)
	}
}

// filterCases: the order of the tasks is root, idle root, uid 1000. None of the filters is installed.
var filterCases = []row{
	{`seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL)`, "EFAULT"},
	{`seccomp(SECCOMP_SET_MODE_FILTER, 0x100, NULL)`, "EINVAL"},
	{`seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=0, filter=0x8})`, "EINVAL"},
	{`seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=4097, filter=0x8})`, "EINVAL"},
	{`seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=1, filter=0x8})`, "EFAULT EACCES EACCES"}, // EACCES, not EPERM
	{`seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL)`, "EINVAL"},
	{`seccomp(SECCOMP_GET_NOTIF_SIZES, 1, NULL)`, "EINVAL"},
	{`seccomp(9, 0, NULL)`, "EINVAL"},
	{`prctl(PR_SET_SECCOMP, 7, 0)`, "EINVAL"},
	{`prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, {len=1, filter=0x8})`, "EFAULT EACCES EACCES"},
	{`prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0)`, "EFAULT"},
	{`capget({version=7, pid=0}, NULL)`, "-"},
	{`capget({version=_LINUX_CAPABILITY_VERSION_3, pid=-1}, {})`, "EINVAL"},
	{`capget({version=7, pid=0}, {})`, "EINVAL"},
	{`umask(022)`, "-"},
	{`personality(0xffffffff)`, "-"},
}

// TestKernelFilterInstall compares the order of checks of a filter that is to be installed.
func TestKernelFilterInstall(t *testing.T) {
	if dir, ok := isolated(t); ok {
		newLab(t, dir, "").run([]who{{name: "root", caps: world.Caps(kernel.CapSysAdmin)}, {name: "idle root", idle: world.Caps(kernel.CapSysAdmin)}, {name: "uid 1000", uid: 1000, gid: 1000}}, filterCases)
	}
}

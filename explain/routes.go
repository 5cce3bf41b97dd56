package explain

import (
	"maps"
	"slices"

	"syscallstory/check"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Route decides a call behind seccomp, in the order of the kernel's function.
type Route func(c *check.Check, call *syscalls.Call) story.Errno

var routes = map[string]Route{
	"open": open, "openat": openat, "openat2": openat2, "creat": creat,
	"stat": stat, "lstat": lstat, "fstat": fstat, "newfstatat": newfstatat, "statx": statx,
	"access": access, "faccessat": faccessat, "faccessat2": faccessat2,
	"close": closeFD,
	"mkdir": mkdir, "mkdirat": mkdirat, "mknod": mknod, "mknodat": mknodat, "symlink": symlink, "symlinkat": symlinkat, "link": link, "linkat": linkat,
	"unlink": unlink, "unlinkat": unlinkat, "rmdir": rmdir, "rename": rename, "renameat": renameat, "renameat2": renameat2,
	"chmod": chmod, "fchmod": fchmod, "fchmodat": fchmodat, "fchmodat2": fchmodat2, "chown": chown, "lchown": lchown, "fchown": fchown, "fchownat": fchownat,
	"utimensat": utimensat, "truncate": truncate, "ftruncate": ftruncate, "chdir": chdir, "fchdir": fchdir, "chroot": chroot,
	"unshare": unshare, "setns": setns, "clone": clone, "clone3": clone3, "fork": fork, "vfork": fork, "sethostname": hostname, "setdomainname": hostname,
	"write":  write,
	"socket": socket, "socketpair": socketpair, "bind": bind, "connect": connect, "listen": listen, "accept": accept, "accept4": accept4, "setsockopt": setsockopt,
	"readlink": readlink, "readlinkat": readlinkat, "mount": mountCall, "umount2": umount2,
	"execve": execve, "execveat": execveat, "setuid": setuid, "setreuid": setreuid, "setresuid": setresuid, "setfsuid": setfsuid, "setgid": setgid,
	"setregid": setregid, "setresgid": setresgid, "setfsgid": setfsgid, "setgroups": setgroups, "capset": capset, "capget": capget, "prctl": prctl, "seccomp": seccompCall,
	"umask": umask,
}

// add gives a family of calls its routes.
func add(family map[string]Route) bool {
	for name, r := range family {
		if routes[name] != nil {
			panic("explain: " + name + " has two routes")
		}
		routes[name] = r
	}
	return true
}

// Routed reports whether a call has a route.
func Routed(name string) bool { return routes[name] != nil }

// Routes lists the calls that have a route.
func Routes() []string { return slices.Sorted(maps.Keys(routes)) }

func dfd(a *syscalls.Arg) int { return int(int32(a.Val)) }

func isNull(a *syscalls.Arg) bool { return a.Fault && a.Val == 0 }

func at(dfd int, a *syscalls.Arg) vfs.Target {
	return vfs.Target{DFD: dfd, Path: a.Str, Null: a.Fault}
}

func cwd(a *syscalls.Arg) vfs.Target { return at(namei.AtFDCWD, a) }

func fd(a *syscalls.Arg) vfs.Target { return vfs.Target{DFD: dfd(a), FD: true} }

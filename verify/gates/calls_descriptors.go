package gates

import (
	"fmt"
	"strings"
)

// moreDescriptorCalls are further calls on what is open.
var moreDescriptorCalls = family{
	"write": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("write(%s, %s)", g.fd(t), pick(g, `"x", 1`, `"x", 1`, "NULL, 1", "NULL, 0"))
	}},
	"readv":  {1, func(g *gen, t *Task) string { return fmt.Sprintf("readv(%s, NULL, 0)", g.fd(t)) }},
	"writev": {1, func(g *gen, t *Task) string { return fmt.Sprintf("writev(%s, NULL, 0)", g.fd(t)) }},
	"preadv": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("preadv(%s, NULL, 0, %s)", g.fd(t), pick(g, "0", "-1"))
	}},
	"pwritev": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("pwritev(%s, NULL, 0, %s)", g.fd(t), pick(g, "0", "-1"))
	}},
	"dup2": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("dup2(%s, %s)", g.fd(t), pick(g, "30", "-1", g.fd(t)))
	}},
	"dup3": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("dup3(%s, %s, %s)", g.fd(t), pick(g, "30", "-1", g.fd(t)), pick(g, "0", "O_CLOEXEC", "1"))
	}},
	"getdents":  {1, func(g *gen, t *Task) string { return fmt.Sprintf("getdents(%s, 0x1000, 1024)", g.fd(t)) }},
	"fdatasync": {1, func(g *gen, t *Task) string { return fmt.Sprintf("fdatasync(%s)", g.fd(t)) }},
	"syncfs":    {1, func(g *gen, t *Task) string { return fmt.Sprintf("syncfs(%s)", g.fd(t)) }},
	"copy_file_range": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("copy_file_range(%s, NULL, %s, NULL, %s, %s)", g.fd(t), g.fd(t), pick(g, "0", "4"), pick(g, "0", "0", "0", "1"))
	}},
	"sendfile": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("sendfile(%s, %s, NULL, %s)", g.fd(t), g.fd(t), pick(g, "0", "1"))
	}},
	"utime": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("utime(%s, %s)", g.path(t), pick(g, "NULL", "{actime=1, modtime=1}"))
	}},
	"futimesat": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("futimesat(%s, %s, %s)", g.at(t), pick(g, g.path(t), "NULL"), pick(g, "NULL", "[{tv_sec=0, tv_usec=0}, {tv_sec=0, tv_usec=0}]", "[{tv_sec=0, tv_usec=1000000}, {tv_sec=0, tv_usec=0}]"))
	}},
	"open_by_handle_at": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("open_by_handle_at(%s, %s, %s)", pick(g, g.at(t), g.fd(t)), pick(g, "{handle_bytes=0}", "{handle_bytes=129}", "NULL", "{handle_bytes=8, handle_type=1}"), pick(g, "O_RDONLY", "O_RDONLY|O_DIRECTORY"))
	}},
	"inotify_add_watch": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("inotify_add_watch(%s, %s, %s)", g.fd(t), g.path(t), pick(g, "IN_OPEN", "IN_OPEN|IN_ONLYDIR", "0", "IN_MASK_ADD|IN_MASK_CREATE"))
	}},
	"fanotify_mark": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("fanotify_mark(%s, FAN_MARK_ADD, FAN_OPEN, %s, %s)", g.fd(t), g.at(t), g.path(t))
	}},
	"setxattrat": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("setxattrat(%s, %s, %s, %s, {value=\"v\", size=1, flags=%s}, %s)", g.at(t), g.path(t), g.xattrAt(), g.xattr(), g.xattrFlags(), g.xattrSize())
	}},
	"getxattrat": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("getxattrat(%s, %s, %s, %s, {value=\"\", size=0, flags=%s}, %s)", g.at(t), g.path(t), g.xattrAt(), g.xattr(), pick(g, "0", "0", "0", "XATTR_CREATE"), g.xattrSize())
	}},
	"listxattrat": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("listxattrat(%s, %s, %s, 0x1000, 0)", g.at(t), g.path(t), g.xattrAt())
	}},
	"removexattrat": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("removexattrat(%s, %s, %s, %s)", g.at(t), g.path(t), g.xattrAt(), g.xattr())
	}},
	"file_getattr": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("file_getattr(%s, %s, {fa_xflags=0}, %s, %s)", g.at(t), g.path(t), pick(g, "24", "24", "8"), g.xattrAt())
	}},
	"file_setattr": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("file_setattr(%s, %s, {fa_xflags=%s}, %s, %s)", g.at(t), g.path(t), pick(g, "0", "0", "FS_XFLAG_IMMUTABLE", "FS_XFLAG_APPEND", "FS_XFLAG_NODUMP", "4"), pick(g, "24", "24", "24", "8"), g.xattrAt())
	}},
}

func (g *gen) xattrAt() string {
	return pick(g, "0", "0", "AT_SYMLINK_NOFOLLOW", "AT_EMPTY_PATH", "AT_REMOVEDIR")
}

func (g *gen) xattrSize() string { return pick(g, "16", "16", "16", "16", "8", "5000") }

// moreMountCalls are the mount API of descriptors.
var moreMountCalls = family{
	"mount_setattr": {3, func(g *gen, t *Task) string {
		return fmt.Sprintf("mount_setattr(%s, %s, %s, {%s}, %s)", g.at(t), g.place(t), pick(g, "0", "0", "AT_RECURSIVE", "1"), pick(g, "attr_set=MOUNT_ATTR_RDONLY", "attr_set=MOUNT_ATTR_NOSUID", "attr_clr=MOUNT_ATTR_RDONLY", "attr_clr=MOUNT_ATTR_NOSUID|MOUNT_ATTR_NODEV", "",
			"propagation=MS_SLAVE", "propagation=MS_SLAVE|MS_SHARED", "attr_set=0x1000000", "attr_set=MOUNT_ATTR_NOATIME", "attr_set=MOUNT_ATTR_NOATIME, attr_clr=MOUNT_ATTR__ATIME", "attr_clr=MOUNT_ATTR_IDMAP", "attr_set=MOUNT_ATTR_IDMAP, userns_fd="+g.nsfd(t)), pick(g, "32", "32", "32", "16", "5000"))
	}},
	"open_tree_attr": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("open_tree_attr(%s, %s, %s, {%s}, 32)", g.at(t), g.place(t), pick(g, "OPEN_TREE_CLONE", "OPEN_TREE_CLONE", "0", "4"), pick(g, "attr_set=MOUNT_ATTR_RDONLY", "attr_set=MOUNT_ATTR_NOSUID", "", "attr_set=0x1000000", "attr_set=MOUNT_ATTR_IDMAP, userns_fd="+g.nsfd(t)))
	}},
	"fspick": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("fspick(%s, %s, %s)", g.at(t), g.place(t), pick(g, "0", "0", "FSPICK_CLOEXEC", "FSPICK_SYMLINK_NOFOLLOW", "16"))
	}},
	"fsconfig": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("fsconfig(%s, %s)", g.context(t), pick(g, "FSCONFIG_CMD_CREATE, NULL, NULL, 0", "FSCONFIG_CMD_CREATE, NULL, NULL, 0", `FSCONFIG_CMD_CREATE, "x", NULL, 0`, "FSCONFIG_SET_FLAG, NULL, NULL, 0", "77, NULL, NULL, 0",
			`FSCONFIG_SET_STRING, "mode", "755", 0`, `FSCONFIG_SET_STRING, "nosuch", "1", 0`, `FSCONFIG_SET_FLAG, "ro", NULL, 0`, "FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0"))
	}},
	"fsmount": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("fsmount(%s, %s, %s)", g.context(t), pick(g, "0", "0", "FSMOUNT_CLOEXEC", "2"), pick(g, "0", "0", "MOUNT_ATTR_NOSUID", "MOUNT_ATTR_IDMAP"))
	}},
	"statmount": {1, func(g *gen, t *Task) string {
		return "statmount(" + pick(g, "NULL, 0x1000, 100, 0", "{size=8, mnt_id=0, param=0}, 0x1000, 100, 0", "{size=24, mnt_id=0, param=0}, 0x1000, 100, 1", "{size=5000, mnt_id=0, param=0}, 0x1000, 100, 0") + ")"
	}},
	"listmount": {1, func(g *gen, t *Task) string {
		return "listmount(" + pick(g, "NULL, 0x1000, 10, 0", "{size=8, mnt_id=0, param=0}, 0x1000, 10, 0", "{size=24, mnt_id=0, param=0}, 0x1000, 10, 0xf0", "{size=24, mnt_id=0xffffffffffffffff, param=0}, 0x1000, 0, 0") + ")"
	}},
}

// nsfd is a descriptor of a user namespace, or another one.
func (g *gen) nsfd(t *Task) string {
	if n := g.openAs(t, func(f *FD) bool { return f.NS != "" }); n >= 0 && !g.one(4) {
		return fmt.Sprint(n)
	}
	return strings.ReplaceAll(g.anyFD(t), "-1", "9")
}

// context is a descriptor of a filesystem that is being set up, or another one.
func (g *gen) context(t *Task) string {
	if n := g.openAs(t, func(f *FD) bool { return f.Context != "" }); n >= 0 && !g.one(4) {
		return fmt.Sprint(n)
	}
	return g.anyFD(t)
}

// moreSocketCalls are made on sockets that are there.
var moreSocketCalls = family{
	"socketpair": {1, func(g *gen, t *Task) string {
		return "socketpair(" + pick(g, "AF_UNIX, SOCK_STREAM, 0", "AF_INET, SOCK_STREAM, 0", "AF_UNIX, SOCK_STREAM|0x10, 0", "AF_INET, SOCK_RAW, 1", "AF_UNSPEC, SOCK_STREAM, 0", "AF_UNIX, SOCK_RDM, 0") + ")"
	}},
	"bind": {4, func(g *gen, t *Task) string {
		port := pick(g, "80", "1023", "1024", "2000", "0")
		return fmt.Sprintf("bind(%s, %s)", g.socket(t), pick(g, "{sa_family=AF_INET, sin_port=htons("+port+"), sin_addr=inet_addr(\""+pick(g, "127.0.0.1", "0.0.0.0")+"\")}, "+pick(g, "16", "16", "16", "15", "-1", "129"),
			"{sa_family=AF_INET6, sin6_port=htons("+port+"), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, \""+pick(g, "::", "::1")+"\", &sin6_addr), sin6_scope_id=0}, 28", "{sa_family=AF_UNIX, sun_path="+g.path(t)+"}, 110",
			"{sa_family=AF_UNIX, sun_path="+g.path(t)+"}, 110", "{sa_family=AF_UNSPEC}, 16", "NULL, 16", "{sa_family=AF_UNIX, sun_path=@\"story\"}, 8", "{sa_family=AF_NETLINK, nl_pid=0, nl_groups="+pick(g, "0", "1")+"}, "+pick(g, "11", "12")))
	}},
	"connect": {3, func(g *gen, t *Task) string {
		return fmt.Sprintf("connect(%s, %s)", g.unixSocket(t), pick(g, "{sa_family=AF_UNIX, sun_path="+g.path(t)+"}, 110", "{sa_family=AF_UNIX, sun_path="+g.path(t)+"}, 110", "{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"127.0.0.1\")}, 16", "NULL, 16", "{sa_family=AF_UNIX, sun_path=\"/w/a\"}, 2"))
	}},
	"accept": {1, func(g *gen, t *Task) string { return fmt.Sprintf("accept(%s, NULL, NULL)", g.socket(t)) }},
	"accept4": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("accept4(%s, NULL, NULL, %s)", g.socket(t), pick(g, "0", "1"))
	}},
	"listen": {1, func(g *gen, t *Task) string { return fmt.Sprintf("listen(%s, 5)", g.socket(t)) }},
	"setsockopt": {8, func(g *gen, t *Task) string {
		return fmt.Sprintf("setsockopt(%s, %s)", g.socket(t), pick(g, g.socketOption(), g.socketOption(), g.socketOption(), "SOL_SOCKET, SO_REUSEADDR, [1], 4", "SOL_SOCKET, SO_TYPE, [1], 4", "SOL_SOCKET, SO_MARK, [1], 4", "SOL_SOCKET, SO_MARK, [1], 4", "SOL_SOCKET, SO_PRIORITY, [7], 4",
			"SOL_SOCKET, SO_DEBUG, [1], 4", "SOL_SOCKET, SO_SNDBUFFORCE, [100000], 4", "SOL_SOCKET, SO_RCVBUFFORCE, [100000], 4", "SOL_SOCKET, SO_BINDTODEVICE, \"lo\", 3", "SOL_SOCKET, SO_BINDTOIFINDEX, [1], 4",
			"SOL_IP, IP_TRANSPARENT, [1], 4", "SOL_IPV6, IPV6_TRANSPARENT, [1], 4", "SOL_IPV6, IPV6_HOPOPTS, NULL, 0", "SOL_TCP, TCP_REPAIR, [0], 4", "SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, [1], 4"))
	}},
	"getsockopt": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("getsockopt(%s, %s, NULL, NULL)", g.socket(t), pick(g, "SOL_SOCKET, SO_TYPE", "SOL_SOCKET, SO_ERROR", "SOL_SOCKET, SO_PEERCRED", "SOL_SOCKET, 999"))
	}},
}

// socketOption is an option that asks for no capability, with a value at the edges of those that it takes.
func (g *gen) socketOption() string {
	option := pick(g, "SOL_SOCKET, SO_LINGER", "SOL_SOCKET, SO_KEEPALIVE", "SOL_SOCKET, SO_ZEROCOPY", "SOL_SOCKET, SO_PASSCRED", "SOL_SOCKET, SO_REUSEPORT", "SOL_SOCKET, SO_PEERCRED", "SOL_SOCKET, SO_BUF_LOCK", "SOL_SOCKET, SO_TIMESTAMP", "SOL_SOCKET, 999",
		"SOL_IP, IP_TTL", "SOL_IP, IP_TOS", "SOL_IP, IP_HDRINCL", "SOL_IP, IP_MULTICAST_TTL", "SOL_IP, IP_MULTICAST_ALL", "SOL_IP, IP_MTU_DISCOVER", "SOL_IP, IP_MINTTL", "SOL_IP, IP_FREEBIND", "SOL_IP, IP_RECVFRAGSIZE", "SOL_IP, IP_MTU",
		"SOL_IPV6, IPV6_V6ONLY", "SOL_IPV6, IPV6_UNICAST_HOPS", "SOL_IPV6, IPV6_MULTICAST_HOPS", "SOL_IPV6, IPV6_TCLASS", "SOL_IPV6, IPV6_MTU", "SOL_IPV6, IPV6_DONTFRAG", "SOL_IPV6, IPV6_RECVPKTINFO", "SOL_IPV6, IPV6_MTU_DISCOVER",
		"SOL_TCP, TCP_NODELAY", "SOL_TCP, TCP_MAXSEG", "SOL_TCP, TCP_KEEPIDLE", "SOL_TCP, TCP_KEEPCNT", "SOL_TCP, TCP_SYNCNT", "SOL_TCP, TCP_USER_TIMEOUT", "SOL_TCP, TCP_FASTOPEN", "SOL_TCP, TCP_THIN_DUPACK", "SOL_TCP, TCP_SAVE_SYN", "SOL_TCP, TCP_INFO",
		"SOL_UDP, UDP_CORK", "SOL_UDP, UDP_SEGMENT", "SOL_NETLINK, NETLINK_EXT_ACK")
	return option + ", " + pick(g, "[1], 4", "[1], 4", "[0], 4", "[-1], 4", "[2], 4", "[6], 4", "[87], 4", "[88], 4", "[127], 4", "[128], 4", "[255], 4", "[256], 4", "[1279], 4", "[1280], 4", "[32767], 4", "[32768], 4", "[65536], 4", "[1], 8", "[255], 1", "[1], 3", "[1], 0", "NULL, 4", "NULL, 0", "0x10, 4", "[1], -1")
}

// socket is a descriptor of a socket, or another one.
func (g *gen) socket(t *Task) string {
	if n := g.openAs(t, func(f *FD) bool { return f.Socket != nil }); n >= 0 && !g.one(6) {
		return fmt.Sprint(n)
	}
	return g.anyFD(t)
}

func (g *gen) unixSocket(t *Task) string {
	if n := g.openAs(t, func(f *FD) bool { return f.Socket != nil && f.Socket.Family == 1 }); n >= 0 && !g.one(6) {
		return fmt.Sprint(n)
	}
	return pick(g, "9", "-1", "7")
}

// moreCredentialCalls change the task's own credentials or read them.
var moreCredentialCalls = family{
	"setfsuid": {1, func(g *gen, t *Task) string { return fmt.Sprintf("setfsuid(%s)", g.id()) }},
	"setfsgid": {1, func(g *gen, t *Task) string { return fmt.Sprintf("setfsgid(%s)", g.id()) }},
	"capget": {1, func(g *gen, t *Task) string {
		return "capget(" + pick(g, "{version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {}", "{version=7, pid=0}, NULL", "{version=_LINUX_CAPABILITY_VERSION_3, pid=-1}, {}", "{version=7, pid=0}, {}") + ")"
	}},
	"seccomp": {2, func(g *gen, t *Task) string {
		return "seccomp(" + pick(g, "SECCOMP_SET_MODE_FILTER, 0, NULL", "SECCOMP_SET_MODE_FILTER, 0x100, NULL", "SECCOMP_SET_MODE_FILTER, 0, {len=0, filter=0x8}", "SECCOMP_SET_MODE_FILTER, 0, {len=4097, filter=0x8}", "SECCOMP_SET_MODE_FILTER, 0, {len=1, filter=0x8}",
			"SECCOMP_SET_MODE_STRICT, 1, NULL", "SECCOMP_GET_NOTIF_SIZES, 1, NULL", "9, 0, NULL") + ")"
	}},
}

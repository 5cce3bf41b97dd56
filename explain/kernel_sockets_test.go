package explain_test

import (
	"os"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/world"
)

const (
	tcp4 = "socket(AF_INET, SOCK_STREAM, 0)"
	udp4 = "socket(AF_INET, SOCK_DGRAM, 0)"
	tcp6 = "socket(AF_INET6, SOCK_STREAM, 0)"
	unx  = "socket(AF_UNIX, SOCK_STREAM, 0)"
)

// socketFiles are names for UNIX sockets.
const socketFiles = `
	dir open 777 0:0
	dir closed 755 0:0
	dir mine 700 1000:1000
	dir inner 700 100000:100000
	file open/taken 666 0:0
	sock open/sock 666 0:0
	sock open/private 600 0:0
	file open/file 666 0:0
	file open/secret 600 0:0
	link open/link 777 0:0 to=sock
	link open/dangling 777 0:0 to=none
	dir jail 755 0:0
	dir jail/proc 755 0:0
`

// ownNet gives the test a network namespace of its own, with its loopback interface up.
func (s *stage) ownNet() {
	s.t.Helper()
	runtime.LockOSThread() // the tasks are forked from this thread
	s.must(unix.Unshare(unix.CLONE_NEWNET))
	f, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	s.must(err)
	defer unix.Close(f)
	var req [40]byte // struct ifreq
	copy(req[:], "lo")
	req[16] = unix.IFF_UP
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(f), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&req[0]))); e != 0 {
		s.t.Fatal(e)
	}
	s.must(os.WriteFile("/proc/thread-self/root/proc/sys/net/ipv4/ping_group_range", []byte("2000 3000"), 0))
	s.Task.NS[world.NetNS] = s.AddNamespace(world.Namespace{Kind: world.NetNS, Name: "the test's", At: s.at})
	s.Sysctls[kernel.IPUnprivilegedPortStart] = world.Given(1024, s.at)
	s.Sysctls[kernel.PingGroupRange] = world.Given(kernel.PackRange(2000, 3000), s.at)
}

func bound(family, port, host string) string {
	if family == "6" {
		return `bind(3, {sa_family=AF_INET6, sin6_port=htons(` + port + `), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "` + host + `", &sin6_addr), sin6_scope_id=0}, 28)`
	}
	return `bind(3, {sa_family=AF_INET, sin_port=htons(` + port + `), sin_addr=inet_addr("` + host + `")}, 16)`
}

func boundUnix(path string) string {
	return `bind(3, {sa_family=AF_UNIX, sun_path="` + path + `"}, 110)`
}

func connected(path string) string {
	return `connect(3, {sa_family=AF_UNIX, sun_path="` + path + `"}, 110)`
}

// made are calls that make sockets, for whoever has CAP_NET_RAW there (-) and for others (EPERM).
func made(raw string) []row {
	return []row{
		{"socket(AF_UNSPEC, SOCK_STREAM, 0)", "EAFNOSUPPORT"}, {"socket(-1, SOCK_STREAM, 0)", "EAFNOSUPPORT"}, {"socket(46, SOCK_STREAM, 0)", "EAFNOSUPPORT"}, {"socket(-1, 11, 0)", "EAFNOSUPPORT"},
		{"socket(AF_INET, 11, 0)", "EINVAL"}, {"socket(AF_INET, SOCK_STREAM|0x10, 0)", "EINVAL"}, {"socket(46, SOCK_STREAM|0x10, 0)", "EINVAL"},
		{"socket(AF_INET, 0, 0)", "ESOCKTNOSUPPORT"}, {"socket(AF_INET, SOCK_RDM, 0)", "ESOCKTNOSUPPORT"}, {"socket(AF_INET, SOCK_STREAM, -1)", "EINVAL"}, {"socket(AF_INET, SOCK_STREAM, 263)", "EINVAL"},
		{"socket(AF_INET, SOCK_RDM, 263)", "EINVAL"}, {"socket(AF_INET, SOCK_STREAM, IPPROTO_UDP)", "EPROTONOSUPPORT"}, {"socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP)", "EPROTONOSUPPORT"},
		{"socket(AF_INET, SOCK_RAW, 0)", "EPROTONOSUPPORT"}, {"socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)", raw}, {"socket(AF_INET, SOCK_RAW, IPPROTO_RAW)", raw}, {"socket(AF_INET, SOCK_RAW|SOCK_CLOEXEC, 200)", raw},
		{"socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)", raw}, {"socket(AF_INET6, SOCK_RAW, 0)", "EPROTONOSUPPORT"}, {"socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMP)", "EPROTONOSUPPORT"},
		{"socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6)", "EPROTONOSUPPORT"}, {tcp4, "-"}, {tcp6, "-"}, {udp4, "-"}, {"socket(AF_INET6, SOCK_DGRAM|SOCK_NONBLOCK, IPPROTO_UDP)", "-"},
		{"socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL))", raw}, {"socket(AF_PACKET, SOCK_DGRAM, 0)", raw}, {"socket(AF_INET, SOCK_PACKET, htons(ETH_P_ALL))", raw},
		{"socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)", "-"}, {"socket(AF_NETLINK, SOCK_DGRAM, NETLINK_GENERIC)", "-"}, {"socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE)", "ESOCKTNOSUPPORT"}, {"socket(AF_NETLINK, SOCK_RAW, 32)", "EPROTONOSUPPORT"},
		{"socket(AF_NETLINK, SOCK_RAW, -1)", "EPROTONOSUPPORT"}, {unx, "-"}, {"socket(AF_UNIX, SOCK_RAW, 0)", "-"}, {"socket(AF_UNIX, SOCK_SEQPACKET, 1)", "-"}, {"socket(AF_UNIX, SOCK_RDM, 0)", "ESOCKTNOSUPPORT"},
		{"socket(AF_UNIX, SOCK_STREAM, 2)", "EPROTONOSUPPORT"}, {"socketpair(AF_UNIX, SOCK_STREAM, 0)", "-"}, {"socketpair(AF_INET, SOCK_STREAM, 0)", "EOPNOTSUPP"}, {"socketpair(AF_UNIX, SOCK_STREAM|0x10, 0)", "EINVAL"},
		{"socketpair(AF_INET, SOCK_RAW, 1)", map[string]string{"-": "EOPNOTSUPP", "EPERM": "EPERM"}[raw]}, {"socketpair(AF_UNSPEC, SOCK_STREAM, 0)", "EAFNOSUPPORT"},
	}
}

// TestKernelSockets: who makes which socket.
func TestKernelSockets(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	s := newStage(t, dir, "")
	s.ownNet()
	s.child(100000, 65536, false)
	pings := func(want string) []row {
		return []row{{"socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)", want}, {"socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6)", want}}
	}
	packet := []row{{"socket(AF_PACKET, SOCK_STREAM, 0)", "ESOCKTNOSUPPORT"}}
	own := append([]row{{"unshare(CLONE_NEWUSER|CLONE_NEWNET)", "-"}}, made("-")...)
	s.play([]scene{
		{"root", initRoot, append(made("-"), packet...)},
		{"root without CAP_NET_RAW", who{caps: everything.Without(kernel.CapNetRaw)}, append(made("EPERM"), row{"socket(AF_PACKET, SOCK_STREAM, 0)", "EPERM"})}, // the capability first
		{"uid 1000", initPlain, made("EPERM")},
		{"uid 1000 with CAP_NET_RAW", who{uid: 1000, gid: 1000, caps: world.Caps(kernel.CapNetRaw)}, made("-")},
		{"root of a user namespace", childRoot, made("EPERM")}, // which does not own the network namespace
		{"with a network namespace of its own", initPlain, own},
		{"with a user namespace only", initPlain, append([]row{{"unshare(CLONE_NEWUSER)", "-"}}, made("EPERM")...)},
		{"root pings", initRoot, pings("EACCES")}, // no capability helps
		{"a group that may ping", who{uid: 1000, gid: 2000}, pings("-")},
		{"a supplementary group that may ping", who{uid: 1000, gid: 1000, groups: []uint32{7, 3000}}, pings("-")},
		{"groups that may not ping", who{uid: 1000, gid: 1999, groups: []uint32{3001}}, pings("EACCES")},
		{"pings in a network namespace of its own", who{uid: 1000, gid: 2000}, append([]row{{"unshare(CLONE_NEWUSER|CLONE_NEWNET)", "-"}}, pings("EACCES")...)},
	})
}

// TestKernelSocketsBound: who gives a socket which address.
func TestKernelSocketsBound(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	s := newStage(t, dir, socketFiles)
	s.ownNet()
	s.child(100000, 65536, false)
	low := func(want string) []row {
		return []row{{tcp4, "-"}, {bound("4", "80", "0.0.0.0"), want}}
	}
	low6 := func(host, want string) []row {
		return []row{{tcp6, "-"}, {bound("6", "80", host), want}}
	}
	net := initPlain
	net.caps = world.Caps(kernel.CapNetBindService)
	var scenes []scene
	for _, c := range []struct {
		task       who
		four, any6 string
	}{{initRoot, "-", "-"}, {who{name: "root without CAP_NET_BIND_SERVICE", caps: everything.Without(kernel.CapNetBindService)}, "EACCES", "EACCES"}, {initPlain, "EACCES", "EACCES"}, {net, "-", "-"}, {childRoot, "EACCES", "EACCES"}} {
		scenes = append(scenes, scene{c.task.name + " port 80", c.task, low(c.four)}, scene{c.task.name + " port 80 of IPv6", c.task, low6("::", c.any6)}, scene{c.task.name + " foreign address of IPv6", c.task, []row{{tcp6, "-"}, {bound("6", "1024", "::1"), "-"}}})
	}
	inet := []row{{tcp4, "-"}, {bound("4", "1023", "127.0.0.1"), "EACCES"}, {`bind(3, {sa_family=AF_INET6, sin6_port=htons(80)}, 16)`, "EAFNOSUPPORT"}, {`bind(3, {sa_family=AF_UNSPEC}, 16)`, "-"}, {bound("4", "0", "0.0.0.0"), "EINVAL"}, {bound("4", "80", "0.0.0.0"), "EACCES"},
		{`bind(3, {sa_family=AF_INET, sin_port=htons(2000)}, 15)`, "EINVAL"}, {`bind(3, {sa_family=AF_INET}, -1)`, "EINVAL"}, {`bind(3, {sa_family=AF_INET}, 129)`, "EINVAL"}, {"bind(3, NULL, 16)", "EFAULT"}, {"bind(3, NULL, 129)", "EINVAL"},
		{`bind(9, {sa_family=AF_INET}, 200)`, "EBADF"}, {"open uid_map 0", "-"}, {"bind(4, NULL, 16)", "ENOTSOCK"}, {"listen(3, 1)", "-"}, {bound("4", "0", "0.0.0.0"), "EINVAL"}}
	scenes = append(scenes,
		scene{"an address of IPv4", initPlain, inet},
		scene{"an address of UDP", initPlain, []row{{udp4, "-"}, {bound("4", "53", "127.0.0.1"), "EACCES"}, {bound("4", "5353", "224.0.0.1"), "-"}, {"listen(3, 1)", "EOPNOTSUPP"}}},
		scene{"broadcast", initPlain, []row{{udp4, "-"}, {bound("4", "5353", "255.255.255.255"), "-"}}},
		scene{"a multicast address for a stream", initPlain, []row{{tcp6, "-"}, {bound("6", "80", "ff02::1"), "EINVAL"}, {bound("6", "80", "::1"), "EACCES"}, {`bind(3, {sa_family=AF_INET, sin_port=htons(2000)}, 28)`, "EAFNOSUPPORT"}, {`bind(3, {sa_family=AF_INET, sin_port=htons(2000)}, 23)`, "EINVAL"}}},
		scene{"a new network namespace", initPlain, []row{{"unshare(CLONE_NEWUSER|CLONE_NEWNET)", "-"}, {tcp4, "-"}, {bound("4", "80", "10.0.0.1"), "-"}, {bound("4", "80", "127.0.0.1"), "EINVAL"}}},
		scene{"a new network namespace, IPv6", initPlain, []row{{"unshare(CLONE_NEWUSER|CLONE_NEWNET)", "-"}, {tcp6, "-"}, {bound("6", "80", "::1"), "EADDRNOTAVAIL"}, {bound("6", "80", "::"), "-"}}},
		scene{"a new network namespace without its capabilities", initPlain, []row{{"unshare(CLONE_NEWUSER|CLONE_NEWNET)", "-"}, {"drop", "-"}, {tcp4, "-"}, {bound("4", "80", "127.0.0.1"), "EACCES"}, {bound("4", "80", "0.0.0.0"), "EACCES"}, {bound("4", "1024", "0.0.0.0"), "-"}}},
		scene{"a socket of the old network namespace", initCaps, []row{{tcp4, "-"}, {"unshare(CLONE_NEWUSER|CLONE_NEWNET)", "-"}, {bound("4", "80", "0.0.0.0"), "EACCES"}, {"setsockopt(3, SOL_SOCKET, SO_MARK, [1], 4)", "EPERM"}, {bound("4", "2000", "127.0.0.1"), "-"}}},
		scene{"netlink", initPlain, []row{{"socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)", "-"}, {"bind(3, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=1}, 11)", "EINVAL"}, {"bind(3, {sa_family=AF_INET}, 12)", "EINVAL"}, {"bind(3, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=1}, 12)", "-"}, {"listen(3, 1)", "EOPNOTSUPP"}}},
		scene{"raw", initRoot, []row{{"socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)", "-"}, {bound("4", "80", "127.0.0.1"), "-"}, {"listen(3, 1)", "EOPNOTSUPP"}}},
	)
	s.play(scenes)
	s.play(unixScenes())
}

// unixScenes are addresses in the filesystem.
func unixScenes() []scene {
	jailed := initPlain
	jailed.root = "/jail"
	bad := []row{{unx, "-"}, {boundUnix("/open/taken"), "EADDRINUSE"}, {boundUnix("/open/sock"), "EADDRINUSE"}, {boundUnix("/open/dangling"), "EADDRINUSE"}, {boundUnix("/open/."), "EADDRINUSE"}, {boundUnix("/"), "EADDRINUSE"}, {boundUnix("/none/x"), "ENOENT"},
		{boundUnix("/open/x/"), "ENOENT"}, {boundUnix("/open/taken/x"), "ENOTDIR"}, {`bind(3, {sa_family=AF_INET}, 16)`, "EINVAL"}, {`bind(3, {sa_family=AF_UNIX, sun_path="/open/x"}, 111)`, "EINVAL"}, {`bind(3, {sa_family=AF_UNIX, sun_path="/open/x"}, 1)`, "EINVAL"},
		{"listen(3, 1)", "EINVAL"}, {"accept(3, NULL, NULL)", "EINVAL"}, {"accept4(3, NULL, NULL, 1)", "EINVAL"}, {"accept4(99, NULL, NULL, 1)", "EBADF"}, {"accept(99, NULL, NULL)", "EBADF"}, {"listen(99, 1)", "EBADF"},
		{`bind(3, {sa_family=AF_UNIX, sun_path="/open/cut"}, 9)`, "-"}, // /open/c
		{boundUnix("/open/taken"), "EADDRINUSE"}, {boundUnix("/open/again"), "EINVAL"}, {`bind(3, {sa_family=AF_UNIX, sun_path=@"x"}, 4)`, "EINVAL"}, {`bind(3, {sa_family=AF_UNIX}, 2)`, "-"}, {"listen(3, 1)", "-"}, {`unlink("/open/c")`, "-"}}
	access := func(mine, closed, inner string) []row {
		out := []row{{unx, "-"}, {boundUnix("/closed/taken"), closed}}
		if closed == "-" {
			return append(out, row{`unlink("/closed/taken")`, "-"})
		}
		out = append(out, row{boundUnix("/mine/x"), mine})
		if mine == "-" {
			return append(out, row{`unlink("/mine/x")`, "-"})
		}
		return append(out, row{boundUnix("/inner/x"), inner})
	}
	peers := []row{{unx, "-"}, {connected("/open/none"), "ENOENT"}, {connected("/open/private"), "EACCES"}, {connected("/open/file"), "ECONNREFUSED"}, {connected("/open/secret"), "EACCES"}, {connected("/mine/../open/file"), "EACCES"},
		{`connect(3, {sa_family=AF_INET}, 16)`, "EINVAL"}, {`connect(3, {sa_family=AF_UNIX, sun_path="/open/file"}, 2)`, "EINVAL"}, {"connect(3, NULL, 16)", "EFAULT"}, {"connect(99, NULL, 16)", "EBADF"}}
	return []scene{
		{"names of UNIX sockets", initPlain, bad},
		{"root's names", initRoot, access("", "-", "")},
		{"uid 1000's names", initPlain, access("-", "EACCES", "")},
		{"names of root of a user namespace", childRoot, append(access("EACCES", "EACCES", "-"), row{`unlink("/inner/x")`, "-"})},
		{"names in a chroot", jailed, []row{{unx, "-"}, {boundUnix("/open/x"), "ENOENT"}, {boundUnix("/x"), "EACCES"}}},
		{"an abstract name", initPlain, []row{{unx, "-"}, {`bind(3, {sa_family=AF_UNIX, sun_path=@"story-test"}, 13)`, "-"}, {"listen(3, 1)", "-"}, {boundUnix("/open/x"), "EINVAL"}}},
		{"a name of datagrams", initPlain, []row{{"socket(AF_UNIX, SOCK_DGRAM, 0)", "-"}, {"listen(3, 1)", "EOPNOTSUPP"}, {"accept(3, NULL, NULL)", "EOPNOTSUPP"}, {connected("/open/private"), "EACCES"}, {connected("/open/file"), "ECONNREFUSED"}}},
		{"who connects", who{uid: 1001, gid: 1001}, peers},
		{"a datagram socket accepts", initPlain, []row{{udp4, "-"}, {"accept(3, NULL, NULL)", "EOPNOTSUPP"}, {tcp4, "-"}, {"accept(4, NULL, NULL)", "EINVAL"}}},
	}
}

// TestKernelSocketOptions: options that ask for a capability.
func TestKernelSocketOptions(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	s := newStage(t, dir, "")
	s.ownNet()
	s.child(100000, 65536, false)
	// raw, admin: the capability in the owner of the network namespace; init: CAP_NET_ADMIN in the initial user namespace.
	options := func(either, admin, init, debug, device string) []row {
		return []row{{tcp4, "-"},
			{"setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4)", "-"}, {"setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 3)", "EINVAL"}, {"setsockopt(3, SOL_SOCKET, SO_REUSEADDR, NULL, 4)", "EFAULT"}, {"setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], -1)", "EINVAL"},
			{"setsockopt(3, SOL_SOCKET, SO_TYPE, [1], 4)", "ENOPROTOOPT"}, {"setsockopt(99, SOL_SOCKET, SO_REUSEADDR, [1], -1)", "EBADF"},
			{"setsockopt(3, SOL_SOCKET, SO_MARK, [1], 4)", either}, {"setsockopt(3, SOL_SOCKET, SO_MARK, [1], 2)", "EINVAL"}, {"setsockopt(3, SOL_SOCKET, SO_RCVMARK, [1], 4)", "-"}, {"setsockopt(3, SOL_SOCKET, SO_PRIORITY, [6], 4)", "-"},
			{"setsockopt(3, SOL_SOCKET, SO_PRIORITY, [7], 4)", either}, {"setsockopt(3, SOL_SOCKET, SO_PRIORITY, [-1], 4)", either}, {"setsockopt(3, SOL_SOCKET, SO_DEBUG, [0], 4)", "-"}, {"setsockopt(3, SOL_SOCKET, SO_DEBUG, [1], 4)", debug},
			{"setsockopt(3, SOL_SOCKET, SO_SNDBUFFORCE, [100000], 4)", init}, {"setsockopt(3, SOL_SOCKET, SO_RCVBUFFORCE, [100000], 4)", init}, {"setsockopt(3, SOL_SOCKET, SO_RCVBUF, [100000], 4)", "-"},
			{"setsockopt(3, SOL_SOCKET, SO_PREFER_BUSY_POLL, [0], 4)", "-"}, {"setsockopt(3, SOL_SOCKET, SO_PREFER_BUSY_POLL, [1], 4)", init},
			{"setsockopt(3, SOL_IP, IP_TRANSPARENT, [1], 4)", either}, {"setsockopt(3, SOL_IP, IP_TRANSPARENT, [0], 4)", "-"}, {"setsockopt(3, SOL_IP, IP_FREEBIND, [1], 4)", "-"}, {"setsockopt(3, SOL_TCP, TCP_NODELAY, [1], 4)", "-"}, {"setsockopt(3, SOL_TCP, TCP_REPAIR, [0], 4)", admin},
			{"setsockopt(3, SOL_SOCKET, SO_BINDTODEVICE, \"lo\", 3)", "-"}, {"setsockopt(3, SOL_SOCKET, SO_BINDTODEVICE, \"\", 0)", device},
			{tcp6, "-"}, {"setsockopt(4, SOL_IPV6, IPV6_TRANSPARENT, [1], 4)", either}, {unx, "-"}, {"setsockopt(5, SOL_IP, IP_TRANSPARENT, [1], 4)", "EOPNOTSUPP"}, {"setsockopt(5, SOL_SOCKET, SO_MARK, [1], 4)", either},
		}
	}
	raw, admin := initPlain, initPlain
	raw.caps, admin.caps = world.Caps(kernel.CapNetRaw), world.Caps(kernel.CapNetAdmin)
	own := []row{{"unshare(CLONE_NEWUSER|CLONE_NEWNET)", "-"}}
	s.play([]scene{
		{"root", initRoot, options("-", "-", "-", "-", "-")},
		{"uid 1000", initPlain, options("EPERM", "EPERM", "EPERM", "EACCES", "EPERM")},
		{"uid 1000 with CAP_NET_RAW", raw, options("-", "EPERM", "EPERM", "EACCES", "-")},
		{"uid 1000 with CAP_NET_ADMIN", admin, options("-", "-", "-", "-", "EPERM")},
		{"root of a user namespace", childRoot, options("EPERM", "EPERM", "EPERM", "EACCES", "EPERM")},
		{"with a network namespace of its own", initPlain, append(own, options("-", "-", "EPERM", "EACCES", "-")...)},
	})
}

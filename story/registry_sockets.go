package story

// Checks of calls on sockets.
var (
	SocketFamily = define(Info{
		ID: "OTH219", Gate: Other, Title: "the kernel has the protocol family", Denies: "the kernel has no protocol family {0}", Allows: "protocol family {0}", Unknowns: "whether the kernel has protocol family {0} is not known",
		Facts: []FactInfo{{"family", KindInt}}, Function: "__sock_create", Errno: "EAFNOSUPPORT", Releases: "all", Man: "socket(2)",
		Long:  "Families beside AF_UNIX, AF_INET and AF_NETLINK are built in, in modules that are loaded on demand, or missing.",
		Repro: "python3 -c 'import socket; socket.socket(0, 1)'",
	})
	SocketKind = define(Info{
		ID: "OTH220", Gate: Other, Title: "the family has such sockets", Denies: "the family has no socket of type {0} with protocol {1}", Unknowns: "whether the family has sockets of type {0} with protocol {1} is not known",
		Facts: []FactInfo{{"type", KindInt}, {"protocol", KindInt}}, Function: "inet_create and its relatives", Errno: "ESOCKTNOSUPPORT, EPROTONOSUPPORT, EINVAL or EOPNOTSUPP", Releases: "all", Man: "socket(2)",
		Long:  "Each family knows some types and protocols. For IPv4 and IPv6 this is looked at before the capability of raw sockets, for packet sockets behind it.",
		Repro: "python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM, 17)'",
	})
	PingGroups = define(Info{
		ID: "OTH221", Gate: Other, Title: "net.ipv4.ping_group_range says who may ping without a raw socket", Denies: "no group of the task lies between {0} and {1}", Allows: "a group of the task lies between {0} and {1}", Unknowns: "whether a group of the task may make ping sockets is not known",
		Facts: []FactInfo{{"first group", KindInt}, {"last group", KindInt}}, Function: "ping_init_sock", Errno: "EACCES", Releases: "since Linux 3.0", Man: "icmp(7)",
		Long:  "ICMP sockets of type SOCK_DGRAM need no capability, but a group in the range that the network namespace has set: 1 0, an empty one, where nobody has. containerd 2 and Docker open it for their containers.",
		Repro: "sysctl -w net.ipv4.ping_group_range='1 0'; python3 -c 'import socket; socket.socket(2, 2, 1)'",
	})
	NotSocket = define(Info{
		ID: "OTH222", Gate: Other, Title: "the descriptor is a socket", Denies: "descriptor {0} is no socket", Unknowns: "whether descriptor {0} is a socket is not known",
		Facts: []FactInfo{{"fd", KindInt}}, Function: "sock_from_file", Errno: "ENOTSOCK", Releases: "all", Man: "socket(7)",
		Long:  "The call works on sockets only.",
		Repro: "python3 -c 'import socket; socket.socket(fileno=0).listen()'",
	})
	AddressFamily = define(Info{
		ID: "OTH223", Gate: Other, Title: "the address is of the socket's family", Denies: "the address is of family {0}, the socket of {1}",
		Facts: []FactInfo{{"address", KindInt}, {"socket", KindInt}}, Function: "__inet_bind and its relatives", Errno: "EAFNOSUPPORT, EINVAL for UNIX, netlink and packet sockets", Releases: "all", Man: "bind(2)",
		Long:  "IPv4 takes AF_UNSPEC with the address 0.0.0.0 for its own, for the sake of old programs.",
		Repro: "python3 -c 'import socket; socket.socket(2, 1, 0, socket.socket(10).detach()).bind((\"0.0.0.0\", 0))'",
	})
	AddressLocal = define(Info{
		ID: "OTH224", Gate: Other, Title: "the address is one of the network namespace", Denies: "{0} is no address of the network namespace: {1}", Unknowns: "whether {0} is an address of the network namespace is not known",
		Facts: []FactInfo{{"address", KindString}, {"reason", KindString}}, Function: "inet_addr_valid_or_nonlocal, ipv6_chk_addr", Errno: "EADDRNOTAVAIL", Releases: "all", Man: "bind(2)",
		Long:  "A socket is bound to an address of an interface of its own network namespace. In a new one the loopback interface is down: there is no IPv6 address at all yet, while IPv4, which has no table of them, takes any. IPv4 looks at the address before the port, IPv6 behind it.",
		Repro: "unshare -rn python3 -c 'import socket; socket.socket(10).bind((\"::1\", 0))'",
	})
	PrivilegedPort = define(Info{
		ID: "CAP205", Gate: Capability, Title: "ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE", Denies: "port {0} is below {1}, and the task lacks CAP_NET_BIND_SERVICE in the user namespace that owns the network namespace", Allows: "port {0}, ports from {1} on are free: {2}", Unknowns: "whether port {0} needs a capability that the task has is not known",
		Facts: []FactInfo{{"port", KindInt}, {"net.ipv4.ip_unprivileged_port_start", KindInt}, {"why", KindString}}, Function: "inet_port_requires_bind_service", Errno: "EACCES", Releases: "the setting since Linux 4.11, 1024 without it", Man: "ip(7)",
		Long:  "The setting belongs to the network namespace, for IPv4 and IPv6 alike, and begins with 1024. containerd 2 and Docker set it to 0 in containers with a network namespace of their own; on the host's network the host's value counts.",
		Note:  "the capability counts in the user namespace that owns the network namespace: root of a user namespace on the host's network lacks it",
		Repro: "setpriv --reuid 1000 --clear-groups python3 -c 'import socket; socket.socket().bind((\"0.0.0.0\", 80))'",
	})
	SocketBound = define(Info{
		ID: "OTH225", Gate: Other, Title: "a socket is bound once", Denies: "the socket has an address already",
		Function: "__inet_bind, unix_bind_bsd", Errno: "EINVAL", Releases: "all", Man: "bind(2)",
		Long:  "A bound socket keeps its address.",
		Repro: "python3 -c 'import socket; s=socket.socket(); s.bind((\"\",0)); s.bind((\"\",0))'",
	})
	AddressInUse = define(Info{
		ID: "OTH226", Gate: Other, Title: "the address is free", Allows: "nobody else has the address", Denies: "the address is taken: {obj}",
		Function: "inet_csk_get_port, unix_bind_bsd", Errno: "EADDRINUSE", Releases: "all", Man: "bind(2)",
		Long:  "A port is bound once, unless the sockets share it with SO_REUSEPORT, and a UNIX socket makes a new name in the filesystem: one that is left from an earlier run is in the way.",
		Repro: "python3 -c 'import socket; s=socket.socket(1); s.bind(\"/tmp/s\"); t=socket.socket(1); t.bind(\"/tmp/s\")'",
	})
	SocketPeer = define(Info{
		ID: "OTH227", Gate: Other, Title: "somebody answers at the other end", Denies: "{obj} is no socket", Unknowns: "whether somebody answers at the other end is not known",
		Function: "unix_find_bsd, tcp_v4_connect", Errno: "ECONNREFUSED, ENETUNREACH, ETIMEDOUT and others", Releases: "all", Man: "connect(2)",
		Long:  "Whether a connection comes about depends on routes, filters and the other end, of which the model knows nothing. For a UNIX socket's path the lookup and the write permission of the socket are decided.",
		Repro: "python3 -c 'import socket; socket.socket(1).connect(\"/etc/passwd\")'",
	})
	SocketState = define(Info{
		ID: "OTH228", Gate: Other, Title: "the socket can do what is asked of it", Denies: "{0}", Unknowns: "{0}",
		Facts: []FactInfo{{"reason", KindString}}, Function: "proto_ops", Errno: "EINVAL or EOPNOTSUPP", Releases: "all", Man: "listen(2)",
		Long:  "Only connection-based sockets listen, and only listening ones accept.",
		Repro: "python3 -c 'import socket; socket.socket(2, 2).listen()'",
	})
	SocketOption = define(Info{
		ID: "OTH229", Gate: Other, Title: "the option itself", Denies: "the socket has no option {1} at level {0}", Unknowns: "the model does not know what option {1} at level {0} answers",
		Facts: []FactInfo{{"level", KindInt}, {"option", KindInt}}, Function: "do_sock_setsockopt", Errno: "ENOPROTOOPT, EOPNOTSUPP, EINVAL and others", Releases: "SO_REUSEPORT for IPv4 and IPv6 alone since Linux 6.13, SO_PASSCRED for UNIX and netlink alone since Linux 6.16", Man: "socket(7)",
		Long:  "The common options of sockets, IP, IPv6, TCP, UDP and netlink are modelled: the length of the value, its range, the kinds of sockets that have the option, the capability. Interfaces, groups, filters, names of algorithms and policies are not.",
		Repro: "python3 -c 'import socket; socket.socket().setsockopt(1, 9999, 1)'",
	})
	NetCapability = define(Info{
		ID: "CAP206", Gate: Capability, Title: "the socket needs a capability", Denies: "it needs {0} in {1}: {2}", Allows: "{0} in {1}", Unknowns: "whether the task has {0} in {1} is not known",
		Facts: []FactInfo{{"capability", KindString}, {"user namespace", KindNS}, {"effective", KindCapSet}}, Function: "sockopt_ns_capable, ns_capable", Errno: "EPERM, EACCES for SO_DEBUG", Releases: "CAP_NET_RAW in place of CAP_NET_ADMIN for SO_MARK and SO_PRIORITY since Linux 5.17", Man: "socket(7)",
		Long:  "Raw and packet sockets need CAP_NET_RAW, options that change how packets are marked or where they go need CAP_NET_ADMIN or CAP_NET_RAW, in the user namespace that owns the socket's network namespace. Those that use memory beyond the limits, or reach the hardware, ask in the initial one.",
		Repro: "setpriv --reuid 1000 --clear-groups python3 -c 'import socket; socket.socket().setsockopt(1, 36, 5)'",
	})
	NetCapabilityNS = define(Info{
		ID: "UNS204", Gate: UserNS, Title: "the socket's network namespace belongs to another user namespace", Denies: "the task holds {0}, but the network namespace belongs to {1}",
		Facts: []FactInfo{{"capability", KindString}, {"asked in", KindNS}, {"held in", KindNS}}, Function: "ns_capable", Errno: "EPERM, EACCES for ports", Releases: "since Linux 3.8", Man: "user_namespaces(7)",
		Long:  "CAP_NET_RAW, CAP_NET_ADMIN and CAP_NET_BIND_SERVICE count in the user namespace that owns the network namespace. Root of a user namespace that has not made a network namespace of its own has them nowhere that matters.",
		Repro: "unshare -r python3 -c 'import socket; socket.socket(2, 3, 1)'",
	})
)

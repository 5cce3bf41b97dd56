package vfs

import (
	"net/netip"

	"syscallstory/kernel"
	"syscallstory/selinux"
	"syscallstory/story"
	"syscallstory/world"
)

// What SELinux asks at the hooks of sockets.

// socket asks for permissions to the socket itself (sock_has_perm); nothing is asked of the kernel's own.
func (a *asking) socket(perms ...string) (l selinux.Label, class string, ok bool) {
	if l, class, ok = a.socketLabel(a.q.Socket); !ok {
		return l, class, false
	}
	if its, there := a.policy.InitialSID("kernel"); there && l == its {
		return l, class, true
	}
	if its, there := a.policy.InitialSID("init"); there && l == its {
		a.lost("whether the kernel asks of sockets of the first process is not modelled")
		return l, class, false
	}
	a.ask(l, class, perms...)
	return l, class, true
}

// socketPerms are what the hooks without other questions ask for.
var socketPerms = map[story.Hook]string{story.HookSocketAccept: "accept", story.HookSocketSendmsg: "write", story.HookSocketRecvmsg: "read", story.HookSocketGetsockname: "getattr", story.HookSocketGetpeername: "getattr",
	story.HookSocketGetsockopt: "getopt", story.HookSocketSetsockopt: "setopt", story.HookSocketShutdown: "shutdown"}

// socketLabel is the label of a socket, and of its inode.
func (a *asking) socketLabel(s *world.Socket) (l selinux.Label, class string, ok bool) {
	if a.why != "" {
		return l, "", false
	}
	if s == nil || !s.Context.Known() {
		a.lost("the context of the socket is not known")
		return l, "", false
	}
	if class = a.socketClass(s.Family, s.Type, s.Protocol); class == "" {
		a.lost("the class of such a socket is not modelled")
		return l, "", false
	}
	l, err := a.parse(s.Context.V)
	if err != nil {
		a.lost("the context of the socket is not one of the policy's: " + err.Error())
		return l, "", false
	}
	return l, class, true
}

// protocolOf is sk_protocol, by which ports are named.
func protocolOf(s *world.Socket) uint8 {
	const tcp, udp = 6, 17
	switch {
	case s.Protocol != 0:
		return uint8(s.Protocol)
	case s.Type == sockStream:
		return tcp
	case s.Type == sockDgram:
		return udp
	}
	return 0
}

// socketBind is selinux_socket_bind: the socket, then the port unless it is one that the kernel itself gives away, then the address.
func (a *asking) socketBind() {
	s, addr := a.q.Socket, &a.q.Address
	l, class, ok := a.socket("bind")
	if !ok || s.Family != afInet && s.Family != afInet6 {
		return
	}
	host, err := netip.ParseAddr(addr.Host)
	if err != nil {
		host = netip.IPv4Unspecified()
		if addr.Family == afInet6 {
			host = netip.IPv6Unspecified()
		}
	}
	e := story.Errno(0)
	switch {
	case addr.Len < 2, (addr.Family == afUnspec || addr.Family == afInet) && addr.Len < 16, addr.Family == afInet6 && addr.Len < 24:
		e = story.EINVAL
	case addr.Family == afUnspec && s.Family == afInet6 && a.c.K.Has(kernel.SELinuxBindUnspec) == kernel.NotKnown:
		a.lost("what the release asks of an address without a family is not known")
		return
	case addr.Family == afUnspec && s.Family == afInet6 && a.c.K.Has(kernel.SELinuxBindUnspec) == kernel.Yes:
		if e = story.EAFNOSUPPORT; addr.Len < 24 || class == "sctp_socket" {
			e = story.EINVAL
		}
	case addr.Family != afUnspec && addr.Family != afInet && addr.Family != afInet6, addr.Family == afUnspec && !host.IsUnspecified():
		e = story.EAFNOSUPPORT
	}
	if e != 0 {
		a.errno, a.words = e, "the address is too short, or of another family"
		return
	}
	if a.namesPort(addr.Port) {
		port, known := a.policy.Port(protocolOf(s), addr.Port)
		if !known {
			a.lost("the policy has no context of the port")
			return
		}
		a.list = append(a.list, access{source: l, target: port, class: class, perms: []string{"name_bind"}})
	}
	if a.why != "" {
		return
	}
	node, known := a.policy.Node(host)
	if !known {
		a.lost("the policy has no context of the address")
		return
	}
	a.list = append(a.list, access{source: l, target: node, class: class, perms: []string{"node_bind"}})
}

// namesPort reports whether a port is asked for: one that needs CAP_NET_BIND_SERVICE, or outside of those that sockets without one get.
func (a *asking) namesPort(port uint16) bool {
	if port == 0 {
		return false
	}
	first, free := a.c.W.Sysctl(kernel.IPUnprivilegedPortStart), a.c.W.Sysctl(kernel.LocalPortRange)
	if first.Known() && int(port) < first.V {
		return true
	}
	low, high := kernel.Range(free.V)
	outside := free.Known() && (uint32(port) < low || uint32(port) > high)
	if !outside && (!first.Known() || !free.Known()) {
		a.lost("which ports sockets get on their own is not known")
	}
	return outside
}

// socketConnect is selinux_socket_connect: the socket, and of TCP and SCTP the port.
func (a *asking) socketConnect() {
	s, addr := a.q.Socket, &a.q.Address
	l, class, ok := a.socket("connect")
	if !ok {
		return
	}
	named := class == "tcp_socket" || class == "sctp_socket" || class == "dccp_socket"
	switch {
	case addr.Len < 2:
		a.errno, a.words = story.EINVAL, "an address begins with its family"
		return
	case addr.Family == afUnspec || !named:
		return
	case addr.Family == afInet && addr.Len < 16, addr.Family == afInet6 && addr.Len < 24:
		a.errno, a.words = story.EINVAL, "the address is too short"
		return
	case addr.Family != afInet && addr.Family != afInet6:
		a.errno, a.words = story.EAFNOSUPPORT, "the address is of another family"
		if class == "sctp_socket" {
			a.errno = story.EINVAL
		}
		return
	}
	port, known := a.policy.Port(protocolOf(s), addr.Port)
	if !known {
		a.lost("the policy has no context of the port")
		return
	}
	a.list = append(a.list, access{source: l, target: port, class: class, perms: []string{"name_connect"}})
}

// socketCreate is selinux_socket_create.
func (a *asking) socketCreate() {
	class := a.socketClass(int(a.q.Args[0]), int(a.q.Args[1]), int(a.q.Args[2]))
	if class == "" {
		a.lost("the class of such a socket is not modelled")
		return
	}
	asked := a.c.W.Task.Contexts.SockCreate
	if !asked.Known() && !a.c.W.Task.Fresh {
		a.lost("whether the task has asked for a context of new sockets is not known")
		return
	}
	cl, _ := a.policy.Class(class)
	made, err := a.policy.Create(a.source, a.source, cl, "")
	l := made.Label
	if asked.V != "" {
		l, err = a.parse(asked.V)
	}
	if err != nil {
		a.lost(err.Error())
		return
	}
	a.ask(l, class, "create")
	a.c.NewLabel = a.text(l)
}

// socketClass is socket_type_to_security_class; "": not modelled.
func (a *asking) socketClass(family, typ, protocol int) string {
	const (
		unix, inet, inet6, packet, key, netlink = 1, 2, 10, 17, 15, 16
		stream, dgram, raw, seqpacket           = 1, 2, 3, 5
		icmp, tcp, udp, icmp6, sctp, mptcp      = 1, 6, 17, 58, 132, 262
	)
	extended := a.policy.HasCapability("extended_socket_class")
	switch family {
	case unix:
		if typ == stream || typ == seqpacket {
			return "unix_stream_socket"
		} else if typ == dgram || typ == raw {
			return "unix_dgram_socket"
		}
	case inet, inet6:
		switch {
		case (typ == stream || typ == seqpacket) && (protocol == 0 || protocol == tcp || protocol == mptcp):
			return "tcp_socket"
		case (typ == stream || typ == seqpacket) && extended && protocol == sctp:
			return "sctp_socket"
		case typ == dgram && (protocol == 0 || protocol == udp):
			return "udp_socket"
		case typ == dgram && extended && (protocol == icmp || protocol == icmp6):
			return "icmp_socket"
		}
		return "rawip_socket"
	case netlink:
		if class, ok := netlinkClasses[protocol]; ok {
			return class
		}
		return "netlink_socket"
	case packet:
		return "packet_socket"
	case key:
		return "key_socket"
	}
	return ""
}

// netlinkClasses are the classes of netlink's protocols.
var netlinkClasses = map[int]string{0: "netlink_route_socket", 4: "netlink_tcpdiag_socket", 5: "netlink_nflog_socket", 6: "netlink_xfrm_socket", 7: "netlink_selinux_socket", 8: "netlink_iscsi_socket",
	9: "netlink_audit_socket", 10: "netlink_fib_lookup_socket", 11: "netlink_connector_socket", 12: "netlink_netfilter_socket", 15: "netlink_kobject_uevent_socket",
	16: "netlink_generic_socket", 18: "netlink_scsitransport_socket", 20: "netlink_rdma_socket", 21: "netlink_crypto_socket"}

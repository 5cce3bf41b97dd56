package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Address families and types of sockets.
const (
	afUnspec  = 0
	afUnix    = 1
	afInet    = 2
	afInet6   = 10
	afKey     = 15
	afNetlink = 16
	afPacket  = 17
	afVsock   = 40
	afXDP     = 44

	sockStream    = 1
	sockDgram     = 2
	sockRaw       = 3
	sockSeqpacket = 5
	sockPacket    = 10

	sockCloexec  = 0o2000000
	sockNonblock = 0o4000
)

// NewSocket is __sys_socket, and with pair __sys_socketpair.
func NewSocket(c *check.Check, family int, typ uint64, protocol int, pair bool) story.Errno {
	if typ&^uint64(0xf|sockCloexec|sockNonblock) != 0 {
		return Invalid(c, story.EINVAL, "a socket's flags are SOCK_CLOEXEC and SOCK_NONBLOCK")
	}
	s := world.Socket{Family: family, Type: int(typ & 0xf), Protocol: protocol, NS: c.W.Task.NS[world.NetNS]}
	if pair { // it has its descriptors before its sockets
		if err := freeDescriptors(c, 2); err != 0 {
			return err
		}
	}
	if err := createSocket(c, &s); err != 0 {
		return err
	}
	if pair && s.Family != afUnix {
		return kindOfSocket(c, &s, story.EOPNOTSUPP)
	}
	if !pair {
		if err := freeDescriptors(c, 1); err != 0 {
			return err
		}
	}
	s.Connected = pair
	c.Moved = check.Moved{Socket: s, Sockets: 1}
	if pair {
		c.Moved.Sockets = 2
	}
	c.Effect(story.Effect{Kind: "socket"})
	return 0
}

// createSocket is __sock_create.
func createSocket(c *check.Check, s *world.Socket) story.Errno {
	fam := story.Step{Code: story.SocketFamily, Errno: story.EAFNOSUPPORT, Op: story.OpSocket, Val: [3]uint64{uint64(int64(s.Family))}}
	switch {
	case s.Family < 0 || s.Family >= 46:
		return c.Refuse(fam)
	case s.Type > sockPacket:
		return kindOfSocket(c, s, story.EINVAL)
	case s.Family == afInet && s.Type == sockPacket:
		s.Family = afPacket
	}
	if err := c.LSM.SocketCreate(c, s.Family, s.Type, s.Protocol); err != 0 {
		return err
	}
	s.Context = newContext(c)
	switch s.Family {
	case afUnspec:
		return c.Refuse(fam)
	case afUnix:
		return createUnix(c, s)
	case afInet, afInet6:
		return createInet(c, s)
	case afNetlink:
		return createNetlink(c, s)
	case afPacket:
		if err := netCapable(c, s.NS, kernel.CapNetRaw, kernel.CapNetRaw, story.EPERM, story.OpSocket); err != 0 {
			return err
		}
		if s.Type != sockDgram && s.Type != sockRaw && s.Type != sockPacket {
			return kindOfSocket(c, s, story.ESOCKTNOSUPPORT)
		}
		return 0
	}
	c.Unknown(fam)
	return createOther(c, s)
}

// createOther are families that a kernel may lack; of those that are not named here nothing is known.
func createOther(c *check.Check, s *world.Socket) story.Errno {
	switch s.Family {
	case afKey:
		if err := netCapable(c, s.NS, kernel.CapNetAdmin, kernel.CapNetAdmin, story.EPERM, story.OpSocket); err != 0 {
			return err
		}
		if s.Type != sockRaw {
			return kindOfSocket(c, s, story.ESOCKTNOSUPPORT)
		}
		if s.Protocol != 2 {
			return kindOfSocket(c, s, story.EPROTONOSUPPORT)
		}
	case afXDP:
		if err := netCapable(c, s.NS, kernel.CapNetRaw, kernel.CapNetRaw, story.EPERM, story.OpSocket); err != 0 {
			return err
		}
		if s.Type != sockRaw {
			return kindOfSocket(c, s, story.ESOCKTNOSUPPORT)
		}
		if s.Protocol != 0 {
			return kindOfSocket(c, s, story.EPROTONOSUPPORT)
		}
	case afVsock:
		if s.Protocol != 0 && s.Protocol != afVsock {
			return kindOfSocket(c, s, story.EPROTONOSUPPORT)
		}
		if s.Type != sockStream && s.Type != sockDgram && s.Type != sockSeqpacket {
			return kindOfSocket(c, s, story.ESOCKTNOSUPPORT)
		}
		unsureKind(c, s, story.ESOCKTNOSUPPORT)
	default:
		unsureKind(c, s, story.EPERM)
		for _, e := range [...]story.Errno{story.ESOCKTNOSUPPORT, story.EPROTONOSUPPORT, story.EINVAL} {
			c.MayEnd(e)
		}
	}
	return 0
}

// kindOfSocket refuses a type or a protocol.
func kindOfSocket(c *check.Check, s *world.Socket, e story.Errno) story.Errno {
	return c.Refuse(story.Step{Code: story.SocketKind, Errno: e, Op: story.OpSocket, Val: [3]uint64{uint64(s.Type), uint64(int64(s.Protocol))}})
}

func unsureKind(c *check.Check, s *world.Socket, e story.Errno) {
	c.Unknown(story.Step{Code: story.SocketKind, Errno: e, Op: story.OpSocket, Val: [3]uint64{uint64(s.Type), uint64(int64(s.Protocol))}})
}

// createUnix is unix_create.
func createUnix(c *check.Check, s *world.Socket) story.Errno {
	if s.Protocol != 0 && s.Protocol != afUnix {
		return kindOfSocket(c, s, story.EPROTONOSUPPORT)
	}
	switch s.Type {
	case sockRaw:
		s.Type = sockDgram
	case sockStream, sockDgram, sockSeqpacket:
	default:
		return kindOfSocket(c, s, story.ESOCKTNOSUPPORT)
	}
	return 0
}

// createNetlink is netlink_create. Which protocols are there depends on what the kernel is built with, but for three.
func createNetlink(c *check.Check, s *world.Socket) story.Errno {
	switch {
	case s.Type != sockRaw && s.Type != sockDgram:
		return kindOfSocket(c, s, story.ESOCKTNOSUPPORT)
	case s.Protocol < 0 || s.Protocol >= 32:
		return kindOfSocket(c, s, story.EPROTONOSUPPORT)
	case s.Protocol != 0 && s.Protocol != 15 && s.Protocol != 16:
		unsureKind(c, s, story.EPROTONOSUPPORT)
	}
	return 0
}

// createInet is inet_create and inet6_create: type and protocol, then the capability of raw sockets, then what the protocol asks.
func createInet(c *check.Check, s *world.Socket) story.Errno {
	icmp := 1
	if s.Family == afInet6 {
		icmp = 58
		if c.Recording() {
			c.Pass(story.Step{Code: story.SocketFamily, Op: story.OpSocket, Fact: [3]story.Origin{c.W.Suppose("the kernel has IPv6", "")}, Val: [3]uint64{afInet6}})
		}
	}
	if s.Protocol < 0 || s.Protocol > 262 {
		return kindOfSocket(c, s, story.EINVAL)
	}
	switch s.Type {
	case sockStream:
		if s.Protocol == 132 || s.Protocol == 262 { // SCTP and MPTCP
			unsureKind(c, s, story.EPROTONOSUPPORT)
			c.MayEnd(story.ENOPROTOOPT)
		} else if s.Protocol != 0 && s.Protocol != 6 {
			return kindOfSocket(c, s, story.EPROTONOSUPPORT)
		}
	case sockDgram:
		switch s.Protocol {
		case 0, 17:
		case icmp:
			return pingGroups(c)
		case 136: // UDP-Lite
			unsureKind(c, s, story.EPROTONOSUPPORT)
		default:
			return kindOfSocket(c, s, story.EPROTONOSUPPORT)
		}
	case sockRaw:
		if s.Protocol == 0 {
			return kindOfSocket(c, s, story.EPROTONOSUPPORT)
		}
		return netCapable(c, s.NS, kernel.CapNetRaw, kernel.CapNetRaw, story.EPERM, story.OpSocket)
	case sockSeqpacket, 6: // SCTP, DCCP
		unsureKind(c, s, story.ESOCKTNOSUPPORT)
		c.MayEnd(story.EPROTONOSUPPORT)
	default:
		return kindOfSocket(c, s, story.ESOCKTNOSUPPORT)
	}
	return 0
}

// pingGroups is ping_init_sock.
func pingGroups(c *check.Check) story.Errno {
	cr, set := c.Cred, c.W.Sysctl(kernel.PingGroupRange)
	low, high := kernel.Range(set.V)
	s := story.Step{Code: story.PingGroups, Errno: story.EACCES, Op: story.OpSocket, Fact: [3]story.Origin{set.At, set.At}, Val: [3]uint64{uint64(low), uint64(high)}}
	in := func(g world.KGID) bool { return uint32(g) >= low && uint32(g) <= high }
	granted := cr.GIDAt.Known() && in(cr.EGID)
	if cr.GroupsAt.Known() {
		for _, g := range cr.Groups {
			granted = granted || in(g)
		}
	}
	switch {
	case !set.Known():
		c.Unknown(s)
	case granted:
		c.Pass(s)
	case low > high || cr.GIDAt.Known() && cr.GroupsAt.Known():
		return c.Deny(s)
	default:
		s.Fact[2] = cr.GroupsAt
		c.Unknown(s)
	}
	return 0
}

// netOwner is the user namespace that owns a network namespace, and the Origin of that.
func netOwner(c *check.Check, ns world.NamespaceID) (world.UserNSID, story.Origin) {
	if ns == 0 || len(c.W.Namespaces) == 0 {
		return 0, c.W.Namespace(world.NetNS).At
	}
	n := &c.W.Namespaces[ns]
	return n.Owner, n.At
}

// netCapable asks for one of two capabilities in the user namespace that owns a network namespace.
func netCapable(c *check.Check, ns world.NamespaceID, one, other kernel.Cap, e story.Errno, op story.Op) story.Errno {
	owner, at := netOwner(c, ns)
	a, b := asksNet(c, owner, at, one), kernel.No
	if a != kernel.Yes && other != one {
		b = asksNet(c, owner, at, other)
	}
	return eitherCapable(c, owner, at, one, other, best(a, b), e, op)
}

// elsewhere answers where it is not known which user namespace is asked: a task that holds the capability nowhere may own it yet.
func elsewhere(c *check.Check, _ kernel.Cap) kernel.Answer {
	if c.Cred.EffectiveAt.Known() && c.Cred.Effective == 0 && c.Cred.UserNS == 0 {
		return kernel.No
	}
	return kernel.NotKnown
}

// eitherCapable turns the answer to a question for one of two capabilities into a step.
func eitherCapable(c *check.Check, owner world.UserNSID, at story.Origin, one, other kernel.Cap, a kernel.Answer, e story.Errno, op story.Op) story.Errno {
	cr := c.Cred
	s := story.Step{Code: story.NetCapability, Errno: e, Op: op, Fact: [3]story.Origin{0, at, cr.EffectiveAt}, Val: [3]uint64{0, uint64(owner), uint64(cr.Effective)}}
	if c.Recording() {
		name := one.String()
		if other != one {
			name += " or " + other.String()
		}
		s.Val[0] = c.Word(name)
	}
	switch a {
	case kernel.Yes:
		c.Pass(s)
		return 0
	case kernel.NotKnown:
		c.Unknown(s)
		return 0
	}
	if cr.EffectiveAt.Known() && (cr.Effective.Has(one) || cr.Effective.Has(other)) {
		s.Code, s.Val[2] = story.NetCapabilityNS, uint64(cr.UserNS)
	}
	return c.Deny(s)
}

// best is the more favourable of two answers.
func best(a, b kernel.Answer) kernel.Answer {
	switch {
	case a == kernel.Yes || b == kernel.Yes:
		return kernel.Yes
	case a == kernel.NotKnown || b == kernel.NotKnown:
		return kernel.NotKnown
	}
	return kernel.No
}

// socketAt is sockfd_lookup_light: a descriptor that is open and a socket. One of which nothing is known is nil.
func socketAt(c *check.Check, fd int, op story.Op) (*world.Socket, story.Errno) {
	f, err := opened(c, fd, op)
	if err != 0 || f == nil {
		return nil, err
	}
	return socketOf(c, f, fd, op)
}

// socketOf is sock_from_file.
func socketOf(c *check.Check, f *world.FD, fd int, op story.Op) (*world.Socket, story.Errno) {
	s := story.Step{Code: story.NotSocket, Errno: story.ENOTSOCK, Op: op, Val: [3]uint64{uint64(int64(fd))}}
	switch {
	case f.Kind == world.FDSocket && f.Socket != nil:
		return f.Socket, 0
	case !f.At.Known() || f.Kind == world.FDSocket:
		s.Fact[0] = f.At
		c.Unknown(s)
		return nil, 0
	}
	return nil, c.Refuse(s)
}

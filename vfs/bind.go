package vfs

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/world"
)

// Address is a socket's address as a call gives it.
type Address struct {
	Family int
	Port   uint16
	Host   string // as inet_addr and inet_pton take it
	Path   string // of a UNIX socket, up to its end; an abstract name begins with a zero byte
	Groups uint32 // of netlink
	Len    int64  // the call's length
	Null   bool   // its address is not readable
	Lost   bool   // what it holds is not known
}

// copied is move_addr_to_kernel.
func (a *Address) copied(c *check.Check) story.Errno {
	switch {
	case a.Len < 0 || a.Len > 128:
		return Invalid(c, story.EINVAL, "an address has at most 128 bytes")
	case a.Len > 0 && a.Null:
		return Invalid(c, story.EFAULT, "the address cannot be read")
	}
	return 0
}

// Bind is __sys_bind.
func Bind(c *check.Check, fd int, a Address) story.Errno {
	s, err := socketAt(c, fd, story.OpBind)
	if err != 0 {
		return err
	}
	if err := a.copied(c); err != 0 {
		return err
	}
	if s == nil || a.Lost {
		return unknownAddress(c, story.EACCES, story.EINVAL, story.EADDRINUSE, story.EADDRNOTAVAIL, story.EAFNOSUPPORT)
	}
	if err := c.LSM.SocketBind(c, a.asked(s)); err != 0 {
		return err
	}
	switch s.Family {
	case afUnix:
		err = a.bindUnix(c, s)
	case afInet:
		err = a.bindInet(c, s)
	case afInet6:
		err = a.bindInet6(c, s)
	case afNetlink:
		err = a.bindNetlink(c, s)
	default:
		return unknownAddress(c, story.EINVAL, story.EACCES, story.ENODEV, story.EADDRNOTAVAIL)
	}
	if err == 0 {
		c.Moved = check.Moved{Change: s, Bound: true}
	}
	return err
}

// asked is what the modules are asked for.
func (a *Address) asked(s *world.Socket) check.SocketAddress {
	inet := s.Family == afInet || s.Family == afInet6
	any := a.Host == ""
	if !any {
		host, err := netip.ParseAddr(a.Host)
		any = err == nil && host.IsUnspecified()
	}
	return check.SocketAddress{Of: s, Host: a.Host, TCP: inet && s.Type == sockStream && (s.Protocol == 0 || s.Protocol == 6), Socket: s.Family, Family: a.Family, Len: a.Len, Any: any, Port: a.Port, Abstract: s.Family == afUnix && strings.HasPrefix(a.Path, "\x00")}
}

func unknownAddress(c *check.Check, errnos ...story.Errno) story.Errno {
	c.Unknown(story.Step{Code: story.NotWritten, Errno: errnos[0], Op: story.OpBind, Val: [3]uint64{c.Word("what the socket makes of the address")}})
	for _, e := range errnos[1:] {
		c.MayEnd(e)
	}
	return 0
}

func wrongFamily(c *check.Check, s *world.Socket, a *Address, e story.Errno) story.Errno {
	return c.Refuse(story.Step{Code: story.AddressFamily, Errno: e, Op: story.OpBind, Val: [3]uint64{uint64(a.Family), uint64(s.Family)}})
}

// bindInet is inet_bind and __inet_bind: the address comes before the port's capability.
func (a *Address) bindInet(c *check.Check, s *world.Socket) story.Errno {
	if a.Len < 16 {
		return Invalid(c, story.EINVAL, "an IPv4 address has 16 bytes")
	}
	host, err := netip.ParseAddr(a.Host)
	if err != nil {
		host = netip.IPv4Unspecified()
	}
	if s.Type == sockRaw {
		return a.local4(c, s, host)
	}
	if a.Family != afInet && (a.Family != afUnspec || !host.IsUnspecified()) {
		return wrongFamily(c, s, a, story.EAFNOSUPPORT)
	}
	if err := a.local4(c, s, host); err != 0 {
		return err
	}
	if s.Type == sockDgram && s.Protocol == 1 { // ping_bind: the port is an identifier
		return 0
	}
	if err := a.port(c, s); err != 0 {
		return err
	}
	if s.Bound {
		return alreadyBound(c)
	}
	return a.free(c)
}

// local4 is inet_addr_valid_or_nonlocal. While a network namespace has no table of local addresses, since no interface is up,
// every address passes for a broadcast (__inet_dev_addr_type).
func (a *Address) local4(c *check.Check, s *world.Socket, host netip.Addr) story.Errno {
	b := host.As4()
	fresh := s.NS != 0 && c.W.Namespaces[s.NS].Fresh
	if fresh || binary.BigEndian.Uint32(b[:]) == 0xffffffff || b[0] == 0 || host.IsUnspecified() || host.IsMulticast() {
		return 0
	}
	return a.local(c, s, host.IsLoopback())
}

// local looks for an address among those of the network namespace. The loopback interface has its own as soon as it is up.
func (a *Address) local(c *check.Check, s *world.Socket, loopback bool) story.Errno {
	st := story.Step{Code: story.AddressLocal, Errno: story.EADDRNOTAVAIL, Op: story.OpBind, Val: [3]uint64{c.Word(a.Host)}}
	fresh := s.NS != 0 && c.W.Namespaces[s.NS].Fresh
	switch {
	case fresh:
		st.Val[1] = c.Word("nobody has set up its interfaces")
		return c.Refuse(st)
	case loopback:
		if c.Recording() {
			st.Fact[0] = c.W.Suppose("the loopback interface of the network namespace is up", "")
			c.Pass(st)
		}
	default:
		c.Unknown(st)
	}
	return 0
}

// bindInet6 is inet6_bind and __inet6_bind: the port's capability comes before the address.
func (a *Address) bindInet6(c *check.Check, s *world.Socket) story.Errno {
	if a.Len < 24 {
		return Invalid(c, story.EINVAL, "an IPv6 address has 24 bytes at least")
	}
	if s.Type == sockRaw || s.Type == sockDgram && s.Protocol == 58 {
		return unknownAddress(c, story.EINVAL, story.EADDRNOTAVAIL, story.EAFNOSUPPORT)
	}
	if a.Family != afInet6 {
		return wrongFamily(c, s, a, story.EAFNOSUPPORT)
	}
	host, err := netip.ParseAddr(a.Host)
	if err != nil {
		host = netip.IPv6Unspecified()
	}
	if host.IsMulticast() && s.Type == sockStream {
		return Invalid(c, story.EINVAL, "a stream socket has no multicast address")
	}
	if err := a.port(c, s); err != 0 {
		return err
	}
	if s.Bound {
		return alreadyBound(c)
	}
	if !host.IsUnspecified() && !host.IsMulticast() {
		if host.Is4In6() || host.IsLinkLocalUnicast() {
			c.Unknown(story.Step{Code: story.AddressLocal, Errno: story.EADDRNOTAVAIL, Op: story.OpBind, Val: [3]uint64{c.Word(a.Host)}})
			c.MayEnd(story.EINVAL)
			c.MayEnd(story.ENODEV)
		} else if err := a.local(c, s, host.IsLoopback()); err != 0 {
			return err
		}
	}
	return a.free(c)
}

// port asks for CAP_NET_BIND_SERVICE below net.ipv4.ip_unprivileged_port_start.
func (a *Address) port(c *check.Check, s *world.Socket) story.Errno {
	if a.Port == 0 {
		return 0
	}
	set := c.W.Sysctl(kernel.IPUnprivilegedPortStart)
	owner, at := netOwner(c, s.NS)
	st := story.Step{Code: story.PrivilegedPort, Errno: story.EACCES, Op: story.OpBind, Fact: [3]story.Origin{0, set.At, c.Cred.EffectiveAt}, Val: [3]uint64{uint64(a.Port), uint64(set.V)}}
	if set.Known() && int(a.Port) >= set.V {
		st.Val[2] = c.Word("it is one of them")
		c.Pass(st)
		return 0
	}
	has := asksNet(c, owner, at, kernel.CapNetBindService)
	switch {
	case has == kernel.Yes:
		st.Val[2] = c.Word("the task has CAP_NET_BIND_SERVICE")
		c.Pass(st)
	case !set.Known() || has == kernel.NotKnown:
		if !at.Known() {
			st.Fact[2] = at
		}
		c.Unknown(st)
	case c.Cred.EffectiveAt.Known() && c.Cred.Effective.Has(kernel.CapNetBindService):
		return c.Deny(story.Step{Code: story.NetCapabilityNS, Errno: story.EACCES, Op: story.OpBind, Fact: [3]story.Origin{set.At, at, c.Cred.EffectiveAt}, Val: [3]uint64{c.Word(kernel.CapNetBindService.String()), uint64(owner), uint64(c.Cred.UserNS)}})
	default:
		return c.Deny(st)
	}
	return 0
}

func alreadyBound(c *check.Check) story.Errno {
	return c.Refuse(story.Step{Code: story.SocketBound, Errno: story.EINVAL, Op: story.OpBind})
}

// free supposes that no other socket has the address.
func (a *Address) free(c *check.Check) story.Errno {
	if c.Recording() && a.Port != 0 {
		c.Pass(story.Step{Code: story.AddressInUse, Op: story.OpBind, Fact: [3]story.Origin{c.W.Suppose("no other socket has the address and the port", "")}})
	}
	return 0
}

// bindNetlink is netlink_bind.
func (a *Address) bindNetlink(c *check.Check, s *world.Socket) story.Errno {
	switch {
	case a.Len < 12:
		return Invalid(c, story.EINVAL, "a netlink address has 12 bytes")
	case a.Family != afNetlink:
		return wrongFamily(c, s, a, story.EINVAL)
	case a.Groups == 0 && s.Bound: // it keeps its number
		return unknownAddress(c, story.EINVAL)
	case a.Groups == 0:
		return 0
	case s.Protocol != 0 && s.Protocol != 15 && s.Protocol != 16: // these are open to everybody (NL_CFG_F_NONROOT_RECV)
		return unknownAddress(c, story.EPERM)
	}
	return 0
}

// bindUnix is unix_bind: no address at all stands for a name that the kernel chooses.
func (a *Address) bindUnix(c *check.Check, s *world.Socket) story.Errno {
	if a.Len == 2 && a.Family == afUnix {
		return 0
	}
	if err := a.unixAddress(c, s); err != 0 {
		return err
	}
	path := a.Path
	if n := int(a.Len) - 2; len(path) > n {
		path = path[:n]
	}
	if path == "" || path[0] == 0 {
		if s.Bound {
			return alreadyBound(c)
		}
		if c.Recording() {
			c.Pass(story.Step{Code: story.AddressInUse, Op: story.OpBind, Fact: [3]story.Origin{c.W.Suppose("no other socket has the address and the port", "")}})
		}
		return 0
	}
	e := entry{taken: story.EADDRINUSE}
	if err := e.bind(c, Target{DFD: namei.AtFDCWD, Path: path}); err != 0 {
		return err
	}
	if s.Bound {
		return alreadyBound(c) // the name is removed again
	}
	return e.made(c, world.TypeSock|0o777, true)
}

// unixAddress is unix_validate_addr.
func (a *Address) unixAddress(c *check.Check, s *world.Socket) story.Errno {
	switch {
	case a.Len <= 2 || a.Len > 110:
		return Invalid(c, story.EINVAL, "a UNIX address has 3 to 110 bytes")
	case a.Family != afUnix:
		return wrongFamily(c, s, a, story.EINVAL)
	}
	return 0
}

// bind is unix_bind_bsd: the checks of mknod.
func (e *entry) bind(c *check.Check, t Target) story.Errno {
	if err := e.create(c, t, false); err != 0 {
		return err
	}
	if err := c.LSM.PathMknod(c, e.dir, world.TypeSock, false); err != 0 {
		return err
	}
	if err := mayCreate(c, e.dir); err != 0 {
		return err
	}
	if err := operation(c, e.dir, opMknod, story.EPERM); err != 0 {
		return err
	}
	return c.LSM.InodeMknod(c, e.dir, e.name, world.TypeSock)
}

// Connect is __sys_connect as far as it does not depend on the other end.
func Connect(c *check.Check, fd int, a Address) story.Errno {
	s, err := socketAt(c, fd, story.OpConnect)
	if err != 0 {
		return err
	}
	if err := a.copied(c); err != 0 {
		return err
	}
	if s == nil || a.Lost {
		return peer(c, world.Path{}, story.EACCES, story.EINVAL, story.EAFNOSUPPORT, story.ENOENT)
	}
	if err := c.LSM.SocketConnect(c, a.asked(s)); err != 0 {
		return err
	}
	if s.Family == afUnix {
		return a.connectUnix(c, s)
	}
	if s.Family == afInet && s.Type == sockStream {
		switch {
		case a.Len < 2:
			return Invalid(c, story.EINVAL, "an address begins with its family")
		case a.Family == afUnspec:
			return 0 // the connection is given up
		case s.Listens || s.Connected:
			reason := "the socket is connected"
			if s.Listens {
				reason = "the socket listens"
			}
			return c.Refuse(story.Step{Code: story.SocketState, Errno: story.EISCONN, Op: story.OpConnect, Val: [3]uint64{c.Word(reason)}})
		case a.Len < 16:
			return Invalid(c, story.EINVAL, "an IPv4 address has 16 bytes")
		case a.Family != afInet:
			return wrongFamily(c, s, &a, story.EAFNOSUPPORT)
		}
	}
	a.again(c, s)
	c.Moved = check.Moved{Change: s, Tried: true}
	return peer(c, world.Path{}, story.ENETUNREACH, story.ETIMEDOUT, story.EHOSTUNREACH, story.EINPROGRESS, story.EACCES, story.EADDRNOTAVAIL)
}

// again: a socket that is connected may refuse to be so twice.
func (a *Address) again(c *check.Check, s *world.Socket) {
	if s.Connected {
		c.MayEnd(story.EISCONN)
		c.MayEnd(story.EINVAL)
	}
}

// peer says that the other end is not known.
func peer(c *check.Check, p world.Path, errnos ...story.Errno) story.Errno {
	c.Unknown(story.Step{Code: story.SocketPeer, Errno: story.ECONNREFUSED, Op: story.OpConnect, Obj: p.Ref()})
	for _, e := range errnos {
		c.MayEnd(e)
	}
	return 0
}

// connectUnix is unix_stream_connect and unix_dgram_connect: unix_find_bsd looks the path up and asks for write permission.
func (a *Address) connectUnix(c *check.Check, s *world.Socket) story.Errno {
	c.Moved = check.Moved{Change: s, Tried: true}
	if s.Type == sockDgram && a.Family == afUnspec && a.Len >= 2 {
		return 0
	}
	if err := a.unixAddress(c, s); err != 0 {
		return err
	}
	path := a.Path
	if n := int(a.Len) - 2; len(path) > n {
		path = path[:n]
	}
	if path == "" || path[0] == 0 {
		a.again(c, s)
		return peer(c, world.Path{}, story.EPERM, story.EPROTOTYPE, story.EAGAIN)
	}
	var n namei.Walk
	if err := n.At(c, namei.AtFDCWD, path, namei.Follow); err != 0 {
		return err
	}
	if err := c.Hooks.InodePermission(c, c.Cred, n.Path, check.MayWrite); err != 0 {
		return err
	}
	ino := c.W.FS.I(n.Path.Dentry)
	if ino.Known&world.KnownType != 0 && !ino.Is(world.TypeSock) {
		return c.Refuse(story.Step{Code: story.SocketPeer, Errno: story.ECONNREFUSED, Op: story.OpConnect, Obj: n.Path.Ref()})
	}
	a.again(c, s)
	return peer(c, n.Path, story.EPROTOTYPE, story.EAGAIN)
}

// Listen is __sys_listen.
func Listen(c *check.Check, fd int) story.Errno {
	s, err := socketAt(c, fd, story.OpListen)
	if err != 0 || s == nil {
		return err
	}
	if err := c.LSM.OnSocket(c, story.HookSocketListen, s, story.OpListen); err != 0 {
		return err
	}
	reason, e := "", story.Errno(0)
	switch {
	case s.Family == afUnix && s.Type == sockDgram, s.Family == afNetlink, s.Family == afPacket:
		reason, e = "such sockets do not listen", story.EOPNOTSUPP
	case s.Family == afUnix && !s.Bound:
		reason, e = "the socket has no address", story.EINVAL
	case (s.Family == afInet || s.Family == afInet6) && s.Type != sockStream:
		// inet_dgram_ops has no listen of its own
		reason, e = "such sockets do not listen", story.EOPNOTSUPP
	case s.Family != afUnix && s.Family != afInet && s.Family != afInet6:
		c.Unknown(story.Step{Code: story.SocketState, Errno: story.EOPNOTSUPP, Op: story.OpListen, Val: [3]uint64{c.Word("whether such sockets listen is not known")}})
	}
	if e != 0 {
		return c.Refuse(story.Step{Code: story.SocketState, Errno: e, Op: story.OpListen, Val: [3]uint64{c.Word(reason)}})
	}
	c.Moved = check.Moved{Change: s, Listens: true}
	return 0
}

// Accept is __sys_accept4 up to the point where it waits for somebody.
func Accept(c *check.Check, fd int, flags uint64) story.Errno {
	f, err := opened(c, fd, story.OpListen)
	if err != 0 {
		return err
	}
	if flags&^uint64(sockCloexec|sockNonblock) != 0 {
		return Invalid(c, story.EINVAL, "accept4 knows SOCK_CLOEXEC and SOCK_NONBLOCK")
	}
	if err := freeDescriptor(c); err != 0 {
		return err
	}
	var s *world.Socket
	if f != nil {
		if s, err = socketOf(c, f, fd, story.OpListen); err != 0 {
			return err
		}
	}
	if s == nil {
		c.MayEnd(story.EINVAL)
		c.MayBlock()
		return 0
	}
	if err := c.LSM.OnSocket(c, story.HookSocketAccept, s, story.OpListen); err != 0 {
		return err
	}
	reason, e := "", story.Errno(0)
	switch {
	case s.Family == afUnix && s.Type == sockDgram, s.Family == afNetlink, s.Family == afPacket, (s.Family == afInet || s.Family == afInet6) && s.Type != sockStream:
		reason, e = "such sockets accept nobody", story.EOPNOTSUPP
	case !s.Listens:
		reason, e = "the socket does not listen", story.EINVAL
	}
	if e != 0 {
		return c.Refuse(story.Step{Code: story.SocketState, Errno: e, Op: story.OpListen, Val: [3]uint64{c.Word(reason)}})
	}
	c.Unknown(story.Step{Code: story.SocketPeer, Errno: story.EAGAIN, Op: story.OpListen})
	c.MayBlock()
	return 0
}

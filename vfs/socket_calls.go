package vfs

import (
	"slices"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Calls on sockets that nothing but their own state refuses: net/socket.c.

// SocketName is getsockname, and with peer getpeername.
func SocketName(c *check.Check, fd int, peer, fault bool) story.Errno {
	s, err := socketAt(c, fd, story.OpLook)
	if err != 0 || s == nil {
		return err
	}
	if peer {
		return NotKnown(c, "whether the socket is connected", story.ENOTCONN, story.EFAULT)
	}
	if fault {
		return Fault(c)
	}
	return 0
}

// Shutdown is inet_shutdown and unix_shutdown.
func Shutdown(c *check.Check, fd int, how int32, known bool) story.Errno {
	s, err := socketAt(c, fd, story.OpSocket)
	if err != 0 || s == nil {
		return err
	}
	switch {
	case known && (how < 0 || how > 2) && (s.Family == afUnix || s.Family == afInet || s.Family == afInet6):
		return Invalid(c, story.EINVAL, "a socket is shut down for reading, writing or both")
	case s.Family == afUnix:
		return 0
	}
	return NotKnown(c, "whether the socket is connected", story.ENOTCONN, story.EOPNOTSUPP, story.EINVAL)
}

// SocketData is a call that sends or receives; an address says whom, with the questions that connect asks for one.
func SocketData(c *check.Check, fd int, op story.Op) story.Errno {
	s, err := socketAt(c, fd, op)
	if err != 0 {
		return err
	}
	if s != nil && s.Family == afUnix && s.Type == sockStream && s.Listens {
		c.MayEnd(story.EINVAL)
	}
	for _, e := range [...]story.Errno{story.ENOTCONN, story.EPIPE, story.EDESTADDRREQ, story.EINVAL, story.EFAULT, story.EMSGSIZE, story.EACCES, story.EPERM, story.ECONNREFUSED, story.EOPNOTSUPP} {
		c.MayEnd(e)
	}
	c.MayBlock()
	return NotKnown(c, "what the socket is connected to and holds", story.EAGAIN)
}

// Getsockopt is __sys_getsockopt: options are read by everybody, where the socket has them.
func Getsockopt(c *check.Check, fd int, level, name int, noLength, noValue bool) story.Errno {
	s, err := socketAt(c, fd, story.OpSetopt)
	if err != 0 || s == nil {
		return err
	}
	o := Option{Level: level, Name: name}
	known, refused := o.readable(c, s)
	switch {
	case refused == story.EOPNOTSUPP: // by the family, before the value's length is looked at
		return o.refuse(c, refused)
	case !known && refused == 0:
		return NotKnown(c, "what this option of the protocol says", story.ENOPROTOOPT, story.EOPNOTSUPP, story.EINVAL, story.EFAULT, story.EPERM, story.ENOTCONN, story.ENODATA)
	case noLength:
		return Fault(c)
	case refused != 0:
		return o.refuse(c, refused)
	case noValue:
		return NotKnown(c, "how long the value may be", story.EFAULT, story.EINVAL)
	}
	return 0
}

// readable reports whether the socket tells the option, sk_getsockopt and the getsockopt of the protocol, or the errno that it answers instead.
func (o *Option) readable(c *check.Check, s *world.Socket) (bool, story.Errno) {
	inet := s.Family == afInet || s.Family == afInet6
	in := func(rules map[int]optionRule, more ...int) bool {
		r, ok := rules[o.Name]
		return ok && !r.absent || slices.Contains(more, o.Name)
	}
	switch {
	case s.Protocol == 132 || s.Protocol == 262 || s.Family == afVsock:
	case o.Level == solSocket && (o.Name <= 0 || o.Name > 255):
		return false, story.ENOPROTOOPT
	case o.Level == solSocket && (o.Name == 16 || o.Name == 34) && (inet || s.Family == afPacket): // PASSCRED PASSSEC
		return c.K.Has(kernel.ScmReceivers) == kernel.No, 0
	case o.Level == solSocket:
		return in(optionsOfSocket, 1, 3, 4, 12, 15, 17, 19, 20, 21, 30, 36, 37, 38, 39, 44, 48, 55, 66, 67), 0
	case s.Family == afUnix:
		return false, story.EOPNOTSUPP
	case !inet:
	case o.Level == solTCP && s.Type == sockStream:
		return in(optionsOfTCP, 10, 11, 13), 0
	case o.Level == solUDP && isUDP(s):
		return in(optionsOfUDP), 0
	case o.Level == solIP && (s.Family == afInet || s.Type != sockRaw):
		return in(optionsOfIP, 19) && (o.Name != 3 && o.Name != 22 || s.Type == sockRaw) && o.Name != 25, 0
	case o.Level == solIPv6 && s.Family == afInet6:
		return in(optionsOfIPv6, 75) && o.Name != 24, 0
	}
	return false, 0
}

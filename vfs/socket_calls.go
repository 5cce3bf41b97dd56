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
	hook := story.HookSocketGetsockname
	if peer {
		hook = story.HookSocketGetpeername
	}
	if err := c.LSM.OnSocket(c, hook, s, story.OpLook); err != 0 {
		return err
	}
	switch {
	case peer && unconnected(s):
		return socketState(c, story.OpLook, story.ENOTCONN, "the socket is not connected")
	case peer:
		return NotKnown(c, "whether the socket is connected", story.ENOTCONN, story.EFAULT)
	case fault:
		return Fault(c)
	}
	return 0
}

// unconnected reports whether a socket has no peer for sure.
func unconnected(s *world.Socket) bool {
	return !s.Connected && !s.Tried && (s.Family == afUnix || socketKind(s)&(onTCP|onUDP) != 0)
}

// socketState refuses what the socket's state does not allow.
func socketState(c *check.Check, op story.Op, e story.Errno, reason string) story.Errno {
	return c.Refuse(story.Step{Code: story.SocketState, Errno: e, Op: op, Val: [3]uint64{c.Word(reason)}})
}

// Shutdown is inet_shutdown and unix_shutdown.
func Shutdown(c *check.Check, fd int, how int32, known bool) story.Errno {
	s, err := socketAt(c, fd, story.OpSocket)
	if err != 0 || s == nil {
		return err
	}
	if err := c.LSM.OnSocket(c, story.HookSocketShutdown, s, story.OpSocket); err != 0 {
		return err
	}
	if known && (how < 0 || how > 2) && (s.Family == afUnix || s.Family == afInet || s.Family == afInet6) {
		return Invalid(c, story.EINVAL, "a socket is shut down for reading, writing or both")
	}
	if c.Moved = (check.Moved{Change: s, Tried: true}); s.Family == afUnix {
		return 0
	}
	return NotKnown(c, "whether the socket is connected", story.ENOTCONN, story.EOPNOTSUPP, story.EINVAL)
}

// SocketIO is a call that sends or receives.
type SocketIO struct {
	FD      int
	Op      story.Op // OpRead, OpWrite
	Flags   uint64   // MSG_*
	Known   bool     // Flags are
	To      bool     // an address says whom; with the questions that connect asks for one
	Message bool     // a structure holds buffers and address
}

// Do is __sock_sendmsg and sock_recvmsg. What a socket without a peer answers is known.
func (io SocketIO) Do(c *check.Check) story.Errno {
	s, err := socketAt(c, io.FD, io.Op)
	if err != 0 {
		return err
	}
	if io.Message {
		NotKnown(c, "what the structure holds", story.EFAULT, story.EINVAL, story.EMSGSIZE, story.ENOBUFS)
	}
	return io.on(c, s)
}

// on is what the socket is asked for and answers.
func (io SocketIO) on(c *check.Check, s *world.Socket) story.Errno {
	const dontwait, nosignal = 0x40, 0x4000
	if s != nil {
		hook := story.HookSocketRecvmsg
		if io.Op == story.OpWrite {
			hook = story.HookSocketSendmsg
		}
		if err := c.LSM.OnSocket(c, hook, s, io.Op); err != 0 {
			return err
		}
	}
	if s != nil && io.Known && io.Flags&^uint64(dontwait|nosignal) == 0 && !io.To && !io.Message && unconnected(s) {
		switch unix, write := s.Family == afUnix, io.Op == story.OpWrite; {
		case unix && write, socketKind(s) == onTCP && !write, s.Type == sockSeqpacket:
			return socketState(c, io.Op, story.ENOTCONN, "the socket is not connected")
		case socketKind(s) == onTCP:
			if io.Flags&nosignal == 0 {
				break // SIGPIPE may end the task
			}
			return socketState(c, io.Op, story.EPIPE, "the socket is not connected")
		case unix && s.Type == sockStream:
			return socketState(c, io.Op, story.EINVAL, "the socket is not connected")
		case !write && !s.Bound && io.Flags&dontwait != 0:
			return socketState(c, io.Op, story.EAGAIN, "the socket has no address that somebody could send to")
		}
	}
	if s != nil && s.Family == afUnix && s.Type == sockStream && s.Listens {
		c.MayEnd(story.EINVAL)
	}
	if s == nil || s.Family != afUnix && s.Family != afInet && s.Family != afInet6 { // packet_snd asks for an interface
		c.MayEnd(story.ENXIO)
		c.MayEnd(story.ENETDOWN)
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
	if err := c.LSM.OnSocket(c, story.HookSocketGetsockopt, s, story.OpSetopt); err != 0 {
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

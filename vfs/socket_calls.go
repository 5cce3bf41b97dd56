package vfs

import (
	"syscallstory/check"
	"syscallstory/story"
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

// Getsockopt is __sys_getsockopt. Options of a socket itself are read by everybody.
func Getsockopt(c *check.Check, fd int, level, name int, noLength, noValue bool) story.Errno {
	s, err := socketAt(c, fd, story.OpSetopt)
	if err != 0 || s == nil {
		return err
	}
	if level != solSocket || name < 2 || name > 10 {
		return NotKnown(c, "what this option of the protocol says", story.ENOPROTOOPT, story.EOPNOTSUPP, story.EINVAL, story.EFAULT, story.EPERM)
	}
	switch {
	case noLength:
		return Fault(c)
	case noValue:
		return NotKnown(c, "how long the value may be", story.EFAULT, story.EINVAL)
	}
	return 0
}

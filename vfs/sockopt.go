package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Levels of socket options.
const (
	solIP     = 0
	solSocket = 1
	solTCP    = 6
	solIPv6   = 41
)

// Option is what setsockopt is given.
type Option struct {
	Level, Name int
	Val         int64
	Str         string
	Text        bool // the value is a string
	Len         int64
	Null        bool // it cannot be read
	Lost        bool // it is not known
}

// Setsockopt is __sys_setsockopt, for the options that ask for a capability and the common ones that do not.
func Setsockopt(c *check.Check, fd int, o Option) story.Errno {
	s, err := socketAt(c, fd, story.OpSetopt)
	if err != 0 {
		return err
	}
	if s == nil {
		return o.unknown(c, story.EPERM)
	}
	if int32(o.Len) < 0 {
		return Invalid(c, story.EINVAL, "the value's length is negative")
	}
	if err := c.LSM.OnSocket(c, story.HookSocketSetsockopt, s, story.OpSetopt); err != 0 {
		return err
	}
	switch {
	case o.Level == solSocket:
		return o.socket(c, s)
	case s.Family == afUnix:
		return o.refuse(c, story.EOPNOTSUPP)
	case s.Family == afInet && o.Level == solIP:
		return o.ip(c, s)
	case s.Family == afInet && o.Level == solTCP && s.Type == sockStream, s.Family == afInet6 && o.Level == solTCP && s.Type == sockStream:
		return o.tcp(c, s)
	case s.Family == afInet6 && o.Level == solIPv6 && o.Name == 75:
		return o.transparent(c, s)
	}
	return o.unknown(c, story.EPERM)
}

func (o *Option) refuse(c *check.Check, e story.Errno) story.Errno {
	return c.Refuse(story.Step{Code: story.SocketOption, Errno: e, Op: story.OpSetopt, Val: [3]uint64{uint64(int64(o.Level)), uint64(int64(o.Name))}})
}

func (o *Option) unknown(c *check.Check, errnos ...story.Errno) story.Errno {
	c.Unknown(story.Step{Code: story.SocketOption, Errno: story.ENOPROTOOPT, Op: story.OpSetopt, Val: [3]uint64{uint64(int64(o.Level)), uint64(int64(o.Name))}})
	c.MayEnd(story.EINVAL)
	for _, e := range errnos {
		c.MayEnd(e)
	}
	return 0
}

// number is the copy of a value of four bytes.
func (o *Option) number(c *check.Check) story.Errno {
	switch {
	case o.Len < 4:
		return Invalid(c, story.EINVAL, "the value has four bytes")
	case o.Null:
		return Invalid(c, story.EFAULT, "the value cannot be read")
	}
	return 0
}

// socket is sk_setsockopt.
func (o *Option) socket(c *check.Check, s *world.Socket) story.Errno {
	const soBindToDevice, soBindToIfindex = 25, 62
	if o.Name == soBindToDevice {
		return o.device(c, s)
	}
	if err := o.number(c); err != 0 {
		return err
	}
	if o.Lost || o.Text {
		return o.unknown(c, story.EPERM)
	}
	v := int32(o.Val)
	switch o.Name {
	case 2, 6, 7, 8, 9, 10: // REUSEADDR BROADCAST SNDBUF RCVBUF KEEPALIVE OOBINLINE
		return 0
	case 3, 4, 38, 39, 30: // TYPE ERROR PROTOCOL DOMAIN ACCEPTCONN are only read
		return o.refuse(c, story.ENOPROTOOPT)
	case 1: // DEBUG
		if v != 0 {
			return initCapable(c, kernel.CapNetAdmin, story.EACCES)
		}
	case 12: // PRIORITY
		if v >= 0 && v <= 6 {
			return 0
		}
		return netCapable(c, s.NS, kernel.CapNetRaw, kernel.CapNetAdmin, story.EPERM, story.OpSetopt)
	case 32, 33: // SNDBUFFORCE RCVBUFFORCE
		return initCapable(c, kernel.CapNetAdmin, story.EPERM)
	case 75: // RCVMARK
		switch c.K.Has(kernel.ReceiveMarkFree) {
		case kernel.Yes:
			return 0
		case kernel.NotKnown:
			return o.unknown(c, story.EPERM)
		}
		return netCapable(c, s.NS, kernel.CapNetRaw, kernel.CapNetAdmin, story.EPERM, story.OpSetopt)
	case 36: // MARK
		return netCapable(c, s.NS, kernel.CapNetRaw, kernel.CapNetAdmin, story.EPERM, story.OpSetopt)
	case 69: // PREFER_BUSY_POLL
		if v != 0 {
			return initCapable(c, kernel.CapNetAdmin, story.EPERM)
		}
	case soBindToIfindex:
		if v < 0 {
			return Invalid(c, story.EINVAL, "the number of an interface is not negative")
		}
		return o.unknown(c, story.EPERM)
	default:
		return o.unknown(c, story.EPERM)
	}
	return 0
}

// initCapable is capable(), for what reaches beyond a network namespace.
func initCapable(c *check.Check, want kernel.Cap, e story.Errno) story.Errno {
	return eitherCapable(c, 0, 0, want, want, capable(c, 0, want, check.RealmInitial), e, story.OpSetopt)
}

// device is sock_setbindtodevice: everybody binds a socket to an interface; CAP_NET_RAW gives it another one.
func (o *Option) device(c *check.Check, s *world.Socket) story.Errno {
	if o.Null && o.Len > 0 {
		return Invalid(c, story.EFAULT, "the value cannot be read")
	}
	name := o.Str
	if int64(len(name)) > o.Len {
		name = name[:o.Len]
	}
	switch {
	case !o.Text || name != "" && name != "lo":
		c.Unknown(story.Step{Code: story.SocketOption, Errno: story.ENODEV, Op: story.OpSetopt, Val: [3]uint64{solSocket, 25}})
	}
	has := c.K.Has(kernel.BindToDeviceOnce)
	if !s.Device && has == kernel.Yes {
		c.Moved = check.Moved{Change: s, Device: name != ""}
		return 0
	}
	if !s.Device && has == kernel.NotKnown {
		return o.unknown(c, story.EPERM)
	}
	if err := netCapable(c, s.NS, kernel.CapNetRaw, kernel.CapNetRaw, story.EPERM, story.OpSetopt); err != 0 {
		return err
	}
	c.Moved = check.Moved{Change: s, Device: name != ""}
	return 0
}

// ip is do_ip_setsockopt.
func (o *Option) ip(c *check.Check, s *world.Socket) story.Errno {
	const ipTransparent, ipFreebind = 19, 15
	switch o.Name {
	case ipTransparent:
		return o.transparent(c, s)
	case ipFreebind:
		if o.Len < 1 {
			return Invalid(c, story.EINVAL, "the value has a byte at least")
		}
		return 0
	case 16, 17: // IPSEC_POLICY XFRM_POLICY
		if err := netCapable(c, s.NS, kernel.CapNetAdmin, kernel.CapNetAdmin, story.EPERM, story.OpSetopt); err != 0 {
			return err
		}
	case 64: // IPT_SO_SET_REPLACE
		if err := netCapable(c, s.NS, kernel.CapNetAdmin, kernel.CapNetAdmin, story.EPERM, story.OpSetopt); err != 0 {
			return err
		}
	}
	return o.unknown(c)
}

// transparent is IP_TRANSPARENT and IPV6_TRANSPARENT.
func (o *Option) transparent(c *check.Check, s *world.Socket) story.Errno {
	if o.Lost || o.Text {
		return o.unknown(c, story.EPERM)
	}
	if int32(o.Val) != 0 {
		if err := netCapable(c, s.NS, kernel.CapNetRaw, kernel.CapNetAdmin, story.EPERM, story.OpSetopt); err != 0 {
			return err
		}
	}
	if o.Len < 1 {
		return Invalid(c, story.EINVAL, "the value has a byte at least")
	}
	return 0
}

// tcp is do_tcp_setsockopt.
func (o *Option) tcp(c *check.Check, s *world.Socket) story.Errno {
	const tcpNodelay, tcpRepair = 1, 19
	if o.Name != tcpNodelay && o.Name != tcpRepair {
		return o.unknown(c, story.EPERM)
	}
	if err := o.number(c); err != 0 {
		return err
	}
	if o.Name == tcpRepair {
		return netCapable(c, s.NS, kernel.CapNetAdmin, kernel.CapNetAdmin, story.EPERM, story.OpSetopt)
	}
	return 0
}

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
	solUDP    = 17
	solIPv6   = 41

	solPacket  = 263
	solNetlink = 270
)

// Option is what setsockopt is given.
type Option struct {
	Level, Name int
	Val         int64
	Str         string
	Text        bool // the value is a string: its bytes, and the zero behind them
	Len         int64
	Null        bool // it is NULL
	Bad         bool // it cannot be read
	Lost        bool // it is not known
}

// value is the number that n bytes of the value hold.
func (o *Option) value(n int) (int32, bool) {
	switch {
	case o.Lost || o.Text && len(o.Str)+1 < n:
		return 0, false
	case !o.Text:
		if n == 1 {
			return int32(uint8(o.Val)), true
		}
		return int32(o.Val), true
	}
	v := uint32(0)
	for i := min(n, len(o.Str)) - 1; i >= 0; i-- {
		v = v<<8 | uint32(o.Str[i])
	}
	return int32(v), true
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
	switch inet := s.Family == afInet || s.Family == afInet6; {
	case s.Protocol == 132 || s.Protocol == 262: // SCTP and MPTCP keep options for the sockets behind them
		return o.other(c)
	case o.Level == solSocket:
		return o.socket(c, s)
	case s.Family == afUnix:
		return o.refuse(c, story.EOPNOTSUPP)
	case s.Family == afNetlink && o.Level != solNetlink, s.Family == afPacket && o.Level != solPacket:
		return o.refuse(c, story.ENOPROTOOPT)
	case s.Family == afNetlink:
		return o.netlink(c, s)
	case !inet:
		return o.other(c)
	case o.Level == solTCP && s.Type == sockStream:
		return o.tcp(c, s)
	case o.Level == solUDP && isUDP(s):
		if err := o.number(c); err != 0 {
			return err
		}
		return o.follows(c, s, optionsOfUDP, 4)
	case o.Level == solIP && (s.Family == afInet || s.Type != sockRaw):
		return o.ip(c, s)
	case o.Level == solIPv6 && s.Family == afInet6:
		return o.ipv6(c, s)
	case o.Level == solIP, o.Level == solTCP, o.Level == solUDP, o.Level == solIPv6, o.Level == solNetlink, o.Level == solPacket:
		return o.refuse(c, story.ENOPROTOOPT) // of another protocol
	}
	return o.other(c)
}

func isUDP(s *world.Socket) bool {
	return s.Type == sockDgram && (s.Protocol == 0 || s.Protocol == 17)
}

func socketKind(s *world.Socket) sockKind {
	switch {
	case s.Family != afInet && s.Family != afInet6:
		return 0
	case s.Type == sockStream:
		return onTCP
	case isUDP(s):
		return onUDP
	}
	return onRaw
}

// follows holds the value against the option's rule, of which the first n bytes are a number.
func (o *Option) follows(c *check.Check, s *world.Socket, rules map[int]optionRule, n int) story.Errno {
	r, ok := rules[o.Name]
	v, known := o.value(n)
	if n == 0 {
		v, known = 0, true
	}
	within := r.low == 0 && r.high == 0 || v >= r.low && v <= r.high || r.zero && v == 0
	switch {
	case !ok:
		return o.other(c)
	case r.absent:
		return o.refuse(c, story.ENOPROTOOPT)
	case r.only != 0 && r.only&socketKind(s) == 0:
		return o.refuse(c, r.otherwise)
	case o.Len < r.size || r.exact && o.Len != r.size:
		return Invalid(c, story.EINVAL, "the value has another length")
	case r.unbound && (s.Bound || socketKind(s) == onRaw), r.apart && s.Connected:
		return c.Refuse(story.Step{Code: story.SocketState, Errno: story.EINVAL, Op: story.OpSetopt, Val: [3]uint64{c.Word("the socket has a port or a peer already")}})
	case !known && r.low|r.high != 0:
		return o.unknown(c)
	case r.device != 0 && (!known || v != 0):
		return o.unknown(c, r.device)
	case !within:
		return Invalid(c, story.EINVAL, "the option does not take this value")
	}
	return 0
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

// other is an option that is not modelled.
func (o *Option) other(c *check.Check) story.Errno {
	if o.Name <= 0 {
		return o.refuse(c, story.ENOPROTOOPT)
	}
	return o.unknown(c, story.EPERM, story.EFAULT, story.EOPNOTSUPP, story.EADDRNOTAVAIL, story.EADDRINUSE, story.ENODEV, story.ENOENT, story.EBADF, story.EBUSY, story.ENOBUFS, story.ENOMEM, story.EMSGSIZE, story.ENOTCONN)
}

// number is the copy of a value of four bytes.
func (o *Option) number(c *check.Check) story.Errno {
	switch {
	case o.Len < 4:
		return Invalid(c, story.EINVAL, "the value has four bytes")
	case o.Null || o.Bad:
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
	v, known := o.value(4)
	if _, ruled := optionsOfSocket[o.Name]; ruled {
		return o.follows(c, s, optionsOfSocket, 4)
	}
	if !known {
		return o.unknown(c, story.EPERM)
	}
	switch o.Name {
	case 15: // REUSEPORT
		if v != 0 && socketKind(s) == 0 {
			return o.only(c, kernel.ReuseportInet)
		}
	case 16, 34: // PASSCRED PASSSEC
		if s.Family == afInet || s.Family == afInet6 || s.Family == afPacket {
			return o.only(c, kernel.ScmReceivers)
		}
	case 20, 21, 66, 67: // RCVTIMEO SNDTIMEO, old and new
		return o.timeout(c)
	case 44: // LOCK_FILTER
		if v == 0 {
			return o.unknown(c, story.EPERM)
		}
	case 42: // PEEK_OFF
		if s.Family != afUnix && !isUDP(s) {
			return o.unknown(c, story.EOPNOTSUPP)
		}
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
		return o.index(c, s, v)
	default:
		if o.Name <= 0 || o.Name > 255 {
			return o.refuse(c, story.ENOPROTOOPT)
		}
		return o.other(c)
	}
	return 0
}

// only refuses an option to a socket that has had it before the change.
func (o *Option) only(c *check.Check, since kernel.Change) story.Errno {
	switch c.K.Has(since) {
	case kernel.Yes:
		return o.refuse(c, story.EOPNOTSUPP)
	case kernel.NotKnown:
		return o.unknown(c, story.EOPNOTSUPP)
	}
	return 0
}

// timeout is sock_set_timeout: two numbers of eight bytes, of which the second are microseconds.
func (o *Option) timeout(c *check.Check) story.Errno {
	switch {
	case o.Len < 16:
		return Invalid(c, story.EINVAL, "the value has another length")
	case !o.Text || len(o.Str)+1 < 16:
		return o.unknown(c, story.EDOM)
	}
	us := Option{Str: o.Str[8:], Text: true}
	low, _ := us.value(4)
	us.Str = us.Str[4:]
	if high, _ := us.value(4); high != 0 || low < 0 || low >= 1_000_000 {
		return Invalid(c, story.EDOM, "microseconds are less than a million")
	}
	return 0
}

// initCapable is capable(), for what reaches beyond a network namespace.
func initCapable(c *check.Check, want kernel.Cap, e story.Errno) story.Errno {
	return eitherCapable(c, 0, 0, want, want, capable(c, 0, want, check.RealmInitial), e, story.OpSetopt)
}

// device is sock_setbindtodevice: everybody binds a socket to an interface; CAP_NET_RAW gives it another one.
func (o *Option) device(c *check.Check, s *world.Socket) story.Errno {
	if (o.Null || o.Bad) && o.Len > 0 {
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

// index is sock_bindtoindex_locked, which takes any number for an interface.
func (o *Option) index(c *check.Check, s *world.Socket, v int32) story.Errno {
	has := c.K.Has(kernel.BindToDeviceOnce)
	if !s.Device && has == kernel.NotKnown {
		return o.unknown(c, story.EPERM)
	}
	if s.Device || has == kernel.No {
		if err := netCapable(c, s.NS, kernel.CapNetRaw, kernel.CapNetRaw, story.EPERM, story.OpSetopt); err != 0 {
			return err
		}
	}
	if v < 0 {
		return Invalid(c, story.EINVAL, "the number of an interface is not negative")
	}
	c.Moved = check.Moved{Change: s, Device: v != 0}
	return 0
}

// ip is do_ip_setsockopt.
func (o *Option) ip(c *check.Check, s *world.Socket) story.Errno {
	n := 4
	switch {
	case o.Len == 0:
		n = 0
	case o.Len < 4:
		n = 1
	}
	if _, ok := optionsOfIP[o.Name]; ok {
		if n > 0 && (o.Null || o.Bad) && !optionsOfIP[o.Name].absent {
			return Invalid(c, story.EFAULT, "the value cannot be read")
		}
		if v, known := o.value(n); o.Name == 2 && n == 4 && known && v == -1 { // TTL
			return 0
		}
		return o.follows(c, s, optionsOfIP, n)
	}
	const ipTransparent, addMembership, dropMembership = 19, 35, 36
	switch o.Name {
	case ipTransparent:
		if n > 0 && (o.Null || o.Bad) {
			return Invalid(c, story.EFAULT, "the value cannot be read")
		}
		return o.transparent(c, s, n, 1)
	case 64: // IPT_SO_SET_REPLACE, which only a kernel with ip_tables has
		o.unknown(c)
		return netCapable(c, s.NS, kernel.CapNetAdmin, kernel.CapNetAdmin, story.EPERM, story.OpSetopt)
	case 16, 17: // IPSEC_POLICY XFRM_POLICY
		if err := netCapable(c, s.NS, kernel.CapNetAdmin, kernel.CapNetAdmin, story.EPERM, story.OpSetopt); err != 0 {
			return err
		}
	case addMembership, dropMembership:
		switch {
		case socketKind(s) == onTCP:
			return Invalid(c, story.EPROTO, "streams join no groups")
		case o.Len < 8:
			return Invalid(c, story.EINVAL, "the value has another length")
		case o.Null || o.Bad:
			return Invalid(c, story.EFAULT, "the value cannot be read")
		}
		return o.unknown(c, story.ENODEV, story.EADDRINUSE, story.EADDRNOTAVAIL, story.ENOBUFS)
	}
	return o.other(c)
}

// ipv6 is do_ipv6_setsockopt.
func (o *Option) ipv6(c *check.Check, s *world.Socket) story.Errno {
	if o.Bad && o.Len >= 4 {
		return Invalid(c, story.EFAULT, "the value cannot be read")
	}
	n := 4
	if o.Null || o.Len < 4 {
		n = 0
	}
	if _, ok := optionsOfIPv6[o.Name]; ok {
		return o.follows(c, s, optionsOfIPv6, n)
	}
	const ipv6Transparent, addMembership, dropMembership = 75, 20, 21
	switch o.Name {
	case ipv6Transparent:
		return o.transparent(c, s, n, 4)
	case 34, 35: // IPSEC_POLICY XFRM_POLICY
		if err := netCapable(c, s.NS, kernel.CapNetAdmin, kernel.CapNetAdmin, story.EPERM, story.OpSetopt); err != 0 {
			return err
		}
	case 54, 55, 59: // HOPOPTS RTHDRDSTOPTS DSTOPTS: ipv6_set_opt_hdr
		if err := netCapable(c, s.NS, kernel.CapNetRaw, kernel.CapNetRaw, story.EPERM, story.OpSetopt); err != 0 || o.Len == 0 {
			return err
		}
	case addMembership, dropMembership:
		switch {
		case o.Len < 20:
			return Invalid(c, story.EINVAL, "the value has another length")
		case socketKind(s) == onTCP:
			return Invalid(c, story.EPROTO, "streams join no groups")
		case o.Null || o.Bad:
			return Invalid(c, story.EFAULT, "the value cannot be read")
		}
		return o.unknown(c, story.ENODEV, story.EADDRINUSE, story.EADDRNOTAVAIL, story.ENOBUFS)
	}
	return o.other(c)
}

// transparent is IP_TRANSPARENT and IPV6_TRANSPARENT, of which the first n bytes are a number.
func (o *Option) transparent(c *check.Check, s *world.Socket, n int, size int64) story.Errno {
	v, known := o.value(n)
	switch {
	case n == 0:
		v = 0
	case !known:
		return o.unknown(c, story.EPERM)
	}
	if v != 0 {
		if err := netCapable(c, s.NS, kernel.CapNetRaw, kernel.CapNetAdmin, story.EPERM, story.OpSetopt); err != 0 {
			return err
		}
	}
	if o.Len < size {
		return Invalid(c, story.EINVAL, "the value has another length")
	}
	return 0
}

// tcp is do_tcp_setsockopt.
func (o *Option) tcp(c *check.Check, s *world.Socket) story.Errno {
	const congestion, repair, ulp, fastopenKey = 13, 19, 31, 33
	switch o.Name {
	case congestion, ulp:
		switch {
		case o.Len < 1:
			return Invalid(c, story.EINVAL, "the name has a byte at least")
		case o.Null || o.Bad:
			return Invalid(c, story.EFAULT, "the name cannot be read")
		}
		return o.unknown(c, story.ENOENT, story.EPERM, story.EBUSY, story.ENOTCONN, story.EEXIST)
	case fastopenKey:
		return o.unknown(c, story.EFAULT)
	}
	if err := o.number(c); err != 0 {
		return err
	}
	if o.Name != repair {
		return o.follows(c, s, optionsOfTCP, 4)
	}
	if err := netCapable(c, s.NS, kernel.CapNetAdmin, kernel.CapNetAdmin, story.EPERM, story.OpSetopt); err != 0 {
		return err
	}
	switch v, known := o.value(4); {
	case s.Listens:
		return c.Refuse(story.Step{Code: story.SocketState, Errno: story.EPERM, Op: story.OpSetopt, Val: [3]uint64{c.Word("a socket that listens is not repaired")}})
	case !known:
		return o.unknown(c)
	case v < -1 || v > 1:
		return Invalid(c, story.EINVAL, "the option does not take this value")
	}
	return 0
}

// netlink is netlink_setsockopt.
func (o *Option) netlink(c *check.Check, s *world.Socket) story.Errno {
	n := 4
	if o.Len < 4 {
		n = 0
	} else if o.Null || o.Bad {
		return Invalid(c, story.EFAULT, "the value cannot be read")
	}
	const listenAllNsid = 8
	if o.Name == listenAllNsid {
		return netCapable(c, s.NS, kernel.CapNetBroadcast, kernel.CapNetBroadcast, story.EPERM, story.OpSetopt)
	}
	if _, ok := optionsOfNetlink[o.Name]; !ok {
		return o.other(c)
	}
	return o.follows(c, s, optionsOfNetlink, n)
}

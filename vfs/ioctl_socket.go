package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Ioctl commands of sockets: net/socket.c, net/ipv4/devinet.c, net/core/dev_ioctl.c. What changes an interface or a route asks for
// CAP_NET_ADMIN in the user namespace that owns the socket's network namespace, before the interface is looked for.

const (
	siocAddRoute, siocDelRoute = 0x890b, 0x890c
	siocGetName, siocSetName   = 0x8910, 0x8923
	siocBridgeAdd, siocBridge  = 0x89a0, 0x89a1
)

// ifaceCommands are those that take struct ifreq: true for those that change something.
var ifaceCommands = map[uint64]bool{
	0x8913: false, 0x8915: false, 0x8917: false, 0x8919: false, 0x891b: false, 0x891d: false, 0x8921: false, 0x8927: false, 0x8933: false, 0x8942: false, // SIOCGIF…
	0x8914: true, 0x8916: true, 0x8918: true, 0x891a: true, 0x891c: true, 0x8922: true, siocSetName: true, 0x8924: true, 0x8943: true, // SIOCSIF…
}

// socketIoctl is sock_ioctl for the commands that many programs make; handled is false for any other.
func socketIoctl(c *check.Check, s *world.Socket, cmd uint64, fault bool) (handled bool, e story.Errno) {
	if s == nil || s.Family != afInet && s.Family != afInet6 && s.Family != afUnix {
		return false, 0
	}
	changes, iface := ifaceCommands[cmd]
	route := cmd == siocAddRoute || cmd == siocDelRoute
	bridge := cmd == siocBridgeAdd || cmd == siocBridge
	switch {
	case (iface || route && s.Family == afInet) && fault:
		return true, Fault(c)
	case route && s.Family == afInet, bridge, iface && changes:
		if e := netCapable(c, s.NS, kernel.CapNetAdmin, kernel.CapNetAdmin, story.EPERM, story.OpSetopt); e != 0 {
			return true, e
		}
	case !iface:
		return false, 0
	}
	if fault {
		return true, Fault(c)
	}
	for _, e := range [...]story.Errno{story.EINVAL, story.EADDRNOTAVAIL, story.EOPNOTSUPP, story.ENOTTY, story.EBUSY, story.ESRCH, story.EEXIST, story.ENOPKG} {
		c.MayEnd(e)
	}
	return true, NotKnown(c, "which interfaces and routes the network namespace has", story.ENODEV)
}

package syscalls

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// Calls on sockets, and addresses as strace prints them.

var addressFamilies = defineEnum("family", flag{"AF_UNSPEC", 0}, flag{"AF_UNIX", 1}, flag{"AF_LOCAL", 1}, flag{"AF_INET", 2}, flag{"AF_AX25", 3}, flag{"AF_IPX", 4}, flag{"AF_APPLETALK", 5},
	flag{"AF_X25", 9}, flag{"AF_INET6", 10}, flag{"AF_KEY", 15}, flag{"AF_NETLINK", 16}, flag{"AF_PACKET", 17}, flag{"AF_RDS", 21}, flag{"AF_PPPOX", 24}, flag{"AF_LLC", 26}, flag{"AF_IB", 27},
	flag{"AF_MPLS", 28}, flag{"AF_CAN", 29}, flag{"AF_TIPC", 30}, flag{"AF_BLUETOOTH", 31}, flag{"AF_RXRPC", 33}, flag{"AF_ISDN", 34}, flag{"AF_PHONET", 35}, flag{"AF_IEEE802154", 36},
	flag{"AF_CAIF", 37}, flag{"AF_ALG", 38}, flag{"AF_NFC", 39}, flag{"AF_VSOCK", 40}, flag{"AF_KCM", 41}, flag{"AF_QIPCRTR", 42}, flag{"AF_SMC", 43}, flag{"AF_XDP", 44}, flag{"AF_MCTP", 45})

var _ = defineSet("socktype", &flagSet{mask: 0xf, enum: []flag{{"SOCK_STREAM", 1}, {"SOCK_DGRAM", 2}, {"SOCK_RAW", 3}, {"SOCK_RDM", 4}, {"SOCK_SEQPACKET", 5}, {"SOCK_DCCP", 6}, {"SOCK_PACKET", 10}},
	flags: []flag{{"SOCK_CLOEXEC", 0o2000000}, {"SOCK_NONBLOCK", 0o4000}}})

// Protocols and options have meanings that depend on the family, so that they are constants, printed as they were written.
var _ = defineConstants(flag{"IPPROTO_IP", 0}, flag{"IPPROTO_ICMP", 1}, flag{"IPPROTO_TCP", 6}, flag{"IPPROTO_UDP", 17}, flag{"IPPROTO_IPV6", 41}, flag{"IPPROTO_ICMPV6", 58}, flag{"IPPROTO_SCTP", 132},
	flag{"IPPROTO_UDPLITE", 136}, flag{"IPPROTO_RAW", 255}, flag{"IPPROTO_MPTCP", 262}, flag{"NETLINK_ROUTE", 0}, flag{"NETLINK_SOCK_DIAG", 4}, flag{"NETLINK_XFRM", 6}, flag{"NETLINK_AUDIT", 9},
	flag{"NETLINK_CONNECTOR", 11}, flag{"NETLINK_NETFILTER", 12}, flag{"NETLINK_KOBJECT_UEVENT", 15}, flag{"NETLINK_GENERIC", 16}, flag{"ETH_P_IP", 0x800}, flag{"ETH_P_ALL", 3}, flag{"PF_KEY_V2", 2},
	flag{"SOL_IP", 0}, flag{"SOL_SOCKET", 1}, flag{"SOL_TCP", 6}, flag{"SOL_UDP", 17}, flag{"SOL_IPV6", 41}, flag{"SOL_RAW", 255}, flag{"SOL_PACKET", 263}, flag{"SOL_NETLINK", 270},
	flag{"SO_DEBUG", 1}, flag{"SO_REUSEADDR", 2}, flag{"SO_TYPE", 3}, flag{"SO_ERROR", 4}, flag{"SO_DONTROUTE", 5}, flag{"SO_BROADCAST", 6}, flag{"SO_SNDBUF", 7}, flag{"SO_RCVBUF", 8}, flag{"SO_KEEPALIVE", 9},
	flag{"SO_OOBINLINE", 10}, flag{"SO_NO_CHECK", 11}, flag{"SO_PRIORITY", 12}, flag{"SO_LINGER", 13}, flag{"SO_REUSEPORT", 15}, flag{"SO_PASSCRED", 16}, flag{"SO_RCVLOWAT", 18}, flag{"SO_BINDTODEVICE", 25},
	flag{"SO_TIMESTAMP", 29}, flag{"SO_SNDBUFFORCE", 32}, flag{"SO_RCVBUFFORCE", 33}, flag{"SO_MARK", 36}, flag{"SO_BUSY_POLL", 46}, flag{"SO_BINDTOIFINDEX", 62}, flag{"SO_PREFER_BUSY_POLL", 69}, flag{"SO_RCVMARK", 75},
	flag{"IP_TOS", 1}, flag{"IP_TTL", 2}, flag{"IP_HDRINCL", 3}, flag{"IP_FREEBIND", 15}, flag{"IP_IPSEC_POLICY", 16}, flag{"IP_XFRM_POLICY", 17}, flag{"IP_TRANSPARENT", 19}, flag{"IPT_SO_SET_REPLACE", 64},
	flag{"IPV6_V6ONLY", 26}, flag{"IPV6_TRANSPARENT", 75}, flag{"TCP_NODELAY", 1}, flag{"TCP_REPAIR", 19})

// opaque is a field of which only the text is kept.
var opaque = define("opaque")

// A socket's address, struct sockaddr_storage: the fields of every family that is modelled.
var sockaddr = defineLayout("sockaddr", &layout{size: 128, encode: encodeAddress, text: addressText, members: []member{
	{"sa_family", 0, 2, addressFamilies}, {"sin_port", 2, 2, Int}, {"sin_addr", 4, 4, Int}, {"sin6_port", 2, 2, Int}, {"sin6_flowinfo", 4, 4, Int}, {"sin6_addr", 8, 16, Int}, {"sin6_scope_id", 24, 4, Int},
	{"sun_path", 2, 0, Text}, {"nl_pid", 4, 4, Int}, {"nl_groups", 8, 4, Int}, {"sll_protocol", 2, 2, Int}, {"sll_ifindex", 4, 4, opaque}, {"svm_cid", 8, 4, opaque}, {"svm_port", 4, 4, opaque},
	{"sll_hatype", 0, 0, opaque}, {"sll_pkttype", 0, 0, opaque}, {"sll_halen", 0, 0, opaque}, {"sll_addr", 0, 0, opaque}, {"svm_flags", 0, 0, opaque}, {"sa_data", 0, 0, opaque},
	{"salg_type", 0, 0, opaque}, {"salg_name", 0, 0, opaque}, {"salg_feat", 0, 0, opaque}, {"salg_mask", 0, 0, opaque}, {"sxdp_flags", 0, 0, opaque}, {"sxdp_ifindex", 0, 0, opaque}, {"sxdp_queue_id", 0, 0, opaque},
	{"can_ifindex", 0, 0, opaque}, {"can_addr", 0, 0, opaque}}})

// optval is an option's value: a number in brackets, or a string.
var _ = defineLayout("optval", &layout{size: 4, encode: encodeOption, text: optionText, list: readOption})

var _ = defineCalls(map[string]string{"socket": "family socktype int", "socketpair": "family socktype int out?", "bind": "fd sockaddr int?", "connect": "fd sockaddr int?", "listen": "fd int",
	"accept": "fd out? out?", "accept4": "fd out? out? socktype", "setsockopt": "fd int int optval int?"})

// bigEndian are the fields that strace prints through htons and htonl, in which addresses are kept.
var bigEndian = map[string]string{"sin_port": "htons", "sin6_port": "htons", "sll_protocol": "htons", "sin6_flowinfo": "htonl"}

func addressText(f Field) (string, bool) {
	switch fn := bigEndian[f.Name]; {
	case fn != "":
		return fmt.Sprintf("%s=%s(%d)", f.Name, fn, f.Val), true
	case f.Name == "sin_addr" && f.Text:
		return `sin_addr=inet_addr("` + quote(f.Str, '"') + `")`, true
	case f.Name == "sin6_addr" && f.Text:
		return `inet_pton(AF_INET6, "` + quote(f.Str, '"') + `", &sin6_addr)`, true
	case f.Name == "sun_path" && f.Text && strings.HasPrefix(f.Str, "\x00"):
		return `sun_path=@"` + quote(f.Str[1:], '"') + `"`, true
	}
	return "", false
}

// encodeAddress lays an address out; what follows its end is zero.
func encodeAddress(a *Arg) Memory {
	b := make([]byte, 128)
	number := func(name string) uint64 { f, _ := a.Field(name); return f.Val }
	family := number("sa_family")
	binary.LittleEndian.PutUint16(b, uint16(family))
	host := func(name string, size int) []byte {
		f, _ := a.Field(name)
		if addr, err := netip.ParseAddr(f.Str); err == nil {
			return addr.AsSlice()
		}
		return make([]byte, size)
	}
	switch family {
	case 2:
		binary.BigEndian.PutUint16(b[2:], uint16(number("sin_port")))
		copy(b[4:8], host("sin_addr", 4))
	case 10:
		binary.BigEndian.PutUint16(b[2:], uint16(number("sin6_port")))
		binary.BigEndian.PutUint32(b[4:], uint32(number("sin6_flowinfo")))
		copy(b[8:24], host("sin6_addr", 16))
		binary.LittleEndian.PutUint32(b[24:], uint32(number("sin6_scope_id")))
	case 1:
		f, _ := a.Field("sun_path")
		copy(b[2:], f.Str)
	case 16:
		binary.LittleEndian.PutUint32(b[4:], uint32(number("nl_pid")))
		binary.LittleEndian.PutUint32(b[8:], uint32(number("nl_groups")))
	case 17:
		binary.BigEndian.PutUint16(b[2:], uint16(number("sll_protocol")))
	}
	return Memory{Bytes: b}
}

// readOption reads [1], or {…} and "…" as what they are.
func readOption(p *parser, kind Kind) Arg {
	a := Arg{Kind: kind, Val: 1}
	p.pos++
	p.space()
	a.Fields = []Field{{Val: p.scalar(p.pos)}}
	p.space()
	if !p.accept("]") {
		p.fail(p.pos, nil, "an option's value is one number in brackets, or a string")
	}
	return a
}

func optionText(f Field) (string, bool) {
	if f.Text {
		return `"` + quote(f.Str, '"') + `"`, true
	}
	return fmt.Sprintf("[%d]", int64(f.Val)), true
}

func encodeOption(a *Arg) Memory {
	if len(a.Fields) > 0 && a.Fields[0].Text {
		return Memory{Bytes: append([]byte(a.Fields[0].Str), 0)}
	}
	b := make([]byte, 8)
	if len(a.Fields) > 0 {
		binary.LittleEndian.PutUint32(b, uint32(a.Fields[0].Val))
	}
	return Memory{Bytes: b}
}

// anything reads up to the next field.
func (p *parser) anything() string {
	start := p.pos
	for p.pos < len(p.in) {
		switch ch := p.in[p.pos]; {
		case ch == ',' || ch == '}':
			return p.in[start:p.pos]
		case ch == '{' || ch == '[' || ch == '(':
			p.balanced()
			continue
		case ch == '"':
			p.quoted()
			continue
		}
		p.pos++
	}
	return p.in[start:p.pos]
}

// length is the size that the C library's programs pass for an address or an option's value.
func (a *Arg) length() uint64 {
	family, _ := a.Field("sa_family")
	path, unix := a.Field("sun_path")
	switch {
	case a.Kind != sockaddr && len(a.Fields) == 1 && a.Fields[0].Text:
		return uint64(len(a.Fields[0].Str)) + 1
	case a.Kind != sockaddr:
		return 4
	case unix && strings.HasPrefix(path.Str, "\x00"):
		return uint64(2 + len(path.Str))
	case family.Val == 1:
		return 110
	case family.Val == 10:
		return 28
	case family.Val == 16:
		return 12
	case family.Val == 17:
		return 20
	}
	return 16
}

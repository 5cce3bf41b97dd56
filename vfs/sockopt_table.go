package vfs

import "syscallstory/story"

// sockKind is a set of kinds of sockets.
type sockKind uint8

const (
	onTCP sockKind = 1 << iota
	onUDP
	onRaw // of IPv4 and IPv6, and those that ping

	onDatagrams = onUDP | onRaw
)

// optionRule is what the kernel asks of an option's value before it takes it. An option that it does not take is ENOPROTOOPT.
type optionRule struct {
	only      sockKind    // the kinds of sockets that have it; 0: all that have the level
	otherwise story.Errno // what the others answer
	size      int64       // least length of the value: EINVAL
	exact     bool        // and the greatest
	low, high int32       // range of the value: EINVAL; none where both are 0
	zero      bool        // 0 is taken besides
	device    story.Errno // values but 0 name an interface: the errno where there is none
	unbound   bool        // the socket has no port yet: EINVAL
	apart     bool        // the socket has no peer: EINVAL
	absent    bool        // it is only read
}

// optionsOfSocket are those of SOL_SOCKET in sk_setsockopt that ask for no capability; each value has four bytes at least.
var optionsOfSocket = map[int]optionRule{
	2: {}, 5: {}, 6: {}, 7: {}, 8: {}, 9: {}, 10: {}, 11: {}, 14: {}, // REUSEADDR DONTROUTE BROADCAST SNDBUF RCVBUF KEEPALIVE OOBINLINE NO_CHECK BSDCOMPAT
	13: {size: 8},                                          // LINGER
	18: {}, 29: {}, 35: {}, 63: {}, 64: {}, 40: {}, 41: {}, // RCVLOWAT TIMESTAMP TIMESTAMPNS, old and new, RXQ_OVFL WIFI_STATUS
	43: {}, 45: {}, 47: {}, 49: {}, 53: {}, // NOFCS SELECT_ERR_QUEUE MAX_PACING_RATE INCOMING_CPU CNX_ADVICE
	60: {only: onTCP | onUDP, otherwise: story.EOPNOTSUPP, high: 1},                                                       // ZEROCOPY
	72: {high: 3},                                                                                                         // BUF_LOCK
	3:  {absent: true}, 4: {absent: true}, 17: {absent: true}, 19: {absent: true}, 28: {absent: true}, 30: {absent: true}, // TYPE ERROR PEERCRED SNDLOWAT PEERNAME ACCEPTCONN
	31: {absent: true}, 38: {absent: true}, 39: {absent: true}, 48: {absent: true}, 55: {absent: true}, 56: {absent: true}, // PEERSEC PROTOCOL DOMAIN BPF_EXTENSIONS MEMINFO INCOMING_NAPI_ID
	57: {absent: true}, 59: {absent: true}, 71: {absent: true}, // COOKIE PEERGROUPS NETNS_COOKIE
}

// optionsOfIP are those of do_ip_setsockopt: a value of one byte will do, for most one of none.
var optionsOfIP = map[int]optionRule{
	1: {}, 6: {}, 7: {}, 8: {}, 11: {}, 12: {}, 13: {}, 18: {}, 20: {}, 23: {}, 24: {}, // TOS RECVOPTS RETOPTS PKTINFO RECVERR RECVTTL RECVTOS PASSSEC RECVORIGDSTADDR CHECKSUM BIND_ADDRESS_NO_PORT
	2:  {size: 1, low: 1, high: 255},                     // TTL, or -1
	21: {size: 1, high: 255},                             // MINTTL
	3:  {only: onRaw, otherwise: story.ENOPROTOOPT},      // HDRINCL
	22: {only: onRaw, otherwise: story.ENOPROTOOPT},      // NODEFRAG
	10: {high: 5},                                        // MTU_DISCOVER
	15: {size: 1}, 34: {size: 1}, 49: {size: 1, high: 1}, // FREEBIND MULTICAST_LOOP MULTICAST_ALL
	25: {only: onDatagrams, otherwise: story.EINVAL},                              // RECVFRAGSIZE
	26: {high: 1},                                                                 // RECVERR_RFC4884
	33: {only: onDatagrams, otherwise: story.EINVAL, size: 1, low: -1, high: 255}, // MULTICAST_TTL
	50: {size: 4, exact: true, device: story.EADDRNOTAVAIL},                       // UNICAST_IF
	9:  {absent: true}, 14: {absent: true},                                        // PKTOPTIONS MTU
}

// optionsOfIPv6 are those of do_ipv6_setsockopt: NULL stands for 0.
var optionsOfIPv6 = map[int]optionRule{
	2: {size: 4}, 3: {size: 4}, 4: {size: 4}, 5: {size: 4}, 8: {size: 4}, 11: {size: 4}, 33: {size: 4}, // 2292PKTINFO, …HOPOPTS, …DSTOPTS, …RTHDR, …HOPLIMIT, FLOWINFO FLOWINFO_SEND
	49: {size: 4}, 51: {size: 4}, 53: {size: 4}, 56: {size: 4}, 58: {size: 4}, 60: {size: 4}, 66: {size: 4}, // RECVPKTINFO …HOPLIMIT, …HOPOPTS, …RTHDR, …DSTOPTS, …PATHMTU, …TCLASS
	74: {size: 4}, 78: {size: 4}, 25: {size: 4}, 29: {size: 4}, 30: {size: 4}, // RECVORIGDSTADDR FREEBIND RECVERR MULTICAST_ALL ROUTER_ALERT_ISOLATE
	62: {}, 70: {}, 77: {}, // DONTFRAG AUTOFLOWLABEL RECVFRAGSIZE
	16: {size: 4, low: -1, high: 255},                                                                     // UNICAST_HOPS
	17: {only: onDatagrams, otherwise: story.ENOPROTOOPT, size: 4, device: story.ENODEV},                  // MULTICAST_IF
	18: {only: onDatagrams, otherwise: story.ENOPROTOOPT, size: 4, low: -1, high: 255},                    // MULTICAST_HOPS
	19: {size: 4, high: 1}, 23: {size: 4, high: 5}, 24: {size: 4, low: 1280, high: 1<<31 - 1, zero: true}, // MULTICAST_LOOP MTU_DISCOVER MTU
	26: {size: 4, unbound: true},                            // V6ONLY
	31: {size: 4, high: 1},                                  // RECVERR_RFC4884
	67: {size: 4, low: -1, high: 255},                       // TCLASS
	73: {size: 4, high: 255},                                // MINHOPCOUNT
	76: {size: 4, exact: true, device: story.EADDRNOTAVAIL}, // UNICAST_IF
	61: {absent: true},                                      // PATHMTU
}

// optionsOfTCP are those of do_tcp_setsockopt; each value has four bytes at least.
var optionsOfTCP = map[int]optionRule{
	1: {}, 3: {}, 8: {}, 9: {}, 12: {}, 25: {}, // NODELAY CORK LINGER2 DEFER_ACCEPT QUICKACK NOTSENT_LOWAT
	2:  {low: 88, high: 32767, zero: true},                     // MAXSEG
	4:  {low: 1, high: 32767},                                  // KEEPIDLE
	5:  {low: 1, high: 32767},                                  // KEEPINTVL
	6:  {low: 1, high: 127},                                    // KEEPCNT
	7:  {low: 1, high: 127},                                    // SYNCNT
	16: {high: 1}, 17: {high: 1}, 27: {high: 2}, 36: {high: 1}, // THIN_LINEAR_TIMEOUTS THIN_DUPACK SAVE_SYN INQ
	18: {high: 1<<31 - 1},                                                          // USER_TIMEOUT
	23: {high: 1<<31 - 1, apart: true},                                             // FASTOPEN
	34: {high: 1, apart: true},                                                     // FASTOPEN_NO_COOKIE
	11: {absent: true}, 26: {absent: true}, 28: {absent: true}, 35: {absent: true}, // INFO CC_INFO SAVED_SYN ZEROCOPY_RECEIVE
}

// optionsOfUDP are those of udp_lib_setsockopt; each value has four bytes at least.
var optionsOfUDP = map[int]optionRule{
	1: {}, 101: {}, 102: {}, 104: {}, // CORK NO_CHECK6_TX NO_CHECK6_RX GRO
	103: {high: 65535}, // SEGMENT
}

// optionsOfNetlink are those of netlink_setsockopt that ask for nothing.
var optionsOfNetlink = map[int]optionRule{
	3: {}, 4: {}, 5: {}, 10: {}, 11: {}, 12: {}, // PKTINFO BROADCAST_ERROR NO_ENOBUFS CAP_ACK EXT_ACK GET_STRICT_CHK
}

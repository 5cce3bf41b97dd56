package syscalls

import (
	"encoding/hex"
	"strings"
	"testing"
)

// TestSockets reads and prints what strace prints of calls on sockets, and lays addresses out.
func TestSockets(t *testing.T) {
	for in, want := range map[string]string{
		`socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 3`:                                                                                   "",
		`socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL))`:                                                                                                "",
		`socket(AF_NETLINK, SOCK_RAW|SOCK_NONBLOCK, NETLINK_ROUTE)`:                                                                                    "",
		`socketpair(AF_UNIX, SOCK_STREAM, 0, [3, 4]) = 0`:                                                                                              "",
		`bind(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16)`:                                                        "02000050" + "7f000001",
		`connect(3, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28)`:   "0a000050" + "00000000" + "00000000000000000000000000000001",
		`connect(4, {sa_family=AF_UNIX, sun_path="/run/x"}, 110)`:                                                                                      "0100" + hex.EncodeToString([]byte("/run/x\x00")),
		`bind(4, {sa_family=AF_UNIX, sun_path=@"x"}, 4)`:                                                                                               "0100" + "0078",
		`bind(4, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=1}, 12)`:                                                                                   "1000" + "0000" + "00000000" + "01000000",
		`bind(4, {sa_family=AF_PACKET, sll_protocol=htons(3), sll_ifindex=if_nametoindex("eth0"), sll_hatype=ARPHRD_NETROM, sll_addr=[0x1, 0x2]}, 20)`: "1100" + "0003",
		`setsockopt(3, SOL_SOCKET, SO_MARK, [5], 4)`:                                                                                                   "",
		`setsockopt(3, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3)`:                                                                                          "",
		`setsockopt(3, SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=0}, 8)`:                                                                             "",
		`accept4(3, NULL, NULL, SOCK_CLOEXEC)`:                                                                                                         "",
		`listen(3, 128)`:                                                                                                                               "",
	} {
		c, _, err := ParseLine(X8664, in)
		if err != nil {
			t.Error(err)
			continue
		}
		text, _, _ := strings.Cut(in, " = ")
		if got := c.String(); got != text {
			t.Errorf("%s is printed as %s", text, got)
		}
		if want == "" {
			continue
		}
		regs, err := c.Encode()
		if err != nil {
			t.Error(err)
		} else if got := hex.EncodeToString(regs[1].Bytes); !strings.HasPrefix(got, want) || len(got) != 256 {
			t.Errorf("%s is laid out as %s, want %s…", in, got, want)
		}
	}
	for in, want := range map[string]string{`bind(3, {sa_family=AF_INET, sin_prt=htons(80)}, 16)`: "sin_port", `socket(AF_INETT, 1, 0)`: "AF_INET", `socket(AF_INET, SOCK_STREAM, IPPROTO_TCPP)`: "IPPROTO_TCP"} {
		if _, err := Parse(X8664, in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a hint at %s", in, err, want)
		}
	}
}

package explain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"syscallstory/explain"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// TestKernelSocketOptionsWritten: options that ask for no capability, as net/socket.c and its protocols answer them.
func TestKernelSocketOptionsWritten(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	s := newStage(t, dir, "")
	s.ownNet()
	set := func(args, want string) row { return row{"setsockopt(3, " + args + ")", want} }
	get := func(args, want string) row { return row{"getsockopt(3, " + args + ")", want} }
	s.play([]scene{
		{"TCP", initPlain, []row{{tcp4, "-"},
			set("SOL_SOCKET, SO_LINGER, [1], 8", "-"), set("SOL_SOCKET, SO_LINGER, [1], 4", "EINVAL"), set("SOL_SOCKET, SO_LINGER, NULL, 3", "EINVAL"), set("SOL_SOCKET, SO_LINGER, NULL, 8", "EFAULT"), set("SOL_SOCKET, SO_REUSEPORT, [1], 4", "-"),
			set(`SOL_SOCKET, SO_RCVTIMEO_OLD, "\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16`, "-"), set(`SOL_SOCKET, SO_RCVTIMEO_OLD, "\5\0\0\0\0\0\0\0\100\102\17\0\0\0\0\0", 16`, "EDOM"), set("SOL_SOCKET, SO_SNDTIMEO_OLD, [1], 8", "EINVAL"),
			set("SOL_SOCKET, SO_ZEROCOPY, [1], 4", "-"), set("SOL_SOCKET, SO_ZEROCOPY, [2], 4", "EINVAL"), set("SOL_SOCKET, SO_PEERCRED, [1], 4", "ENOPROTOOPT"), set("SOL_SOCKET, 999, [1], 4", "ENOPROTOOPT"), set("SOL_SOCKET, 999, [1], 1", "EINVAL"),
			set("SOL_TCP, TCP_KEEPIDLE, [0], 4", "EINVAL"), set("SOL_TCP, TCP_KEEPIDLE, [32767], 4", "-"), set("SOL_TCP, TCP_KEEPCNT, [128], 4", "EINVAL"), set("SOL_TCP, TCP_MAXSEG, [0], 4", "-"), set("SOL_TCP, TCP_MAXSEG, [87], 4", "EINVAL"),
			set("SOL_TCP, TCP_USER_TIMEOUT, [-1], 4", "EINVAL"), set("SOL_TCP, TCP_FASTOPEN, [5], 4", "-"), set("SOL_TCP, TCP_INFO, [1], 4", "ENOPROTOOPT"), set("SOL_TCP, TCP_CORK, [1], 2", "EINVAL"), set("SOL_TCP, TCP_CORK, NULL, 4", "EFAULT"),
			set("SOL_IP, IP_TTL, [0], 4", "EINVAL"), set("SOL_IP, IP_TTL, [255], 1", "-"), set("SOL_IP, IP_TTL, [-1], 4", "-"), set("SOL_IP, IP_TTL, [-1], 0", "EINVAL"), set("SOL_IP, IP_TOS, NULL, 0", "-"), set("SOL_IP, IP_TOS, NULL, 1", "EFAULT"),
			set("SOL_IP, IP_HDRINCL, [1], 4", "ENOPROTOOPT"), set("SOL_IP, IP_MULTICAST_TTL, [1], 4", "EINVAL"), set("SOL_IP, IP_ADD_MEMBERSHIP, [1], 4", "EPROTO"), set("SOL_IP, IP_MTU_DISCOVER, [6], 4", "EINVAL"),
			set("SOL_IPV6, IPV6_V6ONLY, [1], 4", "ENOPROTOOPT"), set("SOL_UDP, UDP_CORK, [1], 4", "ENOPROTOOPT"),
			get("SOL_SOCKET, SO_ERROR, 0x10000, NULL", "EFAULT"),
			{bound("4", "2000", "127.0.0.1"), "-"}, {"listen(3, 1)", "-"}, set("SOL_TCP, TCP_FASTOPEN, [5], 4", "-")}},
		{"TCP of IPv6", initPlain, []row{{tcp6, "-"},
			set("SOL_IPV6, IPV6_V6ONLY, [1], 4", "-"), set("SOL_IPV6, IPV6_V6ONLY, NULL, 4", "-"), set("SOL_IPV6, IPV6_V6ONLY, [1], 3", "EINVAL"), set("SOL_IPV6, IPV6_V6ONLY, 0x10, 4", "EFAULT"), set("SOL_IPV6, IPV6_MULTICAST_HOPS, [1], 4", "ENOPROTOOPT"),
			set("SOL_IPV6, IPV6_UNICAST_HOPS, [256], 4", "EINVAL"), set("SOL_IPV6, IPV6_HOPOPTS, [1], 8", "EPERM"), set("SOL_IPV6, IPV6_MTU, [1279], 4", "EINVAL"), set("SOL_IP, IP_TOS, [8], 4", "-"), set("SOL_TCP, TCP_NODELAY, [1], 4", "-"),
			{bound("6", "2000", "::1"), "-"}, set("SOL_IPV6, IPV6_V6ONLY, [1], 4", "EINVAL")}},
		{"UDP", initPlain, []row{{udp4, "-"},
			set("SOL_UDP, UDP_SEGMENT, [1400], 4", "-"), set("SOL_UDP, UDP_SEGMENT, [65536], 4", "EINVAL"), set("SOL_TCP, TCP_NODELAY, [1], 4", "ENOPROTOOPT"), set("SOL_IP, IP_MULTICAST_TTL, [256], 4", "EINVAL"), set(`SOL_IP, IP_MULTICAST_TTL, "\377", 1`, "-"),
			set("SOL_IP, IP_ADD_MEMBERSHIP, [1], 4", "EINVAL"), set("SOL_IP, IP_PKTINFO, [1], 4", "-"), set("SOL_SOCKET, SO_BROADCAST, [1], 4", "-")}},
		{"UNIX", initPlain, []row{{unx, "-"},
			set("SOL_SOCKET, SO_PASSCRED, [1], 4", "-"), set("SOL_SOCKET, SO_REUSEPORT, [1], 4", "EOPNOTSUPP"), set("SOL_SOCKET, SO_ZEROCOPY, [1], 4", "EOPNOTSUPP"), set("SOL_TCP, TCP_NODELAY, NULL, 0", "EOPNOTSUPP"), get("SOL_TCP, TCP_NODELAY, NULL, NULL", "EOPNOTSUPP"), set("SOL_SOCKET, SO_PEEK_OFF, [0], 4", "-")}},
		{"netlink", initPlain, []row{{"socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)", "-"}, set("SOL_SOCKET, SO_RCVBUF, [65536], 4", "-"), set("SOL_TCP, TCP_NODELAY, [1], 4", "ENOPROTOOPT"), set("SOL_SOCKET, SO_PASSCRED, [1], 4", "-")}},
	})
}

// TestKernelSocketOptionsAll: every option of six levels, with values at the edges of what it takes, on each kind of socket. What is
// predicted is what the kernel answers; where the model does not know, it is among the endings.
func TestKernelSocketOptionsAll(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	s := newStage(t, dir, "")
	s.ownNet()
	admin := initPlain
	admin.caps = world.Caps(kernel.CapNetAdmin)
	total, unsure := 0, 0
	for kind, socket := range map[string]string{"tcp4": tcp4, "tcp6": tcp6, "udp4": udp4, "udp6": "socket(AF_INET6, SOCK_DGRAM, 0)", "unix": unx, "raw": "socket(AF_INET, SOCK_RAW, 200)", "raw6": "socket(AF_INET6, SOCK_RAW, 200)", "netlink": "socket(AF_NETLINK, SOCK_RAW, 0)", "packet": "socket(AF_PACKET, SOCK_RAW, 0)"} {
		for _, task := range []who{initRoot, initPlain, admin} {
			if task.caps != initRoot.caps && (strings.HasPrefix(kind, "raw") || kind == "packet") {
				continue
			}
			for _, level := range []string{"SOL_SOCKET", "SOL_IP", "SOL_IPV6", "SOL_TCP", "SOL_UDP", "SOL_NETLINK"} {
				sc := scene{kind + " " + level + " " + task.name, task, []row{{socket, ""}}}
				for name := range 130 {
					for _, v := range []string{"0", "1", "-1", "3", "127", "128", "255", "256", "32768", "65536"} {
						sc.calls = append(sc.calls, row{fmt.Sprintf("setsockopt(3, %s, %d, [%s], 4)", level, name, v), ""})
					}
					for _, v := range []string{"[255], 1", "[1], 0", "[1], 3", "[1], 8", "NULL, 0", "NULL, 3", "NULL, 4", "0x10, 4", `"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16`} {
						sc.calls = append(sc.calls, row{fmt.Sprintf("setsockopt(3, %s, %d, %s)", level, name, v), ""})
					}
					sc.calls = append(sc.calls, row{fmt.Sprintf("getsockopt(3, %s, %d, NULL, NULL)", level, name), ""})
				}
				if level == "SOL_SOCKET" || level == "SOL_TCP" { // a filter, or repair, would change what follows
					sc.calls = without(sc.calls, level, "26", "27", "44", "50", "51", "52", "19")
				}
				for some := range slices.Chunk(sc.calls[1:], 200) {
					n, u := s.allAgree(scene{sc.name, sc.task, append(sc.calls[:1:1], some...)})
					total, unsure = total+n, unsure+u
				}
			}
		}
	}
	t.Logf("%d calls, %d undetermined", total, unsure)
}

func without(rows []row, level string, names ...string) []row {
	var out []row
	for _, r := range rows {
		keep := true
		for _, n := range names {
			keep = keep && !strings.Contains(r.call, level+", "+n+", ")
		}
		if keep {
			out = append(out, r)
		}
	}
	return out
}

// allAgree performs a scene of calls of which nothing is written down.
func (s *stage) allAgree(sc scene) (total, unsure int) {
	s.t.Helper()
	w := *s.World
	w.Task.Cred = s.credentials(sc.task)
	w.Task.FDs, w.Task.Root, w.Task.Cwd = nil, s.root, s.root
	j, err := explain.Bind(&w, nil)
	s.must(err)
	got := s.act(sc)
	for i, c := range sc.calls {
		call, err := syscalls.Parse(syscalls.X8664, c.call)
		s.must(err)
		end := j.Verdict(call)
		if end.Verdict == story.Allowed { // the socket is bound to an interface
			j.Apply(call, -1)
		}
		if i == 0 {
			continue
		}
		e, _ := story.ParseErrno(got[i])
		total++
		switch {
		case end.Possible.Len() > 0:
			if unsure++; !end.Possible.Has(e) {
				s.t.Errorf("%s: %s: predicted %v, kernel %s", sc.name, c.call, end.Possible.All(), got[i])
			}
		case end.Errno != e:
			s.t.Errorf("%s: %s: predicted %v, kernel %s", sc.name, c.call, end.Errno, got[i])
		}
	}
	return total, unsure
}

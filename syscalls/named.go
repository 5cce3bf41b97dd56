package syscalls

import "strings"

// named are the arguments of calls without types here whose constants filters compare most, by call and register: what selects a call's
// function. The numbers are those of the kernel's headers, the same on all ABIs that are modelled.
var named = map[string][6]*flagSet{
	"socket": {0: families}, "socketpair": {0: families}, "personality": {0: personas}, "prctl": {0: prctls},
	"fcntl": {1: fcntls}, "fcntl64": {1: fcntls}, "mmap": {2: protections, 3: mappings}, "mmap2": {2: protections, 3: mappings}, "mprotect": {2: protections},
}

var families = &flagSet{flags: numbered("AF_", "UNSPEC UNIX INET AX25 IPX APPLETALK NETROM BRIDGE ATMPVC X25 INET6 ROSE DECnet NETBEUI SECURITY KEY NETLINK PACKET ASH ECONET ATMSVC RDS SNA IRDA PPPOX "+
	"WANPIPE LLC IB MPLS CAN TIPC BLUETOOTH IUCV RXRPC ISDN PHONET IEEE802154 CAIF ALG NFC VSOCK KCM QIPCRTR SMC XDP MCTP")}

// numbered gives names the numbers from 0 on.
func numbered(prefix, names string) []flag {
	out := []flag{{prefix + "LOCAL", 1}}
	for i, n := range strings.Fields(names) {
		out = append(out, flag{prefix + n, uint64(i)})
	}
	return out
}

var personas = &flagSet{flags: []flag{{"PER_LINUX", 0}, {"PER_LINUX32", 8}, {"UNAME26", 0x20000}, {"ADDR_NO_RANDOMIZE", 0x40000}, {"FDPIC_FUNCPTRS", 0x80000}, {"MMAP_PAGE_ZERO", 0x100000}, {"ADDR_COMPAT_LAYOUT", 0x200000},
	{"READ_IMPLIES_EXEC", 0x400000}, {"ADDR_LIMIT_32BIT", 0x800000}, {"SHORT_INODE", 0x1000000}, {"WHOLE_SECONDS", 0x2000000}, {"STICKY_TIMEOUTS", 0x4000000}, {"ADDR_LIMIT_3GB", 0x8000000}}}

var prctls = &flagSet{flags: []flag{{"PR_SET_PDEATHSIG", 1}, {"PR_GET_PDEATHSIG", 2}, {"PR_GET_DUMPABLE", 3}, {"PR_SET_DUMPABLE", 4}, {"PR_GET_KEEPCAPS", 7}, {"PR_SET_KEEPCAPS", 8}, {"PR_SET_NAME", 15}, {"PR_GET_NAME", 16},
	{"PR_GET_SECCOMP", 21}, {"PR_SET_SECCOMP", 22}, {"PR_CAPBSET_READ", 23}, {"PR_CAPBSET_DROP", 24}, {"PR_GET_SECUREBITS", 27}, {"PR_SET_SECUREBITS", 28}, {"PR_SET_TIMERSLACK", 29}, {"PR_GET_TIMERSLACK", 30}, {"PR_SET_MM", 35},
	{"PR_SET_CHILD_SUBREAPER", 36}, {"PR_GET_CHILD_SUBREAPER", 37}, {"PR_SET_NO_NEW_PRIVS", 38}, {"PR_GET_NO_NEW_PRIVS", 39}, {"PR_SET_THP_DISABLE", 41}, {"PR_GET_THP_DISABLE", 42}, {"PR_CAP_AMBIENT", 47},
	{"PR_SET_VMA", 0x53564d41}, {"PR_SET_PTRACER", 0x59616d61}}}

var fcntls = &flagSet{flags: []flag{{"F_DUPFD", 0}, {"F_GETFD", 1}, {"F_SETFD", 2}, {"F_GETFL", 3}, {"F_SETFL", 4}, {"F_GETLK", 5}, {"F_SETLK", 6}, {"F_SETLKW", 7}, {"F_DUPFD_CLOEXEC", 1030}, {"F_SETPIPE_SZ", 1031},
	{"F_GETPIPE_SZ", 1032}, {"F_ADD_SEALS", 1033}, {"F_GET_SEALS", 1034}}}

var protections = &flagSet{flags: []flag{{"PROT_NONE", 0}, {"PROT_READ", 1}, {"PROT_WRITE", 2}, {"PROT_EXEC", 4}, {"PROT_GROWSDOWN", 0x1000000}, {"PROT_GROWSUP", 0x2000000}}}

var mappings = &flagSet{flags: []flag{{"MAP_SHARED", 1}, {"MAP_PRIVATE", 2}, {"MAP_SHARED_VALIDATE", 3}, {"MAP_FIXED", 0x10}, {"MAP_ANONYMOUS", 0x20}, {"MAP_32BIT", 0x40}, {"MAP_GROWSDOWN", 0x100}, {"MAP_DENYWRITE", 0x800},
	{"MAP_EXECUTABLE", 0x1000}, {"MAP_LOCKED", 0x2000}, {"MAP_NORESERVE", 0x4000}, {"MAP_POPULATE", 0x8000}, {"MAP_NONBLOCK", 0x10000}, {"MAP_STACK", 0x20000}, {"MAP_HUGETLB", 0x40000}, {"MAP_FIXED_NOREPLACE", 0x100000}}}

// constants returns the number that names joined by | stand for, if all of them are known.
func (s *flagSet) constants(text string) (v uint64, ok bool) {
	for more := true; more; {
		var word string
		word, text, more = strings.Cut(text, "|")
		n, ok := s.value(word)
		if !ok {
			if n, ok = hexadecimal(word); !ok {
				return 0, false
			}
		}
		v |= n
	}
	return v, true
}

// hexadecimal reads what strace prints of bits that have no name.
func hexadecimal(word string) (v uint64, ok bool) {
	digits, ok := strings.CutPrefix(word, "0x")
	if !ok || digits == "" || len(digits) > 16 {
		return 0, false
	}
	for _, c := range []byte(digits) {
		switch {
		case isDigit(c):
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// symbolic returns the value of a register that was written with names.
func (c *Call) symbolic(i int) (uint64, bool) {
	sets, ok := named[c.Name]
	if c.Typed || !ok || sets[i] == nil || c.Args[i].Str == "" {
		return 0, false
	}
	return sets[i].constants(c.Args[i].Str)
}

package selinux

import (
	"net/netip"
	"strings"
)

// Sections of labels that the system's things have (OCON_ISID …).
const (
	objectSID = iota
	objectFS
	objectPort
	objectNetif
	objectNode
	objectFSUse
	objectNode6
	objectPkey
	objectEndport
)

var objectNames = [...]string{"initial SIDs", "filesystems", "ports", "network interfaces", "nodes", "fs_use", "IPv6 nodes", "InfiniBand keys", "InfiniBand ports"}

// object is an entry of such a section.
type object struct {
	name    string     // of a filesystem, interface or device
	a, b, c uint32     // number of a SID; protocol, low, high; behaviour; port
	addr    netip.Addr // of a node
	mask    netip.Addr
	prefix  uint64 // of a subnet
	label   Label
	packets Label // of an interface: of what comes in unlabelled
}

// readObjects reads the sections (ocontext_read).
func (p *Policy) readObjects(r *reader, sections uint32) {
	for kind := range int(sections) {
		r.section = objectNames[kind]
		n := r.u32()
		if !r.need(n, 8, 300) {
			return
		}
		p.objects[kind] = make([]object, n)
		for i := range p.objects[kind] {
			p.readObject(r, kind, &p.objects[kind][i])
			if r.err != nil {
				return
			}
		}
	}
}

func (p *Policy) readObject(r *reader, kind int, o *object) {
	switch kind {
	case objectSID:
		o.a = r.u32()
	case objectFS, objectNetif:
		o.name = r.name(r.u32())
		o.label, o.packets = p.readLabel(r), p.readLabel(r)
		return
	case objectPort:
		o.a, o.b, o.c = r.u32(), r.u32(), r.u32()
	case objectNode:
		o.addr, o.mask = r.addr(4), r.addr(4)
	case objectFSUse:
		o.a = r.u32()
		o.name = r.name(r.u32())
		if r.err == nil && (o.a == 0 || o.a > 3) {
			r.fail("filesystem %s is labelled in way %d", o.name, o.a)
		}
	case objectNode6:
		o.addr, o.mask = r.addr(16), r.addr(16)
	case objectPkey:
		hi, lo := r.addr(4), r.addr(4)
		o.prefix = uint64(be32(hi))<<32 | uint64(be32(lo))
		o.b, o.c = r.u32(), r.u32()
	case objectEndport:
		n := r.u32()
		o.a = r.u32()
		o.name = r.name(n)
	}
	o.label = p.readLabel(r)
}

// addr reads an address, which is in the network's order.
func (r *reader) addr(n int) netip.Addr {
	if !r.need(1, n, 0) {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice([]byte(r.text[r.off : r.off+n]))
	r.off += n
	return a
}

func be32(a netip.Addr) uint32 {
	if !a.Is4() {
		return 0
	}
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// readLabel reads and checks a label (context_read_and_validate).
func (p *Policy) readLabel(r *reader) Label {
	at := r.off
	l := Label{user: r.u32(), role: r.u32(), typ: r.u32()}
	raw := r.rawRange()
	if r.err != nil {
		return Label{}
	}
	l.rng = p.rangeOf(r, raw)
	if reason := p.invalid(&l); r.err == nil && reason != "" {
		r.failAt(at, "a label is not valid: %s", reason)
	}
	return l
}

// genfs are the labels within a filesystem that has none of its own.
type genfs struct {
	name  string
	paths []genfsPath
}

type genfsPath struct {
	path  string
	class uint16 // 0: any
	label Label
}

// readGenfs reads them (genfs_read). The kernel keeps paths with the longest first, as the file has them or not.
func (p *Policy) readGenfs(r *reader) {
	r.section = "genfs"
	n := r.u32()
	if !r.need(n, 9, 56) {
		return
	}
	for range n {
		g := genfs{name: r.name(r.u32())}
		n := r.u32()
		if !r.need(n, 36, 150) {
			return
		}
		g.paths = make([]genfsPath, n)
		for i := range g.paths {
			path, class := r.name(r.u32()), r.u32()
			if r.err == nil && class > p.classes.count() {
				r.fail("class %d of %d", class, p.classes.count())
			}
			g.paths[i] = genfsPath{path, uint16(class), p.readLabel(r)}
			if r.err != nil {
				return
			}
		}
		p.genfs = append(p.genfs, g)
	}
}

// GenFS returns the label that the policy gives to a path within a filesystem such as proc (security_genfs_sid). Of several
// prefixes the longest counts; a prefix need not end where a name does. class is the object's, or nothing for any. The label
// is false where the policy has none: the kernel then takes that of the initial SID unlabeled.
func (p *Policy) GenFS(filesystem, path, class string) (Label, bool) {
	for strings.HasPrefix(path, "//") {
		path = path[1:]
	}
	v := uint16(p.classes.byName[class])
	best := -1
	for i := range p.genfs {
		if p.genfs[i].name != filesystem {
			continue
		}
		paths := p.genfs[i].paths
		for k := range paths {
			x := &paths[k]
			if (x.class == 0 || x.class == v) && p.genfsMatches(x.path, path) && (best < 0 || len(x.path) > len(paths[best].path)) {
				best = k
			}
		}
		if best >= 0 {
			return paths[best].label, true
		}
	}
	return Label{}, false
}

// genfsMatches takes the policy's path as a pattern where genfs_seclabel_wildcard is set (since Linux 6.15).
func (p *Policy) genfsMatches(pattern, path string) bool {
	if p.HasCapability("genfs_seclabel_wildcard") {
		return wildcard(pattern, path)
	}
	return strings.HasPrefix(path, pattern)
}

// wildcard is match_wildcard: * is any text, ? any byte.
func wildcard(pattern, s string) bool {
	star, from := -1, 0
	i, k := 0, 0
	for k < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, from = i, k
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[k]):
			i, k = i+1, k+1
		case star >= 0:
			from++
			i, k = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// Labelling is where the labels of a filesystem's files come from.
type Labelling uint8

const (
	ByXattr      Labelling = 1 + iota // security.selinux
	ByTransition                      // from the task that makes it, as for tmpfs
	ByTask                            // the task's own, as for pipes
	ByGenFS                           // the policy's table of paths
	NotLabelled                       // the policy does not know the filesystem
	ByMount                           // context= of the mount
)

func (l Labelling) String() string {
	return [...]string{"unknown", "xattr", "trans", "task", "genfs", "none", "mountpoint"}[l]
}

// Filesystem says how a type of filesystem is labelled, and with what a filesystem itself is (security_fs_use).
func (p *Policy) Filesystem(name string) (Labelling, Label) {
	for i := range p.objects[objectFSUse] {
		if o := &p.objects[objectFSUse][i]; o.name == name {
			return Labelling(o.a), o.label
		}
	}
	if l, ok := p.GenFS(name, "/", "dir"); ok {
		return ByGenFS, l
	}
	l, _ := p.InitialSID("unlabeled")
	return NotLabelled, l
}

// initialSIDs are the kernel's names of its own labels, by number (initial_sid_to_string.h); most are gone since Linux 5.7.
var initialSIDs = [...]string{"null", "kernel", "security", "unlabeled", "fs", "file", "file_labels", "init", "any_socket", "port", "netif",
	"netmsg", "node", "igmp_packet", "icmp_socket", "tcp_socket", "sysctl_modprobe", "sysctl", "sysctl_fs", "sysctl_kernel", "sysctl_net",
	"sysctl_net_unix", "sysctl_vm", "sysctl_dev", "kmod", "policy", "scmp_packet", "devnull"}

// InitialSID returns the label of one of the kernel's own, by name: kernel, unlabeled, file, port, netif, node, devnull …
func (p *Policy) InitialSID(name string) (Label, bool) {
	for i := range p.objects[objectSID] {
		if o := &p.objects[objectSID][i]; int(o.a) < len(initialSIDs) && initialSIDs[o.a] == name {
			return o.label, true
		}
	}
	return Label{}, false
}

// Port returns the label of a port (security_port_sid); protocol is IPPROTO_TCP, 6, or the like.
func (p *Policy) Port(protocol uint8, port uint16) (Label, bool) {
	for i := range p.objects[objectPort] {
		if o := &p.objects[objectPort][i]; o.a == uint32(protocol) && o.b <= uint32(port) && uint32(port) <= o.c {
			return o.label, true
		}
	}
	return p.InitialSID("port")
}

// Node returns the label of an address (security_node_sid).
func (p *Policy) Node(addr netip.Addr) (Label, bool) {
	kind := objectNode6
	if addr.Is4() {
		kind = objectNode
	}
	for i := range p.objects[kind] {
		if o := &p.objects[kind][i]; masked(addr, o.mask) == o.addr {
			return o.label, true
		}
	}
	return p.InitialSID("node")
}

func masked(a, m netip.Addr) netip.Addr {
	x, y := a.AsSlice(), m.AsSlice()
	for i := range x {
		x[i] &= y[i]
	}
	out, _ := netip.AddrFromSlice(x)
	return out
}

// Netif returns the labels of a network interface and of packets on it.
func (p *Policy) Netif(name string) (device Label, packets Label, ok bool) {
	for i := range p.objects[objectNetif] {
		if o := &p.objects[objectNetif][i]; o.name == name || p.HasCapability("netif_wildcard") && wildcard(o.name, name) {
			return o.label, o.packets, true
		}
	}
	l, ok := p.InitialSID("netif")
	return l, l, ok
}

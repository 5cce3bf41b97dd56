package selinux

import (
	"bytes"
	"fmt"
)

// Policy is a binary policy. It does not change, and any number of goroutines may ask it.
type Policy struct {
	version    uint32
	mls        bool
	unknown    Unknown
	caps       bitmap
	permissive bitmap // by a type's number
	neveraudit bitmap

	commons       symbols[permSet]
	classes       symbols[class]
	roles         symbols[role]
	types         symbols[typ]
	users         symbols[user]
	booleans      symbols[boolean]
	sensitivities symbols[sensitivity]
	categories    symbols[string]

	te         table
	conds      []conditional
	condStates []bool // by conditional: what its expression says
	xperms     []xperms

	roleTransitions map[roleKey]uint32
	roleAllows      map[[2]uint32]bool
	names           map[nameKey][]nameRule
	ranges          map[rangeKey]Range

	objects [9][]object
	genfs   []genfs

	process      uint16 // the class, and its permissions that change a process's label
	processTrans uint32
}

// Unknown is what becomes of permissions that the kernel asks for and the policy does not define.
type Unknown uint8

const (
	DenyUnknown Unknown = iota
	RejectUnknown
	AllowUnknown
)

func (u Unknown) String() string { return [...]string{"deny", "reject", "allow"}[u] }

// Versions that Parse reads: since 24 types and users have bounds, 35 has types that are never audited.
const (
	MinVersion = 24
	MaxVersion = 35
)

// Parse reads a binary policy, as /sys/fs/selinux/policy gives it or checkpolicy and secilc write it, and checks it as the
// kernel does (policydb_read): every number that is used later is one that exists.
func Parse(data []byte) (*Policy, error) {
	p := &Policy{}
	r := &reader{section: "header"}
	if len(data) > MaxPolicySize {
		r.fail("it has %d bytes, and at most %d are read", len(data), MaxPolicySize)
		return nil, r.err
	}
	r.text = string(data)
	sections := p.readHeader(r)
	p.readCommons(r)
	p.readClasses(r)
	p.readRoles(r)
	p.readTypes(r)
	users := p.readUsers(r)
	p.readBooleans(r)
	p.readSensitivities(r)
	p.readCategories(r)
	p.checkSymbols(r, users)
	p.readRules(r)
	p.readConditionals(r)
	p.findProcess(r)
	p.readRoleRules(r)
	p.readNames(r)
	p.readObjects(r, sections)
	p.readGenfs(r)
	p.readRanges(r)
	p.readTypeSets(r)
	if r.err != nil {
		return nil, r.err
	}
	return p, nil
}

const magic = 0xf97cff8c

// readHeader returns the number of sections with objects' labels.
func (p *Policy) readHeader(r *reader) (sections uint32) {
	if len(r.text) < 8 || r.u32() != magic {
		r.failAt(0, "it is not a binary policy")
	}
	n := r.u32()
	if target := r.name(min(n, 64)); r.err == nil && target != "SE Linux" {
		r.fail("it is a policy for %q, not for SE Linux", target)
	}
	p.version = r.u32()
	r.version = p.version
	if r.err == nil && (p.version < MinVersion || p.version > MaxVersion) {
		r.fail("it has version %d, and %d to %d are read", p.version, MinVersion, MaxVersion)
	}
	config := r.u32()
	p.mls = config&1 != 0
	switch {
	case config&2 != 0 && config&4 != 0:
		r.fail("unknown permissions are both rejected and allowed")
	case config&2 != 0:
		p.unknown = RejectUnknown
	case config&4 != 0:
		p.unknown = AllowUnknown
	}
	syms, ocons := r.u32(), r.u32()
	want := uint32(9)
	if p.version < 31 { // POLICYDB_VERSION_INFINIBAND
		want = 7
	}
	if r.err == nil && (syms != 8 || ocons != want) {
		r.fail("it has %d and %d tables, and version %d has 8 and %d", syms, ocons, p.version, want)
	}
	r.section = "policy capabilities"
	p.caps = r.bitmap()
	r.section = "permissive types"
	p.permissive = r.bitmap()
	if p.version >= 35 { // POLICYDB_VERSION_NEVERAUDIT
		r.section = "types never audited"
		p.neveraudit = r.bitmap()
	}
	return want
}

// checkSymbols checks what refers to symbols that come later in the file.
func (p *Policy) checkSymbols(r *reader, users []rawRange) {
	if r.err != nil {
		return
	}
	r.section = "symbols"
	for i := range p.users.list {
		u := &p.users.list[i]
		r.subset("roles", &u.roles, p.roles.count())
		if u.name != "" {
			u.rng = p.rangeOf(r, users[i])
		}
	}
	for i := range p.roles.list {
		x := &p.roles.list[i]
		r.subset("roles", &x.dominates, p.roles.count())
		r.subset("types", &x.types, p.types.count())
	}
	for i := range p.sensitivities.list {
		r.subset("categories", &p.sensitivities.list[i].cats, p.categories.count())
	}
	r.subset("types", &p.permissive, p.types.count()+1)
	r.subset("types", &p.neveraudit, p.types.count()+1)
	bounded(r, "user", &p.users, func(u *user) uint32 { return u.bounds })
	bounded(r, "role", &p.roles, func(x *role) uint32 { return x.bounds })
	bounded(r, "type", &p.types, func(t *typ) uint32 { return t.bounds })
}

// bounded checks that each thing has few bounds above it, which end (policydb_bounds_sanity_check).
func bounded[T any](r *reader, what string, s *symbols[T], up func(*T) uint32) {
	const most = 4 // POLICYDB_BOUNDS_MAXDEPTH
	for i := range s.list {
		depth := 0
		for b := up(&s.list[i]); b != 0 && r.err == nil; b = up(s.at(b)) {
			if depth++; b > s.count() || depth == most {
				r.fail("%s %d has bounds that do not exist or do not end", what, i+1)
				return
			}
		}
	}
}

// findProcess finds the class that the kernel itself knows; it takes no policy without.
func (p *Policy) findProcess(r *reader) {
	if r.err != nil {
		return
	}
	r.section = "classes"
	v, ok := p.classes.byName["process"]
	if !ok {
		r.fail("there is no class process")
		return
	}
	p.process = uint16(v)
	for i, name := range p.classes.at(v).perms {
		if name == "transition" || name == "dyntransition" {
			p.processTrans |= 1 << i
		}
	}
	if p.processTrans == 0 {
		r.fail("class process has no permission transition")
	}
}

// maxSets bounds the attributes of a type, and so the time of a decision. Types of published policies have fewer than 100.
const maxSets = 2048

// readTypeSets reads what attributes each type has (type_attr_map); a type is in its own set.
func (p *Policy) readTypeSets(r *reader) {
	r.section = "attributes of types"
	for i := range p.types.list {
		at := r.off
		b := r.bitmap()
		r.subset("types", &b, p.types.count())
		if b.len() > maxSets {
			r.failAt(at, "type %d has %d attributes, more than %d", i+1, b.len(), maxSets)
		}
		if r.err != nil || !r.book(32) {
			return
		}
		b.add(uint32(i))
		p.types.list[i].sets = b
	}
}

// Version is the format's version, 24 to 35.
func (p *Policy) Version() int { return int(p.version) }

// MLS says whether contexts have a range.
func (p *Policy) MLS() bool { return p.mls }

// HandleUnknown says what becomes of permissions that the policy does not define.
func (p *Policy) HandleUnknown() Unknown { return p.unknown }

// Capabilities are the policy capabilities that are set, by name.
func (p *Policy) Capabilities() []string {
	var all []string
	for n := range p.caps.all() {
		if int(n) < len(capabilityNames) {
			all = append(all, capabilityNames[n])
		} else {
			all = append(all, fmt.Sprintf("capability %d", n))
		}
	}
	return all
}

// capabilityNames are those of Linux 6.18 (selinux_policycap_names), by number.
var capabilityNames = [...]string{"network_peer_controls", "open_perms", "extended_socket_class", "always_check_network", "cgroup_seclabel",
	"nnp_nosuid_transition", "genfs_seclabel_symlinks", "ioctl_skip_cloexec", "userspace_initial_context", "netlink_xperm", "netif_wildcard",
	"genfs_seclabel_wildcard", "functionfs_seclabel", "memfd_class"}

// HasCapability says whether a policy capability is set.
func (p *Policy) HasCapability(name string) bool {
	for n := range p.caps.all() {
		if int(n) < len(capabilityNames) && capabilityNames[n] == name {
			return true
		}
	}
	return false
}

// IsPolicy says whether a file starts like a binary policy.
func IsPolicy(data []byte) bool {
	return bytes.HasPrefix(data, []byte{0x8c, 0xff, 0x7c, 0xf9})
}

// Levels returns the lowest level of the policy and the one with all categories, "" without MLS.
func (p *Policy) Levels() (low, high string) {
	if !p.mls || len(p.sensitivities.list) == 0 {
		return "", ""
	}
	low = p.sensitivityName(0)
	switch n := len(p.categories.list); n {
	case 0:
		return low, low
	case 1:
		return low, low + ":" + p.categoryName(0)
	default:
		return low, low + ":" + p.categoryName(0) + "." + p.categoryName(n-1)
	}
}

// Types lists the types that have an attribute, in the order of their numbers; with "" all types.
func (p *Policy) Types(attribute string) (names []string) {
	want, ok := p.types.byName[attribute]
	if attribute != "" && (!ok || !p.types.at(want).attribute) {
		return nil
	}
	for i := range p.types.list {
		if t := &p.types.list[i]; t.name != "" && !t.attribute && (attribute == "" || t.sets.has(want-1)) {
			names = append(names, t.name)
		}
	}
	return names
}

package selinux

// ruleKind is what a rule of the access vector table says (avtab_key.specified).
type ruleKind uint16

const (
	ruleAllow      ruleKind = 0x1
	ruleAuditAllow ruleKind = 0x2
	ruleDontAudit  ruleKind = 0x4 // its data are the permissions that stay audited
	ruleTransition ruleKind = 0x10
	ruleMember     ruleKind = 0x20
	ruleChange     ruleKind = 0x40
	ruleAllowX     ruleKind = 0x100
	ruleAuditX     ruleKind = 0x200
	ruleDontAuditX ruleKind = 0x400

	rulesOfTypes = ruleTransition | ruleMember | ruleChange
	rulesX       = ruleAllowX | ruleAuditX | ruleDontAuditX
	rulesKnown   = ruleAllow | ruleAuditAllow | ruleDontAudit | rulesOfTypes | rulesX
)

// rule is an entry of the table.
type rule struct {
	src, tgt, class uint16
	kind            ruleKind
	data            uint32 // permissions, a type, or an index into Policy.xperms
	cond            int32  // 0: holds always; else a conditional and one, negative in its else branch
}

// xperms are the extended permissions of a rule.
type xperms struct {
	kind, driver uint8
	bits         [8]uint32
}

// Kinds of extended permissions (AVTAB_XPERMS_IOCTLFUNCTION …).
const (
	xpermFunction = 1 // ioctl commands of one driver, the high byte of a command
	xpermDriver   = 2 // whole drivers
	xpermNlmsg    = 3 // netlink messages, since Linux 6.13
)

func (x *xperms) has(n uint8) bool { return x.bits[n/32]>>(n%32)&1 != 0 }

// maxRuleCount bounds the rules of a policy, and so what is made of them. Debian's has 130,000.
const maxRuleCount = 1 << 20

// readRules reads the unconditional rules (avtab_read).
func (p *Policy) readRules(r *reader) {
	r.section = "rules"
	n := r.u32()
	if r.err == nil && n == 0 {
		r.fail("there are no rules")
	}
	if n > maxRuleCount {
		r.fail("there are %d rules, more than %d", n, maxRuleCount)
	}
	if !r.need(n, 12, 40) { // as much as sorting needs
		return
	}
	p.te.rules = make([]rule, n, n+n/3) // those of conditionals follow
	for i := range p.te.rules {
		if !p.readRule(r, &p.te.rules[i], false) {
			return
		}
	}
}

// readRule reads an entry (avtab_read_item).
func (p *Policy) readRule(r *reader, x *rule, conditional bool) bool {
	at := r.off
	key := r.u64()
	x.src, x.tgt, x.class = uint16(key), uint16(key>>16), uint16(key>>32)
	kind := ruleKind(key>>48) &^ 0x8000 // AVTAB_ENABLED, of no meaning in a file
	x.kind = kind
	switch {
	case r.err != nil:
		return false
	case kind&(kind-1) != 0 || kind&rulesKnown == 0:
		r.failAt(at, "a rule of kind %#x", uint16(kind))
		return false
	case !p.isType(uint32(x.src)) || !p.isType(uint32(x.tgt)):
		r.failAt(at, "a rule about types %d and %d of %d", x.src, x.tgt, p.types.count())
		return false
	case x.class == 0 || uint32(x.class) > p.classes.count():
		r.failAt(at, "a rule about class %d of %d", x.class, p.classes.count())
		return false
	case kind&rulesX != 0:
		return p.readXperms(r, x, at, conditional)
	}
	x.data = r.u32()
	if r.err == nil && kind&rulesOfTypes != 0 && !p.isType(x.data) {
		r.failAt(at, "a rule makes type %d of %d", x.data, p.types.count())
	}
	return r.err == nil
}

func (p *Policy) readXperms(r *reader, x *rule, at int, conditional bool) bool {
	if r.version < 30 { // POLICYDB_VERSION_XPERMS_IOCTL
		r.failAt(at, "extended permissions in a policy of version %d", r.version)
	}
	if conditional && r.version < 34 { // POLICYDB_VERSION_COND_XPERMS
		r.failAt(at, "extended permissions of a conditional rule in a policy of version %d", r.version)
	}
	v := xperms{kind: r.u8(), driver: r.u8()}
	for i := range v.bits {
		v.bits[i] = r.u32()
	}
	if r.err == nil && (v.kind < xpermFunction || v.kind > xpermNlmsg) {
		r.failAt(at, "extended permissions of kind %d", v.kind)
	}
	if !r.book(80) { // a slice that grows
		return false
	}
	x.data = uint32(len(p.xperms))
	p.xperms = append(p.xperms, v)
	return true
}

// isType says whether a number is that of a type or attribute (policydb_type_isvalid).
func (p *Policy) isType(v uint32) bool {
	return v != 0 && v <= p.types.count() && p.types.at(v).name != ""
}

package selinux

import (
	"fmt"
	"math/bits"
)

// Class is the number of an object class in a policy, 0 for one that the policy does not know.
type Class uint16

// Class finds a class by name.
func (p *Policy) Class(name string) (Class, bool) {
	v, ok := p.classes.byName[name]
	return Class(v), ok
}

// Perms turns names of permissions into bits, and returns those that the class does not have.
func (p *Policy) Perms(c Class, names ...string) (set uint32, unknown []string) {
	for _, n := range names {
		bit := p.perm(c, n)
		if set |= bit; bit == 0 {
			unknown = append(unknown, n)
		}
	}
	return set, unknown
}

func (p *Policy) perm(c Class, name string) uint32 {
	if c == 0 || uint32(c) > p.classes.count() || name == "" {
		return 0
	}
	for i, n := range p.classes.at(uint32(c)).perms {
		if n == name {
			return 1 << i
		}
	}
	return 0
}

// PermNames are the names of a class's permissions, by bit; one that has no name is "".
func (p *Policy) PermNames(c Class) []string {
	if c == 0 || uint32(c) > p.classes.count() {
		return nil
	}
	return append([]string(nil), p.classes.at(uint32(c)).perms...)
}

// Decision is what a source may do to a target, in bits of the class's permissions (struct av_decision).
type Decision struct {
	Allowed    uint32
	AuditAllow uint32 // logged though allowed
	AuditDeny  uint32 // logged where denied
	Permissive bool   // the source's type is permissive: denials are logged and let pass
	NeverAudit bool   // nothing of the source's type is logged
}

// Decide works out the permissions that source has on target (security_compute_av). Labels are those of this policy. A class
// that the policy does not know has all permissions or none, as the policy says (HandleUnknown); the same is true of
// permissions that a known class lacks, which have no bit here (Explain answers by name).
func (p *Policy) Decide(source, target Label, c Class) Decision {
	d := Decision{Permissive: p.permissive.has(source.typ), NeverAudit: p.neveraudit.has(source.typ), AuditDeny: ^uint32(0)}
	switch {
	case c == 0 || uint32(c) > p.classes.count():
		if p.unknown == AllowUnknown {
			d.Allowed = ^uint32(0)
		}
	case source.IsValid() && target.IsValid():
		p.compute(&source, &target, uint16(c), &d)
	}
	return d
}

// compute is context_struct_compute_av: rules by attributes, then what takes permissions away again.
func (p *Policy) compute(s, t *Label, c uint16, d *Decision) {
	tgt := &p.types.at(t.typ).sets
	for _, n := range p.types.at(s.typ).sets.nodes {
		for w := n.bits & p.te.from[n.start/64]; w != 0; w &= w - 1 {
			p.gather(uint16(n.start+uint32(bits.TrailingZeros64(w))+1), c, tgt, d)
		}
	}
	p.limit(s, t, c, d)
}

// limit takes away what constraints, roles and bounds forbid.
func (p *Policy) limit(s, t *Label, c uint16, d *Decision) {
	x := p.classes.at(uint32(c))
	for i := range x.constraints {
		if n := &x.constraints[i]; n.perms&d.Allowed != 0 && !p.holds(n.nodes, s, t, nil) {
			d.Allowed &^= n.perms
		}
	}
	if p.roleForbids(s, t, c) {
		d.Allowed &^= p.processTrans
	}
	if b := p.types.at(s.typ).bounds; b != 0 {
		d.Allowed &= p.bound(s, t, c, b)
	}
}

func (d *Decision) add(x *rule) {
	switch x.kind {
	case ruleAllow:
		d.Allowed |= x.data
	case ruleAuditAllow:
		d.AuditAllow |= x.data
	case ruleDontAudit:
		d.AuditDeny &= x.data
	}
}

// roleForbids says whether a change of roles lacks its allow rule.
func (p *Policy) roleForbids(s, t *Label, c uint16) bool {
	return c == p.process && s.role != t.role && !p.roleAllows[[2]uint32{s.role, t.role}]
}

// bound returns what the type above may do, which limits the one below (type_attribute_bounds_av).
func (p *Policy) bound(s, t *Label, c uint16, above uint32) uint32 {
	ls, lt := *s, *t
	ls.typ = above
	if b := p.types.at(t.typ).bounds; b != 0 {
		lt.typ = b
	}
	var d Decision
	p.compute(&ls, &lt, c, &d)
	return d.Allowed
}

// Transition says whether an object may change from one label to another, as validatetrans and mlsvalidatetrans rules of
// its class tell (security_validate_transition); task is the label of who changes it. The text says which rule forbids it.
func (p *Policy) Transition(from, to, task Label, c Class) (ok bool, why string) {
	if c == 0 || uint32(c) > p.classes.count() {
		return true, ""
	}
	for i := range p.classes.at(uint32(c)).transitions {
		if n := &p.classes.at(uint32(c)).transitions[i]; !p.holds(n.nodes, &from, &to, &task) {
			e := p.expression(n.nodes, &from, &to, &task)
			return false, fmt.Sprintf("validatetrans %s: %s", p.classes.at(uint32(c)).name, e.Text)
		}
	}
	return true, ""
}

// Bounded says whether a label's type is the other's or bounded by it, directly or through further ones
// (security_bounded_transition).
func (p *Policy) Bounded(l, by Label) bool {
	for t := l.typ; t != 0; t = p.types.at(t).bounds {
		if t == by.typ {
			return true
		}
	}
	return false
}

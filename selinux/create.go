package selinux

import (
	"fmt"
	"strings"
)

// Step says which rule has given a new label one of its parts.
type Step struct {
	Part string `json:"part"` // user, role, type, range
	Why  string `json:"why"`
}

// Created is the label of a new object.
type Created struct {
	Label Label
	Steps []Step
}

// An InvalidError says that the rules lead to a label that may not exist; the kernel answers EACCES, where it enforces.
type InvalidError struct{ Context, Reason string }

func (e *InvalidError) Error() string {
	return fmt.Sprintf("the rules lead to %s, which is not valid: %s", e.Context, e.Reason)
}

// Create returns the label that a new object gets (security_transition_sid): of a process, source is the old label and target
// the program's; of a file, the directory's. name is the object's last component, "" where it has none.
func (p *Policy) Create(source, target Label, c Class, name string) (Created, error) {
	return p.newLabel(source, target, uint16(c), ruleTransition, name)
}

// Relabel returns the label that an object should get when source takes it over (security_change_sid, type_change).
func (p *Policy) Relabel(source, target Label, c Class) (Created, error) {
	return p.newLabel(source, target, uint16(c), ruleChange, "")
}

// Member returns the label of a member of a polyinstantiated directory (security_member_sid, type_member).
func (p *Policy) Member(source, target Label, c Class) (Created, error) {
	return p.newLabel(source, target, uint16(c), ruleMember, "")
}

// newLabel is security_compute_sid.
func (p *Policy) newLabel(s, t Label, c uint16, kind ruleKind, name string) (Created, error) {
	var out Created
	if c == 0 || uint32(c) > p.classes.count() || !s.IsValid() || !t.IsValid() {
		return out, fmt.Errorf("class %d is not the policy's", c)
	}
	x := p.classes.at(uint32(c))
	say := func(part, format string, args ...any) {
		out.Steps = append(out.Steps, Step{part, fmt.Sprintf(format, args...)})
	}
	like := c == p.process || isSocket(x.name) // gets its label from the task
	l := Label{user: s.user}
	switch {
	case kind == ruleMember:
		l.user = t.user
		say("user", "of the target, as type_member has it")
	case x.defaultUser == defaultTarget:
		l.user = t.user
		say("user", "default_user %s target", x.name)
	default:
		say("user", "of the source")
	}
	p.newRole(&l, &s, &t, x, like, say)
	p.newType(&l, &s, &t, x, c, kind, like, name, say)
	if kind == ruleTransition {
		if next, ok := p.roleTransitions[roleKey{s.role, t.typ, c}]; ok {
			l.role = next
			say("role", "role_transition %s %s:%s %s", p.roles.at(s.role).name, p.types.at(t.typ).name, x.name, p.roles.at(next).name)
		}
	}
	if p.mls {
		p.newRange(&l, &s, &t, x, c, kind, like, say)
	}
	out.Label = l
	if reason := p.invalid(&l); reason != "" {
		return out, &InvalidError{p.Text(l), reason}
	}
	return out, nil
}

type sayer func(part, format string, args ...any)

func (p *Policy) newRole(l, s, t *Label, x *class, like bool, say sayer) {
	switch {
	case x.defaultRole == defaultSource:
		l.role = s.role
		say("role", "default_role %s source", x.name)
	case x.defaultRole == defaultTarget:
		l.role = t.role
		say("role", "default_role %s target", x.name)
	case like:
		l.role = s.role
		say("role", "of the source, as for processes and sockets")
	default:
		l.role = objectR
		say("role", "object_r, as for objects")
	}
}

func (p *Policy) newType(l, s, t *Label, x *class, c uint16, kind ruleKind, like bool, name string, say sayer) {
	switch {
	case x.defaultType == defaultSource:
		l.typ = s.typ
		say("type", "default_type %s source", x.name)
	case x.defaultType == defaultTarget:
		l.typ = t.typ
		say("type", "default_type %s target", x.name)
	case like:
		l.typ = s.typ
		say("type", "of the source, as for processes and sockets")
	default:
		l.typ = t.typ
		say("type", "of the target, such as the directory")
	}
	src, tgt := uint16(s.typ), uint16(t.typ)
	all := p.te.to(src, c, tgt)
	for i := range all {
		if r := &all[i]; r.kind == kind && p.enabled(r) {
			l.typ = r.data
			text := p.text(r, nil, nil)
			if say("type", "%s", text.Text); text.Condition != "" {
				say("type", "as the condition %s holds", text.Condition)
			}
			break
		}
	}
	if kind != ruleTransition || name == "" {
		return
	}
	for _, n := range p.names[nameKey{t.typ, c, name}] {
		if n.sources.has(s.typ - 1) {
			l.typ = n.typ
			say("type", "type_transition %s %s:%s %s %q", p.types.at(s.typ).name, p.types.at(t.typ).name, x.name, p.types.at(n.typ).name, name)
			return
		}
	}
}

// newRange is mls_compute_sid.
func (p *Policy) newRange(l, s, t *Label, x *class, c uint16, kind ruleKind, like bool, say sayer) {
	if kind == ruleTransition {
		if rng, ok := p.ranges[rangeKey{s.typ, t.typ, c}]; ok {
			l.rng = rng
			say("range", "range_transition %s %s:%s %s", p.types.at(s.typ).name, p.types.at(t.typ).name, x.name, p.rangeText(rng))
			return
		}
		if p.defaultRange(l, s, t, x, say) {
			return
		}
	}
	if kind != ruleMember && like {
		l.rng = s.rng
		say("range", "of the source, as for processes and sockets")
		return
	}
	l.rng = Range{s.rng.Low, s.rng.Low}
	say("range", "the low level of the source")
}

func (p *Policy) defaultRange(l, s, t *Label, x *class, say sayer) bool {
	from, which := s.rng, "source"
	switch {
	case x.defaultRange == 0:
		return false
	case x.defaultRange == rangeGLBLUB:
		return p.commonRange(l, s, t, x, say)
	case x.defaultRange >= rangeTargetLow:
		from, which = t.rng, "target"
	}
	switch x.defaultRange {
	case rangeSourceLow, rangeTargetLow:
		from.High = from.Low
		which += " low"
	case rangeSourceHigh, rangeTargetHigh:
		from.Low = from.High
		which += " high"
	default:
		which += " low-high"
	}
	l.rng = from
	say("range", "default_range %s %s", x.name, which)
	return true
}

// commonRange is mls_context_glblub: the greatest level below both, to the least above both that both reach.
func (p *Policy) commonRange(l, s, t *Label, x *class, say sayer) bool {
	a, b := s.rng, t.rng
	if a.High.sens < b.Low.sens || b.High.sens < a.Low.sens {
		l.rng = Range{} // the kernel answers EINVAL; no label has this range, and invalid says so
		say("range", "default_range %s glblub, and the ranges have nothing in common", x.name)
		return true
	}
	l.rng = Range{
		Level{max(a.Low.sens, b.Low.sens), a.Low.cats.And(b.Low.cats)},
		Level{min(a.High.sens, b.High.sens), a.High.cats.And(b.High.cats)},
	}
	say("range", "default_range %s glblub", x.name)
	return true
}

// isSocket says whether a class is a socket's to the kernel (security_is_socket_class): those of its own classes whose names
// end so. Two that policies still have, also under other names, are none of its own any more, as their protocols are gone.
func isSocket(class string) bool {
	switch strings.TrimPrefix(class, "obsolete_") {
	case "netlink_firewall_socket", "netlink_ip6fw_socket":
		return false
	}
	return strings.HasSuffix(class, "socket")
}

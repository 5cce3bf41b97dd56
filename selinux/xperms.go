package selinux

// An Extended is one command that a permission is asked for with: of ioctl the command's low 16 bits, of a netlink socket
// the type of a message.
type Extended uint16

func (x Extended) driver() uint8   { return uint8(x >> 8) }
func (x Extended) function() uint8 { return uint8(x) }

// ExtendedDecision is what extended rules say about one command.
type ExtendedDecision struct {
	Rules      bool // any rule is there: then what is not allowed is denied
	Allowed    bool
	AuditAllow bool
	DontAudit  bool
}

// DecideExtended looks at the extended rules for a command of ioctl, or of nlmsg. They count in addition to the permission
// itself: where there is none, the permission is enough (avc_has_extended_perms, security_compute_xperms_decision). Since
// Linux 5.14 a rule of any kind makes commands count, before that an allow rule only.
func (p *Policy) DecideExtended(source, target Label, c Class, perm string, command Extended) ExtendedDecision {
	var d ExtendedDecision
	if c == 0 || uint32(c) > p.classes.count() || !source.IsValid() || !target.IsValid() {
		return d
	}
	p.eachExtended(source, target, uint16(c), func(x *rule, v *xperms) {
		if (v.kind == xpermNlmsg) != (perm == "nlmsg") {
			return
		}
		d.Rules = true
		if !v.covers(command) {
			return
		}
		switch x.kind {
		case ruleAllowX:
			d.Allowed = true
		case ruleAuditX:
			d.AuditAllow = true
		case ruleDontAuditX:
			d.DontAudit = true
		}
	})
	return d
}

// covers says whether a rule is about a command (services_compute_xperms_decision).
func (v *xperms) covers(command Extended) bool {
	if v.kind == xpermDriver {
		return v.has(command.driver())
	}
	return v.driver == command.driver() && v.has(command.function())
}

// eachExtended visits the extended rules that hold between two labels.
func (p *Policy) eachExtended(s, t Label, c uint16, visit func(*rule, *xperms)) {
	p.between(&p.types.at(s.typ).sets, &p.types.at(t.typ).sets, c, func(x *rule) {
		if x.kind&rulesX != 0 && p.enabled(x) {
			visit(x, &p.xperms[x.data])
		}
	})
}

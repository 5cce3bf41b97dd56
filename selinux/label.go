package selinux

import "fmt"

// Label is a context in the numbers of one policy. The zero value is no label; labels of one policy compare with ==.
type Label struct {
	user, role, typ uint32
	rng             Range
}

// IsValid tells a label from the zero value.
func (l Label) IsValid() bool { return l.typ != 0 }

// Range is the label's range, in the policy's numbers.
func (l Label) Range() Range { return l.rng }

// number is the part that an expression compares.
func (l *Label) number(attr uint16) uint32 {
	switch attr {
	case attrUser:
		return l.user
	case attrRole:
		return l.role
	}
	return l.typ
}

// Label reads a context in this policy's names and checks it (security_context_to_sid).
func (p *Policy) Label(text string) (Label, error) {
	c, rng, err := split(text)
	if err != nil {
		return Label{}, err
	}
	bad := func(format string, args ...any) (Label, error) {
		return Label{}, &ParseError{clip(text), fmt.Sprintf(format, args...)}
	}
	var l Label
	var ok bool
	if l.user, ok = p.users.byName[c.User]; !ok {
		return bad("the policy has no user %s%s", c.User, nearest(c.User, p.users.byName))
	}
	if l.role, ok = p.roles.byName[c.Role]; !ok {
		return bad("the policy has no role %s%s", c.Role, nearest(c.Role, p.roles.byName))
	}
	if l.typ, ok = p.types.byName[c.Type]; !ok {
		return bad("the policy has no type %s%s", c.Type, nearest(c.Type, p.types.byName))
	}
	switch {
	case p.types.at(l.typ).attribute:
		return bad("%s is an attribute, not a type", c.Type)
	case p.mls && rng == nil:
		return bad("it has no range of levels, and the policy asks for one")
	case !p.mls && rng != nil:
		return bad("it has a range of levels, and the policy has none")
	case p.mls:
		if l.rng, err = parseRange(*rng, p.number("sensitivity", p.sensitivities.byName), p.number("category", p.categories.byName)); err != nil {
			return bad("%v", err)
		}
	}
	if reason := p.invalid(&l); reason != "" {
		return bad("%s", reason)
	}
	return l, nil
}

func (p *Policy) number(what string, names map[string]uint32) func(string) (int, error) {
	return func(name string) (int, error) {
		v, ok := names[name]
		if !ok {
			return 0, fmt.Errorf("%q does not exist in the policy", name)
		}
		return int(v) - 1, nil
	}
}

// MustLabel is Label for texts of a program; it panics on an error.
func (p *Policy) MustLabel(text string) Label {
	l, err := p.Label(text)
	if err != nil {
		panic(err)
	}
	return l
}

// invalid says why a label may not exist (policydb_context_isvalid), "" where it may.
func (p *Policy) invalid(l *Label) string {
	switch {
	case l.user == 0 || l.user > p.users.count() || p.users.at(l.user).name == "":
		return fmt.Sprintf("user %d does not exist", l.user)
	case l.role == 0 || l.role > p.roles.count() || p.roles.at(l.role).name == "":
		return fmt.Sprintf("role %d does not exist", l.role)
	case !p.isType(l.typ):
		return fmt.Sprintf("type %d does not exist", l.typ)
	}
	u, x, t := p.users.at(l.user), p.roles.at(l.role), p.types.at(l.typ)
	if l.role != objectR { // object_r goes with every user and type
		if !x.types.has(l.typ - 1) {
			return fmt.Sprintf("role %s may not have type %s", x.name, t.name)
		}
		if !u.roles.has(l.role - 1) {
			return fmt.Sprintf("user %s may not have role %s", u.name, x.name)
		}
	}
	if !p.mls {
		return ""
	}
	for _, v := range []Level{l.rng.Low, l.rng.High} {
		if v.Sensitivity() < 0 || v.sens > p.sensitivities.count() {
			return fmt.Sprintf("sensitivity %d does not exist", v.sens)
		}
		for _, n := range v.cats.Numbers() {
			if !p.sensitivities.at(v.sens).cats.has(uint32(n)) {
				return fmt.Sprintf("%s does not come with category %s", p.sensitivityName(v.Sensitivity()), p.categoryName(n))
			}
		}
	}
	if !l.rng.High.Dominates(l.rng.Low) {
		return fmt.Sprintf("the high level of %s does not dominate the low one", p.rangeText(l.rng))
	}
	if l.role != objectR && !u.rng.Contains(l.rng) {
		return fmt.Sprintf("user %s is confined to %s, and %s lies outside", u.name, p.rangeText(u.rng), p.rangeText(l.rng))
	}
	return ""
}

func (p *Policy) sensitivityName(n int) string { return p.sensitivities.list[n].name }
func (p *Policy) categoryName(n int) string    { return p.categories.list[n] }

func (p *Policy) rangeText(r Range) string { return r.text(p.sensitivityName, p.categoryName) }
func (p *Policy) levelText(l Level) string { return l.text(p.sensitivityName, p.categoryName) }

// Text prints a label of this policy.
func (p *Policy) Text(l Label) string {
	if !l.IsValid() {
		return ""
	}
	s := p.users.at(l.user).name + ":" + p.roles.at(l.role).name + ":" + p.types.at(l.typ).name
	if p.mls {
		s += ":" + p.rangeText(l.rng)
	}
	return s
}

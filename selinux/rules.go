package selinux

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// RuleText is a rule of the policy in the policy language.
type RuleText struct {
	Text      string   `json:"text"`
	Kind      string   `json:"kind"`                // allow, dontaudit, type_transition …
	Source    string   `json:"source"`              // a type or attribute
	Target    string   `json:"target"`              // a type or attribute
	Class     string   `json:"class"`               //
	Perms     []string `json:"perms,omitempty"`     // of allow, auditallow and dontaudit
	Default   string   `json:"default,omitempty"`   // what rules of types make
	Condition string   `json:"condition,omitempty"` // over booleans, with the branch: "b" or "!(b)"
	Booleans  []string `json:"booleans,omitempty"`  // that the condition names
	Enabled   bool     `json:"enabled"`             // there is no condition, or it holds
	Via       string   `json:"via,omitempty"`       // how it matches: the types that have the attributes
}

var kindNames = map[ruleKind]string{ruleAllow: "allow", ruleAuditAllow: "auditallow", ruleDontAudit: "dontaudit", ruleTransition: "type_transition",
	ruleMember: "type_member", ruleChange: "type_change", ruleAllowX: "allowxperm", ruleAuditX: "auditallowxperm", ruleDontAuditX: "dontauditxperm"}

// text writes a rule, and how it is about the types of two labels.
func (p *Policy) text(x *rule, s, t *Label) RuleText {
	c := p.classes.at(uint32(x.class))
	r := RuleText{Kind: kindNames[x.kind], Source: p.types.at(uint32(x.src)).name, Target: p.types.at(uint32(x.tgt)).name, Class: c.name, Enabled: true}
	what := ""
	switch {
	case x.kind&rulesOfTypes != 0:
		r.Default = p.types.at(x.data).name
		what = r.Default
	case x.kind&rulesX != 0:
		what = p.xperms[x.data].text()
	default:
		set := x.data
		if x.kind == ruleDontAudit {
			set = ^set
		}
		r.Perms = permNames(c.perms, set)
		what = braced(r.Perms)
	}
	r.Text = r.Kind + " " + r.Source + " " + r.Target + ":" + r.Class + " " + what + ";"
	if x.cond != 0 {
		p.addCondition(&r, x)
	}
	if s != nil {
		r.Via = via(p.types.at(s.typ).name, r.Source, p.types.at(t.typ).name, r.Target)
	}
	return r
}

// sentence is the rule without its semicolon.
func (r *RuleText) sentence() string { return strings.TrimSuffix(r.Text, ";") }

// via says which attributes make a rule match.
func via(src, ruleSrc, tgt, ruleTgt string) string {
	var parts []string
	if src != ruleSrc {
		parts = append(parts, src+" has "+ruleSrc)
	}
	if tgt != ruleTgt {
		parts = append(parts, tgt+" has "+ruleTgt)
	}
	return strings.Join(parts, ", ")
}

func braced(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return "{ " + strings.Join(names, " ") + " }"
}

// text writes commands as ranges.
func (v *xperms) text() string {
	word, base := "ioctl", uint32(v.driver)<<8
	if v.kind == xpermNlmsg {
		word = "nlmsg"
	}
	var parts []string
	for i := 0; i < 256; i++ {
		if !v.has(uint8(i)) {
			continue
		}
		j := i
		for j+1 < 256 && v.has(uint8(j+1)) {
			j++
		}
		from, to := base+uint32(i), base+uint32(j)
		if v.kind == xpermDriver {
			from, to = uint32(i)<<8, uint32(j)<<8|0xff
		}
		if from == to {
			parts = append(parts, fmt.Sprintf("%#x", from))
		} else {
			parts = append(parts, fmt.Sprintf("%#x-%#x", from, to))
		}
		i = j
	}
	return word + " " + braced(parts)
}

// addCondition adds the condition of a conditional rule.
func (p *Policy) addCondition(r *RuleText, x *rule) {
	r.Condition, r.Booleans = p.conditionText(p.conds[max(x.cond, -x.cond)-1].expr)
	if x.cond < 0 {
		r.Condition = "!(" + r.Condition + ")"
	}
	r.Enabled = p.enabled(x)
}

// Query picks rules; empty parts pick all.
type Query struct {
	Kinds          []string // allow, dontaudit …
	Source, Target string   // a type or attribute
	Class          string
	Perms          []string // rules that have any of them
	Default        string   // what rules of types make
	Exact          bool     // source and target as the rule names them, else attributes of a type count too, and types of an attribute
	Boolean        string   // rules whose condition names it
}

// Rules yields the rules that a query picks, by kind, source, target and class. Names that the policy does not have are an
// error.
func (p *Policy) Rules(q Query) (iter.Seq[RuleText], error) {
	f, err := p.filter(&q)
	if err != nil {
		return nil, err
	}
	l, err := p.list(f, &q)
	if err != nil {
		return nil, err
	}
	return func(yield func(RuleText) bool) {
		for i := range l.all {
			if !yield(l.text(&l.all[i])) {
				return
			}
		}
	}, nil
}

// ruleFilter is a query in numbers.
type ruleFilter struct {
	kinds      ruleKind
	src, tgt   bitmap // of types and attributes, each one lower than its number; empty for all
	class      uint16
	perms      []string
	masks      map[uint16]uint32
	makes      uint32
	named      bool // transitions by name, and of ranges
	namedRange bool
	conds      []bool // conditionals that a rule may have, nil for all and none
}

func (p *Policy) filter(q *Query) (*ruleFilter, error) {
	f := &ruleFilter{perms: q.Perms, masks: map[uint16]uint32{}}
	for _, k := range q.Kinds {
		found := false
		for kind, name := range kindNames {
			if name == k {
				f.kinds |= kind
				found = true
			}
		}
		switch {
		case k == "range_transition":
			f.namedRange, found = true, true
		case k == "type_transition":
			f.named = true
		}
		if !found {
			return nil, fmt.Errorf("%q is no kind of rule: allow, auditallow, dontaudit, type_transition, type_change, type_member, allowxperm, auditallowxperm, dontauditxperm, range_transition", k)
		}
	}
	if len(q.Kinds) == 0 {
		f.kinds, f.named, f.namedRange = rulesKnown, true, true
	}
	var err error
	if f.src, err = p.related(q.Source, q.Exact); err != nil {
		return nil, err
	}
	if f.tgt, err = p.related(q.Target, q.Exact); err != nil {
		return nil, err
	}
	if q.Class != "" {
		c, ok := p.Class(q.Class)
		if !ok {
			return nil, fmt.Errorf("the policy has no class %s%s", q.Class, nearest(q.Class, p.classes.byName))
		}
		f.class = uint16(c)
	}
	if q.Default != "" {
		v, ok := p.types.byName[q.Default]
		if !ok {
			return nil, fmt.Errorf("the policy has no type %s%s", q.Default, nearest(q.Default, p.types.byName))
		}
		f.makes = v
	}
	if q.Boolean != "" {
		v, ok := p.booleans.byName[q.Boolean]
		if !ok {
			return nil, fmt.Errorf("the policy has no boolean %s%s", q.Boolean, nearest(q.Boolean, p.booleans.byName))
		}
		f.conds = make([]bool, len(p.conds))
		for i := range p.conds {
			f.conds[i] = slices.Contains(p.conds[i].expr, condNode{condBool, v})
		}
		f.named, f.namedRange = false, false // they have no conditions
	}
	return f, p.checkPerms(f, q)
}

// checkPerms refuses permissions that no class in question has.
func (p *Policy) checkPerms(f *ruleFilter, q *Query) error {
	for _, name := range q.Perms {
		found := false
		for v := uint32(1); v <= p.classes.count(); v++ {
			if bit := p.perm(Class(v), name); bit != 0 && (f.class == 0 || f.class == uint16(v)) {
				f.masks[uint16(v)] |= bit
				found = true
			}
		}
		if !found {
			return fmt.Errorf("no class %shas a permission %s", strings.TrimLeft(q.Class+" ", " "), name)
		}
	}
	return nil
}

// related returns the types and attributes that a rule about one type may name: itself and its attributes; of an attribute
// itself and its types.
func (p *Policy) related(name string, exact bool) (bitmap, error) {
	if name == "" {
		return bitmap{}, nil
	}
	v, ok := p.types.byName[name]
	if !ok {
		return bitmap{}, fmt.Errorf("the policy has no type or attribute %s%s", name, nearest(name, p.types.byName))
	}
	var b bitmap
	b.add(v - 1)
	switch {
	case exact:
	case p.types.at(v).attribute:
		for i := range p.types.list {
			if p.types.list[i].sets.has(v - 1) {
				b.add(uint32(i))
			}
		}
	default:
		return p.types.at(v).sets, nil
	}
	return b, nil
}

func (f *ruleFilter) takes(p *Policy, x *rule) bool {
	switch {
	case f.conds != nil && (x.cond == 0 || !f.conds[max(x.cond, -x.cond)-1]):
		return false
	case x.kind&f.kinds == 0, f.class != 0 && x.class != f.class,
		len(f.src.nodes) > 0 && !f.src.has(uint32(x.src)-1), len(f.tgt.nodes) > 0 && !f.tgt.has(uint32(x.tgt)-1),
		f.makes != 0 && (x.kind&rulesOfTypes == 0 || x.data != f.makes):
		return false
	case len(f.perms) == 0:
		return true
	case x.kind&rulesX != 0:
		word := "ioctl"
		if p.xperms[x.data].kind == xpermNlmsg {
			word = "nlmsg"
		}
		return slices.Contains(f.perms, word)
	case x.kind&rulesOfTypes != 0:
		return false
	case x.kind == ruleDontAudit:
		return ^x.data&f.masks[x.class] != 0
	}
	return x.data&f.masks[x.class] != 0
}

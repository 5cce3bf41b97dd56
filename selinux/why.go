package selinux

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Reason is what a decision was made by.
type Reason string

const (
	ByRule       Reason = "rule"       // an allow rule
	ByUnknown    Reason = "unknown"    // the policy does not define the class or permission
	ByNoRule     Reason = "no rule"    // no allow rule
	ByBoolean    Reason = "boolean"    // an allow rule whose condition does not hold
	ByConstraint Reason = "constraint" // constrain or mlsconstrain
	ByRole       Reason = "role"       // no allow rule for the change of roles
	ByBounds     Reason = "bounds"     // the type above may not
	ByExtended   Reason = "extended"   // the permission, but not this command
)

// Question is whether a source may do something to a target.
type Question struct {
	Source, Target Label
	Class, Perm    string
	Command        *Extended // an ioctl command or a netlink message, nil for none
}

// Why is the answer to a question, and what it comes from.
type Why struct {
	Allowed    bool   // by the policy; of a permissive type the kernel lets a denial pass
	Permissive bool   // the source's type is
	Reason     Reason // what decides
	Text       string // a sentence
	Logged     bool   // an AVC record is written

	Rules      []RuleText // allow rules that give the permission, then those whose condition does not hold
	Audit      []RuleText // auditallow and dontaudit rules
	Booleans   []Boolean  // those that the conditions of such rules name
	Constraint *ConstraintWhy
	Bounds     string // the type above that may not
	Fixes      []PolicyFix
}

// ConstraintWhy is a constraint that does not hold.
type ConstraintWhy struct {
	Text              string   // the whole constraint
	Failed            string   // the part that decides
	Facts             []string // what it has compared
	MissingCategories string   // those that the dominating level lacks, "" for none
	MLS               bool     // it compares levels
}

// PolicyFix is a change that lets a denied request pass. Each was tried on the policy.
type PolicyFix struct {
	Kind string `json:"kind"` // boolean, level, relabel, rule
	Text string `json:"text"`
}

// Explain answers a question with its reason.
func (p *Policy) Explain(q Question) (*Why, error) {
	if !q.Source.IsValid() || !q.Target.IsValid() {
		return nil, fmt.Errorf("source and target need labels")
	}
	w := &Why{Permissive: p.permissive.has(q.Source.typ)}
	c, known := p.Class(q.Class)
	bit := p.perm(c, q.Perm)
	if !known || bit == 0 {
		p.explainUnknown(w, &q, known)
		return w, nil
	}
	d := p.Decide(q.Source, q.Target, c)
	w.Allowed = d.Allowed&bit != 0
	w.Logged = !w.Allowed && d.AuditDeny&bit != 0 || w.Allowed && d.AuditAllow&bit != 0
	p.collect(w, &q, c, bit)
	if w.Allowed {
		w.Reason = ByRule
		w.Text = w.Rules[0].sentence() + " allows it"
		if q.Command != nil {
			p.explainExtended(w, &q, c)
		}
	} else {
		p.explainDenial(w, &q, c, bit)
	}
	w.Logged = w.Logged && !d.NeverAudit
	if !w.Allowed {
		w.Fixes = p.fixes(w, &q, c, bit)
	}
	return w, nil
}

// explainUnknown is for classes and permissions that the policy does not define (map_decision).
func (p *Policy) explainUnknown(w *Why, q *Question, class bool) {
	what := "class " + q.Class
	if class {
		what = fmt.Sprintf("permission %s of class %s", q.Perm, q.Class)
	}
	w.Reason = ByUnknown
	w.Allowed = p.unknown == AllowUnknown
	w.Logged = !w.Allowed
	w.Text = fmt.Sprintf("the policy does not define %s, and its handle_unknown is %s", what, p.unknown)
}

// collect finds the rules about the permission, in the kernel's order.
func (p *Policy) collect(w *Why, q *Question, c Class, bit uint32) {
	var off []RuleText
	named := map[string]bool{}
	s, t := &q.Source, &q.Target
	size := 0
	p.between(&p.types.at(s.typ).sets, &p.types.at(t.typ).sets, uint16(c), func(x *rule) {
		into := &w.Rules
		switch on := p.enabled(x); {
		case !about(x, bit) || !on && x.kind != ruleAllow:
			return
		case !on:
			into = &off
		case x.kind != ruleAllow:
			into = &w.Audit
		}
		if size > maxListed && (len(*into) > 0 || x.kind != ruleAllow) {
			return
		}
		r := p.text(x, s, t)
		*into = append(*into, r)
		size += r.size()
		if !r.Enabled {
			for _, b := range r.Booleans {
				named[b] = true
			}
		}
	})
	w.Rules = append(w.Rules, off...)
	if len(named) == 0 {
		return
	}
	for _, b := range p.Booleans() {
		if named[b.Name] {
			w.Booleans = append(w.Booleans, b)
		}
	}
}

// maxListed bounds the rules of an answer, in bytes of their text. One that allows is always there.
const maxListed = 1 << 20

// about says whether a rule allows a permission, or says of it what is logged.
func about(x *rule, bit uint32) bool {
	switch x.kind {
	case ruleAllow, ruleAuditAllow:
		return x.data&bit != 0
	case ruleDontAudit:
		return x.data&bit == 0
	}
	return false
}

// size is about what a rule's text takes.
func (r *RuleText) size() int {
	n := 256 + 2*len(r.Text) + len(r.Condition) + len(r.Via)
	for _, b := range r.Booleans {
		n += len(b)
	}
	return n
}

// explainDenial finds what takes the permission away, in the order of context_struct_compute_av.
func (p *Policy) explainDenial(w *Why, q *Question, c Class, bit uint32) {
	s, t := &q.Source, &q.Target
	granted := slices.ContainsFunc(w.Rules, func(r RuleText) bool { return r.Enabled })
	x := p.classes.at(uint32(c))
	switch {
	case !granted && len(w.Rules) > 0:
		w.Reason = ByBoolean
		w.Text = fmt.Sprintf("%s would allow it, but its condition %s does not hold", w.Rules[0].sentence(), w.Rules[0].Condition)
		return
	case !granted:
		w.Reason = ByNoRule
		w.Text = fmt.Sprintf("no rule allows %s to %s a %s of %s", p.types.at(s.typ).name, q.Perm, q.Class, p.types.at(t.typ).name)
		return
	}
	if w.Constraint = p.failing(s, t, x, bit); w.Constraint != nil {
		w.Reason = ByConstraint
		w.Text = fmt.Sprintf("a rule allows it, but a constraint does not hold: %s", w.Constraint.Failed)
		if m := w.Constraint.MissingCategories; m != "" {
			w.Text += fmt.Sprintf("; categories %s are missing", m)
		}
		return
	}
	if p.roleForbids(s, t, uint16(c)) && bit&p.processTrans != 0 {
		w.Reason = ByRole
		w.Text = fmt.Sprintf("no rule allows role %s to become %s", p.roles.at(s.role).name, p.roles.at(t.role).name)
		return
	}
	w.Reason = ByBounds
	w.Bounds = p.types.at(p.types.at(s.typ).bounds).name
	w.Text = fmt.Sprintf("%s is bounded by %s, which may not", p.types.at(s.typ).name, w.Bounds)
}

// failing returns the first constraint that takes the permission away.
func (p *Policy) failing(s, t *Label, x *class, bit uint32) *ConstraintWhy {
	for i := range x.constraints {
		n := &x.constraints[i]
		if n.perms&bit == 0 || p.holds(n.nodes, s, t, nil) {
			continue
		}
		e := p.expression(n.nodes, s, t, nil)
		word := "constrain"
		if comparesLevels(n.nodes) {
			word = "mlsconstrain"
		}
		failed := e.Failed()
		return &ConstraintWhy{Text: fmt.Sprintf("%s %s { %s } (%s);", word, x.name, strings.Join(permNames(x.perms, n.perms), " "), e.Text),
			Failed: failed.Text, Facts: failed.Facts(), MissingCategories: failed.missingCategories().text(p.categoryName), MLS: word == "mlsconstrain"}
	}
	return nil
}

func comparesLevels(nodes []exprNode) bool {
	return slices.ContainsFunc(nodes, func(n exprNode) bool { return n.kind == exprAttr && n.attr >= attrL1L2 })
}

// explainExtended looks at the command of a permission that is allowed.
func (p *Policy) explainExtended(w *Why, q *Question, c Class) {
	d := p.DecideExtended(q.Source, q.Target, c, q.Perm, *q.Command)
	if !d.Rules {
		return
	}
	w.Allowed = d.Allowed
	var first []RuleText
	size := 0
	p.eachExtended(q.Source, q.Target, uint16(c), func(x *rule, v *xperms) {
		if (v.kind == xpermNlmsg) != (q.Perm == "nlmsg") || size > maxListed && (len(first) > 0 || x.kind != ruleAllowX) {
			return
		}
		switch {
		case x.kind == ruleAllowX && d.Allowed == v.covers(*q.Command):
			first = append(first, p.text(x, &q.Source, &q.Target))
			size += first[len(first)-1].size()
		case x.kind != ruleAllowX && v.covers(*q.Command):
			w.Audit = append(w.Audit, p.text(x, &q.Source, &q.Target))
			size += w.Audit[len(w.Audit)-1].size()
		}
	})
	slices.Reverse(first)
	w.Rules = append(first, w.Rules...)
	if d.Allowed {
		w.Logged = w.Logged || d.AuditAllow
		w.Text = w.Rules[0].sentence() + " allows it"
		return
	}
	w.Reason = ByExtended
	w.Logged = !d.DontAudit
	w.Text = fmt.Sprintf("%s is allowed, but not command %#x: extended rules are there, and none allows it", q.Perm, uint16(*q.Command))
}

func permNames(names []string, set uint32) []string {
	var all []string
	for ; set != 0; set &= set - 1 {
		if i := bits.TrailingZeros32(set); i < len(names) && names[i] != "" {
			all = append(all, names[i])
		}
	}
	return all
}

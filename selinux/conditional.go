package selinux

import (
	"fmt"
	"strings"
)

// conditional is an if of the policy: an expression over booleans, and the rules of its two branches.
type conditional struct {
	expr []condNode // in reverse Polish notation
}

type condNode struct{ kind, boolean uint32 }

// Kinds of nodes (COND_BOOL …).
const (
	condBool = 1
	condNot  = 2
	condOr   = 3
	condAnd  = 4
	condXor  = 5
	condEq   = 6
	condNeq  = 7
)

// maxCondDepth is COND_EXPR_MAXDEPTH.
const maxCondDepth = 10

// readConditionals reads the list of conditionals (cond_read_list).
func (p *Policy) readConditionals(r *reader) {
	r.section = "conditionals"
	n := r.u32()
	if !r.need(n, 16, 24) {
		return
	}
	p.conds = make([]conditional, n)
	for i := range p.conds {
		r.u32() // the state when it was written; booleans say what holds
		p.conds[i].expr = p.readCondExpr(r)
		for _, branch := range []bool{true, false} {
			if !p.readBranch(r, int32(i), branch) {
				return
			}
		}
	}
	r.section = "rules"
	p.te.index(r, p.types.count(), p.classes.count())
	p.evaluate()
}

// readCondExpr reads an expression (cond_read_node). One that cond_evaluate_expr cannot follow is an error here, where the
// kernel takes it and switches both branches off.
func (p *Policy) readCondExpr(r *reader) []condNode {
	n := r.u32()
	if n > maxParts {
		r.fail("a condition of %d parts, more than %d", n, maxParts)
	}
	if !r.need(n, 8, 8) {
		return nil
	}
	expr := make([]condNode, n)
	depth := 0
	for i := range expr {
		at := r.off
		e := condNode{r.u32(), r.u32()}
		switch {
		case r.err != nil:
			return nil
		case e.kind == condBool:
			if e.boolean == 0 || e.boolean > p.booleans.count() || p.booleans.at(e.boolean).name == "" {
				r.failAt(at, "a condition on boolean %d of %d", e.boolean, p.booleans.count())
			}
			depth++
		case e.kind == condNot && depth >= 1:
		case e.kind >= condOr && e.kind <= condNeq && depth >= 2:
			depth--
		default:
			r.failAt(at, "a condition has a part of kind %d behind %d operands", e.kind, depth)
		}
		if depth > maxCondDepth {
			r.failAt(at, "a condition needs more than %d operands at a time", maxCondDepth)
		}
		expr[i] = e
	}
	if r.err == nil && depth != 1 {
		r.fail("a condition leaves %d results", depth)
	}
	return expr
}

// readBranch reads the rules of a branch (cond_read_av_list).
func (p *Policy) readBranch(r *reader, of int32, branch bool) bool {
	n := r.u32()
	if uint64(len(p.te.rules))+uint64(n) > maxRuleCount {
		r.fail("there are more than %d rules", maxRuleCount)
	}
	if !r.need(n, 12, 64) {
		return false
	}
	for range n {
		x := rule{cond: of + 1}
		if !branch {
			x.cond = -x.cond
		}
		if !p.readRule(r, &x, true) {
			return false
		}
		p.te.rules = append(p.te.rules, x)
	}
	return true
}

// evaluate works out which branches hold (evaluate_cond_nodes).
func (p *Policy) evaluate() {
	states := make([]bool, len(p.conds))
	for i := range p.conds {
		states[i] = p.condition(p.conds[i].expr)
	}
	p.condStates = states
}

func (p *Policy) condition(expr []condNode) bool {
	var s [maxCondDepth]bool
	n := 0
	for _, e := range expr {
		switch e.kind {
		case condBool:
			s[n] = p.booleans.at(e.boolean).state
			n++
			continue
		case condNot:
			s[n-1] = !s[n-1]
			continue
		}
		n--
		switch e.kind {
		case condOr:
			s[n-1] = s[n-1] || s[n]
		case condAnd:
			s[n-1] = s[n-1] && s[n]
		case condXor, condNeq:
			s[n-1] = s[n-1] != s[n]
		case condEq:
			s[n-1] = s[n-1] == s[n]
		}
	}
	return s[0]
}

// enabled says whether a rule's condition holds.
func (p *Policy) enabled(x *rule) bool {
	switch {
	case x.cond > 0:
		return p.condStates[x.cond-1]
	case x.cond < 0:
		return !p.condStates[-x.cond-1]
	}
	return true
}

// shorten bounds a text that names of a file make long.
func shorten(s string, most int) string {
	if len(s) > most {
		return strings.TrimSuffix(s[:most], " …") + " …"
	}
	return s
}

// maxCondText bounds what is said of a condition.
const maxCondText = 2000

// conditionText writes an expression with the operators of the policy language, and the booleans that it is about.
func (p *Policy) conditionText(expr []condNode) (string, []string) {
	type part struct {
		text string
		bare bool // needs no brackets
	}
	wrap := func(x part) string {
		if x.bare {
			return x.text
		}
		return "(" + x.text + ")"
	}
	var s []part
	var names []string
	for _, e := range expr {
		switch e.kind {
		case condBool:
			name := p.booleans.at(e.boolean).name
			names = append(names, name)
			s = append(s, part{name, true})
		case condNot:
			s[len(s)-1] = part{"!" + wrap(s[len(s)-1]), true}
		default:
			a, b := s[len(s)-2], s[len(s)-1]
			op := [...]string{condOr: "||", condAnd: "&&", condXor: "^", condEq: "==", condNeq: "!="}[e.kind]
			text := a.text
			if len(text) <= maxCondText { // else more would be cut off again
				text = shorten(wrap(a)+" "+op+" "+wrap(b), maxCondText)
			}
			s = append(s[:len(s)-2], part{text, false})
		}
	}
	return s[0].text, names
}

// Booleans returns the policy's booleans in the order of their names' numbers.
func (p *Policy) Booleans() []Boolean {
	var all []Boolean
	counts := make([]int, len(p.conds))
	for i := range p.te.rules {
		if c := p.te.rules[i].cond; c != 0 {
			counts[max(c, -c)-1]++
		}
	}
	rules := make([]int, p.booleans.count())
	for i, c := range p.conds {
		seen := map[uint32]bool{}
		for _, e := range c.expr {
			if e.kind == condBool && !seen[e.boolean] {
				seen[e.boolean] = true
				rules[e.boolean-1] += counts[i]
			}
		}
	}
	for i, b := range p.booleans.list {
		if b.name != "" {
			all = append(all, Boolean{b.name, b.state, rules[i]})
		}
	}
	return all
}

// A Boolean is a switch of the policy.
type Boolean struct {
	Name  string `json:"name"`
	On    bool   `json:"on"`
	Rules int    `json:"rules"` // rules whose condition names it
}

// WithBooleans returns the policy with other states of booleans; the rest is shared.
func (p *Policy) WithBooleans(states map[string]bool) (*Policy, error) {
	q := *p
	q.booleans.list = append([]boolean(nil), p.booleans.list...)
	for name, on := range states {
		v, ok := p.booleans.byName[name]
		if !ok {
			return nil, fmt.Errorf("the policy has no boolean %s%s", name, nearest(name, p.booleans.byName))
		}
		q.booleans.at(v).state = on
	}
	q.evaluate()
	return &q, nil
}

// nearest proposes names that hold the one that was not found.
func nearest(name string, among map[string]uint32) string {
	best := ""
	for n := range among {
		if name != "" && (strings.Contains(n, name) || strings.HasPrefix(name, n)) && (best == "" || len(n) < len(best) || len(n) == len(best) && n < best) {
			best = n
		}
	}
	if best == "" {
		return ""
	}
	return "; it has " + best
}

// Nearest proposes names for a class, or a permission of one, that the policy does not have.
func (p *Policy) Nearest(class, perm string) string {
	c, ok := p.Class(class)
	if !ok {
		return nearest(class, p.classes.byName)
	}
	perms := map[string]uint32{}
	for i, name := range p.PermNames(c) {
		perms[name] = uint32(i)
	}
	return nearest(perm, perms)
}

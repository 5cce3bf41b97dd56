package selinux

import (
	"fmt"
	"strings"
)

// Expression is a constraint's expression, or a part of one, with what it says about two labels.
type Expression struct {
	Text  string
	Holds bool
	Fact  string // of a comparison: the values that were compared

	op      uint8 // exprAnd, exprOr, exprNot; of a comparison exprAttr or exprNames
	of      []*Expression
	missing Categories // of a comparison of levels that fails: what the dominating side lacks
}

// expression evaluates an expression and keeps every part's result.
func (p *Policy) expression(nodes []exprNode, s, t, x *Label) *Expression {
	var stack []*Expression
	for i := range nodes {
		n := &nodes[i]
		switch n.kind {
		case exprNot:
			a := stack[len(stack)-1]
			stack[len(stack)-1] = &Expression{Text: "not " + a.wrapped(exprNot), Holds: !a.Holds, op: exprNot, of: []*Expression{a}}
		case exprAnd, exprOr:
			a, b := stack[len(stack)-2], stack[len(stack)-1]
			stack = append(stack[:len(stack)-2], join(n.kind, a, b))
		default:
			stack = append(stack, p.leaf(n, s, t, x))
		}
	}
	return stack[0]
}

// join keeps a chain of one operator flat.
func join(op uint8, a, b *Expression) *Expression {
	word, holds := " and ", a.Holds && b.Holds
	if op == exprOr {
		word, holds = " or ", a.Holds || b.Holds
	}
	e := &Expression{Text: shorten(a.wrapped(op)+word+b.wrapped(op), 1<<15), Holds: holds, op: op}
	for _, x := range []*Expression{a, b} {
		if x.op == op {
			e.of = append(e.of, x.of...)
		} else {
			e.of = append(e.of, x)
		}
	}
	return e
}

// wrapped is the text as an operand.
func (e *Expression) wrapped(op uint8) string {
	if (e.op == exprAnd || e.op == exprOr) && e.op != op {
		return "(" + e.Text + ")"
	}
	return e.Text
}

// Failed returns the smallest part that decides: where only one of the operands of an and fails, that operand.
func (e *Expression) Failed() *Expression {
	for e.op == exprAnd && !e.Holds {
		var fail *Expression
		for _, x := range e.of {
			if !x.Holds {
				if fail != nil {
					return e
				}
				fail = x
			}
		}
		e = fail
	}
	return e
}

// Facts are the comparisons that make the expression what it is, with their values.
func (e *Expression) Facts() []string {
	if e.op == exprAttr || e.op == exprNames {
		return []string{e.Fact}
	}
	var all []string
	for _, x := range e.of {
		if e.op == exprNot || x.Holds == e.Holds {
			all = append(all, x.Facts()...)
		}
	}
	return all
}

// missingCategories are those that a failing comparison of levels lacks.
func (e *Expression) missingCategories() Categories {
	if e.missing != (Categories{}) || e.op == exprAttr || e.op == exprNames {
		return e.missing
	}
	for _, x := range e.of {
		if m := x.missingCategories(); !x.Holds && m != (Categories{}) {
			return m
		}
	}
	return Categories{}
}

// leaf writes a comparison as the policy language does: u1 == u2, h1 dom h2, t1 == mcs_constrained_type.
func (p *Policy) leaf(n *exprNode, s, t, x *Label) *Expression {
	e := &Expression{Holds: p.leafHolds(n, s, t, x), op: n.kind}
	op := [...]string{opEq: "==", opNeq: "!=", opDom: "dom", opDomBy: "domby", opIncomp: "incomp"}[n.op]
	if n.kind == exprNames {
		p.namesLeaf(e, n, op, s, t, x)
		return e
	}
	switch n.attr {
	case attrUser:
		e.Text = "u1 " + op + " u2"
		e.Fact = fmt.Sprintf("u1 is %s, u2 is %s", p.users.at(s.user).name, p.users.at(t.user).name)
	case attrRole:
		e.Text = "r1 " + op + " r2"
		e.Fact = fmt.Sprintf("r1 is %s, r2 is %s", p.roles.at(s.role).name, p.roles.at(t.role).name)
	case attrType:
		e.Text = "t1 " + op + " t2"
		e.Fact = fmt.Sprintf("t1 is %s, t2 is %s", p.types.at(s.typ).name, p.types.at(t.typ).name)
	default:
		p.levelLeaf(e, n, op, s, t)
	}
	return e
}

func (p *Policy) levelLeaf(e *Expression, n *exprNode, op string, s, t *Label) {
	names := map[uint16][2]string{attrL1L2: {"l1", "l2"}, attrL1H2: {"l1", "h2"}, attrH1L2: {"h1", "l2"}, attrH1H2: {"h1", "h2"}, attrL1H1: {"l1", "h1"}, attrL2H2: {"l2", "h2"}}[n.attr]
	a, b := levels(n.attr, s, t)
	e.Text = names[0] + " " + op + " " + names[1]
	e.Fact = fmt.Sprintf("%s is %s, %s is %s", names[0], p.levelText(a), names[1], p.levelText(b))
	if e.Holds || n.op != opDom && n.op != opDomBy {
		return
	}
	if n.op == opDomBy {
		a, b, names[0] = b, a, names[1]
	}
	if e.missing = b.cats.Without(a.cats); e.missing != (Categories{}) {
		e.Fact += ": " + names[0] + " lacks " + e.missing.text(p.categoryName)
	}
	if a.sens < b.sens {
		e.Fact += ": " + p.sensitivityName(a.Sensitivity()) + " is lower than " + p.sensitivityName(b.Sensitivity())
	}
}

func (p *Policy) namesLeaf(e *Expression, n *exprNode, op string, s, t, x *Label) {
	who, c := "1", s
	switch {
	case n.attr&attrTarget != 0:
		who, c = "2", t
	case n.attr&attrXTarget != 0:
		who, c = "3", x
	}
	var letter, value string
	var set []string
	switch n.attr &^ (attrTarget | attrXTarget) {
	case attrUser:
		letter, value = "u", p.users.at(c.user).name
		set = listed(&n.names, p.users.count(), func(v uint32) string { return p.users.at(v).name })
	case attrRole:
		letter, value = "r", p.roles.at(c.role).name
		set = listed(&n.names, p.roles.count(), func(v uint32) string { return p.roles.at(v).name })
	default:
		letter, value = "t", p.types.at(c.typ).name
		from := &n.names
		if len(n.written.nodes) > 0 {
			from = &n.written
		}
		set = listed(from, p.types.count(), func(v uint32) string { return p.types.at(v).name })
	}
	names := strings.Join(set, " ")
	if len(set) != 1 {
		names = "{ " + names + " }"
	}
	e.Text = letter + who + " " + op + " " + names
	in := "is not in"
	if (n.op == opEq) == e.Holds {
		in = "is in"
	}
	if len(set) == 1 && set[0] == value {
		e.Fact = letter + who + " is " + value
		return
	}
	e.Fact = fmt.Sprintf("%s%s is %s, which %s %s", letter, who, value, in, names)
}

// listed names the members of a set; of many only the first, with how many more.
func listed(b *bitmap, n uint32, name func(uint32) string) []string {
	const most = 8
	var all []string
	for i := range b.all() {
		if i >= n {
			break
		}
		if len(all) == most {
			return append(all, fmt.Sprintf("(and %d more)", b.len()-most))
		}
		all = append(all, name(i+1))
	}
	return all
}

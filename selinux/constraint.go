package selinux

// constraint is a condition on permissions of a class: constrain, mlsconstrain, or a validatetrans rule.
type constraint struct {
	perms uint32
	nodes []exprNode // in reverse Polish notation
}

// exprNode is a leaf or an operator of a constraint.
type exprNode struct {
	kind, op uint8
	attr     uint16
	names    bitmap // of users, roles or types, each one lower than its number
	written  bitmap // of types: as the policy was written, with attributes
}

// Kinds of nodes (CEXPR_NOT …).
const (
	exprNot   = 1
	exprAnd   = 2
	exprOr    = 3
	exprAttr  = 4
	exprNames = 5
)

// What a leaf compares (CEXPR_USER …).
const (
	attrUser    = 1
	attrRole    = 2
	attrType    = 4
	attrTarget  = 8  // of the target instead of the source
	attrXTarget = 16 // of the task, in validatetrans
	attrL1L2    = 32
	attrL1H2    = 64
	attrH1L2    = 128
	attrH1H2    = 256
	attrL1H1    = 512
	attrL2H2    = 1024
)

// How it compares (CEXPR_EQ …).
const (
	opEq     = 1
	opNeq    = 2
	opDom    = 3
	opDomBy  = 4
	opIncomp = 5
)

// maxDepth is CEXPR_MAXDEPTH, the operands that an expression may hold at a time.
const maxDepth = 5

// maxParts bounds the parts of an expression, and so what is said about it. Those of published policies have fewer than 100.
const maxParts = 1024

// constraints reads n constraints (read_cons_helper).
func (r *reader) constraints(n uint32, transition bool) []constraint {
	if n == 0 || !r.need(n, 8, 32) {
		return nil
	}
	all := make([]constraint, n)
	for i := range all {
		all[i].perms = r.u32()
		n := r.u32()
		if n > maxParts {
			r.fail("an expression of %d parts, more than %d", n, maxParts)
		}
		if !r.need(n, 12, 56) {
			return nil
		}
		all[i].nodes = make([]exprNode, n)
		depth := 0
		for k := range all[i].nodes {
			depth += r.exprNode(&all[i].nodes[k], transition, depth)
			if r.err != nil {
				return nil
			}
		}
		if depth != 1 {
			r.fail("an expression leaves %d results", depth)
			return nil
		}
	}
	return all
}

// exprNode reads a node, and returns by how much it changes the number of operands.
func (r *reader) exprNode(e *exprNode, transition bool, depth int) int {
	at := r.off
	kind, attr, op := r.u32(), r.u32(), r.u32()
	operands := 0
	switch kind {
	case exprNot:
		operands = 1
	case exprAnd, exprOr:
		operands = 2
	case exprAttr, exprNames:
		if depth == maxDepth {
			r.failAt(at, "an expression needs more than %d operands at a time", maxDepth)
		}
		if !leafValid(kind, attr, op, transition) {
			r.failAt(at, "an expression compares %#x by %d", attr, op)
		}
	default:
		r.failAt(at, "an expression has a part of kind %d", kind)
	}
	if depth < operands {
		r.failAt(at, "an expression lacks operands")
	}
	e.kind, e.attr, e.op = uint8(kind), uint16(attr), uint8(op)
	if kind == exprNames {
		e.names = r.bitmap()
		if r.version >= 29 { // POLICYDB_VERSION_CONSTRAINT_NAMES
			e.written = r.bitmap()
			r.bitmap() // types that are excepted, and flags: the kernel keeps them without looking
			r.u32()
		}
	}
	switch kind {
	case exprNot:
		return 0
	case exprAnd, exprOr:
		return -1
	}
	return 1
}

// leafValid knows the comparisons that constraint_expr_eval does.
func leafValid(kind, attr, op uint32, transition bool) bool {
	if kind == exprNames {
		base := attr &^ (attrTarget | attrXTarget)
		return (base == attrUser || base == attrRole || base == attrType) && attr&(attrTarget|attrXTarget) != attrTarget|attrXTarget &&
			(transition || attr&attrXTarget == 0) && (op == opEq || op == opNeq)
	}
	switch attr {
	case attrUser, attrType:
		return op == opEq || op == opNeq
	case attrRole, attrL1L2, attrL1H2, attrH1L2, attrH1H2, attrL1H1, attrL2H2:
		return op >= opEq && op <= opIncomp
	}
	return false
}

// holds is constraint_expr_eval; x is the task of a validatetrans rule, else nil.
func (p *Policy) holds(nodes []exprNode, s, t, x *Label) bool {
	var stack [maxDepth]bool
	n := 0
	for i := range nodes {
		switch e := &nodes[i]; e.kind {
		case exprNot:
			stack[n-1] = !stack[n-1]
		case exprAnd:
			n--
			stack[n-1] = stack[n-1] && stack[n]
		case exprOr:
			n--
			stack[n-1] = stack[n-1] || stack[n]
		default:
			stack[n] = p.leafHolds(e, s, t, x)
			n++
		}
	}
	return stack[0]
}

// leafHolds evaluates a comparison.
func (p *Policy) leafHolds(e *exprNode, s, t, x *Label) bool {
	if e.kind == exprNames {
		c := s
		switch {
		case e.attr&attrTarget != 0:
			c = t
		case e.attr&attrXTarget != 0:
			c = x
		}
		return e.names.has(c.number(e.attr&^(attrTarget|attrXTarget))-1) == (e.op == opEq)
	}
	switch e.attr {
	case attrUser:
		return (s.user == t.user) == (e.op == opEq)
	case attrType:
		return (s.typ == t.typ) == (e.op == opEq)
	case attrRole:
		return p.rolesHold(e.op, s.role, t.role)
	}
	a, b := levels(e.attr, s, t)
	switch e.op {
	case opEq:
		return a == b
	case opNeq:
		return a != b
	case opDom:
		return a.Dominates(b)
	case opDomBy:
		return b.Dominates(a)
	}
	return a.Incomparable(b)
}

func (p *Policy) rolesHold(op uint8, a, b uint32) bool {
	switch op {
	case opEq:
		return a == b
	case opNeq:
		return a != b
	case opDom:
		return p.roles.at(a).dominates.has(b - 1)
	case opDomBy:
		return p.roles.at(b).dominates.has(a - 1)
	}
	return !p.roles.at(a).dominates.has(b-1) && !p.roles.at(b).dominates.has(a-1)
}

// levels returns the two levels that a comparison is about.
func levels(attr uint16, s, t *Label) (Level, Level) {
	switch attr {
	case attrL1L2:
		return s.rng.Low, t.rng.Low
	case attrL1H2:
		return s.rng.Low, t.rng.High
	case attrH1L2:
		return s.rng.High, t.rng.Low
	case attrH1H2:
		return s.rng.High, t.rng.High
	case attrL1H1:
		return s.rng.Low, s.rng.High
	}
	return t.rng.Low, t.rng.High
}

package selinux

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// maxNamed bounds the transitions by name that are listed: a set of source types stands for many of them. Published policies
// have up to 250,000.
const maxNamed = 1 << 19

// list is a choice of rules, in order. It holds places in the policy's tables, as the texts of all of a policy's rules can be
// far longer than the policy.
type list struct {
	p      *Policy
	all    []listedRule
	named  []namedRule
	keys   []nameKey
	ranges []rangeKey
}

type listedRule struct {
	kind     uint8 // a place in listedKinds
	class    uint16
	src, tgt uint32 // ranks of names
	at       int32  // a place in the policy's rules, in named or in ranges
	from     uint8
}

// Tables that a listed rule lies in.
const (
	fromRules uint8 = iota
	fromNamed
	fromRanges
)

// namedRule is a transition by name of one source.
type namedRule struct {
	key, rule int32
	src       uint32
}

var listedKinds = []string{"allow", "allowxperm", "auditallow", "auditallowxperm", "dontaudit", "dontauditxperm", "range_transition", "type_change", "type_member", "type_transition"}

func kindRank(name string) uint8 { return uint8(sort.SearchStrings(listedKinds, name)) }

// list picks rules and puts them in order.
func (p *Policy) list(f *ruleFilter, q *Query) (*list, error) {
	l := &list{p: p}
	sources, targets, classes := ranks(&p.types, " ", func(t *typ) string { return t.name }), ranks(&p.types, ":", func(t *typ) string { return t.name }),
		ranks(&p.classes, " ", func(c *class) string { return c.name })
	kinds := map[ruleKind]uint8{}
	for kind, name := range kindNames {
		kinds[kind] = kindRank(name)
	}
	add := func(kind uint8, src, tgt uint32, class uint16, at int, from uint8) {
		l.all = append(l.all, listedRule{kind, uint16(classes[class-1]), sources[src-1], targets[tgt-1], int32(at), from})
	}
	for i := range p.te.rules {
		if x := &p.te.rules[i]; f.takes(p, x) {
			add(kinds[x.kind], uint32(x.src), uint32(x.tgt), x.class, i, fromRules)
		}
	}
	if len(q.Perms) == 0 {
		if err := l.pickNamed(f); err != nil {
			return nil, err
		}
		for i := range l.named {
			n := &l.named[i]
			add(kindRank("type_transition"), n.src, l.keys[n.key].target, l.keys[n.key].class, i, fromNamed)
		}
		l.pickRanges(f)
		for i, k := range l.ranges {
			add(kindRank("range_transition"), k.src, k.tgt, k.class, i, fromRanges)
		}
	}
	slices.SortFunc(l.all, l.compare)
	return l, nil
}

// ranks are the places of names in their order, by number; behind a name stands what follows it in a rule.
func ranks[T any](s *symbols[T], behind string, name func(*T) string) []uint32 {
	order := make([]uint32, len(s.list))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortStableFunc(order, func(a, b uint32) int { return compareNames(name(&s.list[a]), name(&s.list[b]), behind) })
	rank := make([]uint32, len(order))
	for i, v := range order {
		rank[v] = uint32(i)
	}
	return rank
}

// compareNames compares two names with the same text behind each.
func compareNames(a, b, behind string) int {
	n := min(len(a), len(b))
	if c := strings.Compare(a[:n], b[:n]); c != 0 || len(a) == len(b) {
		return c
	}
	return strings.Compare(a[n:]+behind, b[n:]+behind)
}

// about says whether a filter takes a rule's types and class.
func (f *ruleFilter) about(src, tgt uint32, class uint16) bool {
	return (f.class == 0 || f.class == class) && (len(f.src.nodes) == 0 || f.src.has(src-1)) && (len(f.tgt.nodes) == 0 || f.tgt.has(tgt-1))
}

// pickNamed picks transitions by name, one for each source.
func (l *list) pickNamed(f *ruleFilter) error {
	if !f.named {
		return nil
	}
	for key, rules := range l.p.names {
		first := len(l.named)
		for i := range rules {
			if f.makes != 0 && f.makes != rules[i].typ {
				continue
			}
			for src := range rules[i].sources.all() {
				if !f.about(src+1, key.target, key.class) {
					continue
				}
				if l.named = append(l.named, namedRule{int32(len(l.keys)), int32(i), src + 1}); len(l.named) > maxNamed {
					return fmt.Errorf("more than %d transitions by name are picked", maxNamed)
				}
			}
		}
		if len(l.named) > first {
			l.keys = append(l.keys, key)
		}
	}
	return nil
}

func (l *list) pickRanges(f *ruleFilter) {
	if !f.namedRange || f.makes != 0 {
		return
	}
	for key := range l.p.ranges {
		if f.about(key.src, key.tgt, key.class) {
			l.ranges = append(l.ranges, key)
		}
	}
}

// compare orders by kind, source, target and class; then come rules without condition, in the policy's order.
func (l *list) compare(a, b listedRule) int {
	if c := cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.src, b.src), cmp.Compare(a.tgt, b.tgt), cmp.Compare(a.class, b.class), cmp.Compare(a.from, b.from)); c != 0 {
		return c
	}
	switch a.from {
	case fromRules:
		x, y := &l.p.te.rules[a.at], &l.p.te.rules[b.at]
		return cmp.Or(cmp.Compare(max(x.cond, -x.cond), max(y.cond, -y.cond)), -cmp.Compare(x.cond, y.cond), cmp.Compare(l.p.firstCommand(x), l.p.firstCommand(y)), cmp.Compare(a.at, b.at))
	case fromNamed:
		x, y := &l.named[a.at], &l.named[b.at]
		return cmp.Or(strings.Compare(l.keys[x.key].name, l.keys[y.key].name), cmp.Compare(x.rule, y.rule))
	}
	return 0
}

// firstCommand is the lowest that an extended rule names, of others 0.
func (p *Policy) firstCommand(x *rule) int {
	if x.kind&rulesX == 0 {
		return 0
	}
	v := &p.xperms[x.data]
	for i := range 256 {
		switch {
		case !v.has(uint8(i)):
		case v.kind == xpermDriver:
			return i << 8
		default:
			return int(v.driver)<<8 | i
		}
	}
	return 0
}

// text writes a rule of the list.
func (l *list) text(x *listedRule) RuleText {
	switch x.from {
	case fromRules:
		return l.p.text(&l.p.te.rules[x.at], nil, nil)
	case fromNamed:
		return l.namedText(&l.named[x.at])
	}
	return l.rangeText(l.ranges[x.at])
}

func (l *list) namedText(n *namedRule) RuleText {
	p, key := l.p, &l.keys[n.key]
	r := RuleText{Kind: "type_transition", Source: p.types.at(n.src).name, Target: p.types.at(key.target).name, Class: p.classes.at(uint32(key.class)).name,
		Default: p.types.at(p.names[*key][n.rule].typ).name, Enabled: true}
	r.Text = fmt.Sprintf("type_transition %s %s:%s %s %q;", r.Source, r.Target, r.Class, r.Default, key.name)
	return r
}

func (l *list) rangeText(k rangeKey) RuleText {
	p := l.p
	r := RuleText{Kind: "range_transition", Source: p.types.at(k.src).name, Target: p.types.at(k.tgt).name, Class: p.classes.at(uint32(k.class)).name,
		Default: p.rangeText(p.ranges[k]), Enabled: true}
	r.Text = fmt.Sprintf("range_transition %s %s:%s %s;", r.Source, r.Target, r.Class, r.Default)
	return r
}

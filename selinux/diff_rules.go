package selinux

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
)

// joint are the types, classes and permissions of two policies in common numbers, by name, so that their rules compare
// without a text for each.
type joint struct {
	of    [2]*Policy
	types [2][]uint32 // by number, less one
	class [2][]uint32
	perms [2][][32]uint8 // by class and bit: the place among the permissions that either class has
	names [][]string     // of permissions, by common class
	conds [2][][2]uint64 // of conditionals: what stands for the condition, and for its else
}

func newJoint(a, b *Policy) *joint {
	j := &joint{of: [2]*Policy{a, b}}
	types, classes := map[string]uint32{}, map[string]uint32{}
	number := func(m map[string]uint32, name string) uint32 {
		n, ok := m[name]
		if !ok {
			n = uint32(len(m))
			m[name] = n
		}
		return n
	}
	seed := maphash.MakeSeed()
	sum := func(parts ...string) uint64 {
		var h maphash.Hash
		h.SetSeed(seed)
		for _, s := range parts {
			h.WriteString(s)
		}
		return h.Sum64()
	}
	for side, p := range j.of {
		for i := range p.types.list {
			j.types[side] = append(j.types[side], number(types, p.types.list[i].name))
		}
		for i := range p.classes.list {
			c := &p.classes.list[i]
			n := number(classes, c.name)
			if int(n) == len(j.names) {
				j.names = append(j.names, nil)
			}
			var places [32]uint8
			for bit, name := range c.perms {
				k := slices.Index(j.names[n], name)
				if k < 0 {
					k = len(j.names[n])
					j.names[n] = append(j.names[n], name)
				}
				places[bit] = uint8(k)
			}
			j.class[side], j.perms[side] = append(j.class[side], n), append(j.perms[side], places)
		}
		for i := range p.conds {
			text, _ := p.conditionText(p.conds[i].expr)
			j.conds[side] = append(j.conds[side], [2]uint64{sum(text), sum("!(", text, ")")})
		}
	}
	return j
}

// ruleAt is a place in the rules of one of the two policies.
type ruleAt struct {
	side uint8
	at   int32
}

func (j *joint) rule(r ruleAt) *rule { return &j.of[r.side].te.rules[r.at] }

func (j *joint) cond(side uint8, x *rule) uint64 {
	switch {
	case x.cond > 0:
		return j.conds[side][x.cond-1][0]
	case x.cond < 0:
		return j.conds[side][-x.cond-1][1]
	}
	return 0
}

// compare is 0 for rules that are about the same: of allow and its like in everything but permissions.
func (j *joint) compare(a, b ruleAt) int {
	x, y := j.rule(a), j.rule(b)
	s, t := j.types[a.side], j.types[b.side]
	c := cmp.Or(cmp.Compare(x.kind, y.kind), cmp.Compare(s[x.src-1], t[y.src-1]), cmp.Compare(s[x.tgt-1], t[y.tgt-1]),
		cmp.Compare(j.class[a.side][x.class-1], j.class[b.side][y.class-1]), cmp.Compare(j.cond(a.side, x), j.cond(b.side, y)))
	switch {
	case c != 0:
		return c
	case x.kind&rulesOfTypes != 0:
		return cmp.Compare(s[x.data-1], t[y.data-1])
	case x.kind&rulesX != 0:
		v, w := &j.of[a.side].xperms[x.data], &j.of[b.side].xperms[y.data]
		return cmp.Or(cmp.Compare(v.kind, w.kind), cmp.Compare(v.driver, w.driver), slices.Compare(v.bits[:], w.bits[:]))
	}
	return 0
}

// sorted are the rules of one side in the order of compare.
func (j *joint) sorted(side uint8) []ruleAt {
	all := make([]ruleAt, len(j.of[side].te.rules))
	for i := range all {
		all[i] = ruleAt{side, int32(i)}
	}
	slices.SortFunc(all, j.compare)
	return all
}

// set is what a rule gives: permissions in common numbers, or one bit for a rule that is there or not.
func (j *joint) set(r ruleAt) (set uint64) {
	x := j.rule(r)
	if x.kind&(rulesOfTypes|rulesX) != 0 {
		return 1
	}
	bits := x.data
	if x.kind == ruleDontAudit {
		bits = ^bits
	}
	c := j.of[r.side].classes.at(uint32(x.class))
	for bit, name := range c.perms {
		if bits>>bit&1 != 0 && name != "" {
			set |= 1 << j.perms[r.side][x.class-1][bit]
		}
	}
	return set
}

// take removes the rules that are about the same as first from all, and returns what they give together.
func (j *joint) take(all *[]ruleAt, first ruleAt) (set uint64) {
	for len(*all) > 0 && j.compare((*all)[0], first) == 0 {
		set |= j.set((*all)[0])
		*all = (*all)[1:]
	}
	return set
}

// rules compares rules permission by permission.
func (d *differ) rules(a, b *Policy) {
	j := newJoint(a, b)
	from, to := j.sorted(0), j.sorted(1)
	start := len(d.all)
	for (len(from) > 0 || len(to) > 0) && !d.full() {
		var first ruleAt
		if len(to) == 0 || len(from) > 0 && j.compare(from[0], to[0]) <= 0 {
			first = from[0]
		} else {
			first = to[0]
		}
		x, y := j.take(&from, first), j.take(&to, first)
		d.noteRule(j, "removed", first, x&^y)
		d.noteRule(j, "added", first, y&^x)
	}
	d.named(a, b)
	d.ranges("removed", a, b)
	d.ranges("added", b, a)
	slices.SortFunc(d.all[start:], func(a, b Difference) int {
		return cmp.Or(strings.Compare(a.What, b.What), strings.Compare(a.Change, b.Change))
	})
}

// noteRule says that a rule, or some of its permissions, is there in one policy only.
func (d *differ) noteRule(j *joint, change string, r ruleAt, set uint64) {
	if set == 0 {
		return
	}
	p, x := j.of[r.side], j.rule(r)
	t := p.text(x, nil, nil)
	text := t.sentence()
	if x.kind&(rulesOfTypes|rulesX) == 0 {
		var names []string
		for k, name := range j.names[j.class[r.side][x.class-1]] {
			if set>>k&1 != 0 {
				names = append(names, name)
			}
		}
		text = fmt.Sprintf("%s %s %s:%s %s", t.Kind, t.Source, t.Target, t.Class, braced(names))
	}
	if text += ";"; t.Condition != "" {
		text += " [ " + t.Condition + " ]"
	}
	d.add(change, "rule", text, "", "")
}

// named compares transitions by name.
func (d *differ) named(a, b *Policy) {
	for _, x := range []struct {
		change   string
		from, in *Policy
	}{{"removed", a, b}, {"added", b, a}} {
		for key, rules := range x.from.names {
			other, known := x.in.nameKey(x.from, key)
			for i := range rules {
				for src := range rules[i].sources.all() {
					if d.full() {
						return
					}
					if known && x.in.makesNamed(other, x.from.types.at(src+1).name, x.from.types.at(rules[i].typ).name) {
						continue
					}
					l := list{p: x.from, keys: []nameKey{key}}
					t := l.namedText(&namedRule{0, int32(i), src + 1})
					d.add(x.change, "rule", t.Text, "", "")
				}
			}
		}
	}
}

// nameKey is another policy's key in p's numbers.
func (p *Policy) nameKey(of *Policy, key nameKey) (nameKey, bool) {
	t, c := p.typeNamed(of.types.at(key.target).name), p.classes.byName[of.classes.at(uint32(key.class)).name]
	return nameKey{t, uint16(c), key.name}, t != 0 && c != 0
}

// typeNamed is the number of a type or attribute, 0 where there is none; an alias is none.
func (p *Policy) typeNamed(name string) uint32 {
	if v := p.types.byName[name]; v != 0 && p.types.at(v).name == name {
		return v
	}
	return 0
}

// makesNamed says whether a transition by name makes a type of a source.
func (p *Policy) makesNamed(key nameKey, src, typ string) bool {
	s, t := p.typeNamed(src), p.typeNamed(typ)
	return s != 0 && t != 0 && slices.ContainsFunc(p.names[key], func(r nameRule) bool { return r.typ == t && r.sources.has(s-1) })
}

// ranges compares transitions of ranges.
func (d *differ) ranges(change string, from, in *Policy) {
	seed := maphash.MakeSeed()
	x, y := newLevelSums(seed, from), newLevelSums(seed, in)
	for key, rng := range from.ranges {
		if d.full() {
			return
		}
		src, tgt := in.typeNamed(from.types.at(key.src).name), in.typeNamed(from.types.at(key.tgt).name)
		class := in.classes.byName[from.classes.at(uint32(key.class)).name]
		if other, ok := in.ranges[rangeKey{src, tgt, uint16(class)}]; ok && x.of(rng) == y.of(other) {
			continue
		}
		l := list{p: from}
		t := l.rangeText(key)
		d.add(change, "rule", t.Text, "", "")
	}
}

// levelSums stand for levels by the names in them, as the numbers of two policies differ and texts may be long.
type levelSums struct{ sens, cats []uint64 }

func newLevelSums(seed maphash.Seed, p *Policy) *levelSums {
	s := &levelSums{}
	for i := range p.sensitivities.list {
		s.sens = append(s.sens, maphash.String(seed, p.sensitivities.list[i].name))
	}
	for _, name := range p.categories.list {
		s.cats = append(s.cats, maphash.String(seed, name))
	}
	return s
}

// of is a sum for each level.
func (s *levelSums) of(r Range) (sums [2][2]uint64) {
	for i, l := range []Level{r.Low, r.High} {
		if !l.IsValid() {
			continue
		}
		sums[i][0] = s.sens[l.Sensitivity()]
		for _, n := range l.cats.Numbers() {
			sums[i][1] += s.cats[n]
		}
	}
	return sums
}

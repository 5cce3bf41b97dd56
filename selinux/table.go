package selinux

import (
	"math/rand/v2"
	"sort"
)

// table holds all rules, those of conditionals behind the others. They are sorted by source, class and target, so that a
// decision looks up each attribute of the source once, and walks the rules and the target's attributes side by side; the
// kernel asks its hash table about every pair instead.
type table struct {
	rules []rule
	keys  []uint32 // by hash: source and class
	spans [][2]int32
	mask  uint32
	from  []uint64 // the types and attributes that are the source of a rule, each one lower than its number
	seed  uint64   // odd and by chance, so that no file can be made of keys with one hash
}

func (t *table) slot(src, class uint16) uint32 {
	key := uint32(src)<<16 | uint32(class)
	i := uint32(uint64(key)*t.seed>>32) & t.mask
	for t.keys[i] != key && t.keys[i] != 0 {
		i = (i + 1) & t.mask
	}
	return i
}

// of returns the rules of a source and class, by rising target.
func (t *table) of(src, class uint16) []rule {
	i := t.slot(src, class)
	if t.keys[i] == 0 {
		return nil
	}
	return t.rules[t.spans[i][0]:t.spans[i][1]]
}

// to returns the rules of a source, class and target.
func (t *table) to(src, class, tgt uint16) []rule {
	all := t.of(src, class)
	i := sort.Search(len(all), func(i int) bool { return all[i].tgt >= tgt })
	j := i
	for j < len(all) && all[j].tgt == tgt {
		j++
	}
	return all[i:j]
}

// index sorts the rules and makes the table ready to be asked.
func (t *table) index(r *reader, types, classes uint32) {
	if r.err != nil {
		return
	}
	t.sort(types, classes)
	size, n := uint32(1), 0
	for i := range t.rules {
		if i == 0 || t.rules[i].src != t.rules[i-1].src || t.rules[i].class != t.rules[i-1].class {
			n++
		}
	}
	for size < uint32(2*n) || size < 2 {
		size *= 2
	}
	if !r.book(12 * int(size)) {
		return
	}
	t.keys, t.spans, t.mask, t.seed = make([]uint32, size), make([][2]int32, size), size-1, rand.Uint64()|1
	t.from = make([]uint64, types/64+1)
	for from := 0; from < len(t.rules); {
		x := &t.rules[from]
		t.from[(x.src-1)/64] |= 1 << ((x.src - 1) % 64)
		to := from + 1
		for to < len(t.rules) && t.rules[to].src == x.src && t.rules[to].class == x.class {
			to++
		}
		i := t.slot(x.src, x.class)
		t.keys[i], t.spans[i] = uint32(x.src)<<16|uint32(x.class), [2]int32{int32(from), int32(to)}
		from = to
	}
	t.unique(r)
}

// sort orders by source, class and target, and keeps the order of equal ones: one counting pass a key, the last first.
func (t *table) sort(types, classes uint32) {
	other := make([]rule, len(t.rules))
	pass := func(n uint32, key func(*rule) uint16) {
		start := make([]int32, n+2)
		for i := range t.rules {
			start[key(&t.rules[i])+1]++
		}
		for i := 1; i < len(start); i++ {
			start[i] += start[i-1]
		}
		for i := range t.rules {
			k := key(&t.rules[i])
			other[start[k]] = t.rules[i]
			start[k]++
		}
		t.rules, other = other, t.rules
	}
	pass(types, func(x *rule) uint16 { return x.tgt })
	pass(classes, func(x *rule) uint16 { return x.class })
	pass(types, func(x *rule) uint16 { return x.src })
}

// unique refuses a second rule of one kind and key without condition, as avtab_insert does, more extended ones than could
// differ, and what cond_insertavf refuses: a type rule with and without condition.
func (t *table) unique(r *reader) {
	const most = 3 * (256 + 256 + 1) // kinds, drivers with functions, drivers, netlink
	var seen ruleKind
	extended := 0
	for i := range t.rules {
		x := &t.rules[i]
		if i == 0 || x.src != t.rules[i-1].src || x.class != t.rules[i-1].class || x.tgt != t.rules[i-1].tgt {
			seen, extended = 0, 0
		}
		switch {
		case x.cond != 0 && x.kind&rulesOfTypes&seen != 0:
			r.fail("a conditional rule about the new type of %d and %d exists without condition too", x.src, x.tgt)
		case x.cond == 0 && x.kind&rulesX != 0:
			if extended++; extended > most {
				r.fail("there are %d extended rules about types %d and %d", extended, x.src, x.tgt)
			}
		case x.cond == 0 && x.kind&seen != 0:
			r.fail("a rule of kind %#x about types %d and %d is there twice", uint16(x.kind), x.src, x.tgt)
		case x.cond == 0:
			seen |= x.kind
		}
		if r.err != nil {
			return
		}
	}
}

// between visits the rules about a class whose source is in one set and whose target in the other.
func (p *Policy) between(src, tgt *bitmap, class uint16, visit func(*rule)) {
	for i := range src.all() {
		all := p.te.of(uint16(i+1), class)
		for k := 0; k < len(all); k++ {
			if tgt.has(uint32(all[k].tgt) - 1) {
				visit(&all[k])
			}
		}
	}
}

// gather adds the rules of one source type or attribute that are about any of the targets (the inner loop of
// context_struct_compute_av).
func (p *Policy) gather(src, class uint16, tgt *bitmap, d *Decision) {
	all := p.te.of(src, class)
	if len(all) == 0 {
		return
	}
	if len(all) > 32*len(tgt.nodes) {
		p.gatherSparse(all, tgt, d)
		return
	}
	n := 0
	nodes := tgt.nodes
	for i := range all {
		x := &all[i]
		v := uint32(x.tgt) - 1
		for n < len(nodes) && nodes[n].start+63 < v {
			n++
		}
		if n == len(nodes) {
			return
		}
		if v >= nodes[n].start && nodes[n].bits>>(v-nodes[n].start)&1 != 0 && (x.cond == 0 || p.enabled(x)) {
			d.add(x)
		}
	}
}

// gatherSparse is for a source with far more rules than the target has attributes.
func (p *Policy) gatherSparse(all []rule, tgt *bitmap, d *Decision) {
	for v := range tgt.all() {
		i := sort.Search(len(all), func(i int) bool { return uint32(all[i].tgt) > v })
		for all = all[i:]; len(all) > 0 && uint32(all[0].tgt) == v+1; all = all[1:] {
			if x := &all[0]; x.cond == 0 || p.enabled(x) {
				d.add(x)
			}
		}
		if len(all) == 0 {
			return
		}
	}
}

package selinux

type roleKey struct {
	role, typ uint32
	class     uint16
}

type nameKey struct {
	target uint32
	class  uint16
	name   string
}

// nameRule makes new objects of the sources' types a type, where the name is right.
type nameRule struct {
	sources bitmap // each one lower than its number
	typ     uint32
}

type rangeKey struct {
	src, tgt uint32
	class    uint16
}

// classOr reads a class, or takes process in versions that know no other.
func (p *Policy) classOr(r *reader, since uint32) uint16 {
	if r.version < since {
		return p.process
	}
	v := r.u32()
	if !r.value("class", v, p.classes.count()) {
		return 0
	}
	return uint16(v)
}

// readRoleRules reads role_transition and allow of roles.
func (p *Policy) readRoleRules(r *reader) {
	r.section = "role transitions"
	n := r.u32()
	if !r.need(n, 12, 64) {
		return
	}
	p.roleTransitions = make(map[roleKey]uint32, n)
	for range n {
		role, typ, next := r.u32(), r.u32(), r.u32()
		class := p.classOr(r, 26) // POLICYDB_VERSION_ROLETRANS
		if !r.value("role", role, p.roles.count()) || !r.value("type", typ, p.types.count()) || !r.value("role", next, p.roles.count()) {
			return
		}
		key := roleKey{role, typ, class}
		if _, twice := p.roleTransitions[key]; twice {
			r.fail("a role transition is there twice")
			return
		}
		p.roleTransitions[key] = next
	}
	r.section = "role allows"
	n = r.u32()
	if !r.need(n, 8, 40) {
		return
	}
	p.roleAllows = make(map[[2]uint32]bool, n)
	for range n {
		from, to := r.u32(), r.u32()
		if !r.value("role", from, p.roles.count()) || !r.value("role", to, p.roles.count()) {
			return
		}
		p.roleAllows[[2]uint32{from, to}] = true
	}
}

// readNames reads transitions by name: one a source type up to version 32, then one a target with sets of source types.
func (p *Policy) readNames(r *reader) {
	r.section = "name transitions"
	if r.version < 25 { // POLICYDB_VERSION_FILENAME_TRANS
		return
	}
	n := r.u32()
	memory := 96
	if r.version < 33 { // POLICYDB_VERSION_COMP_FTRANS
		memory = 0
	}
	if !r.need(n, 20, memory) {
		return
	}
	p.names = make(map[nameKey][]nameRule)
	seen := plainNames{map[nameNumber]bool{}, map[nameNumber]int{}}
	for range n {
		length := r.u32()
		key := nameKey{name: r.name(length)}
		if r.version < 33 {
			p.readPlainName(r, key, &seen)
		} else {
			p.readNameRules(r, key)
		}
		if r.err != nil {
			return
		}
	}
}

// plainNames finds, while names are read, what an earlier rule has said.
type plainNames struct {
	sources map[nameNumber]bool
	types   map[nameNumber]int // the place among the rules of the key
}

type nameNumber struct {
	nameKey
	v uint32
}

func (p *Policy) readPlainName(r *reader, key nameKey, seen *plainNames) {
	src, tgt, class, out := r.u32(), r.u32(), r.u32(), r.u32()
	if !r.value("type", src, p.types.count()) || !r.value("type", tgt, p.types.count()) || !r.value("class", class, p.classes.count()) || !p.known(r, out) || !r.book(80) {
		return
	}
	key.target, key.class = tgt, uint16(class)
	if seen.sources[nameNumber{key, src}] {
		return // the kernel keeps the first, too
	}
	seen.sources[nameNumber{key, src}] = true
	i, ok := seen.types[nameNumber{key, out}]
	if !ok {
		if !r.book(230) {
			return
		}
		i = len(p.names[key])
		seen.types[nameNumber{key, out}] = i
		p.names[key] = append(p.names[key], nameRule{typ: out})
	}
	p.names[key][i].sources.add(src - 1)
}

func (p *Policy) readNameRules(r *reader, key nameKey) {
	tgt, class, n := r.u32(), r.u32(), r.u32()
	if !r.value("type", tgt, p.types.count()) || !r.value("class", class, p.classes.count()) || !r.need(n, 16, 32) {
		return
	}
	key.target, key.class = tgt, uint16(class)
	if n == 0 || p.names[key] != nil {
		r.fail("the rules for %q are empty or there twice", key.name)
		return
	}
	all := make([]nameRule, n)
	for i := range all {
		all[i] = nameRule{r.bitmap(), r.u32()}
		r.subset("types", &all[i].sources, p.types.count())
		if !p.known(r, all[i].typ) {
			return
		}
	}
	p.names[key] = all
}

// known checks the number of a type that gets into labels.
func (p *Policy) known(r *reader, v uint32) bool {
	if r.err == nil && (!p.isType(v) || p.types.at(v).attribute) {
		r.fail("type %d of %d is none", v, p.types.count())
	}
	return r.err == nil
}

// readRanges reads range transitions (range_read).
func (p *Policy) readRanges(r *reader) {
	r.section = "range transitions"
	n := r.u32()
	if !r.need(n, 28, 128) {
		return
	}
	p.ranges = make(map[rangeKey]Range, n)
	for range n {
		src, tgt := r.u32(), r.u32()
		class := p.classOr(r, 21) // POLICYDB_VERSION_RANGETRANS
		raw := r.rawRange()
		if !r.value("type", src, p.types.count()) || !r.value("type", tgt, p.types.count()) {
			return
		}
		rng := p.rangeOf(r, raw)
		if r.err != nil {
			return
		}
		p.ranges[rangeKey{src, tgt, class}] = rng
	}
}

package selinux

// symbols are the things of one kind: by number, counted from 1, and by name, aliases too.
type symbols[T any] struct {
	list    []T
	byName  map[string]uint32
	aliases []alias
}

type alias struct {
	name  string
	value uint32
}

func (s *symbols[T]) count() uint32 { return uint32(len(s.list)) }

// at returns the thing of a number that was checked.
func (s *symbols[T]) at(v uint32) *T { return &s.list[v-1] }

// Limits of a symbol table: the rules hold types in 16 bits, and nothing else comes in such numbers.
const (
	maxSymbols = 1<<16 - 1
	maxEntries = 1 << 17 // with aliases
)

// open reads the head of a symbol table: how many numbers there are, and how many entries follow.
func open[T any](r *reader, s *symbols[T], entry, memory int) (entries uint32) {
	nprim, nel := r.u32(), r.u32()
	if r.err == nil && (nprim > maxSymbols || nel > maxEntries) {
		r.fail("%d numbers and %d entries: more than %d or %d", nprim, nel, maxSymbols, maxEntries)
	}
	if !r.need(nel, entry, 64) || !r.book(int(nprim)*memory) {
		return 0
	}
	s.list = make([]T, nprim)
	s.byName = make(map[string]uint32, nel)
	return nel
}

// add names number v; a primary name may have it once.
func (s *symbols[T]) add(r *reader, name string, v uint32) bool {
	if !r.value("the number of "+name, v, s.count()) {
		return false
	}
	if _, twice := s.byName[name]; twice {
		r.fail("%s is defined twice", name)
		return false
	}
	s.byName[name] = v
	return true
}

func (s *symbols[T]) alias(r *reader, name string, v uint32) {
	if s.add(r, name, v) {
		s.aliases = append(s.aliases, alias{name, v})
	}
}

// permSet is a class's or common's permissions: bit v-1 is perms[v-1].
type permSet struct {
	name  string
	perms []string
}

// readPerms reads entries of permissions into a set of nprim numbers (perm_read).
func (r *reader) readPerms(set *permSet, nprim, nel uint32) {
	if r.err == nil && (nprim > 32 || nel > nprim) {
		r.fail("%s has %d permissions in %d numbers, and 32 are possible", set.name, nel, nprim)
	}
	if !r.need(nel, 9, 0) || !r.book(int(nprim)*16) {
		return
	}
	set.perms = make([]string, nprim)
	for range nel {
		n, v := r.u32(), r.u32()
		name := r.name(n)
		if !r.value("permission", v, nprim) {
			return
		}
		if set.perms[v-1] != "" {
			r.fail("permission %d of %s is %s and %s", v, set.name, set.perms[v-1], name)
			return
		}
		set.perms[v-1] = name
	}
}

// class is an object class.
type class struct {
	permSet
	common                                              string
	constraints, transitions                            []constraint // the latter are validatetrans rules
	defaultUser, defaultRole, defaultType, defaultRange uint32
}

// Where a new object takes a part of its label from (default_user and its like).
const (
	defaultSource = 1
	defaultTarget = 2

	rangeSourceLow     = 1
	rangeSourceHigh    = 2
	rangeSourceLowHigh = 3
	rangeTargetLow     = 4
	rangeTargetHigh    = 5
	rangeTargetLowHigh = 6
	rangeGLBLUB        = 7
)

func (p *Policy) readCommons(r *reader) {
	r.section = "commons"
	for range open(r, &p.commons, 17, 40) {
		n, v, nprim, nel := r.u32(), r.u32(), r.u32(), r.u32()
		c := permSet{name: r.name(n)}
		r.readPerms(&c, nprim, nel)
		if r.err != nil || !p.commons.add(r, c.name, v) {
			return
		}
		*p.commons.at(v) = c
	}
}

func (p *Policy) readClasses(r *reader) {
	r.section = "classes"
	for range open(r, &p.classes, 25, 200) {
		n, n2, v, nprim, nel, ncons := r.u32(), r.u32(), r.u32(), r.u32(), r.u32(), r.u32()
		c := class{permSet: permSet{name: r.name(n)}}
		if n2 > 0 {
			c.common = r.name(n2)
		}
		r.readPerms(&c.permSet, nprim, nel)
		p.inherit(r, &c)
		c.constraints = r.constraints(ncons, false)
		c.transitions = r.constraints(r.u32(), true)
		if r.version >= 27 { // POLICYDB_VERSION_NEW_OBJECT_DEFAULTS
			c.defaultUser, c.defaultRole, c.defaultRange = r.u32(), r.u32(), r.u32()
		}
		if r.version >= 28 { // POLICYDB_VERSION_DEFAULT_TYPE
			c.defaultType = r.u32()
		}
		if c.defaultUser > defaultTarget || c.defaultRole > defaultTarget || c.defaultType > defaultTarget || c.defaultRange > rangeGLBLUB {
			r.fail("class %s has a default that does not exist", c.name)
		}
		if r.err != nil || !p.classes.add(r, c.name, v) {
			return
		}
		*p.classes.at(v) = c
	}
}

// inherit gives a class the permissions of its common, which keep their numbers.
func (p *Policy) inherit(r *reader, c *class) {
	if r.err != nil || c.common == "" {
		return
	}
	v, ok := p.commons.byName[c.common]
	if !ok {
		r.fail("class %s inherits %s, which is no common", c.name, c.common)
		return
	}
	for i, name := range p.commons.at(v).perms {
		if i >= len(c.perms) || c.perms[i] != "" {
			r.fail("class %s has no room for the permissions of %s", c.name, c.common)
			return
		}
		c.perms[i] = name
	}
}

type role struct {
	name             string
	dominates, types bitmap
	bounds           uint32
}

func (p *Policy) readRoles(r *reader) {
	r.section = "roles"
	for range open(r, &p.roles, 12+1+24, 80) {
		n, v, bounds := r.u32(), r.u32(), r.u32()
		x := role{name: r.name(n), bounds: bounds}
		x.dominates, x.types = r.bitmap(), r.bitmap()
		if x.name == "object_r" && v != objectR {
			r.fail("object_r has number %d, and %d is expected", v, objectR)
		}
		if r.err != nil || !p.roles.add(r, x.name, v) {
			return
		}
		*p.roles.at(v) = x
	}
}

// objectR is the number of the role of files.
const objectR = 1

// typ is a type, or an attribute, which shares their numbers.
type typ struct {
	name      string
	attribute bool
	bounds    uint32
	sets      bitmap // of a type: itself and its attributes, each one lower than its number (type_attr_map)
}

// Bits of a type's properties.
const (
	typePrimary   = 1
	typeAttribute = 2
)

func (p *Policy) readTypes(r *reader) {
	r.section = "types"
	for range open(r, &p.types, 17, 64) {
		n, v, prop, bounds := r.u32(), r.u32(), r.u32(), r.u32()
		x := typ{name: r.name(n), attribute: prop&typeAttribute != 0, bounds: bounds}
		if r.err != nil {
			return
		}
		if prop&typePrimary == 0 {
			p.types.alias(r, x.name, v)
		} else if p.types.add(r, x.name, v) {
			if p.types.at(v).name != "" {
				r.fail("type %d is %s and %s", v, p.types.at(v).name, x.name)
				return
			}
			*p.types.at(v) = x
		}
	}
}

type user struct {
	name   string
	roles  bitmap
	bounds uint32
	rng    Range
}

func (p *Policy) readUsers(r *reader) []rawRange {
	r.section = "users"
	var raw []rawRange
	for range open(r, &p.users, 12+1+12+8+12+16, 96+48) {
		n, v, bounds := r.u32(), r.u32(), r.u32()
		x := user{name: r.name(n), bounds: bounds, roles: r.bitmap()}
		rng := r.rawRange()
		r.rawLevel() // the level of a login, of no use to the kernel
		if r.err != nil || !p.users.add(r, x.name, v) {
			return nil
		}
		*p.users.at(v) = x
		if raw == nil {
			raw = make([]rawRange, p.users.count())
		}
		raw[v-1] = rng
	}
	return raw
}

type boolean struct {
	name  string
	state bool
}

func (p *Policy) readBooleans(r *reader) {
	r.section = "booleans"
	for range open(r, &p.booleans, 13, 24) {
		v, state, n := r.u32(), r.u32(), r.u32()
		name := r.name(n)
		if state > 1 {
			r.fail("boolean %s has the value %d", name, state)
		}
		if r.err != nil || !p.booleans.add(r, name, v) {
			return
		}
		*p.booleans.at(v) = boolean{name, state == 1}
	}
}

type sensitivity struct {
	name string
	cats bitmap // that may come with it
}

func (p *Policy) readSensitivities(r *reader) {
	r.section = "sensitivities"
	for range open(r, &p.sensitivities, 8+1+16, 40) {
		n, isAlias := r.u32(), r.u32()
		name := r.name(n)
		level := r.rawLevel()
		switch {
		case r.err != nil:
			return
		case isAlias != 0:
			p.sensitivities.alias(r, name, level.sens)
		case p.sensitivities.add(r, name, level.sens):
			*p.sensitivities.at(level.sens) = sensitivity{name, level.cats}
		}
	}
}

func (p *Policy) readCategories(r *reader) {
	r.section = "categories"
	for range open(r, &p.categories, 13, 16) {
		n, v, isAlias := r.u32(), r.u32(), r.u32()
		name := r.name(n)
		switch {
		case r.err != nil:
			return
		case isAlias != 0:
			p.categories.alias(r, name, v)
		case p.categories.add(r, name, v):
			*p.categories.at(v) = name
		}
	}
}

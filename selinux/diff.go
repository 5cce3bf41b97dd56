package selinux

import (
	"fmt"
	"hash/fnv"
	"slices"
	"sort"
	"strings"
)

// Difference is one thing in which two policies differ.
type Difference struct {
	Change string `json:"change"` // added, removed, changed
	Kind   string `json:"kind"`   // type, class, rule …
	What   string `json:"what"`
	From   string `json:"from,omitempty"` // of changed
	To     string `json:"to,omitempty"`
}

// Diff returns what differs from a to b, by kind and text.
func Diff(a, b *Policy) []Difference {
	d := &differ{}
	for _, x := range []struct {
		kind string
		of   func(*Policy, *texts)
	}{{"policy", (*Policy).settings}, {"class", (*Policy).classTexts}, {"type", (*Policy).typeTexts}, {"role", (*Policy).roleTexts}, {"user", (*Policy).userTexts},
		{"boolean", (*Policy).booleanTexts}, {"constraint", (*Policy).constraintTexts}, {"label", (*Policy).objectTexts}} {
		from, to := texts{m: map[string]string{}}, texts{m: map[string]string{}}
		x.of(a, &from)
		x.of(b, &to)
		if from.full() || to.full() {
			d.add("changed", "policy", fmt.Sprintf("the texts of kind %s have more than %d MiB, and were not compared", x.kind, maxTexts>>20), "", "")
			continue
		}
		d.values(x.kind, from.m, to.m)
	}
	d.rules(a, b)
	if d.full() {
		d.all = append(d.all, Difference{Change: "changed", Kind: "policy", What: fmt.Sprintf("and more than %d MiB of differences", maxAnswer>>20)})
	}
	return d.all
}

// Bounds of what two policies, which may be made to have long texts, are compared by and of what is said.
const (
	maxTexts  = 16 << 20 // of one kind of a policy
	maxAnswer = 16 << 20
)

// texts are what the things of one kind mean, by name.
type texts struct {
	m    map[string]string
	size int
}

func (t *texts) put(name, text string) {
	if t.size += len(name) + len(text) + 64; !t.full() {
		t.m[name] = text
	}
}

func (t *texts) full() bool { return t.size > maxTexts }

// differ collects differences, up to a bound on their text.
type differ struct {
	all  []Difference
	size int
}

func (d *differ) full() bool { return d.size > maxAnswer }

func (d *differ) add(change, kind, what, from, to string) {
	if d.size += len(what) + len(from) + len(to) + 96; !d.full() {
		d.all = append(d.all, Difference{change, kind, what, from, to})
	}
}

// values compares two tables from names to what they mean.
func (d *differ) values(kind string, a, b map[string]string) {
	names := map[string]bool{}
	for n := range a {
		names[n] = true
	}
	for n := range b {
		names[n] = true
	}
	all := make([]string, 0, len(names))
	for n := range names {
		all = append(all, n)
	}
	sort.Strings(all)
	for _, n := range all {
		x, inA := a[n]
		y, inB := b[n]
		switch {
		case !inA:
			d.add("added", kind, n, "", "")
		case !inB:
			d.add("removed", kind, n, "", "")
		case x != y:
			d.add("changed", kind, n, x, y)
		}
	}
}

// digest bounds what is kept of a long list; its sum still tells two of them apart.
func digest(s string) string {
	const most = 2048
	if len(s) <= most {
		return s
	}
	h := fnv.New64a()
	h.Write([]byte(s))
	return fmt.Sprintf("%s … (%d bytes, %016x)", s[:most], len(s), h.Sum64())
}

func (p *Policy) settings(m *texts) {
	m.put("mls", fmt.Sprint(p.mls))
	m.put("handle_unknown", p.unknown.String())
	m.put("capabilities", strings.Join(p.Capabilities(), " "))
}

func (p *Policy) classTexts(m *texts) {
	for i := range p.classes.list {
		if c := &p.classes.list[i]; c.name != "" {
			names := slices.Clone(c.perms)
			sort.Strings(names)
			m.put(c.name, fmt.Sprintf("%s; defaults of user %d, role %d, type %d, range %d", strings.Join(names, " "), c.defaultUser, c.defaultRole, c.defaultType, c.defaultRange))
		}
	}
}

func (p *Policy) typeTexts(m *texts) {
	for i := range p.types.list {
		t := &p.types.list[i]
		if t.name == "" || m.full() {
			continue
		}
		if t.attribute {
			m.put(t.name, "an attribute")
			continue
		}
		var sets []string
		for v := range t.sets.all() {
			if v != uint32(i) {
				sets = append(sets, p.types.at(v+1).name)
			}
		}
		sort.Strings(sets)
		text := strings.Join(sets, " ")
		if t.bounds != 0 {
			text += "; bounded by " + p.types.at(t.bounds).name
		}
		if p.permissive.has(uint32(i + 1)) {
			text += "; permissive"
		}
		m.put(t.name, digest(text))
	}
	for _, a := range p.types.aliases {
		m.put(a.name, "an alias of "+p.types.at(a.value).name)
	}
}

func (p *Policy) roleTexts(m *texts) {
	next := make(map[uint32][]uint32, len(p.roles.list))
	for to := range p.roleAllows {
		next[to[0]] = append(next[to[0]], to[1])
	}
	for i := range p.roles.list {
		r := &p.roles.list[i]
		if r.name == "" || m.full() {
			continue
		}
		var all []string
		for v := range r.types.all() {
			all = append(all, p.types.at(v+1).name)
		}
		for _, to := range next[uint32(i+1)] {
			all = append(all, "→"+p.roles.at(to).name)
		}
		sort.Strings(all)
		m.put(r.name, digest(strings.Join(all, " ")))
	}
	for k, next := range p.roleTransitions {
		if m.full() {
			return
		}
		m.put(fmt.Sprintf("role_transition %s %s:%s", p.roles.at(k.role).name, p.types.at(k.typ).name, p.classes.at(uint32(k.class)).name), p.roles.at(next).name)
	}
}

func (p *Policy) userTexts(m *texts) {
	for i := range p.users.list {
		u := &p.users.list[i]
		if u.name == "" || m.full() {
			continue
		}
		var roles []string
		for v := range u.roles.all() {
			roles = append(roles, p.roles.at(v+1).name)
		}
		sort.Strings(roles)
		m.put(u.name, digest(strings.Join(roles, " "))+" "+p.rangeText(u.rng))
	}
}

func (p *Policy) booleanTexts(m *texts) {
	for _, b := range p.Booleans() {
		m.put(b.Name, map[bool]string{true: "on", false: "off"}[b.On])
	}
}

// constraintTexts writes the constraints as they are for no labels in particular.
func (p *Policy) constraintTexts(m *texts) {
	for i := range p.classes.list {
		c := &p.classes.list[i]
		for _, kind := range []struct {
			word string
			of   []constraint
		}{{"constrain", c.constraints}, {"validatetrans", c.transitions}} {
			for _, n := range kind.of {
				if m.full() {
					return
				}
				names := permNames(c.perms, n.perms)
				sort.Strings(names)
				text := fmt.Sprintf("%s %s { %s } (%s)", kind.word, c.name, strings.Join(names, " "), p.constraintText(n.nodes))
				m.put(text, "")
			}
		}
	}
}

// constraintText writes an expression; the labels that it is evaluated for leave no trace in the text.
func (p *Policy) constraintText(nodes []exprNode) string {
	if len(p.users.list) == 0 || len(p.roles.list) == 0 || len(p.types.list) == 0 || p.mls && len(p.sensitivities.list) == 0 {
		return ""
	}
	l := &Label{user: 1, role: 1, typ: 1}
	if p.mls {
		l.rng = Range{Level{sens: 1}, Level{sens: 1}}
	}
	return p.expression(nodes, l, l, l).Text
}

func (p *Policy) objectTexts(m *texts) {
	for kind := range p.objects {
		for i := range p.objects[kind] {
			if m.full() {
				return
			}
			o := &p.objects[kind][i]
			what := objectNames[kind] + " " + o.name
			switch kind {
			case objectSID:
				what += fmt.Sprint(o.a)
				if int(o.a) < len(initialSIDs) {
					what = objectNames[kind] + " " + initialSIDs[o.a]
				}
			case objectPort:
				what += fmt.Sprintf("protocol %d, %d-%d", o.a, o.b, o.c)
			case objectNode, objectNode6:
				what += o.addr.String() + "/" + o.mask.String()
			case objectPkey:
				what += fmt.Sprintf("%#x %d-%d", o.prefix, o.b, o.c)
			case objectFSUse, objectEndport:
				what += fmt.Sprintf(" %d", o.a)
			}
			m.put(what, p.Text(o.label))
		}
	}
	for i := range p.genfs {
		for _, x := range p.genfs[i].paths {
			if m.full() {
				return
			}
			m.put(fmt.Sprintf("genfs %s %s class %d", p.genfs[i].name, x.path, x.class), p.Text(x.label))
		}
	}
}

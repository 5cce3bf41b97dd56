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
	d.values("policy", a.settings(), b.settings())
	d.values("class", a.classTexts(), b.classTexts())
	d.values("type", a.typeTexts(), b.typeTexts())
	d.values("role", a.roleTexts(), b.roleTexts())
	d.values("user", a.userTexts(), b.userTexts())
	d.values("boolean", a.booleanTexts(), b.booleanTexts())
	d.values("constraint", a.constraintTexts(), b.constraintTexts())
	d.values("label", a.objectTexts(), b.objectTexts())
	d.rules(a, b)
	if d.size > maxAnswer {
		d.all = append(d.all, Difference{Change: "changed", Kind: "policy", What: fmt.Sprintf("and more than %d MiB of differences", maxAnswer>>20)})
	}
	return d.all
}

// differ collects differences, up to a bound on their text.
type differ struct {
	all  []Difference
	size int
}

func (d *differ) add(change, kind, what, from, to string) {
	if d.size += len(what) + len(from) + len(to); d.size > maxAnswer {
		return
	}
	d.all = append(d.all, Difference{change, kind, what, from, to})
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

func (p *Policy) settings() map[string]string {
	return map[string]string{"mls": fmt.Sprint(p.mls), "handle_unknown": p.unknown.String(), "capabilities": strings.Join(p.Capabilities(), " ")}
}

func (p *Policy) classTexts() map[string]string {
	m := map[string]string{}
	for i := range p.classes.list {
		if c := &p.classes.list[i]; c.name != "" {
			names := slices.Clone(c.perms)
			sort.Strings(names)
			m[c.name] = fmt.Sprintf("%s; defaults of user %d, role %d, type %d, range %d", strings.Join(names, " "), c.defaultUser, c.defaultRole, c.defaultType, c.defaultRange)
		}
	}
	return m
}

func (p *Policy) typeTexts() map[string]string {
	m := map[string]string{}
	for i := range p.types.list {
		t := &p.types.list[i]
		if t.name == "" {
			continue
		}
		if t.attribute {
			m[t.name] = "an attribute"
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
		m[t.name] = digest(text)
	}
	for _, a := range p.types.aliases {
		m[a.name] = "an alias of " + p.types.at(a.value).name
	}
	return m
}

func (p *Policy) roleTexts() map[string]string {
	m := map[string]string{}
	for i := range p.roles.list {
		r := &p.roles.list[i]
		if r.name == "" {
			continue
		}
		var all []string
		for v := range r.types.all() {
			all = append(all, p.types.at(v+1).name)
		}
		for to := range p.roleAllows {
			if to[0] == uint32(i+1) {
				all = append(all, "→"+p.roles.at(to[1]).name)
			}
		}
		sort.Strings(all)
		m[r.name] = digest(strings.Join(all, " "))
	}
	for k, next := range p.roleTransitions {
		m[fmt.Sprintf("role_transition %s %s:%s", p.roles.at(k.role).name, p.types.at(k.typ).name, p.classes.at(uint32(k.class)).name)] = p.roles.at(next).name
	}
	return m
}

func (p *Policy) userTexts() map[string]string {
	m := map[string]string{}
	for i := range p.users.list {
		u := &p.users.list[i]
		if u.name == "" {
			continue
		}
		var roles []string
		for v := range u.roles.all() {
			roles = append(roles, p.roles.at(v+1).name)
		}
		sort.Strings(roles)
		m[u.name] = digest(strings.Join(roles, " ")) + " " + p.rangeText(u.rng)
	}
	return m
}

func (p *Policy) booleanTexts() map[string]string {
	m := map[string]string{}
	for _, b := range p.Booleans() {
		m[b.Name] = map[bool]string{true: "on", false: "off"}[b.On]
	}
	return m
}

// constraintTexts writes the constraints as they are for no labels in particular.
func (p *Policy) constraintTexts() map[string]string {
	m := map[string]string{}
	for i := range p.classes.list {
		c := &p.classes.list[i]
		for _, kind := range []struct {
			word string
			of   []constraint
		}{{"constrain", c.constraints}, {"validatetrans", c.transitions}} {
			for _, n := range kind.of {
				names := permNames(c.perms, n.perms)
				sort.Strings(names)
				text := fmt.Sprintf("%s %s { %s } (%s)", kind.word, c.name, strings.Join(names, " "), p.constraintText(n.nodes))
				m[text] = ""
			}
		}
	}
	return m
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

func (p *Policy) objectTexts() map[string]string {
	m := map[string]string{}
	for kind := range p.objects {
		for i := range p.objects[kind] {
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
			m[what] = p.Text(o.label)
		}
	}
	for i := range p.genfs {
		for _, x := range p.genfs[i].paths {
			m[fmt.Sprintf("genfs %s %s class %d", p.genfs[i].name, x.path, x.class)] = p.Text(x.label)
		}
	}
	return m
}

// ruleID is a rule's place in the names of its policy.
type ruleID struct {
	kind                   ruleKind
	src, tgt, class, extra string // extra: a condition, and of extended rules the commands
}

// rules compares rules permission by permission.
func (d *differ) rules(a, b *Policy) {
	from, to := a.ruleSets(), b.ruleSets()
	var all []Difference
	note := func(change string, id ruleID, what string) {
		text := fmt.Sprintf("%s %s %s:%s %s;", kindNames[id.kind], id.src, id.tgt, id.class, what)
		if id.kind&rulesX != 0 {
			text = fmt.Sprintf("%s %s %s:%s %s;", kindNames[id.kind], id.src, id.tgt, id.class, id.extra)
		} else if id.extra != "" {
			text += " [ " + id.extra + " ]"
		}
		if d.size += len(text); d.size <= maxAnswer {
			all = append(all, Difference{Change: change, Kind: "rule", What: text})
		}
	}
	for id, x := range from {
		y := to[id]
		if gone := without(x, y); len(gone) > 0 {
			note("removed", id, braced(gone))
		}
	}
	for id, y := range to {
		if more := without(y, from[id]); len(more) > 0 {
			note("added", id, braced(more))
		}
	}
	x, y := a.tableTexts(), b.tableTexts()
	for text := range x {
		if !y[text] {
			all = append(all, Difference{Change: "removed", Kind: "rule", What: text})
		}
	}
	for text := range y {
		if !x[text] {
			all = append(all, Difference{Change: "added", Kind: "rule", What: text})
		}
	}
	slices.SortFunc(all, func(a, b Difference) int {
		if c := strings.Compare(a.What, b.What); c != 0 {
			return c
		}
		return strings.Compare(a.Change, b.Change)
	})
	d.all = append(d.all, all...)
}

func without(a, b []string) []string {
	var all []string
	for _, x := range a {
		if !slices.Contains(b, x) {
			all = append(all, x)
		}
	}
	return all
}

// ruleSets are the rules of the access vector table, with what they give.
func (p *Policy) ruleSets() map[ruleID][]string {
	m := make(map[ruleID][]string, len(p.te.rules))
	texts := make([]string, len(p.conds))
	for i := range p.conds {
		texts[i], _ = p.conditionText(p.conds[i].expr)
	}
	for i := range p.te.rules {
		x := &p.te.rules[i]
		c := p.classes.at(uint32(x.class))
		id := ruleID{kind: x.kind, src: p.types.at(uint32(x.src)).name, tgt: p.types.at(uint32(x.tgt)).name, class: c.name}
		switch {
		case x.cond > 0:
			id.extra = texts[x.cond-1]
		case x.cond < 0:
			id.extra = "!(" + texts[-x.cond-1] + ")"
		}
		var what []string
		switch {
		case x.kind&rulesX != 0:
			if id.extra != "" {
				id.extra = " [ " + id.extra + " ]"
			}
			id.extra = p.xperms[x.data].text() + id.extra
			what = []string{"all"}
		case x.kind&rulesOfTypes != 0:
			what = []string{p.types.at(x.data).name}
		case x.kind == ruleDontAudit:
			what = permNames(c.perms, ^x.data)
		default:
			what = permNames(c.perms, x.data)
		}
		m[id] = append(m[id], what...)
	}
	return m
}

// tableTexts are the rules with tables of their own: by name, and of ranges.
func (p *Policy) tableTexts() map[string]bool {
	m := map[string]bool{}
	for _, r := range p.namedRules(&ruleFilter{named: true, namedRange: true}, &Query{}) {
		m[r.Text] = true
	}
	return m
}

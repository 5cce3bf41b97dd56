package selinux

import (
	"fmt"
	"sort"
)

// fixes tries what could let a denied request pass, the narrowest first.
func (p *Policy) fixes(w *Why, q *Question, c Class, bit uint32) []PolicyFix {
	switch w.Reason {
	case ByBoolean:
		return p.booleanFixes(w, q, c, bit)
	case ByConstraint:
		return p.levelFixes(w, q, c, bit)
	case ByNoRule:
		return p.ruleFix(q, c, bit)
	}
	return nil
}

// maxTriedBooleans bounds how many are switched.
const maxTriedBooleans = 64

// booleanFixes switches one boolean at a time.
func (p *Policy) booleanFixes(w *Why, q *Question, c Class, bit uint32) []PolicyFix {
	var all []PolicyFix
	for _, b := range w.Booleans[:min(len(w.Booleans), maxTriedBooleans)] {
		other, err := p.WithBooleans(map[string]bool{b.Name: !b.On})
		if err == nil && other.Decide(q.Source, q.Target, c).Allowed&bit != 0 {
			word := "on"
			if b.On {
				word = "off"
			}
			all = append(all, PolicyFix{"boolean", fmt.Sprintf("setsebool -P %s %s", b.Name, word)})
		}
	}
	return all
}

// levelFixes gives the source the categories that it lacks, or the target the source's level. A rule could not help here.
func (p *Policy) levelFixes(w *Why, q *Question, c Class, bit uint32) []PolicyFix {
	var all []PolicyFix
	if !w.Constraint.MLS {
		return nil
	}
	try := func(kind string, s, t Label, format string, args ...any) {
		if p.invalid(&s) == "" && p.invalid(&t) == "" && p.Decide(s, t, c).Allowed&bit != 0 {
			all = append(all, PolicyFix{kind, fmt.Sprintf(format, args...)})
		}
	}
	t := q.Target
	t.rng = Range{q.Source.rng.Low, q.Source.rng.Low}
	try("relabel", q.Source, t, "chcon -l %s (the target gets the source's low level)", p.levelText(t.rng.Low))
	s := q.Source
	s.rng = q.Target.rng
	try("level", s, q.Target, "give the source the target's level %s", p.rangeText(s.rng))
	return all
}

// ruleFix proposes an allow rule where nothing else would stand in its way.
func (p *Policy) ruleFix(q *Question, c Class, bit uint32) []PolicyFix {
	d := Decision{Allowed: bit}
	p.limit(&q.Source, &q.Target, uint16(c), &d)
	if d.Allowed&bit == 0 {
		return nil
	}
	src, tgt := p.types.at(q.Source.typ).name, p.types.at(q.Target.typ).name
	if src == tgt {
		tgt = "self"
	}
	return []PolicyFix{{"rule", fmt.Sprintf("(allow %s %s (%s (%s)))", src, tgt, q.Class, q.Perm)}}
}

// Hidden lists the dontaudit rules between two labels that keep denials out of the log, with the permissions that would be
// denied silently.
func (p *Policy) Hidden(source, target Label, class string) []string {
	c, ok := p.Class(class)
	if !ok || !source.IsValid() || !target.IsValid() {
		return nil
	}
	d := p.Decide(source, target, c)
	names := permNames(p.classes.at(uint32(c)).perms, ^d.Allowed&^d.AuditDeny)
	sort.Strings(names)
	return names
}

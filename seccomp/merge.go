package seccomp

import (
	"fmt"
	"slices"

	"syscallstory/syscalls"
)

// Mode says how profiles are composed.
type Mode string

const (
	Intersect Mode = "intersect" // the strictest answer, as the kernel gives with all filters loaded, the last one as the newest
	Union     Mode = "union"     // the laxest answer; among equal actions the last profile's data
	Override  Mode = "override"  // a call that a later profile names is answered as there; the first default action stays
)

// Merge composes profiles that were resolved for the same target. The result has no includes and excludes. It is proved to mean what the
// mode says.
func Merge(mode Mode, file string, list ...*Resolved) (*Profile, error) {
	first := list[0]
	abis := first.ABIs
	for _, r := range list {
		if len(r.Maybe) > 0 {
			return nil, fmt.Errorf("%s: rules depend on the kernel's release, which is not known", r.Profile.File)
		}
		if r.Target.ABI != first.Target.ABI {
			return nil, fmt.Errorf("%s is resolved for %v, %s for %v", first.Profile.File, first.Target.ABI, r.Profile.File, r.Target.ABI)
		}
		if mode == Intersect {
			abis = slices.DeleteFunc(slices.Clone(abis), func(a syscalls.ABI) bool { return !slices.Contains(r.ABIs, a) })
		} else if !sameABIs(r.ABIs, abis) {
			return nil, fmt.Errorf("%s and %s list different architectures, and a profile's rules hold for all of its own", first.Profile.File, r.Profile.File)
		}
	}
	c := &composition{d: newDiagram(false), sources: list, action: first.Profile.Default, abis: abis}
	// Any name that no profile has stands for the default action.
	whole := func(name string) ref {
		f := c.d.meaning(first, first.Target.ABI, name)
		for _, r := range list[1:] {
			g := c.d.meaning(r, r.Target.ABI, name)
			switch mode {
			case Intersect:
				f = c.d.combine(g, f, Action.Stricter)
			case Union:
				f = c.d.combine(g, f, func(a, b Action) bool { return b.Stricter(a) })
			case Override:
				if len(r.byName[name]) > 0 {
					f = g
				}
			}
		}
		return f
	}
	var p *Profile
	_, err := c.d.bounded(func() ref {
		c.action = c.d.action(whole(""))
		c.answer = whole
		return no
	})
	if err != nil {
		return nil, err
	}
	_, bound := c.d.bounded(func() ref { p, err = c.profile(file); return no })
	if bound != nil {
		return nil, bound
	}
	return p, err
}

func sameABIs(a, b []syscalls.ABI) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x syscalls.ABI) bool { return !slices.Contains(b, x) })
}

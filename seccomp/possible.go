package seccomp

import (
	"slices"

	"syscallstory/syscalls"
)

// Possible returns the answers that filters can give to a call where the registers of unknown may hold anything, the strictest first. The
// address that the call is made from, which few filters look at, is not known either.
func (s Stack) Possible(d *Data, unknown uint8) ([]Action, error) {
	if v := s.decide(d.NR, d.Arch); v&slotConstant != 0 {
		return []Action{Action(v)}, nil
	}
	g := newDiagram(s.compares())
	f, _, err := g.stack(s).function(box{d.Arch, d.Arch, d.NR, d.NR})
	if err != nil {
		return nil, err
	}
	var out []Action
	half := d.Arch == syscalls.I386.Audit() || d.Arch == syscalls.ARM.Audit()
	seen := map[ref]bool{}
	var walk func(f ref)
	walk = func(f ref) {
		if seen[f] {
			return
		}
		seen[f] = true
		if f < 0 {
			out = append(out, g.action(f))
			return
		}
		n := g.nodes[f]
		word, b := g.bit(n.level)
		if half && word > 4 && word&1 != 0 {
			walk(n.lo) // a call as a 32-bit program makes it
			return
		}
		if word == 2 || word == 3 || word >= 4 && unknown>>((word-4)/2)&1 != 0 {
			walk(n.lo)
			walk(n.hi)
			return
		}
		if d.word(uint32(word)*4)>>b&1 == 0 {
			walk(n.lo)
		} else {
			walk(n.hi)
		}
	}
	walk(f)
	slices.SortFunc(out, strictest)
	return out, nil
}

func strictest(a, b Action) int {
	switch {
	case a.Stricter(b):
		return -1
	case b.Stricter(a):
		return 1
	}
	return int(a.Data()) - int(b.Data())
}

// Together returns what two filters can answer together: for each pair of their answers the strictest one, the second's among equal ones.
func Together(older, newer []Action) []Action {
	var out []Action
	for _, a := range older {
		for _, b := range newer {
			if a.Stricter(b) {
				b = a
			}
			if !slices.Contains(out, b) {
				out = append(out, b)
			}
		}
	}
	slices.SortFunc(out, strictest)
	return out
}

// Open reports whether a filter looks at something that is not known of a call: a register of unknown, or the address that it is made from.
func (s Stack) Open(abi syscalls.ABI, unknown uint8) bool {
	for _, p := range s {
		for _, in := range p {
			if in.Code != ldAbs || in.K < 8 {
				continue
			}
			if in.K < 16 || unknown>>((in.K-16)/8)&1 != 0 && !(abi.Half() && in.K%8 == 4) {
				return true
			}
		}
	}
	return false
}

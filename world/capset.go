package world

import (
	"math/bits"
	"strings"

	"syscallstory/kernel"
)

// CapSet is a set of capabilities, one bit each as /proc/PID/status prints it.
type CapSet uint64

// AllCaps holds every capability that is known here.
const AllCaps = CapSet(1)<<kernel.NumCaps - 1

// Caps makes a set.
func Caps(cs ...kernel.Cap) CapSet {
	var s CapSet
	for _, c := range cs {
		s |= 1 << c
	}
	return s
}

// Has reports whether the set holds c.
func (s CapSet) Has(c kernel.Cap) bool { return s>>c&1 != 0 }

// With returns the set and c.
func (s CapSet) With(c kernel.Cap) CapSet { return s | 1<<c }

// Without returns the set less c.
func (s CapSet) Without(c kernel.Cap) CapSet { return s &^ (1 << c) }

// Len returns how many capabilities the set holds.
func (s CapSet) Len() int { return bits.OnesCount64(uint64(s)) }

// String lists the set's names, "none" or "all".
func (s CapSet) String() string {
	switch {
	case s == 0:
		return "none"
	case s&AllCaps == AllCaps:
		return "all"
	}
	var names []string
	for c := kernel.Cap(0); c < kernel.NumCaps; c++ {
		if s.Has(c) {
			names = append(names, c.String())
		}
	}
	return strings.Join(names, ",")
}

package seccomp

import (
	"sync/atomic"

	"syscallstory/syscalls"
)

// numbers is how many numbers of an ABI have a slot: more than any ABI has calls.
const numbers = 576

// Decisions runs the filters of a task and keeps their answer to a number where it is the same whatever the arguments are, as
// the kernel does with its bitmap, and not only where it is ALLOW. A slot is filled when its number is first met. Any number of goroutines may use it.
type Decisions struct {
	filters Stack
	slots   [4][numbers]atomic.Uint64
}

// A slot holds, from the lowest bit, the action (32), the instruction (12), the filter (16) and in the two highest bits what is known.
const (
	slotConstant = 1 << 63
	slotVarying  = 1 << 62
)

var (
	auditX8664 = syscalls.X8664.Audit()
	auditI386  = syscalls.I386.Audit()
	auditARM64 = syscalls.ARM64.Audit()
)

// NewDecisions returns the decisions of checked filters.
func NewDecisions(s Stack) *Decisions { return &Decisions{filters: s} }

// Run answers as Stack.Run does.
func (s *Decisions) Run(d *Data) (a Action, filter, insn int) {
	slot := s.slot(d)
	if slot == nil {
		return s.filters.Run(d)
	}
	v := slot.Load()
	if v == 0 {
		v = s.filters.decide(d.NR, d.Arch)
		slot.Store(v)
	}
	if v&slotConstant == 0 {
		return s.filters.Run(d)
	}
	return Action(v), int(v >> 44 & 0xffff), int(v >> 32 & 0xfff)
}

// slot returns the place of a number, nil if it has none.
func (s *Decisions) slot(d *Data) *atomic.Uint64 {
	abi, nr := 0, d.NR
	switch d.Arch {
	case auditX8664:
		if nr&syscalls.X32Bit != 0 {
			abi, nr = 1, nr&^syscalls.X32Bit
		}
	case auditI386:
		abi = 2
	case auditARM64:
		abi = 3
	default:
		return nil
	}
	if nr >= numbers {
		return nil
	}
	return &s.slots[abi][nr]
}

// decide fills a slot. The answer is constant if no filter loads anything but number and ABI on its way.
func (s Stack) decide(nr, arch uint32) uint64 {
	d := Data{NR: nr, Arch: arch}
	for _, p := range s {
		for _, pc := range p.Path(&d) {
			if in := p[pc]; in.Code == ldAbs && in.K >= 8 {
				return slotVarying
			}
		}
	}
	a, filter, insn := s.Run(&d)
	if filter < 0 || filter > 0xffff || insn >= MaxInsns {
		return slotVarying // no filter at all, or none that the kernel takes
	}
	return slotConstant | uint64(filter)<<44 | uint64(insn)<<32 | uint64(a)
}

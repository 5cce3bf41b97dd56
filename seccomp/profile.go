package seccomp

import (
	"fmt"

	"syscallstory/kernel"
)

// MaxProfile is the largest profile that is read, in bytes.
const MaxProfile = 1 << 20

// Pos is a place in a profile's file, counted from 1.
type Pos struct{ Line, Col int }

// Profile is a seccomp profile as Docker (includes, excludes, archMap) or the OCI runtime specification write it.
type Profile struct {
	File     string
	Default  Action
	At       Pos // of the default action
	Arches   []ArchMap
	Rules    []Rule
	Listener bool // somebody listens for SCMP_ACT_NOTIFY
	Log      bool // the filter is installed with SECCOMP_FILTER_FLAG_LOG
	Warnings []Warning
}

// ArchMap is an architecture with those whose calls the filter judges beside it.
type ArchMap struct {
	Arch string
	Sub  []string
}

// Rule is one element of the profile's syscalls.
type Rule struct {
	Names    []string
	NamesAt  []Pos
	Action   Action
	Args     []Arg
	Includes Filter
	Excludes Filter
	At       Pos
	inner    string // the call that the rule was written for, where it holds for socketcall or ipc
}

// Filter is a rule's includes or excludes.
type Filter struct {
	Caps      []kernel.Cap
	Arches    []string
	MinKernel [2]int
}

// Op compares an argument.
type Op uint8

const (
	NE Op = iota
	LT
	LE
	EQ
	GE
	GT
	MaskedEQ
)

var ops = map[string]Op{"SCMP_CMP_NE": NE, "SCMP_CMP_LT": LT, "SCMP_CMP_LE": LE, "SCMP_CMP_EQ": EQ, "SCMP_CMP_GE": GE, "SCMP_CMP_GT": GT, "SCMP_CMP_MASKED_EQ": MaskedEQ}

// Arg is a condition on one argument: Value, or for MaskedEQ the mask Value and the wanted ValueTwo.
type Arg struct {
	Index           uint8
	Op              Op
	Value, ValueTwo uint64
	Low             bool // only the lower 32 bits are compared
}

// Holds reports whether the condition holds for a register's value.
func (a Arg) Holds(v uint64) bool {
	if a.Low {
		const low = 1<<32 - 1
		v, a.Value, a.ValueTwo = v&low, a.Value&low, a.ValueTwo&low
	}
	switch a.Op {
	case NE:
		return v != a.Value
	case LT:
		return v < a.Value
	case LE:
		return v <= a.Value
	case EQ:
		return v == a.Value
	case GE:
		return v >= a.Value
	case GT:
		return v > a.Value
	}
	return v&a.Value == a.ValueTwo
}

// lowered is the condition on a register of 32 bits, whose value is as if the upper half were 0. The upper half is not looked at: a 64-bit
// program that makes a call of i386 by int $0x80 shows the filter whole registers, of which the call itself takes the lower halves.
func (a Arg) lowered() Arg {
	const low = 1<<32 - 1
	always := Arg{Index: a.Index, Op: MaskedEQ, Low: true}
	never := Arg{Index: a.Index, Op: MaskedEQ, ValueTwo: 1, Low: true}
	switch large := a.Value > low; {
	case a.Op == MaskedEQ && a.ValueTwo > low:
		return never
	case a.Op == MaskedEQ || !large:
		return Arg{Index: a.Index, Op: a.Op, Value: a.Value & low, ValueTwo: a.ValueTwo, Low: true}
	case a.Op == NE || a.Op == LT || a.Op == LE:
		return always
	}
	return never
}

// lowered is the rule with all of its conditions so.
func (rule *Rule) lowered() *Rule {
	out := *rule
	out.Args = make([]Arg, len(rule.Args))
	for i, a := range rule.Args {
		out.Args[i] = a.lowered()
	}
	return &out
}

// Warning is a remark on a profile that does not make it invalid.
type Warning struct {
	At  Pos
	Msg string
}

// ParseError is a profile that cannot be read.
type ParseError struct {
	File string
	At   Pos
	Msg  string
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.At.Line, e.At.Col, e.Msg)
}

package cred

import (
	"strings"

	"syscallstory/kernel"
	"syscallstory/world"
)

// Bits of the securebits, as linux/securebits.h has them; each but the highest is followed by the bit that locks it.
const (
	NoRoot              = 1 << 0 // uid 0 gives nothing at execve
	NoSetuidFixup       = 1 << 2 // changes of uids leave the capability sets alone
	KeepCaps            = 1 << 4 // permitted survives the loss of the last uid of root
	NoCapAmbientRaise   = 1 << 6
	ExecRestrictFile    = 1 << 8  // since Linux 6.14
	ExecDenyInteractive = 1 << 10 // since Linux 6.14
)

// Securebits are a task's securebits.
type Securebits uint32

var securebitNames = [...]string{"NOROOT", "NO_SETUID_FIXUP", "KEEP_CAPS", "NO_CAP_AMBIENT_RAISE", "EXEC_RESTRICT_FILE", "EXEC_DENY_INTERACTIVE"}

// String lists the bits as capsh(1) does.
func (s Securebits) String() string {
	if s == 0 {
		return "none"
	}
	var names []string
	for i, n := range securebitNames {
		if s>>(2*i)&1 != 0 {
			names = append(names, n)
		}
		if s>>(2*i+1)&1 != 0 {
			names = append(names, n+"_LOCKED")
		}
	}
	return strings.Join(names, "|")
}

// Refusal says which check of capset or prctl refuses; the zero Refusal is none.
type Refusal uint8

const (
	Allowed               Refusal = iota
	InheritableCapability         // inheritable beyond inheritable and permitted needs CAP_SETPCAP
	InheritableBound              // inheritable beyond inheritable and the bounding set
	PermittedBeyond               // permitted beyond the old permitted
	EffectiveBeyond               // effective beyond the new permitted
	BitLocked                     // a locked bit, or a lock, would change
	BitUnknown                    // a bit that the release does not know
	BitCapability                 // the securebits need CAP_SETPCAP
	AmbientNotHeld                // not both permitted and inheritable
	AmbientForbidden              // SECBIT_NO_CAP_AMBIENT_RAISE
)

// Capset is cap_capset: the sets that a task may give itself. setpcap says whether it has CAP_SETPCAP in its own user
// namespace. Bits that the kernel does not know are dropped, as mk_kernel_cap does.
func Capset(old *world.Cred, effective, permitted, inheritable world.CapSet, setpcap bool) (n world.Cred, why Refusal) {
	n = *old
	effective, permitted, inheritable = effective&world.AllCaps, permitted&world.AllCaps, inheritable&world.AllCaps
	switch {
	case !setpcap && inheritable&^(old.Inheritable|old.Permitted) != 0:
		return n, InheritableCapability
	case inheritable&^(old.Inheritable|old.Bounding) != 0:
		return n, InheritableBound
	case permitted&^old.Permitted != 0:
		return n, PermittedBeyond
	case effective&^permitted != 0:
		return n, EffectiveBeyond
	}
	n.Effective, n.Permitted, n.Inheritable = effective, permitted, inheritable
	n.Ambient &= permitted & inheritable
	return n, Allowed
}

// Change is prctl's PR_SET_SECUREBITS. free says that the EXEC_ bits exist, and change without privilege
// (kernel.SecurebitsExec).
func (s Securebits) Change(to uint64, setpcap, free bool) Refusal {
	all, unprivileged := uint64(0xff), uint64(0)
	if free {
		all, unprivileged = 0xfff, 0xf00 // the free bits and their locks
	}
	old := uint64(s)
	locks := old & all & 0xaaa
	changed := old ^ to
	switch {
	case locks>>1&changed != 0, locks&^to != 0:
		return BitLocked
	case to&^all != 0:
		return BitUnknown
	case !setpcap && (changed == 0 || changed&^unprivileged != 0):
		return BitCapability
	}
	return Allowed
}

// RaiseAmbient is prctl's PR_CAP_AMBIENT_RAISE of a capability that the kernel knows.
func RaiseAmbient(old *world.Cred, want kernel.Cap) Refusal {
	switch {
	case !old.Permitted.Has(want) || !old.Inheritable.Has(want):
		return AmbientNotHeld
	case old.Securebits&NoCapAmbientRaise != 0:
		return AmbientForbidden
	}
	return Allowed
}

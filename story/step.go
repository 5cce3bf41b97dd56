package story

// Origin says where a fact comes from: an index into the world's table of origins. The zero Origin is "no fact here".
// With the Missing bit it is an index into the world's table of missing facts, each with what would settle it.
type Origin uint32

// Missing marks an Origin as the reason why a fact is not known.
const Missing Origin = 1 << 31

// Known reports whether the fact at this Origin is known.
func (o Origin) Known() bool { return o != 0 && o&Missing == 0 }

// Ref names an object of the world: a mount and a name (dentry) in it, as the kernel's struct path does. The zero Ref is
// no object.
type Ref struct{ Mount, Dentry uint32 }

// Step is one check as it was made. It has a fixed size and no pointers: recording one costs a copy, and words are made
// from it later, by the registry entry of its Code and by the world.
type Step struct {
	Code    Code
	Errno   Errno // what the check answers, or would answer, when it refuses
	Outcome Outcome
	Op      Op
	Cred    uint8 // 0: the task; n: the mounter of the n-th overlay
	Depth   uint8 // symbolic links followed so far
	Hook    Hook  // where a security module was asked
	Obj     Ref
	Fact    [3]Origin // where the compared facts come from
	Val     [3]uint64 // the compared facts, of the kinds that the Code's registry entry names
}

// Same reports whether two steps are the same occurrence of a check: the same code on the same object with the same
// credential, operation and hook.
func (s *Step) Same(t *Step) bool {
	return s.Code == t.Code && s.Obj == t.Obj && s.Cred == t.Cred && s.Op == t.Op && s.Hook == t.Hook
}

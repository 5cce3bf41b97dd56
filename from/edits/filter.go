package edits

import (
	"encoding/binary"
	"fmt"
	"strings"

	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// seccomp offers to let the call pass every filter, or to run without.
func (p *person) seccomp() {
	names := p.r.Filtered
	if len(names) == 0 {
		names = []string{p.r.Call.Name}
	}
	rule := fmt.Sprintf(`{"names": ["%s"], "action": "SCMP_ACT_ALLOW"}`, strings.Join(names, `", "`))
	name := strings.Join(names, " ")
	abi := p.r.Call.ABI
	p.again(start{engine: "--security-opt seccomp=profile.json # with " + rule, pod: "securityContext:\n  seccompProfile:\n    type: Localhost\n    localhostProfile: profile.json # with " + rule, unit: "SystemCallFilter=" + name,
		setpriv: "allow " + name + " in the filter that it is given: " + rule},
		"allow "+name+" in its seccomp filter", name+" to whatever has this filter", story.Widens, false, func(w *world.World) error {
			s := &w.Task.Seccomp
			s.Filters = append([]world.Filter{}, s.Filters...)
			for i := range s.Filters {
				f := &s.Filters[i]
				if f.Program == nil {
					return fmt.Errorf("%s is not known as a program", f.Name)
				}
				for _, n := range names {
					if nr, ok := syscalls.Lookup(abi, n); ok {
						f.Program = letting(f.Program, abi, nr)
					}
				}
			}
			return nil
		})
	p.again(start{engine: "--security-opt seccomp=unconfined", pod: "securityContext:\n  seccompProfile:\n    type: Unconfined", unit: "SystemCallFilter=", setpriv: "give it no seccomp filter"},
		"run it without a seccomp filter", "every syscall of the kernel", story.Dangerous, true, func(w *world.World) error {
			w.Task.Seccomp = world.Seccomp{At: w.Text("the fix")}
			return nil
		})
}

// letting puts in front of a filter's program what answers for one call. Offsets of jumps are relative, so that the rest stays as it
// is.
func letting(program []byte, abi syscalls.ABI, nr uint32) []byte {
	const (
		load   = 0x20 // BPF_LD|BPF_W|BPF_ABS
		equal  = 0x15 // BPF_JMP|BPF_JEQ|BPF_K
		give   = 0x06 // BPF_RET|BPF_K
		allow  = 0x7fff0000
		atNR   = 0 // of struct seccomp_data
		atArch = 4
	)
	var out []byte
	put := func(code uint16, jt, jf byte, k uint32) {
		out = binary.NativeEndian.AppendUint16(out, code)
		out = append(out, jt, jf)
		out = binary.NativeEndian.AppendUint32(out, k)
	}
	put(load, 0, 0, atArch)
	put(equal, 0, 3, abi.Audit())
	put(load, 0, 0, atNR)
	put(equal, 0, 1, nr)
	put(give, 0, 0, allow)
	return append(out, program...)
}

package world

import (
	"encoding/binary"
	"fmt"
	"strings"

	"syscallstory/kernel"
)

// FileCaps are the capabilities of a file, which execve adds to those of the task (capabilities(7)). A FileCaps whose Version
// is 0 stands for an attribute that is not valid: execve answers EINVAL.
type FileCaps struct {
	Permitted, Inheritable CapSet
	Effective              bool  // one bit for the whole file
	Version                uint8 // 1, 2 or 3 of the attribute
	// Root is the uid, as the initial user namespace counts, of the root of the user namespace that the capabilities are for;
	// version 3 only. Versions 1 and 2 are for the user namespace that has mounted the filesystem.
	Root KUID
}

// Numbers of the attribute security.capability, from linux/capability.h.
const (
	capsRevision  = 0xff000000
	capsEffective = 1
)

// ParseFileCaps reads the attribute security.capability as getxattr(2) returns it: 12, 20 or 24 bytes for versions 1 to 3.
// Nothing that the kernel would not store is taken (validheader in security/commoncap.c).
func ParseFileCaps(b []byte) (FileCaps, error) {
	if len(b) < 4 {
		return FileCaps{}, fmt.Errorf("security.capability has %d bytes: its header alone has 4", len(b))
	}
	magic := binary.LittleEndian.Uint32(b)
	f := FileCaps{Version: uint8(magic >> 24), Effective: magic&capsEffective != 0}
	size := map[uint8]int{1: 12, 2: 20, 3: 24}[f.Version]
	switch {
	case size == 0:
		return FileCaps{}, fmt.Errorf("security.capability is of version %d: 1, 2 and 3 exist", f.Version)
	case magic&^uint32(capsRevision|capsEffective) != 0:
		return FileCaps{}, fmt.Errorf("security.capability has unknown flags %#x", magic&^uint32(capsRevision|capsEffective))
	case len(b) != size:
		return FileCaps{}, fmt.Errorf("security.capability has %d bytes: version %d has %d", len(b), f.Version, size)
	}
	word := func(i int) CapSet { return CapSet(binary.LittleEndian.Uint32(b[4+4*i:])) }
	f.Permitted, f.Inheritable = word(0), word(1)
	if f.Version > 1 {
		f.Permitted |= word(2) << 32
		f.Inheritable |= word(3) << 32
	}
	if f.Version == 3 {
		f.Root = KUID(word(4))
	}
	return f, nil
}

// AppendXattr appends the attribute's bytes, which setxattr(2) takes for versions 2 and 3.
func (f FileCaps) AppendXattr(b []byte) []byte {
	magic := uint32(f.Version) << 24
	if f.Effective {
		magic |= capsEffective
	}
	b = binary.LittleEndian.AppendUint32(b, magic)
	for shift := 0; shift <= 32 && (shift == 0 || f.Version > 1); shift += 32 {
		b = binary.LittleEndian.AppendUint32(b, uint32(f.Permitted>>shift))
		b = binary.LittleEndian.AppendUint32(b, uint32(f.Inheritable>>shift))
	}
	if f.Version == 3 {
		b = binary.LittleEndian.AppendUint32(b, uint32(f.Root))
	}
	return b
}

// String prints the capabilities as getcap(8) does: "cap_chown,cap_net_raw=ep cap_kill=i [rootid=100000]".
func (f FileCaps) String() string {
	if f.Version == 0 {
		return "not valid"
	}
	e := ""
	if f.Effective {
		e = "e"
	}
	var parts []string
	for _, part := range []struct {
		set   CapSet
		flags string
	}{{f.Permitted & f.Inheritable, "ip"}, {f.Permitted &^ f.Inheritable, "p"}, {f.Inheritable &^ f.Permitted, "i"}} {
		if part.set != 0 {
			parts = append(parts, part.set.lower()+"="+e+part.flags)
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "="+e)
	}
	if f.Version == 3 {
		parts = append(parts, fmt.Sprintf("[rootid=%d]", f.Root))
	}
	return strings.Join(parts, " ")
}

// lower lists the set as libcap writes it.
func (s CapSet) lower() string {
	if s&AllCaps == AllCaps {
		return "all"
	}
	var names []string
	for c := kernel.Cap(0); c < 64; c++ {
		if s.Has(c) {
			names = append(names, strings.ToLower(c.String()))
		}
	}
	return strings.Join(names, ",")
}

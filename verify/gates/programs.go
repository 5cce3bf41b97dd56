package gates

import (
	"bytes"
	"encoding/binary"

	"syscallstory/world"
)

// executed is the status with which every program of a scene ends at once: it says that execve has begun it.
const executed = 77

// exit is the whole code of such a program.
var exit = []byte{
	0xb8, 60, 0, 0, 0, // mov eax, exit
	0xbf, executed, 0, 0, 0, // mov edi, executed
	0x0f, 0x05, // syscall
}

// content is what is written to a regular file.
func (f *File) content() []byte {
	switch f.Program {
	case "script":
		return []byte("#!" + f.Interp + "\n")
	case "text":
		return []byte("hello")
	case "elf", "dynamic", "loader", "short", "foreign":
		return f.elf()
	}
	return make([]byte, f.Size)
}

// elf is a program of one segment; dynamic names its loader, a loader lies elsewhere than a program.
func (f *File) elf() []byte {
	base, interp, heads := uint64(0x400000), "", uint64(1)
	switch f.Program {
	case "loader":
		base = 0x10000000
	case "dynamic":
		interp, heads = f.Interp+"\x00", 2
	}
	b := make([]byte, 64+56*heads)
	le := binary.LittleEndian
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], 2)  // ET_EXEC
	le.PutUint16(b[18:], 62) // EM_X86_64
	if f.Program == "foreign" {
		le.PutUint16(b[18:], 8) // EM_MIPS
	}
	le.PutUint32(b[20:], 1)
	size := uint64(len(b) + len(interp) + len(exit))
	le.PutUint64(b[24:], base+size-uint64(len(exit)))
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], uint16(heads))
	head := func(i uint64, typ, flags uint32, off, addr, length uint64) {
		h := b[64+56*i:]
		le.PutUint32(h, typ)
		le.PutUint32(h[4:], flags)
		for k, v := range []uint64{off, addr, addr, length, length, 4096} {
			le.PutUint64(h[8+8*k:], v)
		}
	}
	if interp != "" {
		head(0, 3, 4, uint64(len(b)), base+uint64(len(b)), uint64(len(interp))) // PT_INTERP
	}
	head(heads-1, 1, 7, 0, base, size) // PT_LOAD, writable as the last one of every loader is: Linux 6.1 zeroes the rest of its page (padzero)
	b = append(append(b, interp...), exit...)
	if f.Program == "short" {
		return b[:40]
	}
	return b
}

// program is what execve sees of a file.
func (f *File) program() (*world.Program, error) {
	return world.ReadProgram(bytes.NewReader(f.content()))
}

// FileCaps are capabilities of a program.
type FileCaps struct {
	Permitted   uint64 `json:",omitempty"`
	Inheritable uint64 `json:",omitempty"`
	Effective   bool   `json:",omitempty"`
	Root        uint32 `json:",omitempty"` // of version 3: the root of the user namespace that they are for, as the initial one counts
}

// facts are the capabilities as the world has them.
func (c *FileCaps) facts() *world.FileCaps {
	out := &world.FileCaps{Permitted: world.CapSet(c.Permitted), Inheritable: world.CapSet(c.Inheritable), Effective: c.Effective, Version: 2}
	if c.Root != 0 {
		out.Version, out.Root = 3, world.KUID(c.Root)
	}
	return out
}

// program turns a regular file into one that execve may begin.
func (g *gen) program(f *File) {
	f.Program = pick(g, "elf", "elf", "elf", "script", "script", "dynamic", "loader", "short", "text", "foreign")
	f.Size = 0
	if f.Mode&0o111 == 0 && !g.one(4) {
		f.Mode |= pick[uint16](g, 0o111, 0o100, 0o001)
	}
	if f.Program == "script" || f.Program == "dynamic" {
		if f.Interp = pick(g, "/w/a", "a", "/w/zz", "/w/b/a"); len(g.programs) > 0 && !g.one(4) {
			f.Interp = pick(g, g.programs...)
		}
	}
	if g.one(3) {
		few := func() (v uint64) {
			for range g.IntN(3) {
				v |= 1 << pick(g, deciding...)
			}
			return v
		}
		f.Caps = &FileCaps{Permitted: few(), Inheritable: few(), Effective: g.one(2)}
		if g.one(3) {
			f.Caps.Root = pick[uint32](g, 100000, 1000, 200000)
		}
	}
	g.programs = append(g.programs, f.Path)
}

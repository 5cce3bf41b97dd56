package world

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"syscallstory/story"
)

// elf64 makes the headers of an ELF program.
func elf64(typ, machine uint16, interp string) []byte {
	b := make([]byte, 64+56)
	copy(b, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(b[16:], typ)
	le.PutUint16(b[18:], machine)
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 1)
	if interp != "" {
		le.PutUint32(b[64:], 3)
		le.PutUint64(b[64+8:], 120)
		le.PutUint64(b[64+32:], uint64(len(interp)))
		b = append(b, interp...)
	}
	return b
}

func TestReadProgram(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		name, text string
		want       Program
	}{
		{"shell", "#!/bin/sh\necho\n", Program{Kind: ProgramScript, Interp: "/bin/sh", Short: true}},
		{"blanks and one argument", "#! \t/usr/bin/env  -S a b \t\nx", Program{Kind: ProgramScript, Interp: "/usr/bin/env", Arg: "-S a b", Short: true}},
		{"no newline", "#!/bin/sh", Program{Kind: ProgramScript, Interp: "/bin/sh", Short: true}},
		{"no newline, an argument", "#!/bin/sh -x", Program{Kind: ProgramScript, Interp: "/bin/sh", Arg: "-x", Short: true}},
		{"no interpreter", "#!\n", Program{Short: true, Why: "its first line names no interpreter"}},
		{"blanks only", "#!  \t \n/bin/sh", Program{Short: true, Why: "its first line names no interpreter"}},
		{"two bytes", "#!", Program{Kind: ProgramScript, Short: true}}, // open_exec("") follows
		{"cut off", "#!/" + long, Program{Why: "its first line is cut off at 256 bytes before the interpreter ends"}},
		{"a long argument", "#!/bin/x " + long + "\n", Program{Kind: ProgramScript, Interp: "/bin/x", Arg: long[:255-9]}},
		{"blanks to the end", "#!" + strings.Repeat(" ", 300), Program{Why: "its first line is cut off at 256 bytes before the interpreter ends"}},
		{"empty", "", Program{Short: true, Why: "it is empty"}},
		{"text", "hello", Program{Short: true}},
		{"static", string(elf64(2, 62, "")), Program{Kind: ProgramELF, Machine: 62, Bits: 64}},
		{"dynamic", string(elf64(3, 62, "/lib/ld.so\x00")), Program{Kind: ProgramELF, Machine: 62, Bits: 64, Dynamic: true, Interp: "/lib/ld.so"}},
		{"a library's object", string(elf64(1, 62, "")), Program{Kind: ProgramELF, Machine: 62, Bits: 64, Errno: story.ENOEXEC, Why: "it is an ELF file that is no program"}},
		{"no end of the interpreter", string(elf64(3, 62, "/lib/ld.so")), Program{Kind: ProgramELF, Machine: 62, Bits: 64, Errno: story.ENOEXEC, Why: "the path of its interpreter is not ended"}},
		{"cut off ELF", string(elf64(3, 62, "/lib/ld.so\x00")[:122]), Program{Kind: ProgramELF, Machine: 62, Bits: 64, Errno: story.EIO, Why: "the path of its interpreter is cut off"}},
		{"ELF and nothing", "\x7fELF", Program{Kind: ProgramELF, Bits: 64, Short: true, Errno: story.ENOEXEC, Why: "it is an ELF file that is no program"}},
	} {
		got, err := ReadProgram(bytes.NewReader([]byte(c.text)))
		if err != nil || *got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
}

func FuzzReadProgram(f *testing.F) {
	f.Add([]byte("#!/bin/sh -x\n"))
	f.Add(elf64(3, 62, "/lib/ld.so\x00"))
	f.Add(elf64(2, 183, ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ReadProgram(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(p.Interp+p.Arg, "\x00") || len(p.Interp) > maxInterp || p.Kind == ProgramScript && len(p.Interp)+len(p.Arg) > firstBytes-2 {
			t.Errorf("%q: %+v", b, p)
		}
	})
}

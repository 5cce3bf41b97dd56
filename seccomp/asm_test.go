package seccomp_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"syscallstory/seccomp"
)

// allCodes are the codes that the kernel takes in a filter; seccomp_check_filter of 6.18 lists them.
var allCodes = []uint16{0x20, 0x80, 0x81, 0x00, 0x01, 0x60, 0x61, 0x02, 0x03, 0x07, 0x87, 0x06, 0x16, 0x05, 0x15, 0x25, 0x35, 0x45, 0x1d, 0x2d, 0x3d, 0x4d,
	0x84, 0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0xa4, 0x0c, 0x1c, 0x2c, 0x3c, 0x4c, 0x5c, 0x6c, 0x7c, 0xac}

// TestTextOfEveryCode: what is printed is read as the same bits, also in fields that the machine ignores.
func TestTextOfEveryCode(t *testing.T) {
	for _, code := range append(slices.Clone(allCodes), 0x28, 0x50, 0x94, 0x9c, 0x8c, 0x45|1<<8, 0xffff) {
		var p seccomp.Program
		for _, k := range []uint32{0, 4, 12, 15, 60, 64, 66, 0x7fff0000, 0x7fff0001, 0x00051388, 0x00050001, 0x12340005, 0x80000000, 0xffffffff} {
			for _, j := range [][2]uint8{{0, 0}, {0, 1}, {255, 254}} {
				p = append(p, seccomp.Insn{Code: code, JT: j[0], JF: j[1], K: k})
			}
		}
		again(t, p)
	}
	rng := rand.New(rand.NewPCG(rand.Uint64(), 1))
	for range 200 {
		p := make(seccomp.Program, 1+rng.IntN(50))
		for i := range p {
			p[i] = seccomp.Insn{Code: allCodes[rng.IntN(len(allCodes))], JT: uint8(rng.UintN(4)), JF: uint8(rng.UintN(4)), K: rng.Uint32() >> rng.UintN(32)}
		}
		again(t, p)
	}
}

func again(t *testing.T, p seccomp.Program) {
	t.Helper()
	text := p.String()
	q, err := seccomp.Assemble("p.s", []byte(text))
	if err != nil || !slices.Equal(p, q) {
		t.Fatalf("%v\n%s\nbecame\n%s", err, text, q)
	}
}

// TestAssembly writes one program in many ways.
func TestAssembly(t *testing.T) {
	want := seccomp.Program{{0x20, 0, 0, 4}, {0x15, 0, 3, 0xc000003e}, {0x20, 0, 0, 44}, {0x4d, 1, 0, 0}, {0x06, 0, 0, 0x7fff0000}, {0x06, 0, 0, 0x50001}}
	for name, text := range map[string]string{
		"as it is printed":  want.String(),
		"without numbers":   "ld arch\njeq #0xc000003e, 2, 5\nld args[3].hi\njset x, 5, 4\nret ALLOW\nret ERRNO(1)",
		"labels, decimals":  "ld arch ; the ABI\n  JEQ #3221225534, here, no\n\n; a comment\nhere: ld args[3].hi\njset X, no, yes\nyes:\n ret allow\nno: other:\nret ERRNO(0x1)\n",
		"numbers, offsets":  "ld [4]\r\njeq #0xC000003E, 2, 5\r\n2: here: ld [0x2c]\r\njset x, 5\r\nret #0x7fff0000\r\nret #327681\r\n",
		"codes":             "code 0x20, 0, 0, #4\ncode 0x15,0,3,#0xc000003e\ncode 32,0,0,#44\ncode 77,1,0,#0\ncode 6,0,0,#0x7fff0000\ncode 6,0,0,#0x50001",
		"marks and letters": "LD ARCH",
	} {
		p, err := seccomp.Assemble("p.s", []byte(text))
		if name == "marks and letters" { // names of fields are written small
			if err == nil {
				t.Error("ARCH is read as a field")
			}
			continue
		}
		if err != nil || !slices.Equal(p, want) {
			t.Errorf("%s: %v\n%s", name, err, p)
		}
	}
	for text, msg := range map[string]string{
		"ld foo":                             "p.s:1:4: ld takes nr, arch",
		"nop":                                `p.s:1:1: unknown instruction "nop"`,
		"\n  jqe #1, 1, 1":                   `p.s:2:3: unknown instruction "jqe"; did you mean jeq?`,
		"x: ja x":                            "p.s:1:7: a jump goes forward only: from instruction 0 it cannot go to 0",
		"ja 0":                               "p.s:1:4: a jump goes forward only",
		"ja 8589934592":                      "p.s:1:4: a number of 0 to 8589934591 is expected",
		"ja 8589934591":                      "p.s:1:4: a jump passes over 4294967295 instructions at most",
		"jeq #1, 300, 1":                     "p.s:1:9: a conditional jump passes over 255 instructions at most, not 299",
		"ja none":                            "p.s:1:4: there is no label none",
		"x: x: ret a":                        "p.s:1:4: the label x stands here for the second time",
		"1: ret a":                           "p.s:1:1: this is instruction 0, not 1",
		"ret NO":                             "p.s:1:5: ret takes an action, #K or a",
		"ret ALLOW(65536)":                   "p.s:1:11: a number of 0 to 65535 is expected",
		"ret a b":                            `p.s:1:7: the instruction has ended, not "b"`,
		"add 5":                              `p.s:1:5: "#" is expected, not "5"`,
		"st [1]":                             `p.s:1:4: a word of scratch memory, M[N], is expected, not "["`,
		"st M[":                              "p.s:1:6: a number of 0 to 4294967295 is expected",
		"jeq #1":                             `p.s:1:7: "," is expected, the line ends`,
		"§":                                  `p.s:1:1: an instruction is expected, not "§"`,
		"\xff\xfe":                           "p.s:1:1: an instruction is expected",
		strings.Repeat("ret a\n", 5000):      "p.s:4097:1: the program has more than 4096 instructions",
		strings.Repeat("ret a\n", 1<<20/6+1): "p.s:1:1: the program has 1048578 bytes, at most 1048576 are read",
	} {
		if _, err := seccomp.Assemble("p.s", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), msg) {
			t.Errorf("%.40q: %v, want %q", text, err, msg)
		}
	}
}

func FuzzAssemble(f *testing.F) {
	f.Add([]byte("   0: ld args[0].hi\nx: jeq #5, 3, y\ny: ret ERRNO(1) ; no\nret a\ncode 0x99, 1, 2, #7"))
	f.Add(seccomp.Program{{0x20, 0, 0, 66}, {0x81, 0, 0, 0}, {0x05, 0, 0, 9}}.Raw())
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := seccomp.Assemble("f", b); err == nil {
			again(t, p)
		}
		if p, err := seccomp.ParseRaw(b); err == nil {
			again(t, p)
		}
	})
}

package seccomp_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

const inC = `#include <linux/filter.h> // before the array anything may stand
static struct sock_filter filter[] = {
	/* the ABI */
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	{ 0x20, 0, 0, 0x00000000 },
	{ .code = BPF_JMP+BPF_JEQ+BPF_K, .jt = 0, .jf = 2, .k = __NR_openat },
	BPF_STMT(BPF_LD + BPF_W + BPF_ABS, (offsetof(struct seccomp_data, args[2]) + 4)),
	{ 0x06, 0, 0, SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA) },
	{ 0x06, 0, 0, 0x7fff << 16, },
};
`

func TestParseC(t *testing.T) {
	want := seccomp.Program{{Code: 0x20, K: 4}, {Code: 0x15, JT: 1, K: 0xc000003e}, {Code: 6, K: 0x80000000}, {Code: 0x20}, {Code: 0x15, JF: 2, K: 257}, {Code: 0x20, K: 36}, {Code: 6, K: 0x50001}, {Code: 6, K: 0x7fff0000}}
	p, err := seccomp.ParseC("f.c", []byte(inC), syscalls.X8664)
	if err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("%v, %v", p, err)
	}
	for _, c := range []struct{ text, want string }{
		{"", "f.c:1:1: an array of struct sock_filter is expected"},
		{"int x;", "f.c:1:7: an array of struct sock_filter is expected"},
		{"{ 0x20, 0, 0, 0 }, {\n 6, 0, 0, 0x1ffffffff }", `f.c:2:11: "0x1ffffffff" is not a number of 32 bits`},
		{"{ 0x20, 256, 0, 0 }", "f.c:1:9: 0x100 has more than 8 bits"},
		{"{ 1, 2, 3, 4, 5 }", "f.c:1:15: struct sock_filter has four fields"},
		{"{ .kode = 1 }", `f.c:1:4: struct sock_filter has no field "kode"`},
		{"BPF_STMT(BPF_LDD, 0)", `f.c:1:10: unknown constant "BPF_LDD"; did you mean BPF_ADD?`},
		{"BPF_STMT(6, __NR_opn)", `f.c:1:13: x86_64 has no call "opn"; did you mean open?`},
		{"BPF_STMT(6, offsetof(struct seccomp_data, args[6]))", "f.c:1:49: a call has arguments 0 to 5"},
		{"BPF_STMT(6", `f.c:1:11: the program ends where "," is expected`},
		{"{ 6, 0, 0, 0 } /* x", "f.c:1:16: the comment does not end"},
		{"{ 6, 0, 0, 0 } x", `f.c:1:16: "x" follows the program`},
		{"{ 6, 0, 0, " + strings.Repeat("(", 100), "f.c:1:44: nested too deeply"},
		{strings.Repeat("{6,0,0,0},", 4097), "f.c:1:40961: the program has more than 4096 instructions"},
		{strings.Repeat(" ", seccomp.MaxText+1), "f.c:1:1: it has 1048577 bytes, at most 1048576 are read"},
	} {
		if _, err := seccomp.ParseC("f.c", []byte(c.text), syscalls.X8664); err == nil || err.Error() != c.want {
			t.Errorf("%.60q: %v, want %s", c.text, err, c.want)
		}
	}
}

// TestReadProgram: every form that story prints is recognised and read back.
func TestReadProgram(t *testing.T) {
	p, err := dockerDefault(t).Resolve(here).Compile()
	if err != nil {
		t.Fatal(err)
	}
	var c, j []string
	for _, in := range p {
		c = append(c, fmt.Sprintf("\t{ %#02x, %d, %d, %#08x },\n", in.Code, in.JT, in.JF, in.K))
		j = append(j, fmt.Sprintf(`{"code":%d,"jt":%d,"jf":%d,"k":%d}`, in.Code, in.JT, in.JF, in.K))
	}
	for name, text := range map[string]string{"raw": string(p.Raw()), "text": p.String(), "C": "struct sock_filter f[] = {\n" + strings.Join(c, "") + "};", "bare C": strings.Join(c, ""), "JSON": "[" + strings.Join(j, ",") + "]"} {
		got, err := seccomp.ReadProgram("f", []byte(text), syscalls.X8664)
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"", "f: seccomp filter: 0 instructions; 1 to 4096 are allowed"},
		{"\x06\x00\x00", "f: seccomp filter: 3 bytes: a program has 8 bytes an instruction and at most 4096 of them"},
		{strings.Repeat("\x06\x00\x00\x00\x00\x00\xff\x7f", 5000), "f: seccomp filter: 40000 bytes: a program has 8 bytes an instruction and at most 4096 of them"},
		{"ld nr\nja 0\nret ALLOW", "f:2:4: a jump goes forward only: from instruction 1 it cannot go to 0"},
		{"[{\"code\":6,\n\"x\":1}]", "f:2:8: it is not a list of instructions: json: unknown field \"x\""},
		{"{ 0x20, 0, 0, 64 }, { 6, 0, 0, 0 }", "f: seccomp filter: instruction 0: load at 64: only aligned words below 64 can be loaded"},
		{"\x05\x00\x00\x00\xfe\xff\xff\xff\x06\x00\x00\x00\x00\x00\xff\x7f", "f: seccomp filter: instruction 0: jump beyond the end"},
		{"ld [64]\nret ALLOW", "f:1:1: load at 64: only aligned words below 64 can be loaded"},
	} {
		if _, err := seccomp.ReadProgram("f", []byte(c.text), syscalls.X8664); err == nil || err.Error() != c.want {
			t.Errorf("%.40q: %v, want %s", c.text, err, c.want)
		}
	}
}

func FuzzCArray(f *testing.F) {
	f.Add([]byte(inC))
	f.Add([]byte("{ 0x06, 0, 0, 0x7fff0000 },"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := seccomp.ParseC("f.c", text, syscalls.X8664)
		if err == nil && len(p) > seccomp.MaxInsns {
			t.Errorf("%d instructions", len(p))
		}
	})
}

func FuzzReadProgram(f *testing.F) {
	f.Add([]byte(inC))
	f.Add([]byte("ld nr\njeq #0x1, a, b\na: ret ALLOW\nb: ret ERRNO(1)\n"))
	f.Add([]byte("\x06\x00\x00\x00\x00\x00\xff\x7f"))
	f.Add([]byte(`[{"code":6,"jt":0,"jf":0,"k":0}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := seccomp.ReadProgram("f", text, syscalls.X8664)
		if err != nil {
			return
		}
		q, err := seccomp.ReadProgram("again", []byte(p.String()), syscalls.X8664)
		if err != nil || !reflect.DeepEqual(p, q) {
			t.Errorf("%v: %v", p, err)
		}
	})
}

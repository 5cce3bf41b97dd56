package syscalls

import (
	"strings"
	"testing"
)

// A structure as families define theirs.
var (
	_ = defineFlags("testflags", flag{"TEST_A", 1}, flag{"TEST_B", 2})
	_ = defineStruct("teststruct", 24, member{"a", 0, 4, Int}, member{"b", 4, 2, kinds["testflags"]}, member{"s", 8, 0, Text}, member{"port", 16, 2, Int})
)

func TestStructures(t *testing.T) {
	const in = `{a=-2, b=TEST_A|0x4, s="x\n", port=80}`
	kind := kinds["teststruct"]
	p := &parser{in: `{a=-2, b=TEST_A|4, s="x\n", port=htons(80)}`}
	var a Arg
	if err := p.run(func() { a = p.arg(kind, true) }); err != nil {
		t.Fatal(err)
	}
	if got := a.String(); got != in {
		t.Errorf("printed %s, want %s", got, in)
	}
	m := layouts[kind].memory(&a)
	if want := "\xfe\xff\xff\xff\x05\x00\x00\x00\x18\x00\x00\x00\x00\x00\x00\x00\x50\x00\x00\x00\x00\x00\x00\x00x\n\x00"; string(m.Bytes) != want || len(m.Pointers) != 1 || m.Pointers[0] != 8 {
		t.Errorf("memory %q, pointers %v", m.Bytes, m.Pointers)
	}
	for in, want := range map[string]string{`{x=1}`: "no field x", `{a 1}`: "expected field=value", `{a=1`: "expected , or }", `{a=htons(x)}`: "takes a number"} {
		p := &parser{in: in}
		if err := p.run(func() { p.arg(kind, true) }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
}

func TestStrings(t *testing.T) {
	c, err := Parse(X8664, `execve("/bin/x", ["x", "-a"], [])`)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.String(); got != `execve("/bin/x", ["x", "-a"], [])` {
		t.Error(got)
	}
	regs, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if m := regs[1]; len(m.Bytes) != 24+8+3 || len(m.Pointers) != 2 || m.Bytes[0] != 24 || m.Bytes[8] != 32 {
		t.Errorf("argv is %v", m)
	}
	if _, err := Parse(X8664, `execve("/bin/x", ["x"..., ...], 0x7ffe /* 3 vars */)`); err != nil {
		t.Error(err)
	}
}

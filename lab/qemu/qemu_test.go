package qemu

import (
	"fmt"
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	var also strings.Builder
	c := tail{also: &also}
	for i := range 5000 {
		fmt.Fprintf(&c, "line %d\r\n", i)
	}
	if got := c.lines(2); got != "line 4998\nline 4999" {
		t.Errorf("%q", got)
	}
	if len(c.kept) > 2*tailSize || !strings.HasPrefix(also.String(), "line 0\r\n") {
		t.Errorf("%d bytes are kept, %d were passed on", len(c.kept), also.Len())
	}
}

func TestArguments(t *testing.T) {
	a := Config{Kernel: "/a/vmlinuz", Initrd: "/a/initrd", Cmdline: "quiet", CPUs: 2, MemoryMB: 512}
	b := a
	b.Kernel = "/b/vmlinuz"
	if a.Fingerprint() != b.Fingerprint() {
		t.Error("a machine is another one elsewhere")
	}
	b.Cmdline = "quiet selinux=1"
	if a.Fingerprint() == b.Fingerprint() {
		t.Error("another command line makes the same machine")
	}
	args := strings.Join(a.args(Memory{Path: "/a,b/m", Share: true}, true), " ")
	if !strings.Contains(args, "mem-path=/a,,b/m,share=on") || !strings.Contains(args, "-incoming defer") {
		t.Error(args)
	}
	if got := quote("/it's/here"); got != `'/it'\''s/here'` {
		t.Error(got)
	}
}

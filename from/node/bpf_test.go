package node

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// TestAttachedPrograms loads BPF programs for hooks of the security framework into the running kernel and finds them. It is for
// the machines of the lab only.
func TestAttachedPrograms(t *testing.T) {
	if os.Getenv("STORY_BPF_LOAD") == "" {
		t.Skip("it loads BPF-LSM programs into the running kernel, and so runs in the lab only, by TestKernelLabBPF there")
	}
	if got, ok := lsmPrograms(); !ok || len(got) > 0 {
		t.Fatalf("before: %q, %v", got, ok)
	}
	var want []string
	for _, hook := range []string{"file_open", "inode_unlink"} {
		p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "allow_" + hook, Type: ebpf.LSM, AttachType: ebpf.AttachLSMMac, AttachTo: hook, License: "GPL",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		l, err := link.AttachLSM(link.LSMOptions{Program: p})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		info, err := p.Info()
		if err != nil {
			t.Fatal(err)
		}
		id, _ := info.ID()
		want = append(want, fmt.Sprintf("%s: program %d %s", hook, id, ("allow_" + hook)[:min(15, len("allow_"+hook))]))
	}
	got, ok := lsmPrograms()
	slices.Sort(got)
	if !ok || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, ok, want)
	}
}

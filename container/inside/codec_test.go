package inside

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"syscallstory/probe"
)

func example() *Spec {
	return &Spec{Dir: "/run/x", Hostname: "h", Trees: []Tree{{Name: "t", Nodes: []Node{{Mode: 0o40755}, {Path: "a/b", Mode: 0o100644, UID: 7, GID: 8, Size: -1, Link: "l", Major: 1, Minor: 3, ACL: []byte{1, 2}, Flags: 16}}}, {Name: "empty"}},
		Lower: []string{"#0", "/x"}, Upper: Node{Mode: 0o40700}, ReadOnly: true, Mounts: []Mount{{Target: "/p", Type: "bind", Tree: -1, Source: "s", Flags: 1 << 40, Data: "d", Optional: true, IDMapped: true, MayFail: true}},
		Cwd: "/", FDs: []FD{{N: 7, Path: "/f", Flags: -1}}, Task: probe.Task{Cred: probe.Cred{UID: 1, GID: 2, Groups: []uint32{3, 4}, Bounding: 1 << 63, Inheritable: 5, Permitted: 6, Effective: 7, Ambient: 8, Securebits: 9, NoNewPrivs: true},
			Strict: true, Filters: []probe.Filter{{1, 2, 3, 4, 5, 6, 7, 8}}, Umask: 18, Keep: []int{3}, Timeout: time.Second},
		Calls: []probe.Call{{NR: 2, Args: [6]probe.Arg{{Data: []byte("x\x00")}, {Val: ^uint64(0)}}}}, Command: []string{"a", ""}, Env: []string{"X=y"}, Label: "l", Context: "c", UIDs: []IDs{{0, 65536, 65536}}, GIDs: []IDs{{1, 2, 3}}, LowerIDs: true}
}

func TestCodec(t *testing.T) {
	var got Spec
	if err := got.Decode(example().Encode()); err != nil {
		t.Fatal(err)
	}
	// Empty and missing lists of bytes are the same thing here.
	same := cmp.Comparer(func(a, b []byte) bool { return string(a) == string(b) })
	if d := cmp.Diff(example(), &got, same); d != "" {
		t.Error(d)
	}
	b := example().Encode()
	for n := range b {
		if new(Spec).Decode(b[:n]) == nil {
			t.Errorf("the first %d of %d bytes are taken for a whole spec", n, len(b))
		}
	}
	if new(Spec).Decode(append(b, 0)) == nil {
		t.Error("a byte too many is taken")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(example().Encode())
	f.Fuzz(func(t *testing.T, b []byte) { new(Spec).Decode(b) })
}

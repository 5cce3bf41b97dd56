package mount

import (
	"testing"

	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// flat is names of which every one but 0 lies below 0, or is another filesystem's root.
type flat struct{}

func (flat) Below(d, root world.DentryID) bool { return d == root || root == 0 }

type anybody struct{}

func (anybody) Admin(world.UserNSID) story.Errno                        { return 0 }
func (anybody) SameKind(_, _ world.DentryID, _ story.Errno) story.Errno { return 0 }
func (anybody) MayIDMap(ID) story.Errno                                 { return 0 }
func (anybody) Users(ID) int                                            { return 0 }
func (anybody) Writers(ID) int                                          { return 0 }

// big is a namespace with n mounts on one shared root, and a copy of it whose mounts are slaves.
func big(n int) (*Tree, *Caller) {
	t := NewTree(kernel.Release{Major: 6, Minor: 18}, flat{})
	ns := t.NewNS(0)
	root := t.Add(ns, world.Path{}, Node{SB: 1})
	c := &Caller{NS: ns, Root: world.Path{Mount: root}, Asker: anybody{}}
	for i := range n - 1 {
		t.Add(ns, world.Path{Mount: root, Dentry: world.DentryID(i + 1)}, Node{SB: 1, Root: 0})
	}
	t.ChangeKind(c, world.Path{Mount: root}, Shared, true)
	t.CopyNS(ns, 1)
	return t, c
}

// TestClone: neither of two trees sees what happens to the other.
func TestClone(t *testing.T) {
	a, c := big(500)
	b := a.Clone()
	at := world.Path{Mount: c.Root.Mount, Dentry: 10000}
	if _, r := b.New(c, at, Node{SB: 2}); r != (Refusal{}) {
		t.Fatal(r)
	}
	if b.Count(1) != 501 || b.Count(2) != 501 || a.Count(1) != 500 || a.Lookup(at.Mount, at.Dentry) != 0 {
		t.Errorf("%d and %d mounts after one was made, %d in the original", b.Count(1), b.Count(2), a.Count(1))
	}
	m := a.Lookup(c.Root.Mount, 7)
	if r := a.Umount(c, world.Path{Mount: m, Dentry: a.Node(m).Root}, false); r != (Refusal{}) {
		t.Fatal(r)
	}
	if a.Count(1) != 499 || b.Count(1) != 501 || b.Lookup(c.Root.Mount, 7) != m {
		t.Error("the copy has lost a mount that was unmounted in the original")
	}
}

// TestLocked: what CopyNS has made for another user namespace cannot be taken apart.
func TestLocked(t *testing.T) {
	tr, _ := big(3)
	root := tr.RootOf(2)
	c := &Caller{NS: 2, Root: world.Path{Mount: root}, Asker: anybody{}}
	child := tr.Lookup(root, 1)
	if r := tr.MayUmount(c, world.Path{Mount: child}); r.Code != story.MountLocked {
		t.Errorf("umount: %v", r)
	}
	if _, r := tr.MayBind(c, world.Path{Mount: root}, world.Path{Mount: root, Dentry: 99}, false); r.Code != story.MountLockedChild {
		t.Errorf("bind: %v", r)
	}
}

func BenchmarkMount10000(b *testing.B) {
	base, c := big(10000)
	b.ReportAllocs()
	for b.Loop() {
		t := base.Clone()
		if _, r := t.New(c, world.Path{Mount: c.Root.Mount, Dentry: 20000}, Node{SB: 2}); r != (Refusal{}) {
			b.Fatal(r)
		}
	}
}

func BenchmarkRecursiveBind10000(b *testing.B) {
	base, c := big(10000)
	for b.Loop() {
		t := base.Clone()
		if _, r := t.Bind(c, c.Root, world.Path{Mount: c.Root.Mount, Dentry: 20000}, true); r != (Refusal{}) {
			b.Fatal(r)
		}
	}
}

package node

import (
	"os"
	"strings"
	"testing"

	"syscallstory/kernel"
	"syscallstory/world"
)

func TestParse(t *testing.T) {
	text, err := os.ReadFile("../../examples/node/node.yaml")
	if err != nil {
		t.Fatal(err)
	}
	n, err := Parse("node.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	w := world.New()
	n.Apply(w)
	if w.Kernel.Major != 6 || !w.LSMs.Known() || !w.BPFHooks.Known() || w.Sysctl(kernel.ProtectedRegular).V != 2 {
		t.Errorf("%+v", w)
	}
	if p := w.Place(w.Sysctl(kernel.ProtectedRegular).At); p == nil || p.Line != 10 {
		t.Errorf("the sysctl's place is %+v", p)
	}
	if m := n.MountOf("/data"); m == nil || m.Type != "ext4" || m.Propagation != "shared" {
		t.Errorf("%+v", m)
	}
	null, err := Parse("n", []byte("kernel: {release: null}\nlsm: {active: ~, bpfPrograms: }\nsysctls: {fs.protected_regular: null}"))
	if err != nil {
		t.Fatal(err)
	}
	w = world.New()
	null.Apply(w)
	if w.LSMs.Known() || w.BPFHooks.Known() || w.KernelAt.Known() || w.Sysctl(kernel.ProtectedRegular).Known() {
		t.Error("what is null is not given")
	}
	empty := world.New()
	(*Node)(nil).Apply(empty)
	if empty.LSMs.Known() || empty.KernelAt.Known() || empty.Sysctl(kernel.ProtectedRegular).Known() {
		t.Error("without a node file nothing of the node is known")
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"kernel: {release: new}":                          "n:1:10: ",
		"kernl: {}":                                       "did you mean",
		"mounts: [{mountPoint: data}]":                    "not an absolute path",
		"mounts: [{mountPoint: /a/../b}]":                 "shortest form",
		"mounts: [{mountPoint: /a, propagation: sharde}]": "unknown propagation",
		"sysctls: {fs.protected_regular: yes please}":     "an integer is expected",
		"lsm: [a]":                "fields are expected",
		"kernel: {release: ''}":   "is not a kernel release",
		"files: a\n---\nfiles: b": "n:3:1: a node file holds one document",
	} {
		if _, err := Parse("n", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", text, err, want)
		}
	}
}

func TestLocal(t *testing.T) {
	n, err := Local()
	if err != nil {
		t.Fatal(err)
	}
	w := world.New()
	n.Apply(w)
	if !w.Kernel.Known() || !w.KernelAt.Known() || n.MountOf("/proc/self") == nil || n.MountOf("/proc/self").Type != "proc" {
		t.Errorf("%+v", n)
	}
}

func FuzzParse(f *testing.F) {
	if text, err := os.ReadFile("../../examples/node/node.yaml"); err == nil {
		f.Add(text)
	}
	f.Add([]byte("mounts: [{mountPoint: /, options: [ro]}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if n, err := Parse("n", text); err == nil {
			n.Apply(world.New())
			n.MountOf("/a/b")
		}
	})
}

// TestServices: which unit counts for which engine, and what comes later does not lie below anything yet.
func TestServices(t *testing.T) {
	n, err := Parse("n", []byte("engine: {name: docker, version: 24.0.1}\nsystemd: {version: 252}\nmounts: [{mountPoint: /, propagation: shared}, {mountPoint: /data, later: true}]"))
	if err != nil {
		t.Fatal(err)
	}
	if n.EngineUnit() != nil || n.RuntimeUnit() != nil || (*Node)(nil).KubeletUnit() != nil {
		t.Error("units that nobody gave")
	}
	for _, name := range []string{"docker.service", "containerd.service", "kubelet.service", "containerd.service.d/x.conf"} {
		if err := n.AddUnit(name, []byte("[Service]\nMountFlags=slave\n")); err != nil {
			t.Fatal(err)
		}
	}
	if len(n.Units()) != 3 || n.EngineUnit().Name != "docker.service" || n.RuntimeUnit().Name != "containerd.service" || n.KubeletUnit() == nil {
		t.Errorf("%+v", n.Units())
	}
	if n.DropUnit("containerd.service"); n.RuntimeUnit().Name != "docker.service" {
		t.Errorf("%+v", n.RuntimeUnit())
	}
	if m := n.MountOf("/data/x"); m == nil || m.Point != "/" {
		t.Errorf("%+v", m)
	}
}

// TestReleaseOfDebian: uname -r of Debian's kernels has no stable update, uname -v has.
func TestReleaseOfDebian(t *testing.T) {
	n, err := Parse("n", []byte("kernel: {release: 6.1.0-56-amd64, version: '#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-1 (2026-08-01)'}"))
	if err != nil {
		t.Fatal(err)
	}
	w := world.New()
	n.Apply(w)
	if w.Kernel.Patch != 192 || !w.Kernel.Debian {
		t.Errorf("%+v", w.Kernel)
	}
}

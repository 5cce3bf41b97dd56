package pod

import (
	"strings"
	"testing"

	"syscallstory/from/node"
	"syscallstory/kernel"
	"syscallstory/world"
)

// plain makes overlays that nobody looks into.
type plain struct{}

func (plain) NewOverlay(fs *world.FS, sb world.SB) world.SBID {
	return fs.NewSB(sb, world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll})
}

// TestNamespaces: what a container shares, and with whom.
func TestNamespaces(t *testing.T) {
	build := func(spec, engine string) *world.World {
		ws, err := Parse("p.yaml", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i}]"+spec+"}\n"))
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Merger: plain{}}
		if engine != "" {
			if o.Node, err = node.Parse("n.yaml", []byte("engine: {"+engine+"}\n")); err != nil {
				t.Fatal(err)
			}
		}
		w, err := ws[0].World(o)
		if err != nil {
			t.Fatalf("%s: %v", spec, err)
		}
		return w
	}
	for spec, want := range map[string]string{
		"":                              "net uts ipc pid",
		", hostNetwork: true":           "uts ipc pid",
		", hostPID: true":               "net uts ipc",
		", hostIPC: true":               "net uts pid",
		", hostUsers: false":            "net* uts* ipc* pid*",
		", shareProcessNamespace: true": "net uts ipc pid",
	} {
		w := build(spec, "")
		var own []string
		for _, k := range []world.NSKind{world.NetNS, world.UTSNS, world.IPCNS, world.PIDNS} {
			if n := w.Namespace(k); !n.Initial {
				s := k.String()
				if n.Owner != 0 {
					s += "*"
				}
				own = append(own, s)
			}
		}
		if got := strings.Join(own, " "); got != want {
			t.Errorf("%q: its own are %s, want %s", spec, got, want)
		}
		if one := w.Task.PID == 1; one != (!strings.Contains(spec, "hostPID") && !strings.Contains(spec, "share")) {
			t.Errorf("%q: the first process is %d", spec, w.Task.PID)
		}
	}
	const ping = "net.ipv4.ping_group_range"
	for _, c := range []struct {
		spec, engine string
		port         int
		low, high    uint32
		known        bool
	}{
		{"", "", 0, 0, 0, false},
		{"", "name: containerd, version: 1.7.2", 1024, 1, 0, true},
		{"", "name: containerd, version: 2.1.4", 0, 0, 1<<31 - 1, true},
		{", hostUsers: false", "name: containerd, version: 2.1.4", 0, 1, 0, true},
		{"", "name: cri-o, version: 1.30.0", 1024, 0, 0, true},
		{", securityContext: {sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: '80'}, {name: " + ping + ", value: '5 6'}]}", "name: containerd, version: 2.1.4", 80, 5, 6, true},
	} {
		w := build(c.spec, c.engine)
		port, groups := w.Sysctl(kernel.IPUnprivilegedPortStart), w.Sysctl(kernel.PingGroupRange)
		low, high := kernel.Range(groups.V)
		if port.Known() != c.known || groups.Known() != c.known || c.known && (port.V != c.port || low != c.low || high != c.high) {
			t.Errorf("%q with %q: ports from %+v, groups %+v", c.spec, c.engine, port, groups)
		}
	}
	ws, _ := Parse("p.yaml", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i}], securityContext: {sysctls: [{name: "+ping+", value: x}]}}\n"))
	if _, err := ws[0].World(Options{Merger: plain{}}); err == nil || !strings.Contains(err.Error(), "is no value") {
		t.Errorf("a bad value: %v", err)
	}
}

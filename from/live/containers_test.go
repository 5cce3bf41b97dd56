//go:build linux

package live

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRecorded reads what the engines keep of a container, and nothing where they keep nothing.
func TestRecorded(t *testing.T) {
	root := t.TempDir()
	id := func(c string) string { return strings.Repeat(c, 64) }
	write := func(name, text string) {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("run/containerd/io.containerd.runtime.v2.task/k8s.io/"+id("a")+"/config.json",
		`{"annotations":{"io.kubernetes.cri.container-name":"nginx","io.kubernetes.cri.container-type":"container","io.kubernetes.cri.sandbox-name":"web","io.kubernetes.cri.sandbox-namespace":"prod"}}`)
	write("run/containerd/io.containerd.runtime.v2.task/k8s.io/"+id("b")+"/config.json",
		`{"annotations":{"io.kubernetes.cri.container-type":"sandbox","io.kubernetes.cri.sandbox-name":"web","io.kubernetes.cri.sandbox-namespace":"prod"}}`)
	write("run/containerd/io.containerd.runtime.v2.task/default/"+id("c")+"/config.json", `{"annotations":{"nerdctl/name":"one"}}`)
	write("run/containers/storage/overlay-containers/"+id("d")+"/userdata/config.json",
		`{"annotations":{"io.kubernetes.container.name":"db","io.kubernetes.cri-o.ContainerType":"container","io.kubernetes.pod.name":"store","io.kubernetes.pod.namespace":"prod"}}`)
	write("var/lib/containers/storage/overlay-containers/containers.json", `[{"id":"`+id("e")+`","names":["builder"]}]`)
	write("var/lib/docker/containers/"+id("f")+"/config.v2.json", `{"Name":"/shop","Config":{"Labels":{}}}`)
	write("var/lib/docker/containers/"+id("1")+"/config.v2.json", `{"Name":"/k8s_x","Config":{"Labels":{"io.kubernetes.container.name":"x","io.kubernetes.pod.name":"p","io.kubernetes.pod.namespace":"n","io.kubernetes.docker.type":"container"}}}`)
	write("var/lib/docker/containers/"+id("2")+"/config.v2.json", `no JSON`)
	want := map[string]labels{"a": {"nginx", "web", "prod", false}, "b": {"", "web", "prod", true}, "c": {name: "one"}, "d": {"db", "store", "prod", false},
		"e": {name: "builder"}, "f": {name: "shop"}, "1": {"x", "p", "n", false}, "2": {}, "3": {}}
	var all []Container
	for c, l := range want {
		if got := recorded(root, "", id(c)); got != l {
			t.Errorf("%s: %+v, want %+v", c, got, l)
		}
		all = append(all, Container{ID: id(c), labels: l})
	}
	if got := recorded("/nowhere", filepath.Join(root, "var/lib/containers/storage"), id("e")); got.name != "builder" {
		t.Errorf("from the store: %+v", got)
	}
	slices.SortFunc(all, func(a, b Container) int { return strings.Compare(a.ID, b.ID) })
	for _, c := range []struct{ container, pod, namespace, want string }{
		{"aaa", "", "", "a"}, {id("b"), "", "", "b"}, {"nginx", "", "", "a"}, {"", "web", "", "a"}, {"nginx", "web", "prod", "a"}, {"", "web", "test", ""}, {"shop", "", "", "f"},
		{"builder", "", "", "e"}, {"nobody", "", "", ""}, {"db", "web", "", ""}, {"", "store", "prod", "d"}, {"1", "", "", "1"},
	} {
		w := Wanted{c.container, c.pod, c.namespace}
		got, err := w.Find(all)
		if c.want == "" && err == nil || c.want != "" && (err != nil || got.ID != id(c.want)) {
			t.Errorf("%v: %v, %v", &w, got, err)
		}
	}
	twice := append(all, Container{ID: "aaa" + id("0")[3:], labels: labels{"nginx", "api", "prod", false}})
	if _, err := (&Wanted{Container: "aa"}).Find(twice); err == nil || !strings.HasPrefix(err.Error(), "container aa: 2 containers are meant: aaaaaaaaaaaa (nginx of Pod prod/web), aaa000000000 (nginx of Pod prod/api)") {
		t.Error(err)
	}
	if _, err := (&Wanted{Container: "aa"}).Find(nil); err == nil {
		t.Error("one is found where there are none")
	}
}

// TestLayerPaths: the lower layers of engines that mount from where the layers lie, and of others.
func TestLayerPaths(t *testing.T) {
	for super, want := range map[string]string{
		"lowerdir=l/AB:l/CD,upperdir=/var/lib/docker/overlay2/77/diff":                           "/var/lib/docker/overlay2/l/AB /var/lib/docker/overlay2/l/CD",
		"lowerdir=12/fs:3/fs,upperdir=/c/io.containerd.snapshotter.v1.overlayfs/snapshots/20/fs": "/c/io.containerd.snapshotter.v1.overlayfs/snapshots/12/fs /c/io.containerd.snapshotter.v1.overlayfs/snapshots/3/fs",
		"lowerdir=low,upperdir=/t/up":                           "low",
		`lowerdir=/a\134:b:/c::/d::/e,upperdir=/t/up`:           "/a:b /c /d /e",
		"lowerdir+=/a,lowerdir+=/b,datadir+=/c,upperdir=/t/u,x": "/a /b /c",
	} {
		_, lower, data := layerPaths(&mountLine{super: super})
		if got := strings.Join(append(lower, data...), " "); got != want {
			t.Errorf("%s: %s, want %s", super, got, want)
		}
	}
}

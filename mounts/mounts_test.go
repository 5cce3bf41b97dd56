package mounts

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syscallstory/from/live"
	"syscallstory/from/node"
	"syscallstory/from/pod"
	"syscallstory/kernel"
)

var linux618 = kernel.Release{Major: 6, Minor: 18}

const webPod = `apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: app
    image: app
    volumeMounts:
    - {name: data, mountPath: /data}
    - {name: later, mountPath: /later, mountPropagation: HostToContainer}
    - {name: keys, mountPath: /keys}
    - {name: data, mountPath: /sub, subPath: a/b, readOnly: true, recursiveReadOnly: Enabled}
  - name: csi
    image: csi
    securityContext: {privileged: true}
    volumeMounts:
    - {name: kubelet, mountPath: /var/lib/kubelet, mountPropagation: Bidirectional}
  volumes:
  - {name: data, hostPath: {path: /data}}
  - {name: later, hostPath: {path: /data}}
  - {name: keys, secret: {secretName: keys}}
  - {name: kubelet, hostPath: {path: /var/lib/kubelet}}
`

// planOf plans a Pod on a node whose / is shared, with /data/disk mounted before and /data/new after the containers start.
func planOf(t testing.TB, text, root string, units ...string) *Machine {
	t.Helper()
	ws, err := pod.Parse("pod.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Parse("node.yaml", []byte("engine: {name: containerd}\nruntime: {name: runc, version: 1.1.5}\nsystemd: {version: 252}\nmounts:\n- {mountPoint: /data/disk, fsType: xfs, propagation: shared}\n"+
		"- {mountPoint: /, fsType: ext4, propagation: "+root+"}\n- {mountPoint: /data/new, fsType: nfs, source: 'nas:/new', later: true}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(units); i += 2 {
		if err := n.AddUnit(units[i], []byte("[Service]\n"+units[i+1]+"\n")); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Plan(Setup{Node: n, Pods: ws}, linux618)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (s *VolumeStory) brief() string {
	return fmt.Sprintf("%s %s %s %s in=%v out=%v below=%d missing=%d", s.Container, s.Point, s.Flags, s.Propagation, s.In, s.Out, len(s.Below), len(s.Missing))
}

// TestPlan: what the volumes become, with services in the host's mount namespace and with their own. TestKernelRuntime compares with runc and crun.
func TestPlan(t *testing.T) {
	for name, c := range map[string]struct {
		m    *Machine
		want string
	}{
		"host": {planOf(t, webPod, "shared"), `
web/app /data rw private in=false out=false below=1 missing=1
web/app /later rw slave in=true out=false below=2 missing=0
web/app /keys ro private in=false out=false below=0 missing=0
web/app /sub ro private in=false out=false below=0 missing=0
web/csi /var/lib/kubelet rw shared in=true out=true below=3 missing=0`},
		"kubelet alone": {planOf(t, webPod, "shared", "kubelet.service", "MountFlags=slave"), `
web/app /data rw private in=false out=false below=1 missing=1
web/app /later rw slave in=true out=false below=2 missing=0
web/app /keys ro private in=false out=false below=0 missing=0
web/app /sub ro private in=false out=false below=0 missing=0
web/csi /var/lib/kubelet rw shared in=true out=true below=0 missing=0`},
		"containerd, PrivateTmp": {planOf(t, webPod, "shared", "containerd.service", "PrivateTmp=yes"), `
web/app /data rw private in=false out=false below=1 missing=1
web/app /later rw shared and slave in=true out=false below=2 missing=0
web/app /keys ro private in=false out=false below=0 missing=0
web/app /sub ro private in=false out=false below=0 missing=0
web/csi /var/lib/kubelet rw shared and slave in=true out=false below=3 missing=0`},
	} {
		var got strings.Builder
		for _, v := range c.m.Volumes() {
			if v.By == "volumeMount" {
				got.WriteString("\n" + v.brief())
			}
		}
		if name == "containerd, PrivateTmp" { // rslave of what is shared and slave is a slave of its peers
			c.want = strings.Replace(c.want, "/later rw shared and slave", "/later rw slave", 1)
		}
		if got.String() != c.want || len(c.m.Refused) > 0 {
			t.Errorf("%s:%s\nwant:%s\n%v", name, got.String(), c.want, c.m.Refused)
		}
	}
	for name, c := range map[string]struct {
		m    *Machine
		want string
	}{
		"private host": {planOf(t, webPod, "private"), `path "/data" is mounted on "/" but it is not a shared or slave mount`},
		"private unit": {planOf(t, webPod, "shared", "containerd.service", "MountFlags=private"), `path "/data" is mounted on "/" but it is not a shared or slave mount`},
		"slave unit":   {planOf(t, webPod, "shared", "containerd.service", "MountFlags=slave"), `path "/var/lib/kubelet" is mounted on "/" but it is not a shared mount`},
	} {
		if r := c.m.Refused; len(r) == 0 || r[0].Text != c.want {
			t.Errorf("%s: %+v, want %s", name, r, c.want)
		}
	}
}

// TestOwn: what a container gets without being asked, with links of the image and of the node, and with a user namespace.
func TestOwn(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"image/run", "image/var", "image/etc", "node/srv/data/deep", "node/outside"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"image/var/run": "../run", "image/opt": "/srv/opt", "node/data": "srv/data", "node/srv/data/here": "deep", "node/srv/data/back": "/srv/data/deep", "node/srv/data/out": "../../outside"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	text := `apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  hostUsers: %v
  containers:
  - name: app
    image: app
    volumeMounts:
    - {name: data, mountPath: /opt/data}
    - {name: data, mountPath: /sub, subPath: %s}
    - {name: etc, mountPath: /etc}
  volumes:
  - {name: data, hostPath: {path: /data}}
  - {name: etc, emptyDir: {}}
`
	n, err := node.Parse("node.yaml", []byte("engine: {name: containerd}\nmounts: [{mountPoint: /, fsType: ext4, propagation: shared}, {mountPoint: /dev, fsType: devtmpfs, options: [nosuid], propagation: shared}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	plan := func(hostUsers bool, sub string) *Machine {
		ws, err := pod.Parse("pod.yaml", []byte(fmt.Sprintf(text, hostUsers, sub)))
		if err != nil {
			t.Fatal(err)
		}
		m, err := Plan(Setup{Node: n, Pods: ws, Options: pod.Options{Rootfs: dir + "/image", HostRoot: dir + "/node"}}, linux618)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, hostUsers := range []bool{true, false} {
		var got []string
		for _, v := range plan(hostUsers, "here").Volumes() {
			line := strings.Join([]string{v.Point, v.PointLink, v.Source, v.SourceLink, v.Filesystem, v.Flags, v.Propagation, v.By}, "|")
			if v.IDMapped {
				line += "|idmapped"
			}
			got = append(got, line)
		}
		all := strings.Join(got, "\n")
		id := map[bool]string{true: "", false: "|idmapped"}[hostUsers]
		for _, want := range []string{
			"/srv/opt/data|/opt/data|/srv/data|/data|ext4 host:/|rw|private|volumeMount" + id,
			"/sub||/srv/data/deep|/data/here|ext4 host:/|rw|private|volumeMount" + id,
			"/etc/hosts||/var/lib/kubelet/pods/web/etc-hosts||ext4 host:/|rw|private|kubelet" + id,
			"/run/secrets/kubernetes.io/serviceaccount||/var/lib/kubelet/pods/web/volumes/kubernetes.io~projected/kube-api-access||tmpfs the service account's token|ro|private|API server" + id,
			"/dev/shm||/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/web/shm||tmpfs|rw,nosuid,nodev,noexec|private|containerd",
			"/proc/sys||||proc|ro,nosuid,nodev,noexec|private|runtime",
			map[bool]string{true: "/proc/kcore||||tmpfs|rw,nosuid|private|runtime", false: "/dev/null||/dev/null||devtmpfs host:/dev|rw,nosuid|slave|runtime"}[hostUsers],
		} {
			if !slices.Contains(got, want) {
				t.Errorf("hostUsers %v: no %q in\n%s", hostUsers, want, all)
			}
		}
	}
	if v := plan(true, "back").Volumes()[1]; v.Source != "/srv/data/deep" {
		t.Errorf("an absolute link that stays in the volume: %+v", v)
	}
	if m := plan(true, "out"); len(m.Refused) != 1 || !strings.Contains(m.Refused[0].Text, `subpath "/outside" not within volume path "/srv/data"`) || m.Refused[0].Volume != "data" {
		t.Errorf("a link that leaves the volume: %+v", m.Refused)
	}
	// A volume on /etc lies below the files that are mounted in it, whatever the order of the manifest.
	m := plan(true, "here")
	ns, err := m.Named("web/app")
	if err != nil {
		t.Fatal(err)
	}
	if at, err := m.place(m.tree, ns, "/etc/hosts"); err != nil || !strings.HasSuffix(m.names.paths[at.Dentry], "/etc-hosts") {
		t.Errorf("/etc/hosts is %q, %v", m.names.paths[at.Dentry], err)
	}
}

// TestReplaced: the engine leaves out what it mounts by itself where a volume has the place, and all below /dev where a volume is /dev.
func TestReplaced(t *testing.T) {
	m := planOf(t, strings.Replace(webPod, "- {name: data, mountPath: /data}", "- {name: data, mountPath: /dev}\n    - {name: data, mountPath: /sys/fs/cgroup/}", 1), "shared")
	seen := map[string]string{}
	for _, v := range m.Volumes() {
		if v.Container == "web/app" && seen[v.Point] != "" {
			t.Errorf("%s is mounted by %s and %s", v.Point, seen[v.Point], v.By)
		}
		if v.Container == "web/app" {
			seen[v.Point] = v.By
		}
	}
	for point, by := range map[string]string{"/dev": "volumeMount", "/sys/fs/cgroup": "volumeMount", "/dev/shm": "", "/dev/pts": "", "/dev/mqueue": "", "/dev/termination-log": "kubelet", "/sys": "runtime", "/proc/kcore": "runtime"} {
		if seen[point] != by {
			t.Errorf("%s by %q, want %q", point, seen[point], by)
		}
	}
}

// TestKubeletAlone: what a kubelet in a namespace of its own mounts is not there for containers, whose secret is an empty directory.
func TestKubeletAlone(t *testing.T) {
	for unit, want := range map[string]string{"": "tmpfs secret keys", "MountFlags=slave": "ext4 host:/"} {
		m := planOf(t, webPod, "shared", "kubelet.service", unit)
		for _, v := range m.Volumes() {
			if v.Volume == "keys" && v.Filesystem != want {
				t.Errorf("%q: the secret lies on %s, want %s", unit, v.Filesystem, want)
			}
		}
	}
}

// TestPlannedWhatIf: operations in the namespaces of a plan.
func TestPlannedWhatIf(t *testing.T) {
	m := planOf(t, webPod, "shared", "containerd.service", "PrivateMounts=yes")
	ns, err := m.Named("web/csi")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Named("web/none"); err == nil || !strings.Contains(err.Error(), "there are the host, containerd.service, web/app, web/csi") {
		t.Error(err)
	}
	all, err := m.WhatIf(ns, []string{"mount /var/lib/kubelet/x"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range all[0].Changes {
		got = append(got, c.NS)
	}
	if strings.Join(got, " ") != "web/csi containerd.service" {
		t.Errorf("%v", all[0])
	}
	if n := len(all[0].Not); n == 0 || all[0].Not[0].NS != "the host" {
		t.Errorf("%+v", all[0].Not)
	}
}

func TestPlanErrors(t *testing.T) {
	ws, err := pod.Parse("pod.yaml", []byte(webPod))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Plan(Setup{Pods: ws}, linux618); err == nil || !strings.Contains(err.Error(), "--node FILE with mounts") {
		t.Error(err)
	}
	n := &node.Node{Mounts: []node.Mount{{Point: "/", Propagation: "shared"}}}
	if err := n.AddUnit("containerd.service", []byte("[Service]\nPrivateNetwork=yes\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := Plan(Setup{Node: n, Pods: ws}, linux618); err == nil || !strings.Contains(err.Error(), "its version is not known") {
		t.Error(err)
	}
}

// TestViews: every view can be made; the picture is XML.
func TestViews(t *testing.T) {
	m := planOf(t, webPod, "shared")
	all := m.Tree()
	var text, dot, svg strings.Builder
	for _, err := range []error{m.Text(&text), DOT(&dot, all), SVG(&svg, all)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for dec := xml.NewDecoder(strings.NewReader(svg.String())); ; {
		if _, err := dec.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"web/csi, ", "└─", "→ /later/disk in web/app"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if n := strings.Count(svg.String(), "<rect "); n != 1+count(all[0].Root)+count(all[1].Root)+count(all[2].Root) {
		t.Errorf("%d boxes", n)
	}
	if err := SVG(io.Discard, nil); err == nil {
		t.Error("a picture of nothing")
	}
}

// many is a table of n mounts below /, or stacked on one another.
func many(n int, stacked bool) []live.TableMount {
	out := []live.TableMount{{ID: 1, Parent: 0, Device: "0:1", Root: "/", Point: "/", Group: 1}}
	for i := 2; i <= n; i++ {
		m := live.TableMount{ID: i, Parent: 1, Device: fmt.Sprintf("0:%d", i), Root: "/", Point: fmt.Sprintf("/m%d", i), Group: uint32(i)}
		if stacked {
			m.Parent, m.Point = i-1, "/m"
		}
		out = append(out, m)
	}
	out[1].Point = "/m"
	return out
}

// TestHundredThousand: about as many mounts as fs.mount-max allows, side by side and one on the other, in views of bounded size.
func TestHundredThousand(t *testing.T) {
	for _, stacked := range []bool{false, true} {
		m := New([]live.MountTable{{Command: "a", Mounts: many(99_990, stacked)}, {Command: "b", Mounts: many(100, stacked)}}, linux618)
		all := m.Tree()
		if count(all[0].Root) != 99_990 || Flat(all) == stacked {
			t.Fatalf("%d mounts", count(all[0].Root))
		}
		var size counter
		if err := m.Text(&size); err != nil || size > 64<<20 {
			t.Errorf("%d bytes, %v", size, err)
		}
		if err := DOT(&size, all); err != nil {
			t.Error(err)
		}
		if err := SVG(&size, all); err == nil || !strings.Contains(err.Error(), "a picture holds") {
			t.Error(err)
		}
		out, err := m.WhatIf(0, []string{"mount /new", "umount /m", "make-rprivate /"})
		if err != nil || len(out[0].Changes) != 2 {
			t.Errorf("%v", err)
		}
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// FuzzTables: no table that can be read breaks the model.
func FuzzTables(f *testing.F) {
	f.Add([]byte("1 0 8:1 / / rw shared:1 - ext4 /dev/sda rw\n2 1 0:2 / /a rw,nosuid master:1 shared:2 - tmpfs none rw\n3 2 0:2 /x /a rw unbindable - tmpfs none rw\n"), "mount /a/b")
	f.Add([]byte("7 7 8:1 / / rw - ext4 /dev/sda rw\n9 3 0:2 / /a\\040b rw shared:4294967295 - a b c\n"), "rbind / /a")
	f.Fuzz(func(t *testing.T, text []byte, op string) {
		table, err := live.ParseMountTable("table", text)
		if err != nil || len(table) > 200 {
			return
		}
		m := New([]live.MountTable{{Command: "a", Mounts: table}, {Command: "b", Mounts: table}}, linux618)
		all := m.Tree()
		if err := m.Text(io.Discard); err != nil {
			t.Fatal(err)
		}
		if err := DOT(io.Discard, all); err != nil {
			t.Fatal(err)
		}
		SVG(io.Discard, all)
		m.WhatIf(0, []string{op, "umount -l /a", "make-rslave /"})
	})
}

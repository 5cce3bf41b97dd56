package mounts

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"syscallstory/from/live"
	"syscallstory/from/node"
	"syscallstory/from/pod"
	"syscallstory/from/systemd"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/world"
)

// Setup is a node with Pods that are to run on it.
type Setup struct {
	Node      *node.Node
	Host      []live.TableMount // the host's mounts, where they are known better than Node knows them
	Pods      []*pod.Workload
	Container string      // only this one
	Options   pod.Options // the files of image and node, where they are given: links in paths are followed
}

// Refused is a container that is not started.
type Refused struct {
	Container string       `json:"container"`
	Volume    string       `json:"volume"`
	Text      string       `json:"text"`
	At        *story.Place `json:"at"`
}

// volume is a volumeMount of a container, or what it gets by itself, with the mount that was made for it.
type volume struct {
	pod.VolumeMount
	made pod.Made
	link string // the mount point as it is written, where links lead elsewhere
	ns   int
	id   mount.ID // 0: the container was refused
	in   string   // web/app
}

// plan builds a Machine by the operations that systemd, kubelet, engine and runtime make.
type plan struct {
	*Machine
	s        Setup
	services map[string]int // namespaces by the unit that has one of its own
	made     map[string]bool
}

// Plan makes the mount namespaces of a node: the host's, those of services that have their own, and one for each container, by the
// operations with which kubelet, engine and runtime make them (systemd's setup_namespace, runc's prepareRootfs).
func Plan(s Setup, release kernel.Release) (*Machine, error) {
	host := s.Host
	if host == nil {
		if host = hostTable(s.Node); host == nil {
			return nil, fmt.Errorf("the mounts of the node are not known: --node FILE with mounts, / and its propagation among them, or --node local")
		}
	}
	p := &plan{Machine: New([]live.MountTable{{Command: "the host", Mounts: host}}, release), s: s, services: map[string]int{}, made: map[string]bool{}}
	for _, d := range p.mounts { // the table's words count as long as nothing has been done
		if d != nil {
			d.ID = 0
		}
	}
	for _, w := range s.Pods {
		names := w.Containers()
		if s.Container != "" {
			names = []string{s.Container}
		}
		for _, c := range names {
			if err := p.container(w, c); err != nil {
				return nil, err
			}
		}
	}
	if s.Node != nil {
		for i := range s.Node.Mounts {
			if m := &s.Node.Mounts[i]; m.Later {
				if _, err := p.new(0, m.Point, live.TableMount{Type: m.Type, Source: m.Source, Flags: flags(m.Options)}); err != nil {
					return nil, err
				}
			}
		}
	}
	return p.Machine, nil
}

// hostTable turns the mounts of a node file into a table; each has a filesystem, and a peer group, of its own.
func hostTable(n *node.Node) []live.TableMount {
	if n == nil {
		return nil
	}
	var out []live.TableMount
	root := false
	sorted := slices.Clone(n.Mounts)
	slices.SortStableFunc(sorted, func(a, b node.Mount) int { return strings.Count(a.Point, "/") - strings.Count(b.Point, "/") })
	for i, m := range sorted {
		if m.Later {
			continue
		}
		if m.Point == "/" && m.Propagation != "" {
			root = true
		}
		t := live.TableMount{ID: i + 2, Parent: 1, Device: fmt.Sprintf("host %d", i), Root: "/", Point: m.Point, Type: m.Type, Source: m.Source, Flags: flags(m.Options), Unbindable: m.Propagation == "unbindable"}
		if t.Source == "" {
			t.Source = "host:" + m.Point
		}
		if k := systemd.KindOf(m.Propagation); k.Shared {
			t.Group = uint32(i) + 1
		} else if k.Slave {
			t.Master = 1<<20 + uint32(i)
		}
		best := -1
		for j := range out {
			if o := &out[j]; under(m.Point, o.Point) && (best < 0 || len(o.Point) >= len(out[best].Point)) {
				best = j
			}
		}
		if best >= 0 {
			t.Parent = out[best].ID
		}
		out = append(out, t)
	}
	// / comes first: it has the fewest names in its path.
	slices.SortStableFunc(out, func(a, b live.TableMount) int {
		return len(strings.Trim(a.Point, "/")) - len(strings.Trim(b.Point, "/"))
	})
	if !root {
		return nil
	}
	return out
}

func flags(options []string) (f world.MountFlags) {
	for _, o := range options {
		f |= world.ParseMountFlag(o)
	}
	return f
}

// space adds a copy of a namespace (clone with CLONE_NEWNS) that belongs to a user namespace.
func (p *plan) space(from int, name string, owner world.UserNSID) int {
	old := mount.NS(from + 1)
	ns := p.tree.CopyNS(old, owner)
	p.tables = append(p.tables, live.MountTable{Command: name})
	p.roots = append(p.roots, p.tree.Copied(p.roots[from], old, ns))
	return int(ns) - 1
}

// service returns the namespace of a service: its own, or the host's.
func (p *plan) service(u *systemd.Unit) (int, error) {
	if u == nil {
		return 0, nil
	}
	if ns, ok := p.services[u.Name]; ok {
		return ns, nil
	}
	n := u.Namespace()
	switch {
	case n.Unsure != "":
		return 0, fmt.Errorf("whether %s has a mount namespace of its own is not known: %s: give systemd.version in the node file", u.Name, n.Unsure)
	case !n.Own:
		return 0, nil
	}
	ns := p.space(0, u.Name, 0)
	p.services[u.Name] = ns
	p.kind(ns, p.roots[ns], mount.Slave)
	p.kind(ns, p.roots[ns], map[string]mount.Kind{"shared": mount.Shared, "slave": mount.Slave, "private": mount.Private}[n.Final])
	return ns, nil
}

// kind is mount --make-r….
func (p *plan) kind(ns int, at world.Path, k mount.Kind) {
	p.tree.ChangeKind(p.caller(ns), at, k, true)
}

// new mounts a filesystem.
func (p *plan) new(ns int, point string, d live.TableMount) (mount.ID, error) {
	at, err := p.Machine.place(p.tree, ns, point)
	if err != nil {
		return 0, err
	}
	dev := fmt.Sprintf("new %d", p.tree.Len())
	id, r := p.tree.New(p.caller(ns), at, mount.Node{Root: p.names.id(dev, "/"), SB: p.sb(dev), Flags: d.Flags})
	if r.Errno != 0 {
		return 0, p.failed("mount "+point, ns, r)
	}
	d.Root = "/"
	p.mounts.put(id, &d)
	return id, nil
}

func (p *plan) failed(what string, ns int, r mount.Refusal) error {
	return fmt.Errorf("%s in the mount namespace of %s is refused: %s (%s)", what, p.tables[ns].Command, r.Errno, r.Code)
}

// bind is mount --rbind.
func (p *plan) bind(ns int, from, to string) (mount.ID, error) {
	return p.loop(ns, from, to, true)
}

// bindOne is mount --bind.
func (p *plan) bindOne(ns int, from, to string) (mount.ID, error) {
	return p.loop(ns, from, to, false)
}

func (p *plan) loop(ns int, from, to string, recursive bool) (mount.ID, error) {
	a, err := p.Machine.place(p.tree, ns, from)
	if err != nil {
		return 0, err
	}
	b, err := p.Machine.place(p.tree, ns, to)
	if err != nil {
		return 0, err
	}
	id, r := p.tree.Bind(p.caller(ns), a, b, recursive)
	if r.Errno != 0 {
		return 0, p.failed(fmt.Sprintf("mount --bind of %s on %s", from, to), ns, r)
	}
	return id, nil
}

// container starts one, or says why the engine does not.
func (p *plan) container(w *pod.Workload, c string) error {
	name := w.Name + "/" + c
	all, err := p.mounted(w, c)
	if err != nil {
		return err
	}
	var ns [3]int // of kubelet, engine and runtime
	for i, u := range []*systemd.Unit{p.s.Node.KubeletUnit(), p.s.Node.EngineUnit(), p.s.Node.RuntimeUnit()} {
		if ns[i], err = p.service(u); err != nil {
			return err
		}
	}
	kubelet, engine, runtime := ns[0], ns[1], ns[2]
	refuse := func(v *volume, text string) error {
		at := v.At
		p.Refused = append(p.Refused, Refused{Container: name, Volume: v.Volume, Text: text, At: &at})
		for _, v := range all {
			if v.in = name; v.made.Volume != 0 {
				p.volumes = append(p.volumes, v)
			}
		}
		return nil
	}
	for i := range all {
		if v := &all[i]; v.made.Refused != "" {
			return refuse(v, v.made.Refused)
		}
	}
	for i := range all {
		v, by := &all[i], kubelet
		if v.made.Volume == 0 && v.made.By != "kubelet" && v.made.By != "API server" {
			by = engine
		}
		if err := p.volume(by, w.Name, v); err != nil {
			return err
		}
	}
	for i := range all {
		if v := &all[i]; v.made.Volume != 0 {
			if text := p.mayShare(engine, &v.VolumeMount); text != "" {
				return refuse(v, text)
			}
		}
	}
	var owner world.UserNSID
	if w.UserNamespace() {
		owner = podUserNS
	}
	return p.run(engine, runtime, owner, name, all)
}

// podUserNS stands for the user namespace of a Pod with hostUsers: false: what counts for mounts is that it is not the host's.
const podUserNS world.UserNSID = 1

// mounted lists what is mounted in a container, with its volumes where links lead.
func (p *plan) mounted(w *pod.Workload, c string) ([]volume, error) {
	vols, err := w.VolumeMounts(c)
	if err != nil {
		return nil, err
	}
	o := p.s.Options
	o.Container, o.Node = c, p.s.Node
	if o.Merger == nil {
		o.Merger = overlay.Merger{}
	}
	made, err := w.Mounted(o)
	if err != nil {
		return nil, err
	}
	out := make([]volume, len(made))
	for i, m := range made {
		v := &out[i]
		if m.Unsure {
			p.note("masked paths, and /proc/sysrq-trigger, are mounted where the node's kernel has them, which is not known")
		}
		if v.made = m; m.Volume == 0 {
			v.VolumeMount = pod.VolumeMount{Kind: m.Source, Base: m.Node, Host: m.Node, Made: m.FS, Point: m.Point, Propagation: "None", ReadOnly: m.Flags&world.MountReadOnly != 0}
			continue
		}
		v.VolumeMount = vols[m.Volume-1]
		if v.Point != m.Point {
			v.link, v.Point = v.Point, m.Point
		}
		if m.Node == "" {
			continue
		}
		if v.SubPath == "" {
			v.Host = m.Node
		}
		v.Real = m.Node
	}
	p.unread(vols)
	return out, nil
}

// unread notes whose links are not followed, as the files are not given.
func (p *plan) unread(vols []pod.VolumeMount) {
	if p.s.Options.Rootfs == "" {
		p.note("the image's files are not given: a mount point that goes over a link of the image is shown as it is written (--rootfs DIR)")
	}
	if p.s.Options.HostRoot == "" && slices.ContainsFunc(vols, func(v pod.VolumeMount) bool { return v.Kind == "hostPath" }) {
		p.note("the node's files are not given: a hostPath or a subPath that goes over a link is shown as it is written (--host-root DIR)")
	}
}

// volume is what the kubelet mounts for a volume, and for a subPath of it.
func (p *plan) volume(ns int, podName string, v *volume) error {
	if key := podName + " " + v.Base; v.Made != "" && !p.made[key] {
		p.made[key] = true
		if _, err := p.new(ns, v.Base, live.TableMount{Type: v.Made, Source: strings.TrimSpace(v.Kind + " " + v.Volume), Flags: v.made.Flags &^ world.MountReadOnly}); err != nil {
			return err
		}
	}
	if v.SubPath == "" {
		return nil
	}
	_, err := p.bindOne(ns, cmp.Or(v.Real, path.Join(v.Base, v.SubPath)), v.Host) // doBindSubPath: mounts below are not in it
	return err
}

// mayShare is the engine's check of the mount that a volume lies on: ensureShared and ensureSharedOrSlave in containerd and CRI-O.
func (p *plan) mayShare(ns int, v *pod.VolumeMount) string {
	if v.Propagation == "None" {
		return ""
	}
	at, err := p.Machine.place(p.tree, ns, v.Host)
	if err != nil {
		return err.Error()
	}
	n := p.tree.Node(at.Mount)
	needs := "a shared mount"
	if v.Propagation == "HostToContainer" {
		needs = "a shared or slave mount"
	}
	if n.Group != 0 || v.Propagation == "HostToContainer" && n.Master != 0 {
		return ""
	}
	return fmt.Sprintf("path %q is mounted on %q but it is not %s", v.Host, p.sight(p.tree).point(at.Mount), needs)
}

// run is what the runtime does: prepareRootfs in runc, and crun's likeness of it.
func (p *plan) run(engine, runtime int, owner world.UserNSID, name string, all []volume) error {
	rootfs := map[string]string{"cri-o": "/var/lib/containers/storage/overlay/%s/merged", "docker": "/var/lib/docker/overlay2/%s/merged"}[p.engine()]
	if rootfs == "" {
		rootfs = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/%s/rootfs"
	}
	rootfs = fmt.Sprintf(rootfs, strings.ReplaceAll(name, "/", "-"))
	overlay, err := p.new(engine, rootfs, live.TableMount{Type: "overlay", Source: "overlay"})
	if err != nil {
		return err
	}
	ns := p.space(runtime, name, owner)
	at, err := p.Machine.place(p.tree, ns, rootfs)
	if err != nil {
		return err
	}
	if p.tree.Node(at.Mount).Origin != p.tree.Node(overlay).Origin {
		p.Refused = append(p.Refused, Refused{Container: name, Text: fmt.Sprintf("the runtime, in the mount namespace of %s, does not see the root filesystem that was mounted at %s in that of %s", p.tables[runtime].Command, rootfs, p.tables[engine].Command)})
	}
	crun := p.crun()
	whole, asked := mount.Slave, false // runc's default, before the container has its root
	for i := range all {
		asked = asked || all[i].Propagation != "None"
		if all[i].Propagation == "Bidirectional" {
			whole = mount.Shared
		}
	}
	if !asked && crun {
		whole = mount.Private
	}
	p.kind(ns, p.roots[ns], whole)
	if crun || p.tree.Shared(at.Mount) { // make_parent_mount_private, rootfsParentMountPrivate
		p.tree.ChangeKind(p.caller(ns), world.Path{Mount: at.Mount, Dentry: p.tree.Node(at.Mount).Root}, mount.Private, false)
	}
	root, err := p.bind(ns, rootfs, rootfs)
	if err != nil {
		return err
	}
	for i := range all {
		v := &all[i]
		switch v.in, v.ns = name, ns; {
		case v.made.Point == "/":
			v.id = root
		case v.made.Volume != 0 || v.made.By != runtimeWord && v.Host != "":
			v.id, err = p.mountVolume(runtime, ns, rootfs, v)
		default:
			v.id, err = p.own(ns, rootfs, &v.made)
		}
		if err != nil {
			return err
		}
	}
	p.volumes = append(p.volumes, all...)
	p.measured(crun)
	return p.pivot(ns, root, whole, asked && crun)
}

// runtimeWord is pod.Made's word for what the runtime mounts.
const runtimeWord = "runtime"

// own is what the runtime mounts in every container: a filesystem, a place of the container's own that is shown once more (read-only and
// masked paths), or a device of the host, which cannot be made in a user namespace.
func (p *plan) own(ns int, rootfs string, m *pod.Made) (mount.ID, error) {
	crun, from, inside, flags := p.crun(), m.Node, m.Inside, m.Flags
	if crun && inside == "/dev/null" { // it takes the host's
		from, inside = inside, ""
	}
	if inside != "" {
		from = path.Join(rootfs, inside)
	}
	if from == "" {
		return p.new(ns, path.Join(rootfs, m.Point), live.TableMount{Type: m.Type, Source: m.Source, Flags: flags})
	}
	source, err := p.Machine.place(p.tree, ns, from)
	if err != nil {
		return 0, err
	}
	id, err := p.bindOne(ns, from, path.Join(rootfs, m.Point))
	if err != nil {
		return 0, err
	}
	n := p.tree.Node(id)
	switch {
	case inside != "":
		p.mounts.put(id, p.detail(p.tree, source.Mount))
		flags = n.Flags | m.Flags&world.MountReadOnly
		if crun { // 1.8.1: what the mount had is not kept
			flags &= world.MountReadOnly
		}
	case p.detail(p.tree, id) == p.detail(p.tree, p.roots[ns].Mount): // the node's /dev is not among the mounts that are given
		p.mounts.put(id, &live.TableMount{Type: "devtmpfs", Source: "host:" + from, Root: "/", Flags: flags})
	default:
		flags = n.Flags
	}
	if crun && m.Inside == "/dev/null" {
		flags |= world.MountReadOnly
	}
	p.tree.PutFlags(id, flags, n.Atime)
	if crun && m.Inside == "" {
		p.kind(ns, world.Path{Mount: id, Dentry: n.Root}, mount.Private)
	}
	return id, nil
}

func (p *plan) crun() bool { return p.s.Node != nil && p.s.Node.Runtime.Name == "crun" }

// measured notes with which releases of the runtimes the plan was compared. The root of a container is made as runc 1.1 makes it: later releases make it
// private, and those with opencontainers/runc#4724 and #5200 apply rootfsPropagation to it, as crun does.
func (p *plan) measured(crun bool) {
	as, text := "1.1.", "the propagation of a container's own root is that of runc 1.1, later releases differ; volumes are the same in all"
	if crun {
		as, text = "1.8.", "the flags of read-only and masked paths are those of crun 1.8, other releases may differ"
	}
	if p.s.Node == nil || !strings.HasPrefix(p.s.Node.Runtime.Version, as) {
		p.note(text)
	}
}

func (p *plan) note(text string) {
	if !slices.Contains(p.Notes, text) {
		p.Notes = append(p.Notes, text)
	}
}

func (p *plan) engine() string {
	if p.s.Node == nil {
		return ""
	}
	return p.s.Node.Engine.Name
}

// mountVolume binds a volume, or a file of kubelet or engine, below the container's root, with its flags and its propagation.
func (p *plan) mountVolume(runtime, ns int, rootfs string, v *volume) (mount.ID, error) {
	from := ns
	if p.crun() && p.tree.Owner(mount.NS(ns+1)) != 0 { // crun takes it before it leaves the host's user namespace, runc in the container's mount namespace
		from = runtime
	}
	id, err := p.carry(from, ns, v.Host, path.Join(rootfs, v.Point))
	if err != nil {
		return 0, err
	}
	at := world.Path{Mount: id, Dentry: p.tree.Node(id).Root}
	p.kind(ns, at, map[string]mount.Kind{"None": mount.Private, "HostToContainer": mount.Slave, "Bidirectional": mount.Shared}[v.Propagation])
	if v.ReadOnly || slices.Contains([]string{"configMap", "secret", "projected", "downwardAPI"}, v.Kind) {
		p.readOnly(id, v.Recursive)
	}
	return id, nil
}

// carry is mount --rbind of what another namespace has (open_tree there, move_mount here).
func (p *plan) carry(from, ns int, source, to string) (mount.ID, error) {
	if from == ns {
		return p.bind(ns, source, to)
	}
	a, err := p.Machine.place(p.tree, from, source)
	if err != nil {
		return 0, err
	}
	b, err := p.Machine.place(p.tree, ns, to)
	if err != nil {
		return 0, err
	}
	_, id, r := p.tree.OpenTree(p.caller(from), a, true)
	if r.Errno != 0 {
		return 0, p.failed("open_tree of "+source, from, r)
	}
	if r := p.tree.Move(p.caller(ns), world.Path{Mount: id, Dentry: p.tree.Node(id).Root}, b, false); r.Errno != 0 {
		return 0, p.failed("move_mount to "+to, ns, r)
	}
	return id, nil
}

func (p *plan) readOnly(id mount.ID, recursive bool) {
	n := p.tree.Node(id)
	p.tree.PutFlags(id, n.Flags|world.MountReadOnly, n.Atime)
	if !recursive {
		return
	}
	for todo := []mount.ID{id}; len(todo) > 0; {
		m := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := p.tree.Node(m)
		p.tree.PutFlags(m, n.Flags|world.MountReadOnly, n.Atime)
		for c := range p.tree.Children(m) {
			todo = append(todo, c)
		}
	}
}

// pivot makes the container's root its namespace's, takes the old one away and, if it is to, applies rootfsPropagation.
func (p *plan) pivot(ns int, root mount.ID, all mount.Kind, apply bool) error {
	at := world.Path{Mount: root, Dentry: p.tree.Node(root).Root}
	c := p.caller(ns)
	old := p.roots[ns]
	if r := p.tree.Pivot(c, at, at); r.Errno != 0 {
		return p.failed("pivot_root", ns, r)
	}
	p.roots[ns] = at
	c = p.caller(ns)
	p.kind(ns, old, mount.Slave)
	if r := p.tree.Umount(c, old, true); r.Errno != 0 {
		return p.failed("umount -l of the old root", ns, r)
	}
	if apply {
		p.kind(ns, at, all)
	}
	return nil
}

package pod

import (
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/from/files"
	"syscallstory/from/node"
	"syscallstory/story"
	"syscallstory/world"
)

// hostTypes gives the file type that each type of a hostPath asks for.
var hostTypes = map[corev1.HostPathType]uint16{corev1.HostPathUnset: 0, corev1.HostPathDirectory: world.TypeDir, corev1.HostPathDirectoryOrCreate: world.TypeDir,
	corev1.HostPathFile: world.TypeReg, corev1.HostPathFileOrCreate: world.TypeReg, corev1.HostPathSocket: world.TypeSock, corev1.HostPathCharDev: world.TypeChar,
	corev1.HostPathBlockDev: world.TypeBlk}

// volumes mounts what the container's volumeMounts ask for.
func (b *builder) volumes() error {
	var all []pending
	for i := range b.c.VolumeMounts {
		vm := &b.c.VolumeMounts[i]
		at := fmt.Sprintf("%s.volumeMounts[%d]", b.path, i)
		k := b.volumeOf(vm.Name)
		b.refused = ""
		ms, err := b.volume(vm, at, &b.p.Spec.Volumes[k], fmt.Sprintf("%s.volumes[%d]", b.p.Path, k))
		if err != nil {
			return err
		}
		ms[0].made = Made{Volume: i + 1, Refused: b.refused, Node: b.onNode(&b.p.Spec.Volumes[k], &ms[0].Mount)}
		all = append(all, ms...)
	}
	b.attach(append(all, b.pending...))
	return nil
}

// volume makes one mount, and those of the host that lie below it.
func (b *builder) volume(vm *corev1.VolumeMount, at string, v *corev1.Volume, vat string) ([]pending, error) {
	m := world.Mount{Origin: b.field(at + ".mountPath"), FlagsAt: map[world.MountFlags]story.Origin{}, IDMap: b.Task.Cred.UserNS}
	m.Why = m.Origin
	if relabelled(v) {
		m.Label = b.files
	}
	var below []pending
	real := "/var/lib/kubelet"
	switch {
	case v.HostPath != nil:
		var err error
		if real, err = b.hostPath(&m, v.HostPath, vat); err != nil {
			return nil, err
		}
		if below, err = b.hostMounts(vm, real, at); err != nil {
			return nil, err
		}
	case v.EmptyDir != nil && v.EmptyDir.Medium == corev1.StorageMediumMemory:
		root := b.tmpfsRoot(b.field(vat))
		m.SB = b.FS.NewSB(world.SB{Type: "tmpfs", Name: "emptyDir " + v.Name, At: root.At, FlagsAt: root.At, Contexts: b.unlabelled()}, root)
		m.Source = "emptyDir " + v.Name
	case v.EmptyDir != nil && v.EmptyDir.Medium == "":
		m.Source = "emptyDir " + v.Name
		m.Root = b.diskDir(v.Name, b.owned(world.Inode{Mode: world.TypeDir | 0o777, Whole: true, Nlink: 2, At: b.field(vat)}, 0o2070))
		m.SB = b.kubfs
		b.hostFlags(&m, "/var/lib/kubelet")
	case v.ConfigMap != nil || v.Secret != nil || v.Projected != nil || v.DownwardAPI != nil:
		b.written(&m, v, vat)
	default:
		// What the volume holds, and on which filesystem, is known to the node alone.
		b.opaque(&m, "volume "+v.Name, b.Miss("the files of volume "+v.Name+" are not known", "a volume of type hostPath with --host-root, or an emptyDir"))
	}
	if m.Root == 0 {
		m.Root = b.FS.SB(m.SB).Root
	}
	if vm.SubPath != "" || vm.SubPathExpr != "" {
		b.subPath(&m, vm, v, at)
		below = nil
	}
	if vm.ReadOnly {
		m.Flags |= world.MountReadOnly
		m.Unsure &^= world.MountReadOnly
		m.FlagsAt[world.MountReadOnly] = b.field(at + ".readOnly")
	}
	b.propagation(vm, v, at)
	b.share(&m, vm, b.o.Node.MountOf(real))
	point := path.Clean(vm.MountPath)
	for i := range below {
		below[i].point = path.Join(point, below[i].point)
	}
	return append([]pending{{point: point, Mount: m}}, below...), nil
}

// opaque mounts a filesystem of which nothing is known.
func (b *builder) opaque(m *world.Mount, name string, miss story.Origin) {
	m.SB = b.FS.NewSB(world.SB{Type: "unknown", Name: name, At: miss, FlagsAt: miss}, world.Inode{At: miss})
	m.Root, m.Source, m.Unsure, m.Why = b.FS.SB(m.SB).Root, name, 0xff, miss
}

// kubeletDir is the directory in which the kubelet keeps the Pod's files.
func (b *builder) kubeletDir() world.DentryID {
	if b.kubfs == 0 {
		typ, flagsAt := b.hostType("/var/lib/kubelet")
		at := b.Text("the kubelet's directory")
		b.kubfs = b.FS.NewSB(world.SB{Type: typ, Name: "the kubelet's directory", At: flagsAt, FlagsAt: flagsAt, Contexts: b.unlabelled()}, world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, At: at})
	}
	return b.FS.SB(b.kubfs).Root
}

// diskDir adds a volume's directory to the kubelet's.
func (b *builder) diskDir(name string, ino world.Inode) world.DentryID {
	return b.FS.Add(b.kubeletDir(), "volume "+name, ino)
}

// owned gives an inode that the kubelet makes its owner: root, and with fsGroup that group and the mode bits with it.
func (b *builder) owned(ino world.Inode, bits uint16) world.Inode {
	ino.Known = world.KnownAll
	if g := b.psc.FSGroup; g != nil {
		ino.GID = world.KGID(*g)
		ino.Mode |= bits
	}
	return ino
}

func (b *builder) tmpfsRoot(at story.Origin) world.Inode {
	return b.owned(world.Inode{Mode: world.TypeDir | 0o1777, Whole: true, Nlink: 2, At: at}, 0o2070)
}

// What the kubelet's atomic writer makes.
func (b *builder) writerDir(at story.Origin) world.Inode {
	return b.owned(world.Inode{Mode: world.TypeDir | 0o755, Whole: true, Nlink: 2, At: at}, 0o2050)
}

func (b *builder) writtenFile(mode uint16, at story.Origin) world.Inode {
	ino := b.owned(world.Inode{Mode: world.TypeReg | mode, Nlink: 1, At: at}, 0o040)
	ino.Known &^= world.KnownSize
	return ino
}

func (b *builder) link(to string, at story.Origin) world.Inode {
	return world.Inode{Mode: world.TypeLink | 0o777, Known: world.KnownAll, Nlink: 1, Link: to, At: at}
}

// written is a configMap, secret, projected or downwardAPI volume: links to a directory that is exchanged as a whole. Its
// names are known where the Pod lists items.
func (b *builder) written(m *world.Mount, v *corev1.Volume, vat string) {
	at := b.field(vat)
	type key struct {
		name string
		mode *int32
	}
	var keys []key
	whole, mode, tmpfs := true, int32(0o644), true
	items := func(list []corev1.KeyToPath, optional bool) {
		for _, i := range list {
			keys = append(keys, key{i.Path, i.Mode})
		}
		whole = whole && len(list) > 0 && !optional
	}
	def := func(p *int32) {
		if p != nil {
			mode = *p
		}
	}
	yes := func(p *bool) bool { return p != nil && *p }
	fields := func(list []corev1.DownwardAPIVolumeFile) {
		for _, f := range list {
			keys = append(keys, key{f.Path, f.Mode})
		}
	}
	kind := "configMap"
	switch {
	case v.ConfigMap != nil:
		items(v.ConfigMap.Items, yes(v.ConfigMap.Optional))
		def(v.ConfigMap.DefaultMode)
		tmpfs = false
	case v.Secret != nil:
		kind = "secret"
		items(v.Secret.Items, yes(v.Secret.Optional))
		def(v.Secret.DefaultMode)
	case v.DownwardAPI != nil:
		kind = "downwardAPI"
		fields(v.DownwardAPI.Items)
		def(v.DownwardAPI.DefaultMode)
	default:
		kind = "projected"
		def(v.Projected.DefaultMode)
		for _, s := range v.Projected.Sources {
			switch {
			case s.ConfigMap != nil:
				items(s.ConfigMap.Items, yes(s.ConfigMap.Optional))
			case s.Secret != nil:
				items(s.Secret.Items, yes(s.Secret.Optional))
			case s.DownwardAPI != nil:
				fields(s.DownwardAPI.Items)
			default:
				whole = false
			}
		}
	}
	root, data := b.owned(world.Inode{Mode: world.TypeDir | 0o777, Nlink: 3, At: at}, 0o2050), b.writerDir(at)
	if tmpfs {
		root.Mode |= 0o1000
	}
	root.Whole, data.Whole = whole, whole
	if !whole {
		root.At = b.Miss("the keys of volume "+v.Name+" are not known", "items in the volume")
		data.At = root.At
	}
	m.Source = kind + " " + v.Name
	if tmpfs {
		m.SB = b.FS.NewSB(world.SB{Type: "tmpfs", Name: m.Source, At: at, FlagsAt: at}, root)
		m.Root = b.FS.SB(m.SB).Root
	} else {
		m.Root = b.diskDir(v.Name, root)
		m.SB = b.kubfs
		b.hostFlags(m, "/var/lib/kubelet")
	}
	m.Flags |= world.MountReadOnly
	m.FlagsAt[world.MountReadOnly] = b.Text("the kubelet mounts every " + kind + " volume read-only")
	m.Unsure &^= world.MountReadOnly
	dir := b.FS.Add(m.Root, "..2026_01_01", data)
	b.FS.Add(m.Root, "..data", b.link("..2026_01_01", at))
	for _, k := range keys {
		bits := mode
		if k.mode != nil {
			bits = *k.mode
		}
		parts := strings.Split(path.Clean(k.name), "/")
		d := dir
		for _, p := range parts[:len(parts)-1] {
			sub, st := b.FS.Lookup(d, p)
			if st != world.Present {
				sub = b.FS.Add(d, p, b.writerDir(at))
			}
			d = sub
		}
		b.FS.Add(d, parts[len(parts)-1], b.writtenFile(uint16(bits)&0o777, at))
		if _, st := b.FS.Lookup(m.Root, parts[0]); st != world.Present {
			b.FS.Add(m.Root, parts[0], b.link("..data/"+parts[0], at))
		}
	}
}

// hostFS returns the host's filesystem that is mounted at a path.
func (b *builder) hostFS(p string) (world.SBID, error) {
	typ, flagsAt := b.hostType(p)
	point := ""
	if hm := b.o.Node.MountOf(p); hm != nil {
		point = hm.Point
	}
	return b.filesAt(point, typ, flagsAt)
}

// mountedFS is the filesystem of one of the host's mounts.
func (b *builder) mountedFS(hm *node.Mount) (world.SBID, error) {
	if hm.Type == "" {
		return b.filesAt(hm.Point, "unknown", b.Miss("the filesystem of "+hm.Point+" on the node is not known", "--node FILE with mounts"))
	}
	return b.filesAt(hm.Point, hm.Type, b.o.Node.At(b.World, "mounts"))
}

func (b *builder) filesAt(point, typ string, at story.Origin) (world.SBID, error) {
	if id, ok := b.hosts[point]; ok {
		return id, nil
	}
	id, err := files.Dir(b.World, world.SB{Type: typ, Name: "host", At: at, FlagsAt: at, Contexts: b.unlabelled()}, b.o.HostRoot, b.o.OwnersAt, b.o.Owners)
	b.hosts[point] = id
	return id, err
}

// hostPath binds a directory or file of the host, after the kubelet's check of its type. It returns the source's path
// without links.
func (b *builder) hostPath(m *world.Mount, h *corev1.HostPathVolumeSource, vat string) (string, error) {
	src := path.Clean("/" + h.Path)
	if b.o.HostRoot == "" {
		b.opaque(m, "host:"+src, b.Miss("the host's files at "+src+" are not known", "--host-root DIR"))
		m.Source, m.Flags, m.Unsure = "bind of host:"+src, 0, 0
		sb := b.FS.SB(m.SB)
		sb.Type, sb.FlagsAt = b.hostType(src)
		b.hostFlags(m, src)
		b.typeCheck(h, vat, world.Inode{}, world.Unsure)
		return src, nil
	}
	base, err := b.hostFS("/")
	if err != nil {
		return "", err
	}
	root := world.Path{Dentry: b.FS.SB(base).Root}
	found, rest, st := b.Resolve(root, root, src)
	real := b.FS.Path(found.Dentry)
	if id, err := b.hostFS(real); err != nil {
		return "", err
	} else if id != base {
		root.Dentry = b.FS.SB(id).Root
		found, rest, st = b.Resolve(root, root, real)
	}
	b.typeCheck(h, vat, *b.FS.I(found.Dentry), st)
	m.Source = "bind of host:" + src
	b.hostFlags(m, real)
	if st == world.Absent {
		found.Dentry = b.created(found.Dentry, rest, h)
		real = b.FS.Path(found.Dentry)
	}
	m.SB, m.Root = b.FS.I(found.Dentry).SB, found.Dentry
	return real, nil
}

// created adds what kubelet or runtime make of a hostPath that does not exist: a directory, or a file for FileOrCreate.
func (b *builder) created(dir world.DentryID, rest string, h *corev1.HostPathVolumeSource) world.DentryID {
	at := b.Text("the runtime makes a hostPath that does not exist")
	parts := strings.Split(rest, "/")
	for i, name := range parts {
		ino := world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, Nlink: 2, At: at}
		if i == len(parts)-1 && h.Type != nil && *h.Type == corev1.HostPathFileOrCreate {
			ino.Mode, ino.Whole = world.TypeReg|0o644, false
		}
		dir = b.FS.Add(dir, name, ino)
	}
	return dir
}

// hostMounts makes the host's mounts below a hostPath: the bind is recursive, and readOnly is not.
func (b *builder) hostMounts(vm *corev1.VolumeMount, src, at string) ([]pending, error) {
	n := b.o.Node
	if n == nil {
		return nil, nil
	}
	var out []pending
	for i := range n.Mounts {
		hm := &n.Mounts[i]
		rel, ok := strings.CutPrefix(hm.Point+"/", strings.TrimSuffix(src, "/")+"/")
		if !ok || rel == "" && !hm.Later || hm.Point == "/" {
			continue
		}
		if rel = strings.TrimSuffix(rel, "/"); hm.Later && !b.arrives(vm, hm, rel, at) {
			continue
		}
		m := world.Mount{Origin: n.At(b.World, fmt.Sprintf("mounts[%d]", i)), FlagsAt: map[world.MountFlags]story.Origin{}, IDMap: b.Task.Cred.UserNS, Source: "bind of host:" + hm.Point}
		m.Why = m.Origin
		b.flagsOf(&m, hm)
		if b.o.HostRoot == "" {
			b.opaque(&m, "host:"+hm.Point, b.Miss("the host's files at "+hm.Point+" are not known", "--host-root DIR"))
		} else {
			id, err := b.mountedFS(hm)
			if err != nil {
				return nil, err
			}
			root := world.Path{Dentry: b.FS.SB(id).Root}
			found, _, st := b.Resolve(root, root, hm.Point)
			if st == world.Absent {
				continue
			}
			m.SB, m.Root = id, found.Dentry
		}
		b.share(&m, vm, hm)
		if r := vm.RecursiveReadOnly; vm.ReadOnly && r != nil && *r != corev1.RecursiveReadOnlyDisabled {
			m.Flags |= world.MountReadOnly
			m.FlagsAt[world.MountReadOnly] = b.Text("recursiveReadOnly of volumeMount " + vm.Name)
		}
		out = append(out, pending{point: rel, Mount: m})
	}
	return out, nil
}

// typeCheck is the kubelet's check of a hostPath's type.
func (b *builder) typeCheck(h *corev1.HostPathVolumeSource, vat string, ino world.Inode, st world.State) {
	if h.Type == nil || *h.Type == corev1.HostPathUnset {
		return
	}
	r := world.Refusal{Code: story.HostPathType, Outcome: story.Allow, Facts: [3]string{h.Path, string(*h.Type), ""}, At: b.field(vat + ".hostPath.type")}
	switch {
	case st == world.Unsure:
		r.Outcome, r.At = story.Unknown, b.Miss("the host's files at "+h.Path+" are not known", "--host-root DIR")
	case st == world.Absent && !strings.HasSuffix(string(*h.Type), "OrCreate"):
		r.Outcome, r.Facts[2] = story.Deny, "it does not exist"
	case st == world.Present && ino.Type() != hostTypes[*h.Type]:
		r.Outcome, r.Facts[2] = story.Deny, "the host has "+story.FormatMode(uint64(ino.Mode))+" there"
	}
	b.Refusals = append(b.Refusals, r)
}

// subPath replaces a mount's root by what a subPath of the volume leads to; the kubelet makes what is missing.
func (b *builder) subPath(m *world.Mount, vm *corev1.VolumeMount, v *corev1.Volume, at string) {
	sub, at := vm.SubPath, at+".subPath"
	if vm.SubPathExpr != "" {
		at += "Expr"
		var missing string
		if sub, missing = b.expand(vm.SubPathExpr); missing != "" {
			b.opaque(m, "subPath "+vm.SubPathExpr, b.Miss("the value of $("+missing+") in subPathExpr is not known", "a literal value in env"))
			return
		}
	}
	m.Origin = b.field(at)
	m.Source += ", subPath " + sub
	base := m.Root
	perm := b.FS.I(base).Mode & 0o777
	parts := strings.Split(path.Clean(sub), "/")
	for n := 0; len(parts) > 0; {
		name := parts[0]
		parts = parts[1:]
		d, st := b.FS.Lookup(m.Root, name)
		switch {
		case name == "." || name == "":
			continue
		case st == world.Unsure:
			b.opaque(m, m.Source, b.Miss("what subPath "+sub+" leads to is not known", "the files of the volume"))
			return
		case st == world.Absent:
			made := b.owned(world.Inode{Mode: world.TypeDir | perm, Whole: true, Nlink: 2, At: b.Text("the kubelet makes a subPath that does not exist")}, 0)
			made.GID = 0
			d = b.FS.Add(m.Root, name, made)
		case b.FS.I(d).Is(world.TypeLink):
			to := b.FS.I(d).Link
			if v.HostPath != nil && b.o.HostRoot != "" && b.linked(m, base, sub) {
				return
			}
			if n++; n > 40 || path.IsAbs(to) || strings.Contains("/"+to+"/", "/../") {
				b.opaque(m, m.Source, b.Miss("subPath "+sub+" goes over a link to "+to+", which may leave the volume: then the kubelet refuses it", "a subPath without links"))
				b.Refusals = append(b.Refusals, world.Refusal{Code: story.VolumeMountRefused, Outcome: story.Unknown, At: m.Why, Facts: [3]string{"subPath " + sub + " goes over a link to " + to}})
				return
			}
			parts = append(strings.Split(path.Clean(to), "/"), parts...)
			continue
		}
		m.Root = d
	}
}

// linked is the kubelet's doBindSubPath where the host's files are known: it follows links as the host does, and refuses what leads out
// of the volume. It returns false where the path does not end: what the kubelet does then is not modelled.
func (b *builder) linked(m *world.Mount, base world.DentryID, sub string) bool {
	root := world.Path{Dentry: b.FS.SB(b.FS.I(base).SB).Root}
	volume := b.FS.Path(base)
	found, _, st := b.Resolve(root, root, path.Join(volume, sub))
	if st != world.Present {
		return false
	}
	real := b.FS.Path(found.Dentry)
	if m.Root = found.Dentry; real == volume || strings.HasPrefix(real, strings.TrimSuffix(volume, "/")+"/") {
		return true
	}
	b.refused = fmt.Sprintf("the kubelet refuses subPath %s, which leads over a link to %s of the node: subpath %q not within volume path %q", sub, real, real, volume)
	b.Refusals = append(b.Refusals, world.Refusal{Code: story.VolumeMountRefused, Outcome: story.Deny, At: m.Origin, Facts: [3]string{b.refused}})
	return true
}

// expand replaces $(NAME) by the container's environment; missing is a name whose value is not known.
func (b *builder) expand(s string) (out, missing string) {
	for {
		i := strings.Index(s, "$(")
		if i < 0 {
			return out + s, ""
		}
		name, rest, ok := strings.Cut(s[i+2:], ")")
		if !ok {
			return out + s, ""
		}
		value, found := "", false
		for _, e := range b.c.Env {
			switch {
			case e.Name != name:
			case e.ValueFrom == nil:
				value, found = e.Value, true
			case e.ValueFrom.FieldRef != nil && e.ValueFrom.FieldRef.FieldPath == "metadata.name" && b.p.Kind == "Pod":
				value, found = b.p.Name, true
			case e.ValueFrom.FieldRef != nil && e.ValueFrom.FieldRef.FieldPath == "metadata.namespace" && b.p.Meta.Namespace != "":
				value, found = b.p.Meta.Namespace, true
			}
		}
		if !found {
			return "", name
		}
		out, s = out+s[:i]+value, rest
	}
}

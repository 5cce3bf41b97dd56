package pod

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/from/node"
	"syscallstory/from/systemd"
	"syscallstory/story"
	"syscallstory/world"
)

// What mountPropagation becomes: None is rprivate, HostToContainer rslave and Bidirectional rshared on the volume's mount, and the last
// two the rootfsPropagation of the whole container too (containerd's WithMounts, CRI-O's addOCIBindMounts).

func propagationOf(vm *corev1.VolumeMount) corev1.MountPropagationMode {
	if vm.MountPropagation == nil {
		return corev1.MountPropagationNone
	}
	return *vm.MountPropagation
}

// seen is the propagation of a mount of the host in the mount namespace of a service of the node. unsure says why it is not known,
// u is the unit that has changed it.
func (b *builder) seen(u *systemd.Unit, hm *node.Mount) (k systemd.Kind, unsure string, own *systemd.Namespace) {
	if u == nil {
		return systemd.KindOf(hm.Propagation), "", nil
	}
	n := u.Namespace()
	if n.Unsure != "" {
		return k, "whether " + u.Name + " has a mount namespace of its own is not known: " + n.Unsure, nil
	}
	if !n.Own {
		return systemd.KindOf(hm.Propagation), "", nil
	}
	return n.Sees(hm.Propagation), "", &n
}

// propagation is the engine's check of what a mountPropagation asks of the mount that the volume lies on (ensureShared,
// ensureSharedOrSlave), as the engine's own mount namespace shows it.
func (b *builder) propagation(vm *corev1.VolumeMount, v *corev1.Volume, at string) {
	want := propagationOf(vm)
	if want == corev1.MountPropagationNone {
		return
	}
	dir := "/var/lib/kubelet"
	if v.HostPath != nil {
		dir = path.Clean("/" + v.HostPath.Path)
	}
	r := world.Refusal{Code: story.VolumeMountRefused, Outcome: story.Allow, At: b.field(at + ".mountPropagation")}
	hm := b.o.Node.MountOf(dir)
	needs := "a shared mount"
	if want == corev1.MountPropagationHostToContainer {
		needs = "a shared or slave mount"
	}
	if hm == nil || hm.Propagation == "" {
		r.Outcome, r.At = story.Unknown, b.Miss("the propagation of the host's mount at "+dir+" is not known", "propagation in the mounts of --node FILE")
		r.Facts[0] = fmt.Sprintf("%s needs %s at %s", want, needs, dir)
		b.Refusals = append(b.Refusals, r)
		return
	}
	u := b.o.Node.EngineUnit()
	k, unsure, own := b.seen(u, hm)
	switch {
	case unsure != "":
		r.Outcome, r.At = story.Unknown, b.Miss(unsure, "systemd.version in --node FILE")
		r.Facts[0] = fmt.Sprintf("%s needs %s at %s", want, needs, dir)
	case k.Shared || want == corev1.MountPropagationHostToContainer && k.Slave:
		b.oneWay(vm, want, own, at)
		return
	default:
		r.Outcome = story.Deny
		is := hm.Point + " of the host is " + hm.Propagation
		if own != nil {
			is += fmt.Sprintf(", but %s with %s (%s:%d) sees it as %s", u.Name, own.Why, own.At.File, own.At.Line, k)
			b.quote(u)
		}
		r.Facts[0] = fmt.Sprintf("%s of volume %s needs %s, and %s: %s says that path %q is mounted on %q but it is not %s", want, vm.Name, needs, is, b.engineName(), dir, hm.Point, needs)
	}
	b.Refusals = append(b.Refusals, r)
}

func (b *builder) engineName() string {
	if b.engine == "" {
		return "the container engine"
	}
	return b.engine
}

// quote makes the lines of a unit ones that a story can show.
func (b *builder) quote(u *systemd.Unit) {
	for _, src := range u.Sources {
		if !slices.ContainsFunc(b.Sources, func(s story.Source) bool { return s.File == src.File }) {
			b.Sources = append(b.Sources, src)
		}
	}
}

// oneWay notes a Bidirectional that is accepted, but ends in the engine's own namespace.
func (b *builder) oneWay(vm *corev1.VolumeMount, want corev1.MountPropagationMode, own *systemd.Namespace, at string) {
	if want != corev1.MountPropagationBidirectional || own == nil {
		return
	}
	pl := own.At
	u := b.o.Node.EngineUnit()
	b.quote(u)
	b.Findings = append(b.Findings, story.Finding{Severity: "warning", At: &pl, Text: fmt.Sprintf("volume %s is Bidirectional, but %s has a mount namespace of its own (%s) whose mounts are slaves of the host's: "+
		"what the container mounts is seen by %s and not by the host", vm.Name, u.Name, own.Why, u.Name)})
}

// group is the number of the peer group of a mount of the host; each has one of its own.
func (b *builder) group(hm *node.Mount) uint32 {
	if hm == nil {
		return 1
	}
	for i := range b.o.Node.Mounts {
		if &b.o.Node.Mounts[i] == hm {
			return uint32(i) + 2
		}
	}
	return 1
}

// share gives the mount of a volume the propagation that the runtime sets after binding it.
func (b *builder) share(m *world.Mount, vm *corev1.VolumeMount, hm *node.Mount) {
	k := systemd.Kind{Shared: true} // the container does not start otherwise, or it is not known whether it does
	if hm != nil && hm.Propagation != "" {
		k, _, _ = b.seen(b.o.Node.RuntimeUnit(), hm)
	}
	switch want := propagationOf(vm); {
	case want == corev1.MountPropagationHostToContainer && (k.Shared || k.Slave):
		m.Master = b.group(hm)
	case want == corev1.MountPropagationBidirectional && k.Shared:
		m.Group = b.group(hm)
	}
}

// shareAll is rootfsPropagation: with crun one volume that is Bidirectional makes every mount of the container shared, in a group of its
// own where it has no other. runc leaves them private up to 1.1, and does the same since opencontainers/runc#4724.
func (b *builder) shareAll() error {
	both, crun := false, b.o.Node != nil && b.o.Node.Runtime.Name == "crun"
	for i := range b.c.VolumeMounts {
		both = both || propagationOf(&b.c.VolumeMounts[i]) == corev1.MountPropagationBidirectional
	}
	if both && !crun && (b.o.Node == nil || !strings.HasPrefix(b.o.Node.Runtime.Version, "1.1.")) {
		b.Assume("the mounts of the container that are no volumes are private, as runc 1.1 makes them", "runtime with its version in --node FILE")
	}
	for i := 1; both && crun && i < len(b.Mounts); i++ {
		if m := &b.Mounts[i]; m.Group == 0 {
			m.Group = 1<<20 + uint32(i)
		}
	}
	return nil
}

// arrives decides whether a mount that the host makes at rel below a volume's source, when the container runs, reaches the container.
// Where it does not, the world remembers why.
func (b *builder) arrives(vm *corev1.VolumeMount, hm *node.Mount, rel, at string) bool {
	on := b.o.Node.MountOf(hm.Point)
	u := world.Unreached{Place: path.Join(path.Clean(vm.MountPath), rel), Point: hm.Point, Type: hm.Type, Source: hm.Source}
	k, unsure, own := systemd.Kind{}, "", (*systemd.Namespace)(nil)
	if on != nil {
		k, unsure, own = b.seen(b.o.Node.RuntimeUnit(), on)
	}
	switch {
	case on == nil || on.Propagation == "":
		u.Why, u.At = "how the host's mount below it propagates is not known", b.Miss("the propagation of the host's mount at "+path.Dir(hm.Point)+" is not known", "propagation in the mounts of --node FILE")
	case !systemd.KindOf(on.Propagation).Shared:
		u.Why, u.At = on.Point+" of the host is "+on.Propagation+": what is mounted on it goes nowhere", b.o.Node.At(b.World, "mounts")
		u.Fix = "mount --make-shared " + on.Point + " on the node, before the container starts"
	case unsure != "":
		u.Why, u.At = unsure, b.Miss(unsure, "systemd.version in --node FILE")
	case !k.Shared && !k.Slave:
		unit := b.o.Node.RuntimeUnit()
		b.quote(unit)
		u.Why, u.At = fmt.Sprintf("%s has %s: its mount namespace, which containers are made from, is private", unit.Name, own.Why), b.Add(own.At)
		u.Fix = "a " + unit.Name + " without " + own.Why
	case propagationOf(vm) == corev1.MountPropagationNone:
		field, what := at+".mountPath", "has no mountPropagation, which is None"
		if vm.MountPropagation != nil {
			field, what = at+".mountPropagation", "has mountPropagation: None"
		}
		u.Why, u.At = fmt.Sprintf("the mount of the container at %s is private since the runtime made it, as volumeMount %s %s", path.Clean(vm.MountPath), vm.Name, what), b.field(field)
		u.Fix = "mountPropagation: HostToContainer on volumeMount " + vm.Name
	default:
		return true
	}
	b.Unreached = append(b.Unreached, u)
	b.covered(hm)
	return false
}

// covered makes the directory below a later mount an empty one: of the host's files only those are given that the mount shows.
func (b *builder) covered(hm *node.Mount) {
	if b.o.HostRoot == "" {
		return
	}
	id, err := b.hostFS(path.Dir(hm.Point))
	if err != nil {
		return
	}
	root := world.Path{Dentry: b.FS.SB(id).Root}
	at, _, st := b.Resolve(root, root, hm.Point)
	if st != world.Present {
		return
	}
	if ino := b.FS.I(at.Dentry); ino.Is(world.TypeDir) {
		ino.Whole = true
		ino.At = b.Suppose("the directory below the host's mount at "+hm.Point+" is empty", "")
	}
}

// unreached finds where the container sees the places of mounts that did not arrive.
func (b *builder) unreached() error {
	for i := range b.Unreached {
		u := &b.Unreached[i]
		at, rest, st := b.Resolve(b.Task.Root, b.Task.Root, u.Place)
		if st == world.Present && rest == "" && !strings.HasSuffix(u.Place, "/..") {
			u.Mount, u.Dentry = at.Mount, at.Dentry
		}
	}
	return nil
}

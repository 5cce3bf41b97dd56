package pod

import (
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/from/files"
	"syscallstory/story"
	"syscallstory/world"
)

// rootfs makes the container's root: an overlay with an empty upper layer over the image.
func (b *builder) rootfs() error {
	upperRoot := world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, At: b.Text("the container's empty upper layer")}
	up := b.FS.NewSB(world.SB{Type: "ext4", Name: "upper layer", At: upperRoot.At, FlagsAt: upperRoot.At}, upperRoot)
	var low world.SBID
	var err error
	switch sb := (world.SB{Type: "ext4", Name: "image", FlagsAt: upperRoot.At}); b.o.Rootfs {
	case "":
		at := b.Miss("the image's files are not known", "--rootfs DIR")
		low = b.FS.NewSB(sb, world.Inode{Mode: world.TypeDir, Known: world.KnownType, At: at})
	case "embedded":
		low, err = files.Tree(b.World, sb, "embedded.mtree", []byte(embedded))
	default:
		low, err = files.Dir(b.World, sb, b.o.Rootfs, "", nil)
	}
	if err != nil {
		return err
	}
	root := world.Cred{Effective: world.AllCaps, Permitted: world.AllCaps, Bounding: world.AllCaps}
	at := b.Text("the runtime mounts as root")
	root.UIDAt, root.GIDAt, root.GroupsAt, root.EffectiveAt, root.BoundingAt = at, at, at, at, at
	ov := b.o.Merger.NewOverlay(b.FS, world.SB{Name: "container root", At: at, FlagsAt: at,
		Overlay: &world.Overlay{Upper: b.FS.SB(up).Root, Lower: []world.DentryID{b.FS.SB(low).Root}, Names: []string{"image"}, Mounter: root}})
	flags, origin := world.MountFlags(0), b.Text("the runtime mounts the container's root")
	if sc := b.c.SecurityContext; sc != nil && sc.ReadOnlyRootFilesystem != nil && *sc.ReadOnlyRootFilesystem {
		flags, origin = world.MountReadOnly, b.field(b.path+".securityContext.readOnlyRootFilesystem")
	}
	b.MountNS = []world.MountNS{{Name: "container"}}
	b.root = b.Attach(world.Path{}, world.Mount{Root: b.FS.SB(ov).Root, SB: ov, Flags: flags, Point: "/", Source: "overlay", Origin: origin, Why: origin})
	b.MountNS[0].Root = b.root
	b.Task.Root = world.Path{Mount: b.root, Dentry: b.FS.SB(ov).Root}
	b.Task.Cwd = b.Task.Root
	return nil
}

// volumes mounts what the container's volumeMounts ask for.
func (b *builder) volumes() error {
	for i := range b.c.VolumeMounts {
		vm := &b.c.VolumeMounts[i]
		at := fmt.Sprintf("%s.volumeMounts[%d]", b.path, i)
		k := -1
		for j := range b.p.Spec.Volumes {
			if b.p.Spec.Volumes[j].Name == vm.Name {
				k = j
			}
		}
		switch {
		case k < 0:
			return b.p.Doc.Fail(at+".name", "there is no volume %q", vm.Name)
		case !path.IsAbs(vm.MountPath):
			return b.p.Doc.Fail(at+".mountPath", "mountPath %q is not absolute", vm.MountPath)
		}
		if err := b.volume(vm, at, &b.p.Spec.Volumes[k], fmt.Sprintf("%s.volumes[%d]", b.p.Path, k)); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) volume(vm *corev1.VolumeMount, at string, v *corev1.Volume, vat string) error {
	m := world.Mount{Point: path.Clean(vm.MountPath), Origin: b.field(at + ".mountPath"), FlagsAt: map[world.MountFlags]story.Origin{}}
	m.Why = m.Origin
	switch {
	case v.HostPath != nil:
		if err := b.hostPath(&m, v.HostPath, vat); err != nil {
			return err
		}
	case v.EmptyDir != nil && v.EmptyDir.Medium == corev1.StorageMediumMemory:
		root := world.Inode{Mode: world.TypeDir | 0o777, Known: world.KnownAll, Whole: true, At: b.field(vat)}
		m.SB = b.FS.NewSB(world.SB{Type: "tmpfs", Name: "emptyDir " + v.Name, At: root.At, FlagsAt: root.At}, root)
		m.Source = "emptyDir " + v.Name
	default:
		// What the volume holds, and on which filesystem, is known to the node alone.
		miss := b.Miss("the files of volume "+v.Name+" are not known", "a volume of type hostPath with --host-root, or emptyDir with medium Memory")
		m.SB = b.FS.NewSB(world.SB{Type: "unknown", Name: "volume " + v.Name, At: miss, FlagsAt: miss}, world.Inode{Mode: world.TypeDir, Known: world.KnownType, At: miss})
		m.Source, m.Unsure, m.Why = "volume "+v.Name, 0xff, miss
	}
	if m.Root == 0 {
		m.Root = b.FS.SB(m.SB).Root
	}
	if vm.SubPath != "" || vm.SubPathExpr != "" {
		miss := b.Miss("what a subPath leads to is not modelled yet", "")
		m.SB = b.FS.NewSB(world.SB{Type: "unknown", Name: "subPath", At: miss, FlagsAt: miss}, world.Inode{At: miss})
		m.Root, m.Unsure, m.Why = b.FS.SB(m.SB).Root, 0xff, miss
	}
	if vm.ReadOnly {
		m.Flags |= world.MountReadOnly
		m.Unsure &^= world.MountReadOnly
		m.FlagsAt[world.MountReadOnly] = b.field(at + ".readOnly")
	}
	b.Attach(b.mountpoint(m.Point), m)
	return nil
}

// mountpoint returns the place of a mount point, which the runtime makes where it is missing.
func (b *builder) mountpoint(p string) world.Path {
	at := b.Task.Root
	for _, part := range strings.Split(strings.Trim(p, "/"), "/") {
		if part == "" {
			continue
		}
		d, st := b.FS.Lookup(at.Dentry, part)
		if st != world.Present {
			d = b.FS.Add(at.Dentry, part, world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownType, At: b.Text("the runtime makes the mount point")})
		}
		at = b.Top(world.Path{Mount: at.Mount, Dentry: d})
	}
	return at
}

// hostPath binds a directory or file of the host, after the kubelet's check of its type.
func (b *builder) hostPath(m *world.Mount, h *corev1.HostPathVolumeSource, vat string) error {
	src := path.Clean("/" + h.Path)
	m.Source = "bind of host:" + src
	if hm := b.o.Node.MountOf(src); hm == nil {
		m.Unsure, m.Why = 0xff, b.Miss("the flags of the host's mount at "+src+" are not known", "--node FILE with mounts")
	} else {
		for _, o := range hm.Options {
			m.Flags |= world.ParseMountFlag(o)
		}
	}
	unknown := func(text, settles string) {
		miss := b.Miss(text, settles)
		m.SB = b.FS.NewSB(world.SB{Type: "unknown", Name: "host", At: miss, FlagsAt: miss}, world.Inode{At: miss})
		m.Root = b.FS.SB(m.SB).Root
	}
	if b.o.HostRoot == "" {
		unknown("the host's files at "+src+" are not known", "--host-root DIR")
		b.typeCheck(h, vat, world.Inode{}, world.Unsure)
		return nil
	}
	if b.host == 0 {
		fsType := "ext4"
		if hm := b.o.Node.MountOf(src); hm != nil && hm.Type != "" {
			fsType = hm.Type
		}
		at := b.Text("the host's filesystem")
		id, err := files.Dir(b.World, world.SB{Type: fsType, Name: "host", At: at, FlagsAt: at}, b.o.HostRoot, b.o.OwnersAt, b.o.Owners)
		if err != nil {
			return err
		}
		b.host = id
	}
	m.SB, m.Root = b.host, b.FS.SB(b.host).Root
	st := world.Present
	for _, part := range strings.Split(strings.Trim(src, "/"), "/") {
		if part == "" {
			continue
		}
		d, s := b.FS.Lookup(m.Root, part)
		if st = s; s != world.Present {
			break
		}
		if b.FS.I(d).Is(world.TypeLink) {
			unknown("hostPath "+src+" leads over a symbolic link of the host, which is not modelled yet", "the path that the link leads to")
			return nil
		}
		m.Root = d
	}
	b.typeCheck(h, vat, *b.FS.I(m.Root), st)
	if st != world.Present {
		unknown("the host has no "+src+"; the runtime may make a directory there", "--host-root DIR that has it")
	}
	return nil
}

// typeCheck is the kubelet's check of a hostPath's type.
func (b *builder) typeCheck(h *corev1.HostPathVolumeSource, vat string, ino world.Inode, st world.State) {
	if h.Type == nil || *h.Type == corev1.HostPathUnset {
		return
	}
	want, make := map[corev1.HostPathType]uint16{corev1.HostPathDirectory: world.TypeDir, corev1.HostPathDirectoryOrCreate: world.TypeDir, corev1.HostPathFile: world.TypeReg, corev1.HostPathFileOrCreate: world.TypeReg,
		corev1.HostPathSocket: world.TypeSock, corev1.HostPathCharDev: world.TypeChar, corev1.HostPathBlockDev: world.TypeBlk}[*h.Type], strings.HasSuffix(string(*h.Type), "OrCreate")
	r := world.Refusal{Code: story.HostPathType, Outcome: story.Allow, Facts: [3]string{h.Path, string(*h.Type), ""}, At: b.field(vat + ".hostPath.type")}
	switch {
	case st == world.Unsure:
		r.Outcome, r.At = story.Unknown, b.Miss("the host's files at "+h.Path+" are not known", "--host-root DIR")
	case st == world.Absent && !make:
		r.Outcome, r.Facts[2] = story.Deny, "it does not exist"
	case st == world.Present && ino.Type() != want:
		r.Outcome, r.Facts[2] = story.Deny, "the host has "+story.FormatMode(uint64(ino.Mode))+" there"
	}
	b.Refusals = append(b.Refusals, r)
}

// rest fills in what every container has.
func (b *builder) rest() error {
	t := &b.Task
	at := b.Text("containerd's default")
	t.Umask = world.Given(uint16(0o022), at)
	t.NoFile = world.Given(1<<20, b.Assume("RLIMIT_NOFILE is not reached", ""))
	t.OpenFDs = world.Given(3, at)
	t.FDsAt = at
	t.Devices = world.Devices{At: at, Rules: []world.DeviceRule{{Type: 'a', Major: -1, Minor: -1, Access: "m"}}}
	for _, d := range [][2]int64{{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 2}} {
		t.Devices.Rules = append(t.Devices.Rules, world.DeviceRule{Type: 'c', Major: d[0], Minor: d[1], Access: "rwm"})
	}
	if sc := b.c.SecurityContext; sc != nil && sc.Privileged != nil && *sc.Privileged {
		t.Devices.All = true
	}
	// What kubelet and runtime mount by themselves, whose contents are not modelled yet.
	for _, m := range []struct{ point, fs string }{{"/proc", "proc"}, {"/dev", "devtmpfs of the runtime"}, {"/sys", "sysfs"}} {
		miss := b.Miss("what "+m.point+" of a container holds is not modelled yet", "")
		sb := b.FS.NewSB(world.SB{Type: strings.Fields(m.fs)[0], Name: m.fs, At: miss, FlagsAt: miss}, world.Inode{Mode: world.TypeDir, Known: world.KnownType, At: miss})
		b.Attach(b.mountpoint(m.point), world.Mount{SB: sb, Root: b.FS.SB(sb).Root, Point: m.point, Source: m.fs, Unsure: 0xff, Why: miss, Origin: b.Text("every container has it")})
	}
	return nil
}

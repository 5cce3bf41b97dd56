package pod

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/from/edits"
	"syscallstory/from/node"
	"syscallstory/story"
	"syscallstory/world"
)

// missing offers to make a name, or to mount the host's file of that path.
func (e *editor) missing() {
	dir := e.obj
	name := e.r.Entry.Object
	if e.r.Step.Code != story.SymlinkLimit {
		name = strings.TrimSuffix(e.path, "/") + "/" + e.r.Entry.Facts[0].Value
	} else {
		dir = world.Path{Mount: dir.Mount, Dentry: e.w.FS.D(dir.Dentry).Parent}
	}
	rest := edits.Rest(e.w, e.r.Call, name)
	if e.w.UnreachedAt(dir) != nil { // what is made on the host now is made in its mount
		e.later(dir)
		return
	}
	e.mountHost(path.Join(name, rest))
	e.refusal().Missing()
}

// Make offers to make names where their directory lies: on the host, in the image or in a volume.
func (e *editor) Make(dir world.Path, names []string, mode uint16) {
	kind, real := e.where(dir)
	base := e.w.PathText(dir)
	full := path.Join(append([]string{base}, names...)...)
	there := path.Join(append([]string{real}, names...)...)
	what, command := "", edits.MakeCommand(real, names, mode, func(s string) string { return s })
	if mode&world.TypeMask == world.TypeDir {
		what = "the directory "
	}
	if e.r.Step.Code == story.SymlinkLimit {
		if mode&world.TypeMask == world.TypeDir {
			return
		}
		command = "ln -sfn /dev/null " + there + " # or wherever it should lead"
	}
	e.add(story.Edit{Kind: kind, Path: there, Patch: command, Text: "make " + what + full + " (" + there + " in the " + kind + ")", Exposes: "nothing else", Risk: story.Safe, Do: func(in *Input) {
		in.after = append(in.after, func(w *world.World) error {
			at, _, st := w.Resolve(w.Task.Root, w.Task.Root, base)
			if st != world.Present {
				return fmt.Errorf("%s is not there", base)
			}
			edits.Make(w, at.Dentry, names, mode)
			return nil
		})
	}})
}

// mountHost offers to mount the host's directory that holds a path.
func (e *editor) mountHost(p string) {
	if e.in.o.HostRoot == "" || !path.IsAbs(p) {
		return
	}
	id, err := (&builder{World: e.w, o: e.in.o, hosts: map[string]world.SBID{}}).hostFS("/")
	if err != nil {
		return
	}
	root := world.Path{Dentry: e.w.FS.SB(id).Root}
	dir := path.Dir(p)
	if _, _, st := e.w.Resolve(root, root, p); st != world.Present || dir == "/" {
		return
	}
	ro := e.r.Step.Op != story.OpWrite && !writes(e.r)
	volume := "host" + strings.ReplaceAll(dir, "/", "-")
	patch := e.inContainer(fmt.Sprintf("volumeMounts:\n- name: %s\n  mountPath: %s\n  readOnly: %v", volume, dir, ro)) + fmt.Sprintf("\nvolumes:\n- name: %s\n  hostPath:\n    path: %s\n    type: Directory", volume, dir)
	exposes := "host:" + dir + " to reading"
	if !ro {
		exposes = "host:" + dir + " to writing"
	}
	e.podYAML("volumes", patch, "mount the host's "+dir, exposes, story.Widens, func(in *Input) {
		typ := corev1.HostPathDirectory
		in.w.Spec.Volumes = append(in.w.Spec.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: dir, Type: &typ}}})
		_, vms := in.parts()
		*vms = append(*vms, corev1.VolumeMount{Name: volume, MountPath: dir, ReadOnly: ro})
	})
}

// writes reports whether the refused call asks to write: open's flags say so.
func writes(r world.Refused) bool {
	for i := range r.Call.Args {
		if strings.Contains(r.Call.Args[i].String(), "O_WRONLY") || strings.Contains(r.Call.Args[i].String(), "O_RDWR") {
			return true
		}
	}
	return r.Call.Name == "creat"
}

// readOnly offers to make the mount writable, or a writable place on it.
func (e *editor) readOnly() {
	m := &e.w.Mounts[e.obj.Mount]
	pl := e.w.Place(m.FlagsAt[world.MountReadOnly])
	switch {
	case pl == nil:
		return
	case strings.HasSuffix(pl.Path, ".readOnlyRootFilesystem"):
		dir := path.Dir(e.path)
		if e.w.FS.I(e.obj.Dentry).Is(world.TypeDir) {
			dir = e.path
		}
		if dir != "/" {
			patch := e.inContainer(fmt.Sprintf("volumeMounts:\n- name: writable\n  mountPath: %s", dir)) + "\nvolumes:\n- name: writable\n  emptyDir: {}"
			e.podYAML("volumes", patch, "mount an emptyDir at "+dir, "nothing beyond that directory; it starts empty", story.Safe, func(in *Input) {
				in.w.Spec.Volumes = append(in.w.Spec.Volumes, corev1.Volume{Name: "writable", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
				_, vms := in.parts()
				*vms = append(*vms, corev1.VolumeMount{Name: "writable", MountPath: dir})
			})
		}
		e.yaml("readOnlyRootFilesystem", "readOnlyRootFilesystem: false", "drop readOnlyRootFilesystem", "the container's whole root to writing", story.Widens, false, func(in *Input) {
			sc, _ := in.parts()
			(*sc).ReadOnlyRootFilesystem = nil
		})
	case strings.HasSuffix(pl.Path, ".readOnly"):
		k := slices.IndexFunc(e.c.VolumeMounts, func(vm corev1.VolumeMount) bool { return path.Clean(vm.MountPath) == m.Point })
		if k < 0 {
			return
		}
		vm := e.c.VolumeMounts[k]
		e.add(story.Edit{Kind: "yaml", File: pl.File, Line: pl.Line, Path: pl.Path, Patch: e.inContainer(fmt.Sprintf("volumeMounts:\n- name: %s\n  mountPath: %s\n  readOnly: false", vm.Name, vm.MountPath)),
			Text: "drop readOnly on this mount", Exposes: strings.TrimPrefix(m.Source, "bind of ") + " to writing", Risk: story.Widens, Do: func(in *Input) {
				_, vms := in.parts()
				(*vms)[k].ReadOnly, (*vms)[k].RecursiveReadOnly = false, nil
			}})
	default:
		e.Remount(world.MountReadOnly)
		e.privileged()
	}
}

// Remount offers to change the flags of a mount or filesystem of the host.
func (e *editor) Remount(flag world.MountFlags) {
	opt := map[world.MountFlags]string{0: "rw", world.MountReadOnly: "rw", world.MountNoDev: "dev", world.MountNoExec: "exec", world.MountNoSymFollow: "symfollow"}[flag]
	if flag == 0 {
		flag = world.MountReadOnly
	}
	m := &e.w.Mounts[e.obj.Mount]
	src, ok := strings.CutPrefix(m.Source, "bind of host:")
	if !ok {
		return
	}
	hm := e.in.o.Node.MountOf(src)
	if hm == nil {
		return
	}
	point := hm.Point
	e.add(story.Edit{Kind: "node", Path: point, Patch: "mount -o remount," + opt + " " + point, Text: "remount " + point + " of the node with " + opt, Exposes: point + " of the node to every process on it", Risk: story.Widens, Do: func(in *Input) {
		n := in.o.Node
		for i := range n.Mounts {
			if n.Mounts[i].Point == point {
				n.Mounts[i].Options = slices.DeleteFunc(slices.Clone(n.Mounts[i].Options), func(o string) bool { return world.ParseMountFlag(o) == flag })
			}
		}
	}})
}

// hostType offers a type that fits what the host has.
func (e *editor) hostType() {
	pl := e.w.Place(e.r.Step.Fact[0])
	if pl == nil {
		return
	}
	k := slices.IndexFunc(e.in.w.Spec.Volumes, func(v corev1.Volume) bool {
		return v.HostPath != nil && v.HostPath.Path == e.r.Entry.Facts[0].Value && v.HostPath.Type != nil && string(*v.HostPath.Type) == e.r.Entry.Facts[1].Value
	})
	if k < 0 {
		return
	}
	for _, t := range []corev1.HostPathType{corev1.HostPathFile, corev1.HostPathDirectory, corev1.HostPathSocket, corev1.HostPathCharDev, corev1.HostPathBlockDev, corev1.HostPathDirectoryOrCreate, corev1.HostPathFileOrCreate} {
		risk, exposes := story.Safe, "nothing else"
		if strings.HasSuffix(string(t), "OrCreate") {
			risk, exposes = story.Widens, "the node to the making of that path"
		}
		e.add(story.Edit{Kind: "yaml", File: pl.File, Line: pl.Line, Path: pl.Path, Patch: fmt.Sprintf("volumes:\n- name: %s\n  hostPath:\n    type: %s", e.in.w.Spec.Volumes[k].Name, t),
			Text: "set the type of hostPath " + e.r.Entry.Facts[0].Value + " to " + string(t), Exposes: exposes, Risk: risk, Do: func(in *Input) { in.w.Spec.Volumes[k].HostPath.Type = &t }})
	}
}

func (in *Input) nodeMounts() []node.Mount {
	if in.o.Node == nil {
		return nil
	}
	return in.o.Node.Mounts
}

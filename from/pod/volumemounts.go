package pod

import (
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/story"
)

// VolumeMount is one volumeMount of a container with its volume: what kubelet and runtime mount for it.
type VolumeMount struct {
	Volume, Kind string
	Base         string // the volume's own directory on the node
	Made         string // type of the filesystem that the kubelet mounts there; empty: it mounts none, unknown: only the node knows
	Host         string // what is bound: Base, or the kubelet's bind of a subPath
	SubPath      string
	Real         string // what Base and SubPath lead to on the node, links followed; empty: the node's files are not given
	Point        string
	ReadOnly     bool
	Recursive    bool   // read-only for the mounts below too
	Propagation  string // None, HostToContainer or Bidirectional
	At           story.Place
}

// Containers are the names of the workload's containers that run side by side.
func (w *Workload) Containers() []string {
	var out []string
	for i := range w.Spec.Containers {
		out = append(out, w.Spec.Containers[i].Name)
	}
	return out
}

// UserNamespace reports whether the Pod has a user namespace of its own.
func (w *Workload) UserNamespace() bool { return w.Spec.HostUsers != nil && !*w.Spec.HostUsers }

// VolumeMounts lists what is mounted for the volumes of a container, after what the API server refuses.
func (w *Workload) VolumeMounts(container string) ([]VolumeMount, error) {
	c, cpath, err := w.Container(container)
	if err != nil {
		return nil, err
	}
	b := &builder{p: w, c: c, path: cpath, sc: c.SecurityContext, psc: w.Spec.SecurityContext}
	if b.sc == nil {
		b.sc = &corev1.SecurityContext{}
	}
	if b.psc == nil {
		b.psc = &corev1.PodSecurityContext{}
	}
	if err := b.validate(); err != nil {
		return nil, err
	}
	var out []VolumeMount
	for i := range c.VolumeMounts {
		vm := &c.VolumeMounts[i]
		v := &w.Spec.Volumes[b.volumeOf(vm.Name)]
		m := VolumeMount{Volume: v.Name, Point: path.Clean(vm.MountPath), ReadOnly: vm.ReadOnly, Propagation: string(propagationOf(vm)), At: w.at(fmt.Sprintf("%s.volumeMounts[%d].mountPath", cpath, i))}
		m.Recursive = vm.ReadOnly && vm.RecursiveReadOnly != nil && *vm.RecursiveReadOnly != corev1.RecursiveReadOnlyDisabled
		dir := w.dir()
		m.Kind, m.Base, m.Made = placed(v, dir)
		m.Host = m.Base
		if m.SubPath = vm.SubPath; vm.SubPathExpr != "" {
			m.SubPath = vm.SubPathExpr
			if value, missing := b.expand(vm.SubPathExpr); missing == "" {
				m.SubPath = value
			}
		}
		if m.SubPath = strings.Trim(path.Clean("/"+m.SubPath), "/"); m.SubPath != "" {
			m.Host = fmt.Sprintf("%s/volume-subpaths/%s/%s/%d", dir, v.Name, c.Name, i)
		}
		out = append(out, m)
	}
	return out, nil
}

// placed tells where a volume's files are on the node, and what the kubelet mounts there.
func placed(v *corev1.Volume, dir string) (kind, base, made string) {
	plugin := func(name string) string { return dir + "/volumes/kubernetes.io~" + name + "/" + v.Name }
	switch {
	case v.HostPath != nil:
		return "hostPath", path.Clean("/" + v.HostPath.Path), ""
	case v.EmptyDir != nil:
		switch {
		case v.EmptyDir.Medium == corev1.StorageMediumMemory:
			made = "tmpfs"
		case v.EmptyDir.Medium != "":
			made = "hugetlbfs"
		}
		return "emptyDir", plugin("empty-dir"), made
	case v.ConfigMap != nil:
		return "configMap", plugin("configmap"), ""
	case v.Secret != nil:
		return "secret", plugin("secret"), "tmpfs"
	case v.Projected != nil:
		return "projected", plugin("projected"), "tmpfs"
	case v.DownwardAPI != nil:
		return "downwardAPI", plugin("downward-api"), "tmpfs"
	case v.NFS != nil:
		return "nfs", plugin("nfs"), "nfs"
	case v.PersistentVolumeClaim != nil:
		return "persistentVolumeClaim", plugin("persistent-volume"), "unknown"
	case v.CSI != nil:
		return "csi", plugin("csi") + "/mount", "unknown"
	}
	return "volume", plugin("volume"), "unknown"
}

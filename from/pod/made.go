package pod

import (
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/story"
	"syscallstory/world"
)

const runtime = "runtime"

// Made is a mount of a container with who makes it and what of.
type Made struct {
	By       string // runtime, kubelet, API server, or the engine; empty for a volumeMount
	Volume   int    // the number of the volumeMount, from 1 on; 0: of none
	Point    string // as the container sees it, links of the image followed
	Type     string
	Source   string
	Node     string // what of the node's files is bound; empty: not known, or nothing
	Inside   string // what of the container's own files is bound
	FS       string // type of the filesystem that is mounted at Node for it
	Flags    world.MountFlags
	Unsure   bool   // made where the kernel has the path, which is not known
	IDMapped bool   // with the Pod's user namespace
	Refused  string // why the container does not start
	Place    *story.Place
}

// make remembers what a mount is made of.
func (b *builder) make(id world.MountID, m Made) {
	for len(b.made) <= int(id) {
		b.made = append(b.made, Made{})
	}
	b.made[id] = m
}

// Mounted lists the mounts of a container in the order in which they are made, the container's root first, but for those of the host that lie
// below volumes. Links are followed where the files of the image (Rootfs) and of the node (HostRoot) are given.
func (w *Workload) Mounted(o Options) ([]Made, error) {
	b, err := w.build(o)
	if err != nil {
		return nil, err
	}
	var out, last []Made
	for id := range b.made {
		made, m := b.made[id], &b.Mounts[id]
		if made.By == "" && made.Volume == 0 || b.replaced(made, m.Point) {
			continue
		}
		made.Point, made.Type, made.Source, made.Flags = b.PathText(world.Path{Mount: world.MountID(id), Dentry: m.Root}), b.FS.SB(m.SB).Type, m.Source, m.Flags
		if made.Unsure {
			made.Point = m.Point
		}
		made.IDMapped, made.Place = m.IDMap != 0, b.Place(m.Origin)
		if made.Inside != "" || made.Unsure { // read-only and masked paths, when the container has its root
			last = append(last, made)
			continue
		}
		out = append(out, made)
	}
	return append(out, last...), nil
}

// replaced reports whether an engine leaves out what it mounts by itself, since a volumeMount has the same place, or /dev (containerd's WithMounts; CRI-O too, and /sys).
func (b *builder) replaced(made Made, point string) bool {
	if made.Volume != 0 || made.Inside != "" || made.Unsure {
		return false
	}
	for i := range b.c.VolumeMounts {
		at := path.Clean(b.c.VolumeMounts[i].MountPath)
		if at == point || (at == "/dev" || at == "/sys" && b.engine == "cri-o") && strings.HasPrefix(point, at+"/") && made.By != "kubelet" {
			return true
		}
	}
	return false
}

// dir is the Pod's directory on the node; the kubelet names it by the Pod's uid, which no manifest has.
func (w *Workload) dir() string { return "/var/lib/kubelet/pods/" + w.Name }

// ownFile is where a file that is mounted in every container lies on the node.
func (b *builder) ownFile(who, point string) string {
	if who != "the kubelet" {
		return b.sandbox() + "/" + path.Base(point)
	}
	if point == "/etc/hosts" {
		return b.p.dir() + "/etc-hosts"
	}
	return fmt.Sprintf("%s/containers/%s/%s", b.p.dir(), b.c.Name, strings.TrimPrefix(path.Base(point), "/"))
}

// sandbox is the directory in which the engine keeps what the containers of a Pod share.
func (b *builder) sandbox() string {
	switch b.engine {
	case "cri-o":
		return "/run/containers/storage/overlay-containers/" + b.p.Name + "/userdata"
	case "docker":
		return "/var/lib/docker/containers/" + b.p.Name
	}
	return "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/" + b.p.Name
}

// onNode is where on the node a volume's mount is taken from, links followed; empty where that is not known.
func (b *builder) onNode(v *corev1.Volume, m *world.Mount) string {
	if v.HostPath == nil || b.o.HostRoot == "" {
		return ""
	}
	return b.FS.Path(m.Root)
}

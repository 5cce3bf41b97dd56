package pod

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/story"
)

// ContainerLabels are the SELinux contexts of a container and of what is mounted into it.
type ContainerLabels struct {
	Container string        `json:"container"`
	Process   string        `json:"process"`
	Files     string        `json:"files"` // the root filesystem's, /dev's, and relabelled volumes'
	Level     string        `json:"level"` // given, shared (the engine picks one for the Pod's containers), own (one for this container)
	Note      string        `json:"note"`
	Volumes   []VolumeLabel `json:"volumes"`
	At        story.Place   `json:"at"`
}

// VolumeLabel says what becomes of a volume's labels.
type VolumeLabel struct {
	Volume string `json:"volume"`
	Kind   string `json:"kind"`
	Path   string `json:"path"`
	How    string `json:"how"`   // relabelled, mounted (with context=), kept
	Label  string `json:"label"` // "": those that the files have
	Why    string `json:"why"`
	shared string // what other Pods may use too
}

// Labels returns the contexts of every container.
func (w *Workload) Labels(o Options) ([]ContainerLabels, error) {
	var all []ContainerLabels
	for _, name := range w.Containers() {
		c, cpath, err := w.Container(name)
		if err != nil {
			return nil, err
		}
		mounts, err := w.VolumeMounts(name)
		if err != nil {
			return nil, err
		}
		o.Container = name
		world, err := w.World(o)
		if err != nil {
			return nil, err
		}
		b := &builder{World: world, p: w, c: c, path: cpath, sc: c.SecurityContext, psc: w.Spec.SecurityContext, o: o}
		if b.sc == nil {
			b.sc = &corev1.SecurityContext{}
		}
		if b.psc == nil {
			b.psc = &corev1.PodSecurityContext{}
		}
		x := b.engineContexts()
		l := ContainerLabels{Container: name, Process: x.Process, Files: x.Files, Level: "given", At: w.at(cpath), Volumes: []VolumeLabel{}}
		se, at := b.options()
		switch {
		case b.privileged():
			if l.Level = "own"; se != nil {
				l.Note = "a privileged container: containerd does not use its seLinuxOptions"
			}
		case strings.Count(x.Files, ":") > 2:
			l.At = w.at(at)
		case x.Shared:
			l.Level, l.Note = "shared", "the engine picks two categories for the Pod"
		default:
			l.Level, l.At = "own", w.at(at)
			l.Note = "seLinuxOptions without a level: the engine picks two categories for this container alone, and the Pod's other containers cannot use its files"
		}
		for _, m := range mounts {
			v := &w.Spec.Volumes[b.volumeOf(m.Volume)]
			l.Volumes = append(l.Volumes, b.volumeLabel(v, m, x))
		}
		all = append(all, l)
	}
	return all, nil
}

// volumeLabel says what kubelet and engine do with the labels of a volume's files.
func (b *builder) volumeLabel(v *corev1.Volume, m VolumeMount, x Contexts) VolumeLabel {
	l := VolumeLabel{Volume: m.Volume, Kind: m.Kind, Path: m.Point, How: "relabelled", Label: x.Files}
	switch {
	case v.HostPath != nil:
		l.How, l.Label, l.Why, l.shared = "kept", "", "a hostPath is never relabelled", "hostPath "+m.Base
	case relabelled(v):
		l.Why = "the kubelet has made it, and has the engine relabel every file"
	case v.PersistentVolumeClaim != nil || v.CSI != nil || v.Ephemeral != nil:
		l.Why = "by the engine, file by file, if the plugin's filesystem takes labels"
		if v.PersistentVolumeClaim != nil {
			l.shared = "claim " + v.PersistentVolumeClaim.ClaimName
		}
		if b.byMount(x) {
			l.How, l.Why = "mounted", "with -o context=, if the CSI driver has seLinuxMount: true; else relabelled file by file"
		}
	case v.NFS != nil || v.Glusterfs != nil || v.CephFS != nil:
		l.How, l.Label, l.Why = "kept", "", "the filesystem is labelled as a whole by whoever mounts it"
	default:
		l.How, l.Label, l.Why = "kept", "", "whether its plugin has it relabelled is not modelled"
	}
	if b.privileged() && l.How != "kept" {
		l.Why += "; the processes of a privileged container are not confined anyway"
	}
	return l
}

// byMount reports whether the kubelet mounts volumes with the Pod's label: since 1.37 where nobody says otherwise, and only where the
// whole label is known beforehand.
func (b *builder) byMount(x Contexts) bool {
	policy := b.psc.SELinuxChangePolicy
	switch {
	case !x.Asked || strings.Count(x.Files, ":") < 3 || b.privileged():
		return false
	case policy != nil:
		return *policy == corev1.SELinuxChangePolicyMountOption
	}
	return !b.kubeletBefore(1, 37)
}

// LabelConflict is a volume that workloads use under labels that exclude each other.
type LabelConflict struct {
	Volume string   `json:"volume"`
	Users  []string `json:"users"`
	Text   string   `json:"text"`
}

// Conflicts compares what workloads do with volumes that they share.
func Conflicts(labels map[string][]ContainerLabels) []LabelConflict {
	type use struct{ who, label, how string }
	shared := map[string][]use{}
	for who, list := range labels {
		for _, c := range list {
			for _, v := range c.Volumes {
				if v.shared != "" && v.How != "kept" {
					shared[v.shared] = append(shared[v.shared], use{who + " container " + c.Container, v.Label, v.How})
				}
			}
		}
	}
	out := []LabelConflict{}
	for volume, uses := range shared {
		slices.SortFunc(uses, func(x, y use) int { return strings.Compare(x.who, y.who) })
		c := LabelConflict{Volume: volume}
		mounted, differ := false, false
		for _, u := range uses {
			c.Users = append(c.Users, fmt.Sprintf("%s: %s", u.who, u.label))
			mounted = mounted || u.how == "mounted"
			differ = differ || u.label != uses[0].label || strings.Count(u.label, ":") < 3 && u.who != uses[0].who
		}
		switch {
		case !differ:
			continue
		case mounted:
			c.Text = "where it is mounted with context= it has one label: on the same node the second Pod waits in ContainerCreating (conflicting SELinux labels of volume)"
		default:
			c.Text = "whoever starts last relabels all files, and the others are refused from then on"
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y LabelConflict) int { return strings.Compare(x.Volume, y.Volume) })
	return out
}

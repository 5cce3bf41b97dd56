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
	Files     string        `json:"files"` // the root filesystem's, /dev's, and relabelled volumes'; "": not known
	Level     string        `json:"level"` // of the files: given, shared (the engine picks one for the Pod's containers), own (one for this container)
	Note      string        `json:"note"`
	Volumes   []VolumeLabel `json:"volumes"`
	At        story.Place   `json:"at"`
}

// VolumeLabel says what becomes of a volume's labels.
type VolumeLabel struct {
	Volume string `json:"volume"`
	Kind   string `json:"kind"`
	Path   string `json:"path"`
	How    string `json:"how"`   // relabelled, mounted (with context=), kept, unknown
	Label  string `json:"label"` // "": those that the files have
	Why    string `json:"why"`
	shared string // what other containers may use too
	bare   bool   // processes that use it are not confined
}

// PodLabels are those of a workload's containers.
type PodLabels struct {
	Pod        string            `json:"pod"`
	Containers []ContainerLabels `json:"containers"`
	namespace  string
}

// Title names the workload, with its namespace where it has one.
func (w *Workload) Title() string {
	if ns := w.Meta.Namespace; ns != "" {
		return w.Kind + " " + ns + "/" + w.Name
	}
	return w.Kind + " " + w.Name
}

// every lists the containers by name, those that run beforehand and those that are added later too.
func (w *Workload) every() (names []string) {
	for i := range w.Spec.InitContainers {
		names = append(names, w.Spec.InitContainers[i].Name)
	}
	names = append(names, w.Containers()...)
	for i := range w.Spec.EphemeralContainers {
		names = append(names, w.Spec.EphemeralContainers[i].Name)
	}
	return names
}

// Labels returns the contexts of every container.
func (w *Workload) Labels(o Options) (PodLabels, error) {
	all := PodLabels{Pod: w.Title(), namespace: w.Meta.Namespace}
	for _, name := range w.every() {
		c, cpath, err := w.Container(name)
		if err != nil {
			return all, err
		}
		mounts, err := w.VolumeMounts(name)
		if err != nil {
			return all, err
		}
		o.Container = name
		world, err := w.World(o)
		if err != nil {
			return all, err
		}
		b := &builder{World: world, p: w, c: c, path: cpath, sc: c.SecurityContext, psc: w.Spec.SecurityContext, o: o}
		if b.sc == nil {
			b.sc = &corev1.SecurityContext{}
		}
		if b.psc == nil {
			b.psc = &corev1.PodSecurityContext{}
		}
		if o.Node != nil {
			b.engine = o.Node.Engine.Name
		}
		x := b.engineContexts()
		l := ContainerLabels{Container: name, Process: x.Process, Files: x.Files, Level: "given", At: w.at(cpath), Volumes: []VolumeLabel{}}
		se, at := b.options()
		if se != nil {
			l.At = w.at(at)
		}
		switch {
		case x.Files == "":
			l.Level, l.Note = "own", "CRI-O gives no label to the files of a container with "+x.Bare+": they have the policy's"
		case levelled(x.Files):
		case x.Shared:
			l.Level, l.Note = "shared", "the engine picks two categories for the Pod"
		default:
			l.Level = "own"
			l.Note = "seLinuxOptions without a level: the engine picks two categories for this container alone, and the Pod's other containers cannot use its files"
		}
		if x.Bare != "" {
			l.Note = strings.TrimPrefix(l.Note+"; the processes get no context from the engine ("+x.Bare+"), and the policy makes them spc_t", "; ")
		}
		for _, m := range mounts {
			v := &w.Spec.Volumes[b.volumeOf(m.Volume)]
			l.Volumes = append(l.Volumes, b.volumeLabel(v, m, x))
		}
		all.Containers = append(all.Containers, l)
	}
	return all, nil
}

// levelled reports whether a context has a level.
func levelled(context string) bool { return strings.Count(context, ":") > 2 }

// volumeLabel says what kubelet and engine do with the labels of a volume's files: the kubelet has the engine relabel what its plugin
// says it may (Attributes.SELinuxRelabel), but nothing that it has not made by itself and nothing whose source is read-only (Managed).
// readOnly of a volumeMount does not count.
func (b *builder) volumeLabel(v *corev1.Volume, m VolumeMount, x Contexts) VolumeLabel {
	l := VolumeLabel{Volume: m.Volume, Kind: m.Kind, Path: m.Point, How: "relabelled", Label: x.Files, bare: x.Bare != ""}
	kept := func(how, why string) { l.How, l.Label, l.Why = how, "", why }
	spc := b.engine == "cri-o" && strings.Split(x.Process, ":")[2] == "spc_t" && x.Bare == ""
	pvc := v.PersistentVolumeClaim
	if pvc != nil {
		l.shared = "claim " + pvc.ClaimName
		if ns := b.p.Meta.Namespace; ns != "" {
			l.shared = "claim " + ns + "/" + pvc.ClaimName
		}
	}
	switch {
	case v.HostPath != nil:
		kept("kept", "a hostPath is never relabelled")
	case pvc != nil && b.byMount(x):
		l.How, l.Why = "mounted", "with -o context=, if the CSI driver has seLinuxMount: true; else relabelled file by file, if the volume's filesystem takes labels"
	case x.Files == "" || spc:
		kept("kept", "CRI-O relabels nothing for such a container")
	case v.EmptyDir != nil && strings.HasPrefix(string(v.EmptyDir.Medium), string(corev1.StorageMediumHugePages)):
		kept("unknown", "whether hugetlbfs takes labels is not modelled")
	case relabelled(v):
		l.Why = "the kubelet has made it, and has the engine relabel every file"
	case pvc != nil && pvc.ReadOnly || v.CSI != nil && v.CSI.ReadOnly != nil && *v.CSI.ReadOnly || v.ISCSI != nil && v.ISCSI.ReadOnly || v.FC != nil && v.FC.ReadOnly || v.RBD != nil && v.RBD.ReadOnly:
		kept("kept", "a volume whose source is read-only is not relabelled")
	case pvc != nil || v.CSI != nil || v.Ephemeral != nil || v.ISCSI != nil || v.FC != nil || v.RBD != nil:
		l.Why = "by the engine, file by file, if the plugin's filesystem takes labels"
	case v.NFS != nil || v.Glusterfs != nil || v.CephFS != nil:
		kept("kept", "the filesystem is labelled as a whole by whoever mounts it")
	default:
		kept("unknown", "whether its plugin has it relabelled is not modelled")
	}
	if l.bare && l.How == "relabelled" {
		l.Why += "; the container's own processes are not confined anyway"
	}
	return l
}

// byMount reports whether the kubelet mounts volumes with the Pod's label: since 1.37 where nobody says otherwise, and only where the
// whole label is known beforehand.
func (b *builder) byMount(x Contexts) bool {
	policy := b.psc.SELinuxChangePolicy
	switch {
	case !x.Asked || !levelled(x.Files):
		return false
	case policy != nil:
		return *policy == corev1.SELinuxChangePolicyMountOption
	}
	return !b.kubeletBefore(1, 37)
}

// LabelConflict is a volume that containers use under labels that exclude each other.
type LabelConflict struct {
	Volume string   `json:"volume"`
	Users  []string `json:"users"`
	Text   string   `json:"text"`
	Fixes  []string `json:"fixes"`
}

// use is one container's use of a volume.
type use struct {
	pod, who, label, how string
	level                string // whose: a level that an engine has picked is the same for one Pod, or one container
	bare                 bool
}

// Conflicts compares what containers do with volumes that they share, in one Pod or in several.
func Conflicts(pods []PodLabels) []LabelConflict {
	shared := map[string][]use{}
	for i := range pods {
		p := &pods[i]
		pod := fmt.Sprint(i)
		for _, c := range p.Containers {
			level := map[string]string{"shared": pod, "own": pod + "/" + c.Container}[c.Level]
			seen := map[string]bool{} // a volume may be mounted twice
			for _, v := range c.Volumes {
				key := v.shared
				if key == "" {
					key = v.Kind + " " + v.Volume + " of " + p.Pod
				}
				if (v.How == "relabelled" || v.How == "mounted") && !seen[key] {
					seen[key] = true
					shared[key] = append(shared[key], use{pod, p.Pod + " container " + c.Container, v.Label, v.How, level, v.bare})
				}
			}
		}
	}
	out := []LabelConflict{}
	for volume, uses := range shared {
		if c, ok := compare(uses); ok {
			c.Volume = volume
			slices.SortFunc(uses, func(x, y use) int { return strings.Compare(x.who, y.who) })
			for _, u := range uses {
				c.Users = append(c.Users, fmt.Sprintf("%s: %s", u.who, u.label))
			}
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(x, y LabelConflict) int { return strings.Compare(x.Volume, y.Volume) })
	return out
}

// compare finds out whether the uses of one volume exclude each other.
func compare(uses []use) (c LabelConflict, found bool) {
	var mounted, relabelled, differ, pods, confined bool
	given := "s0:c1,c2"
	for _, u := range uses {
		mounted, relabelled = mounted || u.how == "mounted", relabelled || u.how == "relabelled"
		differ = differ || u.label != uses[0].label || u.level != uses[0].level
		pods = pods || u.pod != uses[0].pod
		confined = confined || !u.bare
		if parts := strings.SplitN(u.label, ":", 4); len(parts) == 4 {
			given = parts[3]
		}
	}
	switch {
	case differ && mounted:
		c.Text = "where it is mounted with context= it has one label: on the same node whoever comes second waits in ContainerCreating (conflicting SELinux labels of volume)"
	case mounted && relabelled:
		c.Text = "some Pods have it mounted with context= and others relabelled (seLinuxChangePolicy): on the same node whoever comes second may wait in ContainerCreating"
		c.Fixes = []string{"the same seLinuxChangePolicy in all of them"}
		return c, true
	case differ && confined:
		c.Text = "whoever starts last relabels all files, and the others that SELinux confines are refused from then on"
	default:
		return c, false
	}
	where := "in the Pod's securityContext, and no other in its containers"
	if pods {
		where = "in the securityContext of all Pods, which may then use one another's files"
	}
	c.Fixes = append(c.Fixes, "seLinuxOptions: {level: \""+given+"\"} "+where)
	if mounted && pods {
		c.Fixes = append(c.Fixes, "seLinuxChangePolicy: Recursive in all Pods, which lets them start; those that SELinux confines still need one level")
	}
	return c, true
}

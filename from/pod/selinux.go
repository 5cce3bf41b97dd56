package pod

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/story"
	"syscallstory/world"
)

// Contexts are what the engine gives a container where SELinux is active: containerd's and CRI-O's library is the same
// (opencontainers/selinux, InitLabels), and Debian's and Fedora's lxc_contexts name the same types. A context without a level has
// one that the engine picks: two categories that no other container has.
type Contexts struct {
	Process string
	Files   string // of the root filesystem, /dev and volumes that are relabelled
	// Shared: containers of the Pod that have no seLinuxOptions share the level.
	Shared bool
	Asked  bool // seLinuxOptions name some of it
	At     story.Origin
}

// options are the container's seLinuxOptions: they replace the Pod's as a whole.
func (b *builder) options() (*corev1.SELinuxOptions, string) {
	if se := b.sc.SELinuxOptions; se != nil {
		return se, b.scField("seLinuxOptions")
	}
	return b.psc.SELinuxOptions, b.p.Path + ".securityContext.seLinuxOptions"
}

// contexts notes which contexts the container gets. What it asks for counts as a label; what the engine gives by itself counts where
// SELinux is known to be active.
func (b *builder) contexts() {
	c := b.engineContexts()
	b.files = world.Given(c.Files, c.At)
	l := world.Label{Module: "selinux", Value: c.Process, At: c.At}
	if c.Asked || b.LSMs.Known() && slices.Contains(b.LSMs.V, "selinux") {
		b.Task.Labels = append(b.Task.Labels, l)
	}
	b.Task.EngineLabel = l
}

func (b *builder) engineContexts() Contexts {
	se, at := b.options()
	if b.privileged() {
		return Contexts{Process: "system_u:system_r:spc_t:s0", Files: "system_u:object_r:container_file_t", At: b.Suppose("the engine gives a privileged container no context of its own, so that its processes are spc_t", "")}
	}
	c := Contexts{Shared: true}
	if se == nil {
		se = &corev1.SELinuxOptions{}
		c.At = b.Suppose("the engine gives the container its default SELinux context", "")
	} else {
		c.Shared, c.Asked, c.At = false, true, b.field(at)
	}
	or := func(v, otherwise string) string {
		if v == "" {
			return otherwise
		}
		return v
	}
	user := or(se.User, "system_u")
	c.Process = user + ":" + or(se.Role, "system_r") + ":" + or(se.Type, "container_t")
	c.Files = user + ":object_r:container_file_t"
	if se.Level != "" {
		c.Process, c.Files = c.Process+":"+se.Level, c.Files+":"+se.Level
	}
	return c
}

// relabelled reports whether the engine gives the files of a volume the container's label: those that the kubelet makes by itself.
// A hostPath keeps its labels; of other volumes the plugin decides.
func relabelled(v *corev1.Volume) bool {
	return v.EmptyDir != nil || v.ConfigMap != nil || v.Secret != nil || v.Projected != nil || v.DownwardAPI != nil
}

// unlabelled are the options of a filesystem of the node that was mounted as most are.
func (b *builder) unlabelled() world.Fact[world.MountContexts] {
	return world.Given(world.MountContexts{}, b.Suppose("the node's filesystems are mounted without context=", ""))
}

// labelled are the options of a filesystem that the engine mounts with the container's label.
func (b *builder) labelled() world.Fact[world.MountContexts] {
	return world.Given(world.MountContexts{Context: b.files.V}, b.files.At)
}

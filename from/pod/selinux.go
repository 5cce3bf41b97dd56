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
	Files   string // of the root filesystem, /dev and volumes that are relabelled; "": the policy's, which is not known
	// Shared: the level that the engine picks is that of the Pod's sandbox, which other containers of the Pod get too.
	Shared bool
	Asked  bool   // seLinuxOptions name some of the process' context
	Bare   string // why the engine gives the processes no context of its own, so that the policy's transition makes them spc_t; "": it gives one
	At     story.Origin
}

// options are the container's seLinuxOptions. They replace the Pod's as a whole (kubelet's DetermineEffectiveSecurityContext), but
// empty ones leave containerd with those of the Pod's sandbox, and CRI-O fills in each part from the sandbox.
func (b *builder) options() (*corev1.SELinuxOptions, string) {
	se, pod := b.sc.SELinuxOptions, b.psc.SELinuxOptions
	if se == nil || *se == (corev1.SELinuxOptions{}) {
		return pod, b.p.Path + ".securityContext.seLinuxOptions"
	}
	if b.engine == "cri-o" && pod != nil {
		merged := *pod
		for _, part := range []struct {
			own  string
			into *string
		}{{se.User, &merged.User}, {se.Role, &merged.Role}, {se.Type, &merged.Type}, {se.Level, &merged.Level}} {
			if part.own != "" {
				*part.into = part.own
			}
		}
		se = &merged
	}
	return se, b.scField("seLinuxOptions")
}

// bare says why the engine gives the processes no context: containerd's CRI plugin for privileged containers only, CRI-O where they share
// processes or IPC with the host too (no container's label would do there), and on the host's network as hostnetwork_disable_selinux is set.
func (b *builder) bare() string {
	spec := &b.p.Spec
	switch crio := b.engine == "cri-o"; {
	case b.privileged():
		return "privileged"
	case crio && spec.HostPID:
		return "hostPID"
	case crio && spec.HostIPC:
		return "hostIPC"
	case crio && spec.HostNetwork:
		return "hostNetwork, as CRI-O's hostnetwork_disable_selinux is true by default"
	}
	return ""
}

// contexts notes which contexts the container gets. What it asks for counts as a label; what the engine gives by itself counts where
// SELinux is known to be active.
func (b *builder) contexts() {
	c := b.engineContexts()
	if b.files = world.Given(c.Files, c.At); c.Files == "" {
		b.files.At = b.Miss("CRI-O gives no label to the files of a container that shares processes or IPC with the host: they have the policy's", "a live container with --pid")
	}
	l := world.Label{Module: "selinux", Value: c.Process, At: c.At}
	if c.Asked || b.LSMs.Known() && slices.Contains(b.LSMs.V, "selinux") {
		b.Task.Labels = append(b.Task.Labels, l)
	}
	b.Task.EngineLabel = l
}

func (b *builder) engineContexts() Contexts {
	se, at := b.options()
	c := Contexts{Shared: true, Bare: b.bare()}
	if se == nil || *se == (corev1.SELinuxOptions{}) {
		se = &corev1.SELinuxOptions{}
		c.At = b.Suppose("the engine gives the container its default SELinux context", "")
	} else {
		c.Shared, c.Asked, c.At = b.engine == "cri-o", true, b.field(at)
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
	if c.Bare != "" {
		c.Process, c.Asked = unconfined, false
		c.At = b.Suppose("the engine gives the container's processes no context of its own ("+c.Bare+"), so that they are spc_t", "")
		if b.engine == "cri-o" && (b.p.Spec.HostPID || b.p.Spec.HostIPC) {
			c.Files = ""
		}
	}
	return c
}

// unconfined is what the policy of container-selinux makes of a container's processes that get no context.
const unconfined = "system_u:system_r:spc_t:s0"

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

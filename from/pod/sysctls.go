package pod

import (
	"fmt"
	"strings"

	"syscallstory/story"
	"syscallstory/world"
)

// safeSysctls are the settings that every kubelet allows, with the minor release of 1.x since which it does (0: long ago).
var safeSysctls = map[string]int{"kernel.shm_rmid_forced": 0, "net.ipv4.ip_local_port_range": 0, "net.ipv4.tcp_syncookies": 0, "net.ipv4.ping_group_range": 0,
	"net.ipv4.ip_unprivileged_port_start": 0, "net.ipv4.ip_local_reserved_ports": 27, "net.ipv4.tcp_keepalive_time": 29, "net.ipv4.tcp_fin_timeout": 29,
	"net.ipv4.tcp_keepalive_intvl": 29, "net.ipv4.tcp_keepalive_probes": 29, "net.ipv4.tcp_rmem": 32, "net.ipv4.tcp_wmem": 32}

// sysctlNamespace says which namespace a setting belongs to, as the kubelet's NamespacedBy does.
func sysctlNamespace(name string) string {
	switch {
	case strings.HasPrefix(name, "net."):
		return "network"
	case name == "kernel.sem", strings.HasPrefix(name, "kernel.shm"), strings.HasPrefix(name, "kernel.msg"), strings.HasPrefix(name, "fs.mqueue."):
		return "IPC"
	case name == "kernel.domainname", name == "kernel.hostname":
		return "UTS"
	}
	return ""
}

// sysctls tells what the kubelet makes of securityContext.sysctls: the container is started only if it allows each of them.
func (b *builder) sysctls() {
	for i, c := range b.psc.Sysctls {
		name := strings.ReplaceAll(c.Name, "/", ".")
		r := world.Refusal{Code: story.SysctlRefused, Outcome: story.Deny, At: b.field(fmt.Sprintf("%s.securityContext.sysctls[%d].name", b.p.Path, i))}
		ns := sysctlNamespace(name)
		since, safe := safeSysctls[name]
		switch {
		case ns == "":
			r.Facts[0] = name + " belongs to no namespace: it would be set for the whole node"
		case ns == "network" && b.p.Spec.HostNetwork:
			r.Facts[0] = name + " belongs to the network namespace, which is the host's"
		case ns == "IPC" && b.p.Spec.HostIPC:
			r.Facts[0] = name + " belongs to the IPC namespace, which is the host's"
		case safe && since == 0:
			continue
		case safe:
			major, minor := 0, 0
			fmt.Sscanf(strings.TrimPrefix(b.kubeletVersion(), "v"), "%d.%d", &major, &minor)
			if major == 1 && minor >= since {
				continue
			}
			r.Facts[0] = fmt.Sprintf("%s is safe since Kubernetes 1.%d", name, since)
			if major == 0 {
				r.Outcome, r.At = story.Unknown, b.Miss("which release the kubelet has is not known", "--node FILE with kubelet.version")
				break
			}
			fallthrough
		default:
			r.Outcome = story.Unknown
			r.Facts[0] = name + " is unsafe, though it belongs to the " + ns + " namespace"
			r.At = b.Miss("whether the kubelet runs with --allowed-unsafe-sysctls for "+name+" is not known", "")
		}
		b.Refusals = append(b.Refusals, r)
	}
}

// kubeletVersion is the node's, empty where it is not known.
func (b *builder) kubeletVersion() string {
	if b.o.Node == nil {
		return ""
	}
	return b.o.Node.Kubelet.Version
}

package pod

import (
	"fmt"
	"strings"

	"syscallstory/kernel"
	"syscallstory/world"
)

// namespaces are those of the container: what it shares with the host, with its Pod, and has of its own. A user namespace of the
// Pod owns all but the host's.
func (b *builder) namespaces() error {
	t, spec := &b.Task, &b.p.Spec
	owner := t.Cred.UserNS
	host := b.InitialNamespaces(b.Text("the node"))
	t.NS = host
	own := func(k world.NSKind, name, why string) {
		parent := world.NamespaceID(0)
		if k == world.PIDNS {
			parent = host[k]
		}
		t.NS[k] = b.AddNamespace(world.Namespace{Kind: k, Owner: owner, Parent: parent, Name: name, At: b.Text(why)})
	}
	const pod = "the runtime makes it for the Pod's sandbox"
	switch {
	case !spec.HostNetwork:
		own(world.NetNS, "the Pod's", pod)
		own(world.UTSNS, "the Pod's", pod)
	case b.engine != "containerd": // which shares the host's name with its network
		t.NS[world.UTSNS] = b.AddNamespace(world.Namespace{Kind: world.UTSNS, At: b.Miss("whether the runtime shares the host's UTS namespace with hostNetwork is not known", "--node FILE with the engine")})
	}
	if !spec.HostIPC {
		own(world.IPCNS, "the Pod's", pod)
	}
	shared := spec.ShareProcessNamespace != nil && *spec.ShareProcessNamespace
	switch {
	case spec.HostPID:
	case shared:
		own(world.PIDNS, "the Pod's", pod)
	default:
		own(world.PIDNS, "the container's", "the runtime makes it for the container")
	}
	t.NS[world.CgroupNS] = b.AddNamespace(world.Namespace{Kind: world.CgroupNS, Name: "the container's",
		At: b.Miss("whether the container has a cgroup namespace of its own is not known", "a live container with --pid")})
	first := b.Text("the container's program has just been executed")
	t.Threads, t.FSUsers = world.Given(1, first), world.Given(1, first)
	if !b.p.Spec.HostIPC {
		b.NewIPCSettings(b.Text("a new IPC namespace"))
	}
	if err := b.network(); err != nil {
		return err
	}
	b.sysctls()
	return b.settings()
}

// network are the settings of the Pod's network namespace: what the manifest says, else what the runtime sets, else what every new
// one begins with. On the host's network the node's count.
func (b *builder) network() error {
	if b.p.Spec.HostNetwork {
		return nil
	}
	at := b.Text("a new network namespace")
	version := ""
	if b.o.Node != nil {
		version = b.o.Node.Engine.Version
	}
	unprivileged, known := opensPorts(b.engine, version)
	b.NewNetSettings(at)
	set := func(s kernel.Sysctl, runtime int, may bool) {
		switch {
		case !known && may:
			b.Sysctls[s].At = b.Miss(fmt.Sprintf("what the runtime sets %v to is not known", s), "--node FILE with the engine and its version, or securityContext.sysctls")
		case unprivileged && may:
			b.Sysctls[s] = world.Given(runtime, b.Text("the runtime, "+strings.TrimSpace(b.engine+" "+version)))
		}
	}
	set(kernel.IPUnprivilegedPortStart, 0, true)
	// In a user namespace the runtime leaves it: its last group has no number there.
	set(kernel.PingGroupRange, kernel.PackRange(0, 1<<31-1), b.Task.Cred.UserNS == 0)
	if b.engine == "cri-o" {
		b.Sysctls[kernel.PingGroupRange] = world.Given(kernel.PackRange(0, 0), b.Text("the runtime, cri-o"))
	}
	return nil
}

// settings are those of the manifest that belong to the Pod's network and IPC namespaces.
func (b *builder) settings() error {
	for i, c := range b.psc.Sysctls {
		s, ok := kernel.ParseSysctl(strings.ReplaceAll(c.Name, "/", "."))
		_, ipc := s.NewIPC()
		_, network := s.NewNet()
		if !ok || !ipc && !network || ipc && b.p.Spec.HostIPC || network && b.p.Spec.HostNetwork {
			continue
		}
		field := fmt.Sprintf("%s.securityContext.sysctls[%d].value", b.p.Path, i)
		v, err := s.ParseValue(c.Value)
		if err != nil {
			return b.p.Doc.Fail(field, "%s: %q is no value for it", c.Name, c.Value)
		}
		b.Sysctls[s] = world.Given(v, b.field(field))
	}
	return nil
}

// opensPorts reports whether an engine lets everybody in a container use low ports and ping: containerd does so from 2.0 on by
// default (enable_unprivileged_ports, enable_unprivileged_icmp), Docker from 20.10 on.
func opensPorts(engine, version string) (yes, known bool) {
	major, _, _ := strings.Cut(version, ".")
	switch {
	case engine == "cri-o":
		return false, true
	case engine == "containerd" && major != "":
		return major != "0" && major != "1", true
	case engine == "docker" && major != "":
		return len(major) == 2 && major >= "20", true
	}
	return false, false
}

// processes: a container's first process has the number 1 in a PID namespace of its own. What else runs there only the live
// container knows.
func (b *builder) processes() {
	s := b.p.Spec
	if b.Task.Shares&world.SharesPID == 0 && (s.ShareProcessNamespace == nil || !*s.ShareProcessNamespace) {
		b.Task.PID = 1
	}
	b.ProcessesAt = b.Miss("which other processes the container can see is not known", "--pid of the running container")
}

package pod

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/from/edits"
	"syscallstory/from/node"
	"syscallstory/kernel"
	"syscallstory/story"
)

// Sysctl offers another value of a setting: the Pod's own where it belongs to one of its namespaces, else the node's.
func (e *editor) Sysctl(s kernel.Sysctl, v int) {
	now := e.w.Sysctl(s)
	if now.Known() && (now.V == v || now.V == kernel.NotThere || edits.Settled(s, now.V)) {
		return
	}
	name, text := s.String(), edits.SysctlText(s, v)
	if ns := sysctlNamespace(name); ns != "" && !(ns == "network" && e.in.w.Spec.HostNetwork) {
		e.podYAML("securityContext.sysctls", "securityContext:\n  sysctls:\n  - name: "+name+"\n    value: \""+text+"\"", "set "+name+" to "+text+" for the Pod", "what "+name+" protects, in the Pod's "+ns+" namespace", story.Widens, func(in *Input) {
			psc := in.psc()
			psc.Sysctls = slices.DeleteFunc(slices.Clone(psc.Sysctls), func(c corev1.Sysctl) bool { return strings.ReplaceAll(c.Name, "/", ".") == name })
			psc.Sysctls = append(psc.Sysctls, corev1.Sysctl{Name: name, Value: text})
		})
		return
	}
	if e.in.o.Node == nil {
		return
	}
	exposes := "what " + name + " protects, to every process of the node"
	if strings.HasPrefix(name, "fs.protected_") {
		exposes = "every program on the node to attacks by prepared files and links"
	}
	e.add(story.Edit{Kind: "node", Path: name, Patch: "sysctl -w " + name + "=" + text, Text: "set " + name + " to " + text + " on the node", Exposes: exposes, Risk: story.Dangerous,
		Do: func(in *Input) { in.o.Node.Sysctls[name] = node.Setting(v) }})
}

// dropSysctl offers to leave out a setting that the kubelet does not allow.
func (e *editor) dropSysctl() {
	for _, c := range e.in.psc().Sysctls {
		name := strings.ReplaceAll(c.Name, "/", ".")
		if !strings.HasPrefix(e.r.Entry.Facts[0].Value, name+" ") {
			continue
		}
		pl := e.w.Place(e.r.Step.Fact[0])
		x := story.Edit{Kind: "yaml", Path: e.in.w.Path + ".securityContext.sysctls", Patch: "securityContext:\n  sysctls: # without " + c.Name, Text: "leave " + c.Name + " out", Exposes: "nothing: the setting stays what it is", Risk: story.Safe, Do: func(in *Input) {
			psc := in.psc()
			psc.Sysctls = slices.DeleteFunc(slices.Clone(psc.Sysctls), func(o corev1.Sysctl) bool { return o.Name == c.Name })
		}}
		if pl != nil {
			x.File, x.Line, x.Path = pl.File, pl.Line, pl.Path
		}
		e.add(x)
	}
}

// HostNetwork offers the node's network, with its addresses.
func (e *editor) HostNetwork() {
	if !e.in.w.Spec.HostNetwork {
		e.podYAML("hostNetwork", "hostNetwork: true", "run in the node's network", "the node's network, and what listens there, to the container", story.Dangerous, func(in *Input) { in.w.Spec.HostNetwork = true })
	}
}

// OwnNetwork offers a network of the Pod's own.
func (e *editor) OwnNetwork() {
	if e.in.w.Spec.HostNetwork {
		e.podYAML("hostNetwork", "hostNetwork: false", "run in a network of the Pod's own", "nothing: it loses the node's network", story.Safe, func(in *Input) { in.w.Spec.HostNetwork = false })
	}
}

// Limit has no words here: a Pod has no field for it, the engine gives every container of the node the same.
func (e *editor) Limit(edits.Resource) {}

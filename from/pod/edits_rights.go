package pod

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/from/edits"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// seccomp offers to let the call pass the filter.
func (e *editor) seccomp() {
	f := e.w.Task.Seccomp.Filters[0]
	at := e.w.Place(f.At)
	names := e.r.Filtered
	if len(names) == 0 {
		names = []string{e.r.Call.Name}
	}
	list := strings.Join(names, ", ")
	allow := func(in *Input) { in.allow = append(slices.Clone(in.allow), names...) }
	if f.JSON != nil {
		e.add(story.Edit{Kind: "profile", File: f.File, Path: "syscalls", Patch: fmt.Sprintf(`{"names": ["%s"], "action": "SCMP_ACT_ALLOW"}`, strings.Join(names, `", "`)), Text: "allow " + list + " in the profile " + f.File,
			Exposes: list + " to every container with this profile", Risk: story.Widens, Do: allow})
	}
	if f.Engine != "" {
		x := story.Edit{Kind: "yaml", Path: e.cpath + ".securityContext.seccompProfile", Patch: e.inContainer("securityContext:\n  seccompProfile:\n    type: Localhost\n    localhostProfile: " + e.c.Name + ".json"),
			Text: "use a Localhost profile that is " + f.Engine + "'s default and allows " + list + " too", Exposes: list + " to this container", Risk: story.Widens, Do: allow}
		if at != nil {
			x.File, x.Line = at.File, at.Line
		}
		e.add(x)
		for _, c := range []kernel.Cap{kernel.CapSysPtrace, kernel.CapSysChroot, kernel.CapSysTime, kernel.CapSyslog, kernel.CapSysNice, kernel.CapSysPacct, kernel.CapSysTtyConfig, kernel.CapDacReadSearch,
			kernel.CapSysBoot, kernel.CapSysRawio, kernel.CapBpf, kernel.CapPerfmon, kernel.CapSysModule, kernel.CapSysAdmin} {
			e.Capability(c)
		}
	}
	set := func(field, patch, text, exposes string, risk story.Risk, lastOut bool, p corev1.SeccompProfileType) {
		x := story.Edit{Kind: "yaml", Path: field, Patch: e.inContainer("securityContext:\n  seccompProfile:\n    type: " + patch), Text: text, Exposes: exposes, Risk: risk, LastOut: lastOut, Do: func(in *Input) {
			sc, _ := in.parts()
			(*sc).SeccompProfile = &corev1.SeccompProfile{Type: p}
		}}
		if at != nil {
			x.File, x.Line = at.File, at.Line
		}
		e.add(x)
	}
	field := e.cpath + ".securityContext.seccompProfile"
	if f.Engine == "" {
		set(field, "RuntimeDefault", "use the runtime's default profile", "every call that the runtime's default profile allows", story.Widens, false, corev1.SeccompProfileTypeRuntimeDefault)
	}
	set(field, "Unconfined", "run without a seccomp filter", "every syscall of the kernel", story.Dangerous, true, corev1.SeccompProfileTypeUnconfined)
}

// RunAs offers to run as another user.
func (e *editor) RunAs(uid, gid uint32) {
	if uid > 1<<31-1 {
		return
	}
	exposes, risk := fmt.Sprintf("every file of uid %d", uid), story.Widens
	if uid == 0 {
		exposes, risk = "every file of root in the container, and root's capabilities", story.Dangerous
	}
	v := int64(uid)
	e.yaml("runAsUser", fmt.Sprintf("runAsUser: %d", uid), fmt.Sprintf("run the container as uid %d", uid), exposes, risk, uid == 0, func(in *Input) {
		sc, _ := in.parts()
		(*sc).RunAsUser = &v
	})
}

// Group offers to put the task into a group, and for a volume to give it one of the Pod.
func (e *editor) Group(gid uint32) {
	if gid > 1<<31-1 {
		return
	}
	g := int64(gid)
	e.podYAML("securityContext.supplementalGroups", fmt.Sprintf("securityContext:\n  supplementalGroups: [%d]", gid), fmt.Sprintf("add the group %d", gid), fmt.Sprintf("every file of group %d", gid), story.Widens, func(in *Input) {
		in.psc().SupplementalGroups = append(in.psc().SupplementalGroups, g)
	})
	if e.w.FS.SBOf(e.obj.Dentry).Name == "host" || e.w.FS.SBOf(e.obj.Dentry).Overlay != nil {
		return
	}
	mine := int64(1000)
	if e.in.psc().FSGroup == nil {
		e.podYAML("securityContext.fsGroup", fmt.Sprintf("securityContext:\n  fsGroup: %d", mine), "let the kubelet give the volume a group of the Pod", "the volume to every process of that group", story.Safe, func(in *Input) { in.psc().FSGroup = &mine })
	}
}

// Capability offers a capability, by taking it off the dropped ones or by adding it.
func (e *editor) Capability(c kernel.Cap) {
	if e.w.Task.Cred.Bounding.Has(c) {
		return
	}
	name := strings.TrimPrefix(c.String(), "CAP_")
	risk := edits.CapRisk(c)
	drops := func(list *corev1.Capabilities, what string) bool {
		return list != nil && slices.ContainsFunc(list.Drop, func(d corev1.Capability) bool { return strings.EqualFold(string(d), what) })
	}
	var caps *corev1.Capabilities
	if e.c.SecurityContext != nil {
		caps = e.c.SecurityContext.Capabilities
	}
	if drops(caps, name) {
		e.yaml("capabilities.drop", "capabilities: # drop: without "+name, "do not drop "+name, edits.CapExposes(c), risk, false, func(in *Input) {
			sc, _ := in.parts()
			list := (*sc).Capabilities
			list.Drop = slices.DeleteFunc(list.Drop, func(d corev1.Capability) bool { return strings.EqualFold(string(d), name) })
			if !defaultCaps.Has(c) {
				list.Add = append(list.Add, corev1.Capability(name))
			}
		})
		e.half()
		return
	}
	e.yaml("capabilities.add", "capabilities:\n  add: ["+name+"]", "add the capability "+name, edits.CapExposes(c), risk, false, func(in *Input) {
		sc, _ := in.parts()
		if (*sc).Capabilities == nil {
			(*sc).Capabilities = &corev1.Capabilities{}
		}
		(*sc).Capabilities.Add = append((*sc).Capabilities.Add, corev1.Capability(name))
	})
	e.half()
}

// half marks the capability that was offered last, where the container does not run as root: it is then in the bounding set alone.
func (e *editor) half() {
	cr := &e.w.Task.Cred
	root, ok := e.w.UserNS[cr.UserNS].UIDs.Down(0)
	e.out[len(e.out)-1].Half = ok && cr.UIDAt.Known() && cr.EUID != world.KUID(root)
}

// NoNewPrivs offers to give up what execve could add.
func (e *editor) NoNewPrivs() {
	e.yaml("allowPrivilegeEscalation", "allowPrivilegeEscalation: false", "let no execve add privileges", "nothing: setuid programs and file capabilities stop working", story.Safe, false, func(in *Input) {
		sc, _ := in.parts()
		no := false
		(*sc).AllowPrivilegeEscalation = &no
	})
}

// InitialUserNS offers to run without a user namespace.
func (e *editor) InitialUserNS() {
	if h := e.in.w.Spec.HostUsers; h == nil || *h {
		return
	}
	e.podYAML("hostUsers", "hostUsers: true", "run in the host's user namespace", "the node to root in the container", story.Dangerous, func(in *Input) { in.w.Spec.HostUsers = nil })
	e.out[len(e.out)-1].LastOut = true
}

// UnmaskProc offers a /proc without masks and read-only parts, which the API server allows in a user namespace of the Pod only.
func (e *editor) UnmaskProc() {
	text, patch := "leave /proc as the kernel has it, with procMount: Unmasked", "procMount: Unmasked"
	own := e.in.w.Spec.HostUsers != nil && !*e.in.w.Spec.HostUsers
	if !own {
		text += " and a user namespace of the Pod's own, hostUsers: false, which that asks for"
		patch += "\n# and of the Pod: spec.hostUsers: false"
	}
	e.yaml("procMount", patch, text, "what is masked and read-only in /proc to the container, with the rights of the Pod's user namespace", story.Widens, false, func(in *Input) {
		sc, _ := in.parts()
		unmasked, no := corev1.UnmaskedProcMount, false
		(*sc).ProcMount, in.w.Spec.HostUsers = &unmasked, &no
	})
	e.privileged()
}

// privileged is what is left where the runtime itself closes something.
func (e *editor) privileged() {
	e.yaml("privileged", "privileged: true", "run the container privileged", "the whole node", story.Dangerous, true, func(in *Input) {
		sc, _ := in.parts()
		yes := true
		(*sc).Privileged, (*sc).AllowPrivilegeEscalation = &yes, nil
	})
}

// Device offers what a Pod has for devices.
func (e *editor) Device(*world.Inode) { e.privileged() }

// annotation offers the field that took the place of the first seccomp annotations.
func (e *editor) annotation() {
	key := firstKey + "container/" + e.c.Name
	value, ok := e.in.w.Meta.Annotations[key]
	if !ok {
		key = firstKey + "pod"
		value = e.in.w.Meta.Annotations[key]
	}
	p := &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	patch := "seccompProfile:\n  type: RuntimeDefault"
	if name, local := strings.CutPrefix(value, "localhost/"); local {
		name += ".json"
		p = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: &name}
		patch = "seccompProfile:\n  type: Localhost\n  localhostProfile: " + name
	} else if value == "unconfined" {
		p.Type, patch = corev1.SeccompProfileTypeUnconfined, "seccompProfile:\n  type: Unconfined"
	}
	e.yaml("seccompProfile", patch, "write the annotation as the field seccompProfile", "nothing: it is what the annotation asked for", story.Safe, false, func(in *Input) {
		sc, _ := in.parts()
		(*sc).SeccompProfile = p
		in.w.Meta.Annotations = maps.Clone(in.w.Meta.Annotations)
		maps.DeleteFunc(in.w.Meta.Annotations, func(k, _ string) bool { return strings.HasPrefix(k, firstKey) })
	})
}

package edits

import (
	"fmt"
	"slices"
	"strings"

	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// What a process has taken on (credentials, filters, namespaces) nobody changes from outside: it is started anew, by whoever has
// started it, with another setting.

// again offers a new start with a setting.
func (p *person) again(s start, text, exposes string, risk story.Risk, lastOut bool, do func(w *world.World) error) {
	patch, where := s.words(p.mgr)
	if patch == "" {
		return
	}
	p.add(story.Edit{Kind: "process", Path: where, Patch: patch, Text: "start it anew: " + text, Exposes: exposes, Risk: risk, LastOut: lastOut}, do)
}

// credentials changes those of the task.
func credentials(change func(w *world.World, cr *world.Cred, at story.Origin)) func(*world.World) error {
	return func(w *world.World) error {
		change(w, &w.Task.Cred, w.Text("the fix"))
		return nil
	}
}

// root reports whether the task is root of its user namespace, to whom execve gives what its bounding set has.
func root(w *world.World, cr *world.Cred) bool {
	id, ok := w.UserNS[cr.UserNS].UIDs.Down(0)
	return ok && cr.UIDAt.Known() && cr.EUID == world.KUID(id)
}

// CapExposes says what a capability opens.
func CapExposes(c kernel.Cap) string {
	switch c {
	case kernel.CapDacOverride:
		return "every file that the container can reach to reading and writing"
	case kernel.CapDacReadSearch:
		return "every file that the container can reach to reading"
	case kernel.CapFowner:
		return "every file that the container can reach to what its owner may do"
	}
	return "everything that " + c.String() + " stands for"
}

// CapRisk labels a capability: some of them are as good as root of the machine.
func CapRisk(c kernel.Cap) story.Risk {
	switch c {
	case kernel.CapSysAdmin, kernel.CapSysModule, kernel.CapSysRawio, kernel.CapBpf, kernel.CapSysPtrace:
		return story.Dangerous
	}
	return story.Widens
}

// Capability offers one more capability. Engines give those that they add to root alone, podman and systemd to anybody.
func (p *person) Capability(c kernel.Cap) {
	cr := &p.w.Task.Cred
	half := !root(p.w, cr) && slices.Contains([]string{"docker", "nerdctl", "kubernetes"}, p.mgr.Name)
	if !cr.EffectiveAt.Known() || cr.Effective.Has(c) || half && cr.Bounding.Has(c) || c >= kernel.NumCaps {
		return
	}
	name := strings.TrimPrefix(c.String(), "CAP_")
	low := strings.ToLower(name)
	n := len(p.out)
	p.again(start{engine: "--cap-add=" + name, pod: "securityContext:\n  capabilities:\n    add: [" + name + "]", unit: "CapabilityBoundingSet=" + c.String() + "\nAmbientCapabilities=" + c.String(),
		setpriv: "setpriv --inh-caps +" + low + " --ambient-caps +" + low + " PROGRAM"},
		"give it "+c.String(), CapExposes(c), CapRisk(c), false, credentials(func(_ *world.World, cr *world.Cred, at story.Origin) {
			cr.Bounding, cr.BoundingAt = cr.Bounding|world.Caps(c), at
			if !half {
				cr.Permitted, cr.Effective, cr.EffectiveAt = cr.Permitted|world.Caps(c), cr.Effective|world.Caps(c), at
			}
		}))
	if len(p.out) > n {
		p.out[n].Half = half
	}
}

// RunAs offers another user.
func (p *person) RunAs(uid, gid uint32) {
	cr := &p.w.Task.Cred
	ns := &p.w.UserNS[cr.UserNS]
	kuid, ok := ns.UIDs.Down(uid)
	group, _ := ns.GIDs.Up(uint32(cr.EGID))
	if !ok || uid == world.Invalid || cr.UIDAt.Known() && cr.EUID == world.KUID(kuid) {
		return
	}
	exposes, risk := fmt.Sprintf("every file of uid %d", uid), story.Widens
	if uid == 0 {
		exposes, risk = "every file of root in the container, and root's capabilities", story.Dangerous
	}
	user := fmt.Sprintf("%d:%d", uid, group)
	p.again(start{engine: "--user " + user, pod: fmt.Sprintf("securityContext:\n  runAsUser: %d", uid), unit: fmt.Sprintf("User=%d\nGroup=%d", uid, group), setpriv: fmt.Sprintf("setpriv --reuid %d --regid %d --keep-groups PROGRAM", uid, group)},
		fmt.Sprintf("run it as uid %d", uid), exposes, risk, uid == 0, credentials(func(w *world.World, cr *world.Cred, at story.Origin) {
			k := world.KUID(kuid)
			cr.RUID, cr.EUID, cr.SUID, cr.FSUID, cr.UIDAt = k, k, k, k, at
			cr.Permitted, cr.Effective = cr.Ambient, cr.Ambient
			if root(w, cr) {
				cr.Permitted, cr.Effective = cr.Bounding, cr.Bounding
			}
			cr.EffectiveAt = at
		}))
}

// Group offers another group.
func (p *person) Group(gid uint32) {
	cr := &p.w.Task.Cred
	k, ok := p.w.UserNS[cr.UserNS].GIDs.Down(gid)
	if !ok || gid == world.Invalid || cr.InGroup(world.KGID(k)) {
		return
	}
	p.again(start{engine: fmt.Sprintf("--group-add %d", gid), pod: fmt.Sprintf("securityContext:\n  supplementalGroups: [%d]", gid), unit: fmt.Sprintf("SupplementaryGroups=%d", gid), setpriv: fmt.Sprintf("setpriv --groups %d PROGRAM", gid)},
		fmt.Sprintf("add the group %d", gid), fmt.Sprintf("every file of group %d", gid), story.Widens, false, credentials(func(_ *world.World, cr *world.Cred, at story.Origin) {
			cr.Groups = append(slices.Clone(cr.Groups), world.KGID(k))
			slices.Sort(cr.Groups)
			cr.GroupsAt = at
		}))
}

// NoNewPrivs offers to give up what execve could add.
func (p *person) NoNewPrivs() {
	p.again(start{engine: "--security-opt no-new-privileges", pod: "securityContext:\n  allowPrivilegeEscalation: false", unit: "NoNewPrivileges=yes", setpriv: "setpriv --no-new-privs PROGRAM"},
		"let no execve add privileges", "nothing: setuid programs and file capabilities stop working", story.Safe, false, credentials(func(_ *world.World, cr *world.Cred, at story.Origin) {
			cr.NoNewPrivs, cr.NoNewAt = true, at
		}))
}

// InitialUserNS offers to do without a user namespace.
func (p *person) InitialUserNS() {
	if p.w.Task.Cred.UserNS == 0 {
		return
	}
	p.again(start{engine: "--userns=host", pod: "hostUsers: true", unit: "PrivateUsers=no", setpriv: "start it in the initial user namespace"},
		"run it in the initial user namespace", "the machine to root in the container", story.Dangerous, true, func(w *world.World) error {
			leave(w)
			return nil
		})
}

// leave puts the task, with the namespaces and filesystems that its user namespace owns, into the initial one.
func leave(w *world.World) {
	cr := &w.Task.Cred
	old := cr.UserNS
	ns := &w.UserNS[old]
	user := func(k world.KUID) world.KUID {
		id, _ := ns.UIDs.Up(uint32(k))
		return world.KUID(id)
	}
	group := func(k world.KGID) world.KGID {
		id, _ := ns.GIDs.Up(uint32(k))
		return world.KGID(id)
	}
	cr.RUID, cr.EUID, cr.SUID, cr.FSUID = user(cr.RUID), user(cr.EUID), user(cr.SUID), user(cr.FSUID)
	cr.RGID, cr.EGID, cr.SGID, cr.FSGID = group(cr.RGID), group(cr.EGID), group(cr.SGID), group(cr.FSGID)
	cr.Groups = slices.Clone(cr.Groups)
	for i := range cr.Groups {
		cr.Groups[i] = group(cr.Groups[i])
	}
	slices.Sort(cr.Groups)
	cr.UserNS = 0
	for i := range w.MountNS {
		if w.MountNS[i].Owner == old {
			w.MountNS[i].Owner = 0
		}
	}
	for i := range w.Namespaces {
		if w.Namespaces[i].Owner == old {
			w.Namespaces[i].Owner = 0
		}
	}
	for i := 1; i < w.FS.NumSB(); i++ {
		if sb := w.FS.SB(world.SBID(i)); sb.UserNS == old {
			sb.UserNS = 0
		}
	}
}

// HostNetwork has no words here: which addresses the machine has is not in the world.
func (p *person) HostNetwork() {}

// OwnNetwork offers a network namespace that the task's user namespace owns.
func (p *person) OwnNetwork() {
	p.again(start{engine: "--network=bridge", pod: "hostNetwork: false", unit: "PrivateNetwork=yes", setpriv: "unshare --net PROGRAM"},
		"give it a network of its own", "nothing: it loses the machine's network", story.Safe, false, func(w *world.World) error {
			w.Task.NS[world.NetNS] = w.AddNamespace(world.Namespace{Kind: world.NetNS, Owner: w.Task.Cred.UserNS, Name: "its own", At: w.Text("the fix")})
			w.Task.Shares &^= world.SharesNet
			return nil
		})
}

// UnmaskProc has no words here: what lies below the masks was not read.
func (p *person) UnmaskProc() {}

// Device offers a device to the container.
func (p *person) Device(ino *world.Inode) {
	typ := byte('c')
	if ino.Is(world.TypeBlk) {
		typ = 'b'
	}
	rule := world.DeviceRule{Type: typ, Major: int64(ino.Major), Minor: int64(ino.Minor), Access: "rwm"}
	p.again(start{engine: "--device=" + quote(p.r.Path), unit: "DeviceAllow=" + p.r.Path + " rwm", setpriv: fmt.Sprintf("allow %c %d:%d rwm in its devices cgroup", typ, ino.Major, ino.Minor)},
		"let it use "+p.r.Path, p.r.Path, story.Widens, false, func(w *world.World) error {
			w.Task.Devices.Rules = append(slices.Clone(w.Task.Devices.Rules), rule)
			return nil
		})
}

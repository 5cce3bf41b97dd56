package pod

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/from/files"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// The capabilities that a runtime gives where the Pod asks for nothing else.
var (
	defaultCaps = world.Caps(kernel.CapChown, kernel.CapDacOverride, kernel.CapFsetid, kernel.CapFowner, kernel.CapMknod, kernel.CapNetRaw, kernel.CapSetgid,
		kernel.CapSetuid, kernel.CapSetfcap, kernel.CapSetpcap, kernel.CapNetBindService, kernel.CapSysChroot, kernel.CapKill, kernel.CapAuditWrite)
	crioCaps = world.Caps(kernel.CapChown, kernel.CapDacOverride, kernel.CapFsetid, kernel.CapFowner, kernel.CapSetgid, kernel.CapSetuid, kernel.CapSetpcap,
		kernel.CapNetBindService, kernel.CapKill)
)

// podIDs is how many ids a Pod with hostUsers: false gets.
const podIDs = 65536

// userNS makes the Pod's user namespace where hostUsers is false. Which ids of the host it gets is up to the kubelet; no
// answer depends on them, as every volume and the image are mounted with the same map.
func (b *builder) userNS() error {
	if h := b.p.Spec.HostUsers; h == nil || *h {
		return nil
	}
	first := uint32(podIDs)
	m := world.IDMap{{Inside: 0, Outside: first, Count: podIDs}}
	b.UserNS = append(b.UserNS, world.UserNS{Level: 1, UIDs: m, GIDs: m, Name: "the Pod's user namespace"})
	b.Task.Cred.UserNS = 1
	b.Assume(fmt.Sprintf("the kubelet gives the Pod the host's ids %d to %d", first, first+podIDs-1), "")
	return nil
}

// kuid maps an id of the container to the initial user namespace.
func (b *builder) kid(id uint32) uint32 {
	k, _ := b.UserNS[b.Task.Cred.UserNS].UIDs.Down(id)
	return k
}

// users are the image's /etc/passwd and /etc/group.
type users struct {
	gids   map[uint32]uint32   // primary group by uid
	names  map[uint32]string   // name by uid
	groups map[string][]uint32 // groups that list a name
}

// readUsers reads the image's user database; nil where it is not known.
func (b *builder) readUsers() *users {
	switch {
	case b.passwd != nil:
		return b.passwd
	case b.o.Rootfs == "":
		return nil
	}
	u := &users{gids: map[uint32]uint32{}, names: map[uint32]string{}, groups: map[string][]uint32{}}
	b.passwd = u
	if b.embedded() {
		u.gids[0], u.names[0] = 0, "root"
		return u
	}
	lines := func(name string, fields int, f func([]string)) {
		text, err := files.ReadFile(b.o.Rootfs, name, 1<<20)
		if err != nil {
			return // the runtime takes a missing file for an empty one
		}
		for _, l := range strings.Split(string(text), "\n") {
			if p := strings.Split(l, ":"); len(p) >= fields {
				f(p)
			}
		}
	}
	num := func(s string) (uint32, bool) {
		n, err := strconv.ParseUint(s, 10, 32)
		return uint32(n), err == nil
	}
	lines("etc/passwd", 4, func(p []string) {
		uid, ok1 := num(p[2])
		gid, ok2 := num(p[3])
		if _, dup := u.gids[uid]; ok1 && ok2 && !dup {
			u.gids[uid], u.names[uid] = gid, p[0]
		}
	})
	lines("etc/group", 4, func(p []string) {
		if gid, ok := num(p[2]); ok {
			for _, n := range strings.Split(p[3], ",") {
				u.groups[n] = append(u.groups[n], gid)
			}
		}
	})
	return u
}

// credentials works out ids and capability sets as they are after execve of the container's command.
func (b *builder) credentials() error {
	cr := &b.Task.Cred
	pick := func(v, pv *int64, name string) (uint32, story.Origin) {
		switch {
		case v != nil:
			return uint32(*v), b.field(b.scField(name))
		case pv != nil:
			return uint32(*pv), b.field(b.p.Path + ".securityContext." + name)
		}
		return 0, 0
	}
	uid, uidAt := pick(b.sc.RunAsUser, b.psc.RunAsUser, "runAsUser")
	gid, gidAt := pick(b.sc.RunAsGroup, b.psc.RunAsGroup, "runAsGroup")
	given := uidAt != 0
	if !given {
		uidAt = b.Miss("the image's USER is not known", "--uid, or runAsUser")
		if b.embedded() {
			uidAt = b.Text("USER root of the embedded image")
		}
	}
	u := b.readUsers()
	if gidAt == 0 {
		switch {
		case u == nil:
			gidAt = b.Miss("the group that the image's /etc/passwd gives the user is not known", "--rootfs, --gid, or runAsGroup")
		case !uidAt.Known():
			gidAt = uidAt
		default:
			gid, gidAt = u.gids[uid], b.Text(fmt.Sprintf("the group that the image's /etc/passwd gives uid %d", uid))
		}
	}
	cr.GroupsAt = gidAt
	strict := b.psc.SupplementalGroupsPolicy != nil && *b.psc.SupplementalGroupsPolicy == corev1.SupplementalGroupsPolicyStrict
	var groups []uint32
	switch {
	case strict:
		cr.GroupsAt = b.field(b.p.Path + ".securityContext.supplementalGroupsPolicy")
	case u == nil || !uidAt.Known():
		cr.GroupsAt = b.Miss("the groups that the image's /etc/group gives the user are not known", "--rootfs, --groups, or supplementalGroupsPolicy: Strict")
	default:
		groups = append(groups, u.groups[u.names[uid]]...)
		cr.GroupsAt = b.Text("the image's /etc/group and the Pod's supplementalGroups")
	}
	for _, g := range b.psc.SupplementalGroups {
		groups = append(groups, uint32(g))
	}
	if b.psc.FSGroup != nil {
		groups = append(groups, uint32(*b.psc.FSGroup))
	}
	for _, g := range groups {
		cr.Groups = append(cr.Groups, world.KGID(b.kid(g)))
	}
	slices.Sort(cr.Groups)
	cr.Groups = slices.Compact(cr.Groups)
	k, kg := world.KUID(b.kid(uid)), world.KGID(b.kid(gid))
	cr.RUID, cr.EUID, cr.SUID, cr.FSUID = k, k, k, k
	cr.RGID, cr.EGID, cr.SGID, cr.FSGID = kg, kg, kg, kg
	cr.UIDAt, cr.GIDAt = uidAt, gidAt
	nonRoot, at := b.sc.RunAsNonRoot, b.scField("runAsNonRoot")
	if nonRoot == nil {
		nonRoot, at = b.psc.RunAsNonRoot, b.p.Path+".securityContext.runAsNonRoot"
	}
	if nonRoot != nil && *nonRoot {
		r := world.Refusal{Code: story.RunAsNonRoot, Outcome: story.Allow, Number: uint64(uid), At: b.field(at)}
		if !uidAt.Known() {
			r.Outcome, r.At = story.Unknown, uidAt
		} else if uid == 0 {
			r.Outcome = story.Deny
		}
		b.Refusals = append(b.Refusals, r)
	}
	return b.capabilities()
}

// DefaultCaps are the capabilities that an engine gives a container that asks for none.
func DefaultCaps(engine string) world.CapSet {
	if engine == "cri-o" {
		return crioCaps
	}
	return defaultCaps
}

// capabilities works out the bounding set as containerd's WithCapabilities does: the default, all for an added ALL, none for
// a dropped one, then what is added by name, then what is dropped by name.
func (b *builder) capabilities() error {
	cr := &b.Task.Cred
	caps, at := DefaultCaps(b.engine), b.Text("the runtime's default capabilities")
	if b.engine == "" {
		at = b.Assume("the runtime's default capabilities are the 14 of containerd and Docker", "--node FILE")
	}
	switch list := b.sc.Capabilities; {
	case b.privileged():
		caps, at = world.AllCaps, b.field(b.scField("privileged"))
	case list != nil:
		at = b.field(b.scField("capabilities"))
		add, addAll, err := b.capList(list.Add, "add")
		if err != nil {
			return err
		}
		drop, dropAll, err := b.capList(list.Drop, "drop")
		if err != nil {
			return err
		}
		if addAll {
			caps = world.AllCaps
		}
		if dropAll {
			caps = 0
		}
		caps = (caps | add) &^ drop
	}
	cr.Bounding, cr.BoundingAt = caps, at
	cr.EffectiveAt, cr.NoNewAt = at, at
	switch {
	case !cr.UIDAt.Known():
		cr.EffectiveAt = cr.UIDAt
	case cr.EUID == world.KUID(b.kid(0)):
		cr.Permitted, cr.Effective = caps, caps
	case caps != 0:
		cr.EffectiveAt = cr.UIDAt
	}
	b.Assume("the container's program is neither setuid nor has file capabilities", "")
	if ape := b.sc.AllowPrivilegeEscalation; ape != nil && !*ape {
		cr.NoNewPrivs, cr.NoNewAt = true, b.field(b.scField("allowPrivilegeEscalation"))
	}
	return nil
}

// capList reads a list of capabilities. Kubernetes writes them without CAP_ and the runtime puts it in front, so that
// CAP_CHOWN becomes a name that no kernel has.
func (b *builder) capList(list []corev1.Capability, name string) (set world.CapSet, all bool, err error) {
	for i, n := range list {
		at := fmt.Sprintf("%s[%d]", b.scField("capabilities."+name), i)
		c, ok := kernel.ParseCap(string(n))
		switch {
		case strings.EqualFold(string(n), "ALL"):
			all = true
		case !ok:
			return 0, false, b.p.Doc.Fail(at, "unknown capability %s", n)
		case len(n) > 4 && strings.EqualFold(string(n[:4]), "CAP_"):
			pl := b.p.at(at)
			b.Findings = append(b.Findings, story.Finding{Severity: "error", At: &pl,
				Text: fmt.Sprintf("capabilities are written without CAP_: the runtime looks for CAP_%s, which runc ignores and crun refuses", strings.ToUpper(string(n)))})
		default:
			set |= world.Caps(c)
		}
	}
	return set, all, nil
}

// labels notes what the Pod asks of the security modules.
func (b *builder) labels() error {
	t := &b.Task
	b.contexts()
	aa, at := b.sc.AppArmorProfile, b.scField("appArmorProfile")
	if aa == nil {
		aa, at = b.psc.AppArmorProfile, b.p.Path+".securityContext.appArmorProfile"
	}
	value, key := "", "container.apparmor.security.beta.kubernetes.io/"+b.c.Name
	switch old := b.p.Meta.Annotations[key]; {
	case aa != nil && aa.Type == corev1.AppArmorProfileTypeUnconfined || aa == nil && old == "unconfined" || b.privileged():
		value = "unconfined"
	case aa != nil && aa.Type == corev1.AppArmorProfileTypeLocalhost && aa.LocalhostProfile != nil:
		value = *aa.LocalhostProfile
	case aa != nil:
		value = "the runtime's default profile"
	case old != "":
		value, at = old, b.metadata("annotations[\""+key+"\"]")
	}
	if value != "" && (aa != nil || b.p.Meta.Annotations[key] != "") {
		t.Labels = append(t.Labels, world.Label{Module: "apparmor", Value: value, At: b.field(at)})
	}
	return nil
}

// metadata is the path of a field of the metadata of the pod template.
func (b *builder) metadata(field string) string {
	return strings.TrimSuffix(b.p.Path, "spec") + "metadata." + field
}

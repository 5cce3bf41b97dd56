package pod

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/from/files"
	"syscallstory/from/node"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Options are the facts that no manifest holds.
type Options struct {
	Container string
	Rootfs    string // a directory, "embedded", or empty: not given
	HostRoot  string // a directory, or empty
	Node      *node.Node
	Owners    []byte // mtree specification of the host root's owners
	OwnersAt  string
	Merger    world.Merger
}

// defaultCaps are containerd's and Docker's.
var defaultCaps = world.Caps(kernel.CapChown, kernel.CapDacOverride, kernel.CapFsetid, kernel.CapFowner, kernel.CapMknod, kernel.CapNetRaw, kernel.CapSetgid,
	kernel.CapSetuid, kernel.CapSetfcap, kernel.CapSetpcap, kernel.CapNetBindService, kernel.CapSysChroot, kernel.CapKill, kernel.CapAuditWrite)

// embedded is the tiny root filesystem of --rootfs embedded.
const embedded = "/set uid=0 gid=0\n. type=dir mode=0755\n./bin type=dir mode=0755\n./bin/sh type=file mode=0755 size=1024\n./etc type=dir mode=0755\n" +
	"./etc/passwd type=file mode=0644 size=30\n./tmp type=dir mode=1777\n./var type=dir mode=0755\n./var/log type=dir mode=0755\n./dev type=dir mode=0755\n./proc type=dir mode=0555\n./sys type=dir mode=0555\n"

// builder makes the world of one container.
type builder struct {
	*world.World
	o    Options
	p    *Workload
	c    *corev1.Container
	path string // of the container in the document
	host world.SBID
	root world.MountID
}

// World builds the world of the first process of a container.
func (w *Workload) World(o Options) (*world.World, error) {
	c, cpath, err := w.Container(o.Container)
	if err != nil {
		return nil, err
	}
	b := &builder{World: world.New(), o: o, p: w, c: c, path: cpath}
	b.Subject = story.Subject{Kind: w.Kind, Name: w.Meta.Name, Namespace: w.Meta.Namespace, Container: c.Name, File: w.Doc.File}
	b.Sources = []story.Source{{File: w.Doc.File, First: 1, Lines: w.Doc.Lines()}}
	o.Node.Apply(b.World)
	for _, step := range []func() error{b.credentials, b.seccomp, b.rootfs, b.volumes, b.rest} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.World, nil
}

func (b *builder) field(name string) story.Origin { return b.Add(b.p.at(name)) }

// credentials works out ids and capability sets as they are after execve of the container's command.
func (b *builder) credentials() error {
	t, sc, psc := &b.Task, b.c.SecurityContext, b.p.Spec.SecurityContext
	if sc == nil {
		sc = &corev1.SecurityContext{}
	}
	if psc == nil {
		psc = &corev1.PodSecurityContext{}
	}
	cr := &t.Cred
	set := func(v, pv *int64, name string) (uint32, story.Origin) {
		switch {
		case v != nil:
			return uint32(*v), b.field(b.path + ".securityContext." + name)
		case pv != nil:
			return uint32(*pv), b.field(b.p.Path + ".securityContext." + name)
		}
		return 0, 0
	}
	image := b.o.Rootfs == "embedded"
	uid, uidAt := set(sc.RunAsUser, psc.RunAsUser, "runAsUser")
	gid, gidAt := set(sc.RunAsGroup, psc.RunAsGroup, "runAsGroup")
	if uidAt == 0 {
		uidAt = b.Miss("the image's USER is not known", "--uid, or runAsUser")
		if image {
			uidAt = b.Text("USER root of the embedded image")
		}
	}
	if gidAt == 0 {
		gidAt = b.Miss("the group that the image's /etc/passwd gives the user is not known", "--gid, or runAsGroup")
		if image {
			gidAt = b.Text("the embedded image lists no group for the user")
		}
	}
	cr.GroupsAt = gidAt
	for _, g := range psc.SupplementalGroups {
		cr.Groups = append(cr.Groups, world.KGID(g))
	}
	if psc.FSGroup != nil {
		cr.Groups = append(cr.Groups, world.KGID(*psc.FSGroup))
	}
	slices.Sort(cr.Groups)
	cr.RUID, cr.EUID, cr.SUID, cr.FSUID = world.KUID(uid), world.KUID(uid), world.KUID(uid), world.KUID(uid)
	cr.RGID, cr.EGID, cr.SGID, cr.FSGID = world.KGID(gid), world.KGID(gid), world.KGID(gid), world.KGID(gid)
	cr.UIDAt, cr.GIDAt = uidAt, gidAt
	if b.p.Spec.HostUsers != nil && !*b.p.Spec.HostUsers {
		return b.p.Doc.Fail(b.p.Path+".hostUsers", "hostUsers: false is not modelled yet: the range of ids that the kubelet gives is a fact of the node")
	}
	nonRoot, at := sc.RunAsNonRoot, b.path+".securityContext.runAsNonRoot"
	if nonRoot == nil {
		nonRoot, at = psc.RunAsNonRoot, b.p.Path+".securityContext.runAsNonRoot"
	}
	if nonRoot != nil && *nonRoot {
		r := world.Refusal{Code: story.RunAsNonRoot, Outcome: story.Allow, Number: uint64(uid), At: b.field(at)}
		if !uidAt.Known() {
			r.Outcome = story.Unknown
		} else if uid == 0 {
			r.Outcome = story.Deny
		}
		b.Refusals = append(b.Refusals, r)
	}
	return b.capabilities(sc)
}

func (b *builder) capabilities(sc *corev1.SecurityContext) error {
	cr := &b.Task.Cred
	caps, at := defaultCaps, b.Text("the runtime's default capabilities")
	switch engine := b.engine(); {
	case engine == "cri-o":
		caps = world.CapSet(0x5fb)
	case engine == "":
		at = b.Assume("the runtime's default capabilities are the 14 of containerd and Docker", "--node FILE")
	}
	if sc.Privileged != nil && *sc.Privileged {
		caps, at = world.AllCaps, b.field(b.path+".securityContext.privileged")
	} else if sc.Capabilities != nil {
		at = b.field(b.path + ".securityContext.capabilities")
		change := func(list []corev1.Capability, name string, apply func(world.CapSet)) error {
			for i, n := range list {
				c, ok := kernel.ParseCap(string(n))
				switch {
				case strings.EqualFold(string(n), "ALL"):
					apply(world.AllCaps)
				case !ok:
					return b.p.Doc.Fail(fmt.Sprintf("%s.securityContext.capabilities.%s[%d]", b.path, name, i), "unknown capability %s: the runtime refuses it", n)
				default:
					apply(world.Caps(c))
				}
			}
			return nil
		}
		// ALL counts first, then what is dropped one by one from it or added to nothing.
		var add, drop world.CapSet
		if err := change(sc.Capabilities.Add, "add", func(s world.CapSet) { add |= s }); err != nil {
			return err
		}
		if err := change(sc.Capabilities.Drop, "drop", func(s world.CapSet) { drop |= s }); err != nil {
			return err
		}
		switch {
		case add == world.AllCaps:
			caps = world.AllCaps &^ drop
		case drop == world.AllCaps:
			caps = add
		default:
			caps = (caps | add) &^ drop
		}
	}
	cr.Bounding, cr.BoundingAt = caps, at
	cr.EffectiveAt, cr.NoNewAt = at, at
	switch {
	case !cr.UIDAt.Known():
		cr.EffectiveAt = cr.UIDAt
	case cr.EUID == 0:
		cr.Permitted, cr.Effective = caps, caps
	}
	b.Assume("the container's program is neither setuid nor has file capabilities", "")
	if sc.AllowPrivilegeEscalation != nil && !*sc.AllowPrivilegeEscalation {
		cr.NoNewPrivs = true
	}
	return nil
}

func (b *builder) engine() string {
	if b.o.Node == nil {
		return ""
	}
	return b.o.Node.Engine.Name
}

// seccomp finds the profile in force: the container's, the Pod's, the kubelet's default, else none.
func (b *builder) seccomp() error {
	s := &b.Task.Seccomp
	var prof *corev1.SeccompProfile
	at := ""
	if sc := b.c.SecurityContext; sc != nil && sc.SeccompProfile != nil {
		prof, at = sc.SeccompProfile, b.path+".securityContext.seccompProfile"
	} else if psc := b.p.Spec.SecurityContext; psc != nil && psc.SeccompProfile != nil {
		prof, at = psc.SeccompProfile, b.p.Path+".securityContext.seccompProfile"
	}
	if sc := b.c.SecurityContext; sc != nil && sc.Privileged != nil && *sc.Privileged {
		s.At = b.field(b.path + ".securityContext.privileged")
		return nil
	}
	b.annotations()
	if prof == nil {
		n := b.o.Node
		switch {
		case n == nil || n.Kubelet.SeccompDefault == nil:
			s.Mode, s.At = world.SeccompNotKnown, b.Miss("whether the kubelet runs with seccompDefault is not known", "--node FILE, or a seccompProfile in the Pod")
			return nil
		case !*n.Kubelet.SeccompDefault:
			s.At = n.At(b.World, "kubelet.seccompDefault")
			return nil
		}
		prof = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	s.At = b.field(at)
	switch prof.Type {
	case corev1.SeccompProfileTypeUnconfined:
	case corev1.SeccompProfileTypeRuntimeDefault:
		if b.engine() != "docker" {
			s.Mode, s.At = world.SeccompNotKnown, b.Miss(fmt.Sprintf("the default profile of engine %q is not built in; Docker's is", b.engine()), "--node FILE with engine docker, or a Localhost profile")
			return nil
		}
		s.Mode = world.SeccompFilters
		s.Filters = []world.Filter{{Name: "RuntimeDefault", Engine: "docker", Caps: b.Task.Cred.Bounding, At: s.At}}
	case corev1.SeccompProfileTypeLocalhost:
		if prof.LocalhostProfile == nil || *prof.LocalhostProfile == "" {
			return b.p.Doc.Fail(at, "a seccompProfile of type Localhost needs localhostProfile")
		}
		name := *prof.LocalhostProfile
		s.At = b.field(at + ".localhostProfile")
		if b.o.HostRoot == "" {
			s.Mode, s.At = world.SeccompNotKnown, b.Miss("the file of the Localhost profile "+name+" was not given", "--host-root DIR")
			return nil
		}
		p := path.Join("var/lib/kubelet/seccomp", path.Clean("/"+name))
		text, err := files.ReadFile(b.o.HostRoot, p, 1<<20)
		if err != nil {
			return b.p.Doc.Fail(at+".localhostProfile", "the profile %s cannot be read on the node: %v", name, err)
		}
		s.Mode = world.SeccompFilters
		s.Filters = []world.Filter{{Name: "Localhost " + name, File: path.Join(b.o.HostRoot, p), JSON: text, Caps: b.Task.Cred.Bounding, At: s.At}}
	default:
		return b.p.Doc.Fail(at, "unknown seccompProfile type %q: RuntimeDefault, Unconfined and Localhost exist", prof.Type)
	}
	return nil
}

// annotations remarks on seccomp annotations, none of which has an effect on today's Kubernetes.
func (b *builder) annotations() {
	for key := range b.p.Meta.Annotations {
		at := b.p.at(strings.TrimSuffix(b.p.Path, "spec") + "metadata.annotations[\"" + key + "\"]")
		switch {
		case strings.HasPrefix(key, "security.alpha.kubernetes.io/seccomp/"):
			b.Findings = append(b.Findings, story.Finding{Severity: "error", Text: "the API server refuses this Pod: an annotation's key has one slash at most; use securityContext.seccompProfile", At: &at})
		case key == "seccomp.security.alpha.kubernetes.io/pod" || strings.HasPrefix(key, "container.seccomp.security.alpha.kubernetes.io/"):
			b.Findings = append(b.Findings, story.Finding{Severity: "warning", Text: "this annotation has no effect since Kubernetes 1.27; use securityContext.seccompProfile", At: &at})
		}
	}
}

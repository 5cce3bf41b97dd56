package pod

import (
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/from/files"
	"syscallstory/story"
	"syscallstory/world"
)

// profilesDir is where the kubelet looks for Localhost profiles.
const profilesDir = "var/lib/kubelet/seccomp"

// profile is a seccomp profile that something in the input asks for.
type profile struct {
	kind corev1.SeccompProfileType
	name string // of a Localhost profile
	at   string // the field that names it
}

// seccomp finds the profile in force: the container's, the Pod's, what an annotation asks for on an old kubelet, the
// kubelet's default, else none.
func (b *builder) seccomp() error {
	s := &b.Task.Seccomp
	if b.privileged() {
		s.At = b.field(b.scField("privileged"))
		return nil
	}
	want, err := b.wantedProfile()
	if err != nil {
		return err
	}
	if want == nil {
		n := b.o.Node
		switch {
		case n == nil || n.Kubelet.SeccompDefault == nil:
			s.Mode, s.At = world.SeccompNotKnown, b.Miss("whether the kubelet runs with seccompDefault is not known", "--node FILE, or a seccompProfile in the Pod")
			return nil
		case !*n.Kubelet.SeccompDefault:
			s.At = n.At(b.World, "kubelet.seccompDefault")
			return nil
		}
		want = &profile{kind: corev1.SeccompProfileTypeRuntimeDefault}
		s.At = n.At(b.World, "kubelet.seccompDefault")
	} else {
		s.At = b.field(want.at)
	}
	switch want.kind {
	case "":
		s.Mode, s.At = world.SeccompNotKnown, b.Miss("whether the node's kubelet still reads the seccomp annotation is not known: it does before Kubernetes 1.27", "--node FILE with kubelet.version")
		return nil
	case corev1.SeccompProfileTypeRuntimeDefault:
		switch b.engine {
		case "containerd", "cri-o", "docker", "moby", "podman":
		case "":
			s.Mode, s.At = world.SeccompNotKnown, b.Miss("which engine's default profile is meant is not known", "--node FILE with the engine's name and version, --seccomp FILE, or a Localhost profile")
			return nil
		default:
			s.Mode, s.At = world.SeccompNotKnown, b.Miss(fmt.Sprintf("the default profile of engine %q is not known; those of containerd, cri-o, docker and podman are", b.engine), "--node FILE with one of these engines, --seccomp FILE, or a Localhost profile")
			return nil
		}
		s.Mode = world.SeccompFilters
		s.Filters = []world.Filter{{Name: "RuntimeDefault", Engine: b.engine, Version: b.o.Node.Engine.Version, Caps: b.Task.Cred.Bounding, Loader: b.loader(), At: s.At}}
	case corev1.SeccompProfileTypeLocalhost:
		return b.localhost(want)
	}
	return nil
}

// loader is the node's low-level runtime.
func (b *builder) loader() string {
	if b.o.Node == nil {
		return ""
	}
	return b.o.Node.Runtime.String()
}

// wantedProfile finds the field or, where the kubelet still reads it, the annotation that counts.
func (b *builder) wantedProfile() (*profile, error) {
	var sp *corev1.SeccompProfile
	at := ""
	switch {
	case b.sc.SeccompProfile != nil:
		sp, at = b.sc.SeccompProfile, b.scField("seccompProfile")
	case b.psc.SeccompProfile != nil:
		sp, at = b.psc.SeccompProfile, b.p.Path+".securityContext.seccompProfile"
	}
	old, err := b.annotations(sp != nil)
	if sp == nil || err != nil {
		return old, err
	}
	p := &profile{kind: sp.Type, at: at + ".type"}
	switch sp.Type {
	case corev1.SeccompProfileTypeUnconfined, corev1.SeccompProfileTypeRuntimeDefault:
		if sp.LocalhostProfile != nil {
			return nil, b.p.Doc.Fail(at+".localhostProfile", "localhostProfile goes with type Localhost only")
		}
	case corev1.SeccompProfileTypeLocalhost:
		if sp.LocalhostProfile == nil || *sp.LocalhostProfile == "" {
			return nil, b.p.Doc.Fail(at, "a seccompProfile of type Localhost needs localhostProfile")
		}
		p.name, p.at = *sp.LocalhostProfile, at+".localhostProfile"
		if path.IsAbs(p.name) || strings.Contains("/"+p.name+"/", "/../") {
			return nil, b.p.Doc.Fail(p.at, "localhostProfile is a path below /%s, without ..", profilesDir)
		}
	default:
		return nil, b.p.Doc.Fail(at, "unknown seccompProfile type %q: RuntimeDefault, Unconfined and Localhost exist", sp.Type)
	}
	return p, nil
}

// localhost reads a profile from the host's files.
func (b *builder) localhost(want *profile) error {
	s := &b.Task.Seccomp
	if b.o.HostRoot == "" {
		s.Mode, s.At = world.SeccompNotKnown, b.Miss("the file of the Localhost profile "+want.name+" was not given", "--host-root DIR")
		return nil
	}
	p := path.Join(profilesDir, path.Clean("/"+want.name))
	text, err := files.ReadFile(b.o.HostRoot, p, 1<<20)
	if err != nil {
		return b.p.Doc.Fail(want.at, "the profile %s cannot be read on the node: %v", want.name, err)
	}
	s.Mode = world.SeccompFilters
	s.Filters = []world.Filter{{Name: "Localhost " + want.name, File: path.Join(b.o.HostRoot, p), JSON: text, Caps: b.Task.Cred.Bounding, Loader: b.loader(), At: s.At}}
	return nil
}

// The keys of the two generations of seccomp annotations. The first stood in early talks and designs; no API server
// accepts it, since a key has one slash at most.
const (
	firstKey     = "security.alpha.kubernetes.io/seccomp/"
	podKey       = "seccomp.security.alpha.kubernetes.io/pod"
	containerKey = "container.seccomp.security.alpha.kubernetes.io/"
)

// annotations returns what the annotations ask for, where the kubelet's release still reads them, and remarks on those that
// have no effect.
func (b *builder) annotations(fields bool) (*profile, error) {
	for key := range b.p.Meta.Annotations {
		if strings.HasPrefix(key, firstKey) {
			b.Refusals = append(b.Refusals, world.Refusal{Code: story.APIRefused, Outcome: story.Deny, At: b.field(b.metadata("annotations[\"" + key + "\"]")),
				Facts: [3]string{"the key of an annotation has one slash at most; the field securityContext.seccompProfile is what counts"}})
		}
	}
	for _, key := range []string{containerKey + b.c.Name, podKey} {
		value, ok := b.p.Meta.Annotations[key]
		if !ok {
			continue
		}
		path := b.metadata("annotations[\"" + key + "\"]")
		if n := b.o.Node; n != nil && n.Kubelet.Version == "" && n.Kubelet.SeccompDefault != nil && !fields {
			return &profile{at: path}, nil // by the version alone the annotation would count or not
		}
		if !b.kubeletBefore(1, 27) || fields {
			at := b.p.at(path)
			text := "this annotation has no effect since Kubernetes 1.27; use securityContext.seccompProfile"
			if fields {
				text = "the field seccompProfile counts, not this annotation"
			}
			b.Findings = append(b.Findings, story.Finding{Severity: "warning", Text: text, At: &at})
			continue
		}
		p := &profile{at: path}
		name, local := strings.CutPrefix(value, "localhost/")
		switch {
		case value == "unconfined":
			p.kind = corev1.SeccompProfileTypeUnconfined
		case value == "runtime/default" || value == "docker/default":
			p.kind = corev1.SeccompProfileTypeRuntimeDefault
		case local && name != "":
			p.kind, p.name = corev1.SeccompProfileTypeLocalhost, name
		default:
			return nil, b.p.Doc.Fail(path, "unknown seccomp profile %q: runtime/default, unconfined and localhost/NAME exist", value)
		}
		return p, nil
	}
	return nil, nil
}

// kubeletBefore reports whether the node's kubelet is known to be older than a release.
func (b *builder) kubeletBefore(major, minor int) bool {
	if b.o.Node == nil {
		return false
	}
	var a, i int
	if n, _ := fmt.Sscanf(strings.TrimPrefix(b.o.Node.Kubelet.Version, "v"), "%d.%d", &a, &i); n != 2 {
		return false
	}
	return a < major || a == major && i < minor
}

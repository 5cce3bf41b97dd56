package pod

import (
	corev1 "k8s.io/api/core/v1"

	"syscallstory/from/node"
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

// builder makes the world of one container.
type builder struct {
	*world.World
	o      Options
	p      *Workload
	c      *corev1.Container
	sc     *corev1.SecurityContext    // never nil
	psc    *corev1.PodSecurityContext // never nil
	path   string                     // of the container in the document
	engine string
	hosts  map[string]world.SBID // the host's filesystems by mount point
	kubfs  world.SBID            // what the kubelet makes in its own directory
	root   world.MountID
	passwd *users
	files  world.Fact[string] // SELinux: the context of the container's files

	pending []pending // mounts of files and volumes, in the order in which they are listed
	made    []Made
	refused string // why the kubelet refuses the volumeMount that is looked at
}

// World builds the world of the first process of a container.
func (w *Workload) World(o Options) (*world.World, error) {
	b, err := w.build(o)
	if err != nil {
		return nil, err
	}
	return b.World, nil
}

func (w *Workload) build(o Options) (*builder, error) {
	c, cpath, err := w.Container(o.Container)
	if err != nil {
		return nil, err
	}
	b := &builder{World: world.New(), o: o, p: w, c: c, path: cpath, sc: c.SecurityContext, psc: w.Spec.SecurityContext, hosts: map[string]world.SBID{}}
	if b.sc == nil {
		b.sc = &corev1.SecurityContext{}
	}
	if b.psc == nil {
		b.psc = &corev1.PodSecurityContext{}
	}
	if o.Node != nil {
		b.engine = o.Node.Engine.Name
	}
	b.Subject = story.Subject{Kind: w.Kind, Name: w.Name, Namespace: w.Meta.Namespace, Container: c.Name, File: w.Doc.File}
	b.Sources = []story.Source{{File: w.Doc.File, First: 1, Lines: w.Doc.Lines()}}
	o.Node.Apply(b.World)
	for _, step := range []func() error{b.validate, b.userNS, b.namespaces, b.credentials, b.seccomp, b.labels, b.rootfs, b.system, b.kubelet, b.volumes, b.shareAll, b.unreached, b.rest} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *builder) field(name string) story.Origin { return b.Add(b.p.at(name)) }

// scField is a field of the container's security context.
func (b *builder) scField(name string) string { return b.path + ".securityContext." + name }

func (b *builder) privileged() bool { return b.sc.Privileged != nil && *b.sc.Privileged }

// embedded reports whether the image is the one that is built in.
func (b *builder) embedded() bool { return b.o.Rootfs == "embedded" }

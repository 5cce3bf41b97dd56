package pod

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/from/node"
	"syscallstory/story"
	"syscallstory/world"
)

// Input is a container of a workload with the facts around it, and the edits that were made of them.
type Input struct {
	w     *Workload
	o     Options
	allow []string                     // calls that were added to the profile
	after []func(w *world.World) error // changes of files, in the order in which they were made
}

// Input returns the workload as what a fix can be searched for.
func (w *Workload) Input(o Options) *Input { return &Input{w: w, o: o} }

// World builds the world of the container's first process.
func (in *Input) World() (*world.World, error) {
	w, err := in.w.World(in.o)
	if err != nil {
		return nil, err
	}
	for i := range w.Task.Seccomp.Filters {
		w.Task.Seccomp.Filters[i].Allow = in.allow
	}
	for _, f := range in.after {
		if err := f(w); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// With returns a copy with an edit made.
func (in *Input) With(e story.Edit) (world.Input, error) {
	do, ok := e.Do.(func(*Input))
	if !ok {
		return nil, fmt.Errorf("edit %s is not one of a Pod's", e.ID)
	}
	w := *in.w
	in.w.Spec.DeepCopyInto(&w.Spec)
	out := &Input{w: &w, o: in.o, allow: append([]string{}, in.allow...), after: append([]func(*world.World) error{}, in.after...)}
	if in.o.Node != nil {
		n := *in.o.Node
		n.Mounts = append([]node.Mount{}, n.Mounts...)
		sysctls := map[string]node.Setting{}
		for k, v := range n.Sysctls {
			sysctls[k] = v
		}
		n.Sysctls = sysctls
		out.o.Node = &n
	}
	do(out)
	return out, nil
}

// parts finds the fields of the container that edits change.
func (in *Input) parts() (sc **corev1.SecurityContext, mounts *[]corev1.VolumeMount) {
	s := &in.w.Spec
	name := in.o.Container
	pick := func(c *corev1.Container) bool {
		if c.Name == name || name == "" {
			sc, mounts = &c.SecurityContext, &c.VolumeMounts
		}
		return sc != nil
	}
	for i := range s.Containers {
		if pick(&s.Containers[i]) {
			break
		}
	}
	for i := range s.InitContainers {
		if sc == nil && pick(&s.InitContainers[i]) {
			break
		}
	}
	for i := range s.EphemeralContainers {
		if c := &s.EphemeralContainers[i].EphemeralContainerCommon; sc == nil && c.Name == name {
			sc, mounts = &c.SecurityContext, &c.VolumeMounts
		}
	}
	if *sc == nil {
		*sc = &corev1.SecurityContext{}
	}
	return sc, mounts
}

// psc is the Pod's security context.
func (in *Input) psc() *corev1.PodSecurityContext {
	if in.w.Spec.SecurityContext == nil {
		in.w.Spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	return in.w.Spec.SecurityContext
}

// Package pod turns a Pod, or any workload with a pod template, into the world that the first process of one of its
// containers meets: what the manifest says, what kubelet and containerd add, and what only the image, the host or the node
// would tell, which is unknown unless it is given.
package pod

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"syscallstory/internal/strictyaml"
	"syscallstory/story"
	"syscallstory/syscalls"
)

// Workload is one object with a pod template.
type Workload struct {
	Kind string
	Name string
	Meta metav1.ObjectMeta // of the Pod, which a workload's template gives
	Spec corev1.PodSpec
	Path string // of the pod spec in the document
	Doc  *strictyaml.Doc
}

// template holds the parts of the kinds that carry a pod template; the other fields of their specs are read as they are.
var templates = map[string]string{"Pod": "spec", "PodTemplate": "template.spec", "Deployment": "spec.template.spec", "StatefulSet": "spec.template.spec", "DaemonSet": "spec.template.spec",
	"ReplicaSet": "spec.template.spec", "ReplicationController": "spec.template.spec", "Job": "spec.template.spec", "CronJob": "spec.jobTemplate.spec.template.spec"}

// Parse reads the workloads of a manifest.
func Parse(file string, text []byte) ([]*Workload, error) {
	docs, err := strictyaml.Parse(file, text)
	if err != nil {
		return nil, err
	}
	var out []*Workload
	for _, d := range docs {
		ws, err := parseObject(d, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, ws...)
	}
	if len(out) == 0 {
		return nil, &strictyaml.Error{File: file, Msg: "there is no Pod and no workload with a pod template in it"}
	}
	return out, nil
}

func parseObject(d *strictyaml.Doc, depth int) ([]*Workload, error) {
	kind := strictyaml.Field(d.Node, "kind")
	if kind == nil || kind.Value == "" {
		return nil, d.Errorf(d.Node, "the object has no kind")
	}
	if strings.HasSuffix(kind.Value, "List") && depth < 4 {
		var out []*Workload
		if items := strictyaml.Field(d.Node, "items"); items != nil && items.Kind == yaml.SequenceNode {
			for _, item := range items.Content {
				ws, err := parseObject(d.Part(item), depth+1)
				if err != nil {
					return nil, err
				}
				out = append(out, ws...)
			}
		}
		return out, nil
	}
	path, ok := templates[kind.Value]
	if !ok {
		var known []string
		for k := range templates {
			known = append(known, k)
		}
		msg := fmt.Sprintf("kind %s has no pod template", kind.Value)
		if near := syscalls.Near(kind.Value, known); len(near) > 0 {
			msg += "; did you mean " + near[0] + "?"
		}
		return nil, d.Errorf(kind, "%s", msg)
	}
	w := &Workload{Kind: kind.Value, Path: path, Doc: d}
	into, spec := object(kind.Value)
	if err := d.Decode(into); err != nil {
		return nil, err
	}
	own, meta, pod := spec()
	w.Name, w.Meta, w.Spec = own.Name, meta, pod
	w.Meta.Namespace = own.Namespace
	if len(w.Spec.Containers) == 0 {
		return nil, d.Fail(path, "%s %s has no containers", w.Kind, w.Name)
	}
	return []*Workload{w}, nil
}

// Container finds the container that is asked for.
func (w *Workload) Container(name string) (*corev1.Container, string, error) {
	type found struct {
		c    *corev1.Container
		path string
	}
	var all []found
	for i := range w.Spec.Containers {
		all = append(all, found{&w.Spec.Containers[i], fmt.Sprintf("%s.containers[%d]", w.Path, i)})
	}
	regular := len(all)
	for i := range w.Spec.InitContainers {
		all = append(all, found{&w.Spec.InitContainers[i], fmt.Sprintf("%s.initContainers[%d]", w.Path, i)})
	}
	for i := range w.Spec.EphemeralContainers {
		e := &w.Spec.EphemeralContainers[i]
		c := corev1.Container(e.EphemeralContainerCommon)
		all = append(all, found{&c, fmt.Sprintf("%s.ephemeralContainers[%d]", w.Path, i)})
	}
	var names []string
	for _, f := range all {
		if name != "" && f.c.Name == name {
			return f.c, f.path, nil
		}
		names = append(names, f.c.Name)
	}
	switch {
	case name != "":
		return nil, "", w.Doc.Fail(w.Path+".containers", "there is no container %s; there are %s", name, strings.Join(names, ", "))
	case regular > 1:
		return nil, "", w.Doc.Fail(w.Path+".containers", "there are %d containers, name one with -c: %s", regular, strings.Join(names[:regular], ", "))
	}
	return all[0].c, all[0].path, nil
}

// at returns the place of a field as an Origin's Place.
func (w *Workload) at(path string) story.Place { return w.Doc.Place(path) }

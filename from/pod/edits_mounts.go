package pod

import (
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/from/systemd"
	"syscallstory/story"
	"syscallstory/world"
)

// propagation offers to do without, or to make the node's mount shared.
func (e *editor) propagation() {
	pl := e.w.Place(e.r.Step.Fact[0])
	if pl == nil || !strings.Contains(e.r.Entry.Facts[0].Value, " needs a shared ") {
		return
	}
	for k, vm := range e.c.VolumeMounts {
		if vm.MountPropagation == nil || !strings.Contains(e.r.Entry.Facts[0].Value, "volume "+vm.Name+" needs ") {
			continue
		}
		e.add(story.Edit{Kind: "yaml", File: pl.File, Line: pl.Line, Path: pl.Path, Patch: e.inContainer(fmt.Sprintf("volumeMounts:\n- name: %s\n  mountPath: %s\n  mountPropagation: None", vm.Name, vm.MountPath)),
			Text: "do without mountPropagation", Exposes: "nothing else; later mounts are not seen", Risk: story.Safe, Do: func(in *Input) {
				_, vms := in.parts()
				(*vms)[k].MountPropagation = nil
			}})
	}
	if u := e.in.o.Node.EngineUnit(); u != nil && strings.Contains(e.r.Entry.Facts[0].Value, ", but "+u.Name+" with ") {
		e.unit(u)
	}
	for i := range e.in.nodeMounts() {
		point := e.in.o.Node.Mounts[i].Point
		if strings.Contains(e.r.Entry.Facts[0].Value, ", and "+point+" of the host is") {
			e.makeShared(i)
		}
	}
}

// unit offers to start a service in the host's mount namespace.
func (e *editor) unit(u *systemd.Unit) {
	n := u.Namespace()
	e.add(story.Edit{Kind: "node", File: n.At.File, Line: n.At.Line, Path: u.Name, Patch: "# " + n.At.File + ": drop " + n.Why + "\nsystemctl daemon-reload && systemctl restart " + u.Name, Text: "start " + u.Name + " without " + n.Why,
		Exposes: "the mounts of " + u.Name + " to the host", Risk: story.Widens, Do: func(in *Input) { in.o.Node.DropUnit(u.Name) }})
}

func (e *editor) makeShared(i int) {
	point := e.in.o.Node.Mounts[i].Point
	e.add(story.Edit{Kind: "node", Path: point, Patch: "mount --make-shared " + point, Text: "make " + point + " of the node a shared mount", Exposes: "mounts below " + point + " to every namespace that is its peer", Risk: story.Widens,
		Do: func(in *Input) { in.o.Node.Mounts[i].Propagation = "shared" }})
}

// later offers to let a mount of the host in that was made when the container ran.
func (e *editor) later(dir world.Path) {
	u := e.w.UnreachedAt(dir)
	if unit := e.in.o.Node.RuntimeUnit(); unit != nil && unit.Namespace().Final == "private" {
		e.unit(unit)
	}
	if on := e.in.o.Node.MountOf(u.Point); on != nil && on.Propagation != "shared" {
		for i := range e.in.nodeMounts() {
			if e.in.o.Node.Mounts[i].Point == on.Point && !e.in.o.Node.Mounts[i].Later {
				e.makeShared(i)
			}
		}
	}
	for k, vm := range e.c.VolumeMounts {
		if propagationOf(&vm) != corev1.MountPropagationNone || path.Clean(vm.MountPath) != u.Place && !strings.HasPrefix(u.Place, path.Clean(vm.MountPath)+"/") {
			continue
		}
		mode := corev1.MountPropagationHostToContainer
		at := e.in.w.Doc.Place(fmt.Sprintf("%s.volumeMounts[%d].mountPath", e.cpath, k))
		e.add(story.Edit{Kind: "yaml", File: at.File, Line: at.Line, Path: at.Path, Patch: e.inContainer(fmt.Sprintf("volumeMounts:\n- name: %s\n  mountPath: %s\n  mountPropagation: %s", vm.Name, vm.MountPath, mode)),
			Text: fmt.Sprintf("let %s see what the host mounts later, with mountPropagation: %s", vm.MountPath, mode), Exposes: "later mounts of the host below " + u.Point + " and its neighbours", Risk: story.Widens,
			Do: func(in *Input) {
				_, vms := in.parts()
				(*vms)[k].MountPropagation = &mode
			}})
	}
}

package pod

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/from/edits"
	"syscallstory/story"
	"syscallstory/world"
)

// editor collects the edits that may let one refused call pass.
type editor struct {
	in    *Input
	w     *world.World
	r     world.Refused
	c     *corev1.Container
	cpath string
	obj   world.Path
	path  string // of the object, as the container sees it
	out   []story.Edit
}

// Edits offers changes of the Pod, the image, the host and the node, narrow ones first.
func (in *Input) Edits(w *world.World, r world.Refused) []story.Edit {
	c, cpath, err := in.w.Container(in.o.Container)
	if err != nil {
		return nil
	}
	e := &editor{in: in, w: w, r: r, c: c, cpath: cpath, obj: world.PathOf(r.Step.Obj), path: r.Entry.Object}
	switch r.Step.Code {
	case story.SeccompFilter:
		e.seccomp()
	case story.NameMissing, story.OverlayWhiteout, story.SymlinkLimit:
		e.missing()
	case story.MountReadOnly:
		e.readOnly()
	case story.HostPathType:
		e.hostType()
	case story.VolumeMountRefused:
		e.propagation()
	case story.RunAsNonRoot:
		e.RunAs(1000, 1000)
		e.yaml("runAsNonRoot", "runAsNonRoot: false", "allow the container to run as root", "everything that root in the container may do", story.Dangerous, false, func(in *Input) {
			sc, _ := in.parts()
			no := false
			(*sc).RunAsNonRoot = &no
		})
	case story.APIRefused:
		e.annotation()
	case story.SysctlRefused:
		e.dropSysctl()
	default:
		e.refusal().Offer()
	}
	return e.out
}

// refusal is what was refused, whose changes are said in the words of the Pod, the image, the host and the node.
func (e *editor) refusal() *edits.Refusal { return edits.New(e.w, e.r, e) }

func (e *editor) add(x story.Edit) {
	x.ID = fmt.Sprintf("%s %s %s", x.Kind, x.Path, x.Patch)
	e.out = append(e.out, x)
}

// yaml offers a change of the container's security context.
func (e *editor) yaml(field, patch, text, exposes string, risk story.Risk, lastOut bool, do func(*Input)) {
	p := e.cpath + ".securityContext." + field
	at := e.in.w.Doc.Place(p)
	e.add(story.Edit{Kind: "yaml", File: at.File, Line: at.Line, Path: p, Patch: e.inContainer("securityContext:\n  " + strings.ReplaceAll(patch, "\n", "\n  ")),
		Text: text, Exposes: exposes, Risk: risk, LastOut: lastOut, Do: do})
}

// inContainer puts a patch of the container's fields into one of the Pod's spec.
func (e *editor) inContainer(patch string) string {
	list := strings.TrimSuffix(e.cpath[strings.LastIndex(e.cpath, ".")+1:], "]")
	list, _, _ = strings.Cut(list, "[")
	return list + ":\n- name: " + e.c.Name + "\n  " + strings.ReplaceAll(patch, "\n", "\n  ")
}

// podYAML offers a change of the Pod's spec.
func (e *editor) podYAML(field, patch, text, exposes string, risk story.Risk, do func(*Input)) {
	p := e.in.w.Path + "." + field
	at := e.in.w.Doc.Place(p)
	e.add(story.Edit{Kind: "yaml", File: at.File, Line: at.Line, Path: p, Patch: patch, Text: text, Exposes: exposes, Risk: risk, Do: do})
}

// File offers a change of a file where it lies: on the host, in the image or in a volume.
func (e *editor) File(f edits.File) {
	kind, real := e.where(f.At)
	target := e.w.PathText(f.At)
	x := story.Edit{Kind: kind, Path: real, Patch: f.Command(real), Text: f.Text, Exposes: f.Exposes, Risk: f.Risk}
	if pl := e.w.Place(e.w.FS.I(f.At.Dentry).At); pl != nil {
		x.File, x.Line = pl.File, pl.Line
	}
	x.Do = func(in *Input) {
		in.after = append(in.after, func(w *world.World) error {
			at, _, st := w.Resolve(w.Task.Root, w.Task.Root, target)
			if st != world.Present {
				return fmt.Errorf("%s is not there", target)
			}
			ino := w.FS.I(at.Dentry)
			f.Change(ino)
			for _, l := range ino.Layers {
				f.Change(w.FS.I(l))
			}
			return nil
		})
	}
	e.add(x)
}

// where says whose file it is and what it is called there.
func (e *editor) where(p world.Path) (kind, real string) {
	fs := e.w.FS
	sb := fs.SBOf(p.Dentry)
	switch {
	case sb.Name == "host":
		return "host", fs.Path(p.Dentry)
	case sb.Overlay != nil:
		return "image", fs.Path(p.Dentry)
	}
	return "volume", e.w.PathText(p)
}

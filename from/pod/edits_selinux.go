package pod

import (
	corev1 "k8s.io/api/core/v1"

	"syscallstory/story"
)

// Level offers to give the container the level of what it wants to use.
func (e *editor) Level(level string) {
	e.selinux("level", level, "give the container the level "+level, "the files of every other container with this level", story.Widens, false, func(o *corev1.SELinuxOptions) { o.Level = level })
}

// Unconfined offers a type that SELinux does not confine.
func (e *editor) Unconfined() {
	const unconfined = "spc_t"
	e.selinux("type", unconfined, "run the container as "+unconfined+", which SELinux does not confine", "everything that SELinux keeps from containers", story.Dangerous, true, func(o *corev1.SELinuxOptions) { o.Type = unconfined })
}

func (e *editor) selinux(field, value, text, exposes string, risk story.Risk, lastOut bool, set func(*corev1.SELinuxOptions)) {
	e.yaml("seLinuxOptions."+field, "seLinuxOptions:\n  "+field+": "+value, text, exposes, risk, lastOut, func(in *Input) {
		sc, _ := in.parts()
		o := &corev1.SELinuxOptions{}
		switch psc := in.w.Spec.SecurityContext; {
		case (*sc).SELinuxOptions != nil:
			*o = *(*sc).SELinuxOptions
		case psc != nil && psc.SELinuxOptions != nil: // the container's options replace the Pod's as a whole
			*o = *psc.SELinuxOptions
		}
		set(o)
		(*sc).SELinuxOptions = o
	})
}

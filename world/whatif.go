package world

import (
	"fmt"
	"slices"
	"strings"

	"syscallstory/kernel"
	"syscallstory/story"
)

// WhatIf replaces facts of any world by what somebody wants to try.
type WhatIf struct {
	UID, GID        *uint32  // as the container sees them
	Groups          []uint32 // nil: as they are
	CapAdd, CapDrop CapSet
	NoNewPrivs      *bool
	Seccomp         *Seccomp
	SELinuxLabel    string
	Policy          *Policy // of SELinux
	Cwd             string
	Umask           *uint16
	Kernel          *kernel.Release
	FDs             []FDSpec
}

// Policy is an SELinux policy that package selinux has read.
type Policy struct {
	File   PolicyFile
	Engine any
}

// FDSpec is a descriptor that is declared to be open.
type FDSpec struct {
	N     int
	Path  string
	Flags uint64
}

// Apply puts the facts into the world.
func (o WhatIf) Apply(w *World) error {
	t := &w.Task
	cr := &t.Cred
	ns := &w.UserNS[cr.UserNS]
	id := func(flag string, m IDMap, v uint32) (uint32, error) {
		k, ok := m.Down(v)
		if !ok {
			return 0, fmt.Errorf("%s %d: %s has no such id", flag, v, ns.Name)
		}
		return k, nil
	}
	if o.UID != nil {
		k, err := id("--uid", ns.UIDs, *o.UID)
		if err != nil {
			return err
		}
		cr.RUID, cr.EUID, cr.SUID, cr.FSUID, cr.UIDAt = KUID(k), KUID(k), KUID(k), KUID(k), w.Text("--uid")
	}
	if o.GID != nil {
		k, err := id("--gid", ns.GIDs, *o.GID)
		if err != nil {
			return err
		}
		cr.RGID, cr.EGID, cr.SGID, cr.FSGID, cr.GIDAt = KGID(k), KGID(k), KGID(k), KGID(k), w.Text("--gid")
	}
	if o.Groups != nil {
		cr.Groups, cr.GroupsAt = nil, w.Text("--groups")
		for _, g := range o.Groups {
			k, err := id("--groups", ns.GIDs, g)
			if err != nil {
				return err
			}
			cr.Groups = append(cr.Groups, KGID(k))
		}
		slices.Sort(cr.Groups)
	}
	if o.UID != nil || o.CapAdd|o.CapDrop != 0 {
		o.capabilities(w)
	}
	if o.NoNewPrivs != nil {
		cr.NoNewPrivs, cr.NoNewAt = *o.NoNewPrivs, w.Text("--no-new-privs")
	}
	if o.Seccomp != nil {
		t.Seccomp = *o.Seccomp
		t.Seccomp.At = w.Text("--seccomp")
		t.Seccomp.Filters = slices.Clone(o.Seccomp.Filters)
		for i := range t.Seccomp.Filters {
			t.Seccomp.Filters[i].Caps, t.Seccomp.Filters[i].At = cr.Bounding, t.Seccomp.At
		}
	}
	if o.SELinuxLabel != "" {
		t.Labels = append(slices.DeleteFunc(slices.Clone(t.Labels), func(l Label) bool { return l.Module == "selinux" }), Label{Module: "selinux", Value: o.SELinuxLabel, At: w.Text("--selinux-label")})
	}
	if o.Policy != nil {
		if err := o.policy(w); err != nil {
			return err
		}
	}
	if o.Cwd != "" {
		at, rest, st := w.Resolve(t.Root, t.Cwd, o.Cwd)
		if st != Present {
			return fmt.Errorf("--cwd %s: %s", o.Cwd, lost(rest, st))
		}
		if !w.FS.I(at.Dentry).Is(TypeDir) {
			return fmt.Errorf("--cwd %s: it is not a directory", o.Cwd)
		}
		t.Cwd = at
	}
	if o.Umask != nil {
		t.Umask = Given(*o.Umask, w.Text("--umask"))
	}
	if o.Kernel != nil {
		w.Kernel, w.KernelAt = *o.Kernel, w.Text("--kernel")
	}
	for _, f := range o.FDs {
		at, rest, st := w.Resolve(t.Root, t.Cwd, f.Path)
		if st != Present {
			return fmt.Errorf("--fd %d=%s: %s", f.N, f.Path, lost(rest, st))
		}
		t.FDs = slices.DeleteFunc(slices.Clone(t.FDs), func(d FD) bool { return d.N == f.N })
		t.FDs = append(t.FDs, FD{N: f.N, Path: at, Flags: f.Flags, At: w.Text("--fd")})
	}
	return nil
}

// policy has SELinux decide by a policy. A snapshot without its machine's policy holds the hash of that.
func (o WhatIf) policy(w *World) error {
	s := &w.SELinux
	if s.Policy.Known() && s.Engine == nil && s.Policy.V.SHA256 != o.Policy.File.SHA256 {
		return fmt.Errorf("--policy %s: it is not the policy of the snapshot, which was %s with the SHA-256 %s", o.Policy.File.Name, s.Policy.V.Name, s.Policy.V.SHA256)
	}
	switch {
	case !w.LSMs.Known():
		w.LSMs = Given([]string{"capability", "selinux"}, w.Suppose("SELinux is the only security module of the node that decides anything", "--node FILE with lsm.active"))
	case !slices.Contains(w.LSMs.V, "selinux"):
		return fmt.Errorf("--policy %s: SELinux is not among the active security modules, which are %s", o.Policy.File.Name, strings.Join(w.LSMs.V, ", "))
	}
	s.Policy, s.Engine = Given(o.Policy.File, w.Text("--policy")), o.Policy.Engine
	if !s.Enforcing.Known() {
		s.Enforcing = Given(true, w.Suppose("SELinux is enforcing", ""))
	}
	return nil
}

func lost(rest string, st State) string {
	if st == Unsure {
		return "whether the container has it is not known"
	}
	return fmt.Sprintf("the container has no %s there", rest)
}

// capabilities changes the bounding set and, for a task that execve has just left, what follows from it.
func (o WhatIf) capabilities(w *World) {
	cr := &w.Task.Cred
	at := w.Text("--cap-add and --cap-drop")
	if o.CapAdd|o.CapDrop == 0 {
		at = cr.UIDAt
	}
	if o.CapAdd|o.CapDrop != 0 {
		cr.Bounding, cr.BoundingAt = (cr.Bounding|o.CapAdd)&^o.CapDrop, at
		for i := range w.Task.Seccomp.Filters {
			w.Task.Seccomp.Filters[i].Caps = cr.Bounding
		}
	}
	if !w.Task.Fresh {
		cr.Permitted = (cr.Permitted | o.CapAdd) &^ o.CapDrop
		cr.Effective = (cr.Effective | o.CapAdd) &^ o.CapDrop
		cr.EffectiveAt = at
		return
	}
	root, _ := w.UserNS[cr.UserNS].UIDs.Down(0)
	switch {
	case !cr.UIDAt.Known():
	case cr.EUID == KUID(root):
		cr.Permitted, cr.Effective, cr.EffectiveAt = cr.Bounding, cr.Bounding, at
	default:
		cr.Permitted, cr.Effective, cr.EffectiveAt = 0, 0, cr.UIDAt
	}
}

// Over returns an input whose worlds are changed so.
func (o WhatIf) Over(in Input) Input { return tried{in, o} }

type tried struct {
	Input
	o WhatIf
}

func (t tried) World() (*World, error) {
	w, err := t.Input.World()
	if err != nil {
		return nil, err
	}
	return w, t.o.Apply(w)
}

func (t tried) With(e story.Edit) (Input, error) {
	in, err := t.Input.With(e)
	if err != nil {
		return nil, err
	}
	return tried{in, t.o}, nil
}

package gates

import (
	"path"
	"slices"
	"strings"

	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// A denial is judged twice: that the kernel refuses, and that it refuses for the reason that is told. So the scene is changed
// in nothing but the fact that decided, and performed again.

// relax returns the scene with the deciding fact relaxed; ok is false where the fact is not one that the scene has alone, as
// an argument of the call or a name that is missing.
func relax(s *Scene, task int, m *model, step story.Step, call *syscalls.Call, missing string) (*Scene, bool) {
	r := &relaxer{model: m, s: s.clone(), task: task, step: step, call: call, missing: missing}
	do := relaxations[step.Code]
	if do == nil || !do(r) {
		return nil, false
	}
	return r.s, true
}

type relaxer struct {
	*model
	s    *Scene
	task int
	step story.Step
	call *syscalls.Call

	missing string // the name that is not there
}

func (r *relaxer) obj() world.Path { return world.PathOf(r.step.Obj) }

// file is what made the object's inode: that of the layer which serves it, in an overlay.
func (r *relaxer) file(d world.DentryID) (f *File, root *Mount) {
	ino := r.FS.I(d)
	for len(ino.Layers) > 0 {
		d = ino.Layers[0]
		ino = r.FS.I(d)
	}
	by, ok := r.made[r.FS.D(d).Inode]
	switch {
	case !ok:
		return nil, nil
	case by.layer >= 0:
		return &r.s.Layers[by.layer].Files[by.index], nil
	}
	return r.s.Items[by.index].File, r.s.Items[by.index].Mount
}

// mount is what made the object's mount.
func (r *relaxer) mount() *Mount {
	i, ok := r.from[r.obj().Mount]
	if !ok {
		return nil
	}
	return r.s.Items[i].Mount
}

// mode changes the mode of the object's inode.
func (r *relaxer) mode(d world.DentryID, change func(mode uint16) uint16) bool {
	f, root := r.file(d)
	switch {
	case f != nil && f.Mode&world.TypeMask != world.TypeLink:
		f.Mode = change(f.Mode)
	case root != nil:
		root.Mode = change(root.Mode)
	default:
		return false
	}
	return true
}

// flag clears a flag of the object's mount.
func (r *relaxer) flag(name string) bool {
	m := r.mount()
	if m == nil {
		return false
	}
	i := slices.Index(m.Flags, name)
	if i < 0 {
		return false
	}
	m.Flags = slices.Delete(m.Flags, i, i+1)
	return true
}

// capability gives the task a capability in its own user namespace.
func (r *relaxer) capability(c kernel.Cap) bool {
	t := &r.s.Tasks[r.task]
	if t.Effective>>c&1 != 0 {
		return false
	}
	t.Effective |= 1 << c
	return true
}

// relaxations are the changes, by the check that decided.
var relaxations = map[story.Code]func(r *relaxer) bool{
	story.SeccompFilter: func(r *relaxer) bool {
		t := &r.s.Tasks[r.task]
		of := func(f Refuse) bool { return f.Call == r.call.Name }
		t.Filter = slices.DeleteFunc(t.Filter, of)
		t.Filters = slices.DeleteFunc(t.Filters, func(p Profile) bool { return p.Docker })
		for i := range t.Filters {
			t.Filters[i].Refuse = slices.DeleteFunc(t.Filters[i].Refuse, of)
		}
		if len(t.profiles()) == 0 { // a task without filters is made otherwise, with one thread
			t.Filter = []Refuse{{Call: "lookup_dcookie", Errno: uint16(story.EPERM)}}
		}
		return true
	},
	story.ModeBits: func(r *relaxer) bool {
		want, cr := story.AskedOfMode(r.step.Val[0]), r.Task.Cred
		if strings.Contains(r.call.Name, "access") && !strings.Contains(r.call.String(), "AT_EACCESS") {
			cr.FSUID, cr.FSGID = cr.RUID, cr.RGID // access(2) asks for the real ids
		}
		uid, gid := world.KUID(r.step.Val[1]>>32), world.KGID(uint32(r.step.Val[1]))
		switch {
		case cr.FSUID == uid:
			want <<= 6
		case cr.InGroup(gid):
			want <<= 3
		}
		return r.mode(r.obj().Dentry, func(mode uint16) uint16 { return mode | want })
	},
	story.ACLBits: func(r *relaxer) bool {
		f, _ := r.file(r.obj().Dentry)
		if f == nil {
			return false
		}
		want := story.AskedOfMode(r.step.Val[1])
		for i := range f.ACL {
			f.ACL[i].Perm |= uint8(want)
		}
		f.Mode |= want<<6 | want<<3 | want
		return true
	},
	story.ModeNoExec:      func(r *relaxer) bool { return r.mode(r.obj().Dentry, func(m uint16) uint16 { return m | 0o100 }) },
	story.Immutable:       func(r *relaxer) bool { return r.attributes(r.obj().Dentry, true, r.step.Op == story.OpRemove) },
	story.AppendOnly:      func(r *relaxer) bool { return r.attributes(r.obj().Dentry, false, true) },
	story.AppendDirectory: func(r *relaxer) bool { return r.attributes(r.obj().Dentry, false, true) },
	story.FixedAttributes: func(r *relaxer) bool { return r.attributes(r.obj().Dentry, true, true) },
	story.MountReadOnly:   func(r *relaxer) bool { return r.flag("ro") },
	story.MountNoDev: func(r *relaxer) bool { // a user namespace's filesystem has no devices, whatever the mount's flags
		return r.FS.SBOf(r.obj().Dentry).Flags&world.SBNoDev == 0 && r.flag("nodev")
	},
	story.MountNoExec:      func(r *relaxer) bool { return r.flag("noexec") },
	story.MountNoSymFollow: func(r *relaxer) bool { return r.flag("nosymfollow") },
	story.SuperReadOnly: func(r *relaxer) bool {
		sb := r.FS.I(r.obj().Dentry).SB
		for id, i := range r.from {
			if m := r.s.Items[i].Mount; m.Super && r.Mounts[id].SB == sb {
				m.Super = false
				return true
			}
		}
		return false
	},
	story.CapNeeded: func(r *relaxer) bool {
		return r.Task.Cred.UserNS == world.UserNSID(r.step.Val[1]) && r.capability(kernel.Cap(r.step.Val[0]))
	},
	story.StickyDelete: func(r *relaxer) bool {
		return r.mode(r.FS.D(r.obj().Dentry).Parent, func(m uint16) uint16 { return m &^ 0o1000 })
	},
	story.UserNSCap:         (*relaxer).initial,
	story.UserNSOwner:       (*relaxer).own,
	story.UserNSIDs:         (*relaxer).own,
	story.UserNSWrite:       (*relaxer).own,
	story.ProtectedHardlink: (*relaxer).own,
	story.OwnerOnly:         (*relaxer).own,
	story.GroupOnly: func(r *relaxer) bool {
		t := &r.s.Tasks[r.task]
		t.Groups = append(t.Groups, uint32(r.step.Val[1]))
		return userNamespaces(r.s)[t.NS].MapsGID(world.KGID(r.step.Val[1])) && r.Task.Cred.FSUID == world.KUID(r.step.Val[0]>>32)
	},
	story.NameMissing: (*relaxer).appear,
}

// again are those after which the model judges the changed scene anew: the fact cannot be changed without others that follow
// from it, as the owner of a file, so that passing the one check over says too little.
var again = map[story.Code]bool{story.UserNSCap: true, story.UserNSOwner: true, story.UserNSIDs: true, story.UserNSWrite: true, story.ProtectedHardlink: true, story.OwnerOnly: true,
	story.GroupOnly: true, story.NameMissing: true}

func (r *relaxer) attributes(d world.DentryID, immutable, appendOnly bool) bool {
	f, _ := r.file(d)
	if f == nil || !(f.Immutable && immutable || f.Append && appendOnly) {
		return false
	}
	f.Immutable, f.Append = f.Immutable && !immutable, f.Append && !appendOnly
	return true
}

// own gives the object to the task.
func (r *relaxer) own() bool {
	f, root := r.file(r.obj().Dentry)
	t := &r.s.Tasks[r.task]
	sb := r.FS.SBOf(r.obj().Dentry)
	ns := &r.UserNS[sb.UserNS]
	if r.Mounts[r.obj().Mount].IDMap != 0 || !ns.MapsUID(world.KUID(t.UID)) || !ns.MapsGID(world.KGID(t.GID)) {
		return false
	}
	switch {
	case f != nil:
		f.UID, f.GID = t.UID, t.GID
	case root != nil:
		root.UID, root.GID = t.UID, t.GID
	default:
		return false
	}
	return true
}

// initial puts the task into the initial user namespace, with the capability.
func (r *relaxer) initial() bool {
	t := &r.s.Tasks[r.task]
	if t.NS == 0 {
		return false
	}
	t.NS, t.OwnMounts = 0, false
	t.Effective, t.Permitted = t.Effective|1<<r.step.Val[0], 0
	t.Inheritable, t.Ambient = 0, 0
	return true
}

// appear makes the name that was missing.
func (r *relaxer) appear() bool {
	dir := r.obj()
	by, ok := r.made[r.FS.D(dir.Dentry).Inode]
	if !ok || by.layer >= 0 {
		return false
	}
	it := r.s.Items[by.index]
	at := ""
	switch {
	case it.File != nil:
		at = it.File.Path
	case it.Mount != nil:
		at = it.Mount.Point
	}
	f := &File{Path: path.Join(at, r.missing), Mode: world.TypeReg | 0o644}
	if r.missing == "" || len(r.missing) > 255 {
		return false
	}
	if sb := r.FS.SBOf(dir.Dentry); sb.UserNS != 0 {
		f.UID, f.GID = r.UserNS[sb.UserNS].UIDs[0].Outside, r.UserNS[sb.UserNS].GIDs[0].Outside
	}
	r.s.Items = slices.Insert(r.s.Items, by.index+1, Item{File: f})
	return true
}

// sameMount reports whether two denials look at one flag of one mount of the scene, in whichever mount namespace it is seen.
func sameMount(m *model, a, b story.Step) bool {
	switch {
	case a.Code != b.Code:
		return false
	case a.Code == story.MountReadOnly, a.Code == story.MountNoDev, a.Code == story.MountNoExec, a.Code == story.MountNoSymFollow:
		i, ok := m.from[world.PathOf(a.Obj).Mount]
		k, also := m.from[world.PathOf(b.Obj).Mount]
		return ok && also && i == k
	}
	return false
}

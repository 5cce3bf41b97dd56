package edits

import (
	"fmt"

	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// permission offers what may let the mode bits or the ACL pass: the right id, the file's own mode, a capability.
func (r *Refusal) permission() {
	r.owner()
	if _, gid, ok := r.ids(); ok {
		r.Words.Group(gid)
	}
	r.chmod()
	r.chown()
	if r.Step.Op == story.OpRead || r.Step.Op == story.OpSearch {
		r.Words.Capability(kernel.CapDacReadSearch)
	}
	r.Words.Capability(kernel.CapDacOverride)
}

// ids returns owner and group of the object as the container sees them.
func (r *Refusal) ids() (uid, gid uint32, ok bool) {
	ino := r.W.FS.I(r.Obj.Dentry)
	if ino.Known&world.KnownOwner == 0 {
		return 0, 0, false
	}
	uid, gid = uint32(ino.UID), uint32(ino.GID)
	ns := &r.W.UserNS[r.W.Task.Cred.UserNS]
	if r.Obj.Mount != 0 && r.W.Mounts[r.Obj.Mount].IDMap != 0 || r.W.Task.Cred.UserNS == 0 {
		return uid, gid, true // the mount shows the ids as they are on disk
	}
	uid, ok1 := ns.UIDs.Up(uid)
	gid, ok2 := ns.GIDs.Up(gid)
	return uid, gid, ok1 && ok2
}

// owner offers to run as the file's owner.
func (r *Refusal) owner() {
	if uid, gid, ok := r.ids(); ok {
		r.Words.RunAs(uid, gid)
	}
}

// ofOwner offers what only the owner may do, or whoever has CAP_FOWNER.
func (r *Refusal) ofOwner() {
	r.owner()
	switch r.Step.Code {
	case story.StickyDelete:
		r.unstick()
		r.chown()
	case story.OwnerOnly, story.OpenNoAtime, story.XattrSticky:
		r.chown()
	}
	r.Words.Capability(kernel.CapFowner)
	if set, ok := kernel.ParseSysctl(r.fact(0)); ok && r.Step.Code == story.ProtectedHardlink {
		r.Words.Sysctl(set, 0)
	}
}

// unstick offers to take the sticky bit off the directory.
func (r *Refusal) unstick() {
	dir := world.Path{Mount: r.Obj.Mount, Dentry: r.W.FS.D(r.Obj.Dentry).Parent}
	name := r.W.PathText(dir)
	r.Words.File(File{At: dir, Command: func(p string) string { return "chmod -t " + p }, Text: "take the sticky bit off " + name, Exposes: "the names in " + name + " to whoever may write to it", Risk: story.Widens,
		Change: func(ino *world.Inode) { ino.Mode &^= 0o1000 }})
}

// modes are the permissions of an operation: as bits, and in words.
var modes = map[story.Op]struct {
	bits uint16
	verb string
}{story.OpRead: {4, "read"}, story.OpWrite: {2, "write to"}, story.OpReadWrite: {6, "read and write"}, story.OpExec: {1, "execute"}, story.OpSearch: {1, "search"}, story.OpCreate: {3, "make names in"},
	story.OpRemove: {3, "remove names in"}}

// chmod offers the bit that is missing, to each class that lacks it, and to the task alone.
func (r *Refusal) chmod() {
	ino := r.W.FS.I(r.Obj.Dentry)
	if ino.Known&(world.KnownOwner|world.KnownPerm) != world.KnownOwner|world.KnownPerm {
		return
	}
	m, ok := modes[r.Step.Op]
	asked := uint16(0)
	switch r.Step.Code {
	case story.ModeBits, story.ModeNoExec:
		asked = story.AskedOfMode(r.Step.Val[0])
	case story.ACLBits:
		asked = story.AskedOfMode(r.Step.Val[1])
	}
	if !ok {
		m.bits, m.verb = 7&^(ino.Mode&7), "use"
	}
	if asked != 0 { // access(2) asks for several at once, of which the operation names one
		m.bits = asked
	}
	letters := ""
	for i, ch := range "rwx" {
		if m.bits>>(2-i)&1 != 0 {
			letters += string(ch)
		}
	}
	for _, c := range []struct {
		who   string
		shift uint16
		to    string
	}{{"u", 6, "its owner"}, {"g", 3, "its group"}, {"o", 0, "everybody"}} {
		if ino.Mode>>c.shift&m.bits == m.bits {
			continue
		}
		risk := story.Safe
		if c.who == "o" {
			risk = story.Widens
		}
		r.Words.File(File{At: r.Obj, Command: func(p string) string { return fmt.Sprintf("chmod %s+%s %s", c.who, letters, p) }, Text: "let " + c.to + " " + m.verb + " " + r.Path, Exposes: r.Path + " to " + c.to, Risk: risk,
			Change: func(ino *world.Inode) {
				ino.Mode |= m.bits << c.shift
				if c.who == "g" {
					raiseMask(ino, m.bits)
				}
			}})
	}
	r.acl(ino, m.bits, letters, m.verb)
}

// raiseMask is what chmod does to an ACL: the bits of the group are its mask (__posix_acl_chmod_masq).
func raiseMask(ino *world.Inode, bits uint16) {
	for i := range ino.ACL {
		if ino.ACL[i].Tag == world.ACLMask {
			ino.ACL[i].Perm |= uint8(bits)
		}
	}
}

// acl offers an entry for the task's uid.
func (r *Refusal) acl(ino *world.Inode, bits uint16, letters, verb string) {
	cr := &r.W.Task.Cred
	if uint32(cr.FSUID) == world.Invalid || !cr.UIDAt.Known() || len(ino.ACL) > 0 || ino.Known&world.KnownACL == 0 || r.W.FS.SBOf(r.Obj.Dentry).Overlay != nil {
		return
	}
	disk := r.onDisk(uint32(cr.FSUID))
	entry := world.ACLEntry{Tag: world.ACLUser, Perm: uint8(bits), ID: disk}
	id := r.told(disk, uint32(cr.FSUID))
	r.Words.File(File{At: r.Obj, Command: func(p string) string { return fmt.Sprintf("setfacl -m u:%d:%s %s", id, letters, p) }, Text: fmt.Sprintf("let uid %d %s %s by an ACL", id, verb, r.Path), Exposes: r.Path + " to that uid only", Risk: story.Safe,
		Change: func(ino *world.Inode) {
			group := uint8(ino.Mode >> 3 & 7)
			ino.ACL = []world.ACLEntry{{Tag: world.ACLUserObj, Perm: uint8(ino.Mode >> 6 & 7)}, entry, {Tag: world.ACLGroupObj, Perm: group}, {Tag: world.ACLMask, Perm: group | entry.Perm}, {Tag: world.ACLOther, Perm: uint8(ino.Mode & 7)}}
			ino.Mode |= uint16(entry.Perm) << 3
		}})
}

// onDisk is an id as the object's filesystem keeps it.
func (r *Refusal) onDisk(id uint32) uint32 {
	if r.Obj.Mount == 0 {
		return id
	}
	if ns := r.W.Mounts[r.Obj.Mount].IDMap; ns != 0 {
		id, _ = r.W.UserNS[ns].UIDs.Up(id)
	}
	return id
}

// told is the id that a command names: what is on disk, or what the mount shows to whoever goes through it.
func (r *Refusal) told(disk, shown uint32) uint32 {
	if r.Through {
		return shown
	}
	return disk
}

// chown offers to give the file to the task.
func (r *Refusal) chown() {
	cr := &r.W.Task.Cred
	if !cr.UIDAt.Known() {
		return
	}
	disk := r.onDisk(uint32(cr.FSUID))
	if disk == world.Invalid {
		return
	}
	id := r.told(disk, uint32(cr.FSUID))
	r.Words.File(File{At: r.Obj, Command: func(p string) string { return fmt.Sprintf("chown %d %s", id, p) }, Text: fmt.Sprintf("give %s to uid %d", r.Path, id), Exposes: r.Path + " to every process of that uid", Risk: story.Safe,
		Change: func(ino *world.Inode) { ino.UID = world.KUID(disk) }})
}

// chownBoth offers to give owner and group of the file ids that the task's user namespace maps.
func (r *Refusal) chownBoth() {
	cr := &r.W.Task.Cred
	if !cr.UIDAt.Known() || !cr.GIDAt.Known() || r.Obj.Dentry == 0 {
		return
	}
	uid, gid := r.onDisk(uint32(cr.FSUID)), r.onDisk(uint32(cr.FSGID))
	if uid == world.Invalid || gid == world.Invalid {
		return
	}
	u, g := r.told(uid, uint32(cr.FSUID)), r.told(gid, uint32(cr.FSGID))
	r.Words.File(File{At: r.Obj, Command: func(p string) string { return fmt.Sprintf("chown %d:%d %s", u, g, p) }, Text: fmt.Sprintf("give %s to %d:%d", r.Path, u, g), Exposes: r.Path + " to every process of that uid", Risk: story.Safe,
		Change: func(ino *world.Inode) { ino.UID, ino.GID = world.KUID(uid), world.KGID(gid) }})
}

// chattr offers to take an attribute off.
func (r *Refusal) chattr() {
	flag, attr, text := "i", world.AttrImmutable, "immutable"
	if r.W.FS.I(r.Obj.Dentry).Attr&world.AttrImmutable == 0 {
		flag, attr, text = "a", world.AttrAppend, "append-only"
	}
	r.Words.File(File{At: r.Obj, Command: func(p string) string { return "chattr -" + flag + " " + p }, Text: "take the attribute " + text + " off " + r.Path, Exposes: r.Path + " to whoever its mode allows", Risk: story.Widens,
		Change: func(ino *world.Inode) { ino.Attr &^= attr }})
}

// dropFileCaps offers to take the capabilities off a program.
func (r *Refusal) dropFileCaps() {
	r.Words.File(File{At: r.Obj, Command: func(p string) string { return "setcap -r " + p }, Text: "take the capabilities off " + r.Path, Exposes: "nothing: the program starts with fewer capabilities", Risk: story.Safe,
		Change: func(ino *world.Inode) { ino.Caps = nil }})
}

// protected offers the right owner, a directory that not everybody writes to, or the sysctl.
func (r *Refusal) protected() {
	r.owner()
	r.chown()
	dir := world.Path{Mount: r.Obj.Mount, Dentry: r.W.FS.D(r.Obj.Dentry).Parent}
	r.Words.File(File{At: dir, Command: func(p string) string { return "chmod o-w " + p }, Text: "take write permission from others in " + r.W.PathText(dir), Exposes: "nothing: it only takes away", Risk: story.Safe,
		Change: func(ino *world.Inode) { ino.Mode &^= 0o002 }})
	if set, ok := kernel.ParseSysctl(r.fact(0)); ok {
		r.Words.Sysctl(set, 0)
	}
}

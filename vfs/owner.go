package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// inGroup is vfsgid_in_group_p.
func inGroup(c *check.Check, gid world.KGID) kernel.Answer {
	cr := c.Cred
	switch {
	case cr.GIDAt.Known() && cr.FSGID == gid:
		return kernel.Yes
	case cr.GroupsAt.Known():
		for _, g := range cr.Groups {
			if g == gid {
				return kernel.Yes
			}
		}
	}
	if cr.GIDAt.Known() && cr.GroupsAt.Known() {
		return kernel.No
	}
	return kernel.NotKnown
}

// inGroupOrCapable is in_group_or_capable: who keeps the setgid bit of a file with that group.
func inGroupOrCapable(c *check.Check, group world.KGID, uid world.KUID, gid world.KGID) kernel.Answer {
	a := inGroup(c, group)
	if a == kernel.Yes {
		return a
	}
	if b := capableWrt(c, uid, gid, kernel.CapFsetid); b != kernel.No {
		return b
	}
	return a
}

// dropSetid is setattr_should_drop_suidgid: setuid always, setgid where the group may execute or is not the task's.
func dropSetid(c *check.Check, mode uint16, uid world.KUID, gid world.KGID) (kill uint16, sure bool) {
	kill, sure = mode&0o4000, true
	if mode&0o2000 == 0 {
		return kill, sure
	}
	if mode&0o010 != 0 {
		return kill | 0o2000, sure
	}
	switch inGroupOrCapable(c, gid, uid, gid) {
	case kernel.No:
		kill |= 0o2000
	case kernel.NotKnown:
		sure = false
	}
	return kill, sure
}

// onDisk turns ids as a mount shows them into what its filesystem keeps (from_vfsuid); Invalid where there is no place.
func onDisk(w *world.World, p world.Path, uid, gid uint32) (uint32, uint32) {
	idmap := w.Mounts[p.Mount].IDMap
	if idmap == 0 {
		return uid, gid
	}
	m, fs := &w.UserNS[idmap], &w.UserNS[w.FS.SBOf(p.Dentry).UserNS]
	one := func(up, down world.IDMap, id uint32) uint32 {
		id, ok := up.Up(id)
		if !ok {
			return world.Invalid
		}
		id, _ = down.Down(id)
		return id
	}
	return one(m.UIDs, fs.UIDs, uid), one(m.GIDs, fs.GIDs, gid)
}

// NewOwner is inode_init_owner for a new file in a directory: its ids as the filesystem keeps them, and its mode, as which a
// directory inherits setgid. sure is false where a fact is missing.
func NewOwner(c *check.Check, dir world.Path, mode uint16) (uid world.KUID, gid world.KGID, now uint16, sure bool) {
	cr, d := c.Cred, c.W.FS.I(dir.Dentry)
	u, g := onDisk(c.W, dir, uint32(cr.FSUID), uint32(cr.FSGID))
	sure = cr.UIDAt.Known() && cr.GIDAt.Known() && d.Known&world.KnownPerm != 0
	if d.Known&world.KnownPerm == 0 || d.Mode&0o2000 == 0 {
		return world.KUID(u), world.KGID(g), mode, sure
	}
	if mode&world.TypeMask == world.TypeDir {
		mode |= 0o2000
	}
	return world.KUID(u), d.GID, mode, sure && d.Known&world.KnownOwner != 0
}

// stripSetgid is mode_strip_sgid, before the umask counts: in a setgid directory a new file that its group may execute keeps setgid
// only if the task is in the directory's group or has CAP_FSETID over it. A directory is asked about too, to no effect.
func stripSetgid(c *check.Check, dir world.Path, mode uint16) (now uint16, sure bool) {
	d := c.Inode(dir.Dentry)
	const both = 0o2010 // setgid, and execution by the group
	if mode&both != both || d.Known&world.KnownPerm != 0 && d.Mode&0o2000 == 0 {
		return mode, true
	}
	if d.Known&world.KnownPerm == 0 || d.Known&world.KnownOwner == 0 {
		return mode, false
	}
	uid, gid := ids(c.W, dir, d)
	switch inGroupOrCapable(c, gid, uid, gid) {
	case kernel.Yes:
		return mode, true
	case kernel.NotKnown:
		return mode, false
	}
	return mode &^ 0o2000, true
}

// Chown is chown_common and notify_change. An id of -1 stays as it is.
func Chown(c *check.Check, t Target, uid, gid uint32) story.Errno {
	if t.Flags&^uint64(AtSymlinkNofollow|AtEmptyPath) != 0 {
		return Invalid(c, story.EINVAL, "fchownat knows AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH")
	}
	p, err := t.object(c)
	if err != 0 || lost(c, t, p, story.EROFS, story.EPERM) {
		return err
	}
	if err := mount.WantWrite(c, p, story.OpSetattr); err != 0 {
		return err
	}
	w := c.W
	ns := &w.UserNS[c.Cred.UserNS]
	o := owners{uid: uid, gid: gid, setUID: uid != world.Invalid, setGID: gid != world.Invalid}
	for _, id := range [...]struct {
		set bool
		m   world.IDMap
		v   *uint32
	}{{o.setUID, ns.UIDs, &o.uid}, {o.setGID, ns.GIDs, &o.gid}} {
		if !id.set {
			continue
		}
		k, ok := id.m.Down(*id.v)
		if !ok {
			return c.Deny(story.Step{Code: story.UserNSArgument, Errno: story.EINVAL, Op: story.OpSetattr, Obj: p.Ref(), Val: [3]uint64{uint64(*id.v), uint64(c.Cred.UserNS)}})
		}
		*id.v = k
	}
	ino := c.Inode(p.Dentry)
	o.drops(c, p)
	if err := c.LSM.PathChown(c, p); err != 0 {
		return err
	}
	if o.setUID || o.setGID {
		if err := fixed(c, p, world.AttrImmutable|world.AttrAppend); err != 0 {
			return err
		}
	}
	disk, err := o.maps(c, p)
	if err != 0 {
		return err
	}
	what := check.SetAttributes
	if !o.setUID && !o.setGID && o.kill.bits == 0 && !o.kill.unsure {
		what = check.SetTouched
	}
	if err := c.LSM.InodeSetattr(c, p, what); err != 0 {
		return err
	}
	if err := setattr(c, p, false); err != 0 {
		return err
	}
	if ino.Attr&world.AttrImmutable != 0 && w.FS.SB(ino.SB).Type == "ext4" { // ext4_setattr, whatever changes
		if err := c.Deny(story.Step{Code: story.Immutable, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}}); err != 0 {
			return err
		}
	}
	c.Changed = check.Changed{Path: p, UID: world.KUID(disk.uid), GID: world.KGID(disk.gid), SetUID: o.setUID, SetGID: o.setGID}
	if err := o.prepare(c, p); err != 0 {
		return err
	}
	if !ino.Is(world.TypeDir) {
		if err := killCaps(c, p); err != 0 {
			return err
		}
	}
	if !o.setUID && !o.setGID && !c.Changed.SetMode {
		c.Changed = check.Changed{}
		return changed(c, p, "")
	}
	return changed(c, p, "owner")
}

// owners are the ids that a file is to get, as the initial user namespace counts.
type owners struct {
	uid, gid       uint32
	setUID, setGID bool
	kill           privs // setuid and setgid, which chown takes from every file that is no directory
}

// drops finds out what a file loses, as chown_common does before anything refuses.
func (o *owners) drops(c *check.Check, p world.Path) {
	ino := c.W.FS.I(p.Dentry)
	if ino.Is(world.TypeDir) || ino.Mode&0o6000 == 0 {
		return
	}
	if ino.Known&(world.KnownPerm|world.KnownOwner) != world.KnownPerm|world.KnownOwner || !c.Cred.UIDAt.Known() {
		o.kill.unsure = true
		return
	}
	uid, gid := ids(c.W, p, ino)
	kill, sure := dropSetid(c, ino.Mode, uid, gid)
	o.kill = privs{kill, !sure}
}

// maps refuses new ids that the filesystem cannot keep, and old ones that cannot be expressed and are not replaced
// (notify_change). It returns the ids as the filesystem keeps them.
func (o owners) maps(c *check.Check, p world.Path) (owners, story.Errno) {
	w := c.W
	ino := w.FS.I(p.Dentry)
	sb := w.FS.SBOf(p.Dentry)
	ns := &w.UserNS[sb.UserNS]
	disk := o
	disk.uid, disk.gid = onDisk(w, p, o.uid, o.gid)
	shown := w.Mounts[p.Mount].IDMap != 0 // without a map of the mount any id can be written (from_vfsuid)
	badUID, badGID := shown && o.setUID && !ns.MapsUID(world.KUID(disk.uid)), shown && o.setGID && !ns.MapsGID(world.KGID(disk.gid))
	if badUID || badGID {
		id := o.uid
		if !badUID {
			id = o.gid
		}
		return disk, c.Deny(story.Step{Code: story.UserNSArgument, Errno: story.EOVERFLOW, Op: story.OpSetattr, Obj: p.Ref(), Val: [3]uint64{uint64(id), uint64(sb.UserNS)}})
	}
	ouid, ogid := ids(w, p, ino)
	if ino.Known&world.KnownOwner != 0 && (!o.setUID && uint32(ouid) == world.Invalid || !o.setGID && uint32(ogid) == world.Invalid) {
		return disk, c.Deny(story.Step{Code: story.UserNSIDs, Errno: story.EOVERFLOW, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{pack(ino.UID, ino.GID)}})
	}
	return disk, 0
}

// prepare is setattr_prepare for owner and group; clearing setuid and setgid is a change of the mode, which needs the owner
// or CAP_FOWNER.
func (o owners) prepare(c *check.Check, p world.Path) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	if ino.Known&world.KnownOwner == 0 || !c.Cred.UIDAt.Known() {
		c.Unknown(story.Step{Code: story.ModeUnknown, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At, c.Cred.UIDAt}, Val: [3]uint64{c.Word("the task"), c.Word("the owner, or the task's uid")}})
		c.Changed.Unsure = true
		return 0
	}
	ouid, ogid := ids(c.W, p, ino)
	if o.setUID && !(c.Cred.FSUID == ouid && world.KUID(o.uid) == ouid) {
		if err := capability(c, mayChown(c, p, ouid, ogid, uint32(ouid)), c.Cred.UserNS, kernel.CapChown, p, story.OpSetattr); err != 0 {
			return err
		}
	}
	if o.setGID {
		if err := o.group(c, p, ouid, ogid); err != 0 {
			return err
		}
	}
	if ino.Is(world.TypeDir) {
		return 0
	}
	if ino.Known&world.KnownPerm == 0 {
		c.Changed.Unsure = true
		c.Unknown(story.Step{Code: story.ModeUnknown, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{c.Word("the task"), c.Word("whether the file is setuid or setgid")}})
		return 0
	}
	return o.setid(c, p, ouid, ogid)
}

// setid clears setuid and setgid.
func (o owners) setid(c *check.Check, p world.Path, ouid world.KUID, ogid world.KGID) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	if o.kill.unsure {
		c.Changed.Unsure = true
	}
	if o.kill.bits == 0 {
		if o.kill.unsure {
			c.Unknown(story.Step{Code: story.ModeUnknown, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{c.Cred.GroupsAt}, Val: [3]uint64{c.Word("the task"), c.Word("the task's groups or capabilities")}})
		}
		return 0
	}
	mode := ino.Mode & 0o7777 &^ o.kill.bits
	group := ogid
	if o.setGID {
		group = world.KGID(o.gid)
	}
	if mode&0o2000 != 0 && inGroupOrCapable(c, group, ouid, ogid) == kernel.No {
		mode &^= 0o2000
	}
	c.Changed.Mode, c.Changed.SetMode = mode, true
	return ownerOrCapable(c, p, story.OwnerOnly)
}

// mayChown is the way past the owner in chown_ok and chgrp_ok: id is what each of them changes, the owner or the group.
func mayChown(c *check.Check, p world.Path, ouid world.KUID, ogid world.KGID, id uint32) kernel.Answer {
	a := capableWrt(c, ouid, ogid, kernel.CapChown)
	if a == kernel.No && id == world.Invalid {
		a = capable(c, c.W.FS.SBOf(p.Dentry).UserNS, kernel.CapChown, check.RealmSuperblock)
	}
	return a
}

// group is chgrp_ok.
func (o owners) group(c *check.Check, p world.Path, ouid world.KUID, ogid world.KGID) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	gid := world.KGID(o.gid)
	member := kernel.No
	if c.Cred.FSUID == ouid {
		if member = inGroup(c, gid); gid == ogid {
			member = kernel.Yes
		}
	}
	if member == kernel.Yes {
		return 0
	}
	switch a := mayChown(c, p, ouid, ogid, uint32(ogid)); {
	case a == kernel.Yes:
		c.Pass(story.Step{Code: story.CapNeeded, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{c.Cred.EffectiveAt, 0, c.Cred.EffectiveAt}, Val: [3]uint64{uint64(kernel.CapChown), uint64(c.Cred.UserNS), uint64(c.Cred.Effective)}})
		return 0
	case a == kernel.NotKnown || member == kernel.NotKnown:
		why := c.Cred.EffectiveAt
		if member == kernel.NotKnown {
			why = c.Cred.GroupsAt
		}
		c.Unknown(story.Step{Code: story.ModeUnknown, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{why}, Val: [3]uint64{c.Word("the task"), c.Word("the task's groups or capabilities")}})
		return 0
	}
	return c.Deny(story.Step{Code: story.GroupOnly, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{pack(ouid, ogid), uint64(gid)}})
}

// Package vfs holds the kernel's shared helpers, one file a group of functions, and joins the mechanisms: where one of them
// calls into another, it does so through check.Hooks, which is implemented here.
package vfs

import (
	"syscallstory/check"
	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// Hooks implements check.Hooks.
type Hooks struct{}

// ids returns an inode's owner and group after the mount's id map (i_uid_into_vfsuid).
func ids(w *world.World, p world.Path, ino *world.Inode) (world.KUID, world.KGID) {
	ns := w.Mounts[p.Mount].IDMap
	if ns == 0 {
		return ino.UID, ino.GID
	}
	// make_vfsuid: the id as the filesystem's user namespace has it, through the map. What has no place is Invalid.
	fs, m := &w.UserNS[w.FS.SB(ino.SB).UserNS], &w.UserNS[ns]
	uid, _ := fs.UIDs.Up(uint32(ino.UID))
	gid, _ := fs.GIDs.Up(uint32(ino.GID))
	uid, _ = m.UIDs.Down(uid)
	gid, _ = m.GIDs.Down(gid)
	return world.KUID(uid), world.KGID(gid)
}

func pack(uid world.KUID, gid world.KGID) uint64 { return uint64(uid)<<32 | uint64(gid) }

// InodePermission is inode_permission in fs/namei.c.
func (h Hooks) InodePermission(c *check.Check, cr *world.Cred, p world.Path, mask check.Mask) story.Errno {
	ino := c.Inode(p.Dentry)
	if mask&check.MayWrite != 0 {
		if t := ino.Type(); t == world.TypeReg || t == world.TypeDir || t == world.TypeLink || ino.Known&world.KnownType == 0 {
			if e := mount.SuperWritable(c, p, mask.Op(t == world.TypeDir)); e != 0 {
				return e
			}
		}
		if e := mayChange(c, p, ino, mask); e != 0 {
			return e
		}
	}
	e := story.Errno(0)
	if ops := c.Ops[ino.SB]; ops != nil {
		e = ops.Permission(c, cr, p, mask)
	} else {
		e = h.GenericPermission(c, cr, p, mask)
	}
	if e != 0 {
		return e
	}
	if t := ino.Type(); t == world.TypeChar || t == world.TypeBlk {
		if e := devices(c, p, mask); e != 0 {
			return e
		}
	}
	return c.LSM.InodePermission(c, cr, p, mask)
}

// mayChange refuses to write an immutable inode, or one whose ids cannot be written back.
func mayChange(c *check.Check, p world.Path, ino *world.Inode, mask check.Mask) story.Errno {
	if ino.Attr&world.AttrImmutable != 0 {
		if e := c.Deny(story.Step{Code: story.Immutable, Errno: story.EPERM, Op: mask.Op(ino.Is(world.TypeDir)), Obj: p.Ref(), Fact: [3]story.Origin{ino.At}}); e != 0 {
			return e
		}
	}
	uid, gid := ids(c.W, p, ino)
	if ino.Known&world.KnownOwner != 0 && (uint32(uid) == world.Invalid || uint32(gid) == world.Invalid) {
		return c.Deny(story.Step{Code: story.UserNSWrite, Errno: story.EACCES, Op: mask.Op(ino.Is(world.TypeDir)), Obj: p.Ref(),
			Fact: [3]story.Origin{ino.At}, Val: [3]uint64{pack(ino.UID, ino.GID)}})
	}
	return 0
}

// GenericPermission is generic_permission: the mode bits or the ACL, then the capabilities that pass over them.
func (Hooks) GenericPermission(c *check.Check, cr *world.Cred, p world.Path, mask check.Mask) story.Errno {
	ino := c.Inode(p.Dentry)
	uid, gid := ids(c.W, p, ino)
	dir := ino.Is(world.TypeDir)
	op := mask.Op(dir)
	var idmap *world.UserNS
	if ns := c.W.Mounts[p.Mount].IDMap; ns != 0 {
		idmap = &c.W.UserNS[ns]
	}
	d := cred.Granted(cr, ino, idmap, uid, gid, cred.Bits(mask&7))
	if d.Granted == kernel.Yes && !c.Recording() {
		return 0
	}
	facts := [3]story.Origin{ino.At, ino.At, cr.UIDAt}
	vals := [3]uint64{story.ModeAsked(uint64(ino.Mode), uint8(mask&7)), pack(uid, gid), pack(cr.FSUID, cr.FSGID)}
	if d.Granted == kernel.Yes {
		if mask&7 != 0 {
			s := story.Step{Code: story.ModeBits, Op: op, Obj: p.Ref(), Fact: facts, Val: vals}
			if d.Class == cred.ClassACL {
				s.Code, s.Val = story.ACLBits, [3]uint64{c.Word(d.EntryText()), vals[0], vals[1]}
			}
			c.Pass(s)
		}
		return 0
	}
	code, got := capabilityFor(c, cr, ino, uid, gid, mask)
	switch {
	case got == kernel.Yes:
		c.Pass(story.Step{Code: code, Op: op, Obj: p.Ref(), Fact: [3]story.Origin{ino.At, ino.At, cr.EffectiveAt}, Val: [3]uint64{vals[0], vals[1], uint64(cr.Effective)}})
		return 0
	case d.Granted == kernel.NotKnown || got == kernel.NotKnown:
		miss := d.Missing
		if miss == "" {
			miss = "the task's capabilities"
		}
		why := ino.At
		if miss == "the task's uid" {
			why = cr.UIDAt
		} else if d.Granted != kernel.NotKnown {
			why = cr.EffectiveAt
		}
		c.Unknown(story.Step{Code: story.ModeUnknown, Errno: story.EACCES, Op: op, Obj: p.Ref(), Fact: [3]story.Origin{why}, Val: [3]uint64{c.Word("the task"), c.Word(miss)}})
		return 0
	}
	s := story.Step{Code: story.ModeBits, Errno: story.EACCES, Op: op, Obj: p.Ref(), Fact: facts, Val: vals}
	switch {
	case unmapped(c.W, cr, ino, uid, gid, mask):
		s.Code, s.Fact[1], s.Val = story.UserNSOwner, cr.EffectiveAt, [3]uint64{pack(ino.UID, ino.GID), uint64(cr.Effective), uint64(cr.UserNS)}
	case !dir && mask&check.MayExec != 0 && ino.Mode&0o111 == 0 && cr.EffectiveAt.Known() && cr.Effective.Has(kernel.CapDacOverride):
		s.Code = story.ModeNoExec
	case d.Class == cred.ClassACL:
		s.Code, s.Val = story.ACLBits, [3]uint64{c.Word(d.EntryText()), vals[0], vals[1]}
	}
	return c.Deny(s)
}

// capabilityFor asks for the capabilities that pass over the mode, in generic_permission's order.
func capabilityFor(c *check.Check, cr *world.Cred, ino *world.Inode, uid world.KUID, gid world.KGID, mask check.Mask) (story.Code, kernel.Answer) {
	readSearch, override := wants(ino, mask)
	w := c.W
	answer := func(want kernel.Cap) kernel.Answer {
		if ino.Known&world.KnownOwner == 0 && !w.UserNS[cr.UserNS].Identity {
			a := cred.Holds(cr, want)
			if a != kernel.No {
				a = kernel.NotKnown
			}
			return asksInode(c, cr, want, a)
		}
		return asksInode(c, cr, want, cred.CapableWrtInode(w, cr, uid, gid, want))
	}
	best := kernel.No
	if readSearch {
		if best = answer(kernel.CapDacReadSearch); best == kernel.Yes {
			return story.CapReadSearch, best
		}
	}
	if override {
		switch answer(kernel.CapDacOverride) {
		case kernel.Yes:
			return story.CapOverride, kernel.Yes
		case kernel.NotKnown:
			best = kernel.NotKnown
		}
	}
	return 0, best
}

// wants says which of the two capabilities could pass over the mode.
func wants(ino *world.Inode, mask check.Mask) (readSearch, override bool) {
	rwx := mask & 7
	if ino.Is(world.TypeDir) {
		return rwx&check.MayWrite == 0, true
	}
	return rwx == check.MayRead, rwx&check.MayExec == 0 || ino.Mode&0o111 != 0 || ino.Known&world.KnownPerm == 0
}

// unmapped reports whether a capability that the task holds fails only because the inode's ids have no mapping.
func unmapped(w *world.World, cr *world.Cred, ino *world.Inode, uid world.KUID, gid world.KGID, mask check.Mask) bool {
	if cred.Privileged(&w.UserNS[cr.UserNS], uid, gid) || !cr.EffectiveAt.Known() {
		return false
	}
	readSearch, override := wants(ino, mask)
	return readSearch && cr.Effective.Has(kernel.CapDacReadSearch) || override && cr.Effective.Has(kernel.CapDacOverride)
}

// devices is devcgroup_inode_permission: the container's devices cgroup.
func devices(c *check.Check, p world.Path, mask check.Mask) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	d := &c.W.Task.Devices
	if ino.Known&world.KnownType == 0 || d.All && d.At.Known() {
		return 0
	}
	typ, access := byte('c'), ""
	if ino.Is(world.TypeBlk) {
		typ = 'b'
	}
	if mask&check.MayRead != 0 {
		access = "r"
	}
	if mask&check.MayWrite != 0 {
		access += "w"
	}
	s := story.Step{Code: story.DevicesCgroup, Errno: story.EPERM, Op: mask.Op(false), Obj: p.Ref(), Fact: [3]story.Origin{d.At}}
	if c.Recording() {
		s.Val[0] = c.Word(deviceName(ino))
	}
	switch {
	case !d.At.Known():
		c.Unknown(s)
	case d.Allows(typ, ino.Major, ino.Minor, access):
		c.Pass(s)
	default:
		return c.Deny(s)
	}
	return 0
}

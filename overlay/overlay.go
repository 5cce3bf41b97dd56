// Package overlay is overlayfs: which layer serves a name, what a write copies up, and the second permission check on
// behalf of whoever mounted it. It follows fs/overlayfs.
package overlay

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Ops are overlayfs's own rules.
type Ops struct{}

// Permission is ovl_permission: the task on the merged inode, then the mounter on the real one. A write to a lower object
// asks the mounter for reading only, because copying up reads it.
func (Ops) Permission(c *check.Check, cr *world.Cred, p world.Path, mask check.Mask) story.Errno {
	if e := c.Hooks.GenericPermission(c, cr, p, mask); e != 0 {
		return e
	}
	fs := c.W.FS
	ino := fs.I(p.Dentry)
	ov := fs.SB(ino.SB).Overlay
	if len(ino.Layers) == 0 {
		return 0
	}
	real := fs.I(ino.Layers[0])
	special := !real.Is(world.TypeReg) && !real.Is(world.TypeDir) && !real.Is(world.TypeLink)
	if ino.Layer != Upper && !special && mask&check.MayWrite != 0 {
		mask = mask&^(check.MayWrite|check.MayAppend) | check.MayRead
	}
	mode, uid, gid, at := uint64(real.Mode), real.UID, real.GID, real.At
	c.Mute()
	e := c.Hooks.InodePermission(c, &ov.Mounter, world.Path{Dentry: ino.Layers[0]}, mask)
	missing := c.Unmute()
	if e == 0 && !missing && !c.Recording() {
		return 0
	}
	s := story.Step{Code: story.OverlayMounter, Errno: story.EACCES, Op: mask.Op(real.Is(world.TypeDir)), Cred: 1, Obj: p.Ref(),
		Fact: [3]story.Origin{at, at}, Val: [3]uint64{mode, uint64(uid)<<32 | uint64(gid), uint64(ov.Mounter.UserNS)}}
	switch {
	case e != 0:
		s.Errno = e
		return c.Deny(s)
	case missing:
		s.Fact[0] = fs.SBOf(ino.Layers[0]).At
		c.Unknown(s)
	case c.Recording() && mask&(check.MayRead|check.MayWrite) != 0:
		c.Pass(s)
	}
	return 0
}

// Lookup is the mounter's part of ovl_lookup: it searches the directory of each layer that is looked at, and to see whether a
// directory was renamed it reads an attribute of it, which is open to readers only where the marks are user.overlay.*.
func (Ops) Lookup(c *check.Check, dir world.Path, name string) story.Errno {
	fs := c.W.FS
	ov := fs.SBOf(dir.Dentry).Overlay
	if ov.Mounter.UserNS == 0 && (ov.Mounter.Effective.Has(kernel.CapDacReadSearch) || ov.Mounter.Effective.Has(kernel.CapDacOverride)) {
		return 0
	}
	layers := fs.I(dir.Dentry).Layers
	upper, found := world.DentryID(0), false
	for i, l := range layers {
		if e := mounterMay(c, dir, l, check.MayExec); e != 0 {
			return e
		}
		d, st := fs.Lookup(l, name)
		if st == world.Absent {
			continue
		}
		ino := fs.I(d)
		if st == world.Unsure || !ino.Is(world.TypeDir) {
			return 0
		}
		last := i == len(layers)-1
		if len(ov.DataOnly) > 0 { // only the last of all layers is, for who has found a directory
			last = found && int(layerOf(fs, ov, l)) == len(ov.Lower)+Upper
		}
		if found = true; ov.UserXattr && !last {
			if e := mounterMay(c, dir, d, check.MayRead); e != 0 {
				return e
			}
		}
		if upper != 0 {
			if e := fixOrigin(c, dir, layers[0], upper); e != 0 {
				return e
			}
			upper = 0
		}
		if i == 0 && fs.I(dir.Dentry).Layer == Upper {
			upper = d
		}
		if opaque(ov, ino) {
			return 0
		}
	}
	return 0
}

// fixOrigin is ovl_fix_origin: the first lookup of a merged directory writes into the upper one which lower one it belongs to,
// and into the directory above that it holds such.
func fixOrigin(c *check.Check, dir world.Path, above, upper world.DentryID) story.Errno {
	ov := c.W.FS.SBOf(dir.Dentry).Overlay
	marks := ov.MarksOf(c.W.FS.I(upper))
	if marks != nil && marks.Traced || !ov.UserXattr {
		return 0
	}
	if e := mounterMay(c, dir, upper, check.MayWrite); e != 0 {
		return e
	}
	if marks = ov.MarksOf(c.W.FS.I(above)); marks != nil && marks.Impure {
		return 0
	}
	return mounterMay(c, dir, above, check.MayWrite)
}

// mounterMay asks inode_permission of a layer's object for the mounter, in a lookup in dir.
func mounterMay(c *check.Check, dir world.Path, real world.DentryID, mask check.Mask) story.Errno {
	fs := c.W.FS
	ino := fs.I(real)
	ov := fs.SBOf(dir.Dentry).Overlay
	c.Mute()
	e := c.Hooks.InodePermission(c, &ov.Mounter, world.Path{Dentry: real}, mask)
	missing := c.Unmute()
	if e == 0 && !missing && !c.Recording() {
		return 0
	}
	s := story.Step{Code: story.OverlayMounter, Errno: story.EACCES, Op: mask.Op(true), Cred: 1, Obj: dir.Ref(), Fact: [3]story.Origin{ino.At, ino.At},
		Val: [3]uint64{uint64(ino.Mode), uint64(ino.UID)<<32 | uint64(ino.GID), uint64(ov.Mounter.UserNS)}}
	switch {
	case e != 0:
		s.Errno = e
		return c.Deny(s)
	case missing:
		s.Fact[0] = fs.SBOf(real).At
		c.Unknown(s)
	}
	return 0
}

// opaque reports whether a directory of a layer hides those below it, by the marks that this overlay reads.
func opaque(ov *world.Overlay, ino *world.Inode) bool {
	m := ov.MarksOf(ino)
	return m != nil && m.Opaque == 'y'
}

// Served tells which layer an object comes from.
func (Ops) Served(c *check.Check, p world.Path) {
	if !c.Recording() {
		return
	}
	ino := c.W.FS.I(p.Dentry)
	if len(ino.Layers) == 0 {
		return
	}
	ov := c.W.FS.SB(ino.SB).Overlay
	c.Pass(story.Step{Code: story.OverlayServes, Op: story.OpLook, Obj: p.Ref(), Fact: [3]story.Origin{0, ino.At},
		Val: [3]uint64{c.Word(LayerName(ov, ino.Layer)), c.Word(c.W.FS.Path(ino.Layers[0]))}})
}

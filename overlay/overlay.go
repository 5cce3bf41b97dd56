// Package overlay is overlayfs: which layer serves a name, what a write copies up, and the second permission check on
// behalf of whoever mounted it. It follows fs/overlayfs.
package overlay

import (
	"slices"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Merger makes overlay filesystems for an input that builds a world.
type Merger struct{}

// NewOverlay adds an overlay of the layers that sb.Overlay names. Its root merges theirs.
func (Merger) NewOverlay(fs *world.FS, sb world.SB) world.SBID {
	ov := sb.Overlay
	var layers []world.DentryID
	if ov.Upper != 0 {
		layers = append(layers, ov.Upper)
	} else {
		sb.Flags |= world.SBReadOnly
	}
	layers = append(layers, ov.Lower...)
	sb.Type = "overlay"
	src := &layered{ov: ov}
	sb.Source = src
	root := *fs.I(layers[0])
	root.Layers, root.Layer, root.Whole = layers, src.layer(fs, layers[0]), false
	src.shift(&root)
	return fs.NewSB(sb, root)
}

// layered is the Source that merges layers.
type layered struct{ ov *world.Overlay }

// Upper is the number of the upper layer in an inode; the lower layers follow from the top.
const Upper = 1

// layer numbers the layer that a real object belongs to; each layer is a filesystem of its own in the world.
func (s *layered) layer(fs *world.FS, real world.DentryID) uint8 {
	sb := fs.I(real).SB
	if s.ov.Upper != 0 && fs.I(s.ov.Upper).SB == sb {
		return Upper
	}
	for i, l := range s.ov.Lower {
		if fs.I(l).SB == sb {
			return uint8(i) + Upper + 1
		}
	}
	return 0
}

// Lookup merges a name (ovl_lookup): the first non-directory wins, directories are collected until an opaque one, a whiteout
// ends the search.
func (s *layered) Lookup(fs *world.FS, dir world.DentryID, name string) (world.DentryID, world.State) {
	layers := fs.I(dir).Layers
	if len(layers) == 0 {
		return 0, world.Unsure
	}
	var found []world.DentryID
	elsewhere := fs.I(dir).Redirected // below these layers the directory goes on under another name
search:
	for _, l := range layers {
		d, st := fs.Lookup(l, name)
		switch st {
		case world.Absent:
			continue
		case world.Unsure:
			if len(found) == 0 { // it is this layer that does not tell
				return fs.Add(dir, name, world.Inode{At: fs.I(l).At}), world.Unsure
			}
			found = append(found, d)
			break search
		}
		ino := fs.I(d)
		switch {
		case ino.Whited:
			elsewhere = 0
			break search
		case ino.Is(world.TypeDir):
			found = append(found, d)
			if opaque(s.ov, ino) {
				elsewhere = 0
				break search
			}
			if ino.Redirected != 0 && !s.ov.UserXattr {
				elsewhere = ino.Redirected
				break search
			}
		default:
			if len(found) == 0 {
				found = append(found, d)
			}
			elsewhere = 0
			break search
		}
	}
	switch {
	case len(found) == 0 && elsewhere != 0:
		return fs.Add(dir, name, world.Inode{At: elsewhere}), world.Unsure
	case len(found) == 0:
		return 0, world.Absent
	}
	ino := *fs.I(found[0])
	ino.Redirected = elsewhere
	ino.SB, ino.Layers, ino.Layer, ino.Whole = fs.I(dir).SB, found, s.layer(fs, found[0]), false
	ino.Attr &^= world.AttrExecuting // it is the layer's inode that is executed, not this one
	s.shift(&ino)
	return fs.Add(dir, name, ino), world.Present
}

// List merges the names of a directory's layers.
func (s *layered) List(fs *world.FS, dir world.DentryID) ([]string, bool) {
	var all []string
	for _, l := range fs.I(dir).Layers {
		names, ok := fs.Names(l)
		if !ok {
			return nil, false
		}
		all = append(all, names...)
	}
	return all, len(fs.I(dir).Layers) > 0
}

// shift gives a lower object the ids that the map of its layer's mount shows (ovl_copyattr, ovl_idmap_posix_acl).
func (s *layered) shift(ino *world.Inode) {
	if s.ov.Shift == nil || ino.Layer == Upper {
		return
	}
	uid, _ := s.ov.Shift.Down(uint32(ino.UID))
	gid, _ := s.ov.Shift.Down(uint32(ino.GID))
	ino.UID, ino.GID = world.KUID(uid), world.KGID(gid)
	ino.ACL = slices.Clone(ino.ACL)
	for i := range ino.ACL {
		if e := &ino.ACL[i]; e.Tag == world.ACLUser || e.Tag == world.ACLGroup {
			e.ID, _ = s.ov.Shift.Down(e.ID)
		}
	}
}

// LayerName names a layer in the words of the mount.
func LayerName(ov *world.Overlay, layer uint8) string {
	switch i := int(layer) - Upper - 1; {
	case layer == Upper:
		return "the upper layer"
	case i >= 0 && i < len(ov.Names):
		return "lower layer " + ov.Names[i]
	}
	return "a layer that is not known"
}

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
	for i, l := range layers {
		if e := mounterMay(c, dir, l, check.MayExec); e != 0 {
			return e
		}
		d, st := fs.Lookup(l, name)
		if st == world.Absent {
			continue
		}
		ino := fs.I(d)
		if st == world.Unsure || !ino.Is(world.TypeDir) || opaque(ov, ino) || i == len(layers)-1 {
			return 0
		}
		if ov.UserXattr {
			if e := mounterMay(c, dir, d, check.MayRead); e != 0 {
				return e
			}
		}
	}
	return 0
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
	return ino.Opaque && !ov.UserXattr || ino.UserOpaque && ov.UserXattr
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

// CopyUp is ovl_maybe_copy_up: the directories above from the top, then the object; truncate says that a file's data stays
// behind.
func (Ops) CopyUp(c *check.Check, p world.Path, truncate bool) story.Errno {
	if c.W.FS.I(p.Dentry).Layer == Upper {
		return 0
	}
	if e := copyUpParents(c, p); e != 0 {
		return e
	}
	return copyUpOne(c, p, truncate)
}

// copyUpParents is the loop of ovl_copy_up_flags.
func copyUpParents(c *check.Check, p world.Path) story.Errno {
	up := world.Path{Mount: p.Mount, Dentry: c.W.FS.D(p.Dentry).Parent}
	if up.Dentry == p.Dentry || c.W.FS.I(up.Dentry).Layer == Upper {
		return 0
	}
	if e := copyUpParents(c, up); e != 0 {
		return e
	}
	return copyUpOne(c, up, false)
}

// copyUpOne is ovl_copy_up_one: an owner that the mounter cannot map is refused. A directory is copied without what it holds.
func copyUpOne(c *check.Check, p world.Path, truncate bool) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	ov := c.W.FS.SB(ino.SB).Overlay
	dir := ino.Is(world.TypeDir)
	s := story.Step{Code: story.OverlayCopyUp, Op: story.OpCopyUp, Cred: 1, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}}
	if ino.Layer == 0 || !dir && ino.Known&world.KnownSize == 0 {
		c.Unknown(s)
		return 0
	}
	ns := &c.W.UserNS[ov.Mounter.UserNS]
	if ino.Known&world.KnownOwner != 0 && !(ns.MapsUID(ino.UID) && ns.MapsGID(ino.GID)) {
		return c.Deny(story.Step{Code: story.UserNSCopyUp, Errno: story.EOVERFLOW, Op: story.OpCopyUp, Cred: 1, Obj: p.Ref(), Fact: [3]story.Origin{ino.At},
			Val: [3]uint64{uint64(ino.UID)<<32 | uint64(ino.GID), uint64(ov.Mounter.UserNS)}})
	}
	c.Copied = append(c.Copied, p)
	if !c.Recording() {
		return 0
	}
	n := ino.Size
	if truncate || dir {
		n = 0
	}
	s.Val = [3]uint64{uint64(n), c.Word(LayerName(ov, ino.Layer))}
	c.Pass(s)
	if !dir {
		c.Effect(story.Effect{Kind: "copied-up", Path: c.W.PathText(p), Bytes: &n})
	}
	return 0
}

// Create is the first half of ovl_create_object: the directory is copied up; the new name lands in the upper layer.
func (o Ops) Create(c *check.Check, dir world.Path, name string) story.Errno {
	if e := o.CopyUp(c, dir, false); e != 0 {
		return e
	}
	c.Pass(story.Step{Code: story.OverlayName, Op: story.OpCreate, Cred: 1, Obj: dir.Ref(), Val: [3]uint64{c.Word(name)}})
	return 0
}

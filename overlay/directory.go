package overlay

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Cleared reports whether a directory that is to go is emptied of whiteouts first: one that a lower layer has a part of, or, if
// it is removed and not replaced, one that hides something (ovl_do_remove, ovl_rename). Any other one goes in the upper layer as
// it is.
func Cleared(c *check.Check, p world.Path, replaced bool) bool {
	ino := c.W.FS.I(p.Dentry)
	return ino.Layer != Upper || len(ino.Layers) > 1 || !replaced && (lowerPositive(c.W.FS, p.Dentry) || Unseen(c, p))
}

// Unseen reports whether a lower layer may have a name and the mounter may not look: then it counts as there
// (ovl_lower_positive).
func Unseen(c *check.Check, p world.Path) bool {
	fs := c.W.FS
	dir := fs.D(p.Dentry).Parent
	ov := fs.SBOf(dir).Overlay
	if ov == nil || ov.Mounter.UserNS == 0 && (ov.Mounter.Effective.Has(kernel.CapDacReadSearch) || ov.Mounter.Effective.Has(kernel.CapDacOverride)) {
		return false
	}
	for _, l := range lowerOf(fs.I(dir)) {
		c.Mute()
		e := c.Hooks.InodePermission(c, &ov.Mounter, world.Path{Dentry: l}, check.MayExec)
		c.Unmute()
		if e != 0 {
			return true
		}
		if _, s := (arena{fs, ov}).Look(l, fs.D(p.Dentry).Name); s.State != world.Absent {
			return false
		}
	}
	return false
}

// Empty is ovl_check_empty_dir: whiteouts do not count, unless they are attributes; a name that a layer lists and nobody finds
// does.
func Empty(fs *world.FS, d world.DentryID) kernel.Answer {
	switch names, ok := mergedNames(fs, d, false); {
	case !ok:
		return kernel.NotKnown
	case len(names) > 0:
		return kernel.No
	}
	return kernel.Yes
}

// Read is ovl_dir_read_merged: the mounter opens the directory of each layer.
func Read(c *check.Check, p world.Path) story.Errno {
	for _, l := range c.W.FS.I(p.Dentry).Layers {
		if e := mounterMay(c, p, l, check.MayRead); e != 0 {
			return e
		}
	}
	return 0
}

// Takes is check_sticky for the mounter, who takes a name out of a directory of the upper layer: the owner of the file or of the directory
// may, or who has CAP_FOWNER over the file.
func Takes(c *check.Check, p world.Path) story.Errno {
	const sticky = 0o1000
	fs := c.W.FS
	ino, up := fs.I(p.Dentry), fs.D(p.Dentry).Parent
	ov, parent := fs.SB(ino.SB).Overlay, fs.I(up)
	if ov == nil || ov.Mounter.UserNS == 0 && ov.Mounter.Effective == world.AllCaps || len(ino.Layers) == 0 || len(parent.Layers) == 0 || up == p.Dentry {
		return 0
	}
	m, real, dir := &ov.Mounter, fs.I(ino.Layers[0]), c.Inode(parent.Layers[0])
	ns := &c.W.UserNS[m.UserNS]
	if dir.Known&world.KnownPerm != 0 && dir.Mode&sticky == 0 || m.FSUID == real.UID || m.FSUID == dir.UID || m.Effective.Has(kernel.CapFowner) && ns.MapsUID(real.UID) && ns.MapsGID(real.GID) {
		return 0
	}
	s := story.Step{Code: story.OverlayMounter, Errno: story.EPERM, Op: story.OpRemove, Cred: 1, Obj: world.Path{Mount: p.Mount, Dentry: up}.Ref(), Fact: [3]story.Origin{dir.At, dir.At},
		Val: [3]uint64{uint64(dir.Mode), uint64(dir.UID)<<32 | uint64(dir.GID), uint64(m.UserNS)}}
	if dir.Known&world.KnownPerm == 0 || (dir.Known&real.Known)&world.KnownOwner == 0 {
		c.Unknown(s)
		return 0
	}
	return c.Deny(s)
}

// Clear is ovl_clear_empty: a directory whose whiteouts have to go is replaced by an empty one that is marked opaque.
func Clear(c *check.Check, p world.Path) story.Errno {
	fs := c.W.FS
	ino := fs.I(p.Dentry)
	ov := fs.SB(ino.SB).Overlay
	if ov == nil || ino.Layer != Upper || len(ino.Layers) == 0 || fs.Empty(ino.Layers[0]) != kernel.No {
		return 0
	}
	if ov.Unmarked() {
		return unmarked(c, p, ov, story.EIO)
	}
	if e := Takes(c, p); e != 0 {
		return e
	}
	return mounterMay(c, p, ino.Layers[0], check.MayWrite)
}

// Whiten is the end of ovl_remove_and_whiteout for a directory of the upper layer: it changes places with the whiteout, for which the
// mounter must be able to write to it (vfs_rename).
func Whiten(c *check.Check, p world.Path) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	if c.W.FS.SB(ino.SB).Overlay == nil || ino.Layer != Upper || len(ino.Layers) == 0 || !lowerPositive(c.W.FS, p.Dentry) && !Unseen(c, p) {
		return 0
	}
	if e := Takes(c, p); e != 0 {
		return e
	}
	return mounterMay(c, p, ino.Layers[0], check.MayWrite)
}

// NewDirectory is the end of ovl_create_over_whiteout for a directory: it is marked, for what is below not to be merged.
func NewDirectory(c *check.Check, dir world.Path, name string) story.Errno {
	fs := c.W.FS
	ov := fs.SBOf(dir.Dentry).Overlay
	up := world.DentryID(0)
	if ov != nil && ov.Unmarked() {
		up = upperOf(fs, dir.Dentry)
	}
	if up == 0 || !whited(fs, ov, up, name) {
		return 0
	}
	return unmarked(c, dir, ov, story.EIO)
}

// Moves asks whether a directory can be marked that moves to where a lower layer may have something (ovl_rename).
func Moves(c *check.Check, p, to world.Path) story.Errno {
	fs := c.W.FS
	ino := fs.I(p.Dentry)
	ov := fs.SB(ino.SB).Overlay
	if ov == nil || !ino.Is(world.TypeDir) || len(ino.Layers) != 1 || len(lowerOf(fs.I(to.Dentry))) == 0 {
		return 0
	}
	if ov.Unmarked() {
		return unmarked(c, p, ov, story.EXDEV)
	}
	if m := ov.MarksOf(fs.I(ino.Layers[0])); m != nil && m.Opaque == 'y' {
		return 0
	}
	return marks(c, p, ov)
}

// Leaves tells what stays in the lower layers of a name that is removed.
func Leaves(c *check.Check, p world.Path, unseen bool) {
	fs := c.W.FS
	if !c.Recording() || fs.SBOf(p.Dentry).Overlay == nil || !unseen && !lowerPositive(fs, p.Dentry) {
		return
	}
	ov, ino := fs.SBOf(p.Dentry).Overlay, fs.I(p.Dentry)
	layer := "a lower layer"
	if ino.Layer > Upper {
		layer = LayerName(ov, ino.Layer)
	}
	c.Pass(story.Step{Code: story.OverlayLeaves, Op: story.OpRemove, Cred: 1, Obj: p.Ref(), Val: [3]uint64{c.Word(fs.D(p.Dentry).Name), c.Word(layer)}})
}

// SameCopy reports whether two names, which the overlay takes for two files, are one file of the upper layer.
func SameCopy(fs *world.FS, a, b world.DentryID) bool {
	x, y := fs.I(a), fs.I(b)
	return x.Layer == Upper && y.Layer == Upper && len(x.Layers) > 0 && len(y.Layers) > 0 && fs.D(x.Layers[0]).Inode == fs.D(y.Layers[0]).Inode
}

func unmarked(c *check.Check, p world.Path, ov *world.Overlay, e story.Errno) story.Errno {
	return c.Deny(story.Step{Code: story.OverlayMark, Errno: e, Op: story.OpCreate, Cred: 1, Obj: p.Ref(), Fact: [3]story.Origin{ov.Mounter.UIDAt, ov.Mounter.UIDAt},
		Val: [3]uint64{c.Word("opaque"), uint64(ov.Mounter.UserNS)}})
}

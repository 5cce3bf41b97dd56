package overlay

import (
	"strconv"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// CopyUp is ovl_copy_up_flags: the directories above from the top, then the object. A file needs it as long as its name is not
// in the upper layer, or its data is not and is asked for (ovl_already_copied_up).
func (Ops) CopyUp(c *check.Check, p world.Path, what check.Copying) story.Errno {
	if e := HasData(c, p); e != 0 {
		return e
	}
	if settled(c, p, what) {
		return 0
	}
	if e := copyUpParents(c, p); e != 0 {
		return e
	}
	return copyUpOne(c, p, what)
}

// HasData is ovl_verify_lowerdata: before a file is opened or copied, even for its attributes, its data is looked for in the layers that
// hold data only, by the mounter. One without is seen, and that is all.
func HasData(c *check.Check, p world.Path) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	if ino.DataPath == "" {
		return 0
	}
	ov := c.W.FS.SB(ino.SB).Overlay
	s := story.Step{Code: story.OverlayBroken, Op: story.OpOpen, Cred: 1, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}}
	if c.Recording() {
		s.Val = [3]uint64{c.Word(c.W.FS.D(p.Dentry).Name), c.Word("its data is in none of the layers that hold data only")}
	}
	for _, root := range ov.DataOnly {
		switch err, missing := dataAt(c, ov, root, ino.DataPath); {
		case missing:
			s.Errno = story.EACCES
			c.Unknown(s)
			return 0
		case err == 0:
			return 0
		default:
			s.Errno = err
		}
	}
	return c.Refuse(s)
}

// dataAt is ovl_lookup_data_layer.
func dataAt(c *check.Check, ov *world.Overlay, root world.DentryID, path string) (err story.Errno, missing bool) {
	search := search[world.DentryID]{layers: arena{c.W.FS, ov}, enter: func(dir world.DentryID) story.Errno {
		c.Mute()
		e := c.Hooks.InodePermission(c, &ov.Mounter, world.Path{Dentry: dir}, check.MayExec)
		missing = c.Unmute() || missing
		return e
	}}
	_, err = search.walk(root, path)
	return err, missing
}

// readsData asks whether the mounter may read the data of a file whose attributes are elsewhere (ovl_path_open, ovl_open_realfile).
func readsData(c *check.Check, p world.Path) story.Errno {
	if ino := c.W.FS.I(p.Dentry); ino.Data != 0 {
		return mounterMay(c, p, ino.Data, check.MayRead)
	}
	return 0
}

// OpensData is ovl_open_realfile for such a file, behind what copies it.
func OpensData(c *check.Check, p world.Path) story.Errno {
	if len(c.Copied) > 0 {
		return 0
	}
	return readsData(c, p)
}

// settled is ovl_already_copied_up.
func settled(c *check.Check, p world.Path, what check.Copying) bool {
	ino := c.W.FS.I(p.Dentry)
	return ino.Layer == Upper && (!ino.Indexed || Aliased(c.W.FS, p.Dentry)) && (ino.Data == 0 || what == check.CopyAttributes)
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
	return copyUpOne(c, up, check.CopyAttributes)
}

// copyUpOne is ovl_copy_up_one: an owner that the mounter cannot map is refused. A directory is copied without what it holds, a
// file without its data where that is cut off anyway, or where metacopy=on and only attributes change (ovl_need_meta_copy_up).
func copyUpOne(c *check.Check, p world.Path, what check.Copying) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	ov := c.W.FS.SB(ino.SB).Overlay
	dir := ino.Is(world.TypeDir)
	s := story.Step{Code: story.OverlayCopyUp, Op: story.OpCopyUp, Cred: 1, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}}
	if ino.Layer == 0 || !dir && ino.Known&world.KnownSize == 0 {
		c.Unknown(s)
		return 0
	}
	owner := ino
	if ino.Layer == Upper && ino.Behind != 0 { // the lower object is what is asked (ovl_path_lower)
		owner = c.W.FS.I(ino.Behind)
	}
	ns := &c.W.UserNS[ov.Mounter.UserNS]
	if owner.Known&world.KnownOwner != 0 && !(ns.MapsUID(owner.UID) && ns.MapsGID(owner.GID)) {
		return c.Deny(story.Step{Code: story.UserNSCopyUp, Errno: story.EOVERFLOW, Op: story.OpCopyUp, Cred: 1, Obj: p.Ref(), Fact: [3]story.Origin{ino.At},
			Val: [3]uint64{uint64(owner.UID)<<32 | uint64(owner.GID), uint64(ov.Mounter.UserNS)}})
	}
	if e := impure(c, p); e != 0 {
		return e
	}
	if device := ino.Is(world.TypeChar) || ino.Is(world.TypeBlk); device && (ov.Mounter.UserNS != 0 || !ov.Mounter.Effective.Has(kernel.CapMknod)) {
		if e := c.Deny(story.Step{Code: story.OverlayDevice, Errno: story.EPERM, Op: story.OpCopyUp, Cred: 1, Obj: p.Ref(), Fact: [3]story.Origin{ino.At, ov.Mounter.EffectiveAt},
			Val: [3]uint64{uint64(ov.Mounter.Effective), uint64(ov.Mounter.UserNS)}}); e != 0 {
			return e
		}
	}
	cp := check.Copied{Path: p, What: what}
	n := ino.Size
	switch {
	case dir || ino.Layer == Upper && ino.Data == 0, what == check.CopyTruncated:
		n = 0
	case what == check.CopyAttributes && ov.Metacopy && ino.Is(world.TypeReg) && ino.Layer != Upper:
		cp.Attributes, n = true, 0
	}
	if n > 0 {
		if e := readsData(c, p); e != 0 {
			return e
		}
	}
	if e := fits(c, p, ov, n, cp.Attributes); e != 0 {
		return e
	}
	if e := copyCaps(c, p, ov); e != 0 {
		return e
	}
	if e := placed(c, p); e != 0 {
		return e
	}
	c.Copied = append(c.Copied, cp)
	if !c.Recording() {
		return 0
	}
	s.Val = [3]uint64{uint64(n), c.Word(LayerName(ov, ino.Layer)), c.Word(copyNote(ino, &cp))}
	c.Pass(s)
	if !dir {
		bytes := n // of its own, so that a verdict without effects does not allocate
		c.Effect(story.Effect{Kind: "copied-up", Path: c.W.PathText(p), Bytes: &bytes})
	}
	return 0
}

// rlimitFSize is RLIMIT_FSIZE.
const rlimitFSize = 1

// fits asks whether a copy of n bytes can be made: the upper layer's filesystem must have room for it, and it is written by the task,
// whose RLIMIT_FSIZE counts (ovl_copy_up_file, ovl_set_size). That is known of files without holes, on filesystems that neither share
// nor compress data.
func fits(c *check.Check, p world.Path, ov *world.Overlay, n int64, attributes bool) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	dense := ino.Dense
	if ino.Data != 0 {
		dense = c.W.FS.I(ino.Data).Dense
	}
	size := n
	if attributes {
		size, dense = ino.Size, true // which is set without any data
	}
	limit := c.W.Task.Rlimits[rlimitFSize]
	big := story.Step{Code: story.FileSizeLimit, Errno: story.EFBIG, Op: story.OpCopyUp, Cred: 1, Obj: p.Ref(), Fact: [3]story.Origin{ino.At, limit.At}, Val: [3]uint64{uint64(size), limit.V.Cur}}
	over := limit.At != 0 && limit.Known() && uint64(size) > limit.V.Cur
	up := c.W.FS.SBOf(ov.Upper)
	full := story.Step{Code: story.OverlayRoom, Errno: story.ENOSPC, Op: story.OpCopyUp, Cred: 1, Obj: p.Ref()}
	certain, tight := false, false
	if r := up.Room; r != nil {
		full.Fact = [3]story.Origin{ino.At, r.At, r.At}
		if full.Val = [3]uint64{uint64(n), uint64(r.Bytes)}; c.Recording() {
			full.Val[2] = c.Word(inodes(r))
		}
		plain := up.Type == "tmpfs" || up.Type == "ext4"
		// An earlier copy that has failed may have left data in the upper layer's file (ovl_copy_up_meta_inode_data).
		whole := ino.Layer != Upper || c.W.FS.I(ino.Layers[0]).Blank
		certain = plain && (r.Inodes == 0 && ino.Layer != Upper || dense && whole && n > r.Bytes+r.Reserved)
		tight = n > r.Bytes || r.Inodes == 0 && ino.Layer != Upper
	}
	switch {
	case over && tight: // whichever the copying meets first
		c.Unknown(big)
		c.Unknown(full)
	case over && dense:
		return c.Deny(big)
	case over:
		c.Unknown(big)
	case certain && up.Room.Quota == "":
		return c.Deny(full)
	case tight:
		c.Unknown(full)
	}
	if r := up.Room; r != nil && r.Quota != "" && (n > 0 || ino.Layer != Upper) {
		s := story.Step{Code: story.OverlayQuota, Errno: story.EDQUOT, Op: story.OpCopyUp, Cred: 1, Obj: p.Ref(), Fact: [3]story.Origin{r.At}}
		if c.Recording() {
			s.Val[0] = c.Word(r.Quota)
		}
		c.Unknown(s)
	}
	return 0
}

// copyCaps is ovl_copy_xattr for security.capability: the mounter reads it, and cannot where it is for the root of a user namespace
// that has no id in its own.
func copyCaps(c *check.Check, p world.Path, ov *world.Overlay) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	if ino.Layer == Upper || len(ino.Layers) == 0 || ov.Mounter.UserNS == 0 || ov.Shift != nil {
		return 0
	}
	x, state := ino.Xattr(world.XattrCaps)
	if state != world.Present || c.Hooks.CapsTold(c, &ov.Mounter, world.Path{Dentry: ino.Layers[0]}, x) {
		return 0
	}
	return c.Refuse(story.Step{Code: story.UserNSCaps, Errno: story.EOVERFLOW, Op: story.OpCopyUp, Cred: 1, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{uint64(ov.Mounter.UserNS)}})
}

// placed is the end of ovl_copy_up_tmpfile and ovl_copy_up_workdir: the copy gets its name in the upper directory, even where that
// name has been removed since the object was opened. A regular file is linked there, and meets the whiteout or what is new at that
// name; anything else is moved over what is there.
func placed(c *check.Check, p world.Path) story.Errno {
	fs := c.W.FS
	if !removed(fs, p.Dentry) {
		return 0
	}
	d, ino := fs.D(p.Dentry), fs.I(p.Dentry)
	up := upperOf(fs, d.Parent)
	s := story.Step{Code: story.OverlayNameGone, Op: story.OpCopyUp, Cred: 1, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{c.Word(d.Name)}}
	if fs.I(d.Parent).Attr&world.AttrRemoved != 0 {
		s.Errno = story.ENOENT
		return c.Refuse(s)
	}
	there, state := world.DentryID(0), world.Unsure
	if up != 0 {
		there, state = fs.Lookup(up, d.Name)
	}
	onto := state == world.Present && fs.I(there).Is(world.TypeDir)
	known, keeps := state == world.Present, c.K.Has(kernel.CopyUpKeepsName)
	s.Errno = story.EEXIST
	switch dir := ino.Is(world.TypeDir); {
	case ino.Is(world.TypeReg):
		known = known && hasTmpfile(fs.SBOf(up).Type)
	case keeps == kernel.Yes:
	case keeps == kernel.NotKnown:
		known = false
		for _, e := range [...]story.Errno{story.ENOTDIR, story.ENOTEMPTY, story.EISDIR} {
			c.MayEnd(e)
		}
	case dir && onto: // over it, if it is empty
		s.Errno, known = story.ENOTEMPTY, false
	case dir:
		s.Errno = story.ENOTDIR
	case onto:
		s.Errno = story.EISDIR
	case known: // over what is there
		return 0
	}
	if !known {
		c.Unknown(s)
		return 0
	}
	return c.Refuse(s)
}

// removed reports whether a name has been removed, or been given to something else.
func removed(fs *world.FS, d world.DentryID) bool {
	at := fs.D(d)
	return at.Parent != d && fs.Known(at.Parent, at.Name) != d
}

// hasTmpfile is whether a filesystem makes files without a name (ovl_make_workdir tries).
func hasTmpfile(fs string) bool {
	switch fs {
	case "tmpfs", "ext4", "xfs", "btrfs", "f2fs":
		return true
	}
	return false
}

func inodes(r *world.Room) string {
	if r.Inodes < 0 {
		return "any number of"
	}
	return strconv.FormatInt(r.Inodes, 10)
}

// impure is ovl_set_impure: the upper directory is marked as one that holds copies.
func impure(c *check.Check, p world.Path) story.Errno {
	fs := c.W.FS
	up := fs.D(p.Dentry).Parent
	parent := fs.I(up)
	ov := fs.SB(parent.SB).Overlay
	if ov == nil || up == p.Dentry || len(parent.Layers) == 0 {
		return 0
	}
	if m := ov.MarksOf(fs.I(parent.Layers[0])); parent.Layer == Upper && m != nil && m.Impure {
		return 0
	}
	return marks(c, world.Path{Mount: p.Mount, Dentry: up}, ov)
}

// marks asks whether the mounter may write a mark on the directory that serves p. With userxattr it is an attribute of user.*,
// for which the directory must be writable; of a sticky one only the owner may (xattr_permission).
func marks(c *check.Check, p world.Path, ov *world.Overlay) story.Errno {
	if !ov.UserXattr {
		return 0
	}
	d := c.W.FS.I(p.Dentry).Layers[0]
	real := c.W.FS.I(d)
	const sticky = 0o1000
	owns := ov.Mounter.FSUID == real.UID || ov.Mounter.Effective.Has(kernel.CapFowner) && c.W.UserNS[ov.Mounter.UserNS].MapsUID(real.UID)
	if real.Mode&sticky != 0 && !owns {
		return c.Deny(story.Step{Code: story.OverlayMounter, Errno: story.EPERM, Op: story.OpWrite, Cred: 1, Obj: p.Ref(), Fact: [3]story.Origin{real.At, real.At},
			Val: [3]uint64{uint64(real.Mode), uint64(real.UID)<<32 | uint64(real.GID), uint64(ov.Mounter.UserNS)}})
	}
	return mounterMay(c, p, d, check.MayWrite)
}

// copyNote says what is copied.
func copyNote(ino *world.Inode, cp *check.Copied) string {
	switch {
	case cp.Attributes:
		return "attributes only (metacopy=on)"
	case ino.Is(world.TypeDir):
		return "the directory, not what it holds"
	case ino.Layer == Upper && ino.Data != 0:
		return "its data, the attributes are there already"
	case ino.Layer == Upper:
		return "one more name of the copy"
	case ino.Nlink > 1 && !ino.Indexed:
		return "its other names stay with the lower file"
	}
	return "the whole file, and the copy goes away with the container"
}

// Remove is ovl_nlink_start: before a name of an indexed file is removed or replaced, the file is copied up, for the count of
// its names to be kept there. With nfs_export=on a directory is, too.
func (o Ops) Remove(c *check.Check, p world.Path) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	if ov := c.W.FS.SB(ino.SB).Overlay; !ino.Indexed && (ov == nil || !ov.IndexAll() || !ino.Is(world.TypeDir)) {
		return 0
	}
	return o.CopyUp(c, p, check.CopyAttributes)
}

// Create is the first half of ovl_create_object: the directory is copied up; the new name lands in the upper layer.
func (o Ops) Create(c *check.Check, dir world.Path, name string) story.Errno {
	if e := o.CopyUp(c, dir, check.CopyAttributes); e != 0 {
		return e
	}
	c.Pass(story.Step{Code: story.OverlayName, Op: story.OpCreate, Cred: 1, Obj: dir.Ref(), Val: [3]uint64{c.Word(name)}})
	return 0
}

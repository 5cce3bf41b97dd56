package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/namei"
	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/world"
)

// Flags of renameat2.
const (
	RenameNoReplace = 1
	RenameExchange  = 2
	RenameWhiteout  = 4
)

// sameMount refuses two names in different mounts.
func sameMount(c *check.Check, a, b world.Path, op story.Op) story.Errno {
	if a.Mount == b.Mount {
		return 0
	}
	s := story.Step{Code: story.CrossMount, Errno: story.EXDEV, Op: op, Obj: a.Ref()}
	if c.Recording() {
		s.Fact = [3]story.Origin{c.W.Mounts[a.Mount].Origin, c.W.Mounts[b.Mount].Origin}
		s.Val = [3]uint64{c.Word(c.W.Mounts[a.Mount].Point), c.Word(c.W.Mounts[b.Mount].Point)}
	}
	return c.Refuse(s)
}

// Link is do_linkat and vfs_link.
func Link(c *check.Check, old, target Target) story.Errno {
	if old.Flags&^uint64(0x400|AtEmptyPath) != 0 {
		return Invalid(c, story.EINVAL, "linkat knows AT_SYMLINK_FOLLOW and AT_EMPTY_PATH")
	}
	if old.Flags&0x400 == 0 {
		old.Flags |= AtSymlinkNofollow
	}
	if old.Flags&AtEmptyPath != 0 && old.Path == "" && !old.Null {
		if err := linkDescriptor(c, old.DFD); err != 0 {
			return err
		}
	}
	var n namei.Walk
	if err := old.at(c, &n); err != 0 {
		return err
	}
	src := n.Path
	var e entry
	if err := e.create(c, target, false); err != 0 {
		return err
	}
	if err := sameMount(c, src, e.dir, story.OpCreate); err != 0 {
		return err
	}
	if err := mayLink(c, src); err != 0 {
		return err
	}
	if err := c.LSM.PathLink(c, src, e.dir); err != 0 {
		return err
	}
	if err := mayCreate(c, e.dir); err != 0 {
		return err
	}
	ino := c.Inode(src.Dentry)
	if ino.Attr&(world.AttrAppend|world.AttrImmutable) != 0 {
		if err := c.Deny(story.Step{Code: story.FixedAttributes, Errno: story.EPERM, Op: story.OpCreate, Obj: src.Ref(), Fact: [3]story.Origin{ino.At}}); err != 0 {
			return err
		}
	}
	if err := operation(c, e.dir, opLink, story.EPERM); err != 0 {
		return err
	}
	s := story.Step{Code: story.LinkDirectory, Errno: story.EPERM, Op: story.OpCreate, Obj: src.Ref(), Fact: [3]story.Origin{ino.At}}
	if ino.Is(world.TypeDir) {
		return c.Refuse(s)
	}
	if ino.Known&world.KnownType == 0 {
		c.Unknown(s)
	}
	if err := c.LSM.InodeLink(c, src, e.dir); err != 0 {
		return err
	}
	if ops := c.Ops[ino.SB]; ops != nil {
		if err := ops.CopyUp(c, src, check.CopyAttributes); err != 0 {
			return err
		}
	}
	err := e.made(c, 0, true)
	c.Opened.Link = src.Dentry
	return err
}

// linkDescriptor is path_init's LOOKUP_LINKAT_EMPTY: the descriptor was opened with the very credentials that the task has,
// or the task has CAP_DAC_READ_SEARCH where they count.
func linkDescriptor(c *check.Check, fd int) story.Errno {
	if fd == namei.AtFDCWD || c.W.Task.FDByNumber(fd) == nil || capable(c, 0, kernel.CapDacReadSearch, check.RealmInitial) == kernel.Yes {
		return 0
	}
	c.Unknown(story.Step{Code: story.LinkDescriptor, Errno: story.ENOENT, Op: story.OpCreate, Fact: [3]story.Origin{c.Cred.EffectiveAt}, Val: [3]uint64{uint64(int64(fd))}})
	return 0
}

// mayLink is may_linkat: fs.protected_hardlinks.
func mayLink(c *check.Check, src world.Path) story.Errno {
	if err := mapped(c, src, story.OpCreate); err != 0 {
		return err
	}
	sys := c.W.Sysctl(kernel.ProtectedHardlinks)
	if sys.Known() && sys.V == 0 {
		return 0
	}
	ino := c.W.FS.I(src.Dentry)
	// safe_hardlink_source, which is asked before the owner is
	safe := ino.Is(world.TypeReg) && ino.Mode&0o4000 == 0 && ino.Mode&0o2010 != 0o2010
	var e story.Errno
	missing := false
	tried := safe || ino.Known&(world.KnownType|world.KnownPerm) != world.KnownType|world.KnownPerm
	if tried {
		c.Mute()
		e = c.Hooks.InodePermission(c, c.Cred, src, check.MayRead|check.MayWrite)
		missing = c.Unmute()
	}
	if safe && e == 0 && !missing {
		return 0
	}
	uid, _ := ids(c.W, src, ino)
	owner := kernel.NotKnown
	if ino.Known&world.KnownOwner != 0 {
		owner = ownerOr(c, uid)
	}
	s := story.Step{Code: story.ProtectedHardlink, Errno: story.EPERM, Op: story.OpCreate, Obj: src.Ref(), Fact: [3]story.Origin{sys.At, sys.At, ino.At}}
	if c.Recording() {
		s.Val = [3]uint64{c.Word(kernel.ProtectedHardlinks.String()), uint64(sys.V), uint64(ino.Mode)}
	}
	if owner == kernel.Yes {
		return 0
	}
	if tried && (missing || e == 0) || owner == kernel.NotKnown || !sys.Known() {
		c.Unknown(s)
		return 0
	}
	return c.Deny(s)
}

// Rename is do_renameat2 and vfs_rename.
func Rename(c *check.Check, oldT, newT Target, flags uint64) story.Errno {
	exchange := flags&RenameExchange != 0
	switch {
	case flags&^uint64(RenameNoReplace|RenameExchange|RenameWhiteout) != 0:
		return Invalid(c, story.EINVAL, "renameat2 knows RENAME_NOREPLACE, RENAME_EXCHANGE and RENAME_WHITEOUT")
	case exchange && flags&(RenameNoReplace|RenameWhiteout) != 0:
		return Invalid(c, story.EINVAL, "RENAME_EXCHANGE goes with no other flag")
	}
	var from, to entry
	if err := from.parent(c, oldT); err != 0 {
		return err
	}
	if err := to.parent(c, newT); err != 0 {
		return err
	}
	if err := sameMount(c, from.dir, to.dir, story.OpRemove); err != 0 {
		return err
	}
	if from.walk.LastType != namei.LastNorm {
		return from.special(c, story.EBUSY, story.OpRemove)
	}
	if to.walk.LastType != namei.LastNorm {
		errno := story.EBUSY
		if flags&RenameNoReplace != 0 {
			errno = story.EEXIST
		}
		return to.special(c, errno, story.OpCreate)
	}
	if err := mount.WantWrite(c, from.dir, story.OpRemove); err != 0 {
		return err
	}
	if err := from.find(c); err != 0 {
		return err
	}
	if from.dentry == 0 {
		return from.walk.Missing(c)
	}
	if err := to.find(c); err != 0 {
		return err
	}
	if err := renamePair(c, &from, &to, flags); err != 0 {
		return err
	}
	if err := c.LSM.PathRename(c, renaming(&from, &to, flags)); err != 0 {
		return err
	}
	return renameEntries(c, &from, &to, flags)
}

func renaming(from, to *entry, flags uint64) check.Renaming {
	return check.Renaming{From: from.path(), FromDir: from.dir, To: to.place(), ToDir: to.dir, Name: to.name, Exchange: flags&RenameExchange != 0, Whiteout: flags&RenameWhiteout != 0}
}

// renamePair is what do_renameat2 asks of the two names together.
func renamePair(c *check.Check, from, to *entry, flags uint64) story.Errno {
	fs := c.W.FS
	exchange := flags&RenameExchange != 0
	exists := story.Step{Code: story.NameExists, Errno: story.EEXIST, Op: story.OpCreate, Obj: to.dir.Ref()}
	if c.Recording() {
		exists.Val[0] = c.Word(to.name)
	}
	switch {
	case flags&RenameNoReplace != 0 && to.unsure:
		c.Unknown(exists)
	case flags&RenameNoReplace != 0 && to.dentry != 0:
		return c.Refuse(exists)
	case exchange && to.dentry == 0:
		return to.walk.Missing(c)
	}
	wantDir := func(e *entry) story.Errno {
		ino := fs.I(e.dentry)
		s := story.Step{Code: story.WantDirectory, Errno: story.ENOTDIR, Op: story.OpRemove, Obj: e.path().Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{uint64(ino.Mode)}}
		if ino.Known&world.KnownType == 0 {
			c.Unknown(s)
			return 0
		}
		return c.Refuse(s)
	}
	if exchange && to.walk.Slash && !fs.I(to.dentry).Is(world.TypeDir) {
		if err := wantDir(to); err != 0 {
			return err
		}
	}
	if !fs.I(from.dentry).Is(world.TypeDir) && (from.walk.Slash || !exchange && to.walk.Slash) {
		if err := wantDir(from); err != 0 {
			return err
		}
	}
	// lock_rename's trap: one of the names is an ancestor of the other's directory.
	ancestor := func(p world.Path, errno story.Errno) story.Errno {
		return c.Refuse(story.Step{Code: story.RenameAncestor, Errno: errno, Op: story.OpRemove, Obj: p.Ref()})
	}
	if fs.Below(to.dir.Dentry, from.dentry) {
		return ancestor(from.path(), story.EINVAL)
	}
	if to.dentry != 0 && fs.Below(from.dir.Dentry, to.dentry) {
		if exchange {
			return ancestor(to.path(), story.EINVAL)
		}
		return ancestor(to.path(), story.ENOTEMPTY)
	}
	return 0
}

// renameEntries is vfs_rename.
func renameEntries(c *check.Check, from, to *entry, flags uint64) story.Errno {
	fs := c.W.FS
	src := fs.I(from.dentry)
	exchange := flags&RenameExchange != 0
	if to.dentry != 0 && fs.D(from.dentry).Inode == fs.D(to.dentry).Inode {
		return 0
	}
	isdir := src.Is(world.TypeDir)
	if err := mayDelete(c, from, isdir); err != 0 {
		return err
	}
	switch {
	case to.dentry == 0:
		if err := mayCreate(c, to.dir); err != 0 {
			return err
		}
	default:
		kind := isdir
		if exchange {
			kind = fs.I(to.dentry).Is(world.TypeDir)
		}
		if err := mayDelete(c, to, kind); err != 0 {
			return err
		}
	}
	if err := operation(c, from.dir, opRename, story.EPERM); err != 0 {
		return err
	}
	if from.dir != to.dir {
		if isdir {
			if err := c.Hooks.InodePermission(c, c.Cred, from.path(), check.MayWrite); err != 0 {
				return err
			}
		}
		if exchange && fs.I(to.dentry).Is(world.TypeDir) {
			if err := c.Hooks.InodePermission(c, c.Cred, to.path(), check.MayWrite); err != 0 {
				return err
			}
		}
	}
	if err := c.LSM.InodeRename(c, renaming(from, to, flags)); err != 0 {
		return err
	}
	if err := local(c, from.path()); err != 0 {
		return err
	}
	if to.dentry != 0 {
		if err := local(c, to.path()); err != 0 {
			return err
		}
	}
	if err := renameFlags(c, from, flags); err != 0 {
		return err
	}
	if err := renameOverlay(c, from, to, flags); err != 0 {
		return err
	}
	if to.dentry != 0 && !exchange && fs.I(to.dentry).Is(world.TypeDir) {
		if err := empty(c, to.path(), true); err != 0 {
			return err
		}
	}
	c.Removed, c.Opened = check.Removed{Path: from.path(), Whiteout: flags&RenameWhiteout != 0, Unseen: overlay.Unseen(c, from.path())}, check.Opened{Path: to.dir, Name: to.name}
	switch {
	case exchange:
		c.Removed.Exchange = to.dentry
		from.effect(c, "renamed")
		to.effect(c, "renamed")
		return 0
	case c.Removed.Whiteout:
		from.effect(c, "renamed")
	default:
		from.effect(c, "removed")
	}
	if to.dentry != 0 {
		to.effect(c, "renamed") // another file has this name now
		return 0
	}
	to.effect(c, "created")
	return 0
}

// renameFlags is the filesystem's own look at the flags.
func renameFlags(c *check.Check, from *entry, flags uint64) story.Errno {
	sb := c.W.FS.SBOf(from.dentry)
	s := story.Step{Code: story.RenameFlags, Errno: story.EINVAL, Op: story.OpRemove, Obj: from.path().Ref(), Fact: [3]story.Origin{sb.At}}
	if c.Recording() {
		s.Val[0] = c.Word(sb.Type)
	}
	switch sb.Type {
	case "tmpfs", "ext4", "xfs", "btrfs":
		return 0
	case "ramfs", "overlay":
		if flags&RenameWhiteout != 0 {
			return c.Refuse(s)
		}
		return 0
	}
	if flags != 0 {
		c.Unknown(s)
	}
	return 0
}

// renameOverlay is what ovl_rename asks for itself.
func renameOverlay(c *check.Check, from, to *entry, flags uint64) story.Errno {
	fs := c.W.FS
	sb := fs.SBOf(from.dentry)
	if sb.Overlay == nil {
		return 0
	}
	exchange := flags&RenameExchange != 0
	if err := canMove(c, from); err != 0 {
		return err
	}
	if exchange {
		if err := canMove(c, to); err != 0 {
			return err
		}
	}
	target := (*world.Inode)(nil)
	if to.dentry != 0 && !exchange && fs.I(to.dentry).Is(world.TypeDir) {
		target = fs.I(to.dentry)
		if target.Layer != overlay.Upper || len(target.Layers) > 1 { // ovl_check_empty_dir, but for ovl_pure_upper
			if err := empty(c, to.path(), true); err != 0 {
				return err
			}
		}
	}
	ops := c.Ops[fs.I(from.dentry).SB]
	if err := ops.CopyUp(c, from.path(), check.CopyAttributes); err != 0 {
		return err
	}
	if err := ops.CopyUp(c, to.dir, check.CopyAttributes); err != 0 {
		return err
	}
	if exchange {
		if err := ops.CopyUp(c, to.path(), check.CopyAttributes); err != 0 {
			return err
		}
	} else if to.dentry != 0 {
		if err := ops.Remove(c, to.path()); err != 0 {
			return err
		}
	}
	if to.dentry != 0 && overlay.SameCopy(fs, from.dentry, to.dentry) {
		return c.Refuse(story.Step{Code: story.OverlayTwice, Errno: story.ESTALE, Op: story.OpRemove, Obj: from.path().Ref(), Fact: [3]story.Origin{fs.I(from.dentry).At}})
	}
	if err := overlay.Moves(c, from.path(), to.dir); err != 0 {
		return err
	}
	if exchange {
		if err := overlay.Moves(c, to.path(), from.dir); err != 0 {
			return err
		}
	}
	if err := overlay.Takes(c, from.path()); err != 0 {
		return err
	}
	if to.dentry != 0 && (exchange || fs.I(to.dentry).Layer == overlay.Upper) {
		if err := overlay.Takes(c, to.path()); err != 0 {
			return err
		}
	}
	if exchange {
		return 0
	}
	if target != nil { // marks are written before the layer's own rename, which may find that the target is not empty
		c.Carried = check.Carried{Path: from.path(), To: to.dir}
	}
	return 0
}

// canMove is ovl_can_move: a directory of which a lower layer has a part stays where it is, unless the overlay writes
// redirects.
func canMove(c *check.Check, e *entry) story.Errno {
	fs := c.W.FS
	ino := fs.I(e.dentry)
	redirect := fs.SB(ino.SB).Overlay.Redirect
	if ino.Known&world.KnownType != 0 && !ino.Is(world.TypeDir) || ino.Layer == overlay.Upper && len(ino.Layers) <= 1 || redirect.Known() && redirect.V {
		return 0
	}
	s := story.Step{Code: story.OverlayRename, Errno: story.EXDEV, Op: story.OpRemove, Obj: e.path().Ref(), Fact: [3]story.Origin{ino.At, redirect.At}}
	switch {
	case !redirect.Known():
		s.Fact[0] = redirect.At
		c.Unknown(s)
	case ino.Known&world.KnownType == 0 || ino.Layer == 0:
		c.Unknown(s)
	default:
		return c.Deny(s)
	}
	return 0
}

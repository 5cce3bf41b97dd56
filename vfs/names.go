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

// entry is a name in a directory, as filename_parentat leaves it.
type entry struct {
	walk   namei.Walk
	dir    world.Path
	name   string
	dentry world.DentryID // 0: missing
	unsure bool           // whether it exists is not known
	taken  story.Errno    // what a name that exists is answered with; 0: EEXIST
}

// path is the place of the name.
func (e *entry) path() world.Path { return world.Path{Mount: e.dir.Mount, Dentry: e.dentry} }

// place is path, or nothing where the name is missing.
func (e *entry) place() world.Path {
	if e.dentry == 0 {
		return world.Path{}
	}
	return e.path()
}

// parent is filename_parentat: the directory of a path's last component, which is not looked up yet.
func (e *entry) parent(c *check.Check, t Target) story.Errno {
	if err := namei.GetName(c, t.Path, t.Null, false); err != 0 {
		return err
	}
	if err := e.walk.Init(c, t.DFD, t.Path, 0); err != 0 {
		return err
	}
	if err := e.walk.Parent(c, t.Path); err != 0 {
		return err
	}
	e.dir, e.name = e.walk.Path, e.walk.Last
	return 0
}

// find looks the name up in its directory, without following it.
func (e *entry) find(c *check.Check) story.Errno {
	d, st, err := e.walk.Find(c)
	e.dentry, e.unsure = d, st == world.Unsure
	if st == world.Absent {
		e.dentry = 0
		if err == 0 && mustExist(c, e.dir) {
			return e.walk.Missing(c)
		}
	}
	return err
}

// special refuses a last component that is no name.
func (e *entry) special(c *check.Check, errno story.Errno, op story.Op) story.Errno {
	last := [...]string{namei.LastRoot: "/", namei.LastDot: ".", namei.LastDotDot: ".."}[e.walk.LastType]
	return c.Refuse(story.Step{Code: story.LastSpecial, Errno: errno, Op: op, Obj: e.dir.Ref(), Val: [3]uint64{c.Word(last)}})
}

// create is filename_create: existence comes before a read-only mount, which comes before the directory's permissions.
func (e *entry) create(c *check.Check, t Target, dir bool) story.Errno {
	if err := e.parent(c, t); err != 0 {
		return err
	}
	taken := e.taken
	if taken == 0 {
		taken = story.EEXIST
	}
	if e.walk.LastType != namei.LastNorm {
		return e.special(c, taken, story.OpCreate)
	}
	if err := e.find(c); err != 0 {
		return err
	}
	s := story.Step{Code: story.NameExists, Errno: taken, Op: story.OpCreate, Obj: e.dir.Ref()}
	if c.Recording() {
		s.Val[0] = c.Word(e.name)
	}
	switch {
	case e.unsure:
		s.Fact[0] = c.W.FS.I(e.dentry).At
		c.Unknown(s)
	case e.dentry != 0:
		return c.Refuse(s)
	case e.walk.Slash && !dir:
		return e.walk.Missing(c)
	}
	return mount.WantWrite(c, e.dir, story.OpCreate)
}

// mayCreate is may_create: the directory still exists, the task's ids have a place in the filesystem, and the directory may
// be written.
func mayCreate(c *check.Check, dir world.Path) story.Errno {
	if err := mayMapTask(c, dir, kernel.Yes); err != 0 {
		return err
	}
	return c.Hooks.InodePermission(c, c.Cred, dir, check.MayWrite|check.MayExec)
}

// made is what follows where every check has passed: overlayfs copies the directory up, and the name is there.
func (e *entry) made(c *check.Check, mode uint16, sure bool) story.Errno {
	if ops := c.Ops[c.W.FS.I(e.dir.Dentry).SB]; ops != nil {
		if err := ops.Create(c, e.dir, e.name); err != 0 {
			return err
		}
	}
	if mode&world.TypeMask == world.TypeDir {
		if err := overlay.NewDirectory(c, e.dir, e.name); err != 0 {
			return err
		}
	}
	if typ := mode & world.TypeMask; typ == world.TypeChar || typ == world.TypeBlk { // the mounter makes it (vfs_mknod)
		if ov, _ := restrained(c, e.dir); ov != nil {
			if err := mounter(c, e.dir, story.OpCreate, asks(c, &ov.Mounter, 0, kernel.CapMknod, check.RealmInitial), story.EPERM); err != 0 {
				return err
			}
		}
	}
	c.Opened = check.Opened{Path: e.dir, Name: e.name, Mode: mode, Vague: !sure}
	e.effect(c, "created")
	return 0
}

func (e *entry) effect(c *check.Check, kind string) {
	if !c.Recording() {
		return
	}
	base := c.W.PathText(e.dir)
	if base == "/" {
		base = ""
	}
	c.Effect(story.Effect{Kind: kind, Path: base + "/" + e.name})
}

// Mkdir is do_mkdirat and vfs_mkdir.
func Mkdir(c *check.Check, t Target, mode uint64) story.Errno {
	var e entry
	if err := e.create(c, t, true); err != 0 {
		return err
	}
	if err := c.LSM.PathMkdir(c, e.dir); err != 0 {
		return err
	}
	if err := mayCreate(c, e.dir); err != 0 {
		return err
	}
	if err := operation(c, e.dir, opMkdir, story.EPERM); err != 0 {
		return err
	}
	stripSetgid(c, e.dir, uint16(mode&0o7777))
	if err := c.LSM.InodeMkdir(c, e.dir, e.name); err != 0 {
		return err
	}
	return e.made(c, world.TypeDir|uint16(mode&0o1777), true)
}

// Mknod is do_mknodat and vfs_mknod.
func Mknod(c *check.Check, t Target, mode, dev uint64) story.Errno {
	typ := uint16(mode) & world.TypeMask
	switch typ {
	case 0:
		typ = world.TypeReg
	case world.TypeReg, world.TypeChar, world.TypeBlk, world.TypeFIFO, world.TypeSock:
	case world.TypeDir:
		return Invalid(c, story.EPERM, "mknod makes no directories")
	default:
		return Invalid(c, story.EINVAL, "there is no such type of file")
	}
	var e entry
	if err := e.create(c, t, false); err != 0 {
		return err
	}
	if err := c.LSM.PathMknod(c, e.dir, typ, typ == world.TypeChar && dev == 0); err != 0 {
		return err
	}
	if err := mayCreate(c, e.dir); err != 0 {
		return err
	}
	device := typ == world.TypeChar || typ == world.TypeBlk
	if device && !(typ == world.TypeChar && dev == 0) { // 0:0 is overlayfs's whiteout
		if err := Capable(c, 0, check.RealmInitial, kernel.CapMknod, e.dir, story.OpCreate); err != 0 {
			return err
		}
	}
	op, refused := opMknod, story.EPERM
	if typ == world.TypeReg { // vfs_create
		op, refused = opCreate, story.EACCES
	}
	if err := operation(c, e.dir, op, refused); err != 0 {
		return err
	}
	perm, sure := stripSetgid(c, e.dir, uint16(mode&0o7777))
	if device && !(typ == world.TypeChar && dev == 0 && c.W.FS.SBOf(e.dir.Dentry).Overlay == nil) {
		major, minor := uint32(dev>>8&0xfff|dev>>32&^0xfff), uint32(dev&0xff|dev>>12&^0xff)
		if sb := c.W.FS.SBOf(e.dir.Dentry); sb.Overlay != nil && typ == world.TypeChar && dev == 0 {
			return Invalid(c, story.EPERM, "overlayfs keeps the device 0:0 for its whiteouts")
		}
		if err := devicesMake(c, e.dir, typ, major, minor); err != 0 {
			return err
		}
	}
	err := story.Errno(0)
	if typ == world.TypeReg {
		err = c.LSM.InodeCreate(c, e.dir, e.name)
	} else {
		err = c.LSM.InodeMknod(c, e.dir, e.name, typ)
	}
	if err != 0 {
		return err
	}
	return e.made(c, typ|perm, sure)
}

// devicesMake is devcgroup_inode_mknod.
func devicesMake(c *check.Check, dir world.Path, typ uint16, major, minor uint32) story.Errno {
	d := &c.W.Task.Devices
	if d.All && d.At.Known() {
		return 0
	}
	kind := byte('c')
	if typ == world.TypeBlk {
		kind = 'b'
	}
	s := story.Step{Code: story.DevicesCgroup, Errno: story.EPERM, Op: story.OpCreate, Obj: dir.Ref(), Fact: [3]story.Origin{d.At}}
	if c.Recording() {
		s.Val[0] = c.Word(deviceName(&world.Inode{Mode: typ, Major: major, Minor: minor}))
	}
	switch {
	case !d.At.Known():
		c.Unknown(s)
	case d.Allows(kind, major, minor, "m"):
	default:
		return c.Deny(s)
	}
	return 0
}

// Symlink is do_symlinkat and vfs_symlink; the link's body is only read.
func Symlink(c *check.Check, body string, null bool, t Target) story.Errno {
	if err := namei.GetName(c, body, null, false); err != 0 {
		return err
	}
	var e entry
	if err := e.create(c, t, false); err != 0 {
		return err
	}
	if err := c.LSM.PathSymlink(c, e.dir); err != 0 {
		return err
	}
	if err := mayCreate(c, e.dir); err != 0 {
		return err
	}
	if err := operation(c, e.dir, opSymlink, story.EPERM); err != 0 {
		return err
	}
	if err := c.LSM.InodeSymlink(c, e.dir, e.name); err != 0 {
		return err
	}
	return e.made(c, world.TypeLink|0o777, true)
}

// mayDelete is may_delete: what the directory and the victim say to the removal of a name.
func mayDelete(c *check.Check, e *entry, isdir bool) story.Errno {
	dir, victim := e.dir, e.path()
	ino, di := c.Inode(victim.Dentry), c.Inode(dir.Dentry)
	if err := mapped(c, victim, story.OpRemove); err != 0 {
		return err
	}
	if err := c.Hooks.InodePermission(c, c.Cred, dir, check.MayWrite|check.MayExec); err != 0 {
		return err
	}
	if di.Attr&world.AttrAppend != 0 {
		if err := c.Deny(story.Step{Code: story.AppendDirectory, Errno: story.EPERM, Op: story.OpRemove, Obj: dir.Ref(), Fact: [3]story.Origin{di.At}}); err != 0 {
			return err
		}
	}
	if err := sticky(c, dir, victim); err != 0 {
		return err
	}
	if ino.Attr&(world.AttrAppend|world.AttrImmutable) != 0 {
		code := story.Immutable
		if ino.Attr&world.AttrImmutable == 0 {
			code = story.FixedAttributes
		}
		if err := c.Deny(story.Step{Code: code, Errno: story.EPERM, Op: story.OpRemove, Obj: victim.Ref(), Fact: [3]story.Origin{ino.At}}); err != 0 {
			return err
		}
	}
	return kindOf(c, victim, isdir)
}

// kindOf refuses a victim that is a directory, or is none, where the other is wanted.
func kindOf(c *check.Check, victim world.Path, isdir bool) story.Errno {
	ino := c.W.FS.I(victim.Dentry)
	s := story.Step{Code: story.VictimDirectory, Errno: story.EISDIR, Op: story.OpRemove, Obj: victim.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{uint64(ino.Mode)}}
	if isdir {
		s.Errno = story.ENOTDIR
	}
	switch {
	case ino.Known&world.KnownType == 0:
		c.Unknown(s)
	case ino.Is(world.TypeDir) != isdir:
		return c.Refuse(s)
	}
	return 0
}

// sticky is check_sticky: in a sticky directory only the owner of the victim or of the directory removes, or CAP_FOWNER over
// the victim.
func sticky(c *check.Check, dir, victim world.Path) story.Errno {
	fs := c.W.FS
	ino, di := fs.I(victim.Dentry), c.Inode(dir.Dentry)
	if di.Known&world.KnownPerm != 0 && di.Mode&0o1000 == 0 {
		return 0
	}
	uid, gid := ids(c.W, victim, ino)
	duid, _ := ids(c.W, dir, di)
	s := story.Step{Code: story.StickyDelete, Errno: story.EPERM, Op: story.OpRemove, Obj: victim.Ref(), Fact: [3]story.Origin{ino.At, di.At}, Val: [3]uint64{pack(uid, gid), uint64(di.Mode)}}
	known := di.Known&world.KnownPerm != 0 && ino.Known&di.Known&world.KnownOwner != 0 && c.Cred.UIDAt.Known()
	switch {
	case ino.Known&world.KnownOwner != 0 && c.Cred.UIDAt.Known() && c.Cred.FSUID == uid, di.Known&world.KnownOwner != 0 && c.Cred.UIDAt.Known() && c.Cred.FSUID == duid:
		return 0
	}
	switch capableWrt(c, uid, gid, kernel.CapFowner) {
	case kernel.Yes:
		if c.Recording() {
			c.Pass(story.Step{Code: story.CapFowner, Op: story.OpRemove, Obj: victim.Ref(), Fact: [3]story.Origin{ino.At, c.Cred.UIDAt, c.Cred.EffectiveAt}, Val: [3]uint64{pack(uid, gid), pack(c.Cred.FSUID, c.Cred.FSGID), uint64(c.Cred.Effective)}})
		}
		return 0
	case kernel.NotKnown:
		known = false
	}
	if !known {
		s.Code, s.Val = story.ModeUnknown, [3]uint64{c.Word("the task"), c.Word("mode, owner, or the task's uid or capabilities")}
		c.Unknown(s)
		return 0
	}
	return c.Deny(s)
}

// local refuses what is a mount point in the task's own mount namespace (is_local_mountpoint), wherever its filesystem is
// mounted: a directory that is seen through another bind counts too.
func local(c *check.Check, p world.Path) story.Errno {
	if !c.W.MountPoint(p.Dentry, c.W.Task.MountNS) {
		return 0
	}
	return c.Refuse(story.Step{Code: story.MountPoint, Errno: story.EBUSY, Op: story.OpRemove, Obj: p.Ref()})
}

// removed is what follows where every check has passed.
func (e *entry) removed(c *check.Check) story.Errno {
	if ops := c.Ops[c.W.FS.I(e.dir.Dentry).SB]; ops != nil { // a whiteout takes its place in the upper layer
		if err := ops.CopyUp(c, e.dir, check.CopyAttributes); err != 0 {
			return err
		}
		if err := ops.Remove(c, e.path()); err != 0 {
			return err
		}
		if ino := c.W.FS.I(e.dentry); ino.Layer == overlay.Upper || ino.Indexed {
			if err := overlay.Takes(c, e.path()); err != 0 {
				return err
			}
		}
	}
	c.Removed = check.Removed{Path: e.path(), Unseen: overlay.Unseen(c, e.path())}
	overlay.Leaves(c, e.path(), c.Removed.Unseen)
	e.effect(c, "removed")
	return 0
}

// Unlink is do_unlinkat and vfs_unlink: a read-only mount is seen before a missing name.
func Unlink(c *check.Check, t Target) story.Errno {
	var e entry
	if err := e.parent(c, t); err != 0 {
		return err
	}
	if e.walk.LastType != namei.LastNorm {
		return e.special(c, story.EISDIR, story.OpRemove)
	}
	if err := e.toRemove(c); err != 0 {
		return err
	}
	if e.walk.Slash {
		return e.slash(c)
	}
	if err := c.LSM.PathUnlink(c, e.dir, e.path()); err != 0 {
		return err
	}
	if err := mayDelete(c, &e, false); err != 0 {
		return err
	}
	if err := operation(c, e.dir, opUnlink, story.EPERM); err != 0 {
		return err
	}
	if err := local(c, e.path()); err != 0 {
		return err
	}
	if err := c.LSM.InodeUnlink(c, e.dir, e.path()); err != 0 {
		return err
	}
	return e.removed(c)
}

// slash is the end of do_unlinkat for a path that ends in a slash: whatever the name is, it is refused.
func (e *entry) slash(c *check.Check) story.Errno {
	ino := c.W.FS.I(e.dentry)
	s := story.Step{Code: story.VictimDirectory, Errno: story.ENOTDIR, Op: story.OpRemove, Obj: e.path().Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{uint64(ino.Mode)}}
	switch {
	case ino.Known&world.KnownType == 0:
		c.MayEnd(story.EISDIR)
	case ino.Is(world.TypeDir):
		s.Errno = story.EISDIR
	}
	return c.Refuse(s)
}

// toRemove wants to write and looks the victim up.
func (e *entry) toRemove(c *check.Check) story.Errno {
	if err := mount.WantWrite(c, e.dir, story.OpRemove); err != 0 {
		return err
	}
	if err := e.find(c); err != 0 {
		return err
	}
	if e.dentry == 0 {
		return e.walk.Missing(c)
	}
	return 0
}

// Rmdir is do_rmdir and vfs_rmdir.
func Rmdir(c *check.Check, t Target) story.Errno {
	var e entry
	if err := e.parent(c, t); err != 0 {
		return err
	}
	switch e.walk.LastType {
	case namei.LastDotDot:
		return e.special(c, story.ENOTEMPTY, story.OpRemove)
	case namei.LastDot:
		return e.special(c, story.EINVAL, story.OpRemove)
	case namei.LastRoot:
		return e.special(c, story.EBUSY, story.OpRemove)
	}
	if err := e.toRemove(c); err != 0 {
		return err
	}
	if err := c.LSM.PathRmdir(c, e.dir, e.path()); err != 0 {
		return err
	}
	if err := mayDelete(c, &e, true); err != 0 {
		return err
	}
	if err := operation(c, e.dir, opRmdir, story.EPERM); err != 0 {
		return err
	}
	if err := local(c, e.path()); err != 0 {
		return err
	}
	if err := c.LSM.InodeRmdir(c, e.dir, e.path()); err != 0 {
		return err
	}
	if err := empty(c, e.path(), false); err != 0 {
		return err
	}
	if err := overlay.Whiten(c, e.path()); err != 0 {
		return err
	}
	return e.removed(c)
}

// empty is the filesystem's own look at what a directory holds. A directory of an overlay that is in the upper layer alone is
// removed there as it is: a whiteout that hides nothing is in the way. replaced: another directory takes its name.
func empty(c *check.Check, p world.Path, replaced bool) story.Errno {
	fs := c.W.FS
	s := story.Step{Code: story.NotEmpty, Errno: story.ENOTEMPTY, Op: story.OpRemove, Obj: p.Ref(), Fact: [3]story.Origin{fs.I(p.Dentry).At}}
	if merged := fs.I(p.Dentry).Layers; len(merged) > 0 {
		if !overlay.Cleared(c, p, replaced) {
			if fs.Empty(merged[0]) == kernel.No {
				return c.Refuse(s)
			}
			return 0
		}
		if err := overlay.Read(c, p); err != 0 {
			return err
		}
		if overlay.Empty(fs, p.Dentry) == kernel.No {
			return c.Refuse(s)
		}
	}
	switch fs.Empty(p.Dentry) {
	case kernel.No:
		return c.Refuse(s)
	case kernel.NotKnown:
		c.Unknown(s)
	}
	return overlay.Clear(c, p)
}

// Invalid refuses arguments before anything is looked up.
func Invalid(c *check.Check, e story.Errno, reason string) story.Errno {
	return c.Refuse(story.Step{Code: story.ArgInvalid, Errno: e, Val: [3]uint64{c.Word(reason)}})
}

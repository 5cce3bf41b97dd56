package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/world"
)

// The mount API of file descriptors: open_tree, move_mount, mount_setattr.

const (
	atRecursive     = 0x8000
	atNoAutomount   = 0x800
	openTreeClone   = 1
	openTreeCloexec = 0x80000

	moveFromSymlinks = 1
	moveFromEmpty    = 4
	moveToSymlinks   = 0x10
	moveToEmpty      = 0x40
	moveSetGroup     = 0x100
	moveBeneath      = 0x200
	moveMask         = 0x377
)

// OpenTree is vfs_open_tree: a descriptor of a place, or of a copy of what is mounted there.
func OpenTree(c *check.Check, t Target, flags uint64) story.Errno {
	clone := flags&openTreeClone != 0
	switch {
	case flags&^uint64(AtEmptyPath|atNoAutomount|atRecursive|AtSymlinkNofollow|openTreeClone|openTreeCloexec) != 0:
		return Invalid(c, story.EINVAL, "open_tree does not know this flag")
	case flags&(atRecursive|openTreeClone) == atRecursive:
		return Invalid(c, story.EINVAL, "AT_RECURSIVE goes with OPEN_TREE_CLONE only")
	}
	if clone {
		if err := mayMount(c, world.Path{}); err != 0 {
			return err
		}
	}
	t.Flags = flags & (AtEmptyPath | AtSymlinkNofollow)
	if err := freeDescriptor(c); err != 0 {
		return err
	}
	p, err := t.place(c)
	if err != 0 || p == (world.Path{}) {
		return err
	}
	if !clone {
		c.Opened = check.Opened{Path: p, Flags: OPath}
		return 0
	}
	m := mountsOf(c)
	rec := flags&atRecursive != 0
	if r := m.tree.MayOpenTree(&m.caller, p, rec); r != (mount.Refusal{}) {
		return m.refused(r, p)
	}
	if !rec {
		locksKnown(c, p, story.EINVAL)
	}
	c.Mounting = check.Mounting{Op: check.MountClone, From: p, Recursive: rec}
	return effect(c, "copied", p)
}

// place looks a target up; with AT_EMPTY_PATH an empty path is the descriptor itself. Of a descriptor of which nothing is known
// the place is empty.
func (t Target) place(c *check.Check) (world.Path, story.Errno) {
	if t.Flags&AtEmptyPath != 0 && (t.Path == "" && !t.Null || t.Zero && c.K.Has(kernel.MoveMountTargetFirst) == kernel.Yes) && t.DFD != namei.AtFDCWD {
		f, err := descriptor(c, t.DFD)
		if f == nil || err != 0 {
			return world.Path{}, err
		}
		if f.Kind != world.FDFile {
			return world.Path{}, notModelled(c, world.Path{}, "a descriptor that is no file", story.EINVAL)
		}
		return f.Path, 0
	}
	var n namei.Walk
	err := t.at(c, &n)
	return n.Path, err
}

// MoveMount is move_mount(2). Since 6.15 the target is looked up before the source.
func MoveMount(c *check.Check, from, to Target, flags uint64) story.Errno {
	if err := mayMount(c, world.Path{}); err != 0 {
		return err
	}
	mask := uint64(moveMask)
	if c.K.Has(kernel.MountBeneath) == kernel.No {
		mask &^= moveBeneath
	}
	switch {
	case flags&^mask != 0:
		return Invalid(c, story.EINVAL, "move_mount does not know this flag")
	case flags&(moveBeneath|moveSetGroup) == moveBeneath|moveSetGroup:
		return Invalid(c, story.EINVAL, "MOVE_MOUNT_BENEATH does not go with MOVE_MOUNT_SET_GROUP")
	}
	from.Flags, to.Flags = moveFlags(flags, moveFromEmpty, moveFromSymlinks), moveFlags(flags, moveToEmpty, moveToSymlinks)
	ends := [2]*Target{&to, &from}
	if c.K.Has(kernel.MoveMountTargetFirst) != kernel.Yes {
		ends[0], ends[1] = ends[1], ends[0]
	}
	var at [2]world.Path
	for i, t := range ends {
		p, err := t.place(c)
		if err != 0 {
			return err
		}
		at[i] = p
	}
	source, target := at[1], at[0]
	if ends[0] == &from {
		source, target = target, source
	}
	if source == (world.Path{}) || target == (world.Path{}) {
		c.MayEnd(story.EINVAL)
		return 0
	}
	if err := c.LSM.MoveMount(c, target); err != 0 {
		return err
	}
	if flags&moveSetGroup != 0 {
		return setGroup(c, source, target)
	}
	m := mountsOf(c)
	if err := m.dead(target); err != 0 {
		return err
	}
	return move(c, source, target, flags&moveBeneath != 0)
}

// moveFlags turns flags of one of move_mount's ends into those of a lookup.
func moveFlags(flags, empty, follow uint64) uint64 {
	out := uint64(0)
	if flags&empty != 0 {
		out |= AtEmptyPath
	}
	if flags&follow == 0 {
		out |= AtSymlinkNofollow
	}
	return out
}

// setGroup is do_set_group.
func setGroup(c *check.Check, from, to world.Path) story.Errno {
	m := mountsOf(c)
	if r := m.tree.MaySetGroup(&m.caller, from, to); r != (mount.Refusal{}) {
		return m.refused(r, to)
	}
	locksKnown(c, from, story.EINVAL)
	c.Mounting = check.Mounting{Op: check.MountGroup, From: from, At: to}
	return effect(c, "joined", to)
}

// MountAttr is mount_setattr's structure.
type MountAttr struct {
	Set, Clear, Propagation, UserNS uint64
	Size                            uint64
	Lost                            bool // its address leads nowhere
	Unknown                         bool // what is there is not known
}

// Attributes as MOUNT_ATTR_*.
const (
	attrAtime       = 0x70
	attrNoAtime     = 0x10
	attrStrictAtime = 0x20
	attrNoDirAtime  = 0x80
	attrIDMap       = 0x100000
	attrNoSymFollow = 0x200000
	attrValid       = 1 | 2 | 4 | 8 | attrAtime | attrNoDirAtime | attrIDMap | attrNoSymFollow
	attrSize        = 32
)

// attrFlags are the per-mount flags of MOUNT_ATTR_*.
func attrFlags(a uint64) world.MountFlags {
	f := world.MountFlags(a & 15) // ro, nosuid, nodev, noexec have the same bits
	if a&attrNoSymFollow != 0 {
		f |= world.MountNoSymFollow
	}
	return f
}

// MountSetattr is mount_setattr(2).
func MountSetattr(c *check.Check, t Target, flags uint64, a MountAttr) story.Errno {
	if flags&^uint64(AtEmptyPath|atRecursive|AtSymlinkNofollow|atNoAutomount) != 0 {
		return Invalid(c, story.EINVAL, "mount_setattr does not know this flag")
	}
	want, todo, err := wantsSetattr(c, a, false)
	if err != 0 || !todo {
		return err
	}
	t.Flags = flags & (AtEmptyPath | AtSymlinkNofollow)
	p, err := t.place(c)
	if err != 0 || p == (world.Path{}) {
		return err
	}
	m := mountsOf(c)
	return m.setattr(p, &want, flags&atRecursive != 0)
}

// wantsSetattr is wants_mount_setattr and build_mount_kattr: what is to be changed; todo is false where that is nothing. replace
// says that the mount is a copy that nobody has seen yet.
func wantsSetattr(c *check.Check, a MountAttr, replace bool) (w mount.Attr, todo bool, err story.Errno) {
	bad := func(reason string) (mount.Attr, bool, story.Errno) { return w, false, Invalid(c, story.EINVAL, reason) }
	switch {
	case a.Size > 4096:
		return w, false, Invalid(c, story.E2BIG, "the structure is longer than a page")
	case a.Size < attrSize:
		return bad("the structure has at least 32 bytes")
	}
	if err := mayMount(c, world.Path{}); err != 0 {
		return w, false, err
	}
	switch {
	case a.Lost:
		return w, false, c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpMount})
	case a.Unknown:
		return w, false, notModelled(c, world.Path{}, "a structure that was not written out", story.EPERM, story.ENOENT, story.EBUSY)
	case a.Set == 0 && a.Clear == 0 && a.Propagation == 0:
		return w, false, 0
	case a.Propagation&^uint64(msTypes) != 0:
		return bad("propagation is MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE")
	}
	if a.Propagation != 0 {
		if w.Kind, w.ChangeKind = propagationOf(a.Propagation); !w.ChangeKind {
			return bad("one kind of propagation at a time")
		}
	}
	if (a.Set|a.Clear)&^attrValid != 0 {
		return bad("mount_setattr does not know this attribute")
	}
	w.Set, w.Clear = attrFlags(a.Set), attrFlags(a.Clear)
	if a.Set&attrNoDirAtime != 0 {
		w.AtimeSet |= world.AtimeNoDir
	}
	if a.Clear&attrNoDirAtime != 0 {
		w.AtimeClear |= world.AtimeNoDir
	}
	switch clear, set := a.Clear&attrAtime, a.Set&attrAtime; {
	case clear == 0 && set != 0:
		return bad("the way of keeping times of access is set only where MOUNT_ATTR__ATIME is cleared")
	case clear == 0:
	case clear != attrAtime || set != 0 && set != attrNoAtime && set != attrStrictAtime:
		return bad("MOUNT_ATTR__ATIME is cleared as a whole, and one way is set")
	default:
		w.AtimeClear |= world.AtimeRelative | world.AtimeNever
		switch set {
		case 0:
			w.AtimeSet |= world.AtimeRelative
		case attrNoAtime:
			w.AtimeSet |= world.AtimeNever
		}
	}
	w.IDMap, err = idmapOf(c, a, replace)
	return w, true, err
}

// idmapOf is build_mount_idmapped.
func idmapOf(c *check.Check, a MountAttr, replace bool) (world.UserNSID, story.Errno) {
	if (a.Set|a.Clear)&attrIDMap == 0 {
		return 0, 0
	}
	if a.Clear&attrIDMap != 0 {
		if !replace {
			return 0, Invalid(c, story.EINVAL, "a mount's idmap is not taken away")
		}
		if a.Set&attrIDMap == 0 {
			return 0, notModelled(c, world.Path{}, "a copy without its idmap")
		}
	}
	if a.UserNS > 1<<31-1 {
		return 0, Invalid(c, story.EINVAL, "userns_fd is no descriptor")
	}
	f, err := opened(c, int(a.UserNS), story.OpMount)
	if f == nil || err != 0 {
		return 0, err
	}
	s := story.Step{Code: story.IDMapNamespace, Errno: story.EINVAL, Op: story.OpMount, Val: [3]uint64{a.UserNS}}
	switch {
	case f.Kind == world.FDFile && !f.At.Known():
		c.Unknown(s)
		return 0, 0
	case f.Kind != world.FDNamespace || f.NS.Type != world.NewUser:
		return 0, c.Refuse(s)
	case f.NS.ID == 0:
		s.Errno = story.EPERM
		return 0, c.Refuse(s)
	}
	ns := world.UserNSID(f.NS.ID)
	return ns, Capable(c, ns, check.RealmEntered, kernel.CapSysAdmin, world.Path{}, story.OpMount)
}

// setattr is do_mount_setattr.
func (m *mounts) setattr(p world.Path, w *mount.Attr, recursive bool) story.Errno {
	c := m.c
	m.idmap = w.IDMap
	if r := m.tree.MaySetAttr(&m.caller, p, w, recursive); r != (mount.Refusal{}) {
		return m.refused(r, p)
	}
	locksKnown(c, p, story.EPERM)
	if w.Set&world.MountReadOnly != 0 && m.tree.Node(p.Mount).Flags&world.MountReadOnly == 0 {
		m.busyUnknown(p.Mount, story.MountWriters)
	}
	c.Mounting = check.Mounting{Op: check.MountAttr, At: p, Recursive: recursive, Flags: w.Set, Clear: w.Clear, Atime: w.AtimeSet, NoAtime: w.AtimeClear, Kind: uint8(w.Kind), HasKind: w.ChangeKind, IDMap: w.IDMap}
	return effect(c, "changed", p)
}

// idmaps says whether a filesystem has idmapped mounts (FS_ALLOW_IDMAP).
func idmaps(k kernel.Release, fstype string) kernel.Answer {
	switch fstype {
	case "ext4", "xfs", "vfat", "btrfs", "f2fs", "erofs":
		return kernel.Yes
	case "tmpfs":
		return k.Has(kernel.TmpfsIDMapped)
	case "proc", "sysfs", "cgroup2", "cgroup", "mqueue", "devpts", "bpf", "overlay", "ramfs", "devtmpfs", "debugfs", "tracefs", "securityfs":
		return kernel.No
	}
	return kernel.NotKnown
}

// mayIDMap is can_idmap_mount.
func (m *mounts) mayIDMap(id mount.ID) story.Errno {
	c := m.c
	n := m.tree.Node(id)
	sb := c.W.FS.SB(n.SB)
	s := story.Step{Code: story.IDMapMount, Errno: story.EINVAL, Op: story.OpMount, Val: [3]uint64{m.name(id)}}
	why := func(text string) story.Errno {
		s.Val[1] = c.Word(text)
		return c.Refuse(s)
	}
	switch {
	case m.idmap == sb.UserNS:
		return why("the user namespace is the filesystem's own")
	case n.IDMap != 0:
		s.Errno = story.EPERM
		return why("it is idmapped already")
	}
	switch idmaps(c.K, sb.Type) {
	case kernel.No:
		return why("a " + sb.Type + " has no idmapped mounts")
	case kernel.NotKnown:
		c.Unknown(s)
	}
	if err := Capable(c, sb.UserNS, check.RealmSuperblock, kernel.CapSysAdmin, world.Path{}, story.OpMount); err != 0 {
		return err
	}
	if !m.tree.Anonymous(n.NS) {
		return why("it has been mounted already: only a detached mount gets an idmap")
	}
	return 0
}

// OpenTreeAttr is open_tree_attr(2): open_tree, then mount_setattr on what was opened; a copy may change its idmap.
func OpenTreeAttr(c *check.Check, t Target, flags uint64, a MountAttr, none bool) story.Errno {
	if none && a.Size != 0 && a.Size != attrSize {
		return Invalid(c, story.EINVAL, "a size without attributes")
	}
	if err := OpenTree(c, t, flags); err != 0 || none {
		return err
	}
	clone := flags&openTreeClone != 0
	want, todo, err := wantsSetattr(c, a, clone)
	if err != 0 || !todo {
		return err
	}
	if !clone {
		m := mountsOf(c)
		return m.setattr(c.Opened.Path, &want, flags&atRecursive != 0)
	}
	return notModelled(c, c.Mounting.From, "attributes of a copy", story.EPERM)
}

// ListMount is listmount(2), and StatMount's prologue is the same: what ids there are only the machine knows. The root that a
// task has, LSMT_ROOT, is everybody's to list.
func ListMount(c *check.Check, a MountRequest) story.Errno {
	const root = ^uint64(0)
	switch {
	case a.Flags != 0 && !(a.List && a.Flags == 1):
		return Invalid(c, story.EINVAL, "the call does not know this flag")
	case a.List && a.Count > 1_000_000 && c.K.Has(kernel.MountIDsChecked) != kernel.No:
		return unlessOlder(c, story.EOVERFLOW, "at most a million ids are listed at once")
	case a.Lost:
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpMount})
	case a.Unknown:
		return notModelled(c, world.Path{}, "a request that was not written out", story.EPERM, story.ENOENT)
	case a.Size != 0 && a.Size < 24:
		return Invalid(c, story.EINVAL, "the request has at least 24 bytes")
	case a.Size > 4096:
		return Invalid(c, story.E2BIG, "the request is longer than a page")
	case a.NSFD != 0 && c.K.Has(kernel.MountNSByFD) == kernel.No:
		return Invalid(c, story.EINVAL, "the field behind the size is not used")
	case a.NSFD != 0:
		return notModelled(c, world.Path{}, "a mount namespace that is named by a descriptor", story.EINVAL, story.EBADF, story.EPERM, story.ENOENT)
	case a.ID <= lastOldMountID && c.K.Has(kernel.MountIDsChecked) != kernel.No:
		return unlessOlder(c, story.EINVAL, "ids of mounts begin behind 0x80000000")
	case a.List && a.Param != 0 && a.Param <= lastOldMountID && c.K.Has(kernel.MountIDsChecked) != kernel.No:
		return unlessOlder(c, story.EINVAL, "the mount to go on from has an id behind 0x80000000")
	case a.List && a.ID == root && a.NS == 0:
		return 0
	}
	// Without CAP_SYS_ADMIN over the namespace only what is reachable from the task's root is shown.
	if capable(c, mountNS(c), kernel.CapSysAdmin, check.RealmMountNS) != kernel.Yes {
		c.MayEnd(story.EPERM)
	}
	return notModelled(c, world.Path{}, "which mount has this id", story.ENOENT)
}

// lastOldMountID is MNT_UNIQUE_ID_OFFSET: ids up to it are those of mountinfo.
const lastOldMountID = 1 << 31

// unlessOlder refuses what newer kernels refuse at once, and older ones for another reason, or not at all.
func unlessOlder(c *check.Check, e story.Errno, why string) story.Errno {
	if c.K.Has(kernel.MountIDsChecked) == kernel.Yes {
		return Invalid(c, e, why)
	}
	return notModelled(c, world.Path{}, "whether this release says at once that "+why, e, story.EPERM, story.ENOENT)
}

// MountRequest is struct mnt_id_req with the flags of the call.
type MountRequest struct {
	Size, ID, NS, Flags uint64
	NSFD, Param, Count  uint64
	List                bool // listmount
	Lost, Unknown       bool
}

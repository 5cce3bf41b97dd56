package vfs

import (
	"strconv"
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// ApplyMounts changes the world's mounts as the call that was judged last has (check.Mounting). data are the options of a new
// filesystem. It returns a descriptor that the call has made, without its number.
func ApplyMounts(c *check.Check, data string, at story.Origin) (fd *world.FD) {
	o := c.Mounting
	if o.Op == check.MountNothing {
		return nil
	}
	w := c.W
	m := mountsOf(c)
	t, who := m.tree, &m.caller
	switch o.Op {
	case check.MountNew:
		sb := newSuper(c, o.Type, o.UserNS, o.ReadOnly, data, at)
		m, _ := t.New(who, o.At, mount.Node{SB: sb, Root: w.FS.SB(sb).Root, Flags: o.Flags, Atime: o.Atime})
		defer func() { w.Mounts[m].Source = o.Type }()
	case check.MountBind:
		t.Bind(who, o.From, o.At, o.Recursive)
	case check.MountMove, check.MountTuck:
		t.Move(who, o.From, o.At, o.Op == check.MountTuck)
	case check.MountKind:
		t.ChangeKind(who, o.At, mount.Kind(o.Kind), o.Recursive)
	case check.MountFlags, check.MountSuper:
		if o.Op == check.MountSuper {
			sb := w.FS.SBOf(o.At.Dentry)
			sb.Flags &^= world.SBReadOnly
			if o.ReadOnly {
				sb.Flags |= world.SBReadOnly
			}
			sb.FlagsAt = at
		}
		t.PutFlags(o.At.Mount, o.Flags, o.Atime)
	case check.MountAttr:
		m.idmap = o.IDMap
		t.SetAttr(who, o.At, &mount.Attr{Set: o.Flags, Clear: o.Clear, AtimeSet: o.Atime, AtimeClear: o.NoAtime, Kind: mount.Kind(o.Kind), ChangeKind: o.HasKind, IDMap: o.IDMap}, o.Recursive)
	case check.MountUmount:
		t.Umount(who, o.At, o.Recursive)
	case check.MountExpire:
		w.Mounts[o.At.Mount].Expiring = true
		return nil
	case check.MountPivot:
		m.pivot(o.From, o.At)
	case check.MountGroup:
		t.SetGroup(who, o.From, o.At)
	case check.MountClone:
		_, id, _ := t.OpenTree(who, o.From, o.Recursive)
		fd = &world.FD{Path: world.Path{Mount: id, Dentry: o.From.Dentry}, Flags: OPath, Tree: id, At: at}
	case check.MountDetached:
		x := w.Task.FDByNumber(o.FD).Context
		sb := w.FS.SB(x.SB)
		_, id := t.NewDetached(who, mount.Node{SB: x.SB, Root: sb.Root, Flags: o.Flags, Atime: o.Atime})
		x.Spent = true
		fd = &world.FD{Path: world.Path{Mount: id, Dentry: sb.Root}, Flags: OPath, Tree: id, At: at}
	case check.MountContext:
		x := &world.Context{Type: o.Type, UserNS: o.UserNS}
		if o.At != (world.Path{}) {
			x.Picked, x.SB = true, w.FS.I(o.At.Dentry).SB
		}
		return &world.FD{Kind: world.FDContext, Context: x, At: at}
	case check.MountConfig:
		configure(c, o, at)
		return nil
	}
	t.Into(w, at)
	m.version = w.MountsVersion()
	return fd
}

// configure changes a filesystem context.
func configure(c *check.Check, o check.Mounting, at story.Origin) {
	f := c.W.Task.FDByNumber(o.FD)
	x := *f.Context
	switch {
	case o.Recursive:
		x.SB = newSuper(c, x.Type, x.UserNS, x.Flags&world.SBReadOnly != 0, "", at)
	case o.Type == "ro":
		x.Flags |= world.SBReadOnly
	case o.Type == "rw":
		x.Flags &^= world.SBReadOnly
	default:
		x.Source = o.Source
	}
	f.Context = &x
}

// pivot is pivot_root with chroot_fs_refs: who stood at the old root stands at the new one.
func (m *mounts) pivot(to, old world.Path) {
	t := &m.c.W.Task
	before := t.Root
	if r := m.tree.Pivot(&m.caller, to, old); r != (mount.Refusal{}) {
		return
	}
	for _, p := range [...]*world.Path{&t.Root, &t.Cwd} {
		if *p == before {
			*p = to
		}
	}
}

// newSuper makes the filesystem of a new mount: empty where the type is one that begins so, else with contents that nobody
// knows.
func newSuper(c *check.Check, fstype string, user world.UserNSID, readOnly bool, data string, at story.Origin) world.SBID {
	w := c.W
	sb := world.SB{Type: fstype, Name: "new " + fstype, UserNS: user, At: at, FlagsAt: at, Contexts: c.Mounting.Contexts}
	if fs := filesystemOf(fstype); fs != nil {
		sb.Flags = fs.flags
	}
	if user != 0 {
		sb.Flags |= world.SBNoDev
	}
	if readOnly {
		sb.Flags |= world.SBReadOnly
	}
	root := world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownType, At: at}
	switch fstype {
	case "overlay":
		if id, ok := newOverlay(c, sb, data); ok {
			return id
		}
	case "tmpfs", "ramfs", "mqueue":
		root.Known, root.Whole, root.Nlink = world.KnownAll, true, 2
		if fstype != "ramfs" {
			root.Mode = world.TypeDir | 0o1777
		}
		root.UID, root.GID = c.Cred.FSUID, c.Cred.FSGID
		for opt := range strings.SplitSeq(data, ",") {
			if v, ok := strings.CutPrefix(opt, "mode="); ok {
				n, _ := strconv.ParseUint(v, 8, 16)
				root.Mode = world.TypeDir | uint16(n)&0o7777
			}
			if strings.HasPrefix(opt, "uid=") || strings.HasPrefix(opt, "gid=") {
				root.Known &^= world.KnownOwner
			}
		}
		if !c.Cred.UIDAt.Known() || !c.Cred.GIDAt.Known() {
			root.Known &^= world.KnownOwner
		}
	}
	return w.FS.NewSB(sb, root)
}

// CopyMounts makes a mount namespace with copies of another one's mounts (copy_mnt_ns), owned by a user namespace; moved finds
// the counterpart of a place.
func CopyMounts(w *world.World, k kernel.Release, from uint8, owner world.UserNSID, name string, at story.Origin) (to uint8, moved func(world.Path) world.Path) {
	if len(w.MountNS) == 0 {
		w.MountNS = append(w.MountNS, world.MountNS{})
	}
	t := mount.FromWorld(w, k)
	old := mount.NS(from) + 1
	ns := t.CopyNS(old, owner)
	t.Into(w, at)
	to = uint8(ns - 1)
	w.MountNS[to].Name = name
	// What was locked there is locked here; for another user namespace all is (lock_mnt_tree).
	if lock := w.MountNS[from].LocksAt; w.MountNS[from].Owner != 0 && w.MountNS[from].Owner == owner && !lock.Known() {
		w.MountNS[to].LocksAt = lock
	}
	return to, func(p world.Path) world.Path { return t.Copied(p, old, ns) }
}

// CloseTree is dissolve_on_fput: a detached tree that was never mounted goes with its descriptor.
func CloseTree(c *check.Check, f *world.FD, at story.Origin) {
	if f.Tree == 0 {
		return
	}
	m := mountsOf(c)
	if ns := m.tree.Node(f.Tree).NS; ns != 0 && m.tree.Anonymous(ns) && m.tree.RootOf(ns) == f.Tree {
		m.tree.DropNS(ns)
		m.tree.Into(c.W, at)
		m.version = c.W.MountsVersion()
	}
}

// RemovedMountPoint is __detach_mounts: a name that was removed here may be a mount point elsewhere.
func RemovedMountPoint(c *check.Check, d world.DentryID, at story.Origin) {
	if !c.W.FS.D(d).Mounted {
		return
	}
	m := mountsOf(c)
	m.tree.DetachAt(d)
	m.tree.Into(c.W, at)
	m.version = c.W.MountsVersion()
}

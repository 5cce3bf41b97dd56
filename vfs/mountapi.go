package vfs

import (
	"math/bits"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/world"
)

// Flags of mount(2).
const (
	msReadOnly    = 1
	msNoSuid      = 2
	msNoDev       = 4
	msNoExec      = 8
	msRemount     = 32
	msNoSymFollow = 256
	msNoAtime     = 1024
	msNoDirAtime  = 2048
	msBind        = 4096
	msMove        = 8192
	msRec         = 16384
	msSilent      = 32768
	msUnbindable  = 1 << 17
	msPrivate     = 1 << 18
	msSlave       = 1 << 19
	msShared      = 1 << 20
	msTypes       = msUnbindable | msPrivate | msSlave | msShared
	msRelAtime    = 1 << 21
	msStrictAtime = 1 << 24
	msNoUser      = 1 << 31
	msMagic       = 0xc0ed0000
	msMagicMask   = 0xffff0000
)

// MountArgs are mount(2)'s arguments.
type MountArgs struct {
	Source, Target Target
	Type           string
	NoType         bool // it is NULL
	Flags          uint64
	Data           string
	NoData         bool // it is NULL
	Lost           bool // a string's address leads nowhere
}

// mountNS is the user namespace that owns the task's mount namespace.
func mountNS(c *check.Check) world.UserNSID { return namespace(c, c.W.Task.MountNS).Owner }

// namespace returns a mount namespace; worlds without one have the initial user namespace's.
func namespace(c *check.Check, n uint8) world.MountNS {
	if int(n) < len(c.W.MountNS) {
		return c.W.MountNS[n]
	}
	return world.MountNS{}
}

// mayMount is may_mount.
func mayMount(c *check.Check, p world.Path) story.Errno {
	return Capable(c, mountNS(c), check.RealmMountNS, kernel.CapSysAdmin, p, story.OpMount)
}

// notModelled says what of a mount is not known.
func notModelled(c *check.Check, p world.Path, what string, errnos ...story.Errno) story.Errno {
	c.Unknown(story.Step{Code: story.MountAPI, Errno: story.EINVAL, Op: story.OpMount, Obj: p.Ref(), Val: [3]uint64{c.Word(what)}})
	for _, e := range errnos {
		c.MayEnd(e)
	}
	return 0
}

func badMount(c *check.Check, p world.Path, reason string) story.Errno {
	return c.Refuse(story.Step{Code: story.MountArgument, Errno: story.EINVAL, Op: story.OpMount, Obj: p.Ref(), Val: [3]uint64{c.Word(reason)}})
}

// mountFlags are the per-mount flags of mount(2)'s.
func mountFlags(f uint64) world.MountFlags {
	var out world.MountFlags
	for _, b := range [...]struct {
		ms uint64
		f  world.MountFlags
	}{{msReadOnly, world.MountReadOnly}, {msNoSuid, world.MountNoSuid}, {msNoDev, world.MountNoDev}, {msNoExec, world.MountNoExec}, {msNoSymFollow, world.MountNoSymFollow}} {
		if f&b.ms != 0 {
			out |= b.f
		}
	}
	return out
}

// mountAtime is how path_mount reads the flags of times of access; a remount that names none keeps what is there.
func mountAtime(f uint64, now world.Atime) world.Atime {
	if f&msRemount != 0 && f&(msNoAtime|msNoDirAtime|msRelAtime|msStrictAtime) == 0 {
		return now
	}
	a := world.AtimeKnown
	if f&msNoAtime == 0 {
		a |= world.AtimeRelative
	} else {
		a |= world.AtimeNever
	}
	if f&msNoDirAtime != 0 {
		a |= world.AtimeNoDir
	}
	if f&msStrictAtime != 0 {
		a &^= world.AtimeRelative | world.AtimeNever
	}
	return a
}

// Mount is do_mount and path_mount: the mount point is looked up before the capability is asked for, then the flags say what is
// meant.
func Mount(c *check.Check, m MountArgs) story.Errno {
	if m.Lost {
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpMount})
	}
	if len(m.Type) >= namei.PathMax || !m.Source.Null && len(m.Source.Path) >= namei.PathMax {
		return badMount(c, world.Path{}, "type and source have at most 4095 bytes")
	}
	p, err := m.Target.object(c)
	if err != 0 {
		return err
	}
	f := m.Flags
	if f&msMagicMask == msMagic {
		f &^= msMagicMask
	}
	if f&msNoUser != 0 {
		return badMount(c, p, "MS_NOUSER is the kernel's own")
	}
	if err := c.LSM.SbMount(c, p, f&msRemount != 0); err != 0 {
		return err
	}
	if err := mayMount(c, p); err != 0 {
		return err
	}
	m.Flags = f
	switch {
	case f&(msRemount|msBind) == msRemount|msBind:
		return remountBind(c, p, f)
	case f&msRemount != 0:
		return remount(c, m, p)
	case f&msBind != 0:
		return bind(c, m, p)
	case f&msTypes != 0:
		return changeType(c, p, f)
	case f&msMove != 0:
		return moveOld(c, m, p)
	}
	return newMount(c, m, p)
}

// remountBind is do_reconfigure_mnt.
func remountBind(c *check.Check, p world.Path, f uint64) story.Errno {
	m := mountsOf(c)
	flags := mountFlags(f)
	n := m.tree.Node(p.Mount)
	atime := mountAtime(f, n.Atime)
	if r := m.tree.MaySetFlags(&m.caller, p, flags, atime); r != (mount.Refusal{}) {
		return m.refused(r, p)
	}
	locksKnown(c, p, story.EPERM)
	m.mayChangeAtime(p, atime)
	if flags&world.MountReadOnly != 0 && n.Flags&world.MountReadOnly == 0 {
		m.busyUnknown(p.Mount, story.MountWriters)
	}
	c.Mounting = check.Mounting{Op: check.MountFlags, At: p, Flags: flags, Atime: atime}
	return effect(c, "remounted", p)
}

// mayChangeAtime says where it is not known how a mount keeps times of access, and so whether a locked way is changed.
func (m *mounts) mayChangeAtime(p world.Path, a world.Atime) {
	n := m.tree.Node(p.Mount)
	if n.Locks&world.LockAtime != 0 && n.Atime&world.AtimeKnown == 0 && a&world.AtimeKnown != 0 {
		m.c.Unknown(story.Step{Code: story.MountLockedFlag, Errno: story.EPERM, Op: story.OpMount, Obj: p.Ref(), Val: [3]uint64{m.name(p.Mount), m.c.Word("its way of keeping times of access")}})
	}
}

// remount is do_remount: the filesystem itself is reconfigured, and the mount's flags with it.
func remount(c *check.Check, a MountArgs, p world.Path) story.Errno {
	m := mountsOf(c)
	flags := mountFlags(a.Flags)
	n := m.tree.Node(p.Mount)
	atime := mountAtime(a.Flags, n.Atime)
	if r := m.tree.MayReconfigure(&m.caller, p, flags, atime); r != (mount.Refusal{}) {
		return m.refused(r, p)
	}
	locksKnown(c, p, story.EPERM)
	m.mayChangeAtime(p, atime)
	sb := c.W.FS.SBOf(p.Dentry)
	data, contexts, err := labelOptions(c, p, sb.Type, a.Data)
	if err != 0 {
		return err
	}
	if err := parseOptions(c, p, sb.Type, data, a.NoData); err != 0 {
		return err
	}
	return m.reconfigure(p, sb, flags, atime, a.Flags&msReadOnly != 0, contexts)
}

// reconfigure is the rest of do_remount, and reconfigure_super.
func (m *mounts) reconfigure(p world.Path, sb *world.SB, flags world.MountFlags, atime world.Atime, readOnly bool, contexts world.MountContexts) story.Errno {
	c := m.c
	if err := Capable(c, sb.UserNS, check.RealmSuperblock, kernel.CapSysAdmin, p, story.OpMount); err != 0 {
		return err
	}
	if err := c.LSM.SbRemount(c, p, contexts); err != 0 {
		return err
	}
	was := sb.Flags&world.SBReadOnly != 0
	if sb.FlagsAt&story.Missing != 0 || readOnly && !was {
		if err := m.freeze(p); err != 0 {
			return err
		}
	}
	if fs := filesystemOf(sb.Type); fs == nil || !fs.reconfigures {
		switch {
		case sb.Type == "overlay" && sb.Overlay != nil && sb.Overlay.Upper == 0 && !readOnly: // ovl_reconfigure
			return c.Refuse(story.Step{Code: story.MountFilesystem, Errno: story.EROFS, Op: story.OpMount, Obj: p.Ref(), Val: [3]uint64{c.Word("overlay"), c.Word("an overlay without upperdir stays read-only")}})
		case sb.Type != "overlay" || sb.Overlay == nil:
			notModelled(c, p, "what a remounted "+sb.Type+" accepts", story.EBUSY, story.EROFS, story.EACCES)
		}
	}
	c.Mounting = check.Mounting{Op: check.MountSuper, At: p, Flags: flags, Atime: atime, ReadOnly: readOnly}
	return effect(c, "remounted", p)
}

// freeze is sb_prepare_remount_readonly: nobody may write to any mount of the filesystem.
func (m *mounts) freeze(p world.Path) story.Errno {
	sb := m.tree.Node(p.Mount).SB
	for id := mount.ID(1); int(id) < m.tree.Len(); id++ {
		if m.tree.Node(id).SB == sb && m.Writers(id) > 0 {
			return m.refused(mount.Refusal{Errno: story.EBUSY, Code: story.MountWriters, Mount: id}, p)
		}
	}
	m.busyUnknown(p.Mount, story.MountWriters)
	return 0
}

// bind is do_loopback.
func bind(c *check.Check, a MountArgs, p world.Path) story.Errno {
	if a.Source.Null || a.Source.Path == "" {
		return badMount(c, p, "a bind mount needs a source")
	}
	var n namei.Walk
	if err := n.At(c, namei.AtFDCWD, a.Source.Path, namei.Follow); err != 0 {
		return err
	}
	if f, ok := c.W.NSFileAt(n.Path.Dentry); ok && f.Type == world.NewMount { // mnt_ns_loop: only a namespace that was made later
		if f.ID == int(c.W.Task.MountNS) {
			return badMount(c, p, "a mount namespace does not show itself")
		}
		c.Unknown(story.Step{Code: story.MountArgument, Errno: story.EINVAL, Op: story.OpMount, Obj: p.Ref(), Val: [3]uint64{c.Word("whether the mount namespace is older than the task's")}})
	}
	rec := a.Flags&msRec != 0
	m := mountsOf(c)
	if err := m.dead(p); err != 0 {
		return err
	}
	_, r := m.tree.MayBind(&m.caller, n.Path, p, rec)
	if r != (mount.Refusal{}) {
		return m.refused(r, p)
	}
	if !rec {
		locksKnown(c, n.Path, story.EINVAL)
	}
	c.Mounting = check.Mounting{Op: check.MountBind, From: n.Path, At: p, Recursive: rec}
	return effect(c, "mounted", p)
}

// dead refuses a mount point that was removed (cant_mount).
func (m *mounts) dead(p world.Path) story.Errno {
	if m.c.W.FS.I(p.Dentry).Attr&world.AttrRemoved == 0 {
		return 0
	}
	return m.refused(mount.Refusal{Errno: story.ENOENT, Code: story.MountGone, Mount: p.Mount}, p)
}

// propagationOf is the propagation that flags ask for; ok is false unless it is exactly one.
func propagationOf(f uint64) (k mount.Kind, ok bool) {
	if bits.OnesCount64(f&msTypes) != 1 {
		return 0, false
	}
	switch {
	case f&msShared != 0:
		k = mount.Shared
	case f&msSlave != 0:
		k = mount.Slave
	case f&msUnbindable != 0:
		k = mount.Unbindable
	}
	return k, true
}

// madeKind names what has happened to a mount's propagation.
var madeKind = [...]string{mount.Private: "made private", mount.Shared: "made shared", mount.Slave: "made slave", mount.Unbindable: "made unbindable"}

// changeType is do_change_type.
func changeType(c *check.Check, p world.Path, f uint64) story.Errno {
	m := mountsOf(c)
	if !m.tree.IsRoot(p) {
		return m.refused(mount.Refusal{Errno: story.EINVAL, Code: story.NotMountRoot, Mount: p.Mount}, p)
	}
	k, ok := propagationOf(f)
	if !ok || f&^uint64(msTypes|msRec|msSilent) != 0 {
		return badMount(c, p, "exactly one kind of propagation, with MS_REC and MS_SILENT at most")
	}
	if r := m.tree.MayChangeKind(&m.caller, p); r != (mount.Refusal{}) {
		return m.refused(r, p)
	}
	c.Mounting = check.Mounting{Op: check.MountKind, At: p, Kind: uint8(k), Recursive: f&msRec != 0}
	return effect(c, madeKind[k], p)
}

// moveOld is do_move_mount_old.
func moveOld(c *check.Check, a MountArgs, p world.Path) story.Errno {
	if a.Source.Null || a.Source.Path == "" {
		return badMount(c, p, "a move needs a source")
	}
	var n namei.Walk
	if err := n.At(c, namei.AtFDCWD, a.Source.Path, namei.Follow); err != 0 {
		return err
	}
	return move(c, n.Path, p, false)
}

// move is do_move_mount.
func move(c *check.Check, from, at world.Path, beneath bool) story.Errno {
	m := mountsOf(c)
	_, r := m.tree.MayMove(&m.caller, from, at, beneath)
	if r != (mount.Refusal{}) {
		return m.refused(r, at)
	}
	locksKnown(c, from, story.EINVAL)
	c.Mounting = check.Mounting{Op: check.MountMove, From: from, At: at}
	if beneath {
		c.Mounting.Op = check.MountTuck
	}
	return effect(c, "mounted", at)
}

// effect tells of what happens to the mounts.
func effect(c *check.Check, kind string, p world.Path) story.Errno {
	if c.Recording() {
		c.Effect(story.Effect{Kind: kind, Path: c.W.PathText(p)})
	}
	return 0
}

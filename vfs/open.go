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

// Flags of open, with the numbers of x86_64.
const (
	OAccMode   = 0o3
	OWronly    = 0o1
	ORdwr      = 0o2
	OCreat     = 0o100
	OExcl      = 0o200
	ONoctty    = 0o400
	OTrunc     = 0o1000
	OAppend    = 0o2000
	ONonblock  = 0o4000
	ODsync     = 0o10000
	OAsync     = 0o20000
	ODirect    = 0o40000
	OLargefile = 0o100000
	ODirectory = 0o200000
	ONofollow  = 0o400000
	ONoatime   = 0o1000000
	OCloexec   = 0o2000000
	OSync      = 0o4000000 // __O_SYNC
	OPath      = 0o10000000
	OTmpfile   = 0o20000000 // __O_TMPFILE

	validOpen = OAccMode | OCreat | OExcl | ONoctty | OTrunc | OAppend | ONonblock | ODsync | OAsync | ODirect | OLargefile |
		ODirectory | ONofollow | ONoatime | OCloexec | OSync | OPath | OTmpfile
	pathFlags = ODirectory | ONofollow | OPath | OCloexec
)

// openat2's resolve flags.
const (
	resolveNoXDev = 1 << iota
	resolveNoMagicLinks
	resolveNoSymlinks
	resolveBeneath
	resolveInRoot
	resolveCached
	validResolve = 1<<iota - 1
)

// How is what open and its relatives ask for.
type How struct {
	DFD     int
	Path    string
	Null    bool   // the path's address is not readable
	Flags   uint64 // with x86_64's numbers
	Mode    uint64
	Resolve uint64
	Strict  bool // openat2: nothing that is not valid is dropped silently
}

// open is an open call under way, the kernel's struct open_flags with what do_filp_open finds out.
type open struct {
	flags   uint64
	acc     check.Mask
	lookup  namei.Flags
	created bool
	newMode uint16 // of a new file
	sure    bool   // whether that has setgid
}

// Open is do_sys_openat2 in fs/open.c: flags, path string, descriptor, then the lookup and the opening itself.
func Open(c *check.Check, how How) story.Errno {
	o := open{newMode: uint16(how.Mode & 0o7777), sure: true}
	if e := o.build(c, how); e != 0 {
		return e
	}
	if e := namei.GetName(c, how.Path, how.Null, false); e != 0 {
		return e
	}
	if e := freeDescriptor(c); e != 0 {
		return e
	}
	switch {
	case o.flags&OTmpfile != 0:
		return o.tmpfile(c, how)
	case o.flags&OPath != 0:
		var n namei.Walk
		e := n.At(c, how.DFD, how.Path, o.lookup)
		c.Opened.Path, c.Opened.Flags = n.Path, o.flags|how.Flags&OCloexec
		return e
	}
	return o.pathOpenat(c, how)
}

// build is build_open_how and build_open_flags.
func (o *open) build(c *check.Check, how How) story.Errno {
	flags, mode := how.Flags, how.Mode
	invalid := func(reason string) story.Errno {
		return c.Refuse(story.Step{Code: story.OpenFlags, Errno: story.EINVAL, Op: story.OpOpen, Val: [3]uint64{c.Word(reason)}})
	}
	if !how.Strict {
		flags &= validOpen
		mode &= 0o7777
		if flags&OPath != 0 {
			flags &= pathFlags
		}
		if flags&(OCreat|OTmpfile) == 0 {
			mode = 0
		}
	}
	flags &^= OCloexec
	creates := flags&(OCreat|OTmpfile) != 0
	switch {
	case flags&^uint64(validOpen) != 0:
		return invalid("openat2 refuses flags that it does not know")
	case how.Resolve&^uint64(validResolve) != 0:
		return invalid("openat2 refuses resolve flags that it does not know")
	case how.Resolve&resolveBeneath != 0 && how.Resolve&resolveInRoot != 0:
		return invalid("RESOLVE_BENEATH and RESOLVE_IN_ROOT exclude each other")
	case creates && mode&^0o7777 != 0:
		return invalid("the mode has bits beyond 07777")
	case !creates && mode != 0:
		return invalid("a mode needs O_CREAT or O_TMPFILE")
	}
	acc := [4]check.Mask{check.MayRead, check.MayWrite, check.MayRead | check.MayWrite, check.MayRead | check.MayWrite}[flags&OAccMode]
	if flags&(ODirectory|OCreat) == ODirectory|OCreat {
		switch c.K.Has(kernel.CreateDirectoryInvalid) {
		case kernel.Yes:
			return invalid("O_CREAT and O_DIRECTORY exclude each other")
		default:
			c.Unknown(story.Step{Code: story.OpenFlags, Errno: story.EINVAL, Op: story.OpOpen, Fact: [3]story.Origin{c.W.KernelAt}, Val: [3]uint64{c.Word("O_CREAT with O_DIRECTORY")}})
		}
	}
	if flags&OTmpfile != 0 {
		switch {
		case flags&ODirectory == 0:
			return invalid("O_TMPFILE includes O_DIRECTORY")
		case acc&check.MayWrite == 0:
			return invalid("O_TMPFILE needs O_WRONLY or O_RDWR")
		}
	}
	if flags&OPath != 0 {
		if flags&^uint64(pathFlags) != 0 {
			return invalid("O_PATH goes with O_DIRECTORY, O_NOFOLLOW and O_CLOEXEC only")
		}
		acc = 0
	}
	if flags&OTrunc != 0 {
		acc |= check.MayWrite
	}
	if flags&OAppend != 0 {
		acc |= check.MayAppend
	}
	o.flags, o.acc = flags, acc
	if flags&(OCreat|OExcl) == OCreat|OExcl {
		flags |= ONofollow
	}
	if flags&ODirectory != 0 {
		o.lookup |= namei.Directory
	}
	if flags&ONofollow == 0 {
		o.lookup |= namei.Follow
	}
	for _, r := range [...]struct {
		bit uint64
		f   namei.Flags
	}{{resolveNoXDev, namei.NoXDev}, {resolveNoMagicLinks, namei.NoMagicLinks}, {resolveNoSymlinks, namei.NoSymlinks | namei.NoMagicLinks},
		{resolveBeneath, namei.Beneath}, {resolveInRoot, namei.InRoot}} {
		if how.Resolve&r.bit != 0 {
			o.lookup |= r.f
		}
	}
	if how.Resolve&resolveCached != 0 {
		s := story.Step{Code: story.LookupCached, Errno: story.EAGAIN, Op: story.OpLook}
		if flags&(OTrunc|OCreat|OTmpfile) != 0 {
			return c.Refuse(s)
		}
		c.Unknown(s)
	}
	return 0
}

// freeDescriptor is get_unused_fd_flags.
func freeDescriptor(c *check.Check) story.Errno { return freeDescriptors(c, 1) }

// freeDescriptors asks for several.
func freeDescriptors(c *check.Check, n int) story.Errno {
	t := &c.W.Task
	s := story.Step{Code: story.FileTable, Errno: story.EMFILE, Op: story.OpOpen, Fact: [3]story.Origin{t.OpenFDs.At, t.NoFile.At}, Val: [3]uint64{uint64(t.OpenFDs.V), uint64(t.NoFile.V)}}
	switch {
	case !t.OpenFDs.Known() || !t.NoFile.Known():
		c.Unknown(s)
	case t.OpenFDs.V+n > t.NoFile.V:
		return c.Deny(s)
	}
	return 0
}

// tmpfile is do_tmpfile: an unnamed file in a directory.
func (o *open) tmpfile(c *check.Check, how How) story.Errno {
	var n namei.Walk
	if e := n.At(c, how.DFD, how.Path, o.lookup|namei.Directory); e != 0 {
		return e
	}
	if e := mount.WantWrite(c, n.Path, story.OpCreate); e != 0 {
		return e
	}
	if maps := c.K.Has(kernel.TmpfileMapsIDs); maps != kernel.No {
		if e := mayMapTask(c, n.Path, maps); e != 0 {
			return e
		}
	}
	if e := c.Hooks.InodePermission(c, c.Cred, n.Path, check.MayWrite|check.MayExec); e != 0 {
		return e
	}
	sb := c.W.FS.SBOf(n.Path.Dentry)
	s := story.Step{Code: story.NoTmpfile, Errno: story.EOPNOTSUPP, Op: story.OpCreate, Obj: n.Path.Ref(), Fact: [3]story.Origin{sb.At}, Val: [3]uint64{c.Word(sb.Type)}}
	switch sb.Type {
	case "tmpfs", "ext4", "xfs", "btrfs":
	case "overlay":
		switch c.K.Has(kernel.OverlayTmpfile) {
		case kernel.No:
			return c.Refuse(s)
		case kernel.NotKnown:
			c.Unknown(s)
		}
	case "proc", "sysfs", "devpts", "cgroup", "cgroup2", "mqueue", "bpf", "debugfs", "securityfs", "binfmt_misc", "configfs":
		return c.Refuse(s)
	default:
		c.Unknown(s)
	}
	stripSetgid(c, n.Path, o.newMode)
	if ops := c.Ops[c.W.FS.I(n.Path.Dentry).SB]; ops != nil { // ovl_tmpfile
		if e := ops.CopyUp(c, n.Path, check.CopyAttributes); e != 0 {
			return e
		}
	}
	return c.LSM.FileOpen(c, n.Path, o.mode()|check.NewFile)
}

// pathOpenat is path_openat's loop: walk to the last component, look it up or make it, follow it if it is a link.
func (o *open) pathOpenat(c *check.Check, how How) story.Errno {
	var n namei.Walk
	if e := n.Init(c, how.DFD, how.Path, o.lookup); e != 0 {
		return e
	}
	path := how.Path
	var dir world.Path
	for {
		if e := n.Parent(c, path); e != 0 {
			return e
		}
		dir = world.Path{}
		if n.LastType != namei.LastRoot {
			dir = n.Path
		}
		link, e := o.last(c, &n)
		if e != 0 {
			return e
		}
		if link == "" {
			break
		}
		path = link
	}
	return o.finish(c, how, &n, dir)
}

// last is open_last_lookups and lookup_open.
func (o *open) last(c *check.Check, n *namei.Walk) (string, story.Errno) {
	if n.LastType != namei.LastNorm {
		return n.LastComponent(c)
	}
	if o.flags&OCreat == 0 {
		return n.LastComponent(c)
	}
	if n.Slash {
		return "", c.Refuse(story.Step{Code: story.CreateTrailingSlash, Errno: story.EISDIR, Op: story.OpCreate, Obj: n.Path.Ref()})
	}
	d, st, e := n.Find(c)
	if e != 0 {
		return "", e
	}
	if st == world.Absent {
		if mustExist(c, n.Path) {
			return "", n.Missing(c)
		}
		return "", o.create(c, n)
	}
	if st == world.Unsure {
		// The name may be missing: then it is created, with refusals of its own.
		for _, e := range [...]story.Errno{story.EROFS, story.EACCES} {
			c.MayEnd(e)
		}
		if o.flags&OExcl != 0 {
			c.Unknown(story.Step{Code: story.CreateExists, Errno: story.EEXIST, Op: story.OpCreate, Obj: world.Path{Mount: n.Path.Mount, Dentry: d}.Ref()})
			return "", o.create(c, n)
		}
	}
	return n.StepInto(c, d, true)
}

// create makes a name that is missing: EROFS, then may_o_create.
func (o *open) create(c *check.Check, n *namei.Walk) story.Errno {
	c.Pass(story.Step{Code: story.NameMissing, Op: story.OpCreate, Obj: n.Path.Ref(), Val: [3]uint64{c.Word(n.Last)}})
	dir := n.Path
	o.newMode, o.sure = stripSetgid(c, dir, o.newMode)
	if e := mount.WantWrite(c, dir, story.OpCreate); e != 0 {
		return e
	}
	if e := c.LSM.PathMknod(c, dir, world.TypeReg, false); e != 0 {
		return e
	}
	if e := mayMapTask(c, dir, kernel.Yes); e != 0 {
		return e
	}
	if e := c.Hooks.InodePermission(c, c.Cred, dir, check.MayWrite|check.MayExec); e != 0 {
		return e
	}
	if e := c.LSM.InodeCreate(c, dir, n.Last); e != 0 {
		return e
	}
	if e := operation(c, dir, opCreate, story.EACCES); e != 0 {
		return e
	}
	ino := c.W.FS.I(dir.Dentry)
	if ops := c.Ops[ino.SB]; ops != nil {
		if e := ops.Create(c, dir, n.Last); e != 0 {
			return e
		}
	}
	o.created = true
	if c.Recording() {
		base := c.W.PathText(dir)
		if base == "/" {
			base = ""
		}
		c.Effect(story.Effect{Kind: "created", Path: base + "/" + n.Last})
	}
	return 0
}

// mayMapTask is fsuidgid_has_mapping: a new file's ids must exist in the filesystem. asks says whether this release asks.
func mayMapTask(c *check.Check, dir world.Path, asks kernel.Answer) story.Errno {
	sb := c.W.FS.SBOf(dir.Dentry)
	ns := &c.W.UserNS[sb.UserNS]
	uid, gid := uint32(c.Cred.FSUID), uint32(c.Cred.FSGID)
	idmap := c.W.Mounts[dir.Mount].IDMap
	if ns.Identity && idmap == 0 {
		return 0
	}
	if !c.Cred.UIDAt.Known() || !c.Cred.GIDAt.Known() {
		c.Unknown(story.Step{Code: story.ModeUnknown, Errno: story.EOVERFLOW, Op: story.OpCreate, Obj: dir.Ref(), Fact: [3]story.Origin{c.Cred.UIDAt}, Val: [3]uint64{c.Word("the task"), c.Word("the task's uid")}})
		return 0
	}
	okU, okG := true, true
	if idmap != 0 { // mapped_fsuid
		uid, okU = c.W.UserNS[idmap].UIDs.Up(uid)
		gid, okG = c.W.UserNS[idmap].GIDs.Up(gid)
		uid, _ = ns.UIDs.Down(uid)
		gid, _ = ns.GIDs.Down(gid)
	}
	if okU && okG && ns.MapsUID(world.KUID(uid)) && ns.MapsGID(world.KGID(gid)) {
		return 0
	}
	s := story.Step{Code: story.UserNSCreate, Errno: story.EOVERFLOW, Op: story.OpCreate, Obj: dir.Ref(), Fact: [3]story.Origin{c.Cred.UIDAt},
		Val: [3]uint64{pack(c.Cred.FSUID, c.Cred.FSGID), uint64(sb.UserNS)}}
	if asks == kernel.NotKnown {
		s.Fact[1] = c.W.KernelAt
		c.Unknown(s)
		return 0
	}
	return c.Deny(s)
}

// finish is do_open.
func (o *open) finish(c *check.Check, how How, n *namei.Walk, dir world.Path) story.Errno {
	c.Opened.Path, c.Opened.Flags = n.Path, o.flags|how.Flags&OCloexec
	if o.created {
		c.Opened.Name, c.Opened.Mode, c.Opened.Vague, c.Opened.Stays = n.Last, o.newMode, !o.sure, true
		if e := c.LSM.FileOpen(c, n.Path, o.mode()|check.NewFile); e != 0 || o.flags&ODirect == 0 {
			return e
		}
		return canDirectIO(c, n.Path, world.TypeReg) // a new file stays where it cannot be opened
	}
	if e := n.Complete(c); e != 0 {
		return e
	}
	fs := c.W.FS
	p := n.Path
	ino := fs.I(p.Dentry)
	isDir := ino.Is(world.TypeDir)
	if o.flags&OCreat != 0 {
		if o.flags&OExcl != 0 {
			return c.Refuse(story.Step{Code: story.CreateExists, Errno: story.EEXIST, Op: story.OpCreate, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}})
		}
		if isDir {
			return c.Refuse(story.Step{Code: story.OpenDirectoryWrite, Errno: story.EISDIR, Op: story.OpCreate, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}})
		}
		if e := mayCreateInSticky(c, p, dir); e != 0 {
			return e
		}
	}
	if n.Flags&namei.Directory != 0 {
		if e := n.MustBeDirectory(c); e != 0 {
			return e
		}
	}
	truncates := false
	if o.flags&OTrunc != 0 && (ino.Is(world.TypeReg) || ino.Known&world.KnownType == 0) {
		if e := mount.WantWrite(c, p, story.OpWrite); e != 0 {
			return e
		}
		truncates = ino.Is(world.TypeReg)
	}
	if e := o.mayOpen(c, p); e != 0 {
		return e
	}
	return o.vfsOpen(c, p, truncates)
}

// mayOpen is may_open.
func (o *open) mayOpen(c *check.Check, p world.Path) story.Errno {
	ino := c.Inode(p.Dentry)
	at := [3]story.Origin{ino.At}
	flags := o.flags
	switch {
	case ino.Known&world.KnownType == 0:
		c.Unknown(story.Step{Code: story.TypeUnknown, Errno: story.ENXIO, Op: story.OpOpen, Obj: p.Ref(), Fact: at})
		if o.acc&check.MayWrite != 0 {
			c.MayEnd(story.EISDIR)
		}
		c.MayEnd(story.EACCES)
		c.MayBlock()
	case ino.Is(world.TypeLink):
		return c.Refuse(story.Step{Code: story.OpenSymlink, Errno: story.ELOOP, Op: story.OpOpen, Obj: p.Ref(), Fact: at})
	case ino.Is(world.TypeDir):
		if o.acc&check.MayWrite != 0 {
			return c.Refuse(story.Step{Code: story.OpenDirectoryWrite, Errno: story.EISDIR, Op: story.OpWrite, Obj: p.Ref(), Fact: at})
		}
		if o.acc&check.MayExec != 0 {
			return c.Refuse(story.Step{Code: story.DirectoryExec, Errno: story.EACCES, Op: story.OpExec, Obj: p.Ref(), Fact: at})
		}
	case ino.Is(world.TypeChar), ino.Is(world.TypeBlk):
		if e := mount.MayOpenDev(c, p); e != 0 {
			return e
		}
		flags &^= OTrunc
	case ino.Is(world.TypeFIFO), ino.Is(world.TypeSock):
		flags &^= OTrunc
	}
	if o.acc&check.MayExec != 0 {
		if ino.Known&world.KnownType != 0 && !ino.Is(world.TypeReg) {
			return c.Refuse(story.Step{Code: story.ExecNotRegular, Errno: story.EACCES, Op: story.OpExec, Obj: p.Ref(), Fact: at})
		}
		if e := mount.MayExec(c, p, story.OpExec); e != 0 {
			return e
		}
	}
	if e := c.Hooks.InodePermission(c, c.Cred, p, check.MayOpen|o.acc); e != 0 {
		return e
	}
	if ino.Attr&world.AttrAppend != 0 && (flags&OAccMode != 0 && flags&OAppend == 0 || flags&OTrunc != 0) {
		if e := c.Deny(story.Step{Code: story.AppendOnly, Errno: story.EPERM, Op: story.OpWrite, Obj: p.Ref(), Fact: at}); e != 0 {
			return e
		}
	}
	if flags&ONoatime != 0 {
		return ownerOrCapable(c, p, story.OpenNoAtime)
	}
	return 0
}

// ownerOrCapable is inode_owner_or_capable; code says what asks for it.
func ownerOrCapable(c *check.Check, p world.Path, code story.Code) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	uid, gid := ids(c.W, p, ino)
	a := kernel.NotKnown
	if ino.Known&world.KnownOwner != 0 {
		a = ownerOr(c, uid)
	}
	s := story.Step{Code: code, Errno: story.EPERM, Op: story.OpOpen, Obj: p.Ref(), Fact: [3]story.Origin{ino.At, c.Cred.UIDAt, c.Cred.EffectiveAt}, Val: [3]uint64{pack(uid, gid)}}
	switch a {
	case kernel.Yes:
		if c.Recording() && uid != c.Cred.FSUID {
			s.Code, s.Val = story.CapFowner, [3]uint64{pack(uid, gid), pack(c.Cred.FSUID, c.Cred.FSGID), uint64(c.Cred.Effective)}
		}
		c.Pass(s)
		return 0
	case kernel.NotKnown:
		s.Code, s.Val = story.ModeUnknown, [3]uint64{c.Word("the task"), c.Word("the owner, or the task's uid or capabilities")}
		c.Unknown(s)
		return 0
	}
	if !c.W.UserNS[c.Cred.UserNS].MapsUID(uid) && c.Cred.Effective.Has(kernel.CapFowner) {
		s.Code, s.Fact[1], s.Val = story.UserNSOwner, c.Cred.EffectiveAt, [3]uint64{pack(uid, gid), uint64(c.Cred.Effective), uint64(c.Cred.UserNS)}
	}
	return c.Deny(s)
}

// vfsOpen is do_dentry_open and the truncation behind it.
func (o *open) vfsOpen(c *check.Check, p world.Path, truncates bool) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	ops := c.Ops[ino.SB]
	if ops != nil {
		ops.Served(c, p)
	}
	write := o.mode()&check.MayWrite != 0
	plain := ino.Is(world.TypeReg) || ino.Is(world.TypeDir) || ino.Known&world.KnownType == 0
	if write && plain {
		if e := writeAccess(c, p); e != 0 {
			return e
		}
		if e := mount.WantWrite(c, p, story.OpWrite); e != 0 {
			return e
		}
	}
	if e := c.LSM.FileOpen(c, p, o.mode()); e != 0 {
		return e
	}
	if err := openProc(c, p, o.flags&OAccMode == OWronly || o.flags&OAccMode == ORdwr); err != 0 {
		return err
	}
	if o.acc&check.MayExec != 0 && ino.Is(world.TypeReg) { // ovl_open_realfile opens it for reading
		if e := mounterUses(c, p, check.MayRead, story.OpRead); e != 0 {
			return e
		}
	}
	if e := o.driver(c, p); e != 0 {
		return e
	}
	if ops != nil && ino.Is(world.TypeReg) {
		if e := overlay.HasData(c, p); e != 0 {
			return e
		}
	}
	if ops != nil && (write || truncates) && plain && !ino.Is(world.TypeDir) {
		what := check.CopyData
		if truncates {
			what = check.CopyTruncated
		}
		if e := ops.CopyUp(c, p, what); e != 0 {
			return e
		}
	}
	if ops != nil && ino.Is(world.TypeReg) {
		if e := overlay.OpensData(c, p); e != 0 {
			return e
		}
	}
	if o.flags&ODirect != 0 {
		if e := directIO(c, p); e != 0 {
			return e
		}
	}
	if truncates {
		if e := writeAccess(c, p); e != 0 { // handle_truncate, O_RDONLY|O_TRUNC too
			return e
		}
		if e := c.LSM.FileTruncate(c, p, nil); e != 0 {
			return e
		}
		kill := needsRemovePrivs(c, p)
		if e := c.LSM.InodeSetattr(c, p, check.SetSizeOpen); e != 0 {
			return e
		}
		if e := killCaps(c, p); e != 0 {
			return e
		}
		c.Changed = check.Changed{Path: p, SetSize: true}
		if c.Recording() {
			c.Effect(story.Effect{Kind: "truncated", Path: c.W.PathText(p)})
		}
		kill.remove(c, p)
	}
	return 0
}

// mode is what the file is open for (OPEN_FMODE): access mode 3 takes neither.
func (o *open) mode() check.Mask {
	if o.acc&check.MayExec != 0 {
		return check.MayRead | check.MayExec
	}
	return [4]check.Mask{check.MayRead, check.MayWrite, check.MayRead | check.MayWrite, 0}[o.flags&OAccMode]
}

// writeAccess is get_write_access: what is being executed is not written.
func writeAccess(c *check.Check, p world.Path) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	s := story.Step{Code: story.TextBusy, Errno: story.ETXTBSY, Op: story.OpWrite, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}}
	switch {
	case ino.Attr&world.AttrExecuting != 0:
		return c.Deny(s)
	case ino.Attr&world.AttrMayRun != 0:
		c.Unknown(s)
	}
	return 0
}

// driver is f_op->open of what is no regular file.
func (o *open) driver(c *check.Check, p world.Path) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	s := story.Step{Op: story.OpOpen, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}}
	switch {
	case ino.Is(world.TypeSock):
		s.Code, s.Errno = story.OpenSocket, story.ENXIO
		return c.Refuse(s)
	case ino.Is(world.TypeFIFO):
		return o.fifo(c, ino, s)
	case ino.Is(world.TypeChar), ino.Is(world.TypeBlk):
		s.Code, s.Errno = story.DeviceOpen, story.ENXIO
		if c.Recording() {
			s.Val[0] = c.Word(deviceName(ino))
		}
		if ino.Is(world.TypeChar) && ino.Major == 1 && (ino.Minor == 3 || ino.Minor == 5 || ino.Minor == 7 || ino.Minor == 8 || ino.Minor == 9) {
			c.Pass(s)
			return 0
		}
		c.Unknown(s)
		c.MayEnd(story.EIO)
	}
	return 0
}

// fifo is fifo_open: a reader waits for a writer, a writer for a reader or, with O_NONBLOCK, is refused without one.
func (o *open) fifo(c *check.Check, ino *world.Inode, s story.Step) story.Errno {
	other := world.AttrWriting
	switch o.flags & OAccMode {
	case ORdwr:
		return 0
	case OAccMode:
		s.Code, s.Errno, s.Val[0] = story.DeviceOpen, story.EINVAL, c.Word("a FIFO")
		return c.Refuse(s)
	case OWronly:
		other = world.AttrReader
	}
	wait := o.flags&ONonblock == 0
	switch known := ino.Known&world.KnownPeers != 0; {
	case !wait && other == world.AttrWriting, known && ino.Attr&other != 0, hasOpen(c, ino, other == world.AttrWriting):
	case !wait:
		s.Code, s.Errno = story.FIFONoReader, story.ENXIO
		if known {
			return c.Refuse(s)
		}
		c.Unknown(s)
	default:
		s.Code = story.FIFOBlocks
		if known {
			c.Pass(s)
			c.Blocks()
			return 0
		}
		c.Unknown(s)
		c.MayBlock()
	}
	return 0
}

// hasOpen reports whether the task itself has a file open for reading, or for writing.
func hasOpen(c *check.Check, ino *world.Inode, write bool) bool {
	for i := range c.W.Task.FDs {
		f := &c.W.Task.FDs[i]
		if f.Kind != world.FDFile || f.Flags&OPath != 0 || f.FlagsAt&story.Missing != 0 || c.W.FS.I(f.Path.Dentry) != ino {
			continue
		}
		if acc := f.Flags & OAccMode; acc == ORdwr || write == (acc == OWronly) && acc != OAccMode {
			return true
		}
	}
	return false
}

// directIO is the end of do_dentry_open: O_DIRECT needs FMODE_CAN_ODIRECT.
func directIO(c *check.Check, p world.Path) story.Errno {
	fileType := uint16(0)
	if ino := c.W.FS.I(p.Dentry); ino.Known&world.KnownType != 0 {
		fileType = ino.Type()
	}
	return canDirectIO(c, p, fileType)
}

// canDirectIO asks for a file of the type: p is the file, or the directory that has got it.
func canDirectIO(c *check.Check, p world.Path, fileType uint16) story.Errno {
	sb := c.W.FS.SBOf(p.Dentry)
	s := story.Step{Code: story.NoDirectIO, Errno: story.EINVAL, Op: story.OpOpen, Obj: p.Ref(), Fact: [3]story.Origin{sb.At}, Val: [3]uint64{c.Word(sb.Type)}}
	switch {
	case fileType == world.TypeReg && (sb.Type == "ext4" || sb.Type == "xfs" || sb.Type == "btrfs"):
		return 0
	case fileType == world.TypeReg && sb.Type == "tmpfs" && c.K.Has(kernel.TmpfsDirectIO) == kernel.Yes:
		return 0
	case fileType == world.TypeDir && (sb.Type == "tmpfs" || sb.Type == "ext4" || sb.Type == "overlay"):
		return c.Refuse(s)
	case fileType == world.TypeReg && sb.Type == "tmpfs" && c.K.Has(kernel.TmpfsDirectIO) == kernel.No, sb.Type == "nsfs":
		return c.Refuse(s)
	}
	c.Unknown(s)
	return 0
}

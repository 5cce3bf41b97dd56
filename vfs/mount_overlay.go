package vfs

import (
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/namei"
	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/world"
)

// maxLayers is how many lower layers are modelled; the kernel takes 500.
const maxLayers = 16

// layers are those that the options of an overlay name (struct ovl_fs_context).
type layers struct {
	upper, work       world.Path
	lower             [maxLayers]world.Path
	n                 int
	names             [2 + maxLayers]string // upper, work and lower ones as they are written, where they are looked up later
	data              int                   // how many of the lower ones, the last, hold data only
	hasUpper, hasWork bool
	overlayConfig
	unsure bool // an option is not modelled: what follows is not known
}

// otherOverlay are options that overlayfs knows, beside those of layers and of overlayConfig; what they lead to is not modelled.
const otherOverlay = "uuid= verity= lowerdir+= datadir+= override_creds nooverride_creds fsync="

// options reads the options in the order in which they are written. Since Linux 6.5 the layers are looked up meanwhile, before the
// capability is asked for (ovl_parse_param).
func (l *layers) options(c *check.Check, p world.Path, data string) story.Errno {
	now := parsesLayers(c)
	l.defaults(c)
	for opt := range strings.SplitSeq(data, ",") {
		name, value, has := strings.Cut(opt, "=")
		s := story.Step{Code: story.MountOption, Errno: story.EINVAL, Op: story.OpMount, Obj: p.Ref()}
		if c.Recording() {
			s.Val = [3]uint64{c.Word("overlay"), c.Word(opt)}
		}
		switch layer := name == "upperdir" || name == "workdir" || name == "lowerdir"; {
		case opt == "" || now && (!has && genericOption(name) || name == "source"): // vfs_parse_fs_param; before Linux 6.5 overlayfs had all options
		case layer && strings.ContainsRune(value, '\\'):
			notModelled(c, p, "layers with escaped names", story.ENOENT)
			l.unsure = true
		case layer && has && (value != "" || name == "lowerdir"):
			if err := l.take(c, p, name, value, now); err != 0 {
				return err
			}
		case layer:
			return c.Refuse(s)
		case l.set(opt):
		case knows(otherOverlay, name, has), strings.HasSuffix(name, "context"), strings.HasPrefix(name, "smackfs"):
			c.Unknown(s)
			l.unsure = true
		default:
			return c.Refuse(s)
		}
	}
	return 0
}

// parsesLayers reports whether options and layers are looked at before the capability is asked for; earlier kernels do all of it when the
// filesystem is made.
func parsesLayers(c *check.Check) bool { return c.K.Has(kernel.OverlayParsesLayers) != kernel.No }

// take takes the layers of one option; a later one of the same name replaces it.
func (l *layers) take(c *check.Check, p world.Path, name, value string, now bool) story.Errno {
	place, names := &l.upper, l.names[:1]
	switch name {
	case "upperdir":
		l.hasUpper = true
	case "workdir":
		place, names, l.hasWork = &l.work, l.names[1:2], true
	default:
		return l.takeLower(c, p, value, now)
	}
	names[0] = value
	if now {
		return l.find(c, name, value, place)
	}
	return 0
}

func (l *layers) takeLower(c *check.Check, p world.Path, value string, now bool) story.Errno {
	l.n, l.data = 0, 0
	if value == "" {
		return 0
	}
	if value[0] == ':' || value[len(value)-1] == ':' {
		return badMount(c, p, "lowerdir begins or ends with a colon")
	}
	only := c.K.Has(kernel.OverlayDataOnly)
	if only != kernel.No && strings.Contains(value, ":::") {
		return badMount(c, p, "lowerdir has three colons in a row")
	}
	data := false
	for layer := range strings.SplitSeq(value, ":") {
		switch {
		case layer == "" && only != kernel.Yes:
			notModelled(c, p, "data-only layers", story.ENOENT)
			l.unsure = true
			continue
		case layer == "":
			data = true
			continue
		case !data && l.data > 0:
			return badMount(c, p, "a layer behind those that hold data only")
		case l.n == maxLayers:
			notModelled(c, p, "so many layers", story.ENOENT, story.ELOOP)
			l.unsure = true
			return 0
		}
		if l.names[2+l.n] = layer; data {
			l.data++
		}
		data = false
		l.n++
		if now {
			if err := l.find(c, "lowerdir", layer, &l.lower[l.n-1]); err != 0 {
				return err
			}
		}
	}
	return 0
}

// find is ovl_mount_dir and ovl_mount_dir_check: a layer is a directory; upperdir and workdir are on a filesystem that can be
// written, which is not an overlay itself.
func (l *layers) find(c *check.Check, option, name string, at *world.Path) story.Errno {
	var n namei.Walk
	if err := n.At(c, namei.AtFDCWD, name, namei.Follow); err != 0 {
		return err
	}
	*at = n.Path
	ino := c.W.FS.I(n.Path.Dentry)
	s := story.Step{Code: story.MountLayer, Errno: story.EINVAL, Op: story.OpMount, Obj: n.Path.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{c.Word(option), uint64(ino.Mode)}}
	switch {
	case ino.Known&world.KnownType == 0:
		c.Unknown(s)
	case !ino.Is(world.TypeDir):
		return c.Refuse(s)
	}
	if option == "lowerdir" {
		return 0
	}
	if err := writableLayer(c, n.Path, s.Val[0]); err != 0 {
		return err
	}
	return 0
}

// writableLayer is what is asked of upperdir and workdir alone.
func writableLayer(c *check.Check, p world.Path, option uint64) story.Errno {
	sb := c.W.FS.SBOf(p.Dentry)
	s := story.Step{Code: story.LayerNested, Errno: story.EINVAL, Op: story.OpMount, Obj: p.Ref(), Fact: [3]story.Origin{sb.At}, Val: [3]uint64{option}}
	if c.Recording() {
		s.Val[1] = c.Word(sb.Type)
	}
	switch sb.Type {
	case "overlay", "proc", "fuse", "nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph":
		if sb.Type != "overlay" { // whether its names are checked anew depends on more than the type
			c.Unknown(s)
			break
		}
		return c.Refuse(s)
	case "ext4", "xfs", "btrfs", "tmpfs":
	default:
		c.Unknown(s)
	}
	m := &c.W.Mounts[p.Mount]
	s.Code, s.Fact[0] = story.LayerReadOnly, m.FlagsAt[world.MountReadOnly]
	switch ro := m.Flags&world.MountReadOnly != 0 || sb.Flags&world.SBReadOnly != 0; {
	case ro:
		return c.Refuse(s)
	case m.Unsure&world.MountReadOnly != 0, sb.FlagsAt&story.Missing != 0:
		s.Fact[0] = sb.FlagsAt
		c.Unknown(s)
	}
	return 0
}

// fill is ovl_fill_super, behind the capability.
func (l *layers) fill(c *check.Check, p world.Path) story.Errno {
	if l.unsure {
		return notModelled(c, p, "what overlayfs makes of its layers", story.ENOENT, story.ENOTDIR, story.EBUSY, story.EROFS, story.ELOOP, story.EPERM)
	}
	if err := l.resolve(c, p); err != 0 || l.unsure {
		return err
	}
	if l.n == 0 {
		return withoutLayer(c, p, "a lowerdir")
	}
	later := !parsesLayers(c)
	if l.hasUpper {
		if err := l.fillUpper(c, p, later); err != 0 {
			return err
		}
	} else if l.n == 1 {
		return withoutLayer(c, p, "a second lowerdir, as there is no upperdir")
	}
	return l.fillLower(c, later)
}

func withoutLayer(c *check.Check, p world.Path, what string) story.Errno {
	s := story.Step{Code: story.LayerMissing, Errno: story.EINVAL, Op: story.OpMount, Obj: p.Ref()}
	if c.Recording() {
		s.Val[0] = c.Word(what)
	}
	return c.Refuse(s)
}

// fillUpper is ovl_get_upper and ovl_get_workdir.
func (l *layers) fillUpper(c *check.Check, p world.Path, later bool) story.Errno {
	if !l.hasWork {
		return withoutLayer(c, p, "a workdir")
	}
	if later {
		if err := l.find(c, "upperdir", l.names[0], &l.upper); err != 0 {
			return err
		}
	}
	if err := cloneLayer(c, l.upper); err != 0 {
		return err
	}
	if err := l.inUse(c); err != 0 {
		return err
	}
	if later {
		if err := l.find(c, "workdir", l.names[1], &l.work); err != 0 {
			return err
		}
	}
	s := story.Step{Code: story.LayerWorkdir, Errno: story.EINVAL, Op: story.OpMount, Obj: l.work.Ref(), Fact: [3]story.Origin{c.W.FS.I(l.work.Dentry).At}}
	switch fs := c.W.FS; {
	case l.work.Mount != l.upper.Mount:
		s.Val[0] = c.Word("on another mount than upperdir")
		return c.Refuse(s)
	case within(fs, l.work.Dentry, l.upper.Dentry), within(fs, l.upper.Dentry, l.work.Dentry):
		s.Val[0] = c.Word("in upperdir, or the other way round")
		return c.Refuse(s)
	}
	if err := l.leftover(c); err != 0 {
		return err
	}
	return l.ownWork(c)
}

// ownWork is ovl_check_rename_whiteout: the mounter makes files in the directory work that it has just made, of mode 0.
func (l *layers) ownWork(c *check.Check) story.Errno {
	cr, ns := c.Cred, &c.W.UserNS[c.Cred.UserNS]
	if cr.Effective.Has(kernel.CapDacOverride) && ns.MapsUID(cr.FSUID) && ns.MapsGID(cr.FSGID) {
		return 0
	}
	if made, missing := l.worksIn(c); !made && !missing {
		return 0 // it is mounted read-only
	}
	s := story.Step{Code: story.OverlayMounter, Errno: story.EACCES, Op: story.OpCreate, Obj: l.work.Ref(), Fact: [3]story.Origin{cr.EffectiveAt, cr.UIDAt}, Val: [3]uint64{0, uint64(cr.FSUID)<<32 | uint64(cr.FSGID), uint64(cr.UserNS)}}
	if _, missing := l.worksIn(c); missing || !cr.EffectiveAt.Known() || !cr.UIDAt.Known() {
		c.Unknown(s)
		return 0
	}
	return c.Deny(s)
}

// leftover is ovl_workdir_cleanup: what is left in workdir of an earlier mount is removed, but names in incompat refuse the mount. One
// with volatile leaves such a name, as its upper layer may not be whole after a crash. Where work cannot be made anew the overlay is
// read-only, and nothing is looked at.
func (l *layers) leftover(c *check.Check) story.Errno {
	dir := l.work.Dentry
	for _, name := range []string{"work", "incompat"} {
		d, st := c.W.FS.Lookup(dir, name)
		ino := c.W.FS.I(d)
		switch {
		case st == world.Absent, st == world.Present && ino.Known&world.KnownType != 0 && !ino.Is(world.TypeDir):
			return 0
		case st != world.Present, ino.Known&world.KnownType == 0:
			c.Unknown(story.Step{Code: story.LayerVolatile, Errno: story.EINVAL, Op: story.OpMount, Obj: l.work.Ref(), Fact: [3]story.Origin{ino.At}})
			return 0
		}
		dir = d
	}
	names, all := c.W.FS.Names(dir)
	s := story.Step{Code: story.LayerVolatile, Errno: story.EINVAL, Op: story.OpMount, Obj: l.work.Ref(), Fact: [3]story.Origin{c.W.FS.I(dir).At}}
	if made, missing := l.worksIn(c); !made && !missing {
		return 0
	} else if missing || !all && len(names) == 0 {
		c.Unknown(s)
		return 0
	}
	if len(names) == 0 {
		return 0
	}
	s.Val[0] = c.Word(names[0])
	return c.Refuse(s)
}

// fillLower is ovl_get_lowerstack and ovl_check_overlapping_layers: no layer may be another one or lie in one, but that a lower
// one may hold upperdir and workdir.
func (l *layers) fillLower(c *check.Check, later bool) story.Errno {
	fs := c.W.FS
	if later {
		for i := range l.n {
			if err := l.find(c, "lowerdir", l.names[2+i], &l.lower[i]); err != 0 {
				return err
			}
		}
	}
	depth := 0
	for i := range l.n {
		depth = max(depth, stacked(fs, l.lower[i].Dentry))
	}
	if depth >= 2 { // FILESYSTEM_MAX_STACK_DEPTH
		return c.Refuse(story.Step{Code: story.LayerDepth, Errno: story.EINVAL, Op: story.OpMount, Obj: l.lower[0].Ref()})
	}
	for i := range l.n {
		at := l.lower[i].Dentry
		if l.hasUpper && (at == l.upper.Dentry || at == l.work.Dentry) || l.before(i, at) {
			return l.overlap(c, i)
		}
		if err := cloneLayer(c, l.lower[i]); err != 0 {
			return err
		}
	}
	if err := l.sameOrigin(c); err != 0 {
		return err
	}
	for i := range l.n {
		at := l.lower[i].Dentry
		if l.hasUpper && (within(fs, at, l.upper.Dentry) || within(fs, at, l.work.Dentry)) {
			return l.overlap(c, i)
		}
		for k := range l.n {
			if k != i && within(fs, at, l.lower[k].Dentry) {
				return l.overlap(c, i)
			}
		}
	}
	return 0
}

// before reports whether a layer is one that stands further up.
func (l *layers) before(i int, d world.DentryID) bool {
	for k := range i {
		if l.lower[k].Dentry == d {
			return true
		}
	}
	return false
}

func (l *layers) overlap(c *check.Check, i int) story.Errno {
	return c.Refuse(story.Step{Code: story.LayerOverlap, Errno: story.ELOOP, Op: story.OpMount, Obj: l.lower[i].Ref(), Fact: [3]story.Origin{c.W.FS.I(l.lower[i].Dentry).At}})
}

// cloneLayer is clone_private_mount: a layer is a mount of its own that nobody sees, as a bind mount would be made.
func cloneLayer(c *check.Check, p world.Path) story.Errno {
	m := mountsOf(c)
	if r := m.tree.MayCopy(&m.caller, p); r != (mount.Refusal{}) {
		return m.refused(r, p)
	}
	locksKnown(c, p, story.EINVAL)
	return 0
}

// within reports whether a directory is another one or lies in it, on the same filesystem.
func within(fs *world.FS, d, in world.DentryID) bool {
	for ; d != in; d = fs.D(d).Parent {
		if fs.D(d).Parent == d {
			return false
		}
	}
	return true
}

// stacked is s_stack_depth: how many overlays lie above each other.
func stacked(fs *world.FS, d world.DentryID) int {
	ov := fs.SBOf(d).Overlay
	if ov == nil {
		return 0
	}
	depth := 0
	for _, l := range ov.Lower {
		depth = max(depth, stacked(fs, l))
	}
	return depth + 1
}

// newOverlay makes the filesystem, once more from its options. ok is false where it is not known what its layers hold.
func newOverlay(c *check.Check, sb world.SB, data string) (id world.SBID, ok bool) {
	var l layers
	c.Mute()
	err := l.options(c, world.Path{}, data)
	if err == 0 {
		err = l.fill(c, world.Path{})
	}
	if c.Unmute() || err != 0 || l.unsure {
		return 0, false
	}
	fs := c.W.FS
	l.fallBack(c)
	ov := (&world.Overlay{Mounter: *c.Cred, UserXattr: l.userXattr, Redirect: world.Given(l.redirect == redirectOn, sb.At), NFSExport: world.Given(l.export, sb.At), NoFollow: l.redirect == redirectNone,
		Metacopy: l.metacopy, Index: l.index, Xino: l.xino}).Under(c.K)
	idmap := c.W.Mounts[l.lower[0].Mount].IDMap
	for i := range l.n {
		if i < l.n-l.data {
			ov.Lower, ov.Names = append(ov.Lower, l.lower[i].Dentry), append(ov.Names, l.names[2+i])
		} else {
			ov.DataOnly = append(ov.DataOnly, l.lower[i].Dentry)
		}
		if c.W.Mounts[l.lower[i].Mount].IDMap != idmap {
			return 0, false
		}
	}
	if idmap != 0 {
		ov.Shift, ov.ShiftUpper = c.W.UserNS[idmap].UIDs, true
	}
	if l.hasUpper {
		if c.W.Mounts[l.upper.Mount].IDMap != idmap {
			return 0, false
		}
		ov.Upper = l.upper.Dentry
		made, missing := l.worksIn(c)
		switch {
		case missing:
			sb.FlagsAt = c.W.Miss("whether overlayfs can make its directory in workdir is not known", "facts of workdir")
		case !made:
			sb.Flags |= world.SBReadOnly
		default:
			ino := world.Inode{SB: fs.I(l.work.Dentry).SB, Mode: world.TypeDir, UID: c.Cred.FSUID, GID: c.Cred.FSGID, Known: world.KnownAll, Whole: true, Nlink: 2, At: sb.At}
			overlay.OnDisk(ov, &ino)
			work := fs.Add(l.work.Dentry, "work", ino)
			if l.index {
				fs.Add(l.work.Dentry, "index", ino)
				overlay.Rooted(fs, ov)
			}
			if ov.Volatile = l.volatile; l.volatile { // ovl_create_volatile_dirty
				ino.Mode |= 0o700
				in := fs.Add(fs.Add(work, "incompat", ino), "volatile", ino)
				ino.Mode, ino.Nlink = world.TypeReg|0o600, 1
				fs.Add(in, "dirty", ino)
			}
		}
	}
	sb.Overlay = ov
	return overlay.Merger{}.NewOverlay(fs, sb), true
}

// worksIn reports whether overlayfs can make its directory in workdir as the mounter (ovl_workdir_create); without it the overlay
// is read-only.
func (l *layers) worksIn(c *check.Check) (made, missing bool) {
	c.Mute()
	err := mayCreate(c, l.work)
	return err == 0, c.Unmute()
}

// prepared tells of the directory that overlayfs makes.
func (l *layers) prepared(c *check.Check) {
	if !l.hasUpper || l.unsure || !c.Recording() {
		return
	}
	_, st := c.W.FS.Lookup(l.work.Dentry, "work")
	if made, missing := l.worksIn(c); made && !missing && st == world.Absent {
		c.Effect(story.Effect{Kind: "created", Path: strings.TrimSuffix(c.W.PathText(l.work), "/") + "/work"})
	}
}

//go:build linux

package live

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"syscallstory/from/files"
	"syscallstory/story"
	"syscallstory/world"
)

// overlay makes an overlay of its layers, whose paths the options of the superblock tell. It returns false where they cannot be found
// from here; then the merged files are read, and which layer serves them is not known.
func (b *builder) overlay(m *shown, sb *world.SB, s *superblock) bool {
	at := b.Suppose("whoever mounted "+sb.Name+" had every capability in "+b.UserNS[sb.UserNS].Name+"'s user namespace", "")
	root, _ := b.UserNS[sb.UserNS].UIDs.Down(0)
	group, _ := b.UserNS[sb.UserNS].GIDs.Down(0)
	mounter := world.Cred{RUID: world.KUID(root), EUID: world.KUID(root), SUID: world.KUID(root), FSUID: world.KUID(root), RGID: world.KGID(group), EGID: world.KGID(group),
		SGID: world.KGID(group), FSGID: world.KGID(group), Effective: world.AllCaps, Permitted: world.AllCaps, Bounding: world.AllCaps, UserNS: sb.UserNS,
		UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at}
	ov := (&world.Overlay{Mounter: mounter}).Under(b.Kernel)
	_, ov.UserXattr = m.superOption("userxattr")
	b.overlayOptions(m, ov, sb.FlagsAt)
	sb.Overlay = ov
	upper, lower, data := layerPaths(m.mountLine)
	layers := append(slices.Clone(lower), data...)
	if upper != "" {
		layers = append([]string{upper}, layers...)
	}
	var roots []world.DentryID
	for _, l := range layers {
		d, ok := b.layer(l, sb)
		if !ok {
			return false
		}
		roots = append(roots, d)
	}
	if len(lower) == 0 || b.p.o.Merger == nil {
		return false
	}
	if upper != "" {
		ov.Upper, roots = roots[0], roots[1:]
	}
	ov.Lower, ov.DataOnly, ov.Names = roots[:len(lower)], roots[len(lower):], lower
	s.id = b.p.o.Merger.NewOverlay(b.FS, *sb)
	s.eager = true
	made := b.FS.SB(s.id)
	made.Source = &merged{super: s.src, layers: made.Source}
	return true
}

// overlayOptions reads the options that lookup and copy-up depend on. The kernel prints those that differ from the module's
// parameters (ovl_show_options).
func (b *builder) overlayOptions(m *shown, ov *world.Overlay, at story.Origin) {
	said := func(option, parameter string) (string, bool) {
		if v, given := m.superOption(option); given {
			return v, true
		}
		text, err := os.ReadFile("/sys/module/overlay/parameters/" + parameter)
		if err != nil {
			return "off", false
		}
		if strings.TrimSpace(string(text)) == "Y" {
			return "on", true
		}
		return "off", true
	}
	how, _ := m.superOption("fsync") // later kernels show volatile as one of its values
	_, ov.Volatile = m.superOption("volatile")
	ov.Volatile = ov.Volatile || how == "volatile"
	mode, sure := said("redirect_dir", "redirect_dir")
	ov.NoFollow = mode == "nofollow" || ov.UserXattr
	if ov.Redirect = world.Given(mode == "on", at); !sure {
		ov.Redirect = world.Given(false, b.Suppose("overlayfs renames no directories of lower layers (redirect_dir is off, as by default)", ""))
	}
	flag := func(option, parameter string) bool {
		v, _ := said(option, parameter)
		return v == "on"
	}
	ov.NFSExport = world.Given(flag("nfs_export", "nfs_export"), at)
	ov.Metacopy, ov.Index, ov.Xino = flag("metacopy", "metacopy"), flag("index", "index"), flag("xino", "xino_auto")
}

// engineDirs are the engines that mount from the directory of all their layers, and give the lower ones relative to it: docker, which has
// short links to them, and containerd. The upper layer is two names below. Of any other path that is relative nothing says to what.
var engineDirs = []struct{ upper, lower *regexp.Regexp }{
	{regexp.MustCompile(`^/.*/overlay2/[^/]+/diff$`), regexp.MustCompile(`^l/[A-Z0-9]+$`)},
	{regexp.MustCompile(`^/.*/snapshots/[0-9]+/fs$`), regexp.MustCompile(`^[0-9]+/fs$`)},
}

// layerPaths returns the layers that an overlay was made of, the lower ones from the top, and those of them that hold data only.
func layerPaths(m *mountLine) (upper string, lower, data []string) {
	for opt := range strings.SplitSeq(m.super, ",") {
		key, val, _ := strings.Cut(opt, "=")
		switch val = unescape(val); key {
		case "upperdir":
			upper = unquote(val)
		case "lowerdir":
			val, only, has := strings.Cut(val, "::")
			lower = append(lower, splitLower(val)...)
			if has {
				for p := range strings.SplitSeq(only, "::") {
					data = append(data, unquote(p))
				}
			}
		case "lowerdir+":
			lower = append(lower, unquote(val))
		case "datadir+":
			data = append(data, unquote(val))
		}
	}
	for i, l := range lower {
		for _, e := range engineDirs {
			if e.lower.MatchString(l) && e.upper.MatchString(upper) {
				lower[i] = path.Join(upper, "../..", l)
			}
		}
	}
	return upper, lower, data
}

// splitLower splits lowerdir at the colons that are not quoted.
func splitLower(s string) (all []string) {
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ':':
			all = append(all, unquote(s[from:i]))
			from = i + 1
		}
	}
	return append(all, unquote(s[from:]))
}

func unquote(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// layer makes a filesystem of a layer's directory, as overlayfs sees it: alone, without what is mounted below.
func (b *builder) layer(dir string, of *world.SB) (world.DentryID, bool) {
	if !strings.HasPrefix(dir, "/") { // it was given relative to a directory that is not known
		return 0, false
	}
	// A link is followed, as by the mount (ovl_parse_layer): podman and docker give short ones.
	fd, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		fd, err = unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return 0, false
	}
	var st unix.Statx_t
	var fst unix.Statfs_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || unix.Fstatfs(fd, &fst) != nil {
		unix.Close(fd)
		return 0, false
	}
	b.p.layers = append(b.p.layers, fd)
	at := b.Text("the options of the overlay")
	sb := world.SB{Type: files.TypeOf(&fst), Name: dir, At: of.FlagsAt, FlagsAt: at, Room: files.RoomAt(fd, b.Text("statfs of "+dir))}
	if fst.Flags&unix.ST_RDONLY != 0 {
		sb.Flags |= world.SBReadOnly
	}
	src := &super{r: b.r, name: dir, fstype: sb.Type, shows: map[string][]*shown{"/": {{mountLine: &mountLine{root: "/", point: "/"}, fd: fd}}}, same: map[identity]world.InodeID{}, private: true}
	sb.Source = src
	id := b.FS.NewSB(sb, world.Inode{Pending: true})
	return b.FS.SB(id).Root, true
}

// merged merges layers, and holds what they give against what the mount itself shows: a path of the options may lead elsewhere by now.
type merged struct {
	*super
	layers world.Source
}

// Lookup merges a name.
func (m *merged) Lookup(fs *world.FS, dir world.DentryID, name string) (world.DentryID, world.State) {
	p := fs.Path(dir)
	if p != "/" {
		p += "/"
	}
	d, st := m.layers.Lookup(fs, dir, name)
	ino, _, err := m.super.read(p + name)
	there := world.Present
	switch {
	case st == world.Unsure:
		return d, st
	case err == unix.ENOENT:
		there = world.Absent
	case err != nil: // a mount covers it, or it cannot be read: the layers are all there is
		return d, st
	}
	if st != there || st == world.Present && !alike(fs.I(d), &ino) {
		at := m.r.w.Miss("the layers of "+m.name+" do not give what the mount shows at "+p+name, "")
		if st == world.Present {
			have := fs.I(d)
			*have = world.Inode{SB: have.SB, At: at}
			return d, world.Unsure
		}
		return fs.Add(dir, name, world.Inode{At: at}), world.Unsure
	}
	if st == world.Present {
		fs.I(d).Attr |= ino.Attr & (world.AttrExecuting | world.AttrMayRun)
	}
	return d, st
}

func alike(a, b *world.Inode) bool {
	both := a.Known & b.Known
	return (both&world.KnownPerm == 0 || a.Mode == b.Mode) && (both&world.KnownOwner == 0 || a.UID == b.UID && a.GID == b.GID) && (!a.Is(world.TypeLink) || a.Link == b.Link)
}

// List merges the names of the layers.
func (m *merged) List(fs *world.FS, dir world.DentryID) ([]string, bool) {
	l, ok := m.layers.(world.Lister)
	if !ok {
		return nil, false
	}
	return l.List(fs, dir)
}

// Read has nothing to fill in: names are merged when they are looked up.
func (m *merged) Read(*world.FS, world.DentryID) {}

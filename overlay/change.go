package overlay

import (
	"strings"

	"syscallstory/check"
	"syscallstory/world"
)

// The functions here change the upper layer of a world as overlayfs changes the real one, beside what the task sees.

// Names lists a directory as readdir does. One that is not merged is read as it is, its whiteouts too: they are names that no
// lookup finds (ovl_dir_is_real).
func Names(fs *world.FS, dir world.DentryID) (names []string, ok bool) {
	ino := fs.I(dir)
	ov := fs.SB(ino.SB).Overlay
	if ov == nil || len(ino.Layers) == 0 {
		return fs.Names(dir)
	}
	real := len(ino.Layers) == 1 && fs.D(dir).Parent != dir
	if real && ino.Layer == Upper {
		m := ov.MarksOf(fs.I(ino.Layers[0]))
		real = m == nil || !m.Traced
	}
	if real {
		return Names(fs, ino.Layers[0])
	}
	return mergedNames(fs, dir, true)
}

// mergedNames is ovl_dir_read_merged: what the layers list, without whiteouts and what they hide. Whiteouts that are attributes
// are told apart when a list is handed out only (ovl_iterate).
func mergedNames(fs *world.FS, dir world.DentryID, iterate bool) (names []string, ok bool) {
	ino := fs.I(dir)
	ov := fs.SB(ino.SB).Overlay
	seen := map[string]bool{}
	for i, l := range ino.Layers {
		all, ok := Names(fs, l)
		if !ok {
			return nil, false
		}
		for _, n := range all {
			if seen[n] {
				continue
			}
			seen[n] = true
			_, s := arena{fs, ov}.Look(l, n)
			if s.State == world.Absent || !s.Null && !(iterate && s.whiteout() && marked(fs, dir, i)) {
				names = append(names, n)
			}
		}
	}
	return names, true
}

// marked reports whether readdir looks for whiteouts that are attributes in a piece of a merged directory: it was seen to be
// opaque=x, which lookup does not ask of the last layer (ovl_lookup_single).
func marked(fs *world.FS, dir world.DentryID, piece int) bool {
	ino := fs.I(dir)
	ov := fs.SB(ino.SB).Overlay
	m := ov.MarksOf(fs.I(ino.Layers[piece]))
	if m == nil || m.Opaque != 'x' || ov.NoXattr || len(ov.Lower) == 0 {
		return false
	}
	last := ov.Lower[len(ov.Lower)-1]
	if above := fs.I(fs.D(dir).Parent).Layers; ov.NoFollow && len(above) > 0 {
		last = above[len(above)-1]
	}
	return fs.I(ino.Layers[piece]).SB != fs.I(last).SB
}

// Aliased reports whether a name is in the upper layer itself (ovl_dentry_has_upper_alias).
func Aliased(fs *world.FS, d world.DentryID) bool {
	dir, ino := fs.I(fs.D(d).Parent), fs.I(d)
	if dir.Layer != Upper || len(dir.Layers) == 0 || len(ino.Layers) == 0 {
		return false
	}
	up, st := fs.Lookup(dir.Layers[0], fs.D(d).Name)
	return st == world.Present && fs.D(up).Inode == fs.D(ino.Layers[0]).Inode
}

// upperOf returns the upper layer's directory of a merged one, 0 if it has none.
func upperOf(fs *world.FS, dir world.DentryID) world.DentryID {
	ino := fs.I(dir)
	if ino.Layer != Upper || len(ino.Layers) == 0 {
		return 0
	}
	return ino.Layers[0]
}

// setMarks changes the marks of an object of the upper layer.
func setMarks(fs *world.FS, ov *world.Overlay, real world.DentryID, change func(*world.Marks)) {
	if ov.Unmarked() {
		return
	}
	m := world.Marks{}
	if old := ov.MarksOf(fs.I(real)); old != nil {
		m = *old
	}
	change(&m)
	if ov.UserXattr {
		fs.I(real).UserMarks = &m
	} else {
		fs.I(real).Marks = &m
	}
}

// merged is ovl_type_merge: a directory of several layers, or a file whose data is in another one than its attributes.
func merged(ino *world.Inode) bool {
	if ino.Is(world.TypeDir) {
		return len(ino.Layers) > 1
	}
	return ino.Layer == Upper && ino.Data != 0
}

// Copied puts a copy into the upper layer (ovl_copy_up_one); a directory above has been copied before.
func Copied(fs *world.FS, cp check.Copied) {
	d := cp.Path.Dentry
	dentry, now := *fs.D(d), *fs.I(d)
	ov := fs.SB(now.SB).Overlay
	up := world.DentryID(0)
	if dentry.Parent != d {
		up = upperOf(fs, dentry.Parent)
	}
	if now.Layer == Upper {
		if now.Data != 0 && cp.What != check.CopyAttributes {
			setMarks(fs, ov, now.Layers[0], func(m *world.Marks) { m.Metacopy = false })
			fs.I(now.Layers[0]).Handle = fs.I(now.Data).Handle
			fs.I(d).Data, fs.I(d).DataPath = 0, ""
		}
		if now.Indexed && up != 0 && !Aliased(fs, d) { // ovl_link_up
			link(fs, up, dentry.Name, now.Layers[0])
		}
		return
	}
	lower := world.DentryID(0)
	if len(now.Layers) > 0 {
		lower = now.Layers[0]
	}
	dir := now.Is(world.TypeDir)
	real := now
	real.Layer, real.Layers, real.Whole, real.Data, real.DataPath, real.Behind, real.Indexed = 0, nil, dir, 0, "", 0, false
	real.Marks, real.UserMarks = nil, nil
	real.Dense, real.Blank = now.Dense && !cp.Attributes, cp.Attributes
	OnDisk(ov, &real)
	keep := dir || now.Nlink == 1 || now.Indexed
	if holder := now.Data; holder == 0 && lower != 0 {
		real.Handle = fs.I(lower).Handle
	} else if holder != 0 {
		real.Handle = fs.I(holder).Handle // it holds what the lower file holds
	}
	if real.Nlink = 1; dir || now.Indexed { // the index has a name of it, too
		real.Nlink = 2
	}
	if now.Layer = Upper; up != 0 {
		real.SB = fs.I(up).SB
		if removed(fs, d) { // the copy takes the place of what is there, which lookups then find
			drop(fs, up, dentry.Name)
			fs.Forget(dentry.Parent, dentry.Name)
		}
		copied := fs.Add(up, dentry.Name, real)
		if cp.Attributes || keep {
			setMarks(fs, ov, copied, func(m *world.Marks) {
				m.Metacopy, m.Traced = cp.Attributes, keep
				if keep && lower != 0 && decodes(fs, ov, lower) {
					m.Origin = lower
				}
			})
		}
		if now.Indexed {
			ov.Indexes = append(ov.Indexes, world.Index{Lower: fs.D(lower).Inode, Upper: copied, Nlink: now.Nlink})
		}
		if dir {
			now.Layers = append([]world.DentryID{copied}, now.Layers...)
		} else {
			now.Layers = []world.DentryID{copied}
		}
	}
	switch {
	case !cp.Attributes:
		now.Data, now.DataPath = 0, ""
	case now.Data == 0:
		now.Data = lower
	}
	now.Behind = lower
	if !dir && !now.Indexed {
		now.Nlink = 1
	}
	*fs.I(d) = now
}

// Spilt keeps that a copy without room has left some of its data in the upper layer's file, which had attributes only.
func Spilt(fs *world.FS, p world.Path) {
	if ino := fs.I(p.Dentry); ino.Layer == Upper && len(ino.Layers) > 0 {
		fs.I(ino.Layers[0]).Blank = false
	}
}

// Rooted keeps on the root of an upper layer which lower one it belongs to, as a mount with index=on does (ovl_get_indexdir).
func Rooted(fs *world.FS, ov *world.Overlay) {
	setMarks(fs, ov, ov.Upper, func(m *world.Marks) { m.Traced, m.Origin = true, ov.Lower[0] })
}

// decodes reports whether the handle of a lower object is kept and read (ovl_can_decode_fh): an overlay's files have none by
// themselves, a user namespace's root may not read them, and user.* attributes are for files and directories only.
func decodes(fs *world.FS, ov *world.Overlay, lower world.DentryID) bool {
	ino := fs.I(lower)
	return fs.SB(ino.SB).Overlay == nil && ov.Mounter.UserNS == 0 && (!ov.UserXattr || ino.Is(world.TypeReg) || ino.Is(world.TypeDir))
}

// link gives an upper file another name.
func link(fs *world.FS, dir world.DentryID, name string, real world.DentryID) {
	fs.Link(dir, name, fs.D(real).Inode)
	fs.I(real).Nlink++
}

// whited reports whether the upper layer has a whiteout at a name.
func whited(fs *world.FS, ov *world.Overlay, up world.DentryID, name string) bool {
	d, st := fs.Lookup(up, name)
	if st != world.Present {
		return false
	}
	_, s := arena{fs, ov}.Look(up, name)
	return d != 0 && s.whiteout()
}

// Created puts a new file into the upper layer and returns its inode as the overlay has it (ovl_create_upper,
// ovl_create_over_whiteout).
func Created(fs *world.FS, dir world.DentryID, name string, ino world.Inode) world.Inode {
	up := upperOf(fs, dir)
	if ino.Layer = Upper; up == 0 {
		return ino
	}
	ov := fs.SBOf(dir).Overlay
	over := whited(fs, ov, up, name)
	real := ino
	real.Layer, real.SB = 0, fs.I(up).SB
	OnDisk(ov, &real)
	made := fs.Add(up, name, real)
	if ino.Is(world.TypeDir) && (over || len(fs.I(dir).Layers) > 1 && !offline(ov)) {
		setMarks(fs, ov, made, func(m *world.Marks) { m.Opaque = 'y' })
	}
	ino.Layers = []world.DentryID{made}
	return ino
}

// offline is ovl_allow_offline_changes: none of the features is used that do not bear lower layers that change.
func offline(ov *world.Overlay) bool {
	return !ov.Index && !ov.Metacopy && !ov.Redirect.V && !ov.Xino
}

// Linked gives a file of the upper layer another name (ovl_link). What has only attributes there says where its data is. The
// name is looked up anew: it has the inode of the first one only if the handle of the lower file leads there.
func Linked(fs *world.FS, src, dir world.DentryID, name string) world.DentryID {
	ino := fs.I(src)
	up := upperOf(fs, dir)
	if count(fs, ino, 1); up == 0 || ino.Layer != Upper || len(ino.Layers) == 0 {
		return fs.Link(dir, name, fs.D(src).Inode)
	}
	if merged(ino) {
		redirect(fs, src, false)
	}
	real := ino.Layers[0]
	link(fs, up, name, real)
	ov := fs.SB(ino.SB).Overlay
	marks := ov.MarksOf(fs.I(real))
	if ino.Behind == 0 || ino.Indexed || fs.I(ino.Behind).Nlink > 1 || marks != nil && marks.Origin != 0 || ino.Data != 0 {
		return fs.Link(dir, name, fs.D(src).Inode)
	}
	key := fs.D(real).Inode
	s, ok := fs.SB(ino.SB).Source.(*layered)
	if ok && s.same[key] != 0 {
		return fs.Link(dir, name, s.same[key])
	}
	own := *ino
	own.Behind = 0
	d := fs.Add(dir, name, own)
	if ok {
		s.same[key] = fs.D(d).Inode
	}
	return d
}

// Removed takes a name away: from the upper layer, and where a lower one has it a whiteout takes its place (ovl_do_remove).
func Removed(fs *world.FS, d world.DentryID, unseen bool) {
	dir, name := fs.D(d).Parent, fs.D(d).Name
	up := upperOf(fs, dir)
	if count(fs, fs.I(d), -1); up == 0 {
		return
	}
	below := unseen || lowerPositive(fs, d)
	drop(fs, up, name)
	if below {
		whiteout(fs, fs.SBOf(dir).Overlay, up, name)
	}
}

// count changes how many names a file has. That of an indexed one is kept with its copy.
func count(fs *world.FS, ino *world.Inode, by int32) {
	if ino.Is(world.TypeDir) || by < 0 && ino.Nlink == 0 {
		return
	}
	ino.Nlink = uint32(int32(ino.Nlink) + by)
	if ino.Indexed && ino.Behind != 0 {
		if x := fs.SB(ino.SB).Overlay.IndexOf(fs.D(ino.Behind).Inode); x != nil {
			x.Nlink = ino.Nlink
		}
	}
}

// drop takes a name out of the upper layer.
func drop(fs *world.FS, up world.DentryID, name string) {
	if real, st := fs.Lookup(up, name); st == world.Present {
		if ino := fs.I(real); !ino.Is(world.TypeDir) && ino.Nlink > 0 {
			ino.Nlink--
		}
	}
	fs.Remove(up, name)
}

// whiteout puts one into the upper layer, as the mounter (ovl_whiteout).
func whiteout(fs *world.FS, ov *world.Overlay, up world.DentryID, name string) {
	cr := &ov.Mounter
	fs.Add(up, name, world.Inode{Mode: world.TypeChar, UID: cr.FSUID, GID: cr.FSGID, Known: world.KnownAll, Nlink: 1, Whited: true, SB: fs.I(up).SB, At: fs.I(up).At})
}

// lowerPositive is ovl_lower_positive: whether a lower layer shows something at the name.
func lowerPositive(fs *world.FS, d world.DentryID) bool {
	dir := fs.D(d).Parent
	if !Aliased(fs, d) && fs.I(d).Layer != Upper {
		return true
	}
	ov := fs.SBOf(dir).Overlay
	for _, l := range lowerOf(fs.I(dir)) {
		if _, s := (arena{fs, ov}).Look(l, fs.D(d).Name); s.State != world.Absent {
			return !s.whiteout()
		}
	}
	return false
}

// lowerOf returns the lower directories of a merged one.
func lowerOf(dir *world.Inode) []world.DentryID {
	if dir.Layer == Upper && len(dir.Layers) > 0 {
		return dir.Layers[1:]
	}
	return dir.Layers
}

// Moved is what ovl_rename leaves in the upper layer: the source's marks, a whiteout at the old name where a lower layer has
// it. Both objects and directories have been copied up. The merged names are moved by the caller, afterwards.
func Moved(fs *world.FS, r check.Removed, dir world.DentryID, name string) {
	d, exchange := r.Path.Dentry, r.Exchange
	from := fs.D(d).Parent
	oldName := fs.D(d).Name
	oldUp, newUp := upperOf(fs, from), upperOf(fs, dir)
	if oldUp == 0 || newUp == 0 {
		return
	}
	same := from == dir
	below := exchange == 0 && (r.Unseen || lowerPositive(fs, d))
	carry(fs, d, dir, same)
	if exchange != 0 {
		carry(fs, exchange, from, same)
	} else if t := fs.Known(dir, name); t != 0 {
		count(fs, fs.I(t), -1)
	}
	real, _ := fs.Lookup(oldUp, oldName)
	other, st := fs.Lookup(newUp, name)
	swapped := exchange == 0 && st == world.Present && fs.I(other).Whited
	if exchange == 0 && st == world.Present {
		drop(fs, newUp, name)
	}
	fs.Remove(oldUp, oldName)
	if real != 0 {
		fs.Move(real, newUp, name)
	}
	switch {
	case exchange != 0 && other != 0:
		fs.Move(other, oldUp, oldName)
	case below && swapped: // the whiteout that was at the new name
		fs.Move(other, oldUp, oldName)
	case below:
		whiteout(fs, fs.SBOf(from).Overlay, oldUp, oldName)
		if up := fs.I(oldUp); up.Mode&0o2000 != 0 { // the layer's filesystem makes it, in that directory (RENAME_WHITEOUT)
			fs.I(fs.Known(oldUp, oldName)).GID = up.GID
		}
	}
}

// Carry leaves the marks of a rename that fails afterwards, as its target holds something.
func Carry(fs *world.FS, d, to world.DentryID) { carry(fs, d, to, fs.D(d).Parent == to) }

// carry marks an object that moves to a directory: what is merged says where the rest of it is, what is not must not be merged
// with what it may find there.
func carry(fs *world.FS, d, to world.DentryID, same bool) {
	ino := fs.I(d)
	ov := fs.SB(ino.SB).Overlay
	switch {
	case merged(ino):
		redirect(fs, d, same)
	case ino.Is(world.TypeDir) && len(fs.I(to).Layers) > 1 && len(ino.Layers) > 0:
		setMarks(fs, ov, ino.Layers[0], func(m *world.Marks) { m.Opaque = 'y' })
	}
}

// redirect is ovl_set_redirect.
func redirect(fs *world.FS, d world.DentryID, same bool) {
	ino := fs.I(d)
	ov := fs.SB(ino.SB).Overlay
	absolute := !same || !ino.Is(world.TypeDir) && ino.Behind != 0 && fs.I(ino.Behind).Nlink > 1
	if have := redirectOf(fs, d); have != "" && (!absolute || have[0] == '/') {
		return
	}
	to := fs.D(d).Name
	if absolute {
		to = Redirect(fs, d)
	}
	setMarks(fs, ov, ino.Layers[0], func(m *world.Marks) { m.Redirect = to })
}

// redirectOf is the redirect of the upper layer's object.
func redirectOf(fs *world.FS, d world.DentryID) string {
	ino := fs.I(d)
	if ino.Layer != Upper || len(ino.Layers) == 0 {
		return ""
	}
	if m := fs.SB(ino.SB).Overlay.MarksOf(fs.I(ino.Layers[0])); m != nil {
		return m.Redirect
	}
	return ""
}

// Redirect is ovl_get_redirect: the path from the overlay's root that lower layers know an object by.
func Redirect(fs *world.FS, d world.DentryID) string {
	path := ""
	for ; fs.D(d).Parent != d; d = fs.D(d).Parent {
		name := redirectOf(fs, d)
		if name == "" {
			name = fs.D(d).Name
		}
		if strings.HasPrefix(name, "/") {
			return name + path
		}
		path = "/" + name + path
	}
	return path
}

// RedirectMax is the longest path that a redirect may hold (redirect_max, a parameter of the module).
const RedirectMax = 256

// Identity says whose number stat shows for an object (ovl_getattr): a real object's; device is that of the overlay, or that of
// the layer real is in. volatile: a number that lasts as long as the inode.
func Identity(fs *world.FS, d world.DentryID, sameFS bool) (real world.DentryID, layer bool, volatile bool) {
	ino := fs.I(d)
	if len(ino.Layers) == 0 {
		return 0, false, true
	}
	dir := ino.Is(world.TypeDir)
	real = ino.Layers[0]
	if ino.Behind != 0 && (dir || ino.Indexed || fs.I(ino.Behind).Nlink == 1) {
		real = ino.Behind
	}
	switch {
	case sameFS:
		return real, false, false
	case dir:
		return 0, false, true
	}
	return real, true, false
}

package overlay

import (
	"slices"

	"syscallstory/world"
)

// Merger makes overlay filesystems for an input that builds a world.
type Merger struct{}

// NewOverlay adds an overlay of the layers that sb.Overlay names. Its root merges theirs.
func (Merger) NewOverlay(fs *world.FS, sb world.SB) world.SBID {
	ov := sb.Overlay
	var layers []world.DentryID
	if ov.Upper != 0 {
		layers = append(layers, ov.Upper)
	} else {
		sb.Flags |= world.SBReadOnly
	}
	layers = append(layers, ov.Lower...)
	sb.Type = "overlay"
	src := &layered{ov: ov, same: map[world.InodeID]world.InodeID{}}
	sb.Source = src
	root := *fs.I(layers[0])
	root.Layers, root.Layer, root.Whole, root.Marks, root.UserMarks = layers, src.layer(fs, layers[0]), false, nil, nil
	if ov.Upper != 0 && len(ov.Lower) > 0 {
		root.Behind = ov.Lower[0]
	}
	src.shift(&root)
	return fs.NewSB(sb, root)
}

// layered is the Source that merges layers.
type layered struct {
	ov   *world.Overlay
	same map[world.InodeID]world.InodeID // overlay's inodes by the layer's that stands for them (ovl_iget5)
}

// Upper is the number of the upper layer in an inode; the lower layers follow from the top.
const Upper = 1

// layer numbers the layer that a real object belongs to: the one whose directory is nearest above it.
func (s *layered) layer(fs *world.FS, real world.DentryID) uint8 { return layerOf(fs, s.ov, real) }

func layerOf(fs *world.FS, ov *world.Overlay, real world.DentryID) uint8 {
	for d := real; ; d = fs.D(d).Parent {
		if d == ov.Upper {
			return Upper
		}
		for i, l := range ov.Lower {
			if d == l {
				return uint8(i) + Upper + 1
			}
		}
		if fs.D(d).Parent == d {
			return 0
		}
	}
}

// arena reads layers that are filesystems of a world.
type arena struct {
	fs *world.FS
	ov *world.Overlay
}

// Look finds a name in a directory of a layer.
func (a arena) Look(dir world.DentryID, name string) (world.DentryID, Sight) {
	d, st := a.fs.Lookup(dir, name)
	if st != world.Present {
		return d, Sight{State: st}
	}
	ino := a.fs.I(d)
	s := Sight{State: st, Type: ino.Type(), Null: ino.Whited, Size: ino.Size, NoType: ino.Known&world.KnownType == 0}
	if m := a.ov.MarksOf(ino); m != nil {
		s.Marks = *m
		s.Marks.Whiteout = a.ov.WhiteoutMark(m)
	}
	s.Loop = s.Type == world.TypeDir && (d == a.ov.Upper || slices.Contains(a.ov.Lower, d))
	return d, s
}

// pieces are a merged directory's, numbered as Lookup wants them.
func (s *layered) pieces(fs *world.FS, dir world.DentryID) []Piece[world.DentryID] {
	layers := fs.I(dir).Layers
	out := make([]Piece[world.DentryID], len(layers))
	for i, l := range layers {
		out[i] = Piece[world.DentryID]{int(s.layer(fs, l)) - Upper, l}
	}
	return out
}

// Lookup merges a name.
func (s *layered) Lookup(fs *world.FS, dir world.DentryID, name string) (world.DentryID, world.State) {
	pieces := s.pieces(fs, dir)
	if len(pieces) == 0 {
		return 0, world.Unsure
	}
	o := Options{NoFollow: s.ov.NoFollow, Metacopy: s.ov.Metacopy, Late: s.ov.Late}
	f := Lookup(Layers[world.DentryID](arena{fs, s.ov}), o, s.ov.Lower, s.ov.DataOnly, pieces, name)
	switch {
	case f.Unsure && len(f.Pieces) == 0: // it is this layer that does not tell
		return fs.Add(dir, name, world.Inode{At: fs.I(f.UnsureAt).At}), world.Unsure
	case f.Unsure && f.Dir: // whether more is merged is not known
		d, _ := fs.Lookup(f.UnsureAt, name)
		f.Pieces = append(f.Pieces, Piece[world.DentryID]{-1, d})
	case f.Errno != 0:
		return fs.Add(dir, name, world.Inode{At: fs.I(pieces[0].At).At, Fault: f.Errno}), world.Present
	case len(f.Pieces) == 0:
		return 0, world.Absent
	}
	return s.add(fs, dir, name, &f)
}

// add gives a name its inode: a new one, or that of another name of the same file (ovl_get_inode).
func (s *layered) add(fs *world.FS, dir world.DentryID, name string, f *Found[world.DentryID]) (world.DentryID, world.State) {
	first := f.Pieces[0].At
	ino := *fs.I(first)
	sb := fs.I(dir).SB
	ino.SB, ino.Layer, ino.Whole = sb, s.layer(fs, first), false
	ino.Layers, ino.Behind, ino.Data, ino.DataPath, ino.Indexed = nil, 0, 0, "", false
	for _, p := range f.Pieces {
		ino.Layers = append(ino.Layers, p.At)
	}
	upper := ino.Layer == Upper
	lower := world.DentryID(0)
	switch marks := s.ov.MarksOf(&ino); {
	case !upper:
		lower = first
	case f.Dir && len(ino.Layers) > 1:
		lower = ino.Layers[1]
	case f.Lower != nil:
		lower = f.Lower.At
	case !f.Dir && marks != nil:
		lower = marks.Origin
	}
	if upper {
		ino.Behind = lower
	}
	if f.Data != nil {
		ino.Data = f.Data.At
	}
	ino.Marks, ino.UserMarks = nil, nil // the overlay hides its own
	ino.Attr &^= world.AttrExecuting    // it is the layer's inode that is executed, not this one
	if ino.DataPath = f.DataPath; f.NoData != 0 {
		ino.Data = first
	}
	s.shift(&ino)
	key := fs.D(first).Inode
	switch links := lower != 0 && !f.Dir && (fs.I(lower).Nlink > 1 || s.ov.IndexAll()); {
	case links && s.ov.Index && s.ov.Upper != 0:
		ino.Indexed = true
		key = fs.D(lower).Inode
		if x := s.ov.IndexOf(key); x != nil && s.same[key] == 0 {
			s.indexed(fs, &ino, x, lower)
		}
	case links && s.ov.Upper != 0 && !upper: // a link that a copy will break (ovl_hash_bylower)
		return fs.Add(dir, name, ino), world.Present
	}
	if known, ok := s.same[key]; ok && !f.Dir {
		return fs.Link(dir, name, known), world.Present
	}
	d := fs.Add(dir, name, ino)
	if !f.Dir && ino.Nlink > 1 {
		s.same[key] = fs.D(d).Inode
	}
	return d, world.Present
}

// indexed makes an inode that of the copy which the index holds: another name of the lower file was copied up
// (ovl_lookup_index).
func (s *layered) indexed(fs *world.FS, ino *world.Inode, x *world.Index, lower world.DentryID) {
	data, sb := ino.Data, ino.SB
	*ino = *fs.I(x.Upper)
	ino.SB, ino.Layer, ino.Layers, ino.Behind, ino.Indexed, ino.Nlink = sb, Upper, []world.DentryID{x.Upper}, lower, true, x.Nlink
	if fs.I(lower).Nlink == 1 { // ovl_get_nlink counts the index's own name then, on 6.1.192 and 6.18.44
		ino.Nlink = fs.I(x.Upper).Nlink
	}
	if m := s.ov.MarksOf(ino); m != nil && m.Metacopy {
		if ino.Data = data; data == 0 {
			ino.Data = lower
		}
	}
	ino.Marks, ino.UserMarks = nil, nil
}

// List merges the names of a directory's layers.
func (s *layered) List(fs *world.FS, dir world.DentryID) ([]string, bool) {
	var all []string
	for _, l := range fs.I(dir).Layers {
		names, ok := fs.Names(l)
		if !ok {
			return nil, false
		}
		all = append(all, names...)
	}
	return all, len(fs.I(dir).Layers) > 0
}

// shift gives a lower object the ids that the map of its layer's mount shows (ovl_copyattr, ovl_idmap_posix_acl).
func (s *layered) shift(ino *world.Inode) {
	if s.ov.Shift == nil || ino.Layer == Upper && !s.ov.ShiftUpper {
		return
	}
	uid, _ := s.ov.Shift.Down(uint32(ino.UID))
	gid, _ := s.ov.Shift.Down(uint32(ino.GID))
	ino.UID, ino.GID = world.KUID(uid), world.KGID(gid)
	if ino.Caps != nil && ino.Caps.Version == 3 { // ovl's reading goes through the layer's mount (cap_inode_getsecurity)
		caps := *ino.Caps
		root, _ := s.ov.Shift.Down(uint32(caps.Root))
		caps.Root = world.KUID(root)
		ino.Caps = &caps
	}
	ino.ACL = slices.Clone(ino.ACL)
	for i := range ino.ACL {
		if e := &ino.ACL[i]; e.Tag == world.ACLUser || e.Tag == world.ACLGroup {
			e.ID, _ = s.ov.Shift.Down(e.ID)
		}
	}
}

// OnDisk gives what is made in the upper layer the ids that its filesystem keeps: the layer's mount may map them.
func OnDisk(ov *world.Overlay, ino *world.Inode) {
	if ov.Shift == nil || !ov.ShiftUpper {
		return
	}
	uid, _ := ov.Shift.Up(uint32(ino.UID))
	gid, _ := ov.Shift.Up(uint32(ino.GID))
	ino.UID, ino.GID = world.KUID(uid), world.KGID(gid)
}

// LayerName names a layer in the words of the mount.
func LayerName(ov *world.Overlay, layer uint8) string {
	switch i := int(layer) - Upper - 1; {
	case layer == Upper:
		return "the upper layer"
	case i >= 0 && i < len(ov.Names):
		return "lower layer " + ov.Names[i]
	}
	return "a layer that is not known"
}

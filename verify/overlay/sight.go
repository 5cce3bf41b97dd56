package overlay

import (
	"fmt"
	"slices"
	"strings"

	"syscallstory/check"
	mech "syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// look says what lstat says of a path; ok is false where links are in the way.
func (b *model) look(p string) (s sight, ok bool) {
	if end := b.stat(p); !end.Sure {
		return s, false
	} else if end.Verdict == story.Denied {
		return sight{errno: end.Errno}, true
	}
	d := b.root
	for _, part := range strings.Split(p, "/") {
		ino := b.FS.I(d)
		switch {
		case ino.Is(world.TypeLink):
			return s, false
		case !ino.Is(world.TypeDir):
			return sight{errno: story.ENOTDIR}, true
		}
		next, st := b.FS.Lookup(d, part)
		switch {
		case st == world.Absent:
			return sight{errno: story.ENOENT}, true
		case st == world.Unsure:
			return s, false
		case b.FS.I(next).Fault != 0:
			return sight{errno: b.FS.I(next).Fault}, true
		}
		d = next
	}
	return b.sight(d), true
}

// stat judges lstat of a path.
func (b *model) stat(p string) check.End {
	call, err := syscalls.Parse(syscalls.X8664, fmt.Sprintf("lstat(%q, 0x1000)", p))
	if err != nil {
		return check.End{}
	}
	return b.judge.Verdict(call)
}

// may reports whether the root of a user namespace may make a call that changes nothing: what the mounter may not do is a matter
// of the area gates.
func (b *model) may(format, p string) bool {
	if !b.scene.User {
		return true
	}
	call, err := syscalls.Parse(syscalls.X8664, fmt.Sprintf(format, p))
	if err != nil {
		return false
	}
	end := b.judge.Verdict(call)
	return end.Sure && end.Verdict == story.Allowed
}

// sight is what lstat says of a name that is there.
func (b *model) sight(d world.DentryID) sight {
	ino := b.FS.I(d)
	if ino.Layer == mech.Upper && !ino.Indexed && !ino.Is(world.TypeDir) { // ovl_getattr asks the layer
		real := *b.FS.I(ino.Layers[0])
		real.Layers, real.Behind, real.Layer = ino.Layers, ino.Behind, ino.Layer
		ino = &real
	}
	s := sight{mode: ino.Mode, uid: b.shown(uint32(ino.UID)), gid: b.shown(uint32(ino.GID)), nlink: ino.Nlink, dev: "the overlay"}
	if ino.Is(world.TypeReg) || ino.Is(world.TypeLink) {
		s.size = ino.Size
	}
	// Whether the index's own name is counted differs: 6.1.192 and 6.18.44 do once the file is looked up anew, 6.12.117 does not.
	if ino.Indexed && ino.Behind != 0 && b.FS.I(ino.Behind).Nlink == 1 {
		s.nlink = 0
	}
	if ino.Is(world.TypeDir) {
		if s.nlink = 0; len(ino.Layers) > 1 {
			s.nlink = 1
		}
	}
	unified := !b.scene.Separate && !b.scene.Nested || b.ov.Xino
	real, layer, volatile := mech.Identity(b.FS, d, unified)
	if layer {
		s.dev = fmt.Sprintf("filesystem %d", b.FS.I(real).SB)
	}
	if !volatile {
		s.ino = fmt.Sprintf("inode %d", b.FS.D(real).Inode)
	}
	return s
}

// shown is an id as the task sees it.
func (b *model) shown(id uint32) uint32 {
	if !b.scene.User {
		return id
	}
	if id >= 1000 && id < 1002 {
		return id - 1000
	}
	return 65534
}

// end says what is there when the overlay is unmounted.
func (b *model) end(to *mounting) {
	b.tree(b.root, "", &to.merged, true)
	if to.upper >= 0 {
		b.tree(b.layers[to.upper], "", &to.real, false)
	}
}

// tree lists what lies below a directory.
func (b *model) tree(d world.DentryID, at string, all *[]object, merged bool) {
	fs := b.FS
	o := object{path: at, blocks: -1}
	ino := *fs.I(d)
	if ino.Fault != 0 {
		o.errno = ino.Fault
		*all = append(*all, o)
		return
	}
	if merged {
		o.sight = b.sight(d)
	} else {
		o.sight = sight{mode: ino.Mode, uid: uint32(ino.UID), gid: uint32(ino.GID)}
		if ino.Is(world.TypeReg) || ino.Is(world.TypeLink) {
			o.size = ino.Size
		}
		o.marks = b.marks(&ino)
	}
	for _, x := range ino.Xattrs {
		if x.Name == "user.x" || x.Name == "user.y" {
			o.xattr += x.Name
		}
	}
	if len(o.xattr) > 6 {
		o.xattr = "user.xuser.y"
	}
	if at == "" {
		o.ino = ""
	}
	switch {
	case ino.Is(world.TypeLink):
		o.data = ino.Link
	case ino.Is(world.TypeReg):
		real := d
		if merged {
			if real = ino.Layers[0]; ino.Data != 0 {
				real = ino.Data
			}
			for fs.SBOf(real).Overlay != nil {
				if in := fs.I(real); in.Data != 0 {
					real = in.Data
				} else {
					real = in.Layers[0]
				}
			}
		}
		if o.data = b.held(real).data; ino.Data == 0 {
			o.data = resize(o.data, o.size)
		}
		o.unread = merged && (ino.Data == ino.Layers[0] || !b.may("open(%q, O_RDONLY)", "."+at))
		if m := b.ov.MarksOf(&ino); !merged && m != nil && m.Metacopy && ino.Blank {
			o.data, o.blocks = strings.Repeat("\x00", int(o.size)), 0
		} else if !merged {
			o.blocks = b.held(real).blocks()
		}
	case ino.Is(world.TypeDir):
		if o.names, _ = fs.Names(d); merged {
			o.names, _ = mech.Names(fs, d)
		}
		slices.Sort(o.names)
		if merged { // a name that no lookup finds may be listed, or not, by what readdir wants to know of its number
			for _, n := range o.names {
				if end := b.stat("." + at + "/" + n); !end.Sure || end.Verdict == story.Denied {
					o.ignore = append(o.ignore, n)
					o.unread = o.unread || !end.Sure || end.Errno != story.ENOENT // readdir fails where it looks that one up (ovl_cache_update)
				}
			}
		}
		o.unread = o.unread || merged && !(b.may("open(%q, O_RDONLY|O_DIRECTORY)", "."+at) && b.mounterReads(ino.Layers))
		*all = append(*all, o)
		for _, n := range o.names {
			child, st := fs.Lookup(d, n)
			if merged {
				switch end := b.stat("." + at + "/" + n); {
				case !end.Sure:
					continue
				case end.Verdict == story.Denied:
					*all = append(*all, object{path: at + "/" + n, sight: sight{errno: end.Errno}, blocks: -1})
					continue
				}
			}
			if st == world.Present {
				b.tree(child, at+"/"+n, all, merged)
			}
		}
		return
	}
	*all = append(*all, o)
}

// mounterReads reports whether the mounter may read directories of layers, all of which readdir opens.
func (b *model) mounterReads(layers []world.DentryID) bool {
	for _, l := range layers {
		i := b.FS.I(l)
		bits := i.Mode & 7
		switch {
		case !b.scene.User || i.UID/2 == 500 && i.GID/2 == 500:
			continue
		case i.UID == 1000:
			bits = i.Mode >> 6
		case i.GID == 1000:
			bits = i.Mode >> 3
		}
		if bits&4 == 0 {
			return false
		}
	}
	return true
}

// marks prints the overlay's own attributes of an object.
func (b *model) marks(ino *world.Inode) string {
	m := ino.Marks
	if sets[b.scene.Set].userxattr {
		m = ino.UserMarks
	}
	if m == nil {
		return ""
	}
	out := ""
	if m.Opaque != 0 {
		out += " opaque=" + string(m.Opaque)
	}
	if m.Redirect != "" {
		out += " redirect=" + m.Redirect
	}
	if m.Metacopy {
		out += " metacopy"
	}
	if m.Whiteout {
		out += " whiteout"
	}
	return out
}

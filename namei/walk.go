// Package namei is the kernel's path lookup (fs/namei.c): from a string and a starting place to a mount and a name in it,
// component by component, with the search permission, the mounts that are crossed, the links that are followed, and each
// limit, in the kernel's order.
package namei

import (
	"strings"

	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/world"
)

// Walk is one lookup under way, the kernel's struct nameidata. The zero Walk is ready for Init.
type Walk struct {
	Path     world.Path // where the lookup stands; after Parent, the directory of the last component
	Last     string     // the last component's name
	LastType LastType
	Slash    bool // the path goes on with a slash behind the last component
	Flags    Flags

	root world.Path
	// rooted: the walk has looked for the root already, for an absolute path or a .. (nd->root.mnt); with RESOLVE_NO_XDEV an absolute
	// link leads nowhere before.
	rooted bool
	dir    world.Path // directory of a trailing link, for fs.protected_symlinks
	links  uint8
	saved  [MaxSymlinks]string // what is left to walk behind each nested link
	depth  uint8               // how many of them
}

// GetName checks the string as getname_flags does when it copies it from the task.
func GetName(c *check.Check, path string, null, empty bool) story.Errno {
	switch {
	case null:
		return c.Refuse(story.Step{Code: story.PathFault, Errno: story.EFAULT, Op: story.OpLook})
	case path == "" && !empty:
		return c.Refuse(story.Step{Code: story.PathEmpty, Errno: story.ENOENT, Op: story.OpLook})
	case len(path) >= PathMax:
		return c.Refuse(story.Step{Code: story.PathTooLong, Errno: story.ENAMETOOLONG, Op: story.OpLook, Val: [3]uint64{uint64(len(path))}})
	}
	return 0
}

// Init places the walk at its start (path_init). start is the place of dfd; it is ignored where the path is absolute.
func (n *Walk) Init(c *check.Check, dfd int, path string, flags Flags) story.Errno {
	n.Flags, n.links, n.LastType, n.Last, n.Slash = flags, 0, LastRoot, "", false
	n.depth, n.rooted = 0, flags&scoped != 0
	n.root = c.W.Task.Root
	n.Path = world.Path{}
	if strings.HasPrefix(path, "/") && flags&InRoot == 0 {
		return n.jumpRoot(c)
	}
	if dfd == AtFDCWD {
		n.Path = c.W.Task.Cwd
	} else {
		fd := c.W.Task.FDByNumber(dfd)
		val := [3]uint64{uint64(int64(dfd))}
		if fd == nil {
			s := story.Step{Code: story.PathDirfd, Errno: story.EBADF, Op: story.OpLook, Val: val, Fact: [3]story.Origin{c.W.Task.FDsAt}}
			if c.W.Task.FDsAt&story.Missing != 0 {
				c.Unknown(s)
				n.Path = c.W.Task.Cwd
				return 0
			}
			return c.Refuse(s)
		}
		switch ino := c.W.FS.I(fd.Path.Dentry); {
		case path == "" || ino.Is(world.TypeDir):
		case ino.Known&world.KnownType == 0:
			c.Unknown(story.Step{Code: story.PathDirfdType, Errno: story.ENOTDIR, Op: story.OpLook, Val: val, Fact: [3]story.Origin{fd.At}})
		default:
			return c.Refuse(story.Step{Code: story.PathDirfdType, Errno: story.ENOTDIR, Op: story.OpLook, Obj: fd.Path.Ref(), Val: val})
		}
		n.Path = fd.Path
	}
	if flags&scoped != 0 {
		n.root = n.Path
	}
	return 0
}

// jumpRoot is nd_jump_root.
func (n *Walk) jumpRoot(c *check.Check) story.Errno {
	if n.Flags&Beneath != 0 {
		return c.Refuse(story.Step{Code: story.ScopeEscape, Errno: story.EXDEV, Op: story.OpLook, Obj: n.Path.Ref()})
	}
	if n.Flags&NoXDev != 0 && n.Path.Mount != 0 && (!n.rooted || n.Path.Mount != n.root.Mount) {
		return c.Refuse(story.Step{Code: story.ScopeMount, Errno: story.EXDEV, Op: story.OpCross, Obj: n.root.Ref()})
	}
	n.Path, n.rooted = n.root, true
	return 0
}

// Parent walks every component but the last (link_path_walk): afterwards Path is the directory, Last the name.
func (n *Walk) Parent(c *check.Check, path string) story.Errno {
	n.LastType, n.Last, n.Slash = LastRoot, "", false
	path = strings.TrimLeft(path, "/")
	if path == "" {
		n.dir = world.Path{}
		return 0
	}
	for {
		if e := c.Hooks.InodePermission(c, c.Cred, n.Path, check.MayExec); e != 0 {
			return e
		}
		end := strings.IndexByte(path, '/')
		if end < 0 {
			end = len(path)
		}
		n.Last, path = path[:end], path[end:]
		n.Slash = path != ""
		switch n.Last {
		case ".":
			n.LastType = LastDot
		case "..":
			n.LastType = LastDotDot
		default:
			n.LastType = LastNorm
		}
		path = strings.TrimLeft(path, "/")
		if path == "" {
			if n.depth == 0 {
				n.dir = n.Path
				return 0
			}
			n.depth--
			path = n.saved[n.depth]
		}
		link, e := n.component(c, false)
		if e != 0 {
			return e
		}
		if link != "" {
			n.saved[n.depth] = path
			n.depth++
			path = link
			continue
		}
		if e := n.mustSearch(c); e != 0 {
			return e
		}
	}
}

// mustSearch refuses a component in the middle that is no directory.
func (n *Walk) mustSearch(c *check.Check) story.Errno {
	ino := c.W.FS.I(n.Path.Dentry)
	s := story.Step{Code: story.NotDirectory, Errno: story.ENOTDIR, Op: story.OpLook, Obj: n.Path.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{uint64(ino.Mode)}}
	switch {
	case ino.Known&world.KnownType == 0:
		s.Code = story.TypeUnknown
		c.Unknown(s)
		c.MayEnd(story.ELOOP)
	case !ino.Is(world.TypeDir):
		return c.Refuse(s)
	}
	return 0
}

// LastComponent looks the last component up and follows it where asked (lookup_last, walk_component). It returns the body
// of a link that is to be walked next, by another Parent.
func (n *Walk) LastComponent(c *check.Check) (link string, e story.Errno) {
	if n.LastType == LastNorm && n.Slash {
		n.Flags |= Follow | Directory
	}
	return n.component(c, true)
}

// component steps into n.Last (walk_component).
func (n *Walk) component(c *check.Check, trailing bool) (string, story.Errno) {
	switch n.LastType {
	case LastRoot, LastDot:
		return "", 0
	case LastDotDot:
		return "", n.dotDot(c)
	}
	d, e := n.Lookup(c)
	if e != 0 {
		return "", e
	}
	return n.StepInto(c, d, trailing)
}

// Lookup finds n.Last in the directory where the walk stands: 0 and no error never come together.
func (n *Walk) Lookup(c *check.Check) (world.DentryID, story.Errno) {
	d, st, e := n.Find(c)
	if e != 0 {
		return 0, e
	}
	if st == world.Absent {
		return 0, n.Missing(c)
	}
	return d, 0
}

// Find asks the directory's filesystem for n.Last, which may be absent.
func (n *Walk) Find(c *check.Check) (world.DentryID, world.State, story.Errno) {
	fs := c.W.FS
	ino := fs.I(n.Path.Dentry)
	if ino.Attr&world.AttrRemoved != 0 {
		return 0, world.Absent, c.Refuse(story.Step{Code: story.DirectoryRemoved, Errno: story.ENOENT, Op: story.OpLook, Obj: n.Path.Ref()})
	}
	limit := fs.SB(ino.SB).NameMax
	if limit == 0 {
		limit = NameMax
	}
	if len(n.Last) > limit {
		return 0, world.Absent, c.Refuse(story.Step{Code: story.NameTooLong, Errno: story.ENAMETOOLONG, Op: story.OpLook, Obj: n.Path.Ref(), Val: [3]uint64{uint64(len(n.Last)), uint64(limit)}})
	}
	if ops := c.Ops[ino.SB]; ops != nil {
		if e := ops.Lookup(c, n.Path, n.Last); e != 0 {
			return 0, world.Absent, e
		}
	}
	d, st := fs.Lookup(n.Path.Dentry, n.Last)
	if st == world.Absent && fs.SB(ino.SB).Type == "proc" { // proc_lookup and its relatives answer an error, so that nothing can be made there
		return 0, st, n.Missing(c)
	}
	switch st {
	case world.Present:
		if e := fs.Peek(d).Fault; e != 0 {
			return 0, world.Absent, c.Refuse(story.Step{Code: story.OverlayBroken, Errno: e, Op: story.OpLook, Obj: n.Path.Ref(), Fact: [3]story.Origin{fs.I(d).At}, Val: [3]uint64{c.Word(n.Last), c.Word(faults[e])}})
		}
		if c.Recording() {
			i := fs.I(d)
			c.Pass(story.Step{Code: story.NameFound, Op: story.OpLook, Obj: n.Path.Ref(), Fact: [3]story.Origin{0, i.At, i.At}, Val: [3]uint64{c.Word(n.Last), uint64(i.Mode), uint64(i.UID)<<32 | uint64(i.GID)}})
		}
	case world.Unsure:
		c.Unknown(story.Step{Code: story.NameUnknown, Errno: story.ENOENT, Op: story.OpLook, Obj: n.Path.Ref(), Fact: [3]story.Origin{fs.I(d).At}, Val: [3]uint64{c.Word(n.Last)}})
	}
	return d, st, 0
}

// faults say why an overlay's lookup fails.
var faults = map[story.Errno]string{
	story.EPERM:  "a redirect or a copy of attributes is not followed, as the mount does not ask for it",
	story.EIO:    "a copy of attributes has no data below",
	story.EINVAL: "a redirect is no path",
	story.ELOOP:  "a layer's root lies inside another layer",
	story.ESTALE: "they were changed behind the overlay's back",
}

// Missing refuses a name that is not there.
func (n *Walk) Missing(c *check.Check) story.Errno {
	fs := c.W.FS
	code, layer := story.NameMissing, ""
	if sb := fs.SBOf(n.Path.Dentry); sb.Overlay != nil && c.Recording() {
		if layer = whitedOut(fs, n.Path.Dentry, n.Last); layer != "" {
			code = story.OverlayWhiteout
		}
	}
	return c.Refuse(story.Step{Code: code, Errno: story.ENOENT, Op: story.OpLook, Obj: n.Path.Ref(), Fact: [3]story.Origin{fs.I(n.Path.Dentry).At}, Val: [3]uint64{c.Word(n.Last), c.Word(layer)}})
}

// whitedOut names the layer whose whiteout hides a name.
func whitedOut(fs *world.FS, dir world.DentryID, name string) string {
	for i, l := range fs.I(dir).Layers {
		if d, st := fs.Lookup(l, name); st == world.Present {
			if ov := fs.SBOf(dir).Overlay; fs.I(d).Whited || ov.WhiteoutMark(ov.MarksOf(fs.I(d))) {
				return fs.SBOf(fs.I(dir).Layers[i]).Name
			}
			return ""
		}
	}
	return ""
}

// StepInto crosses the mounts on d and, if it is a link that is to be followed, returns its body (step_into, pick_link).
func (n *Walk) StepInto(c *check.Check, d world.DentryID, trailing bool) (string, story.Errno) {
	next, e := n.cross(c, world.Path{Mount: n.Path.Mount, Dentry: d})
	if e != 0 {
		return "", e
	}
	ino := c.W.FS.I(next.Dentry)
	if !ino.Is(world.TypeLink) || trailing && n.Flags&Follow == 0 {
		n.Path = next
		return "", 0
	}
	return n.pickLink(c, next, trailing)
}

// cross goes to the topmost mount on a place (__traverse_mounts).
func (n *Walk) cross(c *check.Check, p world.Path) (world.Path, story.Errno) {
	for {
		id := c.W.MountedAt(p)
		if id == 0 {
			return p, 0
		}
		m := &c.W.Mounts[id]
		p = world.Path{Mount: id, Dentry: m.Root}
		if n.Flags&NoXDev != 0 {
			return p, c.Deny(story.Step{Code: story.ScopeMount, Errno: story.EXDEV, Op: story.OpCross, Obj: p.Ref()})
		}
		if c.Recording() {
			c.Pass(story.Step{Code: story.MountCross, Op: story.OpCross, Obj: p.Ref(), Fact: [3]story.Origin{m.Origin, m.Why}, Val: [3]uint64{c.Word(m.Source), uint64(m.Flags), c.Word(c.W.FS.SB(m.SB).Type)}})
		}
	}
}

// pickLink is pick_link: the checks before a link is followed, then its body.
func (n *Walk) pickLink(c *check.Check, link world.Path, trailing bool) (string, story.Errno) {
	if n.links++; n.links > MaxSymlinks {
		return "", c.Refuse(story.Step{Code: story.SymlinkLimit, Errno: story.ELOOP, Op: story.OpFollow, Obj: link.Ref()})
	}
	if trailing && n.dir != (world.Path{}) {
		if e := c.Hooks.FollowLink(c, link, n.dir); e != 0 {
			return "", e
		}
	}
	if n.Flags&NoSymlinks != 0 {
		return "", c.Refuse(story.Step{Code: story.SymlinkRefused, Errno: story.ELOOP, Op: story.OpFollow, Obj: link.Ref()})
	}
	if e := c.Hooks.SymlinkMount(c, link); e != 0 {
		return "", e
	}
	if e := c.LSM.InodeFollowLink(c, link); e != 0 {
		return "", e
	}
	ino := c.W.FS.I(link.Dentry)
	if ino.Magic {
		return "", n.jumpLink(c, link)
	}
	c.Depth = n.links
	body := ino.Link
	if c.Recording() {
		c.Pass(story.Step{Code: story.SymlinkFollow, Op: story.OpFollow, Obj: link.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{c.Word(body)}})
	}
	if strings.HasPrefix(body, "/") {
		if e := n.jumpRoot(c); e != 0 {
			return "", e
		}
		return strings.TrimLeft(body, "/"), 0
	}
	return body, 0
}

// jumpLink is nd_jump_link: a magic link of /proc. Where it leads is known only if the world says so.
func (n *Walk) jumpLink(c *check.Check, link world.Path) story.Errno {
	s := story.Step{Code: story.SymlinkMagic, Errno: story.ELOOP, Op: story.OpFollow, Obj: link.Ref()}
	if n.Flags&NoMagicLinks != 0 {
		return c.Refuse(s)
	}
	if n.Flags&(scoped|NoXDev) != 0 {
		return c.Refuse(story.Step{Code: story.ScopeEscape, Errno: story.EXDEV, Op: story.OpFollow, Obj: link.Ref()})
	}
	to, ok, certain, e := c.Hooks.MagicLink(c, link)
	if e != 0 {
		return e
	}
	if ok {
		n.Path = to
		return 0
	}
	if s.Errno = story.ENOENT; !certain {
		c.MayEnd(story.EACCES)
	}
	c.Unknown(s)
	n.Path = target(c.W, link)
	return 0
}

// target stands for what a magic link leads to, of which nothing is known.
func target(w *world.World, link world.Path) world.Path {
	const name = "(target)"
	d := w.FS.Known(link.Dentry, name)
	if d == 0 {
		d = w.FS.AddPhantom(link.Dentry, name, w.Miss("what the magic link "+w.PathText(link)+" leads to is not known", ""))
	}
	return world.Path{Mount: link.Mount, Dentry: d}
}

// dotDot is follow_dotdot and the crossing that step_into makes behind it.
func (n *Walk) dotDot(c *check.Check) story.Errno {
	w := c.W
	n.rooted = true
	if n.Path == n.root {
		return n.atRoot(c)
	}
	p := n.Path
	if p.Dentry == w.Mounts[p.Mount].Root {
		up, ok := n.mountpoint(w, p.Mount)
		if !ok {
			return n.atRoot(c)
		}
		if n.Flags&NoXDev != 0 {
			return c.Refuse(story.Step{Code: story.ScopeMount, Errno: story.EXDEV, Op: story.OpCross, Obj: up.Ref()})
		}
		p = up
	}
	parent := w.FS.D(p.Dentry).Parent
	if !w.FS.Below(parent, w.Mounts[p.Mount].Root) {
		return c.Refuse(story.Step{Code: story.DotDotUnreachable, Errno: story.ENOENT, Op: story.OpLook, Obj: p.Ref()})
	}
	next, e := n.cross(c, world.Path{Mount: p.Mount, Dentry: parent})
	if e == 0 {
		n.Path = next
	}
	return e
}

func (n *Walk) atRoot(c *check.Check) story.Errno {
	if n.Flags&Beneath != 0 {
		return c.Refuse(story.Step{Code: story.ScopeEscape, Errno: story.EXDEV, Op: story.OpLook, Obj: n.Path.Ref()})
	}
	next, e := n.cross(c, n.Path)
	if e == 0 {
		n.Path = next
	}
	return e
}

// mountpoint is choose_mountpoint: the place below a stack of mounts, unless the walk's root is on the way.
func (n *Walk) mountpoint(w *world.World, m world.MountID) (world.Path, bool) {
	for w.Mounts[m].Parent != m {
		at := w.Mounts[m].At
		m = w.Mounts[m].Parent
		if n.root == (world.Path{Mount: m, Dentry: at}) {
			return world.Path{}, false
		}
		if at != w.Mounts[m].Root {
			return world.Path{Mount: m, Dentry: at}, true
		}
	}
	return world.Path{}, false
}

// Complete is complete_walk: a scoped lookup must have ended below its start.
func (n *Walk) Complete(c *check.Check) story.Errno {
	if n.Flags&scoped == 0 {
		return 0
	}
	w, p := c.W, n.Path
	for p.Mount != n.root.Mount {
		m := &w.Mounts[p.Mount]
		if m.Parent == p.Mount {
			return c.Refuse(story.Step{Code: story.ScopeEscape, Errno: story.EXDEV, Op: story.OpLook, Obj: n.Path.Ref()})
		}
		p = world.Path{Mount: m.Parent, Dentry: m.At}
	}
	if !w.FS.Below(p.Dentry, n.root.Dentry) {
		return c.Refuse(story.Step{Code: story.ScopeEscape, Errno: story.EXDEV, Op: story.OpLook, Obj: n.Path.Ref()})
	}
	return 0
}

// At is path_lookupat: the whole lookup of a path.
func (n *Walk) At(c *check.Check, dfd int, path string, flags Flags) story.Errno {
	if e := n.Init(c, dfd, path, flags); e != 0 {
		return e
	}
	for {
		if e := n.Parent(c, path); e != 0 {
			return e
		}
		link, e := n.LastComponent(c)
		if e != 0 {
			return e
		}
		if link == "" {
			break
		}
		path = link
	}
	if e := n.Complete(c); e != 0 {
		return e
	}
	if n.Flags&Directory != 0 {
		return n.MustBeDirectory(c)
	}
	return 0
}

// MustBeDirectory refuses an end that is no directory.
func (n *Walk) MustBeDirectory(c *check.Check) story.Errno {
	ino := c.W.FS.I(n.Path.Dentry)
	s := story.Step{Code: story.WantDirectory, Errno: story.ENOTDIR, Op: story.OpLook, Obj: n.Path.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{uint64(ino.Mode)}}
	switch {
	case ino.Known&world.KnownType == 0:
		s.Code = story.TypeUnknown
		c.Unknown(s)
	case !ino.Is(world.TypeDir):
		return c.Refuse(s)
	}
	return 0
}

package vfs

import (
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// What each filesystem keeps of extended attributes: the handlers in its super_block.s_xattr.

// keeps refuses a name that the filesystem has no handler for (xattr_resolve_name).
func keeps(c *check.Check, p world.Path, name string, write bool) story.Errno {
	sb := c.W.FS.SBOf(p.Dentry)
	s := story.Step{Code: story.XattrUnsupported, Errno: story.EOPNOTSUPP, Op: story.OpRead, Obj: p.Ref(), Fact: [3]story.Origin{sb.At}}
	if write {
		s.Op = story.OpSetattr
	}
	if c.Recording() {
		s.Val = [3]uint64{c.Word(name), c.Word(sb.Type)}
	}
	switch xattrHandler(c, p.Dentry, name, write) {
	case kernel.No:
		return c.Refuse(s)
	case kernel.NotKnown:
		c.Unknown(s)
	}
	if i := strings.IndexByte(name, '.'); i == len(name)-1 {
		return Invalid(c, story.EINVAL, "nothing stands behind the name space")
	}
	return 0
}

// xattrHandler answers whether the filesystem of an object has a handler for a name.
func xattrHandler(c *check.Check, d world.DentryID, name string, write bool) kernel.Answer {
	fs := c.W.FS
	sb := fs.SBOf(d)
	user, trusted, security := strings.HasPrefix(name, "user."), strings.HasPrefix(name, "trusted."), strings.HasPrefix(name, "security.")
	common := trusted || security
	is := func(yes bool) kernel.Answer {
		if yes {
			return kernel.Yes
		}
		return kernel.No
	}
	switch sb.Type {
	case "nsfs":
		return kernel.No
	case "tmpfs", "devtmpfs":
		if user {
			return c.K.Has(kernel.TmpfsUserXattr)
		}
		return is(common)
	case "ext2", "ext3", "ext4", "xfs":
		return is(user || common)
	case "btrfs":
		if strings.HasPrefix(name, "btrfs.") {
			return kernel.NotKnown
		}
		return is(user || common)
	case "cgroup2":
		return is(user || common)
	case "sysfs", "cgroup": // kernfs_vfs_user_xattr_set: only cgroup2 takes user.*
		return is(common || user && !write)
	case "proc", "ramfs", "devpts", "mqueue":
		return kernel.No
	case "overlay":
		return overlayHandler(c, d, name, write)
	}
	return kernel.NotKnown
}

// overlayHandler is ovl_xattr_handlers: its own marks are hidden, the rest is what the layer keeps that has the file, or will
// have it once it is written.
func overlayHandler(c *check.Check, d world.DentryID, name string, write bool) kernel.Answer {
	fs := c.W.FS
	ino := fs.I(d)
	ov := fs.SB(ino.SB).Overlay
	if ov == nil {
		return kernel.NotKnown
	}
	if _, own := ownPrefix(ov, name); own {
		if a := c.K.Has(kernel.OverlayEscapesXattr); a != kernel.Yes {
			return a
		}
	}
	switch {
	case write && ov.Upper != 0:
		return xattrHandler(c, ov.Upper, name, write)
	case len(ino.Layers) > 0:
		return xattrHandler(c, ino.Layers[0], name, write)
	}
	return kernel.NotKnown
}

// ownPrefix splits a name of overlayfs's own marks.
func ownPrefix(ov *world.Overlay, name string) (rest string, own bool) {
	prefix := "trusted.overlay."
	if ov.UserXattr {
		prefix = "user.overlay."
	}
	return strings.CutPrefix(name, prefix)
}

// ownXattr reports whether a name is one of the marks of the overlay that an object is in.
func ownXattr(c *check.Check, p world.Path, name string) (rest string, own bool) {
	ov := c.W.FS.SBOf(p.Dentry).Overlay
	if ov == nil {
		return "", false
	}
	return ownPrefix(ov, name)
}

// findXattr finds a name as the task sees it: in an overlay the names of its own marks stand for escaped ones
// (ovl_xattr_escape_name).
func findXattr(c *check.Check, p world.Path, name string) world.State {
	ino := c.W.FS.I(p.Dentry)
	rest, own := ownXattr(c, p, name)
	if !own {
		_, st := ino.Xattr(name)
		return st
	}
	prefix := name[:len(name)-len(rest)]
	for i := range ino.Xattrs {
		if tail, ok := strings.CutPrefix(ino.Xattrs[i].Name, prefix); ok {
			if tail, ok = strings.CutPrefix(tail, "overlay."); ok && tail == rest {
				return world.Present
			}
		}
	}
	if ino.Known&world.KnownXattr == 0 || ino.NoTrusted {
		return world.Unsure
	}
	return world.Absent
}

// hasACL answers whether a filesystem has ACLs (IS_POSIXACL and inode_operations.set_acl).
func hasACL(c *check.Check, d world.DentryID) kernel.Answer {
	fs := c.W.FS
	switch sb := fs.SBOf(d); sb.Type {
	case "tmpfs", "ext4", "xfs", "btrfs":
		return kernel.Yes
	case "overlay":
		if sb.Overlay != nil && sb.Overlay.Upper != 0 {
			return hasACL(c, sb.Overlay.Upper)
		}
		return kernel.NotKnown
	case "proc", "sysfs", "cgroup", "cgroup2", "ramfs", "devpts", "mqueue", "nsfs":
		return kernel.No
	}
	return kernel.NotKnown
}

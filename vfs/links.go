package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// FollowLink is may_follow_link: with fs.protected_symlinks a trailing link in a sticky world-writable directory is
// followed only if the task or the directory's owner owns it.
func (Hooks) FollowLink(c *check.Check, link, dir world.Path) story.Errno {
	fs := c.W.FS
	li, di := fs.I(link.Dentry), c.Inode(dir.Dentry)
	sys := c.W.Sysctl(kernel.ProtectedSymlinks)
	if sys.Known() && sys.V == 0 {
		return 0
	}
	s := story.Step{Code: story.ProtectedSymlink, Errno: story.EACCES, Op: story.OpFollow, Obj: link.Ref(), Fact: [3]story.Origin{sys.At, sys.At, di.At}}
	if c.Recording() {
		s.Val = [3]uint64{c.Word(kernel.ProtectedSymlinks.String()), uint64(sys.V), uint64(di.Mode)}
	}
	if di.Known&world.KnownPerm != 0 && di.Mode&0o1002 != 0o1002 {
		return 0
	}
	known := sys.Known() && di.Known&(world.KnownPerm|world.KnownOwner) == world.KnownPerm|world.KnownOwner && li.Known&world.KnownOwner != 0 && c.Cred.UIDAt.Known()
	luid, _ := ids(c.W, link, li)
	duid, _ := ids(c.W, dir, di)
	switch {
	case li.Known&world.KnownOwner != 0 && c.Cred.UIDAt.Known() && c.Cred.FSUID == luid:
		return 0
	case li.Known&di.Known&world.KnownOwner != 0 && luid == duid && uint32(luid) != world.Invalid:
		return 0
	case !known:
		c.Unknown(s)
		return 0
	}
	return c.Deny(s)
}

// SymlinkMount is pick_link's look at MNT_NOSYMFOLLOW.
func (Hooks) SymlinkMount(c *check.Check, link world.Path) story.Errno {
	return mount.MayFollow(c, link)
}

// mayCreateInSticky is may_create_in_sticky: fs.protected_regular and fs.protected_fifos for O_CREAT on what exists.
func mayCreateInSticky(c *check.Check, p, dir world.Path) story.Errno {
	fs := c.W.FS
	ino, di := fs.I(p.Dentry), c.Inode(dir.Dentry)
	if dir == (world.Path{}) || di.Known&world.KnownPerm != 0 && di.Mode&0o1000 == 0 {
		return 0
	}
	which, applies := kernel.ProtectedRegular, true
	switch {
	case ino.Is(world.TypeReg) || ino.Known&world.KnownType == 0:
	case ino.Is(world.TypeFIFO):
		which = kernel.ProtectedFifos
	default:
		applies = false // devices and sockets: the sysctls do not exempt them
	}
	sys := c.W.Sysctl(which)
	if applies && sys.Known() && sys.V == 0 {
		return 0
	}
	uid, _ := ids(c.W, p, ino)
	duid, _ := ids(c.W, dir, di)
	switch {
	case ino.Known&di.Known&world.KnownOwner != 0 && uid == duid && uint32(uid) != world.Invalid:
		return 0
	case ino.Known&world.KnownOwner != 0 && c.Cred.UIDAt.Known() && uid == c.Cred.FSUID:
		return 0
	}
	s := story.Step{Code: story.ProtectedCreate, Errno: story.EACCES, Op: story.OpCreate, Obj: p.Ref(), Fact: [3]story.Origin{sys.At, sys.At, di.At}}
	if c.Recording() {
		s.Val = [3]uint64{c.Word(which.String()), uint64(sys.V), uint64(di.Mode)}
	}
	known := ino.Known&(world.KnownOwner|world.KnownType) == world.KnownOwner|world.KnownType && di.Known&world.KnownOwner != 0 && c.Cred.UIDAt.Known() && (sys.Known() || !applies)
	switch {
	case di.Known&world.KnownPerm == 0:
		c.Unknown(s)
	case di.Mode&0o002 != 0 && known:
		return c.Deny(s)
	case di.Mode&0o020 != 0 && di.Mode&0o002 == 0 && applies && known && sys.V >= 2:
		return c.Deny(s)
	case !known && (di.Mode&0o002 != 0 || di.Mode&0o020 != 0 && applies):
		c.Unknown(s)
	}
	return 0
}

package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/world"
)

// Chdir is chdir(2), and with root chroot(2), which asks for the capability after the path.
func Chdir(c *check.Check, t Target, root bool) story.Errno {
	var n namei.Walk
	p := world.Path{}
	if t.FD {
		f, e := descriptor(c, t.DFD) // fdget_raw: O_PATH will do
		if f == nil {
			if e == 0 {
				c.MayEnd(story.ENOTDIR)
				c.MayEnd(story.EACCES)
			}
			return e
		}
		p = f.Path
		ino := c.W.FS.I(p.Dentry)
		s := story.Step{Code: story.WantDirectory, Errno: story.ENOTDIR, Op: story.OpSearch, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{uint64(ino.Mode)}}
		switch {
		case ino.Known&world.KnownType == 0:
			c.Unknown(s)
		case !ino.Is(world.TypeDir):
			return c.Refuse(s)
		}
	} else {
		if err := namei.GetName(c, t.Path, t.Null, false); err != 0 {
			return err
		}
		if err := n.At(c, t.DFD, t.Path, namei.Follow|namei.Directory); err != 0 {
			return err
		}
		p = n.Path
	}
	if err := c.Hooks.InodePermission(c, c.Cred, p, check.MayExec|check.MayChdir); err != 0 {
		return err
	}
	if root {
		if err := Capable(c, c.Cred.UserNS, check.RealmOwn, kernel.CapSysChroot, p, story.OpEnter); err != 0 {
			return err
		}
		if err := c.LSM.PathChroot(c, p); err != 0 {
			return err
		}
	}
	c.Changed = check.Changed{Path: p, Cwd: !root, Root: root}
	return 0
}

// Readlink is do_readlinkat: the link itself is asked for nothing.
func Readlink(c *check.Check, t Target, size int64) story.Errno {
	if size <= 0 {
		return Invalid(c, story.EINVAL, "the size of the buffer is not positive")
	}
	t.Flags |= AtSymlinkNofollow | AtEmptyPath
	if t.Path == "" && t.DFD == namei.AtFDCWD && !t.Null {
		return namei.GetName(c, t.Path, t.Null, false)
	}
	var n namei.Walk
	if err := t.at(c, &n); err != 0 {
		return err
	}
	ino := c.W.FS.I(n.Path.Dentry)
	s := story.Step{Code: story.NotLink, Errno: story.EINVAL, Op: story.OpRead, Obj: n.Path.Ref(), Fact: [3]story.Origin{ino.At}}
	if t.Path == "" {
		s.Errno = story.ENOENT
	}
	switch {
	case ino.Known&world.KnownType == 0:
		c.Unknown(s)
	case !ino.Is(world.TypeLink):
		return c.Refuse(s)
	}
	if e := c.LSM.InodeReadlink(c, n.Path); e != 0 {
		return e
	}
	return readMagic(c, n.Path)
}

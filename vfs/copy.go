package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// bothRegular is generic_file_rw_checks: regular files, one open for reading and one for writing without O_APPEND.
func bothRegular(c *check.Check, in, out *world.FD) story.Errno {
	for _, f := range [...]*world.FD{in, out} {
		if err := lacks(c, f, "copying", story.EISDIR, kind(c, f, world.TypeDir)); err != 0 {
			return err
		}
	}
	for _, f := range [...]*world.FD{in, out} {
		if kind(c, f, world.TypeReg) == kernel.No {
			return lacks(c, f, "copying", story.EINVAL, kernel.Yes)
		}
	}
	if err := mayUse(c, in, check.MayRead, story.EBADF, story.DescriptorMode); err != 0 {
		return err
	}
	if err := mayUse(c, out, check.MayWrite, story.EBADF, story.DescriptorMode); err != 0 {
		return err
	}
	if out.Flags&OAppend != 0 && !unsureFlags(out) {
		return c.Refuse(story.Step{Code: story.DescriptorFlags, Errno: story.EBADF, Op: story.OpWrite, Obj: out.Path.Ref(), Fact: [3]story.Origin{out.At}, Val: [3]uint64{uint64(int64(out.N)), c.Word("O_APPEND")}})
	}
	return 0
}

// pair gets two descriptors; ok is false where the call ends with err.
func pair(c *check.Check, a, b int) (f, g *world.FD, err story.Errno) {
	if f, err = file(c, a, story.OpRead); err != 0 {
		return nil, nil, err
	}
	if g, err = file(c, b, story.OpWrite); err != 0 {
		return nil, nil, err
	}
	if f == nil || g == nil {
		c.MayEnd(story.EINVAL)
		c.MayEnd(story.EXDEV)
		return nil, nil, 0
	}
	return f, g, 0
}

// CopyFileRange is vfs_copy_file_range as far as it does not depend on where the descriptors stand.
func CopyFileRange(c *check.Check, in, out int, length, flags uint64) story.Errno {
	f, g, err := pair(c, in, out)
	if f == nil {
		return err
	}
	if flags != 0 {
		return Invalid(c, story.EINVAL, "copy_file_range has no flags")
	}
	if err := bothRegular(c, f, g); err != 0 {
		return err
	}
	if err := sameFS(c, f, g); err != 0 {
		return err
	}
	ino := c.Inode(g.Path.Dentry)
	if ino.Attr&world.AttrImmutable != 0 {
		if err := c.Deny(story.Step{Code: story.Immutable, Errno: story.EPERM, Op: story.OpWrite, Obj: g.Path.Ref(), Fact: [3]story.Origin{ino.At}}); err != 0 {
			return err
		}
	}
	if err := c.LSM.FilePermission(c, f, check.MayRead); err != 0 {
		return err
	}
	if err := c.LSM.FilePermission(c, g, check.MayWrite); err != 0 {
		return err
	}
	if length == 0 {
		return 0
	}
	// Within one file the ranges must not overlap (generic_copy_file_checks), once they end with the file; where the descriptors
	// stand in it is not known.
	if c.W.FS.D(f.Path.Dentry).Inode == c.W.FS.D(g.Path.Dentry).Inode && (ino.Known&world.KnownSize == 0 || ino.Size > 0) {
		c.Unknown(story.Step{Code: story.DescriptorData, Errno: story.EINVAL, Op: story.OpWrite, Obj: g.Path.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{c.Word("a copy within the file")}})
	}
	return copied(c, g)
}

// sameFS is generic_copy_file_checks: filesystems without a function of their own copy within one superblock only.
func sameFS(c *check.Check, f, g *world.FD) story.Errno {
	fs := c.W.FS
	if fs.I(f.Path.Dentry).SB == fs.I(g.Path.Dentry).SB {
		return 0
	}
	s := story.Step{Code: story.CrossFilesystem, Errno: story.EXDEV, Op: story.OpWrite, Obj: g.Path.Ref(), Fact: [3]story.Origin{fs.SBOf(f.Path.Dentry).At, fs.SBOf(g.Path.Dentry).At}}
	plain := func(p world.Path) bool {
		switch fs.SBOf(p.Dentry).Type {
		case "tmpfs", "ext2", "ext3", "ext4", "xfs", "btrfs", "ramfs":
			return true
		}
		return false
	}
	if plain(f.Path) && plain(g.Path) {
		return c.Refuse(s)
	}
	c.Unknown(s)
	return 0
}

func copied(c *check.Check, g *world.FD) story.Errno {
	if err := killCaps(c, g.Path); err != 0 {
		return err
	}
	c.Changed = check.Changed{Path: g.Path, Grows: true}
	if c.Recording() {
		c.Effect(story.Effect{Kind: "written", Path: c.W.PathText(g.Path)})
	}
	needsRemovePrivs(c, g.Path).remove(c, g.Path)
	return 0
}

// Sendfile is do_sendfile.
func Sendfile(c *check.Check, out, in int, offset bool, count uint64) story.Errno {
	f, err := file(c, in, story.OpRead)
	if err != 0 {
		return err
	}
	if f != nil {
		if err := mayUse(c, f, check.MayRead, story.EBADF, story.DescriptorMode); err != 0 {
			return err
		}
		if offset {
			if err := seeks(c, f); err != 0 {
				return err
			}
		}
		if err := c.LSM.FilePermission(c, f, check.MayRead); err != 0 {
			return err
		}
	}
	g, err := file(c, out, story.OpWrite)
	if err != 0 || g == nil || f == nil {
		return err
	}
	if err := mayUse(c, g, check.MayWrite, story.EBADF, story.DescriptorMode); err != 0 {
		return err
	}
	if err := c.LSM.FilePermission(c, g, check.MayWrite); err != 0 {
		return err
	}
	if g.Flags&OAppend != 0 && !unsureFlags(g) {
		return Invalid(c, story.EINVAL, "the descriptor that is written to has O_APPEND")
	}
	if count == 0 {
		return 0
	}
	if err := lacks(c, f, "splicing", story.EINVAL, kind(c, f, world.TypeDir)); err != 0 {
		return err
	}
	if driven(c, f, "reading") || driven(c, g, "writing") || !c.W.FS.I(g.Path.Dentry).Is(world.TypeReg) {
		return 0
	}
	return copied(c, g)
}

// CloneFile is ioctl_file_clone, FICLONE.
func CloneFile(c *check.Check, g *world.FD, in int) story.Errno {
	f, err := file(c, in, story.OpRead)
	if f == nil {
		return err
	}
	fs := c.W.FS
	if fs.I(f.Path.Dentry).SB != fs.I(g.Path.Dentry).SB {
		return c.Refuse(story.Step{Code: story.CrossFilesystem, Errno: story.EXDEV, Op: story.OpWrite, Obj: g.Path.Ref(), Fact: [3]story.Origin{fs.SBOf(f.Path.Dentry).At, fs.SBOf(g.Path.Dentry).At}})
	}
	if err := bothRegular(c, f, g); err != 0 {
		return err
	}
	a := kernel.NotKnown
	switch fs.SBOf(f.Path.Dentry).Type {
	case "tmpfs", "ext2", "ext3", "ext4", "ramfs":
		a = kernel.Yes
	}
	return lacks(c, f, "cloning", story.EOPNOTSUPP, a)
}

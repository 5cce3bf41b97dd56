package vfs

import (
	"math/bits"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/world"
)

// Flags of mount(2).
const (
	msRemount = 32
	msBind    = 4096
	msMove    = 8192
	msRec     = 16384
	msSilent  = 32768
	msTypes   = 1<<17 | 1<<18 | 1<<19 | 1<<20 // unbindable, private, slave, shared
)

// MountArgs are mount(2)'s arguments.
type MountArgs struct {
	Source, Target Target
	Type           string
	NoType         bool // it is NULL
	Flags          uint64
	Data           bool // there are options
}

// mountNS is the user namespace that owns the task's mount namespace.
func mountNS(c *check.Check) world.UserNSID {
	if int(c.W.Task.MountNS) < len(c.W.MountNS) {
		return c.W.MountNS[c.W.Task.MountNS].Owner
	}
	return 0
}

// mayMount is may_mount.
func mayMount(c *check.Check, p world.Path) story.Errno {
	return Capable(c, mountNS(c), kernel.CapSysAdmin, p, story.OpMount)
}

// notModelled says what of a mount is not known.
func notModelled(c *check.Check, p world.Path, what string, errnos ...story.Errno) story.Errno {
	c.Unknown(story.Step{Code: story.MountAPI, Errno: story.EINVAL, Op: story.OpMount, Obj: p.Ref(), Val: [3]uint64{c.Word(what)}})
	for _, e := range errnos {
		c.MayEnd(e)
	}
	return 0
}

func badMount(c *check.Check, p world.Path, reason string) story.Errno {
	return c.Refuse(story.Step{Code: story.MountArgument, Errno: story.EINVAL, Op: story.OpMount, Obj: p.Ref(), Val: [3]uint64{c.Word(reason)}})
}

// isRoot refuses a place that is not the root of a mount.
func isRoot(c *check.Check, p world.Path) story.Errno {
	if c.W.Mounts[p.Mount].Root == p.Dentry {
		return 0
	}
	return c.Refuse(story.Step{Code: story.NotMountRoot, Errno: story.EINVAL, Op: story.OpMount, Obj: p.Ref()})
}

// Mount is path_mount: the mount point is looked up before the capability is asked for, then the flags say what is meant.
func Mount(c *check.Check, m MountArgs) story.Errno {
	p, err := m.Target.object(c)
	if err != 0 {
		return err
	}
	if err := c.LSM.Change(c, p, story.OpMount); err != 0 {
		return err
	}
	if err := mayMount(c, p); err != 0 {
		return err
	}
	switch f := m.Flags; {
	case f&(msRemount|msBind) == msRemount|msBind:
		if err := isRoot(c, p); err != 0 {
			return err
		}
		if mountNS(c) != 0 {
			return notModelled(c, p, "which flags are locked in a mount namespace of a user namespace", story.EPERM, story.EBUSY)
		}
		if f&1 != 0 {
			return notModelled(c, p, "whether somebody writes to the mount that becomes read-only", story.EBUSY)
		}
		return 0
	case f&msRemount != 0:
		if err := isRoot(c, p); err != 0 {
			return err
		}
		sb := c.W.FS.SBOf(p.Dentry)
		if err := Capable(c, sb.UserNS, kernel.CapSysAdmin, p, story.OpMount); err != 0 {
			return err
		}
		return notModelled(c, p, "what a remounted filesystem accepts", story.EBUSY, story.EROFS, story.EACCES)
	case f&msBind != 0:
		return bind(c, m, p)
	case f&msTypes != 0:
		switch {
		case c.W.Mounts[p.Mount].Root != p.Dentry:
			return isRoot(c, p)
		case bits.OnesCount64(f&msTypes) != 1 || f&^uint64(msTypes|msRec|msSilent) != 0:
			return badMount(c, p, "exactly one kind of propagation, with MS_REC and MS_SILENT at most")
		}
		return 0
	case f&msMove != 0:
		return notModelled(c, p, "moves of mounts", story.ELOOP, story.ENOENT)
	}
	return newMount(c, m, p)
}

// bind is do_loopback.
func bind(c *check.Check, m MountArgs, p world.Path) story.Errno {
	if m.Source.Null || m.Source.Path == "" {
		return badMount(c, p, "a bind mount needs a source")
	}
	var n namei.Walk
	if err := n.At(c, namei.AtFDCWD, m.Source.Path, namei.Follow); err != 0 {
		return err
	}
	src := c.W.FS.I(n.Path.Dentry)
	if mountNS(c) != 0 && m.Flags&msRec == 0 {
		return notModelled(c, p, "whether locked mounts lie below the source")
	}
	return sameKind(c, p, src)
}

// sameKind is graft_tree's comparison of what is mounted with what it is mounted on.
func sameKind(c *check.Check, p world.Path, root *world.Inode) story.Errno {
	at := c.W.FS.I(p.Dentry)
	s := story.Step{Code: story.MountKind, Errno: story.ENOTDIR, Op: story.OpMount, Obj: p.Ref(), Fact: [3]story.Origin{at.At}, Val: [3]uint64{uint64(at.Mode)}}
	switch {
	case at.Known&root.Known&world.KnownType == 0:
		c.Unknown(s)
	case at.Is(world.TypeDir) != root.Is(world.TypeDir):
		return c.Refuse(s)
	}
	return 0
}

// newMount is do_new_mount, for filesystems without a device and without options.
func newMount(c *check.Check, m MountArgs, p world.Path) story.Errno {
	switch {
	case m.NoType:
		return badMount(c, p, "a new filesystem needs a type")
	case (m.Type != "tmpfs" && m.Type != "ramfs") || m.Data:
		return notModelled(c, p, "filesystems other than tmpfs and ramfs, and their options", story.ENODEV, story.EPERM, story.EBUSY, story.ENOENT, story.ENXIO, story.EACCES)
	}
	// mount_capable: both have FS_USERNS_MOUNT.
	if err := Capable(c, c.Cred.UserNS, kernel.CapSysAdmin, p, story.OpMount); err != 0 {
		return err
	}
	return sameKind(c, p, &world.Inode{Mode: world.TypeDir, Known: world.KnownType})
}

// Umount is ksys_umount as far as it does not depend on who uses the mount.
func Umount(c *check.Check, t Target, flags uint64) story.Errno {
	p, err := t.object(c)
	if err != 0 {
		return err
	}
	if err := mayMount(c, p); err != 0 {
		return err
	}
	if err := isRoot(c, p); err != 0 {
		return err
	}
	return notModelled(c, p, "whether a mount is locked or in use", story.EBUSY, story.EPERM, story.EAGAIN)
}

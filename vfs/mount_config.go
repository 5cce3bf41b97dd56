package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/world"
)

// Filesystem contexts: fs/fsopen.c, and fsmount in fs/namespace.c.

// FSOpen is fsopen(2).
func FSOpen(c *check.Check, name string, lost bool, flags uint64) story.Errno {
	if err := mayMount(c, world.Path{}); err != 0 {
		return err
	}
	switch {
	case flags&^uint64(1) != 0:
		return Invalid(c, story.EINVAL, "fsopen knows FSOPEN_CLOEXEC only")
	case lost:
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpMount})
	case len(name) >= 4096:
		return Invalid(c, story.EINVAL, "the name of a type has at most 4095 bytes")
	}
	fs, err := fsType(c, world.Path{}, name)
	if err != 0 {
		return err
	}
	if fs != nil {
		if _, err := contextOf(c, world.Path{}, fs); err != 0 {
			return err
		}
	}
	if err := freeDescriptor(c); err != 0 {
		return err
	}
	c.Mounting = check.Mounting{Op: check.MountContext, Type: name, UserNS: c.Cred.UserNS}
	return 0
}

// FSPick is fspick(2): a context for a filesystem that is mounted.
func FSPick(c *check.Check, t Target, flags uint64) story.Errno {
	const nofollow, empty = 2, 8
	if err := mayMount(c, world.Path{}); err != 0 {
		return err
	}
	if flags&^uint64(15) != 0 {
		return Invalid(c, story.EINVAL, "fspick does not know this flag")
	}
	if flags&nofollow != 0 {
		t.Flags |= AtSymlinkNofollow
	}
	if flags&empty != 0 {
		t.Flags |= AtEmptyPath
	}
	p, err := t.place(c)
	if err != 0 || p == (world.Path{}) {
		return err
	}
	m := mountsOf(c)
	if !m.tree.IsRoot(p) {
		return m.refused(mount.Refusal{Errno: story.EINVAL, Code: story.NotMountRoot, Mount: p.Mount}, p)
	}
	if err := freeDescriptor(c); err != 0 {
		return err
	}
	c.Mounting = check.Mounting{Op: check.MountContext, At: p, Type: c.W.FS.SBOf(p.Dentry).Type}
	return 0
}

// Commands of fsconfig.
const (
	setFlag = iota
	setString
	setBinary
	setPath
	setPathEmpty
	setFD
	cmdCreate
	cmdReconfigure
	cmdCreateExcl
)

// FSConfigArgs are fsconfig's arguments behind the descriptor.
type FSConfigArgs struct {
	Cmd           uint64
	Key, Value    string
	NoKey, NoVal  bool // NULL
	LostKey, Lost bool // the address leads nowhere
	Aux           int64
}

// badConfig reports whether a command has the arguments that it takes.
func (a *FSConfigArgs) bad() bool {
	switch a.Cmd {
	case setFlag:
		return a.NoKey || !a.NoVal || a.Aux != 0
	case setString:
		return a.NoKey || a.NoVal || a.Aux != 0
	case setBinary:
		return a.NoKey || a.NoVal || a.Aux <= 0 || a.Aux > 1<<20
	case setPath, setPathEmpty:
		return a.NoKey || a.NoVal || a.Aux != namei.AtFDCWD && a.Aux < 0
	case setFD:
		return a.NoKey || !a.NoVal || a.Aux < 0
	}
	return !a.NoKey || !a.NoVal || a.Aux != 0
}

// FSConfig is fsconfig(2).
func FSConfig(c *check.Check, fd int, a FSConfigArgs) story.Errno {
	last := uint64(cmdReconfigure)
	if c.K.Has(kernel.CreateExclusive) != kernel.No {
		last = cmdCreateExcl
	}
	switch {
	case fd < 0:
		return Invalid(c, story.EINVAL, "the descriptor is negative")
	case a.Cmd > last:
		return Invalid(c, story.EOPNOTSUPP, "fsconfig does not know this command")
	case a.bad():
		return Invalid(c, story.EINVAL, "the command does not go with these arguments")
	}
	f, x, err := contextAt(c, fd)
	if x == nil {
		return err
	}
	if a.LostKey || a.Lost {
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpMount})
	}
	fs := filesystemOf(x.Type)
	made := x.SB != 0 && !x.Picked
	switch a.Cmd {
	case cmdCreate, cmdCreateExcl:
		if x.Picked || made {
			return contextBusy(c, fd)
		}
		return createContext(c, f, x, fs)
	case cmdReconfigure:
		if !x.Picked && !x.Spent {
			return contextBusy(c, fd)
		}
		sb := c.W.FS.SB(x.SB)
		if err := Capable(c, sb.UserNS, check.RealmSuperblock, kernel.CapSysAdmin, world.Path{}, story.OpMount); err != 0 {
			return err
		}
		if err := c.LSM.SbRemount(c, world.Path{Dentry: sb.Root}, world.MountContexts{}); err != 0 {
			return err
		}
		if fs == nil || !fs.reconfigures {
			return notModelled(c, world.Path{}, "what a reconfigured "+x.Type+" accepts", story.EBUSY, story.EROFS, story.EACCES)
		}
		if x.Flags&world.SBReadOnly != 0 {
			notModelled(c, world.Path{}, "whether somebody writes to the filesystem that becomes read-only", story.EBUSY)
		}
		return 0
	}
	if made && !x.Spent {
		return contextBusy(c, fd)
	}
	if a.Key == "source" && a.Cmd == setString {
		c.Mounting = check.Mounting{Op: check.MountConfig, FD: fd, Source: a.Value}
		return 0
	}
	opt := a.Key
	switch a.Cmd {
	case setFlag:
	case setString:
		opt += "=" + a.Value
	default:
		return notModelled(c, world.Path{}, "what the filesystem does with a path, a descriptor or bytes", story.EBADF, story.ENOENT, story.EOPNOTSUPP)
	}
	if _, contexts, err := labelOptions(c, world.Path{}, x.Type, opt); err != 0 {
		return err
	} else if contexts != (world.MountContexts{}) {
		return notModelled(c, world.Path{}, "how a context labels the filesystem that is configured", story.EINVAL, story.EACCES)
	}
	if err := parseOptions(c, world.Path{}, x.Type, opt, false); err != 0 {
		return err
	}
	if a.Cmd == setFlag && (a.Key == "ro" || a.Key == "rw") {
		c.Mounting = check.Mounting{Op: check.MountConfig, FD: fd, Type: a.Key}
	}
	return 0
}

// createContext is vfs_cmd_create.
func createContext(c *check.Check, f *world.FD, x *world.Context, fs *filesystem) story.Errno {
	if fs == nil {
		return notModelled(c, world.Path{}, "what a filesystem of type "+x.Type+" asks", story.EPERM, story.EBUSY, story.ENOENT, story.ENXIO, story.EACCES, story.ENOTBLK)
	}
	if err := mountCapable(c, world.Path{}, fs, x.UserNS); err != 0 {
		return err
	}
	if fs.device {
		if err := blockDevice(c, world.Path{}, Target{DFD: namei.AtFDCWD, Path: x.Source}); err != 0 {
			return err
		}
	}
	if fs.name == "overlay" {
		notModelled(c, world.Path{}, "what overlayfs makes of its layers", story.ENOENT, story.ENOTDIR, story.EBUSY, story.EROFS, story.ELOOP)
	}
	c.Mounting = check.Mounting{Op: check.MountConfig, FD: f.N, Recursive: true}
	return 0
}

// contextAt is what fsconfig and fsmount ask of their descriptor; without a context there is an errno, or nothing is known.
func contextAt(c *check.Check, fd int) (*world.FD, *world.Context, story.Errno) {
	f, err := opened(c, fd, story.OpMount)
	if err != 0 {
		return nil, nil, err
	}
	s := story.Step{Code: story.ContextDescriptor, Errno: story.EINVAL, Op: story.OpMount, Val: [3]uint64{uint64(int64(fd))}}
	switch {
	case f == nil:
		for _, e := range [...]story.Errno{story.EINVAL, story.EBUSY, story.EPERM} {
			c.MayEnd(e)
		}
		return nil, nil, 0
	case f.Kind == world.FDContext && f.Context != nil:
		return f, f.Context, 0
	case f.Kind == world.FDFile && !f.At.Known():
		c.Unknown(s)
		c.MayEnd(story.EBUSY)
		c.MayEnd(story.EPERM)
		return nil, nil, 0
	}
	return nil, nil, c.Refuse(s)
}

func contextBusy(c *check.Check, fd int) story.Errno {
	return c.Refuse(story.Step{Code: story.ContextPhase, Errno: story.EBUSY, Op: story.OpMount, Val: [3]uint64{uint64(int64(fd))}})
}

// FSMount is fsmount(2).
func FSMount(c *check.Check, fd int, flags, attr uint64) story.Errno {
	if err := mayMount(c, world.Path{}); err != 0 {
		return err
	}
	a := world.AtimeKnown
	switch {
	case flags&^uint64(1) != 0:
		return Invalid(c, story.EINVAL, "fsmount knows FSMOUNT_CLOEXEC only")
	case attr&^uint64(attrValid&^attrIDMap) != 0:
		return Invalid(c, story.EINVAL, "fsmount does not know this attribute")
	}
	switch attr & attrAtime {
	case 0:
		a |= world.AtimeRelative
	case attrNoAtime:
		a |= world.AtimeNever
	case attrStrictAtime:
	default:
		return Invalid(c, story.EINVAL, "one way of keeping times of access")
	}
	if attr&attrNoDirAtime != 0 {
		a |= world.AtimeNoDir
	}
	_, x, err := contextAt(c, fd)
	if x == nil {
		return err
	}
	if x.SB == 0 {
		return c.Refuse(story.Step{Code: story.ContextEmpty, Errno: story.EINVAL, Op: story.OpMount, Val: [3]uint64{uint64(int64(fd))}})
	}
	m := mountsOf(c)
	if fs := filesystemOf(x.Type); fs != nil {
		if err := m.tooRevealing(world.Path{}, fs, attrFlags(attr), a); err != 0 {
			return err
		}
	}
	if x.Picked || x.Spent {
		return contextBusy(c, fd)
	}
	if err := freeDescriptor(c); err != 0 {
		return err
	}
	c.Mounting = check.Mounting{Op: check.MountDetached, FD: fd, Flags: attrFlags(attr), Atime: a}
	return 0
}

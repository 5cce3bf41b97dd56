package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Ioctl commands that the kernel handles for every file (do_vfs_ioctl).
const (
	fionclex, fioclex, fionbio                  = 0x5450, 0x5451, 0x5421
	iocGetFlags, iocSetFlags                    = 0x80086601, 0x40086602
	iocFSGetXattr, iocFSSetXattr                = 0x801c581f, 0x401c5820
	ttyGetAttr, ttyGetWindow, ttyGetGroup       = 0x5401, 0x5413, 0x540f
	ttyGetAttr2                                 = 0x802c542a
	ioctlClone, ioctlFreeze, ioctlThaw, figetbs = 0x40049409, 0xc0045877, 0xc0045878, 2
)

// IoctlArg is the third argument of ioctl.
type IoctlArg struct {
	Val   uint64
	Fault bool // an address that is not readable
	Attr  FileAttr
	Text  string // the command as it is written
}

// Ioctl is SYSCALL_DEFINE3(ioctl) and do_vfs_ioctl.
func Ioctl(c *check.Check, fd int, cmd uint64, a IoctlArg) story.Errno {
	f, err := file(c, fd, story.OpLook)
	if f == nil {
		return err
	}
	if err := c.LSM.FileIoctl(c, f, cmd); err != 0 {
		return err
	}
	if f.Kind == world.FDSocket {
		if handled, err := socketIoctl(c, f.Socket, cmd, a.Fault); handled {
			return err
		}
	}
	fault := func() story.Errno {
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpLook})
	}
	switch cmd {
	case fionclex, fioclex:
		return 0
	case fionbio:
		if a.Fault {
			return fault()
		}
		return 0
	case iocGetFlags, iocFSGetXattr:
		if err := GetFileAttr(c, f.Path, false); err != 0 {
			return err
		}
		if a.Fault {
			return fault()
		}
		return 0
	case iocSetFlags, iocFSSetXattr:
		if a.Fault {
			return fault()
		}
		a.Attr.X = cmd == iocFSSetXattr
		return SetFileAttr(c, f.Path, a.Attr)
	case ioctlClone:
		return CloneFile(c, f, int(int32(a.Val)))
	case ioctlFreeze, ioctlThaw: // asked in the user namespace of the filesystem
		if err := Capable(c, c.W.FS.SBOf(f.Path.Dentry).UserNS, check.RealmSuperblock, kernel.CapSysAdmin, f.Path, story.OpMount); err != 0 {
			return err
		}
	case ttyGetAttr, ttyGetWindow, ttyGetGroup, ttyGetAttr2: // of terminals alone: other files have no such command
		if f.At.Known() && f.Kind == world.FDFile && f.Path != (world.Path{}) {
			switch ino := c.W.FS.I(f.Path.Dentry); {
			case ino.Known&world.KnownType == 0:
			case ino.Is(world.TypeReg), ino.Is(world.TypeDir), ino.Is(world.TypeFIFO):
				s := story.Step{Code: story.IoctlUnknown, Errno: story.ENOTTY, Op: story.OpLook, Obj: f.Path.Ref(), Fact: [3]story.Origin{f.At}, Val: [3]uint64{c.Word(a.Text)}}
				return c.Refuse(s)
			}
		}
	case figetbs:
		if a.Fault {
			return fault()
		}
		if f.Path != (world.Path{}) {
			return 0
		}
	}
	s := story.Step{Code: story.IoctlUnknown, Errno: story.ENOTTY, Op: story.OpLook, Obj: f.Path.Ref(), Fact: [3]story.Origin{f.At}}
	if c.Recording() {
		s.Val[0] = c.Word(a.Text)
	}
	c.Unknown(s)
	for _, e := range [...]story.Errno{story.EPERM, story.EACCES, story.EINVAL, story.EFAULT, story.EBADF} {
		c.MayEnd(e)
	}
	return 0
}

package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// mmap's flags and protections.
const (
	protRead, protWrite, protExec = 1, 2, 4

	mapShared, mapPrivate, mapValidate = 1, 2, 3
	mapFixed                           = 0x10
	MapAnonymous                       = 0x20
	mapGrowsDown                       = 0x100
	mapLocked                          = 0x2000
	mapHugeTLB                         = 0x40000
	mapSync                            = 0x80000
	mapFixedNoReplace                  = 0x100000
)

// MapArgs are mmap's arguments.
type MapArgs struct {
	Addr, Len, Prot, Flags uint64
	FD                     int
	Off                    uint64
}

const pageMask = 4095

// Mmap is ksys_mmap_pgoff and do_mmap.
func Mmap(c *check.Check, m MapArgs) story.Errno {
	if m.Off&pageMask != 0 {
		return Invalid(c, story.EINVAL, "the offset is no multiple of the page size")
	}
	var f *world.FD
	if m.Flags&MapAnonymous == 0 {
		var err story.Errno
		if f, err = file(c, m.FD, story.OpLook); err != 0 {
			return err
		}
		if f == nil {
			for _, e := range [...]story.Errno{story.EACCES, story.EPERM, story.ENODEV} {
				c.MayEnd(e)
			}
			return 0
		}
	}
	at := world.Path{}
	if f != nil {
		at = f.Path
	}
	if err := c.LSM.MmapFile(c, f, m.Prot, m.Flags&15 == mapShared); err != 0 {
		return err
	}
	switch {
	case m.Len == 0:
		return Invalid(c, story.EINVAL, "the length is 0")
	case m.Len > 1<<47:
		return Invalid(c, story.ENOMEM, "the mapping does not fit into the address space")
	}
	if err := mapAddress(c, m); err != 0 {
		return err
	}
	if m.Flags&mapLocked != 0 {
		if err := mayLock(c, at); err != 0 {
			return err
		}
	}
	if f != nil {
		return mapFile(c, m, f)
	}
	if t := m.Flags & 15; t != mapShared && t != mapPrivate {
		return Invalid(c, story.EINVAL, "a mapping is either MAP_SHARED or MAP_PRIVATE")
	}
	return 0
}

// mapAddress is get_unmapped_area with cap_mmap_addr: a hint below the limit is rounded up, a fixed address is refused.
func mapAddress(c *check.Check, m MapArgs) story.Errno {
	if m.Flags&(mapFixed|mapFixedNoReplace) == 0 {
		return 0
	}
	if m.Addr&pageMask != 0 {
		return Invalid(c, story.EINVAL, "the address is no multiple of the page size")
	}
	least := c.W.Sysctl(kernel.MmapMinAddr)
	cr := c.Cred
	s := story.Step{Code: story.MapMinAddr, Errno: story.EPERM, Op: story.OpLook, Fact: [3]story.Origin{0, least.At, cr.EffectiveAt}, Val: [3]uint64{m.Addr, uint64(least.V), uint64(cr.Effective)}}
	if least.Known() && m.Addr >= uint64(least.V) {
		return c.LSM.MmapAddr(c, m.Addr)
	}
	switch a := asks(c, cr, 0, kernel.CapSysRawio, check.RealmInitial); {
	case a == kernel.Yes:
		c.Pass(s)
	case !least.Known() && m.Addr >= 1<<20, a == kernel.NotKnown, !least.Known():
		if m.Addr < 1<<20 || least.Known() { // nobody sets it as high as a megabyte
			c.Unknown(s)
		}
	default:
		return c.Deny(s)
	}
	return c.LSM.MmapAddr(c, m.Addr)
}

// mayLock is can_do_mlock.
func mayLock(c *check.Check, p world.Path) story.Errno {
	limit := c.W.Task.Rlimits[rlimitMemlock]
	if limit.Known() && limit.V.Cur != 0 {
		return 0
	}
	if limit.Known() || capable(c, 0, kernel.CapIpcLock, check.RealmInitial) == kernel.Yes {
		return Capable(c, 0, check.RealmInitial, kernel.CapIpcLock, p, story.OpLook)
	}
	c.Unknown(story.Step{Code: story.CapNeeded, Errno: story.EPERM, Op: story.OpLook, Obj: p.Ref(), Fact: [3]story.Origin{c.Cred.EffectiveAt, limit.At}, Val: [3]uint64{uint64(kernel.CapIpcLock), 0, uint64(c.Cred.Effective)}})
	return 0
}

// mapFile is the part of do_mmap that looks at the file.
func mapFile(c *check.Check, m MapArgs, f *world.FD) story.Errno {
	ino := c.W.FS.I(f.Path.Dentry)
	write := f.Flags&OAccMode == OWronly || f.Flags&OAccMode == ORdwr
	switch m.Flags & 15 {
	case mapValidate, mapShared:
		if m.Flags&15 == mapValidate {
			const known = 15 | mapFixed | MapAnonymous | 0x40 | mapGrowsDown | 0x800 | 0x1000 | mapLocked | 0x4000 | 0x8000 | 0x10000 | 0x20000 | mapHugeTLB | 0x80000000000
			if m.Flags&^uint64(known) != 0 && m.Flags&^uint64(known|mapSync) == 0 {
				return lacks(c, f, "MAP_SYNC", story.EOPNOTSUPP, kernel.NotKnown)
			}
			if m.Flags&^uint64(known) != 0 {
				return Invalid(c, story.EOPNOTSUPP, "MAP_SHARED_VALIDATE refuses flags that it does not know")
			}
		}
		if m.Prot&protWrite != 0 {
			if err := mayUse(c, f, check.MayWrite, story.EACCES, story.MapMode); err != 0 {
				return err
			}
		}
		if ino.Attr&world.AttrAppend != 0 && write && !unsureFlags(f) {
			if err := c.Deny(story.Step{Code: story.MapAppend, Errno: story.EACCES, Op: story.OpWrite, Obj: f.Path.Ref(), Fact: [3]story.Origin{ino.At}}); err != 0 {
				return err
			}
		}
	case mapPrivate:
	default:
		return Invalid(c, story.EINVAL, "a mapping is either MAP_SHARED or MAP_PRIVATE")
	}
	if err := mayUse(c, f, check.MayRead, story.EACCES, story.MapMode); err != 0 {
		return err
	}
	if m.Prot&protExec != 0 {
		if err := mount.MayMapExec(c, f.Path); err != 0 {
			return err
		}
	}
	a := kernel.NotKnown
	switch {
	case ino.Is(world.TypeReg):
		switch c.W.FS.SB(ino.SB).Type {
		case "", "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "ramfs", "overlay", "rootfs", "devtmpfs":
			a = kernel.No
		case "nsfs":
			a = kernel.Yes
		}
	case ino.Is(world.TypeDir), ino.Is(world.TypeFIFO):
		a = kernel.Yes
	}
	if a == kernel.NotKnown {
		c.MayEnd(story.EINVAL)
	}
	if err := lacks(c, f, "mapping", story.ENODEV, a); err != 0 {
		return err
	}
	if m.Flags&mapGrowsDown != 0 {
		return Invalid(c, story.EINVAL, "the mapping of a file does not grow")
	}
	return 0
}

// Mprotect is do_mprotect_pkey: what is mapped at the address is not known.
func Mprotect(c *check.Check, addr, length, prot uint64) story.Errno {
	const known = protRead | protWrite | protExec | 8 | 0x1000000 | 0x2000000
	switch {
	case prot&0x3000000 == 0x3000000, addr&pageMask != 0, prot&^uint64(known) != 0:
		return Invalid(c, story.EINVAL, "the address is no multiple of the page size, or the protection has bits that there are none of")
	case length == 0:
		return 0
	case addr+length < addr:
		return Invalid(c, story.ENOMEM, "the range does not fit into the address space")
	}
	if err := c.LSM.FileMprotect(c, world.Path{}); err != 0 {
		return err
	}
	c.Unknown(story.Step{Code: story.MapUnknown, Errno: story.ENOMEM, Op: story.OpLook})
	c.MayEnd(story.EACCES)
	return 0
}

// MemfdCreate is SYSCALL_DEFINE2(memfd_create).
func MemfdCreate(c *check.Check, name string, null bool, flags uint64) story.Errno {
	const cloexec, sealing, huge, noexec, exec = 1, 2, 4, 8, 16
	execFlags := c.K.Has(kernel.MemfdExec)
	known := uint64(cloexec | sealing | huge)
	if execFlags != kernel.No {
		known |= noexec | exec
	}
	if flags&huge != 0 {
		known |= 63 << 26
	}
	switch {
	case flags&^known != 0, flags&(noexec|exec) == noexec|exec:
		return Invalid(c, story.EINVAL, "memfd_create does not know these flags together")
	}
	if execFlags != kernel.No && flags&exec != 0 { // without either flag the setting chooses one
		sys := c.W.Sysctl(kernel.MemfdNoexec)
		s := story.Step{Code: story.MemfdNoExec, Errno: story.EACCES, Op: story.OpCreate, Fact: [3]story.Origin{sys.At}, Val: [3]uint64{uint64(sys.V)}}
		switch {
		case !sys.Known():
			c.Unknown(s)
		case sys.V >= 2:
			return c.Deny(s)
		}
	}
	switch {
	case null:
		return c.Refuse(story.Step{Code: story.ArgFault, Errno: story.EFAULT, Op: story.OpCreate})
	case len(name) > 249:
		return Invalid(c, story.EINVAL, "the name has at most 249 bytes")
	}
	if flags&huge != 0 {
		c.Unknown(story.Step{Code: story.DescriptorData, Errno: story.ENODEV, Op: story.OpCreate, Val: [3]uint64{c.Word("making huge pages")}})
		c.MayEnd(story.ENOMEM)
	}
	return freeDescriptor(c)
}

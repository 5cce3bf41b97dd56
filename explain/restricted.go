package explain

import (
	"math/bits"
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of calls that a sysctl opens or closes: io_uring, userfaultfd, memfd_secret, and the keyrings.

var _ = add(map[string]Route{"io_uring_setup": ioUringSetup, "io_uring_enter": ioUringEnter, "io_uring_register": ioUringRegister, "userfaultfd": userfaultfd, "memfd_secret": memfdSecret,
	"add_key": addKey, "request_key": requestKey, "keyctl": keyctl})

// ioUringSetup asks who may before it looks at its structure.
func ioUringSetup(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.IOUring, story.ENOSYS); e != 0 {
		return e
	}
	if e := vfs.RingAllowed(c); e != 0 {
		return e
	}
	if e := c.LSM.OnSystem(c, story.HookUringAllowed, 0); e != 0 {
		return e
	}
	entries, p := uint32(call.Args[0].Val), &call.Args[1]
	flags := uint32(part(p, "flags"))
	switch {
	case p.Fault:
		return vfs.Fault(c)
	case part(p, "resv") != 0:
		return vfs.Invalid(c, story.EINVAL, "the reserved fields are 0")
	case flags&^16 != 0 || p.Cut:
		vfs.NotKnown(c, "which flags the kernel takes together", story.EINVAL, story.EPERM, story.EBADF, story.ENXIO)
	}
	if entries == 0 || entries > 32768 && flags&16 == 0 {
		return vfs.Invalid(c, story.EINVAL, "a ring has 1 to 32768 entries")
	}
	if e := vfs.RingMemory(c, ringBytes(entries)); e != 0 {
		return e
	}
	if e := c.LSM.AnonInode(c, "[io_uring]"); e != 0 {
		return e
	}
	if e := vfs.FreeDescriptor(c); e != 0 {
		return e
	}
	c.Pass(story.Step{Code: story.RingOpened, Op: story.OpSystem})
	return 0
}

// ringBytes is the memory of a ring with twice as many completions as submissions (rings_size, io_allocate_scq_urings): a head, an
// index for each submission and 16 bytes for each completion in one area, 64 bytes for each submission in another.
func ringBytes(entries uint32) uint64 {
	const head, page = 256, 4096
	n := uint64(1) << bits.Len32(min(entries, 32768)-1)
	return (head+n*(4+2*16)+page-1)&^(page-1) + (n*64+page-1)&^(page-1)
}

// ring refuses a descriptor that is no ring; what a ring does with a call is not known.
func ring(c *check.Check, a *syscalls.Arg) story.Errno {
	if strings.HasPrefix(a.FDPath, "anon_inode:") {
		return vfs.NotKnown(c, "what the ring holds", story.EINVAL, story.EBUSY, story.EFAULT, story.EBADFD, story.EOPNOTSUPP)
	}
	return vfs.OtherDescriptor(c, dfd(a), "ring", story.EOPNOTSUPP)
}

func ioUringEnter(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.IOUring, story.ENOSYS); e != 0 {
		return e
	}
	switch flags := uint32(call.Args[3].Val); {
	case flags&^0xff != 0:
		return vfs.Invalid(c, story.EINVAL, "io_uring_enter does not know these flags")
	case flags&^7 != 0:
		vfs.NotKnown(c, "whether the kernel takes these flags", story.EINVAL)
	}
	return ring(c, &call.Args[0])
}

func ioUringRegister(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.IOUring, story.ENOSYS); e != 0 {
		return e
	}
	op := uint32(call.Args[1].Val)
	if op&^(1<<31) >= 0x100 {
		return vfs.Invalid(c, story.EINVAL, "io_uring_register does not know this operation")
	}
	if op > 20 || dfd(&call.Args[0]) == -1 {
		vfs.NotKnown(c, "whether the kernel knows this operation", story.EINVAL)
	}
	return ring(c, &call.Args[0])
}

// userfaultfd: who handles only its own faults is asked for nothing.
func userfaultfd(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.Userfaultfd, story.ENOSYS); e != 0 {
		return e
	}
	flags := uint32(call.Args[0].Val)
	const own, shared = 1, 0o2004000
	switch newer := c.K.AtLeast(5, 11); {
	case flags&own != 0 && newer == kernel.Yes:
	case flags&own != 0:
		vfs.NotKnown(c, "whether the kernel knows UFFD_USER_MODE_ONLY", story.EINVAL, story.EPERM)
	default:
		if e := vfs.SettingOpens(c, kernel.UnprivilegedUserfaultfd, kernel.CapSysPtrace); e != 0 {
			return e
		}
	}
	if flags&^(own|shared) != 0 {
		return vfs.Invalid(c, story.EINVAL, "userfaultfd does not know these flags")
	}
	if e := vfs.FreeDescriptor(c); e != 0 {
		return e
	}
	return c.LSM.AnonInode(c, "[userfaultfd]")
}

// memfdSecret: a boot parameter (secretmem.enable) switches it off too; the world's feature is what both come to.
func memfdSecret(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.SecretMemory, story.ENOSYS); e != 0 {
		return e
	}
	if uint32(call.Args[0].Val)&^0o2000000 != 0 {
		return vfs.Invalid(c, story.EINVAL, "memfd_secret knows O_CLOEXEC")
	}
	if e := vfs.FreeDescriptor(c); e != 0 {
		return e
	}
	return c.LSM.AnonInode(c, "[secretmem]")
}

// keyType is key_get_type_from_user.
func keyType(c *check.Check, a *syscalls.Arg) story.Errno {
	switch {
	case a.Fault:
		return vfs.Fault(c)
	case a.Str == "" || len(a.Str) >= 32:
		return vfs.Invalid(c, story.EINVAL, "a type's name has 1 to 31 bytes")
	case a.Str[0] == '.':
		return vfs.Invalid(c, story.EPERM, "types that begin with a dot are the kernel's own")
	}
	return 0
}

// addKey checks its strings; the keyring, its permissions and quotas are not known.
func addKey(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.Keys, story.ENOSYS); e != 0 {
		return e
	}
	a := call.Args
	size := a[3].Val
	if size > 1<<20-1 {
		return vfs.Invalid(c, story.EINVAL, "a key holds less than a megabyte")
	}
	if e := keyType(c, &a[0]); e != 0 {
		return e
	}
	switch desc := &a[1]; {
	case isNull(desc):
	case desc.Fault:
		return vfs.Fault(c)
	case len(desc.Str) >= 4096:
		return vfs.Invalid(c, story.EINVAL, "a description is shorter than 4096 bytes")
	case strings.HasPrefix(desc.Str, ".") && strings.HasPrefix(a[0].Str, "keyring"):
		return vfs.Invalid(c, story.EPERM, "keyrings that begin with a dot are the kernel's own")
	}
	if size > 0 && a[2].Fault {
		return vfs.Fault(c)
	}
	return keys(c, story.EINVAL, story.ENODEV, story.EDQUOT)
}

// keys says that keyrings are not modelled.
func keys(c *check.Check, more ...story.Errno) story.Errno {
	for _, e := range more {
		c.MayEnd(e)
	}
	return vfs.NotKnown(c, "which keys and keyrings there are, and whose", story.ENOKEY, story.EACCES, story.EKEYREVOKED, story.EKEYEXPIRED)
}

func requestKey(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.Keys, story.ENOSYS); e != 0 {
		return e
	}
	a := call.Args
	if e := keyType(c, &a[0]); e != 0 {
		return e
	}
	switch {
	case a[1].Fault, a[2].Fault && !isNull(&a[2]):
		return vfs.Fault(c)
	case len(a[1].Str) >= 4096 || len(a[2].Str) >= 4096:
		return vfs.Invalid(c, story.EINVAL, "a description is shorter than 4096 bytes")
	}
	return keys(c, story.EINVAL, story.EDQUOT, story.EKEYREJECTED, story.ENOENT)
}

// keyctl checks what stands before a key is looked up.
func keyctl(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.Keys, story.ENOSYS); e != 0 {
		return e
	}
	a := call.Args
	switch op := uint32(a[0].Val); {
	case op > 32:
		return vfs.Invalid(c, story.EOPNOTSUPP, "keyctl does not know this operation")
	case op == 1 && (a[1].Absent || a[1].Val == 0): // KEYCTL_JOIN_SESSION_KEYRING of a new one
		return vfs.NotKnown(c, "how much of its quota the user has used", story.EDQUOT)
	case op == 4 && uint32(a[2].Val) == ^uint32(0) && uint32(a[3].Val) == ^uint32(0) && !a[3].Absent:
		return vfs.Unchecked(c, "keyctl_chown_key of nothing")
	case op == 5 && uint32(a[2].Val)&^0x3f3f3f3f != 0:
		return vfs.Invalid(c, story.EINVAL, "there are six rights for each of four")
	}
	return keys(c, story.EINVAL, story.EPERM, story.EOPNOTSUPP, story.EDQUOT, story.EFAULT, story.ENOTDIR, story.ENOENT)
}

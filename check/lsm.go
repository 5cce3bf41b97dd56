package check

import (
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// LSM is the stack of security modules, a method a hook. Routes call the hooks where the kernel does; those of which no module
// that is modelled has rules go through Hook.
type LSM interface {
	InodePermission(c *Check, cr *world.Cred, p world.Path, mask Mask) story.Errno
	InodeFollowLink(c *Check, p world.Path) story.Errno
	InodeReadlink(c *Check, p world.Path) story.Errno
	InodeGetattr(c *Check, p world.Path) story.Errno
	InodeSetattr(c *Check, p world.Path, what Setting) story.Errno
	InodeCreate(c *Check, dir world.Path, name string) story.Errno
	InodeMkdir(c *Check, dir world.Path, name string) story.Errno
	InodeMknod(c *Check, dir world.Path, name string, typ uint16) story.Errno
	InodeSymlink(c *Check, dir world.Path, name string) story.Errno
	InodeLink(c *Check, old, dir world.Path) story.Errno
	InodeUnlink(c *Check, dir, victim world.Path) story.Errno
	InodeRmdir(c *Check, dir, victim world.Path) story.Errno
	InodeRename(c *Check, r Renaming) story.Errno
	InodeGetxattr(c *Check, p world.Path) story.Errno
	InodeSetxattr(c *Check, p world.Path, name, value string, size uint64) story.Errno
	InodeListxattr(c *Check, p world.Path) story.Errno
	InodeRemovexattr(c *Check, p world.Path, name string) story.Errno
	InodeGetACL(c *Check, p world.Path) story.Errno
	InodeSetACL(c *Check, p world.Path) story.Errno
	InodeRemoveACL(c *Check, p world.Path) story.Errno
	InodeFileGetattr(c *Check, p world.Path) story.Errno
	InodeFileSetattr(c *Check, p world.Path) story.Errno

	// PathMknod is asked before a name is made by mknod or open; typ is the file's type.
	PathMknod(c *Check, dir world.Path, typ uint16, whiteout bool) story.Errno
	PathMkdir(c *Check, dir world.Path) story.Errno
	PathSymlink(c *Check, dir world.Path) story.Errno
	PathLink(c *Check, old, dir world.Path) story.Errno
	PathUnlink(c *Check, dir, victim world.Path) story.Errno
	PathRmdir(c *Check, dir, victim world.Path) story.Errno
	PathRename(c *Check, r Renaming) story.Errno
	PathTruncate(c *Check, p world.Path) story.Errno
	PathChmod(c *Check, p world.Path) story.Errno
	PathChown(c *Check, p world.Path) story.Errno
	PathChroot(c *Check, p world.Path) story.Errno
	PathNotify(c *Check, p world.Path, what Watching) story.Errno

	// FileOpen is asked with what the file is opened for: MayRead, MayWrite, MayExec.
	FileOpen(c *Check, p world.Path, acc Mask) story.Errno
	// FileTruncate is asked of an open file; fd is nil where the call itself has just opened it.
	FileTruncate(c *Check, p world.Path, fd *world.FD) story.Errno
	FilePermission(c *Check, f *world.FD, mask Mask) story.Errno
	FileIoctl(c *Check, fd *world.FD, cmd uint64) story.Errno
	FileLock(c *Check, f *world.FD) story.Errno
	FileFcntl(c *Check, f *world.FD, cmd, arg uint64) story.Errno
	FileMprotect(c *Check, p world.Path) story.Errno
	// MmapFile is asked with the protection; f is nil for memory without a file.
	MmapFile(c *Check, f *world.FD, prot uint64, shared bool) story.Errno
	MmapAddr(c *Check, addr uint64) story.Errno

	SbMount(c *Check, p world.Path, remount bool) story.Errno
	// SbEatOptions is asked of the contexts among a mount's options, SbKernMount of the new filesystem with them.
	SbEatOptions(c *Check, contexts world.MountContexts) story.Errno
	SbKernMount(c *Check, fstype string, contexts world.MountContexts, user world.UserNSID) story.Errno
	SbRemount(c *Check, p world.Path, contexts world.MountContexts) story.Errno
	SbUmount(c *Check, p world.Path) story.Errno
	SbPivotroot(c *Check, p world.Path) story.Errno
	SbStatfs(c *Check, p world.Path) story.Errno
	MoveMount(c *Check, p world.Path) story.Errno

	// SocketBind and SocketConnect are asked for a socket's address.
	SocketBind(c *Check, a SocketAddress) story.Errno
	SocketConnect(c *Check, a SocketAddress) story.Errno
	// PtraceAccessCheck and TaskKill are asked for another process.
	PtraceAccessCheck(c *Check, target *world.Process, attach bool) story.Errno
	TaskKill(c *Check, target *world.Process, sig int) story.Errno
	// OnTask is any other hook on a task; itself says that it is the calling one.
	OnTask(c *Check, h story.Hook, target *world.Process, itself bool, op story.Op, arg uint64) story.Errno
	SocketCreate(c *Check, family, typ, protocol int) story.Errno
	// OnSocket is any other hook on a socket, OnIPC one on an object of System V IPC.
	OnSocket(c *Check, h story.Hook, s *world.Socket, op story.Op) story.Errno
	// OnFile is one of an open file that no path leads to.
	OnFile(c *Check, h story.Hook, f *world.FD, op story.Op) story.Errno
	OnIPC(c *Check, h story.Hook, o *world.IPCObject, op story.Op, arg uint64) story.Errno
	// AnonInode is asked for a file without a name of this kind.
	AnonInode(c *Check, kind string) story.Errno
	// OnSystem is a hook that is asked with a number.
	OnSystem(c *Check, h story.Hook, arg uint64) story.Errno
	// LockedDown is security_locked_down.
	LockedDown(c *Check, what Lockdown, p world.Path) story.Errno

	// Capable is security_capable behind the kernel's own answer, which was yes.
	Capable(c *Check, want kernel.Cap, initial bool) kernel.Answer

	// Hook is asked at any other hook.
	Hook(c *Check, h story.Hook, p world.Path, op story.Op) story.Errno
}

// Question is what a hook is asked. What it has no use for is zero.
type Question struct {
	Hook     story.Hook
	Op       story.Op
	Mask     Mask
	Type     uint16      // of a file that is made
	Itself   bool        // Target is the calling task
	Path     world.Path  // the object, or the directory of a name that is made
	Object   world.Path  // of a link what it leads to, of a name that is removed its directory
	Cred     *world.Cred // who asks; nil: Check.Cred
	File     *world.FD
	Target   *world.Process
	Socket   *world.Socket
	Address  SocketAddress
	IPC      *world.IPCObject
	Name     string // that is made, the attribute's, or the kind of a file without a name
	Value    string // of the attribute
	Args     [3]uint64
	Renaming Renaming
	Contexts world.MountContexts
}

// Setting is what inode_setattr is asked for.
type Setting uint8

const (
	SetAttributes Setting = iota // mode, owner, or times that are given
	SetTouched                   // the times become now, or nothing changes
	SetSize                      // truncate(2)
	SetSizeOpen                  // of an open file
)

// Watching is what path_notify is asked for.
type Watching uint8

const (
	WatchReads      Watching = 1 << iota // events of reading
	WatchPermission                      // events that wait for an answer
	WatchMount                           // of a mount
	WatchFilesystem                      // of a filesystem
)

// AVC is a refusal as SELinux writes it into its record.
type AVC struct{ Source, Target, Class, Perms string }

// Renaming is what rename does, as path_rename sees it. To is the zero Path where the new name is missing.
type Renaming struct {
	From, FromDir, To, ToDir world.Path
	Name                     string // the new one
	Exchange, Whiteout       bool
}

// SocketAddress is what bind and connect are asked for. Kinds that no module has rules for have neither TCP nor Abstract.
type SocketAddress struct {
	Of       *world.Socket
	Host     string // as it was written; "": not an address of IP
	TCP      bool   // a TCP socket of IPv4 or IPv6
	Socket   int    // its family
	Family   int    // the address's
	Len      int64
	Any      bool // the address is INADDR_ANY
	Port     uint16
	Abstract bool // an abstract UNIX address
	Unsure   bool // what the address holds is not known
}

// What perf_event_open asks for (PERF_SECURITY_OPEN and its like).
const (
	PerfOpen = iota
	PerfCPU
	PerfKernel
)

// Lockdown is a reason of lockdown's, in the order of enum lockdown_reason: those below LockdownIntegrity are refused in both
// modes.
type Lockdown uint8

const (
	LockdownNone Lockdown = iota
	LockdownModuleSignature
	LockdownDevMem
	LockdownEFITest
	LockdownKexec
	LockdownHibernation
	LockdownPCIAccess
	LockdownIOPort
	LockdownMSR
	LockdownACPITables
	LockdownDeviceTree
	LockdownPCMCIA
	LockdownTIOCSSERIAL
	LockdownModuleParameters
	LockdownMMIOTrace
	LockdownDebugfs
	LockdownXmonWrite
	LockdownBPFWriteUser
	LockdownDbgWriteKernel
	LockdownRTASErrorInjection
	LockdownIntegrity
	LockdownKcore
	LockdownKprobes
	LockdownBPFRead
	LockdownDbgReadKernel
	LockdownPerf
	LockdownTracefs
	LockdownXmonRead
	LockdownXFRMSecret
	LockdownConfidentiality
)

var lockdownNames = [...]string{"none", "unsigned module loading", "/dev/mem,kmem,port", "/dev/efi_test access", "kexec of unsigned images", "hibernation", "direct PCI access",
	"raw io port access", "raw MSR access", "modifying ACPI tables", "modifying device tree contents", "direct PCMCIA CIS storage", "reconfiguration of serial port IO",
	"unsafe module parameters", "unsafe mmio", "debugfs access", "xmon write access", "use of bpf to write user RAM", "use of kgdb/kdb to write kernel RAM",
	"RTAS error injection", "integrity", "/proc/kcore access", "use of kprobes", "use of bpf to read kernel RAM", "use of kgdb/kdb to read kernel RAM",
	"unsafe use of perf", "use of tracefs", "xmon read and write access", "xfrm SA secret", "confidentiality"}

// String returns the kernel's words for it, as they stand in its log.
func (l Lockdown) String() string { return lockdownNames[l] }

// MetHook is a hook that a route has come to.
type MetHook struct {
	Hook story.Hook
	Path world.Path
	Op   story.Op
}

// Meet keeps a hook that the route has come to, while a story is told.
func (c *Check) Meet(h story.Hook, p world.Path, op story.Op) {
	if c.Recording() {
		c.hooks = append(c.hooks, MetHook{h, p, op})
	}
}

// Met returns the hooks in the order of the call; it is good until the next Reset.
func (c *Check) Met() []MetHook { return c.hooks }

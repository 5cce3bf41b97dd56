// Package edits holds what can be changed where a call is refused, whatever the world was made from: from the check that refused it
// goes to the facts that decided, and leaves it to the input's own words how and where such a fact is changed. A process that runs and a
// snapshot have their words here: shell commands for what a person can change on the machine, and the fields of whoever
// starts the process for what only a new start changes.
package edits

import (
	"strings"

	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Words say a change in the terms of one input, and make it an edit. What is so already, or cannot be said, they leave out.
type Words interface {
	File(f File)
	Capability(c kernel.Cap)
	RunAs(uid, gid uint32) // as the container sees them
	Group(gid uint32)
	NoNewPrivs()
	InitialUserNS()
	HostNetwork()
	OwnNetwork()
	Sysctl(s kernel.Sysctl, v int)
	Limit(r Resource)
	Device(ino *world.Inode)
	Remount(flag world.MountFlags)
	UnmaskProc()
	Make(dir world.Path, names []string, mode uint16) // names in a directory, the last one with the mode
}

// File is a change of one file.
type File struct {
	At      world.Path
	Command func(path string) string // in the words of a shell, where the file is called so
	Text    string
	Exposes string
	Risk    story.Risk
	Change  func(ino *world.Inode)
}

// Resource is a limit of setrlimit(2), as prlimit(1) calls it.
type Resource struct {
	Number int
	Name   string
}

// The limits that decide calls.
var (
	FileSize  = Resource{1, "fsize"}
	Processes = Resource{6, "nproc"}
	OpenFiles = Resource{7, "nofile"}
	LockedMem = Resource{8, "memlock"}
	Nice      = Resource{13, "nice"}
	RTPrio    = Resource{14, "rtprio"}
)

// Refusal is a check that refused a call, with the words of its input.
type Refusal struct {
	W *world.World
	world.Refused
	Obj  world.Path
	Path string // of the object, as the container sees it
	// Through is set where a person changes files by the mount that the task sees them on, whose id map then counts.
	Through bool
	Words   Words
}

// New is the refusal of a call in a world.
func New(w *world.World, r world.Refused, words Words) *Refusal {
	return &Refusal{W: w, Refused: r, Obj: world.PathOf(r.Step.Obj), Path: r.Entry.Object, Words: words}
}

// fact returns one of the facts that the check compared, in words.
func (r *Refusal) fact(k int) string {
	if k < len(r.Entry.Facts) {
		return r.Entry.Facts[k].Value
	}
	return ""
}

// Offer offers what may let the call pass the check, narrow changes first; false where the check looks at nothing of the world.
func (r *Refusal) Offer() bool {
	s := &r.Step
	switch s.Code {
	case story.ModeBits, story.ACLBits, story.ModeNoExec, story.OverlayMounter:
		r.permission()
	case story.UserNSOwner:
		r.chown()
		r.chmod()
		r.Words.InitialUserNS()
	case story.UserNSWrite, story.UserNSCreate, story.UserNSCopyUp, story.UserNSIDs, story.UserNSArgument, story.XattrUnmapped:
		r.chownBoth()
		r.Words.InitialUserNS()
	case story.StickyDelete, story.OwnerOnly, story.OpenNoAtime, story.ProtectedHardlink, story.XattrSticky:
		r.ofOwner()
	case story.LeaseOwner:
		r.owner()
		r.chown()
		r.Words.Capability(kernel.CapLease)
	case story.GroupOnly:
		r.owner()
		r.Words.Group(r.seenGroup(uint32(s.Val[1])))
		r.capability(kernel.CapChown)
	case story.Immutable, story.AppendOnly, story.FixedAttributes, story.AppendDirectory, story.MapAppend:
		r.chattr()
	case story.ProtectedCreate, story.ProtectedSymlink:
		r.protected()
	case story.SELinuxAccess:
		r.selinux()
	case story.SysctlMode:
		r.Words.RunAs(0, 0)
	case story.DevicesCgroup:
		r.Words.Device(r.W.FS.I(r.Obj.Dentry))
	case story.SuperReadOnly:
		r.Words.Remount(0)
	case story.MountReadOnly:
		r.Words.Remount(world.MountReadOnly)
	case story.MountNoDev:
		r.Words.Remount(world.MountNoDev)
	case story.MountNoExec, story.MapNoExec:
		r.Words.Remount(world.MountNoExec)
	case story.MountNoSymFollow:
		r.Words.Remount(world.MountNoSymFollow)
	case story.NameMissing, story.SymlinkLimit, story.OverlayWhiteout:
		r.Missing()
	case story.MountRevealing:
		r.Words.UnmaskProc()
	default:
		return r.privilege() || r.setting()
	}
	return true
}

// privilege offers capabilities, ids and namespaces.
func (r *Refusal) privilege() bool {
	s := &r.Step
	switch s.Code {
	case story.CapNeeded, story.IDMapCapability, story.IDMapPrivilege, story.SetgroupsOpen:
		r.capability(kernel.Cap(s.Val[0]))
	case story.IDMapRoot:
		r.capability(kernel.CapSetfcap)
	case story.ProcessDumpable:
		r.capability(kernel.Cap(s.Val[1]))
	case story.ProcessCaps:
		r.capability(kernel.Cap(s.Val[2]))
	case story.ProcessOwner:
		r.Words.RunAs(r.seen(uint32(s.Val[0]>>32)), r.seenGroup(uint32(s.Val[0])))
		r.capability(kernel.Cap(s.Val[2]))
	case story.CapsetBeyond:
		for c := kernel.Cap(0); c < kernel.NumCaps; c++ {
			if world.CapSet(s.Val[1] &^ s.Val[2]).Has(c) {
				r.capability(c)
			}
		}
	case story.AmbientRefused:
		r.capability(kernel.Cap(s.Val[0]))
	case story.SeccompInstall, story.LandlockPrivilege:
		r.Words.NoNewPrivs()
		r.capability(kernel.CapSysAdmin)
	case story.NetCapability:
		for _, name := range strings.Fields(r.fact(0)) {
			if c, ok := kernel.ParseCap(strings.Trim(name, ",")); ok {
				r.Words.Capability(c)
			}
		}
		r.Words.RunAs(0, 0)
	case story.NetCapabilityNS:
		r.Words.OwnNetwork()
		r.Words.InitialUserNS()
	case story.UserNSCap, story.UserNSCreator, story.IDUnmapped, story.IDMapParent, story.SetgroupsDenied:
		r.Words.InitialUserNS()
	case story.XattrTrusted, story.FanotifyUnprivileged:
		r.capability(kernel.CapSysAdmin)
		r.Words.InitialUserNS()
	case story.HandleDecode:
		r.capability(kernel.CapDacReadSearch)
		r.Words.InitialUserNS()
	case story.ExecIncapable:
		r.dropFileCaps()
		for c := kernel.Cap(0); c < kernel.NumCaps; c++ {
			if world.CapSet(s.Val[1]).Has(c) {
				r.Words.Capability(c)
			}
		}
	case story.ExecBadCaps:
		r.dropFileCaps()
	case story.IPCMode:
		r.Words.RunAs(r.seen(uint32(s.Val[2]>>32)), r.seenGroup(uint32(s.Val[2])))
		r.capability(kernel.CapIpcOwner)
	case story.IPCOwner:
		r.Words.RunAs(r.seen(uint32(s.Val[1]>>32)), r.seenGroup(uint32(s.Val[1])))
		r.capability(kernel.Cap(s.Val[2]))
	case story.QueueMode:
		r.Words.RunAs(r.seen(uint32(s.Val[1]>>32)), r.seenGroup(uint32(s.Val[1])))
	case story.QueueSticky:
		r.Words.RunAs(r.seen(uint32(s.Val[0]>>32)), r.seenGroup(uint32(s.Val[0])))
		r.capability(kernel.CapFowner)
	case story.QueueIDs:
		r.Words.InitialUserNS()
	case story.AddressLocal:
		r.Words.HostNetwork()
	default:
		return false
	}
	return true
}

// setting offers sysctls and limits, and the capabilities that go past them.
func (r *Refusal) setting() bool {
	s := &r.Step
	switch s.Code {
	case story.UserNSUnprivileged:
		r.Words.Sysctl(kernel.UnprivilegedUsernsClone, 1)
		r.capability(kernel.CapSysAdmin)
	case story.NamespaceLimit:
		if set, ok := kernel.ParseSysctl("user.max_" + r.fact(0) + "_namespaces"); ok && s.Val[1] == 0 {
			r.Words.Sysctl(set, 15000)
		}
	case story.PrivilegedPort:
		r.Words.Sysctl(kernel.IPUnprivilegedPortStart, int(s.Val[0]))
		r.capability(kernel.CapNetBindService)
	case story.PingGroups:
		r.Words.Sysctl(kernel.PingGroupRange, kernel.PackRange(0, 1<<31-1))
	case story.YamaScope:
		r.Words.Sysctl(kernel.PtraceScope, 0)
		r.capability(kernel.CapSysPtrace)
	case story.SettingForbids, story.SettingNeedsCap:
		if set, ok := kernel.ParseSysctl(r.fact(0)); ok {
			for _, v := range opens(set) {
				r.Words.Sysctl(set, v)
			}
		}
		if s.Code == story.SettingNeedsCap {
			r.capability(kernel.Cap(s.Val[2]))
		}
	case story.MapMinAddr:
		r.Words.Sysctl(kernel.MmapMinAddr, 0)
		r.capability(kernel.CapSysRawio)
	case story.MemfdNoExec:
		r.Words.Sysctl(kernel.MemfdNoexec, 0)
	case story.MountMax:
		if now := r.W.Sysctl(kernel.FSMountMax); now.Known() {
			r.Words.Sysctl(kernel.FSMountMax, max(2*now.V, 100000))
		}
	case story.IPCLimit:
		if set, ok := kernel.ParseSysctl(r.fact(0)); ok && s.Val[2] < 1<<31 {
			r.Words.Sysctl(set, int(s.Val[2]))
		}
	case story.IPCRaise:
		r.capability(kernel.CapSysResource)
	case story.FileTable:
		r.Words.Limit(OpenFiles)
	case story.FileSizeLimit:
		r.Words.Limit(FileSize)
	case story.ProcessLimit, story.ExecTooMany:
		r.Words.Limit(Processes)
		r.capability(kernel.CapSysResource)
	case story.MemoryLock:
		r.Words.Limit(LockedMem)
		r.capability(kernel.CapIpcLock)
	case story.PriorityLimit:
		r.Words.Limit(Nice)
		r.Words.Limit(RTPrio)
		r.capability(kernel.CapSysNice)
	default:
		return false
	}
	return true
}

// opens are the values of a setting that let more through, the narrowest first.
func opens(s kernel.Sysctl) []int {
	switch s {
	case kernel.PerfEventParanoid:
		return []int{2, 1, 0, -1}
	case kernel.UnprivilegedUserfaultfd:
		return []int{1}
	}
	return []int{0}
}

// capability offers a capability, or to be root, who has it where it is not dropped.
func (r *Refusal) capability(c kernel.Cap) {
	r.Words.Capability(c)
	r.Words.RunAs(0, 0)
}

// seen is a user id as the container sees it.
func (r *Refusal) seen(kuid uint32) uint32 {
	id, ok := r.W.UserNS[r.W.Task.Cred.UserNS].UIDs.Up(kuid)
	if !ok {
		return world.Invalid
	}
	return id
}

func (r *Refusal) seenGroup(kgid uint32) uint32 {
	id, ok := r.W.UserNS[r.W.Task.Cred.UserNS].GIDs.Up(kgid)
	if !ok {
		return world.Invalid
	}
	return id
}

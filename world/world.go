// Package world holds the facts that a syscall meets: the task, the user namespaces, the mounts, the filesystems, the
// settings of the kernel. A fact is known, with the Origin that it comes from, or it is unknown, with the reason and what
// would settle it; nothing is guessed. The values that the facts need (id maps, capability sets, paths) live here too.
package world

import (
	"syscallstory/kernel"
	"syscallstory/story"
)

// World is the facts for one task.
type World struct {
	Origins
	Subject  story.Subject
	Kernel   kernel.Release
	KernelAt story.Origin
	Arch     string // as uname -m prints it
	Task     Task
	UserNS   []UserNS
	MountNS  []MountNS
	// Namespaces are those of the other kinds. Index 0 is one of which nothing is known.
	Namespaces []Namespace
	// Processes are those that a call may name by pid, the task's own among them.
	Processes     []Process
	NSMount       MountID      // the kernel's own mount of nsfs; 0: where the links of /proc/PID/ns lead is not known
	NSFiles       []NSDentry   // its files so far
	ProcessesAt   story.Origin // unknown: there may be others
	IPC           []IPCObject  // of the task's IPC namespace
	IPCAt         story.Origin // unknown: there may be others
	QueuesAt      story.Origin // the same of POSIX message queues, where that is known otherwise
	Mounts        []Mount
	FS            *FS
	Sysctls       [kernel.NumSysctls]Fact[int]
	Binfmts       Fact[bool]     // handlers are registered with binfmt_misc
	Filesystems   Fact[[]string] // types that the kernel has, as /proc/filesystems lists them
	LSMs          Fact[[]string] // active modules in the kernel's order
	BPFHooks      Fact[[]string] // LSM hooks on which a BPF program sits
	SELinux       SELinux
	Delegatable   Fact[[]string]                 // files of cgroup2 that a cgroup namespace may write at its root
	EVM           Fact[bool]                     // EVM has a key to check attributes with
	Lockdown      Fact[string]                   // none, integrity or confidentiality
	Features      [kernel.NumFeatures]Fact[bool] // what the kernel is built with
	Unreached     []Unreached
	Manager       Fact[Manager] // of the task's process, where it runs already
	Refusals      []Refusal
	Findings      []story.Finding
	Sources       []story.Source
	mounted       map[Path]MountID
	mountsVersion uint64
}

// Refusal is a reason why kubelet or runtime would not start the container, so that no call is ever made. It is a step of
// the story.
type Refusal struct {
	Code    story.Code
	Outcome story.Outcome
	Facts   [3]string
	Number  uint64
	At      story.Origin
}

// New returns a world with the initial user namespace and nothing else.
func New() *World {
	return &World{FS: NewFS(), UserNS: []UserNS{{UIDs: IdentityMap, GIDs: IdentityMap, Identity: true, Name: "initial"}}, mounted: map[Path]MountID{}}
}

// Sysctl returns a kernel setting.
func (w *World) Sysctl(s kernel.Sysctl) Fact[int] { return w.Sysctls[s] }

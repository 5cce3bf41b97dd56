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
	Mounts   []Mount
	FS       *FS
	Sysctls  [kernel.NumSysctls]Fact[int]
	LSMs     Fact[[]string] // active modules in the kernel's order
	BPFHooks Fact[[]string] // LSM hooks on which a BPF program sits
	Refusals []Refusal
	Findings []story.Finding
	Sources  []story.Source
	mounted  map[Path]MountID
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

package world

import "syscallstory/story"

// Cred is a task's credentials. An id or set whose Origin is unknown means nothing.
type Cred struct {
	RUID, EUID, SUID, FSUID                                  KUID
	RGID, EGID, SGID, FSGID                                  KGID
	Groups                                                   []KGID // ascending
	Inheritable, Permitted, Effective, Bounding, Ambient     CapSet
	Securebits                                               uint32
	NoNewPrivs                                               bool
	UserNS                                                   UserNSID
	UIDAt, GIDAt, GroupsAt, EffectiveAt, BoundingAt, NoNewAt story.Origin
}

// InGroup reports whether k is the fsgid or a supplementary group (in_group_p).
func (c *Cred) InGroup(k KGID) bool {
	if c.FSGID == k {
		return true
	}
	for _, g := range c.Groups {
		if g == k {
			return true
		}
	}
	return false
}

// FD is an open descriptor.
type FD struct {
	N       int
	Path    Path
	Flags   uint64       // open's
	FlagsAt story.Origin // unknown: how it was opened is not known
	At      story.Origin
}

// Filter is a seccomp filter as an input names it; it is compiled when a judge is bound.
type Filter struct {
	Name    string // RuntimeDefault, Localhost profiles/x.json
	Engine  string // the engine whose default it is, empty for a profile of its own
	Version string // of the engine; empty: not known
	File    string
	JSON    []byte
	Caps    CapSet // the capability set that includes and excludes are resolved against
	Loader  string // who loads it, as runc@1.1.5+2.5.5; empty: it is loaded as it is written
	At      story.Origin
}

// SeccompMode says what the task's seccomp gate holds.
type SeccompMode uint8

const (
	SeccompOff SeccompMode = iota
	SeccompStrict
	SeccompFilters
	SeccompNotKnown
)

// Seccomp is the task's seccomp state.
type Seccomp struct {
	Mode    SeccompMode
	Filters []Filter // oldest first
	At      story.Origin
}

// DeviceRule is one line of a devices cgroup's allow list; -1 is any.
type DeviceRule struct {
	Type         byte // c, b or a for both
	Major, Minor int64
	Access       string // of r, w, m
}

// Devices is what the container's devices cgroup allows.
type Devices struct {
	All   bool
	Rules []DeviceRule
	At    story.Origin // unknown: not known
}

// Allows reports whether a device may be opened for the access given as r, w or both.
func (d *Devices) Allows(typ byte, major, minor uint32, access string) bool {
	if d.All {
		return true
	}
rules:
	for _, r := range d.Rules {
		if r.Type != 'a' && r.Type != typ || r.Major >= 0 && r.Major != int64(major) || r.Minor >= 0 && r.Minor != int64(minor) {
			continue
		}
		for i := range len(access) {
			if !containsByte(r.Access, access[i]) {
				continue rules
			}
		}
		return true
	}
	return false
}

func containsByte(s string, b byte) bool {
	for i := range len(s) {
		if s[i] == b {
			return true
		}
	}
	return false
}

// Shares are namespaces that a container shares with the host.
type Shares uint8

const (
	SharesNet Shares = 1 << iota
	SharesPID
	SharesIPC
)

// Task is the process that makes the call.
type Task struct {
	Cred      Cred
	Seccomp   Seccomp
	Root, Cwd Path
	CwdAt     story.Origin
	Umask     Fact[uint16]
	FDs       []FD
	FDsAt     story.Origin // unknown: descriptors that are not listed may be open
	NoFile    Fact[int]    // RLIMIT_NOFILE
	OpenFDs   Fact[int]
	MountNS   uint8
	Devices   Devices
	Labels    []Label
	Shares    Shares // namespaces of the host
	Fresh     bool   // it is as execve left it: its capabilities follow from uid and bounding set
}

// Label is what an input asks of a security module for the task.
type Label struct {
	Module string // selinux, apparmor
	Value  string
	At     story.Origin
}

// FDByNumber finds an open descriptor.
func (t *Task) FDByNumber(n int) *FD {
	for i := range t.FDs {
		if t.FDs[i].N == n {
			return &t.FDs[i]
		}
	}
	return nil
}

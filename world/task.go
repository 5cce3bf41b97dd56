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
	SecurebitsAt                                             story.Origin // unknown: no file of /proc shows them
	Context                                                  Fact[string] // of SELinux, of credentials that are not the task's: an overlay's mounter's
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
	Mapped  Fact[bool]   // its file is mapped into the task's memory; zero: it is not
	Ruled   bool         // it may have been opened under a Landlock ruleset, which still limits it
	At      story.Origin
	Kind    FDKind
	NS      NSFile       // of FDNamespace
	PID     int          // of FDPid, as the task's PID namespace counts
	Map     *IDFile      // of FDIDMap
	Socket  *Socket      // of FDSocket
	Context *Context     // of FDContext
	Opener  Fact[string] // SELinux: the context of who has opened it
	Labeled string       // SELinux: the context that the file had then; "": not known
	Tree    MountID      // of a detached tree: its root, as long as the descriptor keeps it
}

// Filter is a seccomp filter as an input names it; it is compiled when a judge is bound.
type Filter struct {
	Program []byte // of a live task: struct sock_filter in a row; then there is no profile
	Name    string // RuntimeDefault, Localhost profiles/x.json
	Engine  string // the engine whose default it is, empty for a profile of its own
	Version string // of the engine; empty: not known
	File    string
	JSON    []byte
	Allow   []string // calls that it is to allow beyond that
	Caps    CapSet   // the capability set that includes and excludes are resolved against
	Loader  string   // who loads it, as runc@1.1.5+2.5.5; empty: it is loaded as it is written
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
	Cred        Cred
	Seccomp     Seccomp
	Root, Cwd   Path
	CwdAt       story.Origin
	Exe         Path // the program that it runs (/proc/self/exe); zero: not known
	Umask       Fact[uint16]
	FDs         []FD
	Mapped      []FD         // what is closed but mapped into memory, and so in use all the same
	FDsAt       story.Origin // unknown: descriptors that are not listed may be open
	NoFile      Fact[int]    // RLIMIT_NOFILE
	OpenFDs     Fact[int]
	PID         int       // in its own PID namespace; 0: not known
	Threads     Fact[int] // of its process, itself counted
	FSUsers     Fact[int] // tasks that share its root and current directory (CLONE_FS), itself counted; of a single thread 1
	MountNS     uint8
	NS          [NumNSKinds]NamespaceID // 0: not known; World.Namespace explains it
	Children    [NumNSKinds]NamespaceID // PID and time namespaces of its children, where they differ from its own
	Rlimits     [16]Fact[Rlimit]        // by RLIMIT_* number; RLIMIT_NOFILE's soft limit is NoFile
	Devices     Devices
	Labels      []Label
	CgroupRoot  Fact[string] // root of its cgroup namespace in the hierarchy of cgroup2; "": that of the machine
	EngineLabel Label        // of SELinux, that the engine gives where SELinux is active
	Contexts    Contexts     // of SELinux, that its next objects get
	Tracer      *Cred        // of whoever traces it, as they were when it attached; nil: nobody does
	Shares      Shares       // namespaces of the host
	Landlock    []LandlockLayer
	// LandlockAt says where the rulesets are known from; unknown: there may be others.
	LandlockAt story.Origin
	// TooMany: its uid has changed while the user had too many processes, so that execve looks again (PF_NPROC_EXCEEDED).
	// The zero Fact is no: execve itself ends that state.
	TooMany Fact[bool]
	Fresh   bool // it is as execve left it: its capabilities follow from uid and bounding set
}

// Rlimit is a soft and a hard limit.
type Rlimit struct{ Cur, Max uint64 }

// Manager is who has started the task's process and can start it anew with other settings.
type Manager struct {
	Name string // docker, podman, nerdctl, kubernetes or systemd; empty: nobody in particular
	ID   string // of the container, or the unit's name
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

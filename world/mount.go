package world

import "syscallstory/story"

// MountID is the index of a mount in World.Mounts; 0 is none. It is the story's own, not the id of mountinfo.
type MountID uint32

// MountFlags are the flags of one mount, as statmount(2) and mountinfo's first options show them.
type MountFlags uint8

const (
	MountReadOnly MountFlags = 1 << iota
	MountNoSuid
	MountNoDev
	MountNoExec
	MountNoSymFollow
)

var mountFlagNames = [...]string{"ro", "nosuid", "nodev", "noexec", "nosymfollow"}

// String lists the flags as mount(8) does, beginning with ro or rw.
func (f MountFlags) String() string {
	s := "rw"
	if f&MountReadOnly != 0 {
		s = "ro"
	}
	for i, n := range mountFlagNames[1:] {
		if f>>(i+1)&1 != 0 {
			s += "," + n
		}
	}
	return s
}

// ParseMountFlag returns the flag of an option of mount(8); options that are no per-mount flag, such as relatime, give 0.
func ParseMountFlag(opt string) MountFlags {
	for i, n := range mountFlagNames {
		if n == opt {
			return 1 << i
		}
	}
	return 0
}

// Atime is how a mount keeps times of access. Without AtimeKnown it is not known.
type Atime uint8

const (
	AtimeRelative Atime = 1 << iota // relatime
	AtimeNever                      // noatime
	AtimeNoDir                      // nodiratime
	AtimeKnown
	AtimeMask = AtimeRelative | AtimeNever | AtimeNoDir
)

// MountLocks are what a mount that came from a more privileged mount namespace may not lose: flags by their MountFlags bits.
type MountLocks uint8

const (
	LockAttached MountLocks = 1 << 6 // MNT_LOCKED: it cannot be taken away from its parent alone
	LockAtime    MountLocks = 1 << 7 // MNT_LOCK_ATIME
)

// Path is a place in the tree: a mount and a name in its filesystem, as the kernel's struct path.
type Path struct {
	Mount  MountID
	Dentry DentryID
}

// Ref returns the place as a Step holds it.
func (p Path) Ref() story.Ref { return story.Ref{Mount: uint32(p.Mount), Dentry: uint32(p.Dentry)} }

// PathOf returns the place that a Step holds.
func PathOf(r story.Ref) Path { return Path{MountID(r.Mount), DentryID(r.Dentry)} }

// Mount is one mount of a mount namespace.
type Mount struct {
	Parent  MountID  // itself for the root of a namespace
	At      DentryID // mount point, in the parent's filesystem
	Root    DentryID
	SB      SBID
	Flags   MountFlags
	FlagsAt map[MountFlags]story.Origin // where a flag comes from
	Unsure  MountFlags                  // flags of which it is not known whether they are set
	Why     story.Origin                // why they are not known, or where the mount comes from
	NS      uint8                       // index into World.MountNS
	Group   uint32                      // peer group; 0: not shared
	Master  uint32                      // peer group of the master; 0: no slave
	Point   string                      // where it was mounted, as its namespace's root sees it
	Source  string                      // what is mounted, in words: host:/data
	IDMap   UserNSID                    // an idmapped mount's user namespace; 0: not idmapped
	Label   Fact[string]                // SELinux: what the engine has labelled its files with, before the container starts
	Origin  story.Origin

	Unbindable bool
	Locks      MountLocks
	Atime      Atime
	Gone       bool // it is no longer mounted, but somebody may still use it
	Hidden     bool // the root of a mount namespace that nobody sees, below the one that tasks have as /
	Expiring   bool // umount2 with MNT_EXPIRE has marked it
}

// MountNS is a mount namespace.
type MountNS struct {
	Owner     UserNSID
	Root      MountID
	Name      string
	Alone     bool         // it is another process's, of which files can be reached: what its mounts propagate to is left out
	Anonymous bool         // it holds a detached tree of open_tree or fsmount
	From      uint8        // of an anonymous one: the namespace in which it was made
	LocksAt   story.Origin // unknown: which of its mounts are locked is not known; nobody asks in one of the initial user namespace
}

// Attach mounts m at a place and returns its id. With the zero place it becomes the root of a namespace.
func (w *World) Attach(at Path, m Mount) MountID {
	if len(w.Mounts) == 0 {
		w.Mounts = append(w.Mounts, Mount{})
		w.mounted = map[Path]MountID{}
	}
	id := MountID(len(w.Mounts))
	m.Parent, m.At = at.Mount, at.Dentry
	if at == (Path{}) {
		m.Parent = id
	} else {
		at = w.Top(at)
		m.Parent, m.At = at.Mount, at.Dentry
		w.mounted[at] = id
		w.FS.dentries[at.Dentry].Mounted = true
	}
	w.Mounts = append(w.Mounts, m)
	w.mountsVersion++
	return id
}

// MountsVersion changes whenever Attach or ReplaceMounts has changed the mounts.
func (w *World) MountsVersion() uint64 { return w.mountsVersion }

// ReplaceMounts puts other mounts and mount namespaces in place of those that the world has.
func (w *World) ReplaceMounts(mounts []Mount, spaces []MountNS) {
	w.Mounts, w.MountNS = mounts, spaces
	w.mountsVersion++
	clear(w.mounted)
	for i := 1; i < len(mounts); i++ {
		if m := &mounts[i]; m.Parent != MountID(i) {
			w.mounted[Path{m.Parent, m.At}] = MountID(i)
			w.FS.dentries[m.At].Mounted = true
		}
	}
}

// MountedAt returns the mount that sits on a place, 0 if there is none.
func (w *World) MountedAt(p Path) MountID {
	if !w.FS.dentries[p.Dentry].Mounted {
		return 0
	}
	return w.mounted[p]
}

// MountPoint reports whether something is mounted on a name in a mount namespace, through whichever mount it is seen.
func (w *World) MountPoint(d DentryID, ns uint8) bool {
	if !w.FS.dentries[d].Mounted {
		return false
	}
	for i := range w.Mounts {
		if m := &w.Mounts[i]; m.At == d && m.NS == ns && m.Parent != 0 && m.Parent != MountID(i) {
			return true
		}
	}
	return false
}

// Top crosses the mounts that are stacked on a place and returns the root of the topmost.
func (w *World) Top(p Path) Path {
	for {
		id := w.MountedAt(p)
		if id == 0 {
			return p
		}
		p = Path{id, w.Mounts[id].Root}
	}
}

// PathText returns the path of a place as the root of its mount namespace sees it.
func (w *World) PathText(p Path) string {
	if p.Mount == 0 || int(p.Mount) >= len(w.Mounts) {
		if p.Dentry == 0 {
			return ""
		}
		return w.FS.Path(p.Dentry)
	}
	text := ""
	for range 64 {
		m := &w.Mounts[p.Mount]
		if d := p.Dentry; d != m.Root {
			s := ""
			for d != m.Root && w.FS.dentries[d].Parent != d {
				s = "/" + w.FS.dentries[d].Name + s
				d = w.FS.dentries[d].Parent
			}
			text = s + text
		}
		if m.Parent == p.Mount {
			break
		}
		p = Path{m.Parent, m.At}
	}
	if text == "" {
		return "/"
	}
	return text
}

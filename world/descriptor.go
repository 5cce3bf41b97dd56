package world

// FDKind is what a descriptor leads to where it is no file that a path names.
type FDKind uint8

const (
	FDFile      FDKind = iota
	FDNamespace        // a file of nsfs, as /proc/PID/ns/net opens it
	FDPid              // a pidfd
	FDIDMap            // uid_map, gid_map, projid_map or setgroups of a process
	FDSocket
	FDContext // a filesystem context of fsopen or fspick
)

// The bits of clone(2) that name the kinds of namespaces.
const (
	NewTime   = 0x80
	NewMount  = 0x20000
	NewCgroup = 0x2000000
	NewUTS    = 0x4000000
	NewIPC    = 0x8000000
	NewUser   = 0x10000000
	NewPID    = 0x20000000
	NewNet    = 0x40000000
	NewAny    = NewTime | NewMount | NewCgroup | NewUTS | NewIPC | NewUser | NewPID | NewNet
)

var nsKindBits = [NumNSKinds]uint64{NewNet, NewUTS, NewIPC, NewPID, NewCgroup, NewTime}

// Bit returns the kind's bit CLONE_NEW*.
func (k NSKind) Bit() uint64 { return nsKindBits[k] }

// NSFile is a namespace that a file of nsfs stands for.
type NSFile struct {
	Type uint64 // CLONE_NEW*
	ID   int    // index into World.UserNS, World.MountNS or World.Namespaces
}

// NSDentry is a file of nsfs, which is there as long as somebody has it open or looks at it.
type NSDentry struct {
	Dentry DentryID
	File   NSFile
}

// NSPath returns the file of nsfs that stands for a namespace. NSMount is set.
func (w *World) NSPath(f NSFile, name string) Path {
	for _, known := range w.NSFiles {
		if known.File == f {
			return Path{w.NSMount, known.Dentry}
		}
	}
	d := w.FS.AddUnnamed(w.Mounts[w.NSMount].Root, name, Inode{Mode: TypeReg | 0o444, Nlink: 1, Attr: AttrImmutable, Known: KnownAll, At: w.Mounts[w.NSMount].Origin})
	w.NSFiles = append(w.NSFiles, NSDentry{d, f})
	return Path{w.NSMount, d}
}

// holds reports whether the world has the namespace.
func (w *World) holds(f NSFile) bool {
	n := len(w.Namespaces)
	switch f.Type {
	case NewUser:
		n = len(w.UserNS)
	case NewMount:
		n = len(w.MountNS)
	}
	return f.ID >= 0 && f.ID < n
}

// NSFileAt returns the namespace that a file of nsfs stands for.
func (w *World) NSFileAt(d DentryID) (f NSFile, ok bool) {
	for _, known := range w.NSFiles {
		if known.Dentry == d {
			return known.File, true
		}
	}
	return f, false
}

// IDFileKind is one of the four files of /proc that set up a user namespace.
type IDFileKind uint8

const (
	UIDMapFile IDFileKind = iota
	GIDMapFile
	ProjectMapFile
	SetgroupsFile
)

var idFileNames = [...]string{"uid_map", "gid_map", "projid_map", "setgroups"}

// String returns the file's name.
func (k IDFileKind) String() string { return idFileNames[k] }

// ParseIDFile returns the kind of a file's name.
func ParseIDFile(name string) (IDFileKind, bool) {
	for i, n := range idFileNames {
		if n == name {
			return IDFileKind(i), true
		}
	}
	return 0, false
}

// IDFile is an open uid_map, gid_map, projid_map or setgroups.
type IDFile struct {
	Kind   IDFileKind
	NS     UserNSID // of the process whose file it is, when it was opened
	Opener Cred     // whoever opened it
	Offset int64    // where the next write goes
}

// Socket is an open socket.
type Socket struct {
	Family   int // AF_*
	Type     int // SOCK_*, without flags
	Protocol int
	NS       NamespaceID // its network namespace
	Bound    bool        // it has an address
	Listens  bool
	// Connected: it has a peer.
	Connected bool
	Tried     bool         // it was to be connected or shut down: what has come of that is not known
	Device    bool         // it is bound to an interface (SO_BINDTODEVICE)
	Context   Fact[string] // of SELinux
}

// Context is a filesystem under configuration: fsopen(2), fspick(2).
type Context struct {
	Type   string
	Source string
	UserNS UserNSID // of the task that opened it
	SB     SBID     // the filesystem, once it has been made; of fspick from the beginning
	Picked bool     // fspick
	Spent  bool     // fsmount has taken it
	Flags  SBFlags  // asked for with FSCONFIG_SET_FLAG
}

package world

import (
	"syscallstory/kernel"
	"syscallstory/story"
)

// DentryID, InodeID and SBID are indexes into the world's FS. Zero is none.
type (
	DentryID uint32
	InodeID  uint32
	SBID     uint32
)

// State is what a directory says of a name.
type State uint8

const (
	Absent State = iota
	Present
	Unsure // the directory's contents were not given
)

// Known tells which attributes of an inode are known.
type Known uint16

const (
	KnownType    Known = 1 << iota // Mode's file type
	KnownPerm                      // Mode's permission bits
	KnownOwner                     // UID and GID
	KnownAttr                      // Attr
	KnownACL                       // ACL
	KnownSize                      // Size
	KnownCaps                      // Caps
	KnownPeers                     // of a FIFO: AttrReader and AttrWriting
	KnownXattr                     // Xattrs
	KnownDefault                   // DefaultACL
	KnownContext                   // Context
	KnownAll     = KnownType | KnownPerm | KnownOwner | KnownAttr | KnownACL | KnownSize | KnownCaps | KnownXattr | KnownDefault
)

// Attr holds the attributes of an inode that chattr(1) sets, and states that refuse a call.
type Attr uint8

const (
	AttrImmutable Attr = 1 << iota
	AttrAppend
	AttrRemoved   // a directory that was removed while somebody still has it open
	AttrExecuting // some process executes it
	AttrReader    // of a FIFO: some process has it open for reading
	AttrWriting   // some process has it open for writing
	AttrMayRun    // whether some process executes it is not known: not every process can be seen
)

// File types, as in stat(2)'s st_mode.
const (
	TypeMask = 0o170000
	TypeFIFO = 0o010000
	TypeChar = 0o020000
	TypeDir  = 0o040000
	TypeBlk  = 0o060000
	TypeReg  = 0o100000
	TypeLink = 0o120000
	TypeSock = 0o140000
)

// Inode is what stat(2) and the xattrs tell of one file.
type Inode struct {
	SB         SBID
	Known      Known
	Attr       Attr
	Layer      uint8 // overlay: 0 none, 1 upper, n+2 the n-th lower layer, counted from the top
	Mode       uint16
	UID        KUID
	GID        KGID
	Nlink      uint32
	Major      uint32
	Minor      uint32
	Size       int64
	Link       string // target of a symbolic link
	ACL        []ACLEntry
	Caps       *FileCaps    // capabilities of the file; nil: none
	Program    *Program     // what execve sees of its contents; nil: not known
	DefaultACL []ACLEntry   // of a directory: what new files get
	Xattrs     []Xattr      // all but the ACLs
	Context    string       // of SELinux, what getxattr(security.selinux) reads; "": no attribute
	NoTrusted  bool         // which trusted.* attributes there are is not known
	Magic      bool         // a link of /proc that jumps without a lookup
	At         story.Origin // where the attributes come from
	Whole      bool         // a directory all of whose names are here: a name that is missing is absent
	Layers     []DentryID   // overlay: the real objects, the serving one first; one for a file, one a layer for a directory
	Dense      bool         // a file without holes; false: it may have some
	Blank      bool         // a file that is one hole; false: it may hold data
	Whited     bool         // a character device 0:0, which an overlay takes for a whiteout
	Marks      *Marks       // what overlayfs has written into trusted.overlay.*; nil: nothing
	UserMarks  *Marks       // the same for an overlay with userxattr, user.overlay.*
	Data       DentryID     // overlay: what holds the data of a copy that has the attributes alone (metacopy); 0: Layers[0]
	Behind     DentryID     // overlay: the lower object that the upper one is a copy of, whose number st_ino may show; 0: none
	Indexed    bool         // overlay: the names of the lower file share the copy (index=on)
	Fault      story.Errno  // overlay: looking it up ends in this errno
	DataPath   string       // overlay: where its data is in the layers that hold data only; looked for when it is first asked for
	Handle     uint32       // the Source's own
	Pending    bool         // what is here is read when it is first asked for, by a Source that is a Reader
}

// Marks are the attributes by which overlayfs knows its own files in a layer.
type Marks struct {
	Opaque   byte     // y: hides the directories below; x: holds whiteouts that are attributes
	Redirect string   // the name, or the path from the overlay's root, under which the layers below go on
	Metacopy bool     // the file has attributes only, its data is in a layer below
	Whiteout bool     // an empty regular file that is a whiteout
	Origin   DentryID // the lower object that it is a copy of; 0: none, or none that is known here
	Traced   bool     // where it comes from is written down (origin)
	Impure   bool     // a directory that may hold such objects
}

// Type returns the file type bits.
func (i *Inode) Type() uint16 { return i.Mode & TypeMask }

// Is reports whether the type is known to be t.
func (i *Inode) Is(t uint16) bool { return i.Known&KnownType != 0 && i.Mode&TypeMask == t }

// ACLTag is the kind of an ACL's entry, as acl(5) names them.
type ACLTag uint8

const (
	ACLUserObj ACLTag = iota
	ACLUser
	ACLGroupObj
	ACLGroup
	ACLMask
	ACLOther
)

// ACLEntry is one entry of a POSIX ACL. The entries of an ACL stand in the order of the tags.
type ACLEntry struct {
	Tag  ACLTag
	Perm uint8 // r 4, w 2, x 1
	ID   uint32
}

// Dentry is a name in a directory. The root of a filesystem is its own parent.
type Dentry struct {
	Parent  DentryID
	Inode   InodeID
	Mounted bool // something is mounted here in some namespace (DCACHE_MOUNTED)
	Phantom bool // it may not exist: its directory's contents were not given
	Name    string
}

// Source fills a directory's names in on demand: from a live directory, an archive or the layers of an overlay.
type Source interface {
	// Lookup adds the name to the directory with FS.Add and returns Present, or says Absent or Unsure.
	Lookup(fs *FS, dir DentryID, name string) (DentryID, State)
}

// Reader is a Source that knows of names before it has read their inodes: of mount points, which may be many. It fills a
// pending inode in, in place, and adds nothing.
type Reader interface {
	Read(fs *FS, d DentryID)
}

// SBFlags are a superblock's flags.
type SBFlags uint8

const (
	SBReadOnly SBFlags = 1 << iota // SB_RDONLY
	SBNoDev                        // SB_I_NODEV: mounted by a user namespace
	SBNoExec                       // SB_I_NOEXEC: proc, sysfs
)

// SB is a filesystem (superblock).
type SB struct {
	Type    string
	Name    string // how the story calls it: host, image, emptyDir scratch
	Flags   SBFlags
	FlagsAt story.Origin // unknown: whether it is read-only is not known
	UserNS  UserNSID     // s_user_ns
	NameMax int          // 0: 255
	Source  Source       // nil: what is here is all there is
	Root    DentryID
	Overlay *Overlay // nil for any other filesystem
	// Contexts are the options that set SELinux contexts.
	Contexts Fact[MountContexts]
	// HidePID is proc's option hidepid; its zero value is the default, 0.
	HidePID Fact[int]
	// HideGID is its option gid: the group that hidepid does not concern, root's where it is not given.
	HideGID KGID
	// NSDelegate is cgroup2's option nsdelegate.
	NSDelegate Fact[bool]
	// Room is how much can still be written; nil: it is not known, or has no limit.
	Room *Room
	At   story.Origin
}

// Room is what statfs(2) says of a filesystem: it holds until something is written or removed.
type Room struct {
	Bytes    int64  // that everybody may use
	Reserved int64  // that some may use besides: ext4's for root
	Inodes   int64  // -1: they are not counted
	Quota    string // the option of the mount by which quotas count; empty: none is known
	At       story.Origin
}

// Overlay holds what an overlay mount was made of.
type Overlay struct {
	Upper      DentryID // 0: none, the overlay is read-only
	Lower      []DentryID
	Names      []string // of the lower layers
	Mounter    Cred
	UserXattr  bool       // mounted with userxattr: its marks are user.overlay.*
	Shift      IDMap      // map with which the lower layers are mounted, nil for none
	ShiftUpper bool       // the upper layer too
	NFSExport  Fact[bool] // nfs_export: its files have handles
	Redirect   Fact[bool] // redirect_dir: directories of lower layers can be renamed
	NoFollow   bool       // redirect_dir=nofollow: redirects are not followed either
	Metacopy   bool       // metacopy: a change of attributes copies no data
	Index      bool       // index: names of one lower file share their copy
	Xino       bool       // xino=on
	Volatile   bool       // volatile: nothing is synchronised
	NoXattr    bool       // whiteouts are devices alone, as before Linux 6.8
	Late       bool       // what must not be followed is refused where it leads to something, as before Linux 6.16
	DataOnly   []DentryID // layers that hold data of metacopy files alone, from the top
	Indexes    []Index    // the copies that index=on keeps
}

// Index is what an overlay with index=on keeps of a copy whose lower file has several names.
type Index struct {
	Lower InodeID
	Upper DentryID // the copy
	Nlink uint32   // its names, those of the lower file that are not copied yet included
}

// IndexOf returns the copy of a lower file, nil where there is none.
func (o *Overlay) IndexOf(lower InodeID) *Index {
	for i := range o.Indexes {
		if o.Indexes[i].Lower == lower {
			return &o.Indexes[i]
		}
	}
	return nil
}

// IndexAll is ovl_index_all: every copy is kept in the index, for its file handle to lead to it.
func (o *Overlay) IndexAll() bool { return o.Index && o.Upper != 0 && o.NFSExport.V }

// MarksOf returns the marks of a layer's object that the overlay reads; they may be nil.
func (o *Overlay) MarksOf(i *Inode) *Marks {
	switch {
	case o.UserXattr:
		return i.UserMarks
	case o.Unmarked():
		return nil
	}
	return i.Marks
}

// Under sets what depends on the kernel's release.
func (o *Overlay) Under(k kernel.Release) *Overlay {
	o.NoXattr, o.Late = k.Has(kernel.OverlayXattrWhiteouts) == kernel.No, k.Has(kernel.OverlayDataPlain) == kernel.No
	return o
}

// WhiteoutMark reports whether the overlay takes a mark for that of a whiteout.
func (o *Overlay) WhiteoutMark(m *Marks) bool { return m != nil && m.Whiteout && !o.NoXattr }

// Unmarked reports whether the overlay reads and writes no marks: trusted.* is the initial user namespace's, and the mount does
// not say userxattr (ovl_make_workdir).
func (o *Overlay) Unmarked() bool { return !o.UserXattr && o.Mounter.UserNS != 0 }

// Merger makes overlay filesystems; package overlay implements it, so that an input can build a world without knowing how
// layers are merged.
type Merger interface {
	NewOverlay(fs *FS, sb SB) SBID
}

type childKey struct {
	dir  DentryID
	name string
}

// FS is an arena of names and inodes of all filesystems of a world. It is filled on demand, so that a cold one must not be
// used by two goroutines; a warm one may.
type FS struct {
	dentries []Dentry
	inodes   []Inode
	sbs      []SB
	children map[childKey]DentryID
	listed   map[DentryID][]DentryID // directories that Gather has read
}

// NewFS returns an empty arena.
func NewFS() *FS {
	return &FS{dentries: make([]Dentry, 1, 128), inodes: make([]Inode, 1, 128), sbs: make([]SB, 1, 16), children: make(map[childKey]DentryID, 128)}
}

// D returns a dentry, to be read; the pointer is good until the next Add.
func (fs *FS) D(d DentryID) *Dentry { return &fs.dentries[d] }

// I returns the inode of a dentry; the pointer is good until the next Add.
func (fs *FS) I(d DentryID) *Inode {
	if ino := &fs.inodes[fs.dentries[d].Inode]; !ino.Pending {
		return ino
	}
	return fs.read(d)
}

// read fills a pending inode in.
func (fs *FS) read(d DentryID) *Inode {
	ino := &fs.inodes[fs.dentries[d].Inode]
	ino.Pending = false
	if r, ok := fs.sbs[ino.SB].Source.(Reader); ok {
		r.Read(fs, d)
	}
	return ino
}

// Peek returns the inode of a dentry as it is, without reading one that is pending.
func (fs *FS) Peek(d DentryID) *Inode { return &fs.inodes[fs.dentries[d].Inode] }

// SB returns a superblock.
func (fs *FS) SB(s SBID) *SB { return &fs.sbs[s] }

// SBOf returns the superblock that a dentry belongs to.
func (fs *FS) SBOf(d DentryID) *SB { return &fs.sbs[fs.Peek(d).SB] }

// NumSB returns how many superblocks there are, the unused first one included.
func (fs *FS) NumSB() int { return len(fs.sbs) }

// NewSB adds a filesystem with its root directory.
func (fs *FS) NewSB(sb SB, root Inode) SBID {
	id := SBID(len(fs.sbs))
	root.SB = id
	fs.inodes = append(fs.inodes, root)
	fs.dentries = append(fs.dentries, Dentry{Inode: InodeID(len(fs.inodes) - 1)})
	sb.Root = DentryID(len(fs.dentries) - 1)
	fs.dentries[sb.Root].Parent = sb.Root
	fs.sbs = append(fs.sbs, sb)
	return id
}

// Add puts a name with a new inode into a directory.
func (fs *FS) Add(dir DentryID, name string, ino Inode) DentryID {
	if ino.SB == 0 {
		ino.SB = fs.Peek(dir).SB
	}
	fs.inodes = append(fs.inodes, ino)
	return fs.Link(dir, name, InodeID(len(fs.inodes)-1))
}

// AddUnnamed adds an inode that no lookup finds: a removed file that somebody still has open. The name is what it had.
func (fs *FS) AddUnnamed(dir DentryID, name string, ino Inode) DentryID {
	if ino.SB == 0 {
		ino.SB = fs.Peek(dir).SB
	}
	fs.inodes = append(fs.inodes, ino)
	fs.dentries = append(fs.dentries, Dentry{Parent: dir, Name: name, Inode: InodeID(len(fs.inodes) - 1)})
	return DentryID(len(fs.dentries) - 1)
}

// Known returns a name that a directory is already known to hold, 0 if there is none. No Source is asked.
func (fs *FS) Known(dir DentryID, name string) DentryID { return fs.children[childKey{dir, name}] }

// Link puts a name of an existing inode into a directory.
func (fs *FS) Link(dir DentryID, name string, ino InodeID) DentryID {
	fs.dentries = append(fs.dentries, Dentry{Parent: dir, Name: name, Inode: ino})
	d := DentryID(len(fs.dentries) - 1)
	fs.children[childKey{dir, name}] = d
	return d
}

// Lookup finds a name in a directory, asking the filesystem's Source if it is not here yet. A name that may or may not
// exist becomes a phantom, all of whose attributes are unknown.
func (fs *FS) Lookup(dir DentryID, name string) (DentryID, State) {
	if d, ok := fs.children[childKey{dir, name}]; ok {
		switch {
		case d == 0:
			return 0, Absent
		case fs.dentries[d].Phantom:
			return d, Unsure
		}
		return d, Present
	}
	ino := fs.I(dir)
	if ino.Whole {
		return 0, Absent
	}
	d, st := DentryID(0), Unsure
	if src := fs.sbs[ino.SB].Source; src != nil && !fs.dentries[dir].Phantom { // of what may be anything no source knows a name
		d, st = src.Lookup(fs, dir, name)
	}
	switch st {
	case Absent:
		fs.children[childKey{dir, name}] = 0
		return 0, Absent
	case Present:
		return d, Present
	}
	if d == 0 {
		d = fs.Add(dir, name, Inode{At: fs.I(dir).At})
	}
	fs.dentries[d].Phantom = true
	return d, Unsure
}

// AddPhantom adds what stands for something of which nothing is known.
func (fs *FS) AddPhantom(dir DentryID, name string, at story.Origin) DentryID {
	d := fs.Add(dir, name, Inode{At: at})
	fs.dentries[d].Phantom = true
	return d
}

// Path returns the path of a dentry within its filesystem.
func (fs *FS) Path(d DentryID) string {
	if fs.dentries[d].Parent == d {
		return "/"
	}
	n, up := 0, d
	for fs.dentries[up].Parent != up {
		n += 1 + len(fs.dentries[up].Name)
		up = fs.dentries[up].Parent
	}
	b := make([]byte, n)
	for fs.dentries[d].Parent != d {
		n -= len(fs.dentries[d].Name)
		copy(b[n:], fs.dentries[d].Name)
		n--
		b[n] = '/'
		d = fs.dentries[d].Parent
	}
	return string(b)
}

// Below reports whether d is root or lies below it (is_subdir).
func (fs *FS) Below(d, root DentryID) bool {
	for {
		if d == root {
			return true
		}
		p := fs.dentries[d].Parent
		if p == d {
			return false
		}
		d = p
	}
}

package world

import "syscallstory/story"

// DentryID, InodeID and SBID are indexes into the world's FS. Zero is none.
type (
	DentryID uint32
	InodeID  uint32
	SBID     uint16
)

// State is what a directory says of a name.
type State uint8

const (
	Absent State = iota
	Present
	Unsure // the directory's contents were not given
)

// Known tells which attributes of an inode are known.
type Known uint8

const (
	KnownType  Known = 1 << iota // Mode's file type
	KnownPerm                    // Mode's permission bits
	KnownOwner                   // UID and GID
	KnownAttr                    // Attr
	KnownACL                     // ACL
	KnownSize                    // Size
	KnownAll   = KnownType | KnownPerm | KnownOwner | KnownAttr | KnownACL | KnownSize
)

// Attr holds the attributes of an inode that chattr(1) sets, and states that refuse a call.
type Attr uint8

const (
	AttrImmutable Attr = 1 << iota
	AttrAppend
	AttrRemoved   // a directory that was removed while somebody still has it open
	AttrExecuting // some process executes it
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
	Magic      bool         // a link of /proc that jumps without a lookup
	At         story.Origin // where the attributes come from
	Whole      bool         // a directory all of whose names are here: a name that is missing is absent
	Layers     []DentryID   // overlay: the real objects, the serving one first; one for a file, one a layer for a directory
	Whited     bool         // overlay: a whiteout
	Opaque     bool         // overlay: an opaque directory (trusted.overlay.opaque)
	UserOpaque bool         // the same for an overlay with userxattr (user.overlay.opaque)
	Redirected story.Origin // overlay: why names that come from the layers below are not known (trusted.overlay.redirect)
	Handle     uint32       // the Source's own
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
	At      story.Origin
}

// Overlay holds what an overlay mount was made of.
type Overlay struct {
	Upper     DentryID // 0: none, the overlay is read-only
	Lower     []DentryID
	Names     []string // of the lower layers
	Mounter   Cred
	UserXattr bool       // mounted with userxattr: its marks are user.overlay.*
	Shift     IDMap      // map with which the lower layers are mounted, nil for none
	Redirect  Fact[bool] // redirect_dir: directories of lower layers can be renamed
}

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
}

// NewFS returns an empty arena.
func NewFS() *FS {
	return &FS{dentries: make([]Dentry, 1, 128), inodes: make([]Inode, 1, 128), sbs: make([]SB, 1, 16), children: make(map[childKey]DentryID, 128)}
}

// D returns a dentry, to be read; the pointer is good until the next Add.
func (fs *FS) D(d DentryID) *Dentry { return &fs.dentries[d] }

// I returns the inode of a dentry; the pointer is good until the next Add.
func (fs *FS) I(d DentryID) *Inode { return &fs.inodes[fs.dentries[d].Inode] }

// SB returns a superblock.
func (fs *FS) SB(s SBID) *SB { return &fs.sbs[s] }

// SBOf returns the superblock that a dentry belongs to.
func (fs *FS) SBOf(d DentryID) *SB { return &fs.sbs[fs.I(d).SB] }

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
		ino.SB = fs.I(dir).SB
	}
	fs.inodes = append(fs.inodes, ino)
	return fs.Link(dir, name, InodeID(len(fs.inodes)-1))
}

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
	if src := fs.sbs[ino.SB].Source; src != nil {
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

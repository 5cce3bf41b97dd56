package check

import "syscallstory/world"

// MountOp is what a call does to mounts.
type MountOp uint8

const (
	MountNothing MountOp = iota
	MountNew             // a new filesystem of Type at At
	MountBind
	MountMove
	MountTuck // a move beneath the mount at At
	MountKind
	MountFlags
	MountSuper // a filesystem's own flags, and the mount's
	MountAttr
	MountUmount // Recursive: lazily
	MountExpire
	MountPivot
	MountGroup
	MountClone    // a descriptor of a copy
	MountDetached // a descriptor of a new filesystem's root
	MountContext  // a descriptor of fsopen and fspick
	MountConfig   // the filesystem of a context is made
)

// Mounting is an operation of the mount API, for the world that the call leaves.
type Mounting struct {
	Op        MountOp
	From, At  world.Path
	Recursive bool
	Flags     world.MountFlags // set; Clear are those that are taken away
	Clear     world.MountFlags
	Atime     world.Atime
	NoAtime   world.Atime // bits of Atime that are taken away
	Kind      uint8       // mount.Kind
	HasKind   bool
	ReadOnly  bool // of the superblock
	IDMap     world.UserNSID
	Type      string // of a new filesystem
	Source    string
	FD        int // of a filesystem context
	UserNS    world.UserNSID
	Contexts  world.Fact[world.MountContexts]
}

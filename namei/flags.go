package namei

// Flags steer a lookup; the names are the kernel's LOOKUP_*.
type Flags uint16

const (
	Follow       Flags = 1 << iota // follow the last component if it is a symbolic link
	Directory                      // the last component must be a directory
	Empty                          // an empty path means the starting place itself
	NoSymlinks                     // RESOLVE_NO_SYMLINKS
	NoMagicLinks                   // RESOLVE_NO_MAGICLINKS
	NoXDev                         // RESOLVE_NO_XDEV
	Beneath                        // RESOLVE_BENEATH
	InRoot                         // RESOLVE_IN_ROOT
)

const scoped = Beneath | InRoot

// Limits of the kernel.
const (
	PathMax     = 4096 // bytes of a path with its terminating NUL
	NameMax     = 255  // bytes of one name, unless the filesystem says otherwise
	MaxSymlinks = 40   // links followed in one lookup
)

// AtFDCWD as a starting descriptor means the current directory.
const AtFDCWD = -100

// LastType is the kind of a path's last component.
type LastType uint8

const (
	LastRoot   LastType = iota // the path is "/" or ends in a link to it
	LastNorm                   // a name
	LastDot                    // "."
	LastDotDot                 // ".."
)

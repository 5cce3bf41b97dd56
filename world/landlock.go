package world

import "syscallstory/story"

// LandlockLayer is one ruleset that landlock_restrict_self(2) has put on the task; a domain is a list of them, the oldest
// first. A right that a layer handles is refused unless one of its rules grants it.
type LandlockLayer struct {
	FS, Net, Scoped uint64 // what the ruleset handles, and the scopes that it closes
	Rules           []LandlockRule
	At              story.Origin
}

// LandlockRule grants rights below a file hierarchy or for a TCP port.
type LandlockRule struct {
	Inode  InodeID // of the hierarchy's root, wherever it is seen; 0: the rule is one of a port
	Port   uint16
	Access uint64
}

// MaxLandlockLayers is LANDLOCK_MAX_NUM_LAYERS.
const MaxLandlockLayers = 16

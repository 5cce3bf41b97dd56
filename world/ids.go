package world

import (
	"fmt"
	"strings"
)

// KUID and KGID are ids of the initial user namespace, as the kernel stores them.
type (
	KUID uint32
	KGID uint32
)

// UID and GID are ids as one user namespace sees them.
type (
	UID uint32
	GID uint32
)

// Invalid is the id that no map contains.
const Invalid = ^uint32(0)

// Overflow is what a task sees in place of an id that its user namespace cannot express (kernel.overflowuid).
const Overflow = 65534

// Extent is one line of /proc/PID/uid_map: Count ids from Inside are ids from Outside of the parent.
type Extent struct{ Inside, Outside, Count uint32 }

// IDMap is an id map of a user namespace to the initial one.
type IDMap []Extent

// IdentityMap is the map of the initial user namespace.
var IdentityMap = IDMap{{0, 0, Invalid}}

// Down maps an id of the namespace to the initial one (make_kuid).
func (m IDMap) Down(id uint32) (uint32, bool) {
	for _, e := range m {
		if id >= e.Inside && id-e.Inside < e.Count {
			return e.Outside + (id - e.Inside), true
		}
	}
	return Invalid, false
}

// Up maps an id of the initial namespace to what this one sees (from_kuid).
func (m IDMap) Up(k uint32) (uint32, bool) {
	for _, e := range m {
		if k >= e.Outside && k-e.Outside < e.Count {
			return e.Inside + (k - e.Outside), true
		}
	}
	return Invalid, false
}

// Range maps count ids from id to the initial namespace, if one extent holds them all (map_id_range_down).
func (m IDMap) Range(id, count uint32) (uint32, bool) {
	for _, e := range m {
		if last := id + count - 1; id >= e.Inside && last >= id && last-e.Inside < e.Count {
			return e.Outside + (id - e.Inside), true
		}
	}
	return Invalid, false
}

// String prints the map as /proc/PID/uid_map does, one extent after another.
func (m IDMap) String() string {
	var b strings.Builder
	for i, e := range m {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d %d %d", e.Inside, e.Outside, e.Count)
	}
	return b.String()
}

// UserNSID is the index of a user namespace in World.UserNS; 0 is the initial one.
type UserNSID uint8

// UserNS is a user namespace.
type UserNS struct {
	Parent   UserNSID
	Level    uint8
	Owner    KUID // euid of its creator
	UIDs     IDMap
	GIDs     IDMap
	Identity bool // both maps are the initial namespace's: every id is mapped to itself
	// NoSetgroups: /proc/PID/setgroups says deny, as it must where an unprivileged process wrote the map of groups.
	NoSetgroups bool
	Name        string

	ParentSetfcap bool // whoever made it had CAP_SETFCAP (parent_could_setfcap)
	// Full has the bits CLONE_NEW* of the kinds of which no more can be made, as user.max_*_namespaces of this namespace
	// says. For the initial namespace World.Sysctls counts too.
	Full uint64
}

// MapsUID reports whether the owner of an inode is mapped.
func (n *UserNS) MapsUID(k KUID) bool {
	if n.Identity {
		return uint32(k) != Invalid
	}
	_, ok := n.UIDs.Up(uint32(k))
	return ok
}

// MapsGID reports whether the group of an inode is mapped.
func (n *UserNS) MapsGID(k KGID) bool {
	if n.Identity {
		return uint32(k) != Invalid
	}
	_, ok := n.GIDs.Up(uint32(k))
	return ok
}

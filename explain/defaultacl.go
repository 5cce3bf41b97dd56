package explain

import (
	"slices"

	"syscallstory/world"
)

// inherit gives a new file what the default ACL of its directory says (posix_acl_create): then the umask does not count. The
// mode that the call asks for limits owner, mask and others.
func inherit(dir *world.Inode, ino *world.Inode) {
	acl := slices.Clone(dir.DefaultACL)
	group := -1
	for i, e := range acl {
		if e.Tag == world.ACLMask || e.Tag == world.ACLGroupObj && group < 0 {
			group = i
		}
	}
	limit := func(e *world.ACLEntry, shift uint) {
		e.Perm &= uint8(ino.Mode >> shift & 7)
		ino.Mode = ino.Mode&^(7<<shift) | uint16(e.Perm)<<shift
	}
	for i := range acl {
		switch e := &acl[i]; {
		case e.Tag == world.ACLUserObj:
			limit(e, 6)
		case i == group:
			limit(e, 3)
		case e.Tag == world.ACLOther:
			limit(e, 0)
		}
	}
	if len(acl) > 3 {
		ino.ACL = acl
	}
	if ino.Is(world.TypeDir) {
		ino.DefaultACL = slices.Clone(dir.DefaultACL)
	}
}

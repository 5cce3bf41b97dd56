package world

import "strings"

// Xattr is an extended attribute. Of its value only the size is known, but for security.capability, which decides.
type Xattr struct {
	Name  string
	Size  int
	Value string
}

// Names of the ACLs among the attributes.
const (
	XattrAccess  = "system.posix_acl_access"
	XattrDefault = "system.posix_acl_default"
	XattrCaps    = "security.capability"
	XattrSELinux = "security.selinux"
)

// Xattr finds an attribute.
func (i *Inode) Xattr(name string) (Xattr, State) {
	for _, x := range i.Xattrs {
		if x.Name == name {
			return x, Present
		}
	}
	if name == XattrSELinux && i.Known&KnownContext != 0 && i.Context != "" {
		return Xattr{Name: name, Value: i.Context, Size: len(i.Context) + 1}, Present
	}
	if i.Known&KnownXattr == 0 || i.NoTrusted && strings.HasPrefix(name, "trusted.") {
		return Xattr{}, Unsure
	}
	return Xattr{}, Absent
}

// ACLXattr is the form of an ACL in an attribute: 4 bytes of version, 8 bytes an entry.
type ACLXattr string

// Len returns how many entries it has; ok is false where the form is broken (posix_acl_fix_xattr_userns, posix_acl_from_xattr).
func (a ACLXattr) Len() (n int, ok bool) {
	if len(a) < 4 || (len(a)-4)%8 != 0 {
		return 0, false
	}
	return (len(a) - 4) / 8, true
}

// Version returns what the ACL begins with; 2 is the only one that there is.
func (a ACLXattr) Version() uint32 { return a.word(0) }

func (a ACLXattr) word(i int) uint32 {
	return uint32(a[i]) | uint32(a[i+1])<<8 | uint32(a[i+2])<<16 | uint32(a[i+3])<<24
}

// Entry returns an entry; ok is false where its tag is none.
func (a ACLXattr) Entry(i int) (e ACLEntry, ok bool) {
	at := 4 + 8*i
	e = ACLEntry{Perm: a[at+2], ID: a.word(at + 4)}
	switch uint16(a[at]) | uint16(a[at+1])<<8 {
	case 1:
		e.Tag = ACLUserObj
	case 2:
		e.Tag = ACLUser
	case 4:
		e.Tag = ACLGroupObj
	case 8:
		e.Tag = ACLGroup
	case 16:
		e.Tag = ACLMask
	case 32:
		e.Tag = ACLOther
	default:
		return e, false
	}
	return e, a[at+3] == 0 && a[at+2] <= 7
}

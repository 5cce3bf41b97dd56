package explain

import (
	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// UserNamespaces is the tree of user namespaces that a world knows.
type UserNamespaces struct {
	SchemaVersion string          `json:"schemaVersion"`
	Namespaces    []UserNamespace `json:"namespaces"`
}

// UserNamespace is a user namespace, with what the subject may do in it.
type UserNamespace struct {
	Name      string   `json:"name"`
	Parent    *string  `json:"parent"`
	Level     int      `json:"level"`
	Owner     *uint32  `json:"owner"` // as the initial namespace counts; null for the initial one
	UIDMap    []Extent `json:"uidMap"`
	GIDMap    []Extent `json:"gidMap"`
	Setgroups string   `json:"setgroups"`
	Owns      []string `json:"owns"` // the subject's namespaces that belong to it
	Subject   bool     `json:"subject"`

	Capabilities []string `json:"capabilities"` // that the subject has here
	Unknown      []string `json:"unknown"`      // of which it is not known
}

// Extent is a line of an id map, with ids of the initial namespace outside.
type Extent struct {
	Inside  uint32 `json:"inside"`
	Outside uint32 `json:"outside"`
	Count   uint32 `json:"count"`
}

func extents(m world.IDMap) []Extent {
	out := []Extent{}
	for _, e := range m {
		out = append(out, Extent(e))
	}
	return out
}

// UserNamespaces lists the user namespaces that the world knows, an ancestor before what lies below it.
func (j *Judge) UserNamespaces() *UserNamespaces {
	w := j.w
	out := &UserNamespaces{SchemaVersion: story.SchemaVersion, Namespaces: []UserNamespace{}}
	var add func(id world.UserNSID)
	add = func(id world.UserNSID) {
		out.Namespaces = append(out.Namespaces, j.userNamespace(id))
		for i := 1; i < len(w.UserNS); i++ {
			if child := world.UserNSID(i); child != id && w.UserNS[i].Parent == id {
				add(child)
			}
		}
	}
	add(0)
	return out
}

func (j *Judge) userNamespace(id world.UserNSID) UserNamespace {
	w, ns := j.w, &j.w.UserNS[id]
	n := UserNamespace{Name: ns.Name, Level: int(ns.Level), UIDMap: extents(ns.UIDs), GIDMap: extents(ns.GIDs), Setgroups: "allow",
		Owns: []string{}, Subject: id == w.Task.Cred.UserNS, Capabilities: []string{}, Unknown: []string{}}
	if ns.NoSetgroups {
		n.Setgroups = "deny"
	}
	if id != 0 {
		n.Parent = &w.UserNS[ns.Parent].Name
		if uint32(ns.Owner) != world.Invalid {
			owner := uint32(ns.Owner)
			n.Owner = &owner
		}
	}
	if int(w.Task.MountNS) < len(w.MountNS) && w.MountNS[w.Task.MountNS].Owner == id {
		n.Owns = append(n.Owns, "mnt")
	}
	for k := range world.NumNSKinds {
		if in := w.Namespace(k); in.At.Known() && in.Owner == id {
			n.Owns = append(n.Owns, k.String())
		}
	}
	for c := range kernel.NumCaps {
		switch cred.Capable(w, &w.Task.Cred, id, c) {
		case kernel.Yes:
			n.Capabilities = append(n.Capabilities, c.String())
		case kernel.NotKnown:
			n.Unknown = append(n.Unknown, c.String())
		}
	}
	return n
}

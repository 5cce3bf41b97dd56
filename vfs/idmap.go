package vfs

import (
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// maxExtents is UID_GID_MAP_MAX_EXTENTS.
const maxExtents = 340

// WriteIDs is a write to uid_map, gid_map, projid_map or setgroups of a process.
func WriteIDs(c *check.Check, f *world.IDFile, text string) story.Errno {
	err := story.Errno(0)
	if f.Kind == world.SetgroupsFile {
		err = writeSetgroups(c, f, text)
	} else {
		err = writeMap(c, f, text)
	}
	if err == 0 {
		c.Moved = check.Moved{Map: f, Text: text}
		c.Effect(story.Effect{Kind: "id-map", Path: f.Kind.String()})
	}
	return err
}

// writeSetgroups is proc_setgroups_write.
func writeSetgroups(c *check.Check, f *world.IDFile, text string) story.Errno {
	word := strings.TrimRight(text, "\n\t\v\f\r ")
	ns := &c.W.UserNS[f.NS]
	switch {
	case f.Offset != 0 || len(text) >= 8 || word != "allow" && word != "deny":
		return malformed(c, f, "allow or deny in one write")
	case word == "allow" && ns.NoSetgroups:
		return c.Refuse(story.Step{Code: story.SetgroupsFixed, Errno: story.EPERM, Op: story.OpMap, Val: [3]uint64{uint64(f.NS), c.Word("setgroups is denied there for good")}})
	case word == "deny" && len(ns.GIDs) != 0:
		return c.Refuse(story.Step{Code: story.SetgroupsFixed, Errno: story.EPERM, Op: story.OpMap, Val: [3]uint64{uint64(f.NS), c.Word("its gid_map is written already")}})
	}
	return 0
}

func malformed(c *check.Check, f *world.IDFile, want string) story.Errno {
	return c.Refuse(story.Step{Code: story.IDMapText, Errno: story.EINVAL, Op: story.OpMap, Val: [3]uint64{c.Word(f.Kind.String()), c.Word(want)}})
}

// writeMap is proc_uid_map_write, its relatives, and map_write.
func writeMap(c *check.Check, f *world.IDFile, text string) story.Errno {
	w := c.W
	ns := &w.UserNS[f.NS]
	if by := f.Opener.UserNS; f.NS == 0 || by != f.NS && by != ns.Parent {
		return c.Refuse(story.Step{Code: story.IDMapOpener, Errno: story.EPERM, Op: story.OpMap, Val: [3]uint64{uint64(by), uint64(f.NS)}})
	}
	if f.Offset != 0 || len(text) >= 4096 {
		return malformed(c, f, "the whole map in one write of less than 4096 bytes")
	}
	want := kernel.CapSetuid
	written := len(ns.UIDs) != 0
	if f.Kind == world.GIDMapFile {
		want, written = kernel.CapSetgid, len(ns.GIDs) != 0
	}
	if f.Kind == world.ProjectMapFile {
		return projects(c, f, text)
	}
	if written {
		return c.Refuse(story.Step{Code: story.IDMapWritten, Errno: story.EPERM, Op: story.OpMap, Val: [3]uint64{uint64(f.NS), c.Word(f.Kind.String())}})
	}
	if err := opener(c, f, f.NS, kernel.CapSysAdmin); err != 0 {
		return err
	}
	m, ok := parseIDMap(text)
	if !ok {
		return malformed(c, f, "lines of three numbers, whose ranges are neither empty nor overlap, at most 340")
	}
	if f.Kind == world.UIDMapFile {
		if err := mapsRoot(c, f, m); err != 0 {
			return err
		}
	}
	if err := permitted(c, f, m, want); err != 0 {
		return err
	}
	up := &w.UserNS[ns.Parent]
	for _, e := range m {
		parent := up.UIDs
		if f.Kind == world.GIDMapFile {
			parent = up.GIDs
		}
		if _, ok := parent.Range(e.Outside, e.Count); !ok {
			return c.Deny(story.Step{Code: story.IDMapParent, Errno: story.EPERM, Op: story.OpMap, Val: [3]uint64{uint64(e.Outside), uint64(e.Count), uint64(ns.Parent)}})
		}
	}
	return 0
}

// projects is a write to projid_map, for which nobody is asked; whether it was written before is not kept.
func projects(c *check.Check, f *world.IDFile, text string) story.Errno {
	if _, ok := parseIDMap(text); !ok {
		return malformed(c, f, "lines of three numbers, whose ranges are neither empty nor overlap, at most 340")
	}
	c.Unknown(story.Step{Code: story.IDMapWritten, Errno: story.EPERM, Op: story.OpMap, Val: [3]uint64{uint64(f.NS), c.Word(f.Kind.String())}})
	return 0
}

// opener asks for a capability of whoever opened the file (file_ns_capable).
func opener(c *check.Check, f *world.IDFile, ns world.UserNSID, want kernel.Cap) story.Errno {
	return had(c, f, asks(c, &f.Opener, ns, want, check.RealmEntered), ns, want)
}

// had turns the answer into a step.
func had(c *check.Check, f *world.IDFile, a kernel.Answer, ns world.UserNSID, want kernel.Cap) story.Errno {
	s := story.Step{Code: story.IDMapCapability, Errno: story.EPERM, Op: story.OpMap, Fact: [3]story.Origin{0, 0, f.Opener.EffectiveAt}, Val: [3]uint64{uint64(want), uint64(ns), uint64(f.Opener.Effective)}}
	switch a {
	case kernel.Yes:
		c.Pass(s)
	case kernel.NotKnown:
		c.Unknown(s)
	default:
		return c.Deny(s)
	}
	return 0
}

// mapsRoot is verify_root_map: who maps the parent's uid 0 could make programs with file capabilities for it.
func mapsRoot(c *check.Check, f *world.IDFile, m world.IDMap) story.Errno {
	root := false
	for _, e := range m {
		root = root || e.Outside == 0
	}
	has := c.K.Has(kernel.SetfcapMapsRoot)
	if !root || has == kernel.No {
		return 0
	}
	ns := &c.W.UserNS[f.NS]
	s := story.Step{Code: story.IDMapRoot, Errno: story.EPERM, Op: story.OpMap, Fact: [3]story.Origin{f.Opener.EffectiveAt}, Val: [3]uint64{uint64(ns.Parent), uint64(f.Opener.Effective)}}
	a := kernel.No
	if f.Opener.UserNS != f.NS {
		a = asks(c, &f.Opener, ns.Parent, kernel.CapSetfcap, check.RealmParent)
	} else if ns.ParentSetfcap {
		a = kernel.Yes
	}
	switch {
	case a == kernel.Yes:
		c.Pass(s)
	case a == kernel.NotKnown || has == kernel.NotKnown:
		c.Unknown(s)
	default:
		return c.Deny(s)
	}
	return 0
}

// permitted is new_idmap_permitted: one's own id alone, or the capability in the parent, both of who opened the file and of who
// writes.
func permitted(c *check.Check, f *world.IDFile, m world.IDMap, want kernel.Cap) story.Errno {
	ns, cr := &c.W.UserNS[f.NS], &f.Opener
	up := &c.W.UserNS[ns.Parent]
	if len(m) == 1 && m[0].Count == 1 && cr.UIDAt.Known() && ns.Owner == cr.EUID {
		uid, _ := up.UIDs.Down(m[0].Outside)
		gid, _ := up.GIDs.Down(m[0].Outside)
		if want == kernel.CapSetuid && uid == uint32(cr.EUID) || want == kernel.CapSetgid && ns.NoSetgroups && gid == uint32(cr.EGID) {
			c.Pass(story.Step{Code: story.IDMapOwn, Op: story.OpMap, Val: [3]uint64{c.Word(f.Kind.String()), uint64(m[0].Outside)}})
			return 0
		}
	}
	// One step for both: it takes the two.
	a, b := capable(c, ns.Parent, want, check.RealmParent), asks(c, cr, ns.Parent, want, check.RealmParent)
	s := story.Step{Code: story.IDMapPrivilege, Errno: story.EPERM, Op: story.OpMap, Fact: [3]story.Origin{0, 0, c.Cred.EffectiveAt}, Val: [3]uint64{uint64(want), uint64(ns.Parent), uint64(c.Cred.Effective)}}
	if a == kernel.Yes {
		s.Fact[2], s.Val[2] = cr.EffectiveAt, uint64(cr.Effective)
	}
	switch {
	case a == kernel.Yes && b == kernel.Yes:
		c.Pass(s)
	case a == kernel.No || b == kernel.No:
		return c.Deny(s)
	default:
		c.Unknown(s)
	}
	return 0
}

// parseIDMap reads what is written to a map, as map_write does.
func parseIDMap(text string) (world.IDMap, bool) {
	if i := strings.IndexByte(text, 0); i >= 0 {
		text = text[:i]
	}
	var m world.IDMap
	for more := true; more; {
		line := text
		if i := strings.IndexByte(text, '\n'); i >= 0 {
			line, text = text[:i], text[i+1:]
			more = text != ""
		} else {
			more = false
		}
		e, ok := parseExtent(line)
		if !ok || overlaps(m, e) || len(m)+1 == maxExtents && more {
			return nil, false
		}
		m = append(m, e)
	}
	return m, len(m) > 0
}

// parseExtent reads one line: three numbers, of which the kernel keeps the lower 32 bits.
func parseExtent(line string) (e world.Extent, ok bool) {
	rest := line
	for i, v := range [...]*uint32{&e.Inside, &e.Outside, &e.Count} {
		rest = skipSpaces(rest)
		n := uint64(0)
		for rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			n = n*10 + uint64(rest[0]-'0')
			rest = rest[1:]
		}
		*v = uint32(n)
		if space := skipSpaces(rest) != rest; !space && (i < 2 || rest != "") {
			return e, false
		}
	}
	if skipSpaces(rest) != "" {
		return e, false
	}
	return e, e.Inside != world.Invalid && e.Outside != world.Invalid && e.Inside+e.Count > e.Inside && e.Outside+e.Count > e.Outside
}

// skipSpaces is skip_spaces. The kernel's isspace counts the byte 0xa0 too, so that these are bytes, not characters.
func skipSpaces(s string) string {
	for s != "" && strings.IndexByte(" \t\n\v\f\r\xa0", s[0]) >= 0 {
		s = s[1:]
	}
	return s
}

// overlaps is mappings_overlap.
func overlaps(m world.IDMap, e world.Extent) bool {
	meets := func(a, b uint32, an, bn uint32) bool { return a <= b+bn-1 && b <= a+an-1 }
	for _, o := range m {
		if meets(o.Inside, e.Inside, o.Count, e.Count) || meets(o.Outside, e.Outside, o.Count, e.Count) {
			return true
		}
	}
	return false
}

// IDMap is what a text makes of a map that it is written to, where the parent has another.
func IDMap(text string, parent world.IDMap) world.IDMap {
	m, _ := parseIDMap(text)
	for i := range m {
		m[i].Outside, _ = parent.Range(m[i].Outside, m[i].Count)
	}
	return m
}

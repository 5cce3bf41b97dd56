// Package files gives the files of an image, a host or a volume to a world: from a directory of this machine, or from a
// specification in the format of mtree(5), where no real files are at hand.
package files

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"syscallstory/story"
	"syscallstory/world"
)

// MaxSpec is the largest specification that is read, in bytes, and maxEntries its most files.
const (
	MaxSpec    = 8 << 20
	maxEntries = 200_000
)

// entry is one line of a specification.
type entry struct {
	name     string
	ino      world.Inode
	have     world.Known
	uid, gid bool // given; KnownOwner stands for both
	line     int
}

// parseSpec reads the keywords type, mode, uid, gid, size, link, nlink, device, flags and acl of mtree(5), with /set, and the
// attribute of capabilities as gomtree writes it: xattr.security.capability=BASE64.
func parseSpec(file string, text []byte) ([]entry, error) {
	if len(text) > MaxSpec {
		return nil, fmt.Errorf("%s: the specification has %d bytes, at most %d are read", file, len(text), MaxSpec)
	}
	var out []entry
	set := entry{ino: world.Inode{Nlink: 1}}
	seen := map[string]int{}
	sc := bufio.NewScanner(bytes.NewReader(text))
	sc.Buffer(nil, 64<<10)
	n := 0
	for sc.Scan() {
		n++
		f := strings.Fields(sc.Text())
		switch {
		case len(f) == 0 || strings.HasPrefix(f[0], "#"):
			continue
		case f[0] == "/set":
			for _, kv := range f[1:] {
				if err := set.set(kv); err != nil {
					return nil, fmt.Errorf("%s:%d: %v", file, n, err)
				}
			}
			continue
		case len(out) == maxEntries:
			return nil, fmt.Errorf("%s:%d: a specification lists at most %d files", file, n, maxEntries)
		}
		name, err := unvis(f[0])
		if err != nil || !strings.HasPrefix(name, "./") && name != "." || strings.Contains(name, "/../") || strings.HasSuffix(name, "/..") || strings.Contains(name, "\x00") {
			return nil, fmt.Errorf("%s:%d: %q: a path begins with ./ and has no .. in it", file, n, f[0])
		}
		e := set
		e.name, e.line = path.Clean("/"+name), n
		if first := seen[e.name]; first != 0 {
			return nil, fmt.Errorf("%s:%d: %s is listed already in line %d", file, n, e.name, first)
		}
		seen[e.name] = n
		for _, kv := range f[1:] {
			if err := e.set(kv); err != nil {
				return nil, fmt.Errorf("%s:%d: %v", file, n, err)
			}
		}
		e.ino.Known |= e.have | world.KnownACL | world.KnownAttr | world.KnownCaps
		out = append(out, e)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %v", file, n+1, err)
	}
	return out, nil
}

var types = map[string]uint16{"file": world.TypeReg, "dir": world.TypeDir, "link": world.TypeLink, "char": world.TypeChar, "block": world.TypeBlk, "fifo": world.TypeFIFO, "socket": world.TypeSock}

// set applies one keyword.
func (e *entry) set(kv string) error {
	k, v, _ := strings.Cut(kv, "=")
	num := func(base int) (uint64, error) {
		n, err := strconv.ParseUint(v, base, 32)
		if err != nil {
			return 0, fmt.Errorf("%s is not a number", kv)
		}
		return n, nil
	}
	id := func() (uint64, error) {
		n, err := num(10)
		if err == nil && n == math.MaxUint32 {
			err = fmt.Errorf("%s: it stands for no id", kv)
		}
		return n, err
	}
	var n uint64
	var err error
	switch k {
	case "type":
		t, ok := types[v]
		if !ok {
			return fmt.Errorf("unknown type %q", v)
		}
		e.ino.Mode = e.ino.Mode&^world.TypeMask | t
		e.have |= world.KnownType
	case "mode":
		if n, err = num(8); err == nil && n > 0o7777 {
			err = fmt.Errorf("mode %s has bits beyond 7777", v)
		}
		e.ino.Mode = e.ino.Mode&world.TypeMask | uint16(n)
		e.have |= world.KnownPerm
	case "uid":
		n, err = id()
		e.ino.UID, e.uid = world.KUID(n), true
	case "gid":
		n, err = id()
		e.ino.GID, e.gid = world.KGID(n), true
	case "size":
		var size int64
		if size, err = strconv.ParseInt(v, 10, 64); err != nil || size < 0 {
			err = fmt.Errorf("%s is not a size", kv)
		}
		e.ino.Size = size
		e.have |= world.KnownSize
	case "nlink":
		n, err = num(10)
		e.ino.Nlink = uint32(n)
	case "link":
		e.ino.Link, err = unvis(v)
	case "device":
		if f := strings.Split(v, ","); len(f) == 3 {
			var a, b uint64
			a, err = strconv.ParseUint(f[1], 10, 32)
			if err == nil {
				b, err = strconv.ParseUint(f[2], 10, 32)
			}
			e.ino.Major, e.ino.Minor = uint32(a), uint32(b)
		} else {
			err = fmt.Errorf("%s: a device is written native,MAJOR,MINOR", kv)
		}
	case "flags":
		e.have |= world.KnownAttr
		e.ino.Attr = 0
		for _, f := range strings.Split(v, ",") {
			switch f {
			case "schg", "uchg":
				e.ino.Attr |= world.AttrImmutable
			case "sappnd", "uappnd":
				e.ino.Attr |= world.AttrAppend
			}
		}
	case "acl":
		e.ino.ACL, err = ParseACL(v)
		e.have |= world.KnownACL
	case "xattr.security.capability":
		err = e.caps(v)
	case "xattr." + world.XattrSELinux:
		var b []byte
		if b, err = base64.StdEncoding.DecodeString(v); err != nil || len(b) > maxContext {
			return fmt.Errorf("xattr.security.selinux=%s is not a context in base64", clip(v))
		}
		e.ino.Context, e.have = strings.TrimRight(string(b), "\x00"), e.have|world.KnownContext
	}
	if e.uid && e.gid {
		e.have |= world.KnownOwner
	}
	return err
}

// caps reads a file's capabilities.
func (e *entry) caps(v string) error {
	b, err := base64.StdEncoding.DecodeString(v)
	if err != nil {
		return fmt.Errorf("xattr.security.capability=%s is not in base64", clip(v))
	}
	caps, err := world.ParseFileCaps(b)
	if err != nil {
		return err
	}
	e.ino.Caps, e.have = &caps, e.have|world.KnownCaps
	return nil
}

// unvis resolves the escapes of vis(3) that mtree uses: \040.
func unvis(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i+3 >= len(s) {
			return "", fmt.Errorf("%q: an escape is three octal digits", s)
		}
		n, err := strconv.ParseUint(s[i+1:i+4], 8, 8)
		if err != nil {
			return "", fmt.Errorf("%q: an escape is three octal digits", s)
		}
		b.WriteByte(byte(n))
		i += 3
	}
	return b.String(), nil
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

// ParseACL reads an ACL as getfacl -n prints it, with commas: user::rw-,user:1000:r--,group::r--,mask::r--,other::---
// It takes those that the kernel takes (posix_acl_valid).
func ParseACL(s string) ([]world.ACLEntry, error) {
	tags := map[string][2]world.ACLTag{"user": {world.ACLUserObj, world.ACLUser}, "group": {world.ACLGroupObj, world.ACLGroup}, "mask": {world.ACLMask, world.ACLMask}, "other": {world.ACLOther, world.ACLOther}}
	var acl []world.ACLEntry
	for _, item := range strings.Split(s, ",") {
		f := strings.Split(item, ":")
		if len(f) != 3 || len(f[2]) != 3 {
			return nil, fmt.Errorf("ACL entry %q: tag:id:rwx is expected", item)
		}
		t, ok := tags[f[0]]
		if !ok {
			return nil, fmt.Errorf("ACL entry %q: unknown tag", item)
		}
		e := world.ACLEntry{Tag: t[0]}
		if f[1] != "" {
			n, err := strconv.ParseUint(f[1], 10, 32)
			if err != nil || n == math.MaxUint32 || t[0] == t[1] {
				return nil, fmt.Errorf("ACL entry %q: the id is a number, and user and group have one", item)
			}
			e.Tag, e.ID = t[1], uint32(n)
		}
		for i, ch := range []byte("rwx") {
			if f[2][i] == ch {
				e.Perm |= 4 >> i
			} else if f[2][i] != '-' {
				return nil, fmt.Errorf("ACL entry %q: rwx is expected", item)
			}
		}
		acl = append(acl, e)
	}
	var have [world.ACLOther + 1]int
	for i, e := range acl {
		have[e.Tag]++
		if i > 0 && e.Tag < acl[i-1].Tag {
			return nil, fmt.Errorf("ACL %q: entries stand in the order user, group, mask, other", clip(s))
		}
	}
	named := have[world.ACLUser]+have[world.ACLGroup] > 0
	if have[world.ACLUserObj] != 1 || have[world.ACLGroupObj] != 1 || have[world.ACLOther] != 1 || have[world.ACLMask] > 1 || named && have[world.ACLMask] == 0 {
		return nil, fmt.Errorf("ACL %q: it has one entry for user::, group:: and other::, and a mask:: where it names somebody", clip(s))
	}
	return acl, nil
}

// Tree makes a filesystem that holds exactly what a specification lists.
func Tree(w *world.World, sb world.SB, file string, text []byte) (world.SBID, error) {
	entries, err := parseSpec(file, text)
	if err != nil {
		return 0, err
	}
	root := world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, At: w.Add(story.Place{File: file, Text: "the filesystem's root"})}
	for _, e := range entries {
		if e.name == "/" {
			if e.have&world.KnownType != 0 && !e.ino.Is(world.TypeDir) {
				return 0, fmt.Errorf("%s:%d: the root is a directory", file, e.line)
			}
			if e.have&world.KnownPerm != 0 {
				root.Mode = world.TypeDir | e.ino.Mode&0o7777
			}
			root.Context, root.Known = e.ino.Context, root.Known|e.have&world.KnownContext
			root.UID, root.GID, root.Attr, root.ACL = e.ino.UID, e.ino.GID, e.ino.Attr, e.ino.ACL
			root.At = w.Add(story.Place{File: file, Line: e.line, Col: 1})
		}
	}
	id := w.FS.NewSB(sb, root)
	for _, e := range entries {
		if e.name == "/" {
			continue
		}
		if e.have&world.KnownType == 0 {
			return 0, fmt.Errorf("%s:%d: %s has no type", file, e.line, e.name)
		}
		if e.ino.Is(world.TypeLink) && e.ino.Link == "" {
			return 0, fmt.Errorf("%s:%d: %s has no link=TARGET", file, e.line, e.name)
		}
		dir, name := path.Split(e.name)
		parent := w.FS.SB(id).Root
		for _, part := range strings.Split(strings.Trim(dir, "/"), "/") {
			if part == "" {
				continue
			}
			d, st := w.FS.Lookup(parent, part)
			if st != world.Present || !w.FS.I(d).Is(world.TypeDir) {
				return 0, fmt.Errorf("%s:%d: %s: its directory is not listed before it", file, e.line, e.name)
			}
			parent = d
		}
		ino := e.ino
		ino.At = w.Add(story.Place{File: file, Line: e.line, Col: 1})
		ino.Whole = ino.Is(world.TypeDir)
		if ino.Is(world.TypeChar) && ino.Major == 0 && ino.Minor == 0 {
			ino.Whited = true
		}
		w.FS.Add(parent, name, ino)
	}
	return id, nil
}

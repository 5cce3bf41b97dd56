package overlay

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
)

// length is how many calls a mount sees.
const length = 24

type gen struct {
	*rand.Rand
	userns bool
	files  []string         // of the lower layers
	tight  bool             // the upper layer has little room
	plain  bool             // layers keep no user.* attributes
	data   int              // data-only layers: 1 where metacopy is on, 2 always
	held   map[string]int64 // the sizes of what the data-only layers hold
}

func (g *gen) one(in int) bool           { return g.IntN(in) == 0 }
func (g *gen) pick(s ...string) string   { return s[g.IntN(len(s))] }
func (g *gen) number(n ...uint32) uint32 { return n[g.IntN(len(n))] }
func (g *gen) names() (a string)         { return g.pick("a", "b", "c", "d") }
func (g *gen) mode() uint16              { return uint16(g.number(0o644, 0o600, 0o755, 0o444, 0o4755, 0o666)) }
func (g *gen) size() int64 {
	if g.tight {
		return int64(g.number(1, 5000, 12000, 20000))
	}
	return int64(g.number(0, 1, 100, 4096, 5000, 20000))
}
func (g *gen) directoryMode() (mode uint16) {
	return uint16(g.number(0o755, 0o755, 0o700, 0o1777, 0o2775))
}

// scene makes layers and calls.
func (g *gen) scene() *Scene {
	s := &Scene{Set: g.pick("default", "default", "redirect", "redirect", "metacopy", "metacopy", "index", "index", "all", "xino", "nofollow", "userxattr", "userxattr", "unmarked", "export", "moved")}
	if g.plain && s.Set == "userxattr" {
		s.Set = "default"
	}
	switch {
	case s.Set == "userxattr":
		s.User = !g.one(4)
	case s.Set == "unmarked":
		s.User = true
	case s.Set == "xino":
		s.Separate = true
	case !sets[s.Set].index && g.one(6):
		s.Nested = true
	default:
		s.Separate = g.one(3)
	}
	g.userns = s.User
	s.ReadOnly = !s.Nested && g.one(20)
	n := 2 + g.IntN(3)
	if s.Nested || s.ReadOnly {
		n = max(n, 3)
	}
	if !s.Nested && s.Set != "unmarked" && (g.data == 2 || g.data == 1 && sets[s.Set].metacopy) && g.one(3) {
		s.Data = 1 + g.IntN(2)
		if s.User { // which of two layers serves is up to what the mounter may search
			s.Data = 1
		}
		n = min(n+s.Data, maxLayers)
	}
	s.Volatile = g.one(8)
	if !s.Nested && !s.ReadOnly && !sets[s.Set].index && g.one(6) {
		s.Separate, s.Room, g.tight = true, 1+g.IntN(4), true
	}
	g.held = map[string]int64{}
	s.Layers = make([][]File, n)
	for i := n - 1; i >= 0; i-- {
		s.Layers[i] = g.layer(i, s)
	}
	set := s.Set
	for mounts := range 1 + g.IntN(3) {
		if mounts > 0 {
			set = g.remount(s, set)
		}
		for range length {
			s.Steps = append(s.Steps, Step{Call: g.call()})
		}
	}
	return s
}

// remount mounts again: the same layers with the same options, or the upper one below a new one.
func (g *gen) remount(s *Scene, set string) string {
	st := Step{Remount: "same", Set: set}
	if s.Volatile && !g.one(4) {
		st.Remount = "clean"
	}
	if !s.ReadOnly && g.one(2) && len(s.Layers) < maxLayers && !s.Nested && s.Room == 0 {
		st.Remount = "down"
		if set != "userxattr" && !s.User {
			st.Set = g.pick(set, set, set, "default", "redirect", "metacopy", "nofollow", "follow")
			if s.Data > 0 && g.data == 1 {
				st.Set = set
			}
		}
	}
	s.Steps = append(s.Steps, st)
	return st.Set
}

// layer makes the files of one layer.
func (g *gen) layer(n int, s *Scene) []File {
	var made []File
	types := map[string]string{"": "dir"}
	marked := map[string]bool{}
	var plain []string
	id := func() uint32 {
		if g.userns {
			return g.number(1000, 1000, 1001, 0, 5000)
		}
		return g.number(0, 0, 1000, 1001)
	}
	var add func(p, typ string) bool
	add = func(p, typ string) bool {
		if _, there := types[p]; there {
			return false
		}
		dir := path.Dir(p)
		if dir == "." {
			dir = ""
		}
		if _, there := types[dir]; !there && !add(dir, "dir") {
			return false
		}
		if types[dir] != "dir" || typ == "xwhiteout" && !marked[dir] {
			return false
		}
		f := File{Path: p, Type: typ, UID: id(), GID: id()}
		if g.userns && n == 0 && typ == "dir" { // in the upper layer the mounter writes, when a name is looked up first
			f.UID, f.GID = g.number(1000, 1001), g.number(1000, 1001)
		}
		switch typ {
		case "dir":
			f.Mode = g.directoryMode()
			switch {
			case g.one(9):
				f.Opaque = "y"
			case n > 0 && g.one(5):
				f.Opaque = "x"
				marked[p] = true
			}
		case "file":
			f.Mode, f.Size = g.mode(), g.size()
			if n > 0 {
				g.files = append(g.files, p)
			}
			if plain = append(plain, p); n >= len(s.Layers)-s.Data { // the upper one of two counts
				g.held["/"+p] = f.Size
			}
			if s.Data > 0 && n > 0 && n < len(s.Layers)-s.Data && g.one(2) {
				f.Data = "/" + g.path()
				if held := slices.Sorted(maps.Keys(g.held)); len(held) > 0 && !g.one(8) {
					f.Data = held[g.IntN(len(held))]
				}
				if size, ok := g.held[f.Data]; ok {
					f.Size = size
				}
				if g.userns {
					f.Mode |= 0o444
				}
			}
		case "xwhiteout":
			if g.userns { // for the mounter to read the mark
				f.Mode = 0o444
			}
		case "fifo", "null":
			f.Mode = g.mode() & 0o777
		case "link":
			f.Target = g.pick("a", "b", "a/b", "c/a", "d")
		case "hard":
			if len(plain) == 0 {
				return false
			}
			if f.Target = plain[g.IntN(len(plain))]; n >= len(s.Layers)-s.Data {
				g.held["/"+p] = g.held["/"+f.Target]
			}
		}
		f.Xattr = !g.plain && (typ == "dir" || typ == "file") && g.one(6)
		types[p] = typ
		made = append(made, f)
		return true
	}
	files := 4 + g.IntN(10)
	if g.tight && n == 0 {
		files = g.IntN(3)
	}
	for range files {
		p := g.names()
		for g.one(2) && len(p) < 6 {
			p += "/" + g.names()
		}
		typ := g.pick("dir", "dir", "dir", "dir", "file", "file", "file", "file", "file", "hard", "hard", "link", "fifo", "null", "whiteout", "whiteout", "xwhiteout", "xwhiteout")
		add(p, typ)
	}
	return made
}

// path writes one of a few names, so that calls meet.
func (g *gen) path() string {
	p := g.names()
	for g.IntN(5) < 2 && len(p) < 6 {
		p += "/" + g.names()
	}
	return p
}

// call writes a call.
func (g *gen) call() string {
	id := func() uint32 {
		if g.userns {
			return g.number(0, 1, 2)
		}
		return g.number(0, 1000, 1001, 5000)
	}
	p := g.path()
	if g.tight && g.one(2) && len(g.files) > 0 {
		p = g.files[g.IntN(len(g.files))]
	}
	mode := func() string { return g.pick("0755", "0700", "0644", "0600", "04755", "02775") }
	switch g.IntN(24) {
	case 0, 1:
		return fmt.Sprintf("open(%q, %s)", p, g.pick("O_RDONLY|O_NONBLOCK", "O_RDONLY|O_NONBLOCK|O_NOFOLLOW", "O_RDONLY|O_DIRECTORY"))
	case 2, 3, 4, 5:
		return fmt.Sprintf("open(%q, %s|O_NONBLOCK%s)", p, g.pick("O_WRONLY", "O_RDWR", "O_WRONLY|O_APPEND", "O_RDONLY"), g.pick("", "", "|O_TRUNC"))
	case 6, 7:
		return fmt.Sprintf("open(%q, O_RDWR|O_NONBLOCK|O_CREAT%s, %s)", p, g.pick("", "|O_EXCL", "|O_TRUNC"), mode())
	case 8:
		return fmt.Sprintf("mkdir(%q, %s)", p, mode())
	case 9:
		return fmt.Sprintf("mkdir(%q, %s)", p, mode())
	case 10:
		return fmt.Sprintf("rmdir(%q)", p)
	case 11, 12, 13:
		return fmt.Sprintf("unlink(%q)", p)
	case 14, 15, 16:
		return fmt.Sprintf("rename(%q, %q)", p, g.path())
	case 17:
		return fmt.Sprintf("renameat2(AT_FDCWD, %q, AT_FDCWD, %q, %s)", p, g.path(), g.pick("RENAME_NOREPLACE", "RENAME_EXCHANGE", "RENAME_EXCHANGE", "RENAME_WHITEOUT"))
	case 18:
		return fmt.Sprintf("link(%q, %q)", p, g.path())
	case 19:
		return g.pick(fmt.Sprintf("symlink(%q, %q)", g.pick("a", "b/a", "c"), p), fmt.Sprintf("mknod(%q, S_IFIFO|0644, 0)", p), fmt.Sprintf("mknod(%q, S_IFCHR|0644, makedev(0, 0))", p),
			fmt.Sprintf("mknod(%q, S_IFREG|0640, 0)", p))
	case 20:
		return fmt.Sprintf("chmod(%q, %s)", p, mode())
	case 21:
		return fmt.Sprintf("%s(%q, %d, %d)", g.pick("chown", "lchown"), p, id(), id())
	case 22:
		return fmt.Sprintf("truncate(%q, %s)", p, g.pick("0", "3", "4096", "6000"))
	}
	return g.pick(fmt.Sprintf("setxattr(%q, %q, \"1\", 1, 0)", p, g.pick("user.x", "user.y")), fmt.Sprintf("removexattr(%q, %q)", p, g.pick("user.x", "user.y")),
		fmt.Sprintf("utimensat(AT_FDCWD, %q, NULL, %s)", p, g.pick("0", "AT_SYMLINK_NOFOLLOW")), fmt.Sprintf("readlink(%q, 0x1000, 100)", p), fmt.Sprintf("getxattr(%q, \"user.x\", 0x1000, 100)", p))
}

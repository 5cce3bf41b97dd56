package explain_test

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/explain"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// seen is what lstat tells of a name.
type seen struct {
	mode     uint32
	uid, gid uint32
	size     int64
	dev      uint64
	link     string
}

// tree is every name of a lab, but those of an overlay's layers.
type tree map[string]seen

// layer reports whether a path belongs to a layer of an overlay: a merged view shows what matters of it.
func layer(p string) bool {
	top, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	return top == "low" || top == "up" || top == "upwork"
}

// look reads the whole tree.
func (l *lab) look() tree {
	l.t.Helper()
	all := tree{}
	var read func(p string)
	read = func(p string) {
		var st unix.Stat_t
		l.must(unix.Lstat(l.path(p), &st))
		s := seen{mode: st.Mode, uid: st.Uid, gid: st.Gid, dev: st.Rdev}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			s.size = st.Size
		case unix.S_IFLNK:
			s.link, _ = os.Readlink(l.path(p))
		}
		all[p] = s
		if st.Mode&unix.S_IFMT != unix.S_IFDIR || layer(p) {
			return
		}
		names, err := os.ReadDir(l.path(p))
		l.must(err)
		for _, n := range names {
			read(path.Join(p, n.Name()))
		}
	}
	read("/")
	return all
}

// find is place for a name that may be missing in the world.
func (l *lab) find(p string) (world.Path, bool) {
	at := l.root
	for _, name := range strings.FieldsFunc(p, func(r rune) bool { return r == '/' }) {
		d, st := l.FS.Lookup(at.Dentry, name)
		if st != world.Present {
			return at, false
		}
		at = l.Top(world.Path{Mount: at.Mount, Dentry: d})
	}
	return at, true
}

// freeze lets the world read the whole tree, and nothing later.
func (l *lab) freeze(all tree) {
	l.t.Helper()
	for p, s := range all {
		if at, ok := l.find(p); !ok {
			l.t.Fatalf("the world has no %s", p)
		} else if s.mode&unix.S_IFMT == unix.S_IFDIR && !layer(p) {
			defer func() { l.FS.I(at.Dentry).Whole = true }()
		}
	}
}

// effects compares what a story says that the call has changed with what has changed.
func (l *lab) effects(call string, s *story.Story, before, after tree) {
	l.t.Helper()
	told := map[string][]string{}
	for _, e := range s.Effects {
		told[e.Path] = append(told[e.Path], e.Kind)
	}
	about := func(p string) (kinds []string) {
		for q, k := range told {
			if l.canon(q) == l.canon(p) {
				kinds = append(kinds, k...)
			}
		}
		return kinds
	}
	has := func(p, kind string) bool { return slices.Contains(about(p), kind) }
	renamed := strings.HasPrefix(call, "rename")
	parent := func(p string) bool { // what a directory takes along is not told one by one
		dir := path.Dir(p)
		_, was := before[dir]
		_, is := after[dir]
		return was && is && len(about(dir)) == 0
	}
	for p, a := range after {
		b, was := before[p]
		switch {
		case !was && parent(p) && !has(p, "created"):
			l.t.Errorf("%.200s: %s is new, the story does not say so", call, p)
		case !was || renamed:
		case a.mode != b.mode && !has(p, "mode") && !has(p, "owner"):
			l.t.Errorf("%.200s: the mode of %s is changed, the story does not say so", call, p)
		case (a.uid != b.uid || a.gid != b.gid) && !has(p, "owner"):
			l.t.Errorf("%.200s: the owner of %s is changed, the story does not say so", call, p)
		case a.size != b.size && !has(p, "truncated"):
			l.t.Errorf("%.200s: the size of %s is changed, the story does not say so", call, p)
		}
	}
	for p := range before {
		if _, is := after[p]; !is && parent(p) && !has(p, "removed") {
			l.t.Errorf("%.200s: %s is gone, the story does not say so", call, p)
		}
	}
	for p, kinds := range told {
		_, was := before[p]
		_, is := after[p]
		for _, k := range kinds {
			if k == "created" && (was && !renamed || !is) || k == "removed" && (!was || is) || k == "renamed" && (!renamed || !is) {
				l.t.Errorf("%.200s: the story says that %s is %s", call, p, k)
			}
		}
	}
}

// canon is the first of the names that lead to the same file.
func (l *lab) canon(p string) string {
	for _, pair := range l.twins {
		if rest, ok := strings.CutPrefix(p, pair[0]); ok {
			p = pair[1] + rest
		}
	}
	return p
}

// copies compares the files that the story says are copied up with what the upper layer has got.
func (l *lab) copies(call string, s *story.Story, before, after map[string]bool) {
	l.t.Helper()
	told := map[string]bool{}
	for _, e := range s.Effects {
		switch name := strings.TrimPrefix(e.Path, "/ovl"); e.Kind {
		case "copied-up":
			told[name] = true
		case "created", "removed", "renamed": // what has become of these is seen in the merged view
			told[name], before[name] = false, true
		}
	}
	for p, is := range told {
		if is && !after[p] && !strings.HasPrefix(call, "rename") {
			l.t.Errorf("%.200s: %s is not copied up", call, p)
		}
	}
	for p := range after {
		if !before[p] && !told[p] && !told[path.Dir(p)] {
			l.t.Errorf("%.200s: %s is copied up, the story does not say so", call, p)
		}
	}
}

// upper lists the names of the upper layer that are no directories.
func (l *lab) upper() map[string]bool {
	all := map[string]bool{}
	root := l.path("up")
	filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all[strings.TrimPrefix(p, root)] = true
		}
		return nil
	})
	return all
}

// apply changes the world as the call has.
func (l *lab) apply(text string) {
	l.t.Helper()
	j, err := explain.Bind(l.World, nil)
	l.must(err)
	call, err := syscalls.Parse(syscalls.X8664, text)
	l.must(err)
	j.Verdict(call)
	j.Apply(call, -1)
}

// same compares the world with the tree.
func (l *lab) same(call string, task who, all tree) {
	l.t.Helper()
	for p, s := range all {
		at, ok := l.find(p)
		if !ok {
			l.t.Errorf("%.200s as %s: the world has no %s afterwards", call, task.name, p)
			continue
		}
		ino := l.FS.I(at.Dentry)
		if l.Mounts[at.Mount].IDMap != 0 || layer(p) || l.MountedAt(world.Path{Mount: l.root.Mount, Dentry: at.Dentry}) != 0 {
			continue
		}
		is := seen{mode: uint32(ino.Mode), uid: uint32(ino.UID), gid: uint32(ino.GID), link: ino.Link}
		switch ino.Type() {
		case world.TypeReg:
			is.size = ino.Size
		case world.TypeChar, world.TypeBlk:
			is.dev = unix.Mkdev(ino.Major, ino.Minor)
		}
		if is != s {
			l.t.Errorf("%.200s as %s: %s is %+v in the world, %+v in the kernel", call, task.name, p, is, s)
		}
	}
	var walk func(at world.Path, p string)
	walk = func(at world.Path, p string) {
		if layer(p) || p != "/" && l.MountedAt(world.Path{Mount: l.root.Mount, Dentry: at.Dentry}) != 0 {
			return
		}
		names, _ := l.FS.Names(at.Dentry)
		for _, n := range names {
			full := path.Join(p, n)
			if _, ok := all[full]; !ok {
				l.t.Errorf("%.200s as %s: the world still has %s", call, task.name, full)
				continue
			}
			d, _ := l.FS.Lookup(at.Dentry, n)
			walk(l.Top(world.Path{Mount: at.Mount, Dentry: d}), full)
		}
	}
	walk(l.root, "/")
}

// performed makes the call in the kernel and holds what it changes against the story and against what Apply makes of the
// world.
func (l *lab) performed(t *testing.T, c row, task who, p prediction) string {
	t.Helper()
	before, up := l.look(), l.upper()
	l.freeze(before)
	got := l.perform(task, c.call)
	after := l.look()
	if got != "-" {
		for name, s := range after {
			if before[name] != s {
				t.Errorf("%.200s as %s: %s, but %s has changed", c.call, task.name, got, name)
			}
		}
		return got
	}
	if p.verdict == story.Allowed && !strings.HasPrefix(c.call, "mount") {
		l.effects(c.call, p.told, before, after)
		l.copies(c.call, p.told, up, l.upper())
		l.apply(c.call)
		l.same(c.call, task, after)
	}
	return got
}

package explain_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/world"
)

// union is an overlay of directories of the lab.
type union struct {
	*lab
	point   string
	upper   string // empty: none
	files   string // what upper holds
	lower   []string
	options string
	flags   world.MountFlags
	owner   *child      // who mounts it; nil: the lab
	marks   bool        // with userxattr
	shift   world.IDMap // the map of the mounts below which the lower layers are
	plain   []string    // the lower layers without that map
	start   map[string]string
}

// overlay mounts a union and describes it to the world.
func (l *lab) overlay(u *union) {
	l.t.Helper()
	u.lab = l
	u.mount()
	at := l.at
	sb := world.SB{Name: u.point, At: at, FlagsAt: at}
	m := world.Cred{Effective: world.AllCaps, Permitted: world.AllCaps, Bounding: world.AllCaps, UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at}
	if u.owner != nil {
		sb.UserNS, sb.Flags, m.UserNS = 1, world.SBNoDev, 1
		id := l.UserNS[1].UIDs[0].Outside
		m.RUID, m.EUID, m.SUID, m.FSUID = world.KUID(id), world.KUID(id), world.KUID(id), world.KUID(id)
		m.RGID, m.EGID, m.SGID, m.FSGID = world.KGID(id), world.KGID(id), world.KGID(id), world.KGID(id)
	}
	sb.Overlay = &world.Overlay{Mounter: m, UserXattr: u.marks, Shift: u.shift, Redirect: world.Given(redirects(), at)}
	layer := func(p string) world.DentryID {
		return l.FS.SB(l.filesystem(world.SB{Type: "tmpfs", Name: p}, l.path(p))).Root
	}
	if u.upper != "" {
		sb.Overlay.Upper = layer(u.upper)
	}
	lower := u.lower
	if u.plain != nil {
		lower = u.plain
	}
	for _, p := range lower {
		sb.Overlay.Lower = append(sb.Overlay.Lower, layer(p))
		sb.Overlay.Names = append(sb.Overlay.Names, p)
	}
	l.attach(u.point, world.Mount{SB: overlay.Merger{}.NewOverlay(l.FS, sb), Flags: u.flags})
}

// redirects reads the kernel's default of redirect_dir.
func redirects() bool {
	b, err := os.ReadFile("/sys/module/overlay/parameters/redirect_dir")
	return err == nil && strings.TrimSpace(string(b)) == "Y"
}

// mount makes the upper layer and mounts.
func (u *union) mount() {
	u.t.Helper()
	var lower []string
	for _, p := range u.lower {
		lower = append(lower, u.path(p))
	}
	data := "lowerdir=" + strings.Join(lower, ":") + u.options
	if u.upper != "" {
		u.must(makeFiles(u.path(u.upper), u.files))
		data += fmt.Sprintf(",upperdir=%s,workdir=%s", u.path(u.upper), u.path(u.upper+"work"))
		u.start = u.list()
	}
	m := &mountArgs{Source: "overlay", Target: u.path(u.point), Type: "overlay", Flags: mountFlags[u.flags], Data: data}
	if u.owner != nil {
		u.owner.do(job{Mount: m})
		return
	}
	u.must(unix.Mount(m.Source, m.Target, m.Type, m.Flags, m.Data))
}

// list tells what the upper layer holds: for a file its size.
func (u *union) list() map[string]string {
	all := map[string]string{}
	root := u.path(u.upper)
	u.must(filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(p, root)
		switch {
		case d.IsDir():
			all[name] = "dir"
		case d.Type().IsRegular():
			all[name] = fmt.Sprint(st.Size())
		default:
			all[name] = d.Type().String()
		}
		return nil
	}))
	return all
}

// compare holds the copies that are predicted against those that the upper layer has got, and makes the overlay anew if
// there are any.
func (u *union) compare(c row, task who, p prediction, got string) {
	u.t.Helper()
	there, told := map[string]string{}, map[string]string{}
	for name, what := range u.list() {
		if u.start[name] != what && !strings.HasPrefix(filepath.Base(name), "new") {
			there[name] = what
		}
	}
	for _, s := range p.told.Steps {
		if s.Code == story.OverlayCopyUp.Info().ID && s.Outcome == story.Allow.String() {
			told[strings.TrimPrefix(s.Object, u.point)] = "dir"
		}
	}
	for _, e := range p.told.Effects {
		switch name := strings.TrimPrefix(e.Path, u.point); e.Kind {
		case "copied-up":
			told[name] = fmt.Sprint(*e.Bytes)
		case "truncated":
			if _, copied := told[name]; !copied {
				told[name] = "0"
			}
		}
	}
	if (got == "-" || got == "+") && !maps.Equal(there, told) {
		u.t.Errorf("%s as %s: predicted to be copied up: %v, in the upper layer: %v", c.call, task.name, told, there)
	}
	if got == "-" || got == "+" || len(there) > 0 {
		u.reset()
	}
}

// reset makes the upper layer anew.
func (u *union) reset() {
	u.t.Helper()
	if u.owner != nil {
		u.owner.do(job{Umount: u.path(u.point)})
	} else {
		u.must(unix.Unmount(u.path(u.point), 0))
	}
	for _, dir := range []string{u.upper, u.upper + "work"} {
		names, err := os.ReadDir(u.path(dir))
		u.must(err)
		for _, n := range names {
			u.must(os.RemoveAll(filepath.Join(u.path(dir), n.Name())))
		}
	}
	u.mount()
}

const firstLower = `
	file f1 644 1000:1000 size=10
	file f600 600 1000:1000 size=7
	file both 644 1000:1000 size=1
	dir m 755 1000:1000
	file m/a 644 1000:1000 size=3
	dir op 755 1000:1000 trusted.overlay.opaque=y
	file op/a 644 1000:1000
	dir notop 755 1000:1000 user.overlay.opaque=y
	char wh 0 0:0 dev=0:0
	char whd 0 0:0 dev=0:0
	file fd 644 1000:1000
	dir df 755 1000:1000
	link ln 777 0:0 to=m/a
	link labs 777 0:0 to=/ovl/f2
	char null 666 1000:1000 dev=1:3
	char null600 600 1000:1000 dev=1:3
	fifo fifo 666 1000:1000
	sock sock 666 1000:1000
	dir d700 700 1000:1000
	file d700/in 644 1000:1000 size=4
	file imm 644 1000:1000 flags=i
	file app 644 1000:1000 size=12 flags=a
	file acl 640 0:0 size=13 acl=user::rw-,user:1000:rw-,group::---,mask::rw-,other::---
	dir st 1777 0:0
	file st/f 666 1000:1000 size=14
	char st/null 666 1000:1000 dev=1:3
	file newgone 644 1000:1000
	dir um 700 0:0
	file um/x 644 1000:1000 size=15
	dir uop 755 1000:1000
	file uop/hidden 644 1000:1000
	dir before 755 1000:1000
	file before/x 644 1000:1000
	file before/wh 644 1000:1000
	dir before/sub 755 1000:1000
	file before/sub/y 644 1000:1000
	dir before/op 755 1000:1000
	file before/op/y 644 1000:1000
	file empty 644 1000:1000 size=0
`

const secondLower = `
	file f2 644 1000:1000 size=20
	file both 600 0:0 size=2
	dir m 700 0:0
	file m/a 600 0:0 size=9
	file m/b 644 1000:1000 size=6
	dir op 755 1000:1000
	file op/b 644 1000:1000
	dir notop 755 1000:1000
	file notop/b 644 1000:1000
	file wh 644 1000:1000
	dir whd 755 1000:1000
	file whd/x 644 1000:1000
	dir fd 755 1000:1000
	file fd/x 644 1000:1000
	file df 644 1000:1000
	dir deep 755 1000:1000
	dir deep/e 755 1000:1000
	file deep/e/f 644 1000:1000 size=100
`

const upperFiles = `
	file u 644 1000:1000 size=11
	char newgone 0 0:0 dev=0:0
	dir um 755 1000:1000
	dir uop 755 1000:1000 trusted.overlay.opaque=y
	file uop/in 644 1000:1000
	dir moved 755 1000:1000 trusted.overlay.redirect=before
	file moved/own 644 1000:1000
	char moved/wh 0 0:0 dev=0:0
	dir moved/op 755 1000:1000 trusted.overlay.opaque=y
`

// overlayCases are for root, owner and stranger.
var overlayCases = []row{
	{`open("f1", O_RDONLY)`, "-"},
	{`open("f1", O_WRONLY)`, "- - EACCES"},
	{`open("f1", O_RDWR)`, "- - EACCES"},
	{`open("f1", O_WRONLY|O_TRUNC)`, "- - EACCES"},
	{`open("f1", O_RDONLY|O_TRUNC)`, "- - EACCES"},
	{`open("f1", O_WRONLY|O_APPEND)`, "- - EACCES"},
	{`open("f1", 3)`, "- - EACCES"}, // opens for neither: no copy
	{`open("f1", O_RDONLY|O_CREAT, 0600)`, "-"},
	{`open("f1", O_RDONLY|O_CREAT|O_EXCL, 0600)`, "EEXIST"},
	{`open("f1", O_PATH)`, "-"},
	{`open("f1", O_RDONLY|O_NOATIME)`, "- - EPERM"},
	{`creat("f1", 0600)`, "- - EACCES"},
	{`stat("f1")`, "-"},
	{`access("f1", W_OK)`, "- - EACCES"},
	{`open("empty", O_WRONLY)`, "- - EACCES"},
	{`open("f600", O_RDONLY)`, "- - EACCES"},
	{`open("f600", O_WRONLY)`, "- - EACCES"},
	{`open("f2", O_WRONLY)`, "- - EACCES"},
	{`open("labs", O_WRONLY)`, "- - EACCES"},
	{`open("both", O_RDONLY)`, "-"},
	{`open("both", O_RDWR)`, "- - EACCES"},
	{`open("m/a", O_RDONLY)`, "-"},
	{`open("m/a", O_WRONLY)`, "- - EACCES"},
	{`open("m/b", O_RDONLY)`, "-"},
	{`open("m/b", O_WRONLY)`, "- - EACCES"},
	{`open("m/none", O_RDONLY)`, "ENOENT"},
	{`open("m/new", O_WRONLY|O_CREAT, 0600)`, "+ + EACCES"},
	{`open("m", O_RDONLY|O_DIRECTORY)`, "-"},
	{`open("m", O_WRONLY)`, "EISDIR"},
	{`open("ln", O_RDONLY)`, "-"},
	{`open("ln", O_WRONLY)`, "- - EACCES"},
	{`open("op/a", O_RDONLY)`, "-"},
	{`open("op/b", O_RDONLY)`, "ENOENT"},
	{`open("notop/b", O_RDONLY)`, "-"}, // the mark of the other kind
	{`open("wh", O_RDONLY)`, "ENOENT"},
	{`stat("wh")`, "ENOENT"},
	{`open("whd/x", O_RDONLY)`, "ENOENT"},
	{`open("fd", O_RDONLY)`, "-"},
	{`open("fd/x", O_RDONLY)`, "ENOTDIR"},
	{`open("df/x", O_RDONLY)`, "ENOENT"},
	{`open("df", O_RDONLY|O_DIRECTORY)`, "-"},
	{`open("newgone", O_RDONLY)`, "ENOENT"},
	{`lstat("newgone")`, "ENOENT"},
	{`open("newgone", O_WRONLY|O_CREAT|O_EXCL, 0600)`, "+ EACCES EACCES"},
	{`open("um/x", O_RDONLY)`, "-"},
	{`open("um/x", O_WRONLY)`, "- - EACCES"},
	{`open("um/new", O_WRONLY|O_CREAT, 0600)`, "+ + EACCES"},
	{`open("uop/in", O_WRONLY)`, "- - EACCES"},
	{`open("uop/hidden", O_RDONLY)`, "ENOENT"},
	{`open("uop/new", O_WRONLY|O_CREAT, 0600)`, "+ + EACCES"},
	{`open("u", O_WRONLY)`, "- - EACCES"},
	{`open("u", O_WRONLY|O_TMPFILE, 0600)`, "ENOTDIR"},
	{`open("moved/own", O_WRONLY)`, "- - EACCES"},
	{`open("moved/x", O_RDONLY)`, "-"}, // a renamed directory goes on below under its old name
	{`open("moved/sub/y", O_RDONLY)`, "-"},
	{`open("moved/none", O_RDONLY)`, "ENOENT"},
	{`open("moved/wh", O_RDONLY)`, "ENOENT"},
	{`open("moved/op/y", O_RDONLY)`, "ENOENT"},
	{`open("deep/e/f", O_WRONLY)`, "- - EACCES"},
	{`open("deep/e/f", O_WRONLY|O_TRUNC)`, "- - EACCES"},
	{`open("deep/e/new", O_WRONLY|O_CREAT, 0600)`, "+ + EACCES"},
	{`open("deep/e", O_WRONLY|O_TMPFILE, 0600)`, "- - EACCES"},
	{`open("deep/e/f", O_RDONLY)`, "-"},
	{`access("deep/e", W_OK)`, "- - EACCES"},
	{`open("null", O_RDWR)`, "-"},
	{`open("null600", O_RDWR)`, "- - EACCES"},
	{`open("fifo", O_RDWR)`, "-"},
	{`open("fifo", O_RDWR|O_TRUNC)`, "-"},
	{`open("sock", O_RDWR)`, "ENXIO"},
	{`open("d700/in", O_RDONLY)`, "- - EACCES"},
	{`open("d700/in", O_WRONLY)`, "- - EACCES"},
	{`open("d700/../f1", O_RDONLY)`, "- - EACCES"},
	{`open("imm", O_RDONLY)`, "-"},
	{`open("imm", O_WRONLY)`, "EPERM"},
	{`open("app", O_WRONLY)`, "EPERM EPERM EACCES"},
	{`open("app", O_WRONLY|O_APPEND)`, "- - EACCES"},
	{`open("acl", O_RDONLY)`, "- - EACCES"},
	{`open("acl", O_RDWR)`, "- - EACCES"},
	{`open("st/f", O_WRONLY)`, "-"},
	{`open("st/f", O_WRONLY|O_CREAT, 0600)`, "EACCES@regular - EACCES@regular"},
	{`open("st/null", O_RDWR|O_CREAT, 0600)`, "EACCES - EACCES"},
	{`open("st/new", O_RDWR|O_CREAT, 0600)`, "+"},
	{`open("` + name256 + `", O_RDONLY)`, "ENAMETOOLONG"},
	{`open("prog", O_WRONLY)`, "- - EACCES"}, // it is the layer's file that is executed
	{`openat2(AT_FDCWD, "../ovl/f1", {flags=O_RDONLY, resolve=RESOLVE_NO_XDEV})`, "EXDEV"},
	{`open("/ro/f1", O_RDONLY)`, "-"},
	{`open("/ro/f1", O_WRONLY)`, "EROFS EROFS EACCES"}, // before anything is copied
	{`open("/ro/f1", O_WRONLY|O_TRUNC)`, "EROFS"},
	{`open("/ro/m/new", O_WRONLY|O_CREAT, 0600)`, "EROFS"},
	{`access("/ro/f1", W_OK)`, "EROFS EROFS EACCES"},
}

// lowerCases are on an overlay without an upper layer.
var lowerCases = []row{
	{`open("f1", O_RDONLY)`, "-"},
	{`open("f1", O_WRONLY)`, "EROFS"},
	{`open("f1", O_RDONLY|O_TRUNC)`, "EROFS"},
	{`open("f1", O_RDONLY|O_CREAT, 0600)`, "-"},
	{`open("f600", O_RDONLY)`, "- - EACCES"},
	{`open("f600", O_WRONLY)`, "EROFS"},
	{`open("imm", O_WRONLY)`, "EROFS"},
	{`open("m/b", O_RDONLY)`, "-"},
	{`open("m/new", O_WRONLY|O_CREAT, 0600)`, "EROFS"},
	{`open("m", O_WRONLY|O_TMPFILE, 0600)`, "EROFS"},
	{`open("op/b", O_RDONLY)`, "ENOENT"},
	{`open("wh", O_RDONLY)`, "ENOENT"},
	{`open("wh", O_WRONLY|O_CREAT, 0600)`, "EROFS"},
	{`open("newgone", O_RDONLY)`, "-"}, // the whiteout was in the other upper layer
	{`open("um/x", O_RDONLY)`, "- EACCES EACCES"},
	{`open("null", O_RDWR)`, "-"},
	{`open("fifo", O_RDWR)`, "-"},
	{`access("f1", W_OK)`, "EROFS"},
	{`access("f1", R_OK)`, "-"},
	{`access("null", W_OK)`, "-"},
	{`stat("whd")`, "ENOENT"},
	{`open("/nodev/null", O_RDWR)`, "EACCES"}, // an overlay that is mounted nodev
	{`open("/nodev/f1", O_RDONLY)`, "-"},
	{`open("/layers/null", O_RDWR)`, "-"}, // layers on mounts with nodev and noexec are not asked
	{`access("/layers/prog", X_OK)`, "-"},
	{`open("/plain/l1/null", O_RDWR)`, "EACCES"},
	{`access("/plain/l1/prog", X_OK)`, "EACCES"},
}

// TestKernelOverlay compares overlays: which layer serves, what is refused, and what really is in the upper layer after a
// call that copies up.
func TestKernelOverlay(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	l := newLab(t, dir, `
		dir l1 755 0:0
		dir l2 755 0:0
		dir up 755 0:0
		dir upwork 755 0:0
		dir ovl 755 0:0
		dir ro 755 0:0
		dir lower 755 0:0
		dir nodev 755 0:0
		dir layers 755 0:0
		dir plain 755 0:0
		dir noexec 755 0:0
	`)
	l.must(makeFiles(l.path("l1"), firstLower))
	l.must(makeFiles(l.path("l2"), secondLower))
	running(l, "/l1/prog")
	two := []string{"/l1", "/l2"}
	u := &union{point: "/ovl", upper: "/up", files: upperFiles, lower: two, options: ",redirect_dir=on"}
	l.overlay(u)
	prog, _ := l.FS.Lookup(l.FS.SBOf(l.place(l.root, "/ovl").Dentry).Overlay.Lower[0], "prog")
	l.FS.I(prog).Attr |= world.AttrExecuting
	// The same overlay through a read-only mount.
	ovl := l.place(l.root, "/ovl")
	roOvl := func() {
		l.must(unix.Mount(l.path("/ovl"), l.path("/ro"), "", unix.MS_BIND, ""))
		l.must(unix.Mount("", l.path("/ro"), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	}
	roOvl()
	l.attach("/ro", world.Mount{Root: ovl.Dentry, SB: l.Mounts[ovl.Mount].SB, Flags: world.MountReadOnly})
	l.after = func(c row, task who, p prediction, got string) {
		l.must(unix.Unmount(l.path("/ro"), 0))
		u.compare(c, task, p, got)
		roOvl()
	}
	in := func(root string) []who {
		tasks := append([]who{}, three...)
		for i := range tasks {
			tasks[i].cwd = root
		}
		return tasks
	}
	l.run(in("/ovl"), overlayCases)

	l.after = nil
	l.overlay(&union{point: "/lower", lower: two})
	l.overlay(&union{point: "/nodev", lower: two, flags: world.MountNoDev})
	l.bind("/", "/plain", world.MountNoDev)
	l.bind("/plain", "/noexec", 0)
	l.must(unix.Mount("", l.path("/plain"), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_NODEV|unix.MS_NOEXEC, ""))
	plain := l.MountedAt(world.Path{Mount: l.root.Mount, Dentry: l.lookup("plain")})
	l.Mounts[plain].Flags |= world.MountNoExec
	l.overlay(&union{point: "/layers", lower: []string{"/plain/l1", "/plain/l2"}})
	l.run(in("/lower"), lowerCases)
}

func (l *lab) lookup(name string) world.DentryID {
	d, _ := l.FS.Lookup(l.root.Dentry, name)
	return d
}

// foreignCases are on an overlay that root of the child's user namespace mounted, for the tasks of usernsCases.
var foreignCases = []row{
	{`setxattr("sticky", "user.a", "v", 1, 0)`, "EPERM"}, // root of the machine may, who mounted the overlay may not
	{`unlink("sticky/f")`, "EPERM"},
	{`rename("sticky/f", "sticky/g")`, "EOVERFLOW EPERM EPERM EPERM EPERM EPERM"}, // root of the machine has no place in the filesystem
	{`open("ok", O_RDONLY)`, "-"},
	{`open("ok", O_WRONLY)`, "- EACCES - EACCES - -"},
	{`open("ok", O_WRONLY|O_TRUNC)`, "- EACCES - EACCES - -"},
	{`open("rootr", O_RDONLY)`, "-"},
	{`open("rootr", O_WRONLY)`, "EOVERFLOW EACCES EACCES EACCES EACCES EACCES"},
	{`open("root666", O_RDONLY)`, "-"},
	{`open("root666", O_WRONLY)`, "EOVERFLOW"}, // the mounter cannot keep the owner
	{`open("root666", O_RDONLY|O_TRUNC)`, "EOVERFLOW"},
	{`open("root666", 3)`, "-"},
	{`access("root666", W_OK)`, "-"},
	{`execve("okx", ["x"], [])`, "ENOEXEC"},
	{`execve("rootx", ["x"], [])`, "EACCES"},                   // the mounter opens it for reading
	{`setxattr("root666", "other.a", "1", 1, 0)`, "EOVERFLOW"}, // the copy comes before the layer is asked for a handler
	{`chmod("u0", 0644)`, "EPERM"},                             // the owner may, the mounter may not
	{`chown("u0", 0, -1)`, "EPERM"},
	{`removexattr("u0", "user.none")`, "ENODATA"},
	{`removexattr("u600", "user.none")`, "EACCES"}, // in the upper layer the mounter is asked before the name is looked for
	{`removexattr("root666", "user.none")`, "ENODATA"},
	{`utimensat(AT_FDCWD, "u0", [{0, 5}, {0, 5}], 0)`, "EPERM"},
	{`open("root666", O_RDONLY|O_NOATIME)`, "- EPERM EPERM EPERM EPERM EPERM"},
	{`open("root600", O_RDONLY)`, "EACCES"}, // the task may, the mounter may not
	{`open("root600", O_WRONLY)`, "EACCES"},
	{`open("root600", O_PATH)`, "-"},
	{`access("root600", R_OK)`, "EACCES"},
	{`access("root600", F_OK)`, "-"},
	{`stat("root600")`, "-"},
	{`open("root622", O_WRONLY)`, "EACCES"}, // copying up reads
	{`access("root622", W_OK)`, "EACCES"},
	{`open("gid666", O_WRONLY)`, "EOVERFLOW"},
	{`open("rootd/f", O_RDONLY)`, "-"},
	{`open("rootd/f", O_WRONLY)`, "EOVERFLOW"}, // the directory would have to be copied up first
	{`open("rootd/new", O_WRONLY|O_CREAT, 0600)`, "EOVERFLOW"},
	{`open("secret/f", O_RDONLY)`, "EACCES"},
	{`stat("secret/f")`, "EACCES"},
	{`stat("secret")`, "EACCES"}, // its mark user.overlay.redirect cannot be read
	{`stat("low")`, "-"},         // no mark is read in the last layer
	{`open("low/f", O_RDONLY)`, "EACCES"},
	{`stat("merged")`, "-"},
	{`open("merged/f", O_RDONLY)`, "-"}, // found before the second layer is looked at
	{`open("merged/g", O_RDONLY)`, "EACCES"},
	{`open("merged/new", O_WRONLY|O_CREAT, 0600)`, "EACCES"},
	{`open("d/f", O_RDONLY)`, "- EACCES - EACCES - -"},
	{`open("d/f", O_WRONLY)`, "- EACCES - EACCES - -"},
	{`open("d/new", O_WRONLY|O_CREAT, 0600)`, "EOVERFLOW EACCES + EACCES + +"},
	{`open("d", O_WRONLY|O_TMPFILE, 0600)`, "EOVERFLOW#TmpfileMapsIDs/- EACCES - EACCES - -"},
	{`open("new", O_WRONLY|O_CREAT, 0600)`, "EOVERFLOW + + + + EACCES"},
	{`open("null", O_RDWR)`, "EACCES"},
	{`open("null", O_RDONLY)`, "EACCES"},
	{`access("null", W_OK)`, "-"},
	{`open("fifo", O_RDWR)`, "-"},
	{`open("rootfifo", O_RDWR)`, "EACCES"}, // special files: the mounter is asked for what the task wants
	{`open("uop/hidden", O_RDONLY)`, "ENOENT"},
	{`open("top/x", O_RDONLY)`, "-"}, // trusted marks are not read
	{`open("u", O_RDWR)`, "- EACCES - EACCES - -"},
	{`open("u0", O_RDWR)`, "-"}, // in the upper layer already
	{`open("u0", O_WRONLY|O_TRUNC)`, "-"},
	{`open("u600", O_RDONLY)`, "EACCES"},
}

// TestKernelOverlayUserNS compares an overlay that was mounted in a user namespace, whose mounter has fewer rights than some
// tasks.
func TestKernelOverlayUserNS(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	l := newLab(t, dir, `
		dir ovl 755 0:0
		dir l1 755 0:0
		dir l2 755 0:0
		dir up 755 100000:100000
		dir upwork 755 100000:100000
		file l1/ok 644 101000:101000 size=5
		file l1/rootr 644 0:0 size=6
		file l1/root666 666 0:0 size=7
		file l1/root600 600 0:0 size=8
		file l1/root622 622 0:0 size=8
		file l1/rootx 711 0:0
		file l1/okx 711 101000:101000
		file l1/gid666 666 101000:0 size=9
		dir l1/rootd 777 0:0
		file l1/rootd/f 666 101000:101000 size=10
		dir l1/secret 700 0:0
		file l1/secret/f 666 101000:101000
		dir l1/d 755 101000:101000
		file l1/d/f 600 101000:101000 size=11
		char l1/null 666 101000:101000 dev=1:3
		fifo l1/fifo 666 101000:101000
		fifo l1/rootfifo 622 0:0
		dir l1/uop 755 101000:101000
		file l1/uop/hidden 644 101000:101000
		dir l1/top 755 101000:101000 trusted.overlay.opaque=y
		dir l1/merged 777 101000:101000
		file l1/merged/f 666 101000:101000
		dir l2/merged 700 0:0
		file l2/merged/g 666 101000:101000
		dir l2/low 700 0:0
		file l2/low/f 666 101000:101000
		dir l2/top 755 101000:101000
		file l2/top/x 644 101000:101000
	`)
	c := l.child(100000, 65536, true)
	l.mountNS = c.mountNS
	u := &union{point: "/ovl", upper: "/up", lower: []string{"/l1", "/l2"}, options: ",userxattr", marks: true, owner: c, files: `
		dir uop 755 101000:101000 user.overlay.opaque=y
		file u 600 101000:101000 size=12
		file u0 666 0:0 size=13
		file u600 600 0:0 size=14
		dir sticky 1777 0:0
		file sticky/f 666 0:0
	`}
	l.overlay(u)
	l.after = u.compare
	tasks := append([]who{}, usernsTasks...)
	for i := range tasks {
		tasks[i].cwd = "/ovl"
	}
	l.run(tasks, foreignCases)
}

// shiftedCases are on an overlay of layers below an idmapped mount, as containers with a user namespace have it, for the tasks
// of idmappedTasks.
var shiftedCases = []row{
	{`open("f0", O_RDONLY)`, "- - EACCES - - EACCES EACCES"},
	{`open("f0", O_RDWR)`, "- - EACCES - - EACCES EACCES"},
	{`open("f1000", O_RDWR)`, "- EACCES - - - - EACCES"},
	{`open("g2000", O_RDONLY)`, "- - EACCES - - - EACCES"},
	{`open("g2000", O_WRONLY)`, "- - EACCES - - EACCES EACCES"},
	{`open("foreign", O_RDONLY)`, "-"},
	{`open("foreign", O_WRONLY)`, "EACCES"}, // the owner has no place in the map
	{`open("foreign", O_RDONLY|O_TRUNC)`, "EACCES"},
	{`open("foreign600", O_RDONLY)`, "EACCES"},
	{`access("foreign", W_OK)`, "EACCES"},
	{`stat("foreign600")`, "-"},
	{`open("dforeign/f", O_RDONLY)`, "-"},
	{`open("dforeign/new", O_WRONLY|O_CREAT, 0600)`, "EACCES"},
	{`open("acl", O_RDONLY)`, "- - - - - - EACCES"}, // the ACL's 1000 is 101000 here
	{`open("acl", O_WRONLY)`, "- - EACCES - - EACCES EACCES"},
	{`open("aclgroup", O_RDONLY)`, "- - EACCES - - - EACCES"},
	{`open("d755/new", O_WRONLY|O_CREAT, 0600)`, "+ EACCES + + + + EACCES"},
	{`open("d755/f", O_WRONLY)`, "- EACCES - - - - EACCES"},
	{`open("d755", O_WRONLY|O_TMPFILE, 0600)`, "- EACCES - - - - EACCES"},
	{`open("new", O_WRONLY|O_CREAT, 0600)`, "+ + EACCES + + EACCES EACCES"},
	{`open("/bare/f0", O_RDONLY)`, "- - EACCES - - EACCES EACCES"},
	{`open("/bare/in700", O_RDONLY)`, "- - EACCES - - EACCES EACCES"},
}

// TestKernelOverlayIDMapped compares an overlay whose lower layers are shifted by the map of their mount.
func TestKernelOverlayIDMapped(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	l := newLab(t, dir, `
		dir ovl 755 0:0
		dir bare 755 0:0
		dir id 755 0:0
		dir up 755 100000:100000
		dir upwork 755 100000:100000
		dir l1 700 0:0
		dir l2 755 0:0
		file l1/f0 600 0:0 size=3
		file l1/in700 644 70000:70000
		file l1/f1000 600 1000:1000 size=4
		file l1/g2000 640 0:2000 size=5
		file l1/foreign 666 70000:70000
		file l1/foreign600 600 70000:70000
		dir l1/dforeign 777 70000:70000
		file l1/dforeign/f 644 0:0
		file l1/acl 640 0:0 size=6 acl=user::rw-,user:1000:r--,group::---,mask::r--,other::---
		file l1/aclgroup 640 0:0 acl=user::rw-,group::---,group:2000:r--,mask::r--,other::---
		dir l1/d755 755 1000:1000
		file l1/d755/f 600 1000:1000 size=7
	`)
	l.child(100000, 65536, false)
	l.idmap("/", "/id", 1, 0)
	shift := l.UserNS[1].UIDs
	u := &union{point: "/ovl", upper: "/up", lower: []string{"/id/l1", "/id/l2"}, plain: []string{"/l1", "/l2"}, shift: shift}
	l.overlay(u)
	l.overlay(&union{point: "/bare", lower: u.lower, plain: u.plain, shift: shift})
	l.after = u.compare
	tasks := append([]who{}, idmappedTasks...)
	for i := range tasks {
		tasks[i].cwd = "/ovl"
	}
	l.run(tasks, shiftedCases)
}

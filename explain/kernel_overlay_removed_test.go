package explain_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/check"
	"syscallstory/overlay"
	"syscallstory/world"
)

// TestKernelOverlayRemoved: files of a lower layer whose names are removed while somebody has them open are copied up under those
// names.
func TestKernelOverlayRemoved(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	l := newLab(t, dir, `
		dir low 755 0:0
		dir up 755 0:0
		dir upwork 755 0:0
		dir m 755 0:0
	`)
	l.must(makeFiles(l.path("low"), `
		file gone 644 0:0 size=10
		file replaced 644 0:0 size=10
		file covered 644 0:0 size=10
		file written 644 0:0 size=10
		file other 644 0:0 size=10
		fifo fifo 644 0:0
		fifo fifo-dir 644 0:0
		dir dir 755 0:0
		dir dir-file 755 0:0
		dir d 755 0:0
		file d/gone 644 0:0 size=10
		dir empty 755 0:0
	`))
	u := &union{point: "/m", upper: "/up", lower: []string{"/low"}}
	l.overlay(u)
	at := func(p string) world.Path { return l.place(l.root, u.point+p) }
	remove := func(p string) {
		d := at(p).Dentry
		parent, name := l.FS.D(d).Parent, l.FS.D(d).Name
		overlay.Removed(l.FS, d, false)
		if l.FS.I(d).Is(world.TypeDir) {
			l.FS.I(d).Attr |= world.AttrRemoved
		}
		l.FS.Remove(parent, name)
		l.must(os.Remove(l.path(u.point + p)))
	}
	add := func(p string, mode uint16, perform func(path string) error) {
		ino := overlay.Created(l.FS, at("").Dentry, p, world.Inode{Mode: mode, Known: world.KnownAll, Whole: true, Nlink: 1, SB: l.FS.Peek(at("").Dentry).SB, At: l.at})
		l.FS.Add(at("").Dentry, p, ino)
		l.must(perform(l.path(u.point + "/" + p)))
	}
	for n, p := range []string{"/gone", "/replaced", "/covered", "/fifo", "/fifo-dir", "/dir", "/dir-file", "/d/gone", "/empty"} {
		l.open(100+n, u.point+p, unix.O_RDONLY|unix.O_NONBLOCK)
	}
	l.must(os.Chmod(l.path("/m/d"), 0o755)) // copied up by what is removed in it
	overlay.Copied(l.FS, check.Copied{Path: at("/d"), What: check.CopyAttributes})
	l.open(109, u.point+"/other", unix.O_RDONLY)
	for _, p := range []string{"/gone", "/replaced", "/covered", "/fifo", "/fifo-dir", "/dir", "/dir-file", "/d/gone", "/d", "/empty"} {
		remove(p)
	}
	file := func(p string) error { return os.WriteFile(p, nil, 0o644) }
	dirs := func(p string) error { return os.Mkdir(p, 0o755) }
	add("replaced", world.TypeReg|0o644, file)
	add("covered", world.TypeDir|0o755, dirs)
	add("fifo-dir", world.TypeDir|0o755, dirs)
	add("dir-file", world.TypeReg|0o644, file)
	add("empty", world.TypeDir|0o755, dirs)
	l.run(three[:1], []row{
		{`fchmod(100, 0600)`, "EEXIST"}, // the whiteout
		{`fchown(100, 0, 0)`, "EEXIST"},
		{`utimensat(100, NULL, NULL, 0)`, "EEXIST"},
		{`fsetxattr(100, "user.x", "1", 1, 0)`, "EEXIST"},
		{`fstat(100, 0xb0f0)`, "-"},
		{`fchmod(101, 0600)`, "EEXIST"},                   // a new file
		{`fchmod(102, 0600)`, "EEXIST"},                   // a new directory
		{`fchmod(103, 0600)`, "EEXIST#CopyUpKeepsName/-"}, // in place of the whiteout
		{`fchmod(104, 0600)`, "EEXIST#CopyUpKeepsName/EISDIR"},
		{`fchmod(105, 0700)`, "EEXIST#CopyUpKeepsName/ENOTDIR"},
		{`fchmod(106, 0700)`, "EEXIST#CopyUpKeepsName/ENOTDIR"},
		{`fchmod(107, 0600)`, "ENOENT"},                              // its directory is gone too
		{`fchmod(108, 0700)`, "EEXIST#CopyUpKeepsName/?-/ENOTEMPTY"}, // over the new one, if that is empty,
		{`fchmod(109, 0600)`, "-"},
	})
}

package explain_test

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/from/files"
	"syscallstory/world"
)

// roomy mounts an overlay whose upper layer is on a tmpfs with these options, and tells the world how much room that has.
func roomy(l *lab, at, options, overlayOptions string) *union {
	l.t.Helper()
	l.must(os.Mkdir(l.path(at), 0o755))
	l.must(os.Mkdir(l.path(at+"-m"), 0o755))
	l.must(unix.Mount("room", l.path(at), "tmpfs", 0, options))
	l.must(os.Mkdir(l.path(at+"/up"), 0o755))
	l.must(os.Mkdir(l.path(at+"/upwork"), 0o755))
	u := &union{point: at + "-m", upper: at + "/up", lower: []string{"/low"}, options: overlayOptions}
	l.FS.Add(l.root.Dentry, at[1:], world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, Nlink: 2, At: l.at})
	l.FS.Add(l.root.Dentry, at[1:]+"-m", world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, Nlink: 2, At: l.at})
	l.overlay(u)
	return u
}

// left tells the world what statfs says of the upper layer.
func (u *union) left() {
	var st unix.Statfs_t
	u.must(unix.Statfs(u.path(u.upper), &st))
	ov := u.FS.SBOf(u.place(u.root, u.point).Dentry).Overlay
	u.FS.SBOf(ov.Upper).Room = files.RoomOf(&st, u.at)
}

// TestKernelOverlayRoom: a copy needs room on the upper layer's filesystem, and counts against RLIMIT_FSIZE.
func TestKernelOverlayRoom(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	signal.Ignore(unix.SIGXFSZ)
	l := newLab(t, dir, "dir low 755 0:0")
	l.must(makeFiles(l.path("low"), `
		file small 644 0:0 size=10
		file exact 644 0:0 size=65536
		file big 644 0:0 size=65537
		file holes 644 0:0 size=0
		file hidden 644 0:0 size=100
		dir d 755 0:0
		file d/big 644 0:0 size=200000
		link l 777 0:0 to=big
	`))
	l.must(os.Truncate(l.path("low/holes"), 1<<20))
	root := slices.Clone(three[:1])
	full := func(u *union, table []row) {
		l.t.Helper()
		u.left()
		if l.after = u.compare; u.point == "/inodes-m" { // it could not be made anew
			l.after = nil
		}
		root[0].cwd = u.point
		l.run(root, table)
	}
	full(roomy(l, "/room", "size=64k", ""), []row{
		{`open("small", O_RDWR)`, "-"},
		{`open("exact", O_WRONLY)`, "-"},
		{`open("big", O_RDONLY)`, "-"},
		{`open("big", O_WRONLY)`, "ENOSPC"},
		{`open("l", O_RDWR)`, "ENOSPC"},
		{`open("big", O_WRONLY|O_TRUNC)`, "-"}, // no data is copied
		{`truncate("big", 1)`, "ENOSPC"},       // all of it is, here
		{`chmod("big", 0600)`, "ENOSPC"},
		{`utimes("big", NULL)`, "ENOSPC"},
		{`link("big", "new")`, "ENOSPC"},
		{`rename("big", "new")`, "ENOSPC"},
		{`open("d/big", O_RDWR)`, "ENOSPC"},
		{`chmod("d", 0700)`, "-"},
		{`open("holes", O_RDWR)`, "?-/ENOSPC"}, // they are not copied where no data stands before them
	})
	full(roomy(l, "/meta", "size=64k", ",redirect_dir=on,metacopy=on"), []row{
		{`open("big", O_WRONLY)`, "ENOSPC"},
	})
	many := roomy(l, "/inodes", "size=1m,nr_inodes=24", "")
	for i := 0; ; i++ {
		f, err := os.Create(fmt.Sprint(l.path("/inodes/fill"), i))
		if err != nil {
			break
		}
		f.Close()
	}
	full(many, []row{
		{`open("small", O_RDONLY)`, "-"},
		{`open("small", O_WRONLY)`, "ENOSPC"},
		{`open("small", O_WRONLY|O_TRUNC)`, "ENOSPC"},
		{`chmod("d", 0700)`, "ENOSPC"},
	})
	quota := roomy(l, "/quota", "size=8m", "")
	quota.left()
	quota.FS.SBOf(quota.FS.SBOf(quota.place(quota.root, quota.point).Dentry).Overlay.Upper).Room.Quota = "usrquota"
	l.after, root[0].cwd = quota.compare, quota.point
	l.run(root, []row{
		{`open("small", O_RDONLY)`, "-"},
		{`open("small", O_WRONLY)`, "?-/EDQUOT"},
	})
	wide := roomy(l, "/wide", "size=8m", "")
	var old unix.Rlimit
	l.must(unix.Prlimit(0, unix.RLIMIT_FSIZE, nil, &old))
	l.must(unix.Prlimit(0, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 50000, Max: old.Max}, nil))
	l.Task.Rlimits[unix.RLIMIT_FSIZE] = world.Given(world.Rlimit{Cur: 50000, Max: old.Max}, l.at)
	full(wide, []row{
		{`open("small", O_WRONLY)`, "-"},
		{`open("big", O_RDONLY)`, "-"},
		{`open("big", O_WRONLY)`, "EFBIG"},
		{`chmod("big", 0600)`, "EFBIG"},
		{`open("big", O_WRONLY|O_TRUNC)`, "-"},
		{`open("holes", O_WRONLY)`, "?-/EFBIG"},
	})
	tight := roomy(l, "/tight", "size=64k", "")
	full(tight, []row{{`open("d/big", O_WRONLY)`, "?ENOSPC/EFBIG/-"}}) // whichever comes first
	meta := roomy(l, "/wmeta", "size=8m", ",redirect_dir=on,metacopy=on")
	l.FS.SBOf(l.place(l.root, meta.point).Dentry).Overlay.Metacopy = true
	full(meta, []row{{`chmod("big", 0600)`, "EFBIG"}, {`chmod("holes", 0600)`, "EFBIG"}})
	l.must(unix.Prlimit(0, unix.RLIMIT_FSIZE, &old, nil))
}

package explain_test

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/vfs"
	"syscallstory/world"
)

// lockedCases: root of a user namespace with a mount namespace of its own, in which everything came from a more privileged one.
var lockedCases = []row{
	{`umount2("point", 0)`, "EINVAL"},
	{`umount2("point", MNT_DETACH)`, "EINVAL"},
	{`umount2("/", 0)`, "EINVAL"},
	{`umount2("point", MNT_EXPIRE)`, "EINVAL"},
	{`umount2("other", 0)`, "EINVAL"},
	{`mount("point", "other", NULL, MS_MOVE, NULL)`, "EINVAL"},
	{`move_mount(AT_FDCWD, "point", AT_FDCWD, "other", 0)`, "EINVAL"},
	{`move_mount(AT_FDCWD, "point", AT_FDCWD, "cover", MOVE_MOUNT_BENEATH)`, "EINVAL"},
	{`pivot_root("point", "point")`, "EINVAL"},
	{`mount("/", "other", NULL, MS_BIND, NULL)`, "EINVAL"},
	{`mount("cover", "other", NULL, MS_BIND, NULL)`, "EINVAL"},
	{`mount("cover/sub", "other", NULL, MS_BIND, NULL)`, "-"},
	{`mount("d", "other", NULL, MS_BIND, NULL)`, "-"},
	{`mount("cover", "other", NULL, MS_BIND|MS_REC, NULL)`, "-"},
	{`open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE)`, "EINVAL"},
	{`open_tree(AT_FDCWD, "point", OPEN_TREE_CLONE)`, "-"},
	{`open_tree(AT_FDCWD, "cover", OPEN_TREE_CLONE|AT_RECURSIVE)`, "-"},
	{`mount(NULL, "point", NULL, MS_REMOUNT|MS_BIND, NULL)`, "-"},
	{`mount(NULL, "point", NULL, MS_REMOUNT|MS_BIND|MS_NOATIME, NULL)`, "EPERM"},
	{`mount(NULL, "point", NULL, MS_REMOUNT|MS_BIND|MS_RDONLY, NULL)`, "-"},
	{`mount(NULL, "strict", NULL, MS_REMOUNT|MS_BIND, NULL)`, "EPERM"},
	{`mount(NULL, "strict", NULL, MS_REMOUNT|MS_BIND|MS_RDONLY|MS_NOSUID|MS_NODEV, NULL)`, "EPERM"},
	{`mount(NULL, "strict", NULL, MS_REMOUNT|MS_BIND|MS_RDONLY|MS_NOSUID|MS_NODEV|MS_NOEXEC, NULL)`, "-"},
	{`mount(NULL, "strict", NULL, MS_REMOUNT|MS_RDONLY|MS_NOSUID|MS_NODEV|MS_NOEXEC, NULL)`, "EPERM"},
	{`mount(NULL, "point", NULL, MS_REMOUNT, NULL)`, "EPERM"},
	{`mount_setattr(AT_FDCWD, "strict", 0, {attr_clr=MOUNT_ATTR_RDONLY}, 32)`, "EPERM"},
	{`mount_setattr(AT_FDCWD, "strict", 0, {attr_set=MOUNT_ATTR_NOSYMFOLLOW}, 32)`, "-"},
	{`mount_setattr(AT_FDCWD, "point", 0, {attr_set=MOUNT_ATTR_RDONLY}, 32)`, "-"},
	{`mount(NULL, "point", NULL, MS_SHARED, NULL)`, "-"},
	{`mount(NULL, "/", NULL, MS_PRIVATE|MS_REC, NULL)`, "-"},
	{`mount("none", "other", "tmpfs", 0, NULL)`, "-"},
	{`mount("none", "other", "tmpfs", 0, "uid=70000")`, "EINVAL"},
	{`mount("none", "other", "devpts", 0, NULL)`, "-"},
	{`mount("none", "other", "proc", 0, NULL)`, "EPERM"},
	{`mount("none", "other", "proc", 0, "nosuch")`, "EINVAL"},
	{`mount("none", "other", "sysfs", 0, NULL)`, "EPERM"},
	{`mount("none", "other", "sysfs", 0, "nosuch")`, "EPERM"},
	{`mount("none", "other", "mqueue", 0, NULL)`, "EPERM"},
	{`mount("none", "other", "cgroup2", 0, NULL)`, "EPERM"},
	{`mount("none", "other", "devtmpfs", 0, NULL)`, "EPERM"},
	{`mount("f", "other", "ext4", 0, NULL)`, "EPERM"},
	{`mount("none", "other", "overlay", 0, "lowerdir=/gone:/d")`, "ENOENT"},
	{`fsopen("tmpfs", 0)`, "-"},
	{`fsopen("sysfs", 0)`, "EPERM"},
	{`fspick(AT_FDCWD, "point", 0)`, "-"},
}

// TestKernelMountLocked: what a mount namespace with a user namespace of its own may not do.
func TestKernelMountLocked(t *testing.T) {
	dir, in := isolated(t)
	if !in {
		return
	}
	task := who{name: "root inside", caps: world.AllCaps, ns: 1}
	for _, c := range lockedCases {
		runtime.GC()
		l := newLab(t, dir, mountsFiles)
		mountsLab(l)
		l.declared("strict")
		const strict = world.MountReadOnly | world.MountNoSuid | world.MountNoDev | world.MountNoExec
		l.must(unix.Mount("", l.path("strict"), "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""))
		m := &l.Mounts[l.place(l.root, "strict").Mount]
		m.Flags, m.Atime = strict, world.AtimeKnown|world.AtimeRelative
		ch := l.child(0, 65536, true)
		l.mountNS = ch.mountNS
		ns, moved := vfs.CopyMounts(l.World, l.Kernel, 0, 1, "child", l.at)
		l.Task.MountNS, l.root = ns, moved(l.root)
		p, got := l.predict(task, c.call), l.perform(task, c.call)
		if got != c.want || !p.is(c.want) {
			t.Errorf("%s: written down %s, predicted %s, kernel %s", c.call, c.want, p, got)
		}
		ch.end()
		l.leave()
	}
}

// TestKernelMountRevealing: proc in a user namespace with a pid namespace of its own, where one is visible in full, in part, or
// not at all.
func TestKernelMountRevealing(t *testing.T) {
	dir, in := isolated(t)
	if !in {
		return
	}
	task := who{name: "root inside", caps: world.AllCaps, ns: 1}
	const plain, readOnly = `mount("none", "other", "proc", 0, NULL)`, `mount("none", "other", "proc", MS_RDONLY, NULL)`
	for _, c := range []struct {
		name, proc, cover string
		flags             uintptr
		call, want        string
	}{
		{"none", "", "", 0, plain, "EPERM"},
		{"in full", "point", "", 0, plain, "-"},
		{"covered", "point", "point/sys", 0, plain, "EPERM"},
		{"a file covered", "point", "point/uptime", 0, plain, "EPERM"},
		{"read-only", "point", "", unix.MS_RDONLY, plain, "EPERM"},
		{"read-only twice", "point", "", unix.MS_RDONLY, readOnly, "-"},
		{"sysfs of another", "point", "", 0, `mount("none", "other", "sysfs", 0, NULL)`, "EPERM"},
		{"noatime", "point", "", unix.MS_NOATIME, plain, "EPERM"},
	} {
		runtime.GC()
		l := newLab(t, dir, mountsFiles)
		l.Task.NS = l.InitialNamespaces(l.at)
		l.must(unix.Mount("tmpfs", "/proc/sys", "tmpfs", 0, "")) // what the machine shows is not complete
		if c.proc != "" {
			l.must(unix.Mount("proc", l.path(c.proc), "proc", 0, ""))
			dirs := world.Inode{Mode: world.TypeDir | 0o555, Known: world.KnownAll, At: l.at}
			sb := l.FS.NewSB(world.SB{Type: "proc", Name: "proc", At: l.at, FlagsAt: l.at}, dirs)
			l.FS.Add(l.FS.SB(sb).Root, "sys", dirs)
			l.FS.Add(l.FS.SB(sb).Root, "uptime", world.Inode{Mode: world.TypeReg | 0o444, Known: world.KnownAll, At: l.at})
			m := world.Mount{SB: sb, Atime: world.AtimeKnown | world.AtimeRelative}
			if c.flags != 0 {
				l.must(unix.Mount("", l.path(c.proc), "", unix.MS_REMOUNT|unix.MS_BIND|c.flags, ""))
			}
			if c.flags&unix.MS_RDONLY != 0 {
				m.Flags = world.MountReadOnly
			}
			if c.flags&unix.MS_NOATIME != 0 {
				m.Atime = world.AtimeKnown | world.AtimeNever
			}
			l.attach(c.proc, m)
		}
		switch c.cover {
		case "":
		case "point/sys":
			l.must(unix.Mount("tmpfs", l.path(c.cover), "tmpfs", 0, ""))
			l.attach(c.cover, world.Mount{SB: l.FS.NewSB(world.SB{Type: "tmpfs", At: l.at, FlagsAt: l.at}, world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, At: l.at})})
		default:
			l.must(unix.Mount(l.path("f"), l.path(c.cover), "", unix.MS_BIND, ""))
			l.attach(c.cover, world.Mount{SB: l.Mounts[1].SB, Root: l.place(l.root, "f").Dentry})
		}
		l.also = unix.CLONE_NEWPID
		ch := l.child(0, 65536, true)
		l.mountNS = ch.mountNS
		ns, moved := vfs.CopyMounts(l.World, l.Kernel, 0, 1, "child", l.at)
		l.Task.MountNS, l.root = ns, moved(l.root)
		l.Task.NS[world.PIDNS] = l.AddNamespace(world.Namespace{Kind: world.PIDNS, Owner: 1, Parent: l.Task.NS[world.PIDNS], Name: "child", At: l.at})
		p, got := l.predict(task, c.call), l.perform(task, c.call)
		if got != c.want || !p.is(c.want) {
			t.Errorf("%s: %s: written down %s, predicted %s, kernel %s", c.name, c.call, c.want, p, got)
		}
		ch.end()
		l.must(unix.Unmount("/proc/sys", unix.MNT_DETACH))
		l.leave()
	}
}

// otherMountsCases: descriptor 906 leads into another mount namespace.
var otherMountsCases = []row{
	{`mount_setattr(906, "", AT_EMPTY_PATH, {attr_set=MOUNT_ATTR_RDONLY}, 32)`, "EINVAL"},
	{`move_mount(906, "", AT_FDCWD, "other", MOVE_MOUNT_F_EMPTY_PATH)`, "EINVAL"},
	{`move_mount(AT_FDCWD, "point", 906, "sub", 0)`, "EINVAL"},
	{`open_tree(906, "", OPEN_TREE_CLONE|AT_EMPTY_PATH)`, "EINVAL"},
	{`open_tree(906, "sub", OPEN_TREE_CLONE)`, "EINVAL"},
	{`open_tree(906, "sub", 0)`, "-"},
	{`fspick(906, "", FSPICK_EMPTY_PATH)`, "-"},
	{`move_mount(906, "", AT_FDCWD, "twin", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_SET_GROUP)`, "EINVAL"},
}

// idmapCases: descriptor 905 is a user namespace, 702 a detached copy of point once it was made.
var idmapCases = []row{
	{`mount_setattr(AT_FDCWD, "point", 0, {attr_set=MOUNT_ATTR_IDMAP, userns_fd=905}, 32)`, "EINVAL"},
	{`open_tree(AT_FDCWD, "point", OPEN_TREE_CLONE)`, "-"},
	{`mount_setattr(702, "", AT_EMPTY_PATH, {attr_set=MOUNT_ATTR_IDMAP, userns_fd=901}, 32)`, "EINVAL"},
	{`mount_setattr(702, "", AT_EMPTY_PATH, {attr_set=MOUNT_ATTR_IDMAP, userns_fd=905}, 32)`, "-"},
	{`mount_setattr(702, "", AT_EMPTY_PATH, {attr_set=MOUNT_ATTR_IDMAP, userns_fd=905}, 32)`, "EPERM"},
	{`move_mount(702, "", AT_FDCWD, "other", MOVE_MOUNT_F_EMPTY_PATH)`, "-"},
	{`mount_setattr(AT_FDCWD, "other", 0, {attr_set=MOUNT_ATTR_IDMAP, userns_fd=905}, 32)`, "EPERM"},
	{`mkdir("other/new", 0755)`, "+"},
}

// TestKernelMountForeign: what descriptors of another mount namespace and of a user namespace are good for.
func TestKernelMountForeign(t *testing.T) {
	dir, in := isolated(t)
	if !in {
		return
	}
	build := func() *lab {
		l := newLab(t, dir, mountsFiles)
		mountsLab(l)
		return l
	}
	give := func(l *lab, n int, path string, fd world.FD) {
		got, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		l.must(err)
		l.must(unix.Dup3(got, n, unix.O_CLOEXEC))
		unix.Close(got)
		fd.N, fd.At = n, l.at
		l.Task.FDs = append(l.Task.FDs, fd)
	}
	for _, c := range otherMountsCases {
		runtime.GC()
		l := build()
		ch := l.child(0, 65536, true)
		_, moved := vfs.CopyMounts(l.World, l.Kernel, 0, 1, "child", l.at)
		give(l, 906, ch.root(l.path("point")), world.FD{Path: moved(l.place(l.root, "point"))})
		if p, got := l.predict(mountTasks[0], c.call), l.perform(mountTasks[0], c.call); got != c.want || !p.is(c.want) {
			t.Errorf("%s: written down %s, predicted %s, kernel %s", c.call, c.want, p, got)
		}
		ch.end()
		l.leave()
	}
	l := build()
	ch := l.child(0, 65536, false)
	give(l, 905, ch.userNS, world.FD{Kind: world.FDNamespace, NS: world.NSFile{Type: world.NewUser, ID: 1}})
	for _, c := range idmapCases {
		l.step(mountTasks[0], c.call, c.want, "idmap: ")
	}
	l.leave()
}

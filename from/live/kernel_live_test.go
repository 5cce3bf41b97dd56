//go:build linux

package live

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// tree makes files of many kinds in a directory that everybody can reach, and returns it.
func tree(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("it makes namespaces and changes ids: run it as root")
	}
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(filepath.Dir(dir), 0o755))
	must(os.Chmod(dir, 0o755))
	for _, f := range []struct {
		name     string
		mode     uint32
		uid, gid int
	}{{"d", unix.S_IFDIR | 0o755, 0, 0}, {"d/own", unix.S_IFREG | 0o600, 1000, 1000}, {"d/root", unix.S_IFREG | 0o644, 0, 0}, {"d/secret", unix.S_IFREG | 0o600, 0, 0}, {"d/group", unix.S_IFREG | 0o660, 0, 50},
		{"d/mapped", unix.S_IFREG | 0o600, 100000, 100000}, {"d/mapped1000", unix.S_IFREG | 0o640, 101000, 101000}, {"d/prog", unix.S_IFREG | 0o755, 0, 0}, {"d/fifo", unix.S_IFIFO | 0o622, 0, 0},
		{"d/null", unix.S_IFCHR | 0o666, 0, 0}, {"closed", unix.S_IFDIR | 0o700, 0, 0}, {"closed/in", unix.S_IFREG | 0o666, 0, 0}, {"open", unix.S_IFDIR | 0o777, 0, 0}, {"sticky", unix.S_IFDIR | 0o1777, 0, 0},
		{"sticky/his", unix.S_IFREG | 0o666, 2000, 2000}, {"mine", unix.S_IFDIR | 0o755, 1000, 1000}, {"mine/file", unix.S_IFREG | 0o644, 1000, 1000}, {"theirs", unix.S_IFDIR | 0o755, 100000, 100000},
		{"acl", unix.S_IFREG | 0o640, 0, 0}, {"im", unix.S_IFREG | 0o666, 0, 0}, {"m", unix.S_IFDIR | 0o755, 0, 0}, {"m2", unix.S_IFDIR | 0o755, 0, 0}} {
		p := filepath.Join(dir, f.name)
		if f.mode&unix.S_IFMT == unix.S_IFDIR {
			must(os.Mkdir(p, 0o700))
		} else {
			dev := 0
			if f.mode&unix.S_IFMT == unix.S_IFCHR {
				dev = 1<<8 | 3
			}
			must(unix.Mknod(p, f.mode, dev))
		}
		must(os.Chown(p, f.uid, f.gid))
		must(unix.Chmod(p, f.mode&0o7777))
	}
	must(os.Symlink("d/root", filepath.Join(dir, "link")))
	must(os.Symlink("/proc/self/fd", filepath.Join(dir, "fds")))
	must(os.Symlink("loop", filepath.Join(dir, "loop")))
	must(os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	must(os.WriteFile(filepath.Join(dir, "odd\nname\xff"), nil, 0o604))
	// user:1000:rw
	acl := "\x02\x00\x00\x00" + "\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x06\x00\xe8\x03\x00\x00" + "\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x06\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"
	must(unix.Setxattr(filepath.Join(dir, "acl"), "system.posix_acl_access", []byte(acl), 0))
	f, err := os.Open(filepath.Join(dir, "im"))
	must(err)
	defer f.Close()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	must(err)
	must(unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags|0x10)) // FS_IMMUTABLE_FL
	t.Cleanup(func() {
		f, _ := os.Open(filepath.Join(dir, "im"))
		unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags)
		f.Close()
	})
	return dir
}

// calls are asked of every child, below a directory.
func calls(dir string) []string {
	var all []string
	for _, c := range []string{
		`open("d/own", O_RDONLY)`, `open("d/own", O_WRONLY)`, `open("d/root", O_RDONLY)`, `open("d/root", O_WRONLY)`, `open("d/secret", O_RDONLY)`, `open("d/group", O_RDWR)`,
		`open("d/mapped", O_RDWR)`, `open("d/mapped1000", O_RDONLY)`, `open("d/mapped1000", O_WRONLY)`, `open("d/null", O_RDWR)`, `open("d/fifo", O_RDWR)`, `open("d/fifo", O_RDONLY|O_NONBLOCK)`,
		`open("closed/in", O_RDONLY)`, `open("closed", O_RDONLY|O_DIRECTORY)`, `open("open/new", O_WRONLY|O_CREAT, 0640)`, `open("open/new", O_WRONLY|O_CREAT|O_EXCL, 0640)`, `chmod("open/new", 0600)`,
		`unlink("open/new")`, `open("sticky/his", O_WRONLY|O_CREAT, 0600)`, `open("sticky/his", O_RDWR)`, `unlink("sticky/his2")`, `rename("sticky/his", "sticky/her")`, `rename("sticky/her", "sticky/his")`,
		`open("mine/file", O_WRONLY|O_TRUNC)`, `mkdir("mine/d", 0700)`, `rmdir("mine/d")`, `mkdir("theirs/d", 0700)`, `rmdir("theirs/d")`, `open("acl", O_RDWR)`, `open("acl", O_RDONLY)`,
		`open("im", O_WRONLY)`, `open("im", O_RDONLY)`, `unlink("im")`, `open("link", O_RDONLY)`, `open("link", O_RDONLY|O_NOFOLLOW)`, `open("loop", O_RDONLY)`, `open("dangling", O_RDONLY)`,
		`open("dangling", O_WRONLY|O_CREAT|O_EXCL, 0600)`, `access("d/secret", R_OK)`, `access("d/prog", X_OK)`, `access("d/root", X_OK)`, `chown("d/root", 1000, 1000)`, `chown("d/root", 0, 0)`,
		`truncate("d/root", 0)`, `stat("closed/in", 0x1)`, `lstat("link", 0x1)`, `open("m/x", O_RDONLY|O_CREAT, 0600)`, `unlink("m/x")`, `open("m2/x", O_RDONLY|O_CREAT, 0600)`, `unlink("m2/x")`,
		`rmdir("m")`, `symlink("x", "mine/s")`, `unlink("mine/s")`, `link("d/secret", "mine/l")`, `unlink("mine/l")`, `open("odd\nname\377", O_RDONLY)`, `open("odd\nname\377", O_WRONLY)`, `chdir("closed")`,
		`readlink("loop", 0x1, 10)`, `open("../..", O_RDONLY)`, `utimensat(AT_FDCWD, "d/root", NULL, 0)`, `mknod("open/node", S_IFCHR|0600, 0x103)`, `unlink("open/node")`,
	} {
		if dir != "" {
			for _, q := range []string{`("`, `, "`} {
				c = strings.ReplaceAll(c, q, q+dir+"/")
			}
			c = strings.ReplaceAll(c, dir+"/x\", \"", `x", "`) // what a symbolic link holds
		}
		all = append(all, c)
	}
	return all
}

// TestKernelLiveOrdinary: root and an ordinary user in the machine's own namespaces.
func TestKernelLiveOrdinary(t *testing.T) {
	t.Run("root", func(t *testing.T) {
		dir := tree(t)
		newServer(t, nil).set("umask(027)").compare(calls(dir))
	})
	t.Run("user", func(t *testing.T) {
		dir := tree(t)
		newServer(t, nil).set("groups 50", "setresgid(1000, 1000, 1000)", "setresuid(1000, 1000, 1000)").compare(calls(dir))
	})
	t.Run("capabilities", func(t *testing.T) {
		dir := tree(t)
		s := newServer(t, nil).set("keepcaps", "groups 50", "setresgid(1000, 1000, 1000)", "setresuid(1000, 1000, 1000)", "caps a")
		s.open = []string{"securebits"}
		s.compare(calls(dir))
	})
	t.Run("filter", func(t *testing.T) {
		dir := tree(t)
		newServer(t, nil).set("refuse 83").compare(calls(dir)) // mkdir
	})
}

// TestKernelLiveMounts: a mount namespace of its own, with mounts of many kinds.
func TestKernelLiveMounts(t *testing.T) {
	for _, mounts := range [][]string{
		{`mount("tmpfs", "DIR/m", "tmpfs", 0, "mode=755")`},
		{`mount("tmpfs", "DIR/m", "tmpfs", MS_RDONLY, "mode=755")`},
		{`mount("DIR/d", "DIR/m", NULL, MS_BIND, NULL)`, `mount(NULL, "DIR/m", NULL, MS_BIND|MS_REMOUNT|MS_RDONLY, NULL)`},
		{`mount("DIR", "DIR", NULL, MS_BIND, NULL)`, `mount(NULL, "DIR", NULL, MS_BIND|MS_REMOUNT|MS_RDONLY|MS_NODEV, NULL)`, `mount("DIR/open", "DIR/m", NULL, MS_BIND, NULL)`},
		{`mount("tmpfs", "DIR/d", "tmpfs", 0, NULL)`, `mount("DIR/mine", "DIR/d", NULL, MS_BIND, NULL)`},
		{`mount("DIR/d/null", "DIR/d/own", NULL, MS_BIND, NULL)`, `mount("DIR/d/root", "DIR/acl", NULL, MS_BIND, NULL)`},
	} {
		for _, user := range []string{"0", "1000"} {
			dir := tree(t)
			s := newServer(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS})
			s.set(`mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)`)
			for _, m := range mounts {
				s.set(strings.ReplaceAll(m, "DIR", dir))
			}
			if user != "0" {
				s.set(fmt.Sprintf("setresgid(%s, %s, %s)", user, user, user), fmt.Sprintf("setresuid(%s, %s, %s)", user, user, user))
			}
			s.compare(calls(dir))
		}
	}
}

// TestKernelLiveSpecial: filesystems that make their names themselves.
func TestKernelLiveSpecial(t *testing.T) {
	dir := tree(t)
	s := newServer(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC})
	s.set(`mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)`)
	var all []string
	for _, fs := range []struct{ typ, name string }{{"proc", "uptime"}, {"sysfs", "kernel/mm"}, {"sysfs", "kernel/uevent_seqnum"}, {"devpts", "ptmx"}, {"mqueue", "q"}, {"bpf", "b"}, {"cgroup2", "cgroup.procs"}, {"debugfs", "d"}, {"securityfs", "s"}} {
		on := dir + "/m/" + fs.typ
		if _, err := os.Stat(on); err != nil {
			if err := os.Mkdir(on, 0o755); err != nil {
				t.Fatal(err)
			}
			if got := s.do(fmt.Sprintf("mount(%q, %q, %q, 0, NULL)", fs.typ, on, fs.typ)); got != "-" {
				t.Logf("%s cannot be mounted: %s", fs.typ, got)
				continue
			}
		}
		for _, c := range []string{`open("FS/new", O_WRONLY|O_CREAT|O_EXCL, 0600)`, `open("FS/NAME", O_RDONLY|O_CREAT|O_EXCL, 0600)`, `mkdir("FS/new", 0700)`, `mknod("FS/new", S_IFREG|0600, 0)`, `mknod("FS/new", S_IFIFO|0600, 0)`,
			`symlink("x", "FS/new")`, `link("FS/NAME", "FS/new")`, `rename("FS/NAME", "FS/new")`, `unlink("FS/NAME")`, `rmdir("FS/NAME")`, `unlink("FS/new")`, `rmdir("FS/new")`, `open("FS/new", O_RDONLY)`, `open("FS", O_RDWR|O_TMPFILE, 0600)`} {
			switch { // what would succeed, or depends on limits
			case fs.typ == "cgroup2" && strings.HasPrefix(c, "mkdir"), fs.typ == "mqueue" && (strings.HasPrefix(c, "open") || strings.Contains(c, "S_IFREG")):
				continue
			}
			all = append(all, strings.NewReplacer("FS", on, "NAME", fs.name).Replace(c))
		}
	}
	s.compare(all)
}

// maps map ids of a user namespace that starts at 100000.
func maps(t *testing.T) *syscall.SysProcAttr {
	m := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 65536}}
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, UidMappings: m, GidMappings: m, GidMappingsEnableSetgroups: true, Credential: &syscall.Credential{}}
}

// TestKernelLiveUserNS: a user namespace that owns its mount namespace.
func TestKernelLiveUserNS(t *testing.T) {
	t.Run("root", func(t *testing.T) {
		dir := tree(t)
		newServer(t, maps(t)).set(fmt.Sprintf(`mount("tmpfs", "%s/m", "tmpfs", 0, NULL)`, dir)).compare(calls(dir))
	})
	t.Run("user", func(t *testing.T) {
		dir := tree(t)
		newServer(t, maps(t)).set(`setresgid(1000, 1000, 1000)`, `setresuid(1000, 1000, 1000)`).compare(calls(dir))
	})
}

// TestKernelLiveChroot: a root that is no mount, and a working directory outside of it.
func TestKernelLiveChroot(t *testing.T) {
	t.Run("inside", func(t *testing.T) {
		dir := tree(t)
		newServer(t, nil).set(fmt.Sprintf("chroot(%q)", dir), `chdir("/")`).compare(calls(""))
	})
	t.Run("outside", func(t *testing.T) {
		dir := tree(t)
		newServer(t, nil).set(fmt.Sprintf("chdir(%q)", dir), fmt.Sprintf("chroot(%q)", dir+"/open")).compare(calls(""))
	})
	t.Run("mounts", func(t *testing.T) {
		dir := tree(t)
		newServer(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}).set(`mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)`, fmt.Sprintf(`mount("tmpfs", "%s/m", "tmpfs", MS_RDONLY, NULL)`, dir),
			fmt.Sprintf("chroot(%q)", dir), `chdir("/d")`, `setresuid(1000, 1000, 1000)`).compare(calls(""))
	})
}

// TestKernelLiveIDMapped: a tree on an idmapped mount, by tasks that own its files here and there.
func TestKernelLiveIDMapped(t *testing.T) {
	for _, id := range []int{0, 1000, 101000} {
		dir := tree(t)
		holder := newServer(t, maps(t)) // its namespace is the mount's map
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", holder.pid))
		if err != nil {
			t.Fatal(err)
		}
		defer ns.Close()
		fd, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns.Fd())}); err != nil {
			t.Fatal(err)
		}
		to := t.TempDir()
		if err := unix.MoveMount(fd, "", unix.AT_FDCWD, to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
		t.Cleanup(func() { unix.Unmount(to, unix.MNT_DETACH) })
		if err := os.Chmod(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		s := newServer(t, nil)
		if id != 0 {
			s.set(fmt.Sprintf("setresgid(%d, %d, %d)", id, id, id), fmt.Sprintf("setresuid(%d, %d, %d)", id, id, id))
		}
		s.compare(calls(to))
		unix.Unmount(to, unix.MNT_DETACH)
	}
}

// TestKernelLiveOverlay: overlays whose layers are found by the options of the mount, and one whose layers are not.
func TestKernelLiveOverlay(t *testing.T) {
	for _, kind := range []string{"writable", "read-only", "relative"} {
		for _, id := range []string{"0", "1000"} {
			dir := tree(t)
			s := newServer(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS})
			base := t.TempDir()
			s.set(`mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)`, `umask(0)`, fmt.Sprintf(`mount("tmpfs", %q, "tmpfs", 0, "mode=755")`, base), fmt.Sprintf("chdir(%q)", base), `mkdir("upper", 0755)`, `mkdir("work", 0755)`, `mkdir("merged", 0755)`)
			switch kind {
			case "writable":
				s.set(fmt.Sprintf(`mount("overlay", "merged", "overlay", 0, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work")`, dir, base, base))
			case "read-only":
				s.set(fmt.Sprintf(`mount("overlay", "merged", "overlay", 0, "lowerdir=%s:%s")`, dir, base))
			case "relative":
				s.set(`mount("overlay", "merged", "overlay", 0, "lowerdir=` + dir + `,upperdir=upper,workdir=work")`)
			}
			if id != "0" {
				s.set(fmt.Sprintf("setresgid(%s, %s, %s)", id, id, id), fmt.Sprintf("setresuid(%s, %s, %s)", id, id, id))
			}
			s.compare(calls(base + "/merged"))
		}
	}
}

// TestKernelLiveNested: a user namespace in a user namespace, seen from the initial one.
func TestKernelLiveNested(t *testing.T) {
	for _, id := range []int{0, 7} {
		dir := tree(t)
		s := newServer(t, maps(t))
		answers := []string{s.do(fmt.Sprintf("nest %d", id))}
		if _, err := strconv.Atoi(answers[0]); err != nil && answers[0] != "ready" {
			t.Fatal(answers)
		}
		answers = append(answers, s.answer())
		pid := strings.Trim(strings.Replace(strings.Join(answers, " "), "ready", "", 1), " ")
		var err error
		if s.pid, err = strconv.Atoi(pid); err != nil {
			t.Fatal(answers)
		}
		p, err := Open(s.pid, Options{Alone: true})
		if err != nil {
			t.Fatal(err)
		}
		world, err := p.World()
		if err != nil {
			t.Fatal(err)
		}
		if ns := world.UserNS[world.Task.Cred.UserNS]; ns.Level != 2 || ns.UIDs.String() != "0 100500 1000" || world.UserNS[ns.Parent].UIDs.String() != "0 100000 65536" || int(world.Task.Cred.EUID) != 100500+id {
			t.Errorf("%+v as uid %d", ns, world.Task.Cred.EUID)
		}
		p.Close()
		s.compare(calls(dir))
	}
}

package explain_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/explain"
	"syscallstory/from/files"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// who is a task of the table: ids, and the capabilities that it keeps.
type who struct {
	name     string
	uid, gid uint32
	caps     world.CapSet
}

var tasks = []who{
	{"root", 0, 0, world.Caps(kernel.CapDacOverride, kernel.CapDacReadSearch, kernel.CapFowner)},
	{"root without capabilities", 0, 0, 0},
	{"root with DAC_READ_SEARCH", 0, 0, world.Caps(kernel.CapDacReadSearch)},
	{"owner", 1000, 1000, 0},
	{"group", 1001, 1000, 0},
	{"stranger", 1002, 1002, 0},
}

// kernelCases are calls with the errnos that reference/kernel-order.md's order gives for the tasks above, written down
// before they were run; - is success.
var kernelCases = []struct{ call, want string }{
	{`open("/f600", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("/f600", O_WRONLY)`, "- EACCES EACCES - EACCES EACCES"},
	{`open("/f640", O_RDONLY)`, "- EACCES - - - EACCES"},
	{`open("/f007", O_RDWR)`, "- - - EACCES EACCES -"},
	{`open("/f444", O_WRONLY)`, "- EACCES EACCES EACCES EACCES EACCES"},
	{`open("/none", O_RDONLY)`, "ENOENT ENOENT ENOENT ENOENT ENOENT ENOENT"},
	{`open("/f600/x", O_RDONLY)`, "ENOTDIR ENOTDIR ENOTDIR ENOTDIR ENOTDIR ENOTDIR"},
	{`open("/f600/", O_RDONLY)`, "ENOTDIR ENOTDIR ENOTDIR ENOTDIR ENOTDIR ENOTDIR"},
	{`open("/d700/in", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("/d700/none", O_RDONLY)`, "ENOENT EACCES ENOENT ENOENT EACCES EACCES"},
	{`open("/d700", O_RDONLY|O_DIRECTORY)`, "- EACCES - - EACCES EACCES"},
	{`open("/d755", O_WRONLY)`, "EISDIR EISDIR EISDIR EISDIR EISDIR EISDIR"},
	{`open("/d755/", O_WRONLY|O_CREAT, 0644)`, "EISDIR EISDIR EISDIR EISDIR EISDIR EISDIR"},
	{`open("/f600", O_WRONLY|O_CREAT|O_EXCL, 0644)`, "EEXIST EEXIST EEXIST EEXIST EEXIST EEXIST"},
	{`open("/l600", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("/l600", O_RDONLY|O_NOFOLLOW)`, "ELOOP ELOOP ELOOP ELOOP ELOOP ELOOP"},
	{`open("/l600", O_RDONLY|O_NOFOLLOW|O_DIRECTORY)`, "ENOTDIR ENOTDIR ENOTDIR ENOTDIR ENOTDIR ENOTDIR"},
	{`open("/loop", O_RDONLY)`, "ELOOP ELOOP ELOOP ELOOP ELOOP ELOOP"},
	{`open("/dangling", O_WRONLY|O_CREAT|O_EXCL, 0644)`, "EEXIST EEXIST EEXIST EEXIST EEXIST EEXIST"},
	{`open("/ldir/in", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("/ro/f600", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("/ro/f600", O_WRONLY)`, "EROFS EACCES EACCES EROFS EACCES EACCES"},
	{`open("/ro/f600", O_WRONLY|O_TRUNC)`, "EROFS EROFS EROFS EROFS EROFS EROFS"},
	{`open("/ro/new", O_WRONLY|O_CREAT, 0644)`, "EROFS EROFS EROFS EROFS EROFS EROFS"},
	{`open("/ro/../f600", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("/../../f600", O_RDONLY)`, "- EACCES - - EACCES EACCES"},
	{`open("/nodev/null", O_RDONLY)`, "EACCES EACCES EACCES EACCES EACCES EACCES"},
	{`open("/null", O_RDWR)`, "- - - - - -"},
	{`open("/sock", O_RDONLY)`, "ENXIO EACCES ENXIO ENXIO EACCES EACCES"},
	{`open("/nosym/l", O_RDONLY)`, "ELOOP ELOOP ELOOP ELOOP ELOOP ELOOP"},
	{`open("/f600", O_RDONLY|O_NOATIME)`, "- EACCES EPERM - EACCES EACCES"},
	{`open("", O_RDONLY)`, "ENOENT ENOENT ENOENT ENOENT ENOENT ENOENT"},
	{`open(NULL, O_RDONLY)`, "EFAULT EFAULT EFAULT EFAULT EFAULT EFAULT"},
	{`open("/f600", O_RDONLY|O_TMPFILE, 0600)`, "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`open("/d755", O_RDWR|O_TMPFILE, 0600)`, "- EACCES EACCES - EACCES EACCES"},
	{`open("/ro", O_RDWR|O_TMPFILE, 0600)`, "EROFS EROFS EROFS EROFS EROFS EROFS"},
	{`open("/f600", O_PATH)`, "- - - - - -"},
	{`open("/d700/in", O_PATH)`, "- EACCES - - EACCES EACCES"},
	{`open("/d755", O_WRONLY|O_CREAT|O_DIRECTORY, 0644)`, "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`openat(99, "f600", O_RDONLY)`, "EBADF EBADF EBADF EBADF EBADF EBADF"},
	{`openat(99, "/null", O_RDONLY)`, "- - - - - -"},
	{`openat2(AT_FDCWD, "/f600", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "EXDEV EXDEV EXDEV EXDEV EXDEV EXDEV"},
	{`openat2(AT_FDCWD, "..", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "EXDEV EXDEV EXDEV EXDEV EXDEV EXDEV"},
	{`openat2(AT_FDCWD, "l600", {flags=O_RDONLY, resolve=RESOLVE_NO_SYMLINKS})`, "ELOOP ELOOP ELOOP ELOOP ELOOP ELOOP"},
	{`openat2(AT_FDCWD, "ro/f600", {flags=O_RDONLY, resolve=RESOLVE_NO_XDEV})`, "EXDEV EXDEV EXDEV EXDEV EXDEV EXDEV"},
	{`openat2(AT_FDCWD, "null", {flags=O_RDONLY, resolve=RESOLVE_BENEATH|RESOLVE_IN_ROOT})`, "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`openat2(AT_FDCWD, "null", {flags=O_RDONLY, mode=0600, resolve=0})`, "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`openat2(AT_FDCWD, "null", {flags=O_RDONLY, resolve=0}, 8)`, "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`stat("/f600")`, "- - - - - -"},
	{`stat("/d700/in")`, "- EACCES - - EACCES EACCES"},
	{`stat("/loop")`, "ELOOP ELOOP ELOOP ELOOP ELOOP ELOOP"},
	{`lstat("/loop")`, "- - - - - -"},
	{`newfstatat(AT_FDCWD, "f600", 0x1000, 0x8000)`, "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`access("/f600", R_OK)`, "- EACCES - - EACCES EACCES"},
	{`access("/f600", W_OK)`, "- EACCES EACCES - EACCES EACCES"},
	{`access("/f600", X_OK)`, "EACCES EACCES EACCES EACCES EACCES EACCES"},
	{`access("/ro/f600", W_OK)`, "EROFS EACCES EACCES EROFS EACCES EACCES"},
	{`access("/f600", 8)`, "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL"},
	{`faccessat2(AT_FDCWD, "f600", R_OK, AT_EACCESS)`, "- EACCES - - EACCES EACCES"},
}

// TestKernelFileCalls compares the table, the model and the kernel, in a private mount namespace.
func TestKernelFileCalls(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it makes mounts and changes ids: run it as root")
	}
	if os.Getenv("STORY_KERNEL_TEST") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKernelFileCalls$", "-test.v")
		cmd.Env = append(os.Environ(), "STORY_KERNEL_TEST="+t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	w := buildTree(t)
	predicted := make([][]string, len(kernelCases))
	for i, c := range kernelCases {
		for _, task := range tasks {
			predicted[i] = append(predicted[i], predict(t, w, task, c.call))
		}
	}
	if err := unix.Chroot(w.dir); err != nil {
		t.Fatal(err)
	}
	if err := unix.Chdir("/"); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, c := range kernelCases {
		want := strings.Fields(c.want)
		for k, task := range tasks {
			got := perform(task, c.call)
			if n++; got != want[k] || predicted[i][k] != want[k] {
				t.Errorf("%s as %s: written down %s, predicted %s, kernel %s", c.call, task.name, want[k], predicted[i][k], got)
			}
		}
	}
	t.Logf("%d cases", n)
}

type tree struct {
	*world.World
	dir string
}

// buildTree makes the files and mounts of the table, and the world that describes them.
func buildTree(t *testing.T) tree {
	dir := os.Getenv("STORY_KERNEL_TEST")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
	p := func(s string) string { return filepath.Join(dir, s) }
	unix.Umask(0)
	for _, d := range []struct {
		name string
		mode uint32
	}{{"d700", 0o700}, {"d755", 0o755}, {"ro", 0o755}, {"nodev", 0o755}, {"nosym", 0o755}} {
		must(unix.Mkdir(p(d.name), d.mode))
		must(os.Chown(p(d.name), 1000, 1000))
	}
	for name, mode := range map[string]os.FileMode{"f600": 0o600, "f640": 0o640, "f007": 0o007, "f444": 0o444, "d700/in": 0o644} {
		must(os.WriteFile(p(name), []byte("x"), mode))
		must(os.Chown(p(name), 1000, 1000))
	}
	for name, to := range map[string]string{"l600": "f600", "loop": "loop", "dangling": "gone", "ldir": "/d700", "nosym/l": "/f600"} {
		must(os.Symlink(to, p(name)))
	}
	must(unix.Mknod(p("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(unix.Mknod(p("nodev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(unix.Mknod(p("sock"), unix.S_IFSOCK|0o700, 0))
	must(os.Chown(p("sock"), 0, 0))
	must(os.Chown(p("sock"), 1000, 1000))
	w := world.New()
	at := w.Text("the test")
	sb, err := files.Dir(w, world.SB{Type: "tmpfs", Name: "test", At: at, FlagsAt: at}, dir, "", nil)
	must(err)
	root := w.FS.SB(sb).Root
	id := w.Attach(world.Path{}, world.Mount{Root: root, SB: sb, Point: "/", Origin: at, Why: at})
	w.Task.Root = world.Path{Mount: id, Dentry: root}
	w.Task.Cwd = w.Task.Root
	for _, m := range []struct {
		point, source string
		flag          world.MountFlags
		ms            uintptr
	}{{"ro", "", world.MountReadOnly, unix.MS_RDONLY}, {"nodev", "nodev", world.MountNoDev, unix.MS_NODEV}, {"nosym", "nosym", world.MountNoSymFollow, unix.MS_NOSYMFOLLOW}} {
		must(unix.Mount(p(m.source), p(m.point), "", unix.MS_BIND, ""))
		must(unix.Mount("", p(m.point), "", unix.MS_BIND|unix.MS_REMOUNT|m.ms, ""))
		from := root
		if m.source != "" {
			from, _ = w.FS.Lookup(root, m.source)
		}
		d, st := w.FS.Lookup(root, m.point)
		if st != world.Present {
			t.Fatalf("%s is missing", m.point)
		}
		w.Attach(world.Path{Mount: id, Dentry: d}, world.Mount{Root: from, SB: sb, Flags: m.flag, Point: "/" + m.point, Origin: at, Why: at})
	}
	var uts unix.Utsname
	must(unix.Uname(&uts))
	w.Kernel, err = kernel.ParseRelease(unix.ByteSliceToString(uts.Release[:]))
	must(err)
	w.KernelAt, w.Arch = at, runtime.GOARCH
	w.LSMs = world.Given([]string{"capability"}, at)
	w.Task.NoFile, w.Task.OpenFDs, w.Task.FDsAt = world.Given(1024, at), world.Given(3, at), at
	w.Task.Devices = world.Devices{All: true, At: at}
	for s := range kernel.NumSysctls {
		w.Sysctls[s] = world.Given(0, at)
	}
	return tree{w, dir}
}

// predict judges one call as one task.
func predict(t *testing.T, w tree, task who, text string) string {
	cr := &w.Task.Cred
	at := w.Task.FDsAt
	*cr = world.Cred{RUID: world.KUID(task.uid), EUID: world.KUID(task.uid), FSUID: world.KUID(task.uid), RGID: world.KGID(task.gid), EGID: world.KGID(task.gid), FSGID: world.KGID(task.gid),
		Permitted: task.caps, Effective: task.caps, Bounding: task.caps, UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at}
	j, err := explain.Bind(w.World, nil)
	if err != nil {
		t.Fatal(err)
	}
	call, err := syscalls.Parse(syscalls.X8664, text)
	if err != nil {
		t.Fatal(err)
	}
	end := j.Verdict(call)
	if told := j.Story(call); told.Verdict != end.Verdict.String() {
		t.Errorf("%s: the verdict is %v, the story says %s", text, end.Verdict, told.Verdict)
	}
	switch end.Verdict {
	case story.Allowed:
		return "-"
	case story.Denied:
		return end.Errno.String()
	}
	return fmt.Sprintf("%v%v", end.Verdict, end.Possible.All())
}

// perform makes the call on a thread of its own that has the task's ids and capabilities.
func perform(task who, text string) string {
	done := make(chan string)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its credentials
		done <- performHere(task, text)
	}()
	return <-done
}

func performHere(task who, text string) string {
	raw := func(nr uintptr, a ...uintptr) syscall.Errno {
		a = append(a, 0, 0, 0, 0, 0, 0)
		_, _, e := syscall.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
		return e
	}
	raw(unix.SYS_SETGROUPS, 0, 0)
	raw(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1)
	if e := raw(unix.SYS_SETRESGID, uintptr(task.gid), uintptr(task.gid), uintptr(task.gid)); e != 0 {
		return "setresgid: " + e.Error()
	}
	if e := raw(unix.SYS_SETRESUID, uintptr(task.uid), uintptr(task.uid), uintptr(task.uid)); e != 0 {
		return "setresuid: " + e.Error()
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: uint32(task.caps), Permitted: uint32(task.caps)}, {Effective: uint32(task.caps >> 32), Permitted: uint32(task.caps >> 32)}}
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return "capset: " + err.Error()
	}
	call, err := syscalls.Parse(syscalls.X8664, text)
	if err != nil {
		return err.Error()
	}
	fd, e := rawCall(call)
	if e != 0 {
		return story.Errno(e).String()
	}
	if strings.HasPrefix(call.Name, "open") {
		unix.Close(int(fd))
	}
	return "-"
}

package explain_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
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

// The first thread keeps its root and its credentials, which /proc/PID shows: the calls are made on others.
func init() {
	if os.Getenv("STORY_KERNEL_CHILD") != "" || os.Getenv("STORY_KERNEL_TEST") != "" {
		runtime.LockOSThread()
	}
}

// TestMain serves a kernel test that started this program as its child, instead of running tests.
func TestMain(m *testing.M) {
	switch os.Getenv("STORY_KERNEL_CHILD") {
	case "serve":
		serve()
	case "wait":
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
	default:
		os.Exit(m.Run())
	}
}

// isolated runs the test again in a process with a private mount namespace. It returns the directory of the lab there, and
// false in the first process, which has nothing left to do.
func isolated(t *testing.T) (string, bool) {
	if os.Getuid() != 0 {
		t.Skip("it makes mounts and changes ids: run it as root")
	}
	if dir := os.Getenv("STORY_KERNEL_TEST"); dir != "" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		unix.Umask(0)
		return dir, true
	}
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // for the tasks in user namespaces
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "STORY_KERNEL_TEST="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return "", false
}

// who is a task of a table: ids as the initial user namespace counts, and the capabilities that it keeps.
type who struct {
	name     string
	uid, gid uint32
	groups   []uint32
	caps     world.CapSet // effective and permitted
	idle     world.CapSet // permitted, but not effective
	real     *[2]uint32   // the real ids, where they differ
	ns       int          // user namespace: 0 the initial one, n the lab's n-th child
	root     string       // its root directory in the lab
	cwd      string       // its current directory below its root
	cwdFD    int          // or the lab's descriptor that it is in
	noFile   int          // RLIMIT_NOFILE while it makes the call
}

// row is a call with what is written down for each task, in the order of the tasks; one word stands for all of them:
// - is allowed; + is allowed, and a new file is there; ENAME is denied; ENAME@s is denied if the sysctl fs.protected_s is at
// least 1, else allowed; ENAME@s2 is denied if it is at least 2; ENAME@s/EOTHER is denied with one errno or the other; and
// with ? in front the model cannot know, but lists it among the possible endings.
type row struct{ call, want string }

// lab is a tmpfs with files, mounts and descriptors, and the world that describes them.
type lab struct {
	*world.World
	t        *testing.T
	dir      string
	at       story.Origin
	root     world.Path
	children []*child
	mountNS  string // of the tasks, where it is not the lab's own
	fds      []openFD
	after    func(c row, task who, p prediction, got string) // called after each performed call
}

// openFD is a descriptor that every task has.
type openFD struct {
	N     int
	Path  string
	Flags int
}

// newLab mounts a tmpfs and makes the files of a list in it.
func newLab(t *testing.T, dir, list string) *lab {
	l := &lab{World: world.New(), t: t, dir: dir}
	l.must(unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
	l.at = l.Text("the test")
	l.must(makeFiles(dir, list))
	sb := l.filesystem(world.SB{Type: "tmpfs", Name: "lab"}, dir)
	l.root.Dentry = l.FS.SB(sb).Root
	l.root.Mount = l.Attach(world.Path{}, world.Mount{Root: l.root.Dentry, SB: sb, Point: "/", Origin: l.at, Why: l.at})
	l.Task.Root, l.Task.Cwd = l.root, l.root
	var uts unix.Utsname
	l.must(unix.Uname(&uts))
	var err error
	l.Kernel, err = kernel.ParseRelease(unix.ByteSliceToString(uts.Release[:]))
	l.must(err)
	l.KernelAt, l.Arch = l.at, runtime.GOARCH
	l.LSMs = world.Given([]string{"capability"}, l.at)
	l.Task.NoFile, l.Task.OpenFDs, l.Task.FDsAt = world.Given(1024, l.at), world.Given(3, l.at), l.at
	l.Task.Devices = world.Devices{All: true, At: l.at}
	for s := range kernel.NumSysctls {
		b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(s.String(), ".", "/"))
		l.must(err)
		v, err := strconv.Atoi(strings.TrimSpace(string(b)))
		l.must(err)
		l.Sysctls[s] = world.Given(v, l.at)
	}
	return l
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) path(p string) string { return filepath.Join(l.dir, p) }

// filesystem adds a directory of this machine to the world as a filesystem.
func (l *lab) filesystem(sb world.SB, dir string) world.SBID {
	l.t.Helper()
	sb.At, sb.FlagsAt = l.at, l.at
	id, err := files.Dir(l.World, sb, dir, "", nil)
	l.must(err)
	return id
}

// place finds a path of the lab in the world, below a root.
func (l *lab) place(root world.Path, p string) world.Path {
	l.t.Helper()
	at := root
	for _, name := range strings.FieldsFunc(p, func(r rune) bool { return r == '/' }) {
		d, st := l.FS.Lookup(at.Dentry, name)
		if st != world.Present {
			l.t.Fatalf("the world has no %s", p)
		}
		at = l.Top(world.Path{Mount: at.Mount, Dentry: d})
	}
	return at
}

// attach describes a mount to the world.
func (l *lab) attach(point string, m world.Mount) {
	l.t.Helper()
	m.Point, m.Origin, m.Why = point, l.at, l.at
	if m.Root == 0 {
		m.Root = l.FS.SB(m.SB).Root
	}
	l.Attach(l.place(l.root, point), m)
}

// mountFlags are the numbers of mount(2) for the world's flags.
var mountFlags = map[world.MountFlags]uintptr{world.MountReadOnly: unix.MS_RDONLY, world.MountNoSuid: unix.MS_NOSUID, world.MountNoDev: unix.MS_NODEV,
	world.MountNoExec: unix.MS_NOEXEC, world.MountNoSymFollow: unix.MS_NOSYMFOLLOW}

// bind binds a path of the lab to another one, with a flag. It shows what is there, not the mounts on it.
func (l *lab) bind(source, point string, flag world.MountFlags) {
	l.t.Helper()
	from := l.place(l.root, source)
	l.must(unix.Mount(l.path(source), l.path(point), "", unix.MS_BIND, ""))
	l.must(unix.Mount("", l.path(point), "", unix.MS_BIND|unix.MS_REMOUNT|mountFlags[flag], ""))
	l.attach(point, world.Mount{Root: from.Dentry, SB: l.Mounts[from.Mount].SB, Flags: flag})
}

// tmpfs mounts another tmpfs with files of its own; readOnly is a flag of its superblock.
func (l *lab) tmpfs(point, list string, readOnly bool) {
	l.t.Helper()
	l.must(unix.Mount("tmpfs", l.path(point), "tmpfs", 0, "mode=755"))
	l.must(makeFiles(l.path(point), list))
	sb := world.SB{Type: "tmpfs", Name: point}
	if readOnly {
		l.must(unix.Mount("", l.path(point), "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		// Without MS_BIND a remount sets the flag of the mount too: take it away again there, to leave the superblock's.
		attr := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}
		l.must(unix.MountSetattr(unix.AT_FDCWD, l.path(point), 0, &attr))
		sb.Flags = world.SBReadOnly
	}
	l.attach(point, world.Mount{SB: l.filesystem(sb, l.path(point))})
}

// open gives every task a descriptor.
func (l *lab) open(n int, path string, flags int) {
	l.t.Helper()
	fd := openFD{n, l.path(path), flags}
	l.must(fd.open())
	l.fds = append(l.fds, fd)
	at := l.root
	if flags&unix.O_NOFOLLOW != 0 { // the link itself
		at = l.place(l.root, filepath.Dir(path))
		at.Dentry, _ = l.FS.Lookup(at.Dentry, filepath.Base(path))
	} else {
		at = l.place(l.root, path)
	}
	l.Task.FDs = append(l.Task.FDs, world.FD{N: n, Path: at, Flags: uint64(flags), At: l.at})
}

func (f openFD) open() error {
	fd, err := unix.Open(f.Path, f.Flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	defer unix.Close(fd)
	return unix.Dup3(fd, f.N, unix.O_CLOEXEC)
}

// run compares table, model and kernel. Everything is predicted before anything is performed.
func (l *lab) run(tasks []who, table []row) {
	l.t.Helper()
	want := make([][]string, len(table))
	predicted := make([][]prediction, len(table))
	for i, c := range table {
		want[i] = strings.Fields(c.want)
		if len(want[i]) == 1 {
			for range len(tasks) - 1 {
				want[i] = append(want[i], want[i][0])
			}
		}
		if len(want[i]) != len(tasks) {
			l.t.Fatalf("%s: %d endings for %d tasks", c.call, len(want[i]), len(tasks))
		}
		for k, task := range tasks {
			want[i][k] = l.settle(want[i][k])
			predicted[i] = append(predicted[i], l.predict(task, c.call))
		}
	}
	n := 0
	for i, c := range table {
		for k, task := range tasks {
			got := l.perform(task, c.call)
			w, p := want[i][k], predicted[i][k]
			// When somebody mounts meanwhile, the kernel may walk again without its shortcut (LOOKUP_RCU), and the links of
			// the first walk still count: then fewer than 40 are too many. With RESOLVE_BENEATH it gives up with EAGAIN where
			// a .. may have been moved.
			for try := 0; (got == "ELOOP" || got == "EAGAIN") && w != got && try < 50; try++ {
				got = l.perform(task, c.call)
			}
			if n++; got != strings.TrimPrefix(w, "?") || !p.is(w) {
				l.t.Errorf("%.200s as %s: written down %s, predicted %s, kernel %s", c.call, task.name, w, p, got)
			}
			if l.after != nil {
				l.after(c, task, p, got)
			}
		}
	}
	l.t.Logf("%d cases", n)
}

// foresee compares table and model alone, for values of the sysctls that this machine does not have.
func (l *lab) foresee(tasks []who, table []row) {
	l.t.Helper()
	for _, c := range table {
		want := strings.Fields(c.want)
		for k, task := range tasks {
			w := l.settle(want[min(k, len(want)-1)])
			if p := l.predict(task, c.call); !p.is(w) {
				l.t.Errorf("%s as %s: written down %s, predicted %s", c.call, task.name, w, p)
			}
		}
	}
}

// settle turns ENAME@sysctl into what it means on this machine.
func (l *lab) settle(want string) string {
	name, sys, ok := strings.Cut(want, "@")
	if !ok {
		return want
	}
	least := 1
	sys, otherwise, ok := strings.Cut(sys, "/")
	if !ok {
		otherwise = "-"
	}
	if s, two := strings.CutSuffix(sys, "2"); two {
		sys, least = s, 2
	}
	s, known := kernel.ParseSysctl("fs.protected_" + sys)
	if !known {
		l.t.Fatalf("%s: no such sysctl", want)
	}
	if l.Sysctl(s).V >= least {
		return name
	}
	return otherwise
}

// prediction is what the model says of a call.
type prediction struct {
	check interface {
		Has(story.Errno) bool
		All() []story.Errno
	}
	verdict story.Verdict
	errno   story.Errno
	created bool
	told    *story.Story
}

// is compares with what is written down.
func (p prediction) is(want string) bool {
	if w, unsure := strings.CutPrefix(want, "?"); unsure {
		e, ok := story.ParseErrno(w)
		return p.verdict != story.Allowed && p.errno == 0 && (ok || w == "-") && p.check.Has(e)
	}
	return p.String() == want
}

func (p prediction) String() string {
	switch {
	case p.verdict == story.Allowed && p.created:
		return "+"
	case p.verdict == story.Allowed:
		return "-"
	case p.verdict == story.Denied && p.errno != 0:
		return p.errno.String()
	}
	return fmt.Sprintf("%v%v", p.verdict, p.check.All())
}

// predict judges one call as one task.
func (l *lab) predict(task who, text string) prediction {
	l.t.Helper()
	w, at := l.World, l.at
	real := [2]uint32{task.uid, task.gid}
	if task.real != nil {
		real = *task.real
	}
	cr := world.Cred{RUID: world.KUID(real[0]), EUID: world.KUID(task.uid), SUID: world.KUID(task.uid), FSUID: world.KUID(task.uid),
		RGID: world.KGID(real[1]), EGID: world.KGID(task.gid), SGID: world.KGID(task.gid), FSGID: world.KGID(task.gid),
		Permitted: task.caps | task.idle, Effective: task.caps, Bounding: world.AllCaps, UserNS: world.UserNSID(task.ns),
		UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at}
	for _, g := range task.groups {
		cr.Groups = append(cr.Groups, world.KGID(g))
	}
	w.Task.Cred = cr
	w.Task.Root = l.place(l.root, task.root)
	w.Task.Cwd = l.place(w.Task.Root, task.cwd)
	w.Task.NoFile = world.Given(1024, at)
	if task.cwdFD != 0 {
		w.Task.Cwd = w.Task.FDByNumber(task.cwdFD).Path
	}
	if task.noFile != 0 {
		w.Task.NoFile = world.Given(task.noFile, at)
	}
	j, err := explain.Bind(w, nil)
	l.must(err)
	call, err := syscalls.Parse(syscalls.X8664, text)
	if err != nil {
		l.t.Fatalf("%.200s: %v", text, err)
	}
	end := j.Verdict(call)
	told := j.Story(call)
	if told.Verdict != end.Verdict.String() {
		l.t.Errorf("%s: the verdict is %v, the story says %s", text, end.Verdict, told.Verdict)
	}
	p := prediction{check: &end.Possible, verdict: end.Verdict, errno: end.Errno, told: told}
	if !end.Sure {
		p.errno = 0
	}
	for _, e := range told.Effects {
		p.created = p.created || e.Kind == "created"
	}
	return p
}

// job is a call as a process performs it: ids as its own user namespace counts.
type job struct {
	Dir, Root, Cwd string
	CwdFD          int
	MountNS        string
	Effective      uint64
	Permitted      uint64
	UID, GID       [2]uint32 // real, effective
	Groups         []uint32
	NoFile         int
	Call           string

	// What a child does beside performing calls.
	Open   *openFD
	Mount  *mountArgs
	Umount string
	Files  string // a list for makeFiles, in Dir
}

// mountArgs are mount(2)'s.
type mountArgs struct {
	Source, Target, Type, Data string
	Flags                      uintptr
}

// perform makes the call in the kernel, in the process that is in the task's user namespace.
func (l *lab) perform(task who, text string) string {
	j := job{Dir: l.dir, Root: task.root, Cwd: task.cwd, CwdFD: task.cwdFD, MountNS: l.mountNS, Effective: uint64(task.caps), Permitted: uint64(task.caps | task.idle),
		NoFile: task.noFile, Call: text}
	ns := &l.UserNS[task.ns]
	in := func(m world.IDMap, k uint32) uint32 {
		id, ok := m.Up(k)
		if !ok {
			l.t.Fatalf("%s: id %d is not mapped", task.name, k)
		}
		return id
	}
	j.UID = [2]uint32{in(ns.UIDs, task.uid), in(ns.UIDs, task.uid)}
	j.GID = [2]uint32{in(ns.GIDs, task.gid), in(ns.GIDs, task.gid)}
	if task.real != nil {
		j.UID[0], j.GID[0] = in(ns.UIDs, task.real[0]), in(ns.GIDs, task.real[1])
	}
	for _, g := range task.groups {
		j.Groups = append(j.Groups, in(ns.GIDs, g))
	}
	if task.ns == 0 {
		return j.perform()
	}
	c := l.children[task.ns-1]
	if c.mountNS == l.mountNS {
		j.MountNS = ""
	}
	return c.ask(j)
}

// perform does the job on a thread of its own, which ends with its credentials and its root.
func (j job) perform() string {
	type result struct {
		text string
		fd   int
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked
		text, fd := j.onThread()
		done <- result{text, fd}
	}()
	r := <-done
	if r.fd >= 0 {
		// What a call made is removed again: names of new files begin with new.
		if name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", r.fd)); err == nil && strings.HasPrefix(filepath.Base(name), "new") && strings.Contains(strings.ToLower(j.Call), "creat") {
			if j.MountNS != "" {
				name = filepath.Join(strings.TrimSuffix(j.MountNS, "ns/mnt")+"root", name)
			}
			if err := os.Remove(name); err != nil {
				r.text = err.Error()
			} else {
				r.text = "+"
			}
		}
		unix.Close(r.fd)
	}
	return r.text
}

// onThread becomes the task and makes the call.
func (j job) onThread() (string, int) {
	step := func(what string, err error) string {
		if err != nil && err != syscall.Errno(0) {
			return what + ": " + err.Error()
		}
		return ""
	}
	fail := step("unshare", unix.Unshare(unix.CLONE_FS))
	if j.MountNS != "" && fail == "" {
		fd, err := unix.Open(j.MountNS, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if fail = step("open "+j.MountNS, err); fail == "" {
			fail = step("setns", unix.Setns(fd, unix.CLONE_NEWNS))
			unix.Close(fd)
		}
	}
	if fail == "" {
		fail = step("chroot", unix.Chroot(filepath.Join(j.Dir, j.Root)))
	}
	if fail == "" {
		fail = step("chdir", unix.Chdir("/"+j.Cwd))
	}
	if j.CwdFD != 0 && fail == "" {
		fail = step("fchdir", unix.Fchdir(j.CwdFD))
	}
	if fail == "" {
		fail = j.become(step)
	}
	if fail != "" {
		return fail, -1
	}
	call, err := syscalls.Parse(syscalls.X8664, j.Call)
	if err != nil {
		return err.Error(), -1
	}
	var old unix.Rlimit
	if j.NoFile != 0 {
		if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &old); err != nil {
			return err.Error(), -1
		}
		unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(j.NoFile), Max: old.Max}, nil)
	}
	r, e := rawCall(call)
	unix.Chdir("/") // the thread may end later than this: let go of what it was in
	if j.NoFile != 0 {
		unix.Prlimit(0, unix.RLIMIT_NOFILE, &old, nil)
	}
	switch {
	case e != 0:
		return story.Errno(e).String(), -1
	case strings.HasPrefix(call.Name, "open") || call.Name == "creat":
		return "-", int(r)
	}
	return "-", -1
}

// become takes the ids and capabilities; the raw calls change this thread alone.
func (j job) become(step func(string, error) string) string {
	raw := func(nr uintptr, a ...uintptr) syscall.Errno {
		a = append(a, 0, 0, 0)
		_, _, e := syscall.RawSyscall(nr, a[0], a[1], a[2])
		return e
	}
	unix.Umask(0)
	groups := append(append([]uint32{}, j.Groups...), 0)
	if s := step("setgroups", raw(unix.SYS_SETGROUPS, uintptr(len(j.Groups)), addressOf(&groups[0]))); s != "" {
		return s
	}
	raw(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1)
	if s := step("setresgid", raw(unix.SYS_SETRESGID, uintptr(j.GID[0]), uintptr(j.GID[1]), uintptr(j.GID[1]))); s != "" {
		return s
	}
	if s := step("setresuid", raw(unix.SYS_SETRESUID, uintptr(j.UID[0]), uintptr(j.UID[1]), uintptr(j.UID[1]))); s != "" {
		return s
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: uint32(j.Effective), Permitted: uint32(j.Permitted)}, {Effective: uint32(j.Effective >> 32), Permitted: uint32(j.Permitted >> 32)}}
	return step("capset", unix.Capset(&hdr, &data[0]))
}

// child is a process in a user namespace of its own, which performs jobs.
type child struct {
	t       *testing.T
	cmd     *exec.Cmd
	in      *json.Encoder
	out     *json.Decoder
	mountNS string // its mount namespace, where it has one of its own
	userNS  string
}

// child starts a process in a new user namespace that maps count ids from 0 to outside, and adds the namespace to the world.
func (l *lab) child(outside, count uint32, newMounts bool) *child {
	l.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "STORY_KERNEL_CHILD=serve")
	cmd.Stderr = os.Stderr
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(outside), Size: int(count)}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{}}
	if newMounts {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNS
	}
	in, err := cmd.StdinPipe()
	l.must(err)
	out, err := cmd.StdoutPipe()
	l.must(err)
	l.must(cmd.Start())
	c := &child{t: l.t, cmd: cmd, in: json.NewEncoder(in), out: json.NewDecoder(out)}
	l.t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	proc := fmt.Sprintf("/proc/%d/", cmd.Process.Pid)
	c.userNS = proc + "ns/user"
	if newMounts {
		c.mountNS = proc + "ns/mnt"
	}
	l.children = append(l.children, c)
	m := world.IDMap{{Inside: 0, Outside: outside, Count: count}}
	l.UserNS = append(l.UserNS, world.UserNS{Level: 1, UIDs: m, GIDs: m, Name: fmt.Sprintf("child %d", len(l.children))})
	for i := range l.fds {
		c.do(job{Open: &l.fds[i]})
	}
	return c
}

// ask lets the child do a job and returns what it says.
func (c *child) ask(j job) string {
	c.t.Helper()
	var answer string
	if err := c.in.Encode(j); err != nil {
		c.t.Fatal(err)
	}
	if err := c.out.Decode(&answer); err != nil {
		c.t.Fatal(err)
	}
	return answer
}

// do is ask for what must succeed.
func (c *child) do(j job) {
	c.t.Helper()
	if s := c.ask(j); s != "-" {
		c.t.Fatal(s)
	}
}

// root returns a path as the child's mount namespace has it.
func (c *child) root(p string) string { return fmt.Sprintf("/proc/%d/root%s", c.cmd.Process.Pid, p) }

// serve is the child.
func serve() {
	unix.Umask(0)
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var j job
		if err := in.Decode(&j); err != nil {
			return
		}
		var err error
		answer := "-"
		switch {
		case j.Open != nil:
			err = j.Open.open()
		case j.Mount != nil:
			m := j.Mount
			err = unix.Mount(m.Source, m.Target, m.Type, m.Flags, m.Data)
		case j.Umount != "":
			err = unix.Unmount(j.Umount, 0)
		case j.Files != "":
			err = makeFiles(j.Dir, j.Files)
		default:
			answer = j.perform()
		}
		if err != nil {
			answer = err.Error()
		}
		out.Encode(answer)
	}
}

// makeFiles makes the files of a list, one a line: type, name, mode, owner, then what else there is: to=TARGET of a link,
// dev=MAJOR:MINOR, size=BYTES, flags=i or a (chattr), acl=ACL, and overlayfs's marks by their names.
func makeFiles(dir, list string) error {
	for _, line := range strings.Split(list, "\n") {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if err := makeFile(dir, f); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	return nil
}

func makeFile(dir string, f []string) error {
	p := filepath.Join(dir, f[1])
	mode, err := strconv.ParseUint(f[2], 8, 32)
	if err != nil {
		return err
	}
	var uid, gid int
	if _, err := fmt.Sscanf(f[3], "%d:%d", &uid, &gid); err != nil {
		return err
	}
	more := map[string]string{}
	for _, kv := range f[4:] {
		k, v, _ := strings.Cut(kv, "=")
		more[k] = v
	}
	switch f[0] {
	case "dir":
		if f[1] != "." {
			err = unix.Mkdir(p, uint32(mode))
		}
	case "file":
		size := 1
		if s := more["size"]; s != "" {
			if size, err = strconv.Atoi(s); err != nil {
				return err
			}
		}
		err = os.WriteFile(p, make([]byte, size), os.FileMode(mode))
	case "link":
		err = os.Symlink(more["to"], p)
	case "char":
		var major, minor uint32
		if _, err := fmt.Sscanf(more["dev"], "%d:%d", &major, &minor); err != nil {
			return err
		}
		err = unix.Mknod(p, unix.S_IFCHR|uint32(mode), int(unix.Mkdev(major, minor)))
	case "fifo":
		err = unix.Mknod(p, unix.S_IFIFO|uint32(mode), 0)
	case "sock":
		err = unix.Mknod(p, unix.S_IFSOCK|uint32(mode), 0)
	default:
		err = fmt.Errorf("unknown type %s", f[0])
	}
	if err != nil {
		return err
	}
	if err := os.Lchown(p, uid, gid); err != nil {
		return err
	}
	if f[0] == "link" {
		return nil
	}
	if err := unix.Chmod(p, uint32(mode)); err != nil { // chown has cleared what it had to
		return err
	}
	if acl := more["acl"]; acl != "" {
		if err := setACL(p, acl); err != nil {
			return err
		}
	}
	for _, name := range []string{"trusted.overlay.opaque", "user.overlay.opaque", "trusted.overlay.redirect"} {
		if v, ok := more[name]; ok {
			if err := unix.Setxattr(p, name, []byte(v), 0); err != nil {
				return err
			}
		}
	}
	switch more["flags"] {
	case "i":
		return setFlags(p, 0x10) // FS_IMMUTABLE_FL
	case "a":
		return setFlags(p, 0x20) // FS_APPEND_FL
	}
	return nil
}

// setACL sets the access ACL of a file, as files.ParseACL reads it.
func setACL(p, text string) error {
	acl, err := files.ParseACL(text)
	if err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range acl {
		id := e.ID
		if e.Tag != world.ACLUser && e.Tag != world.ACLGroup {
			id = ^uint32(0)
		}
		b = binary.LittleEndian.AppendUint16(b, [...]uint16{1, 2, 4, 8, 16, 32}[e.Tag])
		b = binary.LittleEndian.AppendUint16(b, uint16(e.Perm))
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	return unix.Setxattr(p, "system.posix_acl_access", b, 0)
}

// setFlags is chattr(1).
func setFlags(p string, flags uint32) error {
	fd, err := unix.Open(p, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(flags))
}

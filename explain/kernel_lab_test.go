package explain_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/explain"
	"syscallstory/from/files"
	"syscallstory/from/node"
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
	if uid, ok := strings.CutPrefix(os.Getenv("STORY_KERNEL_CHILD"), "park "); ok {
		park(uid)
	}
	switch os.Getenv("STORY_KERNEL_CHILD") {
	case "serve":
		serve()
	case "undumpable":
		unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
		fallthrough
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
	// In a session of its own: the one of whoever started the tests may be outside of the PID namespace, and then has no number.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Setsid: true}
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
	landlock []ruleset    // Landlock's, the oldest first
	memlock  *uint64      // RLIMIT_MEMLOCK while it makes the call
	more     *credentials // what few tables need
}

// credentials are the rest of a task's credentials; the zero value is what every task of a lab has otherwise.
type credentials struct {
	Saved, Files *[2]uint32 // saved ids and those for files, where they differ from the effective ones
	Inheritable  world.CapSet
	Ambient      world.CapSet
	Dropped      world.CapSet // from the bounding set
	Securebits   uint32
	NoNewPrivs   bool
}

// row is a call with what is written down for each task, in the order of the tasks; one word stands for all of them:
// - is allowed; + is allowed, and a new file is there; ENAME is denied; ENAME@s is denied if the sysctl fs.protected_s is at
// least 1, else allowed; ENAME@s2 is denied if it is at least 2; ENAME@s/EOTHER is denied with one errno or the other;
// -#Change/ENAME is allowed if this kernel has the change, else denied; with ! in front the call is predicted and not made;
// and with ? in front the model cannot know, but lists it among the possible endings.
type row struct{ call, want string }

// lab is a tmpfs with files, mounts and descriptors, and the world that describes them.
type lab struct {
	*world.World
	t        *testing.T
	dir      string
	at       story.Origin
	root     world.Path
	children []*child
	also     uintptr // CLONE_NEW* of a child with a mount namespace
	mountNS  string  // of the tasks, where it is not the lab's own
	fds      []openFD
	twins    [][2]string                                     // names that show the same file, and its other name
	after    func(c row, task who, p prediction, got string) // called after each performed call
	before   func(task who)                                  // called before each prediction
	forked   bool                                            // calls are made in processes of their own
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
	var err error
	l.Kernel, err = node.Running()
	l.must(err)
	l.KernelAt, l.Arch = l.at, runtime.GOARCH
	l.LSMs = world.Given([]string{"capability"}, l.at)
	l.Task.NoFile, l.Task.OpenFDs, l.Task.FDsAt = world.Given(1024, l.at), world.Given(3, l.at), l.at
	l.Task.PID = os.Getpid()
	l.Binfmts = world.Given(false, l.at)
	l.Task.Rlimits[unix.RLIMIT_NPROC] = world.Given(world.Rlimit{Cur: ^uint64(0), Max: ^uint64(0)}, l.at)
	l.Task.Threads, l.Task.FSUsers = world.Given(1, l.at), world.Given(1, l.at)
	l.Task.Devices = world.Devices{All: true, At: l.at}
	for s := range kernel.NumSysctls {
		b, err := os.ReadFile(s.File())
		if s.Optional() && os.IsNotExist(err) {
			l.Sysctls[s] = world.Given(kernel.NotThere, l.at)
		}
		if errors.Is(err, os.ErrNotExist) { // this kernel does not have it
			continue
		}
		l.must(err)
		v, err := s.ParseValue(string(b))
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
			w, p := want[i][k], predicted[i][k]
			if foreseen, ok := strings.CutPrefix(w, "!"); ok { // it would change the machine
				if !p.is(foreseen) {
					l.t.Errorf("%.200s as %s: written down %s, predicted %s", c.call, task.name, foreseen, p)
				}
				continue
			}
			got := l.perform(task, c.call)
			// When somebody mounts meanwhile, the kernel may walk again without its shortcut (LOOKUP_RCU), and the links of
			// the first walk still count: then fewer than 40 are too many. With RESOLVE_BENEATH it gives up with EAGAIN where
			// a .. may have been moved.
			for try := 0; (got == "ELOOP" || got == "EAGAIN") && w != got && try < 50; try++ {
				got = l.perform(task, c.call)
			}
			if n++; !slices.Contains(strings.Split(strings.TrimPrefix(w, "?"), "/"), got) || !p.is(w) {
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

// releaseChanges are the differences between releases that tables name.
var releaseChanges = map[string]kernel.Change{
	"StatEmptyDescriptor": kernel.StatEmptyDescriptor, "StatEmptyPath": kernel.StatEmptyPath, "TmpfsDirectIO": kernel.TmpfsDirectIO,
	"TmpfileMapsIDs": kernel.TmpfileMapsIDs, "CopyUpKeepsName": kernel.CopyUpKeepsName,
}

// settle turns ENAME@sysctl and ENDING#change/OTHERWISE into what they mean on this machine; where only the patch level would
// tell whether the kernel has the change, both endings are possible.
func (l *lab) settle(want string) string {
	if with, rest, ok := strings.Cut(want, "#"); ok {
		name, without, _ := strings.Cut(rest, "/")
		change, known := releaseChanges[name]
		switch l.Kernel.Has(change) {
		case kernel.Yes:
			return with
		case kernel.No:
			return without
		}
		if !known {
			l.t.Fatalf("%s: no such change", want)
		}
		return "?" + with + "/" + strings.TrimPrefix(without, "?") // a stable update may have brought it
	}
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
	if endings, unsure := strings.CutPrefix(want, "?"); unsure {
		for w := range strings.SplitSeq(endings, "/") {
			if e, ok := story.ParseErrno(w); !ok && w != "-" || !p.check.Has(e) {
				return false
			}
		}
		return p.verdict != story.Allowed && p.errno == 0
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

// bounding is the bounding set of a task: what this process has, or everything in a new user namespace.
func (l *lab) bounding(task who) world.CapSet {
	set := world.AllCaps
	if task.ns == 0 {
		for c := range kernel.NumCaps {
			if has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0); err == nil && has == 0 {
				set = set.Without(c)
			}
		}
	}
	if task.more != nil {
		set &^= task.more.Dropped
	}
	return set
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
		Permitted: task.caps | task.idle, Effective: task.caps, Bounding: l.bounding(task), UserNS: world.UserNSID(task.ns),
		UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at}
	for _, g := range task.groups {
		cr.Groups = append(cr.Groups, world.KGID(g))
	}
	if m := task.more; m != nil {
		if m.Saved != nil {
			cr.SUID, cr.SGID = world.KUID(m.Saved[0]), world.KGID(m.Saved[1])
		}
		if m.Files != nil {
			cr.FSUID, cr.FSGID = world.KUID(m.Files[0]), world.KGID(m.Files[1])
		}
		cr.Inheritable, cr.Ambient, cr.Securebits, cr.NoNewPrivs, cr.NoNewAt = m.Inheritable, m.Ambient, m.Securebits, m.NoNewPrivs, at
	}
	slices.Sort(cr.Groups)
	w.Task.Cred = cr
	w.Task.Root = l.place(l.root, task.root)
	w.Task.Cwd = l.place(w.Task.Root, task.cwd)
	w.Task.NoFile = world.Given(1024, at)
	l.restrict(task)
	if task.cwdFD != 0 {
		w.Task.Cwd = w.Task.FDByNumber(task.cwdFD).Path
	}
	if task.noFile != 0 {
		w.Task.NoFile = world.Given(task.noFile, at)
	}
	if l.before != nil {
		l.before(task)
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

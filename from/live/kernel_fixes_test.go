//go:build linux

package live

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"syscallstory/explain"
	"syscallstory/fix"
	"syscallstory/from/edits"
	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// ordinary are the calls by which a task becomes an ordinary user.
var ordinary = []string{"groups", "setresgid(1000, 1000, 1000)", "setresuid(1000, 1000, 1000)"}

// private are those by which it gets mounts that nobody else sees.
var private = []string{`mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)`, `mount("tmpfs", "DIR/m", "tmpfs", 0, "mode=777")`}

// fixCase is a process whose call is refused, and the changes that are expected to be offered among others: every one that is
// offered is performed.
type fixCase struct {
	name  string
	flags uintptr
	setup []string
	call  string
	want  []string
}

var fixCases = []fixCase{
	{"mode", 0, ordinary, `open("DIR/d/secret", O_RDONLY)`, []string{"setfacl -m u:1000:r DIR/d/secret", "chown 1000 DIR/d/secret", "chmod o+r DIR/d/secret", "setpriv --inh-caps +dac_read_search --ambient-caps +dac_read_search PROGRAM"}},
	{"group", 0, ordinary, `open("DIR/d/group", O_RDWR)`, []string{"setpriv --groups 50 PROGRAM", "setfacl -m u:1000:rw DIR/d/group"}},
	{"directory", 0, ordinary, `stat("DIR/closed/in", 0x1)`, []string{"chmod o+x DIR/closed"}},
	{"mode in a mount namespace", syscall.CLONE_NEWNS, slices.Concat(private, []string{`mkdir("DIR/m/d", 0700)`}, ordinary), `mkdir("DIR/m/d/sub", 0700)`, []string{"chown 1000 /proc/PID/rootDIR/m/d"}},
	{"owner", 0, ordinary, `chmod("DIR/d/root", 0600)`, []string{"chown 1000 DIR/d/root", "setpriv --inh-caps +fowner --ambient-caps +fowner PROGRAM"}},
	{"no name", 0, nil, `open("DIR/none/file", O_RDONLY)`, []string{"mkdir -p DIR/none && touch DIR/none/file"}},
	{"no directory", 0, nil, `chdir("DIR/none")`, []string{"mkdir -p DIR/none"}},
	{"no parent", 0, nil, `mkdir("DIR/none/sub", 0700)`, []string{"mkdir -p DIR/none"}},
	{"sticky", 0, ordinary, `unlink("DIR/sticky/his")`, []string{"chmod -t DIR/sticky", "setpriv --reuid 2000 --regid 1000 --keep-groups PROGRAM"}},
	{"immutable", 0, nil, `open("DIR/im", O_WRONLY)`, []string{"chattr -i DIR/im"}},
	{"read-only mount", syscall.CLONE_NEWNS, append(private, `mount(NULL, "DIR/m", NULL, MS_REMOUNT|MS_BIND|MS_RDONLY|MS_NOSUID, NULL)`), `open("DIR/m/x", O_WRONLY|O_CREAT, 0600)`, []string{"mount -N PID -o remount,bind,rw,nosuid DIR/m"}},
	{"read-only filesystem", syscall.CLONE_NEWNS, append(private, `mount(NULL, "DIR/m", NULL, MS_REMOUNT|MS_RDONLY, NULL)`), `open("DIR/m/x", O_WRONLY|O_CREAT, 0600)`, []string{"mount -N PID -o remount,bind,rw DIR/m"}},
	{"noexec", syscall.CLONE_NEWNS, append(private, `creat("DIR/m/prog", 0755)`, `mount(NULL, "DIR/m", NULL, MS_REMOUNT|MS_BIND|MS_NOEXEC, NULL)`), `access("DIR/m/prog", X_OK)`, []string{"mount -N PID -o remount,bind,rw,exec DIR/m"}},
	{"nodev", syscall.CLONE_NEWNS, append(private, `mknod("DIR/m/null", S_IFCHR|0666, 0x103)`, `mount(NULL, "DIR/m", NULL, MS_REMOUNT|MS_BIND|MS_NODEV, NULL)`), `open("DIR/m/null", O_RDWR)`, []string{"mount -N PID -o remount,bind,rw,dev DIR/m"}},
	{"nosymfollow", syscall.CLONE_NEWNS, append(private, `symlink("/", "DIR/m/l")`, `mount(NULL, "DIR/m", NULL, MS_REMOUNT|MS_BIND|256, NULL)`), `stat("DIR/m/l", 0x1)`, []string{"mount -N PID -o remount,bind,rw,symfollow DIR/m"}},
	{"capability", 0, ordinary, `chroot("DIR/d")`, []string{"setpriv --inh-caps +sys_chroot --ambient-caps +sys_chroot PROGRAM"}},
	{"socket", 0, ordinary, `socket(AF_INET, SOCK_RAW, 1)`, []string{"setpriv --inh-caps +net_raw --ambient-caps +net_raw PROGRAM"}},
	{"limit of descriptors", 0, []string{"limit 7 4"}, `open("DIR/d/root", O_RDONLY)`, []string{"prlimit --pid PID --nofile="}},
	{"limit of file size", 0, []string{"limit 1 10"}, `truncate("DIR/d/root", 100)`, []string{"prlimit --pid PID --fsize=unlimited:"}},
	{"setting of a network namespace", syscall.CLONE_NEWNET, ordinary, `socket(AF_INET, SOCK_DGRAM, 1)`, []string{"nsenter -t PID -n sysctl -w net.ipv4.ping_group_range='0 2147483647'"}},
}

// TestKernelLiveFixes: whatever is offered to a process that runs is done, and the call passes.
func TestKernelLiveFixes(t *testing.T) {
	for _, c := range fixCases {
		t.Run(c.name, func(t *testing.T) {
			var kinds []string
			for n := 0; ; n++ {
				dir := tree(t)
				s := c.start(t, dir)
				found := s.fixes(c.in(dir))
				if n == 0 {
					c.expect(t, found, dir, s.pid)
				}
				if n == len(found) {
					break
				}
				if c.flags != 0 && slices.ContainsFunc(found[n].Edits, func(e story.Edit) bool { return e.Kind == "process" }) {
					continue // another process would not have its namespaces
				}
				s.perform(found[n], c.in(dir))
				kinds = append(kinds, found[n].Kind)
			}
			t.Logf("%d performed: %v", len(kinds), kinds)
		})
	}
}

// in puts the directory into a call.
func (c *fixCase) in(dir string) string { return strings.ReplaceAll(c.call, "DIR", dir) }

func (c *fixCase) start(t *testing.T, dir string) *server {
	t.Helper()
	s := newServer(t, &syscall.SysProcAttr{Cloneflags: c.flags})
	for _, line := range c.setup {
		s.set(strings.ReplaceAll(line, "DIR", dir))
	}
	return s
}

// expect looks for the changes that must be among those that are offered.
func (c *fixCase) expect(t *testing.T, found []fix.Found, dir string, pid int) {
	t.Helper()
	var all []string
	for _, f := range found {
		all = append(all, strings.ReplaceAll(strings.ReplaceAll(f.Patch, dir, "DIR"), "/"+strconv.Itoa(pid)+"/", "/PID/"))
		all[len(all)-1] = strings.ReplaceAll(all[len(all)-1], " "+strconv.Itoa(pid)+" ", " PID ")
		if !f.Verified {
			t.Errorf("%q is not verified", f.Patch)
		}
	}
	for _, w := range c.want {
		if !slices.ContainsFunc(all, func(p string) bool { return strings.HasPrefix(p, w) }) {
			t.Errorf("%q is not offered, but\n%s", w, strings.Join(all, "\n"))
		}
	}
}

// fixes reads the child and searches for what lets a call pass, which it must be seen to refuse.
func (s *server) fixes(call string) []fix.Found {
	s.t.Helper()
	p, err := Open(s.pid, Options{Merger: overlay.Merger{}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(p.Close)
	parsed, err := syscalls.Parse(syscalls.X8664, call)
	if err != nil {
		s.t.Fatal(err)
	}
	found, err := fix.Find(p, bindLive, parsed)
	if err != nil {
		s.t.Fatal(err)
	}
	if got := s.do(call); got == "-" {
		s.t.Fatalf("%s passes", call)
	}
	return slices.DeleteFunc(found, func(f fix.Found) bool { return f.Kind == "call" })
}

func bindLive(w *world.World) (*explain.Judge, error) { return explain.Bind(w, nil) }

// perform does what a fix says and makes the call.
func (s *server) perform(f fix.Found, call string) {
	s.t.Helper()
	var options []string
	for _, e := range f.Edits {
		switch e.Kind {
		case "host", "node":
			if out, err := exec.Command("sh", "-c", e.Patch).CombinedOutput(); err != nil {
				s.t.Fatalf("%s: %v\n%s", e.Patch, err, out)
			}
		case "process":
			arguments, ok := strings.CutSuffix(e.Patch, " PROGRAM")
			if !ok {
				s.t.Fatalf("%q is not for a program", e.Patch)
			}
			options = append(options, strings.Fields(arguments)[1:]...)
		default:
			s.t.Fatalf("%q is of kind %s", e.Patch, e.Kind)
		}
	}
	if options != nil {
		s = startedWith(s.t, options)
	}
	if got := s.do(call); got != "-" {
		s.t.Errorf("%s after %q: %s", call, f.Patch, got)
	}
}

// startedWith starts a child by setpriv(1): as the ordinary user, unless the options say otherwise.
func startedWith(t *testing.T, options []string) *server {
	t.Helper()
	for _, o := range [][]string{{"--reuid", "1000"}, {"--regid", "1000"}, {"--clear-groups"}} {
		if has := func(name string) bool { return slices.Contains(options, name) }; !has(o[0]) && !(o[0] == "--clear-groups" && (has("--groups") || has("--keep-groups"))) {
			options = append(slices.Clone(o), options...)
		}
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	cmd := exec.Command("setpriv", append(options, "/proc/self/fd/3")...)
	cmd.Env = append(os.Environ(), "LIVE_TEST_CHILD=serve")
	cmd.ExtraFiles = []*os.File{self}
	cmd.Stderr = os.Stderr
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	return (&server{t: t, pid: cmd.Process.Pid}).connect(in, out)
}

// TestKernelSnapshotFixes: from a snapshot the same is offered, with a variable for the process.
func TestKernelSnapshotFixes(t *testing.T) {
	dir := tree(t)
	c := fixCases[0]
	s := c.start(t, dir)
	live := s.fixes(c.in(dir))
	p, err := Open(s.pid, Options{Merger: overlay.Merger{}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	w, err := p.World()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Gather(world.Gather{Depth: 2, Entries: 3000, Paths: []string{filepath.Join(dir, "d")}}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := w.WriteSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	in := &edits.Machine{PID: "$PID", Read: func() (*world.World, error) { return world.ReadSnapshot(bytes.NewReader(b.Bytes())) }}
	call, err := syscalls.Parse(syscalls.X8664, c.in(dir))
	if err != nil {
		t.Fatal(err)
	}
	found, err := fix.Find(in, bindLive, call)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(live) {
		t.Fatalf("%d fixes from the snapshot, %d from the process", len(found), len(live))
	}
	for i, f := range found {
		want := strings.Replace(live[i].Patch, dir, "/proc/$PID/root"+dir, 1)
		if f.Patch != want || f.Risk != live[i].Risk || !f.Verified {
			t.Errorf("%+v, want %q", f.Fix, want)
		}
	}
	if !slices.ContainsFunc(found, func(f fix.Found) bool { return f.Risk == story.Safe }) {
		t.Error("no fix is safe")
	}
}

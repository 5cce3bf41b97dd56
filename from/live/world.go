//go:build linux

package live

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"syscallstory/story"
	"syscallstory/world"
)

// initialNS are the inode numbers of the namespaces that the machine booted with (include/uapi/linux/nsfs.h); that of the network namespace
// has one since Linux 6.18.
var initialNS = [world.NumNSKinds]uint64{world.NetNS: 0xeffffff9, world.UTSNS: 0xeffffffe, world.IPCNS: 0xefffffff, world.PIDNS: 0xeffffffc, world.CgroupNS: 0xeffffffb, world.TimeNS: 0xeffffffa}

// World builds the world of the task as it was read.
func (p *Process) World() (*world.World, error) {
	w := world.New()
	p.o.Node.Apply(w)
	w.Subject = story.Subject{Kind: "process", Name: fmt.Sprintf("%d (%s)", p.pid, p.st.name)}
	p.users.into(w)
	b := &builder{World: w, p: p}
	b.credentials()
	b.seccomp()
	b.namespaces()
	if err := b.mounts(); err != nil {
		return nil, err
	}
	b.nsfs()
	b.unreached()
	if err := b.places(); err != nil {
		return nil, err
	}
	b.descriptors()
	b.namespaced()
	b.rest()
	return w, nil
}

// builder makes one world of a process.
type builder struct {
	*world.World
	p       *Process
	r       *reader
	supers  map[device]*superblock
	byID    map[int]*shown
	ns      map[nsKey]world.NamespaceID
	mountNS map[uint64]uint8      // other mount namespaces, by inode number
	foreign map[device]world.SBID // filesystems of descriptors that no mount of the namespace shows
}

// nsfs makes the filesystem that the links of /proc/PID/ns lead to.
func (b *builder) nsfs() {
	at := b.Text("nsfs")
	sb := b.FS.NewSB(world.SB{Type: "nsfs", Name: "nsfs", At: at, FlagsAt: at}, world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, At: at})
	b.NSMount = b.Attach(world.Path{}, world.Mount{NS: 1, SB: sb, Root: b.FS.SB(sb).Root, Source: "nsfs", Origin: at, Why: at})
}

// file is the Origin of a file of /proc/PID.
func (b *builder) file(name string) story.Origin {
	return b.Text(fmt.Sprintf("/proc/%d/%s", b.p.pid, name))
}

func (b *builder) credentials() {
	t, st := &b.Task, &b.p.st
	at := b.file("status")
	t.Cred = b.cred(st, b.p.user, at)
	if root, ok := b.UserNS[t.Cred.UserNS].UIDs.Down(0); ok && t.Cred.RUID == world.KUID(root) && t.Cred.EUID == t.Cred.RUID && t.Cred.Bounding != 0 && t.Cred.Ambient == 0 && t.Cred.Bounding&^t.Cred.Permitted == 0 {
		t.Cred.SecurebitsAt = b.Suppose("the process has set no securebits itself: it was executed without SECBIT_NOROOT, which would have taken root's capabilities", "")
	}
	t.Umask.At = b.Miss("the umask of the process is not known", "")
	if st.umask >= 0 {
		t.Umask = world.Given(uint16(st.umask), at)
	}
	t.Threads = world.Given(st.threads, at)
	t.FSUsers = world.Given(st.threads, b.Suppose("no other process shares root and working directory with the process (CLONE_FS)", ""))
	t.PID = last(st.nspid)
}

// cred turns the ids of a status file into those of the initial user namespace.
func (b *builder) cred(st *status, user int, at story.Origin) world.Cred {
	cr := world.Cred{Inheritable: world.CapSet(st.inh), Permitted: world.CapSet(st.prm), Effective: world.CapSet(st.eff), Bounding: world.CapSet(st.bnd), Ambient: world.CapSet(st.amb),
		NoNewPrivs: st.noNewPrivs, UserNS: world.UserNSID(user), UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at, NoNewAt: at}
	cr.SecurebitsAt = b.Miss("the securebits of another process are shown nowhere", "")
	outside := func(what string) story.Origin {
		return b.Miss(what+" of the process have no mapping in the user namespace that story runs in", "run outside of user namespaces")
	}
	var ok bool
	uid, gid := [4]uint32{}, [4]uint32{}
	for i := range uid {
		if uid[i], ok = b.p.users.kid(0, st.uid[i]); !ok {
			cr.UIDAt = outside("the user ids")
		}
		if gid[i], ok = b.p.users.kid(1, st.gid[i]); !ok {
			cr.GIDAt = outside("the group ids")
		}
	}
	cr.RUID, cr.EUID, cr.SUID, cr.FSUID = world.KUID(uid[0]), world.KUID(uid[1]), world.KUID(uid[2]), world.KUID(uid[3])
	cr.RGID, cr.EGID, cr.SGID, cr.FSGID = world.KGID(gid[0]), world.KGID(gid[1]), world.KGID(gid[2]), world.KGID(gid[3])
	for _, g := range st.groups {
		k, ok := b.p.users.kid(1, g)
		if !ok {
			cr.GroupsAt = outside("the supplementary groups")
			continue
		}
		cr.Groups = append(cr.Groups, world.KGID(k))
	}
	slices.Sort(cr.Groups)
	return cr
}

func (b *builder) seccomp() {
	s := &b.Task.Seccomp
	s.At = b.file("status")
	if err := b.p.secErr; err != nil {
		s.Mode, s.At = world.SeccompNotKnown, b.Miss("the filters of the process cannot be read: "+strings.TrimPrefix(err.Error(), fmt.Sprintf("process %d: ", b.p.pid)), "run as root")
		return
	}
	s.Mode = [...]world.SeccompMode{world.SeccompOff, world.SeccompStrict, world.SeccompFilters}[min(b.p.sec.Mode, 2)]
	at := b.Text("PTRACE_SECCOMP_GET_FILTER")
	for i, f := range b.p.sec.Filters {
		s.Filters = append(s.Filters, world.Filter{Name: fmt.Sprintf("filter %d of process %d", i, b.p.pid), Program: f.Program, At: at})
	}
}

func (b *builder) namespaces() {
	t := &b.Task
	b.ns = map[nsKey]world.NamespaceID{}
	for k := range world.NumNSKinds {
		t.NS[k] = b.namespace(k, b.p.ns[k])
		if f := b.p.kids[k]; f.err == nil && f.ino != 0 && f.ino != b.p.ns[k].ino {
			t.Children[k] = b.namespace(k, f)
		}
		if !b.Namespaces[t.NS[k]].Initial {
			continue
		}
		switch k {
		case world.NetNS:
			t.Shares |= world.SharesNet
		case world.PIDNS:
			t.Shares |= world.SharesPID
		case world.IPCNS:
			t.Shares |= world.SharesIPC
		}
	}
}

// nsKey names a namespace; inode numbers are unique among all kinds.
type nsKey struct {
	kind world.NSKind
	ino  uint64
}

// namespace adds a namespace, with the ancestors of one of processes.
func (b *builder) namespace(k world.NSKind, f nsFact) world.NamespaceID {
	if id, ok := b.ns[nsKey{k, f.ino}]; ok && f.err == nil {
		return id
	}
	n := world.Namespace{Kind: k, Owner: world.UserNSID(f.owner), Name: fmt.Sprintf("%s:[%d]", k, f.ino), At: b.file("ns/" + nsNames[k])}
	if f.err != nil {
		n.At = b.Miss(fmt.Sprintf("the %s namespace of the process cannot be read: %v", k, f.err), "run as root")
		return b.AddNamespace(n)
	}
	n.Initial = f.ino == initialNS[k]
	if k == world.NetNS && !n.Initial { // before Linux 6.18
		var own, first unix.Stat_t
		n.Initial = unix.Stat("/proc/self/ns/pid", &own) == nil && own.Ino == initialNS[world.PIDNS] && unix.Stat("/proc/1/ns/net", &first) == nil && first.Ino == f.ino && f.owner == 0
	}
	if f.up != nil {
		n.Parent = b.namespace(k, *f.up)
	}
	id := b.AddNamespace(n)
	b.ns[nsKey{k, f.ino}] = id
	return id
}

// places finds the root and the working directory.
func (b *builder) places() (err error) {
	t := &b.Task
	if t.Root, err = b.place("root"); err != nil {
		return err
	}
	t.CwdAt = b.file("cwd")
	if t.Cwd, err = b.place("cwd"); err != nil {
		return err
	}
	t.Exe, _ = b.place("exe") // it may not be readable
	return nil
}

// place finds where a link of /proc/PID leads in the world. What lies on the way to it is read too.
func (b *builder) place(link string) (world.Path, error) {
	fd, err := unix.Openat(int(b.p.dir.Fd()), link, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return world.Path{}, b.p.fail("read its "+link, err)
	}
	defer unix.Close(fd)
	text, ok := b.p.view.links[link]
	if !ok {
		return world.Path{}, b.p.fail("read its "+link, unix.EACCES)
	}
	return b.leads(fd, text, link, true)
}

// leads finds a descriptor in the world, and says what the link was that has led to it. What no mount of the world shows is added with more.
func (b *builder) leads(fd int, text, link string, more bool) (world.Path, error) {
	id, err := mountID(fd)
	if err != nil {
		return world.Path{}, err
	}
	elsewhere := func() (world.Path, error) {
		if !more {
			return world.Path{}, fmt.Errorf("it is %q", text)
		}
		return b.elsewhere(fd, text)
	}
	m := b.byID[id]
	if m == nil || !strings.HasPrefix(text, "/") {
		return elsewhere()
	}
	at, found := b.within(m, text)
	if found && b.same(at.Dentry, fd) {
		return at, nil
	}
	// It was removed, or renamed since the link was read.
	name, removed := strings.CutSuffix(text, " (deleted)")
	if removed {
		if at, found := b.within(m, parent(name)); found {
			ino, err := b.inode(fd, m, link)
			if err != nil {
				return world.Path{}, err
			}
			if ino.Is(world.TypeDir) {
				ino.Attr |= world.AttrRemoved
				ino.Whole = true
			}
			return world.Path{Mount: at.Mount, Dentry: b.FS.AddUnnamed(at.Dentry, base(name), ino)}, nil
		}
	}
	return elsewhere()
}

func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i > 0 {
		return p[:i]
	}
	return "/"
}

func base(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// within finds a path of the mount namespace on the mount that it is known to lie on.
func (b *builder) within(m *shown, text string) (world.Path, bool) {
	rel, ok := strings.CutPrefix(text, strings.TrimSuffix(m.point, "/"))
	if !ok || rel != "" && rel[0] != '/' {
		return world.Path{}, false
	}
	d := b.Mounts[m.world].Root
	for name := range strings.SplitSeq(rel, "/") {
		if name == "" {
			continue
		}
		var st world.State
		if d, st = b.FS.Lookup(d, name); st == world.Absent {
			return world.Path{}, false
		}
	}
	return world.Path{Mount: m.world, Dentry: d}, true
}

// same reports whether a name of the world is what a descriptor leads to, as far as can be told.
func (b *builder) same(d world.DentryID, fd int) bool {
	ino := b.FS.I(d)
	var st unix.Stat_t
	if ino.Known&world.KnownType == 0 || unix.Fstat(fd, &st) != nil {
		return true
	}
	return uint32(ino.Mode) == st.Mode && (st.Nlink > 0 || ino.Is(world.TypeDir) && ino.Nlink == 0)
}

// inode reads the inode of a descriptor on a mount.
func (b *builder) inode(fd int, m *shown, what string) (world.Inode, error) {
	s := b.supers[m.dev]
	ino, _, err := inodeOf(s.src, fd, m)
	if err != nil {
		return ino, err
	}
	ino.SB, ino.At = s.id, b.file(what)
	return ino, nil
}

// elsewhere makes a place that no mount of the namespace shows: a pipe, a socket, a file of another mount namespace.
func (b *builder) elsewhere(fd int, text string) (world.Path, error) {
	src := &super{r: b.r}
	ino, id, err := inodeOf(src, fd, &shown{mountLine: &mountLine{}})
	if err != nil {
		return world.Path{}, err
	}
	ino.At = b.Text("statx of " + text)
	if strings.HasPrefix(text, "pidfd:") || text == "anon_inode:[pidfd]" { // anon_inode_getattr hides what pidfs has there
		ino.Known &^= world.KnownType
	}
	dev := device{id.major, id.minor}
	sb, ok := b.foreign[dev]
	if !ok {
		typ, _, found := strings.Cut(text, ":")
		at := ino.At
		if strings.HasPrefix(text, "/memfd:") { // on the kernel's own mount of tmpfs
			typ = "tmpfs"
		} else if !found || strings.HasPrefix(text, "/") {
			typ = "unknown"
			at = b.Miss(fmt.Sprintf("the mount of %q is not in the process's mount namespace", text), "")
		}
		root := world.Inode{Mode: world.TypeDir, Known: world.KnownType, At: at}
		sb = b.FS.NewSB(world.SB{Type: typ, Name: typ, At: at, FlagsAt: at}, root)
		b.foreign[dev] = sb
		b.Attach(world.Path{}, world.Mount{NS: 1, SB: sb, Root: b.FS.SB(sb).Root, Point: text, Source: typ, Origin: at, Why: at, Unsure: unsure(at)})
	}
	for i := range b.Mounts {
		if b.Mounts[i].SB == sb {
			ino.SB = sb
			return world.Path{Mount: world.MountID(i), Dentry: b.FS.AddUnnamed(b.FS.SB(sb).Root, text, ino)}, nil
		}
	}
	return world.Path{}, fmt.Errorf("%q leads nowhere", text)
}

func unsure(at story.Origin) world.MountFlags {
	if at.Known() {
		return 0
	}
	return 0xff
}

// rest fills in what else decides calls.
func (b *builder) rest() {
	t := &b.Task
	if d := b.p.dev; d.err != nil {
		t.Devices.At = b.Miss(fmt.Sprintf("what the devices cgroup of the process allows is not known: %v", d.err), d.need)
	} else {
		t.Devices = world.Devices{All: d.all, Rules: d.rules, At: b.Text(d.from)}
	}
	if !b.Lockdown.Known() {
		b.Lockdown = b.lockdown()
	}
	for _, l := range b.p.labels {
		if b.LSMs.Known() && !slices.Contains(b.LSMs.V, l.Module) {
			continue
		}
		l.At = b.file("attr/current")
		t.Labels = append(t.Labels, l)
	}
	b.cgroups()
	b.selinux()
	switch {
	case b.LSMs.Known() && !slices.Contains(b.LSMs.V, "landlock"):
	default:
		t.LandlockAt = b.Suppose("no Landlock ruleset is in force for the process: none can be seen from outside", "")
	}
	if o := b.p.Others(); len(o) > 0 {
		b.Findings = append(b.Findings, story.Finding{Severity: "note", Text: fmt.Sprintf("threads %s of the process have other credentials or filters: name one with --pid", strings.Trim(fmt.Sprint(o), "[]"))})
	}
	b.Manager = world.Given(b.p.manager(), b.file("cgroup"))
	b.processes()
	b.r.jump = b.jump
	if b.p.st.tracer != 0 {
		b.Findings = append(b.Findings, story.Finding{Severity: "note", Text: fmt.Sprintf("process %d traces it and may change its calls", b.p.st.tracer)})
	}
}

// openFlags turns the flags of an open file into x86_64's numbers, which the world has them in.
func openFlags(f uint64) uint64 {
	if runtime.GOARCH != "arm64" {
		return f
	}
	const direct, largefile, directory, nofollow = 0o200000, 0o400000, 0o40000, 0o100000
	out := f &^ (direct | largefile | directory | nofollow)
	for _, pair := range [][2]uint64{{direct, 0o40000}, {largefile, 0o100000}, {directory, 0o200000}, {nofollow, 0o400000}} {
		if f&pair[0] != 0 {
			out |= pair[1]
		}
	}
	return out
}

// lockdown reads the mode of lockdown, which stands in brackets.
func (b *builder) lockdown() world.Fact[string] {
	const file = "/sys/kernel/security/lockdown"
	text, err := os.ReadFile(file)
	_, mode, ok := strings.Cut(string(text), "[")
	mode, _, also := strings.Cut(mode, "]")
	if err != nil || !ok || !also {
		return world.Fact[string]{At: b.Miss("the mode of lockdown is not known: "+file+" cannot be read", "mount securityfs, or run as root")}
	}
	return world.Given(mode, b.Text(file))
}

package selinux

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const selinuxfs = "/sys/fs/selinux"

// TestLoadedPolicy loads policies into the kernel and asks it what the model has answered: permissions, labels of new objects
// with and without names, changes and members, contexts, validatetrans. It is for the machines of the lab only.
func TestLoadedPolicy(t *testing.T) {
	list := os.Getenv("STORY_SELINUX_LOAD")
	if list == "" {
		t.Skip("it loads policies into the running kernel, and so runs in the lab only, by TestKernelLabSELinux there")
	}
	if _, err := os.Stat(selinuxfs + "/load"); err != nil {
		if err := unix.Mount("selinuxfs", selinuxfs, "selinuxfs", 0, ""); err != nil {
			t.Fatalf("selinuxfs: %v", err)
		}
	}
	for n, path := range strings.Split(list, ",") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			p := parse(t, data)
			load, err := os.OpenFile(selinuxfs+"/load", os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = load.Write(data)
			load.Close()
			if err != nil {
				t.Fatalf("the kernel does not take the policy: %v", err)
			}
			k := &kernel{t: t, p: p, d: newDrawer(p), first: n == 0}
			k.classes()
			k.everyClass()
			k.access(asked(600))
			k.labels(asked(300))
			k.contexts(asked(200))
			k.transitions(asked(100))
			k.mounts()
		})
	}
}

// kernel compares a policy with the kernel that has loaded it.
type kernel struct {
	t     *testing.T
	p     *Policy
	d     *drawer
	wrong int
	first bool // the first policy since the machine has booted
}

// ask writes a question to a file of selinuxfs and reads its answer.
func (k *kernel) ask(file, question string) (string, error) {
	f, err := os.OpenFile(selinuxfs+"/"+file, os.O_RDWR, 0)
	if err != nil {
		k.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(question); err != nil {
		return "", err
	}
	var b [8192]byte
	n, err := f.Read(b[:])
	return strings.TrimRight(string(b[:max(n, 0)]), "\x00"), err
}

func (k *kernel) differs(format string, args ...any) {
	k.t.Helper()
	if k.wrong++; k.wrong < 10 {
		k.t.Errorf(format, args...)
	}
}

// classes compares the numbers of classes and permissions.
func (k *kernel) classes() {
	for i := range k.p.classes.list {
		c := &k.p.classes.list[i]
		text, err := os.ReadFile(filepath.Join(selinuxfs, "class", c.name, "index"))
		if err != nil || strings.TrimSpace(string(text)) != fmt.Sprint(i+1) {
			k.differs("class %s is %d, the kernel says %s, %v", c.name, i+1, text, err)
		}
		for n, perm := range c.perms {
			text, err := os.ReadFile(filepath.Join(selinuxfs, "class", c.name, "perms", perm))
			if err != nil || strings.TrimSpace(string(text)) != fmt.Sprint(n+1) {
				k.differs("permission %s of %s is %d, the kernel says %s, %v", perm, c.name, n+1, text, err)
			}
		}
	}
}

// everyClass asks for a new object of each class, as sockets and processes are labelled in another way than the rest.
func (k *kernel) everyClass() {
	s, t := k.d.label(k.d.anyType()), k.d.label(k.d.anyType())
	for i := range k.p.classes.list {
		question := fmt.Sprintf("%s %s %d", k.p.Text(s), k.p.Text(t), i+1)
		answer, err := k.ask("create", question)
		if got, _ := k.p.Create(s, t, Class(i+1), ""); err != nil || answer != k.p.Text(got.Label) {
			k.differs("create %s of %s: %s, the kernel says %q, %v", k.p.classes.list[i].name, question, k.p.Text(got.Label), answer, err)
		}
	}
}

func (k *kernel) access(n int) {
	granted, cut := 0, 0
	for range n {
		s, t, c := k.d.question()
		got := k.p.Decide(s, t, c)
		flags := 0
		if got.Permissive {
			flags |= 1
		}
		if got.NeverAudit {
			flags |= 2
		}
		question := fmt.Sprintf("%s %s %d", k.p.Text(s), k.p.Text(t), c)
		answer, err := k.ask("access", question)
		var allowed, decided, auditallow, auditdeny, seqno, kflags uint32
		fmt.Sscanf(answer, "%x %x %x %x %d %x", &allowed, &decided, &auditallow, &auditdeny, &seqno, &kflags)
		if err != nil || allowed != got.Allowed || auditallow != got.AuditAllow || auditdeny != got.AuditDeny || int(kflags) != flags {
			k.differs("%s: %x %x %x %x, the kernel says %q, %v", question, got.Allowed, got.AuditAllow, got.AuditDeny, flags, answer, err)
		}
		if got.Allowed != 0 {
			granted++
		}
		if k.p.withoutLimits(s, t, c)&^got.Allowed != 0 {
			cut++
		}
	}
	k.t.Logf("%d questions about permissions: %d were granted some, %d lost some to constraints, roles or bounds", n, granted, cut)
}

func (k *kernel) labels(n int) {
	named, invalid := 0, 0
	var keys []nameKey
	for key := range k.p.names {
		if keys = append(keys, key); len(keys) > 2000 {
			break
		}
	}
	for range n {
		s, t, c := k.d.question()
		kind, file, name := ruleTransition, "create", ""
		switch k.d.r.IntN(6) {
		case 0:
			kind, file = ruleChange, "relabel"
		case 1:
			kind, file = ruleMember, "member"
		case 2, 3:
			if len(keys) > 0 {
				key := keys[k.d.r.IntN(len(keys))]
				name, c, t = key.name, Class(key.class), k.d.label(key.target)
				for src := range k.p.names[key][0].sources.all() {
					s = k.d.label(src + 1)
				}
				named++
			}
		case 4:
			for key := range k.p.ranges {
				s, t, c = k.d.label(key.src), k.d.label(key.tgt), Class(key.class)
				break
			}
		}
		question := fmt.Sprintf("%s %s %d", k.p.Text(s), k.p.Text(t), c)
		if name != "" {
			question += " " + escaped(name)
		}
		answer, err := k.ask(file, question)
		got, mine := k.p.newLabel(s, t, uint16(c), kind, name)
		// A permissive kernel makes labels that are not valid, and says so in its log only.
		want := k.p.Text(got.Label)
		if mine != nil {
			invalid++
		}
		if (err != nil || answer != want) && (err == nil || mine == nil) {
			k.differs("%s %s: %s, %v; the kernel says %q, %v", file, question, want, mine, answer, err)
		}
	}
	k.t.Logf("%d labels: %d by name, %d not valid", n, named, invalid)
}

// escaped writes a name as sel_write_create reads it.
func escaped(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; c == '%' || c == '+' || c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// contexts compares which texts are contexts.
func (k *kernel) contexts(n int) {
	valid := 0
	for range n {
		l := k.d.label(k.d.anyType())
		text := k.p.Text(l)
		switch k.d.r.IntN(5) {
		case 0:
			other := k.d.label(k.d.anyType())
			other.user, other.rng = l.user, l.rng
			text = k.p.Text(other)
		case 1:
			l.role = uint32(k.d.r.IntN(len(k.p.roles.list))) + 1
			text = k.p.Text(l)
		case 2:
			parts := []string{"s0", "s1", "s0:c0.c3", "s0:c3.c1", "s0:c1,c1", "s0-s1", "s1-s0", "s0:c1-s0", "s0:", "s0:c0.", "s0:c9", "s0:c2000", "", "s0:c1.c1", "s0-s0:c0.c1023", "s0:c1:c2", "x"}
			c, _, _ := split(text)
			text = c.User + ":" + c.Role + ":" + c.Type + ":" + parts[k.d.r.IntN(len(parts))]
		case 3:
			text = strings.Replace(text, ":", "", 1+k.d.r.IntN(2))
		}
		got, err := k.p.Label(text)
		answer, kerr := k.ask("context", text)
		if err == nil {
			valid++
		}
		if (err == nil) != (kerr == nil) || err == nil && answer != k.p.Text(got) {
			k.differs("context %q: %s, %v; the kernel says %q, %v", text, k.p.Text(got), err, answer, kerr)
		}
	}
	k.t.Logf("%d contexts, %d of them valid", n, valid)
}

// transitions compares validatetrans, which answers by whether the write succeeds.
func (k *kernel) transitions(n int) {
	refused := 0
	for range n {
		a, b, task := k.d.label(k.d.anyType()), k.d.label(k.d.anyType()), k.d.label(k.d.anyType())
		c := Class(k.d.r.IntN(len(k.p.classes.list)) + 1)
		for i := range k.p.classes.list {
			if len(k.p.classes.list[i].transitions) > 0 && k.d.r.IntN(3) == 0 {
				c = Class(i + 1)
			}
		}
		question := fmt.Sprintf("%s %s %d %s", k.p.Text(a), k.p.Text(b), c, k.p.Text(task))
		ok, why := k.p.Transition(a, b, task, c)
		f, err := os.OpenFile(selinuxfs+"/validatetrans", os.O_WRONLY, 0)
		if err != nil {
			k.t.Fatal(err)
		}
		_, err = f.WriteString(question)
		f.Close()
		if !ok {
			refused++
		}
		if ok != (err == nil) {
			k.differs("validatetrans %s: %v %s, the kernel says %v", question, ok, why, err)
		}
	}
	k.t.Logf("%d transitions of labels, %d refused", n, refused)
}

// mounts mounts filesystems with labels of options, makes files, and compares the labels that they have got.
func (k *kernel) mounts() {
	text, err := os.ReadFile("/proc/self/attr/current")
	if err != nil {
		k.t.Fatal(err)
	}
	task, err := k.p.Label(strings.TrimRight(string(text), "\x00\n"))
	if err != nil {
		k.t.Fatal(err)
	}
	dir := k.t.TempDir()
	labels := func() Label { return k.d.label(k.d.anyType()) }
	mounted := 0
	for n := range 40 {
		fs := []string{"tmpfs", "tmpfs", "ramfs", "proc", "sysfs"}[n%5]
		var o MountOptions
		var options []string
		for i, name := range []string{"context", "fscontext", "defcontext", "rootcontext"} {
			if k.d.r.IntN(4) != 0 {
				continue
			}
			l := labels()
			*[]*Label{&o.Context, &o.FSContext, &o.DefContext, &o.RootContext}[i] = l
			options = append(options, fmt.Sprintf("%s=%q", name, k.p.Text(l)))
		}
		what := fs + " " + strings.Join(options, ",")
		if (fs == "proc" || fs == "sysfs") && (len(options) > 0 || !k.first) {
			continue // their superblock is there already, with labels of the first policy that must not change
		}
		s, want := k.p.Mount(fs, o)
		err := unix.Mount("none", dir, fs, 0, strings.Join(options, ","))
		if (want == nil) != (err == nil) || err != nil && err != unix.EINVAL {
			k.differs("mount %s: %v, the kernel says %v", what, want, err)
		}
		if err != nil {
			continue
		}
		k.files(dir, what, fs, s, task)
		unix.Unmount(dir, 0)
		mounted++
	}
	k.t.Logf("%d mounts", mounted)
}

// files compares the labels of a mount's root and of what is made in it.
func (k *kernel) files(dir, what, fs string, s *Superblock, task Label) {
	root := s.Root(task, "")
	check := func(path string, want Label) {
		var b [4096]byte
		n, err := unix.Lgetxattr(path, "security.selinux", b[:])
		if got := strings.TrimRight(string(b[:max(n, 0)]), "\x00"); err != nil || got != k.p.Text(want) {
			k.differs("%s: %s has %q, %v, and %s is expected", what, path, got, err, k.p.Text(want))
		}
	}
	check(dir, root)
	if fs == "proc" || fs == "sysfs" {
		for _, name := range map[string][]string{"proc": {"/version", "/sys/kernel"}, "sysfs": {"/kernel", "/kernel/mm", "/devices"}}[fs] {
			class := "dir"
			if name == "/version" {
				class = "file"
			}
			check(dir+name, s.Existing(task, name, class, ""))
		}
		return
	}
	for name, class := range map[string]string{"f": "file", "secret": "file", "d": "dir"} {
		c, _ := k.p.Class(class)
		made, want := s.New(task, root, Label{}, c, name)
		path := filepath.Join(dir, name)
		var err error
		if class == "dir" {
			err = os.Mkdir(path, 0o700)
		} else {
			err = os.WriteFile(path, nil, 0o600)
		}
		if want != nil || err != nil {
			continue // a permissive kernel makes labels that are not valid
		}
		check(path, made.Label)
	}
}

package selinux

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMalformed cuts a policy at every place and changes every byte: an error with section and offset, or a policy that can be
// asked.
func TestMalformed(t *testing.T) {
	data, err := os.ReadFile(compile(t, 33))
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(data); n += 3 {
		_, err := Parse(data[:n])
		var e *PolicyError
		if !errors.As(err, &e) || e.Offset > n || e.Section == "" {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	taken := 0
	for n := range data {
		for _, v := range []byte{0xff, byte(r.Uint32())} {
			bad := append([]byte(nil), data...)
			bad[n] = v
			if p, err := Parse(bad); err == nil {
				taken++
				exercise(p, r, 1)
			}
		}
	}
	t.Logf("%d of %d changed policies are taken", taken, 2*len(data))
}

// exercise asks a policy everything.
func exercise(p *Policy, r *rand.Rand, n int) {
	d := &drawer{p, r}
	real := false
	for i := range p.types.list {
		real = real || p.isType(uint32(i+1)) && !p.types.list[i].attribute
	}
	if !real || len(p.classes.list) == 0 || len(p.users.list) == 0 || len(p.roles.list) == 0 || p.mls && (len(p.categories.list) == 0 || len(p.sensitivities.list) == 0) {
		return
	}
	for range n {
		s, t, c := d.question()
		if p.invalid(&s) != "" || p.invalid(&t) != "" {
			continue
		}
		p.Decide(s, t, c)
		x := Extended(r.Uint32())
		names := p.PermNames(c)
		if len(names) > 0 {
			p.Explain(Question{s, t, p.classes.at(uint32(c)).name, names[r.IntN(len(names))], &x})
		}
		p.Create(s, t, c, "secret")
		p.Transition(s, t, s, c)
		p.Text(s)
	}
	p.GenFS("proc", "/x", "file")
	p.Filesystem("tmpfs")
	p.Port(6, 80)
	p.Node(netip.MustParseAddr("127.0.0.1"))
	p.Netif("eth0")
	p.Booleans()
	p.Capabilities()
}

// TestHostile gives counts that a reader must not believe.
func TestHostile(t *testing.T) {
	data, err := os.ReadFile(compile(t, 33))
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n+4 <= len(data); n += 2 {
		for _, v := range []uint32{0xffffffff, 0x7fffffff, 0xffff} {
			bad := append([]byte(nil), data...)
			binary.LittleEndian.PutUint32(bad[n:], v)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			Parse(bad)
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 20<<20 {
				t.Errorf("%#x at %d takes %d MB", v, n, grown>>20)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("%#x at %d takes %v", v, n, d)
			}
		}
	}
	if _, err := Parse(make([]byte, MaxPolicySize+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a huge policy: %v", err)
	}
}

// TestNewerVersions turns a policy of version 33 into 34 and 35, which Debian's tools do not write yet.
func TestNewerVersions(t *testing.T) {
	data, err := os.ReadFile(compile(t, 33))
	if err != nil {
		t.Fatal(err)
	}
	old := parse(t, data)
	next := append([]byte(nil), data...)
	binary.LittleEndian.PutUint32(next[16:], 34)
	if p := parse(t, next); p.Version() != 34 || len(p.te.rules) != len(old.te.rules) {
		t.Errorf("version %d, %d rules", p.Version(), len(p.te.rules))
	}
	// 35 has one more set behind that of permissive types.
	r := &reader{text: string(data), section: "header"}
	(&Policy{}).readHeader(r)
	if r.err != nil {
		t.Fatal(r.err)
	}
	quiet := old.types.byName["container_t"]
	set := binary.LittleEndian.AppendUint32(nil, 64)
	set = binary.LittleEndian.AppendUint32(set, 64)
	set = binary.LittleEndian.AppendUint32(set, 1)
	set = binary.LittleEndian.AppendUint32(set, 0)
	set = binary.LittleEndian.AppendUint64(set, 1<<quiet)
	next = append(append(append([]byte(nil), data[:r.off]...), set...), data[r.off:]...)
	binary.LittleEndian.PutUint32(next[16:], 35)
	p := parse(t, next)
	s, tgt := p.MustLabel("system_u:system_r:container_t:s0"), p.MustLabel("system_u:object_r:shadow_t:s0")
	c, _ := p.Class("file")
	if d := p.Decide(s, tgt, c); !d.NeverAudit || p.Version() != 35 {
		t.Errorf("version %d, %+v", p.Version(), d)
	}
	if _, err := Parse(append(append([]byte(nil), next[:16]...), append([]byte{36, 0, 0, 0}, next[20:]...)...)); err == nil || !strings.Contains(err.Error(), "version 36") {
		t.Errorf("version 36: %v", err)
	}
}

// TestConditionalExtended puts an extended rule into the first conditional, which a policy of version 34 may have.
func TestConditionalExtended(t *testing.T) {
	data, err := os.ReadFile(compile(t, 33))
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(data[16:], 34)
	old := parse(t, data)
	p, r := &Policy{}, &reader{text: string(data), section: "header"}
	p.readHeader(r)
	p.readCommons(r)
	p.readClasses(r)
	p.readRoles(r)
	p.readTypes(r)
	p.readUsers(r)
	p.readBooleans(r)
	p.readSensitivities(r)
	p.readCategories(r)
	p.readRules(r)
	conds, _ := r.u32(), r.u32()
	expr := p.readCondExpr(r)
	if r.err != nil || conds == 0 {
		t.Fatal(r.err)
	}
	text, names := old.conditionText(expr)
	c, _ := old.Class("chr_file")
	item := binary.LittleEndian.AppendUint16(nil, uint16(old.types.byName["perm_t"]))
	item = binary.LittleEndian.AppendUint16(item, uint16(old.types.byName["dev_t"]))
	item = binary.LittleEndian.AppendUint16(item, uint16(c))
	item = binary.LittleEndian.AppendUint16(item, uint16(ruleAllowX))
	item = append(item, xpermFunction, 0x54)
	item = append(item, 2) // 0x5401
	item = append(item, make([]byte, 31)...)
	next := append(append(append([]byte(nil), data[:r.off+4]...), item...), data[r.off+4:]...)
	binary.LittleEndian.PutUint32(next[r.off:], binary.LittleEndian.Uint32(data[r.off:])+1)
	q := parse(t, next)
	s, tgt := q.MustLabel("system_u:system_r:perm_t:s0"), q.MustLabel("system_u:object_r:dev_t:s0")
	for _, on := range []bool{false, true} {
		states := map[string]bool{}
		for _, n := range names {
			states[n] = on
		}
		set, err := q.WithBooleans(states)
		if err != nil {
			t.Fatal(err)
		}
		holds := set.condition(expr)
		want := ExtendedDecision{Rules: holds, Allowed: holds}
		if got := set.DecideExtended(s, tgt, c, "ioctl", 0x5401); got != want {
			t.Errorf("%s is %v: %+v, want %+v", text, holds, got, want)
		}
		if got := set.DecideExtended(s, tgt, c, "ioctl", 0x5402); got.Allowed || got.Rules != holds {
			t.Errorf("%s is %v: another command: %+v", text, holds, got)
		}
	}
	binary.LittleEndian.PutUint32(next[16:], 33)
	if _, err := Parse(next); err == nil || !strings.Contains(err.Error(), "extended permissions of a conditional rule in a policy of version 33") {
		t.Errorf("in version 33: %v", err)
	}
}

func TestObjects(t *testing.T) {
	p := every(t, 33)
	text := func(l Label, ok bool) string {
		if !ok {
			return "none"
		}
		return p.Text(l)
	}
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	check("unlabeled", text(p.InitialSID("unlabeled")), "system_u:object_r:unlabeled_t:s0")
	check("no sid", text(p.InitialSID("devnull")), "none")
	check("tcp 80", text(p.Port(6, 80)), "system_u:object_r:port_t:s0")
	check("udp 8500", text(p.Port(17, 8500)), "system_u:object_r:port_t:s0")
	check("tcp 81", text(p.Port(6, 81)), "none") // the policy has no initial SID port
	check("node", text(p.Node(netip.MustParseAddr("127.0.0.1"))), "system_u:object_r:unlabeled_t:s0")
	check("node 6", text(p.Node(netip.MustParseAddr("::1"))), "system_u:object_r:unlabeled_t:s0")
	check("no node", text(p.Node(netip.MustParseAddr("::2"))), "none")
	check("sysfs", text(p.GenFS("sysfs", "/kernel/debug", "dir")), "system_u:object_r:fs_t:s0")
	check("sysfs, prefix of a name", text(p.GenFS("sysfs", "/kernelx", "dir")), "system_u:object_r:fs_t:s0")
	check("sysfs, else", text(p.GenFS("sysfs", "/devices", "dir")), "system_u:object_r:unlabeled_t:s0")
	check("no genfs", text(p.GenFS("nfs", "/", "dir")), "none")
	for name, want := range map[string]string{"ext4": "xattr", "tmpfs": "trans", "pipefs": "task", "proc": "genfs", "nfs": "none"} {
		by, l := p.Filesystem(name)
		check(name, by.String(), want)
		if !l.IsValid() {
			t.Errorf("%s has no label", name)
		}
	}
	dev, packets, ok := p.Netif("eth0")
	check("eth0", text(dev, ok), text(packets, ok))
	if len(p.objects[objectPkey]) != 1 || p.objects[objectPkey][0].prefix != 0xfe80<<48 || p.objects[objectPkey][0].c != 0x10 || p.objects[objectEndport][0].name != "mlx4_0" {
		t.Errorf("InfiniBand: %+v %+v", p.objects[objectPkey], p.objects[objectEndport])
	}
}

func TestWildcard(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{{"*", "", true}, {"/a*", "/abc", true}, {"/a?c", "/abc", true}, {"/a?c", "/ac", false}, {"*/x", "/a/x/x", true}, {"*/x", "/a/xy", false}, {"/a", "/ab", false}, {"a*b*c", "aXbYbZc", true}} {
		if wildcard(c.pattern, c.s) != c.want {
			t.Errorf("%s and %s", c.pattern, c.s)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	for _, v := range []int{24, 28, 33} {
		data, err := os.ReadFile(compile(f, v))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := Parse(data); err == nil {
			exercise(p, rand.New(rand.NewPCG(5, 6)), 5)
		}
	})
}

package selinux

import (
	"math/bits"
	"strings"
	"testing"
)

// TestWhy asks the small policy; what is expected was written down from its rules.
func TestWhy(t *testing.T) {
	p := every(t, 33)
	const (
		pod   = "system_u:system_r:container_t:s0:c1,c2"
		init_ = "system_u:system_r:init_t:s0"
		spc   = "system_u:system_r:spc_t:s0"
	)
	cmd := func(n Extended) *Extended { return &n }
	for _, c := range []struct {
		source, target, class, perm string
		command                     *Extended
		allowed                     bool
		reason                      Reason
		logged                      bool
		text, fix                   string
	}{
		{pod, "system_u:object_r:container_file_t:s0:c1,c2", "file", "read", nil, true, ByRule, false, "allow container_t container_file_t:file {", ""},
		{pod, "system_u:object_r:container_file_t:s0", "file", "read", nil, true, ByRule, false, "allow container_t", ""},
		{pod, "system_u:object_r:container_file_t:s0:c3", "file", "read", nil, false, ByConstraint, true, "h1 dom h2 or t1 != mcs_constrained; categories c3 are missing", "chcon -l s0:c1,c2"},
		{pod, "system_u:object_r:container_file_t:s0:c5", "file", "read", nil, false, ByConstraint, true, "categories c5 are missing", "chcon -l s0:c1,c2"},
		{pod, "system_u:object_r:container_file_t:s0:c5", "file", "getattr", nil, true, ByRule, false, "", ""},
		{pod, "system_u:object_r:shadow_t:s0", "file", "read", nil, false, ByNoRule, false, "no rule allows container_t to read a file of shadow_t", "(allow container_t shadow_t (file (read)))"},
		{pod, "system_u:object_r:shadow_t:s0", "file", "write", nil, false, ByNoRule, true, "", "(allow container_t shadow_t (file (write)))"},
		{pod, "system_u:object_r:shadow_t:s0:c7", "file", "write", nil, false, ByNoRule, true, "", ""}, // a rule would not help
		{spc, "system_u:object_r:shadow_t:s0", "file", "read", nil, true, ByRule, true, "allow spc_t files:file", ""},
		{pod, "system_u:object_r:dev_t:s0", "chr_file", "read", nil, false, ByBoolean, false, "its condition container_use_dev does not hold", "setsebool -P container_use_dev on"},
		{spc, "system_u:object_r:dev_t:s0", "chr_file", "read", nil, true, ByRule, true, "allow spc_t dev_t:chr_file read", ""},
		{init_, pod, "process", "transition", nil, false, ByConstraint, true, "h1 dom h2", "level"},
		{"system_u:system_r:init_t:s0:c1,c2", pod, "process", "transition", nil, true, ByRule, false, "", ""},
		{"user_u:user_r:init_t:s0", "system_u:system_r:container_t:s0", "process", "transition", nil, false, ByConstraint, true, "u1 == u2", ""},
		{pod, "system_u:object_r:dev_t:s0", "chr_file", "ioctl", nil, true, ByRule, false, "", ""},
		{pod, "system_u:object_r:dev_t:s0", "chr_file", "ioctl", cmd(0x5402), true, ByRule, false, "allowxperm container_t dev_t:chr_file ioctl { 0x5400-0x54ff 0x6000-0x62ff }", ""},
		{pod, "system_u:object_r:dev_t:s0", "chr_file", "ioctl", cmd(0x5401), true, ByRule, true, "", ""},
		{pod, "system_u:object_r:dev_t:s0", "chr_file", "ioctl", cmd(0x6123), true, ByRule, false, "0x6000-0x62ff", ""},
		{pod, "system_u:object_r:dev_t:s0", "chr_file", "ioctl", cmd(0x1240), true, ByRule, false, "ioctl { 0x1200-0x1230 0x1240 }", ""},
		{pod, "system_u:object_r:dev_t:s0", "chr_file", "ioctl", cmd(0x1231), false, ByExtended, true, "0x1231", ""},
		{pod, "system_u:object_r:dev_t:s0", "chr_file", "ioctl", cmd(0x1234), false, ByExtended, false, "", ""},
		{pod, "system_u:object_r:dev_t:s0", "chr_file", "ioctl", cmd(0x8000), false, ByExtended, true, "", ""},
		{spc, "system_u:object_r:dev_t:s0", "chr_file", "ioctl", cmd(0x5401), false, ByExtended, false, "", ""}, // a dontaudit rule makes commands count
		{"system_u:system_r:container_child_t:s0", "system_u:object_r:container_file_t:s0", "file", "relabelfrom", nil, false, ByBounds, true, "bounded by container_t", ""},
		{"system_u:system_r:container_child_t:s0", "system_u:object_r:container_file_t:s0", "file", "write", nil, true, ByRule, false, "", ""},
		{pod, "system_u:object_r:container_file_t:s0", "file", "fly", nil, true, ByUnknown, false, "does not define permission fly of class file", ""},
		{pod, "system_u:object_r:container_file_t:s0", "io_uring", "sqpoll", nil, true, ByUnknown, false, "does not define class io_uring", ""},
		{pod, pod, "process", "fork", nil, true, ByRule, false, "allow container_t container_t:process", ""},
	} {
		w, err := p.Explain(Question{p.MustLabel(c.source), p.MustLabel(c.target), c.class, c.perm, c.command})
		if err != nil {
			t.Error(err)
			continue
		}
		if w.Allowed != c.allowed || w.Reason != c.reason || w.Logged != c.logged || !strings.Contains(w.Text, c.text) {
			t.Errorf("%s → %s %s %s: %v %q logged %v: %s", c.source, c.target, c.class, c.perm, w.Allowed, w.Reason, w.Logged, w.Text)
		}
		fixes := ""
		for _, f := range w.Fixes {
			fixes += f.Kind + ": " + f.Text + "\n"
		}
		if c.fix == "" && fixes != "" || !strings.Contains(fixes, c.fix) {
			t.Errorf("%s → %s %s %s: fixes %q, want %q", c.source, c.target, c.class, c.perm, fixes, c.fix)
		}
	}
}

// TestWhyAgreesWithDecide asks at random: one answer, two ways.
func TestWhyAgreesWithDecide(t *testing.T) {
	for name, p := range map[string]*Policy{"every": every(t, 33), "debian": debian(t)} {
		d := newDrawer(p)
		reasons := map[Reason]int{}
		for range 1500 {
			s, tgt, c := d.question()
			names := p.PermNames(c)
			av := p.Decide(s, tgt, c)
			n := d.r.IntN(len(names))
			if lost := p.withoutLimits(s, tgt, c) &^ av.Allowed; lost != 0 && d.r.IntN(2) == 0 {
				n = bits.TrailingZeros32(lost)
			}
			if n >= len(names) || names[n] == "" {
				continue
			}
			w, err := p.Explain(Question{s, tgt, p.classes.at(uint32(c)).name, names[n], nil})
			if err != nil {
				t.Fatal(err)
			}
			reasons[w.Reason]++
			bit := uint32(1) << n
			logged := av.Allowed&bit == 0 && av.AuditDeny&bit != 0 || av.Allowed&av.AuditAllow&bit != 0
			if w.Allowed != (av.Allowed&bit != 0) || w.Allowed != (w.Reason == ByRule) || w.Logged != logged {
				t.Errorf("%s: %s %s %s: %v for %s, decided %+v", name, p.Text(s), p.Text(tgt), names[n], w.Allowed, w.Reason, av)
			}
			if w.Reason == ByConstraint && (len(w.Constraint.Facts) == 0 || w.Constraint.Failed == "") {
				t.Errorf("%s: %+v has no part that fails", name, w.Constraint)
			}
		}
		t.Log(name, reasons)
		if reasons[ByConstraint] < 20 || reasons[ByNoRule] < 100 || reasons[ByRule] < 100 {
			t.Errorf("%s: too dull: %v", name, reasons)
		}
	}
}

// TestCreate asks for labels of new objects, with the rule that gave each part.
func TestCreate(t *testing.T) {
	p := every(t, 33)
	const pod = "system_u:system_r:container_t:s0:c1,c2"
	for _, c := range []struct{ source, target, class, name, want, why string }{
		{"system_u:system_r:init_t:s0", "system_u:object_r:container_file_t:s0", "process", "", "system_u:system_r:container_t:s0-s0:c1,c2", "range_transition init_t container_file_t:process s0-s0:c1,c2"},
		{pod, "system_u:object_r:tmp_t:s0", "file", "x", "system_u:system_r:container_file_t:s0", "type: type_transition container_t tmp_t:file container_file_t"},
		{pod, "system_u:object_r:tmp_t:s0", "dir", "x", "system_u:object_r:tmp_t:s0", "default_range dir target low"},
		{pod, "system_u:object_r:dev_t:s0", "fd", "", "system_u:object_r:dev_t:s0:c1,c2", "default_range fd source high"},
		{pod, "system_u:system_r:container_t:s0", "tcp_socket", "", pod, "of the source, as for processes and sockets"},
	} {
		cl, _ := p.Class(c.class)
		got, err := p.Create(p.MustLabel(c.source), p.MustLabel(c.target), cl, c.name)
		steps := ""
		for _, s := range got.Steps {
			steps += s.Part + ": " + s.Why + "\n"
		}
		if err != nil || p.Text(got.Label) != c.want || !strings.Contains(steps, c.why) {
			t.Errorf("%s: %s, %v, want %s by %s; steps:\n%s", c.class, p.Text(got.Label), err, c.want, c.why, steps)
		}
	}
	// Names: the default role of files is the source's here, so that only the type is looked at.
	file, _ := p.Class("file")
	for name, want := range map[string]string{"x": "container_file_t", "secret": "shadow_t", "": "container_file_t"} {
		got, _ := p.Create(p.MustLabel(pod), p.MustLabel("system_u:object_r:tmp_t:s0"), file, name)
		if typ := p.types.at(got.Label.typ).name; typ != want {
			t.Errorf("%q: %s, want %s", name, typ, want)
		}
	}
}

func TestValidateTransition(t *testing.T) {
	p := every(t, 33)
	file, _ := p.Class("file")
	a, b := p.MustLabel("system_u:object_r:tmp_t:s0"), p.MustLabel("system_u:object_r:tmp_t:s0:c1")
	if ok, why := p.Transition(a, b, p.MustLabel("system_u:system_r:kernel_t:s0"), file); !ok {
		t.Error(why)
	}
	if ok, why := p.Transition(a, p.MustLabel("system_u:object_r:tmp_t:s1"), p.MustLabel("system_u:system_r:init_t:s0"), file); ok || !strings.Contains(why, "l1 == l2 or t3 == kernel_t") {
		t.Errorf("%v, %s", ok, why)
	}
}

func TestBooleans(t *testing.T) {
	p := every(t, 33)
	q, err := p.WithBooleans(map[string]bool{"container_use_dev": true})
	if err != nil {
		t.Fatal(err)
	}
	s, tgt := p.MustLabel("system_u:system_r:container_t:s0"), p.MustLabel("system_u:object_r:dev_t:s0")
	c, _ := p.Class("chr_file")
	read, _ := p.Perms(c, "read")
	if p.Decide(s, tgt, c).Allowed&read != 0 || q.Decide(s, tgt, c).Allowed&read == 0 {
		t.Error("container_use_dev makes no difference")
	}
	if p.Decide(s, tgt, c).AuditDeny&read != 0 || q.Decide(s, tgt, c).AuditDeny&read == 0 {
		t.Error("the dontaudit rule of its else branch makes none")
	}
	if _, err := p.WithBooleans(map[string]bool{"use_dev": true}); err == nil || !strings.Contains(err.Error(), "it has container_use_dev") {
		t.Error(err)
	}
	if b := p.Booleans(); len(b) != 2 || b[0].Name != "container_use_dev" || b[0].On || b[0].Rules != 4 {
		t.Errorf("%+v", b)
	}
}

package selinux

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestReadAVC(t *testing.T) {
	log := `type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=257
type=AVC msg=audit(1700000000.123:456): avc:  denied  { read open } for  pid=42 comm="cat" name="sha dow" dev="sda1" ino=7 scontext=u:r:a_t:s0:c1,c2 tcontext=u:object_r:b_t:s0 tclass=file permissive=1
[   12.3] audit: type=1400 audit(1.0:2): avc:  denied  { ioctl } for  pid=1 comm=2F62696E path="/dev/x" ioctlcmd=0x5401 scontext=u:r:a_t:s0 tcontext=u:object_r:d_t:s0 tclass=chr_file permissive=0
type=USER_AVC msg=audit(1.0:3): pid=1 uid=0 msg='avc:  granted  { send_msg } for  scontext=u:r:a_t:s0 tcontext=u:r:b_t:s0 tclass=dbus exe="/usr/bin/dbus" sauid=0'
type=USER_AVC msg=audit(1.0:4): msg='avc:  received policyload notice (seqno=2)'
`
	all, err := readAll(log)
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	a, b, c := all[0], all[1], all[2]
	if a.Line != 2 || !a.Denied || fmt.Sprint(a.Perms) != "[read open]" || a.Source != "u:r:a_t:s0:c1,c2" || a.Class != "file" || !a.Permissive || a.Fields["name"] != "sha dow" || a.Fields["pid"] != "42" {
		t.Errorf("%+v", a)
	}
	if b.Permissive || b.Command == nil || *b.Command != 0x5401 || b.Fields["comm"] != "/bin" {
		t.Errorf("%+v", b)
	}
	if c.Denied || c.Class != "dbus" || c.Target != "u:r:b_t:s0" {
		t.Errorf("%+v", c)
	}
	for text, want := range map[string]string{
		"avc: denied { } for x=y":                                                            "line 1: the record names no permissions",
		"\navc: denied { read } for scontext=a":                                              "line 2: the record has no t",
		"avc: denied { read } name=\"x":                                                      "is not closed",
		"avc: denied { read } ioctlcmd=zz tclass=x":                                          `ioctlcmd is "zz"`,
		"\navc: denied { read } " + strings.Repeat("x", maxLine):                             "line 2: the record is longer than 65536 bytes",
		"avc: denied { read } " + manyFields(maxFields+4) + "scontext=a tcontext=b tclass=c": "line 1: the record has more than 256 fields",
	} {
		if _, err := readAll(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s", text, err, want)
		}
	}
	for text, lines := range map[string]string{ // what is no record may be long, and the last line need not end
		strings.Repeat("x", 3*maxLine+1) + "\navc: denied { read } scontext=a tcontext=b tclass=c":                "[2]",
		strings.Repeat("x", maxLine) + "\r\n\navc: denied { read } scontext=a tcontext=b tclass=c\r\n" + "avc: x": "[3]",
		"": "[]",
	} {
		all, err := readAll(text)
		got := []int{}
		for _, r := range all {
			got = append(got, r.Line)
		}
		if err != nil || fmt.Sprint(got) != lines {
			t.Errorf("%.60q: lines %v, %v, want %s", text, got, err, lines)
		}
	}
}

func readAll(log string) (all []*Record, err error) {
	for r, err := range ReadAVC(strings.NewReader(log)) {
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
	return all, nil
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "f%d=x ", i)
	}
	return b.String()
}

// TestHostileLog reads 300 MB of records, none of which is kept.
func TestHostileLog(t *testing.T) {
	line := "avc: denied { read } scontext=a tcontext=b tclass=c " + manyFields(maxFields-1) + strings.Repeat("x", maxLine/2) + "\n"
	many := make([]io.Reader, 10_000)
	for i := range many {
		many[i] = strings.NewReader(line)
	}
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	n, most := 0, uint64(0)
	for _, err := range ReadAVC(io.MultiReader(many...)) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%500 == 0 {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapSys)
		}
	}
	if n != len(many) || most > before.HeapSys+64<<20 {
		t.Errorf("%d records take %d MB", n, (most-before.HeapSys)>>20)
	}
}

func FuzzAVC(f *testing.F) {
	f.Add(`avc:  denied  { read } for  pid=1 name="x" scontext=u:r:a_t:s0 tcontext=u:object_r:b_t:s0 tclass=file permissive=0`)
	f.Add("avc: granted { a b } ioctlcmd=0x1 comm=2F62 scontext=\"a\" tcontext=' tclass=x")
	f.Fuzz(func(t *testing.T, text string) {
		n := strings.Count(text, "\n") + 1
		for r, err := range ReadAVC(strings.NewReader(text)) {
			if err == nil && (r.Source == "" || len(r.Perms) == 0 || r.Line > n || len(r.Fields) > maxFields) {
				t.Errorf("%+v", r)
			}
		}
	})
}

func TestDiff(t *testing.T) {
	a := every(t, 33)
	if d := Diff(a, a); len(d) != 0 {
		t.Fatalf("a policy differs from itself: %+v", d)
	}
	more := filepath.Join(t.TempDir(), "more.cil")
	if err := os.WriteFile(more, []byte(`(allow container_t container_file_t (file (lock)))
(type new_t)(roletype system_r new_t)
(allow new_t tmp_t (dir (search)))
(boolean new_bool true)
(booleanif new_bool (true (allow new_t tmp_t (file (read)))))
(typetransition new_t tmp_t file "n" new_t)
(typeattributeset domain (new_t))
(genfscon proc /new fc)
(constrain (file (lock)) (eq u1 u2))
(allowx new_t tmp_t (ioctl file (0x1)))
`), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(compile(t, 33, more))
	if err != nil {
		t.Fatal(err)
	}
	b := parse(t, data)
	var got []string
	for _, d := range Diff(a, b) {
		got = append(got, d.Change+" "+d.Kind+" "+d.What)
	}
	text := strings.Join(got, "\n")
	for _, want := range []string{"added type new_t", "added boolean new_bool", "added rule allow container_t container_file_t:file lock;", "added rule allow new_t tmp_t:dir search;",
		"added rule allow new_t tmp_t:file read; [ new_bool ]", `added rule type_transition new_t tmp_t:file new_t "n";`, "added label genfs proc /new class 0",
		"added constraint constrain file { lock } (u1 == u2)", "changed role system_r", "added rule allowxperm new_t tmp_t:file ioctl 0x1;"} {
		if !strings.Contains(text+"\n", want+"\n") {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if back := Diff(b, a); len(back) != len(got) {
		t.Errorf("%d differences back, %d forth", len(back), len(got))
	}
}

// TestRulesAgainstSetools compares what Rules picks with sesearch.
func TestRulesAgainstSetools(t *testing.T) {
	sesearch, err := exec.LookPath("sesearch")
	if err != nil {
		t.Skip("Debian's setools is not installed")
	}
	p := debian(t)
	for _, c := range []struct {
		args []string
		q    Query
	}{
		{[]string{"--dontaudit", "-t", "shadow_t"}, Query{Kinds: []string{"dontaudit"}, Target: "shadow_t"}},
		{[]string{"-T", "-s", "sshd_t"}, Query{Kinds: []string{"type_transition"}, Source: "sshd_t"}},
		{[]string{"-A", "-b", "httpd_can_network_connect"}, Query{Kinds: []string{"allow"}, Boolean: "httpd_can_network_connect"}},
	} {
		out, err := exec.Command(sesearch, append(c.args, debianPolicy)...).Output()
		if err != nil {
			t.Errorf("sesearch %v: %v", c.args, err)
			continue
		}
		want := map[string]bool{}
		for line := range strings.SplitSeq(string(out), "\n") {
			if line = strings.TrimSpace(line); strings.HasSuffix(line, ";") || strings.Contains(line, "; [") || strings.Contains(line, "]:") {
				rule, _, _ := strings.Cut(line, ";")
				want[normal(rule)] = true
			}
		}
		rules, err := p.Rules(c.q)
		if err != nil {
			t.Error(err)
			continue
		}
		got := map[string]bool{}
		for r := range rules {
			got[normal(r.sentence())] = true
		}
		for r := range want {
			if !got[r] {
				t.Errorf("sesearch %v has %s", c.args, r)
			}
		}
		for r := range got {
			if !want[r] {
				t.Errorf("sesearch %v has no %s", c.args, r)
			}
		}
		if len(want) == 0 {
			t.Errorf("sesearch %v finds nothing", c.args)
		}
	}
}

// normal sorts the permissions of a rule and drops quotes and brackets.
func normal(rule string) string {
	f := strings.Fields(strings.NewReplacer("{", "", "}", "", `"`, "").Replace(rule))
	if len(f) > 3 && f[0] != "type_transition" {
		sortStrings(f[3:])
	}
	return strings.Join(f, " ")
}

func sortStrings(s []string) {
	for i := range s {
		for k := i; k > 0 && s[k] < s[k-1]; k-- {
			s[k], s[k-1] = s[k-1], s[k]
		}
	}
}

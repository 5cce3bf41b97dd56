package selinux

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const debianPolicy = "/etc/selinux/default/policy/policy.33"

// debian returns the policy of Debian's packages.
func debian(t testing.TB) *Policy {
	data, err := os.ReadFile(debianPolicy)
	if err != nil {
		t.Skip("Debian's selinux-policy-default is not installed: ", err)
	}
	return parse(t, data)
}

func parse(t testing.TB, data []byte) *Policy {
	t.Helper()
	p, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// compile makes a binary policy of a version from testdata.
func compile(t testing.TB, version int, more ...string) string {
	t.Helper()
	secilc, err := exec.LookPath("secilc")
	if err != nil {
		t.Skip("Debian's secilc is not installed")
	}
	out := filepath.Join(t.TempDir(), fmt.Sprintf("policy.%d", version))
	args := []string{"-N", "-c", fmt.Sprint(version), "-o", out, "-f", os.DevNull, "testdata/every.cil"}
	if version >= 30 {
		args = append(args, "testdata/extended.cil")
	}
	if text, err := exec.Command(secilc, append(args, more...)...).CombinedOutput(); err != nil {
		t.Fatalf("secilc: %v\n%s", err, text)
	}
	return out
}

// every returns the small policy in a version.
func every(t testing.TB, version int) *Policy {
	data, err := os.ReadFile(compile(t, version))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, data)
}

var oracle struct {
	once sync.Once
	path string
	skip string
}

// libsepol asks libsepol about lines of testdata/oracle.c's form.
func libsepol(t *testing.T, policy string, lines []string) []string {
	t.Helper()
	oracle.once.Do(func() {
		if _, err := os.Stat("/usr/include/sepol/policydb/services.h"); err != nil {
			oracle.skip = "Debian's libsepol-dev is not installed"
			return
		}
		dir, err := os.MkdirTemp("", "oracle")
		if err != nil {
			oracle.skip = err.Error()
			return
		}
		oracle.path = filepath.Join(dir, "oracle")
		if out, err := exec.Command("gcc", "-O1", "-o", oracle.path, "testdata/oracle.c", "-l:libsepol.a").CombinedOutput(); err != nil {
			oracle.skip = fmt.Sprintf("testdata/oracle.c cannot be compiled: %v\n%s", err, out)
		}
	})
	if oracle.skip != "" {
		t.Skip(oracle.skip)
	}
	cmd := exec.Command(oracle.path, policy)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("libsepol: %v\n%s", err, errs.String())
	}
	var answers []string
	for s := bufio.NewScanner(&out); s.Scan(); {
		answers = append(answers, s.Text())
	}
	if len(answers) != len(lines) {
		t.Fatalf("libsepol gave %d answers to %d questions", len(answers), len(lines))
	}
	return answers
}

func TestMain(m *testing.M) {
	code := m.Run()
	if oracle.path != "" {
		os.RemoveAll(filepath.Dir(oracle.path))
	}
	os.Exit(code)
}

// asked is how many questions a test puts: so many, or STORY_SELINUX_COUNT times as many.
func asked(n int) int {
	if f, err := strconv.Atoi(os.Getenv("STORY_SELINUX_COUNT")); err == nil && f > 0 {
		return n * f
	}
	return n
}

// drawer draws labels and questions, most of them about pairs that rules are about.
type drawer struct {
	p *Policy
	r *rand.Rand
}

// member draws a type of an attribute, or returns the type.
func (d *drawer) member(v uint32) uint32 {
	if !d.p.types.at(v).attribute {
		return v
	}
	for range 400 {
		n := uint32(d.r.IntN(len(d.p.types.list))) + 1
		if d.p.types.at(n).sets.has(v-1) && d.p.types.at(n).name != "" && !d.p.types.at(n).attribute {
			return n
		}
	}
	return d.anyType()
}

func (d *drawer) anyType() uint32 {
	for {
		n := uint32(d.r.IntN(len(d.p.types.list))) + 1
		if d.p.isType(n) && !d.p.types.at(n).attribute {
			return n
		}
	}
}

// label draws a valid label with a type.
func (d *drawer) label(typ uint32) Label {
	for range 200 {
		l := Label{typ: typ, role: objectR, user: uint32(d.r.IntN(len(d.p.users.list))) + 1}
		if d.r.IntN(3) > 0 {
			l.role = uint32(d.r.IntN(len(d.p.roles.list))) + 1
		}
		l.rng = d.levels(d.p.users.at(l.user).rng)
		if d.p.invalid(&l) == "" {
			return l
		}
	}
	l := Label{user: 1, role: objectR, typ: typ}
	if d.p.mls {
		l.rng = Range{Level{sens: 1}, Level{sens: 1}}
	}
	return l
}

// levels draws a range with few categories, in about half of the cases.
func (d *drawer) levels(within Range) Range {
	if !d.p.mls {
		return Range{}
	}
	one := func() Level {
		l := Level{sens: uint32(d.r.IntN(len(d.p.sensitivities.list))) + 1}
		var set []byte
		for range d.r.IntN(3) {
			set = setBit(set, d.r.IntN(min(len(d.p.categories.list), 6)))
		}
		l.cats = Categories{string(set)}
		return l
	}
	switch low := one(); d.r.IntN(4) {
	case 0:
		return within
	case 1:
		return Range{low, within.High}
	default:
		return Range{low, low}
	}
}

// question draws two labels and a class.
func (d *drawer) question() (s, t Label, c Class) {
	var x rule
	n := d.r.IntN(20)
	switch {
	case n < 19:
		x = d.p.te.rules[d.r.IntN(len(d.p.te.rules))]
	default:
		x = rule{src: uint16(d.anyType()), tgt: uint16(d.anyType()), class: uint16(d.r.IntN(len(d.p.classes.list))) + 1}
	}
	if d.r.IntN(10) == 0 { // constraints of processes are the most involved
		x.class = d.p.process
	}
	return d.label(d.member(uint32(x.src))), d.label(d.member(uint32(x.tgt))), Class(x.class)
}

func newDrawer(p *Policy) *drawer { return &drawer{p, rand.New(rand.NewPCG(1, 2))} }

// compareAccess holds decisions against libsepol, and returns how many had permissions and how many lost some again.
func compareAccess(t *testing.T, p *Policy, path string, n int) {
	d := newDrawer(p)
	type question struct {
		s, t Label
		c    Class
	}
	var questions []question
	var lines []string
	for range n {
		s, tgt, c := d.question()
		questions = append(questions, question{s, tgt, c})
		lines = append(lines, fmt.Sprintf("a %s %s %d", p.Text(s), p.Text(tgt), c))
	}
	granted, cut, wrong := 0, 0, 0
	for i, answer := range libsepol(t, path, lines) {
		q := questions[i]
		got := p.Decide(q.s, q.t, q.c)
		if got.Allowed != 0 {
			granted++
		}
		if p.types.at(q.s.typ).bounds != 0 {
			continue // libsepol leaves type bounds to the compiler
		}
		if free := p.withoutLimits(q.s, q.t, q.c); free&^got.Allowed != 0 {
			cut++
		}
		if text := fmt.Sprintf("%x %x %x", got.Allowed, got.AuditAllow, got.AuditDeny); text != answer {
			if wrong++; wrong <= 5 {
				t.Errorf("%s: %s, libsepol says %s", lines[i], text, answer)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d differ", wrong, n)
	}
	if granted < n/3 || cut < n/50 {
		t.Errorf("of %d questions %d were granted something, %d lost something to a constraint: the questions are too dull", n, granted, cut)
	}
}

// withoutLimits is what rules alone allow.
func (p *Policy) withoutLimits(s, t Label, c Class) uint32 {
	var d Decision
	for i := range p.types.at(s.typ).sets.all() {
		p.gather(uint16(i+1), uint16(c), &p.types.at(t.typ).sets, &d)
	}
	return d.Allowed
}

func TestDebianAgainstLibsepol(t *testing.T) {
	p := debian(t)
	compareAccess(t, p, debianPolicy, asked(10000))
	compareLabels(t, p, debianPolicy, asked(4000))
}

func TestEveryVersionAgainstLibsepol(t *testing.T) {
	for v := MinVersion; v <= 33; v++ {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			path := compile(t, v)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			p := parse(t, data)
			if p.Version() != v {
				t.Fatalf("version %d", p.Version())
			}
			compareAccess(t, p, path, asked(1500))
			compareLabels(t, p, path, asked(1500))
		})
	}
}

func TestWithoutMLSAgainstLibsepol(t *testing.T) {
	path := compile(t, 33, "-M", "false")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := parse(t, data)
	if p.MLS() {
		t.Fatal("the policy has MLS")
	}
	compareAccess(t, p, path, asked(1500))
	compareLabels(t, p, path, asked(1500))
	if _, err := p.Label("system_u:system_r:container_t:s0"); err == nil {
		t.Error("a context with a range is taken")
	}
}

// compareLabels holds labels of new objects against libsepol, which knows no transitions by name.
func compareLabels(t *testing.T, p *Policy, path string, n int) {
	d := newDrawer(p)
	var lines, want []string
	for range n {
		s, tgt, c := d.question()
		switch d.r.IntN(3) {
		case 0: // pairs that have type transitions
			for range 200 {
				if x := &p.te.rules[d.r.IntN(len(p.te.rules))]; x.kind&rulesOfTypes != 0 {
					s, tgt, c = d.label(uint32(x.src)), d.label(uint32(x.tgt)), Class(x.class)
					break
				}
			}
		case 1:
			for k := range p.ranges {
				s, tgt, c = d.label(k.src), d.label(k.tgt), Class(k.class)
				break
			}
		}
		if isSocket(p.classes.at(uint32(c)).name) {
			c = Class(p.process) // libsepol does not know that sockets are labelled like processes
		}
		kind := [...]ruleKind{ruleTransition, ruleTransition, ruleChange, ruleMember}[d.r.IntN(4)]
		lines = append(lines, fmt.Sprintf("%s %s %s %d", map[ruleKind]string{ruleTransition: "t", ruleChange: "c", ruleMember: "m"}[kind], p.Text(s), p.Text(tgt), c))
		out, err := p.newLabel(s, tgt, uint16(c), kind, "")
		if err != nil {
			want = append(want, "-")
		} else {
			want = append(want, p.Text(out.Label))
		}
	}
	wrong, invalid := 0, 0
	for i, answer := range libsepol(t, path, lines) {
		if want[i] == "-" {
			invalid++
		}
		if answer != want[i] {
			if wrong++; wrong <= 5 {
				t.Errorf("%s: %s, libsepol says %s", lines[i], want[i], answer)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d labels differ", wrong, n)
	}
	t.Logf("%d labels, %d of them not valid", n, invalid)
}

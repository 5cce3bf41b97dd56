package filecontext

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const debian = "/etc/selinux/default/contexts/files/file_contexts"

// ask asks matchpathcon, many paths at a time. Paths must not exist where mode is AnyMode: then it takes no kind.
func ask(t *testing.T, set string, mode Mode, paths []string) map[string]string {
	t.Helper()
	prog, err := exec.LookPath("/usr/sbin/matchpathcon")
	if err != nil {
		t.Skip("Debian's selinux-utils is not installed")
	}
	got := map[string]string{}
	for len(paths) > 0 {
		n := min(len(paths), 2000)
		args := []string{"-f", set}
		if mode != AnyMode {
			args = append(args, "-m", mode.String())
		}
		out, _ := exec.Command(prog, append(append(args, "--"), paths[:n]...)...).Output() // it fails where one has no match
		for line := range strings.SplitSeq(string(out), "\n") {
			if path, context, ok := strings.Cut(line, "\t"); ok {
				got[path] = context
			}
		}
		paths = paths[n:]
	}
	return got
}

// compare holds a set against matchpathcon.
func compare(t *testing.T, set *Set, file string, mode Mode, paths []string) {
	t.Helper()
	want := ask(t, file, mode, paths)
	wrong, none := 0, 0
	for _, path := range paths {
		m, err := set.Lookup(path, mode)
		got := ""
		switch {
		case err == nil:
			got = m.Context
		case errors.Is(err, ErrNoMatch):
			none++
			got = None // matchpathcon prints the same for both
		default:
			t.Error(err)
		}
		if got != want[path] {
			if wrong++; wrong <= 5 {
				at := ""
				if m.Entry != nil {
					at = m.At() + " " + m.Expr
				}
				t.Errorf("%s %q (%s): %q by %s, matchpathcon says %q", file, path, mode, got, at, want[path])
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d paths differ", wrong, len(paths))
	}
}

// TestDebian compares paths made of Debian's own expressions.
func TestDebian(t *testing.T) {
	set, err := Load(debian)
	if err != nil {
		t.Skip("Debian's selinux-policy-default is not installed: ", err)
	}
	r := rand.New(rand.NewPCG(7, 8))
	for _, mode := range []Mode{File, Directory, Link, Char} {
		seen := map[string]bool{}
		var paths []string
		for len(paths) < count(1000) {
			p := sample(r, set.Entries()[r.IntN(len(set.Entries()))].Expr)
			if !seen[p] {
				seen[p] = true
				paths = append(paths, p)
			}
		}
		compare(t, set, debian, mode, paths)
	}
}

// count is how many paths a test compares: so many, or STORY_SELINUX_COUNT times as many.
func count(n int) int {
	var f int
	if _, err := fmt.Sscan(os.Getenv("STORY_SELINUX_COUNT"), &f); err == nil && f > 0 {
		return n * f
	}
	return n
}

// sample makes a path that an expression may match, or nearly.
func sample(r *rand.Rand, expr string) string {
	n, err := parse(expr)
	if err != nil {
		return "/" + expr
	}
	p := draw(r, n)
	switch r.IntN(8) {
	case 0:
		p += "/sub"
	case 1:
		p = strings.Replace(p, "/", "//", 1)
	case 2:
		p = p[:r.IntN(len(p)+1)]
	case 3:
		p = "/lib" + p
	}
	if len(p) > 1 {
		p = strings.TrimRight(p, "/") // matchpathcon takes one off
	}
	if p == "" || p[0] != '/' || strings.ContainsAny(p, "\n\t\x00") {
		return "/etc/x" + fmt.Sprint(r.IntN(1000))
	}
	return p
}

func draw(r *rand.Rand, n *node) string {
	switch n.kind {
	case nodeSet:
		for range 50 {
			if b := byte(33 + r.IntN(94)); n.set.has(b) && (b != '/' || r.IntN(4) == 0) {
				return string([]byte{b})
			}
		}
		return string([]byte{lowest(n.set)})
	case nodeAlternate:
		return draw(r, n.of[r.IntN(len(n.of))])
	case nodeRepeat:
		most := n.max
		if most < 0 || most > n.min+3 {
			most = n.min + 3
		}
		s := ""
		for range n.min + r.IntN(most-n.min+1) {
			s += draw(r, n.of[0])
		}
		return s
	case nodeConcat, nodeGroup, nodeAtomic:
		s := ""
		for _, x := range n.of {
			s += draw(r, x)
		}
		return s
	}
	return ""
}

// TestRandomSets compares small sets with all their files, in which entries and substitutions meet.
func TestRandomSets(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	expr := func() string {
		s := ""
		for range 1 + r.IntN(3) {
			s += "/" + pick("a", "b", "a", "b.*", "[^/]+", "a?", "(a|b)", "a\\.b", "b", ".", "[ab]", "a{1,2}", "\\d+", "a+?")
		}
		return s + pick("", "", "", "(/.*)?", "/.*", ".*", "/?", "(a|b", "|/a")[:]
	}
	path := func() string {
		s := ""
		for range 1 + r.IntN(4) {
			s += pick("/", "/", "/", "//") + pick("a", "b", "aa", "ab", "a.b", "5", "b1", "é")
		}
		return s
	}
	for n := range count(40) {
		file := filepath.Join(t.TempDir(), "file_contexts")
		seen := map[string]bool{}
		for _, suffix := range []string{"", ".homedirs", ".local"} {
			text := ""
			for i := range 1 + r.IntN(6) {
				e := expr()
				if strings.Count(e, "(") != strings.Count(e, ")") || seen[e] {
					continue // nothing twice: what libselinux does with it differs between releases
				}
				seen[e] = true
				text += e + pick("\t", " ", "\t\t-d\t", "\t--\t", "  -l ") + pick(fmt.Sprintf("u:r:t%d%s:s0", i, strings.TrimPrefix(suffix, ".")), None) + "\n"
			}
			write(t, file+suffix, text+"# comment\n\n/zzz u:r:z:s0\n"[0:pickInt(r, suffix)])
		}
		for _, suffix := range []string{".subs", ".subs_dist"} {
			text := ""
			for range r.IntN(4) {
				text += pick("/a", "/b", "/a/b", "/ab") + " " + pick("/b", "/a", "/", "/b/a") + "\n"
			}
			write(t, file+suffix, text)
		}
		set, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		for range 150 {
			paths = append(paths, path())
		}
		compare(t, set, file, []Mode{File, Directory, Link}[n%3], paths)
		if t.Failed() {
			for _, suffix := range []string{"", ".homedirs", ".local", ".subs", ".subs_dist"} {
				text, _ := os.ReadFile(file + suffix)
				t.Logf("%s:\n%s", suffix, text)
			}
			return
		}
	}
}

func pickInt(r *rand.Rand, suffix string) int {
	if suffix == "" {
		return len("# comment\n\n/zzz u:r:z:s0\n") // the main file is not empty
	}
	return []int{0, len("# comment\n\n")}[r.IntN(2)]
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestExpressions compares single expressions, those too that RE2 does not have.
func TestExpressions(t *testing.T) {
	texts := []string{"/a", "/ab", "/aab", "/aaab", "/aa", "/a.b", "/a-b", "/a]b", "/abab", "/b", "/a b", "/aé", "/a/b", "/a_1", "/A", "/a{2}", "/a{,3}", "/a\\b", "/foo.so", "/foo.so.1", "/.hidden"}
	for _, e := range []string{`/a+b`, `/a++b`, `/a*+ab`, `/(?>a+)ab`, `/(a)\1`, `/(a|b)(a|b)\2\1`, `/(?!a).*`, `/a(?=b).*`, `/.*(?<=b)`, `/.*(?<!b)`, `/.*(?<!b|.so)`,
		`/a{2}`, `/a{1,2}b`, `/a{,3}`, `/a{2,}b`, `/a{x}`, `/[]a]b`, `/a[]]b`, `/a[^]]b`, `/a[a\-z]b`, `/a[a-]b`, `/[[:alpha:]]+`, `/[[:^alpha:]]+`, `/\w+`, `/\W.*`, `/a\x2db`, `/a\055b`,
		`/a\.b`, `/a\Q.b\E`, `/a.b`, `/a\b.*`, `/.*\Bb`, `/a(b)?`, `/a(?:b)?`, `/(a+)+b`, `/a|/b`, `/(|a)b`, `/a??b`, `/a\s?.`, `/a[\d_]+`, `/\Aa`, `/a\Z`, `/a\z`, `/[^a]`, `/foo\.so(\.[^/]*)*`,
		`/(^a|b)`, `/a$|/b`, `/[\x61-b]+`, `/\141`, `/\1412?`, `/(a)(b)\2?\11?`, `/[\141-\142]+`, `/a\h?b`, `/.{3}`, `/[.]hidden`, `/(a$)?`, `/(a|ab)(c|bcd)?`, `/\.[^/]+`} {
		file := filepath.Join(t.TempDir(), "file_contexts")
		write(t, file, e+" u:r:t:s0\n")
		set, err := Load(file)
		if err != nil {
			t.Error(err)
			continue
		}
		want := ask(t, file, File, texts)
		for _, text := range texts {
			m, err := set.Lookup(text, File)
			var open *UnknownError
			switch {
			case errors.As(err, &open):
				t.Logf("%s: %v", e, err)
			case err != nil && !errors.Is(err, ErrNoMatch):
				t.Error(err)
			case (err == nil) != (want[text] != None) || err == nil && m.Context != want[text]:
				t.Errorf("%s on %s: %v, matchpathcon says %q", e, text, err, want[text])
			}
		}
	}
}

// TestUnknown: what cannot be followed is unknown, with its place, and never a guess.
func TestUnknown(t *testing.T) {
	for _, c := range []struct{ expr, path, want string }{
		{`/(?:(a+)+\1)*c`, "/" + strings.Repeat("a", 40) + "d", "file_contexts:2: it is not known whether /(?:(a+)+\\1)*c matches: it takes more than"},
		{`/a(?i)b`, "/ab", "of a kind that is not known here"},
		{`/a(`, "/ab", "is not closed"},
		{`/a\pL`, "/ab", "is not known here"},
		{`/a\2`, "/ab", "there is no group 2"},
		{`/a[b`, "/ab", "is not closed"},
		{`/+*`, "/ab", "repeats nothing"},
	} {
		set, err := Parse(Sources{Main: Source{"file_contexts", []byte("/.* u:r:t:s0\n" + c.expr + " u:r:x:s0\n")}})
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		_, err = set.Lookup(c.path, File)
		var open *UnknownError
		if !errors.As(err, &open) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.expr, err, c.want)
		}
		if m, err := set.Lookup("/q", File); c.expr[:2] != "/+" && (err != nil || m.Line != 1) && !errors.As(err, &open) {
			t.Errorf("%s: another path: %v", c.expr, err)
		}
	}
	for text, want := range map[string]string{"/a\n": "f:1: it has no context", "\n/a -x u:r:t:s0": `f:2: "-x" is no kind`, "/é u:r:t:s0": "not ASCII", "/" + strings.Repeat("a", 5000) + " u:r:t:s0": "longer than"} {
		if _, err := Parse(Sources{Main: Source{"f", []byte(text)}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzFileContexts(f *testing.F) {
	f.Add("/usr(/.*)? -d u:r:t:s0\n/a/b <<none>>\n", "/a /b\n", "/usr/x")
	f.Add("/(a+)+\\1c u:r:t:s0\n", "", "/aaaaaaaaaaaaaaaaaaaaaaaad")
	f.Add("/a(?!b)[[:alpha:]-]{2,3}++ u:r:t:s0\n", "/x /\n", "/x/aac")
	f.Fuzz(func(t *testing.T, text, subs, path string) {
		set, err := Parse(Sources{Main: Source{"f", []byte(text)}, Subs: Source{"s", []byte(subs)}})
		if err != nil {
			return
		}
		set.Lookup(path, AnyMode)
		set.Lookup(path, Directory)
	})
}

func BenchmarkLookup(b *testing.B) {
	set, err := Load(debian)
	if err != nil {
		b.Skip(err)
	}
	set.Lookup("/var/lib/containers/storage/overlay/x", File)
	for b.Loop() {
		set.Lookup("/var/lib/containers/storage/overlay/x", File)
	}
}

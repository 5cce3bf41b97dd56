package selinux

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseContext(t *testing.T) {
	for _, c := range []struct{ text, want string }{ // want: how it prints, or what the error says behind "!"
		{"u:r:t", "u:r:t"},
		{"system_u:system_r:container_t:s0:c338,c794", "system_u:system_r:container_t:s0:c338,c794"},
		{"u:r:t:s0-s0:c0.c1023", "u:r:t:s0-s0:c0.c1023"},
		{"u:r:t:s0:c1,c2,c3,c5", "u:r:t:s0:c1.c3,c5"},
		{"u:r:t:s0:c5,c1.c2", "u:r:t:s0:c1,c2,c5"},
		{"u:r:t:s2:c4-s2:c4", "u:r:t:s2:c4"},
		{"u:r", "!user:role:type"},
		{"", "!user:role:type"},
		{"u::t", `!its role is ""`},
		{"u:r:t t:s0", `!its type is "t t"`},
		{"u:r:t:", `!level ""`},
		{"u:r:t:x0", `!"x0" is not s`},
		{"u:r:t:s0:c01", `!"c01" is not c`},
		{"u:r:t:s0:c70000", `!is not c and a number below 65536`},
		{"u:r:t:s0:c5.c5", "!c5 does not come before c5"},
		{"u:r:t:s0:c9.c5", "!c9 does not come before c5"},
		{"u:r:t:s0:c1-s0:c2", "!does not dominate"},
		{"u:r:t:s1-s0", "!does not dominate"},
		{"u:r:t:" + strings.Repeat("s", 5000), "!longer than 4096"},
	} {
		got, err := ParseContext(c.text)
		want, bad := strings.CutPrefix(c.want, "!")
		switch {
		case bad && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want an error with %q", c.text, err, want)
		case !bad && (err != nil || got.String() != want):
			t.Errorf("%s: %s, %v, want %s", c.text, got, err, want)
		case !bad && got != MustParseContext(got.String()):
			t.Errorf("%s does not come back", c.text)
		}
	}
}

func TestDominance(t *testing.T) {
	level := func(text string) Level {
		l, err := ParseLevel(text)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for _, c := range []struct {
		a, b       string
		dom, domby bool
	}{
		{"s0", "s0", true, true},
		{"s0:c1,c2", "s0:c1", true, false},
		{"s0:c1,c2", "s0", true, false},
		{"s0:c1", "s0:c2", false, false},
		{"s1", "s0:c1", false, false},
		{"s1:c1", "s0:c1", true, false},
		{"s0:c338,c794", "s0:c338,c794", true, true},
		{"s0:c0.c1023", "s0:c1000", true, false},
	} {
		a, b := level(c.a), level(c.b)
		if a.Dominates(b) != c.dom || b.Dominates(a) != c.domby || a.Incomparable(b) != (!c.dom && !c.domby) {
			t.Errorf("%s and %s: %v, %v", a, b, a.Dominates(b), b.Dominates(a))
		}
	}
	r := Range{level("s0"), level("s1:c0.c3")}
	for text, want := range map[string]bool{"s0": true, "s0:c1-s1:c1": true, "s1:c4": false, "s0-s0:c4": false} {
		in, err := ParseRange(text)
		if err != nil || r.Contains(in) != want {
			t.Errorf("%s contains %s: %v, %v", r, in, r.Contains(in), err)
		}
	}
}

func TestCategories(t *testing.T) {
	a, _ := CategoriesOf(3, 1, 500)
	b, _ := CategoriesOf(500, 7)
	if a.String() != "c1,c3,c500" || a.Len() != 3 || !a.Has(500) || a.Has(7) || a.Has(-1) || a.Has(1<<30) {
		t.Errorf("%s: %d", a, a.Len())
	}
	if w := a.Without(b); w.String() != "c1,c3" || w.Has(500) {
		t.Errorf("without: %s", w)
	}
	if n := a.And(b); n.String() != "c500" {
		t.Errorf("and: %s", n)
	}
	c, _ := CategoriesOf(1, 3)
	if a.Without(b) != c {
		t.Error("equal sets differ")
	}
	if _, err := CategoriesOf(1 << 16); err == nil {
		t.Error("category 65536 is accepted")
	}
}

func TestContextJSON(t *testing.T) {
	type doc struct{ Label Context }
	text, err := json.Marshal(doc{MustParseContext("u:r:t:s0:c1")})
	if err != nil || string(text) != `{"Label":"u:r:t:s0:c1"}` {
		t.Errorf("%s, %v", text, err)
	}
	var back doc
	if err := json.Unmarshal(text, &back); err != nil || back.Label.Type != "t" {
		t.Errorf("%+v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"Label":""}`), &back); err != nil || back.Label.IsValid() {
		t.Errorf("%+v, %v", back, err)
	}
}

func FuzzContext(f *testing.F) {
	for _, s := range []string{"u:r:t:s0-s0:c0.c1023", "u:r:t:s15:c1,c3.c7", "a:b:c", "::::", "u:r:t:s0:c65535"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseContext(text)
		if err != nil {
			return
		}
		if back, err := ParseContext(c.String()); err != nil || back != c {
			t.Errorf("%q prints as %q, which is read as %v, %v", text, c, back, err)
		}
	})
}

package selinux

import (
	"math/rand/v2"
	"os"
	"testing"

	"syscallstory/selinux"
)

// TestSceneText reads back what is printed for --case.
func TestSceneText(t *testing.T) {
	data, err := os.ReadFile("/etc/selinux/default/policy/policy.33")
	if err != nil {
		t.Skip("Debian's SELinux policy is not installed")
	}
	p, err := selinux.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(50) {
		s := (&gen{Rand: rand.New(rand.NewPCG(1, seed)), labels: newLabels(p)}).scene()
		back, err := ParseScene([]byte(s.Text()))
		if err != nil || back.Text() != s.Text() {
			t.Fatalf("%v\n%s\n%s", err, s.Text(), back.Text())
		}
		if len(s.Files) == 0 || len(s.Calls) != 25 {
			t.Errorf("%d files and %d calls", len(s.Files), len(s.Calls))
		}
	}
}

func TestBadScene(t *testing.T) {
	for _, bad := range []string{"", "{}", `{"Task":"a","Files":[{"Path":"a","Type":"door"}]}`, `{"Task":"a","Other":1}`, `{"Task":"a","Files":[{"Path":"","Type":"file"}]}`} {
		if _, err := ParseScene([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func FuzzScene(f *testing.F) {
	f.Add([]byte(`{"Task":"system_u:system_r:container_t:s0","Files":[{"Path":"a","Type":"dir"},{"Path":"a/b","Type":"link","Target":"x"}],"Calls":["open(\"a\", O_RDONLY)"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := ParseScene(text); err == nil {
			s.Text()
		}
	})
}

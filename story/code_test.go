package story

import (
	"strings"
	"testing"
)

// TestCodesAreDocumented refuses a code without its texts: whoever meets a code must be able to look it up.
func TestCodesAreDocumented(t *testing.T) {
	prefix := map[Gate]string{Seccomp: "SEC", Lookup: "LKP", Mount: "MNT", DAC: "DAC", Capability: "CAP", UserNS: "UNS", LSM: "LSM", Overlay: "OVL", Other: "OTH"}
	seen := map[string]bool{}
	if len(Codes()) < 40 {
		t.Fatalf("the registry has only %d codes", len(Codes()))
	}
	for _, c := range Codes() {
		i := c.Info()
		if seen[i.ID] {
			t.Errorf("%s stands twice in the registry", i.ID)
		}
		seen[i.ID] = true
		if got, ok := ParseCode(strings.ToLower(i.ID)); !ok || got != c {
			t.Errorf("ParseCode(%q) = %v, %v", i.ID, got, ok)
		}
		if want := prefix[i.Gate]; !strings.HasPrefix(i.ID, want) || len(i.ID) != 6 {
			t.Errorf("%s: its gate is %v, so its name should be %s and three digits", i.ID, i.Gate, want)
		}
		for name, text := range map[string]string{"Title": i.Title, "Allows or Denies or Unknowns": i.Allows + i.Denies + i.Unknowns, "Function": i.Function, "Long": i.Long, "Man": i.Man, "Releases": i.Releases} {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s has no %s", i.ID, name)
			}
		}
		if i.Denies != "" && i.Errno == "" {
			t.Errorf("%s denies, but its errno is not named", i.ID)
		}
		if i.Denies != "" && i.Repro == "" && i.Gate != LSM {
			t.Errorf("%s denies, but nothing reproduces it", i.ID)
		}
		if len(i.Facts) > 3 {
			t.Errorf("%s has more facts than a Step holds", i.ID)
		}
		for _, s := range []string{i.Denies, i.Allows, i.Unknowns} {
			for k := 0; k < 3; k++ {
				if strings.Contains(s, "{"+string(rune('0'+k))+"}") && k >= len(i.Facts) {
					t.Errorf("%s: a sentence uses fact %d, which has no name", i.ID, k)
				}
			}
		}
	}
}

func TestFormatMode(t *testing.T) {
	for v, want := range map[uint64]string{0o100644: "-0644", 0o41777: "d1777", 0o120777: "l0777", 0o20000: "c0000", 0o10600: "p0600", 0o140755: "s0755", 0o60660: "b0660"} {
		if got := FormatMode(v); got != want {
			t.Errorf("FormatMode(%o) = %q, want %q", v, got, want)
		}
	}
}

func TestErrnoNames(t *testing.T) {
	for name, want := range map[string]Errno{"EPERM": 1, "EACCES": 13, "EAGAIN": 11, "EWOULDBLOCK": 11, "ENOTSUP": 95, "EOPNOTSUPP": 95, "ELOOP": 40, "EHWPOISON": 133} {
		if got, ok := ParseErrno(name); !ok || got != want {
			t.Errorf("ParseErrno(%q) = %d, %v; want %d", name, got, ok, want)
		}
	}
	if Errno(95).String() != "EOPNOTSUPP" || Errno(0).String() != "0" || Errno(4000).String() != "4000" {
		t.Error("Errno.String prints the kernel's name, 0, or the number")
	}
	if _, ok := ParseErrno(""); ok {
		t.Error("the empty name is no errno")
	}
}

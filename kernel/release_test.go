package kernel

import "testing"

func TestParseRelease(t *testing.T) {
	for in, want := range map[string][2]int{"6.18": {6, 18}, "6.1.0-40-amd64": {6, 1}, "5.15.0-1051-azure": {5, 15}, "6.12.117": {6, 12}} {
		r, err := ParseRelease(in)
		if err != nil || r.Major != want[0] || r.Minor != want[1] || r.String() != in {
			t.Errorf("ParseRelease(%q) = %v, %v", in, r, err)
		}
	}
	for _, in := range []string{"", "6", "6.", "x.1", "6.x", "1.0", "-6.1", "6.-1", "6.99999"} {
		if r, err := ParseRelease(in); err == nil {
			t.Errorf("ParseRelease(%q) = %v, want an error", in, r)
		}
	}
}

func TestHas(t *testing.T) {
	for _, c := range []struct {
		release string
		change  Change
		want    Answer
	}{
		{"5.4", CreateDirectoryInvalid, No}, {"6.1", CreateDirectoryInvalid, NotKnown}, {"6.4", CreateDirectoryInvalid, Yes}, {"7.0", CreateDirectoryInvalid, Yes},
		{"5.10", OverlayUserNS, No}, {"5.11", OverlayUserNS, Yes},
	} {
		r, _ := ParseRelease(c.release)
		if got := r.Has(c.change); got != c.want {
			t.Errorf("%s.Has(%d) = %v, want %v", c.release, c.change, got, c.want)
		}
	}
	if (Release{}).Has(OverlayTmpfile) != NotKnown {
		t.Error("a release that is not known answers NotKnown")
	}
}

func TestCaps(t *testing.T) {
	for name, n := range map[string]Cap{"CAP_CHOWN": 0, "sys_admin": 21, "CAP_CHECKPOINT_RESTORE": 40, "MKNOD": 27, "SETFCAP": 31} {
		if c, ok := ParseCap(name); !ok || c != n {
			t.Errorf("ParseCap(%q) = %d, %v", name, c, ok)
		}
	}
	if _, ok := ParseCap("CAP_NOPE"); ok {
		t.Error("CAP_NOPE is no capability")
	}
}

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
		{"5.10", OverlayUserNS, No}, {"5.11", OverlayUserNS, Yes}, {"6.1.191", CreateDirectoryInvalid, NotKnown}, {"6.1.192", CreateDirectoryInvalid, Yes},
		{"6.1.192", SyslogStrict, No}, {"6.12.117", SyslogStrict, Yes}, {"6.1.192", XattrCopiedFirst, No}, {"6.6.50", XattrCopiedFirst, NotKnown}, {"6.12.117", XattrCopiedFirst, Yes},
		{"6.12.117", XattrDescriptorLast, No}, {"6.9", OverlayTmpfile, No}, {"6.10", OverlayTmpfile, Yes}, {"6.13", TruncateAsksFirst, No}, {"6.14", TruncateAsksFirst, Yes},
		{"6.10", ExecTakesWritten, No}, {"6.11", ExecTakesWritten, NotKnown}, {"6.12.5", ExecTakesWritten, NotKnown}, {"6.12.117", ExecTakesWritten, No}, {"6.13", ExecTakesWritten, No},
		{"6.6", OverlayXattrWhiteouts, No}, {"6.18.44", LandlockWhiteouts, No}, {"6.18.60", LandlockWhiteouts, NotKnown}, {"6.12.117", LandlockWhiteouts, Yes}, {"6.7", OverlayXattrWhiteouts, NotKnown}, {"6.8", OverlayXattrWhiteouts, Yes},
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

func TestBuilt(t *testing.T) {
	for version, want := range map[string]Release{
		"#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)": {Major: 6, Minor: 1, Patch: 192, Text: "6.1.0-56-amd64", Debian: true},
		"#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1":             {Major: 6, Minor: 1, Text: "6.1.0-56-amd64", Debian: true},
		"#65-Ubuntu SMP": {Major: 6, Minor: 1, Text: "6.1.0-56-amd64"},
	} {
		r, _ := ParseRelease("6.1.0-56-amd64")
		if got := r.Built(version); got != want {
			t.Errorf("Built(%q) = %+v, want %+v", version, got, want)
		}
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

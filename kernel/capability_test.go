package kernel

import "testing"

func TestEveryCapabilitySaysWhatItAllows(t *testing.T) {
	for c := range NumCaps {
		if c.Allows() == "" || c.Since() == "" {
			t.Errorf("%s has no words", c)
		}
		if got, ok := ParseCap(c.String()); !ok || got != c {
			t.Errorf("ParseCap(%q) = %v, %v", c, got, ok)
		}
	}
	if NumCaps.Allows() != "" {
		t.Error("a capability that does not exist allows something")
	}
}

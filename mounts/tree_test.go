package mounts

import "testing"

// TestPrintable: what a mount point is called cannot write to the terminal.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{"/data/ä": "/data/ä", "/a\nb": "/a?b", "/\x1b[31m": "/?[31m", "/\u009b31m": "/?31m", "/\u202egnp": "/?gnp"} {
		if got := printable(in); got != want {
			t.Errorf("%q is printed as %q, want %q", in, got, want)
		}
	}
}

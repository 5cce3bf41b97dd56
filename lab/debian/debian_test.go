package debian

import "testing"

func TestStanzas(t *testing.T) {
	got := parseStanzas("Package: a\nVersion: 1:2-3\nDescription: words\n more: words\n\nPackage: b\nDepends: c (= 1), d\n")
	if len(got) != 2 || got[0]["Version"] != "1:2-3" || got[1]["Depends"] != "c (= 1), d" || got[0][" more"] != "" {
		t.Errorf("%q", got)
	}
	m := exactDependency.FindStringSubmatch("linux-image-6.12.117+deb12-amd64 (= 6.12.117-1~deb12u1)")
	if m == nil || m[1] != "linux-image-6.12.117+deb12-amd64" || m[2] != "6.12.117-1~deb12u1" {
		t.Errorf("%q", m)
	}
}

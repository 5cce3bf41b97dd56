package systemd

import (
	"strings"
	"testing"
)

func TestNamespace(t *testing.T) {
	for _, c := range []struct {
		text    string
		version int
		want    string // shared: the host's
	}{
		{"Type=notify\n", 252, "host"},
		{"MountFlags=slave\n", 0, "slave MountFlags=slave"},
		{"MountFlags=private\n", 252, "private MountFlags=private"},
		{"MountFlags=shared\n", 252, "host"},
		{"MountFlags=shared\n", 238, "shared MountFlags=shared"},
		{"MountFlags=shared\n", 0, "unsure"},
		{"MountFlags=slave\nMountFlags=\n", 252, "host"},
		{"PrivateMounts=yes\n", 0, "shared PrivateMounts=yes"},
		{"PrivateMounts=no\nPrivateNetwork=yes\n", 0, "host"},
		{"PrivateNetwork=yes\n", 252, "host"},
		{"PrivateNetwork=yes\n", 255, "shared PrivateNetwork=yes"},
		{"PrivateNetwork=yes\n", 0, "unsure"},
		{"PrivateTmp=true\nMountFlags=slave\n", 0, "slave MountFlags=slave"},
		{"PrivateTmp=true\n", 0, "shared PrivateTmp=true"},
		{"PrivateTmp=disconnected\n", 0, "shared PrivateTmp=disconnected"},
		{"PrivateTmp=off\n", 0, "host"},
		{"ProtectSystem=full\n", 0, "shared ProtectSystem=full"},
		{"ProtectHome=no\nProtectSystem=false\n", 0, "host"},
		{"ReadOnlyPaths=/etc\n", 0, "shared ReadOnlyPaths=/etc"},
		{"ReadOnlyPaths=/etc\nReadOnlyPaths=\n", 0, "host"},
		{"ProtectProc=default\nProcSubset=pid\n", 0, "shared ProcSubset=pid"},
		{"RootDirectory=/srv\n", 0, "shared RootDirectory=/srv"},
		{"RootDirectory=/srv\nMountAPIVFS=no\n", 0, "host"},
		{"RootDirectory=/srv\nMountAPIVFS=no\nStateDirectory=x\n", 0, "shared StateDirectory=x"},
		{"# PrivateMounts=yes\n; PrivateTmp=yes\nBindPaths=/a:/b \\\n# between\n /c\n", 0, "shared BindPaths=/a:/b   /c"},
		{"MountFlags=slave\\\n", 0, "slave MountFlags=slave"}, // the file's end ends the line
		{"DynamicUser=yes\n[Install]\nMountFlags=private\n", 0, "shared DynamicUser=yes"},
	} {
		u, err := Parse("/etc/systemd/system/x.service", []byte("[Unit]\nDescription=x\n[Service]\n"+c.text), c.version)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		n := u.Namespace()
		got := "host"
		switch {
		case n.Unsure != "":
			got = "unsure"
		case n.Own:
			got = n.Final + " " + n.Why
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
		if n.Own && (n.At.Line < 4 || n.At.File == "") {
			t.Errorf("%q: %+v", c.text, n.At)
		}
	}
}

func TestDropIn(t *testing.T) {
	u, err := Parse("containerd.service", []byte("[Service]\nExecStart=/usr/bin/containerd\nMountFlags=slave\n"), 0)
	if err != nil {
		t.Fatal(err)
	}
	const conf = "/etc/systemd/system/containerd.service.d/10-mounts.conf"
	if NameOf(conf) != u.Name {
		t.Errorf("%s belongs to %s", conf, NameOf(conf))
	}
	if err := u.Add(conf, []byte("[Service]\nMountFlags=\nPrivateMounts=yes\n")); err != nil {
		t.Fatal(err)
	}
	if n := u.Namespace(); !n.Own || n.Final != "shared" || n.At.File != conf || n.At.Line != 3 {
		t.Errorf("%+v", n)
	}
}

func TestSees(t *testing.T) {
	for _, c := range []struct{ host, final, want string }{
		{"shared", "", "shared"}, {"private", "", "private"}, {"shared", "slave", "slave"}, {"shared", "shared", "shared and slave"}, {"shared", "private", "private"},
		{"slave", "slave", "slave"}, {"slave", "shared", "shared and slave"}, {"private", "shared", "shared"}, {"private", "slave", "private"}, {"unbindable", "private", "private"},
	} {
		if got := (Namespace{Own: c.final != "", Final: c.final}).Sees(c.host).String(); got != c.want {
			t.Errorf("%s, MountFlags=%s: %s, want %s", c.host, c.final, got, c.want)
		}
	}
}

func TestBadUnits(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"x.socket", "[Socket]\n", "no unit file of a service"},
		{"x.service", "MountFlags=slave\n", "x.service:1: an assignment outside"},
		{"x.service", "[Service]\nMountFlags=rslave\n", "x.service:2: MountFlags=rslave: shared, slave or private is expected"},
		{"x.service", "[Service]\nPrivateMounts=perhaps\n", "a boolean is expected"},
		{"x.service", "[Service]\nProtectSystem=perhaps\n", "a boolean or full or strict is expected"},
		{"x.service", "[Service\n", "x.service:1: \"[Service\" is no section"},
		{"x.service", "[Service]\nMountFlags\n", "KEY=VALUE is expected"},
		{"x.service", "[Service]\nMountFlags=\xff\n", "not text in UTF-8"},
		{"x.service", "[Service]\n" + strings.Repeat("a", MaxSize), "bytes, at most"},
		{"x.service", "[Service]\n" + strings.Repeat("A=b\n", maxSettings+1), "more than 10000 settings"},
	} {
		if _, err := Parse(c.file, []byte(c.text), 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v, want %q", c.text, err, c.want)
		}
	}
}

func FuzzUnit(f *testing.F) {
	f.Add([]byte("[Unit]\nDescription=x\n\n[Service]\nExecStart=/bin/x \\\n  --y\nMountFlags=slave\nPrivateTmp=yes\n# c\nReadOnlyPaths=\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		u, err := Parse("x.service", text, 252)
		if err != nil {
			return
		}
		if n := u.Namespace(); n.Own && n.Why == "" {
			t.Errorf("%+v", n)
		}
	})
}

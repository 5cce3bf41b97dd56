package engines

import (
	"slices"
	"testing"

	"syscallstory/kernel"
	"syscallstory/seccomp"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// TestEveryProfile: all files of the index are there, in order, and compile for each architecture.
func TestEveryProfile(t *testing.T) {
	list, err := index()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{"index.json": true, "NOTICE": true}
	release, _ := kernel.ParseRelease("6.18")
	for i, e := range list {
		used[e.File] = true
		if i > 0 && list[i-1].Engine == e.Engine && !after(e.From, list[i-1].To) || after(e.From, e.To) {
			t.Errorf("%s %s to %s is out of order", e.Engine, e.From, e.To)
		}
		if !slices.Contains(Names, e.Engine) || e.Source == "" {
			t.Errorf("%+v", e)
		}
		p, err := Default(e.Engine, e.To)
		if err != nil || p.File != e.File || p.Note != "" {
			t.Fatalf("%s %s: %+v, %v", e.Engine, e.To, p, err)
		}
		parsed, err := seccomp.Parse(p.File, p.Text)
		if err != nil {
			t.Fatal(err)
		}
		for _, abi := range []syscalls.ABI{syscalls.X8664, syscalls.ARM64} {
			for _, caps := range []world.CapSet{world.Caps(), world.AllCaps} {
				if _, err := parsed.Resolve(seccomp.Target{ABI: abi, Caps: caps, Kernel: release}).Compile(); err != nil {
					t.Errorf("%s: %v", e.File, err)
				}
			}
		}
	}
	files, err := data.ReadDir("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !used[f.Name()] {
			t.Errorf("nothing uses %s", f.Name())
		}
	}
}

// TestVersions: which profile a version gets, and what is said where it is not its own.
func TestVersions(t *testing.T) {
	for _, c := range []struct{ engine, version, file, note string }{
		{"containerd", "1.6.8", "containerd-1.6.8.json", ""},
		{"containerd", "v1.7.29", "containerd-1.7.18.json", ""},
		{"containerd", "1.6.24~ds1", "containerd-1.6.19.json", "between containerd 1.6.19 and 1.6.36 the profile has changed: that of 1.6.19 is taken for 1.6.24~ds1"},
		{"containerd", "1.2.0", "containerd-1.5.1.json", "no profile of containerd older than 1.5.1's is known: that one is taken for 1.2.0"},
		{"cri-o", "1.40.0", "podman-5.5.2.json", "no profile of cri-o newer than 1.34.0's is known: that one is taken for 1.40.0"},
		{"podman", "", "podman-5.5.2.json", "the version of podman is not known: its newest known profile is taken, that of 5.7.0"},
		{"docker", "20.10.24", "docker-20.10.24.json", ""},
		{"docker", "", "default.json", "the version of docker is not known: its newest profile is taken, that of the module github.com/moby/profiles"},
		{"docker", "29.1.0", "default.json", "the profile of docker 29.1.0 is that of the module github.com/moby/profiles"},
	} {
		p, err := Default(c.engine, c.version)
		if err != nil || p.File != c.file || p.Note != c.note {
			t.Errorf("%s %s: %+v, %v", c.engine, c.version, p, err)
		}
	}
	if _, err := Default("rkt", "1.0"); err == nil {
		t.Error("rkt has a profile")
	}
}

// TestDifferences: what is known to differ between engines.
func TestDifferences(t *testing.T) {
	release, _ := kernel.ParseRelease("6.18")
	for _, c := range []struct {
		engine, version, call string
		caps                  world.CapSet
		want                  seccomp.Action
	}{
		{"docker", "20.10.24", "clone3", world.Caps(), seccomp.Errno | 38},
		{"docker", "20.10.24", "io_uring_setup", world.Caps(), seccomp.Allow},
		{"docker", "25.0.6", "io_uring_setup", world.Caps(), seccomp.Errno | 1},
		{"containerd", "1.6.8", "io_uring_setup", world.Caps(), seccomp.Allow},
		{"containerd", "2.1.3", "io_uring_setup", world.Caps(), seccomp.Errno | 1},
		{"containerd", "1.7.35", "bpf", world.Caps(), seccomp.Errno | 1},
		{"containerd", "1.7.35", "bpf", world.Caps(kernel.CapBpf), seccomp.Allow},
		{"containerd", "1.7.35", "clone3", world.Caps(), seccomp.Errno | 38},
		{"containerd", "1.7.35", "clone3", world.Caps(kernel.CapSysAdmin), seccomp.Allow},
		{"podman", "4.3.1", "listns", world.Caps(), seccomp.Errno | 38},
		{"podman", "4.3.1", "add_key", world.Caps(), seccomp.Errno | 38},
		{"podman", "4.3.1", "bpf", world.Caps(), seccomp.Errno | 1},
		{"docker", "", "add_key", world.Caps(), seccomp.Errno | 1},
	} {
		p, err := Default(c.engine, c.version)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := seccomp.Parse(p.File, p.Text)
		if err != nil {
			t.Fatal(err)
		}
		got := parsed.Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: c.caps, Kernel: release}).Eval(c.call, &[6]uint64{}).Action
		if got != c.want {
			t.Errorf("%s %s, %s: %v, want %v", c.engine, c.version, c.call, got, c.want)
		}
	}
}

package edits_test

import (
	"slices"
	"strings"
	"testing"

	"syscallstory/explain"
	"syscallstory/fix"
	"syscallstory/from/edits"
	"syscallstory/kernel"
	"syscallstory/seccomp"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestManagerOf(t *testing.T) {
	for path, want := range map[string]world.Manager{
		"/docker/" + id:                                    {Name: "docker", ID: id[:12]},
		"/system.slice/docker-" + id + ".scope":            {Name: "docker", ID: id[:12]},
		"/system.slice/docker-" + id + ".scope/init":       {Name: "docker", ID: id[:12]},
		"/machine.slice/libpod-" + id + ".scope/container": {Name: "podman", ID: id[:12]},
		"/libpod_parent/" + id:                             {Name: "podman", ID: id[:12]},
		"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope/container":               {Name: "podman", ID: id[:12]},
		"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-containerd-" + id + ".scope": {Name: "kubernetes", ID: id[:12]},
		"/kubepods/burstable/pod1/" + id:                            {Name: "kubernetes", ID: id[:12]},
		"/kubepods.slice/kubepods-pod1.slice/crio-" + id + ".scope": {Name: "kubernetes", ID: id[:12]},
		"/system.slice/nginx.service":                               {Name: "systemd", ID: "nginx.service"},
		"/user.slice/user-1000.slice/user@1000.service":             {},
		"/user.slice/user-1000.slice/session-3.scope":               {},
		"/docker/short": {}, "/": {}, "": {}, "/.service": {}, "/docker-" + strings.Repeat("z", 64) + ".scope": {},
	} {
		if got := edits.ManagerOf(path); got != want {
			t.Errorf("%q: %+v, want %+v", path, got, want)
		}
	}
}

func TestContainerOf(t *testing.T) {
	other := strings.Repeat("f", 64)
	for path, want := range map[string][2]string{
		"/docker/" + id: {id, "docker"}, "/system.slice/docker-" + id + ".scope/init": {id, "docker"}, "/custom/" + id: {id, ""}, "/" + id: {id, ""},
		"/kubepods/burstable/pod1/" + id: {id, "kubernetes"}, "/kubepods.slice/kubepods-pod1.slice/crio-" + id + ".scope/container": {id, "kubernetes"},
		"/docker/" + other + "/docker/" + id:            {id, "docker"}, // one in another
		"/machine.slice/libpod-conmon-" + id + ".scope": {}, "/kubepods.slice/crio-conmon-" + id + ".scope": {}, "/docker/" + id[:12]: {}, "/": {},
	} {
		if got, engine := edits.ContainerOf(path); got != want[0] || engine != want[1] {
			t.Errorf("%q: %s of %q, want %v", path, got, engine, want)
		}
	}
}

// machine is a task on a tmpfs with two files.
func machine(change func(w *world.World)) *edits.Machine {
	return &edits.Machine{PID: "7", Near: true, Read: func() (*world.World, error) {
		w := world.New()
		at := w.Text("the test")
		dir := world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, Nlink: 2, At: at}
		sb := w.FS.NewSB(world.SB{Type: "tmpfs", Name: "tmpfs", At: at, FlagsAt: at}, dir)
		root := world.Path{Dentry: w.FS.SB(sb).Root}
		root.Mount = w.Attach(world.Path{}, world.Mount{Root: root.Dentry, SB: sb, Point: "/", Origin: at, Why: at})
		w.MountNS = []world.MountNS{{Root: root.Mount}}
		w.FS.Add(root.Dentry, "it's", world.Inode{Mode: world.TypeReg | 0o600, UID: 5, GID: 5, Known: world.KnownAll, Nlink: 1, At: at})
		w.FS.Add(root.Dentry, "d", dir)
		w.FS.Add(root.Dentry, "kvm", world.Inode{Mode: world.TypeChar | 0o666, Major: 10, Minor: 232, Known: world.KnownAll, Nlink: 1, At: at})
		w.Kernel, _ = kernel.ParseRelease("6.18")
		w.KernelAt = at
		w.Arch = "x86_64"
		w.LSMs = world.Given([]string{"capability"}, at)
		w.Task = world.Task{Root: root, Cwd: root, CwdAt: at, Umask: world.Given(uint16(0o22), at), FDsAt: at, NoFile: world.Given(1024, at), OpenFDs: world.Given(3, at), PID: 7,
			Devices: world.Devices{All: true, At: at}, LandlockAt: at, Threads: world.Given(1, at), FSUsers: world.Given(1, at), NS: w.InitialNamespaces(at), Seccomp: world.Seccomp{At: at},
			Cred: world.Cred{UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at, NoNewAt: at, SecurebitsAt: at}}
		change(w)
		return w, nil
	}}
}

func bind(w *world.World) (*explain.Judge, error) { return explain.Bind(w, nil) }

// TestWords are fixes in the words of whoever has started the process; none of them is left unverified.
func TestWords(t *testing.T) {
	by := func(name, id string) func(*world.World) {
		return func(w *world.World) { w.Manager = world.Given(world.Manager{Name: name, ID: id}, w.Text("the test")) }
	}
	user := func(w *world.World) {
		cr := &w.Task.Cred
		cr.RUID, cr.EUID, cr.SUID, cr.FSUID = 9, 9, 9, 9
		cr.RGID, cr.EGID, cr.SGID, cr.FSGID = 9, 9, 9, 9
	}
	filtered := func(w *world.World) {
		p, err := seccomp.Parse("p.json", []byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["getpid","mkdir"],"action":"SCMP_ACT_ERRNO"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		prog, err := p.Resolve(seccomp.Target{ABI: syscalls.X8664}).Compile()
		if err != nil {
			t.Fatal(err)
		}
		w.Task.Seccomp = world.Seccomp{Mode: world.SeccompFilters, Filters: []world.Filter{{Name: "filter 0", Program: prog.Raw()}}, At: w.Text("the test")}
	}
	pod := by("kubernetes", "")
	for _, c := range []struct {
		name   string
		change []func(*world.World)
		call   string
		want   []string // in this order, among others
	}{
		{"docker, root", []func(*world.World){by("docker", "x")}, `chroot("/d")`, []string{"docker run --cap-add=SYS_CHROOT …"}},
		{"docker, user", []func(*world.World){by("docker", "x"), user}, `chroot("/d")`, []string{"docker run --cap-add=SYS_CHROOT … & docker run --user 0:9 …"}},
		{"podman, user", []func(*world.World){by("podman", "x"), user}, `chroot("/d")`, []string{"podman run --cap-add=SYS_CHROOT …"}},
		{"pod", []func(*world.World){pod}, `chroot("/d")`, []string{"securityContext:\n  capabilities:\n    add: [SYS_CHROOT]"}},
		{"systemd", []func(*world.World){by("systemd", "x.service"), user}, `chroot("/d")`, []string{"systemctl edit x.service\n[Service]\nCapabilityBoundingSet=CAP_SYS_CHROOT\nAmbientCapabilities=CAP_SYS_CHROOT"}},
		{"nobody", []func(*world.World){user}, `chroot("/d")`, []string{"setpriv --inh-caps +sys_chroot --ambient-caps +sys_chroot PROGRAM"}},
		{"a quoted name", []func(*world.World){user}, `open("/it's", O_RDONLY)`, []string{`setfacl -m u:9:r '/it'\''s'`, `chown 9 '/it'\''s'`}},
		{"a filter", []func(*world.World){by("docker", "x"), filtered}, `getpid()`, []string{`docker run --security-opt seccomp=profile.json # with {"names": ["getpid"], "action": "SCMP_ACT_ALLOW"} …`}},
		{"a filter of a unit", []func(*world.World){by("systemd", "x.service"), filtered}, `mkdir("/d/x", 0700)`, []string{"systemctl edit x.service\n[Service]\nSystemCallFilter=mkdir"}},
		{"a device", []func(*world.World){by("docker", "x"), func(w *world.World) { w.Task.Devices.All = false }}, `open("/kvm", O_RDWR)`, []string{"docker run --device=/kvm …"}},
		{"a user namespace", []func(*world.World){by("docker", "x"), userns}, `mknod("/d/n", S_IFBLK|0600, makedev(7, 0))`, []string{"docker run --userns=host …"}},
		{"a network of another user namespace", []func(*world.World){pod, userns}, `socket(AF_PACKET, SOCK_RAW, 0)`, []string{"hostNetwork: false"}},
		{"no escalation", []func(*world.World){pod}, `seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=1, filter=[BPF_STMT(BPF_RET|BPF_K, SECCOMP_RET_ALLOW)]})`, []string{"securityContext:\n  allowPrivilegeEscalation: false"}},
		{"a locked mount", []func(*world.World){by("docker", "x"), userns, func(w *world.World) {
			w.MountNS[0].Owner, w.MountNS[0].LocksAt = 1, w.Miss("locks", "")
			w.Mounts[1].Flags |= world.MountReadOnly
		}}, `mkdir("/d/x", 0700)`, []string{"docker run --mount type=bind,src=…,dst=/ … & chown 1000 /d"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			call, err := syscalls.Parse(syscalls.X8664, c.call)
			if err != nil {
				t.Fatal(err)
			}
			fixes, err := fix.Search(machine(func(w *world.World) {
				for _, f := range c.change {
					f(w)
				}
			}), bind, call)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range fixes {
				text := f.Patch
				for _, p := range f.With {
					text += " & " + p.Patch
				}
				got = append(got, text)
				if !f.Verified && c.name != "a device" { // the driver has the last word
					t.Errorf("%q is not verified", text)
				}
			}
			at := -1
			for _, w := range c.want {
				i := slices.Index(got, w)
				if i < 0 || i < at {
					t.Errorf("%q is not there, or not in its place, among\n%s", w, strings.Join(got, "\n"))
				}
				at = i
			}
		})
	}
}

// userns puts the task into a user namespace that maps ids from 1000 on, as its root.
func userns(w *world.World) {
	m := world.IDMap{{Inside: 0, Outside: 1000, Count: 100}}
	w.UserNS = append(w.UserNS, world.UserNS{Level: 1, UIDs: m, GIDs: m, Name: "child"})
	cr := &w.Task.Cred
	cr.UserNS = 1
	cr.RUID, cr.EUID, cr.SUID, cr.FSUID = 1000, 1000, 1000, 1000
	cr.RGID, cr.EGID, cr.SGID, cr.FSGID = 1000, 1000, 1000, 1000
	cr.Effective, cr.Permitted, cr.Bounding = world.AllCaps, world.AllCaps, world.AllCaps
}

// TestSettled: settings that the kernel does not take back are not offered.
func TestSettled(t *testing.T) {
	for _, c := range []struct {
		value int
		kind  string
	}{{1, "process"}, {2, "node"}} {
		call, err := syscalls.Parse(syscalls.X8664, `bpf(BPF_MAP_CREATE, {map_type=BPF_MAP_TYPE_ARRAY, key_size=4, value_size=4, max_entries=1}, 72)`)
		if err != nil {
			t.Fatal(err)
		}
		fixes, err := fix.Search(machine(func(w *world.World) {
			w.Sysctls[kernel.UnprivilegedBPFDisabled] = world.Given(c.value, w.Text("the test"))
			for i := range w.Features {
				w.Features[i] = world.Given(true, w.Text("the test"))
			}
		}), bind, call)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(fixes, func(f story.Fix) bool { return f.Kind == "node" }) != (c.kind == "node") {
			t.Errorf("kernel.unprivileged_bpf_disabled=%d: %+v", c.value, fixes)
		}
	}
}

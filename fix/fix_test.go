package fix_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/explain"
	"syscallstory/fix"
	"syscallstory/from/node"
	"syscallstory/from/pod"
	"syscallstory/overlay"
	"syscallstory/seccomp/docker"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

const nodeFile = `
kernel: {release: "6.18.0", arch: x86_64}
lsm: {active: [capability], bpfPrograms: []}
sysctls: {fs.protected_symlinks: 1, fs.protected_hardlinks: 1, fs.protected_fifos: 1, fs.protected_regular: 2, vm.mmap_min_addr: 65536, vm.memfd_noexec: 2,
  user.max_time_namespaces: 0, kernel.unprivileged_userns_clone: 0, user.max_user_namespaces: 100, kernel.dmesg_restrict: 1, kernel.io_uring_disabled: 2}
features: {CONFIG_PRINTK: true, CONFIG_IO_URING: true, CONFIG_SWAP: true}
engine: {name: docker, version: "28"}
kubelet: {version: "1.37.0", seccompDefault: false}
mounts:
- {mountPoint: /, fsType: ext4, options: [rw], propagation: private}
- {mountPoint: /nodev, fsType: ext4, options: [rw, nodev, noexec, nosymfollow], propagation: private}
- {mountPoint: /rofs, fsType: ext4, options: [ro], propagation: private}
`

const owners = `
./data type=dir mode=0755 uid=1000 gid=1000
./data/f600 type=file mode=0600 uid=1000 gid=1000
./data/f666 type=file mode=0666 uid=1000 gid=1000
./data/f060 type=file mode=0060 uid=1000 gid=3000
./data/acl type=file mode=0660 uid=1000 gid=1000 acl=user::rw-,user:7:---,group::r--,mask::rw-,other::---
./data/immutable type=file mode=0666 uid=1000 gid=1000 flags=schg
./data/append type=file mode=0666 uid=1000 gid=1000 flags=sappnd
./data/far type=file mode=0666 uid=100000 gid=100000
./data/far600 type=file mode=0600 uid=100000 gid=100000
./data/sticky type=dir mode=1777 uid=0 gid=0
./data/sticky/f type=file mode=0666 uid=1000 gid=1000
./data/sticky/l type=link mode=0777 uid=1000 gid=1000 link=../f666
./data/d700 type=dir mode=0700 uid=1000 gid=1000
./nodev type=dir mode=0755 uid=0 gid=0
./nodev/prog type=file mode=0755 uid=0 gid=0
./rofs/f type=file mode=0666 uid=0 gid=0
./data/f7 type=file mode=0644 uid=7 gid=7
./data/appdir type=dir mode=0777 uid=0 gid=0 flags=sappnd
./data/appdir/f type=file mode=0666 uid=0 gid=0
`

// hostRoot makes the files of the table.
func hostRoot(t *testing.T) (host, image string) {
	t.Helper()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	host, image = filepath.Join(dir, "host"), filepath.Join(dir, "image")
	for _, d := range []string{"host/data/sticky", "host/data/appdir", "host/rofs", "host/data/d700", "host/nodev", "host/var/lib/kubelet/seccomp", "image/etc", "image/tmp"} {
		must(os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	for _, f := range []string{"f600", "f666", "f060", "acl", "immutable", "append", "far", "far600", "sticky/f", "d700/in", "f7", "appdir/f", "../rofs/f"} {
		must(os.WriteFile(filepath.Join(host, "data", f), []byte("x"), 0o644))
	}
	must(os.WriteFile(filepath.Join(host, "nodev/prog"), []byte("x"), 0o755))
	must(os.WriteFile(filepath.Join(image, "etc/passwd"), []byte("root:x:0:0::/:/bin/sh\n"), 0o644))
	must(os.WriteFile(filepath.Join(host, "var/lib/kubelet/seccomp/p.json"), []byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["open","stat"],"action":"SCMP_ACT_ERRNO"}]}`), 0o644))
	for name, to := range map[string]string{"data/sticky/l": "../f666", "data/loop": "loop", "data/l": "f666", "nodev/l": "prog"} {
		must(os.Symlink(to, filepath.Join(host, name)))
	}
	must(unix.Mkfifo(filepath.Join(host, "data/fifo"), 0o666))
	must(unix.Mknod(filepath.Join(host, "data/sock"), unix.S_IFSOCK|0o666, 0))
	return host, image
}

func podOf(container, spec string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n" + spec + `  containers:
  - name: c
    image: i
` + container + `    volumeMounts:
    - {name: data, mountPath: /data}
    - {name: nodev, mountPath: /nodev}
    - {name: ro, mountPath: /ro, readOnly: true}
    - {name: cfg, mountPath: /cfg}
    - {name: rofs, mountPath: /rofs}
  volumes:
  - {name: data, hostPath: {path: /data}}
  - {name: nodev, hostPath: {path: /nodev}}
  - {name: ro, hostPath: {path: /data}}
  - {name: rofs, hostPath: {path: /rofs}}
  - {name: cfg, configMap: {name: x, items: [{key: a, path: a}]}}
`
}

// podCase is a call of a Pod's container, the check that refuses it, and of which kind the best fix is.
type podCase struct {
	code            story.Code
	container, spec string
	call            string
	kind            string
}

const drop = "    securityContext: {capabilities: {drop: [ALL]}}\n"

func uid(n string) string {
	return "    securityContext: {runAsUser: " + n + ", runAsGroup: " + n + "}\n"
}

var long = strings.Repeat("n", 256)

const userns = "  hostUsers: false\n"

// podCases are those of the calls that open and look at files.
var podCases = []podCase{
	{story.SeccompFilter, "    securityContext: {seccompProfile: {type: Localhost, localhostProfile: p.json}}\n", "", `open("/data/f666", O_RDONLY)`, "profile"},
	{story.SeccompFilter, "    securityContext: {seccompProfile: {type: RuntimeDefault}}\n", "", `kcmp(1, 1, 0, 0, 0)`, ""},
	{story.PathFault, "", "", `open(NULL, O_RDONLY)`, "call"},
	{story.PathEmpty, "", "", `open("", O_RDONLY)`, "call"},
	{story.PathTooLong, "", "", `stat("` + strings.Repeat("/data", 900) + `")`, "call"},
	{story.PathDirfd, "", "", `openat(99, "data", O_RDONLY)`, "call"},
	{story.PathDirfdType, "", "", `openat(9</data/f666>, "data", O_RDONLY)`, "call"},
	{story.NameMissing, "", "", `open("/data/none", O_RDONLY)`, "host"},
	{story.NameMissing, "", "", `open("/none/sub/file", O_RDWR)`, "image"},
	{story.NameTooLong, "", "", `open("/data/` + long + `", O_WRONLY|O_CREAT, 0644)`, "call"},
	{story.NotDirectory, "", "", `open("/data/f666/x", O_RDONLY)`, "call"},
	{story.SymlinkLimit, "", "", `open("/data/loop", O_RDONLY)`, "host"},
	{story.SymlinkRefused, "", "", `openat2(AT_FDCWD, "/data/l", {flags=O_RDONLY, resolve=RESOLVE_NO_SYMLINKS})`, "call"},
	{story.ScopeEscape, "", "", `openat2(AT_FDCWD, "/data", {flags=O_RDONLY, resolve=RESOLVE_BENEATH})`, "call"},
	{story.ScopeMount, "", "", `openat2(AT_FDCWD, "data", {flags=O_RDONLY, resolve=RESOLVE_NO_XDEV})`, "call"},
	{story.WantDirectory, "", "", `open("/data/f666", O_RDONLY|O_DIRECTORY)`, "call"},
	{story.CreateTrailingSlash, "", "", `open("/data/new/", O_WRONLY|O_CREAT, 0644)`, "call"},
	{story.CreateExists, "", "", `open("/data/f666", O_WRONLY|O_CREAT|O_EXCL, 0644)`, "call"},
	{story.OpenDirectoryWrite, "", "", `open("/data", O_WRONLY)`, "call"},
	{story.OpenSymlink, "", "", `open("/data/l", O_RDONLY|O_NOFOLLOW)`, "call"},
	{story.LookupCached, "", "", `openat2(AT_FDCWD, "/data/f666", {flags=O_RDWR|O_CREAT, mode=0644, resolve=RESOLVE_CACHED})`, "call"},
	{story.MountReadOnly, "", "", `open("/ro/f666", O_WRONLY)`, "yaml"},
	{story.MountReadOnly, "", "", `open("/cfg/a", O_WRONLY)`, "call"},
	{story.MountReadOnly, "    securityContext: {readOnlyRootFilesystem: true}\n", "", `open("/tmp/x", O_WRONLY|O_CREAT, 0600)`, "yaml"},
	{story.MountReadOnly, "    securityContext: {readOnlyRootFilesystem: true}\n", "", `open("/etc/passwd", O_WRONLY)`, "yaml"},
	{story.MountNoExec, "", "", `access("/nodev/prog", X_OK)`, "node"},
	{story.MountNoSymFollow, "", "", `open("/nodev/l", O_RDONLY)`, "node"},
	{story.VolumeMountRefused, "", "    # propagation\n", `open("/data", O_RDONLY)`, "yaml"},
	{story.RunAsNonRoot, "    securityContext: {runAsNonRoot: true, runAsUser: 0}\n", "", `open("/data", O_RDONLY)`, "yaml"},
	{story.ModeBits, drop, "", `open("/data/f600", O_RDONLY)`, ""},
	{story.ModeBits, uid("7"), "", `open("/data/f600", O_RDWR)`, ""},
	{story.ModeBits, uid("7"), "", `open("/data/f060", O_WRONLY)`, ""},
	{story.ModeBits, uid("7"), "", `open("/data/d700/in", O_RDONLY)`, ""},
	{story.ModeBits, uid("7"), "", `open("/data/new", O_WRONLY|O_CREAT, 0644)`, ""},
	{story.ModeBits, uid("7"), "", `open("/etc/passwd", O_WRONLY)`, ""},
	{story.ModeNoExec, "", "", `access("/data/f666", X_OK)`, "host"},
	{story.ACLBits, uid("7"), "", `open("/data/acl", O_RDONLY)`, ""},
	{story.Immutable, "", "", `open("/data/immutable", O_WRONLY)`, "host"},
	{story.AppendOnly, "", "", `open("/data/append", O_WRONLY)`, "host"},
	{story.ProtectedCreate, "", "", `open("/data/sticky/f", O_WRONLY|O_CREAT, 0644)`, ""},
	{story.ProtectedSymlink, "", "", `open("/data/sticky/l", O_RDONLY)`, ""},
	{story.OpenNoAtime, uid("7"), "", `open("/data/f666", O_RDONLY|O_NOATIME)`, ""},
	{story.UserNSOwner, "", userns, `open("/data/far600", O_RDONLY)`, "host"},
	{story.UserNSWrite, "", userns, `open("/data/far", O_WRONLY)`, "host"},
	{story.OpenFlags, "", "", `open("/data", O_RDONLY|O_CREAT|O_DIRECTORY, 0644)`, "call"},
	{story.OpenHow, "", "", `openat2(AT_FDCWD, "/data", {flags=O_RDONLY, resolve=0}, 8)`, "call"},
	{story.StatFlags, "", "", `newfstatat(AT_FDCWD, "/data", 0x1000, AT_EACCESS)`, "call"},
	{story.AccessMode, "", "", `faccessat2(AT_FDCWD, "/data", R_OK, 0x800)`, "call"},
	{story.NoTmpfile, "", "", `open("/proc", O_RDWR|O_TMPFILE, 0600)`, ""},
	{story.OpenSocket, "", "", `open("/data/sock", O_RDONLY)`, "call"},
	{story.NoDirectIO, "", "", `open("/data", O_RDONLY|O_DIRECT)`, "call"},
	{story.CapNeeded, "    securityContext: {capabilities: {drop: [MKNOD]}}\n", "", `mknod("/data/new", S_IFBLK|0600, makedev(7, 0))`, ""},
	{story.CapNeeded, drop, "", `chroot("/data")`, ""},
	{story.CapNeeded, drop, "", `chown("/data/f666", 0, 0)`, ""},
	{story.StickyDelete, uid("7"), "", `unlink("/data/sticky/f")`, ""},
	{story.OwnerOnly, uid("7"), "", `chmod("/data/f666", 0600)`, ""},
	{story.ProtectedHardlink, uid("7"), "", `link("/data/f600", "/data/sticky/new")`, ""},
	{story.FixedAttributes, "", "", `chmod("/data/immutable", 0600)`, "host"},
	{story.MountReadOnly, "", "", `mkdir("/ro/new", 0755)`, "yaml"},
	{story.ArgFault, "", "", `stat("/data", NULL)`, "call"},
}

// TestEveryDenialHasAFix makes every refusal that the routes can produce of a Pod, and expects a verified fix of it; codesWithout
// lists those that have none, with the reason.
func TestEveryDenialHasAFix(t *testing.T) {
	host, image := hostRoot(t)
	for _, c := range slices.Concat(podCases, podFamilies) {
		in := c.input(t, host, image)
		checkFix(t, in, c.code, c.call, c.kind)
	}
}

// input is the Pod with its node; where it does not say as which user it runs, its root.
func (c *podCase) input(t *testing.T, host, image string) world.Input {
	t.Helper()
	n, err := node.Parse("node.yaml", []byte(nodeFile))
	if err != nil {
		t.Fatal(err)
	}
	text := podOf(c.container, c.spec)
	if strings.Contains(c.spec, "propagation") {
		text = strings.Replace(text, "mountPath: /data}", "mountPath: /data, mountPropagation: HostToContainer}", 1)
	}
	if strings.Contains(c.spec, "# type") {
		text = strings.Replace(text, "hostPath: {path: /data}", "hostPath: {path: /data, type: File}", 1)
	}
	ws, err := pod.Parse("pod.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	in := ws[0].Input(pod.Options{Rootfs: image, HostRoot: host, Node: n, Owners: []byte(owners), OwnersAt: "owners.mtree", Merger: overlay.Merger{}})
	uid0 := uint32(0)
	var wi world.WhatIf
	if !strings.Contains(c.container, "runAs") {
		wi = world.WhatIf{UID: &uid0, GID: &uid0}
	}
	return wi.Over(in)
}

// unsure are the codes behind whose fix something else decides that is not known: the fix is offered, and not verified.
var unsure = map[story.Code]string{
	story.SeccompFilter: "kcmp has no route",
	story.HandleDecode:  "what the handle leads to",
	story.LeaseOwner:    "who else has the file open",
	story.MemoryLock:    "what the task has mapped",
}

// checkFix expects that a call is refused by a check, and that there is a verified fix.
func checkFix(t *testing.T, in world.Input, code story.Code, text, kind string) {
	t.Helper()
	w, err := in.World()
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return
	}
	j, err := bind(w)
	if err != nil {
		t.Fatal(err)
	}
	call, err := syscalls.Parse(j.ABI(), text)
	if err != nil {
		t.Fatal(err)
	}
	r, refused := j.Refused(call)
	if !refused || r.Step.Code != code {
		s := j.Story(call)
		t.Errorf("%.80s: %s by %v, want %v\n%+v", text, s.Verdict, r.Step.Code, code, s.Missing)
		return
	}
	fixes, err := fix.Search(in, bind, call)
	if err != nil {
		t.Fatal(err)
	}
	if len(fixes) == 0 || !fixes[0].Verified && unsure[code] == "" {
		t.Errorf("%.80s (%v): no verified fix, but %d others", text, code, len(fixes))
		return
	}
	if kind != "" && fixes[0].Kind != kind {
		t.Errorf("%.80s (%v): the best fix is of kind %s, want %s: %+v", text, code, fixes[0].Kind, kind, fixes[0])
	}
	minimal(t, text, fixes)
}

// minimal expects that nothing of last resort is offered where something else helps.
func minimal(t *testing.T, call string, fixes []story.Fix) {
	t.Helper()
	if len(fixes) < 2 {
		return
	}
	for _, f := range fixes[1:] {
		if strings.Contains(f.Patch, "privileged: true") || strings.Contains(f.Patch, "Unconfined") {
			t.Errorf("%.80s: %q is offered beside %q", call, f.Text, fixes[0].Text)
		}
	}
}

func bind(w *world.World) (*explain.Judge, error) {
	return explain.Bind(w, func(string, string) (string, []byte, string, error) {
		text, err := docker.Default()
		return docker.File, text, "", err
	})
}

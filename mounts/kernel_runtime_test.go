//go:build linux

package mounts

import (
	"bufio"
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"syscallstory/from/live"
	"syscallstory/from/node"
	"syscallstory/from/pod"
	"syscallstory/kernel"
	"syscallstory/world"
)

// TestMain is the container's program too.
func TestMain(m *testing.M) {
	if os.Getenv("STORY_IN_CONTAINER") != "" {
		inContainer()
		return
	}
	os.Exit(m.Run())
}

// inContainer answers with its mount table whenever it is asked, and mounts something on /data/inside once.
func inContainer() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		if in.Text() == "mount" {
			if err := unix.Mount("inside", "/data/inside", "tmpfs", 0, ""); err != nil {
				fmt.Println("error", err)
			}
		}
		text, _ := os.ReadFile("/proc/self/mountinfo")
		fmt.Printf("%s\n", text)
	}
}

// fakeHost runs the test again as root of a mount namespace in which everything is shared. It returns false in the first process.
func fakeHost(t *testing.T) (dir string, inside bool) {
	if os.Getuid() != 0 {
		t.Skip("it makes mounts: run it as root")
	}
	if f, err := elf.Open(os.Args[0]); err == nil {
		libs, _ := f.ImportedLibraries()
		if f.Close(); len(libs) > 0 {
			t.Skip("the test is the container's program and is linked dynamically: set CGO_ENABLED=0, as make test does")
		}
	}
	if dir = os.Getenv("STORY_MOUNTS_TEST"); dir == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), "STORY_MOUNTS_TEST="+t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		out, err := cmd.CombinedOutput()
		if t.Logf("%s", out); err != nil {
			t.Fatal(err)
		}
		return "", false
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	unix.Unmount("/sys/fs/cgroup/unified", 0) // crun 1.8 refuses a hybrid cgroup hierarchy
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	return dir, true
}

// propagations are what is asked for in Kubernetes, with what the engine writes into config.json.
var propagations = []struct{ mode, option, root string }{{"None", "rprivate", ""}, {"HostToContainer", "rslave", "rslave"}, {"Bidirectional", "rshared", "rshared"}}

// TestKernelRuntime starts containers with runc and crun below services with and without mount namespaces of their own, and compares the
// volume's mount, and where events go, with what Plan has foretold.
func TestKernelRuntime(t *testing.T) {
	dir, inside := fakeHost(t)
	if !inside {
		return
	}
	l := newLaunchPad(t, dir)
	for _, runtime := range []string{"runc", "crun"} {
		if _, err := exec.LookPath(runtime); err != nil {
			t.Logf("%s is not installed", runtime)
			continue
		}
		for _, service := range []string{"", "shared", "slave", "private"} {
			for i := range propagations {
				t.Run(fmt.Sprintf("%s/%s/%s", runtime, service, propagations[i].mode), func(t *testing.T) { l.compare(t, runtime, service, i, false) })
				t.Run(fmt.Sprintf("%s/%s/%s/hostUsers: false", runtime, service, propagations[i].mode), func(t *testing.T) { l.compare(t, runtime, service, i, true) })
			}
		}
	}
}

type launchPad struct {
	dir, data, rootfs string
	n                 int
}

func newLaunchPad(t *testing.T, dir string) *launchPad {
	l := &launchPad{dir: dir, data: dir + "/data", rootfs: dir + "/bundle/rootfs"}
	for _, d := range []string{"/data", "/shm", "/token", "/bundle/rootfs/proc", "/bundle/rootfs/dev", "/bundle/rootfs/sys", "/bundle/rootfs/data", "/merged", "/upper", "/work"} {
		if err := os.MkdirAll(dir+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("data", l.data, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"/outside", "/inside"} {
		if err := os.Mkdir(l.data+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for m, flags := range map[string]uintptr{"shm": unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, "token": 0} { // as engine and kubelet mount them
		if err := unix.Mount(m, dir+"/"+m, "tmpfs", flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"hosts", "hostname", "resolv.conf", "termination-log"} {
		if err := os.WriteFile(dir+"/"+name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.rootfs+"/program", exe, 0o755); err != nil {
		t.Fatal(err)
	}
	return l
}

// table reads the mounts of this process.
func table(t *testing.T) []live.TableMount {
	t.Helper()
	tables, _, err := live.MountTables([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	return tables[0].Mounts
}

// foretell plans the container.
func (l *launchPad) foretell(t *testing.T, runtime, service, mode string, own bool) ([]VolumeStory, string) {
	t.Helper()
	privileged := ""
	if mode == "Bidirectional" {
		privileged = "    securityContext: {privileged: true}\n"
	}
	ws, err := pod.Parse("pod.yaml", []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  hostUsers: "+strconv.FormatBool(!own)+"\n  containers:\n  - name: app\n    image: app\n"+privileged+
		"    volumeMounts: [{name: data, mountPath: /data, mountPropagation: "+mode+"}]\n  volumes: [{name: data, hostPath: {path: "+l.data+"}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	n := &node.Node{}
	n.Engine.Name, n.Runtime.Name = "containerd", runtime
	if service != "" {
		if err := n.AddUnit("containerd.service", []byte("[Service]\nPrivateMounts=yes\nMountFlags="+service+"\n")); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Plan(Setup{Node: n, Host: table(t), Pods: ws}, kernel.Release{Major: 6, Minor: 18})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Refused) > 0 {
		return m.Volumes(), ""
	}
	ns, err := m.Named("web/app")
	if err != nil {
		t.Fatal(err)
	}
	return m.Volumes(), kindText(m.tree.Node(m.roots[ns].Mount))
}

// start runs the container below a service.
func (l *launchPad) start(t *testing.T, runtime, service string, p int, own bool) (ask func(string) string) {
	t.Helper()
	bundle := filepath.Dir(l.rootfs)
	spec := exec.Command(runtime, "spec")
	spec.Dir = bundle
	os.Remove(bundle + "/config.json")
	if out, err := spec.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(bundle + "/config.json")
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	process := c["process"].(map[string]any)
	process["terminal"], process["args"], process["env"] = false, []string{"/program"}, []string{"STORY_IN_CONTAINER=1"}
	delete(process, "rlimits")
	caps := []string{"CAP_SYS_ADMIN"}
	process["capabilities"] = map[string]any{"bounding": caps, "effective": caps, "permitted": caps}
	merged := l.dir + "/merged"
	c["root"], c["ociVersion"] = map[string]any{"path": merged}, "1.0.2"
	linux := c["linux"].(map[string]any)
	l.likeContainerd(c, linux, p)
	if own {
		if out, err := exec.Command("unshare", "-U", "true").CombinedOutput(); err != nil {
			t.Skipf("no user namespace can be made: %s", out)
		}
		linux["namespaces"] = append(linux["namespaces"].([]any), map[string]any{"type": "user"})
		ids := []any{map[string]any{"containerID": 0, "hostID": 0, "size": 65536}}
		linux["uidMappings"], linux["gidMappings"] = ids, ids
	}
	if root := propagations[p].root; root != "" {
		linux["rootfsPropagation"] = root
	}
	if text, err = json.Marshal(c); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bundle+"/config.json", text, 0o600); err != nil {
		t.Fatal(err)
	}
	l.n++
	name := fmt.Sprintf("story-plan-%d-%d", os.Getpid(), l.n)
	state := t.TempDir()
	script := ""
	root := "mount -t overlay overlay -o lowerdir=" + l.rootfs + ",upperdir=" + l.dir + "/upper,workdir=" + l.dir + "/work " + merged + " && "
	if service != "" {
		script = "mount --make-rslave / && mount --make-r" + service + " / && "
	}
	cmd := exec.Command("unshare", "-m", "--propagation", "unchanged", "sh", "-c", script+root+"exec "+runtime+" --root "+state+" run --bundle "+bundle+" "+name)
	if service == "" {
		cmd = exec.Command("sh", "-c", root+"exec "+runtime+" --root "+state+" run --bundle "+bundle+" "+name)
		t.Cleanup(func() { unix.Unmount(merged, unix.MNT_DETACH) })
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		timer := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		timer.Stop()
		exec.Command(runtime, "--root", state, "delete", "-f", name).Run()
	})
	answers := bufio.NewReader(out)
	return func(what string) string {
		t.Helper()
		fmt.Fprintln(in, what)
		var all strings.Builder
		for {
			line, err := answers.ReadString('\n')
			if err != nil {
				t.Fatalf("%v: %s", err, errs.String())
			}
			if line == "\n" {
				return all.String()
			}
			all.WriteString(line)
		}
	}
}

// likeContainerd makes the mounts those that containerd asks for, but for the cgroups, which this machine may have in two versions.
func (l *launchPad) likeContainerd(c, linux map[string]any, p int) {
	mount := func(point, typ, source string, options ...string) any {
		return map[string]any{"destination": point, "type": typ, "source": source, "options": options}
	}
	ro := "ro"
	if propagations[p].mode == "Bidirectional" { // a privileged container
		ro = "rw"
		delete(linux, "maskedPaths")
		delete(linux, "readonlyPaths")
	} else {
		linux["maskedPaths"] = []string{"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
			"/sys/firmware", "/sys/devices/virtual/powercap"}
		linux["readonlyPaths"] = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	}
	all := []any{mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"), mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
		mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"), mount("/dev/shm", "bind", l.dir+"/shm", "rbind", "rprivate"),
		mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"), mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", ro), mount("/data", "bind", l.data, "rbind", propagations[p].option)}
	for point, file := range map[string]string{"/etc/hosts": "hosts", "/etc/hostname": "hostname", "/etc/resolv.conf": "resolv.conf", "/dev/termination-log": "termination-log"} {
		all = append(all, mount(point, "bind", l.dir+"/"+file, "rbind", "rprivate"))
	}
	c["mounts"] = append(all, mount("/var/run/secrets/kubernetes.io/serviceaccount", "bind", l.dir+"/token", "rbind", "rprivate", "ro"))
}

// same compares every mount of the container, but for the volume and the cgroups, with what was foretold of it.
func same(t *testing.T, text string, all []VolumeStory) {
	t.Helper()
	lines, err := live.ParseMountTable("the container's", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]*live.TableMount{}
	for i := range lines {
		last[lines[i].Point] = &lines[i]
	}
	compared := 0
	for i := range all {
		s := &all[i]
		m := last[s.Point]
		if delete(last, s.Point); s.Point == "/data" || s.Point == "/sys/fs/cgroup" {
			continue
		}
		if m == nil {
			if s.Unsure == "" {
				t.Errorf("%s is not mounted", s.Point)
			}
			continue
		}
		compared++
		kind, _ := at(text, s.Point)
		flags := s.Flags
		typ, _, _ := strings.Cut(s.Filesystem, " ")
		if s.Source != "" { // where this machine has it is another thing
			typ = m.Type
			flags, _, _ = strings.Cut(flags, ",")
			m.Flags &= world.MountReadOnly
		}
		if m.Type != typ || m.Flags.String() != flags || kind != s.Propagation {
			t.Errorf("%s is %s, %s, %s, want %s, %s, %s", s.Point, m.Type, m.Flags, kind, typ, flags, s.Propagation)
		}
	}
	for point := range last {
		if !strings.HasPrefix(point, "/sys/fs/cgroup") && !strings.HasPrefix(point, "/data/") {
			t.Errorf("%s was not foretold", point)
		}
	}
	if compared < 12 {
		t.Errorf("%d mounts were compared", compared)
	}
}

// at returns the line of a mount table for a mount point, with its optional fields.
func at(text, point string) (kind string, there bool) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) > 6 && f[4] == point {
			shared, slave := strings.Contains(line, " shared:"), strings.Contains(line, " master:")
			switch {
			case shared && slave:
				return "shared and slave", true
			case shared:
				return "shared", true
			case slave:
				return "slave", true
			}
			return "private", true
		}
	}
	return "", false
}

func (l *launchPad) compare(t *testing.T, runtime, service string, p int, own bool) {
	all, root := l.foretell(t, runtime, service, propagations[p].mode, own)
	want := all[0]
	if want.Refused != "" {
		needs := strings.Contains(want.Refused, "but it is not a shared")
		if refused := service == "private" || service == "slave" && p == 2; !refused || !needs {
			t.Errorf("refused: %s", want.Refused)
		}
		return
	}
	ask := l.start(t, runtime, service, p, own)
	text := ask("look")
	same(t, text, all)
	if kind, _ := at(text, "/"); kind != root {
		t.Errorf("the container's root is %q, want %q", kind, root)
	}
	kind, there := at(text, "/data")
	if !there || kind != want.Propagation {
		t.Errorf("the volume is %q, want %q", kind, want.Propagation)
	}
	if err := unix.Mount("outside", l.data+"/outside", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(l.data+"/outside", unix.MNT_DETACH)
	if _, arrived := at(ask("look"), "/data/outside"); arrived != want.In {
		t.Errorf("a mount of the host arrives: %v, want %v", arrived, want.In)
	}
	if text := ask("mount"); strings.HasPrefix(text, "error") {
		t.Fatal(text)
	}
	defer unix.Unmount(l.data+"/inside", unix.MNT_DETACH)
	mine, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if _, seen := at(string(mine), l.data+"/inside"); seen != want.Out {
		t.Errorf("a mount of the container is seen by the host: %v, want %v", seen, want.Out)
	}
}

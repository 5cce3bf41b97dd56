//go:build linux

package live

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// image makes a root filesystem that holds the files of tree in /t, and this program as /serve.
func image(t *testing.T) string {
	t.Helper()
	dir := tree(t)
	root := filepath.Join(t.TempDir(), "rootfs")
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"proc", "dev", "sys", "etc", "tmp", "run", "var"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("cp", "-a", dir, filepath.Join(root, "t")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "serve"), exe, 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

// inContainer are asked of containers beside the calls of calls.
var inContainer = []string{`open("/dev/null", O_RDWR)`, `open("/dev/full", O_RDONLY)`, `mknod("/dev/sda", S_IFBLK|0600, 0x800)`, `open("/dev/sda", O_RDONLY)`, `mknod("/tmp/mem", S_IFCHR|0666, 0x101)`, `open("/tmp/mem", O_RDONLY)`,
	`open("/tmp/x", O_RDWR|O_CREAT, 0600)`, `chown("/tmp/x", 7, 7)`, `mount("tmpfs", "/tmp", "tmpfs", 0, NULL)`, `chroot("/t")`, `open("/serve", O_WRONLY)`, `open("/nowhere", O_RDONLY)`, `mkdir("/new", 0700)`,
	`rmdir("/new")`, `rmdir("/proc")`, `rename("/t/open", "/open")`, `rename("/open", "/t/open")`, `unlink("/dev/zero")`, `mkdir("/proc/x", 0700)`, `open("/proc/x", O_RDWR|O_CREAT, 0600)`, `open("/proc/x", O_RDONLY)`}

// oci runs a program of an OCI runtime on a bundle.
func oci(t *testing.T, runtime, root string, change func(config map[string]any), before string) *server {
	t.Helper()
	bundle := filepath.Dir(root)
	cmd := exec.Command(runtime, "spec")
	cmd.Dir = bundle
	if out, err := cmd.CombinedOutput(); err != nil && !strings.Contains(string(out), "exists") {
		t.Fatalf("%s spec: %v: %s", runtime, err, out)
	}
	path := filepath.Join(bundle, "config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	p := c["process"].(map[string]any)
	p["terminal"], p["args"] = false, []string{"/serve"}
	p["env"] = []string{"LIVE_TEST_CHILD=serve"}
	c["root"] = map[string]any{"path": root, "readonly": false}
	c["ociVersion"] = "1.0.2"
	delete(p, "rlimits") // they are beyond what this machine lets be raised
	if change != nil {
		change(c)
	}
	if text, err = json.Marshal(c); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("story-live-%d-%d", os.Getpid(), time.Now().UnixNano())
	state := t.TempDir()
	// crun 1.8 refuses a hybrid cgroup hierarchy: where there is one it sees the older half only.
	run := "umount /sys/fs/cgroup/unified 2>/dev/null; " + before + " exec " + runtime + " --root " + state + " "
	cmd = exec.Command("unshare", "-m", "sh", "-c", run+"run --bundle "+bundle+" --pid-file "+bundle+"/pid "+name)
	t.Cleanup(func() {
		exec.Command("unshare", "-m", "sh", "-c", "umount /sys/fs/cgroup/unified 2>/dev/null; "+runtime+" --root "+state+" delete -f "+name).Run()
	})
	return started(t, cmd, func() string {
		pid, _ := os.ReadFile(bundle + "/pid")
		return string(pid)
	})
}

// started waits for a container's program and finds its process.
func started(t *testing.T, cmd *exec.Cmd, pid func() string) *server {
	t.Helper()
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		cmd.Wait()
		if t.Failed() && errs.Len() > 0 {
			t.Log(errs.String())
		}
	})
	s := (&server{t: t}).connect(in, out)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		n, err := strconv.Atoi(strings.TrimSpace(pid()))
		if s.pid = n; err == nil {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatal("the container's process is not told")
		}
	}
}

// user changes who a container's program is.
func user(id int) func(map[string]any) {
	return func(c map[string]any) {
		c["process"].(map[string]any)["user"] = map[string]any{"uid": id, "gid": id, "additionalGids": []int{50}}
	}
}

// TestKernelLiveContainers: processes of containers that Debian's runc and crun have started.
func TestKernelLiveContainers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("starting containers with runc and crun needs root")
	}
	filter := func(c map[string]any) {
		c["linux"].(map[string]any)["seccomp"] = json.RawMessage(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["chmod", "symlink"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18},
			{"names": ["mknod"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13, "args": [{"index": 1, "op": "SCMP_CMP_MASKED_EQ", "value": 61440, "valueTwo": 8192}]}]}`)
	}
	userNS := func(c map[string]any) {
		linux := c["linux"].(map[string]any)
		linux["namespaces"] = append(linux["namespaces"].([]any), map[string]string{"type": "user"})
		m := []map[string]int{{"containerID": 0, "hostID": 100000, "size": 65536}}
		linux["uidMappings"], linux["gidMappings"] = m, m
	}
	for _, runtime := range []string{"runc", "crun"} {
		if _, err := exec.LookPath(runtime); err != nil {
			t.Skipf("%s is not installed", runtime)
		}
		for name, c := range map[string]struct {
			change  func(map[string]any)
			overlay bool
		}{"root": {nil, false}, "user": {user(1000), false}, "filter": {filter, false}, "user namespace": {userNS, false}, "overlay": {nil, true}, "overlay and user": {user(1000), true}} {
			t.Run(runtime+"/"+name, func(t *testing.T) {
				root, before := image(t), ""
				if c.overlay {
					merged := filepath.Join(filepath.Dir(root), "merged")
					before = fmt.Sprintf("cd %s && mkdir merged upper work && chmod 755 merged upper && mount -t overlay overlay -o lowerdir=%s,upperdir=$PWD/upper,workdir=$PWD/work merged && ", filepath.Dir(root), root)
					root = merged
				}
				s := oci(t, runtime, root, func(config map[string]any) {
					if config["root"].(map[string]any)["path"] = root; c.change != nil {
						c.change(config)
					}
				}, before)
				s.compare(append(calls("/t"), inContainer...))
			})
		}
	}
}

// TestKernelLivePodman: a process of a container that Debian's podman has started, under its default filter.
func TestKernelLivePodman(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("starting containers with podman's own runtime needs root")
	}
	if _, err := exec.LookPath("podman"); err != nil {
		t.Skip("podman is not installed")
	}
	for name, flags := range map[string][]string{"privileged": {"--privileged"}, "read-only": {"--read-only", "--tmpfs", "/tmp", "--security-opt", "no-new-privileges"}} {
		t.Run(name, func(t *testing.T) {
			root := image(t)
			dir := filepath.Dir(root)
			// Nothing beyond this process's own limits is asked for, and no systemd.
			for file, text := range map[string]string{
				"containers.conf": "[containers]\ncgroupns = \"private\"\nnetns = \"host\"\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nruntime = \"runc\"\n",
				"storage.conf":    "[storage]\ndriver = \"vfs\"\nrunroot = \"" + dir + "/run\"\ngraphroot = \"" + dir + "/graph\"\n",
			} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			env := append(os.Environ(), "CONTAINERS_CONF="+dir+"/containers.conf", "CONTAINERS_STORAGE_CONF="+dir+"/storage.conf")
			args := append([]string{"run", "--rm", "-i", "--name", "live", "--network", "none", "--pidfile", dir + "/pid", "-e", "LIVE_TEST_CHILD=serve"}, flags...)
			cmd := exec.Command("podman", append(args, "--rootfs", root, "/serve")...)
			cmd.Env = env
			t.Cleanup(func() {
				rm := exec.Command("podman", "rm", "-f", "-t", "0", "live")
				rm.Env = env
				rm.Run()
			})
			s := started(t, cmd, func() string {
				pid, _ := os.ReadFile(dir + "/pid")
				return string(pid)
			})
			s.open = []string{"undetermined [0 EIO ENXIO]"} // what a device's driver answers
			s.compare(append(calls("/t"), inContainer...))
		})
	}
}

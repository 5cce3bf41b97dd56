// Command start times containers from start to exit, ours beside runc, crun and unshare, in interleaved rounds: make
// bench-start. All open one file under Docker's default filter with the default capabilities, in namespaces of their own, and
// none sets cgroup limits.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/seccomp"
	"syscallstory/seccomp/docker"
	"syscallstory/syscalls"
	"syscallstory/world"
)

func main() {
	rounds := flag.Int("rounds", 40, "interleaved rounds")
	story := flag.String("story", "bin/story", "the program that make build has made")
	flag.Parse()
	if os.Getuid() != 0 {
		log.Fatal("run it as root: the peers need it")
	}
	dir, err := os.MkdirTemp("", "story-bench")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := bundle(dir); err != nil {
		log.Fatal(err)
	}
	program, err := filepath.Abs(*story)
	if err != nil {
		log.Fatal(err)
	}
	manifest := filepath.Join(dir, "pod.yaml")
	// The private mount namespace lets crun do without the hybrid cgroup2 mount, which it refuses.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		log.Fatal(err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		log.Fatal(err)
	}
	unix.Unmount("/sys/fs/cgroup/unified", unix.MNT_DETACH)
	n := 0
	peers := []*peer{
		{name: "story", args: func() []string {
			return []string{program, "run", "-q", "-f", manifest, "--rootfs", filepath.Join(dir, "rootfs"), "--uid", "0", "--gid", "0", "--seccomp", "docker", "--perform", `open("/etc/passwd", O_RDONLY)`}
		}},
		{name: "runc", args: func() []string {
			n++
			return []string{"runc", "run", "-b", dir, fmt.Sprintf("bench%d-%d", os.Getpid(), n)}
		}},
		{name: "crun", args: func() []string {
			n++
			return []string{"crun", "--cgroup-manager", "disabled", "run", "-b", dir, fmt.Sprintf("bench%d-%d", os.Getpid(), n)}
		}},
		{name: "unshare", args: func() []string {
			return []string{"unshare", "--fork", "--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup", filepath.Join(dir, "rootfs/t")}
		}},
	}
	for _, p := range slices.Clone(peers) {
		if _, err := exec.LookPath(p.args()[0]); err != nil {
			fmt.Printf("%s is not installed: left out\n", p.name)
			peers = slices.DeleteFunc(peers, func(q *peer) bool { return q == p })
		}
	}
	for i := range *rounds + 3 {
		for _, p := range peers {
			d, err := p.once()
			if err != nil {
				log.Fatalf("%s: %v", p.name, err)
			}
			if i >= 3 { // the first rounds warm up
				p.times = append(p.times, d)
			}
		}
	}
	fmt.Printf("| start to exit, %d interleaved rounds | min | median | max | story's time over it, median of pairs (95 %%) |\n|---|---|---|---|---|\n", *rounds)
	for _, p := range peers {
		s := slices.Clone(p.times)
		slices.Sort(s)
		fmt.Printf("| %s | %.1f ms | %.1f ms | %.1f ms | %s |\n", p.name, s[0], s[len(s)/2], s[len(s)-1], ratio(peers[0].times, p.times))
	}
}

type peer struct {
	name  string
	args  func() []string
	times []float64 // ms
}

func (p *peer) once() (float64, error) {
	a := p.args()
	cmd := exec.Command(a[0], a[1:]...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	d := float64(time.Since(start).Microseconds()) / 1000
	if err != nil {
		return 0, fmt.Errorf("%v: %s", err, out)
	}
	return d, nil
}

// ratio is the median of the paired ratios with its bootstrap interval.
func ratio(a, b []float64) string {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	median := func(v []float64) float64 {
		v = slices.Clone(v)
		slices.Sort(v)
		return v[len(v)/2]
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var boot []float64
	for range 2000 {
		sample := make([]float64, len(r))
		for i := range sample {
			sample[i] = r[rng.IntN(len(r))]
		}
		boot = append(boot, median(sample))
	}
	slices.Sort(boot)
	return fmt.Sprintf("%.2f (%.2f to %.2f)", median(r), boot[50], boot[1949])
}

// exit is a program that only ends: mov $60, %eax; xor %edi, %edi; syscall, in the smallest ELF file.
var exit = []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00\x01\x00\x00\x00\x78\x00\x40\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x00\x38\x00\x01\x00\x00\x00\x00\x00\x00\x00" +
	"\x01\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x81\x00\x00\x00\x00\x00\x00\x00\x81\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00" +
	"\xb8\x3c\x00\x00\x00\x31\xff\x0f\x05")

// bundle makes a root filesystem, the configuration for the peers and the manifest for story.
func bundle(dir string) error {
	for _, d := range []string{"rootfs/etc", "rootfs/proc", "rootfs/dev", "rootfs/sys"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "rootfs/t"), exit, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "rootfs/etc/passwd"), []byte("root:x:0:0::/:/bin/sh\n"), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "pod.yaml"), []byte("kind: Pod\nmetadata: {name: bench}\nspec: {automountServiceAccountToken: false, containers: [{name: c, image: i}]}\n"), 0o644); err != nil {
		return err
	}
	spec := exec.Command("runc", "spec")
	spec.Dir = dir
	if out, err := spec.CombinedOutput(); err != nil {
		return fmt.Errorf("runc spec: %v %s", err, out)
	}
	file := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		return err
	}
	caps := []string{"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"}
	var set world.CapSet
	for i, n := range caps {
		k, _ := kernel.ParseCap(n)
		set |= world.Caps(k)
		caps[i] = "CAP_" + n
	}
	proc := c["process"].(map[string]any)
	proc["args"], proc["terminal"], proc["noNewPrivileges"] = []string{"/t"}, false, false
	delete(proc, "rlimits")
	proc["capabilities"] = map[string]any{"bounding": caps, "effective": caps, "permitted": caps}
	linux := c["linux"].(map[string]any)
	delete(linux, "resources")
	if linux["seccomp"], err = filter(set); err != nil {
		return err
	}
	text, err = json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// filter is Docker's default profile in OCI's words.
func filter(caps world.CapSet) (any, error) {
	text, err := docker.Default()
	if err != nil {
		return nil, err
	}
	p, err := seccomp.Parse(docker.File, text)
	if err != nil {
		return nil, err
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return nil, err
	}
	rel, err := kernel.ParseRelease(unix.ByteSliceToString(uts.Release[:]))
	if err != nil {
		return nil, err
	}
	actions := map[seccomp.Action]string{seccomp.Allow: "SCMP_ACT_ALLOW", seccomp.Errno: "SCMP_ACT_ERRNO"}
	ops := []string{"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"}
	var rules []any
	for _, i := range p.Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: caps, Kernel: rel}).Rules {
		r := &p.Rules[i]
		rule := map[string]any{"names": r.Names, "action": actions[r.Action.Kind()]}
		if r.Action.Kind() == seccomp.Errno {
			rule["errnoRet"] = r.Action.Data()
		}
		var args []any
		for _, a := range r.Args {
			args = append(args, map[string]any{"index": a.Index, "op": ops[a.Op], "value": a.Value, "valueTwo": a.ValueTwo})
		}
		if args != nil {
			rule["args"] = args
		}
		rules = append(rules, rule)
	}
	return map[string]any{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": []string{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}, "syscalls": rules}, nil
}

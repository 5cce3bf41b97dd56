// Package doctor looks at what this kernel and this user can do, for each feature that story uses. It tries things where
// trying leaves nothing behind, and reads the rest.
package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/container"
	"syscallstory/from/node"
	"syscallstory/kernel"
	"syscallstory/world"
)

// Status is what a check has found.
type Status string

const (
	OK      Status = "ok"
	Missing Status = "missing"
	Unknown Status = "unknown"
)

// Check is one feature.
type Check struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Status    Status   `json:"status"`
	Detail    string   `json:"detail"`
	NeededFor []string `json:"neededFor"`
	Advice    string   `json:"advice,omitempty"` // where it is not ok
}

// Report is what doctor prints.
type Report struct {
	SchemaVersion string          `json:"schemaVersion"`
	Kernel        Kernel          `json:"kernel"`
	UID           int             `json:"uid"`
	Checks        []Check         `json:"checks"`
	Can           map[string]bool `json:"can"` // by command
}

// Kernel is the kernel that runs here.
type Kernel struct {
	Release string `json:"release"`
	Arch    string `json:"arch"`
}

// Try launches a container and makes a call in it, and says how that went.
type Try func() (detail string, err error)

// Examine makes every check. try is the proof of story run.
func Examine(try Try) *Report {
	r := &Report{SchemaVersion: "1", UID: os.Getuid(), Can: map[string]bool{}}
	local, err := node.Local()
	if err == nil {
		r.Kernel = Kernel{local.Kernel.Release, local.Kernel.Arch}
	}
	r.add(release(local, err))
	r.add(arch())
	r.add(userNamespaces())
	r.add(ranges())
	r.add(stateDir())
	for _, s := range []struct {
		id, name string
		nr       uintptr
		since    string
	}{{"openat2", "openat2", unix.SYS_OPENAT2, "5.6"}, {"close_range", "close_range", unix.SYS_CLOSE_RANGE, "5.9"}, {"mount_setattr", "mount_setattr (idmapped mounts)", unix.SYS_MOUNT_SETATTR, "5.12"},
		{"statmount", "statmount and listmount", unix.SYS_STATMOUNT, "6.8"}} {
		r.add(syscallThere(s.id, s.name, s.nr, s.since))
	}
	r.add(seccompActions())
	r.add(capabilities())
	r.add(modules(local))
	r.add(bpfPrograms(local))
	r.add(btf())
	r.add(cgroups())
	run := Check{ID: "run", Name: "a container of its own", Status: OK, NeededFor: []string{"run", "verify"}}
	if run.Detail, err = try(); err != nil {
		run.Status, run.Detail, run.Advice = Missing, err.Error(), "see what is missing above; as root more works"
	}
	r.add(run)
	r.Can["explain"] = true
	r.Can["run"] = run.Status == OK
	return r
}

func (r *Report) add(c Check) { r.Checks = append(r.Checks, c) }

func release(n *node.Node, err error) Check {
	c := Check{ID: "kernel", Name: "kernel release", Status: OK, NeededFor: []string{"explain", "run"}}
	if err != nil {
		c.Status, c.Detail, c.Advice = Unknown, err.Error(), "give --kernel"
		return c
	}
	rel, err := kernel.ParseRelease(n.Kernel.Release)
	c.Detail = n.Kernel.Release
	switch {
	case err != nil:
		c.Status, c.Advice = Unknown, "give --kernel with the upstream release"
	case rel.AtLeast(6, 1) != kernel.Yes:
		c.Status, c.Advice = Unknown, "the model is checked against Linux 6.1 and later"
	}
	return c
}

func arch() Check {
	c := Check{ID: "arch", Name: "architecture", Status: OK, Detail: runtime.GOARCH, NeededFor: []string{"run"}}
	if runtime.GOARCH != "amd64" {
		c.Status, c.Advice = Missing, "calls are performed on x86_64 only; explain works"
	}
	return c
}

// userNamespaces makes one, and reads what could forbid it.
func userNamespaces() Check {
	c := Check{ID: "userns", Name: "user namespaces", Status: OK, NeededFor: []string{"run without root", "hostUsers: false"}}
	err := container.TryUserNS()
	limits := []string{}
	for _, f := range []string{"user/max_user_namespaces", "kernel/unprivileged_userns_clone", "kernel/apparmor_restrict_unprivileged_userns"} {
		if v, e := os.ReadFile("/proc/sys/" + f); e == nil {
			limits = append(limits, strings.ReplaceAll(f, "/", ".")+"="+strings.TrimSpace(string(v)))
		}
	}
	c.Detail = strings.Join(limits, ", ")
	if err != nil {
		c.Status, c.Detail = Missing, err.Error()+"; "+c.Detail
		c.Advice = "sysctl user.max_user_namespaces above 0, kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0; or run as root"
	}
	return c
}

func ranges() Check {
	c := Check{ID: "subids", Name: "ranges of ids for a user", Status: OK, NeededFor: []string{"run without root, of files and tasks with other ids than root"}}
	if os.Getuid() == 0 {
		c.Detail = "not needed as root"
		return c
	}
	detail, ok := container.Ranges()
	c.Detail = detail
	if !ok {
		c.Status, c.Advice = Missing, "install newuidmap (package uidmap) and give yourself a range in /etc/subuid and /etc/subgid"
	}
	return c
}

func stateDir() Check {
	c := Check{ID: "state", Name: "state directory", Status: OK, Detail: container.StateRoot, NeededFor: []string{"run"}}
	err := os.MkdirAll(container.StateRoot, 0o755)
	if err == nil {
		var dir string
		if dir, err = os.MkdirTemp(container.StateRoot, "doctor"); err == nil {
			os.Remove(dir)
		}
	}
	if err != nil {
		c.Status, c.Detail, c.Advice = Missing, err.Error(), "set XDG_RUNTIME_DIR or TMPDIR to a directory that you may write to"
	}
	return c
}

func syscallThere(id, name string, nr uintptr, since string) Check {
	c := Check{ID: id, Name: name, Status: OK, NeededFor: []string{"run"}}
	bad := ^uintptr(0)
	if _, _, e := unix.Syscall6(nr, bad, bad, bad, bad, bad, bad); e == unix.ENOSYS {
		c.Status, c.Advice = Missing, "Linux "+since+" or later has it"
	} else {
		c.Detail = "the kernel has it"
	}
	return c
}

// seccompActions asks for each action (SECCOMP_GET_ACTION_AVAIL).
func seccompActions() Check {
	c := Check{ID: "seccomp", Name: "seccomp actions", Status: OK, NeededFor: []string{"run"}}
	var lost []string
	names := map[string]uint32{"kill_process": unix.SECCOMP_RET_KILL_PROCESS, "kill_thread": unix.SECCOMP_RET_KILL_THREAD, "trap": unix.SECCOMP_RET_TRAP, "errno": unix.SECCOMP_RET_ERRNO,
		"user_notif": unix.SECCOMP_RET_USER_NOTIF, "trace": unix.SECCOMP_RET_TRACE, "log": unix.SECCOMP_RET_LOG, "allow": unix.SECCOMP_RET_ALLOW}
	for n, a := range names {
		if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&a))); e != 0 {
			lost = append(lost, n)
		}
	}
	c.Detail = fmt.Sprintf("%d of %d", len(names)-len(lost), len(names))
	if len(lost) > 0 {
		slices.Sort(lost)
		c.Status, c.Advice = Missing, "the kernel lacks "+strings.Join(lost, ", ")+" (CONFIG_SECCOMP_FILTER)"
	}
	return c
}

func capabilities() Check {
	c := Check{ID: "capabilities", Name: "capabilities of this process", Status: OK, NeededFor: []string{"run as root"}}
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		c.Status, c.Detail = Unknown, err.Error()
		return c
	}
	for _, l := range strings.Split(string(text), "\n") {
		v, ok := strings.CutPrefix(l, "CapEff:")
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(v), 16, 64)
		if err != nil {
			c.Status, c.Detail = Unknown, err.Error()
			return c
		}
		set := world.CapSet(n)
		c.Detail = fmt.Sprintf("%d of %d", (set & world.AllCaps).Len(), world.AllCaps.Len())
		if lost := world.AllCaps &^ set; lost != 0 && os.Getuid() == 0 {
			c.Status, c.Advice = Missing, "containers cannot be given "+lost.String()+"; a note says so where it counts"
		}
	}
	return c
}

func modules(n *node.Node) Check {
	c := Check{ID: "lsm", Name: "security modules", Status: OK, NeededFor: []string{"explain --node local", "run"}}
	switch {
	case n == nil || n.LSM.Active == nil:
		c.Status, c.Advice = Unknown, "mount securityfs, or give a node file with lsm.active"
	default:
		c.Detail = strings.Join(n.LSM.Active, ", ")
	}
	return c
}

func bpfPrograms(n *node.Node) Check {
	c := Check{ID: "bpf-lsm", Name: "list of BPF programs", Status: OK, NeededFor: []string{"run, where the module bpf is active"}}
	switch {
	case n == nil || n.LSM.BPFPrograms == nil:
		c.Status, c.Detail, c.Advice = Missing, "bpf(2) is refused", "run as root, or give a node file with lsm.bpfPrograms"
	default:
		c.Detail = fmt.Sprintf("%d on LSM hooks", len(n.LSM.BPFPrograms))
	}
	return c
}

func btf() Check {
	c := Check{ID: "btf", Name: "kernel types (BTF)", Status: OK, Detail: "/sys/kernel/btf/vmlinux", NeededFor: []string{"trace"}}
	if _, err := os.Stat(c.Detail); err != nil {
		c.Status, c.Advice = Missing, "a kernel with CONFIG_DEBUG_INFO_BTF"
	}
	return c
}

func cgroups() Check {
	c := Check{ID: "cgroups", Name: "cgroups", Status: OK, NeededFor: []string{"trace"}}
	v2 := func(p string) bool {
		_, err := os.Stat(filepath.Join(p, "cgroup.controllers"))
		return err == nil
	}
	_, v1 := os.Stat("/sys/fs/cgroup/devices")
	switch {
	case v2("/sys/fs/cgroup"):
		c.Detail = "version 2"
	case v2("/sys/fs/cgroup/unified"):
		c.Detail = "hybrid"
	case v1 == nil || errors.Is(v1, os.ErrPermission):
		c.Detail = "version 1"
	default:
		c.Status, c.Advice = Unknown, "mount cgroup2 at /sys/fs/cgroup"
	}
	return c
}

package inside

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"syscallstory/probe"
)

// The descriptors that the first process finds beside the standard ones.
const (
	SpecFD   = 3 // the Spec, as JSON
	ReportFD = 4 // where the Report goes
)

// What the first process's second argument says where it is not the only one.
const (
	innerStep = "inner" // the root of the container's own user namespace goes on

	// Hold: it only holds a user namespace open, until its standard input ends.
	Hold = "hold"
	// WaitForMaps: its user namespace has no maps yet; descriptor 5 is closed once they are written.
	WaitForMaps = "wait"
)

// Main is the first process of a container.
func Main() {
	runtime.LockOSThread()
	step := ""
	if len(os.Args) > 1 {
		step = os.Args[1]
	}
	if step == WaitForMaps {
		if err := waitForMaps(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if step == Hold {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	reportFD := ReportFD
	var spec Spec
	in := os.NewFile(SpecFD, "spec")
	in.Seek(0, io.SeekStart)
	text, err := io.ReadAll(in)
	if err == nil {
		err = spec.Decode(text)
	}
	if len(spec.FDs) > 0 {
		reportFD = high(ReportFD)
	}
	r := &Report{}
	f := &first{spec: &spec, step: "read the spec"}
	start := time.Now()
	switch {
	case err != nil:
	case len(spec.UIDs) > 0 && step != innerStep:
		var status int
		if status, err = f.outer(in, reportFD); err == nil {
			os.Exit(status) // the inner process has reported
		}
	default:
		in.Close()
		err = f.run(r)
	}
	r.Took = time.Since(start)
	if err != nil {
		r.Error, r.Step = err.Error(), f.step
	}
	out := os.NewFile(uintptr(reportFD), "report")
	json.NewEncoder(out).Encode(r)
	out.Close()
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// high moves a descriptor out of the way of those that the task finds open. It is done only where there are such: a larger
// table of descriptors makes the kernel wait for a grace period.
func high(fd int) int {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 800)
	if err != nil {
		return fd
	}
	unix.Close(fd)
	return n
}

// first is the first process at work.
type first struct {
	spec   *Spec
	step   string
	userNS int   // a user namespace with the container's maps
	roots  []int // descriptors of the upper layer and of the trees' roots; -1 for what cannot be opened
}

func (f *first) do(step string) { f.step = step }

func (f *first) run(r *Report) error {
	steps := []func() error{f.filesystems, f.root, f.open, f.mounts, f.pivot, f.settle}
	if len(f.spec.UIDs) > 0 {
		steps = []func() error{f.adopt, f.open, f.mounts, f.pivot, f.settle}
	}
	for _, s := range steps {
		if err := s(); err != nil {
			return err
		}
	}
	if len(f.spec.Command) > 0 {
		return f.exec()
	}
	before := f.snapshot()
	f.do("perform the calls")
	var err error
	for _, d := range f.spec.FDs {
		f.spec.Task.Keep = append(f.spec.Task.Keep, d.N)
	}
	if r.Results, err = probe.Run(&f.spec.Task, f.spec.Calls); err != nil {
		return err
	}
	r.Effects = changes(before, f.snapshot())
	return nil
}

func (f *first) path(name string) string { return filepath.Join(f.spec.Dir, name) }

// filesystems makes the trees, each on a tmpfs of its own, in a mount namespace that tells nobody.
func (f *first) filesystems() error {
	f.do("make the container's filesystems")
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make / private: %w", err)
	}
	mode := 0o700
	if len(f.spec.UIDs) > 0 {
		mode = 0o755 // the namespace's own root has to get through; nobody else sees the mount
	}
	if err := tmpfs(f.spec.Dir, mode); err != nil {
		return err
	}
	unix.Umask(0)
	for i := range f.spec.Trees {
		dir := f.path("tree" + strconv.Itoa(i))
		if err := unix.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		if err := tmpfs(dir, 0o755); err != nil {
			return err
		}
		if err := f.grow(dir, &f.spec.Trees[i]); err != nil {
			return err
		}
	}
	return nil
}

// open keeps the upper layer and the trees at hand, to see afterwards what has changed.
func (f *first) open() error {
	f.do("open the container's filesystems")
	dirs := []string{f.path("layer/upper")}
	for i := range f.spec.Trees {
		dirs = append(dirs, f.path("tree"+strconv.Itoa(i)))
	}
	for _, d := range dirs {
		fd, err := unix.Open(d, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil && len(f.spec.UIDs) == 0 {
			return fmt.Errorf("%s: %w", d, err)
		}
		if err == nil && len(f.spec.FDs) > 0 {
			fd = high(fd)
		}
		f.roots = append(f.roots, fd)
	}
	return nil
}

func tmpfs(dir string, mode int) error {
	if err := unix.Mount("story", dir, "tmpfs", 0, fmt.Sprintf("mode=%o", mode)); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", dir, err)
	}
	return nil
}

// grow makes a tree's files.
func (f *first) grow(dir string, t *Tree) error {
	for i := range t.Nodes {
		if err := t.Nodes[i].make(filepath.Join(dir, t.Nodes[i].Path)); err != nil {
			return fmt.Errorf("%s of %s: %w", "/"+t.Nodes[i].Path, t.Name, err)
		}
	}
	// Attributes come last: nothing can be made in a directory that is immutable.
	for i := len(t.Nodes) - 1; i >= 0; i-- {
		if n := &t.Nodes[i]; n.Flags != 0 {
			if err := setFlags(filepath.Join(dir, n.Path), n.Flags); err != nil {
				return fmt.Errorf("attributes of /%s of %s: %w", n.Path, t.Name, err)
			}
		}
	}
	return nil
}

func (n *Node) make(p string) error {
	perm := n.Mode & 0o7777
	var err error
	switch n.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if n.Path != "" {
			err = unix.Mkdir(p, 0o700)
		}
	case unix.S_IFLNK:
		if err = unix.Symlink(n.Link, p); err == nil {
			err = unix.Lchown(p, int(n.UID), int(n.GID))
		}
		return err
	case unix.S_IFREG:
		var fd int
		if fd, err = unix.Open(p, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600); err == nil {
			err = unix.Ftruncate(fd, n.Size)
			unix.Close(fd)
		}
	default:
		err = unix.Mknod(p, n.Mode&unix.S_IFMT|0o600, int(unix.Mkdev(n.Major, n.Minor)))
	}
	if err != nil {
		return err
	}
	if err := unix.Lchown(p, int(n.UID), int(n.GID)); err != nil {
		return err
	}
	if err := unix.Chmod(p, perm); err != nil {
		return err
	}
	if len(n.ACL) > 0 {
		if err := unix.Setxattr(p, "system.posix_acl_access", n.ACL, 0); err != nil {
			return err
		}
	}
	if n.Context != "" {
		if err := unix.Setxattr(p, "security.selinux", []byte(n.Context), 0); err != nil {
			return err
		}
	}
	if len(n.Caps) > 0 {
		return unix.Setxattr(p, "security.capability", n.Caps, 0)
	}
	return nil
}

func setFlags(p string, flags uint32) error {
	fd, err := unix.Open(p, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(flags))
}

// layer returns the path of a lower layer.
func (f *first) layer(name string) string {
	if n, ok := strings.CutPrefix(name, "#"); ok {
		return f.path("tree" + n)
	}
	return name
}

// root mounts the overlay.
func (f *first) root() error {
	f.do("mount the container's root")
	for _, d := range []string{"layer", "root"} {
		if err := unix.Mkdir(f.path(d), 0o755); err != nil {
			return err
		}
	}
	if err := tmpfs(f.path("layer"), 0o755); err != nil {
		return err
	}
	up := f.path("layer/upper")
	for _, d := range []string{"layer/upper", "layer/work"} {
		if err := unix.Mkdir(f.path(d), 0o755); err != nil {
			return err
		}
	}
	n := f.spec.Upper
	if err := unix.Chown(up, int(n.UID), int(n.GID)); err != nil {
		return err
	}
	if err := unix.Chmod(up, n.Mode&0o7777); err != nil {
		return err
	}
	var lower []string
	for i, l := range f.spec.Lower {
		path := f.layer(l)
		if f.spec.LowerIDs {
			mapped := f.path("lower" + strconv.Itoa(i))
			if err := f.idmapped(path, mapped); err != nil {
				return err
			}
			path = mapped
		}
		lower = append(lower, strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`).Replace(path))
	}
	data := "lowerdir=" + strings.Join(lower, ":") + ",upperdir=" + up + ",workdir=" + f.path("layer/work")
	if f.spec.Context != "" {
		data += `,context="` + f.spec.Context + `"`
	}
	if err := unix.Mount("overlay", f.path("root"), "overlay", 0, data); err != nil {
		return fmt.Errorf("mount overlay (%s): %w", data, err)
	}
	return nil
}

// mounts makes the container's mounts below its root.
func (f *first) mounts() error {
	for i := range f.spec.Mounts {
		m := &f.spec.Mounts[i]
		f.do("mount " + m.Target)
		if err := f.mount(m); err != nil && !m.MayFail {
			return fmt.Errorf("mount %s on %s: %w", m.Type, m.Target, err)
		}
	}
	return nil
}

const bindFlags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOSYMFOLLOW

func (f *first) mount(m *Mount) error {
	source := m.Source
	if m.Type == "bind" && m.Tree >= 0 {
		source = filepath.Join(f.path("tree"+strconv.Itoa(m.Tree)), m.Source)
		if m.IDMapped {
			source = filepath.Join(f.path("mapped"+strconv.Itoa(m.Tree)), m.Source)
		}
	}
	isDir := true
	if m.Type == "bind" {
		var st unix.Stat_t
		if err := unix.Stat(source, &st); err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		isDir = st.Mode&unix.S_IFMT == unix.S_IFDIR
	}
	target, err := f.target(m.Target, isDir, m.Optional || m.Type == "self")
	if err != nil || target == "" {
		return err
	}
	switch m.Type {
	case "bind", "self":
		if m.Type == "self" {
			source = target
		}
		if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
			return err
		}
		if m.Flags&bindFlags == 0 {
			return nil
		}
		// The target's path now leads to the mount below: look it up again.
		if target, err = f.target(m.Target, isDir, false); err != nil {
			return err
		}
		return unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|m.Flags&bindFlags, "")
	}
	return unix.Mount(m.Type, target, m.Type, m.Flags, m.Data)
}

// target finds a mount point below the container's root, following its links there, and makes what is missing.
func (f *first) target(p string, dir, optional bool) (string, error) {
	root, err := unix.Open(f.path("root"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(root)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(root, p, &how)
	if errors.Is(err, unix.ENOENT) && !optional {
		if err := f.make(root, p, dir); err != nil {
			return "", err
		}
		fd, err = unix.Openat2(root, p, &how)
	}
	if err != nil {
		if optional && errors.Is(err, unix.ENOENT) {
			return "", nil
		}
		return "", err
	}
	defer unix.Close(fd)
	return os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
}

// make makes a missing mount point and the directories above it.
func (f *first) make(root int, p string, dir bool) error {
	at, err := unix.Dup(root)
	if err != nil {
		return err
	}
	defer func() { unix.Close(at) }()
	parts := strings.Split(strings.Trim(p, "/"), "/")
	for i := range parts {
		here := strings.Join(parts[:i+1], "/")
		how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
		fd, err := unix.Openat2(root, here, &how)
		if errors.Is(err, unix.ENOENT) {
			if i == len(parts)-1 && !dir {
				var file int
				if file, err = unix.Openat(at, parts[i], unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644); err == nil {
					unix.Close(file)
				}
			} else {
				err = unix.Mkdirat(at, parts[i], 0o755)
			}
			if err != nil {
				return err
			}
			fd, err = unix.Openat2(root, here, &how)
		}
		if err != nil {
			return err
		}
		unix.Close(at)
		at = fd
	}
	return nil
}

// pivot makes the overlay the root and lets go of the host's files.
func (f *first) pivot() error {
	f.do("change the root")
	if err := unix.Chdir(f.path("root")); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the old root: %w", err)
	}
	if f.spec.ReadOnly {
		if err := unix.Mount("", "/", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("remount / read-only: %w", err)
		}
	}
	return unix.Chdir("/")
}

// settle gives the task its host name, directory, descriptors and label.
func (f *first) settle() error {
	if f.spec.Hostname != "" {
		f.do("set the host name")
		if err := unix.Sethostname([]byte(f.spec.Hostname)); err != nil {
			return err
		}
	}
	f.do("change the directory to " + f.spec.Cwd)
	if err := unix.Chdir(f.spec.Cwd); err != nil {
		return err
	}
	for _, d := range f.spec.FDs {
		f.do("open " + d.Path)
		fd, err := unix.Open(d.Path, d.Flags|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			fd, err = unix.Open(d.Path, unix.O_PATH|unix.O_CLOEXEC, 0)
		}
		if err != nil {
			return err
		}
		if err := unix.Dup3(fd, d.N, 0); err != nil && fd != d.N {
			return err
		}
		if fd != d.N {
			unix.Close(fd)
		}
	}
	return f.label()
}

// label has the task get its SELinux label: a program by its execve, calls before they are made, in the process that makes them,
// as the kernel lets no process of several threads change its label (selinux_lsm_setattr).
func (f *first) label() error {
	switch {
	case f.spec.Label == "":
		return nil
	case len(f.spec.Command) > 0:
		f.do("set the SELinux label")
		return os.WriteFile("/proc/thread-self/attr/exec", []byte(f.spec.Label), 0)
	}
	fd := uint64(3) // the first number that is free there
	for slices.Contains(f.spec.Task.Keep, int(fd)) {
		fd++
	}
	label := []byte(f.spec.Label)
	f.spec.Task.Before = append(f.spec.Task.Before,
		probe.Call{NR: unix.SYS_OPEN, Args: [6]probe.Arg{{Data: []byte("/proc/thread-self/attr/current\x00")}, {Val: unix.O_WRONLY}}},
		probe.Call{NR: unix.SYS_WRITE, Args: [6]probe.Arg{{Val: fd}, {Data: label}, {Val: uint64(len(label))}}},
		probe.Call{NR: unix.SYS_CLOSE, Args: [6]probe.Arg{{Val: fd}}})
	return nil
}

// exec runs a command instead of calls, as the task: the filter is loaded last, where runc loads it.
func (f *first) exec() error {
	f.do("find " + f.spec.Command[0])
	for _, e := range f.spec.Env {
		if p, ok := strings.CutPrefix(e, "PATH="); ok {
			os.Setenv("PATH", p)
		}
	}
	path, err := exec.LookPath(f.spec.Command[0])
	if err != nil {
		return err
	}
	f.do("execute " + path)
	return probe.Exec(&f.spec.Task, path, f.spec.Command, f.spec.Env)
}

// file is what a snapshot holds of one.
type file struct {
	mode     uint32
	size     int64
	whiteout bool
}

// maxSnapshot is how many files a snapshot holds; effects are told only of smaller trees.
const maxSnapshot = 20000

// snapshot lists the files of the upper layer and of the trees.
func (f *first) snapshot() []map[string]file {
	out := make([]map[string]file, len(f.roots))
	for i, fd := range f.roots {
		out[i] = map[string]file{}
		if fd >= 0 {
			walk(fd, "", out[i])
		}
	}
	return out
}

func walk(dir int, base string, into map[string]file) {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	h := os.NewFile(uintptr(fd), base)
	defer h.Close()
	names, _ := h.Readdirnames(-1)
	for _, n := range names {
		var st unix.Stat_t
		if len(into) >= maxSnapshot || unix.Fstatat(fd, n, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
			continue
		}
		p := filepath.Join(base, n)
		into[p] = file{st.Mode, st.Size, st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			if sub, err := unix.Openat(fd, n, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0); err == nil {
				walk(sub, p, into)
				unix.Close(sub)
			}
		}
	}
}

// changes compares two snapshots.
func changes(before, after []map[string]file) []Effect {
	var out []Effect
	for i := range after {
		for p, a := range after[i] {
			b, there := before[i][p]
			switch {
			case a.whiteout && !b.whiteout && i == 0:
				out = append(out, Effect{Tree: i - 1, Path: p, Kind: "removed"})
			case !there:
				out = append(out, Effect{Tree: i - 1, Path: p, Kind: "created", Mode: a.mode, Size: a.size})
			case a.size != b.size && a.mode&unix.S_IFMT == unix.S_IFREG:
				out = append(out, Effect{Tree: i - 1, Path: p, Kind: "resized", Mode: a.mode, Size: a.size})
			}
		}
		for p, b := range before[i] {
			if _, there := after[i][p]; !there {
				out = append(out, Effect{Tree: i - 1, Path: p, Kind: "removed", Mode: b.mode})
			}
		}
	}
	return out
}

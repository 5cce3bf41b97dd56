package gates

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/from/node"
	"syscallstory/kernel"
	"syscallstory/world"
)

// stage makes scenes real, in a mount namespace of its own whose root is a tmpfs. It belongs to one thread, which ends with
// it: only that thread has the namespace and the root.
type stage struct {
	machine
	holders map[string]*holder // user namespaces by what they are
	used    []string           // keys of holders, the latest last
	now     []*holder          // those of the scene that is built
	maps    []world.UserNS     // their maps, the initial namespace's first
	mounts  []mounted          // whose flags are still to be set
	fixed   []attributes       // that are still to be set
	pids    []int              // of the scene's targets
	people  string             // what these are made of
	built   bool
	key     string // the scene that is built, without its tasks
	dirty   bool   // a call has changed it
	stirred bool   // or one of its processes, perhaps

	loops int    // /dev/loop-control; -1: no ext4 can be made
	image []byte // of an empty ext4

	patience time.Duration // how long a call may take before it counts as blocked
}

// mounted is a mount of the scene with a descriptor of its root.
type mounted struct {
	fd    int
	mount *Mount
}

// holder is a process that keeps a user namespace.
type holder struct {
	pid int
	fd  int // of the namespace, a high number
}

// attributes are those of chattr for a file, which is open.
type attributes struct {
	path  string
	fd    int
	flags uint32
}

// newStage moves the calling goroutine's thread, which it locks, into a namespace of its own.
func newStage() (*stage, error) {
	if err := able(); err != nil {
		return nil, err
	}
	s := &stage{holders: map[string]*holder{}, patience: 150 * time.Millisecond}
	s.openLoops()
	runtime.LockOSThread()
	if err := s.enter(); err != nil {
		return nil, fmt.Errorf("a mount namespace with a root of its own: %w", err)
	}
	unix.Umask(0)
	return s, nil
}

// look learns what the scene does not say.
func (s *stage) look() error {
	var err error
	if s.machine.release, err = node.Running(); err != nil {
		return err
	}
	if s.node, err = node.Local(); err != nil {
		return err
	}
	if idleIntegrity() {
		s.node.LSM.Active = slices.DeleteFunc(s.node.LSM.Active, func(m string) bool { return m == "ima" || m == "evm" })
	}
	for c := kernel.Cap(0); c < 64; c++ {
		if in, _, e := unix.Syscall(unix.SYS_PRCTL, unix.PR_CAPBSET_READ, uintptr(c), 0); e == 0 && in == 1 {
			s.bounding |= 1 << c
		}
	}
	_, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1)
	s.landlock = e == 0 && s.machine.release.Has(kernel.LandlockScope) == kernel.Yes
	prio, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return err
	}
	s.nice = 20 - prio // as the kernel returns it
	for i := range s.limits {
		var l unix.Rlimit
		if err := unix.Prlimit(0, i, nil, &l); err != nil {
			return err
		}
		s.limits[i] = world.Rlimit{Cur: l.Cur, Max: l.Max}
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return err
	}
	s.caps = world.CapSet(uint64(data[0].Effective) | uint64(data[1].Effective)<<32)
	return nil
}

// idleIntegrity reports that IMA and EVM have nothing to say: no policy is asked for and no key is loaded.
func idleIntegrity() bool {
	const dir = "/sys/kernel/security"
	if unix.Mount("securityfs", dir, "securityfs", 0, "") == nil {
		defer unix.Unmount(dir, unix.MNT_DETACH)
	}
	evm, err := os.ReadFile(dir + "/evm")
	line, e := os.ReadFile("/proc/cmdline")
	return (errors.Is(err, os.ErrNotExist) || strings.TrimSpace(string(evm)) == "0") && e == nil && !strings.Contains(string(line), "ima_")
}

func (s *stage) enter() error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWNET); err != nil {
		return err
	}
	if err := loopback(); err != nil {
		return fmt.Errorf("the loopback interface: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	// Where its handlers cannot be seen otherwise, they can here.
	const binfmts = "/proc/sys/fs/binfmt_misc"
	hidden := unix.Mount("binfmt_misc", binfmts, "binfmt_misc", 0, "") == nil
	err := s.look()
	if hidden {
		unix.Unmount(binfmts, unix.MNT_DETACH)
	}
	if err != nil {
		return err
	}
	tmp := os.TempDir() // a directory that is there; only this namespace sees what is mounted on it
	steps := []func() error{
		func() error { return unix.Mount("tmpfs", tmp, "tmpfs", 0, "mode=755") },
		func() error { return unix.Chdir(tmp) },
		func() error { return unix.Mkdir("w", 0o755) },
		func() error { return unix.Mkdir("l", 0o700) },
		func() error { return unix.Mkdir("proc", 0o755) },
		func() error { return unix.Mount("proc", "proc", "proc", 0, "") },
		func() error { return unix.PivotRoot(".", ".") },
		func() error { return unix.Unmount(".", unix.MNT_DETACH) },
		func() error { return unix.Chdir("/") },
		func() error { return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "") }, // it outlasts the scenes
	}
	for i, f := range steps {
		if err := f(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

// loopback sets up the interface lo of the network namespace.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP)
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(req)))
	if e != 0 {
		return e
	}
	return nil
}

// close ends what the stage keeps. The thread ends with its goroutine.
func (s *stage) close() {
	if s.loops >= 0 {
		unix.Close(s.loops)
	}
	s.endTargets()
	for _, h := range s.holders {
		h.close()
	}
}

func (h *holder) close() {
	unix.Kill(h.pid, unix.SIGKILL)
	unix.Wait4(h.pid, nil, 0, nil)
	unix.Close(h.fd)
}

// build makes a scene real in place of the last one. The same one is not made again as long as no call has changed it.
func (s *stage) build(sc *Scene) error {
	key := sc.key()
	if s.built && !s.dirty && s.key == key {
		return nil
	}
	if err := s.clear(); err != nil {
		return err
	}
	if people := sc.people(); s.stirred || people != s.people {
		s.endTargets()
		s.people, s.stirred = people, false
	}
	s.key, s.dirty = key, true
	if err := s.construct(sc); err != nil {
		return fmt.Errorf("%w: %w", errNotMade, err)
	}
	s.dirty = false
	return nil
}

func (s *stage) construct(sc *Scene) error {
	s.now, s.maps = s.now[:0], userNamespaces(sc)
	for i := range sc.Namespaces {
		h, err := s.namespace(sc, i)
		if err != nil {
			return fmt.Errorf("user namespace %d: %w", i+1, err)
		}
		s.now = append(s.now, h)
	}
	if err := s.ipc(sc); err != nil {
		return err
	}
	s.built = true
	if err := unix.Mount("l", "/l", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("/l: %w", err)
	}
	for i := range sc.Layers {
		dir := fmt.Sprintf("/l/%d", i)
		if err := unix.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("layer", dir, "tmpfs", 0, "mode=755"); err != nil {
			return err
		}
		for k := range sc.Layers[i].Files {
			f := &sc.Layers[i].Files[k]
			if err := s.makeFile(f, dir); err != nil {
				return fmt.Errorf("layer %d: %w", i, err)
			}
			if f.Opaque {
				mark := "trusted.overlay.opaque"
				if sc.owned(i) {
					mark = "user.overlay.opaque"
				}
				if err := unix.Lsetxattr(dir+f.Path, mark, []byte("y"), 0); err != nil {
					return fmt.Errorf("layer %d: %s: %w", i, f.Path, err)
				}
			}
		}
	}
	for i := range sc.Items {
		var err error
		switch it := &sc.Items[i]; {
		case it.File != nil:
			err = s.makeFile(it.File, "")
		case it.Mount != nil:
			err = s.mount(it.Mount)
		}
		if err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
	}
	for i := len(s.pids); i < len(sc.Targets); i++ { // those of the last scene stay where they are the same
		pid, err := s.target(&sc.Targets[i])
		if err != nil {
			return fmt.Errorf("target %d: %w", i, err)
		}
		s.pids = append(s.pids, pid)
	}
	return s.seal()
}

// seal does what would be in the way before: immutable files, read-only superblocks.
func (s *stage) seal() error {
	for _, f := range s.fixed {
		const getFlags, setFlags = 0x80086601, 0x40086602
		have, err := unix.IoctlGetUint32(f.fd, getFlags) // ext4 would turn extents into blocks where their flag is taken off
		if err != nil {
			return fmt.Errorf("%s: attributes: %w", f.path, err)
		}
		flags := uint64(have | f.flags)
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(f.fd), setFlags, uintptr(unsafe.Pointer(&flags))); e != 0 {
			return fmt.Errorf("%s: attributes: %w", f.path, e)
		}
	}
	for _, on := range s.mounts {
		m := on.mount
		if m.Super && m.Kind != "overlay" {
			err := patiently(func() error {
				return unix.Mount("", fmt.Sprintf("/proc/self/fd/%d", on.fd), "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
			})
			if err != nil {
				return fmt.Errorf("%s: %w", m.Point, err)
			}
		}
		// A remount without MS_BIND has set the mount's own flags too.
		const all = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOSYMFOLLOW
		if len(m.Flags) == 0 && !m.Super {
			continue
		}
		attr := unix.MountAttr{Attr_set: mountAttrs(m.Flags), Attr_clr: all}
		if err := patiently(func() error { return unix.MountSetattr(on.fd, "", unix.AT_EMPTY_PATH, &attr) }); err != nil {
			return fmt.Errorf("%s: %w", m.Point, err)
		}
	}
	s.letGo()
	return nil
}

// patiently makes something read-only. A process that another worker forks has a copy of this one's descriptors until it has closed
// them: a file that is written here may be open there for a moment.
func patiently(change func() error) error {
	err := change()
	for try := 0; errors.Is(err, unix.EBUSY) && try < 2000; try++ {
		time.Sleep(time.Millisecond)
		err = change()
	}
	return err
}

// endTargets ends the scene's processes.
func (s *stage) endTargets() {
	for _, pid := range s.pids {
		unix.Kill(pid, unix.SIGKILL)
		unix.Wait4(pid, nil, 0, nil)
	}
	s.pids = s.pids[:0]
}

// letGo closes the descriptors of mounts and files.
func (s *stage) letGo() {
	for _, f := range s.fixed {
		unix.Close(f.fd)
	}
	s.fixed = s.fixed[:0]
	for _, on := range s.mounts {
		unix.Close(on.fd)
	}
	s.mounts = s.mounts[:0]
}

// clear takes a scene away.
func (s *stage) clear() error {
	if !s.built {
		return nil
	}
	s.built = false
	s.letGo()
	for _, p := range [...]string{"/w", "/l"} {
		for {
			err := unix.Unmount(p, unix.MNT_DETACH)
			if errors.Is(err, unix.EINVAL) {
				break
			} else if err != nil {
				return fmt.Errorf("unmount %s: %w", p, err)
			}
		}
	}
	return nil
}

func mountAttrs(flags []string) (v uint64) {
	for _, f := range flags {
		switch f {
		case "ro":
			v |= unix.MOUNT_ATTR_RDONLY
		case "nosuid":
			v |= unix.MOUNT_ATTR_NOSUID
		case "nodev":
			v |= unix.MOUNT_ATTR_NODEV
		case "noexec":
			v |= unix.MOUNT_ATTR_NOEXEC
		case "nosymfollow":
			v |= unix.MOUNT_ATTR_NOSYMFOLLOW
		}
	}
	return v
}

func (s *stage) mount(m *Mount) error {
	fail := func(err error) error {
		if err != nil {
			return fmt.Errorf("%s on %s: %w", m.Kind, m.Point, err)
		}
		return nil
	}
	switch {
	case m.Kind == "tmpfs" && m.Owner != 0: // its owner mounts it
		if err := s.foreign(m, [][2]string{{"mode", fmt.Sprintf("%o", m.Mode)}}); err != nil {
			return fail(err)
		}
	case m.Kind == "tmpfs":
		if err := unix.Mount("tmpfs", m.Point, "tmpfs", 0, fmt.Sprintf("mode=%o,uid=%d,gid=%d", m.Mode, m.UID, m.GID)); err != nil {
			return fail(err)
		}
	case m.Kind == "bind" && m.IDMap != 0:
		fd, err := unix.OpenTree(unix.AT_FDCWD, m.Source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
		if err != nil {
			return fail(err)
		}
		defer unix.Close(fd)
		attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(s.now[m.IDMap-1].fd)}
		if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
			return fail(err)
		}
		if err := unix.MoveMount(fd, "", unix.AT_FDCWD, m.Point, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return fail(err)
		}
	case m.Kind == "bind":
		if err := unix.Mount(m.Source, m.Point, "", unix.MS_BIND, ""); err != nil {
			return fail(err)
		}
	case m.Kind == "ext4":
		if err := s.disk(m); err != nil {
			return fail(err)
		}
	case m.Kind == "overlay":
		if err := s.union(m); err != nil {
			return fail(err)
		}
	default:
		return fail(errors.New("unknown kind"))
	}
	// The mount is found again by its descriptor when its flags are set: its own path may be hidden by then, or follow a link.
	fd, err := unix.Open(m.Point, unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fail(err)
	}
	s.mounts = append(s.mounts, mounted{fd, m})
	return nil
}

// union mounts an overlay, as root or as the root of a user namespace.
func (s *stage) union(m *Mount) error {
	var lower []string
	for _, l := range m.Lower {
		lower = append(lower, fmt.Sprintf("/l/%d", l))
	}
	options := [][2]string{{"lowerdir", strings.Join(lower, ":")}, {"redirect_dir", "off"}, {"metacopy", "off"}, {"index", "off"}, {"xino", "off"}}
	if m.Owner != 0 { // it may keep no trusted attributes
		options = append(options[:1], [2]string{"userxattr", ""})
	}
	if m.Upper > 0 {
		work := fmt.Sprintf("/l/%d/k", m.Upper-1)
		if err := unix.Mkdir(work, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		if m.Owner != 0 {
			ns := &s.maps[m.Owner]
			if err := unix.Chown(work, int(ns.UIDs[0].Outside), int(ns.GIDs[0].Outside)); err != nil {
				return err
			}
		}
		options = append(options, [2]string{"upperdir", fmt.Sprintf("/l/%d/u", m.Upper-1)}, [2]string{"workdir", work})
	}
	if m.Owner != 0 {
		return s.foreign(m, options)
	}
	var data []string
	for _, o := range options {
		data = append(data, o[0]+"="+o[1])
	}
	return unix.Mount("overlay", m.Point, "overlay", 0, strings.Join(data, ","))
}

// makeFile makes a file with its owner, mode and ACL. On a filesystem of a user namespace nobody can make one whose ids have
// no place there, root neither: it is made by its owner, with root's capabilities.
func (s *stage) makeFile(f *File, base string) error {
	err := makeAs(f, base)
	if errors.Is(err, unix.EOVERFLOW) {
		err = makeOwn(f, base)
	}
	if err == nil && (f.Immutable || f.Append) && f.Hard == "" {
		err = s.keep(f, base)
	}
	return err
}

// makeOwn makes a file as its owner.
func makeOwn(f *File, base string) error {
	const noSetuidFixup = 1 << 2
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, noSetuidFixup, 0, 0, 0); err != nil {
		return err
	}
	unix.SetfsgidRetGid(int(f.GID))
	unix.SetfsuidRetUid(int(f.UID))
	err := makeAs(f, base)
	unix.SetfsuidRetUid(0)
	unix.SetfsgidRetGid(0)
	return errors.Join(err, unix.Prctl(unix.PR_SET_SECUREBITS, 0, 0, 0, 0))
}

func makeAs(f *File, base string) error {
	p := base + f.Path
	fail := func(err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		return nil
	}
	if f.Hard != "" {
		return fail(unix.Link(base+f.Hard, p))
	}
	switch f.Mode & world.TypeMask {
	case world.TypeDir:
		if err := unix.Mkdir(p, 0o755); err != nil {
			return fail(err)
		}
	case world.TypeLink:
		if err := unix.Symlink(f.Target, p); err != nil {
			return fail(err)
		}
		return fail(unix.Lchown(p, int(f.UID), int(f.GID)))
	case world.TypeReg:
		fd, err := unix.Open(p, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return fail(err)
		}
		if data := f.content(); len(data) > 0 {
			_, err = unix.Write(fd, data)
		}
		unix.Close(fd)
		if err != nil {
			return fail(err)
		}
	default:
		if err := unix.Mknod(p, uint32(f.Mode), int(unix.Mkdev(f.Dev>>8, f.Dev&0xff))); err != nil {
			return fail(err)
		}
	}
	if err := unix.Lchown(p, int(f.UID), int(f.GID)); err != nil {
		return fail(err)
	}
	if len(f.ACL) > 0 {
		if err := unix.Lsetxattr(p, "system.posix_acl_access", aclXattr(f.ACL), 0); err != nil {
			return fail(err)
		}
	}
	if err := unix.Chmod(p, uint32(f.Mode&0o7777)); err != nil {
		return fail(err)
	}
	if f.Caps != nil { // chown would take them away
		return fail(unix.Lsetxattr(p, "security.capability", f.Caps.facts().AppendXattr(nil), 0))
	}
	return nil
}

// keep opens a file whose attributes are to be set.
func (s *stage) keep(f *File, base string) error {
	const immutable, appendOnly = 0x10, 0x20
	a := attributes{path: f.Path}
	if f.Immutable {
		a.flags |= immutable
	}
	if f.Append {
		a.flags |= appendOnly
	}
	var err error
	if a.fd, err = unix.Open(base+f.Path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	s.fixed = append(s.fixed, a)
	return nil
}

// aclXattr is an ACL as system.posix_acl_access holds it.
func aclXattr(acl []ACL) []byte {
	b := []byte{2, 0, 0, 0}
	tags := map[string]uint16{"user_obj": 1, "user": 2, "group_obj": 4, "group": 8, "mask": 0x10, "other": 0x20}
	for _, e := range acl {
		b = binary.LittleEndian.AppendUint16(b, tags[e.Tag])
		b = binary.LittleEndian.AppendUint16(b, uint16(e.Perm))
		id := e.ID
		if e.Tag != "user" && e.Tag != "group" {
			id = world.Invalid
		}
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	return b
}

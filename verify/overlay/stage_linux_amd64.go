package overlay

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/from/node"
	"syscallstory/internal/agent"
	"syscallstory/story"
)

// stage is where scenes are built: a mount namespace with a root of its own, and processes that make the calls.
type stage struct {
	machine
	mem    []byte
	blocks *[2]agent.Block
	base   *agent.Agent
	user   *agent.Agent // in the scene's user namespace; nil: there is none
}

func able() error {
	if os.Getuid() != 0 {
		return errors.New("layers with files of any owner are made, and mounted, as root")
	}
	return nil
}

// newStage starts the base agent on this thread, which has to be locked and to live on.
func newStage() (*stage, error) {
	s := &stage{}
	var err error
	if s.release, err = node.Running(); err != nil {
		return nil, err
	}
	if s.node, err = node.Local(); err != nil {
		return nil, err
	}
	s.node.LSM.Active = slices.DeleteFunc(s.node.LSM.Active, func(m string) bool { return m == "ima" || m == "evm" || m == "bpf" })
	if s.mem, err = unix.Mmap(-1, 0, int(unsafe.Sizeof(*s.blocks)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS); err != nil {
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	s.blocks = (*[2]agent.Block)(unsafe.Pointer(&s.mem[0]))
	if s.base, err = agent.Start(unix.CLONE_NEWNS, &s.blocks[0]); err != nil {
		unix.Munmap(s.mem)
		return nil, fmt.Errorf("a process with a mount namespace of its own: %w", err)
	}
	if err = s.base.Isolate("mode=755"); err == nil {
		b := s.batch(s.base)
		b.Must("umask", unix.SYS_UMASK, 0)
		b.Must("mkdir", unix.SYS_MKDIR, b.Put("/w"), 0o755)
		err = b.Flush()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stage) close() {
	s.leave()
	s.base.End()
	unix.Munmap(s.mem)
	runtime.KeepAlive(s)
}

// leave ends what a scene has started.
func (s *stage) leave() {
	if s.user != nil {
		s.user.End()
		s.user = nil
	}
	b := s.batch(s.base)
	b.Add(unix.SYS_CHDIR, b.Put("/"))
	for _, p := range []string{"/w/m", "/w/n"} {
		b.Add(unix.SYS_UMOUNT2, b.Put(p), unix.MNT_DETACH)
	}
	for i := range maxLayers + 2 {
		b.Add(unix.SYS_UMOUNT2, b.Put(fmt.Sprintf("/w/s%d", i)), unix.MNT_DETACH)
	}
	b.Add(unix.SYS_UMOUNT2, b.Put("/w"), unix.MNT_DETACH)
	b.Flush()
}

// batch is a list of calls with what is to be done with their results.
type batch struct{ *agent.Batch }

func (s *stage) batch(a *agent.Agent) *batch { return &batch{agent.NewBatch(a)} }

// room flushes where n more calls with their strings might not fit.
func (b *batch) room() error {
	if int(b.B.N) < agent.MaxCalls-64 && b.Left() > 96<<10 {
		return nil
	}
	return b.Flush()
}

// file adds the calls that make a file of a layer.
func (b *batch) file(base string, layer int, f *File, mounter uintptr, userxattr bool) {
	p := base + "/" + f.Path
	at := b.Put(p)
	cwd := unix.AT_FDCWD
	what := f.Type + " " + p
	switch f.Type {
	case "dir":
		b.Must(what, unix.SYS_MKDIR, at, 0o700)
	case "file", "xwhiteout":
		fd := b.Must(what, unix.SYS_OPEN, at, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o600)
		switch {
		case f.Data != "":
			b.Bind(b.Must(what, unix.SYS_FTRUNCATE, 0, uintptr(f.Size)), 0, fd)
		case f.Size > 0:
			b.Bind(b.Must(what, unix.SYS_WRITE, 0, b.Put(pattern(layer, f.Path, f.Size)), uintptr(f.Size)), 0, fd)
		}
		b.Bind(b.Add(unix.SYS_CLOSE, 0), 0, fd)
	case "link":
		b.Must(what, unix.SYS_SYMLINK, b.Put(f.Target), at)
	case "fifo":
		b.Must(what, unix.SYS_MKNOD, at, unix.S_IFIFO|0o600, 0)
	case "null":
		b.Must(what, unix.SYS_MKNOD, at, unix.S_IFCHR|0o600, uintptr(unix.Mkdev(1, 3)))
	case "whiteout":
		b.Must(what, unix.SYS_MKNOD, at, unix.S_IFCHR, 0)
		if layer > 0 {
			mounter = 0
		}
		b.Must(what, unix.SYS_LCHOWN, at, mounter, mounter)
		return
	case "hard":
		b.Must(what, unix.SYS_LINK, b.Put(base+"/"+f.Target), at)
		return
	}
	prefix := "trusted.overlay."
	if userxattr {
		prefix = "user.overlay."
	}
	if f.Type == "xwhiteout" {
		b.Must(what, unix.SYS_SETXATTR, at, b.Put(prefix+"whiteout"), b.Put("y"), 1, 0)
	}
	if f.Data != "" {
		b.Must(what, unix.SYS_SETXATTR, at, b.Put(prefix+"metacopy"), b.Put(""), 0, 0)
		b.Must(what, unix.SYS_SETXATTR, at, b.Put(prefix+"redirect"), b.Put(f.Data), uintptr(len(f.Data)), 0)
	}
	if f.Opaque != "" {
		b.Must(what, unix.SYS_SETXATTR, at, b.Put(prefix+"opaque"), b.Put(f.Opaque), 1, 0)
	}
	if f.Xattr {
		b.Must(what, unix.SYS_SETXATTR, at, b.Put("user.x"), b.Put("1"), 1, 0)
	}
	b.Must(what, unix.SYS_LCHOWN, at, uintptr(f.UID), uintptr(f.GID))
	if f.Type != "link" {
		b.Must(what, unix.SYS_FCHMODAT, uintptr(cwd), at, uintptr(f.Mode))
	}
}

// build makes the layers of a scene, and the process in a user namespace that it may want.
func (s *stage) build(sc *Scene) error {
	b := s.batch(s.base)
	b.Must("a tmpfs", unix.SYS_MOUNT, b.Put("w"), b.Put("/w"), b.Put("tmpfs"), 0, b.Put("mode=755,size=64m"))
	for _, p := range []string{"/w/m", "/w/n"} {
		b.Must(p, unix.SYS_MKDIR, b.Put(p), 0o755)
	}
	n := len(sc.Layers)
	for _, st := range sc.Steps {
		if st.Remount == "down" {
			n++
		}
	}
	id := uintptr(sc.mounterID())
	for i := range n {
		p := fmt.Sprintf("/w/s%d", i)
		b.Must(p, unix.SYS_MKDIR, b.Put(p), 0o755)
		if sc.Separate {
			size := "mode=755,size=16m"
			if i == 0 && sc.Room > 0 {
				size = fmt.Sprintf("mode=755,size=%d", sc.upperPages()*pageSize)
			}
			b.Must(p, unix.SYS_MOUNT, b.Put("l"), b.Put(p), b.Put("tmpfs"), 0, b.Put(size))
		}
		for _, sub := range []string{"/l", "/k"} {
			b.Must(p, unix.SYS_MKDIR, b.Put(p+sub), 0o755)
			b.Must(p, unix.SYS_CHOWN, b.Put(p+sub), id, id)
		}
		if i < len(sc.Layers) {
			for k := range sc.Layers[i] {
				b.file(p+"/l", i, &sc.Layers[i][k], id, sets[sc.Set].userxattr)
				if err := b.room(); err != nil {
					return err
				}
			}
		}
	}
	if err := b.Flush(); err != nil || !sc.User {
		return err
	}
	return s.enter()
}

// enter starts the process in the user namespace.
func (s *stage) enter() error {
	s.blocks[1].Clear()
	b := s.batch(s.base)
	spawn := b.Must("a user namespace", agent.Spawn, unix.CLONE_NEWNS|unix.CLONE_NEWUSER|unix.CLONE_PARENT|uintptr(unix.SIGCHLD), uintptr(unsafe.Pointer(&s.blocks[1])))
	o := &b.B.Orders[spawn]
	if err := b.Flush(); err != nil {
		return err
	}
	s.user = &agent.Agent{B: &s.blocks[1], PID: int(o.Ret)}
	for _, name := range []string{"uid_map", "gid_map"} {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", s.user.PID, name), []byte("0 1000 2"), 0); err != nil {
			return err
		}
	}
	u := s.batch(s.user)
	u.Must("setgid", unix.SYS_SETRESGID, 0, 0, 0)
	u.Must("setuid", unix.SYS_SETRESUID, 0, 0, 0)
	u.Must("prctl", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL)) // setuid has taken it away
	return u.Flush()
}

// actor makes the calls of the scene.
func (s *stage) actor() *agent.Agent {
	if s.user != nil {
		return s.user
	}
	return s.base
}

// mount mounts what a scene asks for, and makes it the actor's directory.
func (s *stage) mount(sc *Scene, to *mounting, first bool) (story.Errno, error) {
	b := s.batch(s.actor())
	b.Must("chdir", unix.SYS_CHDIR, b.Put("/"))
	if !first {
		b.Must("umount", unix.SYS_UMOUNT2, b.Put("/w/m"), 0)
	}
	if to.clean {
		b.Must("rmdir", unix.SYS_UNLINK, b.Put(fmt.Sprintf("/w/s%d/k/work/incompat/volatile/dirty", to.upper)))
		b.Must("rmdir", unix.SYS_RMDIR, b.Put(fmt.Sprintf("/w/s%d/k/work/incompat/volatile", to.upper)))
	}
	var lower []string
	for _, l := range to.lower {
		lower = append(lower, fmt.Sprintf("/w/s%d/l", l))
	}
	if sc.Nested {
		if first {
			b.Must("the inner overlay", unix.SYS_MOUNT, b.Put("overlay"), b.Put("/w/n"), b.Put("overlay"), 0, b.Put("lowerdir="+strings.Join(lower, ":")))
		}
		lower = []string{"/w/n"}
	}
	data := "lowerdir=" + strings.Join(lower, ":")
	for _, l := range to.data {
		data += fmt.Sprintf("::/w/s%d/l", l)
	}
	if sc.Volatile {
		data += ",volatile"
	}
	if to.upper >= 0 {
		data += fmt.Sprintf(",upperdir=/w/s%d/l,workdir=/w/s%d/k", to.upper, to.upper)
	}
	if to.set.text != "" {
		data += "," + to.set.text
	}
	var errno story.Errno
	b.Then(func(ret int64) error {
		if ret < 0 {
			errno = story.Errno(-ret)
		}
		return nil
	}, unix.SYS_MOUNT, b.Put("overlay"), b.Put("/w/m"), b.Put("overlay"), 0, b.Put(data))
	b.Add(unix.SYS_CHDIR, b.Put("/w/m"))
	err := b.Flush()
	return errno, err
}

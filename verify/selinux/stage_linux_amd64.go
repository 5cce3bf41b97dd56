package selinux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/check"
	"syscallstory/from/node"
	"syscallstory/internal/agent"
	"syscallstory/selinux"
	"syscallstory/story"
	"syscallstory/verify"
)

const selinuxfs = "/sys/fs/selinux"

// stage is where scenes are built: a mount namespace with a root of its own, and processes that make the calls.
type stage struct {
	machine
	audit  *audit
	mem    []byte
	blocks *[3 + maxOthers]agent.Block
	base   *agent.Agent
}

// enforcing is held by who plays: the switch is the machine's.
var enforcing sync.Mutex

func able() error {
	if os.Getuid() != 0 {
		return errors.New("files are labelled, and enforcing is switched, as root")
	}
	if _, err := os.Stat(selinuxfs + "/enforce"); err != nil {
		return errors.New("SELinux is not active here, or has no policy; in the lab: go run ./lab verify selinux")
	}
	if text, err := os.ReadFile(selinuxfs + "/enforce"); err != nil || strings.TrimSpace(string(text)) != "0" {
		return errors.New("SELinux is enforcing: the area switches that, which is for a machine that is there for it, as the lab's (go run ./lab verify selinux)")
	}
	return nil
}

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
	data, err := os.ReadFile(selinuxfs + "/policy")
	if err != nil {
		return nil, err
	}
	if s.policy, err = selinux.Parse(data); err != nil {
		return nil, fmt.Errorf("%s/policy: %w", selinuxfs, err)
	}
	me, err := os.ReadFile("/proc/thread-self/attr/current")
	if err != nil {
		return nil, err
	}
	s.builder = strings.TrimRight(string(me), "\x00\n")
	if s.audit, err = listen(); err != nil {
		return nil, err
	}
	if s.mem, err = unix.Mmap(-1, 0, int(unsafe.Sizeof(*s.blocks)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS); err != nil {
		s.audit.close()
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	s.blocks = (*[3 + maxOthers]agent.Block)(unsafe.Pointer(&s.mem[0]))
	if s.base, err = agent.Start(unix.CLONE_NEWNS|unix.CLONE_NEWIPC, &s.blocks[0]); err != nil {
		s.audit.close()
		unix.Munmap(s.mem)
		return nil, fmt.Errorf("a process with a mount and an IPC namespace of its own: %w", err)
	}
	if err = s.base.Isolate("mode=755"); err == nil {
		b := agent.NewBatch(s.base)
		b.Must("umask", unix.SYS_UMASK, 0)
		b.Must("/w", unix.SYS_MKDIR, b.Put("/w"), 0o755)
		b.Must("/proc", unix.SYS_MKDIR, b.Put("/proc"), 0o755)
		b.Must("proc", unix.SYS_MOUNT, b.Put("proc"), b.Put("/proc"), b.Put("proc"), 0, 0)
		err = b.Flush()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stage) close() {
	s.base.End()
	s.audit.close()
	unix.Munmap(s.mem)
	runtime.KeepAlive(s)
}

// enforce switches enforcing.
func enforce(on bool) error {
	value := "0"
	if on {
		value = "1"
	}
	if err := os.WriteFile(selinuxfs+"/enforce", []byte(value), 0); err != nil {
		return fmt.Errorf("switching enforcing: %w", err)
	}
	return nil
}

const selinuxXattr = "security.selinux"

// build makes the files of a scene, and says what labels they have.
func (s *stage) build(sc *Scene) (map[string]string, error) {
	b := agent.NewBatch(s.base)
	data := "mode=777,size=64m"
	option := ""
	if sc.Context != "" {
		option = ",context=\"" + sc.Context + "\""
	}
	files := "/w"
	if sc.Overlay {
		files = "/w/l"
		b.Must("a tmpfs", unix.SYS_MOUNT, b.Put("w"), b.Put("/w"), b.Put("tmpfs"), 0, b.Put(data))
		for _, p := range []string{files, "/w/u", "/w/k", "/w/m"} {
			b.Must(p, unix.SYS_MKDIR, b.Put(p), 0o777)
		}
	} else {
		b.Must("a tmpfs", unix.SYS_MOUNT, b.Put("w"), b.Put("/w"), b.Put("tmpfs"), 0, b.Put(data+option))
	}
	label := func(at uintptr, what, text string) {
		if text != "" && (sc.Context == "" || sc.Overlay) {
			b.Must("the label of "+what, unix.SYS_LSETXATTR, at, b.Put(selinuxXattr), b.Put(text), uintptr(len(text)), 0)
		}
	}
	label(b.Put(files), "the root", sc.Root)
	if sc.Overlay { // which shows the upper layer's
		label(b.Put("/w/u"), "the upper layer", sc.Root)
	}
	found := map[string]string{}
	look := func(at uintptr, name string) {
		buf, to := b.Room(4096)
		b.Then(func(ret int64) error {
			if ret < 0 {
				return fmt.Errorf("the label of %s: %w", name, unix.Errno(-ret))
			}
			found[name] = strings.TrimRight(string(buf[:ret]), "\x00")
			return nil
		}, unix.SYS_LGETXATTR, at, b.Put(selinuxXattr), to, uintptr(len(buf)))
	}
	look(b.Put(files), ".")
	for i := range sc.Files {
		f := &sc.Files[i]
		at := b.Put(files + "/" + f.Path)
		what := f.Type + " " + f.Path
		switch f.Type {
		case "dir":
			b.Must(what, unix.SYS_MKDIR, at, 0o700)
		case "file":
			fd := b.Must(what, unix.SYS_OPEN, at, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o600)
			b.Bind(b.Must(what, unix.SYS_WRITE, 0, b.Put(content), uintptr(len(content))), 0, fd) // the kernel looks for no module of such a format
			b.Bind(b.Must(what, unix.SYS_CLOSE, 0), 0, fd)
		case "link":
			b.Must(what, unix.SYS_SYMLINK, b.Put(f.Target), at)
		case "fifo":
			b.Must(what, unix.SYS_MKNOD, at, unix.S_IFIFO|0o600, 0)
		case "null":
			b.Must(what, unix.SYS_MKNOD, at, unix.S_IFCHR|0o600, uintptr(unix.Mkdev(1, 3)))
		}
		b.Must(what, unix.SYS_LCHOWN, at, uintptr(f.UID), uintptr(f.UID))
		if f.Type != "link" {
			b.Must(what, unix.SYS_CHMOD, at, uintptr(f.Mode))
		}
		label(at, what, f.Label)
		look(at, f.Path)
		if b.Left() < 64<<10 {
			if err := b.Flush(); err != nil {
				return nil, err
			}
		}
	}
	if sc.Overlay {
		b.Must("an overlay", unix.SYS_MOUNT, b.Put("o"), b.Put("/w/m"), b.Put("overlay"), 0, b.Put("lowerdir=/w/l,upperdir=/w/u,workdir=/w/k"+option))
	}
	return found, b.Flush()
}

// top is the root of the files that the task sees.
func (s *Scene) top() string {
	if s.Overlay {
		return "/w/m"
	}
	return "/w"
}

// leave takes a scene away.
func (s *stage) leave() {
	b := agent.NewBatch(s.base)
	b.Add(unix.SYS_UMOUNT2, b.Put("/w/m"), unix.MNT_DETACH)
	b.Add(unix.SYS_UMOUNT2, b.Put("/w"), unix.MNT_DETACH)
	b.Flush()
}

// process starts a process of the scene with a block of its own.
func (s *stage) process(n int) (*agent.Agent, error) {
	s.blocks[n].Clear()
	b := agent.NewBatch(s.base)
	spawn := b.Must("a process", agent.Spawn, unix.CLONE_PARENT|uintptr(unix.SIGCHLD), uintptr(unsafe.Pointer(&s.blocks[n])))
	o := &b.B.Orders[spawn]
	if err := b.Flush(); err != nil {
		return nil, err
	}
	return &agent.Agent{B: &s.blocks[n], PID: int(o.Ret)}, nil
}

// becomes gives a process its ids and what it writes to files of /proc/self/attr.
func becomes(u *agent.Batch, uid uint32, attrs [][2]string, inside func()) {
	for _, w := range attrs {
		if w[1] == "" {
			continue
		}
		fd := u.Must(w[0], unix.SYS_OPEN, u.Put("/proc/thread-self/attr/"+w[0]), unix.O_WRONLY, 0)
		u.Bind(u.Must(w[0]+" "+w[1], unix.SYS_WRITE, 0, u.Put(w[1]), uintptr(len(w[1]))), 0, fd)
		u.Bind(u.Must("close", unix.SYS_CLOSE, 0), 0, fd)
	}
	if inside != nil {
		inside()
	}
	id := uintptr(uid)
	u.Must("setgroups", unix.SYS_SETGROUPS, 0, 0)
	u.Must("setresgid", unix.SYS_SETRESGID, id, id, id)
	u.Must("setresuid", unix.SYS_SETRESUID, id, id, id)
	u.Must("prctl", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL)) // setuid has taken it away
}

// others starts the processes that calls name.
func (s *stage) others(sc *Scene) (all []*agent.Agent, ids map[string]int, err error) {
	ids = map[string]int{}
	for i, o := range sc.Others {
		a, err := s.process(2 + i)
		if err != nil {
			return all, ids, err
		}
		all = append(all, a)
		u := agent.NewBatch(a)
		becomes(u, o.UID, [][2]string{{"current", o.Context}}, nil)
		if i == 0 { // it makes the objects of IPC that calls name
			id := func(name string) func(ret int64) error {
				return func(ret int64) error {
					if ret < 0 {
						return fmt.Errorf("%s: %w", name, unix.Errno(-ret))
					}
					ids[name] = int(ret)
					return nil
				}
			}
			u.Then(id("SHMID"), unix.SYS_SHMGET, 0, objectSize, objectMode)
			u.Then(id("MSGID"), unix.SYS_MSGGET, 0, objectMode)
			u.Then(id("SEMID"), unix.SYS_SEMGET, 0, semaphores, objectMode)
			if err := u.Flush(); err != nil {
				return all, ids, err
			}
			for _, m := range messages {
				buf, at := u.Room(16)
				binary.LittleEndian.PutUint64(buf, m[0])
				u.Must("msgsnd", unix.SYS_MSGSND, uintptr(ids["MSGID"]), at, uintptr(m[1]), unix.IPC_NOWAIT)
			}
		}
		if err := u.Flush(); err != nil {
			return all, ids, err
		}
	}
	return all, ids, nil
}

// actor starts the process that makes the calls, with the task's context.
func (s *stage) actor(sc *Scene) (*agent.Agent, error) {
	a, err := s.process(1)
	if err != nil {
		return nil, err
	}
	u := agent.NewBatch(a)
	u.Must("close_range", unix.SYS_CLOSE_RANGE, 0, uintptr(^uint32(0)), 0)
	if sc.Opened != "" {
		u.Must("open", unix.SYS_OPEN, u.Put(sc.top()+"/"+sc.Opened), unix.O_RDWR, 0)
	} else {
		u.Must("open", unix.SYS_OPEN, u.Put(sc.top()), unix.O_RDONLY, 0)
	}
	becomes(u, sc.UID, [][2]string{{"fscreate", sc.FSCreate}, {"sockcreate", sc.SockCreate}, {"current", sc.Task}}, func() {
		u.Must("chroot", unix.SYS_CHROOT, u.Put(sc.top()))
		u.Must("chdir", unix.SYS_CHDIR, u.Put("/"))
	})
	if err := u.Flush(); err != nil {
		a.End()
		return nil, err
	}
	return a, nil
}

// difference is where model and kernel part.
type difference struct {
	model, kernel string
	detail        string
	call          int
}

// play builds a scene, predicts and performs its calls, and compares.
func (s *stage) play(sc *Scene, r *verify.Report) (d *difference, err error) {
	enforcing.Lock()
	defer enforcing.Unlock()
	defer s.leave()
	labels, err := s.build(sc)
	if err != nil {
		return nil, err
	}
	others, ids, err := s.others(sc)
	defer func() {
		for _, o := range others {
			o.End()
		}
	}()
	if err != nil {
		return nil, err
	}
	a, err := s.actor(sc)
	if err != nil {
		return nil, err
	}
	defer a.End()
	ids["PID0"] = a.PID
	for i, o := range others {
		ids[fmt.Sprintf("PID%d", i+1)] = o.PID
	}
	all, unsure, err := s.predict(sc, labels, ids)
	if err != nil {
		return nil, err
	}
	if r != nil && unsure != "" {
		r.Undetermined++
		verify.Tick(r.ByAction, "undetermined: "+unsure, false)
	}
	b := agent.NewBatch(a)
	got := make([]story.Errno, len(all))
	for i := range all {
		args, err := b.Args(all[i].call)
		if err != nil {
			return nil, err
		}
		for k := range args {
			if args[k] == 0xb0f0 { // a buffer that the call may write to
				_, args[k] = b.Room(512)
			}
		}
		b.Must("prctl", unix.SYS_PRCTL, unix.PR_SET_NAME, b.Put(fmt.Sprintf("call%d", i)))
		nr := uintptr(all[i].call.Nr)
		if all[i].call.Name == "fork" { // the child waits for orders, of which there are none
			child := &s.blocks[2+maxOthers]
			child.Clear()
			nr, args = agent.Spawn, []uintptr{uintptr(unix.SIGCHLD), uintptr(unsafe.Pointer(child))}
		}
		b.Then(func(ret int64) error {
			if ret < 0 {
				got[i] = story.Errno(-ret)
			} else if nr == agent.Spawn {
				unix.Kill(int(ret), unix.SIGKILL)
			}
			return nil
		}, nr, args...)
	}
	if _, err := s.audit.read(); err != nil { // what building has left
		return nil, err
	}
	if err := enforce(true); err != nil {
		return nil, err
	}
	err = b.Flush()
	if e := enforce(false); err == nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	records, err := s.audit.read()
	if err != nil {
		return nil, err
	}
	return s.compare(sc, all, got, records, a.PID, r), nil
}

// compare counts the calls, and finds the first that differs.
func (s *stage) compare(sc *Scene, all []asked, got []story.Errno, records []*selinux.Record, pid int, r *verify.Report) *difference {
	// What a permissive domain was let pass once is logged once. Of a name that no lookup has seen yet, as an overlay's, the kernel asks
	// whether it may be made before it knows that it is there.
	permissive := s.policy.Decide(s.policy.MustLabel(sc.Task), s.policy.MustLabel(sc.Task), 1).Permissive
	left := make([][]check.AVC, len(all))
	for _, x := range records {
		var n int
		if x.Fields["pid"] != fmt.Sprint(pid) {
			continue
		}
		if _, err := fmt.Sscanf(x.Fields["comm"], "call%d", &n); err == nil && n < len(left) {
			left[n] = append(left[n], check.AVC{Source: x.Source, Target: x.Target, Class: x.Class, Perms: strings.Join(x.Perms, " ")})
		}
	}
	for i := range all {
		a := &all[i]
		if r != nil {
			r.Count++
			verify.Tick(r.ByCall, a.call.Name, got[i] != 0)
			verify.Tick(r.ByErrno, errnoText(got[i]), got[i] != 0)
			if got[i] != 0 {
				r.Denials++
				verify.Tick(r.ByGate, a.gate, true)
			}
			for _, x := range left[i] {
				verify.Tick(r.ByOracle, "AVC of class "+x.Class, true)
			}
			if a.gate == story.LSM.String() && len(left[i]) == 0 {
				verify.Tick(r.ByOracle, "refused by SELinux without a record", true)
			}
		}
		if got[i] != a.errno {
			return &difference{errnoText(a.errno), errnoText(got[i]), "at " + a.text, i}
		}
		if want, have := text(a.avcs), text(left[i]); want != have && !permissive && !(sc.Overlay && strings.Contains(a.text, "O_CREAT")) {
			return &difference{want, have, "the records of " + a.text, i}
		}
	}
	return nil
}

// text prints records.
func text(avcs []check.AVC) string {
	var out []string
	for _, a := range avcs {
		perms := strings.Fields(a.Perms)
		slices.Sort(perms)
		out = append(out, fmt.Sprintf("{ %s } %s %s %s", strings.Join(perms, " "), a.Source, a.Target, a.Class))
	}
	if len(out) == 0 {
		return "no record"
	}
	return strings.Join(out, "; ")
}

func errnoText(e story.Errno) string {
	if e == 0 {
		return "success"
	}
	return e.String()
}

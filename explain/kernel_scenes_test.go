package explain_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"syscallstory/explain"
	"syscallstory/probe"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// scene is a task that makes calls one after another, each with what is written down for it: - where it is allowed, else its
// errno. They are predicted on the world that the earlier ones have left, and performed by a forked process.
type scene struct {
	name  string
	task  who
	calls []row
}

// Beside calls a scene holds
//
//	open FILE PID  opens uid_map, gid_map or setgroups of a process, 0 being the task itself; the descriptor is the lowest free one
//	drop CAPS      gives up effective and permitted capabilities; all without CAPS
//
// and in calls PID1, PID2… stand for the stage's parked processes.

// stage is where scenes are played: a private mount namespace, whose root is a tmpfs with a few mounts, and the world of it.
type stage struct {
	*lab
	parked []parked
	given  []world.FD   // descriptors that every task has
	rights world.CapSet // the capabilities that the test itself has
}

// parked is a process that waits in a user namespace of its own.
type parked struct {
	pid int
	ns  world.UserNSID
}

// newStage makes a tmpfs the root of the mount namespace.
func newStage(t *testing.T, dir, list string) *stage {
	s := &stage{lab: newLab(t, dir, "dir proc 555 0:0\ndir dev 755 0:0\nchar dev/null 666 0:0 dev=1:3\ndir tmp 1777 0:0\ndir old 755 0:0\n"+list)}
	s.must(os.Chdir(dir))
	s.must(unix.Mount("/proc", s.path("proc"), "", unix.MS_BIND|unix.MS_REC, ""))
	s.must(unix.PivotRoot(".", "old"))
	s.must(unix.Chdir("/"))
	s.must(unix.Unmount("/old", unix.MNT_DETACH))
	s.dir = "/"
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	s.must(unix.Capget(&hdr, &data[0]))
	s.rights = world.CapSet(data[0].Permitted) | world.CapSet(data[1].Permitted)<<32
	w := s.World
	w.Task.NS = w.InitialNamespaces(s.at)
	w.Task.Threads, w.Task.FSUsers = world.Given(1, s.at), world.Given(1, s.at)
	w.MountNS = []world.MountNS{{Root: s.root.Mount, Name: "lab"}}
	w.ProcessesAt = s.at
	return s
}

// play compares what is written down, the model and the kernel for each call of each scene.
func (s *stage) play(scenes []scene) {
	s.t.Helper()
	n := 0
	for _, sc := range scenes {
		saved := *s.World
		saved.UserNS = append([]world.UserNS{}, s.UserNS...)
		saved.Mounts = append([]world.Mount{}, s.Mounts...)
		saved.Namespaces = append([]world.Namespace{}, s.Namespaces...)
		saved.MountNS = append([]world.MountNS{}, s.MountNS...)
		predicted := s.foretell(sc)
		got := s.act(sc)
		*s.World = saved
		for i, c := range sc.calls {
			if c.want == "" { // whatever the kernel says
				c.want = got[i]
			}
			if n++; got[i] != c.want || predicted[i] != c.want {
				s.t.Errorf("%s: %.90s: written down %s, predicted %s, kernel %s", sc.name, c.call, c.want, predicted[i], got[i])
			}
		}
	}
	s.t.Logf("%d cases", n)
}

// credentials are the task's, as the model has them.
func (s *stage) credentials(task who) world.Cred {
	at := s.at
	cr := world.Cred{RUID: world.KUID(task.uid), EUID: world.KUID(task.uid), SUID: world.KUID(task.uid), FSUID: world.KUID(task.uid),
		RGID: world.KGID(task.gid), EGID: world.KGID(task.gid), SGID: world.KGID(task.gid), FSGID: world.KGID(task.gid),
		Permitted: task.caps & s.rights, Effective: task.caps & s.rights, Bounding: s.rights, UserNS: world.UserNSID(task.ns),
		UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at}
	for _, g := range task.groups {
		cr.Groups = append(cr.Groups, world.KGID(g))
	}
	return cr
}

// text puts the parked processes' ids into a call.
func (s *stage) text(call string) string {
	for i, p := range s.parked {
		call = strings.ReplaceAll(call, fmt.Sprintf("PID%d", i+1), fmt.Sprint(p.pid))
	}
	return call
}

// foretell judges a scene's calls on one evolving world.
func (s *stage) foretell(sc scene) []string {
	s.t.Helper()
	w := s.World
	w.Task.Cred = s.credentials(sc.task)
	w.Task.FDs, w.Task.Root, w.Task.Cwd = append([]world.FD{}, s.given...), s.place(s.root, sc.task.root), s.place(s.root, sc.task.root)
	j, err := explain.Bind(w, nil)
	s.must(err)
	var out []string
	for _, c := range sc.calls {
		text := s.text(c.call)
		if word, rest, _ := strings.Cut(text, " "); word == "open" || word == "drop" {
			s.imagine(word, strings.Fields(rest))
			out = append(out, "-")
			continue
		}
		call, err := syscalls.Parse(syscalls.X8664, text)
		if err != nil {
			s.t.Fatal(err)
		}
		end := j.Verdict(call)
		told := j.Story(call)
		if told.Verdict != end.Verdict.String() {
			s.t.Errorf("%s: the verdict is %v, the story says %s", text, end.Verdict, told.Verdict)
		}
		p := prediction{check: &end.Possible, verdict: end.Verdict, errno: end.Errno}
		if !end.Sure {
			p.errno = 0
		}
		out = append(out, p.String())
		if end.Verdict == story.Allowed {
			j.Verdict(call)
			j.Apply(call, -1)
		}
	}
	return out
}

// imagine does what is no call to the world.
func (s *stage) imagine(word string, args []string) {
	t := &s.World.Task
	if word == "drop" {
		t.Cred.Effective, t.Cred.Permitted = 0, 0
		return
	}
	kind, ok := world.ParseIDFile(args[0])
	if !ok {
		s.t.Fatalf("open %s", args[0])
	}
	ns := t.Cred.UserNS
	for _, p := range s.parked {
		if fmt.Sprint(p.pid) == args[1] {
			ns = p.ns
		}
	}
	n := 3
	for t.FDByNumber(n) != nil {
		n++
	}
	t.FDs = append(t.FDs, world.FD{N: n, Kind: world.FDIDMap, Map: &world.IDFile{Kind: kind, NS: ns, Opener: t.Cred}, Flags: unix.O_WRONLY, At: s.at})
}

// act performs a scene.
func (s *stage) act(sc scene) []string {
	s.t.Helper()
	ns := &s.UserNS[sc.task.ns]
	in := func(m world.IDMap, k uint32) uint32 {
		id, ok := m.Up(k)
		if !ok {
			s.t.Fatalf("%s: id %d is not mapped", sc.task.name, k)
		}
		return id
	}
	caps := uint64(sc.task.caps & s.rights)
	j := job{Root: sc.task.root, Scene: &sceneJob{UID: in(ns.UIDs, sc.task.uid), GID: in(ns.GIDs, sc.task.gid), Caps: caps, Bounding: uint64(s.rights)}}
	for _, fd := range s.given {
		j.Scene.Keep = append(j.Scene.Keep, fd.N)
	}
	for _, g := range sc.task.groups {
		j.Scene.Groups = append(j.Scene.Groups, in(ns.GIDs, g))
	}
	for _, c := range sc.calls {
		j.Scene.Calls = append(j.Scene.Calls, s.text(c.call))
	}
	answer := ""
	if sc.task.ns == 0 {
		answer = j.scene()
	} else {
		answer = s.children[len(s.children)-1].ask(j)
	}
	got := strings.Fields(answer)
	if len(got) != len(sc.calls) {
		s.t.Fatalf("%s: %s", sc.name, answer)
	}
	return got
}

// sceneJob is a scene as a process of its user namespace performs it.
type sceneJob struct {
	UID, GID       uint32
	Groups         []uint32
	Caps, Bounding uint64
	Calls          []string
	Keep           []int
}

// scene forks the task and returns how its calls have ended, in words.
func (j job) scene() string {
	// A task that has changed its uid does not own its files in /proc any more, until it says so.
	calls := []probe.Call{{NR: unix.SYS_PRCTL, Args: [6]probe.Arg{{Val: unix.PR_SET_DUMPABLE}, {Val: 1}}}}
	for _, text := range j.Scene.Calls {
		if rest, ok := strings.CutPrefix(text, "open "); ok {
			f := strings.Fields(rest)
			if f[1] == "0" {
				f[1] = "self"
			}
			text = fmt.Sprintf("openat(AT_FDCWD, \"/proc/%s/%s\", O_WRONLY)", f[1], f[0])
		}
		if text == "drop" {
			hdr := binary.LittleEndian.AppendUint32(nil, unix.LINUX_CAPABILITY_VERSION_3)
			calls = append(calls, probe.Call{NR: unix.SYS_CAPSET, Args: [6]probe.Arg{{Data: append(hdr, 0, 0, 0, 0)}, {Data: make([]byte, 24)}}})
			continue
		}
		c, err := syscalls.Parse(syscalls.X8664, text)
		if err != nil {
			return err.Error()
		}
		regs, err := c.Encode()
		if err != nil {
			return err.Error()
		}
		p := probe.Call{NR: uint64(c.Nr)}
		for i, r := range regs {
			p.Args[i] = probe.Arg{Val: r.Val, Data: r.Bytes, Pointers: r.Pointers}
		}
		calls = append(calls, p)
	}
	t := &probe.Task{Cred: probe.Cred{UID: j.Scene.UID, GID: j.Scene.GID, Groups: j.Scene.Groups, Bounding: j.Scene.Bounding, Permitted: j.Scene.Caps, Effective: j.Scene.Caps}, Keep: j.Scene.Keep, Timeout: 2 * time.Second}
	if j.Root != "" && j.Root != "/" {
		t.Before = append(t.Before, probe.Call{NR: unix.SYS_CHROOT, Args: [6]probe.Arg{{Data: append([]byte(j.Root), 0)}}}, probe.Call{NR: unix.SYS_CHDIR, Args: [6]probe.Arg{{Data: []byte("/\x00")}}})
	}
	results, err := probe.Run(t, calls)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, r := range results[1:] {
		switch {
		case r.Signal != 0 || r.Blocked || r.Skipped:
			out = append(out, strings.ReplaceAll(fmt.Sprintf("%+v", r), " ", ","))
		case r.Ret < 0:
			out = append(out, story.Errno(-r.Ret).String())
		default:
			out = append(out, "-")
		}
	}
	return strings.Join(out, " ")
}

// everything is each capability that the machine gives.
const everything = world.AllCaps

var (
	initRoot  = who{name: "root", caps: everything}
	initPlain = who{name: "uid 1000", uid: 1000, gid: 1000}
	initCaps  = who{name: "uid 1000 with capabilities", uid: 1000, gid: 1000, caps: everything}
	// Child 1 maps 65536 ids from 100000.
	childRoot  = who{name: "root of a user namespace", uid: 100000, gid: 100000, caps: everything, ns: 1}
	childPlain = who{name: "uid 1000 of a user namespace", uid: 101000, gid: 101000, ns: 1}
)

// childBehind is child where other user namespaces are there already; tasks name it by its index in the world.
func (s *stage) childBehind(outside, count uint32) {
	s.t.Helper()
	s.child(outside, count, false)
	s.UserNS[len(s.UserNS)-1].Name = "the child's user namespace"
}

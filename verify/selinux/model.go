package selinux

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"syscallstory/check"
	"syscallstory/explain"
	"syscallstory/from/node"
	"syscallstory/kernel"
	"syscallstory/overlay"
	"syscallstory/selinux"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// machine is what a scene does not say.
type machine struct {
	node    *node.Node
	release kernel.Release
	policy  *selinux.Policy
	builder string // context of who builds the scenes
}

// asked is a call with what the model says of it.
type asked struct {
	call  *syscalls.Call
	text  string
	errno story.Errno
	gate  string
	avcs  []check.AVC
}

// types are the types of files.
var types = map[string]uint16{"dir": world.TypeDir, "file": world.TypeReg, "link": world.TypeLink, "fifo": world.TypeFIFO, "null": world.TypeChar}

// predict says what a scene's calls end in. ids are the numbers of the task, PID0, of the other processes, PID1 and
// so on, and of what the first of them has made: SHMID, MSGID and SEMID. unsure is why the model does not know the end of the call behind them.
func (m *machine) predict(s *Scene, labels map[string]string, ids map[string]int) (all []asked, unsure string, err error) {
	w := world.New()
	at := w.Text("the scene")
	m.node.Apply(w)
	w.Kernel, w.KernelAt = m.release, at
	w.SELinux = world.SELinux{Policy: world.Given(world.PolicyFile{Name: "the running policy"}, at), Engine: m.policy, Enforcing: world.Given(true, at)}
	inode := func(mode uint16, uid uint32, label string) world.Inode {
		return world.Inode{Mode: mode, UID: world.KUID(uid), GID: world.KGID(uid), Known: world.KnownAll | world.KnownPeers | world.KnownContext, Nlink: 1, Whole: mode&world.TypeMask == world.TypeDir, Context: label, At: at}
	}
	none, contexts := world.Given(world.MountContexts{}, at), world.Given(world.MountContexts{Context: s.Context}, at)
	sb := world.SB{Type: "tmpfs", Name: "the scene", At: at, FlagsAt: at, Contexts: contexts}
	if s.Overlay {
		sb.Contexts = none
	}
	id := w.FS.NewSB(sb, inode(world.TypeDir|0o777, 0, labels["."]))
	root := w.FS.SB(id).Root
	for i := range s.Files {
		f := &s.Files[i]
		dir := root
		if up := path.Dir(f.Path); up != "." {
			for _, part := range strings.Split(up, "/") {
				if dir = w.FS.Known(dir, part); dir == 0 {
					return nil, "", fmt.Errorf("the scene has no directory for %s", f.Path)
				}
			}
		}
		ino := inode(types[f.Type]|f.Mode, f.UID, labels[f.Path])
		switch f.Type {
		case "file":
			ino.Program, ino.Size = &world.Program{}, int64(len(content))
		case "dir":
			ino.Nlink = 2
		case "link":
			ino.Link, ino.Size = f.Target, int64(len(f.Target))
		case "null":
			ino.Major, ino.Minor = 1, 3
		}
		w.FS.Add(dir, path.Base(f.Path), ino)
	}
	base := w.FS.NewSB(world.SB{Type: "tmpfs", Name: "what lies below the scene", At: at, FlagsAt: at}, inode(world.TypeDir|0o755, 0, ""))
	below := w.Attach(world.Path{}, world.Mount{Root: w.FS.SB(base).Root, SB: base, Point: "/", Origin: at, Why: at})
	w.MountNS = []world.MountNS{{Root: below}}
	w.Binfmts = world.Given(false, at)
	if s.Overlay {
		up := w.FS.NewSB(world.SB{Type: "tmpfs", Name: "the upper layer", At: at, FlagsAt: at, Contexts: none}, inode(world.TypeDir|0o777, 0, labels["."]))
		builder := world.Cred{Effective: world.AllCaps, Permitted: world.AllCaps, Bounding: world.AllCaps, UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at, NoNewAt: at}
		ov := (&world.Overlay{Mounter: builder, Upper: w.FS.SB(up).Root, Lower: []world.DentryID{root}, Names: []string{"the lower layer"},
			Redirect: world.Given(false, at), NFSExport: world.Given(false, at)}).Under(w.Kernel)
		id = overlay.Merger{}.NewOverlay(w.FS, world.SB{Name: "the scene", Overlay: ov, At: at, FlagsAt: at, Contexts: contexts})
		root = w.FS.SB(id).Root
	}
	mnt := w.Attach(world.Path{Mount: below, Dentry: w.FS.Add(w.FS.SB(base).Root, "w", inode(world.TypeDir|0o755, 0, ""))}, world.Mount{Root: root, SB: id, Point: "/w", Origin: at, Why: at})
	credOf := func(uid uint32) world.Cred {
		cr := world.Cred{UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at, NoNewAt: at, SecurebitsAt: at, Bounding: world.AllCaps}
		if uid == 0 {
			cr.Effective, cr.Permitted = world.AllCaps, world.AllCaps
		}
		u, g := world.KUID(uid), world.KGID(uid)
		cr.RUID, cr.EUID, cr.SUID, cr.FSUID, cr.RGID, cr.EGID, cr.SGID, cr.FSGID = u, u, u, u, g, g, g, g
		return cr
	}
	one := world.Given(1, at)
	empty := world.Given("", at)
	here := world.Path{Mount: mnt, Dentry: root}
	w.Task = world.Task{PID: ids["PID0"], Cred: credOf(s.UID), Root: here, Cwd: here, CwdAt: at, Umask: world.Given(uint16(0), at), FDsAt: at, NoFile: world.Given(1024, at), OpenFDs: world.Given(0, at), Devices: world.Devices{All: true, At: at},
		NS: w.InitialNamespaces(at), LandlockAt: at, Threads: one, FSUsers: one, Seccomp: world.Seccomp{At: at}, Labels: []world.Label{{Module: "selinux", Value: s.Task, At: at}},
		Contexts: world.Contexts{Exec: empty, FSCreate: world.Given(s.FSCreate, at), SockCreate: world.Given(s.SockCreate, at), KeyCreate: empty}}
	for i := range w.Task.Rlimits {
		w.Task.Rlimits[i] = world.Given(world.Rlimit{Cur: ^uint64(0), Max: ^uint64(0)}, at)
	}
	opened := world.FD{N: 0, Path: here, FlagsAt: at, At: at, Opener: world.Given(m.builder, at)}
	if s.Opened != "" {
		var st world.State
		if opened.Path, _, st = w.Resolve(here, here, s.Opened); st != world.Present {
			return nil, "", fmt.Errorf("the scene has no %s", s.Opened)
		}
		opened.Flags = 2
		copyUp(w.FS, opened.Path)
	}
	opened.Labeled = w.FS.I(opened.Path.Dentry).Context
	w.Task.FDs, w.Task.OpenFDs.V = []world.FD{opened}, 1
	w.ProcessesAt = w.Miss("what other processes there are", "")
	builder := os.Getpid()
	w.Processes = []world.Process{{PID: ids["PID0"], Parent: builder, Cred: w.Task.Cred, NS: w.Task.NS, Context: world.Given(s.Task, at), At: at}, {PID: builder, Cred: credOf(0), Dumpable: true, NS: w.Task.NS, Context: world.Given(m.builder, at), At: at}}
	for i, o := range s.Others {
		w.Processes = append(w.Processes, world.Process{PID: ids[fmt.Sprintf("PID%d", i+1)], Cred: credOf(o.UID), Dumpable: o.UID == 0, NS: w.Task.NS, Rlimits: &w.Task.Rlimits, Context: world.Given(o.Context, at), At: at})
	}
	w.NewIPCSettings(at)
	if len(s.Others) > 0 {
		first := w.Processes[2]
		its := m.policy.MustLabel(first.Context.V)
		class, _ := m.policy.Class("msg")
		message, err := m.policy.Create(its, its, class, "")
		if err != nil {
			return nil, "", err
		}
		for _, o := range []world.IPCObject{{Kind: world.IPCShm, ID: ids["SHMID"], Size: objectSize}, {Kind: world.IPCMsg, ID: ids["MSGID"], Size: 16384}, {Kind: world.IPCSem, ID: ids["SEMID"], Size: semaphores}} {
			o.UID, o.CUID, o.GID, o.CGID, o.Mode, o.Context, o.At = first.Cred.EUID, first.Cred.EUID, first.Cred.EGID, first.Cred.EGID, objectMode, first.Context, at
			if o.Kind == world.IPCMsg {
				for _, x := range messages {
					o.Messages, o.Used = o.Messages+1, o.Used+x[1]
					o.Queue = append(o.Queue, world.Message{Type: int64(x[0]), Size: x[1], Context: world.Given(m.policy.Text(message.Label), at)})
				}
			}
			w.IPC = append(w.IPC, o)
		}
	}
	j, err := explain.Bind(w, nil)
	if err != nil {
		return nil, "", err
	}
	for _, text := range s.Calls {
		call, err := syscalls.Parse(syscalls.X8664, named(text, ids))
		if err != nil {
			return nil, "", err
		}
		end, avcs := j.Records(call)
		if !end.Sure || end.Verdict != story.Denied && end.Verdict != story.Allowed {
			return all, text + ": " + why(j.Story(call)), nil
		}
		a := asked{call: call, text: text, errno: end.Errno, avcs: slices.Clone(avcs)}
		if step, denied := j.Decided(); end.Verdict == story.Denied && denied {
			a.gate = step.Code.Info().Gate.String()
		}
		all = append(all, a)
		if end.Verdict == story.Denied {
			j.ApplyRefused()
			continue
		}
		ret := int64(-1)
		if call.Name == "socket" {
			for ret = 0; w.Task.FDByNumber(int(ret)) != nil; ret++ {
			}
		}
		j.Apply(call, ret)
		if call.Name == "mknod" && strings.Contains(text, "S_IFIFO") { // nobody has it open
			if made, _, st := w.Resolve(here, w.Task.Cwd, call.Args[0].Str); st == world.Present {
				w.FS.I(made.Dentry).Known |= world.KnownPeers
			}
		}
	}
	return all, "", nil
}

// copyUp has been done with what is open for writing, and with the directories above.
func copyUp(fs *world.FS, p world.Path) {
	if fs.SBOf(p.Dentry).Overlay == nil || fs.I(p.Dentry).Layer == overlay.Upper {
		return
	}
	copyUp(fs, world.Path{Mount: p.Mount, Dentry: fs.D(p.Dentry).Parent})
	overlay.Copied(fs, check.Copied{Path: p, What: check.CopyData})
}

// named puts numbers into a call.
func named(text string, ids map[string]int) string {
	for name, id := range ids {
		text = strings.ReplaceAll(text, name, strconv.Itoa(id))
	}
	return text
}

// why says what a story lacks.
func why(s *story.Story) string {
	if len(s.Missing) > 0 {
		return s.Missing[0].Text
	}
	for i := range s.Steps {
		if s.Steps[i].Outcome == story.Unknown.String() {
			return s.Steps[i].Text
		}
	}
	return s.Verdict
}

package edits

import (
	"errors"
	"fmt"
	"strings"

	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Machine is the input of a world that was read from a machine: a process that runs, or a snapshot of one. What lies on the machine
// is changed by commands that somebody there gives as root; what a process has taken on only a new start changes.
type Machine struct {
	// Read makes the world as it was read. Edits are made of what it returns.
	Read func() (*world.World, error)
	// PID names the process in commands: its number, or a shell's variable where that is not known.
	PID string
	// Near says that the commands find files where the process does: it has the mount namespace and the root of whoever gives them.
	Near bool

	after []func(w *world.World) error
}

// World reads the world and makes the edits.
func (m *Machine) World() (*world.World, error) {
	w, err := m.Read()
	if err != nil {
		return nil, err
	}
	for _, f := range m.after {
		if err := f(w); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Edits offers what may let the call pass.
func (m *Machine) Edits(w *world.World, r world.Refused) []story.Edit {
	p := &person{m: m, w: w, mgr: w.Manager.V}
	p.r = New(w, r, p)
	p.r.Through = true
	if r.Step.Code == story.SeccompFilter {
		p.seccomp()
	} else {
		p.r.Offer()
	}
	return p.out
}

// With makes an edit.
func (m *Machine) With(e story.Edit) (world.Input, error) {
	do, ok := e.Do.(func(*world.World) error)
	if !ok {
		return nil, fmt.Errorf("edit %s is not one of a machine's", e.ID)
	}
	next := *m
	next.after = append(append([]func(*world.World) error{}, m.after...), do)
	return &next, nil
}

// person says edits as commands of somebody at the machine.
type person struct {
	m   *Machine
	w   *world.World
	r   *Refusal
	mgr world.Manager
	out []story.Edit
}

func (p *person) add(e story.Edit, do func(w *world.World) error) {
	e.ID = fmt.Sprintf("%s %s %s", e.Kind, e.Path, e.Patch)
	for _, have := range p.out {
		if have.ID == e.ID {
			return
		}
	}
	e.Do = do
	p.out = append(p.out, e)
}

// quote writes a word for a shell.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// reach returns the path by which somebody outside gets to a place, and false where no path leads there.
func (p *person) reach(at world.Path) (string, bool) {
	text := p.w.PathText(at)
	root := p.w.PathText(p.w.Task.Root)
	if root != "/" {
		rest, ok := strings.CutPrefix(text, root)
		if !ok || rest != "" && rest[0] != '/' {
			return "", false
		}
		text = "/" + strings.TrimPrefix(rest, "/")
	}
	if p.m.Near && root == "/" {
		return text, true
	}
	return strings.TrimSuffix("/proc/"+p.m.PID+"/root"+text, "/"), true
}

// shell is a path of reach as a command has it: a variable in it stays one.
func (p *person) shell(path string) string {
	if rest, ok := strings.CutPrefix(path, "/proc/$"); ok {
		name, rest, _ := strings.Cut(rest, "/")
		return "/proc/$" + name + "/" + strings.TrimSuffix(strings.TrimPrefix(quote("/"+rest), "/"), "/")
	}
	return quote(path)
}

// kept are the filesystems that keep what chmod, chown, setfacl and chattr write. On others, as those of the kernel's own, modes
// cannot be changed, or another machine decides.
var kept = map[string]bool{"ext2": true, "ext3": true, "ext4": true, "xfs": true, "btrfs": true, "f2fs": true, "tmpfs": true, "ramfs": true, "overlay": true, "devtmpfs": true}

// writable reports whether somebody at the machine can write there now.
func (p *person) writable(at world.Path) bool {
	if at.Mount == 0 || at.Dentry == 0 {
		return false
	}
	m, sb := &p.w.Mounts[at.Mount], p.w.FS.SBOf(at.Dentry)
	return m.NS == p.w.Task.MountNS && m.Flags&world.MountReadOnly == 0 && sb.Flags&world.SBReadOnly == 0 && kept[sb.Type]
}

// place finds a path, as the root of the task's mount namespace sees it, in a world.
func place(w *world.World, text string) (world.Path, error) {
	root, ok := w.NamespaceRoot(w.Task.MountNS)
	if !ok {
		root = w.Task.Root
	}
	at, _, st := w.Resolve(root, root, text)
	if st != world.Present {
		return at, fmt.Errorf("%s is not there", text)
	}
	return at, nil
}

// File offers a change of a file.
func (p *person) File(f File) {
	path, ok := p.reach(f.At)
	if !ok || !p.writable(f.At) {
		return
	}
	text := p.w.PathText(f.At)
	p.add(story.Edit{Kind: "host", Path: path, Patch: f.Command(p.shell(path)), Text: f.Text, Exposes: f.Exposes, Risk: f.Risk}, func(w *world.World) error {
		at, err := place(w, text)
		if err != nil {
			return err
		}
		ino := w.FS.I(at.Dentry)
		fixed := ino.Attr & (world.AttrImmutable | world.AttrAppend)
		f.Change(ino)
		if fixed != 0 && ino.Attr&fixed == fixed {
			return errors.New("its attributes keep the file from being changed")
		}
		for layers := ino.Layers; len(layers) > 0; layers = ino.Layers { // what is changed is copied up first
			ino = w.FS.I(layers[0])
			f.Change(ino)
		}
		return nil
	})
}

// Make offers to make names.
func (p *person) Make(dir world.Path, names []string, mode uint16) {
	path, ok := p.reach(dir)
	if !ok || !p.writable(dir) {
		return
	}
	text := p.w.PathText(dir)
	what := "the file "
	if mode&world.TypeMask == world.TypeDir {
		what = "the directory "
	}
	command := MakeCommand(path, names, mode, p.shell)
	if p.r.Step.Code == story.SymlinkLimit {
		command = "rm " + p.shell(path+"/"+names[0]) + " && " + command
	}
	full := strings.TrimSuffix(text, "/") + "/" + strings.Join(names, "/")
	p.add(story.Edit{Kind: "host", Path: path, Patch: command, Text: "make " + what + full, Exposes: "nothing else", Risk: story.Safe}, func(w *world.World) error {
		at, err := place(w, text)
		if err == nil {
			Make(w, at.Dentry, names, mode)
		}
		return err
	})
}

// Remount offers to change flags of the object's mount or, without a flag, of its filesystem. Which mounts are locked in a mount namespace
// of another user namespace no interface shows: there only a new start helps.
func (p *person) Remount(flag world.MountFlags) {
	id := p.r.Obj.Mount
	if id == 0 {
		return
	}
	mt := &p.w.Mounts[id]
	sb := p.w.FS.SB(mt.SB)
	root := world.Path{Mount: id, Dentry: mt.Root}
	point := p.w.PathText(root)
	exposes := point + " to every process that sees this mount"
	change := func(do func(w *world.World, id world.MountID)) func(*world.World) error {
		return func(w *world.World) error {
			at, err := place(w, point)
			if err == nil {
				do(w, at.Mount)
			}
			return err
		}
	}
	opt := map[world.MountFlags]string{0: "rw", world.MountReadOnly: "rw", world.MountNoDev: "dev", world.MountNoExec: "exec", world.MountNoSymFollow: "symfollow"}[flag]
	command := "mount -o "
	if !p.m.Near {
		command = "mount -N " + p.m.PID + " -o "
	}
	unlocked := p.w.MountNS[mt.NS].Owner == 0 || p.w.MountNS[mt.NS].LocksAt.Known() && mt.Locks&world.MountLocks(flag) == 0
	switch {
	case mt.NS != p.w.Task.MountNS, flag == world.MountNoDev && sb.Flags&world.SBNoDev != 0, flag == world.MountNoExec && sb.Flags&world.SBNoExec != 0:
	case flag == 0 && kept[sb.Type] && sb.Overlay == nil && unlocked:
		p.add(story.Edit{Kind: "host", Path: point, Patch: command + "remount,rw " + quote(point), Text: "make the filesystem at " + point + " writable", Exposes: point + " to every process that sees this filesystem", Risk: story.Widens},
			change(func(w *world.World, id world.MountID) { w.FS.SB(w.Mounts[id].SB).Flags &^= world.SBReadOnly }))
	case flag != 0 && unlocked:
		rest := (mt.Flags &^ flag).String() // the other flags stay only if they are named
		if flag != world.MountReadOnly {
			rest += "," + opt
		}
		p.add(story.Edit{Kind: "host", Path: point, Patch: command + "remount,bind," + rest + " " + quote(point), Text: "remount " + point + " with " + opt, Exposes: exposes, Risk: story.Widens},
			change(func(w *world.World, id world.MountID) { w.Mounts[id].Flags &^= flag }))
	case flag == world.MountReadOnly:
		p.again(start{engine: "--mount type=bind,src=…,dst=" + quote(point), pod: "volumeMounts:\n- mountPath: " + point + "\n  readOnly: false", unit: "ReadWritePaths=" + point, setpriv: "mount " + point + " without ro"},
			"mount "+point+" writable", point+" to writing", story.Widens, false, change(func(w *world.World, id world.MountID) { w.Mounts[id].Flags &^= flag }))
	}
}

// Settled reports whether a setting of the machine has a value that does not go back before it is booted anew.
func Settled(s kernel.Sysctl, now int) bool {
	switch s {
	case kernel.ModulesDisabled, kernel.KexecLoadDisabled, kernel.UnprivilegedBPFDisabled:
		return now == 1
	case kernel.PtraceScope:
		return now >= 3
	}
	return false
}

// Sysctl offers another value of a setting.
func (p *person) Sysctl(s kernel.Sysctl, v int) {
	now := p.w.Sysctl(s)
	if !now.Known() || now.V == v || now.V == kernel.NotThere || Settled(s, now.V) {
		return
	}
	net := strings.HasPrefix(s.String(), "net.")
	command, exposes := "sysctl -w "+s.String()+"="+SysctlText(s, v), "what "+s.String()+" protects, to every process of the machine"
	switch {
	case net:
		command = "nsenter -t " + p.m.PID + " -n " + strings.Replace(command, "=", "='", 1) + "'"
		exposes = "what " + s.String() + " protects, to every process in its network namespace"
	case p.w.Task.Cred.UserNS != 0 && strings.HasPrefix(s.String(), "user."):
		exposes += "; the limit of the initial user namespace counts"
	}
	risk := story.Dangerous
	if net {
		risk = story.Widens
	}
	p.add(story.Edit{Kind: "node", Path: s.String(), Patch: command, Text: fmt.Sprintf("set %v to %s", s, SysctlText(s, v)), Exposes: exposes, Risk: risk}, func(w *world.World) error {
		w.Sysctls[s] = world.Given(v, w.Text("the fix"))
		return nil
	})
}

// SysctlText writes a value as sysctl(8) takes it.
func SysctlText(s kernel.Sysctl, v int) string {
	if s == kernel.PingGroupRange || s == kernel.LocalPortRange {
		low, high := kernel.Range(v)
		return fmt.Sprintf("%d %d", low, high)
	}
	return fmt.Sprint(v)
}

// Limit offers a higher limit, which prlimit(1) gives a process that runs: the soft limit alone where the hard one allows it.
func (p *person) Limit(r Resource) {
	t := &p.w.Task
	now := t.Rlimits[r.Number]
	if !now.Known() {
		return
	}
	limit := world.Rlimit{Cur: now.V.Max, Max: now.V.Max}
	value := fmt.Sprintf("%d:", now.V.Max)
	switch {
	case now.V.Max > now.V.Cur && now.V.Max == ^uint64(0):
		value = "unlimited:"
	case now.V.Max > now.V.Cur:
	case r == OpenFiles: // fs.nr_open bounds it
		limit.Cur += 1024
		limit.Max = limit.Cur
		value = fmt.Sprint(limit.Cur)
	default:
		limit = world.Rlimit{Cur: ^uint64(0), Max: ^uint64(0)}
		value = "unlimited"
	}
	p.add(story.Edit{Kind: "host", Path: r.Name, Patch: "prlimit --pid " + p.m.PID + " --" + r.Name + "=" + value, Text: "raise the limit " + r.Name + " of the process to " + strings.TrimSuffix(value, ":"), Exposes: "as much of the machine as the process then takes", Risk: story.Widens},
		func(w *world.World) error {
			at := w.Text("the fix")
			w.Task.Rlimits[r.Number] = world.Given(limit, at)
			if r == OpenFiles {
				w.Task.NoFile = world.Given(int(min(limit.Cur, 1<<30)), at)
			}
			return nil
		})
}

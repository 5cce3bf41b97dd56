package overlay

import (
	"fmt"
	"path"
	"strings"

	"syscallstory/explain"
	"syscallstory/from/node"
	"syscallstory/kernel"
	mech "syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// machine is what a scene does not say.
type machine struct {
	node    *node.Node
	release kernel.Release
}

// sight is what lstat says of a name. What the model does not say is not compared.
type sight struct {
	errno    story.Errno
	mode     uint16 // with the type
	uid, gid uint32
	size     int64  // of a regular file or a link
	nlink    uint32 // 0: not said
	dev      string // which device, in words; empty: not said
	ino      string // which object's number; empty: not said
}

// object is a name of a tree at the end of a mount.
type object struct {
	path string
	sight
	data   string   // of a regular file; the target of a link
	unread bool     // what it holds cannot be asked for here
	names  []string // of a directory
	ignore []string // names that may be listed
	xattr  string   // those of user.x and user.y that it has
	marks  string   // the overlay's own, in the upper layer
	blocks int64    // of 512 bytes, of a regular file in the upper layer; -1: not said
}

// probe is a name that is looked at after a call.
type probe struct {
	path string
	want sight
}

// asked is a call with what the model says of it.
type asked struct {
	call   *syscalls.Call
	text   string
	errno  story.Errno
	gate   string
	write  string // what is written at the start of the file that was opened
	probes []probe
}

// mounting is a mount, the calls that it sees, and what is there at its end.
type mounting struct {
	set    options
	down   bool
	clean  bool
	upper  int // number of the layer; -1: none
	lower  []int
	data   []int
	fails  story.Errno // of the mount
	calls  []asked
	merged []object
	real   []object // the upper layer
	unsure string   // the call that the model does not know the end of, which ends the sequence
}

// model is the world of a scene.
type model struct {
	*world.World
	scene  *Scene
	at     story.Origin
	layers []world.DentryID // by number, the root of each
	ov     *world.Overlay
	root   world.DentryID
	data   []content // what files hold, by the handle of their inode
	writes int
	host   [world.NumNSKinds]world.NamespaceID
	judge  *explain.Judge
}

// ids of the user namespace: 0 and 1 inside are 1000 and 1001 outside.
var userMap = world.IDMap{{Inside: 0, Outside: 1000, Count: 2}}

// predict runs a scene in the model.
func (m *machine) predict(s *Scene) ([]mounting, error) {
	b := &model{World: world.New(), scene: s}
	b.at = b.Text("the scene")
	m.node.Apply(b.World)
	b.Kernel = m.release
	b.host = b.InitialNamespaces(b.at)
	if s.User {
		b.UserNS = append(b.UserNS, world.UserNS{Parent: 0, Level: 1, Owner: 0, UIDs: userMap, GIDs: userMap, Name: "the mounter's namespace"})
	}
	for i, files := range s.Layers {
		if err := b.layer(i, files); err != nil {
			return nil, err
		}
	}
	cur := mounting{set: sets[s.Set]}
	for i := range s.Layers {
		cur.lower = append(cur.lower, i)
	}
	if cur.upper = -1; !s.ReadOnly {
		cur.upper, cur.lower = 0, cur.lower[1:]
	}
	cur.lower, cur.data = cur.lower[:len(cur.lower)-s.Data], cur.lower[len(cur.lower)-s.Data:]
	if err := b.mount(&cur); err != nil {
		return nil, err
	}
	var all []mounting
	for _, st := range s.Steps {
		if st.Call == "" {
			b.end(&cur)
			all = append(all, cur)
			next := mounting{set: sets[st.Set], upper: cur.upper, lower: cur.lower, data: cur.data, clean: st.Remount == "clean" && cur.upper >= 0}
			if st.Remount == "down" && cur.upper >= 0 {
				next.down = true
				next.lower = append([]int{cur.upper}, cur.lower...)
				next.upper = len(b.layers)
				b.newLayer()
			} else if s.Volatile && !next.clean && next.upper >= 0 { // work/incompat/volatile is there
				next.fails = story.EINVAL
				return append(all, next), nil
			}
			if err := b.mount(&next); err != nil {
				return nil, err
			}
			cur = next
			continue
		}
		if err := b.call(&cur, st.Call); err != nil {
			return nil, err
		}
		if cur.unsure != "" {
			break
		}
	}
	b.end(&cur)
	return append(all, cur), nil
}

func (b *model) inode(mode uint16, uid, gid uint32) world.Inode {
	return world.Inode{Mode: mode, UID: world.KUID(uid), GID: world.KGID(gid), Known: world.KnownAll | world.KnownPeers, Nlink: 1, Whole: mode&world.TypeMask == world.TypeDir, At: b.at}
}

// mounterID is who makes the upper directory, and mounts.
func (s *Scene) mounterID() uint32 {
	if s.User {
		return 1000
	}
	return 0
}

// newLayer adds an empty layer, a filesystem of its own in the model.
func (b *model) newLayer() {
	id := b.scene.mounterID()
	sb := b.FS.NewSB(world.SB{Type: "tmpfs", Name: fmt.Sprintf("layer %d", len(b.layers)), At: b.at, FlagsAt: b.at}, b.inode(world.TypeDir|0o755, id, id))
	b.layers = append(b.layers, b.FS.SB(sb).Root)
}

func (b *model) layer(n int, files []File) error {
	b.newLayer()
	fs := b.FS
	for i := range files {
		f := &files[i]
		dir := b.layers[n]
		if up := path.Dir(f.Path); up != "." {
			for _, part := range strings.Split(up, "/") {
				if dir = fs.Known(dir, part); dir == 0 {
					return fmt.Errorf("layer %d has no directory for %s", n, f.Path)
				}
			}
		}
		name := path.Base(f.Path)
		if f.Type == "hard" {
			to, _, st := b.Resolve(world.Path{Dentry: b.layers[n]}, world.Path{Dentry: b.layers[n]}, f.Target)
			if st != world.Present {
				return fmt.Errorf("layer %d has no %s", n, f.Target)
			}
			d := fs.Link(dir, name, fs.D(to.Dentry).Inode)
			fs.I(d).Nlink++
			continue
		}
		typ := map[string]uint16{"dir": world.TypeDir, "file": world.TypeReg, "link": world.TypeLink, "fifo": world.TypeFIFO, "null": world.TypeChar, "whiteout": world.TypeChar, "xwhiteout": world.TypeReg}[f.Type]
		if typ == 0 {
			return fmt.Errorf("a file of the type %q", f.Type)
		}
		ino := b.inode(typ|f.Mode, f.UID, f.GID)
		switch f.Type {
		case "dir":
			ino.Nlink = 2
		case "file":
			ino.Size = f.Size
			ino.Handle = b.hold(content{}.written(0, pattern(n, f.Path, f.Size)))
			if ino.Dense = true; f.Data != "" {
				ino.Handle, ino.Dense = b.hold(content{}.resized(f.Size)), false
				b.mark(&ino, func(m *world.Marks) { m.Metacopy, m.Redirect = true, f.Data })
			}
		case "link":
			ino.Mode |= 0o777
			ino.Link, ino.Size = f.Target, int64(len(f.Target))
		case "null":
			ino.Major, ino.Minor = 1, 3
		case "whiteout":
			ino.Whited, ino.UID, ino.GID = true, 0, 0
			if id := b.scene.mounterID(); n == 0 {
				ino.UID, ino.GID = world.KUID(id), world.KGID(id)
			}
		case "xwhiteout":
			b.mark(&ino, func(m *world.Marks) { m.Whiteout = true })
		}
		if f.Opaque != "" {
			b.mark(&ino, func(m *world.Marks) { m.Opaque = f.Opaque[0] })
		}
		if f.Xattr {
			ino.Xattrs = append(ino.Xattrs, world.Xattr{Name: "user.x", Size: 1})
		}
		fs.Add(dir, name, ino)
	}
	return nil
}

func (b *model) mark(ino *world.Inode, change func(*world.Marks)) {
	m := &ino.Marks
	if sets[b.scene.Set].userxattr {
		m = &ino.UserMarks
	}
	if *m == nil {
		*m = &world.Marks{}
	}
	change(*m)
}

// mount makes the overlay, and the task whose root it is.
func (b *model) mount(to *mounting) error {
	fs, s, o := b.FS, b.scene, to.set
	cr := world.Cred{Effective: world.AllCaps, Permitted: world.AllCaps, Bounding: world.AllCaps, UIDAt: b.at, GIDAt: b.at, GroupsAt: b.at, EffectiveAt: b.at, BoundingAt: b.at, NoNewAt: b.at}
	owner := world.UserNSID(0)
	if s.User {
		id := s.mounterID()
		owner, cr.UserNS = 1, 1
		cr.RUID, cr.EUID, cr.SUID, cr.FSUID = world.KUID(id), world.KUID(id), world.KUID(id), world.KUID(id)
		cr.RGID, cr.EGID, cr.SGID, cr.FSGID = world.KGID(id), world.KGID(id), world.KGID(id), world.KGID(id)
	}
	ov := (&world.Overlay{Mounter: cr, UserXattr: o.userxattr, Redirect: world.Given(o.redirect, b.at), NFSExport: world.Given(o.export, b.at), NoFollow: o.nofollow, Metacopy: o.metacopy, Index: o.index, Xino: o.xino, Volatile: s.Volatile}).Under(b.Kernel)
	if !to.down && b.ov != nil {
		ov.Indexes = b.ov.Indexes
	}
	lower := to.lower
	if s.Nested {
		in := (&world.Overlay{Mounter: cr, Redirect: world.Given(false, b.at), NFSExport: world.Given(false, b.at)}).Under(b.Kernel)
		for _, l := range lower {
			in.Lower, in.Names = append(in.Lower, b.layers[l]), append(in.Names, fmt.Sprint(l))
		}
		id := mech.Merger{}.NewOverlay(fs, world.SB{Name: "the inner overlay", Overlay: in, At: b.at, FlagsAt: b.at})
		ov.Lower, ov.Names = []world.DentryID{fs.SB(id).Root}, []string{"the inner overlay"}
	} else {
		for _, l := range lower {
			ov.Lower, ov.Names = append(ov.Lower, b.layers[l]), append(ov.Names, fmt.Sprint(l))
		}
	}
	for _, l := range to.data {
		ov.DataOnly = append(ov.DataOnly, b.layers[l])
	}
	if to.upper >= 0 {
		ov.Upper = b.layers[to.upper]
	}
	b.ov = ov
	sb := world.SB{Name: "the overlay", Overlay: ov, UserNS: owner, At: b.at, FlagsAt: b.at}
	if s.User {
		sb.Flags = world.SBNoDev
	}
	id := mech.Merger{}.NewOverlay(fs, sb)
	b.root = fs.SB(id).Root
	b.Mounts, b.MountNS = nil, nil
	mnt := b.Attach(world.Path{}, world.Mount{Root: b.root, SB: id, Point: "/", Origin: b.at, Why: b.at})
	b.MountNS = []world.MountNS{{Root: mnt, Owner: owner}}
	at := world.Path{Mount: mnt, Dentry: b.root}
	one := world.Given(1, b.at)
	b.Task = world.Task{Cred: cr, Root: at, Cwd: at, CwdAt: b.at, Umask: world.Given(uint16(0), b.at), FDsAt: b.at, NoFile: world.Given(1024, b.at), OpenFDs: world.Given(0, b.at), Devices: world.Devices{All: true, At: b.at},
		NS: b.host, LandlockAt: b.at, Threads: one, FSUsers: one, Seccomp: world.Seccomp{At: b.at}}
	for i := range b.Task.Rlimits {
		b.Task.Rlimits[i] = world.Given(world.Rlimit{Cur: ^uint64(0), Max: ^uint64(0)}, b.at)
	}
	var err error
	b.judge, err = explain.Bind(b.World, nil)
	return err
}

// call predicts a call and makes it in the model.
func (b *model) call(to *mounting, text string) error {
	call, err := syscalls.Parse(syscalls.X8664, text)
	if err != nil {
		return err
	}
	b.room(to)
	end := b.judge.Verdict(call)
	a := asked{call: call, text: text, errno: end.Errno}
	if !end.Sure || end.Verdict != story.Denied && end.Verdict != story.Allowed {
		to.unsure = text
		return nil
	}
	if step, denied := b.judge.Decided(); end.Verdict == story.Denied && denied {
		a.gate = step.Code.Info().Gate.String()
	}
	if end.Verdict == story.Allowed {
		b.judge.Apply(call, -1)
		b.copied()
		b.perform(&a)
	} else {
		if step, _ := b.judge.Decided(); step.Code == story.OverlayRoom {
			b.spill(world.PathOf(step.Obj))
		}
		b.judge.ApplyRefused()
		b.copied()
	}
	for i := range call.Args {
		if arg := &call.Args[i]; arg.Kind == syscalls.Path && !strings.HasPrefix(call.Name, "symlink") || i == 1 && call.Name == "symlink" {
			if want, ok := b.look(arg.Str); ok {
				a.probes = append(a.probes, probe{arg.Str, want})
			}
		}
	}
	to.calls = append(to.calls, a)
	return nil
}

// upperPages is how big the upper layer's filesystem is made: what its files need, and what is left.
func (s *Scene) upperPages() int {
	n := s.Room - 1
	for i := range s.Layers[0] {
		n += int(s.Layers[0][i].Size+pageSize-1) / pageSize
	}
	return max(n, 1) // size=0 is no limit
}

// room says how much is left there.
func (b *model) room(to *mounting) {
	if b.scene.Room == 0 || to.upper != 0 {
		return
	}
	left := int64(b.scene.upperPages()) * pageSize
	seen := map[world.InodeID]bool{}
	var walk func(world.DentryID)
	walk = func(dir world.DentryID) {
		names, _ := b.FS.Names(dir)
		for _, n := range names {
			d, st := b.FS.Lookup(dir, n)
			id := b.FS.D(d).Inode
			if st != world.Present || seen[id] {
				continue
			}
			seen[id] = true
			if ino := b.FS.I(d); ino.Is(world.TypeDir) {
				walk(d)
			} else if ino.Is(world.TypeReg) && !ino.Blank {
				left -= b.held(d).blocks() * 512
			}
		}
	}
	walk(b.layers[0])
	b.FS.SBOf(b.layers[0]).Room = &world.Room{Bytes: left, Inodes: -1, At: b.at}
}

// spill leaves in a file of the upper layer, which has had attributes only, the data that there was room for.
func (b *model) spill(p world.Path) {
	ino := b.FS.I(p.Dentry)
	left := b.FS.SBOf(b.layers[0]).Room.Bytes
	if ino.Layer != mech.Upper || left <= 0 {
		return
	}
	real := b.FS.I(ino.Layers[0])
	c := b.held(ino.Layers[0])
	if real.Blank {
		c = content{}.resized(real.Size)
	}
	real.Handle = b.hold(c.written(0, b.held(ino.Data).data[:left]))
}

// copied keeps which pages the copies have that a call has made.
func (b *model) copied() {
	for _, cp := range b.judge.Copied() {
		ino := b.FS.I(cp.Path.Dentry)
		if ino.Is(world.TypeReg) && !cp.Attributes && len(ino.Layers) > 0 && ino.Data == 0 {
			if real := b.FS.I(ino.Layers[0]); real.Handle > 0 {
				real.Handle = b.hold(b.data[real.Handle-1].copied()) // the size that it had before
			}
		}
	}
}

// perform makes in the model what an allowed call does to what files hold, and what is written through the descriptor that it opens.
func (b *model) perform(a *asked) {
	t := &b.Task
	cuts := a.call.Name == "truncate" || strings.Contains(a.text, "O_TRUNC")
	var p world.Path
	switch {
	case len(t.FDs) > 0:
		p = t.FDs[0].Path
	case a.call.Name == "truncate":
		p, _, _ = b.Resolve(t.Root, t.Cwd, a.call.Args[0].Str)
	}
	if a.call.Name == "mknod" && strings.Contains(a.text, "S_IFIFO") { // nobody has it open
		if made, _, st := b.Resolve(t.Root, t.Cwd, a.call.Args[0].Str); st == world.Present {
			ino := b.FS.I(made.Dentry)
			ino.Known |= world.KnownPeers
			for _, l := range ino.Layers {
				b.FS.I(l).Known |= world.KnownPeers
			}
		}
	}
	opened := len(t.FDs) > 0
	t.FDs, t.OpenFDs.V = nil, 0
	if p.Dentry == 0 {
		return
	}
	ino := b.FS.I(p.Dentry)
	if !ino.Is(world.TypeReg) || ino.Layer != mech.Upper {
		return
	}
	real := ino.Layers[0]
	if cuts {
		b.FS.I(real).Handle = b.hold(b.held(real))
	}
	if opened && b.scene.Room == 0 && (strings.Contains(a.text, "O_WRONLY") || strings.Contains(a.text, "O_RDWR")) && ino.Mode&0o6000 == 0 {
		b.writes++
		a.write = fmt.Sprintf("W%05d\n", b.writes)
		c, at := b.held(real), 0
		if strings.Contains(a.text, "O_APPEND") { // pwrite appends, too
			at = len(c.data)
		}
		c = c.written(at, a.write)
		r := b.FS.I(real)
		r.Handle, r.Size = b.hold(c), int64(len(c.data))
		ino.Size = r.Size
	}
}

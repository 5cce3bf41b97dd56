package gates

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"syscallstory/explain"
	"syscallstory/from/node"
	"syscallstory/kernel"
	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/vfs"
	"syscallstory/world"
)

// machine is what the scene does not say: facts of the kernel on which it is performed.
type machine struct {
	node    *node.Node
	release kernel.Release
	caps    world.CapSet // that this process can give
	limits  [16]world.Rlimit
	nice    int // of this process, which its children inherit

	landlock bool         // rulesets can be made
	ext4     bool         // filesystems on loop devices can be made
	bounding world.CapSet // of this process: in the initial user namespace nobody has more
}

// model is the world that a scene describes.
type model struct {
	*world.World
	at   story.Origin
	root world.Path
	host [world.NumNSKinds]world.NamespaceID

	limits   *[16]world.Fact[world.Rlimit]
	bounding world.CapSet
	files    map[string]world.InodeID
	made     map[world.InodeID]maker   // which part of the scene an inode comes from
	from     map[world.MountID]int     // which item a mount comes from
	owned    []map[string]world.NSFile // by user namespace: the files of /proc/PID/ns of who holds it
}

// maker is a file of a layer or, with a negative layer, an item: a file, or a tmpfs whose root the inode is.
type maker struct{ layer, index int }

// build makes the model's world of a scene.
func (m *machine) build(s *Scene) (*model, error) {
	w := world.New()
	b := &model{World: w, at: w.Text("the scene"), files: map[string]world.InodeID{}, made: map[world.InodeID]maker{}, from: map[world.MountID]int{}}
	m.node.Apply(w)
	w.Kernel = m.release
	b.host = w.InitialNamespaces(b.at)
	b.bounding = m.bounding
	b.limits = &[16]world.Fact[world.Rlimit]{}
	for i, l := range m.limits {
		b.limits[i] = world.Given(l, b.at)
	}
	w.UserNS = userNamespaces(s)
	b.namespaces()
	b.base()
	b.targets(s, m.nice)
	b.ipc(s)
	layers := make([]world.DentryID, len(s.Layers))
	for i := range s.Layers {
		sb := b.filesystem("tmpfs", fmt.Sprintf("layer %d", i), 0o755, 0, 0)
		layers[i] = w.FS.SB(sb).Root
		for k := range s.Layers[i].Files {
			f := &s.Layers[i].Files[k]
			prefix := fmt.Sprintf("layer %d:", i)
			if err := b.file(f, world.Path{Dentry: layers[i]}, prefix, s.owned(i)); err != nil {
				return nil, err
			}
			b.made[b.files[prefix+f.Path]] = maker{i, k}
		}
	}
	for i := range s.Items {
		var err error
		switch it := &s.Items[i]; {
		case it.File != nil:
			if err = b.file(it.File, b.root, "", false); err == nil && it.File.Hard == "" {
				b.made[b.files[it.File.Path]] = maker{-1, i}
			}
		case it.Mount != nil:
			if err = b.mount(it.Mount, m, layers); err == nil {
				id := world.MountID(len(w.Mounts) - 1)
				if b.from[id] = i; it.Mount.Kind == "tmpfs" || it.Mount.Kind == "ext4" {
					b.made[w.FS.D(w.Mounts[id].Root).Inode] = maker{-1, i}
				}
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// base is the root that every task has: a tmpfs with /proc, with /l, where layers are mounted, and with /w.
func (b *model) base() {
	sb := b.filesystem("tmpfs", "root", 0o755, 0, 0)
	b.root = world.Path{Dentry: b.FS.SB(sb).Root}
	for name, mode := range map[string]uint16{"w": 0o755, "l": 0o755, "proc": 0o755} {
		b.FS.Add(b.root.Dentry, name, b.inode(world.TypeDir|mode, 0, 0))
	}
	b.root.Mount = b.Attach(world.Path{}, world.Mount{Root: b.root.Dentry, SB: sb, Flags: world.MountReadOnly, Point: "/", Origin: b.at, Why: b.at})
	b.MountNS = []world.MountNS{{Root: b.root.Mount}}
	b.attach("/proc", world.Mount{SB: b.filesystem("proc", "proc", 0o555, 0, 0)})
}

func (b *model) inode(mode uint16, uid, gid uint32) world.Inode {
	return world.Inode{Mode: mode, UID: world.KUID(uid), GID: world.KGID(gid), Known: world.KnownAll | world.KnownPeers | world.KnownCaps, Nlink: 1, Whole: mode&world.TypeMask == world.TypeDir, At: b.at}
}

func (b *model) filesystem(typ, name string, mode uint16, uid, gid uint32) world.SBID {
	return b.FS.NewSB(world.SB{Type: typ, Name: name, At: b.at, FlagsAt: b.at}, b.inode(world.TypeDir|mode, uid, gid))
}

// place finds a path, without following a link at its end.
func (b *model) place(from world.Path, p string) (world.Path, error) {
	at := from
	for _, name := range strings.FieldsFunc(p, func(r rune) bool { return r == '/' }) {
		d, st := b.FS.Lookup(at.Dentry, name)
		if st != world.Present {
			return at, fmt.Errorf("the scene has no %s", p)
		}
		at = world.Path{Mount: at.Mount, Dentry: d}
		if at.Mount != 0 {
			at = b.Top(at)
		}
	}
	return at, nil
}

func (b *model) file(f *File, from world.Path, prefix string, user bool) error {
	dir, err := b.place(from, path.Dir(f.Path))
	if err != nil {
		return err
	}
	name := path.Base(f.Path)
	if f.Hard != "" {
		ino, ok := b.files[prefix+f.Hard]
		if !ok {
			return fmt.Errorf("the scene has no %s", f.Hard)
		}
		d := b.FS.Link(dir.Dentry, name, ino)
		b.FS.I(d).Nlink++
		b.files[prefix+f.Path] = ino
		return nil
	}
	ino := b.inode(f.Mode, f.UID, f.GID)
	ino.Link, ino.Size = f.Target, f.Size
	ino.Major, ino.Minor = f.Dev>>8&0xfff, f.Dev&0xff
	if f.Opaque && user {
		ino.UserMarks = &world.Marks{Opaque: 'y'}
	} else if f.Opaque {
		ino.Marks = &world.Marks{Opaque: 'y'}
	}
	if ino.Is(world.TypeReg) {
		if ino.Program, err = f.program(); err != nil {
			return err
		}
		ino.Size = int64(len(f.content()))
		if f.Caps != nil {
			ino.Caps = f.Caps.facts()
			stored := *ino.Caps // the root as the filesystem's user namespace counts
			if id, ok := b.UserNS[b.FS.SBOf(dir.Dentry).UserNS].UIDs.Up(uint32(stored.Root)); ok && stored.Version == 3 {
				stored.Root = world.KUID(id)
			}
			value := string(stored.AppendXattr(nil))
			ino.Xattrs = append(ino.Xattrs, world.Xattr{Name: world.XattrCaps, Size: len(value), Value: value})
		}
	}
	if f.Immutable {
		ino.Attr |= world.AttrImmutable
	}
	if f.Append {
		ino.Attr |= world.AttrAppend
	}
	ino.Whited = prefix != "" && ino.Is(world.TypeChar) && f.Dev == 0
	for _, e := range f.ACL {
		switch e.Tag { // chmod, which follows, sets these
		case "user_obj":
			e.Perm = uint8(f.Mode >> 6 & 7)
		case "mask":
			e.Perm = uint8(f.Mode >> 3 & 7)
		case "other":
			e.Perm = uint8(f.Mode & 7)
		}
		ino.ACL = append(ino.ACL, world.ACLEntry{Tag: world.ACLTag(slices.Index(aclTags, e.Tag)), Perm: e.Perm, ID: e.ID})
	}
	d := b.FS.Add(dir.Dentry, name, ino)
	b.files[prefix+f.Path] = b.FS.D(d).Inode
	if ino.Is(world.TypeDir) {
		b.FS.I(d).Nlink = 2
		b.FS.I(dir.Dentry).Nlink++
	}
	return nil
}

// aclTags are the names of tags in the order of the model's numbers.
var aclTags = []string{"user_obj", "user", "group_obj", "group", "mask", "other"}

func (b *model) mount(mt *Mount, m *machine, layers []world.DentryID) error {
	at, err := b.place(b.root, mt.Point)
	if err != nil {
		return err
	}
	out := world.Mount{Point: mt.Point, Origin: b.at, Why: b.at}
	for _, f := range mt.Flags {
		out.Flags |= world.ParseMountFlag(f)
	}
	switch mt.Kind {
	case "tmpfs":
		out.SB = b.filesystem("tmpfs", mt.Point, mt.Mode, mt.UID, mt.GID)
		sb := b.FS.SB(out.SB)
		sb.UserNS = world.UserNSID(mt.Owner)
		if mt.Owner != 0 {
			sb.Flags |= world.SBNoDev
		}
	case "ext4":
		out.SB = b.filesystem("ext4", mt.Point, mt.Mode, mt.UID, mt.GID)
	case "bind":
		from, err := b.place(b.root, mt.Source)
		if err != nil {
			return err
		}
		out.SB, out.Root = b.Mounts[from.Mount].SB, from.Dentry
		if out.IDMap = world.UserNSID(mt.IDMap); mt.IDMap == 0 {
			out.IDMap = b.Mounts[from.Mount].IDMap // a bind of a mount keeps its map (clone_mnt)
		}
	case "overlay":
		ov := (&world.Overlay{Mounter: b.cred(m), Redirect: world.Given(false, b.at), NFSExport: world.Given(false, b.at)}).Under(b.Kernel)
		for _, l := range mt.Lower {
			ov.Lower, ov.Names = append(ov.Lower, layers[l]), append(ov.Names, fmt.Sprint(l))
		}
		if mt.Upper > 0 {
			ov.Upper = layers[mt.Upper-1]
			up, st := b.FS.Lookup(ov.Upper, "u")
			if st != world.Present {
				return fmt.Errorf("layer %d has no u", mt.Upper-1)
			}
			ov.Upper = up
		}
		sb := world.SB{Name: mt.Point, Overlay: ov, UserNS: world.UserNSID(mt.Owner), At: b.at, FlagsAt: b.at}
		if mt.Owner != 0 {
			sb.Flags |= world.SBNoDev
			ov.UserXattr = true
			ov.Mounter = b.rootOf(world.UserNSID(mt.Owner))
		}
		out.SB = overlay.Merger{}.NewOverlay(b.FS, sb)
	default:
		return fmt.Errorf("mount kind %q", mt.Kind)
	}
	if mt.Super {
		b.FS.SB(out.SB).Flags |= world.SBReadOnly
	}
	if out.Root == 0 {
		out.Root = b.FS.SB(out.SB).Root
	}
	b.World.Attach(at, out)
	return nil
}

func (b *model) attach(point string, m world.Mount) {
	at, err := b.place(b.root, point)
	if err != nil {
		panic(err)
	}
	m.Point, m.Origin, m.Why, m.Root = point, b.at, b.at, b.FS.SB(m.SB).Root
	b.World.Attach(at, m)
}

// cred is this process, which mounts.
func (b *model) cred(m *machine) world.Cred {
	return world.Cred{Permitted: m.caps, Effective: m.caps, Bounding: world.AllCaps, UIDAt: b.at, GIDAt: b.at, GroupsAt: b.at, EffectiveAt: b.at, BoundingAt: b.at, NoNewAt: b.at}
}

// rootOf is the root of a user namespace with all capabilities there.
func (b *model) rootOf(ns world.UserNSID) world.Cred {
	uid, gid := world.KUID(b.UserNS[ns].UIDs[0].Outside), world.KGID(b.UserNS[ns].GIDs[0].Outside)
	return world.Cred{RUID: uid, EUID: uid, SUID: uid, FSUID: uid, RGID: gid, EGID: gid, SGID: gid, FSGID: gid, UserNS: ns, Permitted: world.AllCaps, Effective: world.AllCaps, Bounding: world.AllCaps,
		UIDAt: b.at, GIDAt: b.at, GroupsAt: b.at, EffectiveAt: b.at, BoundingAt: b.at, NoNewAt: b.at}
}

// userNamespaces are the scene's, the initial one first, with maps to its ids.
func userNamespaces(s *Scene) []world.UserNS {
	all := world.New().UserNS
	for i, n := range s.Namespaces {
		parent := &all[n.Parent]
		all = append(all, world.UserNS{Parent: world.UserNSID(n.Parent), Level: parent.Level + 1, Owner: world.KUID(n.Owner),
			UIDs: compose(n.UIDs, parent.UIDs), GIDs: compose(n.GIDs, parent.GIDs), Name: fmt.Sprintf("namespace %d", i+1)})
	}
	return all
}

// compose turns a map to the parent's ids into one to those of the initial namespace.
func compose(m []Extent, parent world.IDMap) world.IDMap {
	var out world.IDMap
	for _, e := range m {
		for _, p := range parent {
			lo, hi := max(uint64(e.Outside), uint64(p.Inside)), min(uint64(e.Outside)+uint64(e.Count), uint64(p.Inside)+uint64(p.Count))
			if lo < hi {
				out = append(out, world.Extent{Inside: e.Inside + uint32(lo-uint64(e.Outside)), Outside: p.Outside + uint32(lo-uint64(p.Inside)), Count: uint32(hi - lo)})
			}
		}
	}
	return out
}

// judge makes the world that of a task and binds a judge.
func (b *model) judge(t *Task) (*explain.Judge, error) {
	if err := b.become(t); err != nil {
		return nil, err
	}
	return explain.Bind(b.World, nil)
}

// become makes the world that of a task.
func (b *model) become(t *Task) error {
	w := b.World
	cr := b.credentials(t)
	w.Task = world.Task{Cred: cr, CwdAt: b.at, Umask: world.Given(t.Umask, b.at), FDsAt: b.at, NoFile: world.Given(1024, b.at), OpenFDs: world.Given(len(t.FDs), b.at),
		Devices: world.Devices{All: true, At: b.at}, NS: b.host, LandlockAt: b.at, PID: firstTarget - 1, Rlimits: *b.limits}
	threads := world.Given(1, b.at) // the one that installs filters ends: none of them is about exit
	w.Task.Threads, w.Task.FSUsers = threads, threads
	var err error
	w.Task.Root = b.root
	if t.Root != "" {
		if w.Task.Root, err = b.place(b.root, t.Root); err != nil {
			return err
		}
	}
	if w.Task.Cwd, err = b.place(b.root, t.Cwd); err != nil {
		return err
	}
	for n, fd := range t.FDs {
		if fd.Path == "" {
			if fd.Target >= len(b.Processes) || fd.Target < 0 || fd.Namespace < 0 || fd.Namespace >= len(b.owned) {
				return fmt.Errorf("descriptor %d: the scene has no such process or namespace", n)
			}
			w.Task.FDs = append(w.Task.FDs, b.descriptor(n, &fd))
			continue
		}
		p, err := b.place(b.root, fd.Path)
		if err != nil {
			return err
		}
		w.Task.FDs = append(w.Task.FDs, world.FD{N: n, Path: p, Flags: fd.Flags, FlagsAt: b.at, At: b.at})
	}
	if t.OwnMounts {
		b.copyMounts(t.NS)
	}
	b.filter(t)
	return b.restrict(t)
}

// namespaces are those that the scene's user namespaces own. The scenes themselves are played in a UTS, an IPC and a
// network namespace of their own.
func (b *model) namespaces() {
	kinds := []world.NSKind{world.UTSNS, world.IPCNS, world.NetNS}
	for _, k := range []world.NSKind{world.UTSNS, world.IPCNS, world.NetNS} {
		b.host[k] = b.AddNamespace(world.Namespace{Kind: k, Parent: b.host[k], Name: "the stage's", At: b.at})
	}
	for ns := range b.UserNS {
		files := map[string]world.NSFile{"user": {Type: world.NewUser, ID: ns}, "mnt": {Type: world.NewMount}}
		for _, k := range kinds {
			id := b.host[k]
			if ns > 0 {
				id = b.AddNamespace(world.Namespace{Kind: k, Owner: world.UserNSID(ns), Parent: id, Fresh: k == world.NetNS, Name: b.UserNS[ns].Name + "'s", At: b.at})
			}
			files[k.String()] = world.NSFile{Type: k.Bit(), ID: int(id)}
		}
		b.owned = append(b.owned, files)
	}
}

// descriptor is one that is no file.
func (b *model) descriptor(n int, fd *FD) world.FD {
	out := world.FD{N: n, At: b.at, FlagsAt: b.at}
	switch {
	case fd.Target > 0:
		out.Kind, out.PID, out.Flags = world.FDPid, firstTarget+fd.Target-1, 2
	case fd.NS != "":
		out.Kind, out.NS = world.FDNamespace, b.owned[fd.Namespace][fd.NS]
	case fd.Socket != nil:
		s := fd.Socket
		out.Kind, out.Socket, out.Flags = world.FDSocket, &world.Socket{Family: s.Family, Type: s.Type, Protocol: s.Protocol, NS: b.host[world.NetNS]}, 2
	case fd.Context != "":
		out.Kind, out.Context = world.FDContext, &world.Context{Type: fd.Context}
	}
	return out
}

// credentials are a task's as the model has them.
func (b *model) credentials(t *Task) world.Cred {
	real, saved := [2]uint32{t.UID, t.GID}, [2]uint32{t.UID, t.GID}
	if t.Real != nil {
		real = *t.Real
	}
	if t.Saved != nil {
		saved = *t.Saved
	}
	cr := world.Cred{RUID: world.KUID(real[0]), EUID: world.KUID(t.UID), SUID: world.KUID(saved[0]), FSUID: world.KUID(t.UID),
		RGID: world.KGID(real[1]), EGID: world.KGID(t.GID), SGID: world.KGID(saved[1]), FSGID: world.KGID(t.GID),
		Effective: world.CapSet(t.Effective), Permitted: world.CapSet(t.Effective | t.Permitted), Inheritable: world.CapSet(t.Inheritable), Ambient: world.CapSet(t.Ambient),
		Bounding: world.CapSet(t.Bounding), Securebits: t.Securebits, NoNewPrivs: t.NoNewPrivs, UserNS: world.UserNSID(t.NS),
		UIDAt: b.at, GIDAt: b.at, GroupsAt: b.at, EffectiveAt: b.at, BoundingAt: b.at, NoNewAt: b.at}
	if t.NS == 0 {
		cr.Bounding &= b.bounding
	}
	for _, g := range t.Groups {
		cr.Groups = append(cr.Groups, world.KGID(g))
	}
	slices.Sort(cr.Groups)
	return cr
}

// targets are the processes that calls can name. They have forked from this one without execve, so that their memory belongs
// to the initial user namespace.
func (b *model) targets(s *Scene, nice int) {
	b.ProcessesAt = b.at
	const session = firstTarget - 2 // that of this process, and its group
	b.Processes = append(b.Processes, world.Process{PID: firstTarget - 1, Parent: session - 1, Session: session, Group: session, Nice: nice, NS: b.host, At: b.at, Rlimits: b.limits})
	for i := range s.Targets {
		t := &s.Targets[i]
		b.Processes = append(b.Processes, world.Process{PID: firstTarget + i, TGID: firstTarget + i, Cred: b.credentials(t), Dumpable: t.Dumpable, Parent: session - 1, Session: session, Group: session, Nice: nice, NS: b.host, At: b.at, Rlimits: b.limits, Undomained: true})
	}
}

// copyMounts gives the task a copy of all mounts, as unshare does. Its descriptors stay with the originals.
func (b *model) copyMounts(ns int) {
	w := b.World
	before := len(w.Mounts)
	to, moved := vfs.CopyMounts(w, w.Kernel, 0, world.UserNSID(ns), "the task's mount namespace", b.at)
	for id := world.MountID(1); int(id) < before; id++ {
		if i, ok := b.from[id]; ok {
			b.from[moved(world.Path{Mount: id, Dentry: w.Mounts[id].Root}).Mount] = i
		}
	}
	w.Task.MountNS = to
	w.Task.Root, w.Task.Cwd = moved(w.Task.Root), moved(w.Task.Cwd)
}

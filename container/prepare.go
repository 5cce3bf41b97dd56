// Package container launches a real container from a world: the same files, mounts, ids, capabilities and filters, in
// namespaces of its own, so that the kernel can be asked what the model predicts.
package container

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"syscallstory/container/inside"
	"syscallstory/from/files"
	"syscallstory/probe"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// Options say what the launch may touch.
type Options struct {
	Shadow     bool // the host's files are copied, even where the host root is this machine's own
	HostWrites bool // calls may change the host's files, and open its devices
	Timeout    time.Duration
	Rootless   bool
}

// maxFiles is how many files of one filesystem are copied.
const maxFiles = 20000

// Plan is a container that can be launched, again and again.
type Plan struct {
	w          *world.World
	o          Options
	spec       inside.Spec
	direct     map[world.SBID]bool // filesystems of the host that are used as they are
	trees      map[world.SBID]int
	at         map[int][]mounted // where each tree is mounted, for effects
	namespaces uintptr           // that the container has of its own
	maps       *idMaps           // of an ordinary user's containers
	devices    []inside.Mount    // the host's devices, where none can be made
	Notes      []string          // what differs from what was asked
}

// mounted is a directory of a tree and where the container sees it.
type mounted struct{ source, target string }

// Prepare works out how a world is made real on this machine, and changes the world where it is made differently: copies of
// files lie on tmpfs, and capabilities that this process does not have cannot be given. A story of the world afterwards is one
// of the container that is launched.
func Prepare(w *world.World, o Options) (*Plan, error) {
	p := &Plan{w: w, o: o, direct: map[world.SBID]bool{}, trees: map[world.SBID]int{}, at: map[int][]mounted{}}
	if o.Timeout <= 0 {
		p.o.Timeout = time.Second
	}
	if len(w.Refusals) > 0 {
		for i := range w.Refusals {
			if w.Refusals[i].Outcome == story.Deny {
				return nil, errors.New("the container would not be started, so that no call is ever made")
			}
		}
	}
	p.userNS()
	steps := []func() error{p.credentials, p.root, p.mounts, p.descriptors}
	if o.Rootless {
		steps = append(steps, p.rootless)
	}
	for _, f := range steps {
		if err := f(); err != nil {
			return nil, err
		}
	}
	if !w.Task.Devices.All { // containers that are launched here share the cgroup of whoever launches them
		w.Task.Devices = world.Devices{All: true, At: w.Text("no devices cgroup is set up for a container that is launched here")}
	}
	p.spec.Cwd = w.PathText(w.Task.Cwd)
	p.spec.Hostname = w.Subject.Name
	p.namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP
	switch share := w.Task.Shares; {
	case share&(world.SharesNet|world.SharesIPC) != 0 && (o.Rootless || len(p.spec.UIDs) > 0):
		p.Notes = append(p.Notes, "in a user namespace the container has a network and IPC namespace of its own")
	default:
		if share&world.SharesNet != 0 {
			p.namespaces &^= unix.CLONE_NEWNET
		}
		if share&world.SharesIPC != 0 {
			p.namespaces &^= unix.CLONE_NEWIPC
		}
	}
	if w.Task.Shares&world.SharesPID != 0 { // its end takes every process of the container along
		p.Notes = append(p.Notes, "a container that is launched here has a pid namespace of its own")
	}
	if p.namespaces&unix.CLONE_NEWNET != 0 {
		freshNetwork(w)
	}
	p.label()
	return p, nil
}

// label has the container's task and files labelled, where SELinux runs here.
func (p *Plan) label() {
	w := p.w
	for _, l := range w.Task.Labels {
		if l.Module == "selinux" && slices.Contains(w.LSMs.V, "selinux") {
			p.spec.Label = l.Value
			p.spec.Context = w.FS.SB(w.Mounts[w.Task.Root.Mount].SB).Contexts.V.Context
		}
	}
	for i := range p.spec.Trees {
		for k := range p.spec.Trees[i].Nodes {
			if p.spec.Label == "" {
				p.spec.Trees[i].Nodes[k].Context = ""
			}
		}
	}
}

// freshNetwork says that nobody sets up the network of a container that is launched here: its settings are a new namespace's.
func freshNetwork(w *world.World) {
	at := w.Text("the network namespace of a container that is launched here is as it was made")
	w.NewNetSettings(at)
	for i := range w.Namespaces {
		if n := &w.Namespaces[i]; n.Kind == world.NetNS && !n.Initial {
			n.Fresh = true
		}
	}
	if n := w.Namespace(world.NetNS); n.Initial { // it was to share the host's
		w.Task.NS[world.NetNS] = w.AddNamespace(world.Namespace{Kind: world.NetNS, Owner: w.Task.Cred.UserNS, Fresh: true, Name: "the container's", At: at})
	}
}

// userNS takes the maps of the container's own user namespace.
func (p *Plan) userNS() {
	ns := &p.w.UserNS[p.w.Task.Cred.UserNS]
	if p.w.Task.Cred.UserNS == 0 {
		return
	}
	maps := func(m world.IDMap) (out []inside.IDs) {
		for _, e := range m {
			out = append(out, inside.IDs{Inside: int(e.Inside), Outside: int(e.Outside), Count: int(e.Count)})
		}
		return out
	}
	p.spec.UIDs, p.spec.GIDs = maps(ns.UIDs), maps(ns.GIDs)
}

// uid and gid are ids as the container sees them.
func (p *Plan) uid(k world.KUID) uint32 {
	id, _ := p.w.UserNS[p.w.Task.Cred.UserNS].UIDs.Up(uint32(k))
	return id
}
func (p *Plan) gid(k world.KGID) uint32 {
	id, _ := p.w.UserNS[p.w.Task.Cred.UserNS].GIDs.Up(uint32(k))
	return id
}

// credentials takes the task's ids and capabilities, less the capabilities that this process does not have.
func (p *Plan) credentials() error {
	cr := &p.w.Task.Cred
	if !cr.UIDAt.Known() || !cr.GIDAt.Known() {
		return errors.New("the uid or gid is not known: give --uid and --gid, or --rootfs")
	}
	own, err := ownCapabilities()
	if err != nil {
		return err
	}
	if cr.UserNS != 0 || p.o.Rootless {
		own = world.AllCaps // the root of a new user namespace has all of them in it
	}
	if lost := (cr.Bounding | cr.Permitted) &^ own; lost != 0 {
		p.Notes = append(p.Notes, "this process has not all capabilities; the container lacks "+lost.String())
	}
	for _, s := range []*world.CapSet{&cr.Bounding, &cr.Permitted, &cr.Effective, &cr.Inheritable, &cr.Ambient} {
		*s &= own
	}
	c := probe.Cred{UID: p.uid(cr.FSUID), GID: p.gid(cr.FSGID), Bounding: uint64(cr.Bounding), Inheritable: uint64(cr.Inheritable), Permitted: uint64(cr.Permitted), Effective: uint64(cr.Effective),
		Ambient: uint64(cr.Ambient), Securebits: cr.Securebits, NoNewPrivs: cr.NoNewPrivs}
	for _, g := range cr.Groups {
		c.Groups = append(c.Groups, p.gid(g))
	}
	p.spec.Task = probe.Task{Cred: c, Dumpable: true, Umask: uint32(p.w.Task.Umask.V), Timeout: p.o.Timeout}
	switch p.w.Task.Seccomp.Mode {
	case world.SeccompStrict:
		p.spec.Task.Strict = true
	case world.SeccompNotKnown:
		return errors.New("the seccomp filter is not known: give --seccomp, --node or --host-root")
	}
	return nil
}

// ownCapabilities is this process's bounding set.
func ownCapabilities() (world.CapSet, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for _, l := range strings.Split(string(text), "\n") {
		if v, ok := strings.CutPrefix(l, "CapPrm:"); ok {
			var set uint64
			_, err := fmt.Sscanf(strings.TrimSpace(v), "%x", &set)
			return world.CapSet(set), err
		}
	}
	return 0, errors.New("/proc/self/status has no CapPrm")
}

// root takes the overlay.
func (p *Plan) root() error {
	fs := p.w.FS
	sb := fs.SB(p.w.Mounts[1].SB)
	ov := sb.Overlay
	if ov == nil || ov.Upper == 0 {
		return errors.New("the container's root is no overlay with an upper layer")
	}
	up := fs.I(ov.Upper)
	p.spec.Upper = node("", up)
	p.become(up.SB, "tmpfs")
	p.spec.LowerIDs = len(ov.Shift) > 0
	p.spec.ReadOnly = p.w.Mounts[1].Flags&world.MountReadOnly != 0
	for _, l := range ov.Lower {
		sb := fs.SBOf(l)
		if d, ok := sb.Source.(world.Directory); ok {
			if base, changed := d.Base(); !changed {
				p.spec.Lower = append(p.spec.Lower, base)
				p.become(fs.I(l).SB, files.Type(base))
				continue
			}
		} else if !fs.I(l).Whole {
			return errors.New("the image's files are not known: give --rootfs")
		}
		n, err := p.tree(fs.I(l).SB)
		if err != nil {
			return err
		}
		p.spec.Lower = append(p.spec.Lower, fmt.Sprintf("#%d", n))
	}
	return nil
}

// become notes on what kind of filesystem files really lie.
func (p *Plan) become(sb world.SBID, typ string) {
	s := p.w.FS.SB(sb)
	at := p.w.Text("the container that is launched here")
	s.Type, s.At, s.FlagsAt, s.Flags, s.UserNS = typ, at, at, s.Flags&^(world.SBReadOnly|world.SBNoDev), 0
}

// FS_IMMUTABLE_FL and FS_APPEND_FL of linux/fs.h.
const (
	immutableFlag = 0x10
	appendFlag    = 0x20
)

// node describes a file to the first process.
func node(path string, i *world.Inode) inside.Node {
	n := inside.Node{Path: path, Mode: uint32(i.Mode), UID: uint32(i.UID), GID: uint32(i.GID), Size: i.Size, Link: i.Link, Major: i.Major, Minor: i.Minor, ACL: acl(i)}
	if i.Known&world.KnownSize == 0 {
		n.Size = 1
	}
	if i.Known&world.KnownContext != 0 {
		n.Context = i.Context
	}
	if i.Caps != nil && i.Caps.Version > 1 {
		n.Caps = i.Caps.AppendXattr(nil)
	}
	if i.Attr&world.AttrImmutable != 0 {
		n.Flags |= immutableFlag
	}
	if i.Attr&world.AttrAppend != 0 {
		n.Flags |= appendFlag
	}
	return n
}

// acl writes an ACL as the kernel's xattr holds it.
func acl(i *world.Inode) []byte {
	if len(i.ACL) == 0 {
		return nil
	}
	tags := map[world.ACLTag]uint16{world.ACLUserObj: 1, world.ACLUser: 2, world.ACLGroupObj: 4, world.ACLGroup: 8, world.ACLMask: 16, world.ACLOther: 32}
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range i.ACL {
		b = binary.LittleEndian.AppendUint16(b, tags[e.Tag])
		b = binary.LittleEndian.AppendUint16(b, uint16(e.Perm))
		id := e.ID
		if e.Tag != world.ACLUser && e.Tag != world.ACLGroup {
			id = world.Invalid
		}
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	return b
}

// tree copies a filesystem's files.
func (p *Plan) tree(sb world.SBID) (int, error) {
	if n, ok := p.trees[sb]; ok {
		return n, nil
	}
	fs := p.w.FS
	s := fs.SB(sb)
	n := len(p.spec.Trees)
	p.trees[sb] = n
	t := inside.Tree{Name: s.Name}
	if root := fs.I(s.Root); !root.Is(world.TypeDir) { // a single file, as a device that is bound
		t.Nodes = []inside.Node{{Mode: world.TypeDir | 0o755}, node("file", root)}
		if root.Known&world.KnownType == 0 { // nothing is known of it: an empty directory stands in
			t.Nodes = t.Nodes[:1]
		}
		p.spec.Trees = append(p.spec.Trees, t)
		return n, nil
	}
	roots := []world.DentryID{s.Root}
	if _, ok := s.Source.(world.Directory); ok && !slices.Contains(p.w.FS.SB(p.w.Mounts[1].SB).Overlay.Lower, s.Root) {
		roots = p.mountedParts(sb) // of the host only what is mounted
	}
	done := map[world.DentryID]bool{}
	var add func(d world.DentryID)
	add = func(d world.DentryID) {
		if done[d] {
			return
		}
		if d != s.Root {
			add(fs.D(d).Parent)
		}
		done[d] = true
		if i := fs.I(d); i.Is(world.TypeReg) { // a copy holds zeros
			i.Program = &world.Program{Short: i.Size < 64}
		}
		t.Nodes = append(t.Nodes, node(strings.TrimPrefix(fs.Path(d), "/"), fs.I(d)))
	}
	for _, r := range roots {
		kids, ok := fs.Children(r, maxFiles)
		if !ok {
			return 0, fmt.Errorf("%s has more than %d files at %s, or cannot be listed: they are not copied", s.Name, maxFiles, fs.Path(r))
		}
		var all func(d world.DentryID)
		all = func(d world.DentryID) {
			add(d)
			for _, k := range kids[d] {
				all(k)
			}
		}
		all(r)
	}
	p.spec.Trees = append(p.spec.Trees, t)
	p.become(sb, "tmpfs")
	return n, nil
}

// mountedParts are the places of a filesystem that the container has mounted.
func (p *Plan) mountedParts(sb world.SBID) []world.DentryID {
	var out []world.DentryID
	for i := 2; i < len(p.w.Mounts); i++ {
		if m := &p.w.Mounts[i]; m.SB == sb && !slices.Contains(out, m.Root) {
			out = append(out, m.Root)
		}
	}
	return out
}

var mountFlags = []struct {
	f world.MountFlags
	m uintptr
}{{world.MountReadOnly, unix.MS_RDONLY}, {world.MountNoSuid, unix.MS_NOSUID}, {world.MountNoDev, unix.MS_NODEV}, {world.MountNoExec, unix.MS_NOEXEC}, {world.MountNoSymFollow, unix.MS_NOSYMFOLLOW}}

// mounts takes the mounts below the root, in their order.
func (p *Plan) mounts() error {
	fs := p.w.FS
	given := len(p.w.Mounts)
	for i := range p.w.Mounts { // nothing propagates out of the container that is launched, nor into it
		p.w.Mounts[i].Group, p.w.Mounts[i].Master = 0, 0
	}
	for i := 2; i < given; i++ {
		if p.o.Rootless && fs.I(p.w.Mounts[i].Root).Is(world.TypeDir) && fs.SB(p.w.Mounts[i].SB).Type == "tmpfs" {
			p.bindDevices(world.MountID(i))
		}
		m := &p.w.Mounts[i]
		sb := fs.SB(m.SB)
		root := fs.I(m.Root)
		out := inside.Mount{Target: p.w.PathText(world.Path{Mount: m.Parent, Dentry: m.At}), Tree: -1, Optional: fs.D(m.At).Phantom}
		for _, f := range mountFlags {
			if m.Flags&f.f != 0 {
				out.Flags |= f.m
			}
		}
		dir, isDir := sb.Source.(world.Directory)
		base, changed := "", true
		if isDir {
			base, changed = dir.Base()
		}
		switch {
		case m.Root != sb.Root && sb.Type == "proc":
			out.Type = "self"
		case sb.Type == "proc", sb.Type == "sysfs", sb.Type == "mqueue":
			out.Type = sb.Type
		case sb.Type == "cgroup2":
			out.Type, out.Optional, out.MayFail = sb.Type, true, true
		case sb.Type == "devpts":
			out.Type, out.Data = "devpts", "newinstance,ptmxmode=0666,mode=0620"
		case p.o.Rootless && root.Is(world.TypeChar) && hostDevices[[2]uint32{root.Major, root.Minor}] != "":
			out.Type, out.Source = "bind", hostDevices[[2]uint32{root.Major, root.Minor}]
		case isDir && base == "/" && !changed && !p.o.Shadow && m.IDMap != 0:
			return errors.New("with hostUsers: false the host's files are mounted as copies only: --shadow")
		case isDir && base == "/" && !changed && !p.o.Shadow:
			out.Type, out.Source = "bind", fs.Path(m.Root)
			p.direct[m.SB] = true
			p.become(m.SB, files.Type(out.Source))
		default:
			n, err := p.tree(m.SB)
			if err != nil {
				return err
			}
			if sb.Type == "unknown" {
				p.Notes = append(p.Notes, fmt.Sprintf("%s is not known: an empty directory stands in for it at %s", sb.Name, out.Target))
			}
			out.IDMapped = m.IDMap != 0
			out.Type, out.Tree, out.Source = "bind", n, strings.TrimPrefix(fs.Path(m.Root), "/")
			if !fs.I(sb.Root).Is(world.TypeDir) && fs.I(sb.Root).Known&world.KnownType != 0 {
				out.Source = "file"
			}
			p.at[n] = append(p.at[n], mounted{out.Source, out.Target})
		}
		p.spec.Mounts = append(append(p.spec.Mounts, out), p.devices...)
		p.devices = nil
	}
	return nil
}

// descriptors takes the descriptors whose files are known.
func (p *Plan) descriptors() error {
	for _, d := range p.w.Task.FDs {
		if d.Path == (world.Path{}) {
			continue
		}
		flags := int(d.Flags)
		if p.w.FS.I(d.Path.Dentry).Is(world.TypeDir) {
			flags = unix.O_RDONLY | unix.O_DIRECTORY
		}
		p.spec.FDs = append(p.spec.FDs, inside.FD{N: d.N, Path: p.w.PathText(d.Path), Flags: flags})
	}
	return nil
}

// Call turns a call into registers and the memory that they lead to.
func (p *Plan) call(c *syscalls.Call) (probe.Call, []inside.FD, error) {
	out := probe.Call{NR: uint64(c.Nr)}
	var fds []inside.FD
	if c.ABI != syscalls.X8664 {
		return out, nil, fmt.Errorf("%s: calls are performed on x86_64 only", c.ABI)
	}
	regs, err := c.Encode()
	if err != nil {
		return out, nil, err
	}
	for i, r := range regs {
		out.Args[i] = probe.Arg{Val: r.Val, Data: r.Bytes, Pointers: r.Pointers}
	}
	for i := range c.Args {
		if a := &c.Args[i]; a.FDPath != "" && int32(a.Val) > 2 {
			fds = append(fds, inside.FD{N: int(a.Val), Path: a.FDPath})
		}
	}
	return out, fds, nil
}

// changing are the operations that change what they are asked of.
var changing = []string{story.OpWrite.String(), story.OpCreate.String(), story.OpReadWrite.String(), story.OpSetattr.String(), story.OpRemove.String(), story.OpMount.String()}

// Refuses says why a call is not performed: it would change the host's own files, or open one of its devices, or replace the
// process that makes the calls.
func (p *Plan) Refuses(s *story.Story) error {
	if strings.HasPrefix(s.Call.Name, "execve") && s.Verdict != story.Denied.String() {
		return errors.New("execve would replace the process that makes the calls: it is performed only where it is denied; -- CMD runs a program")
	}
	if p.o.HostWrites {
		return nil
	}
	for i := range s.Steps {
		e := &s.Steps[i]
		device := e.Code == story.DeviceOpen.String() || e.Code == story.DevicesCgroup.String()
		if !device && !slices.Contains(changing, e.Op) {
			continue
		}
		at, _, st := p.w.Resolve(p.w.Task.Root, p.w.Task.Root, e.Object)
		if st == world.Present && p.direct[p.w.FS.I(at.Dentry).SB] {
			return fmt.Errorf("it would change the host's own %s: --shadow works on a copy, --allow-host-writes does it", e.Object)
		}
	}
	return nil
}

package pod

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"syscallstory/from/node"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// editor collects the edits that may let one refused call pass.
type editor struct {
	in    *Input
	w     *world.World
	r     world.Refused
	c     *corev1.Container
	cpath string
	obj   world.Path
	path  string // of the object, as the container sees it
	out   []story.Edit
}

// Edits offers changes of the Pod, the image, the host and the node, narrow ones first.
func (in *Input) Edits(w *world.World, r world.Refused) []story.Edit {
	c, cpath, err := in.w.Container(in.o.Container)
	if err != nil {
		return nil
	}
	e := &editor{in: in, w: w, r: r, c: c, cpath: cpath, obj: world.PathOf(r.Step.Obj), path: r.Entry.Object}
	switch r.Step.Code {
	case story.SeccompFilter:
		e.seccomp()
	case story.NameMissing, story.OverlayWhiteout, story.SymlinkLimit:
		e.missing()
	case story.MountReadOnly:
		e.readOnly()
	case story.SuperReadOnly, story.MountNoDev, story.MountNoExec, story.MountNoSymFollow:
		e.remount()
	case story.HostPathType:
		e.hostType()
	case story.VolumeMountRefused:
		e.propagation()
	case story.RunAsNonRoot:
		e.runAs(1000, 1000)
		e.yaml("runAsNonRoot", "runAsNonRoot: false", "allow the container to run as root", "everything that root in the container may do", story.Dangerous, false, func(in *Input) {
			sc, _ := in.parts()
			no := false
			(*sc).RunAsNonRoot = &no
		})
	case story.ModeBits, story.ACLBits, story.ModeNoExec:
		e.permission()
	case story.UserNSOwner:
		e.chown()
		e.chmod()
		e.hostUsers()
	case story.UserNSWrite, story.UserNSCreate, story.UserNSCopyUp:
		e.chownBoth()
		e.hostUsers()
	case story.StickyDelete, story.OwnerOnly:
		e.owner()
		e.chown()
		e.capability(kernel.CapFowner)
	case story.GroupOnly:
		e.capability(kernel.CapChown)
	case story.CapNeeded:
		e.capability(kernel.Cap(r.Step.Val[0]))
		e.runAs(0, 0)
	case story.ProtectedHardlink:
		e.owner()
		e.capability(kernel.CapFowner)
		e.sysctl(r.Entry.Facts[0].Value)
	case story.UserNSIDs, story.UserNSArgument:
		e.chownBoth()
		e.hostUsers()
	case story.UserNSCap:
		e.hostUsers()
	case story.Immutable, story.AppendOnly, story.FixedAttributes, story.AppendDirectory:
		e.chattr()
	case story.ProtectedCreate, story.ProtectedSymlink:
		e.protected()
	case story.OpenNoAtime:
		e.owner()
		e.capability(kernel.CapFowner)
	case story.DevicesCgroup:
		e.privileged()
	case story.APIRefused:
		e.annotation()
	}
	return e.out
}

func (e *editor) add(x story.Edit) {
	x.ID = fmt.Sprintf("%s %s %s", x.Kind, x.Path, x.Patch)
	e.out = append(e.out, x)
}

// yaml offers a change of the container's security context.
func (e *editor) yaml(field, patch, text, exposes string, risk story.Risk, lastOut bool, do func(*Input)) {
	p := e.cpath + ".securityContext." + field
	at := e.in.w.Doc.Place(p)
	e.add(story.Edit{Kind: "yaml", File: at.File, Line: at.Line, Path: p, Patch: e.inContainer("securityContext:\n  " + strings.ReplaceAll(patch, "\n", "\n  ")),
		Text: text, Exposes: exposes, Risk: risk, LastOut: lastOut, Do: do})
}

// inContainer puts a patch of the container's fields into one of the Pod's spec.
func (e *editor) inContainer(patch string) string {
	list := strings.TrimSuffix(e.cpath[strings.LastIndex(e.cpath, ".")+1:], "]")
	list, _, _ = strings.Cut(list, "[")
	return list + ":\n- name: " + e.c.Name + "\n  " + strings.ReplaceAll(patch, "\n", "\n  ")
}

// podYAML offers a change of the Pod's spec.
func (e *editor) podYAML(field, patch, text, exposes string, risk story.Risk, do func(*Input)) {
	p := e.in.w.Path + "." + field
	at := e.in.w.Doc.Place(p)
	e.add(story.Edit{Kind: "yaml", File: at.File, Line: at.Line, Path: p, Patch: patch, Text: text, Exposes: exposes, Risk: risk, Do: do})
}

// file offers a change of a file where it lies: on the host, in the image or in a volume.
func (e *editor) file(p world.Path, command func(path string) string, text, exposes string, risk story.Risk, change func(w *world.World, ino *world.Inode)) {
	kind, real := e.where(p)
	target := e.w.PathText(p)
	at := e.w.FS.I(p.Dentry).At
	x := story.Edit{Kind: kind, Path: real, Patch: command(real), Text: text, Exposes: exposes, Risk: risk}
	if pl := e.w.Place(at); pl != nil {
		x.File, x.Line = pl.File, pl.Line
	}
	x.Do = func(in *Input) {
		in.after = append(in.after, func(w *world.World) error {
			at, _, st := w.Resolve(w.Task.Root, w.Task.Root, target)
			if st != world.Present {
				return fmt.Errorf("%s is not there", target)
			}
			ino := w.FS.I(at.Dentry)
			change(w, ino)
			for _, l := range ino.Layers {
				change(w, w.FS.I(l))
			}
			return nil
		})
	}
	e.add(x)
}

// where says whose file it is and what it is called there.
func (e *editor) where(p world.Path) (kind, real string) {
	fs := e.w.FS
	sb := fs.SBOf(p.Dentry)
	switch {
	case sb.Name == "host":
		return "host", fs.Path(p.Dentry)
	case sb.Overlay != nil:
		return "image", fs.Path(p.Dentry)
	}
	return "volume", e.w.PathText(p)
}

// seccomp offers to let the call pass the filter.
func (e *editor) seccomp() {
	name := e.r.Call.Name
	f := e.w.Task.Seccomp.Filters[0]
	at := e.w.Place(f.At)
	if f.JSON != nil {
		e.add(story.Edit{Kind: "profile", File: f.File, Path: "syscalls", Patch: fmt.Sprintf(`{"names": [%q], "action": "SCMP_ACT_ALLOW"}`, name), Text: "allow " + name + " in the profile " + f.File,
			Exposes: name + " to every container with this profile", Risk: story.Widens, Do: func(in *Input) { in.allow = append(in.allow, name) }})
	}
	if f.Engine != "" {
		for _, c := range []kernel.Cap{kernel.CapSysPtrace, kernel.CapSysChroot, kernel.CapSysTime, kernel.CapSyslog, kernel.CapSysNice, kernel.CapSysPacct, kernel.CapSysTtyConfig, kernel.CapDacReadSearch,
			kernel.CapSysBoot, kernel.CapSysRawio, kernel.CapBpf, kernel.CapPerfmon, kernel.CapSysModule, kernel.CapSysAdmin} {
			e.capability(c)
		}
	}
	set := func(field, patch, text, exposes string, risk story.Risk, lastOut bool, p corev1.SeccompProfileType) {
		x := story.Edit{Kind: "yaml", Path: field, Patch: e.inContainer("securityContext:\n  seccompProfile:\n    type: " + patch), Text: text, Exposes: exposes, Risk: risk, LastOut: lastOut, Do: func(in *Input) {
			sc, _ := in.parts()
			(*sc).SeccompProfile = &corev1.SeccompProfile{Type: p}
		}}
		if at != nil {
			x.File, x.Line = at.File, at.Line
		}
		e.add(x)
	}
	field := e.cpath + ".securityContext.seccompProfile"
	if f.Engine == "" {
		set(field, "RuntimeDefault", "use the runtime's default profile", "every call that the runtime's default profile allows", story.Widens, false, corev1.SeccompProfileTypeRuntimeDefault)
	}
	set(field, "Unconfined", "run without a seccomp filter", "every syscall of the kernel", story.Dangerous, true, corev1.SeccompProfileTypeUnconfined)
}

// missing offers to make a name, or to mount the host's file of that path.
func (e *editor) missing() {
	dir := e.obj
	name := e.r.Entry.Object
	if e.r.Step.Code != story.SymlinkLimit {
		name = strings.TrimSuffix(e.path, "/") + "/" + e.r.Entry.Facts[0].Value
	} else {
		dir = world.Path{Mount: dir.Mount, Dentry: e.w.FS.D(dir.Dentry).Parent}
	}
	rest := e.rest(name)
	e.mountHost(path.Join(name, rest))
	kind, real := e.where(dir)
	full := path.Join(real, path.Base(name), rest)
	base := e.w.PathText(dir)
	command := "touch " + full
	if rest != "" {
		command = "mkdir -p " + path.Dir(full) + " && " + command
	}
	if e.r.Step.Code == story.SymlinkLimit {
		command = "ln -sfn /dev/null " + full + " # or wherever it should lead"
	}
	e.add(story.Edit{Kind: kind, Path: full, Patch: command, Text: "make " + path.Join(name, rest) + " (" + full + " in the " + kind + ")", Exposes: "nothing else", Risk: story.Safe, Do: func(in *Input) {
		in.after = append(in.after, func(w *world.World) error {
			at, _, st := w.Resolve(w.Task.Root, w.Task.Root, base)
			if st != world.Present {
				return fmt.Errorf("%s is not there", base)
			}
			made := w.Text("the fix makes it")
			parts := strings.Split(strings.Trim(path.Join(path.Base(name), rest), "/"), "/")
			d := at.Dentry
			for i, part := range parts {
				ino := world.Inode{SB: w.FS.I(d).SB, Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, Nlink: 1, Layer: 2, At: made}
				if i == len(parts)-1 {
					ino.Mode, ino.Whole = world.TypeReg|0o644, false
				}
				d = w.FS.Add(d, part, ino)
			}
			return nil
		})
	}})
}

// rest returns what of the call's path lies behind name, where that is plain.
func (e *editor) rest(name string) string {
	for i := range e.r.Call.Args {
		p := e.r.Call.Args[i].Str
		if p == "" {
			continue
		}
		if !path.IsAbs(p) {
			p = path.Join(e.w.PathText(e.w.Task.Cwd), p)
		}
		if r, ok := strings.CutPrefix(path.Clean(p), name+"/"); ok {
			return r
		}
	}
	return ""
}

// mountHost offers to mount the host's directory that holds a path.
func (e *editor) mountHost(p string) {
	if e.in.o.HostRoot == "" || !path.IsAbs(p) {
		return
	}
	id, err := (&builder{World: e.w, o: e.in.o, hosts: map[string]world.SBID{}}).hostFS("/")
	if err != nil {
		return
	}
	root := world.Path{Dentry: e.w.FS.SB(id).Root}
	dir := path.Dir(p)
	if _, _, st := e.w.Resolve(root, root, p); st != world.Present || dir == "/" {
		return
	}
	ro := e.r.Step.Op != story.OpWrite && !writes(e.r)
	volume := "host" + strings.ReplaceAll(dir, "/", "-")
	patch := e.inContainer(fmt.Sprintf("volumeMounts:\n- name: %s\n  mountPath: %s\n  readOnly: %v", volume, dir, ro)) + fmt.Sprintf("\nvolumes:\n- name: %s\n  hostPath:\n    path: %s\n    type: Directory", volume, dir)
	exposes := "host:" + dir + " to reading"
	if !ro {
		exposes = "host:" + dir + " to writing"
	}
	e.podYAML("volumes", patch, "mount the host's "+dir, exposes, story.Widens, func(in *Input) {
		typ := corev1.HostPathDirectory
		in.w.Spec.Volumes = append(in.w.Spec.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: dir, Type: &typ}}})
		_, vms := in.parts()
		*vms = append(*vms, corev1.VolumeMount{Name: volume, MountPath: dir, ReadOnly: ro})
	})
}

// writes reports whether the refused call asks to write: open's flags say so.
func writes(r world.Refused) bool {
	for i := range r.Call.Args {
		if strings.Contains(r.Call.Args[i].String(), "O_WRONLY") || strings.Contains(r.Call.Args[i].String(), "O_RDWR") {
			return true
		}
	}
	return r.Call.Name == "creat"
}

// readOnly offers to make the mount writable, or a writable place on it.
func (e *editor) readOnly() {
	m := &e.w.Mounts[e.obj.Mount]
	pl := e.w.Place(m.FlagsAt[world.MountReadOnly])
	switch {
	case pl == nil:
		return
	case strings.HasSuffix(pl.Path, ".readOnlyRootFilesystem"):
		dir := path.Dir(e.path)
		if e.w.FS.I(e.obj.Dentry).Is(world.TypeDir) {
			dir = e.path
		}
		if dir != "/" {
			patch := e.inContainer(fmt.Sprintf("volumeMounts:\n- name: writable\n  mountPath: %s", dir)) + "\nvolumes:\n- name: writable\n  emptyDir: {}"
			e.podYAML("volumes", patch, "mount an emptyDir at "+dir, "nothing beyond that directory; it starts empty", story.Safe, func(in *Input) {
				in.w.Spec.Volumes = append(in.w.Spec.Volumes, corev1.Volume{Name: "writable", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
				_, vms := in.parts()
				*vms = append(*vms, corev1.VolumeMount{Name: "writable", MountPath: dir})
			})
		}
		e.yaml("readOnlyRootFilesystem", "readOnlyRootFilesystem: false", "drop readOnlyRootFilesystem", "the container's whole root to writing", story.Widens, false, func(in *Input) {
			sc, _ := in.parts()
			(*sc).ReadOnlyRootFilesystem = nil
		})
	case strings.HasSuffix(pl.Path, ".readOnly"):
		k := slices.IndexFunc(e.c.VolumeMounts, func(vm corev1.VolumeMount) bool { return path.Clean(vm.MountPath) == m.Point })
		if k < 0 {
			return
		}
		vm := e.c.VolumeMounts[k]
		e.add(story.Edit{Kind: "yaml", File: pl.File, Line: pl.Line, Path: pl.Path, Patch: e.inContainer(fmt.Sprintf("volumeMounts:\n- name: %s\n  mountPath: %s\n  readOnly: false", vm.Name, vm.MountPath)),
			Text: "drop readOnly on this mount", Exposes: strings.TrimPrefix(m.Source, "bind of ") + " to writing", Risk: story.Widens, Do: func(in *Input) {
				_, vms := in.parts()
				(*vms)[k].ReadOnly, (*vms)[k].RecursiveReadOnly = false, nil
			}})
	default:
		e.remount()
		e.privileged()
	}
}

// remount offers to change the flags of a mount or filesystem of the host.
func (e *editor) remount() {
	m := &e.w.Mounts[e.obj.Mount]
	flag, opt := world.MountReadOnly, "rw"
	switch e.r.Step.Code {
	case story.MountNoDev:
		flag, opt = world.MountNoDev, "dev"
	case story.MountNoExec:
		flag, opt = world.MountNoExec, "exec"
	case story.MountNoSymFollow:
		flag, opt = world.MountNoSymFollow, "symfollow"
	}
	src, ok := strings.CutPrefix(m.Source, "bind of host:")
	if !ok {
		return
	}
	hm := e.in.o.Node.MountOf(src)
	if hm == nil {
		return
	}
	point := hm.Point
	e.add(story.Edit{Kind: "node", Path: point, Patch: "mount -o remount," + opt + " " + point, Text: "remount " + point + " of the node with " + opt, Exposes: point + " of the node to every process on it", Risk: story.Widens, Do: func(in *Input) {
		n := in.o.Node
		for i := range n.Mounts {
			if n.Mounts[i].Point == point {
				n.Mounts[i].Options = slices.DeleteFunc(slices.Clone(n.Mounts[i].Options), func(o string) bool { return world.ParseMountFlag(o) == flag })
			}
		}
	}})
}

// hostType offers a type that fits what the host has.
func (e *editor) hostType() {
	pl := e.w.Place(e.r.Step.Fact[0])
	if pl == nil {
		return
	}
	k := slices.IndexFunc(e.in.w.Spec.Volumes, func(v corev1.Volume) bool {
		return v.HostPath != nil && v.HostPath.Path == e.r.Entry.Facts[0].Value && v.HostPath.Type != nil && string(*v.HostPath.Type) == e.r.Entry.Facts[1].Value
	})
	if k < 0 {
		return
	}
	for _, t := range []corev1.HostPathType{corev1.HostPathFile, corev1.HostPathDirectory, corev1.HostPathSocket, corev1.HostPathCharDev, corev1.HostPathBlockDev, corev1.HostPathDirectoryOrCreate, corev1.HostPathFileOrCreate} {
		risk, exposes := story.Safe, "nothing else"
		if strings.HasSuffix(string(t), "OrCreate") {
			risk, exposes = story.Widens, "the node to the making of that path"
		}
		e.add(story.Edit{Kind: "yaml", File: pl.File, Line: pl.Line, Path: pl.Path, Patch: fmt.Sprintf("volumes:\n- name: %s\n  hostPath:\n    type: %s", e.in.w.Spec.Volumes[k].Name, t),
			Text: "set the type of hostPath " + e.r.Entry.Facts[0].Value + " to " + string(t), Exposes: exposes, Risk: risk, Do: func(in *Input) { in.w.Spec.Volumes[k].HostPath.Type = &t }})
	}
}

// propagation offers to do without, or to make the node's mount shared.
func (e *editor) propagation() {
	pl := e.w.Place(e.r.Step.Fact[0])
	if pl == nil || !strings.HasSuffix(pl.Path, ".mountPropagation") {
		return
	}
	for k, vm := range e.c.VolumeMounts {
		if vm.MountPropagation == nil || !strings.Contains(e.r.Entry.Facts[0].Value, "volume "+vm.Name+" ") {
			continue
		}
		e.add(story.Edit{Kind: "yaml", File: pl.File, Line: pl.Line, Path: pl.Path, Patch: e.inContainer(fmt.Sprintf("volumeMounts:\n- name: %s\n  mountPath: %s\n  mountPropagation: None", vm.Name, vm.MountPath)),
			Text: "do without mountPropagation", Exposes: "nothing else; later mounts are not seen", Risk: story.Safe, Do: func(in *Input) {
				_, vms := in.parts()
				(*vms)[k].MountPropagation = nil
			}})
	}
	for i := range e.in.nodeMounts() {
		point := e.in.o.Node.Mounts[i].Point
		if strings.Contains(e.r.Entry.Facts[0].Value, ", and "+point+" of the host is") {
			e.add(story.Edit{Kind: "node", Path: point, Patch: "mount --make-shared " + point, Text: "make " + point + " of the node a shared mount", Exposes: "mounts below " + point + " to every namespace that is its peer", Risk: story.Widens,
				Do: func(in *Input) { in.o.Node.Mounts[i].Propagation = "shared" }})
		}
	}
}

func (in *Input) nodeMounts() []node.Mount {
	if in.o.Node == nil {
		return nil
	}
	return in.o.Node.Mounts
}

// permission offers what may let the mode bits or the ACL pass: the right id, a capability, the file's own mode.
func (e *editor) permission() {
	e.owner()
	e.group()
	e.chmod()
	e.chown()
	if e.r.Step.Op == story.OpRead || e.r.Step.Op == story.OpSearch {
		e.capability(kernel.CapDacReadSearch)
	}
	e.capability(kernel.CapDacOverride)
}

// ids returns owner and group of the object as the container sees them.
func (e *editor) ids() (uid, gid uint32, ok bool) {
	ino := e.w.FS.I(e.obj.Dentry)
	if ino.Known&world.KnownOwner == 0 {
		return 0, 0, false
	}
	uid, gid = uint32(ino.UID), uint32(ino.GID)
	ns := &e.w.UserNS[e.w.Task.Cred.UserNS]
	if e.w.Mounts[e.obj.Mount].IDMap != 0 || e.w.Task.Cred.UserNS == 0 {
		return uid, gid, true // the mount shows the ids as they are on disk
	}
	uid, ok1 := ns.UIDs.Up(uid)
	gid, ok2 := ns.GIDs.Up(gid)
	return uid, gid, ok1 && ok2
}

// owner offers to run as the file's owner.
func (e *editor) owner() {
	if uid, gid, ok := e.ids(); ok {
		e.runAs(uid, gid)
	}
}

func (e *editor) runAs(uid, gid uint32) {
	if uid > 1<<31-1 {
		return
	}
	exposes, risk := fmt.Sprintf("every file of uid %d", uid), story.Widens
	if uid == 0 {
		exposes, risk = "every file of root in the container, and root's capabilities", story.Dangerous
	}
	v := int64(uid)
	e.yaml("runAsUser", fmt.Sprintf("runAsUser: %d", uid), fmt.Sprintf("run the container as uid %d", uid), exposes, risk, uid == 0, func(in *Input) {
		sc, _ := in.parts()
		(*sc).RunAsUser = &v
	})
}

// group offers to put the task into the file's group.
func (e *editor) group() {
	_, gid, ok := e.ids()
	if !ok || gid > 1<<31-1 {
		return
	}
	g := int64(gid)
	e.podYAML("securityContext.supplementalGroups", fmt.Sprintf("securityContext:\n  supplementalGroups: [%d]", gid), fmt.Sprintf("add the group %d", gid), fmt.Sprintf("every file of group %d", gid), story.Widens, func(in *Input) {
		in.psc().SupplementalGroups = append(in.psc().SupplementalGroups, g)
	})
	if e.w.FS.SBOf(e.obj.Dentry).Name == "host" || e.w.FS.SBOf(e.obj.Dentry).Overlay != nil {
		return
	}
	mine := int64(1000)
	if e.in.psc().FSGroup == nil {
		e.podYAML("securityContext.fsGroup", fmt.Sprintf("securityContext:\n  fsGroup: %d", mine), "let the kubelet give the volume a group of the Pod", "the volume to every process of that group", story.Safe, func(in *Input) { in.psc().FSGroup = &mine })
	}
}

// chmod offers the bit that is missing, for the class that counts.
func (e *editor) chmod() {
	ino := e.w.FS.I(e.obj.Dentry)
	if ino.Known&(world.KnownOwner|world.KnownPerm) != world.KnownOwner|world.KnownPerm {
		return
	}
	bits := map[story.Op]uint16{story.OpRead: 4, story.OpWrite: 2, story.OpReadWrite: 6, story.OpExec: 1, story.OpSearch: 1, story.OpCreate: 3}[e.r.Step.Op]
	if bits == 0 {
		bits = 7 &^ (ino.Mode & 7)
	}
	verb := map[story.Op]string{story.OpRead: "read", story.OpWrite: "write to", story.OpReadWrite: "read and write", story.OpExec: "execute", story.OpSearch: "search", story.OpCreate: "make names in"}[e.r.Step.Op]
	if verb == "" {
		verb = "use"
	}
	letters := ""
	for i, ch := range "rwx" {
		if bits>>(2-i)&1 != 0 {
			letters += string(ch)
		}
	}
	for _, c := range []struct {
		who   string
		shift uint16
		to    string
	}{{"u", 6, "its owner"}, {"g", 3, "its group"}, {"o", 0, "everybody"}} {
		if ino.Mode>>c.shift&bits == bits {
			continue
		}
		risk := story.Safe
		if c.who == "o" {
			risk = story.Widens
		}
		e.file(e.obj, func(p string) string { return fmt.Sprintf("chmod %s+%s %s", c.who, letters, p) }, "let "+c.to+" "+verb+" "+e.path, e.path+" to "+c.to, risk,
			func(_ *world.World, ino *world.Inode) { ino.Mode |= bits << c.shift })
	}
	if uid := e.w.Task.Cred.FSUID; uint32(uid) != world.Invalid && e.w.Task.Cred.UIDAt.Known() {
		id := e.onDisk(uint32(uid))
		entry := world.ACLEntry{Tag: world.ACLUser, Perm: uint8(bits), ID: id}
		if len(ino.ACL) == 0 && ino.Known&world.KnownACL != 0 && e.w.FS.SBOf(e.obj.Dentry).Overlay == nil {
			e.file(e.obj, func(p string) string { return fmt.Sprintf("setfacl -m u:%d:%s %s", id, letters, p) }, fmt.Sprintf("let uid %d %s %s by an ACL", id, verb, e.path), e.path+" to that uid only", story.Safe,
				func(_ *world.World, ino *world.Inode) {
					group := uint8(ino.Mode >> 3 & 7)
					ino.ACL = []world.ACLEntry{{Tag: world.ACLUserObj, Perm: uint8(ino.Mode >> 6 & 7)}, entry, {Tag: world.ACLGroupObj, Perm: group}, {Tag: world.ACLMask, Perm: group | entry.Perm}, {Tag: world.ACLOther, Perm: uint8(ino.Mode & 7)}}
					ino.Mode |= uint16(entry.Perm) << 3
				})
		}
	}
}

// onDisk is a uid as the object's filesystem keeps it.
func (e *editor) onDisk(uid uint32) uint32 {
	if ns := e.w.Mounts[e.obj.Mount].IDMap; ns != 0 {
		uid, _ = e.w.UserNS[ns].UIDs.Up(uid)
	}
	return uid
}

// chown offers to give the file to the task.
func (e *editor) chown() {
	cr := &e.w.Task.Cred
	if !cr.UIDAt.Known() {
		return
	}
	onDisk := e.onDisk(uint32(cr.FSUID))
	uid := world.KUID(onDisk)
	e.file(e.obj, func(p string) string { return fmt.Sprintf("chown %d %s", onDisk, p) }, fmt.Sprintf("give %s to uid %d", e.path, onDisk), e.path+" to every process of that uid", story.Safe, func(w *world.World, ino *world.Inode) { ino.UID = uid })
}

// chownBoth offers to give owner and group of the file ids that the Pod's user namespace maps.
func (e *editor) chownBoth() {
	cr := &e.w.Task.Cred
	if !cr.UIDAt.Known() || !cr.GIDAt.Known() {
		return
	}
	uid, gid := e.onDisk(uint32(cr.FSUID)), e.onDisk(uint32(cr.FSGID))
	e.file(e.obj, func(p string) string { return fmt.Sprintf("chown %d:%d %s", uid, gid, p) }, fmt.Sprintf("give %s to %d:%d", e.path, uid, gid), e.path+" to every process of that uid", story.Safe,
		func(_ *world.World, ino *world.Inode) { ino.UID, ino.GID = world.KUID(uid), world.KGID(gid) })
}

// capability offers a capability, by taking it off the dropped ones or by adding it.
func (e *editor) capability(c kernel.Cap) {
	if e.w.Task.Cred.Bounding.Has(c) {
		return
	}
	name := strings.TrimPrefix(c.String(), "CAP_")
	risk := story.Widens
	if c == kernel.CapSysAdmin || c == kernel.CapSysModule || c == kernel.CapSysRawio || c == kernel.CapBpf {
		risk = story.Dangerous
	}
	drops := func(list *corev1.Capabilities, what string) bool {
		return list != nil && slices.ContainsFunc(list.Drop, func(d corev1.Capability) bool { return strings.EqualFold(string(d), what) })
	}
	var caps *corev1.Capabilities
	if e.c.SecurityContext != nil {
		caps = e.c.SecurityContext.Capabilities
	}
	if drops(caps, name) {
		e.yaml("capabilities.drop", "capabilities: # drop: without "+name, "do not drop "+name, capText(c), risk, false, func(in *Input) {
			sc, _ := in.parts()
			list := (*sc).Capabilities
			list.Drop = slices.DeleteFunc(list.Drop, func(d corev1.Capability) bool { return strings.EqualFold(string(d), name) })
			if !defaultCaps.Has(c) {
				list.Add = append(list.Add, corev1.Capability(name))
			}
		})
		return
	}
	e.yaml("capabilities.add", "capabilities:\n  add: ["+name+"]", "add the capability "+name, capText(c), risk, false, func(in *Input) {
		sc, _ := in.parts()
		if (*sc).Capabilities == nil {
			(*sc).Capabilities = &corev1.Capabilities{}
		}
		(*sc).Capabilities.Add = append((*sc).Capabilities.Add, corev1.Capability(name))
	})
}

func capText(c kernel.Cap) string {
	switch c {
	case kernel.CapDacOverride:
		return "every file that the container can reach to reading and writing"
	case kernel.CapDacReadSearch:
		return "every file that the container can reach to reading"
	case kernel.CapFowner:
		return "every file that the container can reach to what its owner may do"
	}
	return "everything that " + c.String() + " stands for"
}

// chattr offers to take an attribute off.
func (e *editor) chattr() {
	flag, attr, text := "i", world.AttrImmutable, "immutable"
	if e.w.FS.I(e.obj.Dentry).Attr&world.AttrImmutable == 0 {
		flag, attr, text = "a", world.AttrAppend, "append-only"
	}
	e.file(e.obj, func(p string) string { return "chattr -" + flag + " " + p }, "take the attribute "+text+" off "+e.path, e.path+" to whoever its mode allows", story.Widens,
		func(_ *world.World, ino *world.Inode) { ino.Attr &^= attr })
}

// protected offers the right owner, a directory without the sticky bit, or the sysctl.
func (e *editor) protected() {
	e.owner()
	e.chown()
	dir := world.Path{Mount: e.obj.Mount, Dentry: e.w.FS.D(e.obj.Dentry).Parent}
	e.file(dir, func(p string) string { return "chmod o-w " + p }, "take write permission from others in "+e.w.PathText(dir), "nothing: it only takes away", story.Safe, func(_ *world.World, ino *world.Inode) { ino.Mode &^= 0o002 })
	e.sysctl(e.r.Entry.Facts[0].Value)
}

// sysctl offers to turn a protection of the node off.
func (e *editor) sysctl(name string) {
	if e.in.o.Node != nil {
		e.add(story.Edit{Kind: "node", Path: name, Patch: "sysctl -w " + name + "=0", Text: "set " + name + " to 0 on the node", Exposes: "every program on the node to attacks by prepared files and links", Risk: story.Dangerous,
			Do: func(in *Input) { in.o.Node.Sysctls[name] = 0 }})
	}
}

// hostUsers offers to run without a user namespace.
func (e *editor) hostUsers() {
	if h := e.in.w.Spec.HostUsers; h == nil || *h {
		return
	}
	e.podYAML("hostUsers", "hostUsers: true", "run in the host's user namespace", "the node to root in the container", story.Dangerous, func(in *Input) { in.w.Spec.HostUsers = nil })
	e.out[len(e.out)-1].LastOut = true
}

// privileged is what is left where the runtime itself closes something.
func (e *editor) privileged() {
	e.yaml("privileged", "privileged: true", "run the container privileged", "the whole node", story.Dangerous, true, func(in *Input) {
		sc, _ := in.parts()
		yes := true
		(*sc).Privileged, (*sc).AllowPrivilegeEscalation = &yes, nil
	})
}

// annotation offers the field that took the place of the first seccomp annotations.
func (e *editor) annotation() {
	key := firstKey + "container/" + e.c.Name
	value, ok := e.in.w.Meta.Annotations[key]
	if !ok {
		key = firstKey + "pod"
		value = e.in.w.Meta.Annotations[key]
	}
	p := &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	patch := "seccompProfile:\n  type: RuntimeDefault"
	if name, local := strings.CutPrefix(value, "localhost/"); local {
		name += ".json"
		p = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: &name}
		patch = "seccompProfile:\n  type: Localhost\n  localhostProfile: " + name
	} else if value == "unconfined" {
		p.Type, patch = corev1.SeccompProfileTypeUnconfined, "seccompProfile:\n  type: Unconfined"
	}
	e.yaml("seccompProfile", patch, "write the annotation as the field seccompProfile", "nothing: it is what the annotation asked for", story.Safe, false, func(in *Input) {
		sc, _ := in.parts()
		(*sc).SeccompProfile = p
		in.w.Meta.Annotations = maps.Clone(in.w.Meta.Annotations)
		maps.DeleteFunc(in.w.Meta.Annotations, func(k, _ string) bool { return strings.HasPrefix(k, firstKey) })
	})
}

package pod

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"syscallstory/from/files"
	"syscallstory/from/node"
	"syscallstory/story"
	"syscallstory/world"
)

// embeddedSpec is the tiny root filesystem of --rootfs embedded.
const embeddedSpec = `/set uid=0 gid=0
. type=dir mode=0755
./bin type=dir mode=0755
./bin/sh type=file mode=0755 size=1024
./etc type=dir mode=0755
./etc/passwd type=file mode=0644 size=30
./tmp type=dir mode=1777
./var type=dir mode=0755
./var/log type=dir mode=0755
./dev type=dir mode=0755
./proc type=dir mode=0555
./sys type=dir mode=0555
`

// pending is a mount that kubelet and runtime will make. They are made by the depth of their mount points.
type pending struct {
	point string
	world.Mount
	made Made
}

const (
	noSuid = world.MountNoSuid
	locked = world.MountNoSuid | world.MountNoDev | world.MountNoExec
)

// knownDir makes a directory's inode all of which is known.
func (b *builder) knownDir(mode uint16, at story.Origin) world.Inode {
	return world.Inode{Mode: world.TypeDir | mode, UID: world.KUID(b.kid(0)), GID: world.KGID(b.kid(0)), Known: world.KnownAll, Whole: true, Nlink: 2, At: at}
}

// rootfs makes the container's root: an overlay with an empty upper layer over the image.
func (b *builder) rootfs() error {
	upper := b.knownDir(0o755, b.Text("the container's empty upper layer"))
	typ, flagsAt := b.hostType("/var/lib/containerd")
	up := b.FS.NewSB(world.SB{Type: typ, Name: "upper layer", At: flagsAt, FlagsAt: flagsAt}, upper)
	var low world.SBID
	var err error
	switch sb := (world.SB{Type: typ, Name: "image", At: flagsAt, FlagsAt: flagsAt}); b.o.Rootfs {
	case "":
		at := b.Miss("the image's files are not known", "--rootfs DIR")
		low = b.FS.NewSB(sb, world.Inode{Mode: world.TypeDir, Known: world.KnownType, At: at})
	case "embedded":
		low, err = files.Tree(b.World, sb, "embedded.mtree", []byte(embeddedSpec))
	default:
		low, err = files.Dir(b.World, sb, b.o.Rootfs, "", nil)
	}
	if err != nil {
		return err
	}
	at := b.Text("the runtime mounts as root")
	mounter := world.Cred{Effective: world.AllCaps, Permitted: world.AllCaps, Bounding: world.AllCaps, UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at}
	ov := b.o.Merger.NewOverlay(b.FS, world.SB{Name: "container root", At: at, FlagsAt: at, Contexts: b.labelled(),
		Overlay: (&world.Overlay{Upper: b.FS.SB(up).Root, Lower: []world.DentryID{b.FS.SB(low).Root}, Names: []string{"image"}, Mounter: mounter, Shift: b.shift(),
			Redirect: world.Given(false, b.Suppose("overlayfs renames no directories of the image (redirect_dir is off, as by default)", ""))}).Under(b.Kernel)})
	m := world.Mount{Root: b.FS.SB(ov).Root, SB: ov, Point: "/", Source: "overlay", Origin: b.Text("the runtime mounts the container's root")}
	m.Why = m.Origin
	if ro := b.sc.ReadOnlyRootFilesystem; ro != nil && *ro {
		m.Flags = world.MountReadOnly
		m.FlagsAt = map[world.MountFlags]story.Origin{world.MountReadOnly: b.field(b.scField("readOnlyRootFilesystem"))}
	}
	b.MountNS = []world.MountNS{{Name: "container", Owner: b.Task.Cred.UserNS}}
	b.root = b.Attach(world.Path{}, m)
	b.make(b.root, Made{By: runtime})
	b.MountNS[0].Root = b.root
	b.Task.Root = world.Path{Mount: b.root, Dentry: b.FS.SB(ov).Root}
	b.Task.Cwd = b.Task.Root
	return nil
}

// hostType returns the type of the filesystem on which a directory of the host lies, and whether that is known.
func (b *builder) hostType(dir string) (string, story.Origin) {
	if hm := b.o.Node.MountOf(dir); hm != nil && hm.Type != "" {
		return hm.Type, b.o.Node.At(b.World, "mounts")
	}
	return "unknown", b.Miss("the filesystem of "+dir+" on the node is not known", "--node FILE with mounts")
}

// hostFlags puts the flags of the host's mount at a path on m.
func (b *builder) hostFlags(m *world.Mount, dir string) {
	hm := b.o.Node.MountOf(dir)
	if hm == nil {
		m.Unsure, m.Why = 0xff, b.Miss("the flags of the host's mount at "+dir+" are not known", "--node FILE with mounts")
		return
	}
	b.flagsOf(m, hm)
}

// flagsOf puts the flags of one of the host's mounts on m.
func (b *builder) flagsOf(m *world.Mount, hm *node.Mount) {
	at := b.o.Node.At(b.World, "mounts")
	for _, o := range hm.Options {
		if f := world.ParseMountFlag(o); f != 0 {
			m.Flags |= f
			m.FlagsAt[f] = at
		}
	}
}

// system makes what the runtime mounts in every container: /proc, /dev and /sys.
func (b *builder) system() error {
	at := b.Text("the runtime's mounts in every container")
	ns := b.Task.Cred.UserNS
	mountAt := func(p world.Path, point, typ string, flags world.MountFlags, sbFlags world.SBFlags, root world.Inode, made Made) world.DentryID {
		sb := world.SB{Type: typ, Name: typ, At: at, FlagsAt: at, UserNS: ns, Flags: sbFlags, Contexts: b.unlabelled()}
		if typ == "tmpfs" || typ == "mqueue" || typ == "devpts" { // runc and crun mount them with the label
			sb.Contexts = b.labelled()
		}
		id := b.FS.NewSB(sb, root)
		m := world.Mount{SB: id, Root: b.FS.SB(id).Root, Flags: flags, Point: point, Source: typ, Origin: at, Why: at}
		if ns != 0 {
			b.FS.SB(id).Flags |= world.SBNoDev
		}
		b.make(b.Attach(p, m), made)
		return m.Root
	}
	mount := func(point, typ string, flags world.MountFlags, sbFlags world.SBFlags, root world.Inode) world.DentryID {
		return mountAt(b.mountpoint(point, true), point, typ, flags, sbFlags, root, Made{By: runtime})
	}
	open := func(name string) world.Inode {
		return world.Inode{Mode: world.TypeDir | 0o555, Known: world.KnownType | world.KnownPerm | world.KnownACL | world.KnownAttr,
			At: b.Miss("what "+name+" of a container holds is not modelled", "")}
	}
	procRoot := open("/proc")
	procRoot.Known |= world.KnownOwner
	proc := mount("/proc", "proc", locked, world.SBNoExec, procRoot)
	if !b.p.Spec.HostPID {
		b.FS.SBOf(proc).Source = &procfs{b.World}
	}
	ro := world.MountReadOnly
	if b.privileged() {
		ro = 0
	}
	b.dev(mount, at)
	mount("/sys", "sysfs", locked|ro, world.SBNoExec, open("/sys"))
	mount("/sys/fs/cgroup", "cgroup2", locked|ro, 0, open("/sys/fs/cgroup"))
	if b.privileged() || b.sc.ProcMount != nil && *b.sc.ProcMount != "Default" {
		return nil
	}
	roAt := b.Text("the runtime's list of read-only paths")
	for _, name := range []string{"bus", "fs", "irq", "sys", "sysrq-trigger"} {
		ino := open("/proc/" + name)
		if name == "sysrq-trigger" {
			ino.Mode = world.TypeReg | 0o200
		}
		ino.Known |= world.KnownOwner
		d := b.FS.Add(proc, name, ino)
		b.make(b.Attach(b.mountpoint("/proc/"+name, true), world.Mount{SB: b.FS.I(proc).SB, Root: d, Flags: locked | world.MountReadOnly, Point: "/proc/" + name, Source: "proc",
			Origin: roAt, Why: roAt, FlagsAt: map[world.MountFlags]story.Origin{world.MountReadOnly: roAt}}), Made{By: runtime, Inside: "/proc/" + name, Unsure: name == "sysrq-trigger"})
	}
	null, _, _ := b.Resolve(b.Task.Root, b.Task.Root, "/dev/null")
	for _, name := range []string{"interrupts", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug"} {
		p, sure := b.maybe("/proc/" + name)
		b.make(b.Attach(p, world.Mount{SB: b.FS.I(null.Dentry).SB, Root: null.Dentry, Flags: b.Mounts[null.Mount].Flags, Point: "/proc/" + name, Source: "/dev/null", Origin: at, Why: at}), Made{By: runtime, Inside: "/dev/null", Unsure: !sure})
	}
	for _, name := range []string{"/proc/asound", "/proc/acpi", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"} { // hidden behind an empty one
		p, sure := b.maybe(name)
		mountAt(p, name, "tmpfs", world.MountReadOnly, 0, b.knownDir(0o755, at), Made{By: runtime, Unsure: !sure})
	}
	return nil
}

// device makes a character device's inode.
func (b *builder) device(major, minor uint32, at story.Origin) world.Inode {
	return world.Inode{Mode: world.TypeChar | 0o666, Known: world.KnownAll, Nlink: 1, Major: major, Minor: minor, At: at}
}

// devices are the nodes that every container gets.
var devices = []struct {
	name         string
	major, minor uint32
}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}}

// dev makes /dev and what is mounted below it.
func (b *builder) dev(mount func(string, string, world.MountFlags, world.SBFlags, world.Inode) world.DentryID, at story.Origin) {
	root := b.knownDir(0o755, at)
	root.Whole = !b.privileged() // a privileged container has the host's devices
	if b.privileged() {
		root.At = b.Miss("which devices the host has is not known", "")
	}
	dev := mount("/dev", "tmpfs", noSuid, 0, root)
	for _, d := range devices {
		ino := b.device(d.major, d.minor, at)
		if b.Task.Cred.UserNS == 0 {
			b.FS.Add(dev, d.name, ino)
			continue
		}
		// In a user namespace no node can be made: the host's are bound.
		b.FS.Add(dev, d.name, world.Inode{Mode: world.TypeReg | 0o644, Known: world.KnownAll, At: at})
		id := b.FS.NewSB(world.SB{Type: "devtmpfs", Name: "the host's /dev", At: at, FlagsAt: at}, ino)
		b.make(b.Attach(b.mountpoint("/dev/"+d.name, false), world.Mount{SB: id, Root: b.FS.SB(id).Root, Flags: noSuid | world.MountNoExec, Point: "/dev/" + d.name, Source: "host:/dev/" + d.name, Origin: at, Why: at}),
			Made{By: runtime, Node: "/dev/" + d.name})
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "core": "/proc/kcore", "ptmx": "pts/ptmx"} {
		b.FS.Add(dev, name, world.Inode{Mode: world.TypeLink | 0o777, Known: world.KnownAll, Link: to, At: at})
	}
	for _, name := range []string{"pts", "shm", "mqueue"} {
		b.FS.Add(dev, name, b.knownDir(0o755, at))
	}
	pts := b.knownDir(0o755, at)
	pts.Whole, pts.At = false, b.Miss("which terminals the container has is not known", "")
	d := mount("/dev/pts", "devpts", noSuid|world.MountNoExec, 0, pts)
	b.FS.Add(d, "ptmx", b.device(5, 2, at))
	b.FS.SBOf(d).Flags &^= world.SBNoDev // devpts keeps its own devices usable
	shm := b.knownDir(0o1777, at)
	if b.p.Spec.HostIPC {
		shm.Whole, shm.At = false, b.Miss("the host's /dev/shm is not known", "")
	}
	mount("/dev/shm", "tmpfs", locked, 0, shm)
	made := &b.made[len(b.made)-1]
	made.By, made.Node, made.FS = strings.TrimPrefix(b.engineName(), "the "), b.sandbox()+"/shm", "tmpfs"
	if b.p.Spec.HostIPC {
		made.Node, made.FS = "/dev/shm", ""
	}
	mount("/dev/mqueue", "mqueue", locked, 0, b.knownDir(0o1777, at))
}

// kubelet makes the files that kubelet and runtime mount by themselves.
func (b *builder) kubelet() error {
	var own []pending
	ro := b.sc.ReadOnlyRootFilesystem != nil && *b.sc.ReadOnlyRootFilesystem
	file := func(point, who string, mode uint16, readOnly bool) {
		if slices.ContainsFunc(own, func(p pending) bool { return p.point == point }) {
			return
		}
		for i := range b.c.VolumeMounts {
			if path.Clean(b.c.VolumeMounts[i].MountPath) == point {
				return
			}
		}
		at := b.Text(who + " makes " + point + " in every container")
		d := b.FS.Add(b.kubeletDir(), fmt.Sprintf("%s-%d", path.Base(point), len(own)), world.Inode{Mode: world.TypeReg | mode, Known: world.KnownAll &^ world.KnownSize, Nlink: 1, At: at})
		m := world.Mount{Label: b.files, SB: b.kubfs, Root: d, Source: who + "'s " + point, Origin: at, Why: at, FlagsAt: map[world.MountFlags]story.Origin{}, IDMap: b.Task.Cred.UserNS}
		b.hostFlags(&m, "/var/lib/kubelet")
		if readOnly {
			m.Flags |= world.MountReadOnly
			m.Unsure &^= world.MountReadOnly
			m.FlagsAt[world.MountReadOnly] = b.field(b.scField("readOnlyRootFilesystem"))
		}
		own = append(own, pending{point, m, Made{By: strings.TrimPrefix(who, "the "), Node: b.ownFile(who, point)}})
	}
	file("/etc/hosts", "the kubelet", 0o644, false)
	file("/etc/hostname", b.engineName(), 0o644, ro)
	file("/etc/resolv.conf", b.engineName(), 0o644, ro)
	log := b.c.TerminationMessagePath
	if log == "" {
		log = "/dev/termination-log"
	}
	file(path.Clean(log), "the kubelet", 0o666, false)
	if auto := b.p.Spec.AutomountServiceAccountToken; auto == nil || *auto {
		own = append(own, b.token())
	}
	b.pending = own
	return nil
}

// token is the volume that the API server adds for the service account.
func (b *builder) token() pending {
	const point = "/var/run/secrets/kubernetes.io/serviceaccount"
	at := b.Suppose("the service account's token is mounted, as the service account does not turn that off", "automountServiceAccountToken in the Pod")
	root := b.tmpfsRoot(at)
	id := b.FS.NewSB(world.SB{Type: "tmpfs", Name: "the service account's token", At: at, FlagsAt: at, Contexts: b.unlabelled()}, root)
	d := b.FS.SB(id).Root
	data := b.FS.Add(d, "..2026_01_01", b.writerDir(at))
	b.FS.Add(d, "..data", b.link("..2026_01_01", at))
	for _, name := range []string{"token", "ca.crt", "namespace"} {
		ino := b.writtenFile(0o644, at)
		if name == "token" && (b.psc.FSGroup != nil || b.sc.RunAsUser != nil || b.psc.RunAsUser != nil) {
			ino.Known &^= world.KnownPerm | world.KnownOwner
			ino.At = b.Miss("owner and mode of the service account's token are not modelled where fsGroup or runAsUser is set", "")
		}
		b.FS.Add(data, name, ino)
		b.FS.Add(d, name, b.link("..data/"+name, at))
	}
	return pending{point: point, made: Made{By: "API server", Node: b.p.dir() + "/volumes/kubernetes.io~projected/kube-api-access", FS: "tmpfs"}, Mount: world.Mount{Label: b.files, SB: id, Root: d, Flags: world.MountReadOnly, Source: "the service account's token", Origin: at, Why: at, IDMap: b.Task.Cred.UserNS,
		FlagsAt: map[world.MountFlags]story.Origin{world.MountReadOnly: at}}}
}

// attach makes mounts in the runtime's order.
func (b *builder) attach(all []pending) {
	slices.SortStableFunc(all, func(x, y pending) int { return strings.Count(x.point, "/") - strings.Count(y.point, "/") })
	for _, p := range all {
		p.Mount.Point = p.point
		dir := b.FS.I(p.Root).Type() == world.TypeDir
		at := b.mountpoint(p.point, dir)
		if ino, src := b.FS.I(at.Dentry), b.FS.I(p.Root); ino.Known&src.Known&world.KnownType != 0 && ino.Is(world.TypeDir) != src.Is(world.TypeDir) {
			b.Refusals = append(b.Refusals, world.Refusal{Code: story.VolumeMountRefused, Outcome: story.Deny, At: p.Origin,
				Facts: [3]string{fmt.Sprintf("the runtime cannot mount %s on %s: one is a directory, the other is not", p.Source, p.point)}})
			p.made.Refused = b.Refusals[len(b.Refusals)-1].Facts[0]
		}
		b.make(b.Attach(at, p.Mount), p.made)
	}
}

// mountpoint returns the place of a mount point; the runtime follows the image's links and makes what is missing.
func (b *builder) mountpoint(p string, dir bool) world.Path {
	at := b.Task.Root
	for {
		next, rest, st := b.Resolve(b.Task.Root, at, p)
		switch at = next; st {
		case world.Present:
			return at
		case world.Unsure: // it exists once the runtime has made it
			b.FS.D(at.Dentry).Phantom = false
			if ino := b.FS.I(at.Dentry); ino.Known&world.KnownType == 0 {
				ino.Mode, ino.Known = world.TypeReg, ino.Known|world.KnownType
				if rest != "" || dir {
					ino.Mode = world.TypeDir
				}
			}
		case world.Absent:
			var name string
			name, rest, _ = strings.Cut(rest, "/")
			ino := b.knownDir(0o755, b.Text("the runtime makes the mount point"))
			if rest == "" && !dir {
				ino.Mode, ino.Whole = world.TypeReg|0o644, false
			}
			ino.Layer = 1
			at.Dentry = b.FS.Add(at.Dentry, name, ino)
		}
		if rest == "" {
			return at
		}
		p = rest
	}
}

// maybe returns the place of a mount point that is left out where the kernel does not have it, and whether it is known to be there.
func (b *builder) maybe(p string) (world.Path, bool) {
	at, rest, st := b.Resolve(b.Task.Root, b.Task.Root, p)
	for name := range strings.SplitSeq(rest, "/") {
		if name != "" { // nor is it known what leads there
			at.Dentry = b.FS.Add(at.Dentry, name, world.Inode{At: b.FS.I(at.Dentry).At})
			b.FS.D(at.Dentry).Phantom = true
		}
	}
	return at, st == world.Present
}

// rest fills in what every container has.
func (b *builder) rest() error {
	t := &b.Task
	at := b.Text("the runtime's default")
	t.Umask = world.Given(uint16(0o022), at)
	t.NoFile = world.Given(1<<20, b.Suppose("RLIMIT_NOFILE is not reached", ""))
	t.OpenFDs = world.Given(3, at)
	const fileSize, unlimited = 1, ^uint64(0) // RLIMIT_FSIZE, RLIM_INFINITY
	t.Rlimits[fileSize] = world.Given(world.Rlimit{Cur: unlimited, Max: unlimited}, b.Suppose("RLIMIT_FSIZE is unlimited, as the runtime leaves it", ""))
	t.FDsAt, t.Fresh = at, true
	for _, h := range []struct {
		shared bool
		bit    world.Shares
	}{{b.p.Spec.HostNetwork, world.SharesNet}, {b.p.Spec.HostPID, world.SharesPID}, {b.p.Spec.HostIPC, world.SharesIPC}} {
		if h.shared {
			t.Shares |= h.bit
		}
	}
	b.processes()
	pipes := b.Miss("what the container's standard input, output and error lead to is not known", "--fd N=PATH")
	for n := range 3 {
		t.FDs = append(t.FDs, world.FD{N: n, At: pipes})
	}
	t.Devices = world.Devices{At: at, Rules: []world.DeviceRule{{Type: 'a', Major: -1, Minor: -1, Access: "m"}}}
	for _, d := range devices {
		t.Devices.Rules = append(t.Devices.Rules, world.DeviceRule{Type: 'c', Major: int64(d.major), Minor: int64(d.minor), Access: "rwm"})
	}
	t.Devices.Rules = append(t.Devices.Rules, world.DeviceRule{Type: 'c', Major: 5, Minor: 2, Access: "rwm"}, world.DeviceRule{Type: 'c', Major: 136, Minor: -1, Access: "rwm"})
	if b.privileged() {
		t.Devices.All = true
	}
	dir := b.c.WorkingDir
	switch {
	case dir != "":
	case b.embedded():
		return nil
	default:
		t.CwdAt = b.Suppose("the working directory is /, as the image's WORKDIR is not known", "workingDir, or --cwd")
		return nil
	}
	t.Cwd = b.mountpoint(dir, true)
	return nil
}

// shift is the map with which the image's layers are mounted for a Pod with a user namespace of its own.
func (b *builder) shift() world.IDMap {
	if b.Task.Cred.UserNS == 0 {
		return nil
	}
	return b.UserNS[b.Task.Cred.UserNS].UIDs
}

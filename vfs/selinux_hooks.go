package vfs

import (
	"net/netip"
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/selinux"
	"syscallstory/story"
	"syscallstory/world"
)

// What SELinux asks at each hook: security/selinux/hooks.c. A hook asks one thing after another and ends at the first denial.

// ask adds a question.
func (a *asking) ask(target selinux.Label, class string, perms ...string) {
	a.list = append(a.list, access{source: a.source, target: target, class: class, perms: perms})
}

// lost says what is not known; what was asked before still counts.
func (a *asking) lost(why string) {
	if a.why == "" {
		a.why = why
	}
}

// of is the label of an object, with its class.
func (a *asking) of(p world.Path) (l selinux.Label, class string, ok bool) {
	if a.why != "" {
		return l, "", false
	}
	if p.Dentry == 0 {
		a.lost("what SELinux asks at " + a.q.Hook.String() + " of such an object is not modelled")
		return l, "", false
	}
	ino := a.c.W.FS.I(p.Dentry)
	if ino.Known&world.KnownType == 0 {
		a.lost("the file's class is not known")
		return l, "", false
	}
	l, why := a.label(a.c.W, p)
	if why != "" {
		a.lost(why)
	}
	return l, fileClass(ino.Type()), why == ""
}

// on asks for permissions to an object (inode_has_perm).
func (a *asking) on(p world.Path, perms ...string) {
	if l, class, ok := a.of(p); ok {
		a.ask(l, class, perms...)
	}
}

// through asks for permissions to an open file (file_has_perm): the descriptor, then what it leads to. One that another domain
// has opened must be used first.
func (a *asking) through(f *world.FD, perms ...string) {
	opener, err := a.opener(f)
	if err != "" {
		a.lost(err)
		return
	}
	if opener != a.source {
		a.ask(opener, "fd", "use")
	}
	if len(perms) > 0 {
		a.on(f.Path, perms...)
	}
}

// opener is the label of who has opened a file.
func (a *asking) opener(f *world.FD) (selinux.Label, string) {
	if f == nil || !f.Opener.Known() {
		return selinux.Label{}, "the context of who has opened the descriptor is not known"
	}
	l, err := a.parse(f.Opener.V)
	if err != nil {
		return l, "the context of who has opened the descriptor is not one of the policy's: " + err.Error()
	}
	return l, ""
}

// filesystem asks for a permission to a filesystem (superblock_has_perm).
func (a *asking) filesystem(p world.Path, perm string) {
	if l, ok := a.superblockOf(p); ok {
		a.ask(l, "filesystem", perm)
	}
}

func (a *asking) superblockOf(p world.Path) (selinux.Label, bool) {
	if p.Dentry == 0 {
		a.lost("what SELinux asks at " + a.q.Hook.String() + " of such an object is not modelled")
		return selinux.Label{}, false
	}
	m, why := a.superblock(a.c.W.FS.SBOf(p.Dentry))
	if why != "" {
		a.lost(why)
		return selinux.Label{}, false
	}
	return m.Label, true
}

// hook lists the questions of the hook.
func (a *asking) hook() {
	q := a.q
	switch q.Hook {
	case story.HookInodePermission:
		a.inodePermission()
	case story.HookFileOpen:
		a.fileOpen()
	case story.HookInodeGetattr, story.HookInodeGetxattr, story.HookInodeListxattr, story.HookInodeGetACL, story.HookInodeFileGetattr:
		a.on(q.Path, "getattr")
	case story.HookInodeReadlink, story.HookInodeFollowLink:
		a.on(q.Path, "read")
	case story.HookInodeSetACL, story.HookInodeRemoveACL, story.HookInodeFileSetattr:
		a.on(q.Path, "setattr")
	case story.HookInodeSetattr:
		a.inodeSetattr()
	case story.HookInodeSetxattr:
		a.inodeSetxattr()
	case story.HookInodeRemovexattr:
		if q.Name == world.XattrSELinux {
			a.errno, a.words = story.EACCES, "nobody may remove a file's context"
			return
		}
		a.on(q.Path, "setattr")
	case story.HookInodeCreate, story.HookInodeMkdir, story.HookInodeMknod, story.HookInodeSymlink:
		a.mayCreate()
	case story.HookInodeLink:
		a.mayLink(q.Path, q.Object, "add_name", "link")
	case story.HookInodeUnlink:
		a.mayLink(q.Object, q.Path, "remove_name", "unlink")
	case story.HookInodeRmdir:
		a.mayLink(q.Object, q.Path, "remove_name", "rmdir")
	case story.HookInodeRename:
		r := q.Renaming
		if r.Exchange { // security_inode_rename asks the other way round first
			a.mayRename(check.Renaming{From: r.To, FromDir: r.ToDir, To: r.From, ToDir: r.FromDir})
		}
		a.mayRename(r)
	case story.HookFilePermission:
		a.filePermission()
	case story.HookFileIoctl:
		a.fileIoctl()
	case story.HookFileLock:
		a.through(q.File, "lock")
	case story.HookFileFcntl:
		a.fileFcntl()
	case story.HookMmapFile:
		a.mmapFile()
	case story.HookMmapAddr:
		if q.Args[0] < 65536 { // CONFIG_LSM_MMAP_MIN_ADDR
			a.ask(a.source, "memprotect", "mmap_zero")
		}
	case story.HookPathNotify:
		a.pathNotify()
	case story.HookSbMount:
		if q.Args[0] != 0 {
			a.filesystem(q.Path, "remount")
			return
		}
		a.on(q.Path, "mounton")
	case story.HookMoveMount:
		a.on(q.Path, "mounton")
	case story.HookSbKernMount:
		a.mount()
	case story.HookSbEatLsmOpts:
		if _, err := a.mountOptions(q.Contexts); err != nil {
			a.errno, a.words = story.EINVAL, "a context among the options is not one of the policy's: "+err.Error()
		}
	case story.HookSbRemount:
		a.remount()
	case story.HookSbUmount:
		a.filesystem(q.Path, "unmount")
	case story.HookSbStatfs:
		a.filesystem(q.Path, "getattr")
	case story.HookUsernsCreate:
		a.ask(a.source, "user_namespace", "create")
	case story.HookBprmCredsForExec:
		a.exec()
	case story.HookCapset:
		a.ask(a.source, "process", "setcap")
	case story.HookSocketCreate:
		a.socketCreate()
	case story.HookSocketBind:
		a.socketBind()
	case story.HookSocketConnect:
		a.socketConnect()
	case story.HookSocketListen:
		a.socket("listen")
	case story.HookSocketSetsockopt:
		a.socket("setopt")
	case story.HookPtraceTraceme:
		if l, ok := a.other(q.Target); ok { // the parent is who traces
			a.list = append(a.list, access{source: l, target: a.source, class: "process", perms: []string{"ptrace"}})
		}
	case story.HookPtraceAccessCheck:
		if l, ok := a.other(q.Target); ok && q.Args[0] != 0 {
			a.ask(l, "process", "ptrace")
		} else if ok {
			a.ask(l, "file", "read")
		}
	case story.HookSyslog:
		a.syslog()
	case story.HookBpf:
		if perm := map[uint64]string{0: "map_create", 5: "prog_load"}[q.Args[0]]; perm != "" {
			a.ask(a.source, "bpf", perm)
		}
	case story.HookPerfEventOpen:
		a.ask(a.source, "perf_event", [...]string{check.PerfOpen: "open", check.PerfCPU: "cpu", check.PerfKernel: "kernel"}[q.Args[0]])
	case story.HookUringAllowed:
		if a.c.K.AtLeast(6, 15) != kernel.No { // there is no such hook before
			a.ask(a.source, "io_uring", "allowed")
		}
	case story.HookInodeInitSecurityAnon:
		cl, _ := a.policy.Class("anon_inode")
		made, err := a.policy.Create(a.source, a.source, cl, q.Name)
		if err != nil {
			a.lost(err.Error())
			return
		}
		a.ask(made.Label, "anon_inode", "create")
	case story.HookQuotactl: // of all filesystems at once nothing is asked
	default:
		if !a.task() && !a.ipc() {
			a.lost("what SELinux asks at " + q.Hook.String() + " is not modelled")
		}
	}
}

// mountOptions reads the contexts of a mount.
func (a *asking) mountOptions(m world.MountContexts) (o selinux.MountOptions, err error) {
	for _, c := range []struct {
		text string
		into *selinux.Label
	}{{m.Context, &o.Context}, {m.FSContext, &o.FSContext}, {m.DefContext, &o.DefContext}, {m.RootContext, &o.RootContext}} {
		if c.text == "" {
			continue
		}
		if *c.into, err = a.parse(c.text); err != nil {
			return o, err
		}
	}
	return o, nil
}

// mount is selinux_set_mnt_opts and selinux_sb_kern_mount: who labels a filesystem takes it from the label that it would have.
func (a *asking) mount() {
	q := a.q
	plain, err := a.policy.Mount(q.Name, selinux.MountOptions{})
	o, wrong := a.mountOptions(q.Contexts)
	if err != nil || wrong != nil {
		a.lost("how the filesystem is labelled is not known")
		return
	}
	given := q.Contexts != (world.MountContexts{})
	if fs := filesystemOf(q.Name); given && (fs == nil || fs.shared || fs.device) {
		a.lost("whether the filesystem is mounted already, with which contexts, is not known")
		return
	}
	if given && q.Args[0] != 0 {
		switch q.Name {
		case "tmpfs", "ramfs", "devpts", "overlay":
		default:
			a.errno, a.words = story.EACCES, "a filesystem of another user namespace takes no contexts"
			return
		}
	}
	own := plain.Label
	relabels := func(to selinux.Label) { // may_context_mount_sb_relabel
		a.ask(own, "filesystem", "relabelfrom")
		a.ask(to, "filesystem", "relabelto")
		own = to
	}
	holds := func(l selinux.Label) { // may_context_mount_inode_relabel
		a.ask(own, "filesystem", "relabelfrom")
		a.list = append(a.list, access{source: l, target: own, class: "filesystem", perms: []string{"associate"}})
	}
	if o.FSContext.IsValid() {
		relabels(o.FSContext)
	}
	switch {
	case o.Context.IsValid() && o.FSContext.IsValid():
		holds(o.Context)
	case o.Context.IsValid():
		relabels(o.Context)
	}
	if o.RootContext.IsValid() {
		holds(o.RootContext)
	}
	if o.DefContext.IsValid() {
		if plain.By != selinux.ByXattr {
			a.errno, a.words = story.EINVAL, selinux.ErrDefaultUnused.Error()
			return
		}
		holds(o.DefContext)
	}
	a.ask(own, "filesystem", "mount")
}

// remount is selinux_sb_remount: contexts among the options must be those that the filesystem was mounted with.
func (a *asking) remount() {
	asked := a.q.Contexts
	if asked == (world.MountContexts{}) {
		return
	}
	has := a.c.W.FS.SBOf(a.q.Path.Dentry).Contexts
	if !has.Known() {
		a.lost("with which contexts the filesystem was mounted is not known")
		return
	}
	for _, c := range [][2]string{{asked.Context, has.V.Context}, {asked.FSContext, has.V.FSContext}, {asked.DefContext, has.V.DefContext}, {asked.RootContext, has.V.RootContext}} {
		if c[0] == "" {
			continue
		}
		want, err := a.parse(c[0])
		if mounted, wrong := a.parse(c[1]); err != nil || wrong != nil || mounted != want {
			a.errno, a.words = story.EINVAL, "the filesystem was not mounted with this context"
		}
	}
}

// inodePermission is selinux_inode_permission with file_mask_to_av.
func (a *asking) inodePermission() {
	mask := a.q.Mask &^ check.NewFile
	var perms []string
	dir := a.q.Path.Dentry != 0 && a.c.W.FS.I(a.q.Path.Dentry).Is(world.TypeDir)
	if mask&check.MayExec != 0 {
		if dir {
			perms = append(perms, "search")
		} else {
			perms = append(perms, "execute")
		}
	}
	if mask&check.MayRead != 0 {
		perms = append(perms, "read")
	}
	if mask&check.MayAppend != 0 && !dir {
		perms = append(perms, "append")
	} else if mask&check.MayWrite != 0 {
		perms = append(perms, "write")
	}
	if len(perms) == 0 {
		return
	}
	a.on(a.q.Path, perms...)
	if mask&check.MayAccess != 0 && len(a.list) > 0 {
		a.list[len(a.list)-1].silent = "audit_access"
	}
}

// fileOpen is selinux_file_open with open_file_to_av.
func (a *asking) fileOpen() {
	mask := a.q.Mask
	var perms []string
	if mask&check.MayRead != 0 {
		perms = append(perms, "read")
	}
	switch {
	case mask&check.MayWrite != 0 && a.c.Opened.Flags&OAppend != 0:
		perms = append(perms, "append")
	case mask&check.MayWrite != 0:
		perms = append(perms, "write")
	case len(perms) == 0:
		perms = append(perms, "ioctl")
	}
	if a.open {
		perms = append(perms, "open")
	}
	if mask&check.NewFile == 0 {
		a.on(a.q.Path, perms...)
		return
	}
	l, err := a.parse(a.c.NewLabel)
	if err != nil { // a file without a name: nothing was asked of what it becomes
		made, why := a.created(a.q.Path, "file", "")
		if why != "" {
			a.lost(why)
			return
		}
		l, a.c.NewLabel = made, a.text(made)
	}
	a.ask(l, "file", perms...)
}

// inodeSetattr is selinux_inode_setattr.
func (a *asking) inodeSetattr() {
	switch check.Setting(a.q.Args[0]) {
	case check.SetAttributes:
		a.on(a.q.Path, "setattr")
	case check.SetSize:
		if a.open {
			a.on(a.q.Path, "write", "open")
			return
		}
		a.on(a.q.Path, "write")
	default:
		a.on(a.q.Path, "write")
	}
}

// inodeSetxattr is selinux_inode_setxattr: a context is changed by who may take the file away from the old one and give it to the
// new one.
func (a *asking) inodeSetxattr() {
	q := a.q
	if q.Name != world.XattrSELinux {
		a.on(q.Path, "setattr")
		return
	}
	sb, ok := a.superblockOf(q.Path)
	old, class, known := a.of(q.Path)
	if !ok || !known {
		return
	}
	c, fs := a.c, a.c.W.FS
	if m, _ := a.superblock(fs.SBOf(q.Path.Dentry)); m.By == selinux.ByMount || m.By == selinux.ByGenFS || m.By == selinux.NotLabelled { // SBLABEL_MNT
		a.lost("whether the filesystem takes labels is not known")
		if m.By == selinux.ByMount {
			a.why, a.errno, a.words = "", story.EOPNOTSUPP, "the mount has context=, which gives all of its files one label"
		}
		return
	}
	ino := fs.I(q.Path.Dentry)
	uid, _ := ids(c.W, q.Path, ino)
	switch ownerOr(c, uid) {
	case kernel.No:
		a.errno, a.words = story.EPERM, "only the owner, or CAP_FOWNER, changes a file's context"
		return
	case kernel.NotKnown:
		a.lost("whether the task owns the file is not known")
		return
	}
	a.ask(old, class, "relabelfrom")
	text := q.Value
	for len(text) > 0 && text[len(text)-1] == 0 {
		text = text[:len(text)-1]
	}
	next, err := a.parse(text)
	if err != nil {
		a.errno, a.words = story.EINVAL, "the new context is not one of the policy's: "+err.Error()
		if capable(c, 0, kernel.CapMacAdmin, check.RealmInitial) != kernel.No {
			a.errno = 0
			a.lost("CAP_MAC_ADMIN may give a file a context that the policy does not know")
		}
		return
	}
	a.ask(next, class, "relabelto")
	cl, _ := a.policy.Class(class)
	if ok, why := a.policy.Transition(old, next, a.source, cl); !ok {
		a.errno, a.words = story.EPERM, why
		return
	}
	a.list = append(a.list, access{source: next, target: sb, class: "filesystem", perms: []string{"associate"}})
	a.c.NewLabel = a.text(next)
}

// newContext is the label of what the call makes; not known where SELinux has not said so.
func newContext(c *check.Check) world.Fact[string] {
	if c.NewLabel == "" {
		return world.Fact[string]{}
	}
	return world.Given(c.NewLabel, c.W.SELinux.Policy.At)
}

// created is selinux_determine_inode_label.
func (a *asking) created(dir world.Path, class, name string) (selinux.Label, string) {
	l, _, ok := a.of(dir)
	if !ok {
		return l, a.why
	}
	m, _ := a.superblock(a.c.W.FS.SBOf(dir.Dentry))
	asked := a.c.W.Task.Contexts.FSCreate
	if !asked.Known() && !a.c.W.Task.Fresh { // execve forgets it
		return selinux.Label{}, "whether the task has asked for a context of new files is not known"
	}
	var want selinux.Label
	if asked.V != "" {
		var err error
		if want, err = a.parse(asked.V); err != nil {
			return want, "the context that the task asks for is not one of the policy's: " + err.Error()
		}
	}
	cl, _ := a.policy.Class(class)
	made, err := m.New(a.source, l, want, cl, name)
	if err != nil {
		return selinux.Label{}, err.Error()
	}
	return made.Label, ""
}

// mayCreate is may_create: the directory, the new file, and whether the filesystem may hold such files.
func (a *asking) mayCreate() {
	q := a.q
	class := fileClass(q.Type)
	a.on(q.Path, "add_name", "search")
	made, why := a.created(q.Path, class, q.Name)
	sb, ok := a.superblockOf(q.Path)
	if why != "" || !ok {
		a.lost(why)
		return
	}
	a.ask(made, class, "create")
	a.list = append(a.list, access{source: made, target: sb, class: "filesystem", perms: []string{"associate"}})
	a.c.NewLabel = a.text(made)
}

// mayLink is may_link.
func (a *asking) mayLink(dir, p world.Path, name, perm string) {
	a.on(dir, "search", name)
	a.on(p, perm)
}

// mayRename is may_rename.
func (a *asking) mayRename(r check.Renaming) {
	fs := a.c.W.FS
	a.on(r.FromDir, "remove_name", "search")
	a.on(r.From, "rename")
	if r.From.Dentry != 0 && fs.I(r.From.Dentry).Is(world.TypeDir) && r.FromDir != r.ToDir {
		a.on(r.From, "reparent")
	}
	if r.To.Dentry == 0 {
		a.on(r.ToDir, "add_name", "search")
		return
	}
	a.on(r.ToDir, "add_name", "search", "remove_name")
	if fs.I(r.To.Dentry).Is(world.TypeDir) {
		a.on(r.To, "rmdir")
	} else {
		a.on(r.To, "unlink")
	}
}

// filePermission is selinux_file_permission: nothing is asked of what the task has opened itself under the same labels.
func (a *asking) filePermission() {
	q := a.q
	opener, why := a.opener(q.File)
	if why == "" && opener == a.source && (q.File.Labeled == "" || q.Path.Dentry != 0 && q.File.Labeled == a.c.W.FS.I(q.Path.Dentry).Context) {
		return // all was asked when the file was opened
	}
	var perms []string
	if q.Mask&check.MayRead != 0 {
		perms = append(perms, "read")
	}
	if q.Mask&check.MayWrite != 0 {
		if q.File.Flags&OAppend != 0 {
			perms = append(perms, "append")
		} else {
			perms = append(perms, "write")
		}
	}
	a.through(q.File, perms...)
}

// fileIoctl is selinux_file_ioctl.
func (a *asking) fileIoctl() {
	const (
		fibmap, figetbsz, fionread      = 1, 2, 0x541b
		getFlags, getVersion            = 0x80086601, 0x80087601
		setFlags, setVersion            = 0x40086602, 0x40087602
		fionbio, fioasync               = 0x5421, 0x5452
		fioclex, fionclex               = 0x5451, 0x5450
		keyboardEntry, keyboardSetEntry = 0x4b47, 0x4b49
	)
	switch cmd := a.q.Args[0]; cmd {
	case fibmap, figetbsz, fionread, getFlags, getVersion:
		a.through(a.q.File, "getattr")
	case setFlags, setVersion:
		a.through(a.q.File, "setattr")
	case fionbio, fioasync:
		a.through(a.q.File)
	case keyboardEntry, keyboardSetEntry:
		a.lost("what SELinux asks of this command is not modelled")
	case fioclex, fionclex:
		if a.policy.HasCapability("ioctl_skip_cloexec") {
			return
		}
		a.extended(cmd)
	default:
		a.extended(cmd)
	}
}

// extended is ioctl_has_perm.
func (a *asking) extended(cmd uint64) {
	a.through(a.q.File, "ioctl")
	if n := len(a.list); n > 0 && a.list[n-1].class != "fd" {
		a.list[n-1].command = new(selinux.Extended(cmd))
	}
}

// fileFcntl is selinux_file_fcntl.
func (a *asking) fileFcntl() {
	const (
		getFL, setFL, getLK, setLK, setLKW, setOwn, getOwn, setSig, getSig = 3, 4, 5, 6, 7, 8, 9, 10, 11
		getOwnerUIDs, ofdGetLK, ofdSetLK, ofdSetLKW                        = 17, 36, 37, 38
	)
	switch cmd, arg := a.q.Args[0], a.q.Args[1]; cmd {
	case setFL:
		if a.q.File.Flags&OAppend != 0 && arg&OAppend == 0 {
			a.through(a.q.File, "write")
			return
		}
		a.through(a.q.File)
	case getFL, setOwn, getOwn, setSig, getSig, getOwnerUIDs:
		a.through(a.q.File)
	case getLK, setLK, setLKW, ofdGetLK, ofdSetLK, ofdSetLKW:
		a.through(a.q.File, "lock")
	}
}

// mmapFile is selinux_mmap_file with file_map_prot_check.
func (a *asking) mmapFile() {
	const write, exec = 2, 4
	f, prot, shared := a.q.File, a.q.Args[0], a.q.Args[1] != 0
	if f == nil && a.q.Path.Dentry != 0 {
		a.mapped()
		return
	}
	if f != nil {
		a.on(f.Path, "map")
	}
	if prot&exec != 0 && (f == nil || !shared && prot&write != 0) {
		a.ask(a.source, "process", "execmem")
	}
	if f == nil {
		return
	}
	perms := []string{"read"}
	if shared && prot&write != 0 {
		perms = append(perms, "write")
	}
	if prot&exec != 0 {
		perms = append(perms, "execute")
	}
	a.through(f, perms...)
}

// pathNotify is selinux_path_notify.
func (a *asking) pathNotify() {
	what := check.Watching(a.q.Args[0])
	perm := "watch"
	switch {
	case what&check.WatchMount != 0:
		perm = "watch_mount"
	case what&check.WatchFilesystem != 0:
		perm = "watch_sb"
	}
	perms := []string{perm}
	if what&check.WatchPermission != 0 {
		perms = append(perms, "watch_with_perm")
	}
	if what&check.WatchReads != 0 {
		perms = append(perms, "watch_reads")
	}
	a.on(a.q.Path, perms...)
}

// exec is selinux_bprm_creds_for_exec: the program's label gives the task its next one, or it stays; and what mapping the program asks
// of that one. A program that must not be mapped is killed.
func (a *asking) exec() {
	q, c := a.q, a.c
	file, class, ok := a.of(q.Path)
	if !ok {
		return
	}
	var next selinux.Label
	explicit := false
	switch asked := c.W.Task.Contexts.Exec; {
	case !asked.Known() && !c.W.Task.Fresh:
		a.lost("whether the task has asked for a context of its next program is not known")
		return
	case asked.V != "":
		l, err := a.parse(asked.V)
		if err != nil {
			a.lost("the context that the task asks for is not one of the policy's: " + err.Error())
			return
		}
		next, explicit = l, true
	default:
		cl, _ := a.policy.Class("process")
		made, err := a.policy.Create(a.source, file, cl, "")
		if err != nil {
			a.lost(err.Error())
			return
		}
		next = made.Label
	}
	if next != a.source && !a.mayChange(next) {
		if a.why != "" {
			return
		}
		if explicit {
			a.errno, a.words = story.EACCES, "a mount with nosuid keeps the task from its next context"
			if c.Cred.NoNewPrivs {
				a.errno, a.words = story.EPERM, "no_new_privs keeps the task from its next context"
			}
			return
		}
		next = a.source
	}
	if next == a.source {
		a.ask(file, class, "execute_no_trans")
	} else {
		a.ask(next, "process", "transition")
		a.list = append(a.list, access{source: next, target: file, class: class, perms: []string{"entrypoint"}})
		if n := c.W.Task.FSUsers; !n.Known() {
			a.lost("whether the task shares its root and directory with another one is not known")
		} else if n.V > 1 {
			a.list = append(a.list, access{source: a.source, target: next, class: "process", perms: []string{"share"}, errno: story.EPERM})
		}
		if c.W.Task.Tracer != nil {
			a.lost("the context of the tracer is not known")
		}
	}
	c.NewLabel = a.text(next)
}

// mapped says so where a program cannot be mapped once it runs under its label (file_map_prot_check): it is killed then.
func (a *asking) mapped() {
	file, class, ok := a.of(a.q.Path)
	next, err := a.parse(a.c.NewLabel)
	if !ok || err != nil {
		return
	}
	a.words = "map, read, execute: allowed from " + a.text(next) + " to " + a.text(file) + ", class " + class
	for _, x := range []access{{source: next, target: file, class: class, perms: []string{"map", "read", "execute"}}, {source: next, target: a.source, class: "fd", perms: []string{"use"}}} {
		if next == a.source && x.class == "fd" {
			continue
		}
		cl, _ := a.policy.Class(x.class)
		want, _ := a.policy.Perms(cl, x.perms...)
		if a.policy.Decide(x.source, x.target, cl).Allowed&want != want {
			a.lost("the program would be killed as it is mapped: " + a.c.NewLabel + " lacks one of " + strings.Join(x.perms, ", ") + ", class " + x.class)
		}
	}
}

// mayChange is check_nnp_nosuid: no_new_privs and mounts with nosuid keep a task from contexts that may do more.
func (a *asking) mayChange(next selinux.Label) bool {
	m := &a.c.W.Mounts[a.q.Path.Mount]
	cr := a.c.Cred
	if !cr.NoNewAt.Known() || m.Unsure&world.MountNoSuid != 0 {
		a.lost("whether the task has no_new_privs, or the mount nosuid, is not known")
		return false
	}
	nnp, nosuid := cr.NoNewPrivs, m.Flags&world.MountNoSuid != 0
	if !nnp && !nosuid {
		return true
	}
	if a.policy.HasCapability("nnp_nosuid_transition") {
		var perms []string
		if nnp {
			perms = append(perms, "nnp_transition")
		}
		if nosuid {
			perms = append(perms, "nosuid_transition")
		}
		if answer, _, _ := a.decide(a.c, &access{source: a.source, target: next, class: "process2", perms: perms}); answer != kernel.No {
			return answer == kernel.Yes
		}
	}
	return a.policy.Bounded(next, a.source)
}

// taskPerms are the permissions of class process that a hook on a task asks for.
var taskPerms = map[story.Hook]string{
	story.HookTaskSetpgid: "setpgid", story.HookTaskGetpgid: "getpgid", story.HookTaskGetsid: "getsession",
	story.HookTaskSetnice: "setsched", story.HookTaskSetioprio: "setsched", story.HookTaskSetscheduler: "setsched", story.HookTaskMovememory: "setsched",
	story.HookTaskGetscheduler: "getsched", story.HookTaskGetioprio: "getsched", story.HookCapget: "getcap", story.HookTaskAlloc: "fork",
}

// other is the label of another process.
func (a *asking) other(p *world.Process) (selinux.Label, bool) {
	if p == nil || !p.Context.Known() {
		a.lost("the context of the other process is not known")
		return selinux.Label{}, false
	}
	l, err := a.parse(p.Context.V)
	if err != nil {
		a.lost("the context of the other process is not one of the policy's: " + err.Error())
	}
	return l, err == nil
}

// task is the hooks on a process; false: the hook is none of them.
func (a *asking) task() bool {
	const sigChld, sigKill, sigStop = 17, 9, 19
	perm := taskPerms[a.q.Hook]
	if a.q.Hook == story.HookTaskKill {
		switch a.q.Args[0] { // signal_to_av
		case 0:
			perm = "signull"
		case sigChld:
			perm = "sigchld"
		case sigKill:
			perm = "sigkill"
		case sigStop:
			perm = "sigstop"
		default:
			perm = "signal"
		}
	}
	if a.q.Hook == story.HookTaskSetrlimit {
		if a.q.Args[0] == 0 {
			return true
		}
		perm = "setrlimit"
	}
	var perms []string
	switch {
	case a.q.Hook == story.HookTaskPrlimit:
		if a.q.Args[0]&LimitRead != 0 {
			perms = append(perms, "getrlimit")
		}
		if a.q.Args[0]&LimitWrite != 0 {
			perms = append(perms, "setrlimit")
		}
		if len(perms) == 0 {
			return true
		}
	case perm == "":
		return false
	default:
		perms = []string{perm}
	}
	target := a.source
	if p := a.q.Target; !a.q.Itself && (p == nil || p.PID == 0 || p.PID != a.c.W.Task.PID) {
		l, ok := a.other(p)
		if !ok {
			return true
		}
		target = l
	}
	a.ask(target, "process", perms...)
	return true
}

// syslog is selinux_syslog.
func (a *asking) syslog() {
	perm := "syslog_mod"
	switch a.q.Args[0] {
	case 3, 10:
		perm = "syslog_read"
	case 6, 7, 8:
		perm = "syslog_console"
	}
	a.toKernel("system", perm)
}

// toKernel asks of what belongs to the kernel itself.
func (a *asking) toKernel(class, perm string) {
	l, ok := a.policy.InitialSID("kernel")
	if !ok {
		a.lost("the policy has no context of the kernel")
		return
	}
	a.ask(l, class, perm)
}

// ipcClasses are the classes of the kinds of System V IPC.
var ipcClasses = [...]string{world.IPCShm: "shm", world.IPCMsg: "msgq", world.IPCSem: "sem"}

// ipc is the hooks on objects of System V IPC; false: the hook is none of them.
func (a *asking) ipc() bool {
	q := a.q
	switch q.Hook {
	case story.HookShmAlloc, story.HookMsgQueueAlloc, story.HookSemAlloc:
		class := map[story.Hook]string{story.HookShmAlloc: "shm", story.HookMsgQueueAlloc: "msgq", story.HookSemAlloc: "sem"}[q.Hook]
		a.ask(a.source, class, "create")
		a.c.NewLabel = a.text(a.source)
		return true
	case story.HookShmShmctl, story.HookMsgQueueMsgctl, story.HookSemSemctl:
		if cmd := int(q.Args[0]); q.IPC == nil || cmd == ipcInfo {
			a.toKernel("system", "ipc_info")
		} else {
			a.object(controlPerms(q.IPC.Kind, cmd)...)
		}
		return true
	case story.HookIPCPermission:
		var perms []string
		if q.Args[0]&0o444 != 0 {
			perms = append(perms, "unix_read")
		}
		if q.Args[0]&0o222 != 0 {
			perms = append(perms, "unix_write")
		}
		a.object(perms...)
	case story.HookShmAssociate, story.HookMsgQueueAssociate, story.HookSemAssociate:
		a.object("associate")
	case story.HookShmShmat:
		if q.Args[0] != 0 {
			a.object("read")
		} else {
			a.object("read", "write")
		}
	case story.HookSemSemop:
		if q.Args[0] == 0 {
			a.object("read")
		} else {
			a.object("read", "write")
		}
	case story.HookMsgQueueMsgsnd:
		a.message()
	default:
		return false
	}
	return true
}

// controlPerms are the permissions that a command of shmctl, msgctl or semctl asks for.
func controlPerms(k world.IPCKind, cmd int) []string {
	switch {
	case cmd == ipcStat || cmd == ipcCommands[k].stat || cmd == ipcCommands[k].any:
		return []string{"getattr", "associate"}
	case cmd == ipcSet:
		return []string{"setattr"}
	case cmd == ipcRmid:
		return []string{"destroy"}
	case k == world.IPCShm: // SHM_LOCK, SHM_UNLOCK
		return []string{"lock"}
	}
	const getPID, getVal, getAll, getNCnt, getZCnt = 11, 12, 13, 14, 15
	switch cmd {
	case getPID, getNCnt, getZCnt:
		return []string{"getattr"}
	case getVal, getAll:
		return []string{"read"}
	}
	return []string{"write"}
}

// object asks for permissions to the object of System V IPC (ipc_has_perm).
func (a *asking) object(perms ...string) (l selinux.Label, ok bool) {
	o := a.q.IPC
	if len(perms) == 0 {
		return l, false
	}
	if o == nil || !o.Context.Known() {
		a.lost("the context of the object is not known")
		return l, false
	}
	l, err := a.parse(o.Context.V)
	if err != nil {
		a.lost("the context of the object is not one of the policy's: " + err.Error())
		return l, false
	}
	a.ask(l, ipcClasses[o.Kind], perms...)
	return l, true
}

// message is selinux_msg_queue_msgsnd: the message has a label of its own, which the policy draws from the task's and the queue's.
func (a *asking) message() {
	queue, ok := a.object("write")
	if !ok {
		return
	}
	cl, _ := a.policy.Class("msg")
	made, err := a.policy.Create(a.source, queue, cl, "")
	if err != nil {
		a.lost(err.Error())
		return
	}
	a.ask(made.Label, "msg", "send")
	a.list = append(a.list, access{source: made.Label, target: queue, class: "msgq", perms: []string{"enqueue"}})
}

// socket asks for permissions to the socket itself (sock_has_perm); nothing is asked of the kernel's own.
func (a *asking) socket(perms ...string) (l selinux.Label, class string, ok bool) {
	s := a.q.Socket
	if s == nil || !s.Context.Known() {
		a.lost("the context of the socket is not known")
		return l, "", false
	}
	if class = a.socketClass(s.Family, s.Type, s.Protocol); class == "" {
		a.lost("the class of such a socket is not modelled")
		return l, "", false
	}
	l, err := a.parse(s.Context.V)
	if err != nil {
		a.lost("the context of the socket is not one of the policy's: " + err.Error())
		return l, "", false
	}
	if its, there := a.policy.InitialSID("kernel"); there && l == its {
		return l, class, true
	}
	if its, there := a.policy.InitialSID("init"); there && l == its {
		a.lost("whether the kernel asks of sockets of the first process is not modelled")
		return l, class, false
	}
	a.ask(l, class, perms...)
	return l, class, true
}

// protocol is sk_protocol, by which ports are named.
func protocolOf(s *world.Socket) uint8 {
	const tcp, udp = 6, 17
	switch {
	case s.Protocol != 0:
		return uint8(s.Protocol)
	case s.Type == sockStream:
		return tcp
	case s.Type == sockDgram:
		return udp
	}
	return 0
}

// socketBind is selinux_socket_bind: the socket, then the port unless it is one that the kernel itself gives away, then the address.
func (a *asking) socketBind() {
	s, addr := a.q.Socket, &a.q.Address
	l, class, ok := a.socket("bind")
	if !ok || s.Family != afInet && s.Family != afInet6 {
		return
	}
	host, err := netip.ParseAddr(addr.Host)
	if err != nil {
		host = netip.IPv4Unspecified()
		if addr.Family == afInet6 {
			host = netip.IPv6Unspecified()
		}
	}
	e := story.Errno(0)
	switch {
	case addr.Len < 2, (addr.Family == afUnspec || addr.Family == afInet) && addr.Len < 16, addr.Family == afInet6 && addr.Len < 24:
		e = story.EINVAL
	case addr.Family == afUnspec && s.Family == afInet6:
		a.lost("what the release asks of an address without a family is not modelled")
		return
	case addr.Family != afUnspec && addr.Family != afInet && addr.Family != afInet6, addr.Family == afUnspec && !host.IsUnspecified():
		e = story.EAFNOSUPPORT
	}
	if e != 0 {
		a.errno, a.words = e, "the address is too short, or of another family"
		return
	}
	if a.namesPort(addr.Port) {
		port, known := a.policy.Port(protocolOf(s), addr.Port)
		if !known {
			a.lost("the policy has no context of the port")
			return
		}
		a.list = append(a.list, access{source: l, target: port, class: class, perms: []string{"name_bind"}})
	}
	if a.why != "" {
		return
	}
	node, known := a.policy.Node(host)
	if !known {
		a.lost("the policy has no context of the address")
		return
	}
	a.list = append(a.list, access{source: l, target: node, class: class, perms: []string{"node_bind"}})
}

// namesPort reports whether a port is asked for: one that needs CAP_NET_BIND_SERVICE, or outside of those that sockets without one get.
func (a *asking) namesPort(port uint16) bool {
	if port == 0 {
		return false
	}
	first, free := a.c.W.Sysctl(kernel.IPUnprivilegedPortStart), a.c.W.Sysctl(kernel.LocalPortRange)
	if first.Known() && int(port) < first.V {
		return true
	}
	low, high := kernel.Range(free.V)
	outside := free.Known() && (uint32(port) < low || uint32(port) > high)
	if !outside && (!first.Known() || !free.Known()) {
		a.lost("which ports sockets get on their own is not known")
	}
	return outside
}

// socketConnect is selinux_socket_connect: the socket, and of TCP and SCTP the port.
func (a *asking) socketConnect() {
	s, addr := a.q.Socket, &a.q.Address
	l, class, ok := a.socket("connect")
	if !ok {
		return
	}
	named := class == "tcp_socket" || class == "sctp_socket" || class == "dccp_socket"
	switch {
	case addr.Len < 2:
		a.errno, a.words = story.EINVAL, "an address begins with its family"
		return
	case addr.Family == afUnspec || !named:
		return
	case addr.Family == afInet && addr.Len < 16, addr.Family == afInet6 && addr.Len < 24:
		a.errno, a.words = story.EINVAL, "the address is too short"
		return
	case addr.Family != afInet && addr.Family != afInet6:
		a.errno, a.words = story.EAFNOSUPPORT, "the address is of another family"
		if class == "sctp_socket" {
			a.errno = story.EINVAL
		}
		return
	}
	port, known := a.policy.Port(protocolOf(s), addr.Port)
	if !known {
		a.lost("the policy has no context of the port")
		return
	}
	a.list = append(a.list, access{source: l, target: port, class: class, perms: []string{"name_connect"}})
}

// socketCreate is selinux_socket_create.
func (a *asking) socketCreate() {
	class := a.socketClass(int(a.q.Args[0]), int(a.q.Args[1]), int(a.q.Args[2]))
	if class == "" {
		a.lost("the class of such a socket is not modelled")
		return
	}
	asked := a.c.W.Task.Contexts.SockCreate
	if !asked.Known() && !a.c.W.Task.Fresh {
		a.lost("whether the task has asked for a context of new sockets is not known")
		return
	}
	cl, _ := a.policy.Class(class)
	made, err := a.policy.Create(a.source, a.source, cl, "")
	l := made.Label
	if asked.V != "" {
		l, err = a.parse(asked.V)
	}
	if err != nil {
		a.lost(err.Error())
		return
	}
	a.ask(l, class, "create")
	a.c.NewLabel = a.text(l)
}

// socketClass is socket_type_to_security_class; "": not modelled.
func (a *asking) socketClass(family, typ, protocol int) string {
	const (
		unix, inet, inet6, packet, key, netlink = 1, 2, 10, 17, 15, 16
		stream, dgram, raw, seqpacket           = 1, 2, 3, 5
		icmp, tcp, udp, icmp6, sctp, mptcp      = 1, 6, 17, 58, 132, 262
	)
	extended := a.policy.HasCapability("extended_socket_class")
	switch family {
	case unix:
		if typ == stream || typ == seqpacket {
			return "unix_stream_socket"
		} else if typ == dgram || typ == raw {
			return "unix_dgram_socket"
		}
	case inet, inet6:
		switch {
		case (typ == stream || typ == seqpacket) && (protocol == 0 || protocol == tcp || protocol == mptcp):
			return "tcp_socket"
		case (typ == stream || typ == seqpacket) && extended && protocol == sctp:
			return "sctp_socket"
		case typ == dgram && (protocol == 0 || protocol == udp):
			return "udp_socket"
		case typ == dgram && extended && (protocol == icmp || protocol == icmp6):
			return "icmp_socket"
		}
		return "rawip_socket"
	case netlink:
		if class, ok := netlinkClasses[protocol]; ok {
			return class
		}
		return "netlink_socket"
	case packet:
		return "packet_socket"
	case key:
		return "key_socket"
	}
	return ""
}

// netlinkClasses are the classes of netlink's protocols.
var netlinkClasses = map[int]string{0: "netlink_route_socket", 4: "netlink_tcpdiag_socket", 5: "netlink_nflog_socket", 6: "netlink_xfrm_socket", 7: "netlink_selinux_socket", 8: "netlink_iscsi_socket",
	9: "netlink_audit_socket", 10: "netlink_fib_lookup_socket", 11: "netlink_connector_socket", 12: "netlink_netfilter_socket", 15: "netlink_kobject_uevent_socket",
	16: "netlink_generic_socket", 18: "netlink_scsitransport_socket", 20: "netlink_rdma_socket", 21: "netlink_crypto_socket"}

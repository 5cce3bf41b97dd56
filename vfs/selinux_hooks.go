package vfs

import (
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
	if f := a.q.File; f != nil && f.Kind == world.FDSocket && p == f.Path {
		return a.socketLabel(f.Socket)
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
	case story.HookSocketAccept, story.HookSocketSendmsg, story.HookSocketRecvmsg, story.HookSocketGetsockname, story.HookSocketGetpeername, story.HookSocketGetsockopt, story.HookSocketSetsockopt, story.HookSocketShutdown:
		a.socket(socketPerms[q.Hook])
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
	case story.HookBpfMap: // bpf_map_fmode_to_av: the map has the label of who makes it
		const rdonly, wronly = 1 << 3, 1 << 4
		switch q.Args[0] & (rdonly | wronly) {
		case rdonly:
			a.ask(a.source, "bpf", "map_read")
		case wronly:
			a.ask(a.source, "bpf", "map_write")
		default:
			a.ask(a.source, "bpf", "map_read", "map_write")
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

// filePermission is selinux_file_permission: nothing is asked of what the task has opened itself under the same labels; a socket
// was never opened.
func (a *asking) filePermission() {
	q := a.q
	opener, why := a.opener(q.File)
	if why == "" && opener == a.source && q.File.Kind != world.FDSocket && (q.File.Labeled == "" || q.Path.Dentry != 0 && q.File.Labeled == a.c.W.FS.I(q.Path.Dentry).Context) {
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

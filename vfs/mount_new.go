package vfs

import (
	"strconv"
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/lsm"
	"syscallstory/mount"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/world"
)

// filesystem is what is known of a type without asking the filesystem itself.
type filesystem struct {
	name         string
	users        bool         // FS_USERNS_MOUNT: a user namespace's CAP_SYS_ADMIN will do
	by           world.NSKind // whose owner is asked, where own
	own          bool         // the context belongs to the owner of a namespace of the task (fc->user_ns)
	device       bool         // FS_REQUIRES_DEV
	shared       bool         // one filesystem for each namespace of that kind, or for the machine
	revealing    bool         // SB_I_USERNS_VISIBLE
	reconfigures bool         // a remount without options never fails
	options      string       // that it knows; those with = take a value
	lax          bool         // it ignores options that it does not know
	builtin      bool         // no kernel is without it
	flags        world.SBFlags
}

// filesystems are the types that are modelled. What is not here is not known: neither whether the machine has it nor what it asks.
var filesystems = [...]filesystem{
	{name: "tmpfs", users: true, reconfigures: true, builtin: true, options: "mode= size= nr_inodes= nr_blocks= uid= gid= inode32 inode64"},
	{name: "ramfs", users: true, reconfigures: true, builtin: true, options: "mode=", lax: true},
	{name: "proc", users: true, own: true, by: world.PIDNS, revealing: true, reconfigures: true, builtin: true, options: "hidepid= gid= subset=", flags: world.SBNoDev | world.SBNoExec},
	{name: "sysfs", users: true, own: true, by: world.NetNS, shared: true, revealing: true, reconfigures: true, builtin: true, flags: world.SBNoDev | world.SBNoExec},
	{name: "mqueue", users: true, own: true, by: world.IPCNS, shared: true, reconfigures: true},
	{name: "cgroup2", users: true, own: true, by: world.CgroupNS, shared: true, options: "nsdelegate favordynmods memory_localevents memory_recursiveprot"},
	{name: "devpts", users: true, reconfigures: true, options: "mode= uid= gid= ptmxmode= newinstance max=", flags: world.SBNoExec},
	{name: "bpf", users: true, lax: true, options: "mode= uid= gid="},
	{name: "overlay", users: true},
	{name: "devtmpfs", shared: true, options: "mode= size= nr_inodes="},
	{name: "ext4", device: true}, {name: "ext3", device: true}, {name: "ext2", device: true}, {name: "xfs", device: true}, {name: "btrfs", device: true}, {name: "vfat", device: true},
	{name: "iso9660", device: true}, {name: "squashfs", device: true}, {name: "erofs", device: true},
	{name: "debugfs", shared: true}, {name: "tracefs", shared: true}, {name: "securityfs", shared: true}, {name: "configfs", shared: true},
}

func filesystemOf(name string) *filesystem {
	for i := range filesystems {
		if filesystems[i].name == name {
			return &filesystems[i]
		}
	}
	return nil
}

// fsType is get_fs_type.
func fsType(c *check.Check, p world.Path, name string) (*filesystem, story.Errno) {
	fs := filesystemOf(name)
	s := story.Step{Code: story.MountType, Errno: story.ENODEV, Op: story.OpMount, Obj: p.Ref(), Fact: [3]story.Origin{c.W.Filesystems.At}, Val: [3]uint64{c.Word(name)}}
	if fs != nil && fs.builtin {
		return fs, 0
	}
	if c.W.Filesystems.Known() {
		for _, have := range c.W.Filesystems.V {
			if have == name {
				return fs, 0
			}
		}
		if f := c.W.Features[kernel.Modules]; !f.Known() || f.V { // request_module may find it
			c.Unknown(s)
			return fs, 0
		}
		return nil, c.Refuse(s)
	}
	if c.W.Filesystems.At == 0 {
		s.Fact[0] = c.W.Miss("which filesystems the node's kernel has is not known", "--node local, or a node file with them")
	}
	c.Unknown(s)
	return fs, 0
}

// contextOf is fs_context_for_mount: the user namespace that the new filesystem will belong to.
func contextOf(c *check.Check, p world.Path, fs *filesystem) (world.UserNSID, story.Errno) {
	if !fs.own {
		return c.Cred.UserNS, 0
	}
	ns := c.W.Namespace(fs.by)
	if fs.name == "sysfs" { // sysfs_init_fs_context asks at once
		return ns.Owner, ownerOf(c, &ns, kernel.CapSysAdmin, story.OpMount)
	}
	return ns.Owner, 0
}

// mountCapable is mount_capable.
func mountCapable(c *check.Check, p world.Path, fs *filesystem, user world.UserNSID) story.Errno {
	switch {
	case !fs.users:
		return Capable(c, 0, check.RealmInitial, kernel.CapSysAdmin, p, story.OpMount)
	case fs.own:
		ns := c.W.Namespace(fs.by)
		return ownerOf(c, &ns, kernel.CapSysAdmin, story.OpMount)
	}
	return Capable(c, user, check.RealmOwn, kernel.CapSysAdmin, p, story.OpMount)
}

// newMount is do_new_mount.
func newMount(c *check.Check, a MountArgs, p world.Path) story.Errno {
	if a.NoType {
		return badMount(c, p, "a new filesystem needs a type")
	}
	fs, err := fsType(c, p, a.Type)
	if err != 0 {
		return err
	}
	if fs == nil {
		return notModelled(c, p, "what a filesystem of type "+a.Type+" asks", story.EPERM, story.EBUSY, story.ENOENT, story.ENXIO, story.EACCES, story.ENOTBLK)
	}
	user, err := contextOf(c, p, fs)
	if err != 0 {
		return err
	}
	data, contexts, err := labelOptions(c, p, fs.name, a.Data)
	if err != 0 {
		return err
	}
	var l layers
	switch {
	case fs.name != "overlay":
		err = parseOptions(c, p, fs.name, data, a.NoData)
	case parsesLayers(c):
		err = l.options(c, p, data)
	}
	if err != 0 {
		return err
	}
	if err := mountCapable(c, p, fs, user); err != 0 {
		return err
	}
	if fs.device {
		if err := blockDevice(c, p, a.Source); err != 0 {
			return err
		}
	}
	if fs.name == "overlay" {
		if !parsesLayers(c) {
			err = l.options(c, p, data)
		}
		if err == 0 {
			err = l.fill(c, p)
		}
		if err != 0 {
			return err
		}
	}
	if err := c.LSM.SbKernMount(c, fs.name, contexts, user); err != 0 {
		return err
	}
	m := mountsOf(c)
	flags := mountFlags(a.Flags)
	if err := m.tooRevealing(p, fs, flags, mountAtime(a.Flags, 0)); err != 0 {
		return err
	}
	if err := m.dead(p); err != 0 {
		return err
	}
	at, r := m.tree.MayAdd(&m.caller, p, 0, 0)
	if r == (mount.Refusal{}) || r.Code == 0 {
		if err := m.twice(at, fs); err != 0 {
			return err
		}
	}
	if r != (mount.Refusal{}) {
		return m.refused(r, p)
	}
	if fs.name == "overlay" {
		l.prepared(c)
	}
	c.Mounting = check.Mounting{Op: check.MountNew, At: p, Flags: flags, Atime: mountAtime(a.Flags, 0), Type: fs.name, Source: a.Source.Path, ReadOnly: a.Flags&msReadOnly != 0, UserNS: user, Contexts: world.Given(contexts, c.W.LSMs.At)}
	return effect(c, "mounted", p)
}

// twice is do_add_mount's refusal of a filesystem on its own root. Only a type of which there is one can meet itself.
func (m *mounts) twice(at world.Path, fs *filesystem) story.Errno {
	if !fs.shared || !m.tree.IsRoot(at) {
		return 0
	}
	c := m.c
	sb := c.W.FS.SB(m.tree.Node(at.Mount).SB)
	if sb.Type != fs.name || sb.Root != at.Dentry {
		return 0
	}
	s := story.Step{Code: story.MountTwice, Errno: story.EBUSY, Op: story.OpMount, Obj: at.Ref(), Fact: [3]story.Origin{sb.At}, Val: [3]uint64{m.name(at.Mount)}}
	if fs.own { // another namespace's may be there
		c.Unknown(s)
		return 0
	}
	return c.Refuse(s)
}

// labelOptions is security_sb_eat_lsm_opts: where SELinux is active, options that set contexts are its own, else they are the filesystem's.
func labelOptions(c *check.Check, p world.Path, fstype, data string) (rest string, contexts world.MountContexts, e story.Errno) {
	if !strings.Contains(data, "context=") || c.W.LSMs.Known() && !lsm.Enabled(c.W, "selinux") {
		return data, contexts, 0
	}
	contexts, rest, twice := world.SplitContexts(data)
	s := story.Step{Code: story.MountOption, Errno: story.EINVAL, Op: story.OpMount, Obj: p.Ref(), Val: [3]uint64{c.Word(fstype), c.Word(data)}}
	if !c.W.LSMs.Known() {
		c.Unknown(s)
	} else if twice {
		return rest, contexts, c.Refuse(s)
	}
	return rest, contexts, c.LSM.SbEatOptions(c, contexts)
}

// parseOptions is parse_monolithic_mount_data as far as the names and the values of options go.
func parseOptions(c *check.Check, p world.Path, fstype, data string, none bool) story.Errno {
	fs := filesystemOf(fstype)
	if none || data == "" {
		return 0
	}
	for opt := range strings.SplitSeq(data, ",") {
		if opt == "" {
			continue
		}
		name, value, has := strings.Cut(opt, "=")
		s := story.Step{Code: story.MountOption, Errno: story.EINVAL, Op: story.OpMount, Obj: p.Ref(), Val: [3]uint64{c.Word(fstype), c.Word(opt)}}
		switch {
		case !has && genericOption(name):
		case fs == nil || fs.device || fs.options == "" && !fs.shared:
			c.Unknown(s)
		case knows(fs.options, name, has):
			if !has || valid(c, name, value) {
				continue
			}
			if name == "uid" || name == "gid" || name == "mode" {
				return c.Refuse(s)
			}
			c.Unknown(s)
		case fs.lax:
		default:
			return c.Refuse(s)
		}
	}
	return 0
}

// genericOption reports whether vfs_parse_sb_flag takes an option.
func genericOption(name string) bool {
	switch name {
	case "ro", "rw", "sync", "async", "dirsync", "lazytime", "nolazytime", "mand", "nomand":
		return true
	}
	return false
}

func knows(options, name string, value bool) bool {
	for o := range strings.FieldsSeq(options) {
		known, takes := strings.CutSuffix(o, "=")
		if known == name {
			return takes == value
		}
	}
	return false
}

// valid checks the value of an option.
func valid(c *check.Check, name, value string) bool {
	switch name {
	case "mode", "ptmxmode":
		n, err := strconv.ParseUint(value, 8, 32)
		return err == nil && n <= 0o7777
	case "uid", "gid":
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return false
		}
		ns := &c.W.UserNS[c.Cred.UserNS]
		ids := ns.UIDs
		if name == "gid" {
			ids = ns.GIDs
		}
		_, ok := ids.Down(uint32(n))
		return ok
	case "size", "nr_inodes", "nr_blocks":
		n, err := strconv.ParseUint(strings.TrimRight(value, "kKmMgG%"), 10, 32)
		return err == nil && n > 0
	case "hidepid":
		return value == "0" || value == "1" || value == "2" || value == "4" || value == "off" || value == "noaccess" || value == "invisible" || value == "ptraceable"
	case "subset":
		return value == "pid"
	}
	return false
}

// blockDevice is get_tree_bdev as far as the device's name goes.
func blockDevice(c *check.Check, p world.Path, t Target) story.Errno {
	if t.Null || t.Path == "" {
		return badMount(c, p, "the filesystem needs a device")
	}
	var n namei.Walk
	if err := n.At(c, namei.AtFDCWD, t.Path, namei.Follow); err != 0 {
		return err
	}
	ino := c.W.FS.I(n.Path.Dentry)
	s := story.Step{Code: story.MountDevice, Errno: story.ENOTBLK, Op: story.OpMount, Obj: n.Path.Ref(), Fact: [3]story.Origin{ino.At}, Val: [3]uint64{uint64(ino.Mode)}}
	switch {
	case ino.Known&world.KnownType == 0:
		c.Unknown(s)
	case !ino.Is(world.TypeBlk):
		return c.Refuse(s)
	}
	if err := mount.MayOpenDev(c, n.Path); err != 0 {
		return err
	}
	if err := devices(c, n.Path, check.MayRead|check.MayWrite); err != 0 {
		return err
	}
	return notModelled(c, p, "what is on the device", story.ENXIO, story.EBUSY, story.EACCES, story.EIO)
}

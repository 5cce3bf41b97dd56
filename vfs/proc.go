package vfs

import (
	"strconv"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// procRules are proc's own: directories of processes and their descriptors (fs/proc/base.c), settings (fs/proc/proc_sysctl.c).
// Everything else there has the generic ones.
type procRules struct{ ownRules }

// procPlace is where in a proc filesystem an inode is: the first two components of its path, and how many there are.
type procPlace struct {
	top, second world.DentryID
	depth       int
}

func whereInProc(fs *world.FS, d world.DentryID) (at procPlace) {
	for fs.D(d).Parent != d {
		at.top, at.second = d, at.top
		at.depth++
		d = fs.D(d).Parent
	}
	return at
}

// procPID reads a process's directory name; 0 for any other.
func procPID(name string) int {
	if name == "" || name[0] < '1' || name[0] > '9' {
		return 0
	}
	n, err := strconv.Atoi(name)
	if err != nil {
		return 0
	}
	return n
}

// Permission asks as the part of proc does.
func (procRules) Permission(c *check.Check, cr *world.Cred, p world.Path, mask check.Mask) story.Errno {
	fs := c.W.FS
	at := whereInProc(fs, p.Dentry)
	if at.depth == 0 {
		return c.Hooks.GenericPermission(c, cr, p, mask)
	}
	top := fs.D(at.top).Name
	pid := procPID(top)
	switch {
	case top == "sys":
		return sysctlPermission(c, cr, p, at, mask)
	case pid != 0 && at.depth == 1:
		if err := hidden(c, p, pid); err != 0 {
			return err
		}
	case pid != 0 && (at.depth == 2 || at.depth == 4 && fs.D(at.second).Name == "task"):
		switch fs.D(p.Dentry).Name {
		case "fd", "map_files": // proc_fd_permission
			if procProcess(c, pid).Self {
				return 0
			}
		case "fdinfo":
			if err := mayReadInfo(c, p, pid); err != 0 {
				return err
			}
		}
	}
	return c.Hooks.GenericPermission(c, cr, p, mask)
}

// mayReadInfo is proc_fdinfo_permission. Before it was there, the files were closed to whoever may not trace the process.
func mayReadInfo(c *check.Check, p world.Path, pid int) story.Errno {
	who := procProcess(c, pid)
	if who.Self {
		return 0
	}
	if c.K.Has(kernel.ProcInfoPermission) == kernel.Yes {
		return MayAccess(c, who, AccessMode{FSIDs: true, Errno: story.EACCES})
	}
	if mayTrace(c, who) != kernel.Yes {
		c.Unknown(story.Step{Code: story.ProcOpen, Errno: story.EACCES, Op: story.OpSearch, Obj: p.Ref(), Fact: [3]story.Origin{c.W.KernelAt}, Val: [3]uint64{c.Word("fdinfo")}})
	}
	return 0
}

// Lookup is proc_lookup_de and proc_sys_lookup: a name that is not there is ENOENT at once, also for a call that would make it.
func (procRules) Lookup(c *check.Check, dir world.Path, name string) story.Errno {
	if _, st := c.W.FS.Lookup(dir.Dentry, name); st != world.Absent {
		return 0
	}
	return c.Refuse(story.Step{Code: story.NameMissing, Errno: story.ENOENT, Op: story.OpLook, Obj: dir.Ref(), Fact: [3]story.Origin{c.W.FS.I(dir.Dentry).At}, Val: [3]uint64{c.Word(name)}})
}

// taskPID answers whether a process is the task's own.
func taskPID(c *check.Check, pid int) kernel.Answer {
	switch own := c.W.Task.PID; {
	case own == 0:
		return kernel.NotKnown
	case own == pid:
		return kernel.Yes
	}
	return kernel.No
}

// sysctlPermission is proc_sys_permission: the effective ids count, no capability passes over the mode. Settings of a network
// or IPC namespace belong to the root of the user namespace that owns it, those of a user namespace to CAP_SYS_RESOURCE in it.
func sysctlPermission(c *check.Check, cr *world.Cred, p world.Path, at procPlace, mask check.Mask) story.Errno {
	ino := c.W.FS.I(p.Dentry)
	s := story.Step{Code: story.SysctlMode, Errno: story.EACCES, Op: mask.Op(ino.Is(world.TypeDir)), Obj: p.Ref(), Fact: [3]story.Origin{ino.At, cr.UIDAt}, Val: [3]uint64{uint64(ino.Mode), pack(cr.EUID, cr.EGID)}}
	if ino.Known&(world.KnownType|world.KnownPerm) != world.KnownType|world.KnownPerm {
		c.Unknown(s)
		return 0
	}
	if mask&check.MayExec != 0 && ino.Is(world.TypeReg) {
		return c.Refuse(s)
	}
	bits, sure := sysctlBits(c, cr, p, at, ino)
	switch {
	case check.Mask(bits)&mask&7 == mask&7:
		if sure || ino.Is(world.TypeDir) && mask&check.MayWrite == 0 {
			c.Pass(s)
			return 0
		}
		c.Unknown(s)
	case !sure:
		c.Unknown(s)
	default:
		return c.Deny(s)
	}
	return 0
}

// sysctlBits are the permission bits that count for a task; sure is false where a fact is missing.
func sysctlBits(c *check.Check, cr *world.Cred, p world.Path, at procPlace, ino *world.Inode) (bits uint16, sure bool) {
	fs, mode := c.W.FS, ino.Mode
	if at.depth < 2 {
		return 5, true
	}
	root, owner := uint32(0), world.UserNSID(0)
	switch area := fs.D(at.second).Name; {
	case area == "net" && at.depth > 2:
		ns := c.W.Namespace(world.NetNS)
		if !ns.At.Known() {
			return mode & 7, false
		}
		owner = ns.Owner
		switch asksOwner(c, world.NetNS, owner, kernel.CapNetAdmin) {
		case kernel.Yes:
			return mode >> 6 & 7, true
		case kernel.NotKnown:
			return mode & 7, false
		}
		root, _ = c.W.UserNS[owner].UIDs.Down(0)
	case area == "kernel" && at.depth == 3 && ipcSettings[fs.D(p.Dentry).Name]:
		ns := c.W.Namespace(world.IPCNS)
		if !ns.At.Known() {
			return mode & 7, false
		}
		owner = ns.Owner
		root, _ = c.W.UserNS[owner].UIDs.Down(0)
	case area == "kernel" && at.depth == 3 && fs.D(p.Dentry).Name == "pid_max" && c.K.Has(kernel.PidMaxNamespaced) != kernel.No: // pid_table_root_permissions
		ns := c.W.Namespace(world.PIDNS)
		if !ns.At.Known() || c.K.Has(kernel.PidMaxNamespaced) == kernel.NotKnown {
			return mode & 7, false
		}
		owner = ns.Owner
		switch asksOwner(c, world.PIDNS, owner, kernel.CapSysAdmin) {
		case kernel.Yes:
			return mode >> 6 & 7, true
		case kernel.NotKnown:
			return mode & 7, false
		}
		root, _ = c.W.UserNS[owner].UIDs.Down(0)
	case area == "user" && at.depth > 2: // set_permissions
		switch asks(c, cr, cr.UserNS, kernel.CapSysResource, check.RealmOwn) {
		case kernel.Yes:
			return mode >> 6 & 7, true
		case kernel.NotKnown:
			return mode & 7, false
		}
		return mode & 7, true
	}
	if !cr.UIDAt.Known() || !cr.GIDAt.Known() {
		return mode & 7, false
	}
	gid, _ := c.W.UserNS[owner].GIDs.Down(0)
	switch {
	case uint32(cr.EUID) == root:
		return mode >> 6 & 7, true
	case uint32(cr.EGID) == gid || cr.InGroup(world.KGID(gid)):
		return mode >> 3 & 7, true
	}
	return mode & 7, cr.GroupsAt.Known()
}

// ipcSettings are the files of /proc/sys/kernel that belong to the IPC namespace (ipc_permissions).
var ipcSettings = map[string]bool{"shmmax": true, "shmall": true, "shmmni": true, "shm_rmid_forced": true, "msgmax": true, "msgmni": true, "msgmnb": true, "sem": true, "auto_msgmni": true}

// openProc is the open function of proc's files: those of a process's memory ask as ptrace does, those of the kernel's for
// capabilities. What is not modelled answers unknown.
func openProc(c *check.Check, p world.Path, write bool) story.Errno {
	fs := c.W.FS
	at := whereInProc(fs, p.Dentry)
	if at.depth == 0 || fs.SBOf(p.Dentry).Type != "proc" || !fs.I(p.Dentry).Is(world.TypeReg) {
		return 0
	}
	name := fs.D(p.Dentry).Name
	pid := procPID(fs.D(at.top).Name)
	asks := false
	switch {
	case pid != 0 && name == "setgroups" && at.depth == 2 && write:
		return openSetgroups(c, p, pid)
	case pid != 0 && taskPID(c, pid) != kernel.Yes && memoryFiles[name]:
		return openMemory(c, p, pid, name)
	case at.depth == 1:
		asks = guarded[name]
	}
	if !asks {
		return 0
	}
	s := story.Step{Code: story.ProcOpen, Errno: story.EACCES, Op: story.OpOpen, Obj: p.Ref(), Fact: [3]story.Origin{fs.I(p.Dentry).At}}
	if c.Recording() {
		s.Val[0] = c.Word(name)
	}
	c.Unknown(s)
	c.MayEnd(story.EPERM)
	return 0
}

// openSetgroups is proc_setgroups_open: who writes has CAP_SYS_ADMIN in the process's user namespace.
func openSetgroups(c *check.Check, p world.Path, pid int) story.Errno {
	ns, known := c.Cred.UserNS, taskPID(c, pid) == kernel.Yes
	if !known {
		if t := c.W.ProcessByPID(pid); t != nil && t.At.Known() {
			ns, known = t.Cred.UserNS, true
		}
	}
	s := story.Step{Code: story.SetgroupsOpen, Errno: story.EACCES, Op: story.OpOpen, Obj: p.Ref(), Fact: [3]story.Origin{c.W.FS.I(p.Dentry).At, 0, c.Cred.EffectiveAt}, Val: [3]uint64{uint64(kernel.CapSysAdmin), uint64(ns), uint64(c.Cred.Effective)}}
	if !known {
		c.Unknown(s)
		return 0
	}
	switch asks(c, c.Cred, ns, kernel.CapSysAdmin, check.RealmTarget) {
	case kernel.Yes:
		c.Pass(s)
	case kernel.No:
		return c.Deny(s)
	default:
		c.Unknown(s)
	}
	return 0
}

// guarded are files that ask for a capability or meet lockdown when they are opened.
var guarded = map[string]bool{"kcore": true, "kmsg": true, "kpagecount": true, "kpageflags": true, "kpagecgroup": true, "vmallocinfo": true}

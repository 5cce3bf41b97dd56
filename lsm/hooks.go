package lsm

import (
	"slices"

	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/world"
)

// The hooks, in the order of check.LSM. What Landlock asks for stands beside each; the others are for modules whose policy is
// not known.

func (s *Stack) InodePermission(c *check.Check, p world.Path, mask check.Mask) story.Errno {
	return s.ask(c, question{hook: story.HookInodePermission, path: p, op: mask.Op(false), mask: mask})
}

func (s *Stack) InodeFollowLink(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeFollowLink, path: p, op: story.OpFollow})
}

func (s *Stack) InodeReadlink(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeReadlink, path: p, op: story.OpRead})
}

func (s *Stack) InodeGetattr(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeGetattr, path: p, op: story.OpStat})
}

func (s *Stack) InodeSetattr(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeSetattr, path: p, op: story.OpSetattr})
}

func (s *Stack) InodeCreate(c *check.Check, dir world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeCreate, path: dir, op: story.OpCreate})
}

func (s *Stack) InodeMkdir(c *check.Check, dir world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeMkdir, path: dir, op: story.OpCreate})
}

func (s *Stack) InodeMknod(c *check.Check, dir world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeMknod, path: dir, op: story.OpCreate})
}

func (s *Stack) InodeSymlink(c *check.Check, dir world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeSymlink, path: dir, op: story.OpCreate})
}

func (s *Stack) InodeLink(c *check.Check, old, dir world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeLink, path: dir, op: story.OpCreate})
}

func (s *Stack) InodeUnlink(c *check.Check, dir, victim world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeUnlink, path: victim, op: story.OpRemove})
}

func (s *Stack) InodeRmdir(c *check.Check, dir, victim world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeRmdir, path: victim, op: story.OpRemove})
}

func (s *Stack) InodeRename(c *check.Check, old, dir world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeRename, path: old, op: story.OpRemove})
}

func (s *Stack) InodeGetxattr(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeGetxattr, path: p, op: story.OpRead})
}

func (s *Stack) InodeSetxattr(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeSetxattr, path: p, op: story.OpSetattr})
}

func (s *Stack) InodeListxattr(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeListxattr, path: p, op: story.OpRead})
}

func (s *Stack) InodeRemovexattr(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeRemovexattr, path: p, op: story.OpSetattr})
}

func (s *Stack) InodeGetACL(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeGetACL, path: p, op: story.OpRead})
}

func (s *Stack) InodeSetACL(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeSetACL, path: p, op: story.OpSetattr})
}

func (s *Stack) InodeRemoveACL(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeRemoveACL, path: p, op: story.OpSetattr})
}

func (s *Stack) InodeFileGetattr(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeFileGetattr, path: p, op: story.OpRead})
}

func (s *Stack) InodeFileSetattr(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookInodeFileSetattr, path: p, op: story.OpSetattr})
}

func (s *Stack) PathMknod(c *check.Check, dir world.Path, typ uint16) story.Errno {
	return s.ask(c, question{hook: story.HookPathMknod, path: dir, op: story.OpCreate, rights: makeRight(typ)})
}

func (s *Stack) PathMkdir(c *check.Check, dir world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookPathMkdir, path: dir, op: story.OpCreate, rights: FSMakeDir})
}

func (s *Stack) PathSymlink(c *check.Check, dir world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookPathSymlink, path: dir, op: story.OpCreate, rights: FSMakeSym})
}

func (s *Stack) PathUnlink(c *check.Check, dir, victim world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookPathUnlink, path: dir, op: story.OpRemove, rights: FSRemoveFile})
}

func (s *Stack) PathRmdir(c *check.Check, dir, victim world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookPathRmdir, path: dir, op: story.OpRemove, rights: FSRemoveDir})
}

func (s *Stack) PathTruncate(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookPathTruncate, path: p, op: story.OpWrite, rights: FSTruncate})
}

func (s *Stack) PathChmod(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookPathChmod, path: p, op: story.OpSetattr})
}

func (s *Stack) PathChown(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookPathChown, path: p, op: story.OpSetattr})
}

func (s *Stack) PathChroot(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookPathChroot, path: p, op: story.OpEnter})
}

func (s *Stack) PathNotify(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookPathNotify, path: p, op: story.OpRead})
}

func (s *Stack) FilePermission(c *check.Check, p world.Path, mask check.Mask) story.Errno {
	return s.ask(c, question{hook: story.HookFilePermission, path: p, op: mask.Op(false)})
}

func (s *Stack) FileLock(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookFileLock, path: p, op: story.OpLook})
}

func (s *Stack) FileFcntl(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookFileFcntl, path: p, op: story.OpLook})
}

func (s *Stack) FileMprotect(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookFileMprotect, path: p, op: story.OpExec})
}

func (s *Stack) MmapFile(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookMmapFile, path: p, op: story.OpExec})
}

func (s *Stack) SbMount(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookSbMount, path: p, op: story.OpMount, where: never})
}

func (s *Stack) SbRemount(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookSbRemount, path: p, op: story.OpMount, where: never})
}

func (s *Stack) SbUmount(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookSbUmount, path: p, op: story.OpMount, where: never})
}

func (s *Stack) SbPivotroot(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookSbPivotroot, path: p, op: story.OpMount, where: never})
}

func (s *Stack) MoveMount(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookMoveMount, path: p, op: story.OpMount, where: never})
}

func (s *Stack) SbStatfs(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{hook: story.HookSbStatfs, path: p, op: story.OpStat})
}

func (s *Stack) MmapAddr(c *check.Check) story.Errno {
	return s.ask(c, question{hook: story.HookMmapAddr, op: story.OpLook})
}

// Hook is any other hook.
func (s *Stack) Hook(c *check.Check, h story.Hook, p world.Path, op story.Op) story.Errno {
	return s.ask(c, question{hook: h, path: p, op: op})
}

// FileOpen is hook_file_open: get_required_file_open_access of what the file is opened for.
func (s *Stack) FileOpen(c *check.Check, p world.Path, acc check.Mask) story.Errno {
	rights := uint64(0)
	if acc&check.MayRead != 0 {
		if rights = FSReadFile; acc&check.NewFile == 0 && c.W.FS.I(p.Dentry).Is(world.TypeDir) {
			rights = FSReadDir
		}
	}
	if acc&check.MayWrite != 0 {
		rights |= FSWriteFile
	}
	if acc&check.MayExec != 0 {
		rights |= FSExecute
	}
	return s.ask(c, question{hook: story.HookFileOpen, path: p, op: story.OpOpen, rights: rights, mask: acc})
}

// FileTruncate is hook_file_truncate: what the ruleset under which the file was opened said.
func (s *Stack) FileTruncate(c *check.Check, p world.Path, fd *world.FD) story.Errno {
	return s.opened(c, question{hook: story.HookFileTruncate, path: p, op: story.OpWrite}, fd, FSTruncate)
}

// Commands of ioctl that Landlock lets pass on devices too (is_masked_device_ioctl).
var freeIoctls = [...]uint64{0x5450, 0x5451, 0x5421, 0x5452, 0x5460, 0xc0045877, 0xc0045878, 0x2, 0x80086601, 0x6601, 0x6602, 0x40049409, 0x4020940d, 0xc0189436, 0x80116601}

// FileIoctl is hook_file_ioctl: devices only.
func (s *Stack) FileIoctl(c *check.Check, fd *world.FD, cmd uint64) story.Errno {
	q := question{hook: story.HookFileIoctl, path: fd.Path, op: story.OpLook}
	ino := c.W.FS.I(fd.Path.Dentry)
	if !ino.Is(world.TypeChar) && !ino.Is(world.TypeBlk) {
		return s.ask(c, q)
	}
	for _, free := range freeIoctls {
		if cmd == free {
			return s.ask(c, q)
		}
	}
	return s.opened(c, q, fd, FSIoctlDev)
}

// opened asks for a right that Landlock has settled when the file was opened. A descriptor that was opened before the first
// ruleset has all of them.
func (s *Stack) opened(c *check.Check, q question, fd *world.FD, right uint64) story.Errno {
	m := s.module(landlock)
	switch {
	case fd == nil:
		q.rights = right
	case m == nil || !fd.Ruled || !restrictsFiles(c.W):
	default:
		var d denied
		d.ask(c.W, right)
		if d.any() != 0 {
			s.unsure(c, story.Step{Code: story.LSMPolicy, Errno: story.EACCES, Op: q.op, Obj: q.path.Ref(), Fact: [3]story.Origin{fd.At}, Hook: q.hook,
				Val: [3]uint64{c.Word("under which ruleset the descriptor was opened is not known"), c.Word(m.name)}})
		}
	}
	return s.ask(c, q)
}

// PathLink is hook_path_link: a link leads to the same file from another directory.
func (s *Stack) PathLink(c *check.Check, old, dir world.Path) story.Errno {
	from := world.Path{Mount: old.Mount, Dentry: c.W.FS.D(old.Dentry).Parent}
	return s.move(c, question{hook: story.HookPathLink, path: dir, op: story.OpCreate}, check.Renaming{From: old, FromDir: from, ToDir: dir}, false)
}

// PathRename is hook_path_rename.
func (s *Stack) PathRename(c *check.Check, r check.Renaming) story.Errno {
	return s.move(c, question{hook: story.HookPathRename, path: r.FromDir, op: story.OpRemove}, r, true)
}

func (s *Stack) move(c *check.Check, q question, r check.Renaming, removable bool) story.Errno {
	if m := s.module(landlock); m != nil && !c.Muted() && restrictsFiles(c.W) {
		if errno, missing := refer(c.W, r, removable); errno != 0 {
			c.Meet(q.hook, q.path, q.op)
			return s.restricted(c, m, q, errno, missing)
		}
	}
	return s.ask(c, q)
}

// SocketBind is hook_socket_bind.
func (s *Stack) SocketBind(c *check.Check, a check.SocketAddress) story.Errno {
	return s.socket(c, story.HookSocketBind, a, NetBindTCP)
}

// SocketConnect is hook_socket_connect.
func (s *Stack) SocketConnect(c *check.Check, a check.SocketAddress) story.Errno {
	return s.socket(c, story.HookSocketConnect, a, NetConnectTCP)
}

// badAddress is what current_check_access_socket says of an address before it looks for rules, in any domain with rights over
// ports; port is false where none is looked at.
func badAddress(a *check.SocketAddress, right uint64) (e story.Errno, port bool) {
	const unspec, inet, inet6 = 0, 2, 10
	switch {
	case a.Len < 2, (a.Family == unspec || a.Family == inet) && a.Len < 16, a.Family == inet6 && a.Len < 24:
		return story.EINVAL, false
	case a.Family != unspec && a.Family != inet && a.Family != inet6, a.Family == unspec && right == NetConnectTCP:
		return 0, false
	case a.Family == unspec && a.Socket == inet && !a.Any:
		return story.EAFNOSUPPORT, false
	case a.Family == unspec && a.Socket != inet, a.Family != unspec && a.Family != a.Socket:
		return story.EINVAL, false
	}
	return 0, true
}

func restrictsPorts(w *world.World) bool {
	return slices.ContainsFunc(w.Task.Landlock, func(l world.LandlockLayer) bool { return l.Net != 0 })
}

func (s *Stack) socket(c *check.Check, h story.Hook, a check.SocketAddress, right uint64) story.Errno {
	q := question{hook: h, op: story.OpEnter}
	m := s.module(landlock)
	if m != nil && !c.Muted() && a.TCP && !a.Unsure && restrictsPorts(c.W) {
		e, port := badAddress(&a, right)
		if e != 0 {
			return c.Refuse(story.Step{Code: story.LandlockAddress, Errno: e, Op: q.op, Fact: [3]story.Origin{m.at}, Val: [3]uint64{uint64(a.Family), c.Word(m.name)}, Hook: h})
		}
		if !port {
			return s.ask(c, q)
		}
	}
	if m == nil || c.Muted() || !a.TCP || portAllowed(c.W, a.Port, right) && !a.Unsure {
		return s.ask(c, q)
	}
	st := story.Step{Code: story.LandlockPort, Errno: story.EACCES, Op: q.op, Fact: [3]story.Origin{m.at}, Val: [3]uint64{uint64(a.Port), c.Word(m.name)}, Hook: h}
	if a.Unsure {
		c.Unknown(st)
	} else if e := c.Deny(st); e != 0 {
		return e
	}
	return s.ask(c, q)
}

// PtraceAccessCheck is hook_ptrace_access_check: the target must be in the task's domain or in one below.
func (s *Stack) PtraceAccessCheck(c *check.Check, target *world.Process) story.Errno {
	return s.other(c, story.HookPtraceAccessCheck, len(c.W.Task.Landlock) > 0, target)
}

// TaskKill is hook_task_kill: a scope keeps signals within the domain.
func (s *Stack) TaskKill(c *check.Check, target *world.Process) story.Errno {
	return s.other(c, story.HookTaskKill, scoped(c.W, ScopeSignal), target)
}

// other asks whether another process is in the task's domain, which is not known of any but the task's own.
func (s *Stack) other(c *check.Check, h story.Hook, closed bool, target *world.Process) story.Errno {
	q := question{hook: h, op: story.OpEnter}
	if m := s.module(landlock); m != nil && closed && !c.Muted() && (target == nil || target.PID != c.W.Task.PID || target.PID == 0) {
		st := story.Step{Code: story.LandlockScope, Errno: story.EPERM, Op: q.op, Fact: [3]story.Origin{m.at}, Hook: h}
		if target != nil && target.Undomained {
			st.Val = [3]uint64{c.Word("the other process is outside of the task's domain"), c.Word(m.name)}
			if e := c.Deny(st); e != 0 {
				return e
			}
			return s.ask(c, q)
		}
		if c.Recording() {
			st.Val = [3]uint64{c.Word("whether the other process is in the task's domain is not known"), c.Word(m.name)}
		}
		c.Unknown(st)
	}
	return s.ask(c, q)
}

// LockedDown is lockdown_is_locked_down: the mode refuses what stands before it in the list of reasons.
func (s *Stack) LockedDown(c *check.Check, what check.Lockdown, p world.Path) story.Errno {
	q := question{hook: story.HookLockedDown, path: p, op: story.OpEnter}
	m := s.module(lockdown)
	if m == nil || c.Muted() {
		return s.ask(c, q)
	}
	mode := c.W.Lockdown
	st := story.Step{Code: story.LockedDown, Errno: story.EPERM, Op: q.op, Obj: p.Ref(), Fact: [3]story.Origin{mode.At, mode.At}, Hook: q.hook}
	if c.Recording() {
		st.Val = [3]uint64{c.Word(what.String()), c.Word(m.name), c.Word(mode.V)}
	}
	switch {
	case !mode.Known():
		c.Unknown(st)
	case mode.V == "integrity" && what <= check.LockdownIntegrity, mode.V == "confidentiality":
		c.Meet(q.hook, q.path, q.op)
		if e := c.Deny(st); e != 0 {
			return e
		}
	default:
		c.Pass(st)
	}
	return s.ask(c, q)
}

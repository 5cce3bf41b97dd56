package lsm

import (
	"slices"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// The hooks, in the order of check.LSM. What Landlock asks for stands beside each; the others are for modules whose policy is
// not known.

func (s *Stack) InodePermission(c *check.Check, cr *world.Cred, p world.Path, mask check.Mask) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookInodePermission, Path: p, Op: mask.Op(false), Mask: mask, Cred: cr}})
}

func (s *Stack) InodeFollowLink(c *check.Check, p world.Path) story.Errno {
	return s.Hook(c, story.HookInodeFollowLink, p, story.OpFollow)
}

func (s *Stack) InodeReadlink(c *check.Check, p world.Path) story.Errno {
	return s.Hook(c, story.HookInodeReadlink, p, story.OpRead)
}

func (s *Stack) InodeGetattr(c *check.Check, p world.Path) story.Errno {
	return s.Hook(c, story.HookInodeGetattr, p, story.OpStat)
}

func (s *Stack) InodeSetattr(c *check.Check, p world.Path, what check.Setting) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookInodeSetattr, Path: p, Op: story.OpSetattr, Args: [3]uint64{uint64(what)}}})
}

func (s *Stack) made(c *check.Check, h story.Hook, dir world.Path, name string, typ uint16) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: h, Path: dir, Op: story.OpCreate, Name: name, Type: typ}})
}

func (s *Stack) InodeCreate(c *check.Check, dir world.Path, name string) story.Errno {
	return s.made(c, story.HookInodeCreate, dir, name, world.TypeReg)
}

func (s *Stack) InodeMkdir(c *check.Check, dir world.Path, name string) story.Errno {
	return s.made(c, story.HookInodeMkdir, dir, name, world.TypeDir)
}

func (s *Stack) InodeMknod(c *check.Check, dir world.Path, name string, typ uint16) story.Errno {
	return s.made(c, story.HookInodeMknod, dir, name, typ)
}

func (s *Stack) InodeSymlink(c *check.Check, dir world.Path, name string) story.Errno {
	return s.made(c, story.HookInodeSymlink, dir, name, world.TypeLink)
}

func (s *Stack) InodeLink(c *check.Check, old, dir world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookInodeLink, Path: dir, Op: story.OpCreate, Object: old}})
}

func (s *Stack) InodeUnlink(c *check.Check, dir, victim world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookInodeUnlink, Path: victim, Op: story.OpRemove, Object: dir}})
}

func (s *Stack) InodeRmdir(c *check.Check, dir, victim world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookInodeRmdir, Path: victim, Op: story.OpRemove, Object: dir}})
}

func (s *Stack) InodeRename(c *check.Check, r check.Renaming) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookInodeRename, Path: r.From, Op: story.OpRemove, Renaming: r}})
}

func (s *Stack) InodeGetxattr(c *check.Check, p world.Path) story.Errno {
	return s.Hook(c, story.HookInodeGetxattr, p, story.OpRead)
}

func (s *Stack) InodeSetxattr(c *check.Check, p world.Path, name, value string, size uint64) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookInodeSetxattr, Path: p, Op: story.OpSetattr, Name: name, Value: value, Args: [3]uint64{size}}})
}

func (s *Stack) InodeListxattr(c *check.Check, p world.Path) story.Errno {
	return s.Hook(c, story.HookInodeListxattr, p, story.OpRead)
}

func (s *Stack) InodeRemovexattr(c *check.Check, p world.Path, name string) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookInodeRemovexattr, Path: p, Op: story.OpSetattr, Name: name}})
}

func (s *Stack) InodeGetACL(c *check.Check, p world.Path) story.Errno {
	return s.Hook(c, story.HookInodeGetACL, p, story.OpRead)
}

func (s *Stack) InodeSetACL(c *check.Check, p world.Path) story.Errno {
	return s.Hook(c, story.HookInodeSetACL, p, story.OpSetattr)
}

func (s *Stack) InodeRemoveACL(c *check.Check, p world.Path) story.Errno {
	return s.Hook(c, story.HookInodeRemoveACL, p, story.OpSetattr)
}

func (s *Stack) InodeFileGetattr(c *check.Check, p world.Path) story.Errno {
	return s.Hook(c, story.HookInodeFileGetattr, p, story.OpRead)
}

func (s *Stack) InodeFileSetattr(c *check.Check, p world.Path) story.Errno {
	return s.Hook(c, story.HookInodeFileSetattr, p, story.OpSetattr)
}

func (s *Stack) PathMknod(c *check.Check, dir world.Path, typ uint16, whiteout bool) story.Errno {
	q := question{Question: check.Question{Hook: story.HookPathMknod, Path: dir, Op: story.OpCreate}}
	has := c.K.Has(kernel.LandlockWhiteouts)
	if q.rights = makeRight(typ, whiteout, has == kernel.Yes); whiteout && has == kernel.NotKnown {
		q.rights, q.perhaps = FSMakeChar|FSMakeReg, true
	}
	return s.ask(c, q)
}

func (s *Stack) PathMkdir(c *check.Check, dir world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookPathMkdir, Path: dir, Op: story.OpCreate}, rights: FSMakeDir})
}

func (s *Stack) PathSymlink(c *check.Check, dir world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookPathSymlink, Path: dir, Op: story.OpCreate}, rights: FSMakeSym})
}

func (s *Stack) PathUnlink(c *check.Check, dir, victim world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookPathUnlink, Path: dir, Op: story.OpRemove}, rights: FSRemoveFile})
}

func (s *Stack) PathRmdir(c *check.Check, dir, victim world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookPathRmdir, Path: dir, Op: story.OpRemove}, rights: FSRemoveDir})
}

func (s *Stack) PathTruncate(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookPathTruncate, Path: p, Op: story.OpWrite}, rights: FSTruncate})
}

func (s *Stack) PathChmod(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookPathChmod, Path: p, Op: story.OpSetattr}})
}

func (s *Stack) PathChown(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookPathChown, Path: p, Op: story.OpSetattr}})
}

func (s *Stack) PathChroot(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookPathChroot, Path: p, Op: story.OpEnter}})
}

func (s *Stack) PathNotify(c *check.Check, p world.Path, what check.Watching) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookPathNotify, Path: p, Op: story.OpRead, Args: [3]uint64{uint64(what)}}})
}

func (s *Stack) FilePermission(c *check.Check, f *world.FD, mask check.Mask) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookFilePermission, Path: f.Path, Op: mask.Op(false), File: f, Mask: mask}})
}

func (s *Stack) FileLock(c *check.Check, f *world.FD) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookFileLock, Path: f.Path, Op: story.OpLook, File: f}})
}

func (s *Stack) FileFcntl(c *check.Check, f *world.FD, cmd, arg uint64) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookFileFcntl, Path: f.Path, Op: story.OpLook, File: f, Args: [3]uint64{cmd, arg}}})
}

func (s *Stack) FileMprotect(c *check.Check, p world.Path) story.Errno {
	return s.Hook(c, story.HookFileMprotect, p, story.OpExec)
}

func (s *Stack) MmapFile(c *check.Check, f *world.FD, prot uint64, shared bool) story.Errno {
	q := check.Question{Hook: story.HookMmapFile, Op: story.OpExec, File: f, Args: [3]uint64{prot}}
	if f != nil {
		q.Path = f.Path
	}
	if shared {
		q.Args[1] = 1
	}
	return s.ask(c, question{Question: q})
}

func (s *Stack) SbMount(c *check.Check, p world.Path, remount bool) story.Errno {
	q := question{Question: check.Question{Hook: story.HookSbMount, Path: p, Op: story.OpMount}, where: never}
	if remount {
		q.Args[0] = 1
	}
	return s.ask(c, q)
}

func (s *Stack) SbEatOptions(c *check.Check, contexts world.MountContexts) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookSbEatLsmOpts, Op: story.OpMount, Contexts: contexts}})
}

func (s *Stack) SbKernMount(c *check.Check, fstype string, contexts world.MountContexts, user world.UserNSID) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookSbKernMount, Op: story.OpMount, Name: fstype, Contexts: contexts, Args: [3]uint64{uint64(user)}}})
}

func (s *Stack) SbRemount(c *check.Check, p world.Path, contexts world.MountContexts) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookSbRemount, Path: p, Op: story.OpMount, Contexts: contexts}, where: never})
}

func (s *Stack) SbUmount(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookSbUmount, Path: p, Op: story.OpMount}, where: never})
}

func (s *Stack) SbPivotroot(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookSbPivotroot, Path: p, Op: story.OpMount}, where: never})
}

func (s *Stack) MoveMount(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookMoveMount, Path: p, Op: story.OpMount}, where: never})
}

func (s *Stack) SbStatfs(c *check.Check, p world.Path) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookSbStatfs, Path: p, Op: story.OpStat}})
}

func (s *Stack) MmapAddr(c *check.Check, addr uint64) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookMmapAddr, Op: story.OpLook, Args: [3]uint64{addr}}})
}

// OnTask is a hook on a task; itself says that it is the calling one.
func (s *Stack) OnTask(c *check.Check, h story.Hook, target *world.Process, itself bool, op story.Op, arg uint64) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: h, Op: op, Target: target, Itself: itself, Args: [3]uint64{arg}}})
}

func (s *Stack) SocketCreate(c *check.Check, family, typ, protocol int) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookSocketCreate, Op: story.OpSocket, Args: [3]uint64{uint64(family), uint64(typ), uint64(protocol)}}})
}

func (s *Stack) OnSocket(c *check.Check, h story.Hook, of *world.Socket, op story.Op) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: h, Op: op, Socket: of}})
}

func (s *Stack) OnFile(c *check.Check, h story.Hook, f *world.FD, op story.Op) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: h, Path: f.Path, Op: op, File: f}})
}

func (s *Stack) OnIPC(c *check.Check, h story.Hook, o *world.IPCObject, op story.Op, arg uint64) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: h, Op: op, IPC: o, Cred: c.Cred, Args: [3]uint64{arg}}})
}

func (s *Stack) AnonInode(c *check.Check, kind string) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: story.HookInodeInitSecurityAnon, Op: story.OpCreate, Name: kind}})
}

func (s *Stack) OnSystem(c *check.Check, h story.Hook, arg uint64) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: h, Op: story.OpSystem, Args: [3]uint64{arg}}})
}

// Hook is any other hook.
func (s *Stack) Hook(c *check.Check, h story.Hook, p world.Path, op story.Op) story.Errno {
	return s.ask(c, question{Question: check.Question{Hook: h, Path: p, Op: op}})
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
	return s.ask(c, question{Question: check.Question{Hook: story.HookFileOpen, Path: p, Op: story.OpOpen, Mask: acc}, rights: rights})
}

// FileTruncate is hook_file_truncate: what the ruleset under which the file was opened said.
func (s *Stack) FileTruncate(c *check.Check, p world.Path, fd *world.FD) story.Errno {
	return s.opened(c, question{Question: check.Question{Hook: story.HookFileTruncate, Path: p, Op: story.OpWrite}}, fd, FSTruncate)
}

// Commands of ioctl that Landlock lets pass on devices too (is_masked_device_ioctl).
var freeIoctls = [...]uint64{0x5450, 0x5451, 0x5421, 0x5452, 0x5460, 0xc0045877, 0xc0045878, 0x2, 0x80086601, 0x6601, 0x6602, 0x40049409, 0x4020940d, 0xc0189436, 0x80116601}

// FileIoctl is hook_file_ioctl: devices only.
func (s *Stack) FileIoctl(c *check.Check, fd *world.FD, cmd uint64) story.Errno {
	q := question{Question: check.Question{Hook: story.HookFileIoctl, Path: fd.Path, Op: story.OpLook, File: fd, Args: [3]uint64{cmd}}}
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
			s.unsure(c, story.Step{Code: story.LSMPolicy, Errno: story.EACCES, Op: q.Op, Obj: q.Path.Ref(), Fact: [3]story.Origin{fd.At}, Hook: q.Hook,
				Val: [3]uint64{c.Word("under which ruleset the descriptor was opened is not known"), c.Word(m.name)}})
		}
	}
	return s.ask(c, q)
}

// PathLink is hook_path_link: a link leads to the same file from another directory.
func (s *Stack) PathLink(c *check.Check, old, dir world.Path) story.Errno {
	from := world.Path{Mount: old.Mount, Dentry: c.W.FS.D(old.Dentry).Parent}
	return s.move(c, question{Question: check.Question{Hook: story.HookPathLink, Path: dir, Op: story.OpCreate}}, check.Renaming{From: old, FromDir: from, ToDir: dir}, false)
}

// PathRename is hook_path_rename.
func (s *Stack) PathRename(c *check.Check, r check.Renaming) story.Errno {
	return s.move(c, question{Question: check.Question{Hook: story.HookPathRename, Path: r.FromDir, Op: story.OpRemove}}, r, true)
}

func (s *Stack) move(c *check.Check, q question, r check.Renaming, removable bool) story.Errno {
	if m := s.module(landlock); m != nil && !c.Muted() && restrictsFiles(c.W) {
		has := c.K.Has(kernel.LandlockWhiteouts)
		if r.Whiteout && has != kernel.No { // RENAME_WHITEOUT makes one
			var d denied
			d.ask(c.W, FSMakeReg)
			d.climb(c.W, r.FromDir)
			q.perhaps = has == kernel.NotKnown
			if missing := d.any(); missing != 0 {
				if e := s.restricted(c, m, q, story.EACCES, missing); e != 0 {
					return e
				}
			}
		}
		errno, missing := refer(c.W, r, removable, has == kernel.Yes)
		if has == kernel.NotKnown {
			other, also := refer(c.W, r, removable, true)
			q.perhaps = other != errno
			if errno == 0 {
				errno, missing = other, also
			}
		}
		if errno != 0 {
			c.Meet(q.Hook, q.Path, q.Op)
			if e := s.restricted(c, m, q, errno, missing); e != 0 {
				return e
			}
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
	q := question{Question: check.Question{Hook: h, Op: story.OpEnter, Socket: a.Of, Address: a}}
	m := s.module(landlock)
	if m != nil && !c.Muted() && a.TCP && !a.Unsure && restrictsPorts(c.W) {
		e, port := badAddress(&a, right)
		if e != 0 {
			return c.Refuse(story.Step{Code: story.LandlockAddress, Errno: e, Op: q.Op, Fact: [3]story.Origin{m.at}, Val: [3]uint64{uint64(a.Family), c.Word(m.name)}, Hook: h})
		}
		if !port {
			return s.ask(c, q)
		}
	}
	if m == nil || c.Muted() || !a.TCP || portAllowed(c.W, a.Port, right) && !a.Unsure {
		return s.ask(c, q)
	}
	st := story.Step{Code: story.LandlockPort, Errno: story.EACCES, Op: q.Op, Fact: [3]story.Origin{m.at}, Val: [3]uint64{uint64(a.Port), c.Word(m.name)}, Hook: h}
	if a.Unsure {
		c.Unknown(st)
	} else if e := c.Deny(st); e != 0 {
		return e
	}
	return s.ask(c, q)
}

// PtraceAccessCheck is hook_ptrace_access_check: the target must be in the task's domain or in one below.
func (s *Stack) PtraceAccessCheck(c *check.Check, target *world.Process, attach bool) story.Errno {
	q := check.Question{Hook: story.HookPtraceAccessCheck}
	if attach {
		q.Args[0] = 1
	}
	return s.other(c, q, len(c.W.Task.Landlock) > 0, target)
}

// TaskKill is hook_task_kill: a scope keeps signals within the domain.
func (s *Stack) TaskKill(c *check.Check, target *world.Process, sig int) story.Errno {
	return s.other(c, check.Question{Hook: story.HookTaskKill, Args: [3]uint64{uint64(sig)}}, scoped(c.W, ScopeSignal), target)
}

// other asks whether another process is in the task's domain, which is not known of any but the task's own.
func (s *Stack) other(c *check.Check, asked check.Question, closed bool, target *world.Process) story.Errno {
	asked.Op, asked.Target = story.OpEnter, target
	q := question{Question: asked}
	if m := s.module(landlock); m != nil && closed && !c.Muted() && (target == nil || target.PID != c.W.Task.PID || target.PID == 0) {
		st := story.Step{Code: story.LandlockScope, Errno: story.EPERM, Op: q.Op, Fact: [3]story.Origin{m.at}, Hook: q.Hook}
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
	q := question{Question: check.Question{Hook: story.HookLockedDown, Path: p, Op: story.OpEnter}}
	m := s.module(lockdown)
	if m == nil || c.Muted() {
		return s.ask(c, q)
	}
	mode := c.W.Lockdown
	st := story.Step{Code: story.LockedDown, Errno: story.EPERM, Op: q.Op, Obj: p.Ref(), Fact: [3]story.Origin{mode.At, mode.At}, Hook: q.Hook}
	if c.Recording() {
		st.Val = [3]uint64{c.Word(what.String()), c.Word(m.name), c.Word(mode.V)}
	}
	switch {
	case !mode.Known():
		c.Unknown(st)
	case mode.V == "integrity" && what <= check.LockdownIntegrity, mode.V == "confidentiality":
		c.Meet(q.Hook, q.Path, q.Op)
		if e := c.Deny(st); e != 0 {
			return e
		}
	default:
		c.Pass(st)
	}
	return s.ask(c, q)
}

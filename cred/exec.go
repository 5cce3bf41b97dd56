package cred

import (
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Executed is the file whose set-id bits and capabilities count at an execve: the program or, of a script, the interpreter
// that is found at the end.
type Executed struct {
	Mode uint16     // with its permission bits
	UID  world.KUID // owner and group as the mount shows them (i_uid_into_vfsuid); Invalid where it has no place for them
	GID  world.KGID
	Caps *world.FileCaps // nil: none
	Root world.KUID      // whose capabilities they are, after the mount's id map (CapsRoot)

	Nosuid  bool           // the mount is nosuid
	Foreign bool           // the mount is not in the task's mount namespace
	UserNS  world.UserNSID // of the superblock (s_user_ns)
}

// CapsRoot is the first half of get_vfs_caps_from_disk: the root of the user namespace that a file's capabilities are for, in
// a filesystem of the user namespace fs that is mounted with the id map of another one, or of none (nil). Invalid means that
// the capabilities are for nobody.
func CapsRoot(caps *world.FileCaps, fs, idmap *world.UserNS) world.KUID {
	root := uint32(caps.Root)
	if caps.Version != 3 {
		root, _ = fs.UIDs.Down(0)
	}
	if idmap != nil {
		root, _ = fs.UIDs.Up(root)
		root, _ = idmap.UIDs.Down(root)
	}
	return world.KUID(root)
}

// Exec is an execve that is about to replace a task's program.
type Exec struct {
	Namespaces []world.UserNS // World.UserNS
	Old        *world.Cred
	File       Executed
	Tracer     *world.Cred // nil: the task is not traced
	SharesFS   bool        // another process shares the task's root and current directory
	IDChanged  bool        // the rule of kernel.ExecIDChanged; else is_setid
}

// Rules is a set of what has counted at an execve.
type Rules uint32

const (
	RuleSetuid          Rules = 1 << iota // the file's owner became the effective uid
	RuleSetgid                            // the file's group became the effective gid
	RuleNosuid                            // set-id bits and capabilities of the file were ignored: its mount is nosuid
	RuleForeign                           // … its mount belongs to another mount namespace
	RuleFilesystemNS                      // … its filesystem belongs to a user namespace that is neither the task's nor above it
	RuleSetidNoNewPrivs                   // set-id bits were ignored: no_new_privs
	RuleSetidUnmapped                     // set-id bits were ignored: owner or group have no mapping in the task's user namespace
	RuleSetgidNoExec                      // the setgid bit was ignored: the group may not execute
	RuleFileCaps                          // the file's capabilities counted
	RuleCapsForeign                       // the file's capabilities were ignored: they are for another user namespace
	RuleBounded                           // the bounding set held back some of the file's permitted capabilities
	RuleRoot                              // a uid of root gave all capabilities of the bounding set
	RuleRootRealOnly                      // … but none effective: only the real uid is root's
	RuleNoRoot                            // SECBIT_NOROOT: root's uid gave nothing
	RuleRootMixed                         // a setuid-root file with capabilities gives only those to who is not root
	RuleCut                               // what was gained was taken away again, for one of the next three reasons
	RuleNoNewPrivs                        // no_new_privs
	RuleTraced                            // the tracer has no CAP_SYS_PTRACE
	RuleShared                            // another process shares root and current directory
	RuleIDsReverted                       // the effective ids became the real ones again
	RuleAmbientKept                       // the ambient set went on into permitted and effective
	RuleAmbientCleared                    // the ambient set was cleared: the file has capabilities, or an id changed
	RuleKeepCapsCleared                   // SECBIT_KEEP_CAPS was cleared
	RuleIncapable                         // EPERM: the effective bit is set, and not all of the file's permitted set can be had
	RuleInvalid                           // EINVAL: the file's attribute is not valid
	RuleLost                              // permitted capabilities were lost: nothing gives them again
)

// Has reports whether a rule has counted.
func (r Rules) Has(x Rules) bool { return r&x != 0 }

// Transition is what an execve makes of credentials.
type Transition struct {
	New    world.Cred
	Errno  story.Errno // EPERM or EINVAL: the execve fails, and New means nothing
	Rules  Rules
	Secure bool // AT_SECURE: the C library ignores LD_PRELOAD and the like
}

// run is a transition under way.
type run struct {
	*Exec
	Transition
	effective, fileCaps bool
}

// Transition works it out in the order of begin_new_exec: bprm_fill_uid, then cap_bprm_creds_from_file. It asks none of the
// permissions that come before.
func (e *Exec) Transition() Transition {
	r := run{Exec: e}
	r.New = *e.Old
	r.setid()
	if r.capsFromFile(); r.Errno != 0 {
		return r.Transition
	}
	root := r.root()
	r.privilegedRoot(root)
	changed := r.New.EUID != e.Old.EUID || !e.Old.InGroup(r.New.EGID)
	if !e.IDChanged { // __is_setuid, __is_setgid
		changed = r.New.EUID != e.Old.RUID || r.New.EGID != e.Old.RGID
	}
	if changed || r.New.Permitted&^e.Old.Permitted != 0 {
		r.unsafe()
	}
	n := &r.New
	n.SUID, n.FSUID, n.SGID, n.FSGID = n.EUID, n.EUID, n.EGID, n.EGID
	if n.Ambient != 0 {
		if r.fileCaps || changed {
			n.Ambient = 0
			r.Rules |= RuleAmbientCleared
		} else {
			r.Rules |= RuleAmbientKept
		}
	}
	n.Permitted |= n.Ambient
	if n.Effective = n.Ambient; r.effective {
		n.Effective = n.Permitted
	}
	if e.Old.Permitted&^n.Permitted != 0 {
		r.Rules |= RuleLost
	}
	if n.Securebits&KeepCaps != 0 {
		n.Securebits &^= KeepCaps
		r.Rules |= RuleKeepCapsCleared
	}
	r.Secure = changed || n.EUID != e.Old.RUID || n.EGID != e.Old.RGID || n.RUID != root && (r.effective || n.Permitted&^n.Ambient != 0)
	return r.Transition
}

// root is the uid of the root of the task's user namespace.
func (r *run) root() world.KUID { return rootOf(r.Namespaces, r.Old) }

func rootOf(all []world.UserNS, c *world.Cred) world.KUID {
	k, _ := all[c.UserNS].UIDs.Down(0)
	return world.KUID(k)
}

// Within is in_userns: the namespace is the other one or lies below it.
func Within(all []world.UserNS, ns, ancestor world.UserNSID) bool {
	for all[ns].Level > all[ancestor].Level {
		ns = all[ns].Parent
	}
	return ns == ancestor
}

// maySuid is mnt_may_suid; it notes why not only where there is something to ignore.
func (r *run) maySuid(note bool) bool {
	why := Rules(0)
	switch {
	case r.File.Nosuid:
		why = RuleNosuid
	case r.File.Foreign:
		why = RuleForeign
	case !Within(r.Namespaces, r.Old.UserNS, r.File.UserNS):
		why = RuleFilesystemNS
	}
	if note {
		r.Rules |= why
	}
	return why == 0
}

// setid is bprm_fill_uid in fs/exec.c.
func (r *run) setid() {
	f := &r.File
	bits := f.Mode & 0o6000
	if !r.maySuid(bits != 0) || bits == 0 {
		return
	}
	ns := &r.Namespaces[r.Old.UserNS]
	switch {
	case r.Old.NoNewPrivs:
		r.Rules |= RuleSetidNoNewPrivs
		return
	case !ns.MapsUID(f.UID) || !ns.MapsGID(f.GID):
		r.Rules |= RuleSetidUnmapped
		return
	}
	if f.Mode&0o4000 != 0 {
		r.New.EUID = f.UID
		r.Rules |= RuleSetuid
	}
	switch f.Mode & 0o2010 {
	case 0o2010:
		r.New.EGID = f.GID
		r.Rules |= RuleSetgid
	case 0o2000:
		r.Rules |= RuleSetgidNoExec
	}
}

// capsFromFile is get_file_caps and bprm_caps_from_vfs_caps.
func (r *run) capsFromFile() {
	r.New.Permitted = 0
	caps := r.File.Caps
	if !r.maySuid(caps != nil) || caps == nil {
		return
	}
	switch {
	case caps.Version == 0:
		r.Errno = story.EINVAL
		r.Rules |= RuleInvalid
		return
	case !r.owns(r.File.Root):
		r.Rules |= RuleCapsForeign
		return
	}
	r.effective, r.fileCaps = caps.Effective, true
	r.Rules |= RuleFileCaps
	permitted, inheritable := caps.Permitted&world.AllCaps, caps.Inheritable&world.AllCaps
	r.New.Permitted = r.Old.Bounding&permitted | r.Old.Inheritable&inheritable
	if permitted&^r.New.Permitted == 0 {
		return
	}
	if r.Rules |= RuleBounded; r.effective {
		r.Errno = story.EPERM
		r.Rules |= RuleIncapable
	}
}

// owns is rootid_owns_currentns: the id is root's in the task's user namespace or in one above it.
func (r *run) owns(root world.KUID) bool {
	for ns := r.Old.UserNS; ; ns = r.Namespaces[ns].Parent {
		if id, ok := r.Namespaces[ns].UIDs.Up(uint32(root)); ok && id == 0 {
			return true
		}
		if ns == 0 {
			return false
		}
	}
}

// privilegedRoot is handle_privileged_root.
func (r *run) privilegedRoot(root world.KUID) {
	n := &r.New
	real, effective := n.RUID == root, n.EUID == root
	switch {
	case r.Old.Securebits&NoRoot != 0:
		if real || effective {
			r.Rules |= RuleNoRoot
		}
		return
	case r.fileCaps && effective && !real:
		r.Rules |= RuleRootMixed
		return
	case real || effective:
		n.Permitted = r.Old.Bounding | r.Old.Inheritable
		r.Rules |= RuleRoot
		if !effective {
			r.Rules |= RuleRootRealOnly
		}
	}
	if effective {
		r.effective = true
	}
}

// unsafe takes back what a task gains that others could get hold of, or that has given up gaining (check_unsafe_exec).
func (r *run) unsafe() {
	why := Rules(0)
	if r.Old.NoNewPrivs {
		why |= RuleNoNewPrivs
	}
	if r.SharesFS {
		why |= RuleShared
	}
	if r.Tracer != nil && capable(r.Namespaces, r.Tracer, r.Old.UserNS, kernel.CapSysPtrace) != kernel.Yes {
		why |= RuleTraced
	}
	if why == 0 {
		return
	}
	n := &r.New
	before := [3]uint64{uint64(n.EUID), uint64(n.EGID), uint64(n.Permitted)}
	if !r.Old.Effective.Has(kernel.CapSetuid) || r.Old.NoNewPrivs {
		n.EUID, n.EGID = n.RUID, n.RGID
	}
	n.Permitted &= r.Old.Permitted
	if before[0] != uint64(n.EUID) || before[1] != uint64(n.EGID) {
		r.Rules |= RuleIDsReverted
	}
	if before != [3]uint64{uint64(n.EUID), uint64(n.EGID), uint64(n.Permitted)} {
		r.Rules |= RuleCut | why
	}
}

package cred

import (
	"syscallstory/kernel"
	"syscallstory/world"
)

// Keep stands for an id of -1, which stays as it is.
const Keep = 1<<32 - 1

// fsSet is CAP_FS_SET: the capabilities that follow the uid for files.
var fsSet = world.Caps(kernel.CapChown, kernel.CapMknod, kernel.CapDacOverride, kernel.CapDacReadSearch, kernel.CapFowner, kernel.CapFsetid, kernel.CapMacOverride, kernel.CapLinuxImmutable)

// Fixed is what a change of ids has made of the capability sets.
type Fixed uint8

const (
	FixedPermitted     Fixed = 1 << iota // no uid is root's any more: permitted and effective were cleared
	FixedKept                            // … SECBIT_KEEP_CAPS kept the permitted set
	FixedAmbient                         // … the ambient set was cleared
	FixedEffectiveGone                   // the effective uid is no longer root's: effective was cleared
	FixedEffectiveBack                   // the effective uid became root's: effective is permitted again
	FixedFilesGone                       // the uid for files is no longer root's: its capabilities are not effective
	FixedFilesBack                       // the uid for files became root's
)

// fixUIDs is cap_task_fix_setuid for LSM_SETID_ID, _RE and _RES (cap_emulate_setxuid).
func fixUIDs(all []world.UserNS, old, n *world.Cred) (f Fixed) {
	if old.Securebits&NoSetuidFixup != 0 {
		return 0
	}
	root := rootOf(all, old)
	had := old.RUID == root || old.EUID == root || old.SUID == root
	has := n.RUID == root || n.EUID == root || n.SUID == root
	if had && !has {
		if old.Securebits&KeepCaps == 0 {
			n.Permitted, n.Effective = 0, 0
			f |= FixedPermitted
		} else {
			f |= FixedKept
		}
		if n.Ambient != 0 {
			f |= FixedAmbient
		}
		n.Ambient = 0
	}
	switch {
	case old.EUID == root && n.EUID != root:
		n.Effective = 0
		f |= FixedEffectiveGone
	case old.EUID != root && n.EUID == root:
		n.Effective = n.Permitted
		f |= FixedEffectiveBack
	}
	return f
}

// SetUID is setuid(2): with CAP_SETUID all uids become id, else the effective one may become the real or the saved one. ok is
// false where the answer is EPERM.
func SetUID(all []world.UserNS, old *world.Cred, id world.KUID, capable bool) (n world.Cred, f Fixed, ok bool) {
	n = *old
	if capable {
		n.RUID, n.SUID = id, id
	} else if id != old.RUID && id != old.SUID {
		return n, 0, false
	}
	n.EUID, n.FSUID = id, id
	f = fixUIDs(all, old, &n)
	return n, f, true
}

// SetREUID is setreuid(2).
func SetREUID(all []world.UserNS, old *world.Cred, real, effective world.KUID, capable bool) (n world.Cred, f Fixed, ok bool) {
	n = *old
	if real != Keep {
		if n.RUID = real; real != old.RUID && real != old.EUID && !capable {
			return n, 0, false
		}
	}
	if effective != Keep {
		if n.EUID = effective; effective != old.RUID && effective != old.EUID && effective != old.SUID && !capable {
			return n, 0, false
		}
	}
	if real != Keep || effective != Keep && effective != old.RUID {
		n.SUID = n.EUID
	}
	n.FSUID = n.EUID
	f = fixUIDs(all, old, &n)
	return n, f, true
}

// SetRESUID is setresuid(2). With early, ids that are what they were already change nothing, not even the uid for files
// (kernel.SetresNothing).
func SetRESUID(all []world.UserNS, old *world.Cred, real, effective, saved world.KUID, capable, early bool) (n world.Cred, f Fixed, ok bool) {
	n = *old
	if early && (real == Keep || real == old.RUID) && (effective == Keep || effective == old.EUID && effective == old.FSUID) && (saved == Keep || saved == old.SUID) {
		return n, 0, true
	}
	own := func(id world.KUID) bool { return id == Keep || id == old.RUID || id == old.EUID || id == old.SUID }
	if !capable && !(own(real) && own(effective) && own(saved)) {
		return n, 0, false
	}
	if real != Keep {
		n.RUID = real
	}
	if effective != Keep {
		n.EUID = effective
	}
	if saved != Keep {
		n.SUID = saved
	}
	n.FSUID = n.EUID
	f = fixUIDs(all, old, &n)
	return n, f, true
}

// SetFSUID is setfsuid(2): what is not allowed changes nothing, and there is no errno.
func SetFSUID(all []world.UserNS, old *world.Cred, id world.KUID, capable bool) (n world.Cred, f Fixed, ok bool) {
	n = *old
	if !capable && id != old.RUID && id != old.EUID && id != old.SUID && id != old.FSUID {
		return n, 0, false
	}
	n.FSUID = id
	if old.Securebits&NoSetuidFixup != 0 {
		return n, 0, true
	}
	switch root := rootOf(all, old); {
	case old.FSUID == root && id != root:
		n.Effective &^= fsSet
		f = FixedFilesGone
	case old.FSUID != root && id == root:
		n.Effective |= fsSet & n.Permitted
		f = FixedFilesBack
	}
	return n, f, true
}

// SetGID is setgid(2).
func SetGID(old *world.Cred, id world.KGID, capable bool) (n world.Cred, ok bool) {
	n = *old
	if capable {
		n.RGID, n.SGID = id, id
	} else if id != old.RGID && id != old.SGID {
		return n, false
	}
	n.EGID, n.FSGID = id, id
	return n, true
}

// SetREGID is setregid(2).
func SetREGID(old *world.Cred, real, effective world.KGID, capable bool) (n world.Cred, ok bool) {
	n = *old
	if real != Keep {
		if n.RGID = real; real != old.RGID && real != old.EGID && !capable {
			return n, false
		}
	}
	if effective != Keep {
		if n.EGID = effective; effective != old.RGID && effective != old.EGID && effective != old.SGID && !capable {
			return n, false
		}
	}
	if real != Keep || effective != Keep && effective != old.RGID {
		n.SGID = n.EGID
	}
	n.FSGID = n.EGID
	return n, true
}

// SetRESGID is setresgid(2); early as in SetRESUID.
func SetRESGID(old *world.Cred, real, effective, saved world.KGID, capable, early bool) (n world.Cred, ok bool) {
	n = *old
	if early && (real == Keep || real == old.RGID) && (effective == Keep || effective == old.EGID && effective == old.FSGID) && (saved == Keep || saved == old.SGID) {
		return n, true
	}
	own := func(id world.KGID) bool { return id == Keep || id == old.RGID || id == old.EGID || id == old.SGID }
	if !capable && !(own(real) && own(effective) && own(saved)) {
		return n, false
	}
	if real != Keep {
		n.RGID = real
	}
	if effective != Keep {
		n.EGID = effective
	}
	if saved != Keep {
		n.SGID = saved
	}
	n.FSGID = n.EGID
	return n, true
}

// SetFSGID is setfsgid(2).
func SetFSGID(old *world.Cred, id world.KGID, capable bool) (n world.Cred, ok bool) {
	n = *old
	if !capable && id != old.RGID && id != old.EGID && id != old.SGID && id != old.FSGID {
		return n, false
	}
	n.FSGID = id
	return n, true
}

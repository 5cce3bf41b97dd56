package vfs

import (
	"strconv"
	"strings"

	"syscallstory/check"
	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// credentials is bprm_creds_from_file: what the task has behind the execve. It refuses in one case only.
func (x *exec) credentials(c *check.Check) story.Errno {
	w := c.W
	ino := w.FS.I(x.file.Dentry)
	m := &w.Mounts[x.file.Mount]
	sb := w.FS.SB(ino.SB)
	uid, gid := ids(w, x.file, ino)
	var idmap *world.UserNS
	if m.IDMap != 0 {
		idmap = &w.UserNS[m.IDMap]
	}
	f := cred.Executed{Mode: ino.Mode, UID: uid, GID: gid, Caps: ino.Caps, Nosuid: mount.Nosuid(m) == kernel.Yes, Foreign: m.NS != w.Task.MountNS, UserNS: sb.UserNS}
	if f.Caps != nil {
		f.Root = cred.CapsRoot(f.Caps, &w.UserNS[sb.UserNS], idmap)
	}
	changed := c.K.Has(kernel.ExecIDChanged)
	e := cred.Exec{Namespaces: w.UserNS, Old: c.Cred, File: f, Tracer: w.Task.Tracer, SharesFS: sharesFS(&w.Task), IDChanged: changed != kernel.No}
	t := e.Transition()
	if missing := x.missing(c, &f, ino, m); missing != 0 {
		return x.guess(c, &t, ino, missing)
	}
	if changed == kernel.NotKnown {
		e.IDChanged = false
		if o := e.Transition(); o.Errno != t.Errno || !same(&o.New, &t.New) {
			return x.guess(c, &t, ino, w.KernelAt)
		}
	}
	if c.Recording() {
		x.tell(c, &t, ino, m)
	}
	s := story.Step{Code: story.ExecIncapable, Errno: story.EPERM, Op: story.OpBecome, Obj: x.file.Ref(), Fact: [3]story.Origin{ino.At, c.Cred.BoundingAt}}
	switch t.Errno {
	case story.EPERM:
		s.Val = [3]uint64{uint64(ino.Caps.Permitted), uint64(ino.Caps.Permitted & world.AllCaps &^ t.New.Permitted)}
		return c.Deny(s)
	case story.EINVAL:
		s.Code, s.Errno, s.Val = story.ExecBadCaps, story.EINVAL, [3]uint64{}
		return c.Refuse(s)
	}
	if c.Became.Unsure {
		return 0
	}
	become(c, &t.New)
	return 0
}

// missing returns the Origin of a fact without which the new credentials are not known.
func (x *exec) missing(c *check.Check, f *cred.Executed, ino *world.Inode, m *world.Mount) story.Origin {
	cr := c.Cred
	gains := ino.Known&world.KnownPerm == 0 || f.Mode&0o6000 != 0 || ino.Known&world.KnownCaps == 0 || f.Caps != nil
	switch {
	case ino.Known&world.KnownPerm == 0, ino.Known&world.KnownCaps == 0, f.Mode&0o6000 != 0 && ino.Known&world.KnownOwner == 0:
		return missingAt(ino.At)
	case gains && m.Unsure&world.MountNoSuid != 0:
		return missingAt(m.Why)
	case !cr.UIDAt.Known():
		return missingAt(cr.UIDAt)
	case cr.SecurebitsAt&story.Missing != 0 && x.rootInvolved(c, f):
		return cr.SecurebitsAt
	case gains && c.W.Task.FSUsers.At&story.Missing != 0:
		return c.W.Task.FSUsers.At
	case f.Mode&0o2000 != 0 && !(cr.GIDAt.Known() && cr.GroupsAt.Known()):
		return missingAt(cr.GroupsAt)
	case !cr.BoundingAt.Known():
		return missingAt(cr.BoundingAt)
	case !cr.EffectiveAt.Known():
		return missingAt(cr.EffectiveAt)
	}
	return 0
}

// sharesFS is the count of check_unsafe_exec: tasks that are no threads of the task's own process.
func sharesFS(t *world.Task) bool { return t.FSUsers.Known() && t.FSUsers.V > max(t.Threads.V, 1) }

// rootInvolved reports whether SECBIT_NOROOT would make a difference.
func (x *exec) rootInvolved(c *check.Check, f *cred.Executed) bool {
	k, ok := c.W.UserNS[c.Cred.UserNS].UIDs.Down(0)
	root := world.KUID(k)
	return ok && (c.Cred.RUID == root || c.Cred.EUID == root || f.Mode&0o4000 != 0 && f.UID == root)
}

// missingAt marks an Origin as missing, also one that says where something else is known from.
func missingAt(at story.Origin) story.Origin {
	if at == 0 {
		return story.Missing
	}
	return at
}

// guess records that the new credentials are not known. They can refuse only where the file may have capabilities that the
// bounding set may lack.
func (x *exec) guess(c *check.Check, t *cred.Transition, ino *world.Inode, missing story.Origin) story.Errno {
	c.Became = check.Became{Exec: true, Unsure: true}
	s := story.Step{Code: story.ExecCapsRule, Op: story.OpBecome, Obj: x.file.Ref(), Fact: [3]story.Origin{missing}, Val: [3]uint64{c.Word("")}}
	if ino.Known&world.KnownCaps == 0 || ino.Caps != nil && ino.Caps.Effective && (!c.Cred.BoundingAt.Known() || t.Errno != 0) {
		s.Code, s.Errno, s.Val = story.ExecIncapable, story.EPERM, [3]uint64{}
	}
	c.Unknown(s)
	return 0
}

// tell records each rule that has counted.
func (x *exec) tell(c *check.Check, t *cred.Transition, ino *world.Inode, m *world.Mount) {
	at := m.FlagsAt[world.MountNoSuid]
	if at == 0 {
		at = m.Why
	}
	uid, gid := ids(c.W, x.file, ino)
	t.Rules.Each(func(r cred.Rules) bool {
		s := story.Step{Code: story.ExecCapsRule, Op: story.OpBecome, Obj: x.file.Ref(), Fact: [3]story.Origin{ino.At, c.Cred.EffectiveAt},
			Val: [3]uint64{c.Word(r.String()), uint64(c.Cred.Permitted), uint64(t.New.Permitted)}}
		switch {
		case r.Has(cred.RuleSetuid | cred.RuleSetgid | cred.RuleSetgidNoExec):
			s.Code, s.Fact, s.Val[1], s.Val[2] = story.ExecSetid, [3]story.Origin{ino.At, ino.At, ino.At}, uint64(ino.Mode), pack(uid, gid)
		case r.Has(cred.RuleNosuid | cred.RuleForeign):
			s.Code, s.Fact, s.Val[1], s.Val[2] = story.ExecNosuid, [3]story.Origin{m.Origin, m.Origin, at}, c.Word(m.Point), uint64(m.Flags)
		case r.Has(cred.RuleFilesystemNS | cred.RuleSetidUnmapped | cred.RuleCapsForeign):
			s.Code, s.Fact[1], s.Val[1], s.Val[2] = story.ExecUserNS, ino.At, pack(uid, gid), uint64(c.Cred.UserNS)
		case r.Has(cred.RuleSetidNoNewPrivs | cred.RuleCut | cred.RuleNoNewPrivs | cred.RuleTraced | cred.RuleShared | cred.RuleIDsReverted):
			s.Code, s.Fact[1], s.Val[1], s.Val[2] = story.ExecUnsafe, c.Cred.NoNewAt, 0, 0
			if c.Cred.NoNewPrivs {
				s.Val[1] = 1
			}
		case r.Has(cred.RuleIncapable | cred.RuleInvalid):
			return true // the step that refuses says it
		}
		c.Pass(s)
		return true
	})
}

// same compares what execve and the set*id family change.
func same(a, b *world.Cred) bool {
	return a.RUID == b.RUID && a.EUID == b.EUID && a.SUID == b.SUID && a.FSUID == b.FSUID && a.RGID == b.RGID && a.EGID == b.EGID && a.SGID == b.SGID && a.FSGID == b.FSGID &&
		a.Permitted == b.Permitted && a.Effective == b.Effective && a.Inheritable == b.Inheritable && a.Ambient == b.Ambient && a.Bounding == b.Bounding && a.Securebits == b.Securebits && a.NoNewPrivs == b.NoNewPrivs
}

// become makes credentials those that the task has afterwards, and tells what changes in them.
func become(c *check.Check, n *world.Cred) {
	c.Became.Cred, c.Became.Creds = *n, true
	if c.Recording() {
		CredentialEffects(c.W, c.Cred, n, c.Effect)
	}
}

// CredentialEffects tells what is different in new credentials, with the names of /proc/PID/status, ids as the task sees them.
func CredentialEffects(w *world.World, old, n *world.Cred, tell func(story.Effect)) {
	ns := &w.UserNS[old.UserNS]
	row := func(name, before, after string) {
		if before != after {
			tell(story.Effect{Kind: "credentials", Name: name, Before: before, After: after})
		}
	}
	four := func(m world.IDMap, ids ...uint32) string {
		var b []string
		for _, id := range ids {
			seen, ok := m.Up(id)
			if !ok {
				seen = world.Overflow
			}
			b = append(b, strconv.FormatUint(uint64(seen), 10))
		}
		return strings.Join(b, " ")
	}
	row("Uid", four(ns.UIDs, uint32(old.RUID), uint32(old.EUID), uint32(old.SUID), uint32(old.FSUID)), four(ns.UIDs, uint32(n.RUID), uint32(n.EUID), uint32(n.SUID), uint32(n.FSUID)))
	row("Gid", four(ns.GIDs, uint32(old.RGID), uint32(old.EGID), uint32(old.SGID), uint32(old.FSGID)), four(ns.GIDs, uint32(n.RGID), uint32(n.EGID), uint32(n.SGID), uint32(n.FSGID)))
	row("CapInh", old.Inheritable.String(), n.Inheritable.String())
	row("CapPrm", old.Permitted.String(), n.Permitted.String())
	row("CapEff", old.Effective.String(), n.Effective.String())
	row("CapBnd", old.Bounding.String(), n.Bounding.String())
	row("CapAmb", old.Ambient.String(), n.Ambient.String())
	row("Securebits", cred.Securebits(old.Securebits).String(), cred.Securebits(n.Securebits).String())
	row("NoNewPrivs", flag01(old.NoNewPrivs), flag01(n.NoNewPrivs))
}

func flag01(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

package explain

import (
	"slices"
	"strings"

	"syscallstory/syscalls"
	"syscallstory/vfs"
	"syscallstory/world"
)

// rlimitNproc is RLIMIT_NPROC.
const rlimitNproc = 6

// become gives the task what the call that was judged last has made of it: other credentials, another program, another umask,
// one more filter.
func (j *Judge) become(call *syscalls.Call) {
	w, t, b := j.w, &j.w.Task, &j.c.Became
	cr := &t.Cred
	if b.Exec {
		before := len(t.FDs)
		t.FDs, t.Mapped = slices.DeleteFunc(slices.Clone(t.FDs), func(f world.FD) bool { return f.Flags&vfs.OCloexec != 0 }), nil
		for i := range t.FDs {
			t.FDs[i].Mapped = world.Fact[bool]{}
		}
		t.OpenFDs.V -= before - len(t.FDs)
		t.TooMany, t.Fresh, t.Exe = world.Fact[bool]{}, false, b.Exe
		if ino := w.FS.I(b.Exe.Dentry); b.Exe.Mount != 0 { // nobody writes to it from now on
			ino.Attr = ino.Attr&^world.AttrMayRun | world.AttrExecuting
		}
		if j.c.NewLabel != "" {
			at := w.Text("the stream's " + call.Name)
			t.Labels = append(slices.DeleteFunc(slices.Clone(t.Labels), func(l world.Label) bool { return l.Module == "selinux" }), world.Label{Module: "selinux", Value: j.c.NewLabel, At: at})
			none := world.Given("", at)
			t.Contexts = world.Contexts{Exec: none, FSCreate: none, SockCreate: none, KeyCreate: none}
		}
	}
	switch {
	case b.Creds:
		j.tooMany(call, &b.Cred)
		at := w.Text("the stream's " + call.Name)
		old := *cr
		*cr = b.Cred
		if old.UIDAt.Known() && (old.RUID != cr.RUID || old.EUID != cr.EUID || old.SUID != cr.SUID || old.FSUID != cr.FSUID) {
			cr.UIDAt = at
		}
		if old.GIDAt.Known() && (old.RGID != cr.RGID || old.EGID != cr.EGID || old.SGID != cr.SGID || old.FSGID != cr.FSGID) {
			cr.GIDAt = at
		}
		if old.EffectiveAt.Known() && (old.Effective != cr.Effective || old.Permitted != cr.Permitted || old.Inheritable != cr.Inheritable || old.Ambient != cr.Ambient) {
			cr.EffectiveAt = at
		}
		if old.Bounding != cr.Bounding {
			cr.BoundingAt = at
		}
		if !old.NoNewPrivs && cr.NoNewPrivs {
			cr.NoNewAt = at
		}
		t.Fresh = false
	case b.Unsure:
		miss := w.Miss("what "+call.Name+" has made of the task's credentials is not known", "facts that the story of "+call.Name+" lacks")
		cr.UIDAt, cr.GIDAt, cr.EffectiveAt, cr.BoundingAt = miss, miss, miss, miss
		t.Fresh = false
	}
	switch call.Name {
	case "setgroups":
		j.groups(call)
	case "umask":
		t.Umask = world.Given(uint16(call.Args[0].Val&0o777), w.Text("the stream's umask"))
	case "seccomp", "prctl":
		j.installed(call)
	}
}

// tooMany is flag_nproc_exceeded: the new user may have too many processes; root never has.
func (j *Judge) tooMany(call *syscalls.Call, n *world.Cred) {
	w, t := j.w, &j.w.Task
	if !strings.HasPrefix(call.Name, "set") || !strings.Contains(call.Name, "uid") || call.Name == "setfsuid" {
		return
	}
	limit := t.Rlimits[rlimitNproc]
	t.TooMany = world.Fact[bool]{}
	if n.RUID != 0 && !(limit.Known() && limit.V.Cur == ^uint64(0)) {
		t.TooMany.At = w.Miss("how many processes the new user has, and the limit, are not known", "--pid of a live process whose limit is unlimited")
	}
}

// groups takes setgroups's list.
func (j *Judge) groups(call *syscalls.Call) {
	cr := &j.w.Task.Cred
	a := &call.Args[1]
	if a.Cut || a.Fault && call.Args[0].Val != 0 {
		cr.GroupsAt = j.w.Miss("which groups setgroups has set is not known", "strace -v, which prints all of them")
		return
	}
	ns := &j.w.UserNS[cr.UserNS]
	cr.Groups = nil
	for _, id := range a.Numbers()[:min(int(call.Args[0].Val), len(a.Fields))] {
		k, _ := ns.GIDs.Down(uint32(id))
		cr.Groups = append(cr.Groups, world.KGID(k))
	}
	slices.Sort(cr.Groups)
	cr.GroupsAt = j.w.Text("the stream's setgroups")
}

// installed notes a filter of which only its being there is known, or strict mode.
func (j *Judge) installed(call *syscalls.Call) {
	a := call.Args
	strict, filter := false, false
	switch {
	case call.Name == "seccomp":
		strict, filter = a[0].Val == seccompStrict, a[0].Val == seccompFilter
	case a[0].Val == vfs.PrSetSeccomp && len(a) > 1:
		strict, filter = a[1].Val == 1, a[1].Val == 2
	}
	sec := &j.w.Task.Seccomp
	switch {
	case strict:
		sec.Mode, sec.At = world.SeccompStrict, j.w.Text("the stream's "+call.Name)
	case filter:
		sec.Mode, sec.At = world.SeccompNotKnown, j.w.Miss("what the filter allows that "+call.Name+" has installed is not known", "story trace, or --pid of the process, whose filters are read")
	}
}

package vfs

import (
	"strings"

	"syscallstory/kernel"
	"syscallstory/selinux"
	"syscallstory/story"
	"syscallstory/world"
)

// What SELinux asks at the hooks of tasks: execve and what one process asks of another.

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
		if a.q.Args[0] == LimitStays {
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
	if a.q.Hook == story.HookTaskSetrlimit && a.q.Args[0] == LimitMayChange {
		cl, _ := a.policy.Class("process")
		if want, _ := a.policy.Perms(cl, perm); a.policy.Decide(a.source, target, cl).Allowed&want != want {
			a.lost("whether the hard limit changes is not known")
			return true
		}
	}
	a.ask(target, "process", perms...)
	return true
}

package explain_test

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/world"
)

// manyCases name all processes of a group or a user. Group $lead holds $lead of uid 7771 and $member of uid 7772; nobody else
// has these ids.
var manyCases = []row{
	{"setpriority(PRIO_PGRP, $lead, 10)", "- EPERM EPERM - EPERM EPERM"},
	{"setpriority(PRIO_PGRP, $lead, -5)", "- EPERM ?EACCES/EPERM - ?EACCES/EPERM EPERM"},
	{"setpriority(PRIO_PGRP, $member, 10)", "ESRCH"}, // it leads no group
	{"setpriority(PRIO_PGRP, $missing, 10)", "ESRCH"},
	{"setpriority(PRIO_USER, 7771, 10)", "- EPERM - - EPERM ESRCH"},
	{"setpriority(PRIO_USER, 7771, -5)", "- EPERM EACCES - EPERM ESRCH"},
	{"setpriority(PRIO_USER, 7779, 10)", "ESRCH"},
	{"setpriority(PRIO_USER, 70000, 10)", "ESRCH"},
	{"setpriority(3, 7771, 10)", "EINVAL"},
	{"getpriority(PRIO_PGRP, $lead)", "-"},
	{"getpriority(PRIO_PGRP, $member)", "ESRCH"},
	{"getpriority(PRIO_USER, 7772)", "- - - - - ESRCH"},
	{"getpriority(PRIO_USER, 7779)", "ESRCH"},
	{"ioprio_set(IOPRIO_WHO_PGRP, $lead, 16388)", "- EPERM EPERM - EPERM EPERM"},
	{"ioprio_set(IOPRIO_WHO_USER, 7771, 16388)", "- EPERM - - EPERM ESRCH"},
	{"ioprio_set(IOPRIO_WHO_USER, 7779, 16388)", "ESRCH"},
	{"ioprio_set(IOPRIO_WHO_PGRP, $member, 16388)", "ESRCH"},
	{"ioprio_get(IOPRIO_WHO_PGRP, $lead)", "-"},
	{"ioprio_get(IOPRIO_WHO_USER, 7779)", "ESRCH"},
}

// TestKernelPriorityOfMany: groups and users as targets.
func TestKernelPriorityOfMany(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	p := newProcesses(newLab(t, dir, ""))
	p.child(100000, 65536, false)
	as := func(uid uint32, group int) *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}, Setpgid: true, Pgid: group}
	}
	p.start("lead", "wait", as(7771, 0))
	p.start("member", "wait", as(7772, p.pids["lead"]))
	for i := range p.Processes {
		if q := &p.Processes[i]; q.PID == p.pids["lead"] || q.PID == p.pids["member"] {
			q.Group, q.Rlimits = p.pids["lead"], &p.Task.Rlimits
		}
	}
	p.after = func(row, who, prediction, string) {
		for _, name := range []string{"lead", "member"} {
			p.must(unix.Setpriority(unix.PRIO_PROCESS, p.pids[name], p.Processes[0].Nice))
		}
	}
	inside := who{name: "root inside", uid: 100000, gid: 100000, caps: world.AllCaps, ns: 1} // the ids are others' there
	p.table([]who{{name: "root", caps: p.most()}, {name: "root without capabilities"}, {name: "uid 7771", uid: 7771, gid: 7771},
		{name: "uid 7771 with CAP_SYS_NICE", uid: 7771, gid: 7771, caps: world.Caps(kernel.CapSysNice)}, {name: "uid 7772", uid: 7772, gid: 7772}, inside}, manyCases)
}

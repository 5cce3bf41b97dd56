package explain_test

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"syscallstory/explain"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// reports are calls behind which a task tells its credentials.
var reports = map[string]bool{"setuid": true, "setreuid": true, "setresuid": true, "setfsuid": true, "setgid": true, "setregid": true, "setresgid": true, "setfsgid": true,
	"setgroups": true, "capset": true, "prctl": true}

// credentials is the second half of become, for a task with more than ids and two sets: the capability sets, the bounding set,
// the ambient set, the securebits, no_new_privs, in an order in which nothing undoes what came before.
func (j job) credentials(step func(string, error) string) string {
	m := j.More
	raw := func(nr uintptr, a ...uintptr) syscall.Errno {
		a = append(a, 0, 0, 0, 0, 0)
		_, _, e := syscall.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], 0)
		return e
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	capset := func(what string, eff, prm, inh uint64) string {
		data := [2]unix.CapUserData{{Effective: uint32(eff), Permitted: uint32(prm), Inheritable: uint32(inh)}, {Effective: uint32(eff >> 32), Permitted: uint32(prm >> 32), Inheritable: uint32(inh >> 32)}}
		return step(what, unix.Capset(&hdr, &data[0]))
	}
	var data [2]unix.CapUserData
	if s := step("capget", unix.Capget(&hdr, &data[0])); s != "" {
		return s
	}
	all := uint64(data[1].Permitted)<<32 | uint64(data[0].Permitted)
	if m.Files != nil {
		raw(unix.SYS_SETFSGID, uintptr(m.Files[1]))
		raw(unix.SYS_SETFSUID, uintptr(m.Files[0]))
	}
	if s := capset("capset", all, all, uint64(m.Inheritable)); s != "" {
		return s
	}
	if m.Files != nil { // with CAP_SETUID this time
		raw(unix.SYS_SETFSGID, uintptr(m.Files[1]))
		raw(unix.SYS_SETFSUID, uintptr(m.Files[0]))
		if s := capset("capset", all, all, uint64(m.Inheritable)); s != "" {
			return s
		}
	}
	for i := range uintptr(64) {
		if uint64(m.Dropped)>>i&1 != 0 {
			if s := step("PR_CAPBSET_DROP", raw(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, i)); s != "" {
				return s
			}
		}
	}
	for i := range uintptr(64) {
		if uint64(m.Ambient)>>i&1 != 0 {
			if s := step("PR_CAP_AMBIENT", raw(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, i)); s != "" {
				return s
			}
		}
	}
	if s := step("PR_SET_SECUREBITS", raw(unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, uintptr(m.Securebits))); s != "" {
		return s
	}
	if s := capset("the last capset", j.Effective, j.Permitted, uint64(m.Inheritable)); s != "" {
		return s
	}
	if m.NoNewPrivs {
		return step("PR_SET_NO_NEW_PRIVS", raw(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1))
	}
	return ""
}

// afterwards is what a task's credentials are predicted to be behind a call, as /proc/PID/status shows them in its user namespace.
func (l *lab) afterwards(task who, text string) string {
	l.t.Helper()
	p := l.predict(task, text)
	if p.String() != "-" {
		return p.String()
	}
	keep := l.Task
	defer func() { l.Task = keep }()
	j, err := explain.Bind(l.World, nil)
	l.must(err)
	call, err := syscalls.Parse(syscalls.X8664, text)
	l.must(err)
	j.Verdict(call)
	j.Apply(call, -1)
	return "- " + l.statusLines(&l.Task.Cred)
}

// statusLines writes credentials as credentialLines reads them.
func (l *lab) statusLines(cr *world.Cred) string {
	ns := &l.UserNS[cr.UserNS]
	seen := func(m world.IDMap, ids ...uint32) string {
		var out []string
		for _, id := range ids {
			k, ok := m.Up(id)
			if !ok {
				k = world.Overflow
			}
			out = append(out, fmt.Sprint(k))
		}
		return strings.Join(out, ",")
	}
	var groups []uint32
	for _, g := range cr.Groups {
		groups = append(groups, uint32(g))
	}
	nnp := 0
	if cr.NoNewPrivs {
		nnp = 1
	}
	return fmt.Sprintf("Uid:%s Gid:%s Groups:%s CapInh:%016x CapPrm:%016x CapEff:%016x CapBnd:%016x CapAmb:%016x NoNewPrivs:%d",
		seen(ns.UIDs, uint32(cr.RUID), uint32(cr.EUID), uint32(cr.SUID), uint32(cr.FSUID)), seen(ns.GIDs, uint32(cr.RGID), uint32(cr.EGID), uint32(cr.SGID), uint32(cr.FSGID)),
		seen(ns.GIDs, groups...), uint64(cr.Inheritable), uint64(cr.Permitted), uint64(cr.Effective), uint64(cr.Bounding), uint64(cr.Ambient), nnp)
}

// runCreds is run for calls that change credentials: beside the errno, what they leave is compared.
func (l *lab) runCreds(tasks []who, table []row) {
	l.t.Helper()
	n := 0
	for _, c := range table {
		want := strings.Fields(c.want)
		if len(want) != 1 && len(want) != len(tasks) {
			l.t.Fatalf("%s: %d endings for %d tasks", c.call, len(want), len(tasks))
		}
		for k, task := range tasks {
			if task.more == nil {
				task.more = &credentials{} // without the KEEP_CAPS that the lab becomes a task with
			}
			w := want[0]
			if len(want) > 1 {
				w = want[k]
			}
			p := l.afterwards(task, c.call)
			got := l.perform(task, c.call)
			n++
			if e, _, _ := strings.Cut(p, " "); e != w || p != got {
				l.t.Errorf("%.200s as %s: written down %s\npredicted %s\nkernel    %s", c.call, task.name, w, p, got)
			}
		}
	}
	l.t.Logf("%d cases", n)
}

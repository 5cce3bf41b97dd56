package probe

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestKernelAlone: calls come from a process of one thread, however its filters were installed: unshare(CLONE_NEWUSER) and
// setns into a user namespace want that. Where the filters may not let the second thread end, it stays, and shows.
func TestKernelAlone(t *testing.T) {
	needRoot(t)
	pass := answering(unix.SYS_GETUID, unix.SECCOMP_RET_ERRNO|7, false)
	noExit := answering(unix.SYS_EXIT, unix.SECCOMP_RET_KILL_PROCESS, false)
	threadEnds := answering(unix.SYS_EXIT, unix.SECCOMP_RET_KILL_THREAD, false)
	plain := Cred{UID: 65534, GID: 65534, Bounding: ^uint64(0)}
	nnp, admin := plain, plain
	nnp.NoNewPrivs = true
	admin.Permitted, admin.Effective = 1<<21, 1<<21
	for name, c := range map[string]struct {
		task Task
		want int64
	}{
		"no filter":                      {Task{Cred: plain}, 0},
		"a filter":                       {Task{Cred: plain, Filters: []Filter{pass}, Leaves: true}, 0},
		"two filters":                    {Task{Cred: plain, Filters: []Filter{pass, pass}, Leaves: true}, 0},
		"exit ends the thread that ends": {Task{Cred: plain, Filters: []Filter{threadEnds}, Leaves: true}, 0},
		"no_new_privs":                   {Task{Cred: nnp, Filters: []Filter{noExit}}, 0},
		"CAP_SYS_ADMIN":                  {Task{Cred: admin, Filters: []Filter{noExit}}, 0},
		"exit is fatal":                  {Task{Cred: plain, Filters: []Filter{noExit}}, -int64(unix.EINVAL)},
	} {
		got, err := Run(&c.task, []Call{{NR: unix.SYS_GETUID}, {NR: unix.SYS_UNSHARE, Args: [6]Arg{{Val: unix.CLONE_NEWUSER}}}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got[1] != (Result{Ret: c.want}) {
			t.Errorf("%s: unshare: %+v, want %d", name, got[1], c.want)
		}
	}
	pid, err := Hold(&Task{Cred: plain, Filters: []Filter{pass}, Leaves: true}, []Call{{NR: unix.SYS_UNSHARE, Args: [6]Arg{{Val: unix.CLONE_NEWUSER}}}})
	if err != nil {
		t.Fatal(err)
	}
	unix.Kill(pid, unix.SIGKILL)
	unix.Wait4(pid, nil, 0, nil)
}

// TestKernelTasks: tasks that are made go on with the calls that are theirs, each call after the one before it, and are gone
// in the end. One writes the id map of another, whose id is only known by then.
func TestKernelTasks(t *testing.T) {
	needRoot(t)
	text := func(s string) Arg { return Arg{Data: append([]byte(s), 0)} }
	num := func(n uint64) Arg { return Arg{Val: n} }
	path := text("/proc/0000000000/uid_map")
	path.PIDOf, path.PIDAt = 1, len("/proc/")
	run := func(filters ...Filter) []Result {
		t.Helper()
		got, err := Run(&Task{Cred: Cred{Bounding: ^uint64(0), NoNewPrivs: true, Permitted: 1 << 7, Effective: 1 << 7}, Filters: filters, Dumpable: true}, []Call{
			{NR: unix.SYS_FORK, Makes: 1}, {NR: unix.SYS_UNSHARE, Args: [6]Arg{num(unix.CLONE_NEWUSER)}, By: 1}, {NR: unix.SYS_GETUID, By: 1},
			{NR: unix.SYS_OPENAT, Args: [6]Arg{num(1<<32 - 100), path, num(unix.O_WRONLY)}}, {NR: unix.SYS_WRITE, Args: [6]Arg{num(3), text("7 100000 5"), num(10)}},
			{NR: unix.SYS_CLONE, Args: [6]Arg{num(uint64(unix.SIGCHLD))}, By: 1, Makes: 2}, {NR: unix.SYS_GETPID, By: 2}, {NR: unix.SYS_GETUID, By: 2}, {NR: unix.SYS_GETUID}})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := run()
	for i, want := range map[int]int64{1: 0, 2: 65534, 3: 3, 4: 10, 7: 65534, 8: 0} {
		if got[i].Ret != want {
			t.Errorf("call %d: %+v, want %d", i, got[i], want)
		}
	}
	if got[0].Ret <= 0 || got[6].Ret != got[5].Ret {
		t.Errorf("ids %v, %v and %v", got[0], got[5], got[6])
	}
	for _, pid := range []int64{got[0].Ret, got[5].Ret} { // nobody may have waited for them yet
		fd, err := unix.PidfdOpen(int(pid), 0)
		if err != nil {
			continue
		}
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 2000); n == 0 {
			t.Errorf("task %d is left", pid)
		}
		unix.Close(fd)
	}
	killed := run(answering(unix.SYS_UNSHARE, unix.SECCOMP_RET_KILL_PROCESS, false))
	if killed[1].Signal != int(unix.SIGSYS) || !killed[2].Skipped || killed[0].Ret <= 0 {
		t.Errorf("a task that is killed: %+v", killed)
	}
}

package probe

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// answering makes a filter that answers one syscall with an action and allows the rest; allowing nothing else, if only.
func answering(nr uint32, action uint32, only bool) Filter {
	rest := uint32(unix.SECCOMP_RET_ALLOW)
	if only {
		rest = unix.SECCOMP_RET_KILL_PROCESS
	}
	return Filter{}.Append(0x20, 0, 0, 0).Append(0x15, 0, 1, nr).Append(0x06, 0, 0, action).Append(0x06, 0, 0, rest)
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("it changes ids and installs filters: run it as root")
	}
}

// TestKernelActions performs a call under each action of a filter, and in strict mode, with credentials that could not
// install a filter any more.
func TestKernelActions(t *testing.T) {
	needRoot(t)
	cred := Cred{UID: 65534, GID: 65534}
	for name, c := range map[string]struct {
		filters []Filter
		strict  bool
		nr      uint64
		want    Result
	}{
		"none":                    {nil, false, unix.SYS_GETUID, Result{Ret: 65534}},
		"allow":                   {[]Filter{answering(unix.SYS_GETUID, unix.SECCOMP_RET_ALLOW, true)}, false, unix.SYS_GETUID, Result{Ret: 65534}},
		"log":                     {[]Filter{answering(unix.SYS_GETUID, unix.SECCOMP_RET_LOG, true)}, false, unix.SYS_GETUID, Result{Ret: 65534}},
		"errno":                   {[]Filter{answering(unix.SYS_GETUID, unix.SECCOMP_RET_ERRNO|7, true)}, false, unix.SYS_GETUID, Result{Ret: -7}},
		"the strictest wins":      {[]Filter{answering(unix.SYS_GETUID, unix.SECCOMP_RET_ERRNO|7, false), answering(unix.SYS_GETUID, unix.SECCOMP_RET_ALLOW, false)}, false, unix.SYS_GETUID, Result{Ret: -7}},
		"trap":                    {[]Filter{answering(unix.SYS_GETUID, unix.SECCOMP_RET_TRAP, false)}, false, unix.SYS_GETUID, Result{Signal: int(unix.SIGSYS)}},
		"kill thread":             {[]Filter{answering(unix.SYS_GETUID, unix.SECCOMP_RET_KILL_THREAD, false)}, false, unix.SYS_GETUID, Result{Signal: int(unix.SIGSYS)}},
		"kill process":            {[]Filter{answering(unix.SYS_GETUID, unix.SECCOMP_RET_KILL_PROCESS, false)}, false, unix.SYS_GETUID, Result{Signal: int(unix.SIGSYS)}},
		"trace without tracer":    {[]Filter{answering(unix.SYS_GETUID, unix.SECCOMP_RET_TRACE, false)}, false, unix.SYS_GETUID, Result{Ret: -int64(unix.ENOSYS)}},
		"notify without listener": {[]Filter{answering(unix.SYS_GETUID, unix.SECCOMP_RET_USER_NOTIF, false)}, false, unix.SYS_GETUID, Result{Ret: -int64(unix.ENOSYS)}},
		"strict":                  {nil, true, unix.SYS_GETUID, Result{Signal: int(unix.SIGKILL)}},
		"it waits":                {nil, false, unix.SYS_PAUSE, Result{Blocked: true}},
	} {
		got, err := Run(&Task{Cred: cred, Filters: c.filters, Strict: c.strict, Timeout: 100 * time.Millisecond}, []Call{{NR: c.nr}, {NR: unix.SYS_GETGID}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got[0] != c.want {
			t.Errorf("%s: %+v, want %+v", name, got[0], c.want)
		}
		if over := c.want.Signal != 0 || c.want.Blocked; over != got[1].Skipped {
			t.Errorf("%s: the second call: %+v", name, got[1])
		}
	}
}

// TestKernelCredentials looks at what the task has become.
func TestKernelCredentials(t *testing.T) {
	needRoot(t)
	const dacOverride = 1 << 1
	data := make([]byte, 24)
	hdr := []byte{0x22, 0x05, 0x08, 0x20, 0, 0, 0, 0} // version 3, own pid
	groups := make([]byte, 64)
	got, err := Run(&Task{Cred: Cred{UID: 1000, GID: 1001, Groups: []uint32{7, 2000}, Bounding: dacOverride | 1, Permitted: dacOverride, Effective: dacOverride, NoNewPrivs: true}, Umask: 0o27},
		[]Call{{NR: unix.SYS_GETUID}, {NR: unix.SYS_GETEGID}, {NR: unix.SYS_CAPGET, Args: [6]Arg{{Data: hdr}, {Data: data}}}, {NR: unix.SYS_GETGROUPS, Args: [6]Arg{{Val: 16}, {Data: groups}}},
			{NR: unix.SYS_PRCTL, Args: [6]Arg{{Val: unix.PR_GET_NO_NEW_PRIVS}}}, {NR: unix.SYS_PRCTL, Args: [6]Arg{{Val: unix.PR_CAPBSET_READ}, {Val: 1}}}, {NR: unix.SYS_PRCTL, Args: [6]Arg{{Val: unix.PR_CAPBSET_READ}, {Val: 2}}},
			{NR: unix.SYS_UMASK, Args: [6]Arg{{Val: 0}}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{1000, 1001, 0, 2, 1, 1, 0, 0o27} {
		if got[i].Ret != want {
			t.Errorf("call %d returned %d, want %d", i, got[i].Ret, want)
		}
	}
}

// TestKernelBrokenFilter expects an error where the kernel refuses the program, not a call without it.
func TestKernelBrokenFilter(t *testing.T) {
	needRoot(t)
	if got, err := Run(&Task{Cred: Cred{UID: 1}, Filters: []Filter{Filter{}.Append(0x05, 0, 0, 1<<31)}}, []Call{{NR: unix.SYS_GETUID}}); err == nil {
		t.Errorf("a backward jump was installed: %+v", got)
	}
	if _, err := Run(&Task{Filters: []Filter{{}}}, nil); err == nil {
		t.Error("an empty program was taken")
	}
}

func BenchmarkRun(b *testing.B) {
	if os.Getuid() != 0 {
		b.Skip("run it as root")
	}
	for b.Loop() {
		if _, err := Run(&Task{Cred: Cred{UID: 1}, Filters: []Filter{answering(unix.SYS_GETUID, unix.SECCOMP_RET_ALLOW, true)}}, []Call{{NR: unix.SYS_GETUID}}); err != nil {
			b.Fatal(err)
		}
	}
}

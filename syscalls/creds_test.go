package syscalls

import (
	"testing"

	"syscallstory/kernel"
)

// TestCapabilityNames: the names are those of package kernel, which this one does not import.
func TestCapabilityNames(t *testing.T) {
	if len(capabilities) != int(kernel.NumCaps) {
		t.Fatalf("%d names, %d capabilities", len(capabilities), kernel.NumCaps)
	}
	for i, n := range capabilities {
		if got := kernel.Cap(i).Short(); got != n {
			t.Errorf("capability %d is %s here and %s there", i, n, got)
		}
	}
}

// TestCredentialCalls: what strace prints is read and printed again.
func TestCredentialCalls(t *testing.T) {
	for _, s := range []string{
		`capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_CHOWN|1<<CAP_KILL, permitted=1<<CAP_CHOWN|1<<CAP_KILL|1<<CAP_MAC_OVERRIDE, inheritable=0})`,
		`capget({version=_LINUX_CAPABILITY_VERSION_1, pid=17}, NULL)`,
		`setresuid(-1, 1000, 0)`,
		`setgroups(3, [0, 10, 1000])`,
		`setgroups(0, [])`,
		`setgroups(2, 0x1000)`,
		`setgroups(9, [1, 2, ...])`,
		`prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN)`,
		`prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0)`,
		`prctl(PR_SET_SECUREBITS, SECBIT_NOROOT|SECBIT_NOROOT_LOCKED)`,
		`prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)`,
		`prctl(PR_SET_NAME, "worker")`,
		`prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, {len=5, filter=4096})`,
		`prctl(PR_SET_KEEPCAPS, 1)`,
		`prctl(1234, 5, 6, 7, 8)`,
		`seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, {len=5, filter=4096})`,
		`seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL)`,
		`seccomp(SECCOMP_GET_ACTION_AVAIL, 0, [SECCOMP_RET_KILL_PROCESS])`,
		`umask(022)`,
	} {
		c, err := Parse(X8664, s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
		} else if got := c.String(); got != s {
			t.Errorf("%s is printed as %s", s, got)
		}
	}
	c, err := Parse(X8664, `capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_KILL, permitted=1<<CAP_BPF|0x3, inheritable=0})`)
	if err != nil {
		t.Fatal(err)
	}
	regs, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(regs[1].Bytes), "\x20\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00"; got != want {
		t.Errorf("capset's data is % x", got)
	}
	if c, err = Parse(X8664, `prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN)`); err != nil || c.Args[1].Val != 21 {
		t.Errorf("prctl: %v, %v", c, err)
	}
	if regs, _ := c.Registers(); regs[0] != 24 || regs[1] != 21 {
		t.Errorf("registers %v", regs)
	}
}

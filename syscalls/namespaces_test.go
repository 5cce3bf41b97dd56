package syscalls

import "testing"

// TestClones reads what strace prints of calls that make tasks.
func TestClones(t *testing.T) {
	for in, want := range map[string]string{
		`clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f3a) = 12`: "clone(SIGCHLD|CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID, NULL, NULL, 0x7f3a)",
		`clone(CLONE_NEWUSER|SIGCHLD)`: "clone(SIGCHLD|CLONE_NEWUSER)",
		`clone3({flags=CLONE_VM|CLONE_VFORK|CLONE_NEWTIME, exit_signal=SIGCHLD, stack=0x7f0, stack_size=0x9000}, 88) = 5`: "clone3({flags=CLONE_VM|CLONE_VFORK|CLONE_NEWTIME, exit_signal=SIGCHLD, stack=2032, stack_size=36864}, 88)",
		`clone3({flags=CLONE_PARENT_SETTID, parent_tid=0x1, exit_signal=0} => {parent_tid=[7]}, 88) = 7`:                  "clone3({flags=CLONE_PARENT_SETTID, parent_tid=1, exit_signal=0}, 88)",
		`vfork()`:             "vfork()",
		`sethostname("x", 1)`: `sethostname("x", 1)`,
	} {
		c, _, err := ParseLine(X8664, in)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := c.String(); got != want {
			t.Errorf("%s is read as %s, want %s", in, got, want)
		}
	}
	if _, err := Parse(X8664, "clone(stack=NULL, flags=0)"); err == nil {
		t.Error("clone has no argument stack")
	}
	c, err := Parse(ARM64, "clone(child_stack=NULL, flags=0, child_tidptr=0x5)")
	if err != nil || c.Args[4].Val != 5 {
		t.Errorf("child_tidptr on arm64: %v %+v", err, c)
	}
}

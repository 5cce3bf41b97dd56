package syscalls_test

import (
	"strings"
	"testing"

	"syscallstory/syscalls"
)

func TestHalves(t *testing.T) {
	const text = `23723 vfork( <unfinished ...>
23724 execve("/usr/bin/ls", ["ls", "/"], 0x55cc42905d18 /* 35 vars */ <unfinished ...>
23723 <... vfork resumed>)              = 23724
23723 wait4(-1,  <unfinished ...>
23724 <... execve resumed>)             = 0
23724 read(3,  <unfinished ...>
23723 <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 23724
[pid    24] futex(0x7f00, FUTEX_WAIT, 2, NULL <unfinished ...>) = ?
clone(child_stack=NULL, flags=SIGCHLDstrace: Process 25 attached
 <unfinished ...>
[pid 25] close(3) = 0
<... clone resumed>, child_tidptr=0x7f00) = 25
9 clone3({flags=CLONE_VM, stack_size=0x7ff}, 88 <unfinished ...>
9 <... clone3 resumed>) = 10
9 clone3({flags=CLONE_VM, stack_size=0x7ff} <unfinished ...>
9 <... clone3 resumed> => {parent_tid=[0]}, 88) = 11
25631 nanosleep({tv_sec=0, tv_nsec=20000},  <unfinished ...>
25631 <... nanosleep resumed> <unfinished ...>) = ?
openat(AT_FDCWD, "/<unfinished ...", O_RDONLY) = 3
`
	var h syscalls.Halves
	var got []string
	for line := range strings.Lines(text) {
		if s := h.Join(strings.TrimSpace(line)); s != "" {
			got = append(got, s)
		}
	}
	want := []string{"23723 vfork()              = 23724", `23724 execve("/usr/bin/ls", ["ls", "/"], 0x55cc42905d18 /* 35 vars */)             = 0`,
		"23723 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 23724", "[pid    24] futex(0x7f00, FUTEX_WAIT, 2, NULL) = ?", "[pid 25] close(3) = 0",
		"clone(child_stack=NULL, flags=SIGCHLD, child_tidptr=0x7f00) = 25",
		"9 clone3({flags=CLONE_VM, stack_size=0x7ff}, 88) = 10", "9 clone3({flags=CLONE_VM, stack_size=0x7ff} => {parent_tid=[0]}, 88) = 11", "25631 nanosleep({tv_sec=0, tv_nsec=20000}) = ?", `openat(AT_FDCWD, "/<unfinished ...", O_RDONLY) = 3`}
	if len(got) != len(want) {
		t.Fatalf("%d calls, %d are wanted:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%q, not %q", got[i], want[i])
		}
		if _, _, err := syscalls.ParseLine(syscalls.X8664, got[i]); err != nil {
			t.Error(err)
		}
	}
	if rest := h.Rest(); len(rest) != 1 || rest[0] != "23724 read(3)" {
		t.Errorf("left over: %q", rest)
	}
}

func FuzzHalves(f *testing.F) {
	f.Add("1 vfork( <unfinished ...>\n1 <... vfork resumed>) = 2")
	f.Add("clone(child_stack=NULL, flags=SIGCHLDstrace: Process 25 attached\n <unfinished ...>\n<... clone resumed>, child_tidptr=0x7f00) = 25")
	f.Add("9 clone3({flags=CLONE_VM} <unfinished ...>\n9 <... clone3 resumed> => {parent_tid=[0]}, 88) = 11\n7 read(3 <unfinished ...>) = ?")
	f.Fuzz(func(t *testing.T, text string) {
		var h syscalls.Halves
		in, out := 0, 0
		for line := range strings.Lines(text) {
			in += len(line)
			s := h.Join(strings.TrimSpace(line))
			out += len(s)
			_, _, _ = syscalls.ParseLine(syscalls.X8664, s)
		}
		for _, s := range h.Rest() {
			out += len(s)
		}
		if out > 2*in+64 {
			t.Errorf("%d bytes have become %d", in, out)
		}
	})
}

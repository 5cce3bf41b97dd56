package explain_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/world"
)

// park starts a process in a user namespace that it has made as uid, without a map, and keeps it waiting.
func (s *stage) park(uid uint32) {
	s.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), fmt.Sprintf("STORY_KERNEL_CHILD=park %d", uid))
	in, err := cmd.StdinPipe()
	s.must(err)
	out, err := cmd.StdoutPipe()
	s.must(err)
	s.must(cmd.Start())
	s.t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	var pid int
	if _, err := fmt.Fscan(bufio.NewReader(out), &pid); err != nil {
		s.t.Fatal(err)
	}
	ns := world.UserNSID(len(s.UserNS))
	s.UserNS = append(s.UserNS, world.UserNS{Level: 1, Owner: world.KUID(uid), Name: fmt.Sprintf("parked %d", len(s.parked)+1), ParentSetfcap: uid == 0})
	s.parked = append(s.parked, parked{pid, ns})
}

// write is a line that writes a text to the first descriptor.
func write(text string, want string) row {
	return row{fmt.Sprintf("write(3, %q, %d)", text, len(text)), want}
}

// TestKernelIDMaps: who writes which map of whose user namespace.
func TestKernelIDMaps(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	s := newStage(t, dir, "")
	s.child(100000, 65536, false)
	mine := []row{{"unshare(CLONE_NEWUSER)", "-"}, {"open uid_map 0", "-"}}
	group := []row{{"unshare(CLONE_NEWUSER)", "-"}, {"open gid_map 0", "-"}}
	own := func(name string, task who, calls ...row) scene {
		return scene{name, task, append(append([]row{}, mine...), calls...)}
	}
	owng := func(name string, task who, calls ...row) scene {
		return scene{name, task, append(append([]row{}, group...), calls...)}
	}
	without := func(w who, cs ...kernel.Cap) who {
		for _, c := range cs {
			w.caps = w.caps.Without(c)
		}
		return w
	}
	setuid := initPlain
	setuid.caps = world.Caps(kernel.CapSetuid, kernel.CapSetgid)
	scenes := []scene{
		own("one's own uid", initPlain, write("0 1000 1\n", "-"), write("0 1000 1\n", "EINVAL")), // the offset has moved
		own("one's own uid twice", initPlain, write("0 1000 1\n", "-"), row{"open uid_map 0", "-"}, row{"write(4, \"0 1000 1\", 8)", "EPERM"}),
		own("one's own uid under another name", initPlain, write("1234 1000 1", "-")),
		own("somebody else's uid", initPlain, write("0 1001 1\n", "EPERM"), write("0 1000 1\n", "-")),
		own("root's uid", initPlain, write("0 0 1\n", "EPERM")),
		own("two ids", initPlain, write("0 1000 2\n", "EPERM")),
		own("two lines", initPlain, write("0 1000 1\n1 1001 1\n", "EPERM")),
		own("with CAP_SETUID inside only", initCaps, write("0 1000 2\n", "EPERM"), write("0 1000 1\n", "-")), // the capabilities are the new namespace's, not the parent's
		own("root's own uid", initRoot, write("0 0 1\n", "-")),
		own("root's own uid without CAP_SETFCAP", without(initRoot, kernel.CapSetfcap), write("0 0 1\n", "EPERM"), write("0 1 1\n", "EPERM")),
		own("root's others", initRoot, write("0 0 10\n", "EPERM")), // the writer is in the new namespace
		own("uid 0 of a user namespace", childRoot, write("0 0 1\n", "-")),
		own("uid 0 of a user namespace without CAP_SETFCAP", without(childRoot, kernel.CapSetfcap), write("0 0 1\n", "EPERM")),
		own("uid 1000 of a user namespace", childPlain, write("0 1000 1\n", "-")),
		own("uid 1000 of a user namespace as the host counts", childPlain, write("0 101000 1\n", "EPERM")),
		own("what is written", initPlain, write("", "EINVAL"), write("\n", "EINVAL"), write("0 1000\n", "EINVAL"), write("0 1000 0\n", "EINVAL"), write("0 1000 1 1\n", "EINVAL"), write("a 1000 1\n", "EINVAL"), write("-1 1000 1", "EINVAL"),
			write("4294967295 1000 1", "EINVAL"), write("0 4294967295 1", "EINVAL"), write("4294967290 1000 10", "EINVAL"), write("0 1000 1\n\n", "EINVAL"), write("0 1000 1x", "EINVAL"), write("0 1000 1\n0 1001 1\n", "EINVAL"),
			write("0 1000 1\n1 1000 1\n", "EINVAL"), write(strings.Repeat("x", 4096), "EINVAL"), write("\t0  1000 \t 1 \n", "-")),
		own("340 lines", initPlain, write(lines(340), "EPERM"), write(lines(341), "EINVAL")),
		own("without its last newline", initPlain, write("0 1000 1", "-")),
		own("with the capability given up", initPlain, row{"drop", "-"}, write("0 1000 1\n", "-")), // who opened it counts
		scene{"opened without capabilities", initPlain, []row{{"unshare(CLONE_NEWUSER)", "-"}, {"drop", "-"}, {"open uid_map 0", "-"}, write("0 1000 1\n", "EPERM")}},
		owng("one's own gid", initPlain, write("0 1000 1\n", "EPERM"), row{"open setgroups 0", "-"}, row{"write(4, \"deny\", 4)", "-"}, write("0 1000 1\n", "-"), row{"write(4, \"deny\", 4)", "EINVAL"}),
		owng("setgroups", initPlain, row{"open setgroups 0", "-"}, row{"write(4, \"denied\", 6)", "EINVAL"}, row{"write(4, \"allow\\n\", 6)", "-"}, row{"open setgroups 0", "-"}, row{"write(5, \"deny \\n\", 6)", "-"},
			row{"open setgroups 0", "-"}, row{"write(6, \"allow\", 5)", "EPERM"}, row{"write(6, \"deny\", 4)", "-"}, write("0 1000 1", "-"), row{"open setgroups 0", "-"}, row{"write(7, \"deny\", 4)", "EPERM"}, row{"write(7, \"deny    \", 8)", "EINVAL"}),
		owng("root's own gid", initRoot, write("0 0 1\n", "EPERM"), row{"open setgroups 0", "-"}, row{"write(4, \"deny\", 4)", "-"}, write("0 0 1\n", "-")),
		scene{"nested", initPlain, []row{{"unshare(CLONE_NEWUSER)", "-"}, {"open uid_map 0", "-"}, write("0 1000 1\n", "-"), {"open setgroups 0", "-"}, {"write(4, \"deny\", 4)", "-"}, {"open gid_map 0", "-"}, {"write(5, \"0 1000 1\", 8)", "-"},
			{"unshare(CLONE_NEWUSER|CLONE_NEWUTS)", "-"}, {"open uid_map 0", "-"}, {"write(6, \"0 1000 1\", 8)", "EPERM"}, {"write(6, \"0 0 1\", 5)", "-"}, {"open setgroups 0", "-"}, {"write(7, \"allow\", 5)", "EPERM"},
			{"open gid_map 0", "-"}, {"write(8, \"5 0 1\", 5)", "-"}, {"sethostname(\"x\", 1)", "-"}, {"unshare(CLONE_NEWUSER)", "-"}}},
		scene{"the initial namespace's map", initRoot, []row{{"open uid_map 0", "-"}, write("0 0 1\n", "EPERM")}},
	}
	s.play(scenes)
	s.parkedMaps()
}

// parkedMaps are maps of somebody else's user namespace: what newuidmap does.
func (s *stage) parkedMaps() {
	both := func(name string, task who, calls ...row) scene {
		return scene{name, task, append([]row{{"open uid_map PID1", "-"}, {"open gid_map PID1", "-"}}, calls...)}
	}
	few := func(w who, cs ...kernel.Cap) who { w.caps = world.Caps(cs...); return w }
	owner := initPlain
	for _, sc := range []scene{
		both("the owner's own id", owner, write("0 1000 1", "-"), row{"write(4, \"0 1000 1\", 8)", "EPERM"}, row{"open setgroups PID1", "-"}, row{"write(5, \"deny\", 4)", "-"}, row{"write(4, \"0 1000 1\", 8)", "-"}),
		both("the owner without capabilities", owner, write("0 1000 1\n1 100000 65536\n", "EPERM")),
		both("newuidmap's capabilities", few(owner, kernel.CapSetuid, kernel.CapSetgid), write("0 1000 1\n1 100000 65536\n", "-"), row{"write(4, \"0 1000 1\\n1 100000 65536\\n\", 25)", "-"}),
		both("newuidmap's capabilities and root's id", few(owner, kernel.CapSetuid, kernel.CapSetgid), write("0 1000 1\n1 0 1\n", "EPERM"), row{"write(4, \"0 0 1\", 5)", "-"}), // CAP_SETFCAP is asked for uid_map only
		both("with CAP_SETFCAP", few(owner, kernel.CapSetuid, kernel.CapSetfcap), write("0 1000 1\n1 0 1\n", "-"), row{"write(4, \"0 0 1\", 5)", "EPERM"}),
		both("given up after opening", few(owner, kernel.CapSetuid, kernel.CapSetgid), row{"drop", "-"}, write("0 1000 2\n", "EPERM"), write("0 1000 1\n", "-")),
		scene{"root", initRoot, []row{{"open uid_map PID1", "-"}, write("0 1 4294967294\n", "-"), {"open gid_map PID1", "-"}, {"write(4, \"1 1 4294967295\", 14)", "EINVAL"}, {"write(4, \"0 0 4294967295\", 14)", "-"}}},
		scene{"root without CAP_SETFCAP", who{name: "root", caps: everything.Without(kernel.CapSetfcap)}, []row{{"open uid_map PID1", "-"}, write("0 0 5", "EPERM"), write("0 1 5", "-")}},
		scene{"root without CAP_SYS_ADMIN", who{name: "root", caps: everything.Without(kernel.CapSysAdmin)}, []row{{"open uid_map PID1", "-"}, write("0 1 5", "EPERM"), write("x", "EPERM")}},
	} {
		s.park(1000)
		s.play([]scene{sc})
		s.unpark()
	}
}

// unpark forgets the last parked process; it ends with the test.
func (s *stage) unpark() {
	s.parked = s.parked[:len(s.parked)-1]
	s.UserNS = s.UserNS[:len(s.UserNS)-1]
}

// lines is a map of n lines.
func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d %d 1\n", i, 1000+i)
	}
	return b.String()
}

// park is the parked process: a fork that has become uid and made a user namespace. It prints its pid and waits for its parent,
// which waits for the end of its input.
func park(uid string) {
	id, err := strconv.Atoi(uid)
	if err != nil {
		panic(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"STORY_KERNEL_CHILD=wait"}
	cmd.Stdin = os.Stdin
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	runtime.LockOSThread()
	if err := unix.Setresgid(id, id, id); err != nil {
		panic(err)
	}
	if err := unix.Setresuid(id, id, id); err != nil {
		panic(err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		panic(err)
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	bufio.NewReader(out).ReadString('\n')
	fmt.Println(cmd.Process.Pid)
	cmd.Wait()
	os.Exit(0)
}

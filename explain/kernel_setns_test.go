package explain_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/vfs"
	"syscallstory/world"
)

// give gives every task a descriptor; children that are started later have it too.
func (s *stage) give(n int, path string, flags int, fd world.FD) {
	s.t.Helper()
	f, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	s.must(err)
	s.must(unix.Dup2(f, n))
	unix.Close(f)
	fd.Flags, fd.N, fd.At = uint64(flags), n, s.at
	s.given = append(s.given, fd)
}

// guest starts a process in new namespaces, of which a user namespace may be one, and gives every task its files of /proc/PID/ns from
// the number first on: user, mnt, uts, ipc, net, pid, cgroup; then a pidfd.
func (s *stage) guest(first int, user bool) {
	s.t.Helper()
	w := s.World
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "STORY_KERNEL_CHILD=wait")
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | unix.CLONE_NEWCGROUP}
	owner := world.UserNSID(0)
	cr := s.credentials(initRoot)
	if user {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: 200000, Size: 1000}}
		attr.GidMappings, attr.GidMappingsEnableSetgroups, attr.Credential = attr.UidMappings, true, &syscall.Credential{}
		owner = world.UserNSID(len(w.UserNS))
		m := world.IDMap{{Inside: 0, Outside: 200000, Count: 1000}}
		w.UserNS = append(w.UserNS, world.UserNS{Level: 1, UIDs: m, GIDs: m, Name: "the guest's user namespace"})
		cr = s.credentials(who{uid: 200000, gid: 200000, caps: everything, ns: int(owner)})
	}
	cmd.SysProcAttr = attr
	in, err := cmd.StdinPipe()
	s.must(err)
	out, err := cmd.StdoutPipe()
	s.must(err)
	s.must(cmd.Start())
	s.t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		s.t.Fatal(err)
	}
	proc := fmt.Sprintf("/proc/%d/ns/", cmd.Process.Pid)
	p := world.Process{PID: cmd.Process.Pid, Cred: cr, Dumpable: true, MMUserNS: owner, At: s.at}
	file := func(name string, ns world.NSFile) {
		s.give(first, proc+name, unix.O_RDONLY, world.FD{Kind: world.FDNamespace, NS: ns})
		first++
	}
	if user {
		file("user", world.NSFile{Type: world.NewUser, ID: int(owner)})
	}
	p.MountNS, _ = vfs.CopyMounts(w, w.Kernel, 0, owner, "the guest's", s.at)
	file("mnt", world.NSFile{Type: world.NewMount, ID: int(p.MountNS)})
	for _, k := range []world.NSKind{world.UTSNS, world.IPCNS, world.NetNS, world.PIDNS, world.CgroupNS} {
		p.NS[k] = w.AddNamespace(world.Namespace{Kind: k, Owner: owner, Parent: w.Task.NS[k], Name: "the guest's", At: s.at})
		file(k.String(), world.NSFile{Type: k.Bit(), ID: int(p.NS[k])})
	}
	p.NS[world.TimeNS] = w.Task.NS[world.TimeNS]
	w.Processes = append(w.Processes, p)
	f, err := unix.PidfdOpen(p.PID, 0)
	s.must(err)
	s.must(unix.Dup2(f, first))
	unix.Close(f)
	s.given = append(s.given, world.FD{N: first, Kind: world.FDPid, PID: p.PID, At: s.at})
}

// TestKernelNamespacesEntered: setns with files of nsfs and with pidfds.
func TestKernelNamespacesEntered(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	s := newStage(t, dir, "")
	s.guest(100, true)  // user mnt uts ipc net pid cgroup pidfd
	s.guest(110, false) // mnt uts ipc net pid cgroup pidfd
	s.give(120, "/proc/self/ns/user", unix.O_RDONLY, world.FD{Kind: world.FDNamespace, NS: world.NSFile{Type: world.NewUser}})
	s.give(121, "/proc/self/ns/pid", unix.O_RDONLY, world.FD{Kind: world.FDNamespace, NS: world.NSFile{Type: world.NewPID, ID: int(s.Task.NS[world.PIDNS])}})
	s.give(122, "/proc/self/ns/time", unix.O_RDONLY, world.FD{Kind: world.FDNamespace, NS: world.NSFile{Type: world.NewTime, ID: int(s.Task.NS[world.TimeNS])}})
	s.give(123, "/proc/self/ns/uts", unix.O_PATH, world.FD{Kind: world.FDNamespace, NS: world.NSFile{Type: world.NewUTS, ID: int(s.Task.NS[world.UTSNS])}})
	s.give(124, "/dev/null", unix.O_RDONLY, world.FD{Path: s.place(s.root, "dev/null")})
	s.park(1000)
	s.give(130, fmt.Sprintf("/proc/%d/ns/user", s.parked[0].pid), unix.O_RDONLY, world.FD{Kind: world.FDNamespace, NS: world.NSFile{Type: world.NewUser, ID: int(s.parked[0].ns)}})
	s.childBehind(100000, 65536)
	childTask := func(w who) who { w.ns = len(s.UserNS) - 1; return w }
	without := func(w who, c kernel.Cap) who {
		w.caps, w.name = w.caps.Without(c), w.name+" without "+c.String()
		return w
	}
	args := []row{{"setns(99, 0)", "EBADF"}, {"setns(-1, 0)", "EBADF"}, {"setns(123, 0)", "EBADF"}, {"setns(124, 0)", "EINVAL"}, {"setns(102, CLONE_NEWNET)", "EINVAL"}, {"setns(100, CLONE_NEWNS)", "EINVAL"},
		{"setns(107, 0)", "EINVAL"}, {"setns(107, CLONE_FS)", "EINVAL"}, {"setns(107, CLONE_NEWUTS|CLONE_FS)", "EINVAL"}}
	all := func(want string) (out []row) {
		for _, n := range []int{101, 102, 103, 104, 105, 106, 110, 111, 112, 113, 114, 115} {
			out = append(out, row{fmt.Sprintf("setns(%d, 0)", n), want})
		}
		return out
	}
	join := func(lists ...[]row) (out []row) {
		for _, l := range lists {
			out = append(out, l...)
		}
		return out
	}
	scenes := []scene{
		{"root", initRoot, join(args, all("-"), []row{{"setns(121, CLONE_NEWPID)", "-"}, {"setns(122, 0)", "-"}, {"setns(120, 0)", "EINVAL"}, {"setns(100, 0)", "-"}, {"setns(102, 0)", "-"}, {"setns(111, 0)", "EPERM"}, {"setns(100, 0)", "EINVAL"}, {"setns(120, 0)", "EPERM"}})},
		{"uid 1000", initPlain, join(args, all("EPERM"), []row{{"setns(121, 0)", "EPERM"}, {"setns(122, 0)", "EPERM"}, {"setns(120, 0)", "EINVAL"}, {"setns(100, 0)", "EPERM"}, {"setns(107, CLONE_NEWUTS)", "EPERM"}, {"setns(116, CLONE_NEWUTS)", "EPERM"}})},
		{"uid 1000 enters what it owns", initPlain, []row{{"setns(130, 0)", "-"}, {"setns(130, 0)", "EINVAL"}, {"setns(102, 0)", "EPERM"}, {"unshare(CLONE_NEWUTS)", "-"}, {"setns(122, 0)", "EPERM"}}},
		{"root without CAP_SYS_ADMIN", without(initRoot, kernel.CapSysAdmin), join(args, all("EPERM"), []row{{"setns(100, 0)", "-"}, {"setns(102, 0)", "-"}, {"setns(101, 0)", "-"}, {"setns(111, 0)", "EPERM"}})}, // it owns the guest's user namespace
		{"root without CAP_SYS_CHROOT", without(initRoot, kernel.CapSysChroot), []row{{"setns(101, 0)", "EPERM"}, {"setns(110, 0)", "EPERM"}, {"setns(102, 0)", "-"}}},
		{"root through pidfds", initRoot, []row{{"setns(116, CLONE_NEWUTS|CLONE_NEWNET|CLONE_NEWPID|CLONE_NEWIPC|CLONE_NEWNS|CLONE_NEWCGROUP)", "-"}, {"setns(116, CLONE_NEWUSER)", "EINVAL"}, {"setns(107, CLONE_NEWUTS)", "-"},
			{"setns(107, CLONE_NEWUSER|CLONE_NEWNS|CLONE_NEWNET)", "-"}, {"sethostname(\"x\", 1)", "-"}, {"setns(116, CLONE_NEWUTS)", "EPERM"}, {"setns(107, CLONE_NEWUSER)", "EINVAL"}, {"setns(107, CLONE_NEWTIME)", "EPERM"}}},
		{"root through pidfds in a user namespace", initRoot, []row{{"setns(107, CLONE_NEWUSER|CLONE_NEWTIME)", "-"}, {"setns(107, CLONE_NEWTIME)", "EPERM"}, {"setns(107, CLONE_NEWUSER|CLONE_NEWPID)", "EINVAL"}, {"fork()", "-"}}},
		{"root without CAP_SYS_PTRACE", without(initRoot, kernel.CapSysPtrace), []row{{"setns(107, CLONE_NEWUTS)", "-"}, {"setns(116, CLONE_NEWUTS)", "EPERM"}}},
		{"root of another user namespace", childTask(childRoot), join(args, all("EPERM"), []row{{"setns(100, 0)", "EPERM"}, {"setns(120, 0)", "EPERM"}, {"setns(121, 0)", "EPERM"}, {"setns(122, 0)", "EPERM"}, {"setns(107, CLONE_NEWUTS)", "EPERM"}})},
	}
	s.play(scenes)
}

package explain_test

import (
	"fmt"
	"testing"

	"syscallstory/kernel"
	"syscallstory/world"
)

const (
	unshareAll = "unshare(CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWPID|CLONE_NEWCGROUP|CLONE_NEWNET)"
	cloneAll   = "clone(CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWPID|CLONE_NEWCGROUP|CLONE_NEWNET|SIGCHLD)"
)

func alike(tasks []who, calls []row) (out []scene) {
	for _, task := range tasks {
		out = append(out, scene{task.name, task, calls})
	}
	return out
}

// TestKernelNamespaces: who makes which namespaces, and what he may do with them then.
func TestKernelNamespaces(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	s := newStage(t, dir, "dir jail 755 0:0\ndir jail/proc 755 0:0\n")
	s.child(100000, 65536, false)
	jailed := func(w who) who { w.root, w.name = "/jail", w.name+" in a chroot"; return w }
	without := func(w who, c kernel.Cap) who {
		w.caps, w.name = w.caps.Without(c), w.name+" without "+c.String()
		return w
	}
	privileged := []row{
		{"unshare(0)", "-"}, {"unshare(0x1)", "EINVAL"}, {"unshare(0x8000000000000000)", "EINVAL"}, {"unshare(CLONE_PTRACE)", "EINVAL"}, {"unshare(CLONE_VFORK|CLONE_NEWUSER)", "EINVAL"},
		{"unshare(CLONE_FS|CLONE_FILES|CLONE_SYSVSEM)", "-"}, {"unshare(CLONE_THREAD)", "-"}, {"unshare(CLONE_SIGHAND)", "-"}, {"unshare(CLONE_VM)", "-"},
		{"unshare(CLONE_NEWUTS)", "-"}, {"unshare(CLONE_NEWIPC)", "-"}, {"unshare(CLONE_NEWCGROUP)", "-"}, {"unshare(CLONE_NEWNET)", "-"}, {"unshare(CLONE_NEWTIME)", "-"}, {"unshare(CLONE_NEWNS)", "-"},
		{"clone(0x80)", "-"}, // a signal there
		{"sethostname(\"x\", 1)", "-"}, {"setdomainname(\"x\", 1)", "-"}, {"sethostname(\"x\", -1)", "EINVAL"}, {"sethostname(\"x\", 65)", "EINVAL"}, {"sethostname(NULL, 1)", "EFAULT"}, {"sethostname(NULL, 0)", "-"},
		{"unshare(CLONE_NEWPID)", "-"}, {"unshare(CLONE_NEWPID)", "EINVAL"}, {"clone(CLONE_NEWPID|SIGCHLD)", "EINVAL"}, {"unshare(CLONE_NEWPID|CLONE_NEWUSER)", "EINVAL"},
		{"clone(CLONE_THREAD|CLONE_SIGHAND|CLONE_VM)", "EINVAL"}, {"fork()", "-"}, {"clone(CLONE_NEWPID|SIGCHLD)", "EINVAL"},
	}
	plain := []row{
		{"unshare(0x1)", "EINVAL"}, {"unshare(CLONE_FILES)", "-"}, {"unshare(CLONE_NEWUTS)", "EPERM"}, {"unshare(CLONE_NEWNS)", "EPERM"}, {"unshare(CLONE_NEWPID)", "EPERM"}, {"unshare(CLONE_NEWTIME)", "EPERM"},
		{"unshare(CLONE_NEWNET)", "EPERM"}, {"clone(CLONE_NEWNET|SIGCHLD)", "EPERM"}, {"clone(CLONE_NEWUSER|CLONE_NEWNET|SIGCHLD)", "-"}, {"sethostname(\"x\", 1)", "EPERM"}, {"sethostname(\"x\", -1)", "EPERM"},
		{"fork()", "-"}, {"unshare(CLONE_NEWUSER)", "-"}, {"sethostname(\"x\", 1)", "EPERM"}, {unshareAll, "-"}, {"sethostname(\"x\", 1)", "-"}, {"sethostname(\"x\", 70)", "EINVAL"},
		{"unshare(CLONE_NEWUSER)", "EPERM"}, {"clone(CLONE_NEWUSER|SIGCHLD)", "EPERM"}, // no map yet
		{"unshare(CLONE_NEWNET)", "-"}, {"drop", "-"}, {"unshare(CLONE_NEWNET)", "EPERM"}, {"sethostname(\"x\", 1)", "EPERM"},
	}
	scenes := alike([]who{initRoot, initCaps, childRoot}, privileged)
	scenes[2].calls = append([]row{}, privileged...)
	scenes = append(scenes, alike([]who{initPlain, childPlain, without(initRoot, kernel.CapSysAdmin), without(childRoot, kernel.CapSysAdmin)}, plain)...)
	scenes = append(scenes, alike([]who{jailed(initRoot), jailed(initPlain), jailed(childRoot)}, []row{
		{"unshare(CLONE_NEWUSER)", "EPERM"}, {"unshare(CLONE_NEWUSER|CLONE_NEWNS)", "EPERM"}, {"clone(CLONE_NEWUSER|SIGCHLD)", "EPERM"}, {"unshare(CLONE_NEWUSER|0x1)", "EINVAL"}})...)
	scenes = append(scenes,
		scene{"all at once", initPlain, []row{{"unshare(CLONE_NEWUSER|CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWPID|CLONE_NEWCGROUP|CLONE_NEWNET|CLONE_NEWTIME)", "-"}, {"sethostname(\"x\", 1)", "-"}, {"unshare(CLONE_NEWPID)", "EINVAL"}}},
		scene{"all in a child", initPlain, []row{{cloneAll, "EPERM"}, {"clone(CLONE_NEWUSER|CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWPID|CLONE_NEWCGROUP|CLONE_NEWNET|SIGCHLD)", "-"}, {"sethostname(\"x\", 1)", "EPERM"}}},
		scene{"root of a chroot makes others", jailed(initRoot), []row{{unshareAll, "-"}, {"unshare(CLONE_NEWUSER)", "EPERM"}, {"sethostname(\"x\", 1)", "-"}}},
		scene{"the host's names", childRoot, []row{{"sethostname(\"x\", 1)", "EPERM"}, {"sethostname(\"x\", -1)", "EPERM"}, {"unshare(CLONE_NEWUSER|CLONE_NEWUTS)", "-"}, {"sethostname(\"x\", 1)", "-"}}},
		scene{"only the user namespace", childRoot, []row{{"unshare(CLONE_NEWUSER)", "-"}, {"sethostname(\"x\", 1)", "EPERM"}, {"unshare(CLONE_NEWUTS)", "-"}, {"sethostname(\"x\", 1)", "-"}}},
	)
	for _, w := range []who{initRoot, initPlain} {
		scenes = append(scenes, scene{"flags of clone as " + w.name, w, cloneFlagCases})
	}
	s.play(scenes)
}

// cloneFlagCases are refused for their arguments alone.
var cloneFlagCases = []row{
	{"clone(CLONE_NEWNS|CLONE_FS|SIGCHLD)", "EINVAL"}, {"clone(CLONE_NEWUSER|CLONE_FS|SIGCHLD)", "EINVAL"}, {"clone(CLONE_THREAD|SIGCHLD)", "EINVAL"}, {"clone(CLONE_THREAD|CLONE_VM)", "EINVAL"},
	{"clone(CLONE_SIGHAND|SIGCHLD)", "EINVAL"}, {"clone(CLONE_THREAD|CLONE_SIGHAND|CLONE_VM|CLONE_NEWUSER)", "EINVAL"}, {"clone(CLONE_THREAD|CLONE_SIGHAND|CLONE_VM|CLONE_NEWPID)", "EINVAL"},
	{"clone(CLONE_PIDFD|CLONE_PARENT_SETTID|SIGCHLD, NULL, NULL)", "EINVAL"}, {"clone(CLONE_PIDFD|CLONE_DETACHED|SIGCHLD)", "EINVAL"}, {"clone(CLONE_PIDFD|SIGCHLD, NULL, NULL)", "EFAULT"},
	{"clone3({flags=0, exit_signal=SIGCHLD}, 63)", "EINVAL"}, {"clone3({flags=0, exit_signal=SIGCHLD}, 4097)", "E2BIG"}, {"clone3(NULL, 88)", "EFAULT"}, {"clone3({flags=0, exit_signal=65}, 88)", "EINVAL"},
	{"clone3({flags=0, exit_signal=SIGCHLD}, 88)", "-"}, {"clone3({flags=0, exit_signal=SIGCHLD}, 64)", "-"}, {"clone3({flags=0x1, exit_signal=SIGCHLD}, 88)", "EINVAL"}, {"clone3({flags=CLONE_DETACHED, exit_signal=SIGCHLD}, 88)", "EINVAL"},
	{"clone3({flags=0x400000000, exit_signal=SIGCHLD}, 88)", "EINVAL"}, {"clone3({flags=CLONE_PARENT, exit_signal=SIGCHLD}, 88)", "EINVAL"}, {"clone3({flags=0, exit_signal=SIGCHLD, stack_size=4096}, 88)", "EINVAL"},
	{"clone3({flags=0, exit_signal=SIGCHLD, stack=4096}, 88)", "EINVAL"}, {"clone3({flags=0, exit_signal=SIGCHLD, set_tid_size=1}, 88)", "EINVAL"}, {"clone3({flags=0, exit_signal=SIGCHLD, set_tid_size=33}, 88)", "EINVAL"},
	{"clone3({flags=CLONE_SIGHAND|CLONE_CLEAR_SIGHAND|CLONE_VM, exit_signal=SIGCHLD}, 88)", "EINVAL"}, {"clone3({flags=CLONE_NEWNS|CLONE_FS, exit_signal=SIGCHLD}, 88)", "EINVAL"},
	{"clone3({flags=CLONE_PIDFD, exit_signal=SIGCHLD}, 88)", "EFAULT"},
}

// TestKernelNamespaceLimits: user.max_*_namespaces of a user namespace holds for those below it too, and 33 are nested at most.
func TestKernelNamespaceLimits(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	s := newStage(t, dir, "dir jail 755 0:0\ndir jail/proc 755 0:0\n")
	c := s.child(100000, 65536, false)
	c.do(job{Write: [2]string{"/proc/sys/user/max_uts_namespaces", "0"}})
	s.UserNS[1].Full = world.NewUTS
	jailed := childRoot
	jailed.root = "/jail"
	deep := []row{}
	for n := range 33 {
		deep = append(deep, row{"unshare(CLONE_NEWUSER)", "-"}, row{"open uid_map 0", "-"}, row{fmt.Sprintf("write(%d, \"0 0 1\", 5)", 3+2*n+min(n, 1)), "-"})
		if n == 0 {
			deep = append(deep, row{"open setgroups 0", "-"}, row{"write(4, \"deny\", 4)", "-"})
		}
		deep = append(deep, row{"open gid_map 0", "-"}, row{fmt.Sprintf("write(%d, \"0 0 1\", 5)", 5+2*n), "-"})
	}
	deep = append(deep, row{"unshare(CLONE_NEWUSER)", "ENOSPC"}, row{"clone(CLONE_NEWUSER|SIGCHLD)", "ENOSPC"}, row{"unshare(CLONE_NEWUTS)", "-"})
	s.play([]scene{
		{"no UTS namespaces", childRoot, []row{{"unshare(CLONE_NEWUTS)", "ENOSPC"}, {"clone(CLONE_NEWUTS|CLONE_NEWIPC|SIGCHLD)", "ENOSPC"}, {"unshare(CLONE_NEWUSER|CLONE_NEWUTS)", "ENOSPC"}, {"unshare(CLONE_NEWIPC)", "-"}, {"unshare(CLONE_NEWUSER)", "-"}, {"unshare(CLONE_NEWUTS)", "ENOSPC"}}},
		{"no UTS namespaces for those who may not make any", childPlain, []row{{"unshare(CLONE_NEWUTS)", "EPERM"}, {"unshare(CLONE_NEWUSER|CLONE_NEWUTS)", "ENOSPC"}}},
		{"nested", initRoot, deep},
	})
	c.do(job{Write: [2]string{"/proc/sys/user/max_user_namespaces", "0"}})
	s.UserNS[1].Full |= world.NewUser
	s.play([]scene{
		{"no user namespaces", childRoot, []row{{"unshare(CLONE_NEWUSER)", "ENOSPC"}, {"clone(CLONE_NEWUSER|SIGCHLD)", "ENOSPC"}, {"unshare(CLONE_NEWUSER|0x1)", "EINVAL"}}},
		{"no user namespaces in a chroot", jailed, []row{{"unshare(CLONE_NEWUSER)", "ENOSPC"}}},
	})
}

// TestKernelNamespacesThreads: the thread of a process that has others.
func TestKernelNamespacesThreads(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	l := newLab(t, dir, "")
	l.Task.NS = l.InitialNamespaces(l.at)
	l.Task.Threads, l.Task.FSUsers = world.Given(9, l.at), world.Given(1, l.at)
	l.child(100000, 65536, false)
	caps := who{name: "root", caps: world.Caps(kernel.CapSysAdmin)}
	l.run([]who{caps, initPlain, childRoot}, []row{
		{"unshare(CLONE_NEWUSER)", "EINVAL"}, {"unshare(CLONE_THREAD)", "EINVAL"}, {"unshare(CLONE_SIGHAND)", "EINVAL"}, {"unshare(CLONE_VM)", "EINVAL"}, {"unshare(CLONE_FS)", "-"},
		{"unshare(CLONE_NEWUTS)", "- EPERM -"}, {"unshare(CLONE_NEWNS)", "- EPERM -"}, {"unshare(CLONE_NEWUSER|CLONE_NEWUTS)", "EINVAL"}, {"unshare(CLONE_NEWTIME)", "- EPERM -"}, {"unshare(CLONE_NEWUSER|0x1)", "EINVAL"},
	})
}

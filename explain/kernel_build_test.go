package explain_test

import (
	"testing"

	"syscallstory/kernel"
	"syscallstory/world"
)

// TestKernelSceneImageBuild: what an unprivileged image build does first, as img and buildkit do: a user namespace with a mount
// namespace, maps, groups, mounts, a root of its own. Which step fails depends on the root that the container was given, on
// newuidmap's capabilities, and on CAP_SETFCAP where the build runs as root.
func TestKernelSceneImageBuild(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	s := newStage(t, dir, "dir build 777 0:0\ndir jail 755 0:0\ndir jail/proc 755 0:0\n")
	enter := row{"unshare(CLONE_NEWUSER|CLONE_NEWNS)", "-"}
	steps := []row{enter, {"open uid_map 0", "-"}, write("0 1000 1\n1 100000 65536\n", "EPERM"), write("0 1000 1\n", "-"), // only the own id, for want of CAP_SETUID outside
		{"open gid_map 0", "-"}, {"write(4, \"0 1000 1\", 8)", "EPERM"}, {"open setgroups 0", "-"}, {"write(5, \"deny\", 4)", "-"}, {"write(4, \"0 1000 1\", 8)", "-"},
		{`mount("none", "/", NULL, MS_REC|MS_SLAVE, NULL)`, "-"}, {`mount("tmpfs", "/build", "tmpfs", 0, NULL)`, "-"},
		{"sethostname(\"b\", 1)", "EPERM"}, {"unshare(CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWPID|CLONE_NEWNET)", "-"}, {"sethostname(\"b\", 1)", "-"},
		{"socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)", "-"}, {`chroot("/build")`, "-"}, {"unshare(CLONE_NEWUSER)", "EPERM"}}
	jailed := initPlain
	jailed.root = "/jail"
	root := initRoot
	root.caps = root.caps.Without(kernel.CapSetfcap)
	s.play([]scene{
		{"as uid 1000", initPlain, steps},
		{"in a container that chroot has set up", jailed, []row{{enter.call, "EPERM"}}},
		{"without a user namespace", initPlain, []row{{"unshare(CLONE_NEWNS)", "EPERM"}, {`mount("tmpfs", "/build", "tmpfs", 0, NULL)`, "EPERM"}, {`chroot("/build")`, "EPERM"}}},
		{"as root without CAP_SETFCAP", root, []row{enter, {"open uid_map 0", "-"}, write("0 0 1\n", "EPERM")}},
	})
	// newuidmap and newgidmap write for a process that waits, with capabilities that no_new_privs would take from them.
	helper := initPlain
	for caps, want := range map[world.CapSet]string{0: "EPERM", world.Caps(kernel.CapSetuid, kernel.CapSetgid): "-"} {
		helper.caps = caps
		s.park(1000)
		s.play([]scene{{"newuidmap with " + caps.String(), helper, []row{{"open uid_map PID1", "-"}, write("0 1000 1\n1 100000 65536\n", want), {"open gid_map PID1", "-"}, {"write(4, \"0 1000 1\\n1 100000 65536\\n\", 25)", want}}}})
		s.unpark()
	}
}

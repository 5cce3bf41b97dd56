package explain_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/world"
)

// TestKernelSceneMounts: mount() of tmpfs and of a block device, and remounts, by root in the initial user namespace, by root of a
// container without CAP_SYS_ADMIN, and by root of a user namespace that owns the mount namespace and of one that does not.
func TestKernelSceneMounts(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	dev, fd := loopDevice(t, dir+"/image")
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	s := newStage(t, dir, fmt.Sprintf("dir build 755 0:0\ndir point 755 0:0\nblock disk 600 0:0 dev=%d:%d\n", unix.Major(st.Rdev), unix.Minor(st.Rdev)))
	t.Cleanup(func() { unix.Close(fd) }) // the device is one as long as somebody has it open
	_, err := os.Stat("/proc/modules")
	s.Filesystems, s.Features[kernel.Modules] = world.Given(machineFilesystems(t), s.at), world.Given(err == nil, s.at)
	contained := initRoot
	contained.caps = contained.caps.Without(kernel.CapSysAdmin)
	s.childBehind(100000, 65536)
	const (
		tmpfs    = `mount("t", "/build", "tmpfs", MS_NOSUID|MS_NODEV, "size=1m")`
		block    = `mount("/disk", "/point", "ext4", MS_RDONLY, NULL)`
		readOnly = `mount(NULL, "/build", NULL, MS_REMOUNT|MS_RDONLY, NULL)`
		flags    = `mount(NULL, "/build", NULL, MS_REMOUNT|MS_BIND|MS_NOEXEC, NULL)`
		whole    = `mount(NULL, "/", NULL, MS_REMOUNT, NULL)`
		write    = `mkdir("/build/new", 0755)`
	)
	own := row{"unshare(CLONE_NEWNS)", "-"}
	s.play([]scene{
		{"root", initRoot, []row{own, {tmpfs, "-"}, {readOnly, "-"}, {write, "EROFS"}, {flags, "-"}}},
		{"root of a container without CAP_SYS_ADMIN", contained, []row{{own.call, "EPERM"}, {tmpfs, "EPERM"}, {block, "EPERM"}, {whole, "EPERM"}}},
		{"root of a user namespace that owns the mount namespace", childRoot, []row{own, {tmpfs, "-"}, {flags, "-"}, {readOnly, "-"}, {write, "EROFS"}, {block, "EPERM"}, {whole, "EPERM"}}},
		{"root of a user namespace that does not", childRoot, []row{{tmpfs, "EPERM"}, {block, "EPERM"}, {whole, "EPERM"}}},
	})
	// What lies on a block device only the kernel knows: the prediction leaves open what that may lead to.
	last := scene{"root and a block device", initRoot, []row{own, {block, ""}}}
	predicted, got := s.foretell(last), s.act(last)
	if got[1] != "-" || !strings.HasPrefix(predicted[1], "undetermined") || !strings.Contains(predicted[1], "[0 ") {
		t.Errorf("%s of %s: predicted %s, kernel %s", block, dev, predicted[1], got[1])
	}
}

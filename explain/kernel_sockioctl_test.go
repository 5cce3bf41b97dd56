package explain_test

import (
	"testing"

	"syscallstory/kernel"
	"syscallstory/world"
)

// TestKernelSocketIoctl: who changes an interface. Only those who are refused make the calls: others would change something.
func TestKernelSocketIoctl(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	s := newStage(t, dir, "")
	s.ownNet()
	s.child(100000, 65536, false)
	calls := func(want string) []row {
		out := []row{{tcp4, "-"}, {"ioctl(3, SIOCSIFFLAGS, NULL)", "EFAULT"}, {"ioctl(3, SIOCGIFFLAGS, NULL)", "EFAULT"}}
		if want != "" {
			for _, cmd := range []string{"SIOCSIFFLAGS", "SIOCSIFADDR", "SIOCSIFMTU", "SIOCSIFNAME", "SIOCSIFHWADDR"} {
				out = append(out, row{"ioctl(3, " + cmd + ", 0x400000)", want}) // where the test program begins: memory that can be read
			}
			out = append(out, row{"ioctl(3, SIOCADDRT, 0x400000)", want}, row{"ioctl(3, SIOCBRADDBR, NULL)", want}) // for bridges the capability comes before the address
		}
		return append(out, row{"ioctl(3, SIOCADDRT, NULL)", "EFAULT"})
	}
	admin := initPlain
	admin.caps = world.Caps(kernel.CapNetAdmin)
	without := initRoot
	without.caps = everything.Without(kernel.CapNetAdmin)
	s.play([]scene{
		{"root", initRoot, calls("")},
		{"root without CAP_NET_ADMIN", without, calls("EPERM")},
		{"uid 1000", initPlain, calls("EPERM")},
		{"uid 1000 with CAP_NET_ADMIN", admin, calls("")},
		{"root of a user namespace", childRoot, calls("EPERM")}, // which does not own the network namespace
		{"a network namespace of its own", initPlain, append([]row{{"unshare(CLONE_NEWUSER|CLONE_NEWNET)", "-"}}, calls("")...)},
	})
}

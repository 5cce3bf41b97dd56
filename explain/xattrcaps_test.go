package explain_test

import (
	"strings"
	"testing"

	"syscallstory/kernel"
	"syscallstory/world"
)

// TestXattrCapabilityOfOldKernels: with the bpf module active 6.1 asks nobody for CAP_SYS_ADMIN or CAP_SETFCAP.
func TestXattrCapabilityOfOldKernels(t *testing.T) {
	for _, c := range []struct{ release, modules, set, remove string }{
		{"6.1.192", "capability landlock bpf", "-", "ENODATA"},
		{"6.1.192", "capability landlock", "EPERM", "EPERM"},
		{"6.12.117", "capability landlock bpf", "EPERM", "EPERM"},
		{"6.6.1", "capability bpf", "?-/EPERM", ""},
		{"6.6.1", "capability", "EPERM", "EPERM"},
	} {
		l := bareLab(t)
		l.Kernel, _ = kernel.ParseRelease(c.release)
		l.LSMs = world.Given(strings.Fields(c.modules), l.at)
		l.BPFHooks = world.Given([]string(nil), l.at) // no program is attached
		root := l.FS.I(l.root.Dentry)
		root.UID, root.Known = 1000, world.KnownAll
		l.foresee([]who{initPlain}, []row{{`setxattr("/", "security.x", "1", 1, 0)`, c.set}})
		if c.remove != "" {
			l.foresee([]who{initPlain}, []row{{`removexattr("/", "security.capability")`, c.remove}})
		}
	}
}

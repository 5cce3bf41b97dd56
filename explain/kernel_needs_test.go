package explain_test

import (
	"slices"
	"strings"
	"testing"

	"syscallstory/explain"
	"syscallstory/kernel"
	"syscallstory/syscalls"
	"syscallstory/world"
)

const needsFiles = `
	file own 600 0:0
	file other 600 101000:101000
	file strange 600 7:7
	dir closed 700 101000:101000
	file closed/f 666 101000:101000
	dir sticky 1777 101000:101000
	file suid 4755 101000:101000
	file open 666 7:7
`

// needsCases: what a root with every capability is asked for, in the initial user namespace and in one that maps 0 to 65535 to
// 100000 to 165535: capability, whose user namespace, whether the call is refused without.
var needsCases = []struct{ call, host, inside string }{
	{`open("own", O_RDWR)`, "", "DAC_OVERRIDE inode-mapped yes"},
	{`open("other", O_RDONLY)`, "DAC_READ_SEARCH inode-mapped no", "DAC_READ_SEARCH inode-mapped no"}, // DAC_OVERRIDE would do
	{`open("other", O_RDWR)`, "DAC_OVERRIDE inode-mapped yes", "DAC_OVERRIDE inode-mapped yes"},
	{`open("strange", O_RDWR)`, "DAC_OVERRIDE inode-mapped yes", "DAC_OVERRIDE inode-mapped yes"},
	{`open("open", O_RDONLY|O_NOATIME)`, "FOWNER inode-mapped yes", "FOWNER inode-mapped yes"},
	{`stat("closed/f", NULL)`, "DAC_READ_SEARCH inode-mapped no", "DAC_READ_SEARCH inode-mapped no"},
	{`chmod("own", 0600)`, "", "FOWNER inode-mapped yes"},
	{`chmod("other", 0600)`, "FOWNER inode-mapped yes", "FOWNER inode-mapped yes"},
	{`chroot("sticky")`, "SYS_CHROOT own yes", "SYS_CHROOT own yes"},
	{`unshare(CLONE_NEWUTS)`, "SYS_ADMIN own yes", "SYS_ADMIN own yes"},
	{`setuid(5)`, "SETUID own yes", "SETUID own yes"},
	{`setgroups(1, [5])`, "SETGID own yes", "SETGID own yes"},
	{`prctl(PR_SET_SECUREBITS, 0)`, "SETPCAP own yes", "SETPCAP own yes"},
	{`socket(AF_INET, SOCK_RAW, 1)`, "NET_RAW namespace's owner yes", "NET_RAW namespace's owner yes"},
	{`swapoff("own")`, "SYS_ADMIN initial yes", "SYS_ADMIN initial yes"},
	{`acct("own/x")`, "SYS_PACCT initial yes", "SYS_PACCT initial yes"},
	{`sethostname("x", 100)`, "SYS_ADMIN namespace's owner yes", "SYS_ADMIN namespace's owner yes"}, // too long: EINVAL behind it
	{`umount2("sticky", 0)`, "SYS_ADMIN mount namespace's owner yes", "SYS_ADMIN mount namespace's owner yes"},
	{`getpid()`, "", ""},
}

// TestKernelNeeds takes each capability away from a root that has every one: the kernel refuses the call exactly where the
// question is said to be required, and lets it pass with what is required alone.
func TestKernelNeeds(t *testing.T) {
	dir, run := isolated(t)
	if !run {
		return
	}
	l := newLab(t, dir, needsFiles)
	l.Task.NS = l.InitialNamespaces(l.at)
	for _, f := range []kernel.Feature{kernel.Swap, kernel.Accounting} { // every kernel that is tested has them: else ENOSYS is the answer
		l.Features[f] = world.Given(true, l.at)
	}
	l.child(100000, 65536, false)
	all := l.bounding(who{})
	tasks := []who{{name: "root", caps: all}, {name: "root inside", uid: 100000, gid: 100000, caps: world.AllCaps, ns: 1}}
	cases := 0
	for _, c := range needsCases {
		for i, task := range tasks {
			want := []string{c.host, c.inside}[i]
			n := l.needs(task, c.call)
			var got []string
			for _, q := range n.Needs {
				if !slices.Contains(got, strings.TrimPrefix(q.Capability, "CAP_")+" "+q.AskedIn+" "+q.Required) {
					got = append(got, strings.TrimPrefix(q.Capability, "CAP_")+" "+q.AskedIn+" "+q.Required)
				}
			}
			if text := strings.Join(got, ", "); text != want {
				t.Errorf("%s as %s: written down %q, needs says %q", c.call, task.name, want, text)
			}
			perform := func(task who) string {
				first, _, _ := strings.Cut(l.perform(task, c.call), " ") // the rest is what it has become
				return first
			}
			with := perform(task)
			alone := task
			alone.caps = 0
			for _, q := range n.Needs {
				lost, _ := kernel.ParseCap(q.Capability)
				less := task
				less.caps = task.caps.Without(lost)
				without := perform(less)
				cases++
				switch {
				case !q.Reached:
				case q.Required == "no" && without != with:
					t.Errorf("%s as %s: not refused for lack of %s, the kernel answers %s without and %s with it", c.call, task.name, lost, without, with)
				case q.Required == "yes" && (q.Has == "yes") != (without != with):
					t.Errorf("%s as %s: needs %s and has it: %s, the kernel answers %s without and %s with it", c.call, task.name, lost, q.Has, without, with)
				case q.Required == "yes" && (q.Without.Errno == nil || without != *q.Without.Errno):
					t.Errorf("%s as %s: %+v without %s, the kernel answers %s", c.call, task.name, q.Without, lost, without)
				}
				alone.caps = alone.caps.With(lost)
			}
			if got := perform(alone); got != with {
				t.Errorf("%s as %s with %s alone: %s, with every capability %s", c.call, task.name, alone.caps, got, with)
			}
		}
	}
	t.Logf("%d questions", cases)
}

// needs asks the model about a call as a task.
func (l *lab) needs(task who, text string) *explain.Needs {
	l.t.Helper()
	l.predict(task, text) // makes the task the world's
	j, err := explain.Bind(l.World, nil)
	l.must(err)
	call, err := syscalls.Parse(j.ABI(), text)
	l.must(err)
	return j.Needs(call)
}

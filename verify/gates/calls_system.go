package gates

import (
	"fmt"
	"slices"
	"strings"
)

// mountCalls change the mount tree.
var mountCalls = family{
	"mount": {6, func(g *gen, t *Task) string {
		p, q := g.place(t), g.place(t)
		flags := g.flags("", "MS_RDONLY", "MS_NOSUID", "MS_NODEV", "MS_NOEXEC")
		switch g.IntN(7) {
		case 0, 1:
			return fmt.Sprintf("mount(\"none\", %s, \"tmpfs\", %s, NULL)", p, flags)
		case 2:
			return fmt.Sprintf("mount(%s, %s, NULL, %s, NULL)", p, q, pick(g, "MS_BIND", "MS_BIND|MS_REC"))
		case 3:
			return fmt.Sprintf("mount(NULL, %s, NULL, MS_REMOUNT|MS_BIND|%s, NULL)", p, flags)
		case 4:
			return fmt.Sprintf("mount(NULL, %s, NULL, %s, NULL)", p, pick(g, "MS_PRIVATE", "MS_SHARED", "MS_SLAVE|MS_REC", "MS_UNBINDABLE", "MS_PRIVATE|MS_SHARED", "MS_SHARED|MS_RDONLY"))
		case 5:
			return fmt.Sprintf("mount(%s, %s, NULL, MS_MOVE, NULL)", p, q)
		}
		return fmt.Sprintf("mount(\"none\", %s, %s, 0, NULL)", p, pick(g, `"nosuchfs"`, `"tmpfs"`, "NULL"))
	}},
	"umount2": {4, func(g *gen, t *Task) string {
		return fmt.Sprintf("umount2(%s, %s)", g.place(t), pick(g, "MNT_DETACH", "MNT_DETACH", "MNT_DETACH|UMOUNT_NOFOLLOW", "16"))
	}},
	"open_tree": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("open_tree(%s, %s, %s)", g.at(t), g.place(t), pick(g, "0", "OPEN_TREE_CLONE", "OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC", "4"))
	}},
	"fsopen": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("fsopen(%s, %s)", pick(g, `"tmpfs"`, `"nosuchfs"`), pick(g, "0", "FSOPEN_CLOEXEC", "4"))
	}},
	"pivot_root": {2, func(g *gen, t *Task) string { return fmt.Sprintf("pivot_root(%s, %s)", g.place(t), g.place(t)) }},
	"move_mount": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("move_mount(%s, %s, %s, %s, 0)", g.at(t), g.place(t), g.at(t), g.place(t))
	}},
}

// place is a path for a call that may mount something there: one that leads to the scene's own files, or nowhere.
func (g *gen) place(t *Task) string {
	p := pick(g, append(slices.Clone(g.dirs), g.files...)...)
	if g.one(6) {
		p += "/zz"
	}
	if rest, ok := strings.CutPrefix(p, t.Root); ok && t.Root != "" {
		p = "/" + strings.TrimLeft(rest, "/")
	}
	if p == "/" {
		p = "/zz"
	}
	return fmt.Sprintf("%q", p)
}

// credentialCalls change the task's own credentials.
var credentialCalls = family{
	"setuid":    {2, func(g *gen, t *Task) string { return fmt.Sprintf("setuid(%s)", g.id()) }},
	"setgid":    {2, func(g *gen, t *Task) string { return fmt.Sprintf("setgid(%s)", g.id()) }},
	"setreuid":  {1, func(g *gen, t *Task) string { return fmt.Sprintf("setreuid(%s, %s)", g.id(), g.id()) }},
	"setregid":  {1, func(g *gen, t *Task) string { return fmt.Sprintf("setregid(%s, %s)", g.id(), g.id()) }},
	"setresuid": {2, func(g *gen, t *Task) string { return fmt.Sprintf("setresuid(%s, %s, %s)", g.id(), g.id(), g.id()) }},
	"setresgid": {1, func(g *gen, t *Task) string { return fmt.Sprintf("setresgid(%s, %s, %s)", g.id(), g.id(), g.id()) }},
	"setgroups": {2, func(g *gen, t *Task) string {
		return pick(g, "setgroups(0, [])", "setgroups(1, [1000])", "setgroups(1, [70000])", "setgroups(65537, [])", "setgroups(1, NULL)")
	}},
	"capset": {3, func(g *gen, t *Task) string {
		set := func() string {
			return pick(g, "0", "0", "1<<CAP_CHOWN", "1<<CAP_SYS_ADMIN", "1<<CAP_CHOWN|1<<CAP_FOWNER")
		}
		return fmt.Sprintf("capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=%s, permitted=%s, inheritable=%s})", set(), set(), set())
	}},
	"prctl": {3, func(g *gen, t *Task) string {
		return "prctl(" + pick(g, "PR_CAPBSET_DROP, CAP_CHOWN", "PR_CAPBSET_DROP, 99", "PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0", "PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0",
			"PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0", "PR_SET_KEEPCAPS, 1", "PR_SET_KEEPCAPS, 2", "PR_SET_SECUREBITS, 1", "PR_SET_SECUREBITS, 0") + ")"
	}},
	"umask": {1, func(g *gen, t *Task) string { return "umask(" + g.mode() + ")" }},
}

// socketCalls make sockets.
var socketCalls = family{
	"socket": {5, func(g *gen, t *Task) string {
		family := pick(g, "AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "999")
		if family == "AF_NETLINK" {
			return "socket(AF_NETLINK, " + pick(g, "SOCK_RAW", "SOCK_DGRAM", "SOCK_STREAM") + ", 0)"
		}
		return fmt.Sprintf("socket(%s, %s, %s)", family, pick(g, "SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_RAW", "77"), pick(g, "0", "0", "IPPROTO_ICMP", "300"))
	}},
}

// systemCalls concern the whole machine. Those that would change it are made only where they are refused.
var systemCalls = family{
	"reboot": {1, func(g *gen, t *Task) string { return "reboot(0, 0, LINUX_REBOOT_CMD_CAD_OFF)" }}, // never with the magic numbers
	"clock_settime": {1, func(g *gen, t *Task) string {
		return pick(g, "clock_settime(CLOCK_REALTIME, {tv_sec=1, tv_nsec=1000000000})", "clock_settime(CLOCK_MONOTONIC, {tv_sec=1000, tv_nsec=0})", "clock_settime(CLOCK_REALTIME, NULL)")
	}},
	"syslog": {1, func(g *gen, t *Task) string {
		return pick(g, "syslog(SYSLOG_ACTION_SIZE_BUFFER)", "syslog(SYSLOG_ACTION_SIZE_UNREAD)", "syslog(99)", "syslog(SYSLOG_ACTION_CONSOLE_LEVEL, NULL, 99)", "syslog(SYSLOG_ACTION_OPEN)")
	}},
	"swapon":  {1, func(g *gen, t *Task) string { return pick(g, `swapon("/none", 0xf000000)`, `swapon("", 0)`) }},
	"vhangup": {1, func(g *gen, t *Task) string { return "vhangup()" }},
	"bpf": {2, func(g *gen, t *Task) string {
		return pick(g, "bpf(BPF_MAP_CREATE, {map_type=BPF_MAP_TYPE_ARRAY, key_size=4, value_size=4, max_entries=1}, 48)", "bpf(BPF_MAP_CREATE, {map_type=BPF_MAP_TYPE_LRU_HASH, key_size=4, value_size=4, max_entries=16}, 48)")
	}},
	"mlock":  {1, func(g *gen, t *Task) string { return "mlock(0, 0)" }},
	"getpid": {1, func(g *gen, t *Task) string { return "getpid()" }},
	"uname":  {1, func(g *gen, t *Task) string { return "uname()" }},
}

// execCalls execute.
var execCalls = family{
	"execve": {5, func(g *gen, t *Task) string { return fmt.Sprintf("execve(%s, [\"x\"], [])", g.executable(t)) }},
	"execveat": {3, func(g *gen, t *Task) string {
		return fmt.Sprintf("execveat(%s, %s, [\"x\"], [], %s)", g.at(t), g.executable(t), g.flags("", "AT_EMPTY_PATH", "AT_SYMLINK_NOFOLLOW", "0x1"))
	}},
}

// executable is the path of a program mostly.
func (g *gen) executable(t *Task) string {
	if len(g.programs) == 0 || g.one(4) {
		return g.path(t)
	}
	p := pick(g, g.programs...)
	if rest, ok := strings.CutPrefix(p, t.Root); ok && t.Root != "" {
		p = "/" + strings.TrimLeft(rest, "/")
	}
	return fmt.Sprintf("%q", p)
}

package pod

import (
	"strconv"
	"strings"

	"syscallstory/story"
	"syscallstory/world"
)

// procfs is the Source of a container's /proc: what every kernel has there, by rule. Which other names there are depends on the
// kernel's configuration and on what runs, so that they are unknown.
type procfs struct {
	w *world.World
}

// Names of proc that every kernel has, by directory; the number is the mode, a directory ends with a slash. Those with # stand
// for what every process has.
var procNames = map[string]map[string]uint16{
	"/":     {"version": 0o444, "meminfo": 0o444, "cpuinfo": 0o444, "uptime": 0o444, "loadavg": 0o444, "stat": 0o444, "filesystems": 0o444, "cmdline": 0o444, "sys/": 0o555},
	"/sys/": {"kernel/": 0o555, "vm/": 0o555, "fs/": 0o555, "net/": 0o555, "user/": 0o555},
	"/sys/kernel/": {"hostname": 0o644, "domainname": 0o644, "ostype": 0o444, "osrelease": 0o444, "version": 0o444, "pid_max": 0o644, "panic": 0o644, "core_pattern": 0o644, "overflowuid": 0o644,
		"overflowgid": 0o644, "ngroups_max": 0o444, "cap_last_cap": 0o444, "threads-max": 0o644, "printk": 0o644, "random/": 0o555, "randomize_va_space": 0o644},
	"/sys/vm/": {"swappiness": 0o644, "overcommit_memory": 0o644, "max_map_count": 0o644, "drop_caches": 0o200, "dirty_ratio": 0o644},
	"/sys/fs/": {"file-max": 0o644, "nr_open": 0o644, "protected_hardlinks": 0o600, "protected_symlinks": 0o600, "protected_fifos": 0o600, "protected_regular": 0o600, "suid_dumpable": 0o644},
	"#/": {"status": 0o444, "stat": 0o444, "statm": 0o444, "cmdline": 0o444, "comm": 0o644, "environ": 0o400, "maps": 0o444, "mem": 0o600, "auxv": 0o400, "limits": 0o444, "cgroup": 0o444,
		"mounts": 0o444, "mountinfo": 0o444, "mountstats": 0o400, "oom_score": 0o444, "oom_score_adj": 0o644, "fd/": 0o500, "fdinfo/": 0o555, "ns/": 0o511, "task/": 0o555, "net/": 0o555,
		"uid_map": 0o644, "gid_map": 0o644, "projid_map": 0o644, "setgroups": 0o644, "attr/": 0o555},
}

// procLinks are those that lead on by a path of their own; the magic ones of a process have no path.
var procLinks = map[string]string{"self": "1", "thread-self": "1/task/1", "mounts": "self/mounts", "net": "self/net"}

// Lookup finds a name by rule.
func (s *procfs) Lookup(fs *world.FS, dir world.DentryID, name string) (world.DentryID, world.State) {
	at := s.w.Text("every kernel has it in /proc")
	p := strings.TrimSuffix(fs.Path(dir), "/") + "/"
	ino := world.Inode{Known: world.KnownType | world.KnownPerm | world.KnownOwner | world.KnownACL | world.KnownAttr | world.KnownDefault | world.KnownXattr, Nlink: 1, At: at}
	own, first, cr := s.process(p, name)
	if own || cr != nil {
		ino.UID, ino.GID = cr.EUID, cr.EGID
		if !cr.UIDAt.Known() || !cr.GIDAt.Known() {
			ino.Known &^= world.KnownOwner
			ino.At = cr.UIDAt
		}
	}
	switch to, link := procLinks[name]; {
	case p == "/" && link:
		ino.Mode, ino.Link = world.TypeLink|0o777, to
		return fs.Add(dir, name, ino), world.Present
	case p == "/" && cr != nil:
		ino.Mode = world.TypeDir | 0o555
		return fs.Add(dir, name, ino), world.Present
	case own && first == "" && (name == "root" || name == "cwd" || name == "exe"):
		ino.Mode, ino.Magic = world.TypeLink|0o777, true
		return fs.Add(dir, name, ino), world.Present
	case own:
		p = "#/" + first
	}
	if mode, ok := procNames[p][name]; ok {
		ino.Mode = world.TypeReg | mode
		return fs.Add(dir, name, ino), world.Present
	}
	if mode, ok := procNames[p][name+"/"]; ok {
		ino.Mode = world.TypeDir | mode
		return fs.Add(dir, name, ino), world.Present
	}
	return fs.Add(dir, name, world.Inode{At: s.missing(p)}), world.Unsure
}

// process reports whether a directory is below that of a process, with the rest of its path, and whose credentials count there
// or for the name, if that is a process. The container's first process has the number 1.
func (s *procfs) process(dir, name string) (below bool, rest string, cr *world.Cred) {
	top, rest, _ := strings.Cut(strings.TrimPrefix(dir, "/"), "/")
	if below = top != ""; !below {
		top = name
	}
	pid, err := strconv.Atoi(top)
	switch {
	case err != nil:
		return false, "", nil
	case pid == 1 || pid == s.w.Task.PID:
		cr = &s.w.Task.Cred
	}
	if p := s.w.ProcessByPID(pid); p != nil && pid != s.w.Task.PID {
		cr = &p.Cred
	}
	if cr == nil {
		return false, "", nil
	}
	return below, rest, cr
}

// missing says why a name is not known.
func (s *procfs) missing(dir string) story.Origin {
	if strings.HasPrefix(dir, "/sys/") {
		return s.w.Miss("which settings the kernel has is not known beyond those of every kernel", "")
	}
	return s.w.Miss("what "+"/proc"+strings.TrimSuffix(dir, "/")+" of a container holds beyond what every kernel has is not known", "")
}

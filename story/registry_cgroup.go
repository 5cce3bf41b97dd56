package story

// CgroupDelegated is a file of a cgroup that belongs to whoever has delegated it.
var CgroupDelegated = define(Info{
	ID: "OTH341", Gate: Other, Title: "cgroup2: at the root of the task's cgroup namespace only delegatable files are written", Denies: "cgroup2 is mounted with nsdelegate, and {0} at the root of the task's cgroup namespace is written from outside only",
	Facts: []FactInfo{{"file", KindString}}, Function: "cgroup_file_write", Errno: "EPERM", Releases: "since Linux 4.13", Man: "kernel.org/doc/html/latest/admin-guide/cgroup-v2.html",
	Long:  "With the option nsdelegate a cgroup namespace is a boundary of delegation: its root's limits, as memory.max, are set from outside. Files that /sys/kernel/cgroup/delegate lists, as cgroup.procs and cgroup.subtree_control, may be written inside; cgroups below the root belong to the container. Opening the file succeeds, the write is refused, whatever the task's capabilities.",
	Repro: "unshare -C sh -c 'echo 5 > /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/cgroup.max.depth' # in a cgroup of its own, with nsdelegate",
})

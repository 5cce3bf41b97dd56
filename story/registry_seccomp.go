package story

// SeccompUnfiltered is a call that passes by every filter.
var SeccompUnfiltered = define(Info{
	ID: "SEC006", Gate: Seccomp, Title: "calls of probes pass by every filter", Allows: "the kernel asks no filter and no strict mode about {0}", Unknowns: "whether this release asks filters about {0} only its patch level says",
	Facts: []FactInfo{{"syscall", KindString}}, Function: "seccomp_uprobe_exception", Errno: "EPERM in most default profiles, where filters are asked", Releases: "uretprobe since Linux 6.14 and in stable updates of 6.11 to 6.13, uprobe since 6.18; x86_64 only", Man: "seccomp(2)",
	Long: "uretprobe and uprobe are calls of code that the kernel itself puts into a process that somebody traces. A filter that refused them would end a program because it is traced, so they are let through before any filter or strict mode is asked. Made by anything else they fail: uretprobe with SIGILL, uprobe with ENXIO.",
})

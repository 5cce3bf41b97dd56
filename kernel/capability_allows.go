package kernel

// capAllows says what each capability lets a task do, and since which release it exists; facts of capabilities(7).
var capAllows = [NumCaps]struct{ what, since string }{
	CapChown:             {"give files to any user and group", "2.2"},
	CapDacOverride:       {"read, write and search whatever the mode says; execute what anybody may execute", "2.2"},
	CapDacReadSearch:     {"read files and search directories whatever the mode says; open files by handle", "2.2"},
	CapFowner:            {"do with any file what only its owner may: chmod, utimes, flags, ACLs, names in sticky directories", "2.2"},
	CapFsetid:            {"keep set-id bits of a file that is written, and set setgid for a group that is not one's own", "2.2"},
	CapKill:              {"send signals to processes of other users", "2.2"},
	CapSetgid:            {"change one's groups at will, pass any group over a socket, write a gid map", "2.2"},
	CapSetuid:            {"change one's user ids at will, pass any uid over a socket, write a uid map", "2.2"},
	CapSetpcap:           {"add from the bounding to the inheritable set, drop from the bounding set, change securebits", "2.2"},
	CapLinuxImmutable:    {"set and clear the immutable and append-only flags of files", "2.2"},
	CapNetBindService:    {"bind to ports below net.ipv4.ip_unprivileged_port_start, 1024 where nobody changed it", "2.2"},
	CapNetBroadcast:      {"nothing: it is not used", "2.2"},
	CapNetAdmin:          {"set up interfaces, routes, firewall, promiscuous mode and privileged socket options", "2.2"},
	CapNetRaw:            {"raw and packet sockets, and binding to addresses that are not local", "2.2"},
	CapIpcLock:           {"lock memory beyond RLIMIT_MEMLOCK, use huge pages", "2.2"},
	CapIpcOwner:          {"use System V IPC objects whatever their mode says", "2.2"},
	CapSysModule:         {"load and unload kernel modules", "2.2"},
	CapSysRawio:          {"I/O ports, /proc/kcore, raw disk and SCSI commands, mapping the lowest addresses", "2.2"},
	CapSysChroot:         {"chroot, and entering other mount namespaces", "2.2"},
	CapSysPtrace:         {"trace and read the memory of any process, see /proc of others", "2.2"},
	CapSysPacct:          {"switch process accounting on and off", "2.2"},
	CapSysAdmin:          {"mount, namespaces, quotas, swap, host name, trusted attributes and much else", "2.2"},
	CapSysBoot:           {"reboot, and load another kernel with kexec", "2.2"},
	CapSysNice:           {"raise priorities, choose real-time scheduling and CPUs, also of other processes", "2.2"},
	CapSysResource:       {"raise hard limits, use space that a filesystem keeps back, pass over quotas and limits of IPC", "2.2"},
	CapSysTime:           {"set the system's clock and the hardware's", "2.2"},
	CapSysTtyConfig:      {"hang up terminals, and privileged settings of virtual ones", "2.2"},
	CapMknod:             {"make device files", "2.4"},
	CapLease:             {"take leases of any file", "2.4"},
	CapAuditWrite:        {"write records to the kernel's audit log", "2.6.11"},
	CapAuditControl:      {"switch auditing on and off, and change its rules", "2.6.11"},
	CapSetfcap:           {"give capabilities to files; map the parent's uid 0 into a user namespace", "2.6.24"},
	CapMacOverride:       {"pass over Smack's policy", "2.6.25"},
	CapMacAdmin:          {"change Smack's policy; set labels that SELinux's policy does not know", "2.6.25"},
	CapSyslog:            {"read the kernel's log where dmesg_restrict is set, see kernel addresses", "2.6.37"},
	CapWakeAlarm:         {"timers that wake the machine", "3.0"},
	CapBlockSuspend:      {"keep the machine from being suspended", "3.5"},
	CapAuditRead:         {"read the audit log through a multicast socket", "3.16"},
	CapPerfmon:           {"watch performance: perf_event_open, and BPF programs that trace", "5.8"},
	CapBpf:               {"load BPF programs and make maps beyond what everybody may", "5.8"},
	CapCheckpointRestore: {"checkpoint and restore: chosen pids, map_files, exe links of others", "5.9"},
}

// Allows says in a few words what the capability lets a task do; empty for one that is not known here.
func (c Cap) Allows() string {
	if c < NumCaps {
		return capAllows[c].what
	}
	return ""
}

// Since is the release that has the capability first, "5.8".
func (c Cap) Since() string {
	if c < NumCaps {
		return capAllows[c].since
	}
	return ""
}

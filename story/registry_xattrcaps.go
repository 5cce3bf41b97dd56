package story

// XattrUnasked is a capability that old kernels forget to ask for.
var XattrUnasked = define(Info{
	ID: "CAP340", Gate: Capability, Title: "attributes named security.* need a capability", Allows: "with the bpf module active this kernel asks for no capability here",
	Unknowns: "whether this kernel, with the modules that are active, asks for a capability is not known", Function: "security_inode_setxattr, security_inode_removexattr", Hook: "inode_setxattr", Errno: "EPERM",
	Releases: "until Linux 6.10 at most; seen on 6.1.192", Man: "xattr(7)",
	Note:  "the same call is refused by a newer kernel, and by this one without lsm=…,bpf",
	Long:  "security.* attributes are for CAP_SYS_ADMIN over the filesystem, security.capability for CAP_SETFCAP. Old kernels ask only where every module of the list passes the question on; the bpf module answers 0 by default, even with no program attached, which ends the list.",
	Repro: "on Debian 12: setfattr -n security.x -v 1 of a file of one's own",
})

package story

// Checks of open files, extended attributes, mappings and watches.
var (
	DescriptorMode = define(Info{
		ID: "OTH140", Gate: Other, Title: "a descriptor serves for what it was opened for", Denies: "descriptor {0} is open {1}, {2} is needed", Unknowns: "how descriptor {0} was opened is not known",
		Facts: []FactInfo{{"fd", KindInt}, {"open", KindString}, {"needed", KindString}}, Function: "vfs_read, vfs_write", Errno: "EBADF", Releases: "all", Man: "read(2)",
		Long:  "The permissions of a file are asked when it is opened. Later only the mode of the descriptor counts: reading needs one that is open for reading, writing one that is open for writing, whatever the file's mode or owner have become. O_PATH descriptors are for neither.",
		Repro: "python3 -c 'import os; os.write(os.open(\"/etc/passwd\", os.O_RDONLY), b\"x\")'",
	})
	DescriptorKind = define(Info{
		ID: "OTH141", Gate: Other, Title: "the kind of file must have the operation", Denies: "{obj} has no such operation: {0}", Unknowns: "whether {obj} has the operation is not known: {0}",
		Facts: []FactInfo{{"operation", KindString}, {"mode", KindMode}}, Function: "file_operations", Errno: "EINVAL, EISDIR, ESPIPE, ENOTDIR, ENODEV or EOPNOTSUPP", Releases: "all", Man: "read(2)",
		Long:  "Directories are not read or written as files, pipes and sockets have no position, only directories list names, and only some filesystems allocate, map or clone.",
		Repro: "python3 -c 'import os; os.read(os.open(\"/\", os.O_RDONLY), 1)'",
	})
	DescriptorData = define(Info{
		ID: "OTH142", Gate: Other, Title: "what a device, pipe or socket answers", Unknowns: "what {0} comes to is not known",
		Facts: []FactInfo{{"what", KindString}}, Function: "file_operations.read_iter", Errno: "whatever the driver says", Releases: "all", Man: "read(2)",
		Long: "Behind the checks of the descriptor the call is the driver's. A pipe or socket may make it wait.",
	})
	XattrUnsupported = define(Info{
		ID: "OTH143", Gate: Other, Title: "the filesystem must have the attribute's name space", Denies: "{1} has no attributes of the kind {0}", Unknowns: "whether {1} has attributes of the kind {0} is not known",
		Facts: []FactInfo{{"name", KindString}, {"fstype", KindString}}, Function: "xattr_resolve_name", Errno: "EOPNOTSUPP", Releases: "user.* on tmpfs since Linux 6.6", Man: "xattr(7)",
		Long:  "Each filesystem says which of the name spaces user, trusted, security and system it keeps, and whether it has ACLs.",
		Repro: "setfattr -n user.x -v 1 /proc/self/status",
	})
	XattrMissing = define(Info{
		ID: "OTH144", Gate: Other, Title: "the attribute must be there", Denies: "{obj} has no attribute {0}", Unknowns: "whether {obj} has the attribute {0} is not known",
		Facts: []FactInfo{{"name", KindString}}, Function: "vfs_getxattr", Errno: "ENODATA", Releases: "all", Man: "xattr(7)",
		Long:  "getxattr, removexattr and XATTR_REPLACE want an attribute that exists.",
		Repro: "getfattr -n user.none /tmp",
	})
	XattrExists = define(Info{
		ID: "OTH145", Gate: Other, Title: "XATTR_CREATE wants a new name", Denies: "{obj} has the attribute {0} already", Unknowns: "whether {obj} has the attribute {0} is not known",
		Facts: []FactInfo{{"name", KindString}}, Function: "simple_xattr_set", Errno: "EEXIST", Releases: "all", Man: "setxattr(2)",
		Long:  "With XATTR_CREATE an attribute is made, never replaced.",
		Repro: "a call of setxattr with XATTR_CREATE on an attribute that is there",
	})
	XattrSize = define(Info{
		ID: "OTH146", Gate: Other, Title: "the buffer must hold the answer", Denies: "the answer has {0} bytes, the buffer {1}", Unknowns: "whether a buffer of {1} bytes holds the answer is not known",
		Facts: []FactInfo{{"size", KindInt}, {"buffer", KindInt}}, Function: "do_getxattr", Errno: "ERANGE", Releases: "all", Man: "getxattr(2)",
		Long:  "A size of 0 asks how big the answer would be. Any other that is too small is refused.",
		Repro: "a call of getxattr with a buffer of one byte",
	})
	XattrTrusted = define(Info{
		ID: "CAP140", Gate: Capability, Title: "trusted.* attributes show to CAP_SYS_ADMIN of the initial user namespace only", Denies: "trusted.* attributes are hidden from the task, which lacks CAP_SYS_ADMIN in the initial user namespace", Unknowns: "whether the task has CAP_SYS_ADMIN in the initial user namespace is not known",
		Facts: []FactInfo{{"effective", KindCapSet}}, Function: "xattr_permission", Errno: "ENODATA", Releases: "all", Man: "xattr(7)",
		Long:  "Who lacks the capability is told that there is no such attribute: ENODATA for reading, EPERM for writing. The capability counts in the initial user namespace only.",
		Note:  "root of a container without CAP_SYS_ADMIN, and any root of a user namespace, sees ENODATA although the attribute may be there",
		Repro: "setpriv --bounding-set -sys_admin getfattr -n trusted.x /tmp",
	})
	XattrUserType = define(Info{
		ID: "DAC140", Gate: DAC, Title: "user.* attributes are for regular files and directories", Denies: "user.* attributes are for regular files and directories, {obj} is {0}", Unknowns: "whether {obj} is a regular file or a directory is not known",
		Facts: []FactInfo{{"mode", KindMode}}, Function: "xattr_permission", Errno: "EPERM, ENODATA for reading", Releases: "all", Man: "xattr(7)",
		Long:  "The permission bits of links, devices and pipes mean something else, so that they hold no attributes of users.",
		Repro: "setfattr -h -n user.x -v 1 a-symbolic-link",
	})
	XattrSticky = define(Info{
		ID: "DAC141", Gate: DAC, Title: "user.* attributes of a sticky directory are for its owner", Denies: "{obj} is sticky and belongs to {0}, who alone may set its user.* attributes", Allows: "owner",
		Facts: []FactInfo{{"owner", KindIDs}}, Function: "xattr_permission", Errno: "EPERM", Releases: "all", Man: "xattr(7)",
		Long:  "Everybody may write to a directory such as /tmp. Its attributes are kept for the owner and CAP_FOWNER.",
		Repro: "setfattr -n user.x -v 1 /tmp # as an ordinary user",
	})
	XattrUnmapped = define(Info{
		ID: "UNS140", Gate: UserNS, Title: "attributes are not written to a file whose owner cannot be expressed", Denies: "{obj} belongs to {0}, which the mount's id map or the filesystem's user namespace cannot express: its attributes cannot be changed",
		Facts: []FactInfo{{"owner", KindDisk}}, Function: "may_write_xattr", Errno: "EPERM", Releases: "all", Man: "user_namespaces(7)",
		Long:  "Writing an attribute may write the inode back, whose ids would be lost.",
		Repro: "setfattr on a file in an idmapped mount whose owner the map leaves out",
	})
	XattrRootID = define(Info{
		ID: "UNS141", Gate: UserNS, Title: "file capabilities of a user namespace name its root", Denies: "the root user of the file capabilities, {0}, has no place in the filesystem",
		Facts: []FactInfo{{"uid", KindInt}}, Function: "cap_convert_nscap", Errno: "EINVAL", Releases: "since Linux 4.14", Man: "capabilities(7)",
		Long:  "Who writes security.capability without CAP_SETFCAP in the filesystem's user namespace gets version 3 of it, which names the root of the task's user namespace. That user must be mapped where the filesystem is.",
		Repro: "setcap in a user namespace that has no uid 0",
	})
	ACLRefused = define(Info{
		ID: "DAC142", Gate: DAC, Title: "default ACLs are for directories", Denies: "{obj} is no directory and has no default ACL",
		Function: "set_posix_acl", Errno: "EACCES", Releases: "all", Man: "acl(5)", Long: "A default ACL is what new files of a directory get.", Repro: "setfacl -d -m u:1000:r /etc/passwd",
	})
	AttrUnsupported = define(Info{
		ID: "OTH147", Gate: Other, Title: "the filesystem must know the attributes", Denies: "{0} does not keep these attributes of files", Unknowns: "whether {0} keeps these attributes is not known",
		Facts: []FactInfo{{"fstype", KindString}}, Function: "vfs_fileattr_set", Errno: "ENOTTY for ioctl, EOPNOTSUPP for file_setattr(2) or a flag that it does not know", Releases: "all", Man: "ioctl_iflags(2)",
		Long:  "What chattr(1) sets is kept by some filesystems, and by each only some of it; project ids are none of tmpfs's.",
		Repro: "chattr +i /proc/self/status",
	})
	FileSizeLimit = define(Info{
		ID: "OTH148", Gate: Other, Title: "RLIMIT_FSIZE limits how big a file gets", Denies: "the file would get {0}, RLIMIT_FSIZE is {1}; SIGXFSZ is sent too", Unknowns: "RLIMIT_FSIZE of the task is not known",
		Facts: []FactInfo{{"size", KindBytes}, {"limit", KindBytes}}, Function: "generic_write_check_limits, inode_newsize_ok", Errno: "EFBIG", Releases: "all", Man: "setrlimit(2)",
		Long:  "Whoever writes or truncates beyond the limit is refused and gets SIGXFSZ, which ends a task that does not ignore or handle it. A write that only reaches over it is cut short.",
		Repro: "sh -c 'ulimit -f 1; truncate -s 1M /tmp/x'",
	})
	MapNoExec = define(Info{
		ID: "MNT140", Gate: Mount, Title: "executable mappings need a mount that allows execution", Denies: "{0} is mounted noexec: its files cannot be mapped for execution",
		Facts: []FactInfo{{"mount", KindString}, {"flags", KindMount}}, Function: "do_mmap", Errno: "EPERM", Releases: "all", Man: "mmap(2)",
		Long:  "PROT_EXEC on a file of a noexec mount is refused, also for shared libraries. The file's x bits do not matter here.",
		Repro: "mount -t tmpfs -o noexec tmpfs /mnt; cp /bin/true /mnt; python3 -c 'import mmap,os; mmap.mmap(os.open(\"/mnt/true\",0),4096,prot=mmap.PROT_READ|mmap.PROT_EXEC,flags=mmap.MAP_PRIVATE)'",
	})
	MapMode = define(Info{
		ID: "OTH149", Gate: Other, Title: "a mapping needs a descriptor that is open for it", Denies: "descriptor {0} is open {1}, the mapping needs {2}", Unknowns: "how descriptor {0} was opened is not known",
		Facts: []FactInfo{{"fd", KindInt}, {"open", KindString}, {"needed", KindString}}, Function: "do_mmap", Errno: "EACCES", Releases: "all", Man: "mmap(2)",
		Long:  "Every mapping of a file needs a descriptor that is open for reading; a shared one with PROT_WRITE needs one that is open for writing too.",
		Repro: "python3 -c 'import mmap,os; mmap.mmap(os.open(\"/etc/passwd\",0),4096)'",
	})
	MapAppend = define(Info{
		ID: "DAC143", Gate: DAC, Title: "append-only files are not mapped for writing", Denies: "{obj} is append-only and the descriptor is open for writing",
		Function: "do_mmap", Errno: "EACCES", Releases: "all", Man: "mmap(2)", Long: "A shared mapping of a descriptor that is open for writing could change what the file holds.", Repro: "chattr +a f; map f shared from a descriptor opened O_RDWR|O_APPEND",
	})
	MapMinAddr = define(Info{
		ID: "CAP141", Gate: Capability, Title: "low addresses need CAP_SYS_RAWIO", Denies: "the address {0} is below vm.mmap_min_addr and the task lacks CAP_SYS_RAWIO in the initial user namespace", Unknowns: "whether the task may map the address {0} is not known", Allows: "CAP_SYS_RAWIO",
		Facts: []FactInfo{{"address", KindHex}, {"vm.mmap_min_addr", KindInt}, {"effective", KindCapSet}}, Function: "cap_mmap_addr", Errno: "EPERM", Releases: "all", Man: "proc_sys_vm(5)",
		Long:  "Memory at address 0 would turn a NULL pointer of the kernel into the task's own data.",
		Repro: "python3 -c 'import ctypes; l=ctypes.CDLL(None,use_errno=True); l.mmap.restype=ctypes.c_long; print(l.mmap(0,4096,3,0x32,-1,0))'",
	})
	MapUnknown = define(Info{
		ID: "OTH150", Gate: Other, Title: "what the task has mapped", Unknowns: "what the task has mapped at the address is not known",
		Function: "mprotect_fixup", Errno: "ENOMEM or EACCES", Releases: "all", Man: "mprotect(2)", Long: "mprotect refuses memory that is not mapped (ENOMEM), and rights that the file below it was not opened for (EACCES).",
	})
	SealRefused = define(Info{
		ID: "OTH151", Gate: Other, Title: "seals are for files of memfd_create", Denies: "{obj}: {0}", Unknowns: "whether the file can be sealed is not known: {0}",
		Facts: []FactInfo{{"reason", KindString}}, Function: "memfd_add_seals", Errno: "EPERM or EINVAL", Releases: "since Linux 3.17", Man: "fcntl(2)",
		Long:  "Only a file of memfd_create with MFD_ALLOW_SEALING takes seals. A file of a tmpfs counts as sealed against seals.",
		Repro: "python3 -c 'import fcntl,os; fcntl.fcntl(os.open(\"/dev/shm/x\",os.O_RDWR|os.O_CREAT), 1033, 1)'",
	})
	LeaseOwner = define(Info{
		ID: "DAC144", Gate: DAC, Title: "leases are for the file's owner", Denies: "{obj} belongs to {0}, who alone gets a lease of it", Allows: "owner",
		Facts: []FactInfo{{"owner", KindIDs}, {"effective", KindCapSet}}, Function: "generic_setlease", Errno: "EACCES", Releases: "all", Man: "fcntl(2)",
		Long:  "F_SETLEASE needs the file's owner or CAP_LEASE in the initial user namespace.",
		Repro: "python3 -c 'import fcntl,os; fcntl.fcntl(os.open(\"/etc/passwd\",0), fcntl.F_SETLEASE, fcntl.F_RDLCK)'",
	})
	LeaseConflict = define(Info{
		ID: "OTH152", Gate: Other, Title: "a lease needs a file that nobody else has open against it", Denies: "the file is open against the lease: {0}", Unknowns: "who else has {obj} open is not known",
		Facts: []FactInfo{{"reason", KindString}}, Function: "check_conflicting_open", Errno: "EAGAIN", Releases: "all", Man: "fcntl(2)",
		Long:  "A read lease is refused while somebody has the file open for writing, a write lease while anybody else has it open.",
		Repro: "python3 -c 'import fcntl,os; fcntl.fcntl(os.open(\"/tmp/x\",os.O_RDWR|os.O_CREAT), fcntl.F_SETLEASE, fcntl.F_RDLCK)'",
	})
	HandleUnsupported = define(Info{
		ID: "OTH153", Gate: Other, Title: "the filesystem must make file handles", Denies: "{0} makes no file handles", Unknowns: "whether {0} makes file handles is not known",
		Facts: []FactInfo{{"fstype", KindString}}, Function: "do_sys_name_to_handle", Errno: "EOPNOTSUPP", Releases: "since Linux 2.6.39", Man: "name_to_handle_at(2)",
		Long:  "Handles are made by filesystems that NFS can export, and with AT_HANDLE_FID by nearly all since Linux 6.6.",
		Repro: "a call of name_to_handle_at on /proc",
	})
	HandleSize = define(Info{
		ID: "OTH154", Gate: Other, Title: "the handle must fit into the buffer", Denies: "the buffer has {0} bytes for the handle", Unknowns: "whether {0} bytes hold the handle is not known",
		Facts: []FactInfo{{"bytes", KindInt}}, Function: "do_sys_name_to_handle", Errno: "EOVERFLOW", Releases: "since Linux 2.6.39", Man: "name_to_handle_at(2)",
		Long: "handle_bytes = 0 asks for the size.", Repro: "a call of name_to_handle_at with handle_bytes=0",
	})
	HandleDecode = define(Info{
		ID: "CAP142", Gate: Capability, Title: "opening by handle passes by every directory", Denies: "opening by handle needs CAP_DAC_READ_SEARCH in the initial user namespace, or, with O_DIRECTORY, power over the filesystem or the mount", Unknowns: "whether the task may open by handle is not known", Allows: "may open by handle",
		Facts: []FactInfo{{"effective", KindCapSet}, {"user namespace", KindNS}}, Function: "may_decode_fh", Errno: "EPERM", Releases: "since Linux 2.6.39; since 6.11 also with O_DIRECTORY, CAP_SYS_ADMIN over the filesystem or over the mount namespace and CAP_DAC_READ_SEARCH in the task's user namespace", Man: "open_by_handle_at(2)",
		Long:  "A handle leads to a file without a lookup, so that no directory's permission protects it: the shocker exploit read the host's files this way. Containers lack the capability by default.",
		Repro: "docker run --rm alpine with a program that calls open_by_handle_at",
	})
	HandleStale = define(Info{
		ID: "OTH155", Gate: Other, Title: "what the handle leads to", Unknowns: "what the handle leads to is not known",
		Function: "exportfs_decode_fh_raw", Errno: "ESTALE", Releases: "since Linux 2.6.39", Man: "open_by_handle_at(2)", Long: "The filesystem decodes the handle; it may lead nowhere any more.",
	})
	IoctlUnknown = define(Info{
		ID: "OTH156", Gate: Other, Title: "an ioctl is its driver's own", Denies: "the file has no ioctl {0}: it is for terminals", Unknowns: "what the ioctl {0} does is not modelled",
		Facts: []FactInfo{{"command", KindString}}, Function: "vfs_ioctl", Errno: "ENOTTY, EPERM or whatever the driver says", Releases: "all", Man: "ioctl(2)",
		Long:  "Each driver and filesystem has its own commands with checks of their own. Files that are no devices have none of a terminal's, by which programs tell whether they write to one.",
		Repro: "python3 -c 'import termios; termios.tcgetattr(open(\"/etc/passwd\"))'",
	})
	CrossFilesystem = define(Info{
		ID: "OTH157", Gate: Other, Title: "both files must be of one filesystem", Denies: "{obj} is of another filesystem", Unknowns: "whether the filesystem copies from another one is not known",
		Function: "generic_copy_file_checks", Errno: "EXDEV", Releases: "copy_file_range across filesystems of one type since Linux 5.19", Man: "copy_file_range(2)",
		Long:  "Cloning, and copying in the kernel, stay within one filesystem; cp(1) falls back to reading and writing.",
		Repro: "cp --reflink=always /etc/passwd /dev/shm/",
	})
	FanotifyUnprivileged = define(Info{
		ID: "CAP143", Gate: Capability, Title: "fanotify beyond file handles needs CAP_SYS_ADMIN", Denies: "without CAP_SYS_ADMIN {0}", Allows: "CAP_SYS_ADMIN", Unknowns: "whether the task has CAP_SYS_ADMIN where it counts is not known",
		Facts: []FactInfo{{"what", KindString}, {"effective", KindCapSet}}, Function: "fanotify_init, fanotify_mark", Errno: "EPERM", Releases: "unprivileged since Linux 5.13", Man: "fanotify_init(2)",
		Long:  "Since Linux 5.13 anybody may watch inodes with FAN_REPORT_FID. Descriptors in events, permission events, and marks on mounts and filesystems are for CAP_SYS_ADMIN.",
		Repro: "a call of fanotify_init(FAN_CLASS_CONTENT, O_RDONLY) without CAP_SYS_ADMIN",
	})
	MemfdNoExec = define(Info{
		ID: "OTH158", Gate: Other, Title: "vm.memfd_noexec", Denies: "vm.memfd_noexec is {0}: memfd_create needs MFD_NOEXEC_SEAL", Unknowns: "vm.memfd_noexec is not known",
		Facts: []FactInfo{{"vm.memfd_noexec", KindInt}}, Function: "check_sysctl_memfd_noexec", Errno: "EACCES", Releases: "since Linux 6.3", Man: "memfd_create(2)",
		Long: "With 2 only files that can never be executed are made. The setting belongs to the PID namespace, where a child's is at least its parent's.", Repro: "sysctl vm.memfd_noexec=2; python3 -c 'import os; os.memfd_create(\"x\")'",
	})
)

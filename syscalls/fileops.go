package syscalls

// Calls on open files, on memory that is mapped from them, and on what watches them: fs/read_write.c, fs/fcntl.c, mm/mmap.c,
// fs/notify.

// Data is memory that a call reads, of which strace prints the beginning.
var Data = define("data")

var _ = defineFlags("prot", flag{"PROT_READ", 1}, flag{"PROT_WRITE", 2}, flag{"PROT_EXEC", 4}, flag{"PROT_SEM", 8}, flag{"PROT_BTI", 16}, flag{"PROT_MTE", 32}, flag{"PROT_GROWSDOWN", 0x1000000}, flag{"PROT_GROWSUP", 0x2000000}, flag{"PROT_NONE", 0})

var _ = defineSet("map", &flagSet{enum: []flag{{"MAP_SHARED", 1}, {"MAP_PRIVATE", 2}, {"MAP_SHARED_VALIDATE", 3}, {"MAP_DROPPABLE", 8}}, mask: 15,
	flags: []flag{{"MAP_FIXED", 16}, {"MAP_ANONYMOUS", 32}, {"MAP_ANON", 32}, {"MAP_GROWSDOWN", 0x100}, {"MAP_DENYWRITE", 0x800}, {"MAP_EXECUTABLE", 0x1000}, {"MAP_LOCKED", 0x2000}, {"MAP_NORESERVE", 0x4000},
		{"MAP_POPULATE", 0x8000}, {"MAP_NONBLOCK", 0x10000}, {"MAP_STACK", 0x20000}, {"MAP_HUGETLB", 0x40000}, {"MAP_SYNC", 0x80000}, {"MAP_FIXED_NOREPLACE", 0x100000}, {"MAP_32BIT", 64}}})

var _ = defineConstants(flag{"MAP_HUGE_SHIFT", 26}, flag{"MFD_HUGE_SHIFT", 26})

var _ = defineEnum("seek", flag{"SEEK_SET", 0}, flag{"SEEK_CUR", 1}, flag{"SEEK_END", 2}, flag{"SEEK_DATA", 3}, flag{"SEEK_HOLE", 4})

var _ = defineFlags("falloc", flag{"FALLOC_FL_KEEP_SIZE", 1}, flag{"FALLOC_FL_PUNCH_HOLE", 2}, flag{"FALLOC_FL_COLLAPSE_RANGE", 8}, flag{"FALLOC_FL_ZERO_RANGE", 16},
	flag{"FALLOC_FL_INSERT_RANGE", 32}, flag{"FALLOC_FL_UNSHARE_RANGE", 64}, flag{"FALLOC_FL_WRITE_ZEROES", 128})

var _ = defineLoose("fcntl", flag{"F_DUPFD", 0}, flag{"F_GETFD", 1}, flag{"F_SETFD", 2}, flag{"F_GETFL", 3}, flag{"F_SETFL", 4}, flag{"F_GETLK", 5}, flag{"F_SETLK", 6}, flag{"F_SETLKW", 7},
	flag{"F_SETOWN", 8}, flag{"F_GETOWN", 9}, flag{"F_SETSIG", 10}, flag{"F_GETSIG", 11}, flag{"F_SETOWN_EX", 15}, flag{"F_GETOWN_EX", 16}, flag{"F_OFD_GETLK", 36}, flag{"F_OFD_SETLK", 37},
	flag{"F_OFD_SETLKW", 38}, flag{"F_SETLEASE", 1024}, flag{"F_GETLEASE", 1025}, flag{"F_NOTIFY", 1026}, flag{"F_DUPFD_QUERY", 1027}, flag{"F_CREATED_QUERY", 1028}, flag{"F_DUPFD_CLOEXEC", 1030},
	flag{"F_SETPIPE_SZ", 1031}, flag{"F_GETPIPE_SZ", 1032}, flag{"F_ADD_SEALS", 1033}, flag{"F_GET_SEALS", 1034}, flag{"F_GET_RW_HINT", 1035}, flag{"F_SET_RW_HINT", 1036})

// What fcntl's commands take: open's flags, kinds of leases and locks, seals, a number, or an address.
var _ = defineSet("fcntlarg", &flagSet{memory: true, loose: true, flags: append(append([]flag{}, openFlags.flags...), flag{"FD_CLOEXEC", 1}, flag{"F_RDLCK", 0}, flag{"F_WRLCK", 1}, flag{"F_UNLCK", 2}, flag{"O_RDONLY", 0},
	flag{"O_WRONLY", 1}, flag{"O_RDWR", 2}, flag{"F_SEAL_SEAL", 1}, flag{"F_SEAL_SHRINK", 2}, flag{"F_SEAL_GROW", 4}, flag{"F_SEAL_WRITE", 8}, flag{"F_SEAL_FUTURE_WRITE", 16}, flag{"F_SEAL_EXEC", 32})})

var _ = defineFlags("lock", flag{"LOCK_SH", 1}, flag{"LOCK_EX", 2}, flag{"LOCK_NB", 4}, flag{"LOCK_UN", 8}, flag{"LOCK_MAND", 32})

var _ = defineFlags("memfd", flag{"MFD_CLOEXEC", 1}, flag{"MFD_ALLOW_SEALING", 2}, flag{"MFD_HUGETLB", 4}, flag{"MFD_NOEXEC_SEAL", 8}, flag{"MFD_EXEC", 16})

var _ = defineFlags("inotify", flag{"IN_ALL_EVENTS", 0xfff}, flag{"IN_ACCESS", 1}, flag{"IN_MODIFY", 2}, flag{"IN_ATTRIB", 4}, flag{"IN_CLOSE_WRITE", 8}, flag{"IN_CLOSE_NOWRITE", 16}, flag{"IN_OPEN", 32},
	flag{"IN_MOVED_FROM", 64}, flag{"IN_MOVED_TO", 128}, flag{"IN_CREATE", 256}, flag{"IN_DELETE", 512}, flag{"IN_DELETE_SELF", 1024}, flag{"IN_MOVE_SELF", 2048}, flag{"IN_ONLYDIR", 1 << 24},
	flag{"IN_DONT_FOLLOW", 1 << 25}, flag{"IN_EXCL_UNLINK", 1 << 26}, flag{"IN_MASK_CREATE", 1 << 28}, flag{"IN_MASK_ADD", 1 << 29}, flag{"IN_ONESHOT", 1 << 31})

var _ = defineFlags("inotify_init", flag{"IN_CLOEXEC", 0o2000000}, flag{"IN_NONBLOCK", 0o4000})

var _ = defineFlags("fanotify_init", flag{"FAN_CLOEXEC", 1}, flag{"FAN_NONBLOCK", 2}, flag{"FAN_CLASS_CONTENT", 4}, flag{"FAN_CLASS_PRE_CONTENT", 8}, flag{"FAN_UNLIMITED_QUEUE", 16},
	flag{"FAN_UNLIMITED_MARKS", 32}, flag{"FAN_ENABLE_AUDIT", 64}, flag{"FAN_REPORT_PIDFD", 128}, flag{"FAN_REPORT_TID", 256}, flag{"FAN_REPORT_FID", 512}, flag{"FAN_REPORT_DIR_FID", 1024},
	flag{"FAN_REPORT_NAME", 2048}, flag{"FAN_REPORT_TARGET_FID", 4096}, flag{"FAN_REPORT_FD_ERROR", 8192}, flag{"FAN_REPORT_MNT", 16384}, flag{"FAN_CLASS_NOTIF", 0})

var _ = defineFlags("fanotify_mark", flag{"FAN_MARK_ADD", 1}, flag{"FAN_MARK_REMOVE", 2}, flag{"FAN_MARK_DONT_FOLLOW", 4}, flag{"FAN_MARK_ONLYDIR", 8}, flag{"FAN_MARK_MOUNT", 16},
	flag{"FAN_MARK_IGNORED_MASK", 32}, flag{"FAN_MARK_IGNORED_SURV_MODIFY", 64}, flag{"FAN_MARK_FLUSH", 128}, flag{"FAN_MARK_FILESYSTEM", 256}, flag{"FAN_MARK_EVICTABLE", 512}, flag{"FAN_MARK_IGNORE", 1024},
	flag{"FAN_MARK_INODE", 0})

var _ = defineFlags("fan_events", flag{"FAN_ACCESS", 1}, flag{"FAN_MODIFY", 2}, flag{"FAN_ATTRIB", 4}, flag{"FAN_CLOSE_WRITE", 8}, flag{"FAN_CLOSE_NOWRITE", 16}, flag{"FAN_OPEN", 32},
	flag{"FAN_MOVED_FROM", 64}, flag{"FAN_MOVED_TO", 128}, flag{"FAN_CREATE", 256}, flag{"FAN_DELETE", 512}, flag{"FAN_DELETE_SELF", 1024}, flag{"FAN_MOVE_SELF", 2048}, flag{"FAN_OPEN_EXEC", 4096},
	flag{"FAN_OPEN_PERM", 0x10000}, flag{"FAN_ACCESS_PERM", 0x20000}, flag{"FAN_OPEN_EXEC_PERM", 0x40000}, flag{"FAN_EVENT_ON_CHILD", 0x8000000}, flag{"FAN_ONDIR", 0x40000000})

var _ = defineStruct("utimbuf", 16, member{"actime", 0, 8, Int}, member{"modtime", 8, 8, Int})

// file_handle is struct file_handle with room for the largest handle.
var _ = defineStruct("file_handle", 8+128, member{"handle_bytes", 0, 4, Int}, member{"handle_type", 4, 4, Int}, member{"f_handle", 8, 0, Data})

var _ = defineCalls(map[string]string{
	"read": "fd out? int?", "pread64": "fd out? int? int?", "readv": "fd ptr int", "preadv": "fd ptr int int int?", "preadv2": "fd ptr int int int? int?",
	"write": "fd data int?", "pwrite64": "fd data int int", "writev": "fd ptr int", "pwritev": "fd ptr int int int?", "pwritev2": "fd ptr int int int? int?",
	"lseek": "fd int seek", "fallocate": "fd falloc int int", "copy_file_range": "fd ptr fd ptr int int?", "sendfile": "fd fd ptr int",
	"fsync": "fd", "fdatasync": "fd", "syncfs": "fd", "sync": "", "flock": "fd lock", "fcntl": "fd fcntl fcntlarg?",
	"dup": "fd", "dup2": "fd fd", "dup3": "fd fd open", "pipe": "out?", "pipe2": "out? open", "getdents": "fd out? int?", "getdents64": "fd out? int?",
	"statfs": "path out?", "fstatfs": "fd out?", "utime": "path utimbuf?", "utimes": "path times?", "futimesat": "fd path times?",
	"mmap": "int int prot map fd int", "mprotect": "int int prot", "munmap": "int int", "memfd_create": "text memfd",
	"name_to_handle_at": "fd path file_handle out? at", "open_by_handle_at": "fd file_handle open",
	"inotify_init": "", "inotify_init1": "inotify_init", "inotify_add_watch": "fd path inotify", "inotify_rm_watch": "fd int",
	"fanotify_init": "fanotify_init open", "fanotify_mark": "fd fanotify_mark fan_events fd path",
})

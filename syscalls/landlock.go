package syscalls

// Landlock's calls: include/uapi/linux/landlock.h.

var landlockFS = defineFlags("landlock_fs", flag{"LANDLOCK_ACCESS_FS_EXECUTE", 1}, flag{"LANDLOCK_ACCESS_FS_WRITE_FILE", 2}, flag{"LANDLOCK_ACCESS_FS_READ_FILE", 4}, flag{"LANDLOCK_ACCESS_FS_READ_DIR", 8},
	flag{"LANDLOCK_ACCESS_FS_REMOVE_DIR", 16}, flag{"LANDLOCK_ACCESS_FS_REMOVE_FILE", 32}, flag{"LANDLOCK_ACCESS_FS_MAKE_CHAR", 64}, flag{"LANDLOCK_ACCESS_FS_MAKE_DIR", 128},
	flag{"LANDLOCK_ACCESS_FS_MAKE_REG", 256}, flag{"LANDLOCK_ACCESS_FS_MAKE_SOCK", 512}, flag{"LANDLOCK_ACCESS_FS_MAKE_FIFO", 1024}, flag{"LANDLOCK_ACCESS_FS_MAKE_BLOCK", 2048},
	flag{"LANDLOCK_ACCESS_FS_MAKE_SYM", 4096}, flag{"LANDLOCK_ACCESS_FS_REFER", 8192}, flag{"LANDLOCK_ACCESS_FS_TRUNCATE", 16384}, flag{"LANDLOCK_ACCESS_FS_IOCTL_DEV", 32768})

var landlockNet = defineFlags("landlock_net", flag{"LANDLOCK_ACCESS_NET_BIND_TCP", 1}, flag{"LANDLOCK_ACCESS_NET_CONNECT_TCP", 2})

var landlockScope = defineFlags("landlock_scope", flag{"LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET", 1}, flag{"LANDLOCK_SCOPE_SIGNAL", 2})

var _ = defineStruct("landlock_attr", 24, member{"handled_access_fs", 0, 8, landlockFS}, member{"handled_access_net", 8, 8, landlockNet}, member{"scoped", 16, 8, landlockScope})

// A rule is of one of two kinds; both begin with the rights.
var _ = defineStruct("landlock_rule", 16, member{"allowed_access", 0, 8, landlockFS}, member{"parent_fd", 8, 4, Int}, member{"port", 8, 8, Int})

var _ = defineEnum("landlock_type", flag{"LANDLOCK_RULE_PATH_BENEATH", 1}, flag{"LANDLOCK_RULE_NET_PORT", 2})

var _ = defineFlags("landlock_create", flag{"LANDLOCK_CREATE_RULESET_VERSION", 1}, flag{"LANDLOCK_CREATE_RULESET_ERRATA", 2})

var _ = defineFlags("landlock_restrict", flag{"LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF", 1}, flag{"LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON", 2}, flag{"LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF", 4})

var _ = defineCalls(map[string]string{
	"landlock_create_ruleset": "landlock_attr int landlock_create", "landlock_add_rule": "fd landlock_type landlock_rule int", "landlock_restrict_self": "fd landlock_restrict",
})

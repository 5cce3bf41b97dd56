package syscalls

// The mount API's names: linux/mount.h.

var _ = defineFlags("open_tree", flag{"OPEN_TREE_CLONE", 1}, flag{"OPEN_TREE_CLOEXEC", 0x80000}, flag{"AT_RECURSIVE", 0x8000}, flag{"AT_EMPTY_PATH", 0x1000}, flag{"AT_NO_AUTOMOUNT", 0x800},
	flag{"AT_SYMLINK_NOFOLLOW", 0x100})

var _ = defineFlags("move_mount", flag{"MOVE_MOUNT_F_SYMLINKS", 1}, flag{"MOVE_MOUNT_F_AUTOMOUNTS", 2}, flag{"MOVE_MOUNT_F_EMPTY_PATH", 4}, flag{"MOVE_MOUNT_T_SYMLINKS", 0x10},
	flag{"MOVE_MOUNT_T_AUTOMOUNTS", 0x20}, flag{"MOVE_MOUNT_T_EMPTY_PATH", 0x40}, flag{"MOVE_MOUNT_SET_GROUP", 0x100}, flag{"MOVE_MOUNT_BENEATH", 0x200})

var (
	_ = defineFlags("fsopen", flag{"FSOPEN_CLOEXEC", 1})
	_ = defineFlags("fsmount", flag{"FSMOUNT_CLOEXEC", 1})
	_ = defineFlags("fspick", flag{"FSPICK_CLOEXEC", 1}, flag{"FSPICK_SYMLINK_NOFOLLOW", 2}, flag{"FSPICK_NO_AUTOMOUNT", 4}, flag{"FSPICK_EMPTY_PATH", 8})
	_ = defineEnum("fsconfig", flag{"FSCONFIG_SET_FLAG", 0}, flag{"FSCONFIG_SET_STRING", 1}, flag{"FSCONFIG_SET_BINARY", 2}, flag{"FSCONFIG_SET_PATH", 3}, flag{"FSCONFIG_SET_PATH_EMPTY", 4},
		flag{"FSCONFIG_SET_FD", 5}, flag{"FSCONFIG_CMD_CREATE", 6}, flag{"FSCONFIG_CMD_RECONFIGURE", 7}, flag{"FSCONFIG_CMD_CREATE_EXCL", 8})
)

var mountAttr = defineFlags("mount_attr_flags", flag{"MOUNT_ATTR_RDONLY", 1}, flag{"MOUNT_ATTR_NOSUID", 2}, flag{"MOUNT_ATTR_NODEV", 4}, flag{"MOUNT_ATTR_NOEXEC", 8}, flag{"MOUNT_ATTR__ATIME", 0x70},
	flag{"MOUNT_ATTR_NOATIME", 0x10}, flag{"MOUNT_ATTR_STRICTATIME", 0x20}, flag{"MOUNT_ATTR_RELATIME", 0}, flag{"MOUNT_ATTR_NODIRATIME", 0x80}, flag{"MOUNT_ATTR_IDMAP", 0x100000}, flag{"MOUNT_ATTR_NOSYMFOLLOW", 0x200000})

var _ = defineStruct("mount_attr", 32, member{"attr_set", 0, 8, mountAttr}, member{"attr_clr", 8, 8, mountAttr}, member{"propagation", 16, 8, Mount}, member{"userns_fd", 24, 8, Int})

var _ = defineStruct("mnt_id_req", 32, member{"size", 0, 4, Int}, member{"mnt_ns_fd", 4, 4, Int}, member{"mnt_id", 8, 8, Int}, member{"param", 16, 8, Int}, member{"mnt_ns_id", 24, 8, Int})

var _ = defineCalls(map[string]string{
	"open_tree": "fd path open_tree", "open_tree_attr": "fd path open_tree mount_attr? int?", "move_mount": "fd path fd path move_mount",
	"fsopen": "text fsopen", "fsconfig": "fd fsconfig text? text? int?", "fsmount": "fd fsmount mount_attr_flags", "fspick": "fd path fspick",
	"mount_setattr": "fd path open_tree mount_attr int?", "statmount": "mnt_id_req out? int? int?", "listmount": "mnt_id_req out? int? int?",
})

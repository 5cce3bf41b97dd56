package story

// Hook names a hook of the kernel's security framework, as include/linux/lsm_hook_defs.h does.
type Hook uint8

const (
	NoHook Hook = iota

	HookInodePermission
	HookInodeFollowLink
	HookInodeReadlink
	HookInodeGetattr
	HookInodeSetattr
	HookInodeCreate
	HookInodeMkdir
	HookInodeMknod
	HookInodeSymlink
	HookInodeLink
	HookInodeUnlink
	HookInodeRmdir
	HookInodeRename
	HookInodeGetxattr
	HookInodeSetxattr
	HookInodeListxattr
	HookInodeRemovexattr
	HookInodeGetACL
	HookInodeSetACL
	HookInodeRemoveACL
	HookInodeFileGetattr
	HookInodeFileSetattr

	HookPathMknod
	HookPathMkdir
	HookPathSymlink
	HookPathLink
	HookPathUnlink
	HookPathRmdir
	HookPathRename
	HookPathTruncate
	HookPathChmod
	HookPathChown
	HookPathChroot
	HookPathNotify

	HookFileOpen
	HookFileTruncate
	HookFilePermission
	HookFileIoctl
	HookFileLock
	HookFileFcntl
	HookFileMprotect
	HookMmapFile
	HookMmapAddr

	HookSbMount
	HookSbRemount
	HookSbUmount
	HookSbPivotroot
	HookSbStatfs
	HookSbKernMount
	HookMoveMount

	HookBprmCredsForExec
	HookBprmCheck
	HookUsernsCreate
	HookTaskKill
	HookTaskPrctl
	HookTaskPrlimit
	HookTaskSetnice
	HookTaskSetioprio
	HookTaskSetscheduler
	HookTaskSetpgid
	HookTaskFixSetuid
	HookTaskFixSetgid
	HookTaskFixSetgroups
	HookCapset
	HookPtraceAccessCheck
	HookPtraceTraceme

	HookSocketCreate
	HookSocketBind
	HookSocketConnect
	HookSocketListen
	HookSocketSetsockopt
	HookUnixStreamConnect
	HookUnixMaySend

	HookSyslog
	HookSettime
	HookQuotactl
	HookKernelReadFile
	HookKernelLoadData
	HookLockedDown
	HookBpf
	HookPerfEventOpen
	HookUringOverrideCreds
	HookUringSqpoll
	HookKeyPermission
	HookIPCPermission

	HookTaskGetpgid
	HookTaskGetsid
	HookTaskGetscheduler
	HookTaskGetioprio
	HookTaskMovememory
	HookUringAllowed
	HookCapable
	HookTaskSetrlimit
	HookCapget
	HookTaskAlloc
	HookInodeInitSecurityAnon
	HookShmAlloc
	HookMsgQueueAlloc
	HookSemAlloc
	HookShmAssociate
	HookMsgQueueAssociate
	HookSemAssociate
	HookShmShmctl
	HookMsgQueueMsgctl
	HookSemSemctl
	HookShmShmat
	HookMsgQueueMsgsnd
	HookSemSemop
	HookSbEatLsmOpts
	HookBpfMap
	HookMsgQueueMsgrcv
	HookSocketAccept
	HookSocketSendmsg
	HookSocketRecvmsg
	HookSocketGetsockname
	HookSocketGetpeername
	HookSocketGetsockopt
	HookSocketShutdown

	NumHooks
)

var hookNames = [NumHooks]string{
	"", "inode_permission", "inode_follow_link", "inode_readlink", "inode_getattr", "inode_setattr", "inode_create", "inode_mkdir", "inode_mknod", "inode_symlink",
	"inode_link", "inode_unlink", "inode_rmdir", "inode_rename", "inode_getxattr", "inode_setxattr", "inode_listxattr", "inode_removexattr", "inode_get_acl",
	"inode_set_acl", "inode_remove_acl", "inode_file_getattr", "inode_file_setattr",
	"path_mknod", "path_mkdir", "path_symlink", "path_link", "path_unlink", "path_rmdir", "path_rename", "path_truncate", "path_chmod", "path_chown", "path_chroot", "path_notify",
	"file_open", "file_truncate", "file_permission", "file_ioctl", "file_lock", "file_fcntl", "file_mprotect", "mmap_file", "mmap_addr",
	"sb_mount", "sb_remount", "sb_umount", "sb_pivotroot", "sb_statfs", "sb_kern_mount", "move_mount",
	"bprm_creds_for_exec", "bprm_check_security", "userns_create", "task_kill", "task_prctl", "task_prlimit", "task_setnice", "task_setioprio", "task_setscheduler", "task_setpgid",
	"task_fix_setuid", "task_fix_setgid", "task_fix_setgroups", "capset", "ptrace_access_check", "ptrace_traceme",
	"socket_create", "socket_bind", "socket_connect", "socket_listen", "socket_setsockopt", "unix_stream_connect", "unix_may_send",
	"syslog", "settime", "quotactl", "kernel_read_file", "kernel_load_data", "locked_down", "bpf", "perf_event_open", "uring_override_creds", "uring_sqpoll", "key_permission", "ipc_permission",
	"task_getpgid", "task_getsid", "task_getscheduler", "task_getioprio", "task_movememory", "uring_allowed", "capable", "task_setrlimit",
	"capget", "task_alloc", "inode_init_security_anon", "shm_alloc_security", "msg_queue_alloc_security", "sem_alloc_security", "shm_associate", "msg_queue_associate", "sem_associate",
	"shm_shmctl", "msg_queue_msgctl", "sem_semctl", "shm_shmat", "msg_queue_msgsnd", "sem_semop", "sb_eat_lsm_opts", "bpf_map", "msg_queue_msgrcv",
	"socket_accept", "socket_sendmsg", "socket_recvmsg", "socket_getsockname", "socket_getpeername", "socket_getsockopt", "socket_shutdown",
}

// String returns the hook's name, empty for none.
func (h Hook) String() string {
	if h < NumHooks {
		return hookNames[h]
	}
	return ""
}

// ParseHook returns the hook of a name; bpf_lsm_ in front, as BPF programs name it, may stand there.
func ParseHook(name string) (Hook, bool) {
	const prefix = "bpf_lsm_"
	if len(name) > len(prefix) && name[:len(prefix)] == prefix {
		name = name[len(prefix):]
	}
	for h := NoHook + 1; h < NumHooks; h++ {
		if hookNames[h] == name {
			return h, true
		}
	}
	return NoHook, false
}

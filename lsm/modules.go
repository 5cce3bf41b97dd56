package lsm

import (
	"strings"

	"syscallstory/story"
)

// hooksOf lists the hooks that a module has functions on, among those that are modelled: the security_hook_list of its source
// in Linux 6.18. A module that is not listed is taken to have one everywhere.
var hooksOf = map[string]string{
	"capability": "mmap_addr task_fix_setuid task_prctl task_setscheduler task_setioprio task_setnice capset ptrace_access_check ptrace_traceme settime inode_setxattr inode_removexattr",
	"lockdown":   "locked_down",
	"landlock": "path_link path_rename path_mkdir path_mknod path_symlink path_unlink path_rmdir path_truncate file_open file_truncate file_ioctl sb_mount move_mount sb_umount sb_remount sb_pivotroot " +
		"socket_bind socket_connect ptrace_access_check ptrace_traceme task_kill unix_stream_connect unix_may_send",
	"yama":      "ptrace_access_check ptrace_traceme task_prctl",
	"loadpin":   "kernel_read_file kernel_load_data",
	"safesetid": "task_fix_setuid task_fix_setgid task_fix_setgroups",
	"ipe":       "bprm_check_security mmap_file file_mprotect kernel_read_file kernel_load_data",
	"integrity": "",
	"ima":       "bprm_check_security mmap_file file_mprotect kernel_read_file kernel_load_data", // at setxattr it keeps security.ima for CAP_SYS_ADMIN, as the kernel does
	"evm":       "inode_setattr inode_setxattr inode_removexattr inode_set_acl inode_remove_acl",
	"apparmor": "ptrace_access_check ptrace_traceme move_mount sb_mount sb_umount sb_pivotroot path_link path_unlink path_symlink path_mkdir path_rmdir path_mknod path_rename path_chmod path_chown " +
		"path_truncate inode_getattr file_open file_permission file_truncate file_lock mmap_file file_mprotect socket_create socket_bind socket_connect socket_listen unix_stream_connect unix_may_send " +
		"bprm_creds_for_exec task_prlimit task_setrlimit task_kill userns_create uring_override_creds uring_sqpoll socket_setsockopt socket_accept socket_sendmsg socket_recvmsg socket_getsockname socket_getpeername socket_getsockopt socket_shutdown",
	"tomoyo": "bprm_check_security inode_getattr path_truncate file_truncate path_unlink path_mkdir path_rmdir path_symlink path_mknod path_link path_rename file_fcntl file_open file_ioctl path_chmod path_chown " +
		"path_chroot sb_mount sb_umount sb_pivotroot socket_bind socket_connect socket_listen socket_sendmsg",
	"selinux": "inode_permission inode_follow_link inode_readlink inode_getattr inode_setattr inode_create inode_mkdir inode_mknod inode_symlink inode_link inode_unlink inode_rmdir inode_rename " +
		"inode_getxattr inode_setxattr inode_listxattr inode_removexattr inode_get_acl inode_set_acl inode_remove_acl inode_file_getattr inode_file_setattr path_notify file_open file_permission " +
		"file_ioctl file_lock file_fcntl file_mprotect mmap_file mmap_addr sb_mount sb_remount sb_umount sb_statfs sb_kern_mount move_mount bprm_creds_for_exec userns_create task_kill task_prlimit " +
		"task_setnice task_setioprio task_setscheduler task_setpgid capset ptrace_access_check ptrace_traceme socket_create socket_bind socket_connect socket_listen unix_stream_connect unix_may_send " +
		"syslog quotactl kernel_read_file kernel_load_data bpf bpf_map perf_event_open uring_override_creds uring_sqpoll key_permission ipc_permission " +
		"task_getpgid task_getsid task_getscheduler task_getioprio task_movememory task_setrlimit uring_allowed capget task_alloc inode_init_security_anon " +
		"socket_setsockopt shm_alloc_security msg_queue_alloc_security sem_alloc_security shm_associate msg_queue_associate sem_associate shm_shmctl msg_queue_msgctl sem_semctl shm_shmat " +
		"msg_queue_msgsnd msg_queue_msgrcv sem_semop sb_eat_lsm_opts socket_accept socket_sendmsg socket_recvmsg socket_getsockname socket_getpeername socket_getsockopt socket_shutdown",
}

// hookSet is a set of hooks.
type hookSet [story.NumHooks]bool

// hooks returns the set of a module.
func hooks(module string) (set hookSet) {
	list, listed := hooksOf[module]
	for h := range set {
		set[h] = !listed
	}
	for _, name := range strings.Fields(list) {
		if h, ok := story.ParseHook(name); ok {
			set[h] = true
		}
	}
	return set
}

// attached reads what is known of the BPF programs: "file_open: program 7 deny" names the hook that a program sits on; without
// one it may sit on any.
func attached(programs []string) (set hookSet, names [story.NumHooks]string) {
	for _, p := range programs {
		at, rest, ok := strings.Cut(p, ":")
		h, known := story.ParseHook(strings.TrimSpace(at))
		switch {
		case ok && known:
			set[h], names[h] = true, join(names[h], strings.TrimSpace(rest))
		case known:
			set[h], names[h] = true, join(names[h], "a program")
		default:
			for i := range set {
				set[i], names[i] = true, join(names[i], p)
			}
		}
	}
	return set, names
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

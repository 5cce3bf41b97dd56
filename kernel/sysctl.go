package kernel

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Sysctl is one of the kernel's settings that decide a syscall.
type Sysctl uint8

const (
	ProtectedSymlinks Sysctl = iota
	ProtectedHardlinks
	ProtectedFifos
	ProtectedRegular

	// How many namespaces of a kind a user namespace may have, in the order in which a call makes them.
	MaxUserNamespaces
	MaxMntNamespaces
	MaxUtsNamespaces
	MaxIpcNamespaces
	MaxPidNamespaces
	MaxCgroupNamespaces
	MaxNetNamespaces
	MaxTimeNamespaces
	UnprivilegedUsernsClone // of Debian's kernels: 0 asks for CAP_SYS_ADMIN
	ApparmorRestrictUserns  // of Ubuntu's kernels

	// Who may use what the whole machine shares.
	DmesgRestrict
	PerfEventParanoid
	UnprivilegedBPFDisabled
	IOUringDisabled // since Linux 6.6
	IOUringGroup    // since Linux 6.6
	ModulesDisabled
	KexecLoadDisabled
	PtraceScope
	UnprivilegedUserfaultfd
	NrOpen
	FSMountMax // how many mounts a mount namespace may have

	// Memory.
	MmapMinAddr
	MemfdNoexec // since Linux 6.3

	// Of the task's network namespace.
	IPUnprivilegedPortStart
	PingGroupRange // two numbers, see Range
	LocalPortRange // two numbers too

	// Of the task's IPC namespace.
	ShmMax
	ShmAll // pages
	ShmMNI
	MsgMax
	MsgMNB
	MsgMNI
	SemLimits // semmsl and semopm of four numbers, see Range
	QueuesMax
	QueueMsgMax
	QueueMsgsizeMax

	// Parameters of the module overlay: options of its mounts that are not given. Named as on the kernel's command line.
	OverlayRedirectDir
	OverlayAlwaysFollow
	OverlayIndex
	OverlayNFSExport
	OverlayMetacopy

	NumSysctls
)

var sysctlNames = [NumSysctls]string{"fs.protected_symlinks", "fs.protected_hardlinks", "fs.protected_fifos", "fs.protected_regular",
	"user.max_user_namespaces", "user.max_mnt_namespaces", "user.max_uts_namespaces", "user.max_ipc_namespaces", "user.max_pid_namespaces",
	"user.max_cgroup_namespaces", "user.max_net_namespaces", "user.max_time_namespaces", "kernel.unprivileged_userns_clone",
	"kernel.apparmor_restrict_unprivileged_userns",
	"kernel.dmesg_restrict", "kernel.perf_event_paranoid", "kernel.unprivileged_bpf_disabled", "kernel.io_uring_disabled", "kernel.io_uring_group",
	"kernel.modules_disabled", "kernel.kexec_load_disabled", "kernel.yama.ptrace_scope", "vm.unprivileged_userfaultfd", "fs.nr_open", "fs.mount-max",
	"vm.mmap_min_addr", "vm.memfd_noexec",
	"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.ip_local_port_range",
	"kernel.shmmax", "kernel.shmall", "kernel.shmmni", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
	"fs.mqueue.queues_max", "fs.mqueue.msg_max", "fs.mqueue.msgsize_max",
	"overlay.redirect_dir", "overlay.redirect_always_follow", "overlay.index", "overlay.nfs_export", "overlay.metacopy"}

// NotThere is the value of a setting that the kernel does not have.
const NotThere = -1 << 31

// Optional reports whether only some kernels have the setting.
func (s Sysctl) Optional() bool {
	switch s {
	case UnprivilegedUsernsClone, ApparmorRestrictUserns, IOUringDisabled, IOUringGroup, MemfdNoexec:
		return true
	}
	return s.module() != ""
}

// NewIPC is the value that a setting has in a new IPC namespace; ok is false for settings of anything else.
func (s Sysctl) NewIPC() (v int, ok bool) {
	const huge = 1<<63 - 1 // ULONG_MAX - (1 << 24), as far as an int goes
	switch s {
	case ShmMax, ShmAll:
		return huge, true
	case ShmMNI:
		return 4096, true
	case MsgMax:
		return 8192, true
	case MsgMNB:
		return 16384, true
	case MsgMNI:
		return 32000, true
	case SemLimits:
		return PackRange(32000, 500), true
	case QueuesMax:
		return 256, true
	case QueueMsgMax:
		return 10, true
	case QueueMsgsizeMax:
		return 8192, true
	}
	return 0, false
}

// NewNet is the value that a setting has in a new network namespace; ok is false for settings of anything else.
func (s Sysctl) NewNet() (v int, ok bool) {
	switch s {
	case IPUnprivilegedPortStart:
		return 1024, true
	case PingGroupRange:
		return PackRange(1, 0), true
	case LocalPortRange:
		return PackRange(32768, 60999), true
	}
	return 0, false
}

// module is the module of a parameter, empty for settings of /proc/sys.
func (s Sysctl) module() string {
	if s >= OverlayRedirectDir {
		return "overlay"
	}
	return ""
}

// File is where the kernel shows a setting.
func (s Sysctl) File() string {
	if module := s.module(); module != "" {
		return "/sys/module/" + module + "/parameters/" + strings.TrimPrefix(sysctlNames[s], module+".")
	}
	return "/proc/sys/" + strings.ReplaceAll(sysctlNames[s], ".", "/")
}

// String returns the setting's name as sysctl(8) prints it.
func (s Sysctl) String() string { return sysctlNames[s] }

// ParseSysctl returns the setting of a name such as fs.protected_regular; settings that decide no modelled call are not
// known here.
func ParseSysctl(name string) (Sysctl, bool) {
	for i, n := range sysctlNames {
		if n == name {
			return Sysctl(i), true
		}
	}
	return 0, false
}

// ParseValue reads a setting's value as its file has it: a number, or for ranges of net.ipv4 two, which Range takes
// apart; of kernel.sem the first and the third. What is above the largest int counts as that.
func (s Sysctl) ParseValue(text string) (int, error) {
	f := strings.Fields(text)
	if s.module() != "" {
		on, err := strconv.ParseBool(strings.NewReplacer("Y", "1", "N", "0").Replace(strings.TrimSpace(text)))
		if on {
			return 1, err
		}
		return 0, err
	}
	switch s {
	case PingGroupRange, LocalPortRange:
	case SemLimits:
		if len(f) != 4 {
			return 0, fmt.Errorf("%v has four numbers, as in 32000 1024000000 500 32000", s)
		}
		f = []string{f[0], f[2]}
	default:
		v, err := strconv.Atoi(strings.TrimSpace(text))
		if errors.Is(err, strconv.ErrRange) && (s == ShmMax || s == ShmAll) {
			err = nil
		}
		return v, err
	}
	if len(f) != 2 {
		return 0, fmt.Errorf("%v has two numbers, as in 0 2147483647", s)
	}
	low, err := strconv.ParseUint(f[0], 10, 32)
	if err != nil {
		return 0, err
	}
	high, err := strconv.ParseUint(f[1], 10, 32)
	return PackRange(uint32(low), uint32(high)), err
}

// PackRange puts the two numbers of a range into one value.
func PackRange(low, high uint32) int { return int(uint64(low)<<32 | uint64(high)) }

// Range takes a value of two numbers apart.
func Range(v int) (low, high uint32) { return uint32(uint64(v) >> 32), uint32(v) }

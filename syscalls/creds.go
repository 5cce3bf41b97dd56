package syscalls

import (
	"encoding/binary"
	"strings"
)

// Calls that change or read a task's credentials, and execve.

// capabilities are the names of linux/capability.h by their numbers.
var capabilities = strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN
	NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
	AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`)

// capabilityNames are CAP_CHOWN and the others; capabilityBits are their bits as strace writes them, 1<<CAP_CHOWN.
func capabilityNames() (names, bits []flag) {
	for i, n := range capabilities {
		names = append(names, flag{"CAP_" + n, uint64(i)})
		bits = append(bits, flag{"1<<CAP_" + n, 1 << i})
	}
	return names, bits
}

var (
	capNumbers, capBits = capabilityNames()

	_ = defineConstants(capNumbers...)

	capsetVersion = defineEnum("capversion", flag{"_LINUX_CAPABILITY_VERSION_1", 0x19980330}, flag{"_LINUX_CAPABILITY_VERSION_2", 0x20071026}, flag{"_LINUX_CAPABILITY_VERSION_3", 0x20080522})
	capSet        = defineFlags("capset", capBits...)
	_             = defineStruct("caphdr", 8, member{"version", 0, 4, capsetVersion}, member{"pid", 4, 4, Int})
	_             = defineLayout("capdata", &layout{size: 24, members: []member{{"effective", 0, 8, capSet}, {"permitted", 8, 8, capSet}, {"inheritable", 16, 8, capSet}}, encode: capData})

	filterProgram = defineLayout("sockfprog", &layout{size: 16, members: []member{{"len", 0, 2, Int}, {"filter", 8, 8, Int}}})
	_             = defineArray("gids", 4)

	_ = defineEnum("prctlop", prctlOptions...)
	_ = defineConstants(prctlValues...)
	_ = defineEnum("seccompop", flag{"SECCOMP_SET_MODE_STRICT", 0}, flag{"SECCOMP_SET_MODE_FILTER", 1}, flag{"SECCOMP_GET_ACTION_AVAIL", 2}, flag{"SECCOMP_GET_NOTIF_SIZES", 3})
	_ = defineFlags("seccompflags", flag{"SECCOMP_FILTER_FLAG_TSYNC", 1}, flag{"SECCOMP_FILTER_FLAG_LOG", 2}, flag{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", 4},
		flag{"SECCOMP_FILTER_FLAG_NEW_LISTENER", 8}, flag{"SECCOMP_FILTER_FLAG_TSYNC_ESRCH", 16}, flag{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 32})
	_ = defineCalls(map[string]string{
		"setuid": "int", "setgid": "int", "setfsuid": "int", "setfsgid": "int", "setreuid": "int int", "setregid": "int int",
		"setresuid": "int int int", "setresgid": "int int int", "setgroups": "int gids", "capset": "caphdr capdata", "capget": "caphdr capdata",
		"getgroups": "int out",
		"prctl":     "prctlop word? word? word? word?", "seccomp": "seccompop seccompflags word?", "umask": "mode",
	})
)

// prctlOptions are the options of linux/prctl.h that name what is asked of a task.
var prctlOptions = []flag{{"PR_SET_PDEATHSIG", 1}, {"PR_GET_PDEATHSIG", 2}, {"PR_GET_DUMPABLE", 3}, {"PR_SET_DUMPABLE", 4}, {"PR_GET_KEEPCAPS", 7}, {"PR_SET_KEEPCAPS", 8},
	{"PR_SET_NAME", 15}, {"PR_GET_NAME", 16}, {"PR_GET_SECCOMP", 21}, {"PR_SET_SECCOMP", 22}, {"PR_CAPBSET_READ", 23}, {"PR_CAPBSET_DROP", 24}, {"PR_GET_TSC", 25},
	{"PR_SET_TSC", 26}, {"PR_GET_SECUREBITS", 27}, {"PR_SET_SECUREBITS", 28}, {"PR_SET_TIMERSLACK", 29}, {"PR_GET_TIMERSLACK", 30}, {"PR_MCE_KILL", 33}, {"PR_SET_MM", 35},
	{"PR_SET_CHILD_SUBREAPER", 36}, {"PR_GET_CHILD_SUBREAPER", 37}, {"PR_SET_NO_NEW_PRIVS", 38}, {"PR_GET_NO_NEW_PRIVS", 39}, {"PR_GET_TID_ADDRESS", 40},
	{"PR_SET_THP_DISABLE", 41}, {"PR_GET_THP_DISABLE", 42}, {"PR_CAP_AMBIENT", 47}, {"PR_GET_SPECULATION_CTRL", 52}, {"PR_SET_SPECULATION_CTRL", 53},
	{"PR_SET_IO_FLUSHER", 57}, {"PR_GET_IO_FLUSHER", 58}, {"PR_SET_SYSCALL_USER_DISPATCH", 59}, {"PR_SCHED_CORE", 62}, {"PR_SET_MDWE", 65}, {"PR_GET_MDWE", 66},
	{"PR_SET_VMA", 0x53564d41}, {"PR_SET_PTRACER", 0x59616d61}}

// prctlValues are names that stand in its other arguments.
var prctlValues = []flag{{"PR_CAP_AMBIENT_IS_SET", 1}, {"PR_CAP_AMBIENT_RAISE", 2}, {"PR_CAP_AMBIENT_LOWER", 3}, {"PR_CAP_AMBIENT_CLEAR_ALL", 4}, {"SECCOMP_MODE_DISABLED", 0},
	{"SECCOMP_MODE_STRICT", 1}, {"SECCOMP_MODE_FILTER", 2}, {"SUID_DUMP_DISABLE", 0}, {"SUID_DUMP_USER", 1}, {"SUID_DUMP_ROOT", 2}, {"SECBIT_NOROOT", 1}, {"SECBIT_NOROOT_LOCKED", 2},
	{"SECBIT_NO_SETUID_FIXUP", 4}, {"SECBIT_NO_SETUID_FIXUP_LOCKED", 8}, {"SECBIT_KEEP_CAPS", 16}, {"SECBIT_KEEP_CAPS_LOCKED", 32}, {"SECBIT_NO_CAP_AMBIENT_RAISE", 64},
	{"SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED", 128}, {"SECBIT_EXEC_RESTRICT_FILE", 256}, {"SECBIT_EXEC_RESTRICT_FILE_LOCKED", 512}, {"SECBIT_EXEC_DENY_INTERACTIVE", 1024},
	{"SECBIT_EXEC_DENY_INTERACTIVE_LOCKED", 2048}}

// capData lays out two structures of 32 bits each: low words, then high words (struct __user_cap_data_struct).
func capData(a *Arg) Memory {
	m := Memory{Bytes: make([]byte, 24)}
	for i, name := range [...]string{"effective", "permitted", "inheritable"} {
		f, _ := a.Field(name)
		binary.LittleEndian.PutUint32(m.Bytes[4*i:], uint32(f.Val))
		binary.LittleEndian.PutUint32(m.Bytes[12+4*i:], uint32(f.Val>>32))
	}
	return m
}

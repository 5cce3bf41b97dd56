package kernel

import (
	"fmt"
	"strings"
)

// Cap is a capability's number, as capabilities(7) and linux/capability.h give it.
type Cap uint8

const (
	CapChown Cap = iota
	CapDacOverride
	CapDacReadSearch
	CapFowner
	CapFsetid
	CapKill
	CapSetgid
	CapSetuid
	CapSetpcap
	CapLinuxImmutable
	CapNetBindService
	CapNetBroadcast
	CapNetAdmin
	CapNetRaw
	CapIpcLock
	CapIpcOwner
	CapSysModule
	CapSysRawio
	CapSysChroot
	CapSysPtrace
	CapSysPacct
	CapSysAdmin
	CapSysBoot
	CapSysNice
	CapSysResource
	CapSysTime
	CapSysTtyConfig
	CapMknod
	CapLease
	CapAuditWrite
	CapAuditControl
	CapSetfcap
	CapMacOverride
	CapMacAdmin
	CapSyslog
	CapWakeAlarm
	CapBlockSuspend
	CapAuditRead
	CapPerfmon
	CapBpf
	CapCheckpointRestore
	NumCaps
)

var capNames = [NumCaps]string{"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
	"SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
	"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
	"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
	"CHECKPOINT_RESTORE"}

// String returns the name with its prefix, "CAP_SYS_ADMIN".
func (c Cap) String() string {
	if c < NumCaps {
		return "CAP_" + capNames[c]
	}
	return fmt.Sprintf("CAP_%d", uint8(c))
}

// Short returns the name as Kubernetes and Docker write it, "SYS_ADMIN".
func (c Cap) Short() string { return strings.TrimPrefix(c.String(), "CAP_") }

// ParseCap reads a name with or without its prefix, in any case.
func ParseCap(s string) (Cap, bool) {
	up := strings.TrimPrefix(strings.ToUpper(s), "CAP_")
	for i, n := range capNames {
		if n == up {
			return Cap(i), true
		}
	}
	return 0, false
}

// Package seccomp is seccomp-bpf: profiles as container engines write them, their resolution against a capability set, an
// architecture and a kernel, the program that they compile to, and the machine that runs it. It follows kernel/seccomp.c.
//
// # What a profile means
//
// A rule matches a call if it names the call and every one of its argument conditions holds. Two conditions on the same
// argument make two rules, as runc loads them. Of the rules that match, the strictest action counts, in the kernel's
// order of precedence; among equal actions the first rule of the profile. If none matches, the default action counts. A
// call of an ABI that the profile does not list ends the thread, as libseccomp compiles it.
package seccomp

import "fmt"

// Action is what a filter answers: an action in the upper half, its data in the lower, as in SECCOMP_RET_*.
type Action uint32

const (
	KillThread  Action = 0x00000000
	KillProcess Action = 0x80000000
	Trap        Action = 0x00030000
	Errno       Action = 0x00050000
	UserNotif   Action = 0x7fc00000
	Trace       Action = 0x7ff00000
	Log         Action = 0x7ffc0000
	Allow       Action = 0x7fff0000
)

// MaxErrno is the largest errno that a filter can answer; the kernel caps what is larger.
const MaxErrno = 4095

// Kind returns the action without its data. What the kernel does not know acts as KillProcess.
func (a Action) Kind() Action {
	switch k := a & 0xffff0000; k {
	case KillThread, KillProcess, Trap, Errno, UserNotif, Trace, Log, Allow:
		return k
	}
	return KillProcess
}

// Data returns the action's 16 bits of data: the errno of Errno, capped as the kernel does.
func (a Action) Data() uint16 {
	d := uint16(a)
	if a.Kind() == Errno && d > MaxErrno {
		d = MaxErrno
	}
	return d
}

// Stricter reports whether a wins over b where both are answered: the lower one, KillProcess being negative. Values that the kernel does not know
// are compared as they are; only the one that wins acts as KillProcess (ACTION_ONLY in seccomp_run_filters, then __seccomp_filter).
func (a Action) Stricter(b Action) bool { return int32(a&0xffff0000) < int32(b&0xffff0000) }

// Logged reports whether the kernel writes a record of the call (seccomp_log, type SECCOMP of audit, or the kernel's log without auditd): kills and
// LOG by themselves, the others only if the filter was installed with SECCOMP_FILTER_FLAG_LOG, ALLOW never. The sysctl
// kernel.seccomp.actions_logged can take actions out. Requires at least Linux 4.14.
func (a Action) Logged(flag bool) bool {
	switch a.Kind() {
	case KillProcess, KillThread, Log:
		return true
	case Allow:
		return false
	}
	return flag
}

// Effect says in words what an action does to the call.
func (a Action) Effect() string {
	switch a.Kind() {
	case KillProcess:
		return "the process ends by SIGSYS, with a core dump"
	case KillThread:
		return "the thread ends, and the process with it if it was the last one"
	case Trap:
		return "the call is not made; SIGSYS is sent to the thread"
	case Errno:
		if a.Data() == 0 {
			return "the call is not made and returns 0"
		}
		return "the call is not made and fails"
	case UserNotif:
		return "a supervisor answers; without one the call fails with ENOSYS"
	case Trace:
		return "a tracer decides; without one the call fails with ENOSYS"
	case Log:
		return "the call is made and recorded"
	}
	return "the call is made"
}

var actionNames = map[Action]string{KillThread: "KILL_THREAD", KillProcess: "KILL_PROCESS", Trap: "TRAP", Errno: "ERRNO", UserNotif: "USER_NOTIF", Trace: "TRACE", Log: "LOG", Allow: "ALLOW"}

// String prints the action as the kernel's documentation does, with its data in brackets.
func (a Action) String() string {
	s := actionNames[a.Kind()]
	if k := a.Kind(); k == Errno || k == Trace && a.Data() != 0 || k == Trap && a.Data() != 0 {
		s += fmt.Sprintf("(%d)", a.Data())
	}
	return s
}

var profileActions = map[string]Action{"SCMP_ACT_KILL": KillThread, "SCMP_ACT_KILL_THREAD": KillThread, "SCMP_ACT_KILL_PROCESS": KillProcess, "SCMP_ACT_TRAP": Trap,
	"SCMP_ACT_ERRNO": Errno, "SCMP_ACT_NOTIFY": UserNotif, "SCMP_ACT_TRACE": Trace, "SCMP_ACT_LOG": Log, "SCMP_ACT_ALLOW": Allow}

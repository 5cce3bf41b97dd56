package world

import "syscallstory/story"

// Outside is a session or a process group whose leader the task's PID namespace does not see: several may be called so.
const Outside = -1

// Process is another process that a call of the task may name, or the task's own.
type Process struct {
	PID        int               // as the task's PID namespace counts; 0: not visible there
	TGID       int               // of the process it is a thread of; PID where it is 0
	Cred       Cred              // real credentials (task_struct.real_cred)
	Dumpable   bool              // of its memory: PR_GET_DUMPABLE is 1
	MMUserNS   UserNSID          // mm_struct.user_ns: whose privilege its memory has
	Kernel     bool              // a kernel thread
	Traced     bool              // a tracer is attached
	Parent     int               // 0: not known
	Session    int               // its session, for SIGCONT; 0: not known; Outside
	Group      int               // its process group; 0: not known; Outside
	Nice       int               // of the normal policy
	Policy     int               // SCHED_*
	RTPriority int               // of SCHED_FIFO and SCHED_RR
	MountNS    uint8             // index into World.MountNS
	Rlimits    *[16]Fact[Rlimit] // by RLIMIT_* number; nil: not known
	NS         [NumNSKinds]NamespaceID
	Context    Fact[string] // of SELinux
	Undomained bool         // it is known to be under no ruleset of Landlock
	Places     []Place      // where its links in /proc lead, as far as somebody has looked
	At         story.Origin // unknown: whether there is such a process, and whose it is, is not known
}

// Place is where a link of /proc/PID leads: root, cwd, exe, fd/N.
type Place struct {
	Link string
	Path Path
	At   story.Origin // unknown: why the Path is not known
}

// Place returns where a link of the process leads.
func (p *Process) Place(link string) (Place, bool) {
	for _, at := range p.Places {
		if at.Link == link {
			return at, true
		}
	}
	return Place{}, false
}

// ThreadGroup returns the pid of the process that this is, or is a thread of.
func (p *Process) ThreadGroup() int {
	if p.TGID != 0 {
		return p.TGID
	}
	return p.PID
}

// ProcessByPID finds a process. Where World.ProcessesAt is unknown, one that is not found may exist all the same.
func (w *World) ProcessByPID(pid int) *Process {
	for i := range w.Processes {
		if w.Processes[i].PID == pid && pid > 0 {
			return &w.Processes[i]
		}
	}
	return nil
}

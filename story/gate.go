package story

import "fmt"

// Gate is one of the places in the kernel where a syscall can be refused. The order of the constants is the order in
// which a story lists the gates that were not reached; the order in which they are met is the kernel's.
type Gate uint8

const (
	GateNone   Gate = iota
	Seccomp         // seccomp-bpf, before the syscall's body
	Lookup          // existence, type, loops, length and scope of a path
	Mount           // flags of mount and superblock; refusals of the mount API
	DAC             // modes, ACLs, sticky, protected_*, immutable and append-only
	Capability      // a capability was the only way through
	UserNS          // would pass with the same id or capability in the initial user namespace
	LSM             // a Linux Security Module; Step.LSM names it
	Overlay         // overlayfs: the mounter's checks, copy-up, whiteouts
	Other           // arguments, limits, devices cgroup, the filesystem itself, the kubelet
	NumGates
)

var gateNames = [NumGates]string{"", "seccomp", "lookup", "mount", "dac", "capability", "userns", "lsm", "overlay", "other"}

// String returns the gate's name as JSON and text print it.
func (g Gate) String() string {
	if g < NumGates {
		return gateNames[g]
	}
	return fmt.Sprintf("gate(%d)", uint8(g))
}

// Gates lists all gates in listing order.
func Gates() []Gate {
	return []Gate{Seccomp, Lookup, Mount, DAC, Capability, UserNS, LSM, Overlay, Other}
}

// Outcome is what one check said.
type Outcome uint8

const (
	NA      Outcome = iota // the check does not apply here
	Allow                  // the check let the call go on
	Deny                   // the check refused the call
	Kill                   // the check ended the task
	Unknown                // a fact that the check needs is not known
)

var outcomeNames = [...]string{"n/a", "allow", "deny", "kill", "unknown"}

// String returns the outcome's name as JSON prints it.
func (o Outcome) String() string { return outcomeNames[o] }

// Verdict is how a call ends.
type Verdict uint8

const (
	Undetermined Verdict = iota // a missing fact decides
	Allowed
	Denied
	Killed
	Blocks // waits for a FIFO's other end, a lease or a supervisor
)

var verdictNames = [...]string{"undetermined", "allowed", "denied", "killed", "blocks"}

// String returns the verdict's name as JSON prints it.
func (v Verdict) String() string { return verdictNames[v] }

// Op says what a step wanted to do with its object.
type Op uint8

const (
	OpNone      Op = iota
	OpEnter        // the call enters the kernel
	OpSearch       // search a directory for a name
	OpLook         // look a name up
	OpFollow       // follow a symbolic link
	OpCross        // cross a mount point
	OpRead         // open for reading
	OpWrite        // open for writing
	OpExec         // execute
	OpCreate       // create a name in a directory
	OpStat         // read attributes
	OpAccess       // access(2)'s question
	OpCopyUp       // copy to the upper layer
	OpOpen         // open in any mode
	OpStart        // start the container
	OpSetattr      // change attributes
	OpRemove       // remove a name
	OpMount        // change a mount
	OpReadWrite    // open for reading and writing
	OpUnshare      // make a namespace
	OpJoin         // enter a namespace
	OpClone        // make a task
	OpMap          // set up a user namespace's ids
	OpSocket       // make a socket
	OpBind         // give a socket an address
	OpConnect      // connect a socket
	OpListen       // wait for connections
	OpSetopt       // set an option of a socket
	OpSignal       // send a signal
	OpTrace        // look into a process
	OpSchedule     // change how a process is scheduled
	OpLimit        // change what a process may use
	OpSystem       // change what the whole machine shares
	OpBecome       // change the task's credentials
)

var opNames = [...]string{"", "enter", "search", "lookup", "follow", "cross", "read", "write", "exec", "create", "stat",
	"access", "copy-up", "open", "start", "setattr", "remove", "mount", "read+write",
	"unshare", "join", "clone", "map", "socket", "bind", "connect", "listen", "setsockopt", "signal", "trace", "schedule", "limit", "system", "credentials"}

// String returns the operation's name as JSON prints it.
func (o Op) String() string { return opNames[o] }
